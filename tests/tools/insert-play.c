/*
 * insert-play: plays known material and MIDI into the inputs of inserts, records what their outputs give, and says
 * whether it is the same, how much later, and where not. Two JACK clients, so that the graph has no loop: NAME plays,
 * NAME-back records. Places are the server's frame times: a cycle in which one of the two does not run makes a hole, and
 * moves nothing.
 *
 * Everything is made before the clients are activated; the process callbacks copy and count.
 */
#include "insert-options.h"
#include "stall.h"

#include <errno.h>
#include <jack/jack.h>
#include <jack/midiport.h>
#include <math.h>
#include <signal.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MIDI_MAX 4096
#define POLL_NS 10000000L

struct heard {
	int64_t position;
	uint8_t bytes[3];
};

/* Written by a process callback alone; read afterwards. */
struct side {
	jack_client_t *client;
	jack_port_t *port[INSERT_PAIRS_MAX][INSERT_CHANNELS];
	jack_port_t *midi;
	jack_nframes_t next;
	bool known;
	_Atomic int skipped;
	_Atomic bool lost;
};

struct test {
	struct insert_options opt;
	struct insert_source source;
	struct side play, back;
	size_t lead, total;
	size_t next_event; /* two for each note */
	float *recorded[INSERT_PAIRS_MAX][INSERT_CHANNELS];
	struct heard heard[MIDI_MAX];
	size_t n_heard;
	_Atomic bool go;
	_Atomic bool started;
	_Atomic uint32_t start; /* frame time of place 0 */
	_Atomic int64_t position;
	_Atomic unsigned xruns;
	jack_latency_range_t range[INSERT_PAIRS_MAX];
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = 1;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("insert-play: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return 1;
}

/* --- in the server's threads */

/* Forward steps only: a late callback reads the next cycle's time, and the one after it stands still. */
static void note_time(struct side *side, jack_nframes_t now, jack_nframes_t n, bool running)
{
	int32_t step = (int32_t)(now - side->next);

	if (running && side->known && step > 0) {
		atomic_fetch_add_explicit(
			&side->skipped, (int)((step + (int32_t)n - 1) / (int32_t)n), memory_order_relaxed);
	}
	side->next = now + n;
	side->known = running;
}

static int64_t place_of(const struct test *t, jack_nframes_t now)
{
	return (int32_t)(now - atomic_load_explicit(&t->start, memory_order_relaxed));
}

static void send_note(const struct test *t, void *buffer, size_t event, jack_nframes_t offset)
{
	const struct insert_note *note = &t->source.notes[event / 2];
	jack_midi_data_t *bytes = jack_midi_event_reserve(buffer, offset, 3);

	if (bytes) {
		bytes[0] = event % 2 ? 0x80 : 0x90;
		bytes[1] = note->note;
		bytes[2] = event % 2 ? 0 : note->velocity;
	}
}

static void play_notes(struct test *t, int64_t place, jack_nframes_t n, bool running)
{
	void *buffer = jack_port_get_buffer(t->play.midi, n);

	jack_midi_clear_buffer(buffer);
	for (; running && t->next_event < 2 * t->source.n_notes; t->next_event++) {
		const struct insert_note *note = &t->source.notes[t->next_event / 2];
		int64_t at = (int64_t)(t->lead + (t->next_event % 2 ? note->off : note->on)) - place;

		if (at >= (int64_t)n) {
			break;
		}
		if (at >= 0) {
			send_note(t, buffer, t->next_event, (jack_nframes_t)at);
		}
	}
}

static int on_play(jack_nframes_t n, void *arg)
{
	struct test *t = arg;
	jack_nframes_t now = jack_last_frame_time(t->play.client);
	bool running = atomic_load_explicit(&t->go, memory_order_acquire);
	int64_t place;

	if (running && !atomic_load_explicit(&t->started, memory_order_relaxed)) {
		atomic_store_explicit(&t->start, now, memory_order_relaxed);
		atomic_store_explicit(&t->started, true, memory_order_release);
	}
	place = place_of(t, now) - (int64_t)t->lead;
	note_time(&t->play, now, n, running);
	for (unsigned i = 0; i < t->opt.n_sends; i++) {
		for (unsigned c = 0; c < INSERT_CHANNELS; c++) {
			float *dst = jack_port_get_buffer(t->play.port[i][c], n);

			for (jack_nframes_t k = 0; k < n; k++) {
				int64_t at = place + k;

				dst[k] = running && at >= 0 && (size_t)at < t->source.frames &&
							 t->opt.kind != INSERT_NOTES
						 ? t->source.channel[c][at]
						 : 0.0f;
			}
		}
	}
	play_notes(t, place + (int64_t)t->lead, n, running);
	return 0;
}

static void hear(struct test *t, int64_t place, jack_nframes_t n)
{
	void *buffer = jack_port_get_buffer(t->back.midi, n);
	uint32_t count = jack_midi_get_event_count(buffer);

	for (uint32_t i = 0; i < count && t->n_heard < MIDI_MAX; i++) {
		struct heard *h = &t->heard[t->n_heard];
		jack_midi_event_t event;

		if (jack_midi_event_get(&event, buffer, i) == 0 && event.size <= sizeof(h->bytes)) {
			h->position = place + event.time;
			memset(h->bytes, 0, sizeof(h->bytes));
			memcpy(h->bytes, event.buffer, event.size);
			t->n_heard++;
		}
	}
}

static int on_back(jack_nframes_t n, void *arg)
{
	struct test *t = arg;
	jack_nframes_t now = jack_last_frame_time(t->back.client);
	bool running = atomic_load_explicit(&t->started, memory_order_acquire);
	int64_t place = place_of(t, now);

	note_time(&t->back, now, n, running);
	for (unsigned i = 0; i < t->opt.n_returns && running && place >= 0; i++) {
		for (unsigned c = 0; c < INSERT_CHANNELS; c++) {
			const float *src = jack_port_get_buffer(t->back.port[i][c], n);
			size_t room = (size_t)place < t->total ? t->total - (size_t)place : 0;

			memcpy(t->recorded[i][c] + (room ? place : 0), src,
				(room < n ? room : n) * sizeof(float));
		}
	}
	if (running && place >= 0) {
		hear(t, place, n);
		atomic_store_explicit(&t->position, place + n, memory_order_release);
	}
	return 0;
}

static int on_xrun(void *arg)
{
	struct test *t = arg;

	if (atomic_load(&t->started)) {
		atomic_fetch_add(&t->xruns, 1);
	}
	return 0;
}

static void on_shutdown(void *arg)
{
	atomic_store(&((struct side *)arg)->lost, true);
}

/* --- set-up */

static bool go_on(const struct test *t, double deadline_s)
{
	nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	return !interrupted && now_s() < deadline_s && !atomic_load(&t->play.lost) &&
	       !atomic_load(&t->back.lost);
}

static int open_side(struct test *t, struct side *side, const char *name, unsigned n, bool output)
{
	const char *server = t->opt.server;
	jack_status_t status;

	side->client = server ? jack_client_open(name, JackNoStartServer | JackServerName, &status, server)
			      : jack_client_open(name, JackNoStartServer, &status);
	if (!side->client) {
		return fail(
			"cannot join the JACK server (status 0x%x); is it running, for this user?", status);
	}
	for (unsigned i = 0; i < n * INSERT_CHANNELS; i++) {
		char port[16];

		snprintf(port, sizeof(port), "%s_%u", output ? "out" : "in", i + 1);
		side->port[i / INSERT_CHANNELS][i % INSERT_CHANNELS] = jack_port_register(side->client, port,
			JACK_DEFAULT_AUDIO_TYPE, output ? JackPortIsOutput : JackPortIsInput, 0);
		if (!side->port[i / INSERT_CHANNELS][i % INSERT_CHANNELS]) {
			return fail("the server refused the port %s", port);
		}
	}
	side->midi = jack_port_register(
		side->client, "midi", JACK_DEFAULT_MIDI_TYPE, output ? JackPortIsOutput : JackPortIsInput, 0);
	jack_set_process_callback(side->client, output ? on_play : on_back, t);
	jack_on_shutdown(side->client, on_shutdown, side);
	if (output) {
		jack_set_xrun_callback(side->client, on_xrun, t);
	}
	return side->midi ? 0 : fail("the server refused a MIDI port");
}

static int join(struct test *t, struct side *side, jack_port_t *own, bool output, const char *other)
{
	double deadline_s = now_s() + t->opt.timeout_s;
	int r;

	do {
		r = !jack_port_by_name(side->client, other) ? ENOENT
		    : output ? jack_connect(side->client, jack_port_name(own), other)
			     : jack_connect(side->client, other, jack_port_name(own));
	} while (r != 0 && r != EEXIST && go_on(t, deadline_s));
	return r == 0 || r == EEXIST
		       ? 0
		       : fail("cannot connect to %s (%d); jack_lsp lists the ports that there are", other, r);
}

static int join_all(struct test *t, struct side *side, const char *const *prefixes, unsigned n, bool output)
{
	int r = 0;

	for (unsigned i = 0; i < n * INSERT_CHANNELS && r == 0; i++) {
		char other[512];

		snprintf(
			other, sizeof(other), "%s%u", prefixes[i / INSERT_CHANNELS], i % INSERT_CHANNELS + 1);
		r = join(t, side, side->port[i / INSERT_CHANNELS][i % INSERT_CHANNELS], output, other);
	}
	return r;
}

static int set_up(struct test *t)
{
	const struct insert_options *o = &t->opt;
	char back[64];
	unsigned rate_hz;
	int r;

	snprintf(back, sizeof(back), "%s-back", o->client);
	r = open_side(t, &t->play, o->client, o->n_sends, true);
	r = r ? r : open_side(t, &t->back, back, o->n_returns, false);
	if (r) {
		return r;
	}
	rate_hz = jack_get_sample_rate(t->play.client);
	if (insert_source_init(&t->source, o->kind, o->seconds, rate_hz, o->n_notes, 1) < 0) {
		return fail("not enough memory");
	}
	t->lead = (size_t)llround(o->lead_s * rate_hz);
	t->total = t->lead + t->source.frames + (size_t)llround(o->tail_s * rate_hz);
	for (unsigned i = 0; i < o->n_returns * INSERT_CHANNELS; i++) {
		float *p = malloc(t->total * sizeof(float));

		if (!p) {
			return fail("not enough memory");
		}
		/* Touched: no page is to be found in the callback. */
		memset(p, 0, t->total * sizeof(float));
		t->recorded[i / INSERT_CHANNELS][i % INSERT_CHANNELS] = p;
	}
	if (jack_activate(t->play.client) != 0 || jack_activate(t->back.client) != 0) {
		return fail("the server refused to activate the clients");
	}
	r = join_all(t, &t->play, o->sends, o->n_sends, true);
	r = r ? r : o->midi_to ? join(t, &t->play, t->play.midi, true, o->midi_to) : 0;
	r = r ? r : join_all(t, &t->back, o->returns, o->n_returns, false);
	return r ? r : o->midi_from ? join(t, &t->back, t->back.midi, false, o->midi_from) : 0;
}

/* What the graph says of the latency up to each return. */
static void read_ranges(struct test *t)
{
	for (unsigned i = 0; i < t->opt.n_returns; i++) {
		jack_port_get_latency_range(t->back.port[i][0], JackCaptureLatency, &t->range[i]);
	}
}

/* --- the report */

static void print_pair(const struct test *t, unsigned i)
{
	struct insert_result r;

	insert_compare(
		&t->source, t->recorded[i], t->total, t->lead, t->opt.latency[i], t->opt.tolerance, &r);
	printf("%s{\"latency_frames\":%lld,\"one_latency\":%s,\"port_latency\":[%u,%u],\"compared\":%zu,"
	       "\"unequal\":%zu,"
	       "\"gaps\":%zu,\"largest_error\":%.9g,\"snr_db\":%.1f,\"largest_step\":%.9g,\"gap_list\":[",
		i ? "," : "", (long long)r.latency, r.one_latency ? "true" : "false", t->range[i].min,
		t->range[i].max, r.compared, r.unequal, r.n_gaps, r.largest_error, r.snr_db, r.largest_step);
	for (size_t k = 0; k < r.n_gaps && k < INSERT_GAPS_MAX; k++) {
		printf("%s[%lld,%zu]", k ? "," : "", (long long)r.gaps[k].position - (long long)t->lead,
			r.gaps[k].frames);
	}
	printf("]}");
}

/* Each event with its place, and with the number of the pattern in the first return's same frame. */
static void print_heard(const struct test *t)
{
	printf(",\"midi\":[");
	for (size_t i = 0; i < t->n_heard; i++) {
		const struct heard *h = &t->heard[i];
		bool inside = t->opt.n_returns > 0 && h->position >= 0 && (size_t)h->position < t->total;
		int64_t n =
			inside ? insert_number(t->recorded[0][0][h->position], t->recorded[0][1][h->position])
			       : -1;

		printf("%s[%lld,%u,%u,%u,%lld]", i ? "," : "", (long long)h->position - (long long)t->lead,
			h->bytes[0], h->bytes[1], h->bytes[2], (long long)n);
	}
	printf("]");
}

static void report(const struct test *t)
{
	struct stalls stalls = stall_stop();

	printf("{\"frames\":%zu,\"rate\":%u,\"period\":%u,\"xruns\":%u,\"skipped_cycles\":%d,\"stalls\":%u,"
	       "\"stall_max_us\":%lld,"
	       "\"pairs\":[",
		t->source.frames, t->source.rate_hz, jack_get_buffer_size(t->play.client),
		atomic_load(&t->xruns), atomic_load(&t->play.skipped) + atomic_load(&t->back.skipped),
		stalls.count, (long long)stalls.longest_ns / 1000);
	for (unsigned i = 0; i < t->opt.n_returns; i++) {
		print_pair(t, i);
	}
	printf("]");
	print_heard(t);
	printf("}\n");
	fflush(stdout);
}

static int save(const struct test *t)
{
	SF_INFO info = {.samplerate = (int)t->source.rate_hz,
		.channels = INSERT_CHANNELS,
		.format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
	SNDFILE *file = sf_open(t->opt.record, SFM_WRITE, &info);

	if (!file) {
		return fail("%s: %s", t->opt.record, sf_strerror(NULL));
	}
	for (size_t i = 0; i < t->total; i++) {
		float frame[INSERT_CHANNELS] = {t->recorded[0][0][i], t->recorded[0][1][i]};

		sf_writef_float(file, frame, 1);
	}
	return sf_close(file) == 0 ? 0 : fail("%s: writing failed; is the disk full?", t->opt.record);
}

static int play(struct test *t)
{
	double length_s = (double)t->total / t->source.rate_hz, deadline_s;

	if (t->opt.start_file) {
		fprintf(stderr, "insert-play: connected\n");
	}
	while (t->opt.start_file && access(t->opt.start_file, F_OK) != 0) {
		if (!go_on(t, INFINITY)) {
			return fail("interrupted");
		}
	}
	if (t->opt.roll) {
		jack_transport_locate(t->play.client, t->source.rate_hz);
		jack_transport_start(t->play.client);
	}
	stall_start();
	deadline_s = now_s() + 2.0 * length_s + t->opt.timeout_s;
	atomic_store_explicit(&t->go, true, memory_order_release);
	while (atomic_load_explicit(&t->position, memory_order_acquire) < (int64_t)t->total) {
		if (!go_on(t, deadline_s)) {
			return fail("interrupted, the server went away, or it is too slow");
		}
	}
	if (t->opt.roll) {
		jack_transport_stop(t->play.client);
	}
	read_ranges(t);
	report(t);
	return t->opt.record ? save(t) : 0;
}

int main(int argc, char **argv)
{
	static struct test t;
	struct sigaction action = {.sa_handler = on_signal};
	int r = insert_options_parse(argc, argv, &t.opt);

	if (r) {
		return r;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	r = set_up(&t);
	r = r ? r : play(&t);
	if (t.back.client) {
		jack_client_close(t.back.client);
	}
	if (t.play.client) {
		jack_client_close(t.play.client);
	}
	return r;
}
