/* An insert's turn in PipeWire's data loop. */
#include "backend/pipewire-rt.h"

#include <spa/control/control.h>
#include <spa/pod/pod.h>
#include <string.h>

/* Kinds of packets of words. */
#define UMP_MIDI1_CHANNEL_VOICE 2u
#define UMP_MIDI2_CHANNEL_VOICE 4u
/* What one event takes in a sequence: its header and three bytes, padded. */
#define EVENT_BYTES (sizeof(struct spa_pod_control) + 8)

struct midi_event {
	struct spa_pod_control control;
	uint8_t bytes[8];
};

/* --- MIDI from the graph --- */

/* With the last event's frame where this one's is before it: events are in order. */
static void add_event_rt(struct audio_insert *audio, uint32_t frame, const uint8_t bytes[3])
{
	uint32_t least = audio->n_midi_in > 0 ? audio->midi_in[audio->n_midi_in - 1].frame : 0;

	if (audio->n_midi_in == AUDIO_MIDI_MAX) {
		audio->n_midi_lost++;
		return;
	}
	audio->midi_in[audio->n_midi_in++] = (struct audio_midi){
		.frame = MAX(frame, least),
		.status = bytes[0],
		.data1 = bytes[1] & 0x7f,
		.data2 = bytes[2] & 0x7f,
	};
}

static unsigned message_size_rt(uint8_t status)
{
	if (status < 0x80 || status >= 0xf0) {
		return 0; /* of the system, or the rest of something: nothing that passes */
	}
	return (status & 0xe0) == 0xc0 ? 2 : 3;
}

/* One event; mostly it is one message. */
static void take_bytes_rt(struct audio_insert *audio, uint32_t frame, const uint8_t *bytes, uint32_t size)
{
	while (size > 0) {
		uint8_t message[3] = {0};
		unsigned n;

		message[0] = bytes[0];
		n = message_size_rt(message[0]);
		if (n == 0 || n > size) {
			return;
		}
		memcpy(message + 1, bytes + 1, n - 1);
		add_event_rt(audio, frame, message);
		bytes += n;
		size -= n;
	}
}

/* Of MIDI 2.0 what there is in 1.0, with fewer bits. False: nothing of it. */
static bool narrow_rt(const uint32_t words[2], uint8_t ret_message[3])
{
	uint8_t status = (uint8_t)(words[0] >> 16);

	ret_message[0] = status;
	ret_message[1] = (uint8_t)(words[0] >> 8);
	ret_message[2] = (uint8_t)(words[1] >> 25);
	switch (status & 0xf0) {
	case 0x80:
	case 0xa0:
	case 0xb0:
		return true;
	case 0x90:
		ret_message[2] = MAX(ret_message[2], 1); /* the softest is no note-off */
		return true;
	case 0xc0:
		ret_message[1] = (uint8_t)(words[1] >> 24);
		ret_message[2] = 0;
		return true;
	case 0xd0:
		ret_message[1] = ret_message[2];
		ret_message[2] = 0;
		return true;
	case 0xe0:
		ret_message[1] = (uint8_t)(words[1] >> 18 & 0x7f);
		return true;
	default:
		return false;
	}
}

static void take_words_rt(struct audio_insert *audio, uint32_t frame, const uint8_t *bytes, uint32_t size)
{
	uint32_t words[2] = {0};
	uint8_t message[3];

	memcpy(words, bytes, MIN(size, sizeof(words)));
	message[0] = (uint8_t)(words[0] >> 16);
	message[1] = (uint8_t)(words[0] >> 8);
	message[2] = message_size_rt(message[0]) == 3 ? (uint8_t)words[0] : 0;
	if (size >= sizeof(words[0]) && words[0] >> 28 == UMP_MIDI1_CHANNEL_VOICE &&
		message_size_rt(message[0]) > 0) {
		add_event_rt(audio, frame, message);
	} else if (size >= sizeof(words) && words[0] >> 28 == UMP_MIDI2_CHANNEL_VOICE &&
		   narrow_rt(words, message)) {
		add_event_rt(audio, frame, message);
	}
}

/* Others can write there while it is read: each header is copied before it is looked at. */
static void take_sequence_rt(struct audio_insert *audio, uint32_t frames, const uint8_t *at, uint32_t size)
{
	struct spa_pod_sequence sequence;
	uint32_t left;

	if (size < sizeof(sequence)) {
		return;
	}
	memcpy(&sequence, at, sizeof(sequence));
	if (sequence.pod.type != SPA_TYPE_Sequence || sequence.pod.size < sizeof(sequence.body)) {
		return;
	}
	left = MIN(size - (uint32_t)sizeof(sequence), sequence.pod.size - (uint32_t)sizeof(sequence.body));
	at += sizeof(sequence);
	while (left >= sizeof(struct spa_pod_control)) {
		struct spa_pod_control control;
		uint32_t n, step, frame;

		memcpy(&control, at, sizeof(control));
		at += sizeof(control);
		left -= (uint32_t)sizeof(control);
		n = control.value.size;
		if (n > left) {
			return;
		}
		frame = MIN(control.offset, frames - 1);
		if (control.type == SPA_CONTROL_Midi && control.value.type == SPA_TYPE_Bytes) {
			take_bytes_rt(audio, frame, at, n);
		} else if (control.type == PWRT_CONTROL_UMP && control.value.type == SPA_TYPE_Bytes) {
			take_words_rt(audio, frame, at, n);
		}
		step = MIN(SPA_ROUND_UP_N(n, 8u), left);
		at += step;
		left -= step;
	}
}

static void take_midi_rt(struct pwrt_port *port, struct audio_insert *audio, uint32_t frames)
{
	uint32_t size = 0;
	const void *data = pwrt_input_rt(port, &size);

	audio->n_midi_in = 0;
	audio->n_midi_out = 0;
	audio->n_midi_lost = 0;
	if (data) {
		take_sequence_rt(audio, frames, data, size);
	}
}

/* --- MIDI to the graph --- */

/* False: it is nothing that passes. */
static bool make_event_rt(const struct audio_midi *midi, uint32_t frames, struct midi_event *ret_event)
{
	uint32_t size = message_size_rt(midi->status);
	uint32_t word = UMP_MIDI1_CHANNEL_VOICE << 28 | (uint32_t)midi->status << 16 |
			(uint32_t)midi->data1 << 8 | midi->data2;

	*ret_event = (struct midi_event){
		.control = {.offset = MIN(midi->frame, frames - 1), .type = SPA_CONTROL_Midi},
		.bytes = {midi->status, midi->data1, midi->data2},
	};
	ret_event->control.value.type = SPA_TYPE_Bytes;
	ret_event->control.value.size = size;
	if (PWRT_GIVES_UMP) {
		ret_event->control.type = PWRT_CONTROL_UMP;
		ret_event->control.value.size = sizeof(word);
		memcpy(ret_event->bytes, &word, sizeof(word));
	}
	return size > 0;
}

static void give_midi_rt(struct pwrt_port *port, const struct audio_insert *audio, uint32_t frames)
{
	struct spa_pod_sequence sequence = {.pod.type = SPA_TYPE_Sequence};
	struct pwrt_output output;
	uint8_t *to = pwrt_output_rt(port, &output);
	unsigned n = MIN(audio->n_midi_out, (unsigned)AUDIO_MIDI_MAX);
	uint32_t size = sizeof(sequence);

	if (!to || output.data->maxsize < size) {
		return;
	}
	n = MIN(n, (output.data->maxsize - size) / (unsigned)EVENT_BYTES);
	for (unsigned i = 0; i < n; i++) {
		struct midi_event event;

		if (make_event_rt(&audio->midi_out[i], frames, &event)) {
			memcpy(to + size, &event, EVENT_BYTES);
			size += EVENT_BYTES;
		}
	}
	sequence.pod.size = size - (uint32_t)sizeof(sequence.pod);
	memcpy(to, &sequence, sizeof(sequence));
	pwrt_give_rt(port, &output, size, 1, false);
}

/* --- its turn --- */

/* Where the graph's transport stands at the cycle's start, in frames from the song's start. */
static uint64_t transport_frame_rt(const struct spa_io_position *position)
{
	const struct spa_io_segment *segment = &position->segments[0];
	/* Far below 0 where nobody has set an offset yet: that is INT64_MIN. */
	int64_t since = (int64_t)(position->clock.position - (uint64_t)position->offset - segment->start);
	double frame = (double)segment->position;

	if (position->n_segments == 0) {
		return 0;
	}
	if (since > 0 && (segment->duration == 0 || (uint64_t)since < segment->duration)) {
		frame += (double)since * segment->rate;
	}
	return frame > 0 && frame < 0x1p53 ? (uint64_t)frame : 0;
}

static void call_rt(struct pwrt *rt, const struct spa_io_position *position, struct audio_insert *audio)
{
	struct audio_cycle cycle = {
		.frames = rt->frames,
		.rate_hz = rt->rate_hz,
		.now_ns = now_ns(),
		.xruns = atomic_load_explicit(&rt->xruns, memory_order_relaxed),
		.varying = true,
		.freewheel = rt->freewheeling,
		.rolling = position->state == SPA_IO_POSITION_STATE_RUNNING,
		.transport_frame = transport_frame_rt(position),
	};

	atomic_fetch_add_explicit(&rt->begun, 1, memory_order_relaxed);
	if (rt->callbacks.insert_rt && atomic_load_explicit(&rt->run, memory_order_acquire)) {
		rt->callbacks.insert_rt(rt->callbacks.data, &cycle, audio);
	} else {
		for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
			if (audio->out[k]) {
				memset(audio->out[k], 0, rt->frames * sizeof(float));
			}
		}
	}
	atomic_fetch_add_explicit(&rt->ended, 1, memory_order_release);
}

int pwrt_insert_process_rt(struct pwrt_node *node)
{
	struct pwrt *rt = node->rt;
	struct pwrt_insert *insert = node->insert;
	struct audio_insert *audio = &insert->audio;
	struct pwrt_output output[AUDIO_INSERT_CHANNELS];
	uint32_t bytes;

	if (!pwrt_enter_rt(rt, node->position)) {
		return SPA_STATUS_OK;
	}
	if (rt->frames > AUDIO_PERIOD_MAX || insert->cycle == rt->cycle) {
		return SPA_STATUS_NEED_DATA;
	}
	insert->cycle = rt->cycle;
	bytes = rt->frames * (uint32_t)sizeof(float);
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		audio->in[k] = pwrt_samples_rt(&node->in[k], insert->copy[k], rt->frames);
		audio->out[k] = pwrt_output_rt(&node->out[k], &output[k]);
		if (audio->out[k] && output[k].data->maxsize < bytes) {
			audio->out[k] = NULL;
		}
	}
	take_midi_rt(&node->in[PWRT_MIDI], audio, rt->frames);
	call_rt(rt, node->position, audio);
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		if (audio->out[k]) {
			pwrt_give_rt(&node->out[k], &output[k], bytes, sizeof(float), false);
		}
	}
	give_midi_rt(&node->out[PWRT_MIDI], audio, rt->frames);
	return SPA_STATUS_NEED_DATA | SPA_STATUS_HAVE_DATA;
}
