#include "ctl/doctor-checks.h"

#include "base/util.h"
#include "net/link.h"
#include "proto/ethlink.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A block of a box on the wire. */
#define WIRE_BYTES (ETHLINK_FRAME_LEN + LINK_OVERHEAD_LEN)
#define RATE_UNTIL_KNOWN_HZ 48000
#define FULL_PERCENT 100.0
#define BUSY_PERCENT 90.0
#define COALESCING_MOST_USECS 100
#define COALESCING_GOOD_USECS 10
/* Of so many frames one may be damaged: with one box a click every two seconds. */
#define ERRORS_ONE_OF 10000
/* Up and down each count. */
#define CARRIER_CHANGES_MOST 20

#define HOLDS "This holds until the machine is restarted or the cable is pulled."

/* Only what this machine has can be looked at. */
static bool can_see(const struct doctor_iface *iface, struct doctor_report *report)
{
	if (!iface->exists) {
		doctor_add(report, DOCTOR_SKIPPED, iface->name, "the interface cannot be looked at");
	}
	return iface->exists;
}

/* Without a daemon nobody knows which interfaces matter. */
static bool has_ifaces(const struct doctor_facts *facts, struct doctor_report *report)
{
	if (facts->n_ifaces == 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL,
			facts->daemon.answers ? "no box is configured, so no interface is in use"
					      : "only a running ethlinkd knows which interfaces are in use");
	}
	return facts->n_ifaces > 0;
}

/* Examines each interface that there is to be seen. */
static void each_iface(const struct doctor_facts *facts, struct doctor_report *report,
	void (*examine)(const struct doctor_facts *facts, const struct doctor_iface *iface,
		struct doctor_report *report))
{
	if (!has_ifaces(facts, report)) {
		return;
	}
	for (unsigned i = 0; i < facts->n_ifaces; i++) {
		if (can_see(&facts->ifaces[i], report)) {
			examine(facts, &facts->ifaces[i], report);
		}
	}
}

static void examine_link(const struct doctor_iface *iface, struct doctor_report *report)
{
	char word[DOCTOR_LINE_SIZE];
	struct doctor_finding *f;

	doctor_shell_word(word, sizeof(word), iface->name);
	if (!iface->exists && iface->ring_open) {
		doctor_add(report, DOCTOR_SKIPPED, iface->name,
			"in use, but not to be seen from here: is ethlinkd in another network namespace?");
	} else if (!iface->exists) {
		f = doctor_add(report, DOCTOR_PROBLEM, iface->name, "there is no such interface");
		doctor_why(f, "The boxes on it are silent until it is there.");
		doctor_advise(f, "Plug it in; or look up the right name, and write it into ethlinkd.conf.");
		doctor_command(f, "ip -brief link");
	} else if (iface->up == 0) {
		f = doctor_add(report, DOCTOR_PROBLEM, iface->name, "the interface is switched off");
		doctor_why(f, "The boxes on it are silent.");
		doctor_command(f, "sudo ip link set dev %s up", word);
	} else if (iface->carrier == 0) {
		f = doctor_add(report, DOCTOR_PROBLEM, iface->name, "no link: nothing answers on the cable");
		doctor_why(f, "The boxes on it are silent.");
		doctor_advise(f, "Is the cable in at both ends, is the box or the switch there powered?");
		doctor_command(f, "ip -brief link show dev %s", word);
	} else if (iface->up == DOCTOR_UNKNOWN || iface->carrier == DOCTOR_UNKNOWN) {
		doctor_add(report, DOCTOR_SKIPPED, iface->name, "it cannot be read whether there is a link");
	} else {
		doctor_add(report, DOCTOR_OK, iface->name, "up, with a link%s%s%s",
			iface->driver[0] ? " (driver " : "", iface->driver, iface->driver[0] ? ")" : "");
	}
}

void doctor_check_interface(const struct doctor_facts *facts, struct doctor_report *report)
{
	if (!has_ifaces(facts, report)) {
		return;
	}
	for (unsigned i = 0; i < facts->n_ifaces; i++) {
		examine_link(&facts->ifaces[i], report);
	}
}

static void examine_layers(const struct doctor_iface *iface, struct doctor_report *report)
{
	struct doctor_finding *f;
	char word[DOCTOR_LINE_SIZE];

	if (iface->master[0]) {
		doctor_shell_word(word, sizeof(word), iface->name);
		f = doctor_add(
			report, DOCTOR_WARNING, iface->name, "part of the bridge or bond %s", iface->master);
		doctor_why(f,
			"What arrives is handed on to %s, and other traffic shares the cable: frames may "
			"be late or go another way.",
			iface->master);
		doctor_advise(f, "Give the boxes an interface of their own.");
		doctor_command(f, "sudo ip link set dev %s nomaster", word);
		return;
	}
	f = doctor_add(report, DOCTOR_WARNING, iface->name, "this is a %s, not a network card",
		iface->bridge ? "bridge"
		: iface->bond ? "bond"
			      : "VLAN");
	doctor_why(f,
		iface->vlan ? "Frames carry a VLAN tag, which a box does not understand: a switch must take "
			      "it away."
		: iface->bond ? "Frames may take different ways and overtake each other: clicks."
			      : "Each frame takes a longer way through the kernel, and goes to every port.");
	doctor_advise(f, "Name the card itself in ethlinkd.conf: interface = NAME");
	doctor_command(f, "ip -brief link");
}

static void examine_kind(
	const struct doctor_facts *facts, const struct doctor_iface *iface, struct doctor_report *report)
{
	struct doctor_finding *f;

	if (iface->wireless) {
		f = doctor_add(report, DOCTOR_PROBLEM, iface->name, "a wireless interface");
		doctor_why(f, "Radio loses frames and holds them back for tens of milliseconds; a box has "
			      "a few milliseconds in hand. It will crackle.");
		doctor_advise(f, "Connect the boxes by cable, and name that interface in "
				 "ethlinkd.conf: interface = NAME");
		doctor_command(f, "ip -brief link");
	} else if (iface->master[0] || iface->bridge || iface->bond || iface->vlan) {
		examine_layers(iface, report);
	} else if (iface->virtual) {
		doctor_add(report, DOCTOR_OK, iface->name,
			"a virtual interface: there is no cable to be looked at");
	} else {
		doctor_add(report, DOCTOR_OK, iface->name, "a network card");
	}
}

void doctor_check_interface_kind(const struct doctor_facts *facts, struct doctor_report *report)
{
	each_iface(facts, report, examine_kind);
}

/* Mbit/s that so many boxes need in one direction. */
static double needed_mbit(unsigned n_boxes, uint64_t rate_hz)
{
	return n_boxes * ((double)rate_hz / ETHLINK_BLOCK_FRAMES) * WIRE_BYTES * 8 / 1e6;
}

/* Of the busier way; both at once only with full duplex. */
static unsigned count_boxes(const struct doctor_iface *iface, unsigned n_dacs, unsigned n_adcs)
{
	return iface->full_duplex == 0 ? n_dacs + n_adcs : MAX(n_dacs, n_adcs);
}

static unsigned count_with_ease(const struct doctor_iface *iface, uint64_t rate_hz)
{
	unsigned n = 0;

	while (needed_mbit(n + 1, rate_hz) * 100.0 <= BUSY_PERCENT * (double)iface->speed_mbit) {
		n++;
	}
	return n;
}

static void advise_bandwidth(struct doctor_finding *f, const struct doctor_iface *iface, uint64_t rate_hz)
{
	char word[DOCTOR_LINE_SIZE];

	doctor_advise(f,
		"Use a gigabit interface and switch, or another interface for some of the boxes: at %.1f kHz "
		"this one carries %u with ease. If both ends can do more than %" PRId64
		" Mbit/s, the cable is to "
		"blame; after changing it:",
		(double)rate_hz / 1000, count_with_ease(iface, rate_hz), iface->speed_mbit);
	doctor_shell_word(word, sizeof(word), iface->name);
	doctor_command(f, "sudo ethtool --negotiate %s", word);
}

/* Refused although the link would carry them, or nobody knows what it carries: that is the configuration's word. */
static void say_configured(
	struct doctor_report *report, const struct doctor_iface *iface, const char *load, unsigned n_refused)
{
	struct doctor_finding *f =
		doctor_add(report, DOCTOR_PROBLEM, iface->name, "%s; no room for %u more", load, n_refused);

	doctor_why(f, "What bandwidth in [daemon] does not allow is silent.");
	doctor_advise(f, "If the link carries more, raise bandwidth in ethlinkd.conf, or remove it; then:");
	doctor_command(f, "ethlinkctl reload");
}

static void say_overloaded(struct doctor_report *report, const struct doctor_iface *iface, const char *load,
	unsigned n_refused, bool full, uint64_t rate_hz)
{
	struct doctor_finding *f;

	if (n_refused > 0) {
		f = doctor_add(
			report, DOCTOR_PROBLEM, iface->name, "%s; no room for %u more", load, n_refused);
		doctor_why(f, "What does not fit is silent, so that the rest plays without losses.");
	} else {
		f = doctor_add(report, full ? DOCTOR_PROBLEM : DOCTOR_WARNING, iface->name, "%s", load);
		doctor_why(f, full ? "More than the link carries: frames are dropped all the time, on all "
				     "boxes."
				   : "Frames queue up behind each other, and any other traffic makes them "
				     "late.");
	}
	advise_bandwidth(f, iface, rate_hz);
}

static void examine_bandwidth(
	const struct doctor_facts *facts, const struct doctor_iface *iface, struct doctor_report *report)
{
	uint64_t known_rate_hz = facts->daemon.sample_rate;
	uint64_t rate_hz = known_rate_hz ? known_rate_hz : RATE_UNTIL_KNOWN_HZ;
	unsigned n_wanted = count_boxes(iface, iface->n_dacs, iface->n_adcs);
	unsigned n = count_boxes(
		iface, iface->n_dacs - iface->n_dacs_refused, iface->n_adcs - iface->n_adcs_refused);
	unsigned n_refused = iface->n_dacs_refused + iface->n_adcs_refused;
	double mbit = needed_mbit(n, rate_hz), percent = 100.0 * mbit / (double)iface->speed_mbit;
	bool known = iface->speed_mbit != DOCTOR_UNKNOWN;
	char load[DOCTOR_LINE_SIZE / 2], of[64] = " Mbit/s";

	if (known) {
		snprintf(of, sizeof(of), " of %" PRId64 " Mbit/s (%.*f %%)", iface->speed_mbit,
			percent < 1 ? 1 : 0, percent);
	}
	snprintf(load, sizeof(load), "%u box%s x %.0f frames/s x %d bytes = %.1f%s", n, n == 1 ? "" : "es",
		(double)rate_hz / ETHLINK_BLOCK_FRAMES, WIRE_BYTES, mbit, of);
	if (n_refused > 0 && (!known || needed_mbit(n_wanted, rate_hz) <= (double)iface->speed_mbit)) {
		say_configured(report, iface, load, n_refused);
	} else if (!known) {
		doctor_add(report, DOCTOR_SKIPPED, iface->name, "%s; the interface does not tell its speed",
			load);
	} else if (percent <= BUSY_PERCENT && n_refused == 0) {
		doctor_add(report, DOCTOR_OK, iface->name, "%s", load);
	} else {
		say_overloaded(report, iface, load, n_refused, percent > FULL_PERCENT, rate_hz);
	}
}

void doctor_check_bandwidth(const struct doctor_facts *facts, struct doctor_report *report)
{
	each_iface(facts, report, examine_bandwidth);
}

static void command_ethtool(struct doctor_finding *f, const struct doctor_facts *facts)
{
	if (!facts->system.has_ethtool) {
		doctor_command(f, "sudo apt-get install ethtool");
	}
}

static void examine_duplex(
	const struct doctor_facts *facts, const struct doctor_iface *iface, struct doctor_report *report)
{
	char word[DOCTOR_LINE_SIZE];
	struct doctor_finding *f;

	if (iface->full_duplex == 1) {
		doctor_add(report, DOCTOR_OK, iface->name, "full duplex");
	} else if (iface->full_duplex == DOCTOR_UNKNOWN) {
		doctor_add(report, DOCTOR_SKIPPED, iface->name, "the interface does not tell");
	} else {
		f = doctor_add(report, DOCTOR_PROBLEM, iface->name, "half duplex: one end sends at a time");
		doctor_why(f, "Frames collide with those of the other end and come late or not at all: "
			      "clicks.");
		doctor_advise(f, "Both ends must negotiate; one with a fixed setting makes the other fall "
				 "back. A hub is to be replaced by a switch.");
		doctor_shell_word(word, sizeof(word), iface->name);
		command_ethtool(f, facts);
		doctor_command(f, "sudo ethtool -s %s autoneg on", word);
	}
}

void doctor_check_duplex(const struct doctor_facts *facts, struct doctor_report *report)
{
	each_iface(facts, report, examine_duplex);
}

static void examine_coalescing(
	const struct doctor_facts *facts, const struct doctor_iface *iface, struct doctor_report *report)
{
	char word[DOCTOR_LINE_SIZE], rx[64] = "", tx[64] = "";
	struct doctor_finding *f;

	if (iface->rx_usecs < 0 && iface->tx_usecs < 0) {
		doctor_add(report, DOCTOR_SKIPPED, iface->name, "the driver does not tell");
		return;
	}
	if (iface->rx_usecs <= COALESCING_MOST_USECS && iface->tx_usecs <= COALESCING_MOST_USECS) {
		doctor_add(report, DOCTOR_OK, iface->name,
			"interrupts wait %" PRId64 " us (receiving) and %" PRId64 " us (sending)%s",
			MAX(iface->rx_usecs, 0), MAX(iface->tx_usecs, 0),
			iface->adaptive_rx == 1 || iface->adaptive_tx == 1 ? ", adaptive" : "");
		return;
	}
	f = doctor_add(report, DOCTOR_WARNING, iface->name,
		"interrupts wait up to %" PRId64 " us (receiving) and %" PRId64 " us (sending)",
		MAX(iface->rx_usecs, 0), MAX(iface->tx_usecs, 0));
	doctor_why(f,
		"So long the card keeps what was received, and places of what was sent, to itself: audio "
		"from boxes comes late, and the ring may be full when the next cycle comes.");
	doctor_advise(f, HOLDS);
	doctor_shell_word(word, sizeof(word), iface->name);
	if (iface->rx_usecs > COALESCING_MOST_USECS) {
		snprintf(rx, sizeof(rx), "%s rx-usecs %d", iface->adaptive_rx == 1 ? " adaptive-rx off" : "",
			COALESCING_GOOD_USECS);
	}
	if (iface->tx_usecs > COALESCING_MOST_USECS) {
		snprintf(tx, sizeof(tx), "%s tx-usecs %d", iface->adaptive_tx == 1 ? " adaptive-tx off" : "",
			COALESCING_GOOD_USECS);
	}
	command_ethtool(f, facts);
	doctor_command(f, "sudo ethtool -C %s%s%s", word, rx, tx);
}

void doctor_check_coalescing(const struct doctor_facts *facts, struct doctor_report *report)
{
	each_iface(facts, report, examine_coalescing);
}

static void examine_eee(
	const struct doctor_facts *facts, const struct doctor_iface *iface, struct doctor_report *report)
{
	char word[DOCTOR_LINE_SIZE];
	struct doctor_finding *f;

	if (iface->eee_enabled == DOCTOR_UNKNOWN) {
		doctor_add(report, DOCTOR_SKIPPED, iface->name, "the driver does not tell");
	} else if (iface->eee_enabled == 1 && iface->eee_active == 1) {
		f = doctor_add(report, DOCTOR_WARNING, iface->name,
			"Energy-Efficient Ethernet is active: the link sleeps between frames");
		doctor_why(f, "Waking up takes part of a millisecond for the first frames of a cycle, and "
			      "some switches lose them: clicks.");
		doctor_advise(f, HOLDS);
		doctor_shell_word(word, sizeof(word), iface->name);
		command_ethtool(f, facts);
		doctor_command(f, "sudo ethtool --set-eee %s eee off", word);
	} else {
		doctor_add(report, DOCTOR_OK, iface->name, "Energy-Efficient Ethernet is %s",
			iface->eee_enabled == 1 ? "allowed, but not active" : "off");
	}
}

void doctor_check_eee(const struct doctor_facts *facts, struct doctor_report *report)
{
	each_iface(facts, report, examine_eee);
}

static void examine_errors(
	const struct doctor_facts *facts, const struct doctor_iface *iface, struct doctor_report *report)
{
	int64_t errors = MAX(iface->rx_errors, 0) + MAX(iface->tx_errors, 0) + MAX(iface->collisions, 0);
	int64_t packets = MAX(iface->rx_packets, 0) + MAX(iface->tx_packets, 0);
	int64_t lost = MAX(iface->carrier_changes, 0) / 2;
	char word[DOCTOR_LINE_SIZE];
	struct doctor_finding *f;

	if (iface->rx_errors < 0 && iface->tx_errors < 0) {
		doctor_add(report, DOCTOR_SKIPPED, iface->name, "the counters cannot be read");
		return;
	}
	if (errors == 0 && iface->carrier_changes < CARRIER_CHANGES_MOST) {
		doctor_add(report, DOCTOR_OK, iface->name, "no errors in %" PRId64 " frames", packets);
		return;
	}
	doctor_shell_word(word, sizeof(word), iface->name);
	f = doctor_add(report, errors > packets / ERRORS_ONE_OF ? DOCTOR_PROBLEM : DOCTOR_WARNING,
		iface->name,
		"of %" PRId64 " frames %" PRId64 " came damaged (%" PRId64 " checksum), %" PRId64
		" were not sent, %" PRId64 " collided; the link went down %" PRId64 " times",
		packets, MAX(iface->rx_errors, 0), MAX(iface->rx_crc_errors, 0), MAX(iface->tx_errors, 0),
		MAX(iface->collisions, 0), lost);
	doctor_why(f,
		"Each lost frame is a click on one box; without a link all boxes are silent. Counted since "
		"the machine started, or the driver was loaded.");
	doctor_advise(f, "Look whether the numbers grow; if so, try another cable, then another port.");
	doctor_command(f, "ip -statistics -statistics link show dev %s", word);
}

void doctor_check_link_errors(const struct doctor_facts *facts, struct doctor_report *report)
{
	each_iface(facts, report, examine_errors);
}
