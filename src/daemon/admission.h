/*
 * Who fits on the link of an interface. A box takes a fixed part of it, all the time; what does not fit is refused, so that
 * the rest plays without losses. Those that play already come first, the others in the order of the configuration.
 *
 * Ownership: struct admission_state is part of an interface, enum admission of a device. Control thread only.
 */
#ifndef DAEMON_ADMISSION_H
#define DAEMON_ADMISSION_H

#include "net/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device;
struct iface;
struct manager;

enum admission {
	ADMISSION_WAIT, /* not judged yet; or it fits as soon as others have faded out */
	ADMISSION_ADMIT,
	ADMISSION_REFUSE,
};

/* A box, for admission_judge(). */
struct admission_box {
	bool to_host;	   /* its audio comes to us */
	bool leaving;	   /* needs no room any more */
	bool streaming;	   /* takes its part now, whatever it is to do */
	enum admission is; /* before, and as it was judged */
};

struct admission_link {
	uint64_t box_bps;   /* what each box takes, one way; bits a second */
	uint64_t limit_bps; /* one way; both together where it is half duplex. 0: none */
	bool half_duplex;
};

/* Of the busier way. */
struct admission_sum {
	unsigned needed;   /* boxes that want to play */
	unsigned admitted; /* those that may, or soon will */
};

/* What is known of an interface. */
struct admission_state {
	struct link_speed speed; /* of the link that is there, or was there last */
	int64_t next_look_ns;
	struct admission_link link;
	struct admission_sum sum;
	bool said_busy;
};

/* Of one box on the wire: a frame for each block, and what belongs to a frame there. */
uint64_t admission_box_bps(uint32_t rate_hz);
/* Pure. boxes: in the order of the configuration. */
void admission_judge(struct admission_box *boxes, unsigned n, const struct admission_link *link,
	struct admission_sum *ret_sum);

/* From each tick, before anything is sent: looks at the speeds now and then, judges, and says what is news. */
void admission_update(struct manager *m, int64_t now);
/* There is news about this link: looks at once. */
void admission_link_changed(struct iface *iface);
double admission_mbit(const struct admission_link *link, unsigned boxes);

/* Why it is unsupported, and what to do, in one line; empty: it is not, or not for want of room. */
#define ADMISSION_TEXT_MAX 256
void admission_reason(const struct device *d, char ret_text[ADMISSION_TEXT_MAX]);

#endif
