#include "engine/pacer-rt.h"
#include "engine/pacer.h"

#include <errno.h>
#include <string.h>

/* After a kick that failed the next one comes by itself. */
#define RETRY_NS (1 * NSEC_PER_MSEC)

void pacer_schedule_rt(struct pacer *p, uint32_t n, int64_t due_ns)
{
	struct pacer_chunk chunk = {.due_ns = due_ns, .slots = p->held + n};

	p->last_due_ns = due_ns;
	p->news = true;
	seam_count_rt(&p->scheduled, n);
	/* The queue holds more chunks than two of the longest periods have rows; many short ones may fill it. */
	p->held = spsc_push(&p->queue, &chunk) ? 0 : chunk.slots;
}

void pacer_wake_rt(struct pacer *p)
{
	if (!p->news) {
		return;
	}
	p->news = false;
	/* With the one in pacer.c: either we see that it sleeps, or it sees what we have pushed. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&p->asleep, memory_order_relaxed)) {
		atomic_store_explicit(&p->asleep, false, memory_order_relaxed);
		(void)sem_post(&p->wake);
	}
}

int pacer_kick_rt(struct pktring *ring, int64_t due_ns, struct kick_report *report)
{
	int64_t begin_ns = now_ns();
	int r = pktring_kick_rt(ring);
	int64_t end_ns = now_ns();

	hist_add_shared_rt(&report->at, end_ns - due_ns);
	hist_add_shared_rt(&report->took, end_ns - begin_ns);
	atomic_fetch_add_explicit(&report->kicks, 1, memory_order_relaxed);
	if (r < 0 && r != -EAGAIN) {
		atomic_fetch_add_explicit(&report->errors, 1, memory_order_relaxed);
		atomic_store_explicit(&report->last_error, (uint32_t)-r, memory_order_relaxed);
	}
	return r;
}

static void kick_rt(struct pacer *p, int64_t due_ns)
{
	uint32_t drops[PKTRING_OWNERS];
	int r = pacer_kick_rt(p->ring, due_ns, p->report);

	p->failed = r < 0;
	if (r == 0 || r == -EAGAIN) {
		return; /* EAGAIN: send memory is short; they go with the next kick */
	}
	memset(drops, 0, sizeof(drops));
	pktring_tx_discard_rt(p->ring, drops);
	for (unsigned i = 0; i < PKTRING_OWNERS; i++) {
		if (drops[i]) {
			atomic_fetch_add_explicit(&p->drops[i], drops[i], memory_order_relaxed);
		}
	}
}

bool pacer_has_chunk_rt(const struct pacer *p)
{
	return atomic_load_explicit(&p->queue.head, memory_order_relaxed) !=
	       atomic_load_explicit(&p->queue.tail, memory_order_relaxed);
}

int64_t pacer_run_rt(struct pacer *p, int64_t now_ns)
{
	int64_t due_ns = now_ns;
	uint32_t marked = 0;

	for (;;) {
		if (p->next.slots == 0 && !spsc_pop(&p->queue, &p->next)) {
			break;
		}
		if (p->next.due_ns > now_ns) {
			break;
		}
		due_ns = MIN(due_ns, p->next.due_ns);
		marked += pktring_tx_mark_rt(p->ring, p->next.slots);
		seam_count_rt(&p->released, p->next.slots);
		p->next.slots = 0;
	}
	if (marked > 0 || p->failed) {
		kick_rt(p, due_ns);
	}
	if (p->failed) {
		return now_ns + RETRY_NS;
	}
	atomic_store_explicit(
		&p->kicked, atomic_load_explicit(&p->released, memory_order_relaxed), memory_order_release);
	return p->next.slots > 0 ? p->next.due_ns : INT64_MAX;
}
