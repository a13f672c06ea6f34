/* The inside of the JACK backend, shared by jack.c (control) and jack-rt.c (realtime). */
#ifndef BACKEND_JACK_RT_H
#define BACKEND_JACK_RT_H

#include "backend/backend.h"
#include "base/util.h"

#include <jack/jack.h>
#include <stdatomic.h>

#define JACK_GROUPS_MAX 64

struct backend_group {
	struct audio_group audio;
	jack_port_t *in[AUDIO_CHANNELS];
	jack_port_t *out[AUDIO_CHANNELS];
	char *connect[AUDIO_CHANNELS];
	_Atomic uint32_t latency_frames; /* read by libjack's thread */
};

/* The groups that RT goes through. Replaced as a whole, never changed. */
struct jack_table {
	unsigned n_groups;
	struct backend_group *groups[JACK_GROUPS_MAX];
	struct audio_group *audio[JACK_GROUPS_MAX];
};

struct jack_backend {
	struct backend base;
	jack_client_t *client; /* NULL: not open */
	_Atomic(struct jack_table *) table;
	_Atomic uint64_t cycles; /* RT: cycles ended */
	_Atomic uint32_t rate_hz;
	_Atomic uint32_t period_frames;
	_Atomic uint32_t xruns;
	_Atomic bool freewheel;
	_Atomic uint32_t changes; /* bits of enum backend_change not yet dispatched */
	bool started;
	_Atomic bool gone; /* the server has left: no call may wait for it */
	int fd;
	char client_name[64];
	char server[64];
};

int jack_backend_process_rt(jack_nframes_t nframes, void *data);

#endif
