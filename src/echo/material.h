/*
 * What a client sends, and the comparison of what comes back with what went some frames before.
 *
 * Ownership: the caller's; material_fini() frees what is in it. One thread.
 */
#ifndef ECHO_MATERIAL_H
#define ECHO_MATERIAL_H

#include "echo/options.h"
#include "echo/wav.h"

struct material {
	const struct options *opt;
	struct wav wav;
};

/* Frames that came, against those that should have come. */
struct difference {
	uint64_t frames, unequal;
	uint64_t first_unequal;
	double largest;
	double signal, noise; /* sums of squares */
};

/* 0, or -errno (said). */
int material_init(struct material *material, const struct options *options);
void material_fini(struct material *material);
/* The sample of a place; silence before the first. */
float material_at(const struct material *material, int64_t position, unsigned channel);
/* Frames [position, position + n) came: those of the material `latency` before? */
void material_compare(const struct material *material, struct difference *difference, uint64_t position,
	int64_t latency, const float *const audio[NETVST_CHANNELS], uint32_t n);

#endif
