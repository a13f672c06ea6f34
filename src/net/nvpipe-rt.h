/*
 * What passes between the realtime thread and the thread that serves one NetVST connection: samples, MIDI and time, both
 * ways, through rings without locks. tx goes from the graph to the peer, rx from the peer to the graph.
 *
 * A connection's audio is a run. The net thread asks for one (want), the realtime thread begins it at the start of a
 * cycle (run); positions are sample frames since then. Between two runs both are 0, and only then the net thread puts the
 * rings back.
 *
 *   tx  The realtime thread appends each cycle's samples, with a mark that says when and where in the song it was.
 *   rx  client: blocks of a fixed size, each valid on its own (nvpipe_put_block), as replies may be late or missing.
 *       server: a stream (rx_head, rx_tail), as a DAW's blocks may have any size and none is missing.
 *
 * Ownership: control makes and frees it, when neither thread uses it any more. Threads: functions say which.
 */
#ifndef NET_NVPIPE_RT_H
#define NET_NVPIPE_RT_H

#include "base/audio.h"
#include "base/spsc.h"
#include "base/util.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NVPIPE_CHANNELS AUDIO_INSERT_CHANNELS
#define NVPIPE_MIDI_MAX 2048	 /* events in a queue */
#define NVPIPE_MARKS_MAX 4096	 /* cycles that the net thread may be behind */
#define NVPIPE_ARRIVALS_MAX 1024 /* blocks in a cycle of which RT learns when they came */

struct nvpipe_midi {
	uint64_t frame; /* of the run */
	uint8_t status; /* with the channel */
	uint8_t data1;
	uint8_t data2;
};

/* One cycle, as the realtime thread saw it. */
struct nvpipe_mark {
	uint64_t frame; /* of the run: the cycle's first */
	uint32_t frames;
	uint32_t rate_hz;
	uint32_t song_frame; /* the transport at the cycle's start */
	bool rolling;	     /* it moves */
	int64_t now_ns;	     /* CLOCK_MONOTONIC: when the callback began */
};

/* Server: a block of the peer's, as the net thread got it. */
struct nvpipe_arrival {
	uint64_t frame; /* of the run: the block's first */
	uint32_t frames;
	int64_t now_ns; /* CLOCK_MONOTONIC */
};

struct nvpipe {
	/* fixed */
	uint32_t frames_max; /* of a ring; a power of two */
	uint32_t block;	     /* sample frames, client; 0: server */
	uint32_t n_blocks;   /* that rx has room for, client */
	float *tx[NVPIPE_CHANNELS];
	float *rx[NVPIPE_CHANNELS];
	_Atomic uint64_t *tags; /* client: number of the block + 1 that is in this place of rx; 0: none */
	struct spsc tx_midi;	/* struct nvpipe_midi */
	struct spsc rx_midi;
	struct spsc marks;    /* struct nvpipe_mark */
	struct spsc arrivals; /* struct nvpipe_arrival; the other way */
	void *storage;

	/* The net thread writes. */
	CACHELINE_ALIGNED _Atomic uint32_t want; /* number of the run that is wanted; 0: none */
	_Atomic uint32_t peer_block;		 /* server: frames of the peer's blocks, set before want */
	_Atomic uint64_t tx_tail;
	_Atomic uint64_t rx_head; /* server */

	/* The realtime thread writes. */
	CACHELINE_ALIGNED _Atomic uint32_t run; /* number of the run that is on; 0: none */
	uint32_t last;				/* run that was on last: it is not begun again */
	_Atomic uint64_t tx_head;
	_Atomic uint64_t rx_tail; /* server */
	_Atomic bool
		overrun; /* tx was full, or RT has given up: nothing more is written in this run; ask for another */
	_Atomic int64_t cycle_ns; /* when the last callback began, in a run or not; 0: none */
	_Atomic int64_t tx_ns;	  /* cycle_ns of the last one that has left samples in tx */
	_Atomic uint32_t cycle_frames;
	_Atomic uint32_t rate_hz;
};

/* --- a channel's ring, which is one piece of memory or two; RT safe --- */

static inline void nvpipe_ring_read(
	const float *ring, uint32_t frames_max, uint64_t frame, float *to, uint32_t n)
{
	uint32_t begin = (uint32_t)frame & (frames_max - 1);
	uint32_t first = MIN(n, frames_max - begin);

	memcpy(to, ring + begin, first * sizeof(float));
	memcpy(to + first, ring, (n - first) * sizeof(float));
}

/* from NULL: silence. */
static inline void nvpipe_ring_write(
	float *ring, uint32_t frames_max, uint64_t frame, const float *from, uint32_t n)
{
	uint32_t begin = (uint32_t)frame & (frames_max - 1);
	uint32_t first = MIN(n, frames_max - begin);

	if (from) {
		memcpy(ring + begin, from, first * sizeof(float));
		memcpy(ring, from + first, (n - first) * sizeof(float));
	} else {
		memset(ring + begin, 0, first * sizeof(float));
		memset(ring, 0, (n - first) * sizeof(float));
	}
}

/* --- nvpipe.c: control thread --- */

/* block: a client's, 1..8191; 0: a server. 0 or -ENOMEM. */
int nvpipe_new(uint32_t block, struct nvpipe **ret_pipe);
/* NULL is allowed. */
void nvpipe_free(struct nvpipe *pipe);
/* No callback runs any more: ends the run in RT's place. */
void nvpipe_rt_gone(struct nvpipe *pipe);

/* --- the net thread --- */

/* Neither side is in a run: puts the rings back and asks for run number n (not 0). False: RT is still in the last one. */
bool nvpipe_start(struct nvpipe *pipe, uint32_t n);
/* Asks for no run. Done when nvpipe_is_parked(). */
void nvpipe_stop(struct nvpipe *pipe);
bool nvpipe_is_parked(const struct nvpipe *pipe);
/* RT is in the run that is wanted. False after nvpipe_rt_gone() and after an overrun, too: stop, then start another. */
bool nvpipe_is_running(const struct nvpipe *pipe);
/* Frames of tx that wait. */
uint32_t nvpipe_tx_frames(const struct nvpipe *pipe);
/* Takes n frames, which must be there, planar. */
void nvpipe_take_tx(struct nvpipe *pipe, float *const ret_audio[NVPIPE_CHANNELS], uint32_t n);
/* Client: block number `number` of the run has come back; planar, pipe->block frames. */
void nvpipe_put_block(struct nvpipe *pipe, uint64_t number, const float *const audio[NVPIPE_CHANNELS]);
/* Server: appends a block that has come just now; false: no room for so many, nothing is appended. */
bool nvpipe_put_rx(struct nvpipe *pipe, const float *const audio[NVPIPE_CHANNELS], uint32_t n);
/* The same with a time (CLOCK_MONOTONIC) that the caller knows. */
bool nvpipe_put_rx_at(
	struct nvpipe *pipe, const float *const audio[NVPIPE_CHANNELS], uint32_t n, int64_t came_ns);

/* --- the realtime thread; all RT safe --- */

/*
 * First in each cycle. Returns the number of the run that is on, 0: none; *ret_new: it begins with this cycle
 * (or has ended with the last one, where 0 is returned).
 */
uint32_t nvpipe_begin_rt(struct nvpipe *pipe, const struct audio_cycle *cycle, bool *ret_new);
/* Appends n frames to tx (NULL: silence). False: no room; nothing is written any more in this run. */
bool nvpipe_write_tx_rt(struct nvpipe *pipe, const float *const audio[NVPIPE_CHANNELS], uint32_t n);
/* Nothing is written any more in this run; the net thread is to begin another. */
void nvpipe_give_up_rt(struct nvpipe *pipe);
/* Client: this block has come back. */
bool nvpipe_block_ready_rt(const struct nvpipe *pipe, uint64_t number);
/* Client: n of its frames from offset on; it must be ready, and offset + n at most a block. */
void nvpipe_read_block_rt(const struct nvpipe *pipe, uint64_t number, uint32_t offset, uint32_t n,
	float *const ret_audio[NVPIPE_CHANNELS]);
/* Server: frames of rx from rx_tail on. */
uint32_t nvpipe_rx_frames_rt(const struct nvpipe *pipe);
/* Server: frames [frame, frame + n) of the run, which must be there and not released. */
void nvpipe_read_rx_rt(
	const struct nvpipe *pipe, uint64_t frame, uint32_t n, float *const ret_audio[NVPIPE_CHANNELS]);
static inline float nvpipe_rx_at_rt(const struct nvpipe *pipe, unsigned channel, uint64_t frame)
{
	return pipe->rx[channel][frame & (pipe->frames_max - 1)];
}
/* Server: all before this frame may be overwritten. */
void nvpipe_release_rx_rt(struct nvpipe *pipe, uint64_t frame);

#endif
