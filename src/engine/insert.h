/*
 * NetVST inserts in the graph, the realtime half. A client sends what the graph plays into it and brings back what the
 * peer has made of it, a constant number of frames later. A slot of a server plays what a DAW sends, and answers with what
 * the graph plays into it; two clocks meet there.
 *
 * Ownership: control makes inserts, and frees them when no callback knows them any more (after backend_remove_ports() and
 * one more cycle, or when no callback runs). The pipe is the caller's. Threads: control, but for insert_process_rt().
 */
#ifndef ENGINE_INSERT_H
#define ENGINE_INSERT_H

#include "base/audio.h"
#include "base/hist.h"
#include "base/util.h"
#include "net/nvpipe-rt.h"

struct insert;

enum insert_role {
	INSERT_CLIENT,
	INSERT_SLOT, /* of a server */
};

/* Written by RT, relaxed; since the insert was made. */
struct insert_report {
	CACHELINE_ALIGNED _Atomic uint64_t cycles;
	_Atomic uint64_t frames;	 /* that came back and were played */
	_Atomic uint64_t late_blocks;	 /* client: that were not there when they were to be played */
	_Atomic uint64_t late_episodes;	 /* client: times that it went from good to late */
	_Atomic uint64_t overruns;	 /* runs given up because the net thread did not come */
	_Atomic uint64_t midi_in;	 /* from the graph */
	_Atomic uint64_t midi_out;	 /* to the graph */
	_Atomic uint64_t midi_lost;	 /* too many at once, or of a kind that does not pass */
	_Atomic uint64_t dropped_frames; /* slot: by corrections, seen from the DAW's audio */
	_Atomic uint64_t repeated_frames;
	_Atomic uint64_t corrections;	 /* slot */
	_Atomic uint64_t resyncs;	 /* slot: faded out and begun anew */
	_Atomic uint32_t fill_frames;	 /* slot: least that stood in the buffer in the last second */
	_Atomic uint32_t latency_frames; /* that it works with; 0: silence */
	_Atomic uint32_t grid_frames; /* client: cycles of this run begin at multiples of it; 0: not known */
	_Atomic uint32_t playing;     /* audio of the peer is being played */
	struct hist took;	      /* time in insert_process_rt() */
};

/* 0 or -ENOMEM. */
int insert_new(enum insert_role role, struct nvpipe *pipe, struct insert **ret_insert);
void insert_free(struct insert *insert);

/*
 * Client: what went in comes out this many frames later, at least insert_latency_frames(block, period, 1). 0: silence, while the round trip is
 * being measured; a change fades out and in. Slot: how much of the DAW's audio is to wait at least, for the jitter of
 * network and cycles. From the next cycle on.
 */
void insert_set_latency(struct insert *insert, uint32_t latency_frames);
/*
 * Linear; 1 is 0 dB, 0 is mute. send: what goes to the peer; back: what comes from it. A change is a fade of 5 ms.
 */
void insert_set_gains(struct insert *insert, float send, float back);
const struct insert_report *insert_get_report(const struct insert *insert);
/* Largest |x| of each channel since the last call, after the gain. */
void insert_take_peaks(
	struct insert *insert, float ret_send[AUDIO_INSERT_CHANNELS], float ret_back[AUDIO_INSERT_CHANNELS]);
/* The backend starts or has stopped calling insert_process_rt(). Stopped: ends the pipe's run (nvpipe_rt_gone()). */
void insert_set_running(struct insert *insert, bool running);

/* A backend's insert callback: insert->owner is the struct insert. RT safe, no system call. */
void insert_process_rt(void *data, const struct audio_cycle *cycle, struct audio_insert *insert);

/*
 * The least latency with which a block that is complete in one cycle is wanted `cycles` cycles later (1 or more), whatever
 * block and period are.
 */
uint32_t insert_latency_frames(uint32_t block_frames, uint32_t period_frames, unsigned cycles);
/* The other way round: how many cycles a reply may take at this latency; 0: it cannot be. */
unsigned insert_latency_cycles(uint32_t block_frames, uint32_t period_frames, uint32_t latency_frames);
/*
 * The smallest that is safe for round trips like these (their 90 % quantile): leaves 1.2 ms for what the machine does.
 */
uint32_t insert_latency_auto(
	uint32_t block_frames, uint32_t period_frames, uint32_t rate_hz, int64_t rtt_p90_ns);

/*
 * How much more it takes where periods were others before, so that cycles of this one begin at multiples of grid_frames only,
 * seen from the blocks (insert_report); grid_frames 0: not known, and nothing more.
 */
uint32_t insert_latency_phase(uint32_t block_frames, uint32_t period_frames, uint32_t grid_frames);

#endif
