#include "ctl/client-netvst.h"

#include "base/util.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void client_netvst_init(struct client_netvst *netvst)
{
	*netvst = (struct client_netvst){0};
	for (unsigned k = 0; k < CLIENT_STRIPS; k++) {
		netvst->peak_dbfs[k] = -INFINITY;
		netvst->hold_dbfs[k] = -INFINITY;
	}
}

void client_netvst_fini(struct client_netvst *netvst)
{
	free(netvst->name);
	free(netvst->role);
	free(netvst->state);
	free(netvst->dialect);
	free(netvst->codec);
	free(netvst->host);
	free(netvst->peer);
	free(netvst->error);
	*netvst = (struct client_netvst){0};
}

static int take_string(char **s, const struct prop_list *list, const char *name)
{
	const char *value = prop_string(list, name, NULL);
	char *copy;

	if (!value) {
		return 0;
	}
	copy = strdup(value);
	if (!copy) {
		return -ENOMEM;
	}
	free(*s);
	*s = copy;
	return 0;
}

int client_netvst_apply(struct client_netvst *netvst, const struct prop_list *list)
{
	int r;

	if ((r = take_string(&netvst->name, list, "Name")) < 0 ||
		(r = take_string(&netvst->role, list, "Role")) < 0 ||
		(r = take_string(&netvst->state, list, "State")) < 0 ||
		(r = take_string(&netvst->dialect, list, "Dialect")) < 0 ||
		(r = take_string(&netvst->codec, list, "Codec")) < 0 ||
		(r = take_string(&netvst->host, list, "Host")) < 0 ||
		(r = take_string(&netvst->peer, list, "Peer")) < 0 ||
		(r = take_string(&netvst->error, list, "Error")) < 0) {
		return r;
	}
	netvst->port = (unsigned)prop_unsigned(list, "Port", netvst->port);
	netvst->block_frames = (unsigned)prop_unsigned(list, "Block", netvst->block_frames);
	netvst->latency_frames = (unsigned)prop_unsigned(list, "LatencyFrames", netvst->latency_frames);
	for (unsigned k = 0; k < CLIENT_STRIPS; k++) {
		netvst->gain_db[k] = prop_number_at(list, "GainDb", k, netvst->gain_db[k]);
		netvst->muted[k] = prop_bool_at(list, "Muted", k, netvst->muted[k]);
	}
	return 0;
}

/* The louder channel of those that come next in m. 0 or -errno. */
static int read_peak(sd_bus_message *m, double *ret_dbfs)
{
	const void *data;
	size_t size;
	int r = sd_bus_message_read_array(m, 'd', &data, &size);

	*ret_dbfs = -INFINITY;
	for (size_t i = 0; r >= 0 && i < size / sizeof(double); i++) {
		*ret_dbfs = fmax(*ret_dbfs, ((const double *)data)[i]);
	}
	return r;
}

int client_netvst_read_peaks(struct client_netvst *netvst, sd_bus_message *m, int64_t now)
{
	double dbfs[CLIENT_STRIPS];
	int r;

	if ((r = read_peak(m, &dbfs[0])) < 0 || (r = read_peak(m, &dbfs[1])) < 0) {
		return r;
	}
	for (unsigned k = 0; k < CLIENT_STRIPS; k++) {
		netvst->peak_dbfs[k] = dbfs[k];
		netvst->clips[k] += dbfs[k] > 0;
		if (!(dbfs[k] < netvst->hold_dbfs[k]) ||
			now - netvst->hold_ns[k] >= CLIENT_NETVST_HOLD_MS * NSEC_PER_MSEC) {
			netvst->hold_dbfs[k] = dbfs[k];
			netvst->hold_ns[k] = now;
		}
	}
	netvst->has_peaks = true;
	return 0;
}

void client_netvst_copy_peaks(struct client_netvst *netvst, const struct client_netvst *from)
{
	netvst->has_peaks = from->has_peaks;
	memcpy(netvst->peak_dbfs, from->peak_dbfs, sizeof(netvst->peak_dbfs));
	memcpy(netvst->hold_dbfs, from->hold_dbfs, sizeof(netvst->hold_dbfs));
	memcpy(netvst->hold_ns, from->hold_ns, sizeof(netvst->hold_ns));
	memcpy(netvst->clips, from->clips, sizeof(netvst->clips));
}
