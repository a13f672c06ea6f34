/*
 * Writes properties as JSON: ASCII only, valid whatever is in them. Numbers that JSON does not have
 * (infinities, NaN) become null. Whether the stream took it all is for the caller to look at. One thread.
 */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include "ctl/prop.h"

#include <stdio.h>

void json_string(FILE *f, const char *s);

/* A value or an array in one line. NULL: null. decimals: of doubles; negative: as many as they need. */
void json_prop(FILE *f, const struct prop *prop, int decimals);

#endif
