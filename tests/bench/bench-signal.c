#include "bench-signal.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define FULL_SCALE 0x1.fffffep-1f /* largest below 1 */

static float noise(void)
{
	static uint32_t state = 1;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return (float)(int32_t)state * 0x1p-31f * FULL_SCALE;
}

int bench_signal_kind_from_string(const char *text, enum bench_signal_kind *ret_kind)
{
	static const char *const names[] = {"noise", "sine", "mixed"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_kind = (enum bench_signal_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

void bench_signal_fill(struct bench_signal *s, enum bench_signal_kind kind)
{
	for (unsigned k = 0; k < BENCH_SIGNAL_CHANNELS; k++) {
		bool sine = kind == BENCH_SIGNAL_SINE || (kind == BENCH_SIGNAL_MIXED && k % 2 == 0);
		double cycles = 37.0 * (k + 1);

		for (unsigned i = 0; i < BENCH_SIGNAL_LOOP_FRAMES; i++) {
			double phase = 2.0 * M_PI * cycles * i / BENCH_SIGNAL_LOOP_FRAMES;

			s->loops[k][i] = sine ? (float)sin(phase) * FULL_SCALE : noise();
		}
	}
}

void bench_signal_copy_rt(const struct bench_signal *s, unsigned channel, float *out, uint32_t frames)
{
	uint32_t at = s->at;

	for (uint32_t done = 0; done < frames;) {
		uint32_t n = MIN(frames - done, BENCH_SIGNAL_LOOP_FRAMES - at);

		memcpy(out + done, s->loops[channel] + at, n * sizeof(*out));
		done += n;
		at = (at + n) % BENCH_SIGNAL_LOOP_FRAMES;
	}
}

void bench_signal_advance_rt(struct bench_signal *s, uint32_t frames)
{
	s->at = (s->at + frames) % BENCH_SIGNAL_LOOP_FRAMES;
}
