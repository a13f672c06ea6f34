#include "ctl/doctor-pipewire.h"

#include "base/util.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The mappings of a process, a configuration file: more than any of them has. */
#define LONG_TEXT (1 << 18)
#define ENVIRONMENT_SIZE 32768
#define LIBRARY "/libpipewire-0.3.so.0."
/* A folder is not read for ever. */
#define FILES_MAX 100

/* --- environments */

/* A variable of the environment that a process was started with. Empty: it is not there, or not to be seen. */
static void read_variable(char *dst, unsigned size, const char *root, int64_t pid, const char *name)
{
	char *text = malloc(ENVIRONMENT_SIZE);
	size_t len = strlen(name);
	int n = text ? doctor_read_text(text, ENVIRONMENT_SIZE, root, "/proc/%lld/environ", (long long)pid)
		     : 0;

	dst[0] = '\0';
	for (int i = 0; i < n; i += (int)strlen(text + i) + 1) {
		if (strncmp(text + i, name, len) == 0 && text[i + (int)len] == '=') {
			doctor_copy_text(dst, size, text + i + len + 1);
			break;
		}
	}
	free(text);
}

/* The folder for the sockets of a user's servers, as a process looks for it. */
static void read_folder(char *dst, unsigned size, const char *root, int64_t pid)
{
	read_variable(dst, size, root, pid, "PIPEWIRE_RUNTIME_DIR");
	if (!dst[0]) {
		read_variable(dst, size, root, pid, "XDG_RUNTIME_DIR");
	}
}

/* --- processes */

static int64_t read_uid(const char *root, const char *pid)
{
	char text[4096];
	const char *line;
	unsigned uid;

	if (doctor_read_text(text, sizeof(text), root, "/proc/%s/status", pid) <= 0) {
		return DOCTOR_UNKNOWN;
	}
	line = strstr(text, "\nUid:");
	return line && sscanf(line, "\nUid: %u", &uid) == 1 ? (int64_t)uid : DOCTOR_UNKNOWN;
}

/* Of this user, and not of another server of this user's, as far as that can be seen. */
static bool belongs(const struct doctor_facts *facts, const char *root, const char *pid)
{
	char folder[DOCTOR_FOLDER_SIZE];

	if (read_uid(root, pid) != facts->process.uid) {
		return false;
	}
	read_folder(folder, sizeof(folder), root, strtoll(pid, NULL, 10));
	return !folder[0] || strcmp(folder, facts->pipewire.folder) == 0;
}

/* The oldest such process, or DOCTOR_UNKNOWN: PipeWire's filter chains have the same name and are started later. */
static int64_t find_process(const struct doctor_facts *facts, const char *root, const char *comm)
{
	DIR *dir = doctor_open_folder(root, "/proc");
	int64_t found = DOCTOR_UNKNOWN;
	const struct dirent *entry;
	char text[64];

	while (dir && (entry = readdir(dir))) {
		int64_t pid = strtoll(entry->d_name, NULL, 10);

		if (!isdigit((unsigned char)entry->d_name[0]) ||
			doctor_read_text(text, sizeof(text), root, "/proc/%s/comm", entry->d_name) <= 0) {
			continue;
		}
		text[strcspn(text, "\n")] = '\0';
		if (strcmp(text, comm) == 0 && (found < 0 || pid < found) &&
			belongs(facts, root, entry->d_name)) {
			found = pid;
		}
	}
	if (dir) {
		closedir(dir);
	}
	return found;
}

/* The version is in the name of the library that the process has mapped: 0.365.0 is 0.3.65, and 0.1204.0 is 1.2.4. */
static void read_version(struct doctor_pipewire *p, const char *maps)
{
	const char *name = strstr(maps, LIBRARY);
	unsigned code;

	if (name && sscanf(name + strlen(LIBRARY), "%u.", &code) == 1 && code < 1000000) {
		snprintf(
			p->version, sizeof(p->version), "%u.%u.%u", code / 1000, code / 100 % 10, code % 100);
	}
}

static char *read_long(const char *root, int64_t pid, const char *name)
{
	char *text = malloc(LONG_TEXT);

	if (text && doctor_read_text(text, LONG_TEXT, root, "/proc/%lld/%s", (long long)pid, name) <= 0) {
		text[0] = '\0';
	}
	return text;
}

/* Whose libjack the daemon has, if any. */
static int read_libjack(const char *maps)
{
	return strstr(maps, "/pipewire-0.3/jack/libjack.so") ? 1
	       : strstr(maps, "/libjack.so")		     ? 0
							     : DOCTOR_UNKNOWN;
}

/* --- the socket */

static void find_socket(struct doctor_facts *facts, const char *root)
{
	struct doctor_pipewire *p = &facts->pipewire;
	char path[PATH_MAX];
	struct stat st;

	read_folder(p->folder, sizeof(p->folder), root, facts->process.pid);
	if (!p->folder[0]) {
		snprintf(p->folder, sizeof(p->folder), "/run/user/%lld", (long long)facts->process.uid);
	}
	snprintf(p->socket, sizeof(p->socket), "%s/pipewire-0", p->folder);
	if (snprintf(path, sizeof(path), "%s%s", root, p->socket) < (int)sizeof(path)) {
		p->has_socket = stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
	}
}

/* --- the configuration */

static bool is_in_comment(const char *text, const char *at)
{
	while (at > text && at[-1] != '\n') {
		at--;
		if (*at == '#') {
			return true;
		}
	}
	return false;
}

/* What follows a key and its sign, quoted or not; NULL: it is not there. */
static const char *find_value(const char *text, const char *key)
{
	for (const char *s = strstr(text, key); s; s = strstr(s + 1, key)) {
		const char *value = s + strlen(key);

		if ((s > text && !strchr(" \t\r\n\"{,", s[-1])) || is_in_comment(text, s)) {
			continue;
		}
		value += *value == '"';
		value += strspn(value, " \t");
		if (*value == '=' || *value == ':') {
			value++;
			return value + strspn(value, " \t\"");
		}
	}
	return NULL;
}

static int64_t parse_rate(const char *text)
{
	int64_t rate = strtoll(text, NULL, 10);

	return rate > 0 && rate < 10000000 ? rate : DOCTOR_UNKNOWN;
}

static void take_rates(struct doctor_pipewire *p, const char *value)
{
	const char *end = strchr(value, ']');

	value = strchr(value, '[');
	if (!value || !end || end < value) {
		return;
	}
	p->n_rates = 0;
	while (p->n_rates < ARRAY_SIZE(p->rates)) {
		value += strcspn(value, "0123456789]");
		if (value >= end) {
			return;
		}
		p->rates[p->n_rates] = parse_rate(value);
		p->n_rates += p->rates[p->n_rates] > 0;
		value += strspn(value, "0123456789");
	}
}

/* What a later file says counts instead of what an earlier one has said. */
static bool take_file(
	struct doctor_pipewire *p, char *buf, const char *root, const char *folder, const char *name)
{
	const char *value;

	if (doctor_read_text(buf, LONG_TEXT, root, "%s/%s", folder, name) <= 0) {
		return false;
	}
	value = find_value(buf, "default.clock.rate");
	if (value && parse_rate(value) > 0) {
		p->default_rate = parse_rate(value);
	}
	value = find_value(buf, "default.clock.allowed-rates");
	if (value) {
		take_rates(p, value);
	}
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void take_folder(struct doctor_pipewire *p, char *buf, const char *root, const char *folder)
{
	char path[DOCTOR_LINE_SIZE];
	char *names[FILES_MAX];
	const struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/pipewire.conf.d", folder);
	dir = doctor_open_folder(root, path);
	while (dir && n < FILES_MAX && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (len > strlen(".conf") && strcmp(entry->d_name + len - strlen(".conf"), ".conf") == 0) {
			names[n] = strdup(entry->d_name);
			n += names[n] != NULL;
		}
	}
	if (dir) {
		closedir(dir);
	}
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++) {
		(void)take_file(p, buf, root, path, names[i]);
		free(names[i]);
	}
}

/* In PipeWire's order: the first pipewire.conf that there is, then all that lies beside each of them. */
static void read_configuration(struct doctor_pipewire *p, const char *root)
{
	char home[DOCTOR_LINE_SIZE / 4], user[DOCTOR_LINE_SIZE / 2] = "";
	const char *folders[] = {"/usr/share/pipewire", "/etc/pipewire", user};
	char *buf = malloc(LONG_TEXT);
	bool found = false;

	read_variable(home, sizeof(home), root, p->pid, "XDG_CONFIG_HOME");
	if (home[0]) {
		snprintf(user, sizeof(user), "%s/pipewire", home);
	} else {
		read_variable(home, sizeof(home), root, p->pid, "HOME");
		if (home[0]) {
			snprintf(user, sizeof(user), "%s/.config/pipewire", home);
		}
	}
	for (size_t i = ARRAY_SIZE(folders); buf && !found && i-- > 0;) {
		found = folders[i][0] && take_file(p, buf, root, folders[i], "pipewire.conf");
	}
	for (size_t i = 0; buf && found && i < ARRAY_SIZE(folders); i++) {
		if (folders[i][0]) {
			take_folder(p, buf, root, folders[i]);
		}
	}
	/* These are PipeWire's own where no file says anything. */
	if (found && p->default_rate < 0) {
		p->default_rate = 48000;
	}
	free(buf);
}

/* --- all */

void doctor_pipewire_read(struct doctor_facts *facts, const char *root)
{
	static const char *const managers[] = {"wireplumber", "pipewire-media-"};
	struct doctor_pipewire *p = &facts->pipewire;
	char *maps;

	if (facts->process.uid < 0) {
		return;
	}
	find_socket(facts, root);
	if (facts->process.is_daemon && (maps = read_long(root, facts->process.pid, "maps"))) {
		p->libjack = read_libjack(maps);
		free(maps);
	}
	p->pid = find_process(facts, root, "pipewire");
	if (p->pid < 0) {
		return;
	}
	maps = read_long(root, p->pid, "maps");
	if (maps) {
		read_version(p, maps);
		free(maps);
	}
	doctor_read_threads(root, p->pid, &p->n_threads, &p->n_realtime, &p->max_priority);
	for (size_t i = 0; !p->has_manager && i < ARRAY_SIZE(managers); i++) {
		p->has_manager = find_process(facts, root, managers[i]) > 0;
	}
	read_configuration(p, root);
}
