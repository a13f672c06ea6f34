/* The slot of a NetVST server and a DAW whose clock is another: hours without a step but for what is counted. */
#include "sim/slot-sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void drift(
	uint32_t period, uint32_t block, double ppm, int64_t jitter_ns, double seconds, enum pace pace)
{
	struct world *w = world_new(period, block, ppm);
	const struct insert_report *r = report_of(w);
	double demanded = fabs(ppm) * 1e-6 * RATE * seconds / 4;
	uint64_t least, at_begin, late_begin;
	char what[32];

	w->jitter_ns = jitter_ns;
	w->pace = pace;
	connect_daw(w);
	run(w, 2);
	at_begin = standing(w);
	late_begin = w->late;
	w->fill_max = 0;
	run(w, seconds - 2);
	snprintf(what, sizeof(what), "%+4.0f ppm", ppm);
	say(w, what);
	assert_int_equal(r->resyncs, 0);
	assert_int_equal(r->overruns, 0);
	assert_int_equal(late_begin, 0);
	assert_int_equal(w->late, 0);
	assert_in_range(standing(w) + 8, at_begin, at_begin + 16);
	least = r->playing ? r->fill_frames : 0;
	assert_true(least > 0);
	/* A block, a period not taken yet, the slack and the jitter. */
	assert_in_range(w->fill_max, 1, block + period + 96 * 5 / 2);
	/* The slack may move by so much before it is held. */
	assert_true((double)r->corrections < demanded + 0.02 * demanded + 12);
	assert_true((double)r->corrections > demanded - 0.02 * demanded - 40);
	assert_true(ppm == 0 || (ppm > 0 ? r->repeated_frames < 48 : r->dropped_frames < 48));
	assert_true(w->heard.step < STEP_MAX);
	assert_true(w->replied.step < STEP_MAX);
	assert_true(w->heard.frames > (uint64_t)((seconds - 1) * RATE * 0.99));
	world_free(w);
}

#ifndef SECONDS
#define SECONDS 60
#endif

/* Sanitizers take their time, and look at something else. */
static double seconds_of_test(double usual)
{
	const char *sanitizers = getenv("SANITIZERS");

	return sanitizers && strcmp(sanitizers, "yes") == 0 ? usual / 10 : usual;
}

static void test_drift(void **state)
{
	static const uint32_t periods[] = {32, 64, 256, 441, 1024};
	static const uint32_t blocks[] = {64, 100, 512, 2048};
	static const double ppms[] = {-200, 0, 50, 200};
	double seconds = seconds_of_test(SECONDS);

	(void)state;
	for (unsigned p = 0; p < ARRAY_SIZE(periods); p++) {
		for (unsigned b = 0; b < ARRAY_SIZE(blocks); b++) {
			for (unsigned i = 0; i < ARRAY_SIZE(ppms); i++) {
				drift(periods[p], blocks[b], ppms[i], i % 2 ? 1500 * NSEC_PER_USEC : 0,
					seconds, b % 2 ? WAITS : FREE);
			}
		}
	}
	for (unsigned i = 0; i < ARRAY_SIZE(ppms); i++) {
		bool odd = i % 2;

		drift(odd ? 64 : 1024, odd ? 512 : 1024, ppms[i], 1500 * NSEC_PER_USEC, 10 * seconds,
			odd ? WAITS : FREE);
	}
}

static void test_drift_hour(void **state)
{
	(void)state;
	drift(64, 64, 200, 1500 * NSEC_PER_USEC, seconds_of_test(3600), WAITS);
	drift(256, 512, -200, 1500 * NSEC_PER_USEC, seconds_of_test(3600), FREE);
}

/* Outside corrections a pure delay, in them a slope of 1 and a little; all that is missing or twice there was counted. */
static void corrections(uint32_t period, uint32_t block, double ppm)
{
	struct world *w = world_new(period, block, ppm);
	const struct insert_report *r = report_of(w);
	double moved, delay, reply_delay, tolerance = 4.0 / FADE + 0.01;

	w->content = NUMBERS;
	connect_daw(w);
	run(w, 1);
	assert_int_equal(r->corrections, 0);
	assert_true(r->playing);
	delay = (double)w->graph_frame - w->heard.last;
	reply_delay = (double)w->answered - w->replied.last;
	w->heard.after = w->heard.seen;
	w->replied.after = w->replied.seen;
	w->heard.slope_least = w->replied.slope_least = 1;
	w->heard.jumps = w->replied.jumps = 0;
	run(w, 60);
	/* Until one that goes on is over. */
	while (w->heard.last != floor(w->heard.last) || w->replied.last != floor(w->replied.last)) {
		run(w, 0.005);
	}
	assert_int_equal(r->resyncs, 0);
	assert_in_range(r->corrections, 100, 160);
	assert_int_equal(r->dropped_frames + r->repeated_frames, 4 * r->corrections);
	moved = (double)r->dropped_frames - (double)r->repeated_frames;
	assert_true(behind(delay, (double)w->graph_frame - w->heard.last) == moved);
	/* What was left out in one direction was repeated in the other. */
	assert_true(behind((double)w->answered - w->replied.last, reply_delay) == moved);
	assert_true(w->heard.jumps <= 61 * RATE / NUMBERS_END + 240);
	assert_true(w->replied.jumps <= 61 * RATE / NUMBERS_END + 240);
	assert_true(w->heard.slope_least > 1 - tolerance && w->heard.slope_most < 1 + tolerance);
	assert_true(w->replied.slope_least > 1 - tolerance && w->replied.slope_most < 1 + tolerance);
	world_free(w);
}

static void test_corrections(void **state)
{
	(void)state;
	for (int sign = -1; sign <= 1; sign += 2) {
		corrections(64, 64, sign * 200);
		corrections(8, 100, sign * 200);
		corrections(441, 512, sign * 200);
		corrections(1024, 256, sign * 200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drift),
		cmocka_unit_test(test_drift_hour),
		cmocka_unit_test(test_corrections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
