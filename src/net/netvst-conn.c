#include "net/netvst-internal.h"

#include <errno.h>
#include <netinet/tcp.h>

/* A peer that is no longer there is found out in some 25 s. */
#define KEEPALIVE_IDLE_SEC 10
#define KEEPALIVE_PAUSE_SEC 5
#define KEEPALIVE_PROBES 3
#define UNACKNOWLEDGED_MSEC 20000
/* A run that has not begun by then may have come and gone with an audio server. */
#define BEGIN_MAX_NS (200 * NSEC_PER_MSEC)

int netvst_conn_init(struct netvst_conn *conn, struct netvst_task *task, enum netvst_dialect dialect,
	enum netvst_codec codec)
{
	int r = 0;

	conn->task = task;
	conn->dialect = dialect;
	conn->codec = codec;
	/* Also without having asked for it one may get it. */
	if (dialect == NETVST_2017) {
		r = netvst_wavpack_new(&conn->wavpack);
	} else if (codec != NETVST_PCM) {
		r = -ENOTSUP;
	}
	return r == -ENOTSUP && codec == NETVST_PCM ? 0 : r;
}

void netvst_conn_fini(struct netvst_conn *conn)
{
	netvst_wavpack_free(conn->wavpack);
	conn->wavpack = NULL;
}

void netvst_conn_begin(struct netvst_conn *conn, enum netvst_direction direction, bool synth)
{
	netvst_parser_init(&conn->parser, conn->dialect, direction, synth, conn->wavpack);
	conn->in_at = 0;
	conn->in_end = 0;
	conn->out_at = 0;
	conn->out_end = 0;
}

int netvst_conn_fill(struct netvst_conn *conn, bool *ret_drained)
{
	ssize_t n = recv(conn->task->fd, conn->in, sizeof(conn->in), MSG_DONTWAIT);

	*ret_drained = n < (ssize_t)sizeof(conn->in);
	if (n == 0) {
		return -ENODATA;
	}
	if (n < 0) {
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	}
	conn->in_at = 0;
	conn->in_end = (size_t)n;
	conn->bytes_received += (size_t)n;
	return (int)n;
}

int netvst_conn_next(struct netvst_conn *conn, struct netvst_block *ret_block)
{
	size_t used;
	int r;

	if (conn->in_at == conn->in_end) {
		return 0;
	}
	r = netvst_parse(&conn->parser, conn->in + conn->in_at, conn->in_end - conn->in_at, &used, ret_block);
	conn->in_at += used;
	return r;
}

static int write_block(struct netvst_conn *conn, enum netvst_direction direction, enum netvst_codec codec,
	const struct netvst_block *block)
{
	return netvst_write(conn->out + conn->out_end, sizeof(conn->out) - conn->out_end, conn->dialect,
		direction, codec, conn->wavpack, block);
}

int netvst_conn_write(
	struct netvst_conn *conn, enum netvst_direction direction, const struct netvst_block *block)
{
	int r = write_block(conn, direction, conn->codec, block);

	if (r == -ENOBUFS) {
		r = netvst_conn_flush(conn);
		if (r < 0) {
			return r;
		}
		memmove(conn->out, conn->out + conn->out_at, conn->out_end - conn->out_at);
		conn->out_end -= conn->out_at;
		conn->out_at = 0;
		r = write_block(conn, direction, conn->codec, block);
	}
	if (r == -ENOMEM) {
		r = write_block(conn, direction, NETVST_PCM, block);
	}
	if (r < 0) {
		return r;
	}
	conn->out_end += (size_t)r;
	return 0;
}

int netvst_conn_flush(struct netvst_conn *conn)
{
	ssize_t n;

	if (conn->out_at == conn->out_end) {
		return 0;
	}
	n = send(conn->task->fd, conn->out + conn->out_at, conn->out_end - conn->out_at,
		MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0) {
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	}
	conn->bytes_sent += (size_t)n;
	conn->out_at += (size_t)n;
	if (conn->out_at == conn->out_end) {
		conn->out_at = 0;
		conn->out_end = 0;
	}
	return 0;
}

size_t netvst_conn_unsent(const struct netvst_conn *conn)
{
	return conn->out_end - conn->out_at;
}

static void set(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

void netvst_conn_tune(int fd, int socket_priority, size_t buffer_bytes)
{
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SEC);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_PAUSE_SEC);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MSEC);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (socket_priority > 0) {
		set(fd, SOL_SOCKET, SO_PRIORITY, socket_priority);
	}
	if (buffer_bytes > 0) {
		set(fd, SOL_SOCKET, SO_SNDBUF, (int)buffer_bytes);
		set(fd, SOL_SOCKET, SO_RCVBUF, (int)buffer_bytes);
	}
}

uint32_t netvst_conn_new_run(void)
{
	static _Atomic uint32_t last;
	uint32_t n;

	do {
		n = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
	} while (n == 0);
	return n;
}

bool netvst_conn_run_is_over(
	const struct nvpipe *pipe, uint32_t run, bool seen, int64_t asked_ns, int64_t now_ns)
{
	/* In this order: RT clears overrun before it begins a run. */
	bool on = atomic_load_explicit(&pipe->run, memory_order_acquire) == run;

	if (on) {
		return atomic_load_explicit(&pipe->overrun, memory_order_relaxed);
	}
	return seen || now_ns - asked_ns > BEGIN_MAX_NS;
}
