/*
 * Sound files: stereo floats to a WAV file, and one or two channels out of any file.
 *
 * Ownership: wav_write_open() to wav_write_close(); what wav_read() fills is freed by wav_free(). One thread. They say
 * themselves what is wrong.
 */
#ifndef ECHO_WAV_H
#define ECHO_WAV_H

#include "proto/netvst.h"

struct wav_writer;

struct wav {
	float *channel[NETVST_CHANNELS];
	uint64_t frames;
};

/* 0 or -EIO (said). */
int wav_write_open(const char *path, uint32_t rate_hz, struct wav_writer **ret_writer);
/* NULL: nothing is written. */
void wav_write(struct wav_writer *writer, const float *left, const float *right, uint32_t frames);
/* 0, or -EIO: not all could be written (said). NULL is allowed. */
int wav_write_close(struct wav_writer *writer);

/* Of one channel come two. 0, -EIO or -ENOMEM (said). */
int wav_read(const char *path, uint32_t rate_hz, struct wav *ret_wav);
void wav_free(struct wav *wav);

#endif
