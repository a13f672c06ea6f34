/*
 * One configured box: finds it, sets it, lets it play, notices when it is gone.
 *
 * Ownership: the manager owns devices. Control thread only.
 */
#ifndef DAEMON_DEVICE_H
#define DAEMON_DEVICE_H

#include "daemon/hold.h"
#include "daemon/iface.h"
#include "daemon/levels.h"
#include "daemon/manager.h"

enum device_state {
	DEVICE_STOPPED,	    /* no audio server */
	DEVICE_UNSUPPORTED, /* its rate or period is none that a box takes, or the link has no room for it */
	DEVICE_NO_INTERFACE,
	DEVICE_LINK_DOWN,
	DEVICE_SEARCHING, /* sending, no valid reply yet or any more */
	DEVICE_ONLINE,
	DEVICE_TAKEN_OVER, /* another host plays it */
};

struct device {
	struct manager *manager;
	struct conf *conf_owner; /* conf is in it */
	const struct conf_device *conf;
	struct conf *
		next_owner; /* a box of another address: ours as soon as the old one has faded out; NULL: none */
	const struct conf_device *next;
	struct iface *iface;
	struct dac *dac;
	struct backend_group *group;
	uint8_t mac[ETHLINK_MAC_LEN];
	enum device_state state;
	enum admission admission;
	bool said_refused;
	bool running; /* what the engine was told */
	bool vacant;  /* has let go of its old box, and waits for the next one */
	bool leaving; /* no longer configured: goes when it has faded out */
	struct policy policy;
	bool policy_ok;
	struct dac_format format;	/* of the streams that it makes now; all zero: of none */
	uint32_t latency_frames;	/* as it was told to others last; 0: not known */
	float factor[ETHLINK_CHANNELS]; /* of the samples, as the engine was told */
	struct backend_volume shown;	/* in the graph */
	bool shown_known;
	uint32_t rate_hz;     /* what the box was last told */
	struct levels levels; /* in effect */
	struct overrides overrides;
	struct ethlink_settings want;
	uint8_t told_gain
		[ETHLINK_CHANNELS]; /* the gains of the last frame that it got while it did not play */
	uint64_t told_starts;	    /* streams that had begun then */
	bool marked;		    /* the box has taken its settings from a frame that was to set it */
	bool restarting;	    /* it has been reset in the middle of the stream: that begins anew */
	bool unsettled;	    /* restarting: the frame that makes it take its settings again is still to come */
	int64_t restart_ns; /* the last time */
	int64_t gain_changed_ns; /* since then the box may hold gains on their way */
	struct hold hold;
	int64_t next_probe_ns;
	int64_t last_probe_ns;
	int64_t last_good_ns; /* last reply with our settings; 0: none */
	int64_t searching_since_ns;
	bool said_silent;
	bool said_taken;
	uint64_t probes;
	uint64_t replies;
	uint64_t bad_replies; /* with other settings than ours */
};

#define device_log(d, level, fmt, ...)                                                                       \
	log_about(level, (d)->conf->name, (d)->conf->interface, "%s: " fmt, (d)->conf->name, ##__VA_ARGS__)

/* Its ports are there, or soon will be, from now on. 0 or -errno. */
int device_new(struct manager *m, struct conf *owner, const struct conf_device *conf, struct iface *iface,
	struct device **ret_device);
void device_free(struct device *d);

/* The configuration has changed. What can be changed while it plays is; another box is faded in after the old one. */
void device_configure(struct device *d, struct conf *owner, const struct conf_device *conf);
/* Rate, period or what streams are made of may be others than before. */
void device_format_changed(struct device *d);
/* Looks at everything, sends a probe if one is due, starts or stops the stream. */
void device_update(struct device *d, int64_t now);
/* The ports, once more, at a backend that is to replace the manager's. 0 or -errno. */
int device_add_ports(const struct device *d, struct backend *b, struct backend_group **ret_group);
/* From now on these are its ports; those before are gone. */
void device_set_ports(struct device *d, struct backend_group *group);
/* Tells the engine to stop; the fade takes a moment: see device_idle(). */
void device_park(struct device *d);
bool device_idle(const struct device *d);
/* The link is back, or a sign of the box was seen: it is asked at once. */
void device_seen(struct device *d, int64_t now);
/* An ETHlink frame with this box's MAC as source came in for this host. */
void device_received(struct device *d, const struct ethlink_frame *frame, size_t len, int64_t now);

/* --- device-levels.c --- */

/* All take effect at once and are kept. channel: 1..8, 0: all. 0, or -ECHRNG: no such channel. */
int device_set_mute(struct device *d, unsigned channel, bool mute);
/* Also -ERANGE: not a whole number of dB, or out of the box's range. */
int device_set_gain(struct device *d, unsigned channel, double gain_db);
/* bank: 1 (channels 1 to 4) or 2. 0, -ECHRNG, or -EOPNOTSUPP: this model has none. */
int device_set_phantom(struct device *d, unsigned bank, bool on);
/* Back to the configuration's values. */
void device_reset(struct device *d);
int device_gain_min_db(const struct device *d);
int device_gain_max_db(const struct device *d);

/* --- device-volume.c --- */

/* The volume was set in the graph: takes it over. */
void device_take_volume(struct device *d);
/* Has the graph show what is in effect, where it shows something else. */
void device_show_volume(struct device *d);

const char *device_state_to_string(enum device_state state);

#endif
