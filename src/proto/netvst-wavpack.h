/*
 * Single WavPack blocks of stereo floats: each can be read without any other. By libwavpack, which allocates: the one part
 * of this room that does, on the caller's thread. Without libwavpack netvst_wavpack_new() says -ENOTSUP.
 *
 * Ownership: netvst_wavpack_new() gives it to the caller. Threads: one at a time per object. Not RT safe.
 */
#ifndef PROTO_NETVST_WAVPACK_H
#define PROTO_NETVST_WAVPACK_H

#include "proto/netvst.h"

struct netvst_wavpack;

/* Built with libwavpack. */
bool netvst_wavpack_supported(void);
/* 0, -ENOMEM or -ENOTSUP. */
int netvst_wavpack_new(struct netvst_wavpack **ret_wavpack);
/* NULL is allowed. */
void netvst_wavpack_free(struct netvst_wavpack *wavpack);

/* What it was made into; valid until the next call. */
struct netvst_packed {
	const uint8_t *main;
	size_t main_bytes;
	const uint8_t *corr; /* NULL: lossy */
	size_t corr_bytes;
};

/* 0, -ENOMEM, -EINVAL (frames), or -E2BIG: a part would not fit in 16 bits; send it uncompressed. */
int netvst_wavpack_pack(struct netvst_wavpack *wavpack, const float *const audio[NETVST_CHANNELS],
	uint32_t frames, bool lossless, struct netvst_packed *ret_packed);
/* corr_bytes 0: lossy. Exactly frames frames must come out, of stereo floats, else -EPROTO. -ENOMEM. */
int netvst_wavpack_unpack(struct netvst_wavpack *wavpack, const uint8_t *main, size_t main_bytes,
	const uint8_t *corr, size_t corr_bytes, uint32_t frames, float *const ret_audio[NETVST_CHANNELS]);

#endif
