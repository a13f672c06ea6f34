/* NetVST: networks that are allowed, MIDI that a client keeps for later, when the next cycle is expected. */
#include "net/netvst-internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static void test_carry(void **state)
{
	static struct netvst_carry carry;

	(void)state;
	netvst_carry_add(&carry, 0x90, 60, 100);
	netvst_carry_add(&carry, 0xa0, 60, 100);
	assert_int_equal(carry.n, 0);
	netvst_carry_add(&carry, 0x90, 60, 0);
	netvst_carry_add(&carry, 0xb0, 0, 1);
	netvst_carry_add(&carry, 0xc0, 5, 0);
	netvst_carry_add(&carry, 0xb0, 0, 2);
	netvst_carry_add(&carry, 0xb1, 0, 3);
	netvst_carry_add(&carry, 0xc0, 6, 0);
	netvst_carry_add(&carry, 0xe0, 6, 7);
	netvst_carry_add(&carry, 0xe0, 8, 9);
	assert_int_equal(carry.n, 5);
	assert_int_equal(carry.midi[1].data2, 2);
	assert_int_equal(carry.midi[3].data1, 6);
	assert_int_equal(carry.midi[4].data2, 9);
	for (unsigned i = 0; i < 2048; i++) {
		netvst_carry_add(&carry, (uint8_t)(0x80 | i >> 7), i & 0x7f, 0);
	}
	assert_int_equal(carry.n, NETVST_CARRY_MAX);
}

static void test_nets(void **state)
{
	static const struct {
		const char *net;
		const char *in;	 /* NULL: no net */
		const char *out; /* NULL: nothing is */
	} table[] = {
		{"192.168.1.0/24", "192.168.1.255", "192.168.2.0"},
		{"10.0.0.7", "10.0.0.7", "10.0.0.6"},
		{"10.0.0.7/32", "10.0.0.7", "10.0.0.6"},
		{"10.1.2.3/9", "10.127.0.1", "10.128.0.1"},
		{"0.0.0.0/0", "8.8.8.8", "2001:db8::1"},
		{"::/0", "8.8.8.8", NULL},
		{"fe80::/10", "febf::1", "fec0::1"},
		{"::1", "::1", "::2"},
		{"::ffff:10.0.0.0/104", "10.1.1.1", "11.0.0.1"},
		{"10.0.0.0/33", NULL, NULL},
		{"::/129", NULL, NULL},
		{"10.0.0", NULL, NULL},
		{"10.0.0.1/", NULL, NULL},
		{"10.0.0.1/+8", NULL, NULL},
		{"10.0.0.1/8x", NULL, NULL},
		{"10.0.0.1/ 8", NULL, NULL},
		{"10.0.0.1/-1", NULL, NULL},
		{"10.0.0.1/18446744073709551617", NULL, NULL},
		{"", NULL, NULL},
		{"/8", NULL, NULL},
		{"studio", NULL, NULL},
		{"1111111111111111111111111111111111111111111111111111", NULL, NULL},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		struct netvst_address address;
		struct in6_addr in6;
		struct netvst_net net;

		if (netvst_net_from_string(table[i].net, &net) != (table[i].in != NULL)) {
			fail_msg("%s", table[i].net);
		}
		if (table[i].in) {
			assert_true(netvst_address_from_string(table[i].in, 1, &address));
			netvst_address_to_in6(&address, &in6);
			assert_true(netvst_net_contains(&net, &in6));
		}
		if (table[i].out) {
			assert_true(netvst_address_from_string(table[i].out, 1, &address));
			netvst_address_to_in6(&address, &in6);
			assert_false(netvst_net_contains(&net, &in6));
		}
	}
}

#define PERIOD 480 /* 10 ms */
#define START_NS (1000 * NSEC_PER_SEC)
#define AWAY_NS (500 * NSEC_PER_MSEC)
#define MS(n) ((int64_t)((n)*1000) * NSEC_PER_USEC)

/* A cycle that leaves its samples, and is seen at once. */
static void cycle(struct netvst_pace *pace, struct nvpipe *pipe, int64_t at_ns)
{
	atomic_store(&pipe->cycle_ns, at_ns);
	atomic_store(&pipe->tx_ns, at_ns);
	assert_true(netvst_pace_look(pace, pipe, at_ns, AWAY_NS));
}

static void test_pace(void **state)
{
	static struct nvpipe pipe;
	struct netvst_pace pace = {0};
	const int64_t look = 50 * NSEC_PER_USEC;
	int64_t at = START_NS;

	(void)state;
	atomic_store(&pipe.cycle_frames, PERIOD);
	atomic_store(&pipe.rate_hz, 48000);
	assert_false(netvst_pace_look(&pace, &pipe, at, AWAY_NS));
	cycle(&pace, &pipe, at);
	assert_int_equal(netvst_pace_due(&pace, &pipe, 1, at), at + MS(10) + look);
	assert_int_equal(netvst_pace_due(&pace, &pipe, 0, at), at + MS(10) + look);
	assert_int_equal(netvst_pace_due(&pace, &pipe, PERIOD, at), at + MS(10) + look);
	assert_int_equal(netvst_pace_due(&pace, &pipe, PERIOD + 1, at), at + MS(20) + look);
	/* Some of it stands there already. */
	atomic_store(&pipe.tx_head, PERIOD);
	assert_int_equal(netvst_pace_due(&pace, &pipe, 2 * PERIOD, at), at + MS(10) + look);
	assert_int_equal(netvst_pace_due(&pace, &pipe, 2 * PERIOD + 1, at), at + MS(20) + look);
	assert_int_equal(netvst_pace_due(&pace, &pipe, PERIOD, at), at);
	atomic_store(&pipe.tx_head, 0);
	/* One that was late does not shift the next by as much; some pass unseen. */
	cycle(&pace, &pipe, at + MS(10) + MS(0.8));
	assert_int_equal(netvst_pace_due(&pace, &pipe, 1, at + MS(11)), at + MS(20) + MS(0.1) + look);
	cycle(&pace, &pipe, at + MS(50));
	assert_int_equal(netvst_pace_due(&pace, &pipe, 1, at + MS(50)), at + MS(60) + look);
	/*
	 * One has come and gone, and the next one is at work: what stands there is the first one's, and the second may
	 * bring what is missing.
	 */
	at += MS(10);
	atomic_store(&pipe.tx_head, PERIOD);
	atomic_store(&pipe.tx_ns, at + MS(40));
	atomic_store(&pipe.cycle_ns, at + MS(50));
	assert_true(netvst_pace_look(&pace, &pipe, at + MS(50) + look, AWAY_NS));
	assert_in_range(netvst_pace_due(&pace, &pipe, 2 * PERIOD, at + MS(50) + look), at + MS(50) + look + 1,
		at + MS(50) + MS(0.1));
	atomic_store(&pipe.tx_head, 0);
	at -= MS(10);
	/* The callback runs and has left nothing yet. */
	at += MS(60);
	atomic_store(&pipe.cycle_ns, at);
	assert_true(netvst_pace_look(&pace, &pipe, at + look, AWAY_NS));
	assert_in_range(netvst_pace_due(&pace, &pipe, 1, at + look), at + look + 1, at + MS(0.1));
	/* It leaves nothing at all. */
	assert_int_equal(netvst_pace_due(&pace, &pipe, 1, at + MS(1)), at + MS(10) + look);
	/* The next one is late, and then away. */
	assert_int_equal(netvst_pace_due(&pace, &pipe, 1, at + MS(11)), at + MS(11) + MS(0.1));
	assert_in_range(netvst_pace_due(&pace, &pipe, 1, at + MS(200)), at + MS(201), at + MS(210));
	assert_true(netvst_pace_look(&pace, &pipe, at + AWAY_NS, AWAY_NS));
	assert_false(netvst_pace_look(&pace, &pipe, at + AWAY_NS + 1, AWAY_NS));
}

static int64_t run_never(struct netvst_task *task, int64_t now)
{
	(void)task;
	return now + NSEC_PER_SEC;
}

/* An event that the thread has fetched already when its task is removed. */
static void test_removed(void **state)
{
	const struct timespec pause = {.tv_nsec = 10 * NSEC_PER_MSEC};
	struct netvst_task task = {.run = run_never};
	struct netvst_io *io;
	uint64_t before, after;
	int fds[2];

	(void)state;
	assert_int_equal(netvst_io_new("test", &io), 0);
	assert_int_equal(pipe(fds), 0);
	netvst_io_lock(io);
	netvst_io_add(io, &task);
	assert_int_equal(netvst_task_open(&task, fds[0], EPOLLIN), 0);
	before = io->wakeups;
	netvst_io_unlock(io);
	do {
		nanosleep(&pause, NULL);
		netvst_io_lock(io);
		after = io->wakeups;
		netvst_io_unlock(io);
	} while (after == before);
	netvst_io_lock(io);
	assert_int_equal(write(fds[1], "", 1), 1);
	nanosleep(&pause, NULL);
	netvst_io_remove(&task);
	netvst_io_unlock(io);
	netvst_io_free(io);
	assert_int_equal(task.ready, 0);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_carry),
		cmocka_unit_test(test_nets),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
