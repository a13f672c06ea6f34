#include "engine/pacer-rt.h"
#include "engine/pacer.h"

#include <errno.h>
#include <string.h>

void pacer_schedule_rt(struct pacer *p, uint32_t n, int64_t due_ns)
{
	struct pacer_chunk chunk = {.due_ns = due_ns, .slots = p->held + n};

	p->last_due_ns = due_ns;
	atomic_fetch_add_explicit(&p->scheduled, n, memory_order_relaxed);
	/* The queue holds more chunks than two of the longest periods have rows; many short ones may fill it. */
	p->held = spsc_push(&p->queue, &chunk) ? 0 : chunk.slots;
}

static void kick_rt(struct pacer *p)
{
	uint32_t drops[PKTRING_OWNERS];
	int r = pktring_kick_rt(p->ring);

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
	atomic_fetch_add_explicit(&p->kick_errors, 1, memory_order_relaxed);
}

int64_t pacer_run_rt(struct pacer *p, int64_t now_ns)
{
	uint32_t marked = 0;

	for (;;) {
		if (p->next.slots == 0 && !spsc_pop(&p->queue, &p->next)) {
			break;
		}
		if (p->next.due_ns > now_ns) {
			break;
		}
		marked += pktring_tx_mark_rt(p->ring, p->next.slots);
		atomic_fetch_add_explicit(&p->released, p->next.slots, memory_order_relaxed);
		p->next.slots = 0;
	}
	if (marked > 0 || p->failed) {
		kick_rt(p);
	}
	if (!p->failed) {
		atomic_store_explicit(&p->kicked, atomic_load_explicit(&p->released, memory_order_relaxed),
			memory_order_release);
	}
	return p->next.slots > 0 ? p->next.due_ns : INT64_MAX;
}
