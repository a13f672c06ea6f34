/*
 * The load of the benchmarks under JACK: a client with eight outputs, connected in turn to all input ports
 * of another client.
 */
#include "config.h"

#include "bench-signal.h"
#include "jack-bench.h"

#include "base/util.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static struct jack_bench bench = {.program = "jack-source", .client_name = "jack-source"};
static const char *target;
static unsigned expected = 1;
static enum bench_signal_kind signal_kind = BENCH_SIGNAL_MIXED;
static struct bench_signal played; /* JACK's thread, once the client is active */
static unsigned connected;
static bool told;

static unsigned play_rt(struct jack_bench *b, jack_nframes_t frames)
{
	for (unsigned k = 0; k < JACK_BENCH_CHANNELS; k++) {
		bench_signal_copy_rt(&played, k, jack_port_get_buffer(b->ports[k], frames), frames);
	}
	bench_signal_advance_rt(&played, frames);
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

static enum bench_signal_kind signal_of(const char *text)
{
	enum bench_signal_kind kind;

	if (bench_signal_kind_from_string(text, &kind) < 0) {
		fprintf(stderr, "jack-source: --signal %s: allowed are noise, sine and mixed\n", text);
		exit(2);
	}
	return kind;
}

static void parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{"to", required_argument, NULL, 't'},
		{"ports", required_argument, NULL, 'p'},
		{"signal", required_argument, NULL, 'k'},
		{"server", required_argument, NULL, 's'},
		{"name", required_argument, NULL, 'N'},
		{"warmup", required_argument, NULL, 'w'},
		{"seconds", required_argument, NULL, 'S'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
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
	bench_signal_fill(&played, signal_kind);
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
