/*
 * What runs in PipeWire's data loop: each node copies its samples when it is its turn, and when all nodes of the
 * cycle before have had theirs again, the process callback gets them together. The server wakes them one by one.
 * One that does not come, because what plays into it is late, holds up the others until the next cycle begins, and is
 * not waited for any more then: no worse than under JACK, where all wait for all. When it comes again, it is waited for
 * from the next cycle on, and of this one, if the others were not late, its samples are lost.
 *
 * An insert's node is not gathered: its callback comes in its own turn, so that what it gives out reaches the nodes behind
 * it, ours among them, in the same cycle (pipewire-insert-rt.c).
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

#include <pipewire/version.h>
#include <spa/node/io.h>
#include <spa/node/node.h>
#include <stdatomic.h>

#define PWRT_NODES_MAX 128 /* devices and inserts, and what goes while others come */
#define PWRT_BUFFERS_MAX 32

struct pwrt_port {
	struct spa_io_buffers *io; /* NULL: not linked */
	unsigned n_buffers;
	struct spa_buffer *buffers[PWRT_BUFFERS_MAX];
	uint32_t free; /* outputs: bits of buffers that nobody reads */
};

/*
 * What MIDI ports offer and give: words (UMP) from PipeWire 1.4 on, whose own graph is of those; bytes before that, which
 * knows nothing else. What comes in is understood either way. PWRT_CONTROL_UMP is SPA_CONTROL_UMP, which older headers lack.
 */
#ifndef PWRT_GIVES_UMP
#define PWRT_GIVES_UMP PW_CHECK_VERSION(1, 4, 0)
#endif
#define PWRT_CONTROL_UMP 4

/* In an insert's node the ports of this number carry MIDI; those before, audio. */
#define PWRT_MIDI AUDIO_INSERT_CHANNELS

struct pwrt_insert {
	uint64_t cycle; /* in which it had its turn last */
	struct audio_insert audio;
	float copy[AUDIO_INSERT_CHANNELS][AUDIO_PERIOD_MAX];
};

struct pwrt_node {
	struct pwrt *rt;
	struct pwrt_insert
		*insert; /* NULL: a device's; otherwise of what is below only position and ports count */
	struct audio_group audio;
	struct spa_io_position *position; /* the driver's; NULL: it has none */
	struct pwrt_port in[AUDIO_CHANNELS];
	struct pwrt_port out[AUDIO_CHANNELS]; /* monitors, or an insert's */
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

/* A buffer to be filled and given away. */
struct pwrt_output {
	uint32_t id;
	struct spa_data *data;
};

/* A node's turn: of spa_node_methods.process. Returns SPA_STATUS_… */
int pwrt_node_process_rt(struct pwrt_node *node);
/* The loop is about to sleep: calls the callback if all that are expected have had their turn. */
void pwrt_flush_rt(struct pwrt *rt);
/* In the data loop: this node is not looked at any more. */
void pwrt_forget_rt(struct pwrt *rt, struct pwrt_node *node);

/* --- for inserts --- */
/* A node's turn begins, and with it perhaps a cycle. False: the node has no driver. */
bool pwrt_enter_rt(struct pwrt *rt, const struct spa_io_position *position);
/* What came in this cycle, up to ret_size bytes, which others may change any time. NULL: nothing. */
const void *pwrt_input_rt(struct pwrt_port *port, uint32_t *ret_size);
/* This cycle's samples of a port, copied; NULL: silence. */
const float *pwrt_samples_rt(struct pwrt_port *port, float *copy, uint32_t frames);
/* Where to write data->maxsize bytes for whoever listens; NULL: nobody does. Then pwrt_give_rt(), or nothing. */
void *pwrt_output_rt(struct pwrt_port *port, struct pwrt_output *ret_output);
void pwrt_give_rt(
	struct pwrt_port *port, const struct pwrt_output *output, uint32_t size, int32_t stride, bool empty);

/* --- pipewire-insert-rt.c --- */
/* An insert's turn, in which it is called. Returns SPA_STATUS_… */
int pwrt_insert_process_rt(struct pwrt_node *node);

#endif
