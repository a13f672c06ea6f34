/*
 * The lasting connection to the daemon: what it knows after joining, what it is told, and how it takes the end of
 * the daemon. A throw-away sd-bus server on the same event loop stands for the daemon.
 */
#include "ctl/client-watch.h"

#include "base/util.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 20000
#define NAMES_MAX 4

struct rig {
	sd_event *event;
	char folder[32];
	char path[64];
	int listen_fd;
	sd_event_source *listener;
	sd_bus *server;
	struct client_watch *watch;

	/* What the daemon has and does. */
	const char *names[NAMES_MAX];
	unsigned n_names;
	const char *sections[NAMES_MAX]; /* NetVST */
	unsigned n_sections;
	bool no_manager; /* of objects: an older daemon */
	bool wrong_objects;
	const char *gone; /* is listed, but not there */
	bool wrong_list;
	bool silent;
	unsigned n_subscribed;
	uint32_t set_channel;
	double set_db;
	char set_path[64];
	unsigned n_set, n_reset;

	/* What the callbacks said. */
	unsigned n_joined, n_lost, n_changed, n_peaks, n_netvst_peaks, n_refused;
	char said[512];
};

/* --- the daemon's part --- */

static int add_doubles(sd_bus_message *m, const char *name, double first)
{
	const double values[8] = {first, 1, 2, 3, 4, 5, 6, 7};
	int r;

	r = sd_bus_message_open_container(m, 'e', "sv");
	r = r < 0 ? r : sd_bus_message_append(m, "s", name);
	r = r < 0 ? r : sd_bus_message_open_container(m, 'v', "ad");
	r = r < 0 ? r : sd_bus_message_append_array(m, 'd', values, sizeof(values));
	r = r < 0 ? r : sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int reply_device(sd_bus_message *reply, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	int r;

	r = sd_bus_message_open_container(reply, 'a', "{sv}");
	r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "Name", "s", name);
	r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "Model", "s", "dac8");
	r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "Serial", "q", 7);
	r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "State", "s", "online");
	r = r < 0 ? r : add_doubles(reply, "GainDb", -6);
	r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "GainMinDb", "d", -50.0);
	r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "GainMaxDb", "d", 20.0);
	r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "Muted", "ab", 8, 0, 1, 0, 0, 0, 0, 0, 0);
	r = r < 0 ? r
		  : sd_bus_message_append(reply, "{sv}", "Labels", "as", 8, "L", "", "", "", "", "", "", "R");
	r = r < 0 ? r
		  : sd_bus_message_append(reply, "{sv}", "GainOrigin", "as", 8, "runtime", "config", "config",
			    "config", "config", "config", "config", "config");
	r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "Phantom", "ab", 2, 0, 1);
	/* Of another type than it should be, and of more than there are channels: not taken. */
	r = r < 0 ? r : sd_bus_message_append(reply, "{sv}", "LatencyFrames", "s", "x");
	r = r < 0 ? r
		  : sd_bus_message_append(reply, "{sv}", "MuteOrigin", "as", 9, "runtime", "", "", "", "", "",
			    "", "", "runtime");
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int reply_list(struct rig *rig, sd_bus_message *reply)
{
	int r;

	if (rig->wrong_list) {
		return sd_bus_message_append(reply, "s", "none of it");
	}
	r = sd_bus_message_open_container(reply, 'a', "(so)");
	for (unsigned i = 0; r >= 0 && i < rig->n_names; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/org/ethlinkd1/device/%s", rig->names[i]);
		r = sd_bus_message_append(reply, "(so)", rig->names[i], path);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* Beside each section an interface that is of no concern, and a box. */
static int reply_objects(struct rig *rig, sd_bus_message *reply)
{
	int r;

	if (rig->wrong_objects) {
		return sd_bus_message_append(reply, "s", "none of it");
	}
	r = sd_bus_message_open_container(reply, 'a', "{oa{sa{sv}}}");
	r = r < 0 ? r
		  : sd_bus_message_append(reply, "{oa{sa{sv}}}", "/org/ethlinkd1/device/stage", 1,
			    CLIENT_DEVICE, 1, "Name", "s", "stage");
	for (unsigned i = 0; r >= 0 && i < rig->n_sections; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/org/ethlinkd1/netvst/%s", rig->sections[i]);
		r = sd_bus_message_append(reply, "{oa{sa{sv}}}", path, 2, "org.freedesktop.DBus.Peer", 0,
			CLIENT_NETVST, 8, "Name", "s", rig->sections[i], "Role", "s", "client", "State", "s",
			"online", "Port", "q", 27016, "Block", "u", 512, "LatencyFrames", "u", 640, "GainDb",
			"ad", 2, -6.0, 3.0, "Muted", "ab", 2, 0, 1);
	}
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int fill_reply(struct rig *rig, sd_bus_message *call, sd_bus_message *reply)
{
	const char *member = sd_bus_message_get_member(call);
	const char *path = sd_bus_message_get_path(call);

	if (strcmp(member, "ListDevices") == 0) {
		return reply_list(rig, reply);
	}
	if (strcmp(member, "GetAll") == 0) {
		return strcmp(path, "/org/ethlinkd1") == 0
			       ? sd_bus_message_append(reply, "a{sv}", 4, "Version", "s", "9.9", "Connected",
					 "b", 1, "SampleRate", "u", 48000, "Period", "u", 64)
			       : reply_device(reply, path);
	}
	if (strcmp(member, "GetManagedObjects") == 0) {
		return reply_objects(rig, reply);
	}
	if (strcmp(member, "Subscribe") == 0) {
		rig->n_subscribed++;
		return 0;
	}
	if (strcmp(member, "Reset") == 0) {
		rig->n_reset++;
		return 0;
	}
	rig->n_set++;
	snprintf(rig->set_path, sizeof(rig->set_path), "%s", path);
	return sd_bus_message_read(call, "ud", &rig->set_channel, &rig->set_db);
}

static int on_call(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct rig *rig = data;
	const char *path = sd_bus_message_get_path(call);
	sd_bus_message *reply = NULL;
	int r;

	if (rig->silent || !sd_bus_message_is_method_call(call, NULL, NULL)) {
		return 1;
	}
	if (rig->gone && strcmp(strrchr(path, '/') + 1, rig->gone) == 0) {
		return sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_OBJECT, "there is no %s", path);
	}
	if (rig->no_manager && sd_bus_message_is_method_call(call, NULL, "GetManagedObjects")) {
		return sd_bus_error_set(error, SD_BUS_ERROR_UNKNOWN_METHOD, "what is that?");
	}
	if (sd_bus_message_is_method_call(call, CLIENT_DEVICE, "SetMute")) {
		return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "not this channel");
	}
	r = sd_bus_message_new_method_return(call, &reply);
	r = r < 0 ? r : fill_reply(rig, call, reply);
	r = r < 0 ? r : sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	assert_true(r >= 0);
	return 1;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct rig *rig = data;
	int client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	sd_id128_t id;

	assert_true(client_fd >= 0);
	rig->server = sd_bus_close_unref(rig->server);
	assert_true(sd_id128_randomize(&id) >= 0);
	assert_true(sd_bus_new(&rig->server) >= 0);
	assert_true(sd_bus_set_fd(rig->server, client_fd, client_fd) >= 0);
	assert_true(sd_bus_set_server(rig->server, 1, id) >= 0);
	assert_true(sd_bus_add_fallback(rig->server, NULL, "/", on_call, rig) >= 0);
	assert_true(sd_bus_start(rig->server) >= 0);
	assert_true(sd_bus_attach_event(rig->server, rig->event, 0) >= 0);
	return 0;
}

static void daemon_start(struct rig *rig)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strcpy(addr.sun_path, rig->path);
	rig->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(rig->listen_fd >= 0);
	assert_int_equal(bind(rig->listen_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(rig->listen_fd, 4), 0);
	assert_true(sd_event_add_io(
			    rig->event, &rig->listener, rig->listen_fd, EPOLLIN, on_connection, rig) >= 0);
}

static void daemon_stop(struct rig *rig)
{
	rig->listener = sd_event_source_disable_unref(rig->listener);
	if (rig->listen_fd >= 0) {
		close(rig->listen_fd);
	}
	rig->listen_fd = -1;
	(void)unlink(rig->path);
	rig->server = sd_bus_close_unref(rig->server);
}

static void emit_gain(struct rig *rig, const char *path, double first)
{
	sd_bus_message *m = NULL;

	assert_true(sd_bus_message_new_signal(rig->server, &m, path, "org.freedesktop.DBus.Properties",
			    "PropertiesChanged") >= 0);
	assert_true(sd_bus_message_append(m, "s", CLIENT_DEVICE) >= 0);
	assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
	assert_true(add_doubles(m, "GainDb", first) >= 0);
	assert_true(sd_bus_message_close_container(m) >= 0);
	assert_true(sd_bus_message_append(m, "as", 0) >= 0);
	assert_true(sd_bus_send(rig->server, m, NULL) >= 0);
	sd_bus_message_unref(m);
}

static void emit_peaks(struct rig *rig, const char *path, unsigned n)
{
	const double peak[8] = {-1, -2, -3, -4, -5, -6, -7, -INFINITY};
	const uint64_t clips[8] = {0, 0, 3};
	sd_bus_message *m = NULL;

	assert_true(sd_bus_message_new_signal(rig->server, &m, path, CLIENT_DEVICE, "Peaks") >= 0);
	assert_true(sd_bus_message_append_array(m, 'd', peak, n * sizeof(peak[0])) >= 0);
	assert_true(sd_bus_message_append_array(m, 'd', peak, sizeof(peak)) >= 0);
	assert_true(sd_bus_message_append_array(m, 't', clips, sizeof(clips)) >= 0);
	assert_true(sd_bus_send(rig->server, m, NULL) >= 0);
	sd_bus_message_unref(m);
}

static void emit_netvst(struct rig *rig, const char *path, const char *state, double send_db)
{
	assert_true(sd_bus_emit_signal(rig->server, path, "org.freedesktop.DBus.Properties",
			    "PropertiesChanged", "sa{sv}as", CLIENT_NETVST, 2, "State", "s", state, "GainDb",
			    "ad", 2, send_db, 0.0, 0) >= 0);
}

static void emit_netvst_peaks(struct rig *rig, const char *path, double left, double right)
{
	assert_true(sd_bus_emit_signal(rig->server, path, CLIENT_NETVST, "Peaks", "adad", 2, left, right, 2,
			    (double)-INFINITY, (double)-INFINITY) >= 0);
}

/* --- the watch's part --- */

static void on_joined(struct client_watch *watch, void *data)
{
	((struct rig *)data)->n_joined++;
}

static void on_lost(struct client_watch *watch, const char *why, void *data)
{
	struct rig *rig = data;

	rig->n_lost++;
	snprintf(rig->said, sizeof(rig->said), "%s", why);
}

static void on_changed(struct client_watch *watch, void *data)
{
	((struct rig *)data)->n_changed++;
}

static void on_peaks(struct client_watch *watch, const struct client_device *device, void *data)
{
	struct rig *rig = data;

	rig->n_peaks++;
	snprintf(rig->said, sizeof(rig->said), "%s", device->name);
}

static void on_netvst_peaks(struct client_watch *watch, const struct client_netvst *netvst, void *data)
{
	struct rig *rig = data;

	rig->n_netvst_peaks++;
	snprintf(rig->said, sizeof(rig->said), "%s", netvst->name);
}

static void on_refused(struct client_watch *watch, const char *why, void *data)
{
	struct rig *rig = data;

	rig->n_refused++;
	snprintf(rig->said, sizeof(rig->said), "%s", why);
}

static const struct client_watch_handler handler = {
	.joined = on_joined,
	.lost = on_lost,
	.changed = on_changed,
	.peaks = on_peaks,
	.netvst_peaks = on_netvst_peaks,
	.refused = on_refused,
};

/* Until the number has come to this, or beyond; fails after a long time. */
static void until(struct rig *rig, const unsigned *number, unsigned wanted)
{
	const int64_t deadline_ns = now_ns() + PATIENCE_MS * NSEC_PER_MSEC;

	while (*number < wanted) {
		assert_true(now_ns() < deadline_ns);
		assert_true(sd_event_run(rig->event, 100000) >= 0);
	}
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	strcpy(rig->folder, "/tmp/ethlinkd-XXXXXX");
	assert_non_null(mkdtemp(rig->folder));
	snprintf(rig->path, sizeof(rig->path), "%s/control", rig->folder);
	rig->listen_fd = -1;
	rig->names[0] = "stage";
	rig->names[1] = "aux";
	rig->n_names = 2;
	assert_true(sd_event_new(&rig->event) >= 0);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	client_watch_free(rig->watch);
	daemon_stop(rig);
	sd_event_unref(rig->event);
	rmdir(rig->folder);
	free(rig);
	return 0;
}

static void watch_start(struct rig *rig)
{
	assert_int_equal(
		client_watch_new(rig->event, CLIENT_SOCKET, rig->path, &handler, rig, &rig->watch), 0);
}

static void join(struct rig *rig)
{
	daemon_start(rig);
	watch_start(rig);
	until(rig, &rig->n_joined, 1);
}

static void test_join(void **state)
{
	struct rig *rig = *state;
	const struct client_device *device;

	join(rig);
	assert_int_equal(rig->n_subscribed, 1);
	assert_int_equal(rig->n_lost, 0);
	assert_true(client_watch_is_joined(rig->watch));
	assert_string_equal(client_watch_daemon(rig->watch)->version, "9.9");
	assert_null(client_watch_daemon(rig->watch)->backend);
	assert_true(client_watch_daemon(rig->watch)->connected);
	assert_int_equal(client_watch_daemon(rig->watch)->rate_hz, 48000);
	assert_int_equal(client_watch_daemon(rig->watch)->period_frames, 64);
	assert_int_equal(client_watch_n_devices(rig->watch), 2);
	assert_string_equal(client_watch_device(rig->watch, 1)->name, "aux");
	device = client_watch_device(rig->watch, 0);
	assert_string_equal(device->name, "stage");
	assert_string_equal(device->model, "dac8");
	assert_null(device->interface);
	assert_int_equal(device->serial, 7);
	assert_int_equal(device->latency_frames, 0);
	assert_true(device->gain_db[0] == -6 && device->gain_db[7] == 7);
	assert_true(device->gain_min_db == -50 && device->gain_max_db == 20);
	assert_true(!device->muted[0] && device->muted[1]);
	assert_string_equal(device->labels[0], "L");
	assert_null(device->labels[1]);
	assert_string_equal(device->labels[7], "R");
	assert_true(device->gain_at_runtime[0] && !device->gain_at_runtime[1]);
	assert_true(device->mute_at_runtime[0] && !device->mute_at_runtime[7]);
	assert_int_equal(device->n_phantom, 2);
	assert_true(!device->phantom[0] && device->phantom[1]);
	assert_false(device->has_peaks);
	assert_true(isinf(device->peak_dbfs[0]));
}

static void test_changes(void **state)
{
	struct rig *rig = *state;

	join(rig);
	emit_gain(rig, "/org/ethlinkd1/device/nix", 99);
	emit_gain(rig, "/org/ethlinkd1/device/aux", -20);
	until(rig, &rig->n_changed, 2);
	assert_true(client_watch_device(rig->watch, 0)->gain_db[0] == -6);
	assert_true(client_watch_device(rig->watch, 1)->gain_db[0] == -20);
	assert_string_equal(client_watch_device(rig->watch, 1)->model, "dac8");
}

/* One that has too few values is passed over. */
static void test_peaks(void **state)
{
	struct rig *rig = *state;
	const struct client_device *device;

	join(rig);
	emit_peaks(rig, "/org/ethlinkd1/device/stage", 7);
	emit_peaks(rig, "/org/ethlinkd1/device/nix", 8);
	emit_peaks(rig, "/org/ethlinkd1/device/aux", 8);
	until(rig, &rig->n_peaks, 1);
	assert_string_equal(rig->said, "aux");
	assert_false(client_watch_device(rig->watch, 0)->has_peaks);
	device = client_watch_device(rig->watch, 1);
	assert_true(device->has_peaks && device->peak_dbfs[1] == -2 && device->hold_dbfs[6] == -7);
	assert_int_equal(device->clips[2], 3);
	assert_int_equal(rig->n_peaks, 1);
}

/* Boxes come and go; those that stay keep their meters, and are read again. */
static void test_boxes_change(void **state)
{
	struct rig *rig = *state;

	join(rig);
	emit_peaks(rig, "/org/ethlinkd1/device/aux", 8);
	until(rig, &rig->n_peaks, 1);
	rig->names[0] = "aux";
	rig->names[1] = "new";
	assert_true(sd_bus_emit_signal(rig->server, "/org/ethlinkd1", "org.freedesktop.DBus.ObjectManager",
			    "InterfacesAdded", "oa{sa{sv}}", "/org/ethlinkd1/device/new", 0) >= 0);
	assert_true(sd_bus_emit_signal(rig->server, "/org/ethlinkd1", "org.freedesktop.DBus.ObjectManager",
			    "InterfacesRemoved", "oas", "/org/ethlinkd1/device/stage", 0) >= 0);
	until(rig, &rig->n_changed, 1);
	assert_int_equal(client_watch_n_devices(rig->watch), 2);
	assert_string_equal(client_watch_device(rig->watch, 0)->name, "aux");
	assert_true(client_watch_device(rig->watch, 0)->has_peaks);
	assert_string_equal(client_watch_device(rig->watch, 1)->name, "new");
	assert_false(client_watch_device(rig->watch, 1)->has_peaks);
	assert_int_equal(rig->n_joined, 1);
}

/* A box that goes between being listed and being read. */
static void test_box_gone(void **state)
{
	struct rig *rig = *state;

	rig->gone = "stage";
	join(rig);
	assert_int_equal(client_watch_n_devices(rig->watch), 1);
	assert_string_equal(client_watch_device(rig->watch, 0)->name, "aux");
	assert_int_equal(rig->n_lost, 0);
}

static void test_calls(void **state)
{
	struct rig *rig = *state;

	daemon_start(rig);
	watch_start(rig);
	assert_int_equal(client_watch_call(rig->watch, "stage", "Reset", ""), -ENOTCONN);
	until(rig, &rig->n_joined, 1);
	assert_int_equal(client_watch_call(rig->watch, "stage", "SetGain", "ud", 3, -12.0), 0);
	assert_int_equal(client_watch_call(rig->watch, "stage", "Reset", ""), 0);
	until(rig, &rig->n_reset, 1);
	assert_int_equal(rig->n_set, 1);
	assert_int_equal(rig->set_channel, 3);
	assert_true(rig->set_db == -12.0);
	assert_int_equal(rig->n_refused, 0);
	assert_int_equal(client_watch_call(rig->watch, "stage", "SetMute", "ub", 9, 1), 0);
	until(rig, &rig->n_refused, 1);
	assert_string_equal(rig->said, "not this channel");
	assert_true(client_watch_is_joined(rig->watch));
}

/* Lost is said once, what was known stays, and it joins again by itself. */
static void test_restart(void **state)
{
	struct rig *rig = *state;

	join(rig);
	daemon_stop(rig);
	until(rig, &rig->n_lost, 1);
	assert_string_equal(rig->said, "ethlinkd has ended");
	assert_false(client_watch_is_joined(rig->watch));
	assert_int_equal(client_watch_n_devices(rig->watch), 2);
	assert_int_equal(client_watch_call(rig->watch, "stage", "Reset", ""), -ENOTCONN);
	rig->n_names = 1;
	daemon_start(rig);
	until(rig, &rig->n_joined, 2);
	assert_int_equal(rig->n_lost, 1);
	assert_int_equal(rig->n_subscribed, 2);
	assert_int_equal(client_watch_n_devices(rig->watch), 1);
	emit_peaks(rig, "/org/ethlinkd1/device/stage", 8);
	until(rig, &rig->n_peaks, 1);
	daemon_stop(rig);
	until(rig, &rig->n_lost, 2);
}

static void test_starts_without(void **state)
{
	struct rig *rig = *state;
	int64_t start_ns;

	watch_start(rig);
	until(rig, &rig->n_lost, 1);
	assert_non_null(strstr(rig->said, "ethlinkd does not run"));
	start_ns = now_ns();
	while (now_ns() < start_ns + (2 * CLIENT_WATCH_RETRY_MS + 100) * NSEC_PER_MSEC) {
		assert_true(sd_event_run(rig->event, 50000) >= 0);
	}
	assert_int_equal(rig->n_lost, 1);
	daemon_start(rig);
	until(rig, &rig->n_joined, 1);
	assert_int_equal(client_watch_n_devices(rig->watch), 2);
}

static void test_wrong_answer(void **state)
{
	struct rig *rig = *state;

	rig->wrong_list = true;
	daemon_start(rig);
	watch_start(rig);
	until(rig, &rig->n_lost, 1);
	assert_non_null(strstr(rig->said, "cannot be read"));
	rig->wrong_list = false;
	until(rig, &rig->n_joined, 1);
}

static void test_silence(void **state)
{
	struct rig *rig = *state;

	rig->silent = true;
	daemon_start(rig);
	watch_start(rig);
	until(rig, &rig->n_lost, 1);
	assert_string_equal(rig->said, "ethlinkd does not answer; it may hang: restart it");
	rig->silent = false;
	until(rig, &rig->n_joined, 1);
}

/* --- NetVST sections --- */

static void join_sections(struct rig *rig)
{
	rig->sections[0] = "reverb";
	rig->sections[1] = "chorus";
	rig->n_sections = 2;
	join(rig);
	assert_int_equal(client_watch_n_netvst(rig->watch), 2);
}

/* In the order of their names. */
static void test_netvst_join(void **state)
{
	struct rig *rig = *state;
	const struct client_netvst *netvst;

	join_sections(rig);
	assert_int_equal(client_watch_n_devices(rig->watch), 2);
	assert_string_equal(client_watch_netvst(rig->watch, 0)->name, "chorus");
	netvst = client_watch_netvst(rig->watch, 1);
	assert_string_equal(netvst->name, "reverb");
	assert_string_equal(netvst->role, "client");
	assert_string_equal(netvst->state, "online");
	assert_null(netvst->peer);
	assert_int_equal(netvst->port, 27016);
	assert_int_equal(netvst->block_frames, 512);
	assert_int_equal(netvst->latency_frames, 640);
	assert_true(netvst->gain_db[0] == -6 && netvst->gain_db[1] == 3);
	assert_true(!netvst->muted[0] && netvst->muted[1]);
	assert_false(netvst->has_peaks);
}

static void test_netvst_changes(void **state)
{
	struct rig *rig = *state;

	join_sections(rig);
	emit_netvst(rig, "/org/ethlinkd1/netvst/nix", "stopped", 1);
	emit_netvst(rig, "/org/ethlinkd1/netvst/reverb", "connecting", -20);
	until(rig, &rig->n_changed, 2);
	assert_string_equal(client_watch_netvst(rig->watch, 0)->state, "online");
	assert_string_equal(client_watch_netvst(rig->watch, 1)->state, "connecting");
	assert_true(client_watch_netvst(rig->watch, 1)->gain_db[0] == -20);
	assert_int_equal(client_watch_netvst(rig->watch, 1)->block_frames, 512);
}

/* The louder channel counts; what was loud is held; sections that stay keep their meters. */
static void test_netvst_peaks(void **state)
{
	struct rig *rig = *state;
	const struct client_netvst *netvst;

	join_sections(rig);
	emit_netvst_peaks(rig, "/org/ethlinkd1/netvst/reverb", -20, 0.5);
	emit_netvst_peaks(rig, "/org/ethlinkd1/netvst/reverb", -30, -INFINITY);
	until(rig, &rig->n_netvst_peaks, 2);
	assert_string_equal(rig->said, "reverb");
	assert_int_equal(rig->n_peaks, 0);
	netvst = client_watch_netvst(rig->watch, 1);
	assert_true(netvst->peak_dbfs[0] == -30 && netvst->hold_dbfs[0] == 0.5);
	assert_true(isinf(netvst->peak_dbfs[1]) && isinf(netvst->hold_dbfs[1]));
	assert_int_equal(netvst->clips[0], 1);
	assert_int_equal(netvst->clips[1], 0);
	assert_false(client_watch_netvst(rig->watch, 0)->has_peaks);
	rig->sections[1] = "delay";
	assert_true(sd_bus_emit_signal(rig->server, "/org/ethlinkd1", "org.freedesktop.DBus.ObjectManager",
			    "InterfacesAdded", "oa{sa{sv}}", "/org/ethlinkd1/netvst/delay", 0) >= 0);
	until(rig, &rig->n_changed, 1);
	assert_string_equal(client_watch_netvst(rig->watch, 0)->name, "delay");
	assert_false(client_watch_netvst(rig->watch, 0)->has_peaks);
	netvst = client_watch_netvst(rig->watch, 1);
	assert_true(netvst->has_peaks && netvst->hold_dbfs[0] == 0.5 && netvst->clips[0] == 1);
}

/* After its time the held level is let go of; the clock is the test's. */
static void test_netvst_hold(void **state)
{
	static const struct {
		int64_t at_ms;
		double peak, hold;
	} cases[] = {
		{1000, -10, -10},
		{1100, -20, -10},
		{1200, -5, -5},
		{1300, -10, -5},
		{3199, -30, -5},
		{3200, -30, -30},
		{3300, -INFINITY, -30},
		{5200, -INFINITY, -INFINITY},
	};
	struct client_netvst netvst;
	sd_bus *bus = NULL;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_true(
		sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fds[0], fds[0]) >= 0 && sd_bus_start(bus) >= 0);
	client_netvst_init(&netvst);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sd_bus_message *m = NULL;

		assert_true(sd_bus_message_new_signal(bus, &m, "/a", CLIENT_NETVST, "Peaks") >= 0);
		assert_true(
			sd_bus_message_append(m, "adad", 2, (double)-INFINITY, cases[i].peak, 1, 0.0) >= 0);
		assert_true(sd_bus_message_seal(m, i + 1, 0) >= 0);
		assert_int_equal(client_netvst_read_peaks(&netvst, m, cases[i].at_ms * NSEC_PER_MSEC), 0);
		assert_true(netvst.peak_dbfs[0] == cases[i].peak);
		assert_true(netvst.hold_dbfs[0] == cases[i].hold);
		sd_bus_message_unref(m);
	}
	client_netvst_fini(&netvst);
	sd_bus_close_unref(bus);
	close(fds[1]);
}

static void test_netvst_calls(void **state)
{
	struct rig *rig = *state;

	join_sections(rig);
	assert_int_equal(client_watch_call_netvst(rig->watch, "reverb", "SetGain", "ud", 2, -12.0), 0);
	until(rig, &rig->n_set, 1);
	assert_string_equal(rig->set_path, "/org/ethlinkd1/netvst/reverb");
	assert_int_equal(rig->set_channel, 2);
	assert_true(rig->set_db == -12.0);
	daemon_stop(rig);
	until(rig, &rig->n_lost, 1);
	assert_int_equal(client_watch_n_netvst(rig->watch), 2);
	assert_int_equal(client_watch_call_netvst(rig->watch, "reverb", "Reset", ""), -ENOTCONN);
	rig->n_sections = 1;
	daemon_start(rig);
	until(rig, &rig->n_joined, 2);
	assert_int_equal(client_watch_n_netvst(rig->watch), 1);
}

/* An older daemon has none; an answer that is none is an error. */
static void test_netvst_other_answers(void **state)
{
	struct rig *rig = *state;

	rig->no_manager = true;
	join(rig);
	assert_int_equal(client_watch_n_netvst(rig->watch), 0);
	rig->no_manager = false;
	rig->wrong_objects = true;
	daemon_stop(rig);
	until(rig, &rig->n_lost, 1);
	daemon_start(rig);
	until(rig, &rig->n_subscribed, 3);
	assert_int_equal(rig->n_joined, 1);
	rig->wrong_objects = false;
	until(rig, &rig->n_joined, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_join, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peaks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_boxes_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_box_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_starts_without, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_netvst_join, setup, teardown),
		cmocka_unit_test_setup_teardown(test_netvst_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_netvst_peaks, setup, teardown),
		cmocka_unit_test(test_netvst_hold),
		cmocka_unit_test_setup_teardown(test_netvst_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_netvst_other_answers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
