#include "dsp/sample-internal.h"

#include <immintrin.h>

static const float silence[4] __attribute__((aligned(16)));

/* In each half of 128 bits: row r, column c <-> row c, column r. */
static inline void transpose(__m256 *r0, __m256 *r1, __m256 *r2, __m256 *r3)
{
	__m256d t0 = _mm256_castps_pd(_mm256_unpacklo_ps(*r0, *r1));
	__m256d t1 = _mm256_castps_pd(_mm256_unpackhi_ps(*r0, *r1));
	__m256d t2 = _mm256_castps_pd(_mm256_unpacklo_ps(*r2, *r3));
	__m256d t3 = _mm256_castps_pd(_mm256_unpackhi_ps(*r2, *r3));

	*r0 = _mm256_castpd_ps(_mm256_unpacklo_pd(t0, t2));
	*r1 = _mm256_castpd_ps(_mm256_unpackhi_pd(t0, t2));
	*r2 = _mm256_castpd_ps(_mm256_unpacklo_pd(t1, t3));
	*r3 = _mm256_castpd_ps(_mm256_unpackhi_pd(t1, t3));
}

static inline __m256i convert(__m256 in, __m256i *max)
{
	__m256i x = _mm256_castps_si256(in);
	__m256i abs = _mm256_and_si256(x, _mm256_set1_epi32(FLOAT_ABS_MASK));
	__m256i is_number = _mm256_cmpgt_epi32(_mm256_add_epi32(abs, _mm256_set1_epi32(FLOAT_NUMBER_BIAS)),
		_mm256_set1_epi32(FLOAT_NUMBER_FLOOR));
	__m256i too_large;
	__m256i sample;

	*max = _mm256_max_epi32(*max, _mm256_and_si256(abs, is_number));
	x = _mm256_and_si256(x, is_number);
	too_large = _mm256_cmpgt_epi32(x, _mm256_set1_epi32(FLOAT_ONE - 1));
	sample = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_castsi256_ps(x), _mm256_set1_ps(SAMPLE_SCALE)));
	/* What does not fit came out as 0x80000000: right below, all bits wrong above. */
	return _mm256_xor_si256(sample, too_large);
}

static inline void raise_peaks(float peak[SAMPLE_CHANNELS], __m256i max)
{
	_mm256_storeu_ps(peak, _mm256_max_ps(_mm256_castsi256_ps(max), _mm256_loadu_ps(peak)));
}

/*
 * Four frames of channels k and k + 4 side by side: a transposition within the halves makes whole frames of
 * eight of these.
 */
static inline __m256 load_channels(const float *const src[SAMPLE_CHANNELS], unsigned k, size_t i)
{
	const float *low = src[k] ? src[k] + i : silence;
	const float *high = src[k + 4] ? src[k + 4] + i : silence;

	return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
}

static inline void store_frame(int32_t *dst, __m256i x)
{
	_mm256_storeu_si256((__m256i *)(void *)dst, x);
}

static void pack_avx2(int32_t *dst, const float *const src[SAMPLE_CHANNELS], size_t frames,
	float peak[SAMPLE_CHANNELS])
{
	__m256i max = _mm256_setzero_si256();

	for (size_t i = 0; i < frames; i += 4) {
		__m256 r0 = load_channels(src, 0, i);
		__m256 r1 = load_channels(src, 1, i);
		__m256 r2 = load_channels(src, 2, i);
		__m256 r3 = load_channels(src, 3, i);

		transpose(&r0, &r1, &r2, &r3);
		store_frame(dst, convert(r0, &max));
		store_frame(dst + SAMPLE_CHANNELS, convert(r1, &max));
		store_frame(dst + 2 * SAMPLE_CHANNELS, convert(r2, &max));
		store_frame(dst + 3 * SAMPLE_CHANNELS, convert(r3, &max));
		dst += 4 * SAMPLE_CHANNELS;
	}
	raise_peaks(peak, max);
}

/* The same of channels that all have a buffer. */
static inline __m256 load_present(const float *const src[SAMPLE_CHANNELS], unsigned k, size_t i)
{
	return _mm256_insertf128_ps(
		_mm256_castps128_ps256(_mm_loadu_ps(src[k] + i)), _mm_loadu_ps(src[k + 4] + i), 1);
}

/* Whole frames, of which only the first half has channels with a buffer. */
static inline void store_half_frames(int32_t *frame, int32_t *fourth_after, __m256i x)
{
	store_frame(frame, _mm256_zextsi128_si256(_mm256_castsi256_si128(x)));
	store_frame(fourth_after, _mm256_zextsi128_si256(_mm256_extracti128_si256(x, 1)));
}

/* Eight frames of a channel side by side: a transposition within the halves makes frame i and frame i + 4 of it. */
static void pack_first_half(int32_t *const *dst, size_t blocks, const float *const src[4], float peak[4])
{
	__m256i max = _mm256_setzero_si256();
	__m128 found;

	for (size_t b = 0; b < blocks; b++) {
		int32_t *to = dst[b], *after = to + 4 * SAMPLE_CHANNELS;
		__m256 r0 = _mm256_loadu_ps(src[0] + b * SAMPLE_BLOCK_FRAMES);
		__m256 r1 = _mm256_loadu_ps(src[1] + b * SAMPLE_BLOCK_FRAMES);
		__m256 r2 = _mm256_loadu_ps(src[2] + b * SAMPLE_BLOCK_FRAMES);
		__m256 r3 = _mm256_loadu_ps(src[3] + b * SAMPLE_BLOCK_FRAMES);

		transpose(&r0, &r1, &r2, &r3);
		store_half_frames(to, after, convert(r0, &max));
		store_half_frames(to + SAMPLE_CHANNELS, after + SAMPLE_CHANNELS, convert(r1, &max));
		store_half_frames(to + 2 * SAMPLE_CHANNELS, after + 2 * SAMPLE_CHANNELS, convert(r2, &max));
		store_half_frames(to + 3 * SAMPLE_CHANNELS, after + 3 * SAMPLE_CHANNELS, convert(r3, &max));
	}
	found = _mm_castsi128_ps(
		_mm_max_epi32(_mm256_castsi256_si128(max), _mm256_extracti128_si256(max, 1)));
	_mm_storeu_ps(peak, _mm_max_ps(found, _mm_loadu_ps(peak)));
}

static void pack_all(int32_t *const *dst, size_t blocks, const float *const src[SAMPLE_CHANNELS],
	float peak[SAMPLE_CHANNELS])
{
	__m256i max = _mm256_setzero_si256();

	for (size_t b = 0; b < blocks; b++) {
		int32_t *to = dst[b];

		for (size_t i = b * SAMPLE_BLOCK_FRAMES; i < (b + 1) * SAMPLE_BLOCK_FRAMES; i += 4) {
			__m256 r0 = load_present(src, 0, i);
			__m256 r1 = load_present(src, 1, i);
			__m256 r2 = load_present(src, 2, i);
			__m256 r3 = load_present(src, 3, i);

			transpose(&r0, &r1, &r2, &r3);
			store_frame(to, convert(r0, &max));
			store_frame(to + SAMPLE_CHANNELS, convert(r1, &max));
			store_frame(to + 2 * SAMPLE_CHANNELS, convert(r2, &max));
			store_frame(to + 3 * SAMPLE_CHANNELS, convert(r3, &max));
			to += 4 * SAMPLE_CHANNELS;
		}
	}
	raise_peaks(peak, max);
}

static void pack_blocks_avx2(int32_t *const *dst, size_t blocks, const float *const src[SAMPLE_CHANNELS],
	float peak[SAMPLE_CHANNELS])
{
	const float *from[SAMPLE_CHANNELS];

	if (any_of_four(src + 4)) {
		with_silence(from, src, SAMPLE_CHANNELS);
		pack_all(dst, blocks, from, peak);
	} else if (any_of_four(src)) {
		with_silence(from, src, SAMPLE_CHANNELS / 2);
		pack_first_half(dst, blocks, from, peak);
	} else {
		for (size_t b = 0; b < blocks; b++) {
			for (size_t i = 0; i < SAMPLE_BLOCK_FRAMES; i++) {
				store_frame(dst[b] + i * SAMPLE_CHANNELS, _mm256_setzero_si256());
			}
		}
	}
}

static inline __m256 load_frame(const int32_t *src, __m256i *max)
{
	__m256i in = _mm256_loadu_si256((const __m256i *)(const void *)src);
	__m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(in), _mm256_set1_ps(SAMPLE_UNSCALE));
	__m256i abs = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(FLOAT_ABS_MASK));

	*max = _mm256_max_epi32(*max, abs);
	return x;
}

static inline void store_channels(float *const dst[SAMPLE_CHANNELS], unsigned k, size_t i, __m256 x)
{
	if (dst[k]) {
		_mm_storeu_ps(dst[k] + i, _mm256_castps256_ps128(x));
	}
	if (dst[k + 4]) {
		_mm_storeu_ps(dst[k + 4] + i, _mm256_extractf128_ps(x, 1));
	}
}

static void unpack_avx2(float *const dst[SAMPLE_CHANNELS], const int32_t *src, size_t frames,
	float peak[SAMPLE_CHANNELS])
{
	__m256i max = _mm256_setzero_si256();

	for (size_t i = 0; i < frames; i += 4) {
		__m256 r0 = load_frame(src, &max);
		__m256 r1 = load_frame(src + SAMPLE_CHANNELS, &max);
		__m256 r2 = load_frame(src + 2 * SAMPLE_CHANNELS, &max);
		__m256 r3 = load_frame(src + 3 * SAMPLE_CHANNELS, &max);

		transpose(&r0, &r1, &r2, &r3);
		store_channels(dst, 0, i, r0);
		store_channels(dst, 1, i, r1);
		store_channels(dst, 2, i, r2);
		store_channels(dst, 3, i, r3);
		src += 4 * SAMPLE_CHANNELS;
	}
	if (all_four(dst) && all_four(dst + 4)) {
		raise_peaks(peak, max);
	} else {
		float found[SAMPLE_CHANNELS];

		_mm256_storeu_ps(found, _mm256_castsi256_ps(max));
		raise_peaks_heard(peak, found, dst, SAMPLE_CHANNELS);
	}
}

const struct sample_kernels sample_kernels_avx2 = {
	.name = "avx2",
	.pack = pack_avx2,
	.pack_blocks = pack_blocks_avx2,
	.unpack = unpack_avx2,
};
