#include "daemon/server.h"

#include "daemon/bus.h"
#include "daemon/device.h"
#include "daemon/memory.h"
#include "daemon/netvst.h"
#include "daemon/patch.h"
#include "engine/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

/* A graph whose period follows its programs may have another one every second. */
#define SAY_PERIOD_NS (60 * NSEC_PER_SEC)

/* --- making it --- */

struct made {
	struct backend *backend;
	struct backend *jack;	  /* it, or a part of it */
	struct backend *pipewire; /* the same */
};

#if defined(HAVE_JACK) || defined(HAVE_PIPEWIRE)
static struct backend_callbacks callbacks_of(struct manager *m)
{
	return (struct backend_callbacks){.process_rt = engine_process_rt,
		.data = m->engine,
		.finish_rt = engine_finish_rt,
		.insert_rt = insert_process_rt};
}

/* other: there is one already, which will do. */
static int made_one(struct made *made, struct backend *one, int r, const char *name, bool other)
{
	if (r < 0) {
		log_about(other ? LOG_WARNING : LOG_ERROR, NULL, NULL, "cannot set up the %s backend: %s%s",
			name, strerror(-r), other ? "; doing without it" : "");
		return other ? 0 : r;
	}
	made->backend = one;
	return 0;
}
#endif

static int make_jack(struct manager *m, const struct conf *conf, struct made *made)
{
#ifdef HAVE_JACK
	struct backend_callbacks callbacks = callbacks_of(m);
	int r;

#ifdef HAVE_PIPEWIRE
	if (conf->backend == CONF_BACKEND_AUTO && backend_jack_is_pipewire()) {
		log_info("the libjack here is PipeWire's own, so there is no JACK server besides PipeWire: "
			 "backend = auto is PipeWire (backend = jack would use that libjack)");
		return 0;
	}
#endif
	r = backend_jack_new(conf->client_name, conf->jack_server, &callbacks, &made->jack);
	return made_one(made, made->jack, r, "JACK", false);
#else
	return 0;
#endif
}

static int make_pipewire(struct manager *m, const struct conf *conf, bool other, struct made *made)
{
#ifdef HAVE_PIPEWIRE
	struct backend_callbacks callbacks = callbacks_of(m);
	int r = backend_pipewire_new(conf->client_name, &callbacks, &made->pipewire);

	return made_one(made, made->pipewire, r, "PipeWire", other);
#else
	return 0;
#endif
}

/* 0 or -errno; what failed is in the log. */
static int make(struct manager *m, const struct conf *conf, struct made *ret_made)
{
	struct made made = {0};
	int r = 0;

	if (conf->backend != CONF_BACKEND_PIPEWIRE) {
		r = make_jack(m, conf, &made);
	}
	if (r >= 0 && conf->backend != CONF_BACKEND_JACK) {
		r = make_pipewire(m, conf, made.jack != NULL, &made);
	}
	if (r >= 0 && made.jack && made.pipewire) {
		r = backend_auto_new(made.jack, made.pipewire, &made.backend);
		if (r < 0) {
			log_error("cannot set up the audio backends: %s", strerror(-r));
			return r;
		}
	}
	if (r >= 0 && !made.backend) {
		log_error(
			"this build has no audio backend; build one with PipeWire or JACK (configure without "
			"--disable-pipewire and --disable-jack)");
		r = -ENOTSUP;
	}
	if (r < 0) {
		backend_free(made.jack);
		return r;
	}
	*ret_made = made;
	return 0;
}

static void take(struct manager *m, const struct made *made, const struct conf *conf)
{
	m->backend = made->backend;
	m->jack = made->jack;
	m->pipewire = made->pipewire;
	m->backend_conf = conf->backend;
}

int server_new(struct manager *m, const struct conf *conf)
{
	struct made made = {0};
	int r = make(m, conf, &made);

	if (r >= 0) {
		take(m, &made, conf);
	}
	return r;
}

/* From the next joining on. */
static void set_names(struct manager *m)
{
#ifdef HAVE_JACK
	if (m->jack) {
		backend_jack_set_names(m->jack, m->conf->client_name, m->conf->jack_server);
	}
#endif
#ifdef HAVE_PIPEWIRE
	if (m->pipewire) {
		backend_pipewire_set_name(m->pipewire, m->conf->client_name);
	}
#endif
}

/* JACK is not what is joined: its name may change under it. */
static bool jack_waits_aside(const struct manager *m)
{
	return m->connected && m->jack && m->pipewire && !m->info.better &&
	       strcmp(backend_kind(m->backend), backend_kind(m->jack)) != 0;
}

void server_configure(struct manager *m, const struct conf *old)
{
	const struct conf *conf = m->conf;
	bool other_server = strcmp(old->jack_server, conf->jack_server) != 0;

	if (strcmp(old->client_name, conf->client_name) != 0 || m->backend_conf != conf->backend) {
		m->rejoin = true;
	} else if (other_server && jack_waits_aside(m)) {
		set_names(m);
	} else if (other_server && m->jack) {
		m->rejoin = true;
	}
}

/* --- another kind of server, while it runs --- */

static void copy_link(void *data, const char *port, const char *other)
{
	backend_add_link(data, port, other);
}

static void copy_links(struct backend *from, struct backend *to)
{
	if (from && to) {
		backend_get_links(from, copy_link, to);
	}
}

struct groups {
	struct backend_group *devices[MANAGER_DEVICES_MAX];
	struct backend_group *netvsts[MANAGER_NETVSTS_MAX][NETVST_SLOTS_MAX];
};

/* All devices and netvst sections get ports there, too; 0, or -errno and what has is not to be used. */
static int add_all(struct manager *m, struct backend *b, struct groups *ret_groups)
{
	int r = 0;

	for (unsigned i = 0; i < m->n_devices && r >= 0; i++) {
		r = device_add_ports(m->devices[i], b, &ret_groups->devices[i]);
	}
	for (unsigned i = 0; i < m->n_netvsts && r >= 0; i++) {
		r = netvst_add_ports(m->netvsts[i], b, ret_groups->netvsts[i]);
	}
	return r;
}

/* Gives them the ports that they have at the backend which replaces old. */
static void set_all(struct manager *m, struct backend *old, const struct groups *groups)
{
	for (unsigned i = 0; i < m->n_devices; i++) {
		backend_remove_ports(old, m->devices[i]->group);
		device_set_ports(m->devices[i], groups->devices[i]);
	}
	for (unsigned i = 0; i < m->n_netvsts; i++) {
		netvst_set_ports(m->netvsts[i], old, groups->netvsts[i]);
	}
}

/* In OFF. 0, or -errno and all is as it was. */
static int replace(struct manager *m)
{
	struct groups groups;
	sd_event_source *source = NULL;
	struct backend *old = m->backend;
	struct made made = {0};
	int r = make(m, m->conf, &made);

	if (r < 0) {
		return r;
	}
	r = add_all(m, made.backend, &groups);
	r = r < 0 ? r
		  : sd_event_add_io(m->event, &source, backend_fd(made.backend), EPOLLIN, server_on_io, m);
	if (r < 0) {
		backend_free(made.backend);
		log_error("cannot change over to backend = %s: %s", conf_backend_to_string(m->conf->backend),
			strerror(-r));
		return r;
	}
	copy_links(m->jack, made.jack);
	copy_links(m->pipewire, made.pipewire);
	set_all(m, old, &groups);
	sd_event_source_disable_unref(m->backend_source);
	m->backend_source = source;
	take(m, &made, m->conf);
	for (unsigned i = 0; i < m->n_devices; i++) {
		device_show_volume(m->devices[i]);
	}
	backend_free(old);
	log_notice("changed over to backend = %s", conf_backend_to_string(m->conf->backend));
	return 0;
}

/* --- what it says --- */

static bool is_two(const struct manager *m)
{
	return m->jack && m->pipewire;
}

static void say_refused(struct manager *m, struct backend *b, int error)
{
	char text[SERVER_TEXT_MAX];

	backend_describe(b, text, sizeof(text));
	if (error == -EEXIST) {
		log_error("%s has a client \"%s\" already: is another ethlinkd running? Set client-name to "
			  "another "
			  "name; trying again",
			text, m->conf->client_name);
	} else {
		log_error("%s does not let us in: %s; trying again", text, backend_last_error(b));
	}
}

static void say_none(struct manager *m)
{
	char text[SERVER_TEXT_MAX];

	backend_describe(m->jack ? m->jack : m->backend, text, sizeof(text));
	if (is_two(m)) {
		log_notice("neither a %s nor PipeWire is running for this user; waiting for one", text);
	} else if (m->jack) {
		log_notice("no %s is running for this user; waiting for one", text);
	} else {
		log_notice("%s is not running for this user; waiting for it", text);
	}
}

/* Of two, JACK's part is to be heard unless there is just none. */
static void say_open_error(struct manager *m, int error)
{
	struct backend *b = m->backend;
	struct backend_info info;

	if (m->said_waiting) {
		return;
	}
	m->said_waiting = true;
	if (error == -ECONNREFUSED) {
		say_none(m);
		return;
	}
	if (is_two(m)) {
		backend_get_info(m->jack, &info);
		b = info.error != -ECONNREFUSED ? m->jack : m->pipewire;
	}
	say_refused(m, b, error);
}

/* A JACK server that runs, but that could not be joined: why it is PipeWire after all. */
static void say_passed_over(struct manager *m)
{
	struct backend_info info = {0};

	if (!is_two(m) || strcmp(backend_kind(m->backend), backend_kind(m->jack)) == 0) {
		return;
	}
	backend_get_info(m->jack, &info);
	if (info.state == BACKEND_WAITING && info.error != 0 && info.error != -ECONNREFUSED) {
		say_refused(m, m->jack, info.error);
	}
}

static void say_better(struct manager *m)
{
	char text[SERVER_TEXT_MAX], better[SERVER_TEXT_MAX];

	backend_describe(m->backend, text, sizeof(text));
	backend_describe(m->jack, better, sizeof(better));
	log_notice("%s is there: changing over from %s", better, text);
}

static void say_format(struct manager *m, const struct backend_info *old)
{
	bool often = m->info.varying && old->rate_hz == m->info.rate_hz;
	int64_t now = now_ns();
	char text[SERVER_TEXT_MAX];
	int level = LOG_INFO;

	if (often && m->said_period_ns != 0 && now - m->said_period_ns < SAY_PERIOD_NS) {
		level = LOG_DEBUG;
	} else {
		m->said_period_ns = now;
	}
	backend_describe(m->backend, text, sizeof(text));
	log_about(level, NULL, NULL, "%s now runs at %u Hz with periods of %u frames", text, m->info.rate_hz,
		m->info.period_frames);
}

static void say_unsupported(struct manager *m)
{
	struct policy policy;
	char text[SERVER_TEXT_MAX];
	bool bad = m->n_devices > 0 &&
		   policy_make(m->info.period_frames, m->info.rate_hz, POLICY_LATENCY_AUTO, &policy) < 0;

	if (bad && (!m->said_unsupported || !m->info.varying)) {
		backend_describe(m->backend, text, sizeof(text));
		log_warning("%s runs at %u Hz with periods of %u frames; boxes take 44100, 48000, 88200 and "
			    "96000 "
			    "Hz, and periods of 8 to 8192. Nothing is sent until it runs at one of these",
			text, m->info.rate_hz, m->info.period_frames);
	}
	m->said_unsupported = bad;
}

/* --- its life --- */

static void devices_format_changed(struct manager *m)
{
	for (unsigned i = 0; i < m->n_devices; i++) {
		device_format_changed(m->devices[i]);
	}
}

static void netvsts_format_changed(struct manager *m)
{
	for (unsigned i = 0; i < m->n_netvsts; i++) {
		netvst_format_changed(m->netvsts[i]);
	}
}

static void format_changed(struct manager *m)
{
	say_unsupported(m);
	devices_format_changed(m);
	netvsts_format_changed(m);
}

/* Let in, but the ports are not there yet: the boxes are looked for meanwhile. */
static void let_in(struct manager *m)
{
	m->early_rate_hz = m->info.rate_hz;
	m->early_period_frames = m->info.period_frames;
	devices_format_changed(m);
}

/* Nothing has come of it. */
static void let_out(struct manager *m)
{
	if (m->early_rate_hz != 0) {
		m->early_rate_hz = 0;
		devices_format_changed(m);
	}
}

/* True: it is what the boxes are looked for with already, and what they have answered counts. */
static bool end_early(struct manager *m)
{
	bool same = m->early_rate_hz == m->info.rate_hz && m->early_period_frames == m->info.period_frames;

	m->early_rate_hz = 0;
	return same && !m->info.varying;
}

/* Before the first callback, and after the last. */
static void set_running(struct manager *m, bool running)
{
	m->running = running;
	engine_set_running(m->engine, running);
	for (unsigned i = 0; i < m->n_netvsts; i++) {
		netvst_set_running(m->netvsts[i], running);
	}
}

static void joined(struct manager *m)
{
	char text[SERVER_TEXT_MAX];

	m->connected = true;
	m->said_waiting = false;
	m->said_unsupported = false;
	m->said_period_ns = 0;
	m->health.cycles_ns = now_ns();
	m->health.stalled = false;
	m->health.left = false;
	say_passed_over(m);
	backend_describe(m->backend, text, sizeof(text));
	log_info("joined %s: %u Hz, periods of %u frames%s", text, m->info.rate_hz, m->info.period_frames,
		m->info.rt_priority > 0 ? "" : ", without realtime scheduling: expect dropouts");
	bus_manager_changed(m->bus);
	say_unsupported(m);
	if (!end_early(m)) {
		devices_format_changed(m);
	}
	netvsts_format_changed(m);
	memory_joined(m);
}

static void say_gone(struct manager *m)
{
	const char *why = backend_last_error(m->backend);
	char text[SERVER_TEXT_MAX];

	backend_describe(m->backend, text, sizeof(text));
	log_warning("%s has gone%s%s%s; %s", text, *why ? " (" : "", why, *why ? ")" : "",
		is_two(m) ? "joining the other kind of server if it is there, else waiting for either"
			  : "waiting for it to come back");
}

/* The server is lost, or left; callbacks may still run for a moment. */
static void lost(struct manager *m)
{
	if (!m->stopping && !m->rejoin && !m->health.left) {
		say_gone(m);
	}
	m->connected = false;
	m->said_waiting = true;
	bus_manager_changed(m->bus);
	devices_format_changed(m);
	netvsts_format_changed(m);
}

/* No callback runs any more. */
static void left(struct manager *m)
{
	bool other_kind = m->backend_conf != m->conf->backend;

	set_running(m, false);
	engine_collect(m->engine);
	if (m->stopping || other_kind) {
		/* Of two, the one that was not joined may still wait for its server. */
		backend_stop(m->backend);
		if (!manager_is_off(m)) {
			return;
		}
	}
	if (m->stopping) {
		(void)sd_event_exit(m->event, 0);
		return;
	}
	if (m->rejoin) {
		m->rejoin = false;
		m->said_waiting = false;
	}
	if (other_kind && replace(m) < 0) {
		m->backend_conf = m->conf->backend; /* tried, and said */
	}
	set_names(m);
	backend_start(m->backend);
}

static void state_changed(struct manager *m)
{
	switch (m->info.state) {
	case BACKEND_WAITING:
		let_out(m);
		if (m->info.error != 0) {
			say_open_error(m, m->info.error);
		}
		break;
	case BACKEND_OPEN:
		let_in(m);
		break;
	case BACKEND_READY:
		set_running(m, true);
		backend_run(m->backend);
		break;
	case BACKEND_JOINED:
		if (!m->connected) {
			joined(m);
		}
		break;
	case BACKEND_LEAVING:
		let_out(m);
		break;
	case BACKEND_OFF:
		let_out(m);
		left(m);
		break;
	}
}

static void while_connected(struct manager *m, unsigned changes, const struct backend_info *old)
{
	char text[SERVER_TEXT_MAX];

	if (m->info.state == BACKEND_JOINED && old->state == BACKEND_JOINED &&
		(old->rate_hz != m->info.rate_hz || old->period_frames != m->info.period_frames)) {
		say_format(m, old);
		bus_manager_changed(m->bus);
		format_changed(m);
	}
	if (changes & BACKEND_CHANGED_FREEWHEEL) {
		backend_describe(m->backend, text, sizeof(text));
		log_info(m->info.freewheel ? "%s runs freely: silence until it is back in real time"
					   : "%s is back in real time",
			text);
	}
	if (m->info.better && !m->rejoin && !m->stopping) {
		m->rejoin = true;
		say_better(m);
		manager_hurry(m);
	}
}

int server_on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct manager *m = data;
	unsigned changes = backend_dispatch(m->backend);
	struct backend_info old = m->info;

	memset(&m->info, 0, sizeof(m->info));
	backend_get_info(m->backend, &m->info);
	if (m->connected && m->info.state != BACKEND_JOINED) {
		lost(m);
	}
	if ((changes & BACKEND_CHANGED_STATE) || m->info.state != old.state) {
		state_changed(m);
		manager_hurry(m);
	}
	if (changes & BACKEND_CHANGED_LINKS) {
		patch_changed(m);
	}
	for (unsigned i = 0; (changes & BACKEND_CHANGED_VOLUME) && i < m->n_devices; i++) {
		device_take_volume(m->devices[i]);
	}
	if (m->connected) {
		while_connected(m, changes, &old);
	}
	return 0;
}

int server_watch(struct manager *m)
{
	return sd_event_add_io(
		m->event, &m->backend_source, backend_fd(m->backend), EPOLLIN, server_on_io, m);
}
