/*
 * The private control socket: D-Bus, peer to peer, on a socket in the runtime folder that only this user
 * may open.
 *
 * Ownership: the manager owns it. Control thread only.
 */
#ifndef DAEMON_BUS_H
#define DAEMON_BUS_H

struct bus;
struct manager;

/* Makes the folder if need be and listens. 0 or -errno; what failed is in the log. */
int bus_new(struct manager *m, struct bus **ret_bus);
/* Closes all connections and removes the socket. NULL is allowed. */
void bus_free(struct bus *bus);

#endif
