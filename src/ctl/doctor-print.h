/*
 * A report of the doctor, for a person or for a program. Whether the stream took it all is for the caller to look
 * at. One thread.
 */
#ifndef CTL_DOCTOR_PRINT_H
#define CTL_DOCTOR_PRINT_H

#include "ctl/doctor-checks.h"

#include <stdio.h>

/* At most 80 columns, commands excepted, which are never broken. verbose: what was skipped, and histograms. */
void doctor_print_text(const struct doctor_facts *facts, const struct doctor_report *report, FILE *f,
	bool verbose, bool colour);

/* One object, ASCII; its keys are in ethlinkctl(1) and stay. */
void doctor_print_json(const struct doctor_facts *facts, const struct doctor_report *report, FILE *f);

#endif
