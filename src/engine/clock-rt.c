#include "engine/clock-rt.h"

#include "base/util.h"

/* Cycles until the earliest of them is believed to have been on time. */
#define SETTLE_CYCLES 4
/* Cycles to look at after an xrun before its length is believed: one late wake-up is no lost time. */
#define JUDGE_CYCLES 4
/* No lateness, but a time in which there were no cycles, whether the server calls it an xrun or not. */
#define STANDSTILL_NS (500 * NSEC_PER_MSEC)
/* The server's clock is some ppm off ours: expectation gives way to lateness by this part of it a cycle. */
#define FOLLOW 64

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
	if (clock->judge_cycles == 0) {
		clock->expect_ns += clock->late_ns / FOLLOW;
	}
	clock->expect_ns += period_ns;
	if (cycle->now_ns < clock->expect_ns) {
		clock->expect_ns = cycle->now_ns;
	}
	clock->late_ns = cycle->now_ns - clock->expect_ns;
	judge_xrun(clock, cycle, period_ns);
}

bool clock_settled_rt(const struct clock *clock)
{
	return clock->cycles > SETTLE_CYCLES && clock->judge_cycles == 0;
}
