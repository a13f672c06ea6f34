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

void jack_guard_begin(struct jack_guard *ret_guard)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ret_guard->state);
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &ret_guard->type);
}

void jack_guard_end(const struct jack_guard *guard)
{
	pthread_setcanceltype(guard->type, NULL);
	pthread_setcancelstate(guard->state, NULL);
}

void jack_guarded_lock(pthread_mutex_t *lock, struct jack_guard *ret_guard)
{
	jack_guard_begin(ret_guard);
	pthread_mutex_lock(lock);
}

void jack_guarded_unlock(pthread_mutex_t *lock, const struct jack_guard *guard)
{
	pthread_mutex_unlock(lock);
	jack_guard_end(guard);
}

/*
 * libjack prints to stderr by default, again and again while there is no server. It calls this on its realtime thread
 * as well, which must not wait: a message that comes while another is read or written is lost, and does no harm.
 */
void jack_keep_error(const char *text)
{
	struct jack_guard guard;

	jack_guard_begin(&guard);
	if (pthread_mutex_trylock(&error_lock) == 0) {
		snprintf(last_error, sizeof(last_error), "%s", text);
		pthread_mutex_unlock(&error_lock);
	}
	jack_guard_end(&guard);
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

static void add_to_table(struct jack_table *table, struct backend_group *group)
{
	if (group->rt.insert) {
		if (group->removed) {
			table->silent[table->n_silent++] = &group->rt;
		} else {
			table->inserts[table->n_inserts++] = &group->rt;
		}
	} else if (!group->removed) {
		table->groups[table->n_groups] = &group->rt;
		table->audio[table->n_groups++] = &group->rt.audio;
	}
}

void jack_set_table(struct jack_backend *j)
{
	struct jack_table *table = calloc(1, sizeof(*table));
	struct jack_table *old;

	for (unsigned i = 0; table && i < j->n_groups; i++) {
		add_to_table(table, j->groups[i]);
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

struct wish {
	bool want;
	char *label;
	char *connect;
};

static bool set_wish(
	struct wish *ret_wish, bool want, const char *label, const char *behind, const char *connect)
{
	ret_wish->want = want;
	return copy(label, behind, &ret_wish->label) && copy(connect, "", &ret_wish->connect);
}

static bool device_wishes(
	const struct backend_ports *ports, struct wish in[AUDIO_CHANNELS], struct wish out[AUDIO_CHANNELS])
{
	bool good = true;

	for (unsigned k = 0; k < AUDIO_CHANNELS && good; k++) {
		good = set_wish(&in[k], ports->playback, ports->labels[k], "", ports->connect[k]) &&
		       set_wish(&out[k], ports->monitor, ports->labels[k], " (monitor)", NULL);
	}
	return good;
}

static bool insert_wishes(
	const struct backend_ports *ports, struct wish in[AUDIO_CHANNELS], struct wish out[AUDIO_CHANNELS])
{
	const struct backend_insert_ports *insert = ports->insert;
	bool good = true;

	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS && good; k++) {
		good = set_wish(&in[k], insert->in[k], ports->labels[k], "", insert->connect_in[k]) &&
		       set_wish(&out[k], insert->out[k], ports->labels[k], "", insert->connect_out[k]);
	}
	in[JACK_INSERT_MIDI].want = insert->midi_in;
	out[JACK_INSERT_MIDI].want = insert->midi_out;
	return good;
}

/* What was there before is left in wish. With the lock held. */
static void take_wish(struct jack_channel *channel, struct wish *wish)
{
	channel->want = wish->want;
	if (!channel->connect || !wish->connect || strcmp(channel->connect, wish->connect) != 0) {
		channel->connect_done = false;
	}
	swap_text(&channel->label, &wish->label);
	swap_text(&channel->connect, &wish->connect);
}

/* The wishes of a group, copied first: without memory for all of them nothing changes. 0 or -ENOMEM. */
static int set_wishes(struct jack_backend *j, struct backend_group *group, const struct backend_ports *ports)
{
	struct wish in[AUDIO_CHANNELS] = {0}, out[AUDIO_CHANNELS] = {0};
	bool good = ports->insert ? insert_wishes(ports, in, out) : device_wishes(ports, in, out);

	pthread_mutex_lock(&j->lock);
	for (unsigned k = 0; k < AUDIO_CHANNELS && good; k++) {
		take_wish(&group->in[k], &in[k]);
		take_wish(&group->out[k], &out[k]);
	}
	if (good) {
		group->through = ports->insert && ports->insert->through;
	}
	pthread_mutex_unlock(&j->lock);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		struct wish *both[] = {&in[k], &out[k]};

		for (unsigned i = 0; i < ARRAY_SIZE(both); i++) {
			free(both[i]->label);
			free(both[i]->connect);
		}
	}
	return good ? 0 : -ENOMEM;
}

static bool name_device(struct backend_group *group, const char *name)
{
	bool good = true;

	for (unsigned k = 0; k < AUDIO_CHANNELS && good; k++) {
		char text[JACK_NAMES_MAX + 32];

		snprintf(text, sizeof(text), "%s/playback_%u", name, k + 1);
		good = copy(text, "", &group->in[k].name);
		snprintf(text, sizeof(text), "%s/monitor_%u", name, k + 1);
		good = good && copy(text, "", &group->out[k].name);
	}
	return good;
}

/* NULL stays NULL. */
static bool name_port(const char *name, const char *port, char **ret_name)
{
	return !port || asprintf(ret_name, "%s/%s", name, port) >= 0;
}

static bool name_insert(
	struct backend_group *group, const char *name, const struct backend_insert_ports *insert)
{
	bool good = name_port(name, insert->midi_in, &group->in[JACK_INSERT_MIDI].name) &&
		    name_port(name, insert->midi_out, &group->out[JACK_INSERT_MIDI].name);

	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS && good; k++) {
		good = name_port(name, insert->in[k], &group->in[k].name) &&
		       name_port(name, insert->out[k], &group->out[k].name);
	}
	return good;
}

/* Not known to anybody yet. 0 or -ENOMEM. */
static int new_group(
	struct jack_backend *j, const struct backend_ports *ports, struct backend_group **ret_group)
{
	struct backend_group *group = calloc(1, sizeof(*group));
	bool good = group;

	if (good && ports->insert) {
		group->rt.insert = calloc(1, sizeof(*group->rt.insert));
		good = group->rt.insert && name_insert(group, ports->name, ports->insert);
	} else if (good) {
		good = name_device(group, ports->name);
	}
	if (!good || set_wishes(j, group, ports) < 0) {
		jack_group_free(group);
		return -ENOMEM;
	}
	group->rt.audio.owner = ports->owner;
	if (group->rt.insert) {
		group->rt.insert->owner = ports->owner;
	}
	atomic_store(&group->latency_frames, ports->latency_frames);
	*ret_group = group;
	return 0;
}

/* An insert's ports have a latency as soon as they are there, or another one when what is wished changes. */
static void wake_for(struct jack_backend *j, const struct backend_ports *ports)
{
	jack_wake(j, JACK_TODO_GROUPS | (ports->insert ? JACK_TODO_LATENCY : 0));
}

static int jack_add_ports(
	struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group)
{
	struct jack_backend *j = jack_of(b);
	struct backend_group *group = NULL;
	int r = new_group(j, ports, &group);

	if (r < 0) {
		return r;
	}
	pthread_mutex_lock(&j->lock);
	if (j->n_groups < JACK_GROUPS_MAX) {
		j->groups[j->n_groups++] = group;
		jack_set_table(j);
	} else {
		r = -ENOSPC;
	}
	pthread_mutex_unlock(&j->lock);
	if (r < 0) {
		jack_group_free(group);
		return r;
	}
	wake_for(j, ports);
	*ret_group = group;
	return 0;
}

static int jack_change_ports(
	struct backend *b, struct backend_group *group, const struct backend_ports *ports)
{
	int r = set_wishes(jack_of(b), group, ports);

	if (r >= 0) {
		wake_for(jack_of(b), ports);
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

static void give_links(const struct jack_channel *channel, backend_link_fn fn, void *data)
{
	for (const struct jack_link *link = channel->links; link; link = link->next) {
		if (link->state != JACK_LINK_LOST) {
			fn(data, channel->name, link->other);
		}
	}
}

static void jack_get_links(struct backend *b, backend_link_fn fn, void *data)
{
	struct jack_backend *j = jack_of(b);

	pthread_mutex_lock(&j->lock);
	for (unsigned i = 0; i < j->n_groups; i++) {
		for (unsigned k = 0; k < AUDIO_CHANNELS && !j->groups[i]->removed; k++) {
			give_links(&j->groups[i]->in[k], fn, data);
			give_links(&j->groups[i]->out[k], fn, data);
		}
	}
	pthread_mutex_unlock(&j->lock);
}

static void add_if_named(struct backend_group *group, const char *port, const char *other)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		struct jack_channel *both[] = {&group->in[k], &group->out[k]};

		for (unsigned i = 0; i < ARRAY_SIZE(both); i++) {
			if (both[i]->name && strcmp(both[i]->name, port) == 0) {
				(void)jack_link_add(both[i], other, JACK_LINK_PENDING);
			}
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
	/* JACK2 is 1.9.x; JACK1 and PipeWire have a lock around their lists of connections. */
	j->rt.sees_links = strncmp(jack_get_version_string(), "1.9.", 4) == 0;
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
