#include "backend/backend.h"
#include "base/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { FIRST, SECOND, CHILDREN };

/* A server that says neither yes nor no for so long hangs: the second one is tried. */
#define PATIENCE_NS (2 * NSEC_PER_SEC)

struct backend_group {
	struct backend_group *next;
	struct backend_group *of[CHILDREN];
	bool insert; /* and so without a volume */
};

struct auto_backend {
	struct backend base;
	struct backend *child[CHILDREN];
	struct backend_group *groups;
	int epoll_fd;
	int timer_fd;	  /* readable: what was posted, or somebody's patience is over */
	unsigned changes; /* posted, not yet dispatched */
	bool started;	  /* and not stopped, nor gone to OFF by itself, since */
	bool stopping;	  /* until both are OFF */
	int active;	  /* the child that was let in, until it is OFF; -1: none */
	int latest;	  /* the one that was active last; -1: none ever */
	enum backend_state state;
	bool better;
	int64_t first_ns; /* since then first waits without a word */
};

static struct auto_backend *auto_of(const struct backend *b)
{
	return container_of(b, struct auto_backend, base);
}

static struct backend_info info_of(const struct auto_backend *a, int i)
{
	struct backend_info info = {0};

	backend_get_info(a->child[i], &info);
	return info;
}

/* --- who is to be joined --- */

static void set_state(struct auto_backend *a, enum backend_state state)
{
	if (a->state != state) {
		a->state = state;
		a->changes |= BACKEND_CHANGED_STATE;
	}
}

static void start_first(struct auto_backend *a)
{
	a->first_ns = now_ns();
	backend_start(a->child[FIRST]);
}

/* Nothing has come of it yet: it was refused, or hangs. */
static bool first_failed(const struct auto_backend *a)
{
	struct backend_info info = info_of(a, FIRST);

	if (info.state == BACKEND_WAITING && info.error != 0) {
		return true;
	}
	return (info.state == BACKEND_WAITING || info.state == BACKEND_OPEN) &&
	       now_ns() - a->first_ns >= PATIENCE_NS;
}

/* Whoever is let in, and the first one before the second. */
static void choose(struct auto_backend *a)
{
	for (int i = FIRST; i < CHILDREN && a->active < 0; i++) {
		if (info_of(a, i).state == BACKEND_READY) {
			a->active = i;
			a->latest = i;
		}
	}
}

/* Neither is waited for in vain, and the second one only as long as the first is not there. */
static void tend_children(struct auto_backend *a)
{
	enum backend_state first = info_of(a, FIRST).state;
	enum backend_state second = info_of(a, SECOND).state;

	if (a->active != FIRST && first == BACKEND_OFF) {
		start_first(a);
	}
	if (a->active == FIRST && second != BACKEND_OFF && second != BACKEND_LEAVING) {
		backend_stop(a->child[SECOND]);
	} else if (a->active < 0 && second == BACKEND_OFF && first_failed(a)) {
		backend_start(a->child[SECOND]);
	}
}

/* While nobody is READY: the first may be about to be. */
static enum backend_state state_of_none(const struct auto_backend *a)
{
	return info_of(a, FIRST).state == BACKEND_OPEN ? BACKEND_OPEN : BACKEND_WAITING;
}

static void update_better(struct auto_backend *a)
{
	bool better = a->started && a->active == SECOND && info_of(a, FIRST).state == BACKEND_READY;

	if (better != a->better) {
		a->better = better;
		a->changes |= BACKEND_CHANGED_STATE;
	}
}

static void update(struct auto_backend *a)
{
	enum backend_state state;

	if (a->stopping) {
		bool off = info_of(a, FIRST).state == BACKEND_OFF && info_of(a, SECOND).state == BACKEND_OFF;

		a->stopping = !off;
		a->active = off ? -1 : a->active;
		set_state(a, off ? BACKEND_OFF : BACKEND_LEAVING);
	} else if (a->started) {
		choose(a);
		state = a->active < 0 ? state_of_none(a) : info_of(a, a->active).state;
		if (a->active >= 0 && state == BACKEND_OFF) {
			/* The other one may go on waiting: it calls nobody. */
			a->active = -1;
			a->started = false;
		} else {
			tend_children(a);
		}
		set_state(a, state);
	}
	update_better(a);
}

/* The caller is to look again: at once if something is to be told, else when patience with the first is over. */
static void arm(struct auto_backend *a)
{
	int64_t patience_ns = a->first_ns + PATIENCE_NS - now_ns();
	struct itimerspec when = {0};

	if (a->changes) {
		when.it_value.tv_nsec = 1;
	} else if (a->started && a->active < 0 && patience_ns > 0) {
		when.it_value.tv_sec = patience_ns / NSEC_PER_SEC;
		when.it_value.tv_nsec = patience_ns % NSEC_PER_SEC;
	}
	(void)timerfd_settime(a->timer_fd, 0, &when, NULL);
}

static void auto_start(struct backend *b)
{
	struct auto_backend *a = auto_of(b);

	a->started = true;
	a->stopping = false;
	a->changes |= BACKEND_CHANGED_STATE;
	update(a);
	arm(a);
}

static void auto_run(struct backend *b)
{
	struct auto_backend *a = auto_of(b);

	if (a->active >= 0 && !a->stopping) {
		backend_run(a->child[a->active]);
	}
}

static void auto_stop(struct backend *b)
{
	struct auto_backend *a = auto_of(b);

	a->started = false;
	a->stopping = true;
	for (int i = FIRST; i < CHILDREN; i++) {
		backend_stop(a->child[i]);
	}
	update(a);
	arm(a);
}

static unsigned auto_dispatch(struct backend *b)
{
	struct auto_backend *a = auto_of(b);
	uint64_t count;
	unsigned changes = 0;

	(void)!read(a->timer_fd, &count, sizeof(count));
	for (int i = FIRST; i < CHILDREN; i++) {
		unsigned of_child = backend_dispatch(a->child[i]);

		/* What happens to one that is not shown is of no interest, but for what it still waits for. */
		if (a->active >= 0 && a->active != i) {
			of_child &= BACKEND_CHANGED_LINKS;
		}
		changes |= of_child;
	}
	update(a);
	changes |= a->changes;
	a->changes = 0;
	arm(a);
	return changes;
}

/* --- groups: each child has its own --- */

static int auto_add_ports(
	struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group)
{
	struct auto_backend *a = auto_of(b);
	struct backend_group *group = calloc(1, sizeof(*group));
	int r;

	if (!group) {
		return -ENOMEM;
	}
	r = backend_add_ports(a->child[FIRST], ports, &group->of[FIRST]);
	if (r < 0) {
		free(group);
		return r;
	}
	r = backend_add_ports(a->child[SECOND], ports, &group->of[SECOND]);
	if (r < 0) {
		backend_remove_ports(a->child[FIRST], group->of[FIRST]);
		free(group);
		return r;
	}
	group->insert = ports->insert;
	group->next = a->groups;
	a->groups = group;
	*ret_group = group;
	return 0;
}

static int auto_change_ports(
	struct backend *b, struct backend_group *group, const struct backend_ports *ports)
{
	struct auto_backend *a = auto_of(b);
	int r = 0;

	for (int i = FIRST; i < CHILDREN && r >= 0; i++) {
		r = backend_change_ports(a->child[i], group->of[i], ports);
	}
	return r;
}

static void auto_remove_ports(struct backend *b, struct backend_group *group)
{
	struct auto_backend *a = auto_of(b);
	struct backend_group **at = &a->groups;

	while (*at && *at != group) {
		at = &(*at)->next;
	}
	if (!*at) {
		return;
	}
	*at = group->next;
	for (int i = FIRST; i < CHILDREN; i++) {
		backend_remove_ports(a->child[i], group->of[i]);
	}
	free(group);
}

static void auto_set_latency(struct backend *b, struct backend_group *group, uint32_t latency_frames)
{
	for (int i = FIRST; i < CHILDREN; i++) {
		backend_set_latency(auto_of(b)->child[i], group->of[i], latency_frames);
	}
}

static bool auto_take_volume(
	struct backend *b, struct backend_group *group, struct backend_volume *ret_volume)
{
	struct auto_backend *a = auto_of(b);

	return !group->insert && a->active >= 0 &&
	       backend_take_volume(a->child[a->active], group->of[a->active], ret_volume);
}

static void auto_set_volume(
	struct backend *b, struct backend_group *group, const struct backend_volume *volume)
{
	for (int i = FIRST; i < CHILDREN && !group->insert; i++) {
		backend_set_volume(auto_of(b)->child[i], group->of[i], volume);
	}
}

/* --- connections: each child remembers its own --- */

static void auto_get_links(struct backend *b, backend_link_fn fn, void *data)
{
	struct auto_backend *a = auto_of(b);

	for (int i = FIRST; i < CHILDREN; i++) {
		if (a->active < 0 || a->active == i) {
			backend_get_links(a->child[i], fn, data);
		}
	}
}

static void auto_add_link(struct backend *b, const char *port, const char *other)
{
	for (int i = FIRST; i < CHILDREN; i++) {
		backend_add_link(auto_of(b)->child[i], port, other);
	}
}

/* --- what control reads --- */

static int auto_fd(const struct backend *b)
{
	return auto_of(b)->epoll_fd;
}

/* Whose error to tell while both wait: that nothing runs there is the least of them. */
static int spokesman(const struct auto_backend *a)
{
	int second = info_of(a, SECOND).error;

	return info_of(a, FIRST).error == -ECONNREFUSED && second != 0 && second != -ECONNREFUSED ? SECOND
												  : FIRST;
}

static int shown(const struct auto_backend *a)
{
	if (a->active >= 0) {
		return a->active;
	}
	if (a->state == BACKEND_OPEN) {
		return FIRST;
	}
	return a->state == BACKEND_WAITING ? spokesman(a) : MAX(a->latest, (int)FIRST);
}

static void auto_get_info(struct backend *b, struct backend_info *ret_info)
{
	struct auto_backend *a = auto_of(b);
	struct backend_info info[CHILDREN] = {info_of(a, FIRST), info_of(a, SECOND)};
	const struct backend_info *hangs = &info[info[FIRST].stuck_call ? FIRST : SECOND];

	*ret_info = info[shown(a)];
	if (a->state == BACKEND_WAITING && (info[FIRST].error == 0 || info[SECOND].error == 0)) {
		ret_info->error = 0; /* one of them may still let us in */
	}
	ret_info->state = a->state;
	ret_info->better = a->better;
	/* Never less than before, whoever counts. */
	ret_info->xruns = info[FIRST].xruns + info[SECOND].xruns;
	ret_info->stuck_call = hangs->stuck_call;
	ret_info->stuck_ns = hangs->stuck_ns;
}

static const char *auto_last_error(const struct backend *b)
{
	const struct auto_backend *a = auto_of(b);

	return backend_last_error(a->child[shown(a)]);
}

static const char *auto_kind(const struct backend *b)
{
	const struct auto_backend *a = auto_of(b);

	return a->latest < 0 ? "auto" : backend_kind(a->child[a->latest]);
}

static void auto_describe(const struct backend *b, char *ret_text, size_t size)
{
	const struct auto_backend *a = auto_of(b);
	char first[128], second[128];

	if (a->state == BACKEND_WAITING || a->latest < 0) {
		backend_describe(a->child[FIRST], first, sizeof(first));
		backend_describe(a->child[SECOND], second, sizeof(second));
		snprintf(ret_text, size, "%s or %s", first, second);
	} else {
		backend_describe(a->child[a->latest], ret_text, size);
	}
}

/* --- the whole --- */

static void auto_free(struct backend *b)
{
	struct auto_backend *a = auto_of(b);

	while (a->groups) {
		auto_remove_ports(b, a->groups);
	}
	for (int i = FIRST; i < CHILDREN; i++) {
		backend_free(a->child[i]);
	}
	if (a->timer_fd >= 0) {
		close(a->timer_fd);
	}
	if (a->epoll_fd >= 0) {
		close(a->epoll_fd);
	}
	free(a);
}

static const struct backend_ops auto_ops = {
	.kind = auto_kind,
	.describe = auto_describe,
	.add_ports = auto_add_ports,
	.change_ports = auto_change_ports,
	.remove_ports = auto_remove_ports,
	.set_latency = auto_set_latency,
	.start = auto_start,
	.run = auto_run,
	.stop = auto_stop,
	.get_links = auto_get_links,
	.add_link = auto_add_link,
	.take_volume = auto_take_volume,
	.set_volume = auto_set_volume,
	.fd = auto_fd,
	.dispatch = auto_dispatch,
	.get_info = auto_get_info,
	.last_error = auto_last_error,
	.free = auto_free,
};

static int watch(struct auto_backend *a, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int set_up_fds(struct auto_backend *a)
{
	int r;

	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	a->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (a->epoll_fd < 0 || a->timer_fd < 0) {
		return -errno;
	}
	r = watch(a, a->timer_fd);
	for (int i = FIRST; i < CHILDREN && r >= 0; i++) {
		r = watch(a, backend_fd(a->child[i]));
	}
	return r;
}

int backend_auto_new(struct backend *first, struct backend *second, struct backend **ret_backend)
{
	struct auto_backend *a = calloc(1, sizeof(*a));
	int r;

	if (!a) {
		backend_free(first);
		backend_free(second);
		return -ENOMEM;
	}
	a->base.ops = &auto_ops;
	/* Each child calls for itself: nothing of this is on the realtime thread. */
	a->base.callbacks = first->callbacks;
	a->child[FIRST] = first;
	a->child[SECOND] = second;
	a->active = -1;
	a->latest = -1;
	r = set_up_fds(a);
	if (r < 0) {
		auto_free(&a->base);
		return r;
	}
	*ret_backend = &a->base;
	return 0;
}
