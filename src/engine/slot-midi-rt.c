#include "engine/slot-midi-rt.h"
#include "engine/insert-rt.h"

#define MIDI_FIRST 0x80
#define MIDI_SYSTEM 0xf0

static void put_rt(struct audio_insert *io, uint32_t frame, const uint8_t message[3])
{
	io->midi_out[io->n_midi_out++] = (struct audio_midi){
		.frame = frame, .status = message[0], .data1 = message[1], .data2 = message[2]};
}

void slot_midi_end_rt(struct insert *insert)
{
	insert->slot.ending = true;
}

/* As many as there is room for; the others in the next cycle. */
static void end_notes_rt(struct insert *insert, struct audio_insert *io)
{
	uint8_t message[3];

	while (io->n_midi_out < AUDIO_MIDI_MAX) {
		if (!notes_end_rt(&insert->notes, message)) {
			insert->slot.ending = false;
			return;
		}
		put_rt(io, 0, message);
	}
}

static bool take_event_rt(struct insert *insert)
{
	struct insert_slot *slot = &insert->slot;

	if (!slot->held) {
		slot->held = spsc_pop(&insert->pipe->rx_midi, &slot->event);
	}
	return slot->held && slot->event.frame < slot->read;
}

/* Where in this cycle the sample is that the event came with. */
static uint32_t place_rt(const struct insert_slot *slot, uint32_t frames)
{
	int64_t place = (int64_t)(slot->event.frame - slot->from);

	if (slot->moved != 0 && place >= (int64_t)slot->moved_at) {
		place = MAX(place - slot->moved, (int64_t)slot->moved_at);
	}
	return (uint32_t)CLAMP(place, 0, (int64_t)frames - 1);
}

void slot_midi_rt(struct insert *insert, const struct audio_cycle *cycle, struct audio_insert *io)
{
	struct insert_slot *slot = &insert->slot;
	uint32_t last = 0;

	if (slot->ending) {
		end_notes_rt(insert, io);
	}
	if (slot->state == SLOT_OFF) {
		return;
	}
	while (io->n_midi_out < AUDIO_MIDI_MAX && take_event_rt(insert)) {
		const struct nvpipe_midi *event = &slot->event;
		uint8_t message[3] = {event->status, event->data1, event->data2};

		slot->held = false;
		if (event->status < MIDI_FIRST || event->status >= MIDI_SYSTEM) {
			seam_count_rt(&insert->report.midi_lost, 1);
			continue;
		}
		last = MAX(last, place_rt(slot, cycle->frames));
		put_rt(io, last, message);
		notes_heard_rt(&insert->notes, event->status, event->data1, event->data2);
	}
}
