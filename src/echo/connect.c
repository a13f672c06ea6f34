#include "echo/connect.h"

#include "base/log.h"
#include "base/util.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RETRY_MS 100

/* 0, -EINTR: a signal came, or why it is not connected. */
static int wait_connected(int fd, int signals, double timeout_s)
{
	struct pollfd p[] = {{.fd = signals, .events = POLLIN}, {.fd = fd, .events = POLLOUT}};
	int error = 0;
	socklen_t len = sizeof(error);
	int n = poll(p, ARRAY_SIZE(p), (int)(timeout_s * 1e3));

	if (n == 0) {
		return -ETIMEDOUT;
	}
	if (n < 0 || p[0].revents) {
		return -EINTR;
	}
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? -errno : -error;
}

static int connect_one(const struct addrinfo *to, int signals, double timeout_s)
{
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd < 0 ? -errno : run_prepare_socket(fd);

	if (fd < 0) {
		return r;
	}
	if (r == 0 && connect(fd, to->ai_addr, to->ai_addrlen) < 0) {
		r = errno == EINPROGRESS ? wait_connected(fd, signals, timeout_s) : -errno;
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* All its addresses, one after the other. */
static int connect_any(const struct addrinfo *found, int signals, double timeout_s)
{
	int fd = -ENOENT;

	for (; found && fd < 0 && fd != -EINTR; found = found->ai_next) {
		fd = connect_one(found, signals, timeout_s);
	}
	return fd;
}

static void pause_briefly(int signals)
{
	struct pollfd p = {.fd = signals, .events = POLLIN};

	poll(&p, 1, RETRY_MS);
}

int connect_to(const struct options *o, int signals, char ret_address[RUN_ADDRESS_MAX])
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
	int64_t deadline_ns = now_ns() + (int64_t)(o->wait_s * (double)NSEC_PER_SEC);
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	struct addrinfo *found;
	char port[8];
	int fd, r;

	snprintf(port, sizeof(port), "%u", o->port);
	r = getaddrinfo(o->host, port, &hints, &found);
	if (r != 0) {
		log_error("--connect=%s: %s", o->host, gai_strerror(r));
		return -EHOSTUNREACH;
	}
	fd = connect_any(found, signals, o->timeout_s);
	while (fd < 0 && fd != -EINTR && now_ns() < deadline_ns) {
		pause_briefly(signals);
		fd = connect_any(found, signals, o->timeout_s);
	}
	freeaddrinfo(found);
	if (fd < 0) {
		log_error("cannot connect to %s, port %u: %s%s", o->host, o->port, strerror(-fd),
			fd == -ECONNREFUSED ? "; does a server run there? --wait=S waits for it" : "");
		return fd;
	}
	getpeername(fd, (struct sockaddr *)&address, &len);
	run_format_address(&address, ret_address);
	return fd;
}
