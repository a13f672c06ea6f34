#include "ctl/doctor-checks.h"

#include "base/util.h"
#include "proto/ethlink.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ERROR_MOST 200 /* of what is said of an error elsewhere, in a sentence here */

/* Of all cycles, so many may come later than one and a half periods, or than two, without a warning; then without a problem. */
#define LATE_WARNING 0.01
#define TOO_LATE_WARNING 0.00001
#define TOO_LATE_PROBLEM 0.001
/* Of a period, what 99 of 100 cycles may take until all is sent; and the sending itself. */
#define KICK_AT_WARNING 0.5
#define KICK_TOOK_WARNING 0.25
/* So many answers that are not ours, and more than one in so many, come from another host. */
#define FOREIGN_LEAST 5
#define FOREIGN_ONE_OF 100
/* One dropped frame in so many is heard all the time. */
#define DROPS_ONE_OF 1000

void doctor_check_daemon(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_daemon *d = &facts->daemon;
	struct doctor_finding *f;

	if (!d->answers) {
		f = doctor_add(report, DOCTOR_PROBLEM, NULL, "%s", d->error);
		doctor_why(f,
			"Nothing plays. And what only the daemon knows could not be checked: interfaces, "
			"boxes, cycles.");
		if (d->absent) {
			doctor_advise(f, "Start it; as a service of this user:");
			doctor_command(f, "sudo systemctl start ethlinkd@\"$USER\"");
		}
	} else if (!d->has_telemetry) {
		f = doctor_add(report, DOCTOR_PROBLEM, NULL,
			"ethlinkd %s answers, but does not tell all: %.*s", d->version, ERROR_MOST, d->error);
		doctor_why(f, "Drops, interfaces and cycles could not be checked.");
		doctor_advise(f, "Is it older than ethlinkctl? After an update it has to be restarted:");
		doctor_command(f, "sudo systemctl restart ethlinkd@\"$USER\"");
	} else {
		doctor_add(report, DOCTOR_OK, NULL, "ethlinkd %s runs (process %" PRId64 "%s%s)", d->version,
			d->pid, facts->process.user[0] ? ", user " : "", facts->process.user);
	}
}

/* --- boxes */

static const struct {
	const char *state;
	const char *words; /* behind "is" or "are" */
	const char *advice;
	bool scan; /* shows more */
} states[] = {
	{"searching", "searched for: no answer",
		"Is the box switched on and on this network, and is its serial number right? This shows "
		"those that are there:",
		true},
	{"link-down", "without a link", "See \"link\" above: cable, switch, interface.", false},
	{"no-interface", "without an interface", "See \"link\" and \"raw frames\" above.", false},
	{"taken-over", "played by another host", "See \"other hosts\" below.", false},
	{"unsupported", "silent: no box takes this rate or period", "See \"rate, period\" above.", false},
	{"stopped", "silent: there is no sound server", "See \"sound server\" above.", false},
};

static void examine_state(const struct doctor_facts *facts, const char *state, struct doctor_report *report)
{
	const struct doctor_device *first = NULL;
	char names[DOCTOR_LINE_SIZE / 2] = "", word[DOCTOR_LINE_SIZE];
	struct doctor_finding *f;
	unsigned n = 0;
	size_t s = 0, len = 0;

	for (unsigned i = 0; i < facts->n_devices; i++) {
		const struct doctor_device *d = &facts->devices[i];

		if (strcmp(d->state, state) == 0) {
			first = first ? first : d;
			n++;
			if (len < sizeof(names)) {
				len += (size_t)snprintf(
					names + len, sizeof(names) - len, "%s%s", len ? ", " : "", d->name);
			}
		}
	}
	if (n == 0) {
		return;
	}
	while (s < ARRAY_SIZE(states) && strcmp(states[s].state, state) != 0) {
		s++;
	}
	f = doctor_add(report, DOCTOR_PROBLEM, n == 1 ? first->name : NULL, "%s %s %s%s", names,
		n == 1 ? "is" : "are",
		first->reason[0]	 ? "refused: "
		: s < ARRAY_SIZE(states) ? states[s].words
					 : state,
		first->reason);
	doctor_why(f, n == 1 ? "This box is silent." : "These boxes are silent.");
	if (first->reason[0]) {
		doctor_advise(f, "See \"bandwidth\" above.");
	} else if (s < ARRAY_SIZE(states)) {
		doctor_advise(f, "%s", states[s].advice);
		if (states[s].scan) {
			doctor_shell_word(word, sizeof(word), first->interface);
			doctor_command(f, "sudo ethlinkctl scan %s --probe", word);
		}
	}
}

void doctor_check_boxes(const struct doctor_facts *facts, struct doctor_report *report)
{
	unsigned n_online = 0;
	struct doctor_finding *f;

	if (!facts->daemon.answers) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "ethlinkd does not run");
		return;
	}
	if (facts->n_devices == 0 && facts->n_netvst > 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "no box is configured, NetVST only");
		return;
	}
	if (facts->n_devices == 0) {
		f = doctor_add(report, DOCTOR_WARNING, NULL, "no box is configured");
		doctor_why(f, "ethlinkd has nothing to play to.");
		doctor_advise(f,
			"This finds boxes and prints what to write into ethlinkd.conf (enp3s0 stands for "
			"your interface):");
		doctor_command(f, "sudo ethlinkctl scan enp3s0 --probe");
		return;
	}
	for (unsigned i = 0; i < facts->n_devices; i++) {
		n_online += strcmp(facts->devices[i].state, "online") == 0;
	}
	if (n_online == facts->n_devices) {
		doctor_add(report, DOCTOR_OK, NULL, "%u of %u online", n_online, facts->n_devices);
		return;
	}
	/* One finding a state, so that a pulled cable of 32 boxes is said once. */
	for (unsigned i = 0; i < facts->n_devices; i++) {
		const char *state = facts->devices[i].state;
		unsigned k = 0;

		while (strcmp(facts->devices[k].state, state) != 0) {
			k++;
		}
		if (k == i && strcmp(state, "online") != 0) {
			examine_state(facts, state, report);
		}
	}
}

/* A box that comes from elsewhere, or was switched off and on, answers once or twice with what it had. */
static bool is_disturbed(const struct doctor_device *d)
{
	return d->replies_foreign >= FOREIGN_LEAST && d->replies_foreign > d->replies / FOREIGN_ONE_OF;
}

static void examine_other_host(const struct doctor_device *d, struct doctor_report *report)
{
	char word[DOCTOR_LINE_SIZE];
	struct doctor_finding *f;

	if (strcmp(d->state, "taken-over") == 0) {
		f = doctor_add(report, DOCTOR_PROBLEM, d->name, "%s is played by %s%s", d->name,
			d->taken_by[0] ? "the host " : "another ethlinkd on this machine, or by another host",
			d->taken_by);
		doctor_why(f, "A box listens to one host at a time, so this one sends nothing to it.");
		doctor_advise(f, "Stop the other, or set takeover = yes. This shows who speaks to boxes:");
	} else {
		f = doctor_add(report, DOCTOR_WARNING, d->name,
			"%" PRIu64 " of %" PRIu64 " answers of %s showed settings that are not ours",
			d->replies_foreign, d->replies, d->name);
		doctor_why(f, "Another host sends to this box, or did: the box gets a mixture of both.");
		doctor_advise(f, "Stop the other. This shows who speaks to boxes:");
	}
	doctor_shell_word(word, sizeof(word), d->interface);
	doctor_command(f, "sudo tcpdump -e -n -c 20 -i %s ether proto 0x%04x", word, ETHLINK_ETHERTYPE);
}

void doctor_check_other_hosts(const struct doctor_facts *facts, struct doctor_report *report)
{
	unsigned n = 0;

	if (!facts->daemon.has_telemetry || facts->n_devices == 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL,
			facts->daemon.has_telemetry ? "no box is configured"
						    : "only a running ethlinkd sees them");
		return;
	}
	for (unsigned i = 0; i < facts->n_devices; i++) {
		const struct doctor_device *d = &facts->devices[i];

		if (strcmp(d->state, "taken-over") == 0 || is_disturbed(d)) {
			examine_other_host(d, report);
			n++;
		}
	}
	if (n == 0) {
		doctor_add(report, DOCTOR_OK, NULL, "nobody else plays these boxes");
	}
}

void doctor_check_drops(const struct doctor_facts *facts, struct doctor_report *report)
{
	uint64_t sent = 0, ring = 0, interface = 0, overrun = 0, dropped;
	struct doctor_finding *f;

	if (!facts->daemon.has_telemetry) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "only a running ethlinkd counts them");
		return;
	}
	for (unsigned i = 0; i < facts->n_devices; i++) {
		sent += facts->devices[i].frames_sent;
		ring += facts->devices[i].dropped_ring_full;
		interface += facts->devices[i].dropped_interface;
	}
	for (unsigned i = 0; i < facts->n_ifaces; i++) {
		overrun += facts->ifaces[i].frames_overrun;
	}
	dropped = ring + interface;
	if (dropped + overrun == 0) {
		doctor_add(report, DOCTOR_OK, NULL, "none; %" PRIu64 " were sent", sent);
		return;
	}
	f = doctor_add(report, dropped > sent / DROPS_ONE_OF ? DOCTOR_PROBLEM : DOCTOR_WARNING, NULL,
		"of %" PRIu64 " frames %" PRIu64 " found no place in the ring, %" PRIu64
		" were refused by the interface%s%s; %" PRIu64 " received ones were lost here",
		sent + dropped, ring, interface, facts->daemon.last_kick_error ? ": " : "",
		facts->daemon.last_kick_error ? strerror((int)facts->daemon.last_kick_error) : "", overrun);
	doctor_why(f,
		"Each is %d samples that a box had to do without: a click. Counted since ethlinkd started, "
		"pulled cables included.",
		ETHLINK_BLOCK_FRAMES);
	doctor_advise(f, "%s Look whether the numbers grow:",
		ring > interface ? "A full ring means that the interface sends too slowly: see \"bandwidth\" "
				   "and \"coalescing\"."
		: interface ? "An interface refuses what it gets while its link is down or its queue is full."
			    : "Received frames are lost when ethlinkd gets no time to read them.");
	doctor_command(f, "ethlinkctl status");
}

/* --- cycles */

/* How long the cycles since the start took together, in words. */
static void print_duration(char *buf, unsigned size, const struct doctor_daemon *d)
{
	double s = d->sample_rate ? (double)d->cycles * (double)d->period / (double)d->sample_rate : 0;

	if (strcmp(d->backend, "pipewire") == 0) {
		/* They may have been of any length. */
		snprintf(buf, size, "%" PRIu64 " cycles", d->cycles);
	} else if (s < 120) {
		snprintf(buf, size, "%.0f s", s);
	} else if (s < 7200) {
		snprintf(buf, size, "%.0f minutes", s / 60);
	} else {
		snprintf(buf, size, "%.0f hours", s / 3600);
	}
}

void doctor_check_xruns(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_daemon *d = &facts->daemon;
	struct doctor_finding *f;
	char duration[32];

	if (!doctor_has_server(facts, report)) {
		return;
	}
	print_duration(duration, sizeof(duration), d);
	if (d->xruns == 0) {
		doctor_add(report, DOCTOR_OK, NULL, "none in %s", duration);
		return;
	}
	f = doctor_add(report, DOCTOR_WARNING, NULL, "%" PRIu64 " in %s", d->xruns, duration);
	doctor_why(f,
		"At each the sound server was late, and all that plays had a gap. ethlinkd brings the boxes "
		"back in step without a restart.");
	doctor_advise(f, "Set right what is said above, then try a longer period:");
	doctor_command_period(f, d, MIN(MAX(d->period * 2, 64), 4096));
}

static uint64_t count_all(const uint64_t bins[HIST_BINS])
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HIST_BINS; i++) {
		n += bins[i];
	}
	return n;
}

/* Those in bins that are wholly at or above a value: a few too few, never too many. */
static uint64_t count_from(const uint64_t bins[HIST_BINS], double value_ns)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HIST_BINS; i++) {
		n += (double)hist_bin_floor_ns(i) >= value_ns ? bins[i] : 0;
	}
	return n;
}

static double period_ns(const struct doctor_daemon *d)
{
	return d->sample_rate ? (double)d->period * NSEC_PER_SEC / (double)d->sample_rate : 0;
}

/* What a measurement of cycles needs to be judged. Otherwise says so. */
static bool has_cycles(
	const struct doctor_facts *facts, const uint64_t bins[HIST_BINS], struct doctor_report *report)
{
	if (!doctor_has_server(facts, report)) {
		return false;
	}
	if (count_all(bins) == 0 || period_ns(&facts->daemon) <= 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "nothing was counted yet");
		return false;
	}
	return true;
}

void doctor_check_cycle_gaps(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_daemon *d = &facts->daemon;
	uint64_t n, late, too_late;
	enum doctor_result result = DOCTOR_OK;
	struct doctor_finding *f;

	if (!has_cycles(facts, d->gaps, report)) {
		return;
	}
	n = count_all(d->gaps);
	late = count_from(d->gaps, 1.5 * period_ns(d));
	too_late = count_from(d->gaps, 2 * period_ns(d));
	if ((double)too_late > TOO_LATE_PROBLEM * (double)n) {
		result = DOCTOR_PROBLEM;
	} else if ((double)too_late > TOO_LATE_WARNING * (double)n ||
		   (double)late > LATE_WARNING * (double)n) {
		result = DOCTOR_WARNING;
	}
	f = doctor_add(report, result, NULL,
		"of %" PRIu64 " cycles %.3g %% came later than 1.5 periods, %.3g %% than 2; the latest after "
		"%.1f ms (period %.2f ms)",
		n, 100.0 * (double)late / (double)n, 100.0 * (double)too_late / (double)n,
		(double)d->gap_max_ns / 1e6, period_ns(d) / 1e6);
	if (result != DOCTOR_OK) {
		doctor_why(f,
			"When a cycle comes late, a box plays from its cushion; when that is used up, there "
			"is a gap.");
		doctor_advise(f,
			"Set right what is said above about priority, preemption and governor; then give "
			"the boxes more latency in ethlinkd.conf (latency = 512), or try a longer period:");
		doctor_command_period(f, d, MIN(MAX(d->period * 2, 64), 4096));
	}
}

static struct doctor_finding *examine_kick(const struct doctor_facts *facts, const uint64_t bins[HIST_BINS],
	uint64_t max_ns, double warning, struct doctor_report *report)
{
	double p99_ns = (double)hist_quantile_ns(bins, 0.99), period = period_ns(&facts->daemon);
	enum doctor_result result = DOCTOR_OK;

	if (p99_ns > period) {
		result = DOCTOR_PROBLEM;
	} else if (p99_ns > warning * period || (double)max_ns > period) {
		result = DOCTOR_WARNING;
	}
	return doctor_add(report, result, NULL,
		"99 %% of %" PRIu64 " within %.0f us, the longest %.0f us (%.3g %% of the period)",
		count_all(bins), MIN(p99_ns, (double)max_ns) / 1000, (double)max_ns / 1000,
		100.0 * (double)max_ns / period);
}

/* Sending is a thread's work everywhere. */
static bool is_threaded(const struct doctor_facts *facts)
{
	for (unsigned i = 0; i < facts->n_ifaces; i++) {
		if (facts->ifaces[i].ring_open && !facts->ifaces[i].threaded) {
			return false;
		}
	}
	return facts->n_ifaces > 0;
}

void doctor_check_kick_time(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_daemon *d = &facts->daemon;
	struct doctor_finding *f;

	if (!has_cycles(facts, d->kick_at, report)) {
		return;
	}
	f = examine_kick(facts, d->kick_at, d->kick_at_max_ns, KICK_AT_WARNING, report);
	if (f->result != DOCTOR_OK) {
		doctor_why(f, is_threaded(facts)
				      ? "So long after the start of a cycle the frames have gone out, by a "
					"thread of their own. "
					"Until then the boxes play from their cushion."
				      : "So long after the start of a cycle the frames have gone out. What "
					"remains of the "
					"period is all that other programs in the graph have for theirs.");
		doctor_advise(f,
			"See to governor and priority above; then fewer boxes on this machine, or a longer "
			"period:");
		doctor_command_period(f, d, MIN(MAX(d->period * 2, 64), 4096));
	}
}

void doctor_check_kick_duration(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_daemon *d = &facts->daemon;
	struct doctor_finding *f;

	if (!has_cycles(facts, d->kick_took, report)) {
		return;
	}
	f = examine_kick(facts, d->kick_took, d->kick_took_max_ns, KICK_TOOK_WARNING, report);
	if (f->result != DOCTOR_OK) {
		doctor_why(f, "So long the kernel takes to hand the frames to the card%s.",
			is_threaded(facts) ? "" : ", in the middle of a cycle");
	}
	if (f->result != DOCTOR_OK &&
		(double)hist_quantile_ns(d->kick_took, 0.99) <= KICK_TOOK_WARNING * period_ns(d)) {
		doctor_advise(f, "Single ones only: something with a higher priority came in between. See to "
				 "preemption above; this shows who has which priority:");
		doctor_command(f, "ps -eLo rtprio,pid,comm --sort=-rtprio | head -n 20");
	} else if (f->result != DOCTOR_OK) {
		doctor_advise(f,
			"A driver that is slow at it (USB adapters often are), or filters on the interface, "
			"as this shows; %s:",
			is_threaded(facts) ? "fewer boxes on this machine"
					   : "sender = thread in [daemon] takes it out of the cycle");
		doctor_command(f, "tc qdisc show");
	}
}
