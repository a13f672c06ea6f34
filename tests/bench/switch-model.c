#include "switch-model.h"

#include "base/util.h"
#include "engine/policy.h"
#include "proto/ethlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is left of a period when the next one begins shows in the second; the others prove that it stays so. */
#define PERIODS 4
/* As the engine's: rows that the pacer releases together are about a millisecond's worth. */
#define CHUNKS_PER_SEC 1000

struct frame {
	int64_t at_ns; /* handed over, then: all of it is there */
	unsigned box;
	unsigned block; /* of its period */
};

struct run {
	const struct switch_case *c;
	unsigned blocks;     /* of a box in a period */
	unsigned n;	     /* frames of a period */
	unsigned burst_rows; /* that go at the start of a period */
	unsigned chunk_rows; /* and with each chunk after that */
	struct frame *frames;
	int64_t link_free_ns;
	int64_t port_free_ns[SWITCH_STAGES][SWITCH_BOXES_MAX];
	uint64_t random;
};

const char *switch_order_name(enum switch_order order)
{
	static const char *const names[SWITCH_ORDERS] = {
		[SWITCH_BLOCKS] = "block by block",
		[SWITCH_BOXES] = "box by box",
		[SWITCH_RANDOM] = "random",
		[SWITCH_PACED] = "paced",
		[SWITCH_DAEMON] = "ethlinkd",
	};

	return names[order];
}

static int64_t wire_ns(int64_t bps)
{
	return SWITCH_WIRE_BYTES * 8 * NSEC_PER_SEC / bps;
}

static int64_t blocks_ns(const struct run *run, unsigned blocks)
{
	return (int64_t)blocks * ETHLINK_BLOCK_FRAMES * NSEC_PER_SEC / run->c->rate_hz;
}

static double load_percent(unsigned boxes, uint32_t rate_hz, int64_t bps)
{
	return 100.0 * boxes * rate_hz / ETHLINK_BLOCK_FRAMES * SWITCH_WIRE_BYTES * 8 / (double)bps;
}

/* The boxes, each as often as it has blocks, one after the other or shuffled. */
static void order_boxes(struct run *run, bool shuffled)
{
	for (unsigned i = 0; i < run->n; i++) {
		run->frames[i].box = i / run->blocks;
	}
	for (unsigned i = run->n - 1; shuffled && i > 0; i--) {
		unsigned box = run->frames[i].box, other;

		/* xorshift */
		run->random ^= run->random << 13;
		run->random ^= run->random >> 7;
		run->random ^= run->random << 17;
		other = (unsigned)(run->random % (i + 1));
		run->frames[i].box = run->frames[other].box;
		run->frames[other].box = box;
	}
}

static void order_blocks(struct run *run)
{
	for (unsigned i = 0; i < run->n; i++) {
		run->frames[i].box = i % run->c->boxes;
	}
}

/* When the rows of a paced period are due: the burst at once, each chunk when as many blocks have been played. */
static int64_t due_ns(const struct run *run, unsigned row)
{
	unsigned chunk = row < run->burst_rows ? 0 : (row - run->burst_rows) / run->chunk_rows + 1;

	return blocks_ns(run, chunk * run->chunk_rows);
}

/* The frames of a period in the order in which the host sends them, with the time at which each has left it. */
static void send_period(struct run *run, int64_t start_ns)
{
	unsigned sent[SWITCH_BOXES_MAX] = {0};
	int64_t handed_ns = start_ns;

	if (run->c->order == SWITCH_BOXES || run->c->order == SWITCH_RANDOM) {
		order_boxes(run, run->c->order == SWITCH_RANDOM);
	} else {
		order_blocks(run);
	}
	for (unsigned i = 0; i < run->n; i++) {
		struct frame *f = &run->frames[i];

		f->block = sent[f->box]++;
		handed_ns = MAX(handed_ns, start_ns + due_ns(run, i / run->c->boxes));
		run->link_free_ns = MAX(run->link_free_ns, handed_ns) + wire_ns(SWITCH_HOST_BPS);
		f->at_ns = run->link_free_ns;
		handed_ns += run->c->handing_ns;
	}
}

static unsigned frames_in(int64_t free_ns, int64_t now_ns, int64_t frame_ns)
{
	return free_ns > now_ns ? (unsigned)((free_ns - now_ns + frame_ns - 1) / frame_ns) : 0;
}

/* One switch: of each frame the time at which it has left it, and how deep that makes the queues. */
static void pass_switch(struct run *run, unsigned stage, bool one_port, struct switch_depth *depth)
{
	int64_t frame_ns = wire_ns(SWITCH_BOX_BPS);
	unsigned ports = one_port ? 1 : run->c->boxes;
	int64_t *free_ns = run->port_free_ns[stage];

	for (unsigned i = 0; i < run->n; i++) {
		struct frame *f = &run->frames[i];
		unsigned port = one_port ? 0 : f->box;
		unsigned all = 1;

		for (unsigned p = 0; p < ports; p++) {
			all += frames_in(free_ns[p], f->at_ns, frame_ns);
		}
		depth->all = MAX(depth->all, all);
		depth->port = MAX(depth->port, frames_in(free_ns[port], f->at_ns, frame_ns) + 1);
		free_ns[port] = MAX(free_ns[port], f->at_ns) + frame_ns;
		f->at_ns = free_ns[port];
	}
}

static void take_times(const struct run *run, int64_t start_ns, struct switch_result *result)
{
	int64_t first_done_ns = INT64_MAX;

	for (unsigned i = 0; i < run->n; i++) {
		const struct frame *f = &run->frames[i];
		int64_t at_ns = f->at_ns - start_ns;

		result->cushion_ns = MAX(result->cushion_ns, at_ns - blocks_ns(run, f->block));
		result->all_done_ns = MAX(result->all_done_ns, at_ns);
		if (f->block == 0) {
			result->begun_ns = MAX(result->begun_ns, at_ns);
		}
		if (f->block == run->blocks - 1) {
			first_done_ns = MIN(first_done_ns, at_ns);
		}
	}
	result->first_done_ns = MAX(result->first_done_ns, first_done_ns);
}

static void choose_pace(struct run *run, const struct policy *policy)
{
	run->chunk_rows = MAX(run->c->rate_hz / ETHLINK_BLOCK_FRAMES / CHUNKS_PER_SEC, 1u);
	run->burst_rows = run->blocks;
	if (run->c->order == SWITCH_PACED) {
		run->burst_rows = run->chunk_rows;
	} else if (run->c->order == SWITCH_DAEMON && policy->paced) {
		run->burst_rows = MAX(policy->burst_blocks, 1u);
	}
}

int switch_simulate(const struct switch_case *c, struct switch_result *ret_result)
{
	struct run run = {.c = c, .random = 0x9e3779b97f4a7c15u};
	struct policy policy;
	int r = policy_make(c->period_frames, c->rate_hz, POLICY_LATENCY_AUTO, &policy);

	if (r < 0 || c->boxes < 1 || c->boxes > SWITCH_BOXES_MAX ||
		c->period_frames % ETHLINK_BLOCK_FRAMES != 0 || (unsigned)c->order >= SWITCH_ORDERS) {
		return -EINVAL;
	}
	*ret_result = (struct switch_result){0};
	ret_result->load_percent =
		load_percent(c->boxes, c->rate_hz, c->uplink ? SWITCH_BOX_BPS : SWITCH_HOST_BPS);
	ret_result->fits = ret_result->load_percent <= 100;
	if (!ret_result->fits) {
		return 0;
	}
	run.blocks = c->period_frames / ETHLINK_BLOCK_FRAMES;
	run.n = run.blocks * c->boxes;
	choose_pace(&run, &policy);
	run.frames = calloc(run.n, sizeof(run.frames[0]));
	if (!run.frames) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < PERIODS; i++) {
		int64_t start_ns = blocks_ns(&run, i * run.blocks);

		send_period(&run, start_ns);
		pass_switch(&run, 0, c->uplink, &ret_result->depth[0]);
		if (c->uplink) {
			pass_switch(&run, 1, false, &ret_result->depth[1]);
		}
		take_times(&run, start_ns, ret_result);
	}
	free(run.frames);
	return 0;
}
