#include "engine/fade-rt.h"
#include "base/util.h"

#include <string.h>

#define FADE_MS 5

void fade_set_rate_rt(struct fade *fade, uint32_t rate_hz)
{
	uint32_t length = CLAMP(rate_hz / 1000 * FADE_MS, 1u, FADE_HISTORY / 2u - 1);

	if (length != fade->length) {
		fade_cut_rt(fade);
		fade->length = length;
	}
}

void fade_cut_rt(struct fade *fade)
{
	/* At level 0 nothing but a tail is there, and that goes on. */
	if (fade->level > 0) {
		fade->level = 0;
		fade->tail = fade->length;
		fade->tail_length = fade->length;
		fade->back = fade->at - 1;
	}
}

static void remember_rt(struct fade *fade, float *const audio[AUDIO_INSERT_CHANNELS], uint32_t n)
{
	uint32_t skip = n > FADE_HISTORY ? n - FADE_HISTORY : 0;
	uint32_t begin = (fade->at + skip) & (FADE_HISTORY - 1);
	uint32_t first = MIN(n - skip, FADE_HISTORY - begin);

	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		memcpy(fade->history[k] + begin, audio[k] + skip, first * sizeof(float));
		memcpy(fade->history[k], audio[k] + skip + first, (n - skip - first) * sizeof(float));
	}
	fade->at += n;
}

/* One channel: n frames from the present level and tail on. */
static void mix_rt(const struct fade *fade, const float *history, float *audio, uint32_t n, bool open)
{
	float in_step = 1.0f / (float)fade->length;
	float tail_step = fade->tail > 0 ? 1.0f / (float)fade->tail_length : 0.0f;

	for (uint32_t i = 0; i < n; i++) {
		float x = open ? audio[i] : 0.0f;

		if (fade->level + i < fade->length) {
			x *= (float)(fade->level + i) * in_step;
		}
		if (i < fade->tail) {
			x += history[(fade->back - i) & (FADE_HISTORY - 1)] *
			     ((float)(fade->tail - i) * tail_step);
		}
		audio[i] = x;
	}
}

void fade_play_rt(struct fade *fade, float *const audio[AUDIO_INSERT_CHANNELS], uint32_t n, bool open)
{
	uint32_t mixed;

	if (!open) {
		fade_cut_rt(fade);
	}
	mixed = MIN(n, MAX(fade->tail, open ? fade->length - fade->level : 0));
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		if (mixed > 0) {
			mix_rt(fade, fade->history[k], audio[k], mixed, open);
		}
		if (!open) {
			memset(audio[k] + mixed, 0, (n - mixed) * sizeof(float));
		}
	}
	if (open) {
		fade->level = MIN(fade->level + mixed, fade->length);
	}
	fade->back -= MIN(mixed, fade->tail);
	fade->tail -= MIN(mixed, fade->tail);
	remember_rt(fade, audio, n);
}
