/*
 * Preloaded into a JACK client: times its process callback, counts xruns and sendto() calls, whatever program
 * it is, so that programs can be compared by one and the same measure.
 *
 * Counting begins with SIGUSR1 and ends with SIGUSR2. At exit a line of JSON goes to the file named by
 * CALLBACK_TIMER_REPORT. What it adds to a callback is two readings of the clock, outside of what is timed
 * but for half a reading each, and to sendto() a counter.
 *
 * Threads: the callback's own writes the histogram; whoever calls sendto() in a cycle writes the counter of
 * calls, one thread in all programs that this is for.
 */
#include "histogram.h"

#include "base/util.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <jack/jack.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct histogram times;
static atomic_bool counting;
static _Atomic uint64_t sends;
static _Atomic uint64_t xruns;

static JackProcessCallback real_process;
static JackXRunCallback real_xrun;
static ssize_t (*real_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);

static int timed_process(jack_nframes_t frames, void *arg)
{
	int64_t start_ns = now_ns();
	int r = real_process(frames, arg);
	int64_t took_ns = now_ns() - start_ns;

	if (atomic_load_explicit(&counting, memory_order_relaxed)) {
		histogram_add_rt(&times, (uint64_t)took_ns);
	}
	return r;
}

int jack_set_process_callback(jack_client_t *client, JackProcessCallback callback, void *arg)
{
	int (*real)(jack_client_t *, JackProcessCallback, void *);

	*(void **)&real = dlsym(RTLD_NEXT, "jack_set_process_callback");
	real_process = callback;
	return real(client, timed_process, arg);
}

static int counted_xrun(void *arg)
{
	if (atomic_load_explicit(&counting, memory_order_relaxed)) {
		atomic_fetch_add_explicit(&xruns, 1, memory_order_relaxed);
	}
	return real_xrun(arg);
}

int jack_set_xrun_callback(jack_client_t *client, JackXRunCallback callback, void *arg)
{
	int (*real)(jack_client_t *, JackXRunCallback, void *);

	*(void **)&real = dlsym(RTLD_NEXT, "jack_set_xrun_callback");
	real_xrun = callback;
	return real(client, counted_xrun, arg);
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to, socklen_t to_len)
{
	if (atomic_load_explicit(&counting, memory_order_relaxed)) {
		/* No locked instruction: it would be dearer than all else here. */
		atomic_store_explicit(
			&sends, atomic_load_explicit(&sends, memory_order_relaxed) + 1, memory_order_relaxed);
	}
	return real_sendto(fd, data, len, flags, to, to_len);
}

static void on_signal(int sig)
{
	atomic_store(&counting, sig == SIGUSR1);
}

__attribute__((constructor)) static void begin(void)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	*(void **)&real_sendto = dlsym(RTLD_NEXT, "sendto");
	/* Its pages are there before the callback needs them. */
	memset(&times, 0, sizeof(times));
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
}

static void print_us(FILE *f, const char *key, uint64_t ns)
{
	fprintf(f, ", \"%s\": %.3f", key, (double)ns * 1e-3);
}

__attribute__((destructor)) static void report(void)
{
	const char *path = getenv("CALLBACK_TIMER_REPORT");
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!f) {
		return;
	}
	fprintf(f, "{\"callbacks\": %" PRIu64, times.total);
	print_us(f, "p50_us", histogram_quantile_ns(&times, 0.5));
	print_us(f, "p99_us", histogram_quantile_ns(&times, 0.99));
	print_us(f, "p999_us", histogram_quantile_ns(&times, 0.999));
	print_us(f, "max_us", times.max_ns);
	fprintf(f, ", \"sendto\": %" PRIu64 ", \"xruns\": %" PRIu64 "}\n", atomic_load(&sends),
		atomic_load(&xruns));
	fclose(f);
}
