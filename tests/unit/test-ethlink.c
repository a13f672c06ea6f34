/* The wire codec: every rule of the protocol on encoding, every length on decoding. */
#include "proto/ethlink.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t host[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
static const uint8_t box[6] = {0x00, 0xe8, 0xda, 0xc0, 0x12, 0x34};

static struct ethlink_settings dac_settings(void)
{
	struct ethlink_settings s = {.rate_code = 1, .depth = 128, .gain = {0, 1, 56, 79, 80, 255, 30, 40}};

	return s;
}

/* Byte for byte what the protocol description says a header looks like. */
static void test_header_bytes(void **state)
{
	static const uint8_t expected[64] = {0x00, 0xe8, 0xda, 0xc0, 0x12, 0x34, 0x02, 0x11, 0x22, 0x33, 0x44,
		0x55, 0x08, 0x02, 'E', 'T', 'H', '8', 'D', 'A', 'C', 1, 128, 0, 1, 56, 79, 80, 255, 30, 40};
	struct ethlink_settings s = dac_settings();
	uint8_t frame[70];

	memset(frame, 0xee, sizeof(frame));
	assert_int_equal(ethlink_encode_header(frame, sizeof(frame), ETHLINK_DAC8, box, host, &s), 0);
	assert_memory_equal(frame, expected, 64);
	for (unsigned i = 64; i < sizeof(frame); i++) {
		assert_int_equal(frame[i], 0xee);
	}
}

static void test_adc_header_bytes(void **state)
{
	struct ethlink_settings s = {.rate_code = 3, .gain = {10, 0, 0, 0, 0, 0, 0, 80}, .phantom = {48, 0}};
	uint8_t frame[64];

	assert_int_equal(ethlink_encode_header(frame, 64, ETHLINK_ADC8, box, host, &s), 0);
	assert_memory_equal(frame + 14, "ETH8ADC", 7);
	assert_int_equal(frame[21], 3);
	assert_int_equal(frame[22], 0);
	assert_int_equal(frame[31], 48);
	assert_int_equal(frame[32], 0);
	for (unsigned i = 33; i < 64; i++) {
		assert_int_equal(frame[i], 0);
	}
}

static void expect_refused(const struct ethlink_settings *s, enum ethlink_model model, int error)
{
	uint8_t frame[64], before[64];

	memset(frame, 0x77, sizeof(frame));
	memcpy(before, frame, sizeof(frame));
	assert_int_equal(ethlink_encode_header(frame, sizeof(frame), model, box, host, s), error);
	assert_memory_equal(frame, before, sizeof(frame));
}

static void test_what_must_never_be_sent(void **state)
{
	struct ethlink_settings s;

	for (int depth = 0; depth < 256; depth++) {
		uint8_t frame[64];

		s = dac_settings();
		s.depth = (uint8_t)depth;
		if (depth >= 1 && depth <= 128) {
			assert_int_equal(ethlink_encode_header(frame, 64, ETHLINK_DAC8, box, host, &s), 0);
		} else {
			expect_refused(&s, ETHLINK_DAC8, -ERANGE);
		}
	}
	for (int gain = 0; gain < 256; gain++) {
		for (unsigned k = 0; k < 8; k++) {
			s = dac_settings();
			s.gain[k] = (uint8_t)gain;
			assert_int_equal(ethlink_settings_check(ETHLINK_DAC8, &s),
				gain <= 80 || gain == 255 ? 0 : -ERANGE);
		}
	}
	for (int rate = 0; rate < 256; rate++) {
		s = dac_settings();
		s.rate_code = (uint8_t)rate;
		assert_int_equal(ethlink_settings_check(ETHLINK_DAC8, &s), rate <= 3 ? 0 : -EINVAL);
	}
	s = dac_settings();
	s.phantom[1] = 48;
	expect_refused(&s, ETHLINK_DAC8, -EINVAL);
	s = dac_settings();
	expect_refused(&s, ETHLINK_ADC8, -EINVAL); /* a depth */
	s.depth = 0;
	s.phantom[0] = 1;
	expect_refused(&s, ETHLINK_ADC8, -EINVAL);
}

static void test_no_room(void **state)
{
	struct ethlink_settings s = dac_settings();
	uint8_t frame[320], app[50] = {0}, audio[256] = {0};

	assert_int_equal(ethlink_encode_header(frame, 63, ETHLINK_DAC8, box, host, &s), -ENOBUFS);
	assert_int_equal(ethlink_encode_reply(frame, 63, host, box, app, NULL), -ENOBUFS);
	assert_int_equal(ethlink_encode_reply(frame, 319, host, box, app, audio), -ENOBUFS);
	assert_int_equal(ethlink_encode_reply(frame, 320, host, box, app, audio), 320);
}

static void test_round_trip(void **state)
{
	struct ethlink_settings s = dac_settings();
	struct ethlink_frame f;
	int32_t in[64], out[64];
	uint8_t frame[320];

	for (unsigned i = 0; i < 64; i++) {
		in[i] = (int32_t)(i * 0x01234567u - 0x40000000u);
	}
	assert_int_equal(ethlink_encode_header(frame, sizeof(frame), ETHLINK_DAC8, box, host, &s), 0);
	ethlink_encode_block(frame + ETHLINK_OFF_AUDIO, in);
	assert_int_equal(ethlink_decode(frame, sizeof(frame), &f), 0);
	assert_int_equal(f.model, ETHLINK_DAC8);
	assert_ptr_equal(f.audio, frame + 64);
	assert_memory_equal(f.dst, box, 6);
	assert_memory_equal(f.src, host, 6);
	assert_true(ethlink_settings_equal(ETHLINK_DAC8, &f.settings, &s));
	assert_ptr_equal(f.reserved, frame + 31);
	assert_int_equal(f.reserved_len, 33);
	ethlink_decode_block(f.audio, out);
	assert_memory_equal(in, out, sizeof(in));
	/* little-endian on the wire, whatever this machine is */
	in[0] = 0x12345678;
	ethlink_encode_block(frame + ETHLINK_OFF_AUDIO, in);
	assert_int_equal(frame[64], 0x78);
	assert_int_equal(frame[67], 0x12);
}

static void test_reply_round_trip(void **state)
{
	uint8_t app[50], audio[256], frame[320];
	struct ethlink_frame f;

	memset(app, 0xfa, sizeof(app));
	memset(audio, 3, sizeof(audio));
	assert_int_equal(ethlink_encode_reply(frame, sizeof(frame), host, box, app, NULL), 64);
	/* A box that was just powered up repeats rubbish; it is no frame of ours. */
	assert_int_equal(ethlink_decode(frame, 64, &f), -EBADMSG);
	memcpy(app, "ETH8ADC", 7);
	app[17] = 48;
	app[18] = 0;
	assert_int_equal(ethlink_encode_reply(frame, sizeof(frame), host, box, app, audio), 320);
	assert_int_equal(ethlink_decode(frame, 320, &f), 0);
	assert_int_equal(f.model, ETHLINK_ADC8);
	assert_int_equal(f.settings.phantom[0], 48);
	assert_memory_equal(f.audio, audio, 256);
	assert_memory_equal(f.dst, host, 6);
	assert_memory_equal(f.src, box, 6);
}

static void test_every_length(void **state)
{
	struct ethlink_settings s = dac_settings();

	for (size_t len = 0; len < 2000; len++) {
		/* An allocation of just that size: a read past it is found by the sanitizer. */
		uint8_t *frame = malloc(len ? len : 1);
		uint8_t whole[2000] = {0};
		struct ethlink_frame f;

		assert_int_equal(ethlink_encode_header(whole, sizeof(whole), ETHLINK_DAC8, box, host, &s), 0);
		memcpy(frame, whole, len);
		assert_int_equal(ethlink_decode(frame, len, &f), len == 64 || len == 320 ? 0 : -EMSGSIZE);
		if (len == 64) {
			assert_null(f.audio);
		}
		free(frame);
	}
}

static void test_not_ours(void **state)
{
	struct ethlink_settings s = dac_settings();
	struct ethlink_frame f;
	uint8_t frame[64];

	for (unsigned i = 12; i < 21; i++) {
		assert_int_equal(ethlink_encode_header(frame, 64, ETHLINK_DAC8, box, host, &s), 0);
		frame[i] ^= 0x20;
		assert_int_equal(ethlink_decode(frame, 64, &f), i < 14 ? -EPROTONOSUPPORT : -EBADMSG);
	}
}

static void test_rates(void **state)
{
	static const uint32_t rates[] = {44100, 48000, 88200, 96000};

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(ethlink_rate_code(rates[i]), i);
		assert_int_equal(ethlink_rate_hz((uint8_t)i), rates[i]);
	}
	assert_int_equal(ethlink_rate_code(0), -EINVAL);
	assert_int_equal(ethlink_rate_code(192000), -EINVAL);
	assert_int_equal(ethlink_rate_code(47999), -EINVAL);
	assert_int_equal(ethlink_rate_hz(4), 0);
}

static void test_gains(void **state)
{
	int db = 1234;

	assert_int_equal(ethlink_gain_byte(ETHLINK_DAC8, 0), 56);
	assert_int_equal(ethlink_gain_byte(ETHLINK_DAC8, -56), 0);
	assert_int_equal(ethlink_gain_byte(ETHLINK_DAC8, 24), 80);
	assert_int_equal(ethlink_gain_byte(ETHLINK_DAC8, -57), -ERANGE);
	assert_int_equal(ethlink_gain_byte(ETHLINK_DAC8, 25), -ERANGE);
	assert_int_equal(ethlink_gain_byte(ETHLINK_ADC8, 0), 0);
	assert_int_equal(ethlink_gain_byte(ETHLINK_ADC8, 80), 80);
	assert_int_equal(ethlink_gain_byte(ETHLINK_ADC8, -1), -ERANGE);
	assert_int_equal(ethlink_gain_byte(ETHLINK_ADC8, 81), -ERANGE);
	for (int model = 0; model < 2; model++) {
		for (int byte = 0; byte <= 80; byte++) {
			assert_int_equal(ethlink_gain_db((enum ethlink_model)model, (uint8_t)byte, &db), 0);
			assert_int_equal(ethlink_gain_byte((enum ethlink_model)model, db), byte);
		}
		for (int byte = 81; byte <= 255; byte++) {
			assert_int_equal(
				ethlink_gain_db((enum ethlink_model)model, (uint8_t)byte, &db), -ERANGE);
		}
	}
}

static void test_macs(void **state)
{
	static const uint8_t dac[6] = {0x00, 0xe8, 0xda, 0xc0, 0x01, 0x02};
	static const uint8_t adc[6] = {0x00, 0xe8, 0xad, 0xc0, 0xff, 0xff};
	enum ethlink_model model;
	uint8_t mac[6];
	uint16_t serial;

	ethlink_mac(ETHLINK_DAC8, 0x0102, mac);
	assert_memory_equal(mac, dac, 6);
	ethlink_mac(ETHLINK_ADC8, 65535, mac);
	assert_memory_equal(mac, adc, 6);
	assert_int_equal(ethlink_mac_parse(dac, &model, &serial), 0);
	assert_int_equal(model, ETHLINK_DAC8);
	assert_int_equal(serial, 0x0102);
	assert_int_equal(ethlink_mac_parse(adc, &model, &serial), 0);
	assert_int_equal(model, ETHLINK_ADC8);
	assert_int_equal(serial, 65535);
	assert_int_equal(ethlink_mac_parse(host, &model, &serial), -ENOENT);
	mac[3] = 0xc1;
	assert_int_equal(ethlink_mac_parse(mac, &model, &serial), -ENOENT);
}

static void test_equality(void **state)
{
	struct ethlink_settings a = dac_settings(), b = dac_settings();

	assert_true(ethlink_settings_equal(ETHLINK_DAC8, &a, &b));
	b.gain[7]++;
	assert_false(ethlink_settings_equal(ETHLINK_DAC8, &a, &b));
	b = a;
	b.depth--;
	assert_false(ethlink_settings_equal(ETHLINK_DAC8, &a, &b));
	assert_true(ethlink_settings_equal(ETHLINK_ADC8, &a, &b));
	b = a;
	b.rate_code = 0;
	assert_false(ethlink_settings_equal(ETHLINK_DAC8, &a, &b));
	b = a;
	b.phantom[1] = 48;
	assert_true(ethlink_settings_equal(ETHLINK_DAC8, &a, &b));
	assert_false(ethlink_settings_equal(ETHLINK_ADC8, &a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_bytes),
		cmocka_unit_test(test_adc_header_bytes),
		cmocka_unit_test(test_what_must_never_be_sent),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_reply_round_trip),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_gains),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_equality),
	};

	return cmocka_run_group_tests_name("ethlink", tests, NULL, NULL);
}
