/*
 * What the daemon says about itself and its boxes: read from the answer to GetStatus, written for a
 * program (JSON) or for a person. Whether the stream took it all is for the caller to look at.
 *
 * Ownership: the caller embeds the struct and ends it with status_fini(). One thread.
 */
#ifndef CTL_STATUS_H
#define CTL_STATUS_H

#include "ctl/prop.h"

#include <stdio.h>

struct status {
	struct prop_list daemon;
	struct prop_list *devices;
	unsigned n_devices;
};

/*
 * m: a{sv}aa{sv} or a{sv}a(a{sv}), the daemon and its devices. 0 or -errno as prop_list_read(); nothing
 * to end then.
 */
int status_read(sd_bus_message *m, struct status *ret_status);
void status_fini(struct status *status);

/* Which of the devices has this name; -ENOENT: none. */
int status_find(const struct status *status, const char *name);

/* Leaves all devices out but one. */
void status_keep(struct status *status, unsigned i);

/*
 * One object. The keys that this program knows come first, in a fixed order, null where the daemon did
 * not tell; those that it does not know follow.
 */
void status_print_json(const struct status *status, FILE *f);

/* A table of 80 columns, and below each box that is not online what to do about it. */
void status_print_text(const struct status *status, FILE *f, bool colour);

/* All about one box, on one screen of 80 columns. */
void status_print_device(const struct status *status, unsigned i, FILE *f, bool colour);

#endif
