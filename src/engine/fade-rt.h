/*
 * Stereo audio that may have to stop at any sample, without a step. There is no time to fade out what does not come any more: so what was
 * played last is played once more, backwards and fading away (the tail). What comes afterwards is faded in, over
 * the tail where that is still there; the two together are never more than 1.
 *
 * Ownership: embedded, zeros at first. Threads: RT's own; RT safe.
 */
#ifndef ENGINE_FADE_RT_H
#define ENGINE_FADE_RT_H

#include "base/audio.h"

#include <stdbool.h>
#include <stdint.h>

#define FADE_HISTORY 4096 /* a power of two, at least twice the longest fade */

struct fade {
	uint32_t length; /* of a fade, in frames */
	uint32_t level;	 /* 0..length: how far in it is */
	uint32_t tail;	 /* frames of the tail that are still to come */
	uint32_t tail_length;
	uint32_t back; /* where in history the tail goes on; downwards */
	uint32_t at;   /* where history goes on */
	float history[AUDIO_INSERT_CHANNELS][FADE_HISTORY];
};

/* Fades take 5 ms at this rate. */
void fade_set_rate_rt(struct fade *fade, uint32_t rate_hz);
/* What comes next does not continue what was there. */
void fade_cut_rt(struct fade *fade);
/* Makes n frames of audio what is to be played. open: they are to be heard; else what stands there does not count. */
void fade_play_rt(struct fade *fade, float *const audio[AUDIO_INSERT_CHANNELS], uint32_t n, bool open);

#endif
