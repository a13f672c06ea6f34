#include "echo/counter.h"

#include <math.h>
#include <string.h>

#define LOCK_FRAMES 16 /* so many in a row are no chance */
#define SCALE 8388608.0f
#define CHANNEL_NUMBERS 8

float counter_value(uint64_t n, unsigned channel)
{
	int32_t value = (int32_t)((n & COUNTER_MASK) * CHANNEL_NUMBERS + channel) - (1 << 23);

	return (float)value / SCALE;
}

void counter_init(struct counter *counter)
{
	memset(counter, 0, sizeof(*counter));
}

/* The number in a frame, or -1 where it is none of the pattern. */
static int64_t number_of(float left, float right)
{
	float value = left * SCALE + SCALE;
	int64_t n;

	if (!(value >= 0.0f && value < 2.0f * SCALE) || fmodf(value, (float)CHANNEL_NUMBERS) > 0.0f) {
		return -1;
	}
	n = (int64_t)value / CHANNEL_NUMBERS;
	return memcmp(&right, &(float){counter_value((uint64_t)n, 1)}, sizeof(right)) == 0 ? n : -1;
}

/* Frame number 1 belongs to position 0. */
static int64_t latency_of(uint64_t position, int64_t n)
{
	return (int64_t)((position + 1 - (uint64_t)n) & COUNTER_MASK);
}

static void unlock(struct counter *c)
{
	c->locked = false;
	c->gap = (struct counter_gap){.position = c->position, .latency_before = c->latency};
}

static void lock(struct counter *c)
{
	c->locked = true;
	c->exact += c->run;
	if (c->begun) {
		c->gap.frames -= c->run;
		c->gap.latency_after = c->run_latency;
		if (c->n_gaps < COUNTER_GAPS_MAX) {
			c->gaps[c->n_gaps] = c->gap;
		}
		c->n_gaps++;
	} else {
		c->first_latency = c->run_latency;
	}
	c->latency = c->run_latency;
	c->begun = true;
	c->run = 0;
}

/* A frame that belongs to no lock, nor to the run that might become one. */
static void leave_out(struct counter *c, uint64_t frames, bool zero)
{
	*(zero ? &c->zeros : &c->wrong) += frames;
	c->gap.zeros += zero ? frames : 0;
}

static void search(struct counter *c, float left, float right, int64_t n)
{
	bool zero = memcmp(&left, &(float){0.0f}, sizeof(left)) == 0 &&
		    memcmp(&right, &(float){0.0f}, sizeof(right)) == 0;

	c->gap.frames++;
	if (n < 0 || (c->run > 0 && latency_of(c->position, n) != c->run_latency)) {
		leave_out(c, c->run, false);
		c->run = 0;
	}
	if (n < 0) {
		leave_out(c, 1, zero);
		return;
	}
	c->run_latency = latency_of(c->position, n);
	if (++c->run == LOCK_FRAMES) {
		lock(c);
	}
}

void counter_check(struct counter *c, const float *left, const float *right, size_t n)
{
	for (size_t i = 0; i < n; i++, c->position++) {
		int64_t number = number_of(left[i], right[i]);

		if (c->locked && number >= 0 && latency_of(c->position, number) == c->latency) {
			c->exact++;
			continue;
		}
		if (c->locked) {
			unlock(c);
		}
		search(c, left[i], right[i], number);
	}
}

void counter_end(struct counter *c)
{
	leave_out(c, c->run, false);
	c->run = 0;
	if (c->begun && !c->locked && c->gap.zeros < c->gap.frames) {
		c->gap.latency_after = c->latency;
		if (c->n_gaps < COUNTER_GAPS_MAX) {
			c->gaps[c->n_gaps] = c->gap;
		}
		c->n_gaps++;
	}
}
