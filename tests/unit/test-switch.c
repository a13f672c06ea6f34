/* The switch of the benchmarks' simulation: cases small enough to be worked out with a pencil. */
#include "bench/switch-model.h"

#include "base/util.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A frame takes 2.752 us on the host's link, and ten times that on a box's. */
#define IN_NS 2752
#define OUT_NS 27520

static struct switch_result simulate(unsigned boxes, uint32_t period, enum switch_order order)
{
	struct switch_case c = {.boxes = boxes, .period_frames = period, .rate_hz = 48000, .order = order};
	struct switch_result r;

	assert_int_equal(switch_simulate(&c, &r), 0);
	assert_true(r.fits);
	assert_int_equal(r.depth[1].all, 0);
	return r;
}

static void assert_depth(const struct switch_depth *depth, unsigned port, unsigned all)
{
	assert_int_equal(depth->port, port);
	assert_int_equal(depth->all, all);
}

static void test_one_box(void **state)
{
	struct switch_result r = simulate(1, 64, SWITCH_BLOCKS);

	/* The eighth frame is there when the first is still being sent. */
	assert_depth(&r.depth[0], 8, 8);
	assert_int_equal(r.begun_ns, IN_NS + OUT_NS);
	assert_int_equal(r.first_done_ns, IN_NS + 8 * OUT_NS);
	assert_int_equal(r.all_done_ns, IN_NS + 8 * OUT_NS);
	assert_int_equal(r.cushion_ns, IN_NS + OUT_NS);
	/* 128 frames come in 128 x 2752 ns; 12 of them have left by then. */
	r = simulate(1, 1024, SWITCH_BLOCKS);
	assert_depth(&r.depth[0], 116, 116);
	assert_int_equal(r.all_done_ns, IN_NS + 128 * OUT_NS);
}

static void test_two_boxes(void **state)
{
	/* Box 0's two frames come after 1 and 2 times on the link, box 1's after 3 and 4. */
	struct switch_result r = simulate(2, 16, SWITCH_BOXES);

	assert_depth(&r.depth[0], 2, 4);
	assert_int_equal(r.begun_ns, 3 * IN_NS + OUT_NS);
	assert_int_equal(r.first_done_ns, IN_NS + 2 * OUT_NS);
	assert_int_equal(r.all_done_ns, 3 * IN_NS + 2 * OUT_NS);
	assert_int_equal(r.cushion_ns, 3 * IN_NS + OUT_NS);
	/* In turns, box 1's come after 2 and 4. */
	r = simulate(2, 16, SWITCH_BLOCKS);
	assert_depth(&r.depth[0], 2, 4);
	assert_int_equal(r.begun_ns, 2 * IN_NS + OUT_NS);
	assert_int_equal(r.first_done_ns, IN_NS + 2 * OUT_NS);
	assert_int_equal(r.all_done_ns, 2 * IN_NS + 2 * OUT_NS);
	assert_int_equal(r.cushion_ns, 2 * IN_NS + OUT_NS);
}

/* Ten boxes take as much as a gigabit brings: from there on, a box's frame has left when its next one comes. */
static void test_ten_boxes(void **state)
{
	struct switch_result r = simulate(10, 1024, SWITCH_BLOCKS);

	assert_depth(&r.depth[0], 1, 10);
	r = simulate(32, 1024, SWITCH_BLOCKS);
	assert_depth(&r.depth[0], 1, 10);
	assert_int_equal(r.begun_ns, 32 * IN_NS + OUT_NS);
	assert_int_equal(r.all_done_ns, 32 * 128 * IN_NS + OUT_NS);
	/* Of box 0's frames the last comes after 127 x 9 + 1 times on the link; by then 114 have left. */
	r = simulate(9, 1024, SWITCH_BLOCKS);
	assert_int_equal(r.depth[0].port, 14);
}

static void test_box_by_box(void **state)
{
	struct switch_result r = simulate(32, 1024, SWITCH_BOXES);

	/*
	 * All queues are deepest when the eleventh box has all of its frames: 1408 have come, and of the boxes
	 * 128, 127, 115, 102, 89, 76, 63, 51, 38, 25 and 12 have left.
	 */
	assert_depth(&r.depth[0], 116, 582);
	assert_int_equal(r.begun_ns, (31 * 128 + 1) * IN_NS + OUT_NS);
	assert_int_equal(r.first_done_ns, IN_NS + 128 * OUT_NS);
	assert_int_equal(r.all_done_ns, (31 * 128 + 1) * IN_NS + 128 * OUT_NS);
	assert_int_equal(r.cushion_ns, r.begun_ns);
}

/* At 48 kHz a millisecond is six blocks. */
static void test_paced(void **state)
{
	struct switch_result r = simulate(1, 64, SWITCH_PACED);

	assert_depth(&r.depth[0], 6, 6);
	assert_int_equal(r.all_done_ns, NSEC_PER_MSEC + IN_NS + 2 * OUT_NS);
	r = simulate(2, 128, SWITCH_PACED);
	assert_int_equal(r.all_done_ns, 2 * NSEC_PER_MSEC + 2 * IN_NS + 4 * OUT_NS);
}

/* A box that has 60 blocks takes 60 more at once; the other 68 of a period of 1024 come in twelve parts. */
static void test_daemon(void **state)
{
	struct switch_result r = simulate(1, 1024, SWITCH_DAEMON), plain;

	assert_depth(&r.depth[0], 55, 55);
	assert_int_equal(r.all_done_ns, 12 * NSEC_PER_MSEC + IN_NS + 2 * OUT_NS);
	/* A shorter period goes as one. */
	r = simulate(8, 256, SWITCH_DAEMON);
	plain = simulate(8, 256, SWITCH_BLOCKS);
	assert_memory_equal(&r, &plain, sizeof(r));
}

static void test_random(void **state)
{
	struct switch_result r = simulate(8, 256, SWITCH_RANDOM), again = simulate(8, 256, SWITCH_RANDOM);
	struct switch_result blocks = simulate(8, 256, SWITCH_BLOCKS), boxes = simulate(8, 256, SWITCH_BOXES);

	assert_memory_equal(&r, &again, sizeof(r));
	assert_in_range(r.depth[0].port, blocks.depth[0].port + 1, boxes.depth[0].port - 1);
	assert_in_range(r.depth[0].all, blocks.depth[0].all, boxes.depth[0].all);
	/* No frame is lost or comes twice: the link is busy for as long, and one box at least ends with the last. */
	assert_true(r.all_done_ns >= 256 * IN_NS + OUT_NS);
	/* One box has no other order. */
	r = simulate(1, 64, SWITCH_RANDOM);
	blocks = simulate(1, 64, SWITCH_BLOCKS);
	assert_memory_equal(&r, &blocks, sizeof(r));
}

/* The port to the second switch has both boxes' frames; the second one gets them no faster than it can pass them on. */
static void test_uplink(void **state)
{
	struct switch_case c = {
		.boxes = 2, .period_frames = 16, .rate_hz = 48000, .order = SWITCH_BLOCKS, .uplink = true};
	struct switch_result r;

	assert_int_equal(switch_simulate(&c, &r), 0);
	assert_true(r.fits);
	assert_depth(&r.depth[0], 4, 4);
	assert_depth(&r.depth[1], 1, 1);
	assert_int_equal(r.begun_ns, IN_NS + 3 * OUT_NS);
	assert_int_equal(r.first_done_ns, IN_NS + 4 * OUT_NS);
	assert_int_equal(r.all_done_ns, IN_NS + 5 * OUT_NS);
}

static void test_slow_host(void **state)
{
	struct switch_case c = {.boxes = 1, .period_frames = 64, .rate_hz = 48000, .handing_ns = OUT_NS};
	struct switch_result r;

	assert_int_equal(switch_simulate(&c, &r), 0);
	assert_depth(&r.depth[0], 1, 1);
	/* Twice as fast as the box's link: when the eighth comes, three have left. */
	c.handing_ns = OUT_NS / 2;
	assert_int_equal(switch_simulate(&c, &r), 0);
	assert_depth(&r.depth[0], 5, 5);
}

/* Frames x 344 bytes against the link: 32 boxes at 96 kHz are 1057 Mbit/s, 7 at 48 kHz are 116. */
static void test_fits(void **state)
{
	static const struct {
		unsigned boxes;
		uint32_t rate_hz;
		bool uplink, fits;
		int per_mille;
	} cases[] = {
		{32, 48000, false, true, 528},
		{32, 96000, false, false, 1057},
		{30, 96000, false, true, 991},
		{31, 96000, false, false, 1024},
		{6, 48000, true, true, 991},
		{7, 48000, true, false, 1156},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct switch_case c = {.boxes = cases[i].boxes,
			.period_frames = 64,
			.rate_hz = cases[i].rate_hz,
			.uplink = cases[i].uplink};
		struct switch_result r;

		assert_int_equal(switch_simulate(&c, &r), 0);
		assert_int_equal(r.fits, cases[i].fits);
		assert_int_equal((int)(r.load_percent * 10 + 0.5), cases[i].per_mille);
	}
}

static void test_refused(void **state)
{
	static const struct switch_case good = {.boxes = 1, .period_frames = 64, .rate_hz = 48000};
	struct switch_case c[] = {good, good, good, good, good};
	struct switch_result r;

	c[0].boxes = 0;
	c[1].boxes = SWITCH_BOXES_MAX + 1;
	c[2].period_frames = 12;
	c[3].rate_hz = 32000;
	c[4].order = SWITCH_ORDERS;
	for (unsigned i = 0; i < ARRAY_SIZE(c); i++) {
		assert_int_equal(switch_simulate(&c[i], &r), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_box),
		cmocka_unit_test(test_two_boxes),
		cmocka_unit_test(test_ten_boxes),
		cmocka_unit_test(test_box_by_box),
		cmocka_unit_test(test_paced),
		cmocka_unit_test(test_daemon),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_uplink),
		cmocka_unit_test(test_slow_host),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
