/*
 * For the tests of NetVST's server: a server with slots in which a graph plays everything back, and DAWs.
 *
 * Ownership: cmocka's state is a struct daw, from daw_set_up() to daw_tear_down(). Threads: the test's.
 */
#ifndef UNIT_NETVST_DAW_H
#define UNIT_NETVST_DAW_H

#include "netvst-rig.h"

#define DAW_BLOCK 128
#define DAW_PERIOD 48
#define DAW_PREFILL 1024
#define DAW_SLOTS 2

struct daw {
	struct netvst_io *io;
	struct nvpipe *pipes[DAW_SLOTS];
	struct netvst_server *server;
	struct rig_graph graphs[DAW_SLOTS];
	bool running;
	struct netvst_server_conf conf;
	unsigned fds;
	uint64_t sent[DAW_SLOTS + 1]; /* frames, by each peer */
	uint64_t got[DAW_SLOTS + 1];
};

struct netvst_server_status daw_status(struct daw *daw);
int daw_set_up(void **state);
/* The graph runs in the slots; false: there is none. */
void daw_begin(struct daw *daw, bool running);
void daw_stop_graphs(struct daw *daw);
int daw_tear_down(void **state);
struct rig_peer *daw_join(struct daw *daw);
const struct netvst_block *daw_block(uint32_t frames, uint64_t at);
void daw_request(struct daw *daw, struct rig_peer *peer, unsigned i, uint32_t frames);
/* The reply is what went in, DAW_PREFILL frames later. */
void daw_take_reply(struct daw *daw, struct rig_peer *peer, unsigned i, uint32_t frames);
void daw_echo(struct daw *daw, struct rig_peer *peer, unsigned i, uint32_t frames, unsigned n);
void daw_forget(struct daw *daw, unsigned i);

#endif
