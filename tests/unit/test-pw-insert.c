/* An insert's turn in PipeWire's data loop, with made-up buffers and clocks: audio, MIDI, the transport, and devices beside it. */
#include "backend/pipewire-rt.h"

#include <setjmp.h>
#include <spa/control/control.h>
#include <spa/pod/builder.h>
#include <spa/pod/iter.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define BUFFERS 2
#define PORTS (PWRT_MIDI + 1)
#define PERIOD 64
#define DEVICES 2
#define FUZZ_ROUNDS 200000

struct fake_port {
	struct spa_io_buffers io;
	struct spa_buffer buffers[BUFFERS];
	struct spa_data datas[BUFFERS];
	struct spa_chunk chunks[BUFFERS];
	_Alignas(8) uint8_t bytes[BUFFERS][AUDIO_PERIOD_MAX * sizeof(float)];
};

struct rig {
	struct pwrt rt;
	struct spa_io_position position;
	struct pwrt_insert insert;
	struct pwrt_node node;
	struct fake_port in[PORTS];
	struct fake_port out[PORTS];
	struct pwrt_node devices[DEVICES];
	float device_copy[AUDIO_CHANNELS * AUDIO_PERIOD_MAX];
	/* what was called */
	unsigned n_turns;
	unsigned n_calls; /* of devices */
	unsigned groups;  /* in the last of them */
	struct audio_cycle cycle;
	struct audio_insert seen; /* as it was in the last turn */
	struct audio_midi give[AUDIO_MIDI_MAX];
	unsigned n_give;
};

/* --- the engine's side --- */

static void on_insert_rt(void *data, const struct audio_cycle *cycle, struct audio_insert *insert)
{
	struct rig *rig = data;

	assert_ptr_equal(insert->owner, rig);
	assert_int_equal(insert->n_midi_out, 0);
	assert_int_equal(cycle->n_groups, 0);
	rig->n_turns++;
	rig->cycle = *cycle;
	rig->seen = *insert;
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		for (unsigned i = 0; insert->out[k] && i < cycle->frames; i++) {
			insert->out[k][i] = insert->in[k] ? -insert->in[k][i] : 0.25f;
		}
	}
	memcpy(insert->midi_out, rig->give, sizeof(rig->give));
	insert->n_midi_out = rig->n_give;
}

static void on_process_rt(void *data, const struct audio_cycle *cycle)
{
	struct rig *rig = data;

	rig->n_calls++;
	rig->groups = cycle->n_groups;
}

/* --- the graph's side --- */

static void init_port(struct fake_port *fake, struct pwrt_port *port)
{
	fake->io.status = SPA_STATUS_NEED_DATA;
	fake->io.buffer_id = SPA_ID_INVALID;
	for (unsigned i = 0; i < BUFFERS; i++) {
		fake->datas[i].data = fake->bytes[i];
		fake->datas[i].maxsize = sizeof(fake->bytes[i]);
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
	rig->rt.callbacks.insert_rt = on_insert_rt;
	rig->rt.callbacks.process_rt = on_process_rt;
	rig->rt.callbacks.data = rig;
	rig->rt.cycle = 1;
	atomic_store(&rig->rt.run, true);
	rig->position.clock.id = 31;
	rig->position.clock.rate = SPA_FRACTION(1, 48000);
	rig->position.clock.duration = PERIOD;
	rig->position.clock.nsec = 1000 * NSEC_PER_SEC;
	rig->node.rt = &rig->rt;
	rig->node.insert = &rig->insert;
	rig->node.position = &rig->position;
	rig->insert.audio.owner = rig;
	for (unsigned k = 0; k < PORTS; k++) {
		init_port(&rig->in[k], &rig->node.in[k]);
		init_port(&rig->out[k], &rig->node.out[k]);
	}
	for (unsigned i = 0; i < DEVICES; i++) {
		rig->devices[i].rt = &rig->rt;
		rig->devices[i].position = &rig->position;
		rig->devices[i].copy = rig->device_copy;
	}
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void tick(struct rig *rig)
{
	rig->position.clock.nsec +=
		rig->position.clock.duration * NSEC_PER_SEC / rig->position.clock.rate.denom;
	rig->position.clock.position += rig->position.clock.duration;
	for (unsigned k = 0; k < PORTS; k++) {
		rig->out[k].io.status = SPA_STATUS_NEED_DATA; /* whoever listens has heard it */
	}
}

static void arrive(struct fake_port *port, unsigned id, uint32_t size)
{
	port->chunks[id] = (struct spa_chunk){.size = size};
	port->io.buffer_id = id;
	port->io.status = SPA_STATUS_HAVE_DATA;
}

static void arrive_samples(struct rig *rig, unsigned k, unsigned id)
{
	float *samples = (float *)(void *)rig->in[k].bytes[id];

	for (unsigned i = 0; i < rig->position.clock.duration; i++) {
		samples[i] = (float)(i + 1) / 128 + (float)k;
	}
	arrive(&rig->in[k], id, (uint32_t)(rig->position.clock.duration * sizeof(float)));
}

static int turn(struct rig *rig)
{
	return pwrt_insert_process_rt(&rig->node);
}

static const float *given(struct rig *rig, unsigned k)
{
	struct fake_port *port = &rig->out[k];

	assert_int_equal(port->io.status, SPA_STATUS_HAVE_DATA);
	assert_true(port->io.buffer_id < BUFFERS);
	assert_int_equal(port->chunks[port->io.buffer_id].offset, 0);
	assert_int_equal(port->chunks[port->io.buffer_id].size, rig->position.clock.duration * sizeof(float));
	return (const float *)(const void *)port->bytes[port->io.buffer_id];
}

/* --- audio --- */

static void test_audio(void **state)
{
	struct rig *rig = *state;

	for (unsigned cycle = 1; cycle <= 5; cycle++) {
		tick(rig);
		arrive_samples(rig, 0, cycle % BUFFERS);
		arrive_samples(rig, 1, cycle % BUFFERS);
		assert_int_equal(turn(rig), SPA_STATUS_HAVE_DATA | SPA_STATUS_NEED_DATA);
		assert_int_equal(rig->n_turns, cycle);
		for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
			const float *out = given(rig, k);

			assert_int_equal(rig->in[k].io.status, SPA_STATUS_NEED_DATA);
			for (unsigned i = 0; i < PERIOD; i++) {
				assert_float_equal(out[i], -((float)(i + 1) / 128 + (float)k), 0);
			}
		}
	}
	assert_int_equal(atomic_load(&rig->rt.begun), 5);
	assert_int_equal(atomic_load(&rig->rt.ended), 5);
	assert_int_equal(rig->n_calls, 0);
}

static void test_not_linked(void **state)
{
	struct rig *rig = *state;

	rig->node.in[0].io = NULL;
	rig->node.out[1].io = NULL;
	rig->node.in[PWRT_MIDI].io = NULL;
	rig->node.out[PWRT_MIDI].io = NULL;
	rig->n_give = 1;
	tick(rig);
	turn(rig);
	assert_int_equal(rig->n_turns, 1);
	assert_null(rig->seen.in[0]);
	assert_null(rig->seen.in[1]); /* linked, but nothing came */
	assert_non_null(rig->seen.out[0]);
	assert_null(rig->seen.out[1]);
	assert_float_equal(given(rig, 0)[PERIOD - 1], 0.25f, 0);
}

/* Of a buffer that nobody has taken, or that is too small, nothing is written. */
static void test_no_room(void **state)
{
	struct rig *rig = *state;

	tick(rig);
	rig->out[0].datas[0].maxsize = PERIOD * sizeof(float) - 1;
	rig->out[0].datas[1].maxsize = PERIOD * sizeof(float) - 1;
	rig->out[1].io.status = SPA_STATUS_HAVE_DATA;
	rig->out[PWRT_MIDI].datas[0].maxsize = sizeof(struct spa_pod_sequence) - 1;
	turn(rig);
	assert_int_equal(rig->n_turns, 1);
	assert_null(rig->seen.out[0]);
	assert_null(rig->seen.out[1]);
	assert_int_equal(rig->out[0].io.status, SPA_STATUS_NEED_DATA);
	assert_int_equal(rig->out[PWRT_MIDI].io.status, SPA_STATUS_NEED_DATA);
}

/* --- cycles --- */

static void test_cycle(void **state)
{
	struct rig *rig = *state;
	int64_t before = now_ns();

	tick(rig);
	turn(rig);
	assert_int_equal(rig->cycle.frames, PERIOD);
	assert_int_equal(rig->cycle.rate_hz, 48000);
	assert_true(rig->cycle.varying);
	assert_false(rig->cycle.freewheel);
	assert_true(rig->cycle.now_ns >= before && rig->cycle.now_ns <= now_ns());
	/* Late by a cycle. */
	tick(rig);
	tick(rig);
	turn(rig);
	assert_int_equal(rig->cycle.xruns, 1);
	/* Another length and rate; control sees them. */
	tick(rig);
	rig->position.clock.duration = 1000;
	rig->position.clock.rate.denom = 96000;
	rig->position.clock.flags = SPA_IO_CLOCK_FLAG_FREEWHEEL;
	arrive_samples(rig, 0, 0);
	turn(rig);
	assert_int_equal(rig->cycle.frames, 1000);
	assert_int_equal(rig->cycle.rate_hz, 96000);
	assert_true(rig->cycle.freewheel);
	assert_int_equal(atomic_load(&rig->rt.now_frames), 1000);
	assert_int_equal(atomic_load(&rig->rt.now_rate_hz), 96000);
	assert_float_equal(given(rig, 0)[999], -1000.0f / 128, 0);
	/* The longest, and one more. */
	tick(rig);
	rig->position.clock.duration = AUDIO_PERIOD_MAX;
	arrive_samples(rig, 1, 0);
	turn(rig);
	assert_int_equal(rig->n_turns, 4);
	assert_int_equal(rig->cycle.frames, AUDIO_PERIOD_MAX);
	tick(rig);
	rig->position.clock.duration = AUDIO_PERIOD_MAX + 1;
	turn(rig);
	assert_int_equal(rig->n_turns, 4);
	rig->node.position = NULL;
	assert_int_equal(turn(rig), SPA_STATUS_OK);
	assert_int_equal(rig->n_turns, 4);
}

static void test_once_a_cycle(void **state)
{
	struct rig *rig = *state;

	tick(rig);
	turn(rig);
	turn(rig);
	assert_int_equal(rig->n_turns, 1);
	tick(rig);
	turn(rig);
	assert_int_equal(rig->n_turns, 2);
	/* Taken out and put in again within one cycle. */
	pwrt_forget_rt(&rig->rt, &rig->node);
	turn(rig);
	assert_int_equal(rig->n_turns, 3);
}

/* Before control has said so nothing is called, but the cycles are counted. */
static void test_not_running(void **state)
{
	struct rig *rig = *state;
	float *stale = (float *)(void *)rig->out[0].bytes[0];

	stale[0] = 1;
	stale[PERIOD - 1] = 1;
	atomic_store(&rig->rt.run, false);
	rig->n_give = 3;
	tick(rig);
	turn(rig);
	assert_int_equal(rig->n_turns, 0);
	assert_int_equal(atomic_load(&rig->rt.begun), 1);
	assert_int_equal(atomic_load(&rig->rt.ended), 1);
	assert_float_equal(given(rig, 0)[0], 0, 0);
	assert_float_equal(given(rig, 0)[PERIOD - 1], 0, 0);
	atomic_store(&rig->rt.run, true);
	rig->rt.callbacks.insert_rt = NULL;
	tick(rig);
	turn(rig);
	assert_int_equal(atomic_load(&rig->rt.ended), 2);
}

static void device(struct rig *rig, unsigned i)
{
	(void)pwrt_node_process_rt(&rig->devices[i]);
	pwrt_flush_rt(&rig->rt);
}

static void insert(struct rig *rig)
{
	turn(rig);
	pwrt_flush_rt(&rig->rt);
}

static void assert_calls(struct rig *rig, unsigned calls, unsigned turns)
{
	assert_int_equal(rig->n_calls, calls);
	assert_int_equal(rig->n_turns, turns);
	rig->n_calls = 0;
	rig->n_turns = 0;
}

/* Whenever its turn is, devices are gathered as without it: one callback for all of them, in each cycle. */
static void test_beside_devices(void **state)
{
	struct rig *rig = *state;

	tick(rig);
	device(rig, 0);
	device(rig, 1);
	rig->n_calls = 0;
	for (unsigned order = 0; order < 9; order++) {
		tick(rig);
		for (unsigned at = 0; at < 3; at++) {
			if (at == order % 3) {
				insert(rig);
			}
			if (at < DEVICES) {
				device(rig, at);
			}
		}
		assert_calls(rig, 1, 1);
		assert_int_equal(rig->groups, DEVICES);
	}
	/* It goes, in the middle of a cycle. */
	tick(rig);
	device(rig, 0);
	insert(rig);
	pwrt_forget_rt(&rig->rt, &rig->node);
	device(rig, 1);
	assert_calls(rig, 1, 1);
	assert_int_equal(rig->groups, DEVICES);
	tick(rig);
	device(rig, 0);
	device(rig, 1);
	assert_calls(rig, 1, 0);
	assert_int_equal(rig->groups, DEVICES);
}

/* A device that does not come has its samples given up when the next cycle begins: with the insert's turn, if that is first. */
static void test_device_is_late(void **state)
{
	struct rig *rig = *state;

	for (unsigned i = 0; i < 2; i++) {
		tick(rig);
		device(rig, 0);
		device(rig, 1);
	}
	rig->n_calls = 0;
	tick(rig);
	insert(rig);
	device(rig, 0);
	assert_calls(rig, 0, 1);
	tick(rig);
	insert(rig);
	assert_calls(rig, 1, 1);
	assert_int_equal(rig->groups, 1);
	device(rig, 0);
	assert_calls(rig, 1, 0);
	assert_int_equal(rig->groups, 1);
}

/* --- the transport --- */

static void assert_transport(struct rig *rig, bool rolling, uint64_t frame)
{
	tick(rig);
	rig->position.clock.position = 100000;
	turn(rig);
	assert_int_equal(rig->cycle.rolling, rolling);
	assert_int_equal(rig->cycle.transport_frame, frame);
}

static void test_transport(void **state)
{
	struct rig *rig = *state;
	struct spa_io_segment *segment = &rig->position.segments[0];

	assert_transport(rig, false, 0); /* nobody has said anything */
	rig->position.n_segments = 1;
	rig->position.offset = INT64_MIN;
	segment->rate = 1.0;
	segment->position = 500;
	assert_transport(rig, false, 500);
	rig->position.state = SPA_IO_POSITION_STATE_STARTING;
	assert_transport(rig, false, 500);
	rig->position.state = SPA_IO_POSITION_STATE_RUNNING;
	rig->position.offset = 90000;
	segment->position = 0;
	assert_transport(rig, true, 10000);
	segment->start = 4000;
	segment->position = 48000;
	assert_transport(rig, true, 54000);
	segment->rate = 0.5;
	assert_transport(rig, true, 51000);
	segment->duration = 6001;
	assert_transport(rig, true, 51000);
	segment->duration = 6000; /* it is over */
	assert_transport(rig, true, 48000);
	segment->duration = 0;
	segment->start = 20000; /* and not begun */
	assert_transport(rig, true, 48000);
	segment->start = 0;
	segment->rate = -10.0;
	assert_transport(rig, true, 0);
	segment->rate = 1e300;
	assert_transport(rig, true, 0);
}

/* --- MIDI --- */

struct sequence {
	uint8_t bytes[16384];
	struct spa_pod_builder b;
	struct spa_pod_frame frame;
};

static void begin(struct sequence *s)
{
	spa_pod_builder_init(&s->b, s->bytes, sizeof(s->bytes));
	spa_pod_builder_push_sequence(&s->b, &s->frame, 0);
}

static void put(struct sequence *s, uint32_t offset, uint32_t type, const void *data, uint32_t size)
{
	spa_pod_builder_control(&s->b, offset, type);
	spa_pod_builder_bytes(&s->b, data, size);
}

#define put_midi(s, offset, ...)                                                                             \
	do {                                                                                                 \
		const uint8_t put_bytes[] = {__VA_ARGS__};                                                   \
		put((s), (offset), SPA_CONTROL_Midi, put_bytes, sizeof(put_bytes));                          \
	} while (0)

/* Comes in, and is taken. */
static void play(struct rig *rig, struct sequence *s)
{
	uint32_t size;

	spa_pod_builder_pop(&s->b, &s->frame);
	size = s->b.state.offset;
	assert_true(size <= sizeof(s->bytes));
	memcpy(rig->in[PWRT_MIDI].bytes[1], s->bytes, size);
	arrive(&rig->in[PWRT_MIDI], 1, size);
	tick(rig);
	turn(rig);
}

static void assert_midi(
	struct rig *rig, unsigned i, uint32_t frame, uint8_t status, uint8_t data1, uint8_t data2)
{
	const struct audio_midi *midi = &rig->seen.midi_in[i];

	assert_true(i < rig->seen.n_midi_in);
	assert_int_equal(midi->frame, frame);
	assert_int_equal(midi->status, status);
	assert_int_equal(midi->data1, data1);
	assert_int_equal(midi->data2, data2);
}

static void test_midi_in(void **state)
{
	struct rig *rig = *state;
	struct sequence s;

	begin(&s);
	put_midi(&s, 0, 0x90, 60, 100);
	put_midi(&s, 17, 0xcf, 5);
	put_midi(&s, 17, 0xd2, 7);
	put_midi(&s, 63, 0xe3, 1, 2);
	put_midi(&s, 64, 0x80, 60, 0); /* behind the cycle's end: in its last frame */
	put_midi(&s, UINT32_MAX, 0xb0, 0xff, 0x80);
	play(rig, &s);
	assert_int_equal(rig->seen.n_midi_in, 6);
	assert_int_equal(rig->seen.n_midi_lost, 0);
	assert_midi(rig, 0, 0, 0x90, 60, 100);
	assert_midi(rig, 1, 17, 0xcf, 5, 0);
	assert_midi(rig, 2, 17, 0xd2, 7, 0);
	assert_midi(rig, 3, 63, 0xe3, 1, 2);
	assert_midi(rig, 4, 63, 0x80, 60, 0);
	assert_midi(rig, 5, 63, 0xb0, 0x7f, 0);
	/* They are of one cycle. */
	tick(rig);
	turn(rig);
	assert_int_equal(rig->seen.n_midi_in, 0);
}

static void test_midi_order(void **state)
{
	struct rig *rig = *state;
	struct sequence s;

	begin(&s);
	put_midi(&s, 30, 0x90, 1, 1);
	put_midi(&s, 20, 0x90, 2, 1); /* mixed by somebody who does not sort */
	put_midi(&s, 40, 0x90, 3, 1);
	play(rig, &s);
	assert_int_equal(rig->seen.n_midi_in, 3);
	assert_midi(rig, 0, 30, 0x90, 1, 1);
	assert_midi(rig, 1, 30, 0x90, 2, 1);
	assert_midi(rig, 2, 40, 0x90, 3, 1);
}

/* Nothing but whole channel messages passes; what stands beside the others does not harm them. */
static void test_midi_of_no_kind(void **state)
{
	static const uint8_t sysex[] = {0xf0, 1, 2, 3, 0xf7};
	const uint32_t word = 0x20903c64;
	struct rig *rig = *state;
	struct sequence s;

	begin(&s);
	put(&s, 0, SPA_CONTROL_Midi, sysex, sizeof(sysex));
	put_midi(&s, 1, 0xf8);
	put_midi(&s, 1, 60, 100);
	put_midi(&s, 1, 0x90, 60);
	put(&s, 2, SPA_CONTROL_Midi, sysex, 0);
	put(&s, 2, SPA_CONTROL_OSC, "/hello", 7);
	put(&s, 3, SPA_CONTROL_Properties, sysex, sizeof(sysex));
	spa_pod_builder_control(&s.b, 3, SPA_CONTROL_Midi);
	spa_pod_builder_int(&s.b, 0x643c90);
	put(&s, 4, PWRT_CONTROL_UMP, &word, 3);
	put_midi(&s, 5, 0x90, 61, 101);
	play(rig, &s);
	assert_int_equal(rig->seen.n_midi_in, 1);
	assert_midi(rig, 0, 5, 0x90, 61, 101);
	/* Two in one. */
	begin(&s);
	put_midi(&s, 6, 0x90, 62, 102, 0xc0, 9, 0x80, 62);
	play(rig, &s);
	assert_int_equal(rig->seen.n_midi_in, 2);
	assert_midi(rig, 0, 6, 0x90, 62, 102);
	assert_midi(rig, 1, 6, 0xc0, 9, 0);
}

static void test_midi_words(void **state)
{
	static const uint32_t words[] = {
		0x20903c64, 0x21c20500, 0x2fb07f7f, 0x10f80000, 0x40903c00, 0x20f00000};
	struct rig *rig = *state;
	struct sequence s;

	begin(&s);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		put(&s, i, PWRT_CONTROL_UMP, &words[i], sizeof(words[i]));
	}
	play(rig, &s);
	assert_int_equal(rig->seen.n_midi_in, 3);
	assert_midi(rig, 0, 0, 0x90, 0x3c, 0x64);
	assert_midi(rig, 1, 1, 0xc2, 5, 0);
	assert_midi(rig, 2, 2, 0xb0, 0x7f, 0x7f);
}

/* MIDI 2.0: what there is in 1.0, too. */
static void test_midi_long_words(void **state)
{
	static const struct {
		uint32_t words[2];
		uint8_t message[3]; /* 0: nothing of it */
	} cases[] = {
		{{0x40903c00, 0xc8000000}, {0x90, 0x3c, 0x64}},
		{{0x40903c00, 0x01ffffff}, {0x90, 0x3c, 1}},
		{{0x40903c00, 0}, {0x90, 0x3c, 1}},
		{{0x41833c00, 0xffff0000}, {0x83, 0x3c, 0x7f}},
		{{0x40a03c00, 0x80000000}, {0xa0, 0x3c, 0x40}},
		{{0x40b20700, 0xffffffff}, {0xb2, 0x07, 0x7f}},
		{{0x40c50001, 0x2a000102}, {0xc5, 0x2a, 0}},
		{{0x40d00000, 0x80000000}, {0xd0, 0x40, 0}},
		{{0x40ef0000, 0x80000000}, {0xef, 0, 0x40}},
		{{0x40e00000, 0xffffffff}, {0xe0, 0x7f, 0x7f}},
		{{0x40e10000, 0x80040000}, {0xe1, 1, 0x40}},
		{{0x40200000, 0xffffffff}, {0}},
		{{0x40f00000, 0xffffffff}, {0}},
		{{0x50903c00, 0xffffffff}, {0}},
	};
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint8_t *message = cases[i].message;
		struct sequence s;

		begin(&s);
		put(&s, i, PWRT_CONTROL_UMP, cases[i].words, sizeof(cases[i].words));
		put(&s, i, PWRT_CONTROL_UMP, cases[i].words, 7);
		play(rig, &s);
		assert_int_equal(rig->seen.n_midi_in, message[0] ? 1 : 0);
		if (message[0]) {
			assert_midi(rig, 0, i, message[0], message[1], message[2]);
		}
	}
}

static void test_too_much_midi(void **state)
{
	struct rig *rig = *state;
	struct sequence s;

	begin(&s);
	for (unsigned i = 0; i < AUDIO_MIDI_MAX + 44; i++) {
		put_midi(&s, i / 8, 0x90, (uint8_t)(i & 0x7f), (uint8_t)(i >> 7));
	}
	play(rig, &s);
	assert_int_equal(rig->seen.n_midi_in, AUDIO_MIDI_MAX);
	assert_int_equal(rig->seen.n_midi_lost, 44);
	for (unsigned i = 0; i < AUDIO_MIDI_MAX; i++) {
		assert_midi(rig, i, i / 8, 0x90, (uint8_t)(i & 0x7f), (uint8_t)(i >> 7));
	}
	begin(&s);
	play(rig, &s);
	assert_int_equal(rig->seen.n_midi_in, 0);
	assert_int_equal(rig->seen.n_midi_lost, 0);
}

/* Memory behind which there is none, so that whoever reads too much dies of it. */
static uint8_t *guarded(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(map != MAP_FAILED && size <= page);
	assert_int_equal(mprotect(map + page, page, PROT_NONE), 0);
	return map + page - size;
}

static uint32_t some(uint32_t n)
{
	return (uint32_t)rand() % n;
}

/* Something like a sequence, with sizes that may be anything. */
static void scribble(uint8_t *bytes, uint32_t size)
{
	static const uint32_t sizes[] = {0, 1, 7, 8, 0x7fffffff, 0xfffffff0, 0xfffffff8, UINT32_MAX};
	struct spa_pod_sequence sequence = {.pod = {some(4) ? size - 8 : sizes[some(8)], SPA_TYPE_Sequence}};

	for (uint32_t i = 0; i < size; i++) {
		bytes[i] = (uint8_t)rand();
	}
	if (some(8) && size >= sizeof(sequence)) {
		memcpy(bytes, &sequence, sizeof(sequence));
	}
	for (uint32_t at = sizeof(sequence); at + sizeof(struct spa_pod_control) <= size; at += 24) {
		struct spa_pod_control control = {.offset = some(80),
			.type = some(2) ? SPA_CONTROL_Midi : some(5),
			.value = {
				some(8) ? 1 + some(8) : sizes[some(8)], some(8) ? SPA_TYPE_Bytes : some(20)}};

		if (some(10)) {
			memcpy(bytes + at, &control, sizeof(control));
		}
		if (some(2) && at + sizeof(control) < size) {
			bytes[at + sizeof(control)] |= 0x80;
		}
	}
}

/* Whatever other programs write there: no byte is read that is not there, and only channel messages in order come of it. */
static void test_midi_fuzz(void **state)
{
	struct rig *rig = *state;
	struct fake_port *port = &rig->in[PWRT_MIDI];
	uint8_t *end = guarded(0);
	uint64_t taken = 0;

	srand(1);
	for (unsigned round = 0; round < FUZZ_ROUNDS; round++) {
		uint32_t size = some(400);
		uint32_t last = 0;

		port->datas[0].data = end - size;
		port->datas[0].maxsize = size;
		scribble(end - size, size);
		arrive(port, 0, some(8) ? size : some(2) ? UINT32_MAX : some(size + 8));
		port->chunks[0].offset = some(8) ? 0 : some(2) ? some(size + 8) : (uint32_t)rand();
		tick(rig);
		turn(rig);
		for (unsigned i = 0; i < rig->seen.n_midi_in; i++) {
			const struct audio_midi *midi = &rig->seen.midi_in[i];

			assert_true(midi->status >= 0x80 && midi->status < 0xf0);
			assert_true(midi->data1 < 0x80 && midi->data2 < 0x80);
			assert_true(midi->frame >= last && midi->frame < PERIOD);
			last = midi->frame;
		}
		taken += rig->seen.n_midi_in;
	}
	assert_true(taken > FUZZ_ROUNDS / 4); /* some of it made sense */
	assert_int_equal(rig->n_turns, FUZZ_ROUNDS);
}

/* What came out, as other programs read it; how many. */
static unsigned read_midi(struct rig *rig, struct audio_midi *ret_midi)
{
	struct fake_port *port = &rig->out[PWRT_MIDI];
	uint32_t id = port->io.buffer_id;
	struct spa_pod *pod;
	struct spa_pod_control *control;
	unsigned n = 0;

	assert_int_equal(port->io.status, SPA_STATUS_HAVE_DATA);
	assert_int_equal(port->chunks[id].flags, 0);
	pod = spa_pod_from_data(
		port->bytes[id], port->datas[id].maxsize, port->chunks[id].offset, port->chunks[id].size);
	assert_non_null(pod);
	assert_true(spa_pod_is_sequence(pod));
	SPA_POD_SEQUENCE_FOREACH((struct spa_pod_sequence *)pod, control)
	{
		const uint8_t *bytes = SPA_POD_BODY(&control->value);
		uint32_t size = SPA_POD_BODY_SIZE(&control->value), word;

		assert_true(n < AUDIO_MIDI_MAX);
		if (!PWRT_GIVES_UMP) {
			assert_int_equal(control->type, SPA_CONTROL_Midi);
			assert_int_equal(size, (bytes[0] & 0xe0) == 0xc0 ? 2 : 3);
			ret_midi[n++] = (struct audio_midi){
				control->offset, bytes[0], bytes[1], size == 3 ? bytes[2] : 0};
			continue;
		}
		assert_int_equal(control->type, PWRT_CONTROL_UMP);
		assert_int_equal(size, sizeof(word));
		memcpy(&word, bytes, sizeof(word));
		assert_int_equal(word >> 24, 0x20);
		ret_midi[n++] = (struct audio_midi){
			control->offset, (uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word};
	}
	return n;
}

static void give(struct rig *rig, unsigned n)
{
	rig->n_give = n;
	for (unsigned i = 0; i < n && i < AUDIO_MIDI_MAX; i++) {
		rig->give[i] =
			(struct audio_midi){i / 4, (uint8_t)(0x90 | (i & 0xf)), (uint8_t)(i & 0x7f), 3};
	}
}

static void test_midi_out(void **state)
{
	struct rig *rig = *state;
	struct audio_midi midi[AUDIO_MIDI_MAX];

	tick(rig);
	turn(rig);
	assert_int_equal(read_midi(rig, midi), 0);
	give(rig, 4);
	rig->give[1] = (struct audio_midi){9, 0xc1, 77, 0};
	rig->give[2] = (struct audio_midi){9, 0xf0, 1, 2}; /* no channel's */
	rig->give[3] = (struct audio_midi){PERIOD + 5, 0xe0, 1, 2};
	tick(rig);
	turn(rig);
	assert_int_equal(read_midi(rig, midi), 3);
	assert_int_equal(midi[0].status, 0x90);
	assert_int_equal(midi[1].frame, 9);
	assert_int_equal(midi[1].status, 0xc1);
	assert_int_equal(midi[1].data1, 77);
	assert_int_equal(midi[1].data2, 0);
	assert_int_equal(midi[2].frame, PERIOD - 1);
	/* As many as there can be, and an insert that says more. */
	give(rig, AUDIO_MIDI_MAX + 100);
	tick(rig);
	turn(rig);
	assert_int_equal(read_midi(rig, midi), AUDIO_MIDI_MAX);
	for (unsigned i = 0; i < AUDIO_MIDI_MAX; i++) {
		assert_memory_equal(&midi[i], &rig->give[i], 7);
	}
}

static void test_little_room_for_midi(void **state)
{
	struct rig *rig = *state;
	struct audio_midi midi[AUDIO_MIDI_MAX];

	give(rig, 100);
	for (uint32_t room = sizeof(struct spa_pod_sequence); room < 200; room++) {
		for (unsigned id = 0; id < BUFFERS; id++) {
			rig->out[PWRT_MIDI].datas[id].maxsize = room;
			memset(rig->out[PWRT_MIDI].bytes[id], 0x55, 300);
		}
		tick(rig);
		turn(rig);
		assert_int_equal(read_midi(rig, midi), (room - sizeof(struct spa_pod_sequence)) / 24);
		assert_int_equal(rig->out[PWRT_MIDI].bytes[rig->out[PWRT_MIDI].io.buffer_id][room], 0x55);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_audio),
		TEST(test_not_linked),
		TEST(test_no_room),
		TEST(test_cycle),
		TEST(test_once_a_cycle),
		TEST(test_not_running),
		TEST(test_beside_devices),
		TEST(test_device_is_late),
		TEST(test_transport),
		TEST(test_midi_in),
		TEST(test_midi_order),
		TEST(test_midi_of_no_kind),
		TEST(test_midi_words),
		TEST(test_midi_long_words),
		TEST(test_too_much_midi),
		TEST(test_midi_fuzz),
		TEST(test_midi_out),
		TEST(test_little_room_for_midi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
