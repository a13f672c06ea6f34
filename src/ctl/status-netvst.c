#include "ctl/status-internal.h"

#include "base/util.h"
#include "ctl/colour.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define COLUMNS 80
#define ROLE_WIDTH 6
#define STATE_WIDTH 11
#define LATENCY_WIDTH 13
#define TRIP_WIDTH 7
#define LATE_WIDTH 5
#define GAPS 9 /* two blanks behind name, role and state, one before each of the rest */
#define KEY_WIDTH 11

/* hint: behind what is wrong, where the daemon says that; each line fits. */
static const struct {
	const char *role;
	const char *state;
	const char *colour;
	const char *hint[2];
} states[] = {
	{"client", "online", GREEN, {NULL}},
	{"client", "measuring", YELLOW,
		{"the round trip is being measured: audio comes in half a second", NULL}},
	{"client", "connecting", YELLOW,
		{"it is tried again all the time: does the plug-in server run there, and",
			"are host and port in ethlinkd.conf right?"}},
	{"client", "stopped", RED, {"there is no sound server: start it; ethlinkd joins it by itself", NULL}},
	{"server", "listening", GREEN, {NULL}},
	{"server", "unavailable", RED,
		{"it is tried again all the time: is host in ethlinkd.conf an address of this",
			"machine (ip -brief address), and is the port free (ss -ltn)?"}},
	{"server", "stopped", RED, {"there is no sound server: start it; ethlinkd joins it by itself", NULL}},
	{"slot", "free", "", {NULL}},
	{"slot", "connected", YELLOW, {NULL}},
	{"slot", "playing", GREEN, {NULL}},
};

static const char *const strips[] = {"send", "return"};

/* Of states[]; ARRAY_SIZE(states) for a state that is not there. */
static size_t find_state(const char *role, const struct prop_list *list)
{
	const char *state = prop_string(list, "state", "?");
	size_t s = 0;

	while (s < ARRAY_SIZE(states) &&
		(strcmp(states[s].role, role) != 0 || strcmp(states[s].state, state) != 0)) {
		s++;
	}
	return s;
}

static bool is_server(const struct prop_list *netvst)
{
	return strcmp(prop_string(netvst, "role", ""), "server") == 0;
}

void status_format_host(char *buf, size_t size, const struct prop_list *netvst)
{
	const char *host = prop_string(netvst, "host", "?");
	bool brackets = strchr(host, ':') && *host != '[';

	snprintf(buf, size, "%s%s%s:%" PRIu64, brackets ? "[" : "", host, brackets ? "]" : "",
		prop_unsigned(netvst, "port", 0));
}

static bool is_connected(const struct prop_list *netvst)
{
	const char *state = prop_string(netvst, "state", "");

	return strcmp(state, "online") == 0 || strcmp(state, "measuring") == 0;
}

/* Who is at the other end; of a client that is not connected: who is to be. */
static void format_peer(char *buf, size_t size, const struct prop_list *netvst)
{
	const char *peer = prop_string(netvst, "peer", "");

	if (*peer && is_connected(netvst)) {
		snprintf(buf, size, "%s", peer);
	} else {
		status_format_host(buf, size, netvst);
	}
}

/* 0: it is not known yet. */
static void format_frames(char *buf, size_t size, uint64_t frames, uint64_t rate_hz)
{
	if (frames == 0) {
		snprintf(buf, size, "-");
	} else if (rate_hz == 0) {
		snprintf(buf, size, "(%" PRIu64 ")", frames);
	} else {
		snprintf(buf, size, "%.1f ms (%" PRIu64 ")", 1000.0 * (double)frames / (double)rate_hz,
			frames);
	}
}

static void format_trip(char *buf, size_t size, const struct prop_list *netvst)
{
	double us = prop_number(prop_dict(netvst, "rtt_us"), "median", NAN);

	if (isfinite(us)) {
		snprintf(buf, size, "%.2f", us / 1000);
	} else {
		snprintf(buf, size, "-");
	}
}

static void print_state(const char *role, const struct prop_list *list, FILE *f, bool colour, int width)
{
	size_t s = find_state(role, list);
	bool painted = colour && s < ARRAY_SIZE(states) && *states[s].colour;

	fputs(painted ? states[s].colour : "", f);
	status_print_plain(f, prop_string(list, "state", "?"), width);
	fputs(painted ? PLAIN : "", f);
}

/* --- the table --- */

struct widths {
	int name; /* 0: it stands in a line of its own */
	int peer;
};

static void print_row(const struct widths *w, const char *role, const struct prop_list *list,
	const char *name, const char *const cells[4], FILE *f, bool colour)
{
	status_print_plain(f, name, w->name);
	fputs(w->name > 0 ? "  " : "\n  ", f);
	status_print_plain(f, role, ROLE_WIDTH);
	fputs("  ", f);
	print_state(role, list, f, colour, STATE_WIDTH);
	fputs("  ", f);
	status_print_plain(f, cells[0], w->peer);
	fprintf(f, " %*s %*s %*s\n", LATENCY_WIDTH, cells[1], TRIP_WIDTH, cells[2], LATE_WIDTH, cells[3]);
}

/* Below its server. What waits in its buffer is all the latency that it has by itself. */
static void print_slot(
	const struct widths *w, const struct prop_list *slot, uint64_t rate_hz, FILE *f, bool colour)
{
	bool is_free = strcmp(prop_string(slot, "state", ""), "free") == 0;
	char name[128], latency[48] = "-", late[32] = "-";

	snprintf(name, sizeof(name), "  %s", prop_string(slot, "name", "?"));
	if (!is_free) {
		format_frames(latency, sizeof(latency), prop_unsigned(slot, "fill_frames", 0), rate_hz);
		snprintf(late, sizeof(late), "%" PRIu64, prop_unsigned(slot, "late_replies", 0));
	}
	print_row(w, "slot", slot, name,
		(const char *const[]){is_free ? "-" : prop_string(slot, "peer", "-"), latency, "-", late}, f,
		colour);
}

void status_print_netvst_hints(const struct prop_list *netvst, FILE *f)
{
	size_t s = find_state(prop_string(netvst, "role", "?"), netvst);
	const char *error = prop_string(netvst, "error", "");

	if (s == ARRAY_SIZE(states) || !states[s].hint[0]) {
		return;
	}
	if (*error) {
		fputs("    ", f);
		status_print_plain(f, error, 0);
		fputc('\n', f);
	}
	for (size_t i = 0; i < 2 && states[s].hint[i]; i++) {
		fprintf(f, "    %s\n", states[s].hint[i]);
	}
}

static void print_section(
	const struct widths *w, const struct prop_list *netvst, uint64_t rate_hz, FILE *f, bool colour)
{
	char peer[256], latency[48], trip[32], late[32] = "-";
	bool server = is_server(netvst);

	format_peer(peer, sizeof(peer), netvst);
	format_frames(latency, sizeof(latency), prop_unsigned(netvst, "latency_frames", 0), rate_hz);
	format_trip(trip, sizeof(trip), netvst);
	if (!server) {
		snprintf(late, sizeof(late), "%" PRIu64, prop_unsigned(netvst, "late_blocks", 0));
	}
	print_row(w, prop_string(netvst, "role", "?"), netvst, prop_string(netvst, "name", "?"),
		(const char *const[]){peer, latency, trip, late}, f, colour);
	status_print_netvst_hints(netvst, f);
	for (unsigned i = 0; i < prop_count(netvst, "slots", PROP_DICT); i++) {
		print_slot(w, prop_dict_at(netvst, "slots", i), rate_hz, f, colour);
	}
}

static struct widths find_widths(const struct status *status)
{
	size_t name = strlen("NETVST"), peer = strlen("PEER");
	char text[256];

	for (unsigned i = 0; i < status->n_netvst; i++) {
		const struct prop_list *netvst = &status->netvst[i];

		format_peer(text, sizeof(text), netvst);
		name = MAX(name, strlen(prop_string(netvst, "name", "?")));
		peer = MAX(peer, strlen(text));
		for (unsigned k = 0; k < prop_count(netvst, "slots", PROP_DICT); k++) {
			const struct prop_list *slot = prop_dict_at(netvst, "slots", k);

			name = MAX(name, strlen(prop_string(slot, "name", "?")) + 2);
			peer = MAX(peer, strlen(prop_string(slot, "peer", "-")));
		}
	}
	return (struct widths){
		.name = name + peer + ROLE_WIDTH + STATE_WIDTH + LATENCY_WIDTH + TRIP_WIDTH + LATE_WIDTH +
						GAPS <=
					COLUMNS
				? (int)name
				: 0,
		.peer = (int)MIN(peer, 64),
	};
}

void status_print_netvst_text(const struct status *status, FILE *f, bool colour)
{
	const struct widths w = find_widths(status);

	fprintf(f, "%-*s%s%-*s  %-*s  %-*s %*s %*s %*s\n", w.name, "NETVST", w.name > 0 ? "  " : "\n  ",
		ROLE_WIDTH, "ROLE", STATE_WIDTH, "STATE", w.peer, "PEER", LATENCY_WIDTH, "LATENCY",
		TRIP_WIDTH, "TRIP ms", LATE_WIDTH, "LATE");
	for (unsigned i = 0; i < status->n_netvst; i++) {
		print_section(
			&w, &status->netvst[i], prop_unsigned(&status->daemon, "sample_rate", 0), f, colour);
	}
}

/* --- the page about one --- */

static uint64_t count(const struct prop_list *list, const char *name)
{
	return prop_unsigned(list, name, 0);
}

static void print_client_counters(const struct prop_list *netvst, FILE *f)
{
	const struct prop_list *rtt = prop_dict(netvst, "rtt_us");

	if (rtt->n_props > 0) {
		fprintf(f, "%-*s %.2f ms median, 99 %% within %.2f ms, the longest %.2f ms\n", KEY_WIDTH,
			"round trip", prop_number(rtt, "median", 0) / 1000, prop_number(rtt, "p99", 0) / 1000,
			prop_number(rtt, "max", 0) / 1000);
	}
	fprintf(f, "%-*s %" PRIu64 " blocks, %" PRIu64 " times; %" PRIu64 " skipped\n", KEY_WIDTH, "late",
		count(netvst, "late_blocks"), count(netvst, "late_episodes"),
		count(netvst, "skipped_blocks"));
}

static void print_server_counters(const struct prop_list *netvst, FILE *f)
{
	fprintf(f, "%-*s %" PRIu64 " refused, %" PRIu64 " broke the protocol, %" PRIu64 " stood still\n",
		KEY_WIDTH, "closed", count(netvst, "refused"), count(netvst, "bad_peers"),
		count(netvst, "timeouts"));
}

static void print_counters(const struct prop_list *netvst, FILE *f)
{
	const struct prop_list *callback = prop_dict(netvst, "callback_us");
	double ratio = prop_number(netvst, "compression_ratio", NAN);

	if (is_server(netvst)) {
		print_server_counters(netvst, f);
	} else {
		print_client_counters(netvst, f);
	}
	fprintf(f, "%-*s %" PRIu64 " blocks, %.1f MB\n", KEY_WIDTH, "sent", count(netvst, "blocks_sent"),
		(double)count(netvst, "bytes_sent") / 1e6);
	fprintf(f, "%-*s %" PRIu64 " blocks, %.1f MB\n", KEY_WIDTH, "received",
		count(netvst, "blocks_received"), (double)count(netvst, "bytes_received") / 1e6);
	if (isfinite(ratio)) {
		fprintf(f, "%-*s %.1f %% of the size without it\n", KEY_WIDTH, "compression", 100 * ratio);
	}
	fprintf(f, "%-*s %" PRIu64 " sent, %" PRIu64 " received, %" PRIu64 " lost\n", KEY_WIDTH, "MIDI",
		count(netvst, "midi_sent"), count(netvst, "midi_received"), count(netvst, "midi_lost"));
	fprintf(f, "%-*s %" PRIu64 " times, begun anew %" PRIu64 " times\n", KEY_WIDTH, "connected",
		count(netvst, "connects"), count(netvst, "overruns"));
	if (callback->n_props > 0) {
		fprintf(f, "%-*s %.1f us median, 99 %% within %.1f us, the longest %.1f us\n", KEY_WIDTH,
			"callback", prop_number(callback, "median", 0), prop_number(callback, "p99", 0),
			prop_number(callback, "max", 0));
	}
}

static void print_strips(const struct prop_list *netvst, FILE *f)
{
	const struct prop_list *peaks = prop_dict(netvst, "peak_dbfs");
	char left[32], right[32];

	fprintf(f, "%-*s %7s  %-4s %8s %8s\n", KEY_WIDTH, "STRIP", "GAIN dB", "MUTE", "PEAK L", "PEAK R");
	for (unsigned i = 0; i < ARRAY_SIZE(strips); i++) {
		status_format_level(left, sizeof(left), prop_number_at(peaks, strips[i], 0, -INFINITY));
		status_format_level(right, sizeof(right), prop_number_at(peaks, strips[i], 1, -INFINITY));
		fprintf(f, "%-*s %7.0f  %-4s %8s %8s\n", KEY_WIDTH, strips[i],
			prop_number_at(netvst, "gain_db", i, 0),
			prop_bool_at(netvst, "mute", i, false) ? "on" : "off", left, right);
	}
}

static void print_slot_page(const struct prop_list *slot, uint64_t rate_hz, FILE *f, bool colour)
{
	char fill[48];

	fputc('\n', f);
	status_print_plain(f, prop_string(slot, "name", "?"), KEY_WIDTH);
	fputc(' ', f);
	print_state("slot", slot, f, colour, 0);
	if (strcmp(prop_string(slot, "state", ""), "free") != 0) {
		format_frames(fill, sizeof(fill), count(slot, "fill_frames"), rate_hz);
		fputs(", ", f);
		status_print_plain(f, prop_string(slot, "peer", "?"), 0);
		fprintf(f, ", block %" PRIu64 ", %s wait", count(slot, "block"), fill);
	}
	fprintf(f, "\n%-*s %" PRIu64 " blocks, %" PRIu64 " replies late, connected %" PRIu64 " times\n",
		KEY_WIDTH, "", count(slot, "blocks"), count(slot, "late_replies"), count(slot, "connects"));
	fprintf(f,
		"%-*s %" PRIu64 " corrections: %" PRIu64 " frames dropped, %" PRIu64
		" repeated; begun anew %" PRIu64 " times\n",
		KEY_WIDTH, "", count(slot, "corrections"), count(slot, "dropped_frames"),
		count(slot, "repeated_frames"), count(slot, "resyncs"));
}

static void print_allowed(const struct prop_list *netvst, FILE *f)
{
	unsigned n = prop_count(netvst, "allow", PROP_STRING);

	for (unsigned i = 0; i < n; i++) {
		fputs(i ? ", " : "allowed     ", f);
		status_print_plain(f, prop_string_at(netvst, "allow", i, ""), 0);
	}
	fputs(n ? "\n" : "", f);
}

void status_print_netvst(const struct status *status, unsigned i, FILE *f, bool colour)
{
	const struct prop_list *netvst = &status->netvst[i];
	uint64_t rate_hz = prop_unsigned(&status->daemon, "sample_rate", 0);
	const char *peer = prop_string(netvst, "peer", ""), *mode = prop_string(netvst, "latency_mode", "");
	char host[256], latency[48];

	status_format_host(host, sizeof(host), netvst);
	status_print_plain(f, prop_string(netvst, "name", "?"), 0);
	fputs(is_server(netvst) ? ": server at " : ": client of ", f);
	status_print_plain(f, host, 0);
	fputs(", dialect ", f);
	status_print_plain(f, prop_string(netvst, "dialect", "?"), 0);
	fputs(", codec ", f);
	status_print_plain(f, prop_string(netvst, "codec", "?"), 0);
	if (!is_server(netvst)) {
		fprintf(f, ", block %" PRIu64, count(netvst, "block"));
	}
	fprintf(f, "\n%-*s ", KEY_WIDTH, "state");
	print_state(prop_string(netvst, "role", "?"), netvst, f, colour, 0);
	if (*peer && is_connected(netvst)) {
		fputs(", peer ", f);
		status_print_plain(f, peer, 0);
	}
	fputc('\n', f);
	status_print_netvst_hints(netvst, f);
	print_allowed(netvst, f);
	status_format_latency(latency, sizeof(latency), netvst, rate_hz);
	fprintf(f, "%-*s %s, %" PRIu64 " sample frames%s", KEY_WIDTH, "latency", latency,
		count(netvst, "latency_frames"), *mode ? ", " : "");
	status_print_plain(f, mode, 0);
	fputs("\n\n", f);
	print_strips(netvst, f);
	fputc('\n', f);
	print_counters(netvst, f);
	for (unsigned k = 0; k < prop_count(netvst, "slots", PROP_DICT); k++) {
		print_slot_page(prop_dict_at(netvst, "slots", k), rate_hz, f, colour);
	}
}
