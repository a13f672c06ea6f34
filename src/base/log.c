#include "base/log.h"
#include "base/util.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum log_level max_level = LOG_INFO;
static const char *program = "";
static int stderr_is_journal = -1;

static const struct {
	enum log_level level;
	const char *name;
} names[] = {
	{LOG_ERROR, "error"},
	{LOG_WARNING, "warning"},
	{LOG_NOTICE, "notice"},
	{LOG_INFO, "info"},
	{LOG_DEBUG, "debug"},
};

void log_set_level(enum log_level level)
{
	max_level = level;
}

enum log_level log_get_level(void)
{
	return max_level;
}

int log_level_from_string(const char *s, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(s, names[i].name) == 0) {
			*ret_level = names[i].level;
			return 0;
		}
	}
	return -EINVAL;
}

const char *log_level_to_string(enum log_level level)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].level == level) {
			return names[i].name;
		}
	}
	return "?";
}

void log_set_program(const char *name)
{
	program = name;
}

/* systemd names device and inode of the journal's stream; stderr may have been redirected since. */
static bool journal_reads_stderr(void)
{
	const char *e = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!e || sscanf(e, "%llu:%llu", &dev, &ino) != 2 || fstat(STDERR_FILENO, &st) < 0) {
		return false;
	}
	return st.st_dev == dev && st.st_ino == ino;
}

void log_msgv(enum log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	int n;

	if (level > max_level) {
		return;
	}
	if (stderr_is_journal < 0) {
		stderr_is_journal = journal_reads_stderr();
	}
	n = vsnprintf(line, sizeof(line), fmt, ap);
	if (n < 0) {
		return;
	}
	if (stderr_is_journal) {
		fprintf(stderr, "<%d>%s\n", (int)level, line);
	} else if (level <= LOG_WARNING) {
		fprintf(stderr, "%s%s%s: %s\n", program, *program ? ": " : "", log_level_to_string(level),
			line);
	} else {
		fprintf(stderr, "%s%s%s\n", program, *program ? ": " : "", line);
	}
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_msgv(level, fmt, ap);
	va_end(ap);
}
