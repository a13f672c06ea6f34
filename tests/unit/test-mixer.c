/* The mixer without a terminal: what keys do, what is asked of the daemon and when, and where things stand. */
#include "base/util.h"
#include "ctl/mixer-layout.h"
#include "ctl/mixer-model.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS NSEC_PER_MSEC

/* --- a model with three boxes: stage, hall and mics, the last one an adc8 --- */

struct rig {
	struct client_device devices[3];
	struct mixer_model model;
	int64_t now;
};

static void sync_boxes(struct rig *rig, const char *order)
{
	const struct client_device *list[8];
	unsigned n = 0;

	for (; *order; order++) {
		list[n++] = &rig->devices[*order - '0'];
	}
	assert_int_equal(mixer_model_sync(&rig->model, list, n, NULL, 0), 0);
}

static void init_device(struct client_device *device, const char *name, const char *model, unsigned serial)
{
	client_device_init(device);
	device->name = strdup(name);
	device->model = strdup(model);
	device->interface = strdup("enp3s0");
	device->state = strdup("online");
	device->serial = serial;
	device->has_peaks = true;
}

static int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	init_device(&rig->devices[0], "stage", "dac8", 0);
	init_device(&rig->devices[1], "hall", "dac8", 1);
	init_device(&rig->devices[2], "mics", "adc8", 2);
	rig->devices[2].gain_min_db = 0;
	rig->devices[2].gain_max_db = 80;
	rig->now = 1000 * MS;
	rig->model.joined = true;
	sync_boxes(rig, "012");
	*state = rig;
	return 0;
}

static int rig_teardown(void **state)
{
	struct rig *rig = *state;

	mixer_model_fini(&rig->model);
	for (size_t i = 0; i < ARRAY_SIZE(rig->devices); i++) {
		client_device_fini(&rig->devices[i]);
	}
	free(rig);
	return 0;
}

static void press(struct rig *rig, enum mixer_key key, unsigned times)
{
	while (times-- > 0) {
		mixer_model_key(&rig->model, key);
	}
}

static const struct mixer_channel *at_cursor(const struct rig *rig)
{
	return &rig->model.boxes[rig->model.box].channels[rig->model.channel];
}

static int gain_shown(const struct rig *rig)
{
	return mixer_value_shown(&at_cursor(rig)->gain_db);
}

/* The next call is this one. */
static void check_call(
	struct rig *rig, enum mixer_call_kind kind, const char *device, unsigned channel, int value)
{
	struct mixer_call call;

	assert_true(mixer_model_next_call(&rig->model, rig->now, &call));
	assert_int_equal(call.kind, kind);
	assert_string_equal(call.device, device);
	assert_int_equal(call.channel, channel);
	assert_int_equal(call.value, value);
}

static void check_no_call(struct rig *rig)
{
	struct mixer_call call;

	assert_false(mixer_model_next_call(&rig->model, rig->now, &call));
}

static void check_cursor(const struct rig *rig, unsigned box, unsigned channel)
{
	assert_int_equal(rig->model.box, box);
	assert_int_equal(rig->model.channel, channel);
}

/* --- keys --- */

static void test_cursor(void **state)
{
	struct rig *rig = *state;

	check_cursor(rig, 0, 0);
	press(rig, MIXER_KEY_LEFT, 1);
	check_cursor(rig, 0, 0);
	press(rig, MIXER_KEY_RIGHT, 9);
	check_cursor(rig, 1, 1);
	press(rig, MIXER_KEY_LEFT, 2);
	check_cursor(rig, 0, 7);
	press(rig, MIXER_KEY_RIGHT, 99);
	check_cursor(rig, 2, 7);
	press(rig, MIXER_KEY_NEXT_BOX, 1);
	check_cursor(rig, 0, 7);
	press(rig, MIXER_KEY_PREVIOUS_BOX, 1);
	check_cursor(rig, 2, 7);
	press(rig, MIXER_KEY_FIRST, 1);
	check_cursor(rig, 2, 0);
	press(rig, MIXER_KEY_LAST, 1);
	check_cursor(rig, 2, 7);
	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		press(rig, (enum mixer_key)(MIXER_KEY_STRIP_1 + k), 1);
		check_cursor(rig, 2, k);
	}
	assert_true(mixer_model_select(&rig->model, 1, 3));
	check_cursor(rig, 1, 3);
	assert_false(mixer_model_select(&rig->model, 3, 3));
	assert_false(mixer_model_select(&rig->model, 0, 8));
	check_cursor(rig, 1, 3);
	check_no_call(rig);
}

static void test_gain_keys(void **state)
{
	struct rig *rig = *state;

	press(rig, MIXER_KEY_UP, 3);
	assert_int_equal(gain_shown(rig), 3);
	press(rig, MIXER_KEY_DOWN, 1);
	assert_int_equal(gain_shown(rig), 2);
	press(rig, MIXER_KEY_PAGE_UP, 1);
	assert_int_equal(gain_shown(rig), 8);
	press(rig, MIXER_KEY_PAGE_UP, 9);
	assert_int_equal(gain_shown(rig), 24);
	press(rig, MIXER_KEY_PAGE_DOWN, 99);
	assert_int_equal(gain_shown(rig), -56);
	press(rig, MIXER_KEY_ZERO, 1);
	assert_int_equal(gain_shown(rig), 0);
	/* The range is the box's own. */
	press(rig, MIXER_KEY_PREVIOUS_BOX, 1);
	press(rig, MIXER_KEY_DOWN, 1);
	assert_int_equal(gain_shown(rig), 0);
	press(rig, MIXER_KEY_PAGE_UP, 99);
	assert_int_equal(gain_shown(rig), 80);
	check_call(rig, MIXER_CALL_GAIN, "mics", 1, 80);
	check_no_call(rig);
}

static void test_help_and_quit(void **state)
{
	struct rig *rig = *state;

	press(rig, MIXER_KEY_HELP, 1);
	assert_true(rig->model.help);
	press(rig, MIXER_KEY_UP, 1);
	assert_false(rig->model.help);
	assert_int_equal(gain_shown(rig), 0);
	press(rig, MIXER_KEY_HELP, 1);
	press(rig, MIXER_KEY_QUIT, 1);
	assert_false(rig->model.help);
	assert_false(rig->model.quit);
	press(rig, MIXER_KEY_NONE, 1);
	assert_false(rig->model.quit);
	press(rig, MIXER_KEY_QUIT, 1);
	assert_true(rig->model.quit);
}

/* --- calls --- */

static void test_newest_only(void **state)
{
	struct rig *rig = *state;

	press(rig, MIXER_KEY_DOWN, 1);
	check_call(rig, MIXER_CALL_GAIN, "stage", 1, -1);
	assert_true(mixer_model_is_busy(&rig->model));
	press(rig, MIXER_KEY_DOWN, 20);
	check_no_call(rig);
	/* Something else of the box changes: that is no answer. */
	rig->devices[0].gain_db[5] = -6;
	sync_boxes(rig, "012");
	check_no_call(rig);
	assert_int_equal(gain_shown(rig), -21);
	rig->devices[0].gain_db[0] = -1;
	sync_boxes(rig, "012");
	assert_int_equal(gain_shown(rig), -21);
	check_call(rig, MIXER_CALL_GAIN, "stage", 1, -21);
	rig->devices[0].gain_db[0] = -21;
	sync_boxes(rig, "012");
	check_no_call(rig);
	assert_false(mixer_model_is_busy(&rig->model));
	assert_int_equal(gain_shown(rig), -21);
}

static void test_channels_do_not_wait_for_each_other(void **state)
{
	struct rig *rig = *state;

	press(rig, MIXER_KEY_UP, 1);
	check_call(rig, MIXER_CALL_GAIN, "stage", 1, 1);
	press(rig, MIXER_KEY_RIGHT, 1);
	press(rig, MIXER_KEY_UP, 2);
	check_call(rig, MIXER_CALL_GAIN, "stage", 2, 2);
	press(rig, MIXER_KEY_NEXT_BOX, 1);
	press(rig, MIXER_KEY_MUTE, 1);
	check_call(rig, MIXER_CALL_MUTE, "hall", 2, 1);
	check_no_call(rig);
}

static void test_back_before_sent(void **state)
{
	struct rig *rig = *state;

	press(rig, MIXER_KEY_UP, 1);
	press(rig, MIXER_KEY_DOWN, 1);
	press(rig, MIXER_KEY_MUTE, 2);
	check_no_call(rig);
	assert_false(mixer_model_is_busy(&rig->model));
}

/* Somebody else is faster, or has the last word: theirs is shown, and not fought. */
static void test_somebody_else(void **state)
{
	struct rig *rig = *state;

	press(rig, MIXER_KEY_UP, 1);
	check_call(rig, MIXER_CALL_GAIN, "stage", 1, 1);
	rig->devices[0].gain_db[0] = -30;
	sync_boxes(rig, "012");
	assert_int_equal(gain_shown(rig), -30);
	check_no_call(rig);
	rig->devices[0].gain_db[0] = 1;
	sync_boxes(rig, "012");
	assert_int_equal(gain_shown(rig), 1);
	rig->devices[0].gain_db[0] = 5;
	rig->devices[0].muted[0] = true;
	sync_boxes(rig, "012");
	assert_int_equal(gain_shown(rig), 5);
	assert_int_equal(mixer_value_shown(&at_cursor(rig)->mute), 1);
	check_no_call(rig);
}

static void test_no_answer(void **state)
{
	struct rig *rig = *state;

	press(rig, MIXER_KEY_UP, 1);
	check_call(rig, MIXER_CALL_GAIN, "stage", 1, 1);
	rig->now += (MIXER_PATIENCE_MS - 1) * MS;
	check_no_call(rig);
	assert_int_equal(gain_shown(rig), 1);
	rig->now += MS;
	check_no_call(rig);
	assert_int_equal(gain_shown(rig), 0);
	/* What was wanted meanwhile is sent then. */
	press(rig, MIXER_KEY_UP, 1);
	check_call(rig, MIXER_CALL_GAIN, "stage", 1, 1);
	press(rig, MIXER_KEY_UP, 1);
	rig->now += MIXER_PATIENCE_MS * MS;
	check_call(rig, MIXER_CALL_GAIN, "stage", 1, 2);
}

static void test_refused(void **state)
{
	struct rig *rig = *state;

	press(rig, MIXER_KEY_UP, 1);
	check_call(rig, MIXER_CALL_GAIN, "stage", 1, 1);
	mixer_model_refused(&rig->model, "not now\nmore about it");
	assert_string_equal(rig->model.notice, "not now");
	assert_int_equal(gain_shown(rig), 0);
	check_no_call(rig);
	press(rig, MIXER_KEY_RIGHT, 1);
	assert_string_equal(rig->model.notice, "");
}

static void test_lost(void **state)
{
	struct rig *rig = *state;

	rig->devices[0].peak_dbfs[0] = -3;
	mixer_model_peaks(&rig->model, &rig->devices[0]);
	press(rig, MIXER_KEY_UP, 1);
	check_call(rig, MIXER_CALL_GAIN, "stage", 1, 1);
	mixer_model_lost(&rig->model, "it has ended");
	assert_int_equal(gain_shown(rig), 0);
	assert_true(isinf(at_cursor(rig)->peak_dbfs));
	assert_false(mixer_box_is_live(&rig->model, &rig->model.boxes[0]));
	press(rig, MIXER_KEY_UP, 1);
	press(rig, MIXER_KEY_MUTE_ALL, 1);
	check_no_call(rig);
	assert_int_equal(gain_shown(rig), 0);
	press(rig, MIXER_KEY_RIGHT, 1);
	check_cursor(rig, 0, 1);
	assert_string_equal(rig->model.notice, "it has ended");
}

static void test_mute_all(void **state)
{
	struct rig *rig = *state;

	rig->devices[0].muted[3] = true;
	sync_boxes(rig, "012");
	press(rig, MIXER_KEY_MUTE_ALL, 1);
	check_call(rig, MIXER_CALL_MUTE_ALL, "stage", 0, 1);
	check_no_call(rig);
	/* Once more, before the answer: when that has come, all are opened. */
	press(rig, MIXER_KEY_MUTE_ALL, 1);
	check_no_call(rig);
	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		rig->devices[0].muted[k] = true;
	}
	sync_boxes(rig, "012");
	check_call(rig, MIXER_CALL_MUTE_ALL, "stage", 0, 0);
	memset(rig->devices[0].muted, 0, sizeof(rig->devices[0].muted));
	sync_boxes(rig, "012");
	check_no_call(rig);
	assert_false(mixer_model_is_busy(&rig->model));
	/* There and back is nothing. */
	press(rig, MIXER_KEY_MUTE_ALL, 2);
	check_no_call(rig);
	assert_false(mixer_model_is_busy(&rig->model));
}

/* --- boxes --- */

static void test_boxes_come_and_go(void **state)
{
	struct rig *rig = *state;

	(void)mixer_model_select(&rig->model, 1, 4);
	press(rig, MIXER_KEY_UP, 1);
	check_call(rig, MIXER_CALL_GAIN, "hall", 5, 1);
	/* The cursor and what is under way stay with the box. */
	sync_boxes(rig, "201");
	check_cursor(rig, 2, 4);
	assert_int_equal(gain_shown(rig), 1);
	sync_boxes(rig, "1");
	check_cursor(rig, 0, 4);
	assert_int_equal(gain_shown(rig), 1);
	sync_boxes(rig, "20");
	check_cursor(rig, 0, 4);
	(void)mixer_model_select(&rig->model, 1, 4);
	sync_boxes(rig, "2");
	check_cursor(rig, 0, 4);
	sync_boxes(rig, "");
	press(rig, MIXER_KEY_UP, 1);
	press(rig, MIXER_KEY_RIGHT, 1);
	press(rig, MIXER_KEY_LEFT, 1);
	press(rig, MIXER_KEY_NEXT_BOX, 1);
	press(rig, MIXER_KEY_MUTE_ALL, 1);
	check_no_call(rig);
	sync_boxes(rig, "01");
	check_cursor(rig, 0, 4);
}

static void test_strange_values(void **state)
{
	struct rig *rig = *state;
	struct client_device device;

	client_device_init(&device);
	device.gain_db[0] = NAN;
	device.gain_db[1] = INFINITY;
	device.gain_db[2] = -1e300;
	device.gain_min_db = 10;
	device.gain_max_db = -10;
	const struct client_device *list[] = {&device, &rig->devices[0]};

	assert_int_equal(mixer_model_sync(&rig->model, list, 2, NULL, 0), 0);
	assert_string_equal(rig->model.boxes[0].name, "");
	assert_int_equal(mixer_value_shown(&rig->model.boxes[0].channels[0].gain_db), 0);
	assert_int_equal(rig->model.boxes[0].gain_max_db, 10);
	mixer_model_peaks(&rig->model, &device);
	(void)mixer_model_select(&rig->model, 0, 0);
	press(rig, MIXER_KEY_UP, 1);
	assert_int_equal(gain_shown(rig), 10);
	client_device_fini(&device);
}

static void test_clips(void **state)
{
	struct rig *rig = *state;
	const struct mixer_channel *channel = &rig->model.boxes[1].channels[2];

	assert_false(mixer_channel_clipped(channel));
	rig->devices[1].clips[2] = 7;
	mixer_model_peaks(&rig->model, &rig->devices[1]);
	assert_true(mixer_channel_clipped(channel));
	press(rig, MIXER_KEY_CLEAR_CLIPS, 1);
	assert_false(mixer_channel_clipped(channel));
	mixer_model_peaks(&rig->model, &rig->devices[1]);
	assert_false(mixer_channel_clipped(channel));
	rig->devices[1].clips[2] = 8;
	mixer_model_peaks(&rig->model, &rig->devices[1]);
	assert_true(mixer_channel_clipped(channel));
	/* A daemon that was started anew counts from zero. */
	press(rig, MIXER_KEY_CLEAR_CLIPS, 1);
	rig->devices[1].clips[2] = 0;
	mixer_model_peaks(&rig->model, &rig->devices[1]);
	assert_false(mixer_channel_clipped(channel));
	rig->devices[1].clips[2] = 1;
	mixer_model_peaks(&rig->model, &rig->devices[1]);
	assert_true(mixer_channel_clipped(channel));
}

/* --- where things stand --- */

static void check_layout(int rows, int cols, unsigned n_boxes, unsigned per_page, int strip_cols)
{
	struct mixer_layout l;
	int end;

	mixer_layout_compute(rows, cols, n_boxes, &l);
	assert_true(l.fits);
	assert_int_equal(l.per_page, per_page);
	assert_int_equal(l.strip_cols, strip_cols);
	assert_true(l.left >= 0);
	end = mixer_layout_box_col(&l, per_page - 1) + l.box_cols;
	assert_in_range(end, 1, cols);
	assert_true(l.body_rows >= 5);
	assert_int_equal(l.row_gain, MIXER_ROW_BODY + l.body_rows);
	assert_true(l.row_label < l.row_notice && l.row_notice < l.row_keys && l.row_keys == rows - 1);
	for (unsigned place = 0; place < per_page; place++) {
		for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
			int strip = mixer_layout_strip_col(&l, place, k);

			assert_true(mixer_layout_knob_col(&l, place, k) >= strip);
			assert_true(mixer_layout_meter_col(&l, place, k) + MIXER_METER_COLS <=
				    strip + strip_cols);
		}
	}
}

static void test_layout(void **state)
{
	static const int small[][2] = {{15, 64}, {16, 63}, {0, 0}, {1, 1}, {-1, -1}, {24, 40}, {10, 200}};
	struct mixer_layout l;

	check_layout(16, 64, 1, 1, 7);
	check_layout(24, 80, 1, 1, 9);
	check_layout(24, 80, 5, 1, 9);
	check_layout(24, 80, 0, 1, 9);
	check_layout(60, 200, 1, 1, 11);
	check_layout(60, 200, 2, 2, 11);
	check_layout(60, 200, 3, 3, 7);
	check_layout(60, 200, 32, 3, 7);
	check_layout(24, 128, 2, 1, 11);
	check_layout(24, 129, 2, 2, 7);
	check_layout(500, 1000, 32, 15, 7);
	for (size_t i = 0; i < ARRAY_SIZE(small); i++) {
		mixer_layout_compute(small[i][0], small[i][1], 3, &l);
		assert_false(l.fits);
	}
}

static void test_pages(void **state)
{
	struct mixer_layout l;

	mixer_layout_compute(60, 200, 7, &l);
	assert_int_equal(mixer_layout_first(&l, 0), 0);
	assert_int_equal(mixer_layout_first(&l, 2), 0);
	assert_int_equal(mixer_layout_first(&l, 3), 3);
	assert_int_equal(mixer_layout_first(&l, 6), 6);
	assert_int_equal(mixer_layout_count(&l, 7, 2), 3);
	assert_int_equal(mixer_layout_count(&l, 7, 6), 1);
}

static void test_hit(void **state)
{
	struct mixer_layout l;
	unsigned place = 9, channel = 9;
	enum mixer_part part;

	mixer_layout_compute(24, 80, 3, &l);
	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		assert_true(
			mixer_layout_hit(&l, 10, mixer_layout_knob_col(&l, 0, k), &place, &channel, &part));
		assert_int_equal(channel, k);
		assert_int_equal(place, 0);
		assert_int_equal(part, MIXER_PART_STRIP);
	}
	assert_true(mixer_layout_hit(&l, l.row_mute, 4, &place, &channel, &part));
	assert_int_equal(part, MIXER_PART_MUTE);
	assert_false(mixer_layout_hit(&l, 10, 3, &place, &channel, &part));
	assert_false(mixer_layout_hit(&l, 10, 76, &place, &channel, &part));
	assert_false(mixer_layout_hit(&l, 0, 10, &place, &channel, &part));
	assert_false(mixer_layout_hit(&l, l.row_keys, 10, &place, &channel, &part));
	mixer_layout_compute(60, 200, 3, &l);
	assert_true(mixer_layout_hit(&l, 10, mixer_layout_meter_col(&l, 2, 7), &place, &channel, &part));
	assert_int_equal(place, 2);
	assert_int_equal(channel, 7);
	mixer_layout_compute(3, 3, 3, &l);
	assert_false(mixer_layout_hit(&l, 1, 1, &place, &channel, &part));
}

static void test_fader(void **state)
{
	assert_int_equal(mixer_fader_row(-56, -56, 24, 13), 0);
	assert_int_equal(mixer_fader_row(24, -56, 24, 13), 12);
	assert_int_equal(mixer_fader_row(0, -56, 24, 13), 8);
	assert_int_equal(mixer_fader_row(-99, -56, 24, 13), 0);
	assert_int_equal(mixer_fader_row(99, -56, 24, 13), 12);
	assert_int_equal(mixer_fader_row(40, 0, 80, 5), 2);
	assert_int_equal(mixer_fader_row(5, 5, 5, 13), 0);
	assert_int_equal(mixer_fader_row(5, 0, 10, 1), 0);
	for (int db = -56; db < 24; db++) {
		assert_true(mixer_fader_row(db, -56, 24, 49) <= mixer_fader_row(db + 1, -56, 24, 49));
	}
}

static void check_ticks(const struct mixer_tick *ticks, unsigned n, int rows, int want_db, int want_row)
{
	bool found = false;

	for (unsigned i = 0; i < n; i++) {
		assert_in_range(ticks[i].row, 0, rows - 1);
		found = found || (ticks[i].db == want_db && ticks[i].row == want_row);
		for (unsigned k = 0; k < i; k++) {
			assert_int_not_equal(ticks[i].row, ticks[k].row);
		}
	}
	assert_true(found);
}

static void test_ticks(void **state)
{
	struct mixer_tick ticks[MIXER_TICKS_MAX];
	unsigned n;

	for (int rows = 5; rows < 200; rows++) {
		n = mixer_fader_ticks(-56, 24, rows, ticks);
		check_ticks(ticks, n, rows, 0, mixer_fader_row(0, -56, 24, rows));
		check_ticks(ticks, n, rows, -56, 0);
		check_ticks(ticks, n, rows, 24, rows - 1);
		n = mixer_fader_ticks(0, 80, rows, ticks);
		check_ticks(ticks, n, rows, 80, rows - 1);
		n = mixer_meter_ticks(rows, ticks);
		check_ticks(ticks, n, rows, 0, rows - 1);
	}
	n = mixer_fader_ticks(-56, 24, 13, ticks);
	assert_int_equal(n, 8);
	check_ticks(ticks, n, 13, -12, 7);
	/* Whatever a daemon says. */
	n = mixer_fader_ticks(-999, 999, 13, ticks);
	check_ticks(ticks, n, 13, 0, 6);
	n = mixer_fader_ticks(7, 7, 13, ticks);
	check_ticks(ticks, n, 13, 7, 0);
}

static void test_meter(void **state)
{
	assert_int_equal(mixer_meter_eighths(-INFINITY, 13), 0);
	assert_int_equal(mixer_meter_eighths(NAN, 13), 0);
	assert_int_equal(mixer_meter_eighths(-60, 13), 0);
	assert_int_equal(mixer_meter_eighths(-59.99, 13), 1);
	assert_int_equal(mixer_meter_eighths(-30, 10), 40);
	assert_int_equal(mixer_meter_eighths(0, 13), 104);
	assert_int_equal(mixer_meter_eighths(INFINITY, 13), 104);
	assert_int_equal(mixer_meter_row(-70, 13), -1);
	assert_int_equal(mixer_meter_row(-59.99, 13), 0);
	assert_int_equal(mixer_meter_row(-30, 10), 4);
	assert_int_equal(mixer_meter_row(3, 13), 12);
}

/* --- texts --- */

static void check_text(const char *s, int width, bool utf8, const char *want, int want_cols)
{
	char buf[64];

	assert_int_equal(mixer_text(buf, sizeof(buf), s, width, utf8), want_cols);
	assert_string_equal(buf, want);
}

static void test_text(void **state)
{
	char buf[4];

	check_text("Main L", 9, true, "Main L", 6);
	check_text("Main L", 3, true, "Mai", 3);
	check_text("", 3, true, "", 0);
	check_text("a\033[31mb\nc\x7f", 20, true, "a?[31mb?c?", 10);
	/* C1 controls, halves of characters, what is no UTF-8 at all. */
	check_text("a\xc2\x9b"
		   "31m",
		20, true, "a?31m", 5);
	check_text("gr\xc3", 20, true, "gr?", 3);
	check_text("\xff\xfe\x80x\xed\xa0\x80", 20, true, "???x?", 5);
	check_text("Grö\u00dfe", 20, true, "Grö\u00dfe", 5);
	check_text("Grö\u00dfe", 20, false, "Gr??e", 5);
	check_text("日本語", 6, true, "日本語", 6);
	check_text("日本語", 5, true, "日本", 4);
	check_text("日本語", 1, true, "", 0);
	check_text("日本語", 6, false, "???", 3);
	/* Marks stay on their letter, a few of them; what turns the writing around does not. */
	check_text("e\u0301x", 2, true, "e\u0301x", 2);
	check_text("e\u0301\u0302\u0303\u0304x", 2, true, "e\u0301\u0302x", 2);
	check_text("\u0301x", 2, true, "x", 1);
	check_text("a\u202ebc\u200b\ufeff", 9, true, "abc", 3);
	assert_int_equal(mixer_text(buf, sizeof(buf), "日本", 9, true), 2);
	assert_string_equal(buf, "日");
}

static void check_label(const char *s, int width, const char *want)
{
	char buf[64];

	assert_int_equal(mixer_text_label(buf, sizeof(buf), s, width, true), (int)strlen(want));
	assert_string_equal(buf, want);
}

static void test_label(void **state)
{
	char longest[400];

	check_label("Main L", 6, "Main L");
	check_label("Main L", 5, "MainL");
	check_label("Main L", 4, "Main");
	check_label("Front left", 6, "Front");
	check_label("A label that is long", 7, "A label");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	check_label(longest, 5, "xxxxx");
}

static void test_break(void **state)
{
	assert_int_equal(mixer_text_break("one two three", 20), 13);
	assert_int_equal(mixer_text_break("one two three", 13), 13);
	assert_int_equal(mixer_text_break("one two three", 12), 7);
	assert_int_equal(mixer_text_break("one two three", 7), 7);
	assert_int_equal(mixer_text_break("one two three", 6), 3);
	assert_int_equal(mixer_text_break("immeasurable", 5), 5);
	assert_int_equal(mixer_text_break("", 5), 0);
	assert_int_equal(mixer_text_break("ab", 0), 1);
}

static void test_numbers(void **state)
{
	static const struct {
		double value;
		const char *gain;
		const char *level;
	} cases[] = {{0, "  0", "  0"}, {-6, " -6", " -6"}, {24, "+24", "+24"}, {-56, "-56", "-56"},
		{-1000, "-99", "  -"}, {1e9, "+99", "+99"}};
	char buf[8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		mixer_text_gain(buf, (int)cases[i].value);
		assert_string_equal(buf, cases[i].gain);
		mixer_text_level(buf, cases[i].value);
		assert_string_equal(buf, cases[i].level);
	}
	mixer_text_level(buf, -INFINITY);
	assert_string_equal(buf, "  -");
	mixer_text_level(buf, NAN);
	assert_string_equal(buf, "  -");
	mixer_text_level(buf, INFINITY);
	assert_string_equal(buf, "+99");
}

/* --- NetVST sections: behind the three boxes --- */

static void init_netvst(struct client_netvst *netvst, const char *name, const char *role, const char *state)
{
	client_netvst_init(netvst);
	netvst->name = strdup(name);
	netvst->role = strdup(role);
	netvst->state = strdup(state);
	netvst->host = strdup("studio-pc");
	netvst->peer = strdup(strcmp(role, "client") == 0 ? "10.0.0.2:27016" : "");
	netvst->dialect = strdup("2017");
	netvst->codec = strdup("pcm");
	netvst->error = strdup("");
	netvst->port = 27016;
	netvst->block_frames = 512;
	netvst->latency_frames = 640;
	netvst->gain_db[0] = -3;
	netvst->muted[1] = true;
}

struct netvst_rig {
	struct rig *rig;
	struct client_netvst sections[2];
};

static void netvst_sync(struct netvst_rig *n, bool with_boxes, unsigned n_sections)
{
	const struct client_device *devices[] = {
		&n->rig->devices[0], &n->rig->devices[1], &n->rig->devices[2]};
	const struct client_netvst *sections[] = {&n->sections[0], &n->sections[1]};

	assert_int_equal(
		mixer_model_sync(&n->rig->model, devices, with_boxes ? 3 : 0, sections, n_sections), 0);
}

static int netvst_setup(void **state)
{
	struct netvst_rig *n = calloc(1, sizeof(*n));
	void *rig = NULL;

	assert_non_null(n);
	assert_int_equal(rig_setup(&rig), 0);
	n->rig = rig;
	init_netvst(&n->sections[0], "reverb", "client", "online");
	init_netvst(&n->sections[1], "daw", "server", "listening");
	netvst_sync(n, true, 2);
	*state = n;
	return 0;
}

static int netvst_teardown(void **state)
{
	struct netvst_rig *n = *state;
	void *rig = n->rig;

	client_netvst_fini(&n->sections[0]);
	client_netvst_fini(&n->sections[1]);
	free(n);
	return rig_teardown(&rig);
}

static void test_netvst_shown(void **state)
{
	struct netvst_rig *n = *state;
	const struct mixer_model *model = &n->rig->model;
	const struct mixer_box *reverb = &model->boxes[3], *daw = &model->boxes[4];

	assert_int_equal(model->n_boxes, 5);
	assert_true(!model->boxes[2].netvst && reverb->netvst && daw->netvst);
	assert_string_equal(reverb->name, "reverb");
	assert_string_equal(reverb->model, "client");
	assert_string_equal(reverb->interface, "10.0.0.2:27016");
	assert_string_equal(reverb->format, "dialect 2017, pcm, block 512");
	assert_string_equal(daw->interface, "studio-pc:27016");
	assert_string_equal(daw->format, "dialect 2017, pcm");
	assert_int_equal(reverb->latency_frames, 640);
	assert_int_equal(reverb->n_channels, 2);
	assert_int_equal(reverb->gain_min_db, -56);
	assert_int_equal(reverb->gain_max_db, 12);
	assert_string_equal(reverb->channels[0].label, "send");
	assert_string_equal(reverb->channels[1].label, "return");
	assert_string_equal(daw->channels[0].label, "reply");
	assert_string_equal(daw->channels[1].label, "receive");
	assert_int_equal(mixer_value_shown(&reverb->channels[0].gain_db), -3);
	assert_true(!mixer_value_shown(&reverb->channels[0].mute) &&
		    mixer_value_shown(&reverb->channels[1].mute));
	assert_true(mixer_box_is_live(model, reverb) && mixer_box_is_live(model, daw));
}

/* The lamp: lit only where audio can flow. */
static void test_netvst_states(void **state)
{
	static const struct {
		const char *state;
		bool live;
	} cases[] = {
		{"online", true},
		{"measuring", false},
		{"connecting", false},
		{"stopped", false},
		{"listening", true},
		{"unavailable", false},
	};
	struct netvst_rig *n = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		free(n->sections[0].state);
		n->sections[0].state = strdup(cases[i].state);
		netvst_sync(n, true, 2);
		assert_int_equal(mixer_box_is_live(&n->rig->model, &n->rig->model.boxes[3]), cases[i].live);
	}
	mixer_model_lost(&n->rig->model, "gone");
	assert_false(mixer_box_is_live(&n->rig->model, &n->rig->model.boxes[3]));
}

/* It has two strips, whatever the boxes beside it have. */
static void test_netvst_cursor(void **state)
{
	struct netvst_rig *n = *state;
	struct rig *rig = n->rig;

	press(rig, MIXER_KEY_RIGHT, 24);
	check_cursor(rig, 3, 0);
	press(rig, MIXER_KEY_LEFT, 1);
	check_cursor(rig, 2, 7);
	press(rig, MIXER_KEY_RIGHT, 2);
	check_cursor(rig, 3, 1);
	press(rig, MIXER_KEY_RIGHT, 9);
	check_cursor(rig, 4, 1);
	press(rig, MIXER_KEY_LEFT, 2);
	check_cursor(rig, 3, 1);
	press(rig, MIXER_KEY_FIRST, 1);
	check_cursor(rig, 3, 0);
	press(rig, MIXER_KEY_STRIP_1 + 2, 1);
	check_cursor(rig, 3, 0);
	press(rig, MIXER_KEY_LAST, 1);
	check_cursor(rig, 3, 1);
	press(rig, MIXER_KEY_PREVIOUS_BOX, 1);
	check_cursor(rig, 2, 1);
	press(rig, MIXER_KEY_STRIP_8, 1);
	press(rig, MIXER_KEY_NEXT_BOX, 1);
	check_cursor(rig, 3, 1);
	assert_false(mixer_model_select(&rig->model, 3, 2));
	assert_true(mixer_model_select(&rig->model, 4, 1));
	/* What stays is under the cursor; where that is a box of more strips before, it stays within. */
	assert_true(mixer_model_select(&rig->model, 2, 7));
	netvst_sync(n, false, 2);
	assert_int_equal(rig->model.n_boxes, 2);
	check_cursor(rig, 1, 1);
}

static void check_netvst_call(
	struct rig *rig, enum mixer_call_kind kind, const char *name, unsigned channel, int value)
{
	struct mixer_call call;

	assert_true(mixer_model_next_call(&rig->model, rig->now, &call));
	assert_true(call.netvst);
	assert_int_equal(call.kind, kind);
	assert_string_equal(call.device, name);
	assert_int_equal(call.channel, channel);
	assert_int_equal(call.value, value);
}

static void test_netvst_calls(void **state)
{
	struct netvst_rig *n = *state;
	struct rig *rig = n->rig;

	assert_true(mixer_model_select(&rig->model, 3, 1));
	press(rig, MIXER_KEY_UP, 30);
	assert_int_equal(gain_shown(rig), 12);
	check_netvst_call(rig, MIXER_CALL_GAIN, "reverb", 2, 12);
	check_no_call(rig);
	n->sections[0].gain_db[1] = 12;
	netvst_sync(n, true, 2);
	check_no_call(rig);
	press(rig, MIXER_KEY_PAGE_DOWN, 20);
	check_netvst_call(rig, MIXER_CALL_GAIN, "reverb", 2, -56);
	press(rig, MIXER_KEY_MUTE, 1);
	check_netvst_call(rig, MIXER_CALL_MUTE, "reverb", 2, 0);
	n->sections[0].gain_db[1] = -56;
	n->sections[0].muted[1] = false;
	netvst_sync(n, true, 2);
	press(rig, MIXER_KEY_MUTE_ALL, 1);
	check_netvst_call(rig, MIXER_CALL_MUTE_ALL, "reverb", 0, 1);
	n->sections[0].muted[0] = n->sections[0].muted[1] = true;
	netvst_sync(n, true, 2);
	check_no_call(rig);
	press(rig, MIXER_KEY_MUTE_ALL, 1);
	check_netvst_call(rig, MIXER_CALL_MUTE_ALL, "reverb", 0, 0);
	/* A box beside it is asked as before. */
	assert_true(mixer_model_select(&rig->model, 0, 0));
	press(rig, MIXER_KEY_UP, 1);
	check_call(rig, MIXER_CALL_GAIN, "stage", 1, 1);
}

static void test_netvst_peaks(void **state)
{
	struct netvst_rig *n = *state;
	struct mixer_box *reverb = &n->rig->model.boxes[3];
	struct client_netvst *section = &n->sections[0];

	mixer_model_netvst_peaks(&n->rig->model, section);
	assert_true(isinf(reverb->channels[0].peak_dbfs));
	section->has_peaks = true;
	section->peak_dbfs[0] = -12;
	section->hold_dbfs[0] = 2;
	section->clips[0] = 1;
	mixer_model_netvst_peaks(&n->rig->model, section);
	assert_true(reverb->channels[0].peak_dbfs == -12 && reverb->channels[0].hold_dbfs == 2);
	assert_true(isinf(reverb->channels[1].peak_dbfs));
	assert_true(
		mixer_channel_clipped(&reverb->channels[0]) && !mixer_channel_clipped(&reverb->channels[1]));
	press(n->rig, MIXER_KEY_CLEAR_CLIPS, 1);
	assert_false(mixer_channel_clipped(&reverb->channels[0]));
	assert_true(isinf(n->rig->model.boxes[4].channels[0].peak_dbfs));
	mixer_model_lost(&n->rig->model, "gone");
	assert_true(isinf(reverb->channels[0].peak_dbfs));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cursor, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_gain_keys, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_help_and_quit, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_newest_only, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
			test_channels_do_not_wait_for_each_other, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_back_before_sent, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_somebody_else, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_no_answer, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_refused, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_lost, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_mute_all, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_boxes_come_and_go, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_strange_values, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_clips, rig_setup, rig_teardown),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_hit),
		cmocka_unit_test(test_fader),
		cmocka_unit_test(test_ticks),
		cmocka_unit_test(test_meter),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_break),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test_setup_teardown(test_netvst_shown, netvst_setup, netvst_teardown),
		cmocka_unit_test_setup_teardown(test_netvst_states, netvst_setup, netvst_teardown),
		cmocka_unit_test_setup_teardown(test_netvst_cursor, netvst_setup, netvst_teardown),
		cmocka_unit_test_setup_teardown(test_netvst_calls, netvst_setup, netvst_teardown),
		cmocka_unit_test_setup_teardown(test_netvst_peaks, netvst_setup, netvst_teardown),
	};

	/* Without it there are no widths, and nothing of this works anyway. */
	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
