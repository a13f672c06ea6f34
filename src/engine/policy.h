/*
 * How much silence goes ahead of the audio, and whether the frames of a period must be spread over it.
 * Pure arithmetic from the box's limits; any thread.
 */
#ifndef ENGINE_POLICY_H
#define ENGINE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* Depth that every header carries. It never follows the period: a change costs a dropout, depth costs no latency. */
#define POLICY_DEPTH_BLOCKS 128
/* Blocks that we let stand in a box: the depth less a margin for blocks of a cycle that came early. */
#define POLICY_FILL_MAX_BLOCKS 120
/* The same in sample frames, with a little less margin: for the end of a stream. */
#define POLICY_ROOM_FRAMES (124 * 8)
#define POLICY_LATENCY_AUTO (-1)
/* Blocks of a fade-out that may go out at once, when a longer one is not possible (another period, freewheeling). */
#define POLICY_FADE_BLOCKS 60
/* A ring always holds such a fade, the silence behind it and a little. */
#define POLICY_SLOTS_MIN (POLICY_FADE_BLOCKS + 20)
#define POLICY_LATENCY_MAX_FRAMES (POLICY_FILL_MAX_BLOCKS * 8)
/*
 * Frames of a cycle that RT sends before it lets the graph go on. The kernel takes a microsecond or so for each; telling the
 * server costs some microseconds as well, and these would be added to the time until a frame is on the wire.
 */
#define POLICY_AT_ONCE_FRAMES 24
/*
 * From so many frames a second on (24 boxes at 88.2 kHz) a thread of its own sends them: the kernel takes a third of each
 * period for them and more, and a cycle that came late should not find RT at work on the one before. With fewer frames RT
 * does it by itself, which is cheaper: a thread is woken, and most often on another core, which has to get the frames from
 * this one's cache.
 */
#define POLICY_THREAD_FRAMES_HZ 264600
/* Varying periods are prepared for up to this one, unless they are longer already. */
#define POLICY_VARYING_PERIOD 2048

struct policy {
	unsigned lead_blocks;	 /* silence sent ahead of the first audio: the cushion */
	uint32_t latency_frames; /* from the start of a cycle until its first sample leaves the box's queue */
	bool paced;		 /* a whole period would overrun the box: the pacer spreads it */
	unsigned burst_blocks;	 /* paced: blocks of a period that may go at once */
	unsigned slots;		 /* transmit slots that one box needs */
};

/*
 * latency_frames: what must still wait in the box when the next period arrives, 0..960, or
 * POLICY_LATENCY_AUTO. 0, or -EINVAL for a period outside 8..8192, another rate than a box has, or another
 * latency.
 */
int policy_make(uint32_t period_frames, uint32_t rate_hz, int latency_frames, struct policy *ret_policy);
/* Whether a thread of its own shall send for so many boxes. cpus: those that this process may run on. */
bool policy_threaded(unsigned boxes, uint32_t rate_hz, unsigned cpus);
/* Where periods vary: the longest that is prepared for while they are as long as this. */
uint32_t policy_longest(uint32_t period_frames);
/*
 * The same where the period may be another in each cycle: the cushion fits this period, pacing and slots fit
 * policy_longest(). burst_blocks is what may go at once with that cushion.
 */
int policy_make_varying(
	uint32_t period_frames, uint32_t rate_hz, int latency_frames, struct policy *ret_policy);

#endif
