/*
 * For the tests of NetVST's TCP side: a peer with sockets of its own, and a graph that has cycles when a test says so, or
 * on a thread. One test program at a time.
 */
#ifndef UNIT_NETVST_RIG_H
#define UNIT_NETVST_RIG_H

#include "net/netvst-internal.h"

#include <stdlib.h>

#define RIG_RATE_HZ 48000
#define RIG_FRAMES_MAX 8192
#define RIG_MIDI_MAX 4096
#ifndef RIG_WAIT_MS
#define RIG_WAIT_MS 20000 /* until a test has failed */
#endif

/* Waits for what another thread is about to do. */
#define WAIT_FOR(what)                                                                                       \
	do {                                                                                                 \
		int64_t rig_end = now_ns() + RIG_WAIT_MS * NSEC_PER_MSEC;                                    \
                                                                                                             \
		while (!(what)) {                                                                            \
			if (now_ns() > rig_end) {                                                            \
				fail_msg("%s:%d: waited in vain for: %s", __FILE__, __LINE__, #what);        \
			}                                                                                    \
			rig_pause();                                                                         \
		}                                                                                            \
	} while (0)

void rig_pause(void);
unsigned rig_open_fds(void);

/* Tells position and channel; exact. */
float rig_sample(unsigned channel, uint64_t frame);

/* --- the other end of a connection --- */

struct rig_peer {
	int fd;
	enum netvst_dialect dialect;
	enum netvst_codec codec;
	struct netvst_wavpack *wavpack;
	size_t have, at;
	uint8_t in[65536];
	struct netvst_parser parser;
	struct netvst_block block; /* that was read last */
};

/* Listens on 127.0.0.1; backlog 0: nobody is taken who is not accepted. */
int rig_listen(uint16_t *ret_port, int backlog);
struct rig_peer *rig_accept(int listener, enum netvst_dialect dialect, enum netvst_codec codec, bool synth);
struct rig_peer *rig_connect(uint16_t port, enum netvst_dialect dialect, enum netvst_codec codec);
void rig_close(struct rig_peer *peer);
/* frames: of a reply that is awaited; 0: a request. False: the connection is over, or nothing came for so long. */
bool rig_read(struct rig_peer *peer, uint32_t frames, int timeout_ms);
/* As bytes; the number of them. */
size_t rig_bytes(struct rig_peer *peer, enum netvst_direction direction, const struct netvst_block *block,
	uint8_t bytes[NETVST_BYTES_MAX]);
void rig_send(struct rig_peer *peer, const uint8_t *bytes, size_t n);
void rig_write(struct rig_peer *peer, enum netvst_direction direction, const struct netvst_block *block);
/* The other end has closed (what it sent before is thrown away). */
bool rig_is_closed(struct rig_peer *peer, int timeout_ms);

/* --- a graph --- */

struct rig_graph {
	struct nvpipe *pipe;
	uint32_t period;
	uint64_t song_frame; /* moves on with each cycle */
	uint32_t run;	     /* that is on */
	uint64_t frame;	     /* of the run: the next cycle's first */
	/* Server: */
	uint32_t prefill; /* frames of silence that tx begins with */
	unsigned n_midi;
	struct nvpipe_midi midi[RIG_MIDI_MAX]; /* that came */
	unsigned runs;
	_Atomic bool stop;
	pthread_t thread;
};

/* A client's cycle: sends rig_sample(), and these events (frames of the run) if they are in it. */
void rig_cycle(struct rig_graph *graph, const struct nvpipe_midi *midi, unsigned n_midi);
/* A slot's cycle: plays what comes in back to the peer. */
void rig_echo_cycle(struct rig_graph *graph);
/* On a thread, some 1000 times a second. */
void rig_echo_start(struct rig_graph *graph);
void rig_echo_stop(struct rig_graph *graph);

#endif
