/*
 * A node and a loop are tables of functions; those that are timed are exchanged for ours on the way to libpipewire. All
 * nodes of a program are taken to have one and the same table, and the first hook of its data loop to be the only one.
 *
 * In a cycle each node has its turn, and then comes what the hook does with all of them; that a node has its turn again
 * is the beginning of the next cycle.
 */
#include "callback-timer.h"

#include "base/util.h"

#include <dlfcn.h>
#include <pipewire/impl.h>
#include <pipewire/pipewire.h>
#include <pthread.h>
#include <spa/node/node.h>
#include <stdbool.h>

#define NODES_MAX 64

/* The cycle that is going on; the data loop's. */
static const void *nodes[NODES_MAX];
static unsigned n_nodes;
static int64_t begin_ns;
static int64_t end_ns;
static int64_t sum_ns;

static const struct spa_node_methods *real_node;
static struct spa_node_methods timed_node;
static const struct spa_loop_control_methods *real_control;
static struct spa_loop_control_methods timed_control;
static const struct spa_loop_control_hooks *real_hooks;
static pthread_t loop_thread;

static bool had_its_turn_rt(const void *node)
{
	for (unsigned i = 0; i < n_nodes; i++) {
		if (nodes[i] == node) {
			return true;
		}
	}
	return false;
}

static int timed_process(void *object)
{
	bool begins = n_nodes == 0 || n_nodes == NODES_MAX || had_its_turn_rt(object);
	int64_t start_ns;
	int r;

	if (begins) {
		callback_timer_begin_rt(now_ns());
	}
	start_ns = now_ns();
	if (begins) {
		if (n_nodes > 0) {
			callback_timer_add_rt(sum_ns, end_ns - begin_ns);
		}
		n_nodes = 0;
		sum_ns = 0;
		begin_ns = start_ns;
	}
	nodes[n_nodes++] = object;
	r = real_node->process(object);
	end_ns = now_ns();
	sum_ns += end_ns - start_ns;
	return r;
}

int pw_impl_node_set_implementation(struct pw_impl_node *impl, struct spa_node *node)
{
	int (*real)(struct pw_impl_node *, struct spa_node *);

	*(void **)&real = dlsym(RTLD_NEXT, "pw_impl_node_set_implementation");
	if (!real_node) {
		real_node = node->iface.cb.funcs;
		timed_node = *real_node;
		timed_node.process = timed_process;
	}
	if (node->iface.cb.funcs == real_node) {
		node->iface.cb.funcs = &timed_node;
	}
	return real(impl, node);
}

static void timed_before(void *data)
{
	int64_t start_ns;

	/*
	 * Before a cycle has begun there is nothing that this could belong to; and whoever waits for something that it
	 * has invoked in the loop calls its hooks on its own thread.
	 */
	if (!pthread_equal(pthread_self(), loop_thread) || n_nodes == 0) {
		real_hooks->before(data);
		return;
	}
	start_ns = now_ns();
	real_hooks->before(data);
	end_ns = now_ns();
	sum_ns += end_ns - start_ns;
}

static void add_hook(
	void *object, struct spa_hook *hook, const struct spa_loop_control_hooks *hooks, void *data)
{
	static struct spa_loop_control_hooks timed_hooks;

	if (!real_hooks && hooks->before) {
		loop_thread = pthread_self();
		real_hooks = hooks;
		timed_hooks = *hooks;
		timed_hooks.before = timed_before;
		hooks = &timed_hooks;
	}
	real_control->add_hook(object, hook, hooks, data);
}

struct pw_loop *pw_data_loop_get_loop(struct pw_data_loop *data_loop)
{
	struct pw_loop *(*real)(struct pw_data_loop *);
	struct pw_loop *loop;

	*(void **)&real = dlsym(RTLD_NEXT, "pw_data_loop_get_loop");
	loop = real(data_loop);
	if (loop && !real_control) {
		real_control = loop->control->iface.cb.funcs;
		timed_control = *real_control;
		timed_control.add_hook = add_hook;
		loop->control->iface.cb.funcs = &timed_control;
	}
	return loop;
}
