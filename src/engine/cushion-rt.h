/*
 * The account of what stands ahead of a stream whose periods vary: the audio in the box's queue, in the
 * pacer, and of a block that is not complete. Nothing tells us; it follows from what was sent, from when cycles
 * should have begun, and from the box running dry where they came too late. The box's clock is taken to be
 * the graph's.
 *
 * Owned by a DAC; the realtime thread's own. Pure.
 */
#ifndef ENGINE_CUSHION_RT_H
#define ENGINE_CUSHION_RT_H

#include "engine/clock-rt.h"
#include "engine/seam.h"

struct cushion {
	uint32_t rate_hz;
	int32_t most_frames; /* what box and pacing take for long */
	int64_t standing_ns; /* how long what stands would last from when the cycle should have begun */
	int64_t highest_ns; /* the most of that in this cycle: what is left out of it makes no room in the box at once */
	int64_t late_ns;	/* how much later it did */
	uint32_t silent_frames; /* for so long nothing but silence was sent */
};

/* A stream begins: so many blocks go ahead of a cycle that is so late. RT safe. */
void cushion_start_rt(struct cushion *c, const struct dac_format *format, uint32_t blocks, int64_t late_ns);
/* Once at the beginning of each cycle; n_partial frames wait for a whole block. RT safe. */
void cushion_cycle_rt(struct cushion *c, const struct clock *clock, uint32_t n_partial);
/* So many frames of cycles passed that this stream was not in: the box played on. RT safe. */
void cushion_missed_rt(struct cushion *c, uint64_t frames);
/* So many blocks more (below 0: fewer) were sent than the graph brought. RT safe. */
void cushion_add_rt(struct cushion *c, int32_t blocks);
/* At the end of a cycle: were its samples all 0? RT safe. */
void cushion_heard_rt(struct cushion *c, uint32_t frames, bool silent);
/* It has been silent for so long that nobody hears where silence is longer or shorter. RT safe. */
bool cushion_quiet_rt(const struct cushion *c);

/* What a sample waits that comes with the beginning of a cycle. RT safe. */
uint32_t cushion_frames_rt(const struct cushion *c);
/* Blocks to put in (below 0: to leave out) until it is what is wanted. RT safe. */
int32_t cushion_lacks_rt(const struct cushion *c, uint32_t wanted_blocks);
/* It is so far from what is wanted that this has to be done even while something plays. RT safe. */
bool cushion_urgent_rt(const struct cushion *c, uint32_t wanted_blocks);
/* There is too little left for a fade-out. RT safe. */
bool cushion_dry_rt(const struct cushion *c, uint32_t wanted_blocks);
/*
 * So many blocks of a cycle may be ahead of what the box plays; below 0: the first has to wait until so many more
 * were played. RT safe.
 */
int32_t cushion_room_rt(const struct cushion *c);

#endif
