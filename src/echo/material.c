#include "echo/material.h"

#include "echo/counter.h"

#include <math.h>
#include <string.h>

#define SINE_LEVEL 0.1 /* -20 dBFS: nobody shall be frightened */

int material_init(struct material *m, const struct options *o)
{
	memset(m, 0, sizeof(*m));
	m->opt = o;
	return o->material == ECHO_FILE ? wav_read(o->play_path, o->rate_hz, &m->wav) : 0;
}

void material_fini(struct material *m)
{
	wav_free(&m->wav);
}

float material_at(const struct material *m, int64_t position, unsigned channel)
{
	if (position < 0 || m->opt->synth) {
		return 0.0f;
	}
	switch (m->opt->material) {
	case ECHO_PATTERN:
		return counter_value((uint64_t)position + 1, channel);
	case ECHO_FILE:
		return (uint64_t)position < m->wav.frames ? m->wav.channel[channel][position] : 0.0f;
	case ECHO_SINE:
		break;
	}
	return (float)(SINE_LEVEL *
		       sin(2.0 * M_PI * fmod(m->opt->sine_hz * (double)position / m->opt->rate_hz, 1.0)));
}

void material_compare(const struct material *m, struct difference *d, uint64_t position, int64_t latency,
	const float *const audio[NETVST_CHANNELS], uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		int64_t at = (int64_t)(position + i) - latency;
		bool equal = true;

		for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
			float wanted = material_at(m, at, c);
			double error = fabs((double)audio[c][i] - (double)wanted);

			equal = equal && memcmp(&wanted, &audio[c][i], sizeof(wanted)) == 0;
			d->largest = fmax(d->largest, error);
			d->signal += (double)wanted * (double)wanted;
			d->noise += error * error;
		}
		if (!equal && d->unequal++ == 0) {
			d->first_unequal = position + i;
		}
		d->frames++;
	}
}
