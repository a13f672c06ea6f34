#include "net/nvpipe-rt.h"

/* A run begins or ends with this cycle. */
static void change_run_rt(struct nvpipe *pipe, uint32_t want)
{
	atomic_store_explicit(&pipe->tx_head, 0, memory_order_relaxed);
	atomic_store_explicit(&pipe->rx_tail, 0, memory_order_relaxed);
	atomic_store_explicit(&pipe->overrun, false, memory_order_relaxed);
	spsc_clear(&pipe->rx_midi);
	spsc_clear(&pipe->arrivals);
	pipe->last = want ? want : pipe->last;
	atomic_store_explicit(&pipe->run, want, memory_order_release);
}

static void mark_rt(struct nvpipe *pipe, const struct audio_cycle *cycle)
{
	struct nvpipe_mark mark = {
		.frame = atomic_load_explicit(&pipe->tx_head, memory_order_relaxed),
		.frames = cycle->frames,
		.rate_hz = cycle->rate_hz,
		.song_frame = (uint32_t)cycle->transport_frame,
		.rolling = cycle->rolling,
		.now_ns = cycle->now_ns,
	};

	/* Where it is full, the ring will be, too. */
	(void)spsc_push(&pipe->marks, &mark);
}

uint32_t nvpipe_begin_rt(struct nvpipe *pipe, const struct audio_cycle *cycle, bool *ret_new)
{
	uint32_t want = atomic_load_explicit(&pipe->want, memory_order_acquire);
	uint32_t run = atomic_load_explicit(&pipe->run, memory_order_relaxed);

	if (want == pipe->last && run == 0) {
		want = 0;
	}
	*ret_new = want != run;
	if (want != run) {
		change_run_rt(pipe, want);
	}
	atomic_store_explicit(&pipe->cycle_frames, cycle->frames, memory_order_relaxed);
	atomic_store_explicit(&pipe->rate_hz, cycle->rate_hz, memory_order_relaxed);
	atomic_store_explicit(&pipe->cycle_ns, cycle->now_ns, memory_order_relaxed);
	/* Without real time no frames come, so nobody would take the marks out again. */
	if (want && !cycle->freewheel && !atomic_load_explicit(&pipe->overrun, memory_order_relaxed)) {
		mark_rt(pipe, cycle);
	}
	return want;
}

bool nvpipe_write_tx_rt(struct nvpipe *pipe, const float *const audio[NVPIPE_CHANNELS], uint32_t n)
{
	uint64_t head = atomic_load_explicit(&pipe->tx_head, memory_order_relaxed);

	if (atomic_load_explicit(&pipe->overrun, memory_order_relaxed)) {
		return false;
	}
	if (head + n - atomic_load_explicit(&pipe->tx_tail, memory_order_acquire) > pipe->frames_max) {
		atomic_store_explicit(&pipe->overrun, true, memory_order_relaxed);
		return false;
	}
	for (unsigned k = 0; k < NVPIPE_CHANNELS; k++) {
		nvpipe_ring_write(pipe->tx[k], pipe->frames_max, head, audio[k], n);
	}
	atomic_store_explicit(&pipe->tx_head, head + n, memory_order_release);
	atomic_store_explicit(&pipe->tx_ns, atomic_load_explicit(&pipe->cycle_ns, memory_order_relaxed),
		memory_order_release);
	return true;
}

void nvpipe_give_up_rt(struct nvpipe *pipe)
{
	atomic_store_explicit(&pipe->overrun, true, memory_order_relaxed);
}

bool nvpipe_block_ready_rt(const struct nvpipe *pipe, uint64_t number)
{
	return atomic_load_explicit(&pipe->tags[number % pipe->n_blocks], memory_order_acquire) == number + 1;
}

void nvpipe_read_block_rt(const struct nvpipe *pipe, uint64_t number, uint32_t offset, uint32_t n,
	float *const ret_audio[NVPIPE_CHANNELS])
{
	size_t begin = (size_t)(number % pipe->n_blocks) * pipe->block + offset;

	for (unsigned k = 0; k < NVPIPE_CHANNELS; k++) {
		memcpy(ret_audio[k], pipe->rx[k] + begin, n * sizeof(float));
	}
}

uint32_t nvpipe_rx_frames_rt(const struct nvpipe *pipe)
{
	return (uint32_t)(atomic_load_explicit(&pipe->rx_head, memory_order_acquire) -
			  atomic_load_explicit(&pipe->rx_tail, memory_order_relaxed));
}

void nvpipe_read_rx_rt(
	const struct nvpipe *pipe, uint64_t frame, uint32_t n, float *const ret_audio[NVPIPE_CHANNELS])
{
	for (unsigned k = 0; k < NVPIPE_CHANNELS; k++) {
		nvpipe_ring_read(pipe->rx[k], pipe->frames_max, frame, ret_audio[k], n);
	}
}

void nvpipe_release_rx_rt(struct nvpipe *pipe, uint64_t frame)
{
	atomic_store_explicit(&pipe->rx_tail, frame, memory_order_release);
}
