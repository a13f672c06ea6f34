/*
 * What a scan knows: the boxes that were heard of, whose they are, and what is to be sent next. Fed with frames and
 * times; it has no socket and no clock.
 *
 * Ownership: the caller embeds the struct and ends it with scan_fini(). Pure but for malloc(); one thread.
 */
#ifndef CTL_SCAN_MODEL_H
#define CTL_SCAN_MODEL_H

#include "proto/ethlink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whoever forges senders gets no more of our memory than that. */
#define SCAN_BOXES_MAX 256
#define SCAN_TEXT_MAX 64

/* All frames of a scan together: 500 a second. */
#define SCAN_SPACING_NS 2000000LL
/* Nothing is sent before that: so long a stream has to show itself. */
#define SCAN_QUIET_NS 1000000000LL
/* From asking the other ethlinkds to the probe. */
#define SCAN_ANSWER_NS 200000000LL
/* From a probe to the next of the same box, and from the last to the end: a box answers within about a second. */
#define SCAN_REPLY_NS 1200000000LL

enum scan_state {
	SCAN_SEEN,	 /* heard, but it has not said to whom it listens */
	SCAN_SOUGHT,	 /* not heard; another host sends it a frame now and then */
	SCAN_FREE,	 /* answered us */
	SCAN_CONFIGURED, /* in the configuration of the daemon that runs here */
	SCAN_LOCAL,	 /* some other program on this machine has it */
	SCAN_PLAYED,	 /* another host has it */
};

struct scan_box {
	enum ethlink_model model;
	uint16_t serial;
	uint64_t frames; /* that it has sent */
	bool answered;	 /* a frame of it came to us after we had asked */
	bool local;
	bool has_host;
	bool held;	      /* an ethlinkd on the host says so, or the box answers the host */
	unsigned host_frames; /* from the host to the box */
	uint8_t host[ETHLINK_MAC_LEN];
	bool same_interface;		  /* the daemon looks for it on this one */
	char name[SCAN_TEXT_MAX];	  /* the daemon's; "": it has none such */
	char daemon_state[SCAN_TEXT_MAX]; /* as in the JSON of status */
	char daemon_where[SCAN_TEXT_MAX]; /* the daemon's interface for it */
};

struct scan_range {
	bool models[2]; /* by enum ethlink_model */
	uint16_t first;
	uint16_t last;
};

enum scan_action_kind {
	SCAN_ASK,   /* the other ethlinkds */
	SCAN_PROBE, /* the box */
};

struct scan_action {
	enum scan_action_kind kind;
	enum ethlink_model model;
	uint16_t serial;
};

struct scan_target;

struct scan {
	uint8_t mac[ETHLINK_MAC_LEN]; /* ours */
	int64_t start_ns;
	int64_t listen_ns; /* at least */
	int64_t last_ns;   /* something was sent */
	struct scan_box *boxes;
	unsigned n_boxes;
	bool overflow; /* there were more than SCAN_BOXES_MAX */
	struct scan_range range;
	struct scan_target *targets; /* by serial number, then by model */
	unsigned n_targets;
	unsigned n_asked, n_probed, n_repeated; /* targets that are through with that */
	unsigned skipped;			/* targets that somebody has */
};

/* range: NULL to listen only. listen_ns: how long at least. 0 or -ENOMEM, nothing to end then. */
int scan_init(struct scan *scan, const uint8_t mac[ETHLINK_MAC_LEN], const struct scan_range *range,
	int64_t listen_ns, int64_t now);
void scan_fini(struct scan *scan);

/* The daemon on this machine has this box in its configuration; here: on the interface that is scanned. */
void scan_add_configured(struct scan *scan, enum ethlink_model model, uint16_t serial, const char *name,
	const char *state, const char *where, bool here);
/* Some program on this machine has it: it is not probed. */
void scan_add_local(struct scan *scan, enum ethlink_model model, uint16_t serial);

/* A frame came by; outgoing: another program on this machine has sent it. Whatever is in it. */
void scan_frame(struct scan *scan, const uint8_t *frame, size_t len, bool outgoing);

/* What to send now, if anything: it counts as sent. At most one every SCAN_SPACING_NS. */
bool scan_next(struct scan *scan, int64_t now, struct scan_action *ret_action);
/* When scan_next() or scan_done() may have something new; after now. */
int64_t scan_due_ns(const struct scan *scan, int64_t now);
bool scan_done(const struct scan *scan, int64_t now);

enum scan_state scan_box_state(const struct scan_box *box);
/* It is worth a line: it was heard, or somebody has it. A box that is only in the configuration is not. */
bool scan_box_shown(const struct scan_box *box);
/* By model and serial number. */
void scan_sort(struct scan *scan);

/* The header and the silence that ask a box; returns the length, 64 or 320. */
size_t scan_encode_probe(
	uint8_t frame[ETHLINK_FRAME_LEN], enum ethlink_model model, uint16_t serial, const uint8_t mac[6]);

#endif
