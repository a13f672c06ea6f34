/*
 * The engine: takes a cycle's port buffers and puts them on the wire. It knows neither the audio server nor
 * the daemon.
 *
 * Threads: engine_process_rt() belongs to the realtime thread; everything else to the control thread, which
 * never waits for RT: what RT may still be looking at is retired and freed later (engine_collect).
 * Ownership: the engine owns its wires and DACs, a wire its ring. Pointers stay valid until *_free().
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/audio.h"
#include "dsp/sample.h"
#include "engine/seam.h"
#include "net/pktring.h"

struct engine;
struct wire; /* one interface's sending end */

/* 0 or -ENOMEM. kernels: sample_kernels_best() outside of tests. */
int engine_new(const struct sample_kernels *kernels, struct engine **ret_engine);
/* RT must not run any more. NULL is allowed. */
void engine_free(struct engine *engine);

/*
 * One cycle; data is the engine: these are a backend's callbacks. A wire's frames go by the first, the second or (see
 * wire_sending) a thread. RT safe but for one system call for each wire that has something to send, in one of the two.
 */
void engine_process_rt(void *data, const struct audio_cycle *cycle);
void engine_finish_rt(void *data);

/* The backend starts or has stopped calling engine_process_rt(); what was playing then is idle. */
void engine_set_running(struct engine *engine, bool running);
/* Frees what RT cannot be looking at any more. Call it now and then; cheap. Returns how much still waits. */
unsigned engine_collect(struct engine *engine);

/* 0, -ENOMEM, or -ENOSPC for more than ENGINE_WIRES_MAX. name: for nothing but tests and messages. */
int engine_wire_new(struct engine *engine, struct wire **ret_wire);
void engine_wire_free(struct wire *wire);
/* How a wire sends. Without threaded and paced RT does all of it. */
struct wire_sending {
	bool threaded;	       /* a thread (pacer.h) kicks, so that RT need not */
	bool paced;	       /* that thread spreads a period (policy.h) */
	unsigned burst_blocks; /* paced: so many of a period may go at once */
	int priority; /* the thread's, SCHED_FIFO; below 0: the caller runs the pacer itself (simulations) */
};

/*
 * The ring to send by, which the wire owns from now on; NULL: none, and nothing is made for its DACs (how may be NULL, too).
 * 0 or -errno, then the ring is still the caller's; *ret_realtime (may be NULL) says whether the thread, if there is one,
 * got its priority.
 */
int engine_wire_set_ring(
	struct wire *wire, struct pktring *ring, const struct wire_sending *how, bool *ret_realtime);
/*
 * Another threaded and burst_blocks for a ring that has a thread already, from the next cycle on. 0, -ENOMEM, or -EINVAL
 * where it has none (all stays as it was).
 */
int engine_wire_set_sending(struct wire *wire, bool threaded, unsigned burst_blocks);
/* Frames still wait in the pacer: a ring that is replaced now would cut them off. */
bool engine_wire_busy(const struct wire *wire);
/* Runs a pacer that has no thread; see pacer_run_rt(). INT64_MAX without a pacer. */
int64_t engine_wire_run_pacer(struct wire *wire, int64_t now_ns);

/* A DAC without a wire and with no params: nothing is sent. 0 or -ENOMEM. The owner pointer of its audio_group is the DAC. */
int engine_dac_new(struct engine *engine, struct dac **ret_dac);
void engine_dac_free(struct engine *engine, struct dac *dac);
/* The interface of this DAC; NULL: none. 0 or -ENOSPC: ENGINE_DACS_PER_WIRE are there already. */
int engine_dac_set_wire(struct engine *engine, struct dac *dac, struct wire *wire);
/* What it shall do from the next cycle on; the engine copies params. 0 or -ENOMEM (all stays as it was). */
int engine_dac_set_params(struct engine *engine, struct dac *dac, const struct dac_params *params);
const struct dac_report *engine_dac_report(const struct dac *dac);
enum dac_mode engine_dac_mode(const struct dac *dac);
/* Largest |x| of each channel since the last call. */
void engine_dac_take_peaks(struct dac *dac, float ret_peak[ETHLINK_CHANNELS]);

const struct engine_report *engine_get_report(const struct engine *engine);

#endif
