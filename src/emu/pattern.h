/*
 * A test signal in which every sample says which sample frame and channel it belongs to, and the
 * check of it. It fits into 24 bits, so it passes unharmed through a float: what goes into the
 * sound server and what a box plays can be compared sample by sample.
 *
 * Pure: no I/O, no allocation. The caller owns the struct; any thread, one at a time.
 */
#ifndef EMU_PATTERN_H
#define EMU_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#define PATTERN_CHANNELS 8
#define PATTERN_BLOCK_FRAMES 8
#define PATTERN_MODULUS (1u << 21) /* sample frames until the numbers start again: 43 s at 48 kHz */

/* Sample frame n (count from 1), channel 0..7: -2^31 .. 2^31 - 256, the lowest 8 bits zero. RT safe. */
static inline int32_t pattern_value(uint64_t n, unsigned channel)
{
	uint32_t v = ((uint32_t)n & (PATTERN_MODULUS - 1)) * PATTERN_CHANNELS + channel;

	return ((int32_t)v - (1 << 23)) * 256;
}

/* The same as the float that converts to it exactly. RT safe. */
static inline float pattern_float(uint64_t n, unsigned channel)
{
	return (float)pattern_value(n, channel) * 0x1p-31f;
}

struct pattern_check {
	uint64_t blocks;  /* blocks with any nonzero sample */
	uint64_t breaks;  /* of those: not the continuation of the one before, or not the pattern at all */
	uint64_t garbled; /* of those: not the pattern at all */
	uint64_t run;	  /* whole blocks of the pattern in order, with nothing between them, up to now */
	bool started;
	uint32_t next;			    /* number of the sample frame that is due */
	uint32_t break_expected, break_got; /* of the newest break by number */
};

void pattern_check_init(struct pattern_check *p);

/*
 * Looks at one block as it was played (256 bytes, int32 little-endian, 8 frames of 8 channels). Sample frames
 * of silence are skipped: the pattern has to go on after them where it stopped. False where this block was a
 * break.
 */
bool pattern_check_block(struct pattern_check *p, const uint8_t *audio);

/* Silence was played, or nothing: the run ends, the numbers still have to go on where they stopped. */
void pattern_check_silence(struct pattern_check *p);

#endif
