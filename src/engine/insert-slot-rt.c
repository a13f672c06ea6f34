#include "engine/insert-slot-rt.h"
#include "engine/insert-rt.h"
#include "engine/slot-audio-rt.h"
#include "engine/slot-midi-rt.h"

#include <string.h>

/* Blocks are looked at for so long before the first one is heard; longer where they come in large bursts. */
#define SETTLE_NS (50 * NSEC_PER_MSEC)
#define SETTLE_MAX_NS (800 * NSEC_PER_MSEC)
/* Without anything else said: frames a thousand of the rate. */
#define MARGIN_DEFAULT_MS 2
/* A peer that outruns the graph so soon after a resync does not keep time; it has to wait for its replies. */
#define UNPACED_NS (1 * NSEC_PER_SEC)
#define UNPACED_END_NS (5 * NSEC_PER_SEC)
/* The prefill grows by this much at most for what comes in bursts. */
#define GROWN_MAX_FRAMES 8192
/* Times in UNPACED_NS that it grows: each time by half, so that is enough. */
#define GROWTHS_MAX 4

/* Frames since the run began. */
static double frames_at_rt(const struct insert *insert, int64_t at_ns)
{
	return (double)(at_ns - insert->slot.began_ns) * 1e-9 * insert->rate_hz;
}

static uint32_t margin_rt(const struct insert *insert)
{
	uint32_t margin = atomic_load_explicit(&insert->latency_frames, memory_order_relaxed);

	margin = margin > 0 ? margin : insert->rate_hz / 1000 * MARGIN_DEFAULT_MS;
	return MIN(margin, insert->pipe->frames_max / 8);
}

/*
 * What stands in rx at most: a block, and a period that has not been taken yet; the slack, which may be half as much again
 * as the margin; and as much for blocks that come early.
 */
static uint32_t prefill_wanted_rt(const struct insert_slot *slot)
{
	return slot->block + slot->period + slot->margin * 5 / 2 + slot->grown;
}

static void end_rt(struct insert *insert)
{
	struct insert_slot *slot = &insert->slot;

	slot->state = SLOT_OFF;
	slot->held = false;
	slot_midi_end_rt(insert);
	atomic_store_explicit(&insert->report.fill_frames, 0, memory_order_relaxed);
}

static void give_up_rt(struct insert *insert)
{
	seam_count_rt(&insert->report.overruns, 1);
	end_rt(insert);
}

/* Zeros into tx until it is a prefill ahead of rx again. */
static void fill_reply_rt(struct insert *insert)
{
	if (!slot_silence_rt(insert)) {
		give_up_rt(insert);
	}
}

static void begin_rt(struct insert *insert, const struct audio_cycle *cycle)
{
	struct insert_slot *slot = &insert->slot;
	uint32_t block = atomic_load_explicit(&insert->pipe->peer_block, memory_order_relaxed);

	insert_begin_rt(insert);
	slot->state = SLOT_PRIMING;
	slot->read = 0;
	slot->wrote = 0;
	slot->block = MIN(block, (uint32_t)AUDIO_PERIOD_MAX);
	slot->period = cycle->frames;
	slot->margin = margin_rt(insert);
	slot->grown = 0;
	slot->growths = 0;
	slot->grown_ns = 0;
	slot->began_ns = slot->now_ns;
	slot->first_ns = 0;
	slot->settle_ns = SETTLE_NS;
	slot->aged = false;
	slot->jumped_ns = 0;
	slot->unpaced_ns = 0;
	slot->held = false;
	slot->prefill = prefill_wanted_rt(slot);
	slot_audio_begin_rt(insert);
	drift_init_rt(&slot->drift);
	fill_reply_rt(insert);
}

/* forget: blocks have stopped coming, or come at other times than before. */
static void resync_rt(struct insert *insert, bool forget)
{
	struct insert_slot *slot = &insert->slot;

	if (slot->state == SLOT_PLAYING) {
		seam_count_rt(&insert->report.resyncs, 1);
	}
	slot->state = SLOT_PRIMING;
	slot_audio_cut_rt(insert);
	if (forget) {
		slot->first_ns = 0;
		slot->aged = false;
		drift_forget_rt(&slot->drift);
	}
}

static void hear_arrivals_rt(struct insert *insert)
{
	struct insert_slot *slot = &insert->slot;
	struct nvpipe_arrival arrival;

	for (unsigned i = 0; i < NVPIPE_ARRIVALS_MAX && spsc_pop(&insert->pipe->arrivals, &arrival); i++) {
		if (slot->first_ns == 0) {
			slot->first_ns = arrival.now_ns;
		}
		slot->block = CLAMP(arrival.frames, slot->block, (uint32_t)AUDIO_PERIOD_MAX);
		drift_arrival_rt(&slot->drift, (double)arrival.frame - frames_at_rt(insert, arrival.now_ns));
	}
}

/* Longer periods, longer blocks, another margin. */
static void adapt_rt(struct insert *insert, const struct audio_cycle *cycle)
{
	struct insert_slot *slot = &insert->slot;
	uint32_t margin = margin_rt(insert);

	slot->period = MAX(slot->period, cycle->frames);
	if (margin != slot->margin) {
		slot->margin = margin;
		if (slot->state == SLOT_PLAYING) {
			resync_rt(insert, false);
		}
	}
	if (prefill_wanted_rt(slot) > slot->prefill) {
		if (slot->state == SLOT_PLAYING) {
			seam_count_rt(&insert->report.resyncs, 1);
		}
		slot->prefill = prefill_wanted_rt(slot);
		fill_reply_rt(insert);
	}
}

/* Where reading would have to be for the slack to be the margin. */
static double read_wanted_rt(const struct insert *insert, const struct audio_cycle *cycle)
{
	const struct insert_slot *slot = &insert->slot;

	return drift_arrival_line_rt(&slot->drift) + frames_at_rt(insert, insert->slot.now_ns) -
	       slot->margin - cycle->frames;
}

static void open_rt(struct insert_slot *slot)
{
	slot->settle_ns = SETTLE_NS;
	slot->state = SLOT_PLAYING;
	slot->rested = 0;
	slot->least = UINT32_MAX;
	drift_jump_rt(&slot->drift);
}

/* A block waits for its reply because tx has too little. ret_lacks: so much. */
static bool is_reply_late_rt(const struct insert *insert, uint64_t head, uint32_t *ret_lacks)
{
	const struct insert_slot *slot = &insert->slot;
	uint64_t tail = atomic_load_explicit(&insert->pipe->tx_tail, memory_order_acquire);
	uint64_t block = head > tail ? MIN(head - tail, (uint64_t)slot->block) : 0;
	uint64_t standing = slot->wrote - tail;

	*ret_lacks = standing < block ? (uint32_t)(block - standing) : 0;
	return standing < block;
}

/* Blocks come in bursts, and tx has to hold more. adapt_rt() sees to it in the next cycle. */
static void grow_rt(struct insert *insert, uint32_t lacks)
{
	struct insert_slot *slot = &insert->slot;

	if (slot->now_ns - slot->grown_ns > UNPACED_NS) {
		slot->grown_ns = slot->now_ns;
		slot->growths = 0;
	}
	if (slot->growths == GROWTHS_MAX || slot->grown >= GROWN_MAX_FRAMES) {
		slot->unpaced_ns = slot->now_ns;
		return;
	}
	slot->growths++;
	slot->grown += MAX(lacks, (uint32_t)slot->prefill / 2);
}

/*
 * A late reply while it plays: either cycles were lost, and what should be in tx stands in rx; or blocks come in bursts; or
 * the peer is faster than time itself, as when it renders to a file, and nothing helps but to let it wait.
 */
static void look_at_replies_rt(struct insert *insert, const struct audio_cycle *cycle, uint64_t head)
{
	struct insert_slot *slot = &insert->slot;
	uint32_t lacks;

	if (slot->unpaced_ns != 0 && slot->now_ns - slot->unpaced_ns > UNPACED_END_NS) {
		slot->unpaced_ns = 0;
	}
	if (!clock_settled_rt(&slot->clock) || !is_reply_late_rt(insert, head, &lacks)) {
		return;
	}
	if (slot->unpaced_ns != 0) {
		slot->unpaced_ns = slot->now_ns;
	} else if (read_wanted_rt(insert, cycle) - (double)slot->read <=
		   slot->margin / 2.0 + DRIFT_BAND_FRAMES) {
		grow_rt(insert, lacks);
	} else if (slot->jumped_ns != 0 && slot->now_ns - slot->jumped_ns < UNPACED_NS) {
		slot->unpaced_ns = slot->now_ns;
	} else {
		slot->jumped_ns = slot->now_ns;
		resync_rt(insert, false);
	}
}

/* After a stall the first blocks come late, and many at once. What counts in the end is how they come then. */
static bool settled_rt(struct insert_slot *slot)
{
	int64_t looked_ns = slot->now_ns - slot->first_ns;

	if (!slot->aged && looked_ns >= slot->settle_ns / 2) {
		slot->aged = true;
		drift_age_rt(&slot->drift);
	}
	return slot->aged && looked_ns >= slot->settle_ns && drift_settle_rt(&slot->drift) &&
	       clock_settled_rt(&slot->clock);
}

/* As if it played, but nobody hears it; until blocks stand as they should. Then it plays from this cycle on. */
static void prime_rt(struct insert *insert, const struct audio_cycle *cycle, uint64_t head)
{
	struct insert_slot *slot = &insert->slot;
	double wanted;
	bool opens;

	if (!drift_has_arrivals_rt(&slot->drift)) {
		return;
	}
	opens = settled_rt(slot) && !cycle->freewheel;
	wanted = read_wanted_rt(insert, cycle);
	if (wanted + cycle->frames > (double)head) {
		/* They do not come any more, or not for a while. */
		slot->settle_ns = MIN(2 * slot->settle_ns, SETTLE_MAX_NS);
		resync_rt(insert, true);
		return;
	}
	opens = opens && wanted + slot->margin / 2.0 >= (double)slot->read;
	if (!opens) {
		wanted += cycle->frames;
	}
	if (wanted > (double)slot->read) {
		slot->read = (uint64_t)wanted;
		fill_reply_rt(insert);
	}
	if (opens && slot->state != SLOT_OFF) {
		open_rt(slot);
	}
}

/* A peer that waits for a reply sends no blocks to go by: time has to go on without. */
static void unblock_rt(struct insert *insert, const struct audio_cycle *cycle, uint64_t head)
{
	struct insert_slot *slot = &insert->slot;
	uint32_t lacks;

	if (is_reply_late_rt(insert, head, &lacks)) {
		slot->read += MIN(cycle->frames, head - slot->read);
		fill_reply_rt(insert);
	}
}

static void play_rt(
	struct insert *insert, const struct audio_cycle *cycle, const struct audio_insert *io, uint64_t head)
{
	struct insert_slot *slot = &insert->slot;
	double line = (double)(slot->read + cycle->frames) - frames_at_rt(insert, insert->slot.now_ns);
	int wants;

	if (slot->clock.lost_ns != 0) {
		drift_jump_rt(&slot->drift);
	}
	if (clock_settled_rt(&slot->clock) &&
		drift_cycle_rt(&slot->drift, line, cycle->frames, cycle->rate_hz, slot->margin)) {
		atomic_store_explicit(&insert->report.fill_frames, slot->least, memory_order_relaxed);
		slot->least = UINT32_MAX;
	}
	wants = slot->unpaced_ns == 0 ? drift_wants_rt(&slot->drift, cycle->rate_hz) : 0;
	slot_audio_correct_rt(insert, wants, head - slot->read);
	slot_audio_forth_rt(insert, cycle->frames);
	if (!slot_audio_back_rt(insert, io, cycle->frames)) {
		give_up_rt(insert);
		return;
	}
	slot->least = (uint32_t)MIN(head - slot->read, (uint64_t)slot->least);
}

/* True: this cycle's output is there. */
static bool run_rt(struct insert *insert, const struct audio_cycle *cycle, const struct audio_insert *io)
{
	struct insert_slot *slot = &insert->slot;
	uint64_t head;
	bool played = false;

	hear_arrivals_rt(insert);
	adapt_rt(insert, cycle);
	head = atomic_load_explicit(&insert->pipe->rx_head, memory_order_acquire);
	if (slot->state == SLOT_PLAYING) {
		look_at_replies_rt(insert, cycle, head);
	}
	if (slot->state == SLOT_PLAYING &&
		(cycle->freewheel || head - slot->read < cycle->frames + SHIFT_FRAMES)) {
		resync_rt(insert, true);
	}
	if (slot->state == SLOT_PRIMING) {
		prime_rt(insert, cycle, head);
	}
	if (slot->state == SLOT_PRIMING) {
		unblock_rt(insert, cycle, head);
	}
	if (slot->state == SLOT_PLAYING) {
		play_rt(insert, cycle, io, head);
		played = true;
	}
	/* A few frames stay readable: they may have to be repeated. */
	nvpipe_release_rx_rt(insert->pipe, slot->read > SHIFT_FRAMES ? slot->read - SHIFT_FRAMES : 0);
	return played;
}

void slot_process_rt(struct insert *insert, const struct audio_cycle *cycle, struct audio_insert *io)
{
	struct insert_slot *slot = &insert->slot;
	bool is_new = false;
	uint32_t run = nvpipe_begin_rt(insert->pipe, cycle, &is_new);

	clock_update_rt(&slot->clock, cycle);
	slot->now_ns = cycle->now_ns - slot->clock.late_ns;
	fade_set_rate_rt(&slot->reply, cycle->rate_hz);
	atomic_store_explicit(&insert->report.latency_frames, margin_rt(insert), memory_order_relaxed);
	if (is_new && slot->state != SLOT_OFF) {
		end_rt(insert);
	}
	if (run && is_new) {
		begin_rt(insert, cycle);
	}
	slot->moved = 0;
	if (slot->state == SLOT_OFF || !run_rt(insert, cycle, io)) {
		slot->from = slot->read;
		insert_play_rt(insert, 0, cycle->frames, false);
	}
	slot_midi_rt(insert, cycle, io);
}
