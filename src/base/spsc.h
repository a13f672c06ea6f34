/*
 * A queue between exactly one writing and one reading thread. Lock-free, fixed size, no allocation
 * after init; RT safe on both ends. Items are copied by value.
 *
 * Ownership: the storage belongs to the caller of spsc_init() and must outlive the queue.
 */
#ifndef BASE_SPSC_H
#define BASE_SPSC_H

#include "base/util.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

struct spsc {
	char *items;
	size_t item_size;
	uint32_t mask;
	CACHELINE_ALIGNED _Atomic uint32_t head; /* next to write; the writer's line */
	CACHELINE_ALIGNED _Atomic uint32_t tail; /* next to read; the reader's line */
};

/* n_items: a power of two. storage: n_items * item_size bytes. 0 or -EINVAL. */
static inline int spsc_init(struct spsc *q, void *storage, size_t item_size, uint32_t n_items)
{
	if (n_items == 0 || (n_items & (n_items - 1)) != 0) {
		return -EINVAL;
	}
	q->items = storage;
	q->item_size = item_size;
	q->mask = n_items - 1;
	atomic_init(&q->head, 0);
	atomic_init(&q->tail, 0);
	return 0;
}

/* Writer. False where the queue is full; nothing is written then. */
static inline bool spsc_push(struct spsc *q, const void *item)
{
	uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&q->tail, memory_order_acquire) > q->mask) {
		return false;
	}
	memcpy(q->items + (size_t)(head & q->mask) * q->item_size, item, q->item_size);
	atomic_store_explicit(&q->head, head + 1, memory_order_release);
	return true;
}

/* Reader. False where the queue is empty. */
static inline bool spsc_pop(struct spsc *q, void *ret_item)
{
	uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

	if (tail == atomic_load_explicit(&q->head, memory_order_acquire)) {
		return false;
	}
	memcpy(ret_item, q->items + (size_t)(tail & q->mask) * q->item_size, q->item_size);
	atomic_store_explicit(&q->tail, tail + 1, memory_order_release);
	return true;
}

/* Reader. What is in it now is gone. */
static inline void spsc_clear(struct spsc *q)
{
	atomic_store_explicit(
		&q->tail, atomic_load_explicit(&q->head, memory_order_acquire), memory_order_release);
}

#endif
