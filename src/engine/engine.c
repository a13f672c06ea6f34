#include "engine/engine-rt.h"
#include "engine/pacer-rt.h"
#include "engine/pacer.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Frees object once RT cannot know it any more. Where even the note about it cannot be had, the object is
 * left: a leak is better than a crash in the realtime thread.
 */
static void retire(struct engine *engine, void (*free_fn)(void *), void *object)
{
	struct retired *r;

	if (!object) {
		return;
	}
	r = malloc(sizeof(*r));
	if (!r) {
		return;
	}
	r->epoch = atomic_load_explicit(&engine->seam.epoch, memory_order_relaxed);
	r->free_fn = free_fn;
	r->object = object;
	r->next = engine->retired;
	engine->retired = r;
}

unsigned engine_collect(struct engine *engine)
{
	uint64_t seen = atomic_load_explicit(&engine->seam.epoch_seen, memory_order_acquire);
	struct retired **at = &engine->retired;
	unsigned waiting = 0;

	while (*at) {
		struct retired *r = *at;

		if (engine->running && r->epoch > seen) {
			at = &r->next;
			waiting++;
			continue;
		}
		*at = r->next;
		r->free_fn(r->object);
		free(r);
	}
	return waiting;
}

static void next_epoch(struct engine *engine)
{
	atomic_fetch_add_explicit(&engine->seam.epoch, 1, memory_order_release);
}

/* Makes RT work on what the wires are now. 0 or -ENOMEM (RT goes on as before). */
static int publish_plan(struct engine *engine)
{
	struct engine_plan *plan = calloc(1, sizeof(*plan));
	struct engine_plan *old;

	if (!plan) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < engine->n_wires; i++) {
		const struct wire *wire = engine->wires[i];
		struct wire_plan *to = &plan->wires[plan->n_wires++];

		to->ring = wire->ring;
		to->pacer = wire->pacer;
		to->threaded = wire->how.threaded;
		to->paced = wire->how.paced;
		to->burst_blocks = wire->how.burst_blocks;
		to->n_dacs = wire->n_dacs;
		memcpy(to->dacs, wire->dacs, sizeof(to->dacs));
	}
	old = atomic_exchange_explicit(&engine->seam.plan, plan, memory_order_acq_rel);
	next_epoch(engine);
	retire(engine, free, old);
	return 0;
}

int engine_new(const struct sample_kernels *kernels, struct engine **ret_engine)
{
	struct engine *engine = mem_zalloc(CACHELINE_SIZE, sizeof(*engine));
	int r;

	if (!engine) {
		return -ENOMEM;
	}
	engine->kernels = kernels;
	r = publish_plan(engine);
	if (r < 0) {
		free(engine);
		return r;
	}
	*ret_engine = engine;
	return 0;
}

void engine_free(struct engine *engine)
{
	if (!engine) {
		return;
	}
	engine->running = false;
	while (engine->n_wires > 0) {
		engine_wire_free(engine->wires[0]);
	}
	engine_collect(engine);
	free(atomic_load_explicit(&engine->seam.plan, memory_order_relaxed));
	free(engine);
}

void engine_set_running(struct engine *engine, bool running)
{
	engine->running = running;
	if (!running) {
		memset(&engine->clock, 0, sizeof(engine->clock));
		engine->last_cycle_ns = 0;
	}
	/* RT is not there to end its streams; left as they are they would go on in the middle when it is back. */
	for (unsigned w = 0; !running && w < engine->n_wires; w++) {
		for (unsigned i = 0; i < engine->wires[w]->n_dacs; i++) {
			dac_abort_rt(engine->wires[w]->dacs[i]);
		}
	}
}

int engine_wire_new(struct engine *engine, struct wire **ret_wire)
{
	struct wire *wire;

	if (engine->n_wires == ENGINE_WIRES_MAX) {
		return -ENOSPC;
	}
	wire = calloc(1, sizeof(*wire));
	if (!wire) {
		return -ENOMEM;
	}
	wire->engine = engine;
	engine->wires[engine->n_wires++] = wire;
	*ret_wire = wire;
	return 0;
}

static void free_ring(void *ring)
{
	pktring_free(ring);
}

static void free_pacer(void *pacer)
{
	pacer_free(pacer);
}

/* The pacer goes first: its thread kicks the ring. */
static void retire_ring(struct engine *engine, struct pacer *pacer, struct pktring *ring)
{
	retire(engine, free_ring, ring);
	retire(engine, free_pacer, pacer);
}

void engine_wire_free(struct wire *wire)
{
	struct engine *engine;

	if (!wire) {
		return;
	}
	engine = wire->engine;
	for (unsigned i = 0; i < engine->n_wires; i++) {
		if (engine->wires[i] == wire) {
			engine->wires[i] = engine->wires[--engine->n_wires];
			break;
		}
	}
	if (publish_plan(engine) >= 0) {
		retire_ring(engine, wire->pacer, wire->ring);
	}
	free(wire);
}

int engine_wire_set_ring(
	struct wire *wire, struct pktring *ring, const struct wire_sending *how, bool *ret_realtime)
{
	struct wire old = *wire;
	struct pacer *pacer = NULL;
	bool realtime = true;
	int r = 0;

	if (ring && (how->threaded || how->paced)) {
		r = pacer_new(ring, &wire->engine->seam.report.kick, &pacer);
		if (r >= 0 && how->priority >= 0) {
			r = pacer_start(pacer, how->priority, &realtime);
		}
	}
	if (r >= 0) {
		wire->ring = ring;
		wire->pacer = pacer;
		wire->how = ring ? *how : (struct wire_sending){0};
		r = publish_plan(wire->engine);
	}
	if (r < 0) {
		*wire = old;
		pacer_free(pacer);
		return r;
	}
	retire_ring(wire->engine, old.pacer, old.ring);
	if (ret_realtime) {
		*ret_realtime = realtime;
	}
	return 0;
}

int engine_wire_set_sending(struct wire *wire, bool threaded, unsigned burst_blocks)
{
	struct wire_sending old = wire->how;
	int r;

	if (!wire->pacer) {
		return -EINVAL;
	}
	wire->how.threaded = threaded;
	wire->how.burst_blocks = burst_blocks;
	r = publish_plan(wire->engine);
	if (r < 0) {
		wire->how = old;
	}
	return r;
}

bool engine_wire_busy(const struct wire *wire)
{
	return wire->pacer && pacer_waiting(wire->pacer) > 0;
}

int64_t engine_wire_run_pacer(struct wire *wire, int64_t now)
{
	return wire->pacer ? pacer_run_rt(wire->pacer, now) : INT64_MAX;
}

int engine_dac_new(struct engine *engine, struct dac **ret_dac)
{
	struct dac *dac = mem_zalloc(CACHELINE_SIZE, sizeof(*dac));

	if (!dac) {
		return -ENOMEM;
	}
	dac->kernels = engine->kernels;
	*ret_dac = dac;
	return 0;
}

static struct wire *wire_of(struct engine *engine, const struct dac *dac, unsigned *ret_index)
{
	for (unsigned w = 0; w < engine->n_wires; w++) {
		for (unsigned i = 0; i < engine->wires[w]->n_dacs; i++) {
			if (engine->wires[w]->dacs[i] == dac) {
				*ret_index = i;
				return engine->wires[w];
			}
		}
	}
	return NULL;
}

static void free_dac(void *object)
{
	struct dac *dac = object;

	free(atomic_load_explicit(&dac->params, memory_order_relaxed));
	free(dac);
}

void engine_dac_free(struct engine *engine, struct dac *dac)
{
	if (!dac) {
		return;
	}
	if (engine_dac_set_wire(engine, dac, NULL) >= 0) {
		retire(engine, free_dac, dac);
	}
}

int engine_dac_set_wire(struct engine *engine, struct dac *dac, struct wire *wire)
{
	unsigned index = 0;
	struct wire *old = wire_of(engine, dac, &index);

	if (old == wire) {
		return 0;
	}
	if (wire && wire->n_dacs == ENGINE_DACS_PER_WIRE) {
		return -ENOSPC;
	}
	if (old) {
		old->dacs[index] = old->dacs[--old->n_dacs];
	}
	if (wire) {
		wire->dacs[wire->n_dacs++] = dac;
	}
	return publish_plan(engine);
}

int engine_dac_set_params(struct engine *engine, struct dac *dac, const struct dac_params *params)
{
	struct dac_params *copy = malloc(sizeof(*copy));
	struct dac_params *old;

	if (!copy) {
		return -ENOMEM;
	}
	*copy = *params;
	copy->fade_frames = MAX(copy->fade_frames, 1u);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		/* Not a number is 0, too. */
		copy->volume[k] = copy->volume[k] > 0.0f ? MIN(copy->volume[k], 1.0f) : 0.0f;
	}
	old = atomic_exchange_explicit(&dac->params, copy, memory_order_acq_rel);
	next_epoch(engine);
	retire(engine, free, old);
	return 0;
}

const struct dac_report *engine_dac_report(const struct dac *dac)
{
	return &dac->report;
}

enum dac_mode engine_dac_mode(const struct dac *dac)
{
	return (enum dac_mode)atomic_load_explicit(&dac->report.mode, memory_order_acquire);
}

void engine_dac_take_peaks(struct dac *dac, float ret_peak[ETHLINK_CHANNELS])
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		uint32_t bits = atomic_exchange_explicit(&dac->report.peak[k], 0, memory_order_relaxed);

		memcpy(&ret_peak[k], &bits, sizeof(bits));
	}
}

const struct engine_report *engine_get_report(const struct engine *engine)
{
	return &engine->seam.report;
}
