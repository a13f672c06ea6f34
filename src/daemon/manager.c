#include "daemon/manager.h"

#include "daemon/bus.h"
#include "daemon/device.h"
#include "daemon/iface.h"
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
#define OPEN_RETRY_NS (500 * NSEC_PER_MSEC)
/* Fades and the silence behind them, at the longest period and fade. */
#define STOP_NS (1500 * NSEC_PER_MSEC)

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
			  "client-name to "
			  "another name; trying again",
			server_name(m), m->conf->client_name);
	} else {
		log_error("JACK server \"%s\" does not let us in: %s; trying again", server_name(m),
			backend_last_error(m->backend));
	}
}

static void format_changed(struct manager *m)
{
	struct policy policy;

	backend_get_info(m->backend, &m->info);
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

static int join(struct manager *m)
{
	int r;

	backend_get_info(m->backend, &m->info);
	for (unsigned i = 0; i < m->n_devices; i++) {
		r = device_add_ports(m->devices[i]);
		if (r < 0) {
			log_error(
				"%s: cannot register its ports: %s", m->devices[i]->conf->name, strerror(-r));
			return r;
		}
	}
	engine_set_running(m->engine, true);
	r = backend_start(m->backend);
	if (r < 0) {
		engine_set_running(m->engine, false);
		log_error("cannot start processing: %s", backend_last_error(m->backend));
		return r;
	}
	m->connected = true;
	m->said_waiting = false;
	format_changed(m);
	backend_connect(m->backend);
	log_info("joined JACK server \"%s\": %u Hz, periods of %u frames%s", server_name(m), m->info.rate_hz,
		m->info.period_frames,
		m->info.rt_priority > 0 ? "" : ", without realtime scheduling: expect dropouts");
	return 0;
}

static void leave(struct manager *m)
{
	m->connected = false;
	backend_close(m->backend);
	engine_set_running(m->engine, false);
	for (unsigned i = 0; i < m->n_devices; i++) {
		device_ports_gone(m->devices[i]);
		device_format_changed(m->devices[i]);
	}
	m->next_open_ns = now_ns() + OPEN_RETRY_NS;
}

static void try_open(struct manager *m, int64_t now)
{
	int r;

	m->next_open_ns = now + OPEN_RETRY_NS;
	r = backend_open(m->backend);
	if (r < 0) {
		say_open_error(m, r);
		return;
	}
	if (join(m) < 0) {
		leave(m);
	}
}

static int on_backend(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct manager *m = data;
	unsigned changes = backend_dispatch(m->backend);

	if (!m->connected) {
		return 0;
	}
	if (changes & BACKEND_CHANGED_GONE) {
		log_warning("the JACK server has gone (%s); waiting for it to come back",
			backend_last_error(m->backend));
		m->said_waiting = true;
		leave(m);
		manager_hurry(m);
		return 0;
	}
	if (changes & (BACKEND_CHANGED_PERIOD | BACKEND_CHANGED_RATE)) {
		struct backend_info old = m->info;

		backend_get_info(m->backend, &m->info);
		if (old.rate_hz != m->info.rate_hz || old.period_frames != m->info.period_frames) {
			log_info("the JACK server now runs at %u Hz with periods of %u frames",
				m->info.rate_hz, m->info.period_frames);
			format_changed(m);
		}
	}
	if (changes & BACKEND_CHANGED_FREEWHEEL) {
		backend_get_info(m->backend, &m->info);
		log_info(m->info.freewheel
				 ? "the JACK server runs freely: silence until it is back in real time"
				 : "the JACK server is back in real time");
	}
	if (changes & BACKEND_CHANGED_PORTS) {
		backend_connect(m->backend);
	}
	return 0;
}

static void on_link(void *data, const struct link_info *info)
{
	struct manager *m = data;

	for (unsigned i = 0; i < m->n_ifaces; i++) {
		struct iface *iface = m->ifaces[i];

		if (strcmp(iface->name, info->name) == 0) {
			iface_link_changed(iface, info);
		} else if (info->ifindex == iface->link.ifindex) {
			/* Ours by number, but no longer by name: it was renamed away. */
			struct link_info gone = *info;

			gone.removed = true;
			iface_link_changed(iface, &gone);
		}
	}
	manager_hurry(m);
}

static void on_dump_done(void *data)
{
	struct manager *m = data;

	for (unsigned i = 0; i < m->n_ifaces; i++) {
		struct iface *iface = m->ifaces[i];

		if (!iface->seen) {
			memset(&iface->link, 0, sizeof(iface->link));
			if (!iface->said_missing) {
				iface->said_missing = true;
				log_warning("%s: there is no such interface; waiting for it (ip link shows "
					    "those that there are)",
					iface->name);
			}
		}
		iface->seen = false;
	}
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

static void tell_systemd(struct manager *m)
{
	unsigned online = 0;
	char *line;

	for (unsigned i = 0; i < m->n_devices; i++) {
		online += m->devices[i]->state == DEVICE_ONLINE;
	}
	if (m->connected) {
		if (asprintf(&line, "%u of %u boxes online, %u Hz, period %u", online, m->n_devices,
			    m->info.rate_hz, m->info.period_frames) < 0) {
			return;
		}
	} else if (asprintf(&line, "Waiting for JACK server \"%s\"", server_name(m)) < 0) {
		return;
	}
	if (m->status_line && strcmp(line, m->status_line) == 0) {
		free(line);
		return;
	}
	(void)sd_notifyf(0, "STATUS=%s", line);
	free(m->status_line);
	m->status_line = line;
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

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	struct manager *m = data;
	int64_t now = now_ns();

	set_tick(m, m->stopping ? TICK_HURRY_NS : TICK_NS);
	if (!m->connected && !m->stopping && now >= m->next_open_ns) {
		try_open(m, now);
	}
	for (unsigned i = 0; i < m->n_ifaces; i++) {
		iface_update(m->ifaces[i], now);
	}
	for (unsigned i = 0; i < m->n_devices; i++) {
		device_update(m->devices[i], now);
	}
	engine_collect(m->engine);
	tell_systemd(m);
	if (m->stopping && (all_idle(m) || now >= m->stop_until_ns)) {
		return sd_event_exit(m->event, 0);
	}
	return 0;
}

void manager_stop(struct manager *m)
{
	if (m->stopping) {
		return;
	}
	m->stopping = true;
	m->stop_until_ns = now_ns() + STOP_NS;
	manager_hurry(m);
}

static int add_devices(struct manager *m)
{
	m->devices = calloc(MAX(m->conf->n_devices, 1u), sizeof(*m->devices));
	m->ifaces = calloc(MAX(m->conf->n_devices, 1u), sizeof(*m->ifaces));
	if (!m->devices || !m->ifaces) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < m->conf->n_devices; i++) {
		const struct conf_device *conf = &m->conf->devices[i];
		struct iface *iface = iface_find(m, conf->interface);
		int r;

		if (!iface) {
			r = iface_new(m, conf->interface, &iface);
			if (r < 0) {
				log_error("%s: cannot add the interface: %s (at most %u are possible)",
					conf->interface, strerror(-r), ENGINE_WIRES_MAX);
				return r;
			}
			m->ifaces[m->n_ifaces++] = iface;
		}
		r = device_new(m, conf, iface, &m->devices[m->n_devices]);
		if (r < 0) {
			log_error("%s: cannot add the device: %s", conf->name, strerror(-r));
			return r;
		}
		m->n_devices++;
	}
	return 0;
}

static int make_backend(struct manager *m)
{
#ifdef HAVE_JACK
	struct backend_callbacks callbacks = {.process_rt = engine_process_rt, .data = m->engine};
	int r = backend_jack_new(m->conf->client_name, m->conf->jack_server, &callbacks, &m->backend);

	if (r < 0) {
		log_error("cannot set up the JACK backend: %s", strerror(-r));
	}
	return r;
#else
	log_error("this build has no audio backend; build one with JACK (configure without --disable-jack)");
	return -ENOTSUP;
#endif
}

static int set_up(struct manager *m)
{
	int r;

	r = engine_new(sample_kernels_best(), &m->engine);
	if (r < 0) {
		return r;
	}
	r = add_devices(m);
	if (r < 0) {
		return r;
	}
	r = make_backend(m);
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
	return bus_new(m, &m->bus);
}

int manager_new(sd_event *event, struct conf *conf, struct manager **ret_manager)
{
	struct manager *m = calloc(1, sizeof(*m));
	int r;

	if (!m) {
		conf_free(conf);
		return -ENOMEM;
	}
	m->event = sd_event_ref(event);
	m->conf = conf;
	r = set_up(m);
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
	if (m->backend && m->connected) {
		backend_stop(m->backend);
		leave(m);
	}
	for (unsigned i = 0; i < m->n_devices; i++) {
		device_free(m->devices[i]);
	}
	for (unsigned i = 0; i < m->n_ifaces; i++) {
		iface_free(m->ifaces[i]);
	}
	free(m->devices);
	free(m->ifaces);
	backend_free(m->backend);
	engine_free(m->engine);
	link_monitor_free(m->links);
	conf_free(m->conf);
	sd_event_unref(m->event);
	free(m->status_line);
	free(m);
}
