/*
 * The network interface as the boxes see it: every ETHlink frame that comes in, with the time at which the
 * kernel received it, from a ring that the kernel fills while this process is away; and a way to send.
 *
 * Ownership: wire_new() to wire_free(). One thread. Frames from wire_next() stay valid until wire_done().
 */
#ifndef EMU_WIRE_H
#define EMU_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire;

struct wire_frame {
	const uint8_t *data; /* from the destination MAC on; no more than the first ETHLINK_FRAME_LEN bytes
				may be read */
	size_t len;          /* on the wire */
	int64_t t_ns;        /* CLOCK_REALTIME */
};

struct wire_counts {
	uint64_t frames;     /* taken out of the ring */
	uint64_t foreign;    /* of those left aside: outgoing or tagged */
	uint64_t ring_drops; /* lost because the ring was full */
	uint64_t send_errors;
	uint64_t opened; /* times that the interface was bound */
};

/* ring_frames: how many frames the kernel can keep for us, 64..4194304; rounded up to whole memory blocks. 0,
 * -EINVAL, -ENOMEM. */
int wire_new(const char *interface, unsigned ring_frames, struct wire **ret_wire);
void wire_free(struct wire *w);

/*
 * Binds to the interface. 0, or -errno with *ret_what naming the step that failed; -ENODEV: there is no such
 * interface; -EPERM: no right to open packet sockets. The ring may come out smaller where memory is short:
 * see wire_ring_frames().
 */
int wire_open(struct wire *w, const char **ret_what);
bool wire_is_open(const struct wire *w);
unsigned wire_ring_frames(const struct wire *w);

/* Looks whether the interface is still the one that is bound and binds again where not. 0: nothing new; 1:
 * bound anew; -errno: away. */
int wire_check(struct wire *w);
/* True where the interface is up and has a carrier. */
bool wire_link_up(const struct wire *w);

/* For poll(): readable where a frame is in the ring; errors where the interface went down. -1 while not open.
 */
int wire_fd(const struct wire *w);

/* The next frame for any box, or false where there is none. */
bool wire_next(struct wire *w, struct wire_frame *ret_frame);
/* Gives the frame back to the kernel. */
void wire_done(struct wire *w);

/* Errors are counted: an interface that is down sends nothing. */
void wire_send(struct wire *w, const uint8_t *frame, size_t len);

/* Fetches the kernel's drop counter first. */
const struct wire_counts *wire_get_counts(struct wire *w);

#endif
