#include "net/pktring-rt.h"
#include "net/pktring-internal.h"
#include "proto/ethlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* As much send memory as an unprivileged socket may ask for; the kernel caps it at net.core.wmem_max. */
#define SEND_BUFFER_BYTES (4 << 20)

/*
 * Frames from boxes, and those that another host sends to a box (a switch that does not know the box, or a bridge,
 * shows them): EtherType 0x0802, source or destination MAC 00:e8:da:c0:… or 00:e8:ad:c0:…, magic "ETH8DAC" or
 * "ETH8ADC". Nothing else is copied into the ring. Lengths are judged in user space, so that wrong ones
 * are counted.
 */
static const struct sock_filter box_filter[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETHLINK_OFF_TYPE),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHLINK_ETHERTYPE, 0, 12),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETHLINK_OFF_SRC),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x00e8dac0, 4, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x00e8adc0, 3, 0),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETHLINK_OFF_DST),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x00e8dac0, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x00e8adc0, 0, 6),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETHLINK_OFF_MAGIC),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x45544838, 0, 4), /* "ETH8" */
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETHLINK_OFF_MAGIC + 3),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x38444143, 1, 0), /* "8DAC" */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x38414443, 0, 1), /* "8ADC" */
	BPF_STMT(BPF_RET | BPF_K, 0xffff),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int fail(struct pktring_error *ret_error, const char *call, int error)
{
	ret_error->call = call;
	ret_error->error = error;
	return -error;
}

static int bind_to(int fd, int ifindex, uint16_t protocol)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = ifindex,
	};

	return bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
}

static int set_ring(int fd, int which, unsigned slots, size_t slot_size, size_t block_size)
{
	struct tpacket_req req = {
		.tp_block_size = (unsigned)block_size,
		.tp_block_nr = (unsigned)(slots / (block_size / slot_size)),
		.tp_frame_size = (unsigned)slot_size,
		.tp_frame_nr = slots,
	};

	return setsockopt(fd, SOL_PACKET, which, &req, sizeof(req)) < 0 ? -errno : 0;
}

static int map_ring(int fd, size_t len, uint8_t **ret_map)
{
	/* The pages are the kernel's and never swapped; MAP_POPULATE fills the page table before the first cycle. */
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);

	if (map == MAP_FAILED) {
		return -errno;
	}
	*ret_map = map;
	return 0;
}

static int packet_send(struct pktring *ring, const uint8_t *frame, size_t len)
{
	if (send(ring->rx_fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		return -errno;
	}
	return 0;
}

static void packet_close(struct pktring *ring)
{
	if (ring->tx) {
		munmap(ring->tx, ring->map_len[0]);
	}
	if (ring->rx) {
		munmap(ring->rx, ring->map_len[1]);
	}
	if (ring->tx_fd >= 0) {
		close(ring->tx_fd);
	}
	if (ring->rx_fd >= 0) {
		close(ring->rx_fd);
	}
}

static const struct pktring_ops packet_ops = {
	.kick_rt = pktring_packet_kick_rt,
	.send = packet_send,
	.close = packet_close,
};

/*
 * Sending has a socket of its own with protocol 0: it receives nothing, and as nobody polls it, freeing a
 * slot wakes nobody.
 */
static int open_tx(struct pktring *ring, const struct pktring_config *config, size_t block_size,
	struct pktring_error *ret_error)
{
	int r;

	ring->tx_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ring->tx_fd < 0) {
		return fail(ret_error, "socket(AF_PACKET)", errno);
	}
	r = set_int(ring->tx_fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2);
	if (r < 0) {
		return fail(ret_error, "setsockopt(PACKET_VERSION)", -r);
	}
	/* A malformed slot must be skipped, not stop the ring. */
	r = set_int(ring->tx_fd, SOL_PACKET, PACKET_LOSS, 1);
	if (r < 0) {
		return fail(ret_error, "setsockopt(PACKET_LOSS)", -r);
	}
	/* See PKTRING_VNET_LEN. Both must be set before there is a ring. */
	r = set_int(ring->tx_fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	if (r < 0) {
		return fail(ret_error, "setsockopt(PACKET_VNET_HDR)", -r);
	}
	r = set_int(ring->tx_fd, SOL_PACKET, PACKET_TX_HAS_OFF, 1);
	if (r < 0) {
		return fail(ret_error, "setsockopt(PACKET_TX_HAS_OFF)", -r);
	}
	if (config->qdisc_bypass) {
		r = set_int(ring->tx_fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
		if (r < 0) {
			return fail(ret_error, "setsockopt(PACKET_QDISC_BYPASS)", -r);
		}
	}
	r = set_int(ring->tx_fd, SOL_SOCKET, SO_PRIORITY, config->socket_priority);
	if (r < 0) {
		return fail(ret_error, "setsockopt(SO_PRIORITY)", -r);
	}
	if (set_int(ring->tx_fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES) < 0) {
		(void)set_int(ring->tx_fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER_BYTES);
	}
	r = set_ring(ring->tx_fd, PACKET_TX_RING, ring->tx_slots, PKTRING_SLOT_SIZE, block_size);
	if (r < 0) {
		return fail(ret_error, "setsockopt(PACKET_TX_RING)", -r);
	}
	ring->map_len[0] = (size_t)ring->tx_slots * PKTRING_SLOT_SIZE;
	r = map_ring(ring->tx_fd, ring->map_len[0], &ring->tx);
	if (r < 0) {
		return fail(ret_error, "mmap(PACKET_TX_RING)", -r);
	}
	/* The kernel leaves these as they are. The slots are zero, which in a virtio_net_hdr asks for nothing. */
	for (uint32_t slot = 0; slot < ring->tx_slots; slot++) {
		pktring_tx_hdr_rt(ring, slot)->tp_mac = PKTRING_VNET_OFFSET;
	}
	ring->tx_address = (struct sockaddr_ll){
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHLINK_ETHERTYPE),
		.sll_ifindex = config->ifindex,
	};
	r = bind_to(ring->tx_fd, config->ifindex, 0);
	return r < 0 ? fail(ret_error, "bind", -r) : 0;
}

static int open_rx(struct pktring *ring, const struct pktring_config *config, size_t block_size,
	struct pktring_error *ret_error)
{
	struct sock_fprog prog = {
		.len = ARRAY_SIZE(box_filter),
		.filter = (struct sock_filter *)(uintptr_t)box_filter,
	};
	int r;

	/* Protocol 0 until the filter is in place: nothing slips in before it. */
	ring->rx_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ring->rx_fd < 0) {
		return fail(ret_error, "socket(AF_PACKET)", errno);
	}
	if (setsockopt(ring->rx_fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0) {
		return fail(ret_error, "setsockopt(SO_ATTACH_FILTER)", errno);
	}
	r = set_int(ring->rx_fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2);
	if (r < 0) {
		return fail(ret_error, "setsockopt(PACKET_VERSION)", -r);
	}
	(void)set_int(ring->rx_fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	(void)set_int(ring->rx_fd, SOL_SOCKET, SO_PRIORITY, config->socket_priority);
	r = set_ring(ring->rx_fd, PACKET_RX_RING, ring->rx_slots, ring->rx_slot_size, block_size);
	if (r < 0) {
		return fail(ret_error, "setsockopt(PACKET_RX_RING)", -r);
	}
	ring->map_len[1] = (size_t)ring->rx_slots * ring->rx_slot_size;
	r = map_ring(ring->rx_fd, ring->map_len[1], &ring->rx);
	if (r < 0) {
		return fail(ret_error, "mmap(PACKET_RX_RING)", -r);
	}
	r = bind_to(ring->rx_fd, config->ifindex, ETHLINK_ETHERTYPE);
	return r < 0 ? fail(ret_error, "bind", -r) : 0;
}

int pktring_open_packet(
	const struct pktring_config *config, struct pktring **ret_ring, struct pktring_error *ret_error)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct pktring *ring;
	int r;

	ring = pktring_new(pktring_round_slots(config->tx_slots, 3 * page, PKTRING_SLOT_SIZE),
		pktring_round_slots(config->rx_slots, page, 512));
	if (!ring) {
		return fail(ret_error, "malloc", ENOMEM);
	}
	ring->ops = &packet_ops;
	r = open_tx(ring, config, 3 * page, ret_error);
	if (r >= 0) {
		r = open_rx(ring, config, page, ret_error);
	}
	if (r < 0) {
		pktring_free(ring);
		return r;
	}
	*ret_ring = ring;
	return 0;
}

unsigned pktring_rx_drops(struct pktring *ring)
{
	struct tpacket_stats stats = {0};
	socklen_t len = sizeof(stats);

	if (ring->rx_fd < 0 || getsockopt(ring->rx_fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) < 0) {
		return 0;
	}
	return stats.tp_drops;
}
