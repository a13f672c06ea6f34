/* The rings between the realtime thread and a NetVST connection's: runs, samples, blocks, marks, and what is full. */
#include "net/nvpipe-rt.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PERIOD 64

static struct audio_cycle cycle_of(uint32_t frames, int64_t now)
{
	return (struct audio_cycle){.frames = frames,
		.rate_hz = 48000,
		.now_ns = now,
		.rolling = true,
		.transport_frame = (uint64_t)now * 1000};
}

static uint32_t begin(struct nvpipe *pipe, int64_t now, bool *ret_new)
{
	struct audio_cycle cycle = cycle_of(PERIOD, now);

	return nvpipe_begin_rt(pipe, &cycle, ret_new);
}

static struct nvpipe *started(uint32_t block)
{
	struct nvpipe *pipe = NULL;
	bool new = false;

	assert_int_equal(nvpipe_new(block, &pipe), 0);
	assert_int_equal(begin(pipe, 1, &new), 0);
	assert_true(nvpipe_start(pipe, 1));
	assert_false(nvpipe_is_running(pipe));
	assert_int_equal(begin(pipe, 2, &new), 1);
	assert_true(new);
	assert_true(nvpipe_is_running(pipe));
	return pipe;
}

/* Sample number i of channel k. */
static float sample(unsigned k, uint64_t i)
{
	return (float)(i % 1000003) + 0.25f * (float)k;
}

static void fill(float *const audio[NVPIPE_CHANNELS], uint64_t from, uint32_t n)
{
	for (unsigned k = 0; k < NVPIPE_CHANNELS; k++) {
		for (uint32_t i = 0; i < n; i++) {
			audio[k][i] = sample(k, from + i);
		}
	}
}

static void check(float *const audio[NVPIPE_CHANNELS], uint64_t from, uint32_t n)
{
	for (unsigned k = 0; k < NVPIPE_CHANNELS; k++) {
		for (uint32_t i = 0; i < n; i++) {
			assert_true(audio[k][i] == sample(k, from + i));
		}
	}
}

static const float *const *constant(float *const audio[NVPIPE_CHANNELS])
{
	return (const float *const *)audio;
}

static void test_runs(void **state)
{
	struct nvpipe *pipe = started(PERIOD);
	bool new = true;

	assert_int_equal(begin(pipe, 3, &new), 1);
	assert_false(new);
	assert_false(nvpipe_start(pipe, 2)); /* RT is still in the last one */
	nvpipe_stop(pipe);
	assert_false(nvpipe_is_parked(pipe));
	assert_false(nvpipe_start(pipe, 2));
	assert_int_equal(begin(pipe, 4, &new), 0);
	assert_true(new);
	assert_true(nvpipe_is_parked(pipe));
	assert_true(nvpipe_start(pipe, 2));
	assert_int_equal(begin(pipe, 5, &new), 2);
	assert_true(new);
	nvpipe_free(pipe);
}

static void test_rt_gone(void **state)
{
	struct nvpipe *pipe = started(PERIOD);
	bool new = false;

	nvpipe_rt_gone(pipe);
	assert_false(nvpipe_is_running(pipe));
	assert_int_equal(atomic_load(&pipe->cycle_ns), 0);
	/* A run that was broken off does not go on as if nothing had been. */
	assert_int_equal(begin(pipe, 9, &new), 0);
	assert_false(nvpipe_is_running(pipe));
	nvpipe_stop(pipe);
	assert_true(nvpipe_start(pipe, 2));
	assert_int_equal(begin(pipe, 10, &new), 2);
	nvpipe_free(pipe);
}

static void test_tx(void **state)
{
	static float a[2][8192], b[2][8192];
	float *const in[] = {a[0], a[1]}, *const out[] = {b[0], b[1]};
	struct nvpipe *pipe = started(PERIOD);
	uint64_t written = 0, taken = 0;
	uint32_t n;

	srand(1);
	while (taken < 1000000) {
		n = 1 + (uint32_t)rand() % 8192;
		if (written - taken + n <= pipe->frames_max) {
			fill(in, written, n);
			assert_true(nvpipe_write_tx_rt(pipe, constant(in), n));
			written += n;
		}
		assert_int_equal(nvpipe_tx_frames(pipe), written - taken);
		n = (uint32_t)rand() % 8192;
		if (n <= written - taken) {
			nvpipe_take_tx(pipe, out, n);
			check(out, taken, n);
			taken += n;
		}
	}
	nvpipe_free(pipe);
}

static void test_silence_is_written(void **state)
{
	float a[PERIOD], b[2][PERIOD];
	float *const out[] = {b[0], b[1]};
	const float *const in[] = {NULL, a};
	struct nvpipe *pipe = started(PERIOD);

	for (unsigned i = 0; i < PERIOD; i++) {
		a[i] = 7.0f;
		b[0][i] = 1.0f;
	}
	assert_true(nvpipe_write_tx_rt(pipe, in, PERIOD));
	nvpipe_take_tx(pipe, out, PERIOD);
	assert_true(b[0][0] == 0.0f && b[0][PERIOD - 1] == 0.0f && b[1][PERIOD - 1] == 7.0f);
	nvpipe_free(pipe);
}

static void test_overrun(void **state)
{
	static float a[2][4096];
	const float *const in[] = {a[0], a[1]};
	struct nvpipe *pipe = started(PERIOD);
	struct nvpipe_mark mark;
	unsigned marks = 0;
	bool new;

	for (uint32_t n = 0; n < pipe->frames_max; n += 4096) {
		assert_true(nvpipe_write_tx_rt(pipe, in, 4096));
	}
	assert_false(nvpipe_write_tx_rt(pipe, in, 1));
	assert_false(nvpipe_is_running(pipe));
	while (spsc_pop(&pipe->marks, &mark)) {
		marks++;
	}
	assert_int_equal(marks, 1);
	/* Room again does not help: what was lost is lost. */
	atomic_store(&pipe->tx_tail, atomic_load(&pipe->tx_head));
	assert_false(nvpipe_write_tx_rt(pipe, in, 1));
	assert_int_equal(begin(pipe, 5, &new), 1);
	assert_false(spsc_pop(&pipe->marks, &mark));
	nvpipe_stop(pipe);
	assert_int_equal(begin(pipe, 6, &new), 0);
	assert_true(nvpipe_start(pipe, 2));
	assert_int_equal(begin(pipe, 7, &new), 2);
	assert_true(nvpipe_is_running(pipe));
	assert_true(nvpipe_write_tx_rt(pipe, in, 1));
	assert_int_equal(nvpipe_tx_frames(pipe), 1);
	nvpipe_free(pipe);
}

static void test_blocks(void **state)
{
	static const uint32_t blocks[] = {1, 16, 100, 441, 512, 2048, 8191};
	static float a[2][8192], b[2][8192];
	float *const in[] = {a[0], a[1]}, *const out[] = {b[0], b[1]};

	for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++) {
		uint32_t n = blocks[i];
		struct nvpipe *pipe = started(n);

		assert_true(pipe->n_blocks >= 7);
		for (uint64_t number = 0; number < 3 * pipe->n_blocks; number += 1 + number % 3) {
			assert_false(nvpipe_block_ready_rt(pipe, number));
			fill(in, number * n, n);
			nvpipe_put_block(pipe, number, constant(in));
			assert_true(nvpipe_block_ready_rt(pipe, number));
			assert_false(nvpipe_block_ready_rt(pipe, number + pipe->n_blocks));
			nvpipe_read_block_rt(pipe, number, n / 3, n - n / 3, out);
			check(out, number * n + n / 3, n - n / 3);
		}
		nvpipe_free(pipe);
	}
}

static void test_blocks_of_another_run(void **state)
{
	static float a[2][PERIOD];
	const float *const in[] = {a[0], a[1]};
	struct nvpipe *pipe = started(PERIOD);
	bool new;

	nvpipe_put_block(pipe, 0, in);
	nvpipe_stop(pipe);
	(void)begin(pipe, 3, &new);
	assert_true(nvpipe_start(pipe, 2));
	assert_int_equal(begin(pipe, 4, &new), 2);
	assert_false(nvpipe_block_ready_rt(pipe, 0));
	nvpipe_free(pipe);
}

static void test_rx(void **state)
{
	static float a[2][8192], b[2][8192];
	float *const in[] = {a[0], a[1]}, *const out[] = {b[0], b[1]};
	struct nvpipe *pipe = started(0);
	uint64_t put = 0, taken = 0;

	srand(2);
	while (taken < 1000000) {
		uint32_t n = 1 + (uint32_t)rand() % 8192, there;

		fill(in, put, n);
		if (nvpipe_put_rx(pipe, constant(in), n)) {
			put += n;
		} else {
			assert_true(put - taken + n > pipe->frames_max);
		}
		there = nvpipe_rx_frames_rt(pipe);
		assert_int_equal(there, put - taken);
		n = (uint32_t)rand() % 8192;
		n = MIN(n, there);
		nvpipe_read_rx_rt(pipe, taken, n, out);
		check(out, taken, n);
		if (n > 0) {
			assert_true(nvpipe_rx_at_rt(pipe, 1, taken + n - 1) == sample(1, taken + n - 1));
		}
		taken += n;
		nvpipe_release_rx_rt(pipe, taken);
	}
	nvpipe_free(pipe);
}

static void test_marks_and_midi(void **state)
{
	static float a[2][PERIOD];
	const float *const in[] = {a[0], a[1]};
	struct nvpipe_midi midi = {.frame = 5, .status = 0x90};
	struct nvpipe *pipe = started(PERIOD);
	struct nvpipe_mark mark;
	bool new;

	assert_true(nvpipe_write_tx_rt(pipe, in, PERIOD));
	(void)begin(pipe, 77, &new);
	assert_true(spsc_pop(&pipe->marks, &mark));
	assert_int_equal(mark.frame, 0);
	assert_true(spsc_pop(&pipe->marks, &mark));
	assert_int_equal(mark.frame, PERIOD);
	assert_int_equal(mark.frames, PERIOD);
	assert_int_equal(mark.song_frame, 77000);
	assert_true(mark.rolling);
	assert_int_equal(mark.now_ns, 77);
	assert_false(spsc_pop(&pipe->marks, &mark));
	/* MIDI that nobody took belongs to its run. */
	assert_true(spsc_push(&pipe->tx_midi, &midi));
	assert_true(spsc_push(&pipe->rx_midi, &midi));
	nvpipe_stop(pipe);
	(void)begin(pipe, 78, &new);
	assert_false(spsc_pop(&pipe->rx_midi, &midi));
	assert_true(nvpipe_start(pipe, 2));
	assert_false(spsc_pop(&pipe->tx_midi, &midi));
	nvpipe_free(pipe);
}

/* --- both threads at once --- */

#define THREADED_FRAMES 3000000

static void *realtime(void *data)
{
	static float a[2][PERIOD];
	float *const in[] = {a[0], a[1]};
	struct nvpipe *pipe = data;
	uint64_t written = 0;
	bool new;

	while (written < THREADED_FRAMES) {
		(void)begin(pipe, 1, &new);
		if (pipe->frames_max - nvpipe_tx_frames(pipe) < PERIOD) {
			continue;
		}
		fill(in, written, PERIOD);
		(void)nvpipe_write_tx_rt(pipe, constant(in), PERIOD);
		written += PERIOD;
	}
	return NULL;
}

static void test_two_threads(void **state)
{
	static float b[2][100];
	float *const out[] = {b[0], b[1]};
	struct nvpipe *pipe = started(100);
	uint64_t taken = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, realtime, pipe), 0);
	while (taken + 100 <= THREADED_FRAMES) {
		if (nvpipe_tx_frames(pipe) >= 100) {
			nvpipe_take_tx(pipe, out, 100);
			check(out, taken, 100);
			taken += 100;
		}
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(atomic_load(&pipe->overrun));
	nvpipe_free(pipe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_rt_gone),
		cmocka_unit_test(test_tx),
		cmocka_unit_test(test_silence_is_written),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_blocks_of_another_run),
		cmocka_unit_test(test_rx),
		cmocka_unit_test(test_marks_and_midi),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
