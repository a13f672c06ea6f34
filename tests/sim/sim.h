/*
 * A whole installation without hardware, network or clock: null backend, engine, in-memory ring, virtual
 * boxes. Time is a number. The part of the daemon that gives orders is played by sim_configure() and the
 * tests themselves.
 */
#ifndef TESTS_SIM_H
#define TESTS_SIM_H

#include "backend/backend.h"
#include "emu/box.h"
#include "engine/engine.h"
#include "engine/policy.h"

#define SIM_BOXES_MAX 32
#define SIM_FRAME_NS 2752 /* 320 + 24 bytes at 1 Gbit/s */

struct sim;

struct sim_box {
	struct sim *sim;
	struct box *box;
	struct dac *dac;
	struct backend_group *group;
	struct dac_params params;
	float *in[AUDIO_CHANNELS];
	/* What was played, for tests that look at more than counters. */
	void (*on_block)(struct sim_box *sb, int64_t t_ns, const struct box_block *block);
	void *user;
	int64_t last_gain_ns; /* arrival of the last frame that changed a gain */
	int64_t gain_gap_min_ns;
	unsigned gain_steps_max; /* most channels changed by one frame */
	uint8_t gain[ETHLINK_CHANNELS];
	bool gain_known;
	uint64_t frames;
};

struct sim {
	struct engine *engine;
	struct backend *backend;
	struct wire *wire;
	struct pktring *ring;
	struct sim_box boxes[SIM_BOXES_MAX];
	unsigned n_boxes;
	uint32_t rate_hz, period;
	struct policy policy;
	int64_t now_ns; /* time of what happens now */
	uint64_t cycle_frames;
	int64_t origin_ns;
	int64_t wire_free_ns;  /* when our 1 Gbit/s link is free */
	int64_t late_ns;       /* added to the next cycle's start: jitter */
	unsigned order_errors; /* frames out of the block-by-block order over the boxes */
	unsigned last_box;
	bool varying;	   /* cycles say that the next one may have another length */
	uint32_t absent;   /* bits of boxes that cycles pass by */
	bool follow;	   /* the daemon's part is played: params follow the length 50 ms later */
	int64_t follow_ns; /* when it looks again */
	uint32_t followed; /* the length that params were made for */
	bool threaded;	  /* the pacer sends in any case */
	bool pacer_sleeps; /* the pacer takes a moment to wake up, and is not there by magic when there is something to do */
	bool pacer_hangs;   /* it never looks */
	int64_t pacer_ns;   /* when it looks next */
	unsigned kicks_max; /* most kicks by the callback in one cycle */
	/* Before each cycle: may set the length, late_ns and origin_ns. */
	void (*plan)(struct sim *sim);
	/* The graph: fills n frames of one box's inputs for a cycle. */
	void (*source)(struct sim *sim, struct sim_box *sb, uint32_t frames);
	void *user;
};

/* n boxes with these ppm (NULL: 0) joined to one interface; nothing plays yet. */
struct sim *sim_new(unsigned n_boxes, uint32_t rate_hz, uint32_t period, const double *ppm);
void sim_free(struct sim *sim);
/* Another rate or period from now on, as the server announces it; then what the daemon does about it. */
void sim_set_format(struct sim *sim, uint32_t rate_hz, uint32_t period);
/* The same, but the next cycle begins at once, in the middle of the period that has begun. */
void sim_set_format_now(struct sim *sim, uint32_t rate_hz, uint32_t period);
/* Where periods vary: the length of the next cycles. */
void sim_set_length(struct sim *sim, uint32_t frames);
/* Policy, ring and params for the present format; all boxes get a header with the settings; run or not. */
void sim_configure(struct sim *sim, int latency_frames, bool run);
/* A larger ring in place of the one that is there, while all goes on. */
void sim_swap_ring(struct sim *sim);
/* New params for the present period in the same ring, as where the daemon is faster than the next cycle. */
void sim_reconfigure(struct sim *sim, int latency_frames);
void sim_run_dac(struct sim *sim, struct sim_box *sb, bool run);
/* When the next cycle begins if it is on time. */
int64_t sim_next_ns(const struct sim *sim);
/* Lets boxes and pacer live until then, no later than the next cycle. */
void sim_advance(struct sim *sim, int64_t t_ns);
/* One cycle; cycles for this many nanoseconds. */
void sim_cycle(struct sim *sim);
void sim_run(struct sim *sim, int64_t ns);
/* No cycle comes for so long; boxes and pacer go on. */
void sim_stand_still(struct sim *sim, int64_t ns);
/* Lets the boxes live up to now. */
void sim_settle(struct sim *sim);
struct box_status sim_status(struct sim *sim, unsigned box);

#endif
