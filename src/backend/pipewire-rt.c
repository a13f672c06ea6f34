#include "backend/pipewire-rt.h"

#include "base/util.h"

#include <string.h>

/* More than this much too late is no jitter: cycles are missing. */
#define LATE_NSEC(frames, rate_hz) ((uint64_t)(frames) * (NSEC_PER_SEC / 2) / (rate_hz))

static bool is_same_cycle_rt(const struct pwrt *rt, const struct spa_io_clock *clock)
{
	return rt->driver == clock->id && rt->cycle_nsec == clock->nsec && rt->frames == clock->duration;
}

static void begin_cycle_rt(struct pwrt *rt, const struct spa_io_clock *clock)
{
	uint64_t expected;

	if (rt->driver == clock->id && rt->frames > 0 && !rt->freewheeling) {
		expected = rt->cycle_nsec + (uint64_t)rt->frames * NSEC_PER_SEC / rt->rate_hz;
		if (clock->nsec > expected + LATE_NSEC(rt->frames, rt->rate_hz)) {
			atomic_store_explicit(&rt->xruns,
				atomic_load_explicit(&rt->xruns, memory_order_relaxed) + 1,
				memory_order_relaxed);
		}
	}
	rt->cycle++;
	rt->n_missing = rt->n_seen;
	rt->n_seen = 0;
	rt->driver = clock->id;
	rt->cycle_nsec = clock->nsec;
	rt->frames = (uint32_t)clock->duration;
	rt->rate_hz = MAX(clock->rate.denom / MAX(clock->rate.num, 1u), 1u);
	rt->freewheeling = (clock->flags & SPA_IO_CLOCK_FLAG_FREEWHEEL) != 0;
	rt->begin_ns = now_ns();
	rt->called = false;
	atomic_store_explicit(&rt->now_frames, rt->frames, memory_order_relaxed);
	atomic_store_explicit(&rt->now_rate_hz, rt->rate_hz, memory_order_relaxed);
	atomic_store_explicit(&rt->freewheel, rt->freewheeling, memory_order_relaxed);
}

/* Once: other programs can write there at any time, and what is used must be what was tested. */
static uint32_t read_once_rt(const uint32_t *shared)
{
	return __atomic_load_n(shared, __ATOMIC_RELAXED);
}

/* This cycle's samples of a port, copied; NULL: silence. */
static const float *take_rt(struct pwrt_port *port, float *copy, uint32_t frames)
{
	const struct spa_data *data;
	uint32_t id, offset, n;

	if (!port->io || port->io->status != SPA_STATUS_HAVE_DATA) {
		return NULL;
	}
	id = read_once_rt(&port->io->buffer_id);
	if (id >= port->n_buffers) {
		return NULL;
	}
	port->io->status = SPA_STATUS_NEED_DATA;
	data = &port->buffers[id]->datas[0];
	if (!data->data || (data->chunk->flags & SPA_CHUNK_FLAG_EMPTY)) {
		return NULL;
	}
	/* The other side may be any program: nothing that it says is taken for granted. */
	offset = read_once_rt(&data->chunk->offset);
	offset = MIN(offset, data->maxsize);
	n = read_once_rt(&data->chunk->size);
	n = MIN(n, data->maxsize - offset) / (uint32_t)sizeof(float);
	n = MIN(n, frames);
	if (n == 0) {
		return NULL;
	}
	memcpy(copy, (const uint8_t *)data->data + offset, n * sizeof(float));
	memset(copy + n, 0, (frames - n) * sizeof(float));
	return copy;
}

static void monitor_rt(struct pwrt_port *port, const float *samples, uint32_t frames)
{
	struct spa_data *data;
	uint32_t id, n;

	if (!port->io || port->io->status == SPA_STATUS_HAVE_DATA) {
		return;
	}
	id = read_once_rt(&port->io->buffer_id);
	if (id < port->n_buffers) {
		port->free |= 1u << id;
		port->io->buffer_id = SPA_ID_INVALID;
	}
	if (port->free == 0) {
		return;
	}
	id = (uint32_t)__builtin_ctz(port->free);
	data = &port->buffers[id]->datas[0];
	n = MIN(frames, data->maxsize / (uint32_t)sizeof(float));
	if (!data->data) {
		return;
	}
	if (samples) {
		memcpy(data->data, samples, n * sizeof(float));
	} else {
		memset(data->data, 0, n * sizeof(float));
	}
	data->chunk->offset = 0;
	data->chunk->size = n * (uint32_t)sizeof(float);
	data->chunk->stride = sizeof(float);
	data->chunk->flags = samples ? 0 : SPA_CHUNK_FLAG_EMPTY;
	port->free &= ~(1u << id);
	port->io->buffer_id = id;
	port->io->status = SPA_STATUS_HAVE_DATA;
}

static void call_rt(struct pwrt *rt)
{
	struct audio_cycle cycle = {
		.frames = rt->frames,
		.rate_hz = rt->rate_hz,
		.now_ns = rt->begin_ns,
		.xruns = atomic_load_explicit(&rt->xruns, memory_order_relaxed),
		.varying = true,
		.freewheel = rt->freewheeling,
		.n_groups = rt->n_nodes,
		.groups = rt->groups,
	};

	if (rt->n_nodes == 0) {
		return;
	}
	atomic_fetch_add_explicit(&rt->begun, 1, memory_order_relaxed);
	if (atomic_load_explicit(&rt->run, memory_order_acquire)) {
		rt->callbacks.process_rt(rt->callbacks.data, &cycle);
	}
	rt->called = true;
	atomic_fetch_add_explicit(&rt->ended, 1, memory_order_release);
	rt->n_nodes = 0;
}

void pwrt_flush_rt(struct pwrt *rt)
{
	if (rt->n_missing == 0) {
		call_rt(rt);
	}
}

int pwrt_node_process_rt(struct pwrt_node *node)
{
	struct pwrt *rt = node->rt;
	const struct spa_io_position *position = node->position;
	uint32_t frames;

	if (!position || position->clock.rate.denom == 0 || position->clock.duration == 0) {
		return SPA_STATUS_OK;
	}
	if (!is_same_cycle_rt(rt, &position->clock)) {
		call_rt(rt);
		begin_cycle_rt(rt, &position->clock);
	}
	frames = rt->frames;
	if (frames > AUDIO_PERIOD_MAX || node->seen == rt->cycle || rt->n_nodes == PWRT_NODES_MAX) {
		return SPA_STATUS_NEED_DATA;
	}
	rt->n_missing -= node->seen == rt->cycle - 1 ? 1 : 0;
	rt->n_seen++;
	node->seen = rt->cycle;
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		node->audio.in[k] = take_rt(&node->in[k], node->copy + (size_t)k * AUDIO_PERIOD_MAX, frames);
		if (node->monitor) {
			monitor_rt(&node->out[k], node->audio.in[k], frames);
		}
	}
	/* One that was not waited for comes in the next cycle. */
	if (!rt->called) {
		rt->groups[rt->n_nodes] = &node->audio;
		rt->nodes[rt->n_nodes++] = node;
	}
	return node->monitor ? SPA_STATUS_NEED_DATA | SPA_STATUS_HAVE_DATA : SPA_STATUS_NEED_DATA;
}

void pwrt_forget_rt(struct pwrt *rt, struct pwrt_node *node)
{
	if (node->seen == rt->cycle && rt->n_seen > 0) {
		rt->n_seen--;
	} else if (node->seen + 1 == rt->cycle && rt->n_missing > 0) {
		rt->n_missing--;
	}
	node->seen = 0;
	for (unsigned i = 0; i < rt->n_nodes; i++) {
		if (rt->nodes[i] == node) {
			rt->n_nodes--;
			rt->nodes[i] = rt->nodes[rt->n_nodes];
			rt->groups[i] = rt->groups[rt->n_nodes];
			return;
		}
	}
}
