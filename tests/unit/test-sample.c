#include "dsp/sample.h"

#include "base/util.h"

#include <endian.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#define CH SAMPLE_CHANNELS
#define MAX_SETS 8
#define MAX_FRAMES 8192
#define GUARD 16 /* words before and after a buffer */
#define GUARD_WORD 0x5ca1ab1eu

static const struct sample_kernels *sets[MAX_SETS];
static unsigned n_sets;

/* A list of 32-bit patterns, dealt out to the channels one after the other. */
struct corpus {
	uint32_t *words;
	size_t n;
	size_t room;
	size_t frames; /* a channel, a multiple of 8; set by corpus_close() */
};

static uint64_t random_state;

static uint32_t random_word(void)
{
	uint64_t z = (random_state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)(z >> 32);
}

static uint32_t float_bits(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

static float bits_float(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static void *must_alloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	assert_non_null(p);
	return p;
}

static void corpus_add(struct corpus *c, uint32_t word)
{
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 4096;
		c->words = realloc(c->words, c->room * sizeof(*c->words));
		assert_non_null(c->words);
	}
	c->words[c->n++] = word;
}

static void corpus_add_float_around(struct corpus *c, float f)
{
	corpus_add(c, float_bits(f));
	corpus_add(c, float_bits(nextafterf(f, -INFINITY)));
	corpus_add(c, float_bits(nextafterf(f, INFINITY)));
}

static void corpus_close(struct corpus *c)
{
	while (c->n % (8 * CH) != 0) {
		corpus_add(c, 0);
	}
	c->frames = c->n / CH;
}

static uint32_t *corpus_channel(const struct corpus *c, unsigned k)
{
	return c->words + k * c->frames;
}

static const uint32_t special_floats[] = {
	0x00000000,
	0x80000000, /* zeros */
	0x00000001,
	0x80000001, /* smallest denormals */
	0x007fffff,
	0x807fffff, /* largest denormals */
	0x00800000,
	0x80800000, /* smallest normal numbers */
	0x3f800000,
	0xbf800000, /* one */
	0x3f7fffff,
	0xbf7fffff, /* its neighbours */
	0x3f800001,
	0xbf800001,
	0x7f7fffff,
	0xff7fffff, /* largest */
	0x7f800000,
	0xff800000, /* infinity */
	0x7f800001,
	0xff800001,
	0x7fbfffff, /* signalling NaN */
	0x7fc00000,
	0xffc00000,
	0x7fffffff,
	0xffffffff,
};

static void fill_float_corpus(struct corpus *c)
{
	static const uint32_t mantissas[] = {
		0,
		1,
		2,
		0x7fffff,
		0x7ffffe,
		0x400000,
		0x3fffff,
		0x400001,
		0x2aaaaa,
	};

	random_state = 1;
	for (uint32_t top = 0; top < 512; top++) {
		for (size_t i = 0; i < ARRAY_SIZE(mantissas); i++) {
			corpus_add(c, top << 23 | mantissas[i]);
		}
		for (int i = 0; i < 16; i++) {
			corpus_add(c, top << 23 | random_word() >> 9);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(special_floats); i++) {
		corpus_add(c, special_floats[i]);
	}
	for (int n = -5000; n < 5000; n++) {
		corpus_add_float_around(c, ((float)n + 0.5f) * 0x1p-31f);
	}
	for (int i = 0; i < 100000; i++) {
		float n = (float)(random_word() >> 10); /* n + 0.5 has 23 bits: a true tie */

		corpus_add_float_around(c, (i & 1 ? -1 : 1) * (n + 0.5f) * 0x1p-31f);
	}
	for (int i = 0; i < 1000000; i++) {
		corpus_add(c, random_word());
	}
	for (int i = 0; i < 1000000; i++) {
		corpus_add(c, float_bits((float)(int32_t)random_word() * 0x1.2p-31f));
	}
	corpus_close(c);
}

static void fill_int_corpus(struct corpus *c)
{
	random_state = 2;
	for (unsigned shift = 0; shift < 32; shift++) {
		for (uint32_t near = 0; near < 512; near++) {
			uint32_t word = ((uint32_t)1 << shift) + near - 256;

			corpus_add(c, word);
			corpus_add(c, -word);
		}
	}
	for (int i = 0; i < 1000000; i++) {
		corpus_add(c, random_word());
	}
	/* 25 bits of which the last is set: ties of the 24 bits that a float holds, at every exponent. */
	for (int i = 0; i < 200000; i++) {
		uint32_t word = (random_word() >> 7 | 0x01000001) << (i % 7);

		corpus_add(c, i & 8 ? word : -word);
	}
	corpus_close(c);
}

static int32_t expected_sample(uint32_t bits)
{
	float x = bits_float(bits);
	double scaled;

	if (isnan(x)) {
		return 0;
	}
	scaled = rint((double)x * 2147483648.0);
	if (scaled >= 2147483648.0) {
		return INT32_MAX;
	}
	return scaled < -2147483648.0 ? INT32_MIN : (int32_t)scaled;
}

static float expected_float(uint32_t word)
{
	return (float)((double)(int32_t)word / 2147483648.0);
}

static float expected_peak(float peak, uint32_t bits)
{
	float x = bits_float(bits);
	int class = fpclassify(x);

	if (class == FP_NAN || class == FP_SUBNORMAL) {
		return peak;
	}
	return fabsf(x) > peak ? fabsf(x) : peak;
}

static void check_word(
	const char *set, const char *what, size_t at, uint32_t in, uint32_t got, uint32_t expected)
{
	if (got != expected) {
		fail_msg("%s: %s %zu: from 0x%08x came 0x%08x, not 0x%08x", set, what, at, in, got, expected);
	}
}

static void pack_corpus(
	const struct sample_kernels *set, const struct corpus *c, int32_t *dst, float peak[CH])
{
	const float *src[CH];

	for (unsigned k = 0; k < CH; k++) {
		src[k] = (const float *)(const void *)corpus_channel(c, k);
	}
	set->pack(dst, src, c->frames, peak);
}

static void each_set_packs_every_kind_of_float(void **state)
{
	struct corpus c = {0};
	int32_t *dst;

	fill_float_corpus(&c);
	dst = must_alloc(c.n, sizeof(*dst));
	for (unsigned s = 0; s < n_sets; s++) {
		float peak[CH] = {0};

		memset(dst, 0x55, c.n * sizeof(*dst));
		pack_corpus(sets[s], &c, dst, peak);
		for (size_t i = 0; i < c.n; i++) {
			size_t channel = i / c.frames, frame = i % c.frames;

			check_word(sets[s]->name, "float", i, c.words[i],
				le32toh((uint32_t)dst[frame * CH + channel]),
				(uint32_t)expected_sample(c.words[i]));
		}
	}
	free(dst);
	free(c.words);
}

/* A peak of eight frames at a time: one odd value cannot hide behind a larger one far away. */
static void each_set_finds_the_peaks(void **state)
{
	struct corpus c = {0};

	fill_float_corpus(&c);
	for (size_t at = 0; at < c.frames; at += 8) {
		float expected[CH];
		const float *src[CH];

		for (unsigned k = 0; k < CH; k++) {
			src[k] = (const float *)(const void *)(corpus_channel(&c, k) + at);
			expected[k] = 0.0f;
			for (unsigned i = 0; i < 8; i++) {
				expected[k] = expected_peak(expected[k], corpus_channel(&c, k)[at + i]);
			}
		}
		for (unsigned s = 0; s < n_sets; s++) {
			float peak[CH] = {0};
			int32_t dst[8 * CH];

			sets[s]->pack(dst, src, 8, peak);
			for (unsigned k = 0; k < CH; k++) {
				check_word(sets[s]->name, "peak at frame", at, k, float_bits(peak[k]),
					float_bits(expected[k]));
			}
		}
	}
	free(c.words);
}

/* The samples of one call of pack_blocks, from `at` on, held against pack() of the C set. */
static void check_blocks(
	const struct sample_kernels *set, const struct corpus *c, size_t at, size_t blocks, unsigned present)
{
	int32_t to[SAMPLE_BLOCKS_MAX][GUARD + 8 * CH + GUARD], plain[SAMPLE_BLOCKS_MAX * 8 * CH];
	float peak[CH], expected[CH];
	int32_t *dst[SAMPLE_BLOCKS_MAX];
	const float *src[CH];

	for (unsigned k = 0; k < CH; k++) {
		src[k] = present & 1u << k ? (const float *)(const void *)(corpus_channel(c, k) + at) : NULL;
		peak[k] = expected[k] = k % 2 ? 0.25f : 0.0f;
	}
	for (size_t b = 0; b < SAMPLE_BLOCKS_MAX; b++) {
		/* In whatever order: the last block first. */
		dst[b] = to[SAMPLE_BLOCKS_MAX - 1 - b] + GUARD;
		for (size_t i = 0; i < ARRAY_SIZE(to[b]); i++) {
			to[b][i] = (int32_t)GUARD_WORD;
		}
	}
	sample_kernels_c.pack(plain, src, blocks * 8, expected);
	set->pack_blocks(dst, blocks, src, peak);
	for (unsigned k = 0; k < CH; k++) {
		check_word(set->name, "peak of blocks", at, k, float_bits(peak[k]), float_bits(expected[k]));
	}
	for (size_t b = 0; b < SAMPLE_BLOCKS_MAX; b++) {
		for (int i = -GUARD; i < 8 * CH + GUARD; i++) {
			bool inside = b < blocks && i >= 0 && i < 8 * CH;

			check_word(set->name, "word of a block", b, (uint32_t)i, (uint32_t)dst[b][i],
				inside ? (uint32_t)plain[b * 8 * CH + (size_t)i] : GUARD_WORD);
		}
	}
}

/* Every number of blocks, with every choice of channels that has a way of its own. */
static void each_set_packs_blocks_as_pack_does(void **state)
{
	static const unsigned present[] = {0xff, 0x00, 0x01, 0x0f, 0x03, 0x10, 0xf0, 0x81, 0xfe, 0x7f, 0x08};
	struct corpus c = {0};
	size_t at = 0;

	(void)state;
	fill_float_corpus(&c);
	for (unsigned s = 0; s < n_sets; s++) {
		for (size_t p = 0; p < ARRAY_SIZE(present); p++) {
			for (size_t blocks = 1; blocks <= SAMPLE_BLOCKS_MAX; blocks++) {
				at = (at + 8 * 41) % (c.frames - SAMPLE_BLOCKS_MAX * 8);
				check_blocks(sets[s], &c, at, blocks, present[p]);
			}
		}
		for (at = 0; at + SAMPLE_BLOCKS_MAX * 8 <= c.frames; at += SAMPLE_BLOCKS_MAX * 8) {
			check_blocks(sets[s], &c, at, SAMPLE_BLOCKS_MAX, 0xff);
			check_blocks(sets[s], &c, at, SAMPLE_BLOCKS_MAX, 0x0f);
		}
	}
	free(c.words);
}

static void samples_as_written_in_the_header(void **state)
{
	static const struct {
		uint32_t bits;
		uint32_t sample;
		uint32_t peak;
	} table[] = {
		{0x00000000, 0, 0},		      /* 0 */
		{0x80000000, 0, 0},		      /* -0 */
		{0x3f000000, 0x40000000, 0x3f000000}, /* 0.5 */
		{0xbf000000, 0xc0000000, 0x3f000000}, /* -0.5 */
		{0x3f7fffff, 0x7fffff80, 0x3f7fffff}, /* last below 1 */
		{0xbf7fffff, 0x80000080, 0x3f7fffff},
		{0x3f800000, 0x7fffffff, 0x3f800000}, /* 1 */
		{0xbf800000, 0x80000000, 0x3f800000}, /* -1 */
		{0x3fc00000, 0x7fffffff, 0x3fc00000}, /* 1.5: the peak is not clamped */
		{0xbfc00000, 0x80000000, 0x3fc00000},
		{0x7f800000, 0x7fffffff, 0x7f800000}, /* infinity */
		{0xff800000, 0x80000000, 0x7f800000},
		{0x7fc00000, 0, 0}, /* NaN, quiet and signalling */
		{0xffc00000, 0, 0},
		{0x7f800001, 0, 0},
		{0xff800001, 0, 0},
		{0x007fffff, 0, 0}, /* denormal */
		{0x80000001, 0, 0},
		{0x00800000, 0, 0x00800000}, /* smallest that counts */
		{0x2f800000, 0, 0x2f800000}, /* half a step: tie, to 0 */
		{0x2f800001, 1, 0x2f800001},
		{0x30400000, 2, 0x30400000}, /* 1.5 steps: tie, to 2 */
		{0x30a00000, 2, 0x30a00000}, /* 2.5 steps: tie, to 2 */
		{0xb0400000, 0xfffffffe, 0x30400000},
		{0xaf800000, 0, 0x2f800000},
	};

	for (unsigned s = 0; s < n_sets; s++) {
		for (size_t t = 0; t < ARRAY_SIZE(table); t++) {
			float in[8] = {0}, peak[CH] = {0};
			const float *src[CH] = {[2] = in};
			int32_t dst[8 * CH];

			memcpy(&in[5], &table[t].bits, sizeof(in[5]));
			sets[s]->pack(dst, src, 8, peak);
			check_word(sets[s]->name, "row", t, table[t].bits, le32toh((uint32_t)dst[5 * CH + 2]),
				table[t].sample);
			check_word(sets[s]->name, "peak of row", t, table[t].bits, float_bits(peak[2]),
				table[t].peak);
		}
	}
}

static void bytes_lie_as_the_box_takes_them(void **state)
{
	float in[CH][16], out[CH][16];
	const float *src[CH];
	float *back[CH];
	unsigned char bytes[16 * CH * 4];
	int32_t dst[16 * CH];

	for (unsigned k = 0; k < CH; k++) {
		for (unsigned f = 0; f < 16; f++) {
			in[k][f] = (float)(0x123400 + 16 * f + k) * 0x1p-23f;
		}
		src[k] = in[k];
		back[k] = out[k];
	}
	for (unsigned s = 0; s < n_sets; s++) {
		float peak[CH] = {0};

		memset(out, 0, sizeof(out));
		sets[s]->pack(dst, src, 16, peak);
		memcpy(bytes, dst, sizeof(bytes));
		for (unsigned f = 0; f < 16; f++) {
			for (unsigned k = 0; k < CH; k++) {
				const unsigned char low = (unsigned char)(16 * f + k);
				const unsigned char expected[4] = {0, low, 0x34, 0x12};

				assert_memory_equal(bytes + (f * CH + k) * 4, expected, 4);
			}
		}
		sets[s]->unpack(back, dst, 16, peak);
		assert_memory_equal(out, in, sizeof(in));
	}
}

static void each_set_unpacks_every_kind_of_int(void **state)
{
	struct corpus c = {0};
	float *out;
	int32_t *src;

	fill_int_corpus(&c);
	out = must_alloc(c.n, sizeof(*out));
	src = must_alloc(c.n, sizeof(*src));
	for (size_t i = 0; i < c.n; i++) {
		src[(i % c.frames) * CH + i / c.frames] = (int32_t)htole32(c.words[i]);
	}
	for (unsigned s = 0; s < n_sets; s++) {
		float peak[CH] = {0}, expected[CH] = {0};
		float *dst[CH];

		for (unsigned k = 0; k < CH; k++) {
			dst[k] = out + k * c.frames;
		}
		memset(out, 0x55, c.n * sizeof(*out));
		sets[s]->unpack(dst, src, c.frames, peak);
		for (size_t i = 0; i < c.n; i++) {
			uint32_t bits = float_bits(expected_float(c.words[i]));

			check_word(sets[s]->name, "int", i, c.words[i], float_bits(out[i]), bits);
			expected[i / c.frames] = expected_peak(expected[i / c.frames], bits);
		}
		assert_memory_equal(peak, expected, sizeof(peak));
	}
	free(src);
	free(out);
	free(c.words);
}

/* Some below what comes, some above all of it; one that is no number stays so. */
static float start_peak(unsigned k)
{
	if (k == 4) {
		return bits_float(0x7fc12345);
	}
	return k % 3 == 2 ? 1e30f : (float)k * 0.01f;
}

/* All that a set makes of a corpus, taken as floats and as ints, and how far it raises the peaks that are there. */
struct made {
	int32_t *packed;
	float *unpacked;
	float peak[2][CH];
};

static void make_all(const struct sample_kernels *set, const struct corpus *c, float (*start)(unsigned k),
	struct made *made)
{
	float *planar[CH];

	for (unsigned k = 0; k < CH; k++) {
		planar[k] = made->unpacked + k * c->frames;
		made->peak[0][k] = made->peak[1][k] = start(k);
	}
	memset(made->packed, 0x55, c->n * sizeof(*made->packed));
	memset(made->unpacked, 0x55, c->n * sizeof(*made->unpacked));
	pack_corpus(set, c, made->packed, made->peak[0]);
	set->unpack(planar, (const int32_t *)(const void *)c->words, c->frames, made->peak[1]);
}

static float start_zero(unsigned k)
{
	return 0.0f;
}

static void made_new(struct made *made, size_t n)
{
	made->packed = must_alloc(n, sizeof(*made->packed));
	made->unpacked = must_alloc(n, sizeof(*made->unpacked));
}

static void made_free(struct made *made)
{
	free(made->packed);
	free(made->unpacked);
}

static bool made_same(const struct made *a, const struct made *b, size_t n)
{
	return memcmp(a->packed, b->packed, n * sizeof(*a->packed)) == 0 &&
	       memcmp(a->unpacked, b->unpacked, n * sizeof(*a->unpacked)) == 0 &&
	       memcmp(a->peak, b->peak, sizeof(a->peak)) == 0;
}

/* Words of a part of the sweep: n of them from first on, step apart, dealt out as pack and unpack want them. */
static void sweep_part(struct corpus *c, uint64_t first, uint32_t step)
{
	for (size_t i = 0; i < c->n; i++) {
		uint64_t word = first + i * step;

		c->words[i] = word <= UINT32_MAX ? (uint32_t)word : 0;
	}
}

/* What c packs is right: as expected, with the peaks. */
static void sweep_check_packed(const struct corpus *c, const int32_t *packed, const float peak[CH])
{
	float expected[CH] = {0};

	for (size_t i = 0; i < c->n; i++) {
		size_t channel = i / c->frames, frame = i % c->frames;

		check_word("c", "float", i, c->words[i], le32toh((uint32_t)packed[frame * CH + channel]),
			(uint32_t)expected_sample(c->words[i]));
		expected[channel] = expected_peak(expected[channel], c->words[i]);
	}
	assert_memory_equal(peak, expected, sizeof(expected));
}

static void sweep_check_unpacked(const struct corpus *c, const float *unpacked, const float peak[CH])
{
	float expected[CH] = {0};

	for (size_t i = 0; i < c->n; i++) {
		uint32_t word = le32toh(c->words[i]), bits = float_bits(expected_float(word));

		check_word("c", "int", i, word, float_bits(unpacked[i % CH * c->frames + i / CH]), bits);
		expected[i % CH] = expected_peak(expected[i % CH], bits);
	}
	assert_memory_equal(peak, expected, sizeof(expected));
}

/*
 * Every 4099th of all 32-bit words as a float and as an int; WORD_STEP says another step, and 1 is all there are, in
 * some minutes.
 */
static void words_all_over_the_range(void **state)
{
	enum { FRAMES = 1 << 12 };
	const char *e = getenv("WORD_STEP");
	uint32_t step = e ? (uint32_t)strtoul(e, NULL, 10) : 4099;
	struct corpus c = {.n = CH * FRAMES, .frames = FRAMES};
	struct made made[2];

	assert_int_not_equal(step, 0);
	c.words = must_alloc(c.n, sizeof(*c.words));
	made_new(&made[0], c.n);
	made_new(&made[1], c.n);
	for (uint64_t first = 0; first <= UINT32_MAX; first += c.n * (uint64_t)step) {
		sweep_part(&c, first, step);
		make_all(&sample_kernels_c, &c, start_zero, &made[0]);
		sweep_check_packed(&c, made[0].packed, made[0].peak[0]);
		sweep_check_unpacked(&c, made[0].unpacked, made[0].peak[1]);
		for (unsigned s = 1; s < n_sets; s++) {
			make_all(sets[s], &c, start_zero, &made[1]);
			if (!made_same(&made[0], &made[1], c.n)) {
				fail_msg("%s differs from c in some of %zu words from 0x%08x on, %u apart",
					sets[s]->name, c.n, c.words[0], step);
			}
		}
	}
	made_free(&made[0]);
	made_free(&made[1]);
	free(c.words);
}

/* Every value that 24 bits hold: there and back it is the same float and the same int. */
static void round_trip_of_24_bits_is_exact(void **state)
{
	enum { FRAMES = 1 << 12 };
	float *in = must_alloc(CH * FRAMES, sizeof(*in));
	float *out = must_alloc(CH * FRAMES, sizeof(*out));
	int32_t *packed = must_alloc(CH * FRAMES, sizeof(*packed));
	const float *src[CH];
	float *dst[CH];
	float peak[CH] = {0};

	for (unsigned k = 0; k < CH; k++) {
		src[k] = in + k * FRAMES;
		dst[k] = out + k * FRAMES;
	}
	for (int32_t first = -(1 << 23); first < 1 << 23; first += CH * FRAMES) {
		for (int32_t i = 0; i < CH * FRAMES; i++) {
			in[i] = (float)(first + i) * 0x1p-23f;
		}
		for (unsigned s = 0; s < n_sets; s++) {
			memset(out, 0x55, CH * FRAMES * sizeof(*out));
			sets[s]->pack(packed, src, FRAMES, peak);
			check_word(sets[s]->name, "24-bit value", 0, (uint32_t)first,
				le32toh((uint32_t)packed[0]), (uint32_t)first << 8);
			sets[s]->unpack(dst, packed, FRAMES, peak);
			assert_memory_equal(in, out, CH * FRAMES * sizeof(*in));
		}
	}
	free(packed);
	free(out);
	free(in);
}

/* Buffers of all channels, each at its own misalignment and with guard words around it. */
struct stage {
	uint32_t planar[CH][GUARD + MAX_FRAMES + 8 + GUARD];
	uint32_t mixed[GUARD + MAX_FRAMES * CH + 8 + GUARD];
	float peak[CH + 2];
	unsigned shift; /* 0..7 words */
};

static uint32_t *stage_planar(struct stage *st, unsigned k)
{
	return st->planar[k] + GUARD + (st->shift + 3 * k) % 8;
}

static uint32_t *stage_mixed(struct stage *st)
{
	return st->mixed + GUARD + (5 * st->shift + 1) % 8;
}

static void stage_reset(struct stage *st, unsigned shift)
{
	uint32_t *planar = &st->planar[0][0];

	for (size_t i = 0; i < sizeof(st->planar) / sizeof(*planar); i++) {
		planar[i] = GUARD_WORD;
	}
	for (size_t i = 0; i < ARRAY_SIZE(st->mixed); i++) {
		st->mixed[i] = GUARD_WORD;
	}
	for (unsigned k = 0; k < CH; k++) {
		st->peak[1 + k] = start_peak(k);
	}
	st->peak[0] = st->peak[CH + 1] = -77.0f;
	st->shift = shift;
}

static uint32_t random_audio_bits(void)
{
	uint32_t r = random_word();

	if (r % 31 == 0) {
		return special_floats[random_word() % ARRAY_SIZE(special_floats)];
	}
	return float_bits((float)(int32_t)random_word() * 0x1.1p-31f);
}

static void stage_run(struct stage *st, const struct sample_kernels *set, bool pack, size_t frames,
	unsigned present, uint32_t seed)
{
	float *planar[CH];
	uint32_t *mixed = stage_mixed(st);

	random_state = seed;
	for (unsigned k = 0; k < CH; k++) {
		planar[k] = present & 1u << k ? (float *)(void *)stage_planar(st, k) : NULL;
		for (size_t i = 0; pack && i < frames; i++) {
			stage_planar(st, k)[i] = random_audio_bits();
		}
	}
	for (size_t i = 0; !pack && i < frames * CH; i++) {
		mixed[i] = random_word() >> (i % CH == 3 ? 20 : 0);
	}
	if (pack) {
		set->pack((int32_t *)(void *)mixed, (const float *const *)planar, frames, st->peak + 1);
	} else {
		set->unpack(planar, (const int32_t *)(const void *)mixed, frames, st->peak + 1);
	}
}

/* The reference against what this file expects, so that the sets are not compared with a common mistake. */
static void stage_check(struct stage *st, bool pack, size_t frames, unsigned present)
{
	for (unsigned k = 0; k < CH; k++) {
		float peak = start_peak(k);
		bool here = (present & 1u << k) != 0;

		for (size_t i = 0; i < frames; i++) {
			uint32_t planar = stage_planar(st, k)[i];
			uint32_t mixed = le32toh(stage_mixed(st)[i * CH + k]);

			if (pack) {
				check_word("c", "frame", i, k, mixed,
					here ? (uint32_t)expected_sample(planar) : 0);
			} else {
				check_word("c", "frame", i, k, planar,
					here ? float_bits(expected_float(mixed)) : GUARD_WORD);
			}
			peak = here ? expected_peak(peak, planar) : peak;
		}
		check_word("c", "peak", k, k, float_bits(st->peak[1 + k]), float_bits(peak));
	}
}

static void compare_sets(struct stage *reference, struct stage *other, bool pack, size_t frames,
	unsigned present, unsigned shift)
{
	uint32_t seed = (uint32_t)(frames * 257 + present);

	stage_reset(reference, shift);
	stage_run(reference, &sample_kernels_c, pack, frames, present, seed);
	stage_check(reference, pack, frames, present);
	for (unsigned s = 0; s < n_sets; s++) {
		stage_reset(other, shift);
		stage_run(other, sets[s], pack, frames, present, seed);
		if (memcmp(reference, other, sizeof(*other)) != 0) {
			fail_msg("%s differs from c: %s, %zu frames, channels present 0x%02x, shift %u",
				sets[s]->name, pack ? "pack" : "unpack", frames, present, shift);
		}
	}
}

static int stages_new(void **state)
{
	*state = calloc(2, sizeof(struct stage));
	return *state ? 0 : -1;
}

static int stages_free(void **state)
{
	free(*state);
	return 0;
}

static void check_guards(const struct stage *st, size_t frames)
{
	size_t from = GUARD + (5 * st->shift + 1) % 8;

	for (size_t i = 0; i < ARRAY_SIZE(st->mixed); i++) {
		if (i < from || i >= from + frames * CH) {
			check_word("c", "guard of the mixed buffer", i, 0, st->mixed[i], GUARD_WORD);
		}
	}
	for (unsigned k = 0; k < CH; k++) {
		from = GUARD + (st->shift + 3 * k) % 8;
		for (size_t i = 0; i < ARRAY_SIZE(st->planar[k]); i++) {
			if (i < from || i >= from + frames) {
				check_word("c", "guard of channel", k, 0, st->planar[k][i], GUARD_WORD);
			}
		}
	}
	assert_true(st->peak[0] == -77.0f && st->peak[CH + 1] == -77.0f);
}

static void any_length_at_any_address(void **state)
{
	static const size_t more[] = {264, 512, 1000, 1024, 2048, 4096, 8184, 8192};
	struct stage *st = *state;

	for (int pack = 0; pack < 2; pack++) {
		for (size_t frames = 8; frames <= 256; frames += 8) {
			compare_sets(&st[0], &st[1], pack, frames, 0xff, (unsigned)(frames / 8) % 8);
			check_guards(&st[0], frames);
		}
		for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
			compare_sets(&st[0], &st[1], pack, more[i], 0xff, (unsigned)i % 8);
			check_guards(&st[0], more[i]);
		}
	}
}

static void any_channel_may_be_missing(void **state)
{
	struct stage *st = *state;

	for (int pack = 0; pack < 2; pack++) {
		for (unsigned present = 0; present < 256; present++) {
			compare_sets(&st[0], &st[1], pack, present % 2 ? 8 : 24, present, present % 8);
		}
	}
}

/* size bytes (whole pages) between two pages that nobody may touch. */
static void *fenced_new(size_t size, size_t page)
{
	char *p = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + page, size, PROT_READ | PROT_WRITE), 0);
	return p + page;
}

static void fenced_free(void *p, size_t size, size_t page)
{
	assert_int_equal(munmap((char *)p - page, size + 2 * page), 0);
}

/* A read too far gives no wrong result, so only a fault tells. */
static void nothing_outside_the_buffers_is_touched(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t frames = page / sizeof(float);
	int32_t *mixed = fenced_new(page * CH, page);
	float *planar[CH];

	for (unsigned k = 0; k < CH; k++) {
		planar[k] = fenced_new(page, page);
		for (size_t i = 0; i < frames; i++) {
			planar[k][i] = (float)(int)(k * frames + i) * 0x1p-24f;
		}
	}
	for (unsigned s = 0; s < n_sets; s++) {
		float peak[CH] = {0};

		sets[s]->pack(mixed, (const float *const *)planar, frames, peak);
		sets[s]->unpack(planar, mixed, frames, peak);
		for (unsigned k = 0; k < CH; k++) {
			assert_true(planar[k][0] == (float)(int)(k * frames) * 0x1p-24f);
			assert_true(peak[k] == (float)(int)((k + 1) * frames - 1) * 0x1p-24f);
		}
	}
	for (unsigned k = 0; k < CH; k++) {
		fenced_free(planar[k], page, page);
	}
	fenced_free(mixed, page * CH, page);
}

/* What audio servers set in their threads, or a plug-in in theirs. False where this processor has no such mode. */
static bool flush_denormals(bool on)
{
#if defined(__SSE__)
	_mm_setcsr(on ? _mm_getcsr() | 0x8040 : _mm_getcsr() & ~0x8040u);
	return true;
#elif defined(__aarch64__)
	const uint64_t modes = 1u << 24 | 1u << 25; /* FZ: denormals are 0; DN: every NaN is the same one */
	uint64_t fpcr;

	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	fpcr = on ? fpcr | modes : fpcr & ~modes;
	__asm__ volatile("msr fpcr, %0" : : "r"(fpcr) : "memory");
	return true;
#else
	return false;
#endif
}

static void flushed_denormals_change_nothing(void **state)
{
	struct corpus c = {0};
	struct made made[2];

	if (!flush_denormals(false)) {
		skip();
	}
	fill_float_corpus(&c);
	made_new(&made[0], c.n);
	made_new(&made[1], c.n);
	for (unsigned s = 0; s < n_sets; s++) {
		make_all(sets[s], &c, start_peak, &made[0]);
		flush_denormals(true);
		make_all(sets[s], &c, start_peak, &made[1]);
		flush_denormals(false);
		if (!made_same(&made[0], &made[1], c.n)) {
			fail_msg("%s gives something else where denormals are flushed", sets[s]->name);
		}
	}
	made_free(&made[0]);
	made_free(&made[1]);
	free(c.words);
}

/* The choice is made once a process, so each is asked for in a new one. Returns an index of sets. */
static unsigned best_where(const char *forced)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		const struct sample_kernels *best;
		unsigned s = 0;

		if (forced) {
			setenv("ETHLINKD_DSP", forced, 1);
		} else {
			unsetenv("ETHLINKD_DSP");
		}
		best = sample_kernels_best();
		setenv("ETHLINKD_DSP", "c", 1);
		if (sample_kernels_best() != best) {
			_exit(100);
		}
		while (s < n_sets && sets[s] != best) {
			s++;
		}
		_exit((int)s);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (unsigned)WEXITSTATUS(status);
}

static void the_best_set_is_chosen_once_and_can_be_forced(void **state)
{
	assert_int_equal(best_where(NULL), n_sets - 1);
	assert_int_equal(best_where("no-such-set"), n_sets - 1);
	for (unsigned s = 0; s < n_sets; s++) {
		assert_int_equal(best_where(sets[s]->name), s);
	}
}

static void all_sets_are_listed(void **state)
{
	const struct sample_kernels *some[2] = {NULL, NULL};

	assert_true(n_sets >= 1);
	assert_ptr_equal(sets[0], &sample_kernels_c);
	assert_string_equal(sets[0]->name, "c");
	assert_int_equal(sample_kernels_all(some, 0), 0);
	assert_null(some[0]);
	assert_int_equal(sample_kernels_all(some, 1), 1);
	assert_ptr_equal(some[0], &sample_kernels_c);
	assert_null(some[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_sets_are_listed),
		cmocka_unit_test(the_best_set_is_chosen_once_and_can_be_forced),
		cmocka_unit_test(each_set_packs_blocks_as_pack_does),
		cmocka_unit_test(samples_as_written_in_the_header),
		cmocka_unit_test(bytes_lie_as_the_box_takes_them),
		cmocka_unit_test(each_set_packs_every_kind_of_float),
		cmocka_unit_test(each_set_finds_the_peaks),
		cmocka_unit_test(each_set_unpacks_every_kind_of_int),
		cmocka_unit_test(words_all_over_the_range),
		cmocka_unit_test(round_trip_of_24_bits_is_exact),
		cmocka_unit_test_setup_teardown(any_length_at_any_address, stages_new, stages_free),
		cmocka_unit_test_setup_teardown(any_channel_may_be_missing, stages_new, stages_free),
		cmocka_unit_test(nothing_outside_the_buffers_is_touched),
		cmocka_unit_test(flushed_denormals_change_nothing),
	};

	n_sets = sample_kernels_all(sets, MAX_SETS);
	for (unsigned s = 0; s < n_sets; s++) {
		print_message("kernel set: %s\n", sets[s]->name);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
