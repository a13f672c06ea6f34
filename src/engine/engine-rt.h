/* The inside of the engine, shared by engine.c (control) and engine-rt.c (realtime). */
#ifndef ENGINE_ENGINE_RT_H
#define ENGINE_ENGINE_RT_H

#include "engine/dac-rt.h"
#include "engine/engine.h"
#include "net/pktring-rt.h"

struct retired {
	struct retired *next;
	uint64_t epoch;
	void (*free_fn)(void *object);
	void *object;
};

struct wire {
	struct engine *engine;
	struct pktring *ring;
	struct pacer *pacer;
	struct wire_sending how;
	struct dac *dacs[ENGINE_DACS_PER_WIRE];
	unsigned n_dacs;
};

struct engine {
	struct seam seam;
	struct clock clock;    /* RT's */
	int64_t last_cycle_ns; /* RT's: when the last callback began; 0: there was none */
	/* RT's, between engine_process_rt() and engine_finish_rt(). */
	const struct engine_plan *plan;
	uint64_t epoch;
	int64_t cycle_ns;
	bool to_kick[ENGINE_WIRES_MAX]; /* of the plan's wires */
	const struct sample_kernels *kernels;
	struct wire *wires[ENGINE_WIRES_MAX];
	unsigned n_wires;
	struct retired *retired;
	bool running;
};

#endif
