/*
 * How the boxes are doing: as one JSON object in a line, or in words. Writes to the stream that it is given;
 * no state.
 */
#ifndef EMU_REPORT_H
#define EMU_REPORT_H

#include "emu/box.h"
#include "emu/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct report {
	const char *interface;
	bool link_up;
	bool final;
	bool check_counter;
	double uptime_s;
	double cpu_s; /* processor time of this process */
	unsigned ring_frames;
	const struct wire_counts *wire;
	uint64_t frames_unknown; /* for a DAC that is not here */
	uint64_t lines_dropped;  /* status lines that standard output did not take */
	struct box *const *boxes;
	unsigned n_boxes;
};

void report_json(FILE *f, const struct report *r);
/* The answer to a command, for programs. error NULL: done. */
void report_json_answer(FILE *f, const char *error);

/* "box 0: green, 48000 Hz, …" and a line end. */
void report_box(FILE *f, const struct box *b, bool check_counter);
/* All boxes in one line. */
void report_summary(FILE *f, const struct report *r);

const char *report_led(enum box_led led);

#endif
