/*
 * What the JACK clients of the benchmarks have in common: a client whose process callback is timed, and a
 * line of JSON about it at the end. For programs that are one client each.
 *
 * Ownership: struct jack_bench and all in it belong to the program's main thread, which makes every call
 * here; while the client is active JACK's thread writes the members marked so.
 */
#ifndef BENCH_JACK_BENCH_H
#define BENCH_JACK_BENCH_H

#include "histogram.h"

#include <jack/jack.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define JACK_BENCH_BOXES_MAX 64
#define JACK_BENCH_CHANNELS 8
#define JACK_BENCH_PORTS_MAX (JACK_BENCH_BOXES_MAX * JACK_BENCH_CHANNELS)

struct jack_bench {
	const char *program;
	const char *client_name;
	const char *server;      /* NULL: JACK's default */
	double warmup_s;         /* not measured */
	double seconds;          /* measured; 0: until SIGTERM or SIGINT */

	/* The callback, on JACK's thread; NULL does nothing. Returns how many Ethernet frames it sent. */
	unsigned (*work_rt)(struct jack_bench *b, jack_nframes_t frames);
	/* Called on the main thread at once and then every half second until the end; may be NULL. */
	void (*tick)(struct jack_bench *b);

	jack_client_t *client;
	jack_port_t *ports[JACK_BENCH_PORTS_MAX]; /* box by box, channel by channel */
	unsigned n_ports;
	double cpu_s;  /* of the whole process, while measuring */
	double wall_s;
	atomic_bool measuring;
	atomic_bool gone;        /* the server went away */
	_Atomic uint32_t xruns;

	/* JACK's thread. */
	struct histogram callback;
	uint64_t frames_sent;
};

/* Joins the server; SIGTERM and SIGINT wait for jack_bench_run() from here on. False after a message. */
bool jack_bench_open(struct jack_bench *b);
/* Input ports "box0/playback_1" … of that many boxes. False after a message. */
bool jack_bench_add_boxes(struct jack_bench *b, unsigned boxes);
/* Activates, measures, leaves the server. False after a message where the server went away. */
bool jack_bench_run(struct jack_bench *b);
/* The members of a JSON object that all programs have, without the braces. */
void jack_bench_print(const struct jack_bench *b);

/* Values of options; a bad one ends the program with status 2 and says what is allowed. */
unsigned jack_bench_number(const struct jack_bench *b, const char *option, const char *text, unsigned min,
	unsigned max);
double jack_bench_seconds(const struct jack_bench *b, const char *option, const char *text);

#endif
