/*
 * One configured box: finds it, sets it, lets it play, notices when it is gone.
 *
 * Ownership: the manager owns devices. Control thread only.
 */
#ifndef DAEMON_DEVICE_H
#define DAEMON_DEVICE_H

#include "daemon/iface.h"
#include "daemon/manager.h"

enum device_state {
	DEVICE_STOPPED,	    /* no audio server */
	DEVICE_UNSUPPORTED, /* its rate or period is none that a box takes */
	DEVICE_NO_INTERFACE,
	DEVICE_LINK_DOWN,
	DEVICE_SEARCHING, /* sending, no valid reply yet or any more */
	DEVICE_ONLINE,
};

struct device {
	struct manager *manager;
	const struct conf_device *conf;
	struct iface *iface;
	struct dac *dac;
	struct backend_group *group; /* NULL: no ports */
	uint8_t mac[ETHLINK_MAC_LEN];
	enum device_state state;
	bool running; /* what the engine was told */
	struct policy policy;
	bool policy_ok;
	uint32_t rate_hz; /* what the box was last told */
	struct ethlink_settings want;
	int64_t next_probe_ns;
	int64_t last_probe_ns;
	int64_t last_good_ns; /* last reply with our settings; 0: none */
	int64_t searching_since_ns;
	bool said_silent;
	uint64_t probes;
	uint64_t replies;
	uint64_t bad_replies;	      /* with other settings than ours */
};

int device_new(
	struct manager *m, const struct conf_device *conf, struct iface *iface, struct device **ret_device);
void device_free(struct device *d);

/* Registers or forgets the ports; the server was joined or has gone. 0 or -errno. */
int device_add_ports(struct device *d);
void device_ports_gone(struct device *d);

/* Rate, period or interface may be others than before. */
void device_format_changed(struct device *d);
/* Looks at everything, sends a probe if one is due, starts or stops the stream. */
void device_update(struct device *d, int64_t now);
/* Tells the engine to stop; the fade takes a moment: see device_idle(). */
void device_park(struct device *d);
bool device_idle(const struct device *d);
/* A frame with this box's MAC as source came in. */
void device_received(struct device *d, const struct ethlink_frame *frame, size_t len, int64_t now);

const char *device_state_to_string(enum device_state state);

#endif
