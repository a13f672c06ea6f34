/*
 * Values of long options: what may stand there, and the complaint about what may not. Header only; main threads.
 */
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include "base/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Says what is allowed. -EINVAL. */
static inline int option_bad(const char *option, const char *value, const char *allowed)
{
	log_error("--%s=%s: %s", option, value, allowed);
	return -EINVAL;
}

static inline bool option_double(const char *s, double lo, double hi, double *ret)
{
	char *end;

	errno = 0;
	*ret = strtod(s, &end);
	return errno == 0 && end != s && *end == '\0' && *ret >= lo && *ret <= hi;
}

static inline bool option_whole(const char *s, uint64_t lo, uint64_t hi, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(s, &end, 10);
	return errno == 0 && *s >= '0' && *s <= '9' && *end == '\0' && *ret >= lo && *ret <= hi;
}

#endif
