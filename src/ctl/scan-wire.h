/*
 * The interface that is scanned: a raw socket that sees what boxes send, what is sent to them, and the claims
 * between ethlinkds; and what a person has to know where there is none.
 *
 * Ownership: the caller embeds the struct and ends it with scan_wire_close(). One thread.
 */
#ifndef CTL_SCAN_WIRE_H
#define CTL_SCAN_WIRE_H

#include "proto/ethlink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A whole frame and one byte more, so that a longer one is seen to be longer. */
#define SCAN_WIRE_FRAME_MAX (ETHLINK_FRAME_LEN + 1)

struct scan_wire {
	int fd;
	int ifindex;
	uint8_t mac[ETHLINK_MAC_LEN];
};

/*
 * outgoing: also what other programs on this machine send; a program that plays pays a little for it. 0, or -errno
 * and all that is wrong has been said.
 */
int scan_wire_open(struct scan_wire *wire, const char *interface, bool outgoing);
void scan_wire_close(struct scan_wire *wire);

/* The length of the next frame, cut at SCAN_WIRE_FRAME_MAX; -EAGAIN: there is none; or another -errno. */
ssize_t scan_wire_receive(struct scan_wire *wire, uint8_t frame[SCAN_WIRE_FRAME_MAX], bool *ret_outgoing);
/* 0 or -errno. */
int scan_wire_send(struct scan_wire *wire, const uint8_t *frame, size_t len);

/* A program in this network namespace, an ethlinkd say, has said that the box on this interface is its own. */
bool scan_wire_is_locked(const struct scan_wire *wire, enum ethlink_model model, uint16_t serial);

#endif
