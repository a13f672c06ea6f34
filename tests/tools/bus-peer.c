/*
 * A program at the daemon's control socket, well-behaved or not.
 *
 *   bus-peer SOCKET listen [subscribe]   prints each signal as it comes, a line each, until it is ended; instead of SOCKET
 *                                        also the address of a bus (unix:path=...)
 *   bus-peer SOCKET ask COUNT            asks so many times for a property, some hundred questions at once; prints how many
 *                                        answers came in a second
 *   bus-peer SOCKET deaf COUNT           asks so many times for the status and reads no answer
 *   bus-peer SOCKET full                 asks and does not read until the kernel takes no more answers; "full" then; until it
 *                                        is ended
 *   bus-peer SOCKET say                  sends what is on its standard input, and waits for the other side to hang up
 *   bus-peer SOCKET mutter               the same, but hangs up itself
 *   bus-peer SOCKET silent COUNT         so many connections that say nothing; "open" when they are there; until it is ended
 *
 * Exit status: 0, or for deaf and say: 0 when the daemon closed the connection, 1 when it did not within 5 s.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define OBJECT "/org/ethlinkd1"
#define MANAGER "org.ethlinkd1.Manager"
#define AT_ONCE 200
#define HANG_UP_MS 5000
#define FULL_MS 300

static int connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		fprintf(stderr, "bus-peer: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static const char *destination;

static sd_bus *open_bus(const char *path)
{
	sd_bus *bus = NULL;
	int r, fd;

	r = sd_bus_new(&bus);
	if (r >= 0 && strchr(path, '=')) {
		destination = "org.ethlinkd1";
		r = sd_bus_set_address(bus, path);
		r = r < 0 ? r : sd_bus_set_bus_client(bus, true);
	} else if (r >= 0) {
		fd = connect_to(path);
		r = sd_bus_set_fd(bus, fd, fd);
	}
	r = r < 0 ? r : sd_bus_start(bus);
	if (r < 0) {
		fprintf(stderr, "bus-peer: %s: %s\n", path, strerror(-r));
		exit(2);
	}
	return bus;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* True when the other side has hung up. What it sends meanwhile is thrown away, or (deaf) left. */
static int hung_up(int fd, int deaf)
{
	const int64_t until = now_ms() + HANG_UP_MS;
	char buffer[4096];

	while (now_ms() < until) {
		struct pollfd p = {.fd = fd, .events = deaf ? 0 : POLLIN};

		if (poll(&p, 1, 100) <= 0) {
			continue;
		}
		if ((p.revents & (POLLHUP | POLLERR)) || (!deaf && read(fd, buffer, sizeof(buffer)) <= 0)) {
			return 1;
		}
	}
	return 0;
}

/* --- listen --- */

static void print_first(sd_bus_message *m, char type)
{
	const char contents[] = {type, '\0'};
	double d = 0;
	uint64_t t = 0;

	if (sd_bus_message_enter_container(m, 'a', contents) > 0) {
		if (type == 'd' && sd_bus_message_read(m, "d", &d) > 0) {
			printf(" %.2f", d);
		} else if (type == 't' && sd_bus_message_read(m, "t", &t) > 0) {
			printf(" %llu", (unsigned long long)t);
		}
		while (sd_bus_message_skip(m, contents) > 0) {
		}
		(void)sd_bus_message_exit_container(m);
	}
}

/* The interface, and the names of the properties. */
static void print_changes(sd_bus_message *m)
{
	const char *name;

	if (sd_bus_message_read(m, "s", &name) > 0) {
		printf(" %s", name);
	}
	if (sd_bus_message_enter_container(m, 'a', "{sv}") <= 0) {
		return;
	}
	while (sd_bus_message_enter_container(m, 'e', "sv") > 0 && sd_bus_message_read(m, "s", &name) > 0) {
		printf(" %s", name);
		(void)sd_bus_message_skip(m, "v");
		(void)sd_bus_message_exit_container(m);
	}
}

/* MS PATH MEMBER, for Peaks the first channel's values, for properties their names, for what comes and goes its path. */
static int on_message(sd_bus_message *m, void *data, sd_bus_error *error)
{
	const char *path;

	if (!sd_bus_message_get_member(m) || sd_bus_message_is_method_error(m, NULL)) {
		return 0;
	}
	printf("%lld %s %s", (long long)now_ms(), sd_bus_message_get_path(m), sd_bus_message_get_member(m));
	if (sd_bus_message_is_signal(m, NULL, "Peaks")) {
		print_first(m, 'd');
		print_first(m, 'd');
		print_first(m, 't');
	} else if (sd_bus_message_is_signal(m, NULL, "PropertiesChanged")) {
		print_changes(m);
	} else if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.ObjectManager", NULL) &&
		   sd_bus_message_read(m, "o", &path) > 0) {
		printf(" %s", path);
	}
	putchar('\n');
	fflush(stdout);
	return 0;
}

static int listen_to(const char *path, int subscribe)
{
	sd_bus *bus = open_bus(path);
	int r;

	r = sd_bus_add_filter(bus, NULL, on_message, NULL);
	if (r >= 0 && destination) {
		r = sd_bus_add_match(bus, NULL, "type='signal',sender='org.ethlinkd1'", NULL, NULL);
	}
	if (r >= 0 && subscribe) {
		r = sd_bus_call_method(bus, destination, OBJECT, MANAGER, "Subscribe", NULL, NULL, "");
	}
	puts("listening");
	fflush(stdout);
	while (r >= 0) {
		r = sd_bus_process(bus, NULL);
		if (r == 0) {
			r = sd_bus_wait(bus, UINT64_MAX);
		}
	}
	return 1;
}

/* --- ask --- */

static unsigned n_answers;

static int on_answer(sd_bus_message *m, void *data, sd_bus_error *error)
{
	n_answers += !sd_bus_message_is_method_error(m, NULL);
	return 0;
}

static int ask(const char *path, unsigned count)
{
	sd_bus *bus = open_bus(path);
	const int64_t begin = now_ms();
	unsigned n_asked = 0;
	int r = 0;

	while (r >= 0 && n_answers < count) {
		while (r >= 0 && n_asked < count && n_asked - n_answers < AT_ONCE) {
			r = sd_bus_call_method_async(bus, NULL, NULL, OBJECT,
				"org.freedesktop.DBus.Properties", "Get", on_answer, NULL, "ss", MANAGER,
				"Xruns");
			n_asked++;
		}
		r = r < 0 ? r : sd_bus_process(bus, NULL);
		if (r == 0) {
			r = sd_bus_wait(bus, 5000000);
		}
	}
	printf("%u answers, %lld a second\n", n_answers,
		1000LL * n_answers / (now_ms() - begin > 0 ? now_ms() - begin : 1));
	sd_bus_unref(bus);
	return r < 0;
}

/* --- bad ones --- */

static int deaf(const char *path, unsigned count)
{
	sd_bus *bus = open_bus(path);
	unsigned n = 0;
	int r = 0;

	while (r >= 0 && n < count) {
		r = sd_bus_call_method_async(
			bus, NULL, NULL, OBJECT, MANAGER, "GetStatus", on_answer, NULL, "");
		r = r < 0 ? r : sd_bus_flush(bus);
		n += r >= 0;
	}
	printf("%u questions sent%s%s\n", n, r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
	fflush(stdout);
	return r < 0 || hung_up(sd_bus_get_fd(bus), 1) ? 0 : 1;
}

static int unread(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) < 0 ? 0 : n;
}

static int full(const char *path)
{
	sd_bus *bus = open_bus(path);
	int fd = sd_bus_get_fd(bus);
	int64_t grown_ms = now_ms();
	int had = 0;
	int r = 0;

	/* A few at a time: many would have us dropped. */
	while (r >= 0 && now_ms() - grown_ms < FULL_MS) {
		if (unread(fd) > had || had == 0) {
			had = unread(fd);
			grown_ms = now_ms();
			for (unsigned i = 0; r >= 0 && i < 8; i++) {
				r = sd_bus_call_method_async(
					bus, NULL, NULL, OBJECT, MANAGER, "GetStatus", on_answer, NULL, "");
				r = r < 0 ? r : sd_bus_flush(bus);
			}
		}
		(void)poll(NULL, 0, 1);
	}
	puts(r < 0 ? strerror(-r) : "full");
	fflush(stdout);
	pause();
	return 0;
}

static int say(const char *path, bool wait)
{
	const struct timeval patience = {.tv_sec = HANG_UP_MS / 1000};
	char buffer[65536];
	size_t len;
	int fd = connect_to(path);

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	/* It begins with a NUL, always. */
	if (send(fd, "", 1, MSG_NOSIGNAL) < 0) {
		return 0;
	}
	while ((len = fread(buffer, 1, sizeof(buffer), stdin)) > 0) {
		ssize_t n = send(fd, buffer, len, MSG_NOSIGNAL);

		if (n < 0) {
			return errno == EPIPE || errno == ECONNRESET ? 0 : 1;
		}
		if ((size_t)n < len) {
			break;
		}
	}
	return !wait || hung_up(fd, 0) ? 0 : 1;
}

static int silent(const char *path, unsigned count)
{
	while (count-- > 0) {
		(void)connect_to(path);
	}
	puts("open");
	fflush(stdout);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[2] : "";
	const char *arg = argc > 3 ? argv[3] : "";

	if (strcmp(mode, "listen") == 0) {
		return listen_to(argv[1], strcmp(arg, "subscribe") == 0);
	}
	if (strcmp(mode, "ask") == 0) {
		return ask(argv[1], (unsigned)strtoul(arg, NULL, 10));
	}
	if (strcmp(mode, "deaf") == 0) {
		return deaf(argv[1], (unsigned)strtoul(arg, NULL, 10));
	}
	if (strcmp(mode, "full") == 0) {
		return full(argv[1]);
	}
	if (strcmp(mode, "say") == 0) {
		return say(argv[1], true);
	}
	if (strcmp(mode, "mutter") == 0) {
		return say(argv[1], false);
	}
	if (strcmp(mode, "silent") == 0) {
		return silent(argv[1], (unsigned)strtoul(arg, NULL, 10));
	}
	fprintf(stderr, "Usage: bus-peer SOCKET listen [subscribe] | ask COUNT | deaf COUNT | say TEXT | "
			"silent COUNT\n");
	return 2;
}
