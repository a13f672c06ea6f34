#include "material.h"

#include <errno.h>
#include <math.h>
#include <sndfile.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_FRAMES 4096
#define MUSIC_PEAK 0.66 /* -3.6 dBFS */

static int material_alloc(struct material *m, size_t frames, unsigned rate_hz)
{
	memset(m, 0, sizeof(*m));
	m->frames = frames;
	m->rate_hz = rate_hz;
	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		m->channel[c] = calloc(frames ? frames : 1, sizeof(float));
		if (!m->channel[c]) {
			material_fini(m);
			return -ENOMEM;
		}
	}
	return 0;
}

void material_fini(struct material *m)
{
	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		free(m->channel[c]);
		m->channel[c] = NULL;
	}
	m->frames = 0;
}

static int read_frames(struct material *m, SNDFILE *file, unsigned channels)
{
	float *chunk = malloc(CHUNK_FRAMES * channels * sizeof(*chunk));
	size_t at = 0;

	if (!chunk) {
		return -ENOMEM;
	}
	while (at < m->frames) {
		size_t want = m->frames - at < CHUNK_FRAMES ? m->frames - at : CHUNK_FRAMES;
		sf_count_t got = sf_readf_float(file, chunk, (sf_count_t)want);

		if (got <= 0) {
			break;
		}
		for (size_t i = 0; i < (size_t)got; i++) {
			for (unsigned c = 0; c < channels; c++) {
				m->channel[c][at + i] = chunk[i * channels + c];
			}
		}
		at += (size_t)got;
	}
	/* A file that was cut off has fewer frames than its header says. */
	m->frames = at;
	free(chunk);
	return 0;
}

int material_read(struct material *m, const char *path, size_t max_frames, char *error, size_t size)
{
	SF_INFO info = {0};
	SNDFILE *file = sf_open(path, SFM_READ, &info);
	size_t frames;
	int r;

	memset(m, 0, sizeof(*m));
	if (!file) {
		snprintf(error, size, "%s: %s", path, sf_strerror(NULL));
		return -EIO;
	}
	if (info.channels < 1 || info.channels > MATERIAL_CHANNELS) {
		snprintf(error, size, "%s: it has %d channels; 1 to %d can be played", path, info.channels,
			MATERIAL_CHANNELS);
		sf_close(file);
		return -EINVAL;
	}
	frames = (size_t)info.frames;
	if (max_frames && frames > max_frames) {
		frames = max_frames;
	}
	r = material_alloc(m, frames, (unsigned)info.samplerate);
	if (r == 0) {
		r = read_frames(m, file, (unsigned)info.channels);
	}
	sf_close(file);
	if (r < 0) {
		snprintf(error, size, "%s: not enough memory for %zu frames", path, frames);
		material_fini(m);
		return r;
	}
	if (m->frames == 0) {
		snprintf(error, size, "%s: there is no audio in it", path);
		material_fini(m);
		return -ENODATA;
	}
	return 0;
}

int32_t material_pattern_value(uint64_t n, unsigned c)
{
	return (int32_t)((n & MATERIAL_PATTERN_MASK) * MATERIAL_CHANNELS + c) - (1 << 23);
}

int material_pattern(struct material *m, size_t frames, unsigned rate_hz)
{
	int r = material_alloc(m, frames, rate_hz);

	if (r < 0) {
		return r;
	}
	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		for (size_t i = 0; i < frames; i++) {
			m->channel[c][i] = (float)material_pattern_value(i + 1, c) / 8388608.0f;
		}
	}
	return 0;
}

/* One step of a linear congruential generator; the upper bits as a value in [-1, 1). */
static double noise(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (double)(int32_t)*state / 2147483648.0;
}

static double note_hz(int midi)
{
	return 440.0 * pow(2.0, (midi - 69) / 12.0);
}

/* A plucked tone: a few harmonics that die away, the higher ones sooner. t_s: seconds since the pluck. */
static double pluck(double hz, double t_s)
{
	double phase = 2.0 * M_PI * hz * t_s;
	double attack = t_s < 0.002 ? t_s / 0.002 : 1.0;

	return attack * (exp(-5.0 * t_s) * sin(phase) + 0.5 * exp(-9.0 * t_s) * sin(2.0 * phase) +
				0.25 * exp(-14.0 * t_s) * sin(3.0 * phase));
}

static double kick(double t_s)
{
	/* The integral of a pitch that falls from 160 to 45 Hz. */
	double phase = 2.0 * M_PI * (45.0 * t_s + 115.0 / 30.0 * (1.0 - exp(-30.0 * t_s)));

	return exp(-9.0 * t_s) * sin(phase);
}

/* A minor, F, C, G: the roots of the bass, and the triads above. */
static const int chord_root[4] = {45, 41, 48, 43};
static const int chord_notes[4][3] = {{57, 60, 64}, {57, 60, 65}, {55, 60, 64}, {55, 59, 62}};
static const int melody[16] = {76, 74, 72, 71, 69, 72, 77, 76, 79, 76, 72, 67, 71, 74, 79, 74};

struct voices {
	double pad, arpeggio, bass, kick, hat, lead;
};

static void music_voices(struct voices *v, double t_s, uint32_t *seed)
{
	const double beat_s = 60.0 / 112.0;
	double beats = t_s / beat_s;
	unsigned bar = (unsigned)(beats / 4.0);
	unsigned chord = bar % 4;
	unsigned half = (unsigned)(beats * 2.0);
	unsigned quarter = (unsigned)(beats * 4.0);
	double in_bar = (beats - 4.0 * bar) / 4.0;
	int octave = quarter % 8 >= 3 && quarter % 8 < 6 ? 12 : 0;

	v->pad = 0.0;
	for (unsigned i = 0; i < 3; i++) {
		double hz = note_hz(chord_notes[chord][i]);

		v->pad += sin(2.0 * M_PI * hz * t_s) + 0.3 * sin(2.0 * M_PI * hz * 1.004 * t_s);
	}
	/* Down to nothing at each change of chord, so that the steps between them are inaudible. */
	v->pad *= 0.25 * sin(M_PI * in_bar);
	v->arpeggio = pluck(
		note_hz(chord_notes[chord][quarter % 3] + 12 + octave), (beats - quarter / 4.0) * beat_s);
	v->bass = pluck(note_hz(chord_root[chord] - (half % 4 == 3 ? 0 : 12)), (beats - half / 2.0) * beat_s);
	v->kick = kick((beats - (unsigned)beats) * beat_s);
	v->hat = noise(seed) * exp(-70.0 * (beats - half / 2.0) * beat_s) * (half % 2 ? 0.6 : 0.25);
	v->lead = pluck(note_hz(melody[(unsigned)beats % 16]), (beats - (unsigned)beats) * beat_s);
}

static void music_scale(struct material *m)
{
	for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
		double peak = 0.0;

		for (size_t i = 0; i < m->frames; i++) {
			peak = fmax(peak, fabs(m->channel[c][i]));
		}
		for (size_t i = 0; i < m->frames && peak > 0.0; i++) {
			m->channel[c][i] = (float)(m->channel[c][i] * MUSIC_PEAK / peak);
		}
	}
}

int material_music(struct material *m, size_t frames, unsigned rate_hz)
{
	uint32_t seed = 20231117u, dither = 8u;
	int r = material_alloc(m, frames, rate_hz);

	if (r < 0) {
		return r;
	}
	for (size_t i = 0; i < frames; i++) {
		struct voices v;
		double out[MATERIAL_CHANNELS];

		music_voices(&v, (double)i / rate_hz, &seed);
		out[0] = v.pad + 0.5 * v.arpeggio + 0.8 * v.bass + 0.9 * v.kick + 0.2 * v.hat + 0.3 * v.lead;
		out[1] = v.pad + 0.3 * v.arpeggio + 0.8 * v.bass + 0.9 * v.kick + 0.4 * v.hat + 0.5 * v.lead;
		out[2] = v.pad;
		out[3] = v.arpeggio;
		out[4] = v.bass;
		out[5] = v.kick;
		out[6] = v.hat;
		out[7] = v.lead;
		/* Faint noise makes each frame unlike any other, so that a comparison knows where it is. */
		for (unsigned c = 0; c < MATERIAL_CHANNELS; c++) {
			m->channel[c][i] = (float)(out[c] + 1e-4 * noise(&dither));
		}
	}
	music_scale(m);
	return 0;
}

int material_write(const struct material *m, const char *path, char *error, size_t size)
{
	SF_INFO info = {.samplerate = (int)m->rate_hz,
		.channels = MATERIAL_CHANNELS,
		.format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
	SNDFILE *file = sf_open(path, SFM_WRITE, &info);
	static float chunk[CHUNK_FRAMES * MATERIAL_CHANNELS];
	bool failed = false;

	if (!file) {
		snprintf(error, size, "%s: %s", path, sf_strerror(NULL));
		return -EIO;
	}
	for (size_t at = 0; at < m->frames && !failed; at += CHUNK_FRAMES) {
		size_t n = m->frames - at < CHUNK_FRAMES ? m->frames - at : CHUNK_FRAMES;

		for (size_t i = 0; i < n * MATERIAL_CHANNELS; i++) {
			chunk[i] = m->channel[i % MATERIAL_CHANNELS][at + i / MATERIAL_CHANNELS];
		}
		failed = sf_writef_float(file, chunk, (sf_count_t)n) != (sf_count_t)n;
	}
	if (sf_close(file) != 0 || failed) {
		snprintf(error, size, "%s: writing failed; is the disk full?", path);
		return -EIO;
	}
	return 0;
}
