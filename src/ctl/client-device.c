#include "ctl/client-device.h"

#include "base/util.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void client_device_init(struct client_device *device)
{
	*device = (struct client_device){.gain_min_db = -56, .gain_max_db = 24};
	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		device->peak_dbfs[k] = -INFINITY;
		device->hold_dbfs[k] = -INFINITY;
	}
}

void client_device_fini(struct client_device *device)
{
	free(device->name);
	free(device->model);
	free(device->mac);
	free(device->interface);
	free(device->state);
	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		free(device->labels[k]);
	}
	*device = (struct client_device){0};
}

static int replace(char **s, const char *value)
{
	char *copy = strdup(value);

	if (!copy) {
		return -ENOMEM;
	}
	free(*s);
	*s = copy;
	return 0;
}

static int take_string(char **s, const struct prop_list *list, const char *name)
{
	const char *value = prop_string(list, name, NULL);

	return value ? replace(s, value) : 0;
}

static const struct prop *find_array(const struct prop_list *list, const char *name, enum prop_kind kind)
{
	const struct prop *prop = prop_find(list, name);

	return prop && prop->is_array && prop->kind == kind ? prop : NULL;
}

static void take_doubles(double *values, const struct prop_list *list, const char *name)
{
	const struct prop *prop = find_array(list, name, PROP_DOUBLE);

	for (unsigned k = 0; prop && k < MIN(prop->n_values, CLIENT_CHANNELS); k++) {
		values[k] = prop->values[k].d;
	}
}

static void take_double(double *value, const struct prop_list *list, const char *name)
{
	const struct prop *prop = prop_find(list, name);

	if (prop && !prop->is_array && prop->kind == PROP_DOUBLE) {
		*value = prop->values[0].d;
	}
}

static void take_bools(bool *values, unsigned max, const struct prop_list *list, const char *name)
{
	const struct prop *prop = find_array(list, name, PROP_BOOL);

	for (unsigned k = 0; prop && k < MIN(prop->n_values, max); k++) {
		values[k] = prop->values[k].b;
	}
}

static void take_origins(bool *at_runtime, const struct prop_list *list, const char *name)
{
	const struct prop *prop = find_array(list, name, PROP_STRING);

	for (unsigned k = 0; prop && k < MIN(prop->n_values, CLIENT_CHANNELS); k++) {
		at_runtime[k] = strcmp(prop->values[k].s, "runtime") == 0;
	}
}

static int take_labels(struct client_device *device, const struct prop_list *list)
{
	const struct prop *prop = find_array(list, "Labels", PROP_STRING);
	int r = 0;

	for (unsigned k = 0; prop && r >= 0 && k < MIN(prop->n_values, CLIENT_CHANNELS); k++) {
		if (*prop->values[k].s) {
			r = replace(&device->labels[k], prop->values[k].s);
		} else {
			free(device->labels[k]);
			device->labels[k] = NULL;
		}
	}
	return r;
}

int client_device_apply(struct client_device *device, const struct prop_list *list)
{
	const struct prop *phantom = find_array(list, "Phantom", PROP_BOOL);
	int r;

	if ((r = take_string(&device->name, list, "Name")) < 0 ||
		(r = take_string(&device->model, list, "Model")) < 0 ||
		(r = take_string(&device->mac, list, "Mac")) < 0 ||
		(r = take_string(&device->interface, list, "Interface")) < 0 ||
		(r = take_string(&device->state, list, "State")) < 0 || (r = take_labels(device, list)) < 0) {
		return r;
	}
	device->serial = (unsigned)prop_unsigned(list, "Serial", device->serial);
	device->latency_frames = (unsigned)prop_unsigned(list, "LatencyFrames", device->latency_frames);
	take_doubles(device->gain_db, list, "GainDb");
	take_double(&device->gain_min_db, list, "GainMinDb");
	take_double(&device->gain_max_db, list, "GainMaxDb");
	take_bools(device->muted, CLIENT_CHANNELS, list, "Muted");
	take_origins(device->gain_at_runtime, list, "GainOrigin");
	take_origins(device->mute_at_runtime, list, "MuteOrigin");
	if (phantom) {
		device->n_phantom = MIN(phantom->n_values, CLIENT_BANKS);
		take_bools(device->phantom, CLIENT_BANKS, list, "Phantom");
	}
	return 0;
}

int client_device_read_peaks(struct client_device *device, sd_bus_message *m)
{
	const void *peak, *hold, *clips;
	size_t peak_size, hold_size, clips_size;
	int r;

	if ((r = sd_bus_message_read_array(m, 'd', &peak, &peak_size)) < 0 ||
		(r = sd_bus_message_read_array(m, 'd', &hold, &hold_size)) < 0 ||
		(r = sd_bus_message_read_array(m, 't', &clips, &clips_size)) < 0) {
		return r;
	}
	if (peak_size != sizeof(device->peak_dbfs) || hold_size != sizeof(device->hold_dbfs) ||
		clips_size != sizeof(device->clips)) {
		return -EBADMSG;
	}
	memcpy(device->peak_dbfs, peak, peak_size);
	memcpy(device->hold_dbfs, hold, hold_size);
	memcpy(device->clips, clips, clips_size);
	device->has_peaks = true;
	return 0;
}
