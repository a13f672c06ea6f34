#include "dsp/sample-internal.h"

#include <emmintrin.h>

static const float silence[4] __attribute__((aligned(16)));

static inline __m128i convert(__m128 in, __m128 *max)
{
	__m128i x = _mm_castps_si128(in);
	__m128i abs = _mm_and_si128(x, _mm_set1_epi32(FLOAT_ABS_MASK));
	__m128i is_number = _mm_cmpgt_epi32(_mm_add_epi32(abs, _mm_set1_epi32(FLOAT_NUMBER_BIAS)),
		_mm_set1_epi32(FLOAT_NUMBER_FLOOR));
	__m128i too_large;
	__m128i sample;

	/* SSE2 has no maximum of int32, but what is left here are ordinary floats. */
	*max = _mm_max_ps(*max, _mm_castsi128_ps(_mm_and_si128(abs, is_number)));
	x = _mm_and_si128(x, is_number);
	too_large = _mm_cmpgt_epi32(x, _mm_set1_epi32(FLOAT_ONE - 1));
	sample = _mm_cvtps_epi32(_mm_mul_ps(_mm_castsi128_ps(x), _mm_set1_ps(SAMPLE_SCALE)));
	/* What does not fit came out as 0x80000000: right below, all bits wrong above. */
	return _mm_xor_si128(sample, too_large);
}

static inline void raise_peaks(float *peak, __m128 max)
{
	_mm_storeu_ps(peak, _mm_max_ps(max, _mm_loadu_ps(peak)));
}

static inline __m128 load_channel(const float *src, size_t i)
{
	return src ? _mm_loadu_ps(src + i) : _mm_load_ps(silence);
}

static inline void store_half(int32_t *dst, __m128i x)
{
	_mm_storeu_si128((__m128i *)(void *)dst, x);
}

/* Four channels of a stream of eight. */
static inline void pack_half(int32_t *dst, const float *const src[4], size_t frames, float peak[4])
{
	__m128 max = _mm_setzero_ps();

	for (size_t i = 0; i < frames; i += 4) {
		__m128 r0 = load_channel(src[0], i);
		__m128 r1 = load_channel(src[1], i);
		__m128 r2 = load_channel(src[2], i);
		__m128 r3 = load_channel(src[3], i);

		_MM_TRANSPOSE4_PS(r0, r1, r2, r3);
		store_half(dst, convert(r0, &max));
		store_half(dst + SAMPLE_CHANNELS, convert(r1, &max));
		store_half(dst + 2 * SAMPLE_CHANNELS, convert(r2, &max));
		store_half(dst + 3 * SAMPLE_CHANNELS, convert(r3, &max));
		dst += 4 * SAMPLE_CHANNELS;
	}
	raise_peaks(peak, max);
}

static void pack_sse2(int32_t *dst, const float *const src[SAMPLE_CHANNELS], size_t frames,
	float peak[SAMPLE_CHANNELS])
{
	pack_half(dst, src, frames, peak);
	pack_half(dst + 4, src + 4, frames, peak + 4);
}

/* Four channels of which all have a buffer. */
static void pack_present(
	int32_t *const *dst, size_t offset, size_t blocks, const float *const src[4], float peak[4])
{
	__m128 max = _mm_setzero_ps();

	for (size_t b = 0; b < blocks; b++) {
		int32_t *to = dst[b] + offset;

		for (size_t i = b * SAMPLE_BLOCK_FRAMES; i < (b + 1) * SAMPLE_BLOCK_FRAMES; i += 4) {
			__m128 r0 = _mm_loadu_ps(src[0] + i);
			__m128 r1 = _mm_loadu_ps(src[1] + i);
			__m128 r2 = _mm_loadu_ps(src[2] + i);
			__m128 r3 = _mm_loadu_ps(src[3] + i);

			_MM_TRANSPOSE4_PS(r0, r1, r2, r3);
			store_half(to, convert(r0, &max));
			store_half(to + SAMPLE_CHANNELS, convert(r1, &max));
			store_half(to + 2 * SAMPLE_CHANNELS, convert(r2, &max));
			store_half(to + 3 * SAMPLE_CHANNELS, convert(r3, &max));
			to += 4 * SAMPLE_CHANNELS;
		}
	}
	raise_peaks(peak, max);
}

/* Four channels of a stream of eight; offset: 0 or 4. */
static void pack_half_blocks(
	int32_t *const *dst, size_t offset, size_t blocks, const float *const src[4], float peak[4])
{
	const float *from[4];

	if (any_of_four(src)) {
		with_silence(from, src, 4);
		pack_present(dst, offset, blocks, from, peak);
		return;
	}
	for (size_t b = 0; b < blocks; b++) {
		for (size_t i = 0; i < SAMPLE_BLOCK_FRAMES; i++) {
			store_half(dst[b] + offset + i * SAMPLE_CHANNELS, _mm_setzero_si128());
		}
	}
}

static void pack_blocks_sse2(int32_t *const *dst, size_t blocks, const float *const src[SAMPLE_CHANNELS],
	float peak[SAMPLE_CHANNELS])
{
	pack_half_blocks(dst, 0, blocks, src, peak);
	pack_half_blocks(dst, 4, blocks, src + 4, peak + 4);
}

static inline __m128 load_frame(const int32_t *src, __m128 *max)
{
	__m128i in = _mm_loadu_si128((const __m128i *)(const void *)src);
	__m128 x = _mm_mul_ps(_mm_cvtepi32_ps(in), _mm_set1_ps(SAMPLE_UNSCALE));

	*max = _mm_max_ps(*max, _mm_and_ps(x, _mm_castsi128_ps(_mm_set1_epi32(FLOAT_ABS_MASK))));
	return x;
}

static inline void store_channel(float *dst, size_t i, __m128 x)
{
	if (dst) {
		_mm_storeu_ps(dst + i, x);
	}
}

static inline void unpack_half(float *const dst[4], const int32_t *src, size_t frames, float peak[4])
{
	__m128 max = _mm_setzero_ps();

	for (size_t i = 0; i < frames; i += 4) {
		__m128 r0 = load_frame(src, &max);
		__m128 r1 = load_frame(src + SAMPLE_CHANNELS, &max);
		__m128 r2 = load_frame(src + 2 * SAMPLE_CHANNELS, &max);
		__m128 r3 = load_frame(src + 3 * SAMPLE_CHANNELS, &max);

		_MM_TRANSPOSE4_PS(r0, r1, r2, r3);
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

		_mm_storeu_ps(found, max);
		raise_peaks_heard(peak, found, dst, 4);
	}
}

static void unpack_sse2(float *const dst[SAMPLE_CHANNELS], const int32_t *src, size_t frames,
	float peak[SAMPLE_CHANNELS])
{
	unpack_half(dst, src, frames, peak);
	unpack_half(dst + 4, src + 4, frames, peak + 4);
}

const struct sample_kernels sample_kernels_sse2 = {
	.name = "sse2",
	.pack = pack_sse2,
	.pack_blocks = pack_blocks_sse2,
	.unpack = unpack_sse2,
};
