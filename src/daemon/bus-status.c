#include "daemon/bus-internal.h"

#include "daemon/iface.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void bus_server_info(const struct manager *m, struct backend_info *ret_info)
{
	memset(ret_info, 0, sizeof(*ret_info));
	if (m->connected) {
		backend_get_info(m->backend, ret_info);
	}
}

void bus_format_mac(const uint8_t mac[ETHLINK_MAC_LEN], char ret_text[ETHLINK_MAC_SIZE])
{
	snprintf(ret_text, ETHLINK_MAC_SIZE, ETHLINK_MAC_FMT, ETHLINK_MAC_ARGS(mac));
}

static void origins(const bool set[ETHLINK_CHANNELS], const char *ret_origin[ETHLINK_CHANNELS])
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		ret_origin[k] = set[k] ? "runtime" : "config";
	}
}

void bus_gain_origins(const struct device *d, const char *ret_origin[ETHLINK_CHANNELS])
{
	origins(d->overrides.gain_set, ret_origin);
}

void bus_mute_origins(const struct device *d, const char *ret_origin[ETHLINK_CHANNELS])
{
	origins(d->overrides.mute_set, ret_origin);
}

void bus_labels(const struct device *d, const char *ret_label[ETHLINK_CHANNELS])
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		ret_label[k] = d->conf->labels[k] ? d->conf->labels[k] : "";
	}
}

unsigned bus_n_phantoms(const struct device *d)
{
	return d->conf->model == ETHLINK_ADC8 ? LEVELS_PHANTOMS : 0;
}

void bus_device_counters(const struct device *d, struct bus_counter ret_counters[BUS_COUNTERS])
{
	const struct dac_report *report = engine_dac_report(d->dac);
	uint64_t full = atomic_load(&report->drops_ring_full);
	uint64_t refused = atomic_load(&report->drops_interface);
	const struct bus_counter all[BUS_COUNTERS] = {
		/* The engine counts what it put into the ring; what the kernel then refused was not sent. */
		{"frames_sent", "FramesSent", atomic_load(&report->frames_sent) - refused + d->probes},
		{"frames_received", "FramesReceived", 0},
		{"frames_dropped", "FramesDropped", full + refused},
		{"replies", "Replies", d->replies},
		{"dropped_ring_full", "DroppedRingFull", full},
		{"dropped_interface", "DroppedInterface", refused},
		{"frames_ignored", NULL, d->iface->frames_ignored},
		{"frames_overrun", "FramesOverrun", d->iface->rx_drops},
		{"replies_foreign", "RepliesForeign", d->bad_replies},
		{"probes", "Probes", d->probes},
		{"resyncs", "Resyncs", atomic_load(&report->resyncs)},
		{"starts", "Starts", atomic_load(&report->starts)},
	};

	memcpy(ret_counters, all, sizeof(all));
}

static int append_peaks(sd_bus_message *m, struct bus_device *bd)
{
	const struct dac_report *report = engine_dac_report(bd->device->dac);
	const int64_t now = now_ns();
	float peak[ETHLINK_CHANNELS], hold[ETHLINK_CHANNELS];
	double peak_db[ETHLINK_CHANNELS], hold_db[ETHLINK_CHANNELS];
	uint64_t clips[ETHLINK_CHANNELS];
	int r;

	bus_device_listen(bd, now);
	meters_take_status(&bd->meters, peak);
	meters_hold(&bd->meters, now, hold);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		peak_db[k] = meters_dbfs(peak[k]);
		hold_db[k] = meters_dbfs(hold[k]);
		clips[k] = atomic_load(&report->clips[k]);
	}
	r = bus_append_sv_doubles(m, "peak_dbfs", peak_db, ETHLINK_CHANNELS);
	r = r < 0 ? r : bus_append_sv_doubles(m, "hold_dbfs", hold_db, ETHLINK_CHANNELS);
	return r < 0 ? r : bus_append_sv_counts(m, "clips", clips, ETHLINK_CHANNELS);
}

static int append_levels(sd_bus_message *m, const struct device *d)
{
	const char *origin[ETHLINK_CHANNELS];
	const char *phantom_origin[LEVELS_PHANTOMS];
	int r;

	r = bus_append_sv_ints(m, "gain_db", d->levels.gain_db, ETHLINK_CHANNELS);
	r = r < 0 ? r : bus_append_sv_bools(m, "mute", d->levels.mute, ETHLINK_CHANNELS);
	r = r < 0 ? r : bus_append_sv_bools(m, "phantom", d->levels.phantom, bus_n_phantoms(d));
	bus_gain_origins(d, origin);
	r = r < 0 ? r : bus_append_sv_strings(m, "gain_origin", origin, ETHLINK_CHANNELS);
	bus_mute_origins(d, origin);
	r = r < 0 ? r : bus_append_sv_strings(m, "mute_origin", origin, ETHLINK_CHANNELS);
	for (unsigned i = 0; i < LEVELS_PHANTOMS; i++) {
		phantom_origin[i] = d->overrides.phantom_set[i] ? "runtime" : "config";
	}
	r = r < 0 ? r : bus_append_sv_strings(m, "phantom_origin", phantom_origin, bus_n_phantoms(d));
	bus_labels(d, origin);
	r = r < 0 ? r : bus_append_sv_strings(m, "labels", origin, ETHLINK_CHANNELS);
	r = r < 0 ? r : bus_append_sv(m, "gain_min_db", "i", device_gain_min_db(d));
	r = r < 0 ? r : bus_append_sv(m, "gain_max_db", "i", device_gain_max_db(d));
	r = r < 0 ? r : bus_append_sv_ints(m, "config_gain_db", d->conf->gain_db, ETHLINK_CHANNELS);
	return r < 0 ? r : bus_append_sv_bools(m, "config_mute", d->conf->mute, ETHLINK_CHANNELS);
}

/* Where the volume is in the box, gain_db and mute say it. */
static int append_volume(sd_bus_message *m, const struct device *d)
{
	double db[ETHLINK_CHANNELS];
	int r = bus_append_sv(m, "volume", "s", conf_volume_to_string(d->conf->volume));

	if (r < 0 || d->conf->volume != CONF_VOLUME_SOFTWARE) {
		return r;
	}
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		db[k] = meters_dbfs(overrides_volume(&d->overrides, k));
	}
	r = bus_append_sv_doubles(m, "volume_db", db, ETHLINK_CHANNELS);
	return r < 0 ? r : bus_append_sv(m, "volume_mute", "b", (int)d->overrides.volume_mute);
}

static int append_device(sd_bus_message *m, struct bus_device *bd)
{
	const struct device *d = bd->device;
	struct bus_counter counters[BUS_COUNTERS];
	char mac[ETHLINK_MAC_SIZE], reason[ADMISSION_TEXT_MAX];
	int r;

	bus_format_mac(d->mac, mac);
	bus_device_counters(d, counters);
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	r = r < 0 ? r : bus_append_sv(m, "name", "s", d->conf->name);
	r = r < 0 ? r : bus_append_sv(m, "model", "s", ethlink_model_name(d->conf->model));
	r = r < 0 ? r : bus_append_sv(m, "serial", "q", d->conf->serial);
	r = r < 0 ? r : bus_append_sv(m, "mac", "s", mac);
	r = r < 0 ? r : bus_append_sv(m, "interface", "s", d->conf->interface);
	r = r < 0 ? r : bus_append_sv(m, "state", "s", device_state_to_string(d->state));
	admission_reason(d, reason);
	r = r < 0 ? r : bus_append_sv(m, "reason", "s", reason);
	r = r < 0 ? r : append_levels(m, d);
	r = r < 0 ? r : append_volume(m, d);
	r = r < 0 ? r : append_peaks(m, bd);
	for (unsigned i = 0; r >= 0 && i < BUS_COUNTERS; i++) {
		r = bus_append_sv(m, counters[i].key, "t", counters[i].value);
	}
	r = r < 0 ? r : bus_append_sv(m, "latency_frames", "u", d->latency_frames);
	r = r < 0 ? r : bus_append_sv(m, "clock_ppm", "d", (double)NAN);
	r = r < 0 ? r : bus_append_sv(m, "streaming", "b", (int)(engine_dac_mode(d->dac) != DAC_IDLE));
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* What is not known is NaN. */
static int append_iface(sd_bus_message *m, const struct iface *iface)
{
	const struct admission_state *s = &iface->admission;
	const double limit_mbit = (double)s->link.limit_bps / 1e6;
	int r;

	r = sd_bus_message_open_container(m, 'a', "{sv}");
	r = r < 0 ? r : bus_append_sv(m, "name", "s", iface->name);
	r = r < 0 ? r : bus_append_sv(m, "link_mbit", "d", s->speed.mbit > 0 ? s->speed.mbit : (double)NAN);
	r = r < 0 ? r : bus_append_sv(m, "limit_mbit", "d", limit_mbit > 0 ? limit_mbit : (double)NAN);
	r = r < 0 ? r : bus_append_sv(m, "needed_mbit", "d", admission_mbit(&s->link, s->sum.needed));
	r = r < 0 ? r : bus_append_sv(m, "admitted_mbit", "d", admission_mbit(&s->link, s->sum.admitted));
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_ifaces(sd_bus_message *m, const struct manager *manager)
{
	int r = bus_begin_sv(m, "interfaces", "aa{sv}");

	r = r < 0 ? r : sd_bus_message_open_container(m, 'a', "a{sv}");
	for (unsigned i = 0; r >= 0 && i < manager->n_ifaces; i++) {
		r = append_iface(m, manager->ifaces[i]);
	}
	return bus_end_sv(m, r < 0 ? r : sd_bus_message_close_container(m));
}

static int append_daemon(sd_bus_message *m, const struct manager *manager)
{
	struct backend_info info;
	int r;

	bus_server_info(manager, &info);
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	r = r < 0 ? r : bus_append_sv(m, "version", "s", PACKAGE_VERSION);
	r = r < 0 ? r : bus_append_sv(m, "backend", "s", backend_kind(manager->backend));
	r = r < 0 ? r : bus_append_sv(m, "connected", "b", (int)manager->connected);
	r = r < 0 ? r : bus_append_sv(m, "sample_rate", "u", info.rate_hz);
	r = r < 0 ? r : bus_append_sv(m, "period", "u", info.period_frames);
	r = r < 0 ? r : bus_append_sv(m, "xruns", "t", info.xruns);
	r = r < 0 ? r : append_ifaces(m, manager);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_on_get_status(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	const struct manager *m = bus->manager;
	sd_bus_message *reply = NULL;
	int r;

	r = sd_bus_message_new_method_return(call, &reply);
	r = r < 0 ? r : append_daemon(reply, m);
	r = r < 0 ? r : sd_bus_message_open_container(reply, 'a', "a{sv}");
	for (unsigned i = 0; r >= 0 && i < m->n_devices; i++) {
		struct bus_device *bd = bus_device_of(bus, m->devices[i]);

		if (bd && !m->devices[i]->leaving) {
			r = append_device(reply, bd);
		}
	}
	r = r < 0 ? r : sd_bus_message_close_container(reply);
	r = r < 0 ? r : bus_append_netvsts(reply, bus);
	r = r < 0 ? r : sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 1;
}
