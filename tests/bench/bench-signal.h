/*
 * What the benchmarks' sources play: full scale on each channel, so that no conversion meets silence. Made beforehand:
 * what a source itself takes should not be noticed.
 *
 * Ownership: struct bench_signal is the caller's; it is large, and is best static. Threads: bench_signal_fill() before
 * there are cycles; functions ending in _rt on the server's thread alone.
 */
#ifndef BENCH_SIGNAL_H
#define BENCH_SIGNAL_H

#include "base/util.h"

#include <stdint.h>

#define BENCH_SIGNAL_CHANNELS 8
#define BENCH_SIGNAL_LOOP_FRAMES 8192 /* whole periods of each sine; noise repeats after it */

enum bench_signal_kind {
	BENCH_SIGNAL_NOISE,
	BENCH_SIGNAL_SINE,
	BENCH_SIGNAL_MIXED, /* odd channels sine, even noise */
};

struct bench_signal {
	float loops[BENCH_SIGNAL_CHANNELS][BENCH_SIGNAL_LOOP_FRAMES] CACHELINE_ALIGNED;
	uint32_t at;
};

/* "noise", "sine" or "mixed". 0 or -EINVAL. */
int bench_signal_kind_from_string(const char *text, enum bench_signal_kind *ret_kind);
void bench_signal_fill(struct bench_signal *s, enum bench_signal_kind kind);
/* RT safe. One channel's samples of this cycle. */
void bench_signal_copy_rt(const struct bench_signal *s, unsigned channel, float *out, uint32_t frames);
/* RT safe. The cycle is over. */
void bench_signal_advance_rt(struct bench_signal *s, uint32_t frames);

#endif
