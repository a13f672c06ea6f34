#include "net/netvst-internal.h"

#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STACK_BYTES (256 * 1024) /* libwavpack has some tables on it */
#define EVENTS_MAX 64
#define SLEEP_MAX_NS NSEC_PER_SEC
/* Who wants to be run so soon is run now: a wake-up costs more than looking too early does. */
#define TOGETHER_NS (20 * NSEC_PER_USEC)

static const struct netvst_times default_times = {
	.no_cycles_ns = 500 * NSEC_PER_MSEC,
	.connect_ns = 3 * NSEC_PER_SEC,
	.reply_ns = 5 * NSEC_PER_SEC,
	.retry_min_ns = 250 * NSEC_PER_MSEC,
	.retry_max_ns = 5 * NSEC_PER_SEC,
	.first_byte_ns = 5 * NSEC_PER_SEC,
	.block_ns = 2 * NSEC_PER_SEC,
	.write_ns = 5 * NSEC_PER_SEC,
	.idle_ns = 30 * NSEC_PER_SEC,
};

void netvst_io_lock(struct netvst_io *io)
{
	pthread_mutex_lock(&io->mutex);
}

void netvst_io_unlock(struct netvst_io *io)
{
	pthread_mutex_unlock(&io->mutex);
}

void netvst_io_add(struct netvst_io *io, struct netvst_task *task)
{
	task->io = io;
	task->fd = -1;
	task->due_ns = 0;
	task->next = io->tasks;
	io->tasks = task;
	(void)eventfd_write(io->wake_fd, 1);
}

void netvst_io_remove(struct netvst_task *task)
{
	struct netvst_task **at = &task->io->tasks;

	netvst_task_close(task);
	while (*at != task) {
		at = &(*at)->next;
	}
	*at = task->next;
	task->io->removals++;
}

int netvst_task_open(struct netvst_task *task, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = task};

	netvst_task_close(task);
	task->fd = fd;
	task->armed = events;
	task->ready = 0;
	if (epoll_ctl(task->io->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int r = -errno;

		netvst_task_close(task);
		return r;
	}
	return 0;
}

void netvst_task_watch(struct netvst_task *task, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = task};

	if (task->fd < 0 || task->armed == events) {
		return;
	}
	(void)epoll_ctl(task->io->epoll_fd, EPOLL_CTL_MOD, task->fd, &event);
	task->armed = events;
}

void netvst_task_close(struct netvst_task *task)
{
	if (task->fd >= 0) {
		close(task->fd);
		task->fd = -1;
		task->armed = 0;
		task->ready = 0;
	}
}

static int64_t run_tasks(struct netvst_io *io)
{
	int64_t now = now_ns(), next = now + SLEEP_MAX_NS;

	for (struct netvst_task *task = io->tasks; task; task = task->next) {
		if (task->ready || task->due_ns <= now + TOGETHER_NS) {
			task->due_ns = task->run(task, now);
			task->ready = 0;
		}
		next = MIN(next, task->due_ns);
	}
	return next;
}

static int wait_events(struct netvst_io *io, struct epoll_event events[EVENTS_MAX], int64_t until_ns)
{
	int64_t sleep_ns = MAX(until_ns - now_ns(), 0);
	struct timespec ts = {.tv_sec = sleep_ns / NSEC_PER_SEC, .tv_nsec = sleep_ns % NSEC_PER_SEC};
	struct pollfd poll = {.fd = io->epoll_fd, .events = POLLIN};
	int n;

	if (!io->no_pwait2) {
		n = epoll_pwait2(io->epoll_fd, events, EVENTS_MAX, &ts, NULL);
		/* A filter of system calls may be older than it, and says EPERM. */
		if (n >= 0 || errno == EINTR) {
			return n;
		}
		io->no_pwait2 = true;
	}
	n = ppoll(&poll, 1, &ts, NULL);
	return n > 0 ? epoll_wait(io->epoll_fd, events, EVENTS_MAX, 0) : n;
}

static void take_events(struct netvst_io *io, const struct epoll_event *events, int n)
{
	eventfd_t value;

	for (int i = 0; i < n; i++) {
		struct netvst_task *task = events[i].data.ptr;

		if (task) {
			task->ready |= events[i].events;
		} else {
			(void)eventfd_read(io->wake_fd, &value);
		}
	}
}

static void *io_main(void *data)
{
	struct netvst_io *io = data;
	struct epoll_event events[EVENTS_MAX];

	/* A tenth of what others have: 50 µs would be a good part of a round trip. */
	(void)prctl(PR_SET_TIMERSLACK, 5000, 0, 0, 0);
	netvst_io_lock(io);
	while (!io->stop) {
		int64_t until = run_tasks(io);
		uint64_t removals = io->removals;
		int n;

		netvst_io_unlock(io);
		n = wait_events(io, events, until);
		netvst_io_lock(io);
		io->wakeups++;
		/* Else they come once more: only what is ready is reported, and not just once. */
		if (removals == io->removals) {
			take_events(io, events, n);
		}
	}
	netvst_io_unlock(io);
	return NULL;
}

static int start_thread(struct netvst_io *io, const char *name)
{
	int r = thread_start(&io->thread, STACK_BYTES, io_main, io);

	if (r == 0) {
		(void)pthread_setname_np(io->thread, name);
	}
	return r;
}

static void init_mutex(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	(void)pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(mutex, &attr);
	pthread_mutexattr_destroy(&attr);
}

static void release(struct netvst_io *io)
{
	if (io->epoll_fd >= 0) {
		close(io->epoll_fd);
	}
	if (io->wake_fd >= 0) {
		close(io->wake_fd);
	}
	pthread_mutex_destroy(&io->mutex);
	free(io);
}

int netvst_io_new(const char *thread_name, struct netvst_io **ret_io)
{
	struct netvst_io *io = mem_zalloc(CACHELINE_SIZE, sizeof(*io));
	struct epoll_event event = {.events = EPOLLIN};
	int r = 0;

	if (!io) {
		return -ENOMEM;
	}
	io->times = default_times;
	init_mutex(&io->mutex);
	io->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	io->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (io->epoll_fd < 0 || io->wake_fd < 0 ||
		epoll_ctl(io->epoll_fd, EPOLL_CTL_ADD, io->wake_fd, &event) < 0) {
		r = -errno;
	}
	r = r < 0 ? r : start_thread(io, thread_name);
	if (r < 0) {
		release(io);
		return r;
	}
	*ret_io = io;
	return 0;
}

void netvst_io_free(struct netvst_io *io)
{
	if (!io) {
		return;
	}
	netvst_io_lock(io);
	io->stop = true;
	(void)eventfd_write(io->wake_fd, 1);
	netvst_io_unlock(io);
	pthread_join(io->thread, NULL);
	release(io);
}

int netvst_io_set_priority(struct netvst_io *io, int priority)
{
	struct sched_param param = {.sched_priority = priority};

	return -pthread_setschedparam(io->thread, priority > 0 ? SCHED_FIFO : SCHED_OTHER, &param);
}
