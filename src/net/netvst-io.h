/*
 * NetVST over TCP: a thread that serves connections, as client and as server. The realtime thread is not to make a system
 * call, so nothing wakes this thread but the sockets and its own timer: it knows from the cycles before when the next
 * one should have left something in a pipe, and looks then.
 *
 * Ownership: control makes io, clients and servers, and frees them in the opposite order; pipes are the caller's and
 * must outlive what uses them. Threads: control thread, where nothing else is said; nothing here waits for a peer.
 */
#ifndef NET_NETVST_IO_H
#define NET_NETVST_IO_H

#include "net/nvpipe-rt.h"
#include "proto/netvst.h"

#include <netinet/in.h>

#define NETVST_TEXT_MAX 160
#define NETVST_SLOTS_MAX 16
#define NETVST_ALLOW_MAX 16

struct netvst_io;
struct netvst_client;
struct netvst_server;

/* The thread starts at once, without realtime scheduling. 0 or -errno. */
int netvst_io_new(const char *thread_name, struct netvst_io **ret_io);
/* Nothing may be in it any more. NULL is allowed. */
void netvst_io_free(struct netvst_io *io);
/* SCHED_FIFO with this priority; 0: none. 0 or -errno (all stays as it was). */
int netvst_io_set_priority(struct netvst_io *io, int priority);

/* --- client --- */

struct netvst_client_conf {
	const char *host; /* name or address, IPv4 or IPv6 */
	uint16_t port;
	enum netvst_dialect dialect;
	enum netvst_codec codec;
	bool synth; /* dialect 2017: no audio is sent */
	bool cc_params; /* dialect audiokit: controllers go as parameters (effect: channel, param: number), not as MIDI */
	int socket_priority; /* SO_PRIORITY */
};

enum netvst_client_state {
	NETVST_CLIENT_PARKED, /* RT has no cycles: not connected */
	NETVST_CLIENT_RESOLVING,
	NETVST_CLIENT_CONNECTING,
	NETVST_CLIENT_WAITING, /* for the next try */
	NETVST_CLIENT_CONNECTED,
};

/* Since it was made; durations in ns. */
struct netvst_client_status {
	enum netvst_client_state state;
	char peer[NETVST_TEXT_MAX];  /* ADDRESS:PORT; "": not known */
	char error[NETVST_TEXT_MAX]; /* why the last connection ended or failed; "": it has not */
	uint64_t connects;
	uint64_t connected_ns; /* since then; CLOCK_MONOTONIC; 0: it is not connected */
	uint64_t blocks_sent;
	uint64_t blocks_received;
	uint64_t blocks_skipped; /* not sent, because too many were unanswered */
	uint64_t bytes_sent;
	uint64_t bytes_received;
	uint64_t audio_bytes; /* that the audio both ways would have had uncompressed */
	uint64_t midi_sent;
	uint64_t params_sent;
	uint32_t outstanding;
	/* From the start of the cycle that completed a block until its reply was in the pipe: in this connection. */
	uint64_t round_trips;
	int64_t rtt_median_ns;
	int64_t rtt_p90_ns;
	int64_t rtt_p99_ns;
	int64_t rtt_max_ns;
};

/* conf is copied. Connects by itself whenever RT has cycles, and again after failures. 0 or -errno. */
int netvst_client_new(struct netvst_io *io, const struct netvst_client_conf *conf, struct nvpipe *pipe,
	struct netvst_client **ret_client);
/*
 * How old a block may be when its reply is played: the blocks that so many frames hold, and three more, are let go
 * unanswered before others are skipped. 0: not known yet; then it follows from the round trips, which are counted from now on.
 */
void netvst_client_set_latency(struct netvst_client *client, uint32_t latency_frames);
/* The connection is closed on return. NULL is allowed. */
void netvst_client_free(struct netvst_client *client);
/* With the next block. 0, -EAGAIN: too many wait already, -ENOTCONN, or -EOPNOTSUPP: not in this dialect. */
int netvst_client_set_param(struct netvst_client *client, uint16_t effect, uint16_t param, float value);
void netvst_client_get_status(struct netvst_client *client, struct netvst_client_status *ret_status);

/* --- server --- */

struct netvst_net {
	struct in6_addr address; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;		 /* 0..128, of the mapped form */
};

struct netvst_server_conf {
	const char *host; /* address to listen at, IPv4 or IPv6, numeric */
	uint16_t port;	  /* 0: any, for tests */
	enum netvst_dialect dialect;
	enum netvst_codec codec; /* of replies */
	bool synth;		 /* requests of dialect 2017 carry no audio */
	struct netvst_net allow[NETVST_ALLOW_MAX];
	unsigned n_allow; /* 0: this machine only */
	unsigned slots;
	int socket_priority;
};

struct netvst_slot_status {
	bool connected;
	char peer[NETVST_TEXT_MAX];
	uint32_t block_frames;	   /* of the last block */
	uint32_t block_max_frames; /* of the longest in this connection */
	uint64_t connects;
	uint64_t blocks;
	uint64_t late_replies; /* that had to wait for the graph */
	uint64_t midi_received;
	uint64_t midi_lost; /* more at once than the graph takes */
	uint64_t bytes_received;
	uint64_t bytes_sent;
	uint64_t audio_bytes;
};

struct netvst_server_status {
	bool listening;
	uint16_t port; /* as bound */
	char error
		[NETVST_TEXT_MAX]; /* why it does not listen, or what the last peer did wrong; "": nothing */
	uint64_t refused_address;  /* connections that were closed at once: not allowed */
	uint64_t refused_full;	   /* no slot was free */
	uint64_t bad_peers;	   /* closed: they broke the protocol */
	uint64_t timeouts; /* closed: they stood still in the middle of a block, or sent nothing at first */
	struct netvst_slot_status slots[NETVST_SLOTS_MAX];
};

/*
 * conf is copied; pipes: one for each slot. An address that cannot be used yet is tried again. 0 or -errno.
 *
 * A peer must send its first byte within 5 s, end each block within 2 s, and take its replies within 5 s. Between blocks it
 * may be silent for hours, as a DAW that is stopped is, while TCP's keepalive finds it there (some 25 s). But where no slot is
 * left for another peer, the one that has been silent longest, for half a minute at least, loses its own.
 */
int netvst_server_new(struct netvst_io *io, const struct netvst_server_conf *conf,
	struct nvpipe *const *pipes, struct netvst_server **ret_server);
/* All connections are closed on return. NULL is allowed. */
void netvst_server_free(struct netvst_server *server);
void netvst_server_get_status(struct netvst_server *server, struct netvst_server_status *ret_status);

/*
 * "192.168.1.0/24", "10.0.0.7", "fe80::/10": false where it is none of these.
 */
bool netvst_net_from_string(const char *text, struct netvst_net *ret_net);
bool netvst_net_contains(const struct netvst_net *net, const struct in6_addr *address);

#endif
