/*
 * What the parts of netvst-io.h share: the thread and its tasks, a TCP connection, the prediction of cycles, the lookup of
 * names. A task is whatever has at most one descriptor and wants to be run at times: a client, a listener, a slot.
 *
 * Ownership: tasks are embedded in what owns them, and leave the thread (netvst_io_remove()) before that is freed.
 * Threads: all but netvst_io_lock() with the io's lock held, which the net thread lets go only while it sleeps. The lock
 * inherits priority, and control holds it for no more than a few copies.
 */
#ifndef NET_NETVST_INTERNAL_H
#define NET_NETVST_INTERNAL_H

#include "base/hist.h"
#include "net/netvst-io.h"
#include "proto/netvst-wavpack.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* --- the thread: netvst-io.c --- */

/* How long things may take; tests are in more of a hurry. */
struct netvst_times {
	int64_t no_cycles_ns;  /* without a callback for so long, the audio server is away */
	int64_t connect_ns;    /* one address */
	int64_t reply_ns;      /* client: no reply for so long ends the connection */
	int64_t retry_min_ns;  /* client and listener: first pause before the next try */
	int64_t retry_max_ns;  /* the pause doubles up to this */
	int64_t first_byte_ns; /* slot: from the connection to the first byte */
	int64_t block_ns;      /* slot: from a block's first byte to its last */
	int64_t write_ns;      /* slot: the peer takes none of its replies */
	int64_t idle_ns;       /* slot: silent for so long, it is given to whoever needs one */
};

struct netvst_task {
	struct netvst_io *io;
	struct netvst_task *next;
	int fd;		/* -1: none */
	uint32_t armed; /* events that are waited for */
	uint32_t ready; /* that came since the last run */
	int64_t due_ns;
	/* Does what can be done now; returns when it wants to be run again, if nothing comes before. */
	int64_t (*run)(struct netvst_task *task, int64_t now_ns);
};

struct netvst_io {
	pthread_mutex_t mutex;
	pthread_t thread;
	int epoll_fd;
	int wake_fd;
	bool stop;
	bool no_pwait2;	   /* this kernel does not have it */
	uint64_t removals; /* events from before one may be of a task that is no more */
	uint64_t wakeups;  /* for the benchmark */
	struct netvst_task *tasks;
	struct netvst_times times;
	struct netvst_block block; /* whoever runs may use it, till it returns */
};

void netvst_io_lock(struct netvst_io *io);
void netvst_io_unlock(struct netvst_io *io);
/* run is set; runs soon. */
void netvst_io_add(struct netvst_io *io, struct netvst_task *task);
/* Closes its descriptor, too. */
void netvst_io_remove(struct netvst_task *task);
/* fd becomes the task's, also on failure. 0 or -errno. */
int netvst_task_open(struct netvst_task *task, int fd, uint32_t events);
void netvst_task_watch(struct netvst_task *task, uint32_t events);
void netvst_task_close(struct netvst_task *task);

/* --- when will there be something in the pipe? netvst-pace.c --- */

struct netvst_pace {
	int64_t cycle_ns; /* of the last cycle that was seen */
	int64_t grid_ns;  /* when that should have begun: cycles may be late, never early */
	int64_t period_ns;
	uint32_t frames;
};

/* The audio server calls RT. */
bool netvst_pace_look(struct netvst_pace *pace, const struct nvpipe *pipe, int64_t now_ns, int64_t away_ns);
/* When so many frames should stand in tx; now, if they do. 0: when the next cycle should have been there. */
int64_t netvst_pace_due(
	const struct netvst_pace *pace, const struct nvpipe *pipe, uint32_t want, int64_t now_ns);

/* --- addresses: netvst-address.c --- */

struct netvst_address {
	struct sockaddr_storage sa;
	socklen_t len;
};

#define NETVST_ADDRESSES_MAX 8

struct netvst_lookup;

/* Finds the addresses on a thread of its own; at once where the host is one already. 0 or -errno. */
int netvst_lookup_new(const char *host, uint16_t port, struct netvst_lookup **ret_lookup);
/* The number of addresses, 0: not yet, or a negative EAI_ code. */
int netvst_lookup_get(
	struct netvst_lookup *lookup, struct netvst_address ret_addresses[NETVST_ADDRESSES_MAX]);
/* The resolver may still be at it. NULL is allowed. */
void netvst_lookup_free(struct netvst_lookup *lookup);
/* Numeric only; false: it is none. */
bool netvst_address_from_string(const char *host, uint16_t port, struct netvst_address *ret_address);
void netvst_address_to_string(const struct netvst_address *address, char ret_text[NETVST_TEXT_MAX]);
void netvst_address_to_in6(const struct netvst_address *address, struct in6_addr *ret_in6);
uint16_t netvst_address_port(const struct netvst_address *address);
/* "connection refused", … */
const char *netvst_errno_text(int error);

/* --- a TCP connection: netvst-conn.c --- */

#define NETVST_IN_BYTES 65536

struct netvst_conn {
	struct netvst_task *task; /* whose descriptor it uses */
	enum netvst_dialect dialect;
	enum netvst_codec codec;
	struct netvst_wavpack *wavpack; /* NULL: there is none */
	uint64_t bytes_received;	/* of all connections, as the next one */
	uint64_t bytes_sent;
	size_t in_at, in_end;
	size_t out_at, out_end;
	uint8_t in[NETVST_IN_BYTES];
	uint8_t out[NETVST_BYTES_MAX];
	struct netvst_parser parser;
};

/* 0, -ENOMEM, or -ENOTSUP: this codec is not there. */
int netvst_conn_init(struct netvst_conn *conn, struct netvst_task *task, enum netvst_dialect dialect,
	enum netvst_codec codec);
void netvst_conn_fini(struct netvst_conn *conn);
/* A new connection on the task's descriptor: what is read from it goes in this direction. */
void netvst_conn_begin(struct netvst_conn *conn, enum netvst_direction direction, bool synth);
/* One read, when all that came before has been parsed. 0: there was nothing; *ret_drained: no more is there. -ENODATA: the peer has closed. -errno. */
int netvst_conn_fill(struct netvst_conn *conn, bool *ret_drained);
/* The next block of what was read. 1, 0: it is not complete, -EPROTO. */
int netvst_conn_next(struct netvst_conn *conn, struct netvst_block *ret_block);
/* Puts a block behind what waits to be sent. 0, -ENOBUFS: too much waits, or -errno. */
int netvst_conn_write(
	struct netvst_conn *conn, enum netvst_direction direction, const struct netvst_block *block);
/* Sends what the kernel takes. 0 or -errno; bytes may be left (netvst_conn_unsent()). */
int netvst_conn_flush(struct netvst_conn *conn);
size_t netvst_conn_unsent(const struct netvst_conn *conn);
/* Not Nagle's delay; keepalive; priority; buffers of so many bytes, 0: as they are. What fails is not needed. */
void netvst_conn_tune(int fd, int socket_priority, size_t buffer_bytes);
/* A number that no pipe has seen yet. */
uint32_t netvst_conn_new_run(void);
/*
 * The run that was asked for at asked_ns, and in which RT has been seen or not, will not go on: RT has given it up for want
 * of room, or the audio server went.
 */
bool netvst_conn_run_is_over(
	const struct nvpipe *pipe, uint32_t run, bool seen, int64_t asked_ns, int64_t now_ns);

/* --- MIDI of blocks that were not sent: netvst-carry.c --- */

#define NETVST_CARRY_MAX 512

/* The last of each kind and number, in the order of their coming. */
struct netvst_carry {
	unsigned n;
	struct netvst_midi midi[NETVST_CARRY_MAX];
};

/* Keeps what the peer must not miss: all but notes that begin, and their pressure. */
void netvst_carry_add(struct netvst_carry *carry, uint8_t status, uint8_t data1, uint8_t data2);

/* --- client: netvst-client.c, netvst-client-run.c --- */

#define NETVST_SENT_MAX 512 /* unanswered blocks */
#define NETVST_WAITING_PARAMS_MAX 256

struct netvst_sent {
	uint64_t number;
	uint32_t run;
	int64_t born_ns; /* when the cycle began that completed it */
	int64_t sent_ns;
};

struct netvst_client {
	struct netvst_task task;
	struct netvst_client_conf conf;
	struct nvpipe *pipe;
	struct netvst_pace pace;
	struct netvst_conn conn;
	struct netvst_client_status status;
	struct hist rtt;
	uint32_t latency_frames; /* 0: not known */

	struct netvst_lookup *lookup;
	struct netvst_address addresses[NETVST_ADDRESSES_MAX];
	unsigned n_addresses;
	unsigned address; /* that is tried */
	int64_t until_ns; /* the state's end */
	int64_t retry_ns;
	uint64_t replies; /* of this connection */

	uint32_t run;		 /* 0: none is asked for */
	bool run_seen;		 /* RT has been in it */
	int64_t run_ns;		 /* since when it is asked for */
	uint64_t next_block;	 /* of the run */
	struct nvpipe_mark mark; /* that was passed last */
	struct nvpipe_mark next_mark;
	bool have_next_mark;
	struct nvpipe_midi midi; /* of the next block, or a later one */
	bool have_midi;
	struct netvst_carry carry;
	struct netvst_sent sent[NETVST_SENT_MAX];
	uint32_t sent_head, sent_tail;
	unsigned n_params;
	struct netvst_param params[NETVST_WAITING_PARAMS_MAX];
};

/* A connection is there; what went before is forgotten. */
void netvst_client_begin(struct netvst_client *client);
/* Sends and receives. 0, or -errno: the connection is over, the status says why. */
int netvst_client_serve(struct netvst_client *client, int64_t now_ns, int64_t *ret_due_ns);
void netvst_client_say(struct netvst_client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- server: netvst-server.c, netvst-slot.c --- */

enum netvst_slot_stage {
	NETVST_SLOT_READ,  /* for the next block */
	NETVST_SLOT_PUT,   /* a block is there, and is to go into the pipe */
	NETVST_SLOT_REPLY, /* it is there; its reply waits for the graph */
};

struct netvst_slot {
	struct netvst_task task; /* has a descriptor while it is connected */
	struct netvst_server *server;
	struct netvst_slot_status *status;
	struct nvpipe *pipe;
	struct netvst_pace pace;
	struct netvst_conn conn;
	enum netvst_slot_stage stage;
	uint32_t run;	    /* 0: none is asked for */
	bool run_seen;	    /* RT has been in it */
	int64_t run_ns;	    /* since when it is asked for */
	uint32_t run_block; /* longest block that it is meant for */
	bool first;	    /* no reply of this run has gone yet */
	bool waited;	    /* this reply was not there at once */
	int64_t put_ns;	    /* since when a reply is owed */
	bool any;	    /* a byte has come */
	bool inside;	    /* a block has begun and is not there yet */
	int64_t begun_ns;   /* the connection; then the block */
	int64_t heard_ns;   /* something came */
	int64_t unsent_ns;  /* since when replies are not taken; 0: they are */
	int64_t budget_ns;  /* when what was read may have been read; see fill() */
	int64_t silence_ns; /* when the next reply of silence may go */
	struct netvst_block block;
};

struct netvst_server {
	struct netvst_task task; /* the listener */
	struct netvst_server_conf conf;
	struct netvst_address address;
	struct netvst_server_status status;
	int64_t retry_ns;
	int64_t tokens_ns; /* connections that may be taken now, in time */
	int64_t tokens_at_ns;
	struct netvst_slot *slots;
};

int netvst_slot_init(struct netvst_slot *slot, struct netvst_server *server, struct nvpipe *pipe,
	struct netvst_slot_status *status);
void netvst_slot_fini(struct netvst_slot *slot);
/* fd becomes the slot's. */
void netvst_slot_open(struct netvst_slot *slot, int fd, const struct netvst_address *peer, int64_t now_ns);
void netvst_slot_close(struct netvst_slot *slot);
void netvst_server_say(struct netvst_server *server, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
