#include "backend/pipewire-graph.h"
#include "backend/pipewire-internal.h"
#include "backend/pipewire-make.h"
#include "base/util.h"

#include <errno.h>
#include <spa/utils/string.h>
#include <stdlib.h>
#include <string.h>

/*
 * Before one of our ports goes, or the server, the links go one by one. What was lost so shortly before is taken for
 * lost with it.
 */
#define LOST_WITH_SERVER_NS NSEC_PER_SEC

/* So often we look without an event: for new wishes, and for what is to be tried again or forgotten. */
#define LOOK_NS (250 * NSEC_PER_MSEC)

/* One port's links that wait for ports that may never come back; the oldest are dropped. */
#define PENDING_MAX 64

struct known_group {
	const struct backend_group *group; /* may have been freed: only compared */
	uint32_t id;
};

/* One port of ours. The object is NULL while the port is not there. */
struct own_port {
	struct pw_channel *channel;
	struct pwobject *object;
	int other_direction;
};

struct pwlinks {
	struct pipewire_backend *p;
	struct pwgraph graph;
	struct pwmake make;
	struct known_group known[PWRT_NODES_MAX];
	unsigned n_known;
	struct own_port
		own[PWRT_NODES_MAX * 2 * AUDIO_CHANNELS]; /* in the order of known; valid if not dirty */
	unsigned n_own;
	bool dirty; /* the graph or our groups are others than when we looked last */
	bool news;
	int64_t now;
	int64_t looked_ns;
};

/* --- what is remembered --- */

static struct pwlink *find_link(const struct pw_channel *channel, const char *other)
{
	struct pwlink *link = channel->links;

	while (link && strcmp(link->other, other) != 0) {
		link = link->next;
	}
	return link;
}

static void drop_link(struct pwlink **at)
{
	struct pwlink *link = *at;

	*at = link->next;
	free(link);
}

static void trim(struct pw_channel *channel)
{
	struct pwlink **at = &channel->links;
	unsigned n = 0;

	while (*at) {
		if ((*at)->state == PWLINK_PENDING && ++n > PENDING_MAX) {
			drop_link(at);
			continue;
		}
		at = &(*at)->next;
	}
}

int pwlinks_remember(struct pw_channel *channel, const char *other, enum pwlink_state state)
{
	struct pwlink *link = find_link(channel, other);

	if (link) {
		/* What is there need not be made. */
		if (state != PWLINK_PENDING || link->state == PWLINK_LOST) {
			link->state = state;
		}
		return 0;
	}
	link = calloc(1, sizeof(*link) + strlen(other) + 1);
	if (!link) {
		return -ENOMEM;
	}
	link->state = state;
	strcpy(link->other, other);
	link->next = channel->links;
	channel->links = link;
	trim(channel);
	return 0;
}

void pwlinks_forget(struct pw_channel *channel)
{
	while (channel->links) {
		drop_link(&channel->links);
	}
}

static bool is_old(const struct pwlink *link, int64_t now)
{
	return link->state == PWLINK_LOST && now - link->lost_ns > LOST_WITH_SERVER_NS;
}

/* This port of ours is gone and is to come back. True where that is news. */
static bool lose(struct pw_channel *channel, int64_t now)
{
	struct pwlink **at = &channel->links;
	bool news = false;

	channel->connect_done = false;
	while (*at) {
		struct pwlink *link = *at;

		if (link->state == PWLINK_PASSING || is_old(link, now)) {
			drop_link(at);
			news = true;
			continue;
		}
		news |= link->state != PWLINK_PENDING;
		link->state = PWLINK_PENDING;
		at = &link->next;
	}
	trim(channel);
	return news;
}

static void lose_group(struct pwlinks *links, struct backend_group *group)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		links->news |= lose(&group->in[k], links->now);
		links->news |= lose(&group->out[k], links->now);
	}
}

/* A node of ours that has another id than before was taken away. */
static void sync_groups(struct pwlinks *links)
{
	struct pipewire_backend *p = links->p;
	struct known_group was[PWRT_NODES_MAX];
	unsigned n = links->n_known;

	memcpy(was, links->known, sizeof(was));
	links->dirty |= n != p->n_groups;
	for (unsigned i = 0; i < p->n_groups; i++) {
		struct backend_group *group = p->groups[i];
		unsigned k = i < n && was[i].group == group ? i : 0;

		links->known[i] = (struct known_group){.group = group, .id = group->id};
		links->dirty |= i >= n || was[i].group != group || was[i].id != group->id;
		while (k < n && was[k].group != group) {
			k++;
		}
		if (k < n && was[k].id != SPA_ID_INVALID && was[k].id != group->id) {
			lose_group(links, group);
		}
	}
	links->n_known = p->n_groups;
}

/* --- which ports are ours --- */

/* Which of our ports this is, by its place in own. -1: none. */
static int own_index(const struct pwlinks *links, const struct pwobject *port)
{
	const struct pipewire_backend *p = links->p;
	unsigned i = 0;

	while (i < p->n_groups && p->groups[i]->id != port->node) {
		i++;
	}
	if (port->node == SPA_ID_INVALID || i == p->n_groups) {
		return -1;
	}
	for (unsigned k = 0; k < AUDIO_CHANNELS && port->name && port->name[0]; k++) {
		if (spa_streq(p->groups[i]->in[k].name, port->name)) {
			return (int)((2 * i) * AUDIO_CHANNELS + k);
		}
		if (spa_streq(p->groups[i]->out[k].name, port->name)) {
			return (int)((2 * i + 1) * AUDIO_CHANNELS + k);
		}
	}
	return -1;
}

static struct pw_channel *channel_at(const struct pwlinks *links, int own)
{
	struct backend_group *group = links->p->groups[own / (2 * AUDIO_CHANNELS)];
	int k = own % (2 * AUDIO_CHANNELS);

	return k < AUDIO_CHANNELS ? &group->in[k] : &group->out[k - AUDIO_CHANNELS];
}

/* What the configuration wants to be connected to this port is connected once more. */
static void appeared(struct pwlinks *links, const char *full)
{
	for (unsigned i = 0; i < links->n_own; i++) {
		links->own[i].channel->connect_done &= !spa_streq(links->own[i].channel->connect, full);
	}
}

static void resolve(struct pwlinks *links)
{
	links->n_own = links->p->n_groups * 2 * AUDIO_CHANNELS;
	for (unsigned i = 0; i < links->n_own; i++) {
		bool input = i % (2 * AUDIO_CHANNELS) < AUDIO_CHANNELS;

		links->own[i].channel = channel_at(links, (int)i);
		links->own[i].object = NULL;
		links->own[i].other_direction = input ? SPA_DIRECTION_OUTPUT : SPA_DIRECTION_INPUT;
	}
	for (uint32_t i = 0; i < links->graph.n_objects; i++) {
		struct pwobject *port = pwgraph_at(&links->graph, i, PWOBJECT_PORT);
		int own = port ? own_index(links, port) : -1;

		if (port && pwgraph_name_port(&links->graph, port)) {
			appeared(links, port->full);
		}
		if (own >= 0) {
			links->own[own].object = port;
		}
	}
	pwgraph_chain(&links->graph);
}

/* --- what the registry tells --- */

void pwlinks_global(struct pwlinks *links, uint32_t id, const char *type, const struct spa_dict *props)
{
	enum pwobject_kind kind = pwgraph_kind(type);
	struct pwobject *old = pwgraph_at(&links->graph, id, PWOBJECT_OTHER);
	struct pwobject *object;

	if (old && old->kind == kind && !props) {
		return;
	}
	object = pwobject_new(id, kind, props);
	if (old && object && pwobject_is_same(old, object)) {
		pwobject_free(object);
		return;
	}
	pwlinks_global_gone(links, id);
	if (object && pwgraph_add(&links->graph, object) >= 0) {
		links->dirty = true;
	}
}

void pwlinks_global_gone(struct pwlinks *links, uint32_t id)
{
	struct pwobject *object = pwgraph_at(&links->graph, id, PWOBJECT_OTHER);
	int own;

	if (!object) {
		return;
	}
	if (object->kind == PWOBJECT_PORT) {
		sync_groups(links);
		own = own_index(links, object);
		if (own >= 0) {
			links->news |= lose(channel_at(links, own), links->now);
		}
		pwmake_port_gone(&links->make, id);
	}
	pwgraph_remove(&links->graph, id);
	links->dirty = true;
}

/* --- making and comparing --- */

static struct pwobject *find_other(const struct pwlinks *links, const struct pwobject *port, const char *full)
{
	for (struct pwobject *link = port->first; link; link = pwgraph_next(port, link)) {
		struct pwobject *other = pwgraph_other(&links->graph, port, link);

		if (spa_streq(other->full, full)) {
			return other;
		}
	}
	return NULL;
}

/*
 * A session manager suspends a new node, sets it, and has it run again. A link that is made meanwhile may never come to
 * life.
 */
static bool is_settling(const struct pwlinks *links)
{
	for (unsigned i = 0; i < links->p->n_groups; i++) {
		if (links->now < links->p->groups[i]->settling_ns) {
			return true;
		}
	}
	return false;
}

static enum pwmake_result make_link(struct pwlinks *links, const struct own_port *own, struct pwobject *other)
{
	bool to_us = own->other_direction == SPA_DIRECTION_OUTPUT;

	if (is_settling(links)) {
		return PWMAKE_ASKED;
	}
	if (find_other(links, own->object, other->full)) {
		return PWMAKE_DONE;
	}
	return pwmake_link(&links->make, links->p->core, to_us ? other : own->object,
		to_us ? own->object : other, links->now);
}

/* Links from before, whose other port is there by now. */
static void make_pending(struct pwlinks *links, const struct own_port *own)
{
	struct pwlink **at = &own->channel->links;

	while (*at) {
		struct pwlink *link = *at;
		struct pwobject *other = NULL;

		if (link->state == PWLINK_PENDING) {
			other = pwgraph_find_port(&links->graph, link->other, own->other_direction);
		}
		if (other && other->stream) {
			drop_link(at);
			links->news = true;
			continue;
		}
		if (other && make_link(links, own, other) == PWMAKE_DONE) {
			/* compare() sees whether it still is there. */
			link->state = PWLINK_LOST;
			link->lost_ns = links->now;
		}
		at = &link->next;
	}
}

/* The link that the configuration asks for: once each time that the other port comes. */
static void make_configured(struct pwlinks *links, const struct own_port *own)
{
	struct pw_channel *channel = own->channel;
	struct pwobject *other = NULL;

	if (channel->connect && !channel->connect_done) {
		other = pwgraph_find_port(&links->graph, channel->connect, own->other_direction);
	}
	if (other && make_link(links, own, other) != PWMAKE_ASKED) {
		channel->connect_done = true;
	}
}

/* A link is gone because its sound card is: it comes back with it. */
static bool is_unplugged(const struct pwlinks *links, const struct own_port *own, const struct pwlink *link)
{
	return link->device && !pwgraph_find_port(&links->graph, link->other, own->other_direction);
}

/* What is there: noted, whatever we thought of it before. True where it is news. */
static bool note(struct pwlinks *links, const struct own_port *own, const struct pwobject *other)
{
	enum pwlink_state state = other->stream ? PWLINK_PASSING : PWLINK_MADE;
	struct pwlink *link = find_link(own->channel, other->full);
	bool news = !link || link->state != state;

	if (!link && pwlinks_remember(own->channel, other->full, state) >= 0) {
		link = find_link(own->channel, other->full);
	}
	if (link && news) {
		link->state = state;
		link->device = other->device && own_index(links, other) < 0;
	}
	return news;
}

/* What is linked, against what we know. */
static void compare(struct pwlinks *links, const struct own_port *own)
{
	struct pwlink **at = &own->channel->links;

	while (*at) {
		struct pwlink *link = *at;
		bool there = find_other(links, own->object, link->other) != NULL;
		enum pwlink_state was = link->state;

		if (!there && (was == PWLINK_PASSING || is_old(link, links->now))) {
			links->news = true;
			drop_link(at);
			continue;
		}
		if (!there && was != PWLINK_PENDING && is_unplugged(links, own, link)) {
			link->state = PWLINK_PENDING;
		} else if (!there && was == PWLINK_MADE) {
			link->state = PWLINK_LOST;
			link->lost_ns = links->now;
		}
		links->news |= link->state != was;
		at = &link->next;
	}
	for (struct pwobject *link = own->object->first; link; link = pwgraph_next(own->object, link)) {
		const struct pwobject *other = pwgraph_other(&links->graph, own->object, link);

		if (other->full) {
			links->news |= note(links, own, other);
		}
	}
}

static void look(struct pwlinks *links)
{
	links->looked_ns = links->now;
	if (links->dirty) {
		links->dirty = false;
		resolve(links);
	}
	pwmake_begin(&links->make);
	for (unsigned i = 0; i < links->n_own; i++) {
		if (links->own[i].object) {
			make_pending(links, &links->own[i]);
			make_configured(links, &links->own[i]);
			compare(links, &links->own[i]);
		}
	}
	pwmake_end(&links->make);
}

void pwlinks_update(struct pwlinks *links, int64_t now)
{
	links->now = now;
	sync_groups(links);
	if (links->p->core && (links->dirty || links->make.answered || now - links->looked_ns >= LOOK_NS)) {
		look(links);
	}
	if (links->news) {
		links->news = false;
		pw_post(links->p, BACKEND_CHANGED_LINKS);
	}
}

/* --- the whole --- */

void pwlinks_lost(struct pwlinks *links, int64_t now)
{
	links->now = now;
	for (unsigned i = 0; i < links->p->n_groups; i++) {
		lose_group(links, links->p->groups[i]);
	}
	pwmake_clear(&links->make);
	pwgraph_clear(&links->graph);
	links->dirty = true;
}

int pwlinks_new(struct pipewire_backend *p, struct pwlinks **ret_links)
{
	struct pwlinks *links = calloc(1, sizeof(*links));

	if (!links) {
		return -ENOMEM;
	}
	links->p = p;
	links->dirty = true;
	pwmake_init(&links->make);
	*ret_links = links;
	return 0;
}

void pwlinks_free(struct pwlinks *links)
{
	if (links) {
		pwmake_clear(&links->make);
		pwgraph_clear(&links->graph);
		free(links);
	}
}
