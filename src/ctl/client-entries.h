/*
 * The boxes or NetVST sections that a lasting connection knows, each with its object's path.
 *
 * Ownership: the caller embeds the list, zeroed, and ends it with client_entries_fini(). One thread.
 */
#ifndef CTL_CLIENT_ENTRIES_H
#define CTL_CLIENT_ENTRIES_H

#include "ctl/client-device.h"
#include "ctl/client-netvst.h"

/* A box, or a NetVST section: the other of both is empty. */
struct client_entry {
	char *path;
	struct client_device device;
	struct client_netvst netvst;
};

struct client_entries {
	struct client_entry **entries;
	unsigned n;
};

void client_entries_fini(struct client_entries *list);
/* NULL where there is none. */
struct client_entry *client_entries_find(const struct client_entries *list, const char *path);
/* Of which nothing is known yet. 0 or -ENOMEM. */
int client_entries_add(struct client_entries *list, const char *path);
void client_entries_remove(struct client_entries *list, unsigned i);

/*
 * Adds the NetVST sections in an answer to GetManagedObjects, in the order of their names. 0 or -errno, then some may be
 * there.
 */
int client_entries_read_netvst(sd_bus_message *m, struct client_entries *list);

/* list becomes what fresh is, which is empty then; those that were there before keep their meters. */
void client_entries_take_over(struct client_entries *list, struct client_entries *fresh);

#endif
