#include "sim/slot-sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t random_of(struct world *w)
{
	w->seed = w->seed * 1664525u + 1013904223u;
	return w->seed >> 8;
}

static double tone(uint64_t frame)
{
	return LEVEL * sin(2 * M_PI * TONE_HZ / RATE * (double)frame);
}

/* As fast as sin() is slow: an hour has 170 million samples. */
static void make_tone(float *audio, uint64_t frame, uint32_t n)
{
	double s0 = tone(frame), s1 = tone(frame + 1);
	double c = 2 * cos(2 * M_PI * TONE_HZ / RATE);

	for (uint32_t i = 0; i < n; i++) {
		double s2 = c * s1 - s0;

		audio[i] = (float)s0;
		s0 = s1;
		s1 = s2;
	}
}

static void make(const struct world *w, float *audio, uint64_t frame, uint32_t n)
{
	if (w->content == TONE) {
		make_tone(audio, frame, n);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		audio[i] = (float)((frame + i) % NUMBERS_END);
	}
}

static void look_at_slope(struct probe *p, double slope)
{
	if (p->seen <= p->after) {
		return;
	}
	if (fabs(slope) < 2) {
		p->slope_least = fmin(p->slope_least, slope);
		p->slope_most = fmax(p->slope_most, slope);
	} else {
		p->jumps++;
	}
}

static void look(const struct world *w, struct probe *p, const float *audio, uint32_t n)
{
	double last = p->last, step = p->step;
	uint64_t frames = 0;

	for (uint32_t i = 0; i < n; i++) {
		double slope = audio[i] - last;

		if (w->content == NUMBERS) {
			p->seen++;
			look_at_slope(p, slope);
		}
		slope = slope < 0 ? -slope : slope;
		step = slope > step ? slope : step;
		last = audio[i];
		frames += audio[i] != 0.0f;
	}
	p->last = last;
	p->step = step;
	p->frames += frames;
}

static void take_replies(struct world *w)
{
	static float left[BLOCK_MAX], right[BLOCK_MAX];
	float *audio[AUDIO_INSERT_CHANNELS] = {left, right};

	while (w->answered < w->daw_frame && nvpipe_tx_frames(w->pipe) >= w->block) {
		nvpipe_take_tx(w->pipe, audio, w->block);
		look(w, &w->replied, left, w->block);
		w->answered += w->block;
		if (w->pace == WAITS && w->burst == 1) {
			/* Held up: it has lost that much time. */
			w->daw_due += (double)(w->now_ns - w->sent_ns);
			w->arrives_ns += w->now_ns - w->sent_ns;
		}
	}
}

void next_block(struct world *w)
{
	w->daw_due += (double)w->block / w->daw_rate * 1e9;
	w->arrives_ns = (int64_t)w->daw_due;
	if (w->burst > 1) {
		uint64_t n = w->blocks / w->burst;

		/* All of a burst with the first of them. */
		w->arrives_ns -= (int64_t)((double)(w->blocks - n * w->burst) * w->block / w->daw_rate * 1e9);
	}
	if (w->jitter_ns > 0) {
		w->arrives_ns += random_of(w) % w->jitter_ns;
	}
	w->arrives_ns = MAX(w->arrives_ns, w->now_ns);
}

static void send_block(struct world *w)
{
	static float left[BLOCK_MAX];
	const float *audio[AUDIO_INSERT_CHANNELS] = {left, left};

	w->now_ns = MAX(w->now_ns, w->arrives_ns);
	make(w, left, w->daw_frame, w->block);
	assert_true(nvpipe_put_rx_at(w->pipe, audio, w->block, w->now_ns));
	w->daw_frame += w->block;
	w->blocks++;
	w->sent_ns = w->now_ns;
	next_block(w);
	take_replies(w);
	w->late += w->answered < w->daw_frame;
}

void run_cycle(struct world *w)
{
	struct audio_cycle cycle = {
		.frames = w->period, .rate_hz = RATE, .xruns = w->xruns, .freewheel = w->freewheel};

	w->now_ns = MAX(w->now_ns, w->graph_ns);
	cycle.now_ns = w->now_ns;
	make(w, w->in[0], w->graph_frame, w->period);
	memcpy(w->in[1], w->in[0], w->period * sizeof(float));
	w->graph_frame += w->period;
	w->io.owner = w->insert;
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		w->io.in[k] = w->in[k];
		w->io.out[k] = w->out[k];
	}
	insert_process_rt(NULL, &cycle, &w->io);
	assert_memory_equal(w->out[0], w->out[1], w->period * sizeof(float));
	look(w, &w->heard, w->out[0], w->period);
	w->fill_max = MAX(w->fill_max, (uint64_t)nvpipe_rx_frames_rt(w->pipe));
	if (w->on_cycle) {
		w->on_cycle(w);
	}
	w->cycle++;
	w->graph_due += (double)w->period / RATE * 1e9;
	w->graph_ns = (int64_t)w->graph_due;
	if (w->callback_jitter_ns > 0) {
		w->graph_ns += random_of(w) % w->callback_jitter_ns;
	}
}

static bool daw_may_send(const struct world *w)
{
	return !w->paused && w->run != 0 && (w->pace == FREE || w->answered == w->daw_frame);
}

void run(struct world *w, double seconds)
{
	int64_t until = w->now_ns + (int64_t)(seconds * 1e9);

	while (w->now_ns < until) {
		bool may = daw_may_send(w);
		int64_t at = w->pace == OFFLINE ? w->now_ns + 20 * NSEC_PER_USEC : w->arrives_ns;

		if (may && at < w->graph_ns) {
			w->arrives_ns = at;
			send_block(w);
		} else {
			run_cycle(w);
			take_replies(w);
		}
	}
}

void connect_daw(struct world *w)
{
	atomic_store(&w->pipe->peer_block, w->block);
	assert_true(nvpipe_start(w->pipe, ++w->run));
	run_cycle(w);
	w->daw_frame = 0;
	w->answered = 0;
	w->blocks = 0;
	w->daw_due = (double)w->now_ns + random_of(w) % 20000000;
	next_block(w);
}

void disconnect_daw(struct world *w)
{
	nvpipe_stop(w->pipe);
	w->run += 1000;
	w->paused = true;
	run_cycle(w);
	assert_true(nvpipe_is_parked(w->pipe));
}

struct world *world_new(uint32_t period, uint32_t block, double ppm)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(nvpipe_new(0, &w->pipe), 0);
	assert_int_equal(insert_new(INSERT_SLOT, w->pipe, &w->insert), 0);
	insert_set_running(w->insert, true);
	w->now_ns = NSEC_PER_SEC;
	w->graph_ns = w->now_ns;
	w->graph_due = (double)w->now_ns;
	w->period = period;
	w->block = block;
	w->burst = 1;
	w->daw_rate = RATE * (1 + ppm * 1e-6);
	w->seed = period * 31 + block;
	return w;
}

void world_free(struct world *w)
{
	insert_set_running(w->insert, false);
	insert_free(w->insert);
	nvpipe_free(w->pipe);
	free(w);
}

const struct insert_report *report_of(const struct world *w)
{
	return insert_get_report(w->insert);
}

void say(const struct world *w, const char *what)
{
	const struct insert_report *r = report_of(w);

	printf("%-9s P %4u B %4u  corr %5lu -%lu +%lu resync %lu late %lu fill %u max %lu  step %.4f %.4f "
	       "(%.4f)\n",
		what, w->period, w->block, r->corrections, r->dropped_frames, r->repeated_frames, r->resyncs,
		w->late, r->fill_frames, w->fill_max, w->heard.step, w->replied.step, STEP);
}

uint64_t standing(const struct world *w)
{
	/* A few frames of rx are kept for repeating. */
	return nvpipe_rx_frames_rt(w->pipe) + nvpipe_tx_frames(w->pipe) - 4;
}

double behind(double a, double b)
{
	double d = fmod(a - b, NUMBERS_END);

	if (d > NUMBERS_END / 2) {
		return d - NUMBERS_END;
	}
	return d < -NUMBERS_END / 2 ? d + NUMBERS_END : d;
}
