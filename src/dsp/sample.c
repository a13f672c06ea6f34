#include "config.h"

#include "dsp/sample-internal.h"

#include <stdlib.h>
#include <string.h>

/* The NEON kernels store int32 as the processor does; a big-endian one takes the plain set. */
#if defined(DSP_NEON) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define USE_NEON 1
#else
#define USE_NEON 0
#endif

#define MAX_SETS 4

static const struct sample_kernels *chosen;

/* Slowest first. */
static unsigned find_sets(const struct sample_kernels *ret[MAX_SETS])
{
	unsigned n = 0;

	ret[n++] = &sample_kernels_c;
#ifdef DSP_X86
	__builtin_cpu_init();
	if (__builtin_cpu_supports("sse2")) {
		ret[n++] = &sample_kernels_sse2;
	}
	if (__builtin_cpu_supports("avx2")) {
		ret[n++] = &sample_kernels_avx2;
	}
#endif
#if USE_NEON
	ret[n++] = &sample_kernels_neon;
#endif
	return n;
}

unsigned sample_kernels_all(const struct sample_kernels **ret, unsigned max)
{
	const struct sample_kernels *sets[MAX_SETS];
	unsigned n = find_sets(sets);

	if (n > max) {
		n = max;
	}
	for (unsigned i = 0; i < n; i++) {
		ret[i] = sets[i];
	}
	return n;
}

const struct sample_kernels *sample_kernels_best(void)
{
	const struct sample_kernels *sets[MAX_SETS];
	const char *forced;
	unsigned n;

	if (chosen) {
		return chosen;
	}
	n = find_sets(sets);
	chosen = sets[n - 1];
	/* A set that this processor lacks is not worth dying for: the results are the same bits. */
	forced = getenv("ETHLINKD_DSP");
	for (unsigned i = 0; forced && i < n; i++) {
		if (strcmp(forced, sets[i]->name) == 0) {
			chosen = sets[i];
		}
	}
	return chosen;
}
