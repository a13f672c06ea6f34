/*
 * Histograms of durations: four bins an octave, from 256 ns to a tenth of a second, so that a quantile is
 * right to a quarter. Header only.
 *
 * Threads: one thread adds, or several by hist_add_shared_rt(); any other may read meanwhile, and sees each number as of a
 * moment ago.
 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include <stdatomic.h>
#include <stdint.h>

#define HIST_BINS 80
#define HIST_OCTAVE_BINS 4
#define HIST_FIRST_OCTAVE                                                                                    \
	8 /* bin 0 holds all below 2^8 ns, the last one all that is too long for the others */

struct hist {
	_Atomic uint64_t bin[HIST_BINS];
	_Atomic uint64_t max_ns;
};

/* RT safe. */
static inline unsigned hist_bin(int64_t value_ns)
{
	unsigned octave, bin;

	if (value_ns < (1 << HIST_FIRST_OCTAVE)) {
		return 0;
	}
	octave = 63U - (unsigned)__builtin_clzll((unsigned long long)value_ns);
	bin = 1 + (octave - HIST_FIRST_OCTAVE) * HIST_OCTAVE_BINS +
	      (unsigned)(value_ns >> (octave - 2) & (HIST_OCTAVE_BINS - 1));
	return bin < HIST_BINS ? bin : HIST_BINS - 1;
}

/* The least value that falls into a bin, in ns. */
static inline int64_t hist_bin_floor_ns(unsigned bin)
{
	unsigned octave;

	if (bin == 0) {
		return 0;
	}
	octave = HIST_FIRST_OCTAVE + (bin - 1) / HIST_OCTAVE_BINS;
	return (int64_t)(HIST_OCTAVE_BINS + (bin - 1) % HIST_OCTAVE_BINS) << (octave - 2);
}

/* RT safe; one thread only. */
static inline void hist_add_rt(struct hist *hist, int64_t value_ns)
{
	_Atomic uint64_t *bin = &hist->bin[hist_bin(value_ns)];

	atomic_store_explicit(bin, atomic_load_explicit(bin, memory_order_relaxed) + 1, memory_order_relaxed);
	if (value_ns > 0 && (uint64_t)value_ns > atomic_load_explicit(&hist->max_ns, memory_order_relaxed)) {
		atomic_store_explicit(&hist->max_ns, (uint64_t)value_ns, memory_order_relaxed);
	}
}

/* The same where several threads add. RT safe. */
static inline void hist_add_shared_rt(struct hist *hist, int64_t value_ns)
{
	uint64_t max_ns = atomic_load_explicit(&hist->max_ns, memory_order_relaxed);

	atomic_fetch_add_explicit(&hist->bin[hist_bin(value_ns)], 1, memory_order_relaxed);
	while (value_ns > 0 && (uint64_t)value_ns > max_ns &&
		!atomic_compare_exchange_weak_explicit(&hist->max_ns, &max_ns, (uint64_t)value_ns,
			memory_order_relaxed, memory_order_relaxed)) {
	}
}

/* RT safe; only the thread that adds. */
static inline void hist_clear_rt(struct hist *hist)
{
	for (unsigned i = 0; i < HIST_BINS; i++) {
		atomic_store_explicit(&hist->bin[i], 0, memory_order_relaxed);
	}
	atomic_store_explicit(&hist->max_ns, 0, memory_order_relaxed);
}

/*
 * The upper edge of the bin that holds the quantile q (0..1) of these counts, in ns; 0 without any. bins: as in
 * struct hist, taken by the caller.
 */
static inline int64_t hist_quantile_ns(const uint64_t bins[HIST_BINS], double q)
{
	uint64_t total = 0, sum = 0;

	for (unsigned i = 0; i < HIST_BINS; i++) {
		total += bins[i];
	}
	for (unsigned i = 0; i < HIST_BINS; i++) {
		sum += bins[i];
		if (sum > 0 && (double)sum >= q * (double)total) {
			return hist_bin_floor_ns(i + 1);
		}
	}
	return 0;
}

#endif
