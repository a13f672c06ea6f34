#include "daemon/bus-internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of a meter's channels. */
#define SEND 0
#define BACK AUDIO_INSERT_CHANNELS

/* --- the objects --- */

static char *path_of(const struct netvst *nv)
{
	char *path = NULL;

	return sd_bus_path_encode(BUS_NETVSTS, nv->conf->name, &path) < 0 ? NULL : path;
}

struct bus_netvst *bus_netvst_of(struct bus *bus, const struct netvst *nv)
{
	for (unsigned i = 0; i < bus->n_netvsts; i++) {
		if (bus->netvsts[i]->netvst == nv) {
			return bus->netvsts[i];
		}
	}
	return NULL;
}

static int on_find(sd_bus *sd, const char *path, const char *interface, void *data, void **ret_found,
	sd_bus_error *error)
{
	const struct bus *bus = data;
	char *name = NULL;
	int r = sd_bus_path_decode(path, BUS_NETVSTS, &name);

	if (r <= 0) {
		return r;
	}
	r = 0;
	for (unsigned i = 0; i < bus->n_netvsts; i++) {
		if (strcmp(bus->netvsts[i]->netvst->conf->name, name) == 0) {
			*ret_found = bus->netvsts[i];
			r = 1;
		}
	}
	free(name);
	return r;
}

static char *node_path(const struct bus *bus, unsigned i)
{
	return path_of(bus->netvsts[i]->netvst);
}

static int on_enumerate(sd_bus *sd, const char *prefix, void *data, char ***ret_nodes, sd_bus_error *error)
{
	const struct bus *bus = data;

	return bus_make_nodes(bus, bus->n_netvsts, node_path, ret_nodes);
}

int bus_netvst_add(struct bus *bus, struct netvst *nv)
{
	struct bus_netvst *bn = calloc(1, sizeof(*bn));

	if (!bn) {
		return -ENOMEM;
	}
	bn->bus = bus;
	bn->netvst = nv;
	bus->netvsts[bus->n_netvsts++] = bn;
	return 0;
}

void bus_netvst_added(struct bus *bus, struct netvst *nv)
{
	if (!bus) {
		return;
	}
	if (bus_netvst_add(bus, nv) < 0) {
		netvst_log(nv, LOG_ERROR, "out of memory; it works, but cannot be seen on D-Bus");
		return;
	}
	bus_emit_object(bus, path_of(nv), true);
}

void bus_netvst_removed(struct bus *bus, struct netvst *nv)
{
	unsigned k = 0;

	if (!bus || !bus_netvst_of(bus, nv)) {
		return;
	}
	bus_emit_object(bus, path_of(nv), false);
	while (bus->netvsts[k]->netvst != nv) {
		k++;
	}
	free(bus->netvsts[k]);
	bus->n_netvsts--;
	memmove(&bus->netvsts[k], &bus->netvsts[k + 1], (bus->n_netvsts - k) * sizeof(bus->netvsts[0]));
}

void bus_netvst_changed(struct bus *bus, struct netvst *nv, unsigned changes)
{
	struct bus_netvst *bn = bus ? bus_netvst_of(bus, nv) : NULL;

	if (bn) {
		bn->changes |= changes;
		bus_flush_soon(bus);
	}
}

/* --- methods --- */

static int explain(sd_bus_error *error, const struct netvst *nv, int r)
{
	const char *name = nv->conf->name;

	switch (r) {
	case -ECHRNG:
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
			"%s has two strips: use 1 for the send, 2 for the return, 0 for both", name);
	case -ERANGE:
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
			"%s takes numbers of effects and parameters from 0 to 65535", name);
	case -EDOM:
		return sd_bus_error_setf(
			error, SD_BUS_ERROR_INVALID_ARGS, "a parameter's value is a finite number");
	case -EOPNOTSUPP:
		return sd_bus_error_setf(error, SD_BUS_ERROR_NOT_SUPPORTED,
			nv->conf->role == CONF_ROLE_SERVER
				? "%s is a server: parameters go to a plug-in, and its plug-in is the graph"
				: "%s speaks dialect 2017, which has no parameters; dialect = audiokit has",
			name);
	case -ENOTCONN:
		return sd_bus_error_setf(error, SD_BUS_ERROR_FAILED,
			"%s is not connected to its plug-in server; try again when it is", name);
	case -EAGAIN:
		return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
			"too many parameters wait to be sent to %s; send them more slowly", name);
	default:
		return r;
	}
}

static int on_set_gain(sd_bus_message *call, void *data, sd_bus_error *error)
{
	const struct bus_netvst *bn = data;
	unsigned strip;
	double gain_db;
	int r = sd_bus_message_read(call, "ud", &strip, &gain_db);

	if (r < 0) {
		return r;
	}
	r = netvst_set_gain(bn->netvst, strip, gain_db);
	if (r == -ERANGE) {
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
			"%s takes no gain of %g dB: use whole dB from %d to %+d", bn->netvst->conf->name,
			gain_db, NETVST_GAIN_MIN_DB, NETVST_GAIN_MAX_DB);
	}
	return r < 0 ? explain(error, bn->netvst, r) : sd_bus_reply_method_return(call, "");
}

static int on_set_mute(sd_bus_message *call, void *data, sd_bus_error *error)
{
	const struct bus_netvst *bn = data;
	unsigned strip;
	int mute;
	int r = sd_bus_message_read(call, "ub", &strip, &mute);

	if (r < 0) {
		return r;
	}
	r = netvst_set_mute(bn->netvst, strip, mute != 0);
	return r < 0 ? explain(error, bn->netvst, r) : sd_bus_reply_method_return(call, "");
}

static int on_set_parameter(sd_bus_message *call, void *data, sd_bus_error *error)
{
	const struct bus_netvst *bn = data;
	unsigned effect, parameter;
	double value;
	int r = sd_bus_message_read(call, "uud", &effect, &parameter, &value);

	if (r < 0) {
		return r;
	}
	r = netvst_set_param(bn->netvst, effect, parameter, value);
	return r < 0 ? explain(error, bn->netvst, r) : sd_bus_reply_method_return(call, "");
}

static int on_reset(sd_bus_message *call, void *data, sd_bus_error *error)
{
	const struct bus_netvst *bn = data;

	netvst_reset(bn->netvst);
	return sd_bus_reply_method_return(call, "");
}

/* --- properties --- */

static int get_text(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_netvst *bn = data;
	const struct netvst *nv = bn->netvst;
	char peer[NETVST_SLOTS_MAX * (NETVST_TEXT_MAX + 2)];
	const char *text;

	if (strcmp(property, "Name") == 0) {
		text = nv->conf->name;
	} else if (strcmp(property, "Role") == 0) {
		text = conf_role_to_string(nv->conf->role);
	} else if (strcmp(property, "State") == 0) {
		text = netvst_state_to_string(nv->state);
	} else if (strcmp(property, "Dialect") == 0) {
		text = netvst_dialect_to_string(nv->conf->dialect);
	} else if (strcmp(property, "Codec") == 0) {
		text = netvst_codec_to_string(nv->conf->codec);
	} else if (strcmp(property, "Host") == 0) {
		text = nv->conf->host;
	} else if (strcmp(property, "Error") == 0) {
		text = bus_netvst_error(nv);
	} else {
		bus_netvst_peer(nv, peer, sizeof(peer));
		text = peer;
	}
	return sd_bus_message_append(reply, "s", text);
}

static int get_number(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_netvst *bn = data;
	const struct netvst *nv = bn->netvst;

	if (strcmp(property, "Port") == 0) {
		return sd_bus_message_append(reply, "q", nv->conf->port);
	}
	if (strcmp(property, "Block") == 0) {
		return sd_bus_message_append(
			reply, "u", nv->conf->role == CONF_ROLE_CLIENT ? nv->conf->block_frames : 0);
	}
	return sd_bus_message_append(reply, "u", nv->policy.frames);
}

static int get_gain(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_netvst *bn = data;
	double gain_db[LEVELS_STRIPS];

	for (unsigned k = 0; k < LEVELS_STRIPS; k++) {
		gain_db[k] = bn->netvst->strips.gain_db[k];
	}
	return bus_append_doubles(reply, gain_db, LEVELS_STRIPS);
}

static int get_muted(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_netvst *bn = data;

	return bus_append_bools(reply, bn->netvst->strips.mute, LEVELS_STRIPS);
}

static int get_counter(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_netvst *bn = data;
	struct bus_netvst_counts counts;
	uint64_t value;

	bus_netvst_count(bn->netvst, &counts);
	if (strcmp(property, "CompressionRatio") == 0) {
		return sd_bus_message_append(
			reply, "d", isnan(counts.compression_ratio) ? 0.0 : counts.compression_ratio);
	}
	if (strcmp(property, "LateBlocks") == 0) {
		value = counts.late_blocks;
	} else if (strcmp(property, "Connects") == 0) {
		value = counts.connects;
	} else if (strcmp(property, "BytesSent") == 0) {
		value = counts.bytes_sent;
	} else {
		value = counts.bytes_received;
	}
	return sd_bus_message_append(reply, "t", value);
}

static int get_rtt(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_netvst *bn = data;

	return bus_append_rtt(reply, bn->netvst);
}

/* --- signals --- */

#define PROPERTIES_MAX 16

static const struct {
	unsigned changes;
	const char *property;
} changes_of[] = {
	{BUS_NETVST_STATE, "State"},
	{BUS_NETVST_PEER, "Peer"},
	{BUS_NETVST_ERROR, "Error"},
	{BUS_NETVST_LEVELS, "GainDb"},
	{BUS_NETVST_LEVELS, "Muted"},
	{BUS_NETVST_LATENCY, "LatencyFrames"},
	{BUS_NETVST_CONF, "Role"},
	{BUS_NETVST_CONF, "Dialect"},
	{BUS_NETVST_CONF, "Codec"},
	{BUS_NETVST_CONF, "Block"},
	{BUS_NETVST_CONF, "Host"},
	{BUS_NETVST_CONF, "Port"},
};

_Static_assert(sizeof(changes_of) / sizeof(changes_of[0]) < PROPERTIES_MAX, "room for the NULL at the end");

int bus_netvst_emit_changed(sd_bus *sd, const struct bus_netvst *bn)
{
	const char *names[PROPERTIES_MAX] = {NULL};
	char *path = path_of(bn->netvst);
	unsigned n = 0;
	int r;

	for (unsigned i = 0; i < sizeof(changes_of) / sizeof(changes_of[0]); i++) {
		if (bn->changes & changes_of[i].changes) {
			names[n++] = changes_of[i].property;
		}
	}
	r = path ? sd_bus_emit_properties_changed_strv(sd, path, BUS_NETVST_INTERFACE, (char **)names)
		 : -ENOMEM;
	free(path);
	return r;
}

void bus_netvst_listen(struct bus_netvst *bn, int64_t now)
{
	const struct netvst *nv = bn->netvst;

	for (unsigned i = 0; i < nv->n_parts; i++) {
		float peak[ETHLINK_CHANNELS] = {0};

		if (nv->parts[i].insert) {
			insert_take_peaks(nv->parts[i].insert, &peak[SEND], &peak[BACK]);
		}
		meters_feed(&bn->meters[i], peak, now);
	}
}

void bus_netvst_forget_peaks(struct bus_netvst *bn, int64_t now)
{
	float old[ETHLINK_CHANNELS];

	bus_netvst_listen(bn, now);
	for (unsigned i = 0; i < NETVST_SLOTS_MAX; i++) {
		meters_take_signal(&bn->meters[i], old);
	}
}

static int emit_peaks(sd_bus *sd, const char *path, const double dbfs[2 * AUDIO_INSERT_CHANNELS])
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_signal(sd, &m, path, BUS_NETVST_INTERFACE, "Peaks");

	r = r < 0 ? r : bus_append_doubles(m, &dbfs[SEND], AUDIO_INSERT_CHANNELS);
	r = r < 0 ? r : bus_append_doubles(m, &dbfs[BACK], AUDIO_INSERT_CHANNELS);
	r = r < 0 ? r : sd_bus_send(sd, m, NULL);
	sd_bus_message_unref(m);
	return r;
}

void bus_netvst_tell_peaks(struct bus_netvst *bn, sd_bus *const *all, unsigned n, int64_t now)
{
	float peak[ETHLINK_CHANNELS], loudest[ETHLINK_CHANNELS] = {0};
	double dbfs[2 * AUDIO_INSERT_CHANNELS];
	char *path = path_of(bn->netvst);

	bus_netvst_listen(bn, now);
	for (unsigned i = 0; i < NETVST_SLOTS_MAX; i++) {
		meters_take_signal(&bn->meters[i], peak);
		for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
			loudest[k] = MAX(loudest[k], peak[k]);
		}
	}
	for (unsigned k = 0; k < ARRAY_SIZE(dbfs); k++) {
		dbfs[k] = meters_dbfs(loudest[k]);
	}
	for (unsigned i = 0; path && i < n; i++) {
		(void)emit_peaks(all[i], path, dbfs);
	}
	free(path);
}

#define ANYBODY SD_BUS_VTABLE_UNPRIVILEGED
#define EMITS SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS(
		"SetGain", SD_BUS_ARGS("u", strip, "d", gain_db), SD_BUS_NO_RESULT, on_set_gain, ANYBODY),
	SD_BUS_METHOD_WITH_ARGS(
		"SetMute", SD_BUS_ARGS("u", strip, "b", mute), SD_BUS_NO_RESULT, on_set_mute, ANYBODY),
	SD_BUS_METHOD_WITH_ARGS("SetParameter", SD_BUS_ARGS("u", effect, "u", parameter, "d", value),
		SD_BUS_NO_RESULT, on_set_parameter, ANYBODY),
	SD_BUS_METHOD_WITH_ARGS("Reset", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_reset, ANYBODY),
	SD_BUS_SIGNAL_WITH_ARGS("Peaks", SD_BUS_ARGS("ad", send_dbfs, "ad", return_dbfs), 0),
	SD_BUS_PROPERTY("Name", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Role", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("State", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("Dialect", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("Codec", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("Block", "u", get_number, 0, EMITS),
	SD_BUS_PROPERTY("Host", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("Port", "q", get_number, 0, EMITS),
	SD_BUS_PROPERTY("Peer", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("LatencyFrames", "u", get_number, 0, EMITS),
	SD_BUS_PROPERTY("GainDb", "ad", get_gain, 0, EMITS),
	SD_BUS_PROPERTY("Muted", "ab", get_muted, 0, EMITS),
	SD_BUS_PROPERTY("Error", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("LateBlocks", "t", get_counter, 0, 0),
	SD_BUS_PROPERTY("Connects", "t", get_counter, 0, 0),
	SD_BUS_PROPERTY("RttUs", "a{sd}", get_rtt, 0, 0),
	SD_BUS_PROPERTY("BytesSent", "t", get_counter, 0, 0),
	SD_BUS_PROPERTY("BytesReceived", "t", get_counter, 0, 0),
	SD_BUS_PROPERTY("CompressionRatio", "d", get_counter, 0, 0),
	SD_BUS_VTABLE_END,
};

int bus_netvst_serve(struct bus *bus, sd_bus *sd)
{
	int r = sd_bus_add_fallback_vtable(sd, NULL, BUS_NETVSTS, BUS_NETVST_INTERFACE, vtable, on_find, bus);

	return r < 0 ? r : sd_bus_add_node_enumerator(sd, NULL, BUS_NETVSTS, on_enumerate, bus);
}
