#include "daemon/bus.h"
#include "daemon/netvst-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The inserts' fades take 5 ms, at the longest within one cycle. */
#define FADE_NS (20 * NSEC_PER_MSEC)
/* After so many callbacks, or so long without one, none can still be running; a period is shorter than that. */
#define PASS_CYCLES 2
#define PASS_NS (200 * NSEC_PER_MSEC)
/* A graph that stands still fades nothing. */
#define FADE_MAX_NS NSEC_PER_SEC
/* What could not be built is tried again. */
#define BUILD_AGAIN_NS (5 * NSEC_PER_SEC)

/* Below the audio server's own thread; an answer to a DAW can wait for a plug-in's more easily than the other way round. */
static const struct {
	const char *name;
	int below;
} threads[] = {
	[CONF_ROLE_CLIENT] = {"netvst-client", 2},
	[CONF_ROLE_SERVER] = {"netvst-server", 4},
};

static const char *const state_names[] = {
	[NETVST_STOPPED] = "stopped",
	[NETVST_CONNECTING] = "connecting",
	[NETVST_MEASURING] = "measuring",
	[NETVST_ONLINE] = "online",
	[NETVST_LISTENING] = "listening",
	[NETVST_UNAVAILABLE] = "unavailable",
};

const char *netvst_state_to_string(enum netvst_state state)
{
	return state_names[state];
}

/* --- the threads --- */

static int wanted_priority(const struct manager *m, enum conf_role role)
{
	return m->info.rt_priority > 0 ? MAX(m->info.rt_priority - threads[role].below, 1) : 0;
}

void netvst_follow_priority(struct manager *m)
{
	/* A server that has gone comes back with the same. */
	for (unsigned i = 0; m->connected && i < ARRAY_SIZE(threads); i++) {
		int want = wanted_priority(m, (enum conf_role)i);
		int r;

		if (!m->ios[i] || want == m->io_priority[i]) {
			continue;
		}
		r = netvst_io_set_priority(m->ios[i], want);
		m->io_priority[i] = want;
		if (r < 0) {
			log_notice("the %s thread cannot have realtime priority %d: %s; expect late blocks "
				   "while this machine is busy (see Privileges in ethlinkd(8))",
				threads[i].name, want, strerror(-r));
		}
	}
}

static int get_io(struct manager *m, enum conf_role role, struct netvst_io **ret_io)
{
	int r = 0;

	if (!m->ios[role]) {
		r = netvst_io_new(threads[role].name, &m->ios[role]);
		m->io_priority[role] = 0;
	}
	*ret_io = m->ios[role];
	return r;
}

/* --- making and unmaking --- */

static int connect_client(struct netvst *nv, struct netvst_io *io)
{
	const struct netvst_client_conf conf = {
		.host = nv->conf->host,
		.port = nv->conf->port,
		.dialect = nv->conf->dialect,
		.codec = nv->conf->codec,
		.synth = nv->conf->synth,
		.cc_params = nv->conf->cc_params,
		.socket_priority = nv->conf_owner->socket_priority,
	};
	int r;

	r = netvst_client_new(io, &conf, nv->parts[0].pipe, &nv->client);
	if (r >= 0) {
		netvst_client_set_latency(nv->client, nv->policy.frames);
	}
	return r;
}

static int connect_server(struct netvst *nv, struct netvst_io *io)
{
	struct nvpipe *pipes[NETVST_SLOTS_MAX];
	struct netvst_server_conf conf = {
		.host = nv->conf->host,
		.port = nv->conf->port,
		.dialect = nv->conf->dialect,
		.codec = nv->conf->codec,
		.synth = nv->conf->synth,
		.n_allow = nv->conf->n_allow,
		.slots = nv->conf->slots,
		.socket_priority = nv->conf_owner->socket_priority,
	};

	memcpy(conf.allow, nv->conf->allow, sizeof(conf.allow));
	for (unsigned i = 0; i < nv->n_parts; i++) {
		pipes[i] = nv->parts[i].pipe;
	}
	return netvst_server_new(io, &conf, pipes, &nv->server);
}

int netvst_connect(struct netvst *nv)
{
	struct netvst_io *io;
	int r = get_io(nv->manager, nv->conf->role, &io);

	memset(&nv->client_status, 0, sizeof(nv->client_status));
	memset(&nv->server_status, 0, sizeof(nv->server_status));
	nv->said_error[0] = '\0';
	nv->said_connected = false;
	nv->said_refused = nv->said_full = nv->said_closed = (struct netvst_turned_away){0};
	if (r < 0) {
		return r;
	}
	r = nv->conf->role == CONF_ROLE_CLIENT ? connect_client(nv, io) : connect_server(nv, io);
	netvst_follow_priority(nv->manager);
	return r;
}

void netvst_disconnect(struct netvst *nv)
{
	netvst_client_free(nv->client);
	netvst_server_free(nv->server);
	nv->client = NULL;
	nv->server = NULL;
}

static void free_parts(struct netvst *nv)
{
	while (nv->n_parts > 0) {
		struct netvst_part *part = &nv->parts[--nv->n_parts];

		if (part->insert) {
			insert_free(part->insert);
		}
		nvpipe_free(part->pipe);
		memset(part, 0, sizeof(*part));
	}
}

static int make_part(struct netvst *nv, struct netvst_part *part)
{
	const bool client = nv->conf->role == CONF_ROLE_CLIENT;
	int r = nvpipe_new(client ? nv->conf->block_frames : 0, &part->pipe);

	r = r < 0 ? r : insert_new(client ? INSERT_CLIENT : INSERT_SLOT, part->pipe, &part->insert);
	if (r >= 0) {
		insert_set_running(part->insert, nv->manager->running);
	}
	return r;
}

int netvst_build(struct netvst *nv)
{
	struct backend_group *groups[NETVST_SLOTS_MAX] = {NULL};
	int r = 0;

	nv->n_parts = nv->conf->role == CONF_ROLE_CLIENT ? 1 : nv->conf->slots;
	netvst_name_parts(nv);
	netvst_policy_reset(nv);
	for (unsigned i = 0; i < nv->n_parts && r >= 0; i++) {
		r = make_part(nv, &nv->parts[i]);
	}
	if (r >= 0) {
		/* What the inserts are to do is known before the first callback. */
		netvst_apply_levels(nv);
		netvst_policy_apply(nv);
		r = netvst_connect(nv);
	}
	r = r < 0 ? r : netvst_add_ports(nv, nv->manager->backend, groups);
	for (unsigned i = 0; i < nv->n_parts; i++) {
		nv->parts[i].group = groups[i];
	}
	if (r < 0) {
		netvst_take_down(nv, now_ns());
	}
	return r;
}

void netvst_take_down(struct netvst *nv, int64_t now)
{
	netvst_disconnect(nv);
	netvst_remove_ports(nv);
	netvst_enter(nv, NETVST_DYING, now);
}

int netvst_new(struct manager *m, struct conf *owner, const struct conf_netvst *conf, struct netvst **ret_nv)
{
	struct netvst *nv = calloc(1, sizeof(*nv));

	if (!nv) {
		return -ENOMEM;
	}
	nv->manager = m;
	nv->conf_owner = conf_ref(owner);
	nv->conf = conf;
	netvst_load_levels(nv);
	/* Without the one or the other it is there all the same: the rest of the configuration is not to suffer. */
	nv->phase = NETVST_EMPTY;
	netvst_move(nv, now_ns());
	*ret_nv = nv;
	return 0;
}

void netvst_free(struct netvst *nv)
{
	if (!nv) {
		return;
	}
	netvst_disconnect(nv);
	netvst_remove_ports(nv);
	free_parts(nv);
	netvst_restore_links(nv);
	conf_unref(nv->conf_owner);
	conf_unref(nv->next_owner);
	free(nv);
}

/* --- its life --- */

void netvst_enter(struct netvst *nv, enum netvst_phase phase, int64_t now)
{
	struct backend_info info = {0};

	backend_get_info(nv->manager->backend, &info);
	nv->phase = phase;
	nv->phase_ns = now;
	nv->phase_cycles = info.cycles;
}

/* A callback that began before this phase has ended. A graph in which nothing is left may call no more at all. */
static bool callbacks_passed(const struct netvst *nv, int64_t now)
{
	struct backend_info info = {0};

	backend_get_info(nv->manager->backend, &info);
	return info.cycles - nv->phase_cycles >= PASS_CYCLES ||
	       (!info.in_cycle && (info.state != BACKEND_JOINED || now - nv->phase_ns >= PASS_NS));
}

static bool has_faded(const struct netvst *nv, int64_t now)
{
	return !nv->manager->connected || now - nv->phase_ns >= FADE_MAX_NS ||
	       (now - nv->phase_ns >= FADE_NS && callbacks_passed(nv, now));
}

bool netvst_is_silent(const struct netvst *nv)
{
	return !nv->manager->connected || nv->phase >= NETVST_SILENT;
}

bool netvst_is_gone(const struct netvst *nv)
{
	return nv->leaving && nv->phase == NETVST_EMPTY;
}

static void step(struct netvst *nv, int64_t now)
{
	const struct manager *m = nv->manager;
	bool quiet = m->stopping || m->rejoin || nv->leaving || nv->next;

	switch (nv->phase) {
	case NETVST_WORKING:
		if (quiet) {
			netvst_enter(nv, NETVST_FADING, now);
			netvst_apply_levels(nv);
		}
		break;
	case NETVST_FADING:
		if (has_faded(nv, now)) {
			netvst_enter(nv, NETVST_SILENT, now);
		}
		break;
	case NETVST_SILENT:
		if (nv->leaving) {
			netvst_take_down(nv, now);
		} else if (nv->next) {
			netvst_move(nv, now);
		} else if (!quiet) {
			netvst_enter(nv, NETVST_WORKING, now);
			netvst_apply_levels(nv);
		}
		break;
	case NETVST_DYING:
		if (callbacks_passed(nv, now)) {
			free_parts(nv);
			netvst_enter(nv, NETVST_EMPTY, now);
		}
		break;
	case NETVST_EMPTY:
		if (!nv->leaving && !m->stopping && (nv->next || now - nv->phase_ns >= BUILD_AGAIN_NS)) {
			netvst_move(nv, now);
		}
		break;
	}
}

static enum netvst_state find_state(const struct netvst *nv)
{
	const struct manager *m = nv->manager;

	if (!m->connected || m->health.stalled) {
		return NETVST_STOPPED;
	}
	if (nv->conf->role == CONF_ROLE_SERVER) {
		return nv->server && nv->server_status.listening ? NETVST_LISTENING : NETVST_UNAVAILABLE;
	}
	if (!nv->client || nv->client_status.state != NETVST_CLIENT_CONNECTED) {
		return NETVST_CONNECTING;
	}
	return nv->policy.frames > 0 ? NETVST_ONLINE : NETVST_MEASURING;
}

static bool same_peers(const struct netvst_server_status *a, const struct netvst_server_status *b)
{
	for (unsigned i = 0; i < NETVST_SLOTS_MAX; i++) {
		if (a->slots[i].connected != b->slots[i].connected ||
			strcmp(a->slots[i].peer, b->slots[i].peer) != 0) {
			return false;
		}
	}
	return true;
}

void netvst_look(struct netvst *nv)
{
	struct netvst_client_status client;
	struct netvst_server_status server;
	unsigned changes = 0;

	if (nv->client) {
		netvst_client_get_status(nv->client, &client);
		changes |= strcmp(client.peer, nv->client_status.peer) != 0 ? BUS_NETVST_PEER : 0;
		changes |= strcmp(client.error, nv->client_status.error) != 0 ? BUS_NETVST_ERROR : 0;
		netvst_say_client(nv, &client);
		nv->client_status = client;
		netvst_policy_watch(nv, now_ns());
	} else if (nv->server) {
		netvst_server_get_status(nv->server, &server);
		changes |= !same_peers(&server, &nv->server_status) ? BUS_NETVST_PEER : 0;
		changes |= strcmp(server.error, nv->server_status.error) != 0 ? BUS_NETVST_ERROR : 0;
		netvst_say_server(nv, &server);
		nv->server_status = server;
		netvst_policy_apply(nv);
	}
	if (changes) {
		bus_netvst_changed(nv->manager->bus, nv, changes);
	}
}

void netvst_update(struct netvst *nv, int64_t now)
{
	enum netvst_state state;
	enum netvst_phase phase = nv->phase;

	step(nv, now);
	netvst_look(nv);
	state = find_state(nv);
	if (state != nv->state) {
		nv->state = state;
		bus_netvst_changed(nv->manager->bus, nv, BUS_NETVST_STATE);
	}
	if (nv->phase != phase || (nv->phase != NETVST_WORKING && nv->phase != NETVST_EMPTY)) {
		manager_hurry(nv->manager);
	}
}

void netvst_format_changed(struct netvst *nv)
{
	netvst_policy_apply(nv);
	manager_hurry(nv->manager);
}

void netvst_set_running(struct netvst *nv, bool running)
{
	for (unsigned i = 0; i < nv->n_parts; i++) {
		if (nv->parts[i].insert) {
			insert_set_running(nv->parts[i].insert, running);
		}
	}
}
