/*
 * Ways of handing frames to an interface, and of taking them from it, measured against each other by turns. A line of
 * JSON for each way, number of frames and round; run-ring.sh makes the cable and the table.
 *
 * A cycle fills and sends so many frames and then sleeps until the next one is due, so caches and processors are as cold
 * as an audio server's client finds them. CPU is what the calling thread was charged from the beginning of the cycle to
 * the end of its calls (cpu_ns); where other threads help, what the whole process was (process_ns), less its sleeping.
 */
#include "config.h"

#include "bench-option.h"
#include "bench-ring.h"
#include "histogram.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PRIORITY 55 /* of a client of jackd -P 60; a helper has one less */
#define PERIOD 64
#define RATE_HZ 48000
#define PERIOD_NS (PERIOD * NSEC_PER_SEC / RATE_HZ)
#define WARM_UP_CYCLES 20
/* A helper with a timer: when it looks for the first time, and how often. */
#define LOOK_LATER_NS (30 * NSEC_PER_USEC)
#define LOOK_AGAIN_NS (20 * NSEC_PER_USEC)
#define STACK_BYTES (256 << 10)
#define SIZES_MAX 8
/* The name that all others are compared with. */
#define OURS "ethlinkd: ring V2, frame copied by the kernel"

/* clang-format off */
static const struct way send_ways[] = {
	{OURS, &sender_pktring},
	{"the same again (how far the numbers can be trusted)", &sender_ring, .copied = true},
	{"sendto() for each frame", &sender_sendto},
	{"sendto() for each frame, queue bypassed", &sender_sendto, .bypass = true},
	{"sendmmsg() for all frames", &sender_sendmmsg},
	{"sendmmsg() for all frames, queue bypassed", &sender_sendmmsg, .bypass = true},
	{"ring V2, the slot's page as a fragment", &sender_ring},
	{"ring V3, frame copied by the kernel", &sender_ring, .v3 = true, .copied = true},
	{"ring V3, the slot's page as a fragment", &sender_ring, .v3 = true},
	{"ethlinkd, queue bypassed", &sender_pktring, .bypass = true},
	{"AF_XDP, copy mode", &sender_xdp},
	{"AF_XDP, copy mode, one call a cycle", &sender_xdp, .unlimited = true},
	{"2 rings, one thread", &sender_ring, .copied = true, .rings = 2},
	{"4 rings, one thread", &sender_ring, .copied = true, .rings = 4},
	{"ring memory in blocks of 64 KiB", &sender_ring, .copied = true, .block_bytes = 64 << 10},
	{"ring memory in blocks of 1 MiB", &sender_ring, .copied = true, .block_bytes = 1 << 20},
	{"ring for 1 cycle", &sender_ring, .copied = true, .cycles = 1},
	{"ring for 2 cycles", &sender_ring, .copied = true, .cycles = 2},
	{"ring for 40 cycles", &sender_ring, .copied = true, .cycles = 40},
	{"filled with non-temporal stores", &sender_ring, .copied = true, .fill = FILL_STREAM},
	{"kick with interface and protocol", &sender_ring, .copied = true, .addressed = true},
	{"headers stay in the slots", &sender_ring, .copied = true, .fill = FILL_AUDIO},
};

/* Who kicks. At the far end the first and the last frame of a ring are received and timed, which costs a little. */
static const struct way kick_ways[] = {
	{OURS, &sender_pktring},
	{"another thread, woken by a futex", &sender_pktring, .helper_rings = 1, .wake = WAKE_FUTEX},
	{"another thread, woken by an eventfd", &sender_pktring, .helper_rings = 1, .wake = WAKE_EVENTFD},
	{"another thread, same core, woken by a futex", &sender_pktring, .helper_rings = 1, .wake = WAKE_FUTEX,
		.same_core = true},
	{"another thread, woken (futex) before filling", &sender_pktring, .helper_rings = 1, .wake = WAKE_EARLY},
	{"another thread, by a timer of its own", &sender_pktring, .helper_rings = 1, .wake = WAKE_TIMER},
	{"2 rings, one by another thread (futex)", &sender_ring, .copied = true, .rings = 2, .helper_rings = 1,
		.wake = WAKE_FUTEX},
	{"4 rings, two by another thread (futex)", &sender_ring, .copied = true, .rings = 4, .helper_rings = 2,
		.wake = WAKE_FUTEX},
};
/* clang-format on */

struct options {
	unsigned sizes[SIZES_MAX], n_sizes;
	unsigned slice_ms, rounds;
	const char *only;
};

struct run {
	const struct bench *bench;
	const struct way *way;
	struct sender senders[RINGS_MAX];
	unsigned rings, own; /* the first ones are this thread's */
	pthread_t helper;
	int wake_fd;
	int64_t begin_ns;
	int64_t cpu_ns;
	struct histogram caller, whole, first, last;
	CACHELINE_ALIGNED _Atomic uint32_t cycle; /* the helper waits for another one */
	_Atomic uint32_t filled;		  /* the cycle that is */
	_Atomic int64_t due_ns;			  /* the latest cycle */
	_Atomic unsigned pending;		  /* threads that have not done their part */
	_Atomic unsigned errors;
	atomic_bool quit;
};

static void kick_rt(struct run *run, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		if (run->senders[i].way->ops->kick_rt(&run->senders[i]) < 0) {
			atomic_fetch_add(&run->errors, 1);
		}
	}
	if (atomic_fetch_sub(&run->pending, 1) == 1) {
		histogram_add_rt(&run->whole, (uint64_t)(now_ns() - run->begin_ns));
	}
}

static void fill_rt(struct run *run, unsigned from, unsigned to)
{
	unsigned share = run->bench->n_frames / run->rings;

	for (unsigned i = from; i < to; i++) {
		run->way->ops->fill_rt(&run->senders[i], i * share, share);
	}
}

static void wake_helper_rt(struct run *run)
{
	uint64_t one = 1;

	atomic_fetch_add(&run->cycle, 1);
	if (run->way->wake == WAKE_FUTEX || run->way->wake == WAKE_EARLY) {
		syscall(SYS_futex, &run->cycle, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	} else if (run->way->wake == WAKE_EVENTFD && write(run->wake_fd, &one, sizeof(one)) < 0) {
		atomic_fetch_add(&run->errors, 1);
	}
}

/* The next cycle, after seen, is there, or all is over. */
static void helper_wait(struct run *run, uint32_t seen)
{
	uint64_t count;

	switch (run->way->wake) {
	case WAKE_EVENTFD:
		if (read(run->wake_fd, &count, sizeof(count)) < 0) {
			atomic_fetch_add(&run->errors, 1);
		}
		break;
	case WAKE_FUTEX:
	case WAKE_EARLY:
		while (atomic_load(&run->cycle) == seen) {
			syscall(SYS_futex, &run->cycle, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
		}
		while (atomic_load(&run->filled) == seen && !atomic_load(&run->quit)) {
			/* Not for long. */
		}
		break;
	case WAKE_TIMER:
		bench_sleep_until(atomic_load(&run->due_ns) + PERIOD_NS + LOOK_LATER_NS);
		while (atomic_load(&run->filled) == seen && !atomic_load(&run->quit)) {
			bench_sleep_until(now_ns() + LOOK_AGAIN_NS);
		}
		break;
	case WAKE_NONE:
		break;
	}
}

static void *helper_main(void *data)
{
	struct run *run = data;
	uint32_t seen = 0;

	for (;;) {
		helper_wait(run, seen);
		if (atomic_load(&run->quit)) {
			return NULL;
		}
		seen++;
		kick_rt(run, run->own, run->rings);
	}
}

/* A cycle; what the helper is to send is filled first, so that it works while this thread does. */
static void cycle_rt(struct run *run)
{
	int64_t cpu_ns = bench_thread_cpu_ns(pthread_self());

	run->begin_ns = now_ns();
	atomic_store(&run->pending, (run->own > 0) + (run->own < run->rings));
	if (run->way->wake == WAKE_EARLY) {
		wake_helper_rt(run);
	}
	fill_rt(run, run->own, run->rings);
	atomic_fetch_add(&run->filled, 1);
	if (run->own < run->rings && run->way->wake != WAKE_EARLY) {
		wake_helper_rt(run);
	}
	if (run->own > 0) {
		fill_rt(run, 0, run->own);
		kick_rt(run, 0, run->own);
	}
	histogram_add_rt(&run->caller, (uint64_t)(now_ns() - run->begin_ns));
	run->cpu_ns += bench_thread_cpu_ns(pthread_self()) - cpu_ns;
}

static bool start_helper(struct run *run)
{
	struct sched_param param = {.sched_priority = PRIORITY - 1};
	cpu_set_t core;
	int r = 0;

	CPU_ZERO(&core);
	if (run->own == run->rings) {
		return true;
	}
	atomic_store(&run->due_ns, now_ns());
	run->wake_fd = eventfd(0, EFD_CLOEXEC);
	r = run->wake_fd < 0 ? -errno : thread_start(&run->helper, STACK_BYTES, helper_main, run);
	if (r < 0) {
		log_error("a helping thread: %s", strerror(-r));
		return false;
	}
	(void)pthread_setschedparam(run->helper, SCHED_FIFO, &param);
	if (run->way->same_core) {
		CPU_SET(0, &core);
		(void)pthread_setaffinity_np(run->helper, sizeof(core), &core);
		(void)pthread_setaffinity_np(pthread_self(), sizeof(core), &core);
	}
	return true;
}

static void close_run(struct run *run)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	(void)pthread_setaffinity_np(pthread_self(), sizeof(all), &all);
	if (run->helper) {
		atomic_store(&run->quit, true);
		wake_helper_rt(run);
		pthread_join(run->helper, NULL);
	}
	if (run->wake_fd >= 0) {
		close(run->wake_fd);
	}
	for (unsigned i = 0; i < run->rings; i++) {
		run->way->ops->close(&run->senders[i]);
	}
	free(run);
}

/* 0, 1: this machine cannot do that, and the line says so; -1: said why. */
static int open_run(const struct bench *b, const struct way *way, struct run **ret_run)
{
	struct run *run = mem_zalloc(CACHELINE_SIZE, sizeof(*run));

	if (!run) {
		log_error("not enough memory");
		return -1;
	}
	run->bench = b;
	run->way = way;
	run->wake_fd = -1;
	*ret_run = run;
	for (unsigned i = 0; i < MAX(way->rings, 1u); i++) {
		int r = sender_open(&run->senders[run->rings++], b, way);

		if (r < 0) {
			printf("\"missing\":\"%s: %s\"", run->senders[i].failed, strerror(-r));
			return 1;
		}
	}
	run->own = run->rings - way->helper_rings;
	return start_helper(run) ? 0 : -1;
}

static uint64_t sent_by(const char *interface)
{
	char path[128];
	uint64_t packets = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/tx_packets", interface);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%" SCNu64, &packets) != 1) {
		log_error("%s: cannot be read", path);
	}
	if (f) {
		fclose(f);
	}
	return packets;
}

static void wait_until_done(const struct run *run)
{
	while (atomic_load(&run->pending) > 0) {
		bench_sleep_until(now_ns() + 50 * NSEC_PER_USEC);
	}
}

/* What the far end saw of a cycle that began then; looked at later, as who waits for it would disturb it. */
static bool take_times(struct run *run, struct far *far, int64_t begin_real_ns)
{
	unsigned marked = 2 * run->rings;

	wait_until_done(run);
	if (!far) {
		return true;
	}
	if (far_wait(far, marked) < marked) {
		log_error("%s: marked frames do not arrive", run->way->name);
		return false;
	}
	histogram_add_rt(&run->first, (uint64_t)(far->first_ns - begin_real_ns));
	histogram_add_rt(&run->last, (uint64_t)(far->last_ns - begin_real_ns));
	return true;
}

static bool run_cycles(struct run *run, unsigned cycles, struct far *far)
{
	int64_t due_ns = now_ns();

	for (unsigned i = 0; i < cycles; i++) {
		int64_t begin_real_ns;

		due_ns = MAX(due_ns + PERIOD_NS, now_ns());
		bench_sleep_until(due_ns);
		atomic_store(&run->due_ns, due_ns);
		begin_real_ns = bench_real_ns();
		cycle_rt(run);
		bench_sleep_until(due_ns + PERIOD_NS * 3 / 4);
		if (!take_times(run, far, begin_real_ns)) {
			return false;
		}
	}
	return true;
}

static void clear(struct run *run)
{
	memset(&run->caller, 0, sizeof(run->caller));
	memset(&run->whole, 0, sizeof(run->whole));
	memset(&run->first, 0, sizeof(run->first));
	memset(&run->last, 0, sizeof(run->last));
	run->cpu_ns = 0;
}

static void print_us(const char *key, const struct histogram *h)
{
	if (h->total > 0) {
		printf(",\"%s\":{\"p50\":%.3f,\"p99\":%.3f}", key,
			(double)histogram_quantile_ns(h, 0.5) * 1e-3,
			(double)histogram_quantile_ns(h, 0.99) * 1e-3);
	}
}

static void print_run(const struct run *run, unsigned cycles, uint64_t sent)
{
	uint64_t frames = (uint64_t)cycles * run->bench->n_frames;

	printf("\"cycles\":%u,\"frames\":%" PRIu64 ",\"lost\":%" PRId64 ",\"errors\":%u,\"cpu_ns\":%" PRId64,
		cycles, frames, (int64_t)(frames - sent), atomic_load(&run->errors), run->cpu_ns);
	print_us("caller_us", &run->caller);
	print_us("cycle_us", &run->whole);
	print_us("first_us", &run->first);
	print_us("last_us", &run->last);
}

static bool measure(struct run *run, unsigned slice_ms, struct far *far)
{
	unsigned cycles = (unsigned)(slice_ms * NSEC_PER_MSEC * RATE_HZ / PERIOD / NSEC_PER_SEC);
	const char *interface = run->bench->load.interface;
	uint64_t sent;
	int64_t process_ns;

	if (!run_cycles(run, WARM_UP_CYCLES, far)) {
		return false;
	}
	clear(run);
	sent = sent_by(interface);
	process_ns = bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (!run_cycles(run, cycles, far)) {
		return false;
	}
	process_ns = bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process_ns;
	print_run(run, cycles, sent_by(interface) - sent);
	printf(",\"process_ns\":%" PRId64, process_ns);
	return true;
}

/* One cycle: does the far end get it all, and unchanged? */
static bool verify(struct run *run)
{
	struct far far;
	bool ok = far_open(&far, run->bench->far_interface, false) >= 0;

	if (ok) {
		cycle_rt(run);
		wait_until_done(run);
		ok = far_verify(&far, run->bench, run->bench->n_frames);
	}
	if (!ok) {
		log_error("%s with %u frames a cycle does not send what it should", run->way->name,
			run->bench->n_frames);
	}
	far_close(&far);
	return ok;
}

static bool one(const struct bench *b, const struct way *way, unsigned round, unsigned slice_ms)
{
	struct far far = {.fd = -1};
	struct run *run = NULL;
	bool ok;
	int r;

	printf("{\"kind\":\"%s\",\"way\":\"%s\",\"ours\":%s,\"frames_per_cycle\":%u,\"round\":%u,",
		b->marked ? "kick" : "send", way->name, strcmp(way->name, OURS) == 0 ? "true" : "false",
		b->n_frames, round);
	r = open_run(b, way, &run);
	ok = r >= 0;
	if (r == 0) {
		ok = (round > 0 || !b->far_interface || verify(run)) &&
		     (!b->marked || far_open(&far, b->far_interface, true) >= 0) &&
		     measure(run, slice_ms, b->marked ? &far : NULL);
	}
	printf("}\n");
	if (run) {
		close_run(run);
	}
	far_close(&far);
	return ok;
}

static bool all_of(struct bench *b, const struct way *ways, size_t n, bool marked, unsigned round,
	const struct options *o)
{
	b->marked = marked;
	for (size_t w = 0; w < n; w++) {
		bool wanted = !o->only || strstr(ways[w].name, o->only) || strcmp(ways[w].name, OURS) == 0;

		if (wanted && !one(b, &ways[w], round, o->slice_ms)) {
			return false;
		}
	}
	return true;
}

static bool run_all(struct bench *b, const struct options *o)
{
	for (unsigned round = 0; round < o->rounds; round++) {
		for (unsigned i = 0; i < o->n_sizes; i++) {
			b->n_frames = o->sizes[i];
			b->load.boxes = MAX(b->n_frames / (PERIOD / ETHLINK_BLOCK_FRAMES), 1u);
			if (!all_of(b, send_ways, ARRAY_SIZE(send_ways), false, round, o) ||
				(b->far_interface &&
					!all_of(b, kick_ways, ARRAY_SIZE(kick_ways), true, round, o))) {
				return false;
			}
		}
		if (b->far_interface && !bench_receive(b, round, o->slice_ms, o->only)) {
			return false;
		}
	}
	return true;
}

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: bench-ring -i INTERFACE [-o INTERFACE] [--frames=N[,N...]] [--slice=MS] "
		"[--rounds=N]\n"
		"                  [--only=TEXT]\n"
		"Measures ways of sending to an interface and of receiving from it, by turns; a line of JSON "
		"each.\n"
		"  -i, --interface=NAME  where frames go to\n"
		"  -o, --far=NAME        the other end of a veth pair: what comes out there is compared with "
		"what\n"
		"                        was sent, and timed; without it nothing of that, and no receiving\n"
		"  --frames=N[,N...]     frames of a cycle, multiples of 8, 8 to %d; default 8,64,256\n"
		"  --slice=MS            measure each way for so long in each round; default 200\n"
		"  --rounds=N            default 5\n"
		"  --only=TEXT           the ways with TEXT in their name, and ethlinkd's\n"
		"  --help, --version\n",
		FRAMES_MAX);
}

static void take_sizes(char *text, struct options *o)
{
	o->n_sizes = 0;
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		unsigned n = bench_option_number("frames", word, ETHLINK_BLOCK_FRAMES, FRAMES_MAX);

		if (n % ETHLINK_BLOCK_FRAMES != 0 || o->n_sizes == SIZES_MAX) {
			log_error("--frames: multiples of %d are allowed, %d numbers at most",
				ETHLINK_BLOCK_FRAMES, SIZES_MAX);
			exit(2);
		}
		o->sizes[o->n_sizes++] = n;
	}
}

static void take_option(int c, struct bench *b, struct options *o)
{
	switch (c) {
	case 'i':
		b->load.interface = optarg;
		break;
	case 'o':
		b->far_interface = optarg;
		break;
	case 'f':
		take_sizes(optarg, o);
		break;
	case 's':
		o->slice_ms = bench_option_number("slice", optarg, 10, 60000);
		break;
	case 'r':
		o->rounds = bench_option_number("rounds", optarg, 1, 1000);
		break;
	case 'O':
		o->only = optarg;
		break;
	case 'h':
		usage(stdout);
		exit(0);
	case 'V':
		printf("bench-ring %s\n", PACKAGE_VERSION);
		exit(0);
	default:
		usage(stderr);
		exit(2);
	}
}

static void parse_options(int argc, char **argv, struct bench *b, struct options *o)
{
	static const struct option longs[] = {
		{"interface", required_argument, NULL, 'i'},
		{"far", required_argument, NULL, 'o'},
		{"frames", required_argument, NULL, 'f'},
		{"slice", required_argument, NULL, 's'},
		{"rounds", required_argument, NULL, 'r'},
		{"only", required_argument, NULL, 'O'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "i:o:", longs, NULL)) != -1) {
		take_option(c, b, o);
	}
	if (!b->load.interface || optind != argc) {
		log_error("an interface must be given with -i, and nothing but options");
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static struct bench bench = {
		.load = {.period = PERIOD, .rate_hz = RATE_HZ, .boxes = BENCH_RING_BOXES_MAX}};
	struct options o = {.sizes = {8, 64, 256}, .n_sizes = 3, .slice_ms = 200, .rounds = 5};
	struct sched_param param = {.sched_priority = PRIORITY};
	const struct way way = {.name = "addresses"};
	struct sender sender = {.way = &way, .bench = &bench, .fd = -1};
	int r;

	log_set_program("bench-ring");
	parse_options(argc, argv, &bench, &o);
	if (bench_ring_ifindex(bench.load.interface) == 0 ||
		(bench.far_interface && bench_ring_ifindex(bench.far_interface) == 0)) {
		return 1;
	}
	r = sender_socket(&sender, 0);
	r = r < 0 ? r : bench_ring_write_frames(&bench.load, sender.fd, bench.frames);
	if (r < 0) {
		log_error("interface %s: %s; a packet socket takes root or CAP_NET_RAW", bench.load.interface,
			strerror(-r));
		return 1;
	}
	close(sender.fd);
	(void)mlockall(MCL_CURRENT | MCL_FUTURE);
	if (sched_setscheduler(0, SCHED_FIFO, &param) < 0) {
		log_warning("no realtime priority: %s; the longest times say nothing", strerror(errno));
	}
	return run_all(&bench, &o) ? 0 : 1;
}
