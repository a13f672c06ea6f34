#include "netvst-daw.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct netvst_server_status daw_status(struct daw *daw)
{
	struct netvst_server_status status;

	netvst_server_get_status(daw->server, &status);
	return status;
}

int daw_set_up(void **state)
{
	struct daw *daw = calloc(1, sizeof(*daw));

	assert_non_null(daw);
	daw->fds = rig_open_fds();
	daw->conf = (struct netvst_server_conf){.host = "127.0.0.1", .slots = DAW_SLOTS};
	assert_int_equal(netvst_io_new("test", &daw->io), 0);
	*state = daw;
	return 0;
}

void daw_begin(struct daw *daw, bool running)
{
	for (unsigned i = 0; i < DAW_SLOTS; i++) {
		assert_int_equal(nvpipe_new(0, &daw->pipes[i]), 0);
		daw->graphs[i] = (struct rig_graph){
			.pipe = daw->pipes[i], .period = DAW_PERIOD, .prefill = DAW_PREFILL};
		if (running) {
			rig_echo_start(&daw->graphs[i]);
		}
	}
	daw->running = running;
	/* Before their first cycle the answer is silence. */
	WAIT_FOR(!running || (daw->pipes[0]->cycle_ns != 0 && daw->pipes[DAW_SLOTS - 1]->cycle_ns != 0));
	assert_int_equal(netvst_server_new(daw->io, &daw->conf, daw->pipes, &daw->server), 0);
	WAIT_FOR(daw_status(daw).listening);
}

void daw_stop_graphs(struct daw *daw)
{
	for (unsigned i = 0; daw->running && i < DAW_SLOTS; i++) {
		rig_echo_stop(&daw->graphs[i]);
	}
	daw->running = false;
}

int daw_tear_down(void **state)
{
	struct daw *daw = *state;

	daw_stop_graphs(daw);
	netvst_server_free(daw->server);
	netvst_io_free(daw->io);
	for (unsigned i = 0; i < DAW_SLOTS; i++) {
		nvpipe_free(daw->pipes[i]);
	}
	assert_int_equal(rig_open_fds(), daw->fds);
	free(daw);
	return 0;
}

struct rig_peer *daw_join(struct daw *daw)
{
	return rig_connect(daw_status(daw).port, daw->conf.dialect, daw->conf.codec);
}

const struct netvst_block *daw_block(uint32_t frames, uint64_t at)
{
	static struct netvst_block block;

	block.frames = frames;
	block.timestamp = (uint32_t)at;
	block.has_audio = true;
	block.n_midi = 0;
	block.n_params = 0;
	for (uint32_t i = 0; i < frames; i++) {
		block.audio[0][i] = rig_sample(0, at + i);
		block.audio[1][i] = rig_sample(1, at + i);
	}
	return &block;
}

void daw_request(struct daw *daw, struct rig_peer *peer, unsigned i, uint32_t frames)
{
	rig_write(peer, NETVST_REQUEST, daw_block(frames, daw->sent[i]));
	daw->sent[i] += frames;
}

void daw_take_reply(struct daw *daw, struct rig_peer *peer, unsigned i, uint32_t frames)
{
	assert_true(rig_read(peer, frames, RIG_WAIT_MS));
	for (uint32_t k = 0; k < frames; k++, daw->got[i]++) {
		uint64_t at = daw->got[i] - DAW_PREFILL;

		assert_true(
			peer->block.audio[0][k] == (daw->got[i] < DAW_PREFILL ? 0.0F : rig_sample(0, at)));
		assert_true(
			peer->block.audio[1][k] == (daw->got[i] < DAW_PREFILL ? 0.0F : rig_sample(1, at)));
	}
}

void daw_echo(struct daw *daw, struct rig_peer *peer, unsigned i, uint32_t frames, unsigned n)
{
	for (; n > 0; n--) {
		daw_request(daw, peer, i, frames);
		daw_take_reply(daw, peer, i, frames);
	}
}

void daw_forget(struct daw *daw, unsigned i)
{
	daw->sent[i] = 0;
	daw->got[i] = 0;
}
