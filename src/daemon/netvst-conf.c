#include "daemon/bus.h"
#include "daemon/netvst-internal.h"

#include <string.h>

static bool same_connect(const struct conf_netvst *a, const struct conf_netvst *b)
{
	for (unsigned i = 0; i < CONF_NETVST_CONNECTS; i++) {
		if (!a->connect[i] != !b->connect[i] ||
			(a->connect[i] && strcmp(a->connect[i], b->connect[i]) != 0)) {
			return false;
		}
	}
	return true;
}

/* The ports and pipes of the one do for the other. */
static bool same_parts(const struct conf_netvst *a, const struct conf_netvst *b)
{
	return a->role == b->role &&
	       (a->role == CONF_ROLE_CLIENT ? a->block_frames == b->block_frames : a->slots == b->slots);
}

static bool same_peer(const struct conf_netvst *a, const struct conf_netvst *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port && a->dialect == b->dialect &&
	       a->codec == b->codec && a->synth == b->synth;
}

static bool same_allow(const struct conf_netvst *a, const struct conf_netvst *b)
{
	if (a->n_allow != b->n_allow) {
		return false;
	}
	for (unsigned i = 0; i < a->n_allow; i++) {
		if (a->allow[i].bits != b->allow[i].bits || memcmp(&a->allow[i].address, &b->allow[i].address,
								    sizeof(a->allow[i].address)) != 0) {
			return false;
		}
	}
	return true;
}

/*
 * The connection can stay. A server whose allow has changed is made anew like all others: that ends connections which
 * are no longer allowed, and those that are come back by themselves.
 */
static bool same_connection(const struct conf *a_owner, const struct conf_netvst *a,
	const struct conf *b_owner, const struct conf_netvst *b)
{
	return same_peer(a, b) && a->cc_params == b->cc_params && same_allow(a, b) &&
	       a_owner->socket_priority == b_owner->socket_priority;
}

static void forget_next(struct netvst *nv)
{
	conf_unref(nv->next_owner);
	nv->next_owner = NULL;
	nv->next = NULL;
}

/* The old one is given back by the caller, who may still want to look at it. */
static struct conf *switch_conf(struct netvst *nv, struct conf *owner, const struct conf_netvst *conf)
{
	struct conf *old = nv->conf_owner;

	nv->conf_owner = conf_ref(owner);
	nv->conf = conf;
	bus_netvst_changed(nv->manager->bus, nv, BUS_NETVST_ALL);
	return old;
}

/* What can be changed while it plays. */
static void follow(struct netvst *nv, const struct conf_netvst *old)
{
	if ((!same_connect(old, nv->conf) || strcmp(old->description, nv->conf->description) != 0) &&
		netvst_change_ports(nv) < 0) {
		netvst_log(nv, LOG_ERROR, "out of memory; its ports stay as they are");
	}
	if (old->latency_frames != nv->conf->latency_frames) {
		netvst_policy_apply(nv);
	}
}

void netvst_configure(struct netvst *nv, struct conf *owner, const struct conf_netvst *conf)
{
	const struct conf_netvst *old = nv->conf;
	struct conf *old_owner;

	nv->leaving = false;
	forget_next(nv);
	if (nv->phase >= NETVST_DYING || !same_parts(old, conf) ||
		!same_connection(nv->conf_owner, old, owner, conf)) {
		nv->next_owner = conf_ref(owner);
		nv->next = conf;
		manager_hurry(nv->manager);
		return;
	}
	old_owner = switch_conf(nv, owner, conf);
	follow(nv, old);
	conf_unref(old_owner);
}

/* Other ports: first those there are go, and this is called again when nothing sees them any more. */
static void replace_parts(struct netvst *nv, int64_t now)
{
	int r;

	if (nv->phase != NETVST_EMPTY) {
		if (nv->next->role == nv->conf->role) {
			netvst_save_links(nv);
		}
		netvst_take_down(nv, now);
		return;
	}
	if (nv->next) {
		conf_unref(switch_conf(nv, nv->next_owner, nv->next));
		forget_next(nv);
	}
	netvst_enter(nv, NETVST_WORKING, now);
	r = netvst_build(nv);
	if (r < 0) {
		netvst_log(nv, LOG_ERROR, "cannot be set up: %s; trying again", strerror(-r));
		return;
	}
	netvst_restore_links(nv);
}

/* The same ports, another connection behind them. */
static void replace_connection(struct netvst *nv, int64_t now)
{
	const struct conf_netvst *old = nv->conf;
	bool other_peer = !same_peer(old, nv->next);
	struct conf *old_owner;
	int r;

	netvst_disconnect(nv);
	old_owner = switch_conf(nv, nv->next_owner, nv->next);
	forget_next(nv);
	follow(nv, old);
	conf_unref(old_owner);
	if (other_peer) {
		netvst_policy_reset(nv);
		netvst_policy_apply(nv);
	}
	r = netvst_connect(nv);
	if (r < 0) {
		netvst_log(nv, LOG_ERROR, "cannot be set up: %s; trying again", strerror(-r));
		netvst_take_down(nv, now);
		return;
	}
	netvst_enter(nv, NETVST_WORKING, now);
	netvst_apply_levels(nv);
}

void netvst_move(struct netvst *nv, int64_t now)
{
	if (nv->phase == NETVST_SILENT && same_parts(nv->conf, nv->next)) {
		replace_connection(nv, now);
	} else {
		replace_parts(nv, now);
	}
}
