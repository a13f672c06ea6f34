#include "backend/pipewire-graph.h"
#include "base/util.h"

#include <errno.h>
#include <spa/utils/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The server gives out its lowest free ids, so this is far more than a graph has. */
#define IDS_MAX (1u << 20)

enum pwobject_kind pwgraph_kind(const char *type)
{
	if (spa_streq(type, PW_TYPE_INTERFACE_Node)) {
		return PWOBJECT_NODE;
	}
	if (spa_streq(type, PW_TYPE_INTERFACE_Port)) {
		return PWOBJECT_PORT;
	}
	return spa_streq(type, PW_TYPE_INTERFACE_Link) ? PWOBJECT_LINK : PWOBJECT_OTHER;
}

static const char *lookup(const struct spa_dict *props, const char *key)
{
	return props ? spa_dict_lookup(props, key) : NULL;
}

static uint32_t lookup_id(const struct spa_dict *props, const char *key)
{
	uint32_t id;

	return spa_atou32(lookup(props, key), &id, 10) ? id : SPA_ID_INVALID;
}

static int lookup_direction(const struct spa_dict *props)
{
	const char *text = lookup(props, PW_KEY_PORT_DIRECTION);

	if (spa_streq(text, "in")) {
		return SPA_DIRECTION_INPUT;
	}
	return spa_streq(text, "out") ? SPA_DIRECTION_OUTPUT : -1;
}

struct pwobject *pwobject_new(uint32_t id, enum pwobject_kind kind, const struct spa_dict *props)
{
	const char *name = lookup(props, kind == PWOBJECT_NODE ? PW_KEY_NODE_NAME : PW_KEY_PORT_NAME);
	const char *class = lookup(props, PW_KEY_MEDIA_CLASS);
	struct pwobject *object = kind != PWOBJECT_OTHER ? calloc(1, sizeof(*object)) : NULL;

	if (!object) {
		return NULL;
	}
	object->kind = kind;
	object->id = id;
	object->stream = kind == PWOBJECT_NODE && class && spa_strstartswith(class, "Stream/");
	object->device = kind == PWOBJECT_NODE && class && spa_strstartswith(class, "Audio/");
	object->node = lookup_id(props, PW_KEY_NODE_ID);
	object->direction = lookup_direction(props);
	object->output = lookup_id(props, PW_KEY_LINK_OUTPUT_PORT);
	object->input = lookup_id(props, PW_KEY_LINK_INPUT_PORT);
	object->name = name ? strdup(name) : NULL;
	if (name && !object->name) {
		pwobject_free(object);
		return NULL;
	}
	return object;
}

void pwobject_free(struct pwobject *object)
{
	if (object) {
		free(object->name);
		free(object->full);
		free(object);
	}
}

bool pwobject_is_same(const struct pwobject *a, const struct pwobject *b)
{
	bool same_class = a->kind != PWOBJECT_NODE || (a->stream == b->stream && a->device == b->device);

	return a->kind == b->kind && spa_streq(a->name, b->name) && same_class && a->node == b->node &&
	       a->direction == b->direction && a->output == b->output && a->input == b->input;
}

static int make_room(struct pwgraph *graph, uint32_t id)
{
	uint32_t n = MAX(256, graph->n_objects);
	struct pwobject **objects;

	if (id < graph->n_objects) {
		return 0;
	}
	if (id >= IDS_MAX) {
		return -E2BIG;
	}
	while (n <= id) {
		n *= 2;
	}
	objects = realloc(graph->objects, n * sizeof(objects[0]));
	if (!objects) {
		return -ENOMEM;
	}
	memset(objects + graph->n_objects, 0, (n - graph->n_objects) * sizeof(objects[0]));
	graph->objects = objects;
	graph->n_objects = n;
	return 0;
}

int pwgraph_add(struct pwgraph *graph, struct pwobject *object)
{
	int r = make_room(graph, object->id);

	if (r < 0) {
		pwobject_free(object);
		return r;
	}
	graph->objects[object->id] = object;
	return 0;
}

/* Its ports go as well, or get another node under the same id. */
static void forget_names(struct pwgraph *graph, uint32_t node)
{
	for (uint32_t i = 0; i < graph->n_objects; i++) {
		struct pwobject *port = pwgraph_at(graph, i, PWOBJECT_PORT);

		if (port && port->node == node) {
			free(port->full);
			port->full = NULL;
		}
	}
}

void pwgraph_remove(struct pwgraph *graph, uint32_t id)
{
	struct pwobject *object = pwgraph_at(graph, id, PWOBJECT_OTHER);

	if (!object) {
		return;
	}
	graph->objects[id] = NULL;
	if (object->kind == PWOBJECT_NODE) {
		forget_names(graph, id);
	}
	pwobject_free(object);
}

void pwgraph_clear(struct pwgraph *graph)
{
	for (uint32_t i = 0; i < graph->n_objects; i++) {
		pwobject_free(graph->objects[i]);
	}
	free(graph->objects);
	graph->objects = NULL;
	graph->n_objects = 0;
}

struct pwobject *pwgraph_at(const struct pwgraph *graph, uint32_t id, enum pwobject_kind kind)
{
	struct pwobject *object = id < graph->n_objects ? graph->objects[id] : NULL;

	return object && (object->kind == kind || kind == PWOBJECT_OTHER) ? object : NULL;
}

bool pwgraph_name_port(const struct pwgraph *graph, struct pwobject *port)
{
	const struct pwobject *node = pwgraph_at(graph, port->node, PWOBJECT_NODE);

	if (port->full || !node || !node->name || !port->name) {
		return false;
	}
	if (asprintf(&port->full, "%s:%s", node->name, port->name) < 0) {
		port->full = NULL;
		return false;
	}
	port->stream = node->stream;
	port->device = node->device;
	return true;
}

struct pwobject *pwgraph_find_port(const struct pwgraph *graph, const char *full, int direction)
{
	for (uint32_t i = 0; i < graph->n_objects; i++) {
		struct pwobject *port = pwgraph_at(graph, i, PWOBJECT_PORT);

		if (port && port->direction == direction && spa_streq(port->full, full)) {
			return port;
		}
	}
	return NULL;
}

void pwgraph_chain(struct pwgraph *graph)
{
	for (uint32_t i = 0; i < graph->n_objects; i++) {
		struct pwobject *port = pwgraph_at(graph, i, PWOBJECT_PORT);

		if (port) {
			port->first = NULL;
		}
	}
	for (uint32_t i = 0; i < graph->n_objects; i++) {
		struct pwobject *link = pwgraph_at(graph, i, PWOBJECT_LINK);
		struct pwobject *output = link ? pwgraph_at(graph, link->output, PWOBJECT_PORT) : NULL;
		struct pwobject *input = link ? pwgraph_at(graph, link->input, PWOBJECT_PORT) : NULL;

		if (output && input) {
			link->next_of_output = output->first;
			link->next_of_input = input->first;
			output->first = link;
			input->first = link;
		}
	}
}
