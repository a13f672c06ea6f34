/*
 * A network interface that boxes hang on: its link state, its ring, and the wire in the engine.
 *
 * Ownership: the manager owns interfaces. Control thread only.
 */
#ifndef DAEMON_IFACE_H
#define DAEMON_IFACE_H

#include "daemon/admission.h"
#include "daemon/manager.h"
#include "engine/policy.h"
#include "net/link.h"

struct iface {
	struct manager *manager;
	char name[IF_NAMESIZE];
	struct link_info link; /* ifindex 0: not there */
	struct admission_state admission;
	struct wire *wire;
	struct pktring *ring; /* the wire's; NULL: closed */
	int ring_ifindex;     /* what the ring is bound to */
	uint8_t ring_mac[6];
	uint8_t old_mac[6]; /* ring_mac of the ring before */
	bool ring_bypass;   /* what the ring was made with */
	int ring_priority;
	struct policy ring_policy; /* what the ring was made for */
	bool ring_threaded;	   /* a thread sends, so that the callback need not */
	bool ring_thread;	   /* there is one that could */
	unsigned ring_devices;
	sd_event_source *rx_source;
	struct watch *watch; /* beside the ring, and before there is one; NULL: none */
	sd_event_source *watch_source;
	int early_ifindex;    /* that was listened to before there was a ring */
	bool parking;	      /* the ring is to be replaced: devices fade out and stay quiet */
	uint32_t seen_dump;   /* the last dump that named it */
	bool dropping;	      /* the receive ring overran not long ago */
	int64_t next_open_ns; /* after a failure: not before */
	int said_error;	      /* the errno that is in the log already */
	bool said_missing;
	uint64_t frames_ignored; /* received, but wrong in length or of no box of ours */
	uint64_t rx_drops;	 /* frames that came too fast to be looked at */
};

#define iface_log(iface, level, fmt, ...)                                                                    \
	log_about(level, NULL, (iface)->name, "%s: " fmt, (iface)->name, ##__VA_ARGS__)

int iface_new(struct manager *m, const char *name, struct iface **ret_iface);
void iface_free(struct iface *iface);
struct iface *iface_find(struct manager *m, const char *name);

/* The link monitor's word about an interface. */
void iface_link_changed(struct iface *iface, const struct link_info *info);
/* It is not among the interfaces of this machine (any more). */
void iface_link_gone(struct iface *iface);
/* No device is on it. */
bool iface_unused(const struct iface *iface);
/* Opens, remakes or closes the ring as needed; devices on it are parked first. Call again from each tick. */
void iface_update(struct iface *iface, int64_t now);

#endif
