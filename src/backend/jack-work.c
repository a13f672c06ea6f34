#include "backend/jack-internal.h"

#include <errno.h>
#include <jack/thread.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define RETRY_NS (250 * NSEC_PER_MSEC)
/* How long a callback may take before nobody waits for its end any more: it has crashed or hangs. */
#define RT_WAIT_NS (500 * NSEC_PER_MSEC)
/* The same for libjack's thread after the server's end; not so long that the call after it counts as one that hangs. */
#define SHUTDOWN_WAIT_NS (2 * NSEC_PER_SEC)

void jack_call_begin(struct jack_backend *j, const char *name)
{
	pthread_mutex_lock(&j->lock);
	j->call = name;
	j->call_ns = now_ns();
	pthread_mutex_unlock(&j->lock);
}

void jack_call_end(struct jack_backend *j)
{
	pthread_mutex_lock(&j->lock);
	j->call = NULL;
	pthread_mutex_unlock(&j->lock);
}

struct backend_group *jack_group(struct jack_backend *j, unsigned i)
{
	struct backend_group *group;

	pthread_mutex_lock(&j->lock);
	group = i < j->n_groups ? j->groups[i] : NULL;
	pthread_mutex_unlock(&j->lock);
	return group;
}

static bool wait_ended(struct jack_backend *j, uint64_t cycles)
{
	int64_t until = now_ns() + RT_WAIT_NS;

	while (atomic_load_explicit(&j->rt.ended, memory_order_acquire) < cycles) {
		struct timespec ts = {.tv_nsec = 50 * NSEC_PER_USEC};

		if (now_ns() >= until) {
			return false;
		}
		nanosleep(&ts, NULL);
	}
	return true;
}

bool jack_wait_rt(struct jack_backend *j)
{
	return wait_ended(j, atomic_load(&j->rt.begun));
}

bool jack_wait_cycle(struct jack_backend *j)
{
	return wait_ended(j, atomic_load(&j->rt.begun) + 1);
}

static void set_state(struct jack_backend *j, enum backend_state state)
{
	pthread_mutex_lock(&j->lock);
	j->state = state;
	pthread_mutex_unlock(&j->lock);
	jack_post(j, BACKEND_CHANGED_STATE);
}

/* --- what libjack's notification thread calls --- */

static int on_buffer_size(jack_nframes_t nframes, void *data)
{
	struct jack_backend *j = data;

	atomic_store_explicit(&j->period_frames, nframes, memory_order_relaxed);
	jack_post(j, BACKEND_CHANGED_PERIOD);
	return 0;
}

static int on_sample_rate(jack_nframes_t rate_hz, void *data)
{
	struct jack_backend *j = data;

	atomic_store_explicit(&j->rt.rate_hz, rate_hz, memory_order_relaxed);
	jack_post(j, BACKEND_CHANGED_RATE);
	return 0;
}

static int on_xrun(void *data)
{
	struct jack_backend *j = data;

	atomic_fetch_add_explicit(&j->rt.xruns, 1, memory_order_relaxed);
	jack_post(j, BACKEND_CHANGED_XRUN);
	return 0;
}

static void on_freewheel(int starting, void *data)
{
	struct jack_backend *j = data;

	atomic_store_explicit(&j->rt.freewheel, starting != 0, memory_order_relaxed);
	jack_post(j, BACKEND_CHANGED_FREEWHEEL);
}

static void on_port(jack_port_id_t id, int registered, void *data)
{
	struct jack_backend *j = data;
	jack_port_t *port = registered ? jack_port_by_id(j->client, id) : NULL;
	const char *name = port ? jack_port_name(port) : NULL;

	if (name) {
		struct jack_guard guard;

		jack_guarded_lock(&j->lock, &guard);
		jack_links_appeared(j, name);
		jack_guarded_unlock(&j->lock, &guard);
	}
	jack_wake(j, JACK_TODO_PORTS);
}

static void on_connect(jack_port_id_t a, jack_port_id_t b, int connected, void *data)
{
	jack_wake(data, JACK_TODO_LINKS);
}

static void on_shutdown(jack_status_t status, const char *reason, void *data)
{
	struct jack_backend *j = data;

	jack_keep_error(reason);
	jack_take_error(j);
	atomic_store(&j->gone_tid, gettid());
	atomic_store(&j->gone, true);
	jack_wake(j, 0);
}

/* --- joining and leaving --- */

static int set_callbacks(struct jack_backend *j)
{
	jack_on_info_shutdown(j->client, on_shutdown, j);
	if (jack_set_process_thread(j->client, jack_backend_thread_rt, &j->rt) ||
		jack_set_buffer_size_callback(j->client, on_buffer_size, j) ||
		jack_set_sample_rate_callback(j->client, on_sample_rate, j) ||
		jack_set_xrun_callback(j->client, on_xrun, j) ||
		jack_set_freewheel_callback(j->client, on_freewheel, j) ||
		jack_set_port_registration_callback(j->client, on_port, j) ||
		jack_set_port_connect_callback(j->client, on_connect, j) ||
		jack_set_latency_callback(j->client, jack_latency, j)) {
		return -EIO;
	}
	return 0;
}

static int open_client(struct jack_backend *j)
{
	jack_options_t options = JackNoStartServer | JackUseExactName;
	char client_name[JACK_NAMES_MAX], server[JACK_NAMES_MAX];
	jack_status_t status = 0;

	pthread_mutex_lock(&j->lock);
	strcpy(client_name, j->client_name);
	strcpy(server, j->server);
	pthread_mutex_unlock(&j->lock);
	atomic_store(&j->gone, false);
	jack_call_begin(j, "jack_client_open");
	if (strcmp(server, "default") == 0) {
		j->client = jack_client_open(client_name, options, &status);
	} else {
		j->client = jack_client_open(client_name, options | JackServerName, &status, server);
	}
	jack_call_end(j);
	if (!j->client) {
		jack_take_error(j);
		if (status & JackNameNotUnique) {
			return -EEXIST;
		}
		return status & JackServerFailed ? -ECONNREFUSED : -EIO;
	}
	atomic_store(&j->rt.client, j->client);
	atomic_store(&j->rt.rate_hz, jack_get_sample_rate(j->client));
	atomic_store(&j->period_frames, jack_get_buffer_size(j->client));
	atomic_store(&j->rt.freewheel, false);
	pthread_mutex_lock(&j->lock);
	j->rt_priority = MAX(jack_client_real_time_priority(j->client), 0);
	pthread_mutex_unlock(&j->lock);
	return 0;
}

/*
 * A server that ends says so first, and then takes its clients away one by one. libjack's thread that is told all that
 * must not be ended in the middle of it, as closing would: it may hold libjack's own locks, for which closing waits. It
 * ends by itself when the server has closed its socket.
 */
static void wait_for_shutdown(struct jack_backend *j)
{
	pid_t tid = atomic_load(&j->gone_tid);
	int64_t until = now_ns() + SHUTDOWN_WAIT_NS;
	struct timespec ts = {.tv_nsec = NSEC_PER_MSEC};

	while (atomic_load(&j->gone) && tgkill(getpid(), tid, 0) == 0 && now_ns() < until) {
		nanosleep(&ts, NULL);
	}
}

static void close_client(struct jack_backend *j)
{
	wait_for_shutdown(j);
	jack_links_lost(j);
	jack_ports_forget(j);
	jack_call_begin(j, "jack_client_close");
	jack_client_close(j->client);
	jack_call_end(j);
	j->client = NULL;
	/* Closing may have ended the thread in the middle of a callback. */
	atomic_store(&j->rt.ended, atomic_load(&j->rt.begun));
}

/* Whatever state joining had reached. */
static void leave(struct jack_backend *j)
{
	if (j->client) {
		set_state(j, BACKEND_LEAVING);
		if (j->active && !atomic_load(&j->gone)) {
			jack_call_begin(j, "jack_deactivate");
			jack_deactivate(j->client);
			jack_call_end(j);
		}
		j->active = false;
		j->links_again = false;
		close_client(j);
	}
	pthread_mutex_lock(&j->lock);
	j->want = false;
	j->run = false;
	pthread_mutex_unlock(&j->lock);
	set_state(j, BACKEND_OFF);
}

/* Up to READY. 0, or -errno: try again later. */
static int join(struct jack_backend *j)
{
	int r = open_client(j);

	if (r < 0) {
		return r;
	}
	r = set_callbacks(j);
	if (r >= 0 && !j->no_ports) {
		set_state(j, BACKEND_OPEN);
	}
	if (r >= 0) {
		r = jack_ports_update(j);
	}
	j->no_ports = r < 0 || atomic_load(&j->gone);
	if (j->no_ports) {
		close_client(j);
		return r < 0 ? r : -ECONNREFUSED;
	}
	set_state(j, BACKEND_READY);
	return 0;
}

static void activate(struct jack_backend *j)
{
	int r;

	jack_call_begin(j, "jack_activate");
	r = jack_activate(j->client);
	jack_call_end(j);
	if (r != 0) {
		leave(j);
		return;
	}
	j->active = true;
	set_state(j, BACKEND_JOINED);
	jack_links_update(j);
}

static void tend(struct jack_backend *j, unsigned todo)
{
	if (todo & JACK_TODO_GROUPS) {
		(void)jack_ports_update(j);
	}
	if ((todo & JACK_TODO_LATENCY) && j->active) {
		jack_call_begin(j, "jack_recompute_total_latencies");
		jack_recompute_total_latencies(j->client);
		jack_call_end(j);
	}
	if (todo && j->active) {
		jack_links_update(j);
	}
}

static void free_old_tables(struct jack_backend *j)
{
	struct jack_table *old;

	pthread_mutex_lock(&j->lock);
	old = j->old_tables;
	j->old_tables = NULL;
	pthread_mutex_unlock(&j->lock);
	if (old && !jack_wait_rt(j)) {
		return; /* a callback that hangs holds it for ever */
	}
	while (old) {
		struct jack_table *next = old->next;

		free(old);
		old = next;
	}
}

static void wait_for_work(struct jack_backend *j, bool retry)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += RETRY_NS;
	until.tv_sec += until.tv_nsec / NSEC_PER_SEC;
	until.tv_nsec %= NSEC_PER_SEC;
	if (retry) {
		(void)pthread_cond_timedwait(&j->wake, &j->lock, &until);
	} else {
		(void)pthread_cond_wait(&j->wake, &j->lock);
	}
}

static void failed(struct jack_backend *j, int error)
{
	pthread_mutex_lock(&j->lock);
	j->error = error;
	pthread_mutex_unlock(&j->lock);
	set_state(j, BACKEND_WAITING);
}

/* With the lock held. */
static bool is_off(const struct jack_backend *j)
{
	return !j->want && !j->client && j->state == BACKEND_OFF;
}

/* With the lock held. */
static bool idle(const struct jack_backend *j)
{
	if (j->quit || j->todo || j->old_tables) {
		return false;
	}
	if (!j->want) {
		return is_off(j);
	}
	return j->client && !atomic_load(&j->gone) && (!j->run || j->active);
}

void *jack_work(void *data)
{
	struct jack_backend *j = data;
	bool retry = false;

	for (;;) {
		bool want, run, quit, off;
		unsigned todo;
		int r;

		pthread_mutex_lock(&j->lock);
		while (retry ? !j->quit && j->want && !j->todo : idle(j)) {
			bool again = j->links_again;

			wait_for_work(j, retry || again);
			j->todo |= again ? JACK_TODO_LINKS : 0;
			retry = false;
		}
		want = j->want;
		run = j->run;
		quit = j->quit;
		off = is_off(j);
		todo = j->todo;
		j->todo = 0;
		pthread_mutex_unlock(&j->lock);

		if (quit) {
			break;
		}
		tend(j, todo);
		free_old_tables(j);
		if (off) {
			continue;
		}
		if (!want || (j->client && atomic_load(&j->gone))) {
			leave(j);
		} else if (!j->client) {
			r = join(j);
			retry = r < 0;
			if (r < 0) {
				failed(j, r);
			}
		} else if (run && !j->active) {
			activate(j);
		}
	}
	leave(j);
	free_old_tables(j);
	return NULL;
}
