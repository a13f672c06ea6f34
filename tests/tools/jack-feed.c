/*
 * jack-feed: a JACK client that plays known material, sample for sample, into other clients' ports.
 *
 * Everything is read or computed before the client is activated; the process callback copies and counts. What the
 * server did meanwhile (xruns, cycles in which this client did not run) is told at the end, so that a
 * test can tell a fault of the machine from one of the program that it tests. SIGUSR1 has it told at once.
 */
#include "material.h"
#include "stall.h"

#include <errno.h>
#include <getopt.h>
#include <jack/jack.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TARGETS_MAX 64
#define EVENTS_MAX 64
#define POLL_NS 10000000L

enum source {
	SOURCE_NONE,
	SOURCE_FILE,
	SOURCE_PATTERN,
	SOURCE_MUSIC,
};

struct options {
	const char *server;
	const char *client;
	const char *targets[TARGETS_MAX];
	unsigned n_targets;
	enum source source;
	const char *file;
	const char *save;
	bool save_only;
	bool info;
	bool hold;
	bool endless;
	const char *start_file;
	double seconds;
	double lead_in_s;
	double tail_s;
	double timeout_s;
	unsigned rate_hz;
};

struct feed {
	jack_client_t *client;
	jack_port_t *port[MATERIAL_CHANNELS];
	struct material material;
	bool endless; /* the pattern, worked out as it is played; no material */
	size_t lead_frames;
	size_t total_frames; /* lead-in, material and tail */
	/* Written by the process callback alone. */
	jack_nframes_t next_time;
	bool time_known;
	_Atomic size_t position; /* frames since the start, lead-in included */
	_Atomic int skipped;	 /* cycles of the server in which this client did not run */
	_Atomic unsigned n_skipped_at;
	_Atomic size_t skipped_at[EVENTS_MAX];
	/* Written by libjack's notification thread. */
	_Atomic unsigned xruns;
	_Atomic size_t xrun_at[EVENTS_MAX];
	_Atomic bool go;
	_Atomic bool lost; /* the server is gone */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = 1;
}

/* SIGUSR1 is blocked, and fetched: libjack's calls to its server do not bear interruptions. */
static bool was_asked(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigtimedwait(&set, NULL, &(struct timespec){0}) == SIGUSR1;
}

static int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("jack-feed: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return 1;
}

static void copy_material(const struct feed *f, float *dst, unsigned channel, size_t position, size_t n)
{
	size_t begin = position > f->lead_frames ? position : f->lead_frames;
	size_t end = position + n;

	if (end > f->lead_frames + f->material.frames) {
		end = f->lead_frames + f->material.frames;
	}
	memset(dst, 0, n * sizeof(*dst));
	if (begin < end) {
		memcpy(dst + (begin - position), f->material.channel[channel] + (begin - f->lead_frames),
			(end - begin) * sizeof(*dst));
	}
}

static void count_on(const struct feed *f, float *dst, unsigned channel, size_t position, size_t n)
{
	for (size_t i = 0; i < n; i++, position++) {
		dst[i] = position < f->lead_frames
				 ? 0.0f
				 : (float)material_pattern_value(position - f->lead_frames + 1, channel) /
					   8388608.0f;
	}
}

/*
 * A callback that runs late reads the frame time of the cycle after its own; the next one then sees it stand still.
 * So steps back count, too, and only what remains was skipped.
 */
static void count_skipped_rt(struct feed *f, int cycles, size_t position)
{
	atomic_fetch_add_explicit(&f->skipped, cycles, memory_order_relaxed);
	if (cycles > 0) {
		unsigned k = atomic_fetch_add_explicit(&f->n_skipped_at, 1, memory_order_relaxed);

		if (k < EVENTS_MAX) {
			atomic_store_explicit(&f->skipped_at[k], position, memory_order_relaxed);
		}
	}
}

static int on_process(jack_nframes_t n, void *arg)
{
	struct feed *f = arg;
	size_t position = atomic_load_explicit(&f->position, memory_order_relaxed);
	bool running = atomic_load_explicit(&f->go, memory_order_acquire) && position < f->total_frames;
	jack_nframes_t now = jack_last_frame_time(f->client);

	if (running && f->time_known && now != f->next_time) {
		count_skipped_rt(f, (int32_t)(now - f->next_time) / (int)n, position);
	}
	f->next_time = now + n;
	f->time_known = running;
	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		float *dst = jack_port_get_buffer(f->port[c], n);

		if (running && f->endless) {
			count_on(f, dst, c, position, n);
		} else if (running) {
			copy_material(f, dst, c, position, n);
		} else {
			memset(dst, 0, n * sizeof(*dst));
		}
	}
	if (running) {
		atomic_store_explicit(&f->position, position + n, memory_order_release);
	}
	return 0;
}

static int on_xrun(void *arg)
{
	struct feed *f = arg;
	size_t position = atomic_load_explicit(&f->position, memory_order_relaxed);

	if (position > 0 && position < f->total_frames) {
		unsigned k = atomic_fetch_add(&f->xruns, 1);

		if (k < EVENTS_MAX) {
			atomic_store(&f->xrun_at[k], position);
		}
	}
	return 0;
}

static void on_shutdown(void *arg)
{
	atomic_store(&((struct feed *)arg)->lost, true);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void pause_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
}

static int make_material(struct material *m, const struct options *o, unsigned rate_hz)
{
	size_t frames = (size_t)llround(o->seconds * rate_hz);
	char error[512];
	int r;

	if (o->source == SOURCE_FILE) {
		r = material_read(m, o->file, frames, error, sizeof(error));
		if (r < 0) {
			return fail("%s", error);
		}
		if (m->rate_hz != rate_hz) {
			return fail("%s: it was made for %u Hz, the server runs at %u Hz; convert it, or "
				    "start the server with "
				    "-r %u",
				o->file, m->rate_hz, rate_hz, m->rate_hz);
		}
	} else {
		r = o->source == SOURCE_PATTERN ? material_pattern(m, frames, rate_hz)
						: material_music(m, frames, rate_hz);
		if (r < 0) {
			return fail("not enough memory for %g s of audio", o->seconds);
		}
	}
	if (o->save && material_write(m, o->save, error, sizeof(error)) < 0) {
		return fail("%s", error);
	}
	return 0;
}

static int connect_target(struct feed *f, const char *prefix, double timeout_s)
{
	double deadline_s = now_s() + timeout_s;

	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		char name[512];
		int r;

		snprintf(name, sizeof(name), "%s%u", prefix, c + 1);
		while (!jack_port_by_name(f->client, name)) {
			if (atomic_load(&f->lost) || interrupted) {
				return fail("stopped while waiting for the port %s", name);
			}
			if (now_s() > deadline_s) {
				return fail("the server has no port %s (waited %g s); jack_lsp lists those "
					    "it has",
					name, timeout_s);
			}
			pause_briefly();
		}
		/* A client has its ports before it is active, and until then cannot be connected. */
		while ((r = jack_connect(f->client, jack_port_name(f->port[c]), name)) != 0 && r != EEXIST &&
			now_s() < deadline_s && !atomic_load(&f->lost) && !interrupted) {
			pause_briefly();
		}
		if (r != 0 && r != EEXIST) {
			return fail(
				"cannot connect to %s: the server said %d; is it an input of an audio port?",
				name, r);
		}
	}
	return 0;
}

static int open_client(struct feed *f, const struct options *o)
{
	jack_status_t status;

	f->client = o->server ? jack_client_open(
					o->client, JackNoStartServer | JackServerName, &status, o->server)
			      : jack_client_open(o->client, JackNoStartServer, &status);
	if (!f->client) {
		return fail("cannot join the JACK server %s (status 0x%x); is it running, for this user?",
			o->server ? o->server : "default", status);
	}
	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		char name[16];

		snprintf(name, sizeof(name), "out_%u", c + 1);
		f->port[c] =
			jack_port_register(f->client, name, JACK_DEFAULT_AUDIO_TYPE, JackPortIsOutput, 0);
		if (!f->port[c]) {
			return fail("the server refused the port %s", name);
		}
	}
	jack_set_process_callback(f->client, on_process, f);
	jack_set_xrun_callback(f->client, on_xrun, f);
	jack_on_shutdown(f->client, on_shutdown, f);
	return 0;
}

static void wait_for_start(const struct options *o)
{
	if (o->start_file) {
		fprintf(stderr, "jack-feed: connected; waiting for %s\n", o->start_file);
	}
	while (o->start_file && access(o->start_file, F_OK) != 0 && !interrupted) {
		pause_briefly();
	}
}

static void print_positions(const char *key, const struct feed *f, const _Atomic size_t *at, unsigned n)
{
	printf(", \"%s\": [", key);
	for (unsigned i = 0; i < n && i < EVENTS_MAX; i++) {
		printf("%s%lld", i ? ", " : "", (long long)atomic_load(&at[i]) - (long long)f->lead_frames);
	}
	printf("]");
}

static void report(const struct feed *f)
{
	size_t position = atomic_load(&f->position);
	size_t played = position > f->lead_frames ? position - f->lead_frames : 0;
	unsigned xruns = atomic_load(&f->xruns);
	int skipped = atomic_load(&f->skipped);
	struct stalls stalls = stall_stop();

	if (!f->endless && played > f->material.frames) {
		played = f->material.frames;
	}
	printf("{\"frames\": %zu, \"xruns\": %u, \"skipped_cycles\": %d, \"rate\": %u, \"period\": %u",
		played, xruns, skipped > 0 ? skipped : 0, f->material.rate_hz,
		jack_get_buffer_size(f->client));
	printf(", \"stalls\": %u, \"stall_max_us\": %lld", stalls.count, (long long)stalls.longest_ns / 1000);
	print_positions("xrun_frames", f, f->xrun_at, xruns);
	print_positions("skipped_frames", f, f->skipped_at, skipped > 0 ? atomic_load(&f->n_skipped_at) : 0);
	printf("}\n");
	fflush(stdout);
}

/* A line for whoever asked: what the server and the machine did since the last such line. */
static void report_since(const struct feed *f)
{
	static unsigned told_xruns;
	static int told_skipped;
	unsigned xruns = atomic_load(&f->xruns);
	int skipped = atomic_load(&f->skipped);
	struct stalls stalls = stall_take();

	printf("{\"position\": %zu, \"xruns\": %u, \"skipped_cycles\": %d, \"rate\": %u",
		atomic_load(&f->position), xruns - told_xruns,
		skipped > told_skipped ? skipped - told_skipped : 0, jack_get_sample_rate(f->client));
	printf(", \"stalls\": %u, \"stall_max_us\": %lld}\n", stalls.count,
		(long long)stalls.longest_ns / 1000);
	fflush(stdout);
	told_xruns = xruns;
	told_skipped = skipped;
}

static int play(struct feed *f, const struct options *o)
{
	/* A server that stands still must not make the tool wait for ever. */
	double length_s, deadline_s;

	wait_for_start(o);
	/* Without the right to realtime priority there are no stalls to tell. */
	stall_start();
	length_s = (double)f->total_frames / f->material.rate_hz;
	deadline_s = now_s() + 2.0 * length_s + o->timeout_s;
	atomic_store_explicit(&f->go, true, memory_order_release);
	while (atomic_load_explicit(&f->position, memory_order_acquire) < f->total_frames) {
		if (atomic_load(&f->lost)) {
			return fail("the JACK server went away while playing");
		}
		if (was_asked()) {
			report_since(f);
		}
		if (interrupted) {
			report(f);
			return o->endless ? 0 : fail("interrupted");
		}
		if (now_s() > deadline_s) {
			report(f);
			return fail("the server is too slow: %g s of audio took more than %g s", length_s,
				2.0 * length_s + o->timeout_s);
		}
		pause_briefly();
	}
	report(f);
	while (o->hold && !interrupted && !atomic_load(&f->lost)) {
		pause_briefly();
	}
	return 0;
}

/* For scripts that choose the server's rate by the file. */
static int print_info(const char *path)
{
	struct material m;
	char error[512];

	if (material_read(&m, path, 0, error, sizeof(error)) < 0) {
		return fail("%s", error);
	}
	printf("{\"frames\": %zu, \"rate\": %u}\n", m.frames, m.rate_hz);
	material_fini(&m);
	return 0;
}

static int run(const struct options *o)
{
	static struct feed f;
	unsigned rate_hz;
	int r;

	if (o->info) {
		return print_info(o->file);
	}
	if (o->save_only) {
		r = make_material(&f.material, o, o->rate_hz);
		material_fini(&f.material);
		return r;
	}
	r = open_client(&f, o);
	if (r == 0) {
		rate_hz = f.material.rate_hz = jack_get_sample_rate(f.client);
		f.endless = o->endless;
		r = o->endless ? 0 : make_material(&f.material, o, rate_hz);
	}
	if (r == 0) {
		f.lead_frames = (size_t)llround(o->lead_in_s * rate_hz);
		f.total_frames =
			f.endless ? SIZE_MAX
				  : f.lead_frames + f.material.frames + (size_t)llround(o->tail_s * rate_hz);
		if (jack_activate(f.client) != 0) {
			r = fail("the server refused to activate the client");
		}
	}
	for (unsigned i = 0; i < o->n_targets && r == 0; i++) {
		r = connect_target(&f, o->targets[i], o->timeout_s);
	}
	if (r == 0) {
		r = play(&f, o);
	}
	if (f.client) {
		jack_client_close(f.client);
	}
	material_fini(&f.material);
	return r;
}

static void usage(FILE *to)
{
	fputs("Usage: jack-feed (--file FILE | --pattern | --music) [OPTION]...\n"
	      "Plays 8 channels of known material into JACK ports and reports what the server did "
	      "meanwhile.\n\n"
	      "  --file FILE        a sound file of 1 to 8 channels at the server's rate\n"
	      "  --pattern          a counter: frame n from 1, channel c from 0: ((n & 0x1fffff) * 8 + c) - "
	      "2^23, over 2^23\n"
	      "  --music            chords, arpeggio, bass, drums: the same each time\n"
	      "  --seconds S        how much of it (default 10; of a file: all)\n"
	      "  --endless          of --pattern: until SIGTERM; SIGUSR1 prints what happened since the last "
	      "time\n"
	      "  --save FILE.wav    write the material as a float WAV file, too\n"
	      "  --info             of --file: print its rate and length as JSON and do not play\n"
	      "  --save-only RATE   write it for that rate and do not play\n"
	      "  --server NAME      the JACK server (default: the default one)\n"
	      "  --client NAME      the name among JACK's clients (default feed)\n"
	      "  --target PREFIX    connect out_1..out_8 to PREFIX1..PREFIX8; may be given 64 times\n"
	      "  --lead-in S        silence before (default 0.5)\n"
	      "  --tail S           silence after (default 0.5)\n"
	      "  --start-file FILE  play silence until FILE exists\n"
	      "  --hold             stay connected after the report, until SIGTERM\n"
	      "  --timeout S        how long to wait for the ports of a target (default 10)\n"
	      "  --help, --version\n\n"
	      "The last line is JSON: frames, xruns, skipped_cycles, rate, period; stalls, stall_max_us "
	      "(realtime threads\n"
	      "that woke more than 1 ms late, and the latest); xrun_frames, skipped_frames (where in the "
	      "material). Exit status: 0, 1 on failure, 2 for a bad command line.\n",
		to);
}

static int bad_option(const char *what)
{
	fprintf(stderr, "jack-feed: %s; see jack-feed --help\n", what);
	return 2;
}

/* Seconds, 0 to a day. */
static bool parse_seconds(const char *s, double *ret)
{
	char *end;

	*ret = strtod(s, &end);
	return end != s && *end == '\0' && *ret >= 0.0 && *ret <= 86400.0;
}

static int check_options(struct options *o, bool seconds_given)
{
	if (o->source == SOURCE_NONE) {
		return bad_option("one of --file, --pattern and --music is needed");
	}
	if (o->save_only && !o->save) {
		return bad_option("--save-only needs --save FILE.wav");
	}
	if (o->endless && (o->source != SOURCE_PATTERN || seconds_given || o->save)) {
		return bad_option("--endless is for --pattern, without --seconds and --save");
	}
	if (o->info && o->source != SOURCE_FILE) {
		return bad_option("--info needs --file FILE");
	}
	if (!seconds_given) {
		o->seconds = o->source == SOURCE_FILE ? 0.0 : 10.0;
	} else if (o->seconds <= 0.0) {
		return bad_option("--seconds must be more than 0");
	}
	return 0;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"file", 1, NULL, 'f'}, {"pattern", 0, NULL, 'p'},
		{"music", 0, NULL, 'm'}, {"seconds", 1, NULL, 's'}, {"save", 1, NULL, 'S'},
		{"save-only", 1, NULL, 'O'}, {"server", 1, NULL, 'n'}, {"client", 1, NULL, 'c'},
		{"target", 1, NULL, 't'}, {"lead-in", 1, NULL, 'l'}, {"tail", 1, NULL, 'T'},
		{"start-file", 1, NULL, 'w'}, {"timeout", 1, NULL, 'W'}, {"info", 0, NULL, 'i'},
		{"hold", 0, NULL, 'H'}, {"endless", 0, NULL, 'e'}, {"help", 0, NULL, 'h'},
		{"version", 0, NULL, 'V'}, {NULL, 0, NULL, 0}};
	bool seconds_given = false, good = true;
	int k;

	while ((k = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (k == 'h') {
			usage(stdout);
			exit(0);
		} else if (k == 'V') {
			puts("jack-feed (ethlinkd test tools)");
			exit(0);
		} else if (k == 'f' || k == 'p' || k == 'm') {
			good = o->source == SOURCE_NONE;
			o->source = k == 'f' ? SOURCE_FILE : k == 'p' ? SOURCE_PATTERN : SOURCE_MUSIC;
			o->file = optarg;
		} else if (k == 's') {
			good = parse_seconds(optarg, &o->seconds);
			seconds_given = true;
		} else if (k == 'S') {
			o->save = optarg;
		} else if (k == 'O') {
			o->save_only = true;
			o->rate_hz = (unsigned)strtoul(optarg, NULL, 10);
			good = o->rate_hz >= 8000 && o->rate_hz <= 192000;
		} else if (k == 'i') {
			o->info = true;
		} else if (k == 'H') {
			o->hold = true;
		} else if (k == 'e') {
			o->endless = true;
		} else if (k == 'n') {
			o->server = optarg;
		} else if (k == 'c') {
			o->client = optarg;
		} else if (k == 't') {
			good = o->n_targets < TARGETS_MAX;
			o->targets[good ? o->n_targets++ : 0] = optarg;
		} else if (k == 'l' || k == 'T' || k == 'W') {
			good = parse_seconds(optarg, k == 'l'	? &o->lead_in_s
						     : k == 'T' ? &o->tail_s
								: &o->timeout_s);
		} else if (k == 'w') {
			o->start_file = optarg;
		} else {
			return bad_option("unknown option or missing value");
		}
		if (!good) {
			return bad_option("seconds are 0 to 86400, rates 8000 to 192000 Hz, targets at most "
					  "64, and there is "
					  "one source");
		}
	}
	return optind < argc ? bad_option("words without an option are not allowed")
			     : check_options(o, seconds_given);
}

int main(int argc, char **argv)
{
	struct options o = {.client = "feed", .lead_in_s = 0.5, .tail_s = 0.5, .timeout_s = 10.0};
	struct sigaction action = {.sa_handler = on_signal};
	int r = parse(argc, argv, &o);

	if (r != 0) {
		return r;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &action.sa_mask, NULL);
	return run(&o);
}
