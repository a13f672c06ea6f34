/*
 * The parts of the bus: bus.c (what the daemon calls, and what is told when), bus-socket.c (the private socket and its
 * connections), bus-names.c (session or system bus), bus-manager.c, bus-device.c, bus-netvst.c, bus-status.c,
 * bus-netvst-status.c and bus-telemetry.c (the objects), bus-append.c (values in messages).
 *
 * Ownership: struct bus owns all that is in it. Control thread only.
 */
#ifndef DAEMON_BUS_INTERNAL_H
#define DAEMON_BUS_INTERNAL_H

#include "daemon/bus.h"
#include "daemon/device.h"
#include "daemon/manager.h"
#include "daemon/meters.h"
#include "daemon/netvst.h"

#include <stddef.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#define BUS_NAME "org.ethlinkd1"
#define BUS_OBJECT "/org/ethlinkd1"
#define BUS_DEVICES "/org/ethlinkd1/device"
#define BUS_NETVSTS "/org/ethlinkd1/netvst"
#define BUS_MANAGER_INTERFACE "org.ethlinkd1.Manager"
#define BUS_DEVICE_INTERFACE "org.ethlinkd1.Device"
#define BUS_NETVST_INTERFACE "org.ethlinkd1.Netvst"
#define BUS_ERROR_CONFIGURATION "org.ethlinkd1.Error.Configuration"

/* Calls wait until all that has to do with audio is done, however many there are. */
#define BUS_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 50)

#define BUS_PEERS_MAX 32
#define BUS_SUBSCRIBERS_MAX 64
/* Messages that wait for one who does not read. Kernel buffers hold some hundred more. */
#define BUS_PEER_QUEUE_MAX 256
#define BUS_NAMED_QUEUE_MAX 4096

/* A device as others see it. */
struct bus_device {
	struct bus *bus;
	struct device *device;
	unsigned changes; /* enum bus_change, not told yet */
	struct meters meters;
};

/* A netvst section. Of its meters' channels 0 and 1 are the send, 2 and 3 the return. */
struct bus_netvst {
	struct bus *bus;
	struct netvst *netvst;
	unsigned changes;			/* enum bus_netvst_change, not told yet */
	struct meters meters[NETVST_SLOTS_MAX]; /* of each part */
};

/* A connection to the private socket. */
struct bus_peer {
	struct bus *bus;
	sd_bus *sd;	 /* NULL: free */
	uint64_t number; /* the order in which they came */
	bool subscribed;
	sd_event_source *begin; /* looks once at what came along with the authentication */
};

/* A program on the session or system bus that wants Peaks. */
struct bus_subscriber {
	struct bus *bus;
	char *name;	    /* its unique one */
	sd_bus_slot *gone;  /* listens for its end */
	sd_bus_slot *there; /* asks whether it is still there */
};

struct bus {
	struct manager *manager;
	struct bus_device *devices[MANAGER_DEVICES_MAX];
	unsigned n_devices;
	struct bus_netvst *netvsts[MANAGER_NETVSTS_MAX];
	unsigned n_netvsts;
	bool manager_changed;
	sd_event_source *flush; /* tells what has changed */
	int64_t flushed_ns;
	sd_event_source *meter; /* NULL: nobody has subscribed */

	int lock_fd;
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	sd_event_source *listen;
	struct bus_peer peers[BUS_PEERS_MAX];
	uint64_t n_peers_ever;

	sd_bus *named; /* session or system bus; NULL: not connected */
	enum conf_bus named_kind;
	bool named_up;	/* it has taken our name, or has it queued */
	bool said_away; /* why not is in the log */
	sd_event_source *retry;
	struct bus_subscriber *subscribers[BUS_SUBSCRIBERS_MAX];
	unsigned n_subscribers;
};

/* --- bus.c --- */

/* Puts all objects on a connection that was started, and has the event loop run it. 0 or -errno. */
int bus_serve(struct bus *bus, sd_bus *sd);
/* Somebody has subscribed, or does no longer want Peaks. */
void bus_subscribers_changed(struct bus *bus);
/* NULL: none (any more). */
struct bus_device *bus_device_of(struct bus *bus, const struct device *d);
/* The object's path, for the caller to free; NULL: out of memory. */
char *bus_device_path(const struct device *d);
/* Object number i's path, for free(); NULL without memory. */
typedef char *(*bus_path_fn)(const struct bus *bus, unsigned i);
/* The paths of n objects, as sd-bus wants them of who enumerates. 0 or -ENOMEM. */
int bus_make_nodes(const struct bus *bus, unsigned n, bus_path_fn path, char ***ret_nodes);
/* Takes the engine's peaks over into the meters. */
void bus_device_listen(struct bus_device *bd, int64_t now);

/* Has what changed told soon. */
void bus_flush_soon(struct bus *bus);
/* Tells everybody that an object is there, or is no longer. path: freed; NULL: nothing is told. */
void bus_emit_object(struct bus *bus, char *path, bool added);

/* --- bus-netvst.c --- */

int bus_netvst_add(struct bus *bus, struct netvst *nv);
struct bus_netvst *bus_netvst_of(struct bus *bus, const struct netvst *nv);
/* The objects on a connection. 0 or -errno. */
int bus_netvst_serve(struct bus *bus, sd_bus *sd);
/* Takes the inserts' peaks over into the meters. */
void bus_netvst_listen(struct bus_netvst *bn, int64_t now);
/* What was heard before is not news. */
void bus_netvst_forget_peaks(struct bus_netvst *bn, int64_t now);
int bus_netvst_emit_changed(sd_bus *sd, const struct bus_netvst *bn);
/* To each of n connections. */
void bus_netvst_tell_peaks(struct bus_netvst *bn, sd_bus *const *all, unsigned n, int64_t now);

/* --- bus-netvst-status.c --- */

/* An array of dictionaries, one a section. */
int bus_append_netvsts(sd_bus_message *m, struct bus *bus);
struct bus_netvst_counts {
	uint64_t connects;
	uint64_t late_blocks;
	uint64_t bytes_sent;
	uint64_t bytes_received;
	double compression_ratio; /* NaN: none */
};
void bus_netvst_count(const struct netvst *nv, struct bus_netvst_counts *ret_counts);
/* As an a{sd}: median, p90, p99, max in microseconds; empty before there is any. */
int bus_append_rtt(sd_bus_message *m, const struct netvst *nv);
/* The peer of a client; of a server, those of its slots, separated by a comma. */
void bus_netvst_peer(const struct netvst *nv, char *ret_text, size_t size);
const char *bus_netvst_error(const struct netvst *nv);

/* --- bus-socket.c --- */

int bus_socket_open(struct bus *bus);
void bus_socket_close(struct bus *bus);
/* Drops those that do not read what they get. */
void bus_socket_sweep(struct bus *bus);
void bus_socket_subscribe(struct bus *bus, sd_bus *sd, bool on);

/* --- bus-names.c --- */

/* Connects, now or when there is a bus; again, where the configuration names another one. */
void bus_names_update(struct bus *bus);
void bus_names_close(struct bus *bus);
/* Lets go of a bus that does not read. */
void bus_names_sweep(struct bus *bus);
/* 0, -ENOSPC: too many, or another -errno. */
int bus_names_subscribe(struct bus *bus, const char *sender);
void bus_names_unsubscribe(struct bus *bus, const char *sender);

/* --- bus-manager.c, bus-device.c --- */

extern const sd_bus_vtable bus_manager_vtable[]; /* of a struct bus */
extern const sd_bus_vtable bus_device_vtable[];	 /* of a struct bus_device */

int bus_device_emit_changed(sd_bus *sd, const struct bus_device *bd);
int bus_device_emit_peaks(sd_bus *sd, const struct bus_device *bd, const double peak_dbfs[ETHLINK_CHANNELS],
	const double hold_dbfs[ETHLINK_CHANNELS], const uint64_t clips[ETHLINK_CHANNELS]);
int bus_manager_emit_changed(sd_bus *sd);

/* --- bus-status.c, bus-telemetry.c --- */

int bus_on_get_status(sd_bus_message *call, void *data, sd_bus_error *error);
int bus_on_get_telemetry(sd_bus_message *call, void *data, sd_bus_error *error);
/* While connected; otherwise all zero. */
void bus_server_info(const struct manager *m, struct backend_info *ret_info);

/* The counters of a device; the names in status and as properties. */
struct bus_counter {
	const char *key;
	const char *property; /* NULL: in the status only */
	uint64_t value;
};
#define BUS_COUNTERS 12
void bus_device_counters(const struct device *d, struct bus_counter ret_counters[BUS_COUNTERS]);
void bus_format_mac(const uint8_t mac[ETHLINK_MAC_LEN], char ret_text[ETHLINK_MAC_SIZE]);
/* What the status and the properties say alike. "config" or "runtime"; eight, and none that is NULL. */
void bus_gain_origins(const struct device *d, const char *ret_origin[ETHLINK_CHANNELS]);
void bus_mute_origins(const struct device *d, const char *ret_origin[ETHLINK_CHANNELS]);
void bus_labels(const struct device *d, const char *ret_label[ETHLINK_CHANNELS]);
/* 0 for a model that has no phantom power. */
unsigned bus_n_phantoms(const struct device *d);

/* --- bus-append.c: all return 0 or more, or -errno --- */

/* An entry {sv} of basic types. */
int bus_append_sv(sd_bus_message *m, const char *key, const char *type, ...);
/* A dictionary's entry whose value is built in between: opens it, and closes it; r: how that went. */
int bus_begin_sv(sd_bus_message *m, const char *key, const char *type);
int bus_end_sv(sd_bus_message *m, int r);
/* Arrays of n. */
int bus_append_doubles(sd_bus_message *m, const double *items, unsigned n);
int bus_append_ints(sd_bus_message *m, const int32_t *items, unsigned n);
int bus_append_counts(sd_bus_message *m, const uint64_t *items, unsigned n);
int bus_append_bools(sd_bus_message *m, const bool *items, unsigned n);
int bus_append_strings(sd_bus_message *m, const char *const *items, unsigned n);
/* The same as entries {sv}. */
int bus_append_sv_doubles(sd_bus_message *m, const char *key, const double *items, unsigned n);
int bus_append_sv_ints(sd_bus_message *m, const char *key, const int32_t *items, unsigned n);
int bus_append_sv_counts(sd_bus_message *m, const char *key, const uint64_t *items, unsigned n);
int bus_append_sv_bools(sd_bus_message *m, const char *key, const bool *items, unsigned n);
int bus_append_sv_strings(sd_bus_message *m, const char *key, const char *const *items, unsigned n);

#endif
