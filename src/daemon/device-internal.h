/*
 * What the parts of a device share: device.c has its life, device-conf.c what a reload does to it, device-levels.c what is set
 * at run time, device-volume.c what is set in the graph.
 */
#ifndef DAEMON_DEVICE_INTERNAL_H
#define DAEMON_DEVICE_INTERNAL_H

#include "daemon/device.h"

/* --- device.c --- */
struct backend_ports device_ports(const struct device *d);
/* What the box is to be told, from the configuration. */
void device_make_settings(struct device *d, uint32_t rate_hz);
/* Tells the engine what it shall do with this box from now on. */
void device_publish(struct device *d, bool run);

/* --- device-levels.c --- */
/* From the configuration, and over it what is kept from before. For a device that is new. */
void device_load_levels(struct device *d);
/* The same, after a change of either. */
void device_merge_levels(struct device *d);
/*
 * A box that plays nothing is told of its gains one channel at a time, too. Puts those whose turn it is not back to what
 * they were, and has another probe follow soon.
 */
void device_step_gains(struct device *d, struct ethlink_settings *settings, int64_t now);

/* k: 0..7. Take effect with device_levels_changed(). */
void device_override_gain(struct device *d, unsigned k, int gain_db);
void device_override_mute(struct device *d, unsigned k, bool mute);
/* What is wanted has changed: tells the engine, or the box itself where nothing plays, the graph, and the state file. */
void device_levels_changed(struct device *d);

/* --- device-volume.c --- */
/* Of the samples of channel k, 0..7: 0 to 1. */
float device_factor(const struct device *d, unsigned k);

/* --- device-conf.c --- */
/*
 * There is no room on the link for it yet; or a reload has given this box from one device to another: the one before must
 * have let go of it.
 */
bool device_must_wait(const struct device *d);
/* The old box has faded out: on to the next one, if that is free. */
void device_move(struct device *d);

#endif
