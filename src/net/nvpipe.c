#include "net/nvpipe-rt.h"

#include "base/mem.h"

#include <errno.h>

/* Some two thirds of a second at 48 kHz; twice as much for the largest blocks. */
#define FRAMES 32768
#define FRAMES_LARGE 65536
#define BLOCK_LARGE 2048

/* Takes size bytes from *at on. */
static void *carve(char **at, size_t size)
{
	void *p = *at;

	*at += (size + CACHELINE_SIZE - 1) & ~(size_t)(CACHELINE_SIZE - 1);
	return p;
}

static size_t storage_size(const struct nvpipe *pipe)
{
	size_t size = 2 * NVPIPE_CHANNELS * pipe->frames_max * sizeof(float) +
		      pipe->n_blocks * sizeof(pipe->tags[0]) +
		      2 * NVPIPE_MIDI_MAX * sizeof(struct nvpipe_midi) +
		      NVPIPE_MARKS_MAX * sizeof(struct nvpipe_mark) +
		      NVPIPE_ARRIVALS_MAX * sizeof(struct nvpipe_arrival);

	return size + (2 * NVPIPE_CHANNELS + 5) * CACHELINE_SIZE;
}

int nvpipe_new(uint32_t block, struct nvpipe **ret_pipe)
{
	struct nvpipe *pipe = mem_zalloc(CACHELINE_SIZE, sizeof(*pipe));
	char *at;

	if (!pipe) {
		return -ENOMEM;
	}
	pipe->block = block;
	pipe->frames_max = block == 0 || block > BLOCK_LARGE ? FRAMES_LARGE : FRAMES;
	pipe->n_blocks = block ? pipe->frames_max / block : 0;
	pipe->storage = mem_zalloc(CACHELINE_SIZE, storage_size(pipe));
	if (!pipe->storage) {
		free(pipe);
		return -ENOMEM;
	}
	at = pipe->storage;
	for (unsigned k = 0; k < NVPIPE_CHANNELS; k++) {
		pipe->tx[k] = carve(&at, pipe->frames_max * sizeof(float));
		pipe->rx[k] = carve(&at, pipe->frames_max * sizeof(float));
	}
	pipe->tags = carve(&at, pipe->n_blocks * sizeof(pipe->tags[0]));
	(void)spsc_init(&pipe->tx_midi, carve(&at, NVPIPE_MIDI_MAX * sizeof(struct nvpipe_midi)),
		sizeof(struct nvpipe_midi), NVPIPE_MIDI_MAX);
	(void)spsc_init(&pipe->rx_midi, carve(&at, NVPIPE_MIDI_MAX * sizeof(struct nvpipe_midi)),
		sizeof(struct nvpipe_midi), NVPIPE_MIDI_MAX);
	(void)spsc_init(&pipe->marks, carve(&at, NVPIPE_MARKS_MAX * sizeof(struct nvpipe_mark)),
		sizeof(struct nvpipe_mark), NVPIPE_MARKS_MAX);
	(void)spsc_init(&pipe->arrivals, carve(&at, NVPIPE_ARRIVALS_MAX * sizeof(struct nvpipe_arrival)),
		sizeof(struct nvpipe_arrival), NVPIPE_ARRIVALS_MAX);
	*ret_pipe = pipe;
	return 0;
}

void nvpipe_free(struct nvpipe *pipe)
{
	if (pipe) {
		free(pipe->storage);
		free(pipe);
	}
}

void nvpipe_rt_gone(struct nvpipe *pipe)
{
	atomic_store_explicit(&pipe->cycle_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&pipe->run, 0, memory_order_release);
}

bool nvpipe_start(struct nvpipe *pipe, uint32_t n)
{
	if (!nvpipe_is_parked(pipe)) {
		return false;
	}
	atomic_store_explicit(&pipe->tx_tail, 0, memory_order_relaxed);
	atomic_store_explicit(&pipe->rx_head, 0, memory_order_relaxed);
	for (uint32_t i = 0; i < pipe->n_blocks; i++) {
		atomic_store_explicit(&pipe->tags[i], 0, memory_order_relaxed);
	}
	spsc_clear(&pipe->tx_midi);
	spsc_clear(&pipe->marks);
	atomic_store_explicit(&pipe->want, n, memory_order_release);
	return true;
}

void nvpipe_stop(struct nvpipe *pipe)
{
	atomic_store_explicit(&pipe->want, 0, memory_order_release);
}

bool nvpipe_is_parked(const struct nvpipe *pipe)
{
	return atomic_load_explicit(&pipe->want, memory_order_relaxed) == 0 &&
	       atomic_load_explicit(&pipe->run, memory_order_acquire) == 0;
}

bool nvpipe_is_running(const struct nvpipe *pipe)
{
	uint32_t want = atomic_load_explicit(&pipe->want, memory_order_relaxed);

	return want != 0 && atomic_load_explicit(&pipe->run, memory_order_acquire) == want &&
	       !atomic_load_explicit(&pipe->overrun, memory_order_relaxed);
}

uint32_t nvpipe_tx_frames(const struct nvpipe *pipe)
{
	return (uint32_t)(atomic_load_explicit(&pipe->tx_head, memory_order_acquire) -
			  atomic_load_explicit(&pipe->tx_tail, memory_order_relaxed));
}

void nvpipe_take_tx(struct nvpipe *pipe, float *const ret_audio[NVPIPE_CHANNELS], uint32_t n)
{
	uint64_t tail = atomic_load_explicit(&pipe->tx_tail, memory_order_relaxed);

	for (unsigned k = 0; k < NVPIPE_CHANNELS; k++) {
		nvpipe_ring_read(pipe->tx[k], pipe->frames_max, tail, ret_audio[k], n);
	}
	atomic_store_explicit(&pipe->tx_tail, tail + n, memory_order_release);
}

void nvpipe_put_block(struct nvpipe *pipe, uint64_t number, const float *const audio[NVPIPE_CHANNELS])
{
	uint32_t place = (uint32_t)(number % pipe->n_blocks);

	/* Whoever still looks for the block that was here must see that it has gone before its samples change. */
	atomic_store_explicit(&pipe->tags[place], 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (unsigned k = 0; k < NVPIPE_CHANNELS; k++) {
		memcpy(pipe->rx[k] + (size_t)place * pipe->block, audio[k], pipe->block * sizeof(float));
	}
	atomic_store_explicit(&pipe->tags[place], number + 1, memory_order_release);
}

bool nvpipe_put_rx(struct nvpipe *pipe, const float *const audio[NVPIPE_CHANNELS], uint32_t n)
{
	return nvpipe_put_rx_at(pipe, audio, n, now_ns());
}

bool nvpipe_put_rx_at(
	struct nvpipe *pipe, const float *const audio[NVPIPE_CHANNELS], uint32_t n, int64_t came_ns)
{
	uint64_t head = atomic_load_explicit(&pipe->rx_head, memory_order_relaxed);
	struct nvpipe_arrival arrival = {.frame = head, .frames = n, .now_ns = came_ns};

	if (head + n - atomic_load_explicit(&pipe->rx_tail, memory_order_acquire) > pipe->frames_max) {
		return false;
	}
	for (unsigned k = 0; k < NVPIPE_CHANNELS; k++) {
		nvpipe_ring_write(pipe->rx[k], pipe->frames_max, head, audio[k], n);
	}
	atomic_store_explicit(&pipe->rx_head, head + n, memory_order_release);
	/* Where it is full, RT has enough to go by. */
	(void)spsc_push(&pipe->arrivals, &arrival);
	return true;
}
