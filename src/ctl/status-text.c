#include "ctl/status-internal.h"

#include "base/util.h"
#include "ctl/colour.h"
#include "ctl/wrap.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HINT_INDENT 4
#define CHANNELS 8
#define BANKS 2
#define BOX_WIDTH 10 /* "dac8 65535" */
#define STATE_WIDTH 12
#define REST_WIDTH 25 /* latency, dropped, peak and the gaps before them */
#define GAPS 6	      /* two blanks behind name, box and interface */

/* hint: %s is the interface. Each line of it fits with the longest name of an interface. */
static const struct {
	const char *state;
	const char *words;
	const char *colour;
	const char *hint[2];
} states[] = {
	{"online", "online", GREEN, {NULL}},
	{"searching", "searching", YELLOW,
		{"frames go out on %s, but this box does not answer:",
			"is it switched on and on this network, and are model and serial right?"}},
	{"no-interface", "no interface", RED,
		{"there is no interface %s: plug it in,",
			"or write the right name in ethlinkd.conf (ip link lists them)"}},
	{"link-down", "link down", RED,
		{"%s has no link: check the cable, and that box or switch are on;",
			"the interface may be off, too: ip link set dev %s up"}},
	{"taken-over", "taken over", RED,
		{"another host on %s plays this box: stop it there;", "a box listens to one at a time"}},
	{"unsupported", "unsupported", RED,
		{"the sound server's rate or period is none that the box can take:",
			"set it to 44100, 48000, 88200 or 96000 Hz and a period of 8 to 8192"}},
	{"stopped", "stopped", RED,
		{"there is no sound server: start it; ethlinkd joins it by itself", NULL}},
};

/* Of states[]; ARRAY_SIZE(states) for a state that is not there. */
static size_t find_state(const struct prop_list *device)
{
	const char *state = prop_string(device, "state", "?");
	size_t s = 0;

	while (s < ARRAY_SIZE(states) && strcmp(states[s].state, state) != 0) {
		s++;
	}
	return s;
}

void status_print_plain(FILE *f, const char *s, int width)
{
	int n = 0;

	for (; *s; s++, n++) {
		fputc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, f);
	}
	fprintf(f, "%*s", MAX(width - n, 0), "");
}

static void format_count(char *buf, size_t size, uint64_t n)
{
	if (n < 10000000) {
		snprintf(buf, size, "%" PRIu64, n);
	} else if (n < 10000000000) {
		snprintf(buf, size, "%.1fM", (double)n / 1e6);
	} else {
		snprintf(buf, size, "%.1e", (double)n);
	}
}

void status_format_latency(char *buf, size_t size, const struct prop_list *device, uint64_t rate_hz)
{
	const struct prop *prop = prop_find(device, "latency_frames");

	if (!prop || rate_hz == 0) {
		snprintf(buf, size, "-");
		return;
	}
	snprintf(buf, size, "%.1f ms",
		1000.0 * (double)prop_unsigned(device, "latency_frames", 0) / (double)rate_hz);
}

void status_format_level(char *buf, size_t size, double dbfs)
{
	if (isinf(dbfs) && dbfs > 0) {
		snprintf(buf, size, "inf");
	} else if (isfinite(dbfs)) {
		snprintf(buf, size, "%.1f", fabs(dbfs) < 0.05 ? 0.0 : dbfs);
	} else {
		snprintf(buf, size, "-");
	}
}

/* The loudest channel. */
static void format_peak(char *buf, size_t size, const struct prop_list *device)
{
	const struct prop *prop = prop_find(device, "peak_dbfs");
	double peak = -INFINITY;

	for (unsigned i = 0; prop && prop->kind == PROP_DOUBLE && i < prop->n_values; i++) {
		peak = fmax(peak, prop->values[i].d);
	}
	status_format_level(buf, size, peak);
}

static void print_hint_line(FILE *f, const char *line, const char *interface)
{
	const char *insert = strstr(line, "%s");

	fprintf(f, "%*s", HINT_INDENT, "");
	if (!insert) {
		fputs(line, f);
	} else {
		fprintf(f, "%.*s", (int)(insert - line), line);
		status_print_plain(f, interface, 0);
		fputs(insert + 2, f);
	}
	fputc('\n', f);
}

void status_print_state(const struct prop_list *device, FILE *f, bool colour, int width)
{
	size_t s = find_state(device);
	bool known = s < ARRAY_SIZE(states);

	fputs(colour && known ? states[s].colour : "", f);
	status_print_plain(f, known ? states[s].words : prop_string(device, "state", "?"), width);
	fputs(colour && known ? PLAIN : "", f);
}

void status_print_hints(const struct prop_list *device, FILE *f)
{
	const char *reason = prop_string(device, "reason", "");
	size_t s = find_state(device);

	if (*reason) {
		fprintf(f, "%*s", HINT_INDENT, "");
		wrap_print(f, reason, HINT_INDENT, HINT_INDENT);
		return;
	}
	for (size_t i = 0; s < ARRAY_SIZE(states) && i < 2 && states[s].hint[i]; i++) {
		print_hint_line(f, states[s].hint[i], prop_string(device, "interface", "-"));
	}
}

bool status_is_runtime(const struct prop_list *device, const char *key, unsigned i)
{
	return strcmp(prop_string_at(device, key, i, ""), "runtime") == 0;
}

/* Which of the n values of a kind were set at run time: " gain 1 3". */
static void print_set(const struct prop_list *device, const char *key, const char *word, unsigned n, FILE *f)
{
	for (unsigned i = 0; i < n; i++) {
		if (status_is_runtime(device, key, i)) {
			fprintf(f, "%s %u", word, i + 1);
			word = "";
		}
	}
}

/* Where not the configuration counts. */
static void print_runtime(const struct prop_list *device, FILE *f)
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory) {
		return;
	}
	print_set(device, "gain_origin", " gain", CHANNELS, memory);
	print_set(device, "mute_origin", " mute", CHANNELS, memory);
	print_set(device, "phantom_origin", " phantom", BANKS, memory);
	if (fclose(memory) == 0 && len > 0) {
		fprintf(f, "    set at run time:%s\n", text);
	}
	free(text);
}

/* name_width: 0 where names stand in a line of their own. */
static void print_device(const struct prop_list *device, FILE *f, bool colour, int name_width,
	int interface_width, uint64_t rate_hz)
{
	char box[64], latency[32], dropped[32], peak[32];

	snprintf(box, sizeof(box), "%.16s %" PRIu64, prop_string(device, "model", "?"),
		prop_unsigned(device, "serial", 0));
	status_format_latency(latency, sizeof(latency), device, rate_hz);
	format_count(dropped, sizeof(dropped), prop_unsigned(device, "frames_dropped", 0));
	format_peak(peak, sizeof(peak), device);

	status_print_plain(f, prop_string(device, "name", "?"), name_width);
	fputs(name_width > 0 ? "  " : "\n  ", f);
	status_print_plain(f, box, BOX_WIDTH);
	fputs("  ", f);
	status_print_plain(f, prop_string(device, "interface", "-"), interface_width);
	fputs("  ", f);
	status_print_state(device, f, colour, STATE_WIDTH);
	fprintf(f, "%8s %8s %7s\n", latency, dropped, peak);
	status_print_hints(device, f);
	print_runtime(device, f);
}

static void print_daemon(const struct prop_list *daemon, FILE *f)
{
	const char *backend = prop_string(daemon, "backend", "?");
	uint64_t rate_hz = prop_unsigned(daemon, "sample_rate", 0);
	uint64_t period = prop_unsigned(daemon, "period", 0);

	fputs("ethlinkd ", f);
	status_print_plain(f, prop_string(daemon, "version", "?"), 0);
	fputs(": ", f);
	if (!prop_bool(daemon, "connected", false) || rate_hz == 0) {
		fputs("waiting for the sound server (", f);
		status_print_plain(f, backend, 0);
		fputs(")\n", f);
		return;
	}
	status_print_plain(f, backend, 0);
	fprintf(f, ", %" PRIu64 " Hz, period %" PRIu64 " (%.1f ms), %" PRIu64 " xruns\n", rate_hz, period,
		1000.0 * (double)period / (double)rate_hz, prop_unsigned(daemon, "xruns", 0));
}

static void print_devices(const struct status *status, FILE *f, bool colour)
{
	size_t name = strlen("NAME"), interface = strlen("INTERFACE");
	int name_width, interface_width;

	for (unsigned i = 0; i < status->n_devices; i++) {
		name = MAX(name, strlen(prop_string(&status->devices[i], "name", "?")));
		interface = MAX(interface, strlen(prop_string(&status->devices[i], "interface", "-")));
	}
	interface_width = (int)MIN(interface, 32);
	name_width = name + interface + BOX_WIDTH + STATE_WIDTH + REST_WIDTH + GAPS <= WRAP_COLUMNS
			     ? (int)name
			     : 0;
	fprintf(f, "\n%-*s%s%-*s  %-*s  %-*s%8s %8s %7s\n", name_width, "NAME",
		name_width > 0 ? "  " : "\n  ", BOX_WIDTH, "BOX", interface_width, "INTERFACE", STATE_WIDTH,
		"STATE", "LATENCY", "DROPPED", "PEAK dB");
	for (unsigned i = 0; i < status->n_devices; i++) {
		print_device(&status->devices[i], f, colour, name_width, interface_width,
			prop_unsigned(&status->daemon, "sample_rate", 0));
	}
}

void status_print_text(const struct status *status, FILE *f, bool colour)
{
	print_daemon(&status->daemon, f);
	if (status->n_devices + status->n_netvst == 0) {
		fputs("no boxes: add a [device NAME] section to ethlinkd.conf, see ethlinkd.conf(5)\n", f);
		return;
	}
	if (status->n_devices > 0) {
		print_devices(status, f, colour);
	}
	if (status->n_netvst > 0) {
		fputc('\n', f);
		status_print_netvst_text(status, f, colour);
	}
}
