/*
 * A stream moved by a few frames against itself, inside a cross-fade so long that nobody hears it.
 *
 * Threads: RT's own; pure; RT safe.
 */
#ifndef ENGINE_SHIFT_RT_H
#define ENGINE_SHIFT_RT_H

#include <stdbool.h>
#include <stdint.h>

#define SHIFT_FRAMES 4

struct shift {
	int move;	 /* +SHIFT_FRAMES: frames are left out; -SHIFT_FRAMES: repeated; 0: nothing goes on */
	uint32_t done;	 /* frames of the cross-fade */
	uint32_t length; /* that it has */
};

static inline float shift_mix_rt(const struct shift *shift, uint32_t i, float before, float after)
{
	return before + (after - before) * ((float)(shift->done + i + 1) / (float)shift->length);
}

/* So many more frames are done. True: it was the last of them, and the stream is to be read from the other place. */
static inline bool shift_advance_rt(struct shift *shift, uint32_t frames)
{
	shift->done += frames;
	return shift->done == shift->length;
}

#endif
