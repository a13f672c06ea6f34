#include "ctl/mixer-view.h"

#include "base/util.h"
#include "ctl/status-internal.h"

#include <ncurses.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE 512
#define STATE_COLS 12	  /* "no interface" */
#define WHAT_COLS 10	  /* "dac8 65535" */
#define LOUD_DBFS (-12.0) /* from here on yellow, then red */
#define TOO_LOUD_DBFS (-3.0)

enum {
	PAIR_GREEN = 1,
	PAIR_YELLOW,
	PAIR_RED,
	PAIR_CYAN,
};

/* What is drawn with: for a terminal that takes UTF-8, and for one that does not. */
struct glyphs {
	const char *track;
	const char *track_zero;
	const char *knob;
	const char *hold;
	const char *live;
	const char *away;
	const char *blocks[9]; /* eighths of a row */
};

static const struct glyphs ascii = {
	"|", "+", "[=]", "-", "*", "o", {" ", ".", ".", ".", ":", ":", ":", ":", "#"}};
static const struct glyphs blocks = {
	"│", "┼", "╞═╡", "▔", "●", "○", {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}};
static const struct glyphs halves = {
	"│", "┼", "╞═╡", "▀", "●", "○", {" ", " ", " ", "▄", "▄", "▄", "▄", "█", "█"}};

/* What every drawing function needs. */
struct view {
	const struct mixer_model *model;
	const struct mixer_look *look;
	const struct mixer_layout *l;
	const struct glyphs *glyphs;
};

void mixer_view_init(const struct mixer_look *look)
{
	if (look->colour) {
		(void)init_pair(PAIR_GREEN, COLOR_GREEN, -1);
		(void)init_pair(PAIR_YELLOW, COLOR_YELLOW, -1);
		(void)init_pair(PAIR_RED, COLOR_RED, -1);
		(void)init_pair(PAIR_CYAN, COLOR_CYAN, -1);
	}
}

static attr_t colour(const struct view *v, int pair)
{
	return v->look->colour ? (attr_t)COLOR_PAIR(pair) : 0;
}

/* Text from outside, cut to width columns; returns how many it took. */
static int put_text(const struct view *v, int row, int col, int width, attr_t attr, const char *text)
{
	char buf[TEXT_SIZE];
	int cols = mixer_text(buf, sizeof(buf), text, width, v->look->utf8);

	(void)attrset(attr);
	(void)mvaddstr(row, col, buf);
	(void)attrset(A_NORMAL);
	return cols;
}

/* What is ours, and known to fit. */
static void put(int row, int col, attr_t attr, const char *text)
{
	(void)attrset(attr);
	(void)mvaddstr(row, col, text);
	(void)attrset(A_NORMAL);
}

/* --- the frame around the boxes --- */

static void daemon_words(const struct mixer_model *m, char text[TEXT_SIZE], int width)
{
	int len;

	if (!m->joined) {
		snprintf(text, TEXT_SIZE, "ethlinkd: not there");
		return;
	}
	if (!m->connected || m->rate_hz == 0) {
		snprintf(text, TEXT_SIZE, "ethlinkd %s: waiting for the sound server (%s)", m->version,
			m->backend);
		return;
	}
	len = snprintf(text, TEXT_SIZE, "ethlinkd %s: %s, %u Hz, period %u", m->version, m->backend,
		m->rate_hz, m->period_frames);
	if (len + (int)strlen(" (170.7 ms)") <= width) {
		snprintf(text + len, TEXT_SIZE - (size_t)len, " (%.1f ms)",
			1000.0 * m->period_frames / m->rate_hz);
	}
}

static void draw_title(const struct view *v)
{
	const struct mixer_model *m = v->model;
	unsigned first = m->n_boxes ? mixer_layout_first(v->l, m->box) : 0;
	unsigned count = m->n_boxes ? mixer_layout_count(v->l, m->n_boxes, m->box) : 0;
	char text[TEXT_SIZE], page[64] = "";
	int width;

	if (m->n_boxes > count && count > 1) {
		snprintf(page, sizeof(page), "boxes %u-%u of %u", first + 1, first + count, m->n_boxes);
	} else if (m->n_boxes > count) {
		snprintf(page, sizeof(page), "box %u of %u", first + 1, m->n_boxes);
	}
	width = v->l->cols - 4 - (int)strlen(page);
	daemon_words(m, text, width);
	(void)put_text(v, MIXER_ROW_TITLE, 1, width, colour(v, PAIR_CYAN), text);
	put(MIXER_ROW_TITLE, v->l->cols - 1 - (int)strlen(page), colour(v, PAIR_CYAN), page);
}

static void draw_keys(const struct view *v)
{
	static const char *const lines[] = {
		"Left Right strip   Up Down 1 dB   PgUp PgDn 6 dB   0 0 dB   m mute   M all mutes   "
		"Tab box   ? help   q quit",
		"Arrows PgUp PgDn gain  0 0 dB  m mute  M all mutes  Tab box  ? help  q quit",
		"Arrows gain  m mute  Tab box  ? help  q quit",
	};
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(lines) && (int)strlen(lines[i]) > v->l->cols - 2) {
		i++;
	}
	put(v->l->row_keys, 1, colour(v, PAIR_CYAN), lines[i]);
}

static void draw_notice(const struct view *v)
{
	const struct mixer_model *m = v->model;
	char text[TEXT_SIZE + MIXER_NOTICE_MAX];

	if (m->joined) {
		(void)put_text(v, v->l->row_notice, 1, v->l->cols - 2, A_BOLD, m->notice);
		return;
	}
	snprintf(text, sizeof(text), "waiting for ethlinkd: %s", m->notice);
	(void)put_text(v, v->l->row_notice, 1, v->l->cols - 2, A_BOLD | colour(v, PAIR_YELLOW), text);
}

/* --- one box --- */

/* It may come right by itself. */
static bool is_trying(const struct mixer_box *box)
{
	return strcmp(box->state, "searching") == 0 || strcmp(box->state, "connecting") == 0 ||
	       strcmp(box->state, "measuring") == 0;
}

static attr_t state_attr(const struct view *v, const struct mixer_box *box)
{
	if (!v->model->joined) {
		return A_DIM;
	}
	if (mixer_box_is_live(v->model, box)) {
		return colour(v, PAIR_GREEN) | A_BOLD;
	}
	return colour(v, is_trying(box) ? PAIR_YELLOW : PAIR_RED) | A_BOLD;
}

/* As "status" has them: the words are the names, without the hyphen. */
static void state_words(const struct view *v, const struct mixer_box *box, char words[MIXER_TEXT_MAX])
{
	snprintf(words, MIXER_TEXT_MAX, "%s", v->model->joined ? box->state : "not known");
	for (char *at = words; (at = strchr(at, '-'));) {
		*at = ' ';
	}
}

/* What it is on the left; how it is and what its faders can do on the right. */
static void draw_header(const struct view *v, const struct mixer_box *box, unsigned place, bool selected)
{
	int col = mixer_layout_box_col(v->l, place) + 1, right = col + v->l->box_cols - 2;
	char what[64], state[MIXER_TEXT_MAX], range[32];

	snprintf(range, sizeof(range), "%d..%+d dB", box->gain_min_db, box->gain_max_db);
	right -= (int)strlen(range);
	put(MIXER_ROW_HEADER, right, A_NORMAL, range);
	state_words(v, box, state);
	right -= STATE_COLS + 2;
	(void)put_text(v, MIXER_ROW_HEADER, right, STATE_COLS, state_attr(v, box), state);
	right -= 2;
	put(MIXER_ROW_HEADER, right, state_attr(v, box),
		mixer_box_is_live(v->model, box) ? v->glyphs->live : v->glyphs->away);
	if (box->netvst) {
		snprintf(what, sizeof(what), "%.16s", box->model);
	} else {
		snprintf(what, sizeof(what), "%.16s %u", box->model, box->serial);
	}
	col += put_text(v, MIXER_ROW_HEADER, col, right - col - WHAT_COLS - 3,
		selected ? A_BOLD | A_REVERSE : A_BOLD, box->name);
	(void)put_text(v, MIXER_ROW_HEADER, col + 2, WHAT_COLS, A_NORMAL, what);
}

/* The hint that "status" has for the state: on one line, blanks between the parts. */
static void state_hint(const struct mixer_box *box, char *text, size_t size)
{
	union prop_value state = {.s = (char *)box->state}, interface = {.s = (char *)box->interface};
	union prop_value role = {.s = (char *)box->model}, error = {.s = (char *)box->error};
	struct prop props[] = {
		{(char *)"state", PROP_STRING, false, 1, &state},
		{(char *)"interface", PROP_STRING, false, 1, &interface},
		{(char *)"role", PROP_STRING, false, 1, &role},
		{(char *)"error", PROP_STRING, false, 1, &error},
	};
	const struct prop_list list = {props, ARRAY_SIZE(props)};
	FILE *f = fmemopen(text, size, "w");
	size_t n = 0;

	text[0] = '\0';
	if (f) {
		if (box->netvst) {
			status_print_netvst_hints(&list, f);
		} else {
			status_print_hints(&list, f);
		}
		(void)fclose(f);
	}
	text[size - 1] = '\0';
	for (const char *at = text; *at; at++) {
		bool blank = *at == ' ' || *at == '\n';

		if (!blank || (n > 0 && text[n - 1] != ' ')) {
			text[n++] = blank ? ' ' : *at;
		}
	}
	text[n] = '\0';
}

/* What to do so that it plays: over three lines, as one without meters that clip leaves their marks' line free. */
static void draw_hint(const struct view *v, const struct mixer_box *box, int col, int width)
{
	char text[TEXT_SIZE], line[TEXT_SIZE];
	const char *at = text;

	state_hint(box, text, sizeof(text));
	for (int row = MIXER_ROW_INFO; row <= MIXER_ROW_CLIP && *at; row++) {
		size_t len = mixer_text_break(at, width);

		snprintf(line, sizeof(line), "%.*s", (int)len, at);
		(void)put_text(v, row, col, width, A_BOLD, line);
		at += len;
		at += strspn(at, " ");
	}
}

static void draw_info(const struct view *v, const struct mixer_box *box, unsigned place)
{
	int col = mixer_layout_box_col(v->l, place) + 1, width = v->l->box_cols - 2, len;
	char text[TEXT_SIZE];

	if (!v->model->joined) {
		return;
	}
	if (!mixer_box_is_live(v->model, box)) {
		draw_hint(v, box, col, width);
		return;
	}
	len = snprintf(text, sizeof(text), "%s %s, latency %.1f ms",
		!box->netvst			    ? "on"
		: strcmp(box->model, "server") == 0 ? "at"
						    : "to",
		box->interface, v->model->rate_hz ? 1000.0 * box->latency_frames / v->model->rate_hz : 0.0);
	if (box->netvst) {
		snprintf(text + len, sizeof(text) - (size_t)len, ", %s", box->format);
	} else if (box->n_phantom == CLIENT_BANKS) {
		snprintf(text + len, sizeof(text) - (size_t)len, ", phantom 1-4 %s, 5-8 %s",
			box->phantom[0] ? "on" : "off", box->phantom[1] ? "on" : "off");
	}
	(void)put_text(v, MIXER_ROW_INFO, col, width, A_NORMAL, text);
}

/* What the rows mean: dB of the faders on the left, dBFS of the meters on the right. */
static void draw_scales(const struct view *v, const struct mixer_box *box, unsigned place)
{
	int col = mixer_layout_box_col(v->l, place);
	int right = mixer_layout_strip_col(v->l, place, box->n_channels * box->step);
	int bottom = v->l->row_gain - 1;
	struct mixer_tick ticks[MIXER_TICKS_MAX];
	char text[8];
	unsigned n;

	n = mixer_fader_ticks(box->gain_min_db, box->gain_max_db, v->l->body_rows, ticks);
	for (unsigned i = 0; i < n; i++) {
		mixer_text_gain(text, ticks[i].db);
		put(bottom - ticks[i].row, col, A_DIM, text);
	}
	n = mixer_meter_ticks(v->l->body_rows, ticks);
	for (unsigned i = 0; i < n; i++) {
		mixer_text_gain(text, ticks[i].db);
		put(bottom - ticks[i].row, right, A_DIM, text);
	}
	put(v->l->row_gain, col, A_DIM, "dB");
	put(v->l->row_mute, col, A_DIM, "mute");
	put(v->l->row_peak, col, A_DIM, "peak");
	put(v->l->row_peak, right, A_DIM, "dBFS");
}

static void draw_fader(
	const struct view *v, const struct mixer_box *box, int col, int gain_db, attr_t attr, bool selected)
{
	int rows = v->l->body_rows, bottom = v->l->row_gain - 1;
	int zero = mixer_fader_row(0, box->gain_min_db, box->gain_max_db, rows);
	int knob = mixer_fader_row(gain_db, box->gain_min_db, box->gain_max_db, rows);

	for (int i = 0; i < rows; i++) {
		put(bottom - i, col + 1, attr | A_DIM, i == zero ? v->glyphs->track_zero : v->glyphs->track);
	}
	put(bottom - knob, col, attr | (selected ? A_BOLD | A_REVERSE : A_BOLD), v->glyphs->knob);
}

static attr_t meter_attr(const struct view *v, int row, attr_t attr)
{
	int rows = v->l->body_rows;

	if (row >= mixer_meter_row(TOO_LOUD_DBFS, rows)) {
		return attr | colour(v, PAIR_RED);
	}
	return attr | colour(v, row >= mixer_meter_row(LOUD_DBFS, rows) ? PAIR_YELLOW : PAIR_GREEN);
}

static void draw_meter(const struct view *v, const struct mixer_channel *channel, int col, attr_t attr)
{
	int rows = v->l->body_rows, bottom = v->l->row_gain - 1;
	int eighths = mixer_meter_eighths(channel->peak_dbfs, rows);
	int hold = mixer_meter_row(channel->hold_dbfs, rows);

	for (int i = 0; i < rows; i++) {
		int here = CLAMP(eighths - 8 * i, 0, 8);
		const char *glyph = here == 0 && i == hold ? v->glyphs->hold : v->glyphs->blocks[here];

		for (int k = 0; k < MIXER_METER_COLS; k++) {
			put(bottom - i, col + k, meter_attr(v, i, attr), glyph);
		}
	}
}

/* width: of the label alone. */
static void draw_label(const struct view *v, const struct mixer_channel *channel, unsigned k, int middle,
	int width, bool selected, attr_t attr)
{
	char buf[TEXT_SIZE], number[16];
	int cols;

	snprintf(number, sizeof(number), "%u", k + 1);
	cols = mixer_text_label(
		buf, sizeof(buf), *channel->label ? channel->label : number, width, v->look->utf8);
	put(v->l->row_label, middle - cols / 2, selected ? A_BOLD | A_REVERSE : attr, buf);
	if (selected) {
		put(v->l->row_label, middle - cols / 2 - 1, A_BOLD, "<");
		put(v->l->row_label, middle - cols / 2 + cols, A_BOLD, ">");
	}
}

static void draw_strip(
	const struct view *v, const struct mixer_box *box, unsigned place, unsigned k, bool selected)
{
	const struct mixer_channel *channel = &box->channels[k];
	int knob = mixer_layout_knob_col(v->l, place, k * box->step);
	int meter = mixer_layout_meter_col(v->l, place, k * box->step);
	int gain_db = mixer_value_shown(&channel->gain_db), middle = knob + MIXER_KNOB_COLS;
	bool live = mixer_box_is_live(v->model, box), muted = mixer_value_shown(&channel->mute);
	attr_t attr = live ? A_NORMAL : A_DIM;
	char text[8];

	if (live && mixer_channel_clipped(channel)) {
		put(MIXER_ROW_CLIP, meter - 1, A_BOLD | A_REVERSE | colour(v, PAIR_RED), "CLIP");
	}
	draw_fader(v, box, knob, gain_db, attr, selected);
	draw_meter(v, channel, meter, attr);
	mixer_text_gain(text, gain_db);
	put(v->l->row_gain, middle - 2, attr | (selected ? A_BOLD : 0), text);
	put(v->l->row_mute, middle - 2, muted ? attr | A_BOLD | colour(v, PAIR_RED) : attr,
		muted ? "[M]" : "[ ]");
	mixer_text_level(text, channel->hold_dbfs);
	put(v->l->row_peak, middle - 2, attr, text);
	/* Where there is room beside it, a label may need it. */
	draw_label(v, channel, k, middle, v->l->strip_cols - (box->step > 1 ? 0 : 2), selected, attr);
}

static void draw_box(const struct view *v, unsigned i, unsigned place)
{
	const struct mixer_box *box = &v->model->boxes[i];
	bool selected = i == v->model->box;

	draw_header(v, box, place, selected);
	draw_info(v, box, place);
	draw_scales(v, box, place);
	for (unsigned k = 0; k < box->n_channels; k++) {
		draw_strip(v, box, place, k, selected && k == v->model->channel);
	}
}

/* --- whole screens --- */

static void draw_boxes(const struct view *v)
{
	const struct mixer_model *m = v->model;
	unsigned first, count;

	draw_title(v);
	draw_notice(v);
	draw_keys(v);
	if (m->n_boxes == 0) {
		if (m->joined) {
			put(MIXER_ROW_INFO, 1, A_BOLD,
				"no boxes: add a [device NAME] section to ethlinkd.conf");
		}
		return;
	}
	first = mixer_layout_first(v->l, m->box);
	count = mixer_layout_count(v->l, m->n_boxes, m->box);
	for (unsigned place = 0; place < count; place++) {
		draw_box(v, first + place, place);
	}
}

static void draw_help(const struct view *v)
{
	static const char *const lines[] = {
		"Left, Right   strip to the left, to the right",
		"1 to 8        strip of this box;  Home, End: first, last",
		"Tab           next box;  Shift-Tab: previous box",
		"Up, Down      gain 1 dB up, down (also + and -)",
		"PgUp, PgDn    gain 6 dB up, down",
		"0             gain to 0 dB",
		"m             mute or open the strip, [M] is muted",
		"M             mute or open the whole box",
		"c             take the CLIP marks away",
		"q, Esc        quit;  ?: this page",
		"Mouse         click selects, on [M] mutes; wheel: gain",
		"",
		"Meters: peaks of what goes to the box, and the highest of 2 s.",
		"CLIP: above full scale.  Any key goes back.",
		"",
		"A NetVST section has two strips: what goes to the other end (send, reply)",
		"and what comes from it (return, receive), each stereo.",
	};

	put(0, 1, A_BOLD | colour(v, PAIR_CYAN), "ethlinkctl mixer");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		put(2 + (int)i, 1, A_NORMAL, lines[i]);
	}
}

/* As much of it as there is room for. */
static void draw_too_small(int rows, int cols)
{
	char lines[2][64];

	snprintf(lines[0], sizeof(lines[0]), "needs %dx%d", MIXER_COLS_MIN, MIXER_ROWS_MIN);
	snprintf(lines[1], sizeof(lines[1]), "has %dx%d, q quits", cols, rows);
	for (int i = 0; i < MIN(rows, 2); i++) {
		(void)mvaddnstr(i, 0, lines[i], cols);
	}
}

void mixer_view_draw(
	const struct mixer_model *model, const struct mixer_look *look, struct mixer_layout *ret_layout)
{
	const struct view v = {model, look, ret_layout,
		look->eighths ? &blocks
		: look->utf8  ? &halves
			      : &ascii};
	int rows, cols;

	getmaxyx(stdscr, rows, cols);
	mixer_layout_compute(rows, cols, model->n_boxes, ret_layout);
	(void)erase();
	if (!ret_layout->fits) {
		draw_too_small(rows, cols);
	} else if (model->help) {
		draw_help(&v);
	} else {
		draw_boxes(&v);
	}
	(void)move(MAX(rows - 1, 0), 0);
	(void)refresh();
}
