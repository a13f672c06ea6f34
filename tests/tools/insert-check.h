/*
 * What went into an insert, and whether what came back is the same so many frames later: the test material in stereo,
 * MIDI notes at random places with the sines that they must become, and the comparison.
 *
 * Ownership: insert_source_init() to insert_source_fini(); read-only in between, from any thread. The rest: main thread.
 */
#ifndef TOOLS_INSERT_CHECK_H
#define TOOLS_INSERT_CHECK_H

#include "material.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSERT_CHANNELS 2
#define INSERT_GAPS_MAX 32

enum insert_kind {
	INSERT_PATTERN,
	INSERT_MUSIC,
	INSERT_SINE,
	INSERT_NOTES, /* silence goes in, notes as MIDI */
};

struct insert_note {
	size_t on, off; /* places */
	uint8_t note, velocity;
};

struct insert_source {
	enum insert_kind kind;
	size_t frames;
	unsigned rate_hz;
	float *channel[INSERT_CHANNELS]; /* what goes in; of notes: what must come back */
	struct material material;
	struct insert_note *notes; /* in the order of their beginnings; none overlaps the next */
	size_t n_notes;
};

struct insert_gap {
	size_t position, frames;
};

struct insert_result {
	int64_t latency;	  /* found by searching; -1: the material is nowhere */
	bool one_latency;	  /* the same wherever it was looked for */
	size_t compared, unequal; /* at the wanted latency */
	size_t last_unequal;
	size_t n_gaps;
	struct insert_gap gaps[INSERT_GAPS_MAX];
	double largest_error, snr_db;
	double largest_step; /* from one frame to the next, in what came back */
};

/* seed: of the notes. 0, or -ENOMEM. */
int insert_source_init(struct insert_source *source, enum insert_kind kind, double seconds, unsigned rate_hz,
	unsigned n_notes, uint32_t seed);
void insert_source_fini(struct insert_source *source);
/*
 * recorded: frames frames, the material was played from place lead on. latency -1: what is found. tolerance: of notes.
 */
void insert_compare(const struct insert_source *source, float *const recorded[INSERT_CHANNELS], size_t frames,
	size_t lead, int64_t latency, double tolerance, struct insert_result *ret_result);
/* The number of the counting pattern in a frame, or -1. */
int64_t insert_number(float left, float right);

#endif
