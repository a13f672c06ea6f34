/*
 * The realtime path alone: an engine with one interface and its boxes on a ring without a kernel, all of them running.
 * Time is a number, and buffers never change, so each cycle does the same as the one before.
 *
 * Ownership: cycle_rig_new() gives a rig to the caller, who frees it with cycle_rig_free(). Threads: one.
 */
#ifndef BENCH_CYCLE_RIG_H
#define BENCH_CYCLE_RIG_H

#include "dsp/sample.h"

#include <stdbool.h>
#include <stdint.h>

#define CYCLE_RIG_BOXES_MAX 32

struct cycle_rig_config {
	unsigned boxes;
	unsigned channels; /* of each box that have a buffer, full of noise; the others are not connected */
	uint32_t period;
	bool varying; /* as under PipeWire */
	const struct sample_kernels *kernels;
};

struct cycle_rig;

/* The set of this name, or NULL where this processor does not run it. */
const struct sample_kernels *cycle_rig_kernels(const char *name);
/* Streams that have begun and faded in. 0 or -errno. */
int cycle_rig_new(const struct cycle_rig_config *config, struct cycle_rig **ret_rig);
void cycle_rig_free(struct cycle_rig *rig);
/* One cycle of the engine, and nothing else. */
void cycle_rig_process(struct cycle_rig *rig);
/* Has the ring "send" what the cycle made, so that the next one finds room. */
void cycle_rig_drain(struct cycle_rig *rig);
/* Frames sent since the last call. */
uint64_t cycle_rig_take_frames(struct cycle_rig *rig);
/* True if all that the rig is to do was done: frames with the audio of just the connected channels; nothing dropped. */
bool cycle_rig_is_sound(struct cycle_rig *rig);

#endif
