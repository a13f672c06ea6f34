/*
 * Whose is a box? A box listens to whoever sent last, so two hosts that play it make noise of it. This keeps
 * what we know about others that play one of our boxes: another ethlinkd on this machine (a lock), ethlinkds
 * on the network (claims, proto/claim.h), and hosts of other kinds (their frames, the box's replies).
 *
 * Part of a device; control thread only.
 */
#ifndef DAEMON_HOLD_H
#define DAEMON_HOLD_H

#include "proto/claim.h"

#include <stdbool.h>

struct device;

struct hold {
	int lock_fd; /* -1: not ours */
	int64_t next_lock_ns;
	bool local;	  /* another ethlinkd on this machine has the lock */
	int64_t sign_ns;  /* the last sign of another host; 0: none */
	int64_t yield_ns; /* we have given way: not ours before then, whatever the box answers */
	uint8_t other[ETHLINK_MAC_LEN]; /* who that is */
	unsigned foreign;		/* replies in a row with settings that are not ours */
	int64_t foreign_ns;		/* the last of them that counted */
	int64_t window_ns;		/* when we began to count the other's frames */
	unsigned window_frames;
	bool taking;	/* takeover = yes, and nobody has taken it from us since */
	bool take_said; /* the others know */
	int64_t asked_ns;
	int64_t answered_ns;
};

void hold_init(struct hold *h, bool takeover);
/* The configuration says something else about takeover now. */
void hold_set_takeover(struct hold *h, bool takeover);
/* Gives the lock back, and what is known of others. */
void hold_release(struct hold *h);

/* Tries for the lock if it is time; see hold.local. */
void hold_update(struct device *d, int64_t now);
/* Another host has it. online: the box answers us as it should. */
bool hold_is_others(const struct hold *h, bool online, int64_t now);
/* Another host plays it, and we shall play it nevertheless. */
bool hold_fights(const struct hold *h, int64_t now);

/* Asks the others, or tells them that we take it. At the beginning of a search, and now and then while one lasts. */
void hold_ask(struct device *d, int64_t now);
/* Before there is an audio server to play it with: asks once, so that nobody has to wait for the answers then. */
void hold_ask_early(struct device *d, int64_t now);
/* A moment ago, and whoever has begun to play it since has said so. */
bool hold_has_asked(const struct hold *h, int64_t now);
/* We play it now; or (false) do no longer. */
void hold_tell(struct device *d, bool playing);

/* What came in: a claim of another ethlinkd; an ETHlink frame of another host to the box (audio or not), or the box's to another. */
void hold_claim(struct device *d, const struct claim *claim, int64_t now);
void hold_frame(struct device *d, const uint8_t *other, bool audio, int64_t now);
/* A reply of the box to us, with our settings or not. */
void hold_reply(struct device *d, bool ours, int64_t now);

#endif
