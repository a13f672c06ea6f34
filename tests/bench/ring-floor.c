/*
 * The floor of the benchmarks: what sending itself costs. The same number of frames as the daemon sends, in the same
 * order, through the ring that it would open, with one kick a cycle; but each frame is a copy of a prepared one, and the
 * cycles are a timer's. No audio, no audio server.
 *
 * Counting begins anew with SIGUSR1 and stops with SIGUSR2, as in a client with callback-timer.so.
 */
#include "config.h"

#include "bench-option.h"
#include "bench-ring-frames.h"
#include "histogram.h"

#include "base/log.h"
#include "base/util.h"
#include "net/pktring-rt.h"
#include "proto/ethlink.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PERIOD_MAX 1024 /* the daemon spreads those beyond 512; here all goes with one kick */
/* Of a client of jackd -P 60, as in the benchmarks. */
#define PRIORITY 55

struct options {
	struct bench_ring_load load;
	unsigned priority;
	bool qdisc_bypass;
};

struct counts {
	uint64_t cycles, frames, dropped, kick_errors, late_cycles;
	int64_t begin_ns, end_ns, begin_cpu_ns, end_cpu_ns;
	struct histogram kicks, spans; /* the kick; from the beginning of a cycle to the end of its kick */
};

static uint8_t templates[BENCH_RING_BOXES_MAX][ETHLINK_FRAME_LEN] CACHELINE_ALIGNED;
static struct counts counts;
static volatile sig_atomic_t last_signal; /* of USR1 and USR2 the one that came last; 0: seen */
static volatile sig_atomic_t ended;

static void on_signal(int sig)
{
	if (sig == SIGUSR1 || sig == SIGUSR2) {
		last_signal = sig;
	} else {
		ended = 1;
	}
}

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: ring-floor -i INTERFACE [-n BOXES] [--period=N] [--rate=HZ] [--priority=N]\n"
		"                  [--qdisc-bypass]\n"
		"Sends as many frames as ethlinkd does to that many boxes, without audio and without an "
		"audio\n"
		"server, until SIGTERM or SIGINT. Counting begins anew with SIGUSR1 and stops with SIGUSR2.\n"
		"  -i, --interface=NAME  where the boxes are\n"
		"  -n, --boxes=N         boxes, serial numbers 0 to N-1: 1 to %d; default 1\n"
		"  --period=N            sample frames of a cycle, a multiple of 8: 8 to %d; default 64\n"
		"  --rate=HZ             44100, 48000, 88200 or 96000; default 48000\n"
		"  --priority=N          SCHED_FIFO, 1 to 99; 0: not realtime; default %d, which is what\n"
		"                        jackd -P 60 gives its clients\n"
		"  --qdisc-bypass        past the interface's queue, as with the daemon's setting of that "
		"name\n"
		"  --help, --version\n"
		"At the end one line of JSON goes to the standard output.\n",
		BENCH_RING_BOXES_MAX, PERIOD_MAX, PRIORITY);
}

static void take_option(int c, struct options *o)
{
	switch (c) {
	case 'i':
		o->load.interface = optarg;
		break;
	case 'n':
		o->load.boxes = bench_option_number("boxes", optarg, 1, BENCH_RING_BOXES_MAX);
		break;
	case 'p':
		o->load.period = bench_option_number("period", optarg, ETHLINK_BLOCK_FRAMES, PERIOD_MAX);
		break;
	case 'r':
		o->load.rate_hz = bench_option_number("rate", optarg, 1, 96000);
		break;
	case 'P':
		o->priority = bench_option_number("priority", optarg, 0, 99);
		break;
	case 'b':
		o->qdisc_bypass = true;
		break;
	case 'h':
		usage(stdout);
		exit(0);
	case 'V':
		printf("ring-floor %s\n", PACKAGE_VERSION);
		exit(0);
	default:
		usage(stderr);
		exit(2);
	}
}

static void parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"interface", required_argument, NULL, 'i'},
		{"boxes", required_argument, NULL, 'n'},
		{"period", required_argument, NULL, 'p'},
		{"rate", required_argument, NULL, 'r'},
		{"priority", required_argument, NULL, 'P'},
		{"qdisc-bypass", no_argument, NULL, 'b'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "i:n:", longs, NULL)) != -1) {
		take_option(c, o);
	}
	if (!o->load.interface || optind != argc) {
		log_error("an interface must be given with -i, and nothing but options");
		usage(stderr);
		exit(2);
	}
	if (o->load.period % ETHLINK_BLOCK_FRAMES != 0 || ethlink_rate_code(o->load.rate_hz) < 0) {
		log_error(
			"period %u, rate %u: allowed are multiples of %d frames, and 44100, 48000, 88200 and "
			"96000 Hz",
			o->load.period, o->load.rate_hz, ETHLINK_BLOCK_FRAMES);
		exit(2);
	}
}

/* The first block of each box, then the second, as the engine does. */
static void cycle_rt(struct pktring *ring, unsigned boxes, unsigned rows)
{
	int64_t begin_ns = now_ns(), kick_ns, end_ns;

	for (unsigned row = 0; row < rows; row++) {
		for (unsigned box = 0; box < boxes; box++) {
			uint8_t *frame = pktring_tx_next_rt(ring);

			if (!frame) {
				counts.dropped++;
				continue;
			}
			memcpy(frame, templates[box], ETHLINK_FRAME_LEN);
			pktring_tx_commit_rt(ring, ETHLINK_FRAME_LEN, (uint8_t)box);
			counts.frames++;
		}
	}
	kick_ns = now_ns();
	if (pktring_kick_rt(ring) < 0) {
		counts.kick_errors++;
	}
	end_ns = now_ns();
	counts.cycles++;
	histogram_add_rt(&counts.kicks, (uint64_t)(end_ns - kick_ns));
	histogram_add_rt(&counts.spans, (uint64_t)(end_ns - begin_ns));
}

static int64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void begin_counting(void)
{
	memset(&counts, 0, sizeof(counts));
	counts.begin_ns = now_ns();
	counts.begin_cpu_ns = cpu_ns();
}

static void stop_counting(struct counts *ret_counts)
{
	*ret_counts = counts;
	ret_counts->end_ns = now_ns();
	ret_counts->end_cpu_ns = cpu_ns();
}

/* Until a signal ends it; what was counted up to SIGUSR2, if that came. */
static void run(struct pktring *ring, const struct options *o, struct counts *ret_counts)
{
	int64_t start_ns = now_ns();
	uint64_t cycle = 0;

	begin_counting();
	while (!ended) {
		int64_t due_ns =
			start_ns + (int64_t)(++cycle * o->load.period * NSEC_PER_SEC / o->load.rate_hz);
		struct timespec ts = {.tv_sec = due_ns / NSEC_PER_SEC, .tv_nsec = due_ns % NSEC_PER_SEC};
		int sig = last_signal;

		if (sig == SIGUSR1) {
			begin_counting();
		} else if (sig == SIGUSR2) {
			stop_counting(ret_counts);
		}
		last_signal = sig == last_signal ? 0 : last_signal;
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR && !ended) {
		}
		/* What an audio server would call an xrun. The cycle is made up for: the frames a second stay. */
		counts.late_cycles +=
			now_ns() - due_ns > (int64_t)o->load.period * NSEC_PER_SEC / o->load.rate_hz;
		cycle_rt(ring, o->load.boxes, o->load.period / ETHLINK_BLOCK_FRAMES);
	}
	if (ret_counts->end_ns == 0) {
		stop_counting(ret_counts);
	}
}

static void print_times(const char *key, const struct histogram *h)
{
	printf(",\"%s\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}", key,
		(double)histogram_quantile_ns(h, 0.5) * 1e-3, (double)histogram_quantile_ns(h, 0.99) * 1e-3,
		(double)h->max_ns * 1e-3);
}

static void print(const struct options *o, const struct counts *c, bool realtime)
{
	printf("{\"program\":\"ring-floor\",\"boxes\":%u,\"rate_hz\":%u,\"period_frames\":%u,\"realtime\":%s",
		o->load.boxes, o->load.rate_hz, o->load.period, realtime ? "true" : "false");
	printf(",\"cycles\":%" PRIu64 ",\"late_cycles\":%" PRIu64 ",\"frames\":%" PRIu64, c->cycles,
		c->late_cycles, c->frames);
	printf(",\"dropped\":%" PRIu64 ",\"kick_errors\":%" PRIu64, c->dropped, c->kick_errors);
	print_times("kick_us", &c->kicks);
	print_times("cycle_us", &c->spans);
	printf(",\"cpu_ns\":%" PRId64 ",\"wall_ns\":%" PRId64 "}\n", c->end_cpu_ns - c->begin_cpu_ns,
		c->end_ns - c->begin_ns);
}

int main(int argc, char **argv)
{
	struct options o = {.load = {.boxes = 1, .period = 64, .rate_hz = 48000}, .priority = PRIORITY};
	struct sigaction sa = {.sa_handler = on_signal};
	struct sched_param param = {0};
	static struct counts result;
	struct pktring *ring;
	bool realtime = false;
	int r;

	log_set_program("ring-floor");
	parse_options(argc, argv, &o);
	ring = bench_ring_open(&o.load, o.qdisc_bypass);
	if (!ring) {
		return 1;
	}
	r = bench_ring_write_frames(&o.load, ring->tx_fd, templates);
	if (r < 0) {
		log_error("interface %s: its address: %s", o.load.interface, strerror(-r));
		pktring_free(ring);
		return 1;
	}
	for (unsigned i = 0; i < 4; i++) {
		sigaction((const int[]){SIGTERM, SIGINT, SIGUSR1, SIGUSR2}[i], &sa, NULL);
	}
	(void)mlockall(MCL_CURRENT | MCL_FUTURE);
	param.sched_priority = (int)o.priority;
	if (o.priority > 0) {
		realtime = sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) == 0;
		if (!realtime) {
			log_warning(
				"no realtime priority: %s; the longest times say nothing", strerror(errno));
		}
	}
	run(ring, &o, &result);
	pktring_free(ring);
	print(&o, &result, realtime);
	return 0;
}
