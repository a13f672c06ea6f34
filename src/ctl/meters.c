#include "ctl/meters.h"

#include "ctl/colour.h"
#include "ctl/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define YELLOW_DBFS -6.0

static void print_levels(FILE *f, const char *name, const double dbfs[CLIENT_CHANNELS])
{
	union prop_value values[CLIENT_CHANNELS];
	const struct prop prop = {
		.kind = PROP_DOUBLE, .is_array = true, .n_values = CLIENT_CHANNELS, .values = values};

	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		values[k].d = dbfs[k];
	}
	fprintf(f, ", \"%s\": ", name);
	json_prop(f, &prop, 1);
}

void meters_print_json(const struct client_device *device, FILE *f)
{
	fputs("{\"device\": ", f);
	json_string(f, device->name ? device->name : "");
	print_levels(f, "peak_dbfs", device->peak_dbfs);
	print_levels(f, "hold_dbfs", device->hold_dbfs);
	fputs(", \"clips\": [", f);
	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		fprintf(f, "%s%" PRIu64, k ? ", " : "", device->clips[k]);
	}
	fputs("]}\n", f);
}

void meters_print_header(FILE *f, int name_width)
{
	fprintf(f, "%-*s", name_width, "dBFS");
	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		fprintf(f, "  %5u%s", k + 1, k + 1 < CLIENT_CHANNELS ? " " : "");
	}
	fputc('\n', f);
}

void meters_print_line(const struct client_device *device, FILE *f, int name_width, bool colour)
{
	fprintf(f, "%-*s", name_width, device->name ? device->name : "?");
	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		double dbfs = device->peak_dbfs[k];
		const char *paint = dbfs > 0 ? RED : dbfs > YELLOW_DBFS ? YELLOW : GREEN;
		bool painted = colour && isfinite(dbfs);
		bool clipped = device->clips[k] > 0;
		char level[32] = "-";

		if (isfinite(dbfs)) {
			snprintf(level, sizeof(level), "%.1f", fabs(dbfs) < 0.05 ? 0.0 : dbfs);
		}
		fprintf(f, " %s%6s%s", painted ? paint : "", level, painted ? PLAIN : "");
		if (clipped) {
			fprintf(f, "%s!%s", colour ? RED : "", colour ? PLAIN : "");
		} else if (k + 1 < CLIENT_CHANNELS) {
			fputc(' ', f);
		}
	}
	fputc('\n', f);
}
