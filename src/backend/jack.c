#include "backend/jack-internal.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static pthread_mutex_t error_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_error[JACK_ERROR_MAX] = "";

static void guard_begin(struct jack_guard *ret_guard)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ret_guard->state);
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &ret_guard->type);
}

/* A cancellation that came meanwhile ends the thread here. */
static void guard_end(const struct jack_guard *guard)
{
	pthread_setcanceltype(guard->type, NULL);
	pthread_setcancelstate(guard->state, NULL);
}

void jack_guarded_lock(pthread_mutex_t *lock, struct jack_guard *ret_guard)
{
	guard_begin(ret_guard);
	pthread_mutex_lock(lock);
}

void jack_guarded_unlock(pthread_mutex_t *lock, const struct jack_guard *guard)
{
	pthread_mutex_unlock(lock);
	guard_end(guard);
}

/*
 * libjack prints to stderr by default, again and again while there is no server. It calls this on its realtime thread
 * as well, which must not wait: a message that comes while another is read or written is lost, and does no harm.
 */
void jack_keep_error(const char *text)
{
	struct jack_guard guard;

	guard_begin(&guard);
	if (pthread_mutex_trylock(&error_lock) == 0) {
		snprintf(last_error, sizeof(last_error), "%s", text);
		pthread_mutex_unlock(&error_lock);
	}
	guard_end(&guard);
}

static void ignore_info(const char *text)
{
}

/* Libjack complains of much that nobody needs to know; what it said last is the reason only right after a failure. */
void jack_take_error(struct jack_backend *j)
{
	struct jack_guard guard;

	jack_guarded_lock(&error_lock, &guard);
	memcpy(j->why, last_error, sizeof(j->why));
	jack_guarded_unlock(&error_lock, &guard);
}

static struct jack_backend *jack_of(const struct backend *b)
{
	return container_of(b, struct jack_backend, base);
}

static const char *last_error_of(const struct backend *b)
{
	static char copy[JACK_ERROR_MAX];

	pthread_mutex_lock(&error_lock);
	memcpy(copy, jack_of(b)->why, sizeof(copy));
	pthread_mutex_unlock(&error_lock);
	return copy;
}

void jack_post(struct jack_backend *j, unsigned changes)
{
	uint64_t one = 1;

	atomic_fetch_or_explicit(&j->changes, changes, memory_order_release);
	(void)!write(j->fd, &one, sizeof(one));
}

void jack_wake(struct jack_backend *j, unsigned todo)
{
	struct jack_guard guard;

	jack_guarded_lock(&j->lock, &guard);
	j->todo |= todo;
	pthread_cond_signal(&j->wake);
	jack_guarded_unlock(&j->lock, &guard);
}

void jack_set_table(struct jack_backend *j)
{
	struct jack_table *table = calloc(1, sizeof(*table));
	struct jack_table *old;

	for (unsigned i = 0; table && i < j->n_groups; i++) {
		struct backend_group *group = j->groups[i];

		if (!group->removed) {
			table->groups[table->n_groups] = &group->rt;
			table->audio[table->n_groups++] = &group->rt.audio;
		}
	}
	old = atomic_exchange(&j->rt.table, table);
	if (old) {
		old->next = j->old_tables;
		j->old_tables = old;
	}
}

/* --- groups --- */

/* A copy, or NULL for NULL; false without memory. */
static bool copy(const char *s, const char *behind, char **ret)
{
	*ret = NULL;
	return !s || asprintf(ret, "%s%s", s, behind) >= 0;
}

/* The wishes of a group, copied first: without memory for all of them nothing changes. 0 or -ENOMEM. */
static int set_wishes(struct jack_backend *j, struct backend_group *group, const struct backend_ports *ports)
{
	char *in_label[AUDIO_CHANNELS] = {0}, *out_label[AUDIO_CHANNELS] = {0},
	     *connect[AUDIO_CHANNELS] = {0};
	bool good = true;

	for (unsigned k = 0; k < AUDIO_CHANNELS && good; k++) {
		good = copy(ports->labels[k], "", &in_label[k]) &&
		       copy(ports->labels[k], " (monitor)", &out_label[k]) &&
		       copy(ports->connect[k], "", &connect[k]);
	}
	pthread_mutex_lock(&j->lock);
	for (unsigned k = 0; k < AUDIO_CHANNELS && good; k++) {
		struct jack_channel *in = &group->in[k];

		in->want = ports->playback;
		group->out[k].want = ports->monitor;
		if (!in->connect || !connect[k] || strcmp(in->connect, connect[k]) != 0) {
			in->connect_done = false;
		}
		swap_text(&in->label, &in_label[k]);
		swap_text(&in->connect, &connect[k]);
		swap_text(&group->out[k].label, &out_label[k]);
	}
	pthread_mutex_unlock(&j->lock);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		free(in_label[k]);
		free(out_label[k]);
		free(connect[k]);
	}
	return good ? 0 : -ENOMEM;
}

static int jack_add_ports(
	struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group)
{
	struct jack_backend *j = jack_of(b);
	struct backend_group *group = calloc(1, sizeof(*group));
	int r;

	if (!group) {
		return -ENOMEM;
	}
	snprintf(group->name, sizeof(group->name), "%s", ports->name);
	group->rt.audio.owner = ports->owner;
	atomic_store(&group->latency_frames, ports->latency_frames);
	r = set_wishes(j, group, ports);
	pthread_mutex_lock(&j->lock);
	if (r >= 0 && j->n_groups == JACK_GROUPS_MAX) {
		r = -ENOSPC;
	}
	if (r >= 0) {
		j->groups[j->n_groups++] = group;
		jack_set_table(j);
	}
	pthread_mutex_unlock(&j->lock);
	if (r < 0) {
		jack_group_free(group);
		return r;
	}
	jack_wake(j, JACK_TODO_GROUPS);
	*ret_group = group;
	return 0;
}

static int jack_change_ports(
	struct backend *b, struct backend_group *group, const struct backend_ports *ports)
{
	int r = set_wishes(jack_of(b), group, ports);

	if (r >= 0) {
		jack_wake(jack_of(b), JACK_TODO_GROUPS);
	}
	return r;
}

static void jack_remove_ports(struct backend *b, struct backend_group *group)
{
	struct jack_backend *j = jack_of(b);

	pthread_mutex_lock(&j->lock);
	group->removed = true;
	jack_set_table(j);
	pthread_mutex_unlock(&j->lock);
	jack_wake(j, JACK_TODO_GROUPS);
}

static void jack_set_latency(struct backend *b, struct backend_group *group, uint32_t latency_frames)
{
	if (atomic_exchange(&group->latency_frames, latency_frames) != latency_frames) {
		jack_wake(jack_of(b), JACK_TODO_LATENCY);
	}
}

/* --- joining and leaving --- */

static void jack_start(struct backend *b)
{
	struct jack_backend *j = jack_of(b);

	pthread_mutex_lock(&j->lock);
	j->want = true;
	j->error = 0;
	j->state = BACKEND_WAITING;
	pthread_mutex_unlock(&j->lock);
	jack_wake(j, 0);
}

static void jack_run(struct backend *b)
{
	struct jack_backend *j = jack_of(b);

	pthread_mutex_lock(&j->lock);
	j->run = true;
	pthread_mutex_unlock(&j->lock);
	jack_wake(j, 0);
}

static void jack_stop(struct backend *b)
{
	struct jack_backend *j = jack_of(b);

	pthread_mutex_lock(&j->lock);
	j->want = false;
	pthread_mutex_unlock(&j->lock);
	jack_wake(j, 0);
}

/* --- connections --- */

static void give_links(const char *port, const struct jack_channel *channel, backend_link_fn fn, void *data)
{
	for (const struct jack_link *link = channel->links; link; link = link->next) {
		if (link->state != JACK_LINK_LOST) {
			fn(data, port, link->other);
		}
	}
}

static void port_name(const struct backend_group *group, bool in, unsigned k, char *ret_name, size_t size)
{
	snprintf(ret_name, size, "%s/%s_%u", group->name, in ? "playback" : "monitor", k + 1);
}

static void jack_get_links(struct backend *b, backend_link_fn fn, void *data)
{
	struct jack_backend *j = jack_of(b);
	char name[JACK_NAMES_MAX + 32];

	pthread_mutex_lock(&j->lock);
	for (unsigned i = 0; i < j->n_groups; i++) {
		for (unsigned k = 0; k < AUDIO_CHANNELS && !j->groups[i]->removed; k++) {
			port_name(j->groups[i], true, k, name, sizeof(name));
			give_links(name, &j->groups[i]->in[k], fn, data);
			port_name(j->groups[i], false, k, name, sizeof(name));
			give_links(name, &j->groups[i]->out[k], fn, data);
		}
	}
	pthread_mutex_unlock(&j->lock);
}

static void add_if_named(struct backend_group *group, const char *port, const char *other)
{
	char name[JACK_NAMES_MAX + 32];

	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		port_name(group, true, k, name, sizeof(name));
		if (strcmp(name, port) == 0) {
			(void)jack_link_add(&group->in[k], other, JACK_LINK_PENDING);
		}
		port_name(group, false, k, name, sizeof(name));
		if (strcmp(name, port) == 0) {
			(void)jack_link_add(&group->out[k], other, JACK_LINK_PENDING);
		}
	}
}

static void jack_add_link(struct backend *b, const char *port, const char *other)
{
	struct jack_backend *j = jack_of(b);

	pthread_mutex_lock(&j->lock);
	for (unsigned i = 0; i < j->n_groups; i++) {
		add_if_named(j->groups[i], port, other);
	}
	pthread_mutex_unlock(&j->lock);
	jack_wake(j, JACK_TODO_LINKS);
}

/* --- what control reads --- */

static int jack_fd(const struct backend *b)
{
	return jack_of(b)->fd;
}

static unsigned jack_dispatch(struct backend *b)
{
	struct jack_backend *j = jack_of(b);
	uint64_t count;

	(void)!read(j->fd, &count, sizeof(count));
	return atomic_exchange_explicit(&j->changes, 0, memory_order_acq_rel);
}

static void jack_get_info(struct backend *b, struct backend_info *ret_info)
{
	struct jack_backend *j = jack_of(b);
	uint64_t ended = atomic_load(&j->rt.ended);

	ret_info->in_cycle = atomic_load(&j->rt.begun) != ended;
	ret_info->cycles = ended;
	ret_info->rate_hz = atomic_load(&j->rt.rate_hz);
	ret_info->period_frames = atomic_load(&j->period_frames);
	ret_info->xruns = atomic_load(&j->rt.xruns);
	ret_info->freewheel = atomic_load(&j->rt.freewheel);
	pthread_mutex_lock(&j->lock);
	ret_info->state = j->state;
	ret_info->error = j->error;
	ret_info->rt_priority = j->rt_priority;
	ret_info->stuck_call = j->call;
	ret_info->stuck_ns = j->call ? now_ns() - j->call_ns : 0;
	pthread_mutex_unlock(&j->lock);
}

/* --- the whole --- */

static void free_all(struct jack_backend *j)
{
	for (unsigned i = 0; i < j->n_groups; i++) {
		jack_group_free(j->groups[i]);
	}
	free(atomic_load(&j->rt.table));
	pthread_cond_destroy(&j->wake);
	pthread_mutex_destroy(&j->lock);
	if (j->fd >= 0) {
		close(j->fd);
	}
	free(j);
}

static void jack_free_backend(struct backend *b)
{
	struct jack_backend *j = jack_of(b);

	pthread_mutex_lock(&j->lock);
	j->quit = true;
	pthread_mutex_unlock(&j->lock);
	jack_wake(j, 0);
	pthread_join(j->thread, NULL);
	free_all(j);
}

static const char *jack_kind(const struct backend *b)
{
	return "jack";
}

static void jack_describe(const struct backend *b, char *ret_text, size_t size)
{
	struct jack_backend *j = jack_of(b);

	pthread_mutex_lock(&j->lock);
	snprintf(ret_text, size, "JACK server \"%s\"", j->server);
	pthread_mutex_unlock(&j->lock);
}

static const struct backend_ops jack_ops = {
	.kind = jack_kind,
	.describe = jack_describe,
	.add_ports = jack_add_ports,
	.change_ports = jack_change_ports,
	.remove_ports = jack_remove_ports,
	.set_latency = jack_set_latency,
	.start = jack_start,
	.run = jack_run,
	.stop = jack_stop,
	.get_links = jack_get_links,
	.add_link = jack_add_link,
	.fd = jack_fd,
	.dispatch = jack_dispatch,
	.get_info = jack_get_info,
	.last_error = last_error_of,
	.free = jack_free_backend,
};

void backend_jack_set_names(struct backend *b, const char *client_name, const char *server)
{
	struct jack_backend *j = jack_of(b);

	pthread_mutex_lock(&j->lock);
	snprintf(j->client_name, sizeof(j->client_name), "%s", client_name);
	snprintf(j->server, sizeof(j->server), "%s", server);
	pthread_mutex_unlock(&j->lock);
}

int backend_jack_new(const char *client_name, const char *server, const struct backend_callbacks *callbacks,
	struct backend **ret_backend)
{
	struct jack_backend *j = mem_zalloc(CACHELINE_SIZE, sizeof(*j));
	pthread_condattr_t attr;
	int r;

	if (!j) {
		return -ENOMEM;
	}
	j->base.ops = &jack_ops;
	j->base.callbacks = *callbacks;
	j->rt.callbacks = *callbacks;
	pthread_mutex_init(&j->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&j->wake, &attr);
	pthread_condattr_destroy(&attr);
	backend_jack_set_names(&j->base, client_name, server);
	jack_set_error_function(jack_keep_error);
	jack_set_info_function(ignore_info);
	j->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = j->fd < 0 ? -errno : -pthread_create(&j->thread, NULL, jack_work, j);
	if (r < 0) {
		free_all(j);
		return r;
	}
	*ret_backend = &j->base;
	return 0;
}

bool backend_jack_is_pipewire(void)
{
	return strstr(jack_get_version_string(), "PipeWire") != NULL;
}
