/*
 * The client of a NetVST plug-in: what comes back is there after exactly its latency, whatever blocks and periods are, and
 * what does not come is silence without a click. No sockets and no sleeping: the test is the net thread.
 */
#include "engine/insert.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RATE 48000
#define FADE 240
#define TONE_HZ 997.0
#define LEVEL 0.5
#define STEP (LEVEL * 2 * M_PI * TONE_HZ / RATE)
/* A fade, and a tail at the same time. */
#define STEP_MAX (STEP + 2 * LEVEL / FADE + 1e-6)
#define SECONDS_MAX 80
#define BLOCKS_MAX (SECONDS_MAX * RATE / 16)
#define NEVER UINT64_MAX

static float tone[AUDIO_INSERT_CHANNELS][SECONDS_MAX * RATE];

struct world {
	struct nvpipe *pipe;
	struct insert *insert;
	struct audio_insert io;
	uint32_t period;
	uint32_t block;
	uint32_t latency;
	bool varying;
	bool freewheel;
	bool net_gone;
	uint64_t frame; /* of the run */
	uint64_t cycle;
	uint32_t run;

	/* The peer: replies are there so many cycles later. */
	unsigned cycles;
	unsigned more; /* cycles */
	bool loses;
	uint64_t taken; /* blocks */
	uint64_t next;	/* block to come back next */
	uint64_t *due;	/* cycle in which a block comes back */
	float out[AUDIO_INSERT_CHANNELS][AUDIO_PERIOD_MAX];
	double last;
	double step;
	double loudest;
	uint64_t heard; /* frames that were not silence */
	uint64_t exact_frames;
};

static void make_tone(void)
{
	for (uint32_t i = 0; i < SECONDS_MAX * RATE; i++) {
		tone[0][i] = (float)(LEVEL * sin(2 * M_PI * TONE_HZ / RATE * i + 1));
		tone[1][i] = (float)(LEVEL * cos(2 * M_PI * 432.1 / RATE * i));
	}
}

static struct world *world_new(uint32_t period, uint32_t block, unsigned cycles)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(nvpipe_new(block, &w->pipe), 0);
	assert_int_equal(insert_new(INSERT_CLIENT, w->pipe, &w->insert), 0);
	insert_set_running(w->insert, true);
	w->due = calloc(BLOCKS_MAX + 2, sizeof(w->due[0]));
	w->period = period;
	w->block = block;
	w->cycles = cycles;
	w->latency = insert_latency_frames(block, period, cycles);
	insert_set_latency(w->insert, w->latency);
	assert_true(nvpipe_start(w->pipe, ++w->run));
	return w;
}

static void world_free(struct world *w)
{
	insert_set_running(w->insert, false);
	insert_free(w->insert);
	nvpipe_free(w->pipe);
	free(w->due);
	free(w);
}

static const struct insert_report *report_of(const struct world *w)
{
	return insert_get_report(w->insert);
}

/* The peer makes the samples again by itself: what it got is compared. */
static void reply(struct world *w, uint64_t number)
{
	static float left[8192], right[8192];
	const float *audio[AUDIO_INSERT_CHANNELS] = {left, right};

	for (uint32_t i = 0; i < w->block; i++) {
		left[i] = tone[0][number * w->block + i];
		right[i] = tone[1][number * w->block + i];
	}
	nvpipe_put_block(w->pipe, number, audio);
}

static void before_cycle(struct world *w)
{
	while (w->next < w->taken && w->due[w->next] <= w->cycle) {
		if (w->due[w->next] > 0) {
			reply(w, w->next);
		}
		w->next++;
	}
}

static void after_cycle(struct world *w)
{
	static float left[8192], right[8192];
	float *audio[AUDIO_INSERT_CHANNELS] = {left, right};

	while (!w->net_gone && nvpipe_is_running(w->pipe) && nvpipe_tx_frames(w->pipe) >= w->block) {
		nvpipe_take_tx(w->pipe, audio, w->block);
		assert_memory_equal(left, tone[0] + w->taken * w->block, w->block * sizeof(float));
		assert_memory_equal(right, tone[1] + w->taken * w->block, w->block * sizeof(float));
		w->due[w->taken++] = w->loses ? 0 : w->cycle + w->cycles + w->more;
	}
}

static void look(struct world *w, uint64_t frame)
{
	for (uint32_t i = 0; i < w->period; i++) {
		double x = w->out[0][i];

		assert_true(isfinite(x) && isfinite(w->out[1][i]));
		w->step = fmax(w->step, fabs(x - w->last));
		w->loudest = fmax(w->loudest, fabs(x));
		w->last = x;
		w->heard += x != 0;
		if (frame + i >= w->latency && !w->freewheel) {
			w->exact_frames += w->out[0][i] == tone[0][frame + i - w->latency] &&
					   w->out[1][i] == tone[1][frame + i - w->latency];
		}
	}
}

static void cycle(struct world *w)
{
	struct audio_cycle c = {.frames = w->period,
		.rate_hz = RATE,
		.now_ns = (int64_t)(w->frame * 1e9 / RATE) + 1,
		.varying = w->varying,
		.freewheel = w->freewheel};

	before_cycle(w);
	w->io.owner = w->insert;
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		w->io.in[k] = tone[k] + w->frame;
		w->io.out[k] = w->out[k];
	}
	insert_process_rt(NULL, &c, &w->io);
	look(w, w->frame);
	if (!w->freewheel) {
		w->frame += w->period;
	}
	after_cycle(w);
	w->cycle++;
}

static void cycles(struct world *w, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		cycle(w);
	}
}

static void frames(struct world *w, uint64_t n)
{
	uint64_t until = w->frame + n;

	while (w->frame < until) {
		cycle(w);
	}
}

static uint32_t divisor(uint32_t a, uint32_t b)
{
	return b ? divisor(b, a % b) : a;
}

/* Exactly `latency` later, with not one sample wrong; one cycle more than that, and blocks are late; then all as before. */
static void exact(uint32_t period, uint32_t block, unsigned m)
{
	struct world *w = world_new(period, block, m);
	const struct insert_report *r = report_of(w);
	/* In so many cycles each phase of block and period comes once. */
	uint64_t all = block / divisor(block, period);
	uint64_t begin, heard;

	frames(w, w->latency + FADE + 2 * period);
	begin = w->frame;
	w->exact_frames = 0;
	cycles(w, all + 2);
	assert_int_equal(r->late_blocks, 0);
	assert_int_equal(w->exact_frames, w->frame - begin);
	assert_true(w->step <= STEP_MAX);

	w->more = 1;
	cycles(w, all + 2);
	w->more = 0;
	frames(w, 2 * w->latency);
	assert_true(r->late_blocks > 0);
	assert_in_range(r->late_episodes, 1, r->late_blocks);
	assert_true(w->step <= STEP_MAX);
	assert_true(w->loudest <= LEVEL * 1.000001);

	frames(w, FADE + block + period);
	begin = w->frame;
	heard = r->late_blocks;
	w->exact_frames = 0;
	cycles(w, all + 2);
	assert_int_equal(w->exact_frames, w->frame - begin);
	assert_int_equal(r->late_blocks, heard);
	assert_int_equal(r->overruns, 0);
	world_free(w);
}

static void test_exact(void **state)
{
	static const uint32_t periods[] = {16, 32, 64, 100, 128, 256, 441, 512, 1024};
	static const uint32_t blocks[] = {16, 64, 100, 512, 1000, 2048};

	(void)state;
	for (unsigned p = 0; p < ARRAY_SIZE(periods); p++) {
		for (unsigned b = 0; b < ARRAY_SIZE(blocks); b++) {
			uint64_t all = (uint64_t)periods[p] * blocks[b] / divisor(periods[p], blocks[b]);

			for (unsigned m = 1; m <= 3 && all * 4 < SECONDS_MAX * RATE; m++) {
				exact(periods[p], blocks[b], m);
			}
		}
	}
}

/* One cycle less of latency is too little for some block: the formula gives the least. */
static void test_least(void **state)
{
	static const uint32_t periods[] = {16, 64, 100, 441};
	static const uint32_t blocks[] = {16, 64, 100, 512};

	(void)state;
	for (unsigned p = 0; p < ARRAY_SIZE(periods); p++) {
		for (unsigned b = 0; b < ARRAY_SIZE(blocks); b++) {
			struct world *w = world_new(periods[p], blocks[b], 2);

			insert_set_latency(w->insert, w->latency - 1);
			cycles(w, blocks[b] + 10);
			assert_true(report_of(w)->late_blocks > 0);
			world_free(w);
		}
	}
}

static void test_lost_replies(void **state)
{
	struct world *w = world_new(64, 100, 2);
	const struct insert_report *r = report_of(w);
	uint64_t begin;

	(void)state;
	frames(w, RATE);
	w->loses = true;
	frames(w, 2 * RATE);
	assert_true(w->last == 0);
	assert_false(r->playing);
	assert_int_equal(r->late_episodes, 1);
	assert_in_range(r->late_blocks, 2 * RATE / 100 - 5, 2 * RATE / 100);
	w->loses = false;
	frames(w, w->latency + 100 + 64 + FADE);
	begin = w->frame;
	w->exact_frames = 0;
	frames(w, RATE);
	assert_int_equal(w->exact_frames, w->frame - begin);
	assert_int_equal(r->late_episodes, 1);
	assert_true(w->step <= STEP_MAX);
	assert_true(w->loudest <= LEVEL * 1.000001);
	world_free(w);
}

/* Blocks missing at random, so often that fades run into each other. */
static void test_flutter(void **state)
{
	static const uint32_t blocks[] = {16, 64, 100, 512};
	uint32_t seed = 1;

	(void)state;
	for (unsigned b = 0; b < ARRAY_SIZE(blocks); b++) {
		struct world *w = world_new(64, blocks[b], 2);

		frames(w, RATE / 10);
		while (w->frame < 10 * RATE) {
			seed = seed * 1664525u + 1013904223u;
			w->loses = seed >> 29 == 0;
			w->more = seed >> 20 & 1;
			cycle(w);
		}
		assert_true(report_of(w)->late_episodes > 100);
		assert_true(w->step <= STEP_MAX);
		assert_true(w->loudest <= LEVEL * 1.000001);
		world_free(w);
	}
}

/* A block that is late for one cycle is heard from the next one on. */
static void test_late_block_is_used(void **state)
{
	struct world *w = world_new(64, 2048, 1);
	const struct insert_report *r = report_of(w);
	uint64_t heard;

	(void)state;
	frames(w, 2 * RATE);
	heard = r->frames;
	w->more = 1;
	cycles(w, 2048 / 64);
	w->more = 0;
	frames(w, RATE);
	assert_int_equal(r->late_blocks, 1);
	assert_int_equal(r->frames - heard, 2048 + RATE - 64);
	world_free(w);
}

static void test_measuring(void **state)
{
	struct world *w = world_new(64, 64, 1);
	const struct insert_report *r = report_of(w);

	(void)state;
	insert_set_latency(w->insert, 0);
	frames(w, RATE / 2);
	assert_int_equal(w->heard, 0);
	assert_int_equal(r->late_blocks, 0);
	assert_int_equal(r->latency_frames, 0);
	insert_set_latency(w->insert, 64);
	frames(w, FADE + 64);
	w->exact_frames = 0;
	frames(w, 6400);
	assert_int_equal(w->exact_frames, 6400);
	assert_int_equal(r->late_blocks, 0);
	assert_int_equal(r->latency_frames, 64);
	/* And another one: a fade, no gap. */
	w->latency = 192;
	insert_set_latency(w->insert, 192);
	frames(w, FADE + 64);
	w->exact_frames = 0;
	frames(w, 6400);
	assert_int_equal(w->exact_frames, 6400);
	assert_int_equal(r->late_blocks, 0);
	assert_true(w->step <= STEP_MAX);
	world_free(w);
}

static void test_varying(void **state)
{
	struct world *w = world_new(64, 128, 1);
	const struct insert_report *r = report_of(w);
	uint32_t seed = 7;

	(void)state;
	w->varying = true;
	w->latency = insert_latency_frames(128, 1024, 2);
	insert_set_latency(w->insert, w->latency);
	frames(w, RATE / 2);
	w->exact_frames = 0;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t before = w->exact_frames;

		seed = seed * 1664525u + 1013904223u;
		w->period = 1 + (seed >> 16) % 1024;
		cycle(w);
		assert_int_equal(w->exact_frames - before, w->period);
	}
	assert_int_equal(r->late_blocks, 0);
	world_free(w);
}

/* Blocks that began between short periods may end anywhere between long ones: so much more latency there is to be. */
static void test_phase(void **state)
{
	struct world *w = world_new(64, 512, 1);
	const struct insert_report *r = report_of(w);

	(void)state;
	w->varying = true;
	w->latency = insert_latency_frames(512, 1024, 1) + insert_latency_phase(512, 1024, 64);
	assert_int_equal(w->latency, 1024 + 512 - 64);

	insert_set_latency(w->insert, w->latency);
	cycles(w, 1001);
	assert_int_equal(r->grid_frames, 64);
	w->period = 1024;
	cycles(w, 50);
	w->exact_frames = 0;
	cycles(w, 50);
	assert_int_equal(w->exact_frames, 50 * 1024);
	assert_int_equal(r->late_blocks, 0);
	assert_int_equal(r->grid_frames, 64);
	w->period = 100;
	cycle(w);
	assert_int_equal(r->grid_frames, 4);
	assert_true(nvpipe_is_running(w->pipe));
	world_free(w);
}

/* Another period for good: another run, in which blocks begin with it. */
static void test_other_period(void **state)
{
	struct world *w = world_new(64, 512, 1);
	const struct insert_report *r = report_of(w);

	(void)state;
	cycles(w, 1001);
	assert_true(nvpipe_is_running(w->pipe));
	w->period = 128;
	cycle(w);
	assert_false(nvpipe_is_running(w->pipe));
	assert_int_equal(r->overruns, 0);
	assert_int_equal(r->late_blocks, 0);
	world_free(w);
}

static void test_freewheel(void **state)
{
	struct world *w = world_new(64, 64, 2);
	const struct insert_report *r = report_of(w);
	struct nvpipe_midi event;
	uint64_t begin;

	(void)state;
	w->io.midi_in[0] = (struct audio_midi){.status = 0x95, .data1 = 60, .data2 = 100};
	frames(w, RATE);
	w->io.n_midi_in = 1;
	cycle(w);
	w->io.n_midi_in = 0;
	w->freewheel = true;
	cycles(w, 100000);
	assert_true(w->last == 0);
	assert_int_equal(r->late_blocks, 0);
	assert_int_equal(r->overruns, 0);
	w->freewheel = false;
	/* What was on its way before is not played any more. */
	begin = w->heard;
	frames(w, w->latency);
	assert_int_equal(w->heard, begin);
	frames(w, 64 + FADE);
	begin = w->frame;
	w->exact_frames = 0;
	frames(w, RATE);
	assert_int_equal(w->exact_frames, w->frame - begin);
	assert_int_equal(r->late_blocks, 0);
	assert_true(w->step <= STEP_MAX);
	/* The note may have ended meanwhile. */
	assert_true(spsc_pop(&w->pipe->tx_midi, &event));
	assert_int_equal(event.frame, RATE);
	assert_true(spsc_pop(&w->pipe->tx_midi, &event));
	assert_int_equal(event.status, 0x85);
	assert_int_equal(event.data1, 60);
	assert_int_equal(event.frame, RATE + 64);
	world_free(w);
}

static void test_overrun(void **state)
{
	struct world *w = world_new(64, 64, 2);
	const struct insert_report *r = report_of(w);

	(void)state;
	frames(w, RATE);
	w->net_gone = true;
	frames(w, 2 * RATE);
	assert_int_equal(r->overruns, 1);
	assert_false(nvpipe_is_running(w->pipe));
	assert_true(w->last == 0);
	assert_int_equal(r->late_episodes, 1);
	/* Another run, and all is well. */
	nvpipe_stop(w->pipe);
	cycle(w);
	assert_true(nvpipe_start(w->pipe, 2));
	w->net_gone = false;
	w->frame = w->taken = w->next = 0;
	frames(w, RATE / 2);
	w->exact_frames = 0;
	frames(w, 6400);
	assert_int_equal(w->exact_frames, 6400);
	assert_int_equal(r->overruns, 1);
	assert_true(w->step <= STEP_MAX);
	world_free(w);
}

/* Connections come and go; the peer's audio fades out, and in again. */
static void test_runs(void **state)
{
	struct world *w = world_new(100, 512, 1);
	const struct insert_report *r = report_of(w);

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		frames(w, RATE / 4);
		assert_true(r->playing);
		nvpipe_stop(w->pipe);
		cycles(w, 10);
		assert_true(nvpipe_is_parked(w->pipe));
		assert_false(r->playing);
		assert_true(w->last == 0);
		assert_true(nvpipe_start(w->pipe, ++w->run));
		w->frame = w->taken = w->next = 0;
	}
	assert_int_equal(r->late_blocks, 0);
	assert_true(w->step <= STEP_MAX);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_least),
		cmocka_unit_test(test_lost_replies),
		cmocka_unit_test(test_flutter),
		cmocka_unit_test(test_late_block_is_used),
		cmocka_unit_test(test_measuring),
		cmocka_unit_test(test_varying),
		cmocka_unit_test(test_phase),
		cmocka_unit_test(test_other_period),
		cmocka_unit_test(test_freewheel),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_runs),
	};

	make_tone();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
