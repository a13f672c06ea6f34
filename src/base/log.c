#include "base/log.h"
#include "base/utf8.h"
#include "base/util.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 1024
#define KINDS 256
#define WINDOW_NS (LOG_LIMIT_SEC * NSEC_PER_SEC)

/* Lines that count as the same, and how many of them came. */
struct kind {
	uint64_t key;	     /* 0: free */
	int64_t window_ns;   /* when the burst began */
	uint64_t last;	     /* the number of the last one, of all lines */
	int64_t left_out_ns; /* when the first one was left out */
	unsigned passed;     /* in this window */
	unsigned left_out;
	enum log_level level;
	int line;
	const char *file;
	const char *func;
	char device[40];
	char interface[16];
	char text[100]; /* of the first one that was left out */
};

static atomic_int max_level = LOG_INFO;
static const char *program = "";
static void (*log_sink)(const struct log_entry *entry) = log_to_stderr;

/* Of the table, and of what only the table needs. Not held while a line is written: that can take long. */
static pthread_mutex_t limit_mutex = PTHREAD_MUTEX_INITIALIZER;
static bool limiting;
static int64_t (*limit_clock)(void) = now_ns;
static struct kind kinds[KINDS];
static uint64_t line_number;

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
	atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&max_level, memory_order_relaxed);
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

void log_set_sink(void (*sink)(const struct log_entry *entry))
{
	log_sink = sink ? sink : log_to_stderr;
}

/* systemd names device and inode of the journal's stream; stderr may have been redirected since. */
bool log_stderr_is_journal(void)
{
	const char *e = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!e || sscanf(e, "%llu:%llu", &dev, &ino) != 2 || fstat(STDERR_FILENO, &st) < 0) {
		return false;
	}
	return st.st_dev == dev && st.st_ino == ino;
}

void log_to_stderr(const struct log_entry *entry)
{
	if (log_stderr_is_journal()) {
		fprintf(stderr, "<%d>%s\n", (int)entry->level, entry->text);
	} else if (entry->level <= LOG_WARNING) {
		fprintf(stderr, "%s%s%s: %s\n", program, *program ? ": " : "",
			log_level_to_string(entry->level), entry->text);
	} else {
		fprintf(stderr, "%s%s%s\n", program, *program ? ": " : "", entry->text);
	}
}

/* "../src/daemon/main.c" -> "src/daemon/main.c"; the same however the compiler was called. */
static const char *from_src(const char *file)
{
	const char *found = file;

	for (const char *p = file; (p = strstr(p, "src/")) != NULL; p++) {
		if (p == file || p[-1] == '/') {
			found = p;
		}
	}
	return found;
}

/* Bytes of s that fit into max without cutting a character. */
static size_t whole_chars(const char *s, size_t max)
{
	size_t n = strnlen(s, max + 1);

	if (n <= max) {
		return n;
	}
	for (size_t i = max; i > 0 && max - i < 4; i--) {
		unsigned len = utf8_length_from((unsigned char)s[i - 1]);

		if (len > 0) {
			return len > max - i + 1 ? i - 1 : max;
		}
	}
	return max;
}

static void copy(char *dst, size_t size, const char *src)
{
	size_t n = src ? whole_chars(src, size - 1) : 0;

	memcpy(dst, src ? src : "", n);
	dst[n] = '\0';
}

static uint64_t hash(uint64_t h, const char *s)
{
	/* FNV-1a; the terminator keeps "a","bc" from being "ab","c", and NULL from being "". */
	do {
		h = (h ^ (s ? (unsigned char)*s : 1)) * 0x100000001b3ULL;
	} while (s && *s++);
	return h;
}

static uint64_t key_of(const struct log_entry *e)
{
	uint64_t h = hash(0xcbf29ce484222325ULL ^ (uint64_t)e->line, e->file);

	h = hash(hash(h, e->device), e->interface);
	if (e->level <= LOG_ERROR) {
		h = hash(h, e->text);
	}
	return h ? h : 1;
}

static void write_left_out(const struct kind *k, int64_t now)
{
	int64_t sec = MAX((now - k->left_out_ns) / NSEC_PER_SEC, 1);
	char text[sizeof(k->text) + 100];
	struct log_entry e = {
		.level = k->level,
		.text = text,
		.file = k->file,
		.line = k->line,
		.func = k->func,
		.device = *k->device ? k->device : NULL,
		.interface = *k->interface ? k->interface : NULL,
	};

	snprintf(text, sizeof(text), "%u more of the kind \"%s\" %s left out in the last %lld %s",
		k->left_out, k->text, k->left_out == 1 ? "was" : "were",
		(long long)(sec < 120 ? sec : (sec < 7200 ? sec / 60 : sec / 3600)),
		sec < 120 ? "s" : (sec < 7200 ? "minutes" : "hours"));
	log_sink(&e);
}

/* The kind's entry, or the one that gives way to it: one that nobody has heard of for longest. */
static struct kind *find_kind(uint64_t key)
{
	struct kind *oldest = &kinds[0];

	for (unsigned i = 0; i < KINDS; i++) {
		if (kinds[i].key == key) {
			return &kinds[i];
		}
		if (kinds[i].key == 0) {
			return &kinds[i];
		}
		if (kinds[i].last < oldest->last) {
			oldest = &kinds[i];
		}
	}
	return oldest;
}

/* False: to be left out. *ret_before has a left_out of its own if something must be said about earlier lines. */
static bool passes(const struct log_entry *e, int64_t now, struct kind *ret_before)
{
	uint64_t key = key_of(e);
	struct kind *k = find_kind(key);
	bool other = k->key != key;

	if (other || now - k->window_ns >= WINDOW_NS) {
		*ret_before = *k;
		k->passed = 0;
		k->left_out = 0;
		k->window_ns = now;
	}
	k->last = ++line_number;
	if (other) {
		k->key = key;
		k->level = e->level;
		k->file = e->file;
		k->line = e->line;
		k->func = e->func;
		copy(k->device, sizeof(k->device), e->device);
		copy(k->interface, sizeof(k->interface), e->interface);
	}
	if (k->passed < LOG_LIMIT_BURST) {
		k->passed++;
		return true;
	}
	if (k->left_out++ == 0) {
		k->left_out_ns = now;
		copy(k->text, sizeof(k->text), e->text);
	}
	return false;
}

static void write_limited(const struct log_entry *e)
{
	struct kind before = {.left_out = 0};
	int64_t now = 0;
	bool pass = true;

	pthread_mutex_lock(&limit_mutex);
	if (limiting) {
		now = limit_clock();
		pass = passes(e, now, &before);
	}
	pthread_mutex_unlock(&limit_mutex);
	if (before.left_out > 0) {
		write_left_out(&before, now);
	}
	if (pass) {
		log_sink(e);
	}
}

void log_limit_repeats(bool on)
{
	int64_t now;

	pthread_mutex_lock(&limit_mutex);
	limiting = on;
	now = limit_clock();
	pthread_mutex_unlock(&limit_mutex);
	for (unsigned i = 0; i < KINDS && !on; i++) {
		struct kind k;

		pthread_mutex_lock(&limit_mutex);
		k = kinds[i];
		memset(&kinds[i], 0, sizeof(kinds[i]));
		pthread_mutex_unlock(&limit_mutex);
		if (k.left_out > 0) {
			write_left_out(&k, now);
		}
	}
}

void log_set_clock(int64_t (*clock_ns)(void))
{
	pthread_mutex_lock(&limit_mutex);
	limit_clock = clock_ns ? clock_ns : now_ns;
	pthread_mutex_unlock(&limit_mutex);
}

void log_at(enum log_level level, const char *file, int line, const char *func, const char *device,
	const char *interface, const char *fmt, ...)
{
	int saved = errno;
	char whole[TEXT_MAX + 1], text[TEXT_MAX];
	struct log_entry e = {
		.level = level,
		.text = text,
		.file = from_src(file),
		.line = line,
		.func = func,
		.device = device,
		.interface = interface,
	};
	va_list ap;
	int n;

	if (level > log_get_level()) {
		return;
	}
	va_start(ap, fmt);
	n = vsnprintf(whole, sizeof(whole), fmt, ap);
	va_end(ap);
	if (n >= 0) {
		copy(text, sizeof(text), whole);
		write_limited(&e);
	}
	errno = saved;
}
