/*
 * What has been heard of a device's channels, for those who look at different times: a status that wants the peaks
 * since the last status, a signal that wants them since the last signal, and a hold over two seconds.
 *
 * The engine gives its peaks away once; whoever takes them feeds them in here.
 *
 * Plain values, no ownership. Control thread only.
 */
#ifndef DAEMON_METERS_H
#define DAEMON_METERS_H

#include "proto/ethlink.h"

#include <stdint.h>

#define METERS_SLOTS 20
#define METERS_SLOT_NS (100 * NSEC_PER_MSEC)

/* All zero: nothing heard yet. */
struct meters {
	float status_peak[ETHLINK_CHANNELS];
	float signal_peak[ETHLINK_CHANNELS];
	/* The hold: a ring of short stretches of time, each with its number. */
	float slot_peak[METERS_SLOTS][ETHLINK_CHANNELS];
	int64_t slot_number[METERS_SLOTS];
};

/* Largest |x| of each channel since the last feeding. */
void meters_feed(struct meters *m, const float peak[ETHLINK_CHANNELS], int64_t now_ns);
/* Largest since the last call. */
void meters_take_status(struct meters *m, float ret_peak[ETHLINK_CHANNELS]);
void meters_take_signal(struct meters *m, float ret_peak[ETHLINK_CHANNELS]);
/* Largest of the last two seconds. */
void meters_hold(const struct meters *m, int64_t now_ns, float ret_peak[ETHLINK_CHANNELS]);

/* |x| in dB below full scale; -inf for silence. */
double meters_dbfs(float peak);

#endif
