/*
 * What the test tools play and expect: 8 planar channels of floats, made or read before anything starts.
 *
 * Ownership: material_*() fill a struct material of the caller, who frees it with material_fini().
 * Main thread only; the arrays are read-only afterwards and may then be read from anywhere.
 */
#ifndef TOOLS_MATERIAL_H
#define TOOLS_MATERIAL_H

#include <stddef.h>
#include <stdint.h>

#define MATERIAL_CHANNELS 8
#define MATERIAL_PATTERN_MASK 0x1fffff /* the frame number's 21 bits; with 3 bits of channel they fill 24 */

struct material {
	float *channel[MATERIAL_CHANNELS];
	size_t frames;
	unsigned rate_hz;
};

/*
 * Reads a sound file of 1 to 8 channels; those it lacks stay silent. max_frames: 0 is all of it.
 * 0, or -errno with a sentence in error (size bytes) that names the file and the remedy.
 */
int material_read(struct material *m, const char *path, size_t max_frames, char *error, size_t size);

/* The counter: frame n = 1.., channel c = 0..7 gives ((n & mask) * 8 + c) - 2^23, as a float / 2^23. 0 or -ENOMEM. */
int material_pattern(struct material *m, size_t frames, unsigned rate_hz);
int32_t material_pattern_value(uint64_t n, unsigned c);

/* Chords, arpeggio, bass and drums: the same each time, different in each channel, at most -3.5 dBFS. 0 or -ENOMEM. */
int material_music(struct material *m, size_t frames, unsigned rate_hz);

/* Writes an 8-channel 32-bit float WAV file; errors as in material_read(). */
int material_write(const struct material *m, const char *path, char *error, size_t size);

void material_fini(struct material *m);

#endif
