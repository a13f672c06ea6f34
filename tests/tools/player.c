#include "player.h"
#include "stall.h"

#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct player_kind *kind;
static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = 1;
}

void player_begin(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &action.sa_mask, NULL);
}

bool player_interrupted(void)
{
	return interrupted;
}

/* SIGUSR1 is blocked, and fetched: not every library's calls to its server bear interruptions. */
static bool was_asked(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigtimedwait(&set, NULL, &(struct timespec){0}) == SIGUSR1;
}

double player_now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int player_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "%s: ", kind->program);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return 1;
}

/* --- in the server's thread */

static void copy_material(const struct player *p, float *dst, unsigned channel, size_t position, size_t n)
{
	size_t begin = position > p->lead_frames ? position : p->lead_frames;
	size_t end = position + n;

	if (end > p->lead_frames + p->material.frames) {
		end = p->lead_frames + p->material.frames;
	}
	memset(dst, 0, n * sizeof(*dst));
	if (begin < end) {
		memcpy(dst + (begin - position), p->material.channel[channel] + (begin - p->lead_frames),
			(end - begin) * sizeof(*dst));
	}
}

static void count_on(const struct player *p, float *dst, unsigned channel, size_t position, size_t n)
{
	for (size_t i = 0; i < n; i++, position++) {
		dst[i] = position < p->lead_frames
				 ? 0.0f
				 : (float)material_pattern_value(position - p->lead_frames + 1, channel) /
					   8388608.0f;
	}
}

/*
 * A callback that runs late reads the time of the cycle after its own; the next one then sees it stand still. So
 * steps back count, too, and only what remains was skipped.
 */
static void count_skipped_rt(struct player *p, int cycles, size_t position)
{
	atomic_fetch_add_explicit(&p->skipped, cycles, memory_order_relaxed);
	if (cycles > 0) {
		unsigned k = atomic_fetch_add_explicit(&p->n_skipped_at, 1, memory_order_relaxed);

		if (k < PLAYER_EVENTS_MAX) {
			atomic_store_explicit(&p->skipped_at[k], position, memory_order_relaxed);
		}
	}
}

/* Cycles of n frames in so many frames more or less than there should be; less than one is one as well. */
static int cycles_in(int64_t frames, uint32_t n)
{
	int cycles = (int)(frames / (int64_t)n);

	return cycles ? cycles : frames > 0 ? 1 : -1;
}

void player_cycle_rt(struct player *p, uint64_t frame, uint32_t n)
{
	size_t position = atomic_load_explicit(&p->position, memory_order_relaxed);
	uint32_t before = atomic_load_explicit(&p->period_frames, memory_order_relaxed);

	p->running = atomic_load_explicit(&p->go, memory_order_acquire) && position < p->total_frames;
	if (p->running && p->time_known && frame != p->next_frame) {
		count_skipped_rt(p, cycles_in((int64_t)(frame - p->next_frame), n), position);
	}
	if (p->running && p->time_known && before != n) {
		atomic_fetch_add_explicit(&p->period_changes, 1, memory_order_relaxed);
	}
	atomic_store_explicit(&p->period_frames, n, memory_order_relaxed);
	p->next_frame = frame + n;
	p->time_known = p->running;
}

void player_fill_rt(struct player *p, float *dst, unsigned channel, uint32_t n)
{
	size_t position = atomic_load_explicit(&p->position, memory_order_relaxed);

	if (!p->running) {
		memset(dst, 0, n * sizeof(*dst));
	} else if (p->endless) {
		count_on(p, dst, channel, position, n);
	} else {
		copy_material(p, dst, channel, position, n);
	}
}

void player_end_rt(struct player *p, uint32_t n)
{
	if (p->running) {
		atomic_fetch_add_explicit(&p->position, n, memory_order_release);
	}
}

void player_xrun(struct player *p, size_t position)
{
	if (position > 0 && position < p->total_frames) {
		unsigned k = atomic_fetch_add(&p->xruns, 1);

		if (k < PLAYER_EVENTS_MAX) {
			atomic_store(&p->xrun_at[k], position);
		}
	}
}

/* --- material */

/* What comes out where a volume is applied on the way. */
static int save_material(const struct material *m, const struct player_options *o)
{
	struct material out = *m;
	char error[512];
	int r = 0;

	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		out.channel[c] = malloc((m->frames ? m->frames : 1) * sizeof(float));
		if (!out.channel[c]) {
			abort();
		}
		for (size_t i = 0; i < m->frames; i++) {
			out.channel[c][i] = m->channel[c][i] * (float)o->save_times;
		}
	}
	if (material_write(&out, o->save, error, sizeof(error)) < 0) {
		r = player_fail("%s", error);
	}
	material_fini(&out);
	return r;
}

static int make_material(struct material *m, const struct player_options *o, unsigned rate_hz)
{
	size_t frames = (size_t)llround(o->seconds * rate_hz);
	char error[512];
	int r;

	if (o->source == PLAYER_FILE) {
		r = material_read(m, o->file, frames, error, sizeof(error));
		if (r < 0) {
			return player_fail("%s", error);
		}
		if (m->rate_hz != rate_hz) {
			return player_fail(
				"%s: it was made for %u Hz, the server runs at %u Hz; convert it, or give "
				"the server that rate",
				o->file, m->rate_hz, rate_hz);
		}
	} else {
		r = o->source == PLAYER_PATTERN ? material_pattern(m, frames, rate_hz)
						: material_music(m, frames, rate_hz);
		if (r < 0) {
			return player_fail("not enough memory for %g s of audio", o->seconds);
		}
	}
	return o->save ? save_material(m, o) : 0;
}

/* For scripts that choose the server's rate by the file. */
static int print_info(const char *path)
{
	struct material m;
	char error[512];

	if (material_read(&m, path, 0, error, sizeof(error)) < 0) {
		return player_fail("%s", error);
	}
	printf("{\"frames\": %zu, \"rate\": %u}\n", m.frames, m.rate_hz);
	material_fini(&m);
	return 0;
}

bool player_without_server(const struct player_options *o, int *ret_status)
{
	struct material m = {0};

	if (o->info) {
		*ret_status = print_info(o->file);
		return true;
	}
	if (o->save_only) {
		*ret_status = make_material(&m, o, o->rate_hz);
		material_fini(&m);
		return true;
	}
	return false;
}

int player_prepare(struct player *p, const struct player_options *o, unsigned rate_hz)
{
	int r = o->endless ? 0 : make_material(&p->material, o, rate_hz);

	p->endless = o->endless;
	p->rate_hz = rate_hz;
	p->lead_frames = (size_t)llround(o->lead_in_s * rate_hz);
	p->total_frames =
		o->endless ? SIZE_MAX
			   : p->lead_frames + p->material.frames + (size_t)llround(o->tail_s * rate_hz);
	return r;
}

void player_fini(struct player *p)
{
	material_fini(&p->material);
}

/* --- the report */

static void print_positions(const char *key, const struct player *p, const _Atomic size_t *at, unsigned n)
{
	printf(", \"%s\": [", key);
	for (unsigned i = 0; i < n && i < PLAYER_EVENTS_MAX; i++) {
		printf("%s%lld", i ? ", " : "", (long long)atomic_load(&at[i]) - (long long)p->lead_frames);
	}
	printf("]");
}

static void report(const struct player *p)
{
	size_t position = atomic_load(&p->position);
	size_t played = position > p->lead_frames ? position - p->lead_frames : 0;
	unsigned xruns = atomic_load(&p->xruns);
	int skipped = atomic_load(&p->skipped);
	struct stalls stalls = stall_stop();

	if (!p->endless && played > p->material.frames) {
		played = p->material.frames;
	}
	printf("{\"frames\": %zu, \"xruns\": %u, \"skipped_cycles\": %d, \"rate\": %u, \"period\": %u, "
	       "\"period_changes\": %u",
		played, xruns, skipped > 0 ? skipped : 0, p->rate_hz, atomic_load(&p->period_frames),
		atomic_load(&p->period_changes));
	printf(", \"stalls\": %u, \"stall_max_us\": %lld", stalls.count, (long long)stalls.longest_ns / 1000);
	print_positions("xrun_frames", p, p->xrun_at, xruns);
	print_positions("skipped_frames", p, p->skipped_at, skipped > 0 ? atomic_load(&p->n_skipped_at) : 0);
	printf("}\n");
	fflush(stdout);
}

/* A line for whoever asked: what the server and the machine did since the last such line. */
static void report_since(const struct player *p)
{
	static unsigned told_xruns;
	static int told_skipped;
	unsigned xruns = atomic_load(&p->xruns);
	int skipped = atomic_load(&p->skipped);
	struct stalls stalls = stall_take();

	printf("{\"position\": %zu, \"xruns\": %u, \"skipped_cycles\": %d, \"rate\": %u",
		atomic_load(&p->position), xruns - told_xruns,
		skipped > told_skipped ? skipped - told_skipped : 0, p->rate_hz);
	printf(", \"stalls\": %u, \"stall_max_us\": %lld}\n", stalls.count,
		(long long)stalls.longest_ns / 1000);
	fflush(stdout);
	told_xruns = xruns;
	told_skipped = skipped;
}

/* --- playing */

static void wait_for_start(struct player *p, const struct player_options *o, player_wait_fn wait, void *data)
{
	if (o->start_file) {
		fprintf(stderr, "%s: connected; waiting for %s\n", kind->program, o->start_file);
	}
	while (o->start_file && access(o->start_file, F_OK) != 0 && !interrupted && !atomic_load(&p->lost)) {
		wait(data);
	}
}

int player_play(struct player *p, const struct player_options *o, player_wait_fn wait,
	void (*drain)(void *data), void *data)
{
	double length_s, deadline_s;
	int r = 0;

	wait_for_start(p, o, wait, data);
	/* Without the right to realtime priority there are no stalls to tell. */
	stall_start();
	/* A server that stands still must not make the tool wait for ever. */
	length_s = (double)p->total_frames / p->rate_hz;
	deadline_s = player_now_s() + 2.0 * length_s + o->timeout_s;
	atomic_store_explicit(&p->go, true, memory_order_release);
	while (atomic_load_explicit(&p->position, memory_order_acquire) < p->total_frames && r == 0) {
		if (atomic_load(&p->lost)) {
			return player_fail("the %s server went away while playing", kind->server);
		}
		if (was_asked()) {
			report_since(p);
		}
		if (interrupted) {
			r = o->endless ? -1 : player_fail("interrupted");
		} else if (player_now_s() > deadline_s) {
			r = player_fail("the server is too slow: %g s of audio took more than %g s", length_s,
				2.0 * length_s + o->timeout_s);
		} else {
			wait(data);
		}
	}
	if (drain) {
		drain(data);
	}
	report(p);
	while (r == 0 && o->hold && !interrupted && !atomic_load(&p->lost)) {
		wait(data);
	}
	return r > 0 ? r : 0;
}

/* --- the command line */

static void usage(FILE *to)
{
	fprintf(to,
		"Usage: %s (--file FILE | --pattern | --music) [OPTION]...\n"
		"Plays 8 channels of known material into %s ports and reports what the server did "
		"meanwhile.\n\n"
		"  --file FILE        a sound file of 1 to 8 channels at the server's rate\n"
		"  --pattern          a counter: frame n from 1, channel c from 0: ((n & 0x1fffff) * 8 + c) "
		"- 2^23, "
		"over 2^23\n"
		"  --music            chords, arpeggio, bass, drums: the same each time\n"
		"  --seconds S        how much of it (default 10; of a file: all)\n"
		"  --endless          of --pattern: until SIGTERM; SIGUSR1 prints what happened since the "
		"last time\n"
		"  --save FILE.wav    write the material as a float WAV file, too\n"
		"  --save-times X     multiplied by X (default 1)\n"
		"  --info             of --file: print its rate and length as JSON and do not play\n"
		"  --save-only RATE   write it for that rate and do not play\n"
		"  --server NAME      the %s server (default: the default one)\n"
		"  --client NAME      the name in the graph (default feed)\n"
		"  --target %-9s %s; may be given 64 times\n"
		"  --lead-in S        silence before (default 0.5)\n"
		"  --tail S           silence after (default 0.5)\n"
		"  --start-file FILE  play silence until FILE exists\n"
		"  --hold             stay connected after the report, until SIGTERM\n"
		"  --timeout S        how long to wait for the ports of a target (default 10)\n",
		kind->program, kind->server, kind->server, kind->target, kind->target_help);
	if (kind->has_quanta) {
		fputs("  --quanta N,N,...   force these quanta, one after the other and again from the "
		      "first\n"
		      "  --every S          each for so long (default 1)\n",
			to);
	}
	fputs("  --help, --version\n\n"
	      "The last line is JSON: frames, xruns, skipped_cycles, rate, period, period_changes; stalls, "
	      "stall_max_us\n"
	      "(realtime threads that woke more than 1 ms late, and the latest); xrun_frames, skipped_frames "
	      "(where in\n"
	      "the material). Exit status: 0, 1 on failure, 2 for a bad command line.\n",
		to);
}

static int bad_option(const char *what)
{
	fprintf(stderr, "%s: %s; see %s --help\n", kind->program, what, kind->program);
	return 2;
}

/* Mostly seconds: 0 to a day. */
static bool parse_number(const char *s, double *ret)
{
	char *end;

	*ret = strtod(s, &end);
	return end != s && *end == '\0' && *ret >= 0.0 && *ret <= 86400.0;
}

static bool parse_quanta(const char *s, struct player_options *o)
{
	o->n_quanta = 0;
	for (;;) {
		char *end;
		unsigned long n = strtoul(s, &end, 10);

		if (end == s || n < 1 || n > 8192 || o->n_quanta == PLAYER_QUANTA_MAX) {
			return false;
		}
		o->quanta_frames[o->n_quanta++] = (uint32_t)n;
		if (*end == '\0') {
			return kind->has_quanta;
		}
		s = *end == ',' ? end + 1 : "";
	}
}

static bool set_number(struct player_options *o, int k, const char *value)
{
	double *to = k == 's'	? &o->seconds
		     : k == 'x' ? &o->save_times
		     : k == 'l' ? &o->lead_in_s
		     : k == 'T' ? &o->tail_s
		     : k == 'E' ? &o->every_s
				: &o->timeout_s;

	return parse_number(value, to);
}

static bool set_option(struct player_options *o, int k, char *value)
{
	switch (k) {
	case 'f':
	case 'p':
	case 'm':
		if (o->source != PLAYER_NONE) {
			return false;
		}
		o->source = k == 'f' ? PLAYER_FILE : k == 'p' ? PLAYER_PATTERN : PLAYER_MUSIC;
		o->file = value;
		return true;
	case 'O':
		o->save_only = true;
		o->rate_hz = (unsigned)strtoul(value, NULL, 10);
		return o->rate_hz >= 8000 && o->rate_hz <= 192000;
	case 't':
		if (o->n_targets == PLAYER_TARGETS_MAX) {
			return false;
		}
		o->targets[o->n_targets++] = value;
		return true;
	case 'q':
		return parse_quanta(value, o);
	case 'S':
		o->save = value;
		return true;
	case 'i':
		o->info = true;
		return true;
	case 'H':
		o->hold = true;
		return true;
	case 'e':
		o->endless = true;
		return true;
	case 'n':
		o->server = value;
		return true;
	case 'c':
		o->client = value;
		return true;
	case 'w':
		o->start_file = value;
		return true;
	default:
		return set_number(o, k, value);
	}
}

static int check_options(struct player_options *o)
{
	bool seconds_given = o->seconds >= 0.0;

	if (o->source == PLAYER_NONE) {
		return bad_option("one of --file, --pattern and --music is needed");
	}
	if (o->save_only && !o->save) {
		return bad_option("--save-only needs --save FILE.wav");
	}
	if (o->endless && (o->source != PLAYER_PATTERN || seconds_given || o->save)) {
		return bad_option("--endless is for --pattern, without --seconds and --save");
	}
	if (o->info && o->source != PLAYER_FILE) {
		return bad_option("--info needs --file FILE");
	}
	if (!seconds_given) {
		o->seconds = o->source == PLAYER_FILE ? 0.0 : 10.0;
	} else if (o->seconds <= 0.0 || o->every_s <= 0.0) {
		return bad_option("--seconds and --every must be more than 0");
	}
	return 0;
}

int player_parse(int argc, char **argv, const struct player_kind *of_kind, struct player_options *o)
{
	static const struct option longs[] = {{"file", 1, NULL, 'f'}, {"pattern", 0, NULL, 'p'},
		{"music", 0, NULL, 'm'}, {"seconds", 1, NULL, 's'}, {"save", 1, NULL, 'S'},
		{"save-only", 1, NULL, 'O'}, {"save-times", 1, NULL, 'x'}, {"server", 1, NULL, 'n'},
		{"client", 1, NULL, 'c'}, {"target", 1, NULL, 't'}, {"lead-in", 1, NULL, 'l'},
		{"tail", 1, NULL, 'T'}, {"start-file", 1, NULL, 'w'}, {"timeout", 1, NULL, 'W'},
		{"info", 0, NULL, 'i'}, {"hold", 0, NULL, 'H'}, {"endless", 0, NULL, 'e'},
		{"quanta", 1, NULL, 'q'}, {"every", 1, NULL, 'E'}, {"help", 0, NULL, 'h'},
		{"version", 0, NULL, 'V'}, {NULL, 0, NULL, 0}};
	int k;

	kind = of_kind;
	*o = (struct player_options){.client = "feed",
		.seconds = -1.0,
		.lead_in_s = 0.5,
		.tail_s = 0.5,
		.timeout_s = 10.0,
		.every_s = 1.0,
		.save_times = 1.0};
	while ((k = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (k == 'h') {
			usage(stdout);
			exit(0);
		} else if (k == 'V') {
			printf("%s (ethlinkd test tools)\n", kind->program);
			exit(0);
		} else if (k == '?') {
			return bad_option("unknown option or missing value");
		} else if (!set_option(o, k, optarg)) {
			return bad_option(
				"seconds are 0 to 86400, rates 8000 to 192000 Hz, quanta 1 to 8192 and at "
				"most 16, targets at most 64, and there is one source");
		}
	}
	return optind < argc ? bad_option("words without an option are not allowed") : check_options(o);
}
