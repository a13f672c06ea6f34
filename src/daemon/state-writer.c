#include "daemon/state-writer.h"

#include "base/thread.h"
#include "daemon/state-file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_BYTES (64 * 1024)

static void *writer_main(void *data)
{
	struct state_writer *w = data;
	int r;

	pthread_mutex_lock(&w->mutex);
	for (;;) {
		while (!w->busy && !w->stop) {
			pthread_cond_wait(&w->cond, &w->mutex);
		}
		if (!w->busy) {
			break;
		}
		/* Busy: until it says what became of them, nobody else touches text and folder. */
		pthread_mutex_unlock(&w->mutex);
		r = state_file_write(w->folder_fd, w->text, w->len);
		free(w->text);
		pthread_mutex_lock(&w->mutex);
		w->result = r;
		w->busy = false;
		pthread_cond_broadcast(&w->cond);
		(void)eventfd_write(w->done_fd, 1);
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

static int writer_start(struct state_writer *w)
{
	int r = thread_start(&w->thread, STACK_BYTES, writer_main, w);

	w->started = r == 0;
	return r;
}

int state_writer_init(struct state_writer *w)
{
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->cond, NULL);
	w->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->done_fd < 0 ? -errno : writer_start(w);
}

void state_writer_fini(struct state_writer *w)
{
	if (w->started) {
		pthread_mutex_lock(&w->mutex);
		w->stop = true;
		pthread_cond_broadcast(&w->cond);
		pthread_mutex_unlock(&w->mutex);
		pthread_join(w->thread, NULL);
	}
	if (w->done_fd >= 0) {
		close(w->done_fd);
	}
	pthread_cond_destroy(&w->cond);
	pthread_mutex_destroy(&w->mutex);
}

void state_writer_give(struct state_writer *w, int folder_fd, char *text, size_t len)
{
	pthread_mutex_lock(&w->mutex);
	w->text = text;
	w->len = len;
	w->folder_fd = folder_fd;
	w->busy = true;
	pthread_cond_broadcast(&w->cond);
	pthread_mutex_unlock(&w->mutex);
}

bool state_writer_take(struct state_writer *w, bool wait, int *ret_result)
{
	bool ended;

	pthread_mutex_lock(&w->mutex);
	while (wait && w->busy) {
		pthread_cond_wait(&w->cond, &w->mutex);
	}
	ended = !w->busy;
	*ret_result = w->result;
	pthread_mutex_unlock(&w->mutex);
	return ended;
}
