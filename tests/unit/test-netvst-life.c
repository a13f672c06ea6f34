/*
 * A [netvst] section's life: from the configuration over ports and connection to a latency, through reloads, and to its end.
 * The graph is the null backend, whose cycles the test makes in real time; the sockets are real, on 127.0.0.1. A plug-in
 * server of the test's own, a thread, sends back what it gets.
 */
#include "daemon/netvst-internal.h"

#include "base/util.h"
#include "daemon/conf-internal.h"
#include "daemon/state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define RATE 48000
#define PERIOD 256
#define PATIENCE_NS (10 * NSEC_PER_SEC)
#define SECTIONS 2

struct world {
	struct manager m;
	int64_t cycle_ns; /* when the next one is due */
	uint16_t port;	  /* of the server's section */
	uint16_t echo_port;
	int echo_fd;
	pthread_t echo;
	_Atomic bool ends;
	float send[AUDIO_INSERT_CHANNELS][PERIOD];
	float back[AUDIO_INSERT_CHANNELS][PERIOD];
};

/* --- a graph that turns --- */

static void process_rt(void *data, const struct audio_cycle *cycle)
{
}

static struct {
	unsigned n;
	enum log_level level;
	char text[512];
} said;

static void keep_line(const struct log_entry *entry)
{
	said.n++;
	said.level = entry->level;
	snprintf(said.text, sizeof(said.text), "%s", entry->text);
}

/* --- a plug-in server --- */

/* A socket that listens; its port. */
static int listen_anywhere(uint16_t *ret_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(listen(fd, 8), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

struct echo {
	struct netvst_parser parser;
	struct netvst_block block;
	uint8_t in[65536];
	uint8_t out[NETVST_BYTES_MAX];
};

/* False: they do not understand each other, or the peer has gone. */
static bool echo_bytes(struct echo *e, int fd, enum netvst_dialect dialect, size_t n)
{
	for (size_t at = 0; at < n;) {
		size_t used = 0;
		int r = netvst_parse(&e->parser, e->in + at, n - at, &used, &e->block);
		int len;

		at += used;
		if (r < 0) {
			return false;
		}
		if (r == 0) {
			continue;
		}
		e->block.n_midi = 0;
		e->block.n_params = 0;
		len = netvst_write(
			e->out, sizeof(e->out), dialect, NETVST_REPLY, NETVST_PCM, NULL, &e->block);
		if (len < 0 || send(fd, e->out, (size_t)len, MSG_NOSIGNAL) != len) {
			return false;
		}
	}
	return true;
}

static bool readable(struct world *w, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (!w->ends && poll(&p, 1, 20) == 0) {
	}
	return !w->ends;
}

/* One after the other. An audiokit header begins with more frames than a block of these tests has: bit 15 is set. */
static void *echo_main(void *data)
{
	struct world *w = data;
	struct echo *e = calloc(1, sizeof(*e));

	while (e && readable(w, w->echo_fd)) {
		int fd = accept(w->echo_fd, NULL, NULL);
		enum netvst_dialect dialect = NETVST_2017;
		ssize_t n;

		for (bool first = true; readable(w, fd); first = false) {
			n = recv(fd, e->in, sizeof(e->in), 0);
			if (n < 2) {
				break;
			}
			if (first) {
				dialect = e->in[1] & 0x80 ? NETVST_AUDIOKIT : NETVST_2017;
				netvst_parser_init(&e->parser, dialect, NETVST_REQUEST, false, NULL);
			}
			if (!echo_bytes(e, fd, dialect, (size_t)n)) {
				break;
			}
		}
		close(fd);
	}
	free(e);
	return NULL;
}

/* --- a daemon with two sections --- */

static struct conf *load(const struct world *w, const char *client, const char *server)
{
	struct conf *conf = NULL;
	char text[1024];

	snprintf(text, sizeof(text),
		"[netvst fx]\nrole=client\nhost=127.0.0.1\nport=%u\n%s\n"
		"[netvst daw]\nrole=server\nport=%u\n%s\n",
		w->echo_port, client, w->port, server);
	assert_int_equal(conf_load_text("t", text, strlen(text), NULL, NULL, &conf), 0);
	return conf;
}

static void take_info(struct world *w)
{
	backend_get_info(w->m.backend, &w->m.info);
}

static struct netvst *section(struct world *w, unsigned i)
{
	return w->m.netvsts[i];
}

static void set_buffers(struct world *w)
{
	float *const back[] = {w->back[0], w->back[1]};
	const float *const send[] = {w->send[0], w->send[1]};

	if (section(w, 0)->phase < NETVST_DYING) {
		backend_null_set_insert_buffers(section(w, 0)->parts[0].group, send, back);
	}
}

static void sleep_until(int64_t ns)
{
	const struct timespec ts = {.tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR) {
	}
}

/* One cycle, and what the daemon does between two. */
static void turn(struct world *w)
{
	sleep_until(w->cycle_ns);
	set_buffers(w);
	backend_null_cycle(w->m.backend, now_ns());
	w->cycle_ns += (int64_t)PERIOD * NSEC_PER_SEC / RATE;
	for (unsigned i = 0; i < w->m.n_netvsts; i++) {
		netvst_update(section(w, i), now_ns());
	}
}

#define turn_until(w, condition)                                                                             \
	do {                                                                                                 \
		int64_t until_ns = now_ns() + PATIENCE_NS;                                                   \
		while (!(condition)) {                                                                       \
			if (now_ns() > until_ns) {                                                           \
				fail_msg("in vain: %s", #condition);                                         \
			}                                                                                    \
			turn(w);                                                                             \
		}                                                                                            \
	} while (0)

static void join(struct world *w, bool on)
{
	if (!on) {
		w->m.connected = false;
		backend_stop(w->m.backend);
	} else {
		backend_start(w->m.backend);
	}
	w->m.running = on;
	for (unsigned i = 0; i < w->m.n_netvsts; i++) {
		netvst_set_running(section(w, i), on);
	}
	if (on) {
		backend_run(w->m.backend);
		w->m.connected = true;
	}
	take_info(w);
	for (unsigned i = 0; i < w->m.n_netvsts; i++) {
		netvst_format_changed(section(w, i));
	}
	w->cycle_ns = now_ns();
}

/* Of the sections of this configuration, the first n. */
static struct world *world_new_n(const char *client, const char *server, unsigned n)
{
	const struct backend_callbacks callbacks = {.process_rt = process_rt, .insert_rt = insert_process_rt};
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	/* Of the server's, nobody makes use before it does: it is free, and stays so for a moment. */
	close(listen_anywhere(&w->port));
	w->echo_fd = listen_anywhere(&w->echo_port);
	assert_int_equal(pthread_create(&w->echo, NULL, echo_main, w), 0);
	w->m.conf = load(w, client, server);
	assert_int_equal(backend_null_new(RATE, PERIOD, &callbacks, &w->m.backend), 0);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(netvst_new(&w->m, w->m.conf, &w->m.conf->netvsts[i], &w->m.netvsts[i]), 0);
		w->m.n_netvsts++;
	}
	join(w, true);
	return w;
}

static struct world *world_new(const char *client, const char *server)
{
	return world_new_n(client, server, SECTIONS);
}

static void world_free(struct world *w)
{
	join(w, false);
	while (w->m.n_netvsts > 0) {
		netvst_free(w->m.netvsts[--w->m.n_netvsts]);
	}
	for (unsigned i = 0; i < MANAGER_ROLES; i++) {
		netvst_io_free(w->m.ios[i]);
	}
	backend_free(w->m.backend);
	conf_unref(w->m.conf);
	w->ends = true;
	assert_int_equal(pthread_join(w->echo, NULL), 0);
	close(w->echo_fd);
	free(w);
}

static void reload(struct world *w, const char *client, const char *server)
{
	struct conf *conf = load(w, client, server);

	for (unsigned i = 0; i < w->m.n_netvsts; i++) {
		netvst_configure(section(w, i), conf, &conf->netvsts[i]);
	}
	conf_unref(w->m.conf);
	w->m.conf = conf;
}

/* Of what the client gets back. */
static float peak(struct world *w)
{
	float max = 0;

	for (unsigned i = 0; i < PERIOD; i++) {
		max = fmaxf(max, fabsf(w->back[0][i]));
	}
	return max;
}

static void play(struct world *w, float level)
{
	for (unsigned i = 0; i < PERIOD; i++) {
		w->send[0][i] = w->send[1][i] = level;
	}
}

/* --- the tests --- */

static void test_client(void **state)
{
	struct world *w = world_new("block=64\n", "slots=1\n");
	struct netvst *client = section(w, 0);

	assert_string_equal(client->parts[0].name, "fx");
	turn_until(w, client->state == NETVST_MEASURING);
	assert_int_equal(client->policy.frames, 0);
	turn_until(w, client->state == NETVST_ONLINE);
	assert_true(client->policy.frames >= insert_latency_frames(64, PERIOD, 1));
	assert_int_equal(client->parts[0].latency_frames, client->policy.frames);
	assert_true(client->policy.trip_ns > 0);
	/* All the way there and back. */
	play(w, 0.5f);
	turn_until(w, peak(w) == 0.5f);
	world_free(w);
}

/* The client's section knocks at the server's. */
static void test_server(void **state)
{
	struct world *w = world_new("block=64\n", "slots=2\n");
	struct netvst *server = section(w, 1);

	assert_string_equal(server->parts[0].name, "daw-1");
	assert_string_equal(server->parts[1].name, "daw-2");
	turn_until(w, server->state == NETVST_LISTENING);
	assert_int_equal(server->server_status.port, w->port);
	w->echo_port = w->port;
	reload(w, "block=64\n", "slots=2\n");
	turn_until(w, server->server_status.slots[0].connected);
	turn_until(w, server->server_status.slots[0].block_frames == 64);
	/* 2 ms wait, the block comes at once, and one cycle takes a period. */
	assert_int_equal(server->policy.frames, 96);
	turn_until(w, server->parts[0].latency_frames == 64 + 96 + PERIOD);
	assert_int_equal(server->parts[1].latency_frames, 96);
	/* Who may connect is another question: a new server answers it. */
	reload(w, "block=64\n", "slots=2\nallow=10.0.0.0/8\n");
	turn_until(w, server->server_status.refused_address > 0);
	turn_until(w, section(w, 0)->state == NETVST_CONNECTING);
	world_free(w);
}

static void test_gains(void **state)
{
	struct world *w = world_new("block=64\nlatency=2000\n", "slots=1\n");
	struct netvst *client = section(w, 0);

	/* One that is given is in force at once. */
	assert_int_equal(client->policy.frames, 2000);
	turn_until(w, client->state == NETVST_ONLINE);
	play(w, 0.25f);
	turn_until(w, peak(w) == 0.25f);
	assert_int_equal(netvst_set_gain(client, 1, 12), 0);
	turn_until(w, fabsf(peak(w) - 0.25f * powf(10, 0.6f)) < 1e-4f);
	assert_int_equal(netvst_set_gain(client, 2, -12), 0);
	turn_until(w, fabsf(peak(w) - 0.25f) < 1e-4f);
	assert_int_equal(netvst_set_mute(client, 2, true), 0);
	turn_until(w, peak(w) == 0);
	netvst_reset(client);
	turn_until(w, peak(w) == 0.25f);
	assert_int_equal(netvst_set_gain(client, 3, 0), -ECHRNG);
	assert_int_equal(netvst_set_mute(client, 3, true), -ECHRNG);
	assert_int_equal(netvst_set_gain(client, 0, 13), -ERANGE);
	assert_int_equal(netvst_set_gain(client, 0, -57), -ERANGE);
	assert_int_equal(netvst_set_gain(client, 0, 0.5), -ERANGE);
	assert_int_equal(netvst_set_gain(client, 0, (double)NAN), -ERANGE);
	assert_true(strips_empty(&client->strips));
	world_free(w);
}

static void test_parameters(void **state)
{
	struct world *w = world_new("dialect=audiokit\nlatency=1000\nblock=64\n", "dialect=audiokit\n");
	struct netvst *client = section(w, 0);

	assert_int_equal(netvst_set_param(client, 1, 2, 0.5), -ENOTCONN);
	turn_until(w, client->state == NETVST_ONLINE);
	assert_int_equal(netvst_set_param(client, 1, 2, 0.5), 0);
	turn_until(w, client->client_status.params_sent == 1);
	assert_int_equal(netvst_set_param(client, 65536, 0, 0), -ERANGE);
	assert_int_equal(netvst_set_param(client, 0, 65536, 0), -ERANGE);
	assert_int_equal(netvst_set_param(client, 0, 0, (double)NAN), -EDOM);
	assert_int_equal(netvst_set_param(client, 0, 0, 1e300), -EDOM);
	assert_int_equal(netvst_set_param(section(w, 1), 0, 0, 0), -EOPNOTSUPP);
	world_free(w);
	w = world_new("", "");
	assert_int_equal(netvst_set_param(section(w, 0), 0, 0, 0), -EOPNOTSUPP);
	world_free(w);
}

/* What can be changed while it plays, and a configuration that says the same as before. */
static void test_reload_in_place(void **state)
{
	struct world *w = world_new("block=64\nlatency=1000\n", "slots=1\n");
	struct netvst *client = section(w, 0), *server = section(w, 1);
	const struct insert *insert = client->parts[0].insert;

	turn_until(w, client->state == NETVST_ONLINE);
	play(w, 0.5f);
	turn_until(w, peak(w) == 0.5f);
	reload(w, "block=64\nlatency=1000\n", "slots=1\n");
	for (unsigned i = 0; i < 20; i++) {
		turn(w);
		assert_true(peak(w) == 0.5f);
		assert_int_equal(client->phase, NETVST_WORKING);
	}
	reload(w, "block=64\nlatency=1500\nconnect=a:1\ndescription=Hall\n", "slots=1\nlatency=480\n");
	assert_int_equal(client->policy.frames, 1500);
	assert_int_equal(server->policy.frames, 480);
	turn_until(w, peak(w) == 0.5f);
	assert_true(client->parts[0].insert == insert);
	assert_int_equal(client->client_status.connects, 1);
	/* Less than blocks and periods allow. */
	reload(w, "block=64\nlatency=10\n", "slots=1\n");
	assert_int_equal(client->policy.frames, insert_latency_frames(64, PERIOD, 1));
	world_free(w);
}

/* Another connection behind the same ports. */
static void test_reload_connection(void **state)
{
	struct world *w = world_new("block=64\nlatency=1000\n", "slots=1\n");
	struct netvst *client = section(w, 0), *server = section(w, 1);
	const struct insert *insert = client->parts[0].insert;

	turn_until(w, client->state == NETVST_ONLINE);
	play(w, 0.5f);
	turn_until(w, peak(w) == 0.5f);
	/* Not before it is silent, and with the new one it is loud again. */
	reload(w, "block=64\nlatency=1000\ndialect=audiokit\n", "slots=1\ndialect=audiokit\n");
	assert_non_null(client->next);
	turn_until(w, peak(w) == 0);
	turn_until(w, !client->next && !server->next);
	turn_until(w, client->state == NETVST_ONLINE && peak(w) == 0.5f);
	assert_true(client->parts[0].insert == insert);
	assert_int_equal(client->conf->dialect, NETVST_AUDIOKIT);
	world_free(w);
}

/* Other ports. */
static void test_reload_ports(void **state)
{
	struct world *w = world_new("block=64\n", "slots=1\n");
	struct netvst *client = section(w, 0), *server = section(w, 1);

	turn_until(w, client->state == NETVST_ONLINE);
	play(w, 0.5f);
	turn_until(w, peak(w) == 0.5f);
	reload(w, "block=512\n", "slots=3\n");
	turn_until(w, client->phase == NETVST_DYING);
	turn_until(w, client->phase == NETVST_WORKING && server->phase == NETVST_WORKING);
	assert_int_equal(server->n_parts, 3);
	assert_string_equal(server->parts[2].name, "daw-3");
	assert_int_equal(client->parts[0].pipe->block, 512);
	assert_int_equal(client->policy.frames, 0);
	turn_until(w, client->state == NETVST_ONLINE);
	assert_true(client->policy.frames >= insert_latency_frames(512, PERIOD, 1));
	turn_until(w, peak(w) == 0.5f);
	world_free(w);
}

static void test_leaving(void **state)
{
	struct world *w = world_new("block=64\nlatency=1000\n", "slots=2\n");
	struct netvst *client = section(w, 0), *server = section(w, 1);

	turn_until(w, client->state == NETVST_ONLINE);
	server->leaving = true;
	client->leaving = true;
	turn_until(w, netvst_is_gone(server) && netvst_is_gone(client));
	assert_int_equal(server->n_parts, 0);
	assert_null(server->server);
	assert_null(client->client);
	/* It is configured again before anybody has swept it up. */
	reload(w, "block=64\nlatency=1000\n", "slots=2\n");
	turn_until(w, client->state == NETVST_ONLINE);
	/* And one leaves without any cycle. */
	client->leaving = true;
	join(w, false);
	for (unsigned i = 0; i < 10; i++) {
		netvst_update(client, now_ns());
	}
	assert_true(netvst_is_gone(client));
	world_free(w);
}

/* PipeWire calls nobody where there is no node left. */
static void test_no_cycles(void **state)
{
	struct world *w = world_new("block=64\nlatency=1000\n", "slots=1\n");
	struct netvst *client = section(w, 0);
	int64_t end_ns = now_ns() + PATIENCE_NS;

	turn_until(w, client->state == NETVST_ONLINE);
	reload(w, "block=128\nlatency=1000\n", "slots=1\n");
	turn_until(w, client->phase == NETVST_DYING);
	while (client->phase != NETVST_WORKING && now_ns() < end_ns) {
		sleep_until(now_ns() + NSEC_PER_MSEC);
		netvst_update(client, now_ns());
	}
	assert_int_equal(client->phase, NETVST_WORKING);
	w->cycle_ns = now_ns();
	turn_until(w, client->state == NETVST_ONLINE);
	world_free(w);
}

/* The audio server goes and comes: the latency stays as it was measured. */
static void test_server_gone(void **state)
{
	struct world *w = world_new("block=64\n", "slots=1\n");
	struct netvst *client = section(w, 0);
	uint32_t frames;

	turn_until(w, client->state == NETVST_ONLINE);
	frames = client->policy.frames;
	join(w, false);
	netvst_update(client, now_ns());
	assert_int_equal(client->state, NETVST_STOPPED);
	assert_true(netvst_is_silent(client));
	join(w, true);
	turn_until(w, client->state == NETVST_ONLINE);
	assert_int_equal(client->policy.frames, frames);
	play(w, 0.5f);
	turn_until(w, peak(w) == 0.5f);
	/* Fading out before it is left, and back if it is not. */
	w->m.rejoin = true;
	turn_until(w, netvst_is_silent(client));
	assert_true(peak(w) == 0);
	w->m.rejoin = false;
	turn_until(w, peak(w) == 0.5f);
	world_free(w);
}

/* --- how the latency follows what happens --- */

/* Blocks came too late n times more. */
static void be_late(struct netvst *nv, uint64_t n)
{
	struct insert_report *report =
		(struct insert_report *)(uintptr_t)insert_get_report(nv->parts[0].insert);

	atomic_fetch_add(&report->late_episodes, n);
}

static struct world *policy_world(const char *client)
{
	/* No cycle runs, so nothing happens but what the test says. */
	struct world *w = world_new_n(client, "", 1);
	struct netvst *nv = section(w, 0);

	nv->client_status = (struct netvst_client_status){.state = NETVST_CLIENT_CONNECTED,
		.connects = 1,
		.connected_ns = NSEC_PER_SEC,
		.round_trips = 1000,
		.rtt_p90_ns = 3 * NSEC_PER_MSEC};
	nv->policy.connects = 1;
	return w;
}

static void test_measuring(void **state)
{
	struct world *w = policy_world("block=64\n");
	struct netvst *nv = section(w, 0);

	netvst_policy_watch(nv, NSEC_PER_SEC + 499 * NSEC_PER_MSEC);
	assert_int_equal(nv->policy.frames, 0);
	nv->client_status.round_trips = 1;
	netvst_policy_watch(nv, NSEC_PER_SEC + 501 * NSEC_PER_MSEC);
	assert_int_equal(nv->policy.frames, 0);
	nv->client_status.round_trips = 2;
	netvst_policy_watch(nv, NSEC_PER_SEC + 502 * NSEC_PER_MSEC);
	assert_int_equal(nv->policy.frames, insert_latency_auto(64, PERIOD, RATE, 3 * NSEC_PER_MSEC));
	/* Another period: another latency, by the same measurement. */
	w->m.info.period_frames = 1024;
	netvst_format_changed(nv);
	assert_int_equal(nv->policy.frames, insert_latency_auto(64, 1024, RATE, 3 * NSEC_PER_MSEC));
	/* A longer way than there is room for. */
	nv->policy.trip_ns = 10 * NSEC_PER_SEC;
	netvst_format_changed(nv);
	assert_int_equal(nv->policy.frames, CONF_NETVST_LATENCY_MAX);
	world_free(w);
}

static void test_raising(void **state)
{
	struct world *w = policy_world("block=64\n");
	struct netvst *nv = section(w, 0);
	int64_t now = 10 * NSEC_PER_SEC;
	uint32_t frames;

	netvst_policy_watch(nv, now);
	frames = nv->policy.frames;
	assert_true(frames > 0);
	/* The test's time is its own. */
	nv->policy.changed_ns = 0;
	/* Three times at once, and the fourth too late for them. */
	be_late(nv, 3);
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	be_late(nv, 1);
	netvst_policy_watch(nv, now += 11 * NSEC_PER_SEC);
	assert_int_equal(nv->policy.frames, frames);
	/* With these it is four within ten seconds. */
	be_late(nv, 1);
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	be_late(nv, 2);
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	assert_int_equal(nv->policy.frames, frames + PERIOD);
	assert_int_equal(nv->parts[0].latency_frames, frames + PERIOD);
	/* What stood still is not helped by that, nor is a new connection, nor a graph that was late itself. */
	nv->client_status.blocks_skipped++;
	be_late(nv, 4);
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	nv->client_status.connects++;
	be_late(nv, 4);
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	w->m.info.xruns++;
	be_late(nv, 4);
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	nv->client_status.state = NETVST_CLIENT_WAITING;
	be_late(nv, 4);
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	nv->client_status.state = NETVST_CLIENT_CONNECTED;
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	/* Nor do the first two seconds of a connection count. */
	nv->client_status.connected_ns = now;
	be_late(nv, 4);
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	assert_int_equal(nv->policy.frames, frames + PERIOD);
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	be_late(nv, 9);
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	assert_int_equal(nv->policy.frames, frames + 2 * PERIOD);
	/* Nor what comes of another period; and two periods more are two of whatever length. */
	nv->policy.changed_ns = now;
	be_late(nv, 9);
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	assert_int_equal(nv->policy.frames, frames + 2 * PERIOD);
	w->m.info.period_frames = 1024;
	netvst_format_changed(nv);
	assert_true(nv->policy.changed_ns > now);
	assert_int_equal(
		nv->policy.frames, insert_latency_auto(64, 1024, RATE, 3 * NSEC_PER_MSEC) + 2 * 1024);
	w->m.info.period_frames = PERIOD;
	netvst_format_changed(nv);
	assert_int_equal(nv->policy.frames, frames + 2 * PERIOD);
	world_free(w);
}

/* Answers come, but none is played any more. */
static int64_t stay_silent(struct netvst *nv, int64_t now, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		nv->client_status.blocks_received += 100;
		netvst_policy_watch(nv, now += NSEC_PER_SEC);
	}
	return now;
}

/* The way has become longer for good: that is one episode without an end, and the latency is found anew. */
static void test_all_late(void **state)
{
	struct world *w = policy_world("block=64\n");
	struct netvst *nv = section(w, 0);
	int64_t now = 10 * NSEC_PER_SEC;

	netvst_policy_watch(nv, now);
	assert_int_equal(nv->policy.frames, insert_latency_auto(64, PERIOD, RATE, 3 * NSEC_PER_MSEC));
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	/* A server that stands still sends nothing: that helps nobody. */
	netvst_policy_watch(nv, now += 60 * NSEC_PER_SEC);
	assert_true(nv->policy.frames > 0);
	be_late(nv, 1);
	now = stay_silent(nv, now, 1);
	assert_true(nv->policy.frames > 0);
	now = stay_silent(nv, now, 1);
	assert_int_equal(nv->policy.frames, 0);
	nv->client_status.rtt_p90_ns = 20 * NSEC_PER_MSEC;
	netvst_policy_watch(nv, now + 499 * NSEC_PER_MSEC);
	assert_int_equal(nv->policy.frames, 0);
	netvst_policy_watch(nv, now += 501 * NSEC_PER_MSEC);
	assert_int_equal(nv->policy.frames, insert_latency_auto(64, PERIOD, RATE, 20 * NSEC_PER_MSEC));
	/* Each time that it was in vain, it takes longer until it is tried once more; and it is more, each time. */
	now = stay_silent(nv, now, 3);
	assert_true(nv->policy.frames > 0);
	now = stay_silent(nv, now, 1);
	assert_int_equal(nv->policy.frames, 0);
	netvst_policy_watch(nv, now += NSEC_PER_SEC);
	assert_int_equal(
		nv->policy.frames, insert_latency_auto(64, PERIOD, RATE, 20 * NSEC_PER_MSEC) + PERIOD);
	world_free(w);
}

/* A latency that was given stays what it is. */
static void test_fixed(void **state)
{
	struct world *w = policy_world("block=64\nlatency=777\n");
	struct netvst *nv = section(w, 0);

	nv->policy.changed_ns = 0;
	be_late(nv, 100);
	netvst_policy_watch(nv, 10 * NSEC_PER_SEC);
	assert_int_equal(nv->policy.frames, 777);
	assert_true(nv->policy.said_late_ns > 0);
	world_free(w);
}

/* --- what is said --- */

/* A line that begins this way was said since the last call, and nothing else; NULL: nothing was. */
static void assert_said(enum log_level level, const char *text)
{
	if (said.n != (text ? 1U : 0U) || (text && strncmp(said.text, text, strlen(text)) != 0)) {
		fail_msg("%u lines, the last: %s", said.n, said.text);
	}
	if (text) {
		assert_int_equal(said.level, level);
	}
	said.n = 0;
}

static void say_client(
	struct netvst *nv, const struct netvst_client_status *status, enum log_level level, const char *text)
{
	said.n = 0;
	netvst_say_client(nv, status);
	nv->client_status = *status;
	assert_said(level, text);
}

static void test_client_said(void **state)
{
	struct world *w = policy_world("latency=1000\n");
	struct netvst *nv = section(w, 0);
	struct netvst_client_status s = {.state = NETVST_CLIENT_WAITING, .error = "Connection refused"};

	nv->client_status = s;
	say_client(nv, &s, LOG_WARNING, "fx: no NetVST server answers at 127.0.0.1 port");
	say_client(nv, &s, 0, NULL);
	/* Another cause is news. One that hangs up at once has never answered. */
	s.state = NETVST_CLIENT_CONNECTED;
	s.connects = 1;
	say_client(nv, &s, 0, NULL);
	s.state = NETVST_CLIENT_WAITING;
	strcpy(s.error, "closed by the peer");
	say_client(nv, &s, LOG_WARNING, "fx: no NetVST server answers");
	s.state = NETVST_CLIENT_CONNECTED;
	s.connects = 2;
	say_client(nv, &s, 0, NULL);
	s.round_trips = 1;
	strcpy(s.peer, "127.0.0.1:5");
	say_client(
		nv, &s, LOG_INFO, "fx: connected to 127.0.0.1:5: dialect 2017, pcm, filter, blocks of 512");
	say_client(nv, &s, 0, NULL);
	s.state = NETVST_CLIENT_CONNECTING;
	strcpy(s.error, "reset");
	say_client(nv, &s, LOG_WARNING, "fx: lost the NetVST server at 127.0.0.1 port");
	s.state = NETVST_CLIENT_WAITING;
	say_client(nv, &s, 0, NULL);
	/* Without an audio server nothing is lost. */
	s.state = NETVST_CLIENT_CONNECTED;
	say_client(nv, &s, LOG_INFO, "fx: connected to");
	s.state = NETVST_CLIENT_PARKED;
	say_client(nv, &s, 0, NULL);
	world_free(w);
}

static void say_server(
	struct netvst *nv, const struct netvst_server_status *status, enum log_level level, const char *text)
{
	said.n = 0;
	netvst_say_server(nv, status);
	nv->server_status = *status;
	assert_said(level, text);
}

static void test_server_said(void **state)
{
	struct world *w = world_new("", "slots=2\n");
	struct netvst *nv = section(w, 1);
	struct netvst_server_status s = {.error = "Address already in use"};

	memset(&nv->server_status, 0, sizeof(nv->server_status));
	nv->said_error[0] = '\0';
	say_server(nv, &s, LOG_WARNING, "daw: cannot listen at 127.0.0.1 port");
	say_server(nv, &s, 0, NULL);
	s.listening = true;
	s.port = 5;
	say_server(nv, &s, LOG_INFO, "daw: waiting for DAWs at 127.0.0.1 port 5: dialect 2017, 2 slots");
	s.slots[1].connected = true;
	s.slots[1].connects = 1;
	strcpy(s.slots[1].peer, "10.0.0.1:7");
	say_server(nv, &s, LOG_INFO, "daw: a DAW at 10.0.0.1:7 has taken slot 2 (ports daw-2/");
	say_server(nv, &s, 0, NULL);
	s.slots[1].connected = false;
	say_server(nv, &s, LOG_INFO, "daw: the DAW at 10.0.0.1:7 has left slot 2");
	s.refused_address = 3;
	say_server(nv, &s, LOG_WARNING, "daw: refused 3 connections of who is not allowed");
	s.refused_full = 1;
	say_server(nv, &s, LOG_NOTICE, "daw: a DAW was turned away: all slots are taken");
	s.bad_peers = 1;
	say_server(nv, &s, LOG_NOTICE, "daw: closed 1 connection: Address already in use; does the other");
	/* The same again is not said at once, but it is not forgotten. */
	s.refused_address = 5;
	s.timeouts = 1;
	say_server(nv, &s, 0, NULL);
	nv->said_closed.ns -= 61 * NSEC_PER_SEC;
	s.timeouts = 2;
	say_server(nv, &s, LOG_NOTICE, "daw: closed 2 connections");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_gains),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_reload_in_place),
		cmocka_unit_test(test_reload_connection),
		cmocka_unit_test(test_reload_ports),
		cmocka_unit_test(test_leaving),
		cmocka_unit_test(test_no_cycles),
		cmocka_unit_test(test_server_gone),
		cmocka_unit_test(test_measuring),
		cmocka_unit_test(test_raising),
		cmocka_unit_test(test_all_late),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_client_said),
		cmocka_unit_test(test_server_said),
	};

	log_set_sink(keep_line);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
