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

/* Varying periods: less is no shift of the cycles. */
#define SHIFT_NS (300 * NSEC_PER_USEC)
/* The least time of a window. */
#define WINDOW_NS (100 * NSEC_PER_MSEC)
/* So long, and JUDGE_CYCLES, all cycles must be late until that is believed to be a shift. */
#define JUDGE_NS (10 * NSEC_PER_MSEC)
/* Cycles in which a late one is forgotten, about. */
#define JITTER_FORGET 64
/* At first whatever moves expectation is what was wrong with it. */
#define LEARN_NS (2 * NSEC_PER_SEC)
/* After so long what was called lost is lost for good. */
#define TAKE_BACK_NS (2 * NSEC_PER_SEC)
/* One clock may drift against the other by one part in so many: some 500 ppm. */
#define DRIFT_PARTS 2048

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
	clock->varying = cycle->varying;
	clock->rest = 0;
	clock->learn_until_ns = cycle->now_ns + LEARN_NS;
	clock->said_until_ns = 0;
	clock->jitter_ns = 0;
	clock->drift_ns = 0;
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

static void move(struct clock *clock, int64_t ns)
{
	clock->expect_ns += ns;
	clock->late_ns -= ns;
	clock->drift_ns += ns;
}

/* As follow(); short periods come in so close together that one thing may make many of them late. */
static void follow_varying(struct clock *clock, const struct audio_cycle *cycle)
{
	if (clock->window == 0) {
		clock->window_ns = clock->late_ns;
		clock->window_until_ns = cycle->now_ns + WINDOW_NS;
	}
	clock->window_ns = MIN(clock->window_ns, clock->late_ns);
	if (++clock->window >= WINDOW_CYCLES && cycle->now_ns >= clock->window_until_ns) {
		clock->window = 0;
		move(clock, clock->window_ns);
	}
}

/* Many cycles that are late by much, one after the other, are no accident. Fewer say what is usual. */
static void judge_shift(struct clock *clock, const struct audio_cycle *cycle, int64_t least_ns)
{
	if (clock->late_ns <= least_ns) {
		clock->judge_cycles = 0;
		clock->jitter_ns = MAX(clock->jitter_ns, clock->judge_max_ns);
		return;
	}
	clock->judge_ns = MIN(clock->judge_ns, clock->late_ns);
	clock->judge_max_ns = MAX(clock->judge_max_ns, clock->late_ns);
	if (clock->judge_cycles > 1) {
		clock->judge_cycles--;
	} else if (cycle->now_ns >= clock->judge_until_ns) {
		clock->judge_cycles = 0;
		clock->window = 0;
		move(clock, clock->judge_ns);
	}
}

static void look_for_shift(struct clock *clock, const struct audio_cycle *cycle)
{
	int64_t least_ns = SHIFT_NS + clock->jitter_ns;

	if (clock->judge_cycles > 0) {
		judge_shift(clock, cycle, least_ns);
	} else if (clock->late_ns > least_ns) {
		clock->judge_cycles = JUDGE_CYCLES - 1;
		clock->judge_ns = clock->late_ns;
		clock->judge_max_ns = clock->late_ns;
		clock->judge_until_ns = cycle->now_ns + JUDGE_NS;
	}
	if (clock->judge_cycles == 0) {
		follow_varying(clock, cycle);
	}
	if (cycle->now_ns < clock->learn_until_ns) {
		least_ns = 0;
	}
	if (clock->drift_ns > least_ns || clock->drift_ns < -least_ns) {
		clock->lost_ns += clock->drift_ns;
		if (clock->drift_ns > 0) {
			clock->said_ns += clock->drift_ns;
			clock->said_until_ns = cycle->now_ns + TAKE_BACK_NS;
		}
		clock->drift_ns = 0;
	}
}

/* What has just been called lost was lateness after all; whatever else it is, it may be a shift. */
static void take_back(struct clock *clock, int64_t early_ns)
{
	/* A little is what the last windows moved, and not counted either. */
	int64_t back = early_ns > SHIFT_NS / 2 ? MIN(early_ns, clock->said_ns) : 0;

	move(clock, -early_ns);
	clock->drift_ns += back;
	clock->said_ns -= back;
	clock->lost_ns = -back;
}

/* What passes between two beginnings is what the first one's frames last, whatever the length of the second. */
static void update_varying(struct clock *clock, const struct audio_cycle *cycle)
{
	int64_t passed_ns, drift_ns;

	clock->passed += clock->frames;
	clock->rest += (uint64_t)clock->frames * NSEC_PER_SEC;
	passed_ns = (int64_t)(clock->rest / clock->rate_hz);
	clock->rest %= clock->rate_hz;
	clock->frames = cycle->frames;
	clock->xruns = cycle->xruns;
	clock->cycles += clock->cycles <= SETTLE_CYCLES;
	clock->lost_ns = 0;
	clock->expect_ns += passed_ns;
	clock->late_ns = cycle->now_ns - clock->expect_ns;
	if (clock->late_ns > STANDSTILL_NS) {
		begin(clock, cycle);
		return;
	}
	drift_ns = passed_ns / DRIFT_PARTS;
	if (clock->drift_ns < SHIFT_NS && clock->drift_ns > -SHIFT_NS) {
		clock->drift_ns -= CLAMP(clock->drift_ns, -drift_ns, drift_ns);
	}
	clock->jitter_ns -= clock->jitter_ns / JITTER_FORGET;
	if (cycle->now_ns > clock->said_until_ns) {
		clock->said_ns = 0;
	}
	if (clock->late_ns < 0) {
		take_back(clock, -clock->late_ns);
	}
	look_for_shift(clock, cycle);
}

void clock_update_rt(struct clock *clock, const struct audio_cycle *cycle)
{
	int64_t period_ns;

	if (clock->cycles == 0 || cycle->freewheel || cycle->rate_hz != clock->rate_hz ||
		cycle->varying != clock->varying || (cycle->frames != clock->frames && !cycle->varying)) {
		begin(clock, cycle);
		return;
	}
	if (cycle->varying) {
		update_varying(clock, cycle);
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
