/*
 * ethlinkctl status: what comes over the wire is read, and written as JSON and as text. A throw-away
 * sd-bus server in a thread stands for the daemon.
 */
#include "ctl/client.h"
#include "ctl/json.h"
#include "ctl/status.h"

#include "base/util.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "bus-server.h"

#define PATIENCE_MS 60000 /* of a client that is to be answered, however slow the machine */

typedef int (*fill_fn)(sd_bus_message *reply);

/* --- the daemon's part: no vtable, because sd-bus would hold wrong answers back --- */

struct server {
	int fd;
	bool listens; /* fd is to be accepted from */
	fill_fn fill;
	pthread_t thread;
};

static int get_status(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct server *server = data;
	sd_bus_message *reply = NULL;
	int r;

	if (!sd_bus_message_is_method_call(call, "org.ethlinkd1.Manager", "GetStatus")) {
		return 0;
	}
	if (!server->fill) {
		return sd_bus_error_set(error, "org.ethlinkd1.Error.Busy", "not now");
	}
	r = sd_bus_message_new_method_return(call, &reply);
	if (r >= 0) {
		r = server->fill(reply);
	}
	if (r >= 0) {
		r = sd_bus_send(NULL, reply, NULL);
	}
	sd_bus_message_unref(reply);
	return r < 0 ? r : 1;
}

static void *serve(void *data)
{
	struct server *server = data;
	int fd = server->listens ? accept4(server->fd, NULL, NULL, SOCK_CLOEXEC) : server->fd;

	bus_serve(fd, "/org/ethlinkd1", get_status, server);
	return NULL;
}

static void server_start(struct server *server, fill_fn fill, int fd, bool listens)
{
	*server = (struct server){.fd = fd, .listens = listens, .fill = fill};
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

/* What the reply holds, as the program would get it. */
static int ask(fill_fn fill, struct status *ret_status, char error[CLIENT_ERROR_MAX])
{
	struct server server;
	struct client client;
	sd_bus_message *reply = NULL;
	int fds[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	server_start(&server, fill, fds[0], false);
	assert_int_equal(client_open_fd(&client, fds[1], PATIENCE_MS, error), 0);
	r = client_call(&client, "GetStatus", &reply, error);
	if (r >= 0) {
		r = status_read(reply, ret_status);
	}
	sd_bus_message_unref(reply);
	client_close(&client);
	assert_int_equal(pthread_join(server.thread, NULL), 0);
	return r;
}

static void ask_ok(fill_fn fill, struct status *ret_status)
{
	char error[CLIENT_ERROR_MAX] = "";
	int r = ask(fill, ret_status, error);

	assert_string_equal(error, "");
	assert_int_equal(r, 0);
}

static int add_array(sd_bus_message *m, const char *name, const char *type, const void *items, size_t size)
{
	char signature[] = {'a', type[0], '\0'};
	int r;

	if ((r = sd_bus_message_open_container(m, 'e', "sv")) < 0 ||
		(r = sd_bus_message_append(m, "s", name)) < 0 ||
		(r = sd_bus_message_open_container(m, 'v', signature)) < 0 ||
		(r = sd_bus_message_append_array(m, type[0], items, size)) < 0 ||
		(r = sd_bus_message_close_container(m)) < 0) {
		return r;
	}
	return sd_bus_message_close_container(m);
}

static int add_mute(sd_bus_message *m, const int mute[8])
{
	int r;

	r = sd_bus_message_append(m, "{sv}", "mute", "ab", 8, mute[0], mute[1], mute[2], mute[3], mute[4],
		mute[5], mute[6], mute[7]);
	return r;
}

static int begin_reply(sd_bus_message *m, int connected)
{
	int r;

	if ((r = sd_bus_message_append(m, "a{sv}", 6, "version", "s", "0.1.0", "backend", "s", "jack",
		     "connected", "b", connected, "sample_rate", "u", 48000, "period", "u", 64, "xruns", "t",
		     UINT64_C(3))) < 0) {
		return r;
	}
	return sd_bus_message_open_container(m, 'a', "(a{sv})");
}

static int add_device(sd_bus_message *m, const char *name, const char *interface, const char *state)
{
	static const int gain[8] = {0, -56, 24, 1, 2, 3, 4, 5};
	static const int mute[8] = {0, 1, 0, 0, 0, 0, 0, 1};
	const double peak[8] = {-12.34, -INFINITY, 0.0, -0.04, 1.06, -100.0, NAN, INFINITY};
	int r;

	if ((r = sd_bus_message_open_container(m, 'r', "a{sv}")) < 0 ||
		(r = sd_bus_message_open_container(m, 'a', "{sv}")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "name", "s", name)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "model", "s", "dac8")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "serial", "q", 65535)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "mac", "s", "00:e8:da:c0:ff:ff")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "interface", "s", interface)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "state", "s", state)) < 0 ||
		(r = add_array(m, "gain_db", "i", gain, sizeof(gain))) < 0 || (r = add_mute(m, mute)) < 0 ||
		(r = add_array(m, "peak_dbfs", "d", peak, sizeof(peak))) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "frames_sent", "t", UINT64_MAX)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "frames_received", "t", UINT64_C(0))) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "frames_dropped", "t", UINT64_C(17))) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "replies", "t", UINT64_C(5))) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "latency_frames", "u", 72)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "clock_ppm", "d", (double)NAN)) < 0) {
		return r;
	}
	return 0;
}

static int end_device(sd_bus_message *m)
{
	int r = sd_bus_message_close_container(m);

	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int fill_one(sd_bus_message *m)
{
	int r;

	if ((r = begin_reply(m, 1)) < 0 || (r = add_device(m, "stage", "enp3s0", "online")) < 0 ||
		(r = end_device(m)) < 0) {
		return r;
	}
	return sd_bus_message_close_container(m);
}

/* --- JSON --- */

static char *json(const struct status *status)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	status_print_json(status, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(strlen(text), len);
	return text;
}

static void check_json(fill_fn fill, const char *want)
{
	struct status status;
	char *text;

	ask_ok(fill, &status);
	text = json(&status);
	assert_string_equal(text, want);
	free(text);
	status_fini(&status);
}

#define DAEMON_JSON \
	"{\n  \"version\": \"0.1.0\",\n  \"backend\": \"jack\",\n  \"connected\": true,\n" \
	"  \"sample_rate\": 48000,\n  \"period\": 64,\n  \"xruns\": 3,\n" \
	"  \"interfaces\": null,\n"
#define DEVICE_JSON(name) \
	"    {\n      \"name\": \"" name "\",\n      \"model\": \"dac8\",\n      \"serial\": 65535,\n" \
	"      \"mac\": \"00:e8:da:c0:ff:ff\",\n      \"interface\": \"enp3s0\",\n" \
	"      \"state\": \"online\",\n" \
	"      \"gain_db\": [0, -56, 24, 1, 2, 3, 4, 5],\n" \
	"      \"mute\": [false, true, false, false, false, false, false, true],\n" \
	"      \"peak_dbfs\": [-12.3, null, 0.0, 0.0, 1.1, -100.0, null, null],\n" \
	"      \"frames_sent\": 18446744073709551615,\n      \"frames_received\": 0,\n" \
	"      \"frames_dropped\": 17,\n      \"replies\": 5,\n      \"latency_frames\": 72,\n" \
	"      \"clock_ppm\": null,\n      \"gain_origin\": null,\n      \"mute_origin\": null,\n" \
	"      \"phantom\": null,\n      \"phantom_origin\": null,\n      \"labels\": null,\n" \
	"      \"gain_min_db\": null,\n      \"gain_max_db\": null,\n" \
	"      \"config_gain_db\": null,\n      \"config_mute\": null,\n" \
	"      \"hold_dbfs\": null,\n      \"clips\": null,\n" \
	"      \"volume\": null,\n      \"volume_db\": null,\n      \"volume_mute\": null,\n" \
	"      \"reason\": null"

static void test_json(void **state)
{
	check_json(fill_one, DAEMON_JSON "  \"devices\": [\n" DEVICE_JSON("stage") "\n    }\n  ],\n  \"netvst\": []\n}\n");
}

/* The devices bare, without a structure around each. */
static int fill_bare(sd_bus_message *m)
{
	return sd_bus_message_append(m, "a{sv}aa{sv}", 1, "version", "s", "1", 2, 1, "name", "s", "a", 2,
		"name", "s", "b", "state", "s", "online");
}

static void test_bare_devices(void **state)
{
	struct status status;

	ask_ok(fill_bare, &status);
	assert_string_equal(prop_string(&status.daemon, "version", ""), "1");
	assert_int_equal(status.n_devices, 2);
	assert_string_equal(prop_string(&status.devices[0], "name", ""), "a");
	assert_string_equal(prop_string(&status.devices[1], "name", ""), "b");
	assert_string_equal(prop_string(&status.devices[1], "state", ""), "online");
	status_fini(&status);
}

static int fill_bare_none(sd_bus_message *m)
{
	return sd_bus_message_append(m, "a{sv}aa{sv}", 0, 0);
}

static void test_nothing_told(void **state)
{
	struct status status;

	ask_ok(fill_bare_none, &status);
	assert_int_equal(status.daemon.n_props, 0);
	assert_int_equal(status.n_devices, 0);
	status_fini(&status);
}

static int fill_none(sd_bus_message *m)
{
	int r = begin_reply(m, 1);

	return r < 0 ? r : sd_bus_message_close_container(m);
}

static void test_json_no_device(void **state)
{
	check_json(fill_none, DAEMON_JSON "  \"devices\": [],\n  \"netvst\": []\n}\n");
}

/* Every type, and things that no release sends yet. */
static int fill_unknown(sd_bus_message *m)
{
	int r;

	if ((r = sd_bus_message_append(m, "a{sv}", 6, "later", "s", "x\"\\\n\xc3\xa4\xf0\x9f\x8e\xb5",
		     "devices", "u", 1, "version", "s", "9", "version", "s", "10", "a\"b", "y", 255,
		     "later", "u", 2)) < 0 ||
		(r = sd_bus_message_open_container(m, 'a', "(a{sv})")) < 0 ||
		(r = add_device(m, "stage", "enp3s0", "online")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "n16", "n", -7)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "struct", "(ii)", 1, 2)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "x64", "x", INT64_MIN)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "dict", "a{sv}", 1, "k", "i", 3)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "strings", "as", 2, "p", "q")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "none", "au", 0)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "nested", "aai", 1, 2, 3, 4)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "double", "d", 0.1)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "path", "o", "/a")) < 0 || (r = end_device(m)) < 0) {
		return r;
	}
	return sd_bus_message_close_container(m);
}

static void test_json_unknown(void **state)
{
	check_json(fill_unknown,
		"{\n  \"version\": \"9\",\n  \"backend\": null,\n  \"connected\": null,\n"
		"  \"sample_rate\": null,\n  \"period\": null,\n  \"xruns\": null,\n"
		"  \"interfaces\": null,\n"
		"  \"later\": \"x\\\"\\\\\\u000a\\u00e4\\ud83c\\udfb5\",\n  \"a\\\"b\": 255,\n"
		"  \"devices\": [\n" DEVICE_JSON("stage") ",\n"
		"      \"n16\": -7,\n      \"x64\": -9223372036854775808,\n"
		"      \"dict\": {\"k\": 3},\n"
		"      \"strings\": [\"p\", \"q\"],\n      \"none\": [],\n      \"double\": 0.1,\n"
		"      \"path\": \"/a\"\n    }\n  ],\n  \"netvst\": []\n}\n");
}

static int fill_two(sd_bus_message *m)
{
	int r;

	if ((r = begin_reply(m, 1)) < 0 || (r = add_device(m, "a", "enp3s0", "online")) < 0 ||
		(r = end_device(m)) < 0 || (r = add_device(m, "b", "enp3s0", "online")) < 0 ||
		(r = end_device(m)) < 0) {
		return r;
	}
	return sd_bus_message_close_container(m);
}

static void test_json_two_devices(void **state)
{
	check_json(fill_two, DAEMON_JSON "  \"devices\": [\n" DEVICE_JSON("a") "\n    },\n" DEVICE_JSON("b")
		"\n    }\n  ],\n  \"netvst\": []\n}\n");
}

static void test_json_string(void **state)
{
	static const struct {
		const char *s;
		const char *want;
	} cases[] = {
		{"", "\"\""},
		{"a/b\x7f\x01", "\"a/b\\u007f\\u0001\""},
		{"\xe2\x82\xac", "\"\\u20ac\""},
		{"\xc3", "\"\\ufffd\""},
		{"\xff" "a", "\"\\ufffda\""},
		{"\xed\xa0\x80", "\"\\ufffd\""},
		{"\xf4\x8f\xbf\xbf", "\"\\udbff\\udfff\""},
		{"\xf4\x90\x80\x80", "\"\\ufffd\""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = NULL;
		size_t len;
		FILE *f = open_memstream(&text, &len);

		json_string(f, cases[i].s);
		assert_int_equal(fclose(f), 0);
		assert_string_equal(text, cases[i].want);
		free(text);
	}
}

/* --- text --- */

static char *text_of(fill_fn fill, bool colour)
{
	struct status status;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	ask_ok(fill, &status);
	status_print_text(&status, f, colour);
	assert_int_equal(fclose(f), 0);
	status_fini(&status);
	return text;
}

static void check_width(const char *text)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		if (len > 80) {
			fail_msg("%zu columns: %.*s", len, (int)len, line);
		}
		line += len + (line[len] == '\n');
	}
}

static void test_text(void **state)
{
	char *text = text_of(fill_one, false);

	assert_string_equal(text, "ethlinkd 0.1.0: jack, 48000 Hz, period 64 (1.3 ms), 3 xruns\n\n"
		"NAME   BOX         INTERFACE  STATE        LATENCY  DROPPED PEAK dB\n"
		"stage  dac8 65535  enp3s0     online        1.5 ms       17     inf\n");
	free(text);
}

static int fill_peaks(sd_bus_message *m)
{
	const double loud[2] = {-40.0, -3.25}, zero[1] = {-0.01}, silent[2] = {-INFINITY, -INFINITY};
	int r;

	if ((r = begin_reply(m, 1)) < 0 || (r = sd_bus_message_open_container(m, 'r', "a{sv}")) < 0 ||
		(r = sd_bus_message_open_container(m, 'a', "{sv}")) < 0 ||
		(r = add_array(m, "peak_dbfs", "d", loud, sizeof(loud))) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "frames_dropped", "t", UINT64_C(12345678))) < 0 ||
		(r = end_device(m)) < 0 || (r = sd_bus_message_open_container(m, 'r', "a{sv}")) < 0 ||
		(r = sd_bus_message_open_container(m, 'a', "{sv}")) < 0 ||
		(r = add_array(m, "peak_dbfs", "d", zero, sizeof(zero))) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "frames_dropped", "t", UINT64_MAX)) < 0 ||
		(r = end_device(m)) < 0 || (r = sd_bus_message_open_container(m, 'r', "a{sv}")) < 0 ||
		(r = sd_bus_message_open_container(m, 'a', "{sv}")) < 0 ||
		(r = add_array(m, "peak_dbfs", "d", silent, sizeof(silent))) < 0 || (r = end_device(m)) < 0) {
		return r;
	}
	return sd_bus_message_close_container(m);
}

static void test_text_peaks(void **state)
{
	char *text = text_of(fill_peaks, false);

	assert_string_equal(strchr(text, '\n') + 2,
		"NAME  BOX         INTERFACE  STATE        LATENCY  DROPPED PEAK dB\n"
		"?     ? 0         -          ?                  -    12.3M    -3.2\n"
		"?     ? 0         -          ?                  -  1.8e+19     0.0\n"
		"?     ? 0         -          ?                  -        0       -\n");
	free(text);
}

static int add_strings(sd_bus_message *m, const char *name, const char *first)
{
	return sd_bus_message_append(m, "{sv}", name, "as", 8, first, "config", "config", "config", "config",
		"config", "config", "config");
}

static int fill_page(sd_bus_message *m)
{
	static const int gain[8] = {-6, 0, 24, -56, 0, 0, 0, 0}, config[8] = {0, 0, 24, -56, 0, 0, 0, 0};
	const double peak[8] = {-12.34, -INFINITY, 0.0, -100.0, 0, 0, 0, 0};
	int r;

	if ((r = begin_reply(m, 1)) < 0 || (r = sd_bus_message_open_container(m, 'r', "a{sv}")) < 0 ||
		(r = sd_bus_message_open_container(m, 'a', "{sv}")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "name", "s", "mics")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "model", "s", "adc8")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "serial", "q", 7)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "mac", "s", "00:e8:da:c1:00:07")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "interface", "s", "enp3s0")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "state", "s", "stopped")) < 0 ||
		(r = add_array(m, "gain_db", "i", gain, sizeof(gain))) < 0 ||
		(r = add_array(m, "config_gain_db", "i", config, sizeof(config))) < 0 ||
		(r = add_strings(m, "gain_origin", "runtime")) < 0 ||
		(r = add_strings(m, "mute_origin", "runtime")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "mute", "ab", 8, 1, 0, 0, 1, 0, 0, 0, 0)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "config_mute", "ab", 8, 0, 0, 0, 1, 0, 0, 0, 0)) < 0 ||
		(r = add_array(m, "peak_dbfs", "d", peak, sizeof(peak))) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "labels", "as", 2, "Snare\x1b[2J", "")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "gain_min_db", "i", 0)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "gain_max_db", "i", 80)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "phantom", "ab", 2, 1, 0)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "phantom_origin", "as", 2, "runtime", "config")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "latency_frames", "u", 72)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "clock_ppm", "d", 12.345)) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "frames_sent", "t", UINT64_C(99))) < 0 ||
		(r = end_device(m)) < 0) {
		return r;
	}
	return sd_bus_message_close_container(m);
}

static void test_text_runtime(void **state)
{
	char *text = text_of(fill_page, false);

	assert_non_null(strstr(text, "\n    set at run time: gain 1 mute 1 phantom 1\n"));
	check_width(text);
	free(text);
}

static void test_text_page(void **state)
{
	struct status status;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ask_ok(fill_page, &status);
	assert_int_equal(status_find(&status, "nix"), -ENOENT);
	assert_int_equal(status_find(&status, "mics"), 0);
	status_print_device(&status, 0, f, false);
	assert_int_equal(fclose(f), 0);
	check_width(text);
	assert_string_equal(text,
		"mics: adc8 7, 00:e8:da:c1:00:07, on enp3s0\n"
		"state       stopped\n"
		"    there is no sound server: start it; ethlinkd joins it by itself\n"
		"latency     1.5 ms, 72 sample frames\n\n"
		"CHANNEL  GAIN dB                 MUTE                   PEAK dB  LABEL\n"
		"      1   -6  run (config 0)     on   run (config off)    -12.3  Snare?[2J\n"
		"      2    0  config             off  config                  -\n"
		"      3  +24  config             off  config                0.0\n"
		"      4  -56  config             on   config             -100.0\n"
		"      5    0  config             off  config                0.0\n"
		"      6    0  config             off  config                0.0\n"
		"      7    0  config             off  config                0.0\n"
		"      8    0  config             off  config                0.0\n\n"
		"gain range  0 to +80 dB\n"
		"phantom     1-4: on  run\n"
		"            5-8: off  config\n"
		"sent        99 frames of 8 samples a channel\n"
		"received    0 frames\n"
		"dropped     0 frames: 0 ring full, 0 refused by the interface\n"
		"replies     0 to 0 probes, 0 with settings of another host\n"
		"starts      0, brought back into step 0 times\n"
		"clock       +12.35 ppm\n\n"
		"run: set at run time; it stays until the configuration says another value,\n"
		"     or until ethlinkctl reset mics\n");
	free(text);
	status_fini(&status);
}

static const char *volume_mode;

static int fill_volume(sd_bus_message *m)
{
	const double db[8] = {0, -6.02, -INFINITY, -100, 0, 0, 0, -0.01};
	int r;

	if ((r = begin_reply(m, 1)) < 0 || (r = add_device(m, "stage", "enp3s0", "online")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "volume", "s", volume_mode)) < 0 ||
		(r = add_array(m, "volume_db", "d", db, sizeof(db))) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "volume_mute", "b", 1)) < 0 || (r = end_device(m)) < 0) {
		return r;
	}
	return sd_bus_message_close_container(m);
}

static void test_text_volume(void **state)
{
	static const struct {
		const char *mode, *line;
	} cases[] = {
		{"box", "\nvolume      box: the desktop's volume is the gain above\nsent "},
		{"ignore", "\nvolume      ignore: the desktop's volume does nothing\nsent "},
		{"software", "\nvolume      software, dB: 0.0 -6.0 - -100.0 0.0 0.0 0.0 0.0, muted\nsent "},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct status status;
		char *text = NULL;
		size_t len;
		FILE *f = open_memstream(&text, &len);

		volume_mode = cases[i].mode;
		ask_ok(fill_volume, &status);
		status_print_device(&status, 0, f, false);
		assert_int_equal(fclose(f), 0);
		check_width(text);
		if (!strstr(text, cases[i].line)) {
			fail_msg("%s is not in %s", cases[i].line, text);
		}
		free(text);
		text = json(&status);
		assert_non_null(strstr(text, "      \"volume_db\": [0.0, -6.0, null, -100.0, 0.0, 0.0, 0.0, 0.0],\n"));
		free(text);
		status_fini(&status);
	}
}

/* Of two, one alone. */
static void test_keep(void **state)
{
	struct status status;

	ask_ok(fill_two, &status);
	assert_int_equal(status_find(&status, "b"), 1);
	status_keep(&status, 1);
	assert_int_equal(status.n_devices, 1);
	assert_string_equal(prop_string(&status.devices[0], "name", ""), "b");
	status_fini(&status);
}

static int fill_states(sd_bus_message *m)
{
	static const char *const states[] = {"online", "searching", "no-interface", "link-down", "taken-over",
		"unsupported", "stopped", "dancing"};
	int r;

	if ((r = begin_reply(m, 0)) < 0) {
		return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if ((r = add_device(m, states[i], "enx001122334455", states[i])) < 0 ||
			(r = end_device(m)) < 0) {
			return r;
		}
	}
	return sd_bus_message_close_container(m);
}

static void test_text_states(void **state)
{
	static const char *const want[] = {
		"ethlinkd 0.1.0: waiting for the sound server (jack)\n",
		" searching ", "    frames go out on enx001122334455, but this box does not answer",
		" no interface ", "    there is no interface enx001122334455: plug it in",
		" link down ", "    enx001122334455 has no link", "ip link set dev enx001122334455 up",
		" taken over ", "    another host on enx001122334455 plays this box",
		" unsupported ", "    set it to 44100, 48000, 88200 or 96000 Hz and a period of 8 to 8192",
		" stopped ", "    there is no sound server: start it",
		" dancing ",
	};
	char *text = text_of(fill_states, false), *at = text;

	check_width(text);
	assert_null(strchr(text, '\033'));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		at = strstr(at, want[i]);
		if (!at) {
			fail_msg("'%s' is missing, or at another place, in:\n%s", want[i], text);
		}
	}
	free(text);
}

#define REASON                                                                                               \
	"box does not fit: 4 boxes x 33.024 Mbit/s = 132.1 Mbit/s, the link of tap0 carries 100 Mbit/s; "    \
	"take 48 "                                                                                           \
	"kHz, another interface\x1b[2J, or set bandwidth in [daemon]"

/* One that is refused, and one where the daemon has no more to say than its state. */
static int fill_refused(sd_bus_message *m)
{
	int r;

	if ((r = sd_bus_message_append(m, "a{sv}", 4, "version", "s", "0.1.0", "connected", "b", 1,
		     "sample_rate", "u", 96000, "interfaces", "aa{sv}", 1, 3, "name", "s", "tap0",
		     "link_mbit", "d", (double)NAN, "admitted_mbit", "d", 99.072)) < 0 ||
		(r = sd_bus_message_open_container(m, 'a', "(a{sv})")) < 0 ||
		(r = add_device(m, "hall", "tap0", "unsupported")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "reason", "s", REASON)) < 0 ||
		(r = end_device(m)) < 0 || (r = add_device(m, "stage", "tap0", "unsupported")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}", "reason", "s", "")) < 0 || (r = end_device(m)) < 0) {
		return r;
	}
	return sd_bus_message_close_container(m);
}

static void test_reason(void **state)
{
	static const char wrapped[] =
		"    box does not fit: 4 boxes x 33.024 Mbit/s = 132.1 Mbit/s, the link of tap0\n"
		"    carries 100 Mbit/s; take 48 kHz, another interface?[2J, or set bandwidth in\n"
		"    [daemon]\n";
	char *text = text_of(fill_refused, false), *hint;
	struct status status;

	check_width(text);
	assert_non_null(strstr(text, wrapped));
	/* The general hint only where there is nothing better. */
	hint = strstr(text, "    set it to 44100, 48000");
	assert_non_null(hint);
	assert_true(hint > strstr(text, "stage"));
	assert_null(strstr(hint + 1, "    set it to 44100, 48000"));
	free(text);
	ask_ok(fill_refused, &status);
	text = json(&status);
	assert_non_null(strstr(text, "  \"interfaces\": [{\"name\": \"tap0\", \"link_mbit\": null, "
				     "\"admitted_mbit\": 99.1}],\n"));
	assert_non_null(strstr(text, "\"reason\": \"box does not fit: 4 boxes"));
	assert_non_null(strstr(text, "\"reason\": null"));
	free(text);
	status_fini(&status);
}

static void test_text_colour(void **state)
{
	char *text = text_of(fill_states, true);

	assert_non_null(strstr(text, "\033[32monline      \033[0m"));
	assert_non_null(strstr(text, "\033[33msearching   \033[0m"));
	assert_non_null(strstr(text, "\033[31mlink down   \033[0m"));
	free(text);
}

/* The longest names there can be do not fit beside each other. */
static int fill_wide(sd_bus_message *m)
{
	int r;

	if ((r = begin_reply(m, 1)) < 0 ||
		(r = add_device(m, "12345678901234567890123456789012", "enx001122334455", "link-down")) < 0 ||
		(r = end_device(m)) < 0 || (r = add_device(m, "b\033[31m", "enp3s0", "online\n")) < 0 ||
		(r = end_device(m)) < 0) {
		return r;
	}
	return sd_bus_message_close_container(m);
}

static void test_text_wide(void **state)
{
	char *text = text_of(fill_wide, false);

	check_width(text);
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text,
		"\nNAME\n  BOX         INTERFACE        STATE        LATENCY  DROPPED PEAK dB\n"
		"12345678901234567890123456789012\n"
		"  dac8 65535  enx001122334455  link down     1.5 ms       17     inf\n"));
	assert_non_null(strstr(
		text, "\nb?[31m\n  dac8 65535  enp3s0           online?       1.5 ms       17     inf\n"));
	free(text);
}

static void test_text_no_device(void **state)
{
	char *text = text_of(fill_none, false);

	assert_string_equal(text, "ethlinkd 0.1.0: jack, 48000 Hz, period 64 (1.3 ms), 3 xruns\n"
		"no boxes: add a [device NAME] section to ethlinkd.conf, see ethlinkd.conf(5)\n");
	free(text);
}

/* --- what goes wrong --- */

static int fill_other(sd_bus_message *m)
{
	return sd_bus_message_append(m, "s", "something else");
}

static int fill_half(sd_bus_message *m)
{
	return sd_bus_message_append(m, "a{sv}", 1, "version", "s", "1");
}

static int fill_other_devices(sd_bus_message *m)
{
	return sd_bus_message_append(m, "a{sv}as", 1, "version", "s", "1", 1, "stage");
}

static int fill_nothing(sd_bus_message *m)
{
	return 0;
}

static void test_other_answers(void **state)
{
	static const fill_fn fills[] = {fill_other, fill_half, fill_other_devices, fill_nothing};

	for (size_t i = 0; i < ARRAY_SIZE(fills); i++) {
		struct status status;
		char error[CLIENT_ERROR_MAX] = "";

		assert_true(ask(fills[i], &status, error) < 0);
		assert_string_equal(error, "");
	}
}

static void test_refusal(void **state)
{
	struct status status;
	char error[CLIENT_ERROR_MAX] = "";

	assert_true(ask(NULL, &status, error) < 0);
	assert_string_equal(error, "ethlinkd refused GetStatus: not now");
}

/* Nobody reads at the other end. */
static void test_silence(void **state)
{
	char error[CLIENT_ERROR_MAX] = "";
	struct client client;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(client_open_fd(&client, fds[1], 1, error), -ETIMEDOUT);
	assert_string_equal(error, "ethlinkd does not answer; it may hang: restart it");
	assert_null(client.bus);
	close(fds[0]);
}

static void test_hang_up(void **state)
{
	char error[CLIENT_ERROR_MAX] = "";
	struct client client;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	close(fds[0]);
	assert_true(client_open_fd(&client, fds[1], PATIENCE_MS, error) < 0);
	assert_non_null(strstr(error, "ethlinkd closed the connection; does it run as another user"));
}

static void test_garbage(void **state)
{
	static const char garbage[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	char error[CLIENT_ERROR_MAX] = "";
	struct client client;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(write(fds[0], garbage, strlen(garbage)), strlen(garbage));
	close(fds[0]);
	assert_true(client_open_fd(&client, fds[1], PATIENCE_MS, error) < 0);
	assert_non_null(strstr(error, "ethlinkd closed the connection; does it run as another user"));
}

/* --- sockets --- */

struct place {
	char folder[64];
	char path[108];
	int listener;
};

static int place_setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->folder, "/tmp/test-ctl-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/control", p->folder);
	p->listener = -1;
	unsetenv("XDG_RUNTIME_DIR");
	/* A daemon that runs on this machine must not be found. */
	setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/session", 1);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/system", 1);
	setenv("RUNTIME_DIRECTORY", p->folder, 1);
	*state = p;
	return 0;
}

static int place_teardown(void **state)
{
	struct place *p = *state;

	if (p->listener >= 0) {
		close(p->listener);
	}
	unlink(p->path);
	rmdir(p->folder);
	free(p);
	return 0;
}

static void place_listen(struct place *p)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strcpy(addr.sun_path, p->path);
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p->listener >= 0);
	assert_int_equal(bind(p->listener, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(p->listener, 4), 0);
}

static void check_open(enum client_way way, const char *path, int want, const char *want_error)
{
	char error[CLIENT_ERROR_MAX] = "";
	struct client client;

	assert_int_equal(client_open(&client, way, path, 1, error), want);
	if (!strstr(error, want_error)) {
		fail_msg("'%s' is not in: %s", want_error, error);
	}
}

static void test_socket_paths(void **state)
{
	char paths[CLIENT_SOCKETS_MAX][sizeof(((struct sockaddr_un *)0)->sun_path)];
	char xdg[200], own[128];

	setenv("RUNTIME_DIRECTORY", "/a:/b", 1);
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	snprintf(own, sizeof(own), "/run/ethlinkd/%s/control", getpwuid(geteuid())->pw_name);
	assert_int_equal(client_socket_paths(paths), 4);
	assert_string_equal(paths[0], "/a/control");
	assert_string_equal(paths[1], "/run/user/7/ethlinkd/control");
	assert_string_equal(paths[2], "/run/ethlinkd/control");
	assert_string_equal(paths[3], own);
	/* One that is too long or empty is none. */
	memset(xdg, 'x', sizeof(xdg) - 1);
	xdg[sizeof(xdg) - 1] = '\0';
	setenv("XDG_RUNTIME_DIR", xdg, 1);
	setenv("RUNTIME_DIRECTORY", "", 1);
	assert_int_equal(client_socket_paths(paths), 2);
	assert_string_equal(paths[0], "/run/ethlinkd/control");
}

static void test_no_socket(void **state)
{
	struct place *p = *state;
	char want[512];

	setenv("XDG_RUNTIME_DIR", p->folder, 1);
	snprintf(want, sizeof(want), "ethlinkd does not run: there is no socket %s, %s/ethlinkd/control, "
		"/run/ethlinkd/control or /run/ethlinkd/%s/control; start it", p->path, p->folder,
		getpwuid(geteuid())->pw_name);
	if (access("/run/ethlinkd", F_OK) != 0) {
		check_open(CLIENT_SEARCH, NULL, -ENOENT, want);
	}
	snprintf(want, sizeof(want), "ethlinkd does not run: there is no socket %s; start it", p->path);
	check_open(CLIENT_SOCKET, p->path, -ENOENT, want);
}

static void test_left_over_socket(void **state)
{
	struct place *p = *state;
	char want[256];

	place_listen(p);
	close(p->listener);
	p->listener = -1;
	snprintf(want, sizeof(want), "ethlinkd does not run any more: nobody listens at %s; start it",
		p->path);
	check_open(CLIENT_SOCKET, p->path, -ECONNREFUSED, want);
	if (access("/run/ethlinkd", F_OK) != 0) {
		check_open(CLIENT_SEARCH, NULL, -ECONNREFUSED, want);
	}
}

static void test_long_path(void **state)
{
	char path[200];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	check_open(CLIENT_SOCKET, path, -ENAMETOOLONG, "the path of a socket has 107 bytes at most");
}

static void test_search_finds(void **state)
{
	struct place *p = *state;
	char error[CLIENT_ERROR_MAX] = "";
	sd_bus_message *reply = NULL;
	struct client client;
	struct server server;
	struct status status;

	place_listen(p);
	server_start(&server, fill_two, p->listener, true);
	assert_int_equal(client_open(&client, CLIENT_SEARCH, NULL, PATIENCE_MS, error), 0);
	assert_true(client_call(&client, "NoSuchMethod", &reply, error) < 0);
	assert_memory_equal(
		error, "ethlinkd refused NoSuchMethod: ", strlen("ethlinkd refused NoSuchMethod: "));
	assert_int_equal(client_call(&client, "GetStatus", &reply, error), 0);
	assert_int_equal(status_read(reply, &status), 0);
	assert_int_equal(status.n_devices, 2);
	status_fini(&status);
	sd_bus_message_unref(reply);
	client_close(&client);
	assert_int_equal(pthread_join(server.thread, NULL), 0);
}

/* The connection stays in the backlog: nobody accepts it. */
static void test_not_accepted(void **state)
{
	struct place *p = *state;

	place_listen(p);
	check_open(CLIENT_SEARCH, NULL, -ETIMEDOUT, "ethlinkd does not answer");
	check_open(CLIENT_SOCKET, p->path, -ETIMEDOUT, "ethlinkd does not answer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_no_device),
		cmocka_unit_test(test_bare_devices),
		cmocka_unit_test(test_nothing_told),
		cmocka_unit_test(test_json_unknown),
		cmocka_unit_test(test_json_two_devices),
		cmocka_unit_test(test_json_string),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_peaks),
		cmocka_unit_test(test_text_runtime),
		cmocka_unit_test(test_text_page),
		cmocka_unit_test(test_text_volume),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_text_states),
		cmocka_unit_test(test_reason),
		cmocka_unit_test(test_text_colour),
		cmocka_unit_test(test_text_wide),
		cmocka_unit_test(test_text_no_device),
		cmocka_unit_test(test_other_answers),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_hang_up),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test_setup_teardown(test_socket_paths, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_no_socket, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_left_over_socket, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_long_path, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_search_finds, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(test_not_accepted, place_setup, place_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
