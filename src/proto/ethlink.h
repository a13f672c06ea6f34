/*
 * The ETHlink wire codec: raw Ethernet frames of the ETHlink8DAC and ETHlink8ADC boxes.
 *
 * Bytes in, bytes out: no I/O, no allocation, no state. Any thread; the functions marked so are RT safe.
 * All offsets are from the start of the Ethernet frame. See doc/protocol.md for where the facts come from.
 */
#ifndef PROTO_ETHLINK_H
#define PROTO_ETHLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ETHLINK_ETHERTYPE 0x0802
#define ETHLINK_MAC_LEN 6
/* For printf(): six bytes as people write them, and their length in characters, the terminator included. */
#define ETHLINK_MAC_FMT "%02x:%02x:%02x:%02x:%02x:%02x"
#define ETHLINK_MAC_ARGS(m) (m)[0], (m)[1], (m)[2], (m)[3], (m)[4], (m)[5]
#define ETHLINK_MAC_SIZE 18
#define ETHLINK_CHANNELS 8
#define ETHLINK_BLOCK_FRAMES 8 /* sample frames in a block */

#define ETHLINK_OFF_DST 0
#define ETHLINK_OFF_SRC 6
#define ETHLINK_OFF_TYPE 12
#define ETHLINK_OFF_MAGIC 14
#define ETHLINK_OFF_RATE 21
#define ETHLINK_OFF_DEPTH 22
#define ETHLINK_OFF_GAIN 23
#define ETHLINK_OFF_PHANTOM 31 /* ADC only */
#define ETHLINK_OFF_RESERVED_DAC 31
#define ETHLINK_OFF_RESERVED_ADC 33
/*
 * The last reserved byte. A box copies a header's reserved bytes into its reply when it takes settings from it, and
 * only then: headers that are meant to set a box bear a mark there, so a reply without it says that the box has taken
 * them from some other frame since, as after a power-cycle in the middle of a stream.
 */
#define ETHLINK_OFF_MARK 63
#define ETHLINK_MARK 0xe1
#define ETHLINK_OFF_AUDIO 64

#define ETHLINK_MAGIC_LEN 7
#define ETHLINK_HEADER_LEN 64
#define ETHLINK_APP_LEN 50 /* application bytes of a header: 14..63 */
#define ETHLINK_AUDIO_LEN 256
#define ETHLINK_FRAME_LEN 320

#define ETHLINK_DEPTH_MIN 1
#define ETHLINK_DEPTH_MAX 128
#define ETHLINK_GAIN_BYTE_MAX 80
#define ETHLINK_GAIN_MUTE 255
#define ETHLINK_PHANTOM_ON 48
#define ETHLINK_DAC_GAIN_MIN_DB (-56)
#define ETHLINK_DAC_GAIN_MAX_DB 24
#define ETHLINK_ADC_GAIN_MIN_DB 0
#define ETHLINK_ADC_GAIN_MAX_DB 80

enum ethlink_model {
	ETHLINK_DAC8,
	ETHLINK_ADC8,
};

/* The settings that a header carries. They are the same bytes in a host's header and in a box's reply. */
struct ethlink_settings {
	uint8_t rate_code;		/* 0..3, see ethlink_rate_code() */
	uint8_t depth;			/* DAC: blocks, 1..128. ADC: 0 */
	uint8_t gain[ETHLINK_CHANNELS]; /* 0..80 or ETHLINK_GAIN_MUTE */
	uint8_t phantom[2];		/* ADC: 0 or ETHLINK_PHANTOM_ON, channels 1-4 and 5-8. DAC: 0 */
};

/* A frame taken apart. Pointers point into the caller's frame. */
struct ethlink_frame {
	enum ethlink_model model;
	const uint8_t *dst;
	const uint8_t *src;
	struct ethlink_settings
		settings; /* as found: a box may report what nobody may send (0xFA after power-up) */
	bool marked;	  /* bears ETHLINK_MARK */
	const uint8_t *reserved;
	size_t reserved_len;
	const uint8_t *audio; /* ETHLINK_AUDIO_LEN bytes, or NULL for a header alone */
};

/* 44100, 48000, 88200, 96000 Hz -> 0..3; -EINVAL for any other. RT safe. */
int ethlink_rate_code(uint32_t rate_hz);
/* 0..3 -> Hz; 0 for any other code. RT safe. */
uint32_t ethlink_rate_hz(uint8_t code);

/* DAC -56..+24 dB, ADC 0..80 dB -> byte; -ERANGE outside. RT safe. */
int ethlink_gain_byte(enum ethlink_model model, int gain_db);
/* Byte 0..80 -> dB in *ret_db. -ERANGE for 81..255 (255 is mute, the others have no meaning). RT safe. */
int ethlink_gain_db(enum ethlink_model model, uint8_t byte, int *ret_db);

/* MAC of the box with this serial number. RT safe. */
void ethlink_mac(enum ethlink_model model, uint16_t serial, uint8_t ret_mac[ETHLINK_MAC_LEN]);
/* The reverse: 0 for a box's MAC, -ENOENT for any other. RT safe. */
int ethlink_mac_parse(
	const uint8_t mac[ETHLINK_MAC_LEN], enum ethlink_model *ret_model, uint16_t *ret_serial);

const char *ethlink_model_name(enum ethlink_model model);  /* "dac8", "adc8": as in the configuration */
const char *ethlink_model_magic(enum ethlink_model model); /* "ETH8DAC", "ETH8ADC" */

/* 0, or -EINVAL (rate code, phantom byte, depth of an ADC) or -ERANGE (depth, gain) for settings that must never be sent. */
int ethlink_settings_check(enum ethlink_model model, const struct ethlink_settings *s);
/* True where both would set a box of that model the same way. RT safe. */
bool ethlink_settings_equal(
	enum ethlink_model model, const struct ethlink_settings *a, const struct ethlink_settings *b);

/*
 * Writes the 64 header bytes: addresses, EtherType, magic, settings, zeros in the reserved bytes.
 * dst/src: the box and the host, in the direction of travel. size: room at frame, at least 64.
 * 0, -ENOBUFS where size is too small, or what ethlink_settings_check() says; nothing is written then.
 */
int ethlink_encode_header(uint8_t *frame, size_t size, enum ethlink_model model,
	const uint8_t dst[ETHLINK_MAC_LEN], const uint8_t src[ETHLINK_MAC_LEN],
	const struct ethlink_settings *settings);

/*
 * Writes what a box sends: a header that echoes 50 application bytes as they were accepted (app), and
 * for an ADC one block of audio (256 bytes; NULL for a DAC's reply). Returns the length of the frame
 * (64 or 320) or -ENOBUFS. The bytes of app are not judged: a freshly powered box reports 0xFA in each.
 */
int ethlink_encode_reply(uint8_t *frame, size_t size, const uint8_t dst[ETHLINK_MAC_LEN],
	const uint8_t src[ETHLINK_MAC_LEN], const uint8_t app[ETHLINK_APP_LEN], const uint8_t *audio);

/*
 * One block, sample by sample: frame 0 channel 1..8, frame 1 channel 1..8, … as int32 little-endian.
 * The plain way for tests and tools; the realtime path converts straight into the frame (dsp/sample.h).
 */
void ethlink_encode_block(
	uint8_t audio[ETHLINK_AUDIO_LEN], const int32_t samples[ETHLINK_BLOCK_FRAMES * ETHLINK_CHANNELS]);
void ethlink_decode_block(
	const uint8_t audio[ETHLINK_AUDIO_LEN], int32_t ret_samples[ETHLINK_BLOCK_FRAMES * ETHLINK_CHANNELS]);

/*
 * Takes a frame to or from a box apart. RT safe.
 * 0; -EMSGSIZE: any length but a header's (64) or a whole frame's (320);
 * -EPROTONOSUPPORT: another EtherType; -EBADMSG: another magic.
 */
int ethlink_decode(const uint8_t *frame, size_t len, struct ethlink_frame *ret);

#endif
