#include "insert-check.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PROBES 32
#define PROBE_FRAMES 32
#define LATENCY_MAX 65536
#define JOIN_FRAMES 512 /* gaps nearer to each other than this are one */
#define SINE_HZ 440.0
#define SINE_LEVEL 0.5
#define SYNTH_LEVEL 0.25 /* netvst-echo's, at velocity 127 */

static uint32_t random_of(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)(*state >> 8) * below) >> 24);
}

static double note_hz(unsigned note)
{
	return 440.0 * pow(2.0, ((int)note - 69) / 12.0);
}

/* The sine that netvst-echo makes of it: phase 0 where it begins, without a ramp. */
static void draw_note(struct insert_source *s, const struct insert_note *n)
{
	double level = SYNTH_LEVEL * n->velocity / 127.0, step = 2.0 * M_PI * note_hz(n->note) / s->rate_hz;

	for (size_t i = n->on; i < n->off && i < s->frames; i++) {
		float x = (float)(level * sin((double)(i - n->on) * step));

		s->channel[0][i] = x;
		s->channel[1][i] = x;
	}
}

static int make_notes(struct insert_source *s, unsigned n, uint32_t seed)
{
	size_t each = s->frames / (n + 1);

	s->notes = calloc(n ? n : 1, sizeof(*s->notes));
	if (!s->notes) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < n; i++) {
		struct insert_note *note = &s->notes[i];

		note->on = i * each + random_of(&seed, (uint32_t)(each / 3));
		note->off = note->on + each / 3 + random_of(&seed, (uint32_t)(each / 4));
		note->note = (uint8_t)(48 + random_of(&seed, 36));
		note->velocity = (uint8_t)(64 + random_of(&seed, 64));
		draw_note(s, note);
	}
	s->n_notes = n;
	return 0;
}

static int fill(struct insert_source *s)
{
	int r = 0;

	if (s->kind == INSERT_PATTERN) {
		r = material_pattern(&s->material, s->frames, s->rate_hz);
	} else if (s->kind == INSERT_MUSIC) {
		r = material_music(&s->material, s->frames, s->rate_hz);
	}
	for (unsigned c = 0; c < INSERT_CHANNELS && r == 0; c++) {
		for (size_t i = 0; i < s->frames; i++) {
			s->channel[c][i] = s->material.channel[c] ? s->material.channel[c][i]
					   : s->kind == INSERT_SINE
						   ? (float)(SINE_LEVEL * sin(2.0 * M_PI * SINE_HZ *
										  (double)i / s->rate_hz))
						   : 0.0f;
		}
	}
	return r;
}

int insert_source_init(struct insert_source *s, enum insert_kind kind, double seconds, unsigned rate_hz,
	unsigned n_notes, uint32_t seed)
{
	int r;

	memset(s, 0, sizeof(*s));
	s->kind = kind;
	s->rate_hz = rate_hz;
	s->frames = (size_t)llround(seconds * rate_hz);
	for (unsigned c = 0; c < INSERT_CHANNELS; c++) {
		s->channel[c] = calloc(s->frames + 1, sizeof(float));
		if (!s->channel[c]) {
			return -ENOMEM;
		}
	}
	r = fill(s);
	return r == 0 ? make_notes(s, n_notes, seed) : r;
}

void insert_source_fini(struct insert_source *s)
{
	material_fini(&s->material);
	for (unsigned c = 0; c < INSERT_CHANNELS; c++) {
		free(s->channel[c]);
	}
	free(s->notes);
	memset(s, 0, sizeof(*s));
}

int64_t insert_number(float left, float right)
{
	float value = left * 8388608.0f + 8388608.0f;
	int64_t n;

	if (!(value >= 0.0f && value < 16777216.0f) || fmodf(value, (float)MATERIAL_CHANNELS) > 0.0f) {
		return -1;
	}
	n = (int64_t)value / MATERIAL_CHANNELS;
	return material_pattern_value((uint64_t)n, 1) == (int32_t)lrintf(right * 8388608.0f) ? n : -1;
}

/* --- comparing */

/* Some frames of the material, enough to be nowhere else, or silence before and after it. */
static float source_at(const struct insert_source *s, unsigned c, int64_t place)
{
	return place < 0 || (size_t)place >= s->frames ? 0.0f : s->channel[c][place];
}

static bool is_moving(const float *x)
{
	unsigned changes = 0;

	for (unsigned i = 1; i < PROBE_FRAMES; i++) {
		changes += fabsf(x[i] - x[i - 1]) > 0.0f;
	}
	return changes > PROBE_FRAMES / 2;
}

static bool is_there(const struct insert_source *s, const float *recorded, int64_t place, double tolerance)
{
	for (unsigned i = 0; i < PROBE_FRAMES; i++) {
		if (fabs((double)recorded[i] - (double)source_at(s, 0, place + i)) > tolerance) {
			return false;
		}
	}
	return true;
}

/* The latency at which what was recorded from position on is in the material, or -1. */
static int64_t find_latency(
	const struct insert_source *s, const float *recorded, size_t position, size_t lead, double tolerance)
{
	for (int64_t latency = 0; latency < LATENCY_MAX; latency++) {
		if (is_there(
			    s, recorded + position, (int64_t)position - (int64_t)lead - latency, tolerance)) {
			return latency;
		}
	}
	return -1;
}

static void search(const struct insert_source *s, const float *recorded, size_t frames, size_t lead,
	double tolerance, struct insert_result *res)
{
	int64_t found[PROBES];
	unsigned n = 0, most = 0;

	for (unsigned i = 0; i < PROBES; i++) {
		size_t position = lead + s->frames / (PROBES + 1) * (i + 1);

		if (position + PROBE_FRAMES <= frames && is_moving(recorded + position)) {
			found[n] = find_latency(s, recorded, position, lead, tolerance);
			n += found[n] >= 0;
		}
	}
	res->latency = -1;
	for (unsigned i = 0; i < n; i++) {
		unsigned same = 0;

		for (unsigned k = 0; k < n; k++) {
			same += found[k] == found[i];
		}
		if (same > most) {
			most = same;
			res->latency = found[i];
		}
	}
	res->one_latency = most == n;
}

static void note_unequal(struct insert_result *res, size_t position)
{
	struct insert_gap *g =
		res->n_gaps && res->n_gaps <= INSERT_GAPS_MAX ? &res->gaps[res->n_gaps - 1] : NULL;

	if (res->n_gaps == 0 || position > res->last_unequal + JOIN_FRAMES) {
		res->n_gaps++;
		g = res->n_gaps <= INSERT_GAPS_MAX ? &res->gaps[res->n_gaps - 1] : NULL;
		if (g) {
			g->position = position;
		}
	}
	if (g) {
		g->frames = position + 1 - g->position;
	}
	res->unequal++;
	res->last_unequal = position;
}

void insert_compare(const struct insert_source *s, float *const recorded[INSERT_CHANNELS], size_t frames,
	size_t lead, int64_t latency, double tolerance, struct insert_result *res)
{
	double signal = 0.0, noise = 0.0;

	memset(res, 0, sizeof(*res));
	search(s, recorded[0], frames, lead, tolerance, res);
	latency = latency >= 0 ? latency : res->latency;
	for (size_t p = 0; p < frames; p++) {
		bool equal = true;

		for (unsigned c = 0; c < INSERT_CHANNELS; c++) {
			double wanted = (double)source_at(s, c, (int64_t)p - (int64_t)lead - latency);
			double error = fabs((double)recorded[c][p] - wanted);

			/* Also what is no number is not equal. */
			equal = equal && error <= tolerance;
			res->largest_error = fmax(res->largest_error, error);
			signal += wanted * wanted;
			noise += error * error;
			if (p > 0) {
				res->largest_step = fmax(res->largest_step,
					fabs((double)recorded[c][p] - (double)recorded[c][p - 1]));
			}
		}
		if (!equal) {
			note_unequal(res, p);
		}
		res->compared++;
	}
	res->snr_db = noise > 0.0 && signal > 0.0 ? 10.0 * log10(signal / noise) : noise > 0.0 ? 0.0 : 999.0;
}
