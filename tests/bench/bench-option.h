/* Numbers on the command lines of the benchmarks. Header only; main threads, before anything else. */
#ifndef BENCH_OPTION_H
#define BENCH_OPTION_H

#include "base/option.h"

#include <stdio.h>

/* Ends the program where the value is none of these; it says what is allowed. */
static inline unsigned bench_option_number(const char *option, const char *value, unsigned lo, unsigned hi)
{
	char allowed[64];
	uint64_t number;

	if (!option_whole(value, lo, hi, &number)) {
		snprintf(allowed, sizeof(allowed), "allowed is a number from %u to %u", lo, hi);
		option_bad(option, value, allowed);
		exit(2);
	}
	return (unsigned)number;
}

#endif
