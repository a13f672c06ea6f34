/*
 * Ways to receive what 32 boxes send: a frame each every 8 samples, all together, so 192,000 frames a second. What the
 * kernel does for a socket is charged to whoever sends here, as both ends are one machine's: so what counts is what sender
 * and readers take together, less what the sender takes when nobody listens.
 */
#include "bench-ring.h"
#include "histogram.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#define BOXES 32
#define RATE_HZ 48000
#define PRIORITY 54
#define READERS_MAX 2
#define SLOT_BYTES 512 /* as the daemon */
#define RING_BYTES (4 << 20)
#define V2_BLOCK_BYTES 4096
#define V3_BLOCK_BYTES (64 << 10)
#define V3_RETIRE_MS 1
#define BUSY_POLL_US 50
#define TIMER_NS (64 * NSEC_PER_SEC / RATE_HZ) /* a period */
#define QUIT_MS 20
#define WARM_UP_MS 20
#define STACK_BYTES (256 << 10)

enum wait {
	WAIT_POLL,
	WAIT_EPOLL,
	WAIT_TIMER,
};

enum source {
	SOURCE_NONE,
	SOURCE_SOCKET,
	SOURCE_V2,
	SOURCE_V3,
};

struct receive_way {
	const char *name;
	enum source source;
	enum wait wait;
	unsigned readers; /* more than one: PACKET_FANOUT by box */
	bool busy_poll;
};

/* clang-format off */
static const struct receive_way ways[] = {
	{"nobody receives", SOURCE_NONE},
	{"ethlinkd: ring V2, epoll", SOURCE_V2, WAIT_EPOLL, 1},
	{"ring V2, poll()", SOURCE_V2, WAIT_POLL, 1},
	{"ring V2, poll(), SO_BUSY_POLL", SOURCE_V2, WAIT_POLL, 1, true},
	{"ring V2, read once a period (1.33 ms)", SOURCE_V2, WAIT_TIMER, 1},
	{"ring V2 for 2 threads (PACKET_FANOUT), epoll", SOURCE_V2, WAIT_EPOLL, 2},
	{"ring V3, a block at least every ms, poll()", SOURCE_V3, WAIT_POLL, 1},
	{"ring V3, read once a period (1.33 ms)", SOURCE_V3, WAIT_TIMER, 1},
	{"recv() for each frame, poll()", SOURCE_SOCKET, WAIT_POLL, 1},
};
/* clang-format on */

struct reader {
	const struct receive_way *way;
	const char *failed;
	int fd, epoll_fd;
	uint8_t *map;
	unsigned next, n; /* slots or blocks */
	uint64_t frames;
	int64_t cpu_ns;
	struct histogram latency;
	pthread_t thread;
	atomic_bool counting, quit;
};

static int reader_fail(struct reader *r, const char *call)
{
	r->failed = call;
	return -errno;
}

static void count_rt(struct reader *r, int64_t stamp_ns)
{
	if (atomic_load_explicit(&r->counting, memory_order_relaxed)) {
		r->frames++;
		histogram_add_rt(&r->latency, (uint64_t)MAX(bench_real_ns() - stamp_ns, 0));
	}
}

static void read_v2_rt(struct reader *r)
{
	for (;;) {
		struct tpacket2_hdr *hdr =
			(struct tpacket2_hdr *)(void *)(r->map + (size_t)r->next * SLOT_BYTES);

		if (!(__atomic_load_n(&hdr->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
			return;
		}
		count_rt(r, hdr->tp_sec * NSEC_PER_SEC + hdr->tp_nsec);
		__atomic_store_n(&hdr->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		r->next = r->next + 1 == r->n ? 0 : r->next + 1;
	}
}

static void read_v3_rt(struct reader *r)
{
	for (;;) {
		uint8_t *block = r->map + (size_t)r->next * V3_BLOCK_BYTES;
		struct tpacket_hdr_v1 *h1 = &((struct tpacket_block_desc *)(void *)block)->hdr.bh1;
		uint8_t *at = block + h1->offset_to_first_pkt;

		if (!(__atomic_load_n(&h1->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
			return;
		}
		for (unsigned i = 0; i < h1->num_pkts; i++) {
			struct tpacket3_hdr *hdr = (struct tpacket3_hdr *)(void *)at;

			count_rt(r, hdr->tp_sec * NSEC_PER_SEC + hdr->tp_nsec);
			at += hdr->tp_next_offset;
		}
		__atomic_store_n(&h1->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		r->next = r->next + 1 == r->n ? 0 : r->next + 1;
	}
}

static void read_socket_rt(struct reader *r)
{
	uint8_t frame[ETHLINK_FRAME_LEN];
	char control[64];
	struct iovec part = {frame, sizeof(frame)};
	struct timespec ts;

	for (;;) {
		struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};

		message.msg_controllen = sizeof(control);
		if (recvmsg(r->fd, &message, MSG_DONTWAIT) < 0) {
			return;
		}
		memcpy(&ts, CMSG_DATA((struct cmsghdr *)(void *)control), sizeof(ts));
		count_rt(r, ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec);
	}
}

static void *reader_main(void *data)
{
	struct reader *r = data;
	struct pollfd pollfd = {.fd = r->fd, .events = POLLIN};
	struct epoll_event event;
	int64_t due_ns = now_ns();

	while (!atomic_load(&r->quit)) {
		switch (r->way->wait) {
		case WAIT_POLL:
			poll(&pollfd, 1, QUIT_MS);
			break;
		case WAIT_EPOLL:
			epoll_wait(r->epoll_fd, &event, 1, QUIT_MS);
			break;
		case WAIT_TIMER:
			due_ns += TIMER_NS;
			bench_sleep_until(due_ns);
			break;
		}
		switch (r->way->source) {
		case SOURCE_V2:
			read_v2_rt(r);
			break;
		case SOURCE_V3:
			read_v3_rt(r);
			break;
		case SOURCE_SOCKET:
			read_socket_rt(r);
			break;
		case SOURCE_NONE:
			break;
		}
	}
	return NULL;
}

static int set_option(
	struct reader *r, int level, int name, const void *value, socklen_t len, const char *call)
{
	return setsockopt(r->fd, level, name, value, len) < 0 ? reader_fail(r, call) : 0;
}

static int map_ring(struct reader *r)
{
	bool v3 = r->way->source == SOURCE_V3;
	unsigned block_bytes = v3 ? V3_BLOCK_BYTES : V2_BLOCK_BYTES;
	int version = v3 ? TPACKET_V3 : TPACKET_V2;
	struct tpacket_req3 req = {
		.tp_block_size = block_bytes,
		.tp_block_nr = RING_BYTES / block_bytes,
		.tp_frame_size = SLOT_BYTES,
		.tp_frame_nr = RING_BYTES / SLOT_BYTES,
		.tp_retire_blk_tov = V3_RETIRE_MS,
	};
	socklen_t len = v3 ? sizeof(struct tpacket_req3) : sizeof(struct tpacket_req);

	if (set_option(r, SOL_PACKET, PACKET_VERSION, &version, sizeof(version),
		    "setsockopt(PACKET_VERSION)") < 0 ||
		set_option(r, SOL_PACKET, PACKET_RX_RING, &req, len, "setsockopt(PACKET_RX_RING)") < 0) {
		return -errno;
	}
	r->map = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, r->fd, 0);
	if (r->map == MAP_FAILED) {
		r->map = NULL;
		return reader_fail(r, "mmap(PACKET_RX_RING)");
	}
	r->n = v3 ? req.tp_block_nr : req.tp_frame_nr;
	return 0;
}

/* Which of the readers' sockets gets a frame: the box's number, divided by how many there are. */
static int join_fanout(struct reader *r)
{
	static const struct sock_filter by_box[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETHLINK_OFF_SRC + 5),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog prog = {
		.len = ARRAY_SIZE(by_box),
		.filter = (struct sock_filter *)(uintptr_t)by_box,
	};
	uint32_t group = ((uint32_t)getpid() & 0xffff) | PACKET_FANOUT_CBPF << 16;
	int result =
		set_option(r, SOL_PACKET, PACKET_FANOUT, &group, sizeof(group), "setsockopt(PACKET_FANOUT)");

	return result < 0 ? result
			  : set_option(r, SOL_PACKET, PACKET_FANOUT_DATA, &prog, sizeof(prog),
				    "setsockopt(PACKET_FANOUT_DATA)");
}

static int open_reader(struct reader *r, const struct receive_way *way, const char *interface)
{
	const int on = 1, busy_us = BUSY_POLL_US, bytes = RING_BYTES;
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHLINK_ETHERTYPE),
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	struct epoll_event event = {.events = EPOLLIN};
	int result = 0;

	r->way = way;
	r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->fd < 0 || r->epoll_fd < 0 || epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->fd, &event) < 0) {
		return reader_fail(r, "socket(AF_PACKET)");
	}
	if (way->source == SOURCE_SOCKET) {
		(void)setsockopt(r->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
		result = set_option(
			r, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on), "setsockopt(SO_TIMESTAMPNS)");
	} else {
		result = map_ring(r);
	}
	if (result >= 0 && way->busy_poll) {
		result = set_option(
			r, SOL_SOCKET, SO_BUSY_POLL, &busy_us, sizeof(busy_us), "setsockopt(SO_BUSY_POLL)");
	}
	if (result >= 0 && bind(r->fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		result = reader_fail(r, "bind");
	}
	return result < 0 || way->readers < 2 ? result : join_fanout(r);
}

static void close_reader(struct reader *r)
{
	if (r->thread) {
		atomic_store(&r->quit, true);
		pthread_join(r->thread, NULL);
	}
	if (r->map) {
		munmap(r->map, RING_BYTES);
	}
	close(r->epoll_fd);
	close(r->fd);
}

/* What the boxes send, for so long; nanoseconds of this thread, without its sleep. */
static int64_t send_for(struct sender *boxes, unsigned ms, uint64_t *ret_frames)
{
	int64_t begin_ns = now_ns(), cpu_ns = 0;
	uint64_t bursts = (uint64_t)ms * RATE_HZ / ETHLINK_BLOCK_FRAMES / 1000;

	for (uint64_t i = 1; i <= bursts; i++) {
		int64_t before_ns;

		bench_sleep_until(begin_ns + (int64_t)(i * ETHLINK_BLOCK_FRAMES * NSEC_PER_SEC / RATE_HZ));
		before_ns = bench_thread_cpu_ns(pthread_self());
		boxes->way->ops->fill_rt(boxes, 0, BOXES);
		(void)boxes->way->ops->kick_rt(boxes);
		cpu_ns += bench_thread_cpu_ns(pthread_self()) - before_ns;
	}
	*ret_frames = bursts * BOXES - boxes->full;
	return cpu_ns;
}

static void set_counting(struct reader *readers, unsigned n, bool counting)
{
	for (unsigned i = 0; i < n; i++) {
		int64_t cpu_ns = bench_thread_cpu_ns(readers[i].thread);

		readers[i].cpu_ns = counting ? cpu_ns : cpu_ns - readers[i].cpu_ns;
		atomic_store(&readers[i].counting, counting);
	}
}

static void measure(struct sender *boxes, struct reader *readers, unsigned n, unsigned slice_ms)
{
	static struct histogram latency;
	uint64_t sent, received = 0;
	int64_t send_ns, read_ns = 0;

	(void)send_for(boxes, WARM_UP_MS, &sent);
	set_counting(readers, n, true);
	send_ns = send_for(boxes, slice_ms, &sent);
	/* What was sent last waits for a timer at most. */
	bench_sleep_until(now_ns() + 3 * TIMER_NS);
	set_counting(readers, n, false);
	memset(&latency, 0, sizeof(latency));
	for (unsigned i = 0; i < n; i++) {
		received += readers[i].frames;
		read_ns += readers[i].cpu_ns;
		latency.max_ns = MAX(latency.max_ns, readers[i].latency.max_ns);
		latency.total += readers[i].latency.total;
		for (unsigned k = 0; k < HISTOGRAM_BUCKETS; k++) {
			latency.count[k] += readers[i].latency.count[k];
		}
	}
	printf("\"frames\":%" PRIu64 ",\"received\":%" PRIu64 ",\"send_ns\":%" PRId64 ",\"read_ns\":%" PRId64,
		sent, received, send_ns, read_ns);
	if (received > 0) {
		printf(",\"latency_us\":{\"p50\":%.3f,\"p99\":%.3f}",
			(double)histogram_quantile_ns(&latency, 0.5) * 1e-3,
			(double)histogram_quantile_ns(&latency, 0.99) * 1e-3);
	}
}

static void one(struct sender *boxes, const struct receive_way *way, const char *interface, unsigned slice_ms)
{
	struct reader *readers = mem_zalloc(CACHELINE_SIZE, READERS_MAX * sizeof(*readers));
	struct sched_param param = {.sched_priority = PRIORITY};
	unsigned opened = 0;
	int r = readers ? 0 : -ENOMEM;

	for (; r >= 0 && opened < way->readers; opened++) {
		r = open_reader(&readers[opened], way, interface);
		if (r < 0) {
			printf("\"missing\":\"%s: %s\"", readers[opened].failed, strerror(-r));
		}
	}
	for (unsigned i = 0; r >= 0 && i < opened; i++) {
		r = thread_start(&readers[i].thread, STACK_BYTES, reader_main, &readers[i]);
		if (r >= 0) {
			(void)pthread_setschedparam(readers[i].thread, SCHED_FIFO, &param);
		}
	}
	if (r >= 0) {
		measure(boxes, readers, opened, slice_ms);
	}
	for (unsigned i = 0; i < opened; i++) {
		close_reader(&readers[i]);
	}
	free(readers);
}

bool bench_receive(const struct bench *b, unsigned round, unsigned slice_ms, const char *only)
{
	static const struct way way = {.name = "boxes", .ops = &sender_ring, .copied = true};
	static struct bench far;
	struct sender boxes;
	int r;

	far = *b;
	far.load.interface = b->far_interface;
	far.load.boxes = far.n_frames = BOXES;
	far.marked = false;
	for (unsigned i = 0; i < BOXES; i++) {
		memcpy(far.frames[i] + ETHLINK_OFF_DST, b->frames[i] + ETHLINK_OFF_SRC, ETHLINK_MAC_LEN);
		memcpy(far.frames[i] + ETHLINK_OFF_SRC, b->frames[i] + ETHLINK_OFF_DST, ETHLINK_MAC_LEN);
	}
	r = sender_open(&boxes, &far, &way);
	for (size_t w = 0; r >= 0 && w < ARRAY_SIZE(ways); w++) {
		if (only && ways[w].source != SOURCE_NONE && !strstr(ways[w].name, only)) {
			continue;
		}
		printf("{\"kind\":\"receive\",\"way\":\"%s\",\"ours\":%s,\"frames_per_cycle\":%d,\"round\":%"
		       "u,",
			ways[w].name, strncmp(ways[w].name, "ethlinkd", 8) == 0 ? "true" : "false", BOXES,
			round);
		one(&boxes, &ways[w], b->load.interface, slice_ms);
		printf("}\n");
	}
	if (r < 0) {
		log_error("interface %s: %s: %s", b->far_interface, boxes.failed, strerror(-r));
	}
	boxes.way->ops->close(&boxes);
	return r >= 0;
}
