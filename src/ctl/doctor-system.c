#include "ctl/doctor-checks.h"

#include "base/util.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Left to everybody else in each second by a kernel that is as it comes. */
#define RT_RUNTIME_LEAST_PERCENT 90

#define HOLDS "This holds until the machine is restarted."

/* Whose limits these are, in a sentence. */
static const char *of_whom(const struct doctor_process *p)
{
	return p->is_daemon ? "ethlinkd" : "a program started from this login";
}

static bool limits_allow_priority(const struct doctor_process *p)
{
	return p->rtprio_limit > 0 || p->nice == 1;
}

void doctor_check_raw_socket(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_process *p = &facts->process;
	const char *program = p->program[0] ? p->program : "/usr/sbin/ethlinkd";
	char word[DOCTOR_LINE_SIZE];
	struct doctor_finding *f;

	if (p->is_daemon && p->net_raw == 1) {
		doctor_add(report, DOCTOR_OK, NULL, "ethlinkd may send raw Ethernet frames (CAP_NET_RAW)");
	} else if (p->is_daemon && facts->n_devices == 0 && facts->n_netvst > 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "not needed: no box is configured, NetVST only");
	} else if (p->is_daemon && p->net_raw == 0) {
		doctor_shell_word(word, sizeof(word), program);
		f = doctor_add(report, DOCTOR_PROBLEM, NULL,
			"ethlinkd may not send raw Ethernet frames (CAP_NET_RAW)");
		doctor_why(f, "Boxes understand nothing else: none of them plays.");
		doctor_advise(f, "The system service has the right; started by hand, the program needs it. "
				 "Restart ethlinkd then.");
		doctor_command(f, "sudo setcap cap_net_raw+ep %s", word);
	} else if (!p->is_daemon && p->file_capability == 1) {
		doctor_add(report, DOCTOR_OK, NULL, "%s may send raw Ethernet frames, whoever starts it",
			program);
	} else if (!p->is_daemon && p->file_capability == 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL,
			"%s has no capability of its own; the system service needs none", program);
	} else {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "it cannot be seen what ethlinkd may do");
	}
}

/* What Debian's JACK installs, and a member for it. */
void doctor_command_limits(struct doctor_finding *f, const struct doctor_process *p)
{
	doctor_advise(f, "After these commands log out and in again (or restart the machine), so that sound "
			 "server and ethlinkd start with the new limits.");
	doctor_command(f, "printf '@audio - rtprio 95\\n@audio - memlock unlimited\\n' | "
			  "sudo tee /etc/security/limits.d/audio.conf");
	doctor_command(f, "sudo usermod -aG audio %s",
		p->user[0] && strcmp(p->user, "root") != 0 ? p->user : "\"$USER\"");
}

void doctor_check_rtprio_limit(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_process *p = &facts->process;
	struct doctor_finding *f;

	if (p->nice == 1) {
		doctor_add(report, DOCTOR_OK, NULL, "%s may take any realtime priority", of_whom(p));
	} else if (p->rtprio_limit == DOCTOR_UNKNOWN) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "the limit of %s cannot be read", of_whom(p));
	} else if (p->rtprio_limit > 0) {
		doctor_add(report, DOCTOR_OK, NULL, "%s may take realtime priorities up to %" PRId64,
			of_whom(p), MIN(p->rtprio_limit, 99));
	} else {
		/* It may have got the priority from somebody else (PipeWire asks rtkit). */
		f = doctor_add(report,
			facts->daemon.rt_priority > 0 || !p->is_daemon ? DOCTOR_WARNING : DOCTOR_PROBLEM,
			NULL, "%s may not take a realtime priority (rtprio limit 0)", of_whom(p));
		doctor_why(f, "Audio then waits for other programs, and every such wait may be a gap.");
		doctor_command_limits(f, p);
	}
}

void doctor_check_rtkit(const struct doctor_facts *facts, struct doctor_report *report)
{
	struct doctor_finding *f;

	if (limits_allow_priority(&facts->process)) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "not needed: the limits allow realtime priorities");
	} else if (facts->system.rtkit) {
		doctor_add(report, DOCTOR_OK, NULL, "rtkit runs; PipeWire gets realtime priorities from it");
	} else {
		f = doctor_add(
			report, DOCTOR_WARNING, NULL, "rtkit does not run, and the limits do not help");
		doctor_why(f, "PipeWire can get a realtime priority from rtkit where the limits allow none; "
			      "JACK itself cannot, and needs the limits.");
		doctor_command(f, "sudo apt-get install rtkit");
	}
}

static void print_bytes(char *buf, unsigned size, int64_t bytes)
{
	if (bytes >= 1 << 20) {
		snprintf(buf, size, "%.4g MiB", (double)bytes / (1 << 20));
	} else {
		snprintf(buf, size, "%" PRId64 " KiB", bytes / 1024);
	}
}

void doctor_check_memlock_limit(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_process *p = &facts->process;
	struct doctor_finding *f;
	char bytes[32];

	if (p->memlock_limit == DOCTOR_UNKNOWN) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "the limit of %s cannot be read", of_whom(p));
	} else if (p->memlock_limit == DOCTOR_UNLIMITED) {
		doctor_add(report, DOCTOR_OK, NULL, "%s may lock all its memory", of_whom(p));
	} else {
		print_bytes(bytes, sizeof(bytes), p->memlock_limit);
		f = doctor_add(
			report, DOCTOR_WARNING, NULL, "%s may lock %s of memory only", of_whom(p), bytes);
		doctor_why(f, "Memory that is not locked may be swapped out, and getting it back takes "
			      "milliseconds: a gap. ethlinkd locks its memory where the limit is unlimited.");
		if (p->rtprio_limit > 0 || p->nice == 1) {
			doctor_command_limits(f, p);
		} else {
			doctor_advise(f, "The commands below \"priority limit\" set this right, too.");
		}
	}
}

void doctor_check_memory_locked(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_process *p = &facts->process;
	int locked = facts->daemon.locked_memory;
	struct doctor_finding *f;

	if (locked == DOCTOR_UNKNOWN && p->is_daemon && p->locked_kib >= 0) {
		locked = p->locked_kib > 0;
	}
	if (!p->is_daemon || locked == DOCTOR_UNKNOWN) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "ethlinkd does not run, or does not say");
	} else if (locked) {
		doctor_add(report, DOCTOR_OK, NULL, "ethlinkd has locked its memory");
	} else {
		f = doctor_add(report, DOCTOR_WARNING, NULL, "ethlinkd has not locked its memory");
		doctor_why(f, "When memory gets short, what it needs may be swapped out: a gap.");
		doctor_advise(f, p->memlock_limit == DOCTOR_UNLIMITED
					 ? "Its limit allows it now; restart ethlinkd."
					 : "Raise the limit (see \"memory limit\"), and restart ethlinkd.");
	}
}

static const char *debian_machine(const char *machine)
{
	return strcmp(machine, "aarch64") == 0	 ? "arm64"
	       : strncmp(machine, "arm", 3) == 0 ? "armmp"
						 : "amd64";
}

static void advise_preemption(struct doctor_finding *f, const struct doctor_system *s)
{
	doctor_why(f, "While the kernel works for another program, audio waits until it is done: up to "
		      "some milliseconds. Short periods and small latencies suffer first.");
	if (s->preemption_dynamic) {
		doctor_advise(f, "Have it interrupted at any time; the second command restarts the machine.");
		doctor_command(f,
			"echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX preempt=full threadirqs\"' | "
			"sudo tee /etc/default/grub.d/audio.cfg");
		doctor_command(f, "sudo update-grub && sudo reboot");
	} else {
		doctor_advise(f, "Install the realtime kernel, and restart the machine with it.");
		doctor_command(f, "sudo apt-get install linux-image-rt-%s", debian_machine(s->machine));
	}
}

void doctor_check_preemption(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_system *s = &facts->system;
	struct doctor_finding *f;

	switch (s->preemption) {
	case DOCTOR_PREEMPTION_RT:
		doctor_add(report, DOCTOR_OK, NULL, "realtime kernel (PREEMPT_RT), Linux %s", s->release);
		break;
	case DOCTOR_PREEMPTION_FULL:
		doctor_add(report, DOCTOR_OK, NULL, "fully preemptible kernel%s, Linux %s",
			s->threadirqs ? " with threaded interrupts" : "", s->release);
		break;
	case DOCTOR_PREEMPTION_DYNAMIC:
		f = doctor_add(report, DOCTOR_SKIPPED, NULL,
			"chosen when the machine starts (PREEMPT_DYNAMIC); which one is in use cannot be "
			"read");
		doctor_advise(f, "Root may see it; the word in brackets should be (full):");
		doctor_command(f, "sudo cat /sys/kernel/debug/sched/preempt");
		break;
	case DOCTOR_PREEMPTION_LAZY:
	case DOCTOR_PREEMPTION_VOLUNTARY:
	case DOCTOR_PREEMPTION_NONE:
		f = doctor_add(report, DOCTOR_WARNING, NULL, "the kernel is interrupted at few places (%s)",
			s->preemption == DOCTOR_PREEMPTION_LAZY	  ? "preempt=lazy"
			: s->preemption == DOCTOR_PREEMPTION_NONE ? "preempt=none"
								  : "preempt=voluntary");
		advise_preemption(f, s);
		break;
	case DOCTOR_PREEMPTION_FIXED:
		f = doctor_add(report, DOCTOR_WARNING, NULL,
			"the kernel is built to be interrupted at few places (no PREEMPT), Linux %s",
			s->release);
		advise_preemption(f, s);
		break;
	case DOCTOR_PREEMPTION_UNKNOWN:
		doctor_add(report, DOCTOR_SKIPPED, NULL, "/proc/version does not say");
	}
}

void doctor_check_rt_throttling(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_system *s = &facts->system;
	struct doctor_finding *f;
	double percent;

	if (s->rt_runtime_us == DOCTOR_UNLIMITED) {
		doctor_add(report, DOCTOR_OK, NULL, "realtime threads are never held back");
		return;
	}
	if (s->rt_runtime_us == DOCTOR_UNKNOWN || s->rt_period_us == DOCTOR_UNKNOWN) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "/proc/sys/kernel/sched_rt_runtime_us does not say");
		return;
	}
	percent = 100.0 * (double)s->rt_runtime_us / (double)s->rt_period_us;
	if (percent >= RT_RUNTIME_LEAST_PERCENT) {
		doctor_add(report, DOCTOR_OK, NULL, "realtime threads may use %.0f %% of the time", percent);
		return;
	}
	f = doctor_add(report, s->rt_runtime_us == 0 ? DOCTOR_PROBLEM : DOCTOR_WARNING, NULL,
		"realtime threads may use %.0f %% of the time only", percent);
	doctor_why(f, "When that is used up, the kernel stops all audio threads for the rest of each %.4g s.",
		(double)s->rt_period_us / 1e6);
	doctor_advise(f, "These are the usual values, now and after a restart.");
	doctor_command(f, "printf 'kernel.sched_rt_period_us = 1000000\\nkernel.sched_rt_runtime_us = "
			  "950000\\n' | sudo tee /etc/sysctl.d/90-audio.conf");
	doctor_command(f, "sudo sysctl --load=/etc/sysctl.d/90-audio.conf");
}

void doctor_check_cpu_governor(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_system *s = &facts->system;
	char others[DOCTOR_LINE_SIZE] = "";
	unsigned n_cpus = 0, n_others = 0;
	struct doctor_finding *f;
	size_t len = 0;

	for (unsigned i = 0; i < s->n_governors; i++) {
		const struct doctor_governor *g = &s->governors[i];

		n_cpus += g->n_cpus;
		if (strcmp(g->name, "performance") != 0) {
			n_others += g->n_cpus;
			len += (size_t)snprintf(
				others + len, sizeof(others) - len, "%s%s", len ? ", " : "", g->name);
		}
	}
	if (n_cpus == 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL,
			"this kernel does not set the processors' speed (a virtual machine?)");
	} else if (n_others == 0) {
		doctor_add(report, DOCTOR_OK, NULL, "all %u CPUs run at full speed (performance)", n_cpus);
	} else {
		f = doctor_add(report, DOCTOR_WARNING, NULL, "%u of %u CPUs may slow down to save power (%s)",
			n_others, n_cpus, others);
		doctor_why(f, "A CPU that was slowed down between two cycles needs longer for the next one, "
			      "and now and then too long.");
		doctor_advise(f, HOLDS);
		if (!s->has_cpupower) {
			doctor_command(f, "sudo apt-get install linux-cpupower");
		}
		doctor_command(f, "sudo cpupower frequency-set --governor performance");
	}
}
