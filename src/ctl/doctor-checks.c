#include "ctl/doctor-checks.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIGHTS "Program and rights"
#define MACHINE "Kernel and processors"
#define NETWORK "Network"
#define BOXES "Sound server and boxes"
#define CYCLES "Cycles"
#define NETVST "NetVST"

const struct doctor_check doctor_checks[] = {
	{"daemon", RIGHTS, "ethlinkd", doctor_check_daemon},
	{"raw-socket", RIGHTS, "raw frames", doctor_check_raw_socket},
	{"rtprio-limit", RIGHTS, "priority limit", doctor_check_rtprio_limit},
	{"rtkit", RIGHTS, "rtkit", doctor_check_rtkit},
	{"memlock-limit", RIGHTS, "memory limit", doctor_check_memlock_limit},
	{"memory-locked", RIGHTS, "memory locked", doctor_check_memory_locked},
	{"preemption", MACHINE, "preemption", doctor_check_preemption},
	{"rt-throttling", MACHINE, "throttling", doctor_check_rt_throttling},
	{"cpu-governor", MACHINE, "CPU governor", doctor_check_cpu_governor},
	{"interface", NETWORK, "link", doctor_check_interface},
	{"interface-kind", NETWORK, "kind", doctor_check_interface_kind},
	{"bandwidth", NETWORK, "bandwidth", doctor_check_bandwidth},
	{"duplex", NETWORK, "duplex", doctor_check_duplex},
	{"coalescing", NETWORK, "coalescing", doctor_check_coalescing},
	{"eee", NETWORK, "energy saving", doctor_check_eee},
	{"link-errors", NETWORK, "link errors", doctor_check_link_errors},
	{"audio-server", BOXES, "sound server", doctor_check_audio_server},
	{"pipewire", BOXES, "PipeWire", doctor_check_pipewire},
	{"session-manager", BOXES, "WirePlumber", doctor_check_session_manager},
	{"pipewire-priority", BOXES, "its priority", doctor_check_pipewire_priority},
	{"pipewire-rates", BOXES, "its rates", doctor_check_pipewire_rates},
	{"jack-library", BOXES, "JACK library", doctor_check_jack_library},
	{"rate-period", BOXES, "rate, period", doctor_check_rate_period},
	{"boxes", BOXES, "boxes", doctor_check_boxes},
	{"other-hosts", BOXES, "other hosts", doctor_check_other_hosts},
	{"drops", BOXES, "dropped frames", doctor_check_drops},
	{"realtime-audio", CYCLES, "audio priority", doctor_check_realtime_audio},
	{"xruns", CYCLES, "xruns", doctor_check_xruns},
	{"cycle-gaps", CYCLES, "regularity", doctor_check_cycle_gaps},
	{"kick-time", CYCLES, "start to sent", doctor_check_kick_time},
	{"kick-duration", CYCLES, "sending", doctor_check_kick_duration},
	{"netvst-connection", NETVST, "connection", doctor_check_netvst_connection},
	{"netvst-round-trip", NETVST, "round trip", doctor_check_netvst_round_trip},
	{"netvst-late", NETVST, "late blocks", doctor_check_netvst_late},
	{"netvst-throughput", NETVST, "throughput", doctor_check_netvst_throughput},
	{"netvst-callback", NETVST, "callback", doctor_check_netvst_callback},
	{"netvst-exposed", NETVST, "exposed", doctor_check_netvst_exposed},
	{NULL},
};

static const char *const result_names[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_WARNING] = "warning",
	[DOCTOR_PROBLEM] = "problem",
	[DOCTOR_SKIPPED] = "skipped",
};

const char *doctor_result_name(enum doctor_result result)
{
	return result_names[result];
}

int doctor_examine(const struct doctor_facts *facts, struct doctor_report *ret_report)
{
	*ret_report = (struct doctor_report){0};
	for (const struct doctor_check *check = doctor_checks; check->id; check++) {
		ret_report->check = check;
		check->run(facts, ret_report);
	}
	if (ret_report->error < 0) {
		doctor_report_fini(ret_report);
		return ret_report->error;
	}
	return 0;
}

void doctor_report_fini(struct doctor_report *report)
{
	free(report->findings);
	report->findings = NULL;
	report->n_findings = 0;
}

enum doctor_result doctor_report_result(const struct doctor_report *report)
{
	return report->counts[DOCTOR_PROBLEM]	? DOCTOR_PROBLEM
	       : report->counts[DOCTOR_WARNING] ? DOCTOR_WARNING
						: DOCTOR_OK;
}

/* --- findings */

static struct doctor_finding *new_finding(struct doctor_report *report)
{
	struct doctor_finding *findings =
		reallocarray(report->findings, report->n_findings + 1, sizeof(*findings));

	if (!findings) {
		report->error = -ENOMEM;
		return &report->nowhere;
	}
	report->findings = findings;
	return &findings[report->n_findings++];
}

struct doctor_finding *doctor_add(
	struct doctor_report *report, enum doctor_result result, const char *subject, const char *format, ...)
{
	struct doctor_finding *finding = new_finding(report);
	va_list args;

	*finding = (struct doctor_finding){.check = report->check, .result = result};
	report->counts[result]++;
	if (subject) {
		doctor_copy_text(finding->subject, sizeof(finding->subject), subject);
	}
	va_start(args, format);
	vsnprintf(finding->found, sizeof(finding->found), format, args);
	va_end(args);
	return finding;
}

void doctor_why(struct doctor_finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->why, sizeof(finding->why), format, args);
	va_end(args);
}

void doctor_advise(struct doctor_finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->advice, sizeof(finding->advice), format, args);
	va_end(args);
}

void doctor_command(struct doctor_finding *finding, const char *format, ...)
{
	va_list args;

	if (finding->n_commands == DOCTOR_COMMANDS_MAX) {
		return;
	}
	va_start(args, format);
	vsnprintf(finding->commands[finding->n_commands++], DOCTOR_LINE_SIZE, format, args);
	va_end(args);
}

void doctor_shell_word(char *dst, unsigned size, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:@/+,%";
	unsigned len = 0;

	if (*word && !word[strspn(word, plain)]) {
		snprintf(dst, size, "%s", word);
		return;
	}
	/* Each character may become four, and two quotes and the end are to fit. */
	dst[len++] = '\'';
	for (; *word && len + 6 < size; word++) {
		if (*word == '\'') {
			len += (unsigned)snprintf(dst + len, size - len, "'\\''");
		} else {
			dst[len++] = *word;
		}
	}
	dst[len++] = '\'';
	dst[len] = '\0';
}
