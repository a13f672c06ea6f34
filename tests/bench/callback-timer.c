/*
 * Preloaded into a client of JACK or PipeWire: times what it does in each cycle, counts xruns and sendto() calls, whatever
 * program it is, so that programs can be compared by one and the same measure.
 *
 * Counting begins with SIGUSR1 and ends with SIGUSR2. At exit a line of JSON goes to the file named by
 * CALLBACK_TIMER_REPORT. When each callback began goes to the file named by CALLBACK_TIMER_STARTS, if there is one
 * (callback-starts.h). What it adds to a callback (of PipeWire, to each node's turn) is two or three readings of the clock,
 * outside of what is timed but for half a reading each, and to sendto() a counter.
 *
 * Threads: the callback's own writes the histograms; each sendto() is counted by its own thread, the callback's apart.
 */
#include "callback-timer.h"
#include "callback-starts.h"
#include "histogram.h"

#include "base/util.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static struct histogram times, spans, gaps;
static int64_t last_begin_ns; /* 0: none yet while counting */
static uint64_t sum_ns;	      /* of times */
static atomic_bool counting;
static _Atomic pid_t callback_tid;
static _Atomic uint64_t sends;
static _Atomic uint64_t other_sends;
static _Atomic uint64_t xruns;
static __thread bool is_callback_thread __attribute__((tls_model("initial-exec")));

static struct callback_starts *starts; /* NULL: nobody wants them */

static ssize_t (*real_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);

static void note_start_rt(void)
{
	uint64_t n = atomic_load_explicit(&starts->n, memory_order_relaxed);
	struct timespec ts;

	if (n < CALLBACK_STARTS_MAX) {
		clock_gettime(CLOCK_REALTIME, &ts);
		starts->at_ns[n] = ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
		atomic_store_explicit(&starts->n, n + 1, memory_order_release);
	}
}

void callback_timer_begin_rt(int64_t begin_ns)
{
	if (!atomic_load_explicit(&counting, memory_order_relaxed)) {
		last_begin_ns = 0;
		return;
	}
	if (last_begin_ns != 0) {
		histogram_add_rt(&gaps, (uint64_t)(begin_ns - last_begin_ns));
	}
	last_begin_ns = begin_ns;
	if (starts) {
		note_start_rt();
	}
}

void callback_timer_add_rt(int64_t took_ns, int64_t span_ns)
{
	if (!is_callback_thread) {
		is_callback_thread = true;
		callback_tid = gettid();
	}
	if (atomic_load_explicit(&counting, memory_order_relaxed)) {
		histogram_add_rt(&times, (uint64_t)took_ns);
		histogram_add_rt(&spans, (uint64_t)span_ns);
		sum_ns += (uint64_t)took_ns;
	}
}

void callback_timer_xrun(void)
{
	if (atomic_load_explicit(&counting, memory_order_relaxed)) {
		atomic_fetch_add_explicit(&xruns, 1, memory_order_relaxed);
	}
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to, socklen_t to_len)
{
	if (!atomic_load_explicit(&counting, memory_order_relaxed)) {
		return real_sendto(fd, data, len, flags, to, to_len);
	}
	if (is_callback_thread) {
		/* No locked instruction: it would be dearer than all else here. */
		atomic_store_explicit(
			&sends, atomic_load_explicit(&sends, memory_order_relaxed) + 1, memory_order_relaxed);
	} else {
		atomic_fetch_add_explicit(&other_sends, 1, memory_order_relaxed);
	}
	return real_sendto(fd, data, len, flags, to, to_len);
}

static void on_signal(int sig)
{
	atomic_store(&counting, sig == SIGUSR1);
}

/* All pages are there before the callback needs them. */
static void map_starts(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	void *map = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(struct callback_starts)) == 0) {
		map = mmap(NULL, sizeof(struct callback_starts), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE, fd, 0);
	}
	if (map == MAP_FAILED) {
		fprintf(stderr, "callback-timer: %s: %s\n", path, strerror(errno));
	} else {
		starts = map;
	}
	if (fd >= 0) {
		close(fd);
	}
}

__attribute__((constructor)) static void begin(void)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	const char *path = getenv("CALLBACK_TIMER_STARTS");

	*(void **)&real_sendto = dlsym(RTLD_NEXT, "sendto");
	/* Their pages are there before the callback needs them. */
	memset(&times, 0, sizeof(times));
	memset(&spans, 0, sizeof(spans));
	memset(&gaps, 0, sizeof(gaps));
	if (path) {
		map_starts(path);
	}
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
	fprintf(f, "{\"callback_thread\": %d, \"callbacks\": %" PRIu64 ", \"callback_sum_ns\": %" PRIu64,
		(int)callback_tid, times.total, sum_ns);
	print_us(f, "p50_us", histogram_quantile_ns(&times, 0.5));
	print_us(f, "p99_us", histogram_quantile_ns(&times, 0.99));
	print_us(f, "p999_us", histogram_quantile_ns(&times, 0.999));
	print_us(f, "max_us", times.max_ns);
	print_us(f, "span_p50_us", histogram_quantile_ns(&spans, 0.5));
	print_us(f, "span_p99_us", histogram_quantile_ns(&spans, 0.99));
	print_us(f, "gap_p999_us", histogram_quantile_ns(&gaps, 0.999));
	print_us(f, "gap_max_us", gaps.max_ns);
	fprintf(f, ", \"sendto\": %" PRIu64 ", \"sendto_elsewhere\": %" PRIu64 ", \"xruns\": %" PRIu64 "}\n",
		atomic_load(&sends), atomic_load(&other_sends), atomic_load(&xruns));
	fclose(f);
}
