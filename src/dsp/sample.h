/*
 * Sample format kernels: 8 planar float buffers <-> interleaved int32 little-endian, as a box takes and
 * sends it (frame 0 channel 1..8, frame 1 channel 1..8, …).
 *
 * Pure functions without state; any thread, RT safe. Every kernel set gives bit-identical results.
 *
 * float to int32: x * 2^31 rounded to the nearest integer, ties to even; +1.0 and above becomes
 * 0x7fffffff, -1.0 and below 0x80000000; NaN becomes 0; denormals become 0 (their nearest integer) and
 * cost nothing extra. int32 to float: nearest float of i * 2^-31.
 */
#ifndef DSP_SAMPLE_H
#define DSP_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLE_CHANNELS 8
#define SAMPLE_BLOCK_FRAMES 8 /* sample frames of a block */
#define SAMPLE_BLOCKS_MAX 8   /* that one call of pack_blocks takes */

struct sample_kernels {
	const char *name; /* "c", "sse2", "avx2", "neon" */

	/*
	 * frames: a multiple of 8, at least 8. src[k]: frames floats each, float-aligned (no more is
	 * promised); NULL is silence. dst: frames * 8 int32, 4-byte aligned. peak[k] is raised to the
	 * largest |x| of channel k where that is larger (before clamping: +1.5 gives 1.5; NaN and
	 * denormals do not count; infinity counts as such). src and dst must not overlap.
	 */
	void (*pack)(int32_t *dst, const float *const src[SAMPLE_CHANNELS], size_t frames,
		float peak[SAMPLE_CHANNELS]);

	/*
	 * The same for 1 to SAMPLE_BLOCKS_MAX blocks that do not stand one behind the other: block b of the channels, from
	 * their frame b * SAMPLE_BLOCK_FRAMES on, goes to dst[b].
	 */
	void (*pack_blocks)(int32_t *const *dst, size_t blocks, const float *const src[SAMPLE_CHANNELS],
		float peak[SAMPLE_CHANNELS]);

	/* The way back: dst[k] may be NULL (nobody listens). peak as above, of the floats written. */
	void (*unpack)(float *const dst[SAMPLE_CHANNELS], const int32_t *src, size_t frames,
		float peak[SAMPLE_CHANNELS]);
};

/* Always there; the others are held to its bits. */
extern const struct sample_kernels sample_kernels_c;

/* The fastest set that this processor runs. Chosen on the first call; control thread first. */
const struct sample_kernels *sample_kernels_best(void);

/* All sets that this processor runs, for tests and benchmarks: at most max into ret[], the number is returned. */
unsigned sample_kernels_all(const struct sample_kernels **ret, unsigned max);

#endif
