/*
 * The counting pattern in stereo, of which every sample tells its place: frame n (from 1 on) of channel c (0, 1) is
 * ((n mod 2097152) * 8 + c - 8388608) / 8388608, exact as a float. And the check of a stream of it: by how many frames
 * it is late, where that changes, and what is not of it.
 *
 * Ownership: the caller's. One thread. Pure.
 */
#ifndef ECHO_COUNTER_H
#define ECHO_COUNTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNTER_MASK 0x1fffff
#define COUNTER_GAPS_MAX 64 /* that are listed; all are counted */

/* Frame number n, 1 for the first. */
float counter_value(uint64_t n, unsigned channel);

/* Frames in a row that do not go on as those before. */
struct counter_gap {
	uint64_t position; /* of the first, in what came */
	uint64_t frames;   /* until it goes on; 0: it only jumps */
	uint64_t zeros;	   /* of these */
	int64_t latency_before, latency_after;
};

struct counter {
	uint64_t position; /* of the next frame */
	uint64_t exact;	   /* frames of the pattern */
	uint64_t zeros;	   /* silent ones, before it and in gaps */
	uint64_t wrong;	   /* all others */
	uint64_t n_gaps;
	struct counter_gap gaps[COUNTER_GAPS_MAX];
	struct counter_gap gap; /* that is going on */
	bool begun;		/* the pattern has been there */
	bool locked;
	int64_t latency; /* frames between a number's own place and where it came; while locked or before a gap */
	int64_t first_latency;
	/* Candidates for the next lock. */
	unsigned run;
	int64_t run_latency;
	unsigned run_zeros;
};

void counter_init(struct counter *counter);
void counter_check(struct counter *counter, const float *left, const float *right, size_t n);
/* No more comes: what had gone wrong at the end is silence behind the pattern, or a gap. */
void counter_end(struct counter *counter);

#endif
