#include "ctl/scan-model.h"

#include "base/util.h"
#include "proto/claim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many frames from one host are a stream, not a question. */
#define STREAM_FRAMES 10
/* A box takes any depth from 1 to 128. */
#define PROBE_DEPTH 64
#define PROBE_RATE_HZ 48000

struct scan_target {
	enum ethlink_model model;
	uint16_t serial;
	int64_t sent_ns; /* the last frame about it */
	bool probed;
};

static void add_targets(struct scan *scan, const struct scan_range *range)
{
	for (uint32_t serial = range->first; serial <= range->last; serial++) {
		for (unsigned m = 0; m < ARRAY_SIZE(range->models); m++) {
			if (range->models[m]) {
				scan->targets[scan->n_targets++] = (struct scan_target){
					.model = (enum ethlink_model)m,
					.serial = (uint16_t)serial,
				};
			}
		}
	}
}

int scan_init(struct scan *scan, const uint8_t mac[ETHLINK_MAC_LEN], const struct scan_range *range,
	int64_t listen_ns, int64_t now)
{
	memset(scan, 0, sizeof(*scan));
	memcpy(scan->mac, mac, ETHLINK_MAC_LEN);
	scan->start_ns = now;
	scan->last_ns = now;
	scan->listen_ns = listen_ns;
	scan->boxes = calloc(SCAN_BOXES_MAX, sizeof(*scan->boxes));
	if (!scan->boxes) {
		return -ENOMEM;
	}
	if (range && range->first <= range->last) {
		scan->targets = calloc(2 * ((size_t)range->last - range->first + 1), sizeof(*scan->targets));
		if (!scan->targets) {
			scan_fini(scan);
			return -ENOMEM;
		}
		scan->range = *range;
		add_targets(scan, range);
	}
	return 0;
}

void scan_fini(struct scan *scan)
{
	free(scan->boxes);
	free(scan->targets);
	memset(scan, 0, sizeof(*scan));
}

static struct scan_box *find(const struct scan *scan, enum ethlink_model model, uint16_t serial)
{
	for (unsigned i = 0; i < scan->n_boxes; i++) {
		if (scan->boxes[i].serial == serial && scan->boxes[i].model == model) {
			return &scan->boxes[i];
		}
	}
	return NULL;
}

static struct scan_box *find_or_add(struct scan *scan, enum ethlink_model model, uint16_t serial)
{
	struct scan_box *box = find(scan, model, serial);

	if (box) {
		return box;
	}
	if (scan->n_boxes == SCAN_BOXES_MAX) {
		scan->overflow = true;
		return NULL;
	}
	box = &scan->boxes[scan->n_boxes++];
	box->model = model;
	box->serial = serial;
	return box;
}

static struct scan_box *find_or_add_mac(struct scan *scan, const uint8_t *mac)
{
	enum ethlink_model model;
	uint16_t serial;

	return ethlink_mac_parse(mac, &model, &serial) < 0 ? NULL : find_or_add(scan, model, serial);
}

void scan_add_configured(struct scan *scan, enum ethlink_model model, uint16_t serial, const char *name,
	const char *state, const char *where, bool here)
{
	struct scan_box *box = find_or_add(scan, model, serial);

	if (box) {
		snprintf(box->name, sizeof(box->name), "%s", name);
		snprintf(box->daemon_state, sizeof(box->daemon_state), "%s", state);
		snprintf(box->daemon_where, sizeof(box->daemon_where), "%s", where);
		box->same_interface = here;
	}
}

void scan_add_local(struct scan *scan, enum ethlink_model model, uint16_t serial)
{
	struct scan_box *box = find_or_add(scan, model, serial);

	if (box) {
		box->local = true;
	}
}

static void add_host(struct scan_box *box, const uint8_t *host, bool held)
{
	if (box->has_host && memcmp(box->host, host, ETHLINK_MAC_LEN) != 0) {
		/* Who plays it is of more interest than who asks. */
		if (box->held && !held) {
			return;
		}
		box->host_frames = 0;
		box->held = false;
	}
	box->has_host = true;
	box->held = box->held || held;
	memcpy(box->host, host, ETHLINK_MAC_LEN);
}

static void take_claim(struct scan *scan, const struct claim *claim)
{
	struct scan_box *box;

	if (memcmp(claim->src, scan->mac, ETHLINK_MAC_LEN) == 0 || claim->kind == CLAIM_ASK) {
		return;
	}
	box = find_or_add_mac(scan, claim->box);
	if (!box) {
		return;
	}
	if (claim->kind != CLAIM_FREE) {
		add_host(box, claim->src, true);
	} else if (box->has_host && memcmp(box->host, claim->src, ETHLINK_MAC_LEN) == 0) {
		box->has_host = false;
		box->held = false;
		box->host_frames = 0;
	}
}

static bool was_probed(const struct scan *scan, const struct scan_box *box)
{
	const struct scan_range *range = &scan->range;
	unsigned n_models = (unsigned)range->models[0] + (unsigned)range->models[1];

	if (!scan->targets || !range->models[box->model] || box->serial < range->first ||
		box->serial > range->last) {
		return false;
	}
	return scan
		->targets[((unsigned)box->serial - range->first) * n_models +
			  (n_models == 2 ? (unsigned)box->model : 0)]
		.probed;
}

/* A frame of a box: where it goes tells whom the box listens to. */
static void take_sent(struct scan *scan, const uint8_t *frame, size_t len, struct scan_box *box)
{
	struct ethlink_frame f;

	box->frames++;
	if (ethlink_decode(frame, len, &f) < 0 || f.model != box->model || (f.dst[0] & 1)) {
		return;
	}
	if (memcmp(f.dst, scan->mac, ETHLINK_MAC_LEN) != 0) {
		add_host(box, f.dst, true);
	} else if (was_probed(scan, box)) {
		box->answered = true;
	} else if (!*box->name || !box->same_interface) {
		box->local = true;
	}
}

static void take_received(
	struct scan *scan, const uint8_t *frame, size_t len, struct scan_box *box, bool outgoing)
{
	struct ethlink_frame f;

	if (ethlink_decode(frame, len, &f) < 0 || f.model != box->model) {
		return;
	}
	if (outgoing || memcmp(f.src, scan->mac, ETHLINK_MAC_LEN) == 0) {
		box->local = true;
		return;
	}
	add_host(box, f.src, false);
	if (memcmp(box->host, f.src, ETHLINK_MAC_LEN) == 0) {
		box->host_frames++;
	}
}

void scan_frame(struct scan *scan, const uint8_t *frame, size_t len, bool outgoing)
{
	struct ethlink_frame f;
	struct scan_box *box;
	struct claim claim;

	if (len < ETHLINK_OFF_MAGIC) {
		return;
	}
	if (claim_decode(frame, len, &claim) == 0) {
		take_claim(scan, &claim);
		return;
	}
	box = find_or_add_mac(scan, frame + ETHLINK_OFF_SRC);
	if (box) {
		take_sent(scan, frame, len, box);
		return;
	}
	/* Whatever else goes to such a MAC, an answer to its DHCP request say, is no host's stream. */
	if (ethlink_decode(frame, len, &f) == 0) {
		box = find_or_add_mac(scan, f.dst);
		if (box) {
			take_received(scan, frame, len, box, outgoing);
		}
	}
}

/* The daemon sends nothing to a box in these states, or what it sends goes to another network. */
static bool daemon_lets(const struct scan_box *box)
{
	static const char *const idle[] = {"searching", "no-interface", "link-down"};

	if (!*box->name) {
		return true;
	}
	/* On this interface it asks by itself, and may be playing a moment from now. */
	for (unsigned i = 0; i < ARRAY_SIZE(idle) && !box->same_interface; i++) {
		if (strcmp(box->daemon_state, idle[i]) == 0) {
			return true;
		}
	}
	return false;
}

static bool may_probe(const struct scan_box *box)
{
	return !box || (!box->local && !box->has_host && daemon_lets(box));
}

/* A target whose turn it is, at the head of a queue that ends where the queue before it has got to. */
static struct scan_target *take_due(
	struct scan *scan, unsigned *head, unsigned end, int64_t gap_ns, int64_t now)
{
	while (*head < end) {
		struct scan_target *t = &scan->targets[*head];
		const struct scan_box *box = find(scan, t->model, t->serial);
		bool allowed = may_probe(box);

		if (allowed && !(box && box->answered) && now - t->sent_ns < gap_ns) {
			return NULL;
		}
		(*head)++;
		if (!allowed) {
			/* Counted where it was to be probed first. */
			scan->skipped += head == &scan->n_probed;
		} else if (!(box && box->answered)) {
			return t;
		}
	}
	return NULL;
}

bool scan_next(struct scan *scan, int64_t now, struct scan_action *ret_action)
{
	struct scan_target *t;

	if (now - scan->start_ns < SCAN_QUIET_NS || now - scan->last_ns < SCAN_SPACING_NS) {
		return false;
	}
	ret_action->kind = SCAN_PROBE;
	t = take_due(scan, &scan->n_repeated, scan->n_probed, SCAN_REPLY_NS, now);
	if (!t) {
		t = take_due(scan, &scan->n_probed, scan->n_asked, SCAN_ANSWER_NS, now);
	}
	if (!t && scan->n_asked < scan->n_targets) {
		t = &scan->targets[scan->n_asked++];
		ret_action->kind = SCAN_ASK;
	}
	if (!t) {
		return false;
	}
	scan->last_ns = now;
	t->sent_ns = now;
	ret_action->model = t->model;
	ret_action->serial = t->serial;
	t->probed = ret_action->kind == SCAN_PROBE;
	return true;
}

bool scan_done(const struct scan *scan, int64_t now)
{
	if (now - scan->start_ns < scan->listen_ns) {
		return false;
	}
	return scan->n_repeated == scan->n_targets &&
	       (scan->n_targets == 0 || now - scan->last_ns >= SCAN_REPLY_NS);
}

static int64_t earlier(int64_t due, const struct scan *scan, unsigned head, unsigned end, int64_t gap_ns)
{
	return head < end ? MIN(due, scan->targets[head].sent_ns + gap_ns) : due;
}

int64_t scan_due_ns(const struct scan *scan, int64_t now)
{
	int64_t due = INT64_MAX;

	due = earlier(due, scan, scan->n_repeated, scan->n_probed, SCAN_REPLY_NS);
	due = earlier(due, scan, scan->n_probed, scan->n_asked, SCAN_ANSWER_NS);
	if (scan->n_asked < scan->n_targets) {
		due = 0;
	}
	if (due == INT64_MAX) {
		due = scan->n_targets ? scan->last_ns + SCAN_REPLY_NS : 0;
		due = MAX(due, scan->start_ns + scan->listen_ns);
	} else {
		due = MAX(due, MAX(scan->start_ns + SCAN_QUIET_NS, scan->last_ns + SCAN_SPACING_NS));
	}
	return MAX(due, now + 1);
}

enum scan_state scan_box_state(const struct scan_box *box)
{
	if (*box->name && box->same_interface) {
		return SCAN_CONFIGURED;
	}
	if (box->has_host && (box->held || box->host_frames >= STREAM_FRAMES)) {
		return SCAN_PLAYED;
	}
	if (box->local) {
		return SCAN_LOCAL;
	}
	if (*box->name && !daemon_lets(box)) {
		return SCAN_CONFIGURED;
	}
	if (box->answered) {
		return SCAN_FREE;
	}
	return box->frames == 0 && box->has_host ? SCAN_SOUGHT : SCAN_SEEN;
}

bool scan_box_shown(const struct scan_box *box)
{
	return box->frames > 0 || box->has_host || box->local || (*box->name && !daemon_lets(box));
}

static int compare(const void *a, const void *b)
{
	const struct scan_box *x = a, *y = b;

	return x->model != y->model ? (int)x->model - (int)y->model : (int)x->serial - (int)y->serial;
}

void scan_sort(struct scan *scan)
{
	qsort(scan->boxes, scan->n_boxes, sizeof(*scan->boxes), compare);
}

size_t scan_encode_probe(
	uint8_t frame[ETHLINK_FRAME_LEN], enum ethlink_model model, uint16_t serial, const uint8_t mac[6])
{
	struct ethlink_settings settings = {.rate_code = (uint8_t)ethlink_rate_code(PROBE_RATE_HZ)};
	uint8_t box[ETHLINK_MAC_LEN];

	settings.depth = model == ETHLINK_DAC8 ? PROBE_DEPTH : 0;
	memset(settings.gain, ETHLINK_GAIN_MUTE, sizeof(settings.gain));
	ethlink_mac(model, serial, box);
	memset(frame, 0, ETHLINK_FRAME_LEN);
	(void)ethlink_encode_header(frame, ETHLINK_FRAME_LEN, model, box, mac, &settings);
	frame[ETHLINK_OFF_MARK] = ETHLINK_MARK;
	/* A DAC plays whatever its buffer held where the audio is missing; an ADC wants none. */
	return model == ETHLINK_DAC8 ? ETHLINK_FRAME_LEN : ETHLINK_HEADER_LEN;
}
