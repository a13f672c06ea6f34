/*
 * Two JACK clients that tell whether what comes out of an insert is what went in, in the same cycle: a player and a
 * recorder. What is played follows from the server's frame time alone, so the recorder knows what each cycle must bring.
 *
 * Ownership: the caller's struct probe, closed with probe_close(); both clients may be open only once in a program.
 * Threads: the functions are for one thread; counts and what the player played last may be read by any.
 */
#ifndef TOOLS_INSERT_PROBE_H
#define TOOLS_INSERT_PROBE_H

#include <jack/jack.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PROBE_CHANNELS 2
#define PROBE_MIDI_FLOOD 300

/* Cycles, by what they brought. */
struct probe_count {
	_Atomic uint64_t run; /* good ones, since the last that was not */
	_Atomic uint64_t good;
	_Atomic uint64_t silent; /* in part or in whole, and good for the rest */
	_Atomic uint64_t bad;	 /* neither the one nor the other */
};

struct probe {
	jack_client_t *player;	 /* "player": out_1, out_2, midi */
	jack_client_t *recorder; /* "recorder": in_1, in_2, midi */
	jack_port_t *out[PROBE_CHANNELS + 1];
	jack_port_t *in[PROBE_CHANNELS + 1];
	_Atomic bool flood; /* PROBE_MIDI_FLOOD events a cycle */
	/* Of the cycle that the player was in last. */
	_Atomic uint32_t frame;
	_Atomic bool rolling;
	_Atomic uint32_t transport_frame;
	_Atomic uint64_t xruns;
	struct probe_count audio;
	struct probe_count midi;
};

/* What is played at this frame of the server. */
float probe_value(uint32_t frame, unsigned channel);
/* Counts one cycle in which each of n_in buffers (NULL: silence) is channel 0, 1, 0, 1, … from this frame on. RT safe. */
void probe_compare_rt(
	struct probe_count *count, const float *const *in, unsigned n_in, uint32_t frame, uint32_t frames);
/* RT safe. */
void probe_count_reset(struct probe_count *count);

/* Waits until the server is there; false after `seconds`. */
bool probe_open(struct probe *p, const char *server, unsigned seconds);
void probe_close(struct probe *p);
/* True also where they are connected already. */
bool probe_connect(struct probe *p, const char *from, const char *to);

#endif
