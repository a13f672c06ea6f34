#include "engine/cushion-rt.h"
#include "engine/policy.h"

/* Silence that must have been sent before any more, or less, of it goes unnoticed. */
#define QUIET_PER_SEC 50
/* So much of what is kept for a pause, or for a hole, stands in the box; the rest waits in the pacer. */
#define ENOUGH_BLOCKS 96
/* The cushion that wake-ups need, as one that is made of it for short periods. */
#define LEAST_PER_SEC 500

void cushion_start_rt(struct cushion *c, const struct dac_format *format, uint32_t blocks, int64_t late_ns)
{
	int32_t box = POLICY_FILL_MAX_BLOCKS * ETHLINK_BLOCK_FRAMES;
	int32_t period = (int32_t)format->period_frames;

	c->rate_hz = format->rate_hz;
	/*
	 * A server that changes to a longer period may bring the difference early, and leaves a hole of it when it changes
	 * back: what came early waits in the pacer for that, or for a pause. The ring has room for it (policy.c).
	 */
	c->most_frames = format->paced ? box + period : box - period;
	/* Counted from when the cycle should have begun, what goes ahead of a late one lasts longer. */
	c->standing_ns = late_ns;
	c->highest_ns = late_ns;
	c->late_ns = late_ns;
	c->silent_frames = 0;
	cushion_add_rt(c, (int32_t)blocks);
}

void cushion_cycle_rt(struct cushion *c, const struct clock *clock, uint32_t n_partial)
{
	int64_t partial_ns = n_partial * NSEC_PER_SEC / c->rate_hz;

	c->late_ns = clock->late_ns;
	c->standing_ns -= clock->lost_ns;
	/* No box plays what it does not have: in a cycle that is later than the cushion lasts, it has run dry just now. */
	c->standing_ns = MAX(c->standing_ns, clock->late_ns + partial_ns);
	c->highest_ns = c->standing_ns;
}

void cushion_missed_rt(struct cushion *c, uint64_t frames)
{
	/* More than a second is a standstill, and ends the stream. */
	c->standing_ns -= (int64_t)MIN(frames, (uint64_t)c->rate_hz) * NSEC_PER_SEC / c->rate_hz;
}

void cushion_add_rt(struct cushion *c, int32_t blocks)
{
	c->standing_ns += (int64_t)blocks * ETHLINK_BLOCK_FRAMES * NSEC_PER_SEC / c->rate_hz;
	c->highest_ns = MAX(c->highest_ns, c->standing_ns);
}

void cushion_heard_rt(struct cushion *c, uint32_t frames, bool silent)
{
	/* A second is as good as a year, and does not overflow. */
	c->silent_frames = silent ? MIN(c->silent_frames + frames, c->rate_hz) : 0;
}

bool cushion_quiet_rt(const struct cushion *c)
{
	return c->silent_frames * QUIET_PER_SEC >= c->rate_hz;
}

static int64_t frames_rt(const struct cushion *c, int64_t ns)
{
	return (ns * c->rate_hz + NSEC_PER_SEC / 2) / NSEC_PER_SEC;
}

uint32_t cushion_frames_rt(const struct cushion *c)
{
	return (uint32_t)MAX(frames_rt(c, c->standing_ns), 0);
}

int32_t cushion_lacks_rt(const struct cushion *c, uint32_t wanted_blocks)
{
	return (int32_t)(((int64_t)wanted_blocks * ETHLINK_BLOCK_FRAMES - frames_rt(c, c->standing_ns)) /
			 ETHLINK_BLOCK_FRAMES);
}

static int64_t least_frames_rt(const struct cushion *c, uint32_t wanted_blocks)
{
	return MIN((int64_t)wanted_blocks * ETHLINK_BLOCK_FRAMES, c->rate_hz / LEAST_PER_SEC);
}

bool cushion_urgent_rt(const struct cushion *c, uint32_t wanted_blocks)
{
	int64_t wanted = (int64_t)wanted_blocks * ETHLINK_BLOCK_FRAMES;

	return frames_rt(c, c->standing_ns) < least_frames_rt(c, wanted_blocks) ||
	       frames_rt(c, c->standing_ns) > MAX(c->most_frames, wanted);
}

bool cushion_dry_rt(const struct cushion *c, uint32_t wanted_blocks)
{
	int64_t least_ns = least_frames_rt(c, wanted_blocks) * NSEC_PER_SEC / c->rate_hz;

	return c->standing_ns - c->late_ns < least_ns / 2;
}

int32_t cushion_room_rt(const struct cushion *c)
{
	int64_t frames = frames_rt(c, c->highest_ns);
	int32_t blocks = (int32_t)((frames + ETHLINK_BLOCK_FRAMES - 1) / ETHLINK_BLOCK_FRAMES);

	/* Where there is more than a box takes, it need not be full: the account may be off by a millisecond or two. */
	return (blocks > ENOUGH_BLOCKS ? ENOUGH_BLOCKS : POLICY_FILL_MAX_BLOCKS) - blocks;
}
