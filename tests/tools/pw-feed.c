/*
 * pw-feed: a PipeWire client that plays known material, sample for sample, into the ports of other nodes.
 *
 * It is a filter with eight outputs and makes its links itself, so that no session manager has a say. Whether the
 * server was at fault is known from its clock, which stands elsewhere than expected when cycles were missed, and from
 * its profiler, which tells for every cycle what did not come to its end.
 */
#include "player.h"

#include <errno.h>
#include <pipewire/pipewire.h>
#include <pipewire/filter.h>
#include <pipewire/impl-module.h>
#include <pipewire/extensions/profiler.h>
#include <spa/param/profiler.h>
#include <spa/pod/iter.h>
#include <spa/pod/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 10
#define DRAIN_S 3.0
#define INPUT_PREFIX "playback_"

/* A node or a port in the graph. */
struct object {
	uint32_t id;
	uint32_t node_id; /* of a port; SPA_ID_INVALID: this is a node */
	bool input;
	char *name;
};

struct link {
	struct pw_proxy *proxy;
	struct spa_hook proxy_listener;
	struct spa_hook link_listener;
	bool active;
	bool failed;
};

struct feed {
	struct player player;
	const struct player_options *options;
	struct pw_loop *loop;
	struct pw_context *context;
	struct pw_core *core;
	struct spa_hook core_listener;
	struct pw_registry *registry;
	struct spa_hook registry_listener;
	struct pw_filter *filter;
	struct spa_hook filter_listener;
	void *ports[MATERIAL_CHANNELS];
	struct pw_proxy *profiler;
	struct spa_hook profiler_listener;
	struct object *objects;
	size_t n_objects;
	struct link links[PLAYER_TARGETS_MAX][MATERIAL_CHANNELS];
	bool refused;	  /* the filter is in error */
	unsigned quantum; /* which of the options' is next */
	double quantum_s; /* when */
	/* Written by process. */
	uint32_t clock_id;
	uint32_t clock_rate_hz;
	_Atomic uint32_t rate_hz; /* 0: no cycle yet */
	_Atomic uint64_t frame;	  /* where the server's clock stands */
	_Atomic uint64_t start_frame;
	_Atomic unsigned unfed; /* cycles with audio that nothing was linked for */
	/* What the profiler has told. */
	uint64_t profiled_frame;
	uint64_t xrun_frame;
	int driver_xruns;
};

static void iterate(void *data)
{
	struct feed *f = data;
	const struct player_options *o = f->options;
	uint32_t rate_hz = atomic_load(&f->rate_hz);

	pw_loop_iterate(f->loop, WAIT_MS);
	if (f->player.endless && rate_hz) {
		f->player.rate_hz = rate_hz;
	}
	if (o->n_quanta && atomic_load(&f->player.go) && player_now_s() >= f->quantum_s) {
		char text[16];

		snprintf(text, sizeof(text), "%u", o->quanta_frames[f->quantum]);
		pw_filter_update_properties(f->filter, NULL,
			&SPA_DICT_INIT_ARRAY(((struct spa_dict_item[]){{"node.force-quantum", text}})));
		f->quantum = (f->quantum + 1) % o->n_quanta;
		f->quantum_s = player_now_s() + o->every_s;
	}
}

/* --- cycles */

static void on_process(void *data, struct spa_io_position *position)
{
	struct feed *f = data;
	const struct spa_io_clock *clock = &position->clock;
	uint32_t n = (uint32_t)clock->duration;
	bool fed = true;

	/* Another driver counts otherwise; what it takes to change over is nobody's fault. */
	if (clock->id != f->clock_id || clock->rate.denom != f->clock_rate_hz) {
		f->player.time_known = false;
	}
	f->clock_id = clock->id;
	f->clock_rate_hz = clock->rate.denom;
	player_cycle_rt(&f->player, clock->position, n);
	if (f->player.running && atomic_load_explicit(&f->player.position, memory_order_relaxed) == 0) {
		atomic_store(&f->start_frame, clock->position);
	}
	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		float *dst = pw_filter_get_dsp_buffer(f->ports[c], n);

		if (dst) {
			player_fill_rt(&f->player, dst, c, n);
		}
		fed = fed && dst;
	}
	if (f->player.running && !fed) {
		atomic_fetch_add_explicit(&f->unfed, 1, memory_order_relaxed);
	}
	player_end_rt(&f->player, n);
	atomic_store_explicit(&f->frame, clock->position, memory_order_relaxed);
	atomic_store_explicit(&f->rate_hz, clock->rate.denom, memory_order_release);
}

static void on_filter_state(
	void *data, enum pw_filter_state old, enum pw_filter_state state, const char *error)
{
	struct feed *f = data;

	if (state == PW_FILTER_STATE_ERROR) {
		fprintf(stderr, "pw-feed: the server says: %s\n", error ? error : "an error");
		f->refused = true;
	}
}

static const struct pw_filter_events filter_events = {
	PW_VERSION_FILTER_EVENTS,
	.state_changed = on_filter_state,
	.process = on_process,
};

/* --- what the server did */

/* One follower of a cycle: had it been woken, and did it not come to its end? */
static bool was_late(const struct spa_pod *pod, uint32_t *ret_id)
{
	const char *name;
	int64_t prev_ns, signal_ns, awake_ns, finish_ns;
	int32_t id, status;

	if (spa_pod_parse_struct(pod, SPA_POD_Int(&id), SPA_POD_String(&name), SPA_POD_Long(&prev_ns),
		    SPA_POD_Long(&signal_ns), SPA_POD_Long(&awake_ns), SPA_POD_Long(&finish_ns),
		    SPA_POD_Int(&status)) < 0) {
		return false;
	}
	*ret_id = (uint32_t)id;
	/* Not triggered, triggered, awake, finished. */
	return status == 1 || status == 2;
}

static void on_cycle_told(struct feed *f, const struct spa_pod_object *cycle)
{
	uint32_t own = pw_filter_get_node_id(f->filter), id = SPA_ID_INVALID;
	const struct spa_pod_prop *p;
	float load[3];
	int64_t counter, frame = 0;
	int32_t xruns = 0;
	bool mine = false, late = false;

	SPA_POD_OBJECT_FOREACH(cycle, p)
	{
		if (p->key == SPA_PROFILER_info) {
			spa_pod_parse_struct(&p->value, SPA_POD_Long(&counter), SPA_POD_Float(&load[0]),
				SPA_POD_Float(&load[1]), SPA_POD_Float(&load[2]), SPA_POD_Int(&xruns));
		} else if (p->key == SPA_PROFILER_clock) {
			int32_t flags, clock_id;
			const char *name;
			int64_t nsec;
			struct spa_fraction rate;

			spa_pod_parse_struct(&p->value, SPA_POD_Int(&flags), SPA_POD_Int(&clock_id),
				SPA_POD_String(&name), SPA_POD_Long(&nsec), SPA_POD_Fraction(&rate),
				SPA_POD_Long(&frame));
		} else if (p->key == SPA_PROFILER_followerBlock) {
			late = was_late(&p->value, &id) || late;
			mine = mine || id == own;
		}
	}
	if (!mine) {
		return;
	}
	/* A cycle without an end is told twice: when the next one begins, and when it ends after all. */
	if ((late && (uint64_t)frame != f->xrun_frame) || xruns > f->driver_xruns) {
		player_xrun(&f->player, (size_t)((uint64_t)frame - atomic_load(&f->start_frame)));
		f->xrun_frame = (uint64_t)frame;
	}
	f->driver_xruns = xruns;
	f->profiled_frame = (uint64_t)frame;
}

static void on_profile(void *data, const struct spa_pod *pod)
{
	struct spa_pod *cycle;

	SPA_POD_STRUCT_FOREACH(pod, cycle)
	{
		if (spa_pod_is_object_type(cycle, SPA_TYPE_OBJECT_Profiler)) {
			on_cycle_told(data, (const struct spa_pod_object *)cycle);
		}
	}
}

static const struct pw_profiler_events profiler_events = {
	PW_VERSION_PROFILER_EVENTS,
	.profile = on_profile,
};

/* The profiler tells of many cycles at a time: those of the end come a little later. */
static void drain(void *data)
{
	struct feed *f = data;
	uint64_t frame = atomic_load(&f->frame);
	double deadline_s = player_now_s() + DRAIN_S;

	while (f->profiler && f->profiled_frame < frame && player_now_s() < deadline_s &&
		!atomic_load(&f->player.lost)) {
		iterate(f);
	}
}

/* --- what there is in the graph */

static void add_object(struct feed *f, uint32_t id, const char *type, const struct spa_dict *props)
{
	bool is_port = strcmp(type, PW_TYPE_INTERFACE_Port) == 0;
	const char *name = spa_dict_lookup(props, is_port ? PW_KEY_PORT_NAME : PW_KEY_NODE_NAME);
	const char *node = spa_dict_lookup(props, PW_KEY_NODE_ID);
	const char *direction = spa_dict_lookup(props, PW_KEY_PORT_DIRECTION);
	struct object *more = realloc(f->objects, (f->n_objects + 1) * sizeof(*more));
	struct object o = {.id = id,
		.node_id = is_port && node ? (uint32_t)strtoul(node, NULL, 10) : SPA_ID_INVALID,
		.input = direction && strcmp(direction, "in") == 0,
		.name = strdup(name ? name : "")};

	if (!more || !o.name) {
		abort();
	}
	f->objects = more;
	f->objects[f->n_objects++] = o;
}

static void on_global(void *data, uint32_t id, uint32_t permissions, const char *type, uint32_t version,
	const struct spa_dict *props)
{
	struct feed *f = data;

	if (props &&
		(strcmp(type, PW_TYPE_INTERFACE_Node) == 0 || strcmp(type, PW_TYPE_INTERFACE_Port) == 0)) {
		add_object(f, id, type, props);
	} else if (strcmp(type, PW_TYPE_INTERFACE_Profiler) == 0 && !f->profiler) {
		f->profiler = pw_registry_bind(f->registry, id, type, PW_VERSION_PROFILER, 0);
		if (f->profiler) {
			pw_profiler_add_listener((struct pw_profiler *)f->profiler, &f->profiler_listener,
				&profiler_events, f);
		}
	}
}

static void on_global_remove(void *data, uint32_t id)
{
	struct feed *f = data;

	for (size_t i = 0; i < f->n_objects; i++) {
		if (f->objects[i].id == id) {
			free(f->objects[i].name);
			f->objects[i] = f->objects[--f->n_objects];
			return;
		}
	}
}

static const struct pw_registry_events registry_events = {
	PW_VERSION_REGISTRY_EVENTS,
	.global = on_global,
	.global_remove = on_global_remove,
};

static void on_core_error(void *data, uint32_t id, int seq, int res, const char *message)
{
	struct feed *f = data;

	if (id == PW_ID_CORE && res == -EPIPE) {
		atomic_store(&f->player.lost, true);
	} else if (res != -EEXIST) {
		fprintf(stderr, "pw-feed: the server says: %s\n", message);
	}
}

static const struct pw_core_events core_events = {
	PW_VERSION_CORE_EVENTS,
	.error = on_core_error,
};

static const struct object *find_node(const struct feed *f, const char *name)
{
	for (size_t i = 0; i < f->n_objects; i++) {
		if (f->objects[i].node_id == SPA_ID_INVALID && strcmp(f->objects[i].name, name) == 0) {
			return &f->objects[i];
		}
	}
	return NULL;
}

static const struct object *find_port(const struct feed *f, uint32_t node_id, bool input, const char *name)
{
	for (size_t i = 0; i < f->n_objects; i++) {
		const struct object *o = &f->objects[i];

		if (o->node_id == node_id && o->input == input && strcmp(o->name, name) == 0) {
			return o;
		}
	}
	return NULL;
}

/* --- links */

static void on_link_error(void *data, int seq, int res, const char *message)
{
	struct link *l = data;

	/* Somebody else has made it already. */
	l->active = res == -EEXIST;
	l->failed = !l->active;
}

static const struct pw_proxy_events link_proxy_events = {
	PW_VERSION_PROXY_EVENTS,
	.error = on_link_error,
};

static void on_link_info(void *data, const struct pw_link_info *info)
{
	struct link *l = data;

	l->active = info->state == PW_LINK_STATE_ACTIVE;
	if (info->state == PW_LINK_STATE_ERROR) {
		fprintf(stderr, "pw-feed: a link failed: %s\n", info->error ? info->error : "an error");
		l->failed = true;
	}
}

static const struct pw_link_events link_events = {
	PW_VERSION_LINK_EVENTS,
	.info = on_link_info,
};

static int make_link(struct feed *f, struct link *l, const struct object *from, const struct object *to)
{
	char ids[4][16];
	struct spa_dict_item items[] = {{PW_KEY_LINK_OUTPUT_NODE, ids[0]}, {PW_KEY_LINK_OUTPUT_PORT, ids[1]},
		{PW_KEY_LINK_INPUT_NODE, ids[2]}, {PW_KEY_LINK_INPUT_PORT, ids[3]}};

	snprintf(ids[0], sizeof(ids[0]), "%u", from->node_id);
	snprintf(ids[1], sizeof(ids[1]), "%u", from->id);
	snprintf(ids[2], sizeof(ids[2]), "%u", to->node_id);
	snprintf(ids[3], sizeof(ids[3]), "%u", to->id);
	l->proxy = pw_core_create_object(f->core, "link-factory", PW_TYPE_INTERFACE_Link, PW_VERSION_LINK,
		&SPA_DICT_INIT_ARRAY(items), 0);
	if (!l->proxy) {
		return player_fail("cannot ask for a link: %s", strerror(errno));
	}
	pw_proxy_add_listener(l->proxy, &l->proxy_listener, &link_proxy_events, l);
	pw_link_add_listener((struct pw_link *)l->proxy, &l->link_listener, &link_events, l);
	return 0;
}

/* Waits for something: true if it is worth to look again. */
static bool go_on(struct feed *f, double deadline_s)
{
	iterate(f);
	return player_now_s() < deadline_s && !player_interrupted() && !atomic_load(&f->player.lost) &&
	       !f->refused;
}

/* NODE or NODE:PREFIX */
static int link_channel(struct feed *f, unsigned target, unsigned c, double deadline_s)
{
	const char *text = f->options->targets[target], *colon = strchr(text, ':');
	uint32_t own = pw_filter_get_node_id(f->filter);
	char node[256], input[256], output[16];

	snprintf(node, sizeof(node), "%.*s", (int)(colon ? colon - text : (long)strlen(text)), text);
	snprintf(input, sizeof(input), "%s%u", colon ? colon + 1 : INPUT_PREFIX, c + 1);
	snprintf(output, sizeof(output), "out_%u", c + 1);
	do {
		const struct object *n = find_node(f, node);
		const struct object *to = n ? find_port(f, n->id, true, input) : NULL;
		const struct object *from = find_port(f, own, false, output);

		if (from && to) {
			return make_link(f, &f->links[target][c], from, to);
		}
	} while (go_on(f, deadline_s));
	return player_fail(
		"the server has no port %s of a node %s (waited %g s); pw-link -i lists those it has", input,
		node, f->options->timeout_s);
}

static int wait_for_link(struct feed *f, struct link *l, double deadline_s)
{
	while (!l->active && !l->failed && go_on(f, deadline_s)) {
	}
	return l->active ? 0 : player_fail("a link did not come to life within %g s", f->options->timeout_s);
}

static int link_all(struct feed *f)
{
	double deadline_s = player_now_s() + f->options->timeout_s;
	unsigned n = f->options->n_targets * MATERIAL_CHANNELS;
	int r = 0;

	for (unsigned i = 0; i < n && r == 0; i++) {
		r = link_channel(f, i / MATERIAL_CHANNELS, i % MATERIAL_CHANNELS, deadline_s);
	}
	for (unsigned i = 0; i < n && r == 0; i++) {
		r = wait_for_link(f, &f->links[i / MATERIAL_CHANNELS][i % MATERIAL_CHANNELS], deadline_s);
	}
	return r;
}

/* --- the client */

static int join(struct feed *f)
{
	const char *server = f->options->server;
	struct pw_properties *props = pw_properties_new(PW_KEY_APP_NAME, "pw-feed", NULL);

#if !PW_CHECK_VERSION(1, 2, 0)
	/* Until then only this one asks for realtime priority. */
	pw_properties_set(props, PW_KEY_CONFIG_NAME, "client-rt.conf");
#endif
	f->loop = pw_loop_new(NULL);
	f->context = f->loop ? pw_context_new(f->loop, props, 0) : NULL;
	if (!f->context) {
		return player_fail("cannot make a client: %s", strerror(errno));
	}
	/* What speaks with the profiler; a server may have none. */
	pw_context_load_module(f->context, PW_EXTENSION_MODULE_PROFILER, NULL, NULL);
	pw_loop_enter(f->loop);
	f->core = pw_context_connect(
		f->context, server ? pw_properties_new(PW_KEY_REMOTE_NAME, server, NULL) : NULL, 0);
	if (!f->core) {
		return player_fail("cannot join the PipeWire server %s: %s; is it running, for this user?",
			server ? server : "pipewire-0", strerror(errno));
	}
	pw_core_add_listener(f->core, &f->core_listener, &core_events, f);
	f->registry = pw_core_get_registry(f->core, PW_VERSION_REGISTRY, 0);
	pw_registry_add_listener(f->registry, &f->registry_listener, &registry_events, f);
	return 0;
}

static int add_filter(struct feed *f)
{
	/* No session manager shall link it, and it runs whatever else does. */
	f->filter = pw_filter_new(f->core, f->options->client,
		pw_properties_new(PW_KEY_NODE_NAME, f->options->client, PW_KEY_MEDIA_TYPE, "Audio",
			PW_KEY_NODE_WANT_DRIVER, "true", PW_KEY_NODE_ALWAYS_PROCESS, "true",
			PW_KEY_NODE_AUTOCONNECT, "false", NULL));
	if (!f->filter) {
		return player_fail("cannot make a node: %s", strerror(errno));
	}
	pw_filter_add_listener(f->filter, &f->filter_listener, &filter_events, f);
	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		char name[16];

		snprintf(name, sizeof(name), "out_%u", c + 1);
		f->ports[c] =
			pw_filter_add_port(f->filter, PW_DIRECTION_OUTPUT, PW_FILTER_PORT_FLAG_MAP_BUFFERS, 0,
				pw_properties_new(PW_KEY_FORMAT_DSP, "32 bit float mono audio",
					PW_KEY_PORT_NAME, name, NULL),
				NULL, 0);
		if (!f->ports[c]) {
			return player_fail("the server refused the port %s", name);
		}
	}
	if (pw_filter_connect(f->filter, PW_FILTER_FLAG_RT_PROCESS, NULL, 0) < 0) {
		return player_fail("the server refused the node");
	}
	return 0;
}

static int wait_for_cycle(struct feed *f)
{
	double deadline_s = player_now_s() + f->options->timeout_s;

	while (!atomic_load_explicit(&f->rate_hz, memory_order_acquire) && go_on(f, deadline_s)) {
	}
	return atomic_load(&f->rate_hz)
		       ? 0
		       : player_fail("the server ran no cycle within %g s", f->options->timeout_s);
}

static int check_after(const struct feed *f)
{
	uint32_t unfed = atomic_load(&f->unfed), rate_hz = atomic_load(&f->rate_hz);

	if (f->player.endless) {
		return 0;
	}
	if (unfed && f->options->n_targets) {
		return player_fail("%u cycles had no buffers to play into", unfed);
	}
	return rate_hz == f->player.rate_hz ? 0 : player_fail("the rate is %u Hz now", rate_hz);
}

static void leave(struct feed *f)
{
	if (f->filter) {
		pw_filter_destroy(f->filter);
	}
	if (f->profiler) {
		pw_proxy_destroy(f->profiler);
	}
	if (f->core) {
		pw_core_disconnect(f->core);
	}
	if (f->context) {
		pw_loop_leave(f->loop);
		pw_context_destroy(f->context);
	}
	if (f->loop) {
		pw_loop_destroy(f->loop);
	}
	for (size_t i = 0; i < f->n_objects; i++) {
		free(f->objects[i].name);
	}
	free(f->objects);
}

static int run(const struct player_options *o)
{
	static struct feed f;
	int r;

	if (player_without_server(o, &r)) {
		return r;
	}
	f.options = o;
	r = join(&f);
	if (r == 0) {
		r = add_filter(&f);
	}
	if (r == 0) {
		r = wait_for_cycle(&f);
	}
	if (r == 0) {
		r = player_prepare(&f.player, o, atomic_load(&f.rate_hz));
	}
	if (r == 0) {
		r = link_all(&f);
	}
	if (r == 0) {
		r = player_play(&f.player, o, iterate, drain, &f);
	}
	if (r == 0) {
		r = check_after(&f);
	}
	leave(&f);
	player_fini(&f.player);
	return r;
}

int main(int argc, char **argv)
{
	static const struct player_kind kind = {
		.program = "pw-feed",
		.server = "PipeWire",
		.target = "NODE",
		.target_help =
			"link out_1..out_8 to its ports playback_1..8 (NODE:PREFIX: to PREFIX1..PREFIX8)",
		.has_quanta = true,
	};
	struct player_options o;
	int r = player_parse(argc, argv, &kind, &o);

	if (r == 0) {
		player_begin();
		pw_init(NULL, NULL);
		r = run(&o);
		pw_deinit();
	}
	return r;
}
