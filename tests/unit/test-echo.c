/* netvst-echo's own parts: the counting pattern and its faults, what a server makes of blocks, the scripts of a client. */
#include "base/log.h"
#include "base/util.h"
#include "echo/counter.h"
#include "echo/process.h"
#include "echo/script.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Frames numbered from n on. */
static void check_numbers(struct counter *c, uint64_t n, size_t frames)
{
	for (size_t i = 0; i < frames; i++) {
		float left = counter_value(n + i, 0), right = counter_value(n + i, 1);

		counter_check(c, &left, &right, 1);
	}
}

static void check_value(struct counter *c, float x, size_t frames)
{
	for (size_t i = 0; i < frames; i++) {
		counter_check(c, &x, &x, 1);
	}
}

/* The values are those of the project's other tools: from the rule, not from the code. */
static void test_counter_values(void **state)
{
	assert_true(counter_value(1, 0) == (1 * 8 + 0 - 8388608) / 8388608.0f);
	assert_true(counter_value(2097151, 1) == (2097151 * 8 + 1 - 8388608) / 8388608.0f);
	assert_true(counter_value(2097152, 1) == (1 - 8388608) / 8388608.0f);
}

static void test_counter_unbroken(void **state)
{
	struct counter c;

	counter_init(&c);
	check_value(&c, 0.0f, 1000);
	check_numbers(&c, 1, 3000000); /* across the number that comes after the largest */
	check_value(&c, 0.0f, 100);
	counter_end(&c);
	assert_true(c.begun);
	assert_int_equal(c.first_latency, 1000);
	assert_int_equal(c.latency, 1000);
	assert_int_equal(c.exact, 3000000);
	assert_int_equal(c.zeros, 1100);
	assert_int_equal(c.wrong, 0);
	assert_int_equal(c.n_gaps, 0);
}

static void test_counter_faults(void **state)
{
	struct counter c;

	counter_init(&c);
	check_numbers(&c, 1, 1000);
	check_numbers(&c, 1005, 1000); /* four are missing */
	check_numbers(&c, 2001, 1000); /* four twice */
	check_value(&c, 0.0f, 240);
	check_numbers(&c, 3241, 1000); /* goes on where it would have been */
	check_value(&c, 0.3f, 1);
	check_numbers(&c, 4242, 1000);
	counter_end(&c);
	assert_int_equal(c.n_gaps, 4);
	assert_int_equal(c.gaps[0].position, 1000);
	assert_int_equal(c.gaps[0].frames, 0);
	assert_int_equal(c.gaps[0].latency_before, 0);
	assert_int_equal(c.gaps[0].latency_after, COUNTER_MASK + 1 - 4);
	assert_int_equal(c.gaps[1].latency_after, 0);
	assert_int_equal(c.gaps[2].position, 3000);
	assert_int_equal(c.gaps[2].frames, 240);
	assert_int_equal(c.gaps[2].zeros, 240);
	assert_int_equal(c.gaps[2].latency_after, 0);
	assert_int_equal(c.gaps[3].frames, 1);
	assert_int_equal(c.wrong, 1);
	assert_int_equal(c.exact, 5000);
}

/* One channel alone, swapped channels, and what is no number: none of it is the pattern. */
static void test_counter_strangers(void **state)
{
	struct counter c;

	counter_init(&c);
	for (uint64_t n = 1; n < 1000; n++) {
		float left = counter_value(n, 0), right = counter_value(n, 1),
		      half = left + 0.5f / 8388608.0f;

		counter_check(&c, &left, &left, 1);
		counter_check(&c, &right, &left, 1);
		counter_check(&c, &half, &right, 1);
		counter_check(&c, &(float){NAN}, &right, 1);
		counter_check(&c, &left, &(float){INFINITY}, 1);
	}
	/* Nor are some frames of it that do not go on, as what is left of it in a fade. */
	for (uint64_t n = 1; n < 1000; n += 100) {
		check_numbers(&c, n, 5);
		check_value(&c, 0.3f, 1);
	}
	counter_end(&c);
	assert_false(c.begun);
	assert_int_equal(c.exact, 0);
	assert_int_equal(c.wrong, 999 * 5 + 10 * 6);
}

static struct netvst_block *make_block(uint32_t frames, uint64_t first)
{
	struct netvst_block *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->frames = frames;
	b->has_audio = true;
	for (uint32_t i = 0; i < frames; i++) {
		b->audio[0][i] = counter_value(first + i, 0);
		b->audio[1][i] = counter_value(first + i, 1);
	}
	return b;
}

static void test_gain(void **state)
{
	const struct options o = {.mode = ECHO_GAIN, .gain_db = -6.0205999, .rate_hz = 48000};
	struct netvst_block *b = make_block(100, 1);
	struct process *p;

	assert_int_equal(process_new(&o, &p), 0);
	process_block(p, b);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(fabsf(b->audio[1][i] - counter_value(1 + i, 1) / 2.0f) < 1e-6f);
	}
	process_free(p);
	free(b);
}

/* Whatever the blocks are. */
static void test_delay(void **state)
{
	const struct options o = {.mode = ECHO_DELAY, .delay_frames = 777, .rate_hz = 48000};
	struct counter c;
	struct process *p;
	uint64_t n = 1;

	counter_init(&c);
	assert_int_equal(process_new(&o, &p), 0);
	for (uint32_t frames = 1; frames < 300; frames++) {
		struct netvst_block *b = make_block(frames, n);

		n += frames;
		process_block(p, b);
		assert_int_equal(b->n_midi, 0);
		counter_check(&c, b->audio[0], b->audio[1], frames);
		free(b);
	}
	assert_int_equal(c.latency, 777);
	assert_int_equal(c.zeros, 777);
	assert_int_equal(c.exact, n - 1 - 777);
	process_free(p);
}

/* A note that begins in one block and ends in another, and a second one above it. */
static void test_synth(void **state)
{
	const struct options o = {.mode = ECHO_SYNTH, .rate_hz = 48000, .synth = true};
	const double step = 2.0 * M_PI * 440.0 / 48000, octave = 2.0 * step;
	struct netvst_block *b = make_block(64, 1);
	struct process *p;
	unsigned at = 0;

	assert_int_equal(process_new(&o, &p), 0);
	for (unsigned block = 0; block < 10; block++) {
		b->has_audio = false;
		if (block == 1) {
			b->n_midi = 1;
			b->midi[0] =
				(struct netvst_midi){.frame = 10, .status = 0x90, .data1 = 69, .data2 = 127};
		} else if (block == 3) {
			b->n_midi = 2;
			b->midi[0] =
				(struct netvst_midi){.frame = 0, .status = 0x95, .data1 = 81, .data2 = 127};
			b->midi[1] = (struct netvst_midi){.frame = 63, .status = 0x80, .data1 = 69};
		} else if (block == 5) {
			b->n_midi = 1;
			b->midi[0] = (struct netvst_midi){.frame = 1, .status = 0xb5, .data1 = 123};
		}
		process_block(p, b);
		assert_true(b->has_audio);
		for (unsigned i = 0; i < 64; i++, at++) {
			double wanted = (at >= 74 && at < 255 ? 0.25 * sin((at - 74) * step) : 0.0) +
					(at >= 192 && at < 321 ? 0.25 * sin((at - 192) * octave) : 0.0);

			assert_true(fabs((double)b->audio[0][i] - wanted) < 1e-6);
			assert_true(memcmp(&b->audio[0][i], &b->audio[1][i], sizeof(float)) == 0);
		}
	}
	process_free(p);
	free(b);
}

/* The pedal holds a note beyond its note-off; a ramp has no step. */
static void test_synth_pedal_and_ramp(void **state)
{
	const struct options o = {.mode = ECHO_SYNTH, .rate_hz = 48000, .ramp_ms = 5};
	struct netvst_block *b = make_block(4800, 1);
	struct process *p;
	float before = 0.0f;

	assert_int_equal(process_new(&o, &p), 0);
	b->n_midi = 4;
	b->midi[0] = (struct netvst_midi){.frame = 0, .status = 0xb0, .data1 = 64, .data2 = 127};
	b->midi[1] = (struct netvst_midi){.frame = 0, .status = 0x90, .data1 = 69, .data2 = 127};
	b->midi[2] = (struct netvst_midi){.frame = 500, .status = 0x90, .data1 = 69, .data2 = 0};
	b->midi[3] = (struct netvst_midi){.frame = 3000, .status = 0xb0, .data1 = 64, .data2 = 0};
	process_block(p, b);
	for (unsigned i = 0; i < 4800; i++) {
		assert_true(fabsf(b->audio[0][i] - before) <
			    0.25f * 2.0f * (float)M_PI * 440.0f / 48000.0f + 0.25f / 240.0f);
		before = b->audio[0][i];
	}
	assert_true(fabsf(b->audio[0][2990]) + fabsf(b->audio[0][2963]) > 0.1f);
	assert_true(fabsf(b->audio[0][3241]) <= 0.0f);
	process_free(p);
	free(b);
}

static int read_text(const char *text, struct script *ret)
{
	char path[] = "echo-script-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	r = script_read(path, ret);
	unlink(path);
	return r;
}

static void test_script(void **state)
{
	struct netvst_block *b = make_block(64, 1);
	struct script s;

	assert_int_equal(read_text("# a tune\n10 on 1 60 100\n\n63\toff 16 60  # over\n64 cc 2 64 127\n"
				   "64 param 1 2 0.5\n200 bend 1 -8192\n201 raw 0xd0 5 0\n",
				 &s),
		0);
	script_fill(&s, 0, b);
	assert_int_equal(b->n_midi, 2);
	assert_int_equal(b->midi[0].frame, 10);
	assert_int_equal(b->midi[0].status, 0x90);
	assert_int_equal(b->midi[1].frame, 63);
	assert_int_equal(b->midi[1].status, 0x8f);
	script_fill(&s, 64, b);
	assert_int_equal(b->n_midi, 1);
	assert_int_equal(b->midi[0].frame, 0);
	assert_int_equal(b->n_params, 1);
	assert_int_equal(b->params[0].param, 2);
	script_fill(&s, 128, b);
	assert_int_equal(b->n_midi, 0);
	script_fill(&s, 192, b);
	assert_int_equal(b->n_midi, 2);
	assert_int_equal(b->midi[0].data1 | b->midi[0].data2, 0);
	assert_int_equal(b->midi[1].status, 0xd0);
	script_free(&s);
	free(b);
}

static void be_quiet(const struct log_entry *entry)
{
}

static void test_script_errors(void **state)
{
	static const char *const bad[] = {"10\n", "x on 1 60 100\n", "10 on 0 60 100\n", "10 on 17 60 100\n",
		"10 on 1 128 1\n", "10 on 1 60\n", "10 on 1 60 1 1\n", "10 play 1 2 3\n", "-1 on 1 60 1\n",
		"20 on 1 60 1\n10 off 1 60\n", "1 raw 0xf0 1 2\n", "1 bend 1 8192\n", "1 param 1 2 x\n"};
	struct script s;

	log_set_sink(be_quiet);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_true(read_text(bad[i], &s) < 0);
	}
	assert_true(script_read("/nonexistent", &s) < 0);
	log_set_sink(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter_values),
		cmocka_unit_test(test_counter_unbroken),
		cmocka_unit_test(test_counter_faults),
		cmocka_unit_test(test_counter_strangers),
		cmocka_unit_test(test_gain),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_synth),
		cmocka_unit_test(test_synth_pedal_and_ramp),
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_script_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
