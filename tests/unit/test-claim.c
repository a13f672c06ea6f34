/* What ethlinkds say to each other: the bytes, there and back, and whatever else may come in. */
#include "proto/claim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t bytes[CLAIM_FRAME_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 4, 6, 8, 10, 12, 0x88, 0xb5, 'e',
	't', 'h', 'l', 'i', 'n', 'k', 'd', 1, 2, 0x00, 0xe8, 0xda, 0xc0, 0x12, 0x34};
static const struct claim hold = {
	.src = {2, 4, 6, 8, 10, 12}, .kind = CLAIM_HOLD, .box = {0x00, 0xe8, 0xda, 0xc0, 0x12, 0x34}};

static void test_bytes(void **state)
{
	uint8_t frame[CLAIM_FRAME_LEN];

	memset(frame, 0xa5, sizeof(frame));
	claim_encode(frame, &hold);
	assert_memory_equal(frame, bytes, sizeof(frame));
}

static void test_there_and_back(void **state)
{
	for (unsigned kind = CLAIM_ASK; kind <= CLAIM_FREE; kind++) {
		struct claim claim = hold, got;
		uint8_t frame[CLAIM_FRAME_LEN];

		claim.kind = (enum claim_kind)kind;
		claim_encode(frame, &claim);
		memset(&got, 0, sizeof(got));
		assert_int_equal(claim_decode(frame, sizeof(frame), &got), 0);
		assert_int_equal(got.kind, kind);
		assert_memory_equal(got.src, hold.src, sizeof(got.src));
		assert_memory_equal(got.box, hold.box, sizeof(got.box));
	}
}

/* Every byte of the fixed part counts, every length too short is refused, and a longer frame is not. */
static void test_others(void **state)
{
	uint8_t frame[100] = {0};
	struct claim claim;

	memcpy(frame, bytes, sizeof(bytes));
	for (size_t len = 0; len <= sizeof(frame); len++) {
		uint8_t *copy = malloc(len + 1);

		memcpy(copy, frame, len);
		assert_int_equal(claim_decode(copy, len, &claim), len < CLAIM_FRAME_LEN ? -EINVAL : 0);
		free(copy);
	}
	for (unsigned i = 12; i < 24; i++) {
		for (unsigned v = 0; v < 256; v++) {
			bool good = v == bytes[i] || (i == 23 && v >= CLAIM_ASK && v <= CLAIM_FREE);

			memcpy(frame, bytes, sizeof(bytes));
			frame[i] = (uint8_t)v;
			assert_int_equal(claim_decode(frame, CLAIM_FRAME_LEN, &claim), good ? 0 : -EINVAL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
