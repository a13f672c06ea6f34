#include "ctl/doctor-checks.h"

#include "base/util.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* What is to be left of the time for a round trip beyond what 99 of 100 take. */
#define LEFT_LEAST_US 300.0
/* So many late blocks, and more than one in so many, are heard all the time. */
#define LATE_LEAST 5
#define LATE_ONE_OF 1000
/* Of a link's speed, in one direction: what else is on it has to find room, too. */
#define BUSY_PERCENT 50.0
/* 2 us, and what a bin of the histogram makes of it. */
#define CALLBACK_MOST_US 2.05
/* A texts's part that others have set, so that the rest of the sentence is seen. */
#define TEXT_MOST 160

/* --- what all of them need */

/* Examines each section, unless there is nobody to ask, or none. */
static void each(const struct doctor_facts *facts, struct doctor_report *report,
	void (*examine)(const struct doctor_facts *facts, const struct doctor_netvst *netvst,
		struct doctor_report *report))
{
	if (facts->n_netvst == 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL,
			facts->daemon.answers ? "no NetVST section is configured"
					      : "only a running ethlinkd knows them");
		return;
	}
	for (unsigned i = 0; i < facts->n_netvst; i++) {
		examine(facts, &facts->netvst[i], report);
	}
}

static bool is_state(const struct doctor_netvst *n, const char *state)
{
	return strcmp(n->state, state) == 0;
}

/* "studio-pc:27016" */
static void print_host(char *buf, size_t size, const struct doctor_netvst *n)
{
	bool brackets = strchr(n->host, ':') != NULL;

	snprintf(buf, size, "%s%s%s:%" PRIu64, brackets ? "[" : "", n->host, brackets ? "]" : "", n->port);
}

static double frames_us(const struct doctor_facts *facts, uint64_t frames)
{
	return facts->daemon.sample_rate ? 1e6 * (double)frames / (double)facts->daemon.sample_rate : 0;
}

/* --- is it connected? */

/* What is wrong, behind a sentence that names the host already. */
static const char *error_of(const struct doctor_netvst *n, const char *host)
{
	size_t len = strlen(host);

	return strncmp(n->error, host, len) == 0 && strncmp(n->error + len, ": ", 2) == 0 ? n->error + len + 2
											  : n->error;
}

static void examine_client(const struct doctor_netvst *n, struct doctor_report *report)
{
	char host[DOCTOR_NAME_SIZE + 16], word[DOCTOR_LINE_SIZE];
	struct doctor_finding *f;

	print_host(host, sizeof(host), n);
	if (is_state(n, "online")) {
		doctor_add(report, DOCTOR_OK, n->name, "connected to %s, %s, block %" PRIu64, n->peer,
			n->codec, n->block_frames);
	} else if (is_state(n, "measuring")) {
		doctor_add(report, DOCTOR_OK, n->name, "connected to %s, measures the round trip", n->peer);
	} else if (is_state(n, "stopped")) {
		f = doctor_add(report, DOCTOR_PROBLEM, n->name, "stopped: there is no sound server");
		doctor_why(f, "Nothing goes to the plug-in, and nothing comes back.");
		doctor_advise(f, "See \"sound server\" above.");
	} else {
		f = doctor_add(report, DOCTOR_PROBLEM, n->name, "not connected to %s%s%.*s", host,
			n->error[0] ? ": " : "", TEXT_MOST, error_of(n, host));
		doctor_why(f, "What goes to the plug-in is lost, and its returns are silent.");
		doctor_advise(f,
			"Does the plug-in server run there, for this dialect (%s), and does a firewall let "
			"it "
			"be reached? Are host and port right in ethlinkd.conf? It is tried again all the "
			"time. "
			"Whether the machine answers at all, and whether somebody listens there:",
			n->dialect);
		doctor_shell_word(word, sizeof(word), n->host);
		doctor_command(f, "ping -c 3 %s", word);
		doctor_command(f, "nc -vz %s %" PRIu64, word, n->port);
	}
}

static void examine_server(const struct doctor_netvst *n, struct doctor_report *report)
{
	char host[DOCTOR_NAME_SIZE + 16];
	struct doctor_finding *f;

	print_host(host, sizeof(host), n);
	if (is_state(n, "stopped")) {
		f = doctor_add(report, DOCTOR_PROBLEM, n->name, "stopped: there is no sound server");
		doctor_why(f, "No plug-in can connect.");
		doctor_advise(f, "See \"sound server\" above.");
	} else if (!is_state(n, "listening")) {
		f = doctor_add(report, DOCTOR_PROBLEM, n->name, "does not listen at %s%s%.*s", host,
			n->error[0] ? ": " : "", TEXT_MOST, error_of(n, host));
		doctor_why(f, "No plug-in can connect.");
		doctor_advise(
			f, "The address must be one of this machine, and the port free. These show both:");
		doctor_command(f, "ip -brief address");
		doctor_command(f, "ss -ltnp 'sport = :%" PRIu64 "'", n->port);
	} else if (n->bad_peers + n->timeouts > 0) {
		f = doctor_add(report, DOCTOR_WARNING, n->name,
			"%" PRIu64 " connections broke the protocol, %" PRIu64 " stood still%s%.*s",
			n->bad_peers, n->timeouts, n->error[0] ? "; the last one: " : "", TEXT_MOST,
			n->error);
		doctor_why(f, "Each was closed, and its slot is free for others.");
		doctor_advise(f,
			"Is the plug-in at the other end of this dialect (%s)? Or is it no plug-in at all? "
			"The "
			"log names the addresses:",
			n->dialect);
		doctor_command(f, "journalctl -t ethlinkd | grep -i netvst");
	} else {
		doctor_add(report, DOCTOR_OK, n->name, "listens at %s, %u of %u slots in use", host,
			n->n_connected, n->n_slots);
	}
}

static void examine_connection(
	const struct doctor_facts *facts, const struct doctor_netvst *n, struct doctor_report *report)
{
	if (n->server) {
		examine_server(n, report);
	} else {
		examine_client(n, report);
	}
}

void doctor_check_netvst_connection(const struct doctor_facts *facts, struct doctor_report *report)
{
	each(facts, report, examine_connection);
}

/* --- does the round trip fit into the latency? */

static const char *cable_hint(const struct doctor_netvst *n)
{
	return n->wireless ? " Above all use a cable: this connection is wireless, where packets wait for "
			     "milliseconds now and then."
			   : "";
}

static void examine_round_trip(
	const struct doctor_facts *facts, const struct doctor_netvst *n, struct doctor_report *report)
{
	uint64_t period = facts->daemon.period, gathering, cycles;
	struct doctor_finding *f;
	double time_us, left_us;

	if (n->server) {
		doctor_add(report, DOCTOR_SKIPPED, n->name, "a server: the plug-in at the other end sees it");
		return;
	}
	if (isnan(n->rtt_p99_us) || !is_state(n, "online") || period == 0 || n->latency_frames == 0) {
		doctor_add(report, DOCTOR_SKIPPED, n->name, "nothing was measured yet");
		return;
	}
	/* So many frames a block waits at most, in whole cycles, until it is complete; the rest is for its way. */
	gathering = n->block_frames - common_divisor((uint32_t)n->block_frames, (uint32_t)period);
	cycles = n->latency_frames > gathering ? (n->latency_frames - gathering) / period : 0;
	time_us = frames_us(facts, cycles * period);
	left_us = time_us - n->rtt_p99_us;
	f = doctor_add(report, left_us < LEFT_LEAST_US ? DOCTOR_WARNING : DOCTOR_OK, n->name,
		"99 %% within %.2f ms. Latency %" PRIu64 " - %" PRIu64 " to gather a block = %" PRIu64
		" cycles of %" PRIu64 " = %.2f ms: %.2f ms %s",
		n->rtt_p99_us / 1000, n->latency_frames, gathering, cycles, period, time_us / 1000,
		fabs(left_us) / 1000, left_us < 0 ? "too little" : "are left");
	if (left_us < LEFT_LEAST_US) {
		doctor_why(f, "A block that is not back in time is silence.");
		doctor_advise(f,
			"Give it a cycle more in ethlinkd.conf: latency = %" PRIu64
			". (latency = auto does so by "
			"itself when blocks come late again and again.)%s",
			n->latency_frames + period, cable_hint(n));
	}
}

void doctor_check_netvst_round_trip(const struct doctor_facts *facts, struct doctor_report *report)
{
	each(facts, report, examine_round_trip);
}

/* --- do blocks come late? */

/* For a client: a cycle more than there is, and what nearly all round trips take. */
static uint64_t latency_enough(const struct doctor_facts *facts, const struct doctor_netvst *n)
{
	uint64_t period = MAX(facts->daemon.period, 64);
	uint64_t gathering = n->block_frames - common_divisor((uint32_t)n->block_frames, (uint32_t)period);
	double period_us = frames_us(facts, period);
	double cycles = isnan(n->rtt_p99_us) || period_us <= 0 ? 0 : ceil(n->rtt_p99_us / period_us);

	return MAX(n->latency_frames + period, gathering + ((uint64_t)cycles + 1) * period);
}

static void advise_late(
	const struct doctor_facts *facts, const struct doctor_netvst *n, struct doctor_finding *f)
{
	if (n->server) {
		doctor_why(f,
			"The reply waits until the graph has played on: the DAW at the other end has a gap.");
		doctor_advise(f,
			"Give it more in ethlinkd.conf: latency = %" PRIu64
			"; or a larger buffer in the DAW. See to "
			"\"regularity\" above, too.%s",
			n->latency_frames + MAX(facts->daemon.period, 64), cable_hint(n));
	} else {
		doctor_why(f, "Each late block is silence in the returns, with a fade before and after it.");
		doctor_advise(f,
			"In ethlinkd.conf, give it more latency (latency = %" PRIu64
			"), or larger blocks (block = "
			"%" PRIu64
			"): fewer packets, each in time. Is the other machine busy, or the network? Counted "
			"since ethlinkd started, interruptions included.%s",
			latency_enough(facts, n), MIN(n->block_frames * 2, 8191), cable_hint(n));
	}
	doctor_command(f, "ethlinkctl netvst %s", n->name);
}

static struct doctor_finding *add_late(const struct doctor_netvst *n, struct doctor_report *report)
{
	bool often = n->late_blocks >= LATE_LEAST && n->late_blocks > n->blocks / LATE_ONE_OF;
	enum doctor_result result = often ? DOCTOR_PROBLEM : DOCTOR_WARNING;

	if (n->late_growth > 0) {
		return doctor_add(report, DOCTOR_PROBLEM, n->name,
			"%" PRIu64 " %s came late in the last %.1f s, %" PRIu64 " since the start",
			n->late_growth, n->server ? "replies" : "blocks", (double)n->growth_ns / NSEC_PER_SEC,
			n->late_blocks + n->late_growth);
	}
	if (n->server) {
		return doctor_add(report, result, n->name,
			"of %" PRIu64 " replies %" PRIu64 " came late; begun anew %" PRIu64 " times",
			n->blocks, n->late_blocks, n->overruns);
	}
	return doctor_add(report, result, n->name,
		"of %" PRIu64 " blocks %" PRIu64 " came late, %" PRIu64 " times, and %" PRIu64
		" were skipped; begun anew %" PRIu64 " times",
		n->blocks, n->late_blocks, n->late_episodes, n->skipped_blocks, n->overruns);
}

static void examine_late(
	const struct doctor_facts *facts, const struct doctor_netvst *n, struct doctor_report *report)
{
	if (n->blocks == 0) {
		doctor_add(report, DOCTOR_SKIPPED, n->name, "no block was sent yet");
	} else if (n->late_blocks + n->late_growth + n->skipped_blocks + n->overruns == 0) {
		doctor_add(report, DOCTOR_OK, n->name, "none of %" PRIu64 " %s", n->blocks,
			n->server ? "replies" : "blocks");
	} else {
		advise_late(facts, n, add_late(n, report));
	}
}

void doctor_check_netvst_late(const struct doctor_facts *facts, struct doctor_report *report)
{
	each(facts, report, examine_late);
}

/* --- how much goes over the network? */

static double mbit(uint64_t bytes, int64_t ns)
{
	return ns > 0 ? (double)bytes * 8 * 1000 / (double)ns : 0;
}

static void examine_throughput(
	const struct doctor_facts *facts, const struct doctor_netvst *n, struct doctor_report *report)
{
	double up = mbit(n->sent_growth, n->growth_ns), down = mbit(n->received_growth, n->growth_ns);
	char flow[DOCTOR_LINE_SIZE / 2], ratio[64] = "";
	struct doctor_finding *f;
	double percent;

	if (n->n_connected == 0 || n->growth_ns <= 0) {
		doctor_add(report, DOCTOR_SKIPPED, n->name, "nothing flows");
		return;
	}
	if (isfinite(n->compression_ratio)) {
		snprintf(ratio, sizeof(ratio), "; %s makes it %.0f %% of its size", n->codec,
			100 * n->compression_ratio);
	}
	snprintf(flow, sizeof(flow), "%.1f Mbit/s up, %.1f Mbit/s down%s", up, down, ratio);
	if (n->speed_mbit <= 0) {
		doctor_add(report, DOCTOR_OK, n->name, "%s%s%s", flow, n->interface[0] ? "; on " : "",
			n->interface);
		return;
	}
	percent = 100 * fmax(up, down) / (double)n->speed_mbit;
	f = doctor_add(report, percent > BUSY_PERCENT ? DOCTOR_WARNING : DOCTOR_OK, n->name,
		"%s; %.*f %% of %s (%" PRId64 " Mbit/s)", flow, percent < 1 ? 1 : 0, percent, n->interface,
		n->speed_mbit);
	if (percent > BUSY_PERCENT) {
		doctor_why(f, "Any other traffic makes packets wait: blocks come late.");
		doctor_advise(f,
			"Set codec = wavpack in ethlinkd.conf and at the other end (dialect 2017), or "
			"use a faster link.");
	}
}

void doctor_check_netvst_throughput(const struct doctor_facts *facts, struct doctor_report *report)
{
	each(facts, report, examine_throughput);
}

/* --- what does it cost in each cycle? */

static void examine_callback(
	const struct doctor_facts *facts, const struct doctor_netvst *n, struct doctor_report *report)
{
	struct doctor_finding *f;

	if (isnan(n->callback_p99_us)) {
		doctor_add(report, DOCTOR_SKIPPED, n->name, "nothing was counted yet");
		return;
	}
	f = doctor_add(report, n->callback_p99_us > CALLBACK_MOST_US ? DOCTOR_WARNING : DOCTOR_OK, n->name,
		"99 %% of the cycles take it up to %.1f us", n->callback_p99_us);
	if (f->result == DOCTOR_WARNING) {
		doctor_why(f,
			"On a machine with time to spare it is less than 2 us for a period of 64 frames; "
			"the rest is missing for other programs.");
		doctor_advise(f, "With long periods it is no harm. Otherwise see to \"CPU governor\" and "
				 "\"preemption\" above.");
	}
}

void doctor_check_netvst_callback(const struct doctor_facts *facts, struct doctor_report *report)
{
	each(facts, report, examine_callback);
}

/* --- who may connect? */

static bool is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, host, &four) == 1) {
		return ntohl(four.s_addr) >> 24 == 127;
	}
	return strcmp(host, "localhost") == 0 ||
	       (inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six));
}

/* "0.0.0.0/0", "::/0" and what else ends in no bits at all. */
static bool is_everybody(const char *net)
{
	const char *slash = strchr(net, '/');

	return slash && strspn(slash + 1, "0") == strlen(slash + 1) && slash[1];
}

static void examine_exposed(
	const struct doctor_facts *facts, const struct doctor_netvst *n, struct doctor_report *report)
{
	char host[DOCTOR_NAME_SIZE + 16], allowed[DOCTOR_LINE_SIZE / 2] = "";
	struct doctor_finding *f;
	bool everybody = false;
	size_t len = 0;

	if (!n->server) {
		doctor_add(report, DOCTOR_SKIPPED, n->name, "a client: it does not listen");
		return;
	}
	if (is_loopback(n->host)) {
		doctor_add(
			report, DOCTOR_OK, n->name, "listens at %s: programs on this machine only", n->host);
		return;
	}
	for (unsigned i = 0; i < n->n_allow; i++) {
		everybody = everybody || is_everybody(n->allow[i]);
		if (len < sizeof(allowed)) {
			len += (size_t)snprintf(
				allowed + len, sizeof(allowed) - len, "%s%s", i ? ", " : "", n->allow[i]);
		}
	}
	print_host(host, sizeof(host), n);
	f = doctor_add(report, everybody ? DOCTOR_WARNING : DOCTOR_OK, n->name,
		"listens at %s; allowed: %s; %" PRIu64 " refused", host, allowed[0] ? allowed : "not told",
		n->refused);
	if (everybody) {
		doctor_why(f,
			"The protocol knows no password: whoever reaches this port hears what the graph "
			"plays there, and can play into it.");
		doctor_advise(f,
			"Allow only the network, or the machine, that is to use it, in ethlinkd.conf: "
			"allow = 192.168.1.0/24. This shows the networks of this machine:");
		doctor_command(f, "ip -brief address");
	}
}

void doctor_check_netvst_exposed(const struct doctor_facts *facts, struct doctor_report *report)
{
	each(facts, report, examine_exposed);
}
