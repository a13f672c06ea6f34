/*
 * Frames that are made box by box (engine/steady-rt.h) are those that are made row by row. In the second of two installations a
 * box more has a volume, so that nothing there is steady; all others have to play the same, bit by bit.
 */
#include "engine/dac-rt.h"
#include "sim/sim.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RATE_HZ 48000
/* What the graph plays: more cycles than a stream takes to begin, and then until nothing is left of the start. */
#define PLAYED_FRAMES(period) (10 * (period) + RATE_HZ * 3 / 10)
/* Until all of it has been played. */
#define RUN_NS(period) ((PLAYED_FRAMES(period) + 4 * (period) + RATE_HZ / 10) * NSEC_PER_SEC / RATE_HZ)

struct run {
	unsigned boxes;
	uint32_t period;
	bool varying;
	unsigned present;		/* bits of channels with a buffer; others in the boxes that are odd */
	uint64_t hash[SIM_BOXES_MAX];	/* of all that each box has played */
	uint64_t blocks[SIM_BOXES_MAX]; /* that were not silent */
	float peak[SIM_BOXES_MAX][ETHLINK_CHANNELS];
	uint64_t clips[SIM_BOXES_MAX];
	uint64_t frames[SIM_BOXES_MAX];
	uint64_t seed[SIM_BOXES_MAX];
	uint32_t given[SIM_BOXES_MAX]; /* frames that the graph has brought */
};

static void hash_block(struct sim_box *sb, int64_t t_ns, const struct box_block *block)
{
	struct run *run = sb->user;
	unsigned i = (unsigned)(sb - sb->sim->boxes);

	(void)t_ns;
	for (unsigned j = 0; block->audio && block->nonzero && j < ETHLINK_AUDIO_LEN; j++) {
		run->hash[i] = (run->hash[i] ^ block->audio[j]) * UINT64_C(0x100000001b3);
	}
	run->blocks[i] += block->nonzero;
}

/* Music, with some of each kind of float that is none: too large, denormal, infinite, not a number. */
static float odd_float(uint64_t *seed)
{
	uint32_t bits;
	float x;

	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	bits = (uint32_t)(*seed >> 32);
	if (bits % 16 == 0) {
		memcpy(&x, &bits, sizeof(x));
		return x;
	}
	return (float)(int32_t)bits * 0x1p-32f;
}

static void play_odd(struct sim *sim, struct sim_box *sb, uint32_t frames)
{
	struct run *run = sim->user;
	unsigned i = (unsigned)(sb - sim->boxes);

	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		for (uint32_t f = 0; f < frames; f++) {
			sb->in[k][f] = run->given[i] + f < PLAYED_FRAMES(run->period)
					       ? odd_float(&run->seed[i])
					       : 0.0f;
		}
	}
	run->given[i] += frames;
}

static void connect_some(struct sim *sim, const struct run *run)
{
	for (unsigned i = 0; i < run->boxes; i++) {
		unsigned present = i % 2 ? ~run->present : run->present;
		const float *in[AUDIO_CHANNELS];

		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			in[k] = present & 1u << k ? sim->boxes[i].in[k] : NULL;
		}
		backend_null_set_buffers(sim->boxes[i].group, in, NULL);
	}
}

static void play(struct run *run, bool steady)
{
	struct sim *sim = sim_new(run->boxes + !steady, RATE_HZ, run->period, NULL);

	sim->varying = run->varying;
	sim->source = play_odd;
	sim->user = run;
	for (unsigned i = 0; i < run->boxes; i++) {
		run->seed[i] = i + 1;
		sim->boxes[i].on_block = hash_block;
		sim->boxes[i].user = run;
	}
	connect_some(sim, run);
	sim_configure(sim, POLICY_LATENCY_AUTO, false);
	for (unsigned i = 0; i < sim->n_boxes; i++) {
		sim->boxes[i].params.volume[0] = i == run->boxes ? 0.5f : 1.0f;
		sim_run_dac(sim, &sim->boxes[i], true);
	}
	sim_run(sim, RUN_NS(run->period));
	assert_int_equal(sim->order_errors, 0);
	for (unsigned i = 0; i < run->boxes; i++) {
		const struct dac_report *report = engine_dac_report(sim->boxes[i].dac);

		engine_dac_take_peaks(sim->boxes[i].dac, run->peak[i]);
		run->frames[i] = report->frames_sent;
		for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
			run->clips[i] = run->clips[i] * 31 + report->clips[k];
		}
		assert_int_equal(report->drops_ring_full, 0);
	}
	sim_free(sim);
}

static void compare(unsigned boxes, uint32_t period, bool varying, unsigned present)
{
	struct run one = {.boxes = boxes, .period = period, .varying = varying, .present = present};
	struct run other = one;

	play(&one, true);
	play(&other, false);
	for (unsigned i = 0; i < boxes; i++) {
		assert_int_equal(one.frames[i], other.frames[i]);
		assert_int_equal(one.blocks[i], other.blocks[i]);
		assert_int_equal(one.hash[i], other.hash[i]);
		assert_int_equal(one.clips[i], other.clips[i]);
		assert_memory_equal(one.peak[i], other.peak[i], sizeof(one.peak[i]));
		assert_true(one.blocks[i] > 0 || (i % 2 ? present == 0xff : present == 0));
	}
}

static void test_periods(void **state)
{
	static const uint32_t periods[] = {8, 16, 64, 72, 100, 128, 256, 1024, 4096};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(periods); i++) {
		compare(1, periods[i], false, 0xff);
		compare(5, periods[i], false, 0x35);
	}
}

static void test_many_boxes(void **state)
{
	(void)state;
	compare(31, 64, false, 0xff);
	compare(31, 256, false, 0x03);
}

static void test_varying(void **state)
{
	(void)state;
	compare(3, 64, true, 0x0f);
	compare(3, 256, true, 0x83);
	compare(3, 2048, true, 0xff);
}

/* That the frames are the same says something only if they were made in two ways. */
static void test_what_is_steady(void **state)
{
	struct sim *sim = sim_new(2, RATE_HZ, 64, NULL);
	struct run run = {.boxes = 2, .period = 64};

	(void)state;
	sim->source = play_odd;
	sim->user = &run;
	sim_configure(sim, POLICY_LATENCY_AUTO, true);
	sim_run(sim, 40 * NSEC_PER_MSEC);
	assert_int_equal(engine_dac_mode(sim->boxes[0].dac), DAC_IDLE);
	sim_run(sim, 40 * NSEC_PER_MSEC);
	assert_int_equal(engine_dac_mode(sim->boxes[0].dac), DAC_RUNNING);
	assert_false(sim->boxes[0].dac->steady);
	assert_int_equal(sim->boxes[0].dac->header[ETHLINK_OFF_MARK], ETHLINK_MARK);
	sim_run(sim, 100 * NSEC_PER_MSEC);
	assert_true(sim->boxes[0].dac->steady);
	assert_int_equal(sim->boxes[0].dac->header[ETHLINK_OFF_MARK], 0);
	/* Another gain goes into the headers; the mark goes with it, and away again. */
	sim->boxes[1].params.gain[3] = 20;
	sim_run_dac(sim, &sim->boxes[1], true);
	sim_cycle(sim);
	assert_true(sim->boxes[0].dac->steady);
	assert_false(sim->boxes[1].dac->steady);
	assert_int_equal(sim->boxes[1].dac->header[ETHLINK_OFF_MARK], ETHLINK_MARK);
	sim_run(sim, 100 * NSEC_PER_MSEC);
	assert_true(sim->boxes[1].dac->steady);
	assert_int_equal(sim->boxes[1].dac->header[ETHLINK_OFF_GAIN + 3], 20);
	sim->boxes[0].params.volume[7] = 0.99f;
	sim_run_dac(sim, &sim->boxes[0], true);
	sim_run(sim, 100 * NSEC_PER_MSEC);
	assert_false(sim->boxes[0].dac->steady);
	assert_true(sim->boxes[1].dac->steady);
	sim_free(sim);
}

/* The ring takes less than it is given: what was dropped and what was sent make up all there was. */
static void test_ring_full(void **state)
{
	struct sim *sim = sim_new(4, RATE_HZ, 256, NULL);
	struct run run = {.boxes = 4, .period = 256, .present = 0xff};
	uint64_t cycles, sent, dropped;

	(void)state;
	sim->source = play_odd;
	sim->user = &run;
	sim_configure(sim, POLICY_LATENCY_AUTO, true);
	sim_run(sim, RUN_NS(256));
	sent = engine_dac_report(sim->boxes[3].dac)->frames_sent;
	cycles = engine_get_report(sim->engine)->cycles;
	pktring_mem_limit(sim->ring, 50);
	sim_run(sim, RUN_NS(256));
	cycles = engine_get_report(sim->engine)->cycles - cycles;
	sent = engine_dac_report(sim->boxes[3].dac)->frames_sent - sent;
	dropped = engine_dac_report(sim->boxes[3].dac)->drops_ring_full;
	assert_true(dropped > 0 && sent > 0);
	assert_int_equal(sent + dropped, cycles * 256 / 8);
	assert_int_equal(engine_dac_report(sim->boxes[3].dac)->resyncs, 0);
	pktring_mem_limit(sim->ring, UINT_MAX);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_periods),
		cmocka_unit_test(test_many_boxes),
		cmocka_unit_test(test_varying),
		cmocka_unit_test(test_what_is_steady),
		cmocka_unit_test(test_ring_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
