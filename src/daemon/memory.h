/*
 * Memory that only the start needed, given back once all plays. Control thread only.
 */
#ifndef DAEMON_MEMORY_H
#define DAEMON_MEMORY_H

#include "daemon/manager.h"

/* The audio server has just been joined: when the boxes have answered and play, and once more some seconds later, memory is given back. */
void memory_joined(struct manager *m);

/*
 * Gives back, to the system, what malloc() holds without need, and the code of libraries that no realtime thread runs:
 * what is needed after all comes back by itself. pipewire: libpipewire is in use, so its code stays.
 */
void memory_release(bool pipewire);

#endif
