#include "echo/client.h"

#include "base/hist.h"
#include "base/log.h"
#include "base/util.h"
#include "echo/connect.h"
#include "echo/counter.h"
#include "echo/material.h"
#include "echo/print.h"
#include "echo/run.h"
#include "echo/script.h"
#include "proto/netvst-wavpack.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536
#define EXIT_WRONG_AUDIO 3
/*
 * Behind its clock by so much and by more than a block, a client does not catch up: it was stopped, or waited for the
 * server, and a sound card would have run dry.
 */
#define RESTART_NS (5 * NSEC_PER_MSEC)
#define SENT_MAX 128 /* at least --depth */

struct client {
	const struct options *opt;
	int fd, signals;
	struct netvst_wavpack *wavpack;
	struct material material;
	struct script script;
	struct wav_writer *recorder;
	uint64_t blocks; /* to be sent; UINT64_MAX: without end */
	int64_t start_ns;
	double block_ns;
	size_t out_n, out_at;
	bool over, cut;
	char error[160];
	int64_t sent_ns[SENT_MAX];
	uint64_t n_sent, n_received, late, restarts;
	uint64_t bytes_sent, bytes_received, audio_bytes, midi, params;
	struct hist rtt;
	struct counter counter;
	struct difference difference;
	struct netvst_parser parser;
	struct netvst_block block;
	uint8_t out[NETVST_BYTES_MAX];
};

static void fail(struct client *c, const char *what, const char *why)
{
	if (!*c->error) {
		snprintf(c->error, sizeof(c->error), "%s%s%s", what, why ? ": " : "", why ? why : "");
		log_error("%s", c->error);
	}
	c->over = true;
}

/* Block n is complete, in the client's own time. */
static int64_t due_ns(const struct client *c, uint64_t n)
{
	return c->start_ns + llround((double)(n + 1) * c->block_ns);
}

/* --- sending */

static void make_block(struct client *c)
{
	struct netvst_block *b = &c->block;
	uint64_t position = c->n_sent * c->opt->block_frames;

	b->frames = c->opt->block_frames;
	b->timestamp = (uint32_t)position;
	b->has_audio = !c->opt->synth;
	for (unsigned ch = 0; ch < NETVST_CHANNELS; ch++) {
		for (uint32_t i = 0; i < b->frames; i++) {
			b->audio[ch][i] = material_at(&c->material, (int64_t)(position + i), ch);
		}
	}
	script_fill(&c->script, position, b);
	c->midi += b->n_midi;
	c->params += b->n_params;
}

static void send_out(struct client *c)
{
	while (c->out_at < c->out_n && !c->over) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_n - c->out_at, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		}
		if (n < 0) {
			fail(c, "sending", strerror(errno));
			return;
		}
		c->out_at += (size_t)n;
		c->bytes_sent += (uint64_t)n;
	}
	if (c->cut) {
		run_reset_on_close(c->fd);
		c->over = true;
	}
}

static void send_block(struct client *c)
{
	int n;

	make_block(c);
	n = netvst_write(c->out, sizeof(c->out), c->opt->dialect, NETVST_REQUEST, c->opt->codec, c->wavpack,
		&c->block);
	if (n < 0) {
		fail(c, "making a block", strerror(-n));
		return;
	}
	if (c->opt->break_after > 0 && c->n_sent == c->opt->break_after) {
		n /= 2;
		c->cut = true;
	}
	c->audio_bytes +=
		(uint64_t)c->opt->block_frames * NETVST_CHANNELS * sizeof(float) * (c->opt->synth ? 1 : 2);
	c->sent_ns[c->n_sent++ % SENT_MAX] = now_ns();
	c->out_n = (size_t)n;
	c->out_at = 0;
	send_out(c);
}

static bool may_send(const struct client *c)
{
	return c->n_sent < c->blocks && c->n_sent - c->n_received < c->opt->depth && c->out_at == c->out_n &&
	       !c->cut;
}

static void send_due(struct client *c)
{
	while (may_send(c) && !c->over) {
		int64_t behind_ns = now_ns() - due_ns(c, c->n_sent);

		if (!c->opt->fast && behind_ns < 0) {
			return;
		}
		if (!c->opt->fast && behind_ns > RESTART_NS && (double)behind_ns > c->block_ns) {
			c->start_ns += behind_ns;
			c->restarts++;
		}
		send_block(c);
	}
}

/* --- what comes back */

static void take_reply(struct client *c)
{
	const struct netvst_block *b = &c->block;
	const float *const audio[NETVST_CHANNELS] = {b->audio[0], b->audio[1]};
	uint64_t n = c->n_received++, position = n * c->opt->block_frames;
	int64_t now = now_ns();

	hist_add_rt(&c->rtt, now - c->sent_ns[n % SENT_MAX]);
	if (!c->opt->fast && now > due_ns(c, n + 1)) {
		c->late++;
	}
	wav_write(c->recorder, audio[0], audio[1], b->frames);
	if (c->opt->material == ECHO_PATTERN) {
		counter_check(&c->counter, audio[0], audio[1], b->frames);
	}
	if (c->opt->expect_latency_frames >= 0) {
		material_compare(&c->material, &c->difference, position, c->opt->expect_latency_frames, audio,
			b->frames);
	}
	if (c->n_received == c->blocks) {
		c->over = true;
	}
}

static void take_bytes(struct client *c, const uint8_t *bytes, size_t n)
{
	size_t used;

	for (size_t at = 0; at < n && !c->over; at += used) {
		int r;

		if (c->n_received == c->n_sent) {
			fail(c, "the server sends more than it was asked for", NULL);
			return;
		}
		if (!netvst_parser_is_inside(&c->parser)) {
			netvst_parser_expect(&c->parser, c->opt->block_frames);
		}
		r = netvst_parse(&c->parser, bytes + at, n - at, &used, &c->block);
		if (r < 0) {
			fail(c, "the answer makes no sense; another dialect, perhaps",
				r == -EPROTO ? c->parser.error : strerror(-r));
			return;
		}
		if (r > 0) {
			take_reply(c);
		}
	}
}

static void receive(struct client *c)
{
	static uint8_t bytes[READ_BYTES];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		fail(c, "the server ended the connection", n < 0 ? strerror(errno) : NULL);
		return;
	}
	c->bytes_received += (uint64_t)n;
	take_bytes(c, bytes, (size_t)n);
}

/* --- the report */

static double snr_db(const struct difference *d)
{
	return d->noise > 0 && d->signal > 0 ? 10.0 * log10(d->signal / d->noise)
	       : d->noise > 0		     ? 0.0
					     : 999.0;
}

static void print_rtt(const struct hist *rtt)
{
	uint64_t bins[HIST_BINS];

	for (unsigned i = 0; i < HIST_BINS; i++) {
		bins[i] = atomic_load_explicit(&rtt->bin[i], memory_order_relaxed);
	}
	printf(",\"rtt_us\":{\"median\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}",
		(double)hist_quantile_ns(bins, 0.5) / 1e3, (double)hist_quantile_ns(bins, 0.9) / 1e3,
		(double)hist_quantile_ns(bins, 0.99) / 1e3, (double)atomic_load(&rtt->max_ns) / 1e3);
}

static void report_json(const struct client *c, bool is_final)
{
	const struct difference *d = &c->difference;

	printf("{\"event\":\"report\",\"final\":%s,\"blocks_sent\":%" PRIu64 ",\"blocks_received\":%" PRIu64
	       ",\"late_blocks\":%" PRIu64 ",\"restarts\":%" PRIu64 ",\"bytes_sent\":%" PRIu64
	       ",\"bytes_received\":%" PRIu64 ",\"midi\":%" PRIu64 ",\"params\":%" PRIu64,
		is_final ? "true" : "false", c->n_sent, c->n_received, c->late, c->restarts, c->bytes_sent,
		c->bytes_received, c->midi, c->params);
	print_rtt(&c->rtt);
	print_ratio(c->bytes_sent + c->bytes_received, c->audio_bytes, c->opt->codec);
	if (c->opt->material == ECHO_PATTERN) {
		print_counter(&c->counter);
	}
	if (c->opt->expect_latency_frames >= 0) {
		printf(",\"compared_frames\":%" PRIu64 ",\"unequal_frames\":%" PRIu64
		       ",\"largest_error\":%.9g,\"snr_db\":%.1f",
			d->frames, d->unequal, d->largest, snr_db(d));
	}
	print_line(",\"error\":%s%s%s}", *c->error ? "\"" : "", *c->error ? c->error : "null",
		*c->error ? "\"" : "");
}

static void report_words(const struct client *c)
{
	const struct difference *d = &c->difference;
	uint64_t bins[HIST_BINS];

	for (unsigned i = 0; i < HIST_BINS; i++) {
		bins[i] = atomic_load_explicit(&c->rtt.bin[i], memory_order_relaxed);
	}
	print_line("%" PRIu64 " blocks sent, %" PRIu64 " came back, %" PRIu64
		   " of them late; round trip %.2f ms (half of them), %.2f ms (99 %%), %.2f ms (longest)",
		c->n_sent, c->n_received, c->late, (double)hist_quantile_ns(bins, 0.5) / 1e6,
		(double)hist_quantile_ns(bins, 0.99) / 1e6, (double)atomic_load(&c->rtt.max_ns) / 1e6);
	if (c->opt->codec != NETVST_PCM && c->audio_bytes > 0) {
		print_line("%.1f %% of the uncompressed size",
			100.0 * (double)(c->bytes_sent + c->bytes_received) / (double)c->audio_bytes);
	}
	if (c->opt->material == ECHO_PATTERN) {
		print_counter_words(&c->counter);
	}
	if (c->opt->expect_latency_frames >= 0) {
		print_line("%" PRIu64 " frames compared, %" PRIu64
			   " not equal, largest error %g, signal to noise %.1f dB",
			d->frames, d->unequal, d->largest, snr_db(d));
	}
}

static void report(const struct client *c, bool is_final)
{
	if (c->opt->json) {
		report_json(c, is_final);
	} else {
		report_words(c);
	}
}

static bool is_wrong(const struct client *c)
{
	if (c->opt->expect_latency_frames >= 0 && c->opt->codec != NETVST_WAVPACK_LOSSY) {
		return c->difference.unequal > 0;
	}
	return c->opt->material == ECHO_PATTERN && !c->opt->synth && c->opt->codec != NETVST_WAVPACK_LOSSY &&
	       (!c->counter.begun || c->counter.n_gaps > 0);
}

/* --- the loop */

static int64_t wait_until_ns(const struct client *c)
{
	int64_t until_ns = INT64_MAX;

	if (may_send(c)) {
		until_ns = c->opt->fast ? 0 : due_ns(c, c->n_sent);
	}
	if (c->n_received < c->n_sent) {
		until_ns = MIN(until_ns, c->sent_ns[c->n_received % SENT_MAX] +
						 (int64_t)(c->opt->timeout_s * (double)NSEC_PER_SEC));
	}
	return until_ns;
}

static void check_timeout(struct client *c)
{
	int64_t timeout_ns = (int64_t)(c->opt->timeout_s * (double)NSEC_PER_SEC);

	if (c->n_received < c->n_sent && now_ns() - c->sent_ns[c->n_received % SENT_MAX] > timeout_ns) {
		fail(c, "the server does not answer any more; --timeout says for how long to wait", NULL);
	}
}

static void turn(struct client *c)
{
	struct pollfd p[] = {{.fd = c->signals, .events = POLLIN},
		{.fd = c->fd, .events = (short)(POLLIN | (c->out_at < c->out_n ? POLLOUT : 0))}};
	int64_t wait_ns = MAX(wait_until_ns(c) - now_ns(), 0);
	struct timespec timeout = {.tv_sec = wait_ns / NSEC_PER_SEC, .tv_nsec = wait_ns % NSEC_PER_SEC};

	if (ppoll(p, ARRAY_SIZE(p), &timeout, NULL) < 0 && errno != EINTR) {
		fail(c, "poll", strerror(errno));
		return;
	}
	if (p[0].revents) {
		enum run_signal signal = run_read_signal(c->signals);

		if (signal == RUN_REPORT) {
			report(c, false);
		}
		c->over = c->over || signal == RUN_END;
	}
	if (p[1].revents & (POLLIN | POLLERR | POLLHUP)) {
		receive(c);
	}
	if (!c->over) {
		send_out(c);
		send_due(c);
		check_timeout(c);
	}
}

/* 0, or the exit status. */
static int prepare(struct client *c)
{
	const struct options *o = c->opt;

	if (material_init(&c->material, o) < 0 ||
		(o->midi_path && script_read(o->midi_path, &c->script) < 0) ||
		(o->record_path && wav_write_open(o->record_path, o->rate_hz, &c->recorder) < 0)) {
		return 1;
	}
	if (netvst_wavpack_supported() && netvst_wavpack_new(&c->wavpack) < 0) {
		log_error("not enough memory");
		return 1;
	}
	c->blocks = o->blocks ? o->blocks : UINT64_MAX;
	if (!o->blocks && o->material == ECHO_FILE) {
		c->blocks = (c->material.wav.frames + o->block_frames - 1) / o->block_frames;
	}
	c->block_ns = 1e9 * o->block_frames / o->rate_hz / (1.0 + o->ppm / 1e6);
	netvst_parser_init(&c->parser, o->dialect, NETVST_REPLY, o->synth, c->wavpack);
	counter_init(&c->counter);
	return 0;
}

static int play(struct client *c)
{
	char address[RUN_ADDRESS_MAX];

	c->fd = connect_to(c->opt, c->signals, address);
	if (c->fd < 0) {
		return 1;
	}
	if (c->opt->json) {
		print_line("{\"event\":\"connected\",\"address\":\"%s\"}", address);
	} else {
		print_line("connected to %s", address);
	}
	if (c->opt->realtime) {
		run_realtime();
	}
	c->start_ns = now_ns();
	while (!c->over) {
		turn(c);
	}
	close(c->fd);
	counter_end(&c->counter);
	report(c, true);
	return *c->error ? 1 : is_wrong(c) ? EXIT_WRONG_AUDIO : 0;
}

int client_run(const struct options *o)
{
	struct client *c = calloc(1, sizeof(*c));
	int r = 1;

	if (c) {
		c->opt = o;
		c->signals = run_open_signals();
		r = c->signals < 0 ? 1 : prepare(c);
		r = r ? r : play(c);
		r = wav_write_close(c->recorder) < 0 ? 1 : r;
		material_fini(&c->material);
		script_free(&c->script);
		netvst_wavpack_free(c->wavpack);
	}
	free(c);
	return r;
}
