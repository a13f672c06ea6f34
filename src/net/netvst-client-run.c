#include "net/netvst-internal.h"

#include <errno.h>

/* How much of the past is let go unanswered while nobody has said what is useful. */
#define UNKNOWN_LATENCY_NS (100 * NSEC_PER_MSEC)
#define LIMIT_MIN 4
#define LIMIT_SPARE 3
#define READS_MAX 4 /* of 64 kB, each time that something has come */
#define SLEEP_MAX_NS (100 * NSEC_PER_MSEC)
#define CONTROLLER 0xb0
#define SUSTAIN 64
#define CHANNEL_MODE 120 /* from here on it is no controller, but a message to the channel as a whole */
#define ALL_NOTES_OFF 123
#define MIDI_CHANNELS 16
#define DATA_MAX 127.0F
#define HEAD_BYTES 32 /* all of a block but samples and events */
#define EVENT_BYTES 8

void netvst_client_begin(struct netvst_client *c)
{
	netvst_conn_begin(&c->conn, NETVST_REPLY, false);
	hist_clear_rt(&c->rtt);
	c->replies = 0;
	c->status.round_trips = 0;
	c->sent_head = 0;
	c->sent_tail = 0;
	c->carry.n = 0;
	c->n_params = 0;
	nvpipe_stop(c->pipe);
	c->run = 0;
}

static uint32_t outstanding(const struct netvst_client *c)
{
	return c->sent_head - c->sent_tail;
}

static struct netvst_sent *sent_at(struct netvst_client *c, uint32_t i)
{
	return &c->sent[i % NETVST_SENT_MAX];
}

/* --- the run --- */

static void give_up_run(struct netvst_client *c)
{
	/* Notes may have lost their ends; those that a pedal holds end with it only. */
	for (uint8_t i = 0; i < MIDI_CHANNELS && c->status.midi_sent > 0; i++) {
		if (!c->conf.cc_params) {
			netvst_carry_add(&c->carry, CONTROLLER | i, SUSTAIN, 0);
		}
		netvst_carry_add(&c->carry, CONTROLLER | i, ALL_NOTES_OFF, 0);
	}
	nvpipe_stop(c->pipe);
	c->run = 0;
}

static void ask_for_run(struct netvst_client *c, int64_t now)
{
	uint32_t run = netvst_conn_new_run();

	if (!nvpipe_start(c->pipe, run)) {
		return;
	}
	c->run = run;
	c->run_seen = false;
	c->run_ns = now;
	c->next_block = 0;
	c->mark = (struct nvpipe_mark){0};
	c->have_next_mark = false;
	c->have_midi = false;
}

/* True: RT is in our run. */
static bool have_run(struct netvst_client *c, int64_t now)
{
	if (c->run == 0) {
		ask_for_run(c, now);
		return false;
	}
	if (nvpipe_is_running(c->pipe)) {
		c->run_seen = true;
		return true;
	}
	if (netvst_conn_run_is_over(c->pipe, c->run, c->run_seen, c->run_ns, now)) {
		give_up_run(c);
	}
	return false;
}

/* --- what is sent --- */

/* The mark of the cycle that this frame came in. */
static const struct nvpipe_mark *pass_marks(struct netvst_client *c, uint64_t frame)
{
	for (;;) {
		if (!c->have_next_mark) {
			c->have_next_mark = spsc_pop(&c->pipe->marks, &c->next_mark);
		}
		if (!c->have_next_mark || c->next_mark.frame > frame) {
			return &c->mark;
		}
		c->mark = c->next_mark;
		c->have_next_mark = false;
	}
}

/* The next event of RT's before this frame of the run. */
static bool peek_midi(struct netvst_client *c, uint64_t end)
{
	if (!c->have_midi) {
		c->have_midi = spsc_pop(&c->pipe->tx_midi, &c->midi);
	}
	return c->have_midi && c->midi.frame < end;
}

/* False: no room. */
static bool add_event(
	const struct netvst_client *c, struct netvst_block *block, const struct netvst_midi *midi)
{
	if (c->conf.cc_params && (midi->status & 0xf0) == CONTROLLER && midi->data1 < CHANNEL_MODE) {
		if (block->n_params == NETVST_PARAMS_MAX) {
			return false;
		}
		block->params[block->n_params++] = (struct netvst_param){
			.effect = midi->status & 0x0f, .param = midi->data1, .value = midi->data2 / DATA_MAX};
		return true;
	}
	if (block->n_midi == NETVST_MIDI_MAX) {
		return false;
	}
	block->midi[block->n_midi++] = *midi;
	return true;
}

/* What there is no room for goes with the next block, at its start. */
static void add_events(struct netvst_client *c, struct netvst_block *block, uint64_t begin)
{
	block->n_midi = 0;
	block->n_params = c->n_params;
	memcpy(block->params, c->params, c->n_params * sizeof(c->params[0]));
	c->n_params = 0;
	for (unsigned i = 0; i < c->carry.n; i++) {
		(void)add_event(c, block, &c->carry.midi[i]);
	}
	c->carry.n = 0;
	while (peek_midi(c, begin + block->frames)) {
		struct netvst_midi midi = {.frame = (uint32_t)(MAX(c->midi.frame, begin) - begin),
			.status = c->midi.status,
			.data1 = c->midi.data1,
			.data2 = c->midi.data2};

		if (!add_event(c, block, &midi)) {
			break;
		}
		c->have_midi = false;
	}
}

static void skip_block(struct netvst_client *c, uint64_t end)
{
	while (peek_midi(c, end)) {
		netvst_carry_add(&c->carry, c->midi.status, c->midi.data1, c->midi.data2);
		c->have_midi = false;
	}
	c->status.blocks_skipped++;
}

/* Blocks in so many frames, and some more. */
static uint32_t outstanding_max(const struct netvst_client *c)
{
	uint32_t rate = atomic_load_explicit(&c->pipe->rate_hz, memory_order_relaxed);
	uint64_t frames = c->latency_frames;
	uint64_t blocks;

	if (frames == 0) {
		frames = (uint64_t)UNKNOWN_LATENCY_NS * rate / NSEC_PER_SEC;
	}
	blocks = (frames + c->pipe->block - 1) / c->pipe->block + LIMIT_SPARE;
	return (uint32_t)CLAMP(blocks, LIMIT_MIN, MIN(NETVST_SENT_MAX, c->pipe->n_blocks));
}

static bool is_full(const struct netvst_client *c)
{
	size_t most = HEAD_BYTES + (NETVST_MIDI_MAX + NETVST_PARAMS_MAX) * EVENT_BYTES +
		      (size_t)c->pipe->block * NETVST_CHANNELS * sizeof(float);

	return outstanding(c) >= outstanding_max(c) ||
	       netvst_conn_unsent(&c->conn) + most > sizeof(c->conn.out);
}

static int send_block(struct netvst_client *c, struct netvst_block *block, int64_t born_ns, int64_t now)
{
	int r = netvst_conn_write(&c->conn, NETVST_REQUEST, block);

	if (r < 0) {
		netvst_client_say(c, "sending: %s", netvst_errno_text(r));
		return r;
	}
	*sent_at(c, c->sent_head++) = (struct netvst_sent){
		.number = c->next_block, .run = c->run, .born_ns = born_ns, .sent_ns = now};
	c->status.blocks_sent++;
	c->status.midi_sent += block->n_midi;
	c->status.params_sent += block->n_params;
	if (block->has_audio) {
		c->status.audio_bytes += (uint64_t)block->frames * NETVST_CHANNELS * sizeof(float);
	}
	return 0;
}

static int send_blocks(struct netvst_client *c, int64_t now)
{
	struct netvst_block *block = &c->task.io->block;
	float *const audio[NVPIPE_CHANNELS] = {block->audio[0], block->audio[1]};
	uint32_t frames = c->pipe->block;
	int r = 0;

	while (r == 0 && nvpipe_tx_frames(c->pipe) >= frames) {
		uint64_t begin = c->next_block * frames;
		const struct nvpipe_mark *mark = pass_marks(c, begin);

		block->timestamp = mark->song_frame + (mark->rolling ? (uint32_t)(begin - mark->frame) : 0);
		mark = pass_marks(c, begin + frames - 1);
		nvpipe_take_tx(c->pipe, audio, frames);
		if (is_full(c)) {
			skip_block(c, begin + frames);
		} else {
			block->frames = frames;
			block->has_audio = !c->conf.synth;
			add_events(c, block, begin);
			r = send_block(c, block, mark->now_ns, now);
		}
		c->next_block++;
	}
	return r;
}

/* --- what comes back --- */

static void take_reply(struct netvst_client *c, const struct netvst_block *block)
{
	const float *const audio[NVPIPE_CHANNELS] = {block->audio[0], block->audio[1]};
	const struct netvst_sent *sent = sent_at(c, c->sent_tail++);

	c->replies++;
	c->status.blocks_received++;
	c->status.audio_bytes += (uint64_t)block->frames * NETVST_CHANNELS * sizeof(float);
	if (sent->run != c->run || !nvpipe_is_running(c->pipe)) {
		return;
	}
	nvpipe_put_block(c->pipe, sent->number, audio);
	hist_add_rt(&c->rtt, now_ns() - sent->born_ns);
	c->status.round_trips++;
}

static int say_lost(struct netvst_client *c, int r)
{
	if (r != -ENODATA) {
		netvst_client_say(c, "%s", netvst_errno_text(r));
	} else if (netvst_parser_is_inside(&c->conn.parser)) {
		netvst_client_say(c, "the server closed the connection in the middle of a block");
	} else if (c->replies == 0) {
		netvst_client_say(c, "the server closed the connection without an answer: it may be in use");
	} else {
		netvst_client_say(c, "the server closed the connection");
	}
	return r;
}

static int receive(struct netvst_client *c)
{
	struct netvst_block *block = &c->task.io->block;
	bool drained = false;

	for (unsigned reads = 0;;) {
		int r;

		netvst_parser_expect(&c->conn.parser, outstanding(c) > 0 ? c->pipe->block : 0);
		r = netvst_conn_next(&c->conn, block);
		if (r > 0) {
			take_reply(c, block);
			continue;
		}
		if (r < 0) {
			netvst_client_say(
				c, "the answer is not NetVST as it is set here: %s", c->conn.parser.error);
			return r;
		}
		if (drained || reads++ == READS_MAX) {
			return 0;
		}
		r = netvst_conn_fill(&c->conn, &drained);
		if (r < 0) {
			return say_lost(c, r);
		}
		if (r == 0) {
			return 0;
		}
	}
}

static int check_silence(struct netvst_client *c, int64_t now, int64_t *due)
{
	int64_t end;

	if (outstanding(c) == 0) {
		return 0;
	}
	end = sent_at(c, c->sent_tail)->sent_ns + c->task.io->times.reply_ns;
	if (now >= end) {
		netvst_client_say(c, "no answer for %g s", (double)c->task.io->times.reply_ns / NSEC_PER_SEC);
		return -ETIMEDOUT;
	}
	*due = MIN(*due, end);
	return 0;
}

int netvst_client_serve(struct netvst_client *c, int64_t now, int64_t *ret_due_ns)
{
	uint32_t want = 0;
	int64_t due;
	int r = 0;

	if (c->task.ready & ~(uint32_t)EPOLLOUT) {
		r = receive(c);
	}
	if (r == 0 && have_run(c, now)) {
		r = send_blocks(c, now);
		want = c->pipe->block;
	}
	if (r == 0) {
		r = netvst_conn_flush(&c->conn);
		if (r < 0) {
			netvst_client_say(c, "%s", netvst_errno_text(r));
		}
	}
	if (r < 0) {
		return r;
	}
	netvst_task_watch(&c->task, EPOLLIN | (netvst_conn_unsent(&c->conn) > 0 ? EPOLLOUT : 0U));
	due = netvst_pace_due(&c->pace, c->pipe, want, now);
	due = MIN(due, now + SLEEP_MAX_NS);
	r = check_silence(c, now, &due);
	*ret_due_ns = due;
	return r;
}
