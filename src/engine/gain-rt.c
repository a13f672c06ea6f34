#include "engine/gain-rt.h"
#include "base/util.h"

#include <string.h>

#define SIGN 0x80000000u

void gain_jump_rt(struct gain *gain, float target)
{
	gain->now = target;
	gain->target = target;
	gain->left = 0;
}

void gain_set_rt(struct gain *gain, float target, uint32_t frames)
{
	if (target != gain->target) {
		gain->target = target;
		gain->left = MAX(frames, 1u);
		gain->step = (target - gain->now) / (float)gain->left;
	}
}

bool gain_is_one_rt(const struct gain *gain)
{
	return gain->left == 0 && gain->now == 1.0f;
}

void gain_apply_rt(struct gain *gain, float *const audio[AUDIO_INSERT_CHANNELS], uint32_t n)
{
	uint32_t ramp = MIN(n, gain->left);

	if (gain_is_one_rt(gain)) {
		return;
	}
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		for (uint32_t i = 0; i < ramp; i++) {
			audio[k][i] *= gain->now + gain->step * (float)(i + 1);
		}
		for (uint32_t i = ramp; i < n; i++) {
			audio[k][i] *= gain->target;
		}
	}
	gain->left -= ramp;
	gain->now = gain->left > 0 ? gain->now + gain->step * (float)ramp : gain->target;
}

static uint32_t magnitude_rt(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits & ~SIGN;
}

/* Without their sign floats compare like their bits, and what is no number is above all of them. */
uint32_t gain_peak_rt(const float *audio, uint32_t n)
{
	uint32_t peak[4] = {0};
	uint32_t i;

	/* Four that do not wait for each other. */
	for (i = 0; i + 4 <= n; i += 4) {
		for (unsigned j = 0; j < 4; j++) {
			uint32_t bits = magnitude_rt(audio[i + j]);

			peak[j] = MAX(peak[j], bits);
		}
	}
	for (; i < n; i++) {
		uint32_t bits = magnitude_rt(audio[i]);

		peak[0] = MAX(peak[0], bits);
	}
	return MAX(MAX(peak[0], peak[1]), MAX(peak[2], peak[3]));
}

void gain_clean_rt(float *audio, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (magnitude_rt(audio[i]) >= GAIN_INFINITE) {
			audio[i] = 0.0f;
		}
	}
}
