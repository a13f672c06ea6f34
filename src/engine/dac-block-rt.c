#include "engine/dac-block-rt.h"

#include <string.h>

/* Eight gain changes in one frame would stall the box for longer than it can buffer; one takes it 160 µs. */
#define GAIN_SPACING_NS 1200000
/* So long frames bear the mark after a change of settings: the box has taken them from one of these by then. */
#define MARK_NS (50 * NSEC_PER_MSEC)

#define EACH_BYTE UINT64_C(0x0101010101010101)

static const float silence[ETHLINK_BLOCK_FRAMES];
static const float as_they_are[ETHLINK_CHANNELS] = {1, 1, 1, 1, 1, 1, 1, 1};

void dac_publish_gain_rt(struct dac *dac)
{
	uint64_t gains = 0;

	for (unsigned i = 0; i < ETHLINK_CHANNELS; i++) {
		gains |= (uint64_t)dac->header[ETHLINK_OFF_GAIN + i] << (8 * i);
	}
	atomic_store_explicit(&dac->report.gain_now, gains, memory_order_relaxed);
}

float dac_level_wanted_rt(const struct dac *dac, unsigned k)
{
	return dac->now->gain[k] == ETHLINK_GAIN_MUTE ||
			       dac->header[ETHLINK_OFF_GAIN + k] == ETHLINK_GAIN_MUTE
		       ? 0.0f
		       : dac->now->volume[k];
}

static uint64_t gains_rt(const uint8_t gain[ETHLINK_CHANNELS])
{
	uint64_t gains;

	memcpy(&gains, gain, sizeof(gains));
	return gains;
}

/* One of eight bytes is ETHLINK_GAIN_MUTE: 0 where all bits are the other way round. */
static bool has_mute_rt(uint64_t gains)
{
	uint64_t zero = gains ^ (ETHLINK_GAIN_MUTE * EACH_BYTE);

	return ((zero - EACH_BYTE) & ~zero & (0x80 * EACH_BYTE)) != 0;
}

bool dac_is_scaling_rt(const struct dac *dac)
{
	return memcmp(dac->level, as_they_are, sizeof(as_they_are)) != 0 ||
	       memcmp(dac->now->volume, as_they_are, sizeof(as_they_are)) != 0 ||
	       has_mute_rt(gains_rt(dac->now->gain)) || has_mute_rt(gains_rt(dac->header + ETHLINK_OFF_GAIN));
}

bool dac_is_steady_rt(const struct dac *dac)
{
	return dac->mode == DAC_RUNNING && !dac->scaling && dac->fade == 1.0f && dac->fade_step == 0.0f &&
	       dac->lead == 0 && dac->n_partial == 0 && dac->src_frames % ETHLINK_BLOCK_FRAMES == 0 &&
	       dac->header[ETHLINK_OFF_MARK] == 0 &&
	       gains_rt(dac->header + ETHLINK_OFF_GAIN) == gains_rt(dac->now->gain);
}

static void advance_rt(struct dac *dac, uint32_t frames)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		dac->src[k] = dac->src[k] ? dac->src[k] + frames : NULL;
	}
}

void dac_frames_rt(struct dac *dac, uint8_t *const *frames, uint32_t n)
{
	int32_t *audio[SAMPLE_BLOCKS_MAX];

	for (uint32_t i = 0; i < n; i++) {
		memcpy(frames[i], dac->header, ETHLINK_HEADER_LEN);
		audio[i] = (int32_t *)(void *)(frames[i] + ETHLINK_OFF_AUDIO);
	}
	dac->kernels->pack_blocks(audio, n, dac->src, dac->peak);
	dac->blocks -= n;
	dac->sent += n;
	dac->src_frames -= n * ETHLINK_BLOCK_FRAMES;
	if (dac->src_frames > 0) {
		advance_rt(dac, n * ETHLINK_BLOCK_FRAMES);
	}
}

void dac_take_block_rt(struct dac *dac, const float *ret_src[ETHLINK_CHANNELS])
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

/* The box mutes at once: what was faded out must have left its queue. */
static bool may_mute_rt(const struct dac *dac, unsigned k, int64_t due_ns)
{
	int64_t queue_ns =
		(int64_t)ETHLINK_DEPTH_MAX * ETHLINK_BLOCK_FRAMES * NSEC_PER_SEC / dac->format.rate_hz;

	return dac->level[k] == 0.0f && due_ns - dac->silent_ns[k] >= queue_ns;
}

void dac_step_gain_rt(struct dac *dac, int64_t due_ns)
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
			dac_publish_gain_rt(dac);
			return;
		}
	}
}

/* One channel's next factors, on their way to what is wanted or there already. */
static void ramp_rt(struct dac *dac, unsigned k, float wanted, float ret_factor[ETHLINK_BLOCK_FRAMES])
{
	float step = 1.0f / (float)dac->now->fade_frames;
	float level = dac->level[k];

	for (unsigned i = 0; i < ETHLINK_BLOCK_FRAMES; i++) {
		level = level < wanted ? MIN(level + step, wanted) : MAX(level - step, wanted);
		ret_factor[i] = level;
	}
	dac->level[k] = level;
}

/* Channels that are not to be heard as they are, through a ramp where that has changed; muted ones are silence. */
static void scale_block_rt(struct dac *dac, const float *src[ETHLINK_CHANNELS], int64_t due_ns)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		float wanted = dac_level_wanted_rt(dac, k);
		float factor[ETHLINK_BLOCK_FRAMES];

		if (dac->level[k] == wanted && (wanted == 0.0f || wanted == 1.0f)) {
			src[k] = wanted > 0.0f ? src[k] : NULL;
			continue;
		}
		if (dac->level[k] != wanted) {
			dac->silent_ns[k] = due_ns;
		}
		ramp_rt(dac, k, wanted, factor);
		if (!src[k]) {
			continue;
		}
		for (unsigned i = 0; i < ETHLINK_BLOCK_FRAMES; i++) {
			dac->scratch[k][i] = src[k][i] * factor[i];
		}
		src[k] = dac->scratch[k];
	}
}

void dac_fade_block_rt(struct dac *dac, const float *src[ETHLINK_CHANNELS])
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

void dac_audio_block_rt(struct dac *dac, int32_t *audio, int64_t due_ns)
{
	const float *src[ETHLINK_CHANNELS];

	dac_take_block_rt(dac, src);
	if (dac->fade == 0.0f && dac->fade_step == 0.0f) {
		memset(audio, 0, ETHLINK_AUDIO_LEN);
		return;
	}
	if (dac->fade_step != 0.0f) {
		dac_fade_block_rt(dac, src);
	}
	if (dac->scaling) {
		scale_block_rt(dac, src, due_ns);
	}
	dac->kernels->pack(audio, src, ETHLINK_BLOCK_FRAMES, dac->peak);
}
