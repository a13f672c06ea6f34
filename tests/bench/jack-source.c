/*
 * The load of the benchmarks: a JACK client with eight outputs, connected in turn to all input ports of
 * another client. Full scale on each, so that no conversion meets silence. The signals are made beforehand:
 * what the source itself takes should not be noticed.
 */
#include "config.h"

#include "jack-bench.h"

#include "base/util.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOP_FRAMES 8192 /* whole periods of each sine; noise repeats after it */
#define FULL_SCALE 0x1.fffffep-1f /* largest below 1 */

enum signal {
	SIGNAL_NOISE,
	SIGNAL_SINE,
	SIGNAL_MIXED,
};

static struct jack_bench bench = {.program = "jack-source", .client_name = "jack-source"};
static const char *target;
static unsigned expected = 1;
static enum signal signal_kind = SIGNAL_MIXED;
static unsigned connected;
static bool told;
static float loops[JACK_BENCH_CHANNELS][LOOP_FRAMES] CACHELINE_ALIGNED;
static jack_nframes_t loop_at; /* JACK's thread */

static float noise(void)
{
	static uint32_t state = 1;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return (float)(int32_t)state * 0x1p-31f * FULL_SCALE;
}

static void fill_loops(void)
{
	for (unsigned k = 0; k < JACK_BENCH_CHANNELS; k++) {
		bool sine = signal_kind == SIGNAL_SINE || (signal_kind == SIGNAL_MIXED && k % 2 == 0);
		double cycles = 37.0 * (k + 1);

		for (unsigned i = 0; i < LOOP_FRAMES; i++) {
			double phase = 2.0 * M_PI * cycles * i / LOOP_FRAMES;

			loops[k][i] = sine ? (float)sin(phase) * FULL_SCALE : noise();
		}
	}
}

static unsigned play_rt(struct jack_bench *b, jack_nframes_t frames)
{
	jack_nframes_t at = loop_at;

	for (unsigned k = 0; k < JACK_BENCH_CHANNELS; k++) {
		float *out = jack_port_get_buffer(b->ports[k], frames);

		at = loop_at;
		for (jack_nframes_t done = 0; done < frames;) {
			jack_nframes_t n = MIN(frames - done, LOOP_FRAMES - at);

			memcpy(out + done, loops[k] + at, n * sizeof(*out));
			done += n;
			at = (at + n) % LOOP_FRAMES;
		}
	}
	loop_at = at;
	return 0;
}

/* Ports of the other client may come late or come again, so this is done over and over. */
static void connect_all(struct jack_bench *b)
{
	const char **names = jack_get_ports(b->client, target, JACK_DEFAULT_AUDIO_TYPE, JackPortIsInput);
	unsigned n = 0;

	for (unsigned i = 0; names && names[i]; i++) {
		const char *mine = jack_port_name(b->ports[i % JACK_BENCH_CHANNELS]);
		jack_port_t *port = jack_port_by_name(b->client, names[i]);

		if (!port) {
			continue;
		}
		if (jack_port_connected_to(port, mine) || jack_connect(b->client, mine, names[i]) == 0) {
			n++;
		}
	}
	jack_free(names);
	connected = n;
	if (!told && n > 0 && n >= expected) {
		fprintf(stderr, "jack-source: connected to %u ports\n", n);
		told = true;
	}
}

static bool add_outputs(struct jack_bench *b)
{
	char name[16];

	for (unsigned k = 0; k < JACK_BENCH_CHANNELS; k++) {
		snprintf(name, sizeof(name), "out_%u", k + 1);
		b->ports[k] =
			jack_port_register(b->client, name, JACK_DEFAULT_AUDIO_TYPE, JackPortIsOutput, 0);
		if (!b->ports[k]) {
			fprintf(stderr, "jack-source: no more ports; start JACK with jackd -p 2048\n");
			return false;
		}
	}
	b->n_ports = JACK_BENCH_CHANNELS;
	return true;
}

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: jack-source --to=REGEX [--ports=N] [--signal=noise|sine|mixed] [--server=NAME]\n"
		"                   [--name=NAME] [--warmup=S] [--seconds=S]\n"
		"Feeds full-scale signals to all JACK input ports whose name matches; looks for new ones\n"
		"twice a second.\n"
		"  --to=REGEX     full port names, for example '^ethlink:.*playback'\n"
		"  --ports=N      how many there should be, 1 to %d; the exit status is 1 where in the end\n"
		"                 there are fewer; default 1\n"
		"  --signal=KIND  noise, sine or mixed (odd channels sine, even noise); default mixed\n"
		"  --server=NAME  JACK server; default: JACK's own\n"
		"  --name=NAME    JACK client name; default jack-source\n"
		"  --warmup=S, --seconds=S  as for plain-port; default: until SIGTERM or SIGINT\n"
		"  --help, --version\n"
		"It says on the standard error when it is connected to that many ports. At the end one\n"
		"line of JSON goes to the standard output.\n",
		JACK_BENCH_PORTS_MAX);
}

static enum signal signal_of(const char *text)
{
	static const char *const names[] = {"noise", "sine", "mixed"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			return (enum signal)i;
		}
	}
	fprintf(stderr, "jack-source: --signal %s: allowed are noise, sine and mixed\n", text);
	exit(2);
}

static void parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{"to", required_argument, NULL, 't'},      {"ports", required_argument, NULL, 'p'},
		{"signal", required_argument, NULL, 'k'},  {"server", required_argument, NULL, 's'},
		{"name", required_argument, NULL, 'N'},    {"warmup", required_argument, NULL, 'w'},
		{"seconds", required_argument, NULL, 'S'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},       {0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (o) {
		case 't':
			target = optarg;
			break;
		case 'p':
			expected = jack_bench_number(&bench, "--ports", optarg, 1, JACK_BENCH_PORTS_MAX);
			break;
		case 'k':
			signal_kind = signal_of(optarg);
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
			printf("jack-source %s\n", PACKAGE_VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (!target || optind != argc) {
		fprintf(stderr, "jack-source: ports must be given with --to, and nothing but options\n");
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	bool ok;

	parse_options(argc, argv);
	fill_loops();
	bench.work_rt = play_rt;
	bench.tick = connect_all;
	if (!jack_bench_open(&bench)) {
		return 1;
	}
	if (!add_outputs(&bench)) {
		jack_client_close(bench.client);
		return 1;
	}
	ok = jack_bench_run(&bench);
	printf("{");
	jack_bench_print(&bench);
	printf(",\"connected\":%u}\n", connected);
	if (connected < expected) {
		fprintf(stderr, "jack-source: connected to %u ports that match %s, not to %u\n", connected,
			target, expected);
		return 1;
	}
	return ok ? 0 : 1;
}
