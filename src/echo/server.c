#include "echo/server.h"

#include "base/log.h"
#include "base/util.h"
#include "echo/peer.h"
#include "echo/print.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PEERS_MAX 64

struct server {
	const struct options *opt;
	int listener;
	int signals;
	unsigned n_connections;
	unsigned n_peers;
	struct peer *peers[PEERS_MAX];
	struct wav_writer *recorder;
	bool failed;
};

static int bind_first(const struct addrinfo *found)
{
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, r;

	if (fd < 0) {
		return -errno;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, PEERS_MAX) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int listen_at(const struct options *o)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
	struct addrinfo *found;
	char port[8];
	int r;

	snprintf(port, sizeof(port), "%u", o->port);
	r = getaddrinfo(o->host, port, &hints, &found);
	if (r != 0) {
		log_error("--listen=%s: %s; an address of this machine is needed, like 127.0.0.1 or 0.0.0.0",
			o->host, gai_strerror(r));
		return -EINVAL;
	}
	r = bind_first(found);
	freeaddrinfo(found);
	if (r < 0) {
		log_error("cannot listen at %s, port %u: %s%s", o->host, o->port, strerror(-r),
			r == -EADDRINUSE ? "; another server runs there, give another --port" : "");
	}
	return r;
}

static void tell_listening(const struct server *s)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	char text[RUN_ADDRESS_MAX];
	unsigned port;

	getsockname(s->listener, (struct sockaddr *)&address, &len);
	run_format_address(&address, text);
	port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
						   : ((struct sockaddr_in *)&address)->sin_port);
	if (s->opt->json) {
		print_line("{\"event\":\"listening\",\"address\":\"%s\",\"port\":%u}", text, port);
	} else {
		print_line("listening at %s, dialect %s, answers in %s", text,
			netvst_dialect_to_string(s->opt->dialect), netvst_codec_to_string(s->opt->codec));
	}
}

static void accept_one(struct server *s)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	int fd = accept4(s->listener, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK), r;

	if (fd < 0) {
		return;
	}
	r = s->n_peers == PEERS_MAX ? -EUSERS : run_prepare_socket(fd);
	if (r == 0) {
		/* A recording is of one connection at a time: of the only one. */
		r = peer_new(s->opt, ++s->n_connections, fd, &address, s->n_peers == 0 ? s->recorder : NULL,
			&s->peers[s->n_peers]);
	}
	if (r < 0) {
		log_warning("a connection is closed again: %s", strerror(-r));
		close(fd);
		return;
	}
	s->n_peers++;
}

static void report(const struct server *s)
{
	for (unsigned i = 0; i < s->n_peers; i++) {
		peer_report(s->peers[i], false);
	}
}

static int64_t wait_ns(const struct server *s)
{
	int64_t due_ns = INT64_MAX, now = now_ns();

	for (unsigned i = 0; i < s->n_peers; i++) {
		int64_t at_ns = peer_due_ns(s->peers[i]);

		/* What is due already and was not sent waits for the peer. */
		due_ns = at_ns > now ? MIN(due_ns, at_ns) : due_ns;
	}
	return due_ns == INT64_MAX ? NSEC_PER_SEC : due_ns - now;
}

/* False: it is time to end. */
static bool turn(struct server *s)
{
	struct pollfd p[2 + PEERS_MAX] = {
		{.fd = s->signals, .events = POLLIN}, {.fd = s->listener, .events = POLLIN}};
	int64_t wait = wait_ns(s);
	struct timespec timeout = {.tv_sec = wait / NSEC_PER_SEC, .tv_nsec = wait % NSEC_PER_SEC};
	unsigned n = s->n_peers, kept = 0;

	for (unsigned i = 0; i < n; i++) {
		p[2 + i] = (struct pollfd){.fd = peer_fd(s->peers[i]), .events = peer_events(s->peers[i])};
	}
	if (ppoll(p, 2 + n, &timeout, NULL) < 0) {
		return errno == EINTR;
	}
	if (p[0].revents) {
		enum run_signal signal = run_read_signal(s->signals);

		if (signal == RUN_END) {
			return false;
		}
		if (signal == RUN_REPORT) {
			report(s);
		}
	}
	for (unsigned i = 0; i < n; i++) {
		if (peer_turn(s->peers[i], p[2 + i].revents & (POLLIN | POLLERR | POLLHUP))) {
			s->peers[kept++] = s->peers[i];
		} else {
			peer_free(s->peers[i]);
		}
	}
	s->n_peers = kept;
	if (p[1].revents) {
		accept_one(s);
	}
	return true;
}

int server_run(const struct options *o)
{
	struct server s = {.opt = o, .listener = -1};

	s.signals = run_open_signals();
	s.listener = s.signals < 0 ? -1 : listen_at(o);
	if (s.listener < 0 ||
		(o->record_path && wav_write_open(o->record_path, o->rate_hz, &s.recorder) < 0)) {
		return 1;
	}
	tell_listening(&s);
	if (o->realtime) {
		run_realtime();
	}
	while (turn(&s)) {
	}
	for (unsigned i = 0; i < s.n_peers; i++) {
		peer_report(s.peers[i], true);
		peer_free(s.peers[i]);
	}
	s.failed = wav_write_close(s.recorder) < 0;
	close(s.listener);
	close(s.signals);
	return s.failed ? 1 : 0;
}
