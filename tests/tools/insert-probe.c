#include "insert-probe.h"

#include "base/util.h"

#include <errno.h>
#include <jack/metadata.h>
#include <jack/midiport.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPEN_S 20
#define EVENTS_MAX PROBE_MIDI_FLOOD
#define EVENTS_PASS_MAX 256

enum request_kind {
	REQUEST_OPEN,
	REQUEST_CLOSE,
	REQUEST_CONNECT,
	REQUEST_COUNT,
	REQUEST_PORT,
	REQUEST_PROPERTY,
	REQUEST_RECOMPUTE,
	REQUEST_PERIOD,
	REQUEST_TRANSPORT,
};

struct request {
	enum request_kind kind;
	char a[PROBE_TEXT_MAX];
	char b[PROBE_TEXT_MAX];
	char c[PROBE_TEXT_MAX];
	uint32_t frames;
	bool rolling;
};

struct reply {
	bool done;
	unsigned count;
	struct probe_port port;
};

/* In the player's or the recorder's process. */
static struct {
	struct probe *probe;
	bool plays;
	jack_client_t *client; /* NULL: not open */
	jack_port_t *port[PROBE_CHANNELS + 1];
} me;

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
	void *buffer = jack_port_get_buffer(me.port[PROBE_CHANNELS], frames);
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
	void *buffer = jack_port_get_buffer(me.port[PROBE_CHANNELS], frames);
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
	uint32_t frame = jack_last_frame_time(me.client);
	jack_position_t position = {0};

	atomic_store(&p->rolling, jack_transport_query(me.client, &position) == JackTransportRolling);
	atomic_store(&p->transport_frame, position.frame);
	atomic_store(&p->frame, frame);
	for (unsigned k = 0; k < PROBE_CHANNELS; k++) {
		float *out = jack_port_get_buffer(me.port[k], frames);

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
	uint32_t frame = jack_last_frame_time(me.client);
	const float *in[PROBE_CHANNELS];

	for (unsigned k = 0; k < PROBE_CHANNELS; k++) {
		in[k] = jack_port_get_buffer(me.port[k], frames);
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

static void ignore_text(const char *text)
{
}

/* --- in the processes --- */

static void close_client(void)
{
	if (me.client) {
		jack_client_close(me.client);
		me.client = NULL;
	}
}

static bool open_client(const char *server)
{
	const char *name = me.plays ? "player" : "recorder";
	jack_status_t status;

	me.client = jack_client_open(
		name, JackNoStartServer | JackUseExactName | JackServerName, &status, server);
	if (!me.client) {
		return false;
	}
	for (unsigned k = 0; k <= PROBE_CHANNELS; k++) {
		const char *type = k == PROBE_CHANNELS ? JACK_DEFAULT_MIDI_TYPE : JACK_DEFAULT_AUDIO_TYPE;
		char text[16] = "midi";

		if (k < PROBE_CHANNELS) {
			snprintf(text, sizeof(text), me.plays ? "out_%u" : "in_%u", k + 1);
		}
		me.port[k] = jack_port_register(
			me.client, text, type, me.plays ? JackPortIsOutput : JackPortIsInput, 0);
	}
	jack_set_process_callback(me.client, me.plays ? on_play : on_record, me.probe);
	if (me.plays) {
		jack_set_xrun_callback(me.client, on_xrun, me.probe);
	}
	jack_on_shutdown(me.client, on_shutdown, NULL);
	if (jack_activate(me.client) != 0) {
		close_client();
	}
	return me.client;
}

static bool open_in_time(const char *server)
{
	int64_t until = now_ns() + OPEN_S * NSEC_PER_SEC;

	while (!open_client(server)) {
		if (now_ns() >= until) {
			return false;
		}
		nanosleep(&(struct timespec){.tv_nsec = 50 * NSEC_PER_MSEC}, NULL);
	}
	return true;
}

static bool connect_ports(const char *from, const char *to)
{
	int r = jack_connect(me.client, from, to);

	return r == 0 || r == EEXIST;
}

static unsigned count_ports(const char *pattern)
{
	const char **names = jack_get_ports(me.client, pattern, NULL, 0);
	unsigned n = 0;

	while (names && names[n]) {
		n++;
	}
	jack_free(names);
	return n;
}

static bool get_port(const char *name, struct probe_port *ret_port)
{
	jack_port_t *port = jack_port_by_name(me.client, name);

	if (!port) {
		return false;
	}
	ret_port->flags = (unsigned long)jack_port_flags(port);
	ret_port->midi = strcmp(jack_port_type(port), JACK_DEFAULT_MIDI_TYPE) == 0;
	jack_port_get_latency_range(port, JackCaptureLatency, &ret_port->latency[JackCaptureLatency]);
	jack_port_get_latency_range(port, JackPlaybackLatency, &ret_port->latency[JackPlaybackLatency]);
	return true;
}

static bool has_property(const char *name, const char *key, const char *want)
{
	jack_port_t *port = jack_port_by_name(me.client, name);
	char *value = NULL, *type = NULL;
	bool same = port && jack_get_property(jack_port_uuid(port), key, &value, &type) == 0 &&
		    strcmp(value, want) == 0;

	jack_free(value);
	jack_free(type);
	return same;
}

static bool set_transport(uint32_t frame, bool rolling)
{
	bool done;

	if (!rolling) {
		jack_transport_stop(me.client);
	}
	done = jack_transport_locate(me.client, frame) == 0;
	if (rolling) {
		jack_transport_start(me.client);
	}
	return done;
}

static void answer(const struct request *request, struct reply *ret_reply)
{
	switch (request->kind) {
	case REQUEST_OPEN:
		ret_reply->done = open_in_time(request->a);
		break;
	case REQUEST_CLOSE:
		close_client();
		ret_reply->done = true;
		break;
	case REQUEST_CONNECT:
		ret_reply->done = connect_ports(request->a, request->b);
		break;
	case REQUEST_COUNT:
		ret_reply->count = count_ports(request->a);
		ret_reply->done = true;
		break;
	case REQUEST_PORT:
		ret_reply->done = get_port(request->a, &ret_reply->port);
		break;
	case REQUEST_PROPERTY:
		ret_reply->done = has_property(request->a, request->b, request->c);
		break;
	case REQUEST_RECOMPUTE:
		ret_reply->done = jack_recompute_total_latencies(me.client) == 0;
		break;
	case REQUEST_PERIOD:
		ret_reply->done = jack_set_buffer_size(me.client, request->frames) == 0;
		break;
	case REQUEST_TRANSPORT:
		ret_reply->done = set_transport(request->frames, request->rolling);
		break;
	}
}

/* Until the program ends. What is preloaded into it is to report for the program alone, so nothing is done at the exit. */
__attribute__((noreturn)) static void serve(int fd)
{
	struct request request;

	jack_set_error_function(ignore_text);
	jack_set_info_function(ignore_text);
	while (recv(fd, &request, sizeof(request), 0) == (ssize_t)sizeof(request)) {
		struct reply reply = {0};

		answer(&request, &reply);
		if (send(fd, &reply, sizeof(reply), MSG_NOSIGNAL) < 0) {
			break;
		}
	}
	close_client();
	_exit(0);
}

/* --- in the program --- */

static bool start_peer(struct probe *p, struct probe_peer *peer, bool plays)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		return false;
	}
	peer->pid = fork();
	if (peer->pid == 0) {
		close(fds[0]);
		if (!plays) {
			close(p->player.fd);
		}
		me.probe = p;
		me.plays = plays;
		serve(fds[1]);
	}
	close(fds[1]);
	if (peer->pid < 0) {
		peer->pid = 0;
		close(fds[0]);
		return false;
	}
	peer->fd = fds[0];
	return true;
}

static void end_peer(struct probe_peer *peer)
{
	if (peer->pid > 0) {
		close(peer->fd);
		waitpid(peer->pid, NULL, 0);
	}
}

struct probe *probe_new(void)
{
	struct probe *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		return NULL;
	}
	if (!start_peer(p, &p->player, true) || !start_peer(p, &p->recorder, false)) {
		probe_free(p);
		return NULL;
	}
	return p;
}

void probe_free(struct probe *p)
{
	if (p) {
		end_peer(&p->player);
		end_peer(&p->recorder);
		munmap(p, sizeof(*p));
	}
}

static bool ask(struct probe_peer *peer, const struct request *request, struct reply *ret_reply)
{
	return send(peer->fd, request, sizeof(*request), MSG_NOSIGNAL) == (ssize_t)sizeof(*request) &&
	       recv(peer->fd, ret_reply, sizeof(*ret_reply), 0) == (ssize_t)sizeof(*ret_reply) &&
	       ret_reply->done;
}

static struct request request_of(enum request_kind kind, const char *a, const char *b, const char *c)
{
	struct request request = {.kind = kind};

	snprintf(request.a, sizeof(request.a), "%s", a ? a : "");
	snprintf(request.b, sizeof(request.b), "%s", b ? b : "");
	snprintf(request.c, sizeof(request.c), "%s", c ? c : "");
	return request;
}

bool probe_open(struct probe *p, const char *server)
{
	struct request request = request_of(REQUEST_OPEN, server, NULL, NULL);
	struct reply reply;

	atomic_store(&p->xruns, 0);
	probe_count_reset(&p->audio);
	probe_count_reset(&p->midi);
	return ask(&p->player, &request, &reply) && ask(&p->recorder, &request, &reply);
}

void probe_close(struct probe *p)
{
	struct request request = request_of(REQUEST_CLOSE, NULL, NULL, NULL);
	struct reply reply;

	(void)ask(&p->player, &request, &reply);
	(void)ask(&p->recorder, &request, &reply);
}

bool probe_connect(struct probe *p, const char *from, const char *to)
{
	struct request request = request_of(REQUEST_CONNECT, from, to, NULL);
	struct reply reply;

	return ask(&p->player, &request, &reply);
}

unsigned probe_count_ports(struct probe *p, const char *pattern)
{
	struct request request = request_of(REQUEST_COUNT, pattern, NULL, NULL);
	struct reply reply = {0};

	(void)ask(&p->player, &request, &reply);
	return reply.count;
}

bool probe_get_port(struct probe *p, const char *name, struct probe_port *ret_port)
{
	struct request request = request_of(REQUEST_PORT, name, NULL, NULL);
	struct reply reply = {0};
	bool done = ask(&p->player, &request, &reply);

	*ret_port = reply.port;
	return done;
}

bool probe_has_property(struct probe *p, const char *port, const char *key, const char *value)
{
	struct request request = request_of(REQUEST_PROPERTY, port, key, value);
	struct reply reply;

	return ask(&p->player, &request, &reply);
}

bool probe_recompute_latencies(struct probe *p)
{
	struct request request = {.kind = REQUEST_RECOMPUTE};
	struct reply reply;

	return ask(&p->player, &request, &reply);
}

bool probe_set_period(struct probe *p, uint32_t frames)
{
	struct request request = {.kind = REQUEST_PERIOD, .frames = frames};
	struct reply reply;

	return ask(&p->player, &request, &reply);
}

bool probe_set_transport(struct probe *p, uint32_t frame, bool rolling)
{
	struct request request = {.kind = REQUEST_TRANSPORT, .frames = frame, .rolling = rolling};
	struct reply reply;

	return ask(&p->player, &request, &reply);
}
