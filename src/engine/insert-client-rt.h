/*
 * The client in one cycle: what the graph plays goes into tx, and what has come back for the frames of `latency` before is played.
 * What has not come is silence between two fades; the time of all else does not change.
 *
 * Ownership: part of struct insert. Threads: RT's own.
 */
#ifndef ENGINE_INSERT_CLIENT_RT_H
#define ENGINE_INSERT_CLIENT_RT_H

#include "base/audio.h"

#include <stdbool.h>
#include <stdint.h>

struct insert;

struct insert_client {
	uint64_t frame;	  /* of the run: the cycle's first */
	uint64_t from;	  /* frames before this one are not played */
	uint64_t counted; /* number of the last block that was counted as late + 1 */
	uint32_t latency_frames;
	uint32_t grid; /* all cycles of the run begin at multiples of it; 0: there was none yet */
	bool given_up; /* the run: tx was full, or periods are others */
	bool late;     /* an episode of late blocks is on */
	bool frozen;   /* freewheeling: no time passes for the peer */
};

/* RT safe. */
void client_process_rt(struct insert *insert, const struct audio_cycle *cycle, struct audio_insert *io);

#endif
