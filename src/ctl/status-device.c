#include "ctl/status-internal.h"

#include "base/util.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define CHANNELS 8
#define BANKS 2
#define KEY_WIDTH 11

/* The value and where it comes from; what the configuration says where that is something else. */
static void format_origin(char *buf, size_t size, bool runtime, const char *value, const char *config)
{
	if (!runtime) {
		snprintf(buf, size, "%s  config", value);
	} else if (*config && strcmp(value, config) != 0) {
		snprintf(buf, size, "%s  run (config %s)", value, config);
	} else {
		snprintf(buf, size, "%s  run", value);
	}
}

static void format_db(char *buf, size_t size, double db)
{
	if (isnan(db)) {
		snprintf(buf, size, "%s", "");
	} else {
		snprintf(buf, size, db == 0 ? "%.0f" : "%+.0f", db);
	}
}

static void print_channel(const struct prop_list *device, unsigned k, FILE *f)
{
	const char *label = prop_string_at(device, "labels", k, "");
	char db[16], config_db[16], gain[48], mute[48], peak[32];
	bool muted = prop_bool_at(device, "mute", k, false);

	format_db(db, sizeof(db), prop_number_at(device, "gain_db", k, NAN));
	format_db(config_db, sizeof(config_db), prop_number_at(device, "config_gain_db", k, NAN));
	format_origin(gain, sizeof(gain), status_is_runtime(device, "gain_origin", k), db, config_db);
	format_origin(mute, sizeof(mute), status_is_runtime(device, "mute_origin", k), muted ? "on " : "off",
		prop_bool_at(device, "config_mute", k, muted) ? "on " : "off");
	status_format_level(peak, sizeof(peak), prop_number_at(device, "peak_dbfs", k, -INFINITY));

	/* The numbers stand below each other, right-aligned to "-56". */
	fprintf(f, "%7u  %*s%-*s %-22s %7s", k + 1, (int)MAX(3 - (int)strlen(db), 0), "",
		23 - (int)MAX(3 - (int)strlen(db), 0), gain, mute, peak);
	if (*label) {
		fputs("  ", f);
		status_print_plain(f, label, 0);
	}
	fputc('\n', f);
}

static void print_phantom(const struct prop_list *device, FILE *f)
{
	const struct prop *prop = prop_find(device, "phantom");

	for (unsigned i = 0; prop && prop->is_array && i < MIN(prop->n_values, BANKS); i++) {
		fprintf(f, "%-*s %s: %s  %s\n", KEY_WIDTH, i == 0 ? "phantom" : "", i == 0 ? "1-4" : "5-8",
			prop_bool_at(device, "phantom", i, false) ? "on" : "off",
			status_is_runtime(device, "phantom_origin", i) ? "run" : "config");
	}
}

/* What the volume that the desktop shows does, where the daemon says so. */
static void print_volume(const struct prop_list *device, FILE *f)
{
	const char *mode = prop_string(device, "volume", "");
	char db[32];

	if (strcmp(mode, "box") == 0) {
		fprintf(f, "%-*s box: the desktop's volume is the gain above\n", KEY_WIDTH, "volume");
	} else if (strcmp(mode, "ignore") == 0) {
		fprintf(f, "%-*s ignore: the desktop's volume does nothing\n", KEY_WIDTH, "volume");
	} else if (strcmp(mode, "software") == 0) {
		fprintf(f, "%-*s software, dB:", KEY_WIDTH, "volume");
		for (unsigned k = 0; k < CHANNELS; k++) {
			status_format_level(
				db, sizeof(db), prop_number_at(device, "volume_db", k, -INFINITY));
			fprintf(f, " %s", db);
		}
		fputs(prop_bool(device, "volume_mute", false) ? ", muted\n" : "\n", f);
	}
}

static uint64_t count(const struct prop_list *device, const char *name)
{
	return prop_unsigned(device, name, 0);
}

static void print_counters(const struct prop_list *device, FILE *f)
{
	double ppm = prop_number(device, "clock_ppm", NAN);

	fprintf(f, "%-*s %" PRIu64 " frames of 8 samples a channel\n", KEY_WIDTH, "sent",
		count(device, "frames_sent"));
	fprintf(f, "%-*s %" PRIu64 " frames\n", KEY_WIDTH, "received", count(device, "frames_received"));
	fprintf(f, "%-*s %" PRIu64 " frames: %" PRIu64 " ring full, %" PRIu64 " refused by the interface\n",
		KEY_WIDTH, "dropped", count(device, "frames_dropped"), count(device, "dropped_ring_full"),
		count(device, "dropped_interface"));
	fprintf(f, "%-*s %" PRIu64 " to %" PRIu64 " probes, %" PRIu64 " with settings of another host\n",
		KEY_WIDTH, "replies", count(device, "replies"), count(device, "probes"),
		count(device, "replies_foreign"));
	fprintf(f, "%-*s %" PRIu64 ", brought back into step %" PRIu64 " times\n", KEY_WIDTH, "starts",
		count(device, "starts"), count(device, "resyncs"));
	if (isfinite(ppm)) {
		fprintf(f, "%-*s %+.2f ppm\n", KEY_WIDTH, "clock", ppm);
	}
}

static bool has_runtime(const struct prop_list *device)
{
	bool found = false;

	for (unsigned k = 0; k < CHANNELS && !found; k++) {
		found = status_is_runtime(device, "gain_origin", k) ||
			status_is_runtime(device, "mute_origin", k) ||
			status_is_runtime(device, "phantom_origin", k);
	}
	return found;
}

void status_print_device(const struct status *status, unsigned i, FILE *f, bool colour)
{
	const struct prop_list *device = &status->devices[i];
	const char *name = prop_string(device, "name", "?");
	uint64_t rate_hz = prop_unsigned(&status->daemon, "sample_rate", 0);
	char latency[32], min[16], max[16];

	status_print_plain(f, name, 0);
	fputs(": ", f);
	status_print_plain(f, prop_string(device, "model", "?"), 0);
	fprintf(f, " %" PRIu64 ", ", prop_unsigned(device, "serial", 0));
	status_print_plain(f, prop_string(device, "mac", "?"), 0);
	fputs(", on ", f);
	status_print_plain(f, prop_string(device, "interface", "-"), 0);
	fprintf(f, "\n%-*s ", KEY_WIDTH, "state");
	status_print_state(device, f, colour, 0);
	fputc('\n', f);
	status_print_hints(device, f);
	status_format_latency(latency, sizeof(latency), device, rate_hz);
	fprintf(f, "%-*s %s, %" PRIu64 " sample frames\n\n", KEY_WIDTH, "latency", latency,
		prop_unsigned(device, "latency_frames", 0));

	fprintf(f, "CHANNEL  %-23s %-22s %7s  %s\n", "GAIN dB", "MUTE", "PEAK dB", "LABEL");
	for (unsigned k = 0; k < CHANNELS; k++) {
		print_channel(device, k, f);
	}
	fputc('\n', f);
	format_db(min, sizeof(min), prop_number(device, "gain_min_db", NAN));
	format_db(max, sizeof(max), prop_number(device, "gain_max_db", NAN));
	if (*min && *max) {
		fprintf(f, "%-*s %s to %s dB\n", KEY_WIDTH, "gain range", min, max);
	}
	print_phantom(device, f);
	print_volume(device, f);
	print_counters(device, f);
	if (has_runtime(device)) {
		fputs("\nrun: set at run time; it stays until the configuration says another value,\n"
		      "     or until ethlinkctl reset ",
			f);
		status_print_plain(f, name, 0);
		fputc('\n', f);
	}
}
