/*
 * The far end of the benchmarks, listening: when did each box's frames reach the wire? From the times at which the
 * kernel took them over on the other side of the veth pair.
 *
 * Only the boxes that are asked for pass the socket's filter, cut to their header, into a ring that is looked at every 2 ms:
 * so nobody is woken for a frame. What it adds to the sender, in whose name the far end of a veth pair works, is the
 * filter for each frame (some 50 ns) and, for those that pass, some 300 ns. It receives after the frame has been
 * stamped, so a frame's own time does not have its own share in it, but those of the frames before.
 *
 * Counting begins with SIGUSR1 and stops with SIGUSR2, as in callback-timer.so; SIGTERM ends it with a line of JSON.
 */
#include "config.h"

#include "bench-option.h"
#include "wire-box.h"

#include "base/log.h"
#include "base/util.h"
#include "emu/serials.h"
#include "emu/wire.h"
#include "proto/ethlink.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOXES_MAX 64
#define LOOK_NS (2 * NSEC_PER_MSEC)
#define RING_FRAMES 65536
#define FILTER_MAX (BOXES_MAX + 4)

struct watch {
	const char *interface;
	const char *starts_path;
	struct serials serials;
	unsigned rate_hz, blocks;
	struct wire *wire;
	struct wire_box boxes[BOXES_MAX];
	unsigned n_boxes;
	int8_t box_of[256]; /* by the last byte of the address; -1: nobody's */
	uint64_t drops_before;
	uint64_t ring_drops;
};

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: wire-watch -i INTERFACE [--dac=SERIALS] [--rate=HZ] [--starts=FILE --blocks=N]\n"
		"When do the frames for ETHlink8DAC boxes arrive? Counts from SIGUSR1 to SIGUSR2; SIGTERM\n"
		"ends it.\n"
		"  -i, --interface=NAME  the boxes' end\n"
		"  --dac=SERIALS         boxes to watch, as 0-3,17: 0 to %d; default 0\n"
		"  --rate=HZ             what they play at; default 48000\n"
		"  --starts=FILE         when the callbacks began, from callback-timer.so\n"
		"  --blocks=N            frames that a box gets of one callback; default 8\n"
		"  --help, --version\n"
		"It prints a line of JSON when it listens, and another one at the end.\n",
		BOXES_MAX - 1);
}

static void take_option(int c, struct watch *w)
{
	switch (c) {
	case 'i':
		w->interface = optarg;
		break;
	case 'd':
		if (serials_add(&w->serials, optarg, strlen(optarg)) < 0) {
			option_bad("dac", optarg, "allowed are serial numbers, as 0-3,17");
			exit(2);
		}
		break;
	case 'r':
		w->rate_hz = bench_option_number("rate", optarg, 1, 96000);
		break;
	case 's':
		w->starts_path = optarg;
		break;
	case 'b':
		w->blocks = bench_option_number("blocks", optarg, 1, 1024);
		break;
	case 'h':
		usage(stdout);
		exit(0);
	case 'V':
		printf("wire-watch %s\n", PACKAGE_VERSION);
		exit(0);
	default:
		usage(stderr);
		exit(2);
	}
}

static void parse_options(int argc, char **argv, struct watch *w)
{
	static const struct option longs[] = {
		{"interface", required_argument, NULL, 'i'},
		{"dac", required_argument, NULL, 'd'},
		{"rate", required_argument, NULL, 'r'},
		{"starts", required_argument, NULL, 's'},
		{"blocks", required_argument, NULL, 'b'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "i:", longs, NULL)) != -1) {
		take_option(c, w);
	}
	if (!w->interface || optind != argc || ethlink_rate_code(w->rate_hz) < 0) {
		log_error("an interface must be given with -i, the rate is a box's, and there are only "
			  "options");
		usage(stderr);
		exit(2);
	}
	if (serials_count(&w->serials) == 0) {
		serials_add(&w->serials, "0", 1);
	}
}

static void add_boxes(struct watch *w)
{
	memset(w->box_of, -1, sizeof(w->box_of));
	for (unsigned serial = 0; serial < BOXES_MAX; serial++) {
		if (serials_has(&w->serials, (uint16_t)serial)) {
			w->box_of[serial] = (int8_t)w->n_boxes;
			wire_box_init(&w->boxes[w->n_boxes++], (uint16_t)serial, w->rate_hz,
				w->starts_path != NULL);
		}
	}
}

/* In place of the boxes' own: only those that are watched, of those only the header. */
static int narrow_filter(const struct watch *w)
{
	struct sock_filter code[FILTER_MAX] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETHLINK_OFF_DST + ETHLINK_MAC_LEN - 1)};
	struct sock_fprog filter = {.len = (unsigned short)(w->n_boxes + 3), .filter = code};

	for (unsigned i = 0; i < w->n_boxes; i++) {
		code[i + 1] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, w->boxes[i].serial, (uint8_t)(w->n_boxes - i), 0);
	}
	code[w->n_boxes + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	code[w->n_boxes + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ETHLINK_HEADER_LEN);
	return setsockopt(wire_fd(w->wire), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0
		       ? -errno
		       : 0;
}

/* As long as a socket wants stamps, the kernel sets them when the interface has the frame, not when a ring gets it. */
static int want_stamps(void)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) < 0) {
		return -errno;
	}
	return 0;
}

static int listen_on(struct watch *w)
{
	const char *what = "making room for a ring";
	int r = wire_new(w->interface, RING_FRAMES, &w->wire);

	r = r < 0 ? r : wire_open(w->wire, &what);
	if (r >= 0) {
		what = "attaching the filter";
		r = narrow_filter(w);
	}
	if (r >= 0) {
		what = "asking for time stamps";
		r = want_stamps();
	}
	if (r < 0) {
		log_error("interface %s: %s: %s%s", w->interface, what, strerror(-r),
			r == -EPERM ? "; this takes root or CAP_NET_RAW" : "");
	}
	return r;
}

static int drain(struct watch *w)
{
	struct wire_frame frame;
	int r = 0;

	while (r == 0 && wire_next(w->wire, &frame)) {
		int box = frame.len >= ETHLINK_HEADER_LEN
				  ? w->box_of[frame.data[ETHLINK_OFF_DST + ETHLINK_MAC_LEN - 1]]
				  : -1;

		if (box >= 0) {
			r = wire_box_frame(&w->boxes[box], frame.t_ns);
		}
		wire_done(w->wire);
	}
	return r;
}

static void count(struct watch *w, bool begin)
{
	uint64_t drops = wire_get_counts(w->wire)->ring_drops;

	for (unsigned i = 0; i < w->n_boxes; i++) {
		(begin ? wire_box_begin : wire_box_stop)(&w->boxes[i]);
	}
	w->ring_drops = begin ? 0 : drops - w->drops_before;
	w->drops_before = drops;
}

/* Until SIGTERM or SIGINT. 0 or -ENOMEM. */
static int run(struct watch *w)
{
	const struct timespec look = {.tv_nsec = LOOK_NS};
	sigset_t signals;
	int r = 0, sig = 0;

	sigemptyset(&signals);
	for (unsigned i = 0; i < 4; i++) {
		sigaddset(&signals, (const int[]){SIGTERM, SIGINT, SIGUSR1, SIGUSR2}[i]);
	}
	sigprocmask(SIG_BLOCK, &signals, NULL);
	puts("{\"event\":\"ready\"}");
	fflush(stdout);
	while (r == 0 && sig != SIGTERM && sig != SIGINT) {
		sig = sigtimedwait(&signals, NULL, &look);
		r = drain(w);
		if (sig == SIGUSR1 || sig == SIGUSR2) {
			count(w, sig == SIGUSR1);
		}
	}
	return r;
}

static const struct callback_starts *map_starts(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map = MAP_FAILED;

	if (fd >= 0 && fstat(fd, &st) == 0 && (size_t)st.st_size >= sizeof(struct callback_starts)) {
		map = mmap(NULL, sizeof(struct callback_starts), PROT_READ, MAP_SHARED, fd, 0);
	}
	if (fd >= 0) {
		close(fd);
	}
	return map == MAP_FAILED ? NULL : map;
}

static void print_times(const char *key, const struct histogram *h)
{
	printf(",\"%s\":{\"p50_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f,\"max_us\":%.3f}", key,
		(double)histogram_quantile_ns(h, 0.5) * 1e-3, (double)histogram_quantile_ns(h, 0.99) * 1e-3,
		(double)histogram_quantile_ns(h, 0.999) * 1e-3, (double)h->max_ns * 1e-3);
}

static void print_boxes(const struct watch *w)
{
	printf("{\"program\":\"wire-watch\",\"ring_drops\":%" PRIu64 ",\"boxes\":[", w->ring_drops);
	for (unsigned i = 0; i < w->n_boxes; i++) {
		const struct wire_box *b = &w->boxes[i];

		printf("%s{\"serial\":%u,\"frames\":%" PRIu64 ",\"dry\":%" PRIu64 ",\"full\":%" PRIu64,
			i > 0 ? "," : "", b->serial, b->frames, b->dry, b->full);
		printf(",\"level_min\":%" PRId64 ",\"level_max\":%" PRId64, b->level_min, b->level_max);
		printf(",\"first_us\":%.3f,\"stream_us\":%.3f}", (double)b->first_ns * 1e-3,
			(double)b->stream_ns * 1e-3);
	}
	printf("]");
}

/* A box's frames, and in *last_ns for each callback the latest of all boxes so far; 0: not all of them have it. */
static bool print_groups(const struct watch *w, unsigned i, const struct callback_starts *starts, size_t n,
	struct wire_groups *groups, int64_t *last_ns)
{
	memset(&groups->first, 0, sizeof(groups->first));
	memset(&groups->last, 0, sizeof(groups->last));
	memset(groups->last_ns, 0, n * sizeof(*groups->last_ns));
	groups->irregular = 0;
	if (!wire_box_group(&w->boxes[i], starts, n, w->blocks, groups)) {
		log_error("box %u: its frames do not come in periods of %u", w->boxes[i].serial, w->blocks);
		return false;
	}
	for (size_t c = 0; c < n; c++) {
		int64_t mine = groups->last_ns[c];

		last_ns[c] = i == 0 ? mine : mine == 0 || last_ns[c] == 0 ? 0 : MAX(last_ns[c], mine);
	}
	printf("%s{\"serial\":%u,\"callbacks\":%" PRIu64 ",\"irregular\":%" PRIu64, i > 0 ? "," : "",
		w->boxes[i].serial, groups->last.total, groups->irregular);
	print_times("first", &groups->first);
	print_times("last", &groups->last);
	printf("}");
	return true;
}

static bool print_wire(const struct watch *w)
{
	const struct callback_starts *starts = map_starts(w->starts_path);
	size_t n = starts ? atomic_load_explicit(&starts->n, memory_order_acquire) : 0;
	int64_t *last_ns = calloc(n + 1, sizeof(*last_ns)); /* 1: calloc(0) may be NULL */
	struct wire_groups groups = {.last_ns = calloc(n + 1, sizeof(*groups.last_ns))};
	struct histogram all = {0};
	bool ok = n > 0 && last_ns && groups.last_ns;

	if (n == 0) {
		log_error("%s: there is no start of a callback in it", w->starts_path);
	}
	printf(",\"wire\":[");
	for (unsigned i = 0; ok && i < w->n_boxes; i++) {
		ok = print_groups(w, i, starts, n, &groups, last_ns);
	}
	printf("]");
	for (size_t c = 0; ok && c < n; c++) {
		if (last_ns[c] != 0) {
			histogram_add_rt(&all, (uint64_t)MAX(last_ns[c] - starts->at_ns[c], 0));
		}
	}
	print_times("all_last", &all);
	free(groups.last_ns);
	free(last_ns);
	return ok;
}

int main(int argc, char **argv)
{
	static struct watch w = {.rate_hz = 48000, .blocks = 8};
	bool ok = true;
	int r;

	log_set_program("wire-watch");
	parse_options(argc, argv, &w);
	add_boxes(&w);
	r = listen_on(&w);
	if (r >= 0) {
		r = run(&w);
	}
	if (r == 0) {
		print_boxes(&w);
		ok = !w.starts_path || print_wire(&w);
		puts("}");
	} else if (r == -ENOMEM) {
		log_error("no memory to keep the times of frames");
	}
	for (unsigned i = 0; i < w.n_boxes; i++) {
		wire_box_fini(&w.boxes[i]);
	}
	wire_free(w.wire);
	return r == 0 && ok ? 0 : 1;
}
