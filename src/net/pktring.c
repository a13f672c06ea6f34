#include "net/pktring-rt.h"
#include "net/pktring-internal.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RX_SLOT_SIZE 512 /* kernel header, addresses and a whole frame of 320 bytes */

/* Slots that fill whole pages: three pages hold a whole number of slots at every page size. */
unsigned pktring_round_slots(unsigned slots, size_t unit, size_t slot_size)
{
	unsigned per_unit = (unsigned)(unit / slot_size);
	unsigned units = (slots + per_unit - 1) / per_unit;

	return MAX(units, 1u) * per_unit;
}

struct pktring *pktring_new(unsigned tx_slots, unsigned rx_slots)
{
	struct pktring *ring = mem_zalloc(CACHELINE_SIZE, sizeof(*ring));

	if (!ring) {
		return NULL;
	}
	ring->tx_fd = -1;
	ring->rx_fd = -1;
	ring->tx_slots = tx_slots;
	ring->rx_slots = rx_slots;
	ring->rx_slot_size = RX_SLOT_SIZE;
	ring->owners = calloc(tx_slots, 1);
	if (!ring->owners) {
		free(ring);
		return NULL;
	}
	return ring;
}

void pktring_free(struct pktring *ring)
{
	if (!ring) {
		return;
	}
	if (ring->ops) {
		ring->ops->close(ring);
	}
	free(ring->owners);
	free(ring);
}

static struct tpacket2_hdr *rx_hdr(struct pktring *ring)
{
	return (struct tpacket2_hdr *)(void *)(ring->rx + (size_t)ring->rx_head * ring->rx_slot_size);
}

int pktring_rx_fd(const struct pktring *ring)
{
	return ring->rx_fd;
}

const uint8_t *pktring_rx_peek(struct pktring *ring, size_t *ret_len)
{
	struct tpacket2_hdr *hdr = rx_hdr(ring);

	if (!(__atomic_load_n(&hdr->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
		return NULL;
	}
	/* A frame that the slot could not hold keeps its true length in tp_len: too long for any of ours. */
	*ret_len = hdr->tp_len == hdr->tp_snaplen ? hdr->tp_snaplen : SIZE_MAX;
	return (const uint8_t *)hdr + hdr->tp_mac;
}

void pktring_rx_done(struct pktring *ring)
{
	__atomic_store_n(&rx_hdr(ring)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	ring->rx_head = (ring->rx_head + 1) % ring->rx_slots;
}

int pktring_send(struct pktring *ring, const uint8_t *frame, size_t len)
{
	return ring->ops->send(ring, frame, len);
}

unsigned pktring_tx_slots(const struct pktring *ring)
{
	return ring->tx_slots;
}
