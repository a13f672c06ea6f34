/*
 * What a scan has found, for a person or for a program. Whether the stream took it all is for the caller to look at.
 * One thread.
 */
#ifndef CTL_SCAN_PRINT_H
#define CTL_SCAN_PRINT_H

#include "ctl/scan-model.h"

#include <stdio.h>

struct scan_summary {
	const char *interface;
	bool probed;
	bool interrupted;
	double seconds; /* that it took */
};

/* A table, what to do where nothing was found, and configuration sections for the boxes that the daemon has not. */
void scan_print_text(const struct scan *scan, const struct scan_summary *summary, FILE *f);
/* One object; see ethlinkctl(1). */
void scan_print_json(const struct scan *scan, const struct scan_summary *summary, FILE *f);

#endif
