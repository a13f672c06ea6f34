#include "daemon/bus-internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS (5 * NSEC_PER_SEC)
#define DRIVER "org.freedesktop.DBus"
#define DRIVER_PATH "/org/freedesktop/DBus"

#define NAME_QUEUED 2 /* a result of RequestName */

static enum conf_bus wanted(const struct bus *bus)
{
	const struct manager *m = bus->manager;

	if (m->conf->bus != CONF_BUS_AUTO) {
		return m->conf->bus;
	}
	return m->system_service ? CONF_BUS_SYSTEM : CONF_BUS_SESSION;
}

static const char *kind_name(enum conf_bus kind)
{
	return kind == CONF_BUS_SYSTEM ? "system" : "session";
}

/* Nobody has asked for a bus that is only looked for. */
static enum log_level away_level(const struct bus *bus)
{
	return bus->manager->conf->bus == CONF_BUS_AUTO ? LOG_INFO : LOG_NOTICE;
}

static void retry_in(struct bus *bus, int64_t delay_ns)
{
	(void)sd_event_source_set_time(bus->retry, (uint64_t)((now_ns() + delay_ns) / NSEC_PER_USEC));
	(void)sd_event_source_set_enabled(bus->retry, SD_EVENT_ONESHOT);
}

static void say_away(struct bus *bus, const char *reason)
{
	if (!bus->said_away) {
		bus->said_away = true;
		log_about(away_level(bus), NULL, NULL,
			"not on the %s bus: %s; the control socket is there nevertheless, and the bus is "
			"tried "
			"again every 5 s",
			kind_name(bus->named_kind), reason);
	}
}

static void free_subscriber(struct bus_subscriber *s)
{
	sd_bus_slot_unref(s->gone);
	sd_bus_slot_unref(s->there);
	free(s->name);
	free(s);
}

static void let_go(struct bus *bus)
{
	sd_bus *sd = bus->named;

	bus->named = NULL;
	bus->named_up = false;
	while (bus->n_subscribers > 0) {
		free_subscriber(bus->subscribers[--bus->n_subscribers]);
	}
	bus_subscribers_changed(bus);
	sd_bus_close(sd);
	sd_bus_unref(sd);
}

static void lost(struct bus *bus, const char *reason)
{
	say_away(bus, reason);
	let_go(bus);
	retry_in(bus, RETRY_NS);
}

static int on_disconnected(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus *bus = data;

	if (sd_bus_message_get_bus(m) == bus->named) {
		lost(bus, bus->named_up ? "it has gone" : "it closed the connection");
	}
	return 0;
}

static void say_name(const struct bus *bus, bool owner)
{
	if (owner) {
		log_info("on the %s bus as " BUS_NAME, kind_name(bus->named_kind));
	} else {
		log_notice("another ethlinkd has the name " BUS_NAME
			   " on the %s bus; this one takes it when the other ends",
			kind_name(bus->named_kind));
	}
}

static int on_name(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	const sd_bus_error *e = sd_bus_message_get_error(m);
	unsigned result = 0;
	char reason[320];

	if (e && sd_bus_error_has_name(e, SD_BUS_ERROR_ACCESS_DENIED)) {
		lost(bus, "it does not give the name " BUS_NAME " to this user; add the user to the group "
			  "audio, and install the policy file " BUS_NAME ".conf (see " BUS_NAME "(5))");
		return 0;
	}
	if (e || sd_bus_message_read(m, "u", &result) < 0) {
		snprintf(reason, sizeof(reason), "it does not give the name " BUS_NAME ": %s",
			e && e->message ? e->message : "no reason given");
		lost(bus, reason);
		return 0;
	}
	bus->named_up = true;
	bus->said_away = false;
	say_name(bus, result != NAME_QUEUED);
	return 0;
}

/* Also comes with the name at the beginning, before the answer to our request. */
static int on_acquired(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	const char *name;

	if (bus->named_up && sd_bus_message_read(m, "s", &name) >= 0 && strcmp(name, BUS_NAME) == 0) {
		say_name(bus, true);
	}
	return 0;
}

static int set_up(struct bus *bus)
{
	sd_bus *sd = bus->named;
	int r;

	r = sd_bus_match_signal(sd, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
		"Disconnected", on_disconnected, bus);
	r = r < 0 ? r
		  : sd_bus_match_signal_async(
			    sd, NULL, DRIVER, DRIVER_PATH, DRIVER, "NameAcquired", on_acquired, NULL, bus);
	r = r < 0 ? r : sd_bus_request_name_async(sd, NULL, BUS_NAME, SD_BUS_NAME_QUEUE, on_name, bus);
	return r < 0 ? r : bus_serve(bus, sd);
}

static void try(struct bus *bus)
{
	int r;

	if (bus->named_kind == CONF_BUS_SYSTEM) {
		r = sd_bus_open_system_with_description(&bus->named, "ethlinkd");
	} else {
		r = sd_bus_open_user_with_description(&bus->named, "ethlinkd");
	}
	if (r < 0) {
		bus->named = NULL;
		say_away(bus, r == -ENOENT || r == -ENOMEDIUM || r == -ECONNREFUSED ? "there is none"
										    : strerror(-r));
		retry_in(bus, RETRY_NS);
		return;
	}
	r = set_up(bus);
	if (r < 0) {
		lost(bus, strerror(-r));
	}
}

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
	struct bus *bus = data;
	enum conf_bus kind = wanted(bus);

	if (kind != bus->named_kind) {
		if (bus->named) {
			let_go(bus);
		}
		bus->named_kind = kind;
		bus->said_away = false;
	}
	if (!bus->named && kind != CONF_BUS_NONE) {
		try(bus);
	}
	return 0;
}

void bus_names_update(struct bus *bus)
{
	int r = 0;

	/* Not at once: who asked for it may wait for the answer on the bus that is left. */
	if (bus->retry) {
		retry_in(bus, 0);
		return;
	}
	bus->named_kind = CONF_BUS_NONE;
	r = sd_event_add_time(bus->manager->event, &bus->retry, CLOCK_MONOTONIC, 0, 1000, on_retry, bus);
	r = r < 0 ? r : sd_event_source_set_priority(bus->retry, BUS_PRIORITY);
	if (r < 0) {
		log_error("out of memory; the control socket is there, but no bus");
	}
}

void bus_names_close(struct bus *bus)
{
	if (bus->named) {
		let_go(bus);
	}
	bus->retry = sd_event_source_disable_unref(bus->retry);
}

void bus_names_sweep(struct bus *bus)
{
	uint64_t waiting = 0;

	if (bus->named && sd_bus_get_n_queued_write(bus->named, &waiting) >= 0 &&
		waiting > BUS_NAMED_QUEUE_MAX) {
		lost(bus, "it does not read what it is told");
	}
}

/* --- subscribers --- */

static void remove_subscriber(struct bus *bus, const char *name)
{
	for (unsigned i = 0; i < bus->n_subscribers; i++) {
		struct bus_subscriber *s = bus->subscribers[i];

		if (strcmp(s->name, name) == 0) {
			bus->subscribers[i] = bus->subscribers[--bus->n_subscribers];
			free_subscriber(s);
			bus_subscribers_changed(bus);
			return;
		}
	}
}

static int on_gone(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus_subscriber *s = data;

	remove_subscriber(s->bus, s->name);
	return 0;
}

/* It may have gone before we listened for that. */
static int on_there(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus_subscriber *s = data;
	int there = false;

	if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "b", &there) < 0 || !there) {
		remove_subscriber(s->bus, s->name);
	}
	return 0;
}

int bus_names_subscribe(struct bus *bus, const char *sender)
{
	struct bus_subscriber *s;
	char match[512];
	int r;

	if (!sender || strlen(sender) > SD_BUS_MAXIMUM_NAME_LENGTH) {
		return -EINVAL;
	}
	for (unsigned i = 0; i < bus->n_subscribers; i++) {
		if (strcmp(bus->subscribers[i]->name, sender) == 0) {
			return 0;
		}
	}
	if (bus->n_subscribers == BUS_SUBSCRIBERS_MAX) {
		return -ENOSPC;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		return -ENOMEM;
	}
	s->bus = bus;
	s->name = strdup(sender);
	snprintf(match, sizeof(match),
		"type='signal',sender='" DRIVER "',path='" DRIVER_PATH "',interface='" DRIVER
		"',member='NameOwnerChanged',arg0='%s'",
		sender);
	r = s->name ? sd_bus_add_match_async(bus->named, &s->gone, match, on_gone, NULL, s) : -ENOMEM;
	r = r < 0 ? r
		  : sd_bus_call_method_async(bus->named, &s->there, DRIVER, DRIVER_PATH, DRIVER,
			    "NameHasOwner", on_there, s, "s", sender);
	if (r < 0) {
		free_subscriber(s);
		return r;
	}
	bus->subscribers[bus->n_subscribers++] = s;
	return 0;
}

void bus_names_unsubscribe(struct bus *bus, const char *sender)
{
	if (sender) {
		remove_subscriber(bus, sender);
	}
}
