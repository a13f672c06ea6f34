/*
 * The command line of ethlink-emu.
 *
 * Ownership: options_parse() to options_fini(); strings point into argv.
 */
#ifndef EMU_OPTIONS_H
#define EMU_OPTIONS_H

#include "emu/command.h"
#include "emu/record.h"
#include "emu/serials.h"

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_BOXES_MAX 1024u

struct options {
	const char *interface;
	struct serials dac;
	double *ppm;		 /* SERIALS_MAX of them, by serial number */
	const char *record_path; /* NULL: none */
	enum record_format record_format;
	bool record_all, apply_gain;
	double loss;
	bool rc_ppm_set;
	double rc_ppm;
	int64_t jitter_ns;
	uint64_t seed;
	bool json;
	double interval_s;
	const char *status_path;  /* NULL: none */
	const char *changes_path; /* NULL: none */
	struct command *presets;
	unsigned n_presets;
	bool start_off, commands, check_counter, verbose;
	unsigned ring_frames; /* 0: by the number of boxes */
	int64_t guard_ns;
	double duration_s; /* 0: until a signal */
};

/*
 * 1: go on; 0: --help or --version was answered on standard output; -EINVAL: bad, the reason is on standard
 * error; -ENOMEM. options_fini() is due in each case.
 */
int options_parse(int argc, char **argv, struct options *ret);
void options_fini(struct options *o);

#endif
