#include "daemon/bus-internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- methods --- */

static int wrong_channel(sd_bus_error *error, const struct device *d, unsigned channel)
{
	return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
		"%s has no channel %u: use 1 to 8, or 0 for all of them", d->conf->name, channel);
}

static int on_set_gain(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus_device *bd = data;
	struct device *d = bd->device;
	unsigned channel;
	double gain_db;
	int r;

	r = sd_bus_message_read(call, "ud", &channel, &gain_db);
	if (r < 0) {
		return r;
	}
	r = device_set_gain(d, channel, gain_db);
	if (r == -ECHRNG) {
		return wrong_channel(error, d, channel);
	}
	if (r == -ERANGE) {
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
			"%s takes no gain of %g dB: use whole dB from %d to %+d", d->conf->name, gain_db,
			device_gain_min_db(d), device_gain_max_db(d));
	}
	return r < 0 ? r : sd_bus_reply_method_return(call, "");
}

static int set_mute(sd_bus_message *call, struct device *d, unsigned channel, int mute, sd_bus_error *error)
{
	int r = device_set_mute(d, channel, mute != 0);

	if (r == -ECHRNG) {
		return wrong_channel(error, d, channel);
	}
	return r < 0 ? r : sd_bus_reply_method_return(call, "");
}

static int on_set_mute(sd_bus_message *call, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;
	unsigned channel;
	int mute;
	int r = sd_bus_message_read(call, "ub", &channel, &mute);

	return r < 0 ? r : set_mute(call, bd->device, channel, mute, error);
}

static int on_set_all_muted(sd_bus_message *call, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;
	int mute;
	int r = sd_bus_message_read(call, "b", &mute);

	return r < 0 ? r : set_mute(call, bd->device, 0, mute, error);
}

static int on_set_phantom(sd_bus_message *call, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;
	struct device *d = bd->device;
	unsigned bank;
	int on;
	int r;

	r = sd_bus_message_read(call, "ub", &bank, &on);
	if (r < 0) {
		return r;
	}
	r = device_set_phantom(d, bank, on != 0);
	if (r == -EOPNOTSUPP) {
		return sd_bus_error_setf(error, SD_BUS_ERROR_NOT_SUPPORTED,
			"%s is a %s and has no phantom power; an adc8 has", d->conf->name,
			ethlink_model_name(d->conf->model));
	}
	if (r == -ECHRNG) {
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
			"%s has no bank %u of phantom power: use 1 for channels 1 to 4, 2 for channels 5 to "
			"8",
			d->conf->name, bank);
	}
	return r < 0 ? r : sd_bus_reply_method_return(call, "");
}

static int on_reset(sd_bus_message *call, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;

	device_reset(bd->device);
	return sd_bus_reply_method_return(call, "");
}

/* --- properties --- */

static int get_text(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;
	const struct device *d = bd->device;
	char mac[ETHLINK_MAC_SIZE], reason[ADMISSION_TEXT_MAX];
	const char *text;

	if (strcmp(property, "Name") == 0) {
		text = d->conf->name;
	} else if (strcmp(property, "Model") == 0) {
		text = ethlink_model_name(d->conf->model);
	} else if (strcmp(property, "Interface") == 0) {
		text = d->conf->interface;
	} else if (strcmp(property, "Volume") == 0) {
		text = conf_volume_to_string(d->conf->volume);
	} else if (strcmp(property, "State") == 0) {
		text = device_state_to_string(d->state);
	} else if (strcmp(property, "Reason") == 0) {
		admission_reason(d, reason);
		text = reason;
	} else {
		bus_format_mac(d->mac, mac);
		text = mac;
	}
	return sd_bus_message_append(reply, "s", text);
}

static int get_serial(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;

	return sd_bus_message_append(reply, "q", bd->device->conf->serial);
}

static int get_gain(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;
	double gain_db[ETHLINK_CHANNELS];

	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		gain_db[k] = bd->device->levels.gain_db[k];
	}
	return bus_append_doubles(reply, gain_db, ETHLINK_CHANNELS);
}

static int get_gain_limit(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;
	const bool min = strcmp(property, "GainMinDb") == 0;

	return sd_bus_message_append(
		reply, "d", (double)(min ? device_gain_min_db(bd->device) : device_gain_max_db(bd->device)));
}

static int get_muted(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;

	return bus_append_bools(reply, bd->device->levels.mute, ETHLINK_CHANNELS);
}

static int get_phantom(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;

	return bus_append_bools(reply, bd->device->levels.phantom, bus_n_phantoms(bd->device));
}

/* Eight strings. */
static int get_texts(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;
	const char *texts[ETHLINK_CHANNELS];

	if (strcmp(property, "Labels") == 0) {
		bus_labels(bd->device, texts);
	} else if (strcmp(property, "GainOrigin") == 0) {
		bus_gain_origins(bd->device, texts);
	} else {
		bus_mute_origins(bd->device, texts);
	}
	return bus_append_strings(reply, texts, ETHLINK_CHANNELS);
}

static int get_latency(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;
	const struct device *d = bd->device;

	return sd_bus_message_append(reply, "u", d->latency_frames);
}

static int get_counter(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus_device *bd = data;
	struct bus_counter counters[BUS_COUNTERS];
	unsigned i = 0;

	bus_device_counters(bd->device, counters);
	while (i < BUS_COUNTERS && (!counters[i].property || strcmp(counters[i].property, property) != 0)) {
		i++;
	}
	return i == BUS_COUNTERS ? -ENOENT : sd_bus_message_append(reply, "t", counters[i].value);
}

static int get_clock_ppm(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	return sd_bus_message_append(reply, "d", (double)NAN);
}

/* --- signals --- */

#define PROPERTIES_MAX 20

/* Which properties a change is about. */
static const struct {
	unsigned changes;
	const char *property;
} changes_of[] = {
	{BUS_STATE, "State"},
	{BUS_STATE, "Reason"},
	{BUS_LEVELS, "GainDb"},
	{BUS_LEVELS, "Muted"},
	{BUS_LEVELS, "Phantom"},
	{BUS_LEVELS, "GainOrigin"},
	{BUS_LEVELS, "MuteOrigin"},
	{BUS_LABELS, "Labels"},
	{BUS_LATENCY, "LatencyFrames"},
	{BUS_VOLUME, "Volume"},
	{BUS_INTERFACE, "Interface"},
	/* Another box behind the same name. */
	{BUS_INTERFACE, "Model"},
	{BUS_INTERFACE, "Serial"},
	{BUS_INTERFACE, "Mac"},
	{BUS_INTERFACE, "GainMinDb"},
	{BUS_INTERFACE, "GainMaxDb"},
};

_Static_assert(sizeof(changes_of) / sizeof(changes_of[0]) < PROPERTIES_MAX, "room for the NULL at the end");

int bus_device_emit_changed(sd_bus *sd, const struct bus_device *bd)
{
	const char *names[PROPERTIES_MAX] = {NULL};
	char *path = bus_device_path(bd->device);
	unsigned n = 0;
	int r;

	for (unsigned i = 0; i < sizeof(changes_of) / sizeof(changes_of[0]); i++) {
		if (bd->changes & changes_of[i].changes) {
			names[n++] = changes_of[i].property;
		}
	}
	r = path ? sd_bus_emit_properties_changed_strv(sd, path, BUS_DEVICE_INTERFACE, (char **)names)
		 : -ENOMEM;
	free(path);
	return r;
}

int bus_device_emit_peaks(sd_bus *sd, const struct bus_device *bd, const double peak_dbfs[ETHLINK_CHANNELS],
	const double hold_dbfs[ETHLINK_CHANNELS], const uint64_t clips[ETHLINK_CHANNELS])
{
	char *path = bus_device_path(bd->device);
	sd_bus_message *m = NULL;
	int r;

	r = path ? sd_bus_message_new_signal(sd, &m, path, BUS_DEVICE_INTERFACE, "Peaks") : -ENOMEM;
	r = r < 0 ? r : bus_append_doubles(m, peak_dbfs, ETHLINK_CHANNELS);
	r = r < 0 ? r : bus_append_doubles(m, hold_dbfs, ETHLINK_CHANNELS);
	r = r < 0 ? r : bus_append_counts(m, clips, ETHLINK_CHANNELS);
	r = r < 0 ? r : sd_bus_send(sd, m, NULL);
	sd_bus_message_unref(m);
	free(path);
	return r;
}

/* Who may call what is the bus's to say, by its policy; the private socket is for one user. */
#define ANYBODY SD_BUS_VTABLE_UNPRIVILEGED
#define EMITS SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define COUNTER(name) SD_BUS_PROPERTY(name, "t", get_counter, 0, 0)

const sd_bus_vtable bus_device_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS(
		"SetGain", SD_BUS_ARGS("u", channel, "d", gain_db), SD_BUS_NO_RESULT, on_set_gain, ANYBODY),
	SD_BUS_METHOD_WITH_ARGS(
		"SetMute", SD_BUS_ARGS("u", channel, "b", mute), SD_BUS_NO_RESULT, on_set_mute, ANYBODY),
	SD_BUS_METHOD_WITH_ARGS(
		"SetAllMuted", SD_BUS_ARGS("b", mute), SD_BUS_NO_RESULT, on_set_all_muted, ANYBODY),
	SD_BUS_METHOD_WITH_ARGS(
		"SetPhantom", SD_BUS_ARGS("u", bank, "b", on), SD_BUS_NO_RESULT, on_set_phantom, ANYBODY),
	SD_BUS_METHOD_WITH_ARGS("Reset", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_reset, ANYBODY),
	SD_BUS_SIGNAL_WITH_ARGS("Peaks", SD_BUS_ARGS("ad", peak_dbfs, "ad", hold_dbfs, "at", clips), 0),
	SD_BUS_PROPERTY("Name", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Model", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("Serial", "q", get_serial, 0, EMITS),
	SD_BUS_PROPERTY("Mac", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("Interface", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("State", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("Reason", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("GainDb", "ad", get_gain, 0, EMITS),
	SD_BUS_PROPERTY("GainMinDb", "d", get_gain_limit, 0, EMITS),
	SD_BUS_PROPERTY("GainMaxDb", "d", get_gain_limit, 0, EMITS),
	SD_BUS_PROPERTY("GainOrigin", "as", get_texts, 0, EMITS),
	SD_BUS_PROPERTY("Muted", "ab", get_muted, 0, EMITS),
	SD_BUS_PROPERTY("MuteOrigin", "as", get_texts, 0, EMITS),
	SD_BUS_PROPERTY("Phantom", "ab", get_phantom, 0, EMITS),
	SD_BUS_PROPERTY("Labels", "as", get_texts, 0, EMITS),
	SD_BUS_PROPERTY("Volume", "s", get_text, 0, EMITS),
	SD_BUS_PROPERTY("LatencyFrames", "u", get_latency, 0, EMITS),
	COUNTER("FramesSent"),
	COUNTER("FramesReceived"),
	COUNTER("FramesDropped"),
	COUNTER("DroppedRingFull"),
	COUNTER("DroppedInterface"),
	COUNTER("FramesOverrun"),
	COUNTER("Replies"),
	COUNTER("RepliesForeign"),
	COUNTER("Probes"),
	COUNTER("Resyncs"),
	COUNTER("Starts"),
	SD_BUS_PROPERTY("ClockPpm", "d", get_clock_ppm, 0, 0),
	SD_BUS_VTABLE_END,
};
