/*
 * The floor of the benchmarks: a JACK client with as many input ports as that many boxes take and a process
 * callback that does nothing. What it costs is JACK's own share.
 */
#include "config.h"

#include "jack-bench.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct jack_bench bench = {.program = "jack-null", .client_name = "jack-null"};
static unsigned boxes = 1;

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: jack-null [-n BOXES] [--server=NAME] [--name=NAME] [--warmup=S] [--seconds=S]\n"
		"A JACK client that does nothing: prints what that takes.\n"
		"  -n, --boxes=N  8 input ports for each of N boxes: 1 to %d; default 1\n"
		"  --server=NAME  JACK server; default: JACK's own\n"
		"  --name=NAME    JACK client name; default jack-null\n"
		"  --warmup=S     run for S seconds before measuring; default 0\n"
		"  --seconds=S    measure for S seconds, then end; default 0: until SIGTERM or SIGINT\n"
		"  --help, --version\n"
		"At the end one line of JSON goes to the standard output.\n",
		JACK_BENCH_BOXES_MAX);
}

static void parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{"boxes", required_argument, NULL, 'n'},  {"server", required_argument, NULL, 's'},
		{"name", required_argument, NULL, 'N'},   {"warmup", required_argument, NULL, 'w'},
		{"seconds", required_argument, NULL, 'S'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},      {0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "n:", longs, NULL)) != -1) {
		switch (o) {
		case 'n':
			boxes = jack_bench_number(&bench, "--boxes", optarg, 1, JACK_BENCH_BOXES_MAX);
			break;
		case 's':
			bench.server = optarg;
			break;
		case 'N':
			bench.client_name = optarg;
			break;
		case 'w':
			bench.warmup_s = jack_bench_seconds(&bench, "--warmup", optarg);
			break;
		case 'S':
			bench.seconds = jack_bench_seconds(&bench, "--seconds", optarg);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'V':
			printf("jack-null %s\n", PACKAGE_VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind != argc) {
		fprintf(stderr, "jack-null: %s: nothing but options is allowed\n", argv[optind]);
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	uint32_t rate_hz, period;
	bool ok;

	parse_options(argc, argv);
	if (!jack_bench_open(&bench)) {
		return 1;
	}
	rate_hz = jack_get_sample_rate(bench.client);
	period = jack_get_buffer_size(bench.client);
	if (!jack_bench_add_boxes(&bench, boxes)) {
		jack_client_close(bench.client);
		return 1;
	}
	ok = jack_bench_run(&bench);
	printf("{");
	jack_bench_print(&bench);
	printf(",\"boxes\":%u,\"rate_hz\":%" PRIu32 ",\"period_frames\":%" PRIu32 "}\n", boxes, rate_hz,
		period);
	return ok ? 0 : 1;
}
