#include "ctl/doctor-daemon.h"

#include "base/util.h"
#include "ctl/prop.h"
#include "ctl/status.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_AGAIN_MS 500

static void copy_prop(char *dst, unsigned size, const struct prop_list *list, const char *name)
{
	doctor_copy_text(dst, size, prop_string(list, name, ""));
}

static int64_t prop_signed(const struct prop_list *list, const char *name, int64_t otherwise)
{
	const struct prop *prop = prop_find(list, name);

	return prop && prop->kind == PROP_SIGNED && !prop->is_array ? prop->values->i : otherwise;
}

/* As many bins as both know. */
static void copy_bins(uint64_t bins[HIST_BINS], const struct prop_list *list, const char *name)
{
	const struct prop *prop = prop_find(list, name);

	for (unsigned i = 0; prop && prop->kind == PROP_UNSIGNED && i < MIN(prop->n_values, HIST_BINS); i++) {
		bins[i] = prop->values[i].u;
	}
}

static void take_daemon(struct doctor_daemon *d, const struct prop_list *list)
{
	const struct prop *locked = prop_find(list, "locked_memory");
	uint64_t pid = prop_unsigned(list, "pid", 0);

	d->cycles = prop_unsigned(list, "cycles", 0);
	d->kicks = prop_unsigned(list, "kicks", 0);
	d->kick_errors = prop_unsigned(list, "kick_errors", 0);
	d->last_kick_error = prop_unsigned(list, "last_kick_error", 0);
	d->rt_priority = prop_signed(list, "rt_priority", DOCTOR_UNKNOWN);
	d->sample_rate = prop_unsigned(list, "sample_rate", d->sample_rate);
	d->period = prop_unsigned(list, "period", d->period);
	d->xruns = prop_unsigned(list, "xruns", d->xruns);
	d->pid = pid > 0 && pid <= INT32_MAX ? (int64_t)pid : DOCTOR_UNKNOWN;
	d->locked_memory = locked ? prop_bool(list, "locked_memory", false) : DOCTOR_UNKNOWN;
	d->gap_max_ns = prop_unsigned(list, "gap_max", 0);
	d->kick_at_max_ns = prop_unsigned(list, "kick_at_max", 0);
	d->kick_took_max_ns = prop_unsigned(list, "kick_took_max", 0);
	copy_bins(d->gaps, list, "gaps");
	copy_bins(d->kick_at, list, "kick_at");
	copy_bins(d->kick_took, list, "kick_took");
}

static int take_iface(struct doctor_facts *facts, const struct prop_list *list)
{
	struct doctor_iface *iface = doctor_facts_iface(facts, prop_string(list, "name", ""));

	if (!iface) {
		return -ENOMEM;
	}
	iface->ring_open = prop_bool(list, "ring_open", false);
	iface->paced = prop_bool(list, "paced", false);
	iface->threaded = prop_bool(list, "threaded", false);
	iface->frames_ignored = prop_unsigned(list, "frames_ignored", 0);
	iface->frames_overrun = prop_unsigned(list, "frames_overrun", 0);
	return 0;
}

static struct doctor_device *find_device(struct doctor_facts *facts, const struct prop_list *list)
{
	char name[DOCTOR_NAME_SIZE];

	copy_prop(name, sizeof(name), list, "name");
	for (unsigned i = 0; i < facts->n_devices; i++) {
		if (strcmp(facts->devices[i].name, name) == 0) {
			return &facts->devices[i];
		}
	}
	return NULL;
}

/* Of one that came since the other answer was given, the rest is not known: it is left out. */
static int take_device(struct doctor_facts *facts, const struct prop_list *list)
{
	struct doctor_device *device = find_device(facts, list);

	if (device) {
		device->dropped_ring_full = prop_unsigned(list, "dropped_ring_full", 0);
		device->dropped_interface = prop_unsigned(list, "dropped_interface", 0);
		device->resyncs = prop_unsigned(list, "resyncs", 0);
		device->starts = prop_unsigned(list, "starts", 0);
		device->replies_foreign = prop_unsigned(list, "replies_foreign", 0);
		copy_prop(device->taken_by, sizeof(device->taken_by), list, "taken_by");
	}
	return 0;
}

/* Each dictionary of an array goes to take. 0 or -errno. */
static int read_each(sd_bus_message *m, struct doctor_facts *facts,
	int (*take)(struct doctor_facts *facts, const struct prop_list *list))
{
	struct prop_list list;
	int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "a{sv}");

	if (r <= 0) {
		return r < 0 ? r : -EBADMSG;
	}
	while ((r = sd_bus_message_at_end(m, false)) == 0) {
		r = prop_list_read(m, &list);
		if (r < 0) {
			return r;
		}
		r = take(facts, &list);
		prop_list_fini(&list);
		if (r < 0) {
			return r;
		}
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int take_telemetry(sd_bus_message *m, struct doctor_facts *facts)
{
	struct prop_list daemon;
	int r = prop_list_read(m, &daemon);

	if (r < 0) {
		return r;
	}
	take_daemon(&facts->daemon, &daemon);
	prop_list_fini(&daemon);
	r = read_each(m, facts, take_iface);
	return r < 0 ? r : read_each(m, facts, take_device);
}

static void count_box(const struct doctor_device *device, struct doctor_iface *iface)
{
	bool adc = strcmp(device->model, "adc8") == 0, refused = device->reason[0];

	iface->n_dacs += !adc;
	iface->n_adcs += adc;
	iface->n_dacs_refused += !adc && refused;
	iface->n_adcs_refused += adc && refused;
}

static int add_device(struct doctor_facts *facts, const struct prop_list *list)
{
	struct doctor_device *device =
		reallocarray(facts->devices, facts->n_devices + 1, sizeof(*facts->devices));
	struct doctor_iface *iface = NULL;

	if (!device) {
		return -ENOMEM;
	}
	facts->devices = device;
	device = &facts->devices[facts->n_devices++];
	*device = (struct doctor_device){
		.serial = prop_unsigned(list, "serial", 0),
		.frames_sent = prop_unsigned(list, "frames_sent", 0),
		.replies = prop_unsigned(list, "replies", 0),
		.latency_frames = prop_unsigned(list, "latency_frames", 0),
	};
	copy_prop(device->name, sizeof(device->name), list, "name");
	copy_prop(device->model, sizeof(device->model), list, "model");
	copy_prop(device->interface, sizeof(device->interface), list, "interface");
	copy_prop(device->state, sizeof(device->state), list, "state");
	copy_prop(device->reason, sizeof(device->reason), list, "reason");
	if (device->interface[0]) {
		iface = doctor_facts_iface(facts, device->interface);
		if (!iface) {
			return -ENOMEM;
		}
		count_box(device, iface);
	}
	return 0;
}

static void take_slots(struct doctor_netvst *n, const struct prop_list *list)
{
	n->n_slots = prop_count(list, "slots", PROP_DICT);
	for (unsigned i = 0; i < n->n_slots; i++) {
		const struct prop_list *slot = prop_dict_at(list, "slots", i);

		if (strcmp(prop_string(slot, "state", "free"), "free") != 0 && n->n_connected++ == 0) {
			copy_prop(n->peer, sizeof(n->peer), slot, "peer");
		}
		n->blocks += prop_unsigned(slot, "blocks", 0);
		n->late_blocks += prop_unsigned(slot, "late_replies", 0);
	}
}

static void take_netvst(struct doctor_netvst *n, const struct prop_list *list)
{
	*n = (struct doctor_netvst){
		.server = strcmp(prop_string(list, "role", ""), "server") == 0,
		.port = prop_unsigned(list, "port", 0),
		.block_frames = prop_unsigned(list, "block", 0),
		.latency_frames = prop_unsigned(list, "latency_frames", 0),
		.rtt_median_us = prop_number(prop_dict(list, "rtt_us"), "median", NAN),
		.rtt_p99_us = prop_number(prop_dict(list, "rtt_us"), "p99", NAN),
		.callback_p99_us = prop_number(prop_dict(list, "callback_us"), "p99", NAN),
		.compression_ratio = prop_number(list, "compression_ratio", NAN),
		.blocks = prop_unsigned(list, "blocks_sent", 0),
		.late_blocks = prop_unsigned(list, "late_blocks", 0),
		.late_episodes = prop_unsigned(list, "late_episodes", 0),
		.skipped_blocks = prop_unsigned(list, "skipped_blocks", 0),
		.overruns = prop_unsigned(list, "overruns", 0),
		.refused = prop_unsigned(list, "refused", 0),
		.bad_peers = prop_unsigned(list, "bad_peers", 0),
		.timeouts = prop_unsigned(list, "timeouts", 0),
		.bytes_sent = prop_unsigned(list, "bytes_sent", 0),
		.bytes_received = prop_unsigned(list, "bytes_received", 0),
		.n_allow = MIN(prop_count(list, "allow", PROP_STRING), DOCTOR_ALLOW_MAX),
		.seen_ns = now_ns(),
		.speed_mbit = DOCTOR_UNKNOWN,
	};
	copy_prop(n->name, sizeof(n->name), list, "name");
	copy_prop(n->state, sizeof(n->state), list, "state");
	copy_prop(n->dialect, sizeof(n->dialect), list, "dialect");
	copy_prop(n->codec, sizeof(n->codec), list, "codec");
	copy_prop(n->host, sizeof(n->host), list, "host");
	copy_prop(n->error, sizeof(n->error), list, "error");
	for (unsigned i = 0; i < n->n_allow; i++) {
		doctor_copy_text(n->allow[i], sizeof(n->allow[i]), prop_string_at(list, "allow", i, ""));
	}
	if (n->server) {
		n->blocks = 0;
		take_slots(n, list);
	} else {
		copy_prop(n->peer, sizeof(n->peer), list, "peer");
		n->n_connected = strcmp(n->state, "online") == 0;
	}
}

static int add_netvst(struct doctor_facts *facts, const struct prop_list *list)
{
	struct doctor_netvst *netvst =
		reallocarray(facts->netvst, facts->n_netvst + 1, sizeof(*facts->netvst));

	if (!netvst) {
		return -ENOMEM;
	}
	facts->netvst = netvst;
	take_netvst(&netvst[facts->n_netvst++], list);
	return 0;
}

static uint64_t grown(uint64_t before, uint64_t now)
{
	return now > before ? now - before : 0;
}

/* The second look: what it is counted to now. */
static int take_growth(sd_bus_message *m, struct doctor_facts *facts)
{
	struct doctor_netvst now;
	struct status status;
	int r = status_read(m, &status);

	if (r < 0) {
		return r;
	}
	for (unsigned i = 0; i < facts->n_netvst; i++) {
		struct doctor_netvst *n = &facts->netvst[i];
		int at = status_find_netvst(&status, n->name);

		if (at >= 0) {
			take_netvst(&now, &status.netvst[at]);
			n->growth_ns = now.seen_ns - n->seen_ns;
			n->late_growth = grown(n->late_blocks, now.late_blocks);
			n->sent_growth = grown(n->bytes_sent, now.bytes_sent);
			n->received_growth = grown(n->bytes_received, now.bytes_received);
		}
	}
	status_fini(&status);
	return 0;
}

static int take_status(sd_bus_message *m, struct doctor_facts *facts)
{
	struct doctor_daemon *d = &facts->daemon;
	struct status status;
	int r = status_read(m, &status);

	if (r < 0) {
		return r;
	}
	copy_prop(d->version, sizeof(d->version), &status.daemon, "version");
	copy_prop(d->backend, sizeof(d->backend), &status.daemon, "backend");
	d->connected = prop_bool(&status.daemon, "connected", false);
	d->sample_rate = prop_unsigned(&status.daemon, "sample_rate", 0);
	d->period = prop_unsigned(&status.daemon, "period", 0);
	d->xruns = prop_unsigned(&status.daemon, "xruns", 0);
	for (unsigned i = 0; r >= 0 && i < status.n_devices; i++) {
		r = add_device(facts, &status.devices[i]);
	}
	for (unsigned i = 0; r >= 0 && i < status.n_netvst; i++) {
		r = add_netvst(facts, &status.netvst[i]);
	}
	status_fini(&status);
	return r;
}

/* One question; false, and the error is there, where it was not answered, or not understood. */
static bool ask(struct doctor_facts *facts, struct client *client, const char *method,
	int (*take)(sd_bus_message *m, struct doctor_facts *facts))
{
	char error[CLIENT_ERROR_MAX] = "";
	sd_bus_message *reply = NULL;
	int r = client_call(client, method, &reply, error);

	if (r >= 0) {
		r = take(reply, facts);
		if (r < 0) {
			snprintf(error, sizeof(error), "the answer to %s cannot be read (%s)", method,
				strerror(-r));
		}
	}
	sd_bus_message_unref(reply);
	if (r < 0) {
		doctor_copy_text(facts->daemon.error, sizeof(facts->daemon.error), error);
	}
	return r >= 0;
}

/* What flows now cannot be seen in what was counted since the start. */
static void look_again(struct doctor_facts *facts, struct client *client)
{
	struct timespec wait = {.tv_nsec = LOOK_AGAIN_MS * NSEC_PER_MSEC};
	unsigned n_connected = 0;

	for (unsigned i = 0; i < facts->n_netvst; i++) {
		n_connected += facts->netvst[i].n_connected;
	}
	if (n_connected > 0) {
		while (nanosleep(&wait, &wait) < 0 && errno == EINTR) {
		}
		(void)ask(facts, client, "GetStatus", take_growth);
	}
}

void doctor_daemon_ask(struct doctor_facts *facts, struct client *client)
{
	facts->daemon.answers = ask(facts, client, "GetStatus", take_status);
	facts->daemon.has_telemetry =
		facts->daemon.answers && ask(facts, client, "GetTelemetry", take_telemetry);
	if (facts->daemon.has_telemetry) {
		look_again(facts, client);
	}
}

void doctor_daemon_read(struct doctor_facts *facts, enum client_way way, const char *path)
{
	char error[CLIENT_ERROR_MAX] = "";
	struct client client;
	int r = client_open(&client, way, path, CLIENT_TIMEOUT_MS, error);

	if (r < 0) {
		facts->daemon.absent = r == -ENOENT || r == -ENOTDIR || r == -ECONNREFUSED;
		doctor_copy_text(facts->daemon.error, sizeof(facts->daemon.error), error);
		return;
	}
	doctor_daemon_ask(facts, &client);
	client_close(&client);
}
