/*
 * pw-clock: PipeWire clients that play the graph's clock and tell how old is what arrives.
 *
 *   pw-clock play [NAME]      a client with out_1, out_2 and midi_out; each sample says at which frame of the clock it was
 *                             played, each note as well
 *   pw-clock capture [NAME]   a client with in_1, in_2 and midi_in; each line on its input is answered with one of JSON: what
 *                             there was since the last answer. A number N: what there is in the next N frames
 */
#include "clock-sample.h"

#include <errno.h>
#include <inttypes.h>
#include <pipewire/filter.h>
#include <pipewire/pipewire.h>
#include <spa/control/control.h>
#include <spa/pod/builder.h>
#include <spa/pod/iter.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 20
/* A note each so many frames, of which it can tell 16384 apart. */
#define NOTE_FRAMES 480
#define NOTE_MASK 0x3fff

static void add_rt(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

struct client {
	bool plays;
	struct pw_loop *loop;
	struct pw_context *context;
	struct pw_core *core;
	struct pw_filter *filter;
	struct spa_hook listener;
	void *ports[3];
	struct lines lines;
	bool failed;
	uint64_t wanted; /* frames until the next report; 0: none is due */
	_Atomic uint64_t frames, exact, silent, wrong, notes, wrong_notes, cycles;
	/* Of what came; valid if there is any. */
	_Atomic int64_t age_min, age_max, note_min, note_max;
	_Atomic uint64_t last_silent; /* frames since the last sample came */
	_Atomic bool reset;
};

static void widen_rt(_Atomic int64_t *min, _Atomic int64_t *max, int64_t value, bool first)
{
	if (first || value < *min) {
		*min = value;
	}
	if (first || value > *max) {
		*max = value;
	}
}

static void play_notes_rt(struct client *c, uint64_t position, uint32_t n)
{
	struct pw_buffer *buffer = pw_filter_dequeue_buffer(c->ports[2]);
	struct spa_pod_builder b;
	struct spa_pod_frame frame;
	struct spa_data *data;

	if (!buffer) {
		return;
	}
	data = &buffer->buffer->datas[0];
	spa_pod_builder_init(&b, data->data, data->maxsize);
	spa_pod_builder_push_sequence(&b, &frame, 0);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t number = (position + i) / NOTE_FRAMES;
		uint8_t note[] = {0x90, number & 0x7f, (number >> 7) & 0x7f};

		if ((position + i) % NOTE_FRAMES == 0) {
			spa_pod_builder_control(&b, i, SPA_CONTROL_Midi);
			spa_pod_builder_bytes(&b, note, sizeof(note));
		}
	}
	spa_pod_builder_pop(&b, &frame);
	data->chunk->offset = 0;
	data->chunk->size = b.state.offset;
	data->chunk->stride = 1;
	data->chunk->flags = 0;
	pw_filter_queue_buffer(c->ports[2], buffer);
}

static void play_rt(struct client *c, uint64_t position, uint32_t n)
{
	for (unsigned k = 0; k < 2; k++) {
		float *to = pw_filter_get_dsp_buffer(c->ports[k], n);

		for (uint32_t i = 0; i < n && to; i++) {
			to[i] = sample_of(position + i, k);
		}
	}
	play_notes_rt(c, position, n);
	add_rt(&c->frames, n);
}

static void take_note_rt(struct client *c, uint64_t frame, const uint8_t *note, uint32_t size)
{
	uint64_t number = frame / NOTE_FRAMES, told;
	int64_t age;

	if (size != 3 || note[0] != 0x90) {
		add_rt(&c->wrong_notes, 1);
		return;
	}
	told = note[1] | (uint64_t)note[2] << 7;
	age = (int64_t)(((number - told) & NOTE_MASK) * NOTE_FRAMES + frame % NOTE_FRAMES);
	widen_rt(&c->note_min, &c->note_max, age, c->notes == 0);
	add_rt(&c->notes, 1);
}

static void capture_notes_rt(struct client *c, uint64_t position)
{
	struct pw_buffer *buffer = pw_filter_dequeue_buffer(c->ports[2]);
	struct spa_data *data = buffer ? &buffer->buffer->datas[0] : NULL;
	struct spa_pod *pod;
	struct spa_pod_control *control;

	if (!buffer) {
		return;
	}
	pod = spa_pod_from_data(data->data, data->maxsize, data->chunk->offset, data->chunk->size);
	if (pod && spa_pod_is_sequence(pod)) {
		SPA_POD_SEQUENCE_FOREACH((struct spa_pod_sequence *)pod, control)
		{
			if (control->type == SPA_CONTROL_Midi) {
				take_note_rt(c, position + control->offset, SPA_POD_BODY(&control->value),
					SPA_POD_BODY_SIZE(&control->value));
			}
		}
	}
	pw_filter_queue_buffer(c->ports[2], buffer);
}

static void capture_rt(struct client *c, uint64_t position, uint32_t n)
{
	for (unsigned k = 0; k < 2; k++) {
		const float *from = pw_filter_get_dsp_buffer(c->ports[k], n);

		for (uint32_t i = 0; i < n; i++) {
			int64_t age = from ? age_of(from[i], position + i, k) : 0;

			if (!from || from[i] == 0.0f) {
				add_rt(&c->silent, 1);
				add_rt(&c->last_silent, 1);
			} else if (age < 0) {
				add_rt(&c->wrong, 1);
			} else {
				widen_rt(&c->age_min, &c->age_max, age, c->exact == 0);
				add_rt(&c->exact, 1);
				c->last_silent = 0;
			}
		}
	}
	capture_notes_rt(c, position);
	add_rt(&c->frames, n);
}

static void on_process(void *data, struct spa_io_position *position)
{
	struct client *c = data;
	uint32_t n = (uint32_t)position->clock.duration;

	if (atomic_exchange(&c->reset, false)) {
		c->frames = c->exact = c->silent = c->wrong = c->notes = c->wrong_notes = c->cycles = 0;
		c->last_silent = 0;
	}
	if (c->plays) {
		play_rt(c, position->clock.position, n);
	} else {
		capture_rt(c, position->clock.position, n);
	}
	add_rt(&c->cycles, 1);
}

static void on_state(void *data, enum pw_filter_state old, enum pw_filter_state state, const char *error)
{
	struct client *c = data;

	if (state == PW_FILTER_STATE_ERROR || (state == PW_FILTER_STATE_UNCONNECTED && old > state)) {
		fprintf(stderr, "pw-clock: %s\n", error ? error : "the server is gone");
		c->failed = true;
	}
}

static const struct pw_filter_events filter_events = {
	PW_VERSION_FILTER_EVENTS,
	.state_changed = on_state,
	.process = on_process,
};

static void report(struct client *c)
{
	printf("{\"frames\":%" PRIu64 ",\"cycles\":%" PRIu64 ",\"exact\":%" PRIu64 ",\"silent\":%" PRIu64
	       ",\"wrong\":%" PRIu64 ",\"age\":[%" PRId64 ",%" PRId64 "],\"notes\":%" PRIu64
	       ",\"wrong_notes\":%" PRIu64 ",\"note_age\":[%" PRId64 ",%" PRId64 "],\"silent_now\":%" PRIu64
	       "}\n",
		c->frames, c->cycles, c->exact, c->silent, c->wrong, c->age_min, c->age_max, c->notes,
		c->wrong_notes, c->note_min, c->note_max, c->last_silent);
	fflush(stdout);
	c->reset = true;
}

static void on_input(void *data, int fd, uint32_t mask)
{
	struct client *c = data;
	char line[LINE_MAX_BYTES];

	lines_fill(&c->lines);
	while (lines_take(&c->lines, line)) {
		c->wanted = strtoul(line, NULL, 10);
		c->reset |= c->wanted > 0;
		if (c->wanted == 0) {
			report(c);
		}
	}
}

static void report_when_due(struct client *c)
{
	if (c->wanted > 0 && !c->reset && c->frames >= c->wanted) {
		c->wanted = 0;
		report(c);
	}
}

static int add_client_ports(struct client *c)
{
	static const char *const names[2][3] = {{"in_1", "in_2", "midi_in"}, {"out_1", "out_2", "midi_out"}};

	for (unsigned k = 0; k < 3; k++) {
		c->ports[k] =
			pw_filter_add_port(c->filter, c->plays ? PW_DIRECTION_OUTPUT : PW_DIRECTION_INPUT,
				PW_FILTER_PORT_FLAG_MAP_BUFFERS, 1,
				pw_properties_new(PW_KEY_FORMAT_DSP,
					k == 2 ? "8 bit raw midi" : "32 bit float mono audio",
					PW_KEY_PORT_NAME, names[c->plays][k], NULL),
				NULL, 0);
		if (!c->ports[k]) {
			return -errno;
		}
	}
	return pw_filter_connect(c->filter, PW_FILTER_FLAG_RT_PROCESS, NULL, 0);
}

/* With realtime priority, for which older versions have to be asked. */
static int join(struct client *c, const char *name)
{
	struct pw_properties *props = pw_properties_new(PW_KEY_APP_NAME, "pw-clock", NULL);

#if !PW_CHECK_VERSION(1, 4, 0)
	pw_properties_set(props, PW_KEY_CONFIG_NAME, "client-rt.conf");
#endif
	c->loop = pw_loop_new(NULL);
	c->context = pw_context_new(c->loop, props, 0);
	c->core = c->context ? pw_context_connect(c->context, NULL, 0) : NULL;
	if (!c->core) {
		return -errno;
	}
	c->filter = pw_filter_new(c->core, name,
		pw_properties_new(PW_KEY_NODE_NAME, name, PW_KEY_NODE_WANT_DRIVER, "true",
			PW_KEY_NODE_ALWAYS_PROCESS, "true", NULL));
	if (!c->filter) {
		return -errno;
	}
	pw_filter_add_listener(c->filter, &c->listener, &filter_events, c);
	return add_client_ports(c);
}

static int run_client(const char *name, bool plays)
{
	static struct client c;

	c.plays = plays;
	pw_init(NULL, NULL);
	if (join(&c, name) < 0) {
		fprintf(stderr, "pw-clock: cannot join: %s\n", strerror(errno));
		return 1;
	}
	pw_loop_enter(c.loop);
	pw_loop_add_io(c.loop, STDIN_FILENO, SPA_IO_IN | SPA_IO_HUP, false, on_input, &c);
	while (!c.lines.over && !c.failed) {
		(void)pw_loop_iterate(c.loop, POLL_MS);
		report_when_due(&c);
	}
	pw_filter_destroy(c.filter);
	pw_core_disconnect(c.core);
	pw_loop_leave(c.loop);
	pw_context_destroy(c.context);
	pw_loop_destroy(c.loop);
	pw_deinit();
	return c.failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "play") == 0 || strcmp(mode, "capture") == 0) {
		return run_client(argc > 2 ? argv[2] : mode, mode[0] == 'p');
	}
	fputs("usage: pw-clock play|capture [NAME]\n", stderr);
	return 2;
}
