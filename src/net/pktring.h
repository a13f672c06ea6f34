/*
 * A packet ring: frames between this process and one network interface through memory shared with the
 * kernel (AF_PACKET, TPACKET_V2), or, for tests, through ordinary memory with the same layout.
 *
 * Ownership: pktring_open_*() gives a ring to the caller, who frees it with pktring_free().
 * Threads: the transmit side belongs to one thread at a time (the realtime thread, or the pacer; see
 * pktring-rt.h); the receive side, pktring_send() and everything in this header to the control thread.
 */
#ifndef NET_PKTRING_H
#define NET_PKTRING_H

#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pktring;

/*
 * A transmit slot: 32 bytes of kernel header, a virtio_net_hdr right before the frame, the frame. 384 = six
 * cache lines: one block's frame (320 bytes), header and audio each beginning with a line.
 */
#define PKTRING_SLOT_SIZE 384
#define PKTRING_DATA_OFFSET 64
#define PKTRING_FRAME_MAX 320
#define PKTRING_OWNERS 64 /* owner numbers of transmit slots: 0..63 */

struct pktring_ops {
	/* Hands the slots marked for sending over. 0 or -errno, nothing waits. RT safe. */
	int (*kick_rt)(struct pktring *ring);
	/* One frame at once, past the ring. 0 or -errno. Control thread. */
	int (*send)(struct pktring *ring, const uint8_t *frame, size_t len);
	void (*close)(struct pktring *ring);
};

struct pktring_config {
	char interface[IF_NAMESIZE]; /* for messages; ifindex counts */
	int ifindex;
	unsigned tx_slots; /* rounded up to what fits the pages */
	unsigned rx_slots;
	bool qdisc_bypass;   /* PACKET_QDISC_BYPASS: straight to the driver */
	int socket_priority; /* SO_PRIORITY, 0..6 */
};

/* What failed in opening, for a message that helps. */
struct pktring_error {
	const char *call; /* "socket", "setsockopt(PACKET_TX_RING)", … */
	int error;	  /* positive errno */
};

/* 0 and *ret_ring, or -errno with *ret_error set. EPERM: CAP_NET_RAW is missing. ENODEV: no such interface. */
int pktring_open_packet(
	const struct pktring_config *config, struct pktring **ret_ring, struct pktring_error *ret_error);

/* Each frame that the in-memory ring "sends"; called from kick and from pktring_send(). */
typedef void (*pktring_mem_sink_fn)(void *data, const uint8_t *frame, size_t len);

/* The same ring without a network. 0 or -ENOMEM. */
int pktring_open_mem(unsigned tx_slots, unsigned rx_slots, pktring_mem_sink_fn sink, void *data,
	struct pktring **ret_ring);
/* In-memory ring: every kick fails with -error from now on (0: works again), like ENOBUFS or ENETDOWN. */
void pktring_mem_fail(struct pktring *ring, int error);
/* In-memory ring: a kick takes at most n slots from now on (a slow interface); UINT_MAX: all. */
void pktring_mem_limit(struct pktring *ring, unsigned n);
/* In-memory ring: a frame arrives. 0 or -ENOBUFS where the receive ring is full. */
int pktring_mem_receive(struct pktring *ring, const uint8_t *frame, size_t len);

void pktring_free(struct pktring *ring);

/* To poll for received frames; -1 for the in-memory ring. */
int pktring_rx_fd(const struct pktring *ring);
/* The oldest received frame, or NULL. It stays valid until pktring_rx_done(). */
const uint8_t *pktring_rx_peek(struct pktring *ring, size_t *ret_len);
void pktring_rx_done(struct pktring *ring);
/* Frames that the kernel had no receive slot for since the last call. */
unsigned pktring_rx_drops(struct pktring *ring);

/* One frame at once, without touching the transmit ring. 0 or -errno. */
int pktring_send(struct pktring *ring, const uint8_t *frame, size_t len);

unsigned pktring_tx_slots(const struct pktring *ring);

#endif
