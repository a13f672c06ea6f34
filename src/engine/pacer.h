/*
 * Spreads the frames of a long period over that period. A box can hold 128 blocks; a period of 1024 frames
 * and more brings as many or more at once. RT then only fills the ring and writes down when each row of
 * blocks is due; a thread of the pacer's own marks and kicks them.
 *
 * Where periods vary, RT marks and kicks by itself while pacer_idle_rt() (pacer-rt.h) says that nothing waits.
 *
 * Ownership: control makes and frees it; it must be out of the plan, and RT past it, before it is freed.
 */
#ifndef ENGINE_PACER_H
#define ENGINE_PACER_H

#include <stdbool.h>
#include <stdint.h>

struct pacer;
struct pktring;

/* Control thread. The thread is not started yet. 0 or -ENOMEM. */
int pacer_new(struct pktring *ring, struct pacer **ret_pacer);
/* Stops the thread and frees; NULL is allowed. Control thread. */
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
/*
 * Sends what is due. The pacer's thread calls it; a simulation may in its place. Returns when the next is
 * due, INT64_MAX where nothing waits. RT safe but for the kick.
 */
int64_t pacer_run_rt(struct pacer *pacer, int64_t now_ns);

#endif
