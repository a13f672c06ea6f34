/*
 * A WAV file of what one box played: 8 channels, as they came out of the queue or with the box's gains
 * applied.
 *
 * Ownership: recorder_new() to recorder_free(), which completes the file. One thread.
 */
#ifndef EMU_RECORD_H
#define EMU_RECORD_H

#include "emu/box.h"

#include <stdbool.h>

enum record_format {
	RECORD_S32,
	RECORD_F32,
};

struct record_config {
	const char *path; /* FILE.wav */
	int serial;       /* put into the name before the extension; -1: not */
	enum record_format format;
	bool apply_gain;
	bool from_first_block; /* else from the first block that is not all zero */
};

struct recorder;

/* Looks whether the folder can be written; the file itself is made when there is something to write. 0 or
 * -errno. */
int recorder_new(const struct record_config *config, struct recorder **ret_recorder);

/*
 * What a box's play hook gets. After a change of rate, and when a file is as large as a WAV can be, it goes
 * on in another (FILE.1.wav). Errors are logged once, the rest is lost.
 */
void recorder_block(struct recorder *r, const struct box_block *block);

/* 0, or -EIO where something could not be written. Frees in any case. */
int recorder_free(struct recorder *r);

#endif
