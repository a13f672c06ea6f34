#include "daemon/bus.h"
#include "daemon/device-internal.h"
#include "daemon/state.h"

#include <string.h>

static bool same_gains(const struct ethlink_settings *a, const struct ethlink_settings *b)
{
	return memcmp(a->gain, b->gain, sizeof(a->gain)) == 0;
}

static bool same_strings(char *const a[ETHLINK_CHANNELS], char *const b[ETHLINK_CHANNELS])
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		if (!a[k] != !b[k] || (a[k] && strcmp(a[k], b[k]) != 0)) {
			return false;
		}
	}
	return true;
}

static bool same_box(const struct conf_device *a, const struct conf_device *b)
{
	return a->model == b->model && a->serial == b->serial && strcmp(a->interface, b->interface) == 0;
}

static void forget_next(struct device *d)
{
	conf_unref(d->next_owner);
	d->next_owner = NULL;
	d->next = NULL;
}

static void switch_conf(struct device *d, struct conf *owner, const struct conf_device *conf)
{
	struct conf *old = d->conf_owner;

	d->conf_owner = conf_ref(owner);
	d->conf = conf;
	conf_unref(old);
}

static void change_ports(struct device *d, const struct conf_device *old)
{
	struct backend_ports ports = device_ports(d);

	if (old->monitor == d->conf->monitor && same_strings(old->labels, d->conf->labels) &&
		same_strings(old->connect, d->conf->connect) && old->preferred == d->conf->preferred &&
		memcmp(old->positions, d->conf->positions, sizeof(old->positions)) == 0 &&
		strcmp(old->description, d->conf->description) == 0) {
		return;
	}
	bus_device_changed(d->manager->bus, d, BUS_LABELS);
	if (backend_change_ports(d->manager->backend, d->group, &ports) < 0) {
		device_log(d, LOG_ERROR, "out of memory; its ports stay as they are");
	}
}

/* What it meant for one way to do it is nothing to another one. */
static void forget_volume(struct device *d)
{
	static const float plain[ETHLINK_CHANNELS] = {1, 1, 1, 1, 1, 1, 1, 1};

	overrides_set_volume(&d->overrides, plain, false);
	state_put(d->manager->state, d->conf->name, d->conf->model, &d->overrides);
}

void device_configure(struct device *d, struct conf *owner, const struct conf_device *conf)
{
	const struct conf_device *old = d->conf;
	struct conf *old_owner = conf_ref(d->conf_owner);
	struct ethlink_settings had = d->want;

	d->leaving = false;
	forget_next(d);
	if (d->vacant || !same_box(old, conf)) {
		d->next_owner = conf_ref(owner);
		d->next = conf;
		manager_hurry(d->manager);
		conf_unref(old_owner);
		return;
	}
	switch_conf(d, owner, conf);
	change_ports(d, old);
	if (old->volume != conf->volume) {
		forget_volume(d);
		bus_device_changed(d->manager->bus, d, BUS_VOLUME);
	}
	device_merge_levels(d);
	if (old->takeover != conf->takeover) {
		hold_set_takeover(&d->hold, conf->takeover);
	}
	if (d->policy_ok && old->latency_frames != conf->latency_frames) {
		device_format_changed(d);
	} else if (d->policy_ok) {
		device_make_settings(d, d->rate_hz);
		device_publish(d, d->running);
	}
	if (!same_gains(&had, &d->want)) {
		d->gain_changed_ns = now_ns();
	}
	conf_unref(old_owner);
}

/* Another device that plays this box, or did and has not faded out yet. */
static const struct device *player_of(const struct device *d, const char *interface, const uint8_t *mac)
{
	const struct manager *m = d->manager;

	for (unsigned i = 0; i < m->n_devices; i++) {
		const struct device *e = m->devices[i];

		if (e != d && strcmp(e->iface->name, interface) == 0 &&
			memcmp(e->mac, mac, ETHLINK_MAC_LEN) == 0) {
			return e;
		}
	}
	return NULL;
}

bool device_must_wait(const struct device *d)
{
	const struct device *e = player_of(d, d->iface->name, d->mac);

	if (d->leaving || d->next) {
		return false;
	}
	return (d->policy_ok && d->admission == ADMISSION_WAIT) || (e && (e->leaving || e->next));
}

/* The old box has faded out and is anybody's. */
static void vacate(struct device *d)
{
	if (d->state == DEVICE_ONLINE) {
		hold_tell(d, false);
	}
	hold_release(&d->hold);
	d->state = DEVICE_STOPPED;
	bus_device_changed(d->manager->bus, d, BUS_STATE);
	d->last_good_ns = 0;
	memset(&d->format, 0, sizeof(d->format));
	memset(d->mac, 0, sizeof(d->mac));
	d->vacant = true;
}

/* The ports stay, the address behind them is another. Two devices may have changed places. */
void device_move(struct device *d)
{
	struct manager *m = d->manager;
	const struct conf_device *old = d->conf;
	struct conf *old_owner;
	struct iface *iface = NULL;
	uint8_t mac[ETHLINK_MAC_LEN];
	int r;

	if (!d->vacant) {
		vacate(d);
	}
	ethlink_mac(d->next->model, d->next->serial, mac);
	if (player_of(d, d->next->interface, mac)) {
		manager_hurry(m);
		return;
	}
	old_owner = conf_ref(d->conf_owner);
	r = manager_get_iface(m, d->next->interface, &iface);
	r = r < 0 ? r : engine_dac_set_wire(m->engine, d->dac, iface->wire);
	if (r < 0) {
		device_log(d, LOG_ERROR, "cannot move to %s: %s; trying again", d->next->interface,
			strerror(-r));
		conf_unref(old_owner);
		return;
	}
	d->iface = iface;
	d->admission = ADMISSION_WAIT;
	d->said_refused = false;
	switch_conf(d, d->next_owner, d->next);
	forget_next(d);
	change_ports(d, old);
	hold_set_takeover(&d->hold, d->conf->takeover);
	device_load_levels(d);
	device_show_volume(d);
	bus_device_changed(m->bus, d, BUS_ALL);
	memcpy(d->mac, mac, sizeof(d->mac));
	d->vacant = false;
	d->said_taken = false;
	device_format_changed(d);
	conf_unref(old_owner);
}
