#include "proto/netvst-wavpack.h"

#include "base/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_WAVPACK
#include <wavpack/wavpack.h>

/* The largest parts that the counts on the wire can tell; a correction of 0xFFFF would mean something else. */
#define MAIN_MAX 0xffff
#define CORR_MAX 0xfffe
#define HEADER_BYTES 32
/* Of a sample, on average, in the main part. The rest is in the correction, and less work is better. */
#define BITS_LOSSLESS 4
#define BLOCK_MIN 128	  /* libwavpack refuses less than 16 as a length; a block may still be shorter */
#define NORM_EXPONENT 127 /* full scale is 1.0 */
#define ERROR_SIZE 81	  /* what libwavpack may write */

/* What a stereo block of floats has, and what it must not have. */
#define FLAGS_WANTED (FLOAT_DATA | INITIAL_BLOCK | FINAL_BLOCK)
#define FLAGS_CHECKED (FLAGS_WANTED | MONO_FLAG | DSD_FLAG)

/* What comes out of the packer. */
struct sink {
	uint8_t *bytes;
	size_t n;
	size_t max;
};

/* What goes into the unpacker. */
struct source {
	const uint8_t *bytes;
	size_t n;
	size_t at;
};

struct netvst_wavpack {
	WavpackStreamReader64 reader;
	int32_t samples[NETVST_TAKEN_MAX * NETVST_CHANNELS]; /* interleaved floats, as bits */
	uint8_t main[MAIN_MAX];
	uint8_t corr[CORR_MAX];
};

/* As bits: no arithmetic touches -0 and denormals. */
static int32_t finite_or_0(int32_t bits)
{
	return (bits & 0x7f800000) == 0x7f800000 ? 0 : bits;
}

static int write_block(void *id, void *data, int32_t n)
{
	struct sink *sink = id;

	if (n < 0 || (size_t)n > sink->max - sink->n) {
		return 0;
	}
	memcpy(sink->bytes + sink->n, data, (size_t)n);
	sink->n += (size_t)n;
	return 1;
}

static int32_t read_bytes(void *id, void *data, int32_t n)
{
	struct source *source = id;
	size_t take = source->n - source->at;

	if (n <= 0) {
		return 0;
	}
	if ((size_t)n < take) {
		take = (size_t)n;
	}
	memcpy(data, source->bytes + source->at, take);
	source->at += take;
	return (int32_t)take;
}

static int64_t get_position(void *id)
{
	struct source *source = id;

	return (int64_t)source->at;
}

static int refuse_position(void *id, int64_t position)
{
	return -1;
}

static int refuse_move(void *id, int64_t delta, int mode)
{
	return -1;
}

/* It is only ever the byte that was read last. */
static int push_back(void *id, int c)
{
	struct source *source = id;

	if (source->at == 0) {
		return -1;
	}
	source->at--;
	return c;
}

static int64_t get_length(void *id)
{
	struct source *source = id;

	return (int64_t)source->n;
}

/* Or libwavpack would look for the end of the stream, which is known. */
static int cannot_seek(void *id)
{
	return 0;
}

bool netvst_wavpack_supported(void)
{
	return true;
}

int netvst_wavpack_new(struct netvst_wavpack **ret_wavpack)
{
	struct netvst_wavpack *wavpack = calloc(1, sizeof(*wavpack));

	*ret_wavpack = wavpack;
	if (!wavpack) {
		return -ENOMEM;
	}
	wavpack->reader = (WavpackStreamReader64){
		.read_bytes = read_bytes,
		.get_pos = get_position,
		.set_pos_abs = refuse_position,
		.set_pos_rel = refuse_move,
		.push_back_byte = push_back,
		.get_length = get_length,
		.can_seek = cannot_seek,
	};
	return 0;
}

void netvst_wavpack_free(struct netvst_wavpack *wavpack)
{
	free(wavpack);
}

/*
 * Where there is no correction. Each block begins without knowing the audio before it, and in a short one that shows: it
 * needs more for the same noise, some 60 dB below the signal.
 */
static float lossy_bits(uint32_t frames)
{
	return frames >= 512 ? 6 : frames >= 256 ? 8 : 10;
}

static int pack(WavpackContext *context, int32_t *samples, uint32_t frames, bool lossless)
{
	/* Of the ways there are the one with the least work; the others made blocks of 512 frames hardly smaller. */
	WavpackConfig config = {
		.bitrate = lossless ? BITS_LOSSLESS : lossy_bits(frames),
		.bits_per_sample = 32,
		.bytes_per_sample = 4,
		.num_channels = NETVST_CHANNELS,
		.channel_mask = 3,
		.sample_rate = 48000, /* nobody looks at it; a usual one takes no room */
		.float_norm_exp = NORM_EXPONENT,
		.block_samples = (int32_t)MAX(frames, BLOCK_MIN),
		.flags = CONFIG_HYBRID_FLAG | CONFIG_FAST_FLAG | CONFIG_JOINT_OVERRIDE |
			 CONFIG_SHAPE_OVERRIDE | (lossless ? CONFIG_CREATE_WVC : 0),
	};
	char nothing[1] = "";

	if (!WavpackSetConfiguration64(context, &config, frames, NULL)) {
		return -ENOMEM;
	}
	/* An empty wrapper in place of the header of a WAV file, which would be 82 bytes in each block. */
	WavpackAddWrapper(context, nothing, 0);
	if (!WavpackPackInit(context)) {
		return -ENOMEM;
	}
	if (!WavpackPackSamples(context, samples, frames) || !WavpackFlushSamples(context)) {
		return -E2BIG;
	}
	return 0;
}

int netvst_wavpack_pack(struct netvst_wavpack *wavpack, const float *const audio[NETVST_CHANNELS],
	uint32_t frames, bool lossless, struct netvst_packed *ret_packed)
{
	struct sink main = {.bytes = wavpack->main, .max = sizeof(wavpack->main)};
	struct sink corr = {.bytes = wavpack->corr, .max = sizeof(wavpack->corr)};
	WavpackContext *context;
	int r;

	memset(ret_packed, 0, sizeof(*ret_packed));
	if (frames < 1 || frames > NETVST_TAKEN_MAX) {
		return -EINVAL;
	}
	for (uint32_t i = 0; i < frames; i++) {
		for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
			int32_t bits;

			memcpy(&bits, &audio[c][i], sizeof(bits));
			wavpack->samples[NETVST_CHANNELS * i + c] = finite_or_0(bits);
		}
	}
	context = WavpackOpenFileOutput(write_block, &main, lossless ? &corr : NULL);
	if (!context) {
		return -ENOMEM;
	}
	r = pack(context, wavpack->samples, frames, lossless);
	WavpackCloseFile(context);
	if (r < 0) {
		return r;
	}
	ret_packed->main = main.bytes;
	ret_packed->main_bytes = main.n;
	ret_packed->corr = lossless ? corr.bytes : NULL;
	ret_packed->corr_bytes = corr.n;
	return 0;
}

static uint32_t get32(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/*
 * Before libwavpack sees anything of it: whole blocks of stereo floats and nothing else, with as many frames as there must
 * be. It shuts out what libwavpack could read beside that: old formats, DSD, more channels, other lengths.
 */
static bool are_blocks(const uint8_t *bytes, size_t n, uint32_t frames)
{
	uint32_t total = 0;

	while (n > 0) {
		uint32_t size, n_frames, version;

		if (n < HEADER_BYTES || memcmp(bytes, "wvpk", 4) != 0) {
			return false;
		}
		size = get32(bytes + 4);
		version = bytes[8] | (uint32_t)bytes[9] << 8;
		n_frames = get32(bytes + 20);
		if (size < HEADER_BYTES - 8 || size > n - 8 || size % 2 != 0) {
			return false;
		}
		if (version < MIN_STREAM_VERS || version > MAX_STREAM_VERS) {
			return false;
		}
		if (n_frames < 1 || n_frames > frames - total) {
			return false;
		}
		if ((get32(bytes + 24) & (uint32_t)FLAGS_CHECKED) != (uint32_t)FLAGS_WANTED) {
			return false;
		}
		total += n_frames;
		bytes += size + 8;
		n -= size + 8;
	}
	return total == frames;
}

static int unpack(struct netvst_wavpack *wavpack, struct source *main, struct source *corr, uint32_t frames)
{
	char error[ERROR_SIZE];
	WavpackContext *context;
	uint32_t got = 0;
	int r = -EPROTO;

	context = WavpackOpenFileInputEx64(&wavpack->reader, main, corr, error, corr ? OPEN_WVC : 0, 0);
	if (!context) {
		return -EPROTO;
	}
	if (WavpackGetNumChannels(context) == NETVST_CHANNELS &&
		WavpackGetReducedChannels(context) == NETVST_CHANNELS &&
		(WavpackGetMode(context) & MODE_FLOAT)) {
		got = WavpackUnpackSamples(context, wavpack->samples, frames);
	}
	if (got == frames && WavpackGetNumErrors(context) == 0) {
		r = 0;
	}
	WavpackCloseFile(context);
	return r;
}

int netvst_wavpack_unpack(struct netvst_wavpack *wavpack, const uint8_t *main, size_t main_bytes,
	const uint8_t *corr, size_t corr_bytes, uint32_t frames, float *const ret_audio[NETVST_CHANNELS])
{
	struct source main_source = {.bytes = main, .n = main_bytes};
	struct source corr_source = {.bytes = corr, .n = corr_bytes};
	int r;

	if (frames < 1 || frames > NETVST_TAKEN_MAX || main_bytes > MAIN_MAX || corr_bytes > CORR_MAX ||
		!are_blocks(main, main_bytes, frames) ||
		(corr_bytes > 0 && !are_blocks(corr, corr_bytes, frames))) {
		return -EPROTO;
	}
	r = unpack(wavpack, &main_source, corr_bytes > 0 ? &corr_source : NULL, frames);
	if (r < 0) {
		return r;
	}
	for (uint32_t i = 0; i < frames; i++) {
		for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
			int32_t bits = finite_or_0(wavpack->samples[NETVST_CHANNELS * i + c]);

			memcpy(&ret_audio[c][i], &bits, sizeof(bits));
		}
	}
	return 0;
}

#else

bool netvst_wavpack_supported(void)
{
	return false;
}

int netvst_wavpack_new(struct netvst_wavpack **ret_wavpack)
{
	*ret_wavpack = NULL;
	return -ENOTSUP;
}

void netvst_wavpack_free(struct netvst_wavpack *wavpack)
{
}

int netvst_wavpack_pack(struct netvst_wavpack *wavpack, const float *const audio[NETVST_CHANNELS],
	uint32_t frames, bool lossless, struct netvst_packed *ret_packed)
{
	return -ENOTSUP;
}

int netvst_wavpack_unpack(struct netvst_wavpack *wavpack, const uint8_t *main, size_t main_bytes,
	const uint8_t *corr, size_t corr_bytes, uint32_t frames, float *const ret_audio[NETVST_CHANNELS])
{
	return -ENOTSUP;
}
#endif
