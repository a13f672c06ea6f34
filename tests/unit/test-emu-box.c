/*
 * The virtual box, in its own time: what it does with frames, and when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "emu/box.h"
#include "emu/command.h"
#include "emu/pattern.h"
#include "emu/serials.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define US NSEC_PER_USEC
#define MS NSEC_PER_MSEC
#define S NSEC_PER_SEC
#define SERIAL 0x0102
#define WIRE_NS (344 * 80) /* an audio frame on the box's link */
#define START_UP_NS (2 * (BOX_CLOCK_NS + BOX_RESTART_NS) + 8 * BOX_GAIN_NS)
#define MAX_SENT 64

static const uint8_t host_a[6] = {0x02, 0, 0, 0, 0, 0xaa};
static const uint8_t host_b[6] = {0x02, 0, 0, 0, 0, 0xbb};
static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct rig {
	struct box *b;
	struct {
		int64_t t_ns;
		size_t len;
		uint8_t bytes[400];
	} sent[MAX_SENT];
	unsigned n_sent;
	uint64_t turns, empty_turns;
	int64_t first_turn_ns, last_turn_ns, first_nonzero_ns;
	int64_t last_empty_ns, empty_gap_min_ns, empty_gap_max_ns;
	uint8_t last_audio[256];
	uint32_t last_rate_hz;
	/* The stream that frame() makes. */
	uint8_t rate_code, depth, gain[8], reserved;
	const uint8_t *src;
	uint64_t n; /* sample frame */
};

static void on_send(void *user, int64_t t_ns, const uint8_t *frame, size_t len)
{
	struct rig *r = user;

	if (r->n_sent < MAX_SENT) {
		assert_true(len <= sizeof(r->sent[0].bytes));
		r->sent[r->n_sent].t_ns = t_ns;
		r->sent[r->n_sent].len = len;
		memcpy(r->sent[r->n_sent].bytes, frame, len);
	}
	r->n_sent++;
}

static void on_play(void *user, int64_t t_ns, const struct box_block *block)
{
	struct rig *r = user;

	r->last_turn_ns = t_ns;
	r->last_rate_hz = block->rate_hz;
	if (r->turns++ == 0) {
		r->first_turn_ns = t_ns;
	}
	if (block->audio) {
		memcpy(r->last_audio, block->audio, sizeof(r->last_audio));
		if (block->nonzero && r->first_nonzero_ns < 0) {
			r->first_nonzero_ns = t_ns;
		}
		return;
	}
	if (r->empty_turns++ > 0) {
		r->empty_gap_min_ns = MIN(r->empty_gap_min_ns, t_ns - r->last_empty_ns);
		r->empty_gap_max_ns = MAX(r->empty_gap_max_ns, t_ns - r->last_empty_ns);
	}
	r->last_empty_ns = t_ns;
}

static void reset_turns(struct rig *r)
{
	r->turns = 0;
	r->empty_turns = 0;
	r->empty_gap_min_ns = INT64_MAX;
	r->empty_gap_max_ns = 0;
}

static struct rig *rig_new(struct box_config cfg)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct box_hooks hooks = {.user = r, .send = on_send, .play = on_play};

	assert_non_null(r);
	cfg.serial = SERIAL;
	cfg.check_counter = true;
	assert_int_equal(box_new(&cfg, &hooks, 0, &r->b), 0);
	r->rate_code = 1;
	r->depth = 128;
	memset(r->gain, 56, sizeof(r->gain));
	r->src = host_a;
	r->n = 1;
	r->first_nonzero_ns = -1;
	reset_turns(r);
	return r;
}

static void rig_free(struct rig *r)
{
	box_free(r->b);
	free(r);
}

static struct box_status status(const struct rig *r)
{
	struct box_status s;

	box_get_status(r->b, &s);
	return s;
}

static size_t make_frame(struct rig *r, uint8_t *f, bool audio)
{
	int32_t samples[64];

	memset(f, 0, ETHLINK_FRAME_LEN);
	ethlink_mac(ETHLINK_DAC8, SERIAL, f);
	memcpy(f + 6, r->src, 6);
	f[12] = 0x08;
	f[13] = 0x02;
	memcpy(f + 14, "ETH8DAC", 7);
	f[21] = r->rate_code;
	f[22] = r->depth;
	memcpy(f + 23, r->gain, 8);
	memset(f + 31, r->reserved, 33);
	if (audio) {
		for (unsigned i = 0; i < 64; i++) {
			samples[i] = pattern_value(r->n + i / 8, i % 8);
		}
		r->n += 8;
		ethlink_encode_block(f + 64, samples);
	}
	return ETHLINK_FRAME_LEN;
}

static void send_audio(struct rig *r, int64_t t_ns)
{
	uint8_t f[ETHLINK_FRAME_LEN];

	box_frame(r->b, t_ns, f, make_frame(r, f, true));
}

static void send_silence(struct rig *r, int64_t t_ns)
{
	uint8_t f[ETHLINK_FRAME_LEN];

	box_frame(r->b, t_ns, f, make_frame(r, f, false));
}

/* n frames at the nominal rate from t_ns on; returns when the next would be due. */
static int64_t stream(struct rig *r, int64_t t_ns, unsigned n)
{
	int64_t hz = ethlink_rate_hz(r->rate_code);

	for (unsigned i = 0; i < n; i++) {
		send_audio(r, t_ns + (int64_t)i * 8 * S / hz);
	}
	return t_ns + (int64_t)n * 8 * S / hz;
}

/* A box that has its settings, from a header with silence at t = 1 ms; t = 100 ms, the queue is empty. */
static struct rig *settled(struct box_config cfg, uint8_t rate_code, uint8_t depth)
{
	struct rig *r = rig_new(cfg);

	r->rate_code = rate_code;
	r->depth = depth;
	send_silence(r, 1 * MS);
	box_advance(r->b, 100 * MS);
	assert_int_equal(status(r).counts.blocks_played, 1);
	assert_int_equal(status(r).queue, 0);
	reset_turns(r);
	return r;
}

static void test_power_up(void **state)
{
	struct rig *r = rig_new((struct box_config){0});
	static const int pauses_s[] = {2, 4, 8, 16, 32, 60, 60};
	struct box_status s = status(r);

	(void)state;
	assert_int_equal(s.led, BOX_LED_RED);
	assert_false(s.has_host);
	assert_int_equal(s.rate_hz, 0);
	for (unsigned c = 0; c < 8; c++) {
		assert_int_equal(s.gain[c], 255);
	}
	box_advance(r->b, 200 * S);
	assert_int_equal(r->n_sent, 8);
	assert_in_range(r->sent[0].t_ns, 1, 1 * S);
	for (unsigned i = 1; i < 8; i++) {
		assert_int_equal(r->sent[i].t_ns - r->sent[i - 1].t_ns, pauses_s[i - 1] * S);
	}
	assert_memory_equal(r->sent[0].bytes, broadcast, 6);
	assert_memory_equal(r->sent[0].bytes + 6, "\x00\xe8\xda\xc0\x01\x02\x08\x00\x45", 9);
	assert_non_null(memmem(r->sent[0].bytes, r->sent[0].len,
		"\x0c\x0c"
		"ETH8DAC00000",
		14));
	assert_memory_equal(r->sent[0].bytes + 42 + 28, "\x00\xe8\xda\xc0\x01\x02", 6);
	assert_int_equal(status(r).counts.replies, 0);
	assert_int_equal(r->turns, 0);
	rig_free(r);
}

static void test_no_discover_with_host(void **state)
{
	struct rig *r = rig_new((struct box_config){0});

	(void)state;
	send_silence(r, 1 * MS);
	box_advance(r->b, 100 * S);
	assert_int_equal(status(r).counts.discovers, 0);
	assert_int_equal(r->n_sent, 1);
	rig_free(r);
}

static void test_first_header(void **state)
{
	struct rig *r = rig_new((struct box_config){0});
	int64_t applied_ns = 1 * MS + WIRE_NS + START_UP_NS;
	struct box_status s;

	(void)state;
	r->gain[3] = 80;
	r->gain[7] = 255;
	send_silence(r, 1 * MS);
	/* Channel 8 was mute already by its output but not by its header: 0xfa differs. */
	box_advance(r->b, applied_ns - 1);
	s = status(r);
	assert_int_equal(s.counts.gain_changes, 7);
	assert_int_equal(s.counts.settings_changes, 0);
	box_advance(r->b, applied_ns);
	s = status(r);
	assert_int_equal(s.counts.settings_changes, 1);
	assert_int_equal(s.counts.rate_changes, 1);
	assert_int_equal(s.counts.depth_changes, 1);
	assert_int_equal(s.counts.host_changes, 1);
	assert_memory_equal(s.gain, r->gain, 8);
	assert_memory_equal(s.host, host_a, 6);
	assert_int_equal(s.rate_hz, 48000);
	assert_int_equal(s.depth, 128);
	assert_int_equal(s.led, BOX_LED_GREEN);
	/* Some 15 ms in all. */
	assert_in_range(START_UP_NS, 14 * MS, 16 * MS);
	rig_free(r);
}

static void test_start_up_loss(void **state)
{
	struct rig *r = rig_new((struct box_config){0});
	struct box_status s;

	(void)state;
	stream(r, 1 * MS, 600);
	box_advance(r->b, 90 * MS);
	s = status(r);
	assert_in_range(s.counts.frames_lost, 75, 85);
	/* All that came while the box was deaf and the ten that waited are still in the queue: that is its
	 * latency now. */
	assert_in_range(s.queue, 9, 12);
	rig_free(r);

	/* One header, a pause, then the stream: nothing is lost. */
	r = settled((struct box_config){0}, 1, 128);
	stream(r, 100 * MS, 600);
	box_advance(r->b, 199 * MS);
	assert_int_equal(status(r).counts.frames_lost, 0);
	assert_int_equal(status(r).pattern.breaks, 0);
	rig_free(r);
}

struct gain_log {
	unsigned n;
	int64_t t_ns[32];
	struct box_gain_change changes[32];
};

static void on_gain(void *user, int64_t t_ns, const struct box_gain_change *change)
{
	struct gain_log *log = user;

	assert_in_range(log->n, 0, ARRAY_SIZE(log->changes) - 1);
	log->t_ns[log->n] = t_ns;
	log->changes[log->n++] = *change;
}

/* Each change of a channel is told once, with the time from which it is heard and the frame that brought it. */
static void test_gain_hook(void **state)
{
	struct gain_log log = {0};
	struct box_hooks hooks = {.user = &log, .gain = on_gain};
	struct box_config cfg = {.serial = SERIAL};
	struct rig *r = rig_new((struct box_config){0});
	uint8_t frame[ETHLINK_FRAME_LEN];
	const int64_t second_ns = 200 * MS, third_ns = 300 * MS;
	struct box *b;

	(void)state;
	assert_int_equal(box_new(&cfg, &hooks, 0, &b), 0);
	box_frame(b, 100 * MS, frame, make_frame(r, frame, true));
	box_advance(b, second_ns - 1);
	assert_int_equal(log.n, 8);
	for (unsigned k = 0; k < 8; k++) {
		assert_int_equal(log.changes[k].channel, k);
		assert_int_equal(log.changes[k].gain, 56);
		assert_int_equal(log.changes[k].frame, 1);
	}
	/* The same again is no change. */
	box_frame(b, second_ns, frame, make_frame(r, frame, true));
	r->gain[2] = 255;
	r->gain[6] = 50;
	box_frame(b, third_ns, frame, make_frame(r, frame, true));
	box_advance(b, 400 * MS);
	assert_int_equal(log.n, 10);
	assert_int_equal(log.changes[8].channel, 2);
	assert_int_equal(log.changes[8].gain, 255);
	assert_int_equal(log.changes[8].frame, 3);
	assert_int_equal(log.t_ns[8], third_ns + WIRE_NS + BOX_GAIN_NS);
	assert_int_equal(log.changes[9].channel, 6);
	assert_int_equal(log.changes[9].gain, 50);
	assert_int_equal(log.changes[9].frame, 3);
	assert_int_equal(log.t_ns[9], third_ns + WIRE_NS + 2 * BOX_GAIN_NS);
	box_free(b);
	rig_free(r);
}

static void test_gain_stall(void **state)
{
	struct rig *r = settled((struct box_config){0}, 1, 128);
	struct box_status s;
	int64_t t_ns;

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		send_audio(r, 100 * MS);
	}
	t_ns = stream(r, 100 * MS + 40 * WIRE_NS, 300);
	memset(r->gain, 60, 8);
	send_audio(r, t_ns);
	box_advance(r->b, t_ns + WIRE_NS + 8 * BOX_GAIN_NS - 1);
	assert_int_equal(status(r).counts.settings_changes, 1);
	box_advance(r->b, t_ns + WIRE_NS + 8 * BOX_GAIN_NS);
	assert_int_equal(status(r).counts.settings_changes, 2);
	assert_int_equal(status(r).counts.gain_changes, 16);
	t_ns = stream(r, t_ns + 8 * BOX_GAIN_NS + 1 * MS, 100);

	/* All eight at once at 48 kHz: eight blocks have to wait, for ten there is room. */
	memset(r->gain, 61, 8);
	t_ns = stream(r, t_ns, 300);
	assert_int_equal(status(r).counts.frames_lost, 0);
	/* One channel: 160 us. */
	r->gain[2] = 20;
	send_audio(r, t_ns);
	box_advance(r->b, t_ns + WIRE_NS + BOX_GAIN_NS - 1);
	assert_int_equal(status(r).gain[2], 61);
	box_advance(r->b, t_ns + WIRE_NS + BOX_GAIN_NS);
	assert_int_equal(status(r).gain[2], 20);
	rig_free(r);

	/* At 96 kHz sixteen have to. */
	r = settled((struct box_config){0}, 3, 128);
	t_ns = stream(r, 100 * MS, 300);
	memset(r->gain, 61, 8);
	stream(r, t_ns, 300);
	s = status(r);
	assert_in_range(s.counts.frames_lost, 3, 7);
	assert_int_equal(s.counts.host_changes, 1);
	rig_free(r);
}

static void test_queue_full(void **state)
{
	struct rig *r = settled((struct box_config){0}, 1, 8);
	int64_t t_ns, last_ns;
	uint64_t before;
	struct box_status s;

	(void)state;
	/* Just after a turn, so that none falls before the queue is filling. */
	t_ns = r->last_turn_ns + 166667;
	box_advance(r->b, t_ns);
	assert_int_equal(r->last_turn_ns / US, t_ns / US);
	last_ns = t_ns + 40 * WIRE_NS;
	before = status(r).counts.blocks_played;
	for (unsigned i = 0; i < 40; i++) {
		send_audio(r, t_ns);
	}
	box_advance(r->b, t_ns + 19 * WIRE_NS);
	assert_int_equal(status(r).counts.frames_lost, 0);
	box_advance(r->b, last_ns);
	s = status(r);
	/* Eight in the queue, one in the hands of the waiting task, ten behind it, and one more for each that
	 * was played. */
	assert_int_equal(s.queue, 8);
	assert_int_equal(s.waiting, 10);
	assert_int_equal(s.counts.frames_received - 1, 19 + s.counts.blocks_played - before);
	assert_int_equal(s.counts.frames_received - 1 + s.counts.frames_lost, 40);
	assert_in_range(s.counts.frames_lost, 14, 15);
	/* Each block that is played lets the task go on by one. */
	box_advance(r->b, last_ns + 11 * 166667);
	assert_int_equal(status(r).waiting, 0);
	assert_int_equal(status(r).queue, 8);
	box_advance(r->b, last_ns + 13 * 166667);
	assert_in_range(status(r).queue, 6, 7);
	/* Where one found the place of a block just played, those before it are missing. */
	box_advance(r->b, 1 * S);
	assert_in_range(status(r).pattern.breaks, 1, 7);
	rig_free(r);
}

static void test_link_pace(void **state)
{
	struct rig *r = settled((struct box_config){0}, 1, 128);
	uint64_t before = status(r).counts.frames_received;
	uint8_t f[ETHLINK_FRAME_LEN];

	(void)state;
	for (unsigned i = 0; i < 128; i++) {
		send_audio(r, 100 * MS);
	}
	for (int64_t i = 1; i <= 128; i++) {
		box_advance(r->b, 100 * MS + i * WIRE_NS - 1);
		assert_int_equal(status(r).counts.frames_received - before, i - 1);
	}
	box_advance(r->b, 100 * MS + 128 * WIRE_NS);
	assert_int_equal(status(r).counts.frames_received - before, 128);
	assert_int_equal(status(r).counts.frames_lost, 0);
	assert_int_equal(status(r).counts.max_burst, 128);
	assert_in_range(128 * WIRE_NS, 3500 * US, 3530 * US);
	/* A header alone is through sooner. */
	make_frame(r, f, false);
	box_frame(r->b, 200 * MS, f, 64);
	box_advance(r->b, 200 * MS + 88 * 80 - 1);
	assert_int_equal(status(r).counts.frames_received - before, 128);
	box_advance(r->b, 200 * MS + 88 * 80);
	assert_int_equal(status(r).counts.frames_received - before, 129);
	rig_free(r);
}

static void test_header_without_audio(void **state)
{
	struct rig *r = settled((struct box_config){0}, 1, 16);
	uint8_t f[ETHLINK_FRAME_LEN], old[256];

	(void)state;
	make_frame(r, f, true);
	memcpy(old, f + 64, 256);
	box_frame(r->b, 100 * MS, f, 320);
	box_frame(r->b, 101 * MS, f, 64);
	box_advance(r->b, 103 * MS);
	assert_int_equal(status(r).counts.blocks_played, 3);
	assert_memory_equal(r->last_audio, old, 256);
	/* Half a block over the old one. */
	memset(f + 64, 0x11, 256);
	box_frame(r->b, 104 * MS, f, 64 + 128);
	box_advance(r->b, 106 * MS);
	memset(old, 0x11, 128);
	assert_memory_equal(r->last_audio, old, 256);
	rig_free(r);
}

static void test_host_adoption(void **state)
{
	struct rig *r = settled((struct box_config){0}, 1, 16);
	uint64_t gains;

	(void)state;
	box_advance(r->b, 1500 * MS);
	assert_int_equal(r->n_sent, 1);
	assert_int_equal(r->sent[0].len, 64);
	assert_memory_equal(r->sent[0].bytes, host_a, 6);
	assert_memory_equal(r->sent[0].bytes + 6,
		"\x00\xe8\xda\xc0\x01\x02\x08\x02"
		"ETH8DAC\x01\x10",
		17);
	assert_int_equal(r->sent[0].bytes[40], 0);
	/* Reserved bytes alone are not noticed, ... */
	r->reserved = 0x5a;
	send_audio(r, 1600 * MS);
	box_advance(r->b, 2500 * MS);
	assert_int_equal(r->n_sent, 2);
	assert_int_equal(r->sent[1].bytes[40], 0);
	/* ... with another sender they are, and that takes no time and no setting. */
	gains = status(r).counts.gain_changes;
	r->src = host_b;
	r->reserved = 0x6b;
	send_audio(r, 2600 * MS);
	box_advance(r->b, 2600 * MS + WIRE_NS);
	assert_int_equal(status(r).counts.frames_received, 3);
	assert_int_equal(status(r).waiting, 0);
	assert_memory_equal(status(r).host, host_b, 6);
	box_advance(r->b, 3500 * MS);
	assert_int_equal(r->n_sent, 3);
	assert_memory_equal(r->sent[2].bytes, host_b, 6);
	assert_int_equal(r->sent[2].bytes[31], 0x6b);
	assert_int_equal(r->sent[2].bytes[63], 0x6b);
	assert_int_equal(status(r).counts.gain_changes, gains);
	assert_int_equal(status(r).counts.settings_changes, 1);
	assert_int_equal(status(r).counts.host_changes, 2);
	rig_free(r);
}

static void test_reply_before_copy(void **state)
{
	struct rig *r = rig_new((struct box_config){0});
	uint8_t fa[50];

	(void)state;
	memset(fa, 0xfa, sizeof(fa));
	send_silence(r, 995 * MS);
	box_advance(r->b, 1500 * MS);
	assert_memory_equal(r->sent[r->n_sent - 1].bytes, host_a, 6);
	assert_memory_equal(r->sent[r->n_sent - 1].bytes + 14, fa, 50);
	rig_free(r);
}

static void test_rate_change(void **state)
{
	struct rig *r = settled((struct box_config){0}, 1, 64);
	int64_t restart_ns = 105 * MS + WIRE_NS + BOX_CLOCK_NS + BOX_RESTART_NS;

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		send_audio(r, 100 * MS);
	}
	box_advance(r->b, 104 * MS);
	assert_in_range(status(r).queue, 20, 40);
	r->rate_code = 3;
	send_audio(r, 105 * MS);
	box_advance(r->b, 105 * MS + WIRE_NS);
	reset_turns(r);
	box_advance(r->b, restart_ns);
	assert_int_equal(r->turns, 0);
	assert_int_equal(status(r).queue, 1);
	assert_int_equal(status(r).depth, 64);
	box_advance(r->b, restart_ns + 1 * S);
	assert_int_equal(r->turns, 12000);
	assert_int_equal(r->first_turn_ns - restart_ns, 83333);
	assert_int_equal(r->last_rate_hz, 96000);
	assert_int_equal(status(r).counts.rate_changes, 2);
	assert_int_equal(status(r).counts.depth_changes, 1);
	/* A code that means no rate: the box stalls, but goes on at the old one. */
	r->rate_code = 77;
	send_audio(r, 5 * S);
	reset_turns(r);
	box_advance(r->b, 7 * S);
	assert_int_equal(status(r).counts.bad_rate, 1);
	assert_in_range(r->turns, 23000, 24000);
	rig_free(r);
}

static void test_depth_change(void **state)
{
	struct rig *r = settled((struct box_config){0}, 1, 64);

	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		send_audio(r, 100 * MS);
	}
	box_advance(r->b, 102 * MS);
	r->depth = 9;
	send_audio(r, 102 * MS);
	box_advance(r->b, 102 * MS + WIRE_NS + BOX_CLOCK_NS + BOX_RESTART_NS - 1);
	assert_int_equal(status(r).queue, 0);
	box_advance(r->b, 102 * MS + WIRE_NS + BOX_CLOCK_NS + BOX_RESTART_NS);
	assert_int_equal(status(r).queue, 1);
	assert_int_equal(status(r).depth, 9);
	assert_int_equal(status(r).counts.rate_changes, 1);
	rig_free(r);
}

static void test_crash(void **state)
{
	static const uint8_t depths[] = {0, 129, 255, 250};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(depths); i++) {
		struct rig *r = rig_new((struct box_config){0});

		r->depth = depths[i];
		stream(r, 1 * MS, 100);
		box_advance(r->b, 100 * MS);
		assert_true(status(r).crashed);
		assert_int_equal(status(r).counts.crashes, 1);
		assert_int_equal(status(r).led, BOX_LED_RED);
		r->depth = 16;
		reset_turns(r);
		stream(r, 200 * MS, 100);
		box_advance(r->b, 5 * S);
		assert_true(status(r).crashed);
		assert_int_equal(r->turns, 0);
		assert_int_equal(r->n_sent, 0);
		assert_true(status(r).counts.frames_ignored >= 100);
		box_power(r->b, 5 * S, false);
		assert_int_equal(status(r).led, BOX_LED_OFF);
		box_power(r->b, 5 * S, true);
		send_audio(r, 6 * S);
		box_advance(r->b, 7 * S);
		assert_false(status(r).crashed);
		assert_int_equal(status(r).counts.replies, 1);
		assert_int_equal(status(r).counts.power_cycles, 1);
		rig_free(r);
	}
}

static void test_power_cycle(void **state)
{
	struct rig *r = settled((struct box_config){0}, 1, 64);
	uint64_t received;

	(void)state;
	stream(r, 100 * MS, 60);
	box_advance(r->b, 110 * MS);
	received = status(r).counts.frames_received;
	box_power(r->b, 110 * MS, false);
	stream(r, 110 * MS, 600);
	box_advance(r->b, 4 * S);
	assert_int_equal(status(r).counts.frames_received - received, 0);
	assert_int_equal(status(r).counts.frames_ignored, 600);
	assert_int_equal(r->n_sent, 0);
	box_power(r->b, 4 * S, true);
	assert_false(status(r).has_host);
	assert_int_equal(status(r).gain[0], 255);
	box_advance(r->b, 5 * S - 1);
	assert_int_equal(status(r).counts.discovers, 1);
	send_silence(r, 5 * S);
	box_advance(r->b, 6 * S);
	assert_int_equal(status(r).counts.settings_changes, 2);
	rig_free(r);
}

static void test_bad_gain(void **state)
{
	struct rig *r = settled((struct box_config){0}, 1, 64);

	(void)state;
	r->gain[0] = 81;
	r->gain[5] = 254;
	send_audio(r, 100 * MS);
	r->gain[0] = 80;
	r->gain[5] = 255;
	send_audio(r, 110 * MS);
	box_advance(r->b, 120 * MS);
	assert_int_equal(status(r).counts.bad_gain, 1);
	assert_int_equal(status(r).counts.gain_changes, 8 + 4);
	rig_free(r);
}

static void test_reply_timing(void **state)
{
	struct rig *r = rig_new((struct box_config){.rc_ppm = 10000, .ppm = -300});

	(void)state;
	for (int64_t t_ns = 10 * MS; t_ns < 50 * S; t_ns += 100 * MS) {
		send_silence(r, t_ns);
	}
	box_advance(r->b, 50 * S);
	assert_int_equal(status(r).counts.replies, 49);
	for (unsigned i = 0; i < 49; i++) {
		assert_int_equal(r->sent[i].t_ns, (i + 1) * 1010 * MS);
	}
	/* The last frame was at 49.91 s. */
	assert_int_equal(status(r).led, BOX_LED_GREEN);
	box_advance(r->b, 49910 * MS + 1 * S);
	assert_int_equal(status(r).led, BOX_LED_GREEN);
	box_advance(r->b, 49910 * MS + 1 * S + WIRE_NS);
	assert_int_equal(status(r).led, BOX_LED_RED);
	assert_int_equal(status(r).counts.replies, 50);
	box_advance(r->b, 60 * S);
	assert_int_equal(status(r).counts.replies, 50);
	rig_free(r);

	for (unsigned serial = 0; serial < 64; serial++) {
		double rc_ppm = box_default_rc_ppm(1, (uint16_t)serial);

		assert_true(rc_ppm >= -10000 && rc_ppm <= 10000);
		assert_true(rc_ppm != box_default_rc_ppm(1, (uint16_t)(serial + 1)));
	}
}

/* A stream that lasts for n frames at exactly 48 kHz into a queue with blocks in it. */
static struct rig *drift(double ppm, uint8_t depth, unsigned blocks, unsigned n)
{
	struct rig *r = settled((struct box_config){.ppm = ppm}, 1, depth);

	for (unsigned i = 0; i < blocks; i++) {
		send_audio(r, 100 * MS);
	}
	stream(r, 100 * MS + blocks * 100 * US / 3, n);
	return r;
}

static void test_drift(void **state)
{
	struct rig *r = drift(20, 64, 6, 100 * 6000);
	struct box_status s = status(r);

	(void)state;
	/* The box is faster: 0.12 blocks a second, so one is missing every 8.33 s, once the cushion is used
	 * up. */
	assert_in_range(s.counts.zero_blocks_mid_audio, 5, 8);
	assert_int_equal(s.counts.zero_blocks_after_audio, s.counts.zero_blocks_mid_audio);
	assert_int_equal(s.counts.frames_lost, 0);
	assert_int_equal(s.pattern.breaks, 0);
	assert_int_equal(s.queue_min, 0);
	assert_in_range(s.queue_max, 5, 8);
	rig_free(r);

	r = drift(20, 64, 3, 100 * 6000);
	reset_turns(r);
	stream(r, 101 * S, 60 * 6000);
	/* First empty once at the seam, then every 8.33 s. */
	assert_in_range(r->empty_gap_max_ns, 8330 * MS, 8340 * MS);
	rig_free(r);

	/* The box is slower: the queue fills, then frames are lost. */
	r = drift(-20, 8, 4, 100 * 6000);
	s = status(r);
	assert_in_range(s.counts.frames_lost, 0, 1);
	assert_int_equal(s.counts.zero_blocks_mid_audio, 0);
	assert_int_equal(s.queue_max, 8);
	rig_free(r);
	r = drift(-20, 8, 4, 200 * 6000);
	s = status(r);
	assert_in_range(s.counts.frames_lost, 7, 12);
	assert_in_range(s.pattern.breaks, 7, 12);
	rig_free(r);

	/* No drift, no event. */
	r = drift(0, 8, 4, 100 * 6000);
	assert_in_range(status(r).pattern.run, 100 * 6000 - 4, 100 * 6000 + 4);
	box_advance(r->b, 101 * S);
	s = status(r);
	assert_int_equal(s.pattern.run, 0);
	assert_int_equal(s.counts.frames_lost, 0);
	assert_int_equal(s.counts.zero_blocks_mid_audio, 0);
	assert_int_equal(s.pattern.breaks, 0);
	assert_int_equal(s.pattern.blocks, 100 * 6000 + 4);
	rig_free(r);
}

static void test_clock_is_exact_for_an_hour(void **state)
{
	static const double ppm[] = {0, 54.3, -100};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(ppm); i++) {
		struct rig *r = settled((struct box_config){.ppm = ppm[i]}, 0, 64);
		int64_t start_ns = r->last_turn_ns;
		long double step_ns = 8e9L / (44100.0L * (1.0L + (long double)ppm[i] * 1e-6L));
		uint64_t expected;

		box_advance(r->b, 3600 * S);
		expected = (uint64_t)((long double)(3600 * S - start_ns) / step_ns);
		assert_in_range(r->turns, expected, expected + 1);
		assert_in_range(r->last_turn_ns, (int64_t)(start_ns + r->turns * step_ns) - 1,
			(int64_t)(start_ns + r->turns * step_ns) + 1);
		rig_free(r);
	}
}

static void test_zero_blocks(void **state)
{
	struct rig *r = rig_new((struct box_config){0});
	struct box_status s;
	int64_t t_ns;

	(void)state;
	send_silence(r, 1 * MS);
	box_advance(r->b, 101 * MS);
	/* Nothing to play since its one block of silence; before that, while the gains were set, it does not
	 * count. */
	s = status(r);
	assert_int_equal(r->empty_turns - s.counts.zero_blocks, 8 * BOX_GAIN_NS / 166667);
	assert_in_range(s.counts.zero_blocks, 400, 600);
	assert_int_equal(s.counts.zero_blocks_after_audio, 0);

	t_ns = stream(r, 110 * MS, 600);
	/* Three blocks late. */
	t_ns = stream(r, t_ns + 3 * 166667, 600);
	box_advance(r->b, t_ns + 1 * MS);
	s = status(r);
	assert_int_equal(s.counts.zero_blocks_mid_audio, 3);
	assert_in_range(s.counts.zero_blocks_after_audio, 8, 9);
	/* Half a second of silence after the end is not in the middle ... */
	box_advance(r->b, t_ns + 500 * MS);
	assert_int_equal(status(r).counts.zero_blocks_mid_audio, 3);
	/* ... until audio goes on within a second; */
	t_ns = stream(r, t_ns + 500 * MS, 10);
	box_advance(r->b, t_ns + 10 * MS);
	assert_in_range(status(r).counts.zero_blocks_mid_audio, 3002, 3004);
	/* of a pause of three the last second counts. */
	t_ns = stream(r, t_ns + 3 * S, 10);
	box_advance(r->b, t_ns + 10 * MS);
	assert_in_range(status(r).counts.zero_blocks_mid_audio, 9001, 9005);
	/* The host's own silence is no zero block. */
	s = status(r);
	for (unsigned i = 0; i < 10; i++) {
		send_silence(r, t_ns + 20 * MS);
	}
	box_advance(r->b, t_ns + 20 * MS + 10 * WIRE_NS);
	assert_in_range(status(r).counts.zero_blocks - s.counts.zero_blocks, 60, 62);
	/* A settings change starts the account anew. */
	r->depth = 5;
	send_silence(r, t_ns + 30 * MS);
	box_advance(r->b, t_ns + 60 * MS);
	assert_int_equal(status(r).counts.zero_blocks_after_audio, 0);
	rig_free(r);
}

static void test_queue_levels(void **state)
{
	struct rig *r = settled((struct box_config){0}, 1, 64);
	int64_t t_ns = 100 * MS;

	(void)state;
	/* A host with a period of 64 and a cushion of 6 blocks. */
	for (unsigned i = 0; i < 6; i++) {
		send_silence(r, t_ns);
	}
	for (unsigned p = 0; p < 1000; p++) {
		for (unsigned i = 0; i < 8; i++) {
			send_audio(r, t_ns + p * 4 * MS / 3);
		}
	}
	t_ns += 1000 * 4 * MS / 3;
	box_advance(r->b, t_ns - 1);
	assert_in_range(status(r).queue_min, 5, 7);
	assert_in_range(status(r).queue_max, 11, 14);
	/* The queue that drains at the end says nothing about the stream. */
	box_advance(r->b, t_ns + 500 * MS);
	assert_int_equal(status(r).queue, 0);
	assert_in_range(status(r).queue_min, 5, 7);
	/* After more than a second it is another stream. */
	t_ns = stream(r, t_ns + 2 * S, 100);
	assert_int_equal(status(r).queue_max, 1);
	box_mark(r->b);
	assert_int_equal(status(r).queue_min, -1);
	assert_int_equal(status(r).queue_max, -1);
	for (unsigned i = 0; i < 30; i++) {
		send_audio(r, t_ns);
	}
	box_advance(r->b, t_ns + 30 * WIRE_NS);
	assert_in_range(status(r).queue_max, 24, 27);
	rig_free(r);
}

static void test_loss(void **state)
{
	uint64_t lost[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct rig *r = rig_new((struct box_config){.loss = 0.1, .seed = i == 2 ? 8 : 7});

		stream(r, 1 * MS, 20000);
		box_advance(r->b, 5 * S);
		lost[i] = status(r).counts.frames_lost_wire;
		assert_in_range(lost[i], 1850, 2150);
		assert_int_equal(
			status(r).counts.frames_received + status(r).counts.frames_lost + lost[i], 20000);
		rig_free(r);
	}
	assert_int_equal(lost[0], lost[1]);
	assert_int_not_equal(lost[0], lost[2]);
}

static void test_jitter(void **state)
{
	struct rig *r = settled((struct box_config){.jitter_ns = 400 * US, .seed = 3}, 1, 64);
	struct box_status s;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		send_audio(r, 100 * MS);
	}
	stream(r, 101 * MS, 6000);
	box_advance(r->b, 1101 * MS);
	s = status(r);
	assert_int_equal(s.pattern.breaks, 0);
	assert_int_equal(s.counts.frames_lost, 0);
	/* Without jitter no frame would ever meet another on the link. */
	assert_in_range(s.counts.max_burst, 3, 16);
	rig_free(r);
}

static void test_bad_frames(void **state)
{
	struct rig *r = settled((struct box_config){0}, 1, 64);
	uint64_t received = status(r).counts.frames_received;
	uint8_t f[ETHLINK_FRAME_LEN];
	uint32_t rnd = 1;

	(void)state;
	make_frame(r, f, true);
	box_frame(r->b, 100 * MS, f, 63);
	box_frame(r->b, 100 * MS, f, 0);
	f[5]++;
	box_frame(r->b, 100 * MS, f, 320);
	make_frame(r, f, true);
	f[17] = 'X';
	box_frame(r->b, 100 * MS, f, 320);
	make_frame(r, f, true);
	f[13] = 0;
	box_frame(r->b, 100 * MS, f, 320);
	box_advance(r->b, 200 * MS);
	assert_int_equal(status(r).counts.frames_bad, 5);
	assert_int_equal(status(r).counts.frames_received, received);
	make_frame(r, f, true);
	memcpy(f, broadcast, 6);
	box_frame(r->b, 200 * MS, f, 320);
	box_frame(r->b, 210 * MS, f, 1514);
	box_advance(r->b, 220 * MS);
	assert_int_equal(status(r).counts.frames_received, received + 2);
	assert_int_equal(status(r).counts.blocks_played, received + 2);

	/* Anything at all, of any length, behind a header that gets it past the door. */
	for (unsigned i = 0; i < 20000; i++) {
		make_frame(r, f, true);
		for (unsigned k = 0; k < 6; k++) {
			rnd = rnd * 1664525 + 1013904223;
			f[21 + rnd % 43] = (uint8_t)(rnd >> 16);
		}
		rnd = rnd * 1664525 + 1013904223;
		box_frame(r->b, 300 * MS + i * 50 * US, f, rnd >> 8 & 511);
		if (status(r).crashed) {
			box_power(r->b, 300 * MS + i * 50 * US, false);
			box_power(r->b, 300 * MS + i * 50 * US, true);
		}
	}
	box_advance(r->b, 10 * S);
	assert_true(status(r).counts.crashes > 10);
	rig_free(r);
}

static void test_late_frames(void **state)
{
	struct rig *r = settled((struct box_config){0}, 1, 64);

	(void)state;
	box_advance(r->b, 150 * MS);
	send_audio(r, 149 * MS);
	assert_int_equal(status(r).counts.frames_late, 1);
	assert_int_equal(status(r).counts.late_max_ns, 1 * MS);
	box_advance(r->b, 150 * MS + WIRE_NS);
	assert_int_equal(status(r).counts.frames_received, 2);
	rig_free(r);
}

/* How often and how late the box is told does not matter, as long as the times are told. */
static void test_same_result_in_other_steps(void **state)
{
	struct box_config cfg = {.ppm = 33, .loss = 0.01, .jitter_ns = 200 * US, .seed = 5};
	struct rig *a = rig_new(cfg), *b = rig_new(cfg);
	struct box_status sa, sb;

	(void)state;
	for (int64_t p = 0; p < 3000; p++) {
		int64_t t_ns = 1 * MS + p * 4 * MS / 3;

		for (unsigned i = 0; i < 8; i++) {
			send_audio(a, t_ns);
			send_audio(b, t_ns);
		}
		for (unsigned i = 1; i < 100; i++) {
			box_advance(b->b, t_ns + i * 13 * US);
		}
	}
	box_advance(a->b, 5 * S);
	box_advance(b->b, 5 * S);
	sa = status(a);
	sb = status(b);
	assert_memory_equal(&sa, &sb, sizeof(sa));
	assert_true(sa.counts.frames_lost_wire > 0);
	assert_int_equal(a->n_sent, b->n_sent);
	assert_memory_equal(a->sent, b->sent, sizeof(a->sent));
	rig_free(a);
	rig_free(b);
}

static void test_preset(void **state)
{
	struct rig *r = rig_new((struct box_config){0});
	struct ethlink_settings set = {.rate_code = 3, .depth = 5, .gain = {1, 2, 3, 4, 5, 6, 7, 255}};

	(void)state;
	assert_int_equal(box_preset(r->b, 1 * MS, &set, host_b), 0);
	assert_int_equal(status(r).rate_hz, 96000);
	assert_memory_equal(status(r).host, host_b, 6);
	assert_memory_equal(status(r).gain, set.gain, 8);
	/* The same settings from a third party cost nothing but the host. */
	r->rate_code = 3;
	r->depth = 5;
	memcpy(r->gain, set.gain, 8);
	send_audio(r, 10 * MS);
	box_advance(r->b, 10 * MS + WIRE_NS);
	assert_int_equal(status(r).queue, 1);
	assert_int_equal(status(r).counts.settings_changes, 0);
	assert_memory_equal(status(r).host, host_a, 6);
	set.depth = 0;
	assert_int_equal(box_preset(r->b, 20 * MS, &set, host_b), -EINVAL);
	box_power(r->b, 20 * MS, false);
	set.depth = 1;
	assert_int_equal(box_preset(r->b, 20 * MS, &set, host_b), -EHOSTDOWN);
	rig_free(r);
}

static void test_config_is_checked(void **state)
{
	static const struct box_config bad[] = {
		{.ppm = 1e6},
		{.rc_ppm = -1e6},
		{.loss = 1.1},
		{.loss = -0.1},
		{.jitter_ns = -1},
		{.ppm = __builtin_nan("")},
	};
	struct box *b;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(box_new(&bad[i], NULL, 0, &b), -EINVAL);
	}
}

static void encode_pattern(uint8_t *audio, uint64_t n)
{
	int32_t samples[64];

	for (unsigned i = 0; i < 64; i++) {
		samples[i] = pattern_value(n + i / 8, i % 8);
		assert_true(pattern_float(n + i / 8, i % 8) * 0x1p31f == (float)samples[i]);
	}
	ethlink_encode_block(audio, samples);
}

static void test_pattern(void **state)
{
	struct pattern_check p;
	uint8_t audio[256];

	(void)state;
	assert_int_equal(pattern_value(0, 0), INT32_MIN);
	assert_int_equal(pattern_value(1, 3), (11 - 8388608) * 256);
	assert_int_equal(pattern_value(PATTERN_MODULUS - 1, 7), 8388607 * 256);
	assert_int_equal(pattern_value(PATTERN_MODULUS, 0), INT32_MIN);

	pattern_check_init(&p);
	memset(audio, 0, sizeof(audio));
	assert_true(pattern_check_block(&p, audio));
	assert_int_equal(p.blocks, 0);
	/* It may start anywhere, wrap around, and pause. */
	encode_pattern(audio, PATTERN_MODULUS - 12);
	assert_true(pattern_check_block(&p, audio));
	encode_pattern(audio, PATTERN_MODULUS - 4);
	assert_true(pattern_check_block(&p, audio));
	assert_int_equal(p.run, 2);
	memset(audio, 0, sizeof(audio));
	assert_true(pattern_check_block(&p, audio));
	assert_int_equal(p.run, 0);
	encode_pattern(audio, 4);
	assert_true(pattern_check_block(&p, audio));
	assert_int_equal(p.blocks, 3);
	assert_int_equal(p.breaks, 0);
	assert_int_equal(p.run, 1);
	/* Repeated, and one left out. */
	assert_false(pattern_check_block(&p, audio));
	assert_int_equal(p.run, 0);
	assert_int_equal(p.break_expected, 12);
	assert_int_equal(p.break_got, 4);
	encode_pattern(audio, 20);
	assert_false(pattern_check_block(&p, audio));
	assert_int_equal(p.breaks, 2);
	assert_int_equal(p.garbled, 0);
	/* One sample of one channel is off by the smallest step of 32 bits. */
	encode_pattern(audio, 28);
	audio[4 * 13] ^= 1;
	assert_false(pattern_check_block(&p, audio));
	assert_int_equal(p.garbled, 1);
	/* Or all channels of a frame are. */
	encode_pattern(audio, 36);
	for (unsigned c = 0; c < 8; c++) {
		audio[4 * c] ^= 1;
	}
	assert_false(pattern_check_block(&p, audio));
	assert_int_equal(p.garbled, 2);
	/* The frame with a channel that happens to be zero is not silence. */
	pattern_check_init(&p);
	encode_pattern(audio, 0x100000);
	assert_int_equal(pattern_value(0x100000, 0), 0);
	assert_true(pattern_check_block(&p, audio));
	assert_int_equal(p.next, 0x100008);
	/* Silence between two blocks that follow each other, seen by whoever plays it. */
	assert_int_equal(p.run, 1);
	pattern_check_silence(&p);
	encode_pattern(audio, 0x100008);
	assert_true(pattern_check_block(&p, audio));
	assert_int_equal(p.run, 1);
	assert_int_equal(p.breaks, 0);
}

static void test_serials(void **state)
{
	struct serials s;

	(void)state;
	serials_clear(&s);
	assert_int_equal(serials_add(&s, "0-3,17,65535", 12), 0);
	assert_int_equal(serials_count(&s), 6);
	assert_true(serials_has(&s, 65535) && serials_has(&s, 3) && !serials_has(&s, 4));
	assert_int_equal(serials_add(&s, "17", 2), -EEXIST);
	assert_int_equal(serials_add(&s, "65536", 5), -ERANGE);
	assert_int_equal(serials_add(&s, "9-8", 3), -ERANGE);
	assert_int_equal(serials_add(&s, "", 0), -EINVAL);
	assert_int_equal(serials_add(&s, "5,", 2), -EINVAL);
	assert_int_equal(serials_add(&s, "6-", 2), -EINVAL);
	assert_int_equal(serials_add(&s, "7x", 2), -EINVAL);
	assert_int_equal(serials_add(&s, "-1", 2), -EINVAL);
}

static void test_commands(void **state)
{
	static const char *const bad[] = {
		"dance",
		"off",
		"off x",
		"off 1 2",
		"status 1",
		"preset",
		"preset 1 rate=47999",
		"preset 1 depth=0",
		"preset 1 depth=129",
		"preset 1 gain=25",
		"preset 1 gain=1,2",
		"preset 1 gain=1,2,3,4,5,6,7,8,9",
		"preset 1 gain=",
		"preset 1 host=1",
		"preset 1 volume=3",
		"preset 1 rate",
		"on all,1",
		"preset 1 host=02:00:00:00:00:0g",
	};
	struct command c;
	char error[COMMAND_ERROR_SIZE];

	(void)state;
	assert_int_equal(command_parse(" power-cycle  0-3,9 ", &c, error), 0);
	assert_int_equal(c.kind, COMMAND_POWER_CYCLE);
	assert_int_equal(serials_count(&c.serials), 5);
	assert_int_equal(command_parse("off all", &c, error), 0);
	assert_true(c.kind == COMMAND_OFF && c.all);
	assert_int_equal(command_parse("", &c, error), 0);
	assert_int_equal(c.kind, COMMAND_NONE);
	assert_int_equal(
		command_parse("preset 7 rate=96000 depth=5 gain=-56,mute,3,4,5,6,7,24 host=02:aB:00:00:00:09",
			&c, error),
		0);
	assert_true(c.kind == COMMAND_PRESET && !c.all && serials_has(&c.serials, 7));
	assert_int_equal(c.settings.rate_code, 3);
	assert_int_equal(c.settings.depth, 5);
	assert_memory_equal(c.settings.gain, "\x00\xff\x3b\x3c\x3d\x3e\x3f\x50", 8);
	assert_memory_equal(c.host, "\x02\xab\x00\x00\x00\x09", 6);
	assert_int_equal(command_parse("preset 7 gain=mute", &c, error), 0);
	assert_int_equal(c.settings.gain[7], 255);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		error[0] = '\0';
		assert_int_equal(command_parse(bad[i], &c, error), -EINVAL);
		assert_true(strlen(error) > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_up),
		cmocka_unit_test(test_no_discover_with_host),
		cmocka_unit_test(test_first_header),
		cmocka_unit_test(test_start_up_loss),
		cmocka_unit_test(test_gain_hook),
		cmocka_unit_test(test_gain_stall),
		cmocka_unit_test(test_queue_full),
		cmocka_unit_test(test_link_pace),
		cmocka_unit_test(test_header_without_audio),
		cmocka_unit_test(test_host_adoption),
		cmocka_unit_test(test_reply_before_copy),
		cmocka_unit_test(test_rate_change),
		cmocka_unit_test(test_depth_change),
		cmocka_unit_test(test_crash),
		cmocka_unit_test(test_power_cycle),
		cmocka_unit_test(test_bad_gain),
		cmocka_unit_test(test_reply_timing),
		cmocka_unit_test(test_drift),
		cmocka_unit_test(test_clock_is_exact_for_an_hour),
		cmocka_unit_test(test_zero_blocks),
		cmocka_unit_test(test_queue_levels),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_late_frames),
		cmocka_unit_test(test_same_result_in_other_steps),
		cmocka_unit_test(test_preset),
		cmocka_unit_test(test_config_is_checked),
		cmocka_unit_test(test_pattern),
		cmocka_unit_test(test_serials),
		cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
