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
#define AUDIO_INSERT_CHANNELS 2
/* MIDI events that one insert takes or gives in one cycle; the backend leaves out what is beyond. */
#define AUDIO_MIDI_MAX 256
/* Periods that we take, in sample frames. */
#define AUDIO_PERIOD_MIN 8
#define AUDIO_PERIOD_MAX 8192

/* The ports of one device. A missing buffer (NULL) is silence (in) or nobody listening (out). */
struct audio_group {
	void *owner;			 /* what add_ports was given: the engine's device */
	const float *in[AUDIO_CHANNELS]; /* graph to device, planar, nominal range [-1, +1) */
	float *out[AUDIO_CHANNELS];	 /* device to graph */
};

/* A channel message, 0x80 to 0xEF; nothing else passes. A message of two bytes has data2 = 0. */
struct audio_midi {
	uint32_t frame; /* from the cycle's start */
	uint8_t status; /* with the channel in its low half */
	uint8_t data1;
	uint8_t data2;
};

/*
 * The ports of one insert: stereo audio and MIDI, both ways. It has its turn by itself, once a cycle, before the devices
 * have theirs: what it writes can be played in the same cycle.
 */
struct audio_insert {
	void *owner;				/* what add_ports was given: the engine's insert */
	const float *in[AUDIO_INSERT_CHANNELS]; /* graph to insert; NULL: silence */
	float *out[AUDIO_INSERT_CHANNELS];	/* insert to graph, to be filled; NULL: nobody listens */
	unsigned n_midi_in;			/* in the order of their frames */
	unsigned n_midi_out;			/* 0 before; the same order */
	unsigned n_midi_lost; /* that came from the graph, but were more than AUDIO_MIDI_MAX */
	struct audio_midi midi_in[AUDIO_MIDI_MAX];
	struct audio_midi midi_out[AUDIO_MIDI_MAX];
};

struct audio_cycle {
	uint32_t frames; /* sample frames in each buffer, 1..8192 */
	uint32_t rate_hz;
	int64_t now_ns; /* CLOCK_MONOTONIC, when the callback began */
	uint32_t xruns; /* xruns that the server has reported so far */
	bool varying; /* the next cycle may have another length; it begins when this one's frames are over */
	bool freewheel; /* the server runs as fast as it can, not in real time */
	bool rolling;	/* the graph's transport */
	uint64_t
		transport_frame; /* where it is at the cycle's start, from the song's start; 0 without a transport */
	unsigned n_groups;
	struct audio_group *const *groups; /* of devices; an insert's turn has none */
};

#endif
