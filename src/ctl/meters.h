/*
 * Levels of the boxes as lines: for a program, for a file, or redrawn in place on a terminal. Whether the stream took
 * them all is for the caller to look at. One thread.
 */
#ifndef CTL_METERS_H
#define CTL_METERS_H

#include "ctl/client-device.h"

#include <stdbool.h>
#include <stdio.h>

/* One JSON object in one line; silence is null. */
void meters_print_json(const struct client_device *device, FILE *f);

/* What stands above the lines; name_width as below. */
void meters_print_header(FILE *f, int name_width);

/*
 * Name and the peak of each channel in dBFS, '-' for silence, '!' behind a channel that was above full scale
 * since the daemon started. colour: the level's.
 */
void meters_print_line(const struct client_device *device, FILE *f, int name_width, bool colour);

#endif
