/*
 * The inside of bench-ring: ways to send (bench-ring-send.c, bench-ring-xdp.c), what the far end saw (bench-ring-far.c),
 * ways to receive (bench-ring-receive.c), and the table of ways and the loop over them (bench-ring.c).
 *
 * Threads: the main thread fills and kicks; where a way has a helper, that one kicks its rings. Functions that end in _rt
 * are what is measured; they do not allocate.
 */
#ifndef BENCH_RING_H
#define BENCH_RING_H

#include "bench-ring-frames.h"

#include "base/util.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RINGS_MAX 4
#define FRAMES_MAX 512

/* Marks in a reserved byte of a frame, by which the far end tells the first and the last of a ring's cycle. */
#define MARK_OFFSET 62

enum fill {
	FILL_COPY,
	FILL_STREAM, /* with stores that pass by the caches */
	FILL_AUDIO,  /* headers stay in the slots */
};

enum wake {
	WAKE_NONE,
	WAKE_FUTEX,
	WAKE_EVENTFD,
	WAKE_EARLY, /* by a futex, before there is anything to send, so that it wakes up meanwhile */
	WAKE_TIMER, /* not at all: it knows when cycles come, and looks a little later */
};

struct way {
	const char *name;
	const struct sender_ops *ops;
	unsigned rings;	       /* 0: 1 */
	unsigned helper_rings; /* of these, another thread sends the last ones */
	enum wake wake;
	bool same_core; /* both threads on one */
	enum fill fill;
	bool v3;
	bool copied; /* a virtio_net_hdr has the kernel copy the frame */
	bool bypass;
	bool addressed; /* the kick names interface and protocol: the kernel need not find that in each frame */
	bool unlimited;	      /* AF_XDP: as many frames a call as there are, where the kernel can do that */
	unsigned block_bytes; /* 0: three pages */
	unsigned cycles;      /* that a ring holds; 0: as many slots as the daemon's */
};

struct bench {
	struct bench_ring_load load;
	const char *far_interface; /* NULL: out of reach */
	unsigned n_frames;	   /* a cycle */
	bool marked;
	uint8_t frames[BENCH_RING_BOXES_MAX][ETHLINK_FRAME_LEN] CACHELINE_ALIGNED;
};

struct sender {
	const struct way *way;
	const struct bench *bench;
	const char *failed; /* the call */
	int fd;
	struct sockaddr_ll address;
	uint8_t *map;
	size_t map_len;
	unsigned slots, per_block, block_bytes, next;
	unsigned ready; /* frames that a kick is to send */
	uint64_t full;	/* frames that found no slot */
	void *impl;
};

struct sender_ops {
	int (*open)(struct sender *s); /* 0, or -errno with failed set */
	/* Frames first to first + n - 1 of a cycle, ready to be sent. */
	void (*fill_rt)(struct sender *s, unsigned first, unsigned n);
	int (*kick_rt)(struct sender *s); /* 0 or -errno */
	void (*close)(struct sender *s);
};

extern const struct sender_ops sender_sendto, sender_sendmmsg, sender_ring, sender_pktring, sender_xdp;

/* Frame i of a cycle goes to the boxes in turn. */
static inline const uint8_t *bench_frame(const struct bench *b, unsigned i)
{
	return b->frames[i % b->load.boxes];
}

/* A marked frame, where frames are marked: the first and the last of a ring. */
static inline void bench_mark(const struct bench *b, uint8_t *frame, unsigned i, unsigned first, unsigned n)
{
	if (b->marked) {
		frame[MARK_OFFSET] = i == first || i == first + n - 1;
	}
}

int sender_open(struct sender *s, const struct bench *b, const struct way *way);
int sender_fail(struct sender *s, const char *call);
/* A packet socket that sends through the interface; protocol 0 receives nothing. */
int sender_socket(struct sender *s, uint16_t protocol);

/* The far end of the cable. */
struct far {
	int fd;
	int64_t first_ns, last_ns; /* CLOCK_REALTIME */
};

/* marked: nothing but marked frames. 0 or -errno. */
int far_open(struct far *far, const char *interface, bool marked);
/* Are n frames there, each as the bench has it? Says what is not so. */
bool far_verify(struct far *far, const struct bench *b, unsigned n);
/* Waits for n marked frames, no longer than a tenth of a second. How many came; first_ns, last_ns. */
unsigned far_wait(struct far *far, unsigned n);
void far_close(struct far *far);

/* All ways to receive, one after the other: a line of JSON each. False: said why. */
bool bench_receive(const struct bench *b, unsigned round, unsigned slice_ms, const char *only);

static inline int64_t bench_clock_ns(clockid_t clock)
{
	struct timespec ts = {0};

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static inline int64_t bench_thread_cpu_ns(pthread_t thread)
{
	clockid_t clock;

	return pthread_getcpuclockid(thread, &clock) == 0 ? bench_clock_ns(clock) : 0;
}

static inline int64_t bench_real_ns(void)
{
	return bench_clock_ns(CLOCK_REALTIME);
}

static inline void bench_sleep_until(int64_t ns)
{
	struct timespec ts = {.tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

#endif
