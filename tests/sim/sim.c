#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Until a thread with realtime priority that is woken runs. */
#define WAKE_NS (60 * NSEC_PER_USEC)

static const uint8_t host_mac[ETHLINK_MAC_LEN] = {0x02, 0, 0, 0, 0, 1};

static void check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "simulation: %s failed\n", what);
		abort();
	}
}

static void note_gains(struct sim_box *sb, const uint8_t *gain, int64_t t_ns)
{
	unsigned steps = 0;

	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		steps += sb->gain_known && gain[k] != sb->gain[k];
	}
	if (steps > 0) {
		sb->gain_steps_max = MAX(sb->gain_steps_max, steps);
		if (sb->last_gain_ns) {
			sb->gain_gap_min_ns = MIN(sb->gain_gap_min_ns, t_ns - sb->last_gain_ns);
		}
		sb->last_gain_ns = t_ns;
	}
	memcpy(sb->gain, gain, sizeof(sb->gain));
	sb->gain_known = true;
}

static void sink(void *data, const uint8_t *frame, size_t len)
{
	struct sim *sim = data;
	unsigned index = frame[5];
	struct sim_box *sb = &sim->boxes[index];

	check(index < sim->n_boxes && len == ETHLINK_FRAME_LEN, "frame for a known box");
	sim->wire_free_ns = MAX(sim->wire_free_ns, sim->now_ns) + SIM_FRAME_NS;
	sb->frames++;
	/* Block by block over the boxes: never twice the same box while others have blocks, all of them do. */
	if (sim->n_boxes > 1 && sim->last_box == index) {
		sim->order_errors++;
	}
	sim->last_box = index;
	note_gains(sb, frame + ETHLINK_OFF_GAIN, sim->wire_free_ns);
	box_frame(sb->box, sim->wire_free_ns, frame, len);
}

static void on_play(void *user, int64_t t_ns, const struct box_block *block)
{
	struct sim_box *sb = user;

	if (sb->on_block) {
		sb->on_block(sb, t_ns, block);
	}
}

static void add_box(struct sim *sim, unsigned i, double ppm)
{
	struct sim_box *sb = &sim->boxes[i];
	struct box_config config = {.serial = (uint16_t)i, .ppm = ppm, .check_counter = true};
	struct box_hooks hooks = {.user = sb, .play = on_play};
	struct backend_ports ports = {.name = "box", .playback = true};

	sb->sim = sim;
	sb->gain_gap_min_ns = INT64_MAX;
	check(box_new(&config, &hooks, sim->now_ns, &sb->box) == 0, "box_new");
	check(engine_dac_new(sim->engine, &sb->dac) == 0, "engine_dac_new");
	check(engine_dac_set_wire(sim->engine, sb->dac, sim->wire) == 0, "engine_dac_set_wire");
	ports.owner = sb->dac;
	check(backend_add_ports(sim->backend, &ports, &sb->group) == 0, "backend_add_ports");
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		sb->in[k] = calloc(AUDIO_PERIOD_MAX, sizeof(float));
	}
	backend_null_set_buffers(sb->group, (const float *const *)sb->in, NULL);
}

/* The null server's cycles are of one length and have all boxes; here they are made others, and watched. */
static void process_rt(void *data, const struct audio_cycle *cycle)
{
	struct sim *sim = data;
	struct audio_group *groups[SIM_BOXES_MAX];
	struct audio_cycle seen = *cycle;
	uint64_t kicks = engine_get_report(sim->engine)->kick.kicks;

	seen.varying = sim->varying;
	seen.groups = groups;
	seen.n_groups = 0;
	for (unsigned i = 0; i < cycle->n_groups; i++) {
		if (!(sim->absent & (UINT32_C(1) << i))) {
			groups[seen.n_groups++] = cycle->groups[i];
		}
	}
	engine_process_rt(sim->engine, &seen);
	engine_finish_rt(sim->engine);
	kicks = engine_get_report(sim->engine)->kick.kicks - kicks;
	sim->kicks_max = MAX(sim->kicks_max, (unsigned)kicks);
}

struct sim *sim_new(unsigned n_boxes, uint32_t rate_hz, uint32_t period, const double *ppm)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	struct backend_callbacks callbacks = {.process_rt = process_rt, .data = sim};

	sim->n_boxes = n_boxes;
	sim->rate_hz = rate_hz;
	sim->period = period;
	sim->now_ns = sim->origin_ns = NSEC_PER_SEC;
	sim->last_box = UINT32_MAX;
	check(engine_new(sample_kernels_best(), &sim->engine) == 0, "engine_new");
	check(backend_null_new(rate_hz, period, &callbacks, &sim->backend) == 0, "backend_null_new");
	check(engine_wire_new(sim->engine, &sim->wire) == 0, "engine_wire_new");
	for (unsigned i = 0; i < n_boxes; i++) {
		add_box(sim, i, ppm ? ppm[i] : 0.0);
	}
	engine_set_running(sim->engine, true);
	backend_start(sim->backend);
	backend_run(sim->backend);
	return sim;
}

void sim_free(struct sim *sim)
{
	backend_stop(sim->backend);
	engine_set_running(sim->engine, false);
	for (unsigned i = 0; i < sim->n_boxes; i++) {
		struct sim_box *sb = &sim->boxes[i];

		backend_remove_ports(sim->backend, sb->group);
		engine_dac_free(sim->engine, sb->dac);
		box_free(sb->box);
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			free(sb->in[k]);
		}
	}
	backend_free(sim->backend);
	engine_free(sim->engine);
	free(sim);
}

void sim_set_format(struct sim *sim, uint32_t rate_hz, uint32_t period)
{
	sim->origin_ns += (int64_t)((__int128)sim->cycle_frames * NSEC_PER_SEC / sim->rate_hz);
	sim->cycle_frames = 0;
	sim->rate_hz = rate_hz;
	sim->period = period;
	backend_null_set_format(sim->backend, rate_hz, period);
}

void sim_set_format_now(struct sim *sim, uint32_t rate_hz, uint32_t period)
{
	sim_set_format(sim, rate_hz, period);
	sim->origin_ns = sim->now_ns + NSEC_PER_MSEC;
}

void sim_set_length(struct sim *sim, uint32_t frames)
{
	sim->period = frames;
	backend_null_set_format(sim->backend, sim->rate_hz, frames);
}

void sim_run_dac(struct sim *sim, struct sim_box *sb, bool run)
{
	sb->params.run = run;
	check(engine_dac_set_params(sim->engine, sb->dac, &sb->params) == 0, "engine_dac_set_params");
}

/* The header with the settings, silence with it, and the time that the box takes to apply it. */
static void announce(struct sim *sim, struct sim_box *sb)
{
	uint8_t frame[ETHLINK_FRAME_LEN] = {0};

	memcpy(frame, sb->params.header, ETHLINK_HEADER_LEN);
	check(pktring_send(sim->ring, frame, sizeof(frame)) == 0, "pktring_send");
	sb->params.not_before_ns = sim->now_ns + 50 * NSEC_PER_MSEC;
}

static void make_policy(struct sim *sim, int latency_frames)
{
	if (sim->varying) {
		/* No server announces so short a period, though a cycle may be as short. */
		check(policy_make_varying(MAX(sim->period, (uint32_t)AUDIO_PERIOD_MIN), sim->rate_hz,
			      latency_frames, &sim->policy) == 0,
			"policy_make_varying");
	} else {
		check(policy_make(sim->period, sim->rate_hz, latency_frames, &sim->policy) == 0,
			"policy_make");
	}
	sim->followed = sim->period;
}

static void set_format(struct sim *sim, struct dac_params *params)
{
	params->format.rate_hz = sim->rate_hz;
	params->format.varying = sim->varying;
	params->format.period_frames = sim->varying ? policy_longest(sim->period) : sim->period;
	params->format.lead_blocks = sim->varying ? 0 : sim->policy.lead_blocks;
	params->format.paced = sim->policy.paced;
	params->lead_blocks = sim->policy.lead_blocks;
}

static void set_ring(struct sim *sim)
{
	struct wire_sending how = {
		.threaded = sim->threaded,
		.paced = sim->policy.paced,
		.burst_blocks = sim->policy.burst_blocks,
		.priority = -1,
	};

	check(engine_wire_set_ring(sim->wire, sim->ring, &how, NULL) == 0, "engine_wire_set_ring");
}

void sim_configure(struct sim *sim, int latency_frames, bool run)
{
	make_policy(sim, latency_frames);
	check(pktring_open_mem(sim->policy.slots * sim->n_boxes, 16, sink, sim, &sim->ring) == 0,
		"pktring_open_mem");
	set_ring(sim);
	for (unsigned i = 0; i < sim->n_boxes; i++) {
		struct sim_box *sb = &sim->boxes[i];
		struct ethlink_settings settings = {
			.rate_code = (uint8_t)ethlink_rate_code(sim->rate_hz),
			.depth = POLICY_DEPTH_BLOCKS,
		};
		uint8_t mac[ETHLINK_MAC_LEN];

		ethlink_mac(ETHLINK_DAC8, (uint16_t)i, mac);
		memset(settings.gain, 56, sizeof(settings.gain));
		set_format(sim, &sb->params);
		sb->params.fade_frames = sim->rate_hz / 100;
		check(ethlink_encode_header(sb->params.header, ETHLINK_HEADER_LEN, ETHLINK_DAC8, mac,
			      host_mac, &settings) == 0,
			"ethlink_encode_header");
		memcpy(sb->params.gain, settings.gain, sizeof(settings.gain));
		for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
			sb->params.volume[k] = 1.0f;
		}
		announce(sim, sb);
		sim_run_dac(sim, sb, run);
	}
}

void sim_swap_ring(struct sim *sim)
{
	check(pktring_open_mem(2 * sim->policy.slots * sim->n_boxes, 16, sink, sim, &sim->ring) == 0,
		"pktring_open_mem");
	set_ring(sim);
}

void sim_reconfigure(struct sim *sim, int latency_frames)
{
	make_policy(sim, latency_frames);
	if (sim->threaded || sim->policy.paced) {
		check(engine_wire_set_sending(sim->wire, sim->threaded, sim->policy.burst_blocks) == 0,
			"engine_wire_set_sending");
	}
	for (unsigned i = 0; i < sim->n_boxes; i++) {
		set_format(sim, &sim->boxes[i].params);
		sim_run_dac(sim, &sim->boxes[i], true);
	}
}

/* When something is due, and a moment after it has been woken. */
static void sleep_pacer(struct sim *sim, int64_t until_ns)
{
	while (sim->pacer_ns <= until_ns) {
		sim->now_ns = MAX(sim->now_ns, sim->pacer_ns);
		sim->pacer_ns = engine_wire_run_pacer(sim->wire, sim->now_ns);
	}
}

static void run_pacer(struct sim *sim, int64_t until_ns)
{
	if (sim->pacer_sleeps && !sim->pacer_hangs) {
		sleep_pacer(sim, until_ns);
		return;
	}
	while (!sim->pacer_hangs) {
		int64_t due = engine_wire_run_pacer(sim->wire, sim->now_ns);

		if (due > until_ns) {
			return;
		}
		sim->now_ns = MAX(sim->now_ns, due);
	}
}

int64_t sim_next_ns(const struct sim *sim)
{
	return sim->origin_ns + (int64_t)((__int128)sim->cycle_frames * NSEC_PER_SEC / sim->rate_hz);
}

void sim_advance(struct sim *sim, int64_t t_ns)
{
	run_pacer(sim, t_ns);
	sim->now_ns = MAX(sim->now_ns, t_ns);
}

static void follow(struct sim *sim)
{
	if (!sim->follow || sim->now_ns < sim->follow_ns) {
		return;
	}
	sim->follow_ns = sim->now_ns + 50 * NSEC_PER_MSEC;
	if (sim->period != sim->followed) {
		sim_reconfigure(sim, POLICY_LATENCY_AUTO);
	}
}

void sim_cycle(struct sim *sim)
{
	if (sim->plan) {
		sim->plan(sim);
	}
	sim_advance(sim, sim_next_ns(sim) + sim->late_ns);
	sim->late_ns = 0;
	follow(sim);
	for (unsigned i = 0; i < sim->n_boxes; i++) {
		if (sim->source) {
			sim->source(sim, &sim->boxes[i], sim->period);
		}
	}
	backend_null_cycle(sim->backend, sim->now_ns);
	sim->pacer_ns = MIN(sim->pacer_ns, sim->now_ns + WAKE_NS);
	sim->cycle_frames += sim->period;
	run_pacer(sim, sim->now_ns);
	engine_collect(sim->engine);
}

void sim_run(struct sim *sim, int64_t ns)
{
	int64_t until = sim->now_ns + ns;

	while (sim->now_ns < until) {
		sim_cycle(sim);
	}
}

void sim_stand_still(struct sim *sim, int64_t ns)
{
	int64_t until = sim->now_ns + ns;

	run_pacer(sim, until);
	sim->now_ns = until;
	sim->origin_ns += ns;
	sim_settle(sim);
}

void sim_settle(struct sim *sim)
{
	for (unsigned i = 0; i < sim->n_boxes; i++) {
		box_advance(sim->boxes[i].box, sim->now_ns);
	}
}

struct box_status sim_status(struct sim *sim, unsigned box)
{
	struct box_status status;

	sim_settle(sim);
	box_get_status(sim->boxes[box].box, &status);
	return status;
}
