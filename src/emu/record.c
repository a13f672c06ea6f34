#include "emu/record.h"

#include "base/log.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_FRAMES_MAX                                                                                      \
	(UINT64_C(0xf0000000) / (ETHLINK_CHANNELS * 4)) /* a WAV file counts its bytes in 32 bits */
#define BUFFER_FRAMES 4096u /* 128 KiB a write: 32 boxes come to some 400 writes a second */

struct recorder {
	struct record_config cfg;
	char *path; /* of the file that is open or was last */
	SNDFILE *file;
	unsigned n_files;
	uint32_t rate_hz; /* of the open file */
	uint64_t frames;  /* in the open file */
	bool started, failed;
	unsigned n; /* sample frames in the buffer */
	double factor[ETHLINK_CHANNELS];
	uint8_t factor_gain[ETHLINK_CHANNELS];
	union {
		int32_t s32[BUFFER_FRAMES * ETHLINK_CHANNELS];
		float f32[BUFFER_FRAMES * ETHLINK_CHANNELS];
	} buffer;
};

static int check_folder(const char *path)
{
	char *copy = strdup(path);
	int r;

	if (!copy) {
		return -ENOMEM;
	}
	r = access(dirname(copy), W_OK | X_OK) < 0 ? -errno : 0;
	free(copy);
	return r;
}

int recorder_new(const struct record_config *config, struct recorder **ret_recorder)
{
	struct recorder *r;
	int err = check_folder(config->path);

	if (err < 0) {
		return err;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		return -ENOMEM;
	}
	r->cfg = *config;
	/* No gain byte that means something to the factors: all are worked out at the first block. */
	memset(r->factor_gain, ETHLINK_GAIN_BYTE_MAX + 1, sizeof(r->factor_gain));
	*ret_recorder = r;
	return 0;
}

static void fail(struct recorder *r, const char *what, const char *why)
{
	if (!r->failed) {
		log_error("%s: %s: %s; this recording ends here", r->path ? r->path : r->cfg.path, what, why);
	}
	r->failed = true;
}

static void flush(struct recorder *r)
{
	sf_count_t done;

	if (r->n == 0 || !r->file) {
		return;
	}
	if (r->cfg.format == RECORD_S32) {
		done = sf_writef_int(r->file, r->buffer.s32, (sf_count_t)r->n);
	} else {
		done = sf_writef_float(r->file, r->buffer.f32, (sf_count_t)r->n);
	}
	if (done != (sf_count_t)r->n) {
		fail(r, "writing samples", sf_strerror(r->file));
	}
	r->n = 0;
}

static void close_file(struct recorder *r)
{
	if (!r->file) {
		return;
	}
	flush(r);
	if (sf_close(r->file) != 0) {
		fail(r, "completing the file", "its header may be wrong");
	}
	r->file = NULL;
}

/* out.wav, out-7.wav, out.1.wav, out-7.1.wav */
static char *make_path(const struct recorder *r)
{
	const char *slash = strrchr(r->cfg.path, '/');
	const char *dot = strrchr(r->cfg.path, '.');
	char serial[16] = "", number[16] = "";
	char *path;
	int stem;

	if (!dot || dot == r->cfg.path || (slash && dot <= slash + 1)) {
		dot = r->cfg.path + strlen(r->cfg.path);
	}
	stem = (int)(dot - r->cfg.path);
	if (r->cfg.serial >= 0) {
		snprintf(serial, sizeof(serial), "-%d", r->cfg.serial);
	}
	if (r->n_files > 0) {
		snprintf(number, sizeof(number), ".%u", r->n_files);
	}
	return asprintf(&path, "%.*s%s%s%s", stem, r->cfg.path, serial, number, dot) < 0 ? NULL : path;
}

static void open_file(struct recorder *r, uint32_t rate_hz)
{
	SF_INFO info = {.samplerate = (int)rate_hz, .channels = ETHLINK_CHANNELS};

	close_file(r);
	free(r->path);
	r->path = make_path(r);
	if (!r->path) {
		fail(r, "making the file's name", strerror(ENOMEM));
		return;
	}
	info.format = SF_FORMAT_WAV | (r->cfg.format == RECORD_S32 ? SF_FORMAT_PCM_32 : SF_FORMAT_FLOAT);
	r->file = sf_open(r->path, SFM_WRITE, &info);
	if (!r->file) {
		fail(r, "making the file", sf_strerror(NULL));
		return;
	}
	r->rate_hz = rate_hz;
	r->frames = 0;
	r->n_files++;
	log_debug("%s: recording at %u Hz", r->path, rate_hz);
}

static void update_factors(struct recorder *r, const uint8_t *gain)
{
	if (memcmp(r->factor_gain, gain, ETHLINK_CHANNELS) == 0) {
		return;
	}
	memcpy(r->factor_gain, gain, ETHLINK_CHANNELS);
	for (unsigned c = 0; c < ETHLINK_CHANNELS; c++) {
		int db;

		r->factor[c] = ethlink_gain_db(ETHLINK_DAC8, gain[c], &db) == 0 ? pow(10.0, db / 20.0) : 0.0;
	}
}

static void apply_gain(struct recorder *r, int32_t *samples, const uint8_t *gain)
{
	update_factors(r, gain);
	for (unsigned i = 0; i < ETHLINK_BLOCK_FRAMES * ETHLINK_CHANNELS; i++) {
		double v = samples[i] * r->factor[i % ETHLINK_CHANNELS];

		samples[i] = (int32_t)llrint(CLAMP(v, (double)INT32_MIN, (double)INT32_MAX));
	}
}

void recorder_block(struct recorder *r, const struct box_block *block)
{
	int32_t samples[ETHLINK_BLOCK_FRAMES * ETHLINK_CHANNELS] = {0};
	size_t at;

	r->started |= block->nonzero || (r->cfg.from_first_block && block->audio);
	if (!r->started || r->failed) {
		return;
	}
	if (!r->file || r->rate_hz != block->rate_hz || r->frames >= FILE_FRAMES_MAX) {
		open_file(r, block->rate_hz);
		if (r->failed) {
			return;
		}
	}
	if (block->audio) {
		ethlink_decode_block(block->audio, samples);
	}
	if (r->cfg.apply_gain) {
		apply_gain(r, samples, block->gain);
	}
	at = (size_t)r->n * ETHLINK_CHANNELS;
	if (r->cfg.format == RECORD_S32) {
		memcpy(r->buffer.s32 + at, samples, sizeof(samples));
	} else {
		for (unsigned i = 0; i < ARRAY_SIZE(samples); i++) {
			r->buffer.f32[at + i] = (float)samples[i] * 0x1p-31f;
		}
	}
	r->n += ETHLINK_BLOCK_FRAMES;
	r->frames += ETHLINK_BLOCK_FRAMES;
	if (r->n == BUFFER_FRAMES) {
		flush(r);
	}
}

int recorder_free(struct recorder *r)
{
	bool failed;

	if (!r) {
		return 0;
	}
	close_file(r);
	if (r->n_files == 0 && !r->failed) {
		if (r->cfg.serial >= 0) {
			log_notice("%s: box %d played no audio, so it has no recording", r->cfg.path,
				r->cfg.serial);
		} else {
			log_notice("%s: no audio was played, so there is no recording", r->cfg.path);
		}
	}
	failed = r->failed;
	free(r->path);
	free(r);
	return failed ? -EIO : 0;
}
