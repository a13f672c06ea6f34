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

const void *pwrt_input_rt(struct pwrt_port *port, uint32_t *ret_size)
{
	const struct spa_data *data;
	uint32_t id, offset, size;

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
	size = read_once_rt(&data->chunk->size);
	*ret_size = MIN(size, data->maxsize - offset);
	return (const uint8_t *)data->data + offset;
}

const float *pwrt_samples_rt(struct pwrt_port *port, float *copy, uint32_t frames)
{
	uint32_t size = 0, n;
	const void *samples = pwrt_input_rt(port, &size);

	n = MIN(size / (uint32_t)sizeof(float), frames);
	if (!samples || n == 0) {
		return NULL;
	}
	memcpy(copy, samples, n * sizeof(float));
	memset(copy + n, 0, (frames - n) * sizeof(float));
	return copy;
}

void *pwrt_output_rt(struct pwrt_port *port, struct pwrt_output *ret_output)
{
	uint32_t id;

	if (!port->io || port->io->status == SPA_STATUS_HAVE_DATA) {
		return NULL;
	}
	id = read_once_rt(&port->io->buffer_id);
	if (id < port->n_buffers) {
		port->free |= 1u << id;
		port->io->buffer_id = SPA_ID_INVALID;
	}
	if (port->free == 0) {
		return NULL;
	}
	ret_output->id = (uint32_t)__builtin_ctz(port->free);
	ret_output->data = &port->buffers[ret_output->id]->datas[0];
	return ret_output->data->data;
}

void pwrt_give_rt(
	struct pwrt_port *port, const struct pwrt_output *output, uint32_t size, int32_t stride, bool empty)
{
	output->data->chunk->offset = 0;
	output->data->chunk->size = size;
	output->data->chunk->stride = stride;
	output->data->chunk->flags = empty ? SPA_CHUNK_FLAG_EMPTY : 0;
	port->free &= ~(1u << output->id);
	port->io->buffer_id = output->id;
	port->io->status = SPA_STATUS_HAVE_DATA;
}

static void monitor_rt(struct pwrt_port *port, const float *samples, uint32_t frames)
{
	struct pwrt_output output;
	float *to = pwrt_output_rt(port, &output);
	uint32_t n;

	if (!to) {
		return;
	}
	n = MIN(frames, output.data->maxsize / (uint32_t)sizeof(float));
	if (samples) {
		memcpy(to, samples, n * sizeof(float));
	} else {
		memset(to, 0, n * sizeof(float));
	}
	pwrt_give_rt(port, &output, n * (uint32_t)sizeof(float), sizeof(float), !samples);
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
		/* Mostly the graph has gone on already: this is the hook that comes after the nodes. */
		rt->callbacks.process_rt(rt->callbacks.data, &cycle);
		if (rt->callbacks.finish_rt) {
			rt->callbacks.finish_rt(rt->callbacks.data);
		}
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

bool pwrt_enter_rt(struct pwrt *rt, const struct spa_io_position *position)
{
	if (!position || position->clock.rate.denom == 0 || position->clock.duration == 0) {
		return false;
	}
	if (!is_same_cycle_rt(rt, &position->clock)) {
		call_rt(rt);
		begin_cycle_rt(rt, &position->clock);
	}
	return true;
}

int pwrt_node_process_rt(struct pwrt_node *node)
{
	struct pwrt *rt = node->rt;
	uint32_t frames;

	if (!pwrt_enter_rt(rt, node->position)) {
		return SPA_STATUS_OK;
	}
	frames = rt->frames;
	if (frames > AUDIO_PERIOD_MAX || node->seen == rt->cycle || rt->n_nodes == PWRT_NODES_MAX) {
		return SPA_STATUS_NEED_DATA;
	}
	rt->n_missing -= node->seen == rt->cycle - 1 ? 1 : 0;
	rt->n_seen++;
	node->seen = rt->cycle;
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		node->audio.in[k] =
			pwrt_samples_rt(&node->in[k], node->copy + (size_t)k * AUDIO_PERIOD_MAX, frames);
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
	if (node->insert) {
		node->insert->cycle = 0;
		return;
	}
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
