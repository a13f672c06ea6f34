#include "daemon/levels.h"

#include <string.h>

void levels_from_conf(const struct conf_device *conf, struct levels *ret_levels)
{
	memcpy(ret_levels->gain_db, conf->gain_db, sizeof(ret_levels->gain_db));
	memcpy(ret_levels->mute, conf->mute, sizeof(ret_levels->mute));
	memcpy(ret_levels->phantom, conf->phantom, sizeof(ret_levels->phantom));
}

/* *set: the value of that time counts, unless the configuration has since been changed, or says the same. */
static bool drop(bool *set, int now, int then, int value)
{
	if (*set && (now != then || now == value)) {
		*set = false;
		return true;
	}
	return false;
}

bool levels_merge(const struct conf_device *conf, struct overrides *overrides, struct levels *ret_levels)
{
	struct overrides *o = overrides;
	bool dropped = false;

	levels_from_conf(conf, ret_levels);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		dropped |= drop(&o->gain_set[k], conf->gain_db[k], o->conf.gain_db[k], o->value.gain_db[k]);
		dropped |= drop(&o->mute_set[k], conf->mute[k], o->conf.mute[k], o->value.mute[k]);
		if (o->gain_set[k]) {
			ret_levels->gain_db[k] = o->value.gain_db[k];
		}
		if (o->mute_set[k]) {
			ret_levels->mute[k] = o->value.mute[k];
		}
	}
	for (unsigned i = 0; i < LEVELS_PHANTOMS; i++) {
		dropped |=
			drop(&o->phantom_set[i], conf->phantom[i], o->conf.phantom[i], o->value.phantom[i]);
		if (o->phantom_set[i]) {
			ret_levels->phantom[i] = o->value.phantom[i];
		}
	}
	return dropped;
}

bool overrides_empty(const struct overrides *overrides)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		if (overrides->gain_set[k] || overrides->mute_set[k]) {
			return false;
		}
	}
	for (unsigned i = 0; i < LEVELS_PHANTOMS; i++) {
		if (overrides->phantom_set[i]) {
			return false;
		}
	}
	return !overrides->volume_set;
}

void overrides_set_volume(struct overrides *o, const float volume[ETHLINK_CHANNELS], bool mute)
{
	o->volume_set = mute;
	o->volume_mute = mute;
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		o->volume[k] = volume[k];
		o->volume_set = o->volume_set || volume[k] != 1.0f;
	}
}

float overrides_volume(const struct overrides *o, unsigned k)
{
	return o->volume_set ? o->volume[k] : 1.0f;
}

bool strips_empty(const struct strips *strips)
{
	for (unsigned k = 0; k < LEVELS_STRIPS; k++) {
		if (strips->gain_db[k] != 0 || strips->mute[k]) {
			return false;
		}
	}
	return true;
}
