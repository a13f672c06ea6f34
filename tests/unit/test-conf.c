/* The configuration: every value, every way to get it wrong, drop-ins, and the files that we ship. */
#include "daemon/conf-internal.h"

#include "base/util.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf-load.h"

#define DAC "[device a]\nmodel=dac8\nserial=1\ninterface=eth0\n" /* four lines */
#define ADC "[device a]\nmodel=adc8\nserial=1\ninterface=eth0\n"

/* --- good values --- */

static void test_empty(void **state)
{
	static const char *const texts[] = {
		"", "\n", "\n\n# x\n ; y\n", "\xef\xbb\xbf", "\xef\xbb\xbf[daemon]", "[daemon]\r\n"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct conf *conf = load_ok(texts[i]);

		assert_int_equal(conf->backend, CONF_BACKEND_AUTO);
		assert_string_equal(conf->client_name, "ethlink");
		assert_string_equal(conf->jack_server, "default");
		assert_string_equal(conf->interface, "");
		assert_int_equal(conf->log_level, LOG_INFO);
		assert_false(conf->qdisc_bypass);
		assert_int_equal(conf->socket_priority, 6);
		assert_int_equal(conf->sender, CONF_SENDER_AUTO);
		assert_int_equal(conf->fade_ms, 10);
		assert_int_equal(conf->bandwidth_mbit, CONF_BANDWIDTH_AUTO);
		assert_int_equal(conf->n_devices, 0);
		conf_unref(conf);
	}
	conf_unref(NULL);
}

static void test_daemon(void **state)
{
	struct conf *conf =
		load_ok("[daemon]\nbackend = pipewire\nclient-name = my.boxes-1\njack-server=second\n"
			"interface = eth0.5\nlog-level = debug\nqdisc-bypass = on\nsocket-priority = 0\n"
			"fade = 1000\nsender = thread\nbandwidth = 400000\n");

	assert_int_equal(conf->backend, CONF_BACKEND_PIPEWIRE);
	assert_string_equal(conf->client_name, "my.boxes-1");
	assert_string_equal(conf->jack_server, "second");
	assert_string_equal(conf->interface, "eth0.5");
	assert_int_equal(conf->log_level, LOG_DEBUG);
	assert_true(conf->qdisc_bypass);
	assert_int_equal(conf->socket_priority, 0);
	assert_int_equal(conf->sender, CONF_SENDER_THREAD);
	assert_int_equal(conf->fade_ms, 1000);
	assert_int_equal(conf->bandwidth_mbit, 400000);
	assert_int_equal(conf->where_key[CONF_DAEMON_FADE].line, 9);
	assert_string_equal(conf->where_key[CONF_DAEMON_FADE].file, "t");
	conf_unref(conf);
}

static void test_device(void **state)
{
	struct conf *conf = load_ok(
		"[daemon]\ninterface = eth7\n\n[device Stage_1-x]\nserial = 65535\nmodel = dac8\n"
		"gain = -56,0,1,2,3,4,5,+24\nmute=yes,no,on,off,true,false,1,0\nlatency = 960\nmonitor = 1\n"
		"labels = Main L, , Gr\xc3\xbc\xc3\x9f\x65;no comment ; comment\n"
		"connect = ,system:capture_2, a b:c:d\n"
		"[device mics]\nmodel = adc8\nserial = 0xfFfE\ninterface = eth1\ngain = 80\n"
		"phantom = yes, no\n");
	const struct conf_device *d = &conf->devices[0];

	assert_int_equal(conf->n_devices, 2);
	assert_string_equal(d->name, "Stage_1-x");
	assert_int_equal(d->serial, 65535);
	assert_int_equal(d->model, ETHLINK_DAC8);
	assert_string_equal(d->interface, "eth7");
	assert_int_equal(d->gain_db[0], -56);
	assert_int_equal(d->gain_db[6], 5);
	assert_int_equal(d->gain_db[7], 24);
	for (unsigned i = 0; i < ETHLINK_CHANNELS; i++) {
		assert_int_equal(d->mute[i], i % 2 == 0);
	}
	assert_int_equal(d->latency_frames, 960);
	assert_true(d->monitor);
	assert_string_equal(d->labels[0], "Main L");
	assert_null(d->labels[1]);
	assert_string_equal(d->labels[2], "Gr\xc3\xbc\xc3\x9f\x65;no comment");
	assert_null(d->labels[3]);
	assert_null(d->connect[0]);
	assert_string_equal(d->connect[1], "system:capture_2");
	assert_string_equal(d->connect[2], "a b:c:d");
	assert_int_equal(d->where.line, 4);
	assert_int_equal(d->where_key[CONF_DEVICE_MODEL].line, 6);
	assert_int_equal(d->where_key[CONF_DEVICE_INTERFACE].line, 2);
	assert_null(d->where_key[CONF_DEVICE_PHANTOM].file);

	d = &conf->devices[1];
	assert_int_equal(d->model, ETHLINK_ADC8);
	assert_int_equal(d->serial, 0xfffe);
	assert_string_equal(d->interface, "eth1");
	assert_int_equal(d->gain_db[0], 80);
	assert_int_equal(d->gain_db[7], 80);
	assert_true(d->phantom[0]);
	assert_false(d->phantom[1]);
	assert_int_equal(d->latency_frames, CONF_LATENCY_AUTO);
	conf_unref(conf);
}

static void assert_positions(const struct conf_device *d, const char *const want[ETHLINK_CHANNELS])
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		assert_string_equal(d->positions[k], want[k]);
	}
}

static void test_graph_keys(void **state)
{
	struct conf *conf =
		load_ok(DAC "positions = FL, FR,,AUX63 ,AUX9,LFE2,BRC , AUX0\nvolume = software\n"
			    "description = Gro\xc3\x9f\x65r Saal; links ; a comment\npreferred = yes\n"
			    "[device b]\nmodel=dac8\nserial=2\ninterface=eth0\nvolume = ignore\npositions = "
			    "AUX7,,,,,,,AUX0\n"
			    "description =\n");
	const struct conf_device *d = &conf->devices[0];

	assert_int_equal(d->volume, CONF_VOLUME_SOFTWARE);
	assert_string_equal(conf_device_description(d), "Gro\xc3\x9f\x65r Saal; links");
	assert_true(d->preferred);
	assert_positions(
		d, (const char *const[]){"FL", "FR", "AUX2", "AUX63", "AUX9", "LFE2", "BRC", "AUX0"});
	conf_unref(conf);
}

static void test_graph_defaults(void **state)
{
	static const char *const aux[] = {"AUX0", "AUX1", "AUX2", "AUX3", "AUX4", "AUX5", "AUX6", "AUX7"};
	struct conf *conf = load_ok(DAC "positions =\n[device b]\nmodel=dac8\nserial=2\ninterface=eth0\n");

	for (unsigned i = 0; i < conf->n_devices; i++) {
		const struct conf_device *d = &conf->devices[i];

		assert_int_equal(d->volume, CONF_VOLUME_BOX);
		assert_string_equal(conf_device_description(d), d->name);
		assert_false(d->preferred);
		assert_positions(d, aux);
	}
	conf_unref(conf);
}

static void test_volume_words(void **state)
{
	static const char *const words[] = {"box", "software", "ignore"};
	char text[256];

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		struct conf *conf;

		sprintf(text, DAC "volume = %s\n", words[i]);
		conf = load_ok(text);
		assert_int_equal(conf->devices[0].volume, i);
		assert_string_equal(conf_volume_to_string(conf->devices[0].volume), words[i]);
		conf_unref(conf);
	}
}

static void test_lines(void **state)
{
	/* Indented lines (which a library may take for the value going on), CRLF, no line end at the end. */
	struct conf *conf =
		load_ok("\xef\xbb\xbf# x\r\n  [ device   a ] ; c\r\n\tmodel = dac8 ; c\r\n"
			"    serial = 1 \t ;c\r\n  # gain = 3\r\n\r\n   interface = eth0\r\n  gain = 3");

	assert_int_equal(conf->devices[0].gain_db[0], 3);
	assert_int_equal(conf->devices[0].serial, 1);
	conf_unref(conf);
}

static void test_indented_unknown_key(void **state)
{
	load_bad(DAC "  phantoms = 1",
		"t:5: phantoms: unknown key in [device a]|model, serial, interface, gain");
}

static void test_one_for_all(void **state)
{
	struct conf *conf = load_ok(
		DAC "gain=3\nmute=on\n[device b]\nmodel=adc8\nserial=1\ninterface=eth0\nphantom=on\n");

	for (unsigned i = 0; i < ETHLINK_CHANNELS; i++) {
		assert_int_equal(conf->devices[0].gain_db[i], 3);
		assert_true(conf->devices[0].mute[i]);
	}
	assert_true(conf->devices[1].phantom[0] && conf->devices[1].phantom[1]);
	conf_unref(conf);
}

static void test_limits_are_allowed(void **state)
{
	char text[8192];
	struct conf *conf;
	size_t len;

	/* 32 devices, a name of 32 bytes, an interface of 15, a label of 63, a line of 4096 */
	len = (size_t)sprintf(text,
		"[daemon]\ninterface = %015d\n[device %032d]\nmodel=dac8\nserial=0\nlabels=%063d\n", 1, 2, 3);
	for (int i = 1; i < CONF_DEVICES_MAX; i++) {
		len += (size_t)sprintf(text + len, "[device d%d]\nmodel=dac8\nserial=%d\n", i, i);
	}
	len += (size_t)sprintf(text + len, "#%04095d\n", 0);
	assert_true(len < sizeof(text));
	conf = load_ok(text);
	assert_int_equal(conf->n_devices, CONF_DEVICES_MAX);
	assert_int_equal(strlen(conf->devices[0].name), 32);
	assert_int_equal(strlen(conf->devices[0].labels[0]), 63);
	assert_int_equal(conf->devices[31].serial, 31);
	conf_unref(conf);
}

/* Eight port names at JACK's longest are more than inih's own line buffer holds. */
static void test_long_line(void **state)
{
	char text[4096] = DAC "connect=";
	struct conf *conf;

	for (int i = 0; i < ETHLINK_CHANNELS; i++) {
		sprintf(text + strlen(text), "%sc%d:%0316d", i ? "," : "", i, i);
	}
	conf = load_ok(text);
	for (int i = 0; i < ETHLINK_CHANNELS; i++) {
		assert_int_equal(strlen(conf->devices[0].connect[i]), 319);
		assert_int_equal(conf->devices[0].connect[i][1], '0' + i);
		assert_int_equal(conf->devices[0].connect[i][318], '0' + i);
	}
	conf_unref(conf);
}

/* --- bad values --- */

struct bad {
	const char *line;
	const char *want; /* behind t:N: */
};

static void check_bad(const char *before, int line, const struct bad *bad, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char text[1024], want[512];

		snprintf(text, sizeof(text), "%s%s\n", before, bad[i].line);
		snprintf(want, sizeof(want), "t:%d: %s", line, bad[i].want);
		load_bad(text, want);
	}
}

static void test_bad_daemon(void **state)
{
	static const struct bad bad[] = {
		{"backend = alsa", "backend: 'alsa' is not allowed; write auto, jack or pipewire"},
		{"backend = ", "backend: '' is not allowed; write auto, jack or pipewire"},
		{"backend = JACK", "backend: 'JACK' is not allowed"},
		{"client-name = a:b", "client-name: 'a:b' is not allowed; write 1 to 32 letters, digits"},
		{"client-name =", "client-name: '' is not allowed"},
		{"client-name = 123456789012345678901234567890123",
			"client-name: '1234567890|1 to 32 letters"},
		{"jack-server = a/b", "jack-server: 'a/b' is not allowed; write 1 to 63 letters, digits"},
		{"interface = a/b",
			"interface: 'a/b' cannot be a network interface; a name has 1 to 15 bytes"},
		{"interface = a b", "interface: 'a b' cannot be a network interface"},
		{"interface = a:1", "interface: 'a:1' cannot be a network interface"},
		{"interface = ..", "interface: '..' cannot be a network interface"},
		{"interface = ; x", "interface: '' cannot be a network interface"},
		{"interface = 1234567890123456",
			"interface: '1234567890123456' cannot be a network interface"},
		{"bandwidth = 0",
			"bandwidth: '0' is not allowed; write auto, unlimited, or 1 to 400000 (Mbit/s)"},
		{"bandwidth = 400001", "bandwidth: '400001' is not allowed"},
		{"bandwidth = -1", "bandwidth: '-1' is not allowed"},
		{"bandwidth = 99.5", "bandwidth: '99.5' is not allowed"},
		{"bandwidth = none", "bandwidth: 'none' is not allowed"},
		{"log-level = loud",
			"log-level: 'loud' is not allowed; write error, warning, notice, info or debug"},
		{"qdisc-bypass = maybe",
			"qdisc-bypass: 'maybe' is not allowed; write yes, no, on, off, true, false, 1 or 0"},
		{"qdisc-bypass = 2", "qdisc-bypass: '2' is not allowed"},
		{"socket-priority = 7",
			"socket-priority: '7' is not allowed; write a whole number from 0 to 6"},
		{"socket-priority = -1", "socket-priority: '-1' is not allowed"},
		{"socket-priority = 1x", "socket-priority: '1x' is not allowed"},
		{"sender = yes", "sender: 'yes' is not allowed; write auto, callback or thread"},
		{"fade = 1001",
			"fade: '1001' is not allowed; write a whole number from 0 to 1000 (milliseconds)"},
		{"fade = 4294967296", "fade: '4294967296' is not allowed"},
		{"fade = 99999999999999999999", "fade: '99999999999999999999' is not allowed"},
		{"gain = 3", "gain: unknown key in [daemon]; there are backend, client-name, jack-server, "
			     "interface, bandwidth, log-level, qdisc-bypass, socket-priority, sender, "
			     "fade"},
	};

	check_bad("[daemon]\n", 2, bad, ARRAY_SIZE(bad));
}

static void test_bad_dac(void **state)
{
	static const struct bad bad[] = {
		{"gain = 25", "gain: 25 dB is out of range; a dac8 takes -56 to 24 dB"},
		{"gain = -57", "gain: -57 dB is out of range; a dac8 takes -56 to 24 dB"},
		{"gain = 0,0,0,0,0,0,0,25",
			"gain: 25 dB for channel 8 is out of range; a dac8 takes -56 to 24 dB"},
		{"gain = 1.5", "gain: '1.5' is not allowed; write a gain in whole dB"},
		{"gain = 0,0,0,x,0,0,0,0", "gain: 'x' is not allowed; write a gain in whole dB"},
		{"gain = ", "gain: '' is not allowed; write a gain in whole dB"},
		{"gain = -", "gain: '-' is not allowed; write a gain in whole dB"},
		{"gain = 1,2", "gain: 2 values; write one for all channels, or eight separated by commas"},
		{"gain = 1,2,3,4,5,6,7,8,9", "gain: 9 values; write one for all channels, or eight"},
		{"mute = maybe", "mute: 'maybe' is not allowed; write yes, no, on, off, true, false, 1 or 0"},
		{"mute = 1,0", "mute: 2 values; write one for all channels, or eight separated by commas"},
		{"mute = 1,1,1,1,1,1,1,1,1", "mute: 9 values; write one for all channels"},
		{"phantom = no", "phantom: is not allowed in [device a]: a dac8 has outputs only"},
		{"latency = 961", "latency: '961' is not allowed; write auto, or 0 to 960 sample frames"},
		{"latency = -1", "latency: '-1' is not allowed; write auto, or 0 to 960 sample frames"},
		{"latency = yes", "latency: 'yes' is not allowed"},
		{"takeover = perhaps", "takeover: 'perhaps' is not allowed; write yes, no"},
		{"monitor = 3", "monitor: '3' is not allowed; write yes, no"},
		{"positions = fl", "positions: 'fl' is not a position; write AUX0 to AUX63, or|FL, FR, FC"},
		{"positions = FL,XX", "positions: 'XX' is not a position"},
		{"positions = AUX64", "positions: 'AUX64' is not a position"},
		{"positions = AUX", "positions: 'AUX' is not a position"},
		{"positions = AUX01", "positions: 'AUX01' is not a position"},
		{"positions = AUX-1", "positions: 'AUX-1' is not a position"},
		{"positions = AUX99999999999", "positions: 'AUX99999999999' is not a position"},
		{"positions = UNK", "positions: 'UNK' is not a position"},
		{"positions = FL,FR,FL", "positions: FL is given to channel 1 and to channel 3; give each"},
		{"positions = FL,FR,AUX7",
			"positions: AUX7 is given to channel 3 and to channel 8; give each|AUX0 to AUX7"},
		{"positions = 1,2,3,4,5,6,7,8,9",
			"positions: 9 values; write up to eight separated by commas"},
		{"volume = loud", "volume: 'loud' is not allowed; write box, software or ignore"},
		{"volume =", "volume: '' is not allowed; write box, software or ignore"},
		{"volume = Box", "volume: 'Box' is not allowed"},
		{"description = \xe4", "description: '?' is not UTF-8 text"},
		{"description = a\x01\x62",
			"description: 'a?b' is not UTF-8 text, or has control characters"},
		{"preferred = always", "preferred: 'always' is not allowed; write yes, no"},
		{"labels = 1,2,3,4,5,6,7,8,9", "labels: 9 values; write up to eight separated by commas"},
		{"labels = a, \xe4", "labels: '?' is not UTF-8 text"},
		{"labels = \xc0\xaf", "labels: '\?\?' is not UTF-8 text"},
		{"labels = \xed\xa0\x80", "labels: '\?\?\?' is not UTF-8 text"},
		{"labels = a\x01\x62", "labels: 'a?b' is not UTF-8 text, or has control characters"},
		{"labels = a\xc2\x9b\x62", "labels: 'a\?\?b' is not UTF-8 text, or has control characters"},
		{"labels = 1234567890123456789012345678901234567890123456789012345678901234",
			"labels: '1234567|...' is too long: 64 bytes; a label has at most 63"},
		{"connect = capture_1", "connect: 'capture_1' is not a port; write client:port"},
		{"connect = :x", "connect: ':x' is not a port"},
		{"connect = a:b, x:", "connect: 'x:' is not a port"},
		{"connect = a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,", "connect: 9 values; write up to eight"},
		{"colour = red",
			"colour: unknown key in [device a]; there are model, serial, interface, gain, mute, "
			"phantom, latency, monitor, labels, connect, takeover, positions, volume, "
			"description, "
			"preferred"},
		{"Gain = 3", "Gain: unknown key in [device a]"},
		{"serial = 2", "serial: is given twice in [device a]; first in line 3"},
		{"interface", "'interface' has no =; write KEY = VALUE"},
		{"gain: 3", "'gain: 3' has no =; write KEY = VALUE"},
		{"= 3", "'' before the = is not a key; write KEY = VALUE"},
		{"gain 1 = 3", "'gain 1' before the = is not a key"},
		{"g:ain = 3", "'g:ain' before the = is not a key"},
		{"\xff\xfe\x01 = 3", "'\?\?\?' before the = is not a key"},
		{"12345678901234567890123456789012345678901234567890123456789012345678901234567890 = 3",
			"'12345678901234567890|...': unknown key"},
	};

	check_bad(DAC, 5, bad, ARRAY_SIZE(bad));
}

/* The longest that there may be, and one byte more. */
static void test_bad_description(void **state)
{
	char text[512];
	struct conf *conf;

	sprintf(text, DAC "description = %0127d\n", 1);
	conf = load_ok(text);
	assert_int_equal(strlen(conf->devices[0].description), 127);
	conf_unref(conf);
	sprintf(text, DAC "description = %0128d\n", 1);
	load_bad(text, "t:5: description: '000|...' is too long: 128 bytes; a description has at most 127");
}

static void test_bad_adc(void **state)
{
	static const struct bad bad[] = {
		{"gain = -1", "gain: -1 dB is out of range; an adc8 takes 0 to 80 dB"},
		{"gain = 81", "gain: 81 dB is out of range; an adc8 takes 0 to 80 dB"},
		{"phantom = 48", "phantom: '48' is not allowed; write yes"},
		{"phantom = 1,0,1",
			"phantom: 3 values; write one for all channels, or two separated by a comma"},
		{"monitor = no", "monitor: is not allowed in [device a]: an adc8"},
	};

	check_bad(ADC, 5, bad, ARRAY_SIZE(bad));
}

static void test_bad_serial(void **state)
{
	static const char *const serials[] = {
		"65536", "-1", "0x", "0x10000", "1e3", "", "4294967296", "ff", "+3", "0 1"};

	for (size_t i = 0; i < ARRAY_SIZE(serials); i++) {
		char text[128], want[128];

		sprintf(text, "[device a]\nmodel=dac8\ninterface=eth0\nserial = %s\n", serials[i]);
		sprintf(want, "t:4: serial: '%s' is not allowed; write the box's serial number, 0 to 65535",
			serials[i]);
		load_bad(text, want);
	}
}

/* Wrong in two ways, and said once each. */
static void test_bad_gain_elements(void **state)
{
	load_bad(DAC "gain = 99,0,x,0,0,0,0,y\n", "t:5: gain: 'x' is not allowed",
		"t:5: gain: 'y' is not allowed", "t:5: gain: 99 dB for channel 1|a dac8 takes -56 to 24 dB");
}

/* The range of a gain depends on a model that may stand below it. */
static void test_model_after_gain(void **state)
{
	load_bad("[device a]\ngain = 60\nmodel = dac8\nserial = 1\ninterface = x\n",
		"t:2: gain: 60 dB is out of range; a dac8 takes -56 to 24 dB");
	conf_unref(load_ok("[device a]\ngain = 60\nmodel = adc8\nserial = 1\ninterface = x\n"));
}

static void test_missing(void **state)
{
	load_bad("\n[device a]\n", "t:2: model: is missing in [device a]; write model = dac8 or model = adc8",
		"t:2: serial: is missing in [device a]|0 to 65535",
		"t:2: interface: is missing in [device a]|here or, for all devices, in [daemon]");
	/* What is there but wrong is not missing too. */
	load_bad("[device a]\nmodel = x\nserial = x\ninterface = /\n", "t:2: model: 'x'", "t:3: serial: 'x'",
		"t:4: interface: '/'");
	load_bad("[device a]\nmodel=dac8\nserial=3\n[daemon]\ninterface = /\n", "t:5: interface: '/'");
}

static void test_bad_sections(void **state)
{
	load_bad("x = 3\n[daemon]\n", "t:1: x: stands before the first section");
	load_bad("[demon]\nfoo = bar\n[nix]\n",
		"t:1: [demon]: unknown section; write [daemon], [device NAME] or [netvst NAME]",
		"t:3: [nix]: unknown section");
	load_bad("[]\n[Daemon]\n", "t:1: []: unknown section", "t:2: [Daemon]: unknown section");
	load_bad("[daemon x]\nfade = x\n", "t:1: [daemon x]: [daemon] takes no name", "t:2: fade: 'x'");
	load_bad("[device]\n[device ]\nmodel = x\n", "t:1: [device]: a device needs a name",
		"t:2: [device]: a device", "t:3: model: 'x'");
	load_bad("[device a/b]\n[device a b]\n[device \xc3\xa4]\n",
		"t:1: [device a/b]: this name is not allowed; write [device NAME] with 1 to 32 letters, "
		"digits, - and _",
		"t:2: [device a b]: this name", "t:3: [device \xc3\xa4]: this name");
	load_bad("[device 123456789012345678901234567890123]\n",
		"t:1: [device 123456789012345678901234567890123]: this name");
	load_bad("[daemon\nfade = x\n[device a\n", "t:1: '[daemon': this section is not closed",
		"t:3: '[device a': this section is not closed");
	load_bad("[daemon] fade = 3\n", "t:1: [daemon]: 'fade = 3' behind the ] is not allowed");
	load_bad("[daemon]\n[daemon]\nfade = x\n",
		"t:2: [daemon]: a second section of this name; the first is in line 1", "t:3: fade: 'x'");
	load_bad(DAC "[device a]\nmodel = x\n",
		"t:5: [device a]: a second section of this name; the first is in line 1", "t:6: model: 'x'");
	load_bad("[device a]\x01\n", "t:1: [device a]: '?' behind the ]", "t:1: model: is missing",
		"t:1: serial: is missing", "t:1: interface: is missing");
}

static void test_same_box(void **state)
{
	load_bad(DAC "[device b]\ninterface=eth0\nserial=0x1\nmodel=dac8\n",
		"t:5: [device b]: the same box as [device a] in t:1: dac8 1 on eth0");
	/* A box that is not known for certain is not the same as another one. */
	load_bad(DAC "[device b]\ninterface=eth0\nserial=1\nmodel=dac8\nserial=x\n",
		"t:9: serial: is given twice", "t:9: serial: 'x'");
	load_bad("[daemon]\ninterface=eth0\n" DAC "[device b]\nserial=1\nmodel=dac8\n",
		"t:7: [device b]: the same box as [device a] in t:3: dac8 1 on eth0");
	/* The same number on another interface or of the other model is another box. */
	conf_unref(load_ok(DAC "[device b]\ninterface=eth1\nserial=1\nmodel=dac8\n"
			       "[device c]\ninterface=eth0\nserial=1\nmodel=adc8\n"));
}

static void test_too_many_devices(void **state)
{
	char text[4096] = "[daemon]\ninterface=e\n";

	for (int i = 0; i < CONF_DEVICES_MAX + 2; i++) {
		sprintf(text + strlen(text), "[device d%d]\nmodel=dac8\nserial=%d\n", i, i);
	}
	strcat(text, "fade = x\n");
	load_bad(
		text, "t:99: [device d32]: one device too many; there may be 32", "t:105: fade: unknown key");
}

static void test_bad_lines(void **state)
{
	static const char *const nul[] = {"t:2: the line has a NUL byte", "t:4: fade: 'x'", NULL};
	static const char nul_text[] = "[daemon]\nfade = \0 3\n\nfade = x\n";
	static const char *const utf16[] = {
		"t:1: the line has a NUL byte", "t:2: the line has a NUL byte", NULL};
	static const char utf16_text[] = "[\0d\0a\0\n\0x\0";
	char text[5000];

	load_bad_len(nul_text, sizeof(nul_text) - 1, nul);
	load_bad_len(utf16_text, sizeof(utf16_text) - 1, utf16);
	sprintf(text, "[daemon]\nfade = %04091d\nfade = x\n", 0);
	load_bad(text, "t:2: the line has 4098 bytes; 4096 are allowed", "t:3: fade: 'x'");
	/* A byte order mark belongs to the beginning of a file. */
	load_bad("[daemon]\n\357\273\277fade = 3\n", "t:2: '\357\273\277fade' before the = is not a key");
	/* A bare = and the last line without an end */
	load_bad("[daemon]\n=", "t:2: '' before the = is not a key");
}

static void test_all_are_told(void **state)
{
	char *text = calloc(1, 100 * 1000);
	struct messages m = {0};
	struct conf *conf = NULL;

	strcpy(text, "[daemon]\n");
	for (int i = 0; i < 300; i++) {
		sprintf(text + strlen(text), "k%d = 1\n", i);
	}
	assert_int_equal(conf_load_text("t", text, strlen(text), collect, &m, &conf), -EINVAL);
	assert_int_equal(m.n, 300);
	for (unsigned i = 0; i < m.n; i++) {
		char want[32];

		sprintf(want, "t:%u: k%u: ", i + 2, i);
		assert_memory_equal(m.text[i], want, strlen(want));
	}
	messages_free(&m);
	for (int i = 300; i < 700; i++) {
		sprintf(text + strlen(text), "k%d = 1\n", i);
	}
	assert_int_equal(conf_load_text("t", text, strlen(text), collect, &m, &conf), -EINVAL);
	assert_int_equal(m.n, CONF_ERRORS_MAX + 1);
	assert_string_equal(m.text[CONF_ERRORS_MAX], "t: 200 more errors are not shown; repair these first");
	messages_free(&m);
	assert_int_equal(conf_load_text("t", text, strlen(text), NULL, NULL, &conf), -EINVAL);
	free(text);
}

/* --- reading back --- */

static void assert_strings_equal(char *const *a, char *const *b)
{
	for (unsigned i = 0; i < ETHLINK_CHANNELS; i++) {
		assert_int_equal(!a[i], !b[i]);
		if (a[i]) {
			assert_string_equal(a[i], b[i]);
		}
	}
}

static void assert_conf_equal(const struct conf *a, const struct conf *b)
{
	assert_int_equal(a->backend, b->backend);
	assert_string_equal(a->client_name, b->client_name);
	assert_string_equal(a->jack_server, b->jack_server);
	assert_string_equal(a->interface, b->interface);
	assert_int_equal(a->log_level, b->log_level);
	assert_int_equal(a->qdisc_bypass, b->qdisc_bypass);
	assert_int_equal(a->socket_priority, b->socket_priority);
	assert_int_equal(a->sender, b->sender);
	assert_int_equal(a->fade_ms, b->fade_ms);
	assert_int_equal(a->bandwidth_mbit, b->bandwidth_mbit);
	assert_int_equal(a->n_netvsts, b->n_netvsts);
	assert_int_equal(a->n_devices, b->n_devices);
	for (unsigned i = 0; i < a->n_devices; i++) {
		const struct conf_device *d = &a->devices[i], *e = &b->devices[i];

		assert_string_equal(d->name, e->name);
		assert_int_equal(d->model, e->model);
		assert_int_equal(d->serial, e->serial);
		assert_string_equal(d->interface, e->interface);
		assert_memory_equal(d->gain_db, e->gain_db, sizeof(d->gain_db));
		assert_memory_equal(d->mute, e->mute, sizeof(d->mute));
		assert_memory_equal(d->phantom, e->phantom, sizeof(d->phantom));
		assert_int_equal(d->latency_frames, e->latency_frames);
		assert_int_equal(d->monitor, e->monitor);
		assert_int_equal(d->takeover, e->takeover);
		assert_strings_equal(d->labels, e->labels);
		assert_strings_equal(d->connect, e->connect);
		assert_memory_equal(d->positions, e->positions, sizeof(d->positions));
		assert_int_equal(d->volume, e->volume);
		assert_string_equal(conf_device_description(d), conf_device_description(e));
		assert_int_equal(d->preferred, e->preferred);
	}
}

static void check_round_trip(const char *text)
{
	struct conf *conf = load_ok(text), *again;
	size_t len;
	char *printed = print_to_string(conf, &len);

	again = load_ok_len(printed, len);
	assert_conf_equal(conf, again);
	free(printed);
	conf_unref(conf);
	conf_unref(again);
}

static void test_round_trip(void **state)
{
	check_round_trip("");
	check_round_trip(
		"[daemon]\nbackend=jack\nclient-name=c\njack-server=s\ninterface=eth0\nlog-level=error\n"
		"qdisc-bypass=1\nsocket-priority=2\nsender=callback\nfade=0\n");
	check_round_trip(DAC);
	check_round_trip(DAC "gain=1,2,3,4,5,6,7,-8\nmute=0,0,0,0,0,0,0,1\nlatency=0\nmonitor=yes\ntakeover="
			     "yes\nlabels=,,x\n"
			     "connect=a:b,,,,,,,c:d e\n");
	check_round_trip("[daemon]\nbandwidth=unlimited\n");
	check_round_trip("[daemon]\nbandwidth=1\n");
	check_round_trip("[daemon]\nbandwidth=auto\n");
	check_round_trip(DAC "labels=a=;b,#2 c;d\n");
	check_round_trip(DAC "positions=FL,,AUX8\nvolume=software\ndescription=a;b, c\npreferred=1\n");
	check_round_trip(DAC "volume=ignore\ndescription=#1\n");
	check_round_trip(DAC "labels=#1,=\n");
	check_round_trip(DAC "labels=a,;b, c\n");
	check_round_trip(DAC "labels=a];b\n");
	check_round_trip(
		"[daemon]\ninterface=eth1\n" ADC "phantom=0,1\ngain=80\n[device z]\nmodel=dac8\nserial=9\n");
}

/* What starts a comment when printed must start one when read, however it is spaced. */
static void test_comment_rule(void **state)
{
	struct conf *conf = load_ok(DAC "labels=a,;b\n");

	assert_string_equal(conf->devices[0].labels[0], "a");
	assert_null(conf->devices[0].labels[1]);
	conf_unref(conf);
}

static void test_print_where(void **state)
{
	struct conf *conf = load_ok("[daemon]\nfade = 20\n" DAC);
	size_t len;
	char *printed;

	conf->backend = CONF_BACKEND_JACK;
	conf->where_key[CONF_DAEMON_BACKEND].line = CONF_COMMAND_LINE;
	printed = print_to_string(conf, &len);
	assert_non_null(strstr(printed, "backend = jack                   ; command line\n"));
	assert_non_null(strstr(printed, "fade = 20                        ; t:2\n"));
	assert_non_null(strstr(printed, "log-level = info                 ; default\n"));
	assert_non_null(strstr(printed, "[device a]                       ; t:3\n"));
	assert_non_null(strstr(printed, "serial = 1                       ; t:5\n"));
	free(printed);
	conf_unref(conf);
}

/* --- files --- */

struct folder {
	char path[64];
	char conf[128];
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int folder_setup(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/test-conf-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	snprintf(f->conf, sizeof(f->conf), "%s/e.conf", f->path);
	*state = f;
	return 0;
}

static int folder_teardown(void **state)
{
	struct folder *f = *state;

	nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static void put(const struct folder *f, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void make_folder(const struct folder *f, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

/* want: as in check_messages(), each behind the folder's path and a slash. */
static void load_files_bad(const struct folder *f, const char *const *want)
{
	struct messages m = {0}, cut = {0};
	struct conf *conf = NULL;

	assert_int_equal(conf_load(f->conf, collect, &m, &conf), -EINVAL);
	for (unsigned i = 0; i < m.n; i++) {
		assert_memory_equal(m.text[i], f->path, strlen(f->path));
		collect(&cut, m.text[i] + strlen(f->path) + 1);
	}
	check_messages(&cut, want);
	messages_free(&m);
	messages_free(&cut);
}

static void test_file_errors(void **state)
{
	struct folder *f = *state;
	char *big = malloc(CONF_FILE_MAX + 2);

	load_files_bad(f, (const char *const[]){"e.conf: there is no such file|-c", NULL});
	memset(big, '\n', CONF_FILE_MAX + 1);
	big[CONF_FILE_MAX + 1] = '\0';
	put(f, "e.conf", big);
	load_files_bad(f, (const char *const[]){"e.conf: is larger than 1 MiB", NULL});
	remove(f->conf);
	if (geteuid() != 0) {
		put(f, "e.conf", "");
		assert_int_equal(chmod(f->conf, 0), 0);
		load_files_bad(f, (const char *const[]){"e.conf: cannot be opened: Permission denied", NULL});
		remove(f->conf);
	}
	make_folder(f, "e.conf");
	load_files_bad(f, (const char *const[]){"e.conf: is a folder; name a file", NULL});
	remove(f->conf);
	/* Nobody writes to it: a reader that waits would wait for ever. */
	assert_int_equal(mkfifo(f->conf, 0600), 0);
	load_files_bad(f, (const char *const[]){"e.conf: is not a regular file", NULL});
	free(big);
}

static void test_largest_file(void **state)
{
	struct folder *f = *state;
	char *big = malloc(CONF_FILE_MAX + 1);
	struct messages m = {0};
	struct conf *conf = NULL;

	memset(big, '\n', CONF_FILE_MAX);
	big[CONF_FILE_MAX] = '\0';
	put(f, "e.conf", big);
	assert_int_equal(conf_load(f->conf, collect, &m, &conf), 0);
	assert_int_equal(m.n, 0);
	conf_unref(conf);
	free(big);
}

static void test_drop_ins(void **state)
{
	struct folder *f = *state;
	struct messages m = {0};
	struct conf *conf = NULL;

	put(f, "e.conf",
		"[daemon]\nfade = 1\nlog-level = error\n[device a]\nmodel = dac8\nserial = 1\ngain = 1\n");
	make_folder(f, "e.conf.d");
	put(f, "e.conf.d/20.conf", "[daemon]\nfade = 20\n[device a]\ngain = 20\n");
	put(f, "e.conf.d/10.conf",
		"[device a]\n\ngain = 10\nmute = yes\n[device b]\nmodel = dac8\nserial = 2\n"
		"[daemon]\nfade = 10\ninterface = eth0\n");
	put(f, "e.conf.d/30.conf~", "nonsense\n");
	put(f, "e.conf.d/.40.conf", "nonsense\n");
	put(f, "e.conf.d/conf", "nonsense\n");
	assert_int_equal(conf_load(f->conf, collect, &m, &conf), 0);
	assert_int_equal(m.n, 0);
	assert_int_equal(conf->n_files, 3);
	assert_int_equal(conf->fade_ms, 20);
	assert_int_equal(conf->log_level, LOG_ERROR);
	assert_int_equal(conf->n_devices, 2);
	assert_int_equal(conf->devices[0].gain_db[7], 20);
	assert_true(conf->devices[0].mute[3]);
	assert_string_equal(conf->devices[0].interface, "eth0");
	assert_string_equal(conf->devices[0].where.file, f->conf);
	assert_int_equal(conf->devices[0].where.line, 4);
	assert_string_equal(
		conf->devices[0].where_key[CONF_DEVICE_GAIN].file + strlen(f->path), "/e.conf.d/20.conf");
	assert_int_equal(conf->devices[0].where_key[CONF_DEVICE_GAIN].line, 4);
	assert_string_equal(conf->devices[1].name, "b");
	conf_unref(conf);
}

static void test_drop_in_errors(void **state)
{
	struct folder *f = *state;

	put(f, "e.conf",
		"[daemon]\ninterface=eth0\n[device a]\nmodel = dac8\nserial = 1\ngain = 99\nphantom = no\n");
	make_folder(f, "e.conf.d");
	make_folder(f, "e.conf.d/05.conf");
	put(f, "e.conf.d/10.conf", "\n[device a]\ngain = -77\ngain = 3\nlatency = x\n[device a]\n");
	put(f, "e.conf.d/20.conf", "[device b]\nmodel=dac8\n\nserial=1\n[device a]\ngain = 44\n");
	load_files_bad(f, (const char *const[]){
				  "e.conf:7: phantom: is not allowed",
				  "e.conf.d/05.conf: is a folder; name a file",
				  "e.conf.d/10.conf:4: gain: is given twice in [device a]; first in line 3",
				  "e.conf.d/10.conf:5: latency: 'x'",
				  "e.conf.d/10.conf:6: [device a]: a second section of this name; the first "
				  "is in line 2",
				  "e.conf.d/20.conf:1: [device b]: the same box as [device a] in |/e.conf:3: "
				  "dac8 1 on eth0",
				  "e.conf.d/20.conf:6: gain: 44 dB is out of range",
				  NULL,
			  });
}

/* An overridden value is not looked at, and one that cannot be read leaves nothing of it behind. */
static void test_drop_in_overrides_wrong_gain(void **state)
{
	struct folder *f = *state;

	put(f, "e.conf", DAC "gain = 99\n");
	make_folder(f, "e.conf.d");
	put(f, "e.conf.d/10.conf", "[device a]\ngain = x\n");
	load_files_bad(f, (const char *const[]){"e.conf.d/10.conf:2: gain: 'x' is not allowed", NULL});
}

/* --- what we ship --- */

static char *read_source(const char *name)
{
	const char *srcdir = getenv("srcdir");
	char path[1024], *text = calloc(1, 64 * 1024);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", srcdir ? srcdir : ".", name);
	f = fopen(path, "r");
	if (!f) {
		fail_msg("%s cannot be opened; run the test in the top folder, or set srcdir to it", path);
	}
	assert_true(fread(text, 1, 64 * 1024 - 1, f) > 0);
	fclose(f);
	return text;
}

#define EXAMPLE_LINES 300

/* What a line of the example would be without its ; where it is a key or heading that is switched off. */
static char *switched_off(char *line)
{
	return line[0] == ';' && (line[1] == '[' || (line[1] >= 'a' && line[1] <= 'z')) ? line + 1 : NULL;
}

static unsigned cut_lines(char *text, char *lines[EXAMPLE_LINES])
{
	unsigned n = 0;

	for (char *s = strtok(text, "\n"); s; s = strtok(NULL, "\n")) {
		assert_true(n < EXAMPLE_LINES);
		lines[n++] = s;
	}
	return n;
}

/* heading, the keys that such a section must have, and the one at hand; all from the example. */
static void check_one_key(char **lines, unsigned n, unsigned heading, unsigned key)
{
	bool device = strstr(lines[heading], "[device") != NULL;
	bool netvst = strstr(lines[heading], "[netvst") != NULL;
	/* No other dialect has them. */
	bool audiokit = strstr(lines[key], "cc-params") != NULL;
	char text[1024];
	struct conf *conf;

	sprintf(text, "%s\n", switched_off(lines[heading]) ? switched_off(lines[heading]) : lines[heading]);
	for (unsigned i = heading + 1; i < n && !strchr("[", lines[i][0]) && lines[i][1] != '['; i++) {
		const char *s = switched_off(lines[i]);
		bool needed =
			s && ((device && (strncmp(s, "model", 5) == 0 || strncmp(s, "serial", 6) == 0 ||
						 strncmp(s, "interface", 9) == 0)) ||
				     (netvst && (strncmp(s, "role", 4) == 0 || strncmp(s, "host", 4) == 0)));

		if (s && (needed || i == key)) {
			sprintf(text + strlen(text), "%s\n", s);
		}
	}
	strcat(text, audiokit ? "dialect = audiokit\n" : "");
	conf = load_ok(text);
	assert_int_equal(conf->n_devices, device ? 1 : 0);
	assert_int_equal(conf->n_netvsts, netvst ? 1 : 0);
	conf_unref(conf);
}

static void test_example(void **state)
{
	char *text = read_source("conf/ethlinkd.conf");
	char *lines[EXAMPLE_LINES], all[32 * 1024] = "";
	struct conf *conf = load_ok(text);
	unsigned n, heading = 0, keys = 0;

	assert_int_equal(conf->n_devices + conf->n_netvsts, 0);
	conf_unref(conf);
	n = cut_lines(text, lines);
	for (unsigned i = 0; i < n; i++) {
		char *s = switched_off(lines[i]) ? switched_off(lines[i]) : lines[i];

		sprintf(all + strlen(all), "%s\n", s);
		if (*s == '[') {
			heading = i;
		} else if (switched_off(lines[i])) {
			check_one_key(lines, n, heading, i);
			keys++;
		}
	}
	/* model, serial and interface stand in both examples of a device, role in both of NetVST */
	assert_int_equal(keys, CONF_DAEMON_KEYS + CONF_DEVICE_KEYS + 3 + CONF_NETVST_KEYS + 1);
	conf = load_ok(all);
	assert_int_equal(conf->n_devices, 2);
	assert_int_equal(conf->n_netvsts, 2);
	conf_unref(conf);
	free(text);
}

/* The example shows defaults where there are any. */
static void test_example_defaults(void **state)
{
	char *text = read_source("conf/ethlinkd.conf"), *end;
	struct conf *shown, *none = load_ok("");

	end = strstr(text, ";[device");
	assert_non_null(end);
	*end = '\0';
	for (char *s = strstr(text, "\n;"); s; s = strstr(s + 1, "\n;")) {
		s[1] = ' ';
	}
	shown = load_ok(text);
	assert_string_not_equal(shown->interface, "");
	shown->interface[0] = '\0';
	assert_conf_equal(shown, none);
	conf_unref(shown);
	conf_unref(none);
	free(text);
}

static bool has_line(const char *text, const char *before, const char *name, const char *behind)
{
	char want[64];

	snprintf(want, sizeof(want), "\n%s%s%s", before, name, behind);
	return strstr(text, want) != NULL;
}

static void check_documented(
	const char *example, const char *page, const struct conf_key *keys, unsigned n_keys)
{
	for (unsigned i = 0; i < n_keys; i++) {
		if (!has_line(example, ";", keys[i].name, " = ") ||
			!has_line(page, ".It Cm ", keys[i].name, "")) {
			fail_msg("%s is missing in the example or in ethlinkd.conf(5)", keys[i].name);
		}
	}
}

static void test_all_keys_are_documented(void **state)
{
	char *example = read_source("conf/ethlinkd.conf");
	char *page = read_source("man/ethlinkd.conf.5");

	check_documented(example, page, conf_daemon_keys, CONF_DAEMON_KEYS);
	check_documented(example, page, conf_device_keys, CONF_DEVICE_KEYS);
	/* Their own descriptions, as some keys are called as a device's. */
	check_documented(strstr(example, ";[netvst"), strstr(page, ".Sh [netvst NAME]"), conf_netvst_keys,
		CONF_NETVST_KEYS);
	free(example);
	free(page);
}

/* --- hostile input --- */

static void ignore(void *data, const char *text)
{
	unsigned *n = data;

	assert_true(strlen(text) < 2048);
	(*n)++;
}

static void test_noise(void **state)
{
	static const char alphabet[] = "[]=;#,:\n\n\n \t\rdevicedaemonab01-\xc3\xa4\xff";
	const size_t max = 100 * 1000;
	char *text = malloc(max);
	uint32_t x = 12345;

	for (unsigned round = 0; round < 60; round++) {
		size_t len = round < 50 ? 2000 : max;
		struct conf *conf = NULL;
		unsigned n = 0;
		int r;

		for (size_t i = 0; i < len; i++) {
			x = x * 1664525 + 1013904223;
			text[i] = round % 2 ? (char)(x >> 24) : alphabet[(x >> 16) % (sizeof(alphabet) - 1)];
		}
		r = conf_load_text("t", text, len, ignore, &n, &conf);
		assert_int_equal(r, -EINVAL);
		assert_true(n > 0 && n <= CONF_ERRORS_MAX + 1);
	}
	free(text);
}

static void test_one_endless_line(void **state)
{
	char *text = malloc(CONF_FILE_MAX);
	const char *const want[] = {"t:1: the line has 1048576 bytes; 4096 are allowed", NULL};

	memset(text, '[', CONF_FILE_MAX);
	load_bad_len(text, CONF_FILE_MAX, want);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_daemon),
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_graph_keys),
		cmocka_unit_test(test_graph_defaults),
		cmocka_unit_test(test_volume_words),
		cmocka_unit_test(test_bad_description),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_indented_unknown_key),
		cmocka_unit_test(test_one_for_all),
		cmocka_unit_test(test_limits_are_allowed),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_bad_daemon),
		cmocka_unit_test(test_bad_dac),
		cmocka_unit_test(test_bad_adc),
		cmocka_unit_test(test_bad_serial),
		cmocka_unit_test(test_bad_gain_elements),
		cmocka_unit_test(test_model_after_gain),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_bad_sections),
		cmocka_unit_test(test_same_box),
		cmocka_unit_test(test_too_many_devices),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_all_are_told),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_comment_rule),
		cmocka_unit_test(test_print_where),
		cmocka_unit_test_setup_teardown(test_file_errors, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_largest_file, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_drop_ins, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_drop_in_errors, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(
			test_drop_in_overrides_wrong_gain, folder_setup, folder_teardown),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_example_defaults),
		cmocka_unit_test(test_all_keys_are_documented),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_one_endless_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
