/*
 * When callbacks began, for whoever compares it with what came of them elsewhere: a file that callback-timer.so fills
 * (CALLBACK_TIMER_STARTS names it) and that is read once nobody counts any more. Header only.
 *
 * Threads: the callback's alone writes; the count is released after the time that it counts.
 */
#ifndef BENCH_CALLBACK_STARTS_H
#define BENCH_CALLBACK_STARTS_H

#include <stdatomic.h>
#include <stdint.h>

/* A minute at the shortest period and the highest rate. Later callbacks are not in the file. */
#define CALLBACK_STARTS_MAX 720000

struct callback_starts {
	_Atomic uint64_t n;
	int64_t at_ns[CALLBACK_STARTS_MAX]; /* CLOCK_REALTIME, as the kernel stamps frames */
};

#endif
