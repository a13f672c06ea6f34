/*
 * The thread that writes the state file, one text at a time: a disk may take seconds, and the control thread must not
 * wait for it.
 *
 * Ownership: embedded in struct state. Control thread only; what is inside is shared as written below.
 */
#ifndef DAEMON_STATE_WRITER_H
#define DAEMON_STATE_WRITER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct state_writer {
	pthread_t thread;
	pthread_mutex_t mutex; /* of stop, busy and result */
	pthread_cond_t cond;   /* stop or busy has changed */
	bool started;
	bool stop;
	bool busy; /* from when a text is given until it is written; meanwhile these are the thread's: */
	char *text;
	size_t len;
	int folder_fd;
	int result;
	int done_fd; /* eventfd: readable when a text has been written */
};

/* Of zeros. 0 or -errno; then, too, state_writer_fini() is to be called. */
int state_writer_init(struct state_writer *w);
/* Waits until what was given is written. */
void state_writer_fini(struct state_writer *w);

/* Takes text over and has it written to the folder, which stays open meanwhile. Only if nothing is being written. */
void state_writer_give(struct state_writer *w, int folder_fd, char *text, size_t len);
/* True: it has ended, with 0 or -errno in *ret_result. wait: until it has. */
bool state_writer_take(struct state_writer *w, bool wait, int *ret_result);

#endif
