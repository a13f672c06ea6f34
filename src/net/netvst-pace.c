#include "net/netvst-internal.h"

/* From a callback's beginning until its samples are in the pipe: that of a few devices and inserts before it. */
#define LOOK_NS (50 * NSEC_PER_USEC)
/* A callback that has begun and left nothing yet is at work, but not longer than this. */
#define AT_WORK_NS (300 * NSEC_PER_USEC)
#define AGAIN_MIN_NS (30 * NSEC_PER_USEC)

bool netvst_pace_look(struct netvst_pace *pace, const struct nvpipe *pipe, int64_t now_ns, int64_t away_ns)
{
	int64_t cycle = atomic_load_explicit(&pipe->cycle_ns, memory_order_relaxed);
	uint32_t rate = atomic_load_explicit(&pipe->rate_hz, memory_order_relaxed);
	int64_t period, behind;

	if (cycle == 0 || now_ns - cycle > away_ns) {
		pace->cycle_ns = 0;
		return false;
	}
	if (cycle == pace->cycle_ns) {
		return true;
	}
	pace->frames = MAX(atomic_load_explicit(&pipe->cycle_frames, memory_order_relaxed), 1);
	period = pace->frames * NSEC_PER_SEC / MAX(rate, 1);
	behind = cycle - pace->grid_ns;
	if (pace->cycle_ns == 0 || period != pace->period_ns) {
		pace->grid_ns = cycle;
	} else {
		/* Some may have passed unseen. */
		pace->grid_ns += (behind + period / 2) / period * period;
		behind = cycle - pace->grid_ns;
		pace->grid_ns += behind < 0 ? behind : behind / 8;
	}
	pace->period_ns = period;
	pace->cycle_ns = cycle;
	return true;
}

/* A cycle that is late: often at first, then less and less. */
static int64_t again_ns(int64_t late_ns)
{
	if (late_ns < 2 * NSEC_PER_MSEC) {
		return 100 * NSEC_PER_USEC;
	}
	return late_ns < 20 * NSEC_PER_MSEC ? 500 * NSEC_PER_USEC : 5 * NSEC_PER_MSEC;
}

int64_t netvst_pace_due(
	const struct netvst_pace *pace, const struct nvpipe *pipe, uint32_t want, int64_t now_ns)
{
	int64_t since = now_ns - pace->cycle_ns, due;
	uint32_t have, cycles;

	if (pace->cycle_ns == 0) {
		return now_ns + 5 * NSEC_PER_MSEC;
	}
	if (atomic_load_explicit(&pipe->tx_ns, memory_order_acquire) < pace->cycle_ns && since < AT_WORK_NS) {
		return now_ns + MAX(AGAIN_MIN_NS, since / 2);
	}
	/* Not before: what that cycle has left must be among them, or the thread would sleep for one too many. */
	have = nvpipe_tx_frames(pipe);
	if (want > 0 && have >= want) {
		return now_ns;
	}
	cycles = want > 0 ? (want - have + pace->frames - 1) / pace->frames : 1;
	due = pace->grid_ns + cycles * pace->period_ns + LOOK_NS;
	return due > now_ns ? due : now_ns + again_ns(now_ns - due);
}
