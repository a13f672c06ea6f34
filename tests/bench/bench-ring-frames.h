/*
 * What ring-floor and bench-ring send, and the daemon's own ring to send it with.
 *
 * Ownership: the ring is the caller's, who frees it with pktring_free(). Main thread.
 */
#ifndef BENCH_RING_FRAMES_H
#define BENCH_RING_FRAMES_H

#include "net/pktring.h"
#include "proto/ethlink.h"

#include <stdbool.h>
#include <stdint.h>

#define BENCH_RING_BOXES_MAX 64

struct bench_ring_load {
	const char *interface;
	unsigned boxes; /* serial numbers from 0 on */
	unsigned period;
	unsigned rate_hz;
};

/* How many transmit slots the daemon gives a ring for that. */
unsigned bench_ring_slots(const struct bench_ring_load *load);
/* The ring that the daemon would open. NULL: said why. */
struct pktring *bench_ring_open(const struct bench_ring_load *load, bool qdisc_bypass);
/* Index of the interface; 0: said why. */
int bench_ring_ifindex(const char *interface);
/* A frame for each box, silent. fd: a packet socket that is bound to the interface. 0 or -errno. */
int bench_ring_write_frames(const struct bench_ring_load *load, int fd, uint8_t frames[][ETHLINK_FRAME_LEN]);

#endif
