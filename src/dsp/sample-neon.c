#include "dsp/sample-internal.h"

#include <arm_neon.h>

static inline void transpose(float32x4_t *r0, float32x4_t *r1, float32x4_t *r2, float32x4_t *r3)
{
	float64x2_t t0 = vreinterpretq_f64_f32(vtrn1q_f32(*r0, *r1));
	float64x2_t t1 = vreinterpretq_f64_f32(vtrn2q_f32(*r0, *r1));
	float64x2_t t2 = vreinterpretq_f64_f32(vtrn1q_f32(*r2, *r3));
	float64x2_t t3 = vreinterpretq_f64_f32(vtrn2q_f32(*r2, *r3));

	*r0 = vreinterpretq_f32_f64(vzip1q_f64(t0, t2));
	*r1 = vreinterpretq_f32_f64(vzip1q_f64(t1, t3));
	*r2 = vreinterpretq_f32_f64(vzip2q_f64(t0, t2));
	*r3 = vreinterpretq_f32_f64(vzip2q_f64(t1, t3));
}

static inline int32x4_t convert(float32x4_t in, uint32x4_t *max)
{
	uint32x4_t x = vreinterpretq_u32_f32(in);
	uint32x4_t abs = vandq_u32(x, vdupq_n_u32(FLOAT_ABS_MASK));
	/* Unsigned, so one subtraction puts both 0 with the denormals and NaN above the numbers. */
	uint32x4_t is_number = vcleq_u32(vsubq_u32(abs, vdupq_n_u32(FLOAT_MIN_NORMAL)),
		vdupq_n_u32(FLOAT_INFINITY - FLOAT_MIN_NORMAL));

	*max = vmaxq_u32(*max, vandq_u32(abs, is_number));
	x = vandq_u32(x, is_number);
	/* This conversion saturates by itself, and rounds to nearest even in every mode. */
	return vcvtnq_s32_f32(vmulq_n_f32(vreinterpretq_f32_u32(x), SAMPLE_SCALE));
}

/* By comparison, not vmaxq: a peak that is NaN stays, as in the other sets. */
static inline void raise_peaks(float *peak, uint32x4_t max)
{
	float32x4_t old = vld1q_f32(peak);
	float32x4_t new = vreinterpretq_f32_u32(max);

	vst1q_f32(peak, vbslq_f32(vcgtq_f32(new, old), new, old));
}

static inline float32x4_t load_channel(const float *src, size_t i)
{
	return src ? vld1q_f32(src + i) : vdupq_n_f32(0.0f);
}

/* Four channels of a stream of eight. */
static inline void pack_half(int32_t *dst, const float *const src[4], size_t frames, float peak[4])
{
	uint32x4_t max = vdupq_n_u32(0);

	for (size_t i = 0; i < frames; i += 4) {
		float32x4_t r0 = load_channel(src[0], i);
		float32x4_t r1 = load_channel(src[1], i);
		float32x4_t r2 = load_channel(src[2], i);
		float32x4_t r3 = load_channel(src[3], i);

		transpose(&r0, &r1, &r2, &r3);
		vst1q_s32(dst, convert(r0, &max));
		vst1q_s32(dst + SAMPLE_CHANNELS, convert(r1, &max));
		vst1q_s32(dst + 2 * SAMPLE_CHANNELS, convert(r2, &max));
		vst1q_s32(dst + 3 * SAMPLE_CHANNELS, convert(r3, &max));
		dst += 4 * SAMPLE_CHANNELS;
	}
	raise_peaks(peak, max);
}

static void pack_neon(int32_t *dst, const float *const src[SAMPLE_CHANNELS], size_t frames,
	float peak[SAMPLE_CHANNELS])
{
	pack_half(dst, src, frames, peak);
	pack_half(dst + 4, src + 4, frames, peak + 4);
}

static void pack_blocks_neon(int32_t *const *dst, size_t blocks, const float *const src[SAMPLE_CHANNELS],
	float peak[SAMPLE_CHANNELS])
{
	pack_each_block(&sample_kernels_neon, dst, blocks, src, peak);
}

static inline float32x4_t load_frame(const int32_t *src, uint32x4_t *max)
{
	float32x4_t x = vmulq_n_f32(vcvtq_f32_s32(vld1q_s32(src)), SAMPLE_UNSCALE);

	*max = vmaxq_u32(*max, vreinterpretq_u32_f32(vabsq_f32(x)));
	return x;
}

static inline void store_channel(float *dst, size_t i, float32x4_t x)
{
	if (dst) {
		vst1q_f32(dst + i, x);
	}
}

static inline void unpack_half(float *const dst[4], const int32_t *src, size_t frames, float peak[4])
{
	uint32x4_t max = vdupq_n_u32(0);

	for (size_t i = 0; i < frames; i += 4) {
		float32x4_t r0 = load_frame(src, &max);
		float32x4_t r1 = load_frame(src + SAMPLE_CHANNELS, &max);
		float32x4_t r2 = load_frame(src + 2 * SAMPLE_CHANNELS, &max);
		float32x4_t r3 = load_frame(src + 3 * SAMPLE_CHANNELS, &max);

		transpose(&r0, &r1, &r2, &r3);
		store_channel(dst[0], i, r0);
		store_channel(dst[1], i, r1);
		store_channel(dst[2], i, r2);
		store_channel(dst[3], i, r3);
		src += 4 * SAMPLE_CHANNELS;
	}
	if (all_four(dst)) {
		raise_peaks(peak, max);
	} else {
		float found[4];

		vst1q_f32(found, vreinterpretq_f32_u32(max));
		raise_peaks_heard(peak, found, dst, 4);
	}
}

static void unpack_neon(float *const dst[SAMPLE_CHANNELS], const int32_t *src, size_t frames,
	float peak[SAMPLE_CHANNELS])
{
	unpack_half(dst, src, frames, peak);
	unpack_half(dst + 4, src + 4, frames, peak + 4);
}

const struct sample_kernels sample_kernels_neon = {
	.name = "neon",
	.pack = pack_neon,
	.pack_blocks = pack_blocks_neon,
	.unpack = unpack_neon,
};
