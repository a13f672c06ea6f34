/*
 * What NetVST's codec costs a stereo insert: requests written and replies read, in percent of a core at 48 kHz, for each
 * codec and several lengths of a block; and how much shorter than plain samples it gets something like music. Time is the
 * thread's own; the best of some runs counts: what disturbs a run only ever makes it longer.
 */
#include "config.h"

#include "base/util.h"
#include "proto/netvst-wavpack.h"

#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_HZ 48000
#define SECONDS_MAX 60
#define HARMONICS 12
#define NOTES 4
#define REPLY_BYTES_MAX (4 + NETVST_CHANNELS * 4 * NETVST_FRAMES_MAX)

struct options {
	unsigned seconds; /* of audio */
	unsigned runs;
	unsigned bits; /* 0: as floats come out of a mixer; else as from a converter */
	bool json;
};

struct figures {
	double write_percent;
	double read_percent;
	double ratio;
	double us_a_block;
};

struct note {
	double step; /* of its phase, in radians a frame */
	double phase;
	double loud;
	double fade; /* a frame */
	double pan;
};

static float music[NETVST_CHANNELS][SECONDS_MAX * RATE_HZ];
static struct netvst_block block;
static struct netvst_parser parser;
static uint8_t request[NETVST_BYTES_MAX];
static uint8_t *replies;
static struct netvst_wavpack *packer, *unpacker;

static double random_number(void)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return (double)(state >> 8) / (1 << 24);
}

static void strike(struct note *note)
{
	note->step = 2 * M_PI * 55 * pow(2, floor(48 * random_number()) / 12) / RATE_HZ;
	note->phase = 0;
	note->loud = 0.05 + 0.25 * random_number();
	note->fade = pow(0.001, 1 / ((0.2 + 2 * random_number()) * RATE_HZ));
	note->pan = random_number();
}

/* Harmonics, each half as loud as the one before and weaker as the note dies away. */
static double sound(struct note *note)
{
	double bright = 0.3 + note->loud, weight = 1, sum = 0;

	for (unsigned h = 1; h <= HARMONICS && h * note->step < M_PI; h++) {
		sum += weight * sin(h * note->phase);
		weight *= bright;
	}
	note->phase += note->step;
	note->loud *= note->fade;
	return note->loud * sum;
}

/* Four notes at a time with a beat of broad noise now and then, and a room's noise below all. */
static void make_music(const struct options *opt)
{
	double steps = opt->bits ? pow(2, opt->bits - 1) : 0, beat = 0;
	struct note notes[NOTES];

	for (uint32_t i = 0; i < opt->seconds * RATE_HZ; i++) {
		double out[NETVST_CHANNELS] = {0};

		if (i % (RATE_HZ / 8) == 0) {
			strike(&notes[i / (RATE_HZ / 8) % NOTES]);
			for (unsigned n = 0; i == 0 && n < NOTES; n++) {
				strike(&notes[n]);
			}
		}
		beat = i % (RATE_HZ / 2) == 0 ? 0.1 : beat * 0.9995;
		for (unsigned n = 0; n < NOTES; n++) {
			double s = sound(&notes[n]);

			out[0] += s * notes[n].pan;
			out[1] += s * (1 - notes[n].pan);
		}
		for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
			out[c] += (beat + 0.0003) * (2 * random_number() - 1);
			music[c][i] = (float)(steps > 0 ? rint(out[c] * steps) / steps : out[c]);
		}
	}
}

static void take(uint32_t frames, uint32_t n)
{
	block.frames = frames;
	block.timestamp = n * frames;
	block.has_audio = true;
	for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
		memcpy(block.audio[c], &music[c][n * frames], frames * sizeof(float));
	}
}

static size_t write_block(
	uint8_t *bytes, size_t size, enum netvst_direction direction, enum netvst_codec codec)
{
	int n = netvst_write(bytes, size, NETVST_2017, direction, codec, packer, &block);

	if (n < 0) {
		fprintf(stderr, "netvst-codec: %s\n", strerror(-n));
		exit(1);
	}
	return (size_t)n;
}

static int64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void write_all(enum netvst_codec codec, uint32_t frames, uint32_t n_blocks)
{
	for (uint32_t n = 0; n < n_blocks; n++) {
		take(frames, n);
		write_block(request, sizeof(request), NETVST_REQUEST, codec);
	}
}

/* How long all replies are. */
static size_t make_replies(enum netvst_codec codec, uint32_t frames, uint32_t n_blocks)
{
	size_t at = 0;

	for (uint32_t n = 0; n < n_blocks; n++) {
		take(frames, n);
		at += write_block(replies + at, REPLY_BYTES_MAX, NETVST_REPLY, codec);
	}
	return at;
}

static void read_all(uint32_t frames, size_t n)
{
	size_t at = 0, used;

	netvst_parser_init(&parser, NETVST_2017, NETVST_REPLY, false, unpacker);
	netvst_parser_expect(&parser, frames);
	while (at < n) {
		if (netvst_parse(&parser, replies + at, n - at, &used, &block) != 1) {
			fprintf(stderr, "netvst-codec: %s\n",
				parser.error ? parser.error : "the last reply is cut short");
			exit(1);
		}
		at += used;
	}
}

static struct figures measure(const struct options *opt, enum netvst_codec codec, uint32_t frames)
{
	uint32_t n_blocks = opt->seconds * RATE_HZ / frames;
	double audio_ns = (double)n_blocks * frames * NSEC_PER_SEC / RATE_HZ;
	int64_t write_ns = INT64_MAX, read_ns = INT64_MAX;
	size_t n = make_replies(codec, frames, n_blocks);

	for (unsigned run = 0; run < opt->runs; run++) {
		int64_t begin = cpu_ns(), middle;

		write_all(codec, frames, n_blocks);
		middle = cpu_ns();
		read_all(frames, n);
		write_ns = MIN(write_ns, middle - begin);
		begin = cpu_ns();
		read_ns = MIN(read_ns, begin - middle);
	}
	return (struct figures){
		.write_percent = 100 * (double)write_ns / audio_ns,
		.read_percent = 100 * (double)read_ns / audio_ns,
		.ratio = (double)n / (n_blocks * (4.0 + NETVST_CHANNELS * 4.0 * frames)),
		.us_a_block = (double)(write_ns + read_ns) / n_blocks / NSEC_PER_USEC,
	};
}

static void print(const struct options *opt, enum netvst_codec codec, uint32_t frames, bool first)
{
	struct figures f = measure(opt, codec, frames);

	if (opt->json) {
		printf("%s{\"codec\":\"%s\",\"block\":%u,\"write_percent\":%.3f,\"read_percent\":%.3f,"
		       "\"percent\":%.3f,\"us_a_block\":%.2f,\"ratio\":%.3f}",
			first ? "" : ",", netvst_codec_to_string(codec), frames, f.write_percent,
			f.read_percent, f.write_percent + f.read_percent, f.us_a_block, f.ratio);
		return;
	}
	printf("%-14s %5u   %8.3f %8.3f %8.3f   %8.2f   %6.3f\n", netvst_codec_to_string(codec), frames,
		f.write_percent, f.read_percent, f.write_percent + f.read_percent, f.us_a_block, f.ratio);
}

static void run(const struct options *opt)
{
	static const uint32_t lengths[] = {64, 512, 2048};
	enum netvst_codec last = netvst_wavpack_supported() ? NETVST_WAVPACK_LOSSY : NETVST_PCM;

	if (opt->json) {
		printf("{\"seconds\":%u,\"bits\":%u,\"cases\":[", opt->seconds, opt->bits);
	} else {
		printf("codec          block   write %%   read %%    sum %%   us/block    ratio\n");
	}
	for (enum netvst_codec codec = NETVST_PCM; codec <= last; codec++) {
		for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
			print(opt, codec, lengths[i], codec == NETVST_PCM && i == 0);
		}
	}
	if (opt->json) {
		printf("]}\n");
	}
}

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: netvst-codec [--seconds=N] [--runs=N] [--bits=N] [--json]\n"
		"Percent of a core for a stereo insert at %d Hz, and bytes sent per byte of plain samples.\n"
		"  --seconds   of audio (1..%d, default 10)\n"
		"  --runs      the best of so many counts (default 3)\n"
		"  --bits      the music has samples of so many bits (16 or 24), as from a converter; "
		"default: floats\n"
		"  --json      one JSON object instead of a table\n",
		RATE_HZ, SECONDS_MAX);
}

static bool parse(int argc, char **argv, struct options *opt)
{
	static const struct option options[] = {{"seconds", required_argument, NULL, 's'},
		{"runs", required_argument, NULL, 'r'}, {"bits", required_argument, NULL, 'b'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 's':
			opt->seconds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			opt->runs = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			opt->bits = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'j':
			opt->json = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			return false;
		}
	}
	return optind == argc && opt->seconds >= 1 && opt->seconds <= SECONDS_MAX && opt->runs >= 1 &&
	       opt->bits <= 24;
}

int main(int argc, char **argv)
{
	struct options opt = {.seconds = 10, .runs = 3};

	if (!parse(argc, argv, &opt)) {
		usage(stderr);
		return 2;
	}
	if (netvst_wavpack_supported() &&
		(netvst_wavpack_new(&packer) < 0 || netvst_wavpack_new(&unpacker) < 0)) {
		fprintf(stderr, "netvst-codec: out of memory\n");
		return 1;
	}
	/* The shortest blocks have the most bytes around them. */
	replies = malloc((size_t)opt.seconds * RATE_HZ * (NETVST_CHANNELS * 4 + 1) + REPLY_BYTES_MAX);
	if (!replies) {
		fprintf(stderr, "netvst-codec: out of memory\n");
		return 1;
	}
	make_music(&opt);
	run(&opt);
	free(replies);
	netvst_wavpack_free(packer);
	netvst_wavpack_free(unpacker);
	return 0;
}
