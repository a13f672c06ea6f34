/*
 * What the daemon says about itself, its boxes and its NetVST sections: read from the answer to GetStatus, written for a
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
	struct prop_list *netvst;
	unsigned n_netvst;
};

/*
 * m: the daemon (a{sv}), its devices and its NetVST sections (each aa{sv} or a(a{sv}); an older daemon has no sections).
 * 0 or -errno as prop_list_read(); nothing to end then.
 */
int status_read(sd_bus_message *m, struct status *ret_status);
void status_fini(struct status *status);

/* Which of the devices, or of the NetVST sections, has this name; -ENOENT: none. */
int status_find(const struct status *status, const char *name);
int status_find_netvst(const struct status *status, const char *name);

/* Leaves all devices and NetVST sections out but this one. */
void status_keep(struct status *status, unsigned i);
void status_keep_netvst(struct status *status, unsigned i);

/*
 * One object. The keys that this program knows come first, in a fixed order, null where the daemon did
 * not tell; those that it does not know follow.
 */
void status_print_json(const struct status *status, FILE *f);
/* One object with the NetVST sections alone. */
void status_print_netvst_json(const struct status *status, FILE *f);

/* Tables of 80 columns, and below each box or NetVST section that is not online what to do about it. */
void status_print_text(const struct status *status, FILE *f, bool colour);
/* The NetVST sections of that alone. */
void status_print_netvst_text(const struct status *status, FILE *f, bool colour);

/* All about one box, or one NetVST section, on one screen of 80 columns. */
void status_print_device(const struct status *status, unsigned i, FILE *f, bool colour);
void status_print_netvst(const struct status *status, unsigned i, FILE *f, bool colour);

#endif
