#include "ctl/client-watch.h"

#include "base/util.h"
#include "ctl/client-entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

struct client_watch {
	sd_event *event;
	sd_event_source *retry;
	sd_event_source *deadline; /* of the first answers on a connection */
	enum client_way way;
	const char *path;
	const struct client_watch_handler *handler;
	void *data;
	struct client client; /* bus: NULL while there is no connection */
	bool joined;
	bool told_lost;
	bool read_again; /* boxes came or went while they were read */
	struct client_daemon daemon;
	struct client_entries list;
	struct client_entries fresh; /* is being read: those up to n_read are */
	unsigned n_read;
	struct client_entries sections; /* these are read all at once */
	bool reading;
	char error[CLIENT_ERROR_MAX];
};

/* Ends the connection, says why, and has it tried again. */
static void lose(struct client_watch *watch, const char *why)
{
	sd_event_source_set_enabled(watch->deadline, SD_EVENT_OFF);
	if (watch->client.bus) {
		sd_bus_detach_event(watch->client.bus);
		client_close(&watch->client);
	}
	client_entries_fini(&watch->fresh);
	watch->reading = false;
	watch->joined = false;
	sd_event_source_set_time_relative(watch->retry, CLIENT_WATCH_RETRY_MS * 1000ULL);
	sd_event_source_set_enabled(watch->retry, SD_EVENT_ONESHOT);
	if (!watch->told_lost) {
		watch->told_lost = true;
		if (watch->handler->lost) {
			watch->handler->lost(watch, why, watch->data);
		}
	}
}

static void lose_errno(struct client_watch *watch, int err)
{
	client_explain_bus(&watch->client, err, watch->error);
	lose(watch, watch->error);
}

/* true: the answer is an error, and the connection has been ended for it. */
static bool has_failed(struct client_watch *watch, sd_bus_message *reply, const char *method)
{
	if (!sd_bus_message_is_method_error(reply, NULL)) {
		return false;
	}
	client_explain(&watch->client, sd_bus_message_get_error(reply), sd_bus_message_get_errno(reply),
		method, watch->error);
	lose(watch, watch->error);
	return true;
}

static void tell_changed(struct client_watch *watch)
{
	if (watch->joined && watch->handler->changed) {
		watch->handler->changed(watch, watch->data);
	}
}

static void read_list(struct client_watch *watch);

static void end_reading(struct client_watch *watch)
{
	watch->reading = false;
	sd_event_source_set_enabled(watch->deadline, SD_EVENT_OFF);
	if (watch->read_again) {
		read_list(watch);
		return;
	}
	client_entries_take_over(&watch->list, &watch->fresh);
	if (watch->joined) {
		tell_changed(watch);
		return;
	}
	watch->joined = true;
	watch->told_lost = false;
	if (watch->handler->joined) {
		watch->handler->joined(watch, watch->data);
	}
}

/* --- NetVST sections --- */

static int on_sections_read(sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct client_watch *watch = data;
	struct client_entries fresh = {0};
	int r = 0;

	/* A daemon that does not tell all of it has none. */
	if (!sd_bus_message_is_method_error(reply, SD_BUS_ERROR_UNKNOWN_METHOD)) {
		if (has_failed(watch, reply, "GetManagedObjects")) {
			return 1;
		}
		r = client_entries_read_netvst(reply, &fresh);
	}
	if (r < 0) {
		client_entries_fini(&fresh);
		client_explain_unreadable(-r, watch->error);
		lose(watch, watch->error);
		return 1;
	}
	client_entries_take_over(&watch->sections, &fresh);
	end_reading(watch);
	return 1;
}

static void call_sections(struct client_watch *watch)
{
	int r = sd_bus_call_method_async(watch->client.bus, NULL, watch->client.destination, CLIENT_OBJECT,
		OBJECT_MANAGER, "GetManagedObjects", on_sections_read, watch, NULL);

	if (r < 0) {
		lose_errno(watch, -r);
	}
}

/* --- boxes --- */

static void read_next(struct client_watch *watch);

static int on_device_read(sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct client_watch *watch = data;
	struct prop_list list;
	int r;

	if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_UNKNOWN_OBJECT)) {
		/* It has gone since it was listed. */
		client_entries_remove(&watch->fresh, watch->n_read);
		read_next(watch);
		return 1;
	}
	if (has_failed(watch, reply, "GetAll")) {
		return 1;
	}
	r = prop_list_read(reply, &list);
	if (r >= 0) {
		r = client_device_apply(&watch->fresh.entries[watch->n_read]->device, &list);
		prop_list_fini(&list);
	}
	if (r < 0) {
		client_explain_unreadable(-r, watch->error);
		lose(watch, watch->error);
		return 1;
	}
	watch->n_read++;
	read_next(watch);
	return 1;
}

static int call_get_all(struct client_watch *watch, const char *path, const char *interface,
	sd_bus_message_handler_t callback)
{
	return sd_bus_call_method_async(watch->client.bus, NULL, watch->client.destination, path, PROPERTIES,
		"GetAll", callback, watch, "s", interface);
}

static void read_next(struct client_watch *watch)
{
	int r;

	if (watch->n_read == watch->fresh.n) {
		call_sections(watch);
		return;
	}
	r = call_get_all(watch, watch->fresh.entries[watch->n_read]->path, CLIENT_DEVICE, on_device_read);
	if (r < 0) {
		lose_errno(watch, -r);
	}
}

static int on_listed(sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct client_watch *watch = data;
	const char *path;
	int r;

	if (has_failed(watch, reply, "ListDevices")) {
		return 1;
	}
	client_entries_fini(&watch->fresh);
	r = sd_bus_message_enter_container(reply, 'a', "(so)");
	while (r >= 0 && (r = sd_bus_message_read(reply, "(so)", NULL, &path)) > 0) {
		r = client_entries_add(&watch->fresh, path);
	}
	if (r < 0) {
		client_explain_unreadable(-r, watch->error);
		lose(watch, watch->error);
		return 1;
	}
	watch->n_read = 0;
	read_next(watch);
	return 1;
}

static void read_list(struct client_watch *watch)
{
	int r;

	watch->reading = true;
	watch->read_again = false;
	r = sd_bus_call_method_async(watch->client.bus, NULL, watch->client.destination, CLIENT_OBJECT,
		CLIENT_MANAGER, "ListDevices", on_listed, watch, NULL);
	if (r < 0) {
		lose_errno(watch, -r);
	}
}

static int apply_daemon(struct client_watch *watch, const struct prop_list *list)
{
	struct client_daemon *daemon = &watch->daemon;
	const char *version = prop_string(list, "Version", NULL);
	const char *backend = prop_string(list, "Backend", NULL);

	if (version) {
		free(daemon->version);
		daemon->version = strdup(version);
	}
	if (backend) {
		free(daemon->backend);
		daemon->backend = strdup(backend);
	}
	daemon->connected = prop_bool(list, "Connected", daemon->connected);
	daemon->rate_hz = (unsigned)prop_unsigned(list, "SampleRate", daemon->rate_hz);
	daemon->period_frames = (unsigned)prop_unsigned(list, "Period", daemon->period_frames);
	return (version && !daemon->version) || (backend && !daemon->backend) ? -ENOMEM : 0;
}

static int on_daemon_read(sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct client_watch *watch = data;
	struct prop_list list;
	int r;

	if (has_failed(watch, reply, "GetAll")) {
		return 1;
	}
	r = prop_list_read(reply, &list);
	if (r >= 0) {
		r = apply_daemon(watch, &list);
		prop_list_fini(&list);
	}
	if (r < 0) {
		client_explain_unreadable(-r, watch->error);
		lose(watch, watch->error);
	}
	return 1;
}

static int on_subscribed(sd_bus_message *reply, void *data, sd_bus_error *error)
{
	(void)has_failed(data, reply, "Subscribe");
	return 1;
}

/* Changed values of the daemon, of a box or of a section. */
static int on_properties(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct client_watch *watch = data;
	const char *interface, *path = sd_bus_message_get_path(m);
	struct client_entry *entry = client_entries_find(&watch->list, path);
	struct client_entry *fresh = client_entries_find(&watch->fresh, path);
	struct client_entry *section = client_entries_find(&watch->sections, path);
	struct prop_list list;
	int r;

	if (sd_bus_message_read(m, "s", &interface) < 0 || prop_list_read(m, &list) < 0) {
		return 0;
	}
	r = 0;
	if (strcmp(interface, CLIENT_MANAGER) == 0) {
		r = apply_daemon(watch, &list);
	} else if (strcmp(interface, CLIENT_DEVICE) == 0) {
		r = entry ? client_device_apply(&entry->device, &list) : 0;
		r = r >= 0 && fresh ? client_device_apply(&fresh->device, &list) : r;
	} else if (strcmp(interface, CLIENT_NETVST) == 0) {
		r = section ? client_netvst_apply(&section->netvst, &list) : 0;
	}
	prop_list_fini(&list);
	if (r < 0) {
		lose_errno(watch, -r);
		return 0;
	}
	tell_changed(watch);
	return 0;
}

static int on_peaks(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct client_watch *watch = data;
	struct client_entry *entry = client_entries_find(&watch->list, sd_bus_message_get_path(m));

	if (entry && watch->joined && client_device_read_peaks(&entry->device, m) >= 0 &&
		watch->handler->peaks) {
		watch->handler->peaks(watch, &entry->device, watch->data);
	}
	return 0;
}

static int on_netvst_peaks(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct client_watch *watch = data;
	struct client_entry *entry = client_entries_find(&watch->sections, sd_bus_message_get_path(m));

	if (entry && watch->joined && client_netvst_read_peaks(&entry->netvst, m, now_ns()) >= 0 &&
		watch->handler->netvst_peaks) {
		watch->handler->netvst_peaks(watch, &entry->netvst, watch->data);
	}
	return 0;
}

static int on_interfaces(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct client_watch *watch = data;

	if (watch->reading) {
		watch->read_again = true;
	} else if (watch->joined) {
		read_list(watch);
	}
	return 0;
}

static int on_disconnected(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct client_watch *watch = data;

	lose(watch, watch->joined ? "ethlinkd has ended"
				  : "ethlinkd closed the connection; does it run as another user than you?");
	return 0;
}

/* On a bus, the connection outlives the daemon. */
static int on_owner_changed(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const char *name, *new_owner;

	if (sd_bus_message_read(m, "sss", &name, NULL, &new_owner) >= 0 && !*new_owner) {
		lose(data, "ethlinkd has ended");
	}
	return 0;
}

static int add_matches(struct client_watch *watch)
{
	static const struct {
		const char *interface;
		const char *member;
		sd_bus_message_handler_t callback;
	} signals[] = {
		{PROPERTIES, "PropertiesChanged", on_properties},
		{OBJECT_MANAGER, "InterfacesAdded", on_interfaces},
		{OBJECT_MANAGER, "InterfacesRemoved", on_interfaces},
		{CLIENT_DEVICE, "Peaks", on_peaks},
		{CLIENT_NETVST, "Peaks", on_netvst_peaks},
	};
	struct client *client = &watch->client;
	int r;

	r = sd_bus_match_signal(client->bus, NULL, NULL, "/org/freedesktop/DBus/Local",
		"org.freedesktop.DBus.Local", "Disconnected", on_disconnected, watch);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(signals); i++) {
		r = sd_bus_match_signal_async(client->bus, NULL, client->destination, NULL,
			signals[i].interface, signals[i].member, signals[i].callback, NULL, watch);
	}
	if (r >= 0 && client->destination) {
		r = sd_bus_add_match_async(client->bus, NULL,
			"type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
			"member='NameOwnerChanged',arg0='org.ethlinkd1'",
			on_owner_changed, NULL, watch);
	}
	return r;
}

static void try_connection(struct client_watch *watch)
{
	int r;

	r = client_start(&watch->client, watch->way, watch->path, CLIENT_TIMEOUT_MS, watch->error);
	if (r < 0) {
		lose(watch, watch->error);
		return;
	}
	r = sd_bus_attach_event(watch->client.bus, watch->event, SD_EVENT_PRIORITY_NORMAL);
	r = r < 0 ? r : add_matches(watch);
	r = r < 0 ? r
		  : sd_bus_call_method_async(watch->client.bus, NULL, watch->client.destination,
			    CLIENT_OBJECT, CLIENT_MANAGER, "Subscribe", on_subscribed, watch, NULL);
	r = r < 0 ? r : call_get_all(watch, CLIENT_OBJECT, CLIENT_MANAGER, on_daemon_read);
	r = r < 0 ? r : sd_event_source_set_time_relative(watch->deadline, CLIENT_TIMEOUT_MS * 1000ULL);
	r = r < 0 ? r : sd_event_source_set_enabled(watch->deadline, SD_EVENT_ONESHOT);
	if (r < 0) {
		lose_errno(watch, -r);
		return;
	}
	read_list(watch);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
	try_connection(data);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *data)
{
	lose_errno(data, ETIMEDOUT);
	return 0;
}

int client_watch_new(sd_event *event, enum client_way way, const char *path,
	const struct client_watch_handler *handler, void *data, struct client_watch **ret_watch)
{
	struct client_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch) {
		return -ENOMEM;
	}
	watch->event = sd_event_ref(event);
	watch->way = way;
	watch->path = path;
	watch->handler = handler;
	watch->data = data;
	r = sd_event_add_time_relative(event, &watch->retry, CLOCK_MONOTONIC, 0, 0, on_retry, watch);
	r = r < 0 ? r
		  : sd_event_add_time_relative(
			    event, &watch->deadline, CLOCK_MONOTONIC, UINT64_MAX / 2, 0, on_deadline, watch);
	r = r < 0 ? r : sd_event_source_set_enabled(watch->deadline, SD_EVENT_OFF);
	if (r < 0) {
		client_watch_free(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

void client_watch_free(struct client_watch *watch)
{
	if (!watch) {
		return;
	}
	if (watch->client.bus) {
		sd_bus_detach_event(watch->client.bus);
		client_close(&watch->client);
	}
	sd_event_source_disable_unref(watch->retry);
	sd_event_source_disable_unref(watch->deadline);
	sd_event_unref(watch->event);
	client_entries_fini(&watch->list);
	client_entries_fini(&watch->fresh);
	client_entries_fini(&watch->sections);
	free(watch->daemon.version);
	free(watch->daemon.backend);
	free(watch);
}

bool client_watch_is_joined(const struct client_watch *watch)
{
	return watch->joined;
}

const struct client_daemon *client_watch_daemon(const struct client_watch *watch)
{
	return &watch->daemon;
}

unsigned client_watch_n_devices(const struct client_watch *watch)
{
	return watch->list.n;
}

const struct client_device *client_watch_device(const struct client_watch *watch, unsigned i)
{
	return &watch->list.entries[i]->device;
}

unsigned client_watch_n_netvst(const struct client_watch *watch)
{
	return watch->sections.n;
}

const struct client_netvst *client_watch_netvst(const struct client_watch *watch, unsigned i)
{
	return &watch->sections.entries[i]->netvst;
}

static int on_called(sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct client_watch *watch = data;

	if (sd_bus_message_is_method_error(reply, NULL) && watch->handler->refused) {
		client_explain(&watch->client, sd_bus_message_get_error(reply),
			sd_bus_message_get_errno(reply), "the change", watch->error);
		watch->handler->refused(watch, watch->error, watch->data);
	}
	return 1;
}

/* call is ended in any case; r: how it was made. */
static int send_call(struct client_watch *watch, sd_bus_message *call, int r, const char *types, va_list ap)
{
	if (r >= 0 && *types) {
		r = sd_bus_message_appendv(call, types, ap);
	}
	r = r < 0 ? r
		  : sd_bus_call_async(
			    watch->client.bus, NULL, call, on_called, watch, CLIENT_TIMEOUT_MS * 1000ULL);
	sd_bus_message_unref(call);
	return r < 0 ? r : 0;
}

int client_watch_call(
	struct client_watch *watch, const char *device, const char *method, const char *types, ...)
{
	sd_bus_message *call = NULL;
	va_list ap;
	int r;

	if (!watch->joined) {
		return -ENOTCONN;
	}
	r = client_new_device_call(&watch->client, device, CLIENT_DEVICE, method, &call);
	va_start(ap, types);
	r = send_call(watch, call, r, types, ap);
	va_end(ap);
	return r;
}

int client_watch_call_netvst(
	struct client_watch *watch, const char *netvst, const char *method, const char *types, ...)
{
	sd_bus_message *call = NULL;
	va_list ap;
	int r;

	if (!watch->joined) {
		return -ENOTCONN;
	}
	r = client_new_netvst_call(&watch->client, netvst, CLIENT_NETVST, method, &call);
	va_start(ap, types);
	r = send_call(watch, call, r, types, ap);
	va_end(ap);
	return r;
}
