#include "backend/pipewire-internal.h"

#include <spa/control/control.h>
#include <spa/debug/types.h>
#include <spa/node/utils.h>
#include <spa/param/audio/format-utils.h>
#include <spa/param/audio/type-info.h>
#include <spa/param/latency-utils.h>
#include <spa/param/props.h>
#include <spa/pod/builder.h>
#include <spa/pod/filter.h>
#include <string.h>

/* For as many events as an insert takes or gives in a cycle, and some from elsewhere. */
#define MIDI_BUFFER_BYTES 16384
/* Less than a controller in full flight needs. */
#define MIDI_BUFFER_BYTES_MIN 4096

const char *pwparams_position_name(uint32_t position)
{
	for (unsigned i = 0; spa_type_audio_channel[i].name; i++) {
		if (spa_type_audio_channel[i].type == position) {
			return spa_debug_type_short_name(spa_type_audio_channel[i].name);
		}
	}
	return "UNK";
}

static struct spa_pod *build_format(struct backend_group *group, struct spa_pod_builder *b, uint32_t id)
{
	struct spa_audio_info_raw info = {
		.format = SPA_AUDIO_FORMAT_F32P,
		.rate = group->backend->told.rate_hz,
		.channels = AUDIO_CHANNELS,
	};

	memcpy(info.position, group->positions, sizeof(group->positions));
	return spa_format_audio_raw_build(b, id, &info);
}

static struct spa_pod *build_props(struct backend_group *group, struct spa_pod_builder *b)
{
	return spa_pod_builder_add_object(b, SPA_TYPE_OBJECT_Props, SPA_PARAM_Props, SPA_PROP_mute,
		SPA_POD_Bool(group->volume.mute), SPA_PROP_channelVolumes,
		SPA_POD_Array(sizeof(float), SPA_TYPE_Float, AUDIO_CHANNELS, group->volume.volume),
		SPA_PROP_channelMap,
		SPA_POD_Array(sizeof(uint32_t), SPA_TYPE_Id, AUDIO_CHANNELS, group->positions));
}

static struct spa_pod *build_prop_info(struct spa_pod_builder *b, uint32_t index)
{
	if (index == 0) {
		return spa_pod_builder_add_object(b, SPA_TYPE_OBJECT_PropInfo, SPA_PARAM_PropInfo,
			SPA_PROP_INFO_id, SPA_POD_Id(SPA_PROP_mute), SPA_PROP_INFO_description,
			SPA_POD_String("Mute"), SPA_PROP_INFO_type, SPA_POD_CHOICE_Bool(false));
	}
	return spa_pod_builder_add_object(b, SPA_TYPE_OBJECT_PropInfo, SPA_PARAM_PropInfo, SPA_PROP_INFO_id,
		SPA_POD_Id(SPA_PROP_channelVolumes), SPA_PROP_INFO_description,
		SPA_POD_String("Channel Volumes"), SPA_PROP_INFO_type,
		SPA_POD_CHOICE_RANGE_Float(1.0f, 0.0f, PW_VOLUME_MAX), SPA_PROP_INFO_container,
		SPA_POD_Id(SPA_TYPE_Array));
}

/* There is one configuration, and it is always in force. */
static struct spa_pod *build_config(struct backend_group *group, struct spa_pod_builder *b, uint32_t id)
{
	uint8_t buffer[512];
	struct spa_pod_builder inner = SPA_POD_BUILDER_INIT(buffer, sizeof(buffer));
	struct spa_pod *format = build_format(group, &inner, SPA_PARAM_Format);

	return spa_pod_builder_add_object(b, SPA_TYPE_OBJECT_ParamPortConfig, id,
		SPA_PARAM_PORT_CONFIG_direction, SPA_POD_Id(SPA_DIRECTION_INPUT), SPA_PARAM_PORT_CONFIG_mode,
		SPA_POD_Id(SPA_PARAM_PORT_CONFIG_MODE_dsp), SPA_PARAM_PORT_CONFIG_monitor,
		SPA_POD_Bool(group->rt.monitor), SPA_PARAM_PORT_CONFIG_control, SPA_POD_Bool(false),
		SPA_PARAM_PORT_CONFIG_format, SPA_POD_Pod(format));
}

/* The param number index of this kind, or NULL behind the last. -1 in ret_error: there is no such kind. */
static struct spa_pod *build_node_param(
	struct backend_group *group, struct spa_pod_builder *b, uint32_t id, uint32_t index)
{
	struct spa_process_latency_info latency = {.rate = group->latency_frames};

	if (group->rt.insert && id != SPA_PARAM_ProcessLatency) {
		return NULL;
	}
	switch (id) {
	case SPA_PARAM_EnumFormat:
		return index == 0 ? build_format(group, b, id) : NULL;
	case SPA_PARAM_Format:
		return index == 0 && group->info->has_format ? build_format(group, b, id) : NULL;
	case SPA_PARAM_PropInfo:
		return index < 2 ? build_prop_info(b, index) : NULL;
	case SPA_PARAM_Props:
		return index == 0 ? build_props(group, b) : NULL;
	case SPA_PARAM_EnumPortConfig:
	case SPA_PARAM_PortConfig:
		return index == 0 ? build_config(group, b, id) : NULL;
	case SPA_PARAM_ProcessLatency:
		return index == 0 ? spa_process_latency_build(b, id, &latency) : NULL;
	default:
		return NULL;
	}
}

static struct spa_pod *build_dsp_format(struct spa_pod_builder *b, uint32_t id)
{
	return spa_pod_builder_add_object(b, SPA_TYPE_OBJECT_Format, id, SPA_FORMAT_mediaType,
		SPA_POD_Id(SPA_MEDIA_TYPE_audio), SPA_FORMAT_mediaSubtype, SPA_POD_Id(SPA_MEDIA_SUBTYPE_dsp),
		SPA_FORMAT_AUDIO_format, SPA_POD_Id(SPA_AUDIO_FORMAT_DSP_F32));
}

static struct spa_pod *build_midi_format(struct spa_pod_builder *b, uint32_t id)
{
	struct spa_pod_frame frame;

	spa_pod_builder_push_object(b, &frame, SPA_TYPE_OBJECT_Format, id);
	spa_pod_builder_add(b, SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_application),
		SPA_FORMAT_mediaSubtype, SPA_POD_Id(SPA_MEDIA_SUBTYPE_control), 0);
#if PW_CHECK_VERSION(1, 4, 0)
	spa_pod_builder_add(b, SPA_FORMAT_CONTROL_types, SPA_POD_CHOICE_FLAGS_Int(1u << PWRT_CONTROL_UMP), 0);
#endif
	return spa_pod_builder_pop(b, &frame);
}

static struct spa_pod *build_port_format(
	const struct pwnode_port *port, struct spa_pod_builder *b, uint32_t id)
{
	return port->midi ? build_midi_format(b, id) : build_dsp_format(b, id);
}

static struct spa_pod *build_buffers(const struct pwnode_port *port, struct spa_pod_builder *b, uint32_t id)
{
	int size = port->midi ? MIDI_BUFFER_BYTES : (int)(AUDIO_PERIOD_MAX * sizeof(float));
	int least = port->midi ? MIDI_BUFFER_BYTES_MIN : (int)(32 * sizeof(float));
	int stride = port->midi ? 1 : (int)sizeof(float);

	return spa_pod_builder_add_object(b, SPA_TYPE_OBJECT_ParamBuffers, id, SPA_PARAM_BUFFERS_buffers,
		SPA_POD_CHOICE_RANGE_Int(2, 1, PWRT_BUFFERS_MAX), SPA_PARAM_BUFFERS_blocks, SPA_POD_Int(1),
		SPA_PARAM_BUFFERS_size, SPA_POD_CHOICE_RANGE_Int(size, least, INT32_MAX),
		SPA_PARAM_BUFFERS_stride, SPA_POD_Int(stride));
}

static struct spa_pod *build_port_param(
	const struct pwnode_port *port, struct spa_pod_builder *b, uint32_t id, uint32_t index)
{
	switch (id) {
	case SPA_PARAM_EnumFormat:
		return index == 0 ? build_port_format(port, b, id) : NULL;
	case SPA_PARAM_Format:
		return index == 0 && port->has_format ? build_port_format(port, b, id) : NULL;
	case SPA_PARAM_Buffers:
		return index == 0 ? build_buffers(port, b, id) : NULL;
	case SPA_PARAM_IO:
		return index > 0 ? NULL
				 : spa_pod_builder_add_object(b, SPA_TYPE_OBJECT_ParamIO, id, SPA_PARAM_IO_id,
					   SPA_POD_Id(SPA_IO_Buffers), SPA_PARAM_IO_size,
					   SPA_POD_Int(sizeof(struct spa_io_buffers)));
	case SPA_PARAM_Latency:
		return index < 2 ? spa_latency_build(b, id, &port->latency[index]) : NULL;
	default:
		return NULL;
	}
}

/* One param to whoever asks, if it passes the filter. */
static bool answer(struct backend_group *group, int seq, struct spa_pod *param, const struct spa_pod *filter,
	struct spa_result_node_params *result)
{
	uint8_t buffer[2048];
	struct spa_pod_builder b = SPA_POD_BUILDER_INIT(buffer, sizeof(buffer));

	if (spa_pod_filter(&b, &result->param, param, filter) < 0) {
		return false;
	}
	spa_node_emit_result(&group->hooks, seq, 0, SPA_RESULT_TYPE_NODE_PARAMS, result);
	return true;
}

int pwparams_enum(struct backend_group *group, const struct pwnode_port *port, int seq, uint32_t id,
	uint32_t start, uint32_t num, const struct spa_pod *filter)
{
	struct spa_result_node_params result = {.id = id, .next = start};
	uint32_t count = 0;

	while (count < num) {
		uint8_t buffer[2048];
		struct spa_pod_builder b = SPA_POD_BUILDER_INIT(buffer, sizeof(buffer));
		struct spa_pod *param;

		result.index = result.next++;
		param = port ? build_port_param(port, &b, id, result.index)
			     : build_node_param(group, &b, id, result.index);
		if (!param) {
			return 0;
		}
		count += answer(group, seq, param, filter, &result) ? 1 : 0;
	}
	return 0;
}
