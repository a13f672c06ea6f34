/* NetVST inserts: latency arithmetic, gains, peaks, MIDI, and samples that are none. Time and clocks are in tests/sim. */
#include "engine/insert.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RATE 48000
#define PERIOD 64
#define FADE 240

/* The least latency, found by trying: block n is complete in one cycle, and wanted so many later. */
static bool is_enough(uint32_t block, uint32_t period, unsigned cycles, uint32_t latency)
{
	for (uint64_t n = 0; n < period; n++) {
		uint64_t complete = ((n + 1) * block + period - 1) / period - 1;
		uint64_t wanted = (n * block + latency) / period;

		if (wanted < complete + cycles) {
			return false;
		}
	}
	return true;
}

static void test_latency_frames(void **state)
{
	static const uint32_t periods[] = {8, 16, 31, 32, 64, 100, 128, 256, 441, 480, 512, 1000, 1024, 8192};

	(void)state;
	for (uint32_t block = 16; block <= 8191; block += block < 130 ? 3 : 311) {
		for (unsigned p = 0; p < ARRAY_SIZE(periods); p++) {
			for (unsigned m = 1; m <= 3; m++) {
				uint32_t latency = insert_latency_frames(block, periods[p], m);

				assert_true(is_enough(block, periods[p], m, latency));
				assert_false(is_enough(block, periods[p], m, latency - 1));
				assert_int_equal(insert_latency_cycles(block, periods[p], latency), m);
				assert_int_equal(
					insert_latency_cycles(block, periods[p], latency - 1), m - 1);
			}
		}
	}
	assert_int_equal(insert_latency_frames(64, 64, 1), 64);
	assert_int_equal(insert_latency_frames(64, 64, 0), 64);
	assert_int_equal(insert_latency_cycles(512, 64, 1), 0);
}

static void test_latency_auto(void **state)
{
	(void)state;
	/* A period of 64 at 48 kHz is 1.333 ms. */
	assert_int_equal(insert_latency_auto(64, 64, 48000, 0), 64);
	assert_int_equal(insert_latency_auto(64, 64, 48000, 133000), 64);
	assert_int_equal(insert_latency_auto(64, 64, 48000, 134000), 128);
	assert_int_equal(insert_latency_auto(64, 64, 48000, 1466000), 128);
	assert_int_equal(insert_latency_auto(64, 64, 48000, 1467000), 192);
	assert_int_equal(insert_latency_auto(512, 1024, 48000, 20000000), 1024);
	assert_int_equal(insert_latency_auto(512, 1024, 48000, 20200000), 2048);
	for (int64_t rtt = 0; rtt < 50 * NSEC_PER_MSEC; rtt += 77777) {
		for (uint32_t period = 16; period <= 1024; period += 85) {
			uint32_t latency = insert_latency_auto(100, period, 44100, rtt);
			unsigned cycles = insert_latency_cycles(100, period, latency);
			double period_ns = period * 1e9 / 44100;

			assert_true(cycles * period_ns >= (double)rtt + 1.2e6 - 100);
			assert_true(cycles == 1 || (cycles - 1) * period_ns < (double)rtt + 1.2e6 + 100);
		}
	}
}

/* A client whose peer sends back what it gets, a cycle later. */
struct loop {
	struct nvpipe *pipe;
	struct insert *insert;
	struct audio_insert io;
	uint64_t blocks;
	float in[AUDIO_INSERT_CHANNELS][PERIOD];
	float out[AUDIO_INSERT_CHANNELS][PERIOD];
	float sent[AUDIO_INSERT_CHANNELS][PERIOD];
};

static struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	assert_int_equal(nvpipe_new(PERIOD, &l->pipe), 0);
	assert_int_equal(insert_new(INSERT_CLIENT, l->pipe, &l->insert), 0);
	insert_set_running(l->insert, true);
	insert_set_latency(l->insert, PERIOD);
	assert_true(nvpipe_start(l->pipe, 1));
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		l->io.in[k] = l->in[k];
		l->io.out[k] = l->out[k];
	}
	l->io.owner = l->insert;
	return l;
}

static void loop_free(struct loop *l)
{
	insert_set_running(l->insert, false);
	insert_free(l->insert);
	nvpipe_free(l->pipe);
	free(l);
}

static void set_level(struct loop *l, float left, float right)
{
	for (unsigned i = 0; i < PERIOD; i++) {
		l->in[0][i] = left;
		l->in[1][i] = right;
	}
}

static void cycle(struct loop *l)
{
	struct audio_cycle c = {.frames = PERIOD, .rate_hz = RATE, .now_ns = 1};
	float *audio[AUDIO_INSERT_CHANNELS] = {l->sent[0], l->sent[1]};

	insert_process_rt(NULL, &c, &l->io);
	while (nvpipe_tx_frames(l->pipe) >= PERIOD) {
		nvpipe_take_tx(l->pipe, audio, PERIOD);
		nvpipe_put_block(l->pipe, l->blocks++, (const float *const *)audio);
	}
}

static void cycles(struct loop *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		cycle(l);
	}
}

static void test_gains(void **state)
{
	struct loop *l = loop_new();
	float last = 0.5f, largest = 0;
	unsigned i;

	(void)state;
	set_level(l, 0.5f, -0.25f);
	cycles(l, 20);
	assert_true(l->out[0][0] == 0.5f && l->out[1][PERIOD - 1] == -0.25f);
	insert_set_gains(l->insert, 1.0f, 0.5f);
	for (i = 0; i < 20; i++) {
		cycle(l);
		for (unsigned j = 0; j < PERIOD; j++) {
			largest = fmaxf(largest, fabsf(l->out[0][j] - last));
			last = l->out[0][j];
		}
	}
	assert_true(last == 0.25f && l->out[1][0] == -0.125f);
	assert_true(largest < 0.25f / FADE * 1.01f);
	insert_set_gains(l->insert, 2.0f, 1.0f);
	cycles(l, 20);
	assert_true(l->sent[0][0] == 1.0f && l->out[0][0] == 1.0f && l->out[1][0] == -0.5f);
	insert_set_gains(l->insert, 0.0f, 1.0f);
	cycles(l, 20);
	assert_true(l->sent[0][0] == 0.0f && l->out[0][0] == 0.0f);
	/* A new run has its gains at once. */
	insert_set_gains(l->insert, 0.5f, 1.0f);
	nvpipe_stop(l->pipe);
	cycle(l);
	assert_true(nvpipe_start(l->pipe, 2));
	l->blocks = 0;
	cycle(l);
	assert_true(l->sent[0][0] == 0.25f);
	loop_free(l);
}

static void test_peaks(void **state)
{
	struct loop *l = loop_new();
	float send[AUDIO_INSERT_CHANNELS], back[AUDIO_INSERT_CHANNELS];

	(void)state;
	set_level(l, 0.125f, 0.0f);
	l->in[0][17] = -0.75f;
	insert_set_gains(l->insert, 1.0f, 0.5f);
	cycles(l, 20);
	insert_take_peaks(l->insert, send, back);
	assert_true(send[0] == 0.75f && send[1] == 0.0f);
	assert_true(back[0] == 0.375f && back[1] == 0.0f);
	insert_take_peaks(l->insert, send, back);
	assert_true(send[0] == 0.0f && back[0] == 0.0f);
	set_level(l, 0.125f, 0.5f);
	cycles(l, 3);
	insert_take_peaks(l->insert, send, back);
	assert_true(send[0] == 0.125f && send[1] == 0.5f && back[1] == 0.25f);
	loop_free(l);
}

/* Neither way does anything pass that is no finite number, whatever the gain. */
static void test_not_numbers(void **state)
{
	struct loop *l = loop_new();
	float send[AUDIO_INSERT_CHANNELS], back[AUDIO_INSERT_CHANNELS];

	(void)state;
	for (unsigned gain = 0; gain < 3; gain++) {
		insert_set_gains(l->insert, (float)gain, (float)gain);
		for (unsigned i = 0; i < 50; i++) {
			set_level(l, i % 3 ? NAN : 0.5f, i % 2 ? 3e38f : -INFINITY);
			cycle(l);
			for (unsigned j = 0; j < PERIOD; j++) {
				assert_true(isfinite(l->out[0][j]) && isfinite(l->out[1][j]));
				assert_true(isfinite(l->sent[0][j]) && isfinite(l->sent[1][j]));
			}
		}
	}
	insert_take_peaks(l->insert, send, back);
	assert_true(isfinite(send[0]) && isfinite(send[1]) && isfinite(back[0]) && isfinite(back[1]));
	loop_free(l);
}

static void test_missing_ports(void **state)
{
	struct loop *l = loop_new();

	(void)state;
	set_level(l, 0.5f, 0.5f);
	l->io.in[1] = NULL;
	l->io.out[0] = NULL;
	for (float gain = 1.0f; gain < 3.0f; gain++) {
		insert_set_gains(l->insert, gain, 1.0f);
		cycles(l, 20);
		assert_true(l->sent[0][5] == 0.5f * gain && l->sent[1][5] == 0.0f);
		assert_true(l->out[1][5] == 0.0f && l->out[0][5] == 0.0f);
	}
	/* Nobody listened; now somebody does. */
	l->io.out[0] = l->out[0];
	cycle(l);
	assert_true(l->out[0][5] == 1.0f);
	assert_int_equal(insert_get_report(l->insert)->late_blocks, 0);
	loop_free(l);
}

static void test_midi_in(void **state)
{
	struct loop *l = loop_new();
	const struct insert_report *r = insert_get_report(l->insert);
	struct nvpipe_midi event;

	(void)state;
	cycles(l, 10);
	l->io.n_midi_in = 3;
	l->io.midi_in[0] = (struct audio_midi){.frame = 0, .status = 0x91, .data1 = 60, .data2 = 7};
	l->io.midi_in[1] = (struct audio_midi){.frame = 63, .status = 0xe2, .data1 = 1, .data2 = 2};
	l->io.midi_in[2] = (struct audio_midi){.frame = 63, .status = 0xf8};
	l->io.n_midi_lost = 5;
	cycle(l);
	assert_int_equal(r->midi_in, 2);
	assert_int_equal(r->midi_lost, 6);
	assert_true(spsc_pop(&l->pipe->tx_midi, &event));
	assert_int_equal(event.frame, 10 * PERIOD);
	assert_int_equal(event.status, 0x91);
	assert_int_equal(event.data1, 60);
	assert_int_equal(event.data2, 7);
	assert_true(spsc_pop(&l->pipe->tx_midi, &event));
	assert_int_equal(event.frame, 10 * PERIOD + 63);
	assert_false(spsc_pop(&l->pipe->tx_midi, &event));
	/* Nobody fetches them. */
	l->io.n_midi_lost = 0;
	l->io.n_midi_in = 2;
	cycles(l, NVPIPE_MIDI_MAX / 2 + 10);
	assert_int_equal(r->midi_in, 2 + NVPIPE_MIDI_MAX);
	assert_int_equal(r->midi_lost, 6 + 20);
	assert_int_equal(l->io.n_midi_out, 0);
	loop_free(l);
}

/* The server goes, and callbacks with it; when they are back all begins from silence. */
static void test_stopped(void **state)
{
	struct loop *l = loop_new();

	(void)state;
	set_level(l, 0.5f, 0.5f);
	cycles(l, 20);
	assert_int_equal(insert_get_report(l->insert)->playing, 1);
	insert_set_running(l->insert, false);
	assert_int_equal(insert_get_report(l->insert)->playing, 0);
	assert_false(nvpipe_is_running(l->pipe));
	nvpipe_stop(l->pipe);
	insert_set_running(l->insert, true);
	cycle(l);
	assert_true(l->out[0][0] == 0.0f);
	assert_true(nvpipe_start(l->pipe, 2));
	l->blocks = 0;
	cycles(l, 2);
	assert_true(l->out[0][0] == 0.0f && l->out[0][PERIOD - 1] < 0.2f);
	cycles(l, 5);
	assert_true(l->out[0][PERIOD - 1] == 0.5f);
	assert_int_equal(insert_get_report(l->insert)->cycles, 28);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_latency_frames),
		cmocka_unit_test(test_latency_auto),
		cmocka_unit_test(test_gains),
		cmocka_unit_test(test_peaks),
		cmocka_unit_test(test_not_numbers),
		cmocka_unit_test(test_missing_ports),
		cmocka_unit_test(test_midi_in),
		cmocka_unit_test(test_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
