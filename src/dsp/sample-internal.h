/*
 * What the kernel sets share and what the dispatch knows of them. For src/dsp only.
 *
 * Floats are judged by their bits without the sign: there NaN, infinity, normal numbers and denormals are
 * ranges of integers, so that the FPU never meets a denormal or a NaN.
 */
#ifndef DSP_SAMPLE_INTERNAL_H
#define DSP_SAMPLE_INTERNAL_H

#include "dsp/sample.h"

#include <stdbool.h>

#define FLOAT_ABS_MASK 0x7fffffff
#define FLOAT_MIN_NORMAL 0x00800000 /* smallest that is neither 0 nor a denormal */
#define FLOAT_INFINITY 0x7f800000   /* above it: NaN */
#define FLOAT_ONE 0x3f800000

/*
 * abs + FLOAT_NUMBER_BIAS > FLOAT_NUMBER_FLOOR, as signed integers that wrap, holds for exactly the normal
 * numbers and infinity: the bias moves infinity to the largest positive integer and every NaN beyond it,
 * to the negative ones. Two operations where two comparisons would take three.
 */
#define FLOAT_NUMBER_BIAS (0x7fffffff - FLOAT_INFINITY)
#define FLOAT_NUMBER_FLOOR (FLOAT_MIN_NORMAL - 1 + FLOAT_NUMBER_BIAS)

#define SAMPLE_SCALE 0x1p31f
#define SAMPLE_UNSCALE 0x1p-31f

/* What a channel without a buffer has, as much of it as one call of pack_blocks takes. */
extern const float sample_silence[SAMPLE_BLOCKS_MAX * SAMPLE_BLOCK_FRAMES];

static inline bool any_of_four(const float *const src[4])
{
	return src[0] || src[1] || src[2] || src[3];
}

/* One by one: as below, vector loads would have to wait. */
static inline void with_silence(const float **ret, const float *const *src, unsigned channels)
{
	for (unsigned k = 0; k < channels; k++) {
		ret[k] = src[k] ? src[k] : sample_silence;
	}
}

/* pack_blocks() of a set that does its work in pack(). */
static inline void pack_each_block(const struct sample_kernels *set, int32_t *const *dst, size_t blocks,
	const float *const src[SAMPLE_CHANNELS], float peak[SAMPLE_CHANNELS])
{
	for (size_t b = 0; b < blocks; b++) {
		const float *from[SAMPLE_CHANNELS];

		for (unsigned k = 0; k < SAMPLE_CHANNELS; k++) {
			from[k] = src[k] ? src[k] + b * SAMPLE_BLOCK_FRAMES : NULL;
		}
		set->pack(dst[b], from, SAMPLE_BLOCK_FRAMES, peak);
	}
}

/*
 * Asked with branches: the caller has most likely just written these pointers, and a vector load of several
 * would have to wait until they have reached the cache.
 */
static inline bool all_four(float *const dst[4])
{
	return dst[0] && dst[1] && dst[2] && dst[3];
}

/* The slow way, where some channels of unpack have no buffer: what nobody hears has no peak. */
static inline void raise_peaks_heard(float *peak, const float *found, float *const *dst, unsigned channels)
{
	for (unsigned k = 0; k < channels; k++) {
		if (dst[k] && found[k] > peak[k]) {
			peak[k] = found[k];
		}
	}
}

/* Only there where the build has them; whether the processor runs them is for sample_kernels_all() to say. */
extern const struct sample_kernels sample_kernels_sse2;
extern const struct sample_kernels sample_kernels_avx2;
extern const struct sample_kernels sample_kernels_neon;

#endif
