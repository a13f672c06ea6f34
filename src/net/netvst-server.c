#include "net/netvst-internal.h"

#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BACKLOG 16
/* Taking a connection and closing it again costs some 20 µs: so often in a second, and so many in a row. */
#define CONNECTS_HZ 50
#define CONNECTS_BURST 20
#define CONNECT_NS (NSEC_PER_SEC / CONNECTS_HZ)
/* accept() has failed, for want of descriptors or memory. */
#define PAUSE_NS (200 * NSEC_PER_MSEC)
#define SLEEP_MAX_NS (10 * NSEC_PER_SEC)
/* For the largest blocks; the window must be known before a peer connects. */
#define BUFFER_BYTES 196608

void netvst_server_say(struct netvst_server *server, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(server->status.error, sizeof(server->status.error), format, args);
	va_end(args);
}

/* --- listening --- */

static int open_listener(struct netvst_server *server)
{
	int fd = socket(server->address.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int on = 1, off = 0;

	if (fd < 0) {
		return -errno;
	}
	netvst_conn_tune(fd, server->conf.socket_priority, BUFFER_BYTES);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* "::" is for all of IPv4, too. */
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (const struct sockaddr *)&server->address.sa, server->address.len) < 0 ||
		listen(fd, BACKLOG) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return netvst_task_open(&server->task, fd, EPOLLIN);
}

static int64_t try_listen(struct netvst_server *server, int64_t now)
{
	const struct netvst_times *times = &server->task.io->times;
	struct netvst_address bound = {.len = sizeof(bound.sa)};
	char text[NETVST_TEXT_MAX];
	int r = open_listener(server);

	if (r < 0) {
		netvst_address_to_string(&server->address, text);
		netvst_server_say(server, "cannot listen at %s: %s", text, netvst_errno_text(r));
		server->retry_ns = CLAMP(2 * server->retry_ns, times->retry_min_ns, times->retry_max_ns);
		return now + server->retry_ns;
	}
	(void)getsockname(server->task.fd, (struct sockaddr *)&bound.sa, &bound.len);
	server->status.port = netvst_address_port(&bound);
	server->status.listening = true;
	server->status.error[0] = '\0';
	server->tokens_ns = CONNECTS_BURST * CONNECT_NS;
	server->tokens_at_ns = now;
	return now + SLEEP_MAX_NS;
}

/* --- who may come in --- */

static bool is_allowed(const struct netvst_server *server, const struct netvst_address *peer)
{
	static const struct netvst_net here[] = {
		{.address = {.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 127}}, .bits = 96 + 8},
		{.address = {.s6_addr = {[15] = 1}}, .bits = 128},
	};
	bool listed = server->conf.n_allow > 0;
	const struct netvst_net *nets = listed ? server->conf.allow : here;
	unsigned n = listed ? server->conf.n_allow : ARRAY_SIZE(here);
	struct in6_addr address;

	netvst_address_to_in6(peer, &address);
	for (unsigned i = 0; i < n; i++) {
		if (netvst_net_contains(&nets[i], &address)) {
			return true;
		}
	}
	return false;
}

/* A peer that closes one connection and makes another at once may come before its own farewell. */
static bool is_gone(const struct netvst_slot *slot)
{
	struct pollfd fd = {.fd = slot->task.fd, .events = POLLRDHUP};

	return poll(&fd, 1, 0) > 0 && fd.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

static struct netvst_slot *find_gone_slot(struct netvst_server *server)
{
	for (unsigned i = 0; i < server->conf.slots; i++) {
		if (is_gone(&server->slots[i])) {
			netvst_slot_close(&server->slots[i]);
			return &server->slots[i];
		}
	}
	return NULL;
}

/* The lowest that is free, or the one that has been silent longest, if that was long. NULL: none. */
static struct netvst_slot *find_slot(struct netvst_server *server, int64_t now)
{
	struct netvst_slot *quiet = NULL, *gone;

	for (unsigned i = 0; i < server->conf.slots; i++) {
		struct netvst_slot *slot = &server->slots[i];

		if (slot->task.fd < 0) {
			return slot;
		}
		if (now - slot->heard_ns > server->task.io->times.idle_ns &&
			(!quiet || slot->heard_ns < quiet->heard_ns)) {
			quiet = slot;
		}
	}
	gone = find_gone_slot(server);
	if (gone) {
		return gone;
	}
	if (quiet) {
		server->status.timeouts++;
		netvst_server_say(server, "%s: it was silent, and its slot was needed", quiet->status->peer);
		netvst_slot_close(quiet);
	}
	return quiet;
}

static void refuse(struct netvst_server *server, int fd, const struct netvst_address *peer, const char *why)
{
	char text[NETVST_TEXT_MAX];

	netvst_address_to_string(peer, text);
	netvst_server_say(server, "%s: %s", text, why);
	close(fd);
}

static void admit(struct netvst_server *server, int fd, const struct netvst_address *peer, int64_t now)
{
	struct netvst_slot *slot;

	if (!is_allowed(server, peer)) {
		server->status.refused_address++;
		refuse(server, fd, peer, "its address is not allowed");
		return;
	}
	slot = find_slot(server, now);
	if (!slot) {
		server->status.refused_full++;
		refuse(server, fd, peer, "no slot was free");
		return;
	}
	/* Linux hands most of these on from the listener, but does not promise it. */
	netvst_conn_tune(fd, server->conf.socket_priority, 0);
	netvst_slot_open(slot, fd, peer, now);
}

static int64_t accept_all(struct netvst_server *server, int64_t now)
{
	server->tokens_ns = MIN(server->tokens_ns + now - server->tokens_at_ns, CONNECTS_BURST * CONNECT_NS);
	server->tokens_at_ns = now;
	while (server->tokens_ns >= CONNECT_NS) {
		struct netvst_address peer = {.len = sizeof(peer.sa)};
		int fd = accept4(server->task.fd, (struct sockaddr *)&peer.sa, &peer.len,
			SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			server->tokens_ns -= CONNECT_NS;
			admit(server, fd, &peer, now);
			continue;
		}
		if (errno == EAGAIN) {
			netvst_task_watch(&server->task, EPOLLIN);
			return now + SLEEP_MAX_NS;
		}
		if (errno != EINTR && errno != ECONNABORTED) {
			netvst_server_say(server, "taking a connection: %s", netvst_errno_text(errno));
			netvst_task_watch(&server->task, 0);
			return now + PAUSE_NS;
		}
	}
	netvst_task_watch(&server->task, 0);
	return now + CONNECT_NS - server->tokens_ns;
}

static int64_t run_listener(struct netvst_task *task, int64_t now)
{
	struct netvst_server *server = container_of(task, struct netvst_server, task);

	return task->fd < 0 ? try_listen(server, now) : accept_all(server, now);
}

/* --- control --- */

static void release(struct netvst_server *server)
{
	for (unsigned i = 0; server->slots && i < server->conf.slots; i++) {
		netvst_slot_fini(&server->slots[i]);
	}
	free(server->slots);
	free(server);
}

static int init_slots(struct netvst_server *server, struct nvpipe *const *pipes)
{
	int r = 0;

	server->slots = mem_zalloc(CACHELINE_SIZE, server->conf.slots * sizeof(server->slots[0]));
	if (!server->slots) {
		return -ENOMEM;
	}
	for (unsigned i = 0; r == 0 && i < server->conf.slots; i++) {
		r = netvst_slot_init(&server->slots[i], server, pipes[i], &server->status.slots[i]);
	}
	return r;
}

int netvst_server_new(struct netvst_io *io, const struct netvst_server_conf *conf,
	struct nvpipe *const *pipes, struct netvst_server **ret_server)
{
	struct netvst_server *server;
	int r;

	if (conf->slots < 1 || conf->slots > NETVST_SLOTS_MAX || conf->n_allow > NETVST_ALLOW_MAX) {
		return -EINVAL;
	}
	server = mem_zalloc(CACHELINE_SIZE, sizeof(*server));
	if (!server) {
		return -ENOMEM;
	}
	server->conf = *conf;
	server->conf.host = NULL;
	server->task.run = run_listener;
	r = netvst_address_from_string(conf->host, conf->port, &server->address) ? 0 : -EINVAL;
	r = r < 0 ? r : init_slots(server, pipes);
	if (r < 0) {
		release(server);
		return r;
	}
	netvst_io_lock(io);
	for (unsigned i = 0; i < conf->slots; i++) {
		netvst_io_add(io, &server->slots[i].task);
	}
	netvst_io_add(io, &server->task);
	netvst_io_unlock(io);
	*ret_server = server;
	return 0;
}

void netvst_server_free(struct netvst_server *server)
{
	struct netvst_io *io;

	if (!server) {
		return;
	}
	io = server->task.io;
	netvst_io_lock(io);
	netvst_io_remove(&server->task);
	for (unsigned i = 0; i < server->conf.slots; i++) {
		netvst_slot_close(&server->slots[i]);
		netvst_io_remove(&server->slots[i].task);
	}
	netvst_io_unlock(io);
	release(server);
}

void netvst_server_get_status(struct netvst_server *server, struct netvst_server_status *ret_status)
{
	netvst_io_lock(server->task.io);
	*ret_status = server->status;
	for (unsigned i = 0; i < server->conf.slots; i++) {
		ret_status->slots[i].bytes_received = server->slots[i].conn.bytes_received;
		ret_status->slots[i].bytes_sent = server->slots[i].conn.bytes_sent;
	}
	netvst_io_unlock(server->task.io);
}
