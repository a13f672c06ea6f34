/*
 * A slot of a NetVST server between a graph and a DAW with a clock of its own, in simulated time. No sockets and no sleeping: the
 * simulation is the net thread, and says what time it is.
 *
 * Ownership: world_new() gives a world to the caller, world_free() takes it. Failures end the test.
 */
#ifndef TESTS_SIM_SLOT_SIM_H
#define TESTS_SIM_SLOT_SIM_H

#include "engine/insert.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define RATE 48000
#define BLOCK_MAX 8192
#define TONE_HZ 997.0
#define LEVEL 0.5
#define FADE 240
/* A sine's largest step from sample to sample, and what a correction may add: SHIFT_FRAMES of it in a fade. */
#define STEP (LEVEL * 2 * M_PI * TONE_HZ / RATE)
#define STEP_MAX (STEP * 1.03)

/* With fades: what is left or comes may be at its loudest. */
#define STEP_FADE_MAX (STEP_MAX + 2 * LEVEL / FADE)

#define MIDI_EVERY 37

enum content {
	TONE,
	NUMBERS, /* of the frames */
};

/* So small that what lies between two of them is exact enough. */
#define NUMBERS_END 65536

enum pace {
	FREE,	/* sends, and takes replies when they are there */
	WAITS,	/* sends the next block when the last one has been answered */
	OFFLINE /* waits, and does not look at the clock */
};

/* Of what goes by. */
struct probe {
	double last;
	double step;	    /* largest between two samples */
	double slope_least; /* numbers: of steps, since `after` frames */
	double slope_most;
	uint64_t jumps; /* other steps: where numbers begin anew */
	uint64_t after;
	uint64_t seen;
	uint64_t frames; /* that were not 0 */
};

struct world {
	struct nvpipe *pipe;
	struct insert *insert;
	struct audio_insert io;
	int64_t now_ns;
	uint32_t run;

	enum content content;

	/* graph */
	uint32_t period;
	uint64_t cycle;
	int64_t graph_ns; /* when the next cycle is due */
	double graph_due;
	int64_t callback_jitter_ns;
	uint32_t xruns;
	uint64_t graph_frame; /* of the sine to the DAW */
	bool freewheel;
	float in[AUDIO_INSERT_CHANNELS][BLOCK_MAX];
	float out[AUDIO_INSERT_CHANNELS][BLOCK_MAX];
	struct probe heard;

	/* DAW */
	enum pace pace;
	uint32_t block;
	uint32_t burst; /* blocks at once */
	double daw_rate;
	int64_t jitter_ns;
	double daw_due; /* when the next block is ready, ns */
	int64_t arrives_ns;
	int64_t sent_ns;
	uint64_t daw_frame;
	uint64_t blocks;
	uint64_t answered; /* frames */
	uint64_t late;	   /* blocks whose reply had to wait */
	bool paused;
	struct probe replied;

	uint32_t seed;
	uint64_t fill_max;
	void (*on_cycle)(struct world *w);

	/* MIDI */
	uint64_t midi_first; /* frame of the first event; the others follow every MIDI_EVERY frames */
	uint64_t midi_sent;
	uint64_t midi_heard;
	uint64_t midi_exact;
	uint64_t ended[3]; /* note-offs, sustains, all-notes-offs */
};

/* Without a connection. ppm: by how much the DAW's clock is faster than the graph's. */
struct world *world_new(uint32_t period, uint32_t block, double ppm);
void world_free(struct world *w);
const struct insert_report *report_of(const struct world *w);
void connect_daw(struct world *w);
void disconnect_daw(struct world *w);
void run(struct world *w, double seconds);
void run_cycle(struct world *w);
/* The DAW's next block is due from daw_due on. */
void next_block(struct world *w);
/* Frames in both rings: the same at all times, or latency would have changed. */
uint64_t standing(const struct world *w);
/* By how much number a is more than b, as numbers begin anew. */
double behind(double a, double b);
/* A line for whoever looks into a failure. */
void say(const struct world *w, const char *what);

#endif
