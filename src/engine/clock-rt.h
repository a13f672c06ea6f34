/*
 * When cycles should come, learned from when they do. A callback may come late, by up to a period without
 * anybody calling it an xrun; it never comes early. Whatever is counted in time (the cushion at a start, when
 * a part of a period is due, how much was lost in an xrun) is counted from when the cycle should have begun.
 *
 * The server's own smoothed time is of no use here: after a change of period it takes seconds to settle.
 *
 * Where periods vary (audio_cycle.varying), a cycle should begin when the frames of the one before are over. Servers
 * shift their cycles once in a while, mostly when the period changes, either way. What is more than jitter
 * and the drift of one clock against another is called lost, or below 0 won.
 *
 * RT's own; pure.
 */
#ifndef ENGINE_CLOCK_RT_H
#define ENGINE_CLOCK_RT_H

#include "base/audio.h"

struct clock {
	uint32_t rate_hz;
	uint32_t frames;
	uint32_t cycles;       /* since the last change of rate, period or freewheeling */
	uint32_t xruns;	       /* the server's count when we looked last */
	uint32_t judge_cycles; /* cycles still to look at after an xrun */
	int64_t judge_ns;      /* the least lateness in them */
	uint32_t window;       /* cycles in the present window */
	int64_t window_ns;     /* the least lateness in it */
	int64_t followed_ns;   /* by how much expectation has given way to lateness */
	int64_t expect_ns;     /* when this cycle should have begun (CLOCK_MONOTONIC) */
	int64_t late_ns;       /* how much later it did; 0 or more */
	int64_t lost_ns; /* it has become clear that so much time was lost; below 0: that too much was said; mostly 0 */
	int64_t said_ns; /* what was said to be lost of late, and may turn out to have been too much */

	/* Varying periods. */
	bool varying;
	uint64_t passed; /* frames of all cycles before this one */
	uint64_t rest;	 /* of frames * 10^9 / rate, so that expectation does not round away */
	int64_t window_until_ns;
	int64_t learn_until_ns;
	int64_t said_until_ns;	/* no later does said_ns turn out to be anything */
	int64_t judge_max_ns;	/* the most lateness since judging began */
	int64_t judge_until_ns; /* no sooner is it over */
	int64_t jitter_ns;	/* how late cycles are now and then */
	int64_t drift_ns;	/* by how much expectation has moved without anything being called lost */
};

/* Once at the beginning of each cycle. RT safe. */
void clock_update_rt(struct clock *clock, const struct audio_cycle *cycle);
/* Enough cycles have been seen to know when they should come. RT safe. */
bool clock_settled_rt(const struct clock *clock);

#endif
