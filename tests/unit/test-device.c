/*
 * A device between the graph, the engine and what is set at run time: volumes in both directions, and what a change of
 * the period does to a stream. No thread runs here; what the engine was told is looked at.
 */
#include "daemon/device-internal.h"

#include "base/util.h"
#include "daemon/conf-internal.h"
#include "daemon/state.h"
#include "engine/dac-rt.h"
#include "engine/engine.h"

#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STAGE "[device stage]\nmodel=dac8\nserial=1\ninterface=eth0\n"

/* --- a graph of which only the volume is of interest --- */

struct backend_group {
	struct backend_volume shown; /* what it was told to show */
	unsigned sets;
	struct backend_volume taken;
	bool has_volume;
	uint32_t latency_frames;
};

struct graph {
	struct backend base;
	struct backend_group group;
};

static struct graph *graph_of(const struct backend *b)
{
	return container_of(b, struct graph, base);
}

static int add_ports(struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group)
{
	*ret_group = &graph_of(b)->group;
	return 0;
}

static int change_ports(struct backend *b, struct backend_group *group, const struct backend_ports *ports)
{
	return 0;
}

static void remove_ports(struct backend *b, struct backend_group *group)
{
}

static void set_latency(struct backend *b, struct backend_group *group, uint32_t latency_frames)
{
	group->latency_frames = latency_frames;
}

static bool take_volume(struct backend *b, struct backend_group *group, struct backend_volume *ret_volume)
{
	bool has = group->has_volume;

	*ret_volume = group->taken;
	group->has_volume = false;
	return has;
}

static void set_volume(struct backend *b, struct backend_group *group, const struct backend_volume *volume)
{
	group->shown = *volume;
	group->sets++;
}

static const struct backend_ops graph_ops = {
	.add_ports = add_ports,
	.change_ports = change_ports,
	.remove_ports = remove_ports,
	.set_latency = set_latency,
	.take_volume = take_volume,
	.set_volume = set_volume,
};

/* --- a daemon with one box --- */

struct world {
	struct manager m;
	struct graph graph;
	struct iface *iface;
	struct device *d;
};

static struct conf *load(const char *keys)
{
	struct conf *conf = NULL;
	char text[512];

	snprintf(text, sizeof(text), STAGE "%s", keys);
	assert_int_equal(conf_load_text("t", text, strlen(text), NULL, NULL, &conf), 0);
	return conf;
}

/* state: may be NULL. */
static struct world *world_new(const char *keys, struct state *state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->graph.base.ops = &graph_ops;
	w->m.backend = &w->graph.base;
	w->m.state = state;
	w->m.conf = load(keys);
	assert_int_equal(engine_new(sample_kernels_best(), &w->m.engine), 0);
	assert_int_equal(iface_new(&w->m, "eth0", &w->iface), 0);
	assert_int_equal(device_new(&w->m, w->m.conf, &w->m.conf->devices[0], w->iface, &w->d), 0);
	w->m.devices[w->m.n_devices++] = w->d;
	return w;
}

static void world_free(struct world *w)
{
	w->m.n_devices = 0;
	device_free(w->d);
	iface_free(w->iface);
	engine_free(w->m.engine);
	conf_unref(w->m.conf);
	free(w);
}

static void set_format(struct world *w, uint32_t rate_hz, uint32_t period_frames, bool varying)
{
	w->m.connected = true;
	w->m.info.rate_hz = rate_hz;
	w->m.info.period_frames = period_frames;
	w->m.info.varying = varying;
	device_format_changed(w->d);
}

static struct world *joined(const char *keys)
{
	struct world *w = world_new(keys, NULL);

	set_format(w, 48000, 64, true);
	return w;
}

static void reload(struct world *w, const char *keys)
{
	struct conf *old = w->m.conf;

	w->m.conf = load(keys);
	device_configure(w->d, w->m.conf, &w->m.conf->devices[0]);
	conf_unref(old);
}

/* What the engine was told last. */
static const struct dac_params *params_of(const struct world *w)
{
	const struct dac_params *params = atomic_load(&w->d->dac->params);

	assert_non_null(params);
	return params;
}

/* Somebody moves all sliders there. */
static void slide(struct world *w, float volume, bool mute)
{
	struct backend_group *group = &w->graph.group;

	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		group->taken.volume[k] = volume;
	}
	group->taken.mute = mute;
	group->has_volume = true;
	device_take_volume(w->d);
	assert_false(group->has_volume);
}

static void assert_gains(const struct world *w, int db)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		assert_int_equal(w->d->levels.gain_db[k], db);
		assert_int_equal(params_of(w)->gain[k], (uint8_t)ethlink_gain_byte(ETHLINK_DAC8, db));
	}
}

static void assert_mutes(const struct world *w, bool mute)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		assert_int_equal(w->d->levels.mute[k], mute);
		assert_int_equal(params_of(w)->gain[k] == ETHLINK_GAIN_MUTE, mute);
	}
}

static void assert_factors(const struct world *w, float factor)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		assert_true(params_of(w)->volume[k] == factor);
	}
}

static float linear(double db)
{
	return (float)pow(10, db / 20);
}

static bool near(float a, float b)
{
	return fabsf(a - b) <= 1e-6f * MAX(a, b);
}

/* --- volume = box --- */

/* At the start the graph shows the box, not the other way round. */
static void test_box_start(void **state)
{
	struct world *w = joined("gain = -20,0,24,-56,0,0,0,0\nmute = 1,0,0,0,0,0,0,0\n");
	struct backend_group *group = &w->graph.group;

	assert_int_equal(group->sets, 1);
	assert_true(near(group->shown.volume[0], 0.1f));
	assert_true(group->shown.volume[1] == 1.0f);
	assert_true(near(group->shown.volume[2], linear(24)));
	assert_true(near(group->shown.volume[3], linear(-56)));
	assert_false(group->shown.mute);
	assert_factors(w, 1);
	world_free(w);
	w = joined("mute = yes\n");
	assert_true(w->graph.group.shown.mute);
	world_free(w);
}

static void test_box_from_graph(void **state)
{
	static const struct {
		float volume;
		int db;
		float factor;
	} cases[] = {
		{1.0f, 0, 1},
		{0.1f, -20, 1},
		{0.5f, -6, 1},
		{2.0f, 6, 1},
		{15.8489f, 24, 1},
		{0.0015849f, -56, 1},
		{0.00151f, -56, 1}, /* -56.4 dB */
		{0.00149f, -56, 0}, /* -56.5 dB: nothing to be heard any more */
		{1e-30f, -56, 0},
		{0.25f, -12, 1},
		{0.0f, -56, 0},
	};
	struct world *w = joined("");

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		slide(w, cases[i].volume, false);
		assert_gains(w, cases[i].db);
		assert_factors(w, cases[i].factor);
		/* Where it stands between two whole dB it is left alone: nothing jumps, nothing comes back. */
		assert_int_equal(w->graph.group.sets, 1);
	}
	world_free(w);
}

/* A channel each; those that are already there are not set. */
static void test_box_one_channel(void **state)
{
	struct world *w = joined("");
	struct backend_group *group = &w->graph.group;

	slide(w, 1.0f, false);
	group->taken.volume[2] = 0.1f;
	group->has_volume = true;
	device_take_volume(w->d);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		assert_int_equal(w->d->levels.gain_db[k], k == 2 ? -20 : 0);
		assert_int_equal(w->d->overrides.gain_set[k], k == 2);
	}
	/* A little to and fro that rounds to the same. */
	group->taken.volume[2] = 0.103f;
	group->has_volume = true;
	w->d->gain_changed_ns = 0;
	device_take_volume(w->d);
	assert_int_equal(w->d->gain_changed_ns, 0);
	assert_int_equal(group->sets, 1);
	world_free(w);
}

/* More than a box can: it shows what the box does. Nonsense is silence. */
static void test_box_beyond(void **state)
{
	struct world *w = joined("");

	slide(w, 100.0f, false);
	assert_gains(w, 24);
	assert_int_equal(w->graph.group.sets, 2);
	assert_true(near(w->graph.group.shown.volume[7], linear(24)));
	slide(w, INFINITY, false);
	assert_gains(w, 24);
	assert_int_equal(w->graph.group.sets, 3);
	slide(w, NAN, false);
	assert_gains(w, -56);
	assert_factors(w, 0);
	assert_true(w->graph.group.shown.volume[0] == 0.0f);
	world_free(w);
}

/* One switch for eight. */
static void test_box_mute(void **state)
{
	struct world *w = joined("");

	slide(w, 1.0f, true);
	assert_mutes(w, true);
	slide(w, 0.5f, true);
	assert_mutes(w, true);
	slide(w, 0.5f, false);
	assert_mutes(w, false);
	assert_int_equal(w->graph.group.sets, 1);
	/* One that is muted by other means stays so as long as the switch is not touched. */
	assert_int_equal(device_set_mute(w->d, 3, true), 0);
	assert_int_equal(w->graph.group.sets, 1);
	slide(w, 0.25f, false);
	assert_true(w->d->levels.mute[2]);
	assert_false(w->d->levels.mute[3]);
	slide(w, 0.25f, true);
	assert_mutes(w, true);
	world_free(w);
}

/* ethlinkctl, D-Bus, reset and reload show in the graph. */
static void test_box_to_graph(void **state)
{
	struct world *w = joined("");
	struct backend_group *group = &w->graph.group;

	assert_int_equal(device_set_gain(w->d, 2, -20), 0);
	assert_int_equal(group->sets, 2);
	assert_true(near(group->shown.volume[1], 0.1f));
	assert_true(group->shown.volume[0] == 1.0f);
	assert_int_equal(device_set_gain(w->d, 2, -20), 0);
	assert_int_equal(group->sets, 2);
	assert_int_equal(device_set_mute(w->d, 0, true), 0);
	assert_int_equal(group->sets, 3);
	assert_true(group->shown.mute);
	assert_int_equal(device_set_mute(w->d, 8, false), 0);
	assert_int_equal(group->sets, 4);
	assert_false(group->shown.mute);
	device_reset(w->d);
	assert_int_equal(group->sets, 5);
	assert_true(group->shown.volume[1] == 1.0f);
	reload(w, "gain = -6\n");
	assert_int_equal(group->sets, 6);
	assert_true(near(group->shown.volume[7], linear(-6)));
	assert_gains(w, -6);
	reload(w, "gain = -6\nlabels = a\n");
	assert_int_equal(group->sets, 6);
	world_free(w);
}

/* Down to nothing, then a gain that is set elsewhere, the lowest one: that is to be heard. */
static void test_box_out_of_silence(void **state)
{
	struct world *w = joined("");

	slide(w, 0, false);
	assert_factors(w, 0);
	assert_int_equal(device_set_gain(w->d, 1, -56), 0);
	assert_true(params_of(w)->volume[0] == 1.0f);
	assert_true(params_of(w)->volume[1] == 0.0f);
	assert_true(near(w->graph.group.shown.volume[0], linear(-56)));
	assert_true(w->graph.group.shown.volume[1] == 0.0f);
	device_reset(w->d);
	assert_factors(w, 1);
	assert_gains(w, 0);
	slide(w, 0, false);
	slide(w, 1, false);
	assert_factors(w, 1);
	assert_true(overrides_empty(&w->d->overrides));
	world_free(w);
}

/* --- volume = software --- */

static void test_software(void **state)
{
	struct world *w = joined("volume = software\ngain = -3\n");
	struct backend_group *group = &w->graph.group;

	assert_int_equal(group->sets, 1);
	assert_true(group->shown.volume[0] == 1.0f);
	assert_factors(w, 1);
	slide(w, 0.3f, false);
	assert_factors(w, 0.3f);
	assert_gains(w, -3);
	assert_int_equal(group->sets, 1);
	slide(w, 0.3f, true);
	assert_factors(w, 0);
	assert_mutes(w, false);
	slide(w, 0.3f, false);
	assert_factors(w, 0.3f);
	/* The gain is another thing. */
	assert_int_equal(device_set_gain(w->d, 0, -20), 0);
	assert_int_equal(device_set_mute(w->d, 0, true), 0);
	assert_factors(w, 0.3f);
	assert_int_equal(group->sets, 1);
	/* Never louder than the samples are. */
	slide(w, 1.5f, false);
	assert_factors(w, 1);
	assert_int_equal(group->sets, 2);
	assert_true(group->shown.volume[4] == 1.0f);
	slide(w, -1, false);
	assert_factors(w, 0);
	slide(w, NAN, false);
	assert_factors(w, 0);
	device_reset(w->d);
	assert_factors(w, 1);
	assert_true(group->shown.volume[4] == 1.0f);
	assert_gains(w, -3);
	world_free(w);
}

/* --- volume = ignore --- */

static void test_ignore(void **state)
{
	struct world *w = joined("volume = ignore\ngain = -3\nmute = yes\n");
	struct backend_group *group = &w->graph.group;

	assert_int_equal(group->sets, 1);
	assert_true(group->shown.volume[0] == 1.0f);
	assert_false(group->shown.mute);
	for (unsigned i = 0; i < 2; i++) {
		slide(w, 0.5f, true);
		assert_int_equal(group->sets, 2 + i);
		assert_true(group->shown.volume[7] == 1.0f);
		assert_false(group->shown.mute);
	}
	assert_factors(w, 1);
	assert_int_equal(w->d->levels.gain_db[0], -3);
	assert_true(overrides_empty(&w->d->overrides));
	world_free(w);
}

/* Another way to do it begins from where the configuration stands. */
static void test_other_mode(void **state)
{
	struct world *w = joined("volume = software\n");
	struct backend_group *group = &w->graph.group;

	slide(w, 0, true);
	reload(w, "volume = box\n");
	assert_factors(w, 1);
	assert_gains(w, 0);
	assert_true(group->shown.volume[0] == 1.0f);
	assert_false(group->shown.mute);
	slide(w, 0, false);
	assert_factors(w, 0);
	reload(w, "volume = software\n");
	assert_factors(w, 1);
	assert_true(group->shown.volume[0] == 1.0f);
	slide(w, 0.5f, false);
	reload(w, "volume = ignore\n");
	assert_factors(w, 1);
	assert_true(group->shown.volume[0] == 1.0f);
	world_free(w);
}

/* --- over a restart --- */

static char folder[256];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void test_kept(void **state)
{
	const char *tmp = getenv("TMPDIR");
	static const char *const modes[] = {"volume = software\n", "volume = box\n"};
	sd_event *event = NULL;

	snprintf(folder, sizeof(folder), "%s/test-device-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(folder));
	setenv("STATE_DIRECTORY", folder, 1);
	assert_true(sd_event_new(&event) >= 0);
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
		float volume = i == 0 ? 0.123456789f : 0;
		struct state *s = NULL;
		struct world *w;

		assert_int_equal(state_new(event, &s), 0);
		w = world_new(modes[i], s);
		set_format(w, 48000, 64, true);
		slide(w, volume, false);
		state_free(s);
		world_free(w);
		assert_int_equal(state_new(event, &s), 0);
		w = world_new(modes[i], s);
		set_format(w, 48000, 64, true);
		assert_factors(w, volume);
		assert_true(w->graph.group.shown.volume[3] == volume);
		device_reset(w->d);
		state_free(s);
		world_free(w);
	}
	sd_event_unref(event);
	(void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- periods --- */

/* A stream that is made for periods that vary goes on through all of them. */
static void test_varying_goes_on(void **state)
{
	static const uint32_t periods[] = {64, 1024, 32, 1000, 2048, 256};
	struct world *w = joined("");
	struct dac_format first = params_of(w)->format;

	assert_int_equal(first.period_frames, 2048);
	assert_int_equal(first.lead_blocks, 0);
	assert_int_equal(first.varying, 1);
	device_publish(w->d, true);
	for (unsigned i = 0; i < ARRAY_SIZE(periods); i++) {
		struct policy policy;

		w->d->next_probe_ns = INT64_MAX;
		set_format(w, 48000, periods[i], true);
		assert_int_equal(policy_make_varying(periods[i], 48000, POLICY_LATENCY_AUTO, &policy), 0);
		assert_true(w->d->running);
		assert_true(params_of(w)->run);
		assert_memory_equal(&params_of(w)->format, &first, sizeof(first));
		assert_int_equal(params_of(w)->lead_blocks, policy.lead_blocks);
		assert_true(w->d->next_probe_ns == INT64_MAX);
		assert_int_equal(w->graph.group.latency_frames, policy.latency_frames);
	}
	world_free(w);
}

/* Another rate, or periods longer than were prepared for: it begins anew. */
static void test_varying_begins_anew(void **state)
{
	struct world *w = joined("");

	device_publish(w->d, true);
	set_format(w, 48000, 4096, true);
	assert_false(w->d->running);
	assert_int_equal(params_of(w)->format.period_frames, AUDIO_PERIOD_MAX);
	device_publish(w->d, true);
	w->d->last_good_ns = 5;
	set_format(w, 96000, 4096, true);
	assert_false(w->d->running);
	assert_int_equal(w->d->last_good_ns, 0);
	/* No box takes this one; and then one that each takes. */
	set_format(w, 192000, 64, true);
	assert_false(w->d->policy_ok);
	assert_int_equal(w->d->latency_frames, 0);
	set_format(w, 96000, 64, true);
	assert_true(w->d->policy_ok);
	assert_false(w->d->running);
	/* A server whose periods are fixed. */
	set_format(w, 96000, 64, false);
	assert_int_equal(params_of(w)->format.varying, 0);
	assert_int_equal(params_of(w)->format.period_frames, 64);
	assert_int_equal(params_of(w)->format.lead_blocks, w->d->policy.lead_blocks);
	device_publish(w->d, true);
	set_format(w, 96000, 128, false);
	assert_false(w->d->running);
	world_free(w);
}

/* While it plays the cushion is what the engine says, once it has moved by a block. */
static void test_latency(void **state)
{
	struct world *w = joined("");
	struct dac_report *report = &w->d->dac->report;
	uint32_t planned = w->d->policy.latency_frames;

	atomic_store(&report->cushion_frames, 500);
	device_update(w->d, 1);
	assert_int_equal(w->d->latency_frames, planned);
	atomic_store(&report->mode, DAC_RUNNING);
	device_update(w->d, 1);
	assert_int_equal(w->d->latency_frames, 500);
	assert_int_equal(w->graph.group.latency_frames, 500);
	atomic_store(&report->cushion_frames, 507);
	device_update(w->d, 1);
	assert_int_equal(w->graph.group.latency_frames, 500);
	atomic_store(&report->cushion_frames, 492);
	device_update(w->d, 1);
	assert_int_equal(w->graph.group.latency_frames, 492);
	atomic_store(&report->mode, DAC_IDLE);
	device_update(w->d, 1);
	assert_int_equal(w->graph.group.latency_frames, planned);
	set_format(w, 48000, 64, false);
	atomic_store(&report->mode, DAC_RUNNING);
	device_update(w->d, 1);
	assert_int_equal(w->d->latency_frames, w->d->policy.latency_frames);
	atomic_store(&report->mode, DAC_IDLE);
	world_free(w);
}

/* --- let in, but not joined --- */

static void count_frame(void *data, const uint8_t *frame, size_t len)
{
	unsigned *n = data;

	(*n)++;
}

static void turn(struct world *w, int64_t now, enum device_state state)
{
	device_update(w->d, now);
	assert_int_equal(w->d->state, state);
}

static void answer(struct world *w, int64_t now)
{
	struct ethlink_frame frame = {
		.model = ETHLINK_DAC8,
		.dst = w->iface->ring_mac,
		.src = w->d->mac,
		.settings = w->d->want,
		.marked = true,
	};

	device_received(w->d, &frame, ETHLINK_HEADER_LEN, now);
}

/* A daemon whose link is up, and that counts what it sends to the box. */
static struct world *linked(unsigned *sent, struct pktring **ret_ring)
{
	struct world *w = world_new("", NULL);

	assert_int_equal(pktring_open_mem(64, 64, count_frame, sent, ret_ring), 0);
	w->iface->ring = *ret_ring;
	w->iface->link.ifindex = 1;
	w->iface->link.carrier = true;
	w->d->hold.next_lock_ns = INT64_MAX;
	return w;
}

static void unlink_ring(struct world *w, struct pktring *ring)
{
	w->iface->ring = NULL;
	pktring_free(ring);
	world_free(w);
}

static void let_in(struct world *w)
{
	w->m.info.rate_hz = w->m.early_rate_hz = 48000;
	w->m.info.period_frames = w->m.early_period_frames = 64;
	device_format_changed(w->d);
	w->d->admission = ADMISSION_ADMIT;
}

/* A box is looked for while the server still makes ports; it may answer, but plays nothing before they are there. */
static void test_looked_for_early(void **state)
{
	int64_t t = 1000 * NSEC_PER_SEC;
	struct pktring *ring = NULL;
	unsigned sent = 0;
	struct world *w = linked(&sent, &ring);

	turn(w, t, DEVICE_STOPPED);
	let_in(w);
	turn(w, t, DEVICE_SEARCHING);
	turn(w, t + 59 * NSEC_PER_MSEC, DEVICE_SEARCHING);
	assert_int_equal(sent, 0); /* others may say that it is theirs */
	turn(w, t + 60 * NSEC_PER_MSEC, DEVICE_SEARCHING);
	assert_int_equal(sent, 1);
	answer(w, t + 70 * NSEC_PER_MSEC);
	assert_int_equal(w->d->state, DEVICE_SEARCHING);
	assert_false(w->d->running);
	/* However long it takes, it is not said that the box does not answer. */
	turn(w, t + 5 * NSEC_PER_SEC, DEVICE_SEARCHING);
	assert_false(w->d->said_silent);
	assert_int_equal(sent, 2);
	answer(w, t + 5 * NSEC_PER_SEC);
	w->m.early_rate_hz = 0;
	w->m.connected = true;
	turn(w, t + 5 * NSEC_PER_SEC, DEVICE_ONLINE);
	assert_true(w->d->running);
	assert_int_equal(sent, 2);
	/* Let in, and nothing comes of it. */
	w->m.connected = false;
	device_format_changed(w->d);
	assert_false(w->d->running);
	turn(w, t + 6 * NSEC_PER_SEC, DEVICE_STOPPED);
	unlink_ring(w, ring);
}

/* Others have been asked while the server was waited for: they are not given the time again, unless that is long ago. */
static void test_asked_early(void **state)
{
	int64_t t = 1000 * NSEC_PER_SEC;

	for (unsigned long_ago = 0; long_ago < 2; long_ago++) {
		int64_t asked = t - (long_ago ? 5000 : 500) * NSEC_PER_MSEC;
		struct pktring *ring = NULL;
		unsigned sent = 0;
		struct world *w = linked(&sent, &ring);

		w->d->hold.asked_ns = asked;
		let_in(w);
		turn(w, t, DEVICE_SEARCHING);
		assert_true(w->d->hold.asked_ns == (long_ago ? t : asked));
		assert_int_equal(sent, long_ago ? 0 : 1);
		unlink_ring(w, ring);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_box_start),
		cmocka_unit_test(test_box_from_graph),
		cmocka_unit_test(test_box_one_channel),
		cmocka_unit_test(test_box_beyond),
		cmocka_unit_test(test_box_mute),
		cmocka_unit_test(test_box_to_graph),
		cmocka_unit_test(test_box_out_of_silence),
		cmocka_unit_test(test_software),
		cmocka_unit_test(test_ignore),
		cmocka_unit_test(test_other_mode),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_varying_goes_on),
		cmocka_unit_test(test_varying_begins_anew),
		cmocka_unit_test(test_latency),
		cmocka_unit_test(test_looked_for_early),
		cmocka_unit_test(test_asked_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
