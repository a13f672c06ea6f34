/*
 * What both kinds of insert are made of. The client and the slot have files of their own; this is what they
 * share: gains, fades, peaks, and the seam to control.
 *
 * Ownership: insert.c makes and frees it. Threads: control writes what is in the first part, RT all else.
 */
#ifndef ENGINE_INSERT_RT_H
#define ENGINE_INSERT_RT_H

#include "engine/fade-rt.h"
#include "engine/gain-rt.h"
#include "engine/insert-client-rt.h"
#include "engine/insert-slot-rt.h"
#include "engine/insert.h"
#include "engine/notes-rt.h"
#include "engine/seam.h"

struct insert {
	enum insert_role role;
	struct nvpipe *pipe;
	CACHELINE_ALIGNED _Atomic uint64_t gains; /* bits of two floats: send lowest, back */
	_Atomic uint32_t latency_frames;

	struct insert_report report;
	_Atomic uint32_t peak_send[AUDIO_INSERT_CHANNELS]; /* bits of a float */
	_Atomic uint32_t peak_back[AUDIO_INSERT_CHANNELS];

	/* RT's own. */
	CACHELINE_ALIGNED uint32_t rate_hz;
	struct gain send;
	struct gain back;
	struct fade fade;   /* of what goes to the graph */
	struct notes notes; /* that sound: client: at the peer; slot: in the graph */
	float *out[AUDIO_INSERT_CHANNELS];
	union {
		struct insert_client client;
		struct insert_slot slot;
	};
	float spare[AUDIO_INSERT_CHANNELS][AUDIO_PERIOD_MAX]; /* out where nobody listens */
	float work[AUDIO_INSERT_CHANNELS][AUDIO_PERIOD_MAX];  /* what goes to the peer */
};

/* A run begins: gains are there at once. */
void insert_begin_rt(struct insert *insert);
/*
 * What the graph plays into the insert, as it is to go to the peer: a buffer of the graph's itself where nothing is to be done,
 * else in insert->work; NULL: silence.
 */
void insert_take_send_rt(struct insert *insert, const struct audio_insert *io, uint32_t n,
	const float *ret_audio[AUDIO_INSERT_CHANNELS]);
/*
 * Frames [at, at + n) of this cycle's output are what stands in insert->out there (open), or silence. Each frame of a cycle
 * once, in order.
 */
void insert_play_rt(struct insert *insert, uint32_t at, uint32_t n, bool open);

#endif
