#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "emu/options.h"

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

enum {
	OPT_DAC = 256,
	OPT_ADC,
	OPT_PLAY,
	OPT_RECORD,
	OPT_RECORD_FORMAT,
	OPT_RECORD_ALL,
	OPT_APPLY_GAIN,
	OPT_PPM,
	OPT_RC_PPM,
	OPT_LOSS,
	OPT_SEED,
	OPT_JITTER,
	OPT_JSON,
	OPT_INTERVAL,
	OPT_STATUS_FILE,
	OPT_LOG_CHANGES,
	OPT_PRESET,
	OPT_OFF,
	OPT_COMMANDS,
	OPT_CHECK_COUNTER,
	OPT_RING_FRAMES,
	OPT_GUARD,
	OPT_DURATION,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{"interface", required_argument, NULL, 'i'},
	{"dac", required_argument, NULL, OPT_DAC},
	{"adc", required_argument, NULL, OPT_ADC},
	{"play", required_argument, NULL, OPT_PLAY},
	{"record", required_argument, NULL, OPT_RECORD},
	{"record-format", required_argument, NULL, OPT_RECORD_FORMAT},
	{"record-all", no_argument, NULL, OPT_RECORD_ALL},
	{"apply-gain", no_argument, NULL, OPT_APPLY_GAIN},
	{"ppm", required_argument, NULL, OPT_PPM},
	{"rc-ppm", required_argument, NULL, OPT_RC_PPM},
	{"loss", required_argument, NULL, OPT_LOSS},
	{"seed", required_argument, NULL, OPT_SEED},
	{"jitter", required_argument, NULL, OPT_JITTER},
	{"json", no_argument, NULL, OPT_JSON},
	{"interval", required_argument, NULL, OPT_INTERVAL},
	{"status-file", required_argument, NULL, OPT_STATUS_FILE},
	{"log-changes", required_argument, NULL, OPT_LOG_CHANGES},
	{"preset", required_argument, NULL, OPT_PRESET},
	{"off", no_argument, NULL, OPT_OFF},
	{"commands", no_argument, NULL, OPT_COMMANDS},
	{"check-counter", no_argument, NULL, OPT_CHECK_COUNTER},
	{"ring-frames", required_argument, NULL, OPT_RING_FRAMES},
	{"guard", required_argument, NULL, OPT_GUARD},
	{"duration", required_argument, NULL, OPT_DURATION},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static const char help[] =
	"Usage: ethlink-emu -i INTERFACE [OPTION]...\n"
	"Virtual ETHlink8DAC boxes on a real network interface.\n"
	"\n"
	"  -i, --interface=IF      the interface; needs CAP_NET_RAW\n"
	"      --dac=SERIALS       DAC boxes with these serial numbers: 0, or 0-31, or 1,4-6\n"
	"                          (default 0)\n"
	"Recording:\n"
	"      --record=FILE.wav   record what the box plays, before its gain; several boxes go to\n"
	"                          FILE-SERIAL.wav\n"
	"      --record-format=F   s32 (default) or f32\n"
	"      --record-all        from the first block, not from the first that is not silent\n"
	"      --apply-gain        record with the box's gains and mutes applied\n"
	"\n"
	"The boxes and the network before them:\n"
	"      --ppm=X             error of the sample clock, of all boxes or SERIALS=X[,SERIALS=X]...\n"
	"      --rc-ppm=X          error of the clock that times the replies\n"
	"                          (default: each box has its own, up to 10000)\n"
	"      --loss=P            lose frames with this probability, 0 to 1\n"
	"      --jitter=US         delay frames by random times up to this, in microseconds; none\n"
	"                          overtakes another\n"
	"      --seed=N            of the random numbers behind these three (default 1)\n"
	"      --preset='SERIALS [rate=HZ] [depth=N] [gain=DB|mute[,... eight]] [host=MAC]'\n"
	"                          start as another host has left it; may be given several times\n"
	"      --off               start switched off\n"
	"\n"
	"Reports:\n"
	"      --json              status as a JSON object in a line, each interval and at the end\n"
	"      --interval=S        seconds between reports (default 1)\n"
	"      --status-file=FILE  keep the newest status there, as JSON\n"
	"      --log-changes=FILE  a line there for each channel whose gain changes, as JSON\n"
	"      --check-counter     check that the audio is the counting test pattern, unbroken\n"
	"  -v, --verbose           say more on standard error\n"
	"\n"
	"      --commands          take commands from standard input: power-cycle, off, on, mark or\n"
	"                          preset, each with SERIALS; status; quit\n"
	"      --duration=S        end after so many seconds\n"
	"      --ring-frames=N     frames that the kernel keeps while this process is away\n"
	"                          (default 8192 a box, at least 32768)\n"
	"      --guard=US          how far the boxes stay behind real time (default 500)\n"
	"  -h, --help\n"
	"      --version\n"
	"\n"
	"SIGUSR1 power-cycles all boxes. See ethlink-emu(1).\n";

static int parse_dac(struct options *o, const char *value)
{
	int r = serials_add(&o->dac, value, strlen(value));

	if (r == -EEXIST) {
		return option_bad("dac", value, "a serial number comes twice");
	}
	if (r < 0) {
		return option_bad("dac", value, "serial numbers are 0 to 65535, like 0 or 0-31 or 1,4-6");
	}
	if (serials_count(&o->dac) > OPTIONS_BOXES_MAX) {
		return option_bad("dac", value, "no more than 1024 boxes");
	}
	return 0;
}

static int set_ppm(struct options *o, const char *serials, size_t len, const char *number)
{
	struct serials s;
	double ppm;

	serials_clear(&s);
	if (!serials) {
		serials_fill(&s);
	} else if (serials_add(&s, serials, len) < 0) {
		return -EINVAL;
	}
	if (!option_double(number, -100000, 100000, &ppm)) {
		return -EINVAL;
	}
	for (unsigned i = 0; i < SERIALS_MAX; i++) {
		if (serials_has(&s, (uint16_t)i)) {
			o->ppm[i] = ppm;
		}
	}
	return 0;
}

static int parse_ppm(struct options *o, const char *value)
{
	char *copy = strdup(value), *rest = copy, *item;
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 && (item = strsep(&rest, ","))) {
		const char *equals = strchr(item, '=');

		r = set_ppm(o, equals ? item : NULL, equals ? (size_t)(equals - item) : 0,
			equals ? equals + 1 : item);
	}
	free(copy);
	return r == -EINVAL ? option_bad("ppm", value,
				      "a number from -100000 to 100000, or SERIAL=X,… or FIRST-LAST=X,…")
			    : r;
}

static int parse_preset(struct options *o, const char *value)
{
	struct command *more = reallocarray(o->presets, o->n_presets + 1, sizeof(*more));
	char error[COMMAND_ERROR_SIZE];

	if (!more) {
		return -ENOMEM;
	}
	o->presets = more;
	if (command_parse_preset(value, &more[o->n_presets], error) < 0) {
		log_error("--preset: %s", error);
		return -EINVAL;
	}
	o->n_presets++;
	return 0;
}

static int parse_record_format(struct options *o, const char *value)
{
	if (strcmp(value, "s32") == 0) {
		o->record_format = RECORD_S32;
	} else if (strcmp(value, "f32") == 0) {
		o->record_format = RECORD_F32;
	} else {
		return option_bad("record-format", value, "s32 or f32");
	}
	return 0;
}

static int parse_number(struct options *o, int opt, const char *value)
{
	double d;
	uint64_t n;

	switch (opt) {
	case OPT_RC_PPM:
		o->rc_ppm_set = true;
		return option_double(value, -100000, 100000, &o->rc_ppm)
			       ? 0
			       : option_bad("rc-ppm", value, "a number from -100000 to 100000");
	case OPT_LOSS:
		return option_double(value, 0, 1, &o->loss)
			       ? 0
			       : option_bad("loss", value, "a probability from 0 to 1");
	case OPT_SEED:
		return option_whole(value, 0, UINT64_MAX, &o->seed)
			       ? 0
			       : option_bad("seed", value, "a whole number from 0 on");
	case OPT_JITTER:
		if (!option_double(value, 0, 1e6, &d)) {
			return option_bad("jitter", value, "microseconds from 0 to 1000000");
		}
		o->jitter_ns = llrint(d * 1e3);
		return 0;
	case OPT_GUARD:
		if (!option_double(value, 0, 1e6, &d)) {
			return option_bad("guard", value, "microseconds from 0 to 1000000");
		}
		o->guard_ns = llrint(d * 1e3);
		return 0;
	case OPT_INTERVAL:
		return option_double(value, 0.05, 86400, &o->interval_s)
			       ? 0
			       : option_bad("interval", value, "seconds from 0.05 to 86400");
	case OPT_DURATION:
		return option_double(value, 0.001, 1e9, &o->duration_s)
			       ? 0
			       : option_bad("duration", value, "seconds from 0.001 on");
	case OPT_RING_FRAMES:
		if (!option_whole(value, 64, 4194304, &n)) {
			return option_bad("ring-frames", value, "a whole number from 64 to 4194304");
		}
		o->ring_frames = (unsigned)n;
		return 0;
	default:
		return -EINVAL;
	}
}

/* As options_parse(). */
static int parse_option(struct options *o, int opt, const char *value)
{
	switch (opt) {
	case 'i':
		o->interface = value;
		return 1;
	case 'v':
		o->verbose = true;
		return 1;
	case 'h':
		fputs(help, stdout);
		return 0;
	case OPT_VERSION:
		printf("ethlink-emu %s\n", PACKAGE_VERSION);
		return 0;
	case OPT_ADC:
		return option_bad("adc", value, "ADC boxes come in a later release; this one has --dac only");
	case OPT_PLAY:
		return option_bad("play", value, "belongs to ADC boxes, which come in a later release");
	case OPT_DAC:
		return parse_dac(o, value) < 0 ? -EINVAL : 1;
	case OPT_RECORD:
		o->record_path = value;
		return *value ? 1 : option_bad("record", value, "the name of a WAV file");
	case OPT_RECORD_FORMAT:
		return parse_record_format(o, value) < 0 ? -EINVAL : 1;
	case OPT_RECORD_ALL:
		o->record_all = true;
		return 1;
	case OPT_APPLY_GAIN:
		o->apply_gain = true;
		return 1;
	case OPT_PPM:
		return parse_ppm(o, value) < 0 ? -EINVAL : 1;
	case OPT_PRESET:
		return parse_preset(o, value) < 0 ? -EINVAL : 1;
	case OPT_JSON:
		o->json = true;
		return 1;
	case OPT_STATUS_FILE:
		o->status_path = value;
		return *value ? 1 : option_bad("status-file", value, "the name of a file");
	case OPT_LOG_CHANGES:
		o->changes_path = value;
		return *value ? 1 : option_bad("log-changes", value, "the name of a file");
	case OPT_OFF:
		o->start_off = true;
		return 1;
	case OPT_COMMANDS:
		o->commands = true;
		return 1;
	case OPT_CHECK_COUNTER:
		o->check_counter = true;
		return 1;
	case '?': /* getopt has said why */
		return -EINVAL;
	default:
		return parse_number(o, opt, value) < 0 ? -EINVAL : 1;
	}
}

static int check_presets(const struct options *o)
{
	for (unsigned p = 0; p < o->n_presets; p++) {
		for (unsigned i = 0; i < SERIALS_MAX; i++) {
			if (!o->presets[p].all && serials_has(&o->presets[p].serials, (uint16_t)i) &&
				!serials_has(&o->dac, (uint16_t)i)) {
				log_error("--preset: box %u is not among those of --dac", i);
				return -EINVAL;
			}
		}
	}
	return 0;
}

static int check(struct options *o)
{
	if (!o->interface) {
		log_error("which interface? -i INTERFACE is missing; see --help");
		return -EINVAL;
	}
	if (strlen(o->interface) == 0 || strlen(o->interface) > 15) {
		return option_bad("interface", o->interface, "an interface's name has 1 to 15 characters");
	}
	if (serials_count(&o->dac) == 0) {
		serials_add(&o->dac, "0", 1);
	}
	if (o->start_off && o->n_presets > 0) {
		log_error(
			"--off and --preset: a box that is off has no state; use the commands on and preset");
		return -EINVAL;
	}
	if (!o->record_path && (o->record_all || o->apply_gain)) {
		log_error("--%s needs --record=FILE.wav", o->record_all ? "record-all" : "apply-gain");
		return -EINVAL;
	}
	return check_presets(o);
}

int options_parse(int argc, char **argv, struct options *ret)
{
	int opt, r;

	memset(ret, 0, sizeof(*ret));
	ret->interval_s = 1;
	ret->seed = 1;
	ret->guard_ns = 500 * NSEC_PER_USEC;
	ret->ppm = calloc(SERIALS_MAX, sizeof(*ret->ppm));
	if (!ret->ppm) {
		return -ENOMEM;
	}
	while ((opt = getopt_long(argc, argv, "i:vh", long_options, NULL)) != -1) {
		r = parse_option(ret, opt, optarg);
		if (r <= 0) {
			return r;
		}
	}
	if (optind < argc) {
		log_error("'%s' is too much: ethlink-emu takes options only; see --help", argv[optind]);
		return -EINVAL;
	}
	r = check(ret);
	return r < 0 ? r : 1;
}

void options_fini(struct options *o)
{
	free(o->ppm);
	free(o->presets);
	o->ppm = NULL;
	o->presets = NULL;
}
