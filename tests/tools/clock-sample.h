/*
 * Lines of commands on a test program's standard input, and the graph's clock written into samples: what plays and what
 * listens agree on it, so that whoever gets a sample knows at which frame of the clock it was played.
 */
#ifndef TOOLS_CLOCK_SAMPLE_H
#define TOOLS_CLOCK_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512
/* Frames of the clock that a sample can tell apart. */
#define CLOCK_MASK 0xfffff
#define CHANNEL_BITS 3
#define CLOCK_SCALE 8388608.0f

/* Never silence. */
static inline float sample_of(uint64_t frame, unsigned c)
{
	return (float)(((uint32_t)(frame & CLOCK_MASK) << CHANNEL_BITS) | (c + 1)) / CLOCK_SCALE;
}

/* How many frames ago it was played. -1: it is no sample of this channel. */
static inline int64_t age_of(float sample, uint64_t frame, unsigned c)
{
	float value = sample * CLOCK_SCALE;
	uint32_t bits = value > 0 && value < CLOCK_SCALE ? (uint32_t)value : 0;

	if ((float)bits != value || (bits & ((1 << CHANNEL_BITS) - 1)) != c + 1) {
		return -1;
	}
	return (int64_t)((frame - (bits >> CHANNEL_BITS)) & CLOCK_MASK);
}

struct lines {
	char text[LINE_MAX_BYTES];
	size_t n;
	bool over;
};

static inline void lines_fill(struct lines *l)
{
	ssize_t n = read(STDIN_FILENO, l->text + l->n, sizeof(l->text) - 1 - l->n);

	if (n <= 0) {
		l->over = true;
		return;
	}
	l->n += (size_t)n;
}

static inline bool lines_take(struct lines *l, char *ret_line)
{
	char *end = memchr(l->text, '\n', l->n);
	size_t n = end ? (size_t)(end - l->text) : 0;

	if (!end) {
		return false;
	}
	memcpy(ret_line, l->text, n);
	ret_line[n] = '\0';
	l->n -= n + 1;
	memmove(l->text, end + 1, l->n);
	return true;
}

#endif
