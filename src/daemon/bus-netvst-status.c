/* GetStatus(): a dictionary for each netvst section, with one for each slot of a server in it. */
#include "daemon/bus-internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Both roles' counters under one name each. */
struct totals {
	struct bus_netvst_counts counts;
	uint64_t blocks_sent;
	uint64_t blocks_received;
	uint64_t late_episodes;
	uint64_t skipped_blocks;
	uint64_t overruns;
	uint64_t midi_sent;
	uint64_t midi_received;
	uint64_t midi_lost;
	uint64_t audio_bytes;
};

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_reports(const struct netvst *nv, struct totals *t)
{
	const bool client = nv->conf->role == CONF_ROLE_CLIENT;

	for (unsigned i = 0; i < nv->n_parts; i++) {
		const struct insert_report *report;

		if (!nv->parts[i].insert) {
			continue;
		}
		report = insert_get_report(nv->parts[i].insert);
		t->counts.late_blocks += load(&report->late_blocks);
		t->late_episodes += load(&report->late_episodes);
		t->overruns += load(&report->overruns);
		t->midi_lost += load(&report->midi_lost);
		if (client) {
			t->midi_received += load(&report->midi_out);
		} else {
			t->midi_sent += load(&report->midi_in);
		}
	}
}

static void total(const struct netvst *nv, struct totals *ret_totals)
{
	const struct netvst_client_status *c = &nv->client_status;
	struct totals *t = ret_totals;

	memset(t, 0, sizeof(*t));
	add_reports(nv, t);
	if (nv->conf->role == CONF_ROLE_CLIENT) {
		t->counts.connects = c->connects;
		t->counts.bytes_sent = c->bytes_sent;
		t->counts.bytes_received = c->bytes_received;
		t->blocks_sent = c->blocks_sent;
		t->blocks_received = c->blocks_received;
		t->skipped_blocks = c->blocks_skipped;
		t->midi_sent = c->midi_sent;
		t->audio_bytes = c->audio_bytes;
	}
	for (unsigned i = 0; nv->conf->role == CONF_ROLE_SERVER && i < nv->n_parts; i++) {
		const struct netvst_slot_status *s = &nv->server_status.slots[i];

		t->counts.connects += s->connects;
		t->counts.bytes_sent += s->bytes_sent;
		t->counts.bytes_received += s->bytes_received;
		t->blocks_sent += s->blocks;
		t->blocks_received += s->blocks;
		t->midi_received += s->midi_received;
		t->midi_lost += s->midi_lost;
		t->audio_bytes += s->audio_bytes;
	}
	t->counts.compression_ratio =
		nv->conf->codec == NETVST_PCM || t->audio_bytes == 0
			? (double)NAN
			: (double)(t->counts.bytes_sent + t->counts.bytes_received) / (double)t->audio_bytes;
}

void bus_netvst_count(const struct netvst *nv, struct bus_netvst_counts *ret_counts)
{
	struct totals t;

	total(nv, &t);
	*ret_counts = t.counts;
}

void bus_netvst_peer(const struct netvst *nv, char *ret_text, size_t size)
{
	size_t len = 0;

	snprintf(ret_text, size, "%s", nv->client_status.peer);
	for (unsigned i = 0; nv->conf->role == CONF_ROLE_SERVER && i < nv->n_parts && len < size; i++) {
		if (nv->server_status.slots[i].connected) {
			len += (size_t)snprintf(ret_text + len, size - len, "%s%s", len ? ", " : "",
				nv->server_status.slots[i].peer);
		}
	}
}

const char *bus_netvst_error(const struct netvst *nv)
{
	if (nv->conf->role == CONF_ROLE_SERVER) {
		return nv->server_status.error;
	}
	/* What once went wrong is none any more. */
	return nv->state == NETVST_ONLINE || nv->state == NETVST_MEASURING ? "" : nv->client_status.error;
}

/* --- values --- */

static int append_number(sd_bus_message *m, const char *key, double value)
{
	return sd_bus_message_append(m, "{sd}", key, value);
}

static double in_us(int64_t ns)
{
	return (double)ns / NSEC_PER_USEC;
}

int bus_append_rtt(sd_bus_message *m, const struct netvst *nv)
{
	const struct netvst_client_status *c = &nv->client_status;
	int r = sd_bus_message_open_container(m, 'a', "{sd}");

	if (r >= 0 && nv->conf->role == CONF_ROLE_CLIENT && c->round_trips > 0) {
		r = append_number(m, "median", in_us(c->rtt_median_ns));
		r = r < 0 ? r : append_number(m, "p90", in_us(c->rtt_p90_ns));
		r = r < 0 ? r : append_number(m, "p99", in_us(c->rtt_p99_ns));
		r = r < 0 ? r : append_number(m, "max", in_us(c->rtt_max_ns));
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_sv_rtt(sd_bus_message *m, const struct netvst *nv)
{
	int r = bus_begin_sv(m, "rtt_us", "a{sd}");

	return bus_end_sv(m, r < 0 ? r : bus_append_rtt(m, nv));
}

/* Of all parts together. */
static int append_callback(sd_bus_message *m, const struct netvst *nv)
{
	uint64_t bins[HIST_BINS] = {0}, max_ns = 0;
	int r = bus_begin_sv(m, "callback_us", "a{sd}");

	for (unsigned i = 0; i < nv->n_parts; i++) {
		const struct hist *took =
			nv->parts[i].insert ? &insert_get_report(nv->parts[i].insert)->took : NULL;

		for (unsigned k = 0; took && k < HIST_BINS; k++) {
			bins[k] += load(&took->bin[k]);
		}
		max_ns = took ? MAX(max_ns, load(&took->max_ns)) : max_ns;
	}
	r = r < 0 ? r : sd_bus_message_open_container(m, 'a', "{sd}");
	if (r >= 0 && hist_quantile_ns(bins, 1) > 0) {
		r = append_number(m, "median", in_us(hist_quantile_ns(bins, 0.5)));
		r = r < 0 ? r : append_number(m, "p99", in_us(hist_quantile_ns(bins, 0.99)));
		r = r < 0 ? r : append_number(m, "max", in_us((int64_t)max_ns));
	}
	return bus_end_sv(m, r < 0 ? r : sd_bus_message_close_container(m));
}

static int append_pair(sd_bus_message *m, const char *key, const float *peak)
{
	double dbfs[AUDIO_INSERT_CHANNELS];
	int r = sd_bus_message_open_container(m, 'e', "sad");

	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		dbfs[k] = meters_dbfs(peak[k]);
	}
	r = r < 0 ? r : sd_bus_message_append(m, "s", key);
	r = r < 0 ? r : bus_append_doubles(m, dbfs, AUDIO_INSERT_CHANNELS);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_peaks(sd_bus_message *m, const float peak[ETHLINK_CHANNELS])
{
	int r = bus_begin_sv(m, "peak_dbfs", "a{sad}");

	r = r < 0 ? r : sd_bus_message_open_container(m, 'a', "{sad}");
	r = r < 0 ? r : append_pair(m, "send", &peak[0]);
	r = r < 0 ? r : append_pair(m, "return", &peak[AUDIO_INSERT_CHANNELS]);
	return bus_end_sv(m, r < 0 ? r : sd_bus_message_close_container(m));
}

static int append_allow(sd_bus_message *m, const struct conf_netvst *conf)
{
	char text[NETVST_ALLOW_MAX][CONF_NET_TEXT_MAX];
	const char *items[NETVST_ALLOW_MAX];

	for (unsigned i = 0; i < conf->n_allow; i++) {
		conf_format_net(&conf->allow[i], text[i]);
		items[i] = text[i];
	}
	return bus_append_sv_strings(m, "allow", items, conf->n_allow);
}

/* --- slots --- */

static const char *slot_state(const struct netvst_slot_status *slot, const struct insert_report *report)
{
	if (!slot->connected) {
		return "free";
	}
	return report && atomic_load_explicit(&report->playing, memory_order_relaxed) ? "playing"
										      : "connected";
}

static int append_slot_counts(
	sd_bus_message *m, const struct netvst_slot_status *slot, const struct insert_report *report)
{
	static const struct insert_report none;
	const struct insert_report *rt = report ? report : &none;
	int r;

	r = bus_append_sv(m, "block", "u", slot->block_frames);
	r = r < 0 ? r : bus_append_sv(m, "blocks", "t", slot->blocks);
	r = r < 0 ? r
		  : bus_append_sv(m, "fill_frames", "u",
			    atomic_load_explicit(&rt->fill_frames, memory_order_relaxed));
	r = r < 0 ? r : bus_append_sv(m, "corrections", "t", load(&rt->corrections));
	r = r < 0 ? r : bus_append_sv(m, "dropped_frames", "t", load(&rt->dropped_frames));
	r = r < 0 ? r : bus_append_sv(m, "repeated_frames", "t", load(&rt->repeated_frames));
	r = r < 0 ? r : bus_append_sv(m, "resyncs", "t", load(&rt->resyncs));
	r = r < 0 ? r : bus_append_sv(m, "late_replies", "t", slot->late_replies);
	r = r < 0 ? r : bus_append_sv(m, "midi_received", "t", slot->midi_received);
	return r < 0 ? r : bus_append_sv(m, "connects", "t", slot->connects);
}

static int append_slot(
	sd_bus_message *m, const struct netvst *nv, unsigned i, const float peak[ETHLINK_CHANNELS])
{
	const struct netvst_slot_status *slot = &nv->server_status.slots[i];
	const struct netvst_part *part = &nv->parts[i];
	const struct insert_report *report = part->insert ? insert_get_report(part->insert) : NULL;
	int r;

	r = sd_bus_message_open_container(m, 'a', "{sv}");
	r = r < 0 ? r : bus_append_sv(m, "slot", "u", i + 1);
	r = r < 0 ? r : bus_append_sv(m, "name", "s", part->name);
	r = r < 0 ? r : bus_append_sv(m, "state", "s", slot_state(slot, report));
	r = r < 0 ? r : bus_append_sv(m, "peer", "s", slot->connected ? slot->peer : "");
	r = r < 0 ? r : append_slot_counts(m, slot, report);
	r = r < 0 ? r : append_peaks(m, peak);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_slots(
	sd_bus_message *m, const struct netvst *nv, float peaks[NETVST_SLOTS_MAX][ETHLINK_CHANNELS])
{
	int r = bus_begin_sv(m, "slots", "aa{sv}");

	r = r < 0 ? r : sd_bus_message_open_container(m, 'a', "a{sv}");
	for (unsigned i = 0; r >= 0 && nv->conf->role == CONF_ROLE_SERVER && i < nv->n_parts; i++) {
		r = append_slot(m, nv, i, peaks[i]);
	}
	return bus_end_sv(m, r < 0 ? r : sd_bus_message_close_container(m));
}

/* --- a section --- */

static int append_conf(sd_bus_message *m, const struct netvst *nv)
{
	const struct conf_netvst *conf = nv->conf;
	const bool client = conf->role == CONF_ROLE_CLIENT;
	char peer[NETVST_SLOTS_MAX * (NETVST_TEXT_MAX + 2)];
	int r;

	bus_netvst_peer(nv, peer, sizeof(peer));
	r = bus_append_sv(m, "name", "s", conf->name);
	r = r < 0 ? r : bus_append_sv(m, "role", "s", conf_role_to_string(conf->role));
	r = r < 0 ? r : bus_append_sv(m, "state", "s", netvst_state_to_string(nv->state));
	r = r < 0 ? r : bus_append_sv(m, "dialect", "s", netvst_dialect_to_string(conf->dialect));
	r = r < 0 ? r : bus_append_sv(m, "codec", "s", netvst_codec_to_string(conf->codec));
	r = r < 0 || !client ? r : bus_append_sv(m, "block", "u", conf->block_frames);
	r = r < 0 ? r : bus_append_sv(m, "host", "s", conf->host);
	r = r < 0 ? r : bus_append_sv(m, "port", "q", conf->port);
	r = r < 0 ? r : bus_append_sv(m, "peer", "s", peer);
	r = r < 0 ? r : bus_append_sv(m, "latency_frames", "u", nv->policy.frames);
	r = r < 0 ? r
		  : bus_append_sv(m, "latency_mode", "s",
			    conf->latency_frames == CONF_LATENCY_AUTO ? "auto" : "fixed");
	return r < 0 ? r : append_sv_rtt(m, nv);
}

static int append_counts(sd_bus_message *m, const struct netvst *nv)
{
	struct totals t;
	int r;

	total(nv, &t);
	r = bus_append_sv(m, "blocks_sent", "t", t.blocks_sent);
	r = r < 0 ? r : bus_append_sv(m, "blocks_received", "t", t.blocks_received);
	r = r < 0 ? r : bus_append_sv(m, "late_blocks", "t", t.counts.late_blocks);
	r = r < 0 ? r : bus_append_sv(m, "late_episodes", "t", t.late_episodes);
	r = r < 0 ? r : bus_append_sv(m, "skipped_blocks", "t", t.skipped_blocks);
	r = r < 0 ? r : bus_append_sv(m, "bytes_sent", "t", t.counts.bytes_sent);
	r = r < 0 ? r : bus_append_sv(m, "bytes_received", "t", t.counts.bytes_received);
	r = r < 0 ? r : bus_append_sv(m, "compression_ratio", "d", t.counts.compression_ratio);
	r = r < 0 ? r : bus_append_sv(m, "connects", "t", t.counts.connects);
	r = r < 0 ? r : bus_append_sv(m, "overruns", "t", t.overruns);
	r = r < 0 ? r : bus_append_sv(m, "midi_sent", "t", t.midi_sent);
	r = r < 0 ? r : bus_append_sv(m, "midi_received", "t", t.midi_received);
	return r < 0 ? r : bus_append_sv(m, "midi_lost", "t", t.midi_lost);
}

static int append_server(sd_bus_message *m, const struct netvst *nv)
{
	const struct netvst_server_status *s = &nv->server_status;
	int r;

	if (nv->conf->role != CONF_ROLE_SERVER) {
		return 0;
	}
	r = append_allow(m, nv->conf);
	r = r < 0 ? r : bus_append_sv(m, "refused", "t", s->refused_address + s->refused_full);
	r = r < 0 ? r : bus_append_sv(m, "bad_peers", "t", s->bad_peers);
	return r < 0 ? r : bus_append_sv(m, "timeouts", "t", s->timeouts);
}

static int append_netvst(sd_bus_message *m, struct bus_netvst *bn)
{
	float peaks[NETVST_SLOTS_MAX][ETHLINK_CHANNELS], loudest[ETHLINK_CHANNELS] = {0};
	struct netvst *nv = bn->netvst;
	int r;

	bus_netvst_listen(bn, now_ns());
	for (unsigned i = 0; i < NETVST_SLOTS_MAX; i++) {
		meters_take_status(&bn->meters[i], peaks[i]);
		for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
			loudest[k] = MAX(loudest[k], peaks[i][k]);
		}
	}
	netvst_look(nv);
	r = sd_bus_message_open_container(m, 'a', "{sv}");
	r = r < 0 ? r : append_conf(m, nv);
	r = r < 0 ? r : append_counts(m, nv);
	r = r < 0 ? r : bus_append_sv_ints(m, "gain_db", nv->strips.gain_db, LEVELS_STRIPS);
	r = r < 0 ? r : bus_append_sv_bools(m, "mute", nv->strips.mute, LEVELS_STRIPS);
	r = r < 0 ? r : append_peaks(m, loudest);
	r = r < 0 ? r : append_callback(m, nv);
	r = r < 0 ? r : bus_append_sv(m, "error", "s", bus_netvst_error(nv));
	r = r < 0 ? r : append_server(m, nv);
	r = r < 0 ? r : append_slots(m, nv, peaks);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_append_netvsts(sd_bus_message *m, struct bus *bus)
{
	const struct manager *manager = bus->manager;
	int r = sd_bus_message_open_container(m, 'a', "a{sv}");

	for (unsigned i = 0; r >= 0 && i < manager->n_netvsts; i++) {
		struct bus_netvst *bn = bus_netvst_of(bus, manager->netvsts[i]);

		if (bn && !manager->netvsts[i]->leaving) {
			r = append_netvst(m, bn);
		}
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}
