/*
 * Where things stand on the mixer's screen, how high a fader or a meter is, and texts cut to their place. Arithmetic only:
 * no terminal in here. Rows and columns count from 0 at the top left, rows of faders and meters from 0 at their bottom.
 *
 * Plain values, no ownership. Texts are read and written in the encoding of the locale. One thread.
 */
#ifndef CTL_MIXER_LAYOUT_H
#define CTL_MIXER_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

/* Below this it cannot be drawn. */
#define MIXER_COLS_MIN 64
#define MIXER_ROWS_MIN 16
#define MIXER_SCALE_COLS 4 /* on each side of a box */
#define MIXER_KNOB_COLS 3
#define MIXER_METER_COLS 2
#define MIXER_METER_FLOOR_DBFS (-60)
#define MIXER_TICKS_MAX 64
#define MIXER_LABEL_MAX 128 /* what is longer is cut */

/* Rows of a box, from the top of the screen. */
#define MIXER_ROW_TITLE 0
#define MIXER_ROW_HEADER 1
#define MIXER_ROW_INFO 2
#define MIXER_INFO_ROWS 2
#define MIXER_ROW_CLIP 4
#define MIXER_ROW_BODY 5

struct mixer_layout {
	bool fits;
	int rows;
	int cols;
	unsigned per_page; /* boxes beside each other */
	int strip_cols;
	int box_cols;
	int gap_cols; /* between two boxes */
	int left;     /* of the first box */
	int body_rows;
	int row_gain;
	int row_mute;
	int row_peak;
	int row_label;
	int row_notice;
	int row_keys;
};

enum mixer_part {
	MIXER_PART_STRIP,
	MIXER_PART_MUTE,
};

struct mixer_tick {
	int row;
	int db;
};

void mixer_layout_compute(int rows, int cols, unsigned n_boxes, struct mixer_layout *ret_layout);

/* The first box of the page on which the box stands, and how many stand there. */
unsigned mixer_layout_first(const struct mixer_layout *layout, unsigned box);
unsigned mixer_layout_count(const struct mixer_layout *layout, unsigned n_boxes, unsigned box);

/* The left edge of the place-th box of a page, of one of its strips, and of the strip's knob and meter. */
int mixer_layout_box_col(const struct mixer_layout *layout, unsigned place);
int mixer_layout_strip_col(const struct mixer_layout *layout, unsigned place, unsigned channel);
int mixer_layout_knob_col(const struct mixer_layout *layout, unsigned place, unsigned channel);
int mixer_layout_meter_col(const struct mixer_layout *layout, unsigned place, unsigned channel);

/* Which strip is there? False: none. */
bool mixer_layout_hit(const struct mixer_layout *layout, int row, int col, unsigned *ret_place,
	unsigned *ret_channel, enum mixer_part *ret_part);

/* 0 for min_db up to rows - 1 for max_db. */
int mixer_fader_row(int db, int min_db, int max_db, int rows);
/* Marks at round values, the ends and 0 dB first, each in a row of its own; returns how many. */
unsigned mixer_fader_ticks(int min_db, int max_db, int rows, struct mixer_tick ret_ticks[MIXER_TICKS_MAX]);

/* How high a meter is, in eighths of a row. What is above its floor is seen. */
int mixer_meter_eighths(double dbfs, int rows);
/* The row in which that height ends; -1: below the floor. */
int mixer_meter_row(double dbfs, int rows);
unsigned mixer_meter_ticks(int rows, struct mixer_tick ret_ticks[MIXER_TICKS_MAX]);

/*
 * UTF-8 that came from outside, for a terminal: no control characters, at most width columns. Returns the columns.
 * utf8: the terminal takes UTF-8, otherwise what is not ASCII becomes '?'.
 */
int mixer_text(char *buf, size_t size, const char *s, int width, bool utf8);

/* The same for a name: before any of it is cut away it loses its blanks, so that "Main L" and "Main R" stay two. */
int mixer_text_label(char *buf, size_t size, const char *label, int width, bool utf8);

/* How many bytes of an ASCII text make a line of at most width columns; it ends before a blank if there is one. */
size_t mixer_text_break(const char *text, int width);

/* " -6", "+12", "  0"; and a level of a meter, "  -" below -99 dBFS. */
void mixer_text_gain(char buf[8], int db);
void mixer_text_level(char buf[8], double dbfs);

#endif
