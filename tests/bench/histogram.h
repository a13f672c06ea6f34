/*
 * Durations in buckets of at most 0.8 %, for quantiles without keeping every value. No allocation.
 *
 * Ownership: the caller's, zeroed memory is an empty one. One thread adds; nobody reads meanwhile.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

/*
 * Below 128 ns each duration has its own bucket; from there on 128 buckets make a doubling. The last one also
 * takes whatever is too long for it, from some 18 minutes on.
 */
#define HISTOGRAM_STEPS 128
#define HISTOGRAM_BUCKETS (34 * HISTOGRAM_STEPS)

struct histogram {
	uint32_t count[HISTOGRAM_BUCKETS];
	uint64_t total;
	uint64_t max_ns;
};

/* RT safe. */
void histogram_add_rt(struct histogram *h, uint64_t ns);
/* What the given share (0..1) of all does not exceed, to a bucket's width. 0 where nothing was added. */
uint64_t histogram_quantile_ns(const struct histogram *h, double share);

#endif
