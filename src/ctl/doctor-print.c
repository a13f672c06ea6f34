#include "ctl/doctor-print.h"

#include "base/util.h"
#include "ctl/colour.h"
#include "ctl/json.h"
#include "ctl/wrap.h"

#include <inttypes.h>
#include <string.h>

#define INDENT 26 /* result and title before what was found */
#define WHY_INDENT 11
#define COMMAND_INDENT 15
#define BAR 32

#define DIM "\033[2m"
#define BOLD "\033[1m"

static const char *const colours[DOCTOR_RESULTS] = {GREEN, YELLOW, RED, DIM};

struct named_histogram {
	const char *key;   /* in JSON */
	const char *title; /* for a person */
	const uint64_t *bins;
	uint64_t max_ns;
};

#define HISTOGRAMS 3

static void list_histograms(const struct doctor_daemon *d, struct named_histogram ret[HISTOGRAMS])
{
	ret[0] = (struct named_histogram){"gaps", "From one cycle to the next", d->gaps, d->gap_max_ns};
	ret[1] = (struct named_histogram){
		"kick_at", "From the start of a cycle until all is sent", d->kick_at, d->kick_at_max_ns};
	ret[2] = (struct named_histogram){"kick_took", "Sending itself", d->kick_took, d->kick_took_max_ns};
}

static uint64_t count_all(const uint64_t bins[HIST_BINS])
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HIST_BINS; i++) {
		n += bins[i];
	}
	return n;
}

/* --- text */

/* Commands are to be copied, so they stay whole; but behind a bar a shell goes on reading in the next line. */
static void print_command(FILE *f, const char *command, bool colour)
{
	const char *bar = strstr(command, " | sudo ");
	const char *bold = colour ? BOLD : "", *plain = colour ? PLAIN : "";

	if (COMMAND_INDENT + strlen(command) > WRAP_COLUMNS && bar) {
		fprintf(f, "%*s%s%.*s |%s\n", COMMAND_INDENT, "", bold, (int)(bar - command), command, plain);
		fprintf(f, "%*s%s%s%s\n", COMMAND_INDENT + 4, "", bold, bar + strlen(" | "), plain);
	} else {
		fprintf(f, "%*s%s%s%s\n", COMMAND_INDENT, "", bold, command, plain);
	}
}

static void print_finding(FILE *f, const struct doctor_finding *finding, bool colour)
{
	char text[DOCTOR_NAME_SIZE + DOCTOR_LINE_SIZE + 2];

	/* The name of a box begins its sentence already. */
	if (finding->subject[0] && strncmp(finding->found, finding->subject, strlen(finding->subject)) != 0) {
		snprintf(text, sizeof(text), "%s: %s", finding->subject, finding->found);
	} else {
		snprintf(text, sizeof(text), "%s", finding->found);
	}
	fprintf(f, "  %s%-7s%s  %-14s ", colour ? colours[finding->result] : "",
		finding->result == DOCTOR_WARNING   ? "WARNING"
		: finding->result == DOCTOR_PROBLEM ? "PROBLEM"
						    : doctor_result_name(finding->result),
		colour ? PLAIN : "", finding->check->title);
	wrap_print(f, text, INDENT, INDENT);
	if (finding->why[0]) {
		fprintf(f, "%*s", WHY_INDENT, "");
		wrap_print(f, finding->why, WHY_INDENT, WHY_INDENT);
	}
	if (finding->advice[0]) {
		fprintf(f, "%*s", WHY_INDENT, "");
		wrap_print(f, finding->advice, WHY_INDENT, WHY_INDENT);
	}
	for (unsigned i = 0; i < finding->n_commands; i++) {
		print_command(f, finding->commands[i], colour);
	}
}

/* Three digits are as much as a bin is worth. */
static void print_time(char *buf, unsigned size, int64_t ns)
{
	if (ns < NSEC_PER_MSEC) {
		snprintf(buf, size, "%.3g us", (double)ns / NSEC_PER_USEC);
	} else {
		snprintf(buf, size, "%.3g ms", (double)ns / NSEC_PER_MSEC);
	}
}

static void print_histogram(FILE *f, const struct named_histogram *h)
{
	uint64_t n = count_all(h->bins), most = 1;
	unsigned first = HIST_BINS, last = 0;
	char from[24], max[24];

	for (unsigned i = 0; i < HIST_BINS; i++) {
		if (h->bins[i]) {
			first = MIN(first, i);
			last = i;
			most = MAX(most, h->bins[i]);
		}
	}
	if (n == 0) {
		return;
	}
	print_time(max, sizeof(max), (int64_t)MIN(h->max_ns, (uint64_t)INT64_MAX));
	fprintf(f, "\n%s: %" PRIu64 " counted, the longest %s\n", h->title, n, max);
	for (unsigned i = first; i <= last; i++) {
		/* Of what is there at all, a little is to be seen. */
		int bar = h->bins[i] ? MAX((int)((double)h->bins[i] / (double)most * BAR), 1) : 0;

		print_time(from, sizeof(from), hist_bin_floor_ns(i));
		fprintf(f, "  from %9s  %.*s%*s %7.3f %%  %" PRIu64 "\n", from, bar,
			"################################", BAR - bar, "",
			100.0 * (double)h->bins[i] / (double)n, h->bins[i]);
	}
}

static void print_summary(FILE *f, const struct doctor_report *report, bool verbose)
{
	const unsigned *n = report->counts;

	fprintf(f, "\n%u problem%s, %u warning%s, %u ok, %u skipped%s\n", n[DOCTOR_PROBLEM],
		n[DOCTOR_PROBLEM] == 1 ? "" : "s", n[DOCTOR_WARNING], n[DOCTOR_WARNING] == 1 ? "" : "s",
		n[DOCTOR_OK], n[DOCTOR_SKIPPED],
		verbose			 ? ""
		: n[DOCTOR_SKIPPED] == 0 ? "; with -v also histograms"
					 : "; with -v also these, and histograms");
}

void doctor_print_text(const struct doctor_facts *facts, const struct doctor_report *report, FILE *f,
	bool verbose, bool colour)
{
	struct named_histogram histograms[HISTOGRAMS];
	const char *group = "";
	bool long_one = false; /* the one before: with an explanation */

	for (unsigned i = 0; i < report->n_findings; i++) {
		const struct doctor_finding *finding = &report->findings[i];

		/* Skipped with something to do about it is worth a line. */
		if (finding->result == DOCTOR_SKIPPED && !verbose && finding->n_commands == 0) {
			continue;
		}
		if (strcmp(finding->check->group, group) != 0) {
			fprintf(f, "%s%s%s%s\n", *group ? "\n" : "", colour ? BOLD : "",
				finding->check->group, colour ? PLAIN : "");
			group = finding->check->group;
		} else if (long_one) {
			fputc('\n', f);
		}
		print_finding(f, finding, colour);
		long_one = finding->why[0] || finding->advice[0] || finding->n_commands > 0;
	}
	if (verbose) {
		list_histograms(&facts->daemon, histograms);
		for (unsigned i = 0; i < HISTOGRAMS; i++) {
			print_histogram(f, &histograms[i]);
		}
	}
	print_summary(f, report, verbose);
}

/* --- JSON */

static void json_member(FILE *f, const char *indent, const char *key, const char *text, const char *end)
{
	fprintf(f, "%s\"%s\": ", indent, key);
	if (text[0]) {
		json_string(f, text);
	} else {
		fputs("null", f);
	}
	fputs(end, f);
}

static void json_finding(FILE *f, const struct doctor_finding *finding)
{
	fputs("    {\n", f);
	json_member(f, "      ", "id", finding->check->id, ",\n");
	json_member(f, "      ", "subject", finding->subject, ",\n");
	json_member(f, "      ", "result", doctor_result_name(finding->result), ",\n");
	json_member(f, "      ", "found", finding->found, ",\n");
	json_member(f, "      ", "why", finding->why, ",\n");
	json_member(f, "      ", "advice", finding->advice, ",\n");
	fputs("      \"commands\": [", f);
	for (unsigned i = 0; i < finding->n_commands; i++) {
		fputs(i ? ", " : "", f);
		json_string(f, finding->commands[i]);
	}
	fputs("]\n    }", f);
}

static void json_histogram(FILE *f, const struct named_histogram *h)
{
	const char *comma = "";

	fprintf(f,
		"    \"%s\": {\"count\": %" PRIu64 ", \"p50_ns\": %" PRId64 ", \"p99_ns\": %" PRId64
		", \"max_ns\": %" PRIu64 ",\n      \"bins\": [",
		h->key, count_all(h->bins), hist_quantile_ns(h->bins, 0.5), hist_quantile_ns(h->bins, 0.99),
		h->max_ns);
	for (unsigned i = 0; i < HIST_BINS; i++) {
		if (h->bins[i]) {
			fprintf(f, "%s{\"from_ns\": %" PRId64 ", \"count\": %" PRIu64 "}", comma,
				hist_bin_floor_ns(i), h->bins[i]);
			comma = ", ";
		}
	}
	fputs("]}", f);
}

static void json_histograms(FILE *f, const struct doctor_daemon *d)
{
	struct named_histogram histograms[HISTOGRAMS];

	if (!d->has_telemetry) {
		fputs("  \"histograms\": null\n", f);
		return;
	}
	list_histograms(d, histograms);
	fputs("  \"histograms\": {\n", f);
	for (unsigned i = 0; i < HISTOGRAMS; i++) {
		json_histogram(f, &histograms[i]);
		fputs(i + 1 < HISTOGRAMS ? ",\n" : "\n", f);
	}
	fputs("  }\n", f);
}

void doctor_print_json(const struct doctor_facts *facts, const struct doctor_report *report, FILE *f)
{
	const struct doctor_daemon *d = &facts->daemon;

	fputs("{\n", f);
	json_member(f, "  ", "result", doctor_result_name(doctor_report_result(report)), ",\n");
	json_member(f, "  ", "version", d->version, ",\n");
	fprintf(f, "  \"sample_rate\": %" PRIu64 ",\n  \"period\": %" PRIu64 ",\n", d->sample_rate,
		d->period);
	fputs("  \"counts\": {", f);
	for (unsigned i = 0; i < DOCTOR_RESULTS; i++) {
		fprintf(f, "%s\"%s\": %u", i ? ", " : "", doctor_result_name(i), report->counts[i]);
	}
	fputs("},\n  \"checks\": [\n", f);
	for (unsigned i = 0; i < report->n_findings; i++) {
		json_finding(f, &report->findings[i]);
		fputs(i + 1 < report->n_findings ? ",\n" : "\n", f);
	}
	fputs("  ],\n", f);
	json_histograms(f, d);
	fputs("}\n", f);
}
