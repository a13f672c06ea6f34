/*
 * Gain, mute, phantom power and volume of a device, and where each value comes from: the configuration, or somebody who set it
 * at run time.
 *
 * What was said last wins. A value set at run time holds until it is reset, or until the configuration says
 * something else about it than it did when the value was set.
 *
 * Plain values, no ownership. Control thread only.
 */
#ifndef DAEMON_LEVELS_H
#define DAEMON_LEVELS_H

#include "daemon/conf.h"

#define LEVELS_PHANTOMS 2
#define LEVELS_STRIPS 2

/* Whole values: everything that can be set. */
struct levels {
	int gain_db[ETHLINK_CHANNELS];
	bool mute[ETHLINK_CHANNELS];
	bool phantom[LEVELS_PHANTOMS];
};

/* What was set at run time; all zero: nothing. */
struct overrides {
	bool gain_set[ETHLINK_CHANNELS];
	bool mute_set[ETHLINK_CHANNELS];
	bool phantom_set[LEVELS_PHANTOMS];
	struct levels value; /* where set */
	struct levels conf;  /* where set: what the configuration said at that time */
	/* Set in the graph, and nothing that a box or the configuration could hold. */
	bool volume_set;
	float volume[ETHLINK_CHANNELS]; /* factors, 0 to 1 */
	bool volume_mute;
};

/* Of a [netvst] section, whose configuration has none: 0 is send (a server: reply), 1 is return (receive). All zero: plain. */
struct strips {
	int gain_db[LEVELS_STRIPS];
	bool mute[LEVELS_STRIPS];
};

bool strips_empty(const struct strips *strips);

void levels_from_conf(const struct conf_device *conf, struct levels *ret_levels);

/*
 * What is to be done: the configuration's values, and over them what was set at run time. Takes out of overrides
 * what the configuration has changed since, or says itself. True if it took anything out.
 */
bool levels_merge(const struct conf_device *conf, struct overrides *overrides, struct levels *ret_levels);

bool overrides_empty(const struct overrides *overrides);

/* 1 and not muted is the same as not set. */
void overrides_set_volume(struct overrides *overrides, const float volume[ETHLINK_CHANNELS], bool mute);
/* 1 where nothing is set. k: 0..7 */
float overrides_volume(const struct overrides *overrides, unsigned k);

#endif
