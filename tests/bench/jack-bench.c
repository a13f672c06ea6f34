#include "jack-bench.h"

#include "base/util.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define TICK_NS (NSEC_PER_SEC / 2)

static int process(jack_nframes_t frames, void *arg)
{
	struct jack_bench *b = arg;
	int64_t start_ns = now_ns();
	bool measuring = atomic_load_explicit(&b->measuring, memory_order_acquire);
	unsigned sent = b->work_rt ? b->work_rt(b, frames) : 0;

	if (measuring) {
		b->frames_sent += sent;
		histogram_add_rt(&b->callback, (uint64_t)(now_ns() - start_ns));
	}
	return 0;
}

static int on_xrun(void *arg)
{
	struct jack_bench *b = arg;

	if (atomic_load_explicit(&b->measuring, memory_order_relaxed)) {
		atomic_fetch_add_explicit(&b->xruns, 1, memory_order_relaxed);
	}
	return 0;
}

static void on_shutdown(jack_status_t code, const char *reason, void *arg)
{
	struct jack_bench *b = arg;

	(void)code;
	(void)reason;
	atomic_store(&b->gone, true);
	kill(getpid(), SIGTERM);
}

static void stop_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGINT);
}

bool jack_bench_open(struct jack_bench *b)
{
	int options = JackNoStartServer | JackUseExactName | (b->server ? JackServerName : 0);
	jack_status_t status = 0;
	sigset_t signals;

	stop_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, NULL); /* before there are threads, which inherit it */
	b->client = jack_client_open(b->client_name, (jack_options_t)options, &status, b->server);
	if (!b->client) {
		fprintf(stderr, "%s: cannot join JACK server %s as %s (status 0x%x): %s\n", b->program,
			b->server ? b->server : "default", b->client_name, (unsigned)status,
			status & JackNameNotUnique ? "the name is taken; give another with --name"
						   : "is it running, and for this user?");
		return false;
	}
	jack_set_process_callback(b->client, process, b);
	jack_set_xrun_callback(b->client, on_xrun, b);
	jack_on_info_shutdown(b->client, on_shutdown, b);
	return true;
}

bool jack_bench_add_boxes(struct jack_bench *b, unsigned boxes)
{
	char name[32];

	for (unsigned i = 0; i < boxes * JACK_BENCH_CHANNELS; i++) {
		snprintf(name, sizeof(name), "box%u/playback_%u", i / JACK_BENCH_CHANNELS,
			i % JACK_BENCH_CHANNELS + 1);
		b->ports[i] =
			jack_port_register(b->client, name, JACK_DEFAULT_AUDIO_TYPE, JackPortIsInput, 0);
		if (!b->ports[i]) {
			fprintf(stderr, "%s: JACK gives no port %s; start it with more: jackd -p 2048\n",
				b->program, name);
			return false;
		}
		b->n_ports = i + 1;
	}
	return true;
}

static double cpu_seconds(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		(double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1e-6;
}

/* Until a signal (true), or until end_ns; 0 is no end. */
static bool wait_for_signal(struct jack_bench *b, int64_t end_ns)
{
	sigset_t signals;

	stop_signals(&signals);
	for (;;) {
		int64_t left_ns = end_ns ? end_ns - now_ns() : INT64_MAX;
		struct timespec ts;

		if (left_ns <= 0) {
			return false;
		}
		if (b->tick) {
			b->tick(b);
		}
		/* Without a tick one sleep to the end: the CPU time is to be the callback's alone. */
		left_ns = b->tick ? MIN(left_ns, TICK_NS) : left_ns;
		ts.tv_sec = (time_t)MIN(left_ns / NSEC_PER_SEC, 1000000);
		ts.tv_nsec = (long)(left_ns % NSEC_PER_SEC);
		if (sigtimedwait(&signals, NULL, &ts) > 0) {
			return true;
		}
	}
}

static int64_t from_now_ns(double seconds)
{
	return now_ns() + (int64_t)(seconds * 1e9);
}

static void measure(struct jack_bench *b)
{
	int64_t start_ns = now_ns();
	double start_cpu_s = cpu_seconds();

	atomic_store_explicit(&b->measuring, true, memory_order_release);
	wait_for_signal(b, b->seconds > 0 ? from_now_ns(b->seconds) : 0);
	b->wall_s = (double)(now_ns() - start_ns) * 1e-9;
	b->cpu_s = cpu_seconds() - start_cpu_s;
	atomic_store_explicit(&b->measuring, false, memory_order_release);
}

bool jack_bench_run(struct jack_bench *b)
{
	memset(&b->callback, 0, sizeof(b->callback)); /* also touches its pages, before JACK's thread does */
	if (jack_activate(b->client) != 0) {
		fprintf(stderr, "%s: JACK refuses to activate the client\n", b->program);
		return false;
	}
	if (b->warmup_s <= 0 || !wait_for_signal(b, from_now_ns(b->warmup_s))) {
		measure(b);
	}
	if (!atomic_load(&b->gone)) {
		jack_deactivate(b->client);
	}
	jack_client_close(b->client);
	b->client = NULL;
	if (atomic_load(&b->gone)) {
		fprintf(stderr, "%s: the JACK server went away; this was measured until then\n", b->program);
		return false;
	}
	return true;
}

static void print_us(const char *key, uint64_t ns, bool any)
{
	if (any) {
		printf("\"%s\":%.3f", key, (double)ns * 1e-3);
	} else {
		printf("\"%s\":null", key);
	}
}

void jack_bench_print(const struct jack_bench *b)
{
	static const struct {
		const char *key;
		double share;
	} quantiles[] = {{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}};
	const struct histogram *h = &b->callback;

	printf("\"program\":\"%s\",\"ports\":%u,", b->program, b->n_ports);
	printf("\"callbacks\":%" PRIu64 ",\"frames_sent\":%" PRIu64 ",\"xruns\":%" PRIu32 ",", h->total,
		b->frames_sent, atomic_load(&b->xruns));
	printf("\"callback_us\":{");
	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
		print_us(quantiles[i].key, histogram_quantile_ns(h, quantiles[i].share), h->total > 0);
		printf(",");
	}
	print_us("max", h->max_ns, h->total > 0);
	printf("},\"cpu_seconds\":%.6f,\"wall_seconds\":%.6f", b->cpu_s, b->wall_s);
}

unsigned jack_bench_number(const struct jack_bench *b, const char *option, const char *text, unsigned min,
	unsigned max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value < min || value > max) {
		fprintf(stderr, "%s: %s %s: allowed is a number from %u to %u\n", b->program, option, text,
			min, max);
		exit(2);
	}
	return (unsigned)value;
}

double jack_bench_seconds(const struct jack_bench *b, const char *option, const char *text)
{
	double value;
	char *end;

	errno = 0;
	value = strtod(text, &end);
	if (errno != 0 || ((*text < '0' || *text > '9') && *text != '.') || *end != '\0' ||
		!(value >= 0 && value <= 1e6)) {
		fprintf(stderr, "%s: %s %s: allowed are 0 to 1000000 seconds\n", b->program, option, text);
		exit(2);
	}
	return value;
}
