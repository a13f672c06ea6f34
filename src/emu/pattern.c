#include "emu/pattern.h"

#include <string.h>

enum frame_kind {
	FRAME_SILENT,
	FRAME_PATTERN,
	FRAME_OTHER,
};

void pattern_check_init(struct pattern_check *p)
{
	memset(p, 0, sizeof(*p));
}

static uint32_t load_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static enum frame_kind decode_frame(const uint8_t *audio, uint32_t *ret_n)
{
	uint32_t s[PATTERN_CHANNELS];
	uint32_t any = 0;
	uint32_t v, wrong;

	for (unsigned c = 0; c < PATTERN_CHANNELS; c++) {
		s[c] = load_le32(audio + 4 * c);
		any |= s[c];
	}
	if (any == 0) {
		return FRAME_SILENT;
	}
	v = (s[0] >> 8) ^ (1u << 23);
	wrong = (v & (PATTERN_CHANNELS - 1)) | (s[0] & 0xff);
	for (unsigned c = 1; c < PATTERN_CHANNELS; c++) {
		wrong |= s[c] ^ (s[0] + (c << 8));
	}
	*ret_n = v / PATTERN_CHANNELS;
	return wrong ? FRAME_OTHER : FRAME_PATTERN;
}

bool pattern_check_block(struct pattern_check *p, const uint8_t *audio)
{
	bool sounds = false, broken = false, other = false, silent = false;

	for (unsigned f = 0; f < PATTERN_BLOCK_FRAMES; f++) {
		uint32_t n = 0;
		enum frame_kind kind = decode_frame(audio + (size_t)f * PATTERN_CHANNELS * 4, &n);

		if (kind == FRAME_SILENT) {
			silent = true;
			continue;
		}
		sounds = true;
		if (kind == FRAME_OTHER) {
			other = true;
			continue;
		}
		if (p->started && n != p->next) {
			broken = true;
			p->break_expected = p->next;
			p->break_got = n;
		}
		p->started = true;
		p->next = (n + 1) & (PATTERN_MODULUS - 1);
	}
	p->blocks += sounds;
	p->garbled += other;
	p->breaks += broken || other;
	p->run = broken || other || silent ? 0 : p->run + 1;
	return !(broken || other);
}

void pattern_check_silence(struct pattern_check *p)
{
	p->run = 0;
}
