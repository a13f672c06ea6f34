/* The inside of the pacer, for pacer.c and pacer-rt.c, and its counters for the engine. See pacer.h. */
#ifndef ENGINE_PACER_RT_H
#define ENGINE_PACER_RT_H

#include "base/spsc.h"
#include "net/pktring-rt.h"

#include <pthread.h>
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
	int64_t last_due_ns;	 /* RT's: of the newest chunk */
	bool failed;		 /* the last kick did: what it left in the ring has to be cleared out */
	struct pacer_chunk next; /* taken from the queue, not yet due; slots 0: none */
	_Atomic uint64_t
		scheduled; /* slots handed over by RT, and marked by the pacer: equal when none waits */
	_Atomic uint64_t released;
	/* The same once a kick has taken them: until then the pacer's thread may be in the kernel, or will be again. */
	_Atomic uint64_t kicked;
	uint32_t held;	   /* RT's: slots for which the queue had no room, part of the next chunk */
	_Atomic bool lazy; /* RT sends what is due at once by itself */
	_Atomic bool stop;
	bool started;
	pthread_t thread;
	_Atomic uint64_t kick_errors;
	_Atomic uint32_t drops[PKTRING_OWNERS]; /* frames discarded after a failed kick, by owner */
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

#endif
