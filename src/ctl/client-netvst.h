/*
 * One NetVST section as the interface org.ethlinkd1.Netvst tells it. It has two strips, 0: send, what goes to the other
 * end, and 1: return, what comes from it. Each is stereo; a level is that of the louder channel.
 *
 * Ownership: the caller embeds the struct, zeroed, and ends it with client_netvst_fini(). One thread.
 */
#ifndef CTL_CLIENT_NETVST_H
#define CTL_CLIENT_NETVST_H

#include "ctl/prop.h"

#include <stdbool.h>
#include <stdint.h>

#define CLIENT_STRIPS 2
#define CLIENT_NETVST_GAIN_MIN_DB (-56)
#define CLIENT_NETVST_GAIN_MAX_DB 12
#define CLIENT_NETVST_HOLD_MS 2000

/* A string that the daemon has not told is NULL. */
struct client_netvst {
	char *name;
	char *role;
	char *state;
	char *dialect;
	char *codec;
	char *host;
	char *peer;
	char *error;
	unsigned port;
	unsigned block_frames;
	unsigned latency_frames;
	double gain_db[CLIENT_STRIPS];
	bool muted[CLIENT_STRIPS];

	/* Of the last signal Peaks, and of those before. */
	bool has_peaks;
	double peak_dbfs[CLIENT_STRIPS];
	double hold_dbfs[CLIENT_STRIPS];
	int64_t hold_ns[CLIENT_STRIPS]; /* when that was */
	uint64_t clips[CLIENT_STRIPS];	/* signals with a peak above full scale */
};

void client_netvst_init(struct client_netvst *netvst);
void client_netvst_fini(struct client_netvst *netvst);

/* Takes over the values that the list has; the others stay. 0 or -ENOMEM, then some may be taken. */
int client_netvst_apply(struct client_netvst *netvst, const struct prop_list *list);

/* Takes over the content of a signal Peaks that came at this time. 0 or -errno, then nothing is taken. */
int client_netvst_read_peaks(struct client_netvst *netvst, sd_bus_message *m, int64_t now);

/* What another has of the signals Peaks. */
void client_netvst_copy_peaks(struct client_netvst *netvst, const struct client_netvst *from);

#endif
