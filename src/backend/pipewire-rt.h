/*
 * What runs in PipeWire's data loop: each node copies its samples when it is its turn, and when all nodes of the
 * cycle before have had theirs again, the process callback gets them together. The server wakes them one by one.
 * One that does not come, because what plays into it is late, holds up the others until the next cycle begins, and is
 * not waited for any more then: no worse than under JACK, where all wait for all. When it comes again, it is waited for
 * from the next cycle on, and of this one, if the others were not late, its samples are lost.
 *
 * Why a copy: once a node has been processed, the graph may write into its buffers again, at the latest when the next
 * cycle begins; if this thread was held up in between, that is too early for the callback. Why together: frames of several
 * boxes are sent in turns and with one kick.
 *
 * Ownership: control owns nodes. What the data loop looks at is changed by it alone (pw_loop_invoke) or while
 * the node is not processed.
 */
#ifndef BACKEND_PIPEWIRE_RT_H
#define BACKEND_PIPEWIRE_RT_H

#include "backend/backend.h"
#include "base/util.h"

#include <spa/node/io.h>
#include <spa/node/node.h>
#include <stdatomic.h>

#define PWRT_NODES_MAX 64
#define PWRT_BUFFERS_MAX 32

struct pwrt_port {
	struct spa_io_buffers *io; /* NULL: not linked */
	unsigned n_buffers;
	struct spa_buffer *buffers[PWRT_BUFFERS_MAX];
	uint32_t free; /* outputs: bits of buffers that nobody reads */
};

struct pwrt_node {
	struct pwrt *rt;
	struct audio_group audio;
	struct spa_io_position *position; /* the driver's; NULL: it has none */
	struct pwrt_port in[AUDIO_CHANNELS];
	struct pwrt_port out[AUDIO_CHANNELS]; /* monitors */
	bool monitor;
	uint64_t seen; /* in which cycle it had its turn last */
	float *copy;   /* AUDIO_CHANNELS times AUDIO_PERIOD_MAX */
};

struct pwrt {
	struct backend_callbacks callbacks;
	_Atomic bool run; /* control: the callback may be called */

	/* The data loop's: the cycle of which nodes are being gathered, or were last. */
	struct pwrt_node *nodes[PWRT_NODES_MAX];
	struct audio_group *groups[PWRT_NODES_MAX];
	unsigned n_nodes;
	uint64_t cycle;	    /* its number, from 1 */
	unsigned n_seen;    /* nodes that had their turn in this cycle */
	unsigned n_missing; /* that had it in the cycle before, and not yet in this one */
	uint32_t driver;
	uint64_t cycle_nsec; /* the driver's time of it: together they name a cycle */
	uint32_t frames;
	uint32_t rate_hz;
	int64_t begin_ns;
	bool freewheeling;
	bool called; /* the callback has been called in this cycle */

	/* Written by the data loop. */
	CACHELINE_ALIGNED _Atomic uint32_t now_frames;
	_Atomic uint32_t now_rate_hz;
	_Atomic uint32_t xruns;
	_Atomic bool freewheel;
	_Atomic uint64_t begun; /* callbacks */
	_Atomic uint64_t ended;
};

/* A node's turn: of spa_node_methods.process. Returns SPA_STATUS_… */
int pwrt_node_process_rt(struct pwrt_node *node);
/* The loop is about to sleep: calls the callback if all that are expected have had their turn. */
void pwrt_flush_rt(struct pwrt *rt);
/* In the data loop: this node is not looked at any more. */
void pwrt_forget_rt(struct pwrt *rt, struct pwrt_node *node);

#endif
