/*
 * An audio server as the daemon sees it: it calls process in each cycle on its realtime thread, and tells
 * the control thread what has changed.
 *
 * The server may be slow, hang or be away: no call here waits for it. What is asked for (groups of ports,
 * their latency, connections) is kept and carried out when the server is there, on a thread of the backend's.
 * The life of a connection to the server:
 *
 *   OFF -- start --> WAITING --> (OPEN -->) READY -- run --> JOINED --> LEAVING --> OFF
 *
 * OPEN: the server has let us in, and the ports are being made, which takes a while; it may end in WAITING again, and is
 * left out where ports are made in no time. READY: the server has let us in and the ports are there; the caller gets ready for callbacks and calls
 * backend_run(). LEAVING: the server has gone or backend_stop() was called, and callbacks may still run; OFF: none runs.
 *
 * Ownership: backend_*_new() gives a backend to the caller, who frees it with backend_free(). Groups belong
 * to the backend and are valid until backend_remove_ports() or backend_free(), whatever the server does.
 * Threads: control, but for the process callback and functions marked _rt.
 */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include "base/audio.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backend;
struct backend_group;

enum backend_state {
	BACKEND_OFF,
	BACKEND_WAITING, /* for the server */
	BACKEND_OPEN,
	BACKEND_READY,
	BACKEND_JOINED, /* callbacks run */
	BACKEND_LEAVING,
};

/* What may have changed since the last backend_dispatch(); bits. */
enum backend_change {
	BACKEND_CHANGED_PERIOD = 1 << 0,
	BACKEND_CHANGED_RATE = 1 << 1,
	BACKEND_CHANGED_XRUN = 1 << 2,
	BACKEND_CHANGED_STATE = 1 << 3,
	BACKEND_CHANGED_LINKS = 1 << 4, /* connections of our ports */
	BACKEND_CHANGED_FREEWHEEL = 1 << 5,
	BACKEND_CHANGED_VOLUME = 1 << 6, /* somebody has set a group's volume in the graph */
};

struct backend_callbacks {
	/* RT: one cycle. */
	void (*process_rt)(void *data, const struct audio_cycle *cycle);
	void *data;
	/* RT: after each process_rt, once the graph can go on without us: for what nobody waits for; NULL: there is nothing. */
	void (*finish_rt)(void *data);
	/* RT: an insert's turn in this cycle, before process_rt of the devices; NULL: there are no inserts. */
	void (*insert_rt)(void *data, const struct audio_cycle *cycle, struct audio_insert *insert);
};

/* What an insert has instead of a device's ports: NAME/send_1, …; here without NAME/. */
struct backend_insert_ports {
	const char *in[AUDIO_INSERT_CHANNELS];	/* graph to insert; NULL: no such port */
	const char *out[AUDIO_INSERT_CHANNELS]; /* insert to graph */
	const char *midi_in;			/* NULL: none */
	const char *midi_out;
	const char *connect_in[AUDIO_INSERT_CHANNELS]; /* ports to connect them to; NULL: none */
	const char *connect_out[AUDIO_INSERT_CHANNELS];
	/*
	 * True: what comes out is what went in, latency_frames later. False: the two have nothing to do with each other;
	 * what comes out is latency_frames old, and what goes in is heard so much later.
	 */
	bool through;
};

/* The ports of one device, or of an insert. Strings are copied. */
struct backend_ports {
	const char *name;		       /* the ports are NAME/playback_1, … */
	bool playback;			       /* 8 inputs: graph to device */
	bool monitor;			       /* 8 outputs with the same audio */
	const char *labels[AUDIO_CHANNELS];    /* pretty names; NULL: none */
	const char *connect[AUDIO_CHANNELS];   /* ports to connect each channel to; NULL: none */
	uint32_t latency_frames;	       /* from the cycle's start until its first sample is heard */
	const char *description;	       /* for people; NULL: the name */
	const char *positions[AUDIO_CHANNELS]; /* of the loudspeakers: FL, AUX0, …; NULL: AUX0 to AUX7 */
	bool preferred;			       /* what plays anything may choose this device by itself */
	void *owner;			       /* handed to process in the cycle's groups */
	const struct backend_insert_ports
		*insert; /* not NULL: an insert; then of the above only name, labels of the
						      first ports, latency_frames, description and owner count */
};

/* What the graph offers as a sound card's volume: linear, 1 is 0 dB; 0 and above. */
struct backend_volume {
	float volume[AUDIO_CHANNELS];
	bool mute; /* of the whole device */
};

struct backend_info {
	enum backend_state state;
	uint32_t rate_hz; /* valid in OPEN, READY and JOINED */
	uint32_t period_frames;
	uint64_t xruns;
	bool freewheel;
	int rt_priority; /* SCHED_FIFO priority of the realtime thread; 0: not realtime */
	int error; /* WAITING: why the last try failed. -ECONNREFUSED: there is no server; 0: none yet */
	uint64_t cycles;	/* callbacks that have ended */
	bool in_cycle;		/* a callback runs right now */
	const char *stuck_call; /* what the server has not come back from; NULL: nothing */
	int64_t stuck_ns;	/* for so long */
	bool varying; /* the period may be another in each cycle; period_frames is that of a moment ago */
	bool better;  /* a server to be preferred is there: backend_stop(), and the next start joins it */
};

/* A connection: our port's name without the client, the other's with it. */
typedef void (*backend_link_fn)(void *data, const char *port, const char *other);

struct backend_ops {
	const char *(*kind)(const struct backend *b);
	void (*describe)(const struct backend *b, char *ret_text, size_t size);
	int (*add_ports)(
		struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group);
	int (*change_ports)(
		struct backend *b, struct backend_group *group, const struct backend_ports *ports);
	void (*remove_ports)(struct backend *b, struct backend_group *group);
	void (*set_latency)(struct backend *b, struct backend_group *group, uint32_t latency_frames);
	void (*start)(struct backend *b);
	void (*run)(struct backend *b);
	void (*stop)(struct backend *b);
	void (*get_links)(struct backend *b, backend_link_fn fn, void *data);
	void (*add_link)(struct backend *b, const char *port, const char *other);
	bool (*take_volume)(
		struct backend *b, struct backend_group *group, struct backend_volume *ret_volume);
	void (*set_volume)(
		struct backend *b, struct backend_group *group, const struct backend_volume *volume);
	int (*fd)(const struct backend *b);
	unsigned (*dispatch)(struct backend *b);
	void (*get_info)(struct backend *b, struct backend_info *ret_info);
	const char *(*last_error)(const struct backend *b);
	void (*free)(struct backend *b);
};

/* The head of each kind of backend. */
struct backend {
	const struct backend_ops *ops;
	struct backend_callbacks callbacks;
};

/* "jack", "pipewire" or "null": the server that is joined or waited for; "auto": neither yet. */
static inline const char *backend_kind(const struct backend *b)
{
	return b->ops->kind(b);
}

/* The server in words, as in "joined %s": JACK server "default". */
static inline void backend_describe(const struct backend *b, char *ret_text, size_t size)
{
	b->ops->describe(b, ret_text, size);
}

/* The ports are there from the next joining on, or soon. 0 or -errno (-ENOSPC: too many). */
static inline int backend_add_ports(
	struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group)
{
	return b->ops->add_ports(b, ports, ret_group);
}

/* Other labels, connections or monitor ports; name, owner, playback, and the names of an insert's ports stay. 0 or -ENOMEM (all stays). */
static inline int backend_change_ports(
	struct backend *b, struct backend_group *group, const struct backend_ports *ports)
{
	return b->ops->change_ports(b, group, ports);
}

/* A cycle that begins after this call does not see the group any more; one that runs already may. */
static inline void backend_remove_ports(struct backend *b, struct backend_group *group)
{
	b->ops->remove_ports(b, group);
}

static inline void backend_set_latency(
	struct backend *b, struct backend_group *group, uint32_t latency_frames)
{
	b->ops->set_latency(b, group, latency_frames);
}

/* In OFF: joins the server, now or when it is there. */
static inline void backend_start(struct backend *b)
{
	b->ops->start(b);
}

/* In READY: callbacks may begin. */
static inline void backend_run(struct backend *b)
{
	b->ops->run(b);
}

/* Leaves the server, or gives up waiting for it. Done when the state is OFF. */
static inline void backend_stop(struct backend *b)
{
	b->ops->stop(b);
}

/*
 * All connections of our ports as they are; without a server, those that there were and that will be made
 * again when it is back.
 */
static inline void backend_get_links(struct backend *b, backend_link_fn fn, void *data)
{
	b->ops->get_links(b, fn, data);
}

/* Makes this connection as soon as both ports are there, once. For a port that is none of ours nothing happens. */
static inline void backend_add_link(struct backend *b, const char *port, const char *other)
{
	b->ops->add_link(b, port, other);
}

/* What was set in the graph since the last call. False: nothing, or this kind of graph has no volumes. */
static inline bool backend_take_volume(
	struct backend *b, struct backend_group *group, struct backend_volume *ret_volume)
{
	return b->ops->take_volume && b->ops->take_volume(b, group, ret_volume);
}

/* What the graph is to show, now and after each joining. Nothing comes back of it as a change. */
static inline void backend_set_volume(
	struct backend *b, struct backend_group *group, const struct backend_volume *volume)
{
	if (b->ops->set_volume) {
		b->ops->set_volume(b, group, volume);
	}
}

/* To poll for changes; the same for the life of the backend. */
static inline int backend_fd(const struct backend *b)
{
	return b->ops->fd(b);
}

/* What has changed since the last call: bits of enum backend_change. */
static inline unsigned backend_dispatch(struct backend *b)
{
	return b->ops->dispatch(b);
}

static inline void backend_get_info(struct backend *b, struct backend_info *ret_info)
{
	b->ops->get_info(b, ret_info);
}

/* What the audio library said last, for a message that helps; never NULL, valid until the next call. */
static inline const char *backend_last_error(const struct backend *b)
{
	return b->ops->last_error(b);
}

/* Only in OFF: otherwise a callback could still run, and a server that hangs would hold up the caller. NULL is allowed. */
static inline void backend_free(struct backend *b)
{
	if (b) {
		b->ops->free(b);
	}
}

/* One JACK client for all devices. server: as in JACK_DEFAULT_SERVER; "default" for the default one. 0 or -errno. */
int backend_jack_new(const char *client_name, const char *server, const struct backend_callbacks *callbacks,
	struct backend **ret_backend);
/* Another server or another name, from the next joining on. */
void backend_jack_set_names(struct backend *b, const char *client_name, const char *server);
/* The libjack that was loaded is PipeWire's own (pw-jack): its server is PipeWire. Asks nobody. */
bool backend_jack_is_pipewire(void);

/*
 * One PipeWire node for each group, named CLIENT_NAME.NAME. backend_dispatch() runs its loop. 0 or -errno.
 */
int backend_pipewire_new(
	const char *client_name, const struct backend_callbacks *callbacks, struct backend **ret_backend);
/* Another name, from the next joining on. */
void backend_pipewire_set_name(struct backend *b, const char *client_name);

/*
 * Both of these: the first where its server runs, else the second; owns both from then on, also on failure. first's
 * server coming while second is joined shows as info.better. When the server that was joined goes, OFF says no more than
 * that no callback runs; for backend_free() it must have come of backend_stop(). 0 or -errno.
 */
int backend_auto_new(struct backend *first, struct backend *second, struct backend **ret_backend);

/* For tests: cycles come when backend_null_cycle() is called, with the time that the caller says it is. 0 or -errno. */
int backend_null_new(uint32_t rate_hz, uint32_t period_frames, const struct backend_callbacks *callbacks,
	struct backend **ret_backend);
/* The buffers that the next cycles of this group see; NULL: silence. */
void backend_null_set_buffers(
	struct backend_group *group, const float *const in[AUDIO_CHANNELS], float *const out[AUDIO_CHANNELS]);
/* The same for an insert. */
void backend_null_set_insert_buffers(struct backend_group *group,
	const float *const in[AUDIO_INSERT_CHANNELS], float *const out[AUDIO_INSERT_CHANNELS]);
/* What comes from the graph in the next cycle, and in none after that; those beyond AUDIO_MIDI_MAX are lost. Copied. */
void backend_null_set_midi_in(struct backend_group *group, const struct audio_midi *events, unsigned n);
/* What the insert gave in the last cycle; valid until the next one. */
const struct audio_midi *backend_null_midi_out(const struct backend_group *group, unsigned *ret_n);
/* At the start of the next cycle; while it rolls, each cycle takes it on. */
void backend_null_set_transport(struct backend *b, bool rolling, uint64_t frame);
/* From now on cycles have this size and rate; posts the changes. */
void backend_null_set_format(struct backend *b, uint32_t rate_hz, uint32_t period_frames);
void backend_null_set_freewheel(struct backend *b, bool freewheel);
/* As if the server had reported an xrun. */
void backend_null_xrun(struct backend *b);
/* One cycle, on the caller's thread. */
void backend_null_cycle(struct backend *b, int64_t now_ns);

#endif
