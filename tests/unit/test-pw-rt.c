/* The data loop's part of the PipeWire backend, with made-up buffers and clocks: what reaches the callback, and when. */
#include "backend/pipewire-rt.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define NODES 8
#define BUFFERS 3
#define CALLS_MAX 8
#define CYCLES 20000
#define DRIVER 31

struct fake_port {
	struct spa_io_buffers io;
	struct spa_buffer buffers[BUFFERS];
	struct spa_data datas[BUFFERS];
	struct spa_chunk chunks[BUFFERS];
	float samples[BUFFERS][AUDIO_PERIOD_MAX];
};

struct fake_node {
	struct pwrt_node node;
	struct fake_port in[AUDIO_CHANNELS];
	struct fake_port out[AUDIO_CHANNELS];
};

/* What a callback was given. */
struct call {
	struct audio_cycle cycle;
	unsigned nodes;		  /* bits */
	unsigned cycles[NODES];	  /* of which cycle each node's samples were */
	unsigned silent[NODES];	  /* bits of channels that had none */
	const float *in[NODES];	  /* channel 1 */
	float last_sample[NODES]; /* of channel 1 */
};

struct rig {
	struct pwrt rt;
	struct spa_io_position position;
	struct fake_node *nodes;
	unsigned n_calls;
	struct call calls[CALLS_MAX];
	unsigned at; /* the cycle that the clock is in */
};

/* Exact in a float, and no other node, channel, place or (for a long time) cycle has it. */
static float sample_of(unsigned node, unsigned channel, unsigned cycle, unsigned i)
{
	return (float)((cycle % 8192 * 8 + node) * 8 + channel) + (float)(i % 16) / 32;
}

static unsigned cycle_of(float sample)
{
	return (unsigned)sample / 64;
}

static void on_process_rt(void *data, const struct audio_cycle *cycle)
{
	struct rig *rig = data;
	struct call *call = &rig->calls[rig->n_calls++];

	assert_true(rig->n_calls <= CALLS_MAX);
	memset(call, 0, sizeof(*call));
	call->cycle = *cycle;
	for (unsigned g = 0; g < cycle->n_groups; g++) {
		const struct audio_group *group = cycle->groups[g];
		unsigned n = (unsigned)((struct fake_node *)group->owner - rig->nodes);

		assert_true(n < NODES);
		assert_int_equal(call->nodes & 1u << n, 0);
		call->nodes |= 1u << n;
		call->in[n] = group->in[0];
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			call->silent[n] |= group->in[k] ? 0 : 1u << k;
		}
		if (group->in[0]) {
			call->cycles[n] = cycle_of(group->in[0][0]);
			call->last_sample[n] = group->in[0][cycle->frames - 1];
		}
		for (unsigned k = 0; k < AUDIO_CHANNELS && call->silent[n] == 0; k++) {
			for (unsigned i = 0; i < cycle->frames; i++) {
				assert_float_equal(group->in[k][i], sample_of(n, k, call->cycles[n], i), 0);
			}
		}
	}
}

static void init_port(struct fake_port *fake, struct pwrt_port *port)
{
	fake->io.status = SPA_STATUS_NEED_DATA;
	fake->io.buffer_id = SPA_ID_INVALID;
	for (unsigned i = 0; i < BUFFERS; i++) {
		fake->datas[i].data = fake->samples[i];
		fake->datas[i].maxsize = sizeof(fake->samples[i]);
		fake->datas[i].chunk = &fake->chunks[i];
		fake->buffers[i].n_datas = 1;
		fake->buffers[i].datas = &fake->datas[i];
		port->buffers[i] = &fake->buffers[i];
	}
	port->n_buffers = BUFFERS;
	port->free = (1u << BUFFERS) - 1;
	port->io = &fake->io;
}

static int setup(void **state)
{
	struct rig *rig = aligned_alloc(CACHELINE_SIZE, sizeof(*rig));

	assert_non_null(rig);
	memset(rig, 0, sizeof(*rig));
	rig->nodes = calloc(NODES, sizeof(*rig->nodes));
	assert_non_null(rig->nodes);
	rig->rt.callbacks.process_rt = on_process_rt;
	rig->rt.callbacks.data = rig;
	rig->rt.cycle = 1;
	atomic_store(&rig->rt.run, true);
	rig->position.clock.id = DRIVER;
	rig->position.clock.rate = SPA_FRACTION(1, 48000);
	rig->position.clock.duration = 64;
	rig->position.clock.nsec = 1000 * NSEC_PER_SEC;
	for (unsigned n = 0; n < NODES; n++) {
		struct fake_node *fake = &rig->nodes[n];

		fake->node.rt = &rig->rt;
		fake->node.audio.owner = fake;
		fake->node.position = &rig->position;
		fake->node.copy = malloc(sizeof(float) * AUDIO_CHANNELS * AUDIO_PERIOD_MAX);
		assert_non_null(fake->node.copy);
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			init_port(&fake->in[k], &fake->node.in[k]);
			init_port(&fake->out[k], &fake->node.out[k]);
		}
	}
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	for (unsigned n = 0; n < NODES; n++) {
		free(rig->nodes[n].node.copy);
	}
	free(rig->nodes);
	free(rig);
	return 0;
}

static uint64_t period_nsec(const struct rig *rig)
{
	return rig->position.clock.duration * NSEC_PER_SEC / rig->position.clock.rate.denom;
}

/* The clock goes on to the next cycle, which comes late_nsec later than it should. */
static void tick(struct rig *rig, int64_t late_nsec)
{
	rig->position.clock.nsec += period_nsec(rig) + (uint64_t)late_nsec;
	rig->at++;
}

/* One buffer of a port as it is handed over. */
static void fill(struct rig *rig, unsigned n, unsigned k, unsigned id)
{
	struct fake_port *port = &rig->nodes[n].in[k];

	for (unsigned i = 0; i < rig->position.clock.duration && i < AUDIO_PERIOD_MAX; i++) {
		port->samples[id][i] = sample_of(n, k, rig->at, i);
	}
	port->chunks[id] = (struct spa_chunk){
		.size = (uint32_t)(rig->position.clock.duration * sizeof(float)),
		.stride = sizeof(float),
	};
	port->io.buffer_id = id;
	port->io.status = SPA_STATUS_HAVE_DATA;
}

/* A node's turn. What played into it writes on as soon as the node is done. */
static void turn(struct rig *rig, unsigned n)
{
	struct fake_node *fake = &rig->nodes[n];
	unsigned id = rig->at % BUFFERS;

	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		fill(rig, n, k, id);
	}
	assert_true(pwrt_node_process_rt(&fake->node) & SPA_STATUS_NEED_DATA);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		for (unsigned i = 0; i < rig->position.clock.duration && i < AUDIO_PERIOD_MAX; i++) {
			fake->in[k].samples[id][i] = -1;
		}
	}
}

/* The nodes in bits have their turns one by one, and the loop sleeps in between. */
static void turns(struct rig *rig, unsigned bits)
{
	for (unsigned n = 0; n < NODES; n++) {
		if (bits & 1u << n) {
			turn(rig, n);
			pwrt_flush_rt(&rig->rt);
		}
	}
}

/* The calls since the last time this was asked, of which the first had these nodes. */
static void assert_calls(struct rig *rig, unsigned n_calls, unsigned nodes)
{
	assert_int_equal(rig->n_calls, n_calls);
	if (n_calls > 0) {
		assert_int_equal(rig->calls[0].nodes, nodes);
	}
	rig->n_calls = 0;
}

static void test_samples(void **state)
{
	struct rig *rig = *state;
	int64_t before = now_ns();

	for (unsigned i = 0; i < 5; i++) {
		const struct call *call = &rig->calls[0];

		tick(rig, 0);
		turns(rig, 0x1);
		assert_calls(rig, 1, 0x1);
		assert_int_equal(call->cycles[0], rig->at);
		assert_int_equal(call->silent[0], 0);
		assert_int_equal(call->cycle.frames, 64);
		assert_int_equal(call->cycle.rate_hz, 48000);
		assert_true(call->cycle.varying);
		assert_false(call->cycle.freewheel);
		assert_true(call->cycle.now_ns >= before && call->cycle.now_ns <= now_ns());
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			assert_int_equal(rig->nodes[0].in[k].io.status, SPA_STATUS_NEED_DATA);
			assert_int_equal(rig->nodes[0].out[k].io.buffer_id, SPA_ID_INVALID);
		}
	}
	assert_int_equal(atomic_load(&rig->rt.begun), 5);
	assert_int_equal(atomic_load(&rig->rt.ended), 5);
}

/* Ways to have no samples; the other channels have theirs. */
static void spoil(struct fake_node *fake, unsigned way)
{
	struct fake_port *port = &fake->in[2];
	unsigned id = port->io.buffer_id;

	switch (way) {
	case 0:
		fake->node.in[2].io = NULL;
		break;
	case 1:
		port->io.status = SPA_STATUS_OK;
		break;
	case 2:
		port->io.status = -EPIPE;
		break;
	case 3:
		port->chunks[id].flags = SPA_CHUNK_FLAG_EMPTY;
		break;
	case 4:
		port->io.buffer_id = BUFFERS;
		break;
	case 5:
		port->io.buffer_id = SPA_ID_INVALID;
		break;
	case 6:
		fake->node.in[2].n_buffers = 0;
		break;
	case 7:
		port->datas[id].data = NULL;
		break;
	case 8:
		port->chunks[id].size = 0;
		break;
	case 9:
		port->chunks[id].size = sizeof(float) - 1;
		break;
	}
}

static void test_silence(void **state)
{
	struct rig *rig = *state;
	struct fake_node *fake = &rig->nodes[0];

	for (unsigned way = 0; way < 10; way++) {
		init_port(&fake->in[2], &fake->node.in[2]);
		tick(rig, 0);
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			fill(rig, 0, k, 1);
		}
		spoil(fake, way);
		assert_int_equal(pwrt_node_process_rt(&fake->node), SPA_STATUS_NEED_DATA);
		pwrt_flush_rt(&rig->rt);
		assert_calls(rig, 1, 0x1);
		assert_int_equal(rig->calls[0].silent[0], 1u << 2);
	}
	/* And it all comes back. */
	init_port(&fake->in[2], &fake->node.in[2]);
	tick(rig, 0);
	turns(rig, 0x1);
	assert_calls(rig, 1, 0x1);
	assert_int_equal(rig->calls[0].silent[0], 0);
}

/* Memory behind which there is none, so that whoever reads too much dies of it. */
static float *guarded(size_t size, void **ret_map, size_t *ret_map_size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t whole = (size + page - 1) / page * page;
	uint8_t *map = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map + whole, page, PROT_NONE), 0);
	*ret_map = map;
	*ret_map_size = whole + page;
	return (float *)(void *)(map + whole - size);
}

static void test_chunks_that_lie(void **state)
{
	static const struct {
		uint32_t offset, size, n; /* n: samples that there really are of 64; 0: silence */
	} cases[] = {
		{0, 64 * 4, 48},
		{0, UINT32_MAX, 48},
		{16 * 4, 48 * 4, 32},
		{16 * 4, UINT32_MAX - 16 * 4 + 1, 32},
		{16 * 4, 32 * 4, 32},
		{0, 10 * 4, 10},
		{0, 10 * 4 + 3, 10},
		{47 * 4 + 2, 64 * 4, 0},
		{47 * 4, 64 * 4, 1},
		{48 * 4, 64 * 4, 0},
		{UINT32_MAX, UINT32_MAX, 0},
		{UINT32_MAX - 3, 8, 0},
		{0, 4, 1},
	};
	struct rig *rig = *state;
	struct fake_port *port = &rig->nodes[0].in[0];
	void *map;
	size_t map_size;
	float *memory = guarded(48 * sizeof(float), &map, &map_size);

	for (unsigned i = 0; i < 48; i++) {
		memory[i] = (float)i + 1;
	}
	port->datas[0].data = memory;
	port->datas[0].maxsize = 48 * sizeof(float);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t first = cases[i].offset / sizeof(float);
		const float *in = rig->nodes[0].node.copy;

		tick(rig, 0);
		for (unsigned k = 1; k < AUDIO_CHANNELS; k++) {
			rig->nodes[0].node.in[k].io = NULL;
		}
		port->chunks[0] = (struct spa_chunk){.offset = cases[i].offset, .size = cases[i].size};
		port->io.buffer_id = 0;
		port->io.status = SPA_STATUS_HAVE_DATA;
		memset(rig->nodes[0].node.copy, 0x55, 64 * sizeof(float));
		(void)pwrt_node_process_rt(&rig->nodes[0].node);
		pwrt_flush_rt(&rig->rt);
		assert_calls(rig, 1, 0x1);
		assert_int_equal(rig->calls[0].silent[0], cases[i].n == 0 ? 0xff : 0xfe);
		for (unsigned f = 0; f < 64 && cases[i].n > 0; f++) {
			assert_float_equal(in[f], f < cases[i].n ? (float)(first + f) + 1 : 0, 0);
		}
	}
	/* More than the period. */
	tick(rig, 0);
	rig->position.clock.duration = 16;
	port->chunks[0] = (struct spa_chunk){.size = 48 * sizeof(float)};
	port->io.status = SPA_STATUS_HAVE_DATA;
	(void)pwrt_node_process_rt(&rig->nodes[0].node);
	assert_float_equal(rig->nodes[0].node.copy[15], 16, 0);
	assert_float_equal(rig->nodes[0].node.copy[16], 0, 0); /* of the last case */
	munmap(map, map_size);
}

static void test_together(void **state)
{
	struct rig *rig = *state;

	/* Who comes first does not know of the others yet, who are with it from the next cycle on. */
	tick(rig, 0);
	turns(rig, 0x7);
	assert_calls(rig, 1, 0x1);
	tick(rig, 0);
	turn(rig, 2);
	pwrt_flush_rt(&rig->rt);
	turn(rig, 0);
	pwrt_flush_rt(&rig->rt);
	pwrt_flush_rt(&rig->rt);
	assert_calls(rig, 0, 0);
	turn(rig, 1);
	assert_calls(rig, 0, 0);
	pwrt_flush_rt(&rig->rt);
	assert_calls(rig, 1, 0x7);
	pwrt_flush_rt(&rig->rt);
	assert_calls(rig, 0, 0);
	/* A second turn in a cycle gives nothing. */
	turn(rig, 1);
	pwrt_flush_rt(&rig->rt);
	assert_calls(rig, 0, 0);
	/* All in one wake-up, and a new one among them. */
	tick(rig, 0);
	turn(rig, 3);
	turn(rig, 1);
	turn(rig, 0);
	turn(rig, 2);
	assert_calls(rig, 0, 0);
	pwrt_flush_rt(&rig->rt);
	assert_calls(rig, 1, 0xf);
}

static void test_one_misses(void **state)
{
	struct rig *rig = *state;
	unsigned missed;

	tick(rig, 0);
	turn(rig, 0);
	turn(rig, 1);
	turn(rig, 2);
	pwrt_flush_rt(&rig->rt);
	assert_calls(rig, 1, 0x7);
	tick(rig, 0);
	turns(rig, 0x5);
	assert_calls(rig, 0, 0);
	missed = rig->at;
	/* The next cycle begins with theirs, and has its own as soon as both are there. */
	tick(rig, 0);
	turns(rig, 0x1);
	assert_int_equal(rig->calls[0].cycles[0], missed);
	assert_int_equal(rig->calls[0].cycles[2], missed);
	assert_calls(rig, 1, 0x5);
	turns(rig, 0x4);
	assert_int_equal(rig->calls[0].cycles[0], rig->at);
	assert_calls(rig, 1, 0x5);
	/* The one comes back, behind the others: too late for this cycle; then it is one of them. */
	tick(rig, 0);
	turns(rig, 0x5);
	assert_calls(rig, 1, 0x5);
	turns(rig, 0x2);
	assert_calls(rig, 0, 0);
	tick(rig, 0);
	turns(rig, 0x7);
	assert_calls(rig, 1, 0x7);
}

static void forget(struct rig *rig, unsigned n)
{
	pwrt_forget_rt(&rig->rt, &rig->nodes[n].node);
	pwrt_flush_rt(&rig->rt);
}

static void test_forgotten(void **state)
{
	struct rig *rig = *state;

	forget(rig, 7); /* has never had a turn */
	tick(rig, 0);
	turn(rig, 0);
	turn(rig, 1);
	turn(rig, 2);
	turn(rig, 3);
	pwrt_flush_rt(&rig->rt);
	assert_calls(rig, 1, 0xf);
	/* Between two cycles. */
	forget(rig, 3);
	tick(rig, 0);
	turns(rig, 0x7);
	assert_calls(rig, 1, 0x7);
	/* With samples that are not yet given away. */
	tick(rig, 0);
	turns(rig, 0x3);
	forget(rig, 0);
	assert_calls(rig, 0, 0);
	/* The last one that is waited for. */
	forget(rig, 2);
	assert_calls(rig, 1, 0x2);
	/* Twice, and all of them; and back again. */
	forget(rig, 2);
	forget(rig, 1);
	assert_calls(rig, 0, 0);
	tick(rig, 0);
	turns(rig, 0x4);
	assert_calls(rig, 1, 0x4);
}

static void test_other_quantum(void **state)
{
	static const uint32_t frames[] = {64, 8192, 8, 1024, 1024, 1, 1000};
	static const uint32_t rates[] = {48000, 44100, 96000, 88200, 48000, 48000, 44100};
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(frames); i++) {
		tick(rig, 0);
		rig->position.clock.duration = frames[i];
		rig->position.clock.rate.denom = rates[i];
		turn(rig, 0);
		turn(rig, 1);
		pwrt_flush_rt(&rig->rt);
		assert_int_equal(rig->calls[0].cycle.frames, frames[i]);
		assert_int_equal(rig->calls[0].cycle.rate_hz, rates[i]);
		assert_int_equal(rig->calls[0].silent[1], 0);
		assert_int_equal(rig->calls[0].cycle.xruns, 0);
		assert_calls(rig, 1, 0x3);
		assert_int_equal(atomic_load(&rig->rt.now_frames), frames[i]);
		assert_int_equal(atomic_load(&rig->rt.now_rate_hz), rates[i]);
	}
	/* As a driver that follows another clock writes it. */
	rig->position.clock.rate = SPA_FRACTION(2, 96000);
	rig->position.clock.nsec += NSEC_PER_SEC;
	turn(rig, 0);
	assert_int_equal(atomic_load(&rig->rt.now_rate_hz), 48000);
}

/* A cycle of node 1 that comes late_nsec late; how many xruns it knows of. */
static uint32_t xruns_of(struct rig *rig, int64_t late_nsec)
{
	tick(rig, late_nsec);
	turns(rig, 0x1);
	assert_calls(rig, 1, 0x1);
	return rig->calls[0].cycle.xruns;
}

static void test_xruns(void **state)
{
	struct rig *rig = *state;
	int64_t period = (int64_t)period_nsec(rig);

	assert_int_equal(xruns_of(rig, 0), 0);
	assert_int_equal(xruns_of(rig, period * 4 / 10), 0);
	assert_int_equal(xruns_of(rig, -period * 4 / 10), 0);
	assert_int_equal(xruns_of(rig, period * 6 / 10), 1);
	assert_int_equal(xruns_of(rig, 0), 1);
	assert_int_equal(xruns_of(rig, period), 2);
	assert_int_equal(xruns_of(rig, 100 * period), 3);
	/* What is missing is measured in the period before, whatever comes now. */
	rig->position.clock.duration = 1024;
	rig->position.clock.nsec += (uint64_t)period - period_nsec(rig);
	assert_int_equal(xruns_of(rig, 0), 3);
	assert_int_equal(xruns_of(rig, 0), 3);
	/* Another driver has a time of its own. */
	rig->position.clock.id = DRIVER + 1;
	assert_int_equal(xruns_of(rig, 100 * period), 3);
	assert_int_equal(xruns_of(rig, 100 * period), 4);
	assert_int_equal(atomic_load(&rig->rt.xruns), 4);
}

static void test_freewheel(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(xruns_of(rig, 0), 0);
	rig->position.clock.flags = SPA_IO_CLOCK_FLAG_FREEWHEEL;
	assert_int_equal(xruns_of(rig, 0), 0);
	assert_true(rig->calls[0].cycle.freewheel);
	assert_true(atomic_load(&rig->rt.freewheel));
	assert_int_equal(xruns_of(rig, NSEC_PER_SEC), 0);
	/* The way back is no xrun either. */
	rig->position.clock.flags = 0;
	assert_int_equal(xruns_of(rig, NSEC_PER_SEC), 0);
	assert_false(rig->calls[0].cycle.freewheel);
	assert_false(atomic_load(&rig->rt.freewheel));
	assert_int_equal(xruns_of(rig, NSEC_PER_SEC), 1);
}

static void test_driver_change(void **state)
{
	struct rig *rig = *state;

	tick(rig, 0);
	turn(rig, 0);
	turn(rig, 1);
	pwrt_flush_rt(&rig->rt);
	assert_calls(rig, 1, 0x3);
	/* Same time and length, another clock: another cycle. */
	rig->position.clock.id = DRIVER + 1;
	rig->at++;
	turns(rig, 0x3);
	assert_int_equal(rig->calls[0].cycles[1], rig->at);
	assert_calls(rig, 1, 0x3);
	/* And so is one of another length. */
	rig->position.clock.duration = 32;
	rig->at++;
	turns(rig, 0x3);
	assert_int_equal(rig->calls[0].cycles[1], rig->at);
	assert_calls(rig, 1, 0x3);
}

static void test_no_cycle(void **state)
{
	struct rig *rig = *state;
	struct pwrt_node *node = &rig->nodes[0].node;

	node->position = NULL;
	assert_int_equal(pwrt_node_process_rt(node), SPA_STATUS_OK);
	node->position = &rig->position;
	rig->position.clock.rate.denom = 0;
	assert_int_equal(pwrt_node_process_rt(node), SPA_STATUS_OK);
	rig->position.clock.rate.denom = 48000;
	rig->position.clock.duration = 0;
	assert_int_equal(pwrt_node_process_rt(node), SPA_STATUS_OK);
	rig->position.clock.duration = AUDIO_PERIOD_MAX + 1;
	turns(rig, 0x3);
	pwrt_flush_rt(&rig->rt);
	assert_calls(rig, 0, 0);
	assert_int_equal(atomic_load(&rig->rt.begun), 0);
	tick(rig, 0);
	rig->position.clock.duration = AUDIO_PERIOD_MAX;
	turn(rig, 0);
	turn(rig, 1);
	pwrt_flush_rt(&rig->rt);
	assert_calls(rig, 1, 0x3);
	/* One that is too long in the middle: nothing is waited for behind it. */
	tick(rig, 0);
	rig->position.clock.duration = AUDIO_PERIOD_MAX + 1;
	turns(rig, 0x3);
	assert_calls(rig, 0, 0);
	tick(rig, 0);
	rig->position.clock.duration = 64;
	turn(rig, 0);
	turn(rig, 1);
	pwrt_flush_rt(&rig->rt);
	assert_calls(rig, 1, 0x3);
}

/* Before the daemon is ready, and after: cycles are counted, nobody is called. */
static void test_not_running(void **state)
{
	struct rig *rig = *state;

	atomic_store(&rig->rt.run, false);
	tick(rig, 0);
	turns(rig, 0x3);
	assert_calls(rig, 0, 0);
	assert_int_equal(atomic_load(&rig->rt.begun), 1);
	assert_int_equal(atomic_load(&rig->rt.ended), 1);
	tick(rig, 0);
	turns(rig, 0x1);
	atomic_store(&rig->rt.run, true);
	turns(rig, 0x2);
	assert_int_equal(rig->calls[0].cycles[0], rig->at);
	assert_calls(rig, 1, 0x3);
	atomic_store(&rig->rt.run, false);
	tick(rig, 0);
	turns(rig, 0x3);
	/* What was gathered meanwhile is not kept. */
	atomic_store(&rig->rt.run, true);
	tick(rig, 0);
	turns(rig, 0x3);
	assert_calls(rig, 1, 0x3);
}

/* Nodes of which nothing is known but that they are many. */
static void test_many_nodes(void **state)
{
	struct rig *rig = *state;
	struct pwrt_node *nodes = calloc(PWRT_NODES_MAX + 2, sizeof(*nodes));

	assert_non_null(nodes);
	for (unsigned cycle = 0; cycle < 3; cycle++) {
		tick(rig, 0);
		for (unsigned n = 0; n < PWRT_NODES_MAX + 2; n++) {
			nodes[n].rt = &rig->rt;
			nodes[n].position = &rig->position;
			nodes[n].audio.owner = &rig->nodes[0];
			nodes[n].copy = rig->nodes[0].node.copy;
			assert_int_equal(pwrt_node_process_rt(&nodes[n]), SPA_STATUS_NEED_DATA);
		}
		assert_int_equal(rig->rt.n_nodes, PWRT_NODES_MAX);
		atomic_store(&rig->rt.run, false);
		pwrt_flush_rt(&rig->rt);
		assert_int_equal(atomic_load(&rig->rt.ended), cycle + 1);
		assert_int_equal(rig->rt.n_nodes, 0);
	}
	free(nodes);
}

/* --- monitors --- */

static int process_monitor(struct rig *rig)
{
	int status;

	tick(rig, 0);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		fill(rig, 0, k, 0);
	}
	rig->nodes[0].node.in[5].io = NULL;
	rig->nodes[0].node.monitor = true;
	status = pwrt_node_process_rt(&rig->nodes[0].node);
	pwrt_flush_rt(&rig->rt);
	assert_int_equal(rig->n_calls, 1);
	rig->n_calls = 0;
	return status;
}

static void assert_monitor(const struct rig *rig, unsigned k, unsigned frames)
{
	const struct fake_port *port = &rig->nodes[0].out[k];
	unsigned id = port->io.buffer_id;

	assert_int_equal(port->io.status, SPA_STATUS_HAVE_DATA);
	assert_true(id < BUFFERS);
	assert_int_equal(port->chunks[id].offset, 0);
	assert_int_equal(port->chunks[id].size, frames * sizeof(float));
	assert_int_equal(port->chunks[id].stride, sizeof(float));
	assert_int_equal(port->chunks[id].flags, k == 5 ? SPA_CHUNK_FLAG_EMPTY : 0);
	for (unsigned i = 0; i < frames; i++) {
		assert_float_equal(port->samples[id][i], k == 5 ? 0 : sample_of(0, k, rig->at, i), 0);
	}
}

static void test_monitor(void **state)
{
	struct rig *rig = *state;
	struct fake_port *out = rig->nodes[0].out;
	unsigned last = SPA_ID_INVALID;

	memset(out[5].samples, 0x55, sizeof(out[5].samples));
	for (unsigned i = 0; i < BUFFERS; i++) {
		out[0].chunks[i].offset = 4;
	}
	for (unsigned cycle = 0; cycle < 4 * BUFFERS; cycle++) {
		assert_int_equal(process_monitor(rig), SPA_STATUS_NEED_DATA | SPA_STATUS_HAVE_DATA);
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			assert_monitor(rig, k, 64);
			out[k].io.status = SPA_STATUS_NEED_DATA;
		}
		last = out[0].io.buffer_id;
	}
	/* Nobody has taken it: what is there stays. */
	out[0].io.status = SPA_STATUS_HAVE_DATA;
	(void)process_monitor(rig);
	assert_int_equal(out[0].io.buffer_id, last);
	assert_int_equal(cycle_of(out[0].samples[last][0]), rig->at - 1);
	assert_monitor(rig, 1, 64);
	/* No link, no buffers, none with memory. */
	out[1].io.status = SPA_STATUS_NEED_DATA;
	rig->nodes[0].node.out[1].io = NULL;
	out[2].io = (struct spa_io_buffers){SPA_STATUS_NEED_DATA, SPA_ID_INVALID};
	rig->nodes[0].node.out[2].n_buffers = 0;
	rig->nodes[0].node.out[2].free = 0;
	for (unsigned i = 0; i < BUFFERS; i++) {
		out[3].datas[i].data = NULL;
		out[4].datas[i].maxsize = 10 * sizeof(float);
	}
	out[3].io.status = SPA_STATUS_NEED_DATA;
	out[4].io.status = SPA_STATUS_NEED_DATA;
	(void)process_monitor(rig);
	assert_int_equal(out[1].io.status, SPA_STATUS_NEED_DATA);
	assert_int_equal(out[2].io.status, SPA_STATUS_NEED_DATA);
	assert_int_equal(out[3].io.status, SPA_STATUS_NEED_DATA);
	assert_int_equal(out[3].io.buffer_id, SPA_ID_INVALID);
	assert_monitor(rig, 4, 10);
	assert_true(cycle_of(out[4].samples[out[4].io.buffer_id][10]) != rig->at);
}

/* Whoever reads holds on to buffers: they are not written before they come back. */
static void test_monitor_recycling(void **state)
{
	struct rig *rig = *state;
	struct fake_port *out = &rig->nodes[0].out[0];
	struct pwrt_port *port = &rig->nodes[0].node.out[0];
	unsigned held = 0, last;

	for (unsigned i = 0; i < BUFFERS; i++) {
		(void)process_monitor(rig);
		assert_monitor(rig, 0, 64);
		assert_int_equal(held & 1u << out->io.buffer_id, 0);
		held |= 1u << out->io.buffer_id;
		out->io = (struct spa_io_buffers){SPA_STATUS_NEED_DATA, SPA_ID_INVALID};
	}
	assert_int_equal(port->free, 0);
	for (unsigned i = 0; i < BUFFERS; i++) {
		(void)process_monitor(rig);
		assert_int_equal(out->io.status, SPA_STATUS_NEED_DATA);
		for (unsigned id = 0; id < BUFFERS; id++) {
			assert_true(cycle_of(out->samples[id][0]) < rig->at - i);
		}
	}
	/* One is back: by its number in the io area, which may also be nonsense. */
	out->io.buffer_id = BUFFERS;
	(void)process_monitor(rig);
	assert_int_equal(out->io.status, SPA_STATUS_NEED_DATA);
	out->io.buffer_id = 1;
	(void)process_monitor(rig);
	assert_int_equal(out->io.buffer_id, 1);
	assert_monitor(rig, 0, 64);
	/* Or as libpipewire gives it back. */
	out->io = (struct spa_io_buffers){SPA_STATUS_NEED_DATA, SPA_ID_INVALID};
	port->free |= 1u << 2;
	(void)process_monitor(rig);
	last = out->io.buffer_id;
	assert_int_equal(last, 2);
	assert_monitor(rig, 0, 64);
}

/* --- thousands of cycles against a model --- */

struct model {
	unsigned before;  /* nodes that had their turn in the cycle before and are still there */
	unsigned now;	  /* in this one */
	unsigned pending; /* and nobody has been told of it */
	bool called;
	unsigned frames;
	uint32_t xruns;
};

/* One callback, with just the pending nodes and this cycle's samples. */
static void assert_told(struct rig *rig, struct model *m, unsigned cycle)
{
	const struct call *call = &rig->calls[0];

	assert_int_equal(rig->n_calls, m->pending ? 1 : 0);
	rig->n_calls = 0;
	if (!m->pending) {
		return;
	}
	assert_int_equal(call->nodes, m->pending);
	assert_int_equal(call->cycle.frames, m->frames);
	for (unsigned n = 0; n < NODES; n++) {
		if (m->pending & 1u << n) {
			assert_int_equal(call->silent[n], 0);
			assert_int_equal(call->cycles[n], cycle % 8192);
		}
	}
	m->pending = 0;
	m->called = true;
}

static void model_turn(struct rig *rig, struct model *m, unsigned n)
{
	turn(rig, n);
	m->now |= 1u << n;
	m->pending |= m->called ? 0 : 1u << n;
}

static void model_flush(struct rig *rig, struct model *m)
{
	pwrt_flush_rt(&rig->rt);
	if (m->before & ~m->now) {
		assert_int_equal(rig->n_calls, 0);
	} else {
		assert_told(rig, m, rig->at);
	}
}

static void model_forget(struct rig *rig, struct model *m, unsigned n)
{
	pwrt_forget_rt(&rig->rt, &rig->nodes[n].node);
	m->before &= ~(1u << n);
	m->now &= ~(1u << n);
	m->pending &= ~(1u << n);
	assert_int_equal(rig->n_calls, 0);
}

/* The clock goes on; what is pending comes with the first turn in the new cycle. */
static void model_tick(struct rig *rig, struct model *m, unsigned first)
{
	static const uint32_t frames[] = {8, 32, 64, 65, 100};
	struct spa_io_clock *clock = &rig->position.clock;
	bool late = rand() % 10 == 0, other_driver = rand() % 20 == 0;
	int64_t period = (int64_t)period_nsec(rig);

	clock->id += other_driver ? 1 : 0;
	m->xruns += late && !other_driver ? 1 : 0;
	tick(rig, late ? period : rand() % (period * 4 / 5) - period * 2 / 5);
	if (rand() % 5 == 0) {
		clock->duration = frames[(unsigned)rand() % ARRAY_SIZE(frames)];
	}
	turn(rig, first);
	assert_told(rig, m, rig->at - 1);
	m->before = m->now;
	m->now = 1u << first;
	m->pending = m->now;
	m->called = false;
	m->frames = (unsigned)clock->duration;
	assert_int_equal(atomic_load(&rig->rt.xruns), m->xruns);
}

static void test_random(void **state)
{
	struct rig *rig = *state;
	struct model m = {.frames = 64};
	unsigned there = 0x3f, lone = 0;

	srand(1);
	for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
		unsigned left = 0, first;

		/* Most come, in any order, and sometimes the loop sleeps in between. */
		there ^= rand() % 8 == 0 ? 1u << rand() % NODES : 0;
		for (unsigned n = 0; n < NODES; n++) {
			if (!(there & 1u << n) && (m.now & 1u << n)) {
				model_forget(rig, &m, n);
			}
			left |= rand() % 16 > 0 ? there & 1u << n : 0;
		}
		if (left == 0) {
			left = 1u << rand() % NODES;
			there |= left;
		}
		do {
			first = (unsigned)rand() % NODES;
		} while (!(left & 1u << first));
		model_tick(rig, &m, first);
		lone += left == 1u << first ? 1 : 0;
		for (left &= ~(1u << first); left;) {
			unsigned n = (unsigned)rand() % NODES;

			if (rand() % 3 == 0) {
				model_flush(rig, &m);
			}
			if (rand() % 64 == 0) {
				model_forget(rig, &m, n);
				left |= rand() % 2 ? there & 1u << n : 0; /* and it comes back at once */
			} else if (left & 1u << n) {
				model_turn(rig, &m, n);
				left &= ~(1u << n);
			}
		}
		model_flush(rig, &m);
	}
	assert_true(m.xruns > 100);
	assert_true(lone < CYCLES / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_samples, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chunks_that_lie, setup, teardown),
		cmocka_unit_test_setup_teardown(test_together, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_misses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_quantum, setup, teardown),
		cmocka_unit_test_setup_teardown(test_xruns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freewheel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_driver_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_cycle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_running, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_nodes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_monitor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_monitor_recycling, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
