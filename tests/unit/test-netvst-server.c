/* NetVST's server over real TCP: the test is the DAW, and a graph that plays everything back. */
#include "netvst-daw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static void echoes(struct daw *daw, uint32_t frames)
{
	struct netvst_server_status status;
	struct rig_peer *peer;

	daw_begin(daw, true);
	peer = daw_join(daw);
	daw_echo(daw, peer, 0, frames, 100);
	status = daw_status(daw);
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
	WAIT_FOR(!daw_status(daw).slots[0].connected);
	WAIT_FOR(daw->pipes[0]->run == 0);
	assert_int_equal(daw_status(daw).bad_peers, 0);
	/* The next one begins with silence again. */
	daw_forget(daw, 0);
	peer = daw_join(daw);
	daw_echo(daw, peer, 0, frames, 10);
	rig_close(peer);
}

static void test_echo(void **state)
{
	echoes(*state, DAW_BLOCK);
}

static void test_echo_audiokit(void **state)
{
	struct daw *daw = *state;

	daw->conf.dialect = NETVST_AUDIOKIT;
	echoes(daw, 441);
}

static void test_echo_wavpack(void **state)
{
	struct daw *daw = *state;

	if (!netvst_wavpack_supported()) {
		skip();
	}
	daw->conf.codec = NETVST_WAVPACK;
	echoes(daw, 512);
}

static void test_synth(void **state)
{
	struct daw *daw = *state;
	struct netvst_block *block = calloc(1, sizeof(*block));
	struct rig_peer *peer;

	assert_non_null(block);
	daw->conf.synth = true;
	daw_begin(daw, true);
	peer = daw_join(daw);
	block->frames = DAW_BLOCK;
	for (unsigned i = 0; i < 10; i++) {
		rig_write(peer, NETVST_REQUEST, block);
		assert_true(rig_read(peer, DAW_BLOCK, RIG_WAIT_MS));
		assert_true(peer->block.audio[0][DAW_BLOCK - 1] == 0.0F);
	}
	assert_int_equal(daw_status(daw).slots[0].blocks, 10);
	rig_close(peer);
	free(block);
}

/* Blocks with and without audio by turns: what is missing is silence. */
static void test_no_audio(void **state)
{
	struct daw *daw = *state;
	struct netvst_block block;
	struct rig_peer *peer;

	daw->conf.dialect = NETVST_AUDIOKIT;
	daw_begin(daw, true);
	peer = daw_join(daw);
	for (unsigned i = 0; i < 30; i++) {
		unsigned from = i - DAW_PREFILL / DAW_BLOCK;

		memcpy(&block, daw_block(DAW_BLOCK, i), sizeof(block));
		block.has_audio = i % 2 == 0;
		rig_write(peer, NETVST_REQUEST, &block);
		assert_true(rig_read(peer, DAW_BLOCK, RIG_WAIT_MS));
		if (i >= DAW_PREFILL / DAW_BLOCK) {
			assert_true(peer->block.audio[0][3] == (from % 2 ? 0.0F : rig_sample(0, from + 3)));
		}
	}
	rig_close(peer);
}

/* A graph that has cycles, but takes nothing and gives nothing: the DAW does not hang, and a new run begins. */
static void test_stuck(void **state)
{
	struct daw *daw = *state;
	struct rig_peer *peer;

	daw_begin(daw, false);
	daw->graphs[0].period = 4096;
	rig_echo_cycle(&daw->graphs[0]);
	peer = daw_join(daw);
	for (unsigned i = 0; i <= DAW_PREFILL / DAW_BLOCK; i++) {
		daw_request(daw, peer, 0, DAW_BLOCK);
		do {
			rig_echo_cycle(&daw->graphs[0]);
		} while (!rig_read(peer, DAW_BLOCK, 2));
		assert_true(peer->block.audio[0][DAW_BLOCK - 1] == 0.0F);
	}
	assert_int_equal(daw->graphs[0].runs, 1);
	daw_request(daw, peer, 0, DAW_BLOCK);
	WAIT_FOR((rig_echo_cycle(&daw->graphs[0]), daw->graphs[0].runs == 2));
	rig_close(peer);
}

/* Several blocks on their way, and none of their replies read for a while. */
static void test_ahead(void **state)
{
	struct daw *daw = *state;
	struct rig_peer *peer;

	daw_begin(daw, true);
	peer = daw_join(daw);
	for (unsigned i = 0; i < 20; i++) {
		daw_request(daw, peer, 0, DAW_BLOCK);
	}
	WAIT_FOR(daw_status(daw).slots[0].blocks >= 10);
	for (unsigned i = 0; i < 20; i++) {
		daw_take_reply(daw, peer, 0, DAW_BLOCK);
	}
	assert_int_equal(daw_status(daw).slots[0].blocks, 20);
	rig_close(peer);
}

/* Larger blocks than the first one want another run; smaller ones do not. */
static void test_growing(void **state)
{
	struct daw *daw = *state;
	struct rig_peer *peer;

	daw_begin(daw, true);
	peer = daw_join(daw);
	daw_echo(daw, peer, 0, 64, 10);
	daw_echo(daw, peer, 0, 17, 10);
	assert_int_equal(daw->graphs[0].runs, 1);
	daw_forget(daw, 0);
	daw_echo(daw, peer, 0, 500, 10);
	assert_int_equal(daw->graphs[0].runs, 2);
	assert_int_equal(daw->pipes[0]->peer_block, 500);
	daw_echo(daw, peer, 0, 64, 10);
	assert_int_equal(daw->graphs[0].runs, 2);
	rig_close(peer);
}

static void test_midi(void **state)
{
	static const uint32_t at[] = {0, 5, 127, 128, 200, 1000, 1279};
	struct daw *daw = *state;
	struct netvst_block block = {.n_midi = 0};
	struct rig_peer *peer;
	unsigned next = 0;

	daw_begin(daw, true);
	peer = daw_join(daw);
	for (unsigned i = 0; i < 10; i++) {
		memcpy(&block, daw_block(DAW_BLOCK, daw->sent[0]), sizeof(block));
		for (; next < ARRAY_SIZE(at) && at[next] < daw->sent[0] + DAW_BLOCK; next++) {
			block.midi[block.n_midi++] =
				(struct netvst_midi){.frame = at[next] - (uint32_t)daw->sent[0],
					.status = 0x91,
					.data1 = (uint8_t)next,
					.data2 = 3};
		}
		rig_write(peer, NETVST_REQUEST, &block);
		daw->sent[0] += DAW_BLOCK;
		daw_take_reply(daw, peer, 0, DAW_BLOCK);
	}
	assert_int_equal(daw_status(daw).slots[0].midi_received, ARRAY_SIZE(at));
	rig_close(peer);
	/* Those of the last block may not have had their cycle yet. */
	WAIT_FOR(!daw_status(daw).slots[0].connected);
	daw_stop_graphs(daw);
	assert_true(daw->graphs[0].n_midi >= ARRAY_SIZE(at) - 1);
	for (unsigned i = 0; i < daw->graphs[0].n_midi; i++) {
		assert_int_equal(daw->graphs[0].midi[i].frame, at[i]);
		assert_int_equal(daw->graphs[0].midi[i].status, 0x91);
		assert_int_equal(daw->graphs[0].midi[i].data1, i);
		assert_int_equal(daw->graphs[0].midi[i].data2, 3);
	}
}

static void test_slots(void **state)
{
	struct daw *daw = *state;
	struct rig_peer *peers[DAW_SLOTS], *third;
	uint16_t port;

	daw_begin(daw, true);
	port = daw_status(daw).port;
	for (unsigned i = 0; i < DAW_SLOTS; i++) {
		peers[i] = daw_join(daw);
		WAIT_FOR(daw_status(daw).slots[i].connected);
	}
	third = daw_join(daw);
	assert_true(rig_is_closed(third, RIG_WAIT_MS));
	rig_close(third);
	WAIT_FOR(daw_status(daw).refused_full == 1);
	for (unsigned i = 0; i < 20; i++) {
		daw_echo(daw, peers[0], 0, 64, 1);
		daw_echo(daw, peers[1], 1, 300, 1);
	}
	/* One goes, and is back before anybody has seen that. */
	third = peers[0];
	for (unsigned i = 0; i < 10; i++) {
		netvst_io_lock(daw->io);
		rig_close(third);
		third = rig_connect(port, NETVST_2017, NETVST_PCM);
		netvst_io_unlock(daw->io);
		daw_forget(daw, 2);
		daw_echo(daw, third, 2, 100, 2);
	}
	daw_echo(daw, peers[1], 1, 300, 20);
	rig_close(third);
	rig_close(peers[1]);
}

/* No audio server: silence, not faster than it would be played. */
static void test_silence(void **state)
{
	struct daw *daw = *state;
	struct rig_peer *peer;
	int64_t begun;

	daw_begin(daw, false);
	peer = daw_join(daw);
	begun = now_ns();
	for (unsigned i = 0; i < 10; i++) {
		rig_write(peer, NETVST_REQUEST, daw_block(960, 0));
		assert_true(rig_read(peer, 960, RIG_WAIT_MS));
		assert_true(peer->block.audio[0][7] == 0.0F && peer->block.audio[1][959] == 0.0F);
	}
	assert_true(now_ns() - begun > 150 * NSEC_PER_MSEC);
	/* It comes, it goes, it comes. */
	for (unsigned i = 0; i < DAW_SLOTS; i++) {
		rig_echo_start(&daw->graphs[i]);
	}
	daw->running = true;
	WAIT_FOR(daw->pipes[0]->cycle_ns != 0);
	daw_echo(daw, peer, 0, DAW_BLOCK, 20);
	daw_stop_graphs(daw);
	rig_write(peer, NETVST_REQUEST, daw_block(DAW_BLOCK, 0));
	assert_true(rig_read(peer, DAW_BLOCK, RIG_WAIT_MS));
	assert_true(peer->block.audio[0][7] == 0.0F);
	daw_forget(daw, 0);
	for (unsigned i = 0; i < DAW_SLOTS; i++) {
		rig_echo_start(&daw->graphs[i]);
	}
	daw->running = true;
	WAIT_FOR(daw->pipes[0]->cycle_ns != 0);
	daw_echo(daw, peer, 0, DAW_BLOCK, 20);
	rig_close(peer);
}

static void test_address(void **state)
{
	struct daw *daw = *state;
	struct netvst_server_status status;
	uint16_t port = 0;
	int other = rig_listen(&port, 1);

	daw->io->times.retry_min_ns = 5 * NSEC_PER_MSEC;
	daw->io->times.retry_max_ns = 10 * NSEC_PER_MSEC;
	daw->conf.host = "studio";
	assert_int_equal(netvst_server_new(daw->io, &daw->conf, daw->pipes, &daw->server), -EINVAL);
	daw->conf.host = "127.0.0.1";
	daw->conf.port = port;
	assert_int_equal(nvpipe_new(0, &daw->pipes[0]), 0);
	assert_int_equal(nvpipe_new(0, &daw->pipes[1]), 0);
	assert_int_equal(netvst_server_new(daw->io, &daw->conf, daw->pipes, &daw->server), 0);
	WAIT_FOR(strstr(daw_status(daw).error, "Address already in use"));
	assert_false(daw_status(daw).listening);
	close(other);
	WAIT_FOR(daw_status(daw).listening);
	status = daw_status(daw);
	assert_int_equal(status.port, port);
	assert_string_equal(status.error, "");
}

/* Our client against our server, each with a graph of its own. */
static void test_run_is_over(void **state)
{
	struct daw *daw = *state;
	struct nvpipe *pipe;
	int64_t now = now_ns();

	assert_int_equal(nvpipe_new(0, &daw->pipes[0]), 0);
	pipe = daw->pipes[0];
	assert_true(nvpipe_start(pipe, 7));
	assert_false(netvst_conn_run_is_over(pipe, 7, false, now, now));
	assert_true(netvst_conn_run_is_over(pipe, 7, false, now - NSEC_PER_SEC, now));
	daw->graphs[0] = (struct rig_graph){.pipe = pipe, .period = DAW_PERIOD, .prefill = DAW_PREFILL};
	rig_echo_cycle(&daw->graphs[0]);
	/* It may begin just after somebody has seen that it does not run. */
	assert_false(netvst_conn_run_is_over(pipe, 7, false, now - NSEC_PER_SEC, now));
	assert_false(netvst_conn_run_is_over(pipe, 7, true, now, now));
	atomic_store(&pipe->overrun, true);
	assert_true(netvst_conn_run_is_over(pipe, 7, false, now, now));
	nvpipe_rt_gone(pipe);
	assert_true(netvst_conn_run_is_over(pipe, 7, true, now, now));
}

static void both(struct daw *daw, const char *host)
{
	static float samples[NVPIPE_CHANNELS][RIG_FRAMES_MAX];
	float *const audio[NVPIPE_CHANNELS] = {samples[0], samples[1]};
	struct netvst_client_conf conf = {.host = host};
	struct netvst_client_status status;
	struct rig_graph graph = {.period = 64};
	struct netvst_client *client;
	struct nvpipe *pipe;

	daw->conf.host = host;
	daw_begin(daw, true);
	conf.port = daw_status(daw).port;
	assert_int_equal(nvpipe_new(64, &pipe), 0);
	graph.pipe = pipe;
	assert_int_equal(netvst_client_new(daw->io, &conf, pipe, &client), 0);
	WAIT_FOR((rig_cycle(&graph, NULL, 0), graph.run != 0));
	for (uint64_t number = 0; number < 100; number++) {
		WAIT_FOR(nvpipe_block_ready_rt(pipe, number));
		nvpipe_read_block_rt(pipe, number, 0, 64, audio);
		for (uint32_t i = 0; i < 64; i++) {
			uint64_t at = number * 64 + i;

			assert_true(
				samples[0][i] == (at < DAW_PREFILL ? 0.0F : rig_sample(0, at - DAW_PREFILL)));
			assert_true(
				samples[1][i] == (at < DAW_PREFILL ? 0.0F : rig_sample(1, at - DAW_PREFILL)));
		}
		rig_cycle(&graph, NULL, 0);
	}
	netvst_client_get_status(client, &status);
	assert_int_equal(status.connects, 1);
	assert_int_equal(status.blocks_skipped, 0);
	assert_non_null(strstr(status.peer, host));
	assert_non_null(strstr(daw_status(daw).slots[0].peer, host));
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

#define DAW_TEST(name) cmocka_unit_test_setup_teardown(name, daw_set_up, daw_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DAW_TEST(test_echo),
		DAW_TEST(test_echo_audiokit),
		DAW_TEST(test_echo_wavpack),
		DAW_TEST(test_synth),
		DAW_TEST(test_no_audio),
		DAW_TEST(test_stuck),
		DAW_TEST(test_ahead),
		DAW_TEST(test_growing),
		DAW_TEST(test_midi),
		DAW_TEST(test_slots),
		DAW_TEST(test_silence),
		DAW_TEST(test_address),
		DAW_TEST(test_run_is_over),
		DAW_TEST(test_both),
		DAW_TEST(test_both_ipv6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
