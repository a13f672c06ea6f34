#include "cycle-rig.h"

#include "base/mem.h"
#include "base/util.h"
#include "engine/engine.h"
#include "engine/policy.h"
#include "net/pktring-rt.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_HZ 48000
#define SERIAL_LOW 5 /* of a box's MAC, the byte that counts them */
/* JACK keeps each port's buffer in a structure of about this size, so no two of them are on one page. */
#define BUFFER_STRIDE (AUDIO_PERIOD_MAX * sizeof(float) + 16 * CACHELINE_SIZE)
/* Start, fade-in and the mark of new settings are over by then. */
#define WARM_NS (120 * NSEC_PER_MSEC)

struct box {
	struct dac *dac;
	struct audio_group group;
	int32_t last[ETHLINK_AUDIO_LEN / sizeof(int32_t)]; /* of its newest frame */
};

struct cycle_rig {
	struct cycle_rig_config config;
	struct engine *engine;
	struct wire *wire;
	struct pktring *ring;
	struct policy policy;
	struct audio_cycle cycle;
	struct audio_group *groups[CYCLE_RIG_BOXES_MAX];
	struct box boxes[CYCLE_RIG_BOXES_MAX];
	uint8_t *buffers;
	uint64_t frames; /* so far */
	uint64_t taken;	 /* of these */
	uint64_t cycles;
	int64_t start_ns;
};

static void sink(void *data, const uint8_t *frame, size_t len)
{
	struct cycle_rig *rig = data;
	struct box *box = &rig->boxes[frame[SERIAL_LOW] % CYCLE_RIG_BOXES_MAX];

	if (len == ETHLINK_FRAME_LEN) {
		memcpy(box->last, frame + ETHLINK_OFF_AUDIO, ETHLINK_AUDIO_LEN);
		rig->frames++;
	}
}

const struct sample_kernels *cycle_rig_kernels(const char *name)
{
	const struct sample_kernels *sets[8];
	unsigned n = sample_kernels_all(sets, ARRAY_SIZE(sets));

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(sets[i]->name, name) == 0) {
			return sets[i];
		}
	}
	return NULL;
}

static int make_params(const struct cycle_rig *rig, unsigned index, struct dac_params *ret_params)
{
	static const uint8_t host_mac[ETHLINK_MAC_LEN] = {0x02, 0, 0, 0, 0, 1};
	struct ethlink_settings settings = {
		.rate_code = (uint8_t)ethlink_rate_code(RATE_HZ),
		.depth = POLICY_DEPTH_BLOCKS,
	};
	uint8_t mac[ETHLINK_MAC_LEN];

	*ret_params = (struct dac_params){.run = true, .fade_frames = RATE_HZ / 100};
	ret_params->format.rate_hz = RATE_HZ;
	ret_params->format.varying = rig->config.varying;
	ret_params->format.period_frames =
		rig->config.varying ? policy_longest(rig->config.period) : rig->config.period;
	ret_params->format.lead_blocks = rig->config.varying ? 0 : rig->policy.lead_blocks;
	ret_params->format.paced = rig->policy.paced;
	ret_params->lead_blocks = rig->policy.lead_blocks;
	memset(settings.gain, 56, sizeof(settings.gain));
	memcpy(ret_params->gain, settings.gain, sizeof(settings.gain));
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		ret_params->volume[k] = 1.0f;
	}
	ethlink_mac(ETHLINK_DAC8, (uint16_t)index, mac);
	return ethlink_encode_header(
		ret_params->header, ETHLINK_HEADER_LEN, ETHLINK_DAC8, mac, host_mac, &settings);
}

static void fill_noise(float *buffer, unsigned seed)
{
	uint32_t state = seed * 2654435761u + 1;

	for (unsigned i = 0; i < AUDIO_PERIOD_MAX; i++) {
		state = state * 1664525 + 1013904223;
		buffer[i] = (float)(int32_t)(state | 1) * 0x1p-32f; /* never 0, never full scale */
	}
}

static int add_box(struct cycle_rig *rig, unsigned index)
{
	struct box *box = &rig->boxes[index];
	struct dac_params params;
	int r = make_params(rig, index, &params);

	r = r < 0 ? r : engine_dac_new(rig->engine, &box->dac);
	r = r < 0 ? r : engine_dac_set_wire(rig->engine, box->dac, rig->wire);
	r = r < 0 ? r : engine_dac_set_params(rig->engine, box->dac, &params);
	if (r < 0) {
		return r;
	}
	box->group.owner = box->dac;
	for (unsigned k = 0; k < rig->config.channels; k++) {
		size_t port = index * AUDIO_CHANNELS + k;
		float *buffer = (float *)(void *)(rig->buffers + port * BUFFER_STRIDE);

		fill_noise(buffer, (unsigned)port);
		box->group.in[k] = buffer;
	}
	rig->groups[index] = &box->group;
	return 0;
}

static int build(struct cycle_rig *rig)
{
	const struct cycle_rig_config *config = &rig->config;
	struct wire_sending how = {.priority = -1};
	int r = config->varying
			? policy_make_varying(config->period, RATE_HZ, POLICY_LATENCY_AUTO, &rig->policy)
			: policy_make(config->period, RATE_HZ, POLICY_LATENCY_AUTO, &rig->policy);

	rig->buffers = mem_zalloc(CACHELINE_SIZE, config->boxes * AUDIO_CHANNELS * BUFFER_STRIDE);
	if (!rig->buffers) {
		return -ENOMEM;
	}
	r = r < 0 ? r : engine_new(config->kernels, &rig->engine);
	r = r < 0 ? r : engine_wire_new(rig->engine, &rig->wire);
	r = r < 0 ? r : pktring_open_mem(rig->policy.slots * config->boxes, 1, sink, rig, &rig->ring);
	if (r < 0) {
		return r;
	}
	how.paced = rig->policy.paced;
	how.burst_blocks = rig->policy.burst_blocks;
	r = engine_wire_set_ring(rig->wire, rig->ring, &how, NULL);
	if (r < 0) {
		pktring_free(rig->ring);
		return r;
	}
	for (unsigned i = 0; i < config->boxes && r >= 0; i++) {
		r = add_box(rig, i);
	}
	return r;
}

static void warm_up(struct cycle_rig *rig)
{
	while (rig->cycle.now_ns - rig->start_ns < WARM_NS) {
		cycle_rig_process(rig);
		cycle_rig_drain(rig);
	}
	engine_collect(rig->engine);
}

int cycle_rig_new(const struct cycle_rig_config *config, struct cycle_rig **ret_rig)
{
	struct cycle_rig *rig;
	int r;

	if (config->boxes == 0 || config->boxes > CYCLE_RIG_BOXES_MAX ||
		config->channels > ETHLINK_CHANNELS || !config->kernels) {
		return -EINVAL;
	}
	rig = calloc(1, sizeof(*rig));
	if (!rig) {
		return -ENOMEM;
	}
	rig->config = *config;
	r = build(rig);
	if (r < 0) {
		cycle_rig_free(rig);
		return r;
	}
	/* An hour ahead of the clock: what is measured by it inside the engine is always below 0, and costs the same. */
	rig->start_ns = now_ns() + 3600 * NSEC_PER_SEC;
	rig->cycle = (struct audio_cycle){
		.frames = config->period,
		.rate_hz = RATE_HZ,
		.varying = config->varying,
		.n_groups = config->boxes,
		.groups = rig->groups,
	};
	engine_set_running(rig->engine, true);
	warm_up(rig);
	*ret_rig = rig;
	return 0;
}

void cycle_rig_free(struct cycle_rig *rig)
{
	if (!rig) {
		return;
	}
	if (rig->engine) {
		engine_set_running(rig->engine, false);
		for (unsigned i = 0; i < rig->config.boxes; i++) {
			engine_dac_free(rig->engine, rig->boxes[i].dac);
		}
		engine_free(rig->engine);
	}
	free(rig->buffers);
	free(rig);
}

void cycle_rig_process(struct cycle_rig *rig)
{
	/* What the ring does with a frame is the kernel's part, and not counted: the engine's kick finds a busy interface. */
	pktring_mem_limit(rig->ring, 0);
	rig->cycle.now_ns =
		rig->start_ns + (int64_t)(rig->cycles * rig->config.period * NSEC_PER_SEC / RATE_HZ);
	rig->cycles++;
	engine_process_rt(rig->engine, &rig->cycle);
	engine_finish_rt(rig->engine);
}

void cycle_rig_drain(struct cycle_rig *rig)
{
	pktring_mem_limit(rig->ring, UINT_MAX);
	(void)engine_wire_run_pacer(rig->wire, INT64_MAX - 1);
	(void)pktring_kick_rt(rig->ring);
}

uint64_t cycle_rig_take_frames(struct cycle_rig *rig)
{
	uint64_t frames = rig->frames - rig->taken;

	rig->taken = rig->frames;
	return frames;
}

static bool is_box_sound(const struct cycle_rig *rig, const struct box *box)
{
	const struct dac_report *report = engine_dac_report(box->dac);

	if (engine_dac_mode(box->dac) != DAC_RUNNING || report->starts != 1 || report->resyncs != 0 ||
		report->drops_ring_full != 0 || report->drops_interface != 0) {
		return false;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(box->last); i++) {
		if ((box->last[i] != 0) != (i % ETHLINK_CHANNELS < rig->config.channels)) {
			return false;
		}
	}
	return true;
}

bool cycle_rig_is_sound(struct cycle_rig *rig)
{
	for (unsigned i = 0; i < rig->config.boxes; i++) {
		float peak[ETHLINK_CHANNELS];

		engine_dac_take_peaks(rig->boxes[i].dac, peak);
		if (!is_box_sound(rig, &rig->boxes[i])) {
			return false;
		}
		for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
			if ((peak[k] > 0.0f) != (k < rig->config.channels)) {
				return false;
			}
		}
	}
	return true;
}
