#include "backend/jack-rt.h"

static void get_buffers_rt(struct backend_group *group, jack_nframes_t nframes)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		group->audio.in[k] = group->in[k] ? jack_port_get_buffer(group->in[k], nframes) : NULL;
		group->audio.out[k] = group->out[k] ? jack_port_get_buffer(group->out[k], nframes) : NULL;
	}
}

int jack_backend_process_rt(jack_nframes_t nframes, void *data)
{
	struct jack_backend *j = data;
	struct jack_table *table = atomic_load_explicit(&j->table, memory_order_acquire);
	struct audio_cycle cycle = {
		.frames = nframes,
		.rate_hz = atomic_load_explicit(&j->rate_hz, memory_order_relaxed),
		.now_ns = now_ns(),
		.xruns = atomic_load_explicit(&j->xruns, memory_order_relaxed),
		.freewheel = atomic_load_explicit(&j->freewheel, memory_order_relaxed),
	};

	if (table) {
		for (unsigned i = 0; i < table->n_groups; i++) {
			get_buffers_rt(table->groups[i], nframes);
		}
		cycle.n_groups = table->n_groups;
		cycle.groups = table->audio;
	}
	j->base.callbacks.process_rt(j->base.callbacks.data, &cycle);
	atomic_fetch_add_explicit(&j->cycles, 1, memory_order_release);
	return 0;
}
