/* Blocks of NetVST with WavPack: to the bit where that is promised, and nothing bad from whatever else may come in. */
#include "base/util.h"
#include "proto/netvst-wavpack.h"
#include "unit/netvst-blocks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define BLOCKS 100000
#define BROKEN_BLOCKS 3000

/* 80 kB and more each: not on the stack. */
static struct netvst_block made, got;
static struct netvst_parser parser;
static uint8_t wire[NETVST_BYTES_MAX];
static struct netvst_wavpack *packer, *unpacker;
static unsigned n_blocks = BLOCKS;

static int set_up(void **state)
{
	int r = netvst_wavpack_new(&packer);

	if (!netvst_wavpack_supported()) {
		assert_int_equal(r, -ENOTSUP);
		assert_null(packer);
		return 0;
	}
	assert_int_equal(r, 0);
	assert_int_equal(netvst_wavpack_new(&unpacker), 0);
	return 0;
}

static int tear_down(void **state)
{
	netvst_wavpack_free(packer);
	netvst_wavpack_free(unpacker);
	netvst_wavpack_free(NULL);
	return 0;
}

static void need_wavpack(void)
{
	if (!netvst_wavpack_supported()) {
		skip();
	}
}

static size_t write_made(enum netvst_codec codec, enum netvst_direction direction)
{
	int r = netvst_write(wire, sizeof(wire), NETVST_2017, direction, codec, packer, &made);

	assert_true(r > 0);
	return (size_t)r;
}

static int read_wire(size_t n, enum netvst_direction direction)
{
	size_t used;
	int r;

	netvst_parser_init(&parser, NETVST_2017, direction, false, unpacker);
	netvst_parser_expect(&parser, made.frames);
	memset(&got, 0x5a, sizeof(got));
	r = netvst_parse(&parser, wire, n, &used, &got);
	assert_true(r < 0 || used == n);
	return r;
}

static void make(uint32_t *seed, uint32_t frames, enum blocks_kind kind)
{
	made.frames = frames;
	made.has_audio = true;
	blocks_fill(&made, seed, kind);
}

/* All kinds of audio; small blocks more often, and all lengths. */
static void test_lossless(void **state)
{
	unsigned compressed[BLOCKS_KINDS] = {0}, codecs[3] = {0};
	uint32_t seed = 4711;

	need_wavpack();
	for (unsigned i = 0; i < n_blocks; i++) {
		enum netvst_direction direction = (enum netvst_direction)(i % 2);
		enum blocks_kind kind = (enum blocks_kind)blocks_below(&seed, BLOCKS_KINDS);
		uint32_t most = i % 1000 == 0 ? NETVST_FRAMES_MAX : i % 100 == 0 ? 1024 : 96;

		make(&seed, i < NETVST_FRAMES_MAX && i % 16 == 0 ? i + 1 : 1 + blocks_below(&seed, most),
			kind);
		assert_int_equal(read_wire(write_made(NETVST_WAVPACK, direction), direction), 1);
		assert_true(blocks_equal(&made, &got));
		codecs[got.codec]++;
		compressed[kind] += got.codec == NETVST_WAVPACK;
	}
	assert_int_equal(codecs[NETVST_WAVPACK_LOSSY], 0);
	assert_true(codecs[NETVST_PCM] > 0);
	for (enum blocks_kind kind = BLOCKS_SINE; kind < BLOCKS_BITS; kind++) {
		assert_true(compressed[kind] > 0);
	}
}

/* What WavPack would only make longer goes as it is. */
static void test_not_longer(void **state)
{
	uint32_t seed = 99;

	need_wavpack();
	for (enum netvst_codec codec = NETVST_WAVPACK; codec <= NETVST_WAVPACK_LOSSY; codec++) {
		make(&seed, 8, BLOCKS_NOISE);
		assert_int_equal(write_made(codec, NETVST_REPLY), 4 + 8 * 8);
		assert_int_equal(read_wire(4 + 8 * 8, NETVST_REPLY), 1);
		assert_int_equal(got.codec, NETVST_PCM);
	}
	make(&seed, NETVST_FRAMES_MAX, BLOCKS_BITS);
	assert_int_equal(write_made(NETVST_WAVPACK, NETVST_REPLY), 4 + 8 * NETVST_FRAMES_MAX);
}

/* Much shorter, and near: the noise is at least 50 dB below the signal, in short blocks too. */
static void test_lossy(void **state)
{
	need_wavpack();
	for (uint32_t frames = 64; frames <= 4096; frames *= 2) {
		double signal = 0, noise = 0;
		size_t n;

		made.frames = frames;
		made.has_audio = true;
		for (uint32_t i = 0; i < frames; i++) {
			made.audio[0][i] = (float)(0.5 * sin(0.05 * i) + 0.2 * sin(0.31 * i));
			made.audio[1][i] = (float)(0.3 * sin(0.07 * i));
		}
		n = write_made(NETVST_WAVPACK_LOSSY, NETVST_REPLY);
		assert_in_range(n, 100, 8 * frames * (frames < 256 ? 55 : 35) / 100);
		assert_int_equal(read_wire(n, NETVST_REPLY), 1);
		assert_int_equal(got.codec, NETVST_WAVPACK_LOSSY);
		for (uint32_t i = 0; i < NETVST_CHANNELS * frames; i++) {
			double a = made.audio[i % 2][i / 2], b = got.audio[i % 2][i / 2];

			signal += a * a;
			noise += (a - b) * (a - b);
		}
		assert_true(noise < signal * pow(10, -5.0));
	}
}

static void test_specials(void **state)
{
	static const uint32_t special[] = {0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff};
	uint32_t seed = 5;

	need_wavpack();
	make(&seed, 512, BLOCKS_SINE);
	for (unsigned i = 0; i < ARRAY_SIZE(special); i++) {
		made.audio[i % 2][10 * i] = blocks_from_bits(special[i]);
	}
	assert_int_equal(read_wire(write_made(NETVST_WAVPACK, NETVST_REQUEST), NETVST_REQUEST), 1);
	assert_int_equal(got.codec, NETVST_WAVPACK);
	for (unsigned i = 0; i < ARRAY_SIZE(special); i++) {
		made.audio[i % 2][10 * i] = 0;
	}
	assert_true(blocks_equal(&made, &got));
}

static bool is_finite(void)
{
	for (uint32_t i = 0; i < NETVST_CHANNELS * got.frames; i++) {
		if (!isfinite(got.audio[i % 2][i / 2])) {
			return false;
		}
	}
	return true;
}

/* The parts as they are on the wire, each in memory of its own size. -EPROTO, or what was packed. */
static int unpack_parts(size_t main_bytes, size_t corr_bytes, size_t corr_at, uint32_t frames)
{
	float *const audio[NETVST_CHANNELS] = {got.audio[0], got.audio[1]};
	uint8_t *main = malloc(main_bytes + 1), *corr = malloc(corr_bytes + 1);
	int r;

	assert_non_null(main);
	assert_non_null(corr);
	memcpy(main, wire + 4, main_bytes);
	memcpy(corr, wire + corr_at, corr_bytes);
	got.frames = frames;
	r = netvst_wavpack_unpack(unpacker, main, main_bytes, corr, corr_bytes, frames, audio);
	free(main);
	free(corr);
	return r;
}

/* Each part cut short anywhere, and asked for another number of frames than there are. */
static void test_truncated(void **state)
{
	size_t main_bytes, corr_bytes;
	uint32_t seed = 12;

	need_wavpack();
	make(&seed, 128, BLOCKS_SINE);
	write_made(NETVST_WAVPACK, NETVST_REPLY);
	main_bytes = (size_t)(wire[0] | wire[1] << 8);
	corr_bytes = (size_t)(wire[2] | wire[3] << 8);
	assert_in_range(corr_bytes, 1, 0xfffe);
	assert_int_equal(unpack_parts(main_bytes, corr_bytes, 4 + main_bytes, 128), 0);
	for (size_t n = 0; n < main_bytes; n++) {
		assert_int_equal(unpack_parts(n, corr_bytes, 4 + main_bytes, 128), -EPROTO);
	}
	for (size_t n = 1; n < corr_bytes; n++) {
		assert_int_equal(unpack_parts(main_bytes, n, 4 + main_bytes, 128), -EPROTO);
	}
	assert_int_equal(unpack_parts(main_bytes, corr_bytes, 4 + main_bytes, 127), -EPROTO);
	assert_int_equal(unpack_parts(main_bytes, corr_bytes, 4 + main_bytes, 129), -EPROTO);
	assert_int_equal(unpack_parts(main_bytes, corr_bytes, 4 + main_bytes, 0), -EPROTO);
	assert_int_equal(unpack_parts(main_bytes, corr_bytes, 4 + main_bytes, NETVST_TAKEN_MAX + 1), -EPROTO);
	/* The correction alone is lossy audio again. */
	assert_int_equal(unpack_parts(main_bytes, 0, 0, 128), 0);
	assert_true(is_finite());
}

/* The checksum that libwavpack puts at a block's end, so that what is wrong before it gets past. */
static void mend_checksum(uint8_t *block, size_t n)
{
	uint32_t sum = 0xffffffff;

	if (n < 36 || n % 2 != 0 || block[n - 4] != 0x2f || block[n - 3] != 1) {
		return;
	}
	for (size_t i = 0; i < n - 4; i += 2) {
		sum = sum * 3 + block[i] + ((uint32_t)block[i + 1] << 8);
	}
	sum ^= sum >> 16;
	block[n - 2] = (uint8_t)sum;
	block[n - 1] = (uint8_t)(sum >> 8);
}

/* Bytes changed anywhere, the headers of WavPack included: refused, or finite audio. */
static void test_corrupted(void **state)
{
	unsigned refused = 0, taken = 0;
	uint32_t seed = 31337;

	need_wavpack();
	for (unsigned i = 0; i < BROKEN_BLOCKS; i++) {
		enum netvst_codec codec = i % 2 ? NETVST_WAVPACK : NETVST_WAVPACK_LOSSY;
		size_t n, main_bytes;
		int r;

		make(&seed, 64 + blocks_below(&seed, 192),
			(enum blocks_kind)blocks_below(&seed, BLOCKS_KINDS));
		n = write_made(codec, NETVST_REPLY);
		main_bytes = (size_t)(wire[0] | wire[1] << 8);
		for (unsigned k = blocks_below(&seed, 4); k < 4; k++) {
			wire[4 + blocks_below(&seed, i % 3 ? (uint32_t)n - 4 : 100)] =
				(uint8_t)blocks_random(&seed);
		}
		if (main_bytes <= n - 4) {
			mend_checksum(wire + 4, main_bytes);
			mend_checksum(wire + 4 + main_bytes, n - 4 - main_bytes);
		}
		r = read_wire(n, NETVST_REPLY);
		assert_true(r == 1 || r == -EPROTO);
		assert_true(r < 0 || is_finite());
		refused += r < 0;
		taken += r > 0;
	}
	/* Both happen, or nothing has been tried. */
	assert_true(refused > BROKEN_BLOCKS / 4);
	assert_true(taken > 0);
}

/* Two blocks in the place of one, as a peer may send them: the second goes on where the first ends. */
static void test_two_blocks(void **state)
{
	static uint8_t parts[2][2][4096];
	static float expected[NETVST_CHANNELS][512];
	size_t n[2][2], at = 4;
	uint32_t seed = 21;

	need_wavpack();
	for (unsigned k = 0; k < 2; k++) {
		make(&seed, 256, BLOCKS_SINE);
		write_made(NETVST_WAVPACK, NETVST_REPLY);
		n[0][k] = (size_t)(wire[0] | wire[1] << 8);
		n[1][k] = (size_t)(wire[2] | wire[3] << 8);
		assert_true(n[0][k] < sizeof(parts[0][k]) && n[1][k] < sizeof(parts[0][k]));
		memcpy(parts[0][k], wire + 4, n[0][k]);
		memcpy(parts[1][k], wire + 4 + n[0][k], n[1][k]);
		for (unsigned part = 0; part < 2; part++) {
			parts[part][k][13] = 2;		 /* 512 frames in all */
			parts[part][k][17] = (uint8_t)k; /* it begins in frame 256 of these */
			mend_checksum(parts[part][k], n[part][k]);
			memcpy(expected[part] + 256 * k, made.audio[part], 256 * sizeof(float));
		}
	}
	for (unsigned part = 0; part < 2; part++) {
		for (unsigned k = 0; k < 2; k++) {
			memcpy(wire + at, parts[part][k], n[part][k]);
			at += n[part][k];
		}
	}
	assert_int_equal(unpack_parts(n[0][0] + n[0][1], n[1][0] + n[1][1], 4 + n[0][0] + n[0][1], 512), 0);
	for (unsigned c = 0; c < NETVST_CHANNELS; c++) {
		assert_memory_equal(got.audio[c], expected[c], sizeof(expected[c]));
	}
	/* The second of the main part, or of the correction, is not there. */
	assert_int_equal(unpack_parts(n[0][0], n[1][0] + n[1][1], 4 + n[0][0] + n[0][1], 512), -EPROTO);
	assert_int_equal(unpack_parts(n[0][0] + n[0][1], n[1][0], 4 + n[0][0] + n[0][1], 512), -EPROTO);
	assert_int_equal(
		unpack_parts(n[0][0] + n[0][1], n[1][0] + n[1][1], 4 + n[0][0] + n[0][1], 256), -EPROTO);
}

/* One bit of the audio is wrong, and only libwavpack's own sum over the samples tells. */
static void test_wrong_audio(void **state)
{
	unsigned refused = 0;
	uint32_t seed = 77;

	need_wavpack();
	for (unsigned i = 0; i < 100; i++) {
		size_t n, main_bytes;

		make(&seed, 256, BLOCKS_SINE);
		n = write_made(NETVST_WAVPACK_LOSSY, NETVST_REPLY);
		main_bytes = (size_t)(wire[0] | wire[1] << 8);
		assert_true(main_bytes == n - 4);
		/* Before the checksum and what may be unused at the end. */
		wire[n - 12 - i % 32] ^= (uint8_t)(1 << i % 8);
		mend_checksum(wire + 4, main_bytes);
		refused += read_wire(n, NETVST_REPLY) == -EPROTO;
	}
	assert_in_range(refused, 99, 100);
}

/* One thing of the header at a time: only whole blocks of stereo floats come near libwavpack. */
static void test_headers(void **state)
{
	static const struct {
		unsigned at;
		uint8_t xor ;
	} wrong[] = {{0, 0x20}, {4, 2}, {4, 1}, {7, 0x80}, {8, 0xff}, {9, 1}, {20, 1}, {23, 0x80}, {24, 0x04},
		{24, 0x80}, {25, 0x08}, {25, 0x10}, {27, 0x80}};
	uint32_t seed = 8;

	need_wavpack();
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		for (unsigned part = 0; part < 2; part++) {
			size_t n, main_bytes;
			uint8_t *block;

			make(&seed, 256, BLOCKS_SINE);
			n = write_made(NETVST_WAVPACK, NETVST_REPLY);
			main_bytes = (size_t)(wire[0] | wire[1] << 8);
			block = wire + 4 + (part ? main_bytes : 0);
			assert_memory_equal(block, "wvpk", 4);
			assert_int_equal(read_wire(n, NETVST_REPLY), 1);
			block[wrong[i].at] ^= wrong[i].xor ;
			mend_checksum(block, part ? n - 4 - main_bytes : main_bytes);
			assert_int_equal(read_wire(n, NETVST_REPLY), -EPROTO);
		}
	}
}

/* Without a main part, or in the dialect that has none of it. */
static void test_refused(void **state)
{
	static const uint8_t empty[] = {0, 0, 10, 0};
	uint32_t seed = 3;
	size_t used;

	need_wavpack();
	make(&seed, 256, BLOCKS_SINE);
	memcpy(wire, empty, sizeof(empty));
	assert_int_equal(read_wire(sizeof(empty), NETVST_REPLY), -EPROTO);
	assert_int_equal(netvst_write(wire, sizeof(wire), NETVST_AUDIOKIT, NETVST_REPLY, NETVST_WAVPACK,
				 packer, &made),
		-ENOTSUP);
	write_made(NETVST_WAVPACK, NETVST_REPLY);
	netvst_parser_init(&parser, NETVST_AUDIOKIT, NETVST_REPLY, false, unpacker);
	netvst_parser_expect(&parser, made.frames);
	assert_int_equal(netvst_parse(&parser, wire, 4, &used, &got), -EPROTO);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lossless),
		cmocka_unit_test(test_not_longer),
		cmocka_unit_test(test_lossy),
		cmocka_unit_test(test_specials),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_corrupted),
		cmocka_unit_test(test_two_blocks),
		cmocka_unit_test(test_wrong_audio),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_refused),
	};

	if (argc > 1) {
		n_blocks = (unsigned)strtoul(argv[1], NULL, 10);
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
