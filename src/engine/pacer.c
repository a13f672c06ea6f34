#include "engine/pacer.h"
#include "engine/pacer-rt.h"

#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STACK_BYTES (64 << 10)

int pacer_new(struct pktring *ring, struct kick_report *report, struct pacer **ret_pacer)
{
	struct pacer *p = mem_zalloc(CACHELINE_SIZE, sizeof(*p));

	if (!p) {
		return -ENOMEM;
	}
	p->ring = ring;
	p->report = report;
	(void)spsc_init(&p->queue, p->chunks, sizeof(p->chunks[0]), PACER_CHUNKS);
	if (sem_init(&p->wake, 0, 0) < 0) {
		free(p);
		return -errno;
	}
	*ret_pacer = p;
	return 0;
}

/* What RT schedules between the last look and here is seen here, or RT sees that it is waited for. */
static void wait_for_rt(struct pacer *p)
{
	atomic_store_explicit(&p->asleep, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (!pacer_has_chunk_rt(p) && !atomic_load(&p->stop)) {
		(void)sem_wait(&p->wake);
	}
	/* Where RT was just about to wake us, the next wait ends at once, and does no harm. */
	atomic_store_explicit(&p->asleep, false, memory_order_relaxed);
}

static void *pacer_main(void *data)
{
	struct pacer *p = data;

	while (!atomic_load(&p->stop)) {
		int64_t due = pacer_run_rt(p, now_ns());
		struct timespec ts = {.tv_sec = due / NSEC_PER_SEC, .tv_nsec = due % NSEC_PER_SEC};

		if (due == INT64_MAX) {
			wait_for_rt(p);
		} else {
			(void)sem_clockwait(&p->wake, CLOCK_MONOTONIC, &ts);
		}
	}
	(void)pacer_run_rt(p, now_ns());
	return NULL;
}

int pacer_start(struct pacer *p, int priority, bool *ret_realtime)
{
	struct sched_param param = {.sched_priority = priority};
	int r = thread_start(&p->thread, STACK_BYTES, pacer_main, p);

	if (r < 0) {
		return r;
	}
	p->started = true;
	*ret_realtime = priority > 0 && pthread_setschedparam(p->thread, SCHED_FIFO, &param) == 0;
	return 0;
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
		atomic_store(&p->stop, true);
		sem_post(&p->wake);
		pthread_join(p->thread, NULL);
	}
	sem_destroy(&p->wake);
	free(p);
}
