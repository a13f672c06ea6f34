/* The inside of the pacer, for pacer.c and pacer-rt.c, and its counters for the engine. See pacer.h. */
#ifndef ENGINE_PACER_RT_H
#define ENGINE_PACER_RT_H

#include "base/spsc.h"
#include "engine/seam.h"
#include "net/pktring-rt.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

/* More than the rows of the longest period in steps of a block. */
#define PACER_CHUNKS 2048

struct pacer_chunk {
	int64_t due_ns;
	uint32_t slots;
};

struct pacer {
	struct spsc queue;
	struct pktring *ring;
	struct kick_report *report;

	/* RT's. */
	CACHELINE_ALIGNED int64_t last_due_ns; /* of the newest chunk */
	uint32_t held; /* slots for which the queue had no room, part of the next chunk */
	bool news;     /* scheduled since the last pacer_wake_rt() */
	_Atomic uint64_t
		scheduled; /* slots handed over by RT, and marked by the pacer: equal when none waits */

	/* The pacer's. */
	CACHELINE_ALIGNED struct pacer_chunk next; /* taken from the queue, not yet due; slots 0: none */
	bool failed; /* the last kick did: what it left in the ring has to be cleared out */
	_Atomic uint64_t released;
	/* The same once a kick has taken them: until then the pacer's thread may be in the kernel, or will be again. */
	_Atomic uint64_t kicked;
	_Atomic uint32_t drops[PKTRING_OWNERS]; /* frames discarded after a failed kick, by owner */

	CACHELINE_ALIGNED _Atomic bool asleep; /* the thread has nothing to do until it is woken */
	_Atomic bool stop;
	sem_t wake;
	bool started;
	pthread_t thread;
	struct pacer_chunk chunks[PACER_CHUNKS];
};

/*
 * RT: nothing waits, and the pacer's thread does not touch the ring before the next pacer_schedule_rt(): until then
 * marking and kicking are RT's. RT safe.
 */
static inline bool pacer_idle_rt(const struct pacer *p)
{
	uint64_t kicked = atomic_load_explicit(&p->kicked, memory_order_acquire);

	return kicked == atomic_load_explicit(&p->scheduled, memory_order_relaxed);
}

/* The pacer: something is in the queue. RT safe. */
bool pacer_has_chunk_rt(const struct pacer *p);

/*
 * Sends what is marked, and writes down how long it took, and since it was due. 0 or -errno: pktring_kick_rt(). For whoever
 * the ring's marks belong to.
 */
int pacer_kick_rt(struct pktring *ring, int64_t due_ns, struct kick_report *report);

#endif
