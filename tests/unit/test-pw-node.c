/* A node of the PipeWire backend, spoken to as libpipewire does, without a server: what it says of itself and takes. */
#include "backend/pipewire-internal.h"

#include "base/mem.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <spa/node/utils.h>
#include <spa/param/audio/format-utils.h>
#include <spa/param/latency-utils.h>
#include <spa/param/props.h>
#include <spa/pod/builder.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define IN SPA_DIRECTION_INPUT
#define OUT SPA_DIRECTION_OUTPUT
#define PARAMS_MAX 16
#define RESULTS_MAX 8
#define POD_MAX 2048
#define FUZZ_ROUNDS 60000

struct seen_params {
	uint32_t n;
	struct spa_param_info info[PARAMS_MAX];
};

struct seen_port {
	bool there;
	unsigned added, removed;
	uint64_t flags;
	char name[32], alias[160], channel[16], physical[8], monitor[8], dsp[64];
	struct seen_params params;
};

/* An answer to a question for params. */
struct seen_result {
	struct spa_result_node_params result;
	int seq;
	union {
		uint8_t bytes[POD_MAX];
		struct spa_pod pod;
		uint64_t align;
	} pod;
};

struct rig {
	struct pipewire_backend *p;
	struct backend_group *g;
	struct spa_node *node;
	struct pw_loop loop;
	struct spa_loop loop_iface;
	unsigned n_invokes;
	struct spa_hook hook;
	unsigned n_infos;
	uint64_t flags;
	uint32_t max_in, max_out;
	char description[64], position[64], priority[16];
	struct seen_params params;
	struct seen_port ports[2][AUDIO_CHANNELS];
	unsigned n_results;
	struct seen_result results[RESULTS_MAX];
};

static unsigned posted;		       /* what the node had to tell the daemon */
static struct pw_properties *exported; /* what the node was exported with */
static unsigned n_impls;	       /* of libpipewire's nodes that are there */
static unsigned n_wakes;	       /* how often the last one was made active */
static bool core_is_there;
static struct pw_impl_node *const the_impl = (struct pw_impl_node *)&exported;
static struct pw_proxy *const the_proxy = (struct pw_proxy *)&posted;
static const struct pw_proxy_events *proxy_events;
static void *proxy_data;

/* --- in place of the rest of the backend, and of libpipewire --- */

void pw_post(struct pipewire_backend *p, unsigned changes)
{
	posted |= changes;
}

struct pw_impl_node *pw_context_create_node(
	struct pw_context *context, struct pw_properties *properties, size_t user_data_size)
{
	n_impls++;
	n_wakes = 0;
	pw_properties_free(exported);
	exported = properties;
	return the_impl;
}

int pw_impl_node_set_implementation(struct pw_impl_node *node, struct spa_node *spa_node)
{
	assert_ptr_equal(node, the_impl);
	return 0;
}

int pw_impl_node_set_active(struct pw_impl_node *node, bool active)
{
	assert_ptr_equal(node, the_impl);
	n_wakes += active ? 1 : 0;
	return 0;
}

void pw_impl_node_destroy(struct pw_impl_node *node)
{
	assert_ptr_equal(node, the_impl);
	n_impls--;
}

struct pw_proxy *pw_core_export(struct pw_core *core, const char *type, const struct spa_dict *props,
	void *object, size_t user_data_size)
{
	assert_string_equal(type, PW_TYPE_INTERFACE_Node);
	assert_ptr_equal(object, the_impl);
	errno = EPIPE;
	return core_is_there ? the_proxy : NULL;
}

void pw_proxy_add_listener(
	struct pw_proxy *proxy, struct spa_hook *listener, const struct pw_proxy_events *events, void *data)
{
	spa_zero(*listener);
	proxy_events = events;
	proxy_data = data;
}

void pw_proxy_destroy(struct pw_proxy *proxy)
{
	assert_ptr_equal(proxy, the_proxy);
	proxy_events->destroy(proxy_data);
}

static int invoke(void *object, spa_invoke_func_t fn, uint32_t seq, const void *data, size_t size, bool block,
	void *user_data)
{
	struct rig *rig = object;

	assert_true(block);
	rig->n_invokes++;
	return fn(&rig->loop_iface, false, seq, data, size, user_data);
}

static const struct spa_loop_methods loop_methods = {
	SPA_VERSION_LOOP_METHODS,
	.invoke = invoke,
};

/* --- what libpipewire hears --- */

static void keep(char *to, size_t size, const struct spa_dict *props, const char *key)
{
	const char *value = spa_dict_lookup(props, key);

	snprintf(to, size, "%s", value ? value : "");
}

static void keep_params(struct seen_params *to, const struct spa_param_info *info, uint32_t n)
{
	assert_true(n <= PARAMS_MAX);
	to->n = n;
	memcpy(to->info, info, n * sizeof(*info));
}

static void on_info(void *data, const struct spa_node_info *info)
{
	struct rig *rig = data;

	rig->n_infos++;
	rig->max_in = info->max_input_ports;
	rig->max_out = info->max_output_ports;
	if (info->change_mask & SPA_NODE_CHANGE_MASK_FLAGS) {
		rig->flags = info->flags;
	}
	if (info->change_mask & SPA_NODE_CHANGE_MASK_PARAMS) {
		keep_params(&rig->params, info->params, info->n_params);
	}
	if (info->change_mask & SPA_NODE_CHANGE_MASK_PROPS) {
		keep(rig->description, sizeof(rig->description), info->props, PW_KEY_NODE_DESCRIPTION);
		keep(rig->position, sizeof(rig->position), info->props, "audio.position");
		keep(rig->priority, sizeof(rig->priority), info->props, PW_KEY_PRIORITY_SESSION);
	}
}

static void on_port_info(
	void *data, enum spa_direction direction, uint32_t k, const struct spa_port_info *info)
{
	struct rig *rig = data;
	struct seen_port *port;

	assert_true(k < AUDIO_CHANNELS);
	port = &rig->ports[direction][k];
	if (!info) {
		assert_true(port->there);
		port->there = false;
		port->removed++;
		/* As libpipewire does when it frees a port that has been in use. */
		assert_int_equal(spa_node_port_set_io(rig->node, direction, k, SPA_IO_Buffers, NULL, 0), 0);
		assert_int_equal(spa_node_port_use_buffers(rig->node, direction, k, 0, NULL, 0), 0);
		return;
	}
	port->added += port->there ? 0 : 1;
	port->there = true;
	port->flags = info->flags;
	keep(port->name, sizeof(port->name), info->props, PW_KEY_PORT_NAME);
	keep(port->alias, sizeof(port->alias), info->props, PW_KEY_PORT_ALIAS);
	keep(port->channel, sizeof(port->channel), info->props, PW_KEY_AUDIO_CHANNEL);
	keep(port->physical, sizeof(port->physical), info->props, PW_KEY_PORT_PHYSICAL);
	keep(port->monitor, sizeof(port->monitor), info->props, PW_KEY_PORT_MONITOR);
	keep(port->dsp, sizeof(port->dsp), info->props, PW_KEY_FORMAT_DSP);
	keep_params(&port->params, info->params, info->n_params);
}

static void on_result(void *data, int seq, int res, uint32_t type, const void *result)
{
	struct rig *rig = data;
	struct seen_result *seen = &rig->results[rig->n_results++];

	assert_true(rig->n_results <= RESULTS_MAX);
	assert_int_equal(res, 0);
	seen->seq = seq;
	if (type == SPA_RESULT_TYPE_NODE_PARAMS) {
		seen->result = *(const struct spa_result_node_params *)result;
		assert_true(SPA_POD_SIZE(seen->result.param) <= POD_MAX);
		memcpy(seen->pod.bytes, seen->result.param, SPA_POD_SIZE(seen->result.param));
	}
}

static const struct spa_node_events node_events = {
	SPA_VERSION_NODE_EVENTS,
	.info = on_info,
	.port_info = on_port_info,
	.result = on_result,
};

/* --- the node, and questions --- */

static int start(void **state, bool monitor, bool insert)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	posted = 0;
	core_is_there = true;
	rig->p = mem_zalloc(CACHELINE_SIZE, sizeof(*rig->p));
	rig->g = mem_zalloc(CACHELINE_SIZE, sizeof(*rig->g));
	assert_true(rig->p && rig->g);
	rig->loop_iface.iface =
		SPA_INTERFACE_INIT(SPA_TYPE_INTERFACE_Loop, SPA_VERSION_LOOP, &loop_methods, rig);
	rig->loop.loop = &rig->loop_iface;
	rig->p->data_loop = &rig->loop;
	rig->p->rt.cycle = 1;
	rig->p->told.rate_hz = 48000;
	snprintf(rig->p->client_name, sizeof(rig->p->client_name), "ethlink");
	rig->g->backend = rig->p;
	rig->g->rt.rt = &rig->p->rt;
	rig->g->rt.monitor = monitor;
	snprintf(rig->g->name, sizeof(rig->g->name), "stage");
	rig->g->description = strdup("Main stage");
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		rig->g->in[k].want = true;
		rig->g->out[k].want = monitor;
		rig->g->positions[k] = SPA_AUDIO_CHANNEL_AUX0 + k;
	}
	rig->g->positions[1] = SPA_AUDIO_CHANNEL_FR;
	rig->g->in[2].label = strdup("Sub");
	assert_int_equal(pwnode_init(rig->g, insert), 0);
	for (unsigned k = 0; k < AUDIO_CHANNELS && insert; k++) {
		rig->g->in[k].want = k <= PWRT_MIDI;
		rig->g->out[k].want = k <= PWRT_MIDI;
		snprintf(rig->g->in[k].name, sizeof(rig->g->in[k].name), "send_%u", k + 1);
		snprintf(rig->g->out[k].name, sizeof(rig->g->out[k].name), "return_%u", k + 1);
	}
	rig->g->through = insert;
	rig->node = &rig->g->node;
	assert_int_equal(spa_node_add_listener(rig->node, &rig->hook, &node_events, rig), 0);
	*state = rig;
	return 0;
}

static int setup(void **state)
{
	return start(state, false, false);
}

static int setup_monitor(void **state)
{
	return start(state, true, false);
}

static int setup_insert(void **state)
{
	return start(state, false, true);
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	pwnode_withdraw(rig->g);
	assert_int_equal(n_impls, 0);
	spa_hook_remove(&rig->hook);
	pwnode_fini(rig->g);
	free(rig->g->description);
	free(rig->g->in[2].label);
	free(rig->g);
	free(rig->p);
	free(rig);
	pw_properties_free(exported);
	exported = NULL;
	return 0;
}

static uint32_t flags_of(const struct seen_params *params, uint32_t id)
{
	for (uint32_t i = 0; i < params->n; i++) {
		if (params->info[i].id == id) {
			return params->info[i].flags;
		}
	}
	return 0;
}

/* Params of the node (k < 0) or of a port; how many came. */
static unsigned ask(struct rig *rig, enum spa_direction direction, int k, uint32_t id, uint32_t first,
	uint32_t num, const struct spa_pod *filter)
{
	rig->n_results = 0;
	if (k < 0) {
		assert_int_equal(spa_node_enum_params(rig->node, 7, id, first, num, filter), 0);
	} else {
		assert_int_equal(spa_node_port_enum_params(
					 rig->node, 7, direction, (uint32_t)k, id, first, num, filter),
			0);
	}
	return rig->n_results;
}

static const struct spa_pod *the_param(struct rig *rig, enum spa_direction direction, int k, uint32_t id)
{
	assert_int_equal(ask(rig, direction, k, id, 0, UINT32_MAX, NULL), 1);
	return &rig->results[0].pod.pod;
}

/* Some param as a filter gives itself; what is no param at all gives none. */
static void assert_filters(struct rig *rig, enum spa_direction direction, int k, uint32_t id)
{
	const struct spa_pod_int other = SPA_POD_INIT_Int(1);
	struct seen_result first = rig->results[0];

	assert_true(ask(rig, direction, k, id, 0, UINT32_MAX, &first.pod.pod) >= 1);
	assert_int_equal(rig->results[0].result.index, first.result.index);
	assert_int_equal(ask(rig, direction, k, id, 0, UINT32_MAX, &other.pod), 0);
}

/* What is announced as readable answers, also in parts. */
static void assert_answers(
	struct rig *rig, enum spa_direction direction, int k, const struct seen_params *params)
{
	for (uint32_t i = 0; i < params->n; i++) {
		uint32_t id = params->info[i].id;
		unsigned n = ask(rig, direction, k, id, 0, UINT32_MAX, NULL);

		if (!(params->info[i].flags & SPA_PARAM_INFO_READ)) {
			assert_true(n == 0 || id == SPA_PARAM_Buffers);
			continue;
		}
		assert_true(n > 0);
		assert_filters(rig, direction, k, id);
		assert_int_equal(ask(rig, direction, k, id, 0, 0, NULL), 0);
		assert_int_equal(ask(rig, direction, k, id, UINT32_MAX, 1, NULL), 0);
		for (uint32_t first = 0; first < n + 1; first++) {
			assert_int_equal(ask(rig, direction, k, id, first, UINT32_MAX, NULL), n - first);
			assert_int_equal(ask(rig, direction, k, id, first, 1, NULL), first < n ? 1 : 0);
			if (first < n) {
				assert_int_equal(rig->results[0].seq, 7);
				assert_int_equal(rig->results[0].result.id, id);
				assert_int_equal(rig->results[0].result.index, first);
				assert_int_equal(rig->results[0].result.next, first + 1);
			}
		}
	}
}

static void assert_promises(struct rig *rig)
{
	assert_answers(rig, IN, -1, &rig->params);
	for (int k = 0; k < AUDIO_CHANNELS; k++) {
		if (rig->ports[IN][k].there) {
			assert_answers(rig, IN, k, &rig->ports[IN][k].params);
		}
		if (rig->ports[OUT][k].there) {
			assert_answers(rig, OUT, k, &rig->ports[OUT][k].params);
		}
	}
	assert_int_equal(ask(rig, IN, -1, SPA_PARAM_Profile, 0, UINT32_MAX, NULL), 0);
	assert_int_equal(ask(rig, IN, 0, SPA_PARAM_Profile, 0, UINT32_MAX, NULL), 0);
}

/* --- what it says --- */

static void test_info(void **state)
{
	struct rig *rig = *state;
	bool monitor = rig->g->rt.monitor;

	assert_int_equal(rig->n_infos, 1);
	assert_int_equal(rig->max_in, AUDIO_CHANNELS);
	assert_true(rig->max_out >= (monitor ? AUDIO_CHANNELS : 0));
	assert_int_equal(rig->flags, SPA_NODE_FLAG_RT | SPA_NODE_FLAG_IN_PORT_CONFIG);
	assert_string_equal(rig->description, "Main stage");
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		const struct seen_port *in = &rig->ports[IN][k], *out = &rig->ports[OUT][k];
		char name[32], alias[64], channel[8];

		snprintf(name, sizeof(name), "playback_%u", k + 1);
		snprintf(alias, sizeof(alias), "Main stage:%s", k == 2 ? "Sub" : name);
		snprintf(channel, sizeof(channel), k == 1 ? "FR" : "AUX%u", k);
		assert_int_equal(in->added, 1);
		assert_string_equal(in->name, name);
		assert_string_equal(in->alias, alias);
		assert_string_equal(in->channel, channel);
		assert_string_equal(in->physical, "true");
		assert_string_equal(in->monitor, "");
		assert_string_equal(in->dsp, "32 bit float mono audio");
		assert_int_equal(in->flags, SPA_PORT_FLAG_PHYSICAL | SPA_PORT_FLAG_TERMINAL);
		assert_int_equal(out->added, monitor ? 1 : 0);
		if (monitor) {
			snprintf(name, sizeof(name), "monitor_%u", k + 1);
			assert_string_equal(out->name, name);
			assert_string_equal(out->channel, channel);
			assert_string_equal(out->physical, "");
			assert_string_equal(out->monitor, "true");
			assert_int_equal(out->flags, 0);
		}
	}
	assert_promises(rig);
}

/* A second one who listens hears all; the first hears nothing of it. */
static void test_second_listener(void **state)
{
	struct rig *rig = *state;
	struct rig *second = calloc(1, sizeof(*second));

	assert_non_null(second);
	second->node = rig->node;
	assert_int_equal(spa_node_add_listener(rig->node, &second->hook, &node_events, second), 0);
	assert_int_equal(rig->n_infos, 1);
	assert_int_equal(second->n_infos, 1);
	assert_true(second->ports[IN][7].there);
	pwnode_export(rig->g);
	pwnode_update(rig->g);
	assert_int_equal(rig->n_infos, 2);
	assert_int_equal(second->n_infos, 2);
	spa_hook_remove(&second->hook);
	free(second);
	rig->n_results = 0;
	assert_int_equal(spa_node_sync(rig->node, 99), 0);
	assert_int_equal(rig->n_results, 1);
	assert_int_equal(rig->results[0].seq, 99);
}

static void assert_format(struct rig *rig, const struct spa_pod *pod, uint32_t rate)
{
	struct spa_audio_info_raw raw = {0};
	uint32_t type, subtype;

	assert_int_equal(spa_format_parse(pod, &type, &subtype), 2);
	assert_int_equal(type, SPA_MEDIA_TYPE_audio);
	assert_int_equal(subtype, SPA_MEDIA_SUBTYPE_raw);
	assert_true(spa_format_audio_raw_parse(pod, &raw) >= 0);
	assert_int_equal(raw.format, SPA_AUDIO_FORMAT_F32P);
	assert_int_equal(raw.channels, AUDIO_CHANNELS);
	assert_int_equal(raw.rate, rate);
	assert_memory_equal(raw.position, rig->g->positions, sizeof(rig->g->positions));
}

/* A filter that asks for something else. */
static void test_filter(void **state)
{
	struct rig *rig = *state;
	uint8_t buffer[256];
	struct spa_pod_builder b = SPA_POD_BUILDER_INIT(buffer, sizeof(buffer));
	struct spa_pod *video = spa_pod_builder_add_object(&b, SPA_TYPE_OBJECT_Format, SPA_PARAM_EnumFormat,
		SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_video));
	struct spa_pod *volumes = spa_pod_builder_add_object(&b, SPA_TYPE_OBJECT_PropInfo, SPA_PARAM_PropInfo,
		SPA_PROP_INFO_id, SPA_POD_Id(SPA_PROP_channelVolumes));

	assert_int_equal(ask(rig, IN, -1, SPA_PARAM_EnumFormat, 0, UINT32_MAX, video), 0);
	assert_int_equal(ask(rig, IN, 0, SPA_PARAM_EnumFormat, 0, UINT32_MAX, video), 0);
	/* The first does not pass: it is the second that counts as the one that was asked for. */
	assert_int_equal(ask(rig, IN, -1, SPA_PARAM_PropInfo, 0, UINT32_MAX, NULL), 2);
	assert_int_equal(ask(rig, IN, -1, SPA_PARAM_PropInfo, 0, 1, volumes), 1);
	assert_int_equal(rig->results[0].result.index, 1);
	assert_int_equal(rig->results[0].result.next, 2);
}

static void test_node_params(void **state)
{
	struct rig *rig = *state;
	struct spa_process_latency_info latency;
	uint32_t direction, mode;
	struct spa_pod *format;
	bool monitor, control;

	assert_format(rig, the_param(rig, IN, -1, SPA_PARAM_EnumFormat), 48000);
	rig->p->told.rate_hz = 0; /* not known yet */
	assert_format(rig, the_param(rig, IN, -1, SPA_PARAM_EnumFormat), 0);
	rig->p->told.rate_hz = 96000;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t id = i == 0 ? SPA_PARAM_EnumPortConfig : SPA_PARAM_PortConfig;

		assert_int_equal(
			spa_pod_parse_object(the_param(rig, IN, -1, id), SPA_TYPE_OBJECT_ParamPortConfig,
				NULL, SPA_PARAM_PORT_CONFIG_direction, SPA_POD_Id(&direction),
				SPA_PARAM_PORT_CONFIG_mode, SPA_POD_Id(&mode), SPA_PARAM_PORT_CONFIG_monitor,
				SPA_POD_Bool(&monitor), SPA_PARAM_PORT_CONFIG_control, SPA_POD_Bool(&control),
				SPA_PARAM_PORT_CONFIG_format, SPA_POD_Pod(&format)),
			5);
		assert_int_equal(direction, SPA_DIRECTION_INPUT);
		assert_int_equal(mode, SPA_PARAM_PORT_CONFIG_MODE_dsp);
		assert_int_equal(monitor, rig->g->rt.monitor);
		assert_false(control);
		assert_format(rig, format, 96000);
	}
	pwnode_set_latency(rig->g, 123);
	assert_int_equal(
		spa_process_latency_parse(the_param(rig, IN, -1, SPA_PARAM_ProcessLatency), &latency), 0);
	assert_int_equal(latency.rate, 123);
	assert_int_equal(latency.ns, 0);
	assert_float_equal(latency.quantum, 0, 0);
}

/* The node's Props as they are read. */
static void assert_props(struct rig *rig, bool mute, const float volume[AUDIO_CHANNELS])
{
	const struct spa_pod *pod = the_param(rig, IN, -1, SPA_PARAM_Props);
	struct spa_pod *volumes, *map;
	float values[AUDIO_CHANNELS];
	uint32_t positions[AUDIO_CHANNELS];
	bool is_mute;

	assert_int_equal(spa_pod_parse_object(pod, SPA_TYPE_OBJECT_Props, NULL, SPA_PROP_mute,
				 SPA_POD_Bool(&is_mute), SPA_PROP_channelVolumes, SPA_POD_Pod(&volumes),
				 SPA_PROP_channelMap, SPA_POD_Pod(&map)),
		3);
	assert_int_equal(is_mute, mute);
	assert_int_equal(spa_pod_copy_array(volumes, SPA_TYPE_Float, values, AUDIO_CHANNELS), AUDIO_CHANNELS);
	assert_int_equal(SPA_POD_ARRAY_N_VALUES(volumes), AUDIO_CHANNELS);
	assert_memory_equal(values, volume, sizeof(values));
	assert_int_equal(spa_pod_copy_array(map, SPA_TYPE_Id, positions, AUDIO_CHANNELS), AUDIO_CHANNELS);
	assert_memory_equal(positions, rig->g->positions, sizeof(positions));
}

static void test_port_params(void **state)
{
	struct rig *rig = *state;

	for (unsigned i = 0; i < 2 * AUDIO_CHANNELS; i++) {
		enum spa_direction direction = i % 2 ? OUT : IN;
		int k = (int)i / 2;
		struct spa_audio_info_dsp dsp = {0};
		uint32_t type, subtype;
		int32_t id, size, blocks, stride;
		struct spa_latency_info latency;

		if (!rig->ports[direction][k].there) {
			continue;
		}
		(void)the_param(rig, direction, k, SPA_PARAM_EnumFormat);
		assert_int_equal(spa_format_parse(&rig->results[0].pod.pod, &type, &subtype), 2);
		assert_int_equal(subtype, SPA_MEDIA_SUBTYPE_dsp);
		assert_true(spa_format_audio_dsp_parse(&rig->results[0].pod.pod, &dsp) >= 0);
		assert_int_equal(dsp.format, SPA_AUDIO_FORMAT_DSP_F32);
		assert_int_equal(spa_pod_parse_object(the_param(rig, direction, k, SPA_PARAM_IO),
					 SPA_TYPE_OBJECT_ParamIO, NULL, SPA_PARAM_IO_id, SPA_POD_Id(&id),
					 SPA_PARAM_IO_size, SPA_POD_Int(&size)),
			2);
		assert_int_equal(id, SPA_IO_Buffers);
		assert_int_equal(size, sizeof(struct spa_io_buffers));
		assert_int_equal(
			spa_pod_parse_object(the_param(rig, direction, k, SPA_PARAM_Buffers),
				SPA_TYPE_OBJECT_ParamBuffers, NULL, SPA_PARAM_BUFFERS_blocks,
				SPA_POD_Int(&blocks), SPA_PARAM_BUFFERS_stride, SPA_POD_Int(&stride)),
			2);
		assert_int_equal(blocks, 1);
		assert_int_equal(stride, sizeof(float));
		pwnode_set_latency(rig->g, 77);
		assert_int_equal(ask(rig, direction, k, SPA_PARAM_Latency, 0, UINT32_MAX, NULL), 2);
		for (unsigned d = 0; d < 2; d++) {
			unsigned rate = direction == IN && d == IN ? 77 : 0;

			assert_int_equal(spa_latency_parse(&rig->results[d].pod.pod, &latency), 0);
			assert_int_equal(latency.direction, d);
			assert_int_equal(latency.min_rate, rate);
			assert_int_equal(latency.max_rate, rate);
		}
	}
}

/* --- what it takes --- */

static int set_props_pod(struct rig *rig, const struct spa_pod *pod)
{
	posted = 0;
	rig->n_infos = 0;
	return spa_node_set_param(rig->node, SPA_PARAM_Props, 0, pod);
}

/* Whether the last set_props_pod() was news to the graph, and a moment later to the daemon, the same for both. */
static bool is_news(struct rig *rig)
{
	unsigned n_infos = rig->n_infos;
	bool news;

	assert_int_equal(posted, 0);
	pwnode_tend(rig->g, now_ns() + NSEC_PER_SEC);
	news = posted & BACKEND_CHANGED_VOLUME;
	assert_int_equal(n_infos, news ? 1 : 0);
	assert_int_equal(rig->g->volume_news, news);
	rig->g->volume_news = false;
	return news;
}

static bool set_volumes(struct rig *rig, const float *values, uint32_t n)
{
	uint8_t buffer[1024];
	struct spa_pod_builder b = SPA_POD_BUILDER_INIT(buffer, sizeof(buffer));

	assert_int_equal(set_props_pod(rig, spa_pod_builder_add_object(&b, SPA_TYPE_OBJECT_Props,
						    SPA_PARAM_Props, SPA_PROP_channelVolumes,
						    SPA_POD_Array(sizeof(float), SPA_TYPE_Float, n, values))),
		0);
	return is_news(rig);
}

static void ask_for(struct rig *rig, float value, bool mute)
{
	uint8_t buffer[256];
	struct spa_pod_builder b = SPA_POD_BUILDER_INIT(buffer, sizeof(buffer));

	assert_int_equal(set_props_pod(rig, spa_pod_builder_add_object(&b, SPA_TYPE_OBJECT_Props,
						    SPA_PARAM_Props, SPA_PROP_volume, SPA_POD_Float(value),
						    SPA_PROP_mute, SPA_POD_Bool(mute))),
		0);
}

static bool set_all(struct rig *rig, float value, bool mute)
{
	ask_for(rig, value, mute);
	return is_news(rig);
}

static void assert_volumes(struct rig *rig, bool mute, float a, float b, float others)
{
	const float volume[AUDIO_CHANNELS] = {a, b, others, others, others, others, others, others};

	assert_props(rig, mute, volume);
	assert_int_equal(rig->g->volume.mute, mute);
	assert_memory_equal(rig->g->volume.volume, volume, sizeof(volume));
}

static void test_volumes(void **state)
{
	struct rig *rig = *state;
	float values[100];
	uint32_t serial;

	assert_volumes(rig, false, 1, 1, 1);
	for (unsigned i = 0; i < 100; i++) {
		values[i] = i == 0 ? 0.5f : i == 1 ? 0.25f : 0.125f;
	}
	serial = flags_of(&rig->params, SPA_PARAM_Props) & SPA_PARAM_INFO_SERIAL;
	assert_true(set_volumes(rig, values, 1));
	assert_volumes(rig, false, 0.5f, 0.5f, 0.5f);
	assert_true((flags_of(&rig->params, SPA_PARAM_Props) & SPA_PARAM_INFO_SERIAL) != serial);
	assert_false(set_volumes(rig, values, 1));
	assert_false(set_volumes(rig, values, 0));
	assert_true(set_volumes(rig, values, 2));
	assert_volumes(rig, false, 0.5f, 0.25f, 0.25f);
	assert_true(set_volumes(rig, values, 8));
	assert_volumes(rig, false, 0.5f, 0.25f, 0.125f);
	assert_false(set_volumes(rig, values, 8));
	assert_false(set_volumes(rig, values, 64));
	values[2] = 1;
	values[0] = 0;
	assert_true(set_volumes(rig, values, 100));
	assert_float_equal(rig->g->volume.volume[2], 1, 0);
	assert_float_equal(rig->g->volume.volume[0], 0, 0);
	assert_true(set_all(rig, 0.75f, true));
	assert_volumes(rig, true, 0.75f, 0.75f, 0.75f);
	assert_false(set_all(rig, 0.75f, true));
	assert_true(set_all(rig, 0.75f, false));
	assert_volumes(rig, false, 0.75f, 0.75f, 0.75f);
}

static void test_mad_volumes(void **state)
{
	struct rig *rig = *state;
	float values[2] = {NAN, 0.5f};

	assert_true(set_volumes(rig, values, 2));
	assert_volumes(rig, false, 1, 0.5f, 0.5f);
	values[1] = -0.25f;
	assert_false(set_volumes(rig, values, 2));
	values[0] = -INFINITY;
	assert_false(set_volumes(rig, values, 2));
	assert_false(set_all(rig, NAN, false));
	assert_false(set_all(rig, -1, false));
	assert_volumes(rig, false, 1, 0.5f, 0.5f);
	values[0] = INFINITY;
	values[1] = 1e30f;
	assert_true(set_volumes(rig, values, 2));
	assert_volumes(rig, false, 16, 16, 16);
	assert_false(set_volumes(rig, values, 2));
	assert_true(set_all(rig, 0, false));
	assert_false(set_all(rig, -0.0f, false));
	assert_volumes(rig, false, 0, 0, 0);
}

/* Values of another type, or that say that they are longer than ours. */
static void test_wrong_props(void **state)
{
	static const float ones[256] = {0.5f};
	static const uint32_t ids[] = {1, 2, 3};
	struct rig *rig = *state;
	uint8_t buffer[2048];
	struct spa_pod_builder b;

#define SET(type, ...)                                                                                       \
	do {                                                                                                 \
		spa_pod_builder_init(&b, buffer, sizeof(buffer));                                            \
		assert_int_equal(set_props_pod(rig, spa_pod_builder_add_object(                              \
							    &b, type, SPA_PARAM_Props, __VA_ARGS__)),        \
			0);                                                                                  \
		assert_false(is_news(rig));                                                                  \
		assert_volumes(rig, false, 1, 1, 1);                                                         \
	} while (0)

	SET(SPA_TYPE_OBJECT_Props, 0);
	SET(SPA_TYPE_OBJECT_Format, SPA_PROP_volume, SPA_POD_Float(0.5f));
	SET(SPA_TYPE_OBJECT_Props, SPA_PROP_volume, SPA_POD_Int(0));
	SET(SPA_TYPE_OBJECT_Props, SPA_PROP_volume, SPA_POD_Double(0.5));
	SET(SPA_TYPE_OBJECT_Props, SPA_PROP_mute, SPA_POD_Int(1));
	SET(SPA_TYPE_OBJECT_Props, SPA_PROP_mute, SPA_POD_String("true"));
	SET(SPA_TYPE_OBJECT_Props, SPA_PROP_channelVolumes, SPA_POD_Float(0.5f));
	SET(SPA_TYPE_OBJECT_Props, SPA_PROP_channelVolumes, SPA_POD_None());
	SET(SPA_TYPE_OBJECT_Props, SPA_PROP_channelVolumes, SPA_POD_Array(4, SPA_TYPE_Id, 3, ids));
	SET(SPA_TYPE_OBJECT_Props, SPA_PROP_channelVolumes, SPA_POD_Array(0, SPA_TYPE_Float, 0, ones));
	SET(SPA_TYPE_OBJECT_Props, SPA_PROP_channelVolumes, SPA_POD_Array(16, SPA_TYPE_Float, 64, ones));
	SET(SPA_TYPE_OBJECT_Props, SPA_PROP_channelVolumes, SPA_POD_Array(1, SPA_TYPE_Float, 8, ones));
	SET(SPA_TYPE_OBJECT_Props, SPA_PROP_softVolumes, SPA_POD_Array(4, SPA_TYPE_Float, 8, ones));
#undef SET
	b = SPA_POD_BUILDER_INIT(buffer, sizeof(buffer));
	spa_pod_builder_int(&b, 5);
	assert_int_equal(set_props_pod(rig, (struct spa_pod *)(void *)buffer), 0);
	assert_false(is_news(rig));
	assert_int_equal(set_props_pod(rig, NULL), 0);
	assert_false(is_news(rig));
	assert_int_equal(spa_node_set_param(rig->node, SPA_PARAM_Profile, 0, NULL), -ENOENT);
	assert_int_equal(spa_node_set_param(rig->node, SPA_PARAM_ProcessLatency, 0, NULL), 0);
	assert_promises(rig);
}

/* What the daemon sets is shown, and nothing comes back. */
static void test_volume_of_daemon(void **state)
{
	struct rig *rig = *state;
	struct backend_volume volume = {.mute = true};

	assert_int_equal(pwnode_export(rig->g), 0);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		volume.volume[k] = 0.5f;
	}
	rig->n_infos = 0;
	pwnode_set_volume(rig->g, &volume);
	assert_int_equal(rig->n_infos, 1);
	pwnode_set_volume(rig->g, &volume);
	assert_int_equal(rig->n_infos, 1);
	assert_volumes(rig, true, 0.5f, 0.5f, 0.5f);
	volume.mute = false;
	pwnode_set_volume(rig->g, &volume);
	assert_volumes(rig, false, 0.5f, 0.5f, 0.5f);
	assert_int_equal(rig->n_infos, 2);
	volume.volume[7] = 0.25f;
	pwnode_set_volume(rig->g, &volume);
	assert_int_equal(rig->n_infos, 3);
	assert_float_equal(rig->g->volume.volume[7], 0.25f, 0);
	volume.volume[7] = 0.5f;
	pwnode_set_volume(rig->g, &volume);
	assert_int_equal(posted, 0);
	assert_false(rig->g->volume_news);
	/* The graph sets what it is already. */
	assert_false(set_all(rig, 0.5f, false));
}

static struct spa_pod *a_format(void)
{
	static uint64_t buffer[32];
	struct spa_pod_builder b = SPA_POD_BUILDER_INIT(buffer, sizeof(buffer));
	struct spa_audio_info_dsp dsp = SPA_AUDIO_INFO_DSP_INIT(.format = SPA_AUDIO_FORMAT_DSP_F32);

	return spa_format_audio_dsp_build(&b, SPA_PARAM_Format, &dsp);
}

static void test_formats(void **state)
{
	struct rig *rig = *state;
	struct spa_buffer buffer = {.n_datas = 1};
	struct spa_buffer *buffers[] = {&buffer};

	assert_int_equal(flags_of(&rig->params, SPA_PARAM_Format) & SPA_PARAM_INFO_READ, 0);
	assert_int_equal(spa_node_set_param(rig->node, SPA_PARAM_Format, 0, a_format()), 0);
	assert_format(rig, the_param(rig, IN, -1, SPA_PARAM_Format), 48000);
	for (unsigned round = 0; round < 3; round++) {
		assert_promises(rig);
		assert_int_equal(
			spa_node_port_set_param(rig->node, IN, 3, SPA_PARAM_Format, 0, a_format()), 0);
		(void)the_param(rig, IN, 3, SPA_PARAM_Format);
		assert_int_equal(flags_of(&rig->ports[IN][3].params, SPA_PARAM_Buffers), SPA_PARAM_INFO_READ);
		assert_promises(rig);
		assert_int_equal(spa_node_port_use_buffers(rig->node, IN, 3, 0, buffers, 1), 0);
		assert_int_equal(rig->g->rt.in[3].n_buffers, 1);
		/* Whatever the format is: the buffers of the last one are freed. */
		assert_int_equal(spa_node_port_set_param(rig->node, IN, 3, SPA_PARAM_Format, 0,
					 round == 0 ? a_format() : NULL),
			0);
		assert_int_equal(rig->g->rt.in[3].n_buffers, 0);
		assert_int_equal(spa_node_set_param(rig->node, SPA_PARAM_Format, 0, NULL), 0);
		assert_promises(rig);
	}
	assert_int_equal(ask(rig, IN, 3, SPA_PARAM_Format, 0, 1, NULL), 0);
	assert_int_equal(spa_node_port_set_param(rig->node, IN, 3, SPA_PARAM_Props, 0, NULL), -ENOENT);
}

/* All that there are, and each once. */
static void assert_renewed(struct rig *rig)
{
	for (unsigned i = 0; i < AUDIO_CHANNELS; i++) {
		assert_true(rig->ports[IN][i].there);
		assert_int_equal(rig->ports[IN][i].removed, 1);
		assert_int_equal(rig->ports[OUT][i].removed, rig->g->rt.monitor ? 1 : 0);
		rig->ports[IN][i].removed = 0;
		rig->ports[OUT][i].removed = 0;
	}
}

/* A session manager that sets the configuration sees ports come, and what they had is not looked at any more. */
static void test_port_config(void **state)
{
	struct rig *rig = *state;
	struct spa_buffer buffer = {.n_datas = 1};
	struct spa_buffer *buffers[] = {&buffer};
	struct spa_io_buffers io = SPA_IO_BUFFERS_INIT;
	uint32_t serial = flags_of(&rig->params, SPA_PARAM_PortConfig);

	assert_int_equal(spa_node_set_param(rig->node, SPA_PARAM_PortConfig, 0, NULL), 0);
	assert_renewed(rig);
	assert_true(flags_of(&rig->params, SPA_PARAM_PortConfig) != serial);
	assert_true(rig->g->settling_ns > now_ns());
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		spa_node_port_set_param(rig->node, IN, k, SPA_PARAM_Format, 0, a_format());
		spa_node_port_set_io(rig->node, IN, k, SPA_IO_Buffers, &io, sizeof(io));
		spa_node_port_use_buffers(rig->node, IN, k, 0, buffers, 1);
	}
	assert_int_equal(spa_node_set_param(rig->node, SPA_PARAM_PortConfig, 0, NULL), 0);
	assert_renewed(rig);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		assert_null(rig->g->rt.in[k].io);
		assert_int_equal(rig->g->rt.in[k].n_buffers, 0);
		assert_int_equal(flags_of(&rig->ports[IN][k].params, SPA_PARAM_Format), SPA_PARAM_INFO_WRITE);
	}
	assert_promises(rig);
}

/* What a session manager remembers is not what somebody sets: neither while it is at work on the node nor just before. */
static void test_remembered_volume(void **state)
{
	struct rig *rig = *state;
	struct backend_volume volume = {.mute = true};

	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		volume.volume[k] = 0.25f;
	}
	pwnode_set_volume(rig->g, &volume);
	for (unsigned i = 0; i < 2; i++) {
		if (i == 1) {
			assert_int_equal(spa_node_set_param(rig->node, SPA_PARAM_PortConfig, 0, NULL), 0);
		}
		ask_for(rig, 1.0f, false);
		if (i == 0) {
			assert_float_equal(rig->g->volume.volume[0], 1.0f, 0);
			assert_int_equal(spa_node_set_param(rig->node, SPA_PARAM_PortConfig, 0, NULL), 0);
		}
		pwnode_tend(rig->g, now_ns() + NSEC_PER_SEC);
		assert_int_equal(posted, 0);
		assert_volumes(rig, true, 0.25f, 0.25f, 0.25f);
		rig->g->settling_ns = 0;
	}
}

static void test_buffers(void **state)
{
	static const unsigned counts[] = {1, 0, 2, 32, 33, 3};
	struct rig *rig = *state;
	struct spa_buffer all[33];
	struct spa_buffer *buffers[33];

	for (unsigned i = 0; i < 33; i++) {
		all[i] = (struct spa_buffer){.n_datas = 1};
		buffers[i] = &all[i];
	}
	for (unsigned d = 0; d < 2; d++) {
		struct pwrt_port *port = d == IN ? &rig->g->rt.in[5] : &rig->g->rt.out[5];

		for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
			unsigned n = counts[i] > 32 ? 0 : counts[i], invokes = rig->n_invokes;

			assert_int_equal(spa_node_port_use_buffers(rig->node, d, 5, 0, buffers, counts[i]),
				counts[i] > 32 ? -ENOSPC : 0);
			assert_int_equal(port->n_buffers, n);
			assert_int_equal(port->free, n == 32 ? UINT32_MAX : (1u << n) - 1);
			assert_true(rig->n_invokes > invokes); /* by the data loop itself */
			for (unsigned id = 0; id < n; id++) {
				assert_ptr_equal(port->buffers[id], buffers[id]);
			}
		}
		all[2].n_datas = 0;
		assert_int_equal(spa_node_port_use_buffers(rig->node, d, 5, 0, buffers, 3), -EINVAL);
		assert_int_equal(port->n_buffers, 0);
		all[2].n_datas = 1;
	}
	/* Back from a reader. */
	assert_int_equal(spa_node_port_use_buffers(rig->node, OUT, 5, 0, buffers, 3), 0);
	rig->g->rt.out[5].free = 0;
	assert_int_equal(spa_node_port_reuse_buffer(rig->node, 5, 1), 0);
	assert_int_equal(rig->g->rt.out[5].free, 2);
	spa_node_port_reuse_buffer(rig->node, 5, 3);
	spa_node_port_reuse_buffer(rig->node, 5, UINT32_MAX);
	spa_node_port_reuse_buffer(rig->node, 8, 0);
	assert_int_equal(rig->g->rt.out[5].free, 2);
}

static void test_no_such_port(void **state)
{
	static const uint32_t bad[] = {8, 9, 64, UINT32_MAX};
	struct rig *rig = *state;
	struct spa_io_buffers io;

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(bad) + 1; i++) {
		/* The last: a monitor port of a node that has none. */
		enum spa_direction d = i % 2 || i == 2 * ARRAY_SIZE(bad) ? OUT : IN;
		uint32_t k = i == 2 * ARRAY_SIZE(bad) ? 0 : bad[i / 2];

		rig->n_results = 0;
		assert_int_equal(
			spa_node_port_enum_params(rig->node, 1, d, k, SPA_PARAM_IO, 0, 9, NULL), -EINVAL);
		assert_int_equal(rig->n_results, 0);
		assert_int_equal(
			spa_node_port_set_param(rig->node, d, k, SPA_PARAM_Format, 0, a_format()), -EINVAL);
		assert_int_equal(spa_node_port_use_buffers(rig->node, d, k, 0, NULL, 0), -EINVAL);
		assert_int_equal(
			spa_node_port_set_io(rig->node, d, k, SPA_IO_Buffers, &io, sizeof(io)), -EINVAL);
	}
	assert_int_equal(spa_node_port_reuse_buffer(rig->node, 0, 0), 0);
	assert_true(spa_node_add_port(rig->node, IN, 8, NULL) < 0);
	assert_true(spa_node_remove_port(rig->node, IN, 0) < 0);
}

static void test_io(void **state)
{
	struct rig *rig = *state;
	struct spa_io_position position = {0};
	struct spa_io_buffers io = SPA_IO_BUFFERS_INIT;
	unsigned invokes = rig->n_invokes;

	assert_int_equal(spa_node_set_io(rig->node, SPA_IO_Position, &position, sizeof(position)), 0);
	assert_ptr_equal(rig->g->rt.position, &position);
	assert_int_equal(spa_node_set_io(rig->node, SPA_IO_Clock, NULL, 0), 0);
	assert_ptr_equal(rig->g->rt.position, &position);
	assert_int_equal(spa_node_set_io(rig->node, SPA_IO_Position, &position, 8), 0);
	assert_null(rig->g->rt.position);
	assert_int_equal(spa_node_set_io(rig->node, SPA_IO_Position, &position, sizeof(position)), 0);
	assert_int_equal(spa_node_set_io(rig->node, SPA_IO_Position, NULL, 0), 0);
	assert_null(rig->g->rt.position);
	assert_true(rig->n_invokes >= invokes + 4);
	assert_int_equal(spa_node_process(rig->node), SPA_STATUS_OK);
	for (unsigned d = 0; d < 2; d++) {
		struct pwrt_port *port = d == IN ? &rig->g->rt.in[6] : &rig->g->rt.out[6];

		invokes = rig->n_invokes;
		assert_int_equal(spa_node_port_set_io(rig->node, d, 6, SPA_IO_Buffers, &io, sizeof(io)), 0);
		assert_ptr_equal(port->io, &io);
		assert_int_equal(spa_node_port_set_io(rig->node, d, 6, SPA_IO_Latency, NULL, 0), -ENOENT);
		assert_ptr_equal(port->io, &io);
		assert_int_equal(spa_node_port_set_io(rig->node, d, 6, SPA_IO_Buffers, &io, 4), 0);
		assert_null(port->io);
		assert_int_equal(spa_node_port_set_io(rig->node, d, 6, SPA_IO_Buffers, &io, sizeof(io)), 0);
		assert_int_equal(spa_node_port_set_io(rig->node, d, 6, SPA_IO_Buffers, NULL, 0), 0);
		assert_null(port->io);
		assert_true(rig->n_invokes >= invokes + 4); /* by the data loop itself */
	}
}

/* --- latencies --- */

static int set_latency(
	struct rig *rig, enum spa_direction port, uint32_t k, enum spa_direction about, int rate)
{
	uint8_t buffer[512];
	struct spa_pod_builder b = SPA_POD_BUILDER_INIT(buffer, sizeof(buffer));
	struct spa_latency_info info = SPA_LATENCY_INFO(about, .min_quantum = 0.5f, .max_quantum = 1.5f,
		.min_rate = (uint32_t)rate, .max_rate = (uint32_t)rate + 1, .min_ns = 5, .max_ns = 6);

	return spa_node_port_set_param(
		rig->node, port, k, SPA_PARAM_Latency, 0, spa_latency_build(&b, SPA_PARAM_Latency, &info));
}

static void assert_latency(
	struct rig *rig, enum spa_direction port, int k, enum spa_direction about, int rate)
{
	struct spa_latency_info info;

	assert_int_equal(ask(rig, port, k, SPA_PARAM_Latency, about, 1, NULL), 1);
	assert_int_equal(spa_latency_parse(&rig->results[0].pod.pod, &info), 0);
	assert_int_equal(info.direction, about);
	assert_int_equal(info.min_rate, rate);
	assert_int_equal(info.max_rate, rate ? rate + 1 : 0);
	assert_int_equal(info.max_ns, rate ? 6 : 0);
	assert_float_equal(info.min_quantum, rate ? 0.5f : 0, 0);
}

static void test_latency_of_others(void **state)
{
	struct rig *rig = *state;
	bool monitor = rig->g->rt.monitor;
	uint32_t serial = flags_of(&rig->ports[IN][3].params, SPA_PARAM_Latency);
	uint32_t out_serial = flags_of(&rig->ports[OUT][3].params, SPA_PARAM_Latency);

	assert_int_equal(set_latency(rig, IN, 3, OUT, 100), 0);
	assert_latency(rig, IN, 3, OUT, 100);
	assert_latency(rig, IN, 3, IN, 0);
	assert_latency(rig, IN, 2, OUT, 0);
	assert_true(flags_of(&rig->ports[IN][3].params, SPA_PARAM_Latency) != serial);
	if (monitor) {
		assert_latency(rig, OUT, 3, OUT, 100);
		assert_latency(rig, OUT, 2, OUT, 0);
		assert_true(flags_of(&rig->ports[OUT][3].params, SPA_PARAM_Latency) != out_serial);
	}
	/* No news, and what is ours to say, is not taken. */
	serial = flags_of(&rig->ports[IN][3].params, SPA_PARAM_Latency);
	assert_int_equal(set_latency(rig, IN, 3, OUT, 100), 0);
	assert_int_equal(set_latency(rig, IN, 3, IN, 200), 0);
	assert_int_equal(spa_node_port_set_param(rig->node, IN, 3, SPA_PARAM_Latency, 0, a_format()), 0);
	assert_latency(rig, IN, 3, IN, 0);
	assert_latency(rig, IN, 3, OUT, 100);
	assert_int_equal(flags_of(&rig->ports[IN][3].params, SPA_PARAM_Latency), serial);
	if (monitor) {
		out_serial = flags_of(&rig->ports[OUT][3].params, SPA_PARAM_Latency);
		assert_int_equal(set_latency(rig, OUT, 3, IN, 300), 0);
		assert_true(flags_of(&rig->ports[OUT][3].params, SPA_PARAM_Latency) != out_serial);
		assert_int_equal(
			spa_node_port_set_param(rig->node, OUT, 3, SPA_PARAM_Latency, 0, a_format()), 0);
		assert_latency(rig, OUT, 3, IN, 300);
		assert_int_equal(set_latency(rig, OUT, 3, OUT, 400), 0);
		assert_latency(rig, OUT, 3, OUT, 100);
		assert_latency(rig, IN, 3, IN, 0);
	}
	/* Nobody is linked any more. */
	assert_int_equal(spa_node_port_set_param(rig->node, IN, 3, SPA_PARAM_Latency, 0, NULL), 0);
	assert_latency(rig, IN, 3, OUT, 0);
	if (monitor) {
		assert_latency(rig, OUT, 3, OUT, 0);
	}
	assert_promises(rig);
}

/* --- its life --- */

static void assert_exported(const char *key, const char *value)
{
	const char *is = pw_properties_get(exported, key);

	assert_non_null(is);
	assert_string_equal(is, value);
}

static void test_exported(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(pwnode_export(rig->g), 0);
	assert_exported(PW_KEY_NODE_NAME, "ethlink.stage");
	assert_exported(PW_KEY_NODE_DESCRIPTION, "Main stage");
	assert_exported(PW_KEY_MEDIA_CLASS, "Audio/Sink");
	assert_exported(PW_KEY_NODE_GROUP, "ethlink");
	assert_exported(PW_KEY_NODE_WANT_DRIVER, "true");
	assert_exported(PW_KEY_NODE_ALWAYS_PROCESS, "true");
	assert_exported(PW_KEY_AUDIO_CHANNELS, "8");
	assert_exported("audio.position", "AUX0,FR,AUX2,AUX3,AUX4,AUX5,AUX6,AUX7");
	assert_true(atoi(pw_properties_get(exported, PW_KEY_PRIORITY_SESSION)) < 500);
	pwnode_withdraw(rig->g);
	assert_null(rig->g->proxy);
	rig->g->preferred = true;
	assert_int_equal(pwnode_export(rig->g), 0);
	assert_true(atoi(pw_properties_get(exported, PW_KEY_PRIORITY_SESSION)) > 2000);
	proxy_events->bound(proxy_data, 55);
	assert_int_equal(rig->g->id, 55);
	/* The server takes it away, and gets another one. */
	proxy_events->removed(proxy_data);
	assert_null(rig->g->proxy);
	assert_int_equal(rig->g->id, SPA_ID_INVALID);
	assert_int_equal(pwnode_export(rig->g), 0);
	assert_int_equal(n_impls, 1);
	proxy_events->removed(proxy_data);
	core_is_there = false;
	assert_int_equal(pwnode_export(rig->g), -EPIPE);
	assert_null(rig->g->proxy);
	assert_int_equal(n_impls, 0);
}

static void command(struct rig *rig, uint32_t id)
{
	const struct spa_command one = SPA_NODE_COMMAND_INIT(id);

	assert_int_equal(spa_node_send_command(rig->node, &one), 0);
}

/* Whoever suspends it leaves it lying: it starts again by itself, but does not insist. */
static void test_suspended(void **state)
{
	struct rig *rig = *state;
	int64_t now;

	command(rig, SPA_NODE_COMMAND_Suspend);
	pwnode_tend(rig->g, now_ns() + NSEC_PER_SEC);
	assert_int_equal(pwnode_export(rig->g), 0);
	assert_int_equal(n_wakes, 1);
	now = now_ns() + 10 * NSEC_PER_SEC;
	pwnode_tend(rig->g, now);
	assert_int_equal(n_wakes, 1);
	command(rig, SPA_NODE_COMMAND_Suspend);
	pwnode_tend(rig->g, now_ns());
	assert_int_equal(n_wakes, 1);
	pwnode_tend(rig->g, now);
	assert_int_equal(n_wakes, 2);
	pwnode_tend(rig->g, now + NSEC_PER_SEC / 2);
	assert_int_equal(n_wakes, 2);
	pwnode_tend(rig->g, now + 2 * NSEC_PER_SEC);
	assert_int_equal(n_wakes, 3);
	command(rig, SPA_NODE_COMMAND_Start);
	pwnode_tend(rig->g, now + 20 * NSEC_PER_SEC);
	assert_int_equal(n_wakes, 3);
}

static void link_port(struct rig *rig, enum spa_direction d, uint32_t k, struct spa_io_buffers *io,
	struct spa_buffer **buffers)
{
	assert_int_equal(spa_node_port_set_param(rig->node, d, k, SPA_PARAM_Format, 0, a_format()), 0);
	assert_int_equal(spa_node_port_set_io(rig->node, d, k, SPA_IO_Buffers, io, sizeof(*io)), 0);
	assert_int_equal(spa_node_port_use_buffers(rig->node, d, k, 0, buffers, 1), 0);
}

/* Gone with all that it had; when it is back it promises nothing of what it had been told before. */
static void test_withdrawn(void **state)
{
	struct rig *rig = *state;
	struct spa_io_position position = {.clock = {.rate = {1, 48000}, .duration = 64, .nsec = 1}};
	struct spa_io_buffers io = SPA_IO_BUFFERS_INIT;
	struct spa_buffer buffer = {.n_datas = 1};
	struct spa_buffer *buffers[] = {&buffer};
	struct spa_data data = {0};
	struct spa_hook again;

	buffer.datas = &data;
	assert_int_equal(pwnode_export(rig->g), 0);
	assert_int_equal(spa_node_set_io(rig->node, SPA_IO_Position, &position, sizeof(position)), 0);
	link_port(rig, IN, 2, &io, buffers);
	link_port(rig, OUT, 2, &io, buffers);
	assert_true(spa_node_process(rig->node) & SPA_STATUS_NEED_DATA);
	assert_int_equal(rig->p->rt.n_nodes, 1);
	pwnode_withdraw(rig->g);
	assert_int_equal(rig->p->rt.n_nodes, 0);
	assert_null(rig->g->rt.position);
	assert_null(rig->g->rt.in[2].io);
	assert_null(rig->g->rt.out[2].io);
	assert_int_equal(rig->g->rt.in[2].n_buffers, 0);
	assert_int_equal(rig->g->rt.out[2].n_buffers, 0);
	spa_hook_remove(&rig->hook);
	assert_int_equal(pwnode_export(rig->g), 0);
	assert_int_equal(spa_node_add_listener(rig->node, &again, &node_events, rig), 0);
	assert_int_equal(flags_of(&rig->ports[IN][2].params, SPA_PARAM_Format), SPA_PARAM_INFO_WRITE);
	assert_promises(rig);
	spa_hook_remove(&again);
	assert_int_equal(spa_node_add_listener(rig->node, &rig->hook, &node_events, rig), 0);
}

static void test_updated(void **state)
{
	struct rig *rig = *state;
	bool monitor = rig->g->rt.monitor;
	struct spa_io_buffers io = SPA_IO_BUFFERS_INIT;
	struct spa_buffer buffer = {.n_datas = 1};
	struct spa_buffer *buffers[] = {&buffer};
	uint32_t serial;

	assert_int_equal(pwnode_export(rig->g), 0);
	serial = flags_of(&rig->params, SPA_PARAM_EnumFormat);
	if (monitor) {
		link_port(rig, OUT, 2, &io, buffers);
	}
	free(rig->g->description);
	rig->g->description = strdup("Balcony");
	rig->g->preferred = true;
	rig->g->positions[0] = SPA_AUDIO_CHANNEL_FL;
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		rig->g->out[k].want = !monitor;
	}
	pwnode_update(rig->g);
	assert_string_equal(rig->description, "Balcony");
	assert_string_equal(rig->position, "FL,FR,AUX2,AUX3,AUX4,AUX5,AUX6,AUX7");
	assert_string_equal(rig->priority, "3000");
	assert_string_equal(rig->ports[IN][0].channel, "FL");
	assert_string_equal(rig->ports[IN][2].alias, "Balcony:Sub");
	assert_true(flags_of(&rig->params, SPA_PARAM_EnumFormat) != serial);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		assert_int_equal(rig->ports[IN][k].removed, 0);
		assert_int_equal(rig->ports[OUT][k].there, !monitor);
	}
	assert_int_equal(rig->g->rt.monitor, !monitor);
	assert_null(rig->g->rt.out[2].io);
	assert_int_equal(rig->g->rt.out[2].n_buffers, 0);
	assert_promises(rig);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		rig->g->out[k].want = monitor;
	}
	pwnode_update(rig->g);
	assert_int_equal(rig->ports[OUT][7].there, monitor);
	if (monitor) { /* anew, without the format that it had */
		assert_int_equal(
			flags_of(&rig->ports[OUT][2].params, SPA_PARAM_Format), SPA_PARAM_INFO_WRITE);
	}
	assert_promises(rig);
}

static void test_own_latency(void **state)
{
	struct rig *rig = *state;
	uint32_t serial;
	struct spa_latency_info info;

	pwnode_set_latency(rig->g, 10);
	assert_int_equal(pwnode_export(rig->g), 0);
	serial = flags_of(&rig->ports[IN][0].params, SPA_PARAM_Latency);
	rig->n_infos = 0;
	pwnode_set_latency(rig->g, 20);
	assert_int_equal(rig->n_infos, 1);
	assert_true(flags_of(&rig->ports[IN][0].params, SPA_PARAM_Latency) != serial);
	assert_int_equal(ask(rig, IN, 7, SPA_PARAM_Latency, IN, 1, NULL), 1);
	assert_int_equal(spa_latency_parse(&rig->results[0].pod.pod, &info), 0);
	assert_int_equal(info.min_rate, 20);
	assert_int_equal(info.max_rate, 20);
}

/* --- an insert's --- */

static void test_insert_info(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(rig->flags, SPA_NODE_FLAG_RT);
	assert_int_equal(rig->max_in, 3);
	assert_int_equal(rig->max_out, 3);
	assert_string_equal(rig->description, "Main stage");
	assert_string_equal(rig->priority, "");
	assert_string_equal(rig->position, "");
	for (unsigned d = 0; d < 2; d++) {
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			const struct seen_port *port = &rig->ports[d][k];
			char name[32];

			snprintf(name, sizeof(name), d == IN ? "send_%u" : "return_%u", k + 1);
			assert_int_equal(port->there, k < 3);
			if (k < 3) {
				assert_string_equal(port->name, name);
				assert_string_equal(port->dsp, k < 2		? "32 bit float mono audio"
							       : PWRT_GIVES_UMP ? "32 bit raw UMP"
										: "8 bit raw midi");
				assert_string_equal(port->physical, "");
				assert_string_equal(port->monitor, "");
				assert_int_equal(port->flags, 0);
			}
		}
	}
	assert_string_equal(rig->ports[IN][2].alias, "Main stage:Sub");
	assert_promises(rig);
	assert_int_equal(ask(rig, IN, -1, SPA_PARAM_EnumFormat, 0, UINT32_MAX, NULL), 0);
	assert_int_equal(ask(rig, IN, -1, SPA_PARAM_Props, 0, UINT32_MAX, NULL), 0);
	assert_int_equal(
		spa_node_port_enum_params(rig->node, 7, IN, 3, SPA_PARAM_EnumFormat, 0, 1, NULL), -EINVAL);
}

static void assert_media(struct rig *rig, unsigned k, uint32_t type, uint32_t subtype)
{
	uint32_t is_type = 0, is_subtype = 0;

	for (unsigned d = 0; d < 2; d++) {
		assert_int_equal(spa_format_parse(the_param(rig, d, (int)k, SPA_PARAM_EnumFormat), &is_type,
					 &is_subtype),
			2);
		assert_int_equal(is_type, type);
		assert_int_equal(is_subtype, subtype);
	}
}

static void test_insert_formats(void **state)
{
	struct rig *rig = *state;

	assert_media(rig, 0, SPA_MEDIA_TYPE_audio, SPA_MEDIA_SUBTYPE_dsp);
	assert_media(rig, 1, SPA_MEDIA_TYPE_audio, SPA_MEDIA_SUBTYPE_dsp);
	assert_media(rig, 2, SPA_MEDIA_TYPE_application, SPA_MEDIA_SUBTYPE_control);
}

static void test_insert_exported(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(pwnode_export(rig->g), 0);
	assert_exported(PW_KEY_NODE_NAME, "ethlink.stage");
	assert_exported(PW_KEY_NODE_GROUP, "ethlink");
	assert_exported(PW_KEY_NODE_WANT_DRIVER, "true");
	assert_exported(PW_KEY_NODE_ALWAYS_PROCESS, "true");
	assert_null(pw_properties_get(exported, PW_KEY_MEDIA_CLASS));
	assert_null(pw_properties_get(exported, PW_KEY_AUDIO_CHANNELS));
	assert_int_equal(rig->g->settling_ns, 0);
}

static void assert_all_latencies(struct rig *rig, enum spa_direction direction,
	enum spa_direction latency_direction, uint32_t min, uint32_t max)
{
	struct spa_latency_info info;

	for (int k = 0; k < 3; k++) {
		assert_int_equal(
			ask(rig, direction, k, SPA_PARAM_Latency, (uint32_t)latency_direction, 1, NULL), 1);
		assert_int_equal(spa_latency_parse(&rig->results[0].pod.pod, &info), 0);
		assert_int_equal(info.direction, latency_direction);
		assert_int_equal(info.min_rate, min);
		assert_int_equal(info.max_rate, max);
	}
}

/* What comes in is as old as its source says; what leaves is older by the insert's own. The same the other way round. */
static void test_insert_through(void **state)
{
	struct rig *rig = *state;
	uint32_t serial;

	pwnode_set_latency(rig->g, 640);
	assert_int_equal(pwnode_export(rig->g), 0);
	assert_all_latencies(rig, IN, IN, 640, 640);
	assert_all_latencies(rig, OUT, OUT, 640, 640);
	serial = flags_of(&rig->ports[OUT][1].params, SPA_PARAM_Latency);
	assert_int_equal(set_latency(rig, IN, 0, OUT, 100), 0);
	assert_all_latencies(rig, OUT, OUT, 740, 741);
	assert_true(flags_of(&rig->ports[OUT][1].params, SPA_PARAM_Latency) != serial);
	assert_int_equal(set_latency(rig, IN, 1, OUT, 300), 0);
	assert_all_latencies(rig, OUT, OUT, 740, 941);
	assert_all_latencies(rig, IN, IN, 640, 640);
	assert_int_equal(set_latency(rig, OUT, 1, IN, 50), 0);
	assert_all_latencies(rig, IN, IN, 690, 691);
	pwnode_set_latency(rig->g, 1000);
	assert_all_latencies(rig, OUT, OUT, 1100, 1301);
	assert_all_latencies(rig, IN, IN, 1050, 1051);
	/* Nobody is linked any more. */
	assert_int_equal(spa_node_port_set_param(rig->node, IN, 0, SPA_PARAM_Latency, 0, NULL), 0);
	assert_int_equal(spa_node_port_set_param(rig->node, IN, 1, SPA_PARAM_Latency, 0, NULL), 0);
	assert_all_latencies(rig, OUT, OUT, 1000, 1000);
	assert_int_equal(rig->params.n, 1);
	assert_int_equal(rig->params.info[0].id, SPA_PARAM_ProcessLatency);
	assert_promises(rig);
}

static void test_insert_ends(void **state)
{
	struct rig *rig = *state;

	rig->g->through = false;
	pwnode_set_latency(rig->g, 300);
	assert_int_equal(pwnode_export(rig->g), 0);
	assert_int_equal(set_latency(rig, IN, 0, OUT, 100), 0);
	assert_int_equal(set_latency(rig, OUT, 1, IN, 50), 0);
	assert_all_latencies(rig, OUT, OUT, 300, 300);
	assert_all_latencies(rig, IN, IN, 300, 300);
	pwnode_set_latency(rig->g, 200);
	assert_all_latencies(rig, OUT, OUT, 200, 200);
	assert_int_equal(rig->params.n, 1); /* none would be too few for a session manager */
	/* It becomes one that lets through. */
	rig->g->through = true;
	pwnode_update(rig->g);
	assert_all_latencies(rig, OUT, OUT, 300, 301);
	assert_all_latencies(rig, IN, IN, 250, 251);
	assert_int_equal(rig->params.n, 1);
}

/* --- anything --- */

static uint32_t some(uint32_t n)
{
	return (uint32_t)rand() % n;
}

static void put(uint8_t *body, uint32_t size, uint32_t at, uint32_t word)
{
	if (at + sizeof(word) <= size) {
		memcpy(body + at, &word, sizeof(word));
	}
}

/* Something like properties, over bytes that are random: known keys and types, and sizes that may be anything. */
static void scribble_props(uint8_t *body, uint32_t size)
{
	static const uint32_t keys[] = {SPA_PROP_mute, SPA_PROP_volume, SPA_PROP_channelVolumes,
		SPA_PARAM_LATENCY_direction, SPA_PARAM_LATENCY_minQuantum, SPA_PARAM_LATENCY_maxNs};
	static const uint32_t sizes[] = {0, 1, 3, 4, 8, 64, 1000, 0x7fffffff, 0xfffffff8, UINT32_MAX};
	uint32_t at = 8;

	while (at < size) {
		uint32_t n = some(3) ? some(80) : sizes[some(ARRAY_SIZE(sizes))];
		bool array = some(2);
		uint32_t k = some(ARRAY_SIZE(keys));
		uint32_t type = k == 0 ? SPA_TYPE_Bool : k == 1 ? SPA_TYPE_Float : SPA_TYPE_Id;

		put(body, size, at, keys[k]);
		put(body, size, at + 4, 0);
		put(body, size, at + 8, n);
		put(body, size, at + 12, array ? SPA_TYPE_Array : some(4) ? type : some(24));
		if (array) {
			put(body, size, at + 16, some(2) ? 4 : sizes[some(ARRAY_SIZE(sizes))]);
			put(body, size, at + 20, SPA_TYPE_Float);
		}
		at += 16 + (n & 0xff) / 8 * 8 + 8;
	}
}

/* A pod with as much memory as it says it has, and not a byte more. */
static struct spa_pod *random_pod(void)
{
	static const uint32_t objects[] = {
		SPA_TYPE_OBJECT_Props, SPA_TYPE_OBJECT_ParamLatency, SPA_TYPE_OBJECT_Format};
	uint32_t size = some(10) ? 8 + 8 * some(60) : some(40);
	uint8_t *bytes = malloc(sizeof(struct spa_pod) + size);
	struct spa_pod *pod = (struct spa_pod *)(void *)bytes;

	assert_non_null(bytes);
	for (uint32_t i = 0; i < size; i++) {
		bytes[sizeof(*pod) + i] = (uint8_t)rand();
	}
	*pod = SPA_POD_INIT(size, some(8) ? SPA_TYPE_Object : some(24));
	if (some(8)) {
		put(bytes + sizeof(*pod), size, 0, objects[some(ARRAY_SIZE(objects))]);
		put(bytes + sizeof(*pod), size, 4, SPA_PARAM_Props);
		scribble_props(bytes + sizeof(*pod), size);
	}
	return pod;
}

static void test_fuzz(void **state)
{
	static const uint32_t ids[] = {SPA_PARAM_Props, SPA_PARAM_Props, SPA_PARAM_Format,
		SPA_PARAM_PortConfig, SPA_PARAM_ProcessLatency, SPA_PARAM_Latency, SPA_PARAM_Buffers};
	struct rig *rig = *state;
	unsigned n_news = 0;

	pwnode_set_latency(rig->g, 64);
	assert_int_equal(pwnode_export(rig->g), 0);
	srand(1);
	for (unsigned i = 0; i < FUZZ_ROUNDS; i++) {
		struct spa_pod *pod = random_pod();
		uint32_t id = ids[some(ARRAY_SIZE(ids))];

		posted = 0;
		(void)spa_node_set_param(rig->node, id, 0, pod);
		(void)spa_node_port_set_param(rig->node, some(2), some(9), id, 0, pod);
		free(pod);
		rig->g->settling_ns = 0;
		pwnode_tend(rig->g, now_ns() + NSEC_PER_SEC);
		n_news += posted ? 1 : 0;
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			float volume = rig->g->volume.volume[k];

			assert_true(volume >= 0 && volume <= 16);
		}
		if (i % 1000 == 0) {
			assert_promises(rig);
		}
	}
	assert_promises(rig);
	assert_true(n_news > FUZZ_ROUNDS / 200); /* some of it made sense */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_INSERT(f)                                                                                       \
	{                                                                                                    \
#f " (insert)", f, setup_insert, teardown, NULL                                              \
	}
#define TEST_MONITOR(f)                                                                                      \
	{                                                                                                    \
#f " (monitor)", f, setup_monitor, teardown, NULL                                            \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_info),
		TEST_MONITOR(test_info),
		TEST(test_second_listener),
		TEST(test_filter),
		TEST(test_node_params),
		TEST_MONITOR(test_node_params),
		TEST(test_port_params),
		TEST_MONITOR(test_port_params),
		TEST(test_volumes),
		TEST(test_mad_volumes),
		TEST(test_wrong_props),
		TEST(test_volume_of_daemon),
		TEST_MONITOR(test_formats),
		TEST_MONITOR(test_port_config),
		TEST(test_remembered_volume),
		TEST_MONITOR(test_buffers),
		TEST(test_no_such_port),
		TEST_MONITOR(test_io),
		TEST(test_latency_of_others),
		TEST_MONITOR(test_latency_of_others),
		TEST(test_exported),
		TEST(test_suspended),
		TEST_MONITOR(test_withdrawn),
		TEST(test_updated),
		TEST_MONITOR(test_updated),
		TEST(test_own_latency),
		TEST_INSERT(test_insert_info),
		TEST_INSERT(test_insert_formats),
		TEST_INSERT(test_insert_exported),
		TEST_INSERT(test_insert_through),
		TEST_INSERT(test_insert_ends),
		TEST_MONITOR(test_fuzz),
		TEST_INSERT(test_fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
