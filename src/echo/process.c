#include "echo/process.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VOICES_MAX 128
#define SYNTH_LEVEL 0.25 /* of a note at velocity 127 */
#define MIDI_CHANNELS 16
#define CC_SUSTAIN 64
#define CC_SOUND_OFF 120
#define CC_NOTES_OFF 123

struct voice {
	bool on;
	bool held; /* its key is up, but the pedal is down */
	uint8_t channel, note;
	uint64_t start; /* in frames since the first block */
	uint64_t end;	/* UINT64_MAX: not yet */
	double level;
	double step; /* radians a frame */
};

struct process {
	enum echo_mode mode;
	uint32_t rate_hz;
	float factor;
	uint64_t position;
	/* delay */
	uint32_t delay_frames;
	uint32_t at;
	float *ring[NETVST_CHANNELS];
	/* synth */
	double ramp_frames;
	bool pedal[MIDI_CHANNELS];
	struct voice voices[VOICES_MAX];
};

int process_new(const struct options *o, struct process **ret_process)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p) {
		return -ENOMEM;
	}
	p->mode = o->mode;
	p->rate_hz = o->rate_hz;
	p->factor = (float)pow(10.0, o->gain_db / 20.0);
	p->delay_frames = o->delay_frames;
	p->ramp_frames = o->ramp_ms * o->rate_hz / 1000.0;
	for (unsigned c = 0; c < NETVST_CHANNELS && p->delay_frames > 0; c++) {
		p->ring[c] = calloc(p->delay_frames, sizeof(float));
		if (!p->ring[c]) {
			process_free(p);
			return -ENOMEM;
		}
	}
	*ret_process = p;
	return 0;
}

void process_free(struct process *p)
{
	if (p) {
		for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
			free(p->ring[c]);
		}
		free(p);
	}
}

static void apply_gain(const struct process *p, struct netvst_block *block)
{
	for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
		for (uint32_t i = 0; i < block->frames; i++) {
			block->audio[c][i] *= p->factor;
		}
	}
}

static void delay(struct process *p, struct netvst_block *block)
{
	for (uint32_t i = 0; i < block->frames && p->delay_frames > 0; i++) {
		for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
			float x = block->audio[c][i];

			block->audio[c][i] = p->ring[c][p->at];
			p->ring[c][p->at] = x;
		}
		p->at = p->at + 1 == p->delay_frames ? 0 : p->at + 1;
	}
}

/* --- the synthesizer */

static void note_on(struct process *p, uint8_t channel, const struct netvst_midi *event, uint64_t now)
{
	struct voice *free_one = &p->voices[0];

	for (unsigned i = 0; i < VOICES_MAX; i++) {
		if (!p->voices[i].on) {
			free_one = &p->voices[i];
			break;
		}
		if (p->voices[i].start < free_one->start) {
			free_one = &p->voices[i];
		}
	}
	*free_one = (struct voice){.on = true,
		.channel = channel,
		.note = event->data1,
		.start = now,
		.end = UINT64_MAX,
		.level = SYNTH_LEVEL * event->data2 / 127.0,
		.step = 2.0 * M_PI * 440.0 * pow(2.0, (event->data1 - 69) / 12.0) / p->rate_hz};
}

static void end_voice(struct voice *v, uint64_t now)
{
	v->end = v->end < now ? v->end : now;
	v->held = false;
}

static void note_off(struct process *p, uint8_t channel, uint8_t note, uint64_t now)
{
	for (unsigned i = 0; i < VOICES_MAX; i++) {
		struct voice *v = &p->voices[i];

		if (v->on && v->channel == channel && v->note == note && v->end == UINT64_MAX) {
			if (p->pedal[channel]) {
				v->held = true;
			} else {
				end_voice(v, now);
			}
		}
	}
}

static void control(struct process *p, uint8_t channel, const struct netvst_midi *event, uint64_t now)
{
	bool all = event->data1 == CC_SOUND_OFF || event->data1 == CC_NOTES_OFF;

	if (event->data1 == CC_SUSTAIN) {
		p->pedal[channel] = event->data2 >= 64;
	}
	for (unsigned i = 0; i < VOICES_MAX; i++) {
		struct voice *v = &p->voices[i];

		if (v->on && v->channel == channel && (all || (v->held && !p->pedal[channel]))) {
			end_voice(v, now);
		}
	}
}

static void take_event(struct process *p, const struct netvst_midi *event, uint64_t now)
{
	uint8_t channel = event->status & 0x0f;

	switch (event->status & 0xf0) {
	case 0x90:
		if (event->data2 > 0) {
			note_on(p, channel, event, now);
			break;
		}
		/* fall through */
	case 0x80:
		note_off(p, channel, event->data1, now);
		break;
	case 0xb0:
		control(p, channel, event, now);
		break;
	}
}

/* Its phase is 0 at its first frame, so that one can tell from any later one when it began. */
static float voice_at(const struct process *p, struct voice *v, uint64_t now)
{
	double age = (double)(now - v->start), level = v->level;

	if (now >= v->end && (double)(now - v->end) >= p->ramp_frames) {
		v->on = false;
		return 0.0f;
	}
	if (age < p->ramp_frames) {
		level *= age / p->ramp_frames;
	}
	if (now >= v->end) {
		level *= 1.0 - (double)(now - v->end) / p->ramp_frames;
	}
	return (float)(level * sin(age * v->step));
}

static void synthesize(struct process *p, struct netvst_block *block)
{
	unsigned event = 0;

	for (uint32_t i = 0; i < block->frames; i++) {
		uint64_t now = p->position + i;
		float sum = 0.0f;

		while (event < block->n_midi && block->midi[event].frame <= i) {
			take_event(p, &block->midi[event++], now);
		}
		for (unsigned v = 0; v < VOICES_MAX; v++) {
			if (p->voices[v].on) {
				sum += voice_at(p, &p->voices[v], now);
			}
		}
		block->audio[0][i] = sum;
		block->audio[1][i] = sum;
	}
}

void process_block(struct process *p, struct netvst_block *block)
{
	if (!block->has_audio) {
		for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
			memset(block->audio[c], 0, block->frames * sizeof(float));
		}
	}
	switch (p->mode) {
	case ECHO_PLAIN:
		break;
	case ECHO_GAIN:
		apply_gain(p, block);
		break;
	case ECHO_DELAY:
		delay(p, block);
		break;
	case ECHO_SYNTH:
		synthesize(p, block);
		break;
	}
	p->position += block->frames;
	block->has_audio = true;
	block->n_midi = 0;
	block->n_params = 0;
}
