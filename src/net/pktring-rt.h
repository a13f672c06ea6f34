/*
 * The transmit side of a packet ring, for the thread that fills it. RT safe: no call here makes a system
 * call but pktring_kick_rt(), which makes one.
 *
 * A slot goes through: free -> filled (pktring_tx_fill_rt) -> marked (pktring_tx_mark_rt: the kernel may
 * take it at the next kick) -> free again when the interface is done with it. Filling is one thread's,
 * marking and kicking one thread's; they may be two (see engine/pacer.h) or one (pktring_tx_commit_rt).
 */
#ifndef NET_PKTRING_RT_H
#define NET_PKTRING_RT_H

#include "net/pktring.h"
#include "base/util.h"

#include <linux/virtio_net.h>
#include <stdatomic.h>

/* Ours: filled, not yet for the kernel, which takes slots in state TP_STATUS_SEND_REQUEST only. */
#define PKTRING_STATUS_FILLED 0x40000000u
/*
 * By itself a TX ring has the kernel send from the slot's page, as a fragment. For frames as short as ours that
 * is dearer than a copy (a page reference, a second DMA mapping; on veth and tap a fresh page and a copy all the
 * same). The hdr_len of this header says how much of a frame the kernel shall copy: all of it.
 */
#define PKTRING_VNET_LEN sizeof(struct virtio_net_hdr)
#define PKTRING_VNET_OFFSET (PKTRING_DATA_OFFSET - PKTRING_VNET_LEN)
/* A length that no interface takes: the kernel skips such a slot and frees it (PACKET_LOSS is set). */
#define PKTRING_LEN_DISCARD 0xffffffffu

struct pktring {
	const struct pktring_ops *ops;
	uint8_t *tx;
	uint8_t *owners; /* per slot: whose frame it is, for counting drops */
	uint32_t tx_slots;
	int tx_fd;
	struct sockaddr_ll tx_address; /* of a real ring: spares the kernel a look into each frame */

	CACHELINE_ALIGNED uint32_t fill_slot; /* next to fill: the filling thread's */
	CACHELINE_ALIGNED uint32_t mark_slot; /* next to mark: the kicking thread's */

	CACHELINE_ALIGNED int rx_fd;
	uint8_t *rx;
	uint32_t rx_slots;
	uint32_t rx_slot_size;
	uint32_t rx_head;
	size_t map_len[2];
	void *impl;
};

static inline struct tpacket2_hdr *pktring_tx_hdr_rt(struct pktring *ring, uint32_t slot)
{
	return (struct tpacket2_hdr *)(void *)(ring->tx + (size_t)slot * PKTRING_SLOT_SIZE);
}

static inline void pktring_tx_set_len_rt(struct tpacket2_hdr *hdr, uint32_t len)
{
	struct virtio_net_hdr *vnet = (struct virtio_net_hdr *)(void *)((uint8_t *)hdr + PKTRING_VNET_OFFSET);

	vnet->hdr_len = (__virtio16)len;
	hdr->tp_len = PKTRING_VNET_LEN + len;
}

static inline uint32_t pktring_tx_after_rt(const struct pktring *ring, uint32_t slot)
{
	return slot + 1 == ring->tx_slots ? 0 : slot + 1;
}

static inline uint8_t *pktring_tx_frame_rt(struct pktring *ring, uint32_t slot)
{
	return (uint8_t *)pktring_tx_hdr_rt(ring, slot) + PKTRING_DATA_OFFSET;
}

/* Nothing waits in this slot. */
static inline bool pktring_tx_free_rt(struct pktring *ring, uint32_t slot)
{
	uint32_t status = __atomic_load_n(&pktring_tx_hdr_rt(ring, slot)->tp_status, __ATOMIC_ACQUIRE);

	/* WRONG_FORMAT cannot come of our frames, but a slot must not be lost for ever if it does. */
	return status == TP_STATUS_AVAILABLE || status == TP_STATUS_WRONG_FORMAT;
}

/* Room for the next frame (PKTRING_FRAME_MAX bytes), or NULL where the ring is full. */
static inline uint8_t *pktring_tx_next_rt(struct pktring *ring)
{
	return pktring_tx_free_rt(ring, ring->fill_slot) ? pktring_tx_frame_rt(ring, ring->fill_slot) : NULL;
}

/* The frame that pktring_tx_next_rt() gave room for is complete; the kernel may take it at the next kick. */
static inline void pktring_tx_commit_rt(struct pktring *ring, uint32_t len, uint8_t owner)
{
	struct tpacket2_hdr *hdr = pktring_tx_hdr_rt(ring, ring->fill_slot);

	pktring_tx_set_len_rt(hdr, len);
	ring->owners[ring->fill_slot] = owner;
	__atomic_store_n(&hdr->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	ring->fill_slot = pktring_tx_after_rt(ring, ring->fill_slot);
	ring->mark_slot = ring->fill_slot;
}

/* The same, but the kernel may not take it before pktring_tx_mark_rt(), which another thread may call. */
static inline void pktring_tx_fill_rt(struct pktring *ring, uint32_t len, uint8_t owner)
{
	struct tpacket2_hdr *hdr = pktring_tx_hdr_rt(ring, ring->fill_slot);

	pktring_tx_set_len_rt(hdr, len);
	ring->owners[ring->fill_slot] = owner;
	__atomic_store_n(&hdr->tp_status, PKTRING_STATUS_FILLED, __ATOMIC_RELEASE);
	ring->fill_slot = pktring_tx_after_rt(ring, ring->fill_slot);
}

/* The slot so many behind the next one to fill; fewer than the ring has. */
static inline uint32_t pktring_tx_ahead_rt(const struct pktring *ring, uint32_t n)
{
	uint32_t slot = ring->fill_slot + n;

	return slot >= ring->tx_slots ? slot - ring->tx_slots : slot;
}

/* The next n slots are free. */
static inline bool pktring_tx_has_room_rt(struct pktring *ring, uint32_t n)
{
	uint32_t slot = ring->fill_slot, slots = ring->tx_slots;

	if (n > slots) {
		return false;
	}
	while (n > 0 && pktring_tx_free_rt(ring, slot)) {
		slot = slot + 1 == slots ? 0 : slot + 1;
		n--;
	}
	return n == 0;
}

/*
 * The frames of the next rows * n slots are complete, each row with those of the same n owners: as by pktring_tx_commit_rt(), or
 * (later) pktring_tx_fill_rt(), for one after the other.
 */
static inline void pktring_tx_commit_rows_rt(
	struct pktring *ring, uint32_t len, const uint8_t *owners, uint32_t n, uint32_t rows, bool later)
{
	uint32_t status = later ? PKTRING_STATUS_FILLED : TP_STATUS_SEND_REQUEST;
	uint32_t slot = ring->fill_slot, slots = ring->tx_slots;
	uint8_t *tx = ring->tx, *to = ring->owners;

	for (uint32_t row = 0; row < rows; row++) {
		for (uint32_t i = 0; i < n; i++) {
			struct tpacket2_hdr *hdr =
				(struct tpacket2_hdr *)(void *)(tx + (size_t)slot * PKTRING_SLOT_SIZE);

			pktring_tx_set_len_rt(hdr, len);
			to[slot] = owners[i];
			__atomic_store_n(&hdr->tp_status, status, __ATOMIC_RELEASE);
			slot = slot + 1 == slots ? 0 : slot + 1;
		}
	}
	ring->fill_slot = slot;
	if (!later) {
		ring->mark_slot = slot;
	}
}

/* Marks the n oldest filled slots (all, where there are fewer). Returns how many. */
static inline uint32_t pktring_tx_mark_rt(struct pktring *ring, uint32_t n)
{
	uint32_t count;

	for (count = 0; count < n; count++) {
		struct tpacket2_hdr *hdr = pktring_tx_hdr_rt(ring, ring->mark_slot);

		if (__atomic_load_n(&hdr->tp_status, __ATOMIC_ACQUIRE) != PKTRING_STATUS_FILLED) {
			break;
		}
		__atomic_store_n(&hdr->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
		ring->mark_slot = pktring_tx_after_rt(ring, ring->mark_slot);
	}
	return count;
}

/* Sends what is marked. 0 or -errno; what was not taken stays marked. The one system call of a cycle. */
static inline int pktring_kick_rt(struct pktring *ring)
{
	return ring->ops->kick_rt(ring);
}

/*
 * After a kick that failed: makes the kernel skip what is marked and was not taken, so that nothing old is
 * sent later. drops[owner] is raised by one for each slot. Returns how many. Kicking thread.
 */
uint32_t pktring_tx_discard_rt(struct pktring *ring, uint32_t drops[PKTRING_OWNERS]);

/* kick_rt of a real ring. */
int pktring_packet_kick_rt(struct pktring *ring);

#endif
