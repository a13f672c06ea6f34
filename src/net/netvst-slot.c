#include "net/netvst-internal.h"

#include <errno.h>
#include <stdio.h>

#define READS_MAX 2   /* of 64 kB, each time that something has come */
#define BLOCKS_MAX 64 /* in a row, before others have their turn */
/*
 * Audio is 1.5 MB/s at 192 kHz, and the graph's pace holds up who sends more; but a block of one frame may come with a
 * thousand events. So nobody can send more than 8 MB/s, but for the first 128 ms of them.
 */
#define BYTE_NS 125
#define BURST_NS (128 * NSEC_PER_MSEC)
/* RT lets nobody wait so long; if it does, the DAW is not to hang with it. */
#define REPLY_MAX_NS NSEC_PER_SEC
/* Silence is sent as fast as it would be played, but for so much, which may be early. */
#define SILENCE_EARLY_NS (20 * NSEC_PER_MSEC)
#define SILENCE_RATE_HZ 48000
#define SLEEP_MAX_NS (10 * NSEC_PER_SEC)

void netvst_slot_fini(struct netvst_slot *slot)
{
	netvst_conn_fini(&slot->conn);
}

static void end_run(struct netvst_slot *slot)
{
	nvpipe_stop(slot->pipe);
	slot->run = 0;
}

void netvst_slot_open(struct netvst_slot *slot, int fd, const struct netvst_address *peer, int64_t now)
{
	if (netvst_task_open(&slot->task, fd, EPOLLIN) < 0) {
		return;
	}
	netvst_conn_begin(&slot->conn, NETVST_REQUEST, slot->server->conf.synth);
	end_run(slot);
	slot->stage = NETVST_SLOT_READ;
	slot->any = false;
	slot->inside = false;
	slot->begun_ns = now;
	slot->heard_ns = now;
	slot->unsent_ns = 0;
	slot->silence_ns = 0;
	slot->budget_ns = 0;
	slot->task.due_ns = now;
	slot->status->connected = true;
	slot->status->block_frames = 0;
	slot->status->block_max_frames = 0;
	slot->status->connects++;
	netvst_address_to_string(peer, slot->status->peer);
}

void netvst_slot_close(struct netvst_slot *slot)
{
	if (slot->task.fd < 0) {
		return;
	}
	netvst_task_close(&slot->task);
	end_run(slot);
	slot->status->connected = false;
	slot->status->peer[0] = '\0';
}

/* For so many in tx; 0: for a cycle. */
static void wait_for_frames(struct netvst_slot *slot, uint32_t want, int64_t now, int64_t *due)
{
	int64_t then = netvst_pace_due(&slot->pace, slot->pipe, want, now);

	*due = MIN(*due, then);
}

/* --- a block's way: read, put into the pipe, replied to --- */

static int reply(struct netvst_slot *slot, struct netvst_block *block)
{
	uint32_t frames = slot->block.frames;
	int r;

	block->frames = frames;
	block->has_audio = true;
	block->n_midi = 0;
	block->n_params = 0;
	r = netvst_conn_write(&slot->conn, NETVST_REPLY, block);
	slot->status->audio_bytes += (uint64_t)frames * NETVST_CHANNELS * sizeof(float);
	slot->stage = NETVST_SLOT_READ;
	return r;
}

static int reply_silence(struct netvst_slot *slot)
{
	struct netvst_block *block = &slot->task.io->block;

	for (unsigned k = 0; k < NETVST_CHANNELS; k++) {
		memset(block->audio[k], 0, slot->block.frames * sizeof(float));
	}
	return reply(slot, block);
}

/* Without an audio server: as fast as it would be played. 1: replied; 0: later; or -errno. */
static int put_nowhere(struct netvst_slot *slot, int64_t now, int64_t *due)
{
	uint32_t rate = atomic_load_explicit(&slot->pipe->rate_hz, memory_order_relaxed);
	int r;

	if (slot->run) {
		end_run(slot);
	}
	slot->silence_ns = MAX(slot->silence_ns, now - SILENCE_EARLY_NS);
	if (slot->silence_ns > now) {
		*due = MIN(*due, slot->silence_ns);
		return 0;
	}
	slot->silence_ns += slot->block.frames * NSEC_PER_SEC / (rate ? rate : SILENCE_RATE_HZ);
	r = reply_silence(slot);
	return r < 0 ? r : 1;
}

/* True: RT is in our run, which is meant for blocks like this one. */
static bool have_run(struct netvst_slot *slot, int64_t now)
{
	struct nvpipe *pipe = slot->pipe;

	if (slot->run && slot->block.frames > slot->run_block) {
		end_run(slot);
	}
	if (slot->run == 0) {
		uint32_t run = netvst_conn_new_run();

		if (nvpipe_is_parked(pipe)) {
			atomic_store_explicit(&pipe->peer_block, slot->block.frames, memory_order_relaxed);
			(void)nvpipe_start(pipe, run);
			slot->run = run;
			slot->run_block = slot->block.frames;
			slot->run_seen = false;
			slot->first = true;
			slot->run_ns = now;
		}
		return false;
	}
	if (nvpipe_is_running(pipe)) {
		slot->run_seen = true;
		return true;
	}
	if (netvst_conn_run_is_over(pipe, slot->run, slot->run_seen, slot->run_ns, now)) {
		end_run(slot);
	}
	return false;
}

static void put_midi(struct netvst_slot *slot)
{
	uint64_t begin = atomic_load_explicit(&slot->pipe->rx_head, memory_order_relaxed);

	for (unsigned i = 0; i < slot->block.n_midi; i++) {
		const struct netvst_midi *from = &slot->block.midi[i];
		struct nvpipe_midi midi = {.frame = begin + from->frame,
			.status = from->status,
			.data1 = from->data1,
			.data2 = from->data2};

		slot->status->midi_lost += !spsc_push(&slot->pipe->rx_midi, &midi);
	}
}

/* 1: it is in the pipe, or replied to; 0: later; or -errno. */
static int put(struct netvst_slot *slot, int64_t now, int64_t *due)
{
	const float *const audio[NVPIPE_CHANNELS] = {slot->block.audio[0], slot->block.audio[1]};
	struct nvpipe *pipe = slot->pipe;
	uint64_t head, tail;

	if (!netvst_pace_look(&slot->pace, pipe, now, slot->task.io->times.no_cycles_ns)) {
		return put_nowhere(slot, now, due);
	}
	if (!have_run(slot, now)) {
		wait_for_frames(slot, 0, now, due);
		return 0;
	}
	head = atomic_load_explicit(&pipe->rx_head, memory_order_relaxed);
	tail = atomic_load_explicit(&pipe->rx_tail, memory_order_acquire);
	if (head + slot->block.frames - tail > pipe->frames_max) {
		wait_for_frames(slot, 0, now, due);
		return 0;
	}
	/* RT must find them when it comes to their frames. */
	put_midi(slot);
	(void)nvpipe_put_rx(pipe, audio, slot->block.frames);
	slot->stage = NETVST_SLOT_REPLY;
	slot->waited = false;
	slot->put_ns = now;
	return 1;
}

/* 1: replied; 0: later; or -errno. */
static int reply_from_graph(struct netvst_slot *slot, int64_t now, int64_t *due)
{
	struct netvst_block *block = &slot->task.io->block;
	float *const audio[NVPIPE_CHANNELS] = {block->audio[0], block->audio[1]};
	uint32_t frames = slot->block.frames, have;
	int r;

	if (!netvst_pace_look(&slot->pace, slot->pipe, now, slot->task.io->times.no_cycles_ns) ||
		!nvpipe_is_running(slot->pipe) || now - slot->put_ns > REPLY_MAX_NS) {
		end_run(slot);
		r = reply_silence(slot);
		return r < 0 ? r : 1;
	}
	have = nvpipe_tx_frames(slot->pipe);
	if (have < frames) {
		slot->status->late_replies += !slot->waited && !slot->first;
		slot->waited = true;
		wait_for_frames(slot, frames, now, due);
		return 0;
	}
	nvpipe_take_tx(slot->pipe, audio, frames);
	slot->first = false;
	r = reply(slot, block);
	return r < 0 ? r : 1;
}

/* What was read so far. 1: a block; 0: not all of it; or -errno. */
static int read_block(struct netvst_slot *slot, int64_t now)
{
	int r = netvst_conn_next(&slot->conn, &slot->block);
	bool inside = r == 0 && netvst_parser_is_inside(&slot->conn.parser);

	if (inside && !slot->inside) {
		slot->begun_ns = now;
	}
	slot->inside = inside;
	if (r < 0) {
		slot->server->status.bad_peers++;
		netvst_server_say(slot->server, "%s: %s", slot->status->peer, slot->conn.parser.error);
		return r;
	}
	if (r == 0) {
		return 0;
	}
	if (slot->block.frames > NETVST_FRAMES_MAX) {
		slot->server->status.bad_peers++;
		netvst_server_say(
			slot->server, "%s: a block of more frames than can be answered", slot->status->peer);
		return -EPROTO;
	}
	slot->status->blocks++;
	slot->status->block_frames = slot->block.frames;
	slot->status->block_max_frames = MAX(slot->status->block_max_frames, slot->block.frames);
	slot->status->midi_received += slot->block.n_midi;
	if (slot->block.has_audio) {
		slot->status->audio_bytes += (uint64_t)slot->block.frames * NETVST_CHANNELS * sizeof(float);
	} else {
		for (unsigned k = 0; k < NETVST_CHANNELS; k++) {
			memset(slot->block.audio[k], 0, slot->block.frames * sizeof(float));
		}
	}
	slot->stage = NETVST_SLOT_PUT;
	return 1;
}

static bool may_read(struct netvst_slot *slot, int64_t now)
{
	return slot->budget_ns <= now;
}

/* 1: something came; 0: nothing; or -errno. */
static int fill(struct netvst_slot *slot, int64_t now, bool *ret_drained)
{
	int r = netvst_conn_fill(&slot->conn, ret_drained);

	if (r > 0) {
		slot->budget_ns = MAX(slot->budget_ns, now - BURST_NS) + (int64_t)r * BYTE_NS;
		slot->heard_ns = now;
		slot->any = true;
		return 1;
	}
	return r;
}

/* One stage on. 1: it went on; 0: it has to wait, *due says how long if not for the peer; or -errno. */
static int step(struct netvst_slot *slot, int64_t now, int64_t *due)
{
	switch (slot->stage) {
	case NETVST_SLOT_READ:
		return read_block(slot, now);
	case NETVST_SLOT_PUT:
		return put(slot, now, due);
	case NETVST_SLOT_REPLY:
		break;
	}
	return reply_from_graph(slot, now, due);
}

static int serve(struct netvst_slot *slot, int64_t now, int64_t *due)
{
	uint64_t last = slot->status->blocks + BLOCKS_MAX;
	bool drained = !(slot->task.ready & ~(uint32_t)EPOLLOUT);
	unsigned reads = 0;
	int r;

	for (;;) {
		/* Who does not take its replies has to wait with its requests. */
		if (netvst_conn_unsent(&slot->conn) > sizeof(slot->conn.out) / 2) {
			r = netvst_conn_flush(&slot->conn);
			if (r < 0 || netvst_conn_unsent(&slot->conn) > sizeof(slot->conn.out) / 2) {
				return r;
			}
		}
		if (slot->status->blocks >= last) {
			*due = now;
			return 0;
		}
		r = step(slot, now, due);
		if (r == 0 && slot->stage == NETVST_SLOT_READ && !drained && reads++ < READS_MAX &&
			may_read(slot, now)) {
			r = fill(slot, now, &drained);
		}
		if (r <= 0) {
			return r;
		}
	}
}

static int time_out(struct netvst_slot *slot, const char *text)
{
	slot->server->status.timeouts++;
	netvst_server_say(slot->server, "%s: %s", slot->status->peer, text);
	return -ETIMEDOUT;
}

static int check_times(struct netvst_slot *slot, int64_t now, int64_t *due)
{
	const struct netvst_times *times = &slot->task.io->times;

	if (netvst_conn_unsent(&slot->conn) == 0) {
		slot->unsent_ns = 0;
	} else if (slot->unsent_ns == 0) {
		slot->unsent_ns = now;
	}
	if (!slot->any) {
		if (now - slot->begun_ns >= times->first_byte_ns) {
			return time_out(slot, "it sent nothing");
		}
		*due = MIN(*due, slot->begun_ns + times->first_byte_ns);
	}
	if (slot->inside) {
		if (now - slot->begun_ns >= times->block_ns) {
			return time_out(slot, "it stood still in the middle of a block");
		}
		*due = MIN(*due, slot->begun_ns + times->block_ns);
	}
	if (slot->unsent_ns) {
		if (now - slot->unsent_ns >= times->write_ns) {
			return time_out(slot, "it did not take its replies");
		}
		*due = MIN(*due, slot->unsent_ns + times->write_ns);
	}
	return 0;
}

static int64_t run_slot(struct netvst_task *task, int64_t now)
{
	struct netvst_slot *slot = container_of(task, struct netvst_slot, task);
	int64_t due = now + SLEEP_MAX_NS;
	uint32_t events = 0;
	int r = 0;

	if (task->fd < 0) {
		return due;
	}
	/* Reset: whatever it still wanted, nobody would hear of it. */
	if (task->ready & (EPOLLERR | EPOLLHUP)) {
		r = -ECONNRESET;
	}
	if (r == 0) {
		r = netvst_conn_flush(&slot->conn);
	}
	if (r == 0 && netvst_conn_unsent(&slot->conn) == 0) {
		r = serve(slot, now, &due);
	}
	if (r == 0) {
		r = netvst_conn_flush(&slot->conn);
	}
	if (r == 0) {
		r = check_times(slot, now, &due);
	}
	if (r < 0) {
		netvst_slot_close(slot);
		return now + SLEEP_MAX_NS;
	}
	if (netvst_conn_unsent(&slot->conn) > 0) {
		events = EPOLLOUT;
	} else if (slot->stage == NETVST_SLOT_READ && may_read(slot, now)) {
		events = EPOLLIN;
	} else if (slot->stage == NETVST_SLOT_READ) {
		due = MIN(due, slot->budget_ns);
	}
	netvst_task_watch(task, events);
	return due;
}

int netvst_slot_init(struct netvst_slot *slot, struct netvst_server *server, struct nvpipe *pipe,
	struct netvst_slot_status *status)
{
	slot->server = server;
	slot->pipe = pipe;
	slot->status = status;
	slot->task.fd = -1;
	slot->task.run = run_slot;
	return netvst_conn_init(&slot->conn, &slot->task, server->conf.dialect, server->conf.codec);
}
