/*
 * The seam between the control thread and the realtime thread. Everything that goes back or forth between
 * the two is in this file: what control publishes, what RT reports, and when something old may be freed.
 *
 * Publishing: control stores a pointer to a block that never changes again; RT loads it once a cycle. RT
 * says at the end of each cycle which epoch it had seen at its beginning; what was replaced in an epoch is
 * freed once RT has ended a cycle that began in it, or while RT does not run.
 */
#ifndef ENGINE_SEAM_H
#define ENGINE_SEAM_H

#include "base/audio.h"
#include "base/hist.h"
#include "base/spsc.h"
#include "base/util.h"
#include "proto/ethlink.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Twice what a configuration can have: while one replaces another, devices of both are there. */
#define ENGINE_WIRES_MAX 64
#define ENGINE_DACS_PER_WIRE 64

struct pktring;
struct dac;

/*
 * What a stream is made for. It lasts from start to stop: a cycle of another rate or period, and params with
 * another format, make RT fade out and start anew.
 */
struct dac_format {
	uint32_t rate_hz;
	uint32_t period_frames;
	uint32_t lead_blocks; /* blocks of silence ahead of the audio */
	uint32_t paced;	      /* not 0: a pacer spreads what is sent (policy.h) */
	uint32_t varying;     /* not 0: cycles of any length up to period_frames; lead_blocks is 0 here */
};

/* What a DAC is to do. Published by control, never changed afterwards. */
struct dac_params {
	bool run; /* stream; else fade out and be silent */
	struct dac_format format;
	uint32_t fade_frames; /* length of fades, at least 1 */
	uint32_t
		lead_blocks; /* varying formats: the cushion that is wanted now; changed while all is silent */
	float volume[ETHLINK_CHANNELS]; /* factor of each channel's samples, 0..1 */
	int64_t not_before_ns; /* no start before (CLOCK_MONOTONIC): a probe may still be in the box */
	uint8_t header[ETHLINK_HEADER_LEN]; /* template: addresses, magic, rate, depth, gains */
	uint8_t gain[ETHLINK_CHANNELS];	    /* where the gains are to go, one channel at a time */
};

enum dac_mode {
	DAC_IDLE,     /* nothing is sent */
	DAC_RUNNING,  /* audio, fading in at first */
	DAC_STOPPING, /* fading out, then a little silence */
};

/* Written by RT, read by control; relaxed. */
struct dac_report {
	_Atomic uint64_t frames_sent;	  /* frames put into the ring */
	_Atomic uint64_t drops_ring_full; /* no free slot */
	_Atomic uint64_t drops_interface; /* the kernel refused them */
	_Atomic uint64_t resyncs;	  /* silence inserted after lost cycles */
	_Atomic uint64_t starts;	  /* times the stream was started */
	_Atomic uint32_t cushion_frames;  /* varying formats: what stands in the box when a cycle begins */
	_Atomic uint64_t gain_now;	  /* the eight gain bytes that frames carry, channel 1 lowest */
	_Atomic uint32_t mode;		  /* enum dac_mode */
	_Atomic uint64_t clips[ETHLINK_CHANNELS]; /* cycles with a sample above full scale */
	_Atomic uint32_t peak[ETHLINK_CHANNELS];  /* bits of a float: largest |x| since control took it */
};

/* One interface's part of the plan. */
struct wire_plan {
	struct pktring *ring;
	struct pacer *pacer;   /* NULL: RT kicks */
	bool threaded;	       /* the pacer sends in any case, so that RT need not */
	bool paced;	       /* the pacer spreads a period */
	unsigned burst_blocks; /* paced: blocks a box takes at once */
	unsigned n_dacs;
	struct dac *dacs[ENGINE_DACS_PER_WIRE];
};

/* All that RT works on. Published by control, never changed afterwards. */
struct engine_plan {
	unsigned n_wires;
	struct wire_plan wires[ENGINE_WIRES_MAX];
};

/* Written by whoever kicks: RT, and the threads of pacers. */
struct kick_report {
	_Atomic uint64_t kicks;
	_Atomic uint64_t errors;
	_Atomic uint32_t last_error; /* positive errno */
	struct hist at; /* from when it was due, mostly the start of the callback, to the end of a kick, ns */
	struct hist took; /* a kick, ns */
};

struct engine_report {
	_Atomic uint64_t cycles;
	struct hist gaps; /* from callback to callback, ns */
	CACHELINE_ALIGNED struct kick_report kick;
};

struct seam {
	CACHELINE_ALIGNED _Atomic(struct engine_plan *) plan; /* control writes */
	_Atomic uint64_t epoch;				      /* control writes */
	CACHELINE_ALIGNED _Atomic uint64_t epoch_seen;	      /* RT writes */
	struct engine_report report;			      /* RT writes */
};

/* Adds to a counter that RT alone writes. RT safe. */
static inline void seam_count_rt(_Atomic uint64_t *counter, uint64_t n)
{
	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

#endif
