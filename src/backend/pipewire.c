#include "backend/pipewire-internal.h"

#include "base/mem.h"
#include "base/util.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <spa/utils/result.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_NS (250 * NSEC_PER_MSEC)
/* How soon control sees what the data loop has to say: it must not make system calls to say it. */
#define LOOK_NS (50 * NSEC_PER_MSEC)
/* A graph in which nothing happens for so long after we joined it has no driver. */
#define NO_CYCLES_NS (3 * NSEC_PER_SEC)
/* From this minor version of 1 on every client's data loop is realtime, not just those with this configuration. */
#define REALTIME_CONFIG "client-rt.conf"
#define REALTIME_ALWAYS_MINOR 4

static struct pipewire_backend *pipewire_of(const struct backend *b)
{
	return container_of(b, struct pipewire_backend, base);
}

void pw_post(struct pipewire_backend *p, unsigned changes)
{
	p->changes |= changes;
	(void)pw_loop_signal_event(p->loop, p->wake);
}

static void set_state(struct pipewire_backend *p, enum backend_state state)
{
	p->state = state;
	pw_post(p, BACKEND_CHANGED_STATE);
}

static void set_timer(struct pipewire_backend *p, int64_t first_ns, int64_t interval_ns)
{
	struct timespec first = {.tv_sec = first_ns / NSEC_PER_SEC, .tv_nsec = first_ns % NSEC_PER_SEC};
	struct timespec interval = {
		.tv_sec = interval_ns / NSEC_PER_SEC, .tv_nsec = interval_ns % NSEC_PER_SEC};

	(void)pw_loop_update_timer(p->loop, p->timer, &first, &interval, false);
}

/* --- the data loop --- */

static void before_sleep_rt(void *data)
{
	struct pipewire_backend *p = data;

	/* Whoever waits for something that it has invoked in the data loop calls its hooks as well, on its own thread. */
	if (pthread_equal(pthread_self(), p->data_thread)) {
		pwrt_flush_rt(&p->rt);
	}
}

static const struct spa_loop_control_hooks data_hooks = {
	SPA_VERSION_LOOP_CONTROL_HOOKS,
	.before = before_sleep_rt,
};

static int add_hook(
	struct spa_loop *loop, bool async, uint32_t seq, const void *data, size_t size, void *user)
{
	struct pipewire_backend *p = user;

	p->data_tid = gettid();
	p->data_thread = pthread_self();
	pw_loop_add_hook(p->data_loop, &p->data_hook, &data_hooks, p);
	return 0;
}

static int remove_hook(
	struct spa_loop *loop, bool async, uint32_t seq, const void *data, size_t size, void *user)
{
	struct pipewire_backend *p = user;

	spa_hook_remove(&p->data_hook);
	return 0;
}

static int rt_priority(const struct pipewire_backend *p)
{
	struct sched_param param;
	int policy = p->data_tid > 0 ? sched_getscheduler(p->data_tid) : -1;

	/* RTKit's flag may stand beside the policy. */
	if (policy < 0 ||
		((policy & ~SCHED_RESET_ON_FORK) != SCHED_FIFO &&
			(policy & ~SCHED_RESET_ON_FORK) != SCHED_RR) ||
		sched_getparam(p->data_tid, &param) < 0) {
		return 0;
	}
	return param.sched_priority;
}

/* What has changed in the data loop since we looked last. */
static unsigned look(struct pipewire_backend *p)
{
	struct backend_info now = {
		.rate_hz = atomic_load(&p->rt.now_rate_hz),
		.period_frames = atomic_load(&p->rt.now_frames),
		.xruns = atomic_load(&p->rt.xruns),
		.freewheel = atomic_load(&p->rt.freewheel),
	};
	unsigned changes = 0;

	changes |= now.rate_hz != p->told.rate_hz ? BACKEND_CHANGED_RATE : 0;
	changes |= now.period_frames != p->told.period_frames ? BACKEND_CHANGED_PERIOD : 0;
	changes |= now.xruns != p->told.xruns ? BACKEND_CHANGED_XRUN : 0;
	changes |= now.freewheel != p->told.freewheel ? BACKEND_CHANGED_FREEWHEEL : 0;
	p->told = now;
	return changes;
}

/* --- the server --- */

static void on_core_error(void *data, uint32_t id, int seq, int res, const char *message)
{
	struct pipewire_backend *p = data;

	if (id == PW_ID_CORE && (res == -EPIPE || res == -ECONNRESET || res == -EPROTO)) {
		snprintf(p->why, sizeof(p->why), "%s", message ? message : spa_strerror(res));
		p->gone = true;
		pw_post(p, 0);
	}
}

static const struct pw_core_events core_events = {
	PW_VERSION_CORE_EVENTS,
	.error = on_core_error,
};

static void on_global(void *data, uint32_t id, uint32_t permissions, const char *type, uint32_t version,
	const struct spa_dict *props)
{
	struct pipewire_backend *p = data;

	pwlinks_global(p->links, id, type, props);
}

static void on_global_remove(void *data, uint32_t id)
{
	struct pipewire_backend *p = data;

	pwlinks_global_gone(p->links, id);
}

static const struct pw_registry_events registry_events = {
	PW_VERSION_REGISTRY_EVENTS,
	.global = on_global,
	.global_remove = on_global_remove,
};

static bool needs_realtime_config(void)
{
	int major = 0, minor = 0;

	(void)sscanf(pw_get_library_version(), "%d.%d", &major, &minor);
	return major == 0 || (major == 1 && minor < REALTIME_ALWAYS_MINOR);
}

/* Once; a context outlives the servers that it was connected to. 0 or -errno. */
static int make_context(struct pipewire_backend *p)
{
	struct pw_properties *props;

	if (p->context) {
		return 0;
	}
	props = pw_properties_new(PW_KEY_APP_NAME, "ethlinkd", "context.num-data-loops", "1", NULL);
	if (props && needs_realtime_config()) {
		pw_properties_set(props, PW_KEY_CONFIG_NAME, REALTIME_CONFIG);
	}
	p->context = pw_context_new(p->loop, props, 0);
	if (!p->context) {
		snprintf(p->why, sizeof(p->why),
			"libpipewire does not start (%s): is PipeWire installed completely?",
			strerror(errno));
		return -errno;
	}
	p->data_loop = pw_data_loop_get_loop(pw_context_get_data_loop(p->context));
	pw_loop_invoke(p->data_loop, add_hook, 0, NULL, 0, true, p);
	return 0;
}

/* All that are not there yet, or were taken away or suspended. */
static int export_nodes(struct pipewire_backend *p)
{
	for (unsigned i = 0; i < p->n_groups; i++) {
		int r = 0;

		if (p->groups[i]->proxy) {
			pwnode_tend(p->groups[i], now_ns());
		} else {
			r = pwnode_export(p->groups[i]);
		}

		if (r < 0) {
			snprintf(p->why, sizeof(p->why), "no node for %s: %s", p->groups[i]->name,
				strerror(-r));
			return r;
		}
	}
	return 0;
}

/* Whatever there is of a connection. On return no callback runs. */
static void disconnect(struct pipewire_backend *p)
{
	atomic_store(&p->rt.run, false);
	for (unsigned i = 0; i < p->n_groups; i++) {
		pwnode_withdraw(p->groups[i]);
	}
	if (p->registry) {
		spa_hook_remove(&p->registry_hook);
		pw_proxy_destroy((struct pw_proxy *)p->registry);
		p->registry = NULL;
	}
	pwlinks_lost(p->links, now_ns());
	if (p->core) {
		spa_hook_remove(&p->core_hook);
		pw_core_disconnect(p->core);
		p->core = NULL;
	}
	p->run = false;
	p->gone = false;
}

static int connect_core(struct pipewire_backend *p)
{
	int r = make_context(p);

	if (r < 0) {
		return r;
	}
	p->core = pw_context_connect(p->context, NULL, 0);
	if (!p->core) {
		r = -errno;
		snprintf(p->why, sizeof(p->why), "%s", strerror(errno));
		/* What libpipewire says of a socket that is not there, or where nobody listens. */
		return r == -ENOENT || r == -EHOSTDOWN || r == -ENOTCONN ? -ECONNREFUSED : r;
	}
	pw_core_add_listener(p->core, &p->core_hook, &core_events, p);
	p->registry = pw_core_get_registry(p->core, PW_VERSION_REGISTRY, 0);
	if (p->registry) {
		pw_registry_add_listener(p->registry, &p->registry_hook, &registry_events, p);
	}
	p->connected_ns = now_ns();
	p->connected_cycles = atomic_load(&p->rt.begun);
	r = p->registry ? export_nodes(p) : -ENOMEM;
	if (r < 0) {
		disconnect(p);
	}
	return r;
}

static void leave(struct pipewire_backend *p)
{
	disconnect(p);
	p->want = false;
	set_timer(p, 0, 0);
	set_state(p, BACKEND_OFF);
}

static void failed(struct pipewire_backend *p, int error)
{
	p->error = error;
	set_state(p, BACKEND_WAITING);
}

/* Connected, but not yet let in: the first cycle tells the rate and the period. */
static void await_cycles(struct pipewire_backend *p)
{
	if (atomic_load(&p->rt.begun) != p->connected_cycles || p->n_groups == 0) {
		(void)look(p);
		p->error = 0;
		set_state(p, BACKEND_READY);
	} else if (now_ns() - p->connected_ns > NO_CYCLES_NS && p->error == 0) {
		snprintf(p->why, sizeof(p->why), "its graph does not run: it has no driver");
		failed(p, -ETIME);
	}
}

static void on_timer(void *data, uint64_t expirations)
{
	struct pipewire_backend *p = data;
	int r;

	if (!p->want) {
		return;
	}
	if (!p->core) {
		r = connect_core(p);
		if (r < 0) {
			failed(p, r);
			return;
		}
		set_timer(p, LOOK_NS, LOOK_NS);
		return;
	}
	(void)export_nodes(p);
	if (p->state == BACKEND_WAITING) {
		await_cycles(p);
	} else {
		pw_post(p, look(p));
	}
}

static void on_wake(void *data, uint64_t count)
{
}

/* --- groups --- */

static int pipewire_add_ports(
	struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group)
{
	struct pipewire_backend *p = pipewire_of(b);
	struct backend_group *group;
	int r;

	if (p->n_groups == PWRT_NODES_MAX) {
		return -ENOSPC;
	}
	r = pwgroup_new(p, ports, &group);
	if (r < 0) {
		return r;
	}
	p->groups[p->n_groups++] = group;
	if (p->core) {
		(void)pwnode_export(group); /* the timer tries again */
	}
	*ret_group = group;
	return 0;
}

static int pipewire_change_ports(
	struct backend *b, struct backend_group *group, const struct backend_ports *ports)
{
	bool preferred = group->preferred;
	int r = pwgroup_set_wishes(group, ports);

	if (r >= 0 && group->preferred != preferred && group->proxy) {
		/* A session manager looks at priorities of what is new. */
		(void)pwnode_export(group); /* the timer tries again */
	}
	if (r >= 0) {
		pwnode_update(group);
		pwlinks_update(group->backend->links, now_ns());
	}
	return r;
}

static void pipewire_remove_ports(struct backend *b, struct backend_group *group)
{
	struct pipewire_backend *p = pipewire_of(b);

	pwnode_withdraw(group);
	for (unsigned i = 0; i < p->n_groups; i++) {
		if (p->groups[i] == group) {
			p->groups[i] = p->groups[--p->n_groups];
			break;
		}
	}
	pwgroup_free(group);
}

static void pipewire_set_latency(struct backend *b, struct backend_group *group, uint32_t latency_frames)
{
	if (group->latency_frames != latency_frames) {
		pwnode_set_latency(group, latency_frames);
	}
}

static bool pipewire_take_volume(
	struct backend *b, struct backend_group *group, struct backend_volume *ret_volume)
{
	if (!group->volume_news) {
		return false;
	}
	group->volume_news = false;
	*ret_volume = group->volume;
	return true;
}

static void pipewire_set_volume(
	struct backend *b, struct backend_group *group, const struct backend_volume *volume)
{
	pwnode_set_volume(group, volume);
}

/* --- joining and leaving --- */

static void pipewire_start(struct backend *b)
{
	struct pipewire_backend *p = pipewire_of(b);

	p->want = true;
	p->error = 0;
	p->state = BACKEND_WAITING;
	set_timer(p, 1, RETRY_NS);
}

static void pipewire_run(struct backend *b)
{
	struct pipewire_backend *p = pipewire_of(b);

	if (p->state == BACKEND_READY && !p->gone) {
		atomic_store_explicit(&p->rt.run, true, memory_order_release);
		set_state(p, BACKEND_JOINED);
	}
}

static void pipewire_stop(struct backend *b)
{
	leave(pipewire_of(b));
}

/* --- links --- */

static void give_links(const char *name, const struct pw_channel *channel, backend_link_fn fn, void *data)
{
	for (const struct pwlink *link = channel->links; link; link = link->next) {
		if (link->state != PWLINK_LOST) {
			fn(data, name, link->other);
		}
	}
}

static void port_name(
	const struct backend_group *group, const struct pw_channel *channel, char *ret_name, size_t size)
{
	snprintf(ret_name, size, "%s/%s", group->name, channel->name);
}

static void pipewire_get_links(struct backend *b, backend_link_fn fn, void *data)
{
	struct pipewire_backend *p = pipewire_of(b);
	char name[2 * PW_NAMES_MAX];

	for (unsigned i = 0; i < p->n_groups; i++) {
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			port_name(p->groups[i], &p->groups[i]->in[k], name, sizeof(name));
			give_links(name, &p->groups[i]->in[k], fn, data);
			port_name(p->groups[i], &p->groups[i]->out[k], name, sizeof(name));
			give_links(name, &p->groups[i]->out[k], fn, data);
		}
	}
}

static void add_if_named(
	struct backend_group *group, struct pw_channel *channel, const char *port, const char *other)
{
	char name[2 * PW_NAMES_MAX];

	port_name(group, channel, name, sizeof(name));
	if (strcmp(name, port) == 0) {
		(void)pwlinks_remember(channel, other, PWLINK_PENDING);
	}
}

static void pipewire_add_link(struct backend *b, const char *port, const char *other)
{
	struct pipewire_backend *p = pipewire_of(b);

	for (unsigned i = 0; i < p->n_groups; i++) {
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			add_if_named(p->groups[i], &p->groups[i]->in[k], port, other);
			add_if_named(p->groups[i], &p->groups[i]->out[k], port, other);
		}
	}
}

/* --- what control reads --- */

static const char *pipewire_kind(const struct backend *b)
{
	return "pipewire";
}

static void pipewire_describe(const struct backend *b, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "PipeWire");
}

static int pipewire_fd(const struct backend *b)
{
	return pw_loop_get_fd(pipewire_of(b)->loop);
}

static unsigned pipewire_dispatch(struct backend *b)
{
	struct pipewire_backend *p = pipewire_of(b);
	unsigned changes;

	(void)pw_loop_iterate(p->loop, 0);
	if (p->gone) {
		leave(p); /* not in the callback that says so: libpipewire still works on what is freed here */
	}
	if (p->core) {
		pwlinks_update(p->links, now_ns());
	}
	changes = p->changes;
	p->changes = 0;
	return changes;
}

static void pipewire_get_info(struct backend *b, struct backend_info *ret_info)
{
	struct pipewire_backend *p = pipewire_of(b);
	uint64_t ended = atomic_load(&p->rt.ended);

	*ret_info = p->told;
	ret_info->in_cycle = atomic_load(&p->rt.begun) != ended;
	ret_info->cycles = ended;
	ret_info->state = p->state;
	ret_info->error = p->error;
	ret_info->rt_priority = rt_priority(p);
	ret_info->varying = true;
}

static const char *pipewire_last_error(const struct backend *b)
{
	return pipewire_of(b)->why;
}

/* --- the whole --- */

static void free_all(struct pipewire_backend *p)
{
	while (p->n_groups > 0) {
		pipewire_remove_ports(&p->base, p->groups[p->n_groups - 1]);
	}
	if (p->data_loop) {
		pw_loop_invoke(p->data_loop, remove_hook, 0, NULL, 0, true, p);
	}
	if (p->context) {
		pw_context_destroy(p->context);
	}
	pwlinks_free(p->links);
	if (p->loop) {
		if (p->timer) {
			pw_loop_destroy_source(p->loop, p->timer);
		}
		if (p->wake) {
			pw_loop_destroy_source(p->loop, p->wake);
		}
		pw_loop_leave(p->loop);
		pw_loop_destroy(p->loop);
	}
	free(p);
	pw_deinit();
}

static void pipewire_free(struct backend *b)
{
	struct pipewire_backend *p = pipewire_of(b);

	disconnect(p);
	free_all(p);
}

static const struct backend_ops pipewire_ops = {
	.kind = pipewire_kind,
	.describe = pipewire_describe,
	.add_ports = pipewire_add_ports,
	.change_ports = pipewire_change_ports,
	.remove_ports = pipewire_remove_ports,
	.set_latency = pipewire_set_latency,
	.start = pipewire_start,
	.run = pipewire_run,
	.stop = pipewire_stop,
	.get_links = pipewire_get_links,
	.add_link = pipewire_add_link,
	.take_volume = pipewire_take_volume,
	.set_volume = pipewire_set_volume,
	.fd = pipewire_fd,
	.dispatch = pipewire_dispatch,
	.get_info = pipewire_get_info,
	.last_error = pipewire_last_error,
	.free = pipewire_free,
};

void backend_pipewire_set_name(struct backend *b, const char *client_name)
{
	struct pipewire_backend *p = pipewire_of(b);

	snprintf(p->client_name, sizeof(p->client_name), "%s", client_name);
}

int backend_pipewire_new(
	const char *client_name, const struct backend_callbacks *callbacks, struct backend **ret_backend)
{
	struct pipewire_backend *p = mem_zalloc(CACHELINE_SIZE, sizeof(*p));

	if (!p) {
		return -ENOMEM;
	}
	pw_init(NULL, NULL);
	p->base.ops = &pipewire_ops;
	p->base.callbacks = *callbacks;
	p->rt.callbacks = *callbacks;
	p->rt.cycle = 1; /* no node has been seen in this one, nor in the one before */
	backend_pipewire_set_name(&p->base, client_name);
	p->loop = pw_loop_new(NULL);
	if (p->loop) {
		pw_loop_enter(p->loop);
		p->wake = pw_loop_add_event(p->loop, on_wake, p);
		p->timer = pw_loop_add_timer(p->loop, on_timer, p);
	}
	if (!p->loop || !p->wake || !p->timer || pwlinks_new(p, &p->links) < 0) {
		free_all(p);
		return -ENOMEM;
	}
	*ret_backend = &p->base;
	return 0;
}
