/*
 * Listens on an interface beside the packet ring: for frames of a kind of ours, and, while somebody is looked for,
 * for anything that a box sends (its DHCP requests, say).
 *
 * Ownership: watch_new() gives a watch to the caller, who frees it with watch_free(). Control thread only.
 */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct watch;

/* Room for what is received; longer frames are cut. */
#define WATCH_FRAME_MAX 64

/* Receives frames of this EtherType from now on. 0 or -errno (-EPERM: CAP_NET_RAW is missing; -ENODEV). */
int watch_new(int ifindex, uint16_t ethertype, struct watch **ret_watch);
void watch_free(struct watch *watch);

/*
 * Also frames of any other kind whose source MAC is a box's, but for ETHlink's own, which come through the ring.
 * For that the kernel shows the filter every frame that comes in: switch it off when nobody is looked for. 0 or -errno.
 */
int watch_set_boxes(struct watch *watch, bool on);

int watch_fd(const struct watch *watch);
/* The length of the next frame, or -EAGAIN: there is none, or another -errno. */
ssize_t watch_receive(struct watch *watch, uint8_t frame[WATCH_FRAME_MAX]);
/* Sends a frame at once. 0 or -errno. */
int watch_send(struct watch *watch, const uint8_t *frame, size_t len);

#endif
