/*
 * What a NetVST insert costs in a cycle: a client whose replies come in time, and a slot whose DAW keeps time. "cold": other
 * data has gone through the caches since the last cycle, as in a graph with other programs.
 */
#include "config.h"

#include "base/util.h"
#include "engine/insert.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE 48000
#define CALLS 20000
#define WARM_CALLS 2000
#define COLD_BYTES (4u << 20)

struct rig {
	struct nvpipe *pipe;
	struct insert *insert;
	struct audio_insert io;
	uint32_t period;
	uint64_t blocks;
	int64_t now_ns;
	float in[AUDIO_INSERT_CHANNELS][AUDIO_PERIOD_MAX];
	float out[AUDIO_INSERT_CHANNELS][AUDIO_PERIOD_MAX];
	float block[AUDIO_INSERT_CHANNELS][AUDIO_PERIOD_MAX];
};

static struct rig rig;
static unsigned char cold[COLD_BYTES];
static int64_t took_ns[CALLS];

static void serve_client(void)
{
	float *audio[AUDIO_INSERT_CHANNELS] = {rig.block[0], rig.block[1]};

	while (nvpipe_tx_frames(rig.pipe) >= rig.period) {
		nvpipe_take_tx(rig.pipe, audio, rig.period);
		nvpipe_put_block(rig.pipe, rig.blocks++, (const float *const *)audio);
	}
}

static void serve_slot(void)
{
	float *audio[AUDIO_INSERT_CHANNELS] = {rig.block[0], rig.block[1]};

	(void)nvpipe_put_rx_at(rig.pipe, (const float *const *)audio, rig.period, rig.now_ns);
	if (nvpipe_tx_frames(rig.pipe) >= rig.period) {
		nvpipe_take_tx(rig.pipe, audio, rig.period);
	}
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int make_rig(enum insert_role role, uint32_t period)
{
	int r = nvpipe_new(role == INSERT_CLIENT ? period : 0, &rig.pipe);

	r = r < 0 ? r : insert_new(role, rig.pipe, &rig.insert);
	if (r < 0) {
		return r;
	}
	rig.period = period;
	rig.blocks = 0;
	rig.now_ns = NSEC_PER_SEC;
	rig.io.owner = rig.insert;
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		rig.io.in[k] = rig.in[k];
		rig.io.out[k] = rig.out[k];
		for (uint32_t i = 0; i < period; i++) {
			rig.in[k][i] = (float)i / (float)period - 0.5f;
		}
	}
	insert_set_running(rig.insert, true);
	insert_set_latency(rig.insert, role == INSERT_CLIENT ? period : RATE / 500);
	atomic_store(&rig.pipe->peer_block, period);
	(void)nvpipe_start(rig.pipe, 1);
	return 0;
}

static int bench(enum insert_role role, uint32_t period, float gain, bool is_cold)
{
	struct audio_cycle cycle = {.frames = period, .rate_hz = RATE};
	unsigned sum = 0;

	if (make_rig(role, period) < 0) {
		return 1;
	}
	insert_set_gains(rig.insert, gain, gain);
	for (unsigned i = 0; i < CALLS + WARM_CALLS; i++) {
		int64_t begin;

		cycle.now_ns = rig.now_ns;
		for (size_t j = 0; is_cold && j < sizeof(cold); j += CACHELINE_SIZE) {
			cold[j]++;
			sum += cold[j];
		}
		begin = now_ns();
		insert_process_rt(NULL, &cycle, &rig.io);
		took_ns[i % CALLS] = now_ns() - begin;
		if (role == INSERT_CLIENT) {
			serve_client();
		} else {
			serve_slot();
		}
		rig.now_ns += (int64_t)period * NSEC_PER_SEC / RATE;
	}
	qsort(took_ns, CALLS, sizeof(took_ns[0]), compare);
	printf("%-6s %-4s P %4u gain %.1f  median %5lld  p99 %5lld ns%s\n",
		role == INSERT_CLIENT ? "client" : "slot", is_cold ? "cold" : "warm", period, (double)gain,
		(long long)took_ns[CALLS / 2], (long long)took_ns[CALLS * 99 / 100],
		insert_get_report(rig.insert)->playing ? "" : " (does not play)");
	insert_set_running(rig.insert, false);
	insert_free(rig.insert);
	nvpipe_free(rig.pipe);
	return sum == 1;
}

int main(void)
{
	static const uint32_t periods[] = {64, 256, 1024};
	int failed = 0;

	for (unsigned role = INSERT_CLIENT; role <= INSERT_SLOT; role++) {
		for (unsigned p = 0; p < ARRAY_SIZE(periods); p++) {
			failed |= bench((enum insert_role)role, periods[p], 1.0f, false);
			failed |= bench((enum insert_role)role, periods[p], 0.5f, false);
		}
		failed |= bench((enum insert_role)role, 64, 1.0f, true);
	}
	return failed;
}
