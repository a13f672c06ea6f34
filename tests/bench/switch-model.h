/*
 * What a period's frames do to the switch between a host and its boxes, as arithmetic: no network, no clock.
 *
 * The host has a gigabit, each box 100 Mbit/s. A switch takes a frame in as a whole before it sends it on (store and
 * forward), sends each port's frames in the order in which they came, and drops nothing: what is wanted is how much memory
 * that takes. Ownership: results are the caller's; no state.
 */
#ifndef BENCH_SWITCH_MODEL_H
#define BENCH_SWITCH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

/* On the wire: 320 bytes, 4 of checksum, 8 of preamble, 12 of gap. The switch keeps the first two. */
#define SWITCH_WIRE_BYTES 344
#define SWITCH_FRAME_BYTES 324
#define SWITCH_HOST_BPS 1000000000LL
#define SWITCH_BOX_BPS 100000000LL
#define SWITCH_BOXES_MAX 32
#define SWITCH_STAGES 2

enum switch_order {
	SWITCH_BLOCKS, /* a block of each box, then the next block of each */
	SWITCH_BOXES,  /* all blocks of a box, then all of the next */
	SWITCH_RANDOM, /* any order that keeps each box's own */
	SWITCH_PACED,  /* block by block, a millisecond's worth each millisecond */
	SWITCH_DAEMON, /* what ethlinkd does: block by block; long periods after a first burst as above */
	SWITCH_ORDERS,
};

struct switch_case {
	unsigned boxes;
	uint32_t period_frames;
	uint32_t rate_hz;
	enum switch_order order;
	bool uplink; /* a second switch, with all boxes, behind a port of 100 Mbit/s of the first */
	int64_t handing_ns; /* at least so long between two frames that the host hands over; 0: as fast as its link */
};

/* The deepest that a switch's queues get, in frames; one counts until its last bit has left. */
struct switch_depth {
	unsigned port; /* of any one port */
	unsigned all;  /* of all ports together */
};

/* Times are since the start of the period, the longest of some periods in a row. */
struct switch_result {
	bool fits;	     /* there is a link for all of it; else nothing below is set */
	double load_percent; /* of the link that is fullest */
	struct switch_depth depth[SWITCH_STAGES]; /* the second: only with an uplink */
	int64_t begun_ns;			  /* each box has its first frame */
	int64_t first_done_ns;			  /* one box has all of its frames */
	int64_t all_done_ns;			  /* and all of them */
	int64_t cushion_ns; /* for so long a box must have something else to play when the period starts */
};

const char *switch_order_name(enum switch_order order);
/* 0, -EINVAL for a case that is none (boxes, period, rate), or -ENOMEM. */
int switch_simulate(const struct switch_case *c, struct switch_result *ret_result);

#endif
