#include "backend/jack-internal.h"

#include <errno.h>
#include <jack/metadata.h>
#include <jack/uuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDER_KEY "http://jackaudio.org/metadata/order"
#define ORDER_TYPE "http://www.w3.org/2001/XMLSchema#int"

void jack_group_free(struct backend_group *group)
{
	if (!group) {
		return;
	}
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		struct jack_channel *both[] = {&group->in[k], &group->out[k]};

		for (unsigned i = 0; i < ARRAY_SIZE(both); i++) {
			jack_links_free(both[i]);
			free(both[i]->name);
			free(both[i]->label);
			free(both[i]->connect);
			free(both[i]->told_label);
		}
	}
	free(group->rt.insert);
	free(group);
}

static void set_property(
	struct jack_backend *j, jack_uuid_t uuid, const char *key, const char *value, const char *type)
{
	jack_call_begin(j, "jack_set_property");
	(void)jack_set_property(j->client, uuid, key, value, type);
	jack_call_end(j);
}

static void remove_property(struct jack_backend *j, jack_uuid_t uuid, const char *key)
{
	jack_call_begin(j, "jack_remove_property");
	(void)jack_remove_property(j->client, uuid, key);
	jack_call_end(j);
}

/* The name that stands there is not the one that we wrote: the user's, which stays. */
static bool is_users(const struct jack_channel *channel, jack_uuid_t uuid)
{
	char *value = NULL, *type = NULL;
	bool users;

	if (jack_get_property(uuid, JACK_METADATA_PRETTY_NAME, &value, &type) != 0) {
		return channel->told_label != NULL; /* ours was taken away */
	}
	users = !channel->told_label || strcmp(value, channel->told_label) != 0;
	jack_free(value);
	jack_free(type);
	return users;
}

/*
 * A new port gets its name at once: JACK uses the ids of ports again, so what stands there is another port's.
 * Later a name is only replaced if it is still ours.
 */
static void tell_label(struct jack_backend *j, struct jack_channel *channel, jack_port_t *port, bool new)
{
	jack_uuid_t uuid = jack_port_uuid(port);
	char *label = NULL;

	pthread_mutex_lock(&j->lock);
	if (channel->label) {
		label = strdup(channel->label);
	}
	pthread_mutex_unlock(&j->lock);
	if (!new && ((!label && !channel->told_label) ||
			    (label && channel->told_label && strcmp(label, channel->told_label) == 0) ||
			    is_users(channel, uuid))) {
		free(label);
		return;
	}
	if (label) {
		set_property(j, uuid, JACK_METADATA_PRETTY_NAME, label, "text/plain");
	} else {
		remove_property(j, uuid, JACK_METADATA_PRETTY_NAME);
	}
	free(channel->told_label);
	channel->told_label = label;
}

static void forget_channel(struct jack_channel *channel, _Atomic(jack_port_t *) *at)
{
	atomic_store(at, NULL);
	free(channel->told_label);
	channel->told_label = NULL;
	channel->connect_done = false;
}

static void unregister_channel(
	struct jack_backend *j, struct jack_channel *channel, _Atomic(jack_port_t *) *at)
{
	jack_port_t *port = atomic_load(at);

	if (!port) {
		return;
	}
	forget_channel(channel, at);
	(void)jack_wait_rt(j);
	jack_call_begin(j, "jack_port_unregister");
	(void)jack_remove_properties(j->client, jack_port_uuid(port));
	(void)jack_port_unregister(j->client, port);
	jack_call_end(j);
}

/* order: where it stands in a list of this group's ports, from 1. */
static int update_channel(struct jack_backend *j, struct jack_channel *channel, _Atomic(jack_port_t *) *at,
	const char *type, unsigned long flags, unsigned order)
{
	jack_port_t *port = atomic_load(at);
	char text[16];
	bool want;

	pthread_mutex_lock(&j->lock);
	want = channel->want && channel->name;
	pthread_mutex_unlock(&j->lock);
	if (!want) {
		unregister_channel(j, channel, at);
		return 0;
	}
	if (port) {
		tell_label(j, channel, port, false);
		return 0;
	}
	jack_call_begin(j, "jack_port_register");
	port = jack_port_register(j->client, channel->name, type, flags, 0);
	jack_call_end(j);
	if (!port) {
		return -EIO;
	}
	snprintf(text, sizeof(text), "%u", order);
	set_property(j, jack_port_uuid(port), ORDER_KEY, text, ORDER_TYPE);
	tell_label(j, channel, port, true);
	atomic_store(at, port);
	return 0;
}

static int update_device(struct jack_backend *j, struct backend_group *group)
{
	int r = 0;

	for (unsigned k = 0; k < AUDIO_CHANNELS && r >= 0; k++) {
		r = update_channel(j, &group->in[k], &group->rt.in[k], JACK_DEFAULT_AUDIO_TYPE,
			JackPortIsInput | JackPortIsPhysical | JackPortIsTerminal, k + 1);
	}
	for (unsigned k = 0; k < AUDIO_CHANNELS && r >= 0; k++) {
		r = update_channel(j, &group->out[k], &group->rt.out[k], JACK_DEFAULT_AUDIO_TYPE,
			JackPortIsOutput, AUDIO_CHANNELS + k + 1);
	}
	return r;
}

/* Neither physical nor terminal: programs would take it for a sound card and connect to it by themselves. */
static int update_insert(struct jack_backend *j, struct backend_group *group)
{
	int r = 0;

	for (unsigned i = 0; i < 2 * JACK_INSERT_PORTS && r >= 0; i++) {
		unsigned k = i % JACK_INSERT_PORTS;
		bool in = i < JACK_INSERT_PORTS;

		r = update_channel(j, in ? &group->in[k] : &group->out[k],
			in ? &group->rt.in[k] : &group->rt.out[k],
			k == JACK_INSERT_MIDI ? JACK_DEFAULT_MIDI_TYPE : JACK_DEFAULT_AUDIO_TYPE,
			in ? JackPortIsInput : JackPortIsOutput, i + 1);
	}
	return r;
}

static int update_group(struct jack_backend *j, struct backend_group *group)
{
	int r = group->rt.insert ? update_insert(j, group) : update_device(j, group);

	group->told = true;
	return r;
}

static void unregister_group(struct jack_backend *j, struct backend_group *group)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		unregister_channel(j, &group->in[k], &group->rt.in[k]);
		unregister_channel(j, &group->out[k], &group->rt.out[k]);
	}
	group->told = false;
}

/* Takes the first removed group out of the list. */
static struct backend_group *take_removed(struct jack_backend *j)
{
	struct backend_group *group = NULL;

	pthread_mutex_lock(&j->lock);
	for (unsigned i = 0; i < j->n_groups; i++) {
		if (j->groups[i]->removed) {
			group = j->groups[i];
			j->n_groups--;
			memmove(&j->groups[i], &j->groups[i + 1], (j->n_groups - i) * sizeof(j->groups[0]));
			break;
		}
	}
	pthread_mutex_unlock(&j->lock);
	return group;
}

int jack_ports_update(struct jack_backend *j)
{
	struct backend_group *group;
	int r = 0;

	while ((group = take_removed(j))) {
		if (j->client && !atomic_load(&j->gone)) {
			if (group->rt.insert && j->active) {
				(void)jack_wait_cycle(j); /* until its outputs are silent */
			}
			unregister_group(j, group);
		}
		pthread_mutex_lock(&j->lock);
		jack_set_table(j);
		pthread_mutex_unlock(&j->lock);
		if (jack_wait_rt(j)) {
			jack_group_free(group);
		}
	}
	for (unsigned i = 0; j->client && r >= 0 && (group = jack_group(j, i)); i++) {
		r = update_group(j, group);
	}
	pthread_mutex_lock(&j->lock);
	jack_set_table(j);
	pthread_mutex_unlock(&j->lock);
	return r;
}

/*
 * Ports that still have metadata when a client closes make jackd 1.9.21 tell that client so, which no
 * longer listens: with some hundred ports the server itself stands still. So they go first.
 */
void jack_ports_forget(struct jack_backend *j)
{
	struct backend_group *group;

	for (unsigned i = 0; (group = jack_group(j, i)); i++) {
		if (!atomic_load(&j->gone)) {
			unregister_group(j, group);
			continue;
		}
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			forget_channel(&group->in[k], &group->rt.in[k]);
			forget_channel(&group->out[k], &group->rt.out[k]);
		}
		group->told = false;
	}
}
