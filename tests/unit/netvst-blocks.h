/*
 * Random numbers that are the same every time, and NetVST blocks made of them or compared. For the tests of the codec
 * and its fuzz target.
 *
 * Ownership: all is the caller's. Threads: any; a seed belongs to one.
 */
#ifndef TESTS_NETVST_BLOCKS_H
#define TESTS_NETVST_BLOCKS_H

#include "proto/netvst.h"

#include <math.h>
#include <string.h>

enum blocks_kind {
	BLOCKS_SINE,
	BLOCKS_NOISE,
	BLOCKS_SILENCE, /* of both signs */
	BLOCKS_FULL_SCALE,
	BLOCKS_DENORMAL,
	BLOCKS_BITS, /* any bits that are a finite number */
	BLOCKS_MIXED,
	BLOCKS_KINDS,
};

/* xorshift; a seed of 0 would stay 0. */
static inline uint32_t blocks_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* 0 to n - 1. */
static inline uint32_t blocks_below(uint32_t *seed, uint32_t n)
{
	return (uint32_t)((uint64_t)blocks_random(seed) * n >> 32);
}

static inline float blocks_from_bits(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* -1 to 1. */
static inline float blocks_noise(uint32_t *seed)
{
	return (float)(int32_t)blocks_random(seed) / 2147483648.0f;
}

static inline float blocks_sample(uint32_t *seed, enum blocks_kind kind, float loud, double phase)
{
	uint32_t bits;

	switch (kind) {
	case BLOCKS_SINE:
		return loud * (float)sin(phase);
	case BLOCKS_NOISE:
		return loud * blocks_noise(seed);
	case BLOCKS_SILENCE:
		return blocks_below(seed, 8) ? 0.0f : -0.0f;
	case BLOCKS_FULL_SCALE:
		return blocks_below(seed, 2) ? 1.0f : -1.0f;
	case BLOCKS_DENORMAL:
		return blocks_from_bits(blocks_random(seed) & 0x807fffff);
	case BLOCKS_BITS:
		bits = blocks_random(seed);
		return blocks_from_bits((bits & 0x7f800000) == 0x7f800000 ? bits & 0x807fffff : bits);
	default:
		return blocks_sample(seed, (enum blocks_kind)blocks_below(seed, BLOCKS_MIXED), loud, phase);
	}
}

static inline void blocks_fill(struct netvst_block *block, uint32_t *seed, enum blocks_kind kind)
{
	float loud = powf(10.0f, -6.0f * (float)blocks_below(seed, 1000) / 1000.0f);
	double step = 0.001 * blocks_below(seed, 3000);

	for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
		for (uint32_t i = 0; i < block->frames; i++) {
			block->audio[c][i] = blocks_sample(seed, kind, loud, step * (i + c));
		}
	}
}

/* Its events and parameters. */
static inline void blocks_make_events(struct netvst_block *block, uint32_t *seed, enum netvst_dialect dialect)
{
	uint32_t frame = 0;

	block->timestamp = blocks_random(seed);
	block->n_midi = blocks_below(seed, blocks_below(seed, 8) ? 4 : NETVST_MIDI_MAX + 1);
	for (unsigned i = 0; i < block->n_midi; i++) {
		uint8_t status = (uint8_t)(0x80 + blocks_below(seed, 0x70));
		bool two = status >= 0xc0 && status < 0xe0;

		frame += blocks_below(seed, 3);
		frame = frame < block->frames ? frame : block->frames - 1;
		block->midi[i] = (struct netvst_midi){frame, status, (uint8_t)blocks_below(seed, 128),
			two ? 0 : (uint8_t)blocks_below(seed, 128)};
	}
	if (dialect == NETVST_AUDIOKIT) {
		block->n_params = blocks_below(seed, blocks_below(seed, 8) ? 4 : NETVST_PARAMS_MAX + 1);
	}
	for (unsigned i = 0; i < block->n_params; i++) {
		block->params[i].effect = (uint16_t)blocks_random(seed);
		block->params[i].param = (uint16_t)blocks_random(seed);
		block->params[i].value = blocks_noise(seed);
	}
}

/* Any block that may be sent; small ones more often. */
static inline void blocks_make(struct netvst_block *block, uint32_t *seed, enum netvst_dialect dialect,
	enum netvst_direction direction)
{
	uint32_t max = dialect == NETVST_2017 ? NETVST_FRAMES_MAX : NETVST_AUDIOKIT_FRAMES_MAX;

	memset(block, 0, sizeof(*block));
	block->frames = 1 + blocks_below(seed, blocks_below(seed, 4) ? 64 : max);
	block->has_audio = direction == NETVST_REPLY || blocks_below(seed, 3);
	if (block->has_audio) {
		blocks_fill(block, seed, (enum blocks_kind)blocks_below(seed, BLOCKS_KINDS));
	}
	if (direction == NETVST_REQUEST) {
		blocks_make_events(block, seed, dialect);
	}
}

/* To the bit, where there is something: NaN is not expected, and -0 is not 0. */
static inline bool blocks_equal(const struct netvst_block *a, const struct netvst_block *b)
{
	if (a->frames != b->frames || a->timestamp != b->timestamp || a->has_audio != b->has_audio ||
		a->n_midi != b->n_midi || a->n_params != b->n_params) {
		return false;
	}
	for (unsigned i = 0; i < a->n_midi; i++) {
		if (a->midi[i].frame != b->midi[i].frame || a->midi[i].status != b->midi[i].status ||
			a->midi[i].data1 != b->midi[i].data1 || a->midi[i].data2 != b->midi[i].data2) {
			return false;
		}
	}
	for (unsigned i = 0; i < a->n_params; i++) {
		if (memcmp(&a->params[i], &b->params[i], sizeof(a->params[i])) != 0) {
			return false;
		}
	}
	return !a->has_audio || (memcmp(a->audio[0], b->audio[0], a->frames * sizeof(float)) == 0 &&
					memcmp(a->audio[1], b->audio[1], a->frames * sizeof(float)) == 0);
}

#endif
