#include "daemon/bus-internal.h"

#include "daemon/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct bus_peer *find_peer(struct bus *bus, const sd_bus *sd)
{
	for (unsigned i = 0; i < BUS_PEERS_MAX; i++) {
		if (bus->peers[i].sd == sd) {
			return &bus->peers[i];
		}
	}
	return NULL;
}

/* Without waiting: who does not read would hold us up for as long as it likes. */
static void drop_peer(struct bus *bus, struct bus_peer *peer)
{
	sd_bus *sd = peer->sd;
	bool subscribed = peer->subscribed;

	sd_event_source_disable_unref(peer->begin);
	*peer = (struct bus_peer){0};
	sd_bus_close(sd);
	sd_bus_unref(sd);
	if (subscribed) {
		bus_subscribers_changed(bus);
	}
}

static bool reads(const struct bus_peer *peer)
{
	uint64_t waiting = 0;

	return sd_bus_get_n_queued_write(peer->sd, &waiting) < 0 || waiting <= BUS_PEER_QUEUE_MAX;
}

void bus_socket_sweep(struct bus *bus)
{
	for (unsigned i = 0; i < BUS_PEERS_MAX; i++) {
		if (bus->peers[i].sd && !reads(&bus->peers[i])) {
			log_notice("control socket: a program does not read what it is told; its connection "
				   "is closed");
			drop_peer(bus, &bus->peers[i]);
		}
	}
}

void bus_socket_subscribe(struct bus *bus, sd_bus *sd, bool on)
{
	struct bus_peer *peer = find_peer(bus, sd);

	if (peer) {
		peer->subscribed = on;
	}
}

static int on_disconnected(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus_peer *peer = find_peer(data, sd_bus_message_get_bus(m));

	if (peer) {
		drop_peer(data, peer);
	}
	return 0;
}

/*
 * Before each message. Who does not take the answers is not asked for more questions. And programs that know of nothing
 * but a bus want a name of it first.
 */
static int on_message(sd_bus_message *m, void *data, sd_bus_error *error)
{
	bus_socket_sweep(data);
	if (!find_peer(data, sd_bus_message_get_bus(m))) {
		return 1;
	}
	if (sd_bus_message_is_method_call(m, "org.freedesktop.DBus", "Hello")) {
		return sd_bus_reply_method_return(m, "s", ":1.1");
	}
	return 0;
}

static int on_begin(sd_event_source *source, void *data)
{
	struct bus_peer *peer = data;
	struct bus *bus = peer->bus;
	sd_bus *sd = sd_bus_ref(peer->sd);
	int r = sd_bus_process(sd, NULL);

	/* It may have been dropped meanwhile, and the source with it. */
	if (peer->sd == sd && r < 0) {
		drop_peer(bus, peer);
	} else if (peer->sd == sd && r == 0) {
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	sd_bus_unref(sd);
	return 0;
}

/* What came in one piece with the authentication would lie there until more comes. */
static int on_connected(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	sd_bus *sd = sd_bus_message_get_bus(m);
	struct bus_peer *peer = find_peer(bus, sd);

	if (peer && sd_event_add_defer(bus->manager->event, &peer->begin, on_begin, peer) >= 0) {
		(void)sd_event_source_set_priority(peer->begin, BUS_PRIORITY);
		(void)sd_event_source_set_enabled(peer->begin, SD_EVENT_ON);
	}
	return 0;
}

static int match_local(struct bus *bus, sd_bus *sd, const char *signal, sd_bus_message_handler_t handler)
{
	return sd_bus_match_signal(sd, NULL, NULL, "/org/freedesktop/DBus/Local",
		"org.freedesktop.DBus.Local", signal, handler, bus);
}

static int start_peer(struct bus *bus, sd_bus *sd, int fd)
{
	sd_id128_t id;
	int r;

	r = sd_id128_randomize(&id);
	r = r < 0 ? r : sd_bus_set_server(sd, 1, id);
	r = r < 0 ? r : sd_bus_set_anonymous(sd, true);
	r = r < 0 ? r : sd_bus_negotiate_fds(sd, false);
	r = r < 0 ? r : sd_bus_set_connected_signal(sd, true);
	r = r < 0 ? r : sd_bus_set_fd(sd, fd, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	/* The fd is sd-bus's from here on. */
	r = sd_bus_start(sd);
	r = r < 0 ? r : sd_bus_add_filter(sd, NULL, on_message, bus);
	r = r < 0 ? r : match_local(bus, sd, "Connected", on_connected);
	r = r < 0 ? r : match_local(bus, sd, "Disconnected", on_disconnected);
	return r < 0 ? r : bus_serve(bus, sd);
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

/* A free place; if need be that of who came first and has not said yet who it is. NULL: none. */
static struct bus_peer *make_room(struct bus *bus)
{
	struct bus_peer *oldest = NULL;
	struct bus_peer *peer = find_peer(bus, NULL);

	for (unsigned i = 0; !peer && i < BUS_PEERS_MAX; i++) {
		struct bus_peer *p = &bus->peers[i];

		if (sd_bus_is_ready(p->sd) <= 0 && (!oldest || p->number < oldest->number)) {
			oldest = p;
		}
	}
	if (oldest) {
		drop_peer(bus, oldest);
		peer = oldest;
	}
	return peer;
}

static int on_connection(sd_event_source *source, int listen_fd, uint32_t revents, void *data)
{
	struct bus *bus = data;
	struct bus_peer *peer;
	sd_bus *sd = NULL;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		return 0;
	}
	if (!peer_allowed(fd)) {
		log_debug("control socket: connection refused: another user's");
		close(fd);
		return 0;
	}
	peer = make_room(bus);
	if (!peer) {
		log_warning(
			"control socket: connection refused: %d are open already; close some", BUS_PEERS_MAX);
		close(fd);
		return 0;
	}
	if (sd_bus_new(&sd) < 0) {
		close(fd);
		return 0;
	}
	if (start_peer(bus, sd, fd) < 0) {
		sd_bus_close(sd);
		sd_bus_unref(sd);
		return 0;
	}
	*peer = (struct bus_peer){.bus = bus, .sd = sd, .number = bus->n_peers_ever++};
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
	r = r < 0 ? r
		  : sd_event_add_io(bus->manager->event, &bus->listen, bus->fd, EPOLLIN, on_connection, bus);
	return r < 0 ? r : sd_event_source_set_priority(bus->listen, BUS_PRIORITY);
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

int bus_socket_open(struct bus *bus)
{
	char folder[sizeof(bus->path) - 16];
	int r;

	r = folder_runtime(folder, sizeof(folder));
	if (r < 0) {
		log_error("the path of the runtime folder is too long for a socket; set RUNTIME_DIRECTORY to "
			  "a shorter one");
		return r;
	}
	r = lock_folder(bus, folder);
	if (r < 0) {
		return r;
	}
	snprintf(bus->path, sizeof(bus->path), "%s/control", folder);
	r = listen_on(bus);
	if (r < 0) {
		log_error("cannot listen on %s: %s", bus->path, strerror(-r));
	}
	return r;
}

void bus_socket_close(struct bus *bus)
{
	for (unsigned i = 0; i < BUS_PEERS_MAX; i++) {
		if (bus->peers[i].sd) {
			drop_peer(bus, &bus->peers[i]);
		}
	}
	sd_event_source_disable_unref(bus->listen);
	if (bus->path[0]) {
		(void)unlink(bus->path);
	}
	if (bus->fd >= 0) {
		close(bus->fd);
	}
	if (bus->lock_fd >= 0) {
		close(bus->lock_fd);
	}
}
