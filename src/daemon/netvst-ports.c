#include "daemon/netvst-internal.h"

#include <stdlib.h>
#include <string.h>

#define DESCRIPTION_MAX (CONF_DESCRIPTION_MAX + 8)

/* A connection, while the ports that it belongs to are made anew. */
struct netvst_link {
	struct netvst_link *next;
	char *port;
	char *other;
};

void netvst_name_parts(struct netvst *nv)
{
	for (unsigned i = 0; i < nv->n_parts; i++) {
		struct netvst_part *part = &nv->parts[i];

		if (nv->conf->role == CONF_ROLE_CLIENT) {
			snprintf(part->name, sizeof(part->name), "%s", nv->conf->name);
		} else if (snprintf(part->name, sizeof(part->name), "%s-%u", nv->conf->name, i + 1) >=
			   (int)sizeof(part->name)) {
			abort(); /* the configuration's check has left room for it */
		}
	}
}

static void describe(const struct netvst *nv, unsigned i, char ret_text[DESCRIPTION_MAX])
{
	const char *text = *nv->conf->description ? nv->conf->description : nv->conf->name;

	if (nv->n_parts == 1) {
		snprintf(ret_text, DESCRIPTION_MAX, "%s", text);
	} else {
		snprintf(ret_text, DESCRIPTION_MAX, "%s %u", text, i + 1);
	}
}

static const struct backend_insert_ports client_ports = {
	.in = {"send_1", "send_2"},
	.out = {"return_1", "return_2"},
	.midi_in = "midi",
	.through = true,
};

static const struct backend_insert_ports slot_ports = {
	.in = {"reply_1", "reply_2"},
	.out = {"receive_1", "receive_2"},
	.midi_out = "midi",
};

/* The strings in it are the configuration's, and description's. */
static void fill_ports(const struct netvst *nv, unsigned i, struct backend_insert_ports *ret_insert,
	char ret_description[DESCRIPTION_MAX], struct backend_ports *ret_ports)
{
	const bool client = nv->conf->role == CONF_ROLE_CLIENT;
	char *const *connect = nv->conf->connect;

	*ret_insert = client ? client_ports : slot_ports;
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		ret_insert->connect_in[k] = connect[client ? k : AUDIO_INSERT_CHANNELS + k];
		ret_insert->connect_out[k] = connect[client ? AUDIO_INSERT_CHANNELS + k : k];
	}
	describe(nv, i, ret_description);
	memset(ret_ports, 0, sizeof(*ret_ports));
	ret_ports->name = nv->parts[i].name;
	ret_ports->latency_frames = nv->parts[i].latency_frames;
	ret_ports->description = ret_description;
	ret_ports->owner = nv->parts[i].insert;
	ret_ports->insert = ret_insert;
}

int netvst_add_ports(struct netvst *nv, struct backend *b, struct backend_group *ret_groups[NETVST_SLOTS_MAX])
{
	struct backend_insert_ports insert;
	char description[DESCRIPTION_MAX];
	struct backend_ports ports;
	int r = 0;

	for (unsigned i = 0; i < nv->n_parts && nv->phase < NETVST_DYING && r >= 0; i++) {
		fill_ports(nv, i, &insert, description, &ports);
		r = backend_add_ports(b, &ports, &ret_groups[i]);
	}
	return r;
}

void netvst_set_ports(
	struct netvst *nv, struct backend *old, struct backend_group *const groups[NETVST_SLOTS_MAX])
{
	for (unsigned i = 0; i < nv->n_parts && nv->phase < NETVST_DYING; i++) {
		backend_remove_ports(old, nv->parts[i].group);
		nv->parts[i].group = groups[i];
	}
}

int netvst_change_ports(struct netvst *nv)
{
	struct backend_insert_ports insert;
	char description[DESCRIPTION_MAX];
	struct backend_ports ports;
	int r = 0;

	for (unsigned i = 0; i < nv->n_parts && r >= 0; i++) {
		fill_ports(nv, i, &insert, description, &ports);
		r = backend_change_ports(nv->manager->backend, nv->parts[i].group, &ports);
	}
	return r;
}

void netvst_remove_ports(struct netvst *nv)
{
	for (unsigned i = 0; i < nv->n_parts; i++) {
		if (nv->parts[i].group) {
			backend_remove_ports(nv->manager->backend, nv->parts[i].group);
			nv->parts[i].group = NULL;
		}
	}
}

/* --- connections --- */

static bool is_ours(const struct netvst *nv, const char *port)
{
	for (unsigned i = 0; i < nv->n_parts; i++) {
		size_t len = strlen(nv->parts[i].name);

		if (strncmp(port, nv->parts[i].name, len) == 0 && port[len] == '/') {
			return true;
		}
	}
	return false;
}

static void free_link(struct netvst_link *link)
{
	free(link->port);
	free(link->other);
	free(link);
}

static void save_link(void *data, const char *port, const char *other)
{
	struct netvst *nv = data;
	struct netvst_link *link = is_ours(nv, port) ? calloc(1, sizeof(*link)) : NULL;

	if (!link) {
		return;
	}
	link->port = strdup(port);
	link->other = strdup(other);
	if (!link->port || !link->other) {
		free_link(link);
		return;
	}
	link->next = nv->links;
	nv->links = link;
}

void netvst_save_links(struct netvst *nv)
{
	backend_get_links(nv->manager->backend, save_link, nv);
}

void netvst_restore_links(struct netvst *nv)
{
	while (nv->links) {
		struct netvst_link *link = nv->links;

		nv->links = link->next;
		if (nv->n_parts > 0) {
			backend_add_link(nv->manager->backend, link->port, link->other);
		}
		free_link(link);
	}
}
