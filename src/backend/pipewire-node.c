#include "backend/pipewire-internal.h"

#include "base/mem.h"
#include "base/util.h"

#include <errno.h>
#include <spa/node/utils.h>
#include <spa/param/audio/raw.h>
#include <spa/param/latency-utils.h>
#include <spa/param/props.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an output that plays by itself has to beat; sound cards have some 1000. */
#define PRIORITY_LOW "100"
#define PRIORITY_PREFERRED "3000"
/* A session manager suspends a node while it sets it; the server should run it again by itself after so long. */
#define SUSPENDED_NS (100 * NSEC_PER_MSEC)
/* So long after one of its commands a session manager may still be at work on a node. */
#define SETTLE_NS (400 * NSEC_PER_MSEC)
/* So long a volume is held until it is clear that it is not part of that. */
#define VOLUME_HOLD_NS (150 * NSEC_PER_MSEC)
/* And who wants it to stay like that is asked to think again so often. */
#define RESUME_SPACING_NS NSEC_PER_SEC

static struct backend_group *group_of(void *object)
{
	return object;
}

static struct pwnode_port *port_info(struct backend_group *group, enum spa_direction direction, uint32_t k)
{
	return direction == SPA_DIRECTION_INPUT ? &group->info->in[k] : &group->info->out[k];
}

static struct pwrt_port *port_rt(struct backend_group *group, enum spa_direction direction, uint32_t k)
{
	return direction == SPA_DIRECTION_INPUT ? &group->rt.in[k] : &group->rt.out[k];
}

static bool is_port(const struct backend_group *group, enum spa_direction direction, uint32_t k)
{
	if (k >= AUDIO_CHANNELS) {
		return false;
	}
	return direction == SPA_DIRECTION_INPUT ? group->in[k].want : group->rt.monitor;
}

/* --- telling the graph --- */

static void positions_text(const struct backend_group *group, char *ret_text, size_t size)
{
	size_t at = 0;

	for (unsigned k = 0; k < AUDIO_CHANNELS && at < size; k++) {
		at += (size_t)snprintf(ret_text + at, size - at, "%s%s", k > 0 ? "," : "",
			pwparams_position_name(group->positions[k]));
	}
}

static void emit_node(struct backend_group *group, bool with_props)
{
	char positions[128];
	struct spa_dict_item items[3];
	struct spa_dict props = SPA_DICT_INIT(items, 0);
	struct spa_node_info info = {
		.max_input_ports = AUDIO_CHANNELS,
		.max_output_ports = AUDIO_CHANNELS,
		.change_mask = SPA_NODE_CHANGE_MASK_FLAGS | SPA_NODE_CHANGE_MASK_PARAMS,
		.flags = SPA_NODE_FLAG_RT | SPA_NODE_FLAG_IN_PORT_CONFIG,
		.params = group->info->params,
		.n_params = NODE_PARAMS,
	};

	if (with_props) {
		positions_text(group, positions, sizeof(positions));
		items[props.n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_NODE_DESCRIPTION, group->description);
		items[props.n_items++] = SPA_DICT_ITEM_INIT("audio.position", positions);
		items[props.n_items++] = SPA_DICT_ITEM_INIT(
			PW_KEY_PRIORITY_SESSION, group->preferred ? PRIORITY_PREFERRED : PRIORITY_LOW);
		info.change_mask |= SPA_NODE_CHANGE_MASK_PROPS;
		info.props = &props;
	}
	spa_node_emit_info(&group->hooks, &info);
}

static void node_param_changed(struct backend_group *group, enum node_param param)
{
	group->info->params[param].flags ^= SPA_PARAM_INFO_SERIAL;
	emit_node(group, false);
}

static void emit_port(struct backend_group *group, enum spa_direction direction, uint32_t k)
{
	const struct pw_channel *channel = direction == SPA_DIRECTION_INPUT ? &group->in[k] : &group->out[k];
	struct spa_dict_item items[6];
	struct spa_dict props = SPA_DICT_INIT(items, 0);
	struct spa_port_info info = {
		.change_mask =
			SPA_PORT_CHANGE_MASK_FLAGS | SPA_PORT_CHANGE_MASK_PROPS | SPA_PORT_CHANGE_MASK_PARAMS,
		.flags = direction == SPA_DIRECTION_INPUT ? SPA_PORT_FLAG_PHYSICAL | SPA_PORT_FLAG_TERMINAL
							  : 0,
		.params = port_info(group, direction, k)->params,
		.n_params = PORT_PARAMS,
	};
	char alias[2 * PW_NAMES_MAX];

	snprintf(alias, sizeof(alias), "%s:%s", group->description,
		channel->label ? channel->label : channel->name);
	items[props.n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_FORMAT_DSP, "32 bit float mono audio");
	items[props.n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_PORT_NAME, channel->name);
	items[props.n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_PORT_ALIAS, alias);
	items[props.n_items++] =
		SPA_DICT_ITEM_INIT(PW_KEY_AUDIO_CHANNEL, pwparams_position_name(group->positions[k]));
	if (direction == SPA_DIRECTION_INPUT) {
		items[props.n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_PORT_PHYSICAL, "true");
		items[props.n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_PORT_TERMINAL, "true");
	} else {
		items[props.n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_PORT_MONITOR, "true");
	}
	info.props = &props;
	spa_node_emit_port_info(&group->hooks, direction, k, &info);
}

static void emit_ports(struct backend_group *group)
{
	for (uint32_t k = 0; k < AUDIO_CHANNELS; k++) {
		emit_port(group, SPA_DIRECTION_INPUT, k);
		if (group->rt.monitor) {
			emit_port(group, SPA_DIRECTION_OUTPUT, k);
		}
	}
}

static void port_param_changed(
	struct backend_group *group, enum spa_direction direction, uint32_t k, enum port_param param)
{
	port_info(group, direction, k)->params[param].flags ^= SPA_PARAM_INFO_SERIAL;
	emit_port(group, direction, k);
}

/* Who asks for what is not to be read waits in vain: a format is readable only while it is set. */
static void set_port_format(struct pwnode_port *port, bool has_format)
{
	port->has_format = has_format;
	port->params[PORT_FORMAT] = SPA_PARAM_INFO(
		SPA_PARAM_Format, has_format ? SPA_PARAM_INFO_READWRITE : SPA_PARAM_INFO_WRITE);
	port->params[PORT_BUFFERS] = SPA_PARAM_INFO(SPA_PARAM_Buffers, has_format ? SPA_PARAM_INFO_READ : 0);
}

/* --- spa_node_methods: called by libpipewire, on the control thread but for process --- */

static int node_add_listener(
	void *object, struct spa_hook *listener, const struct spa_node_events *events, void *data)
{
	struct backend_group *group = group_of(object);
	struct spa_hook_list save;

	spa_hook_list_isolate(&group->hooks, &save, listener, events, data);
	emit_node(group, true);
	emit_ports(group);
	spa_hook_list_join(&group->hooks, &save);
	return 0;
}

static int node_set_callbacks(void *object, const struct spa_node_callbacks *callbacks, void *data)
{
	group_of(object)->node_callbacks = SPA_CALLBACKS_INIT(callbacks, data);
	return 0;
}

static int node_sync(void *object, int seq)
{
	spa_node_emit_result(&group_of(object)->hooks, seq, 0, 0, NULL);
	return 0;
}

static int node_enum_params(
	void *object, int seq, uint32_t id, uint32_t start, uint32_t num, const struct spa_pod *filter)
{
	return pwparams_enum(group_of(object), NULL, seq, id, start, num, filter);
}

static bool set_volume(float *volume, float value)
{
	if (!(value >= 0.0f) || *volume == MIN(value, PW_VOLUME_MAX)) {
		return false; /* no number, or no news */
	}
	*volume = MIN(value, PW_VOLUME_MAX);
	return true;
}

static bool set_volumes(struct backend_group *group, const struct spa_pod *pod)
{
	float values[SPA_AUDIO_MAX_CHANNELS];
	bool news = false;
	uint32_t n;

	/* spa_pod_copy_array() takes the values for as long as they say they are, and complains aloud of what is none. */
	if (!spa_pod_is_array(pod) || SPA_POD_ARRAY_VALUE_SIZE(pod) != sizeof(float)) {
		return false;
	}
	n = spa_pod_copy_array(pod, SPA_TYPE_Float, values, SPA_AUDIO_MAX_CHANNELS);
	for (uint32_t k = 0; n > 0 && k < AUDIO_CHANNELS; k++) {
		/* Whoever knows of fewer channels means all the others with the last. */
		news |= set_volume(&group->volume.volume[k], values[MIN(k, n - 1)]);
	}
	return news;
}

static void set_props(struct backend_group *group, const struct spa_pod *param)
{
	const struct spa_pod_prop *prop;
	bool news = false, mute;
	float value;

	SPA_POD_OBJECT_FOREACH((const struct spa_pod_object *)param, prop)
	{
		switch (prop->key) {
		case SPA_PROP_mute:
			if (spa_pod_get_bool(&prop->value, &mute) == 0) {
				news |= mute != group->volume.mute;
				group->volume.mute = mute;
			}
			break;
		case SPA_PROP_volume:
			if (spa_pod_get_float(&prop->value, &value) == 0) {
				for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
					news |= set_volume(&group->volume.volume[k], value);
				}
			}
			break;
		case SPA_PROP_channelVolumes:
			news |= set_volumes(group, &prop->value);
			break;
		default:
			break;
		}
	}
	if (!news) {
		return;
	}
	if (now_ns() < group->settling_ns) {
		group->volume = group->accepted;
	} else if (group->volume_ns == 0) {
		group->volume_ns = now_ns();
	}
	node_param_changed(group, NODE_PROPS);
}

/*
 * A session manager is at work on the node. What it sets besides, or has just set, is a volume that it remembers: the
 * daemon remembers it better, and an older one may be a loud one.
 */
static void settle(struct backend_group *group)
{
	group->settling_ns = now_ns() + SETTLE_NS;
	if (group->volume_ns != 0) {
		group->volume_ns = 0;
		group->volume = group->accepted;
		node_param_changed(group, NODE_PROPS);
	}
}

static void accept_volume(struct backend_group *group, int64_t now)
{
	if (group->volume_ns != 0 && now - group->volume_ns >= VOLUME_HOLD_NS) {
		group->volume_ns = 0;
		group->accepted = group->volume;
		group->volume_news = true;
		pw_post(group->backend, BACKEND_CHANGED_VOLUME);
	}
}

/*
 * A session manager that sets the configuration waits for ports to come; ours are there already, so they are made anew.
 * Links to them go; those that we know of are made again. To make one port anew does not do: the links of the others
 * would not come to life again after the node was suspended.
 */
static void renew_ports(struct backend_group *group)
{
	for (uint32_t k = 0; k < AUDIO_CHANNELS; k++) {
		spa_node_emit_port_info(&group->hooks, SPA_DIRECTION_INPUT, k, NULL);
		set_port_format(&group->info->in[k], false);
		emit_port(group, SPA_DIRECTION_INPUT, k);
		if (group->rt.monitor) {
			spa_node_emit_port_info(&group->hooks, SPA_DIRECTION_OUTPUT, k, NULL);
			set_port_format(&group->info->out[k], false);
			emit_port(group, SPA_DIRECTION_OUTPUT, k);
		}
	}
}

static int node_set_param(void *object, uint32_t id, uint32_t flags, const struct spa_pod *param)
{
	struct backend_group *group = group_of(object);

	switch (id) {
	case SPA_PARAM_Props:
		if (param && spa_pod_is_object_type(param, SPA_TYPE_OBJECT_Props)) {
			set_props(group, param);
		}
		return 0;
	case SPA_PARAM_Format:
		/* There is one format, and it is always in force. */
		group->info->has_format = param != NULL;
		/* Who asks for what is not to be read waits in vain. */
		group->info->params[NODE_FORMAT].flags =
			param ? SPA_PARAM_INFO_READWRITE : SPA_PARAM_INFO_WRITE;
		node_param_changed(group, NODE_FORMAT);
		return 0;
	case SPA_PARAM_PortConfig:
		renew_ports(group);
		settle(group);
		node_param_changed(group, NODE_CONFIG);
		return 0;
	case SPA_PARAM_ProcessLatency:
		return 0; /* ours to say */
	default:
		return -ENOENT;
	}
}

static int set_position(
	struct spa_loop *loop, bool async, uint32_t seq, const void *data, size_t size, void *user)
{
	struct backend_group *group = user;

	group->rt.position = *(struct spa_io_position *const *)data;
	return 0;
}

static int node_set_io(void *object, uint32_t id, void *data, size_t size)
{
	struct backend_group *group = group_of(object);
	struct spa_io_position *position = data && size >= sizeof(*position) ? data : NULL;

	if (id == SPA_IO_Position) {
		pw_loop_invoke(
			group->backend->data_loop, set_position, 0, &position, sizeof(position), true, group);
	}
	return 0;
}

static int node_send_command(void *object, const struct spa_command *command)
{
	if (SPA_NODE_COMMAND_ID(command) == SPA_NODE_COMMAND_Suspend) {
		group_of(object)->suspended_ns = now_ns();
		settle(group_of(object));
	} else if (SPA_NODE_COMMAND_ID(command) == SPA_NODE_COMMAND_Start) {
		group_of(object)->suspended_ns = 0;
	}
	return 0;
}

static int node_add_port(
	void *object, enum spa_direction direction, uint32_t port_id, const struct spa_dict *props)
{
	return -ENOTSUP;
}

static int node_remove_port(void *object, enum spa_direction direction, uint32_t port_id)
{
	return -ENOTSUP;
}

static int node_port_enum_params(void *object, int seq, enum spa_direction direction, uint32_t k, uint32_t id,
	uint32_t start, uint32_t num, const struct spa_pod *filter)
{
	struct backend_group *group = group_of(object);

	if (!is_port(group, direction, k)) {
		return -EINVAL;
	}
	return pwparams_enum(group, port_info(group, direction, k), seq, id, start, num, filter);
}

/*
 * What the other end of a link says of its latency. A monitor port carries what arrived at the playback port, no
 * later than it came.
 */
static void set_port_latency(
	struct backend_group *group, enum spa_direction direction, uint32_t k, const struct spa_pod *param)
{
	enum spa_direction other =
		direction == SPA_DIRECTION_INPUT ? SPA_DIRECTION_OUTPUT : SPA_DIRECTION_INPUT;
	struct spa_latency_info info = SPA_LATENCY_INFO(other);

	if (param && (spa_latency_parse(param, &info) < 0 || info.direction != other)) {
		return;
	}
	if (spa_latency_info_compare(&port_info(group, direction, k)->latency[other], &info) == 0) {
		return;
	}
	port_info(group, direction, k)->latency[other] = info;
	port_param_changed(group, direction, k, PORT_LATENCY);
	if (direction == SPA_DIRECTION_INPUT && group->rt.monitor) {
		group->info->out[k].latency[other] = info;
		port_param_changed(group, SPA_DIRECTION_OUTPUT, k, PORT_LATENCY);
	}
}

struct port_io {
	struct pwrt_port *port;
	struct spa_io_buffers *io;
};

static int set_port_io(
	struct spa_loop *loop, bool async, uint32_t seq, const void *data, size_t size, void *user)
{
	const struct port_io *change = data;

	change->port->io = change->io;
	return 0;
}

struct port_buffers {
	struct pwrt_port *port;
	struct spa_buffer **buffers;
	uint32_t n_buffers;
};

static int set_port_buffers(
	struct spa_loop *loop, bool async, uint32_t seq, const void *data, size_t size, void *user)
{
	const struct port_buffers *change = data;
	struct pwrt_port *port = change->port;

	for (uint32_t i = 0; i < change->n_buffers; i++) {
		port->buffers[i] = change->buffers[i];
	}
	port->free = change->n_buffers == 32 ? UINT32_MAX : (1u << change->n_buffers) - 1;
	port->n_buffers = change->n_buffers;
	return 0;
}

/* At most PWRT_BUFFERS_MAX. On return the data loop does not look at those of before. */
static void set_buffers(
	struct backend_group *group, struct pwrt_port *port, struct spa_buffer **buffers, uint32_t n_buffers)
{
	struct port_buffers change = {.port = port, .buffers = buffers, .n_buffers = n_buffers};

	pw_loop_invoke(group->backend->data_loop, set_port_buffers, 0, &change, sizeof(change), true, NULL);
}

static int node_port_set_param(void *object, enum spa_direction direction, uint32_t k, uint32_t id,
	uint32_t flags, const struct spa_pod *param)
{
	struct backend_group *group = group_of(object);
	struct pwnode_port *port;

	if (!is_port(group, direction, k)) {
		return -EINVAL;
	}
	port = port_info(group, direction, k);
	if (id == SPA_PARAM_Latency) {
		set_port_latency(group, direction, k, param);
		return 0;
	}
	if (id != SPA_PARAM_Format) {
		return -ENOENT;
	}
	/* libpipewire frees the buffers now, whatever the format is. */
	set_buffers(group, port_rt(group, direction, k), NULL, 0);
	set_port_format(port, param != NULL);
	emit_port(group, direction, k);
	return 0;
}

static int node_port_use_buffers(void *object, enum spa_direction direction, uint32_t k, uint32_t flags,
	struct spa_buffer **buffers, uint32_t n_buffers)
{
	struct backend_group *group = group_of(object);
	struct pwrt_port *port;

	if (!is_port(group, direction, k)) {
		return -EINVAL;
	}
	port = port_rt(group, direction, k);
	if (n_buffers > PWRT_BUFFERS_MAX) {
		set_buffers(group, port, NULL, 0);
		return -ENOSPC;
	}
	for (uint32_t i = 0; i < n_buffers; i++) {
		if (buffers[i]->n_datas < 1) {
			set_buffers(group, port, NULL, 0);
			return -EINVAL;
		}
	}
	set_buffers(group, port, buffers, n_buffers);
	return 0;
}

static int node_port_set_io(
	void *object, enum spa_direction direction, uint32_t k, uint32_t id, void *data, size_t size)
{
	struct backend_group *group = group_of(object);
	struct port_io change;

	if (!is_port(group, direction, k)) {
		return -EINVAL;
	}
	if (id != SPA_IO_Buffers) {
		return -ENOENT;
	}
	change.port = port_rt(group, direction, k);
	change.io = data && size >= sizeof(*change.io) ? data : NULL;
	pw_loop_invoke(group->backend->data_loop, set_port_io, 0, &change, sizeof(change), true, NULL);
	return 0;
}

static int node_port_reuse_buffer(void *object, uint32_t k, uint32_t buffer_id)
{
	struct backend_group *group = group_of(object);

	if (is_port(group, SPA_DIRECTION_OUTPUT, k) && buffer_id < group->rt.out[k].n_buffers) {
		group->rt.out[k].free |= 1u << buffer_id;
	}
	return 0;
}

static int node_process(void *object)
{
	return pwrt_node_process_rt(&group_of(object)->rt);
}

static const struct spa_node_methods methods = {
	SPA_VERSION_NODE_METHODS,
	.add_listener = node_add_listener,
	.set_callbacks = node_set_callbacks,
	.sync = node_sync,
	.enum_params = node_enum_params,
	.set_param = node_set_param,
	.set_io = node_set_io,
	.send_command = node_send_command,
	.add_port = node_add_port,
	.remove_port = node_remove_port,
	.port_enum_params = node_port_enum_params,
	.port_set_param = node_port_set_param,
	.port_use_buffers = node_port_use_buffers,
	.port_set_io = node_port_set_io,
	.port_reuse_buffer = node_port_reuse_buffer,
	.process = node_process,
};

/* --- what the backend calls --- */

static void init_port(struct pwnode_port *port, struct pw_channel *channel, const char *what, unsigned k)
{
	port->params[PORT_ENUM_FORMAT] = SPA_PARAM_INFO(SPA_PARAM_EnumFormat, SPA_PARAM_INFO_READ);
	set_port_format(port, false);
	port->params[PORT_IO] = SPA_PARAM_INFO(SPA_PARAM_IO, SPA_PARAM_INFO_READ);
	port->params[PORT_LATENCY] = SPA_PARAM_INFO(SPA_PARAM_Latency, SPA_PARAM_INFO_READWRITE);
	port->latency[SPA_DIRECTION_INPUT] = SPA_LATENCY_INFO(SPA_DIRECTION_INPUT);
	port->latency[SPA_DIRECTION_OUTPUT] = SPA_LATENCY_INFO(SPA_DIRECTION_OUTPUT);
	snprintf(channel->name, sizeof(channel->name), "%s_%u", what, k + 1);
}

int pwnode_init(struct backend_group *group)
{
	struct pwnode_info *info = calloc(1, sizeof(*info));

	group->rt.copy =
		mem_zalloc(CACHELINE_SIZE, (size_t)AUDIO_CHANNELS * AUDIO_PERIOD_MAX * sizeof(float));
	if (!info || !group->rt.copy) {
		free(info);
		return -ENOMEM;
	}
	info->params[NODE_ENUM_FORMAT] = SPA_PARAM_INFO(SPA_PARAM_EnumFormat, SPA_PARAM_INFO_READ);
	info->params[NODE_FORMAT] = SPA_PARAM_INFO(SPA_PARAM_Format, SPA_PARAM_INFO_WRITE);
	info->params[NODE_PROP_INFO] = SPA_PARAM_INFO(SPA_PARAM_PropInfo, SPA_PARAM_INFO_READ);
	info->params[NODE_PROPS] = SPA_PARAM_INFO(SPA_PARAM_Props, SPA_PARAM_INFO_READWRITE);
	info->params[NODE_ENUM_CONFIG] = SPA_PARAM_INFO(SPA_PARAM_EnumPortConfig, SPA_PARAM_INFO_READ);
	info->params[NODE_CONFIG] = SPA_PARAM_INFO(SPA_PARAM_PortConfig, SPA_PARAM_INFO_READWRITE);
	info->params[NODE_LATENCY] = SPA_PARAM_INFO(SPA_PARAM_ProcessLatency, SPA_PARAM_INFO_READ);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		init_port(&info->in[k], &group->in[k], "playback", k);
		init_port(&info->out[k], &group->out[k], "monitor", k);
		group->volume.volume[k] = 1.0f;
		group->accepted.volume[k] = 1.0f;
	}
	group->info = info;
	group->id = SPA_ID_INVALID;
	group->node.iface = SPA_INTERFACE_INIT(SPA_TYPE_INTERFACE_Node, SPA_VERSION_NODE, &methods, group);
	spa_hook_list_init(&group->hooks);
	return 0;
}

void pwnode_fini(struct backend_group *group)
{
	free(group->info);
	free(group->rt.copy);
}

static void on_proxy_bound(void *data, uint32_t global_id)
{
	struct backend_group *group = data;

	group->id = global_id;
}

static void on_proxy_destroy(void *data)
{
	struct backend_group *group = data;

	spa_hook_remove(&group->proxy_hook);
	group->proxy = NULL;
	group->id = SPA_ID_INVALID;
}

/* The server has taken the node away; without it the device is mute. Seen by the timer, which exports it again. */
static void on_proxy_removed(void *data)
{
	pw_proxy_destroy(((struct backend_group *)data)->proxy);
}

static const struct pw_proxy_events proxy_events = {
	PW_VERSION_PROXY_EVENTS,
	.destroy = on_proxy_destroy,
	.bound = on_proxy_bound,
	.removed = on_proxy_removed,
};

static void drop_impl(struct backend_group *group)
{
	if (group->impl) {
		pw_impl_node_destroy(group->impl);
		group->impl = NULL;
	}
}

int pwnode_export(struct backend_group *group)
{
	struct pipewire_backend *p = group->backend;
	struct pw_properties *props;
	char positions[128];
	int r;

	pwnode_withdraw(group);
	snprintf(group->node_name, sizeof(group->node_name), "%.40s.%.40s", p->client_name, group->name);
	positions_text(group, positions, sizeof(positions));
	/* Not every session manager looks at the first of them; see set_props(). */
	props = pw_properties_new("state.restore-props", "false", PW_KEY_NODE_NAME, group->node_name,
		PW_KEY_NODE_DESCRIPTION, group->description, PW_KEY_NODE_NICK, group->name, PW_KEY_MEDIA_TYPE,
		"Audio", PW_KEY_MEDIA_CATEGORY, "Playback", PW_KEY_MEDIA_CLASS, "Audio/Sink",
		PW_KEY_NODE_GROUP, p->client_name, PW_KEY_NODE_WANT_DRIVER, "true",
		PW_KEY_NODE_ALWAYS_PROCESS, "true", PW_KEY_NODE_PAUSE_ON_IDLE, "false",
		"session.suspend-timeout-seconds", "0", PW_KEY_PRIORITY_SESSION,
		group->preferred ? PRIORITY_PREFERRED : PRIORITY_LOW, PW_KEY_AUDIO_CHANNELS,
		SPA_STRINGIFY(AUDIO_CHANNELS), "audio.position", positions, PW_KEY_DEVICE_ICON_NAME,
		"audio-card", "device.api", "ethlink", NULL);
	if (!props) {
		return -errno;
	}
	group->impl = pw_context_create_node(p->context, props, 0);
	if (!group->impl) {
		return -errno;
	}
	pw_impl_node_set_implementation(group->impl, &group->node);
	pw_impl_node_set_active(group->impl, true);
	group->proxy = pw_core_export(p->core, PW_TYPE_INTERFACE_Node, NULL, group->impl, 0);
	if (!group->proxy) {
		r = -errno;
		drop_impl(group);
		return r < 0 ? r : -EIO;
	}
	group->suspended_ns = 0;
	group->settling_ns = now_ns() + SETTLE_NS;
	pw_proxy_add_listener(group->proxy, &group->proxy_hook, &proxy_events, group);
	return 0;
}

static int forget(struct spa_loop *loop, bool async, uint32_t seq, const void *data, size_t size, void *user)
{
	struct backend_group *group = user;

	pwrt_forget_rt(group->rt.rt, &group->rt);
	group->rt.position = NULL;
	return 0;
}

void pwnode_tend(struct backend_group *group, int64_t now)
{
	accept_volume(group, now);
	if (group->proxy && group->suspended_ns != 0 && now - group->suspended_ns > SUSPENDED_NS) {
		group->suspended_ns = now + RESUME_SPACING_NS;
		pw_impl_node_set_active(group->impl, false);
		pw_impl_node_set_active(group->impl, true);
	}
}

void pwnode_withdraw(struct backend_group *group)
{
	if (group->proxy) {
		pw_proxy_destroy(group->proxy);
	}
	drop_impl(group);
	if (group->backend->data_loop) {
		pw_loop_invoke(group->backend->data_loop, forget, 0, NULL, 0, true, group);
	}
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		group->rt.in[k].n_buffers = 0;
		group->rt.in[k].io = NULL;
		group->rt.out[k].n_buffers = 0;
		group->rt.out[k].io = NULL;
		set_port_format(&group->info->in[k], false);
		set_port_format(&group->info->out[k], false);
	}
}

static int set_monitor(
	struct spa_loop *loop, bool async, uint32_t seq, const void *data, size_t size, void *user)
{
	struct backend_group *group = user;

	group->rt.monitor = group->out[0].want;
	return 0;
}

static void update_monitor(struct backend_group *group)
{
	if (group->rt.monitor == group->out[0].want) {
		return;
	}
	for (uint32_t k = 0; k < AUDIO_CHANNELS && group->rt.monitor; k++) {
		/* Still ours while libpipewire takes its buffers away. */
		spa_node_emit_port_info(&group->hooks, SPA_DIRECTION_OUTPUT, k, NULL);
		set_port_format(&group->info->out[k], false);
	}
	if (group->backend->data_loop) {
		pw_loop_invoke(group->backend->data_loop, set_monitor, 0, NULL, 0, true, group);
	} else {
		group->rt.monitor = group->out[0].want;
	}
}

void pwnode_update(struct backend_group *group)
{
	update_monitor(group);
	for (unsigned i = 0; i < NODE_PARAMS; i++) {
		group->info->params[i].flags ^= SPA_PARAM_INFO_SERIAL;
	}
	if (group->proxy) {
		emit_node(group, true);
		emit_ports(group);
	}
}

void pwnode_set_latency(struct backend_group *group, uint32_t latency_frames)
{
	group->latency_frames = latency_frames;
	for (uint32_t k = 0; k < AUDIO_CHANNELS; k++) {
		struct spa_latency_info *latency = &group->info->in[k].latency[SPA_DIRECTION_INPUT];

		latency->min_rate = latency_frames;
		latency->max_rate = latency_frames;
		if (group->proxy) {
			port_param_changed(group, SPA_DIRECTION_INPUT, k, PORT_LATENCY);
		}
	}
	if (group->proxy) {
		node_param_changed(group, NODE_LATENCY);
	}
}

void pwnode_set_volume(struct backend_group *group, const struct backend_volume *volume)
{
	if (memcmp(group->volume.volume, volume->volume, sizeof(volume->volume)) == 0 &&
		group->volume.mute == volume->mute) {
		return;
	}
	group->volume = *volume;
	group->accepted = *volume;
	group->volume_ns = 0;
	if (group->proxy) {
		node_param_changed(group, NODE_PROPS);
	}
}
