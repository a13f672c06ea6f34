#include "engine/pacer.h"
#include "engine/pacer-rt.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* RT cannot wake the thread without a system call; an idle pacer looks this often. */
#define IDLE_NS (1 * NSEC_PER_MSEC)
/* What RT does not send by itself comes behind a burst of it, and has more time. */
#define IDLE_LAZY_NS (2 * NSEC_PER_MSEC)

int pacer_new(struct pktring *ring, struct pacer **ret_pacer)
{
	struct pacer *p = mem_zalloc(CACHELINE_SIZE, sizeof(*p));

	if (!p) {
		return -ENOMEM;
	}
	p->ring = ring;
	(void)spsc_init(&p->queue, p->chunks, sizeof(p->chunks[0]), PACER_CHUNKS);
	*ret_pacer = p;
	return 0;
}

static void *pacer_main(void *data)
{
	struct pacer *p = data;

	while (!atomic_load_explicit(&p->stop, memory_order_relaxed)) {
		int64_t now = now_ns();
		int64_t idle_ns =
			atomic_load_explicit(&p->lazy, memory_order_relaxed) ? IDLE_LAZY_NS : IDLE_NS;
		int64_t due = MIN(pacer_run_rt(p, now), now + idle_ns);
		struct timespec ts = {.tv_sec = due / NSEC_PER_SEC, .tv_nsec = due % NSEC_PER_SEC};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
	return NULL;
}

int pacer_start(struct pacer *p, int priority, bool *ret_realtime)
{
	struct sched_param param = {.sched_priority = priority};
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	r = priority > 0 ? pthread_create(&p->thread, &attr, pacer_main, p) : EPERM;
	*ret_realtime = r == 0;
	if (r == EPERM) {
		r = pthread_create(&p->thread, NULL, pacer_main, p);
	}
	pthread_attr_destroy(&attr);
	p->started = r == 0;
	return -r;
}

uint64_t pacer_waiting(const struct pacer *p)
{
	uint64_t released = atomic_load_explicit(&p->released, memory_order_relaxed);

	return atomic_load_explicit(&p->scheduled, memory_order_relaxed) - released;
}

void pacer_free(struct pacer *p)
{
	if (!p) {
		return;
	}
	if (p->started) {
		atomic_store_explicit(&p->stop, true, memory_order_relaxed);
		pthread_join(p->thread, NULL);
	}
	free(p);
}
