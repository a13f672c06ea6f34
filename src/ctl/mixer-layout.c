#include "ctl/mixer-layout.h"

#include "base/utf8.h"
#include "base/util.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define CHANNELS 8
#define STRIP_COLS_MIN 7
#define STRIP_COLS_MAX 11
#define STRIP_CONTENT_COLS (MIXER_KNOB_COLS + 1 + MIXER_METER_COLS)
#define GAP_COLS 1
#define ROWS_BELOW 6 /* gain, mute, peak, label, notice, keys */
/* More of them than this on one character are meant to be a nuisance. */
#define COMBINING_MAX 2

void mixer_layout_compute(int rows, int cols, unsigned n_boxes, struct mixer_layout *ret_layout)
{
	struct mixer_layout *l = ret_layout;
	int per_page, width;

	*l = (struct mixer_layout){.rows = rows, .cols = cols};
	l->fits = rows >= MIXER_ROWS_MIN && cols >= MIXER_COLS_MIN;
	if (!l->fits) {
		return;
	}
	per_page = (cols + GAP_COLS) / (MIXER_COLS_MIN + GAP_COLS);
	per_page = CLAMP((int)MIN(n_boxes, 1000), 1, per_page);
	l->per_page = (unsigned)per_page;
	l->gap_cols = GAP_COLS;
	width = (cols - (per_page - 1) * GAP_COLS) / per_page;
	l->strip_cols = CLAMP((width - 2 * MIXER_SCALE_COLS) / CHANNELS, STRIP_COLS_MIN, STRIP_COLS_MAX);
	l->box_cols = 2 * MIXER_SCALE_COLS + CHANNELS * l->strip_cols;
	l->left = (cols - per_page * l->box_cols - (per_page - 1) * GAP_COLS) / 2;
	l->body_rows = rows - MIXER_ROW_BODY - ROWS_BELOW;
	l->row_gain = MIXER_ROW_BODY + l->body_rows;
	l->row_mute = l->row_gain + 1;
	l->row_peak = l->row_gain + 2;
	l->row_label = l->row_gain + 3;
	l->row_notice = rows - 2;
	l->row_keys = rows - 1;
}

unsigned mixer_layout_first(const struct mixer_layout *layout, unsigned box)
{
	return box / layout->per_page * layout->per_page;
}

unsigned mixer_layout_count(const struct mixer_layout *layout, unsigned n_boxes, unsigned box)
{
	return MIN(layout->per_page, n_boxes - mixer_layout_first(layout, box));
}

int mixer_layout_box_col(const struct mixer_layout *layout, unsigned place)
{
	return layout->left + (int)place * (layout->box_cols + layout->gap_cols);
}

int mixer_layout_strip_col(const struct mixer_layout *layout, unsigned place, unsigned channel)
{
	return mixer_layout_box_col(layout, place) + MIXER_SCALE_COLS + (int)channel * layout->strip_cols;
}

int mixer_layout_knob_col(const struct mixer_layout *layout, unsigned place, unsigned channel)
{
	return mixer_layout_strip_col(layout, place, channel) + (layout->strip_cols - STRIP_CONTENT_COLS) / 2;
}

int mixer_layout_meter_col(const struct mixer_layout *layout, unsigned place, unsigned channel)
{
	return mixer_layout_knob_col(layout, place, channel) + MIXER_KNOB_COLS + 1;
}

bool mixer_layout_hit(const struct mixer_layout *layout, int row, int col, unsigned *ret_place,
	unsigned *ret_channel, enum mixer_part *ret_part)
{
	if (!layout->fits || row < MIXER_ROW_CLIP || row > layout->row_label) {
		return false;
	}
	for (unsigned place = 0; place < layout->per_page; place++) {
		int from = mixer_layout_strip_col(layout, place, 0);

		if (col >= from && col < from + CHANNELS * layout->strip_cols) {
			*ret_place = place;
			*ret_channel = (unsigned)((col - from) / layout->strip_cols);
			*ret_part = row == layout->row_mute ? MIXER_PART_MUTE : MIXER_PART_STRIP;
			return true;
		}
	}
	return false;
}

int mixer_fader_row(int db, int min_db, int max_db, int rows)
{
	if (max_db <= min_db || rows < 2) {
		return 0;
	}
	db = CLAMP(db, min_db, max_db);
	return (int)lround((double)(db - min_db) * (rows - 1) / (max_db - min_db));
}

static unsigned add_tick(struct mixer_tick ticks[MIXER_TICKS_MAX], unsigned n, int row, int db)
{
	for (unsigned i = 0; i < n; i++) {
		if (ticks[i].row == row) {
			return n;
		}
	}
	if (n < MIXER_TICKS_MAX) {
		ticks[n++] = (struct mixer_tick){row, db};
	}
	return n;
}

/* dB from mark to mark, so that they stand no closer than every other row, or nearly so. */
static int tick_step(int range_db, int rows)
{
	static const int steps[] = {6, 12, 24};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (2 * steps[i] * (rows - 1) >= 3 * range_db) {
			return steps[i];
		}
	}
	return 48;
}

unsigned mixer_fader_ticks(int min_db, int max_db, int rows, struct mixer_tick ret_ticks[MIXER_TICKS_MAX])
{
	int step = tick_step(max_db - min_db, rows);
	unsigned n = 0;

	if (min_db <= 0 && max_db >= 0) {
		n = add_tick(ret_ticks, n, mixer_fader_row(0, min_db, max_db, rows), 0);
	}
	n = add_tick(ret_ticks, n, mixer_fader_row(max_db, min_db, max_db, rows), max_db);
	n = add_tick(ret_ticks, n, mixer_fader_row(min_db, min_db, max_db, rows), min_db);
	for (int db = max_db / step * step; db >= min_db; db -= step) {
		n = add_tick(ret_ticks, n, mixer_fader_row(db, min_db, max_db, rows), db);
	}
	return n;
}

int mixer_meter_eighths(double dbfs, int rows)
{
	int full = 8 * rows;

	/* NaN is below the floor, too. */
	if (!(dbfs > MIXER_METER_FLOOR_DBFS)) {
		return 0;
	}
	if (dbfs >= 0) {
		return full;
	}
	return CLAMP((int)lround((dbfs - MIXER_METER_FLOOR_DBFS) * full / -MIXER_METER_FLOOR_DBFS), 1, full);
}

int mixer_meter_row(double dbfs, int rows)
{
	int eighths = mixer_meter_eighths(dbfs, rows);

	return eighths == 0 ? -1 : (eighths - 1) / 8;
}

unsigned mixer_meter_ticks(int rows, struct mixer_tick ret_ticks[MIXER_TICKS_MAX])
{
	int step = tick_step(-MIXER_METER_FLOOR_DBFS, rows);
	unsigned n = 0;

	for (int db = 0; db > MIXER_METER_FLOOR_DBFS; db -= step) {
		n = add_tick(ret_ticks, n, mixer_meter_row(db, rows), db);
	}
	return n;
}

/* --- texts --- */

/* Marks that turn the direction of writing, or that nobody sees. */
static bool is_hidden(wchar_t c)
{
	return (c >= 0x2000 && c <= 0x206f) || c == 0xfeff || c == 0x061c || c == 0x00ad || c >= 0xe0000 ||
	       (c >= 0xfe00 && c <= 0xfe0f);
}

/* One character of s as wide character and its length in bytes; '?' for one that is none. */
static size_t next_char(const char *s, bool utf8, wchar_t *ret_char)
{
	size_t len = utf8_length_from((unsigned char)*s), n;
	mbstate_t state = {0};

	*ret_char = L'?';
	if (len == 0) {
		return 1;
	}
	/* A text that was cut within a character ends here, too. */
	for (size_t i = 1; i < len; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80) {
			return 1;
		}
	}
	if (len == 1) {
		*ret_char = (wchar_t)(unsigned char)*s;
	} else if (utf8) {
		n = mbrtowc(ret_char, s, len, &state);
		if (n != len) {
			*ret_char = L'?';
		}
	}
	return len;
}

int mixer_text(char *buf, size_t size, const char *s, int width, bool utf8)
{
	unsigned combining = 0;
	size_t used = 0;
	int cols = 0;

	while (*s) {
		wchar_t c;
		size_t len = next_char(s, utf8, &c);
		int w = c < 0x80 ? 1 : wcwidth(c);
		const char *from = s;
		bool plain = c >= 0x20 && c < 0x7f;

		s += len;
		if (w == 0) {
			if (cols == 0 || is_hidden(c) || ++combining > COMBINING_MAX) {
				continue;
			}
		} else {
			combining = 0;
			if (w < 0 || c < 0x20 || c == 0x7f) {
				plain = true;
				c = L'?';
				w = 1;
			}
		}
		if (cols + w > width || used + (plain ? 1 : len) >= size) {
			break;
		}
		if (plain) {
			buf[used++] = (char)c;
		} else {
			memcpy(buf + used, from, len);
			used += len;
		}
		cols += w;
	}
	if (size > 0) {
		buf[used] = '\0';
	}
	return cols;
}

int mixer_text_label(char *buf, size_t size, const char *label, int width, bool utf8)
{
	char squeezed[MIXER_LABEL_MAX];
	size_t n = 0;
	int cols = mixer_text(buf, size, label, width + 1, utf8);

	if (cols > width) {
		for (const char *at = label; *at && n + 1 < sizeof(squeezed); at++) {
			if (*at != ' ') {
				squeezed[n++] = *at;
			}
		}
		squeezed[n] = '\0';
		cols = mixer_text(buf, size, squeezed, width + 1, utf8);
	}
	if (cols > width) {
		cols = mixer_text(buf, size, label, width, utf8);
	}
	for (n = strlen(buf); n > 0 && buf[n - 1] == ' '; n--, cols--) {
		buf[n - 1] = '\0';
	}
	return cols;
}

size_t mixer_text_break(const char *text, int width)
{
	size_t len = strlen(text), at;

	if (len <= (size_t)MAX(width, 1)) {
		return len;
	}
	for (at = (size_t)MAX(width, 1); at > 0 && text[at] != ' '; at--) {
	}
	return at > 0 ? at : (size_t)MAX(width, 1);
}

void mixer_text_gain(char buf[8], int db)
{
	snprintf(buf, 8, db == 0 ? "%3d" : "%+3d", CLAMP(db, -99, 99));
}

void mixer_text_level(char buf[8], double dbfs)
{
	if (!(dbfs > -99.5)) {
		snprintf(buf, 8, "%3s", "-");
	} else {
		mixer_text_gain(buf, (int)lround(fmin(dbfs, 99)));
	}
}
