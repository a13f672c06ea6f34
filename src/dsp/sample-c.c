#include "dsp/sample-internal.h"

#include <endian.h>
#include <string.h>

const float sample_silence[SAMPLE_BLOCKS_MAX * SAMPLE_BLOCK_FRAMES] __attribute__((aligned(64)));

/* A copy of bits: an x87 load would quieten a signalling NaN on the way. */
static inline uint32_t bits_of(const float *f)
{
	uint32_t bits;

	memcpy(&bits, f, sizeof(bits));
	return bits;
}

/*
 * All in integers: exact on every machine whatever the FPU's rounding mode, its precision or its way with
 * denormals. A normal number below 1 is mantissa * 2^(exponent - 150), so its sample is
 * mantissa * 256 / 2^(127 - exponent).
 */
static inline int32_t sample_of(uint32_t bits)
{
	uint32_t abs = bits & FLOAT_ABS_MASK;
	bool negative = bits != abs;
	uint64_t scaled, rounded;
	unsigned shift;

	if (abs < FLOAT_MIN_NORMAL || abs > FLOAT_INFINITY) {
		return 0;
	}
	if (abs >= FLOAT_ONE) {
		return negative ? INT32_MIN : INT32_MAX;
	}
	scaled = (uint64_t)((abs & (FLOAT_MIN_NORMAL - 1)) | FLOAT_MIN_NORMAL) << 8;
	shift = 127 - (abs >> 23);
	if (shift > 33) {
		shift = 33; /* less than a half from here on */
	}
	/* One less than a half, and the last bit: a tie then goes up from an odd number only. */
	rounded = (scaled + ((uint64_t)1 << (shift - 1)) - 1 + (scaled >> shift & 1)) >> shift;
	return negative ? -(int32_t)rounded : (int32_t)rounded;
}

static inline uint32_t peak_bits(uint32_t bits, uint32_t peak)
{
	uint32_t abs = bits & FLOAT_ABS_MASK;

	if (abs < FLOAT_MIN_NORMAL || abs > FLOAT_INFINITY) {
		return peak;
	}
	return abs > peak ? abs : peak;
}

static void raise_peak(float *peak, uint32_t bits)
{
	float found;

	memcpy(&found, &bits, sizeof(found));
	if (found > *peak) {
		*peak = found;
	}
}

static void pack_c(int32_t *dst, const float *const src[SAMPLE_CHANNELS], size_t frames,
	float peak[SAMPLE_CHANNELS])
{
	for (unsigned k = 0; k < SAMPLE_CHANNELS; k++) {
		uint32_t max = 0;

		for (size_t i = 0; i < frames; i++) {
			uint32_t bits = src[k] ? bits_of(&src[k][i]) : 0;

			dst[i * SAMPLE_CHANNELS + k] = (int32_t)htole32((uint32_t)sample_of(bits));
			max = peak_bits(bits, max);
		}
		raise_peak(&peak[k], max);
	}
}

static void pack_blocks_c(int32_t *const *dst, size_t blocks, const float *const src[SAMPLE_CHANNELS],
	float peak[SAMPLE_CHANNELS])
{
	pack_each_block(&sample_kernels_c, dst, blocks, src, peak);
}

static void unpack_c(float *const dst[SAMPLE_CHANNELS], const int32_t *src, size_t frames,
	float peak[SAMPLE_CHANNELS])
{
	for (unsigned k = 0; k < SAMPLE_CHANNELS; k++) {
		uint32_t max = 0;

		for (size_t i = 0; dst[k] && i < frames; i++) {
			int32_t sample = (int32_t)le32toh((uint32_t)src[i * SAMPLE_CHANNELS + k]);

			dst[k][i] = (float)sample * SAMPLE_UNSCALE;
			max = peak_bits(bits_of(&dst[k][i]), max);
		}
		raise_peak(&peak[k], max);
	}
}

const struct sample_kernels sample_kernels_c = {
	.name = "c",
	.pack = pack_c,
	.pack_blocks = pack_blocks_c,
	.unpack = unpack_c,
};
