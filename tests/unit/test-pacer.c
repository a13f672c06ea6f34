/* The thread that sends: it sleeps until it is woken or something is due, and then all goes, in order, and not before. */
#include "engine/pacer-rt.h"
#include "engine/pacer.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SLOTS 64
/* Nothing takes so long, even here. */
#define PATIENCE_S 20

struct rig {
	struct pktring *ring;
	struct pacer *pacer;
	struct kick_report report;
	sem_t sent;
	uint32_t next;	   /* what the next frame should carry: sending thread's */
	uint32_t wrong;	   /* frames out of order */
	int64_t last_ns;   /* when the last one went */
	uint32_t to_write; /* what the next frame will carry */
};

static void on_frame(void *data, const uint8_t *frame, size_t len)
{
	struct rig *rig = data;
	uint32_t number;

	memcpy(&number, frame, sizeof(number));
	rig->wrong += number != rig->next || len != PKTRING_FRAME_MAX;
	rig->next = number + 1;
	rig->last_ns = now_ns();
	sem_post(&rig->sent);
}

static struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	bool realtime;

	assert_non_null(rig);
	sem_init(&rig->sent, 0, 0);
	assert_int_equal(pktring_open_mem(SLOTS, 4, on_frame, rig, &rig->ring), 0);
	assert_int_equal(pacer_new(rig->ring, &rig->report, &rig->pacer), 0);
	assert_int_equal(pacer_start(rig->pacer, 0, &realtime), 0);
	assert_false(realtime);
	return rig;
}

static void rig_free(struct rig *rig)
{
	assert_int_equal(rig->wrong, 0);
	pacer_free(rig->pacer);
	pktring_free(rig->ring);
	sem_destroy(&rig->sent);
	free(rig);
}

static void fill(struct rig *rig, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *frame = pktring_tx_next_rt(rig->ring);

		assert_non_null(frame);
		memset(frame, 0, PKTRING_FRAME_MAX);
		memcpy(frame, &rig->to_write, sizeof(rig->to_write));
		rig->to_write++;
		pktring_tx_fill_rt(rig->ring, PKTRING_FRAME_MAX, (uint8_t)(i % PKTRING_OWNERS));
	}
}

static void send_by_pacer(struct rig *rig, uint32_t n, int64_t due_ns)
{
	fill(rig, n);
	pacer_schedule_rt(rig->pacer, n, due_ns);
}

static void wait_for_frames(struct rig *rig, uint32_t n)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S;
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(sem_clockwait(&rig->sent, CLOCK_MONOTONIC, &until), 0);
	}
}

static void wait_until_asleep(struct rig *rig)
{
	int64_t until_ns = now_ns() + PATIENCE_S * NSEC_PER_SEC;

	while (!atomic_load(&rig->pacer->asleep)) {
		assert_true(now_ns() < until_ns);
		sched_yield();
	}
}

static void test_wakes(void **state)
{
	struct rig *rig = rig_new();

	for (uint32_t i = 1; i <= 200; i++) {
		wait_until_asleep(rig);
		assert_true(pacer_idle_rt(rig->pacer));
		send_by_pacer(rig, i % 5 + 1, now_ns());
		assert_false(pacer_idle_rt(rig->pacer));
		pacer_wake_rt(rig->pacer);
		wait_for_frames(rig, i % 5 + 1);
	}
	wait_until_asleep(rig);
	assert_int_equal(rig->report.kicks, 200);
	assert_int_equal(pacer_waiting(rig->pacer), 0);
	rig_free(rig);
}

/* Whoever sleeps is woken by nothing but pacer_wake_rt(), and by that only if there is something new. */
static void test_sleeps(void **state)
{
	struct rig *rig = rig_new();
	int value;

	wait_until_asleep(rig);
	pacer_wake_rt(rig->pacer);
	assert_int_equal(sem_getvalue(&rig->pacer->wake, &value), 0);
	assert_int_equal(value, 0);
	assert_true(atomic_load(&rig->pacer->asleep));
	send_by_pacer(rig, 1, 0);
	assert_true(atomic_load(&rig->pacer->asleep));
	assert_int_equal(rig->next, 0);
	pacer_wake_rt(rig->pacer);
	wait_for_frames(rig, 1);
	rig_free(rig);
}

/* RT comes again and again just when the thread is falling asleep: nothing is left lying. */
static void test_races(void **state)
{
	struct rig *rig = rig_new();
	unsigned seed = 1;

	for (uint32_t i = 0; i < 50000; i++) {
		send_by_pacer(rig, 1, 0);
		pacer_wake_rt(rig->pacer);
		wait_for_frames(rig, 1);
		for (int spin = rand_r(&seed) % 300; spin > 0; spin--) {
			__asm__ volatile("" ::: "memory");
		}
	}
	rig_free(rig);
}

static void test_not_before_it_is_due(void **state)
{
	struct rig *rig = rig_new();

	for (unsigned i = 0; i < 5; i++) {
		int64_t due = now_ns() + 3 * NSEC_PER_MSEC;

		send_by_pacer(rig, 2, now_ns());
		send_by_pacer(rig, 3, due);
		pacer_wake_rt(rig->pacer);
		wait_for_frames(rig, 5);
		assert_true(rig->last_ns >= due);
		wait_until_asleep(rig);
	}
	/* Where the thread was late, one kick may have sent both. */
	assert_in_range(rig->report.kicks, 5, 10);
	rig_free(rig);
}

/* What is due when it ends still goes; what is not does not. */
static void test_end(void **state)
{
	struct rig *rig = rig_new();

	wait_until_asleep(rig);
	send_by_pacer(rig, 4, now_ns());
	send_by_pacer(rig, 3, now_ns() + 3600 * NSEC_PER_SEC);
	pacer_free(rig->pacer);
	rig->pacer = NULL;
	assert_int_equal(rig->next, 4);
	rig_free(rig);
}

/* A kick that fails is repeated by itself, and what could not go is counted for its owners. */
static void test_failures(void **state)
{
	struct rig *rig = rig_new();
	int64_t until_ns = now_ns() + PATIENCE_S * NSEC_PER_SEC;

	pktring_mem_fail(rig->ring, ENETDOWN);
	send_by_pacer(rig, 2, 0);
	pacer_wake_rt(rig->pacer);
	while (atomic_load(&rig->report.errors) < 5) {
		assert_true(now_ns() < until_ns);
		sched_yield();
	}
	assert_int_equal(rig->report.last_error, ENETDOWN);
	assert_int_equal(rig->pacer->drops[0], 1);
	assert_int_equal(rig->pacer->drops[1], 1);
	assert_false(pacer_idle_rt(rig->pacer));
	pktring_mem_fail(rig->ring, 0);
	wait_until_asleep(rig);
	assert_true(pacer_idle_rt(rig->pacer));
	assert_int_equal(rig->next, 0);
	rig->next = rig->to_write;
	send_by_pacer(rig, 1, 0);
	pacer_wake_rt(rig->pacer);
	wait_for_frames(rig, 1);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wakes),
		cmocka_unit_test(test_sleeps),
		cmocka_unit_test(test_races),
		cmocka_unit_test(test_not_before_it_is_due),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests_name("pacer", tests, NULL, NULL);
}
