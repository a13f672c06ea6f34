/* NetVST's client over real TCP: the test is the server and the graph. */
#include "netvst-rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK 64
#define PERIOD 48

struct rig {
	struct netvst_io *io;
	struct nvpipe *pipe;
	struct netvst_client *client;
	struct rig_graph graph;
	struct rig_peer *peer;
	int listener;
	uint16_t port;
	unsigned fds;
	struct netvst_client_conf conf;
};

static struct netvst_client_status status_of(struct rig *rig)
{
	struct netvst_client_status status;

	netvst_client_get_status(rig->client, &status);
	return status;
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->fds = rig_open_fds();
	rig->listener = rig_listen(&rig->port, 8);
	rig->conf = (struct netvst_client_conf){.host = "127.0.0.1", .port = rig->port};
	assert_int_equal(netvst_io_new("test", &rig->io), 0);
	/* Cycles come when a test has time for them. */
	rig->io->times.no_cycles_ns = 60 * NSEC_PER_SEC;
	*state = rig;
	return 0;
}

static void begin(struct rig *rig, uint32_t block, uint32_t period)
{
	assert_int_equal(nvpipe_new(block, &rig->pipe), 0);
	rig->graph.pipe = rig->pipe;
	rig->graph.period = period;
	rig->graph.song_frame = 1000;
	assert_int_equal(netvst_client_new(rig->io, &rig->conf, rig->pipe, &rig->client), 0);
	rig_cycle(&rig->graph, NULL, 0);
}

/* A connection, and a cycle of its run. */
static void join(struct rig *rig)
{
	uint32_t before = rig->graph.run;

	rig_close(rig->peer);
	rig->peer = NULL;
	rig->peer = rig_accept(rig->listener, rig->conf.dialect, rig->conf.codec, rig->conf.synth);
	WAIT_FOR((rig_cycle(&rig->graph, NULL, 0), rig->graph.run != 0 && rig->graph.run != before));
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	netvst_client_free(rig->client);
	netvst_io_free(rig->io);
	nvpipe_free(rig->pipe);
	rig_close(rig->peer);
	close(rig->listener);
	/* The thread that looks up names may be about to end. */
	WAIT_FOR(rig_open_fds() == rig->fds);
	free(rig);
	return 0;
}

static void assert_audio(const struct netvst_block *block, uint64_t frame)
{
	for (uint32_t i = 0; i < block->frames; i++) {
		assert_true(block->audio[0][i] == rig_sample(0, frame + i));
		assert_true(block->audio[1][i] == rig_sample(1, frame + i));
	}
}

/* Reads block n of the run, whose frame 0 was this one of the song. */
static void read_block(struct rig *rig, uint64_t number, uint64_t song_frame)
{
	assert_true(rig_read(rig->peer, 0, RIG_WAIT_MS));
	assert_int_equal(rig->peer->block.frames, rig->pipe->block);
	assert_int_equal(rig->peer->block.timestamp, (uint32_t)(song_frame + number * rig->pipe->block));
	if (rig->peer->block.has_audio) {
		assert_audio(&rig->peer->block, number * rig->pipe->block);
	}
}

/* What was read last goes back, channels swapped. */
static void answer_block(struct rig *rig, uint64_t number)
{
	static struct netvst_block block;

	block.frames = rig->pipe->block;
	block.has_audio = true;
	memcpy(block.audio[0], rig->peer->block.audio[1], sizeof(block.audio[0]));
	memcpy(block.audio[1], rig->peer->block.audio[0], sizeof(block.audio[1]));
	/* A synthesizer gets no audio, but makes some. */
	for (uint32_t i = 0; i < block.frames && rig->conf.synth; i++) {
		block.audio[0][i] = rig_sample(1, number * block.frames + i);
		block.audio[1][i] = rig_sample(0, number * block.frames + i);
	}
	rig_write(rig->peer, NETVST_REPLY, &block);
}

static void answer(struct rig *rig)
{
	answer_block(rig, 0);
}

static void assert_played(struct rig *rig, uint64_t number)
{
	static float samples[NVPIPE_CHANNELS][RIG_FRAMES_MAX];
	float *const audio[NVPIPE_CHANNELS] = {samples[0], samples[1]};

	WAIT_FOR(nvpipe_block_ready_rt(rig->pipe, number));
	nvpipe_read_block_rt(rig->pipe, number, 0, rig->pipe->block, audio);
	for (uint32_t i = 0; i < rig->pipe->block; i++) {
		assert_true(samples[0][i] == rig_sample(1, number * rig->pipe->block + i));
		assert_true(samples[1][i] == rig_sample(0, number * rig->pipe->block + i));
	}
}

static uint64_t song_begin(const struct rig *rig)
{
	return rig->graph.song_frame - rig->graph.frame;
}

static void round_trips(struct rig *rig, uint32_t block, uint32_t period)
{
	uint64_t number = 0, song;
	struct netvst_client_status status;

	begin(rig, block, period);
	join(rig);
	song = song_begin(rig);
	while (number < 50) {
		for (; (number + 1) * block <= rig->graph.frame; number++) {
			read_block(rig, number, song);
			answer_block(rig, number);
			assert_played(rig, number);
		}
		rig_cycle(&rig->graph, NULL, 0);
	}
	status = status_of(rig);
	assert_int_equal(status.state, NETVST_CLIENT_CONNECTED);
	assert_int_equal(status.blocks_received, number);
	assert_int_equal(status.round_trips, number);
	assert_int_equal(status.blocks_skipped, 0);
	assert_int_equal(status.connects, 1);
	assert_true(status.rtt_median_ns > 0);
	assert_true(status.rtt_p90_ns >= status.rtt_median_ns);
	assert_true(status.rtt_max_ns > 0);
	assert_true(status.bytes_sent > 50);
	assert_true(status.bytes_received > 50 * block);
	assert_int_equal(status.audio_bytes, (rig->conf.synth ? 1 : 2) * number * block * 8);
	assert_string_equal(status.error, "");
}

static void test_round_trip(void **state)
{
	round_trips(*state, BLOCK, PERIOD);
}

static void test_round_trip_audiokit(void **state)
{
	struct rig *rig = *state;

	rig->conf.dialect = NETVST_AUDIOKIT;
	round_trips(rig, 100, 441);
}

static void test_round_trip_long(void **state)
{
	round_trips(*state, NETVST_FRAMES_MAX, 8192);
}

static void test_round_trip_wavpack(void **state)
{
	struct rig *rig = *state;

	if (!netvst_wavpack_supported()) {
		skip();
	}
	rig->conf.codec = NETVST_WAVPACK;
	round_trips(rig, 512, 128);
}

/* Replies that have not come yet hold up nothing. */
static void test_pipelined(void **state)
{
	struct rig *rig = *state;
	uint64_t song;

	begin(rig, BLOCK, BLOCK);
	netvst_client_set_latency(rig->client, 20 * BLOCK);
	join(rig);
	song = song_begin(rig);
	for (uint64_t i = 0; i < 20; i++) {
		read_block(rig, i, song);
		rig_cycle(&rig->graph, NULL, 0);
	}
	assert_int_equal(status_of(rig).blocks_received, 0);
	assert_int_equal(status_of(rig).blocks_skipped, 0);
}

static void test_midi(void **state)
{
	struct rig *rig = *state;
	const struct nvpipe_midi events[] = {
		{0, 0x90, 60, 100},
		{63, 0x80, 60, 64},
		{64, 0xb3, 7, 127},
		{64 * 2 + 63, 0xe1, 1, 64},
		{64 * 4, 0xc5, 9, 0},
		{64 * 4 + 17, 0xd5, 90, 0},
	};
	unsigned n = 0;

	begin(rig, BLOCK, PERIOD);
	rig->peer = rig_accept(rig->listener, NETVST_2017, NETVST_PCM, false);
	WAIT_FOR((rig_cycle(&rig->graph, events, ARRAY_SIZE(events)), rig->graph.run != 0));
	for (uint64_t number = 0; number < 6; number++) {
		while (rig->graph.frame < (number + 1) * BLOCK) {
			rig_cycle(&rig->graph, events, ARRAY_SIZE(events));
		}
		assert_true(rig_read(rig->peer, 0, RIG_WAIT_MS));
		for (unsigned i = 0; i < rig->peer->block.n_midi; i++, n++) {
			const struct netvst_midi *midi = &rig->peer->block.midi[i];

			assert_int_equal(number * BLOCK + midi->frame, events[n].frame);
			assert_int_equal(midi->status, events[n].status);
			assert_int_equal(midi->data1, events[n].data1);
			assert_int_equal(midi->data2, events[n].data2);
		}
		answer(rig);
	}
	assert_int_equal(n, ARRAY_SIZE(events));
	assert_int_equal(status_of(rig).midi_sent, ARRAY_SIZE(events));
	assert_int_equal(netvst_client_set_param(rig->client, 0, 0, 0.5F), -EOPNOTSUPP);
}

static void test_params(void **state)
{
	struct rig *rig = *state;
	const struct nvpipe_midi events[] = {{70, 0xb2, 7, 127}, {71, 0x92, 60, 1}, {72, 0xb2, 123, 0}};

	rig->conf.dialect = NETVST_AUDIOKIT;
	rig->conf.cc_params = true;
	begin(rig, BLOCK, BLOCK);
	assert_int_equal(netvst_client_set_param(rig->client, 0, 0, 0.5F), -ENOTCONN);
	rig->peer = rig_accept(rig->listener, NETVST_AUDIOKIT, NETVST_PCM, false);
	WAIT_FOR((rig_cycle(&rig->graph, events, ARRAY_SIZE(events)), rig->graph.run != 0));
	assert_true(rig_read(rig->peer, 0, RIG_WAIT_MS));
	assert_int_equal(netvst_client_set_param(rig->client, 3, 4, 0.25F), 0);
	assert_int_equal(netvst_client_set_param(rig->client, 3, 5, 0.5F), 0);
	assert_int_equal(netvst_client_set_param(rig->client, 3, 4, 0.75F), 0);
	rig_cycle(&rig->graph, events, ARRAY_SIZE(events));
	assert_true(rig_read(rig->peer, 0, RIG_WAIT_MS));
	assert_int_equal(rig->peer->block.n_params, 3);
	assert_int_equal(rig->peer->block.params[0].effect, 3);
	assert_int_equal(rig->peer->block.params[0].param, 4);
	assert_true(rig->peer->block.params[0].value == 0.75F);
	assert_int_equal(rig->peer->block.params[2].effect, 2);
	assert_int_equal(rig->peer->block.params[2].param, 7);
	assert_true(rig->peer->block.params[2].value == 1.0F);
	/* All-notes-off is no controller. */
	assert_int_equal(rig->peer->block.n_midi, 2);
	assert_int_equal(rig->peer->block.midi[0].status, 0x92);
	assert_int_equal(rig->peer->block.midi[1].data1, 123);
	assert_int_equal(status_of(rig).params_sent, 3);
	for (unsigned i = 0; i < NETVST_WAITING_PARAMS_MAX; i++) {
		assert_int_equal(netvst_client_set_param(rig->client, 0, (uint16_t)i, 0), 0);
	}
	assert_int_equal(netvst_client_set_param(rig->client, 1, 0, 0), -EAGAIN);
}

static void test_synth(void **state)
{
	struct rig *rig = *state;

	rig->conf.synth = true;
	round_trips(rig, BLOCK, PERIOD);
	assert_false(rig->peer->block.has_audio);
}

/* The server stands still, and goes on: what was skipped stays away, the rest is where it belongs. */
static void test_frozen(void **state)
{
	struct rig *rig = *state;
	const struct nvpipe_midi events[] = {{30 * BLOCK, 0x90, 60, 1}, {31 * BLOCK, 0x80, 50, 1},
		{32 * BLOCK, 0xb0, 7, 1}, {33 * BLOCK, 0xb0, 7, 2}};
	uint64_t song, last = 0;
	unsigned sent;

	begin(rig, BLOCK, BLOCK);
	netvst_client_set_latency(rig->client, 2 * BLOCK);
	join(rig);
	song = song_begin(rig);
	while (rig->graph.frame < 40 * BLOCK) {
		rig_cycle(&rig->graph, events, ARRAY_SIZE(events));
	}
	WAIT_FOR(status_of(rig).blocks_sent + status_of(rig).blocks_skipped == 40);
	sent = (unsigned)status_of(rig).blocks_sent;
	assert_int_equal(sent, 5);
	assert_int_equal(status_of(rig).outstanding, sent);
	for (unsigned i = 0; i < sent; i++) {
		read_block(rig, i, song);
		answer(rig);
		assert_played(rig, i);
	}
	for (unsigned i = 0; i < 10; i++) {
		uint64_t number = rig->graph.frame / BLOCK;

		rig_cycle(&rig->graph, NULL, 0);
		read_block(rig, number, song);
		assert_true(number > last);
		if (i == 0) {
			/* No note begins late, but none goes on for ever. */
			assert_int_equal(rig->peer->block.n_midi, 2);
			assert_int_equal(rig->peer->block.midi[0].status, 0x80);
			assert_int_equal(rig->peer->block.midi[1].status, 0xb0);
			assert_int_equal(rig->peer->block.midi[1].data2, 2);
			assert_int_equal(rig->peer->block.midi[1].frame, 0);
		}
		answer(rig);
		assert_played(rig, number);
		last = number;
	}
	assert_false(nvpipe_block_ready_rt(rig->pipe, 20));
	assert_int_equal(status_of(rig).blocks_skipped, 35);
	assert_int_equal(status_of(rig).connects, 1);
}

/* Closed in the middle of a reply; the next connection begins at 0. */
static void test_cut(void **state)
{
	static const uint8_t half[100] = {[0] = 0, 2, 0xff, 0xff};
	struct rig *rig = *state;
	uint64_t timed = 0;

	begin(rig, BLOCK, BLOCK);
	join(rig);
	read_block(rig, 0, song_begin(rig));
	answer(rig);
	assert_played(rig, 0);
	rig_cycle(&rig->graph, NULL, 0);
	read_block(rig, 1, song_begin(rig));
	rig_send(rig->peer, half, sizeof(half));
	join(rig);
	assert_non_null(strstr(status_of(rig).error, "in the middle of a block"));
	assert_false(nvpipe_block_ready_rt(rig->pipe, 0));
	read_block(rig, 0, song_begin(rig));
	answer(rig);
	assert_played(rig, 0);
	assert_int_equal(status_of(rig).connects, 2);
	assert_int_equal(status_of(rig).round_trips, 1);
	for (unsigned i = 0; i < HIST_BINS; i++) {
		timed += rig->client->rtt.bin[i];
	}
	assert_int_equal(timed, 1);
}

static void test_garbage(void **state)
{
	/* Of another length than was asked for. */
	static const uint8_t garbage[1000] = {0x55, 0x55, 0xff, 0xff};
	struct rig *rig = *state;

	begin(rig, BLOCK, BLOCK);
	join(rig);
	read_block(rig, 0, song_begin(rig));
	rig_send(rig->peer, garbage, sizeof(garbage));
	assert_true(rig_is_closed(rig->peer, RIG_WAIT_MS));
	WAIT_FOR(status_of(rig).state == NETVST_CLIENT_WAITING);
	assert_non_null(strstr(status_of(rig).error, "not NetVST"));
	join(rig);
	/* Nobody asked for anything yet. */
	read_block(rig, 0, song_begin(rig));
	answer(rig);
	answer(rig);
	assert_true(rig_is_closed(rig->peer, RIG_WAIT_MS));
	WAIT_FOR(strstr(status_of(rig).error, "nobody asked for"));
	assert_int_equal(status_of(rig).round_trips, 1);
}

static void test_no_answer(void **state)
{
	struct rig *rig = *state;

	rig->io->times.reply_ns = 100 * NSEC_PER_MSEC;
	begin(rig, BLOCK, BLOCK);
	join(rig);
	read_block(rig, 0, song_begin(rig));
	assert_true(rig_is_closed(rig->peer, RIG_WAIT_MS));
	WAIT_FOR(strstr(status_of(rig).error, "no answer for 0.1 s"));
	assert_int_equal(status_of(rig).outstanding, 0);
}

/* The audio server goes and comes back. */
static void test_parked(void **state)
{
	struct rig *rig = *state;

	rig->io->times.no_cycles_ns = 50 * NSEC_PER_MSEC;
	assert_int_equal(nvpipe_new(BLOCK, &rig->pipe), 0);
	assert_int_equal(netvst_client_new(rig->io, &rig->conf, rig->pipe, &rig->client), 0);
	assert_int_equal(status_of(rig).state, NETVST_CLIENT_PARKED);
	rig->graph.pipe = rig->pipe;
	rig->graph.period = BLOCK;
	for (unsigned i = 0; i < 2; i++) {
		WAIT_FOR((rig_cycle(&rig->graph, NULL, 0), rig->graph.run != 0));
		rig_close(rig->peer);
		rig->peer = rig_accept(rig->listener, NETVST_2017, NETVST_PCM, false);
		WAIT_FOR(status_of(rig).state == NETVST_CLIENT_PARKED);
		assert_true(rig_is_closed(rig->peer, RIG_WAIT_MS));
		nvpipe_rt_gone(rig->pipe);
		rig->graph.run = 0;
	}
	assert_int_equal(status_of(rig).connects, 2);
}

/* The net thread does not come for too long: another run, on the same connection. */
static void test_overrun(void **state)
{
	struct rig *rig = *state;
	uint32_t run;

	begin(rig, 1024, 1024);
	join(rig);
	read_block(rig, 0, song_begin(rig));
	run = rig->graph.run;
	netvst_io_lock(rig->io);
	for (unsigned i = 0; i < 40; i++) {
		rig_cycle(&rig->graph, NULL, 0);
	}
	netvst_io_unlock(rig->io);
	WAIT_FOR((rig_cycle(&rig->graph, NULL, 0), rig->graph.run != 0 && rig->graph.run != run));
	/* A reply to a block of the old run is not one of the new. */
	answer(rig);
	WAIT_FOR(status_of(rig).blocks_received == 1);
	assert_false(nvpipe_block_ready_rt(rig->pipe, 0));
	WAIT_FOR(rig_read(rig->peer, 0, RIG_WAIT_MS) &&
		 rig->peer->block.timestamp == (uint32_t)song_begin(rig));
	assert_audio(&rig->peer->block, 0);
	answer(rig);
	assert_played(rig, 0);
	assert_int_equal(status_of(rig).connects, 1);
}

static void test_refused(void **state)
{
	struct rig *rig = *state;

	rig->io->times.retry_min_ns = 10 * NSEC_PER_MSEC;
	rig->io->times.retry_max_ns = 40 * NSEC_PER_MSEC;
	close(rig->listener);
	begin(rig, BLOCK, BLOCK);
	WAIT_FOR(strstr(status_of(rig).error, "Connection refused"));
	netvst_io_lock(rig->io);
	assert_true(rig->client->retry_ns <= 40 * NSEC_PER_MSEC);
	netvst_io_unlock(rig->io);
	rig->listener = rig_listen(&rig->port, 8);
	join(rig);
	read_block(rig, 0, song_begin(rig));
	assert_int_equal(status_of(rig).connects, 1);
}

/* A name takes another way than an address. */
static void test_name(void **state)
{
	struct rig *rig = *state;

	rig->conf.host = "localhost";
	begin(rig, BLOCK, BLOCK);
	join(rig);
	read_block(rig, 0, song_begin(rig));
	assert_non_null(strstr(status_of(rig).peer, "127.0.0.1:"));
}

/* It can be freed whatever it is doing. */
static void test_freed(void **state)
{
	struct rig *rig = *state;
	struct netvst_client *client;

	rig->conf.host = "localhost";
	begin(rig, BLOCK, BLOCK);
	for (unsigned i = 0; i < 50; i++) {
		rig->conf.host = i % 2 ? "localhost" : "127.0.0.1";
		assert_int_equal(netvst_client_new(rig->io, &rig->conf, rig->pipe, &client), 0);
		if (i % 3 == 0) {
			rig_pause();
		}
		netvst_client_free(client);
	}
	netvst_client_free(rig->client);
	rig->client = NULL;
	netvst_client_free(NULL);
	netvst_io_free(NULL);
}

static void test_wrong(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(nvpipe_new(4096, &rig->pipe), 0);
	rig->conf.dialect = NETVST_AUDIOKIT;
	assert_int_equal(netvst_client_new(rig->io, &rig->conf, rig->pipe, &rig->client), -EINVAL);
	rig->conf.dialect = NETVST_2017;
	assert_int_equal(netvst_client_new(rig->io, &rig->conf, rig->pipe, &rig->client), 0);
	netvst_client_free(rig->client);
	nvpipe_free(rig->pipe);
	rig->client = NULL;
	assert_int_equal(nvpipe_new(64, &rig->pipe), 0);
	rig->conf.dialect = NETVST_AUDIOKIT;
	rig->conf.codec = NETVST_WAVPACK;
	assert_int_equal(netvst_client_new(rig->io, &rig->conf, rig->pipe, &rig->client), -ENOTSUP);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_round_trip),
		RIG_TEST(test_round_trip_audiokit),
		RIG_TEST(test_round_trip_long),
		RIG_TEST(test_round_trip_wavpack),
		RIG_TEST(test_pipelined),
		RIG_TEST(test_midi),
		RIG_TEST(test_params),
		RIG_TEST(test_synth),
		RIG_TEST(test_frozen),
		RIG_TEST(test_cut),
		RIG_TEST(test_garbage),
		RIG_TEST(test_no_answer),
		RIG_TEST(test_parked),
		RIG_TEST(test_overrun),
		RIG_TEST(test_refused),
		RIG_TEST(test_name),
		RIG_TEST(test_wrong),
		/* Last: a lookup that nobody waits for any more may have a descriptor for a moment. */
		RIG_TEST(test_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
