#include "engine/engine-rt.h"
#include "engine/pacer-rt.h"
#include "engine/pacer.h"
#include "engine/policy.h"
#include "engine/steady-rt.h"

#include <errno.h>
#include <string.h>

/* Rows that a pacer releases together: about a millisecond's worth. */
#define CHUNK_PER_SEC 1000

/* Writes the next frame of one DAC into the ring; later: the pacer marks it for the kernel. */
static void frame_rt(
	const struct wire_plan *wire, struct dac *dac, unsigned owner, int64_t due_ns, bool later)
{
	uint8_t *frame = pktring_tx_next_rt(wire->ring);

	if (!frame) {
		dac_drop_rt(dac);
		return;
	}
	dac_frame_rt(dac, frame, due_ns);
	if (later) {
		pktring_tx_fill_rt(wire->ring, ETHLINK_FRAME_LEN, (uint8_t)owner);
	} else {
		pktring_tx_commit_rt(wire->ring, ETHLINK_FRAME_LEN, (uint8_t)owner);
	}
}

/* Silence that goes ahead, of all DACs that begin in this cycle. Returns the number of slots used. */
static uint32_t lead_rt(const struct wire_plan *wire, int64_t due_ns, bool later)
{
	uint32_t slots = 0;
	bool more = true;

	while (more) {
		more = false;
		for (unsigned i = 0; i < wire->n_dacs; i++) {
			struct dac *dac = wire->dacs[i];
			uint32_t sent = dac->sent;

			if (dac->blocks == 0 || dac->lead == 0) {
				continue;
			}
			frame_rt(wire, dac, i, due_ns, later);
			slots += dac->sent - sent;
			more = true;
		}
	}
	return slots;
}

/* One block of each DAC that has one left. A box gets its blocks as far apart as the others' allow. */
static uint32_t row_rt(const struct wire_plan *wire, int64_t due_ns, bool later)
{
	uint32_t slots = 0;

	for (unsigned i = 0; i < wire->n_dacs; i++) {
		struct dac *dac = wire->dacs[i];
		uint32_t sent = dac->sent;

		if (dac->blocks > 0) {
			frame_rt(wire, dac, i, due_ns, later);
			slots += dac->sent - sent;
		}
	}
	return slots;
}

/* Of them, those that are not ahead of the audio. */
static uint32_t audio_rows_rt(const struct wire_plan *wire)
{
	uint32_t rows = 0;

	for (unsigned i = 0; i < wire->n_dacs; i++) {
		rows = MAX(rows, wire->dacs[i]->blocks - MIN(wire->dacs[i]->lead, wire->dacs[i]->blocks));
	}
	return rows;
}

static uint32_t rows_rt(const struct wire_plan *wire)
{
	uint32_t rows = 0;

	for (unsigned i = 0; i < wire->n_dacs; i++) {
		rows = MAX(rows, wire->dacs[i]->blocks);
	}
	return rows;
}

/* So many rows: all alike at once, or else one by one. */
static uint32_t make_rows_rt(const struct wire_plan *wire, uint32_t rows, int64_t due_ns, bool later)
{
	uint32_t slots, left = rows_rt(wire);
	uint32_t end = left - MIN(rows, left);

	slots = steady_rows_rt(wire, rows, later);
	for (left = rows_rt(wire); left > end; left--) {
		slots += row_rt(wire, due_ns, later);
	}
	return slots;
}

/*
 * A cycle of another period, or a freewheeling one, only brings the end of a fade-out. It has to go behind what
 * still waits, and no faster than the box plays: its queue may be as full as we ever let it be.
 */
static void fill_paced_rest_rt(const struct wire_plan *wire, const struct audio_cycle *cycle)
{
	uint32_t rows = rows_rt(wire);
	uint32_t rate_hz = cycle->rate_hz;
	int64_t block_ns;

	/* The boxes still play at the rate of their streams. */
	for (unsigned i = 0; i < wire->n_dacs; i++) {
		rate_hz = wire->dacs[i]->blocks > 0 ? wire->dacs[i]->format.rate_hz : rate_hz;
	}
	block_ns = ETHLINK_BLOCK_FRAMES * NSEC_PER_SEC / rate_hz;
	for (uint32_t row = 0; row < rows; row++) {
		int64_t due = MAX(wire->pacer->last_due_ns, cycle->now_ns) + block_ns;
		uint32_t slots = row_rt(wire, due, true);

		if (slots > 0) {
			pacer_schedule_rt(wire->pacer, slots, due);
		}
	}
}

/* Fills the ring with a long period and writes down when each part of it is due. */
static void fill_paced_rt(
	const struct wire_plan *wire, const struct audio_cycle *cycle, const struct clock *clock)
{
	uint32_t chunk_rows = MAX(cycle->rate_hz / ETHLINK_BLOCK_FRAMES / CHUNK_PER_SEC, 1u);
	uint32_t slots = lead_rt(wire, cycle->now_ns, true);
	int64_t cushion_ns = (int64_t)(POLICY_FILL_MAX_BLOCKS - wire->burst_blocks) * ETHLINK_BLOCK_FRAMES *
			     NSEC_PER_SEC / cycle->rate_hz;
	/* Later than the cushion lasts, the box has run dry: it cannot take all that is overdue at once. */
	int64_t begin = MAX(clock->expect_ns, cycle->now_ns - cushion_ns);
	int64_t due = cycle->now_ns;
	uint32_t rows = rows_rt(wire);
	uint32_t next = MAX(wire->burst_blocks, 1u); /* row at which the next chunk begins */

	for (uint32_t row = 0; row < rows; row = MIN(next, rows)) {
		if (row == next) {
			pacer_schedule_rt(wire->pacer, slots, due);
			slots = 0;
			next += chunk_rows;
			/* What the box takes at once has gone; the rest follows as it plays, whenever this cycle came. */
			due = begin + (int64_t)(next - wire->burst_blocks) * ETHLINK_BLOCK_FRAMES *
					      NSEC_PER_SEC / cycle->rate_hz;
		}
		slots += make_rows_rt(wire, MIN(next, rows) - row, due, true);
	}
	if (slots > 0) {
		pacer_schedule_rt(wire->pacer, slots, due);
	}
}

static bool all_expected_rt(const struct wire_plan *wire)
{
	for (unsigned i = 0; i < wire->n_dacs; i++) {
		if (wire->dacs[i]->blocks > 0 && !wire->dacs[i]->expected) {
			return false;
		}
	}
	return true;
}

static bool all_varying_rt(const struct wire_plan *wire)
{
	for (unsigned i = 0; i < wire->n_dacs; i++) {
		if (wire->dacs[i]->blocks > 0 && !wire->dacs[i]->format.varying) {
			return false;
		}
	}
	return true;
}

static void discard_rt(const struct wire_plan *wire)
{
	uint32_t drops[PKTRING_OWNERS];

	memset(drops, 0, sizeof(drops));
	if (pktring_tx_discard_rt(wire->ring, drops) == 0) {
		return;
	}
	for (unsigned i = 0; i < wire->n_dacs; i++) {
		if (drops[i]) {
			dac_refused_rt(wire->dacs[i], drops[i]);
		}
	}
}

static void kick_rt(struct engine *engine, const struct wire_plan *wire)
{
	int r = pacer_kick_rt(wire->ring, engine->cycle_ns, &engine->seam.report.kick);

	/* EAGAIN: send memory is short; what is left goes with the next kick. */
	if (r < 0 && r != -EAGAIN) {
		discard_rt(wire);
	}
}

/* A few frames go at once; many would make the graph wait. */
static void kick_soon_rt(struct engine *engine, const struct wire_plan *wire, uint32_t slots)
{
	if (slots > POLICY_AT_ONCE_FRAMES) {
		engine->to_kick[wire - engine->plan->wires] = true;
	} else {
		kick_rt(engine, wire);
	}
}

/* How far a cycle's blocks may be ahead of what the boxes play: as far as the fullest of them allows. */
static int32_t burst_rt(const struct wire_plan *wire)
{
	int32_t burst = (int32_t)MIN(wire->burst_blocks, (unsigned)POLICY_FILL_MAX_BLOCKS);

	for (unsigned i = 0; i < wire->n_dacs; i++) {
		if (wire->dacs[i]->blocks > 0) {
			burst = MIN(burst, cushion_room_rt(&wire->dacs[i]->cushion));
		}
	}
	return burst;
}

/*
 * Varying periods, paced. What the boxes take at once goes by our own kick where that is all, so that short periods never
 * wait for the pacer's thread; with a rest, or behind what still waits there, all goes by the pacer.
 */
static void send_varying_rt(
	struct engine *engine, const struct wire_plan *wire, const struct audio_cycle *cycle)
{
	const struct clock *clock = &engine->clock;
	uint32_t chunk_rows = MAX(cycle->rate_hz / ETHLINK_BLOCK_FRAMES / CHUNK_PER_SEC, 1u);
	int64_t late_frames = clock->late_ns * cycle->rate_hz / NSEC_PER_SEC;
	int32_t burst = burst_rt(wire);
	int32_t at_once = burst + (int32_t)(late_frames / ETHLINK_BLOCK_FRAMES);
	bool later = wire->threaded || !pacer_idle_rt(wire->pacer) || (int32_t)audio_rows_rt(wire) > at_once;
	uint32_t slots = lead_rt(wire, cycle->now_ns, later);
	uint32_t rows = rows_rt(wire), row = MIN(rows, (uint32_t)MAX(at_once, 0));

	slots += make_rows_rt(wire, row, cycle->now_ns, later);
	if (!later && (slots > 0 || row > 0)) {
		kick_soon_rt(engine, wire, slots);
	} else if (slots > 0) {
		pacer_schedule_rt(wire->pacer, slots, cycle->now_ns);
	}
	while (row < rows) {
		uint32_t end = MIN(row + chunk_rows, rows);
		int64_t due = clock->expect_ns +
			      ((int64_t)end - burst) * ETHLINK_BLOCK_FRAMES * NSEC_PER_SEC / cycle->rate_hz;

		slots = make_rows_rt(wire, end - row, due, true);
		row = end;
		if (slots > 0) {
			pacer_schedule_rt(wire->pacer, slots, due);
		}
	}
}

/* A cycle that the boxes can take as it is: by our own kick or, where that would take long, by the pacer's. */
static void send_at_once_rt(
	struct engine *engine, const struct wire_plan *wire, const struct audio_cycle *cycle)
{
	bool later = wire->threaded || (wire->pacer && !pacer_idle_rt(wire->pacer));
	uint32_t slots = lead_rt(wire, cycle->now_ns, later);

	slots += make_rows_rt(wire, UINT32_MAX, cycle->now_ns, later);
	if (!later) {
		kick_soon_rt(engine, wire, slots);
	} else if (slots > 0) {
		pacer_schedule_rt(wire->pacer, slots, cycle->now_ns);
	}
}

/* What the pacer's thread could not send since the last cycle. */
static void take_pacer_drops_rt(const struct wire_plan *wire)
{
	for (unsigned i = 0; i < wire->n_dacs; i++) {
		_Atomic uint32_t *drops = &wire->pacer->drops[i];

		if (atomic_load_explicit(drops, memory_order_relaxed)) {
			dac_refused_rt(
				wire->dacs[i], atomic_exchange_explicit(drops, 0, memory_order_relaxed));
		}
	}
}

static void wire_rt(struct engine *engine, const struct wire_plan *wire, const struct audio_cycle *cycle)
{
	uint32_t total = 0;

	for (unsigned i = 0; i < wire->n_dacs; i++) {
		wire->dacs[i]->in_plan = true;
		total += dac_begin_rt(wire->dacs[i], cycle, &engine->clock);
	}
	if (wire->pacer) {
		take_pacer_drops_rt(wire);
	}
	if (total > 0 && !wire->paced) {
		send_at_once_rt(engine, wire, cycle);
	} else if (total > 0 && !all_expected_rt(wire)) {
		fill_paced_rest_rt(wire, cycle);
	} else if (total > 0 && all_varying_rt(wire)) {
		send_varying_rt(engine, wire, cycle);
	} else if (total > 0) {
		fill_paced_rt(wire, cycle, &engine->clock);
	}
	if (wire->pacer) {
		pacer_wake_rt(wire->pacer);
	}
	for (unsigned i = 0; i < wire->n_dacs; i++) {
		dac_end_rt(wire->dacs[i], cycle, &engine->clock);
	}
}

/* What goes to a box can be listened to in the graph where the device offers monitor ports. */
static void monitor_rt(const struct audio_group *group, uint32_t frames)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		if (!group->out[k]) {
			continue;
		}
		if (group->in[k]) {
			memcpy(group->out[k], group->in[k], frames * sizeof(float));
		} else {
			memset(group->out[k], 0, frames * sizeof(float));
		}
	}
}

/* Of cycles of another length nothing can be compared. */
static void count_gap_rt(struct engine *engine, const struct audio_cycle *cycle)
{
	const struct clock *before = &engine->clock;

	if (cycle->frames != before->frames || cycle->rate_hz != before->rate_hz) {
		hist_clear_rt(&engine->seam.report.gaps);
		engine->last_cycle_ns = 0;
	}
	if (engine->last_cycle_ns != 0 && !cycle->freewheel) {
		hist_add_rt(&engine->seam.report.gaps, cycle->now_ns - engine->last_cycle_ns);
	}
	engine->last_cycle_ns = cycle->freewheel ? 0 : cycle->now_ns;
}

void engine_process_rt(void *data, const struct audio_cycle *cycle)
{
	struct engine *engine = data;
	const struct engine_plan *plan;

	engine->epoch = atomic_load_explicit(&engine->seam.epoch, memory_order_acquire);
	plan = atomic_load_explicit(&engine->seam.plan, memory_order_acquire);
	engine->plan = plan;
	engine->cycle_ns = cycle->now_ns;
	/* A cycle may have ended without its finish: libjack ends its thread wherever that is. */
	memset(engine->to_kick, 0, sizeof(engine->to_kick));
	count_gap_rt(engine, cycle);
	clock_update_rt(&engine->clock, cycle);
	for (unsigned i = 0; i < cycle->n_groups; i++) {
		struct dac *dac = cycle->groups[i]->owner;

		dac->group = cycle->groups[i];
		dac->in_plan = false;
		monitor_rt(cycle->groups[i], cycle->frames);
	}
	for (unsigned w = 0; w < plan->n_wires; w++) {
		if (plan->wires[w].ring) {
			wire_rt(engine, &plan->wires[w], cycle);
		}
	}
	for (unsigned i = 0; i < cycle->n_groups; i++) {
		struct dac *dac = cycle->groups[i]->owner;

		dac->group = NULL;
		if (!dac->in_plan) {
			dac_abort_rt(dac);
		}
	}
	seam_count_rt(&engine->seam.report.cycles, 1);
}

void engine_finish_rt(void *data)
{
	struct engine *engine = data;

	for (unsigned w = 0; w < engine->plan->n_wires; w++) {
		if (engine->to_kick[w]) {
			engine->to_kick[w] = false;
			kick_rt(engine, &engine->plan->wires[w]);
		}
	}
	atomic_store_explicit(&engine->seam.epoch_seen, engine->epoch, memory_order_release);
}
