/*
 * What ethlinkds on one network say to each other, so that no two of them play one box: a broadcast frame with
 * EtherType 0x88B5 (for local use), which boxes and everybody else ignore.
 *
 *   0  destination ff:ff:ff:ff:ff:ff    14  "ethlinkd"    24  MAC of the box
 *   6  source, 12  EtherType            22  version 1     30  zeros up to 60 bytes
 *                                       23  kind
 *
 * Pure: bytes in, bytes out; any thread.
 */
#ifndef PROTO_CLAIM_H
#define PROTO_CLAIM_H

#include "proto/ethlink.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define CLAIM_ETHERTYPE 0x88b5
#define CLAIM_FRAME_LEN 60
#define CLAIM_OFF_MAGIC 14

enum claim_kind {
	CLAIM_ASK = 1,	/* does anybody play this box? */
	CLAIM_HOLD = 2, /* I do */
	CLAIM_TAKE = 3, /* my user wants it here: leave it to me */
	CLAIM_FREE = 4, /* I do no longer */
};

struct claim {
	uint8_t src[ETHLINK_MAC_LEN]; /* who says it */
	enum claim_kind kind;
	uint8_t box[ETHLINK_MAC_LEN];
};

void claim_encode(uint8_t frame[CLAIM_FRAME_LEN], const struct claim *claim);
/* 0, or -EINVAL for anything else than such a frame. */
int claim_decode(const uint8_t *frame, size_t len, struct claim *ret_claim);

/*
 * The same among the processes of one machine: who plays a box is bound to this abstract socket, which is gone with
 * its process, however that ends, and known in its network namespace only, just as far as the interface is. Returns the
 * address's length.
 */
size_t claim_lock_address(int ifindex, const uint8_t box[ETHLINK_MAC_LEN], struct sockaddr_un *ret_address);

#endif
