/* What the benchmarks conclude from the times of a box's frames: stream, queue, and which frames are a callback's. */
#include "tests/bench/wire-box.h"

#include "base/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RATE 80000 /* a block is 0.1 ms */
#define BLOCK_NS (100 * NSEC_PER_USEC)
#define T0 (1000 * NSEC_PER_SEC)
#define PERIOD 4 /* blocks */
#define PERIOD_NS (PERIOD * BLOCK_NS)

static struct wire_box box;

static int begin(void **state)
{
	wire_box_init(&box, 7, RATE, true);
	return 0;
}

static int end(void **state)
{
	wire_box_fini(&box);
	return 0;
}

static void frames(int64_t t_ns, unsigned n)
{
	while (n-- > 0) {
		assert_int_equal(wire_box_frame(&box, t_ns), 0);
	}
}

/* --- the stream and the queue --- */

static void test_probes(void **state)
{
	frames(T0, 1);
	frames(T0 + NSEC_PER_SEC, 1);
	assert_int_equal(box.first_ns, T0);
	assert_int_equal(box.stream_ns, 0);
	frames(T0 + 3 * NSEC_PER_SEC, 2);
	assert_int_equal(box.stream_ns, T0 + 3 * NSEC_PER_SEC);
	assert_int_equal(box.level, 2);
}

/* Three blocks ahead: as many blocks may be late, and no more. */
static void test_dry(void **state)
{
	static const struct {
		int64_t late_blocks;
		uint64_t dry;
		int64_t level_min;
	} cases[] = {{0, 0, 3}, {2, 0, 1}, {3, 0, 0}, {4, 1, 0}, {6, 3, 0}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t t_ns = T0;

		wire_box_fini(&box);
		wire_box_init(&box, 7, RATE, false);
		frames(t_ns, 4);
		wire_box_begin(&box);
		for (unsigned n = 0; n < 50; n++) {
			t_ns += BLOCK_NS;
			frames(t_ns, 1);
		}
		t_ns += BLOCK_NS;
		frames(t_ns + cases[i].late_blocks * BLOCK_NS, 1);
		assert_int_equal(box.dry, cases[i].dry);
		assert_int_equal(box.level_min, cases[i].level_min);
		assert_int_equal(box.level_max, 4);
		assert_int_equal(box.frames, 51);
	}
}

static void test_full(void **state)
{
	frames(T0, 1);
	wire_box_begin(&box);
	frames(T0, 130);
	assert_int_equal(box.level, 128);
	assert_int_equal(box.full, 3);
	wire_box_stop(&box);
	frames(T0, 1);
	assert_int_equal(box.full, 3);
	assert_int_equal(box.frames, 130);
}

/* --- callbacks --- */

#define CALLBACKS 60

/* A callback each period; the frames of callback `odd` come late_ns later and are `more` in number. */
static void play(struct callback_starts *starts, unsigned odd, int64_t late_ns, int more)
{
	for (unsigned c = 0; c < CALLBACKS; c++) {
		int64_t start_ns = T0 + c * PERIOD_NS;
		int64_t at_ns = start_ns + 10000 + (c == odd ? late_ns : 0);
		unsigned n = PERIOD + (unsigned)(c == odd ? more : 0);

		starts->at_ns[c] = start_ns;
		for (unsigned i = 0; i < n; i++) {
			frames(at_ns + i * 1000, 1);
		}
	}
	atomic_store(&starts->n, CALLBACKS);
}

static void grouped(unsigned odd, int64_t late_ns, int more, struct wire_groups *ret_groups)
{
	static int64_t last_ns[CALLBACKS];
	struct callback_starts *starts = calloc(1, sizeof(*starts));

	assert_non_null(starts);
	play(starts, odd, late_ns, more);
	memset(ret_groups, 0, sizeof(*ret_groups));
	memset(last_ns, 0, sizeof(last_ns));
	ret_groups->last_ns = last_ns;
	assert_true(wire_box_group(&box, starts, CALLBACKS, PERIOD, ret_groups));
	free(starts);
}

/* All but the first callback and the last. */
static void test_groups(void **state)
{
	static struct wire_groups groups;

	grouped(CALLBACKS, 0, 0, &groups);
	assert_int_equal(groups.last.total, CALLBACKS - 2);
	assert_int_equal(groups.irregular, 0);
	assert_int_equal(groups.first.max_ns, 10000);
	assert_int_equal(groups.last.max_ns, 13000);
	assert_int_equal(groups.last_ns[0], 0);
	assert_int_equal(groups.last_ns[1], T0 + PERIOD_NS + 13000);
	assert_int_equal(groups.last_ns[CALLBACKS - 1], 0);
}

/* Frames that come after the next callback has begun still are the one's before. */
static void test_late(void **state)
{
	static struct wire_groups groups;

	grouped(20, PERIOD_NS - 12000, 0, &groups);
	assert_int_equal(groups.last.total, CALLBACKS - 2);
	assert_int_equal(groups.irregular, 0);
	assert_int_equal(groups.last.max_ns, PERIOD_NS + 1000);
	assert_int_equal(groups.last_ns[21], T0 + 21 * PERIOD_NS + 13000);
}

/* With more of them, or fewer, nothing can be said of that callback; of those after it, it can. */
static void test_irregular(void **state)
{
	static struct wire_groups groups;

	for (int more = -3; more <= 3; more++) {
		if (more == 0) {
			continue;
		}
		wire_box_fini(&box);
		wire_box_init(&box, 7, RATE, true);
		grouped(20, 0, more, &groups);
		assert_true(groups.irregular > 0);
		assert_true(groups.irregular < 20);
		assert_true(groups.last.total + groups.irregular >= CALLBACKS - 3);
		assert_int_equal(groups.last_ns[45], T0 + 45 * PERIOD_NS + 13000);
		assert_int_equal(histogram_quantile_ns(&groups.last, 0.5) / 1000, 13);
	}
}

static void test_no_periods(void **state)
{
	static struct wire_groups groups;
	static int64_t last_ns[CALLBACKS];
	struct callback_starts *starts = calloc(1, sizeof(*starts));

	assert_non_null(starts);
	play(starts, CALLBACKS, 0, 0);
	groups.last_ns = last_ns;
	assert_false(wire_box_group(&box, starts, CALLBACKS, PERIOD + 1, &groups));
	assert_false(wire_box_group(&box, starts, 2, PERIOD, &groups));
	free(starts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_probes, begin, end),
		cmocka_unit_test_setup_teardown(test_dry, begin, end),
		cmocka_unit_test_setup_teardown(test_full, begin, end),
		cmocka_unit_test_setup_teardown(test_groups, begin, end),
		cmocka_unit_test_setup_teardown(test_late, begin, end),
		cmocka_unit_test_setup_teardown(test_irregular, begin, end),
		cmocka_unit_test_setup_teardown(test_no_periods, begin, end),
	};

	return cmocka_run_group_tests_name("wire-box", tests, NULL, NULL);
}
