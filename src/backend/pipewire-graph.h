/*
 * The graph as the registry tells it: nodes, ports and links by their global ids, announced in any order and with or
 * without the properties that say what they are.
 *
 * Ownership: objects belong to the graph; a pointer to one is valid until that id is added or removed.
 * Threads: control.
 */
#ifndef BACKEND_PIPEWIRE_GRAPH_H
#define BACKEND_PIPEWIRE_GRAPH_H

#include <pipewire/pipewire.h>

enum pwobject_kind {
	PWOBJECT_NODE,
	PWOBJECT_PORT,
	PWOBJECT_LINK,
	PWOBJECT_OTHER,
};

struct pwobject {
	enum pwobject_kind kind;
	uint32_t id;
	char *name;  /* a node's or port's; NULL: none */
	bool stream; /* a node whose links the session manager makes, or a port of such a node */
	bool device; /* a sound card's node, or its port */

	/* a port's */
	uint32_t node;
	int direction;		/* enum spa_direction; -1: not told */
	char *full;		/* NODE:PORT; NULL until the node is known */
	struct pwobject *first; /* of its links; for the caller of pwgraph_chain() */

	/* a link's */
	uint32_t output;
	uint32_t input;
	struct pwobject *next_of_output;
	struct pwobject *next_of_input;
};

/* Zeroed it is empty. */
struct pwgraph {
	struct pwobject **objects; /* by id; NULL: none */
	uint32_t n_objects;
};

enum pwobject_kind pwgraph_kind(const char *type);
/* What the registry tells of one object, not in the graph yet. NULL: no memory, or it is of another kind. */
struct pwobject *pwobject_new(uint32_t id, enum pwobject_kind kind, const struct spa_dict *props);
void pwobject_free(struct pwobject *object);
bool pwobject_is_same(const struct pwobject *a, const struct pwobject *b);

/* Takes the object over, in place of nothing. 0, or -ENOMEM or -E2BIG: it is freed. */
int pwgraph_add(struct pwgraph *graph, struct pwobject *object);
void pwgraph_remove(struct pwgraph *graph, uint32_t id);
void pwgraph_clear(struct pwgraph *graph);

/* NULL: there is none, or it is of another kind. PWOBJECT_OTHER: of any. */
struct pwobject *pwgraph_at(const struct pwgraph *graph, uint32_t id, enum pwobject_kind kind);
/* Gives the port its full name. True where it has had none. */
bool pwgraph_name_port(const struct pwgraph *graph, struct pwobject *port);
/* The first port of this name and direction. */
struct pwobject *pwgraph_find_port(const struct pwgraph *graph, const char *full, int direction);

/* Puts each link whose ports are both there into the chains of both; they hold until something is added or removed. */
void pwgraph_chain(struct pwgraph *graph);

static inline struct pwobject *pwgraph_next(const struct pwobject *port, const struct pwobject *link)
{
	return link->output == port->id ? link->next_of_output : link->next_of_input;
}

/* The port at the other end of a link in this port's chain. */
static inline struct pwobject *pwgraph_other(
	const struct pwgraph *graph, const struct pwobject *port, const struct pwobject *link)
{
	return graph->objects[link->output == port->id ? link->input : link->output];
}

#endif
