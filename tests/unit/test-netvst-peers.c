/* NetVST's server and those who do it no good: slow, silent, deaf, many, or talking nonsense. */
#include "netvst-daw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

/* Who is silent for long has to go, if somebody else comes. */
static void test_silent(void **state)
{
	struct daw *daw = *state;
	struct rig_peer *peers[DAW_SLOTS], *third;

	daw->io->times.idle_ns = 100 * NSEC_PER_MSEC;
	daw_begin(daw, true);
	for (unsigned i = 0; i < DAW_SLOTS; i++) {
		peers[i] = daw_join(daw);
		daw_echo(daw, peers[i], i, DAW_BLOCK, 1);
	}
	assert_false(rig_is_closed(peers[0], 300));
	daw_echo(daw, peers[1], 1, DAW_BLOCK, 1);
	third = daw_join(daw);
	daw_echo(daw, third, 2, DAW_BLOCK, 20);
	assert_true(rig_is_closed(peers[0], RIG_WAIT_MS));
	daw_echo(daw, peers[1], 1, DAW_BLOCK, 20);
	assert_int_equal(daw_status(daw).timeouts, 1);
	assert_non_null(strstr(daw_status(daw).error, "silent"));
	rig_close(third);
	rig_close(peers[0]);
	rig_close(peers[1]);
}

static void test_allow(void **state)
{
	struct daw *daw = *state;
	struct rig_peer *peer;

	daw->conf.n_allow = 2;
	assert_true(netvst_net_from_string("10.0.0.0/8", &daw->conf.allow[0]));
	assert_true(netvst_net_from_string("::1", &daw->conf.allow[1]));
	daw_begin(daw, true);
	peer = daw_join(daw);
	assert_true(rig_is_closed(peer, RIG_WAIT_MS));
	rig_close(peer);
	assert_int_equal(daw_status(daw).refused_address, 1);
	assert_non_null(strstr(daw_status(daw).error, "127.0.0.1"));
	assert_non_null(strstr(daw_status(daw).error, "not allowed"));
	assert_int_equal(daw_status(daw).slots[0].connects, 0);
}

static void test_byte_by_byte(void **state)
{
	struct daw *daw = *state;
	static uint8_t bytes[NETVST_BYTES_MAX];
	struct rig_peer *slow, *other;
	size_t n;

	daw_begin(daw, true);
	slow = daw_join(daw);
	WAIT_FOR(daw_status(daw).slots[0].connected);
	other = daw_join(daw);
	n = rig_bytes(slow, NETVST_REQUEST, daw_block(16, 0), bytes);
	for (size_t i = 0; i < n; i++) {
		rig_send(slow, bytes + i, 1);
		daw_echo(daw, other, 1, DAW_BLOCK, 1);
	}
	daw->sent[0] = 16;
	daw_take_reply(daw, slow, 0, 16);
	assert_int_equal(daw_status(daw).timeouts, 0);
	rig_close(slow);
	rig_close(other);
}

static void test_times(void **state)
{
	struct daw *daw = *state;
	static uint8_t bytes[NETVST_BYTES_MAX];
	struct rig_peer *mute, *half;
	size_t n;

	daw->io->times.first_byte_ns = 100 * NSEC_PER_MSEC;
	daw->io->times.block_ns = 100 * NSEC_PER_MSEC;
	daw_begin(daw, true);
	mute = daw_join(daw);
	assert_true(rig_is_closed(mute, RIG_WAIT_MS));
	assert_int_equal(daw_status(daw).timeouts, 1);
	assert_non_null(strstr(daw_status(daw).error, "it sent nothing"));
	half = daw_join(daw);
	n = rig_bytes(half, NETVST_REQUEST, daw_block(DAW_BLOCK, 0), bytes);
	rig_send(half, bytes, n);
	rig_send(half, bytes, n / 2);
	daw->sent[0] = DAW_BLOCK;
	daw_take_reply(daw, half, 0, DAW_BLOCK);
	assert_true(rig_is_closed(half, RIG_WAIT_MS));
	assert_int_equal(daw_status(daw).timeouts, 2);
	assert_non_null(strstr(daw_status(daw).error, "in the middle of a block"));
	rig_close(mute);
	rig_close(half);
}

/* Sends for ever, and reads nothing. */
static void test_deaf(void **state)
{
	struct daw *daw = *state;
	static uint8_t bytes[NETVST_BYTES_MAX];
	struct rig_peer *peer;
	size_t n;

	daw->io->times.write_ns = 100 * NSEC_PER_MSEC;
	daw_begin(daw, false);
	peer = daw_join(daw);
	n = rig_bytes(peer, NETVST_REQUEST, daw_block(2048, 0), bytes);
	while (send(peer->fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n) {
	}
	assert_int_equal(daw_status(daw).timeouts, 1);
	assert_non_null(strstr(daw_status(daw).error, "did not take its replies"));
	rig_close(peer);
}

/* Blocks of one frame, with all the events that there may be: not more of them than the thread has time for. */
static void test_flood(void **state)
{
	struct daw *daw = *state;
	struct netvst_block block = {.frames = 1, .has_audio = true, .n_midi = NETVST_MIDI_MAX};
	static uint8_t bytes[NETVST_BYTES_MAX];
	struct rig_peer *peer;
	int64_t begun;
	size_t n;

	for (unsigned i = 0; i < NETVST_MIDI_MAX; i++) {
		block.midi[i] = (struct netvst_midi){.status = 0x90, .data1 = 60, .data2 = 1};
	}
	daw_begin(daw, false);
	peer = daw_join(daw);
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
	struct daw *daw = *state;
	struct rig_peer *peer;

	daw_begin(daw, true);
	for (unsigned i = 0; i < 10; i++) {
		peer = daw_join(daw);
		rig_send(peer, garbage, sizeof(garbage));
		assert_true(rig_is_closed(peer, RIG_WAIT_MS));
		rig_close(peer);
		assert_int_equal(daw_status(daw).bad_peers, i + 1);
	}
	assert_non_null(strstr(daw_status(daw).error, "127.0.0.1:"));
	peer = daw_join(daw);
	daw_echo(daw, peer, 0, DAW_BLOCK, 10);
	rig_close(peer);
}

static void reset(struct rig_peer *peer)
{
	const struct linger hard = {.l_onoff = 1};

	assert_int_equal(setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	rig_close(peer);
}

/* In a graph that stands still nothing else would show that the peer has gone. */
static void test_reset_waiting(void **state)
{
	struct daw *daw = *state;
	struct rig_peer *peer;

	daw->io->times.no_cycles_ns = 60 * NSEC_PER_SEC;
	daw_begin(daw, false);
	rig_echo_cycle(&daw->graphs[0]);
	peer = daw_join(daw);
	daw_request(daw, peer, 0, DAW_BLOCK);
	WAIT_FOR(daw_status(daw).slots[0].blocks == 1);
	reset(peer);
	WAIT_FOR(!daw_status(daw).slots[0].connected);
}

/* Reset while its reply is owed. */
static void test_reset(void **state)
{
	struct daw *daw = *state;
	struct rig_peer *peer;

	daw_begin(daw, true);
	for (unsigned i = 0; i < 10; i++) {
		peer = daw_join(daw);
		daw_request(daw, peer, 0, 8000);
		reset(peer);
	}
	WAIT_FOR(!daw_status(daw).slots[0].connected && !daw_status(daw).slots[1].connected);
	daw_forget(daw, 0);
	peer = daw_join(daw);
	daw_echo(daw, peer, 0, DAW_BLOCK, 10);
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
	struct daw *daw = *state;
	struct netvst_server_status status;
	struct rig_peer *peer, *after;
	uint64_t taken;

	daw_begin(daw, true);
	peer = daw_join(daw);
	daw_echo(daw, peer, 0, DAW_BLOCK, 1);
	for (unsigned i = 0; i < 20; i++) {
		connect_often(daw_status(daw).port, 50);
		daw_echo(daw, peer, 0, DAW_BLOCK, 1);
	}
	status = daw_status(daw);
	taken = status.slots[0].connects + status.slots[1].connects + status.refused_full;
	assert_true(taken < 200);
	after = daw_join(daw);
	daw_echo(daw, after, 1, DAW_BLOCK, 10);
	daw_echo(daw, peer, 0, DAW_BLOCK, 10);
	assert_int_equal(daw_status(daw).slots[0].connects, 1);
	rig_close(after);
	rig_close(peer);
}

#define DAW_TEST(name) cmocka_unit_test_setup_teardown(name, daw_set_up, daw_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DAW_TEST(test_silent),
		DAW_TEST(test_allow),
		DAW_TEST(test_byte_by_byte),
		DAW_TEST(test_times),
		DAW_TEST(test_deaf),
		DAW_TEST(test_flood),
		DAW_TEST(test_garbage),
		DAW_TEST(test_reset_waiting),
		DAW_TEST(test_reset),
		DAW_TEST(test_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
