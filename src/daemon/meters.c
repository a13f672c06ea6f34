#include "daemon/meters.h"

#include "base/util.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void raise_to(float peak[ETHLINK_CHANNELS], const float other[ETHLINK_CHANNELS])
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		peak[k] = MAX(peak[k], other[k]);
	}
}

static void take(float peak[ETHLINK_CHANNELS], float ret_peak[ETHLINK_CHANNELS])
{
	memcpy(ret_peak, peak, ETHLINK_CHANNELS * sizeof(peak[0]));
	memset(peak, 0, ETHLINK_CHANNELS * sizeof(peak[0]));
}

void meters_feed(struct meters *m, const float peak[ETHLINK_CHANNELS], int64_t now_ns)
{
	int64_t number = now_ns / METERS_SLOT_NS;
	unsigned i = (unsigned)(number % METERS_SLOTS);

	if (m->slot_number[i] != number) {
		m->slot_number[i] = number;
		memset(m->slot_peak[i], 0, sizeof(m->slot_peak[i]));
	}
	raise_to(m->slot_peak[i], peak);
	raise_to(m->status_peak, peak);
	raise_to(m->signal_peak, peak);
}

void meters_take_status(struct meters *m, float ret_peak[ETHLINK_CHANNELS])
{
	take(m->status_peak, ret_peak);
}

void meters_take_signal(struct meters *m, float ret_peak[ETHLINK_CHANNELS])
{
	take(m->signal_peak, ret_peak);
}

void meters_hold(const struct meters *m, int64_t now_ns, float ret_peak[ETHLINK_CHANNELS])
{
	int64_t number = now_ns / METERS_SLOT_NS;

	memset(ret_peak, 0, ETHLINK_CHANNELS * sizeof(ret_peak[0]));
	for (unsigned i = 0; i < METERS_SLOTS; i++) {
		if (m->slot_number[i] > number - METERS_SLOTS) {
			raise_to(ret_peak, m->slot_peak[i]);
		}
	}
}

double meters_dbfs(float peak)
{
	return 20.0 * log10((double)(isinf(peak) ? FLT_MAX : peak));
}
