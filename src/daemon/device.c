#include "daemon/bus.h"
#include "daemon/device-internal.h"

#include "net/pktring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_INTERVAL_NS NSEC_PER_SEC
/* A box that has been away for so long is asked less often. */
#define PROBE_FAST_NS (60 * NSEC_PER_SEC)
#define PROBE_SLOW_NS (5 * NSEC_PER_SEC)
/*
 * Other ethlinkds have so long to say that a box is theirs before it is touched. Theirs may be a machine that is busy; at the
 * start it costs nothing, as the audio server takes longer to let us in.
 */
#define ASK_NS (60 * NSEC_PER_MSEC)
/* Frames of the box make us ask it, but not more often than this. */
#define SEEN_NS (100 * NSEC_PER_MSEC)
/* A box answers about once a second, by a clock of its own. */
#define ONLINE_NS (2 * NSEC_PER_SEC)
#define ONLINE_FLOODED_NS (20 * NSEC_PER_SEC)
/* A probe's block of silence must be out of the box's queue before a stream begins. */
#define PROBE_SETTLE_NS (5 * NSEC_PER_MSEC)
#define SILENT_NS (3 * NSEC_PER_SEC)
/* Replies of so long after a change may still show gains on their way. */
#define GAINS_SETTLE_NS (2 * NSEC_PER_SEC)

/* A box that somebody touches again and again is not started anew each time. */
#define RESTART_SPACING_NS (10 * NSEC_PER_SEC)

#define BOX_FMT "ETHlink8DAC %u (" ETHLINK_MAC_FMT ")"
#define BOX_ARGS(d) (d)->conf->serial, ETHLINK_MAC_ARGS((d)->mac)

static const char *const state_names[] = {
	[DEVICE_STOPPED] = "stopped",
	[DEVICE_UNSUPPORTED] = "unsupported",
	[DEVICE_NO_INTERFACE] = "no-interface",
	[DEVICE_LINK_DOWN] = "link-down",
	[DEVICE_SEARCHING] = "searching",
	[DEVICE_ONLINE] = "online",
	[DEVICE_TAKEN_OVER] = "taken-over",
};

const char *device_state_to_string(enum device_state state)
{
	return state_names[state];
}

struct backend_ports device_ports(const struct device *d)
{
	struct backend_ports ports = {
		.name = d->conf->name,
		.playback = true,
		.monitor = d->conf->monitor,
		.latency_frames = d->latency_frames,
		.description = conf_device_description(d->conf),
		.preferred = d->conf->preferred,
		.owner = d->dac,
	};

	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		ports.labels[k] = d->conf->labels[k];
		ports.connect[k] = d->conf->connect[k];
		ports.positions[k] = d->conf->positions[k];
	}
	return ports;
}

int device_add_ports(const struct device *d, struct backend *b, struct backend_group **ret_group)
{
	struct backend_ports ports = device_ports(d);

	return backend_add_ports(b, &ports, ret_group);
}

void device_set_ports(struct device *d, struct backend_group *group)
{
	d->group = group;
	d->shown_known = false;
}

int device_new(struct manager *m, struct conf *owner, const struct conf_device *conf, struct iface *iface,
	struct device **ret_device)
{
	struct device *d = calloc(1, sizeof(*d));
	int r;

	if (!d) {
		return -ENOMEM;
	}
	d->manager = m;
	d->conf_owner = conf_ref(owner);
	d->conf = conf;
	d->iface = iface;
	ethlink_mac(conf->model, conf->serial, d->mac);
	hold_init(&d->hold, conf->takeover);
	device_load_levels(d);
	r = engine_dac_new(m->engine, &d->dac);
	if (r >= 0) {
		r = engine_dac_set_wire(m->engine, d->dac, iface->wire);
	}
	if (r >= 0) {
		r = device_add_ports(d, m->backend, &d->group);
	}
	/* Each device makes a plan, of which only the last is ever used: all of a start would be a megabyte. */
	(void)engine_collect(m->engine);
	if (r < 0) {
		device_free(d);
		return r;
	}
	device_show_volume(d);
	*ret_device = d;
	return 0;
}

void device_free(struct device *d)
{
	if (!d) {
		return;
	}
	hold_release(&d->hold);
	/* In this order: a cycle that begins after the first does not know the second. */
	if (d->group) {
		backend_remove_ports(d->manager->backend, d->group);
	}
	engine_dac_free(d->manager->engine, d->dac);
	conf_unref(d->conf_owner);
	conf_unref(d->next_owner);
	free(d);
}

void device_make_settings(struct device *d, uint32_t rate_hz)
{
	d->want.rate_code = (uint8_t)ethlink_rate_code(rate_hz);
	d->want.depth = POLICY_DEPTH_BLOCKS;
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		d->want.gain[k] = d->levels.mute[k]
					  ? ETHLINK_GAIN_MUTE
					  : (uint8_t)ethlink_gain_byte(d->conf->model, d->levels.gain_db[k]);
	}
}

static uint32_t fade_frames(const struct device *d)
{
	return (uint32_t)d->manager->conf->fade_ms * d->manager->info.rate_hz / 1000;
}

void device_publish(struct device *d, bool run)
{
	struct dac_params params = {
		.run = run,
		.format = d->format,
		.fade_frames = fade_frames(d),
		.lead_blocks = d->policy.lead_blocks,
		.not_before_ns = d->last_probe_ns + PROBE_SETTLE_NS,
	};

	if (!d->policy_ok || ethlink_encode_header(params.header, sizeof(params.header), d->conf->model,
				     d->mac, d->iface->ring_mac, &d->want) < 0) {
		params.run = false;
	}
	memcpy(params.gain, d->want.gain, sizeof(params.gain));
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		params.volume[k] = device_factor(d, k);
	}
	if (engine_dac_set_params(d->manager->engine, d->dac, &params) < 0) {
		device_log(d, LOG_ERROR, "out of memory; the box keeps doing what it does");
		return;
	}
	d->running = params.run;
	memcpy(d->factor, params.volume, sizeof(d->factor));
}

/* What a cycle's first sample waits until it is heard: as it is, where that may move; else as it was planned. */
static uint32_t latency_now(const struct device *d)
{
	uint32_t cushion =
		atomic_load_explicit(&engine_dac_report(d->dac)->cushion_frames, memory_order_relaxed);

	if (!d->policy_ok) {
		return 0;
	}
	return d->format.varying && cushion > 0 && engine_dac_mode(d->dac) == DAC_RUNNING
		       ? cushion
		       : d->policy.latency_frames;
}

static void update_latency(struct device *d)
{
	uint32_t now = latency_now(d);
	uint32_t told = d->latency_frames;

	if (now == told || (now > 0 && told > 0 && MAX(now, told) - MIN(now, told) < ETHLINK_BLOCK_FRAMES)) {
		return;
	}
	d->latency_frames = now;
	if (now > 0) {
		backend_set_latency(d->manager->backend, d->group, now);
	}
	bus_device_changed(d->manager->bus, d, BUS_LATENCY);
}

/* False: none that a box could follow. */
static bool make_format(struct device *d, struct dac_format *ret_format)
{
	const struct backend_info *info = &d->manager->info;
	int r;

	memset(ret_format, 0, sizeof(*ret_format));
	if (!manager_knows_format(d->manager)) {
		return false;
	}
	r = info->varying
		    ? policy_make_varying(
			      info->period_frames, info->rate_hz, d->conf->latency_frames, &d->policy)
		    : policy_make(info->period_frames, info->rate_hz, d->conf->latency_frames, &d->policy);
	if (r < 0) {
		return false;
	}
	ret_format->rate_hz = info->rate_hz;
	ret_format->period_frames = info->varying ? policy_longest(info->period_frames) : info->period_frames;
	ret_format->lead_blocks = info->varying ? 0 : d->policy.lead_blocks;
	ret_format->paced = d->policy.paced;
	ret_format->varying = info->varying;
	return true;
}

void device_format_changed(struct device *d)
{
	struct manager *m = d->manager;
	struct dac_format old = d->format;

	d->policy_ok = make_format(d, &d->format);
	update_latency(d);
	if (!d->policy_ok) {
		d->last_good_ns = 0;
		device_park(d);
		return;
	}
	/* Another period of those that its stream is made for: that goes on, with another cushion. */
	if (d->format.varying && memcmp(&old, &d->format, sizeof(old)) == 0) {
		device_publish(d, d->running);
		return;
	}
	/* A box knows of no periods: only another rate is news to it, and needs its answer. */
	if (d->rate_hz != m->info.rate_hz) {
		d->rate_hz = m->info.rate_hz;
		d->last_good_ns = 0;
		d->admission = ADMISSION_WAIT;
	}
	device_make_settings(d, m->info.rate_hz);
	device_publish(d, false);
	d->next_probe_ns = 0;
	manager_hurry(m);
}

void device_park(struct device *d)
{
	if (d->running) {
		device_publish(d, false);
	}
}

bool device_idle(const struct device *d)
{
	return !d->manager->connected || engine_dac_mode(d->dac) == DAC_IDLE;
}

static int send_settings(struct device *d, const struct ethlink_settings *settings, int64_t now)
{
	/* A box plays whatever its buffer held before if a frame brings no audio: silence is sent along. */
	uint8_t frame[ETHLINK_FRAME_LEN] = {0};
	int r;

	r = ethlink_encode_header(frame, sizeof(frame), d->conf->model, d->mac, d->iface->ring_mac, settings);
	if (r < 0) {
		return r;
	}
	frame[ETHLINK_OFF_MARK] = ETHLINK_MARK;
	d->last_probe_ns = now;
	memcpy(d->told_gain, settings->gain, sizeof(d->told_gain));
	r = pktring_send(d->iface->ring, frame, sizeof(frame));
	if (r >= 0) {
		d->probes++;
	}
	return r;
}

static void probe(struct device *d, int64_t now)
{
	struct ethlink_settings settings = d->want;

	/* The box is looked for less often the longer it is away; one that is not played is kept awake. */
	d->next_probe_ns = now + (d->state == DEVICE_SEARCHING && now - d->searching_since_ns >= PROBE_FAST_NS
						 ? PROBE_SLOW_NS
						 : PROBE_INTERVAL_NS);
	if (d->state == DEVICE_ONLINE) {
		device_step_gains(d, &settings, now);
	}
	(void)send_settings(d, &settings, now);
}

/*
 * A box that was reset took its settings from the middle of a stream: its cushion is gone, and so is our mark. It
 * takes them again, mark and all, if something differs for a moment: a gain, while all is silent.
 */
static void restart(struct device *d, int64_t now)
{
	struct ethlink_settings other = d->want;

	if (!d->unsettled) {
		other.gain[0] = other.gain[0] == ETHLINK_GAIN_MUTE ? 0 : ETHLINK_GAIN_MUTE;
		(void)send_settings(d, &other, now);
		d->unsettled = true;
		manager_hurry(d->manager);
	} else if (now - d->last_probe_ns >= PROBE_SETTLE_NS) {
		(void)send_settings(d, &d->want, now);
		d->unsettled = false;
		d->restarting = false;
		manager_hurry(d->manager);
	}
}

static enum device_state find_state(const struct device *d, int64_t now)
{
	const struct manager *m = d->manager;
	/* While frames are lost to a flood, silence proves nothing. */
	int64_t patience_ns = d->iface->dropping ? ONLINE_FLOODED_NS : ONLINE_NS;
	bool good = d->last_good_ns != 0 && now - d->last_good_ns <= patience_ns;

	if (!manager_knows_format(m) || m->health.stalled) {
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
	if (d->admission == ADMISSION_REFUSE) {
		return DEVICE_UNSUPPORTED;
	}
	if (hold_is_others(&d->hold, good, now)) {
		return DEVICE_TAKEN_OVER;
	}
	/* One that has answered before its ports are there has to wait for them. */
	return good && m->connected ? DEVICE_ONLINE : DEVICE_SEARCHING;
}

static void say_taken(struct device *d)
{
	static const uint8_t nobody[ETHLINK_MAC_LEN];

	if (d->said_taken) {
		return;
	}
	d->said_taken = true;
	if (d->hold.local) {
		device_log(d, LOG_WARNING,
			"another ethlinkd on this machine plays " BOX_FMT " on %s; waiting until it ends",
			BOX_ARGS(d), d->iface->name);
	} else if (memcmp(d->hold.other, nobody, sizeof(nobody)) == 0) {
		device_log(d, LOG_WARNING,
			BOX_FMT " on %s answers with the settings of another host, so nothing is sent to it; "
				"stop the other, or set takeover = yes",
			BOX_ARGS(d), d->iface->name);
	} else {
		device_log(d, LOG_WARNING,
			"the host " ETHLINK_MAC_FMT " plays " BOX_FMT
			" on %s, so nothing is sent to it; stop the other, or set takeover = yes",
			ETHLINK_MAC_ARGS(d->hold.other), BOX_ARGS(d), d->iface->name);
	}
}

static void say_state(struct device *d)
{
	const struct manager *m = d->manager;

	switch (d->state) {
	case DEVICE_ONLINE:
		device_log(d, LOG_INFO, "online: " BOX_FMT " on %s, %u Hz, %u frames (%.1f ms) of latency",
			BOX_ARGS(d), d->iface->name, m->info.rate_hz, d->latency_frames,
			1000.0 * d->latency_frames / m->info.rate_hz);
		break;
	case DEVICE_LINK_DOWN:
		device_log(d, LOG_WARNING,
			"%s has no link: is the cable in, is the interface up (ip link set %s up)?",
			d->iface->name, d->iface->name);
		break;
	case DEVICE_SEARCHING:
		device_log(d, LOG_INFO, "looking for " BOX_FMT " on %s", BOX_ARGS(d), d->iface->name);
		break;
	case DEVICE_TAKEN_OVER:
		say_taken(d);
		break;
	case DEVICE_STOPPED:
	case DEVICE_UNSUPPORTED:
	case DEVICE_NO_INTERFACE:
		break; /* said where it happened */
	}
}

static void enter_state(struct device *d, enum device_state state, int64_t now)
{
	enum device_state old = d->state;

	if (old == DEVICE_ONLINE && state == DEVICE_SEARCHING && d->last_good_ns != 0) {
		device_log(d, LOG_WARNING,
			"no valid reply from " BOX_FMT " on %s for 2 s: is it powered, is the cable in?",
			BOX_ARGS(d), d->iface->name);
	}
	d->state = state;
	bus_device_changed(d->manager->bus, d, BUS_STATE);
	d->said_silent = false;
	d->searching_since_ns = now;
	if (state == DEVICE_SEARCHING) {
		if (old != DEVICE_STOPPED || !hold_has_asked(&d->hold, now)) {
			hold_ask(d, now);
		}
		d->next_probe_ns = d->hold.asked_ns + ASK_NS;
		if (old == DEVICE_TAKEN_OVER) {
			/* Perhaps the other is only out of sight: it is disturbed as little as can be. */
			d->searching_since_ns = now - PROBE_FAST_NS;
			d->said_silent = true;
		}
	} else if (state == DEVICE_ONLINE) {
		hold_tell(d, true);
		d->said_taken = false;
	}
	if (old != DEVICE_TAKEN_OVER || state != DEVICE_SEARCHING) {
		say_state(d);
	}
}

static void say_silent(struct device *d, int64_t now)
{
	if (d->said_silent || !d->manager->connected || now - d->searching_since_ns < SILENT_NS) {
		return;
	}
	d->said_silent = true;
	device_log(d, LOG_WARNING,
		BOX_FMT
		" does not answer on %s: check power, cable, serial number and interface; asking it once "
		"a second, after a minute every 5 s",
		BOX_ARGS(d), d->iface->name);
}

static void search(struct device *d, int64_t now)
{
	say_silent(d, now);
	if (now - d->hold.asked_ns >= PROBE_SLOW_NS) {
		hold_ask(d, now);
	}
	/* While others are given the time to answer: the slow tick would give them more. */
	if (now < d->hold.asked_ns + ASK_NS) {
		manager_hurry(d->manager);
	}
}

void device_update(struct device *d, int64_t now)
{
	bool quiet = d->manager->stopping || d->manager->rejoin || d->leaving || d->next || d->iface->parking;
	enum device_state state;
	bool run;

	update_latency(d);
	if (device_must_wait(d)) {
		manager_hurry(d->manager);
		return;
	}
	if (d->next && d->vacant) {
		device_move(d);
		return;
	}
	if (d->admission == ADMISSION_REFUSE && device_idle(d)) {
		hold_release(&d->hold);
	} else if (d->iface->ring && d->iface->link.carrier && !d->leaving && !d->manager->stopping) {
		hold_update(d, now);
	}
	state = find_state(d, now);
	if (state != DEVICE_ONLINE && state != DEVICE_SEARCHING) {
		/* What happens to the box meanwhile we cannot see: it has to confirm its settings anew. */
		d->last_good_ns = 0;
	}
	if (state != d->state) {
		enter_state(d, state, now);
	}
	run = state == DEVICE_ONLINE || (state == DEVICE_SEARCHING && hold_fights(&d->hold, now));
	run = run && !quiet && !d->restarting;
	if (run != d->running) {
		device_publish(d, run);
	}
	if (d->next && device_idle(d)) {
		device_move(d);
		return;
	}
	if (state != DEVICE_ONLINE) {
		d->restarting = false;
		d->unsettled = false;
	} else if (d->restarting && device_idle(d)) {
		restart(d, now);
		return;
	}
	if (state == DEVICE_SEARCHING) {
		search(d, now);
	} else if (state == DEVICE_STOPPED && !quiet) {
		hold_ask_early(d, now);
	}
	/* Also while online, as in freewheeling: a box that hears nothing for a second would stop answering. */
	if ((state == DEVICE_ONLINE || state == DEVICE_SEARCHING) && !quiet && now >= d->next_probe_ns &&
		device_idle(d)) {
		probe(d, now);
	}
}

/* What the box must report if it does as we said: of gains on their way it may hold any. */
static bool is_ours(const struct device *d, const struct ethlink_settings *got, int64_t now)
{
	struct ethlink_settings want = d->want;
	uint64_t gains;

	if (ethlink_settings_equal(d->conf->model, got, &d->want)) {
		return true;
	}
	if (now - d->gain_changed_ns < GAINS_SETTLE_NS) {
		memcpy(want.gain, got->gain, sizeof(want.gain));
		return ethlink_settings_equal(d->conf->model, got, &want);
	}
	if (device_idle(d)) {
		return false;
	}
	gains = atomic_load_explicit(&engine_dac_report(d->dac)->gain_now, memory_order_relaxed);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		want.gain[k] = (uint8_t)(gains >> (8 * k));
	}
	return ethlink_settings_equal(d->conf->model, got, &want);
}

void device_seen(struct device *d, int64_t now)
{
	if (d->state != DEVICE_SEARCHING || now - d->last_probe_ns < SEEN_NS) {
		return;
	}
	d->searching_since_ns = now;
	d->next_probe_ns = MAX(now, d->hold.asked_ns + ASK_NS);
	device_update(d, now);
	manager_hurry(d->manager);
}

/* A reply with our settings: where did the box take them from? */
static void check_mark(struct device *d, bool marked, int64_t now)
{
	bool streaming = d->state == DEVICE_ONLINE && d->running && !device_idle(d);

	if (marked || !streaming || now - d->gain_changed_ns < GAINS_SETTLE_NS) {
		d->marked = marked;
		return;
	}
	if (d->marked && now - d->restart_ns >= RESTART_SPACING_NS) {
		d->marked = false;
		d->restart_ns = now;
		d->restarting = true;
		device_log(d, LOG_NOTICE,
			BOX_FMT
			" on %s was reset, or touched by another host, while it played: fading it in anew",
			BOX_ARGS(d), d->iface->name);
	}
}

void device_received(struct device *d, const struct ethlink_frame *frame, size_t len, int64_t now)
{
	bool ours;

	if (frame->model != d->conf->model || len != ETHLINK_HEADER_LEN) {
		d->iface->frames_ignored++;
		return;
	}
	if (memcmp(frame->dst, d->iface->ring_mac, ETHLINK_MAC_LEN) != 0) {
		d->iface->frames_ignored++;
		/* One to everybody is none to another host. */
		if ((frame->dst[0] & 1) == 0) {
			hold_frame(d, frame->dst, false, now);
		}
		return;
	}
	/* What nobody may send, no box holds. */
	if (ethlink_settings_check(frame->model, &frame->settings) < 0) {
		d->iface->frames_ignored++;
		return;
	}
	d->replies++;
	ours = d->policy_ok && is_ours(d, &frame->settings, now);
	hold_reply(d, ours || !d->policy_ok, now);
	if (!ours) {
		d->bad_replies++;
	} else {
		d->last_good_ns = now;
		check_mark(d, frame->marked, now);
	}
	device_update(d, now);
}
