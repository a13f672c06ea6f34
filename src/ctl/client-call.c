#include "ctl/client.h"

#include "ctl/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_CONFIGURATION "org.ethlinkd1.Error.Configuration"

void client_explain_bus(const struct client *client, int err, char ret_error[CLIENT_ERROR_MAX])
{
	const char *bus = client->way == CLIENT_SYSTEM ? "system" : "session";

	if (!client->destination && (err == ECONNRESET || err == EPIPE || err == ENOTCONN)) {
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"ethlinkd closed the connection; does it run as another user than you?");
	} else if (err == ETIMEDOUT) {
		snprintf(ret_error, CLIENT_ERROR_MAX, "ethlinkd does not answer; it may hang: restart it");
	} else if (client->way == CLIENT_USER || client->way == CLIENT_SYSTEM) {
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"the %s bus cannot be reached: %s; leave --%s out to use the socket", bus,
			strerror(err), client->way == CLIENT_SYSTEM ? "system" : "user");
	} else {
		snprintf(ret_error, CLIENT_ERROR_MAX, "the connection to ethlinkd failed: %s", strerror(err));
	}
}

void client_explain_unreadable(int err, char ret_error[CLIENT_ERROR_MAX])
{
	snprintf(ret_error, CLIENT_ERROR_MAX,
		"the daemon's answer cannot be read (%s); are ethlinkd and ethlinkctl of one version?",
		strerror(err));
}

static bool is_one_of(const sd_bus_error *error, const char *a, const char *b)
{
	return sd_bus_error_has_name(error, a) || sd_bus_error_has_name(error, b);
}

void client_explain(const struct client *client, const sd_bus_error *error, int err, const char *method,
	char ret_error[CLIENT_ERROR_MAX])
{
	const char *text = error->message ? error->message : error->name;

	if (!sd_bus_error_is_set(error) || err == ETIMEDOUT) {
		client_explain_bus(client, err, ret_error);
	} else if (is_one_of(error, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"there is no ethlinkd on this bus; leave --user or --system out to use the "
			"socket, or start it (see ethlinkd(8))");
	} else if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED)) {
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"you may not use %s over this bus; members of the group audio may", method);
	} else if (sd_bus_error_has_name(error, ERROR_CONFIGURATION)) {
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"%s\nnothing was changed; repair the configuration and reload again", text);
	} else if (is_one_of(error, SD_BUS_ERROR_INVALID_ARGS, SD_BUS_ERROR_NOT_SUPPORTED)) {
		/* Sentences for the user. */
		snprintf(ret_error, CLIENT_ERROR_MAX, "%s", text);
	} else {
		snprintf(ret_error, CLIENT_ERROR_MAX, "ethlinkd refused %s: %s", method, text);
	}
}

int client_call(struct client *client, const char *method, sd_bus_message **ret_reply,
	char ret_error[CLIENT_ERROR_MAX])
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *call = NULL;
	int r;

	r = sd_bus_message_new_method_call(
		client->bus, &call, client->destination, CLIENT_OBJECT, CLIENT_MANAGER, method);
	if (r >= 0) {
		r = sd_bus_call(client->bus, call, client->timeout_ms * 1000ULL, &error, ret_reply);
	}
	if (r < 0) {
		client_explain(client, &error, -r, method, ret_error);
	}
	sd_bus_error_free(&error);
	sd_bus_message_unref(call);
	return r < 0 ? r : 0;
}

int client_print_devices(
	struct client *client, const char *separator, FILE *f, char ret_error[CLIENT_ERROR_MAX])
{
	sd_bus_message *reply = NULL;
	const char *name;
	int n = 0;
	int r;

	r = client_call(client, "ListDevices", &reply, ret_error);
	if (r < 0) {
		return r;
	}
	r = sd_bus_message_enter_container(reply, 'a', "(so)");
	while (r >= 0 && (r = sd_bus_message_read(reply, "(so)", &name, NULL)) > 0) {
		fprintf(f, "%s%s", n > 0 ? separator : "", name);
		n++;
	}
	sd_bus_message_unref(reply);
	if (r < 0) {
		client_explain_unreadable(-r, ret_error);
		return r;
	}
	return n;
}

/* 0 and the answer to GetStatus, to be ended with status_fini(); or -errno. */
static int get_status(struct client *client, struct status *ret_status, char ret_error[CLIENT_ERROR_MAX])
{
	sd_bus_message *reply = NULL;
	int r = client_call(client, "GetStatus", &reply, ret_error);

	if (r < 0) {
		return r;
	}
	r = status_read(reply, ret_status);
	sd_bus_message_unref(reply);
	if (r < 0) {
		client_explain_unreadable(-r, ret_error);
	}
	return r;
}

int client_print_netvst(
	struct client *client, const char *separator, FILE *f, char ret_error[CLIENT_ERROR_MAX])
{
	struct status status;
	int n, r = get_status(client, &status, ret_error);

	if (r < 0) {
		return r;
	}
	for (unsigned i = 0; i < status.n_netvst; i++) {
		fprintf(f, "%s%s", i > 0 ? separator : "", prop_string(&status.netvst[i], "name", "?"));
	}
	n = (int)status.n_netvst;
	status_fini(&status);
	return n;
}

void client_explain_no_device(const char *device, const char *names, char ret_error[CLIENT_ERROR_MAX])
{
	if (*names) {
		snprintf(ret_error, CLIENT_ERROR_MAX, "there is no box '%s'; there is: %s", device, names);
	} else {
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"there is no box '%s', nor any other: add a [device NAME] section to ethlinkd.conf",
			device);
	}
}

void client_explain_no_netvst(const char *netvst, const char *names, char ret_error[CLIENT_ERROR_MAX])
{
	if (*names) {
		snprintf(ret_error, CLIENT_ERROR_MAX, "there is no NetVST section '%s'; there is: %s", netvst,
			names);
	} else {
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"there is no NetVST section '%s', nor any other: add [netvst %s] to ethlinkd.conf",
			netvst, netvst);
	}
}

/* What can be called by its name. */
struct kind {
	const char *folder;
	const char *interface;
	int (*print_names)(
		struct client *client, const char *separator, FILE *f, char ret_error[CLIENT_ERROR_MAX]);
	void (*explain)(const char *name, const char *names, char ret_error[CLIENT_ERROR_MAX]);
};

static const struct kind box = {
	CLIENT_DEVICES, CLIENT_DEVICE, client_print_devices, client_explain_no_device};
static const struct kind section = {
	CLIENT_NETVSTS, CLIENT_NETVST, client_print_netvst, client_explain_no_netvst};

static bool is_section(struct client *client, const char *name, char error[CLIENT_ERROR_MAX])
{
	struct status status;
	bool found;

	if (get_status(client, &status, error) < 0) {
		return false;
	}
	found = status_find_netvst(&status, name) >= 0;
	status_fini(&status);
	return found;
}

/* Or why the daemon does not tell which there are. */
static void explain_unknown(
	struct client *client, const struct kind *kind, const char *name, char ret_error[CLIENT_ERROR_MAX])
{
	char *names = NULL;
	size_t len;
	FILE *f = open_memstream(&names, &len);
	int n = f ? kind->print_names(client, ", ", f, ret_error) : -ENOMEM;

	if (!f || fclose(f) != 0) {
		snprintf(ret_error, CLIENT_ERROR_MAX, "there is no '%s'", name);
	} else if (n >= 0 && kind == &box && is_section(client, name, ret_error)) {
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"'%s' is no box but a NetVST section; see ethlinkctl netvst --help", name);
	} else if (n >= 0) {
		kind->explain(name, names, ret_error);
	}
	free(names);
}

/* The message is sent and ended in any case. */
static int send_call(struct client *client, const struct kind *kind, const char *name, const char *method,
	sd_bus_message *call, sd_bus_message **ret_reply, char ret_error[CLIENT_ERROR_MAX])
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_call(client->bus, call, client->timeout_ms * 1000ULL, &error, ret_reply);

	if (r < 0 && is_one_of(&error, SD_BUS_ERROR_UNKNOWN_OBJECT, SD_BUS_ERROR_UNKNOWN_METHOD)) {
		explain_unknown(client, kind, name, ret_error);
	} else if (r < 0) {
		client_explain(client, &error, -r, method, ret_error);
	}
	sd_bus_error_free(&error);
	sd_bus_message_unref(call);
	return r < 0 ? r : 0;
}

static int new_call(struct client *client, const struct kind *kind, const char *name, const char *interface,
	const char *method, sd_bus_message **ret_call)
{
	char *path = NULL;
	int r = sd_bus_path_encode(kind->folder, name, &path);

	if (r < 0) {
		return r;
	}
	r = sd_bus_message_new_method_call(
		client->bus, ret_call, client->destination, path, interface, method);
	free(path);
	return r;
}

int client_new_device_call(struct client *client, const char *device, const char *interface,
	const char *method, sd_bus_message **ret_call)
{
	return new_call(client, &box, device, interface, method, ret_call);
}

int client_new_netvst_call(struct client *client, const char *netvst, const char *interface,
	const char *method, sd_bus_message **ret_call)
{
	return new_call(client, &section, netvst, interface, method, ret_call);
}

static int call_with(struct client *client, const struct kind *kind, const char *name, const char *method,
	char ret_error[CLIENT_ERROR_MAX], const char *types, va_list ap)
{
	sd_bus_message *call = NULL;
	int r;

	r = new_call(client, kind, name, kind->interface, method, &call);
	if (r >= 0 && *types) {
		r = sd_bus_message_appendv(call, types, ap);
	}
	if (r < 0) {
		client_explain_bus(client, -r, ret_error);
		sd_bus_message_unref(call);
		return r;
	}
	return send_call(client, kind, name, method, call, NULL, ret_error);
}

int client_call_device(struct client *client, const char *device, const char *method,
	char ret_error[CLIENT_ERROR_MAX], const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = call_with(client, &box, device, method, ret_error, types, ap);
	va_end(ap);
	return r;
}

int client_call_netvst(struct client *client, const char *netvst, const char *method,
	char ret_error[CLIENT_ERROR_MAX], const char *types, ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = call_with(client, &section, netvst, method, ret_error, types, ap);
	va_end(ap);
	return r;
}

int client_get_device(struct client *client, const char *device, struct prop_list *ret_list,
	char ret_error[CLIENT_ERROR_MAX])
{
	sd_bus_message *call = NULL, *reply = NULL;
	int r;

	r = client_new_device_call(client, device, "org.freedesktop.DBus.Properties", "GetAll", &call);
	r = r < 0 ? r : sd_bus_message_append(call, "s", CLIENT_DEVICE);
	if (r < 0) {
		client_explain_bus(client, -r, ret_error);
		sd_bus_message_unref(call);
		return r;
	}
	r = send_call(client, &box, device, "GetAll", call, &reply, ret_error);
	if (r < 0) {
		return r;
	}
	r = prop_list_read(reply, ret_list);
	if (r < 0) {
		client_explain_unreadable(-r, ret_error);
	}
	sd_bus_message_unref(reply);
	return r;
}
