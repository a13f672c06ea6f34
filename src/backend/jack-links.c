#include "backend/jack-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A server that ends takes its ports away one by one before it says so. What was lost so shortly before is
 * taken for lost with it.
 */
#define LOST_WITH_SERVER_NS NSEC_PER_SEC

/* The worker's retries, so 10 s: long enough for a client that loads its samples. */
#define CONNECT_TRIES 40

int jack_link_add(struct jack_channel *channel, const char *other, enum jack_link_state state)
{
	struct jack_link *link = malloc(sizeof(*link) + strlen(other) + 1);

	if (!link) {
		return -ENOMEM;
	}
	link->state = state;
	link->lost_ns = 0;
	link->tries = 0;
	strcpy(link->other, other);
	link->next = channel->links;
	channel->links = link;
	return 0;
}

void jack_links_free(struct jack_channel *channel)
{
	while (channel->links) {
		struct jack_link *link = channel->links;

		channel->links = link->next;
		free(link);
	}
}

static bool in_list(const char **list, const char *name)
{
	for (unsigned i = 0; list && list[i]; i++) {
		if (strcmp(list[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static struct jack_link *find_link(struct jack_channel *channel, const char *other)
{
	struct jack_link *link = channel->links;

	while (link && strcmp(link->other, other) != 0) {
		link = link->next;
	}
	return link;
}

/* With the lock held: what the server says is connected, against what we know. True where it is news. */
static bool compare_links(struct jack_channel *channel, const char **now_there, int64_t now)
{
	struct jack_link **at = &channel->links;
	bool news = false;

	while (*at) {
		struct jack_link *link = *at;
		bool there = in_list(now_there, link->other);

		if (there && link->state != JACK_LINK_MADE) {
			link->state = JACK_LINK_MADE;
			news = true;
		} else if (!there && link->state == JACK_LINK_MADE) {
			link->state = JACK_LINK_LOST;
			link->lost_ns = now;
			news = true;
		} else if (link->state == JACK_LINK_LOST && now - link->lost_ns > LOST_WITH_SERVER_NS) {
			*at = link->next;
			free(link);
			continue;
		}
		at = &link->next;
	}
	for (unsigned i = 0; now_there && now_there[i]; i++) {
		if (!find_link(channel, now_there[i])) {
			(void)jack_link_add(channel, now_there[i], JACK_LINK_MADE);
			news = true;
		}
	}
	return news;
}

/* The next connection to be made, as a copy; the caller frees it. Each is tried once for each time that the port comes. */
static char *next_wish(struct jack_backend *j, struct jack_channel *channel, struct jack_link **ret_link)
{
	char *wish = NULL;

	pthread_mutex_lock(&j->lock);
	*ret_link = *ret_link ? (*ret_link)->next : channel->links;
	while (*ret_link && (*ret_link)->state != JACK_LINK_PENDING) {
		*ret_link = (*ret_link)->next;
	}
	if (*ret_link) {
		wish = strdup((*ret_link)->other);
	}
	pthread_mutex_unlock(&j->lock);
	return wish;
}

/* 0, or -EAGAIN where it was refused, as long as the other client is not active. */
static int connect_port(
	struct jack_backend *j, struct jack_channel *channel, jack_port_t *port, const char *other)
{
	const char *name = jack_port_name(port);
	bool to_us = (jack_port_flags(port) & JackPortIsInput) != 0;
	int r;

	if (jack_port_connected_to(port, other)) {
		return 0;
	}
	jack_call_begin(j, "jack_connect");
	r = jack_connect(j->client, to_us ? other : name, to_us ? name : other);
	jack_call_end(j);
	return r == 0 || r == EEXIST ? 0 : -EAGAIN;
}

/* A client registers its ports some time before it lets them be connected, and nothing tells when it does. */
static bool try_again(struct jack_backend *j, unsigned *tries)
{
	if (++*tries >= CONNECT_TRIES) {
		*tries = 0;
		return false;
	}
	j->links_again = true;
	return true;
}

/* Connections from before, whose other port is there by now. */
static void make_pending(struct jack_backend *j, struct jack_channel *channel, jack_port_t *port)
{
	struct jack_link *link = NULL;
	char *other;

	/* Links are only freed by this thread, and by jack_group_free(), which is this thread's as well. */
	while ((other = next_wish(j, channel, &link))) {
		if (jack_port_by_name(j->client, other) &&
			(connect_port(j, channel, port, other) == 0 || !try_again(j, &link->tries))) {
			/* Made or given up. compare_links() sees which. */
			pthread_mutex_lock(&j->lock);
			link->state = JACK_LINK_LOST;
			link->lost_ns = now_ns();
			link->tries = 0;
			pthread_mutex_unlock(&j->lock);
		}
		free(other);
	}
}

/* The connection that the configuration asks for: once each time that the other port comes. */
static void make_configured(struct jack_backend *j, struct jack_channel *channel, jack_port_t *port)
{
	char *other = NULL;

	pthread_mutex_lock(&j->lock);
	if (channel->connect && !channel->connect_done) {
		other = strdup(channel->connect);
	}
	pthread_mutex_unlock(&j->lock);
	if (other && jack_port_by_name(j->client, other) &&
		(connect_port(j, channel, port, other) == 0 || !try_again(j, &channel->connect_tries))) {
		pthread_mutex_lock(&j->lock);
		channel->connect_done = true;
		channel->connect_tries = 0;
		pthread_mutex_unlock(&j->lock);
	}
	free(other);
}

static bool update_channel(struct jack_backend *j, struct jack_channel *channel, jack_port_t *port)
{
	const char **there;
	bool news;

	if (!port) {
		return false;
	}
	make_pending(j, channel, port);
	make_configured(j, channel, port);
	there = jack_port_get_all_connections(j->client, port);
	/* A server that dies leaves nothing connected: that is not what the user wanted. */
	if (atomic_load(&j->gone)) {
		jack_free(there);
		return false;
	}
	pthread_mutex_lock(&j->lock);
	news = compare_links(channel, there, now_ns());
	pthread_mutex_unlock(&j->lock);
	jack_free(there);
	return news;
}

void jack_links_update(struct jack_backend *j)
{
	struct backend_group *group;
	bool news = false;

	j->links_again = false;
	for (unsigned i = 0; (group = jack_group(j, i)) && !atomic_load(&j->gone); i++) {
		for (unsigned k = 0; k < AUDIO_CHANNELS && group->told; k++) {
			news |= update_channel(j, &group->in[k], atomic_load(&group->rt.in[k]));
			news |= update_channel(j, &group->out[k], atomic_load(&group->rt.out[k]));
		}
	}
	if (news) {
		jack_post(j, BACKEND_CHANGED_LINKS);
	}
}

static void lose(struct jack_channel *channel, int64_t now)
{
	struct jack_link *link;

	channel->connect_done = false;
	for (link = channel->links; link; link = link->next) {
		if (link->state == JACK_LINK_MADE ||
			(link->state == JACK_LINK_LOST && now - link->lost_ns <= LOST_WITH_SERVER_NS)) {
			link->state = JACK_LINK_PENDING;
		}
	}
}

void jack_links_lost(struct jack_backend *j)
{
	int64_t now = now_ns();

	pthread_mutex_lock(&j->lock);
	for (unsigned i = 0; i < j->n_groups; i++) {
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			lose(&j->groups[i]->in[k], now);
			lose(&j->groups[i]->out[k], now);
		}
	}
	pthread_mutex_unlock(&j->lock);
}

static void appeared(struct jack_channel *channel, const char *name)
{
	if (channel->connect && (!name || strcmp(channel->connect, name) == 0)) {
		channel->connect_done = false;
	}
}

void jack_links_appeared(struct jack_backend *j, const char *name)
{
	for (unsigned i = 0; i < j->n_groups; i++) {
		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			appeared(&j->groups[i]->in[k], name);
			appeared(&j->groups[i]->out[k], name);
		}
	}
}
