#include "proto/netvst.h"

#include "base/util.h"
#include "proto/netvst-wavpack.h"

#include <errno.h>
#include <string.h>

#define HEADER_2017_BYTES 8
#define HEADER_AUDIOKIT_BYTES 12
#define EVENT_BYTES 8 /* a MIDI event, and a parameter change as well */
#define SIZES_BYTES 4 /* before audio: of its main part and its correction */
#define SAMPLE_BYTES 4
#define HAS_AUDIO 0x8000
#define UNCOMPRESSED 0xffff

#define MIDI_CONTROL_CHANGE 0xb0 /* the two behind it have one data byte */
#define MIDI_PITCH_BEND 0xe0

enum stage {
	STAGE_HEADER,
	STAGE_SIZES, /* all up to the sizes of the audio, and these */
	STAGE_AUDIO,
	STAGE_BROKEN,
};

struct header {
	uint32_t frames;
	uint32_t timestamp;
	unsigned n_midi; /* on the wire: some are left out */
	unsigned n_params;
	bool has_audio;
};

static const char *const dialects[] = {"2017", "audiokit"};
static const char *const codecs[] = {"pcm", "wavpack", "wavpack-lossy"};

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t get32(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void put16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)value;
	bytes[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *bytes, uint32_t value)
{
	put16(bytes, (uint16_t)value);
	put16(bytes + 2, (uint16_t)(value >> 16));
}

/* As bits: no arithmetic touches -0 and denormals. */
static uint32_t finite_or_0(uint32_t bits)
{
	return (bits & 0x7f800000) == 0x7f800000 ? 0 : bits;
}

static float get_float(const uint8_t *bytes)
{
	uint32_t bits = finite_or_0(get32(bytes));
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static void put_float(uint8_t *bytes, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	put32(bytes, finite_or_0(bits));
}

static size_t header_bytes(enum netvst_dialect dialect, enum netvst_direction direction)
{
	if (direction == NETVST_REPLY) {
		return 0;
	}
	return dialect == NETVST_2017 ? HEADER_2017_BYTES : HEADER_AUDIOKIT_BYTES;
}

/* A channel message with data that MIDI has; the second byte of data only where there is one. */
static bool midi_is_sound(const struct netvst_midi *midi)
{
	return midi->status >= 0x80 && midi->status < 0xf0 && midi->data1 < 0x80 && midi->data2 < 0x80;
}

static bool midi_has_data2(uint8_t status)
{
	return (status & 0xf0) <= MIDI_CONTROL_CHANGE || (status & 0xf0) == MIDI_PITCH_BEND;
}

static int check_block(
	enum netvst_dialect dialect, enum netvst_direction direction, const struct netvst_block *block)
{
	uint32_t max = dialect == NETVST_2017 ? NETVST_FRAMES_MAX : NETVST_AUDIOKIT_FRAMES_MAX;

	if (block->frames < 1 || block->frames > max) {
		return -EINVAL;
	}
	if (direction == NETVST_REPLY) {
		return block->has_audio ? 0 : -EINVAL;
	}
	if (block->n_midi > NETVST_MIDI_MAX || block->n_params > NETVST_PARAMS_MAX) {
		return -EINVAL;
	}
	if (block->n_params > 0 && dialect == NETVST_2017) {
		return -EINVAL;
	}
	for (unsigned i = 0; i < block->n_midi; i++) {
		if (block->midi[i].frame >= block->frames) {
			return -EINVAL;
		}
	}
	return 0;
}

static int check_codec(
	enum netvst_dialect dialect, enum netvst_codec codec, const struct netvst_wavpack *wavpack)
{
	if (codec == NETVST_PCM) {
		return 0;
	}
	return dialect == NETVST_2017 && wavpack ? 0 : -ENOTSUP;
}

/* The number of events that were written. */
static unsigned put_midi(uint8_t *to, enum netvst_dialect dialect, const struct netvst_block *block)
{
	uint32_t base = dialect == NETVST_2017 ? 0 : block->timestamp;
	unsigned n = 0;

	for (unsigned i = 0; i < block->n_midi; i++) {
		const struct netvst_midi *midi = &block->midi[i];

		if (!midi_is_sound(midi)) {
			continue;
		}
		to[0] = midi->status & 0xf0;
		to[1] = midi->status & 0x0f;
		to[2] = midi->data1;
		to[3] = midi_has_data2(midi->status) ? midi->data2 : 0;
		put32(to + 4, base + midi->frame);
		to += EVENT_BYTES;
		n++;
	}
	return n;
}

static void put_header(
	uint8_t *to, enum netvst_dialect dialect, const struct netvst_block *block, unsigned n_midi)
{
	uint16_t frames = (uint16_t)block->frames;

	if (dialect == NETVST_2017) {
		put16(to, frames);
		put16(to + 2, (uint16_t)n_midi);
		put32(to + 4, block->timestamp);
		return;
	}
	put16(to, block->has_audio ? frames | HAS_AUDIO : frames);
	put16(to + 2, (uint16_t)n_midi);
	put16(to + 4, (uint16_t)block->n_params);
	put16(to + 6, 0);
	put32(to + 8, block->timestamp);
}

/* All of a request but its audio. The number of bytes. */
static size_t put_request(uint8_t *bytes, enum netvst_dialect dialect, const struct netvst_block *block)
{
	size_t at = header_bytes(dialect, NETVST_REQUEST);
	unsigned n_midi = put_midi(bytes + at, dialect, block);

	put_header(bytes, dialect, block, n_midi);
	at += n_midi * EVENT_BYTES;
	for (unsigned i = 0; i < block->n_params; i++) {
		put16(bytes + at, block->params[i].effect);
		put16(bytes + at + 2, block->params[i].param);
		put_float(bytes + at + 4, block->params[i].value);
		at += EVENT_BYTES;
	}
	return at;
}

static int put_pcm(uint8_t *bytes, size_t size, enum netvst_dialect dialect, const struct netvst_block *block)
{
	size_t part = block->frames * SAMPLE_BYTES;
	size_t need = SIZES_BYTES + NETVST_CHANNELS * part;

	if (size < need) {
		return -ENOBUFS;
	}
	put16(bytes, (uint16_t)(dialect == NETVST_2017 ? NETVST_CHANNELS * part : part));
	put16(bytes + 2, UNCOMPRESSED);
	bytes += SIZES_BYTES;
	for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
		for (uint32_t i = 0; i < block->frames; i++, bytes += SAMPLE_BYTES) {
			put_float(bytes, block->audio[c][i]);
		}
	}
	return (int)need;
}

/* -E2BIG: uncompressed it is not longer, or it does not fit in the counts. */
static int put_wavpack(uint8_t *bytes, size_t size, bool lossless, struct netvst_wavpack *wavpack,
	const struct netvst_block *block)
{
	const float *const audio[NETVST_CHANNELS] = {block->audio[0], block->audio[1]};
	struct netvst_packed packed;
	int r = netvst_wavpack_pack(wavpack, audio, block->frames, lossless, &packed);

	if (r < 0) {
		return r;
	}
	if (packed.main_bytes > UINT16_MAX || packed.corr_bytes >= UNCOMPRESSED ||
		packed.main_bytes + packed.corr_bytes >= block->frames * NETVST_CHANNELS * SAMPLE_BYTES) {
		return -E2BIG;
	}
	if (size < SIZES_BYTES + packed.main_bytes + packed.corr_bytes) {
		return -ENOBUFS;
	}
	put16(bytes, (uint16_t)packed.main_bytes);
	put16(bytes + 2, (uint16_t)packed.corr_bytes);
	memcpy(bytes + SIZES_BYTES, packed.main, packed.main_bytes);
	if (packed.corr_bytes > 0) {
		memcpy(bytes + SIZES_BYTES + packed.main_bytes, packed.corr, packed.corr_bytes);
	}
	return (int)(SIZES_BYTES + packed.main_bytes + packed.corr_bytes);
}

int netvst_write(uint8_t *bytes, size_t size, enum netvst_dialect dialect, enum netvst_direction direction,
	enum netvst_codec codec, struct netvst_wavpack *wavpack, const struct netvst_block *block)
{
	int r = check_block(dialect, direction, block);
	size_t at = 0;

	if (r == 0 && block->has_audio) {
		r = check_codec(dialect, codec, wavpack);
	}
	if (r < 0) {
		return r;
	}
	if (direction == NETVST_REQUEST) {
		if (size < header_bytes(dialect, direction) +
				   (size_t)(block->n_midi + block->n_params) * EVENT_BYTES) {
			return -ENOBUFS;
		}
		at = put_request(bytes, dialect, block);
	}
	if (!block->has_audio) {
		return (int)at;
	}
	r = -E2BIG;
	if (codec != NETVST_PCM) {
		r = put_wavpack(bytes + at, size - at, codec == NETVST_WAVPACK, wavpack, block);
	}
	if (r == -E2BIG) {
		r = put_pcm(bytes + at, size - at, dialect, block);
	}
	return r < 0 ? r : (int)at + r;
}

static void begin_block(struct netvst_parser *parser)
{
	parser->have = 0;
	if (parser->direction == NETVST_REPLY) {
		parser->stage = STAGE_SIZES;
		parser->need = SIZES_BYTES;
	} else {
		parser->stage = STAGE_HEADER;
		parser->need = header_bytes(parser->dialect, parser->direction);
	}
}

void netvst_parser_init(struct netvst_parser *parser, enum netvst_dialect dialect,
	enum netvst_direction direction, bool synth, struct netvst_wavpack *wavpack)
{
	parser->dialect = dialect;
	parser->direction = direction;
	parser->synth = synth;
	parser->wavpack = wavpack;
	parser->frames = 0;
	parser->error = NULL;
	begin_block(parser);
}

void netvst_parser_expect(struct netvst_parser *parser, uint32_t frames)
{
	parser->frames = frames;
}

bool netvst_parser_is_inside(const struct netvst_parser *parser)
{
	return parser->stage != STAGE_BROKEN && parser->have > 0;
}

static int fail(struct netvst_parser *parser, const char *error)
{
	parser->stage = STAGE_BROKEN;
	parser->error = error;
	return -EPROTO;
}

/* Of what has come: for a request the header is there, a reply has none. */
static void read_header(const struct netvst_parser *parser, struct header *ret_header)
{
	const uint8_t *bytes = parser->bytes;

	memset(ret_header, 0, sizeof(*ret_header));
	if (parser->direction == NETVST_REPLY) {
		ret_header->frames = parser->frames;
		ret_header->has_audio = true;
		return;
	}
	ret_header->frames = get16(bytes);
	ret_header->n_midi = get16(bytes + 2);
	if (parser->dialect == NETVST_2017) {
		ret_header->timestamp = get32(bytes + 4);
		ret_header->has_audio = !parser->synth;
		return;
	}
	ret_header->has_audio = ret_header->frames & HAS_AUDIO;
	ret_header->frames &= ~(uint32_t)HAS_AUDIO;
	ret_header->n_params = get16(bytes + 4);
	ret_header->timestamp = get32(bytes + 8);
}

static int check_header(struct netvst_parser *parser, const struct header *header)
{
	uint32_t max = parser->dialect == NETVST_2017 ? NETVST_TAKEN_MAX : NETVST_AUDIOKIT_FRAMES_MAX;

	if (header->frames == 0) {
		return fail(parser, parser->direction == NETVST_REPLY ? "a reply that nobody asked for"
								      : "a block without frames");
	}
	if (header->frames > max) {
		return fail(parser, "a block with too many frames");
	}
	if (header->n_midi > NETVST_MIDI_MAX) {
		return fail(parser, "a block with too many MIDI events");
	}
	if (header->n_params > NETVST_PARAMS_MAX) {
		return fail(parser, "a block with too many parameters");
	}
	return 0;
}

/* The sizes are there: how long is the audio behind them? */
static int check_sizes(struct netvst_parser *parser, uint32_t frames, size_t *ret_bytes)
{
	uint16_t main = get16(parser->bytes + parser->need - SIZES_BYTES);
	uint16_t corr = get16(parser->bytes + parser->need - SIZES_BYTES + 2);
	size_t part = frames * SAMPLE_BYTES;

	if (corr == UNCOMPRESSED) {
		if (main != part && main != NETVST_CHANNELS * part) {
			return fail(parser, "audio of another length than its frames have");
		}
		*ret_bytes = NETVST_CHANNELS * part;
		return 0;
	}
	if (parser->dialect != NETVST_2017) {
		return fail(parser, "compressed audio, which this dialect does not have");
	}
	if (!parser->wavpack) {
		return fail(parser, "compressed audio, but there is no WavPack here");
	}
	if (main == 0) {
		return fail(parser, "compressed audio without its main part");
	}
	*ret_bytes = (size_t)main + corr;
	return 0;
}

/* Stable, and quick whatever the order: a peer chooses it. */
static void sort_midi(struct netvst_midi *midi, unsigned n)
{
	struct netvst_midi merged[NETVST_MIDI_MAX];
	unsigned sorted = 1;

	while (sorted < n && midi[sorted - 1].frame <= midi[sorted].frame) {
		sorted++;
	}
	if (sorted >= n) {
		return;
	}
	for (unsigned run = 1; run < n; run *= 2) {
		for (unsigned begin = 0; begin < n; begin += 2 * run) {
			unsigned middle = MIN(begin + run, n), end = MIN(begin + 2 * run, n);
			unsigned a = begin, b = middle;

			for (unsigned i = begin; i < end; i++) {
				bool first = b == end || (a < middle && midi[a].frame <= midi[b].frame);

				merged[i] = midi[first ? a++ : b++];
			}
		}
		memcpy(midi, merged, n * sizeof(*midi));
	}
}

/* The frame within the block; of one that lies outside, the nearest. */
static uint32_t midi_frame(enum netvst_dialect dialect, uint32_t on_wire, const struct header *header)
{
	uint32_t frame = on_wire;

	if (dialect == NETVST_AUDIOKIT) {
		frame -= header->timestamp;
		if (frame > INT32_MAX) {
			return 0;
		}
	}
	return MIN(frame, header->frames - 1);
}

/* False: no channel message. */
static bool read_midi(enum netvst_dialect dialect, const uint8_t *from, const struct header *header,
	struct netvst_midi *ret_midi)
{
	uint8_t channel = from[1] & 0x0f;

	/* Some put the channel into the status, as MIDI itself does. */
	if (channel == 0) {
		channel = from[0] & 0x0f;
	}
	ret_midi->status = (from[0] & 0xf0) | channel;
	ret_midi->data1 = from[2];
	ret_midi->data2 = midi_has_data2(from[0]) ? from[3] : 0;
	ret_midi->frame = midi_frame(dialect, get32(from + 4), header);
	return midi_is_sound(ret_midi);
}

static int read_audio(struct netvst_parser *parser, size_t at, struct netvst_block *block)
{
	uint16_t main = get16(parser->bytes + at);
	uint16_t corr = get16(parser->bytes + at + 2);
	const uint8_t *from = parser->bytes + at + SIZES_BYTES;
	float *const audio[NETVST_CHANNELS] = {block->audio[0], block->audio[1]};
	int r;

	if (corr == UNCOMPRESSED) {
		for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
			for (uint32_t i = 0; i < block->frames; i++, from += SAMPLE_BYTES) {
				block->audio[c][i] = get_float(from);
			}
		}
		return 0;
	}
	block->codec = corr > 0 ? NETVST_WAVPACK : NETVST_WAVPACK_LOSSY;
	r = netvst_wavpack_unpack(parser->wavpack, from, main, from + main, corr, block->frames, audio);
	if (r == -ENOMEM) {
		return fail(parser, "no memory to unpack a block");
	}
	return r < 0 ? fail(parser, "a block that WavPack cannot unpack") : 0;
}

/* All of it is there. */
static int read_block(struct netvst_parser *parser, struct netvst_block *block)
{
	const uint8_t *from = parser->bytes + header_bytes(parser->dialect, parser->direction);
	struct header header;

	read_header(parser, &header);
	block->frames = header.frames;
	block->timestamp = header.timestamp;
	block->has_audio = header.has_audio;
	block->codec = NETVST_PCM;
	block->n_midi = 0;
	block->n_params = header.n_params;
	for (unsigned i = 0; i < header.n_midi; i++, from += EVENT_BYTES) {
		block->n_midi += read_midi(parser->dialect, from, &header, &block->midi[block->n_midi]);
	}
	sort_midi(block->midi, block->n_midi);
	for (unsigned i = 0; i < header.n_params; i++, from += EVENT_BYTES) {
		block->params[i].effect = get16(from);
		block->params[i].param = get16(from + 2);
		block->params[i].value = get_float(from + 4);
	}
	return header.has_audio ? read_audio(parser, (size_t)(from - parser->bytes), block) : 0;
}

/* What was needed is there. 1: and that was all of it; 0: more is needed now. */
static int next_stage(struct netvst_parser *parser)
{
	struct header header;
	size_t bytes;
	int r;

	if (parser->stage == STAGE_AUDIO) {
		return 1;
	}
	read_header(parser, &header);
	r = check_header(parser, &header);
	if (r < 0) {
		return r;
	}
	if (parser->stage == STAGE_HEADER) {
		bytes = (size_t)(header.n_midi + header.n_params) * EVENT_BYTES;
		bytes += header.has_audio ? SIZES_BYTES : 0;
		parser->stage = header.has_audio ? STAGE_SIZES : STAGE_AUDIO;
	} else {
		r = check_sizes(parser, header.frames, &bytes);
		if (r < 0) {
			return r;
		}
		parser->stage = STAGE_AUDIO;
	}
	parser->need += bytes;
	return 0;
}

int netvst_parse(struct netvst_parser *parser, const uint8_t *bytes, size_t n, size_t *ret_used,
	struct netvst_block *ret_block)
{
	int r = parser->stage == STAGE_BROKEN ? -EPROTO : 0;

	*ret_used = 0;
	while (r == 0) {
		size_t take = MIN(parser->need - parser->have, n - *ret_used);

		if (take > 0) {
			memcpy(parser->bytes + parser->have, bytes + *ret_used, take);
			parser->have += take;
			*ret_used += take;
		}
		if (parser->have < parser->need) {
			return 0;
		}
		r = next_stage(parser);
	}
	if (r > 0) {
		r = read_block(parser, ret_block);
		if (r == 0) {
			begin_block(parser);
			return 1;
		}
	}
	return r;
}

const char *netvst_dialect_to_string(enum netvst_dialect dialect)
{
	return dialects[dialect];
}

const char *netvst_codec_to_string(enum netvst_codec codec)
{
	return codecs[codec];
}

/* The index, or -1. */
static int find_name(const char *const *names, unsigned n, const char *text)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(names[i], text) == 0) {
			return (int)i;
		}
	}
	return -1;
}

bool netvst_dialect_from_string(const char *text, enum netvst_dialect *ret_dialect)
{
	int i = find_name(dialects, ARRAY_SIZE(dialects), text);

	if (i >= 0) {
		*ret_dialect = (enum netvst_dialect)i;
	}
	return i >= 0;
}

bool netvst_codec_from_string(const char *text, enum netvst_codec *ret_codec)
{
	int i = find_name(codecs, ARRAY_SIZE(codecs), text);

	if (i >= 0) {
		*ret_codec = (enum netvst_codec)i;
	}
	return i >= 0;
}
