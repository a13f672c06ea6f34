/*
 * A slot of the server in one cycle: a period of rx goes to the graph, and a period of what the graph plays into the slot goes into
 * tx, for the replies.
 *
 * A reply is as long as its block, so what stands in rx and what stands in tx is a constant together: the prefill, zeros
 * that go into tx when a run begins. All frames that leave rx are followed by as many into tx; the difference of the two
 * positions is the prefill, always. It is as large as what stands in rx at most; so a reply is there when its block comes.
 *
 * PRIMING: the graph hears nothing. What is too old leaves rx, and zeros go into tx for it; when blocks stand as they
 * should (drift-rt.h), it is PLAYING. There the drift of the two clocks is made up for with corrections: a few frames left out or
 * repeated in what goes to the graph, and as many repeated or left out in what comes from it. Blocks that do not come in time,
 * or replies that are late because cycles were lost, bring it back to PRIMING: a resync.
 *
 * Ownership: part of struct insert. Threads: RT's own.
 */
#ifndef ENGINE_INSERT_SLOT_RT_H
#define ENGINE_INSERT_SLOT_RT_H

#include "engine/clock-rt.h"
#include "engine/drift-rt.h"
#include "engine/fade-rt.h"
#include "engine/shift-rt.h"
#include "net/nvpipe-rt.h"

#include <stdbool.h>
#include <stdint.h>

struct insert;

#define SLOT_PAST (2 * SHIFT_FRAMES)

enum slot_state {
	SLOT_OFF, /* no run, or one that was given up */
	SLOT_PRIMING,
	SLOT_PLAYING,
};

struct insert_slot {
	struct clock clock; /* of the graph's cycles */
	int64_t now_ns;	    /* when this one should have begun */
	enum slot_state state;
	uint64_t read;	  /* next frame of rx */
	uint64_t wrote;	  /* frames into tx */
	uint64_t prefill; /* wrote - read, but while a correction goes on */
	uint32_t block;	  /* the longest so far */
	uint32_t period;
	uint32_t margin;
	uint32_t grown; /* frames of the prefill that were found to be missing */
	unsigned growths;
	int64_t grown_ns;   /* the first of those */
	int64_t began_ns;   /* the run; times are counted from here */
	int64_t first_ns;   /* first block since priming began; 0: none yet */
	int64_t settle_ns;  /* how long blocks are looked at */
	bool aged;	    /* half of that is over */
	int64_t jumped_ns;  /* last resync because a reply was late */
	int64_t unpaced_ns; /* last late reply of a peer that keeps no time; 0: it keeps it */
	uint32_t rested;    /* frames since the last correction */
	uint32_t least;	    /* in rx after a cycle, in this second */
	struct drift drift;
	struct shift forth; /* to the graph */
	struct shift back;  /* to the peer */
	uint32_t lag;	    /* frames of the graph that have not gone into tx yet, in past */
	uint64_t from;	    /* frame of rx that this cycle began with */
	int moved;	    /* frames that reading went on by in the middle of this cycle */
	uint32_t moved_at;  /* there */
	struct fade reply;
	bool ending; /* notes of a peer that is gone are being ended */
	bool held;   /* an event that has been taken out of the queue, and is not due */
	struct nvpipe_midi event;
	float past[AUDIO_INSERT_CHANNELS][SLOT_PAST];			 /* the graph's last frames */
	float line[AUDIO_INSERT_CHANNELS][SLOT_PAST + AUDIO_PERIOD_MAX]; /* those and the present ones */
	float tx[AUDIO_INSERT_CHANNELS][SHIFT_FRAMES + AUDIO_PERIOD_MAX];
};

/* RT safe. */
void slot_process_rt(struct insert *insert, const struct audio_cycle *cycle, struct audio_insert *io);

#endif
