#include "engine/insert-rt.h"

#include <string.h>

#define MIDI_FIRST 0x80
#define MIDI_SYSTEM 0xf0

static void begin_run_rt(struct insert *insert)
{
	memset(&insert->notes, 0, sizeof(insert->notes));
	insert->client = (struct insert_client){.latency_frames = insert->client.latency_frames};
	insert_begin_rt(insert);
}

static bool push_midi_rt(struct insert *insert, const struct nvpipe_midi *event)
{
	if (event->status < MIDI_FIRST || event->status >= MIDI_SYSTEM ||
		!spsc_push(&insert->pipe->tx_midi, event)) {
		seam_count_rt(&insert->report.midi_lost, 1);
		return false;
	}
	notes_heard_rt(&insert->notes, event->status, event->data1, event->data2);
	return true;
}

/* While no time passed for the peer, notes may have ended here without its knowing. */
static void end_notes_rt(struct insert *insert)
{
	struct nvpipe_midi event = {.frame = insert->client.frame};
	uint8_t message[3];

	while (notes_end_rt(&insert->notes, message)) {
		event.status = message[0];
		event.data1 = message[1];
		event.data2 = message[2];
		if (!spsc_push(&insert->pipe->tx_midi, &event)) {
			break;
		}
	}
}

static void send_midi_rt(
	struct insert *insert, const struct audio_cycle *cycle, const struct audio_insert *io)
{
	for (unsigned i = 0; i < io->n_midi_in; i++) {
		const struct audio_midi *midi = &io->midi_in[i];
		struct nvpipe_midi event = {
			.frame = insert->client.frame + MIN(midi->frame, cycle->frames - 1),
			.status = midi->status,
			.data1 = midi->data1,
			.data2 = midi->data2};

		if (push_midi_rt(insert, &event)) {
			seam_count_rt(&insert->report.midi_in, 1);
		}
	}
}

/* MIDI first: whoever sees the samples sees the events that belong to them. */
static void send_rt(struct insert *insert, const struct audio_cycle *cycle, const struct audio_insert *io)
{
	const float *audio[AUDIO_INSERT_CHANNELS];

	send_midi_rt(insert, cycle, io);
	insert_take_send_rt(insert, io, cycle->frames, audio);
	if (!nvpipe_write_tx_rt(insert->pipe, audio, cycle->frames)) {
		insert->client.given_up = true;
		seam_count_rt(&insert->report.overruns, 1);
	}
}

static void count_late_rt(struct insert *insert, uint64_t number)
{
	struct insert_client *client = &insert->client;

	if (client->counted < number + 1) {
		client->counted = number + 1;
		seam_count_rt(&insert->report.late_blocks, 1);
	}
	if (!client->late) {
		client->late = true;
		seam_count_rt(&insert->report.late_episodes, 1);
	}
}

/*
 * Output frames from `at` on, of which the first is frame `frame` of what comes back: as many as lie in one block. A
 * block that was late for one cycle is used from the next one on: with long blocks and short periods that is
 * most of it, and its frames are still in their place.
 */
static uint32_t play_block_rt(struct insert *insert, uint64_t frame, uint32_t at, uint32_t n)
{
	struct nvpipe *pipe = insert->pipe;
	float *audio[AUDIO_INSERT_CHANNELS];
	uint64_t number = frame / pipe->block;
	uint32_t offset = (uint32_t)(frame % pipe->block);
	uint32_t part = MIN(n, pipe->block - offset);

	if (!nvpipe_block_ready_rt(pipe, number)) {
		count_late_rt(insert, number);
		insert_play_rt(insert, at, part, false);
		return part;
	}
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		audio[k] = insert->out[k] + at;
	}
	nvpipe_read_block_rt(pipe, number, offset, part, audio);
	insert->client.late = false;
	insert_play_rt(insert, at, part, true);
	return part;
}

static void play_rt(struct insert *insert, uint32_t frames)
{
	const struct insert_client *client = &insert->client;
	uint64_t first = client->from + client->latency_frames;
	uint32_t at = 0;

	if (client->frame < first) {
		at = (uint32_t)MIN(first - client->frame, (uint64_t)frames);
		insert_play_rt(insert, 0, at, false);
	}
	while (at < frames) {
		at += play_block_rt(insert, client->frame + at - client->latency_frames, at, frames - at);
	}
}

static void update_latency_rt(struct insert *insert)
{
	struct insert_client *client = &insert->client;
	uint32_t latency = atomic_load_explicit(&insert->latency_frames, memory_order_relaxed);

	if (latency != client->latency_frames) {
		client->latency_frames = latency;
		client->late = false;
		fade_cut_rt(&insert->fade);
		atomic_store_explicit(&insert->report.latency_frames, latency, memory_order_relaxed);
	}
}

/*
 * The least latency follows from where blocks end between cycles. A period that is another for good begins another run, with
 * blocks that begin where its cycles do; where periods vary by themselves that would be too often, and who chooses the
 * latency has to know of the grid that is left.
 */
static void look_at_period_rt(struct insert *insert, const struct audio_cycle *cycle)
{
	struct insert_client *client = &insert->client;
	uint32_t grid;

	if (cycle->frames == client->grid) {
		return;
	}
	grid = common_divisor(cycle->frames, client->grid);
	if (grid == client->grid && cycle->varying) {
		return;
	}
	if (client->grid != 0 && !cycle->varying) {
		client->given_up = true;
		nvpipe_give_up_rt(insert->pipe);
		return;
	}
	client->grid = grid;
	atomic_store_explicit(&insert->report.grid_frames, grid, memory_order_relaxed);
}

void client_process_rt(struct insert *insert, const struct audio_cycle *cycle, struct audio_insert *io)
{
	struct insert_client *client = &insert->client;
	bool is_new = false;
	uint32_t run = nvpipe_begin_rt(insert->pipe, cycle, &is_new);
	bool sends;

	if (run && is_new) {
		begin_run_rt(insert);
	}
	update_latency_rt(insert);
	if (run && cycle->freewheel) {
		/* What was on its way is of another time when real time goes on. */
		client->frozen = true;
		client->from = client->frame;
	}
	if (run && !client->given_up) {
		look_at_period_rt(insert, cycle);
	}
	sends = run && !client->given_up && !cycle->freewheel;
	if (sends) {
		if (client->frozen) {
			client->frozen = false;
			end_notes_rt(insert);
		}
		send_rt(insert, cycle, io);
	}
	if (sends && !client->given_up && client->latency_frames > 0) {
		play_rt(insert, cycle->frames);
	} else {
		client->late = false;
		insert_play_rt(insert, 0, cycle->frames, false);
	}
	if (sends) {
		client->frame += cycle->frames;
	}
}
