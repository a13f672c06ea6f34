/*
 * One NetVST insert without network and audio server: a client whose replies come in time, or a slot whose DAW keeps time.
 *
 * Ownership: struct insert_rig is the caller's; it is large, and is best static. Threads: one.
 */
#ifndef BENCH_INSERT_RIG_H
#define BENCH_INSERT_RIG_H

#include "engine/insert.h"

#include <stdint.h>

#define INSERT_RIG_RATE_HZ 48000

struct insert_rig {
	enum insert_role role;
	struct nvpipe *pipe;
	struct insert *insert;
	struct audio_insert io;
	struct audio_cycle cycle;
	uint32_t period;
	uint64_t blocks;
	float in[AUDIO_INSERT_CHANNELS][AUDIO_PERIOD_MAX];
	float out[AUDIO_INSERT_CHANNELS][AUDIO_PERIOD_MAX];
	float block[AUDIO_INSERT_CHANNELS][AUDIO_PERIOD_MAX];
};

/* 0 or -errno; whatever stood in the rig does not count. */
int insert_rig_make(struct insert_rig *rig, enum insert_role role, uint32_t period, float gain);
void insert_rig_clear(struct insert_rig *rig);
/* What the other side does after a cycle; then it is time for the next one. */
void insert_rig_serve(struct insert_rig *rig);

#endif
