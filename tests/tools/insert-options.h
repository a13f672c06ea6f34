/* The command line of insert-play. Strings point into argv. Main thread. */
#ifndef TOOLS_INSERT_OPTIONS_H
#define TOOLS_INSERT_OPTIONS_H

#include "insert-check.h"

#define INSERT_PAIRS_MAX 32

struct insert_options {
	const char *server, *client, *record, *start_file;
	const char *sends[INSERT_PAIRS_MAX], *returns[INSERT_PAIRS_MAX];
	const char *midi_to, *midi_from;
	unsigned n_sends, n_returns, n_notes;
	enum insert_kind kind;
	double seconds, lead_s, tail_s, timeout_s, tolerance;
	int64_t latency[INSERT_PAIRS_MAX]; /* -1: what is found */
	bool roll;
};

/* 0, or the exit status; --help ends the program. Says itself what is wrong. */
int insert_options_parse(int argc, char **argv, struct insert_options *ret_options);

#endif
