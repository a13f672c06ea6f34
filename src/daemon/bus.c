#include "daemon/bus-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Changes are told at most so often, */
#define FLUSH_NS (50 * NSEC_PER_MSEC)
/* and not before those that come along have been made, too. */
#define GATHER_NS (2 * NSEC_PER_MSEC)
#define PEAKS_USEC 100000

/* --- the objects --- */

struct bus_device *bus_device_of(struct bus *bus, const struct device *d)
{
	for (unsigned i = 0; i < bus->n_devices; i++) {
		if (bus->devices[i]->device == d) {
			return bus->devices[i];
		}
	}
	return NULL;
}

static struct bus_device *find_device(const struct bus *bus, const char *name)
{
	for (unsigned i = 0; i < bus->n_devices; i++) {
		if (strcmp(bus->devices[i]->device->conf->name, name) == 0) {
			return bus->devices[i];
		}
	}
	return NULL;
}

char *bus_device_path(const struct device *d)
{
	char *path = NULL;

	return sd_bus_path_encode(BUS_DEVICES, d->conf->name, &path) < 0 ? NULL : path;
}

static int on_find(sd_bus *sd, const char *path, const char *interface, void *data, void **ret_found,
	sd_bus_error *error)
{
	struct bus_device *bd;
	char *name = NULL;
	int r;

	r = sd_bus_path_decode(path, BUS_DEVICES, &name);
	if (r <= 0) {
		return r;
	}
	bd = find_device(data, name);
	free(name);
	*ret_found = bd;
	return bd != NULL;
}

int bus_make_nodes(const struct bus *bus, unsigned n, bus_path_fn path, char ***ret_nodes)
{
	char **nodes = calloc(n + 1, sizeof(nodes[0]));

	if (!nodes) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < n; i++) {
		nodes[i] = path(bus, i);
		if (!nodes[i]) {
			while (i > 0) {
				free(nodes[--i]);
			}
			free(nodes);
			return -ENOMEM;
		}
	}
	*ret_nodes = nodes;
	return 0;
}

static char *device_path(const struct bus *bus, unsigned i)
{
	return bus_device_path(bus->devices[i]->device);
}

static int on_enumerate(sd_bus *sd, const char *prefix, void *data, char ***ret_nodes, sd_bus_error *error)
{
	const struct bus *bus = data;

	return bus_make_nodes(bus, bus->n_devices, device_path, ret_nodes);
}

int bus_serve(struct bus *bus, sd_bus *sd)
{
	int r;

	r = sd_bus_add_object_vtable(sd, NULL, BUS_OBJECT, BUS_MANAGER_INTERFACE, bus_manager_vtable, bus);
	r = r < 0 ? r
		  : sd_bus_add_fallback_vtable(
			    sd, NULL, BUS_DEVICES, BUS_DEVICE_INTERFACE, bus_device_vtable, on_find, bus);
	r = r < 0 ? r : sd_bus_add_node_enumerator(sd, NULL, BUS_DEVICES, on_enumerate, bus);
	r = r < 0 ? r : bus_netvst_serve(bus, sd);
	r = r < 0 ? r : sd_bus_add_object_manager(sd, NULL, BUS_OBJECT);
	if (r < 0) {
		return r;
	}
	/* At the end of the loop sd-bus would wait for everybody to read what is left. */
	(void)sd_bus_set_close_on_exit(sd, false);
	return sd_bus_attach_event(sd, bus->manager->event, BUS_PRIORITY);
}

/* All that hear signals; with subscribed, of those the ones that want Peaks. */
static unsigned connections(struct bus *bus, bool subscribed, sd_bus *ret_all[BUS_PEERS_MAX + 1])
{
	unsigned n = 0;

	for (unsigned i = 0; i < BUS_PEERS_MAX; i++) {
		const struct bus_peer *peer = &bus->peers[i];

		if (peer->sd && (!subscribed || peer->subscribed) && sd_bus_is_ready(peer->sd) > 0) {
			ret_all[n++] = peer->sd;
		}
	}
	if (bus->named_up && (!subscribed || bus->n_subscribers > 0)) {
		ret_all[n++] = bus->named;
	}
	return n;
}

/* Signals went out: who does not take them? */
static void sweep(struct bus *bus)
{
	bus_socket_sweep(bus);
	bus_names_sweep(bus);
}

/* --- what has changed --- */

static int on_flush(sd_event_source *source, uint64_t usec, void *data)
{
	struct bus *bus = data;
	sd_bus *all[BUS_PEERS_MAX + 1];
	unsigned n = connections(bus, false, all);

	bus->flushed_ns = now_ns();
	for (unsigned i = 0; bus->manager_changed && i < n; i++) {
		(void)bus_manager_emit_changed(all[i]);
	}
	bus->manager_changed = false;
	for (unsigned k = 0; k < bus->n_devices; k++) {
		struct bus_device *bd = bus->devices[k];

		for (unsigned i = 0; bd->changes != 0 && i < n; i++) {
			(void)bus_device_emit_changed(all[i], bd);
		}
		bd->changes = 0;
	}
	for (unsigned k = 0; k < bus->n_netvsts; k++) {
		struct bus_netvst *bn = bus->netvsts[k];

		for (unsigned i = 0; bn->changes != 0 && i < n; i++) {
			(void)bus_netvst_emit_changed(all[i], bn);
		}
		bn->changes = 0;
	}
	sweep(bus);
	return 0;
}

void bus_flush_soon(struct bus *bus)
{
	int64_t at_ns = MAX(now_ns() + GATHER_NS, bus->flushed_ns + FLUSH_NS);

	if (sd_event_source_get_enabled(bus->flush, NULL) > 0) {
		return;
	}
	(void)sd_event_source_set_time(bus->flush, (uint64_t)(at_ns / NSEC_PER_USEC));
	(void)sd_event_source_set_enabled(bus->flush, SD_EVENT_ONESHOT);
}

void bus_device_changed(struct bus *bus, struct device *d, unsigned changes)
{
	struct bus_device *bd = bus ? bus_device_of(bus, d) : NULL;

	if (bd) {
		bd->changes |= changes;
		bus_flush_soon(bus);
	}
}

void bus_manager_changed(struct bus *bus)
{
	if (bus) {
		bus->manager_changed = true;
		bus_flush_soon(bus);
	}
}

static int add_device(struct bus *bus, struct device *d)
{
	struct bus_device *bd = calloc(1, sizeof(*bd));

	if (!bd) {
		return -ENOMEM;
	}
	bd->bus = bus;
	bd->device = d;
	bus->devices[bus->n_devices++] = bd;
	return 0;
}

void bus_emit_object(struct bus *bus, char *path, bool added)
{
	sd_bus *all[BUS_PEERS_MAX + 1];
	unsigned n = path ? connections(bus, false, all) : 0;

	for (unsigned i = 0; i < n; i++) {
		(void)(added ? sd_bus_emit_object_added(all[i], path)
			     : sd_bus_emit_object_removed(all[i], path));
	}
	free(path);
}

void bus_device_added(struct bus *bus, struct device *d)
{
	if (!bus) {
		return;
	}
	if (add_device(bus, d) < 0) {
		device_log(d, LOG_ERROR, "out of memory; it plays, but cannot be seen on D-Bus");
		return;
	}
	bus_emit_object(bus, bus_device_path(d), true);
	sweep(bus);
}

void bus_device_removed(struct bus *bus, struct device *d)
{
	unsigned k = 0;

	if (!bus || !bus_device_of(bus, d)) {
		return;
	}
	bus_emit_object(bus, bus_device_path(d), false);
	while (bus->devices[k]->device != d) {
		k++;
	}
	free(bus->devices[k]);
	bus->n_devices--;
	memmove(&bus->devices[k], &bus->devices[k + 1], (bus->n_devices - k) * sizeof(bus->devices[0]));
	sweep(bus);
}

/* --- meters --- */

void bus_device_listen(struct bus_device *bd, int64_t now)
{
	float peak[ETHLINK_CHANNELS];

	engine_dac_take_peaks(bd->device->dac, peak);
	meters_feed(&bd->meters, peak, now);
}

static void tell_peaks(struct bus *bus, struct bus_device *bd, int64_t now)
{
	const struct dac_report *report = engine_dac_report(bd->device->dac);
	float peak[ETHLINK_CHANNELS], hold[ETHLINK_CHANNELS];
	double peak_dbfs[ETHLINK_CHANNELS], hold_dbfs[ETHLINK_CHANNELS];
	uint64_t clips[ETHLINK_CHANNELS];
	sd_bus *all[BUS_PEERS_MAX + 1];
	unsigned n = connections(bus, true, all);

	bus_device_listen(bd, now);
	meters_take_signal(&bd->meters, peak);
	meters_hold(&bd->meters, now, hold);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		peak_dbfs[k] = meters_dbfs(peak[k]);
		hold_dbfs[k] = meters_dbfs(hold[k]);
		clips[k] = atomic_load(&report->clips[k]);
	}
	for (unsigned i = 0; i < n; i++) {
		(void)bus_device_emit_peaks(all[i], bd, peak_dbfs, hold_dbfs, clips);
	}
}

static int on_meter(sd_event_source *source, uint64_t usec, void *data)
{
	struct bus *bus = data;
	const int64_t now = now_ns();
	sd_bus *all[BUS_PEERS_MAX + 1];
	unsigned n;

	for (unsigned k = 0; k < bus->n_devices; k++) {
		tell_peaks(bus, bus->devices[k], now);
	}
	n = connections(bus, true, all);
	for (unsigned k = 0; k < bus->n_netvsts; k++) {
		bus_netvst_tell_peaks(bus->netvsts[k], all, n, now);
	}
	/* The next one first: the sweep may find that nobody is left. */
	(void)sd_event_source_set_time(source, MAX(usec + PEAKS_USEC, (uint64_t)(now / NSEC_PER_USEC)));
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	sweep(bus);
	return 0;
}

void bus_subscribers_changed(struct bus *bus)
{
	bool any = bus->n_subscribers > 0;
	int64_t now = now_ns();

	for (unsigned i = 0; i < BUS_PEERS_MAX; i++) {
		any = any || (bus->peers[i].sd && bus->peers[i].subscribed);
	}
	if (!any) {
		bus->meter = sd_event_source_disable_unref(bus->meter);
		return;
	}
	if (bus->meter) {
		return;
	}
	/* What was heard before is not news. */
	for (unsigned k = 0; k < bus->n_devices; k++) {
		float old[ETHLINK_CHANNELS];

		bus_device_listen(bus->devices[k], now);
		meters_take_signal(&bus->devices[k]->meters, old);
	}
	for (unsigned k = 0; k < bus->n_netvsts; k++) {
		bus_netvst_forget_peaks(bus->netvsts[k], now);
	}
	if (sd_event_add_time(bus->manager->event, &bus->meter, CLOCK_MONOTONIC,
		    (uint64_t)(now / NSEC_PER_USEC) + PEAKS_USEC, 1000, on_meter, bus) < 0) {
		log_error("out of memory; there are no Peaks");
		return;
	}
	(void)sd_event_source_set_priority(bus->meter, BUS_PRIORITY);
}

/* --- beginning and end --- */

static int set_up(struct bus *bus)
{
	struct manager *m = bus->manager;
	int r;

	r = sd_event_add_time(m->event, &bus->flush, CLOCK_MONOTONIC, 0, 1000, on_flush, bus);
	r = r < 0 ? r : sd_event_source_set_enabled(bus->flush, SD_EVENT_OFF);
	r = r < 0 ? r : sd_event_source_set_priority(bus->flush, BUS_PRIORITY);
	for (unsigned i = 0; r >= 0 && i < m->n_devices; i++) {
		r = add_device(bus, m->devices[i]);
	}
	for (unsigned i = 0; r >= 0 && i < m->n_netvsts; i++) {
		r = bus_netvst_add(bus, m->netvsts[i]);
	}
	if (r < 0) {
		log_error("cannot set up D-Bus: %s", strerror(-r));
		return r;
	}
	return bus_socket_open(bus);
}

int bus_new(struct manager *m, struct bus **ret_bus)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus) {
		return -ENOMEM;
	}
	bus->manager = m;
	bus->fd = -1;
	bus->lock_fd = -1;
	r = set_up(bus);
	if (r < 0) {
		bus_free(bus);
		return r;
	}
	bus_names_update(bus);
	*ret_bus = bus;
	return 0;
}

void bus_free(struct bus *bus)
{
	if (!bus) {
		return;
	}
	bus_names_close(bus);
	bus_socket_close(bus);
	sd_event_source_disable_unref(bus->meter);
	sd_event_source_disable_unref(bus->flush);
	for (unsigned i = 0; i < bus->n_devices; i++) {
		free(bus->devices[i]);
	}
	for (unsigned i = 0; i < bus->n_netvsts; i++) {
		free(bus->netvsts[i]);
	}
	free(bus);
}

void bus_configure(struct bus *bus)
{
	if (bus) {
		bus_names_update(bus);
	}
}
