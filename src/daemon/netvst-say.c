#include "daemon/netvst-internal.h"

#include <string.h>

/* So many comings and goings are said in this time; more are somebody's mistake. */
#define SLOTS_SAID_MAX 20
#define SLOTS_SAID_NS (60 * NSEC_PER_SEC)
/* A peer that is turned away and comes again is said so often. */
#define SAY_AGAIN_NS (60 * NSEC_PER_SEC)

/* --- a client --- */

static const char *kind_of(const struct netvst *nv)
{
	return nv->conf->synth ? "synthesizer" : "filter";
}

static void say_connected(struct netvst *nv, const struct netvst_client_status *now)
{
	netvst_log(nv, LOG_INFO, "connected to %s: dialect %s, %s, %s, blocks of %u frames", now->peer,
		netvst_dialect_to_string(nv->conf->dialect), netvst_codec_to_string(nv->conf->codec),
		kind_of(nv), nv->conf->block_frames);
	nv->said_connected = true;
	nv->said_error[0] = '\0';
}

static void say_lost(struct netvst *nv, const struct netvst_client_status *now)
{
	if (now->state == NETVST_CLIENT_PARKED || !nv->manager->connected) {
		netvst_log(nv, LOG_DEBUG, "disconnected: the audio server does not run");
	} else {
		netvst_log(nv, LOG_WARNING,
			"lost the NetVST server at %s port %u%s%s%s; silence until it is back, trying again",
			nv->conf->host, nv->conf->port, *now->error ? " (" : "", now->error,
			*now->error ? ")" : "");
		snprintf(nv->said_error, sizeof(nv->said_error), "%s", now->error);
	}
	nv->said_connected = false;
}

static void say_failed(struct netvst *nv, const struct netvst_client_status *now)
{
	if (!*now->error || strcmp(nv->said_error, now->error) == 0) {
		return;
	}
	netvst_log(nv, LOG_WARNING,
		"no NetVST server answers at %s port %u (%s); start one there, or correct host or port; "
		"trying "
		"again",
		nv->conf->host, nv->conf->port, now->error);
	snprintf(nv->said_error, sizeof(nv->said_error), "%s", now->error);
}

void netvst_say_client(struct netvst *nv, const struct netvst_client_status *now)
{
	const struct netvst_client_status *old = &nv->client_status;
	bool connected = now->state == NETVST_CLIENT_CONNECTED;
	/* One that hangs up at once, as all its slots are taken, say, has never answered. */
	bool answered = connected && now->round_trips > 0;

	if (nv->said_connected && (!connected || now->connects != old->connects)) {
		say_lost(nv, now);
	}
	if (answered && !nv->said_connected) {
		say_connected(nv, now);
	} else if (!connected && now->state != NETVST_CLIENT_PARKED) {
		say_failed(nv, now);
	}
}

/* --- a server --- */

static void say_listening(struct netvst *nv, const struct netvst_server_status *now)
{
	if (now->listening && !nv->server_status.listening) {
		netvst_log(nv, LOG_INFO, "waiting for DAWs at %s port %u: dialect %s, %u slot%s",
			nv->conf->host, now->port, netvst_dialect_to_string(nv->conf->dialect),
			nv->conf->slots, nv->conf->slots == 1 ? "" : "s");
		nv->said_error[0] = '\0';
	} else if (!now->listening && *now->error && strcmp(nv->said_error, now->error) != 0) {
		netvst_log(nv, LOG_WARNING,
			"cannot listen at %s port %u (%s); is it an address of this computer, and does no "
			"other "
			"program use the port? Trying again",
			nv->conf->host, nv->conf->port, now->error);
		snprintf(nv->said_error, sizeof(nv->said_error), "%s", now->error);
	}
}

static enum log_level slot_level(struct netvst *nv)
{
	int64_t now = now_ns();

	if (nv->slots_ns == 0 || now - nv->slots_ns > SLOTS_SAID_NS) {
		nv->slots_ns = now;
		nv->slots_said = 0;
	}
	nv->slots_said++;
	return nv->slots_said <= SLOTS_SAID_MAX ? LOG_INFO : LOG_DEBUG;
}

static void say_slot(struct netvst *nv, unsigned i, const struct netvst_slot_status *old,
	const struct netvst_slot_status *now)
{
	bool other = now->connects != old->connects;

	if (old->connected && (!now->connected || other)) {
		netvst_log(nv, slot_level(nv), "the DAW at %s has left slot %u", old->peer, i + 1);
	}
	if (now->connected && (!old->connected || other)) {
		netvst_log(nv, slot_level(nv), "a DAW at %s has taken slot %u (ports %s/…)", now->peer, i + 1,
			nv->parts[i].name);
	}
}

/* Peers can make this happen as often as they like; the log is to stay readable. Returns how many are to be said, 0: none now. */
static uint64_t news_of(struct netvst_turned_away *said, uint64_t n)
{
	uint64_t more = n - said->n;
	int64_t now = now_ns();

	if (n < said->n || (said->ns != 0 && more > 0 && now - said->ns < SAY_AGAIN_NS)) {
		return 0;
	}
	if (more > 0) {
		*said = (struct netvst_turned_away){.n = n, .ns = now};
	}
	return more;
}

static void say_refused(struct netvst *nv, const struct netvst_server_status *now)
{
	const char *open = *now->error ? " (" : "", *close = *now->error ? ")" : "";
	uint64_t refused = news_of(&nv->said_refused, now->refused_address);
	uint64_t full = news_of(&nv->said_full, now->refused_full);
	uint64_t closed = news_of(&nv->said_closed, now->bad_peers + now->timeouts);

	if (refused > 0) {
		netvst_log(nv, LOG_WARNING,
			"refused %llu connection%s of who is not allowed%s%s%s; allow = in the configuration "
			"says who "
			"is",
			(unsigned long long)refused, refused == 1 ? "" : "s", open, now->error, close);
	}
	if (full > 0) {
		netvst_log(nv, LOG_NOTICE, "a DAW was turned away: %s taken; slots = makes more",
			nv->conf->slots == 1 ? "the only slot is" : "all slots are");
	}
	if (closed > 0) {
		netvst_log(nv, LOG_NOTICE,
			"closed %llu connection%s%s%s; does the other side speak dialect %s, %s?",
			(unsigned long long)closed, closed == 1 ? "" : "s", *now->error ? ": " : "",
			now->error, netvst_dialect_to_string(nv->conf->dialect), kind_of(nv));
	}
}

void netvst_say_server(struct netvst *nv, const struct netvst_server_status *now)
{
	say_listening(nv, now);
	for (unsigned i = 0; i < nv->n_parts; i++) {
		say_slot(nv, i, &nv->server_status.slots[i], &now->slots[i]);
	}
	say_refused(nv, now);
}
