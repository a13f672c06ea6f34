/*
 * Does the machine itself stand still? One thread for each processor, realtime and above every audio thread, sleeps a
 * millisecond at a time and notes when it wakes late. A virtual machine whose host is busy is late by many
 * milliseconds now and then; no program in it can do anything about that, and a test must be able to tell.
 *
 * Main thread only.
 */
#ifndef TOOLS_STALL_H
#define TOOLS_STALL_H

#include <stdint.h>

#define STALL_COUNTED_NS 1000000 /* later than this is a stall */

struct stalls {
	unsigned count;
	int64_t longest_ns;
};

/* 0, or -errno (EPERM: no realtime priority here); then nothing is measured. */
int stall_start(void);
/* What they saw since the last time; they go on. */
struct stalls stall_take(void);
/* Ends the threads. What they saw; nothing where they did not run. */
struct stalls stall_stop(void);

#endif
