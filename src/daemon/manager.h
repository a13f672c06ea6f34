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
#include "engine/engine.h"

#include <systemd/sd-event.h>

struct bus;
struct device;
struct iface;
struct link_monitor;

struct manager {
	sd_event *event;
	struct conf *conf;
	struct engine *engine;
	struct backend *backend;
	struct link_monitor *links;
	struct bus *bus;
	struct iface **ifaces;
	unsigned n_ifaces;
	struct device **devices;
	unsigned n_devices;
	sd_event_source *tick;
	bool connected;		  /* joined to the audio server, callbacks run */
	bool stopping;		  /* fading out before the end */
	bool said_waiting;	  /* "waiting for the server" is in the log */
	struct backend_info info; /* valid while connected */
	int64_t next_open_ns;
	int64_t stop_until_ns;
	char *status_line; /* what systemd was told last */
};

/* 0 or -errno; what failed is in the log. conf is taken over even on failure. */
int manager_new(sd_event *event, struct conf *conf, struct manager **ret_manager);
void manager_free(struct manager *m);

/* Fades everything out, then ends the event loop with status 0. */
void manager_stop(struct manager *m);

/* Something is about to happen: look again in a few milliseconds, not at the next slow tick. */
void manager_hurry(struct manager *m);

#endif
