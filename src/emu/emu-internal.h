/*
 * What emu.c (life cycle, main loop, commands) and emu-report.c (everything that is said) share.
 */
#ifndef EMU_EMU_INTERNAL_H
#define EMU_EMU_INTERNAL_H

#include "emu/emu.h"
#include "emu/out.h"
#include "emu/wire.h"

#include <stdio.h>

struct emu_box {
	struct emu *emu;
	struct recorder *recorder;
	uint16_t serial;
};

struct emu {
	const struct options *opt;
	struct wire *wire;
	unsigned n;
	struct box **boxes;
	struct emu_box *extra;
	int16_t by_serial[SERIALS_MAX]; /* index, -1 for none */
	struct out out;
	FILE *changes;	   /* NULL: none */
	int64_t start_ns;  /* all times are CLOCK_MONOTONIC */
	int64_t offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	int64_t report_ns, check_ns;
	uint64_t frames_unknown;
	uint64_t drops_said;
	bool busy; /* frames came in the last turn */
	bool more; /* and there were more than one turn takes */
	bool link_up, away_said, status_file_failed;
	bool over;
};

/* To standard output, as JSON or in words; and to the status file. */
void emu_write_report(struct emu *e, bool final, bool as_json, bool to_file);
/* A line in the log of changes. */
void emu_log_change(const struct emu_box *x, int64_t t_ns, const struct box_gain_change *change);
/* What a person wants to see when it happens, not at the next report. */
void emu_say_changes(struct emu *e);
/* The answer to a command; error NULL: done. */
void emu_answer(struct emu *e, const char *error);

#endif
