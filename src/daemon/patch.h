/*
 * The connections of our ports, written down in the runtime folder while the daemon runs: one that was killed and is
 * started again makes them anew. A clean end leaves nothing behind. Control thread only.
 */
#ifndef DAEMON_PATCH_H
#define DAEMON_PATCH_H

#include <stdint.h>

struct manager;

/* Reads what a daemon that did not end by itself has left. When ports are configured, before the server is joined. */
void patch_load(struct manager *m);
/* A connection was made or taken away. */
void patch_changed(struct manager *m);
/* From each tick: writes down what has changed, some moments later. */
void patch_save(struct manager *m, int64_t now);
/* The daemon ends. */
void patch_forget(struct manager *m);

#endif
