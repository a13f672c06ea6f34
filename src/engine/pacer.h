/*
 * A thread that sends what RT has filled into a ring, so that RT need not. It is there for two reasons:
 *
 * - to spread the frames of a long period over that period. A box can hold 128 blocks; a period of 1024 frames and more
 *   brings as many or more at once. RT writes down when each row of blocks is due.
 * - where many frames go in each cycle: the kernel takes a microsecond or so for each, on another core then. All of them are
 *   due at once.
 *
 * RT fills, schedules, and wakes the thread at the end (one system call, and none while the thread is at work anyway); the thread marks and
 * kicks. RT may mark and kick by itself while pacer_idle_rt() (pacer-rt.h) says that nothing waits.
 *
 * Ownership: control makes and frees it; it must be out of the plan, and RT past it, before it is freed.
 */
#ifndef ENGINE_PACER_H
#define ENGINE_PACER_H

#include <stdbool.h>
#include <stdint.h>

struct kick_report;
struct pacer;
struct pktring;

/* Control thread. The thread is not started yet. report gets each kick. 0 or -ENOMEM. */
int pacer_new(struct pktring *ring, struct kick_report *report, struct pacer **ret_pacer);
/* Sends what is due, stops the thread and frees; NULL is allowed. Control thread. */
void pacer_free(struct pacer *pacer);
/*
 * Starts the thread with SCHED_FIFO and this priority, or without where that is refused (*ret_realtime says
 * which). 0 or -errno. Control thread.
 */
int pacer_start(struct pacer *pacer, int priority, bool *ret_realtime);

/* Slots that wait to be due. Control thread. */
uint64_t pacer_waiting(const struct pacer *pacer);

/* RT: the next n slots of the ring are due at due_ns (CLOCK_MONOTONIC). RT safe. */
void pacer_schedule_rt(struct pacer *pacer, uint32_t n, int64_t due_ns);
/* RT: tells the thread of what has been scheduled, if it waits for that. RT safe but for this one system call. */
void pacer_wake_rt(struct pacer *pacer);
/*
 * Sends what is due. The pacer's thread calls it; a simulation may in its place. Returns when there is something to do
 * again, INT64_MAX where nothing waits. RT safe but for the kick.
 */
int64_t pacer_run_rt(struct pacer *pacer, int64_t now_ns);

#endif
