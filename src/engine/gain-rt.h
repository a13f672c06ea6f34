/*
 * A factor on stereo audio that changes in a ramp, and is no arithmetic at all where it is 1; and the last look at samples before
 * they are given away.
 *
 * Ownership: embedded. Threads: RT's own; RT safe.
 */
#ifndef ENGINE_GAIN_RT_H
#define ENGINE_GAIN_RT_H

#include "base/audio.h"

#include <stdbool.h>
#include <stdint.h>

struct gain {
	float now;
	float target;
	float step;
	uint32_t left; /* frames of the ramp */
};

/* At once. */
void gain_jump_rt(struct gain *gain, float target);
/* In a ramp of so many frames, from where it is. Nothing where it is on its way there already. */
void gain_set_rt(struct gain *gain, float target, uint32_t frames);
/* Audio stays as it is. */
bool gain_is_one_rt(const struct gain *gain);
void gain_apply_rt(struct gain *gain, float *const audio[AUDIO_INSERT_CHANNELS], uint32_t n);

/* Largest |x|, as the bits of a float; GAIN_INFINITE or more: there is one that is no finite number. */
#define GAIN_INFINITE 0x7f800000u
uint32_t gain_peak_rt(const float *audio, uint32_t n);
/* What is no finite number becomes 0. */
void gain_clean_rt(float *audio, uint32_t n);

#endif
