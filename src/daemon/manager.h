/*
 * The daemon's centre: ties configuration, interfaces, boxes, engine and audio server together.
 *
 * Ownership: manager_new() gives the manager to main, which frees it with manager_free(). The
 * configuration is the manager's from then on. Control thread only.
 */
#ifndef DAEMON_MANAGER_H
#define DAEMON_MANAGER_H

#include "backend/backend.h"
#include "daemon/conf.h"
#include "daemon/source.h"
#include "engine/engine.h"

#include <systemd/sd-event.h>

/* While one configuration replaces another, devices and interfaces of both are there. */
#define MANAGER_DEVICES_MAX (2 * CONF_DEVICES_MAX)
#define MANAGER_NETVSTS_MAX (2 * CONF_NETVSTS_MAX)
#define MANAGER_ROLES 2

struct bus;
struct device;
struct iface;
struct link_monitor;
struct netvst;
struct netvst_io;
struct state;

/* What has been seen of the realtime thread, for the watchdog. */
struct health {
	int64_t watchdog_ns; /* systemd wants to hear from us in less than this; 0: it does not */
	int64_t fed_ns;
	uint64_t fed_cycles;
	uint64_t cycles;   /* callbacks that had ended when it was looked last */
	int64_t cycles_ns; /* when that number last grew */
	bool said_stuck;   /* that the server hangs is in the log */
	bool stalled;	   /* joined, but not called for more than a second */
	bool left;	   /* it hung for so long that it was left */
};

struct manager {
	sd_event *event;
	struct source source;
	struct conf *conf;
	struct engine *engine;
	struct backend *backend;
	struct backend *jack;		/* it, or the part of it that is JACK; NULL: none. Not ours to free */
	struct backend *pipewire;	/* the same */
	enum conf_backend backend_conf; /* what backend was made for */
	sd_event_source *backend_source;
	struct link_monitor *links;
	struct bus *bus;
	struct state *state;
	struct iface *ifaces[MANAGER_DEVICES_MAX];
	unsigned n_ifaces;
	struct device *devices[MANAGER_DEVICES_MAX];
	unsigned n_devices;
	struct netvst *netvsts[MANAGER_NETVSTS_MAX];
	unsigned n_netvsts;
	struct netvst_io *ios[MANAGER_ROLES]; /* by enum conf_role; NULL: there has been no such section */
	int io_priority[MANAGER_ROLES];	      /* that they were told */
	sd_event_source *tick;
	sd_event_source *release; /* of memory, some time after joining; NULL: never joined */
	bool released;		  /* some of it, since joining */
	bool system_service;	  /* of the system's systemd, not in a user's session */
	bool running;		  /* callbacks may come */
	bool connected;		  /* joined to the audio server, callbacks run */
	uint32_t
		early_rate_hz; /* not joined yet, but let in: boxes are looked for with this; 0: not let in */
	uint32_t early_period_frames;
	bool stopping;		  /* fading out before the end */
	bool rejoin;		  /* fading out before the audio server is left for another */
	bool said_waiting;	  /* "waiting for the server" is in the log */
	bool said_unsupported;	  /* that the server's format is none that boxes take */
	int64_t said_period_ns;	  /* when its period was last said; 0: not since it was joined */
	bool faded;		  /* stopping, and nothing is sent any more */
	struct backend_info info; /* rate and period are valid while connected, or let in */
	struct health health;
	int64_t stop_until_ns;
	int64_t links_save_ns; /* when to write the connections down; 0: nothing to write */
	char *status_line;     /* what systemd was told last */
};

/* 0 or -errno; what failed is in the log. conf is taken over even on failure. */
int manager_new(sd_event *event, const struct source *source, struct conf *conf, bool system_service,
	struct manager **ret_manager);
/* Only when manager_is_off(). */
void manager_free(struct manager *m);
/* The audio server has let go of us: no callback runs, or will. */
bool manager_is_off(struct manager *m);

/* Where it is not: takes away what others see of us; nothing can be freed. */
void manager_abandon(struct manager *m);

/* Tells systemd that we serve. */
void manager_ready(struct manager *m);
/* Fades everything out, leaves the audio server, then ends the event loop with status 0. */
void manager_stop(struct manager *m);

/* Joined, or let in: a box can be told at which rate it is to play. */
static inline bool manager_knows_format(const struct manager *m)
{
	return m->connected || m->early_rate_hz != 0;
}

/* Something is about to happen: look again in a few milliseconds, not at the next slow tick. */
void manager_hurry(struct manager *m);

/* --- reload.c --- */

/*
 * Reads the configuration anew. If anything in it is wrong, nothing changes; errors are logged and told to error
 * (may be NULL), each with its file and line. 0 or -errno.
 */
int manager_reload(struct manager *m, conf_error_fn error, void *data);
/* Makes devices, netvst sections and interfaces what this configuration says. The first one, or another; takes it over. */
int manager_configure(struct manager *m, struct conf *conf);
/* The interface of this name, made if there is none yet. 0 or -errno. */
int manager_get_iface(struct manager *m, const char *name, struct iface **ret_iface);
/* Frees what has faded out and is no longer configured. */
void manager_sweep(struct manager *m);

/* --- health.c --- */

void health_init(struct health *h);
/* From each tick: feeds the watchdog, and leaves a server that hangs. */
void health_check(struct manager *m, int64_t now);
/* Tells systemd, if it is news, what plays. */
void health_say_status(struct manager *m);

#endif
