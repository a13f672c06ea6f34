/* The engine against virtual boxes: what the graph played is what the boxes play, at every period. */
#include "sim/signals.h"
#include "emu/pattern.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void play_at(uint32_t rate_hz, uint32_t period, int latency, unsigned boxes)
{
	struct sim *sim = sim_new(boxes, rate_hz, period, NULL);
	struct pattern_source src = {0};

	sim->source = play_pattern;
	sim->user = &src;
	sim_configure(sim, latency, true);
	play_stretch(sim, &src, 2 * NSEC_PER_SEC);
	assert_lossless(sim, &src);
	sim_free(sim);
}

static void test_periods(void **state)
{
	static const uint32_t periods[] = {8, 9, 15, 16, 24, 31, 32, 48, 64, 100, 127, 128, 160, 192, 256,
		320, 384, 441, 480, 512, 513, 600, 768, 882, 960, 1000, 1024, 1500, 2047, 2048, 3000, 4096,
		5000, 8185, 8192};
	static const uint32_t rates[] = {44100, 48000, 88200, 96000};

	for (unsigned r = 0; r < ARRAY_SIZE(rates); r++) {
		for (unsigned p = 0; p < ARRAY_SIZE(periods); p++) {
			play_at(rates[r], periods[p], POLICY_LATENCY_AUTO, 1);
		}
	}
}

static void test_latencies(void **state)
{
	static const uint32_t periods[] = {8, 64, 100, 512, 1024, 4096};
	static const int latencies[] = {16, 64, 100, 480, 900, 960};

	for (unsigned p = 0; p < ARRAY_SIZE(periods); p++) {
		for (unsigned l = 0; l < ARRAY_SIZE(latencies); l++) {
			play_at(48000, periods[p], latencies[l], 1);
		}
	}
}

static void test_many_boxes(void **state)
{
	play_at(48000, 64, POLICY_LATENCY_AUTO, 32);
	play_at(96000, 64, POLICY_LATENCY_AUTO, 24);
	play_at(48000, 100, POLICY_LATENCY_AUTO, 32);
	play_at(48000, 2048, POLICY_LATENCY_AUTO, 8);
}

static void test_blocks_are_interleaved_over_boxes(void **state)
{
	struct sim *sim = sim_new(32, 48000, 64, NULL);
	struct pattern_source src = {.playing = true};

	sim->source = play_pattern;
	sim->user = &src;
	sim_configure(sim, POLICY_LATENCY_AUTO, true);
	sim_run(sim, NSEC_PER_SEC);
	assert_int_equal(sim->order_errors, 0);
	for (unsigned i = 1; i < 32; i++) {
		assert_int_equal(sim->boxes[i].frames, sim->boxes[0].frames);
	}
	sim_free(sim);
}

/* The cushion is what was asked for: never less in the box when the next period arrives, nor a block more. */
static void test_latency_is_exact(void **state)
{
	static const struct {
		uint32_t period;
		int latency;
	} cases[] = {{64, 64}, {64, 128}, {16, 96}, {256, 8}, {128, 500}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim *sim = sim_new(1, 48000, cases[i].period, NULL);
		struct pattern_source src = {.playing = true};
		unsigned least = UINT_MAX, most = 0;

		sim->source = play_pattern;
		sim->user = &src;
		sim_configure(sim, cases[i].latency, true);
		sim_run(sim, 300 * NSEC_PER_MSEC);
		for (unsigned n = 0; n < 1000; n++) {
			/* Time stands at the last cycle; go to just before the next. */
			sim->now_ns += (int64_t)cases[i].period * NSEC_PER_SEC / 48000 - 1000;
			least = MIN(least, sim_status(sim, 0).queue);
			most = MAX(most, sim_status(sim, 0).queue);
			sim_cycle(sim);
		}
		assert_in_range(least * 8 + 8, cases[i].latency, cases[i].latency + 16);
		assert_true(most - least <= 1);
		assert_in_range(sim->policy.latency_frames, cases[i].latency, cases[i].latency + 7);
		sim_free(sim);
	}
}

static uint32_t random_period(uint32_t *seed)
{
	static const uint32_t common[] = {16, 32, 64, 100, 128, 256, 441, 512, 1000, 1024, 2048};

	*seed = *seed * 1664525u + 1013904223u;
	if ((*seed >> 8) % 4 != 0) {
		return common[(*seed >> 16) % ARRAY_SIZE(common)];
	}
	return 8 + (*seed >> 12) % (8192 - 8 + 1);
}

/* Two hours (SIM_MINUTES says another time) of cycles with a new random period every 20 seconds. */
static void test_hours_of_random_periods(void **state)
{
	const char *e = getenv("SIM_MINUTES");
	int64_t until = (e ? atoi(e) : 120) * 60 * NSEC_PER_SEC;
	struct sim *sim = sim_new(1, 48000, 64, NULL);
	struct pattern_source src = {0};
	uint32_t seed = 20261120, period;

	sim->source = play_pattern;
	sim->user = &src;
	sim_configure(sim, POLICY_LATENCY_AUTO, true);
	while (sim->now_ns < until) {
		play_stretch(sim, &src, 20 * NSEC_PER_SEC);
		period = random_period(&seed);
		if (period == sim->period || (seed & 0x10000)) {
			sim_set_format(sim, 48000, period);
		} else {
			sim_set_format_now(sim, 48000, period);
		}
		/* The server already runs with the new period while the daemon has not heard of it. */
		sim_cycle(sim);
		sim_cycle(sim);
		sim_run(sim, 50 * NSEC_PER_MSEC);
		sim_configure(sim, POLICY_LATENCY_AUTO, true);
	}
	assert_lossless(sim, &src);
	print_message("%.2f hours, %llu blocks, seed %u\n", (double)sim->now_ns / 3.6e12,
		(unsigned long long)sim_status(sim, 0).pattern.blocks, 20261120u);
	sim_free(sim);
}

/* A callback may come late by less than the cushion; nothing is lost. */
static void test_late_callbacks(void **state)
{
	struct sim *sim = sim_new(1, 48000, 64, NULL);
	struct pattern_source src = {0};
	uint32_t seed = 7;

	sim->source = play_pattern;
	sim->user = &src;
	sim_configure(sim, 160, true);
	sim_run(sim, 500 * NSEC_PER_MSEC);
	src.playing = true;
	src.stretches = 1;
	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * 1664525u + 1013904223u;
		sim->late_ns = (seed >> 8) % (3 * NSEC_PER_MSEC);
		sim_cycle(sim);
	}
	src.playing = false;
	sim_run(sim, 300 * NSEC_PER_MSEC);
	assert_lossless(sim, &src);
	sim_free(sim);
}

/*
 * Streams begin in late callbacks as well, and those that follow come early against them: the cushion must
 * be counted from when the cycle should have come, or the box runs over.
 */
static void test_late_callbacks_from_the_start(void **state)
{
	static const uint32_t periods[] = {16, 64, 256, 441, 512, 1000, 1024, 2048, 8192};
	uint32_t seed = 3;

	for (unsigned i = 0; i < ARRAY_SIZE(periods) * 4; i++) {
		uint32_t period = periods[i / 4];
		int64_t period_ns = (int64_t)period * NSEC_PER_SEC / 48000, latest;
		struct sim *sim = sim_new(1, 48000, period, NULL);
		struct pattern_source src = {.stretches = 1};

		sim->source = play_pattern;
		sim->user = &src;
		sim_configure(sim, POLICY_LATENCY_AUTO, true);
		latest = MIN(period_ns * 9 / 10,
			(int64_t)sim->policy.latency_frames * NSEC_PER_SEC / 48000 * 7 / 10);
		while (sim->now_ns < 8 * NSEC_PER_SEC) {
			seed = seed * 1664525u + 1013904223u;
			/* Mostly late at first, mostly on time afterwards. */
			if ((seed >> 28) < (sim->now_ns < 3 * NSEC_PER_SEC ? 12u : 4u)) {
				sim->late_ns = (seed >> 4) % latest;
			}
			src.playing = sim->now_ns > 4 * NSEC_PER_SEC && sim->now_ns < 7 * NSEC_PER_SEC;
			sim_cycle(sim);
		}
		assert_int_equal(engine_dac_report(sim->boxes[0].dac)->starts, 1);
		assert_lossless(sim, &src);
		sim_free(sim);
	}
}

static void test_unsupported_sends_nothing(void **state)
{
	struct sim *sim = sim_new(1, 48000, 64, NULL);
	struct pattern_source src = {.playing = true};
	struct policy policy;
	uint64_t frames;

	sim->source = play_pattern;
	sim->user = &src;
	sim_configure(sim, POLICY_LATENCY_AUTO, true);
	sim_run(sim, 300 * NSEC_PER_MSEC);
	sim_set_format(sim, 32000, 64);
	assert_int_equal(policy_make(64, 32000, POLICY_LATENCY_AUTO, &policy), -EINVAL);
	sim_run(sim, 100 * NSEC_PER_MSEC);
	frames = sim->boxes[0].frames;
	sim_run(sim, NSEC_PER_SEC);
	assert_int_equal(sim->boxes[0].frames, frames);
	assert_int_equal(engine_dac_mode(sim->boxes[0].dac), DAC_IDLE);
	sim_free(sim);
}

/* In freewheeling cycles come as fast as they can; nothing may build up, and all is well afterwards. */
static void test_freewheel(void **state)
{
	struct sim *sim = sim_new(1, 48000, 64, NULL);
	struct pattern_source src = {0};
	uint64_t frames;

	sim->source = play_pattern;
	sim->user = &src;
	sim_configure(sim, POLICY_LATENCY_AUTO, true);
	play_stretch(sim, &src, NSEC_PER_SEC);
	backend_null_set_freewheel(sim->backend, true);
	frames = sim->boxes[0].frames;
	for (unsigned i = 0; i < 100000; i++) {
		backend_null_cycle(sim->backend, sim->now_ns);
	}
	/* A fade of 480 frames and a little silence, not 800,000 blocks. */
	assert_in_range(sim->boxes[0].frames - frames, 60, 64);
	backend_null_set_freewheel(sim->backend, false);
	play_stretch(sim, &src, NSEC_PER_SEC);
	assert_lossless(sim, &src);
	sim_free(sim);
}

/* A steady level shows every click as a step: starts, stops, freewheeling, another period. */
static void test_fades_without_steps(void **state)
{
	static const uint32_t periods[] = {8, 16, 64, 100, 441, 1024, 4096};

	for (unsigned i = 0; i < ARRAY_SIZE(periods); i++) {
		struct sim *sim = sim_new(1, 48000, periods[i], NULL);
		struct sim_box *sb = &sim->boxes[0];
		struct level_probe probe = {0};

		play_level(sim, &probe);
		sim_run_dac(sim, sb, false);
		sim_run(sim, NSEC_PER_SEC);
		assert_int_equal(engine_dac_mode(sb->dac), DAC_IDLE);
		sim_run_dac(sim, sb, true);
		sim_run(sim, NSEC_PER_SEC);
		sim_set_format(sim, 48000, periods[i] == 64 ? 128 : 64);
		sim_run(sim, 200 * NSEC_PER_MSEC);
		sim_configure(sim, POLICY_LATENCY_AUTO, true);
		sim_run(sim, NSEC_PER_SEC);
		/* Turned round in the middle of a fade. */
		for (unsigned n = 0; n < 20; n++) {
			sim_run_dac(sim, sb, n % 2);
			sim_run(sim, 3 * NSEC_PER_MSEC);
		}
		sim_run_dac(sim, sb, true);
		sim_run(sim, 200 * NSEC_PER_MSEC);
		backend_null_set_freewheel(sim->backend, true);
		for (unsigned n = 0; n < 200; n++) {
			backend_null_cycle(sim->backend, sim->now_ns);
		}
		sim->now_ns += 100 * NSEC_PER_MSEC;
		sim_settle(sim);
		assert_true(probe.nonzero_blocks > 10000);
		/* 10 ms are 480 samples; with another period, what fits behind the cushion, at auto no less than 440. */
		assert_true(probe.largest_step < 0.5 / 440);
		assert_true(probe.largest <= 0.5);
		assert_true(probe.last == 0.0);
		sim_free(sim);
	}
}

/* The period changes at once from any to any other: the fade-out finds room in the box, and no block is lost. */
static void test_period_changes_at_once(void **state)
{
	static const uint32_t periods[] = {16, 64, 100, 256, 512, 1024, 2048, 8192};

	for (unsigned i = 0; i < ARRAY_SIZE(periods); i++) {
		for (unsigned j = 0; j < ARRAY_SIZE(periods); j++) {
			struct sim *sim = sim_new(2, 48000, periods[i], NULL);
			struct sim_box *sb = &sim->boxes[0];
			struct level_probe probe = {0};

			if (i == j) {
				sim_free(sim);
				continue;
			}
			play_level(sim, &probe);
			sim_set_format_now(sim, 48000, periods[j]);
			sim_run(sim, 400 * NSEC_PER_MSEC);
			assert_int_equal(engine_dac_mode(sb->dac), DAC_IDLE);
			assert_false(engine_wire_busy(sim->wire));
			sim_configure(sim, POLICY_LATENCY_AUTO, true);
			sim_run(sim, NSEC_PER_SEC);
			assert_int_equal(sim_status(sim, 0).counts.frames_lost, 0);
			assert_int_equal(engine_dac_report(sb->dac)->drops_ring_full, 0);
			assert_true(probe.nonzero_blocks > 5000);
			/* From a period that fills the box to the brim there is room for few samples only. */
			assert_true(probe.largest_step < 0.5 / (periods[i] == 512	   ? 60
								       : periods[i] == 256 ? 380
											   : 440));
			sim_free(sim);
		}
	}
}

/* A server that comes back at another rate, at once: no step, and nothing louder than what came in. */
static void test_rate_changes(void **state)
{
	static const uint32_t rates[] = {44100, 48000, 88200, 96000};

	for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
		for (unsigned j = 0; j < ARRAY_SIZE(rates); j++) {
			struct sim *sim = sim_new(1, rates[i], 128, NULL);
			struct sim_box *sb = &sim->boxes[0];
			struct level_probe probe = {0};

			play_level(sim, &probe);
			sim_set_format_now(sim, rates[j], 64);
			sim_run(sim, 400 * NSEC_PER_MSEC);
			assert_int_equal(engine_dac_mode(sb->dac), DAC_IDLE);
			sim_configure(sim, POLICY_LATENCY_AUTO, true);
			sim_run(sim, NSEC_PER_SEC);
			assert_int_equal(engine_dac_mode(sb->dac), DAC_RUNNING);
			assert_true(probe.last == 0.5 && probe.largest == 0.5);
			/* A graph at half the rate brings too little for a whole fade: it is a shorter one. */
			assert_true(probe.largest_step < 0.5 / (2 * rates[i] > 3 * rates[j] ? 150 : 420));
			sim_free(sim);
		}
	}
}

/* The server stands still for so long that the box runs dry, and goes on: the audio is faded in, it does not jump in. */
static void test_standstill(void **state)
{
	static const uint32_t periods[] = {8, 64, 100, 1024, 8192};

	for (unsigned i = 0; i < ARRAY_SIZE(periods); i++) {
		struct sim *sim = sim_new(1, 48000, periods[i], NULL);
		struct sim_box *sb = &sim->boxes[0];
		struct level_probe probe = {0};

		play_level(sim, &probe);
		sim_stand_still(sim, 2 * NSEC_PER_SEC);
		memset(&probe, 0, sizeof(probe));
		sim_run(sim, 2 * NSEC_PER_SEC);
		assert_int_equal(engine_dac_report(sb->dac)->starts, 2);
		/* It begins with the cushion that it should have: nothing is to be made up for. */
		assert_int_equal(engine_dac_report(sb->dac)->resyncs, 0);
		assert_true(probe.last == 0.5 && probe.largest_step < 0.5 / 470);
		sim_free(sim);
	}
}

/* Rings are swapped between two cycles, and whoever plays does not notice. */
static void test_ring_swap(void **state)
{
	static const uint32_t periods[] = {8, 64, 100, 256};

	for (unsigned i = 0; i < ARRAY_SIZE(periods); i++) {
		struct sim *sim = sim_new(3, 48000, periods[i], NULL);
		struct pattern_source src = {0};

		sim->source = play_pattern;
		sim->user = &src;
		sim_configure(sim, POLICY_LATENCY_AUTO, true);
		sim_run(sim, 500 * NSEC_PER_MSEC);
		src.playing = true;
		src.stretches = 1;
		for (unsigned n = 0; n < 20; n++) {
			sim_swap_ring(sim);
			sim_run(sim, (1 + n) * NSEC_PER_MSEC);
		}
		src.playing = false;
		sim_run(sim, 400 * NSEC_PER_MSEC);
		assert_lossless(sim, &src);
		sim_free(sim);
	}
}

/* Where a thread sends, the callback never does, and all else is as before. */
static void test_thread_sends(void **state)
{
	static const uint32_t periods[] = {8, 64, 100, 256, 480, 2048};
	static const unsigned boxes[] = {1, 3, 32};

	for (unsigned i = 0; i < ARRAY_SIZE(periods) * ARRAY_SIZE(boxes); i++) {
		struct sim *sim = sim_new(boxes[i % 3], 48000, periods[i / 3], NULL);
		struct pattern_source src = {0};

		sim->source = play_pattern;
		sim->user = &src;
		sim->threaded = true;
		sim->pacer_sleeps = true;
		sim_configure(sim, POLICY_LATENCY_AUTO, true);
		play_stretch(sim, &src, NSEC_PER_SEC);
		assert_lossless(sim, &src);
		assert_int_equal(sim->kicks_max, 0);
		assert_true(engine_get_report(sim->engine)->kick.kicks >= 48000 / periods[i / 3]);
		assert_int_equal(sim->order_errors, 0);
		sim_free(sim);
	}
}

/* Who sends changes in the middle of the audio: with a new ring, or where there is a thread, as it is. */
static void test_sender_changes(void **state)
{
	static const uint32_t periods[] = {8, 64, 100, 256};

	for (unsigned i = 0; i < ARRAY_SIZE(periods); i++) {
		struct sim *sim = sim_new(3, 48000, periods[i], NULL);
		struct pattern_source src = {0};

		sim->source = play_pattern;
		sim->user = &src;
		sim_configure(sim, POLICY_LATENCY_AUTO, true);
		sim_run(sim, 500 * NSEC_PER_MSEC);
		src.playing = true;
		src.stretches = 1;
		for (unsigned n = 0; n < 20; n++) {
			sim->threaded = n % 4 == 1 || n % 4 == 2;
			if (n % 2) {
				sim_swap_ring(sim);
			} else if (n > 0) {
				assert_int_equal(engine_wire_set_sending(sim->wire, sim->threaded, 0),
					n % 4 == 0 ? -EINVAL : 0);
			}
			sim->kicks_max = 0;
			sim_run(sim, (10 + n) * NSEC_PER_MSEC);
			assert_int_equal(sim->kicks_max, sim->threaded ? 0 : 1);
		}
		src.playing = false;
		sim_run(sim, 400 * NSEC_PER_MSEC);
		assert_lossless(sim, &src);
		assert_int_equal(sim->order_errors, 0);
		sim_free(sim);
	}
}

/*
 * The daemon hears of a new period before its first cycle: RT never sees a cycle that does not fit, and still
 * the stream has to be started anew, with the cushion of the new period.
 */
static void test_new_params_before_the_cycle(void **state)
{
	static const struct {
		uint32_t period;
		int latency;
	} steps[] = {{64, 160}, {256, 384}, {100, 208}, {16, 112}, {16, 48}, {256, 100}, {64, 64}};
	struct sim *sim = sim_new(1, 48000, 256, NULL);
	struct pattern_source src = {0};

	sim->source = play_pattern;
	sim->user = &src;
	sim_configure(sim, 480, true);
	play_stretch(sim, &src, NSEC_PER_SEC);
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		if (i % 2) {
			sim_set_format(sim, 48000, steps[i].period);
		} else {
			sim_set_format_now(sim, 48000, steps[i].period);
		}
		sim_reconfigure(sim, steps[i].latency);
		play_stretch(sim, &src, NSEC_PER_SEC);
		assert_int_equal(engine_dac_report(sim->boxes[0].dac)->starts, i + 2);
		/* Time stands at the last cycle, which has just been sent. */
		sim->now_ns += (int64_t)steps[i].period * NSEC_PER_SEC / 48000 - 1000;
		assert_in_range(sim_status(sim, 0).queue * 8 + 8, steps[i].latency, steps[i].latency + 23);
	}
	assert_lossless(sim, &src);
	sim_free(sim);
}

/* Eight channels at once are asked for; they go one by one with at least a millisecond between them. */
static void test_gains_one_by_one(void **state)
{
	static const uint32_t periods[] = {8, 16, 64, 256, 512, 1024, 8192};

	for (unsigned i = 0; i < ARRAY_SIZE(periods); i++) {
		struct sim *sim = sim_new(2, 96000, periods[i], NULL);
		struct pattern_source src = {0};
		struct sim_box *sb = &sim->boxes[0];

		sim->source = play_pattern;
		sim->user = &src;
		sim_configure(sim, POLICY_LATENCY_AUTO, true);
		sim_run(sim, 500 * NSEC_PER_MSEC);
		sb->gain_steps_max = 0;
		sb->gain_gap_min_ns = INT64_MAX;
		sb->last_gain_ns = 0;
		src.playing = true;
		src.stretches = 1;
		for (unsigned n = 0; n < 20; n++) {
			for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
				sb->params.gain[k] = (uint8_t)(n + k);
			}
			sim_run_dac(sim, sb, true);
			sim_run(sim, 300 * NSEC_PER_MSEC);
		}
		sim_run(sim, NSEC_PER_SEC);
		assert_int_equal(sb->gain_steps_max, 1);
		assert_true(sb->gain_gap_min_ns >= NSEC_PER_MSEC);
		assert_memory_equal(sim_status(sim, 0).gain, sb->params.gain, ETHLINK_CHANNELS);
		src.playing = false;
		sim_run(sim, 400 * NSEC_PER_MSEC);
		assert_lossless(sim, &src);
		sim_free(sim);
	}
}

/* The interface takes nothing for a while: drops are counted, nothing old is sent afterwards. */
static void test_interface_fails(void **state)
{
	static const int errors[] = {ENETDOWN, ENOBUFS};
	static const uint32_t periods[] = {64, 2048};

	for (unsigned i = 0; i < 6; i++) {
		struct sim *sim = sim_new(2, 48000, periods[i % 4 / 2], NULL);
		struct pattern_source src = {0};
		const struct dac_report *report = engine_dac_report(sim->boxes[0].dac);
		uint64_t before, sent, dropped;

		sim->source = play_pattern;
		sim->user = &src;
		sim->threaded = i >= 4;
		sim_configure(sim, POLICY_LATENCY_AUTO, true);
		sim_run(sim, 500 * NSEC_PER_MSEC);
		src.playing = true;
		sim_run(sim, 500 * NSEC_PER_MSEC);
		before = sim->boxes[0].frames;
		assert_int_equal(sim_status(sim, 0).pattern.breaks, 0);
		pktring_mem_fail(sim->ring, errors[i % 2]);
		sim_run(sim, NSEC_PER_SEC);
		assert_int_equal(sim->boxes[0].frames, before);
		pktring_mem_fail(sim->ring, 0);
		sim_run(sim, 500 * NSEC_PER_MSEC);
		dropped = report->drops_interface;
		assert_true(dropped > 0);
		assert_true(report->drops_ring_full > 0);
		/* What went into the ring was sent or counted as dropped, but for what the pacer still holds. */
		sent = sim->boxes[0].frames - 1; /* less the header that came first */
		assert_in_range(
			sent + dropped, report->frames_sent - periods[i % 4 / 2] / 8, report->frames_sent);
		/* One break in the pattern, where the gap was: had old blocks come, there would be two. */
		assert_int_equal(sim_status(sim, 0).pattern.breaks, 1);
		sim_free(sim);
	}
}

/* A slow interface takes part of each cycle's frames: what finds no slot is counted, in order, never waited for. */
static void test_ring_full(void **state)
{
	struct sim *sim = sim_new(1, 48000, 64, NULL);
	struct pattern_source src = {.playing = true};

	sim->source = play_pattern;
	sim->user = &src;
	sim_configure(sim, POLICY_LATENCY_AUTO, true);
	sim_run(sim, 500 * NSEC_PER_MSEC);
	pktring_mem_limit(sim->ring, 4);
	sim_run(sim, NSEC_PER_SEC);
	assert_in_range(engine_dac_report(sim->boxes[0].dac)->drops_ring_full, 2500, 3000);
	assert_int_equal(engine_dac_report(sim->boxes[0].dac)->drops_interface, 0);
	pktring_mem_limit(sim->ring, UINT_MAX);
	sim_run(sim, 100 * NSEC_PER_MSEC);
	sim_free(sim);
}

/* The server loses cycles and says so: the distance to the box is put back to what it was, not more. */
static void test_xrun_restores_cushion(void **state)
{
	struct sim *sim = sim_new(1, 48000, 64, NULL);
	struct pattern_source src = {.playing = true};
	unsigned before, after;

	sim->source = play_pattern;
	sim->user = &src;
	sim_configure(sim, 256, true);
	sim_run(sim, NSEC_PER_SEC);
	for (unsigned n = 2; n < 30; n++) {
		before = sim_status(sim, 0).queue;
		sim->origin_ns += n * 400 * NSEC_PER_USEC; /* cycles are missing from here on */
		backend_null_xrun(sim->backend);
		sim_run(sim, 200 * NSEC_PER_MSEC);
		after = sim_status(sim, 0).queue;
		assert_in_range(after, before - 1, before + 1);
	}
	/* An xrun that cost no time changes nothing. */
	before = (unsigned)engine_dac_report(sim->boxes[0].dac)->resyncs;
	assert_true(before > 20);
	for (unsigned n = 0; n < 10; n++) {
		backend_null_xrun(sim->backend);
		sim->late_ns = 1200 * NSEC_PER_USEC; /* one late wake-up, and on time again */
		sim_run(sim, 50 * NSEC_PER_MSEC);
	}
	assert_int_equal(engine_dac_report(sim->boxes[0].dac)->resyncs, before);
	assert_int_equal(sim_status(sim, 0).counts.frames_lost, 0);
	sim_free(sim);
}

/*
 * Bad times: xruns, and callbacks that are late, if by less than the cushion, for many cycles after them. What
 * is put in to make up for the one must not add up with the other until the box runs over.
 */
static void test_xruns_among_late_callbacks(void **state)
{
	static const uint32_t periods[] = {16, 64, 256, 441, 512, 1024, 2048};
	uint32_t seed = 11;

	for (unsigned i = 0; i < ARRAY_SIZE(periods); i++) {
		int64_t period_ns = (int64_t)periods[i] * NSEC_PER_SEC / 48000, latest;
		struct sim *sim = sim_new(1, 48000, periods[i], NULL);
		struct pattern_source src = {.playing = true};

		sim->source = play_pattern;
		sim->user = &src;
		sim_configure(sim, POLICY_LATENCY_AUTO, true);
		sim_run(sim, 2 * NSEC_PER_SEC);
		latest = MIN(period_ns * 7 / 10,
			(int64_t)sim->policy.latency_frames * NSEC_PER_SEC / 48000 * 6 / 10);
		for (unsigned round = 0; round < 300; round++) {
			seed = seed * 1664525u + 1013904223u;
			if (seed >> 30 != 0) {
				sim->origin_ns += (seed >> 4) % (3 * period_ns);
			}
			backend_null_xrun(sim->backend);
			for (unsigned n = 0; n < 6 + round % 30; n++) {
				seed = seed * 1664525u + 1013904223u;
				sim->late_ns = latest / 4 + (seed >> 4) % (latest * 3 / 4);
				sim_cycle(sim);
			}
		}
		/* While a loss is not judged yet the box may be full for a moment; that must end, and not add up. */
		assert_true(sim_status(sim, 0).counts.frames_lost * 1000 < sim->boxes[0].frames);
		assert_true(periods[i] > 256 || sim_status(sim, 0).counts.frames_lost == 0);
		sim_free(sim);
	}
}

static void test_peaks(void **state)
{
	struct sim *sim = sim_new(1, 48000, 64, NULL);
	float peak[ETHLINK_CHANNELS];

	sim->source = play_dc;
	sim_configure(sim, POLICY_LATENCY_AUTO, true);
	sim_run(sim, 500 * NSEC_PER_MSEC);
	engine_dac_take_peaks(sim->boxes[0].dac, peak);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		assert_true(peak[k] == 0.5f);
	}
	sim->source = NULL;
	backend_null_set_buffers(sim->boxes[0].group, NULL, NULL);
	engine_dac_take_peaks(sim->boxes[0].dac, peak);
	sim_run(sim, 100 * NSEC_PER_MSEC);
	engine_dac_take_peaks(sim->boxes[0].dac, peak);
	assert_true(peak[0] == 0.0f);
	sim_free(sim);
}

static void set_mutes(struct sim *sim, bool mute)
{
	memset(sim->boxes[0].params.gain, mute ? ETHLINK_GAIN_MUTE : 56, ETHLINK_CHANNELS);
	sim_run_dac(sim, &sim->boxes[0], true);
}

/* A mute is a fade, though the box switches at once; so is its end, and one that is taken back in the middle. */
static void test_mutes_fade(void **state)
{
	static const uint32_t periods[] = {8, 64, 100, 256, 1024, 8192};

	for (unsigned i = 0; i < ARRAY_SIZE(periods); i++) {
		struct sim *sim = sim_new(1, 48000, periods[i], NULL);
		struct sim_box *sb = &sim->boxes[0];
		struct level_probe probe = {0};

		play_level(sim, &probe);
		for (unsigned n = 0; n < 6; n++) {
			set_mutes(sim, true);
			sim_run(sim, NSEC_PER_SEC);
			for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
				assert_int_equal(sim_status(sim, 0).gain[k], ETHLINK_GAIN_MUTE);
			}
			assert_true(probe.last == 0);
			set_mutes(sim, false);
			sim_run(sim, NSEC_PER_SEC);
			assert_true(probe.last == 0.5);
		}
		for (unsigned n = 0; n < 100; n++) {
			set_mutes(sim, n % 2);
			sim_run(sim, (int64_t)(n % 23) * 3 * NSEC_PER_MSEC);
		}
		sim_run(sim, NSEC_PER_SEC);
		assert_int_equal(engine_dac_report(sb->dac)->starts, 1);
		assert_int_equal(sim_status(sim, 0).counts.frames_lost, 0);
		assert_true(probe.largest_step < 0.5 / 470 && probe.largest == 0.5);
		assert_true(sb->gain_gap_min_ns >= NSEC_PER_MSEC);
		sim_free(sim);
	}
}

static void test_monitor_ports(void **state)
{
	struct sim *sim = sim_new(1, 48000, 100, NULL);
	struct pattern_source src = {.playing = true};
	float *out[AUDIO_CHANNELS];

	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		out[k] = malloc(100 * sizeof(float));
		memset(out[k], 0xff, 100 * sizeof(float));
	}
	sim->source = play_pattern;
	sim->user = &src;
	backend_null_set_buffers(sim->boxes[0].group, (const float *const *)sim->boxes[0].in, out);
	sim_cycle(sim); /* no box needed for it */
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		assert_memory_equal(out[k], sim->boxes[0].in[k], 100 * sizeof(float));
		free(out[k]);
	}
	backend_null_set_buffers(sim->boxes[0].group, NULL, NULL);
	sim_free(sim);
}

/* Boxes come and go while others play: not one of their blocks is touched. */
static void test_others_play_on(void **state)
{
	struct sim *sim = sim_new(4, 48000, 64, NULL);
	struct pattern_source src = {0};

	sim->source = play_pattern;
	sim->user = &src;
	sim_configure(sim, POLICY_LATENCY_AUTO, true);
	sim_run(sim, 500 * NSEC_PER_MSEC);
	src.playing = true;
	for (unsigned n = 0; n < 20; n++) {
		sim_run_dac(sim, &sim->boxes[3], n % 2);
		assert_int_equal(
			engine_dac_set_wire(sim->engine, sim->boxes[2].dac, n % 3 ? NULL : sim->wire), 0);
		sim_run(sim, 70 * NSEC_PER_MSEC);
	}
	assert_int_equal(engine_collect(sim->engine), 0);
	src.playing = false;
	sim_run(sim, 400 * NSEC_PER_MSEC);
	for (unsigned i = 0; i < 2; i++) {
		struct box_status st = sim_status(sim, i);

		assert_int_equal(st.pattern.breaks, 0);
		assert_int_equal(st.counts.zero_blocks_mid_audio, 0);
		assert_int_equal(st.counts.frames_lost, 0);
		assert_int_equal(st.pattern.blocks * 8, src.per_box[i]);
	}
	sim_free(sim);
}

/* The interface or the server goes away in the middle of the audio: the next stream starts from silence. */
static void test_abort(void **state)
{
	struct sim *sim = sim_new(1, 48000, 100, NULL);
	struct sim_box *sb = &sim->boxes[0];
	struct level_probe probe = {0};

	sim->source = play_dc;
	sim_configure(sim, POLICY_LATENCY_AUTO, true);
	sim_run(sim, 500 * NSEC_PER_MSEC);
	assert_int_equal(engine_dac_mode(sb->dac), DAC_RUNNING);
	for (unsigned i = 0; i < 3; i++) {
		if (i == 0) {
			assert_int_equal(engine_wire_set_ring(sim->wire, NULL, NULL, NULL), 0);
		} else if (i == 1) {
			assert_int_equal(engine_dac_set_wire(sim->engine, sb->dac, NULL), 0);
		} else {
			backend_stop(sim->backend);
			engine_set_running(sim->engine, false);
		}
		sim_cycle(sim);
		assert_int_equal(engine_dac_mode(sb->dac), DAC_IDLE);
		sim_run(sim, 500 * NSEC_PER_MSEC);
		sim_settle(sim);
		memset(&probe, 0, sizeof(probe));
		sb->on_block = watch_level;
		sb->user = &probe;
		if (i == 2) {
			engine_set_running(sim->engine, true);
			backend_start(sim->backend);
			backend_run(sim->backend);
		}
		assert_int_equal(engine_dac_set_wire(sim->engine, sb->dac, sim->wire), 0);
		sim_configure(sim, POLICY_LATENCY_AUTO, true);
		sim_run(sim, 500 * NSEC_PER_MSEC);
		sim_settle(sim);
		assert_true(probe.largest_step < 0.5 / 470 && probe.largest == 0.5);
		sb->on_block = NULL;
	}
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_periods),
		cmocka_unit_test(test_latencies),
		cmocka_unit_test(test_many_boxes),
		cmocka_unit_test(test_blocks_are_interleaved_over_boxes),
		cmocka_unit_test(test_latency_is_exact),
		cmocka_unit_test(test_late_callbacks),
		cmocka_unit_test(test_late_callbacks_from_the_start),
		cmocka_unit_test(test_unsupported_sends_nothing),
		cmocka_unit_test(test_freewheel),
		cmocka_unit_test(test_fades_without_steps),
		cmocka_unit_test(test_period_changes_at_once),
		cmocka_unit_test(test_rate_changes),
		cmocka_unit_test(test_standstill),
		cmocka_unit_test(test_ring_swap),
		cmocka_unit_test(test_thread_sends),
		cmocka_unit_test(test_sender_changes),
		cmocka_unit_test(test_new_params_before_the_cycle),
		cmocka_unit_test(test_gains_one_by_one),
		cmocka_unit_test(test_mutes_fade),
		cmocka_unit_test(test_interface_fails),
		cmocka_unit_test(test_ring_full),
		cmocka_unit_test(test_xrun_restores_cushion),
		cmocka_unit_test(test_xruns_among_late_callbacks),
		cmocka_unit_test(test_peaks),
		cmocka_unit_test(test_monitor_ports),
		cmocka_unit_test(test_others_play_on),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_hours_of_random_periods),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
