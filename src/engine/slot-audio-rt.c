#include "engine/slot-audio-rt.h"
#include "engine/insert-rt.h"

#include <string.h>

/* From the end of a correction to the next one, in lengths of its cross-fade. */
#define REST_FADES 3

void slot_audio_begin_rt(struct insert *insert)
{
	struct insert_slot *slot = &insert->slot;

	slot_audio_cut_rt(insert);
	/* A peer that is new hears nothing of the last one's. */
	slot->reply.level = 0;
	slot->reply.tail = 0;
}

void slot_audio_cut_rt(struct insert *insert)
{
	struct insert_slot *slot = &insert->slot;

	fade_cut_rt(&insert->fade);
	fade_cut_rt(&slot->reply);
	slot->forth.move = 0;
	slot->back.move = 0;
	slot->lag = 0;
	memset(slot->past, 0, sizeof(slot->past));
}

/* slot->tx has n frames. */
static bool write_rt(struct insert *insert, uint32_t n, bool open)
{
	struct insert_slot *slot = &insert->slot;
	float *audio[AUDIO_INSERT_CHANNELS];
	const float *sent[AUDIO_INSERT_CHANNELS];

	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		audio[k] = slot->tx[k];
		sent[k] = slot->tx[k];
	}
	fade_play_rt(&slot->reply, audio, n, open);
	slot->wrote += n;
	return nvpipe_write_tx_rt(insert->pipe, sent, n);
}

bool slot_silence_rt(struct insert *insert)
{
	struct insert_slot *slot = &insert->slot;

	while (slot->wrote < slot->read + slot->prefill) {
		uint64_t lacks = slot->read + slot->prefill - slot->wrote;

		if (!write_rt(insert, (uint32_t)MIN(lacks, (uint64_t)AUDIO_PERIOD_MAX), false)) {
			return false;
		}
	}
	return true;
}

void slot_audio_correct_rt(struct insert *insert, int wants, uint64_t standing)
{
	struct insert_slot *slot = &insert->slot;
	uint32_t length = slot->reply.length;

	if (slot->forth.move != 0 || slot->back.move != 0 || wants == 0 ||
		slot->rested < REST_FADES * length) {
		return;
	}
	/* What is to be left out must be there in all of this; what is to be repeated must have been there. */
	if (wants > 0 ? standing < slot->period + 2 * SHIFT_FRAMES : slot->read < SHIFT_FRAMES) {
		return;
	}
	slot->rested = 0;
	slot->forth = (struct shift){.move = wants * SHIFT_FRAMES, .length = length};
	slot->back = (struct shift){.move = -wants * SHIFT_FRAMES, .length = length};
	drift_corrected_rt(&slot->drift, wants * SHIFT_FRAMES);
	seam_count_rt(&insert->report.corrections, 1);
	seam_count_rt(
		wants > 0 ? &insert->report.dropped_frames : &insert->report.repeated_frames, SHIFT_FRAMES);
}

static void cross_forth_rt(struct insert *insert, uint32_t at, uint32_t n)
{
	const struct insert_slot *slot = &insert->slot;
	uint64_t other = slot->read + (uint64_t)(int64_t)slot->forth.move;

	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		for (uint32_t i = 0; i < n; i++) {
			insert->out[k][at + i] = shift_mix_rt(&slot->forth, i,
				nvpipe_rx_at_rt(insert->pipe, k, slot->read + i),
				nvpipe_rx_at_rt(insert->pipe, k, other + i));
		}
	}
}

void slot_audio_forth_rt(struct insert *insert, uint32_t n)
{
	struct insert_slot *slot = &insert->slot;
	float *rest[AUDIO_INSERT_CHANNELS];
	uint32_t crossed = 0;

	slot->from = slot->read;
	if (slot->forth.move != 0) {
		crossed = MIN(n, slot->forth.length - slot->forth.done);
		cross_forth_rt(insert, 0, crossed);
		slot->read += crossed;
		if (shift_advance_rt(&slot->forth, crossed)) {
			slot->moved = slot->forth.move;
			slot->moved_at = crossed;
			slot->read += (uint64_t)(int64_t)slot->forth.move;
			slot->forth.move = 0;
		}
	}
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		rest[k] = insert->out[k] + crossed;
	}
	nvpipe_read_rx_rt(insert->pipe, slot->read, n - crossed, rest);
	slot->read += n - crossed;
	slot->rested += n;
	insert_play_rt(insert, 0, n, true);
}

/* The graph's frames behind those of before. */
static void line_up_rt(struct insert *insert, const struct audio_insert *io, uint32_t n)
{
	struct insert_slot *slot = &insert->slot;
	const float *audio[AUDIO_INSERT_CHANNELS];

	insert_take_send_rt(insert, io, n, audio);
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		memcpy(slot->line[k], slot->past[k], sizeof(slot->past[k]));
		if (audio[k]) {
			memcpy(slot->line[k] + SLOT_PAST, audio[k], n * sizeof(float));
		} else {
			memset(slot->line[k] + SLOT_PAST, 0, n * sizeof(float));
		}
		memcpy(slot->past[k], slot->line[k] + n, sizeof(slot->past[k]));
	}
}

/*
 * The graph's frames cannot be looked at before they are there. To leave some out, tx gets as many less at first, and the cross-fade
 * leads from these late frames to those on time; to repeat some, it leads to late frames, and then all come.
 */
static uint32_t cross_back_rt(struct insert *insert, uint32_t *from, uint32_t end)
{
	struct insert_slot *slot = &insert->slot;
	struct shift *shift = &slot->back;
	uint32_t readable = shift->move > 0 ? end - MIN(end, *from + (uint32_t)shift->move) : end - *from;
	uint32_t n = MIN(readable, shift->length - shift->done);

	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		const float *before = slot->line[k] + *from;
		const float *after = before + shift->move;

		for (uint32_t i = 0; i < n; i++) {
			slot->tx[k][i] = shift_mix_rt(shift, i, before[i], after[i]);
		}
	}
	*from += n;
	if (shift_advance_rt(shift, n)) {
		*from = (uint32_t)((int32_t)*from + shift->move);
		shift->move = 0;
	}
	return n;
}

bool slot_audio_back_rt(struct insert *insert, const struct audio_insert *io, uint32_t n)
{
	struct insert_slot *slot = &insert->slot;
	uint32_t from = SLOT_PAST - slot->lag;
	uint32_t end = SLOT_PAST + n;
	uint32_t made = 0;

	line_up_rt(insert, io, n);
	if (slot->back.move != 0) {
		made = cross_back_rt(insert, &from, end);
	}
	if (slot->back.move == 0) {
		for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
			memcpy(slot->tx[k] + made, slot->line[k] + from, (end - from) * sizeof(float));
		}
		made += end - from;
		from = end;
	}
	slot->lag = end - from;
	return write_rt(insert, made, true);
}
