/*
 * netvst-hostile: a peer that does to a NetVST server what no client should, and says what the server did about it.
 * One thread, plain sockets; the well-formed blocks come from the codec, everything else from here.
 */
#include "base/util.h"
#include "proto/netvst.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 3000
#define STORM_MS 2 /* a connection that is not there by then is given up */
#define GARBAGE_BYTES 65536
#define COUNT_MAX 4096

struct options {
	const char *mode;
	struct sockaddr_in to;
	enum netvst_dialect dialect;
	uint32_t block_frames;
	unsigned count;
	double seconds; /* at most, of each connection */
	double interval_ms;
};

struct result {
	unsigned tried, connected, failed;
	unsigned closed_by_server; /* before we did */
	unsigned closed_at_once;   /* without one byte from it */
	uint64_t bytes_sent, bytes_received;
	int64_t first_close_ns, last_close_ns; /* after connecting */
};

struct hostile {
	struct options opt;
	struct result res;
	uint32_t seed;
	size_t block_bytes;
	int64_t connected_ns;
	uint64_t received_here;
	struct netvst_block block;
	uint8_t bytes[NETVST_BYTES_MAX];
};

static uint32_t random32(struct hostile *h)
{
	h->seed = h->seed * 1664525u + 1013904223u;
	return h->seed >> 8;
}

static int64_t limit_ns(const struct hostile *h)
{
	return (int64_t)(h->opt.seconds * (double)NSEC_PER_SEC);
}

/* A socket that is being connected, and does not block. */
static int begin_join(struct hostile *h)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

	h->res.tried++;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&h->opt.to, sizeof(h->opt.to)) < 0 && errno != EINPROGRESS) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool is_joined(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0;
}

/* A connection, or -1. */
static int join(struct hostile *h, int wait_ms)
{
	int fd = begin_join(h);
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	if (fd < 0 || poll(&p, 1, wait_ms) <= 0 || !is_joined(fd)) {
		h->res.failed++;
		if (fd >= 0) {
			close(fd);
		}
		return -1;
	}
	h->res.connected++;
	h->connected_ns = now_ns();
	h->received_here = 0;
	return fd;
}

static void note_closed(struct hostile *h, int64_t after_ns, bool silent)
{
	h->res.closed_by_server++;
	h->res.closed_at_once += silent;
	h->res.first_close_ns =
		h->res.closed_by_server == 1 ? after_ns : MIN(h->res.first_close_ns, after_ns);
	h->res.last_close_ns = MAX(h->res.last_close_ns, after_ns);
}

/* Reads what there is. True: the server has closed. */
static bool drain(struct hostile *h, int fd)
{
	static uint8_t bytes[65536];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
		h->res.bytes_received += (uint64_t)n;
		h->received_here += (uint64_t)n;
	}
	return n == 0 || (errno != EAGAIN && errno != EINTR);
}

/* Until the server closes or the time is over. */
static void wait_closed(struct hostile *h, int fd)
{
	for (;;) {
		int64_t left_ns = h->connected_ns + limit_ns(h) - now_ns();
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (left_ns <= 0) {
			return;
		}
		poll(&p, 1, (int)(left_ns / NSEC_PER_MSEC) + 1);
		if (p.revents && drain(h, fd)) {
			note_closed(h, now_ns() - h->connected_ns, h->received_here == 0);
			return;
		}
	}
}

/* As much as goes. True: all. */
static bool push(struct hostile *h, int fd, const uint8_t *bytes, size_t n)
{
	ssize_t done = send(fd, bytes, n, MSG_NOSIGNAL);

	h->res.bytes_sent += done > 0 ? (uint64_t)done : 0;
	return done == (ssize_t)n;
}

static void reset(int fd)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* --- what it does, each on one connection */

/* Counts of 65535, one after the other and all at once; followed by enough to be read as events. */
static void send_counts(struct hostile *h, int fd)
{
	size_t header = h->opt.dialect == NETVST_2017 ? 8 : 12;
	unsigned which = h->res.connected % 4;

	memset(h->bytes, 0, header);
	h->bytes[0] = 64;
	for (unsigned field = 0; field < 3; field++) {
		if (which == 3 || which == field) {
			memset(h->bytes + 2 * field, 0xff, 2);
		}
	}
	memset(h->bytes + header, 0x90, 1024);
	push(h, fd, h->bytes, header + 1024);
	wait_closed(h, fd);
}

static void send_garbage(struct hostile *h, int fd)
{
	static uint8_t bytes[GARBAGE_BYTES];

	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (uint8_t)random32(h);
	}
	push(h, fd, bytes, sizeof(bytes));
	wait_closed(h, fd);
}

static void send_slowly(struct hostile *h, int fd)
{
	size_t at = 0;

	while (now_ns() - h->connected_ns < limit_ns(h)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		push(h, fd, h->bytes + at++ % h->block_bytes, 1);
		poll(&p, 1, (int)h->opt.interval_ms);
		if (p.revents && drain(h, fd)) {
			note_closed(h, now_ns() - h->connected_ns, h->received_here == 0);
			return;
		}
	}
}

static void send_half(struct hostile *h, int fd)
{
	push(h, fd, h->bytes, h->block_bytes / 2);
	wait_closed(h, fd);
}

static void send_half_and_reset(struct hostile *h, int fd)
{
	push(h, fd, h->bytes, h->block_bytes / 2);
	reset(fd);
}

/* Blocks as fast as they go; what comes back is left in the socket. */
static void never_read(struct hostile *h, int fd)
{
	size_t at = 0;

	while (now_ns() - h->connected_ns < limit_ns(h)) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		ssize_t n = send(fd, h->bytes + at, h->block_bytes - at, MSG_NOSIGNAL);

		if (n > 0) {
			h->res.bytes_sent += (uint64_t)n;
			at = (at + (size_t)n) % h->block_bytes;
		} else if (errno == EAGAIN) {
			poll(&p, 1, 50);
		} else {
			note_closed(h, now_ns() - h->connected_ns, false);
			return;
		}
	}
}

static void do_nothing(struct hostile *h, int fd)
{
}

struct mode {
	const char *name;
	void (*act)(struct hostile *h, int fd);
	const char *help;
};

static const struct mode modes[] = {
	{"counts", send_counts, "headers with counts of 65535"},
	{"garbage", send_garbage, "64 KiB of random bytes"},
	{"slow", send_slowly, "blocks byte by byte, one each --interval-ms"},
	{"half", send_half, "half a block, then nothing"},
	{"reset", send_half_and_reset, "half a block, then a reset"},
	{"unread", never_read, "blocks as fast as they go, no reply is read"},
	{"storm", do_nothing, "connects and closes"},
	{"stay", NULL, "connects --count times at once, and stays"},
};

/* --- all at once */

/* What poll() has found. False: it is over. */
static bool watch(struct hostile *h, struct pollfd *p, int64_t begin_ns)
{
	if (p->events & POLLOUT) {
		if (!is_joined(p->fd)) {
			h->res.failed++;
			return false;
		}
		h->res.connected++;
		p->events = POLLIN;
	}
	if (p->revents & ~POLLOUT && drain(h, p->fd)) {
		note_closed(h, now_ns() - begin_ns, true);
		return false;
	}
	return true;
}

static void stay(struct hostile *h)
{
	static struct pollfd p[COUNT_MAX];
	unsigned n = 0, open;
	int64_t begin_ns = now_ns();

	while (n < h->opt.count) {
		p[n++] = (struct pollfd){.fd = begin_join(h), .events = POLLIN | POLLOUT};
	}
	for (open = n; open > 0 && now_ns() - begin_ns < limit_ns(h);) {
		poll(p, n, 50);
		for (unsigned i = 0; i < n; i++) {
			if (p[i].fd >= 0 && p[i].revents && !watch(h, &p[i], begin_ns)) {
				close(p[i].fd);
				p[i].fd = -1;
				open--;
			}
		}
	}
	for (unsigned i = 0; i < n; i++) {
		if (p[i].fd >= 0) {
			close(p[i].fd);
		}
	}
}

static int run(struct hostile *h)
{
	const struct mode *mode = modes;
	int64_t begin_ns = now_ns();
	const struct result *r = &h->res;
	int n;

	while (mode < modes + ARRAY_SIZE(modes) && strcmp(mode->name, h->opt.mode) != 0) {
		mode++;
	}
	if (mode == modes + ARRAY_SIZE(modes)) {
		fprintf(stderr, "netvst-hostile: --mode=%s is none; see --help\n", h->opt.mode);
		return 2;
	}
	h->block.frames = h->opt.block_frames;
	h->block.has_audio = true;
	n = netvst_write(
		h->bytes, sizeof(h->bytes), h->opt.dialect, NETVST_REQUEST, NETVST_PCM, NULL, &h->block);
	if (n < 0) {
		return 1;
	}
	h->block_bytes = (size_t)n;
	for (unsigned i = 0; i < h->opt.count && mode->act; i++) {
		int fd = join(h, mode->act == do_nothing ? STORM_MS : CONNECT_MS);

		if (fd >= 0) {
			mode->act(h, fd);
			close(fd);
		}
	}
	if (!mode->act) {
		stay(h);
	}
	printf("{\"mode\":\"%s\",\"tried\":%u,\"connected\":%u,\"failed\":%u,\"closed_by_server\":%u,"
	       "\"closed_silently\":%u,"
	       "\"bytes_sent\":%" PRIu64 ",\"bytes_received\":%" PRIu64
	       ",\"first_close_ms\":%.1f,\"last_close_ms\":%.1f,\"seconds\":%.3f}\n",
		mode->name, r->tried, r->connected, r->failed, r->closed_by_server, r->closed_at_once,
		r->bytes_sent, r->bytes_received, (double)r->first_close_ns / 1e6,
		(double)r->last_close_ns / 1e6, (double)(now_ns() - begin_ns) / 1e9);
	return 0;
}

static void usage(FILE *to)
{
	fputs("Usage: netvst-hostile --mode MODE --port PORT [OPTION]...\n"
	      "Mistreats a NetVST server, and prints as JSON what it did about that.\n\nModes:\n",
		to);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		fprintf(to, "  %-10s %s\n", modes[i].name, modes[i].help);
	}
	fputs("\n  --host ADDRESS      IPv4 (default 127.0.0.1)\n"
	      "  --dialect D         2017 (default) or audiokit\n"
	      "  --block FRAMES      of well-formed blocks (default 512)\n"
	      "  --count N           connections, one after the other (stay: at once; default 1)\n"
	      "  --seconds S         how long each lasts at most (default 10)\n"
	      "  --interval-ms MS    of slow (default 1)\n"
	      "  --help\n",
		to);
}

static bool set_option(struct options *o, int k, const char *value)
{
	switch (k) {
	case 'm':
		o->mode = value;
		return true;
	case 'H':
		return inet_pton(AF_INET, value, &o->to.sin_addr) == 1;
	case 'p':
		o->to.sin_port = htons((uint16_t)atoi(value));
		return true;
	case 'd':
		return netvst_dialect_from_string(value, &o->dialect);
	case 'b':
		o->block_frames = (uint32_t)atoi(value);
		return true;
	case 'c':
		o->count = (unsigned)atoi(value);
		return o->count > 0 && o->count <= COUNT_MAX;
	case 's':
		o->seconds = atof(value);
		return o->seconds > 0.0;
	case 'i':
		o->interval_ms = atof(value);
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"mode", 1, NULL, 'm'}, {"host", 1, NULL, 'H'},
		{"port", 1, NULL, 'p'}, {"dialect", 1, NULL, 'd'}, {"block", 1, NULL, 'b'},
		{"count", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'}, {"interval-ms", 1, NULL, 'i'},
		{"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
	const struct rlimit files = {.rlim_cur = COUNT_MAX + 64, .rlim_max = COUNT_MAX + 64};
	static struct hostile h;
	int k;

	h.opt = (struct options){.block_frames = 512, .count = 1, .seconds = 10, .interval_ms = 1};
	h.opt.to.sin_family = AF_INET;
	h.opt.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while ((k = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (k == 'h') {
			usage(stdout);
			return 0;
		}
		if (!set_option(&h.opt, k, optarg)) {
			fputs("netvst-hostile: a bad option or value; see netvst-hostile --help\n", stderr);
			return 2;
		}
	}
	if (!h.opt.mode || !h.opt.to.sin_port || optind < argc) {
		fputs("netvst-hostile: --mode and --port are needed; see netvst-hostile --help\n", stderr);
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	return run(&h);
}
