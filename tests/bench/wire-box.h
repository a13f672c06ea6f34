/*
 * What one box sees of its stream, from the times at which its frames arrived: where the stream began, whether a queue that
 * plays a block each 8 sample frames would have run dry, and how long after the callback each period's frames came.
 *
 * Ownership: the caller's; wire_box_init() to wire_box_fini(). One thread. Times are CLOCK_REALTIME.
 */
#ifndef BENCH_WIRE_BOX_H
#define BENCH_WIRE_BOX_H

#include "callback-starts.h"
#include "histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame that none follows for so long was a probe, and no stream. */
#define WIRE_BOX_PAUSE_NS 10000000LL

struct wire_box {
	uint16_t serial;
	uint32_t rate_hz;

	/* Since the box was there. */
	int64_t first_ns;  /* its first frame; 0: none yet */
	int64_t stream_ns; /* the first frame of the stream; 0: none yet */
	int64_t newest_ns;
	uint64_t blocks_due; /* of the queue, since stream_ns: what should have been played */
	int64_t level;	     /* blocks in the queue */

	/* While counting. */
	bool counting;
	uint64_t frames;
	uint64_t dry;  /* blocks that were not there when they should have been played */
	uint64_t full; /* blocks that the queue had no room for */
	int64_t level_min, level_max;

	bool keep; /* the times of frames; before the first one comes */
	int64_t *kept_ns;
	size_t n_kept, kept_size;
};

/* One box's frames, callback by callback. */
struct wire_groups {
	struct histogram first, last; /* from the start of the callback */
	uint64_t irregular;	      /* callbacks with more or fewer frames than a period has */
	int64_t *last_ns;	      /* of each callback, or 0; as many as there are starts */
};

void wire_box_init(struct wire_box *b, uint16_t serial, uint32_t rate_hz, bool keep);
void wire_box_fini(struct wire_box *b);
/* 0 or -ENOMEM. */
int wire_box_frame(struct wire_box *b, int64_t t_ns);
/* Counts from now on; the queue is what it is. */
void wire_box_begin(struct wire_box *b);
void wire_box_stop(struct wire_box *b);

/*
 * Which frames belong to which callback: a period has `blocks` of them, in order. ret_groups is zeroed, but for last_ns.
 * False where no callback can be found that all began with.
 */
bool wire_box_group(const struct wire_box *b, const struct callback_starts *starts, size_t n_starts,
	unsigned blocks, struct wire_groups *ret_groups);

#endif
