#include "net/netvst-internal.h"

#include "base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* How often to look whether the audio server has come, and whether a name has been found. */
#define LOOK_CYCLES_NS (50 * NSEC_PER_MSEC)
#define LOOK_NAME_NS (10 * NSEC_PER_MSEC)
#define CLEAN_NS NSEC_PER_SEC
/*
 * Of a socket: some blocks each way. The kernel counts some 1300 bytes for each segment besides, and a small block is one of
 * its own until it is acknowledged: with 64 KiB, blocks of 64 frames would end at round trips of some 100 ms. It is no
 * backlog: how much may be unanswered is counted in blocks.
 */
#define BUFFER_BLOCKS 8
#define BUFFER_MIN_BYTES 196608
#define BUFFER_MAX_BYTES 524288

void netvst_client_say(struct netvst_client *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->status.error, sizeof(c->status.error), format, args);
	va_end(args);
}

/* Whatever it was, it is over; the next try comes after the pause. */
static int64_t wait_for_retry(struct netvst_client *c, int64_t now)
{
	const struct netvst_times *times = &c->task.io->times;

	c->status.state = NETVST_CLIENT_WAITING;
	c->until_ns = now + c->retry_ns;
	c->retry_ns = CLAMP(2 * c->retry_ns, times->retry_min_ns, times->retry_max_ns);
	return c->until_ns;
}

static void disconnect(struct netvst_client *c)
{
	netvst_task_close(&c->task);
	netvst_lookup_free(c->lookup);
	c->lookup = NULL;
	if (c->status.state == NETVST_CLIENT_CONNECTED) {
		nvpipe_stop(c->pipe);
		c->run = 0;
	}
	c->status.connected_ns = 0;
	c->sent_tail = c->sent_head;
}

static int64_t connected(struct netvst_client *c, int64_t now)
{
	c->status.state = NETVST_CLIENT_CONNECTED;
	c->status.connected_ns = (uint64_t)now;
	c->status.connects++;
	netvst_client_begin(c);
	netvst_task_watch(&c->task, EPOLLIN);
	return now;
}

static size_t buffer_bytes(const struct netvst_client *c)
{
	size_t block = (size_t)c->pipe->block * NETVST_CHANNELS * sizeof(float);

	return CLAMP(block * BUFFER_BLOCKS, BUFFER_MIN_BYTES, BUFFER_MAX_BYTES);
}

/* 0: under way; 1: connected at once; or -errno. */
static int try_address(struct netvst_client *c, const struct netvst_address *address)
{
	int fd = socket(address->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0) {
		return -errno;
	}
	netvst_conn_tune(fd, c->conf.socket_priority, buffer_bytes(c));
	r = connect(fd, (const struct sockaddr *)&address->sa, address->len) < 0 ? -errno : 1;
	if (r < 0 && r != -EINPROGRESS) {
		close(fd);
		return r;
	}
	if (netvst_task_open(&c->task, fd, EPOLLOUT) < 0) {
		return -ENOMEM;
	}
	return MAX(r, 0);
}

/* From c->address on, whichever answers. */
static int64_t try_addresses(struct netvst_client *c, int64_t now)
{
	for (; c->address < c->n_addresses; c->address++) {
		int r = try_address(c, &c->addresses[c->address]);

		netvst_address_to_string(&c->addresses[c->address], c->status.peer);
		if (r > 0) {
			return connected(c, now);
		}
		if (r == 0) {
			c->status.state = NETVST_CLIENT_CONNECTING;
			c->until_ns = now + c->task.io->times.connect_ns;
			return c->until_ns;
		}
		netvst_client_say(c, "%s: %s", c->status.peer, netvst_errno_text(r));
	}
	return wait_for_retry(c, now);
}

static int64_t resolving(struct netvst_client *c, int64_t now)
{
	int n = netvst_lookup_get(c->lookup, c->addresses);

	if (n == 0) {
		return now + LOOK_NAME_NS;
	}
	netvst_lookup_free(c->lookup);
	c->lookup = NULL;
	if (n < 0) {
		netvst_client_say(c, "%s: %s", c->conf.host, gai_strerror(n));
		return wait_for_retry(c, now);
	}
	c->n_addresses = (unsigned)n;
	c->address = 0;
	return try_addresses(c, now);
}

static int64_t resolve(struct netvst_client *c, int64_t now)
{
	int r = netvst_lookup_new(c->conf.host, c->conf.port, &c->lookup);

	if (r < 0) {
		netvst_client_say(c, "%s: %s", c->conf.host, netvst_errno_text(r));
		return wait_for_retry(c, now);
	}
	c->status.state = NETVST_CLIENT_RESOLVING;
	return resolving(c, now);
}

static int64_t connecting(struct netvst_client *c, int64_t now)
{
	socklen_t len = sizeof(int);
	int error = ETIMEDOUT;

	if (!c->task.ready && now < c->until_ns) {
		return c->until_ns;
	}
	if (c->task.ready && getsockopt(c->task.fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0) {
		return connected(c, now);
	}
	netvst_task_close(&c->task);
	netvst_client_say(c, "%s: %s", c->status.peer, netvst_errno_text(error));
	c->address++;
	return try_addresses(c, now);
}

static int64_t serving(struct netvst_client *c, int64_t now)
{
	int64_t since = (int64_t)c->status.connected_ns, due;
	int r = netvst_client_serve(c, now, &due);

	if (r == 0) {
		return due;
	}
	disconnect(c);
	/* A server that was restarted is asked again at once; one that said nonsense, nothing, or not much is not. */
	if (c->replies > 0 && now - since > CLEAN_NS && r != -EPROTO && r != -ETIMEDOUT) {
		c->retry_ns = 0;
	} else {
		c->retry_ns = MAX(c->retry_ns, c->task.io->times.retry_min_ns);
	}
	return wait_for_retry(c, now);
}

static int64_t run_client(struct netvst_task *task, int64_t now)
{
	struct netvst_client *c = container_of(task, struct netvst_client, task);
	int64_t look = now + task->io->times.no_cycles_ns, due;

	if (!netvst_pace_look(&c->pace, c->pipe, now, task->io->times.no_cycles_ns)) {
		if (c->status.state != NETVST_CLIENT_PARKED) {
			disconnect(c);
			c->retry_ns = 0;
			c->status.state = NETVST_CLIENT_PARKED;
		}
		return now + LOOK_CYCLES_NS;
	}
	switch (c->status.state) {
	case NETVST_CLIENT_WAITING:
		if (now < c->until_ns) {
			return MIN(c->until_ns, look);
		}
		return resolve(c, now);
	case NETVST_CLIENT_PARKED:
		return resolve(c, now);
	case NETVST_CLIENT_RESOLVING:
		return resolving(c, now);
	case NETVST_CLIENT_CONNECTING:
		due = connecting(c, now);
		return MIN(due, look);
	case NETVST_CLIENT_CONNECTED:
		break;
	}
	return serving(c, now);
}

static void release(struct netvst_client *c)
{
	netvst_conn_fini(&c->conn);
	free((char *)c->conf.host);
	free(c);
}

int netvst_client_new(struct netvst_io *io, const struct netvst_client_conf *conf, struct nvpipe *pipe,
	struct netvst_client **ret_client)
{
	struct netvst_client *c;
	int r;

	if (pipe->block == 0 || pipe->block > (conf->dialect == NETVST_2017 ? NETVST_FRAMES_MAX
									    : NETVST_AUDIOKIT_FRAMES_MAX)) {
		return -EINVAL;
	}
	c = mem_zalloc(CACHELINE_SIZE, sizeof(*c));
	if (!c) {
		return -ENOMEM;
	}
	c->conf = *conf;
	c->conf.host = strdup(conf->host);
	c->pipe = pipe;
	c->task.run = run_client;
	r = c->conf.host ? netvst_conn_init(&c->conn, &c->task, conf->dialect, conf->codec) : -ENOMEM;
	if (r < 0) {
		release(c);
		return r;
	}
	netvst_io_lock(io);
	netvst_io_add(io, &c->task);
	netvst_io_unlock(io);
	*ret_client = c;
	return 0;
}

void netvst_client_set_latency(struct netvst_client *c, uint32_t latency_frames)
{
	netvst_io_lock(c->task.io);
	/* What is to be found out is how long round trips take now. */
	if (latency_frames == 0 && c->latency_frames != 0) {
		hist_clear_rt(&c->rtt);
		c->status.round_trips = 0;
	}
	c->latency_frames = latency_frames;
	netvst_io_unlock(c->task.io);
}

void netvst_client_free(struct netvst_client *c)
{
	struct netvst_io *io;

	if (!c) {
		return;
	}
	io = c->task.io;
	netvst_io_lock(io);
	disconnect(c);
	netvst_io_remove(&c->task);
	netvst_io_unlock(io);
	release(c);
}

int netvst_client_set_param(struct netvst_client *c, uint16_t effect, uint16_t param, float value)
{
	int r = 0;
	unsigned i = 0;

	if (c->conf.dialect != NETVST_AUDIOKIT) {
		return -EOPNOTSUPP;
	}
	netvst_io_lock(c->task.io);
	while (i < c->n_params && (c->params[i].effect != effect || c->params[i].param != param)) {
		i++;
	}
	if (c->status.state != NETVST_CLIENT_CONNECTED) {
		r = -ENOTCONN;
	} else if (i == NETVST_WAITING_PARAMS_MAX) {
		r = -EAGAIN;
	} else {
		c->params[i] = (struct netvst_param){.effect = effect, .param = param, .value = value};
		c->n_params = MAX(c->n_params, i + 1);
	}
	netvst_io_unlock(c->task.io);
	return r;
}

void netvst_client_get_status(struct netvst_client *c, struct netvst_client_status *ret_status)
{
	uint64_t bins[HIST_BINS];

	netvst_io_lock(c->task.io);
	*ret_status = c->status;
	ret_status->outstanding = c->sent_head - c->sent_tail;
	ret_status->bytes_sent = c->conn.bytes_sent;
	ret_status->bytes_received = c->conn.bytes_received;
	ret_status->rtt_max_ns = (int64_t)atomic_load_explicit(&c->rtt.max_ns, memory_order_relaxed);
	for (unsigned i = 0; i < HIST_BINS; i++) {
		bins[i] = atomic_load_explicit(&c->rtt.bin[i], memory_order_relaxed);
	}
	netvst_io_unlock(c->task.io);
	ret_status->rtt_median_ns = hist_quantile_ns(bins, 0.5);
	ret_status->rtt_p90_ns = hist_quantile_ns(bins, 0.9);
	ret_status->rtt_p99_ns = hist_quantile_ns(bins, 0.99);
}
