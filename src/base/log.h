/*
 * Log lines of the programs: to stderr, with a level in the form that the journal reads where
 * stderr is the journal; or to a sink that a program sets. Only programs (daemon, ctl, emu) log;
 * library rooms return errors. Any thread but the realtime one: every call may block. errno stays
 * what it was.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_ERROR = 3,
	LOG_WARNING = 4,
	LOG_NOTICE = 5,
	LOG_INFO = 6,
	LOG_DEBUG = 7,
};

/* One line and where it comes from. The strings are valid during the call that hands them over. */
struct log_entry {
	enum log_level level;
	const char *text;
	const char *file; /* from src/ on */
	const char *func;
	const char *device;    /* what it is about; NULL: nothing in particular */
	const char *interface; /* the same */
	int line;
};

/* Lines above this level are left out; LOG_INFO until told otherwise. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* "error", "warning", "notice", "info", "debug" -> level. 0, or -EINVAL for any other word. */
int log_level_from_string(const char *s, enum log_level *ret_level);
const char *log_level_to_string(enum log_level level);

/* The word before each line on a terminal ("ethlinkd: "); the string must stay valid. */
void log_set_program(const char *name);

/* Where lines go; NULL: to stderr, as at the beginning. A sink must not log. Set it before there are threads. */
void log_set_sink(void (*sink)(const struct log_entry *entry));
/* What is done without a sink; for a sink that cannot get rid of a line. */
void log_to_stderr(const struct log_entry *entry);
/* JOURNAL_STREAM names what stderr is now. */
bool log_stderr_is_journal(void);

/*
 * On: of the lines from one place about one device and interface, LOG_LIMIT_BURST in LOG_LIMIT_SEC go through;
 * the others are counted, and the next that goes through comes after a line that says how many were left out.
 * Errors count as of one kind only if their text is the same, too, so that none is ever left out at its first
 * occurrence. Off, as at the beginning: all go through; what was left out so far is said at once.
 */
#define LOG_LIMIT_BURST 10
#define LOG_LIMIT_SEC 30
void log_limit_repeats(bool on);
/* The limit's clock, for tests; NULL: CLOCK_MONOTONIC. */
void log_set_clock(int64_t (*clock_ns)(void));

void log_at(enum log_level level, const char *file, int line, const char *func, const char *device,
	const char *interface, const char *fmt, ...) __attribute__((format(printf, 7, 8)));

/* With what it is about (const char *, or NULL). The text must name it as well: a terminal shows nothing else. */
#define log_about(level, device, interface, ...)                                                             \
	log_at(level, __FILE__, __LINE__, __func__, device, interface, __VA_ARGS__)

#define log_error(...) log_about(LOG_ERROR, NULL, NULL, __VA_ARGS__)
#define log_warning(...) log_about(LOG_WARNING, NULL, NULL, __VA_ARGS__)
#define log_notice(...) log_about(LOG_NOTICE, NULL, NULL, __VA_ARGS__)
#define log_info(...) log_about(LOG_INFO, NULL, NULL, __VA_ARGS__)
#define log_debug(...) log_about(LOG_DEBUG, NULL, NULL, __VA_ARGS__)

#endif
