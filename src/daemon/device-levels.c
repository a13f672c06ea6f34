#include "daemon/bus.h"
#include "daemon/device-internal.h"
#include "daemon/state.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* The next channel for a box that is told while nothing plays: as fast as it may be, and no faster. */
#define STEP_NS (2 * NSEC_PER_MSEC)

void device_load_levels(struct device *d)
{
	state_get(d->manager->state, d->conf->name, d->conf->model, &d->overrides);
	if (levels_merge(d->conf, &d->overrides, &d->levels)) {
		state_put(d->manager->state, d->conf->name, d->conf->model, &d->overrides);
		device_log(d, LOG_NOTICE,
			"the configuration has been changed since levels were set at run time; where it was, "
			"its "
			"values are taken");
	} else if (!overrides_empty(&d->overrides)) {
		device_log(d, LOG_INFO,
			"levels that were set at run time are in effect (ethlinkctl status %s "
			"shows them, ethlinkctl reset %s takes them back)",
			d->conf->name, d->conf->name);
	}
}

void device_merge_levels(struct device *d)
{
	if (levels_merge(d->conf, &d->overrides, &d->levels)) {
		state_put(d->manager->state, d->conf->name, d->conf->model, &d->overrides);
	}
	bus_device_changed(d->manager->bus, d, BUS_LEVELS);
	device_show_volume(d);
}

static bool factors_changed(const struct device *d)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		if (device_factor(d, k) != d->factor[k]) {
			return true;
		}
	}
	return false;
}

void device_levels_changed(struct device *d)
{
	struct ethlink_settings had = d->want;

	(void)levels_merge(d->conf, &d->overrides, &d->levels);
	state_put(d->manager->state, d->conf->name, d->conf->model, &d->overrides);
	bus_device_changed(d->manager->bus, d, BUS_LEVELS);
	device_show_volume(d);
	if (!d->policy_ok) {
		return; /* told when there is a rate again */
	}
	device_make_settings(d, d->rate_hz);
	if (ethlink_settings_equal(d->conf->model, &had, &d->want)) {
		if (factors_changed(d)) {
			device_publish(d, d->running);
		}
		return;
	}
	d->gain_changed_ns = now_ns();
	device_publish(d, d->running);
	if (d->state == DEVICE_ONLINE && device_idle(d)) {
		d->next_probe_ns = d->gain_changed_ns;
		manager_hurry(d->manager);
	}
}

void device_step_gains(struct device *d, struct ethlink_settings *settings, int64_t now)
{
	const struct dac_report *report = engine_dac_report(d->dac);
	uint64_t starts = atomic_load(&report->starts);
	uint64_t gains = atomic_load(&report->gain_now);
	unsigned changes = 0;

	/* Since the last probe it was told by the stream. */
	for (unsigned k = 0; starts != d->told_starts && k < ETHLINK_CHANNELS; k++) {
		d->told_gain[k] = (uint8_t)(gains >> (8 * k));
	}
	d->told_starts = starts;
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		if (d->told_gain[k] != d->want.gain[k] && changes++ > 0) {
			settings->gain[k] = d->told_gain[k];
		}
	}
	if (changes > 1) {
		d->next_probe_ns = now + STEP_NS;
		manager_hurry(d->manager);
	}
}

void device_override_gain(struct device *d, unsigned k, int gain_db)
{
	d->overrides.gain_set[k] = true;
	d->overrides.value.gain_db[k] = gain_db;
	d->overrides.conf.gain_db[k] = d->conf->gain_db[k];
}

void device_override_mute(struct device *d, unsigned k, bool mute)
{
	d->overrides.mute_set[k] = true;
	d->overrides.value.mute[k] = mute;
	d->overrides.conf.mute[k] = d->conf->mute[k];
}

/* A gain that is set is to be heard, also the lowest one. */
static void end_silence(struct device *d, unsigned k)
{
	float volume[ETHLINK_CHANNELS];

	if (d->conf->volume != CONF_VOLUME_BOX) {
		return;
	}
	for (unsigned i = 0; i < ETHLINK_CHANNELS; i++) {
		volume[i] = i == k ? 1.0f : overrides_volume(&d->overrides, i);
	}
	overrides_set_volume(&d->overrides, volume, false);
}

int device_set_gain(struct device *d, unsigned channel, double gain_db)
{
	if (channel > ETHLINK_CHANNELS) {
		return -ECHRNG;
	}
	/* Also for what is no number. */
	if (!(gain_db >= device_gain_min_db(d) && gain_db <= device_gain_max_db(d)) ||
		gain_db != round(gain_db)) {
		return -ERANGE;
	}
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		if (channel == 0 || channel == k + 1) {
			device_override_gain(d, k, (int)gain_db);
			end_silence(d, k);
		}
	}
	device_levels_changed(d);
	return 0;
}

int device_set_mute(struct device *d, unsigned channel, bool mute)
{
	if (channel > ETHLINK_CHANNELS) {
		return -ECHRNG;
	}
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		if (channel == 0 || channel == k + 1) {
			device_override_mute(d, k, mute);
		}
	}
	device_levels_changed(d);
	return 0;
}

int device_set_phantom(struct device *d, unsigned bank, bool on)
{
	if (d->conf->model != ETHLINK_ADC8) {
		return -EOPNOTSUPP;
	}
	if (bank < 1 || bank > LEVELS_PHANTOMS) {
		return -ECHRNG;
	}
	d->overrides.phantom_set[bank - 1] = true;
	d->overrides.value.phantom[bank - 1] = on;
	d->overrides.conf.phantom[bank - 1] = d->conf->phantom[bank - 1];
	device_levels_changed(d);
	return 0;
}

void device_reset(struct device *d)
{
	memset(&d->overrides, 0, sizeof(d->overrides));
	device_levels_changed(d);
}

int device_gain_min_db(const struct device *d)
{
	return d->conf->model == ETHLINK_DAC8 ? ETHLINK_DAC_GAIN_MIN_DB : ETHLINK_ADC_GAIN_MIN_DB;
}

int device_gain_max_db(const struct device *d)
{
	return d->conf->model == ETHLINK_DAC8 ? ETHLINK_DAC_GAIN_MAX_DB : ETHLINK_ADC_GAIN_MAX_DB;
}
