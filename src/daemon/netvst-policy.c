#include "daemon/bus.h"
#include "daemon/netvst-internal.h"

#include <string.h>

/* Round trips of so long, and so many of them, make the latency. */
#define MEASURE_NS (500 * NSEC_PER_MSEC)
#define MEASURE_TRIPS 2
/* NETVST_LATE_MAX times too late within this, and there is to be more of it. */
#define LATE_WINDOW_NS (10 * NSEC_PER_SEC)
#define SAY_LATE_NS (60 * NSEC_PER_SEC)
/*
 * Answers come, and nothing of them in time, for so long, and twice as long each time that it was of no use: the way has become
 * longer, or the plug-in slower.
 */
#define ALL_LATE_NS (2 * NSEC_PER_SEC)
#define ALL_LATE_BLOCKS 8
#define ALL_LATE_DOUBLINGS 5
/* Without an answer for so long, the other side stands still. */
#define STILL_NS NSEC_PER_SEC
/* So long a graph that has just begun, and the peer, may be busy with other things. */
#define SETTLE_NS (2 * NSEC_PER_SEC)
/* What a server lets wait of a DAW's audio by itself. */
#define SLOT_AUTO_MS 2

static uint32_t client_frames(const struct netvst *nv)
{
	const struct backend_info *info = &nv->manager->info;
	uint32_t block = nv->conf->block_frames;
	uint32_t phase =
		insert_latency_phase(block, info->period_frames, info->varying ? nv->policy.grid_frames : 0);
	uint32_t least = insert_latency_frames(block, info->period_frames, 1) + phase;
	uint32_t frames;

	if (nv->conf->latency_frames != CONF_LATENCY_AUTO) {
		return MAX((uint32_t)nv->conf->latency_frames, least);
	}
	if (nv->policy.trip_ns == 0) {
		return 0;
	}
	frames = insert_latency_auto(block, info->period_frames, info->rate_hz, nv->policy.trip_ns) + phase +
		 nv->policy.raised * info->period_frames;
	return MAX(MIN(frames, CONF_NETVST_LATENCY_MAX), least);
}

static uint32_t slot_frames(const struct netvst *nv)
{
	return nv->conf->latency_frames != CONF_LATENCY_AUTO
		       ? (uint32_t)nv->conf->latency_frames
		       : nv->manager->info.rate_hz * SLOT_AUTO_MS / 1000;
}

/*
 * What the graph is told of a slot: the block that comes at once, what is to wait, and what one cycle takes. The longest block
 * counts: that is what the slot allows for, and some DAWs change the length all the time, which would have the whole
 * graph look at its latencies again and again.
 */
static uint32_t slot_latency(const struct netvst *nv, unsigned i)
{
	uint32_t block = nv->server_status.slots[i].block_max_frames;

	return block > 0 ? block + nv->policy.frames + nv->manager->info.period_frames : nv->policy.frames;
}

static void tell_graph(struct netvst *nv)
{
	for (unsigned i = 0; i < nv->n_parts; i++) {
		struct netvst_part *part = &nv->parts[i];
		uint32_t frames =
			nv->conf->role == CONF_ROLE_CLIENT ? nv->policy.frames : slot_latency(nv, i);

		if (frames != part->latency_frames) {
			part->latency_frames = frames;
			if (part->group) {
				backend_set_latency(nv->manager->backend, part->group, frames);
			}
		}
	}
}

static void say_rounded_up(const struct netvst *nv)
{
	if (nv->conf->role == CONF_ROLE_CLIENT && nv->conf->latency_frames != CONF_LATENCY_AUTO &&
		(uint32_t)nv->conf->latency_frames < nv->policy.frames) {
		netvst_log(nv, LOG_NOTICE,
			"latency = %d is less than blocks of %u and periods of %u frames allow: it is %u",
			nv->conf->latency_frames, nv->conf->block_frames, nv->manager->info.period_frames,
			nv->policy.frames);
	}
}

void netvst_policy_apply(struct netvst *nv)
{
	const struct backend_info *info = &nv->manager->info;
	uint32_t frames;

	if (!nv->manager->connected || info->period_frames == 0 || nv->phase >= NETVST_DYING) {
		return;
	}
	if (info->period_frames != nv->policy.period_frames || info->rate_hz != nv->policy.rate_hz) {
		nv->policy.period_frames = info->period_frames;
		nv->policy.rate_hz = info->rate_hz;
		nv->policy.changed_ns = now_ns();
	}
	frames = nv->conf->role == CONF_ROLE_CLIENT ? client_frames(nv) : slot_frames(nv);
	if (frames != nv->policy.frames) {
		nv->policy.frames = frames;
		nv->policy.n_late = 0;
		for (unsigned i = 0; i < nv->n_parts; i++) {
			insert_set_latency(nv->parts[i].insert, frames);
		}
		if (nv->client) {
			netvst_client_set_latency(nv->client, frames);
		}
		say_rounded_up(nv);
		bus_netvst_changed(nv->manager->bus, nv, BUS_NETVST_LATENCY);
	}
	tell_graph(nv);
}

void netvst_policy_reset(struct netvst *nv)
{
	memset(&nv->policy, 0, sizeof(nv->policy));
	nv->policy.xruns = nv->manager->info.xruns;
	for (unsigned i = 0; i < nv->n_parts; i++) {
		if (nv->parts[i].insert) {
			nv->policy.episodes +=
				atomic_load(&insert_get_report(nv->parts[i].insert)->late_episodes);
			insert_set_latency(nv->parts[i].insert, 0);
		}
	}
}

static double frames_ms(const struct netvst *nv, uint32_t frames)
{
	return 1000.0 * frames / MAX(nv->manager->info.rate_hz, 1);
}

static void measure(struct netvst *nv, int64_t now)
{
	const struct netvst_client_status *s = &nv->client_status;

	if (s->state != NETVST_CLIENT_CONNECTED || s->connected_ns == 0 ||
		now - s->connected_ns < MEASURE_NS || now - nv->policy.measure_ns < MEASURE_NS ||
		s->round_trips < MEASURE_TRIPS || !nv->manager->connected || nv->manager->info.freewheel) {
		return;
	}
	nv->policy.trip_ns = MAX(MAX(s->rtt_p90_ns, nv->policy.least_trip_ns), 1);
	netvst_policy_apply(nv);
	netvst_log(nv, LOG_INFO,
		"latency %u frames (%.1f ms): nine of ten round trips take at most %.2f ms; blocks of %u, "
		"periods "
		"of %u frames",
		nv->policy.frames, frames_ms(nv, nv->policy.frames), (double)s->rtt_p90_ns / NSEC_PER_MSEC,
		nv->conf->block_frames, nv->manager->info.period_frames);
}

static void raise_latency(struct netvst *nv)
{
	uint32_t before = nv->policy.frames;

	nv->policy.n_late = 0;
	nv->policy.raised++;
	netvst_policy_apply(nv);
	if (nv->policy.frames == before) {
		nv->policy.raised--;
		return;
	}
	netvst_log(nv, LOG_NOTICE,
		"audio came back too late %d times within %d s: latency raised from %u to %u frames (%.1f "
		"ms)",
		NETVST_LATE_MAX, (int)(LATE_WINDOW_NS / NSEC_PER_SEC), before, nv->policy.frames,
		frames_ms(nv, nv->policy.frames));
}

static void say_late(struct netvst *nv, int64_t now)
{
	if (nv->policy.said_late_ns != 0 && now - nv->policy.said_late_ns < SAY_LATE_NS) {
		return;
	}
	nv->policy.said_late_ns = now;
	netvst_log(nv, LOG_WARNING,
		"audio comes back too late, and there is silence in its place; a greater latency, larger "
		"blocks, or "
		"a cable instead of wireless help (ethlinkctl doctor says more)");
}

static void late(struct netvst *nv, uint64_t times, int64_t now)
{
	struct netvst_policy *p = &nv->policy;

	if (nv->conf->latency_frames != CONF_LATENCY_AUTO) {
		say_late(nv, now);
		return;
	}
	for (; times > 0; times--) {
		if (p->n_late == NETVST_LATE_MAX) {
			memmove(&p->late_ns[0], &p->late_ns[1], sizeof(p->late_ns) - sizeof(p->late_ns[0]));
			p->n_late--;
		}
		p->late_ns[p->n_late++] = now;
		if (p->n_late == NETVST_LATE_MAX && now - p->late_ns[0] <= LATE_WINDOW_NS) {
			raise_latency(nv);
			return;
		}
	}
}

/* All that is late is one episode: it would never be heard again, and nobody would be told. */
static bool is_all_late(struct netvst *nv, int64_t now)
{
	const struct netvst_client_status *s = &nv->client_status;
	uint64_t played = atomic_load(&insert_get_report(nv->parts[0].insert)->frames);
	struct netvst_policy *p = &nv->policy;

	if (played != p->silent_played) {
		p->n_measured = 0;
	}
	if (s->blocks_received != p->received) {
		p->received = s->blocks_received;
		p->received_ns = now;
	}
	if (played != p->silent_played || now - p->received_ns > STILL_NS ||
		s->state != NETVST_CLIENT_CONNECTED || s->connects != p->connects || p->frames == 0 ||
		nv->phase != NETVST_WORKING || nv->manager->info.freewheel) {
		p->silent_ns = now;
		p->silent_played = played;
		p->silent_received = s->blocks_received;
		return false;
	}
	return now - p->silent_ns >= ALL_LATE_NS << MIN(p->n_measured, (unsigned)ALL_LATE_DOUBLINGS) &&
	       s->blocks_received - p->silent_received >= ALL_LATE_BLOCKS;
}

static void measure_again(struct netvst *nv, int64_t now)
{
	const struct backend_info *info = &nv->manager->info;
	struct netvst_policy *p = &nv->policy;

	if (nv->conf->latency_frames != CONF_LATENCY_AUTO) {
		say_late(nv, now);
		return;
	}
	netvst_log(nv, LOG_NOTICE,
		"all that comes back is too late for a latency of %u frames (%.1f ms): round trips are "
		"measured once more",
		p->frames, frames_ms(nv, p->frames));
	p->least_trip_ns = p->trip_ns + (int64_t)(p->raised + 1) * info->period_frames * NSEC_PER_SEC /
						MAX(info->rate_hz, 1);
	p->trip_ns = 0;
	p->raised = 0;
	p->measure_ns = now;
	p->n_measured++;
	netvst_policy_apply(nv);
}

/* Where periods vary, blocks come to end anywhere between cycles. */
static void look_at_grid(struct netvst *nv)
{
	uint32_t grid = atomic_load(&insert_get_report(nv->parts[0].insert)->grid_frames);

	if (grid != nv->policy.grid_frames) {
		nv->policy.grid_frames = grid;
		nv->policy.changed_ns = now_ns();
		netvst_policy_apply(nv);
	}
}

void netvst_policy_watch(struct netvst *nv, int64_t now)
{
	const struct netvst_client_status *s = &nv->client_status;
	struct netvst_policy *p = &nv->policy;
	uint64_t episodes = atomic_load(&insert_get_report(nv->parts[0].insert)->late_episodes);
	/* Neither what stood still nor what was lost comes in time with one cycle more, nor does a cycle that was late itself. */
	bool still = s->blocks_skipped != p->skipped && s->blocks_received == p->received_before;
	bool froze = still || s->connects != p->connects || nv->manager->info.xruns != p->xruns ||
		     s->state != NETVST_CLIENT_CONNECTED || now - s->connected_ns < SETTLE_NS ||
		     now - p->changed_ns < SETTLE_NS;
	uint64_t times = episodes - p->episodes;
	bool all_late = is_all_late(nv, now);

	look_at_grid(nv);
	p->episodes = episodes;
	p->skipped = s->blocks_skipped;
	p->received_before = s->blocks_received;
	p->connects = s->connects;
	p->xruns = nv->manager->info.xruns;
	if (nv->conf->latency_frames == CONF_LATENCY_AUTO && p->trip_ns == 0) {
		measure(nv, now);
	} else if (all_late) {
		measure_again(nv, now);
	} else if (times > 0 && !froze && nv->phase == NETVST_WORKING) {
		late(nv, times, now);
	}
}
