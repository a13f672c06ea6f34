#include "insert-rig.h"

#include "base/util.h"

#include <string.h>

static void serve_client(struct insert_rig *rig)
{
	float *audio[AUDIO_INSERT_CHANNELS] = {rig->block[0], rig->block[1]};

	while (nvpipe_tx_frames(rig->pipe) >= rig->period) {
		nvpipe_take_tx(rig->pipe, audio, rig->period);
		nvpipe_put_block(rig->pipe, rig->blocks++, (const float *const *)audio);
	}
}

static void serve_slot(struct insert_rig *rig)
{
	float *audio[AUDIO_INSERT_CHANNELS] = {rig->block[0], rig->block[1]};

	(void)nvpipe_put_rx_at(rig->pipe, (const float *const *)audio, rig->period, rig->cycle.now_ns);
	if (nvpipe_tx_frames(rig->pipe) >= rig->period) {
		nvpipe_take_tx(rig->pipe, audio, rig->period);
	}
}

void insert_rig_serve(struct insert_rig *rig)
{
	if (rig->role == INSERT_CLIENT) {
		serve_client(rig);
	} else {
		serve_slot(rig);
	}
	rig->cycle.now_ns += (int64_t)rig->period * NSEC_PER_SEC / INSERT_RIG_RATE_HZ;
}

int insert_rig_make(struct insert_rig *rig, enum insert_role role, uint32_t period, float gain)
{
	int r;

	memset(rig, 0, sizeof(*rig));
	r = nvpipe_new(role == INSERT_CLIENT ? period : 0, &rig->pipe);
	r = r < 0 ? r : insert_new(role, rig->pipe, &rig->insert);
	if (r < 0) {
		nvpipe_free(rig->pipe);
		return r;
	}
	rig->role = role;
	rig->period = period;
	rig->cycle = (struct audio_cycle){
		.frames = period,
		.rate_hz = INSERT_RIG_RATE_HZ,
		.now_ns = NSEC_PER_SEC,
	};
	rig->io.owner = rig->insert;
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		rig->io.in[k] = rig->in[k];
		rig->io.out[k] = rig->out[k];
		for (uint32_t i = 0; i < period; i++) {
			rig->in[k][i] = (float)i / (float)period - 0.5f;
		}
	}
	insert_set_running(rig->insert, true);
	insert_set_latency(rig->insert, role == INSERT_CLIENT ? period : INSERT_RIG_RATE_HZ / 500);
	insert_set_gains(rig->insert, gain, gain);
	atomic_store(&rig->pipe->peer_block, period);
	(void)nvpipe_start(rig->pipe, 1);
	return 0;
}

void insert_rig_clear(struct insert_rig *rig)
{
	insert_set_running(rig->insert, false);
	insert_free(rig->insert);
	nvpipe_free(rig->pipe);
}
