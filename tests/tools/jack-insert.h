/*
 * What the cases of jack-insert share: jack-insert.c (audio, MIDI, time, coming and going) and jack-insert-graph.c (what
 * other programs see: ports and latencies).
 *
 * Ownership: one backend a run, in `test`. Threads: the main one, but for what is atomic.
 */
#ifndef TOOLS_JACK_INSERT_H
#define TOOLS_JACK_INSERT_H

#include "insert-probe.h"

#include "backend/backend.h"
#include "base/hist.h"

#define CLIENT "ins"
#define UNITS_MAX 16

/* What an insert or a device is to this program. */
struct unit {
	char name[16];
	struct backend_group *group;
	_Atomic uint64_t calls;
	_Atomic uint32_t midi_lost; /* in the last cycle */
};

struct insert_test {
	const char *server;
	struct backend *backend;
	struct probe *probe;
	struct unit insert[UNITS_MAX];
	struct unit device;
	struct probe_count heard;     /* by the device */
	_Atomic unsigned n_heard;     /* buffers of it that are compared */
	_Atomic bool lazy;	      /* inserts do nothing */
	_Atomic uint64_t same, other; /* cycles in which the song's position was the player's, or not */
	_Atomic uint64_t rolled;
	struct hist took;
};

extern struct insert_test test;

/* Says what is wrong; false. */
bool insert_test_fail(const char *what);

#define CHECK(what)                                                                                          \
	do {                                                                                                 \
		if (!(what)) {                                                                               \
			return insert_test_fail(#what);                                                      \
		}                                                                                            \
	} while (0)

/* Looks after the backend until `done` says so; false: it does not. */
bool insert_test_wait(bool (*done)(void));
bool insert_test_probe(void);
/* Waits for some hundred cycles. */
bool insert_test_cycles(void);
bool insert_test_join(void);
/* Waits for the ports first. */
bool insert_test_link(const char *from, const char *to);

/* An insert's ports: send_1, send_2, midi_in, return_1, return_2, midi_out. */
struct backend_insert_ports insert_test_name(struct unit *unit, const char *name);
bool insert_test_add(struct unit *unit, const struct backend_insert_ports *ports, uint32_t latency_frames);
/* What is changed while it is there. */
bool insert_test_change(struct unit *unit, const struct backend_insert_ports *ports);
/* Insert number i, connected to nothing. */
bool insert_test_add_plain(unsigned i, const char *name);
/* With what its first four channels are connected to, or NULL. */
bool insert_test_add_device(
	const char *c1, const char *c2, const char *c3, const char *c4, uint32_t latency_frames);

/* --- jack-insert-graph.c --- */
bool insert_test_ports(void);
bool insert_test_latency(void);

#endif
