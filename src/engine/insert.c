#include "engine/insert-rt.h"

#include "base/mem.h"

#include <errno.h>

/* What the net thread and the peer's machine may take beyond the round trips that were measured. */
#define AUTO_RESERVE_NS (1200 * NSEC_PER_USEC)

static uint64_t bits_of(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

int insert_new(enum insert_role role, struct nvpipe *pipe, struct insert **ret_insert)
{
	struct insert *insert = mem_zalloc(CACHELINE_SIZE, sizeof(*insert));

	if (!insert) {
		return -ENOMEM;
	}
	insert->role = role;
	insert->pipe = pipe;
	insert_set_gains(insert, 1.0f, 1.0f);
	*ret_insert = insert;
	return 0;
}

void insert_free(struct insert *insert)
{
	free(insert);
}

void insert_set_latency(struct insert *insert, uint32_t latency_frames)
{
	atomic_store_explicit(&insert->latency_frames, latency_frames, memory_order_relaxed);
}

void insert_set_gains(struct insert *insert, float send, float back)
{
	atomic_store_explicit(&insert->gains, bits_of(send) | bits_of(back) << 32, memory_order_relaxed);
}

const struct insert_report *insert_get_report(const struct insert *insert)
{
	return &insert->report;
}

static void take_peaks(_Atomic uint32_t peak[AUDIO_INSERT_CHANNELS], float ret_peak[AUDIO_INSERT_CHANNELS])
{
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		uint32_t bits = atomic_exchange_explicit(&peak[k], 0, memory_order_relaxed);

		memcpy(&ret_peak[k], &bits, sizeof(bits));
	}
}

void insert_take_peaks(
	struct insert *insert, float ret_send[AUDIO_INSERT_CHANNELS], float ret_back[AUDIO_INSERT_CHANNELS])
{
	take_peaks(insert->peak_send, ret_send);
	take_peaks(insert->peak_back, ret_back);
}

void insert_set_running(struct insert *insert, bool running)
{
	if (running) {
		return;
	}
	/* RT is not there to end what it does; left as it is it would go on in the middle when it is back. */
	nvpipe_rt_gone(insert->pipe);
	memset(&insert->fade, 0, sizeof(insert->fade));
	memset(&insert->notes, 0, sizeof(insert->notes));
	if (insert->role == INSERT_CLIENT) {
		memset(&insert->client, 0, sizeof(insert->client));
	} else {
		memset(&insert->slot, 0, sizeof(insert->slot));
	}
	atomic_store_explicit(&insert->report.playing, 0, memory_order_relaxed);
	atomic_store_explicit(&insert->report.fill_frames, 0, memory_order_relaxed);
}

/*
 * Block n is complete in the cycle that brings frame (n + 1) B, so up to P - gcd(B, P) frames after its last one; its
 * first frame is then that and B frames old.
 */
static uint32_t gather_frames(uint32_t block_frames, uint32_t period_frames)
{
	return block_frames - common_divisor(block_frames, period_frames);
}

uint32_t insert_latency_frames(uint32_t block_frames, uint32_t period_frames, unsigned cycles)
{
	return gather_frames(block_frames, period_frames) + MAX(cycles, 1u) * period_frames;
}

unsigned insert_latency_cycles(uint32_t block_frames, uint32_t period_frames, uint32_t latency_frames)
{
	uint32_t gather = gather_frames(block_frames, period_frames);

	return latency_frames > gather ? (latency_frames - gather) / period_frames : 0;
}

uint32_t insert_latency_auto(
	uint32_t block_frames, uint32_t period_frames, uint32_t rate_hz, int64_t rtt_p90_ns)
{
	int64_t period_ns = (int64_t)period_frames * NSEC_PER_SEC / rate_hz;
	int64_t cycles = (MAX(rtt_p90_ns, (int64_t)0) + AUTO_RESERVE_NS + period_ns - 1) / period_ns;

	return insert_latency_frames(block_frames, period_frames, (unsigned)cycles);
}

uint32_t insert_latency_phase(uint32_t block_frames, uint32_t period_frames, uint32_t grid_frames)
{
	uint32_t divisor = common_divisor(block_frames, period_frames);

	return divisor - common_divisor(divisor, grid_frames);
}
