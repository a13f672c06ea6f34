/*
 * One [netvst NAME] section at work: its inserts in the graph, the connection behind them, and how late its audio is.
 *
 * A section passes through these phases. Whatever cannot be changed while it plays is changed in SILENT or EMPTY.
 *
 *   WORKING -> FADING -> SILENT -> DYING -> EMPTY -> (the next configuration) WORKING
 *
 * Ownership: the manager owns sections and the two threads that serve their sockets. Control thread only.
 */
#ifndef DAEMON_NETVST_H
#define DAEMON_NETVST_H

#include "daemon/levels.h"
#include "daemon/manager.h"
#include "engine/insert.h"
#include "net/netvst-io.h"

#define NETVST_GAIN_MIN_DB (-56)
#define NETVST_GAIN_MAX_DB 12
#define NETVST_LATE_MAX 4

enum netvst_state {
	NETVST_STOPPED, /* no audio server */
	/* a client */
	NETVST_CONNECTING, /* also while it waits for the next try */
	NETVST_MEASURING,  /* round trips, for latency = auto */
	NETVST_ONLINE,
	/* a server */
	NETVST_LISTENING,
	NETVST_UNAVAILABLE,
};

enum netvst_phase {
	NETVST_WORKING,
	NETVST_FADING,
	NETVST_SILENT,
	NETVST_DYING, /* its ports are removed, but a callback may still see them */
	NETVST_EMPTY,
};

/* One set of ports: the client's, or those of one of the server's slots. */
struct netvst_part {
	char name[CONF_NAME_MAX + 1]; /* the ports are NAME/… */
	struct nvpipe *pipe;
	struct insert *insert;
	struct backend_group *group;
	uint32_t latency_frames; /* as the graph was told */
};

/* What makes a client's latency, where that is automatic. */
struct netvst_policy {
	uint32_t frames; /* in force; client, 0: not known yet, and silence */
	int64_t trip_ns; /* that it allows for; 0: not measured */
	uint32_t raised; /* periods that were added since */
	uint32_t period_frames;
	uint32_t rate_hz;
	uint32_t grid_frames; /* as in insert_report */
	int64_t changed_ns;   /* when period or rate became these: audio may have been late because of that */
	int64_t late_ns[NETVST_LATE_MAX]; /* when audio came too late last */
	unsigned n_late;
	int64_t said_late_ns;
	int64_t measure_ns;	/* since when round trips are measured once more; 0: since it was connected */
	int64_t least_trip_ns;	/* what comes of that is no less */
	int64_t silent_ns;	/* since when nothing has been played, though all is connected */
	uint64_t silent_played; /* frames until then, and blocks that had come back */
	uint64_t silent_received;
	uint64_t received; /* blocks that have come back, the last of them then */
	int64_t received_ns;
	unsigned n_measured; /* times in a row, once more and in vain */
	/* as of the last look */
	uint64_t received_before;
	uint64_t episodes;
	uint64_t skipped;
	uint64_t connects;
	uint64_t xruns;
};

struct netvst_link; /* netvst-ports.c */

struct netvst {
	struct manager *manager;
	struct conf *conf_owner; /* conf is in it */
	const struct conf_netvst *conf;
	struct conf *next_owner; /* ours as soon as this one has faded out; NULL: none */
	const struct conf_netvst *next;
	bool leaving; /* no longer configured */
	enum netvst_phase phase;
	int64_t phase_ns;      /* when that began */
	uint64_t phase_cycles; /* callbacks that had ended then */
	enum netvst_state state;
	struct netvst_part parts[NETVST_SLOTS_MAX];
	unsigned n_parts;
	struct netvst_client *client; /* one of these two; neither in DYING and EMPTY */
	struct netvst_server *server;
	struct netvst_link *links; /* to be made again */
	struct strips strips;	   /* in effect */
	struct netvst_policy policy;
	/* as of the last look, for the log and for what has changed */
	struct netvst_client_status client_status;
	struct netvst_server_status server_status;
	char said_error[NETVST_TEXT_MAX];
	bool said_connected;
	struct netvst_turned_away {
		uint64_t n; /* as of the last time that it was said */
		int64_t ns; /* when that was; 0: not yet */
	} said_refused, said_full, said_closed;
	int64_t slots_ns; /* since when comings and goings are counted, and how many there have been */
	unsigned slots_said;
};

#define netvst_log(nv, level, fmt, ...)                                                                      \
	log_about(level, (nv)->conf->name, NULL, "%s: " fmt, (nv)->conf->name, ##__VA_ARGS__)

/* Its ports are there, or soon will be, from now on. 0 or -errno. */
int netvst_new(struct manager *m, struct conf *owner, const struct conf_netvst *conf, struct netvst **ret_nv);
/* No callback may see its ports any more: netvst_is_gone(), or the audio server is left. NULL is allowed. */
void netvst_free(struct netvst *nv);
/* Faded out, as is to be before the audio server is left. */
bool netvst_is_silent(const struct netvst *nv);
/* Of one that is leaving: may be freed. */
bool netvst_is_gone(const struct netvst *nv);

/* Looks at everything; from each tick. */
void netvst_update(struct netvst *nv, int64_t now);
/* Asks the connection how things are, now and not at the next tick. */
void netvst_look(struct netvst *nv);
/* Period or rate may be others, or the audio server has come or gone. */
void netvst_format_changed(struct netvst *nv);
/* Callbacks are about to begin, or none runs any more. */
void netvst_set_running(struct netvst *nv, bool running);
/* The threads' priorities follow the audio server's. For all sections at once. */
void netvst_follow_priority(struct manager *m);
const char *netvst_state_to_string(enum netvst_state state);

/* --- netvst-conf.c --- */

/* The configuration has changed. What can be changed while it plays is; for the rest it fades out, and in again. */
void netvst_configure(struct netvst *nv, struct conf *owner, const struct conf_netvst *conf);

/* --- netvst-ports.c --- */

/* Its ports, once more, at a backend that is to replace the manager's. 0 or -errno; what was made goes with the backend. */
int netvst_add_ports(
	struct netvst *nv, struct backend *b, struct backend_group *ret_groups[NETVST_SLOTS_MAX]);
/* From now on these are its ports; those before are to be removed from old. */
void netvst_set_ports(
	struct netvst *nv, struct backend *old, struct backend_group *const groups[NETVST_SLOTS_MAX]);

/* --- netvst-levels.c --- */

/* strip: 1 is send, 2 is return, 0 is both. Take effect at once and are kept. 0 or -ECHRNG: no such strip. */
int netvst_set_mute(struct netvst *nv, unsigned strip, bool mute);
/* Also -ERANGE: not a whole number of dB, or out of range. */
int netvst_set_gain(struct netvst *nv, unsigned strip, double gain_db);
void netvst_reset(struct netvst *nv);
/*
 * A parameter of the plug-in. 0; -EOPNOTSUPP: a server, or a dialect without parameters; -ERANGE: a number above 65535;
 * -EDOM: a value that is no finite number; -ENOTCONN; -EAGAIN: too many wait already.
 */
int netvst_set_param(struct netvst *nv, unsigned effect, unsigned param, double value);

#endif
