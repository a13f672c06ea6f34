#include "daemon/admission.h"

#include "base/util.h"
#include "daemon/bus.h"
#include "daemon/device.h"
#include "daemon/iface.h"
#include "daemon/manager.h"

#include <stdio.h>
#include <string.h>

/* A cable that is changed shows at once; a driver may change its mind without a word. Some take milliseconds to answer. */
#define LOOK_NS (2 * NSEC_PER_SEC)
/* From here on other traffic on the link makes frames late. */
#define BUSY_PERCENT 90
#define BPS_PER_MBIT 1000000
/* To this rate halving is no advice any more. */
#define LOW_RATE_HZ 48000
#define WAYS 2

/* --- the arithmetic --- */

uint64_t admission_box_bps(uint32_t rate_hz)
{
	return (uint64_t)rate_hz * (ETHLINK_FRAME_LEN + LINK_OVERHEAD_LEN) * 8 / ETHLINK_BLOCK_FRAMES;
}

double admission_mbit(const struct admission_link *link, unsigned boxes)
{
	return (double)(boxes * link->box_bps) / BPS_PER_MBIT;
}

static unsigned way_of(const struct admission_box *box, const struct admission_link *link)
{
	return box->to_host && !link->half_duplex;
}

static bool fits(const struct admission_link *link, unsigned boxes)
{
	return link->limit_bps == 0 || boxes * link->box_bps <= link->limit_bps;
}

/* Those that have room, of the ones that were admitted before or of the others; the rest is refused. */
static void take(struct admission_box *boxes, unsigned n, const struct admission_link *link,
	const bool before[], bool which, unsigned used[WAYS])
{
	for (unsigned i = 0; i < n; i++) {
		unsigned *way = &used[way_of(&boxes[i], link)];

		if (boxes[i].leaving || before[i] != which) {
			continue;
		}
		boxes[i].is = fits(link, *way + 1) ? ADMISSION_ADMIT : ADMISSION_REFUSE;
		*way += boxes[i].is == ADMISSION_ADMIT;
	}
}

void admission_judge(struct admission_box *boxes, unsigned n, const struct admission_link *link,
	struct admission_sum *ret_sum)
{
	unsigned needed[WAYS] = {0}, used[WAYS] = {0}, fading[WAYS] = {0};
	bool before[MANAGER_DEVICES_MAX] = {false};

	for (unsigned i = 0; i < n; i++) {
		before[i] = boxes[i].is == ADMISSION_ADMIT;
		needed[way_of(&boxes[i], link)] += !boxes[i].leaving;
	}
	take(boxes, n, link, before, true, used);
	take(boxes, n, link, before, false, used);
	for (unsigned i = 0; i < n; i++) {
		fading[way_of(&boxes[i], link)] +=
			boxes[i].streaming && (boxes[i].leaving || boxes[i].is != ADMISSION_ADMIT);
	}
	/* Who is new does not begin before there is room also for those that fade out. */
	for (unsigned i = 0; i < n; i++) {
		unsigned way = way_of(&boxes[i], link);

		if (!boxes[i].leaving && !boxes[i].streaming && !before[i] &&
			boxes[i].is == ADMISSION_ADMIT && !fits(link, used[way] + fading[way])) {
			boxes[i].is = ADMISSION_WAIT;
		}
	}
	ret_sum->needed = MAX(needed[0], needed[1]);
	ret_sum->admitted = MAX(used[0], used[1]);
}

/* --- interfaces --- */

static bool is_on(const struct device *d, const struct iface *iface)
{
	return d->iface == iface && d->policy_ok && !d->vacant;
}

/* A link that is away keeps the speed that it had: one that comes back the same is no news. */
static void look(struct iface *iface, int64_t now)
{
	struct admission_state *s = &iface->admission;
	struct link_speed speed;

	if (!iface->link.carrier || now < s->next_look_ns) {
		return;
	}
	s->next_look_ns = now + LOOK_NS;
	link_monitor_speed(iface->manager->links, iface->name, &speed);
	if (speed.mbit == s->speed.mbit && speed.half_duplex == s->speed.half_duplex) {
		return;
	}
	s->speed = speed;
	/* On another link everything begins anew, in the order of the configuration. */
	for (unsigned i = 0; i < iface->manager->n_devices; i++) {
		if (iface->manager->devices[i]->iface == iface) {
			iface->manager->devices[i]->admission = ADMISSION_WAIT;
		}
	}
}

static struct admission_link link_of(const struct iface *iface)
{
	const struct manager *m = iface->manager;
	const struct link_speed *speed = &iface->admission.speed;
	uint64_t mbit = m->conf->bandwidth_mbit > 0			 ? (uint64_t)m->conf->bandwidth_mbit
			: m->conf->bandwidth_mbit == CONF_BANDWIDTH_AUTO ? speed->mbit
									 : 0;

	return (struct admission_link){
		.box_bps = admission_box_bps(m->info.rate_hz),
		.limit_bps = mbit * BPS_PER_MBIT,
		.half_duplex = speed->half_duplex,
	};
}

static const char *boxes_word(unsigned n)
{
	return n == 1 ? "box" : "boxes";
}

static void explain(const struct device *d, char ret_text[ADMISSION_TEXT_MAX])
{
	const struct admission_state *s = &d->iface->admission;
	bool configured = d->manager->conf->bandwidth_mbit > 0;
	char bound[64];

	snprintf(bound, sizeof(bound),
		configured ? "bandwidth in [daemon] allows %s" : "the link of %s carries", d->iface->name);
	snprintf(ret_text, ADMISSION_TEXT_MAX,
		"box does not fit: %u %s x %.3f Mbit/s = %.1f Mbit/s, %s %.0f Mbit/s; take %sanother "
		"interface, or %s bandwidth in [daemon]",
		s->sum.needed, boxes_word(s->sum.needed), admission_mbit(&s->link, 1),
		admission_mbit(&s->link, s->sum.needed), bound, (double)s->link.limit_bps / BPS_PER_MBIT,
		d->manager->info.rate_hz > LOW_RATE_HZ ? "48 kHz, " : "", configured ? "raise" : "set");
}

void admission_reason(const struct device *d, char ret_text[ADMISSION_TEXT_MAX])
{
	*ret_text = '\0';
	if (d->state == DEVICE_UNSUPPORTED && d->policy_ok && d->admission == ADMISSION_REFUSE) {
		explain(d, ret_text);
	}
}

static void say_refused(struct device *d)
{
	char text[ADMISSION_TEXT_MAX];

	if (d->admission == ADMISSION_ADMIT) {
		d->said_refused = false;
	} else if (d->admission == ADMISSION_REFUSE && !d->said_refused) {
		d->said_refused = true;
		explain(d, text);
		device_log(d, LOG_WARNING, "%s", text);
	}
}

/* Of what the link carries; where it does not tell, of what the configuration says. */
static void say_busy(struct iface *iface)
{
	struct admission_state *s = &iface->admission;
	double limit_mbit = s->speed.mbit > 0 ? s->speed.mbit : (double)s->link.limit_bps / BPS_PER_MBIT;
	double mbit = admission_mbit(&s->link, s->sum.admitted);
	bool busy = limit_mbit > 0 && mbit * 100 > limit_mbit * BUSY_PERCENT;

	if (busy && !s->said_busy && mbit > limit_mbit) {
		iface_log(iface, LOG_WARNING,
			"%u %s x %.3f Mbit/s = %.1f of %.0f Mbit/s: more than the link carries, so frames "
			"get lost; bandwidth in [daemon] allows it",
			s->sum.admitted, boxes_word(s->sum.admitted), admission_mbit(&s->link, 1), mbit,
			limit_mbit);
	} else if (busy && !s->said_busy) {
		iface_log(iface, LOG_WARNING,
			"%u %s x %.3f Mbit/s = %.1f of %.0f Mbit/s: over %d %% of the link, so other traffic "
			"on it makes frames late; keep it for the boxes alone, or move some of them",
			s->sum.admitted, boxes_word(s->sum.admitted), admission_mbit(&s->link, 1), mbit,
			limit_mbit, BUSY_PERCENT);
	}
	s->said_busy = busy;
}

/* Tells what has changed about a device; its reason may be another one although it is refused as before. */
static void conclude(struct device *d, enum admission is, bool other_sum)
{
	bool changed = d->admission != is || (other_sum && is == ADMISSION_REFUSE);

	d->admission = is;
	say_refused(d);
	if (changed) {
		bus_device_changed(d->manager->bus, d, BUS_STATE);
	}
	if (is == ADMISSION_WAIT) {
		manager_hurry(d->manager);
	}
}

static void judge(struct iface *iface)
{
	struct admission_box boxes[MANAGER_DEVICES_MAX];
	struct admission_state *s = &iface->admission, old = *s;
	struct manager *m = iface->manager;
	unsigned n = 0;
	bool other;

	for (unsigned i = 0; i < m->n_devices; i++) {
		const struct device *d = m->devices[i];

		if (is_on(d, iface)) {
			boxes[n++] = (struct admission_box){
				.to_host = d->conf->model == ETHLINK_ADC8,
				.leaving = d->leaving || d->next,
				.streaming = !device_idle(d),
				.is = d->admission,
			};
		}
	}
	s->link = link_of(iface);
	if (n == 0) {
		s->sum = (struct admission_sum){0};
		return; /* no server, or nothing that boxes run at; what has been said still holds when it is back */
	}
	admission_judge(boxes, n, &s->link, &s->sum);
	other = old.sum.needed != s->sum.needed || old.link.box_bps != s->link.box_bps ||
		old.link.limit_bps != s->link.limit_bps;
	n = 0;
	for (unsigned i = 0; i < m->n_devices; i++) {
		if (is_on(m->devices[i], iface)) {
			conclude(m->devices[i], boxes[n++].is, other);
		}
	}
	say_busy(iface);
}

void admission_update(struct manager *m, int64_t now)
{
	for (unsigned i = 0; i < m->n_ifaces; i++) {
		look(m->ifaces[i], now);
		judge(m->ifaces[i]);
	}
}

void admission_link_changed(struct iface *iface)
{
	iface->admission.next_look_ns = 0;
	look(iface, now_ns());
	judge(iface);
}
