#include "insert-probe.h"

#include "base/util.h"

#include <dlfcn.h>
#include <errno.h>
#include <jack/midiport.h>
#include <stdio.h>
#include <string.h>

#define EVENTS_MAX PROBE_MIDI_FLOOD
#define EVENTS_PASS_MAX 256

struct event {
	uint32_t frame;
	unsigned size;
	jack_midi_data_t byte[4];
	bool passes; /* an insert takes it */
};

static uint32_t hash(uint32_t x)
{
	x = (x ^ (x >> 16)) * 0x7feb352dU;
	x = (x ^ (x >> 15)) * 0x846ca68bU;
	return x ^ (x >> 16);
}

float probe_value(uint32_t frame, unsigned channel)
{
	return (float)(int32_t)hash(frame * 2 + channel) * 0x1p-31f;
}

/* --- counting --- */

static void add_rt(_Atomic uint64_t *count)
{
	atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

static void count_rt(struct probe_count *count, bool good, bool silent)
{
	if (good) {
		add_rt(&count->good);
		add_rt(&count->run);
		return;
	}
	atomic_store(&count->run, 0);
	add_rt(silent ? &count->silent : &count->bad);
}

void probe_count_reset(struct probe_count *count)
{
	atomic_store(&count->run, 0);
	atomic_store(&count->good, 0);
	atomic_store(&count->silent, 0);
	atomic_store(&count->bad, 0);
}

void probe_compare_rt(
	struct probe_count *count, const float *const *in, unsigned n_in, uint32_t frame, uint32_t frames)
{
	unsigned exact = 0, silent = 0;

	for (unsigned k = 0; k < n_in; k++) {
		bool right = true, nothing = true;

		for (uint32_t i = 0; i < frames; i++) {
			float value = in[k] ? in[k][i] : 0;

			right = right && value == probe_value(frame + i, k % PROBE_CHANNELS);
			nothing = nothing && value == 0;
		}
		exact += right;
		silent += nothing;
	}
	count_rt(count, exact == n_in, exact + silent == n_in);
}

/* --- MIDI --- */

static unsigned flood_of(uint32_t frames, struct event ret_events[EVENTS_MAX])
{
	for (unsigned i = 0; i < PROBE_MIDI_FLOOD; i++) {
		ret_events[i] = (struct event){i * frames / PROBE_MIDI_FLOOD, 3,
			{0xb0, i & 0x7f, (i >> 7) & 0x7f}, i < EVENTS_PASS_MAX};
	}
	return PROBE_MIDI_FLOOD;
}

/* Each kind of message, in the order of their frames, one of them in the last frame. frames: at least 16. */
static unsigned events_of(uint32_t frame, uint32_t frames, struct event ret_events[EVENTS_MAX])
{
	uint32_t h = hash(frame), step = frames / 8, at = h % step;
	jack_midi_data_t channel = h & 15, a = (h >> 4) & 0x7f, b = (h >> 11) & 0x7f;
	const struct event events[] = {
		{at, 3, {0x90 | channel, a, b}, true},
		{at + step, 2, {0xc0 | channel, a}, true},
		{at + step, 1, {0xf8}, false},
		{at + 2 * step, 4, {0xf0, 0x7d, a, 0xf7}, false},
		{at + 3 * step, 2, {0xd0 | channel, b}, true},
		{at + 4 * step, 3, {0xf2, a, b}, false},
		{at + 5 * step, 3, {0xe0 | channel, b, a}, true},
		{frames - 1, 3, {0x80 | channel, a, b}, true},
	};

	memcpy(ret_events, events, sizeof(events));
	return ARRAY_SIZE(events);
}

static unsigned list_rt(struct probe *p, uint32_t frame, uint32_t frames, struct event ret_events[EVENTS_MAX])
{
	return atomic_load(&p->flood) ? flood_of(frames, ret_events) : events_of(frame, frames, ret_events);
}

static void play_midi_rt(struct probe *p, uint32_t frame, uint32_t frames)
{
	void *buffer = jack_port_get_buffer(p->out[PROBE_CHANNELS], frames);
	struct event events[EVENTS_MAX];
	unsigned n = list_rt(p, frame, frames, events);

	jack_midi_clear_buffer(buffer);
	for (unsigned i = 0; i < n; i++) {
		(void)jack_midi_event_write(buffer, events[i].frame, events[i].byte, events[i].size);
	}
}

static bool is_event_rt(void *buffer, uint32_t n, const struct event *want)
{
	jack_midi_event_t e;

	return jack_midi_event_get(&e, buffer, n) == 0 && e.time == want->frame && e.size == want->size &&
	       memcmp(e.buffer, want->byte, want->size) == 0;
}

static void record_midi_rt(struct probe *p, uint32_t frame, uint32_t frames)
{
	void *buffer = jack_port_get_buffer(p->in[PROBE_CHANNELS], frames);
	uint32_t n_there = jack_midi_get_event_count(buffer);
	struct event events[EVENTS_MAX];
	unsigned n = list_rt(p, frame, frames, events);
	uint32_t n_found = 0;
	bool good = true;

	for (unsigned i = 0; i < n && good; i++) {
		if (events[i].passes) {
			good = is_event_rt(buffer, n_found++, &events[i]);
		}
	}
	count_rt(&p->midi, good && n_found == n_there, n_there == 0);
}

/* --- the clients --- */

static int on_play(jack_nframes_t frames, void *data)
{
	struct probe *p = data;
	uint32_t frame = jack_last_frame_time(p->player);
	jack_position_t position = {0};

	atomic_store(&p->rolling, jack_transport_query(p->player, &position) == JackTransportRolling);
	atomic_store(&p->transport_frame, position.frame);
	atomic_store(&p->frame, frame);
	for (unsigned k = 0; k < PROBE_CHANNELS; k++) {
		float *out = jack_port_get_buffer(p->out[k], frames);

		for (uint32_t i = 0; i < frames; i++) {
			out[i] = probe_value(frame + i, k);
		}
	}
	play_midi_rt(p, frame, frames);
	return 0;
}

static int on_record(jack_nframes_t frames, void *data)
{
	struct probe *p = data;
	uint32_t frame = jack_last_frame_time(p->recorder);
	const float *in[PROBE_CHANNELS];

	for (unsigned k = 0; k < PROBE_CHANNELS; k++) {
		in[k] = jack_port_get_buffer(p->in[k], frames);
	}
	probe_compare_rt(&p->audio, in, PROBE_CHANNELS, frame, frames);
	record_midi_rt(p, frame, frames);
	return 0;
}

static int on_xrun(void *data)
{
	add_rt(&((struct probe *)data)->xruns);
	return 0;
}

static void on_shutdown(void *data)
{
}

/* libjack's own function: a trap that is preloaded is there for the backend's callback alone. */
static bool set_process(struct probe *p, jack_client_t *client, JackProcessCallback process)
{
	void *library = dlopen("libjack.so.0", RTLD_LAZY | RTLD_NOLOAD);
	int (*set)(jack_client_t *, JackProcessCallback, void *) = NULL;
	bool done;

	if (library) {
		*(void **)&set = dlsym(library, "jack_set_process_callback");
	}
	done = set && set(client, process, p) == 0;
	if (library) {
		dlclose(library);
	}
	return done;
}

static jack_client_t *open_client(struct probe *p, const char *server, const char *name,
	JackProcessCallback process, const char *port, unsigned long flags,
	jack_port_t *ret_ports[PROBE_CHANNELS + 1])
{
	jack_status_t status;
	jack_client_t *client = jack_client_open(
		name, JackNoStartServer | JackUseExactName | JackServerName, &status, server);

	if (!client) {
		return NULL;
	}
	for (unsigned k = 0; k < PROBE_CHANNELS; k++) {
		char text[16];

		snprintf(text, sizeof(text), "%s_%u", port, k + 1);
		ret_ports[k] = jack_port_register(client, text, JACK_DEFAULT_AUDIO_TYPE, flags, 0);
	}
	ret_ports[PROBE_CHANNELS] = jack_port_register(client, "midi", JACK_DEFAULT_MIDI_TYPE, flags, 0);
	jack_on_shutdown(client, on_shutdown, p);
	if (!set_process(p, client, process)) {
		jack_client_close(client);
		return NULL;
	}
	return client;
}

static bool open_both(struct probe *p, const char *server)
{
	p->player = open_client(p, server, "player", on_play, "out", JackPortIsOutput, p->out);
	if (!p->player) {
		return false;
	}
	jack_set_xrun_callback(p->player, on_xrun, p);
	p->recorder = open_client(p, server, "recorder", on_record, "in", JackPortIsInput, p->in);
	return p->recorder && jack_activate(p->player) == 0 && jack_activate(p->recorder) == 0;
}

bool probe_open(struct probe *p, const char *server, unsigned seconds)
{
	int64_t until = now_ns() + seconds * NSEC_PER_SEC;

	memset(p, 0, sizeof(*p));
	while (!open_both(p, server)) {
		probe_close(p);
		if (now_ns() >= until) {
			return false;
		}
		nanosleep(&(struct timespec){.tv_nsec = 50 * NSEC_PER_MSEC}, NULL);
	}
	return true;
}

void probe_close(struct probe *p)
{
	jack_client_t **both[] = {&p->player, &p->recorder};

	for (unsigned i = 0; i < ARRAY_SIZE(both); i++) {
		if (*both[i]) {
			jack_client_close(*both[i]);
			*both[i] = NULL;
		}
	}
}

bool probe_connect(struct probe *p, const char *from, const char *to)
{
	int r = jack_connect(p->player, from, to);

	return r == 0 || r == EEXIST;
}
