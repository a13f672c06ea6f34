/* How much goes ahead, and what must be paced: the arithmetic at every period and latency. */
#include "engine/policy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_every_period(void **state)
{
	static const uint32_t rates[] = {44100, 48000, 88200, 96000};

	for (unsigned r = 0; r < 4; r++) {
		for (uint32_t period = 8; period <= 8192; period++) {
			struct policy p;
			unsigned blocks = (period + 7) / 8;

			assert_int_equal(policy_make(period, rates[r], POLICY_LATENCY_AUTO, &p), 0);
			assert_in_range(p.lead_blocks, 1, POLICY_FILL_MAX_BLOCKS);
			assert_int_equal(p.latency_frames, p.lead_blocks * 8);
			/* What stands in the box and what comes at once never exceed what it can hold. */
			if (p.paced) {
				assert_true(p.lead_blocks + p.burst_blocks <= POLICY_FILL_MAX_BLOCKS);
				assert_true(p.burst_blocks > 0);
			} else {
				assert_true(p.lead_blocks + blocks <= POLICY_FILL_MAX_BLOCKS);
			}
			if (period <= 512) {
				assert_false(p.paced);
			}
			assert_true(p.slots >= 2 * (p.lead_blocks + period / 8));
			assert_true(p.slots >= POLICY_SLOTS_MIN);
			/* A callback that ends as late as it may without an xrun finds the box still playing. */
			if (period <= 320) {
				assert_true(p.latency_frames >= period + rates[r] / 500 ||
					    p.latency_frames >= 3 * period / 2);
			}
		}
	}
}

static void test_latency_is_what_was_asked_for(void **state)
{
	for (int latency = 0; latency <= POLICY_LATENCY_MAX_FRAMES; latency++) {
		struct policy p;

		assert_int_equal(policy_make(64, 48000, latency, &p), 0);
		assert_in_range(p.latency_frames, latency, latency + 7);
		/* Of a period of 100, up to 7 frames wait on our side. */
		assert_int_equal(policy_make(100, 48000, latency, &p), 0);
		if (latency <= POLICY_LATENCY_MAX_FRAMES - 7) {
			assert_in_range(p.latency_frames, latency + 7, latency + 14);
		}
	}
}

/* Where it is very much a thread sends; never where it would have to share the only core. */
static void test_threads(void **state)
{
	assert_false(policy_threaded(1, 48000, 8));
	assert_false(policy_threaded(32, 48000, 2));
	assert_false(policy_threaded(22, 96000, 2));
	assert_false(policy_threaded(23, 88200, 2));
	assert_true(policy_threaded(24, 88200, 2));
	assert_true(policy_threaded(32, 96000, 2));
	assert_false(policy_threaded(32, 96000, 1));
	assert_false(policy_threaded(0, 0, 2));
}

/* Where periods vary the cushion is the same, and room is made for the longest. */
static void test_varying(void **state)
{
	static const uint32_t rates[] = {44100, 48000, 88200, 96000};

	for (unsigned r = 0; r < 4; r++) {
		for (uint32_t period = 8; period <= 8192; period++) {
			uint32_t longest = policy_longest(period);
			struct policy fixed, p;

			assert_int_equal(longest, period <= 2048 ? 2048 : 8192);
			assert_int_equal(policy_make(period, rates[r], POLICY_LATENCY_AUTO, &fixed), 0);
			assert_int_equal(policy_make_varying(period, rates[r], POLICY_LATENCY_AUTO, &p), 0);
			assert_int_equal(p.lead_blocks, fixed.lead_blocks);
			assert_int_equal(p.latency_frames, fixed.latency_frames);
			assert_int_equal(p.burst_blocks, fixed.burst_blocks);
			/* No box takes so many at once. */
			assert_true(p.paced);
			assert_true(p.slots >= 2 * (p.lead_blocks + longest / 8));
		}
	}
}

static void test_refused(void **state)
{
	struct policy p;

	assert_int_equal(policy_make(7, 48000, 64, &p), -EINVAL);
	assert_int_equal(policy_make(0, 48000, 64, &p), -EINVAL);
	assert_int_equal(policy_make(8193, 48000, 64, &p), -EINVAL);
	assert_int_equal(policy_make(64, 32000, 64, &p), -EINVAL);
	assert_int_equal(policy_make(64, 0, 64, &p), -EINVAL);
	assert_int_equal(policy_make(64, 48000, -2, &p), -EINVAL);
	assert_int_equal(policy_make(64, 48000, 961, &p), -EINVAL);
	assert_int_equal(policy_make_varying(7, 48000, 64, &p), -EINVAL);
	assert_int_equal(policy_make_varying(64, 32000, 64, &p), -EINVAL);
	assert_int_equal(policy_make_varying(64, 48000, 961, &p), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_period),
		cmocka_unit_test(test_latency_is_what_was_asked_for),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_varying),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
