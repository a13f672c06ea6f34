/*
 * D-Bus: the daemon's objects on the private control socket, which speaks D-Bus peer to peer and which only this user may
 * open, and on the session or system bus where there is one. org.ethlinkd1(5) describes them.
 *
 * Ownership: the manager owns it. Control thread only.
 */
#ifndef DAEMON_BUS_H
#define DAEMON_BUS_H

struct bus;
struct device;
struct manager;
struct netvst;

/* Makes the folder if need be and listens; a bus that is not there is waited for. 0 or -errno; what failed is in the log. */
int bus_new(struct manager *m, struct bus **ret_bus);
/* Closes all connections and removes the socket. NULL is allowed. */
void bus_free(struct bus *bus);

/* What has changed of a device. */
enum bus_change {
	BUS_STATE = 1 << 0,
	BUS_LEVELS = 1 << 1, /* gain, mute, phantom and where they come from */
	BUS_LABELS = 1 << 2,
	BUS_LATENCY = 1 << 3,
	BUS_INTERFACE = 1 << 4, /* or the box itself */
	BUS_VOLUME = 1 << 5,	/* what becomes of the graph's volume */
	BUS_ALL = (1 << 6) - 1,
};

/* The same of a netvst section. */
enum bus_netvst_change {
	BUS_NETVST_STATE = 1 << 0,
	BUS_NETVST_LEVELS = 1 << 1,
	BUS_NETVST_LATENCY = 1 << 2,
	BUS_NETVST_PEER = 1 << 3,
	BUS_NETVST_ERROR = 1 << 4,
	BUS_NETVST_CONF = 1 << 5, /* role, dialect, codec, block, host, port */
	BUS_NETVST_ALL = (1 << 6) - 1,
};

/* Whoever is connected is told a moment later, once for many changes. bus may be NULL in all of these. */
void bus_device_changed(struct bus *bus, struct device *d, unsigned changes);
/* Of the manager: joined or not, rate, period. */
void bus_manager_changed(struct bus *bus);
/* Told at once. Before device_free(), and after the device is in the manager's list. */
void bus_device_added(struct bus *bus, struct device *d);
void bus_device_removed(struct bus *bus, struct device *d);
void bus_netvst_changed(struct bus *bus, struct netvst *nv, unsigned changes);
void bus_netvst_added(struct bus *bus, struct netvst *nv);
void bus_netvst_removed(struct bus *bus, struct netvst *nv);
/* The manager has another configuration: perhaps it names another bus. */
void bus_configure(struct bus *bus);

#endif
