/*
 * What passes between an audio backend and the engine in one cycle. Both rooms include this and
 * nothing of each other; the daemon ties them together.
 *
 * Ownership: the backend owns the cycle and the groups in it; they are valid during the callback.
 */
#ifndef BASE_AUDIO_H
#define BASE_AUDIO_H

#include <stdbool.h>
#include <stdint.h>

#define AUDIO_CHANNELS 8
/* Periods that we take, in sample frames. */
#define AUDIO_PERIOD_MIN 8
#define AUDIO_PERIOD_MAX 8192

/* The ports of one device. A missing buffer (NULL) is silence (in) or nobody listening (out). */
struct audio_group {
	void *owner;			 /* what add_ports was given: the engine's device */
	const float *in[AUDIO_CHANNELS]; /* graph to device, planar, nominal range [-1, +1) */
	float *out[AUDIO_CHANNELS];	 /* device to graph */
};

struct audio_cycle {
	uint32_t frames; /* sample frames in each buffer, 1..8192 */
	uint32_t rate_hz;
	int64_t now_ns; /* CLOCK_MONOTONIC, when the callback began */
	uint32_t xruns; /* xruns that the server has reported so far */
	bool varying; /* the next cycle may have another length; it begins when this one's frames are over */
	bool freewheel; /* the server runs as fast as it can, not in real time */
	unsigned n_groups;
	struct audio_group *const *groups;
};

#endif
