/* What the kinds of packet rings share. Used inside src/net only. */
#ifndef NET_PKTRING_INTERNAL_H
#define NET_PKTRING_INTERNAL_H

#include "net/pktring.h"

/* A ring without ops and memory, or NULL. Control thread. */
struct pktring *pktring_new(unsigned tx_slots, unsigned rx_slots);
/* slots rounded up to a multiple of what fits into unit bytes. */
unsigned pktring_round_slots(unsigned slots, size_t unit, size_t slot_size);

#endif
