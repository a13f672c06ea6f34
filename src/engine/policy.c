#include "engine/policy.h"

#include "base/audio.h"
#include "base/util.h"
#include "proto/ethlink.h"

#include <errno.h>

static unsigned blocks_of(uint32_t frames)
{
	return (frames + ETHLINK_BLOCK_FRAMES - 1) / ETHLINK_BLOCK_FRAMES;
}

/*
 * Without an xrun a callback may end almost a period late, and may wake up late besides: half a period,
 * and never less than 2 ms, on top of the period. Longer periods get what the box has room for, and the
 * longest, which are paced anyway, half of that.
 */
static unsigned auto_cushion_blocks(uint32_t period, uint32_t rate_hz)
{
	unsigned period_blocks = blocks_of(period);
	unsigned wanted = blocks_of(period + MAX(period / 2, rate_hz / 500));

	if (period_blocks > POLICY_FILL_MAX_BLOCKS / 2 + 4) {
		return POLICY_FILL_MAX_BLOCKS / 2;
	}
	return MIN(wanted, POLICY_FILL_MAX_BLOCKS - period_blocks - 1);
}

int policy_make(uint32_t period, uint32_t rate_hz, int latency_frames, struct policy *ret_policy)
{
	unsigned cushion;

	if (period < AUDIO_PERIOD_MIN || period > AUDIO_PERIOD_MAX || ethlink_rate_code(rate_hz) < 0) {
		return -EINVAL;
	}
	if (latency_frames != POLICY_LATENCY_AUTO &&
		(latency_frames < 0 || latency_frames > POLICY_LATENCY_MAX_FRAMES)) {
		return -EINVAL;
	}
	cushion = latency_frames == POLICY_LATENCY_AUTO
			  ? auto_cushion_blocks(period, rate_hz) * ETHLINK_BLOCK_FRAMES
			  : (unsigned)latency_frames;
	/* Where the period is no multiple of a block, up to 7 frames of it wait here, not in the box. */
	if (period % ETHLINK_BLOCK_FRAMES != 0) {
		cushion += ETHLINK_BLOCK_FRAMES - 1;
	}
	ret_policy->lead_blocks = MIN(blocks_of(cushion), (unsigned)POLICY_FILL_MAX_BLOCKS);
	ret_policy->latency_frames = ret_policy->lead_blocks * ETHLINK_BLOCK_FRAMES;
	ret_policy->burst_blocks = POLICY_FILL_MAX_BLOCKS - ret_policy->lead_blocks;
	ret_policy->paced = ret_policy->burst_blocks < blocks_of(period);
	/* Twice what one cycle can fill: the interface may still be busy with the cycle before. */
	ret_policy->slots = 2 * (ret_policy->lead_blocks + period / ETHLINK_BLOCK_FRAMES + 2);
	ret_policy->slots = MAX(ret_policy->slots, (unsigned)POLICY_SLOTS_MIN);
	return 0;
}

bool policy_threaded(unsigned boxes, uint32_t rate_hz, unsigned cpus)
{
	return cpus > 1 && (uint64_t)boxes * rate_hz / ETHLINK_BLOCK_FRAMES >= POLICY_THREAD_FRAMES_HZ;
}

uint32_t policy_longest(uint32_t period)
{
	return period <= POLICY_VARYING_PERIOD ? POLICY_VARYING_PERIOD : AUDIO_PERIOD_MAX;
}

int policy_make_varying(uint32_t period, uint32_t rate_hz, int latency_frames, struct policy *ret_policy)
{
	uint32_t longest = policy_longest(period);
	int r = policy_make(period, rate_hz, latency_frames, ret_policy);

	if (r < 0) {
		return r;
	}
	ret_policy->paced = ret_policy->burst_blocks < blocks_of(longest);
	/* The same for every cushion: no ring has to be made anew because the period is another. */
	ret_policy->slots = 2 * (POLICY_FILL_MAX_BLOCKS + longest / ETHLINK_BLOCK_FRAMES + 2);
	return 0;
}
