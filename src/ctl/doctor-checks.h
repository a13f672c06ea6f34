/*
 * The doctor's opinions: each check looks at the facts and says what it found, and where that is not good, why
 * it matters and what to do. Checks are pure; they see nothing but the facts.
 *
 * Ownership: the caller embeds struct doctor_report and ends it with doctor_report_fini(). One thread.
 */
#ifndef CTL_DOCTOR_CHECKS_H
#define CTL_DOCTOR_CHECKS_H

#include "ctl/doctor-facts.h"

#define DOCTOR_COMMANDS_MAX 4

enum doctor_result {
	DOCTOR_OK,
	DOCTOR_WARNING, /* may be heard, now and then */
	DOCTOR_PROBLEM, /* nothing plays, or it glitches */
	DOCTOR_SKIPPED, /* could not be looked at, or is of no concern here */
	DOCTOR_RESULTS,
};

struct doctor_finding {
	const struct doctor_check *check;
	enum doctor_result result;
	char subject[DOCTOR_NAME_SIZE]; /* the interface or box; empty: the machine */
	char found[DOCTOR_LINE_SIZE];
	char why[DOCTOR_LINE_SIZE];    /* empty where all is well */
	char advice[DOCTOR_LINE_SIZE]; /* what to do, or when the commands below help; may be empty */
	char commands[DOCTOR_COMMANDS_MAX][DOCTOR_LINE_SIZE]; /* for a shell */
	unsigned n_commands;
};

struct doctor_report {
	const struct doctor_check *check; /* that runs */
	struct doctor_finding *findings;
	unsigned n_findings;
	unsigned counts[DOCTOR_RESULTS];
	struct doctor_finding nowhere; /* for a check that goes on without memory */
	int error;
};

struct doctor_check {
	const char *id; /* in JSON: stays */
	const char *group;
	const char *title;
	void (*run)(const struct doctor_facts *facts, struct doctor_report *report);
};

/* The table, in the order of the report; ends with an id of NULL. */
extern const struct doctor_check doctor_checks[];

/* Runs all checks. 0 or -ENOMEM; nothing to end then. */
int doctor_examine(const struct doctor_facts *facts, struct doctor_report *ret_report);
void doctor_report_fini(struct doctor_report *report);

/* "ok", "warning", "problem" or "skipped". */
const char *doctor_result_name(enum doctor_result result);

/* The worst of all. */
enum doctor_result doctor_report_result(const struct doctor_report *report);

/* --- for checks: a finding, then what belongs to it. Never NULL, valid until the next. subject: NULL for the machine. */
struct doctor_finding *doctor_add(struct doctor_report *report, enum doctor_result result,
	const char *subject, const char *format, ...) __attribute__((format(printf, 4, 5)));
void doctor_why(struct doctor_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void doctor_advise(struct doctor_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void doctor_command(struct doctor_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* As one word of a shell: in quotes where it needs them. */
void doctor_shell_word(char *dst, unsigned size, const char *word);

/* Only where cycles come, or came; otherwise false, and the finding says so. */
bool doctor_has_server(const struct doctor_facts *facts, struct doctor_report *report);
/* The command that gives the joined server another period. */
void doctor_command_period(
	struct doctor_finding *finding, const struct doctor_daemon *daemon, uint64_t frames);
/* How a user gets the limits that audio programs need. */
void doctor_command_limits(struct doctor_finding *finding, const struct doctor_process *process);

/* doctor-system.c: rights and limits, kernel and processors */
void doctor_check_raw_socket(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_rtprio_limit(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_rtkit(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_memlock_limit(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_memory_locked(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_preemption(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_rt_throttling(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_cpu_governor(const struct doctor_facts *facts, struct doctor_report *report);

/* doctor-cable.c: interfaces */
void doctor_check_interface(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_interface_kind(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_bandwidth(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_duplex(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_coalescing(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_eee(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_link_errors(const struct doctor_facts *facts, struct doctor_report *report);

/* doctor-server.c: the sound server */
void doctor_check_audio_server(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_pipewire(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_session_manager(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_pipewire_priority(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_pipewire_rates(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_jack_library(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_rate_period(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_realtime_audio(const struct doctor_facts *facts, struct doctor_report *report);

/* doctor-audio.c: daemon, boxes, cycles */
void doctor_check_daemon(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_boxes(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_other_hosts(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_drops(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_xruns(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_cycle_gaps(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_kick_time(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_kick_duration(const struct doctor_facts *facts, struct doctor_report *report);

/* doctor-netvst.c: NetVST sections */
void doctor_check_netvst_connection(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_netvst_round_trip(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_netvst_late(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_netvst_throughput(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_netvst_callback(const struct doctor_facts *facts, struct doctor_report *report);
void doctor_check_netvst_exposed(const struct doctor_facts *facts, struct doctor_report *report);

#endif
