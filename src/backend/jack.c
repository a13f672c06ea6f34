#include "backend/jack-rt.h"

#include <errno.h>
#include <jack/metadata.h>
#include <jack/thread.h>
#include <jack/uuid.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ORDER_KEY "http://jackaudio.org/metadata/order"
#define ORDER_TYPE "http://www.w3.org/2001/XMLSchema#int"
/* How long a cycle may take to come before a server counts as stuck. */
#define CYCLE_WAIT_NS (500 * NSEC_PER_MSEC)

static pthread_mutex_t error_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_error[256] = "";

/* libjack prints to stderr by default, again and again while there is no server. */
static void keep_error(const char *text)
{
	pthread_mutex_lock(&error_lock);
	snprintf(last_error, sizeof(last_error), "%s", text);
	pthread_mutex_unlock(&error_lock);
}

static void ignore_info(const char *text)
{
}

static const char *jack_last_error(const struct backend *b)
{
	static char copy[sizeof(last_error)];

	pthread_mutex_lock(&error_lock);
	memcpy(copy, last_error, sizeof(copy));
	pthread_mutex_unlock(&error_lock);
	return copy;
}

static struct jack_backend *jack_of(const struct backend *b)
{
	return container_of(b, struct jack_backend, base);
}

static void post(struct jack_backend *j, unsigned change)
{
	uint64_t one = 1;

	atomic_fetch_or_explicit(&j->changes, change, memory_order_release);
	(void)!write(j->fd, &one, sizeof(one));
}

static int on_buffer_size(jack_nframes_t nframes, void *data)
{
	struct jack_backend *j = data;

	atomic_store_explicit(&j->period_frames, nframes, memory_order_relaxed);
	post(j, BACKEND_CHANGED_PERIOD);
	return 0;
}

static int on_sample_rate(jack_nframes_t rate_hz, void *data)
{
	struct jack_backend *j = data;

	atomic_store_explicit(&j->rate_hz, rate_hz, memory_order_relaxed);
	post(j, BACKEND_CHANGED_RATE);
	return 0;
}

static int on_xrun(void *data)
{
	struct jack_backend *j = data;

	atomic_fetch_add_explicit(&j->xruns, 1, memory_order_relaxed);
	post(j, BACKEND_CHANGED_XRUN);
	return 0;
}

static void on_freewheel(int starting, void *data)
{
	struct jack_backend *j = data;

	atomic_store_explicit(&j->freewheel, starting != 0, memory_order_relaxed);
	post(j, BACKEND_CHANGED_FREEWHEEL);
}

static void on_port(jack_port_id_t port, int registered, void *data)
{
	if (registered) {
		post(data, BACKEND_CHANGED_PORTS);
	}
}

static void on_shutdown(jack_status_t status, const char *reason, void *data)
{
	struct jack_backend *j = data;

	keep_error(reason);
	atomic_store(&j->gone, true);
	post(j, BACKEND_CHANGED_GONE);
}

/*
 * A sample that comes in at the start of a cycle is heard latency_frames later. The monitor ports carry
 * what arrived at the playback ports, no later than it came.
 */
static void on_latency(jack_latency_callback_mode_t mode, void *data)
{
	struct jack_backend *j = data;
	struct jack_table *table = atomic_load_explicit(&j->table, memory_order_acquire);

	for (unsigned i = 0; table && i < table->n_groups; i++) {
		struct backend_group *group = table->groups[i];
		uint32_t frames = atomic_load_explicit(&group->latency_frames, memory_order_relaxed);
		jack_latency_range_t range = {.min = frames, .max = frames};

		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			if (mode == JackPlaybackLatency && group->in[k]) {
				jack_port_set_latency_range(group->in[k], mode, &range);
			} else if (mode == JackCaptureLatency && group->in[k] && group->out[k]) {
				jack_latency_range_t before;

				jack_port_get_latency_range(group->in[k], mode, &before);
				jack_port_set_latency_range(group->out[k], mode, &before);
			}
		}
	}
}

static int set_callbacks(struct jack_backend *j)
{
	jack_on_info_shutdown(j->client, on_shutdown, j);
	if (jack_set_process_callback(j->client, jack_backend_process_rt, j) ||
		jack_set_buffer_size_callback(j->client, on_buffer_size, j) ||
		jack_set_sample_rate_callback(j->client, on_sample_rate, j) ||
		jack_set_xrun_callback(j->client, on_xrun, j) ||
		jack_set_freewheel_callback(j->client, on_freewheel, j) ||
		jack_set_port_registration_callback(j->client, on_port, j) ||
		jack_set_latency_callback(j->client, on_latency, j)) {
		return -EIO;
	}
	return 0;
}

static int jack_open(struct backend *b)
{
	struct jack_backend *j = jack_of(b);
	bool default_server = strcmp(j->server, "default") == 0;
	jack_options_t options = JackNoStartServer | JackUseExactName | (default_server ? 0 : JackServerName);
	jack_status_t status = 0;
	int r;

	j->client = default_server ? jack_client_open(j->client_name, options, &status)
				   : jack_client_open(j->client_name, options, &status, j->server);
	if (!j->client) {
		if (status & JackNameNotUnique) {
			return -EEXIST;
		}
		return status & JackServerFailed ? -ECONNREFUSED : -EIO;
	}
	atomic_store(&j->rate_hz, jack_get_sample_rate(j->client));
	atomic_store(&j->period_frames, jack_get_buffer_size(j->client));
	atomic_store(&j->freewheel, false);
	atomic_store(&j->gone, false);
	atomic_store(&j->changes, 0);
	r = set_callbacks(j);
	if (r < 0) {
		jack_client_close(j->client);
		j->client = NULL;
	}
	return r;
}

/* Waits until RT has passed one cycle, and so holds no old table. */
static void wait_for_cycle(struct jack_backend *j)
{
	uint64_t cycles = atomic_load_explicit(&j->cycles, memory_order_acquire);
	int64_t until = now_ns() + CYCLE_WAIT_NS;

	while (j->started && now_ns() < until &&
		atomic_load_explicit(&j->cycles, memory_order_acquire) < cycles + 2) {
		struct timespec ts = {.tv_nsec = 200 * NSEC_PER_USEC};

		nanosleep(&ts, NULL);
	}
}

static void set_table(struct jack_backend *j, struct jack_table *table)
{
	struct jack_table *old = atomic_exchange_explicit(&j->table, table, memory_order_acq_rel);

	if (old) {
		wait_for_cycle(j);
		free(old);
	}
}

static void unregister_port(struct jack_backend *j, jack_port_t *port)
{
	if (port) {
		(void)jack_remove_properties(j->client, jack_port_uuid(port));
		(void)jack_port_unregister(j->client, port);
	}
}

static void free_group(struct jack_backend *j, struct backend_group *group, bool unregister)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		if (unregister) {
			unregister_port(j, group->in[k]);
			unregister_port(j, group->out[k]);
		}
		free(group->connect[k]);
	}
	free(group);
}

/*
 * Set once, when the port is registered; whatever the user changes afterwards stays. JACK uses the ids of
 * ports again, so what stands there before is another port's.
 */
static void set_metadata(
	struct jack_backend *j, jack_port_t *port, unsigned order, const char *label, const char *suffix)
{
	jack_uuid_t uuid = jack_port_uuid(port);
	char text[128];

	snprintf(text, sizeof(text), "%u", order);
	(void)jack_set_property(j->client, uuid, ORDER_KEY, text, ORDER_TYPE);
	if (label) {
		snprintf(text, sizeof(text), "%s%s", label, suffix);
		(void)jack_set_property(j->client, uuid, JACK_METADATA_PRETTY_NAME, text, "text/plain");
	} else {
		(void)jack_remove_property(j->client, uuid, JACK_METADATA_PRETTY_NAME);
	}
}

static int register_ports(
	struct jack_backend *j, const struct backend_ports *ports, struct backend_group *group)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		char name[128];

		if (ports->playback) {
			snprintf(name, sizeof(name), "%s/playback_%u", ports->name, k + 1);
			group->in[k] = jack_port_register(j->client, name, JACK_DEFAULT_AUDIO_TYPE,
				JackPortIsInput | JackPortIsPhysical | JackPortIsTerminal, 0);
			if (!group->in[k]) {
				return -EIO;
			}
			set_metadata(j, group->in[k], k + 1, ports->labels[k], "");
		}
		if (ports->monitor) {
			snprintf(name, sizeof(name), "%s/monitor_%u", ports->name, k + 1);
			group->out[k] = jack_port_register(
				j->client, name, JACK_DEFAULT_AUDIO_TYPE, JackPortIsOutput, 0);
			if (!group->out[k]) {
				return -EIO;
			}
			set_metadata(
				j, group->out[k], AUDIO_CHANNELS + k + 1, ports->labels[k], " (monitor)");
		}
		if (ports->connect[k]) {
			group->connect[k] = strdup(ports->connect[k]);
			if (!group->connect[k]) {
				return -ENOMEM;
			}
		}
	}
	return 0;
}

static int jack_add_ports(
	struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group)
{
	struct jack_backend *j = jack_of(b);
	struct jack_table *old = atomic_load(&j->table);
	struct jack_table *table = calloc(1, sizeof(*table));
	struct backend_group *group = calloc(1, sizeof(*group));
	int r = -ENOMEM;

	if (table && group) {
		r = old && old->n_groups == JACK_GROUPS_MAX ? -ENOSPC : register_ports(j, ports, group);
	}
	if (r < 0) {
		if (group) {
			free_group(j, group, true);
		}
		free(table);
		return r;
	}
	if (old) {
		*table = *old;
	}
	group->audio.owner = ports->owner;
	atomic_store(&group->latency_frames, ports->latency_frames);
	table->groups[table->n_groups] = group;
	table->audio[table->n_groups++] = &group->audio;
	set_table(j, table);
	*ret_group = group;
	return 0;
}

static void jack_remove_ports(struct backend *b, struct backend_group *group)
{
	struct jack_backend *j = jack_of(b);
	struct jack_table *old = atomic_load(&j->table);
	struct jack_table *table = calloc(1, sizeof(*table));

	if (!table) {
		return; /* out of memory: the ports stay, silent and harmless */
	}
	for (unsigned i = 0; old && i < old->n_groups; i++) {
		if (old->groups[i] != group) {
			table->groups[table->n_groups] = old->groups[i];
			table->audio[table->n_groups++] = old->audio[i];
		}
	}
	set_table(j, table);
	free_group(j, group, true);
}

static void jack_set_latency(struct backend *b, struct backend_group *group, uint32_t latency_frames)
{
	struct jack_backend *j = jack_of(b);

	if (atomic_exchange(&group->latency_frames, latency_frames) != latency_frames && j->started) {
		jack_recompute_total_latencies(j->client);
	}
}

static int jack_start(struct backend *b)
{
	struct jack_backend *j = jack_of(b);

	if (jack_activate(j->client)) {
		return -EIO;
	}
	j->started = true;
	return 0;
}

static void jack_stop(struct backend *b)
{
	struct jack_backend *j = jack_of(b);

	if (j->started && !atomic_load(&j->gone)) {
		jack_deactivate(j->client);
	}
	j->started = false;
}

static void jack_close(struct backend *b)
{
	struct jack_backend *j = jack_of(b);
	struct jack_table *table;

	if (!j->client) {
		return;
	}
	jack_stop(b);
	/*
	 * Ports that still have metadata when a client closes make jackd 1.9.21 tell that client so, which no
	 * longer listens: with some hundred ports the server itself stands still. So they go first.
	 */
	table = atomic_exchange(&j->table, NULL);
	for (unsigned i = 0; table && i < table->n_groups; i++) {
		free_group(j, table->groups[i], !atomic_load(&j->gone));
	}
	free(table);
	jack_client_close(j->client);
	j->client = NULL;
}

static void connect_port(struct jack_backend *j, jack_port_t *port, const char *other)
{
	const char *name = jack_port_name(port);

	if (!jack_port_by_name(j->client, other) || jack_port_connected_to(port, other)) {
		return;
	}
	(void)jack_connect(j->client, other, name);
}

static void jack_connect_all(struct backend *b)
{
	struct jack_backend *j = jack_of(b);
	struct jack_table *table = atomic_load(&j->table);

	for (unsigned i = 0; j->started && table && i < table->n_groups; i++) {
		struct backend_group *group = table->groups[i];

		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			if (group->connect[k] && group->in[k]) {
				connect_port(j, group->in[k], group->connect[k]);
			}
		}
	}
}

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

static void jack_get_info(const struct backend *b, struct backend_info *ret_info)
{
	struct jack_backend *j = jack_of(b);
	int priority = j->client ? jack_client_real_time_priority(j->client) : 0;

	ret_info->rate_hz = atomic_load(&j->rate_hz);
	ret_info->period_frames = atomic_load(&j->period_frames);
	ret_info->xruns = atomic_load(&j->xruns);
	ret_info->freewheel = atomic_load(&j->freewheel);
	ret_info->rt_priority = MAX(priority, 0);
}

static void jack_free_backend(struct backend *b)
{
	struct jack_backend *j = jack_of(b);

	jack_close(b);
	close(j->fd);
	free(j);
}

static const struct backend_ops jack_ops = {
	.name = "jack",
	.open = jack_open,
	.add_ports = jack_add_ports,
	.remove_ports = jack_remove_ports,
	.set_latency = jack_set_latency,
	.start = jack_start,
	.stop = jack_stop,
	.close = jack_close,
	.connect = jack_connect_all,
	.fd = jack_fd,
	.dispatch = jack_dispatch,
	.get_info = jack_get_info,
	.last_error = jack_last_error,
	.free = jack_free_backend,
};

int backend_jack_new(const char *client_name, const char *server, const struct backend_callbacks *callbacks,
	struct backend **ret_backend)
{
	struct jack_backend *j = calloc(1, sizeof(*j));

	if (!j) {
		return -ENOMEM;
	}
	j->base.ops = &jack_ops;
	j->base.callbacks = *callbacks;
	snprintf(j->client_name, sizeof(j->client_name), "%s", client_name);
	snprintf(j->server, sizeof(j->server), "%s", server);
	j->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (j->fd < 0) {
		int r = -errno;

		free(j);
		return r;
	}
	jack_set_error_function(keep_error);
	jack_set_info_function(ignore_info);
	*ret_backend = &j->base;
	return 0;
}
