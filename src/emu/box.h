/*
 * One virtual ETHlink8DAC as a discrete-event simulation in its own time: the 100 Mbit/s link, the ten
 * places where frames wait, the one task that takes them, the playback queue, the free-running sample
 * clock, the reply once a second. See doc/protocol.md for what the real box does.
 *
 * It reads no clock and does no I/O. Whoever drives it says when each frame reached the switch before the
 * box (box_frame) and how far time has come (box_advance), on any nanosecond scale that only goes forward. So
 * the result depends on those times alone, not on when they are told, and tests can run hours in a moment.
 *
 * Ownership: box_new() to box_free(); hooks are called from inside the calls below and must not call back
 * into the box. One thread.
 */
#ifndef EMU_BOX_H
#define EMU_BOX_H

#include "base/util.h"
#include "emu/pattern.h"
#include "proto/ethlink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOX_WAIT_PLACES 10		 /* 4 DMA descriptors and a 2 KiB FIFO */
#define BOX_CLOCK_NS (5 * NSEC_PER_MSEC) /* some 60 I2C writes to the clock chip */
/*
 * Stopping and starting the output around them. The two documented figures, 5 ms for programming the clock
 * and 15 ms (80 lost frames) for the first header, which does it twice and sets eight gains, agree only with
 * something like this.
 */
#define BOX_RESTART_NS (1800 * NSEC_PER_USEC)
#define BOX_GAIN_NS (160 * NSEC_PER_USEC) /* two I2C writes, each changed channel */
#define BOX_LINK_NS_PER_BYTE 80
#define BOX_LINK_OVERHEAD 24 /* preamble, check sum and gap */
#define BOX_LED_NS NSEC_PER_SEC
#define BOX_SWITCH_FRAMES 65536u /* what the switch before the link holds: more than any real one */

enum box_led {
	BOX_LED_OFF, /* no power */
	BOX_LED_RED,
	BOX_LED_GREEN,
};

/* Bits of what box_take_changes() returns. */
#define BOX_CHANGED_LED 1u
#define BOX_CHANGED_SETTINGS 2u
#define BOX_CHANGED_HOST 4u
#define BOX_CHANGED_CRASH 8u
#define BOX_CHANGED_POWER 16u

struct box_config {
	uint16_t serial;
	double ppm;	    /* sample clock: nominal rate * (1 + ppm / 1e6) */
	double rc_ppm;	    /* length of the box's "second" between replies, +-10000 in a real one */
	double loss;	    /* probability 0..1 that a frame is lost before the switch */
	int64_t jitter_ns;  /* random extra delay before the switch, 0..jitter_ns; order is kept */
	uint64_t seed;	    /* of loss and jitter; the serial number is mixed in */
	bool check_counter; /* run each played block through pattern_check_block() */
};

/* What the output played in one turn of 8 sample frames. */
struct box_block {
	const uint8_t *audio; /* 256 bytes before gain, or NULL: the queue was empty, zeros */
	bool nonzero;	      /* any sample is not zero */
	uint32_t rate_hz;     /* nominal */
	const uint8_t *gain;  /* the eight gain bytes in force */
};

/* A channel whose gain a host has changed. */
struct box_gain_change {
	unsigned channel; /* from 0 */
	uint8_t gain;	  /* the gain byte now in force */
	uint64_t frame;	  /* which of the valid frames that the task took up brought it, from 1 */
};

struct box_hooks {
	void *user;
	/* The box transmits this frame at t_ns. NULL: nobody listens. */
	void (*send)(void *user, int64_t t_ns, const uint8_t *frame, size_t len);
	/* The output turned over at t_ns. NULL: nobody listens. */
	void (*play)(void *user, int64_t t_ns, const struct box_block *block);
	/* A channel's gain is another from t_ns on. NULL: nobody listens. */
	void (*gain)(void *user, int64_t t_ns, const struct box_gain_change *change);
};

/* Counters since box_new(); power cycles leave them. */
struct box_counts {
	uint64_t frames_received;    /* valid ones that found a place */
	uint64_t frames_lost;	     /* all places taken */
	uint64_t frames_lost_wire;   /* by config.loss */
	uint64_t frames_lost_switch; /* more than BOX_SWITCH_FRAMES before the link */
	uint64_t frames_bad;	     /* not for this box, short, another EtherType or magic */
	uint64_t frames_ignored;     /* came while the box was off or crashed */
	uint64_t frames_late;	     /* told after the box's time had passed theirs: taken as of then */
	int64_t late_max_ns;
	uint64_t blocks_played; /* taken from the queue */
	/* Turns with an empty queue, from the first block on that was queued since the output started, ... */
	uint64_t zero_blocks;
	uint64_t zero_blocks_after_audio; /* ... since the first nonzero block of this start, ... */
	uint64_t zero_blocks_mid_audio;	  /* ... with a nonzero one before and another within 1 s */
	uint64_t replies, discovers;
	uint64_t settings_changes; /* frames that changed rate, depth or a gain */
	uint64_t host_changes;	   /* frames with another source MAC than the one before */
	uint64_t gain_changes;	   /* channels */
	uint64_t rate_changes, depth_changes;
	uint64_t bad_gain; /* frames with a gain byte 81..254 */
	uint64_t bad_rate; /* changes to a rate code above 3 */
	uint64_t crashes, power_cycles;
	uint32_t max_burst; /* most frames that were before or on the link at once */
};

/* A snapshot for reports. */
struct box_status {
	uint16_t serial;
	uint8_t mac[ETHLINK_MAC_LEN];
	bool has_host;
	uint8_t host[ETHLINK_MAC_LEN];
	enum box_led led;
	bool crashed;
	uint32_t rate_hz;		/* 0: not set since power-up */
	unsigned depth;			/* 0: no queue */
	unsigned queue;			/* blocks in it */
	unsigned waiting;		/* frames in the waiting places */
	int queue_min, queue_max;	/* see box_mark(); -1: nothing to say yet */
	uint8_t gain[ETHLINK_CHANNELS]; /* gain bytes in force */
	struct box_counts counts;
	struct pattern_check pattern;
};

struct box;

/* An rc_ppm within the tolerance, always the same for a box. */
double box_default_rc_ppm(uint64_t seed, uint16_t serial);

/* Powered up at t_ns. config and hooks are copied. 0, -EINVAL (a number out of range) or -ENOMEM. */
int box_new(
	const struct box_config *config, const struct box_hooks *hooks, int64_t t_ns, struct box **ret_box);
void box_free(struct box *b);

/*
 * A frame of len bytes, from the destination MAC on, left the host at t_ns. Any bytes are fine; no more than
 * the first ETHLINK_FRAME_LEN are read. Advances the box to t_ns.
 */
void box_frame(struct box *b, int64_t t_ns, const uint8_t *frame, size_t len);

/* Lets the box live until t_ns, inclusive. Nothing where it is past that already. */
void box_advance(struct box *b, int64_t t_ns);

/* When it will next want to send or change its LED if no frame comes before; INT64_MAX: never. */
int64_t box_next_ns(const struct box *b);

/* Off: hears, plays and sends nothing. On: as after power-up. Twice the same does nothing. */
void box_power(struct box *b, int64_t t_ns, bool on);
bool box_is_on(const struct box *b);

/*
 * Puts the box into the state in which another host would have left it. A rate code of 0..3, a depth
 * of 1..128 and gain bytes of 0..80 or 255, else -EINVAL and nothing changes. -EHOSTDOWN where it is off or
 * crashed.
 */
int box_preset(struct box *b, int64_t t_ns, const struct ethlink_settings *settings,
	const uint8_t host[ETHLINK_MAC_LEN]);

/*
 * Starts queue_min and queue_max anew. The box does so itself when its output starts and when audio fades in:
 * at the first nonzero block since that start or after a second without one. The minimum is taken when a
 * block is queued, over the turns before it, so that a queue that drains after the last block does not count.
 */
void box_mark(struct box *b);

/* BOX_CHANGED_ bits of what changed since the last call. */
unsigned box_take_changes(struct box *b);

void box_get_status(const struct box *b, struct box_status *ret_status);

#endif
