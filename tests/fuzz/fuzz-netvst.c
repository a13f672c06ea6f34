/*
 * Fuzz target for NetVST's codec: a byte stream of requests or replies, in either dialect. Whatever it is, and however it is
 * cut, blocks that come out keep to the limits, have finite audio and parameters, and can be written and read again.
 *
 * The input: a byte of settings (enum), two bytes with the frames that a reply is to have, one that seeds the cuts, and
 * the stream. With a fuzzing engine: clang -fsanitize=fuzzer,address,undefined …, without fuzz-main.c.
 */
#include "fuzz/fuzz.h"
#include "proto/netvst-wavpack.h"
#include "unit/netvst-blocks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SET_AUDIOKIT = 1,
	SET_REPLY = 2,
	SET_SYNTH = 4,
	SET_NO_WAVPACK = 8,
	SET_REPACK = 16, /* blocks go through WavPack again */
};

#define SETTINGS_BYTES 4

struct settings {
	enum netvst_dialect dialect;
	enum netvst_direction direction;
	bool synth;
	bool repack;
	uint32_t expect;
	struct netvst_wavpack *wavpack;
};

/* What a stream came to: the same however it is cut. */
struct outcome {
	unsigned n_blocks;
	size_t used;
	uint64_t sum;
	int last;
};

const char fuzz_name[] = "netvst";

/* 80 kB and more each: not on the stack. */
static struct netvst_parser parser, second_parser;
static struct netvst_block block, again;
static uint8_t wire[NETVST_BYTES_MAX];
static struct netvst_wavpack *packer, *unpacker;

#define MUST(what)                                                                                           \
	do {                                                                                                 \
		if (!(what)) {                                                                               \
			fprintf(stderr, "fuzz-netvst: line %d: not so: %s\n", __LINE__, #what);              \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

static void add(uint64_t *sum, const void *data, size_t n)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < n; i++) {
		*sum = (*sum ^ bytes[i]) * 0x100000001b3;
	}
}

static void check_midi(const struct netvst_block *b)
{
	for (unsigned i = 0; i < b->n_midi; i++) {
		MUST(b->midi[i].frame < b->frames);
		MUST(i == 0 || b->midi[i - 1].frame <= b->midi[i].frame);
		MUST(b->midi[i].status >= 0x80 && b->midi[i].status < 0xf0);
		MUST(b->midi[i].data1 < 0x80 && b->midi[i].data2 < 0x80);
	}
}

static void check_block(const struct settings *set, const struct netvst_block *b)
{
	MUST(b->frames >= 1);
	MUST(b->frames <= (set->dialect == NETVST_2017 ? NETVST_TAKEN_MAX : NETVST_AUDIOKIT_FRAMES_MAX));
	MUST(b->n_midi <= NETVST_MIDI_MAX && b->n_params <= NETVST_PARAMS_MAX);
	MUST(set->dialect == NETVST_AUDIOKIT || b->n_params == 0);
	MUST(set->dialect == NETVST_2017 || b->codec == NETVST_PCM);
	MUST(set->wavpack || b->codec == NETVST_PCM);
	if (set->direction == NETVST_REPLY) {
		MUST(b->frames == set->expect && b->has_audio && b->n_midi == 0 && b->n_params == 0);
	} else if (set->dialect == NETVST_2017) {
		MUST(b->has_audio == !set->synth);
	}
	check_midi(b);
	for (unsigned i = 0; i < b->n_params; i++) {
		MUST(isfinite(b->params[i].value));
	}
	for (unsigned c = 0; b->has_audio && c < NETVST_CHANNELS; c++) {
		for (uint32_t i = 0; i < b->frames; i++) {
			MUST(isfinite(b->audio[c][i]));
		}
	}
}

static void check_written(const struct settings *set, enum netvst_codec codec)
{
	size_t used;
	int n = netvst_write(wire, sizeof(wire), set->dialect, set->direction, codec, packer, &block);

	if (block.frames > NETVST_FRAMES_MAX) {
		MUST(n == -EINVAL);
		return;
	}
	MUST(n > 0);
	netvst_parser_init(&second_parser, set->dialect, set->direction, set->synth, unpacker);
	netvst_parser_expect(&second_parser, block.frames);
	MUST(netvst_parse(&second_parser, wire, (size_t)n, &used, &again) == 1);
	MUST(used == (size_t)n);
	MUST(blocks_equal(&block, &again));
}

static void take_block(const struct settings *set, bool first, struct outcome *outcome)
{
	check_block(set, &block);
	outcome->n_blocks++;
	add(&outcome->sum, &block.frames, sizeof(block.frames));
	add(&outcome->sum, &block.timestamp, sizeof(block.timestamp));
	add(&outcome->sum, block.params, block.n_params * sizeof(block.params[0]));
	for (unsigned i = 0; i < block.n_midi; i++) {
		add(&outcome->sum, &block.midi[i].frame, 4);
		add(&outcome->sum, &block.midi[i].status, 3);
	}
	for (unsigned c = 0; block.has_audio && c < NETVST_CHANNELS; c++) {
		add(&outcome->sum, block.audio[c], block.frames * sizeof(float));
	}
	if (first) {
		check_written(set, NETVST_PCM);
		if (packer && set->repack && set->dialect == NETVST_2017) {
			check_written(set, NETVST_WAVPACK);
		}
	}
}

/* cut 0: in one piece. */
static struct outcome parse_stream(const struct settings *set, const uint8_t *data, size_t size, uint32_t cut)
{
	struct outcome outcome = {.sum = 0xcbf29ce484222325};
	size_t used;

	netvst_parser_init(&parser, set->dialect, set->direction, set->synth, set->wavpack);
	netvst_parser_expect(&parser, set->expect);
	while (outcome.last >= 0 && outcome.used < size) {
		size_t n = size - outcome.used;
		uint8_t *piece;

		if (cut > 0) {
			size_t most = 1 + blocks_below(&cut, blocks_below(&cut, 2) ? 8 : 5000);

			n = most < n ? most : n;
		}
		piece = malloc(n);
		MUST(piece);
		memcpy(piece, data + outcome.used, n);
		outcome.last = netvst_parse(&parser, piece, n, &used, &block);
		free(piece);
		MUST(outcome.last == 1 || outcome.last == 0 || outcome.last == -EPROTO);
		MUST(used <= n && (outcome.last != 0 || used == n));
		MUST((outcome.last < 0) == (parser.error != NULL));
		outcome.used += used;
		if (outcome.last == 1) {
			MUST(!netvst_parser_is_inside(&parser));
			take_block(set, cut == 0, &outcome);
		}
	}
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, cut;
	struct settings set;

	if (!packer && netvst_wavpack_supported()) {
		MUST(netvst_wavpack_new(&packer) == 0 && netvst_wavpack_new(&unpacker) == 0);
	}
	if (size < SETTINGS_BYTES) {
		return 0;
	}
	set = (struct settings){
		.dialect = data[0] & SET_AUDIOKIT ? NETVST_AUDIOKIT : NETVST_2017,
		.direction = data[0] & SET_REPLY ? NETVST_REPLY : NETVST_REQUEST,
		.synth = data[0] & SET_SYNTH,
		.repack = data[0] & SET_REPACK,
		.expect = data[1] | (uint32_t)data[2] << 8,
		.wavpack = data[0] & SET_NO_WAVPACK ? NULL : unpacker,
	};
	whole = parse_stream(&set, data + SETTINGS_BYTES, size - SETTINGS_BYTES, 0);
	cut = parse_stream(&set, data + SETTINGS_BYTES, size - SETTINGS_BYTES, data[3] + 1u);
	MUST(whole.n_blocks == cut.n_blocks && whole.used == cut.used && whole.sum == cut.sum);
	MUST((whole.last < 0) == (cut.last < 0));
	return 0;
}

/* Small blocks as a rule: there are more of them in a second. */
static void make_block(
	uint32_t *seed, enum netvst_dialect dialect, enum netvst_direction direction, uint32_t frames)
{
	do {
		blocks_make(&block, seed, dialect, direction);
	} while (block.frames > 300 && blocks_below(seed, 16));
	if (frames > 0) {
		block.frames = frames;
		blocks_fill(&block, seed, (enum blocks_kind)blocks_below(seed, BLOCKS_KINDS));
	}
}

size_t fuzz_make(uint32_t *seed, uint8_t *data, size_t max)
{
	uint8_t settings = (uint8_t)blocks_below(seed, 32);
	enum netvst_dialect dialect = settings & SET_AUDIOKIT ? NETVST_AUDIOKIT : NETVST_2017;
	enum netvst_direction direction = settings & SET_REPLY ? NETVST_REPLY : NETVST_REQUEST;
	size_t at = SETTINGS_BYTES;
	uint32_t frames = 0;

	for (uint32_t left = 1 + blocks_below(seed, 3); left > 0; left--) {
		enum netvst_codec codec = (enum netvst_codec)blocks_below(seed, 3);
		int n;

		make_block(seed, dialect, direction, frames);
		if (dialect == NETVST_2017) {
			block.has_audio = direction == NETVST_REPLY || !(settings & SET_SYNTH);
		}
		if (dialect != NETVST_2017 || !packer || (settings & SET_NO_WAVPACK)) {
			codec = NETVST_PCM;
		}
		n = netvst_write(data + at, max - at, dialect, direction, codec, packer, &block);
		if (n < 0) {
			break;
		}
		at += (size_t)n;
		frames = direction == NETVST_REPLY ? block.frames : 0;
	}
	data[0] = settings;
	data[1] = (uint8_t)block.frames;
	data[2] = (uint8_t)(block.frames >> 8);
	data[3] = (uint8_t)blocks_random(seed);
	return at;
}

/* WavPack's: a metadata block of two bytes, the last in each of its blocks. */
void fuzz_mend(uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 36 <= size; i++) {
		size_t n, end;
		uint32_t sum = 0xffffffff;

		if (memcmp(data + i, "wvpk", 4) != 0) {
			continue;
		}
		n = 8 + (data[i + 4] | (size_t)data[i + 5] << 8);
		end = i + n;
		if (n < 36 || n % 2 != 0 || end > size || data[end - 4] != 0x2f || data[end - 3] != 1) {
			continue;
		}
		for (size_t k = i; k < end - 4; k += 2) {
			sum = sum * 3 + data[k] + ((uint32_t)data[k + 1] << 8);
		}
		sum ^= sum >> 16;
		data[end - 2] = (uint8_t)sum;
		data[end - 1] = (uint8_t)(sum >> 8);
	}
}
