/* Packet rings: the in-memory one everywhere; the kernel's over a veth pair where we are root. */
#include "net/pktring-rt.h"
#include "net/link.h"
#include "net/pktring-internal.h"
#include "proto/ethlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct seen {
	unsigned n;
	uint8_t first[64]; /* first byte of each frame */
	size_t len;
};

static void sink(void *data, const uint8_t *frame, size_t len)
{
	struct seen *seen = data;

	seen->first[seen->n++ % 64] = frame[0];
	seen->len = len;
}

static void put(struct pktring *ring, uint8_t value, bool marked)
{
	uint8_t *frame = pktring_tx_next_rt(ring);

	assert_non_null(frame);
	memset(frame, value, PKTRING_FRAME_MAX);
	if (marked) {
		pktring_tx_commit_rt(ring, PKTRING_FRAME_MAX, value);
	} else {
		pktring_tx_fill_rt(ring, PKTRING_FRAME_MAX, value);
	}
}

static void test_order_and_full(void **state)
{
	struct seen seen = {0};
	struct pktring *ring;

	assert_int_equal(pktring_open_mem(8, 4, sink, &seen, &ring), 0);
	for (unsigned round = 0; round < 5; round++) {
		seen.n = 0;
		for (uint8_t i = 0; i < 8; i++) {
			put(ring, i, true);
		}
		assert_null(pktring_tx_next_rt(ring));
		assert_int_equal(pktring_kick_rt(ring), 0);
		assert_int_equal(seen.n, 8);
		assert_int_equal(seen.len, 320);
		for (uint8_t i = 0; i < 8; i++) {
			assert_int_equal(seen.first[i], i);
		}
		put(ring, 99, true); /* so that rounds do not begin at the first slot */
		assert_int_equal(pktring_kick_rt(ring), 0);
	}
	pktring_free(ring);
}

static void test_filled_waits_for_mark(void **state)
{
	struct seen seen = {0};
	struct pktring *ring;

	assert_int_equal(pktring_open_mem(8, 4, sink, &seen, &ring), 0);
	for (uint8_t i = 0; i < 8; i++) {
		put(ring, i, false);
	}
	assert_null(pktring_tx_next_rt(ring));
	assert_int_equal(pktring_kick_rt(ring), 0);
	assert_int_equal(seen.n, 0);
	assert_int_equal(pktring_tx_mark_rt(ring, 3), 3);
	assert_int_equal(pktring_kick_rt(ring), 0);
	assert_int_equal(seen.n, 3);
	assert_int_equal(pktring_tx_mark_rt(ring, 100), 5);
	assert_int_equal(pktring_kick_rt(ring), 0);
	assert_int_equal(seen.n, 8);
	assert_int_equal(pktring_tx_mark_rt(ring, 1), 0);
	pktring_free(ring);
}

static void test_discard(void **state)
{
	uint32_t drops[PKTRING_OWNERS] = {0};
	struct seen seen = {0};
	struct pktring *ring;

	assert_int_equal(pktring_open_mem(16, 4, sink, &seen, &ring), 0);
	put(ring, 1, true);
	assert_int_equal(pktring_kick_rt(ring), 0);
	pktring_mem_fail(ring, ENOBUFS);
	for (uint8_t i = 0; i < 6; i++) {
		put(ring, (uint8_t)(10 + i % 2), true);
	}
	assert_int_equal(pktring_kick_rt(ring), -ENOBUFS);
	assert_int_equal(pktring_tx_discard_rt(ring, drops), 6);
	assert_int_equal(drops[10], 3);
	assert_int_equal(drops[11], 3);
	/* Nothing is counted twice. */
	put(ring, 12, true);
	assert_int_equal(pktring_kick_rt(ring), -ENOBUFS);
	assert_int_equal(pktring_tx_discard_rt(ring, drops), 1);
	assert_int_equal(drops[12], 1);
	pktring_mem_fail(ring, 0);
	put(ring, 42, true);
	assert_int_equal(pktring_kick_rt(ring), 0);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.first[1], 42);
	/* All slots are free again. */
	for (uint8_t i = 0; i < 16; i++) {
		put(ring, i, true);
	}
	pktring_free(ring);
}

static void test_receive(void **state)
{
	struct seen seen = {0};
	uint8_t frame[2000];
	struct pktring *ring;
	const uint8_t *got;
	size_t len;

	memset(frame, 7, sizeof(frame));
	assert_int_equal(pktring_open_mem(4, 2, sink, &seen, &ring), 0);
	assert_null(pktring_rx_peek(ring, &len));
	assert_int_equal(pktring_mem_receive(ring, frame, 64), 0);
	frame[0] = 8;
	assert_int_equal(pktring_mem_receive(ring, frame, 2000), 0);
	assert_int_equal(pktring_mem_receive(ring, frame, 64), -ENOBUFS);
	got = pktring_rx_peek(ring, &len);
	assert_int_equal(len, 64);
	assert_int_equal(got[0], 7);
	pktring_rx_done(ring);
	assert_non_null(pktring_rx_peek(ring, &len));
	/* Cut off by the slot: a length that no codec takes. */
	assert_true(len > 2000);
	pktring_rx_done(ring);
	assert_null(pktring_rx_peek(ring, &len));
	assert_int_equal(pktring_mem_receive(ring, frame, 320), 0);
	assert_non_null(pktring_rx_peek(ring, &len));
	assert_int_equal(len, 320);
	pktring_free(ring);
}

/* The kernel wants blocks of whole pages with whole slots in them: on small boards, pages of 16 or 64 KiB, too. */
static void test_slots_fill_pages_of_any_size(void **state)
{
	static const size_t pages[] = {4096, 16384, 65536};

	for (size_t p = 0; p < ARRAY_SIZE(pages); p++) {
		for (unsigned slots = 0; slots < 3000; slots++) {
			unsigned tx = pktring_round_slots(slots, 3 * pages[p], PKTRING_SLOT_SIZE);
			unsigned rx = pktring_round_slots(slots, pages[p], 512);

			assert_true(tx >= MAX(slots, 1u) && rx >= MAX(slots, 1u));
			assert_int_equal((size_t)tx * PKTRING_SLOT_SIZE % (3 * pages[p]), 0);
			assert_int_equal((size_t)rx * 512 % pages[p], 0);
			assert_true(tx < slots + 3 * pages[p] / PKTRING_SLOT_SIZE + 1);
			assert_true(rx < slots + pages[p] / 512 + 1);
		}
	}
}

/* ---- with the kernel ---- */

static int run(const char *command)
{
	return system(command) == 0 ? 0 : -1;
}

static int enter_namespace(void **state)
{
	/* A namespace of our own that ends with this process: no trace on the machine. */
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0 ||
		run("ip link add eth0 type veth peer name box0 && ip link set eth0 up && ip link set box0 "
		    "up") < 0) {
		*state = NULL;
		return 0;
	}
	*state = (void *)(uintptr_t)1;
	return 0;
}

static struct pktring *open_ring(unsigned slots, bool bypass)
{
	struct pktring_config config = {
		.interface = "eth0",
		.ifindex = (int)if_nametoindex("eth0"),
		.tx_slots = slots,
		.rx_slots = 16,
		.qdisc_bypass = bypass,
		.socket_priority = 6,
	};
	struct pktring_error error;
	struct pktring *ring;

	if (pktring_open_packet(&config, &ring, &error) < 0) {
		fail_msg("%s: %s", error.call, strerror(error.error));
	}
	return ring;
}

static int open_peer(void)
{
	struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_protocol = htons(ETHLINK_ETHERTYPE)};
	struct timeval tv = {.tv_sec = 5};
	int size = 4 << 20;
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETHLINK_ETHERTYPE));

	assert_true(fd >= 0);
	addr.sll_ifindex = (int)if_nametoindex("box0");
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

static void put_numbered(struct pktring *ring, uint32_t number)
{
	uint8_t *frame = pktring_tx_next_rt(ring);

	assert_non_null(frame);
	/* Audio must be on a 32-byte boundary for the fastest kernel. */
	assert_int_equal((uintptr_t)(frame + ETHLINK_OFF_AUDIO) % 32, 0);
	memset(frame, 0xff, 12);
	frame[12] = 0x08;
	frame[13] = 0x02;
	memset(frame + 14, 0, PKTRING_FRAME_MAX - 14);
	memcpy(frame + 16, &number, sizeof(number));
	pktring_tx_commit_rt(ring, PKTRING_FRAME_MAX, 0);
}

static void expect_number(int fd, uint32_t number)
{
	uint8_t frame[2048];
	uint32_t got;

	assert_int_equal(recv(fd, frame, sizeof(frame), 0), 320);
	memcpy(&got, frame + 16, sizeof(got));
	assert_int_equal(got, number);
}

static void test_kernel_sends_all_in_order(void **state)
{
	uint32_t number = 0;

	if (!*state) {
		skip();
	}
	for (int bypass = 0; bypass < 2; bypass++) {
		struct pktring *ring = open_ring(100, bypass);
		unsigned slots = pktring_tx_slots(ring);
		int fd = open_peer();

		assert_true(slots >= 100);
		for (unsigned round = 0; round < 20; round++) {
			unsigned n = 1 + round * 5 % slots;

			for (unsigned i = 0; i < n; i++) {
				put_numbered(ring, number + i);
			}
			assert_int_equal(pktring_kick_rt(ring), 0);
			for (unsigned i = 0; i < n; i++) {
				expect_number(fd, number++);
			}
		}
		close(fd);
		pktring_free(ring);
	}
}

/* The interface goes down under us: counted, and afterwards nothing old comes out. */
static void test_kernel_down_and_up(void **state)
{
	uint32_t drops[PKTRING_OWNERS] = {0};
	struct pktring *ring;
	unsigned slots;
	int fd;

	if (!*state) {
		skip();
	}
	ring = open_ring(64, false);
	slots = pktring_tx_slots(ring);
	put_numbered(ring, 1);
	assert_int_equal(pktring_kick_rt(ring), 0);
	assert_int_equal(run("ip link set eth0 down"), 0);
	for (unsigned i = 0; i < slots / 2; i++) {
		put_numbered(ring, 1000 + i);
	}
	assert_int_equal(pktring_kick_rt(ring), -ENETDOWN);
	assert_int_equal(pktring_tx_discard_rt(ring, drops), slots / 2);
	assert_int_equal(drops[0], slots / 2);
	assert_int_equal(run("ip link set eth0 up"), 0);
	fd = open_peer();
	/* More than the ring holds: the discarded slots came free with the first kick. */
	for (unsigned i = 0; i < slots * 2; i++) {
		put_numbered(ring, 2000 + i);
		assert_int_equal(pktring_kick_rt(ring), 0);
		expect_number(fd, 2000 + i);
	}
	close(fd);
	pktring_free(ring);
}

static void send_from_box(int fd, const uint8_t *src, const char *magic, uint16_t type, size_t len)
{
	uint8_t frame[1500] = {0};

	memset(frame, 0xff, 6);
	memcpy(frame + 6, src, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	memcpy(frame + 14, magic, 7);
	assert_int_equal(send(fd, frame, len, 0), len);
}

static const uint8_t *wait_for_frame(struct pktring *ring, size_t *ret_len)
{
	const uint8_t *frame;

	while (!(frame = pktring_rx_peek(ring, ret_len))) {
		struct pollfd p = {.fd = pktring_rx_fd(ring), .events = POLLIN};

		assert_int_equal(poll(&p, 1, 5000), 1);
	}
	return frame;
}

static void test_kernel_filter(void **state)
{
	static const uint8_t dac[6] = {0x00, 0xe8, 0xda, 0xc0, 0, 1};
	static const uint8_t adc[6] = {0x00, 0xe8, 0xad, 0xc0, 0, 2};
	static const uint8_t other[6] = {0x00, 0xe8, 0xda, 0xc1, 0, 1};
	struct pktring *ring;
	const uint8_t *frame;
	size_t len;
	int fd;

	if (!*state) {
		skip();
	}
	ring = open_ring(32, false);
	fd = open_peer();
	send_from_box(fd, dac, "ETH8DAX", 0x0802, 64);
	send_from_box(fd, other, "ETH8DAC", 0x0802, 64);
	send_from_box(fd, dac, "ETH8DAC", 0x0803, 64);
	send_from_box(fd, dac, "ETH8DAC", 0x0802, 18); /* too short for the magic */
	send_from_box(fd, dac, "ETH8DAC", 0x0802, 64);
	send_from_box(fd, adc, "ETH8ADC", 0x0802, 320);
	send_from_box(fd, dac, "ETH8DAC", 0x0802, 1400);
	frame = wait_for_frame(ring, &len);
	assert_int_equal(len, 64);
	assert_memory_equal(frame + 6, dac, 6);
	pktring_rx_done(ring);
	frame = wait_for_frame(ring, &len);
	assert_int_equal(len, 320);
	assert_memory_equal(frame + 6, adc, 6);
	pktring_rx_done(ring);
	(void)wait_for_frame(ring, &len);
	assert_true(len > 1400 || len == 1400);
	pktring_rx_done(ring);
	assert_null(pktring_rx_peek(ring, &len));
	close(fd);
	pktring_free(ring);
}

struct links {
	struct link_info eth0;
	unsigned dumps;
	unsigned removed;
};

static void on_change(void *data, const struct link_info *info)
{
	struct links *links = data;

	if (info->removed) {
		links->removed++;
	} else if (strcmp(info->name, "eth0") == 0) {
		links->eth0 = *info;
	}
}

static void on_dump(void *data, uint32_t dump)
{
	struct links *links = data;

	links->dumps++;
}

static void wait_for_links(struct link_monitor *m)
{
	struct pollfd p = {.fd = link_monitor_fd(m), .events = POLLIN};

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(link_monitor_dispatch(m), 0);
}

static void test_link_monitor(void **state)
{
	struct links links = {0};
	struct link_monitor *m;

	if (!*state) {
		skip();
	}
	assert_int_equal(link_monitor_new(on_change, on_dump, &links, &m), 0);
	while (links.dumps == 0) {
		wait_for_links(m);
	}
	assert_int_equal(links.eth0.ifindex, if_nametoindex("eth0"));
	assert_true(links.eth0.up && links.eth0.carrier && links.eth0.ethernet);
	assert_int_equal(run("ip link set box0 down"), 0);
	while (links.eth0.carrier) {
		wait_for_links(m);
	}
	assert_true(links.eth0.up);
	assert_int_equal(run("ip link set box0 up"), 0);
	while (!links.eth0.carrier) {
		wait_for_links(m);
	}
	assert_int_equal(run("ip link set eth0 address 02:00:00:00:00:77"), 0);
	while (links.eth0.mac[5] != 0x77) {
		wait_for_links(m);
	}
	/* More news than the socket holds: an overrun leads to a fresh dump, not to a stale picture. */
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(run("for i in 1 2 3 4 5 6 7 8 9 10; do ip link set eth0 mtu 1400; ip link "
				     "set eth0 mtu 1300; done"),
			0);
	}
	assert_int_equal(run("ip link set eth0 mtu 1234"), 0);
	while (links.eth0.mtu != 1234) {
		wait_for_links(m);
	}
	assert_int_equal(run("ip link del eth0"), 0);
	while (links.removed == 0) {
		wait_for_links(m);
	}
	link_monitor_free(m);
}

/* Not even root may everywhere. */
static bool packet_sockets_allowed(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0) {
		assert_int_equal(errno, EPERM);
		return false;
	}
	close(fd);
	return true;
}

static void test_no_such_interface(void **state)
{
	struct pktring_config config = {.interface = "none", .ifindex = 4711, .tx_slots = 8, .rx_slots = 8};
	struct pktring_error error = {0};
	struct pktring *ring = NULL;

	if (!packet_sockets_allowed()) {
		assert_int_equal(pktring_open_packet(&config, &ring, &error), -EPERM);
		assert_string_equal(error.call, "socket(AF_PACKET)");
		return;
	}
	assert_int_equal(pktring_open_packet(&config, &ring, &error), -ENODEV);
	assert_string_equal(error.call, "bind");
	assert_null(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_full),
		cmocka_unit_test(test_filled_waits_for_mark),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_receive),
		cmocka_unit_test(test_slots_fill_pages_of_any_size),
		cmocka_unit_test(test_no_such_interface),
	};
	const struct CMUnitTest kernel_tests[] = {
		cmocka_unit_test(test_kernel_sends_all_in_order),
		cmocka_unit_test(test_kernel_down_and_up),
		cmocka_unit_test(test_kernel_filter),
		cmocka_unit_test(test_link_monitor),
	};
	int failed = cmocka_run_group_tests_name("pktring", tests, NULL, NULL);

	return failed +
	       cmocka_run_group_tests_name("pktring on the kernel", kernel_tests, enter_namespace, NULL);
}
