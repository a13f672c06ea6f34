#include "daemon/bus.h"

#include "daemon/device.h"
#include "daemon/folder.h"
#include "daemon/iface.h"
#include "daemon/manager.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define CLIENTS_MAX 16
#define OBJECT_PATH "/org/ethlinkd1"
#define MANAGER_INTERFACE "org.ethlinkd1.Manager"
#define ERROR_CONFIGURATION "org.ethlinkd1.Error.Configuration"

struct bus {
	struct manager *manager;
	int lock_fd;
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	sd_event_source *source;
	sd_bus *clients[CLIENTS_MAX];
};

static int append_sv(sd_bus_message *m, const char *key, const char *type, ...)
{
	va_list ap;
	int r;

	r = sd_bus_message_open_container(m, 'e', "sv");
	if (r < 0) {
		return r;
	}
	r = sd_bus_message_append(m, "s", key);
	if (r < 0) {
		return r;
	}
	r = sd_bus_message_open_container(m, 'v', type);
	if (r < 0) {
		return r;
	}
	va_start(ap, type);
	r = sd_bus_message_appendv(m, type, ap);
	va_end(ap);
	if (r < 0) {
		return r;
	}
	r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* An array of eight, one a channel. */
static int append_array(sd_bus_message *m, const char *key, char type, const void *items, size_t item_size)
{
	const char array_type[] = {'a', type, '\0'};
	int r;

	r = sd_bus_message_open_container(m, 'e', "sv");
	r = r < 0 ? r : sd_bus_message_append(m, "s", key);
	r = r < 0 ? r : sd_bus_message_open_container(m, 'v', array_type);
	r = r < 0 ? r : sd_bus_message_append_array(m, type, items, item_size * ETHLINK_CHANNELS);
	r = r < 0 ? r : sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_levels(sd_bus_message *m, struct device *d)
{
	int32_t gain_db[ETHLINK_CHANNELS];
	int mute[ETHLINK_CHANNELS];
	double peak_db[ETHLINK_CHANNELS];
	float peak[ETHLINK_CHANNELS];
	int r;

	engine_dac_take_peaks(d->dac, peak);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		gain_db[k] = d->conf->gain_db[k];
		mute[k] = d->conf->mute[k];
		peak_db[k] = isinf(peak[k]) ? 20.0 * log10((double)3.4e38f) : 20.0 * log10((double)peak[k]);
	}
	r = append_array(m, "gain_db", 'i', gain_db, sizeof(gain_db[0]));
	r = r < 0 ? r
		  : append_sv(m, "mute", "ab", ETHLINK_CHANNELS, mute[0], mute[1], mute[2], mute[3], mute[4],
			    mute[5], mute[6], mute[7]);
	return r < 0 ? r : append_array(m, "peak_dbfs", 'd', peak_db, sizeof(peak_db[0]));
}

static int append_device(sd_bus_message *m, struct device *d)
{
	const struct dac_report *report = engine_dac_report(d->dac);
	uint64_t full = atomic_load(&report->drops_ring_full);
	uint64_t refused = atomic_load(&report->drops_interface);
	/* The engine counts what it put into the ring; what the kernel then refused was not sent. */
	uint64_t sent = atomic_load(&report->frames_sent) - refused + d->probes;
	char mac[18];
	int r;

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", d->mac[0], d->mac[1], d->mac[2],
		d->mac[3], d->mac[4], d->mac[5]);
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	r = r < 0 ? r : append_sv(m, "name", "s", d->conf->name);
	r = r < 0 ? r : append_sv(m, "model", "s", ethlink_model_name(d->conf->model));
	r = r < 0 ? r : append_sv(m, "serial", "q", d->conf->serial);
	r = r < 0 ? r : append_sv(m, "mac", "s", mac);
	r = r < 0 ? r : append_sv(m, "interface", "s", d->conf->interface);
	r = r < 0 ? r : append_sv(m, "state", "s", device_state_to_string(d->state));
	r = r < 0 ? r : append_levels(m, d);
	r = r < 0 ? r : append_sv(m, "frames_sent", "t", sent);
	r = r < 0 ? r : append_sv(m, "frames_received", "t", UINT64_C(0));
	r = r < 0 ? r : append_sv(m, "frames_dropped", "t", full + refused);
	r = r < 0 ? r : append_sv(m, "replies", "t", d->replies);
	r = r < 0 ? r : append_sv(m, "latency_frames", "u", d->policy_ok ? d->policy.latency_frames : 0);
	r = r < 0 ? r : append_sv(m, "clock_ppm", "d", (double)NAN);
	r = r < 0 ? r : append_sv(m, "dropped_ring_full", "t", full);
	r = r < 0 ? r : append_sv(m, "dropped_interface", "t", refused);
	r = r < 0 ? r : append_sv(m, "frames_ignored", "t", d->iface->frames_ignored);
	r = r < 0 ? r : append_sv(m, "frames_overrun", "t", d->iface->rx_drops);
	r = r < 0 ? r : append_sv(m, "replies_foreign", "t", d->bad_replies);
	r = r < 0 ? r : append_sv(m, "probes", "t", d->probes);
	r = r < 0 ? r : append_sv(m, "resyncs", "t", atomic_load(&report->resyncs));
	r = r < 0 ? r : append_sv(m, "starts", "t", atomic_load(&report->starts));
	r = r < 0 ? r : append_sv(m, "streaming", "b", engine_dac_mode(d->dac) != DAC_IDLE);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_manager(sd_bus_message *m, struct manager *manager)
{
	struct backend_info info = {0};
	int r;

	if (manager->connected) {
		backend_get_info(manager->backend, &info);
	}
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	r = r < 0 ? r : append_sv(m, "version", "s", PACKAGE_VERSION);
	r = r < 0 ? r : append_sv(m, "backend", "s", manager->backend->ops->name);
	r = r < 0 ? r : append_sv(m, "connected", "b", manager->connected);
	r = r < 0 ? r : append_sv(m, "sample_rate", "u", info.rate_hz);
	r = r < 0 ? r : append_sv(m, "period", "u", info.period_frames);
	r = r < 0 ? r : append_sv(m, "xruns", "t", info.xruns);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int on_get_status(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	struct manager *manager = bus->manager;
	sd_bus_message *reply = NULL;
	int r;

	r = sd_bus_message_new_method_return(call, &reply);
	r = r < 0 ? r : append_manager(reply, manager);
	r = r < 0 ? r : sd_bus_message_open_container(reply, 'a', "a{sv}");
	for (unsigned i = 0; r >= 0 && i < manager->n_devices; i++) {
		if (!manager->devices[i]->leaving) {
			r = append_device(reply, manager->devices[i]);
		}
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
		sd_bus_error_set(error, r == -EINVAL ? ERROR_CONFIGURATION : SD_BUS_ERROR_FAILED,
			lines ? lines : strerror(-r));
		free(lines);
		return -EINVAL;
	}
	return sd_bus_reply_method_return(call, "");
}

static const sd_bus_vtable manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("GetStatus", "", "a{sv}aa{sv}", on_get_status, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Reload", "", "", on_reload, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static void drop_client(struct bus *bus, sd_bus *client)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		if (bus->clients[i] == client) {
			bus->clients[i] = NULL;
			sd_bus_close(client);
			sd_bus_unref(client);
			return;
		}
	}
}

static int on_disconnected(sd_bus_message *m, void *data, sd_bus_error *error)
{
	drop_client(data, sd_bus_message_get_bus(m));
	return 0;
}

static int start_client(struct bus *bus, sd_bus *client, int fd)
{
	sd_id128_t id;
	int r;

	r = sd_id128_randomize(&id);
	r = r < 0 ? r : sd_bus_set_server(client, 1, id);
	/* The fd is sd-bus's from here on, also where a later step fails. */
	r = r < 0 ? r : sd_bus_set_fd(client, fd, fd);
	r = r < 0 ? r : sd_bus_set_anonymous(client, true);
	r = r < 0 ? r : sd_bus_negotiate_creds(client, true, SD_BUS_CREDS_PID | SD_BUS_CREDS_UID);
	r = r < 0 ? r : sd_bus_start(client);
	r = r < 0 ? r
		  : sd_bus_add_object_vtable(
			    client, NULL, OBJECT_PATH, MANAGER_INTERFACE, manager_vtable, bus);
	r = r < 0 ? r
		  : sd_bus_match_signal(client, NULL, NULL, "/org/freedesktop/DBus/Local",
			    "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, bus);
	return r < 0 ? r : sd_bus_attach_event(client, bus->manager->event, 0);
}

static bool peer_allowed(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		return false;
	}
	return cred.uid == 0 || cred.uid == geteuid();
}

static int on_connection(sd_event_source *source, int listen_fd, uint32_t revents, void *data)
{
	struct bus *bus = data;
	sd_bus *client = NULL;
	unsigned slot = 0;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		return 0;
	}
	while (slot < CLIENTS_MAX && bus->clients[slot]) {
		slot++;
	}
	if (slot == CLIENTS_MAX || !peer_allowed(fd)) {
		log_debug("control socket: connection refused: %s",
			slot == CLIENTS_MAX ? "too many are open" : "another user's");
		close(fd);
		return 0;
	}
	if (sd_bus_new(&client) < 0) {
		close(fd);
		return 0;
	}
	if (start_client(bus, client, fd) < 0) {
		sd_bus_unref(client);
		return 0;
	}
	bus->clients[slot] = client;
	return 0;
}

static int listen_on(struct bus *bus)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	mode_t mask;
	int r;

	memcpy(addr.sun_path, bus->path, sizeof(addr.sun_path));
	bus->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bus->fd < 0) {
		return -errno;
	}
	(void)unlink(bus->path);
	mask = umask(0177);
	r = bind(bus->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	umask(mask);
	if (r >= 0 && listen(bus->fd, 8) < 0) {
		r = -errno;
	}
	return r;
}

/* The lock tells a socket that a daemon serves from one that a killed daemon left behind. */
static int lock_folder(struct bus *bus, const char *folder)
{
	char path[sizeof(bus->path) + 8];

	if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
		log_error("cannot make the folder %s: %s; create it for this user, or set RUNTIME_DIRECTORY",
			folder, strerror(errno));
		return -errno;
	}
	snprintf(path, sizeof(path), "%s/lock", folder);
	bus->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (bus->lock_fd < 0) {
		log_error("cannot write in the folder %s: %s; give it to this user, or set RUNTIME_DIRECTORY",
			folder, strerror(errno));
		return -errno;
	}
	if (flock(bus->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		log_error("another ethlinkd runs with the folder %s; stop it, or set RUNTIME_DIRECTORY to "
			  "another folder",
			folder);
		return -EBUSY;
	}
	return 0;
}

int bus_new(struct manager *m, struct bus **ret_bus)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	char folder[sizeof(bus->path) - 16];
	int r;

	if (!bus) {
		return -ENOMEM;
	}
	bus->manager = m;
	bus->fd = -1;
	bus->lock_fd = -1;
	r = folder_runtime(folder, sizeof(folder));
	if (r < 0) {
		log_error("the path of the runtime folder is too long for a socket; set RUNTIME_DIRECTORY to "
			  "a shorter one");
	} else {
		r = lock_folder(bus, folder);
	}
	if (r >= 0) {
		snprintf(bus->path, sizeof(bus->path), "%s/control", folder);
		r = listen_on(bus);
		r = r < 0 ? r : sd_event_add_io(m->event, &bus->source, bus->fd, EPOLLIN, on_connection, bus);
		if (r < 0) {
			log_error("cannot listen on %s: %s", bus->path, strerror(-r));
			(void)unlink(bus->path);
		}
	}
	if (r < 0) {
		bus->path[0] = '\0';
		bus_free(bus);
		return r;
	}
	*ret_bus = bus;
	return 0;
}

void bus_free(struct bus *bus)
{
	if (!bus) {
		return;
	}
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		sd_bus_flush_close_unref(bus->clients[i]);
	}
	sd_event_source_disable_unref(bus->source);
	if (bus->path[0]) {
		(void)unlink(bus->path);
	}
	if (bus->fd >= 0) {
		close(bus->fd);
	}
	if (bus->lock_fd >= 0) {
		close(bus->lock_fd);
	}
	free(bus);
}

void bus_device_changed(struct bus *bus, struct device *d, unsigned changes)
{
}

void bus_manager_changed(struct bus *bus)
{
}

void bus_device_added(struct bus *bus, struct device *d)
{
}

void bus_device_removed(struct bus *bus, struct device *d)
{
}
