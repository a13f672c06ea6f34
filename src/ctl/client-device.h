/*
 * One box as the interface org.ethlinkd1.Device tells it.
 *
 * Ownership: the caller embeds the struct, zeroed, and ends it with client_device_fini(). One thread.
 */
#ifndef CTL_CLIENT_DEVICE_H
#define CTL_CLIENT_DEVICE_H

#include "ctl/prop.h"

#include <stdbool.h>
#include <stdint.h>

#define CLIENT_CHANNELS 8
#define CLIENT_BANKS 2

/* A string that the daemon has not told is NULL, a level that it has not told is as marked. */
struct client_device {
	char *name;
	char *model;
	char *mac;
	char *interface;
	char *state; /* as in the JSON of status */
	unsigned serial;
	unsigned latency_frames;
	double gain_db[CLIENT_CHANNELS]; /* 0 */
	double gain_min_db;		 /* -56 */
	double gain_max_db;		 /* 24 */
	bool muted[CLIENT_CHANNELS];
	bool gain_at_runtime[CLIENT_CHANNELS]; /* else from the configuration */
	bool mute_at_runtime[CLIENT_CHANNELS];
	bool phantom[CLIENT_BANKS];
	unsigned n_phantom;	       /* 0: the box has none */
	char *labels[CLIENT_CHANNELS]; /* NULL: none */

	/* Of the last signal Peaks. */
	bool has_peaks;
	double peak_dbfs[CLIENT_CHANNELS];
	double hold_dbfs[CLIENT_CHANNELS];
	uint64_t clips[CLIENT_CHANNELS];
};

void client_device_init(struct client_device *device);
void client_device_fini(struct client_device *device);

/* Takes over the values that the list has; the others stay. 0 or -ENOMEM, then some may be taken. */
int client_device_apply(struct client_device *device, const struct prop_list *list);

/* Takes over the content of a signal Peaks. 0 or -errno, then nothing is taken. */
int client_device_read_peaks(struct client_device *device, sd_bus_message *m);

#endif
