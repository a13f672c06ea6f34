/* Which bin a duration falls into, and which quantile the bins give back. */
#include "base/hist.h"
#include "base/util.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_floors(void **state)
{
	assert_int_equal(hist_bin_floor_ns(0), 0);
	assert_int_equal(hist_bin_floor_ns(1), 256);
	assert_int_equal(hist_bin_floor_ns(2), 320);
	assert_int_equal(hist_bin_floor_ns(3), 384);
	assert_int_equal(hist_bin_floor_ns(4), 448);
	assert_int_equal(hist_bin_floor_ns(5), 512);
	for (unsigned i = 1; i < HIST_BINS; i++) {
		int64_t floor = hist_bin_floor_ns(i), last = hist_bin_floor_ns(i - 1);

		assert_true(floor > last);
		assert_true(i == 1 || (floor - last) * 4 <= last);
		assert_int_equal(hist_bin(floor), i);
		assert_int_equal(hist_bin(floor - 1), i - 1);
	}
	/* A tenth of a second still has a bin of its own. */
	assert_true(hist_bin(100 * NSEC_PER_MSEC) < HIST_BINS - 1);
}

static void test_ends(void **state)
{
	assert_int_equal(hist_bin(INT64_MIN), 0);
	assert_int_equal(hist_bin(-1), 0);
	assert_int_equal(hist_bin(0), 0);
	assert_int_equal(hist_bin(255), 0);
	assert_int_equal(hist_bin(256), 1);
	assert_int_equal(hist_bin(NSEC_PER_SEC), HIST_BINS - 1);
	assert_int_equal(hist_bin(INT64_MAX), HIST_BINS - 1);
}

static void test_add(void **state)
{
	struct hist h = {0};

	hist_add_rt(&h, -5);
	assert_int_equal(h.max_ns, 0);
	hist_add_rt(&h, 300);
	hist_add_rt(&h, 310);
	hist_add_rt(&h, 5 * NSEC_PER_SEC);
	hist_add_rt(&h, 1000);
	assert_int_equal(h.bin[0], 1);
	assert_int_equal(h.bin[1], 2);
	assert_int_equal(h.bin[hist_bin(1000)], 1);
	assert_int_equal(h.bin[HIST_BINS - 1], 1);
	assert_int_equal(h.max_ns, 5 * NSEC_PER_SEC);
}

static void *add_many(void *data)
{
	for (int i = 1; i <= 100000; i++) {
		hist_add_shared_rt(data, i);
	}
	return NULL;
}

/* Two threads at a time lose nothing. */
static void test_add_shared(void **state)
{
	pthread_t threads[2];
	struct hist h = {0};
	uint64_t total = 0;

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, &h), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
	}
	for (unsigned bin = 0; bin < HIST_BINS; bin++) {
		total += h.bin[bin];
	}
	assert_int_equal(total, 200000);
	assert_int_equal(h.bin[0], 2 * 255);
	assert_int_equal(h.max_ns, 100000);
	hist_add_shared_rt(&h, -1);
	assert_int_equal(h.bin[0], 2 * 255 + 1);
	assert_int_equal(h.max_ns, 100000);
}

static void test_quantile(void **state)
{
	uint64_t bins[HIST_BINS] = {0};

	assert_int_equal(hist_quantile_ns(bins, 0.5), 0);
	/* A single one is every quantile; what is given is the edge above it. */
	bins[10] = 1;
	assert_int_equal(hist_quantile_ns(bins, 0), hist_bin_floor_ns(11));
	assert_int_equal(hist_quantile_ns(bins, 0.99), hist_bin_floor_ns(11));
	assert_int_equal(hist_quantile_ns(bins, 1), hist_bin_floor_ns(11));
	/* Of 1000, ten take longer: 99 % do not. */
	bins[10] = 990;
	bins[40] = 9;
	bins[60] = 1;
	assert_int_equal(hist_quantile_ns(bins, 0.5), hist_bin_floor_ns(11));
	assert_int_equal(hist_quantile_ns(bins, 0.99), hist_bin_floor_ns(11));
	assert_int_equal(hist_quantile_ns(bins, 0.991), hist_bin_floor_ns(41));
	assert_int_equal(hist_quantile_ns(bins, 0.999), hist_bin_floor_ns(41));
	assert_int_equal(hist_quantile_ns(bins, 1), hist_bin_floor_ns(61));
}

/* Quantiles of durations that are spread evenly: right to a quarter, and never too short. */
static void test_accuracy(void **state)
{
	static struct hist h;
	uint64_t bins[HIST_BINS];
	const unsigned n = 100000;

	for (unsigned i = 1; i <= n; i++) {
		hist_add_rt(&h, (int64_t)i * 1000);
	}
	for (unsigned i = 0; i < HIST_BINS; i++) {
		bins[i] = h.bin[i];
	}
	for (unsigned percent = 1; percent <= 100; percent++) {
		int64_t right = (int64_t)n * percent / 100 * 1000;
		int64_t q = hist_quantile_ns(bins, percent / 100.0);

		assert_true(q >= right && q <= right + right / 4 + 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floors),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_add_shared),
		cmocka_unit_test(test_quantile),
		cmocka_unit_test(test_accuracy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
