/*
 * What the parts of a section share: netvst.c has its life, netvst-conf.c what a reload does to it, netvst-ports.c its ports,
 * netvst-policy.c how late its audio is, netvst-levels.c what is set at run time, netvst-say.c what the log hears.
 */
#ifndef DAEMON_NETVST_INTERNAL_H
#define DAEMON_NETVST_INTERNAL_H

#include "daemon/netvst.h"

/* --- netvst.c --- */
/* The connection behind the ports, made anew. 0 or -errno. */
int netvst_connect(struct netvst *nv);
void netvst_disconnect(struct netvst *nv);
/* Pipes, inserts, ports and connection. 0, or -errno and there is nothing. */
int netvst_build(struct netvst *nv);
/* The other way round; the rest of it is done when callbacks cannot see the ports any more. */
void netvst_take_down(struct netvst *nv, int64_t now);
void netvst_enter(struct netvst *nv, enum netvst_phase phase, int64_t now);

/* --- netvst-conf.c --- */
/* It is silent or empty: makes the next configuration, where there is one, the one that counts. */
void netvst_move(struct netvst *nv, int64_t now);

/* --- netvst-ports.c --- */
void netvst_name_parts(struct netvst *nv);
/* Labels, connections and the like are others. 0 or -ENOMEM (all stays). */
int netvst_change_ports(struct netvst *nv);
void netvst_remove_ports(struct netvst *nv);
/* Notes down the connections of its ports, and makes them again. */
void netvst_save_links(struct netvst *nv);
void netvst_restore_links(struct netvst *nv);

/* --- netvst-policy.c --- */
/* The latency from what is known now; tells insert, graph and bus if it is another. */
void netvst_policy_apply(struct netvst *nv);
/* Another peer: what was measured counts no more. */
void netvst_policy_reset(struct netvst *nv);
/* Looks at round trips and at what came too late. */
void netvst_policy_watch(struct netvst *nv, int64_t now);

/* --- netvst-levels.c --- */
void netvst_load_levels(struct netvst *nv);
/* Tells the inserts; silence unless it is WORKING. */
void netvst_apply_levels(struct netvst *nv);

/* --- netvst-say.c --- */
/* What is news against the last look. */
void netvst_say_client(struct netvst *nv, const struct netvst_client_status *now);
void netvst_say_server(struct netvst *nv, const struct netvst_server_status *now);

#endif
