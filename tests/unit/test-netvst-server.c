/* NetVST's server over real TCP: the test is the DAW, and a graph that plays everything back; some DAWs are hostile. */
#include "netvst-rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK 128
#define PERIOD 48
#define PREFILL 1024
#define SLOTS 2

struct rig {
	struct netvst_io *io;
	struct nvpipe *pipes[SLOTS];
	struct netvst_server *server;
	struct rig_graph graphs[SLOTS];
	bool running;
	struct netvst_server_conf conf;
	unsigned fds;
	uint64_t sent[SLOTS + 1]; /* frames, by each peer */
	uint64_t got[SLOTS + 1];
};

static struct netvst_server_status status_of(struct rig *rig)
{
	struct netvst_server_status status;

	netvst_server_get_status(rig->server, &status);
	return status;
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->fds = rig_open_fds();
	rig->conf = (struct netvst_server_conf){.host = "127.0.0.1", .slots = SLOTS};
	assert_int_equal(netvst_io_new("test", &rig->io), 0);
	*state = rig;
	return 0;
}

/* The graph runs in the slots; false: there is none. */
static void begin(struct rig *rig, bool running)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		assert_int_equal(nvpipe_new(0, &rig->pipes[i]), 0);
		rig->graphs[i] =
			(struct rig_graph){.pipe = rig->pipes[i], .period = PERIOD, .prefill = PREFILL};
		if (running) {
			rig_echo_start(&rig->graphs[i]);
		}
	}
	rig->running = running;
	/* Before their first cycle the answer is silence. */
	WAIT_FOR(!running || (rig->pipes[0]->cycle_ns != 0 && rig->pipes[SLOTS - 1]->cycle_ns != 0));
	assert_int_equal(netvst_server_new(rig->io, &rig->conf, rig->pipes, &rig->server), 0);
	WAIT_FOR(status_of(rig).listening);
}

static void stop_graphs(struct rig *rig)
{
	for (unsigned i = 0; rig->running && i < SLOTS; i++) {
		rig_echo_stop(&rig->graphs[i]);
	}
	rig->running = false;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	stop_graphs(rig);
	netvst_server_free(rig->server);
	netvst_io_free(rig->io);
	for (unsigned i = 0; i < SLOTS; i++) {
		nvpipe_free(rig->pipes[i]);
	}
	assert_int_equal(rig_open_fds(), rig->fds);
	free(rig);
	return 0;
}

static struct rig_peer *join(struct rig *rig)
{
	return rig_connect(status_of(rig).port, rig->conf.dialect, rig->conf.codec);
}

static const struct netvst_block *make_block(uint32_t frames, uint64_t at)
{
	static struct netvst_block block;

	block.frames = frames;
	block.timestamp = (uint32_t)at;
	block.has_audio = true;
	block.n_midi = 0;
	block.n_params = 0;
	for (uint32_t i = 0; i < frames; i++) {
		block.audio[0][i] = rig_sample(0, at + i);
		block.audio[1][i] = rig_sample(1, at + i);
	}
	return &block;
}

static void request(struct rig *rig, struct rig_peer *peer, unsigned i, uint32_t frames)
{
	rig_write(peer, NETVST_REQUEST, make_block(frames, rig->sent[i]));
	rig->sent[i] += frames;
}

/* The reply is what went in, PREFILL frames later. */
static void take_reply(struct rig *rig, struct rig_peer *peer, unsigned i, uint32_t frames)
{
	assert_true(rig_read(peer, frames, RIG_WAIT_MS));
	for (uint32_t k = 0; k < frames; k++, rig->got[i]++) {
		uint64_t at = rig->got[i] - PREFILL;

		assert_true(peer->block.audio[0][k] == (rig->got[i] < PREFILL ? 0.0F : rig_sample(0, at)));
		assert_true(peer->block.audio[1][k] == (rig->got[i] < PREFILL ? 0.0F : rig_sample(1, at)));
	}
}

static void echo(struct rig *rig, struct rig_peer *peer, unsigned i, uint32_t frames, unsigned n)
{
	for (; n > 0; n--) {
		request(rig, peer, i, frames);
		take_reply(rig, peer, i, frames);
	}
}

static void forget(struct rig *rig, unsigned i)
{
	rig->sent[i] = 0;
	rig->got[i] = 0;
}

static void echoes(struct rig *rig, uint32_t frames)
{
	struct netvst_server_status status;
	struct rig_peer *peer;

	begin(rig, true);
	peer = join(rig);
	echo(rig, peer, 0, frames, 100);
	status = status_of(rig);
	assert_true(status.slots[0].connected);
	assert_false(status.slots[1].connected);
	assert_int_equal(status.slots[0].block_frames, frames);
	assert_int_equal(status.slots[0].blocks, 100);
	assert_int_equal(status.slots[0].connects, 1);
	assert_int_equal(status.slots[0].audio_bytes, 100 * frames * 2 * 8);
	assert_true(status.slots[0].bytes_received > 0);
	assert_true(status.slots[0].bytes_sent > 0);
	assert_non_null(strstr(status.slots[0].peer, "127.0.0.1:"));
	assert_string_equal(status.error, "");
	rig_close(peer);
	WAIT_FOR(!status_of(rig).slots[0].connected);
	assert_int_equal(status_of(rig).bad_peers, 0);
	/* The next one begins with silence again. */
	forget(rig, 0);
	peer = join(rig);
	echo(rig, peer, 0, frames, 10);
	rig_close(peer);
}

static void test_echo(void **state)
{
	echoes(*state, BLOCK);
}

static void test_echo_audiokit(void **state)
{
	struct rig *rig = *state;

	rig->conf.dialect = NETVST_AUDIOKIT;
	echoes(rig, 441);
}

static void test_echo_wavpack(void **state)
{
	struct rig *rig = *state;

	if (!netvst_wavpack_supported()) {
		skip();
	}
	rig->conf.codec = NETVST_WAVPACK;
	echoes(rig, 512);
}

static void test_synth(void **state)
{
	struct rig *rig = *state;
	struct netvst_block *block = calloc(1, sizeof(*block));
	struct rig_peer *peer;

	assert_non_null(block);
	rig->conf.synth = true;
	begin(rig, true);
	peer = join(rig);
	block->frames = BLOCK;
	for (unsigned i = 0; i < 10; i++) {
		rig_write(peer, NETVST_REQUEST, block);
		assert_true(rig_read(peer, BLOCK, RIG_WAIT_MS));
		assert_true(peer->block.audio[0][BLOCK - 1] == 0.0F);
	}
	assert_int_equal(status_of(rig).slots[0].blocks, 10);
	rig_close(peer);
	free(block);
}

/* Several blocks on their way, and none of their replies read for a while. */
static void test_ahead(void **state)
{
	struct rig *rig = *state;
	struct rig_peer *peer;

	begin(rig, true);
	peer = join(rig);
	for (unsigned i = 0; i < 20; i++) {
		request(rig, peer, 0, BLOCK);
	}
	WAIT_FOR(status_of(rig).slots[0].blocks >= 10);
	for (unsigned i = 0; i < 20; i++) {
		take_reply(rig, peer, 0, BLOCK);
	}
	assert_int_equal(status_of(rig).slots[0].blocks, 20);
	rig_close(peer);
}

/* Larger blocks than the first one want another run; smaller ones do not. */
static void test_growing(void **state)
{
	struct rig *rig = *state;
	struct rig_peer *peer;

	begin(rig, true);
	peer = join(rig);
	echo(rig, peer, 0, 64, 10);
	echo(rig, peer, 0, 17, 10);
	assert_int_equal(rig->graphs[0].runs, 1);
	forget(rig, 0);
	echo(rig, peer, 0, 500, 10);
	assert_int_equal(rig->graphs[0].runs, 2);
	assert_int_equal(rig->pipes[0]->peer_block, 500);
	echo(rig, peer, 0, 64, 10);
	assert_int_equal(rig->graphs[0].runs, 2);
	rig_close(peer);
}

static void test_midi(void **state)
{
	static const uint32_t at[] = {0, 5, 127, 128, 200, 1000, 1279};
	struct rig *rig = *state;
	struct netvst_block block = {.n_midi = 0};
	struct rig_peer *peer;
	unsigned next = 0;

	begin(rig, true);
	peer = join(rig);
	for (unsigned i = 0; i < 10; i++) {
		memcpy(&block, make_block(BLOCK, rig->sent[0]), sizeof(block));
		for (; next < ARRAY_SIZE(at) && at[next] < rig->sent[0] + BLOCK; next++) {
			block.midi[block.n_midi++] =
				(struct netvst_midi){.frame = at[next] - (uint32_t)rig->sent[0],
					.status = 0x91,
					.data1 = (uint8_t)next,
					.data2 = 3};
		}
		rig_write(peer, NETVST_REQUEST, &block);
		rig->sent[0] += BLOCK;
		take_reply(rig, peer, 0, BLOCK);
	}
	assert_int_equal(status_of(rig).slots[0].midi_received, ARRAY_SIZE(at));
	rig_close(peer);
	/* Those of the last block may not have had their cycle yet. */
	WAIT_FOR(!status_of(rig).slots[0].connected);
	stop_graphs(rig);
	assert_true(rig->graphs[0].n_midi >= ARRAY_SIZE(at) - 1);
	for (unsigned i = 0; i < rig->graphs[0].n_midi; i++) {
		assert_int_equal(rig->graphs[0].midi[i].frame, at[i]);
		assert_int_equal(rig->graphs[0].midi[i].status, 0x91);
		assert_int_equal(rig->graphs[0].midi[i].data1, i);
		assert_int_equal(rig->graphs[0].midi[i].data2, 3);
	}
}

static void test_slots(void **state)
{
	struct rig *rig = *state;
	struct rig_peer *peers[SLOTS], *third;

	begin(rig, true);
	for (unsigned i = 0; i < SLOTS; i++) {
		peers[i] = join(rig);
		WAIT_FOR(status_of(rig).slots[i].connected);
	}
	third = join(rig);
	assert_true(rig_is_closed(third, RIG_WAIT_MS));
	rig_close(third);
	WAIT_FOR(status_of(rig).refused_full == 1);
	for (unsigned i = 0; i < 20; i++) {
		echo(rig, peers[0], 0, 64, 1);
		echo(rig, peers[1], 1, 300, 1);
	}
	/* One goes, and is back before anybody has seen that. */
	third = peers[0];
	for (unsigned i = 0; i < 10; i++) {
		rig_close(third);
		third = join(rig);
		forget(rig, 2);
		echo(rig, third, 2, 100, 2);
	}
	echo(rig, peers[1], 1, 300, 20);
	rig_close(third);
	rig_close(peers[1]);
}

/* Who is silent for long has to go, if somebody else comes. */
static void test_silent(void **state)
{
	struct rig *rig = *state;
	struct rig_peer *peers[SLOTS], *third;

	rig->io->times.idle_ns = 100 * NSEC_PER_MSEC;
	begin(rig, true);
	for (unsigned i = 0; i < SLOTS; i++) {
		peers[i] = join(rig);
		echo(rig, peers[i], i, BLOCK, 1);
	}
	assert_false(rig_is_closed(peers[0], 300));
	echo(rig, peers[1], 1, BLOCK, 1);
	third = join(rig);
	echo(rig, third, 2, BLOCK, 20);
	assert_true(rig_is_closed(peers[0], RIG_WAIT_MS));
	echo(rig, peers[1], 1, BLOCK, 20);
	assert_int_equal(status_of(rig).timeouts, 1);
	assert_non_null(strstr(status_of(rig).error, "silent"));
	rig_close(third);
	rig_close(peers[0]);
	rig_close(peers[1]);
}

static void test_allow(void **state)
{
	struct rig *rig = *state;
	struct rig_peer *peer;

	rig->conf.n_allow = 2;
	assert_true(netvst_net_from_string("10.0.0.0/8", &rig->conf.allow[0]));
	assert_true(netvst_net_from_string("::1", &rig->conf.allow[1]));
	begin(rig, true);
	peer = join(rig);
	assert_true(rig_is_closed(peer, RIG_WAIT_MS));
	rig_close(peer);
	assert_int_equal(status_of(rig).refused_address, 1);
	assert_int_equal(status_of(rig).slots[0].connects, 0);
}

static void test_byte_by_byte(void **state)
{
	struct rig *rig = *state;
	static uint8_t bytes[NETVST_BYTES_MAX];
	struct rig_peer *slow, *other;
	size_t n;

	begin(rig, true);
	slow = join(rig);
	WAIT_FOR(status_of(rig).slots[0].connected);
	other = join(rig);
	n = rig_bytes(slow, NETVST_REQUEST, make_block(16, 0), bytes);
	for (size_t i = 0; i < n; i++) {
		rig_send(slow, bytes + i, 1);
		echo(rig, other, 1, BLOCK, 1);
	}
	rig->sent[0] = 16;
	take_reply(rig, slow, 0, 16);
	assert_int_equal(status_of(rig).timeouts, 0);
	rig_close(slow);
	rig_close(other);
}

static void test_times(void **state)
{
	struct rig *rig = *state;
	static uint8_t bytes[NETVST_BYTES_MAX];
	struct rig_peer *mute, *half;
	size_t n;

	rig->io->times.first_byte_ns = 100 * NSEC_PER_MSEC;
	rig->io->times.block_ns = 100 * NSEC_PER_MSEC;
	begin(rig, true);
	mute = join(rig);
	assert_true(rig_is_closed(mute, RIG_WAIT_MS));
	assert_int_equal(status_of(rig).timeouts, 1);
	assert_non_null(strstr(status_of(rig).error, "it sent nothing"));
	half = join(rig);
	n = rig_bytes(half, NETVST_REQUEST, make_block(BLOCK, 0), bytes);
	rig_send(half, bytes, n);
	rig_send(half, bytes, n / 2);
	rig->sent[0] = BLOCK;
	take_reply(rig, half, 0, BLOCK);
	assert_true(rig_is_closed(half, RIG_WAIT_MS));
	assert_int_equal(status_of(rig).timeouts, 2);
	assert_non_null(strstr(status_of(rig).error, "in the middle of a block"));
	rig_close(mute);
	rig_close(half);
}

/* Sends for ever, and reads nothing. */
static void test_deaf(void **state)
{
	struct rig *rig = *state;
	static uint8_t bytes[NETVST_BYTES_MAX];
	struct rig_peer *peer;
	size_t n;

	rig->io->times.write_ns = 100 * NSEC_PER_MSEC;
	begin(rig, false);
	peer = join(rig);
	n = rig_bytes(peer, NETVST_REQUEST, make_block(2048, 0), bytes);
	while (send(peer->fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n) {
	}
	assert_int_equal(status_of(rig).timeouts, 1);
	assert_non_null(strstr(status_of(rig).error, "did not take its replies"));
	rig_close(peer);
}

/* Blocks of one frame, with all the events that there may be: not more of them than the thread has time for. */
static void test_flood(void **state)
{
	struct rig *rig = *state;
	struct netvst_block block = {.frames = 1, .has_audio = true, .n_midi = NETVST_MIDI_MAX};
	static uint8_t bytes[NETVST_BYTES_MAX];
	struct rig_peer *peer;
	int64_t begun;
	size_t n;

	for (unsigned i = 0; i < NETVST_MIDI_MAX; i++) {
		block.midi[i] = (struct netvst_midi){.status = 0x90, .data1 = 60, .data2 = 1};
	}
	begin(rig, false);
	peer = join(rig);
	n = rig_bytes(peer, NETVST_REQUEST, &block, bytes);
	begun = now_ns();
	for (size_t sent = 0; sent < 3000000; sent += n) {
		rig_send(peer, bytes, n);
	}
	for (size_t sent = 0; sent < 3000000; sent += n) {
		assert_true(rig_read(peer, 1, RIG_WAIT_MS));
	}
	/* The first megabyte is free. */
	assert_true(now_ns() - begun > 200 * NSEC_PER_MSEC);
	rig_close(peer);
}

static void test_garbage(void **state)
{
	static const uint8_t garbage[4096] = {[2] = 0xff};
	struct rig *rig = *state;
	struct rig_peer *peer;

	begin(rig, true);
	for (unsigned i = 0; i < 10; i++) {
		peer = join(rig);
		rig_send(peer, garbage, sizeof(garbage));
		assert_true(rig_is_closed(peer, RIG_WAIT_MS));
		rig_close(peer);
		assert_int_equal(status_of(rig).bad_peers, i + 1);
	}
	assert_non_null(strstr(status_of(rig).error, "127.0.0.1:"));
	peer = join(rig);
	echo(rig, peer, 0, BLOCK, 10);
	rig_close(peer);
}

/* Reset while its reply is owed. */
static void test_reset(void **state)
{
	const struct linger hard = {.l_onoff = 1};
	struct rig *rig = *state;
	struct rig_peer *peer;

	begin(rig, true);
	for (unsigned i = 0; i < 10; i++) {
		peer = join(rig);
		request(rig, peer, 0, 8000);
		assert_int_equal(setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
		rig_close(peer);
	}
	WAIT_FOR(!status_of(rig).slots[0].connected && !status_of(rig).slots[1].connected);
	forget(rig, 0);
	peer = join(rig);
	echo(rig, peer, 0, BLOCK, 10);
	rig_close(peer);
}

static void connect_often(uint16_t port, unsigned n)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	address.sin_port = htons(port);
	for (unsigned i = 0; i < n; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		assert_true(fd >= 0);
		(void)connect(fd, (struct sockaddr *)&address, sizeof(address));
		close(fd);
	}
}

/* Whoever has a slot hears nothing of it, and whoever comes afterwards gets one. */
static void test_thousand(void **state)
{
	struct rig *rig = *state;
	struct netvst_server_status status;
	struct rig_peer *peer, *after;
	uint64_t taken;

	begin(rig, true);
	peer = join(rig);
	echo(rig, peer, 0, BLOCK, 1);
	for (unsigned i = 0; i < 20; i++) {
		connect_often(status_of(rig).port, 50);
		echo(rig, peer, 0, BLOCK, 1);
	}
	status = status_of(rig);
	taken = status.slots[0].connects + status.slots[1].connects + status.refused_full;
	assert_true(taken < 200);
	after = join(rig);
	echo(rig, after, 1, BLOCK, 10);
	echo(rig, peer, 0, BLOCK, 10);
	assert_int_equal(status_of(rig).slots[0].connects, 1);
	rig_close(after);
	rig_close(peer);
}

/* No audio server: silence, not faster than it would be played. */
static void test_silence(void **state)
{
	struct rig *rig = *state;
	struct rig_peer *peer;
	int64_t begun;

	begin(rig, false);
	peer = join(rig);
	begun = now_ns();
	for (unsigned i = 0; i < 10; i++) {
		rig_write(peer, NETVST_REQUEST, make_block(960, 0));
		assert_true(rig_read(peer, 960, RIG_WAIT_MS));
		assert_true(peer->block.audio[0][7] == 0.0F && peer->block.audio[1][959] == 0.0F);
	}
	assert_true(now_ns() - begun > 150 * NSEC_PER_MSEC);
	/* It comes, it goes, it comes. */
	for (unsigned i = 0; i < SLOTS; i++) {
		rig_echo_start(&rig->graphs[i]);
	}
	rig->running = true;
	WAIT_FOR(rig->pipes[0]->cycle_ns != 0);
	echo(rig, peer, 0, BLOCK, 20);
	stop_graphs(rig);
	rig_write(peer, NETVST_REQUEST, make_block(BLOCK, 0));
	assert_true(rig_read(peer, BLOCK, RIG_WAIT_MS));
	assert_true(peer->block.audio[0][7] == 0.0F);
	forget(rig, 0);
	for (unsigned i = 0; i < SLOTS; i++) {
		rig_echo_start(&rig->graphs[i]);
	}
	rig->running = true;
	WAIT_FOR(rig->pipes[0]->cycle_ns != 0);
	echo(rig, peer, 0, BLOCK, 20);
	rig_close(peer);
}

static void test_address(void **state)
{
	struct rig *rig = *state;
	struct netvst_server_status status;
	uint16_t port = 0;
	int other = rig_listen(&port, 1);

	rig->io->times.retry_min_ns = 5 * NSEC_PER_MSEC;
	rig->io->times.retry_max_ns = 10 * NSEC_PER_MSEC;
	rig->conf.host = "studio";
	assert_int_equal(netvst_server_new(rig->io, &rig->conf, rig->pipes, &rig->server), -EINVAL);
	rig->conf.host = "127.0.0.1";
	rig->conf.port = port;
	assert_int_equal(nvpipe_new(0, &rig->pipes[0]), 0);
	assert_int_equal(nvpipe_new(0, &rig->pipes[1]), 0);
	assert_int_equal(netvst_server_new(rig->io, &rig->conf, rig->pipes, &rig->server), 0);
	WAIT_FOR(strstr(status_of(rig).error, "Address already in use"));
	assert_false(status_of(rig).listening);
	close(other);
	WAIT_FOR(status_of(rig).listening);
	status = status_of(rig);
	assert_int_equal(status.port, port);
	assert_string_equal(status.error, "");
}

/* Our client against our server, each with a graph of its own. */
static void both(struct rig *rig, const char *host)
{
	static float samples[NVPIPE_CHANNELS][RIG_FRAMES_MAX];
	float *const audio[NVPIPE_CHANNELS] = {samples[0], samples[1]};
	struct netvst_client_conf conf = {.host = host};
	struct netvst_client_status status;
	struct rig_graph graph = {.period = 64};
	struct netvst_client *client;
	struct nvpipe *pipe;

	rig->conf.host = host;
	begin(rig, true);
	conf.port = status_of(rig).port;
	assert_int_equal(nvpipe_new(64, &pipe), 0);
	graph.pipe = pipe;
	assert_int_equal(netvst_client_new(rig->io, &conf, pipe, &client), 0);
	WAIT_FOR((rig_cycle(&graph, NULL, 0), graph.run != 0));
	for (uint64_t number = 0; number < 100; number++) {
		WAIT_FOR(nvpipe_block_ready_rt(pipe, number));
		nvpipe_read_block_rt(pipe, number, 0, 64, audio);
		for (uint32_t i = 0; i < 64; i++) {
			uint64_t at = number * 64 + i;

			assert_true(samples[0][i] == (at < PREFILL ? 0.0F : rig_sample(0, at - PREFILL)));
			assert_true(samples[1][i] == (at < PREFILL ? 0.0F : rig_sample(1, at - PREFILL)));
		}
		rig_cycle(&graph, NULL, 0);
	}
	netvst_client_get_status(client, &status);
	assert_int_equal(status.connects, 1);
	assert_int_equal(status.blocks_skipped, 0);
	assert_non_null(strstr(status.peer, host));
	assert_non_null(strstr(status_of(rig).slots[0].peer, host));
	netvst_client_free(client);
	nvpipe_free(pipe);
}

static void test_both(void **state)
{
	both(*state, "127.0.0.1");
}

static void test_both_ipv6(void **state)
{
	const struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool there = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;

	if (fd >= 0) {
		close(fd);
	}
	if (!there) {
		skip();
	}
	both(*state, "::1");
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_echo),
		RIG_TEST(test_echo_audiokit),
		RIG_TEST(test_echo_wavpack),
		RIG_TEST(test_synth),
		RIG_TEST(test_ahead),
		RIG_TEST(test_growing),
		RIG_TEST(test_midi),
		RIG_TEST(test_slots),
		RIG_TEST(test_silent),
		RIG_TEST(test_allow),
		RIG_TEST(test_byte_by_byte),
		RIG_TEST(test_times),
		RIG_TEST(test_deaf),
		RIG_TEST(test_flood),
		RIG_TEST(test_garbage),
		RIG_TEST(test_reset),
		RIG_TEST(test_thousand),
		RIG_TEST(test_silence),
		RIG_TEST(test_address),
		RIG_TEST(test_both),
		RIG_TEST(test_both_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
