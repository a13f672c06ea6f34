#include "echo/wav.h"

#include "base/log.h"
#include "base/util.h"

#include <errno.h>
#include <sndfile.h>
#include <stdlib.h>

#define CHUNK_FRAMES 4096u

struct wav_writer {
	SNDFILE *file;
	const char *path;
	bool failed;
	float chunk[CHUNK_FRAMES * NETVST_CHANNELS];
};

int wav_write_open(const char *path, uint32_t rate_hz, struct wav_writer **ret_writer)
{
	SF_INFO info = {.samplerate = (int)rate_hz,
		.channels = NETVST_CHANNELS,
		.format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
	struct wav_writer *w = calloc(1, sizeof(*w));

	if (!w) {
		return -ENOMEM;
	}
	w->path = path;
	w->file = sf_open(path, SFM_WRITE, &info);
	if (!w->file) {
		log_error("%s: %s", path, sf_strerror(NULL));
		free(w);
		return -EIO;
	}
	*ret_writer = w;
	return 0;
}

void wav_write(struct wav_writer *w, const float *left, const float *right, uint32_t frames)
{
	for (uint32_t at = 0; w && !w->failed && at < frames; at += CHUNK_FRAMES) {
		uint32_t n = MIN(frames - at, CHUNK_FRAMES);

		for (uint32_t i = 0; i < n; i++) {
			w->chunk[2 * i] = left[at + i];
			w->chunk[2 * i + 1] = right[at + i];
		}
		if (sf_writef_float(w->file, w->chunk, (sf_count_t)n) != (sf_count_t)n) {
			log_error("%s: %s; this recording ends here", w->path, sf_strerror(w->file));
			w->failed = true;
		}
	}
}

int wav_write_close(struct wav_writer *w)
{
	int r = 0;

	if (w) {
		if (sf_close(w->file) != 0) {
			log_error("%s: completing the file failed; is the disk full?", w->path);
			r = -EIO;
		}
		r = w->failed ? -EIO : r;
		free(w);
	}
	return r;
}

static int read_frames(SNDFILE *file, unsigned channels, struct wav *wav)
{
	float *chunk = malloc((size_t)CHUNK_FRAMES * channels * sizeof(*chunk));
	uint64_t at = 0;
	sf_count_t n;

	if (!chunk) {
		return -ENOMEM;
	}
	while (at < wav->frames &&
		(n = sf_readf_float(file, chunk, (sf_count_t)MIN(wav->frames - at, CHUNK_FRAMES))) > 0) {
		for (uint64_t i = 0; i < (uint64_t)n; i++) {
			wav->channel[0][at + i] = chunk[i * channels];
			wav->channel[1][at + i] = chunk[i * channels + (channels > 1)];
		}
		at += (uint64_t)n;
	}
	wav->frames = at;
	free(chunk);
	return 0;
}

int wav_read(const char *path, uint32_t rate_hz, struct wav *ret_wav)
{
	SF_INFO info = {0};
	SNDFILE *file = sf_open(path, SFM_READ, &info);
	int r = -EIO;

	*ret_wav = (struct wav){0};
	if (!file) {
		log_error("%s: %s", path, sf_strerror(NULL));
		return -EIO;
	}
	if (info.channels > NETVST_CHANNELS || info.frames <= 0) {
		log_error("%s: a file with one or two channels of audio is needed; this has %d", path,
			info.channels);
	} else if (info.samplerate != (int)rate_hz) {
		log_error("%s: it was made for %d Hz; give --rate=%d, or convert it", path, info.samplerate,
			info.samplerate);
	} else {
		ret_wav->frames = (uint64_t)info.frames;
		for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
			ret_wav->channel[c] = calloc(ret_wav->frames, sizeof(float));
		}
		r = ret_wav->channel[0] && ret_wav->channel[1]
			    ? read_frames(file, (unsigned)info.channels, ret_wav)
			    : -ENOMEM;
	}
	sf_close(file);
	if (r == -ENOMEM) {
		log_error("%s: not enough memory for it", path);
	}
	if (r < 0) {
		wav_free(ret_wav);
	}
	return r;
}

void wav_free(struct wav *wav)
{
	for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
		free(wav->channel[c]);
		wav->channel[c] = NULL;
	}
}
