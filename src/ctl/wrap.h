/*
 * Text on a terminal of 80 columns. One thread.
 */
#ifndef CTL_WRAP_H
#define CTL_WRAP_H

#include <stdio.h>

#define WRAP_COLUMNS 80

/*
 * Words; those that do not fit begin a line at indent. column: where it stands now. A line feed at the end. Control
 * characters, which a terminal obeys, become '?'.
 */
void wrap_print(FILE *f, const char *text, int column, int indent);

#endif
