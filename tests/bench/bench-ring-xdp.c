/* AF_XDP without a program: frames in memory of our own, of which the kernel makes packets (copy mode). */
#include "bench-ring.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

#define CHUNK_BYTES 4096 /* what the kernel offers least are 2048 */
#define CHUNKS 1024	 /* a power of two, and more than a cycle's */

struct queue {
	void *map;
	size_t len;
	uint32_t *producer, *consumer;
	void *entries;
};

struct xdp {
	struct queue tx, done;
	uint8_t *memory;
	uint32_t filled, taken; /* frames in all: put into tx, and seen in done */
};

static int map_queue(struct sender *s, uint64_t at, const struct xdp_ring_offset *offset, size_t entry_bytes,
	struct queue *q)
{
	q->len = offset->desc + CHUNKS * entry_bytes;
	q->map = mmap(NULL, q->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s->fd, (off_t)at);
	if (q->map == MAP_FAILED) {
		q->map = NULL;
		return sender_fail(s, "mmap(AF_XDP)");
	}
	q->producer = (uint32_t *)(void *)((uint8_t *)q->map + offset->producer);
	q->consumer = (uint32_t *)(void *)((uint8_t *)q->map + offset->consumer);
	q->entries = (uint8_t *)q->map + offset->desc;
	return 0;
}

static int set_queues(struct sender *s, struct xdp *x)
{
	struct xdp_umem_reg reg = {
		.addr = (uintptr_t)x->memory, .len = CHUNKS * CHUNK_BYTES, .chunk_size = CHUNK_BYTES};
	static const int queues[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_TX_RING};
	struct xdp_mmap_offsets offsets;
	socklen_t len = sizeof(offsets);
	const int n = CHUNKS;
	int r;

	if (setsockopt(s->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) < 0) {
		return sender_fail(s, "setsockopt(XDP_UMEM_REG)");
	}
	for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
		if (setsockopt(s->fd, SOL_XDP, queues[i], &n, sizeof(n)) < 0) {
			return sender_fail(s, "setsockopt(AF_XDP ring)");
		}
	}
	if (getsockopt(s->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &len) < 0) {
		return sender_fail(s, "getsockopt(XDP_MMAP_OFFSETS)");
	}
	r = map_queue(s, XDP_PGOFF_TX_RING, &offsets.tx, sizeof(struct xdp_desc), &x->tx);
	return r < 0 ? r
		     : map_queue(s, XDP_UMEM_PGOFF_COMPLETION_RING, &offsets.cr, sizeof(uint64_t), &x->done);
}

static int xdp_open(struct sender *s)
{
	struct sockaddr_xdp address = {.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY};
	struct xdp *x = mem_zalloc(CACHELINE_SIZE, sizeof(*x));
	int r = -1;

	if (!x) {
		return sender_fail(s, "malloc");
	}
	s->impl = x;
	s->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (s->fd < 0) {
		return sender_fail(s, "socket(AF_XDP)");
	}
	x->memory = mmap(NULL, CHUNKS * CHUNK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (x->memory == MAP_FAILED) {
		x->memory = NULL;
		return sender_fail(s, "mmap");
	}
	if (set_queues(s, x) < 0) {
		return -errno;
	}
	if (s->way->unlimited && setsockopt(s->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &(uint32_t){CHUNKS},
					 sizeof(uint32_t)) < 0) {
		return sender_fail(s, "setsockopt(XDP_MAX_TX_SKB_BUDGET)");
	}
	address.sxdp_ifindex = if_nametoindex(s->bench->load.interface);
	/* Whoever had the interface's queue before has it until a moment after closing. */
	for (int64_t end_ns = now_ns() + NSEC_PER_SEC; r < 0 && now_ns() < end_ns;) {
		r = bind(s->fd, (const struct sockaddr *)&address, sizeof(address));
		if (r < 0 && errno != EBUSY) {
			break;
		}
		bench_sleep_until(now_ns() + NSEC_PER_MSEC);
	}
	return r < 0 ? sender_fail(s, "bind(AF_XDP)") : 0;
}

/* Chunks go round in order, as the kernel is done with them in order. */
static void xdp_fill_rt(struct sender *s, unsigned first, unsigned n)
{
	struct xdp *x = s->impl;
	struct xdp_desc *entries = x->tx.entries;

	x->taken = __atomic_load_n(x->done.producer, __ATOMIC_ACQUIRE);
	__atomic_store_n(x->done.consumer, x->taken, __ATOMIC_RELEASE);
	for (unsigned i = first; i < first + n; i++) {
		uint64_t at = (uint64_t)(x->filled % CHUNKS) * CHUNK_BYTES;

		if (x->filled - x->taken == CHUNKS) {
			s->full++;
			continue;
		}
		memcpy(x->memory + at, bench_frame(s->bench, i), ETHLINK_FRAME_LEN);
		bench_mark(s->bench, x->memory + at, i, first, n);
		entries[x->filled++ % CHUNKS] = (struct xdp_desc){.addr = at, .len = ETHLINK_FRAME_LEN};
	}
	__atomic_store_n(x->tx.producer, x->filled, __ATOMIC_RELEASE);
}

/* A call takes 32 frames at most, and says EAGAIN while there are more. */
static int xdp_kick_rt(struct sender *s)
{
	struct xdp *x = s->impl;

	while (__atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE) != x->filled) {
		if (sendto(s->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN) {
			return -errno;
		}
	}
	return 0;
}

static void xdp_close(struct sender *s)
{
	struct xdp *x = s->impl;

	if (x && x->tx.map) {
		munmap(x->tx.map, x->tx.len);
	}
	if (x && x->done.map) {
		munmap(x->done.map, x->done.len);
	}
	if (s->fd >= 0) {
		close(s->fd);
	}
	if (x && x->memory) {
		munmap(x->memory, CHUNKS * CHUNK_BYTES);
	}
	free(x);
}

const struct sender_ops sender_xdp = {xdp_open, xdp_fill_rt, xdp_kick_rt, xdp_close};
