#include "backend/jack-rt.h"

static void get_buffers_rt(struct backend_group *group, jack_nframes_t nframes)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		group->audio.in[k] = group->in[k] ? jack_port_get_buffer(group->in[k], nframes) : NULL;
		group->audio.out[k] = group->out[k] ? jack_port_get_buffer(group->out[k], nframes) : NULL;
	}
}

/* JACK's microseconds are CLOCK_MONOTONIC's; where they are not (another clock source), now must do. */
static int64_t cycle_start_rt(struct jack_backend *j, int64_t now)
{
	jack_nframes_t frames;
	jack_time_t start_us, next_us;
	int64_t start;
	float period_us;

	if (jack_get_cycle_times(j->client, &frames, &start_us, &next_us, &period_us) != 0) {
		return now;
	}
	start = (int64_t)start_us * NSEC_PER_USEC;
	return start <= now && now - start < NSEC_PER_SEC ? start : now;
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

	cycle.start_ns = cycle_start_rt(j, cycle.now_ns);
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
