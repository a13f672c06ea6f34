#include "ctl/client-watch.h"
#include "ctl/command.h"
#include "ctl/meters.h"

#include "base/log.h"
#include "base/util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NAME_WIDTH_MIN 8
#define ONCE_TIMEOUT_MS 5000 /* for what comes ten times a second */

const char meters_help[] =
	"Shows the levels of all boxes, or of one, until it is interrupted: on a terminal a line for\n"
	"each box, redrawn in place; else a line for each box and reading, ten times a second. A level\n"
	"is the peak since the last reading in dB of full scale; - is silence, and ! stands behind a\n"
	"channel that was above full scale since the daemon started. If the daemon goes away, it waits\n"
	"until it comes back.\n\n"
	"  --json    one JSON object a line: device, peak_dbfs, hold_dbfs and clips, eight values each\n"
	"  --once    one reading of each box, taken over 100 ms, then the end\n";

struct meters {
	sd_event *event;
	const char *device; /* NULL: all */
	bool json;
	bool once;
	bool terminal;
	bool colour;
	unsigned n_drawn; /* lines that the next drawing replaces */
	unsigned n_seen;  /* signals of the boxes wanted since joined */
	bool was_joined;
};

static bool is_wanted(const struct meters *meters, const struct client_device *device)
{
	return !meters->device || (device->name && strcmp(device->name, meters->device) == 0);
}

static int name_width(const struct meters *meters, const struct client_watch *watch)
{
	size_t width = NAME_WIDTH_MIN;

	for (unsigned i = 0; i < client_watch_n_devices(watch); i++) {
		const struct client_device *device = client_watch_device(watch, i);

		if (is_wanted(meters, device) && device->name) {
			width = MAX(width, strlen(device->name));
		}
	}
	return (int)width;
}

static unsigned n_wanted(const struct meters *meters, const struct client_watch *watch)
{
	unsigned n = 0;

	for (unsigned i = 0; i < client_watch_n_devices(watch); i++) {
		n += is_wanted(meters, client_watch_device(watch, i));
	}
	return n;
}

static void end(struct meters *meters, int status)
{
	(void)sd_event_exit(meters->event, status);
}

/* All boxes that the terminal has lines for, over what stands there. */
static void draw(struct meters *meters, const struct client_watch *watch)
{
	int width = name_width(meters, watch);
	unsigned n = 1, n_max = UINT32_MAX;
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 2) {
		n_max = size.ws_row - 1U;
	}
	if (meters->n_drawn > 0) {
		printf("\033[%uA\033[J", meters->n_drawn);
	}
	meters_print_header(stdout, width);
	for (unsigned i = 0; i < client_watch_n_devices(watch) && n < n_max; i++) {
		const struct client_device *device = client_watch_device(watch, i);

		if (is_wanted(meters, device)) {
			meters_print_line(device, stdout, width, meters->colour);
			n++;
		}
	}
	meters->n_drawn = n;
}

static void print_reading(
	struct meters *meters, const struct client_watch *watch, const struct client_device *device)
{
	if (meters->json) {
		meters_print_json(device, stdout);
	} else {
		meters_print_line(device, stdout, name_width(meters, watch), meters->colour);
	}
}

/* The first signal may cover less than its 100 ms, or more; the second does not. */
static void print_once(struct meters *meters, const struct client_watch *watch)
{
	if (meters->n_seen < 2 * n_wanted(meters, watch)) {
		return;
	}
	if (!meters->json) {
		meters_print_header(stdout, name_width(meters, watch));
	}
	for (unsigned i = 0; i < client_watch_n_devices(watch); i++) {
		if (is_wanted(meters, client_watch_device(watch, i))) {
			print_reading(meters, watch, client_watch_device(watch, i));
		}
	}
	end(meters, EXIT_SUCCESS);
}

static void on_peaks(struct client_watch *watch, const struct client_device *device, void *data)
{
	struct meters *meters = data;

	if (!is_wanted(meters, device)) {
		return;
	}
	meters->n_seen++;
	if (meters->once) {
		print_once(meters, watch);
		return;
	}
	if (meters->terminal) {
		/* The signals of all boxes come together: drawn once, with the last. */
		if (meters->n_seen % n_wanted(meters, watch) == 0) {
			draw(meters, watch);
		}
	} else {
		print_reading(meters, watch, device);
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		end(meters, EXIT_FAILURE);
	}
}

/* Says which boxes there are. */
static void refuse_device(struct meters *meters, const struct client_watch *watch)
{
	char error[CLIENT_ERROR_MAX], *names = NULL;
	size_t len;
	FILE *f = open_memstream(&names, &len);

	for (unsigned i = 0; f && i < client_watch_n_devices(watch); i++) {
		fprintf(f, "%s%s", i ? ", " : "", client_watch_device(watch, i)->name);
	}
	if (f && fclose(f) == 0) {
		client_explain_no_device(meters->device, names, error);
		log_error("%s", error);
	}
	free(names);
	end(meters, EXIT_FAILURE);
}

static void on_joined(struct client_watch *watch, void *data)
{
	struct meters *meters = data;

	if (meters->was_joined) {
		log_info("ethlinkd is there again");
	}
	meters->was_joined = true;
	meters->n_seen = 0;
	meters->n_drawn = 0;
	if (meters->device && n_wanted(meters, watch) == 0) {
		refuse_device(meters, watch);
	} else if (meters->once && n_wanted(meters, watch) == 0) {
		end(meters, EXIT_SUCCESS);
	}
}

/* The boxes may be others: so may be their lines. */
static void on_changed(struct client_watch *watch, void *data)
{
	struct meters *meters = data;

	if (meters->terminal && !meters->once && meters->n_drawn > 0) {
		draw(meters, watch);
	}
}

static void on_lost(struct client_watch *watch, const char *why, void *data)
{
	struct meters *meters = data;

	if (!meters->was_joined || meters->once) {
		char *lines = strdup(why);

		if (lines) {
			command_log_lines(lines);
		}
		free(lines);
		end(meters, EXIT_FAILURE);
		return;
	}
	log_warning("%s; waiting for it", why);
}

static void on_refused(struct client_watch *watch, const char *why, void *data)
{
	log_error("%s", why);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	log_error("ethlinkd sends no levels; it may hang: restart it");
	end(data, EXIT_FAILURE);
	return 0;
}

static int watch_meters(const struct options *options, struct meters *meters)
{
	static const struct client_watch_handler handler = {
		.joined = on_joined,
		.lost = on_lost,
		.changed = on_changed,
		.peaks = on_peaks,
		.refused = on_refused,
	};
	struct client_watch *watch = NULL;
	int r;

	r = sd_event_new(&meters->event);
	if (r >= 0 && meters->once) {
		r = sd_event_add_time_relative(meters->event, NULL, CLOCK_MONOTONIC,
			ONCE_TIMEOUT_MS * 1000ULL, 0, on_timeout, meters);
	}
	r = r < 0 ? r
		  : client_watch_new(meters->event, options->way, options->path, &handler, meters, &watch);
	r = r < 0 ? r : sd_event_loop(meters->event);
	client_watch_free(watch);
	sd_event_unref(meters->event);
	if (r < 0) {
		log_error("meters: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	return command_finish_output() == EXIT_SUCCESS ? r : EXIT_FAILURE;
}

int run_meters(const struct options *options, int argc, char **argv)
{
	struct meters meters = {.terminal = isatty(STDOUT_FILENO), .colour = command_wants_colour()};

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			meters.json = true;
		} else if (strcmp(argv[i], "--once") == 0) {
			meters.once = true;
		} else if (*argv[i] != '-' && !meters.device) {
			meters.device = argv[i];
		} else {
			return command_unknown("meters", argv[i], "--json, --once and the name of one box");
		}
	}
	meters.terminal = meters.terminal && !meters.json;
	return watch_meters(options, &meters);
}
