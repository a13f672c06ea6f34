#include "engine/dac-rt.h"
#include "engine/policy.h"

#include <string.h>

/* Eight gain changes in one frame would stall the box for longer than it can buffer; one takes it 160 µs. */
#define GAIN_SPACING_NS 1200000
/* No box holds audio for so long: after a gap like this it has been silent, and is faded in again. */
#define STANDSTILL_NS (500 * NSEC_PER_MSEC)
/* So long frames bear the mark after a change of settings: the box has taken them from one of these by then. */
#define MARK_NS (50 * NSEC_PER_MSEC)
/* Silence after a fade-out, so that the box's buffer holds silence when nothing comes any more. */
#define TAIL_BLOCKS 2

static const float silence[ETHLINK_BLOCK_FRAMES];

static void set_mode_rt(struct dac *dac, enum dac_mode mode)
{
	dac->mode = mode;
	atomic_store_explicit(&dac->report.mode, mode, memory_order_release);
}

static void publish_gain_rt(struct dac *dac)
{
	uint64_t gains = 0;

	for (unsigned i = 0; i < ETHLINK_CHANNELS; i++) {
		gains |= (uint64_t)dac->header[ETHLINK_OFF_GAIN + i] << (8 * i);
	}
	atomic_store_explicit(&dac->report.gain_now, gains, memory_order_relaxed);
}

/* A channel is heard only while it is to be, and the box lets it through. */
static float level_wanted_rt(const struct dac *dac, unsigned k)
{
	return dac->now->gain[k] == ETHLINK_GAIN_MUTE ||
			       dac->header[ETHLINK_OFF_GAIN + k] == ETHLINK_GAIN_MUTE
		       ? 0.0f
		       : 1.0f;
}

static bool is_muting_rt(const struct dac *dac)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		if (dac->level[k] != 1.0f || level_wanted_rt(dac, k) != 1.0f) {
			return true;
		}
	}
	return false;
}

static uint32_t late_blocks_rt(const struct dac_format *format, const struct clock *clock)
{
	int64_t block_ns = ETHLINK_BLOCK_FRAMES * NSEC_PER_SEC / format->rate_hz;

	return (uint32_t)((clock->late_ns + block_ns / 2) / block_ns);
}

static void start_rt(struct dac *dac, const struct audio_cycle *cycle, const struct clock *clock)
{
	/* The box has confirmed these settings, gains included: the stream begins with just them. */
	dac->format = dac->now->format;
	memcpy(dac->header, dac->now->header, sizeof(dac->header));
	memcpy(dac->header + ETHLINK_OFF_GAIN, dac->now->gain, ETHLINK_CHANNELS);
	publish_gain_rt(dac);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		dac->level[k] = level_wanted_rt(dac, k);
	}
	/* A late callback brings the audio late: the cushion is that much smaller, and whole again in the next cycle. */
	dac->lead = dac->format.lead_blocks - late_blocks_rt(&dac->format, clock);
	dac->n_partial = 0;
	dac->fade = 0.0f;
	dac->fade_step = 1.0f / (float)dac->now->fade_frames;
	dac->header[ETHLINK_OFF_MARK] = ETHLINK_MARK;
	dac->gain_changed_ns = cycle->now_ns;
	dac->shift = 0;
	dac->owed_ns = 0;
	dac->cycle_ns = cycle->now_ns;
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

static bool shift_due_rt(const struct dac *dac)
{
	return dac->shift != 0 && dac->fade == 0.0f && dac->fade_step == 0.0f;
}

static void end_shift_rt(struct dac *dac)
{
	dac->shift = 0;
	dac->fade_step = 1.0f / (float)dac->now->fade_frames;
}

static bool faded_out_rt(const struct dac *dac)
{
	return dac->mode == DAC_STOPPING && dac->fade == 0.0f && dac->fade_step == 0.0f;
}

/* A cycle in real time, of the rate and size that a stream of this format is made for. */
static bool fits_rt(const struct dac_format *format, const struct audio_cycle *cycle)
{
	return !cycle->freewheel && cycle->rate_hz == format->rate_hz &&
	       cycle->frames == format->period_frames;
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
	int64_t standing =
		(int64_t)dac->format.lead_blocks * ETHLINK_BLOCK_FRAMES + dac->format.period_frames - played;

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
			late_blocks_rt(&dac->now->format, clock) <= dac->now->format.lead_blocks / 2) {
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

/* The next eight frames of the graph's samples: pointers into the ports, or the scratch block. */
static void take_block_rt(struct dac *dac, const float *ret_src[ETHLINK_CHANNELS])
{
	uint32_t old = dac->n_partial;
	uint32_t new = ETHLINK_BLOCK_FRAMES - old;

	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		const float *src = dac->src[k];

		ret_src[k] = src;
		if (old > 0) {
			memcpy(dac->scratch[k], dac->partial[k], old * sizeof(float));
			memcpy(dac->scratch[k] + old, src ? src : silence, new * sizeof(float));
			ret_src[k] = dac->scratch[k];
		}
		if (src) {
			dac->src[k] = src + new;
		}
	}
	dac->src_frames -= new;
	dac->n_partial = 0;
}

/* Blocks that are not sent, as many as this cycle has and the shift asks for. */
static void leave_out_rt(struct dac *dac)
{
	while (dac->shift < 0 && dac->n_partial + dac->src_frames >= ETHLINK_BLOCK_FRAMES) {
		const float *src[ETHLINK_CHANNELS];

		take_block_rt(dac, src);
		dac->shift++;
	}
	if (dac->shift == 0) {
		end_shift_rt(dac);
	}
}

uint32_t dac_begin_rt(struct dac *dac, const struct audio_cycle *cycle, const struct clock *clock)
{
	bool was_running;

	dac->now = atomic_load_explicit(&dac->params, memory_order_acquire);
	dac->sent = 0;
	dac->full = 0;
	dac->blocks = 0;
	if (!dac->now || !dac->group) {
		return 0;
	}
	if (dac->mode != DAC_IDLE && cycle->now_ns - dac->cycle_ns > STANDSTILL_NS) {
		dac_abort_rt(dac);
	}
	dac->expected = fits_rt(&dac->format, cycle);
	was_running = dac->mode == DAC_RUNNING;
	update_mode_rt(dac, cycle, clock);
	if (dac->mode == DAC_IDLE) {
		return 0;
	}
	if (dac->mode == DAC_RUNNING) {
		/* What was lost before its start is nothing to a stream. */
		if (was_running && clock->lost_ns != 0) {
			plan_shift_rt(dac, clock->lost_ns);
		}
		if (dac->shift > 0 && shift_due_rt(dac)) {
			dac->lead += (uint32_t)dac->shift;
			end_shift_rt(dac);
		}
	}
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		dac->src[k] = dac->group->in[k];
		dac->peak[k] = 0.0f;
	}
	dac->src_frames = cycle->frames;
	dac->muting = is_muting_rt(dac);
	if (dac->mode == DAC_RUNNING && dac->shift < 0 && shift_due_rt(dac)) {
		leave_out_rt(dac);
	}
	dac->blocks = dac->lead + (dac->n_partial + dac->src_frames) / ETHLINK_BLOCK_FRAMES;
	return dac->blocks;
}

/* The box mutes at once: what was faded out must have left its queue. */
static bool may_mute_rt(const struct dac *dac, unsigned k, int64_t due_ns)
{
	int64_t queue_ns =
		(int64_t)ETHLINK_DEPTH_MAX * ETHLINK_BLOCK_FRAMES * NSEC_PER_SEC / dac->format.rate_hz;

	return dac->level[k] == 0.0f && due_ns - dac->silent_ns[k] >= queue_ns;
}

/* One channel at a time, and not before the box has had the time for the last one. */
static void step_gain_rt(struct dac *dac, int64_t due_ns)
{
	uint8_t *gain = dac->header + ETHLINK_OFF_GAIN;

	if (due_ns - dac->gain_changed_ns > MARK_NS) {
		dac->header[ETHLINK_OFF_MARK] = 0;
	}
	if (due_ns - dac->gain_changed_ns < GAIN_SPACING_NS ||
		memcmp(gain, dac->now->gain, ETHLINK_CHANNELS) == 0) {
		return;
	}
	for (unsigned i = 0; i < ETHLINK_CHANNELS; i++) {
		unsigned k = (dac->gain_channel + i) % ETHLINK_CHANNELS;

		if (gain[k] != dac->now->gain[k] &&
			(dac->now->gain[k] != ETHLINK_GAIN_MUTE || may_mute_rt(dac, k, due_ns))) {
			gain[k] = dac->now->gain[k];
			dac->header[ETHLINK_OFF_MARK] = ETHLINK_MARK;
			dac->gain_channel = (k + 1) % ETHLINK_CHANNELS;
			dac->gain_changed_ns = due_ns;
			publish_gain_rt(dac);
			return;
		}
	}
}

/* Channels on their way to or from a mute, through a ramp; muted ones are silence. */
static void mute_block_rt(struct dac *dac, const float *src[ETHLINK_CHANNELS], int64_t due_ns)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		float wanted = level_wanted_rt(dac, k);
		float step = (wanted > 0.0f ? 1.0f : -1.0f) / (float)dac->now->fade_frames;

		if (dac->level[k] == wanted) {
			src[k] = wanted > 0.0f ? src[k] : NULL;
			continue;
		}
		for (unsigned i = 0; i < ETHLINK_BLOCK_FRAMES; i++) {
			dac->level[k] = CLAMP(dac->level[k] + step, 0.0f, 1.0f);
			dac->scratch[k][i] = src[k] ? src[k][i] * dac->level[k] : 0.0f;
		}
		src[k] = dac->scratch[k];
		dac->silent_ns[k] = due_ns;
	}
}

/* The block through the fade, into the scratch block. */
static void fade_block_rt(struct dac *dac, const float *src[ETHLINK_CHANNELS])
{
	float factor[ETHLINK_BLOCK_FRAMES];

	for (unsigned i = 0; i < ETHLINK_BLOCK_FRAMES; i++) {
		dac->fade = CLAMP(dac->fade + dac->fade_step, 0.0f, 1.0f);
		factor[i] = dac->fade;
	}
	if ((dac->fade_step > 0.0f && dac->fade >= 1.0f) || (dac->fade_step < 0.0f && dac->fade <= 0.0f)) {
		dac->fade_step = 0.0f;
	}
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		if (!src[k]) {
			continue;
		}
		for (unsigned i = 0; i < ETHLINK_BLOCK_FRAMES; i++) {
			dac->scratch[k][i] = src[k][i] * factor[i];
		}
		src[k] = dac->scratch[k];
	}
}

static void audio_block_rt(struct dac *dac, int32_t *audio, int64_t due_ns)
{
	const float *src[ETHLINK_CHANNELS];

	take_block_rt(dac, src);
	if (dac->fade == 0.0f && dac->fade_step == 0.0f) {
		memset(audio, 0, ETHLINK_AUDIO_LEN);
		return;
	}
	if (dac->fade_step != 0.0f) {
		fade_block_rt(dac, src);
	}
	if (dac->muting) {
		mute_block_rt(dac, src, due_ns);
	}
	dac->kernels->pack(audio, src, ETHLINK_BLOCK_FRAMES, dac->peak);
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

void dac_frame_rt(struct dac *dac, uint8_t *frame, int64_t due_ns)
{
	int32_t *audio = (int32_t *)(void *)(frame + ETHLINK_OFF_AUDIO);

	step_gain_rt(dac, due_ns);
	memcpy(frame, dac->header, ETHLINK_HEADER_LEN);
	if (dac->lead > 0) {
		memset(audio, 0, ETHLINK_AUDIO_LEN);
		dac->lead--;
	} else {
		bool silent = faded_out_rt(dac);

		audio_block_rt(dac, audio, due_ns);
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

		take_block_rt(dac, src);
		if (dac->fade_step != 0.0f) {
			fade_block_rt(dac, src);
		}
		shorten_tail_rt(dac, silent);
	}
	dac->blocks--;
	dac->full++;
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
		set_mode_rt(dac, DAC_IDLE);
	}
}

void dac_end_rt(struct dac *dac, const struct audio_cycle *cycle)
{
	if (dac->mode == DAC_IDLE || !dac->group) {
		return;
	}
	dac->cycle_ns = cycle->now_ns;
	if (faded_out_rt(dac)) {
		dac->n_partial = 0;
		if (dac->tail == 0) {
			set_quiet_rt(dac);
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
