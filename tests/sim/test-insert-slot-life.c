/* The slot of a NetVST server when something happens: stalls, lost cycles, DAWs of all kinds, and its MIDI. */
#include "sim/slot-sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The DAW stops, or the network does and all comes at once: silence, then all is as it was. */
static void stall(uint32_t period, uint32_t block, double seconds, bool burst)
{
	struct world *w = world_new(period, block, 0);
	const struct insert_report *r = report_of(w);
	uint64_t before, sent, late;

	w->pace = burst ? FREE : WAITS;
	connect_daw(w);
	run(w, 3);
	before = standing(w);
	assert_int_equal(r->resyncs, 0);
	w->paused = true;
	run(w, seconds);
	assert_false(r->playing);
	assert_int_equal(r->resyncs, 1);
	assert_int_equal(standing(w), before);
	assert_true(w->heard.last == 0);
	w->paused = false;
	if (!burst) {
		w->daw_due = (double)w->now_ns;
		next_block(w);
	}
	run(w, 1);
	sent = w->heard.frames;
	late = w->late;
	run(w, 3);
	say(w, burst ? "burst" : "stall");
	assert_true(r->playing);
	assert_in_range(w->heard.frames - sent, 3 * RATE * 0.99, 4 * RATE);
	assert_int_equal(r->resyncs, 1);
	assert_int_equal(w->late, late);
	assert_int_equal(standing(w), before);
	assert_true(w->heard.step < STEP_FADE_MAX);
	assert_true(w->replied.step < STEP_FADE_MAX);
	world_free(w);
}

static void test_stall(void **state)
{
	(void)state;
	stall(64, 64, 3, false);
	stall(64, 512, 3, false);
	stall(1024, 100, 3, false);
	stall(64, 64, 0.1, true);
	stall(256, 128, 0.2, true);
}

/* The server loses cycles: tx has less than it should, and rx more. */
static void lost(uint32_t period, uint32_t block, double seconds)
{
	struct world *w = world_new(period, block, 0);
	const struct insert_report *r = report_of(w);
	uint64_t late, before;

	w->pace = WAITS;
	connect_daw(w);
	run(w, 3);
	before = standing(w);
	w->graph_due += seconds * 1e9;
	w->xruns++;
	w->graph_ns = (int64_t)w->graph_due;
	run(w, seconds + 1);
	late = w->late;
	run(w, 3);
	say(w, "lost");
	assert_int_equal(w->late, late);
	assert_true(r->playing);
	/* Cycles that are lost may look like a burst at first, and tx hold a little more from then on. */
	assert_in_range(r->resyncs, 0, 2);
	assert_in_range(standing(w), before, before * 3 / 2);
	assert_true(w->heard.step < STEP_FADE_MAX);
	assert_true(w->replied.step < STEP_FADE_MAX);
	world_free(w);
}

static void test_lost_cycles(void **state)
{
	(void)state;
	lost(64, 64, 0.0014);
	lost(64, 64, 0.010);
	lost(64, 512, 0.020);
	lost(1024, 512, 0.3);
}

static void test_late_callbacks(void **state)
{
	struct world *w = world_new(256, 256, 100);
	const struct insert_report *r = report_of(w);

	(void)state;
	w->callback_jitter_ns = NSEC_PER_MSEC;
	w->jitter_ns = NSEC_PER_MSEC / 2;
	connect_daw(w);
	run(w, 60);
	say(w, "callbacks");
	assert_int_equal(r->resyncs, 0);
	assert_true(w->heard.step < STEP_MAX && w->replied.step < STEP_MAX);
	assert_in_range(r->corrections, 50, 80);
	world_free(w);
}

/* Whenever it is that a DAW comes, a callback that is late just then does not count as the time of all others. */
static void test_late_callback_at_begin(void **state)
{
	struct world *w = world_new(64, 256, 0);
	const struct insert_report *r = report_of(w);

	(void)state;
	w->callback_jitter_ns = 1400 * NSEC_PER_USEC;
	for (unsigned i = 0; i < 40; i++) {
		w->paused = false;
		connect_daw(w);
		run(w, 4);
		assert_true(r->playing);
		disconnect_daw(w);
		run(w, 0.1);
	}
	assert_int_equal(r->corrections, 0);
	assert_int_equal(r->resyncs, 0);
	assert_int_equal(w->late, 0);
	world_free(w);
}

/* A DAW whose own period is many blocks: the prefill grows until replies are there for all of them. */
static void test_bursts(void **state)
{
	struct world *w = world_new(64, 64, 0);
	const struct insert_report *r = report_of(w);
	uint64_t late, resyncs;

	(void)state;
	w->burst = 8;
	w->pace = WAITS;
	connect_daw(w);
	run(w, 2);
	late = w->late;
	resyncs = r->resyncs;
	run(w, 10);
	say(w, "bursts");
	assert_int_equal(w->late, late);
	assert_int_equal(r->resyncs, resyncs);
	assert_true(r->playing);
	/* No more than two of its periods, and what there is without bursts. */
	assert_in_range(standing(w), 512, 64 + 64 + 240 + 2 * 512);
	world_free(w);
}

/* A DAW that renders: it is held up by its replies, and nothing is lost. */
static void test_offline(void **state)
{
	struct world *w = world_new(64, 256, 0);
	const struct insert_report *r = report_of(w);
	uint64_t resyncs, frames;

	(void)state;
	w->pace = OFFLINE;
	connect_daw(w);
	run(w, 2);
	resyncs = r->resyncs;
	frames = w->heard.frames;
	w->heard.step = w->replied.step = 0;
	run(w, 20);
	say(w, "offline");
	assert_int_equal(r->resyncs, resyncs);
	assert_int_equal(r->corrections, 0);
	assert_in_range(w->heard.frames - frames, 19.9 * RATE, 20.1 * RATE);
	assert_true(w->heard.step < STEP_MAX && w->replied.step < STEP_MAX);
	world_free(w);
}

static void test_reconnect(void **state)
{
	struct world *w = world_new(128, 100, 0);
	const struct insert_report *r = report_of(w);

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		w->paused = false;
		w->block = 100 + 400 * (i % 2);
		connect_daw(w);
		run(w, 1);
		assert_true(r->playing);
		assert_int_equal(w->late, 0);
		disconnect_daw(w);
		run(w, 0.1);
		assert_false(r->playing);
		assert_int_equal(r->resyncs, 0);
		assert_int_equal(r->fill_frames, 0);
		assert_true(w->heard.last == 0);
	}
	assert_true(w->heard.step < STEP_FADE_MAX);
	/* The DAW is another one each time: no fade of the last one's. */
	world_free(w);
}

/* Freewheeling cycles come faster than real time; the DAW goes on, and hears silence. */
static void test_freewheel(void **state)
{
	struct world *w = world_new(128, 256, 0);
	const struct insert_report *r = report_of(w);
	uint64_t before, played;

	(void)state;
	w->pace = WAITS;
	connect_daw(w);
	run(w, 2);
	before = standing(w);
	w->freewheel = true;
	played = r->frames;
	for (unsigned i = 0; i < 5000; i++) {
		w->graph_due = (double)w->now_ns + 1e5;
		w->graph_ns = w->now_ns + 100 * NSEC_PER_USEC;
		run(w, 0.0001);
	}
	assert_int_equal(r->frames, played);
	assert_false(r->playing);
	assert_int_equal(w->late, 0);
	w->freewheel = false;
	run(w, 1);
	assert_true(r->playing);
	assert_int_equal(standing(w), before);
	assert_int_equal(w->late, 0);
	assert_true(w->heard.step < STEP_FADE_MAX && w->replied.step < STEP_FADE_MAX);
	world_free(w);
}

/* A longer period needs more in tx, and another margin moves all. */
static void test_changes(void **state)
{
	struct world *w = world_new(64, 256, 0);
	const struct insert_report *r = report_of(w);
	uint64_t late;

	(void)state;
	w->pace = WAITS;
	connect_daw(w);
	run(w, 2);
	w->period = 1024;
	run(w, 1);
	late = w->late;
	run(w, 2);
	assert_int_equal(w->late, late);
	assert_true(r->playing);
	assert_int_equal(standing(w), 256 + 1024 + 240);
	w->period = 64;
	run(w, 2);
	insert_set_latency(w->insert, 480);
	run(w, 2);
	assert_true(r->playing);
	assert_int_equal(r->latency_frames, 480);
	assert_int_equal(standing(w), 256 + 1024 + 1200);
	assert_int_equal(w->late, late);
	assert_true(w->heard.step < STEP_FADE_MAX && w->replied.step < STEP_FADE_MAX);
	world_free(w);
}

/* What goes to the DAW is not fetched. */
static void test_overrun(void **state)
{
	struct world *w = world_new(64, 256, 0);
	const struct insert_report *r = report_of(w);

	(void)state;
	connect_daw(w);
	run(w, 1);
	/* More than tx holds, and no reply: a net thread that is out of its mind. */
	atomic_store(&w->pipe->tx_tail, atomic_load(&w->pipe->tx_head) - w->pipe->frames_max);
	w->answered = w->daw_frame + (1u << 30);
	run(w, 0.1);
	assert_int_equal(r->overruns, 1);
	assert_false(r->playing);
	assert_true(w->heard.last == 0);
	disconnect_daw(w);
	w->paused = false;
	connect_daw(w);
	run(w, 1);
	assert_true(r->playing);
	assert_int_equal(r->overruns, 1);
	world_free(w);
}

static void push_midi(struct world *w, uint64_t frame, uint8_t status, uint8_t data1, uint8_t data2)
{
	struct nvpipe_midi event = {.frame = frame, .status = status, .data1 = data1, .data2 = data2};

	assert_true(spsc_push(&w->pipe->rx_midi, &event));
}

/* Each event comes with the sample that has its frame's number; in a correction with one that is near. */
static void hear_midi(struct world *w)
{
	for (unsigned e = 0; e < w->io.n_midi_out; e++) {
		const struct audio_midi *m = &w->io.midi_out[e];
		uint64_t frame = w->midi_first + MIDI_EVERY * w->midi_heard++;
		double away;

		assert_true(m->frame < w->period);
		assert_true(e == 0 || m->frame >= m[-1].frame);
		assert_int_equal(m->status, 0x90);
		assert_int_equal(m->data1, frame % 128);
		away = fabs(behind(w->out[0][m->frame], (double)(frame % NUMBERS_END)));
		w->midi_exact += away == 0;
		/* Where numbers begin anew, what lies between two of them says nothing. */
		assert_true(
			away <= 4 || frame % NUMBERS_END < 300 || frame % NUMBERS_END > NUMBERS_END - 300);
	}
}

static void midi(uint32_t period, uint32_t block, double ppm)
{
	struct world *w = world_new(period, block, ppm);
	const struct insert_report *r = report_of(w);

	w->content = NUMBERS;
	connect_daw(w);
	run(w, 1);
	w->on_cycle = hear_midi;
	w->midi_first = w->daw_frame;
	while (w->midi_sent < 20000) {
		uint64_t frame = w->midi_first + MIDI_EVERY * w->midi_sent;

		if (frame < w->daw_frame + block) {
			push_midi(w, frame, 0x90, (uint8_t)(frame % 128), 64);
			w->midi_sent++;
		} else {
			run(w, 0.0001);
		}
	}
	run(w, 0.2);
	assert_int_equal(w->midi_heard, w->midi_sent);
	assert_int_equal(r->midi_out, w->midi_sent);
	assert_int_equal(r->midi_lost, 0);
	assert_true(r->corrections > 20);
	assert_true(w->midi_exact > w->midi_sent * 98 / 100);
	world_free(w);
}

static void test_midi(void **state)
{
	(void)state;
	midi(64, 64, 200);
	midi(64, 500, -200);
	midi(1024, 100, 200);
	midi(441, 256, -200);
}

static void hear_ends(struct world *w)
{
	for (unsigned e = 0; e < w->io.n_midi_out; e++) {
		const struct audio_midi *m = &w->io.midi_out[e];

		w->ended[0] += (m->status & 0xf0) == 0x80;
		w->ended[1] += (m->status & 0xf0) == 0xb0 && m->data1 == 64 && m->data2 == 0;
		w->ended[2] += (m->status & 0xf0) == 0xb0 && m->data1 == 123;
	}
	assert_true(w->io.n_midi_out <= AUDIO_MIDI_MAX);
}

/* What sounds when the DAW goes is ended, over some cycles if it is much; what has ended is left alone. */
static void test_notes_off(void **state)
{
	struct world *w = world_new(64, 64, 0);

	(void)state;
	connect_daw(w);
	run(w, 1);
	for (unsigned channel = 0; channel < 4; channel++) {
		for (unsigned note = 0; note < 128; note++) {
			push_midi(w, w->daw_frame, (uint8_t)(0x90 | channel), (uint8_t)note, 1);
		}
	}
	run(w, 0.5);
	push_midi(w, w->daw_frame, 0x82, 60, 0);
	push_midi(w, w->daw_frame, 0x92, 61, 0);
	push_midi(w, w->daw_frame, 0xb3, 64, 127);
	push_midi(w, w->daw_frame, 0xb1, 64, 127);
	push_midi(w, w->daw_frame, 0xb1, 64, 0);
	push_midi(w, w->daw_frame, 0xc9, 3, 0);
	push_midi(w, w->daw_frame, 0xf8, 0, 0);
	run(w, 0.5);
	assert_int_equal(report_of(w)->midi_lost, 1);
	w->on_cycle = hear_ends;
	disconnect_daw(w);
	assert_int_equal(w->io.n_midi_out, AUDIO_MIDI_MAX);
	run(w, 0.1);
	assert_int_equal(w->ended[0], 4 * 128 - 2);
	assert_int_equal(w->ended[1], 1);
	assert_int_equal(w->ended[2], 5);
	assert_int_equal(w->io.n_midi_out, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_lost_cycles),
		cmocka_unit_test(test_late_callbacks),
		cmocka_unit_test(test_late_callback_at_begin),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_offline),
		cmocka_unit_test(test_reconnect),
		cmocka_unit_test(test_freewheel),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_midi),
		cmocka_unit_test(test_notes_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
