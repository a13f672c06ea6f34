#include "stall.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#define CPUS_MAX 64
#define PRIORITY 90
#define SLEEP_NS 1000000
#define STACK_BYTES 65536

struct watch {
	pthread_t thread;
	_Atomic unsigned count;
	_Atomic int64_t longest_ns;
};

static struct watch watches[CPUS_MAX];
static unsigned n_watches;
static _Atomic bool ending;

static int64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void *watch_main(void *data)
{
	struct watch *w = data;

	while (!atomic_load_explicit(&ending, memory_order_relaxed)) {
		int64_t before = clock_ns(), late;

		clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
		late = clock_ns() - before - SLEEP_NS;
		if (late > STALL_COUNTED_NS) {
			atomic_fetch_add(&w->count, 1);
		}
		if (late > atomic_load(&w->longest_ns)) {
			atomic_store(&w->longest_ns, late);
		}
	}
	return NULL;
}

static int start_on(int cpu, struct watch *w)
{
	struct sched_param param = {.sched_priority = PRIORITY};
	pthread_attr_t attr;
	cpu_set_t set;
	int r;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	r = pthread_create(&w->thread, &attr, watch_main, w);
	pthread_attr_destroy(&attr);
	return -r;
}

int stall_start(void)
{
	cpu_set_t allowed;
	int r = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0) {
		return -errno;
	}
	for (int cpu = 0; cpu < CPU_SETSIZE && n_watches < CPUS_MAX; cpu++) {
		if (CPU_ISSET(cpu, &allowed)) {
			r = start_on(cpu, &watches[n_watches]);
			if (r < 0) {
				stall_stop();
				return r;
			}
			n_watches++;
		}
	}
	return 0;
}

struct stalls stall_take(void)
{
	struct stalls all = {0};

	for (unsigned i = 0; i < n_watches; i++) {
		int64_t longest_ns = atomic_exchange(&watches[i].longest_ns, 0);

		all.count += atomic_exchange(&watches[i].count, 0);
		if (longest_ns > all.longest_ns) {
			all.longest_ns = longest_ns;
		}
	}
	return all;
}

struct stalls stall_stop(void)
{
	struct stalls all;

	atomic_store(&ending, true);
	for (unsigned i = 0; i < n_watches; i++) {
		pthread_join(watches[i].thread, NULL);
	}
	all = stall_take();
	n_watches = 0;
	return all;
}
