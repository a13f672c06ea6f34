#include "ctl/command.h"

#include "base/log.h"
#include "ctl/doctor-checks.h"
#include "ctl/doctor-daemon.h"
#include "ctl/doctor-print.h"

#include <stdio.h>
#include <string.h>

const char doctor_help[] =
	"Checks what makes audio glitch on this machine: rights, kernel, processors, network interfaces,\n"
	"sound server, boxes and cycles. Says what it found, why it matters and the command that helps.\n"
	"Changes nothing. Without a running daemon it checks the machine alone.\n"
	"\n"
	"  -v, --verbose    also what could not be checked, and histograms of the cycles\n"
	"      --json       for a program\n"
	"\n"
	"Exit status: 0 without problems, warnings or not; 1 with a problem, as is a daemon that does not\n"
	"run; 2 for a wrong command line.\n";

int run_doctor(const struct options *options, int argc, char **argv)
{
	bool json = false, verbose = false;
	struct doctor_report report;
	struct doctor_facts facts;
	int status;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			json = true;
		} else if (strcmp(argv[i], "-v") == 0 || strcmp(argv[i], "--verbose") == 0) {
			verbose = true;
		} else {
			return command_unknown(argv[0], argv[i], "--json, or -v (--verbose)");
		}
	}
	doctor_facts_init(&facts);
	doctor_daemon_read(&facts, options->way, options->path);
	doctor_facts_read(&facts, "");
	if (doctor_examine(&facts, &report) < 0) {
		log_error("out of memory");
		doctor_facts_fini(&facts);
		return EXIT_FAILURE;
	}
	if (json) {
		doctor_print_json(&facts, &report, stdout);
	} else {
		doctor_print_text(&facts, &report, stdout, verbose, command_wants_colour());
	}
	status = report.counts[DOCTOR_PROBLEM] ? EXIT_FAILURE : EXIT_SUCCESS;
	doctor_report_fini(&report);
	doctor_facts_fini(&facts);
	return command_finish_output() == EXIT_SUCCESS ? status : EXIT_FAILURE;
}
