/*
 * The configuration: INI files read with inih into plain structs, every value checked.
 *
 * Ownership: conf_load() gives a reference to a struct conf to the caller, who gives it back with conf_unref().
 * Control thread only.
 */
#ifndef DAEMON_CONF_H
#define DAEMON_CONF_H

#include "base/log.h"
#include "net/netvst-io.h"
#include "proto/ethlink.h"
#include "proto/netvst.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CONF_NAME_MAX 32 /* bytes of a device's name, without the terminator */
#define CONF_LABEL_MAX 63
#define CONF_DESCRIPTION_MAX 127
#define CONF_POSITION_MAX 7
#define CONF_DEVICES_MAX 32
#define CONF_HOST_MAX 253 /* bytes of a host's name */
#define CONF_NETVSTS_MAX 32
#define CONF_INSERTS_MAX 64 /* clients, and slots of all servers */
#define CONF_NETVST_CONNECTS 4
#define CONF_BLOCK_MIN 16
#define CONF_NETVST_LATENCY_MAX 16384 /* sample frames */
#define CONF_BANDWIDTH_AUTO 0	      /* what the link of the interface carries */
#define CONF_BANDWIDTH_UNLIMITED (-1)
#define CONF_BANDWIDTH_MAX 400000 /* Mbit/s */
#define CONF_LATENCY_AUTO (-1)
#define CONF_LATENCY_MAX 960 /* sample frames; what a box's queue can hold besides bursts */

enum conf_backend {
	CONF_BACKEND_AUTO,
	CONF_BACKEND_JACK,
	CONF_BACKEND_PIPEWIRE,
};

enum conf_bus {
	CONF_BUS_AUTO,
	CONF_BUS_SESSION,
	CONF_BUS_SYSTEM,
	CONF_BUS_NONE,
};

/* Who hands the frames to the kernel. */
enum conf_sender {
	CONF_SENDER_AUTO, /* a thread where there are many frames */
	CONF_SENDER_CALLBACK,
	CONF_SENDER_THREAD,
};

/* What becomes of the volume that is set in the graph, on the desktop. */
enum conf_volume {
	CONF_VOLUME_BOX,      /* the box's gains and mutes follow it */
	CONF_VOLUME_SOFTWARE, /* the samples are made smaller */
	CONF_VOLUME_IGNORE,   /* it is put back to 0 dB */
};

/* The keys of [daemon] and of [device NAME], in the order in which conf_print() writes them. */
enum conf_daemon_key {
	CONF_DAEMON_BACKEND,
	CONF_DAEMON_CLIENT_NAME,
	CONF_DAEMON_JACK_SERVER,
	CONF_DAEMON_INTERFACE,
	CONF_DAEMON_BANDWIDTH,
	CONF_DAEMON_LOG_LEVEL,
	CONF_DAEMON_QDISC_BYPASS,
	CONF_DAEMON_SOCKET_PRIORITY,
	CONF_DAEMON_SENDER,
	CONF_DAEMON_FADE,
	CONF_DAEMON_BUS,
	CONF_DAEMON_KEYS,
};

enum conf_device_key {
	CONF_DEVICE_MODEL,
	CONF_DEVICE_SERIAL,
	CONF_DEVICE_INTERFACE,
	CONF_DEVICE_GAIN,
	CONF_DEVICE_MUTE,
	CONF_DEVICE_PHANTOM,
	CONF_DEVICE_LATENCY,
	CONF_DEVICE_MONITOR,
	CONF_DEVICE_LABELS,
	CONF_DEVICE_CONNECT,
	CONF_DEVICE_TAKEOVER,
	CONF_DEVICE_POSITIONS,
	CONF_DEVICE_VOLUME,
	CONF_DEVICE_DESCRIPTION,
	CONF_DEVICE_PREFERRED,
	CONF_DEVICE_KEYS,
};

/* The keys of [netvst NAME], in that order, too. */
enum conf_netvst_key {
	CONF_NETVST_ROLE,
	CONF_NETVST_HOST,
	CONF_NETVST_PORT,
	CONF_NETVST_DIALECT,
	CONF_NETVST_CODEC,
	CONF_NETVST_BLOCK,
	CONF_NETVST_LATENCY,
	CONF_NETVST_SYNTH,
	CONF_NETVST_CC_PARAMS,
	CONF_NETVST_SLOTS,
	CONF_NETVST_ALLOW,
	CONF_NETVST_CONNECT,
	CONF_NETVST_DESCRIPTION,
	CONF_NETVST_KEYS,
};

enum conf_role {
	CONF_ROLE_CLIENT,
	CONF_ROLE_SERVER,
};

/*
 * Where a value was read: for messages about it and for the effective configuration. file belongs to
 * the struct conf. Whoever overrides a value afterwards sets its where to {NULL, CONF_COMMAND_LINE}.
 */
#define CONF_COMMAND_LINE (-1)
struct conf_where {
	char *file; /* NULL: a default, or the command line */
	int line;
};

struct conf_device {
	char name[CONF_NAME_MAX + 1];
	enum ethlink_model model;
	uint16_t serial;
	char interface[IF_NAMESIZE]; /* its own or [daemon]'s; never empty */
	int gain_db[ETHLINK_CHANNELS];
	bool mute[ETHLINK_CHANNELS];
	bool phantom[2];
	int latency_frames; /* CONF_LATENCY_AUTO or 0..CONF_LATENCY_MAX */
	bool monitor;
	bool takeover;						 /* play the box even if another host does */
	char *labels[ETHLINK_CHANNELS];				 /* NULL: none */
	char *connect[ETHLINK_CHANNELS];			 /* full port name; NULL: none */
	char positions[ETHLINK_CHANNELS][CONF_POSITION_MAX + 1]; /* PipeWire's names of them; no two alike */
	enum conf_volume volume;
	char description[CONF_DESCRIPTION_MAX + 1]; /* "": none given; see conf_device_description() */
	bool preferred;				    /* the desktop may choose it by itself */
	struct conf_where where;		    /* of the section's first line */
	struct conf_where where_key[CONF_DEVICE_KEYS];
};

struct conf_netvst {
	char name[CONF_NAME_MAX + 1];
	enum conf_role role;
	char host[CONF_HOST_MAX + 1]; /* client: name or address; server: the address to listen at */
	uint16_t port;
	enum netvst_dialect dialect;
	enum netvst_codec codec;
	uint32_t block_frames; /* client */
	int latency_frames;    /* CONF_LATENCY_AUTO or 0..CONF_NETVST_LATENCY_MAX */
	bool synth;
	bool cc_params;				   /* client */
	unsigned slots;				   /* server */
	struct netvst_net allow[NETVST_ALLOW_MAX]; /* server */
	unsigned n_allow;
	/* Full port names; NULL: none. Client: send_1, send_2, return_1, return_2. Server: receive_1, …, reply_1, … */
	char *connect[CONF_NETVST_CONNECTS];
	char description[CONF_DESCRIPTION_MAX + 1]; /* "": none given */
	struct conf_where where;
	struct conf_where where_key[CONF_NETVST_KEYS];
};

struct conf {
	unsigned refs;
	enum conf_backend backend;
	char client_name[CONF_NAME_MAX + 1];
	char jack_server[64];
	char interface[IF_NAMESIZE]; /* "" : none given */
	int bandwidth_mbit; /* of each interface: CONF_BANDWIDTH_AUTO, _UNLIMITED or 1..CONF_BANDWIDTH_MAX */
	enum log_level log_level;
	bool qdisc_bypass;	 /* [daemon] qdisc-bypass */
	enum conf_sender sender; /* [daemon] sender */
	int socket_priority;	 /* [daemon] socket-priority, 0..6: SO_PRIORITY without CAP_NET_ADMIN */
	int fade_ms;		 /* [daemon] fade, 0..1000 ms */
	enum conf_bus bus;	 /* where programs find us besides the private socket */
	struct conf_where where_key[CONF_DAEMON_KEYS];
	struct conf_device *devices;
	unsigned n_devices;
	struct conf_netvst *netvsts;
	unsigned n_netvsts;
	char **files; /* every file that was read */
	unsigned n_files;
};

/* Called once for each thing that is wrong; text is "file:line: key: reason" without a newline. */
typedef void (*conf_error_fn)(void *data, const char *text);

/*
 * Reads path and, where there is a folder of the same name plus ".d" beside it, its *.conf files in the order of their names.
 * Reports every error, not just the first. 0 and *ret_conf, or -EINVAL (errors were reported) or -ENOMEM.
 */
int conf_load(const char *path, conf_error_fn error, void *data, struct conf **ret_conf);
struct conf *conf_ref(struct conf *conf);
/* The last one frees it. NULL is allowed. */
void conf_unref(struct conf *conf);

/* The effective configuration as an INI file that conf_load() would read to the same result. */
void conf_print(const struct conf *conf, FILE *f);

const char *conf_backend_to_string(enum conf_backend backend);
const char *conf_volume_to_string(enum conf_volume volume);
/* The one that was given, or the device's name. */
const char *conf_device_description(const struct conf_device *dev);
const char *conf_role_to_string(enum conf_role role);
/* "192.168.1.0/24" */
#define CONF_NET_TEXT_MAX (INET6_ADDRSTRLEN + 4)
void conf_format_net(const struct netvst_net *net, char ret_text[CONF_NET_TEXT_MAX]);

#endif
