/*
 * An audio server as the daemon sees it: it calls process in each cycle on its realtime thread, and says on
 * the control thread what has changed.
 *
 * Ownership: backend_*_new() gives a backend to the caller, who frees it with backend_free(). Groups belong
 * to the backend and are valid until backend_remove_ports(), backend_close() or backend_free().
 * Threads: control, but for the process callback and functions marked _rt.
 */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include "base/audio.h"

#include <stdbool.h>
#include <stdint.h>

struct backend;
struct backend_group;

/* What may have changed since the last backend_dispatch(); bits. */
enum backend_change {
	BACKEND_CHANGED_PERIOD = 1 << 0,
	BACKEND_CHANGED_RATE = 1 << 1,
	BACKEND_CHANGED_XRUN = 1 << 2,
	BACKEND_CHANGED_GONE = 1 << 3,	/* the server has left; close and open again */
	BACKEND_CHANGED_PORTS = 1 << 4, /* ports came or went: connections may be possible now */
	BACKEND_CHANGED_FREEWHEEL = 1 << 5,
};

struct backend_callbacks {
	/* RT: one cycle. */
	void (*process_rt)(void *data, const struct audio_cycle *cycle);
	void *data;
};

/* The ports of one device. Strings are copied. */
struct backend_ports {
	const char *name;		     /* the ports are NAME/playback_1, … */
	bool playback;			     /* 8 inputs: graph to device */
	bool monitor;			     /* 8 outputs with the same audio */
	const char *labels[AUDIO_CHANNELS];  /* pretty names; NULL: none */
	const char *connect[AUDIO_CHANNELS]; /* ports to connect each channel to; NULL: none */
	uint32_t latency_frames;	     /* from the cycle's start until its first sample is heard */
	void *owner;			     /* handed to process in the cycle's groups */
};

struct backend_info {
	uint32_t rate_hz;
	uint32_t period_frames;
	uint64_t xruns;
	bool freewheel;
	int rt_priority; /* SCHED_FIFO priority of the realtime thread; 0: not realtime */
};

struct backend_ops {
	const char *name;
	int (*open)(struct backend *b);
	int (*add_ports)(
		struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group);
	void (*remove_ports)(struct backend *b, struct backend_group *group);
	void (*set_latency)(struct backend *b, struct backend_group *group, uint32_t latency_frames);
	int (*start)(struct backend *b);
	void (*stop)(struct backend *b);
	void (*close)(struct backend *b);
	void (*connect)(struct backend *b);
	int (*fd)(const struct backend *b);
	unsigned (*dispatch)(struct backend *b);
	void (*get_info)(const struct backend *b, struct backend_info *ret_info);
	const char *(*last_error)(const struct backend *b);
	void (*free)(struct backend *b);
};

/* The head of each kind of backend. */
struct backend {
	const struct backend_ops *ops;
	struct backend_callbacks callbacks;
};

/* Joins the server. 0; -ECONNREFUSED: there is no server (yet); another -errno: it would not have us. */
static inline int backend_open(struct backend *b)
{
	return b->ops->open(b);
}

/* 0 or -errno. Between open and close. */
static inline int backend_add_ports(
	struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group)
{
	return b->ops->add_ports(b, ports, ret_group);
}

/* On return RT does not see the group any more. */
static inline void backend_remove_ports(struct backend *b, struct backend_group *group)
{
	b->ops->remove_ports(b, group);
}

static inline void backend_set_latency(
	struct backend *b, struct backend_group *group, uint32_t latency_frames)
{
	b->ops->set_latency(b, group, latency_frames);
}

/* Callbacks begin. 0 or -errno. */
static inline int backend_start(struct backend *b)
{
	return b->ops->start(b);
}

/* On return no callback runs. */
static inline void backend_stop(struct backend *b)
{
	b->ops->stop(b);
}

/* Leaves the server; all groups are gone. Also after BACKEND_CHANGED_GONE. */
static inline void backend_close(struct backend *b)
{
	b->ops->close(b);
}

/* Makes the connections that were asked for and are not there. After start, and when ports have come. */
static inline void backend_connect(struct backend *b)
{
	b->ops->connect(b);
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

static inline void backend_get_info(const struct backend *b, struct backend_info *ret_info)
{
	b->ops->get_info(b, ret_info);
}

/* What the audio library said last, for a message that helps; never NULL, valid until the next call. */
static inline const char *backend_last_error(const struct backend *b)
{
	return b->ops->last_error(b);
}

/* Closes too. NULL is allowed. */
static inline void backend_free(struct backend *b)
{
	if (b) {
		b->ops->free(b);
	}
}

/* One JACK client for all devices. server: as in JACK_DEFAULT_SERVER; "default" for the default one. 0 or -errno. */
int backend_jack_new(const char *client_name, const char *server, const struct backend_callbacks *callbacks,
	struct backend **ret_backend);

/* For tests: cycles come when backend_null_cycle() is called, with the time that the caller says it is. 0 or -errno. */
int backend_null_new(uint32_t rate_hz, uint32_t period_frames, const struct backend_callbacks *callbacks,
	struct backend **ret_backend);
/* The buffers that the next cycles of this group see; NULL: silence. */
void backend_null_set_buffers(
	struct backend_group *group, const float *const in[AUDIO_CHANNELS], float *const out[AUDIO_CHANNELS]);
/* From now on cycles have this size and rate; posts the changes. */
void backend_null_set_format(struct backend *b, uint32_t rate_hz, uint32_t period_frames);
void backend_null_set_freewheel(struct backend *b, bool freewheel);
/* As if the server had reported an xrun. */
void backend_null_xrun(struct backend *b);
/* One cycle, on the caller's thread. */
void backend_null_cycle(struct backend *b, int64_t now_ns);

#endif
