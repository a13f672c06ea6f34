#include "netvst-rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define SAMPLE_BITS 20

void rig_pause(void)
{
	struct timespec ts = {.tv_nsec = 300000};

	nanosleep(&ts, NULL);
}

unsigned rig_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir)) {
		n++;
	}
	closedir(dir);
	return n;
}

float rig_sample(unsigned channel, uint64_t frame)
{
	float value = (float)(frame % (1 << SAMPLE_BITS) + 1) / (1 << (SAMPLE_BITS + 1));

	return channel ? -value : value;
}

int rig_listen(uint16_t *ret_port, int backlog)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	assert_true(fd >= 0);
	address.sin_port = htons(*ret_port);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static struct rig_peer *peer_new(
	int fd, enum netvst_dialect dialect, enum netvst_codec codec, enum netvst_direction reads, bool synth)
{
	struct rig_peer *peer = calloc(1, sizeof(*peer));

	assert_non_null(peer);
	peer->fd = fd;
	peer->dialect = dialect;
	peer->codec = codec;
	if (codec != NETVST_PCM) {
		assert_int_equal(netvst_wavpack_new(&peer->wavpack), 0);
	}
	netvst_parser_init(&peer->parser, dialect, reads, synth, peer->wavpack);
	return peer;
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, timeout_ms) > 0;
}

struct rig_peer *rig_accept(int listener, enum netvst_dialect dialect, enum netvst_codec codec, bool synth)
{
	int fd;

	assert_true(is_readable(listener, RIG_WAIT_MS));
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return peer_new(fd, dialect, codec, NETVST_REQUEST, synth);
}

struct rig_peer *rig_connect(uint16_t port, enum netvst_dialect dialect, enum netvst_codec codec)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	address.sin_port = htons(port);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return peer_new(fd, dialect, codec, NETVST_REPLY, false);
}

void rig_close(struct rig_peer *peer)
{
	if (peer) {
		close(peer->fd);
		netvst_wavpack_free(peer->wavpack);
		free(peer);
	}
}

bool rig_read(struct rig_peer *peer, uint32_t frames, int timeout_ms)
{
	netvst_parser_expect(&peer->parser, frames);
	for (;;) {
		size_t used;
		ssize_t n;
		int r = netvst_parse(
			&peer->parser, peer->in + peer->at, peer->have - peer->at, &used, &peer->block);

		assert_true(r >= 0);
		peer->at += used;
		if (r > 0) {
			return true;
		}
		if (!is_readable(peer->fd, timeout_ms)) {
			return false;
		}
		n = recv(peer->fd, peer->in, sizeof(peer->in), 0);
		if (n <= 0) {
			return false;
		}
		peer->have = (size_t)n;
		peer->at = 0;
	}
}

size_t rig_bytes(struct rig_peer *peer, enum netvst_direction direction, const struct netvst_block *block,
	uint8_t bytes[NETVST_BYTES_MAX])
{
	int r = netvst_write(
		bytes, NETVST_BYTES_MAX, peer->dialect, direction, peer->codec, peer->wavpack, block);

	assert_true(r > 0);
	return (size_t)r;
}

void rig_send(struct rig_peer *peer, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(peer->fd, bytes, n, MSG_NOSIGNAL);

		assert_true(sent > 0);
		bytes += sent;
		n -= (size_t)sent;
	}
}

void rig_write(struct rig_peer *peer, enum netvst_direction direction, const struct netvst_block *block)
{
	static uint8_t bytes[NETVST_BYTES_MAX];

	rig_send(peer, bytes, rig_bytes(peer, direction, block, bytes));
}

bool rig_is_closed(struct rig_peer *peer, int timeout_ms)
{
	int64_t end = now_ns() + timeout_ms * NSEC_PER_MSEC;

	while (now_ns() < end) {
		if (is_readable(peer->fd, 10) && recv(peer->fd, peer->in, sizeof(peer->in), 0) <= 0) {
			return true;
		}
	}
	return false;
}

/* The run that this cycle is in; 0: none. */
static uint32_t begin(struct rig_graph *graph)
{
	struct audio_cycle cycle = {
		.frames = graph->period,
		.rate_hz = RIG_RATE_HZ,
		.now_ns = now_ns(),
		.rolling = true,
		.transport_frame = graph->song_frame,
	};
	bool is_new;

	graph->song_frame += graph->period;
	graph->run = nvpipe_begin_rt(graph->pipe, &cycle, &is_new);
	if (is_new) {
		graph->frame = 0;
		graph->runs += graph->run != 0;
	}
	return is_new && graph->run ? UINT32_MAX : graph->run;
}

void rig_cycle(struct rig_graph *graph, const struct nvpipe_midi *midi, unsigned n_midi)
{
	static _Thread_local float samples[NVPIPE_CHANNELS][RIG_FRAMES_MAX];
	const float *const audio[NVPIPE_CHANNELS] = {samples[0], samples[1]};

	if (!begin(graph)) {
		return;
	}
	for (unsigned i = 0; i < n_midi; i++) {
		if (midi[i].frame >= graph->frame && midi[i].frame < graph->frame + graph->period) {
			assert_true(spsc_push(&graph->pipe->tx_midi, &midi[i]));
		}
	}
	for (uint32_t i = 0; i < graph->period; i++) {
		samples[0][i] = rig_sample(0, graph->frame + i);
		samples[1][i] = rig_sample(1, graph->frame + i);
	}
	(void)nvpipe_write_tx_rt(graph->pipe, audio, graph->period);
	graph->frame += graph->period;
}

void rig_echo_cycle(struct rig_graph *graph)
{
	static _Thread_local float samples[NVPIPE_CHANNELS][RIG_FRAMES_MAX];
	const float *const audio[NVPIPE_CHANNELS] = {samples[0], samples[1]};
	const float *const silence[NVPIPE_CHANNELS] = {NULL};
	float *const ret_audio[NVPIPE_CHANNELS] = {samples[0], samples[1]};
	uint32_t run = begin(graph);

	if (run == 0) {
		return;
	}
	if (run == UINT32_MAX) {
		assert_true(nvpipe_write_tx_rt(graph->pipe, silence, graph->prefill));
	}
	while (graph->n_midi < RIG_MIDI_MAX && spsc_pop(&graph->pipe->rx_midi, &graph->midi[graph->n_midi])) {
		graph->n_midi++;
	}
	if (nvpipe_rx_frames_rt(graph->pipe) < graph->period) {
		return;
	}
	nvpipe_read_rx_rt(graph->pipe, graph->frame, graph->period, ret_audio);
	graph->frame += graph->period;
	nvpipe_release_rx_rt(graph->pipe, graph->frame);
	(void)nvpipe_write_tx_rt(graph->pipe, audio, graph->period);
}

static void *echo_main(void *data)
{
	struct rig_graph *graph = data;
	int64_t due = now_ns();

	while (!atomic_load(&graph->stop)) {
		struct timespec ts;

		rig_echo_cycle(graph);
		due += graph->period * NSEC_PER_SEC / RIG_RATE_HZ;
		ts = (struct timespec){.tv_sec = due / NSEC_PER_SEC, .tv_nsec = due % NSEC_PER_SEC};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
	return NULL;
}

void rig_echo_start(struct rig_graph *graph)
{
	atomic_store(&graph->stop, false);
	assert_int_equal(pthread_create(&graph->thread, NULL, echo_main, graph), 0);
}

void rig_echo_stop(struct rig_graph *graph)
{
	atomic_store(&graph->stop, true);
	pthread_join(graph->thread, NULL);
	nvpipe_rt_gone(graph->pipe);
}
