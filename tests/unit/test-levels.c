/* What counts of configuration and run time: what was said last. */
#include "base/util.h"
#include "daemon/levels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A box as configured: gains -7 .. 0, channels 2 and 4 muted, the first bank with phantom power. */
static void make_conf(struct conf_device *ret_conf)
{
	memset(ret_conf, 0, sizeof(*ret_conf));
	for (int k = 0; k < ETHLINK_CHANNELS; k++) {
		ret_conf->gain_db[k] = k - 7;
	}
	ret_conf->mute[1] = true;
	ret_conf->mute[3] = true;
	ret_conf->phantom[0] = true;
}

static void set_gain(struct overrides *o, const struct conf_device *conf, unsigned k, int db)
{
	o->gain_set[k] = true;
	o->value.gain_db[k] = db;
	o->conf.gain_db[k] = conf->gain_db[k];
}

static void set_mute(struct overrides *o, const struct conf_device *conf, unsigned k, bool mute)
{
	o->mute_set[k] = true;
	o->value.mute[k] = mute;
	o->conf.mute[k] = conf->mute[k];
}

static void set_phantom(struct overrides *o, const struct conf_device *conf, unsigned i, bool on)
{
	o->phantom_set[i] = true;
	o->value.phantom[i] = on;
	o->conf.phantom[i] = conf->phantom[i];
}

static void test_nothing_set(void **state)
{
	struct overrides o = {0};
	struct conf_device conf;
	struct levels l;

	make_conf(&conf);
	assert_true(overrides_empty(&o));
	assert_false(levels_merge(&conf, &o, &l));
	for (int k = 0; k < ETHLINK_CHANNELS; k++) {
		assert_int_equal(l.gain_db[k], k - 7);
		assert_int_equal(l.mute[k], k == 1 || k == 3);
	}
	assert_true(l.phantom[0]);
	assert_false(l.phantom[1]);
}

static void test_set_counts(void **state)
{
	struct overrides o = {0}, before;
	struct conf_device conf;
	struct levels l;

	make_conf(&conf);
	set_gain(&o, &conf, 2, 12);
	set_mute(&o, &conf, 3, false);
	set_mute(&o, &conf, 7, true);
	set_phantom(&o, &conf, 1, true);
	before = o;
	assert_false(overrides_empty(&o));
	/* However often: the configuration stays as it was. */
	for (unsigned i = 0; i < 3; i++) {
		assert_false(levels_merge(&conf, &o, &l));
		assert_memory_equal(&o, &before, sizeof(o));
	}
	for (int k = 0; k < ETHLINK_CHANNELS; k++) {
		assert_int_equal(l.gain_db[k], k == 2 ? 12 : k - 7);
		assert_int_equal(l.mute[k], k == 1 || k == 7);
	}
	assert_true(l.phantom[0]);
	assert_true(l.phantom[1]);
}

/* The configuration says another value than when it was set: that was said last. Other values stay. */
static void test_conf_changed(void **state)
{
	struct overrides o = {0};
	struct conf_device conf;
	struct levels l;

	make_conf(&conf);
	set_gain(&o, &conf, 2, 12);
	set_gain(&o, &conf, 3, 13);
	set_mute(&o, &conf, 3, false);
	set_mute(&o, &conf, 7, true);
	set_phantom(&o, &conf, 0, false);
	set_phantom(&o, &conf, 1, true);
	conf.gain_db[2] = -20;
	/* Not what was set at run time, and not what the configuration said; a mute has no third value. */
	conf.gain_db[5] = -30;
	assert_true(levels_merge(&conf, &o, &l));
	assert_int_equal(l.gain_db[2], -20);
	assert_int_equal(l.gain_db[3], 13);
	assert_int_equal(l.gain_db[5], -30);
	assert_false(l.mute[3]);
	assert_true(l.mute[7]);
	assert_false(o.gain_set[2]);
	assert_true(o.gain_set[3]);
	/* Once taken out it stays out, even if the configuration goes back. */
	conf.gain_db[2] = -5;
	assert_false(levels_merge(&conf, &o, &l));
	assert_int_equal(l.gain_db[2], -5);

	conf.mute[3] = false;
	assert_true(levels_merge(&conf, &o, &l));
	conf.phantom[0] = false;
	assert_true(levels_merge(&conf, &o, &l));
	assert_false(o.mute_set[3]);
	assert_true(o.mute_set[7]);
	assert_false(o.phantom_set[0]);
	assert_true(o.phantom_set[1]);
	assert_false(l.mute[3]);
	assert_false(l.phantom[0]);
	assert_true(l.phantom[1]);
}

/* Set to what the configuration says: then it is the configuration's, and follows it. */
static void test_set_to_conf(void **state)
{
	struct overrides o = {0};
	struct conf_device conf;
	struct levels l;

	make_conf(&conf);
	set_gain(&o, &conf, 0, conf.gain_db[0]);
	set_mute(&o, &conf, 1, true);
	set_phantom(&o, &conf, 0, true);
	assert_true(levels_merge(&conf, &o, &l));
	assert_true(overrides_empty(&o));
	assert_int_equal(l.gain_db[0], -7);
	assert_true(l.mute[1]);
	assert_true(l.phantom[0]);
	conf.gain_db[0] = 3;
	assert_false(levels_merge(&conf, &o, &l));
	assert_int_equal(l.gain_db[0], 3);
}

static void test_empty(void **state)
{
	struct overrides o = {.value.gain_db[0] = 3, .conf.mute[0] = true};
	bool *flags[] = {o.gain_set, o.mute_set, o.phantom_set};
	unsigned sizes[] = {ETHLINK_CHANNELS, ETHLINK_CHANNELS, LEVELS_PHANTOMS};

	assert_true(overrides_empty(&o));
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		for (unsigned k = 0; k < sizes[i]; k++) {
			flags[i][k] = true;
			assert_false(overrides_empty(&o));
			flags[i][k] = false;
		}
	}
	assert_true(overrides_empty(&o));
}

/* Nothing of it is in the configuration; all at 1 and not muted is the same as nothing. */
static void test_volume(void **state)
{
	float volume[ETHLINK_CHANNELS] = {1, 1, 1, 1, 1, 1, 1, 1};
	struct overrides o = {0};
	struct conf_device conf;
	struct levels l;

	make_conf(&conf);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		assert_true(overrides_volume(&o, k) == 1.0f);
	}
	overrides_set_volume(&o, volume, false);
	assert_true(overrides_empty(&o));
	overrides_set_volume(&o, volume, true);
	assert_false(overrides_empty(&o));
	assert_true(o.volume_mute);
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		volume[k] = 0.25f;
		overrides_set_volume(&o, volume, false);
		assert_false(overrides_empty(&o));
		assert_true(overrides_volume(&o, k) == 0.25f);
		assert_true(overrides_volume(&o, (k + 1) % ETHLINK_CHANNELS) == 1.0f);
		volume[k] = 1;
	}
	assert_false(levels_merge(&conf, &o, &l));
	assert_false(overrides_empty(&o));
	assert_false(o.volume_mute);
	overrides_set_volume(&o, volume, false);
	assert_true(overrides_empty(&o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_set),
		cmocka_unit_test(test_set_counts),
		cmocka_unit_test(test_conf_changed),
		cmocka_unit_test(test_set_to_conf),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_volume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
