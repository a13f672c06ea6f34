/* The engine where the period may be another in each cycle: streams go on, and the cushion follows in the pauses. */
#include "sim/signals.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint32_t rates[] = {44100, 48000, 88200, 96000};

/* Frames of so many blocks are let stand in a box. */
#define BOX_FULL (POLICY_FILL_MAX_BLOCKS * 8)
#define BOX_ENOUGH (96 * 8)

enum lengths {
	ANY,	/* 1..2048 */
	POWERS, /* 32..2048 */
	ODD,	/* what is neither */
	SHORT,	/* 1..64 */
};

/* How the server behaves. The pattern comes first: the graph plays it. */
struct server {
	struct pattern_source src;
	enum lengths lengths;
	int64_t change_ns; /* from change to change; 0: every cycle */
	int64_t next_change_ns;
	int64_t jitter_ns;
	int shift;     /* the cycles' phase moves by old - new (1) or new - old (-1) frames at a change */
	int drift_ppm; /* how much longer its second is */
	uint32_t seed;
};

static uint32_t random_of(struct server *server)
{
	server->seed = server->seed * 1664525u + 1013904223u;
	return server->seed >> 8;
}

static uint32_t random_length(struct server *server)
{
	static const uint32_t odd[] = {1, 7, 9, 15, 100, 441, 500, 513, 882, 1000, 1023, 1500, 2047};

	switch (server->lengths) {
	case POWERS:
		return 32u << random_of(server) % 7;
	case ODD:
		return odd[random_of(server) % ARRAY_SIZE(odd)];
	case SHORT:
		return 1 + random_of(server) % 64;
	default:
		return 1 + random_of(server) % 2048;
	}
}

static void serve(struct sim *sim)
{
	struct server *server = sim->user;
	uint32_t old = sim->period;

	if (server->jitter_ns > 0) {
		sim->late_ns = random_of(server) % server->jitter_ns;
	}
	if (sim_next_ns(sim) < server->next_change_ns) {
		return;
	}
	server->next_change_ns = sim_next_ns(sim) + server->change_ns;
	sim_set_length(sim, random_length(server));
	sim->origin_ns += server->shift * ((int64_t)old - sim->period) * NSEC_PER_SEC / (int64_t)sim->rate_hz;
}

static void prepare(struct sim *sim, struct server *server)
{
	sim->varying = true;
	sim->follow = true;
	sim->pacer_sleeps = true;
	sim->source = play_pattern;
	sim->user = server;
	server->next_change_ns = INT64_MAX;
	sim_configure(sim, POLICY_LATENCY_AUTO, true);
}

static struct sim *varying_new(unsigned n_boxes, uint32_t rate_hz, uint32_t length, struct server *server)
{
	struct sim *sim = sim_new(n_boxes, rate_hz, length, NULL);

	prepare(sim, server);
	return sim;
}

/* From now on lengths change. */
static void vary(struct sim *sim, struct server *server)
{
	server->next_change_ns = 0;
	sim->plan = serve;
}

static uint32_t cushion_of(struct sim *sim, unsigned box)
{
	return atomic_load(&engine_dac_report(sim->boxes[box].dac)->cushion_frames);
}

static uint64_t resyncs_of(struct sim *sim, unsigned box)
{
	return engine_dac_report(sim->boxes[box].dac)->resyncs;
}

/* What really stands in a box when the next cycle should begin, in frames. */
static unsigned standing(struct sim *sim, unsigned box)
{
	struct box_status st;

	sim_advance(sim, sim_next_ns(sim) - NSEC_PER_USEC);
	st = sim_status(sim, box);
	return (st.queue + st.waiting) * 8;
}

/* The account is right, to a block in the box's queue and one that is not complete here, and slack besides. */
static void assert_account(struct sim *sim, unsigned box, unsigned slack)
{
	unsigned cushion = cushion_of(sim, box);

	if (cushion > BOX_ENOUGH) {
		/* The rest of it is in the pacer. */
		assert_in_range(standing(sim, box), BOX_ENOUGH - 64 - slack, BOX_FULL + 48);
		return;
	}
	assert_in_range(standing(sim, box) + 16 + slack, cushion, cushion + 24 + 2 * slack);
}

/* The latency is that of the length that there is now. */
static void assert_settled(struct sim *sim, unsigned slack)
{
	for (unsigned i = 0; i < sim->n_boxes; i++) {
		unsigned wanted = sim->policy.lead_blocks * 8;

		assert_in_range(cushion_of(sim, i), wanted > 7 ? wanted - 7 : 0, wanted + 7);
		assert_account(sim, i, slack);
		assert_int_equal(engine_dac_report(sim->boxes[i].dac)->starts, 1);
	}
}

/*
 * Where cycles are late, lateness and shifts are told apart by what is likely: a millisecond, and over hours
 * half a part in a million. Crystals are worse.
 */
static unsigned slack_after(const struct sim *sim)
{
	return sim->rate_hz / 1000 + (unsigned)(sim->now_ns / NSEC_PER_SEC * sim->rate_hz / 2000000);
}

/* The daemon hears of the last length, and there is a pause. */
static void settle(struct sim *sim, struct server *server)
{
	int64_t jitter_ns = server->jitter_ns;

	server->src.playing = false;
	server->next_change_ns = INT64_MAX;
	sim_run(sim, 300 * NSEC_PER_MSEC);
	/* What is late would not stand in the box yet when it is looked at. */
	server->jitter_ns = 0;
	sim_run(sim, 50 * NSEC_PER_MSEC);
	assert_settled(sim, jitter_ns > 0 ? slack_after(sim) : 0);
	server->jitter_ns = jitter_ns;
	server->next_change_ns = 0;
}

static void play_varying(uint32_t rate_hz, unsigned boxes, struct server server, int64_t ns)
{
	struct sim *sim = varying_new(boxes, rate_hz, 256, &server);

	server.seed = 20261121;
	vary(sim, &server);
	while (sim->now_ns < ns) {
		play_stretch(sim, &server.src, 5 * NSEC_PER_SEC);
		settle(sim, &server);
	}
	assert_lossless(sim, &server.src);
	for (unsigned i = 0; i < boxes; i++) {
		assert_int_equal(resyncs_of(sim, i), 0);
	}
	assert_int_equal(sim->kicks_max, 1);
	sim_free(sim);
}

static void test_every_cycle_another(void **state)
{
	static const enum lengths kinds[] = {ANY, POWERS, ODD, SHORT};

	for (unsigned r = 0; r < ARRAY_SIZE(rates); r++) {
		for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
			play_varying(rates[r], 1, (struct server){.lengths = kinds[k]}, 60 * NSEC_PER_SEC);
		}
	}
}

static void test_every_second_another(void **state)
{
	for (unsigned r = 0; r < ARRAY_SIZE(rates); r++) {
		play_varying(rates[r], 1, (struct server){.lengths = POWERS, .change_ns = NSEC_PER_SEC},
			120 * NSEC_PER_SEC);
		play_varying(rates[r], 1, (struct server){.lengths = ODD, .change_ns = NSEC_PER_SEC},
			60 * NSEC_PER_SEC);
	}
}

static void test_late_wakeups(void **state)
{
	static const int64_t jitters[] = {100 * NSEC_PER_USEC, NSEC_PER_MSEC, 1700 * NSEC_PER_USEC};

	for (unsigned j = 0; j < ARRAY_SIZE(jitters); j++) {
		play_varying(48000, 1, (struct server){.lengths = ANY, .jitter_ns = jitters[j]},
			120 * NSEC_PER_SEC);
		play_varying(96000, 1,
			(struct server){
				.lengths = POWERS, .change_ns = NSEC_PER_SEC, .jitter_ns = jitters[j]},
			120 * NSEC_PER_SEC);
	}
}

static void test_many_boxes(void **state)
{
	play_varying(48000, 32, (struct server){.lengths = ANY}, 8 * NSEC_PER_SEC);
	play_varying(96000, 8, (struct server){.lengths = POWERS, .change_ns = NSEC_PER_SEC / 4},
		20 * NSEC_PER_SEC);
}

/* An hour (SIM_MINUTES says another time) of music with pauses. */
static void test_hours(void **state)
{
	const char *e = getenv("SIM_MINUTES");
	int64_t ns = (e ? atoi(e) : 60) * 60 * NSEC_PER_SEC;

	play_varying(48000, 1,
		(struct server){
			.lengths = POWERS, .change_ns = NSEC_PER_SEC, .jitter_ns = 300 * NSEC_PER_USEC},
		ns / 2);
	play_varying(44100, 1, (struct server){.lengths = ANY, .jitter_ns = 300 * NSEC_PER_USEC}, ns / 2);
}

/* 64, 1024, 64 while music plays: nothing is heard of it, and the latency follows in the next pause. */
static void test_latency_waits_for_a_pause(void **state)
{
	struct server server = {0};
	struct sim *sim = varying_new(1, 48000, 64, &server);

	play_stretch(sim, &server.src, NSEC_PER_SEC);
	assert_int_equal(cushion_of(sim, 0), 160);
	server.src.playing = true;
	server.src.stretches++;
	sim_run(sim, NSEC_PER_SEC);
	sim_set_length(sim, 1024);
	sim_run(sim, NSEC_PER_SEC);
	assert_int_equal(sim->boxes[0].params.lead_blocks, 60);
	assert_int_equal(cushion_of(sim, 0), 160);
	assert_account(sim, 0, 0);
	sim_set_length(sim, 64);
	sim_run(sim, NSEC_PER_SEC);
	assert_int_equal(cushion_of(sim, 0), 160);
	sim_set_length(sim, 1024);
	sim_run(sim, NSEC_PER_SEC);
	server.src.playing = false;
	sim_run(sim, 200 * NSEC_PER_MSEC);
	assert_int_equal(cushion_of(sim, 0), 480);
	server.src.playing = true;
	server.src.stretches++;
	sim_run(sim, NSEC_PER_SEC);
	sim_set_length(sim, 64);
	sim_run(sim, NSEC_PER_SEC);
	assert_int_equal(cushion_of(sim, 0), 480);
	assert_account(sim, 0, 0);
	server.src.playing = false;
	sim_run(sim, 200 * NSEC_PER_MSEC);
	assert_int_equal(cushion_of(sim, 0), 160);
	assert_lossless(sim, &server.src);
	assert_settled(sim, 0);
	assert_int_equal(resyncs_of(sim, 0), 0);
	sim_free(sim);
}

/* A pause of less than 20 ms is part of the music. */
static void test_short_pauses_are_music(void **state)
{
	struct server server = {0};
	struct sim *sim = varying_new(1, 48000, 64, &server);

	play_stretch(sim, &server.src, NSEC_PER_SEC);
	sim->plan = serve;
	for (unsigned n = 0; n < 50; n++) {
		server.src.playing = true;
		sim_run(sim, 30 * NSEC_PER_MSEC);
		if (n == 10) {
			sim_set_length(sim, 128);
		}
		server.src.playing = false;
		sim_run(sim, 16 * NSEC_PER_MSEC);
	}
	assert_int_equal(sim->boxes[0].params.lead_blocks, 28);
	assert_int_equal(cushion_of(sim, 0), 160);
	sim_run(sim, 10 * NSEC_PER_MSEC);
	assert_int_equal(cushion_of(sim, 0), 224);
	sim_free(sim);
}

/* Nothing connected is silence, too; and where it ends in the middle of what would be left out, that is kept. */
static void test_pause_ends_in_the_cycle(void **state)
{
	for (unsigned n = 0; n < 64; n++) {
		struct server server = {0};
		struct sim *sim = varying_new(1, 48000, 2048, &server);

		sim->follow = false;
		sim_run(sim, 1500 * NSEC_PER_MSEC);
		backend_null_set_buffers(sim->boxes[0].group, NULL, NULL);
		sim_run(sim, 500 * NSEC_PER_MSEC);
		assert_int_equal(cushion_of(sim, 0), 480);
		backend_null_set_buffers(sim->boxes[0].group, (const float *const *)sim->boxes[0].in, NULL);
		sim_set_length(sim, 200 + n);
		sim_reconfigure(sim, 64);
		/* The pattern begins with the first cycle in which blocks are left out, with nothing but 0 in 3 n frames of it. */
		server.src.stretches = 1;
		server.src.silent = 3 * n;
		server.src.playing = true;
		sim_run(sim, NSEC_PER_SEC);
		assert_in_range(cushion_of(sim, 0), 480 - 3 * n, 480 - 3 * n + 7);
		server.src.playing = false;
		sim_run(sim, 400 * NSEC_PER_MSEC);
		assert_lossless(sim, &server.src);
		sim_free(sim);
	}
}

/* The server moves its cycles by the difference of old and new length, at every change, in the music. */
static void test_shifts_in_music(void **state)
{
	static const uint32_t lengths[] = {32, 64, 256, 512, 1024, 2048};

	for (unsigned n = 0; n < 2 * 36; n++) {
		uint32_t old = lengths[n % 6], new = lengths[n / 6 % 6];
		struct server server = {.shift = n < 36 ? 1 : -1};
		struct sim *sim = varying_new(1, 48000, old, &server);
		int64_t moved = server.shift * ((int64_t)old - new);
		unsigned least, cushion = sim->policy.lead_blocks * 8;

		server.src.playing = false;
		sim_run(sim, 1500 * NSEC_PER_MSEC);
		server.src.playing = true;
		sim_run(sim, 100 * NSEC_PER_MSEC);
		assert_int_equal(cushion_of(sim, 0), cushion);
		sim_set_length(sim, new);
		sim->origin_ns += moved * NSEC_PER_SEC / (int64_t)sim->rate_hz;
		sim_run(sim, NSEC_PER_SEC);
		assert_account(sim, 0, 0);
		assert_int_equal(sim_status(sim, 0).counts.frames_lost, 0);
		least = MIN(96, sim->policy.lead_blocks * 8);
		if ((int64_t)cushion - moved >= least && (int64_t)cushion - moved <= BOX_FULL + 2048) {
			/* It stays as it has become. */
			assert_int_equal(resyncs_of(sim, 0), 0);
			assert_in_range(cushion_of(sim, 0), (int64_t)cushion - moved - 1,
				(int64_t)cushion - moved + 1);
			assert_int_equal(sim_status(sim, 0).counts.zero_blocks_mid_audio, 0);
			assert_int_equal(sim_status(sim, 0).pattern.breaks, 0);
		} else {
			/* Put right at once, to what was wanted at that time: mostly before the daemon has heard of it. */
			assert_in_range(resyncs_of(sim, 0), 1, 4);
			assert_in_range(cushion_of(sim, 0), MIN(cushion, sim->policy.lead_blocks * 8) - 7,
				MAX(cushion, sim->policy.lead_blocks * 8) + 7);
		}
		server.src.playing = false;
		sim_run(sim, 200 * NSEC_PER_MSEC);
		assert_settled(sim, 0);
		sim_free(sim);
	}
}

/* Half an hour (or SIM_MINUTES) of shifts in both directions, and of late wake-ups: the account stays right, no box ever runs over. */
static void test_hours_of_shifts(void **state)
{
	const char *e = getenv("SIM_MINUTES");
	int64_t ns = (e ? atoi(e) : 30) * 60 * NSEC_PER_SEC;

	for (unsigned n = 0; n < 4; n++) {
		struct server server = {.lengths = POWERS,
			.change_ns = NSEC_PER_SEC,
			/* From 32 to 64 frames it is a third of a millisecond at 96 kHz: among more jitter nobody sees it. */
			.jitter_ns = n % 2 ? (n == 1 ? 100 : 40) * NSEC_PER_USEC : 0,
			.shift = n / 2 ? 1 : -1,
			.seed = n};
		struct sim *sim = varying_new(1, rates[n], 256, &server);

		vary(sim, &server);
		while (sim->now_ns < ns / 4) {
			server.src.playing = true;
			sim_run(sim, 7 * NSEC_PER_SEC);
			settle(sim, &server);
			assert_int_equal(sim_status(sim, 0).counts.frames_lost, 0);
		}
		sim_free(sim);
	}
}

/* Cycles that come later than the cushion lasts: the box ran dry, and holds more from then on. */
static void test_dry(void **state)
{
	static const uint32_t lengths[] = {32, 64, 1024};

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct server server = {.src.playing = true};
		struct sim *sim = varying_new(1, 48000, lengths[i], &server);
		unsigned cushion;

		sim_run(sim, NSEC_PER_SEC);
		cushion = cushion_of(sim, 0);
		for (unsigned n = 1; n <= 4; n++) {
			sim->late_ns = (cushion + n * 48) * NSEC_PER_SEC / 48000;
			sim_run(sim, NSEC_PER_SEC);
			assert_in_range(cushion_of(sim, 0), cushion + n * 48 - 1, cushion + n * 48 + 8);
			assert_account(sim, 0, 8);
		}
		assert_int_equal(sim_status(sim, 0).counts.frames_lost, 0);
		assert_int_equal(resyncs_of(sim, 0), 0);
		server.src.playing = false;
		sim_run(sim, 200 * NSEC_PER_MSEC);
		assert_int_equal(cushion_of(sim, 0) / 8, cushion / 8);
		/* Lost cycles: what is left is less than wake-ups need, and silence is put in at once. */
		server.src.playing = true;
		sim_run(sim, 200 * NSEC_PER_MSEC);
		sim->origin_ns += (cushion - 20) * NSEC_PER_SEC / 48000;
		sim_run(sim, NSEC_PER_SEC);
		assert_int_equal(resyncs_of(sim, 0), 1);
		assert_in_range(cushion_of(sim, 0), cushion - 7, cushion);
		assert_account(sim, 0, 8);
		sim_free(sim);
	}
}

static void drift(struct sim *sim)
{
	struct server *server = sim->user;

	sim->origin_ns += server->drift_ppm * (int64_t)sim->period * 1000 / (int64_t)sim->rate_hz;
	serve(sim);
}

/*
 * The graph's clock is another than ours, and the box's is like it: nothing is to be made up for, and nobody who
 * listens for ten minutes notices. (Taken for lost, it would be 36 ms.)
 */
static void test_drift_is_no_loss(void **state)
{
	static const uint32_t lengths[] = {32, 256, 2048};

	for (unsigned n = 0; n < 2 * ARRAY_SIZE(lengths); n++) {
		struct server server = {.drift_ppm = n % 2 ? 60 : -60, .jitter_ns = 100 * NSEC_PER_USEC};
		double ppm = (double)-server.drift_ppm;
		struct sim *sim = sim_new(1, 48000, lengths[n / 2], &ppm);
		unsigned cushion;

		prepare(sim, &server);
		sim->plan = drift;
		sim_run(sim, 1500 * NSEC_PER_MSEC);
		cushion = cushion_of(sim, 0);
		server.src.playing = true;
		server.src.stretches = 1;
		sim_run(sim, 600 * NSEC_PER_SEC);
		assert_in_range(cushion_of(sim, 0), cushion - 16, cushion + 16);
		assert_int_equal(resyncs_of(sim, 0), 0);
		server.src.playing = false;
		server.jitter_ns = 0;
		sim_run(sim, 400 * NSEC_PER_MSEC);
		assert_lossless(sim, &server.src);
		assert_settled(sim, 40);
		sim_free(sim);
	}
}

/* Of gaps between cycles of different lengths nothing can be said, and nothing is. */
static void test_gaps(void **state)
{
	struct server server = {0};
	struct sim *sim = varying_new(1, 48000, 64, &server);
	const struct hist *gaps = &engine_get_report(sim->engine)->gaps;

	for (unsigned n = 0; n < 100; n++) {
		uint64_t count = 0;

		sim_set_length(sim, n % 2 ? 64 : 1024);
		for (unsigned i = 0; i < 10; i++) {
			sim_cycle(sim);
		}
		for (unsigned bin = 0; bin < HIST_BINS; bin++) {
			count += gaps->bin[bin];
		}
		assert_int_equal(count, 9);
		assert_in_range(gaps->max_ns, n % 2 ? 1333000 : 21333000, n % 2 ? 1334000 : 21334000);
	}
	sim_free(sim);
}

/* What fits goes by the callback's own kick: short periods play though the pacer does nothing at all. */
static void test_short_periods_need_no_pacer(void **state)
{
	static const uint32_t lengths[] = {16, 32, 64, 100, 256, 480};

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct server server = {0};
		struct sim *sim = varying_new(3, 48000, lengths[i], &server);

		sim->pacer_hangs = true;
		play_stretch(sim, &server.src, 2 * NSEC_PER_SEC);
		assert_lossless(sim, &server.src);
		assert_false(engine_wire_busy(sim->wire));
		assert_int_equal(sim->kicks_max, 1);
		assert_int_equal(sim->order_errors, 0);
		sim_free(sim);
	}
}

/* Of a long cycle the pacer sends the first burst at once, and no more than the box takes. */
static void test_long_cycles_are_spread(void **state)
{
	struct server server = {0};
	struct sim *sim = varying_new(1, 48000, 2048, &server);
	uint64_t frames, kicks;

	sim_run(sim, 2 * NSEC_PER_SEC);
	sim_advance(sim, sim_next_ns(sim));
	/* Of a late one the box takes more: it has played on. */
	sim->pacer_hangs = true;
	for (unsigned late_ms = 0; late_ms <= 4; late_ms += 4) {
		frames = sim->boxes[0].frames;
		kicks = engine_get_report(sim->engine)->kick.kicks;
		sim->late_ns = late_ms * NSEC_PER_MSEC;
		sim_cycle(sim);
		assert_int_equal(sim->boxes[0].frames, frames);
		engine_wire_run_pacer(sim->wire, sim->now_ns);
		assert_int_equal(sim->boxes[0].frames - frames, 60 + late_ms * 6);
		assert_int_equal(engine_get_report(sim->engine)->kick.kicks - kicks, 1);
		assert_true(engine_wire_busy(sim->wire));
		if (late_ms == 0) {
			sim->pacer_hangs = false;
			sim_advance(sim, sim_next_ns(sim));
			sim->pacer_hangs = true;
		}
	}
	frames = sim->boxes[0].frames;
	kicks = engine_get_report(sim->engine)->kick.kicks;
	/* While something waits, all goes behind it. */
	sim_cycle(sim);
	assert_int_equal(sim->boxes[0].frames, frames);
	assert_int_equal(engine_get_report(sim->engine)->kick.kicks, kicks);
	sim_free(sim);
}

/* Cycles that no stream is made for: too long, of another rate, faster than real time. It fades out, and in again. */
static void test_cycles_that_do_not_fit(void **state)
{
	static const uint32_t lengths[] = {32, 256, 1024, 2048};

	for (unsigned n = 0; n < 3 * ARRAY_SIZE(lengths); n++) {
		struct server server = {0};
		struct sim *sim = varying_new(2, 48000, lengths[n / 3], &server);
		struct level_probe probe = {0};

		sim->follow = false;
		play_level(sim, &probe);
		assert_true(probe.last == 0.5);
		if (n % 3 == 0) {
			sim_set_length(sim, 4096);
		} else if (n % 3 == 1) {
			sim_set_format(sim, 96000, lengths[n / 3]);
		} else {
			backend_null_set_freewheel(sim->backend, true);
		}
		sim_run(sim, 600 * NSEC_PER_MSEC);
		assert_int_equal(engine_dac_mode(sim->boxes[0].dac), DAC_IDLE);
		assert_int_equal(cushion_of(sim, 0), 0);
		sim_settle(sim);
		assert_true(probe.last == 0);
		backend_null_set_freewheel(sim->backend, false);
		sim_configure(sim, POLICY_LATENCY_AUTO, true);
		sim_run(sim, NSEC_PER_SEC);
		assert_int_equal(engine_dac_report(sim->boxes[0].dac)->starts, 2);
		assert_int_equal(sim_status(sim, 0).counts.frames_lost, 0);
		assert_true(probe.last == 0.5 && probe.largest == 0.5);
		assert_true(probe.largest_step < 0.5 / 300);
		sim_free(sim);
	}
}

static void set_volumes(struct sim *sim, float volume)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		sim->boxes[0].params.volume[k] = volume;
	}
	sim_run_dac(sim, &sim->boxes[0], true);
}

/* A volume is a factor; another one comes through a ramp, and none is louder than what came in. */
static void test_volumes(void **state)
{
	static const struct {
		float volume, is;
	} steps[] = {{0.5f, 0.5f}, {0.25f, 0.25f}, {1.0f, 1.0f}, {0.0f, 0.0f}, {0.75f, 0.75f}, {2.0f, 1.0f},
		{-1.0f, 0.0f}, {NAN, 0.0f}, {INFINITY, 1.0f}};
	static const uint32_t lengths[] = {32, 100, 2048};

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct server server = {0};
		struct sim *sim = varying_new(1, 48000, lengths[i], &server);
		struct level_probe probe = {0};
		float peak[ETHLINK_CHANNELS];

		play_level(sim, &probe);
		for (unsigned n = 0; n < ARRAY_SIZE(steps); n++) {
			set_volumes(sim, steps[n].volume);
			sim_run(sim, 500 * NSEC_PER_MSEC);
			engine_dac_take_peaks(sim->boxes[0].dac, peak);
			sim_run(sim, 500 * NSEC_PER_MSEC);
			assert_true(probe.last == 0.5 * steps[n].is);
			/* Meters show what the box gets. */
			engine_dac_take_peaks(sim->boxes[0].dac, peak);
			assert_true(peak[0] == 0.5f * steps[n].is);
		}
		/* Changed in the middle of a ramp, and with mutes in between. */
		for (unsigned n = 0; n < 200; n++) {
			memset(sim->boxes[0].params.gain, n % 7 ? 56 : ETHLINK_GAIN_MUTE, ETHLINK_CHANNELS);
			set_volumes(sim, (float)(n % 5) / 4);
			sim_run(sim, (int64_t)(n % 23) * 3 * NSEC_PER_MSEC);
		}
		assert_int_equal(engine_dac_report(sim->boxes[0].dac)->starts, 1);
		assert_true(probe.largest == 0.5 && probe.largest_step < 0.5 / 470);
		/* A stream begins with the volume that there is, faded in, and at no time louder. */
		memset(sim->boxes[0].params.gain, 56, ETHLINK_CHANNELS);
		set_volumes(sim, 0.5f);
		sim_run(sim, NSEC_PER_SEC);
		sim_run_dac(sim, &sim->boxes[0], false);
		sim_run(sim, NSEC_PER_SEC);
		sim_settle(sim);
		memset(&probe, 0, sizeof(probe));
		sim_run_dac(sim, &sim->boxes[0], true);
		sim_run(sim, NSEC_PER_SEC);
		assert_true(probe.last == 0.25 && probe.largest == 0.25 && probe.largest_step < 0.25 / 470);
		sim_free(sim);
	}
}

/* The interface takes nothing for a while, whoever kicks: drops are counted, nothing old is sent, the cushion comes back. */
static void test_interface_fails(void **state)
{
	static const uint32_t lengths[] = {64, 1024, 2048};

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct server server = {0};
		struct sim *sim = varying_new(2, 48000, lengths[i], &server);
		const struct dac_report *report = engine_dac_report(sim->boxes[0].dac);
		uint64_t before;

		sim_run(sim, 1500 * NSEC_PER_MSEC);
		server.src.playing = true;
		sim_run(sim, 500 * NSEC_PER_MSEC);
		before = sim->boxes[0].frames;
		pktring_mem_fail(sim->ring, ENOBUFS);
		sim_run(sim, NSEC_PER_SEC);
		assert_int_equal(sim->boxes[0].frames, before);
		pktring_mem_fail(sim->ring, 0);
		sim_run(sim, NSEC_PER_SEC);
		assert_true(report->drops_interface > 0);
		assert_int_equal(sim_status(sim, 0).counts.frames_lost, 0);
		/* Once it was lost, and the fade-in after that was the end of it. */
		assert_true(sim_status(sim, 0).pattern.run > 2000);
		sim_advance(sim, sim_next_ns(sim) - NSEC_PER_USEC);
		assert_false(engine_wire_busy(sim->wire));
		server.src.playing = false;
		sim_run(sim, 300 * NSEC_PER_MSEC);
		assert_settled(sim, 0);
		sim_free(sim);
	}
}

/* A stream that begins in a late cycle has less ahead, which is enough once cycles are on time. */
static void test_late_start(void **state)
{
	struct server server = {0};
	struct sim *sim = varying_new(1, 48000, 64, &server);
	int64_t late_ns = 1200 * NSEC_PER_USEC;
	int64_t begin_ns = sim->boxes[0].params.not_before_ns;

	/* Every other cycle is late, as is known by then, and the first that may be the stream's. */
	for (unsigned n = 0; engine_dac_mode(sim->boxes[0].dac) == DAC_IDLE; n++) {
		sim->late_ns = n % 2 || sim_next_ns(sim) + late_ns >= begin_ns ? late_ns : 0;
		sim_cycle(sim);
	}
	assert_true(sim->now_ns < begin_ns + 2 * NSEC_PER_MSEC);
	sim_run(sim, NSEC_PER_SEC);
	assert_settled(sim, 0);
	sim_free(sim);
}

/* What the interface refuses once is missing in the box from then on. */
static void test_one_kick_fails(void **state)
{
	struct server server = {0};
	struct sim *sim = varying_new(2, 48000, 64, &server);

	sim_run(sim, 1500 * NSEC_PER_MSEC);
	server.src.playing = true;
	sim_run(sim, 500 * NSEC_PER_MSEC);
	pktring_mem_fail(sim->ring, ENOBUFS);
	sim_cycle(sim);
	pktring_mem_fail(sim->ring, 0);
	sim_run(sim, 500 * NSEC_PER_MSEC);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(engine_dac_report(sim->boxes[i].dac)->drops_interface, 8);
		assert_int_equal(cushion_of(sim, i), 160 - 64);
		assert_account(sim, i, 0);
	}
	server.src.playing = false;
	sim_run(sim, 200 * NSEC_PER_MSEC);
	assert_settled(sim, 0);
	sim_free(sim);
}

/* What plays into one box misses cycles: its cushion is smaller by them, and only its own. */
static void test_missed_cycles(void **state)
{
	int64_t cycle_ns = 64 * NSEC_PER_SEC / 48000;

	for (unsigned missed = 1; missed <= 4; missed++) {
		struct server server = {0};
		struct sim *sim = varying_new(2, 48000, 64, &server);

		play_stretch(sim, &server.src, NSEC_PER_SEC);
		server.src.playing = true;
		server.src.stretches++;
		sim_run(sim, NSEC_PER_SEC);
		sim->absent = 1 << 1;
		sim_run(sim, missed * cycle_ns);
		sim->absent = 0;
		sim_run(sim, NSEC_PER_SEC);
		assert_int_equal(resyncs_of(sim, 0), 0);
		assert_int_equal(sim_status(sim, 0).pattern.breaks, 0);
		assert_account(sim, 0, 0);
		assert_account(sim, 1, 0);
		/* One leaves 2 ms; more of them have to be made up for. */
		assert_int_equal(resyncs_of(sim, 1), missed > 1 ? 1 : 0);
		server.src.playing = false;
		sim_run(sim, 200 * NSEC_PER_MSEC);
		assert_settled(sim, 0);
		sim_free(sim);
	}
}

/* The wanted cushion alone is changed, by the user: nothing stops, and it is there after the next pause. */
static void test_latency_set(void **state)
{
	static const int latencies[] = {64, 480, 0, 960, 16, 900};
	struct server server = {0};
	struct sim *sim = varying_new(1, 48000, 100, &server);

	sim->follow = false;
	for (unsigned i = 0; i < ARRAY_SIZE(latencies); i++) {
		play_stretch(sim, &server.src, NSEC_PER_SEC);
		sim_reconfigure(sim, latencies[i]);
		sim_run(sim, 200 * NSEC_PER_MSEC);
		/* Of so much, a little is still in the pacer. */
		assert_settled(sim, latencies[i] > 900 ? 48 : 0);
	}
	assert_int_equal(resyncs_of(sim, 0), 0);
	sim_free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cycle_another),
		cmocka_unit_test(test_every_second_another),
		cmocka_unit_test(test_late_wakeups),
		cmocka_unit_test(test_many_boxes),
		cmocka_unit_test(test_hours),
		cmocka_unit_test(test_latency_waits_for_a_pause),
		cmocka_unit_test(test_short_pauses_are_music),
		cmocka_unit_test(test_pause_ends_in_the_cycle),
		cmocka_unit_test(test_shifts_in_music),
		cmocka_unit_test(test_hours_of_shifts),
		cmocka_unit_test(test_dry),
		cmocka_unit_test(test_drift_is_no_loss),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_short_periods_need_no_pacer),
		cmocka_unit_test(test_long_cycles_are_spread),
		cmocka_unit_test(test_cycles_that_do_not_fit),
		cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_interface_fails),
		cmocka_unit_test(test_late_start),
		cmocka_unit_test(test_one_kick_fails),
		cmocka_unit_test(test_missed_cycles),
		cmocka_unit_test(test_latency_set),
	};

	return cmocka_run_group_tests_name("varying", tests, NULL, NULL);
}
