#include "backend/jack-rt.h"

static void *get_buffer_rt(_Atomic(jack_port_t *) *port, jack_nframes_t nframes)
{
	jack_port_t *p = atomic_load_explicit(port, memory_order_relaxed);

	return p ? jack_port_get_buffer(p, nframes) : NULL;
}

static void get_buffers_rt(struct jack_rt_group *group, jack_nframes_t nframes)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		group->audio.in[k] = get_buffer_rt(&group->in[k], nframes);
		group->audio.out[k] = get_buffer_rt(&group->out[k], nframes);
	}
}

int jack_backend_process_rt(jack_nframes_t nframes, void *data)
{
	struct jack_rt *rt = data;
	uint64_t begun = atomic_load_explicit(&rt->begun, memory_order_relaxed) + 1;
	struct jack_table *table;
	struct audio_cycle cycle = {
		.frames = nframes,
		.rate_hz = atomic_load_explicit(&rt->rate_hz, memory_order_relaxed),
		.now_ns = now_ns(),
		.xruns = atomic_load_explicit(&rt->xruns, memory_order_relaxed),
		.freewheel = atomic_load_explicit(&rt->freewheel, memory_order_relaxed),
	};

	/*
	 * Before the table is read, and seen before that: who replaces the table and then finds begun equal to
	 * ended knows that nobody holds the old one.
	 */
	atomic_store(&rt->begun, begun);
	table = atomic_load(&rt->table);
	if (table) {
		for (unsigned i = 0; i < table->n_groups; i++) {
			get_buffers_rt(table->groups[i], nframes);
		}
		cycle.n_groups = table->n_groups;
		cycle.groups = table->audio;
	}
	rt->callbacks.process_rt(rt->callbacks.data, &cycle);
	atomic_store_explicit(&rt->ended, begun, memory_order_release);
	return 0;
}
