#include "daemon/bus-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int on_list_devices(sd_bus_message *call, void *data, sd_bus_error *error)
{
	const struct bus *bus = data;
	const struct manager *m = bus->manager;
	sd_bus_message *reply = NULL;
	int r;

	r = sd_bus_message_new_method_return(call, &reply);
	r = r < 0 ? r : sd_bus_message_open_container(reply, 'a', "(so)");
	for (unsigned i = 0; r >= 0 && i < m->n_devices; i++) {
		char *path;

		if (m->devices[i]->leaving) {
			continue;
		}
		path = bus_device_path(m->devices[i]);
		r = path ? sd_bus_message_append(reply, "(so)", m->devices[i]->conf->name, path) : -ENOMEM;
		free(path);
	}
	r = r < 0 ? r : sd_bus_message_close_container(reply);
	r = r < 0 ? r : sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 1;
}

/* Collects what is wrong, a line each. */
static void add_line(void *data, const char *text)
{
	char **lines = data;
	char *more;

	if (asprintf(&more, "%s%s%s", *lines ? *lines : "", *lines ? "\n" : "", text) >= 0) {
		free(*lines);
		*lines = more;
	}
}

static int on_reload(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	char *lines = NULL;
	int r = manager_reload(bus->manager, add_line, &lines);

	if (r < 0) {
		sd_bus_error_set(error, r == -EINVAL ? BUS_ERROR_CONFIGURATION : SD_BUS_ERROR_FAILED,
			lines ? lines : strerror(-r));
		free(lines);
		return -EINVAL;
	}
	return sd_bus_reply_method_return(call, "");
}

static int on_subscribe(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	sd_bus *sd = sd_bus_message_get_bus(call);
	int r = 0;

	if (sd == bus->named) {
		r = bus_names_subscribe(bus, sd_bus_message_get_sender(call));
	} else {
		bus_socket_subscribe(bus, sd, true);
	}
	if (r == -ENOSPC) {
		return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
			"%u programs have subscribed already, and there is room for no more",
			BUS_SUBSCRIBERS_MAX);
	}
	if (r < 0) {
		return r;
	}
	bus_subscribers_changed(bus);
	return sd_bus_reply_method_return(call, "");
}

static int on_unsubscribe(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	sd_bus *sd = sd_bus_message_get_bus(call);

	if (sd == bus->named) {
		bus_names_unsubscribe(bus, sd_bus_message_get_sender(call));
	} else {
		bus_socket_subscribe(bus, sd, false);
	}
	bus_subscribers_changed(bus);
	return sd_bus_reply_method_return(call, "");
}

static int get_version(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	return sd_bus_message_append(reply, "s", PACKAGE_VERSION);
}

static int get_backend(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus *bus = data;

	return sd_bus_message_append(reply, "s", backend_kind(bus->manager->backend));
}

static int get_connected(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus *bus = data;

	return sd_bus_message_append(reply, "b", (int)bus->manager->connected);
}

static int get_sample_rate(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus *bus = data;
	struct backend_info info;

	bus_server_info(bus->manager, &info);
	return sd_bus_message_append(reply, "u", info.rate_hz);
}

static int get_period(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus *bus = data;
	struct backend_info info;

	bus_server_info(bus->manager, &info);
	return sd_bus_message_append(reply, "u", info.period_frames);
}

static int get_xruns(sd_bus *sd, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *data, sd_bus_error *error)
{
	const struct bus *bus = data;
	struct backend_info info;

	bus_server_info(bus->manager, &info);
	return sd_bus_message_append(reply, "t", info.xruns);
}

int bus_manager_emit_changed(sd_bus *sd)
{
	return sd_bus_emit_properties_changed(
		sd, BUS_OBJECT, BUS_MANAGER_INTERFACE, "Backend", "Connected", "SampleRate", "Period", NULL);
}

/* Who may call what is the bus's to say, by its policy; the private socket is for one user. */
#define ANYBODY SD_BUS_VTABLE_UNPRIVILEGED
#define EMITS SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

const sd_bus_vtable bus_manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("GetStatus", SD_BUS_NO_ARGS,
		SD_BUS_RESULT("a{sv}", daemon, "aa{sv}", devices, "aa{sv}", netvst), bus_on_get_status,
		ANYBODY),
	SD_BUS_METHOD_WITH_ARGS(
		"ListDevices", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(so)", devices), on_list_devices, ANYBODY),
	SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_reload, ANYBODY),
	SD_BUS_METHOD_WITH_ARGS("GetTelemetry", SD_BUS_NO_ARGS,
		SD_BUS_RESULT("a{sv}", daemon, "aa{sv}", interfaces, "aa{sv}", devices), bus_on_get_telemetry,
		ANYBODY),
	SD_BUS_METHOD_WITH_ARGS("Subscribe", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_subscribe, ANYBODY),
	SD_BUS_METHOD_WITH_ARGS("Unsubscribe", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_unsubscribe, ANYBODY),
	SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_PROPERTY("Backend", "s", get_backend, 0, EMITS),
	SD_BUS_PROPERTY("Connected", "b", get_connected, 0, EMITS),
	SD_BUS_PROPERTY("SampleRate", "u", get_sample_rate, 0, EMITS),
	SD_BUS_PROPERTY("Period", "u", get_period, 0, EMITS),
	SD_BUS_PROPERTY("Xruns", "t", get_xruns, 0, 0),
	SD_BUS_VTABLE_END,
};
