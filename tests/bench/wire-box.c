#include "wire-box.h"

#include "base/util.h"
#include "proto/ethlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* After so many callbacks all frames should have come in time again. */
#define LATE_CALLBACKS 16
#define KEPT_FIRST (1u << 16)

void wire_box_init(struct wire_box *b, uint16_t serial, uint32_t rate_hz, bool keep)
{
	memset(b, 0, sizeof(*b));
	b->serial = serial;
	b->rate_hz = rate_hz;
	b->keep = keep;
}

void wire_box_fini(struct wire_box *b)
{
	free(b->kept_ns);
	b->kept_ns = NULL;
}

static int keep(struct wire_box *b, int64_t t_ns)
{
	if (b->n_kept == b->kept_size) {
		size_t size = MAX(2 * b->kept_size, KEPT_FIRST);
		int64_t *more = realloc(b->kept_ns, size * sizeof(*more));

		if (!more) {
			return -ENOMEM;
		}
		b->kept_ns = more;
		b->kept_size = size;
	}
	b->kept_ns[b->n_kept++] = t_ns;
	return 0;
}

/* What the box has played by then; a block that was not there is silence, and the next one is played a block later. */
static void play_until(struct wire_box *b, int64_t t_ns)
{
	uint64_t due = (uint64_t)(t_ns - b->stream_ns) * b->rate_hz / (ETHLINK_BLOCK_FRAMES * NSEC_PER_SEC);
	int64_t blocks = (int64_t)(due - b->blocks_due);
	int64_t played = MIN(blocks, b->level);

	b->blocks_due = due;
	b->level -= played;
	if (b->counting) {
		b->dry += (uint64_t)(blocks - played);
		b->level_min = MIN(b->level_min, b->level);
	}
}

int wire_box_frame(struct wire_box *b, int64_t t_ns)
{
	if (b->first_ns == 0) {
		b->first_ns = t_ns;
	} else if (b->stream_ns == 0 && t_ns - b->newest_ns < WIRE_BOX_PAUSE_NS) {
		b->stream_ns = b->newest_ns;
		b->level = 1;
	}
	b->newest_ns = t_ns;
	if (b->stream_ns != 0 && t_ns >= b->stream_ns) {
		play_until(b, t_ns);
		if (b->level < ETHLINK_DEPTH_MAX) {
			b->level++;
		} else if (b->counting) {
			b->full++;
		}
		b->level_max = MAX(b->level_max, b->level);
	}
	b->frames += b->counting;
	return b->keep ? keep(b, t_ns) : 0;
}

void wire_box_begin(struct wire_box *b)
{
	b->counting = true;
	b->frames = b->dry = b->full = 0;
	b->level_min = b->level_max = b->level;
}

void wire_box_stop(struct wire_box *b)
{
	b->counting = false;
}

/* The first frame from `at` on that came at t_ns or later. */
static size_t frame_from(const struct wire_box *b, size_t at, int64_t t_ns)
{
	while (at < b->n_kept && b->kept_ns[at] < t_ns) {
		at++;
	}
	return at;
}

/* The first callback after which, until the next one, a period's frames came, and so after that; *ret_at is the first of them. */
static size_t find_begin(const struct wire_box *b, const struct callback_starts *starts, size_t n_starts,
	unsigned blocks, size_t from, size_t *ret_at)
{
	for (size_t c = from; c + 2 < n_starts; c++) {
		size_t at = frame_from(b, *ret_at, starts->at_ns[c]);
		size_t next = frame_from(b, at, starts->at_ns[c + 1]);

		*ret_at = at;
		if (next - at == blocks && frame_from(b, next, starts->at_ns[c + 2]) - next == blocks) {
			return c;
		}
	}
	return n_starts;
}

static void add_group(struct wire_groups *groups, const struct callback_starts *starts, size_t c,
	const int64_t *frames_ns, unsigned blocks)
{
	int64_t start_ns = starts->at_ns[c];

	histogram_add_rt(&groups->first, (uint64_t)MAX(frames_ns[0] - start_ns, 0));
	histogram_add_rt(&groups->last, (uint64_t)MAX(frames_ns[blocks - 1] - start_ns, 0));
	groups->last_ns[c] = frames_ns[blocks - 1];
}

/*
 * The frames from `at` on are taken to be callback c's and those after it. True where some of the next callbacks has its
 * frames, and no others, before the one after it begins: so what came late was only late. Where frames are missing, that
 * does not happen again.
 */
static bool settles(const struct wire_box *b, const struct callback_starts *starts, size_t n_starts,
	unsigned blocks, size_t c, size_t at)
{
	for (size_t k = c; k < c + LATE_CALLBACKS && k + 1 < n_starts && at + blocks <= b->n_kept;
		k++, at += blocks) {
		if (b->kept_ns[at] < starts->at_ns[k]) {
			return false;
		}
		if (b->kept_ns[at + blocks - 1] < starts->at_ns[k + 1]) {
			return true;
		}
	}
	return false;
}

/*
 * Frames may come after the next callback has begun, so it is by their number that they are one period's. What does not
 * fit that (silence that was put in after an xrun, frames that are missing) is left out, and counted.
 */
bool wire_box_group(const struct wire_box *b, const struct callback_starts *starts, size_t n_starts,
	unsigned blocks, struct wire_groups *ret_groups)
{
	size_t at = 0;
	size_t c = find_begin(b, starts, n_starts, blocks, 1, &at);
	bool found = c < n_starts;

	/* The last callback's frames may not all be there. */
	while (c + 1 < n_starts && at + blocks <= b->n_kept) {
		size_t before = c;

		if (settles(b, starts, n_starts, blocks, c, at)) {
			add_group(ret_groups, starts, c++, b->kept_ns + at, blocks);
			at += blocks;
			continue;
		}
		c = find_begin(b, starts, n_starts, blocks, c, &at);
		ret_groups->irregular += MAX(c - before, 1u);
	}
	return found;
}
