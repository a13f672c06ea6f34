#include "emu/box-internal.h"

#include <limits.h>
#include <string.h>

void box_mark(struct box *b)
{
	b->queue_min = -1;
	b->queue_max = -1;
	b->queue_min_pending = INT_MAX;
}

void box_queue_make(struct box *b, unsigned depth)
{
	b->depth = depth;
	b->queue_head = 0;
	b->queue_count = 0;
}

void box_queue_put(struct box *b, const uint8_t *audio)
{
	unsigned at = (b->queue_head + b->queue_count) % b->depth;

	memcpy(b->queue[at], audio, ETHLINK_AUDIO_LEN);
	b->queue_count++;
	b->out.queued = true;
	if (b->queue_min_pending != INT_MAX) {
		b->queue_min =
			b->queue_min < 0 ? b->queue_min_pending : MIN(b->queue_min, b->queue_min_pending);
		b->queue_min_pending = INT_MAX;
	}
	b->queue_max = MAX(b->queue_max, (int)b->queue_count);
}

void box_output_start(struct box *b)
{
	struct box_output *o = &b->out;
	double hz, step;

	o->rate_hz = b->rate_hz ? b->rate_hz : BOX_FALLBACK_RATE_HZ;
	hz = o->rate_hz * (1.0 + b->cfg.ppm * 1e-6);
	step = ETHLINK_BLOCK_FRAMES * 1e9 / hz;
	o->step_ns = (int64_t)step;
	o->step_frac = (uint32_t)((step - (double)o->step_ns) * 0x1p32);
	o->next_ns = b->now_ns + o->step_ns;
	o->next_frac = o->step_frac;
	o->running = true;
	o->queued = false;
	o->audio = false;
	b->counts.zero_blocks_after_audio = 0;
	pattern_check_silence(&b->pattern);
	b->gap_count = 0;
	box_mark(b);
}

void box_output_stop(struct box *b)
{
	b->out.running = false;
}

static bool is_nonzero(const uint8_t *audio)
{
	for (unsigned i = 0; i < ETHLINK_AUDIO_LEN; i += 8) {
		uint64_t v;

		memcpy(&v, audio + i, sizeof(v));
		if (v) {
			return true;
		}
	}
	return false;
}

static void count_gap(struct box *b)
{
	b->gaps[(b->gap_head + b->gap_count) % BOX_GAPS] = b->out.turn;
	if (b->gap_count < BOX_GAPS) {
		b->gap_count++;
	} else {
		b->gap_head = (b->gap_head + 1) % BOX_GAPS;
	}
}

/* Audio goes on: what was empty within the second before it was a hole in it. */
static void close_gaps(struct box *b)
{
	uint32_t second = b->out.rate_hz / ETHLINK_BLOCK_FRAMES;

	for (; b->gap_count > 0; b->gap_count--) {
		if (b->out.turn - b->gaps[b->gap_head] <= second) {
			b->counts.zero_blocks_mid_audio++;
		}
		b->gap_head = (b->gap_head + 1) % BOX_GAPS;
	}
}

static void play_zeros(struct box *b)
{
	if (!b->out.queued) {
		return;
	}
	b->counts.zero_blocks++;
	if (b->out.audio) {
		b->counts.zero_blocks_after_audio++;
		count_gap(b);
	}
}

static void play_audio(struct box *b)
{
	struct box_output *o = &b->out;

	if (!o->audio || o->turn - o->last_audio_turn > o->rate_hz / ETHLINK_BLOCK_FRAMES) {
		/* The block is out of the queue already, but was in it at the fade point. */
		box_mark(b);
		b->queue_min_pending = (int)b->queue_count + 1;
		b->queue_max = (int)b->queue_count + 1;
	}
	if (b->gap_count > 0) {
		close_gaps(b);
	}
	o->audio = true;
	o->last_audio_turn = o->turn;
	if (b->cfg.check_counter) {
		pattern_check_block(&b->pattern, b->queue[(b->queue_head + b->depth - 1) % b->depth]);
	}
}

static void step(struct box_output *o)
{
	uint64_t frac = (uint64_t)o->next_frac + o->step_frac;

	o->next_ns += o->step_ns + (int64_t)(frac >> 32);
	o->next_frac = (uint32_t)frac;
}

void box_output_turn(struct box *b)
{
	struct box_block block = {.rate_hz = b->out.rate_hz, .gain = b->gain};

	if (b->out.queued) {
		b->queue_min_pending = MIN(b->queue_min_pending, (int)b->queue_count);
	}
	if (b->queue_count > 0) {
		block.audio = b->queue[b->queue_head];
		block.nonzero = is_nonzero(block.audio);
		b->queue_head = (b->queue_head + 1) % b->depth;
		b->queue_count--;
		b->counts.blocks_played++;
		if (block.nonzero) {
			play_audio(b);
		}
	} else {
		play_zeros(b);
	}
	if (!block.nonzero) {
		pattern_check_silence(&b->pattern);
	}
	if (b->hooks.play) {
		b->hooks.play(b->hooks.user, b->now_ns, &block);
	}
	b->out.turn++;
	step(&b->out);
}
