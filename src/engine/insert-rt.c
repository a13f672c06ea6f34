#include "engine/insert-rt.h"

#include <string.h>

static float float_of_rt(uint64_t bits)
{
	uint32_t low = (uint32_t)bits;
	float x;

	memcpy(&x, &low, sizeof(x));
	return x;
}

static void raise_peak_rt(_Atomic uint32_t *peak, uint32_t bits)
{
	/* Floats that are not negative compare like their bits. */
	if (bits > atomic_load_explicit(peak, memory_order_relaxed)) {
		atomic_store_explicit(peak, bits, memory_order_relaxed);
	}
}

void insert_begin_rt(struct insert *insert)
{
	uint64_t gains = atomic_load_explicit(&insert->gains, memory_order_relaxed);

	gain_jump_rt(&insert->send, float_of_rt(gains));
	gain_jump_rt(&insert->back, float_of_rt(gains >> 32));
}

/* Into insert->work, whatever it is. */
static void copy_send_rt(struct insert *insert, const struct audio_insert *io, uint32_t n)
{
	float *work[AUDIO_INSERT_CHANNELS];

	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		work[k] = insert->work[k];
		if (io->in[k]) {
			memcpy(work[k], io->in[k], n * sizeof(float));
			gain_clean_rt(work[k], n);
		} else {
			memset(work[k], 0, n * sizeof(float));
		}
	}
	gain_apply_rt(&insert->send, work, n);
}

void insert_take_send_rt(struct insert *insert, const struct audio_insert *io, uint32_t n,
	const float *ret_audio[AUDIO_INSERT_CHANNELS])
{
	bool scaled = !gain_is_one_rt(&insert->send);

	if (scaled) {
		copy_send_rt(insert, io, n);
	}
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		uint32_t peak;

		ret_audio[k] = scaled && io->in[k] ? insert->work[k] : io->in[k];
		if (!ret_audio[k]) {
			continue;
		}
		peak = gain_peak_rt(ret_audio[k], n);
		if (peak >= GAIN_INFINITE) {
			if (ret_audio[k] != insert->work[k]) {
				memcpy(insert->work[k], ret_audio[k], n * sizeof(float));
				ret_audio[k] = insert->work[k];
			}
			gain_clean_rt(insert->work[k], n);
			peak = gain_peak_rt(insert->work[k], n);
		}
		raise_peak_rt(&insert->peak_send[k], peak);
	}
}

void insert_play_rt(struct insert *insert, uint32_t at, uint32_t n, bool open)
{
	float *audio[AUDIO_INSERT_CHANNELS];

	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		audio[k] = insert->out[k] + at;
	}
	if (open) {
		gain_apply_rt(&insert->back, audio, n);
		for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
			uint32_t peak = gain_peak_rt(audio[k], n);

			if (peak >= GAIN_INFINITE) {
				gain_clean_rt(audio[k], n);
				peak = gain_peak_rt(audio[k], n);
			}
			raise_peak_rt(&insert->peak_back[k], peak);
		}
		seam_count_rt(&insert->report.frames, n);
	}
	fade_play_rt(&insert->fade, audio, n, open);
}

static void update_rt(struct insert *insert, const struct audio_cycle *cycle, struct audio_insert *io)
{
	uint64_t gains = atomic_load_explicit(&insert->gains, memory_order_relaxed);

	fade_set_rate_rt(&insert->fade, cycle->rate_hz);
	insert->rate_hz = cycle->rate_hz;
	gain_set_rt(&insert->send, float_of_rt(gains), insert->fade.length);
	gain_set_rt(&insert->back, float_of_rt(gains >> 32), insert->fade.length);
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		insert->out[k] = io->out[k] ? io->out[k] : insert->spare[k];
	}
	io->n_midi_out = 0;
}

void insert_process_rt(void *data, const struct audio_cycle *cycle, struct audio_insert *io)
{
	struct insert *insert = io->owner;
	struct insert_report *report = &insert->report;
	int64_t began_ns = now_ns();
	bool playing;

	(void)data;
	update_rt(insert, cycle, io);
	if (io->n_midi_lost > 0) {
		seam_count_rt(&report->midi_lost, io->n_midi_lost);
	}
	if (insert->role == INSERT_CLIENT) {
		client_process_rt(insert, cycle, io);
	} else {
		slot_process_rt(insert, cycle, io);
	}
	playing = insert->fade.level > 0;
	atomic_store_explicit(&report->playing, playing, memory_order_relaxed);
	if (io->n_midi_out > 0) {
		seam_count_rt(&report->midi_out, io->n_midi_out);
	}
	seam_count_rt(&report->cycles, 1);
	hist_add_rt(&report->took, now_ns() - began_ns);
}
