/* The NetVST codec: the bytes of both dialects, streams cut anywhere, and all that a peer may send. */
#include "base/util.h"
#include "proto/netvst.h"
#include "unit/netvst-blocks.h"

#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Written by hand from the description of the protocol, not by the codec. */
static const uint8_t request_2017[] = {
	0x03, 0x00, 0x02, 0x00, 0x04, 0x03, 0x02, 0x01, /* 3 frames, 2 events, at 0x01020304 */
	0x90, 0x02, 0x3c, 0x64, 0x01, 0x00, 0x00, 0x00, /* note on, third channel, in frame 1 */
	0xc0, 0x0f, 0x0c, 0x00, 0x02, 0x00, 0x00, 0x00, /* program change, last channel, in frame 2 */
	0x18, 0x00, 0xff, 0xff,				/* 24 bytes, uncompressed */
	0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x00, 0xbf, 0, 0, 0, 0, /* 1, -0.5, 0 */
	0x00, 0x00, 0x00, 0x80, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80,
	0x3e, /* -0, the least there is, 0.25 */
};
static const uint8_t request_2017_synth[] = {
	0xf4, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x80, /* 500 frames, an event, at 0x80000000 */
	0x80, 0x00, 0x3c, 0x40, 0xf3, 0x01, 0x00, 0x00, /* note off in the last frame */
};
static const uint8_t reply_2017[] = {
	0x10, 0x00, 0xff, 0xff,				/* 16 bytes, uncompressed */
	0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x80, 0xbf, /* 1, -1 */
	0xff, 0xff, 0x7f, 0x7f, 0x00, 0x00, 0x00, 0x3f, /* the greatest there is, 0.5 */
};
static const uint8_t request_audiokit[] = {
	0x02, 0x80, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, /* audio, 2 frames; an event, 2 parameters, padding */
	0xff, 0xff, 0xff, 0xff,				/* at 0xffffffff */
	0xe0, 0x01, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, /* pitch bend; frame 1 is at 0 */
	0x01, 0x00, 0x02, 0x03, 0x00, 0x00, 0x00, 0x3f, /* effect 1, parameter 0x302: 0.5 */
	0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0x80, 0xbf, /* effect 0xffff, parameter 0: -1 */
	0x08, 0x00, 0xff, 0xff,				/* 8 bytes a channel, uncompressed */
	0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x00, 0x00, /* 1, 0 */
	0x00, 0x00, 0x00, 0xc0, 0x00, 0x00, 0x00, 0x80, /* -2, -0 */
};
static const uint8_t request_audiokit_synth[] = {
	0x00, 0x08, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, /* 2048 frames without audio, an event */
	0x00, 0x01, 0x00, 0x00,				/* at 256 */
	0xb0, 0x09, 0x07, 0x7f, 0x05, 0x01, 0x00, 0x00, /* controller in frame 5 */
};
static const uint8_t reply_audiokit[] = {
	0x08, 0x00, 0xff, 0xff,				/* 8 bytes a channel, uncompressed */
	0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x80, 0xbf, /* 1, -1 */
	0xff, 0xff, 0x7f, 0x7f, 0x00, 0x00, 0x00, 0x3f, /* the greatest there is, 0.5 */
};

struct golden {
	const uint8_t *bytes;
	size_t n;
	enum netvst_dialect dialect;
	enum netvst_direction direction;
	void (*make)(struct netvst_block *block);
};

/* 80 kB and more each: not on the stack. */
static struct netvst_block made, got;
static struct netvst_parser parser;
static uint8_t wire[NETVST_BYTES_MAX];

static void make_request_2017(struct netvst_block *block)
{
	*block = (struct netvst_block){.frames = 3,
		.timestamp = 0x01020304,
		.has_audio = true,
		.n_midi = 2,
		.midi = {{1, 0x92, 60, 100}, {2, 0xcf, 12, 0}},
		.audio = {{1.0f, -0.5f, 0.0f}, {-0.0f, blocks_from_bits(1), 0.25f}}};
}

static void make_request_2017_synth(struct netvst_block *block)
{
	*block = (struct netvst_block){
		.frames = 500, .timestamp = 0x80000000, .n_midi = 1, .midi = {{499, 0x80, 60, 64}}};
}

static void make_reply(struct netvst_block *block)
{
	*block = (struct netvst_block){.frames = 2,
		.has_audio = true,
		.audio = {{1.0f, -1.0f}, {blocks_from_bits(0x7f7fffff), 0.5f}}};
}

static void make_request_audiokit(struct netvst_block *block)
{
	*block = (struct netvst_block){.frames = 2,
		.timestamp = 0xffffffff,
		.has_audio = true,
		.n_midi = 1,
		.midi = {{1, 0xe1, 0, 64}},
		.n_params = 2,
		.params = {{1, 0x302, 0.5f}, {0xffff, 0, -1.0f}},
		.audio = {{1.0f, 0.0f}, {-2.0f, -0.0f}}};
}

static void make_request_audiokit_synth(struct netvst_block *block)
{
	*block = (struct netvst_block){
		.frames = 2048, .timestamp = 256, .n_midi = 1, .midi = {{5, 0xb9, 7, 127}}};
}

#define GOLDEN(name, dialect, direction, make)                                                               \
	{                                                                                                    \
		name, sizeof(name), dialect, direction, make                                                 \
	}
static const struct golden goldens[] = {
	GOLDEN(request_2017, NETVST_2017, NETVST_REQUEST, make_request_2017),
	GOLDEN(request_2017_synth, NETVST_2017, NETVST_REQUEST, make_request_2017_synth),
	GOLDEN(reply_2017, NETVST_2017, NETVST_REPLY, make_reply),
	GOLDEN(request_audiokit, NETVST_AUDIOKIT, NETVST_REQUEST, make_request_audiokit),
	GOLDEN(request_audiokit_synth, NETVST_AUDIOKIT, NETVST_REQUEST, make_request_audiokit_synth),
	GOLDEN(reply_audiokit, NETVST_AUDIOKIT, NETVST_REPLY, make_reply),
};

/* For requests that look like this one: whether a 2017 request has audio is a setting. */
static void begin(
	enum netvst_dialect dialect, enum netvst_direction direction, const struct netvst_block *like)
{
	netvst_parser_init(&parser, dialect, direction, dialect == NETVST_2017 && !like->has_audio, NULL);
	if (direction == NETVST_REPLY) {
		netvst_parser_expect(&parser, like->frames);
	}
	memset(&got, 0x5a, sizeof(got));
}

/* From memory that ends where the bytes do, so that reading on is seen by what looks for it. */
static int feed(const uint8_t *bytes, size_t n, size_t *ret_used)
{
	uint8_t *copy = malloc(n ? n : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	r = netvst_parse(&parser, copy, n, ret_used, &got);
	free(copy);
	assert_true(*ret_used <= n);
	return r;
}

static int feed_all(const uint8_t *bytes, size_t n)
{
	size_t used;
	int r = feed(bytes, n, &used);

	if (r == 1) {
		assert_int_equal(used, n);
	}
	return r;
}

static int write_made(enum netvst_dialect dialect, enum netvst_direction direction)
{
	return netvst_write(wire, sizeof(wire), dialect, direction, NETVST_PCM, NULL, &made);
}

static void test_written(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(goldens); i++) {
		const struct golden *g = &goldens[i];

		g->make(&made);
		memset(wire, 0xa5, sizeof(wire));
		assert_int_equal(write_made(g->dialect, g->direction), g->n);
		assert_memory_equal(wire, g->bytes, g->n);
		assert_int_equal(wire[g->n], 0xa5);
	}
}

/* In one piece, in two of every size, and a byte at a time; what is behind the block stays. */
static void test_read(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(goldens); i++) {
		const struct golden *g = &goldens[i];
		size_t used;

		g->make(&made);
		for (size_t cut = 0; cut <= g->n; cut++) {
			begin(g->dialect, g->direction, &made);
			assert_int_equal(feed(g->bytes, cut, &used), cut == g->n);
			assert_int_equal(used, cut);
			assert_int_equal(netvst_parser_is_inside(&parser), cut > 0 && cut < g->n);
			if (cut < g->n) {
				assert_int_equal(feed_all(g->bytes + cut, g->n - cut), 1);
			}
			assert_true(blocks_equal(&made, &got));
			assert_int_equal(got.codec, NETVST_PCM);
		}
		begin(g->dialect, g->direction, &made);
		for (size_t at = 0; at < g->n; at++) {
			assert_int_equal(feed(g->bytes + at, 1, &used), at == g->n - 1);
			assert_int_equal(used, 1);
		}
		assert_true(blocks_equal(&made, &got));
		memcpy(wire, g->bytes, g->n);
		memcpy(wire + g->n, g->bytes, g->n);
		assert_int_equal(feed(wire, 2 * g->n, &used), 1);
		assert_int_equal(used, g->n);
		assert_int_equal(feed_all(wire + used, g->n), 1);
		assert_true(blocks_equal(&made, &got));
	}
}

/* One channel's bytes or both channels': the dialect says which to send, and either is taken. */
static void test_either_length(void **state)
{
	static const struct {
		unsigned golden, at;
	} places[] = {{0, 24}, {2, 0}, {3, 36}, {5, 0}};

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		const struct golden *g = &goldens[places[i].golden];

		g->make(&made);
		for (unsigned bytes = 0; bytes < 64; bytes++) {
			bool good = bytes == made.frames * 4 || bytes == made.frames * 8;

			memcpy(wire, g->bytes, g->n);
			assert_int_equal(wire[places[i].at + 2], 0xff);
			wire[places[i].at] = (uint8_t)bytes;
			begin(g->dialect, g->direction, &made);
			assert_int_equal(feed_all(wire, g->n), good ? 1 : -EPROTO);
			assert_true(!good || blocks_equal(&made, &got));
			assert_true(good || parser.error);
		}
	}
}

static void test_padding(void **state)
{
	make_request_audiokit(&made);
	memcpy(wire, request_audiokit, sizeof(request_audiokit));
	wire[6] = 0xff;
	wire[7] = 0xff;
	begin(NETVST_AUDIOKIT, NETVST_REQUEST, &made);
	assert_int_equal(feed_all(wire, sizeof(request_audiokit)), 1);
	assert_true(blocks_equal(&made, &got));
}

/* What one event of a block of 100 frames is read as; the number of events that came through. */
static unsigned read_event(enum netvst_dialect dialect, const uint8_t event[4], uint32_t frame)
{
	made = (struct netvst_block){
		.frames = 100, .timestamp = 1000, .n_midi = 1, .midi = {{0, 0x90, 1, 2}}};
	assert_true(write_made(dialect, NETVST_REQUEST) > 8);
	memcpy(wire + (dialect == NETVST_2017 ? 8 : 12), event, 4);
	memcpy(wire + (dialect == NETVST_2017 ? 12 : 16), &(uint32_t){htole32(frame)}, 4);
	begin(dialect, NETVST_REQUEST, &made);
	assert_int_equal(feed_all(wire, dialect == NETVST_2017 ? 16 : 20), 1);
	return got.n_midi;
}

/* The channel may be beside the status, in it, or both; system messages and what is no MIDI are left out. */
static void test_events(void **state)
{
	for (enum netvst_dialect d = NETVST_2017; d <= NETVST_AUDIOKIT; d++) {
		for (unsigned status = 0; status < 256; status++) {
			bool good = status >= 0x80 && status < 0xf0;
			bool two = status >= 0xc0 && status < 0xe0;

			assert_int_equal(read_event(d, (uint8_t[]){(uint8_t)status, 0, 1, 2}, 1000), good);
			assert_true(!good || got.midi[0].status == status);
			assert_true(!good || got.midi[0].data2 == (two ? 0 : 2));
			assert_int_equal(read_event(d, (uint8_t[]){status & 0xf0, 0xf5, 1, 2}, 1000), good);
			assert_true(!good || got.midi[0].status == ((status & 0xf0) | 5));
			assert_int_equal(read_event(d, (uint8_t[]){(uint8_t)status, 5, 1, 2}, 1000), good);
			assert_true(!good || got.midi[0].status == ((status & 0xf0) | 5));
		}
		assert_int_equal(read_event(d, (uint8_t[]){0x90, 0, 0x80, 1}, 1000), 0);
		assert_int_equal(read_event(d, (uint8_t[]){0x90, 0, 1, 0xff}, 1000), 0);
		assert_int_equal(read_event(d, (uint8_t[]){0xd0, 0, 1, 0xff}, 1000), 1);
	}
}

static void test_event_frames(void **state)
{
	static const struct {
		enum netvst_dialect dialect;
		uint32_t on_wire, frame;
	} cases[] = {{NETVST_2017, 99, 99}, {NETVST_2017, 100, 99}, {NETVST_2017, 0xffffffff, 99},
		{NETVST_AUDIOKIT, 1000, 0}, {NETVST_AUDIOKIT, 1099, 99}, {NETVST_AUDIOKIT, 1100, 99},
		{NETVST_AUDIOKIT, 0x80000000, 99}, {NETVST_AUDIOKIT, 999, 0},
		{NETVST_AUDIOKIT, 0xffffffff, 0}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(
			read_event(cases[i].dialect, (uint8_t[]){0x90, 0, 1, 2}, cases[i].on_wire), 1);
		assert_int_equal(got.midi[0].frame, cases[i].frame);
	}
}

/* Events come in the order of their frames; those of one frame in the order in which they were sent. */
static void test_event_order(void **state)
{
	uint32_t seed = 7;

	for (unsigned n = 0; n <= NETVST_MIDI_MAX; n += n < 20 ? 1 : 251) {
		made = (struct netvst_block){.frames = 64, .n_midi = n};
		for (unsigned i = 0; i < n; i++) {
			made.midi[i] = (struct netvst_midi){
				blocks_below(&seed, 64), 0x90, (uint8_t)(i / 128), (uint8_t)(i % 128)};
		}
		begin(NETVST_2017, NETVST_REQUEST, &made);
		assert_int_equal(feed_all(wire, (size_t)write_made(NETVST_2017, NETVST_REQUEST)), 1);
		assert_int_equal(got.n_midi, n);
		for (unsigned i = 1; i < n; i++) {
			const struct netvst_midi *a = &got.midi[i - 1], *b = &got.midi[i];

			assert_true(a->frame <= b->frame);
			if (a->frame == b->frame) {
				assert_true(a->data1 * 128 + a->data2 < b->data1 * 128 + b->data2);
			}
		}
	}
}

/* Written, and read: numbers that are none become 0, all others stay as they are. */
static void test_specials(void **state)
{
	static const uint32_t special[] = {0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff};
	static const uint32_t plain[] = {0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x7f7fffff, 0xff7fffff};

	for (enum netvst_dialect d = NETVST_2017; d <= NETVST_AUDIOKIT; d++) {
		made = (struct netvst_block){
			.frames = ARRAY_SIZE(special) + ARRAY_SIZE(plain), .has_audio = true};
		for (unsigned i = 0; i < made.frames; i++) {
			uint32_t bits = i < ARRAY_SIZE(special) ? special[i] : plain[i - ARRAY_SIZE(special)];

			made.audio[0][i] = made.audio[1][i] = blocks_from_bits(bits);
		}
		assert_int_equal(write_made(d, NETVST_REPLY), 4 + 8 * made.frames);
		for (unsigned i = 0; i < ARRAY_SIZE(special); i++) {
			assert_memory_equal(wire + 4 + 4 * i, "\0\0\0\0", 4);
			memcpy(wire + 4 + 4 * i, &(uint32_t){htole32(special[i])}, 4);
			made.audio[0][i] = made.audio[1][i] = 0;
		}
		begin(d, NETVST_REPLY, &made);
		assert_int_equal(feed_all(wire, 4 + 8 * made.frames), 1);
		assert_true(blocks_equal(&made, &got));
	}
	make_request_audiokit(&made);
	memcpy(wire, request_audiokit, sizeof(request_audiokit));
	memcpy(wire + 24, &(uint32_t){htole32(0x7fc00000)}, 4);
	made.params[0].value = 0;
	begin(NETVST_AUDIOKIT, NETVST_REQUEST, &made);
	assert_int_equal(feed_all(wire, sizeof(request_audiokit)), 1);
	assert_true(blocks_equal(&made, &got));
}

/* Blocks of all sizes, one after the other through one parser, in pieces of all sizes. */
static void test_there_and_back(void **state)
{
	uint32_t seed = 2017;

	for (unsigned i = 0; i < 1200; i++) {
		enum netvst_dialect dialect = (enum netvst_dialect)(i / 4 % 2);
		enum netvst_direction direction = (enum netvst_direction)(i / 8 % 2);
		size_t at = 0, used, n;
		int r = 0;

		blocks_make(&made, &seed, dialect, direction);
		n = (size_t)write_made(dialect, direction);
		assert_in_range(n, 4, sizeof(wire));
		if (i % 4 == 0) {
			begin(dialect, direction, &made);
		}
		parser.synth = dialect == NETVST_2017 && !made.has_audio;
		netvst_parser_expect(&parser, made.frames);
		while (at < n) {
			size_t piece = 1 + blocks_below(&seed, blocks_below(&seed, 2) ? 16 : 40000);

			assert_int_equal(r, 0);
			r = feed(wire + at, MIN(piece, n - at), &used);
			assert_int_equal(used, MIN(piece, n - at));
			at += used;
		}
		assert_int_equal(r, 1);
		assert_true(blocks_equal(&made, &got));
		assert_false(netvst_parser_is_inside(&parser));
	}
}

/* A header with one count too many is refused as soon as it is there, and nothing goes on until it is set up anew. */
static void refuse(enum netvst_dialect dialect, enum netvst_direction direction, bool synth, uint32_t expect,
	const uint8_t *bytes, size_t n)
{
	size_t used;

	netvst_parser_init(&parser, dialect, direction, synth, NULL);
	netvst_parser_expect(&parser, expect);
	memcpy(wire, bytes, n);
	memset(wire + n, 0, 1000);
	assert_int_equal(feed(wire, n - 1, &used), 0);
	assert_int_equal(feed(wire + n - 1, 1000, &used), -EPROTO);
	assert_int_equal(used, 1);
	assert_non_null(parser.error);
	assert_int_equal(feed(request_2017, sizeof(request_2017), &used), -EPROTO);
	assert_int_equal(used, 0);
	assert_false(netvst_parser_is_inside(&parser));
	begin(goldens[0].dialect, goldens[0].direction, &(struct netvst_block){.has_audio = true});
	assert_int_equal(feed_all(request_2017, sizeof(request_2017)), 1);
}

static void refuse_2017(uint16_t frames, uint16_t n_midi)
{
	const uint8_t bytes[] = {
		(uint8_t)frames, (uint8_t)(frames >> 8), (uint8_t)n_midi, (uint8_t)(n_midi >> 8), 0, 0, 0, 0};

	refuse(NETVST_2017, NETVST_REQUEST, false, 0, bytes, sizeof(bytes));
	refuse(NETVST_2017, NETVST_REQUEST, true, 0, bytes, sizeof(bytes));
}

static void refuse_audiokit(uint16_t frames, uint16_t n_midi, uint16_t n_params)
{
	uint8_t bytes[] = {(uint8_t)frames, (uint8_t)(frames >> 8), (uint8_t)n_midi, (uint8_t)(n_midi >> 8),
		(uint8_t)n_params, (uint8_t)(n_params >> 8), 0, 0, 0, 0, 0, 0};

	refuse(NETVST_AUDIOKIT, NETVST_REQUEST, false, 0, bytes, sizeof(bytes));
	bytes[1] |= 0x80;
	refuse(NETVST_AUDIOKIT, NETVST_REQUEST, false, 0, bytes, sizeof(bytes));
}

static void refuse_reply(enum netvst_dialect dialect, uint32_t expect, uint16_t main, uint16_t corr)
{
	const uint8_t bytes[] = {(uint8_t)main, (uint8_t)(main >> 8), (uint8_t)corr, (uint8_t)(corr >> 8)};

	refuse(dialect, NETVST_REPLY, false, expect, bytes, sizeof(bytes));
}

static void test_refused(void **state)
{
	refuse_2017(0, 0);
	refuse_2017(NETVST_TAKEN_MAX + 1, 0);
	refuse_2017(0xffff, 0);
	refuse_2017(1, NETVST_MIDI_MAX + 1);
	refuse_2017(1, 0xffff);
	refuse_audiokit(0, 0, 0);
	refuse_audiokit(NETVST_AUDIOKIT_FRAMES_MAX + 1, 0, 0);
	refuse_audiokit(0x7fff, 0, 0);
	refuse_audiokit(1, NETVST_MIDI_MAX + 1, 0);
	refuse_audiokit(1, 0, NETVST_PARAMS_MAX + 1);
	refuse_audiokit(1, 0xffff, 0xffff);
	for (enum netvst_dialect d = NETVST_2017; d <= NETVST_AUDIOKIT; d++) {
		refuse_reply(d, 0, 0, 0xffff);
		refuse_reply(d, NETVST_TAKEN_MAX + 1, 4, 0xffff);
		refuse_reply(d, 100, 399, 0xffff);
		refuse_reply(d, 100, 801, 0xffff);
		refuse_reply(d, 100, 0, 0xffff);
		/* Compressed, without WavPack. */
		refuse_reply(d, 100, 100, 0);
		refuse_reply(d, 100, 100, 100);
		refuse_reply(d, 100, 0xffff, 0xfffe);
	}
	refuse_reply(NETVST_AUDIOKIT, NETVST_AUDIOKIT_FRAMES_MAX + 1, 4 * 2049, 0xffff);
}

/* The greatest counts of all are good. */
static void test_largest(void **state)
{
	static uint8_t bytes[NETVST_BYTES_MAX];
	size_t n = 12 + 8 * (NETVST_MIDI_MAX + NETVST_PARAMS_MAX) + 4 + 8 * NETVST_AUDIOKIT_FRAMES_MAX;

	memcpy(bytes, (const uint8_t[]){0x00, 0x88, 0x00, 0x04, 0x00, 0x04}, 6);
	memcpy(bytes + n - 8 * NETVST_AUDIOKIT_FRAMES_MAX - 4, (const uint8_t[]){0x00, 0x20, 0xff, 0xff}, 4);
	begin(NETVST_AUDIOKIT, NETVST_REQUEST, &(struct netvst_block){.has_audio = true});
	assert_int_equal(feed_all(bytes, n), 1);
	assert_int_equal(got.n_params, NETVST_PARAMS_MAX);

	n = 8 + 8 * NETVST_MIDI_MAX + 4 + 8 * NETVST_TAKEN_MAX;
	memcpy(bytes, (const uint8_t[]){0x00, 0x20, 0x00, 0x04}, 4);
	memset(bytes + 8, 0x80, 8 * NETVST_MIDI_MAX);
	memcpy(bytes + 8 + 8 * NETVST_MIDI_MAX, (const uint8_t[]){0x00, 0x80, 0xff, 0xff}, 4);
	begin(NETVST_2017, NETVST_REQUEST, &(struct netvst_block){.has_audio = true});
	assert_int_equal(feed_all(bytes, n), 1);
	assert_int_equal(got.frames, NETVST_TAKEN_MAX);
}

static void refuse_write(enum netvst_dialect dialect, enum netvst_direction direction, int error)
{
	assert_int_equal(write_made(dialect, direction), error);
	make_reply(&made);
}

static void test_not_written(void **state)
{
	make_reply(&made);
	for (enum netvst_dialect d = NETVST_2017; d <= NETVST_AUDIOKIT; d++) {
		made.frames = 0;
		refuse_write(d, NETVST_REPLY, -EINVAL);
		made.frames = d == NETVST_2017 ? NETVST_FRAMES_MAX + 1 : NETVST_AUDIOKIT_FRAMES_MAX + 1;
		refuse_write(d, NETVST_REPLY, -EINVAL);
		made.has_audio = false;
		refuse_write(d, NETVST_REPLY, -EINVAL);
		made.n_midi = NETVST_MIDI_MAX + 1;
		refuse_write(d, NETVST_REQUEST, -EINVAL);
		made.n_midi = 1;
		made.midi[0] = (struct netvst_midi){made.frames, 0x90, 1, 1};
		refuse_write(d, NETVST_REQUEST, -EINVAL);
		made.n_params = d == NETVST_2017 ? 1 : NETVST_PARAMS_MAX + 1;
		refuse_write(d, NETVST_REQUEST, -EINVAL);
		for (enum netvst_codec c = NETVST_WAVPACK; c <= NETVST_WAVPACK_LOSSY; c++) {
			assert_int_equal(netvst_write(wire, sizeof(wire), d, NETVST_REQUEST, c, NULL, &made),
				-ENOTSUP);
		}
	}
	/* What is no channel message is left out. */
	made.n_midi = 3;
	made.midi[0] = (struct netvst_midi){0, 0xf8, 0, 0};
	made.midi[1] = (struct netvst_midi){0, 0x40, 0, 0};
	made.midi[2] = (struct netvst_midi){0, 0x90, 0x80, 0};
	assert_int_equal(write_made(NETVST_2017, NETVST_REQUEST), 8 + 4 + 16);
	assert_int_equal(wire[2], 0);
}

/* Into memory that ends where it is said to end. */
static void test_no_room(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(goldens); i++) {
		const struct golden *g = &goldens[i];

		g->make(&made);
		for (size_t size = 0; size < g->n; size++) {
			uint8_t *small = malloc(size ? size : 1);

			assert_non_null(small);
			assert_int_equal(
				netvst_write(small, size, g->dialect, g->direction, NETVST_PCM, NULL, &made),
				-ENOBUFS);
			free(small);
		}
	}
}

static void test_names(void **state)
{
	enum netvst_dialect dialect = NETVST_2017;
	enum netvst_codec codec = NETVST_PCM;

	assert_string_equal(netvst_dialect_to_string(NETVST_2017), "2017");
	assert_true(netvst_dialect_from_string("audiokit", &dialect));
	assert_int_equal(dialect, NETVST_AUDIOKIT);
	assert_false(netvst_dialect_from_string("2018", &dialect));
	assert_string_equal(netvst_codec_to_string(NETVST_PCM), "pcm");
	assert_true(netvst_codec_from_string("wavpack", &codec));
	assert_int_equal(codec, NETVST_WAVPACK);
	assert_true(netvst_codec_from_string("wavpack-lossy", &codec));
	assert_int_equal(codec, NETVST_WAVPACK_LOSSY);
	assert_false(netvst_codec_from_string("", &codec));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_either_length),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_event_frames),
		cmocka_unit_test(test_event_order),
		cmocka_unit_test(test_specials),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_not_written),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
