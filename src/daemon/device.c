#include "daemon/device.h"

#include "net/pktring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_INTERVAL_NS NSEC_PER_SEC
/* A box answers about once a second, by a clock of its own. */
#define ONLINE_NS (2 * NSEC_PER_SEC)
/* A probe's block of silence must be out of the box's queue before a stream begins. */
#define PROBE_SETTLE_NS (5 * NSEC_PER_MSEC)
#define SILENT_NS (3 * NSEC_PER_SEC)

#define BOX_FMT "ETHlink8DAC %u (%02x:%02x:%02x:%02x:%02x:%02x)"
#define BOX_ARGS(d)                                                                                          \
	(d)->conf->serial, (d)->mac[0], (d)->mac[1], (d)->mac[2], (d)->mac[3], (d)->mac[4], (d)->mac[5]

static const char *const state_names[] = {
	[DEVICE_STOPPED] = "stopped",
	[DEVICE_UNSUPPORTED] = "unsupported",
	[DEVICE_NO_INTERFACE] = "no-interface",
	[DEVICE_LINK_DOWN] = "link-down",
	[DEVICE_SEARCHING] = "searching",
	[DEVICE_ONLINE] = "online",
};

const char *device_state_to_string(enum device_state state)
{
	return state_names[state];
}

int device_new(
	struct manager *m, const struct conf_device *conf, struct iface *iface, struct device **ret_device)
{
	struct device *d = calloc(1, sizeof(*d));
	int r;

	if (!d) {
		return -ENOMEM;
	}
	d->manager = m;
	d->conf = conf;
	d->iface = iface;
	ethlink_mac(conf->model, conf->serial, d->mac);
	r = engine_dac_new(m->engine, &d->dac);
	if (r >= 0) {
		r = engine_dac_set_wire(m->engine, d->dac, iface->wire);
	}
	if (r < 0) {
		device_free(d);
		return r;
	}
	*ret_device = d;
	return 0;
}

void device_free(struct device *d)
{
	if (!d) {
		return;
	}
	if (d->group) {
		backend_remove_ports(d->manager->backend, d->group);
	}
	engine_dac_free(d->manager->engine, d->dac);
	free(d);
}

int device_add_ports(struct device *d)
{
	struct backend_ports ports = {
		.name = d->conf->name,
		.playback = true,
		.monitor = d->conf->monitor,
		.latency_frames = d->policy_ok ? d->policy.latency_frames : 0,
		.owner = d->dac,
	};

	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		ports.labels[k] = d->conf->labels[k];
		ports.connect[k] = d->conf->connect[k];
	}
	return backend_add_ports(d->manager->backend, &ports, &d->group);
}

void device_ports_gone(struct device *d)
{
	d->group = NULL;
}

static void make_settings(struct device *d, uint32_t rate_hz)
{
	d->want.rate_code = (uint8_t)ethlink_rate_code(rate_hz);
	d->want.depth = POLICY_DEPTH_BLOCKS;
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		d->want.gain[k] = d->conf->mute[k]
					  ? ETHLINK_GAIN_MUTE
					  : (uint8_t)ethlink_gain_byte(d->conf->model, d->conf->gain_db[k]);
	}
}

static uint32_t fade_frames(const struct device *d)
{
	return (uint32_t)d->manager->conf->fade_ms * d->manager->info.rate_hz / 1000;
}

/* Tells the engine what it shall do with this box from now on. */
static void publish(struct device *d, bool run)
{
	struct dac_params params = {
		.run = run,
		.format =
			{
				.rate_hz = d->manager->info.rate_hz,
				.period_frames = d->manager->info.period_frames,
				.lead_blocks = d->policy.lead_blocks,
				.paced = d->policy.paced,
			},
		.fade_frames = fade_frames(d),
		.not_before_ns = d->last_probe_ns + PROBE_SETTLE_NS,
	};

	if (!d->policy_ok || ethlink_encode_header(params.header, sizeof(params.header), d->conf->model,
				     d->mac, d->iface->ring_mac, &d->want) < 0) {
		params.run = false;
	}
	memcpy(params.gain, d->want.gain, sizeof(params.gain));
	if (engine_dac_set_params(d->manager->engine, d->dac, &params) < 0) {
		log_error("%s: out of memory; the box keeps doing what it does", d->conf->name);
		return;
	}
	d->running = params.run;
}

void device_format_changed(struct device *d)
{
	struct manager *m = d->manager;

	d->policy_ok = m->connected && policy_make(m->info.period_frames, m->info.rate_hz,
					       d->conf->latency_frames, &d->policy) >= 0;
	if (!d->policy_ok) {
		d->last_good_ns = 0;
		device_park(d);
		return;
	}
	/* A box knows of no periods: only another rate is news to it, and needs its answer. */
	if (d->rate_hz != m->info.rate_hz) {
		d->rate_hz = m->info.rate_hz;
		d->last_good_ns = 0;
	}
	make_settings(d, m->info.rate_hz);
	if (d->group) {
		backend_set_latency(m->backend, d->group, d->policy.latency_frames);
	}
	publish(d, false);
	d->next_probe_ns = 0;
	manager_hurry(m);
}

void device_park(struct device *d)
{
	if (d->running) {
		publish(d, false);
	}
}

bool device_idle(const struct device *d)
{
	return !d->manager->connected || engine_dac_mode(d->dac) == DAC_IDLE;
}

static void probe(struct device *d, int64_t now)
{
	uint8_t frame[ETHLINK_FRAME_LEN] = {0};

	d->next_probe_ns = now + PROBE_INTERVAL_NS;
	if (ethlink_encode_header(
		    frame, sizeof(frame), d->conf->model, d->mac, d->iface->ring_mac, &d->want) < 0) {
		return;
	}
	/* A box plays whatever its buffer held before if a frame brings no audio: silence is sent along. */
	if (pktring_send(d->iface->ring, frame, sizeof(frame)) >= 0) {
		d->probes++;
	}
	d->last_probe_ns = now;
}

static enum device_state find_state(const struct device *d, int64_t now)
{
	const struct manager *m = d->manager;

	if (!m->connected) {
		return DEVICE_STOPPED;
	}
	if (!d->policy_ok) {
		return DEVICE_UNSUPPORTED;
	}
	if (d->iface->link.ifindex == 0 || !d->iface->ring) {
		return DEVICE_NO_INTERFACE;
	}
	if (!d->iface->link.carrier) {
		return DEVICE_LINK_DOWN;
	}
	if (d->last_good_ns != 0 && now - d->last_good_ns <= ONLINE_NS) {
		return DEVICE_ONLINE;
	}
	return DEVICE_SEARCHING;
}

static void say_state(struct device *d)
{
	const struct manager *m = d->manager;
	const char *name = d->conf->name;

	switch (d->state) {
	case DEVICE_ONLINE:
		log_info("%s: online: " BOX_FMT " on %s, %u Hz, %u frames (%.1f ms) of latency", name,
			BOX_ARGS(d), d->iface->name, m->info.rate_hz, d->policy.latency_frames,
			1000.0 * d->policy.latency_frames / m->info.rate_hz);
		break;
	case DEVICE_LINK_DOWN:
		log_warning("%s: %s has no link: is the cable in, is the interface up (ip link set %s up)?",
			name, d->iface->name, d->iface->name);
		break;
	case DEVICE_SEARCHING:
		log_info("%s: looking for " BOX_FMT " on %s", name, BOX_ARGS(d), d->iface->name);
		break;
	case DEVICE_STOPPED:
	case DEVICE_UNSUPPORTED:
	case DEVICE_NO_INTERFACE:
		break; /* said once for all devices, where it happened */
	}
}

static void enter_state(struct device *d, enum device_state state, int64_t now)
{
	if (d->state == DEVICE_ONLINE && state == DEVICE_SEARCHING && d->last_good_ns != 0) {
		log_warning("%s: no valid reply from " BOX_FMT
			    " on %s for 2 s: is it powered, is the cable in?",
			d->conf->name, BOX_ARGS(d), d->iface->name);
	}
	d->state = state;
	d->said_silent = false;
	d->searching_since_ns = now;
	if (state == DEVICE_SEARCHING) {
		d->next_probe_ns = now;
	}
	say_state(d);
}

static void say_silent(struct device *d, int64_t now)
{
	if (d->said_silent || now - d->searching_since_ns < SILENT_NS) {
		return;
	}
	d->said_silent = true;
	if (d->bad_replies > 0) {
		log_warning("%s: " BOX_FMT
			    " on %s answers, but with other settings than ours: does another host use it?",
			d->conf->name, BOX_ARGS(d), d->iface->name);
		return;
	}
	log_warning("%s: " BOX_FMT
		    " does not answer on %s: check power, cable, serial number and interface; asking "
		    "it once a second",
		d->conf->name, BOX_ARGS(d), d->iface->name);
}

void device_update(struct device *d, int64_t now)
{
	enum device_state state = find_state(d, now);
	bool run = state == DEVICE_ONLINE && !d->manager->stopping && !d->iface->parking;
	bool sendable = state == DEVICE_ONLINE || state == DEVICE_SEARCHING;

	if (state != DEVICE_ONLINE && state != DEVICE_SEARCHING) {
		/* What happens to the box meanwhile we cannot see: it has to confirm its settings anew. */
		d->last_good_ns = 0;
	}
	if (state != d->state) {
		enter_state(d, state, now);
	}
	if (run != d->running) {
		publish(d, run);
	}
	if (state == DEVICE_SEARCHING) {
		say_silent(d, now);
	}
	/* Also while online, as in freewheeling: a box that hears nothing for a second would stop answering. */
	if (sendable && !d->manager->stopping && now >= d->next_probe_ns && device_idle(d)) {
		probe(d, now);
	}
}

/* What the box must report if it does as we said: while streaming, the gains on their way count as well. */
static bool is_ours(const struct device *d, const struct ethlink_settings *got)
{
	struct ethlink_settings now = d->want;
	uint64_t gains;

	if (ethlink_settings_equal(d->conf->model, got, &d->want)) {
		return true;
	}
	if (device_idle(d)) {
		return false;
	}
	gains = atomic_load_explicit(&engine_dac_report(d->dac)->gain_now, memory_order_relaxed);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		now.gain[k] = (uint8_t)(gains >> (8 * k));
	}
	return ethlink_settings_equal(d->conf->model, got, &now);
}

void device_received(struct device *d, const struct ethlink_frame *frame, size_t len, int64_t now)
{
	if (frame->model != d->conf->model || len != ETHLINK_HEADER_LEN ||
		memcmp(frame->dst, d->iface->ring_mac, ETHLINK_MAC_LEN) != 0) {
		d->iface->frames_ignored++;
		return;
	}
	d->replies++;
	if (!d->policy_ok || !is_ours(d, &frame->settings)) {
		d->bad_replies++;
		return;
	}
	d->bad_replies = 0;
	d->last_good_ns = now;
	device_update(d, now);
}
