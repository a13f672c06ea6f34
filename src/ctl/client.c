#include "ctl/client.h"

#include "base/util.h"

#include <errno.h>
#include <glob.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME "org.ethlinkd1"
#define BUS_SEARCH_MS 1000
#define START "start it (see ethlinkd(8))"

#define PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

static unsigned add_path(char paths[CLIENT_SOCKETS_MAX][PATH_SIZE], unsigned n, const char *folder,
	size_t len, const char *below)
{
	if (len == 0 || len + strlen(below) >= PATH_SIZE) {
		return n;
	}
	memcpy(paths[n], folder, len);
	strcpy(paths[n] + len, below);
	return n + 1;
}

unsigned client_socket_paths(char ret_paths[CLIENT_SOCKETS_MAX][PATH_SIZE])
{
	const char *runtime = getenv("RUNTIME_DIRECTORY");
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	const struct passwd *user;
	char below[64];
	unsigned n = 0;

	if (runtime) {
		/* systemd separates several folders by colons. */
		n = add_path(ret_paths, n, runtime, strcspn(runtime, ":"), "/control");
	}
	if (xdg) {
		n = add_path(ret_paths, n, xdg, strlen(xdg), "/ethlinkd/control");
	}
	n = add_path(ret_paths, n, "/run", strlen("/run"), "/ethlinkd/control");
	/* The system service of a user has its folder below that. */
	user = getpwuid(geteuid());
	if (user && snprintf(below, sizeof(below), "/%s/control", user->pw_name) < (int)sizeof(below)) {
		n = add_path(ret_paths, n, "/run/ethlinkd", strlen("/run/ethlinkd"), below);
	}
	return n;
}

/* The connected socket or -errno. Without blocking: a daemon that hangs leaves its backlog full. */
static int connect_socket(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		return -ENAMETOOLONG;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		err = errno;
		close(fd);
		return -err;
	}
	return fd;
}

static void explain_socket(int err, const char *path, char ret_error[CLIENT_ERROR_MAX])
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		snprintf(ret_error, CLIENT_ERROR_MAX, "ethlinkd does not run: there is no socket %s; " START,
			path);
		break;
	case ECONNREFUSED:
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"ethlinkd does not run any more: nobody listens at %s; " START, path);
		break;
	case EACCES:
	case EPERM:
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"the socket %s is not open to you; run ethlinkctl as the user that ethlinkd runs as",
			path);
		break;
	case EAGAIN:
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"ethlinkd takes no more connections at %s; it may hang: restart it", path);
		break;
	case ENAMETOOLONG:
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"the path of a socket has %zu bytes at most, and %.64s... is longer", PATH_SIZE - 1,
			path);
		break;
	default:
		snprintf(ret_error, CLIENT_ERROR_MAX, "the socket %s does not take a connection: %s", path,
			strerror(err));
	}
}

/* Root may look at the service of any user: the first that there is. -ENOENT: none. */
static int search_services(void)
{
	int fd = -ENOENT;
	glob_t found;

	if (geteuid() != 0 || glob("/run/ethlinkd/*/control", 0, NULL, &found) != 0) {
		return fd;
	}
	for (size_t i = 0; i < found.gl_pathc && fd < 0; i++) {
		fd = connect_socket(found.gl_pathv[i]);
	}
	globfree(&found);
	return fd < 0 ? -ENOENT : fd;
}

/* The first place where there is a daemon; else what is wrong with the first where there is anything. */
static int search_socket(char ret_error[CLIENT_ERROR_MAX])
{
	char paths[CLIENT_SOCKETS_MAX][PATH_SIZE];
	unsigned n = client_socket_paths(paths);
	int first = 0;
	size_t len;

	for (unsigned i = 0; i < n; i++) {
		int fd = connect_socket(paths[i]);

		if (fd >= 0) {
			return fd;
		}
		if (first == 0 && fd != -ENOENT && fd != -ENOTDIR) {
			explain_socket(-fd, paths[i], ret_error);
			first = fd;
		}
	}
	if (first < 0) {
		return first;
	}
	first = search_services();
	if (first >= 0) {
		return first;
	}
	len = (size_t)snprintf(ret_error, CLIENT_ERROR_MAX, "ethlinkd does not run: there is no socket ");
	for (unsigned i = 0; i < n; i++) {
		len += (size_t)snprintf(ret_error + len, CLIENT_ERROR_MAX - len, "%s%s",
			i == 0	    ? ""
			: i + 1 < n ? ", "
				    : " or ",
			paths[i]);
	}
	snprintf(ret_error + len, CLIENT_ERROR_MAX - len, "; " START);
	return -ENOENT;
}

/* sd-bus itself would wait for a silent partner for one and a half minutes. */
static int wait_ready(sd_bus *bus, unsigned timeout_ms)
{
	const int64_t deadline_ns = now_ns() + timeout_ms * NSEC_PER_MSEC;

	for (;;) {
		int64_t left_ns = deadline_ns - now_ns();
		int r = sd_bus_process(bus, NULL);

		if (r < 0) {
			return r;
		}
		r = sd_bus_is_ready(bus);
		if (r != 0) {
			return r < 0 ? r : 0;
		}
		if (left_ns <= 0) {
			return -ETIMEDOUT;
		}
		r = sd_bus_wait(bus, (uint64_t)(left_ns / NSEC_PER_USEC) + 1);
		if (r < 0 && r != -EINTR) {
			return r;
		}
	}
}

/* The fd is taken over in any case. */
static int start_fd(struct client *client, int fd)
{
	int r;

	r = sd_bus_new(&client->bus);
	if (r < 0) {
		close(fd);
		return r;
	}
	r = sd_bus_set_fd(client->bus, fd, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	r = sd_bus_set_bus_client(client->bus, 0);
	return r < 0 ? r : sd_bus_start(client->bus);
}

/* 0 where somebody on the bus has the daemon's name. */
static int find_name(sd_bus *bus)
{
	sd_bus_message *call = NULL, *reply = NULL;
	int has_owner = 0;
	int r;

	r = wait_ready(bus, BUS_SEARCH_MS);
	r = r < 0 ? r
		  : sd_bus_message_new_method_call(bus, &call, "org.freedesktop.DBus",
			    "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner");
	r = r < 0 ? r : sd_bus_message_append(call, "s", NAME);
	r = r < 0 ? r : sd_bus_call(bus, call, BUS_SEARCH_MS * 1000ULL, NULL, &reply);
	r = r < 0 ? r : sd_bus_message_read(reply, "b", &has_owner);
	sd_bus_message_unref(call);
	sd_bus_message_unref(reply);
	return r < 0 ? r : has_owner ? 0 : -ENOENT;
}

/* Asks first, as a call would start a daemon that nobody has asked for. */
static int search_buses(struct client *client)
{
	int r = -ENOENT;

	client->destination = NAME;
	for (int system = 0; system < 2 && r < 0; system++) {
		r = system ? sd_bus_open_system(&client->bus) : sd_bus_open_user(&client->bus);
		r = r < 0 ? r : find_name(client->bus);
		if (r < 0) {
			client_close(client);
		}
	}
	return r;
}

static int start_bus(struct client *client, bool system, char ret_error[CLIENT_ERROR_MAX])
{
	int r;

	client->destination = NAME;
	r = system ? sd_bus_open_system(&client->bus) : sd_bus_open_user(&client->bus);
	if (r < 0) {
		client_explain_bus(client, -r, ret_error);
	}
	return r;
}

int client_start(struct client *client, enum client_way way, const char *path, unsigned timeout_ms,
	char ret_error[CLIENT_ERROR_MAX])
{
	int fd, r;

	*client = (struct client){.way = way, .timeout_ms = timeout_ms};
	if (way == CLIENT_USER || way == CLIENT_SYSTEM) {
		r = start_bus(client, way == CLIENT_SYSTEM, ret_error);
		if (r < 0) {
			client_close(client);
		}
		return r;
	}
	if (way == CLIENT_SEARCH) {
		fd = search_socket(ret_error);
		if (fd < 0 && search_buses(client) >= 0) {
			return 0;
		}
		client->destination = NULL;
	} else {
		fd = connect_socket(path);
		if (fd < 0) {
			explain_socket(-fd, path, ret_error);
		}
	}
	if (fd < 0) {
		return fd;
	}
	r = start_fd(client, fd);
	if (r < 0) {
		client_explain_bus(client, -r, ret_error);
		client_close(client);
	}
	return r;
}

/* What client_start() began. */
static int finish_start(struct client *client, char ret_error[CLIENT_ERROR_MAX])
{
	int r = wait_ready(client->bus, client->timeout_ms);

	if (r < 0) {
		client_explain_bus(client, -r, ret_error);
		client_close(client);
	}
	return r;
}

int client_open(struct client *client, enum client_way way, const char *path, unsigned timeout_ms,
	char ret_error[CLIENT_ERROR_MAX])
{
	int r = client_start(client, way, path, timeout_ms, ret_error);

	return r < 0 ? r : finish_start(client, ret_error);
}

int client_open_fd(struct client *client, int fd, unsigned timeout_ms, char ret_error[CLIENT_ERROR_MAX])
{
	int r;

	*client = (struct client){.way = CLIENT_SOCKET, .timeout_ms = timeout_ms};
	r = start_fd(client, fd);
	if (r < 0) {
		client_explain_bus(client, -r, ret_error);
		client_close(client);
		return r;
	}
	return finish_start(client, ret_error);
}

void client_close(struct client *client)
{
	client->bus = sd_bus_close_unref(client->bus);
}
