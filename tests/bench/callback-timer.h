/*
 * The inside of callback-timer.so: callback-timer.c (what is counted, and the report), callback-timer-jack.c and
 * callback-timer-pipewire.c (where a callback begins and ends).
 *
 * Threads: callbacks of one program run on one thread, which makes the calls marked _rt.
 */
#ifndef BENCH_CALLBACK_TIMER_H
#define BENCH_CALLBACK_TIMER_H

#include <stdint.h>

/* A cycle begins, at that time of CLOCK_MONOTONIC; what is timed may begin a little later. */
void callback_timer_begin_rt(int64_t begin_ns);
/*
 * A cycle is over. took_ns: what it took in the program's own code; span_ns: from the beginning of the first piece of it
 * to the end of the last.
 */
void callback_timer_add_rt(int64_t took_ns, int64_t span_ns);
/* The server had an xrun. Any thread. */
void callback_timer_xrun(void);

#endif
