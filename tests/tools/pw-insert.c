/*
 * pw-insert: inserts and devices in a PipeWire graph without the daemon: the backend with inserts that give back what comes in.
 * Commands are lines on its input, each is answered with one line of JSON:
 *
 *   client NAME LATENCY [IN1 IN2 OUT1 OUT2]   send_1, send_2, midi, return_1, return_2, midi_out; IN1 … are ports to connect
 *                                             them to, "-" none
 *   slot NAME LATENCY                         receive_1, receive_2, midi, reply_1, reply_2: nothing passes through
 *   device NAME                               playback_1 … playback_8
 *   stamp NAME                                an insert that gives out the number of its turn
 *   latency NAME FRAMES, remove NAME, link PORT OTHER, links, status, stop, start
 *   quit                                      takes all down in an orderly way
 */
#include "backend/backend.h"
#include "clock-sample.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 32
#define LOOK_MS 100

struct member {
	char name[128];
	bool insert;
	bool stamps;
	struct backend_group *group; /* NULL: free */
	_Atomic uint64_t turns;
	_Atomic uint64_t frames;
	_Atomic uint64_t midi;
	_Atomic uint64_t fed;	  /* frames with something on channel 1 */
	_Atomic uint64_t breaks;  /* samples of channel 1 that do not follow on the one before */
	_Atomic uint64_t hops[3]; /* device: stamps of this cycle, of the one before, and older */
	_Atomic uint32_t quantum_min, quantum_max;
	_Atomic uint64_t rolling;
	float last;
};

struct server {
	struct backend *backend;
	struct member members[GROUPS_MAX];
	bool want;
	bool quit;
	uint64_t stamp; /* the data loop's */
};

static void add_rt(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static void note_cycle_rt(struct member *m, const struct audio_cycle *cycle)
{
	add_rt(&m->turns, 1);
	add_rt(&m->frames, cycle->frames);
	add_rt(&m->rolling, cycle->rolling ? 1 : 0);
	if (m->quantum_min == 0 || cycle->frames < m->quantum_min) {
		m->quantum_min = cycle->frames;
	}
	if (cycle->frames > m->quantum_max) {
		m->quantum_max = cycle->frames;
	}
}

/* Follows what pw-insert play plays; silence and the first sample after it are no break. */
static void follow_rt(struct member *m, const float *in, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		float value = in ? in[i] : 0.0f;
		bool follows = (uint32_t)(value * CLOCK_SCALE) >> CHANNEL_BITS ==
			       (((uint32_t)(m->last * CLOCK_SCALE) >> CHANNEL_BITS) + 1) % (CLOCK_MASK + 1);

		add_rt(&m->fed, value > 0 ? 1 : 0);
		add_rt(&m->breaks, value > 0 && m->last > 0 && !follows ? 1 : 0);
		m->last = value;
	}
}

static void insert_rt(void *data, const struct audio_cycle *cycle, struct audio_insert *insert)
{
	struct server *s = data;
	struct member *m = insert->owner;

	note_cycle_rt(m, cycle);
	s->stamp += m->stamps ? 1 : 0;
	follow_rt(m, insert->in[0], cycle->frames);
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		for (uint32_t i = 0; i < cycle->frames && insert->out[k]; i++) {
			float echo = insert->in[k] ? insert->in[k][i] : 0.0f;

			insert->out[k][i] = m->stamps ? (float)s->stamp : echo;
		}
	}
	memcpy(insert->midi_out, insert->midi_in, insert->n_midi_in * sizeof(insert->midi_in[0]));
	insert->n_midi_out = insert->n_midi_in;
	add_rt(&m->midi, insert->n_midi_in);
}

static void process_rt(void *data, const struct audio_cycle *cycle)
{
	struct server *s = data;

	for (unsigned g = 0; g < cycle->n_groups; g++) {
		const struct audio_group *group = cycle->groups[g];
		struct member *m = group->owner;

		note_cycle_rt(m, cycle);
		follow_rt(m, group->in[0], cycle->frames);
		if (group->in[2] && group->in[2][0] > 0) {
			uint64_t age = s->stamp - (uint64_t)group->in[2][0];

			add_rt(&m->hops[age > 2 ? 2 : age], 1);
		}
	}
}

static struct member *find(struct server *s, const char *name)
{
	for (unsigned i = 0; i < GROUPS_MAX; i++) {
		if (s->members[i].group && strcmp(s->members[i].name, name) == 0) {
			return &s->members[i];
		}
	}
	return NULL;
}

static const char *port_or_null(const char *text)
{
	return text[0] == '\0' || strcmp(text, "-") == 0 ? NULL : text;
}

static const struct backend_insert_ports client_ports = {
	.in = {"send_1", "send_2"},
	.out = {"return_1", "return_2"},
	.midi_in = "midi",
	.midi_out = "midi_out",
	.through = true,
};
static const struct backend_insert_ports slot_ports = {
	.in = {"reply_1", "reply_2"},
	.out = {"receive_1", "receive_2"},
	.midi_out = "midi",
};

static int add(struct server *s, const char *kind, const char *name, uint32_t latency, char (*connect)[128])
{
	struct backend_insert_ports insert = strcmp(kind, "slot") == 0 ? slot_ports : client_ports;
	bool device = strcmp(kind, "device") == 0;
	struct backend_ports ports = {.name = name,
		.playback = device,
		.latency_frames = latency,
		.insert = device ? NULL : &insert};
	struct member *m = s->members;

	while (m < s->members + GROUPS_MAX && m->group) {
		m++;
	}
	if (m == s->members + GROUPS_MAX || find(s, name)) {
		return -EEXIST;
	}
	memset(m, 0, sizeof(*m));
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->insert = !device;
	m->stamps = strcmp(kind, "stamp") == 0;
	ports.owner = m;
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		insert.connect_in[k] = port_or_null(connect[k]);
		insert.connect_out[k] = port_or_null(connect[AUDIO_INSERT_CHANNELS + k]);
	}
	return backend_add_ports(s->backend, &ports, &m->group);
}

static void print_link(void *data, const char *port, const char *other)
{
	bool *more = data;

	printf("%s\"%s %s\"", *more ? "," : "", port, other);
	*more = true;
}

static void print_member(const struct member *m)
{
	printf("\"%s\":{\"turns\":%" PRIu64 ",\"frames\":%" PRIu64 ",\"midi\":%" PRIu64 ",\"fed\":%" PRIu64
	       ",\"breaks\":%" PRIu64 ",\"hops\":[%" PRIu64 ",%" PRIu64 ",%" PRIu64
	       "],\"quantum\":[%u,%u],\"rolling\":%" PRIu64 "}",
		m->name, m->turns, m->frames, m->midi, m->fed, m->breaks, m->hops[0], m->hops[1], m->hops[2],
		m->quantum_min, m->quantum_max, m->rolling);
}

static void print_status(struct server *s)
{
	static const char *const states[] = {
		[BACKEND_OFF] = "off",
		[BACKEND_WAITING] = "waiting",
		[BACKEND_OPEN] = "open",
		[BACKEND_READY] = "ready",
		[BACKEND_JOINED] = "joined",
		[BACKEND_LEAVING] = "leaving",
	};
	struct backend_info info;
	bool more = false;

	backend_get_info(s->backend, &info);
	printf("{\"state\":\"%s\",\"rate\":%u,\"period\":%u,\"xruns\":%" PRIu64 ",\"cycles\":%" PRIu64
	       ",\"rt_priority\":%d,\"members\":{",
		states[info.state], info.rate_hz, info.period_frames, info.xruns, info.cycles,
		info.rt_priority);
	for (unsigned i = 0; i < GROUPS_MAX; i++) {
		if (s->members[i].group) {
			fputs(more ? "," : "", stdout);
			print_member(&s->members[i]);
			more = true;
		}
	}
	printf("}}\n");
}

static int command(struct server *s, const char *line)
{
	char verb[16] = "", name[128] = "", third[128] = "", connect[4][128] = {""};
	struct member *m;
	bool more = false;

	sscanf(line, "%15s %127s %127s %127s %127s %127s %127s", verb, name, third, connect[0], connect[1],
		connect[2], connect[3]);
	m = find(s, name);
	if (strcmp(verb, "status") == 0) {
		print_status(s);
		return 1;
	}
	if (strcmp(verb, "links") == 0) {
		printf("[");
		backend_get_links(s->backend, print_link, &more);
		printf("]\n");
		return 1;
	}
	if (strcmp(verb, "link") == 0) {
		backend_add_link(s->backend, name, third);
	} else if (strcmp(verb, "stop") == 0) {
		s->want = false;
		backend_stop(s->backend);
	} else if (strcmp(verb, "start") == 0) {
		s->want = true;
	} else if (strcmp(verb, "quit") == 0) {
		s->quit = true;
	} else if (strcmp(verb, "latency") == 0 && m) {
		backend_set_latency(s->backend, m->group, (uint32_t)atoi(third));
	} else if (strcmp(verb, "remove") == 0 && m) {
		backend_remove_ports(s->backend, m->group);
		m->group = NULL;
	} else if (strcmp(verb, "client") == 0 || strcmp(verb, "slot") == 0 || strcmp(verb, "device") == 0 ||
		   strcmp(verb, "stamp") == 0) {
		return add(s, verb, name, (uint32_t)atoi(third), connect);
	} else {
		return -EINVAL;
	}
	return 0;
}

/* As the daemon does: runs when it may, and joins again when the server has gone. */
static void keep_joined(struct server *s)
{
	struct backend_info info;

	backend_get_info(s->backend, &info);
	if (info.state == BACKEND_READY) {
		backend_run(s->backend);
	} else if (info.state == BACKEND_OFF && s->want) {
		backend_start(s->backend);
	}
}

int main(void)
{
	static struct server s = {.want = true};
	struct backend_callbacks callbacks = {.process_rt = process_rt, .data = &s, .insert_rt = insert_rt};
	struct lines lines = {.n = 0};
	char line[LINE_MAX_BYTES];
	int r = backend_pipewire_new("ethlink", &callbacks, &s.backend);

	if (r < 0) {
		fprintf(stderr, "pw-insert: %s\n", strerror(-r));
		return 1;
	}
	while (!lines.over && !s.quit) {
		struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			{.fd = backend_fd(s.backend), .events = POLLIN}};

		(void)poll(fds, 2, LOOK_MS);
		(void)backend_dispatch(s.backend);
		if (fds[0].revents) {
			lines_fill(&lines);
		}
		while (lines_take(&lines, line)) {
			r = command(&s, line);
			if (r <= 0) {
				printf("{\"error\":%d}\n", -r);
			}
			fflush(stdout);
		}
		keep_joined(&s);
	}
	backend_stop(s.backend);
	backend_free(s.backend);
	return 0;
}
