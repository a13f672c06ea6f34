#include "daemon/manager.h"

#include "daemon/admission.h"
#include "daemon/bus.h"
#include "daemon/device.h"
#include "daemon/iface.h"
#include "daemon/netvst.h"
#include "daemon/patch.h"
#include "daemon/server.h"
#include "daemon/state.h"
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
			admission_link_changed(iface);
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
	for (unsigned i = 0; i < m->n_netvsts; i++) {
		if (!netvst_is_silent(m->netvsts[i])) {
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
	admission_update(m, now);
	for (unsigned i = 0; i < m->n_ifaces; i++) {
		iface_update(m->ifaces[i], now);
	}
	for (unsigned i = 0; i < m->n_devices && !m->faded; i++) {
		device_update(m->devices[i], now);
	}
	for (unsigned i = 0; i < m->n_netvsts; i++) {
		netvst_update(m->netvsts[i], now);
	}
	netvst_follow_priority(m);
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
	struct backend_info info = {0};

	if (!m->backend) {
		return true;
	}
	backend_get_info(m->backend, &info);
	return info.state == BACKEND_OFF;
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
	r = server_new(m, conf);
	if (r < 0) {
		conf_unref(conf);
		return r;
	}
	r = manager_configure(m, conf);
	if (r < 0) {
		return r;
	}
	r = server_watch(m);
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
	m->backend_source = sd_event_source_disable_unref(m->backend_source);
	m->release = sd_event_source_disable_unref(m->release);
	while (m->n_devices > 0) {
		device_free(m->devices[--m->n_devices]);
	}
	while (m->n_netvsts > 0) {
		netvst_free(m->netvsts[--m->n_netvsts]);
	}
	for (unsigned i = 0; i < MANAGER_ROLES; i++) {
		netvst_io_free(m->ios[i]);
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
