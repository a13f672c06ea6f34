/*
 * The load of the benchmarks under PipeWire: a node with eight outputs, linked to all playback ports of other nodes, as
 * jack-source is under JACK. It makes the links itself, so that no session manager has a say.
 *
 * Threads: all on the main one but process, which is on PipeWire's data loop.
 */
#include "config.h"

#include "bench-signal.h"

#include "base/util.h"

#include <errno.h>
#include <getopt.h>
#include <pipewire/filter.h>
#include <pipewire/pipewire.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX 64
#define PORTS_MAX (NODES_MAX * BENCH_SIGNAL_CHANNELS)
#define NAME "pw-source"

struct options {
	const char *target;
	unsigned expected;
	enum bench_signal_kind kind;
};

/* A port that is to be played into. */
struct sink {
	uint32_t id; /* SPA_ID_INVALID: this place is free */
	uint32_t node_id;
	unsigned channel;
	struct pw_proxy *link; /* NULL: not asked for yet */
	struct spa_hook listener;
	struct spa_hook proxy_listener;
	bool active;
};

struct source {
	const struct options *options;
	struct pw_main_loop *loop;
	struct pw_context *context;
	struct pw_core *core;
	struct spa_hook core_listener;
	struct pw_registry *registry;
	struct spa_hook registry_listener;
	struct pw_filter *filter;
	struct spa_hook filter_listener;
	void *ports[BENCH_SIGNAL_CHANNELS];
	uint32_t outputs[BENCH_SIGNAL_CHANNELS]; /* our ports' ids; SPA_ID_INVALID: not known yet */
	uint32_t nodes[NODES_MAX];		 /* the ids of those whose names match */
	unsigned n_nodes;
	struct sink sinks[PORTS_MAX];
	unsigned connected;
	bool told;
	bool failed;
	struct bench_signal played; /* the data loop's, once the filter is connected */
};

static struct source source;

/* --- the data loop */

static void on_process(void *data, struct spa_io_position *position)
{
	struct source *s = data;
	uint32_t frames = (uint32_t)position->clock.duration;

	for (unsigned k = 0; k < BENCH_SIGNAL_CHANNELS; k++) {
		float *out = pw_filter_get_dsp_buffer(s->ports[k], frames);

		if (out) {
			bench_signal_copy_rt(&s->played, k, out, frames);
		}
	}
	bench_signal_advance_rt(&s->played, frames);
}

/* --- links */

static void give_up(struct source *s, const char *what, const char *why)
{
	fprintf(stderr, "pw-source: %s: %s\n", what, why ? why : "an error");
	s->failed = true;
	pw_main_loop_quit(s->loop);
}

static void set_active(struct sink *sink, bool active)
{
	struct source *s = &source;

	if (sink->active == active) {
		return;
	}
	sink->active = active;
	if (active) {
		s->connected++;
	} else {
		s->connected--;
	}
	if (!s->told && s->connected >= s->options->expected) {
		fprintf(stderr, "pw-source: connected to %u ports\n", s->connected);
		s->told = true;
	}
}

static void on_link_info(void *data, const struct pw_link_info *info)
{
	set_active(data, info->state == PW_LINK_STATE_ACTIVE);
	if (info->state == PW_LINK_STATE_ERROR) {
		give_up(&source, "a link failed", info->error);
	}
}

/* The other side may make a link of its port again by itself, and be faster. */
static void on_link_error(void *data, int seq, int res, const char *message)
{
	if (res == -EEXIST) {
		set_active(data, true);
	} else {
		give_up(&source, "a link is refused", message);
	}
}

static const struct pw_proxy_events link_proxy_events = {
	PW_VERSION_PROXY_EVENTS,
	.error = on_link_error,
};

static const struct pw_link_events link_events = {
	PW_VERSION_LINK_EVENTS,
	.info = on_link_info,
};

static void make_link(struct source *s, struct sink *sink)
{
	char ids[4][16];
	const struct spa_dict_item items[] = {
		{PW_KEY_LINK_OUTPUT_NODE, ids[0]},
		{PW_KEY_LINK_OUTPUT_PORT, ids[1]},
		{PW_KEY_LINK_INPUT_NODE, ids[2]},
		{PW_KEY_LINK_INPUT_PORT, ids[3]},
	};

	snprintf(ids[0], sizeof(ids[0]), "%u", pw_filter_get_node_id(s->filter));
	snprintf(ids[1], sizeof(ids[1]), "%u", s->outputs[sink->channel]);
	snprintf(ids[2], sizeof(ids[2]), "%u", sink->node_id);
	snprintf(ids[3], sizeof(ids[3]), "%u", sink->id);
	sink->link = pw_core_create_object(s->core, "link-factory", PW_TYPE_INTERFACE_Link, PW_VERSION_LINK,
		&SPA_DICT_INIT_ARRAY(items), 0);
	if (!sink->link) {
		give_up(s, "no link can be asked for", strerror(errno));
		return;
	}
	pw_proxy_add_listener(sink->link, &sink->proxy_listener, &link_proxy_events, sink);
	pw_link_add_listener((struct pw_link *)sink->link, &sink->listener, &link_events, sink);
}

static void make_links(struct source *s)
{
	for (unsigned k = 0; k < BENCH_SIGNAL_CHANNELS; k++) {
		if (s->outputs[k] == SPA_ID_INVALID) {
			return;
		}
	}
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (s->sinks[i].id != SPA_ID_INVALID && !s->sinks[i].link) {
			make_link(s, &s->sinks[i]);
		}
	}
}

/* --- what is there in the graph */

static const char *prop(const struct spa_dict *props, const char *key)
{
	const char *value = spa_dict_lookup(props, key);

	return value ? value : "";
}

static void add_node(struct source *s, uint32_t id, const struct spa_dict *props)
{
	const char *target = s->options->target;

	if (strncmp(prop(props, PW_KEY_NODE_NAME), target, strlen(target)) == 0 && s->n_nodes < NODES_MAX) {
		s->nodes[s->n_nodes++] = id;
	}
}

static bool is_target(const struct source *s, uint32_t node_id)
{
	for (unsigned i = 0; i < s->n_nodes; i++) {
		if (s->nodes[i] == node_id) {
			return true;
		}
	}
	return false;
}

static void add_sink(struct source *s, uint32_t id, uint32_t node_id, unsigned channel)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (s->sinks[i].id == SPA_ID_INVALID) {
			s->sinks[i] = (struct sink){.id = id, .node_id = node_id, .channel = channel};
			return;
		}
	}
}

static void add_port(struct source *s, uint32_t id, const struct spa_dict *props)
{
	uint32_t node_id = (uint32_t)strtoul(prop(props, PW_KEY_NODE_ID), NULL, 10);
	const char *name = prop(props, PW_KEY_PORT_NAME);
	unsigned number;

	if (sscanf(name, "out_%u", &number) == 1 && number >= 1 && number <= BENCH_SIGNAL_CHANNELS &&
		node_id == pw_filter_get_node_id(s->filter)) {
		s->outputs[number - 1] = id;
	} else if (sscanf(name, "playback_%u", &number) == 1 && number >= 1 &&
		   number <= BENCH_SIGNAL_CHANNELS && is_target(s, node_id)) {
		add_sink(s, id, node_id, number - 1);
	}
	make_links(s);
}

static void on_global(void *data, uint32_t id, uint32_t permissions, const char *type, uint32_t version,
	const struct spa_dict *props)
{
	if (props && strcmp(type, PW_TYPE_INTERFACE_Node) == 0) {
		add_node(data, id, props);
	} else if (props && strcmp(type, PW_TYPE_INTERFACE_Port) == 0) {
		add_port(data, id, props);
	}
}

static void on_global_remove(void *data, uint32_t id)
{
	struct source *s = data;

	for (unsigned i = 0; i < PORTS_MAX; i++) {
		if (s->sinks[i].id == id) {
			set_active(&s->sinks[i], false);
			if (s->sinks[i].link) {
				spa_hook_remove(&s->sinks[i].listener);
				spa_hook_remove(&s->sinks[i].proxy_listener);
				pw_proxy_destroy(s->sinks[i].link);
			}
			s->sinks[i].id = SPA_ID_INVALID;
			return;
		}
	}
}

static const struct pw_registry_events registry_events = {
	PW_VERSION_REGISTRY_EVENTS,
	.global = on_global,
	.global_remove = on_global_remove,
};

/* Ports are told of by the node they belong to; which one is ours is known from here on. */
static void on_filter_state(
	void *data, enum pw_filter_state old, enum pw_filter_state state, const char *error)
{
	struct source *s = data;

	if (state == PW_FILTER_STATE_ERROR) {
		give_up(s, "the server refuses the node", error);
	} else if (!s->registry && pw_filter_get_node_id(s->filter) != SPA_ID_INVALID) {
		s->registry = pw_core_get_registry(s->core, PW_VERSION_REGISTRY, 0);
		if (!s->registry) {
			give_up(s, "no registry", strerror(errno));
			return;
		}
		pw_registry_add_listener(s->registry, &s->registry_listener, &registry_events, s);
	}
}

static const struct pw_filter_events filter_events = {
	PW_VERSION_FILTER_EVENTS,
	.state_changed = on_filter_state,
	.process = on_process,
};

static void on_core_error(void *data, uint32_t id, int seq, int res, const char *message)
{
	if (id == PW_ID_CORE && res == -EPIPE) {
		give_up(data, "the server went away", message);
	} else if (res != -EEXIST) {
		fprintf(stderr, "pw-source: the server says: %s\n", message);
	}
}

static const struct pw_core_events core_events = {
	PW_VERSION_CORE_EVENTS,
	.error = on_core_error,
};

/* --- the client */

static void on_signal(void *data, int number)
{
	pw_main_loop_quit(((struct source *)data)->loop);
}

static bool complain(const char *what)
{
	fprintf(stderr, "pw-source: %s: %s\n", what, strerror(errno));
	return false;
}

static bool join(struct source *s)
{
	struct pw_properties *props = pw_properties_new(PW_KEY_APP_NAME, NAME, NULL);

#if !PW_CHECK_VERSION(1, 2, 0)
	/* Until then only this one asks for realtime priority. */
	pw_properties_set(props, PW_KEY_CONFIG_NAME, "client-rt.conf");
#endif
	s->loop = pw_main_loop_new(NULL);
	if (!s->loop) {
		return complain("there is no loop");
	}
	/* Before there are threads, which inherit that signals are blocked. */
	pw_loop_add_signal(pw_main_loop_get_loop(s->loop), SIGTERM, on_signal, s);
	pw_loop_add_signal(pw_main_loop_get_loop(s->loop), SIGINT, on_signal, s);
	s->context = pw_context_new(pw_main_loop_get_loop(s->loop), props, 0);
	if (!s->context) {
		return complain("there is no client");
	}
	s->core = pw_context_connect(s->context, NULL, 0);
	if (!s->core) {
		return complain("no PipeWire server can be joined; is it running, and for this user?");
	}
	pw_core_add_listener(s->core, &s->core_listener, &core_events, s);
	return true;
}

static bool add_filter(struct source *s)
{
	char name[16];

	s->filter = pw_filter_new(s->core, NAME,
		pw_properties_new(PW_KEY_NODE_NAME, NAME, PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_NODE_WANT_DRIVER,
			"true", PW_KEY_NODE_AUTOCONNECT, "false", NULL));
	if (!s->filter) {
		return complain("there is no node");
	}
	pw_filter_add_listener(s->filter, &s->filter_listener, &filter_events, s);
	for (unsigned k = 0; k < BENCH_SIGNAL_CHANNELS; k++) {
		snprintf(name, sizeof(name), "out_%u", k + 1);
		s->ports[k] =
			pw_filter_add_port(s->filter, PW_DIRECTION_OUTPUT, PW_FILTER_PORT_FLAG_MAP_BUFFERS, 0,
				pw_properties_new(PW_KEY_FORMAT_DSP, "32 bit float mono audio",
					PW_KEY_PORT_NAME, name, NULL),
				NULL, 0);
		if (!s->ports[k]) {
			return complain("the node has no ports");
		}
	}
	if (pw_filter_connect(s->filter, PW_FILTER_FLAG_RT_PROCESS, NULL, 0) < 0) {
		return complain("the node cannot be connected");
	}
	return true;
}

static void leave(struct source *s)
{
	if (s->registry) {
		pw_proxy_destroy((struct pw_proxy *)s->registry);
	}
	if (s->filter) {
		pw_filter_destroy(s->filter);
	}
	if (s->core) {
		pw_core_disconnect(s->core);
	}
	if (s->context) {
		pw_context_destroy(s->context);
	}
	if (s->loop) {
		pw_main_loop_destroy(s->loop);
	}
}

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: pw-source --to=PREFIX [--ports=N] [--signal=noise|sine|mixed]\n"
		"Feeds full-scale signals to the ports playback_1 to playback_%d of all PipeWire nodes "
		"whose\n"
		"name begins with PREFIX, until SIGTERM or SIGINT.\n"
		"  --to=PREFIX    for example ethlink.\n"
		"  --ports=N      how many ports there should be, 1 to %d; the exit status is 1 where in "
		"the\n"
		"                 end there are fewer; default 1\n"
		"  --signal=KIND  noise, sine or mixed (odd channels sine, even noise); default mixed\n"
		"  --help, --version\n"
		"It says on the standard error when it is connected to that many ports.\n",
		BENCH_SIGNAL_CHANNELS, PORTS_MAX);
}

static void refuse(const char *what, const char *text)
{
	fprintf(stderr, "pw-source: %s: not '%s'\n", what, text);
	usage(stderr);
	exit(2);
}

static unsigned number_of_ports(const char *text)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value < 1 || value > PORTS_MAX) {
		refuse("--ports is a number of ports", text);
	}
	return (unsigned)value;
}

static void parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"to", required_argument, NULL, 't'},
		{"ports", required_argument, NULL, 'p'},
		{"signal", required_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 't':
			o->target = optarg;
			break;
		case 'p':
			o->expected = number_of_ports(optarg);
			break;
		case 'k':
			if (bench_signal_kind_from_string(optarg, &o->kind) < 0) {
				refuse("--signal is noise, sine or mixed", optarg);
			}
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'V':
			printf("pw-source %s\n", PACKAGE_VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (!o->target || optind != argc) {
		refuse("nodes must be given with --to, and nothing but options",
			optind < argc ? argv[optind] : "");
	}
}

int main(int argc, char **argv)
{
	struct options o = {.expected = 1, .kind = BENCH_SIGNAL_MIXED};
	struct source *s = &source;
	unsigned connected;

	parse_options(argc, argv, &o);
	s->options = &o;
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		s->sinks[i].id = SPA_ID_INVALID;
	}
	memset(s->outputs, 0xff, sizeof(s->outputs));
	bench_signal_fill(&s->played, o.kind);
	pw_init(NULL, NULL);
	s->failed = !join(s) || !add_filter(s);
	if (!s->failed) {
		pw_main_loop_run(s->loop);
	}
	connected = s->connected;
	leave(s);
	pw_deinit();
	if (!s->failed && connected < o.expected) {
		fprintf(stderr, "pw-source: connected to %u ports of %s*, not to %u\n", connected, o.target,
			o.expected);
		s->failed = true;
	}
	return s->failed ? 1 : 0;
}
