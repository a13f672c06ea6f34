#include "backend/jack-rt.h"

#include <jack/midiport.h>
#include <jack/transport.h>
#include <string.h>

static void *get_buffer_rt(_Atomic(jack_port_t *) *port, jack_nframes_t nframes)
{
	jack_port_t *p = atomic_load_explicit(port, memory_order_relaxed);

	return p ? jack_port_get_buffer(p, nframes) : NULL;
}

/*
 * What nothing is connected to is silence: JACK would fill a buffer with it in each cycle, and we would convert it. JACK2 tells
 * from the graph as it is in this cycle, as it does when it gives a buffer; so what is connected is heard from its first cycle
 * on, whenever somebody was told of it. A port that was connected gets its buffer unasked, which is right in any case.
 */
static const float *get_input_rt(
	const struct jack_rt *rt, struct jack_rt_group *group, unsigned k, jack_nframes_t nframes)
{
	jack_port_t *port = atomic_load_explicit(&group->in[k], memory_order_relaxed);
	uint32_t bit = UINT32_C(1) << k;

	if (!port) {
		return NULL;
	}
	if (rt->sees_links && (group->unconnected & bit || group->look % JACK_LOOK_CYCLES == k)) {
		if (jack_port_connected(port) == 0) {
			group->unconnected |= bit;
			return NULL;
		}
		group->unconnected &= ~bit;
	}
	return jack_port_get_buffer(port, nframes);
}

static void get_buffers_rt(const struct jack_rt *rt, struct jack_rt_group *group, jack_nframes_t nframes)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		group->audio.in[k] = get_input_rt(rt, group, k, nframes);
		group->audio.out[k] = get_buffer_rt(&group->out[k], nframes);
	}
	group->look++;
}

/* --- inserts --- */

/* Of a channel message, from its status byte; 0: it is none. */
static unsigned midi_bytes_rt(uint8_t status)
{
	if (status < 0x80 || status >= 0xf0) {
		return 0;
	}
	return (status & 0xe0) == 0xc0 ? 2 : 3;
}

static bool take_event_rt(struct audio_midi *ret_midi, const jack_midi_event_t *event, jack_nframes_t nframes)
{
	if (event->size < 2 || event->size != midi_bytes_rt(event->buffer[0])) {
		return false;
	}
	ret_midi->frame = MIN(event->time, nframes - 1);
	ret_midi->status = event->buffer[0];
	ret_midi->data1 = event->buffer[1];
	ret_midi->data2 = event->size == 3 ? event->buffer[2] : 0;
	return ((ret_midi->data1 | ret_midi->data2) & 0x80) == 0;
}

static void take_midi_rt(struct audio_insert *insert, void *buffer, jack_nframes_t nframes)
{
	uint32_t n = buffer ? jack_midi_get_event_count(buffer) : 0;
	jack_midi_event_t event;
	struct audio_midi midi;

	insert->n_midi_in = 0;
	insert->n_midi_lost = 0;
	for (uint32_t i = 0; i < n && jack_midi_event_get(&event, buffer, i) == 0; i++) {
		if (!take_event_rt(&midi, &event, nframes)) {
			continue;
		}
		if (insert->n_midi_in == AUDIO_MIDI_MAX) {
			insert->n_midi_lost++;
		} else {
			insert->midi_in[insert->n_midi_in++] = midi;
		}
	}
}

static void give_midi_rt(const struct audio_insert *insert, void *buffer)
{
	if (!buffer) {
		return;
	}
	jack_midi_clear_buffer(buffer);
	for (unsigned i = 0; i < insert->n_midi_out; i++) {
		const struct audio_midi *midi = &insert->midi_out[i];
		const jack_midi_data_t bytes[] = {midi->status, midi->data1, midi->data2};

		(void)jack_midi_event_write(buffer, midi->frame, bytes, midi_bytes_rt(midi->status));
	}
}

/* Buffers are got no sooner: what an input mixes may have been written by the insert before. */
static void run_insert_rt(struct jack_rt *rt, const struct audio_cycle *cycle, struct jack_rt_group *group)
{
	struct audio_insert *insert = group->insert;
	void *midi_out = get_buffer_rt(&group->out[JACK_INSERT_MIDI], cycle->frames);

	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		insert->in[k] = get_buffer_rt(&group->in[k], cycle->frames);
		insert->out[k] = get_buffer_rt(&group->out[k], cycle->frames);
	}
	take_midi_rt(insert, get_buffer_rt(&group->in[JACK_INSERT_MIDI], cycle->frames), cycle->frames);
	insert->n_midi_out = 0;
	rt->callbacks.insert_rt(rt->callbacks.data, cycle, insert);
	give_midi_rt(insert, midi_out);
}

/* Nobody fills these ports any more, and JACK would play the last buffer, and its notes, again and again. */
static void silence_rt(struct jack_rt_group *group, jack_nframes_t nframes)
{
	void *midi_out = get_buffer_rt(&group->out[JACK_INSERT_MIDI], nframes);

	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		float *out = get_buffer_rt(&group->out[k], nframes);

		if (out) {
			memset(out, 0, nframes * sizeof(*out));
		}
	}
	if (midi_out) {
		jack_midi_clear_buffer(midi_out);
	}
}

static void run_inserts_rt(struct jack_rt *rt, const struct jack_table *table, struct audio_cycle *cycle)
{
	jack_position_t position = {0};

	cycle->rolling = jack_transport_query(atomic_load_explicit(&rt->client, memory_order_relaxed),
				 &position) == JackTransportRolling;
	cycle->transport_frame = position.frame;
	for (unsigned i = 0; i < table->n_inserts; i++) {
		run_insert_rt(rt, cycle, table->inserts[i]);
	}
	for (unsigned i = 0; i < table->n_silent; i++) {
		silence_rt(table->silent[i], cycle->frames);
	}
}

static void process_rt(struct jack_rt *rt, jack_nframes_t nframes)
{
	struct jack_table *table;
	struct audio_cycle cycle = {
		.frames = nframes,
		.rate_hz = atomic_load_explicit(&rt->rate_hz, memory_order_relaxed),
		.now_ns = now_ns(),
		.xruns = atomic_load_explicit(&rt->xruns, memory_order_relaxed),
		.freewheel = atomic_load_explicit(&rt->freewheel, memory_order_relaxed),
	};

	table = atomic_load(&rt->table);
	if (table) {
		if (table->n_inserts + table->n_silent > 0) {
			run_inserts_rt(rt, table, &cycle);
		}
		for (unsigned i = 0; i < table->n_groups; i++) {
			get_buffers_rt(rt, table->groups[i], nframes);
		}
		cycle.n_groups = table->n_groups;
		cycle.groups = table->audio;
	}
	rt->callbacks.process_rt(rt->callbacks.data, &cycle);
}

void *jack_backend_thread_rt(void *data)
{
	struct jack_rt *rt = data;
	jack_client_t *client = atomic_load_explicit(&rt->client, memory_order_relaxed);

	/* It is libjack that ends this thread. */
	for (;;) {
		jack_nframes_t nframes = jack_cycle_wait(client);
		uint64_t begun = atomic_load_explicit(&rt->begun, memory_order_relaxed) + 1;

		/*
		 * Before the table is read, and seen before that: who replaces the table and then finds begun equal
		 * to ended knows that nobody holds the old one.
		 */
		atomic_store(&rt->begun, begun);
		process_rt(rt, nframes);
		jack_cycle_signal(client, 0);
		if (rt->callbacks.finish_rt) {
			rt->callbacks.finish_rt(rt->callbacks.data);
		}
		atomic_store_explicit(&rt->ended, begun, memory_order_release);
	}
	return NULL;
}
