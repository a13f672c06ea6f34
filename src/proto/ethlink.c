#include "proto/ethlink.h"

#include <errno.h>
#include <string.h>

static const uint32_t rates_hz[] = {44100, 48000, 88200, 96000};
static const uint8_t mac_prefix_dac[4] = {0x00, 0xe8, 0xda, 0xc0};
static const uint8_t mac_prefix_adc[4] = {0x00, 0xe8, 0xad, 0xc0};
static const char magic_dac[] = "ETH8DAC";
static const char magic_adc[] = "ETH8ADC";

#define N_RATES (sizeof(rates_hz) / sizeof(rates_hz[0]))

int ethlink_rate_code(uint32_t rate_hz)
{
	for (unsigned i = 0; i < N_RATES; i++) {
		if (rates_hz[i] == rate_hz) {
			return (int)i;
		}
	}
	return -EINVAL;
}

uint32_t ethlink_rate_hz(uint8_t code)
{
	return code < N_RATES ? rates_hz[code] : 0;
}

static int gain_min_db(enum ethlink_model model)
{
	return model == ETHLINK_DAC8 ? ETHLINK_DAC_GAIN_MIN_DB : ETHLINK_ADC_GAIN_MIN_DB;
}

int ethlink_gain_byte(enum ethlink_model model, int gain_db)
{
	int min_db = gain_min_db(model);

	if (gain_db < min_db || gain_db > min_db + ETHLINK_GAIN_BYTE_MAX) {
		return -ERANGE;
	}
	return gain_db - min_db;
}

int ethlink_gain_db(enum ethlink_model model, uint8_t byte, int *ret_db)
{
	if (byte > ETHLINK_GAIN_BYTE_MAX) {
		return -ERANGE;
	}
	*ret_db = (int)byte + gain_min_db(model);
	return 0;
}

void ethlink_mac(enum ethlink_model model, uint16_t serial, uint8_t ret_mac[ETHLINK_MAC_LEN])
{
	memcpy(ret_mac, model == ETHLINK_DAC8 ? mac_prefix_dac : mac_prefix_adc, 4);
	ret_mac[4] = (uint8_t)(serial >> 8);
	ret_mac[5] = (uint8_t)serial;
}

int ethlink_mac_parse(const uint8_t mac[ETHLINK_MAC_LEN], enum ethlink_model *ret_model, uint16_t *ret_serial)
{
	if (memcmp(mac, mac_prefix_dac, 4) == 0) {
		*ret_model = ETHLINK_DAC8;
	} else if (memcmp(mac, mac_prefix_adc, 4) == 0) {
		*ret_model = ETHLINK_ADC8;
	} else {
		return -ENOENT;
	}
	*ret_serial = (uint16_t)(mac[4] << 8 | mac[5]);
	return 0;
}

const char *ethlink_model_name(enum ethlink_model model)
{
	return model == ETHLINK_DAC8 ? "dac8" : "adc8";
}

const char *ethlink_model_magic(enum ethlink_model model)
{
	return model == ETHLINK_DAC8 ? magic_dac : magic_adc;
}

int ethlink_settings_check(enum ethlink_model model, const struct ethlink_settings *s)
{
	if (s->rate_code >= N_RATES) {
		return -EINVAL;
	}
	for (unsigned i = 0; i < ETHLINK_CHANNELS; i++) {
		if (s->gain[i] > ETHLINK_GAIN_BYTE_MAX && s->gain[i] != ETHLINK_GAIN_MUTE) {
			return -ERANGE;
		}
	}
	if (model == ETHLINK_DAC8) {
		if (s->depth < ETHLINK_DEPTH_MIN || s->depth > ETHLINK_DEPTH_MAX) {
			return -ERANGE;
		}
		return s->phantom[0] == 0 && s->phantom[1] == 0 ? 0 : -EINVAL;
	}
	if (s->depth != 0) {
		return -EINVAL;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (s->phantom[i] != 0 && s->phantom[i] != ETHLINK_PHANTOM_ON) {
			return -EINVAL;
		}
	}
	return 0;
}

bool ethlink_settings_equal(
	enum ethlink_model model, const struct ethlink_settings *a, const struct ethlink_settings *b)
{
	if (a->rate_code != b->rate_code || memcmp(a->gain, b->gain, sizeof(a->gain)) != 0) {
		return false;
	}
	if (model == ETHLINK_DAC8) {
		return a->depth == b->depth;
	}
	return memcmp(a->phantom, b->phantom, sizeof(a->phantom)) == 0;
}

static void put_addresses(uint8_t *frame, const uint8_t *dst, const uint8_t *src)
{
	memcpy(frame + ETHLINK_OFF_DST, dst, ETHLINK_MAC_LEN);
	memcpy(frame + ETHLINK_OFF_SRC, src, ETHLINK_MAC_LEN);
	frame[ETHLINK_OFF_TYPE] = ETHLINK_ETHERTYPE >> 8;
	frame[ETHLINK_OFF_TYPE + 1] = ETHLINK_ETHERTYPE & 0xff;
}

int ethlink_encode_header(uint8_t *frame, size_t size, enum ethlink_model model,
	const uint8_t dst[ETHLINK_MAC_LEN], const uint8_t src[ETHLINK_MAC_LEN],
	const struct ethlink_settings *settings)
{
	int r;

	if (size < ETHLINK_HEADER_LEN) {
		return -ENOBUFS;
	}
	r = ethlink_settings_check(model, settings);
	if (r < 0) {
		return r;
	}
	put_addresses(frame, dst, src);
	memset(frame + ETHLINK_OFF_MAGIC, 0, ETHLINK_APP_LEN);
	memcpy(frame + ETHLINK_OFF_MAGIC, ethlink_model_magic(model), ETHLINK_MAGIC_LEN);
	frame[ETHLINK_OFF_RATE] = settings->rate_code;
	frame[ETHLINK_OFF_DEPTH] = settings->depth;
	memcpy(frame + ETHLINK_OFF_GAIN, settings->gain, ETHLINK_CHANNELS);
	if (model == ETHLINK_ADC8) {
		memcpy(frame + ETHLINK_OFF_PHANTOM, settings->phantom, sizeof(settings->phantom));
	}
	return 0;
}

int ethlink_encode_reply(uint8_t *frame, size_t size, const uint8_t dst[ETHLINK_MAC_LEN],
	const uint8_t src[ETHLINK_MAC_LEN], const uint8_t app[ETHLINK_APP_LEN], const uint8_t *audio)
{
	size_t len = audio ? ETHLINK_FRAME_LEN : ETHLINK_HEADER_LEN;

	if (size < len) {
		return -ENOBUFS;
	}
	put_addresses(frame, dst, src);
	memcpy(frame + ETHLINK_OFF_MAGIC, app, ETHLINK_APP_LEN);
	if (audio) {
		memcpy(frame + ETHLINK_OFF_AUDIO, audio, ETHLINK_AUDIO_LEN);
	}
	return (int)len;
}

void ethlink_encode_block(
	uint8_t audio[ETHLINK_AUDIO_LEN], const int32_t samples[ETHLINK_BLOCK_FRAMES * ETHLINK_CHANNELS])
{
	for (unsigned i = 0; i < ETHLINK_BLOCK_FRAMES * ETHLINK_CHANNELS; i++) {
		uint32_t u = (uint32_t)samples[i];

		audio[4 * i] = (uint8_t)u;
		audio[4 * i + 1] = (uint8_t)(u >> 8);
		audio[4 * i + 2] = (uint8_t)(u >> 16);
		audio[4 * i + 3] = (uint8_t)(u >> 24);
	}
}

void ethlink_decode_block(
	const uint8_t audio[ETHLINK_AUDIO_LEN], int32_t ret_samples[ETHLINK_BLOCK_FRAMES * ETHLINK_CHANNELS])
{
	for (unsigned i = 0; i < ETHLINK_BLOCK_FRAMES * ETHLINK_CHANNELS; i++) {
		uint32_t u = audio[4 * i] | (uint32_t)audio[4 * i + 1] << 8 |
			     (uint32_t)audio[4 * i + 2] << 16 | (uint32_t)audio[4 * i + 3] << 24;

		ret_samples[i] = (int32_t)u;
	}
}

int ethlink_decode(const uint8_t *frame, size_t len, struct ethlink_frame *ret)
{
	if (len < ETHLINK_HEADER_LEN || len > ETHLINK_FRAME_LEN ||
		(len > ETHLINK_HEADER_LEN && len < ETHLINK_FRAME_LEN)) {
		return -EMSGSIZE;
	}
	if ((frame[ETHLINK_OFF_TYPE] << 8 | frame[ETHLINK_OFF_TYPE + 1]) != ETHLINK_ETHERTYPE) {
		return -EPROTONOSUPPORT;
	}
	memset(ret, 0, sizeof(*ret));
	if (memcmp(frame + ETHLINK_OFF_MAGIC, magic_dac, ETHLINK_MAGIC_LEN) == 0) {
		ret->model = ETHLINK_DAC8;
		ret->reserved = frame + ETHLINK_OFF_RESERVED_DAC;
	} else if (memcmp(frame + ETHLINK_OFF_MAGIC, magic_adc, ETHLINK_MAGIC_LEN) == 0) {
		ret->model = ETHLINK_ADC8;
		memcpy(ret->settings.phantom, frame + ETHLINK_OFF_PHANTOM, sizeof(ret->settings.phantom));
		ret->reserved = frame + ETHLINK_OFF_RESERVED_ADC;
	} else {
		return -EBADMSG;
	}
	ret->reserved_len = (size_t)(frame + ETHLINK_OFF_AUDIO - ret->reserved);
	ret->marked = frame[ETHLINK_OFF_MARK] == ETHLINK_MARK;
	ret->dst = frame + ETHLINK_OFF_DST;
	ret->src = frame + ETHLINK_OFF_SRC;
	ret->settings.rate_code = frame[ETHLINK_OFF_RATE];
	ret->settings.depth = frame[ETHLINK_OFF_DEPTH];
	memcpy(ret->settings.gain, frame + ETHLINK_OFF_GAIN, ETHLINK_CHANNELS);
	ret->audio = len == ETHLINK_FRAME_LEN ? frame + ETHLINK_OFF_AUDIO : NULL;
	return 0;
}
