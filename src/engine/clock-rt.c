#include "engine/clock-rt.h"

#include "base/util.h"

/* Cycles until the earliest of them is believed to have been on time. */
#define SETTLE_CYCLES 4
/* Cycles to look at after an xrun before its length is believed: one late wake-up is no lost time. */
#define JUDGE_CYCLES 4
/* No lateness, but a time in which there were no cycles, whether the server calls it an xrun or not. */
#define STANDSTILL_NS (500 * NSEC_PER_MSEC)
/* The server's clock is some ppm off ours: expectation gives way to what all of so many cycles were late by. */
#define WINDOW_CYCLES 32
/* Cycles in which what was said about an xrun is forgotten, about. */
#define FORGET 1024

static void begin(struct clock *clock, const struct audio_cycle *cycle)
{
	clock->rate_hz = cycle->rate_hz;
	clock->frames = cycle->frames;
	clock->cycles = 1;
	clock->xruns = cycle->xruns;
	clock->judge_cycles = 0;
	clock->expect_ns = cycle->now_ns;
	clock->late_ns = 0;
	clock->lost_ns = 0;
	clock->said_ns = 0;
	clock->window = 0;
	clock->followed_ns = 0;
}

static void follow(struct clock *clock)
{
	if (clock->window == 0 || clock->late_ns < clock->window_ns) {
		clock->window_ns = clock->late_ns;
	}
	if (++clock->window == WINDOW_CYCLES) {
		clock->window = 0;
		clock->expect_ns += clock->window_ns;
		clock->followed_ns += clock->window_ns;
		clock->late_ns -= clock->window_ns;
	}
}

/* Earlier than it could be: what we gave way to was jitter, or what was judged after an xrun had been late as well. */
static void snap(struct clock *clock, int64_t early_ns)
{
	int64_t followed = MIN(early_ns, clock->followed_ns);

	clock->followed_ns -= followed;
	clock->lost_ns = -MIN(early_ns - followed, clock->said_ns);
	clock->said_ns += clock->lost_ns;
	clock->expect_ns -= early_ns;
}

/* The server says that there was an xrun, not how long; cycles that are late ever after say that. */
static void judge_xrun(struct clock *clock, const struct audio_cycle *cycle, int64_t period_ns)
{
	if (cycle->xruns != clock->xruns || (clock->judge_cycles == 0 && clock->late_ns > STANDSTILL_NS)) {
		clock->xruns = cycle->xruns;
		clock->judge_cycles = JUDGE_CYCLES;
		clock->judge_ns = clock->late_ns;
	}
	if (clock->judge_cycles == 0) {
		return;
	}
	clock->judge_ns = MIN(clock->judge_ns, clock->late_ns);
	if (--clock->judge_cycles == 0 && clock->judge_ns > period_ns / 2) {
		clock->lost_ns = clock->judge_ns;
		clock->said_ns += clock->lost_ns;
		clock->expect_ns += clock->lost_ns;
		clock->late_ns -= clock->lost_ns;
	}
}

void clock_update_rt(struct clock *clock, const struct audio_cycle *cycle)
{
	int64_t period_ns;

	if (clock->cycles == 0 || cycle->freewheel || cycle->rate_hz != clock->rate_hz ||
		cycle->frames != clock->frames) {
		begin(clock, cycle);
		return;
	}
	period_ns = (int64_t)cycle->frames * NSEC_PER_SEC / cycle->rate_hz;
	clock->lost_ns = 0;
	clock->cycles++;
	clock->expect_ns += period_ns;
	clock->said_ns -= clock->said_ns / FORGET;
	clock->followed_ns -= clock->followed_ns / FORGET;
	if (cycle->now_ns < clock->expect_ns) {
		snap(clock, clock->expect_ns - cycle->now_ns);
	}
	clock->late_ns = cycle->now_ns - clock->expect_ns;
	judge_xrun(clock, cycle, period_ns);
	if (clock->judge_cycles == 0) {
		follow(clock);
	}
}

bool clock_settled_rt(const struct clock *clock)
{
	return clock->cycles > SETTLE_CYCLES && clock->judge_cycles == 0;
}
