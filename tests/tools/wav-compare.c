/*
 * wav-compare: is what a box played what went in? Compares a recording (8 channels of 32-bit integers) with its
 * source, frame by frame, finds its place again after every discontinuity, and counts what is missing,
 * what is there too much, and what is silence that should not be.
 *
 * The conversion from float is written here a second time, from the rule and not from the daemon's code.
 */
#include "material.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <sndfile.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CH MATERIAL_CHANNELS
#define RUN_FRAMES 16 /* so many equal frames in a row are a place found again */
#define LISTED_MAX 64

struct track {
	int32_t *samples; /* interleaved */
	size_t frames;
	unsigned rate_hz;
};

/* A run of source frames, by hash; sorted by hash, then by place. */
struct run_key {
	uint64_t hash;
	size_t frame;
};

struct gap {
	size_t source_frame, recording_frame;
	size_t missing, extra, zeros;
};

struct result {
	size_t compared, gaps, missing, extra, zeros;
	struct gap listed[LISTED_MAX];
	unsigned first_channel;
	int32_t first_expected, first_found;
	bool first_beyond_end; /* the recording ended there */
};

struct compare {
	struct track source, recording;
	size_t s, s_end; /* frames of the source still to be compared */
	size_t r, r_end;
	struct run_key *index;
	size_t n_index;
	struct result result;
};

static int32_t to_int32(float x)
{
	double y = (double)x * 2147483648.0;

	if (isnan(x)) {
		return 0;
	}
	if (y >= 2147483647.0) {
		return INT32_MAX;
	}
	return y <= -2147483648.0 ? INT32_MIN : (int32_t)llrint(y);
}

static const int32_t *frame_at(const struct track *t, size_t frame)
{
	return t->samples + frame * CH;
}

static bool is_zero(const struct track *t, size_t frame)
{
	static const int32_t zeros[CH];

	return memcmp(frame_at(t, frame), zeros, sizeof(zeros)) == 0;
}

static bool same_frame(const struct compare *c, size_t s, size_t r)
{
	return memcmp(frame_at(&c->source, s), frame_at(&c->recording, r), CH * sizeof(int32_t)) == 0;
}

static int track_alloc(struct track *t, size_t frames, unsigned rate_hz)
{
	t->frames = frames;
	t->rate_hz = rate_hz;
	t->samples = calloc(frames ? frames * CH : 1, sizeof(int32_t));
	if (!t->samples) {
		fprintf(stderr, "wav-compare: not enough memory for %zu frames\n", frames);
		return -ENOMEM;
	}
	return 0;
}

static int load_source(struct track *t, const char *path)
{
	struct material m;
	char error[512];

	if (material_read(&m, path, 0, error, sizeof(error)) < 0) {
		fprintf(stderr, "wav-compare: %s\n", error);
		return -EIO;
	}
	if (track_alloc(t, m.frames, m.rate_hz) < 0) {
		material_fini(&m);
		return -ENOMEM;
	}
	for (size_t i = 0; i < m.frames * CH; i++) {
		t->samples[i] = to_int32(m.channel[i % CH][i / CH]);
	}
	material_fini(&m);
	return 0;
}

static int load_pattern(struct track *t, size_t frames)
{
	if (track_alloc(t, frames, 0) < 0) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < frames * CH; i++) {
		t->samples[i] = material_pattern_value(i / CH + 1, i % CH) * 256;
	}
	return 0;
}

static int load_recording(struct track *t, const char *path)
{
	SF_INFO info = {0};
	SNDFILE *file = sf_open(path, SFM_READ, &info);
	int r;

	if (!file) {
		fprintf(stderr, "wav-compare: %s: %s\n", path, sf_strerror(NULL));
		return -EIO;
	}
	if (info.channels != CH || (info.format & SF_FORMAT_SUBMASK) != SF_FORMAT_PCM_32) {
		fprintf(stderr,
			"wav-compare: %s: a recording has %d channels of 32-bit integers, this file has "
			"not\n",
			path, CH);
		sf_close(file);
		return -EINVAL;
	}
	r = track_alloc(t, (size_t)info.frames, (unsigned)info.samplerate);
	if (r == 0) {
		sf_count_t got = sf_readf_int(file, t->samples, info.frames);

		t->frames = got > 0 ? (size_t)got : 0;
	}
	sf_close(file);
	return r;
}

/* Leaves out silence before and after. False where there is nothing else. */
static bool trim(const struct track *t, size_t *ret_begin, size_t *ret_end)
{
	size_t begin = 0, end = t->frames;

	while (begin < end && is_zero(t, begin)) {
		begin++;
	}
	while (end > begin && is_zero(t, end - 1)) {
		end--;
	}
	*ret_begin = begin;
	*ret_end = end;
	return begin < end;
}

static uint64_t hash_run(const struct track *t, size_t frame)
{
	const int32_t *p = frame_at(t, frame);
	uint64_t h = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < (size_t)RUN_FRAMES * CH; i++) {
		h = (h ^ (uint32_t)p[i]) * 0x100000001b3u;
		h ^= h >> 29;
	}
	return h;
}

/* A run in which nothing changes (silence, a constant) is the same everywhere: it shows no place. */
static bool shows_place(const struct track *t, size_t frame)
{
	return memcmp(frame_at(t, frame), frame_at(t, frame + 1),
		       (size_t)(RUN_FRAMES - 1) * CH * sizeof(int32_t)) != 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct run_key *x = a, *y = b;

	if (x->hash != y->hash) {
		return x->hash < y->hash ? -1 : 1;
	}
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* Built at the first difference: a recording that is right never needs it. */
static int build_index(struct compare *c)
{
	size_t n = c->s_end - c->s;

	if (c->index || n < RUN_FRAMES) {
		return 0;
	}
	c->index = malloc(n * sizeof(*c->index));
	if (!c->index) {
		fprintf(stderr, "wav-compare: not enough memory to search %zu frames\n", n);
		return -ENOMEM;
	}
	for (size_t s = c->s; s + RUN_FRAMES <= c->s_end; s++) {
		if (shows_place(&c->source, s)) {
			c->index[c->n_index].hash = hash_run(&c->source, s);
			c->index[c->n_index++].frame = s;
		}
	}
	qsort(c->index, c->n_index, sizeof(*c->index), compare_keys);
	return 0;
}

/* The first place at or after c->s whose run equals the recording's at r; SIZE_MAX where there is none. */
static size_t find_run(const struct compare *c, size_t r)
{
	struct run_key key = {.hash = hash_run(&c->recording, r), .frame = c->s};
	size_t low = 0, high = c->n_index;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare_keys(&c->index[middle], &key) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	for (; low < c->n_index && c->index[low].hash == key.hash; low++) {
		size_t s = c->index[low].frame;

		if (memcmp(frame_at(&c->source, s), frame_at(&c->recording, r),
			    (size_t)RUN_FRAMES * CH * sizeof(int32_t)) == 0) {
			return s;
		}
	}
	return SIZE_MAX;
}

/* The smallest step forward, in both together, after which they agree again; to both ends where they never do. */
static void find_place(const struct compare *c, size_t *ret_missing, size_t *ret_extra)
{
	size_t best = SIZE_MAX;

	*ret_missing = c->s_end - c->s;
	*ret_extra = c->r_end > c->r ? c->r_end - c->r : 0;
	for (size_t extra = 0; extra < best && c->r + extra + RUN_FRAMES <= c->r_end; extra++) {
		size_t s = find_run(c, c->r + extra);

		if (s != SIZE_MAX && s - c->s + extra < best) {
			best = s - c->s + extra;
			*ret_missing = s - c->s;
			*ret_extra = extra;
		}
	}
}

static void note_first(struct compare *c)
{
	struct result *res = &c->result;

	res->first_beyond_end = c->r >= c->recording.frames;
	for (unsigned k = 0; !res->first_beyond_end && k < CH; k++) {
		if (frame_at(&c->source, c->s)[k] != frame_at(&c->recording, c->r)[k]) {
			res->first_channel = k;
			res->first_expected = frame_at(&c->source, c->s)[k];
			res->first_found = frame_at(&c->recording, c->r)[k];
			return;
		}
	}
}

static void step_over(struct compare *c, size_t missing, size_t extra)
{
	struct result *res = &c->result;
	struct gap gap = {.source_frame = c->s, .recording_frame = c->r, .missing = missing, .extra = extra};

	for (size_t i = 0; i < extra; i++) {
		gap.zeros += is_zero(&c->recording, c->r + i);
	}
	if (res->gaps < LISTED_MAX) {
		res->listed[res->gaps] = gap;
	}
	res->gaps++;
	res->missing += missing;
	res->extra += extra;
	res->zeros += gap.zeros;
	c->s += missing;
	c->r += extra;
}

static int compare_tracks(struct compare *c)
{
	while (c->s < c->s_end) {
		size_t missing, extra;

		if (c->r < c->recording.frames && same_frame(c, c->s, c->r)) {
			c->s++;
			c->r++;
			c->result.compared++;
			continue;
		}
		if (c->result.gaps == 0) {
			note_first(c);
		}
		if (build_index(c) < 0) {
			return -ENOMEM;
		}
		find_place(c, &missing, &extra);
		step_over(c, missing, extra);
	}
	if (c->r < c->r_end) {
		step_over(c, 0, c->r_end - c->r);
	}
	return 0;
}

static void print_result(const struct compare *c, bool identical)
{
	const struct result *res = &c->result;

	printf("{\"identical\": %s, \"frames_compared\": %zu, \"gaps\": %zu, \"first_difference_frame\": ",
		identical ? "true" : "false", res->compared, res->gaps);
	if (res->gaps) {
		printf("%zu", res->listed[0].source_frame);
	} else {
		printf("null");
	}
	printf(", \"missing_frames\": %zu, \"extra_frames\": %zu, \"zero_frames_inside\": %zu, "
	       "\"source_frames\": %zu, "
	       "\"recording_frames\": %zu, \"rate\": %u, \"gap_list\": [",
		res->missing, res->extra, res->zeros, c->source.frames, c->recording.frames,
		c->recording.rate_hz);
	for (size_t i = 0; i < res->gaps && i < LISTED_MAX; i++) {
		const struct gap *g = &res->listed[i];

		printf("%s{\"source_frame\": %zu, \"recording_frame\": %zu, \"missing\": %zu, \"extra\": "
		       "%zu, \"zeros\": %zu}",
			i ? ", " : "", g->source_frame, g->recording_frame, g->missing, g->extra, g->zeros);
	}
	printf("]}\n");
}

/* For a person: what the JSON says, and the first sample that differs. */
static void explain(const struct compare *c, const char *path)
{
	const struct result *res = &c->result;

	fprintf(stderr,
		"wav-compare: %s: %zu gap(s), %zu frames missing, %zu too many (%zu of them silence), %zu "
		"identical\n",
		path, res->gaps, res->missing, res->extra, res->zeros, res->compared);
	if (res->first_beyond_end) {
		fprintf(stderr, "wav-compare: it ends at source frame %zu of %zu\n",
			res->listed[0].source_frame, c->s_end);
	} else if (res->first_expected != res->first_found) {
		fprintf(stderr,
			"wav-compare: first at source frame %zu, channel %u: 0x%08x expected, 0x%08x found\n",
			res->listed[0].source_frame, res->first_channel + 1, (unsigned)res->first_expected,
			(unsigned)res->first_found);
	}
}

static int compare_files(struct compare *c, const char *path, const char *source_name)
{
	bool identical;

	if (!trim(&c->source, &c->s, &c->s_end)) {
		fprintf(stderr, "wav-compare: %s is silent: any recording of silence would equal it\n",
			source_name);
		return 2;
	}
	trim(&c->recording, &c->r, &c->r_end);
	if (compare_tracks(c) < 0) {
		return 2;
	}
	identical = c->result.gaps == 0;
	if (c->source.rate_hz && c->source.rate_hz != c->recording.rate_hz) {
		fprintf(stderr, "wav-compare: %s says %u Hz, the source %u Hz\n", path, c->recording.rate_hz,
			c->source.rate_hz);
		identical = false;
	}
	print_result(c, identical);
	if (c->result.gaps) {
		explain(c, path);
	}
	return identical ? 0 : 1;
}

static void usage(FILE *to)
{
	fputs("Usage: wav-compare (--source FILE | --pattern [--frames N]) RECORDING.wav\n"
	      "Compares what a virtual box recorded (8 channels, 32-bit integers) with what was played.\n\n"
	      "  --source FILE   the sound file that was played, 1 to 8 channels\n"
	      "  --pattern       the counter of jack-feed --pattern\n"
	      "  --frames N      how many frames of it (default: as many as there are)\n"
	      "  --help, --version\n\n"
	      "Silence before and after is left out. Prints JSON; exit status: 0 identical, 1 different, 2 "
	      "bad usage or file.\n",
		to);
}

static int bad_usage(const char *what)
{
	fprintf(stderr, "wav-compare: %s; see wav-compare --help\n", what);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"source", 1, NULL, 's'}, {"pattern", 0, NULL, 'p'},
		{"frames", 1, NULL, 'n'}, {"help", 0, NULL, 'h'}, {"version", 0, NULL, 'V'},
		{NULL, 0, NULL, 0}};
	static struct compare c;
	const char *source = NULL;
	bool pattern = false;
	size_t frames = 0;
	int k, r;

	while ((k = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (k == 'h') {
			usage(stdout);
			return 0;
		} else if (k == 'V') {
			puts("wav-compare (ethlinkd test tools)");
			return 0;
		} else if (k == 's') {
			source = optarg;
		} else if (k == 'p') {
			pattern = true;
		} else if (k == 'n') {
			frames = strtoull(optarg, NULL, 10);
		} else {
			return bad_usage("unknown option or missing value");
		}
	}
	if (!source == !pattern || optind + 1 != argc) {
		return bad_usage("one of --source and --pattern is needed, and one recording");
	}
	r = load_recording(&c.recording, argv[optind]);
	if (r == 0 && pattern && frames == 0) {
		size_t begin, end;

		frames = trim(&c.recording, &begin, &end) ? end - begin : 1;
	}
	if (r == 0) {
		r = pattern ? load_pattern(&c.source, frames) : load_source(&c.source, source);
	}
	r = r < 0 ? 2 : compare_files(&c, argv[optind], pattern ? "the pattern" : source);
	free(c.index);
	free(c.source.samples);
	free(c.recording.samples);
	return r;
}
