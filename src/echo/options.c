#include "echo/options.h"

#include "base/log.h"
#include "base/option.h"
#include "base/util.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

#define DELAY_MAX 480000
#define DEPTH_MAX 64

enum {
	OPT_LISTEN = 256,
	OPT_CONNECT,
	OPT_PORT,
	OPT_DIALECT,
	OPT_CODEC,
	OPT_SYNTH,
	OPT_RATE,
	OPT_RECORD,
	OPT_BREAK,
	OPT_REALTIME,
	OPT_JSON,
	OPT_MODE,
	OPT_SLOW,
	OPT_RAMP,
	OPT_CHECK,
	OPT_PATTERN,
	OPT_SINE,
	OPT_PLAY,
	OPT_BLOCK,
	OPT_DEPTH,
	OPT_BLOCKS,
	OPT_SECONDS,
	OPT_PPM,
	OPT_FAST,
	OPT_WAIT,
	OPT_TIMEOUT,
	OPT_MIDI,
	OPT_EXPECT,
	OPT_VERSION,
};

#define COMMON_OPTIONS                                                                                       \
	{"port", required_argument, NULL, OPT_PORT}, {"dialect", required_argument, NULL, OPT_DIALECT},      \
		{"codec", required_argument, NULL, OPT_CODEC}, {"synth", no_argument, NULL, OPT_SYNTH},      \
		{"rate", required_argument, NULL, OPT_RATE},                                                 \
		{"record", required_argument, NULL, OPT_RECORD},                                             \
		{"break-after", required_argument, NULL, OPT_BREAK},                                         \
		{"realtime", no_argument, NULL, OPT_REALTIME}, {"json", no_argument, NULL, OPT_JSON},        \
		{"verbose", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'},                       \
		{"version", no_argument, NULL, OPT_VERSION},                                                 \
	{                                                                                                    \
		NULL, 0, NULL, 0                                                                             \
	}

static const struct option server_options[] = {
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"mode", required_argument, NULL, OPT_MODE},
	{"slow-ms", required_argument, NULL, OPT_SLOW},
	{"ramp-ms", required_argument, NULL, OPT_RAMP},
	{"check-counter", no_argument, NULL, OPT_CHECK},
	COMMON_OPTIONS,
};

static const struct option client_options[] = {
	{"connect", required_argument, NULL, OPT_CONNECT},
	{"pattern", no_argument, NULL, OPT_PATTERN},
	{"sine", required_argument, NULL, OPT_SINE},
	{"play", required_argument, NULL, OPT_PLAY},
	{"block", required_argument, NULL, OPT_BLOCK},
	{"depth", required_argument, NULL, OPT_DEPTH},
	{"blocks", required_argument, NULL, OPT_BLOCKS},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"ppm", required_argument, NULL, OPT_PPM},
	{"fast", no_argument, NULL, OPT_FAST},
	{"wait", required_argument, NULL, OPT_WAIT},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"midi", required_argument, NULL, OPT_MIDI},
	{"expect-latency", required_argument, NULL, OPT_EXPECT},
	COMMON_OPTIONS,
};

static const char help_head[] =
	"Usage: netvst-echo server [OPTION]...\n"
	"       netvst-echo client --connect=HOST [OPTION]...\n"
	"Tries NetVST: a server that sends audio back, and a client that sends some and looks at what comes "
	"back.\n"
	"\n"
	"Server:\n"
	"      --listen=ADDRESS    where (default 127.0.0.1; 0.0.0.0: everybody may come)\n"
	"      --mode=MODE         echo (default), gain=DB, delay=FRAMES, or synth: a sine for each note\n"
	"      --ramp-ms=MS        of synth: how long a note takes to begin and to end (default 5)\n"
	"      --slow-ms=MS        answer so much later\n"
	"      --check-counter     check that what comes is the pattern that a client's --pattern sends\n"
	"Client:\n"
	"      --connect=HOST      a name or an address\n"
	"      --sine=HZ           what is sent: a sine (default 440), at -20 dBFS; or\n"
	"      --pattern           a counter, from which latency and every fault can be told exactly; or\n"
	"      --play=FILE.wav     a sound file, one or two channels\n"
	"      --block=FRAMES      1 to 8191, dialect audiokit up to 2048 (default 512)\n"
	"      --seconds=S, --blocks=N   how much (default 10 s, or the file; 0: until a signal)\n"
	"      --ppm=X             the client's clock is so much faster (default 0)\n"
	"      --fast              as fast as the answers come, not in real time\n"
	"      --depth=N           blocks that may be without an answer (default 2: the one before the "
	"last)\n"
	"      --midi=FILE         MIDI and parameters to be sent; see netvst-echo(1)\n"
	"      --expect-latency=FRAMES   compare what comes back with what went so many frames before\n"
	"      --wait=S            for a server that is not there yet (default 0)\n"
	"      --timeout=S         give up when no answer has come for so long (default 5)\n";

static const char help_tail[] =
	"Both:\n"
	"      --port=PORT         default 27016; server: 0 takes any that is free\n"
	"      --dialect=2017|audiokit        default 2017\n"
	"      --codec=pcm|wavpack|wavpack-lossy   of what is sent (default pcm)\n"
	"      --synth             dialect 2017: requests carry no audio, as for a synthesizer\n"
	"      --rate=HZ           sample rate (default 48000)\n"
	"      --record=FILE.wav   what came\n"
	"      --break-after=N     cut the (server: first) connection in the middle of the next block after "
	"N\n"
	"      --realtime          with realtime priority\n"
	"      --json              events and a final report, an object in a line\n"
	"  -v, --verbose\n"
	"  -h, --help\n"
	"      --version\n"
	"\n"
	"SIGUSR1 prints a report. Exit status: 0; 1: no connection, or a file; 2: command line; 3: the audio "
	"was wrong.\n"
	"See netvst-echo(1).\n";

static int parse_mode(struct options *o, const char *value)
{
	uint64_t frames;

	if (strcmp(value, "echo") == 0) {
		o->mode = ECHO_PLAIN;
	} else if (strcmp(value, "synth") == 0) {
		o->mode = ECHO_SYNTH;
	} else if (strncmp(value, "gain=", 5) == 0 && option_double(value + 5, -200, 40, &o->gain_db)) {
		o->mode = ECHO_GAIN;
	} else if (strncmp(value, "delay=", 6) == 0 && option_whole(value + 6, 0, DELAY_MAX, &frames)) {
		o->mode = ECHO_DELAY;
		o->delay_frames = (uint32_t)frames;
	} else {
		return option_bad(
			"mode", value, "echo, gain=DB (-200 to 40), delay=FRAMES (0 to 480000) or synth");
	}
	return 1;
}

struct number {
	int opt;
	const char *name;
	double lo, hi;
	bool whole;
	const char *allowed;
};

static const struct number numbers[] = {
	{OPT_PORT, "port", 0, 65535, true, "a port from 0 to 65535"},
	{OPT_RATE, "rate", 8000, 192000, true, "a sample rate from 8000 to 192000"},
	{OPT_BREAK, "break-after", 1, 1e15, true, "a number of blocks from 1 on"},
	{OPT_SLOW, "slow-ms", 0, 60000, false, "milliseconds from 0 to 60000"},
	{OPT_RAMP, "ramp-ms", 0, 1000, false, "milliseconds from 0 to 1000"},
	{OPT_SINE, "sine", 1, 96000, false, "a frequency from 1 on, in Hz"},
	{OPT_BLOCK, "block", 1, NETVST_FRAMES_MAX, true, "frames from 1 to 8191"},
	{OPT_DEPTH, "depth", 1, DEPTH_MAX, true, "blocks from 1 to 64"},
	{OPT_BLOCKS, "blocks", 0, 1e15, true, "a number of blocks; 0: without end"},
	{OPT_SECONDS, "seconds", 0, 1e9, false, "seconds; 0: without end"},
	{OPT_PPM, "ppm", -100000, 100000, false, "parts per million from -100000 to 100000"},
	{OPT_WAIT, "wait", 0, 86400, false, "seconds from 0 to 86400"},
	{OPT_TIMEOUT, "timeout", 0.1, 86400, false, "seconds from 0.1 to 86400"},
	{OPT_EXPECT, "expect-latency", 0, 2000000, true, "frames from 0 to 2000000"},
};

static void set_number(struct options *o, int opt, double value, bool *ret_length_given)
{
	switch (opt) {
	case OPT_PORT:
		o->port = (uint16_t)value;
		break;
	case OPT_RATE:
		o->rate_hz = (uint32_t)value;
		break;
	case OPT_BREAK:
		o->break_after = (uint64_t)value;
		break;
	case OPT_SLOW:
		o->slow_ms = value;
		break;
	case OPT_RAMP:
		o->ramp_ms = value;
		break;
	case OPT_SINE:
		o->material = ECHO_SINE;
		o->sine_hz = value;
		break;
	case OPT_BLOCK:
		o->block_frames = (uint32_t)value;
		break;
	case OPT_DEPTH:
		o->depth = (uint32_t)value;
		break;
	case OPT_BLOCKS:
		o->blocks = (uint64_t)value;
		*ret_length_given = true;
		break;
	case OPT_SECONDS:
		o->seconds = value;
		*ret_length_given = true;
		break;
	case OPT_PPM:
		o->ppm = value;
		break;
	case OPT_WAIT:
		o->wait_s = value;
		break;
	case OPT_TIMEOUT:
		o->timeout_s = value;
		break;
	default:
		o->expect_latency_frames = (int64_t)value;
	}
}

static int parse_number(struct options *o, int opt, const char *value, bool *ret_length_given)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const struct number *n = &numbers[i];
		double x;

		if (n->opt != opt) {
			continue;
		}
		if (!option_double(value, n->lo, n->hi, &x) || (n->whole && floor(x) < x)) {
			return option_bad(n->name, value, n->allowed);
		}
		set_number(o, opt, x, ret_length_given);
		return 1;
	}
	return -EINVAL;
}

/* Options whose value is a word. 1, 0: none of them, or -EINVAL. */
static int parse_word(struct options *o, int opt, const char *value)
{
	switch (opt) {
	case OPT_LISTEN:
	case OPT_CONNECT:
		o->host = value;
		return 1;
	case OPT_DIALECT:
		return netvst_dialect_from_string(value, &o->dialect)
			       ? 1
			       : option_bad("dialect", value, "2017 or audiokit");
	case OPT_CODEC:
		return netvst_codec_from_string(value, &o->codec)
			       ? 1
			       : option_bad("codec", value, "pcm, wavpack or wavpack-lossy");
	case OPT_MODE:
		return parse_mode(o, value);
	case OPT_RECORD:
		o->record_path = value;
		return *value ? 1 : option_bad("record", value, "the name of a WAV file");
	case OPT_PLAY:
		o->material = ECHO_FILE;
		o->play_path = value;
		return 1;
	case OPT_MIDI:
		o->midi_path = value;
		return 1;
	default:
		return 0;
	}
}

/* As options_parse(). */
static int parse_option(struct options *o, int opt, const char *value, bool *ret_length_given)
{
	int r;

	switch (opt) {
	case 'h':
		fputs(help_head, stdout);
		fputs(help_tail, stdout);
		return 0;
	case OPT_VERSION:
		printf("netvst-echo %s\n", PACKAGE_VERSION);
		return 0;
	case 'v':
		o->verbose = true;
		return 1;
	case OPT_SYNTH:
		o->synth = true;
		return 1;
	case OPT_REALTIME:
		o->realtime = true;
		return 1;
	case OPT_JSON:
		o->json = true;
		return 1;
	case OPT_CHECK:
		o->check_counter = true;
		return 1;
	case OPT_PATTERN:
		o->material = ECHO_PATTERN;
		return 1;
	case OPT_FAST:
		o->fast = true;
		return 1;
	case '?': /* getopt has said why */
		return -EINVAL;
	default:
		r = parse_word(o, opt, value);
		return r ? r : parse_number(o, opt, value, ret_length_given);
	}
}

static int check(struct options *o, bool length_given)
{
	if (o->command == ECHO_CLIENT && !o->host) {
		log_error("connect to whom? --connect=HOST is missing; see --help");
		return -EINVAL;
	}
	if (o->command == ECHO_CLIENT && o->port == 0) {
		return option_bad("port", "0", "a client needs the port that the server listens at");
	}
	if (o->dialect == NETVST_AUDIOKIT && o->codec != NETVST_PCM) {
		return option_bad(
			"codec", netvst_codec_to_string(o->codec), "the dialect audiokit has pcm only");
	}
	if (o->dialect == NETVST_AUDIOKIT && o->block_frames > NETVST_AUDIOKIT_FRAMES_MAX) {
		log_error(
			"--block=%u: the dialect audiokit has blocks of up to 2048 frames", o->block_frames);
		return -EINVAL;
	}
	if (o->command == ECHO_SERVER && !o->host) {
		o->host = "127.0.0.1";
	}
	if (!length_given && o->material != ECHO_FILE) {
		o->seconds = 10;
	}
	if (o->blocks == 0 && o->seconds > 0) {
		o->blocks = (uint64_t)ceil(o->seconds * o->rate_hz / o->block_frames);
	}
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret)
{
	bool length_given = false, is_server;
	int opt, r;

	*ret = (struct options){.port = NETVST_PORT,
		.rate_hz = 48000,
		.block_frames = 512,
		.depth = 2,
		.sine_hz = 440,
		.ramp_ms = 5,
		.timeout_s = 5,
		.expect_latency_frames = -1};
	if (argc < 2) {
		log_error("server or client? see --help");
		return -EINVAL;
	}
	is_server = strcmp(argv[1], "server") == 0;
	if (is_server || strcmp(argv[1], "client") == 0) {
		ret->command = is_server ? ECHO_SERVER : ECHO_CLIENT;
		argc--;
		argv++;
	} else if (argv[1][0] != '-') {
		log_error("'%s': the first word is server or client; see --help", argv[1]);
		return -EINVAL;
	}
	while ((opt = getopt_long(argc, argv, "vh", is_server ? server_options : client_options, NULL)) !=
		-1) {
		r = parse_option(ret, opt, optarg, &length_given);
		if (r <= 0) {
			return r;
		}
	}
	if (optind < argc) {
		log_error("'%s' is too much: after server or client come options only; see --help",
			argv[optind]);
		return -EINVAL;
	}
	r = check(ret, length_given);
	return r < 0 ? r : 1;
}
