/*
 * What fits on a link: the arithmetic, who comes first, and what a daemon with some boxes makes of the speed of its link,
 * of a reload, and of another rate. Nothing is sent.
 */
#include "daemon/admission.h"

#include "base/util.h"
#include "daemon/conf-internal.h"
#include "daemon/device-internal.h"
#include "engine/dac-rt.h"
#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- the speed of the link, instead of a driver's word */

static struct link_speed link_speed;

void __wrap_link_monitor_speed(
	const struct link_monitor *monitor, const char *name, struct link_speed *ret_speed);

void __wrap_link_monitor_speed(
	const struct link_monitor *monitor, const char *name, struct link_speed *ret_speed)
{
	*ret_speed = link_speed;
}

/* --- what is judged, without a daemon */

/* before, after: a letter a box: a admitted, r refused, w waiting; in capitals: it streams; '-': it is leaving, '+': and streams. */
static struct admission_box box_of(char letter)
{
	return (struct admission_box){
		.leaving = letter == '-' || letter == '+',
		.streaming = letter == '+' || (letter >= 'A' && letter <= 'Z'),
		.is = strchr("aA-+", letter) ? ADMISSION_ADMIT
		      : strchr("rR", letter) ? ADMISSION_REFUSE
					     : ADMISSION_WAIT,
	};
}

static struct admission_sum judge(struct admission_link link, const char *before, const char *after)
{
	static const char letters[] = {
		[ADMISSION_WAIT] = 'w', [ADMISSION_ADMIT] = 'a', [ADMISSION_REFUSE] = 'r'};
	struct admission_box boxes[64];
	unsigned n = (unsigned)strlen(before);
	struct admission_sum sum;
	char got[65] = "";

	for (unsigned i = 0; i < n; i++) {
		boxes[i] = box_of(before[i]);
	}
	admission_judge(boxes, n, &link, &sum);
	for (unsigned i = 0; i < n; i++) {
		got[i] = boxes[i].leaving ? '-' : letters[boxes[i].is];
	}
	assert_string_equal(got, after);
	return sum;
}

/* Room for three. */
static const struct admission_link three = {.box_bps = 33024000, .limit_bps = 100000000};

static void test_bps(void **state)
{
	assert_int_equal(admission_box_bps(44100), 15170400);
	assert_int_equal(admission_box_bps(48000), 16512000);
	assert_int_equal(admission_box_bps(88200), 30340800);
	assert_int_equal(admission_box_bps(96000), 33024000);
}

static unsigned admitted_of_32(uint32_t rate_hz, uint64_t limit_bps)
{
	const struct admission_link link = {.box_bps = admission_box_bps(rate_hz), .limit_bps = limit_bps};
	struct admission_box boxes[32] = {{.is = ADMISSION_WAIT}};
	struct admission_sum sum;

	admission_judge(boxes, ARRAY_SIZE(boxes), &link, &sum);
	assert_int_equal(sum.needed, 32);
	for (unsigned i = 0; i < ARRAY_SIZE(boxes); i++) {
		assert_int_equal(boxes[i].is, i < sum.admitted ? ADMISSION_ADMIT : ADMISSION_REFUSE);
	}
	return sum.admitted;
}

static void test_room(void **state)
{
	assert_int_equal(admitted_of_32(48000, 1000000000), 32);
	assert_int_equal(admitted_of_32(96000, 1000000000), 30);
	assert_int_equal(admitted_of_32(48000, 100000000), 6);
	assert_int_equal(admitted_of_32(96000, 100000000), 3);
	assert_int_equal(admitted_of_32(44100, 10000000), 0);
	assert_int_equal(admitted_of_32(96000, 0), 32);
	/* Full is not too full. */
	assert_int_equal(admitted_of_32(96000, 4 * 33024000), 4);
	assert_int_equal(admitted_of_32(96000, 4 * 33024000 - 1), 3);
}

static void test_order(void **state)
{
	struct admission_sum sum = judge(three, "wwwwr", "aaarr");

	assert_int_equal(sum.needed, 5);
	assert_int_equal(sum.admitted, 3);
	/* Who plays comes first, wherever it stands. */
	judge(three, "waaa", "raaa");
	judge(three, "wAAw", "aaar");
	judge(three, "rawa", "aara");
	/* Of those that play, where all do no longer fit, the first in the configuration. */
	judge(three, "rAAAA", "raaar");
	judge(three, "", "");
}

static void test_fading(void **state)
{
	struct admission_sum sum = judge(three, "+aaw", "-aaw");

	assert_int_equal(sum.needed, 3);
	assert_int_equal(sum.admitted, 3);
	judge(three, "-aaw", "-aaa");
	judge(three, "+aw", "-aa");
	/* One that is refused now, but still fades out, holds its place. */
	judge(three, "wAAR", "waar");
	judge(three, "wAAr", "aaar");
	/* One that waits has a claim on its place. */
	judge(three, "+AAww", "-aawr");
}

static void test_ways(void **state)
{
	struct admission_box boxes[8];
	struct admission_link link = three;
	struct admission_sum sum;

	memset(boxes, 0, sizeof(boxes));
	for (unsigned i = 4; i < ARRAY_SIZE(boxes); i++) {
		boxes[i].to_host = true;
	}
	admission_judge(boxes, ARRAY_SIZE(boxes), &link, &sum);
	assert_int_equal(sum.needed, 4);
	assert_int_equal(sum.admitted, 3);
	assert_int_equal(boxes[3].is, ADMISSION_REFUSE);
	assert_int_equal(boxes[4].is, ADMISSION_ADMIT);
	assert_int_equal(boxes[7].is, ADMISSION_REFUSE);
	/* One end at a time. */
	link.half_duplex = true;
	memset(boxes, 0, sizeof(boxes));
	boxes[1].to_host = boxes[3].to_host = true;
	admission_judge(boxes, 4, &link, &sum);
	assert_int_equal(sum.needed, 4);
	assert_int_equal(sum.admitted, 3);
	assert_int_equal(boxes[3].is, ADMISSION_REFUSE);
}

/* --- a daemon */

struct backend_group {
	int unused;
};

static struct backend_group group;

static int add_ports(struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group)
{
	*ret_group = &group;
	return 0;
}

static void remove_ports(struct backend *b, struct backend_group *g)
{
}

static void set_latency(struct backend *b, struct backend_group *g, uint32_t latency_frames)
{
}

static void set_volume(struct backend *b, struct backend_group *g, const struct backend_volume *volume)
{
}

static const struct backend_ops graph_ops = {
	.add_ports = add_ports,
	.remove_ports = remove_ports,
	.set_latency = set_latency,
	.set_volume = set_volume,
};

struct world {
	struct manager m;
	struct backend graph;
	struct iface *iface;
};

static char said[16][ADMISSION_TEXT_MAX + 64];
static unsigned n_said;

static void note(const struct log_entry *entry)
{
	if (entry->level <= LOG_WARNING && n_said < ARRAY_SIZE(said)) {
		snprintf(said[n_said++], sizeof(said[0]), "%s", entry->text);
	}
}

/* n boxes, a to f, from the one with this letter on. */
static struct conf *load(const char *keys, char first, unsigned n)
{
	struct conf *conf = NULL;
	char text[1024];
	size_t len;

	len = (size_t)snprintf(text, sizeof(text), "[daemon]\ninterface = eth0\n%s", keys);
	for (unsigned i = 0; i < n; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len,
			"[device %c]\nmodel = dac8\nserial = %u\n", first + (int)i, i);
	}
	assert_int_equal(conf_load_text("t", text, len, NULL, NULL, &conf), 0);
	return conf;
}

/* In front of the others. */
static void add_device(struct world *w, struct conf *conf, unsigned i)
{
	memmove(&w->m.devices[1], &w->m.devices[0], w->m.n_devices * sizeof(w->m.devices[0]));
	assert_int_equal(device_new(&w->m, conf, &conf->devices[i], w->iface, &w->m.devices[0]), 0);
	w->m.n_devices++;
	device_format_changed(w->m.devices[0]);
}

static void set_rate(struct world *w, uint32_t rate_hz)
{
	w->m.info.rate_hz = rate_hz;
	for (unsigned i = 0; i < w->m.n_devices; i++) {
		device_format_changed(w->m.devices[i]);
	}
}

static void set_speed(struct world *w, uint32_t mbit)
{
	link_speed.mbit = mbit;
	admission_link_changed(w->iface);
}

static struct world *world_new(const char *keys, unsigned n, uint32_t rate_hz, uint32_t mbit)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	n_said = 0;
	log_set_sink(note);
	w->graph.ops = &graph_ops;
	w->m.backend = &w->graph;
	w->m.conf = load(keys, 'a', n);
	w->m.connected = true;
	w->m.info.period_frames = 64;
	w->m.info.rate_hz = rate_hz;
	assert_int_equal(engine_new(sample_kernels_best(), &w->m.engine), 0);
	assert_int_equal(iface_new(&w->m, "eth0", &w->iface), 0);
	w->m.ifaces[w->m.n_ifaces++] = w->iface;
	w->iface->link.ifindex = 1;
	w->iface->link.carrier = true;
	for (unsigned i = n; i > 0; i--) {
		add_device(w, w->m.conf, i - 1);
	}
	link_speed = (struct link_speed){.mbit = mbit};
	admission_update(&w->m, NSEC_PER_SEC);
	return w;
}

static void world_free(struct world *w)
{
	while (w->m.n_devices > 0) {
		device_free(w->m.devices[--w->m.n_devices]);
	}
	iface_free(w->iface);
	engine_free(w->m.engine);
	conf_unref(w->m.conf);
	free(w);
	log_set_sink(NULL);
}

/* A letter for each device, as in judge(). */
static void assert_devices(const struct world *w, const char *expected)
{
	char got[MANAGER_DEVICES_MAX + 1] = "";

	for (unsigned i = 0; i < w->m.n_devices; i++) {
		got[i] = "war"[w->m.devices[i]->admission];
	}
	assert_string_equal(got, expected);
}

static void assert_reason(const struct world *w, unsigned i, const char *expected)
{
	char reason[ADMISSION_TEXT_MAX];

	w->m.devices[i]->state = DEVICE_UNSUPPORTED;
	admission_reason(w->m.devices[i], reason);
	assert_string_equal(reason, expected);
}

static void test_said(void **state)
{
	struct world *w = world_new("", 4, 96000, 100);
	static const char refused[] = "box does not fit: 4 boxes x 33.024 Mbit/s = 132.1 Mbit/s, the link of "
				      "eth0 carries 100 Mbit/s; take 48 kHz, another interface, or set "
				      "bandwidth in [daemon]";

	assert_devices(w, "aaar");
	assert_reason(w, 0, "");
	assert_reason(w, 3, refused);
	/* Once, however often it is judged; and that the link is nearly full. */
	admission_update(&w->m, 2 * NSEC_PER_SEC);
	assert_int_equal(n_said, 2);
	assert_int_equal(strncmp(said[0], "d: ", 3), 0);
	assert_string_equal(said[0] + 3, refused);
	assert_string_equal(said[1],
		"eth0: 3 boxes x 33.024 Mbit/s = 99.1 of 100 Mbit/s: over 90 % of the link, so other traffic "
		"on it makes frames late; keep it for the boxes alone, or move some of them");
	world_free(w);
	w = world_new("", 7, 48000, 100);
	assert_devices(w, "aaaaaar");
	assert_reason(w, 6,
		"box does not fit: 7 boxes x 16.512 Mbit/s = 115.6 Mbit/s, the link of eth0 carries 100 "
		"Mbit/s; take another interface, or set bandwidth in [daemon]");
	world_free(w);
	/* One alone. */
	w = world_new("", 1, 44100, 10);
	assert_reason(w, 0,
		"box does not fit: 1 box x 15.170 Mbit/s = 15.2 Mbit/s, the link of eth0 carries 10 Mbit/s; "
		"take another interface, or set bandwidth in [daemon]");
	assert_int_equal(n_said, 1);
	world_free(w);
	/* 90 % and a bit, not less. */
	w = world_new("bandwidth = 367\n", 10, 96000, 0);
	assert_int_equal(n_said, 0);
	world_free(w);
	w = world_new("bandwidth = 366\n", 10, 96000, 0);
	assert_int_equal(n_said, 1);
	world_free(w);
}

static void test_setting(void **state)
{
	struct world *w = world_new("bandwidth = unlimited\n", 4, 96000, 100);

	assert_devices(w, "aaaa");
	assert_int_equal(n_said, 1);
	assert_string_equal(said[0],
		"eth0: 4 boxes x 33.024 Mbit/s = 132.1 of 100 Mbit/s: more than the link carries, so frames "
		"get lost; bandwidth in [daemon] allows it");
	world_free(w);
	w = world_new("bandwidth = 70\n", 4, 96000, 1000);
	assert_devices(w, "aarr");
	assert_reason(w, 2,
		"box does not fit: 4 boxes x 33.024 Mbit/s = 132.1 Mbit/s, bandwidth in [daemon] allows eth0 "
		"70 Mbit/s; take 48 kHz, another interface, or raise bandwidth in [daemon]");
	world_free(w);
	/* More than the link says, and where that says nothing. */
	w = world_new("bandwidth = 140\n", 4, 96000, 100);
	assert_devices(w, "aaaa");
	world_free(w);
	w = world_new("bandwidth = 40\n", 2, 96000, 0);
	assert_devices(w, "ar");
	world_free(w);
	w = world_new("bandwidth = auto\n", 4, 96000, 0);
	assert_devices(w, "aaaa");
	assert_int_equal(n_said, 0);
	world_free(w);
}

/* A reload adds a box in front of those that play: it is not for that one that one of them stops. */
static void test_reload(void **state)
{
	struct world *w = world_new("", 3, 96000, 100);
	struct conf *conf = load("", 'f', 1), *other;

	add_device(w, conf, 0);
	assert_devices(w, "waaa");
	assert_true(device_must_wait(w->m.devices[0]));
	admission_update(&w->m, 3 * NSEC_PER_SEC);
	assert_devices(w, "raaa");
	assert_false(device_must_wait(w->m.devices[0]));
	/* One goes, and its place is free when it is silent. */
	w->m.devices[2]->leaving = true;
	atomic_store(&w->m.devices[2]->dac->report.mode, DAC_STOPPING);
	admission_update(&w->m, 4 * NSEC_PER_SEC);
	assert_devices(w, "waaa");
	atomic_store(&w->m.devices[2]->dac->report.mode, DAC_IDLE);
	admission_update(&w->m, 5 * NSEC_PER_SEC);
	assert_devices(w, "aaaa");
	/* The bandwidth that is configured can be another, too; who plays stays first. */
	w->m.devices[2]->leaving = false;
	w->m.devices[0]->admission = ADMISSION_REFUSE;
	other = load("bandwidth = 70\n", 'a', 3);
	conf_unref(w->m.conf);
	w->m.conf = other;
	admission_update(&w->m, 6 * NSEC_PER_SEC);
	assert_devices(w, "raar");
	conf_unref(conf);
	world_free(w);
}

/* Of another rate, or on another link, the order is that of the configuration again. */
static void test_anew(void **state)
{
	struct world *w = world_new("", 4, 96000, 100);

	w->m.devices[0]->admission = ADMISSION_REFUSE;
	w->m.devices[3]->admission = ADMISSION_ADMIT;
	admission_update(&w->m, 2 * NSEC_PER_SEC);
	assert_devices(w, "raaa");
	set_rate(w, 48000);
	assert_devices(w, "wwww");
	assert_true(device_must_wait(w->m.devices[0]));
	admission_update(&w->m, 3 * NSEC_PER_SEC);
	assert_devices(w, "aaaa");
	assert_reason(w, 0, "");
	set_rate(w, 96000);
	admission_update(&w->m, 4 * NSEC_PER_SEC);
	assert_devices(w, "aaar");
	/* The same rate once more is nothing new. */
	w->m.devices[0]->admission = ADMISSION_REFUSE;
	w->m.devices[3]->admission = ADMISSION_ADMIT;
	set_rate(w, 96000);
	admission_update(&w->m, 5 * NSEC_PER_SEC);
	assert_devices(w, "raaa");
	/* Also where it makes no difference to how many fit. */
	set_speed(w, 130);
	assert_devices(w, "aaar");
	set_speed(w, 10);
	assert_devices(w, "rrrr");
	n_said = 0;
	set_speed(w, 100);
	assert_devices(w, "aaar");
	/* What was refused all the time has been said; what is again, is said again. */
	set_speed(w, 10);
	assert_int_equal(n_said, 1 + 3);
	set_speed(w, 100);
	/* Without a server nobody needs anything, and who played is not forgotten. */
	w->m.devices[0]->admission = ADMISSION_REFUSE;
	w->m.devices[3]->admission = ADMISSION_ADMIT;
	w->m.connected = false;
	set_rate(w, 96000);
	admission_update(&w->m, 6 * NSEC_PER_SEC);
	assert_int_equal(w->iface->admission.sum.needed, 0);
	w->m.connected = true;
	set_rate(w, 96000);
	admission_update(&w->m, 7 * NSEC_PER_SEC);
	assert_devices(w, "raaa");
	set_speed(w, 1000);
	assert_devices(w, "aaaa");
	assert_reason(w, 3, "");
	world_free(w);
}

/* Pulled and plugged in again it is the same link; at another speed, another. And a driver need not tell. */
static void test_link(void **state)
{
	struct world *w = world_new("", 4, 96000, 100);
	int64_t now;

	w->m.devices[0]->admission = ADMISSION_REFUSE;
	w->m.devices[3]->admission = ADMISSION_ADMIT;
	w->iface->link.carrier = false;
	set_speed(w, 0);
	assert_devices(w, "raaa");
	w->iface->link.carrier = true;
	set_speed(w, 100);
	assert_devices(w, "raaa");
	assert_int_equal(w->iface->admission.speed.mbit, 100);
	/* Looked at now and then. */
	now = now_ns() + 60 * NSEC_PER_SEC;
	admission_update(&w->m, now);
	link_speed.mbit = 1000;
	admission_update(&w->m, now + NSEC_PER_SEC);
	assert_devices(w, "raaa");
	admission_update(&w->m, now + 2 * NSEC_PER_SEC);
	assert_devices(w, "aaaa");
	world_free(w);
}

/* What is refused is as if there were no box for it. */
static void test_state(void **state)
{
	struct world *w = world_new("", 1, 96000, 10);
	struct device *d = w->m.devices[0];
	char reason[ADMISSION_TEXT_MAX];

	w->iface->ring = (struct pktring *)w; /* nobody looks into it */
	w->iface->link.carrier = false;
	device_update(d, 6 * NSEC_PER_SEC);
	assert_int_equal(d->state, DEVICE_LINK_DOWN);
	admission_reason(d, reason);
	assert_string_equal(reason, "");
	w->iface->link.carrier = true;
	device_update(d, 7 * NSEC_PER_SEC);
	assert_int_equal(d->state, DEVICE_UNSUPPORTED);
	admission_reason(d, reason);
	assert_string_not_equal(reason, "");
	assert_int_equal(d->hold.lock_fd, -1);
	assert_int_equal(d->hold.asked_ns, 0);
	assert_int_equal(d->probes, 0);
	assert_false(d->running);
	set_speed(w, 100);
	device_update(d, 8 * NSEC_PER_SEC);
	assert_int_equal(d->state, DEVICE_SEARCHING);
	w->iface->ring = NULL;
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bps),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_fading),
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_said),
		cmocka_unit_test(test_setting),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_anew),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
