/* Peaks for those who look at different times, and the hold. */
#include "daemon/meters.h"

#include "base/util.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW (1000 * NSEC_PER_SEC)

/* The same level on all channels but the last, which is silent. */
static void feed(struct meters *m, float level, int64_t now)
{
	float peak[ETHLINK_CHANNELS];

	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		peak[k] = k == ETHLINK_CHANNELS - 1 ? 0.0f : level;
	}
	meters_feed(m, peak, now);
}

static void assert_peaks(const float peak[ETHLINK_CHANNELS], float level)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS - 1; k++) {
		assert_float_equal(peak[k], level, 0);
	}
	assert_float_equal(peak[ETHLINK_CHANNELS - 1], 0, 0);
}

static void test_each_gets_its_own(void **state)
{
	struct meters m = {0};
	float peak[ETHLINK_CHANNELS];

	feed(&m, 0.25f, NOW);
	feed(&m, 0.5f, NOW + 1);
	feed(&m, 0.125f, NOW + 2);
	meters_take_status(&m, peak);
	assert_peaks(peak, 0.5f);
	meters_take_status(&m, peak);
	assert_peaks(peak, 0);
	feed(&m, 0.25f, NOW + 3);
	meters_take_signal(&m, peak);
	assert_peaks(peak, 0.5f);
	meters_take_signal(&m, peak);
	assert_peaks(peak, 0);
	meters_take_status(&m, peak);
	assert_peaks(peak, 0.25f);
}

static void test_hold(void **state)
{
	struct meters m = {0};
	float peak[ETHLINK_CHANNELS];

	meters_hold(&m, NOW, peak);
	assert_peaks(peak, 0);
	feed(&m, 0.5f, NOW);
	feed(&m, 0.25f, NOW + NSEC_PER_SEC);
	meters_hold(&m, NOW + NSEC_PER_SEC, peak);
	assert_peaks(peak, 0.5f);
	/* Whoever looks takes nothing away. */
	meters_hold(&m, NOW + 1999 * NSEC_PER_MSEC, peak);
	assert_peaks(peak, 0.5f);
	meters_hold(&m, NOW + 2 * NSEC_PER_SEC, peak);
	assert_peaks(peak, 0.25f);
	meters_hold(&m, NOW + 3 * NSEC_PER_SEC, peak);
	assert_peaks(peak, 0);
}

/* The same place in the ring, two seconds later. */
static void test_hold_forgets(void **state)
{
	struct meters m = {0};
	float peak[ETHLINK_CHANNELS];

	feed(&m, 0.5f, NOW);
	feed(&m, 0.125f, NOW + METERS_SLOTS * METERS_SLOT_NS);
	meters_hold(&m, NOW + METERS_SLOTS * METERS_SLOT_NS, peak);
	assert_peaks(peak, 0.125f);
}

static void test_dbfs(void **state)
{
	assert_float_equal(meters_dbfs(1.0f), 0, 0);
	assert_float_equal(meters_dbfs(0.5f), -6.0206, 1e-4);
	assert_float_equal(meters_dbfs(2.0f), 6.0206, 1e-4);
	assert_true(isinf(meters_dbfs(0)) && meters_dbfs(0) < 0);
	assert_true(isfinite(meters_dbfs(INFINITY)) && meters_dbfs(INFINITY) > 700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_gets_its_own),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_hold_forgets),
		cmocka_unit_test(test_dbfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
