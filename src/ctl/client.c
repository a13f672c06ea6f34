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
#define OBJECT "/org/ethlinkd1"
#define INTERFACE "org.ethlinkd1.Manager"
#define ERROR_CONFIGURATION "org.ethlinkd1.Error.Configuration"
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

static void explain_bus(int err, char ret_error[CLIENT_ERROR_MAX])
{
	if (err == ETIMEDOUT) {
		snprintf(ret_error, CLIENT_ERROR_MAX, "ethlinkd does not answer; it may hang: restart it");
	} else if (err == ECONNRESET || err == EPIPE || err == ENOTCONN) {
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"ethlinkd closed the connection; does it run as another user than you?");
	} else {
		snprintf(ret_error, CLIENT_ERROR_MAX, "the connection to ethlinkd failed: %s", strerror(err));
	}
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

static int start_bus(struct client *client, int fd)
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
	if (r < 0) {
		return r;
	}
	r = sd_bus_start(client->bus);
	return r < 0 ? r : wait_ready(client->bus, client->timeout_ms);
}

int client_open_fd(struct client *client, int fd, unsigned timeout_ms, char ret_error[CLIENT_ERROR_MAX])
{
	int r;

	*client = (struct client){.timeout_ms = timeout_ms};
	r = start_bus(client, fd);
	if (r < 0) {
		explain_bus(-r, ret_error);
		client_close(client);
	}
	return r;
}

static int open_bus(struct client *client, bool system, unsigned timeout_ms, char ret_error[CLIENT_ERROR_MAX])
{
	int r;

	*client = (struct client){.destination = NAME, .timeout_ms = timeout_ms};
	r = system ? sd_bus_open_system(&client->bus) : sd_bus_open_user(&client->bus);
	if (r >= 0) {
		r = wait_ready(client->bus, timeout_ms);
	}
	if (r < 0) {
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"the %s bus cannot be reached: %s; leave --%s out to use the socket",
			system ? "system" : "session", strerror(-r), system ? "system" : "user");
		client_close(client);
	}
	return r;
}

int client_open(struct client *client, enum client_way way, const char *path, unsigned timeout_ms,
	char ret_error[CLIENT_ERROR_MAX])
{
	int fd;

	if (way == CLIENT_USER || way == CLIENT_SYSTEM) {
		return open_bus(client, way == CLIENT_SYSTEM, timeout_ms, ret_error);
	}
	if (way == CLIENT_SEARCH) {
		fd = search_socket(ret_error);
	} else {
		fd = connect_socket(path);
		if (fd < 0) {
			explain_socket(-fd, path, ret_error);
		}
	}
	return fd < 0 ? fd : client_open_fd(client, fd, timeout_ms, ret_error);
}

void client_close(struct client *client)
{
	client->bus = sd_bus_close_unref(client->bus);
}

static void explain_refusal(const sd_bus_error *error, const char *method, char ret_error[CLIENT_ERROR_MAX])
{
	const char *text = error->message ? error->message : error->name;

	if (strcmp(error->name, ERROR_CONFIGURATION) == 0) {
		snprintf(ret_error, CLIENT_ERROR_MAX,
			"%s\nnothing was changed; repair the configuration and reload again", text);
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
		client->bus, &call, client->destination, OBJECT, INTERFACE, method);
	if (r >= 0) {
		r = sd_bus_call(client->bus, call, client->timeout_ms * 1000ULL, &error, ret_reply);
	}
	if (r < 0) {
		if (sd_bus_error_has_name(&error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
			sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
			snprintf(ret_error, CLIENT_ERROR_MAX,
				"there is no ethlinkd on this bus; leave --user or --system out to use the "
				"socket, or " START);
		} else if (sd_bus_error_is_set(&error) && r != -ETIMEDOUT) {
			explain_refusal(&error, method, ret_error);
		} else {
			explain_bus(-r, ret_error);
		}
	}
	sd_bus_error_free(&error);
	sd_bus_message_unref(call);
	return r < 0 ? r : 0;
}
