/*
 * Two JACK clients that tell whether what comes out of an insert is what went in, in the same cycle: a player and a
 * recorder. What is played follows from the server's frame time alone, so the recorder knows what each cycle must bring.
 * Each is a process of its own, as other programs are: libjack's threads of several clients in one process write the same
 * table of clients, and one that was opened while others ran was seen never to run.
 *
 * Ownership: probe_new() starts the processes, probe_free() ends them; what they share is the struct.
 * Threads: the functions are for one thread; counts and what the player played last may be read by any.
 */
#ifndef TOOLS_INSERT_PROBE_H
#define TOOLS_INSERT_PROBE_H

#include <jack/jack.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROBE_CHANNELS 2
#define PROBE_MIDI_FLOOD 300
#define PROBE_TEXT_MAX 128

/* Cycles, by what they brought. */
struct probe_count {
	_Atomic uint64_t run; /* good ones, since the last that was not */
	_Atomic uint64_t good;
	_Atomic uint64_t silent; /* in part or in whole, and good for the rest */
	_Atomic uint64_t bad;	 /* neither the one nor the other */
};

struct probe_peer {
	pid_t pid; /* 0: none */
	int fd;
};

struct probe {
	struct probe_peer player;   /* "player": out_1, out_2, midi */
	struct probe_peer recorder; /* "recorder": in_1, in_2, midi */
	_Atomic bool flood;	    /* PROBE_MIDI_FLOOD events a cycle */
	/* Of the cycle that the player was in last. */
	_Atomic uint32_t frame;
	_Atomic bool rolling;
	_Atomic uint32_t transport_frame;
	_Atomic uint64_t xruns;
	struct probe_count audio;
	struct probe_count midi;
};

struct probe_port {
	unsigned long flags;
	bool midi;
	jack_latency_range_t latency[2]; /* by jack_latency_callback_mode_t */
};

/* What is played at this frame of the server. */
float probe_value(uint32_t frame, unsigned channel);
/* Counts one cycle in which each of n_in buffers (NULL: silence) is channel 0, 1, 0, 1, … from this frame on. RT safe. */
void probe_compare_rt(
	struct probe_count *count, const float *const *in, unsigned n_in, uint32_t frame, uint32_t frames);
/* RT safe. */
void probe_count_reset(struct probe_count *count);

/* While the program has one thread. NULL: it cannot be. */
struct probe *probe_new(void);
/* NULL is allowed. */
void probe_free(struct probe *p);
/* Waits for the server; false after some 20 s. */
bool probe_open(struct probe *p, const char *server);
void probe_close(struct probe *p);

/* What the player says and does; false where JACK says no. */
/* True also where they are connected already. */
bool probe_connect(struct probe *p, const char *from, const char *to);
/* How many ports match. */
unsigned probe_count_ports(struct probe *p, const char *pattern);
/* False: there is none of this name. */
bool probe_get_port(struct probe *p, const char *name, struct probe_port *ret_port);
bool probe_has_property(struct probe *p, const char *port, const char *key, const char *value);
bool probe_recompute_latencies(struct probe *p);
bool probe_set_period(struct probe *p, uint32_t frames);
/* Where the song goes on, and whether it does. */
bool probe_set_transport(struct probe *p, uint32_t frame, bool rolling);

#endif
