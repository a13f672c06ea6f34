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
		.max_input_ports = group->rt.insert ? PWRT_MIDI + 1 : AUDIO_CHANNELS,
		.max_output_ports = group->rt.insert ? PWRT_MIDI + 1 : AUDIO_CHANNELS,
		.change_mask = SPA_NODE_CHANGE_MASK_FLAGS | SPA_NODE_CHANGE_MASK_PARAMS,
		.flags = SPA_NODE_FLAG_RT | SPA_NODE_FLAG_IN_PORT_CONFIG,
		.params = group->info->params,
		.n_params = NODE_PARAMS,
	};

	if (group->rt.insert) {
		/* Of a node without any param libpipewire 0.3.65 frees the list twice, in the session manager. */
		info.flags = SPA_NODE_FLAG_RT;
		info.params += NODE_LATENCY;
		info.n_params = 1;
	}
	if (with_props) {
		items[props.n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_NODE_DESCRIPTION, group->description);
		info.change_mask |= SPA_NODE_CHANGE_MASK_PROPS;
		info.props = &props;
	}
	if (with_props && !group->rt.insert) {
		positions_text(group, positions, sizeof(positions));
		items[props.n_items++] = SPA_DICT_ITEM_INIT("audio.position", positions);
		items[props.n_items++] = SPA_DICT_ITEM_INIT(
			PW_KEY_PRIORITY_SESSION, group->preferred ? PRIORITY_PREFERRED : PRIORITY_LOW);
	}
	spa_node_emit_info(&group->hooks, &info);
}

static void node_param_changed(struct backend_group *group, enum node_param param)
{
	group->info->params[param].flags ^= SPA_PARAM_INFO_SERIAL;
	emit_node(group, false);
}

/* --- spa_node_methods: called by libpipewire, on the control thread but for process --- */

static int node_add_listener(
	void *object, struct spa_hook *listener, const struct spa_node_events *events, void *data)
{
	struct backend_group *group = group_of(object);
	struct spa_hook_list save;

	spa_hook_list_isolate(&group->hooks, &save, listener, events, data);
	emit_node(group, true);
	pwport_emit_all(group);
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
		pwport_renew_all(group);
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

static int node_process(void *object)
{
	struct pwrt_node *node = &group_of(object)->rt;

	return node->insert ? pwrt_insert_process_rt(node) : pwrt_node_process_rt(node);
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
	.port_enum_params = pwport_enum_params,
	.port_set_param = pwport_set_param,
	.port_use_buffers = pwport_use_buffers,
	.port_set_io = pwport_set_io,
	.port_reuse_buffer = pwport_reuse_buffer,
	.process = node_process,
};

/* --- what the backend calls --- */

int pwnode_init(struct backend_group *group, bool insert)
{
	struct pwnode_info *info = calloc(1, sizeof(*info));

	if (insert) {
		group->rt.insert = mem_zalloc(CACHELINE_SIZE, sizeof(*group->rt.insert));
	} else {
		group->rt.copy =
			mem_zalloc(CACHELINE_SIZE, (size_t)AUDIO_CHANNELS * AUDIO_PERIOD_MAX * sizeof(float));
	}
	if (!info || (!group->rt.insert && !group->rt.copy)) {
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
		if (!insert) {
			snprintf(group->in[k].name, sizeof(group->in[k].name), "playback_%u", k + 1);
			snprintf(group->out[k].name, sizeof(group->out[k].name), "monitor_%u", k + 1);
		}
		pwport_init(&info->in[k], insert && k == PWRT_MIDI);
		pwport_init(&info->out[k], insert && k == PWRT_MIDI);
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
	free(group->rt.insert);
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

/* What makes of a node a sound card to a session manager. */
static void add_device_props(const struct backend_group *group, struct pw_properties *props)
{
	char positions[128];

	positions_text(group, positions, sizeof(positions));
	/* Not every session manager looks at the first of them; see set_props(). */
	pw_properties_set(props, "state.restore-props", "false");
	pw_properties_set(props, PW_KEY_MEDIA_CATEGORY, "Playback");
	pw_properties_set(props, PW_KEY_MEDIA_CLASS, "Audio/Sink");
	pw_properties_set(
		props, PW_KEY_PRIORITY_SESSION, group->preferred ? PRIORITY_PREFERRED : PRIORITY_LOW);
	pw_properties_set(props, PW_KEY_AUDIO_CHANNELS, SPA_STRINGIFY(AUDIO_CHANNELS));
	pw_properties_set(props, "audio.position", positions);
	pw_properties_set(props, PW_KEY_DEVICE_ICON_NAME, "audio-card");
	pw_properties_set(props, "device.api", "ethlink");
}

/* In one group, so that all have the same driver. NULL: no memory. */
static struct pw_properties *make_props(const struct backend_group *group)
{
	struct pw_properties *props = pw_properties_new(PW_KEY_NODE_NAME, group->node_name,
		PW_KEY_NODE_DESCRIPTION, group->description, PW_KEY_NODE_NICK, group->name, PW_KEY_MEDIA_TYPE,
		"Audio", PW_KEY_NODE_GROUP, group->backend->client_name, PW_KEY_NODE_WANT_DRIVER, "true",
		PW_KEY_NODE_ALWAYS_PROCESS, "true", PW_KEY_NODE_PAUSE_ON_IDLE, "false",
		"session.suspend-timeout-seconds", "0", NULL);

	if (!props) {
		return NULL;
	}
	if (group->rt.insert) {
		/* Without a class: no session manager links it or takes it for an output. */
		pw_properties_set(props, PW_KEY_MEDIA_CATEGORY, "Filter");
		pw_properties_set(props, PW_KEY_MEDIA_ROLE, "DSP");
	} else {
		add_device_props(group, props);
	}
	return props;
}

int pwnode_export(struct backend_group *group)
{
	struct pipewire_backend *p = group->backend;
	struct pw_properties *props;
	int r;

	pwnode_withdraw(group);
	snprintf(group->node_name, sizeof(group->node_name), "%.40s.%.40s", p->client_name, group->name);
	props = make_props(group);
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
	/* A session manager has nothing to do with an insert. */
	group->settling_ns = group->rt.insert ? 0 : now_ns() + SETTLE_NS;
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
	pwport_forget_all(group);
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
	if (group->rt.insert || group->rt.monitor == group->out[0].want) {
		return;
	}
	/* Still ours while libpipewire takes their buffers away. */
	pwport_remove_monitors(group);
	if (group->backend->data_loop) {
		pw_loop_invoke(group->backend->data_loop, set_monitor, 0, NULL, 0, true, group);
	} else {
		group->rt.monitor = group->out[0].want;
	}
}

void pwnode_update(struct backend_group *group)
{
	update_monitor(group);
	if (group->rt.insert) {
		pwport_tell_latency(group); /* what passes through may be another */
	}
	for (unsigned i = 0; i < NODE_PARAMS; i++) {
		group->info->params[i].flags ^= SPA_PARAM_INFO_SERIAL;
	}
	if (group->proxy) {
		emit_node(group, true);
		pwport_emit_all(group);
	}
}

void pwnode_set_latency(struct backend_group *group, uint32_t latency_frames)
{
	group->latency_frames = latency_frames;
	pwport_tell_latency(group);
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
