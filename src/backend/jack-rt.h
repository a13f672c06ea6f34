/* What the realtime callback of the JACK backend works on; the rest of it is in jack-internal.h. */
#ifndef BACKEND_JACK_RT_H
#define BACKEND_JACK_RT_H

#include "backend/backend.h"
#include "base/util.h"

#include <jack/jack.h>
#include <stdatomic.h>

#define JACK_GROUPS_MAX 128
/* Of an insert's ports, those before this one are audio. */
#define JACK_INSERT_MIDI AUDIO_INSERT_CHANNELS
#define JACK_INSERT_PORTS (JACK_INSERT_MIDI + 1)
/* A port that was connected is asked once in so many cycles whether it still is. */
#define JACK_LOOK_CYCLES 64

/* The ports of a device or an insert as RT sees them. */
struct jack_rt_group {
	struct audio_group audio;
	struct audio_insert *insert; /* NULL: a device */
	_Atomic(jack_port_t *) in[AUDIO_CHANNELS];
	_Atomic(jack_port_t *) out[AUDIO_CHANNELS];
	/* RT's own. */
	uint32_t unconnected; /* bit k: nothing was connected to input k when that was looked at last */
	uint32_t look;	      /* counts cycles: when to look at the others */
};

/* The groups that RT goes through. Replaced as a whole, never changed. */
struct jack_table {
	struct jack_table *next; /* in the list of those to be freed */
	unsigned n_groups;	 /* devices */
	unsigned n_inserts;
	unsigned n_silent; /* inserts that are removed, whose ports are still there */
	struct jack_rt_group *groups[JACK_GROUPS_MAX];
	struct audio_group *audio[JACK_GROUPS_MAX];
	struct jack_rt_group *inserts[JACK_GROUPS_MAX];
	struct jack_rt_group *silent[JACK_GROUPS_MAX];
};

struct jack_rt {
	struct backend_callbacks callbacks;
	_Atomic(jack_client_t *) client; /* set before there are callbacks */
	bool sees_links; /* fixed: jack_port_connected() takes no lock in the callback */
	CACHELINE_ALIGNED _Atomic(struct jack_table *) table;
	_Atomic uint32_t rate_hz;
	_Atomic uint32_t xruns;
	_Atomic bool freewheel;
	CACHELINE_ALIGNED _Atomic uint64_t begun; /* RT writes: callbacks entered */
	_Atomic uint64_t ended;			  /* and left */
};

/*
 * libjack's realtime thread (jack_set_process_thread()); data is the jack_rt. In place of a process callback, because this way
 * there is a time in each cycle when the server and the programs behind us do not wait for us any more.
 */
void *jack_backend_thread_rt(void *data);

#endif
