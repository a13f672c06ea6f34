#include "daemon/bus-internal.h"

#include "daemon/iface.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int append_hist(sd_bus_message *m, const char *key, const char *key_max, const struct hist *hist)
{
	uint64_t bins[HIST_BINS];
	int r;

	for (unsigned i = 0; i < HIST_BINS; i++) {
		bins[i] = atomic_load_explicit(&hist->bin[i], memory_order_relaxed);
	}
	r = bus_append_sv_counts(m, key, bins, HIST_BINS);
	return r < 0 ? r
		     : bus_append_sv(
			       m, key_max, "t", atomic_load_explicit(&hist->max_ns, memory_order_relaxed));
}

/* The kernel counts pages that the audio library has locked by itself, too: then it is a part of them. */
static bool memory_is_locked(void)
{
	unsigned long size_kb = 0, locked_kb = 0;
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];

	if (!f) {
		return false;
	}
	while (fgets(line, sizeof(line), f)) {
		(void)sscanf(line, "VmSize: %lu", &size_kb);
		(void)sscanf(line, "VmLck: %lu", &locked_kb);
	}
	fclose(f);
	return locked_kb > size_kb / 2;
}

static int append_daemon(sd_bus_message *m, const struct manager *manager)
{
	const struct engine_report *report = engine_get_report(manager->engine);
	struct backend_info info;
	int r;

	bus_server_info(manager, &info);
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	r = r < 0 ? r : bus_append_sv(m, "cycles", "t", atomic_load(&report->cycles));
	r = r < 0 ? r : bus_append_sv(m, "kicks", "t", atomic_load(&report->kick.kicks));
	r = r < 0 ? r : bus_append_sv(m, "kick_errors", "t", atomic_load(&report->kick.errors));
	r = r < 0 ? r : bus_append_sv(m, "last_kick_error", "u", atomic_load(&report->kick.last_error));
	r = r < 0 ? r : append_hist(m, "kick_at", "kick_at_max", &report->kick.at);
	r = r < 0 ? r : append_hist(m, "kick_took", "kick_took_max", &report->kick.took);
	r = r < 0 ? r : append_hist(m, "gaps", "gap_max", &report->gaps);
	r = r < 0 ? r : bus_append_sv(m, "rt_priority", "i", info.rt_priority);
	r = r < 0 ? r : bus_append_sv(m, "sample_rate", "u", info.rate_hz);
	r = r < 0 ? r : bus_append_sv(m, "period", "u", info.period_frames);
	r = r < 0 ? r : bus_append_sv(m, "xruns", "t", info.xruns);
	r = r < 0 ? r : bus_append_sv(m, "locked_memory", "b", (int)memory_is_locked());
	r = r < 0 ? r : bus_append_sv(m, "pid", "u", (unsigned)getpid());
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static unsigned n_devices_on(const struct manager *m, const struct iface *iface)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_devices; i++) {
		n += m->devices[i]->iface == iface && !m->devices[i]->leaving;
	}
	return n;
}

static int append_iface(sd_bus_message *m, const struct iface *iface)
{
	const bool open = iface->ring != NULL;
	int r;

	r = sd_bus_message_open_container(m, 'a', "{sv}");
	r = r < 0 ? r : bus_append_sv(m, "name", "s", iface->name);
	r = r < 0 ? r : bus_append_sv(m, "ifindex", "u", (unsigned)iface->link.ifindex);
	r = r < 0 ? r : bus_append_sv(m, "ring_open", "b", (int)open);
	r = r < 0 ? r : bus_append_sv(m, "frames_ignored", "t", iface->frames_ignored);
	r = r < 0 ? r : bus_append_sv(m, "frames_overrun", "t", iface->rx_drops);
	r = r < 0 ? r : bus_append_sv(m, "devices", "u", n_devices_on(iface->manager, iface));
	r = r < 0 ? r : bus_append_sv(m, "paced", "b", (int)(open && iface->ring_policy.paced));
	r = r < 0 ? r : bus_append_sv(m, "threaded", "b", (int)(open && iface->ring_threaded));
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_device(sd_bus_message *m, const struct device *d)
{
	static const uint8_t nobody[ETHLINK_MAC_LEN];
	const struct dac_report *report = engine_dac_report(d->dac);
	char taken_by[ETHLINK_MAC_SIZE] = "";
	int r;

	if (d->state == DEVICE_TAKEN_OVER && !d->hold.local &&
		memcmp(d->hold.other, nobody, sizeof(nobody)) != 0) {
		bus_format_mac(d->hold.other, taken_by);
	}
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	r = r < 0 ? r : bus_append_sv(m, "name", "s", d->conf->name);
	r = r < 0 ? r : bus_append_sv(m, "interface", "s", d->conf->interface);
	r = r < 0 ? r : bus_append_sv(m, "state", "s", device_state_to_string(d->state));
	r = r < 0 ? r : bus_append_sv(m, "dropped_ring_full", "t", atomic_load(&report->drops_ring_full));
	r = r < 0 ? r : bus_append_sv(m, "dropped_interface", "t", atomic_load(&report->drops_interface));
	r = r < 0 ? r : bus_append_sv(m, "resyncs", "t", atomic_load(&report->resyncs));
	r = r < 0 ? r : bus_append_sv(m, "starts", "t", atomic_load(&report->starts));
	r = r < 0 ? r : bus_append_sv(m, "replies_foreign", "t", d->bad_replies);
	r = r < 0 ? r : bus_append_sv(m, "taken_by", "s", taken_by);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_on_get_telemetry(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	const struct manager *m = bus->manager;
	sd_bus_message *reply = NULL;
	int r;

	r = sd_bus_message_new_method_return(call, &reply);
	r = r < 0 ? r : append_daemon(reply, m);
	r = r < 0 ? r : sd_bus_message_open_container(reply, 'a', "a{sv}");
	for (unsigned i = 0; r >= 0 && i < m->n_ifaces; i++) {
		r = append_iface(reply, m->ifaces[i]);
	}
	r = r < 0 ? r : sd_bus_message_close_container(reply);
	r = r < 0 ? r : sd_bus_message_open_container(reply, 'a', "a{sv}");
	for (unsigned i = 0; r >= 0 && i < m->n_devices; i++) {
		if (!m->devices[i]->leaving) {
			r = append_device(reply, m->devices[i]);
		}
	}
	r = r < 0 ? r : sd_bus_message_close_container(reply);
	r = r < 0 ? r : sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 1;
}
