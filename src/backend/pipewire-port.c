#include "backend/pipewire-internal.h"

#include "base/util.h"

#include <errno.h>
#include <spa/node/utils.h>
#include <spa/param/latency-utils.h>
#include <stdio.h>
#include <string.h>

/* How MIDI ports are known. */
#define MIDI_DSP (PWRT_GIVES_UMP ? "32 bit raw UMP" : "8 bit raw midi")

static struct pwnode_port *port_info(struct backend_group *group, enum spa_direction direction, uint32_t k)
{
	return direction == SPA_DIRECTION_INPUT ? &group->info->in[k] : &group->info->out[k];
}

static struct pwrt_port *port_rt(struct backend_group *group, enum spa_direction direction, uint32_t k)
{
	return direction == SPA_DIRECTION_INPUT ? &group->rt.in[k] : &group->rt.out[k];
}

static const struct pw_channel *channel_of(
	const struct backend_group *group, enum spa_direction direction, uint32_t k)
{
	return direction == SPA_DIRECTION_INPUT ? &group->in[k] : &group->out[k];
}

static bool is_port(const struct backend_group *group, enum spa_direction direction, uint32_t k)
{
	if (k >= AUDIO_CHANNELS) {
		return false;
	}
	if (direction == SPA_DIRECTION_OUTPUT && !group->rt.insert) {
		return group->rt.monitor; /* not yet, or still, what is wanted */
	}
	return channel_of(group, direction, k)->want;
}

/* --- telling the graph --- */

/* What makes a device's ports those of a sound card. */
static void device_props(
	struct backend_group *group, enum spa_direction direction, uint32_t k, struct spa_dict *props)
{
	struct spa_dict_item *items = (struct spa_dict_item *)props->items;

	items[props->n_items++] =
		SPA_DICT_ITEM_INIT(PW_KEY_AUDIO_CHANNEL, pwparams_position_name(group->positions[k]));
	if (direction == SPA_DIRECTION_INPUT) {
		items[props->n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_PORT_PHYSICAL, "true");
		items[props->n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_PORT_TERMINAL, "true");
	} else {
		items[props->n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_PORT_MONITOR, "true");
	}
}

static void emit_port(struct backend_group *group, enum spa_direction direction, uint32_t k)
{
	const struct pw_channel *channel = channel_of(group, direction, k);
	struct spa_dict_item items[6];
	struct spa_dict props = SPA_DICT_INIT(items, 0);
	struct spa_port_info info = {
		.change_mask =
			SPA_PORT_CHANGE_MASK_FLAGS | SPA_PORT_CHANGE_MASK_PROPS | SPA_PORT_CHANGE_MASK_PARAMS,
		.params = port_info(group, direction, k)->params,
		.n_params = PORT_PARAMS,
	};
	char alias[2 * PW_NAMES_MAX];

	snprintf(alias, sizeof(alias), "%s:%s", group->description,
		channel->label ? channel->label : channel->name);
	items[props.n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_FORMAT_DSP,
		port_info(group, direction, k)->midi ? MIDI_DSP : "32 bit float mono audio");
	items[props.n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_PORT_NAME, channel->name);
	items[props.n_items++] = SPA_DICT_ITEM_INIT(PW_KEY_PORT_ALIAS, alias);
	if (!group->rt.insert) {
		device_props(group, direction, k, &props);
		info.flags = direction == SPA_DIRECTION_INPUT
				     ? SPA_PORT_FLAG_PHYSICAL | SPA_PORT_FLAG_TERMINAL
				     : 0;
	}
	info.props = &props;
	spa_node_emit_port_info(&group->hooks, direction, k, &info);
}

void pwport_emit_all(struct backend_group *group)
{
	for (uint32_t k = 0; k < AUDIO_CHANNELS; k++) {
		if (is_port(group, SPA_DIRECTION_INPUT, k)) {
			emit_port(group, SPA_DIRECTION_INPUT, k);
		}
		if (is_port(group, SPA_DIRECTION_OUTPUT, k)) {
			emit_port(group, SPA_DIRECTION_OUTPUT, k);
		}
	}
}

static void param_changed(
	struct backend_group *group, enum spa_direction direction, uint32_t k, enum port_param param)
{
	port_info(group, direction, k)->params[param].flags ^= SPA_PARAM_INFO_SERIAL;
	emit_port(group, direction, k);
}

/* Who asks for what is not to be read waits in vain: a format is readable only while it is set. */
static void set_format(struct pwnode_port *port, bool has_format)
{
	port->has_format = has_format;
	port->params[PORT_FORMAT] = SPA_PARAM_INFO(
		SPA_PARAM_Format, has_format ? SPA_PARAM_INFO_READWRITE : SPA_PARAM_INFO_WRITE);
	port->params[PORT_BUFFERS] = SPA_PARAM_INFO(SPA_PARAM_Buffers, has_format ? SPA_PARAM_INFO_READ : 0);
}

static void remove_port(struct backend_group *group, enum spa_direction direction, uint32_t k)
{
	spa_node_emit_port_info(&group->hooks, direction, k, NULL);
	set_format(port_info(group, direction, k), false);
}

void pwport_remove_monitors(struct backend_group *group)
{
	for (uint32_t k = 0; k < AUDIO_CHANNELS && group->rt.monitor; k++) {
		remove_port(group, SPA_DIRECTION_OUTPUT, k);
	}
}

void pwport_renew_all(struct backend_group *group)
{
	for (uint32_t k = 0; k < AUDIO_CHANNELS; k++) {
		if (is_port(group, SPA_DIRECTION_INPUT, k)) {
			remove_port(group, SPA_DIRECTION_INPUT, k);
			emit_port(group, SPA_DIRECTION_INPUT, k);
		}
		if (is_port(group, SPA_DIRECTION_OUTPUT, k)) {
			remove_port(group, SPA_DIRECTION_OUTPUT, k);
			emit_port(group, SPA_DIRECTION_OUTPUT, k);
		}
	}
}

void pwport_forget_all(struct backend_group *group)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		group->rt.in[k].n_buffers = 0;
		group->rt.in[k].io = NULL;
		group->rt.out[k].n_buffers = 0;
		group->rt.out[k].io = NULL;
		set_format(&group->info->in[k], false);
		set_format(&group->info->out[k], false);
	}
}

/* --- latency --- */

/* What reaches the ports on this side from beyond those of the other, as far as the graph has said it. */
static struct spa_latency_info from_beyond(const struct backend_group *group, enum spa_direction direction)
{
	const struct pwnode_port *ports =
		direction == SPA_DIRECTION_OUTPUT ? group->info->in : group->info->out;
	struct spa_latency_info none = SPA_LATENCY_INFO(direction), all = none;

	for (unsigned k = 0; k < AUDIO_CHANNELS && group->through; k++) {
		const struct spa_latency_info *one = &ports[k].latency[direction];

		if (spa_latency_info_compare(one, &none) == 0) {
			continue; /* nothing is linked to it, or it comes at once */
		}
		if (spa_latency_info_compare(&all, &none) == 0) {
			all = *one;
		} else {
			spa_latency_info_combine(&all, one);
		}
	}
	return all;
}

/* Of an insert: what leaves it is as old as what came in, and what it takes; the same the other way round. */
static void tell_insert_latency(struct backend_group *group, enum spa_direction direction)
{
	struct spa_latency_info info = from_beyond(group, direction);

	/* Others can say anything. */
	if (__builtin_add_overflow(info.min_rate, group->latency_frames, &info.min_rate) ||
		__builtin_add_overflow(info.max_rate, group->latency_frames, &info.max_rate)) {
		return;
	}
	for (uint32_t k = 0; k <= PWRT_MIDI; k++) {
		struct spa_latency_info *told = &port_info(group, direction, k)->latency[direction];

		if (spa_latency_info_compare(told, &info) != 0) {
			*told = info;
			if (group->proxy && is_port(group, direction, k)) {
				param_changed(group, direction, k, PORT_LATENCY);
			}
		}
	}
}

void pwport_tell_latency(struct backend_group *group)
{
	if (group->rt.insert) {
		tell_insert_latency(group, SPA_DIRECTION_OUTPUT);
		tell_insert_latency(group, SPA_DIRECTION_INPUT);
		return;
	}
	for (uint32_t k = 0; k < AUDIO_CHANNELS; k++) {
		struct spa_latency_info *latency = &group->info->in[k].latency[SPA_DIRECTION_INPUT];

		latency->min_rate = group->latency_frames;
		latency->max_rate = group->latency_frames;
		if (group->proxy) {
			param_changed(group, SPA_DIRECTION_INPUT, k, PORT_LATENCY);
		}
	}
}

/*
 * What the other end of a link says of its latency. A monitor port carries what arrived at the playback port, no
 * later than it came.
 */
static void set_latency(
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
	param_changed(group, direction, k, PORT_LATENCY);
	if (group->rt.insert) {
		tell_insert_latency(group, other);
	} else if (direction == SPA_DIRECTION_INPUT && group->rt.monitor) {
		group->info->out[k].latency[other] = info;
		param_changed(group, SPA_DIRECTION_OUTPUT, k, PORT_LATENCY);
	}
}

/* --- what libpipewire calls, on the control thread but for pwport_reuse_buffer() --- */

int pwport_enum_params(void *object, int seq, enum spa_direction direction, uint32_t k, uint32_t id,
	uint32_t start, uint32_t num, const struct spa_pod *filter)
{
	struct backend_group *group = object;

	if (!is_port(group, direction, k)) {
		return -EINVAL;
	}
	return pwparams_enum(group, port_info(group, direction, k), seq, id, start, num, filter);
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

int pwport_set_param(void *object, enum spa_direction direction, uint32_t k, uint32_t id, uint32_t flags,
	const struct spa_pod *param)
{
	struct backend_group *group = object;
	struct pwnode_port *port;

	if (!is_port(group, direction, k)) {
		return -EINVAL;
	}
	port = port_info(group, direction, k);
	if (id == SPA_PARAM_Latency) {
		set_latency(group, direction, k, param);
		return 0;
	}
	if (id != SPA_PARAM_Format) {
		return -ENOENT;
	}
	/* libpipewire frees the buffers now, whatever the format is. */
	set_buffers(group, port_rt(group, direction, k), NULL, 0);
	set_format(port, param != NULL);
	emit_port(group, direction, k);
	return 0;
}

int pwport_use_buffers(void *object, enum spa_direction direction, uint32_t k, uint32_t flags,
	struct spa_buffer **buffers, uint32_t n_buffers)
{
	struct backend_group *group = object;
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

int pwport_set_io(
	void *object, enum spa_direction direction, uint32_t k, uint32_t id, void *data, size_t size)
{
	struct backend_group *group = object;
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

int pwport_reuse_buffer(void *object, uint32_t k, uint32_t buffer_id)
{
	struct backend_group *group = object;

	if (is_port(group, SPA_DIRECTION_OUTPUT, k) && buffer_id < group->rt.out[k].n_buffers) {
		group->rt.out[k].free |= 1u << buffer_id;
	}
	return 0;
}

void pwport_init(struct pwnode_port *port, bool midi)
{
	port->midi = midi;
	port->params[PORT_ENUM_FORMAT] = SPA_PARAM_INFO(SPA_PARAM_EnumFormat, SPA_PARAM_INFO_READ);
	set_format(port, false);
	port->params[PORT_IO] = SPA_PARAM_INFO(SPA_PARAM_IO, SPA_PARAM_INFO_READ);
	port->params[PORT_LATENCY] = SPA_PARAM_INFO(SPA_PARAM_Latency, SPA_PARAM_INFO_READWRITE);
	port->latency[SPA_DIRECTION_INPUT] = SPA_LATENCY_INFO(SPA_DIRECTION_INPUT);
	port->latency[SPA_DIRECTION_OUTPUT] = SPA_LATENCY_INFO(SPA_DIRECTION_OUTPUT);
}
