/*
 * Threads beside the control thread. Signals are that one's, so they have them all blocked; and with memory locked, a stack of the
 * usual size would be megabytes. Header only; control threads.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

/* 0 or -errno. */
static inline int thread_start(
	pthread_t *ret_thread, size_t stack_bytes, void *(*main_fn)(void *), void *data)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack_bytes);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret_thread, &attr, main_fn, data);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

#endif
