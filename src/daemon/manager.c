#include "daemon/manager.h"

#include "daemon/bus.h"
#include "daemon/device.h"
#include "daemon/iface.h"
#include "daemon/patch.h"
#include "daemon/state.h"
#include "engine/policy.h"
#include "net/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>

#define TICK_NS (100 * NSEC_PER_MSEC)
#define TICK_HURRY_NS (5 * NSEC_PER_MSEC)
/* Fades and the silence behind them, at the longest period and fade. */
#define STOP_NS (1500 * NSEC_PER_MSEC)
/* How long the audio server may then take to let us go. */
#define LEAVE_NS (2 * NSEC_PER_SEC)

static void set_tick(struct manager *m, int64_t delay_ns)
{
	uint64_t usec;

	if (sd_event_now(m->event, CLOCK_MONOTONIC, &usec) < 0) {
		return;
	}
	(void)sd_event_source_set_time(m->tick, usec + (uint64_t)(delay_ns / NSEC_PER_USEC));
	(void)sd_event_source_set_enabled(m->tick, SD_EVENT_ONESHOT);
}

void manager_hurry(struct manager *m)
{
	if (m->tick) {
		set_tick(m, TICK_HURRY_NS);
	}
}

static const char *server_name(const struct manager *m)
{
	return m->conf->jack_server;
}

static void say_open_error(struct manager *m, int error)
{
	if (m->said_waiting) {
		return;
	}
	m->said_waiting = true;
	if (error == -ECONNREFUSED) {
		log_notice("no JACK server \"%s\" is running for this user; waiting for one", server_name(m));
	} else if (error == -EEXIST) {
		log_error("JACK server \"%s\" has a client \"%s\" already: is another ethlinkd running? Set "
			  "client-name to another name; trying again",
			server_name(m), m->conf->client_name);
	} else {
		log_error("JACK server \"%s\" does not let us in: %s; trying again", server_name(m),
			backend_last_error(m->backend));
	}
}

static void format_changed(struct manager *m)
{
	struct policy policy;

	if (policy_make(m->info.period_frames, m->info.rate_hz, POLICY_LATENCY_AUTO, &policy) < 0) {
		log_warning("the JACK server runs at %u Hz with periods of %u frames; boxes take 44100, "
			    "48000, 88200 and "
			    "96000 Hz, and periods of 8 to 8192. Nothing is sent until the server runs at "
			    "one of these",
			m->info.rate_hz, m->info.period_frames);
	}
	for (unsigned i = 0; i < m->n_devices; i++) {
		device_format_changed(m->devices[i]);
	}
}

static void joined(struct manager *m)
{
	m->connected = true;
	m->said_waiting = false;
	m->health.cycles_ns = now_ns();
	m->health.stalled = false;
	log_info("joined JACK server \"%s\": %u Hz, periods of %u frames%s", server_name(m), m->info.rate_hz,
		m->info.period_frames,
		m->info.rt_priority > 0 ? "" : ", without realtime scheduling: expect dropouts");
	bus_manager_changed(m->bus);
	format_changed(m);
}

/* The server is lost, or left; callbacks may still run for a moment. */
static void lost(struct manager *m)
{
	if (!m->stopping && !m->rejoin && !m->health.stalled) {
		log_warning("the JACK server has gone (%s); waiting for it to come back",
			backend_last_error(m->backend));
	}
	m->connected = false;
	m->said_waiting = true;
	bus_manager_changed(m->bus);
	for (unsigned i = 0; i < m->n_devices; i++) {
		device_format_changed(m->devices[i]);
	}
}

/* No callback runs any more. */
static void left(struct manager *m)
{
	engine_set_running(m->engine, false);
	engine_collect(m->engine);
	if (m->stopping) {
		(void)sd_event_exit(m->event, 0);
		return;
	}
	if (m->rejoin) {
		m->rejoin = false;
		m->said_waiting = false;
	}
	backend_jack_set_names(m->backend, m->conf->client_name, m->conf->jack_server);
	backend_start(m->backend);
}

static void server_state(struct manager *m)
{
	switch (m->info.state) {
	case BACKEND_WAITING:
		if (m->info.error != 0) {
			say_open_error(m, m->info.error);
		}
		break;
	case BACKEND_READY:
		engine_set_running(m->engine, true);
		backend_run(m->backend);
		break;
	case BACKEND_JOINED:
		if (!m->connected) {
			joined(m);
		}
		break;
	case BACKEND_LEAVING:
		break;
	case BACKEND_OFF:
		left(m);
		break;
	}
}

static int on_backend(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct manager *m = data;
	unsigned changes = backend_dispatch(m->backend);
	struct backend_info old = m->info;

	backend_get_info(m->backend, &m->info);
	if (m->connected && m->info.state != BACKEND_JOINED) {
		lost(m);
	}
	if ((changes & BACKEND_CHANGED_STATE) || m->info.state != old.state) {
		server_state(m);
		manager_hurry(m);
	}
	if (changes & BACKEND_CHANGED_LINKS) {
		patch_changed(m);
	}
	if (!m->connected) {
		return 0;
	}
	if (m->info.state == BACKEND_JOINED && old.state == BACKEND_JOINED &&
		(old.rate_hz != m->info.rate_hz || old.period_frames != m->info.period_frames)) {
		log_info("the JACK server now runs at %u Hz with periods of %u frames", m->info.rate_hz,
			m->info.period_frames);
		bus_manager_changed(m->bus);
		format_changed(m);
	}
	if (changes & BACKEND_CHANGED_FREEWHEEL) {
		log_info(m->info.freewheel
				 ? "the JACK server runs freely: silence until it is back in real time"
				 : "the JACK server is back in real time");
	}
	return 0;
}

/* The link is back: whoever is looked for is asked at once. */
static void see_boxes(struct manager *m, const struct iface *iface)
{
	int64_t now = now_ns();

	for (unsigned i = 0; i < m->n_devices; i++) {
		if (m->devices[i]->iface == iface) {
			device_seen(m->devices[i], now);
		}
	}
}

static void on_link(void *data, const struct link_info *info)
{
	struct manager *m = data;

	for (unsigned i = 0; i < m->n_ifaces; i++) {
		struct iface *iface = m->ifaces[i];

		if (strcmp(iface->name, info->name) == 0) {
			bool carrier = iface->link.carrier;

			iface_link_changed(iface, info);
			if (!carrier && iface->link.carrier) {
				see_boxes(m, iface);
			}
		} else if (info->ifindex == iface->link.ifindex) {
			/* Ours by number, but no longer by name: it was renamed away. */
			struct link_info gone = *info;

			gone.removed = true;
			iface_link_changed(iface, &gone);
		}
	}
	manager_hurry(m);
}

static void on_dump_done(void *data, uint32_t dump)
{
	struct manager *m = data;

	for (unsigned i = 0; i < m->n_ifaces; i++) {
		if (m->ifaces[i]->seen_dump != dump) {
			iface_link_gone(m->ifaces[i]);
		}
	}
	manager_hurry(m);
}

static int on_links(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct manager *m = data;
	int r = link_monitor_dispatch(m->links);

	if (r < 0) {
		log_error("lost sight of the network interfaces: %s", strerror(-r));
		return r;
	}
	return 0;
}

static bool all_idle(const struct manager *m)
{
	for (unsigned i = 0; i < m->n_devices; i++) {
		if (!device_idle(m->devices[i])) {
			return false;
		}
	}
	return true;
}

/* Faded out: the server may be left, for another one or for good. */
static void faded(struct manager *m)
{
	for (unsigned i = 0; m->stopping && !m->faded && i < m->n_devices; i++) {
		if (m->devices[i]->state == DEVICE_ONLINE) {
			hold_tell(m->devices[i], false);
		}
	}
	m->faded = m->stopping;
	backend_stop(m->backend);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	struct manager *m = data;
	int64_t now = now_ns();
	bool fading = m->stopping || m->rejoin;

	set_tick(m, fading ? TICK_HURRY_NS : TICK_NS);
	for (unsigned i = 0; i < m->n_ifaces; i++) {
		iface_update(m->ifaces[i], now);
	}
	for (unsigned i = 0; i < m->n_devices && !m->faded; i++) {
		device_update(m->devices[i], now);
	}
	manager_sweep(m);
	engine_collect(m->engine);
	health_check(m, now);
	health_say_status(m);
	patch_save(m, now);
	if (fading && (all_idle(m) || (m->stopping && now >= m->stop_until_ns))) {
		faded(m);
	}
	if (m->stopping && now >= m->stop_until_ns + LEAVE_NS) {
		return sd_event_exit(m->event, 0);
	}
	return 0;
}

void manager_ready(struct manager *m)
{
	(void)sd_notify(0, "READY=1");
	health_say_status(m);
}

void manager_stop(struct manager *m)
{
	if (m->stopping) {
		return;
	}
	(void)sd_notify(0, "STOPPING=1");
	m->stopping = true;
	patch_forget(m);
	m->stop_until_ns = now_ns() + STOP_NS;
	health_say_status(m);
	manager_hurry(m);
}

void manager_abandon(struct manager *m)
{
	bus_free(m->bus);
	m->bus = NULL;
	state_free(m->state);
	m->state = NULL;
}

bool manager_is_off(struct manager *m)
{
	if (!m->backend) {
		return true;
	}
	backend_get_info(m->backend, &m->info);
	return m->info.state == BACKEND_OFF;
}

static int make_backend(struct manager *m, const struct conf *conf)
{
#ifdef HAVE_JACK
	struct backend_callbacks callbacks = {.process_rt = engine_process_rt, .data = m->engine};
	int r = backend_jack_new(conf->client_name, conf->jack_server, &callbacks, &m->backend);

	if (r < 0) {
		log_error("cannot set up the JACK backend: %s", strerror(-r));
	}
	return r;
#else
	log_error("this build has no audio backend; build one with JACK (configure without --disable-jack)");
	return -ENOTSUP;
#endif
}

static int set_up(struct manager *m, struct conf *conf)
{
	int r;

	r = state_new(m->event, &m->state);
	r = r < 0 ? r : engine_new(sample_kernels_best(), &m->engine);
	if (r < 0) {
		conf_unref(conf);
		return r;
	}
	r = make_backend(m, conf);
	if (r < 0) {
		conf_unref(conf);
		return r;
	}
	r = manager_configure(m, conf);
	if (r < 0) {
		return r;
	}
	r = sd_event_add_io(m->event, NULL, backend_fd(m->backend), EPOLLIN, on_backend, m);
	if (r >= 0) {
		r = link_monitor_new(on_link, on_dump_done, m, &m->links);
	}
	if (r >= 0) {
		r = sd_event_add_io(m->event, NULL, link_monitor_fd(m->links), EPOLLIN, on_links, m);
	}
	if (r >= 0) {
		r = sd_event_add_time(m->event, &m->tick, CLOCK_MONOTONIC, 0, 1000, on_tick, m);
	}
	if (r < 0) {
		log_error("cannot set up the event loop: %s", strerror(-r));
		return r;
	}
	r = bus_new(m, &m->bus);
	if (r < 0) {
		return r;
	}
	patch_load(m);
	backend_start(m->backend);
	return 0;
}

int manager_new(sd_event *event, const struct source *source, struct conf *conf, bool system_service,
	struct manager **ret_manager)
{
	struct manager *m = calloc(1, sizeof(*m));
	int r;

	if (!m) {
		conf_unref(conf);
		return -ENOMEM;
	}
	m->event = sd_event_ref(event);
	m->source = *source;
	m->system_service = system_service;
	health_init(&m->health);
	r = set_up(m, conf);
	if (r < 0) {
		manager_free(m);
		return r;
	}
	*ret_manager = m;
	return 0;
}

void manager_free(struct manager *m)
{
	if (!m) {
		return;
	}
	bus_free(m->bus);
	m->tick = sd_event_source_disable_unref(m->tick);
	while (m->n_devices > 0) {
		device_free(m->devices[--m->n_devices]);
	}
	for (unsigned i = 0; i < m->n_ifaces; i++) {
		iface_free(m->ifaces[i]);
	}
	backend_free(m->backend);
	engine_free(m->engine);
	link_monitor_free(m->links);
	state_free(m->state);
	conf_unref(m->conf);
	sd_event_unref(m->event);
	free(m->status_line);
	free(m);
}
