/*
 * The command line of netvst-echo. Strings point into argv. Main thread.
 */
#ifndef ECHO_OPTIONS_H
#define ECHO_OPTIONS_H

#include "proto/netvst.h"

#include <stdbool.h>
#include <stdint.h>

enum echo_command {
	ECHO_SERVER,
	ECHO_CLIENT,
};

/* What a server makes of the audio. */
enum echo_mode {
	ECHO_PLAIN,
	ECHO_GAIN,
	ECHO_DELAY,
	ECHO_SYNTH,
};

/* What a client sends. */
enum echo_material {
	ECHO_SINE,
	ECHO_PATTERN,
	ECHO_FILE,
};

struct options {
	enum echo_command command;
	const char *host; /* to listen at, or to connect to */
	uint16_t port;
	enum netvst_dialect dialect;
	enum netvst_codec codec;
	bool synth; /* requests carry no audio */
	bool json;
	bool verbose;
	bool realtime;
	uint32_t rate_hz;
	const char *record_path;
	uint64_t break_after; /* blocks until the connection is cut within one; 0: never */
	/* server */
	enum echo_mode mode;
	double gain_db;
	uint32_t delay_frames;
	double slow_ms;
	double ramp_ms;
	bool check_counter;
	/* client */
	enum echo_material material;
	double sine_hz;
	const char *play_path;
	uint32_t block_frames;
	uint32_t depth;	 /* blocks that may be without an answer */
	uint64_t blocks; /* 0: without end */
	double seconds;	 /* 0: not given */
	double ppm;
	double wait_s;
	double timeout_s;
	bool fast;
	const char *midi_path;
	int64_t expect_latency_frames; /* -1: any */
};

/* 1: go on; 0: all is said (help, version); -EINVAL: said what is wrong. */
int options_parse(int argc, char **argv, struct options *ret);

#endif
