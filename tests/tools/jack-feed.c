/*
 * jack-feed: a JACK client that plays known material, sample for sample, into other clients' ports.
 *
 * Everything is read or computed before the client is activated; the process callback copies and counts. What the
 * server did meanwhile (xruns, cycles in which this client did not run) is told at the end, so that a
 * test can tell a fault of the machine from one of the program that it tests. SIGUSR1 has it told at once.
 */
#include "player.h"

#include <errno.h>
#include <jack/jack.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define POLL_NS 10000000L

struct feed {
	struct player player;
	jack_client_t *client;
	jack_port_t *port[MATERIAL_CHANNELS];
	/* Written by the process callback alone. */
	uint64_t frame; /* jack_last_frame_time(), but without an end */
	bool frame_known;
};

static int on_process(jack_nframes_t n, void *arg)
{
	struct feed *f = arg;
	jack_nframes_t now = jack_last_frame_time(f->client);

	f->frame = f->frame_known ? f->frame + (uint64_t)(int64_t)(int32_t)(now - (jack_nframes_t)f->frame)
				  : now;
	f->frame_known = true;
	player_cycle_rt(&f->player, f->frame, n);
	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		player_fill_rt(&f->player, jack_port_get_buffer(f->port[c], n), c, n);
	}
	player_end_rt(&f->player, n);
	return 0;
}

static int on_xrun(void *arg)
{
	struct feed *f = arg;

	player_xrun(&f->player, atomic_load(&f->player.position));
	return 0;
}

static void on_shutdown(void *arg)
{
	atomic_store(&((struct feed *)arg)->player.lost, true);
}

static void pause_briefly(void *data)
{
	struct feed *f = data;

	if (f->player.endless) {
		f->player.rate_hz = jack_get_sample_rate(f->client);
	}
	nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
}

static bool go_on(struct feed *f, double deadline_s)
{
	pause_briefly(f);
	return player_now_s() < deadline_s && !atomic_load(&f->player.lost) && !player_interrupted();
}

static int connect_target(struct feed *f, const char *prefix, double timeout_s)
{
	double deadline_s = player_now_s() + timeout_s;

	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		char name[512];
		int r;

		snprintf(name, sizeof(name), "%s%u", prefix, c + 1);
		while (!jack_port_by_name(f->client, name)) {
			if (!go_on(f, deadline_s)) {
				return player_fail(
					"the server has no port %s (waited %g s); jack_lsp lists those it "
					"has",
					name, timeout_s);
			}
		}
		/* A client has its ports before it is active, and until then cannot be connected. */
		do {
			r = jack_connect(f->client, jack_port_name(f->port[c]), name);
		} while (r != 0 && r != EEXIST && go_on(f, deadline_s));
		if (r != 0 && r != EEXIST) {
			return player_fail(
				"cannot connect to %s: the server said %d; is it an input of an audio port?",
				name, r);
		}
	}
	return 0;
}

static int open_client(struct feed *f, const struct player_options *o)
{
	jack_status_t status;

	f->client = o->server ? jack_client_open(
					o->client, JackNoStartServer | JackServerName, &status, o->server)
			      : jack_client_open(o->client, JackNoStartServer, &status);
	if (!f->client) {
		return player_fail(
			"cannot join the JACK server %s (status 0x%x); is it running, for this user?",
			o->server ? o->server : "default", status);
	}
	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		char name[16];

		snprintf(name, sizeof(name), "out_%u", c + 1);
		f->port[c] =
			jack_port_register(f->client, name, JACK_DEFAULT_AUDIO_TYPE, JackPortIsOutput, 0);
		if (!f->port[c]) {
			return player_fail("the server refused the port %s", name);
		}
	}
	jack_set_process_callback(f->client, on_process, f);
	jack_set_xrun_callback(f->client, on_xrun, f);
	jack_on_shutdown(f->client, on_shutdown, f);
	return 0;
}

static int run(const struct player_options *o)
{
	static struct feed f;
	int r;

	if (player_without_server(o, &r)) {
		return r;
	}
	r = open_client(&f, o);
	if (r == 0) {
		r = player_prepare(&f.player, o, jack_get_sample_rate(f.client));
	}
	if (r == 0 && jack_activate(f.client) != 0) {
		r = player_fail("the server refused to activate the client");
	}
	for (unsigned i = 0; i < o->n_targets && r == 0; i++) {
		r = connect_target(&f, o->targets[i], o->timeout_s);
	}
	if (r == 0) {
		r = player_play(&f.player, o, pause_briefly, NULL, &f);
	}
	if (f.client) {
		jack_client_close(f.client);
	}
	player_fini(&f.player);
	return r;
}

int main(int argc, char **argv)
{
	static const struct player_kind kind = {
		.program = "jack-feed",
		.server = "JACK",
		.target = "PREFIX",
		.target_help = "connect out_1..out_8 to PREFIX1..PREFIX8",
	};
	struct player_options o;
	int r = player_parse(argc, argv, &kind, &o);

	if (r == 0) {
		player_begin();
		r = run(&o);
	}
	return r;
}
