/* Two audio servers behind one backend: who is joined, when, and what each of the two is told. */
#include "backend/backend.h"
#include "base/util.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_MS 10000
#define LINKS_MAX 8
#define FAKE_GROUPS_MAX 32

/* --- a server whose every step the test takes --- */

struct backend_group {
	struct fake *fake;
	char name[16];
	bool monitor;
	bool insert;
	uint32_t latency_frames;
	struct backend_volume set; /* what it is to show */
	unsigned sets;
	struct backend_volume taken; /* what somebody has set there */
	bool has_volume;
};

struct fake {
	struct backend base;
	const char *kind;
	enum backend_state state;
	int error;
	uint64_t xruns;
	const char *stuck_call;
	bool in_run; /* run was called, and OFF has not come since: callbacks may run */
	unsigned starts, stops, runs;
	unsigned changes;
	int fd;
	struct backend_group *groups[FAKE_GROUPS_MAX];
	unsigned n_groups;
	unsigned refuse_groups; /* the next so many are refused */
	char links[LINKS_MAX][64];
	unsigned n_links;
	unsigned *freed;
};

static struct fake *fake_of(const struct backend *b)
{
	return container_of(b, struct fake, base);
}

static void fake_post(struct fake *f, unsigned changes)
{
	f->changes |= changes;
	assert_int_equal(eventfd_write(f->fd, 1), 0);
}

static void fake_set(struct fake *f, enum backend_state state, int error)
{
	f->state = state;
	f->error = error;
	f->in_run = f->in_run && state != BACKEND_OFF;
	fake_post(f, BACKEND_CHANGED_STATE);
}

static const char *fake_kind(const struct backend *b)
{
	return fake_of(b)->kind;
}

static void fake_describe(const struct backend *b, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "the %s server", fake_of(b)->kind);
}

static int fake_add_ports(
	struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group)
{
	struct fake *f = fake_of(b);
	struct backend_group *group;

	if (f->refuse_groups > 0 || f->n_groups == FAKE_GROUPS_MAX) {
		f->refuse_groups -= f->refuse_groups > 0;
		return -ENOSPC;
	}
	group = calloc(1, sizeof(*group));
	assert_non_null(group);
	group->fake = f;
	group->monitor = ports->monitor;
	group->insert = ports->insert && ports->insert->through && strcmp(ports->insert->in[0], "fx/a") == 0;
	snprintf(group->name, sizeof(group->name), "%s", ports->name);
	f->groups[f->n_groups++] = group;
	*ret_group = group;
	return 0;
}

static int fake_change_ports(
	struct backend *b, struct backend_group *group, const struct backend_ports *ports)
{
	assert_ptr_equal(group->fake, fake_of(b));
	group->monitor = ports->monitor;
	return 0;
}

static void fake_remove_ports(struct backend *b, struct backend_group *group)
{
	struct fake *f = fake_of(b);

	for (unsigned i = 0; i < f->n_groups; i++) {
		if (f->groups[i] == group) {
			f->groups[i] = f->groups[--f->n_groups];
			free(group);
			return;
		}
	}
	fail_msg("a group that the %s server does not have", f->kind);
}

static void fake_set_latency(struct backend *b, struct backend_group *group, uint32_t latency_frames)
{
	assert_ptr_equal(group->fake, fake_of(b));
	group->latency_frames = latency_frames;
}

static void fake_start(struct backend *b)
{
	struct fake *f = fake_of(b);

	assert_int_equal(f->state, BACKEND_OFF);
	f->starts++;
	/* That is no news: nobody is woken up. */
	f->state = BACKEND_WAITING;
	f->error = 0;
}

static void fake_run(struct backend *b)
{
	struct fake *f = fake_of(b);

	assert_int_equal(f->state, BACKEND_READY);
	f->runs++;
	f->in_run = true;
}

static void fake_stop(struct backend *b)
{
	struct fake *f = fake_of(b);

	f->stops++;
	if (f->state != BACKEND_OFF) {
		fake_set(f, BACKEND_LEAVING, 0);
	}
}

static void fake_get_links(struct backend *b, backend_link_fn fn, void *data)
{
	struct fake *f = fake_of(b);

	for (unsigned i = 0; i < f->n_links; i++) {
		fn(data, "stage/playback_1", f->links[i]);
	}
}

static void fake_add_link(struct backend *b, const char *port, const char *other)
{
	struct fake *f = fake_of(b);

	assert_true(f->n_links < LINKS_MAX);
	snprintf(f->links[f->n_links++], sizeof(f->links[0]), "%s", other);
}

static bool fake_take_volume(
	struct backend *b, struct backend_group *group, struct backend_volume *ret_volume)
{
	bool has = group->has_volume;

	assert_ptr_equal(group->fake, fake_of(b));
	*ret_volume = group->taken;
	group->has_volume = false;
	return has;
}

static void fake_set_volume(
	struct backend *b, struct backend_group *group, const struct backend_volume *volume)
{
	assert_ptr_equal(group->fake, fake_of(b));
	group->set = *volume;
	group->sets++;
}

static int fake_fd(const struct backend *b)
{
	return fake_of(b)->fd;
}

static unsigned fake_dispatch(struct backend *b)
{
	struct fake *f = fake_of(b);
	unsigned changes = f->changes;
	eventfd_t count;

	(void)eventfd_read(f->fd, &count);
	f->changes = 0;
	return changes;
}

static void fake_get_info(struct backend *b, struct backend_info *ret_info)
{
	struct fake *f = fake_of(b);

	/* As the real ones: what it has nothing to say about it leaves alone. */
	ret_info->state = f->state;
	ret_info->error = f->error;
	ret_info->xruns = f->xruns;
	ret_info->stuck_call = f->stuck_call;
	ret_info->rate_hz = f->kind[0] == 'f' ? 44100 : 96000;
}

static const char *fake_last_error(const struct backend *b)
{
	return fake_of(b)->kind;
}

static void fake_free(struct backend *b)
{
	struct fake *f = fake_of(b);

	assert_int_equal(f->state, BACKEND_OFF);
	assert_int_equal(f->n_groups, 0);
	(*f->freed)++;
	close(f->fd);
	free(f);
}

static const struct backend_ops fake_ops = {
	.kind = fake_kind,
	.describe = fake_describe,
	.add_ports = fake_add_ports,
	.change_ports = fake_change_ports,
	.remove_ports = fake_remove_ports,
	.set_latency = fake_set_latency,
	.start = fake_start,
	.run = fake_run,
	.stop = fake_stop,
	.get_links = fake_get_links,
	.add_link = fake_add_link,
	.take_volume = fake_take_volume,
	.set_volume = fake_set_volume,
	.fd = fake_fd,
	.dispatch = fake_dispatch,
	.get_info = fake_get_info,
	.last_error = fake_last_error,
	.free = fake_free,
};

/* --- the two, and the backend that is made of them --- */

struct two {
	struct backend *b;
	struct fake *first, *second;
	unsigned freed;
	unsigned changes; /* all that was told */
};

static struct fake *fake_new(struct two *t, const char *kind)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->base.ops = &fake_ops;
	f->kind = kind;
	f->freed = &t->freed;
	f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(f->fd >= 0);
	return f;
}

static int begin(void **state)
{
	struct two *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->first = fake_new(t, "first");
	t->second = fake_new(t, "second");
	assert_int_equal(backend_auto_new(&t->first->base, &t->second->base, &t->b), 0);
	*state = t;
	return 0;
}

static enum backend_state state_of(struct two *t)
{
	struct backend_info info = {0};

	backend_get_info(t->b, &info);
	return info.state;
}

static bool is_better(struct two *t)
{
	struct backend_info info = {0};

	backend_get_info(t->b, &info);
	return info.better;
}

/* One turn of an event loop; false: nothing came. */
static bool turn(struct two *t, int timeout_ms)
{
	struct pollfd fd = {.fd = backend_fd(t->b), .events = POLLIN};

	if (poll(&fd, 1, timeout_ms) != 1) {
		return false;
	}
	t->changes |= backend_dispatch(t->b);
	return true;
}

static void wait_state(struct two *t, enum backend_state want)
{
	while (state_of(t) != want || !(t->changes & BACKEND_CHANGED_STATE)) {
		if (!turn(t, DEADLINE_MS)) {
			fail_msg("state %d, and %d does not come", state_of(t), want);
		}
	}
	t->changes = 0;
}

static void wait_better(struct two *t, bool want)
{
	while (is_better(t) != want || !(t->changes & BACKEND_CHANGED_STATE)) {
		assert_true(turn(t, DEADLINE_MS));
	}
	t->changes = 0;
}

static void wait_starts(struct two *t, const struct fake *f, unsigned want)
{
	while (f->starts < want) {
		assert_true(turn(t, DEADLINE_MS));
	}
	assert_int_equal(f->starts, want);
}

/* Until what the two have posted has been seen. */
static void wait_quiet(struct two *t)
{
	while (t->first->changes || t->second->changes) {
		assert_true(turn(t, DEADLINE_MS));
	}
}

static void stop_both(struct two *t)
{
	backend_stop(t->b);
	for (unsigned i = 0; i < 2; i++) {
		struct fake *f = i ? t->second : t->first;

		if (f->state != BACKEND_OFF) {
			fake_set(f, BACKEND_OFF, 0);
		}
	}
	while (state_of(t) != BACKEND_OFF) {
		assert_true(turn(t, DEADLINE_MS));
	}
}

static int end(void **state)
{
	struct two *t = *state;

	stop_both(t);
	backend_free(t->b);
	assert_int_equal(t->freed, 2);
	free(t);
	return 0;
}

static void join(struct two *t, struct fake *f)
{
	fake_set(f, BACKEND_READY, 0);
	wait_state(t, BACKEND_READY);
	backend_run(t->b);
	assert_int_equal(f->runs, 1);
	fake_set(f, BACKEND_JOINED, 0);
	wait_state(t, BACKEND_JOINED);
}

/* first has no server, second has. */
static void join_second(struct two *t)
{
	backend_start(t->b);
	fake_set(t->first, BACKEND_WAITING, -ECONNREFUSED);
	wait_starts(t, t->second, 1);
	join(t, t->second);
}

static const char *described(struct two *t)
{
	static char text[128];

	backend_describe(t->b, text, sizeof(text));
	return text;
}

/* --- who is joined --- */

static void test_first_is_there(void **state)
{
	struct two *t = *state;

	assert_string_equal(backend_kind(t->b), "auto");
	assert_int_equal(state_of(t), BACKEND_OFF);
	backend_start(t->b);
	wait_state(t, BACKEND_WAITING);
	assert_string_equal(backend_kind(t->b), "auto");
	assert_string_equal(described(t), "the first server or the second server");
	join(t, t->first);
	assert_string_equal(backend_kind(t->b), "first");
	assert_string_equal(described(t), "the first server");
	assert_int_equal(t->first->starts, 1);
	assert_int_equal(t->second->starts, 0);
	assert_int_equal(t->second->runs, 0);
}

static void test_only_second_is_there(void **state)
{
	struct two *t = *state;
	struct backend_info info = {0};

	join_second(t);
	assert_string_equal(backend_kind(t->b), "second");
	assert_string_equal(described(t), "the second server");
	assert_string_equal(backend_last_error(t->b), "second");
	assert_int_equal(t->first->state, BACKEND_WAITING);
	assert_int_equal(t->first->runs, 0);
	assert_false(is_better(t));
	backend_get_info(t->b, &info);
	assert_int_equal(info.rate_hz, 96000);
}

/* Not only one that is not there: a name that is taken, or anything else. */
static void test_first_does_not_let_in(void **state)
{
	struct two *t = *state;

	backend_start(t->b);
	fake_set(t->first, BACKEND_WAITING, -EEXIST);
	wait_quiet(t);
	assert_int_equal(t->second->starts, 1); /* at once */
	join(t, t->second);
	assert_string_equal(backend_kind(t->b), "second");
}

/* It says neither yes nor no: the second is tried a while later. */
static void test_first_hangs(void **state)
{
	struct two *t = *state;
	int64_t begun = now_ns();
	struct backend_info info = {0};

	backend_start(t->b);
	t->first->stuck_call = "open";
	wait_starts(t, t->second, 1);
	assert_true(now_ns() - begun >= NSEC_PER_SEC);
	join(t, t->second);
	backend_get_info(t->b, &info);
	assert_string_equal(info.stuck_call, "open");
	/* When the one that is joined goes, nobody waits for the other again. */
	fake_set(t->second, BACKEND_OFF, 0);
	wait_state(t, BACKEND_OFF);
	backend_start(t->b);
	assert_int_equal(t->second->starts, 2);
	assert_int_equal(t->first->starts, 1);
}

/* It has let us in and makes ports: that is told, but it may yet come to nothing. */
static void test_first_is_open(void **state)
{
	struct two *t = *state;
	struct backend_info info = {0};

	backend_start(t->b);
	fake_set(t->first, BACKEND_OPEN, 0);
	wait_state(t, BACKEND_OPEN);
	backend_get_info(t->b, &info);
	assert_int_equal(info.rate_hz, 44100);
	assert_string_equal(backend_kind(t->b), "auto");
	assert_int_equal(t->second->starts, 0);
	fake_set(t->first, BACKEND_WAITING, -EIO);
	wait_state(t, BACKEND_WAITING);
	wait_starts(t, t->second, 1);
	/* Both are waited for: the second is not given up for a word. */
	fake_set(t->first, BACKEND_OPEN, 0);
	wait_state(t, BACKEND_OPEN);
	assert_int_equal(t->second->stops, 0);
	join(t, t->second);
	assert_int_equal(state_of(t), BACKEND_JOINED);
	assert_false(is_better(t));
	fake_set(t->first, BACKEND_READY, 0);
	wait_better(t, true);
}

/* A server that hangs while ports are made is no better than one that hangs before. */
static void test_first_hangs_when_open(void **state)
{
	struct two *t = *state;

	backend_start(t->b);
	fake_set(t->first, BACKEND_OPEN, 0);
	wait_state(t, BACKEND_OPEN);
	wait_starts(t, t->second, 1);
	join(t, t->second);
	assert_string_equal(backend_kind(t->b), "second");
}

static void test_neither_is_there(void **state)
{
	struct two *t = *state;
	struct backend_info info = {0};

	backend_start(t->b);
	fake_set(t->first, BACKEND_WAITING, -ECONNREFUSED);
	wait_starts(t, t->second, 1);
	backend_get_info(t->b, &info);
	assert_int_equal(info.state, BACKEND_WAITING);
	assert_int_equal(info.error, 0); /* the second may yet let us in */
	fake_set(t->second, BACKEND_WAITING, -ECONNREFUSED);
	t->changes = 0;
	wait_state(t, BACKEND_WAITING);
	backend_get_info(t->b, &info);
	assert_int_equal(info.error, -ECONNREFUSED);
	/* Whoever comes. */
	join(t, t->second);
}

static void test_what_is_worth_saying(void **state)
{
	struct two *t = *state;
	struct backend_info info = {0};

	backend_start(t->b);
	fake_set(t->first, BACKEND_WAITING, -ECONNREFUSED);
	wait_starts(t, t->second, 1);
	fake_set(t->second, BACKEND_WAITING, -EACCES);
	wait_quiet(t);
	backend_get_info(t->b, &info);
	assert_int_equal(info.error, -EACCES);
	assert_string_equal(backend_last_error(t->b), "second");
	fake_set(t->first, BACKEND_WAITING, -EEXIST);
	wait_quiet(t);
	backend_get_info(t->b, &info);
	assert_int_equal(info.error, -EEXIST);
	assert_string_equal(backend_last_error(t->b), "first");
}

/* While both are waited for, both come: the first counts, the second is left before it was run. */
static void test_both_come(void **state)
{
	struct two *t = *state;

	backend_start(t->b);
	fake_set(t->first, BACKEND_WAITING, -ECONNREFUSED);
	wait_starts(t, t->second, 1);
	fake_set(t->second, BACKEND_READY, 0);
	fake_set(t->first, BACKEND_READY, 0);
	wait_state(t, BACKEND_READY);
	assert_string_equal(backend_kind(t->b), "first");
	assert_int_equal(t->second->stops, 1);
	backend_run(t->b);
	assert_int_equal(t->first->runs, 1);
	assert_int_equal(t->second->runs, 0);
	fake_set(t->second, BACKEND_OFF, 0);
	fake_set(t->first, BACKEND_JOINED, 0);
	wait_state(t, BACKEND_JOINED);
	assert_int_equal(t->second->starts, 1);
}

/* --- changing over --- */

static void test_first_comes(void **state)
{
	struct two *t = *state;

	join_second(t);
	fake_set(t->first, BACKEND_READY, 0);
	wait_better(t, true);
	assert_int_equal(state_of(t), BACKEND_JOINED);
	assert_string_equal(backend_kind(t->b), "second");
	assert_int_equal(t->first->runs, 0);
	backend_stop(t->b);
	wait_state(t, BACKEND_LEAVING);
	assert_false(is_better(t));
	fake_set(t->first, BACKEND_OFF, 0);
	wait_quiet(t);
	assert_int_equal(state_of(t), BACKEND_LEAVING); /* callbacks of the second may still run */
	fake_set(t->second, BACKEND_OFF, 0);
	wait_state(t, BACKEND_OFF);
	backend_start(t->b);
	assert_int_equal(t->first->starts, 2);
	assert_int_equal(t->second->starts, 1);
	fake_set(t->first, BACKEND_READY, 0);
	wait_state(t, BACKEND_READY);
	backend_run(t->b);
	assert_int_equal(t->first->runs, 1);
	assert_string_equal(backend_kind(t->b), "first");
}

/* It comes and goes before anybody has changed over. */
static void test_first_comes_and_goes(void **state)
{
	struct two *t = *state;

	join_second(t);
	fake_set(t->first, BACKEND_READY, 0);
	wait_better(t, true);
	fake_set(t->first, BACKEND_LEAVING, 0);
	wait_better(t, false);
	assert_int_equal(state_of(t), BACKEND_JOINED);
	fake_set(t->first, BACKEND_OFF, 0);
	wait_starts(t, t->first, 2);
	assert_int_equal(state_of(t), BACKEND_JOINED);
	assert_int_equal(t->second->stops, 0);
	fake_set(t->first, BACKEND_WAITING, -ECONNREFUSED);
	wait_quiet(t);
	fake_set(t->first, BACKEND_READY, 0);
	wait_better(t, true);
}

static void test_first_goes(void **state)
{
	struct two *t = *state;

	backend_start(t->b);
	join(t, t->first);
	fake_set(t->first, BACKEND_LEAVING, 0);
	wait_state(t, BACKEND_LEAVING);
	assert_string_equal(backend_last_error(t->b), "first");
	assert_int_equal(t->second->starts, 0);
	fake_set(t->first, BACKEND_OFF, 0);
	wait_state(t, BACKEND_OFF);
	assert_string_equal(described(t), "the first server");
	fake_post(t->second, BACKEND_CHANGED_LINKS);
	wait_quiet(t);
	assert_int_equal(state_of(t), BACKEND_OFF);
	assert_int_equal(t->first->starts, 1); /* not before we say so */
	backend_start(t->b);
	assert_int_equal(t->first->starts, 2);
	assert_int_equal(t->second->starts, 0);
	fake_set(t->first, BACKEND_WAITING, -ECONNREFUSED);
	wait_starts(t, t->second, 1);
	join(t, t->second);
	assert_string_equal(backend_kind(t->b), "second");
}

static void test_second_goes(void **state)
{
	struct two *t = *state;

	join_second(t);
	fake_set(t->second, BACKEND_LEAVING, 0);
	wait_state(t, BACKEND_LEAVING);
	fake_set(t->second, BACKEND_OFF, 0);
	wait_state(t, BACKEND_OFF);
	backend_start(t->b);
	/* The first has said no meanwhile, so both are waited for at once. */
	assert_int_equal(t->second->starts, 2);
	assert_int_equal(t->first->starts, 1);
	wait_state(t, BACKEND_WAITING);
	fake_set(t->first, BACKEND_READY, 0);
	wait_state(t, BACKEND_READY);
	assert_string_equal(backend_kind(t->b), "first");
}

/* It is still on its way out when it would be wanted again. */
static void test_second_leaves_slowly(void **state)
{
	struct two *t = *state;

	backend_start(t->b);
	fake_set(t->first, BACKEND_WAITING, -ECONNREFUSED);
	wait_starts(t, t->second, 1);
	fake_set(t->first, BACKEND_READY, 0);
	wait_state(t, BACKEND_READY);
	assert_int_equal(t->second->state, BACKEND_LEAVING);
	fake_set(t->first, BACKEND_OFF, 0);
	wait_state(t, BACKEND_OFF);
	backend_start(t->b);
	fake_set(t->first, BACKEND_WAITING, -ECONNREFUSED);
	wait_quiet(t);
	assert_int_equal(t->second->starts, 1);
	fake_set(t->second, BACKEND_OFF, 0);
	wait_starts(t, t->second, 2);
}

static void test_stop_while_waiting(void **state)
{
	struct two *t = *state;

	backend_start(t->b);
	fake_set(t->first, BACKEND_WAITING, -ECONNREFUSED);
	wait_starts(t, t->second, 1);
	backend_stop(t->b);
	wait_state(t, BACKEND_LEAVING);
	fake_set(t->second, BACKEND_OFF, 0);
	wait_quiet(t);
	assert_int_equal(state_of(t), BACKEND_LEAVING);
	fake_set(t->first, BACKEND_OFF, 0);
	wait_state(t, BACKEND_OFF);
	wait_quiet(t);
	assert_int_equal(t->first->starts, 1);
	assert_int_equal(t->second->starts, 1);
}

/* The one that was joined has gone by itself, and the daemon ends: free needs both in OFF. */
static void test_stop_after_loss(void **state)
{
	struct two *t = *state;

	join_second(t);
	fake_set(t->second, BACKEND_OFF, 0);
	wait_state(t, BACKEND_OFF);
	assert_int_equal(t->first->state, BACKEND_WAITING);
	backend_stop(t->b);
	wait_state(t, BACKEND_LEAVING);
	fake_set(t->first, BACKEND_OFF, 0);
	wait_state(t, BACKEND_OFF);
}

/* --- what both are told --- */

static void count_links(void *data, const char *port, const char *other)
{
	unsigned *n = data;

	*n += strcmp(other, "shared:x") == 0 ? 100 : 1;
}

static void test_links(void **state)
{
	struct two *t = *state;
	unsigned n = 0;

	backend_add_link(t->b, "stage/playback_1", "shared:x");
	fake_add_link(&t->second->base, "stage/playback_1", "own:y");
	backend_get_links(t->b, count_links, &n);
	assert_int_equal(n, 201);
	backend_start(t->b);
	join(t, t->first);
	n = 0;
	backend_get_links(t->b, count_links, &n);
	assert_int_equal(n, 100);
	fake_post(t->second, BACKEND_CHANGED_LINKS | BACKEND_CHANGED_VOLUME | BACKEND_CHANGED_PERIOD);
	while (!t->changes) {
		assert_true(turn(t, DEADLINE_MS));
	}
	assert_int_equal(t->changes, BACKEND_CHANGED_LINKS);
	fake_post(t->first, BACKEND_CHANGED_PERIOD | BACKEND_CHANGED_VOLUME);
	wait_quiet(t);
	assert_true(t->changes & BACKEND_CHANGED_PERIOD);
	assert_true(t->changes & BACKEND_CHANGED_VOLUME);
}

static void test_groups(void **state)
{
	struct two *t = *state;
	struct backend_ports ports = {.name = "stage"};
	struct backend_group *a = NULL, *b = NULL;

	assert_int_equal(backend_add_ports(t->b, &ports, &a), 0);
	ports.name = "hall";
	join_second(t);
	assert_int_equal(backend_add_ports(t->b, &ports, &b), 0);
	assert_int_equal(t->first->n_groups, 2);
	assert_int_equal(t->second->n_groups, 2);
	ports.monitor = true;
	assert_int_equal(backend_change_ports(t->b, b, &ports), 0);
	backend_set_latency(t->b, b, 72);
	assert_true(t->first->groups[1]->monitor && t->second->groups[1]->monitor);
	assert_false(t->first->groups[0]->monitor || t->second->groups[0]->monitor);
	assert_int_equal(t->first->groups[1]->latency_frames, 72);
	assert_int_equal(t->second->groups[1]->latency_frames, 72);
	backend_remove_ports(t->b, a);
	assert_int_equal(t->first->n_groups, 1);
	assert_string_equal(t->first->groups[0]->name, "hall");
	assert_string_equal(t->second->groups[0]->name, "hall");
}

/* Both have it, or none. */
static void test_group_refused(void **state)
{
	struct two *t = *state;
	struct backend_ports ports = {.name = "stage"};
	struct backend_group *group = NULL;

	t->second->refuse_groups = 1;
	assert_int_equal(backend_add_ports(t->b, &ports, &group), -ENOSPC);
	t->first->refuse_groups = 1;
	assert_int_equal(backend_add_ports(t->b, &ports, &group), -ENOSPC);
	assert_int_equal(t->first->n_groups, 0);
	assert_int_equal(t->second->n_groups, 0);
}

static void test_volume(void **state)
{
	struct two *t = *state;
	struct backend_ports ports = {.name = "stage"};
	struct backend_volume volume = {.volume = {0.5f}, .mute = true};
	struct backend_group *group = NULL;

	assert_int_equal(backend_add_ports(t->b, &ports, &group), 0);
	backend_set_volume(t->b, group, &volume);
	assert_true(t->first->groups[0]->set.mute && t->second->groups[0]->set.mute);
	assert_int_equal(t->first->groups[0]->sets, 1);
	assert_false(backend_take_volume(t->b, group, &volume));
	join_second(t);
	t->first->groups[0]->has_volume = true;
	assert_false(backend_take_volume(t->b, group, &volume));
	t->second->groups[0]->has_volume = true;
	t->second->groups[0]->taken.volume[7] = 0.25f;
	assert_true(backend_take_volume(t->b, group, &volume));
	assert_true(volume.volume[7] == 0.25f);
	assert_false(backend_take_volume(t->b, group, &volume));
}

/* Both have its ports; a volume it has not, whatever anybody says. */
static void test_insert(void **state)
{
	struct two *t = *state;
	const struct backend_insert_ports insert = {.in = {"fx/a"}, .through = true};
	struct backend_ports ports = {.name = "fx", .insert = &insert};
	struct backend_volume volume = {.mute = true};
	struct backend_group *group = NULL;

	assert_int_equal(backend_add_ports(t->b, &ports, &group), 0);
	assert_true(t->first->groups[0]->insert && t->second->groups[0]->insert);
	backend_set_latency(t->b, group, 640);
	assert_int_equal(t->first->groups[0]->latency_frames, 640);
	assert_int_equal(t->second->groups[0]->latency_frames, 640);
	join_second(t);
	backend_set_volume(t->b, group, &volume);
	assert_int_equal(t->first->groups[0]->sets, 0);
	assert_int_equal(t->second->groups[0]->sets, 0);
	t->second->groups[0]->has_volume = true;
	assert_false(backend_take_volume(t->b, group, &volume));
	backend_remove_ports(t->b, group);
	assert_int_equal(t->first->n_groups + t->second->n_groups, 0);
}

static void test_xruns_never_go_back(void **state)
{
	struct two *t = *state;
	struct backend_info info = {0};

	t->first->xruns = 5;
	t->second->xruns = 2;
	join_second(t);
	backend_get_info(t->b, &info);
	assert_int_equal(info.xruns, 7);
}

/* --- with real ones --- */

static unsigned cycles;
static void *owner;

static void on_cycle(void *data, const struct audio_cycle *cycle)
{
	cycles++;
	owner = cycle->n_groups == 1 ? cycle->groups[0]->owner : NULL;
}

static void test_null(void **state)
{
	struct backend_callbacks callbacks = {.process_rt = on_cycle};
	struct backend_ports ports = {.name = "stage", .owner = &cycles};
	struct backend *first, *second;
	struct backend_group *group = NULL;
	struct two t = {0};

	cycles = 0;
	assert_int_equal(backend_null_new(48000, 64, &callbacks, &first), 0);
	assert_int_equal(backend_null_new(96000, 64, &callbacks, &second), 0);
	assert_int_equal(backend_auto_new(first, second, &t.b), 0);
	assert_int_equal(backend_add_ports(t.b, &ports, &group), 0);
	backend_start(t.b);
	wait_state(&t, BACKEND_READY);
	backend_run(t.b);
	wait_state(&t, BACKEND_JOINED);
	backend_null_cycle(first, 1000);
	backend_null_cycle(second, 1000); /* is not joined, and calls nobody */
	assert_int_equal(cycles, 1);
	assert_ptr_equal(owner, &cycles);
	backend_stop(t.b);
	wait_state(&t, BACKEND_OFF);
	backend_free(t.b);
}

/* --- inserts of the null server --- */

#define NULL_FRAMES 64

static char turns[16];
static bool rolling;
static uint64_t transport_frame;
static unsigned midi_lost;

static void turn_of_devices(void *data, const struct audio_cycle *cycle)
{
	strncat(turns, cycle->n_groups == 1 ? "D" : "?", sizeof(turns) - strlen(turns) - 1);
}

/* The owner is the letter that stands for its turn. Half as loud; each note comes back a frame later. */
static void turn_of_insert(void *data, const struct audio_cycle *cycle, struct audio_insert *insert)
{
	assert_int_equal(cycle->n_groups, 0);
	strncat(turns, insert->owner, sizeof(turns) - strlen(turns) - 1);
	rolling = cycle->rolling;
	transport_frame = cycle->transport_frame;
	midi_lost = insert->n_midi_lost;
	for (uint32_t i = 0; i < cycle->frames && insert->in[0] && insert->out[0]; i++) {
		insert->out[0][i] = insert->in[0][i] / 2;
	}
	for (unsigned i = 0; i < insert->n_midi_in; i++) {
		insert->midi_out[i] = insert->midi_in[i];
		insert->midi_out[i].frame++;
	}
	insert->n_midi_out = insert->n_midi_in;
}

static struct backend *null_joined(struct backend_group *ret_groups[4])
{
	const struct backend_callbacks callbacks = {
		.process_rt = turn_of_devices, .insert_rt = turn_of_insert};
	static char letters[][2] = {"d", "a", "b", "c"};
	const struct backend_insert_ports insert = {.in = {"a"}};
	const struct backend_ports ports[] = {
		{.name = "stage", .owner = letters[0]},
		{.name = "a", .owner = letters[1], .insert = &insert},
		{.name = "b", .owner = letters[2], .insert = &insert},
		{.name = "c", .owner = letters[3], .insert = &insert},
	};
	struct backend *b = NULL;

	assert_int_equal(backend_null_new(48000, NULL_FRAMES, &callbacks, &b), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
		assert_int_equal(backend_add_ports(b, &ports[i], &ret_groups[i]), 0);
	}
	backend_start(b);
	backend_run(b);
	turns[0] = '\0';
	return b;
}

static void test_null_turns(void **state)
{
	struct backend_group *groups[4];
	struct backend *b = null_joined(groups);

	backend_null_cycle(b, 1000);
	assert_string_equal(turns, "abcD");
	backend_remove_ports(b, groups[1]);
	backend_null_set_transport(b, true, 4800);
	backend_null_cycle(b, 2000);
	assert_string_equal(turns, "abcDbcD");
	assert_true(rolling);
	assert_int_equal(transport_frame, 4800);
	backend_null_cycle(b, 3000);
	assert_int_equal(transport_frame, 4800 + NULL_FRAMES);
	backend_free(b);
}

static void test_null_insert_data(void **state)
{
	struct backend_group *groups[4];
	struct backend *b = null_joined(groups);
	float in[NULL_FRAMES] = {[5] = 1}, out[NULL_FRAMES] = {0};
	struct audio_midi notes[AUDIO_MIDI_MAX + 3] = {{.frame = 7, .status = 0x90, .data1 = 60, .data2 = 1}};
	const struct audio_midi *back;
	unsigned n;

	backend_null_set_insert_buffers(
		groups[2], (const float *[AUDIO_INSERT_CHANNELS]){in}, (float *[AUDIO_INSERT_CHANNELS]){out});
	backend_null_set_midi_in(groups[3], notes, 1);
	backend_null_cycle(b, 1000);
	assert_true(out[5] == 0.5f && out[4] == 0);
	back = backend_null_midi_out(groups[3], &n);
	assert_int_equal(n, 1);
	assert_int_equal(back[0].frame, 8);
	assert_int_equal(back[0].data1, 60);
	backend_null_cycle(b, 2000);
	(void)backend_null_midi_out(groups[3], &n);
	assert_int_equal(n, 0);
	backend_null_set_midi_in(groups[3], notes, ARRAY_SIZE(notes));
	backend_null_cycle(b, 3000);
	(void)backend_null_midi_out(groups[3], &n);
	assert_int_equal(n, AUDIO_MIDI_MAX);
	assert_int_equal(midi_lost, 3);
	backend_free(b);
}

/* --- anything in any order --- */

static uint32_t seed;

static unsigned dice(unsigned n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 16) % n;
}

/* What a server may do next by itself. */
static void fate(struct fake *f)
{
	switch (f->state) {
	case BACKEND_OFF:
		break;
	case BACKEND_WAITING:
		if (dice(3)) {
			fake_set(f, BACKEND_WAITING, dice(4) ? -ECONNREFUSED : -EEXIST);
		} else {
			fake_set(f, dice(2) ? BACKEND_READY : BACKEND_OPEN, 0);
		}
		break;
	case BACKEND_OPEN:
		fake_set(f, dice(3) ? BACKEND_READY : BACKEND_WAITING, dice(2) ? 0 : -EIO);
		break;
	case BACKEND_READY:
		if (f->in_run && dice(4)) {
			fake_set(f, BACKEND_JOINED, 0);
		} else if (!dice(3)) {
			fake_set(f, dice(2) ? BACKEND_LEAVING : BACKEND_OFF, 0);
		}
		break;
	case BACKEND_JOINED:
		if (!dice(4)) {
			fake_set(f, dice(2) ? BACKEND_LEAVING : BACKEND_OFF, 0);
		}
		break;
	case BACKEND_LEAVING:
		fake_set(f, BACKEND_OFF, 0);
		break;
	}
}

struct storm {
	struct two *t;
	struct backend_group *groups[FAKE_GROUPS_MAX];
	unsigned n_groups;
	unsigned joined[2];
	enum backend_state seen;
};

static void change_groups(struct storm *s)
{
	struct backend_ports ports = {.name = "x"};
	unsigned i;

	if (dice(2) && s->n_groups < FAKE_GROUPS_MAX) {
		assert_int_equal(backend_add_ports(s->t->b, &ports, &s->groups[s->n_groups]), 0);
		s->n_groups++;
	} else if (s->n_groups > 0) {
		i = dice(s->n_groups);
		backend_remove_ports(s->t->b, s->groups[i]);
		s->groups[i] = s->groups[--s->n_groups];
	}
}

/* As the manager does. */
static void follow(struct storm *s)
{
	struct two *t = s->t;
	enum backend_state now = state_of(t);

	t->changes = 0;
	if (now == BACKEND_READY && s->seen != BACKEND_READY) {
		backend_run(t->b);
	} else if (now == BACKEND_JOINED && s->seen != BACKEND_JOINED) {
		s->joined[strcmp(backend_kind(t->b), "first") != 0]++;
	} else if (now == BACKEND_OFF) {
		backend_start(t->b);
	}
	if (is_better(t) && dice(2)) {
		backend_stop(t->b);
	}
	s->seen = state_of(t);
}

static void check(struct storm *s)
{
	struct two *t = s->t;

	/* Callbacks from two threads at once would be the end of the engine. */
	assert_false(t->first->in_run && t->second->in_run);
	assert_int_equal(t->first->n_groups, s->n_groups);
	assert_int_equal(t->second->n_groups, s->n_groups);
	if (state_of(t) == BACKEND_OFF) {
		assert_false(t->first->in_run || t->second->in_run);
	}
	if (state_of(t) == BACKEND_JOINED) {
		assert_true(t->first->in_run || t->second->in_run);
	}
}

static void test_storm(void **state)
{
	struct two *t = *state;
	struct storm s = {.t = t};

	seed = 1;
	backend_start(t->b);
	for (unsigned i = 0; i < 20000; i++) {
		fate(dice(2) ? t->first : t->second);
		if (!dice(10)) {
			change_groups(&s);
		}
		if (!dice(200)) {
			backend_stop(t->b);
		}
		while (t->first->changes || t->second->changes) {
			assert_true(turn(t, DEADLINE_MS));
			check(&s);
			follow(&s);
		}
		check(&s);
	}
	assert_true(s.joined[0] > 100);
	assert_true(s.joined[1] > 100);
	while (s.n_groups > 0) {
		backend_remove_ports(t->b, s.groups[--s.n_groups]);
	}
}

#define WITH_TWO(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TWO(test_first_is_there),
		WITH_TWO(test_only_second_is_there),
		WITH_TWO(test_first_does_not_let_in),
		WITH_TWO(test_first_hangs),
		WITH_TWO(test_first_is_open),
		WITH_TWO(test_first_hangs_when_open),
		WITH_TWO(test_neither_is_there),
		WITH_TWO(test_what_is_worth_saying),
		WITH_TWO(test_both_come),
		WITH_TWO(test_first_comes),
		WITH_TWO(test_first_comes_and_goes),
		WITH_TWO(test_first_goes),
		WITH_TWO(test_second_goes),
		WITH_TWO(test_second_leaves_slowly),
		WITH_TWO(test_stop_while_waiting),
		WITH_TWO(test_stop_after_loss),
		WITH_TWO(test_links),
		WITH_TWO(test_groups),
		WITH_TWO(test_group_refused),
		WITH_TWO(test_volume),
		WITH_TWO(test_insert),
		WITH_TWO(test_xruns_never_go_back),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_null_turns),
		cmocka_unit_test(test_null_insert_data),
		WITH_TWO(test_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
