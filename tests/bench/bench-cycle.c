/*
 * How long the realtime path takes for a frame: one cycle of the engine on a ring without a kernel. "cold": other data has gone
 * through the caches since the last cycle, as where a graph has other programs and the kernel sends. Medians, less what
 * two readings of the clock take.
 */
#include "config.h"

#include "base/option.h"
#include "base/util.h"
#include "cycle-rig.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_CYCLES_MAX 100000
#define COLD_PART 10 /* one cycle in so many is measured cold as well: all others only take longer */
#define COLD_BYTES (4u << 20)

struct options {
	const struct sample_kernels *kernels;
	uint32_t period;
	unsigned cycles;
	const char *json;
};

static const unsigned box_counts[] = {1, 2, 4, 8, 16, 32};
static const unsigned channel_counts[] = {0, 1, 2, 4, 8};

static unsigned char cold[COLD_BYTES];
static int64_t took_ns[WARM_CYCLES_MAX];

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(unsigned n)
{
	qsort(took_ns, n, sizeof(took_ns[0]), compare);
	return (double)took_ns[n / 2];
}

static double clock_cost_ns(void)
{
	unsigned n = 1000;

	for (unsigned i = 0; i < n; i++) {
		int64_t begin = now_ns();

		took_ns[i] = now_ns() - begin;
	}
	return median(n);
}

/* ns a frame of this rig, over so many cycles. */
static double measure(struct cycle_rig *rig, unsigned cycles, bool is_cold, double frames)
{
	double clock_ns = clock_cost_ns();

	for (unsigned i = 0; i < cycles; i++) {
		int64_t begin;

		for (size_t j = 0; is_cold && j < sizeof(cold); j += CACHELINE_SIZE) {
			cold[j]++;
		}
		begin = now_ns();
		cycle_rig_process(rig);
		took_ns[i] = now_ns() - begin;
		cycle_rig_drain(rig);
	}
	return MAX(median(cycles) - clock_ns, 0.0) / frames;
}

static int bench(const struct options *opt, unsigned boxes, unsigned channels, FILE *json, bool first)
{
	const struct cycle_rig_config config = {
		.boxes = boxes,
		.channels = channels,
		.period = opt->period,
		.kernels = opt->kernels,
	};
	double frames = boxes * (double)opt->period / 8;
	struct cycle_rig *rig = NULL;
	double warm_ns, cold_ns;
	int r = cycle_rig_new(&config, &rig);

	if (r < 0) {
		fprintf(stderr, "bench-cycle: %u boxes cannot be made: %s\n", boxes, strerror(-r));
		return 1;
	}
	(void)cycle_rig_is_sound(rig);
	(void)measure(rig, opt->cycles / COLD_PART, false, frames);
	warm_ns = measure(rig, opt->cycles, false, frames);
	cold_ns = measure(rig, opt->cycles / COLD_PART, true, frames);
	if (!cycle_rig_is_sound(rig)) {
		fprintf(stderr, "bench-cycle: %u boxes did not play %u channels\n", boxes, channels);
		cycle_rig_free(rig);
		return 1;
	}
	cycle_rig_free(rig);
	printf("%5u  %8u  %11.1f  %17.1f  %11.2f\n", boxes, channels, warm_ns, cold_ns,
		warm_ns * frames / 1000);
	if (json) {
		fprintf(json, "%s{\"boxes\":%u,\"channels\":%u,\"ns_per_frame\":%.1f,", first ? "" : ",",
			boxes, channels, warm_ns);
		fprintf(json, "\"ns_per_frame_cold\":%.1f,\"instructions_per_frame\":null}", cold_ns);
	}
	return 0;
}

static int run_all(const struct options *opt)
{
	FILE *json = opt->json ? fopen(opt->json, "we") : NULL;
	int failed = 0;
	bool first = true;

	if (opt->json && !json) {
		fprintf(stderr, "bench-cycle: %s cannot be written: %m\n", opt->json);
		return 1;
	}
	if (json) {
		fprintf(json, "{\"kind\":\"cycle\",\"kernels\":\"%s\",\"period\":%u,\"results\":[",
			opt->kernels->name, opt->period);
	}
	printf("period %u, kernels %s\n", opt->period, opt->kernels->name);
	printf("boxes  channels  ns a frame   ns a frame, cold  us a cycle\n");
	for (size_t b = 0; b < ARRAY_SIZE(box_counts) && !failed; b++) {
		for (size_t c = 0; c < ARRAY_SIZE(channel_counts) && !failed; c++) {
			failed = bench(opt, box_counts[b], channel_counts[c], json, first);
			first = false;
		}
	}
	if (json) {
		fprintf(json, "]}\n");
		if (fclose(json) != 0) {
			fprintf(stderr, "bench-cycle: %s cannot be written: %m\n", opt->json);
			failed = 1;
		}
	}
	return failed;
}

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: bench-cycle [--kernels=NAME] [--period=N] [--cycles=N] [--json=FILE]\n"
		"Measures the realtime path without a kernel and an audio server, for 1 to 32 boxes, 0 to 8 "
		"channels.\n"
		"  --kernels=NAME  c, sse2, avx2 or neon; default the best that this processor runs\n"
		"  --period=N      sample frames of a cycle: a multiple of 8, 8 to 2048; default 64\n"
		"  --cycles=N      of which the median counts: 100 to %d; default 2000\n"
		"  --json=FILE     everything to this file as well\n"
		"  --help, --version\n",
		WARM_CYCLES_MAX);
}

static uint64_t whole_or_exit(const char *option, const char *text, uint64_t min, uint64_t max, unsigned of)
{
	uint64_t value;

	if (!option_whole(text, min, max, &value) || value % of != 0) {
		fprintf(stderr, "bench-cycle: --%s=%s: allowed is a %s from %llu to %llu\n", option, text,
			of == 1 ? "number" : "multiple of 8", (unsigned long long)min,
			(unsigned long long)max);
		exit(2);
	}
	return value;
}

static const struct sample_kernels *kernels_or_exit(const char *name)
{
	const struct sample_kernels *kernels = cycle_rig_kernels(name);

	if (!kernels) {
		fprintf(stderr, "bench-cycle: --kernels=%s: this processor has no kernels of that name\n",
			name);
		exit(2);
	}
	return kernels;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"kernels", required_argument, NULL, 'k'},
		{"period", required_argument, NULL, 'p'},
		{"cycles", required_argument, NULL, 'c'},
		{"json", required_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	struct options opt = {.kernels = sample_kernels_best(), .period = 64, .cycles = 2000};
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (o) {
		case 'k':
			opt.kernels = kernels_or_exit(optarg);
			break;
		case 'p':
			opt.period = (uint32_t)whole_or_exit("period", optarg, 8, 2048, 8);
			break;
		case 'c':
			opt.cycles = (unsigned)whole_or_exit("cycles", optarg, 100, WARM_CYCLES_MAX, 1);
			break;
		case 'j':
			opt.json = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'V':
			printf("bench-cycle %s\n", PACKAGE_VERSION);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "bench-cycle: %s: no arguments but options are allowed\n", argv[optind]);
		return 2;
	}
	return run_all(&opt);
}
