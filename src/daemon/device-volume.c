/*
 * The volume that the graph offers for a box as for any sound card, and what becomes of it: gains and mutes of the box,
 * factors for the samples, or nothing. What counts is kept with all else that is set at run time.
 */
#include "daemon/device-internal.h"

#include <math.h>
#include <string.h>

static bool all_muted(const struct device *d)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		if (!d->levels.mute[k]) {
			return false;
		}
	}
	return true;
}

/* The gain for a volume. Below half a step under the lowest there is only silence, of which a box has none but its mute. */
static int gain_of(const struct device *d, float volume, bool *ret_silent)
{
	const int min_db = device_gain_min_db(d);
	const int max_db = device_gain_max_db(d);
	double db = volume > 0 ? 20 * log10((double)volume) : -INFINITY;

	*ret_silent = db < min_db - 0.5;
	return (int)round(CLAMP(db, min_db, max_db));
}

static float volume_of(int gain_db)
{
	return (float)pow(10, gain_db / 20.0);
}

static bool is_silent(const struct device *d, unsigned k)
{
	return overrides_volume(&d->overrides, k) == 0 && d->levels.gain_db[k] == device_gain_min_db(d);
}

float device_factor(const struct device *d, unsigned k)
{
	switch (d->conf->volume) {
	case CONF_VOLUME_BOX:
		return is_silent(d, k) ? 0 : 1;
	case CONF_VOLUME_SOFTWARE:
		return d->overrides.volume_mute ? 0 : overrides_volume(&d->overrides, k);
	case CONF_VOLUME_IGNORE:
		break;
	}
	return 1;
}

/* --- from the graph --- */

static void take_for_box(struct device *d, const struct backend_volume *volume)
{
	float factor[ETHLINK_CHANNELS];

	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		bool silent;
		int gain_db = gain_of(d, volume->volume[k], &silent);

		factor[k] = silent ? 0 : 1;
		device_override_gain(d, k, gain_db);
	}
	overrides_set_volume(&d->overrides, factor, false);
	/* One switch for eight: as long as it stays where it is, some channels may be muted and others not. */
	for (unsigned k = 0; volume->mute != all_muted(d) && k < ETHLINK_CHANNELS; k++) {
		device_override_mute(d, k, volume->mute);
	}
	device_levels_changed(d);
}

static void take_for_software(struct device *d, const struct backend_volume *volume)
{
	float factor[ETHLINK_CHANNELS];

	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		factor[k] = CLAMP(volume->volume[k], 0.0f, 1.0f);
	}
	overrides_set_volume(&d->overrides, factor, volume->mute);
	device_levels_changed(d);
}

void device_take_volume(struct device *d)
{
	struct backend_volume volume;

	if (!backend_take_volume(d->manager->backend, d->group, &volume)) {
		return;
	}
	d->shown = volume;
	d->shown_known = true;
	switch (d->conf->volume) {
	case CONF_VOLUME_BOX:
		take_for_box(d, &volume);
		break;
	case CONF_VOLUME_SOFTWARE:
		take_for_software(d, &volume);
		break;
	case CONF_VOLUME_IGNORE:
		device_show_volume(d);
		break;
	}
}

/* --- to the graph --- */

/* A slider between two whole dB is left where it is. */
static float box_volume(const struct device *d, unsigned k)
{
	bool silent;
	int shown_db = gain_of(d, d->shown.volume[k], &silent);

	if (d->shown_known && shown_db == d->levels.gain_db[k] && silent == is_silent(d, k) &&
		d->shown.volume[k] >= 0 && d->shown.volume[k] <= volume_of(device_gain_max_db(d))) {
		return d->shown.volume[k];
	}
	return is_silent(d, k) ? 0 : volume_of(d->levels.gain_db[k]);
}

void device_show_volume(struct device *d)
{
	struct backend_volume want = {.mute = false};
	bool same;

	if (!d->group) {
		return;
	}
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		want.volume[k] = 1;
		if (d->conf->volume == CONF_VOLUME_BOX) {
			want.volume[k] = box_volume(d, k);
		} else if (d->conf->volume == CONF_VOLUME_SOFTWARE) {
			want.volume[k] = overrides_volume(&d->overrides, k);
		}
	}
	if (d->conf->volume == CONF_VOLUME_BOX) {
		want.mute = all_muted(d);
	} else if (d->conf->volume == CONF_VOLUME_SOFTWARE) {
		want.mute = d->overrides.volume_mute;
	}
	same = d->shown_known && want.mute == d->shown.mute &&
	       memcmp(want.volume, d->shown.volume, sizeof(want.volume)) == 0;
	d->shown = want;
	d->shown_known = true;
	if (!same) {
		backend_set_volume(d->manager->backend, d->group, &want);
	}
}
