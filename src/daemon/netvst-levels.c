#include "daemon/bus.h"
#include "daemon/netvst-internal.h"
#include "daemon/state.h"

#include <errno.h>
#include <math.h>
#include <string.h>

void netvst_load_levels(struct netvst *nv)
{
	state_get_strips(nv->manager->state, nv->conf->name, &nv->strips);
	if (!strips_empty(&nv->strips)) {
		netvst_log(nv, LOG_INFO,
			"levels that were set at run time are in effect (ethlinkctl netvst %s shows them, "
			"ethlinkctl "
			"netvst %s reset takes them back)",
			nv->conf->name, nv->conf->name);
	}
}

static float factor_of(const struct netvst *nv, unsigned strip)
{
	if (nv->phase != NETVST_WORKING || nv->strips.mute[strip]) {
		return 0;
	}
	return nv->strips.gain_db[strip] == 0 ? 1 : (float)pow(10, nv->strips.gain_db[strip] / 20.0);
}

void netvst_apply_levels(struct netvst *nv)
{
	for (unsigned i = 0; i < nv->n_parts; i++) {
		if (nv->parts[i].insert) {
			insert_set_gains(nv->parts[i].insert, factor_of(nv, 0), factor_of(nv, 1));
		}
	}
}

static void levels_changed(struct netvst *nv)
{
	state_put_strips(nv->manager->state, nv->conf->name, &nv->strips);
	netvst_apply_levels(nv);
	bus_netvst_changed(nv->manager->bus, nv, BUS_NETVST_LEVELS);
}

int netvst_set_gain(struct netvst *nv, unsigned strip, double gain_db)
{
	if (strip > LEVELS_STRIPS) {
		return -ECHRNG;
	}
	/* Also for what is no number. */
	if (!(gain_db >= NETVST_GAIN_MIN_DB && gain_db <= NETVST_GAIN_MAX_DB) || gain_db != round(gain_db)) {
		return -ERANGE;
	}
	for (unsigned k = 0; k < LEVELS_STRIPS; k++) {
		if (strip == 0 || strip == k + 1) {
			nv->strips.gain_db[k] = (int)gain_db;
		}
	}
	levels_changed(nv);
	return 0;
}

int netvst_set_mute(struct netvst *nv, unsigned strip, bool mute)
{
	if (strip > LEVELS_STRIPS) {
		return -ECHRNG;
	}
	for (unsigned k = 0; k < LEVELS_STRIPS; k++) {
		if (strip == 0 || strip == k + 1) {
			nv->strips.mute[k] = mute;
		}
	}
	levels_changed(nv);
	return 0;
}

void netvst_reset(struct netvst *nv)
{
	memset(&nv->strips, 0, sizeof(nv->strips));
	levels_changed(nv);
}

int netvst_set_param(struct netvst *nv, unsigned effect, unsigned param, double value)
{
	if (nv->conf->role != CONF_ROLE_CLIENT || nv->conf->dialect != NETVST_AUDIOKIT) {
		return -EOPNOTSUPP;
	}
	if (effect > UINT16_MAX || param > UINT16_MAX) {
		return -ERANGE;
	}
	if (!isfinite((float)value)) {
		return -EDOM;
	}
	return nv->client
		       ? netvst_client_set_param(nv->client, (uint16_t)effect, (uint16_t)param, (float)value)
		       : -ENOTCONN;
}
