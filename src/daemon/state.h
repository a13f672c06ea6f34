/*
 * What was set at run time, kept over restarts in a file of the state folder. The configuration is never written.
 *
 * Ownership: the manager owns it. Control thread only; the file is written by a thread of its own, so that a slow disk
 * holds nothing up. Of all ethlinkds that have the same folder, the first one writes; the others read, and say so.
 */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include "daemon/levels.h"

#include <systemd/sd-event.h>

struct state;

/*
 * Reads the file. One that is damaged is set aside and said in the log; then nothing was set. 0, or -errno for what makes
 * it impossible to go on (memory, event loop): where the folder cannot be written to, that is said, and all goes on.
 */
int state_new(sd_event *event, struct state **ret_state);
/* Writes what is not written yet, and waits for that. NULL is allowed. */
void state_free(struct state *state);

/* What was set for the device of this name and model; all zero where there is nothing. state may be NULL. */
void state_get(const struct state *state, const char *name, enum ethlink_model model,
	struct overrides *ret_overrides);
/* Takes it down; it is written about a second later. state may be NULL. */
void state_put(
	struct state *state, const char *name, enum ethlink_model model, const struct overrides *overrides);

/* The same of a [netvst] section. */
void state_get_strips(const struct state *state, const char *name, struct strips *ret_strips);
void state_put_strips(struct state *state, const char *name, const struct strips *strips);

/* For tests: how long changes are gathered, and how long it takes until a write that failed is first tried again. */
void state_set_delay_ms(struct state *state, unsigned delay_ms);
/* For tests: how many changes have been made, and how many of them are known to be on the disk. */
uint64_t state_changes(const struct state *state);
uint64_t state_written(const struct state *state);

#endif
