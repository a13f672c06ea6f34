#include "sim/signals.h"
#include "emu/pattern.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

void play_pattern(struct sim *sim, struct sim_box *sb, uint32_t frames)
{
	struct pattern_source *src = sim->user;
	uint64_t *next = &src->per_box[sb - sim->boxes];
	uint32_t silent = src->playing ? MIN(src->silent, frames) : frames;

	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		for (uint32_t i = 0; i < frames; i++) {
			sb->in[k][i] = i < silent ? 0.0f : pattern_float(*next + 1 + i - silent, k);
		}
	}
	*next += frames - silent;
	src->silent -= src->playing ? silent : 0;
}

void assert_lossless(struct sim *sim, const struct pattern_source *src)
{
	for (unsigned i = 0; i < sim->n_boxes; i++) {
		struct box_status st = sim_status(sim, i);
		const struct dac_report *report = engine_dac_report(sim->boxes[i].dac);

		assert_int_equal(st.counts.frames_lost, 0);
		assert_int_equal(st.counts.zero_blocks_mid_audio, 0);
		assert_int_equal(st.pattern.breaks, 0);
		/* Every sample frame of the pattern was played; the first and the last block of a stretch may be part silence. */
		assert_in_range(
			st.pattern.blocks * 8, src->per_box[i], src->per_box[i] + 14 * src->stretches);
		assert_int_equal(report->drops_ring_full, 0);
		assert_int_equal(report->drops_interface, 0);
		assert_in_range(st.queue_max, 1, POLICY_DEPTH_BLOCKS);
	}
}

void play_stretch(struct sim *sim, struct pattern_source *src, int64_t ns)
{
	src->playing = false;
	sim_run(sim, 1500 * NSEC_PER_MSEC);
	src->playing = true;
	src->stretches++;
	sim_run(sim, ns);
	src->playing = false;
	sim_run(sim, 400 * NSEC_PER_MSEC);
}

void watch_level(struct sim_box *sb, int64_t t_ns, const struct box_block *block)
{
	struct level_probe *p = sb->user;
	int32_t samples[64];

	if (!block->audio) {
		p->largest_step = fmax(p->largest_step, fabs(p->last));
		p->last = 0;
		return;
	}
	ethlink_decode_block(block->audio, samples);
	p->nonzero_blocks += block->nonzero;
	for (unsigned i = 0; i < 8; i++) {
		/* A muted channel is silent, whatever is sent to it. */
		double x = block->gain[0] == ETHLINK_GAIN_MUTE ? 0 : samples[i * 8] / 2147483648.0;

		p->largest_step = fmax(p->largest_step, fabs(x - p->last));
		p->largest = fmax(p->largest, fabs(x));
		p->last = x;
	}
}

void play_dc(struct sim *sim, struct sim_box *sb, uint32_t frames)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		for (uint32_t i = 0; i < frames; i++) {
			sb->in[k][i] = 0.5f;
		}
	}
}

void play_level(struct sim *sim, struct level_probe *probe)
{
	sim->source = play_dc;
	sim->boxes[0].on_block = watch_level;
	sim->boxes[0].user = probe;
	sim_configure(sim, POLICY_LATENCY_AUTO, true);
	sim_run(sim, NSEC_PER_SEC);
}
