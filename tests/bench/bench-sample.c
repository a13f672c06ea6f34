/*
 * How long each kernel set takes for a block (8 sample frames of 8 channels). The best of many short runs
 * counts: what interrupts a run only ever makes it longer.
 */
#include "config.h"

#include "base/util.h"
#include "dsp/sample.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CH SAMPLE_CHANNELS
#define BLOCK 8
#define MAX_SETS 8
#define MAX_FRAMES 8192
#define RUN_BLOCKS 8192 /* at most this many blocks a run, so that most runs are not interrupted */

static float planar[CH][MAX_FRAMES] CACHELINE_ALIGNED;
static int32_t mixed[MAX_FRAMES * CH] CACHELINE_ALIGNED;
static float peaks[CH];

enum fill {
	FILL_NOISE,
	FILL_DENORMAL,
	FILL_NAN,
	FILL_CLIPPED,
};

struct bench_case {
	const char *name;
	enum fill fill;
	bool unpack;
	bool blocks;	  /* pack_blocks, SAMPLE_BLOCKS_MAX of them whatever a call has */
	unsigned present; /* bit k: channel k has a buffer */
};

static const struct bench_case cases[] = {
	{.name = "pack", .present = 0xff},
	{.name = "pack-denormal", .fill = FILL_DENORMAL, .present = 0xff},
	{.name = "pack-nan", .fill = FILL_NAN, .present = 0xff},
	{.name = "pack-clipped", .fill = FILL_CLIPPED, .present = 0xff},
	{.name = "pack-two-channels", .present = 0x03},
	{.name = "pack-silence"},
	{.name = "blocks", .blocks = true, .present = 0xff},
	{.name = "blocks-denormal", .fill = FILL_DENORMAL, .blocks = true, .present = 0xff},
	{.name = "blocks-clipped", .fill = FILL_CLIPPED, .blocks = true, .present = 0xff},
	{.name = "blocks-two-channels", .blocks = true, .present = 0x03},
	{.name = "blocks-silence", .blocks = true},
	{.name = "unpack", .unpack = true, .present = 0xff},
	{.name = "unpack-two-channels", .unpack = true, .present = 0x03},
};

struct options {
	size_t frames; /* a call */
	unsigned runs;
	bool json;
};

static uint32_t random_word(void)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return state ^ state >> 16;
}

static uint32_t fill_bits(enum fill fill)
{
	float noise = (float)(int32_t)random_word() * 0x1p-31f;
	uint32_t bits;

	memcpy(&bits, &noise, sizeof(bits));
	switch (fill) {
	case FILL_DENORMAL:
		return 1 + random_word() % 0x7ffffe;
	case FILL_NAN:
		return 0x7f800001 + random_word() % 0x7ffffe;
	case FILL_CLIPPED:
		return (bits & 0x80000000) | (0x3f800000 + random_word() % 0x800000);
	case FILL_NOISE:
		break;
	}
	return bits;
}

static void fill_buffers(enum fill fill)
{
	for (unsigned k = 0; k < CH; k++) {
		for (size_t i = 0; i < MAX_FRAMES; i++) {
			uint32_t bits = fill_bits(fill);

			memcpy(&planar[k][i], &bits, sizeof(bits));
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(mixed); i++) {
		mixed[i] = (int32_t)random_word();
	}
}

static void call(const struct sample_kernels *set, const struct bench_case *bc, float *const *channel,
	size_t at, size_t frames)
{
	if (bc->blocks) {
		int32_t *to[SAMPLE_BLOCKS_MAX];

		for (size_t b = 0; b < SAMPLE_BLOCKS_MAX; b++) {
			to[b] = mixed + (at + b * BLOCK) * CH;
		}
		set->pack_blocks(to, SAMPLE_BLOCKS_MAX, (const float *const *)channel, peaks);
	} else if (bc->unpack) {
			set->unpack(channel, mixed + at * CH, frames, peaks);
		} else {
			set->pack(mixed + at * CH, (const float *const *)channel, frames, peaks);
		}
}

/* One run; returns ns per block. */
static double run_once(const struct sample_kernels *set, const struct bench_case *bc, size_t frames)
{
	size_t calls = MAX(RUN_BLOCKS * BLOCK / frames, (size_t)1);
	/* A cycle's worth of small calls goes through buffers that stay in the first cache. */
	size_t span = MAX((size_t)64 / frames * frames, frames);
	float *channel[CH];
	size_t at = 0;
	int64_t start_ns;

	start_ns = now_ns();
	for (size_t c = 0; c < calls; c++) {
		for (unsigned k = 0; k < CH; k++) {
			channel[k] = bc->present & 1u << k ? planar[k] + at : NULL;
		}
		call(set, bc, channel, at, frames);
		at += frames;
		if (at + frames > span) {
			at = 0;
		}
	}
	return (double)(now_ns() - start_ns) * BLOCK / (double)(calls * frames);
}

static void measure(const struct sample_kernels *const *sets, unsigned n_sets, const struct bench_case *bc,
	const struct options *opt, double ret_ns[MAX_SETS])
{
	fill_buffers(bc->fill);
	for (unsigned s = 0; s < n_sets; s++) {
		ret_ns[s] = 1e30;
	}
	/* The sets take turns, so that a slow moment of the machine does not fall on one of them alone. */
	for (unsigned r = 0; r < opt->runs; r++) {
		for (unsigned s = 0; s < n_sets; s++) {
			double ns =
				run_once(sets[s], bc, bc->blocks ? SAMPLE_BLOCKS_MAX * BLOCK : opt->frames);

			ret_ns[s] = MIN(ret_ns[s], ns);
		}
	}
}

static void print_result(const struct options *opt, bool first, const char *bench, const char *set, double ns,
	double c_ns)
{
	if (opt->json) {
		printf("%s{\"case\":\"%s\",\"set\":\"%s\",", first ? "" : ",", bench, set);
		printf("\"ns_per_block\":%.2f,\"times_faster_than_c\":%.2f}", ns, c_ns / ns);
	} else {
		printf("%-20s  %-5s  %12.1f  %19.1f\n", bench, set, ns, c_ns / ns);
	}
}

static void run_all(const struct options *opt)
{
	const struct sample_kernels *sets[MAX_SETS];
	unsigned n_sets = sample_kernels_all(sets, MAX_SETS);
	double ns[MAX_SETS];

	if (opt->json) {
		printf("{\"frames_per_call\":%zu,\"best\":\"%s\",\"results\":[", opt->frames,
			sample_kernels_best()->name);
	} else {
		printf("%zu frames a call; sample_kernels_best() is %s\n", opt->frames,
			sample_kernels_best()->name);
		printf("%-20s  %-5s  %12s  %19s\n", "case", "set", "ns per block", "times faster than c");
	}
	for (size_t b = 0; b < ARRAY_SIZE(cases); b++) {
		measure(sets, n_sets, &cases[b], opt, ns);
		for (unsigned s = 0; s < n_sets; s++) {
			print_result(opt, b == 0 && s == 0, cases[b].name, sets[s]->name, ns[s], ns[0]);
		}
	}
	if (opt->json) {
		printf("]}\n");
	}
}

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: bench-sample [--frames=N] [--runs=N] [--json]\n"
		"Measures the sample format kernels that this processor runs.\n"
		"  --frames=N  sample frames a call: a multiple of 8, 8 to %d; default 8, a block\n"
		"  --runs=N    short runs, of which the best counts: 1 to 100000; default 200\n"
		"  --json      one JSON object instead of a table\n"
		"  --help, --version\n",
		MAX_FRAMES);
}

static unsigned long number_or_exit(const char *option, const char *text, unsigned long min,
	unsigned long max, unsigned long multiple)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value < min || value > max ||
		value % multiple != 0) {
		fprintf(stderr, "bench-sample: --%s=%s: allowed is a %s from %lu to %lu\n", option, text,
			multiple == 1 ? "number" : "multiple of 8", min, max);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"frames", required_argument, NULL, 'f'}, {"runs", required_argument, NULL, 'r'},
		{"json", no_argument, NULL, 'j'},         {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},      {0},
	};
	struct options opt = {.frames = 8, .runs = 200};
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (o) {
		case 'f':
			opt.frames = number_or_exit("frames", optarg, 8, MAX_FRAMES, 8);
			break;
		case 'r':
			opt.runs = (unsigned)number_or_exit("runs", optarg, 1, 100000, 1);
			break;
		case 'j':
			opt.json = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			printf("bench-sample %s\n", PACKAGE_VERSION);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "bench-sample: %s: no arguments but options are allowed\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	run_all(&opt);
	return 0;
}
