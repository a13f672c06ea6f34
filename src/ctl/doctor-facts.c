#include "ctl/doctor-facts.h"

#include "base/util.h"
#include "ctl/doctor-net.h"
#include "ctl/doctor-pipewire.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TEXT_SIZE 8192
/* Nothing that is counted here comes near this; and sums of such numbers have room. */
#define NUMBER_MOST 1000000000000000
#define SCHED_POLICY_FIFO 1
#define SCHED_POLICY_RR 2

__attribute__((format(printf, 4, 0))) static int read_text(
	char *buf, unsigned size, const char *root, const char *format, va_list args)
{
	char path[PATH_MAX];
	unsigned len = 0;
	ssize_t n = 0;
	int fd, m;

	buf[0] = '\0';
	m = snprintf(path, sizeof(path), "%s", root);
	if (m < 0 || m >= (int)sizeof(path) ||
		vsnprintf(path + m, sizeof(path) - (size_t)m, format, args) >= (int)sizeof(path) - m) {
		return -ENAMETOOLONG;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		return -errno;
	}
	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0) {
		len += (unsigned)n;
	}
	m = errno;
	close(fd);
	buf[len] = '\0';
	return n < 0 && len == 0 ? -m : (int)len;
}

int doctor_read_text(char *buf, unsigned size, const char *root, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = read_text(buf, size, root, format, args);
	va_end(args);
	return r;
}

/* All of text is one number, but for white space around it. */
static int64_t parse_number(const char *text, int64_t min)
{
	char *end;
	int64_t value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || errno != 0) {
		return DOCTOR_UNKNOWN;
	}
	while (isspace((unsigned char)*end)) {
		end++;
	}
	return *end == '\0' && value >= min ? value : DOCTOR_UNKNOWN;
}

int64_t doctor_read_number(int64_t min, const char *root, const char *format, ...)
{
	char text[64];
	int64_t value;
	va_list args;
	int r;

	va_start(args, format);
	r = read_text(text, sizeof(text), root, format, args);
	va_end(args);
	value = r > 0 ? parse_number(text, min) : DOCTOR_UNKNOWN;
	return value <= NUMBER_MOST ? value : DOCTOR_UNKNOWN;
}

void doctor_copy_text(char *dst, unsigned size, const char *src)
{
	unsigned i;

	for (i = 0; i + 1 < size && src[i] && src[i] != '\n'; i++) {
		dst[i] = src[i] >= ' ' && src[i] <= '~' ? src[i] : '?';
	}
	dst[i] = '\0';
}

/* The word is there, with nothing but white space around it. */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *s = strstr(text, word); s; s = strstr(s + 1, word)) {
		if ((s == text || isspace((unsigned char)s[-1])) &&
			(s[len] == '\0' || isspace((unsigned char)s[len]))) {
			return true;
		}
	}
	return false;
}

/* --- the system */

/* What a kernel that can choose has chosen: root may look, and otherwise the boot may have said so. */
static enum doctor_preemption read_dynamic(const char *root, const char *cmdline)
{
	static const struct {
		const char *marked, *parameter;
		enum doctor_preemption preemption;
	} modes[] = {
		{"(full)", "preempt=full", DOCTOR_PREEMPTION_FULL},
		{"(lazy)", "preempt=lazy", DOCTOR_PREEMPTION_LAZY},
		{"(voluntary)", "preempt=voluntary", DOCTOR_PREEMPTION_VOLUNTARY},
		{"(none)", "preempt=none", DOCTOR_PREEMPTION_NONE},
	};
	char text[128];

	if (doctor_read_text(text, sizeof(text), root, "/sys/kernel/debug/sched/preempt") > 0) {
		for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
			if (has_word(text, modes[i].marked)) {
				return modes[i].preemption;
			}
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (has_word(cmdline, modes[i].parameter)) {
			return modes[i].preemption;
		}
	}
	return DOCTOR_PREEMPTION_DYNAMIC;
}

static void read_kernel(struct doctor_system *s, const char *root)
{
	char version[1024], cmdline[4096];
	struct utsname name;

	if (uname(&name) == 0) {
		doctor_copy_text(s->machine, sizeof(s->machine), name.machine);
	}
	(void)doctor_read_text(cmdline, sizeof(cmdline), root, "/proc/cmdline");
	s->threadirqs = has_word(cmdline, "threadirqs");
	if (doctor_read_text(version, sizeof(version), root, "/proc/version") <= 0 ||
		sscanf(version, "Linux version %63s", s->release) != 1) {
		s->release[0] = '\0';
		return;
	}
	doctor_copy_text(s->release, sizeof(s->release), s->release);
	if (doctor_read_number(0, root, "/sys/kernel/realtime") == 1 || has_word(version, "PREEMPT_RT")) {
		s->preemption = DOCTOR_PREEMPTION_RT;
	} else if (has_word(version, "PREEMPT_DYNAMIC")) {
		s->preemption_dynamic = true;
		s->preemption = read_dynamic(root, cmdline);
	} else {
		s->preemption =
			has_word(version, "PREEMPT") ? DOCTOR_PREEMPTION_FULL : DOCTOR_PREEMPTION_FIXED;
	}
}

static void add_governor(struct doctor_system *s, const char *name)
{
	unsigned i = 0;

	if (!islower((unsigned char)name[0]) ||
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-")]) {
		return;
	}
	while (i < s->n_governors && strcmp(s->governors[i].name, name) != 0) {
		i++;
	}
	if (i == DOCTOR_GOVERNORS_MAX) {
		return;
	}
	if (i == s->n_governors) {
		doctor_copy_text(s->governors[i].name, sizeof(s->governors[i].name), name);
		s->governors[i].n_cpus = 0;
		s->n_governors++;
	}
	s->governors[i].n_cpus++;
}

DIR *doctor_open_folder(const char *root, const char *path)
{
	char full[PATH_MAX];

	return snprintf(full, sizeof(full), "%s%s", root, path) < (int)sizeof(full) ? opendir(full) : NULL;
}

static void read_governors(struct doctor_system *s, const char *root)
{
	DIR *dir = doctor_open_folder(root, "/sys/devices/system/cpu");
	const struct dirent *entry;
	char text[DOCTOR_NAME_SIZE], governor[DOCTOR_NAME_SIZE];

	while (dir && (entry = readdir(dir))) {
		const char *number = entry->d_name + strlen("cpu");

		if (strncmp(entry->d_name, "cpu", strlen("cpu")) != 0 || !*number ||
			number[strspn(number, "0123456789")]) {
			continue;
		}
		if (doctor_read_text(text, sizeof(text), root,
			    "/sys/devices/system/cpu/%s/cpufreq/scaling_governor", entry->d_name) > 0) {
			doctor_copy_text(governor, sizeof(governor), text);
			add_governor(s, governor);
		}
	}
	if (dir) {
		closedir(dir);
	}
}

static bool is_running(const char *root, const char *comm)
{
	DIR *dir = doctor_open_folder(root, "/proc");
	const struct dirent *entry;
	bool found = false;
	char text[64];

	while (dir && !found && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
			doctor_read_text(text, sizeof(text), root, "/proc/%s/comm", entry->d_name) <= 0) {
			continue;
		}
		text[strcspn(text, "\n")] = '\0';
		found = strcmp(text, comm) == 0;
	}
	if (dir) {
		closedir(dir);
	}
	return found;
}

static bool is_installed(const char *root, const char *name)
{
	static const char *const folders[] = {"/usr/sbin", "/usr/bin", "/sbin", "/usr/local/sbin"};
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		if (snprintf(path, sizeof(path), "%s%s/%s", root, folders[i], name) < (int)sizeof(path) &&
			access(path, F_OK) == 0) {
			return true;
		}
	}
	return false;
}

static void read_throttling(struct doctor_system *s, const char *root)
{
	char text[64];

	s->rt_period_us = doctor_read_number(1, root, "/proc/sys/kernel/sched_rt_period_us");
	s->rt_runtime_us = doctor_read_number(0, root, "/proc/sys/kernel/sched_rt_runtime_us");
	/* Here -1 has a meaning. */
	if (doctor_read_text(text, sizeof(text), root, "/proc/sys/kernel/sched_rt_runtime_us") > 0 &&
		strcmp(text, "-1\n") == 0) {
		s->rt_runtime_us = DOCTOR_UNLIMITED;
	}
}

/* --- the process */

/* The soft limit in the line that begins with title. */
static int64_t parse_limit(const char *limits, const char *title)
{
	const char *line = strstr(limits, title);
	char soft[32];

	if (!line || sscanf(line + strlen(title), "%31s", soft) != 1) {
		return DOCTOR_UNKNOWN;
	}
	return strcmp(soft, "unlimited") == 0 ? DOCTOR_UNLIMITED : parse_number(soft, 0);
}

static void read_status(struct doctor_process *p, const char *root)
{
	char text[TEXT_SIZE];
	const char *line;
	const struct passwd *user;
	unsigned long long capabilities;
	long long kib;
	unsigned uid;

	if (doctor_read_text(text, sizeof(text), root, "/proc/%lld/status", (long long)p->pid) <= 0) {
		return;
	}
	line = strstr(text, "\nCapEff:");
	if (line && sscanf(line, "\nCapEff: %llx", &capabilities) == 1) {
		p->readable = true;
		p->net_raw = (capabilities >> CAP_NET_RAW & 1) != 0;
		p->nice = (capabilities >> CAP_SYS_NICE & 1) != 0;
	}
	line = strstr(text, "\nVmLck:");
	if (line && sscanf(line, "\nVmLck: %lld kB", &kib) == 1 && kib >= 0) {
		p->locked_kib = kib;
	}
	line = strstr(text, "\nUid:");
	if (line && sscanf(line, "\nUid: %u", &uid) == 1) {
		p->uid = uid;
		user = getpwuid(uid);
		doctor_copy_text(p->user, sizeof(p->user), user ? user->pw_name : "");
	}
}

/* Scheduling is in fields 40 and 41; what is in brackets may have blanks and brackets in it. */
static bool parse_scheduling(const char *stat, long long *ret_priority, long long *ret_policy)
{
	const char *s = strrchr(stat, ')');

	for (unsigned field = 2; s && field < 40; field++) {
		s = strchr(s + 1, ' ');
	}
	return s && sscanf(s, " %lld %lld", ret_priority, ret_policy) == 2;
}

void doctor_read_threads(
	const char *root, int64_t pid, int64_t *ret_n, int64_t *ret_n_realtime, int64_t *ret_max_priority)
{
	char path[64], stat[1024];
	long long priority, policy;
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%lld/task", (long long)pid);
	dir = doctor_open_folder(root, path);
	if (!dir) {
		return;
	}
	*ret_n = *ret_n_realtime = *ret_max_priority = 0;
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
			doctor_read_text(stat, sizeof(stat), root, "%s/%s/stat", path, entry->d_name) <= 0 ||
			!parse_scheduling(stat, &priority, &policy)) {
			continue;
		}
		(*ret_n)++;
		if (policy == SCHED_POLICY_FIFO || policy == SCHED_POLICY_RR) {
			(*ret_n_realtime)++;
			*ret_max_priority = MAX(*ret_max_priority, priority);
		}
	}
	closedir(dir);
}

static int has_file_capability(const char *path)
{
	struct vfs_ns_cap_data data; /* the longest revision: all begin alike */
	ssize_t n = getxattr(path, "security.capability", &data, sizeof(data));

	if (n < 0) {
		return errno == ENODATA ? 0 : DOCTOR_UNKNOWN;
	}
	if (n < (ssize_t)(sizeof(data.magic_etc) + sizeof(data.data[0]))) {
		return DOCTOR_UNKNOWN;
	}
	return (le32toh(data.magic_etc) & VFS_CAP_FLAGS_EFFECTIVE) &&
	       (le32toh(data.data[0].permitted) >> CAP_NET_RAW & 1);
}

static void find_program(struct doctor_process *p, const char *root)
{
	static const char *const folders[] = {"/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"};
	char path[PATH_MAX], target[DOCTOR_LINE_SIZE];
	ssize_t n = -1;

	if (p->is_daemon && snprintf(path, sizeof(path), "%s/proc/%lld/exe", root, (long long)p->pid) <
				    (int)sizeof(path)) {
		n = readlink(path, target, sizeof(target) - 1);
	}
	if (n > 0) {
		target[n] = '\0';
		doctor_copy_text(p->program, sizeof(p->program), target);
	}
	for (size_t i = 0; !p->program[0] && i < ARRAY_SIZE(folders); i++) {
		if (snprintf(path, sizeof(path), "%s%s/ethlinkd", root, folders[i]) < (int)sizeof(path) &&
			access(path, F_OK) == 0) {
			snprintf(p->program, sizeof(p->program), "%s/ethlinkd", folders[i]);
		}
	}
	if (p->program[0] && snprintf(path, sizeof(path), "%s%s", root, p->program) < (int)sizeof(path)) {
		p->file_capability = has_file_capability(path);
	}
}

static void read_process(struct doctor_facts *facts, const char *root)
{
	struct doctor_process *p = &facts->process;
	char text[TEXT_SIZE];

	p->is_daemon = facts->daemon.pid > 0;
	p->pid = p->is_daemon ? facts->daemon.pid : getpid();
	/* In a container the daemon counts processes otherwise, and here the number is somebody else's. */
	if (p->is_daemon &&
		(doctor_read_text(text, sizeof(text), root, "/proc/%lld/comm", (long long)p->pid) <= 0 ||
			strcmp(text, "ethlinkd\n") != 0)) {
		return;
	}
	read_status(p, root);
	if (doctor_read_text(text, sizeof(text), root, "/proc/%lld/limits", (long long)p->pid) > 0) {
		p->rtprio_limit = parse_limit(text, "\nMax realtime priority");
		p->memlock_limit = parse_limit(text, "\nMax locked memory");
	}
	doctor_read_threads(root, p->pid, &p->n_threads, &p->n_realtime, &p->max_priority);
	find_program(p, root);
}

/* --- all */

void doctor_facts_init(struct doctor_facts *facts)
{
	*facts = (struct doctor_facts){
		.system = {.rt_runtime_us = DOCTOR_UNKNOWN, .rt_period_us = DOCTOR_UNKNOWN},
		.process = {.uid = DOCTOR_UNKNOWN,
			.file_capability = DOCTOR_UNKNOWN,
			.net_raw = DOCTOR_UNKNOWN,
			.nice = DOCTOR_UNKNOWN,
			.rtprio_limit = DOCTOR_UNKNOWN,
			.memlock_limit = DOCTOR_UNKNOWN,
			.locked_kib = DOCTOR_UNKNOWN,
			.n_threads = DOCTOR_UNKNOWN,
			.n_realtime = DOCTOR_UNKNOWN,
			.max_priority = DOCTOR_UNKNOWN},
		.daemon = {.rt_priority = DOCTOR_UNKNOWN,
			.locked_memory = DOCTOR_UNKNOWN,
			.pid = DOCTOR_UNKNOWN},
		.pipewire = {.pid = DOCTOR_UNKNOWN,
			.n_threads = DOCTOR_UNKNOWN,
			.n_realtime = DOCTOR_UNKNOWN,
			.max_priority = DOCTOR_UNKNOWN,
			.default_rate = DOCTOR_UNKNOWN,
			.libjack = DOCTOR_UNKNOWN},
	};
}

void doctor_facts_fini(struct doctor_facts *facts)
{
	free(facts->ifaces);
	free(facts->devices);
	free(facts->netvst);
	facts->ifaces = NULL;
	facts->devices = NULL;
	facts->netvst = NULL;
	facts->n_ifaces = facts->n_devices = facts->n_netvst = 0;
}

struct doctor_iface *doctor_facts_iface(struct doctor_facts *facts, const char *name)
{
	struct doctor_iface *ifaces, *iface;
	char clean[IF_NAMESIZE];

	doctor_copy_text(clean, sizeof(clean), name);
	for (unsigned i = 0; i < facts->n_ifaces; i++) {
		if (strcmp(facts->ifaces[i].name, clean) == 0) {
			return &facts->ifaces[i];
		}
	}
	ifaces = reallocarray(facts->ifaces, facts->n_ifaces + 1, sizeof(*ifaces));
	if (!ifaces) {
		return NULL;
	}
	facts->ifaces = ifaces;
	iface = &ifaces[facts->n_ifaces++];
	*iface = (struct doctor_iface){
		.up = DOCTOR_UNKNOWN,
		.carrier = DOCTOR_UNKNOWN,
		.speed_mbit = DOCTOR_UNKNOWN,
		.full_duplex = DOCTOR_UNKNOWN,
		.rx_usecs = DOCTOR_UNKNOWN,
		.tx_usecs = DOCTOR_UNKNOWN,
		.adaptive_rx = DOCTOR_UNKNOWN,
		.adaptive_tx = DOCTOR_UNKNOWN,
		.eee_enabled = DOCTOR_UNKNOWN,
		.eee_active = DOCTOR_UNKNOWN,
		.rx_packets = DOCTOR_UNKNOWN,
		.tx_packets = DOCTOR_UNKNOWN,
		.rx_errors = DOCTOR_UNKNOWN,
		.tx_errors = DOCTOR_UNKNOWN,
		.rx_crc_errors = DOCTOR_UNKNOWN,
		.collisions = DOCTOR_UNKNOWN,
		.carrier_changes = DOCTOR_UNKNOWN,
	};
	memcpy(iface->name, clean, sizeof(clean));
	return iface;
}

void doctor_facts_read(struct doctor_facts *facts, const char *root)
{
	read_kernel(&facts->system, root);
	read_throttling(&facts->system, root);
	read_governors(&facts->system, root);
	facts->system.rtkit = is_running(root, "rtkit-daemon");
	facts->system.has_ethtool = is_installed(root, "ethtool");
	facts->system.has_cpupower = is_installed(root, "cpupower");
	read_process(facts, root);
	doctor_pipewire_read(facts, root);
	for (unsigned i = 0; i < facts->n_ifaces; i++) {
		doctor_net_read(&facts->ifaces[i], root);
	}
	for (unsigned i = 0; i < facts->n_netvst; i++) {
		doctor_net_read_way(&facts->netvst[i], root);
	}
}
