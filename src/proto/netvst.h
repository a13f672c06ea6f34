/*
 * The NetVST protocol: blocks of stereo audio, MIDI and parameters in a byte stream, in both dialects and both
 * directions. A client sends requests, a server answers each with a reply. doc/protocol.md describes the bytes.
 *
 * Pure: bytes in, bytes out. Nothing is allocated here, and every count of the peer is checked before it is used. WavPack
 * (netvst-wavpack.h) is handed in by who wants it.
 * Ownership: all structs are the caller's. Threads: any, one at a time per object. Not RT safe (some 80 kB are touched).
 */
#ifndef PROTO_NETVST_H
#define PROTO_NETVST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETVST_PORT 27016
#define NETVST_CHANNELS 2
#define NETVST_FRAMES_MAX 8191		/* of a block that we send; its length in bytes must fit in 16 bits */
#define NETVST_AUDIOKIT_FRAMES_MAX 2048 /* of one in that dialect */
#define NETVST_TAKEN_MAX 8192		/* frames that we accept */
#define NETVST_MIDI_MAX 1024		/* events of a block */
#define NETVST_PARAMS_MAX 1024		/* parameter changes of a block */
/* Room for any block on the wire: header, events, parameters, two parts of audio. */
#define NETVST_BYTES_MAX (16 + NETVST_MIDI_MAX * 8 + NETVST_PARAMS_MAX * 8 + 4 + 2 * 65536)

enum netvst_dialect {
	NETVST_2017,
	NETVST_AUDIOKIT,
};

enum netvst_codec {
	NETVST_PCM,
	NETVST_WAVPACK,	      /* lossless: a lossy block and its correction */
	NETVST_WAVPACK_LOSSY, /* without the correction */
};

enum netvst_direction {
	NETVST_REQUEST,
	NETVST_REPLY,
};

/* A channel message, 0x80 to 0xEF. */
struct netvst_midi {
	uint32_t frame; /* from the block's start, less than its frames */
	uint8_t status; /* with the channel in its low half */
	uint8_t data1;
	uint8_t data2;
};

struct netvst_param {
	uint16_t effect;
	uint16_t param;
	float value;
};

struct netvst_block {
	uint32_t frames;
	uint32_t timestamp; /* of its first frame, in samples since the song's start; requests only */
	bool has_audio;
	enum netvst_codec codec; /* that it came in */
	unsigned n_midi;
	unsigned n_params;
	struct netvst_midi midi[NETVST_MIDI_MAX]; /* when read: in the order of their frames */
	struct netvst_param params[NETVST_PARAMS_MAX];
	float audio[NETVST_CHANNELS][NETVST_TAKEN_MAX]; /* planar; NaN and infinite have become 0 */
};

struct netvst_wavpack; /* netvst-wavpack.h; NULL wherever it is wanted: none */

/*
 * Writes a block as request or reply. Frames, counts and frames of MIDI must be within the limits. A block that does not
 * fit in the codec's 16-bit counts goes uncompressed. Samples that are no finite numbers go as 0.
 * Returns the number of bytes, or -EINVAL (a limit), -ENOTSUP (a codec without wavpack, or one that the dialect has not),
 * -ENOBUFS (size), -ENOMEM.
 */
int netvst_write(uint8_t *bytes, size_t size, enum netvst_dialect dialect, enum netvst_direction direction,
	enum netvst_codec codec, struct netvst_wavpack *wavpack, const struct netvst_block *block);

/* Takes a byte stream apart, however it is cut. Some 150 kB: on the heap, please. */
struct netvst_parser {
	enum netvst_dialect dialect;
	enum netvst_direction direction;
	bool synth; /* requests of dialect 2017 carry no audio */
	struct netvst_wavpack *wavpack;
	uint32_t frames; /* of a reply: netvst_parser_expect() */
	unsigned stage;
	size_t have;
	size_t need;
	const char *error; /* after -EPROTO: what was wrong, for people */
	uint8_t bytes[NETVST_BYTES_MAX];
};

void netvst_parser_init(struct netvst_parser *parser, enum netvst_dialect dialect,
	enum netvst_direction direction, bool synth, struct netvst_wavpack *wavpack);
/* How many frames the next reply has: what was asked for. Before its first byte; holds until it is called again. */
void netvst_parser_expect(struct netvst_parser *parser, uint32_t frames);
/*
 * Takes what it needs of n bytes, at most to the end of one block; *ret_used says how much that was. 1: *ret_block is
 * there; 0: more bytes are needed; -EPROTO: the peer speaks something else (the parser is to be set up anew).
 */
int netvst_parse(struct netvst_parser *parser, const uint8_t *bytes, size_t n, size_t *ret_used,
	struct netvst_block *ret_block);
/* In the middle of a block. */
bool netvst_parser_is_inside(const struct netvst_parser *parser);

const char *netvst_dialect_to_string(enum netvst_dialect dialect); /* "2017", "audiokit" */
const char *netvst_codec_to_string(enum netvst_codec codec);	   /* "pcm", "wavpack", "wavpack-lossy" */
/* False: none of these. */
bool netvst_dialect_from_string(const char *text, enum netvst_dialect *ret_dialect);
bool netvst_codec_from_string(const char *text, enum netvst_codec *ret_codec);

#endif
