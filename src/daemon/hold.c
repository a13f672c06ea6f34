#include "daemon/hold.h"

#include "daemon/device.h"
#include "net/watch.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* How long a sign of another host counts. Then it is looked again. */
#define SIGN_NS (5 * NSEC_PER_SEC)
/* Shortly before a sign runs out, the other is asked whether it is still there. */
#define ASK_AGAIN_NS (4 * NSEC_PER_SEC)
/* Whoever has begun to play a box since we asked has said so; for so long that is relied on. */
#define ASKED_NS NSEC_PER_SEC
#define LOCK_RETRY_NS NSEC_PER_SEC
/* A flood of questions gets no flood of answers. */
#define ANSWER_SPACING_NS (100 * NSEC_PER_MSEC)
/* So many frames of another host in a second are a stream, not a probe. */
#define STREAM_FRAMES 50
/* One reply may be from before our settings got there; and a box sends no more than one a second, whatever else comes. */
#define FOREIGN_REPLIES 2
#define REPLY_SPACING_NS (900 * NSEC_PER_MSEC)

void hold_init(struct hold *h, bool takeover)
{
	memset(h, 0, sizeof(*h));
	h->lock_fd = -1;
	h->taking = takeover;
}

void hold_set_takeover(struct hold *h, bool takeover)
{
	h->taking = takeover;
	h->take_said = false;
	if (takeover) {
		h->yield_ns = 0;
	}
}

void hold_release(struct hold *h)
{
	if (h->lock_fd >= 0) {
		close(h->lock_fd);
	}
	h->lock_fd = -1;
	h->local = false;
	h->next_lock_ns = 0;
	h->sign_ns = 0;
	h->yield_ns = 0;
	h->foreign = 0;
	h->window_frames = 0;
}

static int take_lock(int ifindex, const uint8_t *mac)
{
	struct sockaddr_un addr;
	socklen_t len = (socklen_t)claim_lock_address(ifindex, mac, &addr);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0) {
		return -errno;
	}
	if (bind(fd, (struct sockaddr *)&addr, len) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

void hold_update(struct device *d, int64_t now)
{
	struct hold *h = &d->hold;

	if (h->lock_fd < 0 && now >= h->next_lock_ns) {
		h->next_lock_ns = now + LOCK_RETRY_NS;
		h->lock_fd = take_lock(d->iface->ring_ifindex, d->mac);
		/* Any other failure is no reason not to play. */
		h->local = h->lock_fd == -EADDRINUSE;
	}
	if (d->state == DEVICE_TAKEN_OVER && now - h->sign_ns >= ASK_AGAIN_NS &&
		now - h->asked_ns >= ASK_AGAIN_NS) {
		hold_ask(d, now);
	}
}

static bool has_sign(const struct hold *h, int64_t now)
{
	return h->sign_ns != 0 && now - h->sign_ns < SIGN_NS;
}

bool hold_is_others(const struct hold *h, bool online, int64_t now)
{
	if (h->local || now < h->yield_ns) {
		return true;
	}
	return !online && !h->taking && has_sign(h, now);
}

bool hold_fights(const struct hold *h, int64_t now)
{
	return h->taking && !h->local && has_sign(h, now);
}

static void say(struct device *d, enum claim_kind kind)
{
	struct claim claim = {.kind = kind};
	uint8_t frame[CLAIM_FRAME_LEN];

	if (!d->iface->watch) {
		return;
	}
	memcpy(claim.src, d->iface->ring_mac, sizeof(claim.src));
	memcpy(claim.box, d->mac, sizeof(claim.box));
	claim_encode(frame, &claim);
	/* Lost is lost: it is said again, and boxes are looked after without it as well. */
	(void)watch_send(d->iface->watch, frame, sizeof(frame));
}

void hold_ask(struct device *d, int64_t now)
{
	struct hold *h = &d->hold;

	h->asked_ns = now;
	if (h->taking && !h->take_said) {
		h->take_said = true;
		say(d, CLAIM_TAKE);
		return;
	}
	say(d, CLAIM_ASK);
}

void hold_ask_early(struct device *d, int64_t now)
{
	/* Who takes a box does not ask, and takes it only when it can be played. */
	if (d->iface->watch && d->hold.asked_ns == 0 && !d->hold.taking) {
		hold_ask(d, now);
	}
}

bool hold_has_asked(const struct hold *h, int64_t now)
{
	return h->asked_ns != 0 && now - h->asked_ns < ASKED_NS;
}

void hold_tell(struct device *d, bool playing)
{
	say(d, playing ? CLAIM_HOLD : CLAIM_FREE);
}

static void sign(struct hold *h, const uint8_t *other, int64_t now)
{
	h->sign_ns = now;
	memcpy(h->other, other, sizeof(h->other));
}

static void yield(struct device *d, const uint8_t *other, int64_t now)
{
	sign(&d->hold, other, now);
	d->hold.yield_ns = now + SIGN_NS;
	d->last_good_ns = 0;
}

static void answer(struct device *d, int64_t now)
{
	if (now - d->hold.answered_ns >= ANSWER_SPACING_NS) {
		d->hold.answered_ns = now;
		say(d, CLAIM_HOLD);
	}
}

void hold_claim(struct device *d, const struct claim *claim, int64_t now)
{
	struct hold *h = &d->hold;
	/* Once it has been given up, it is nobody's. */
	bool online = d->state == DEVICE_ONLINE && !d->manager->faded;

	if (memcmp(claim->src, d->iface->ring_mac, ETHLINK_MAC_LEN) == 0) {
		return; /* an ethlinkd on this machine: the lock is between us */
	}
	switch (claim->kind) {
	case CLAIM_ASK:
		if (online) {
			answer(d, now);
		}
		break;
	case CLAIM_HOLD:
		/* Both believe that they have it: one of the two gives way, and both know which. */
		if (online && (h->taking || memcmp(claim->src, d->iface->ring_mac, ETHLINK_MAC_LEN) > 0)) {
			answer(d, now);
		} else if (h->taking) {
			sign(h, claim->src, now);
		} else {
			yield(d, claim->src, now);
		}
		break;
	case CLAIM_TAKE:
		h->taking = false;
		yield(d, claim->src, now);
		break;
	case CLAIM_FREE:
		if (memcmp(claim->src, h->other, ETHLINK_MAC_LEN) == 0) {
			h->sign_ns = 0;
			h->yield_ns = 0;
		}
		break;
	}
	device_update(d, now);
}

void hold_frame(struct device *d, const uint8_t *other, bool audio, int64_t now)
{
	struct hold *h = &d->hold;

	/* The interface had another MAC a moment ago: what is still on its way to that one is ours. */
	if (memcmp(other, d->iface->old_mac, ETHLINK_MAC_LEN) == 0) {
		return;
	}
	if (now - h->window_ns > NSEC_PER_SEC || memcmp(other, h->other, ETHLINK_MAC_LEN) != 0) {
		h->window_ns = now;
		h->window_frames = 0;
	}
	sign(h, other, now);
	if (audio && ++h->window_frames == STREAM_FRAMES && !h->taking && d->state == DEVICE_ONLINE) {
		yield(d, other, now);
		device_update(d, now);
	}
}

void hold_reply(struct device *d, bool ours, int64_t now)
{
	struct hold *h = &d->hold;

	if (ours) {
		h->foreign = 0;
		return;
	}
	if (now - h->foreign_ns < REPLY_SPACING_NS) {
		return;
	}
	h->foreign_ns = now;
	if (++h->foreign >= FOREIGN_REPLIES) {
		h->foreign = 0;
		if (!h->taking) {
			/* It is not seen who it is. */
			memset(h->other, 0, sizeof(h->other));
			h->sign_ns = now;
			h->yield_ns = now + SIGN_NS;
			d->last_good_ns = 0;
		}
	}
}
