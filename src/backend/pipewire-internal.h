/*
 * The inside of the PipeWire backend: pipewire.c (the connection to the server and what the daemon calls),
 * pipewire-group.c (what the daemon wants of a node), pipewire-node.c (one node of the graph) with pipewire-port.c (its
 * ports) and pipewire-params.c (what both say of themselves), pipewire-links.c (what is linked to what; pipewire-graph.c has
 * what the registry tells, pipewire-make.c asks for links), pipewire-rt.c and pipewire-insert-rt.c (the data loop).
 *
 * All but the data loop runs on the control thread, which nests PipeWire's loop in its own. Nothing here waits for the
 * server.
 */
#ifndef BACKEND_PIPEWIRE_INTERNAL_H
#define BACKEND_PIPEWIRE_INTERNAL_H

#include "backend/pipewire-rt.h"

#include <pipewire/impl.h>
#include <pipewire/pipewire.h>
#include <pthread.h>
#include <spa/param/latency-utils.h>

#define PW_NAMES_MAX 96
#define PW_PORT_NAME_MAX 32
/* Programs offer up to some 11 dB above 0 dB; far more than that is a mistake. */
#define PW_VOLUME_MAX 16.0f

struct pwlinks;

enum pwlink_state {
	PWLINK_MADE,
	PWLINK_PENDING, /* to be made when the other port is there */
	PWLINK_PASSING, /* there, but the session manager's: never made again */
	PWLINK_LOST,	/* was there a moment ago: perhaps the server is going down */
};

/* A link that is remembered. */
struct pwlink {
	struct pwlink *next;
	enum pwlink_state state;
	int64_t lost_ns;
	bool device; /* to a sound card: those come back, by the session manager or when they are plugged in again */
	char other[]; /* NODE:PORT */
};

/* One port of ours, there or not. */
struct pw_channel {
	bool want;
	char name[PW_PORT_NAME_MAX]; /* playback_1 */
	char *label;		     /* NULL: none */
	char *connect;		     /* NODE:PORT; NULL: none */
	bool connect_done; /* made since the other port came; if it is gone now, the user has taken it away */
	struct pwlink *links;
};

enum node_param {
	NODE_ENUM_FORMAT,
	NODE_FORMAT,
	NODE_PROP_INFO,
	NODE_PROPS,
	NODE_ENUM_CONFIG,
	NODE_CONFIG,
	NODE_LATENCY,
	NODE_PARAMS
};
enum port_param { PORT_ENUM_FORMAT, PORT_FORMAT, PORT_BUFFERS, PORT_IO, PORT_LATENCY, PORT_PARAMS };

struct pwnode_port {
	struct spa_param_info params[PORT_PARAMS];
	struct spa_latency_info latency[2]; /* by direction */
	bool has_format;
	bool midi;
};

/* What the graph is told about a node, and what it has set. */
struct pwnode_info {
	struct spa_param_info params[NODE_PARAMS];
	struct pwnode_port in[AUDIO_CHANNELS];
	struct pwnode_port out[AUDIO_CHANNELS];
	bool has_format;
};

struct backend_group {
	struct pwrt_node rt;
	struct pipewire_backend *backend;
	char name[PW_NAMES_MAX];      /* the device's */
	char node_name[PW_NAMES_MAX]; /* CLIENT.NAME */
	char *description;
	uint32_t positions[AUDIO_CHANNELS]; /* enum spa_audio_channel */
	bool preferred;
	bool through; /* an insert: what comes out is what went in */
	uint32_t latency_frames;
	/* A device's playback and monitor ports; an insert's audio, and its MIDI at PWRT_MIDI. */
	struct pw_channel in[AUDIO_CHANNELS];
	struct pw_channel out[AUDIO_CHANNELS];

	/* as the graph sees it; pipewire-node.c */
	struct spa_node node;
	struct spa_hook_list hooks;
	struct spa_callbacks node_callbacks;
	struct pw_impl_node *impl; /* NULL: none */
	struct pw_proxy *proxy;	   /* NULL: not in the graph */
	struct spa_hook proxy_hook;
	uint32_t id; /* global; SPA_ID_INVALID: not known yet */
	struct pwnode_info *info;
	struct backend_volume volume;	/* as it is shown */
	struct backend_volume accepted; /* that counts */
	int64_t volume_ns;		/* since then another is shown; 0: none */
	int64_t settling_ns;		/* until then nothing is to be linked to it */
	int64_t suspended_ns;		/* since then somebody wants it to stand still; 0: nobody */
	bool volume_news;		/* set in the graph, not yet taken by the daemon */
};

struct pipewire_backend {
	struct backend base;
	struct pwrt rt;
	struct pw_loop *loop;
	struct pw_context *context; /* from the first start on */
	struct pw_loop *data_loop;
	struct spa_hook data_hook;
	pthread_t data_thread;
	pid_t data_tid;	      /* of the data loop's thread */
	struct pw_core *core; /* NULL: not connected */
	struct spa_hook core_hook;
	struct pw_registry *registry;
	struct spa_hook registry_hook;
	struct spa_source *wake;  /* makes backend_fd() readable */
	struct spa_source *timer; /* to try again, and to see what the data loop has to say */
	unsigned changes;
	enum backend_state state;
	bool want;
	bool run;
	bool gone; /* the server has left */
	int error;
	char why[256];
	char client_name[PW_NAMES_MAX];
	int64_t connected_ns;
	uint64_t connected_cycles; /* how many there had been by then */
	struct backend_info told;  /* what the data loop had said when we looked last */
	struct backend_group *groups[PWRT_NODES_MAX];
	unsigned n_groups;
	struct pwlinks *links;
};

/* --- pipewire.c --- */
void pw_post(struct pipewire_backend *p, unsigned changes);

/* --- pipewire-group.c --- */
int pwgroup_new(
	struct pipewire_backend *p, const struct backend_ports *ports, struct backend_group **ret_group);
void pwgroup_free(struct backend_group *group);
/* What is wanted now; without memory for all of it nothing changes. 0 or -ENOMEM. */
int pwgroup_set_wishes(struct backend_group *group, const struct backend_ports *ports);

/* --- pipewire-node.c --- */
/* Fills in what a node is, a device's or an insert's; it is not in the graph yet. 0 or -ENOMEM. */
int pwnode_init(struct backend_group *group, bool insert);
void pwnode_fini(struct backend_group *group);
/* Puts it into the graph of p->core, anew if it is there already. 0 or -errno. */
int pwnode_export(struct backend_group *group);
/*
 * From time to time. A node that was suspended does not begin again by itself, though it is to run always; and a volume
 * that was set counts after a moment.
 */
void pwnode_tend(struct backend_group *group, int64_t now);
/* Takes it out; on return the data loop does not look at it any more. */
void pwnode_withdraw(struct backend_group *group);
/* Labels, description, monitor ports or positions are others than before. */
void pwnode_update(struct backend_group *group);
void pwnode_set_latency(struct backend_group *group, uint32_t latency_frames);
void pwnode_set_volume(struct backend_group *group, const struct backend_volume *volume);

/* --- pipewire-port.c --- */
void pwport_init(struct pwnode_port *port, bool midi);
/* Tells whoever listens what the ports are. */
void pwport_emit_all(struct backend_group *group);
/*
 * Makes all ports anew. A session manager that sets the configuration waits for ports to come; ours are there already, so they are made anew.
 * Links to them go; those that we know of are made again. To make one port anew does not do: the links of the others
 * would not come to life again after the node was suspended.
 */
void pwport_renew_all(struct backend_group *group);
void pwport_remove_monitors(struct backend_group *group);
/* The node is out of the graph: what libpipewire has lent to the ports is not theirs any more. */
void pwport_forget_all(struct backend_group *group);
/* The node's latency is another, or what an insert passes through. */
void pwport_tell_latency(struct backend_group *group);

/* Of spa_node_methods; object is the group. */
int pwport_enum_params(void *object, int seq, enum spa_direction direction, uint32_t k, uint32_t id,
	uint32_t start, uint32_t num, const struct spa_pod *filter);
int pwport_set_param(void *object, enum spa_direction direction, uint32_t k, uint32_t id, uint32_t flags,
	const struct spa_pod *param);
int pwport_use_buffers(void *object, enum spa_direction direction, uint32_t k, uint32_t flags,
	struct spa_buffer **buffers, uint32_t n_buffers);
int pwport_set_io(
	void *object, enum spa_direction direction, uint32_t k, uint32_t id, void *data, size_t size);
int pwport_reuse_buffer(void *object, uint32_t k, uint32_t buffer_id);

/* --- pipewire-params.c --- */
/* As WirePlumber and pw-cli write it: FL, AUX0, … */
const char *pwparams_position_name(uint32_t position);
/* Answers who asks for params of the node, or of a port (NULL: of the node): spa_node_methods' enum_params. */
int pwparams_enum(struct backend_group *group, const struct pwnode_port *port, int seq, uint32_t id,
	uint32_t start, uint32_t num, const struct spa_pod *filter);

/* --- pipewire-links.c --- */
int pwlinks_new(struct pipewire_backend *p, struct pwlinks **ret_links);
void pwlinks_free(struct pwlinks *links);
/* Something came to the graph, or is other than before: of the registry's events. */
void pwlinks_global(struct pwlinks *links, uint32_t id, const char *type, const struct spa_dict *props);
void pwlinks_global_gone(struct pwlinks *links, uint32_t id);
/* Makes what is to be made, forgets what was taken away. From time to time and after each change; cheap. */
void pwlinks_update(struct pwlinks *links, int64_t now);
/* The server is lost: all that was there is gone, what was linked is to be linked again. */
void pwlinks_lost(struct pwlinks *links, int64_t now);
/* 0 or -ENOMEM. */
int pwlinks_remember(struct pw_channel *channel, const char *other, enum pwlink_state state);
void pwlinks_forget(struct pw_channel *channel);

#endif
