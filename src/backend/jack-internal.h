/*
 * The inside of the JACK backend: jack.c (what the control thread calls), jack-work.c (the thread that speaks
 * to the server), jack-ports.c (ports and their metadata), jack-links.c (connections), jack-latency.c (latency ranges),
 * jack-rt.c (the callback).
 *
 * libjack may hang wherever the server does, so only the worker calls it. The two threads share what is
 * marked "lock"; the lock is never held while libjack works, and RT never takes it. What libjack's threads
 * call takes locks with jack_guarded_lock(), and allocates only in a guard.
 */
#ifndef BACKEND_JACK_INTERNAL_H
#define BACKEND_JACK_INTERNAL_H

#include "backend/jack-rt.h"

#include <pthread.h>

#define JACK_NAMES_MAX 64
#define JACK_ERROR_MAX 256

/* What the worker has to look at; bits of jack_backend.todo. */
enum jack_todo {
	JACK_TODO_GROUPS = 1 << 0,  /* groups were added, changed or removed */
	JACK_TODO_LATENCY = 1 << 1, /* a latency is another */
	JACK_TODO_PORTS = 1 << 2,   /* ports came or went, ours or others' */
	JACK_TODO_LINKS = 1 << 3,   /* connections of our ports changed */
};

enum jack_link_state {
	JACK_LINK_MADE,
	JACK_LINK_PENDING, /* to be made when the other port is there */
	JACK_LINK_LOST,	   /* was there a moment ago: perhaps the server is going down */
};

struct jack_link {
	struct jack_link *next;
	enum jack_link_state state;
	int64_t lost_ns;
	unsigned tries; /* that failed since the other port came */
	char other[];
};

/* One port of ours, there or not. */
struct jack_channel {
	char *name;    /* fixed, without the client; NULL: there is no such port in this group */
	bool want;     /* lock */
	char *label;   /* lock; NULL: none */
	char *connect; /* lock; NULL: none */
	bool connect_done; /* lock; made since the other port came; if it is gone now, the user has taken it away */
	unsigned connect_tries;	 /* worker: that failed since the other port came */
	struct jack_link *links; /* lock */
	char *told_label;	 /* worker: what stands in the metadata because of us */
};

struct backend_group {
	struct jack_rt_group rt;
	struct jack_channel in[AUDIO_CHANNELS]; /* of an insert JACK_INSERT_PORTS */
	struct jack_channel out[AUDIO_CHANNELS];
	bool through;			 /* lock; an insert: see struct backend_insert_ports */
	bool removed;			 /* lock; the worker frees it */
	bool told;			 /* worker: its ports are registered */
	_Atomic uint32_t latency_frames; /* read by libjack's thread */
};

struct jack_backend {
	struct backend base;
	struct jack_rt rt;
	int fd;			  /* eventfd: changes are to be dispatched */
	_Atomic uint32_t changes; /* bits of enum backend_change not yet dispatched */
	_Atomic uint32_t period_frames;
	char why[JACK_ERROR_MAX]; /* guarded by a lock of its own, in jack.c */
	_Atomic bool gone;	  /* the server has left: no call may wait for it */
	_Atomic pid_t gone_tid;	  /* libjack's thread that said so */

	pthread_mutex_t lock;
	pthread_cond_t wake; /* of the worker */
	pthread_t thread;
	/* lock */
	bool want; /* joined; cleared when the worker has left, until the next backend_start() */
	bool run;  /* callbacks may begin */
	bool quit;
	unsigned todo;
	enum backend_state state;
	int error;
	int rt_priority;
	const char *call; /* that the worker is in */
	int64_t call_ns;
	char client_name[JACK_NAMES_MAX];
	char server[JACK_NAMES_MAX];
	struct backend_group *groups[JACK_GROUPS_MAX];
	unsigned n_groups;
	struct jack_table *old_tables; /* RT may still look at them */

	/* the worker's */
	jack_client_t *client; /* NULL: not open */
	bool active;
	bool links_again; /* a connection was refused for now */
	bool no_ports; /* the last try to join ended while ports were made: before READY nobody hears of the next */
};

/* --- jack.c --- */
/*
 * Around what libjack's threads do with a lock. jack_client_close() ends these threads with pthread_cancel(), and
 * because their cancel type is asynchronous, at whatever instruction they are. A lock that one of them holds then, ours
 * or that of malloc(), is never given back, and closing itself is the first to wait for it. So nothing may end a thread
 * from before it takes the lock until it has given it back. Any thread may call them, and inside one another.
 *
 * To disable cancellation is not enough: where the signal of a cancellation is already on its way, glibc's handler
 * (seen with 2.36) looks at the type alone. And to defer it is not enough where libjack sleeps below us.
 */
struct jack_guard {
	int state, type; /* from before */
};
void jack_guard_begin(struct jack_guard *ret_guard);
/* A cancellation that came meanwhile ends the thread here. */
void jack_guard_end(const struct jack_guard *guard);
void jack_guarded_lock(pthread_mutex_t *lock, struct jack_guard *ret_guard);
void jack_guarded_unlock(pthread_mutex_t *lock, const struct jack_guard *guard);

void jack_post(struct jack_backend *j, unsigned changes);
/* Gives the worker something to look at. Any thread but RT; takes the lock. */
void jack_wake(struct jack_backend *j, unsigned todo);
/* With the lock held. Makes RT see the groups that have ports; with not even memory for that, none. */
void jack_set_table(struct jack_backend *j);
/* Any thread, RT as well: does not wait. */
void jack_keep_error(const char *text);
/* Makes the last error the reason that the caller gets to know. */
void jack_take_error(struct jack_backend *j);

/* --- jack-work.c: the worker --- */
void *jack_work(void *data);
/* Group number i, or NULL behind the last. The worker alone takes groups out, so for it they stay valid without the lock. */
struct backend_group *jack_group(struct jack_backend *j, unsigned i);
/* Around each call of libjack that may wait for the server; without the lock. */
void jack_call_begin(struct jack_backend *j, const char *name);
void jack_call_end(struct jack_backend *j);
/*
 * Waits until no callback runs that began before now; then whatever was taken from RT before can be freed.
 * False where a callback does not end: then nothing may be freed.
 */
bool jack_wait_rt(struct jack_backend *j);
/* Waits for the end of a callback that begins after now; false where none comes. */
bool jack_wait_cycle(struct jack_backend *j);

/* --- jack-ports.c: the worker --- */
/* Brings the server's ports to what the groups want; frees those that are removed. 0 or -EIO. */
int jack_ports_update(struct jack_backend *j);
/* Takes all ports away, before the client is closed; with gone set only forgets them. */
void jack_ports_forget(struct jack_backend *j);
/* Frees a group that has no ports. */
void jack_group_free(struct backend_group *group);

/* --- jack-latency.c --- */
/* JACK's latency callback, on libjack's thread; data: struct jack_backend. */
void jack_latency(jack_latency_callback_mode_t mode, void *data);

/* --- jack-links.c --- */
/* The worker: writes down what is connected, and connects what is to be. */
void jack_links_update(struct jack_backend *j);
/* The worker: the server is lost; what was connected is to be made again. */
void jack_links_lost(struct jack_backend *j);
/* With the lock held: a port of this name came. */
void jack_links_appeared(struct jack_backend *j, const char *name);
/* With the lock held. 0 or -ENOMEM. */
int jack_link_add(struct jack_channel *channel, const char *other, enum jack_link_state state);
void jack_links_free(struct jack_channel *channel);

#endif
