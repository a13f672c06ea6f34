#include "engine/drift-rt.h"
#include "base/util.h"

#define NEVER 1e30
/* Windows that the smoothing counts on at most: long enough for jitter, short enough for what a clock does. */
#define WINDOWS_MAX 16
/* A hiccup is not to count for more than this. */
#define SURPRISE_MAX_FRAMES 32.0
/* Windows in which a slack is learned that may stay. */
#define WINDOWS_LEARN 4
/* Clocks are not further apart than this. */
#define SPEED_MAX 0.001
/* How fast jitter is believed to have become more, and less, in frames a window: one stall is no jitter. */
#define DEPTH_UP_FRAMES 8.0
#define DEPTH_DOWN_FRAMES 2.0
/* Who is later than 50 ms all the time has to live with silence now and then: no latency is to grow without bound. */
#define DEPTH_MAX_PER_SEC 20

void drift_init_rt(struct drift *drift)
{
	*drift = (struct drift){.arrival = NEVER, .previous = NEVER, .early = -NEVER, .cycle = -NEVER};
}

void drift_jump_rt(struct drift *drift)
{
	drift->early = -NEVER;
	drift->cycle = -NEVER;
	drift->frames = 0;
	drift->windows = 0;
	drift->corrected = 0;
}

void drift_forget_rt(struct drift *drift)
{
	drift->arrival = NEVER;
	drift->previous = NEVER;
}

void drift_age_rt(struct drift *drift)
{
	drift->previous = drift->arrival;
	drift->arrival = NEVER;
}

bool drift_settle_rt(struct drift *drift)
{
	if (drift->arrival >= NEVER) {
		return false;
	}
	drift->previous = NEVER;
	return true;
}

void drift_arrival_rt(struct drift *drift, double line)
{
	drift->arrival = MIN(drift->arrival, line);
	drift->early = MAX(drift->early, line);
}

double drift_arrival_line_rt(const struct drift *drift)
{
	return MIN(drift->arrival, drift->previous);
}

bool drift_has_arrivals_rt(const struct drift *drift)
{
	return drift_arrival_line_rt(drift) < NEVER;
}

/* What jitter and bursts take of the slack: at first the least that was seen in a window, as a stall is neither. */
static void follow_depth_rt(struct drift *drift, double depth, uint32_t rate_hz)
{
	depth = MIN(depth, (double)rate_hz / DEPTH_MAX_PER_SEC);
	if (drift->seen == 1) {
		drift->depth = depth;
	} else if (drift->seen <= WINDOWS_LEARN) {
		drift->depth = MIN(drift->depth, depth);
	} else {
		drift->depth += CLAMP(depth - drift->depth, -DEPTH_DOWN_FRAMES, DEPTH_UP_FRAMES);
	}
}

/*
 * Position and speed are followed as by least squares over all windows so far, and over some of the last ones later
 * on: right from the start, and steady in the end.
 */
static void follow_rt(struct drift *drift, double slack, uint32_t rate_hz)
{
	double k, surprise;

	drift->windows = MIN(drift->windows + 1, (uint32_t)WINDOWS_MAX);
	drift->seen = MIN(drift->seen + 1, (uint32_t)WINDOWS_MAX);
	k = drift->seen;
	if (drift->windows == 1) {
		drift->slack = slack;
		return;
	}
	surprise = CLAMP(slack - (drift->slack + drift->speed), -SURPRISE_MAX_FRAMES, SURPRISE_MAX_FRAMES);
	drift->slack += drift->speed + surprise * 2 * (2 * k - 1) / (k * (k + 1));
	drift->speed =
		CLAMP(drift->speed + surprise * 6 / (k * (k + 1)), -SPEED_MAX * rate_hz, SPEED_MAX * rate_hz);
}

/* The latest block is to come between half a margin and one and a half before it is wanted. */
static void aim_rt(struct drift *drift, double margin)
{
	double now = drift->windows <= WINDOWS_LEARN ? drift->slack - drift->corrected : drift->target;

	drift->target = CLAMP(now, drift->depth + margin / 2, drift->depth + margin * 3 / 2);
}

bool drift_cycle_rt(struct drift *drift, double line, uint32_t frames, uint32_t rate_hz, double margin)
{
	drift->cycle = MAX(drift->cycle, line - drift->corrected);
	drift->frames += frames;
	if (drift->frames < rate_hz) {
		return false;
	}
	drift->frames = 0;
	if (drift->arrival < NEVER && drift->early > -NEVER && drift->cycle > -NEVER) {
		follow_rt(drift, drift->early - drift->cycle, rate_hz);
		follow_depth_rt(drift, drift->early - drift->arrival, rate_hz);
		aim_rt(drift, margin);
	}
	drift_age_rt(drift);
	drift->early = -NEVER;
	drift->cycle = -NEVER;
	return true;
}

int drift_wants_rt(const struct drift *drift, uint32_t rate_hz)
{
	double now = drift->slack + drift->speed * drift->frames / rate_hz - drift->corrected;

	if (drift->windows == 0 || drift->seen < 2) {
		return 0;
	}
	if (now > drift->target + DRIFT_BAND_FRAMES) {
		return 1;
	}
	return now < drift->target - DRIFT_BAND_FRAMES ? -1 : 0;
}

void drift_corrected_rt(struct drift *drift, int frames)
{
	drift->corrected += frames;
}
