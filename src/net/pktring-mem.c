#include "net/pktring-rt.h"
#include "net/pktring-internal.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* As the kernel's rings begin with a page. */
#define PAGE 4096

struct mem {
	pktring_mem_sink_fn sink;
	void *data;
	uint32_t kernel_slot; /* where the kernel would look next */
	uint32_t rx_tail;
	unsigned limit;
	int fail;
};

static int mem_kick_rt(struct pktring *ring)
{
	struct mem *mem = ring->impl;

	if (mem->fail) {
		return -mem->fail;
	}
	for (unsigned n = 0; n < mem->limit; n++) {
		struct tpacket2_hdr *hdr = pktring_tx_hdr_rt(ring, mem->kernel_slot);

		if (__atomic_load_n(&hdr->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_SEND_REQUEST) {
			return 0;
		}
		if (hdr->tp_len <= PKTRING_VNET_LEN + PKTRING_FRAME_MAX) {
			mem->sink(mem->data, (uint8_t *)hdr + PKTRING_DATA_OFFSET,
				hdr->tp_len - PKTRING_VNET_LEN);
		}
		/* Whoever reads a slot before filling it shall not find the old audio there by luck. */
		memset((uint8_t *)hdr + PKTRING_DATA_OFFSET, 0xa5, PKTRING_FRAME_MAX);
		__atomic_store_n(&hdr->tp_status, TP_STATUS_AVAILABLE, __ATOMIC_RELEASE);
		mem->kernel_slot = (mem->kernel_slot + 1) % ring->tx_slots;
	}
	return 0;
}

static int mem_send(struct pktring *ring, const uint8_t *frame, size_t len)
{
	struct mem *mem = ring->impl;

	if (mem->fail) {
		return -mem->fail;
	}
	mem->sink(mem->data, frame, len);
	return 0;
}

static void mem_close(struct pktring *ring)
{
	free(ring->tx);
	free(ring->rx);
	free(ring->impl);
}

static const struct pktring_ops mem_ops = {
	.kick_rt = mem_kick_rt,
	.send = mem_send,
	.close = mem_close,
};

int pktring_open_mem(
	unsigned tx_slots, unsigned rx_slots, pktring_mem_sink_fn sink, void *data, struct pktring **ret_ring)
{
	struct pktring *ring = pktring_new(MAX(tx_slots, 1u), MAX(rx_slots, 1u));
	struct mem *mem;

	if (!ring) {
		return -ENOMEM;
	}
	ring->ops = &mem_ops;
	ring->tx = mem_zalloc(PAGE, (size_t)ring->tx_slots * PKTRING_SLOT_SIZE);
	ring->rx = mem_zalloc(PAGE, (size_t)ring->rx_slots * ring->rx_slot_size);
	ring->impl = mem = calloc(1, sizeof(*mem));
	if (!ring->tx || !ring->rx || !mem) {
		pktring_free(ring);
		return -ENOMEM;
	}
	mem->sink = sink;
	mem->data = data;
	mem->limit = UINT_MAX;
	*ret_ring = ring;
	return 0;
}

void pktring_mem_fail(struct pktring *ring, int error)
{
	struct mem *mem = ring->impl;

	mem->fail = error;
}

void pktring_mem_limit(struct pktring *ring, unsigned n)
{
	struct mem *mem = ring->impl;

	mem->limit = n;
}

int pktring_mem_receive(struct pktring *ring, const uint8_t *frame, size_t len)
{
	struct mem *mem = ring->impl;
	struct tpacket2_hdr *hdr;
	size_t room = ring->rx_slot_size - 80;

	hdr = (struct tpacket2_hdr *)(void *)(ring->rx + (size_t)mem->rx_tail * ring->rx_slot_size);
	if (__atomic_load_n(&hdr->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_KERNEL) {
		return -ENOBUFS;
	}
	hdr->tp_mac = 66; /* where the kernel puts an Ethernet frame, odd alignment and all */
	hdr->tp_len = (uint32_t)len;
	hdr->tp_snaplen = (uint32_t)MIN(len, room);
	memcpy((uint8_t *)hdr + hdr->tp_mac, frame, hdr->tp_snaplen);
	__atomic_store_n(&hdr->tp_status, TP_STATUS_USER, __ATOMIC_RELEASE);
	mem->rx_tail = (mem->rx_tail + 1) % ring->rx_slots;
	return 0;
}
