#include "histogram.h"

#include "base/util.h"

static unsigned bucket_of(uint64_t ns)
{
	unsigned doublings, bucket;

	if (ns < HISTOGRAM_STEPS) {
		return (unsigned)ns;
	}
	/* 128 to 255 stand for themselves: from there on the eight highest bits of ns count. */
	doublings = 63 - (unsigned)__builtin_clzll(ns) - 7;
	bucket = doublings * HISTOGRAM_STEPS + (unsigned)(ns >> doublings);
	return MIN(bucket, HISTOGRAM_BUCKETS - 1u);
}

/* The longest duration of a bucket. */
static uint64_t bucket_end_ns(unsigned bucket)
{
	unsigned doublings;

	if (bucket < 2 * HISTOGRAM_STEPS) {
		return bucket;
	}
	doublings = bucket / HISTOGRAM_STEPS - 1;
	return ((uint64_t)(bucket - doublings * HISTOGRAM_STEPS + 1) << doublings) - 1;
}

void histogram_add_rt(struct histogram *h, uint64_t ns)
{
	h->count[bucket_of(ns)]++;
	h->total++;
	h->max_ns = MAX(h->max_ns, ns);
}

uint64_t histogram_quantile_ns(const struct histogram *h, double share)
{
	double wanted = share * (double)h->total;
	uint64_t sum = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		sum += h->count[i];
		if (sum > 0 && (double)sum >= wanted) {
			return MIN(bucket_end_ns(i), h->max_ns);
		}
	}
	return h->max_ns;
}
