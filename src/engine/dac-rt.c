#include "engine/dac-rt.h"
#include "engine/dac-block-rt.h"
#include "engine/policy.h"

#include <string.h>

/* No box holds audio for so long: after a gap like this it has been silent, and is faded in again. */
#define STANDSTILL_NS (500 * NSEC_PER_MSEC)
/* Silence after a fade-out, so that the box's buffer holds silence when nothing comes any more. */
#define TAIL_BLOCKS 2

static const float silence[ETHLINK_BLOCK_FRAMES];

_Static_assert(AUDIO_CHANNELS == ETHLINK_CHANNELS, "a box has as many channels as a group of ports");

static void set_mode_rt(struct dac *dac, enum dac_mode mode)
{
	dac->mode = mode;
	atomic_store_explicit(&dac->report.mode, mode, memory_order_release);
}

static uint32_t late_blocks_rt(const struct dac_format *format, const struct clock *clock)
{
	int64_t block_ns = ETHLINK_BLOCK_FRAMES * NSEC_PER_SEC / format->rate_hz;

	return (uint32_t)((clock->late_ns + block_ns / 2) / block_ns);
}

static uint32_t lead_blocks_rt(const struct dac_params *params)
{
	return params->format.varying ? MIN(params->lead_blocks, (uint32_t)POLICY_FILL_MAX_BLOCKS)
				      : params->format.lead_blocks;
}

static void start_rt(struct dac *dac, const struct audio_cycle *cycle, const struct clock *clock)
{
	/* The box has confirmed these settings, gains included: the stream begins with just them. */
	dac->format = dac->now->format;
	memcpy(dac->header, dac->now->header, sizeof(dac->header));
	memcpy(dac->header + ETHLINK_OFF_GAIN, dac->now->gain, ETHLINK_CHANNELS);
	dac_publish_gain_rt(dac);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		dac->level[k] = dac_level_wanted_rt(dac, k);
	}
	/* A late callback brings the audio late: the cushion is that much smaller, and whole again in the next cycle. */
	dac->lead = lead_blocks_rt(dac->now) - late_blocks_rt(&dac->format, clock);
	cushion_start_rt(&dac->cushion, &dac->format, dac->lead, clock->late_ns);
	dac->n_partial = 0;
	dac->fade = 0.0f;
	dac->fade_step = 1.0f / (float)dac->now->fade_frames;
	dac->header[ETHLINK_OFF_MARK] = ETHLINK_MARK;
	dac->gain_changed_ns = cycle->now_ns;
	dac->shift = 0;
	dac->owed_ns = 0;
	dac->expected = true;
	dac->cycle_ns = cycle->now_ns;
	dac->cycle_frames = cycle->frames;
	seam_count_rt(&dac->report.starts, 1);
	set_mode_rt(dac, DAC_RUNNING);
}

/*
 * After lost cycles the box has eaten from its cushion, and blocks of silence put the distance back to what it
 * was. Where more was put in than was missing, blocks are left out. Either happens between a fade-out and a
 * fade-in; where the box has (almost) run dry there is nothing left to fade, and no time.
 */
static void plan_shift_rt(struct dac *dac, int64_t lost_ns)
{
	int64_t block_ns = ETHLINK_BLOCK_FRAMES * NSEC_PER_SEC / dac->format.rate_hz;
	int32_t lead = (int32_t)dac->format.lead_blocks;
	int32_t blocks;

	/* Where more is missing than stood in the box, only the cushion is to be filled. */
	dac->owed_ns = MIN(dac->owed_ns + lost_ns, lead * block_ns);
	if (dac->shift != 0) {
		return;
	}
	blocks = (int32_t)(dac->owed_ns / block_ns);
	/* A little too much does no harm and is set off against the next loss. */
	if (blocks == 0 || (blocks < 0 && -blocks < MAX(lead / 8, 2))) {
		return;
	}
	dac->shift = blocks;
	dac->owed_ns -= blocks * block_ns;
	if (blocks > lead / 2) {
		dac->fade = 0.0f;
		dac->fade_step = 0.0f;
	} else {
		dac->fade_step = -1.0f / (float)dac->now->fade_frames;
	}
	seam_count_rt(&dac->report.resyncs, 1);
}

/* Silence is made longer or shorter where nobody hears it; while something plays, only where it has to be. */
static void plan_balance_rt(struct dac *dac)
{
	uint32_t wanted = lead_blocks_rt(dac->now);
	int32_t blocks = cushion_lacks_rt(&dac->cushion, wanted);

	if (blocks == 0 || dac->shift != 0 || dac->fade != 1.0f || dac->fade_step != 0.0f) {
		return;
	}
	if (cushion_quiet_rt(&dac->cushion)) {
		if (blocks > 0) {
			dac->lead += (uint32_t)blocks;
			cushion_add_rt(&dac->cushion, blocks);
		}
		return;
	}
	if (!cushion_urgent_rt(&dac->cushion, wanted)) {
		return;
	}
	dac->shift = blocks;
	if (cushion_dry_rt(&dac->cushion, wanted)) {
		dac->fade = 0.0f;
		dac->fade_step = 0.0f;
	} else {
		dac->fade_step = -1.0f / (float)dac->now->fade_frames;
	}
	seam_count_rt(&dac->report.resyncs, 1);
}

static bool shift_due_rt(const struct dac *dac)
{
	return dac->shift != 0 && dac->fade == 0.0f && dac->fade_step == 0.0f;
}

static void end_shift_rt(struct dac *dac)
{
	dac->shift = 0;
	dac->fade_step = 1.0f / (float)dac->now->fade_frames;
}

/* Faded out: blocks go in at once; where they are to be left out, dac->shift stays. */
static void shift_rt(struct dac *dac)
{
	if (dac->format.varying) {
		dac->shift = cushion_lacks_rt(&dac->cushion, lead_blocks_rt(dac->now));
		cushion_add_rt(&dac->cushion, MAX(dac->shift, 0));
	}
	if (dac->shift >= 0) {
		dac->lead += (uint32_t)dac->shift;
		end_shift_rt(dac);
	}
}

static bool faded_out_rt(const struct dac *dac)
{
	return dac->mode == DAC_STOPPING && dac->fade == 0.0f && dac->fade_step == 0.0f;
}

/* A cycle in real time, of the rate and size that a stream of this format is made for. */
static bool fits_rt(const struct dac_format *format, const struct audio_cycle *cycle)
{
	if (cycle->freewheel || cycle->rate_hz != format->rate_hz) {
		return false;
	}
	return format->varying ? cycle->varying && cycle->frames <= format->period_frames
			       : cycle->frames == format->period_frames;
}

/*
 * In freewheeling, or when the period has changed, cycles no longer come as the box plays: the whole fade
 * must fit behind what stands in its queue already. A pacer spreads it (fill_paced_rest_rt); otherwise what
 * stands there is the cushion and the last period, less what was played since.
 */
static uint32_t fade_out_frames_rt(const struct dac *dac, const struct audio_cycle *cycle)
{
	int64_t most = POLICY_FADE_BLOCKS * ETHLINK_BLOCK_FRAMES;
	int64_t played = (cycle->now_ns - dac->cycle_ns) * dac->format.rate_hz / NSEC_PER_SEC;
	int64_t cushion = dac->format.varying ? cushion_frames_rt(&dac->cushion)
					      : (int64_t)dac->format.lead_blocks * ETHLINK_BLOCK_FRAMES;
	int64_t standing = cushion + dac->cycle_frames - played;

	if (dac->expected) {
		return dac->now->fade_frames;
	}
	if (cycle->rate_hz < dac->format.rate_hz) {
		/* The graph brings less than the box takes: what stands there makes up for it. */
		most = CLAMP(standing * cycle->rate_hz / (dac->format.rate_hz - cycle->rate_hz),
			(int64_t)ETHLINK_BLOCK_FRAMES, most);
	}
	if (!dac->format.paced) {
		most = CLAMP(POLICY_ROOM_FRAMES - standing, (int64_t)ETHLINK_BLOCK_FRAMES, most);
	}
	return MIN(dac->now->fade_frames, (uint32_t)most);
}

static void update_mode_rt(struct dac *dac, const struct audio_cycle *cycle, const struct clock *clock)
{
	bool same = memcmp(&dac->now->format, &dac->format, sizeof(dac->format)) == 0;
	bool wanted = dac->now->run && dac->expected && same;

	if (dac->mode == DAC_IDLE && dac->now->run && fits_rt(&dac->now->format, cycle)) {
		/* What was sent before must have left the box: the cushion is counted from an empty queue. */
		if (cycle->now_ns >= MAX(dac->quiet_until_ns, dac->now->not_before_ns) &&
			clock_settled_rt(clock) &&
			late_blocks_rt(&dac->now->format, clock) <= lead_blocks_rt(dac->now) / 2) {
			start_rt(dac, cycle, clock);
		}
	} else if (wanted && dac->mode == DAC_STOPPING && !faded_out_rt(dac)) {
		/* Called back in the middle of a fade: turn round where it stands. */
		dac->fade_step = 1.0f / (float)dac->now->fade_frames;
		dac->shift = 0;
		set_mode_rt(dac, DAC_RUNNING);
	} else if (!wanted && dac->mode == DAC_RUNNING) {
		dac->fade_step = -1.0f / (float)fade_out_frames_rt(dac, cycle);
		dac->tail = TAIL_BLOCKS;
		set_mode_rt(dac, DAC_STOPPING);
	}
}

/* Of the next block nothing would be heard. */
static bool is_block_silent_rt(const struct dac *dac)
{
	uint32_t old = dac->n_partial;

	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		for (unsigned i = 0; i < old; i++) {
			if (dac->partial[k][i] != 0.0f) {
				return false;
			}
		}
		for (unsigned i = 0; dac->src[k] && i < ETHLINK_BLOCK_FRAMES - old; i++) {
			if (dac->src[k][i] != 0.0f) {
				return false;
			}
		}
	}
	return true;
}

static void leave_out_block_rt(struct dac *dac)
{
	const float *src[ETHLINK_CHANNELS];

	dac_take_block_rt(dac, src);
	cushion_add_rt(&dac->cushion, -1);
}

static bool has_block_rt(const struct dac *dac)
{
	return dac->n_partial + dac->src_frames >= ETHLINK_BLOCK_FRAMES;
}

/* Blocks that are not sent, as many as this cycle has and the shift, or a cushion that is too large, asks for. */
static void leave_out_rt(struct dac *dac)
{
	int32_t lacks;

	if (dac->shift < 0 && shift_due_rt(dac)) {
		while (dac->shift < 0 && has_block_rt(dac)) {
			leave_out_block_rt(dac);
			dac->shift++;
		}
		if (dac->shift == 0) {
			end_shift_rt(dac);
		}
	} else if (dac->format.varying && dac->shift == 0 && cushion_quiet_rt(&dac->cushion)) {
		lacks = cushion_lacks_rt(&dac->cushion, lead_blocks_rt(dac->now));
		for (; lacks < 0 && has_block_rt(dac) && is_block_silent_rt(dac); lacks++) {
			leave_out_block_rt(dac);
		}
	}
}

static void plan_rt(struct dac *dac, const struct clock *clock)
{
	if (dac->format.varying) {
		plan_balance_rt(dac);
	} else if (clock->lost_ns != 0) {
		plan_shift_rt(dac, clock->lost_ns);
	}
}

uint32_t dac_begin_rt(struct dac *dac, const struct audio_cycle *cycle, const struct clock *clock)
{
	bool was_running;

	dac->now = atomic_load_explicit(&dac->params, memory_order_acquire);
	dac->sent = 0;
	dac->full = 0;
	dac->blocks = 0;
	dac->steady = false;
	if (!dac->now || !dac->group) {
		return 0;
	}
	if (dac->mode != DAC_IDLE && cycle->now_ns - dac->cycle_ns > STANDSTILL_NS) {
		dac_abort_rt(dac);
	}
	if (dac->mode != DAC_IDLE && dac->format.varying) {
		if (clock->passed > dac->next_passed) {
			cushion_missed_rt(&dac->cushion, clock->passed - dac->next_passed);
		}
		cushion_cycle_rt(&dac->cushion, clock, dac->n_partial);
	}
	dac->expected = fits_rt(&dac->format, cycle);
	was_running = dac->mode == DAC_RUNNING;
	update_mode_rt(dac, cycle, clock);
	if (dac->mode == DAC_IDLE) {
		return 0;
	}
	if (dac->mode == DAC_RUNNING) {
		/* What was lost before its start is nothing to a stream. */
		if (was_running) {
			plan_rt(dac, clock);
		}
		if (shift_due_rt(dac)) {
			shift_rt(dac);
		}
	}
	memcpy(dac->src, dac->group->in, sizeof(dac->src));
	memset(dac->peak, 0, sizeof(dac->peak));
	dac->src_frames = cycle->frames;
	dac->scaling = dac_is_scaling_rt(dac);
	if (dac->mode == DAC_RUNNING) {
		leave_out_rt(dac);
	}
	dac->blocks = dac->lead + (dac->n_partial + dac->src_frames) / ETHLINK_BLOCK_FRAMES;
	dac->steady = dac_is_steady_rt(dac);
	return dac->blocks;
}

/* One silent block less to go; what else is in this cycle is not needed, and would pile up in freewheeling. */
static void shorten_tail_rt(struct dac *dac, bool silent)
{
	if (silent && dac->tail > 0) {
		dac->tail--;
	}
	if (faded_out_rt(dac)) {
		dac->blocks = MIN(dac->blocks, dac->tail + 1);
	}
}

/* So many more blocks (below 0: fewer) went to the box than the graph brought. */
static void account_rt(struct dac *dac, int32_t blocks)
{
	if (dac->mode != DAC_IDLE && dac->format.varying) {
		cushion_add_rt(&dac->cushion, blocks);
	}
}

void dac_frame_rt(struct dac *dac, uint8_t *frame, int64_t due_ns)
{
	int32_t *audio = (int32_t *)(void *)(frame + ETHLINK_OFF_AUDIO);

	if (dac->steady) {
		dac_frames_rt(dac, &frame, 1);
		return;
	}
	dac_step_gain_rt(dac, due_ns);
	memcpy(frame, dac->header, ETHLINK_HEADER_LEN);
	if (dac->lead > 0) {
		memset(audio, 0, ETHLINK_AUDIO_LEN);
		dac->lead--;
	} else {
		bool silent = faded_out_rt(dac);

		dac_audio_block_rt(dac, audio, due_ns);
		shorten_tail_rt(dac, silent);
	}
	dac->blocks--;
	dac->sent++;
}

void dac_drop_rt(struct dac *dac)
{
	if (dac->lead > 0) {
		dac->lead--;
	} else {
		const float *src[ETHLINK_CHANNELS];
		bool silent = faded_out_rt(dac);

		dac_take_block_rt(dac, src);
		if (dac->fade_step != 0.0f) {
			dac_fade_block_rt(dac, src);
		}
		shorten_tail_rt(dac, silent);
	}
	dac->blocks--;
	dac->full++;
	account_rt(dac, -1);
}

void dac_refused_rt(struct dac *dac, uint32_t frames)
{
	seam_count_rt(&dac->report.drops_interface, frames);
	account_rt(dac, -(int32_t)frames);
}

static void report_cushion_rt(struct dac *dac, uint32_t frames)
{
	if (dac->format.varying) {
		atomic_store_explicit(&dac->report.cushion_frames, frames, memory_order_relaxed);
	}
}

/* All that was sent in this cycle was 0. */
static bool is_silent_rt(const struct dac *dac)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		if (dac->peak[k] != 0.0f) {
			return false;
		}
	}
	return true;
}

static void report_peaks_rt(struct dac *dac)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		uint32_t bits;

		memcpy(&bits, &dac->peak[k], sizeof(bits));
		if (dac->peak[k] > 1.0f) {
			seam_count_rt(&dac->report.clips[k], 1);
		}
		/* Floats that are not negative compare like their bits. */
		if (bits > atomic_load_explicit(&dac->report.peak[k], memory_order_relaxed)) {
			atomic_store_explicit(&dac->report.peak[k], bits, memory_order_relaxed);
		}
	}
}

/* When the last of what was sent must have been played, even from a full queue. */
static void set_quiet_rt(struct dac *dac)
{
	/* A full queue, behind it what a pacer still holds: the rest of a period and the fade-out. */
	int64_t frames =
		(ETHLINK_DEPTH_MAX + POLICY_FADE_BLOCKS) * ETHLINK_BLOCK_FRAMES + dac->format.period_frames;

	dac->quiet_until_ns = dac->cycle_ns + frames * NSEC_PER_SEC / dac->format.rate_hz;
}

void dac_abort_rt(struct dac *dac)
{
	if (dac->mode != DAC_IDLE) {
		dac->n_partial = 0;
		dac->blocks = 0;
		set_quiet_rt(dac);
		report_cushion_rt(dac, 0);
		set_mode_rt(dac, DAC_IDLE);
	}
}

void dac_end_rt(struct dac *dac, const struct audio_cycle *cycle, const struct clock *clock)
{
	if (dac->mode == DAC_IDLE || !dac->group) {
		return;
	}
	dac->cycle_ns = cycle->now_ns;
	dac->cycle_frames = cycle->frames;
	dac->next_passed = clock->passed + cycle->frames;
	if (dac->format.varying) {
		cushion_heard_rt(&dac->cushion, cycle->frames, is_silent_rt(dac));
		report_cushion_rt(dac, cushion_frames_rt(&dac->cushion));
	}
	if (faded_out_rt(dac)) {
		dac->n_partial = 0;
		if (dac->tail == 0) {
			set_quiet_rt(dac);
			report_cushion_rt(dac, 0);
			set_mode_rt(dac, DAC_IDLE);
		}
	} else if (dac->src_frames > 0) {
		/* Less than a block by construction; the bound is here because an array ends there. */
		uint32_t rest = MIN(dac->src_frames, ETHLINK_BLOCK_FRAMES - 1 - dac->n_partial);

		for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
			memcpy(dac->partial[k] + dac->n_partial, dac->src[k] ? dac->src[k] : silence,
				rest * sizeof(float));
		}
		dac->n_partial += rest;
	}
	report_peaks_rt(dac);
	if (dac->sent) {
		seam_count_rt(&dac->report.frames_sent, dac->sent);
	}
	if (dac->full) {
		seam_count_rt(&dac->report.drops_ring_full, dac->full);
	}
}
