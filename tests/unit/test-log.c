/* Where log lines go and in what form, and which repeats are left out: hours on a clock of the test's own. */
#include "base/log.h"
#include "base/util.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LINES 8192

struct seen {
	struct log_entry entry;
	char text[1100], file[100], func[50], device[50], interface[50];
};

static struct seen *lines;
static unsigned n_lines;
static pthread_mutex_t lines_mutex = PTHREAD_MUTEX_INITIALIZER;
static int64_t clock_ns;

static int64_t test_clock(void)
{
	return clock_ns;
}

static void keep(char *dst, size_t size, const char *src)
{
	snprintf(dst, size, "%s", src ? src : "");
}

static void sink(const struct log_entry *e)
{
	pthread_mutex_lock(&lines_mutex);
	if (n_lines < LINES) {
		struct seen *s = &lines[n_lines++];

		s->entry = *e;
		keep(s->text, sizeof(s->text), e->text);
		keep(s->file, sizeof(s->file), e->file);
		keep(s->func, sizeof(s->func), e->func);
		keep(s->device, sizeof(s->device), e->device);
		keep(s->interface, sizeof(s->interface), e->interface);
	}
	pthread_mutex_unlock(&lines_mutex);
}

static int begin(void **state)
{
	lines = calloc(LINES, sizeof(*lines));
	n_lines = 0;
	clock_ns = 1000 * NSEC_PER_SEC;
	log_set_level(LOG_INFO);
	log_set_sink(sink);
	log_set_clock(test_clock);
	log_limit_repeats(true);
	return lines ? 0 : -1;
}

static int end(void **state)
{
	log_limit_repeats(false);
	log_set_clock(NULL);
	log_set_sink(NULL);
	log_set_program("");
	free(lines);
	return 0;
}

/* The one place that most of the tests log from. */
static void say(enum log_level level, const char *device, const char *interface, const char *text)
{
	log_about(level, device, interface, "%s", text);
}

static void say_often(unsigned times, enum log_level level, const char *device, const char *text)
{
	for (unsigned i = 0; i < times; i++) {
		say(level, device, NULL, text);
	}
}

static unsigned count_of(const char *text)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_lines; i++) {
		n += strcmp(lines[i].text, text) == 0;
	}
	return n;
}

/* Fields */

static void test_place(void **state)
{
	int line;

	log_warning("%s has %d", "it", 3);
	line = __LINE__ - 1;
	assert_int_equal(n_lines, 1);
	assert_string_equal(lines[0].text, "it has 3");
	assert_int_equal(lines[0].entry.level, LOG_WARNING);
	assert_int_equal(lines[0].entry.line, line);
	assert_string_equal(lines[0].func, "test_place");
	assert_non_null(strstr(lines[0].file, "test-log.c"));
	assert_null(lines[0].entry.device);
	assert_null(lines[0].entry.interface);

	log_about(LOG_INFO, "stage", "enp3s0", "stage: on %s", "enp3s0");
	assert_int_equal(n_lines, 2);
	assert_string_equal(lines[1].text, "stage: on enp3s0");
	assert_string_equal(lines[1].device, "stage");
	assert_string_equal(lines[1].interface, "enp3s0");
}

static void test_file_from_src(void **state)
{
	static const struct {
		const char *given, *want;
	} cases[] = {
		{"src/daemon/main.c", "src/daemon/main.c"},
		{"../../src/daemon/main.c", "src/daemon/main.c"},
		{"/usr/src/ethlinkd-1/src/daemon/main.c", "src/daemon/main.c"},
		{"/home/me/mysrc/x.c", "/home/me/mysrc/x.c"},
		{"x.c", "x.c"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		log_at(LOG_INFO, cases[i].given, 1, "f", NULL, NULL, "%u", i);
		assert_int_equal(n_lines, i + 1);
		assert_string_equal(lines[i].file, cases[i].want);
	}
}

static void test_levels(void **state)
{
	log_set_level(LOG_WARNING);
	assert_int_equal(log_get_level(), LOG_WARNING);
	log_error("1");
	log_warning("2");
	log_notice("3");
	log_info("4");
	log_debug("5");
	assert_int_equal(n_lines, 2);
	log_set_level(LOG_DEBUG);
	log_debug("6");
	assert_int_equal(n_lines, 3);
	assert_int_equal(lines[2].entry.level, LOG_DEBUG);
}

static void test_errno_stays(void **state)
{
	errno = ENOENT;
	log_error("%m");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(lines[0].text, "No such file or directory");
}

static void test_long_text(void **state)
{
	char text[3001];

	/* At every position of the cut within a character of two bytes. */
	for (unsigned ahead = 0; ahead < 2; ahead++) {
		size_t n;

		memset(text, 'a', sizeof(text));
		for (unsigned i = ahead; i + 1 < sizeof(text) - 1; i += 2) {
			memcpy(text + i, "ö", 2);
		}
		text[3000] = '\0';
		log_info("%s", text);
		n = strlen(lines[ahead].text);
		assert_in_range(n, 1000, 1023);
		assert_int_equal((n - ahead) % 2, 0);
		assert_int_equal(strncmp(lines[ahead].text, text, n), 0);
	}
}

/* Repeats */

static void test_burst(void **state)
{
	say_often(100, LOG_WARNING, "stage", "stage: no reply");
	assert_int_equal(n_lines, LOG_LIMIT_BURST);
	/* The next window: what was left out is said first, with the same fields, then the line itself. */
	clock_ns += 45 * NSEC_PER_SEC;
	say(LOG_WARNING, "stage", NULL, "stage: no reply");
	assert_int_equal(n_lines, LOG_LIMIT_BURST + 2);
	assert_string_equal(
		lines[10].text, "90 more of the kind \"stage: no reply\" were left out in the last 45 s");
	assert_string_equal(lines[10].device, "stage");
	assert_null(lines[10].entry.interface);
	assert_int_equal(lines[10].entry.level, LOG_WARNING);
	assert_string_equal(lines[10].func, "say");
	assert_int_equal(lines[10].entry.line, lines[11].entry.line);
	assert_string_equal(lines[11].text, "stage: no reply");
	/* Said once: the rest of this burst goes through without it. */
	say_often(LOG_LIMIT_BURST - 1, LOG_WARNING, "stage", "stage: no reply");
	assert_int_equal(n_lines, 2 * LOG_LIMIT_BURST + 1);
	say(LOG_WARNING, "stage", NULL, "stage: no reply");
	assert_int_equal(n_lines, 2 * LOG_LIMIT_BURST + 1);
	clock_ns += LOG_LIMIT_SEC * NSEC_PER_SEC;
	say(LOG_WARNING, "stage", NULL, "stage: no reply");
	assert_string_equal(
		lines[21].text, "1 more of the kind \"stage: no reply\" was left out in the last 30 s");
}

static void test_window(void **state)
{
	/* Slower than the limit: nothing is ever left out. */
	for (unsigned i = 0; i < 1000; i++) {
		say(LOG_INFO, "stage", NULL, "slow");
		clock_ns += LOG_LIMIT_SEC * NSEC_PER_SEC / LOG_LIMIT_BURST;
	}
	assert_int_equal(n_lines, 1000);
	/* Just before the window's end is still in it. */
	say_often(LOG_LIMIT_BURST, LOG_INFO, "other", "fast");
	n_lines = 0;
	clock_ns += LOG_LIMIT_SEC * NSEC_PER_SEC - 1;
	say(LOG_INFO, "other", NULL, "fast");
	assert_int_equal(n_lines, 0);
	clock_ns += 1;
	say(LOG_INFO, "other", NULL, "fast");
	assert_int_equal(n_lines, 2);
}

static void test_kinds(void **state)
{
	static const char *const devices[] = {"a", "b", NULL, ""};

	/* Each device has a burst of its own, and so has each interface and each place. */
	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
		n_lines = 0;
		say_often(20, LOG_WARNING, devices[i], "x");
		assert_int_equal(n_lines, LOG_LIMIT_BURST);
	}
	n_lines = 0;
	say(LOG_WARNING, "a", "enp3s0", "x");
	assert_int_equal(n_lines, 1);
	for (unsigned i = 0; i < 20; i++) {
		log_about(LOG_WARNING, "a", NULL, "another place");
	}
	assert_int_equal(n_lines, 1 + LOG_LIMIT_BURST);
	/* Texts of one place that differ are one kind... */
	n_lines = 0;
	for (unsigned i = 0; i < 20; i++) {
		log_about(LOG_WARNING, "a", NULL, "reply %u", i);
	}
	assert_int_equal(n_lines, LOG_LIMIT_BURST);
}

static void test_errors(void **state)
{
	char text[32];

	/* ...but not those of errors: a file with 300 mistakes shows 300, once. */
	for (unsigned i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "mistake %u", i);
		say(LOG_ERROR, NULL, NULL, text);
	}
	assert_int_equal(n_lines, 300);
	/* The same error over and over is a repeat like any other. */
	n_lines = 0;
	say_often(50, LOG_ERROR, NULL, "the same");
	assert_int_equal(n_lines, LOG_LIMIT_BURST);
	say(LOG_ERROR, NULL, NULL, "a first one");
	assert_int_equal(n_lines, LOG_LIMIT_BURST + 1);
}

static unsigned said_left_out(void)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < n_lines; i++) {
		unsigned n;
		char word;

		if (sscanf(lines[i].text, "%u more of the kind \"%c", &n, &word) == 2) {
			sum += n;
		}
	}
	return sum;
}

static void test_hours(void **state)
{
	unsigned summaries = 0;

	/* A cable that rattles ten times a second for two hours: lines a minute, not a second, and all accounted for. */
	for (unsigned i = 0; i < 2 * 3600 * 10; i++) {
		say(LOG_WARNING, "stage", "enp3s0", "rattle");
		clock_ns += NSEC_PER_SEC / 10;
	}
	log_limit_repeats(false);
	for (unsigned i = 0; i < n_lines; i++) {
		summaries += strcmp(lines[i].text, "rattle") != 0;
	}
	assert_int_equal(summaries, 2 * 3600 / LOG_LIMIT_SEC);
	assert_int_equal(count_of("rattle"), summaries * LOG_LIMIT_BURST);
	assert_int_equal(count_of("rattle") + said_left_out(), 2 * 3600 * 10);
}

static void test_since(void **state)
{
	static const struct {
		int64_t sec;
		const char *want;
	} cases[] = {
		{119, "119 s"},
		{120, "2 minutes"},
		{7199, "119 minutes"},
		{5 * 3600, "5 hours"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[100];

		clock_ns += 3600 * NSEC_PER_SEC;
		say_often(LOG_LIMIT_BURST + 2, LOG_NOTICE, "stage", "x");
		clock_ns += cases[i].sec * NSEC_PER_SEC;
		say(LOG_NOTICE, "stage", NULL, "x");
		snprintf(want, sizeof(want), "2 more of the kind \"x\" were left out in the last %s",
			cases[i].want);
		assert_int_equal(count_of(want), 1);
	}
}

static void test_table_full(void **state)
{
	char device[16];

	/* The kind that still comes keeps its place; one that was pushed out says what it owes. */
	say_often(LOG_LIMIT_BURST + 7, LOG_WARNING, "old", "old");
	for (unsigned i = 0; i < 2000; i++) {
		clock_ns += NSEC_PER_MSEC;
		snprintf(device, sizeof(device), "d%u", i);
		say(LOG_WARNING, device, NULL, "new");
		say(LOG_WARNING, "busy", NULL, "busy");
	}
	assert_int_equal(count_of("new"), 2000);
	assert_int_equal(count_of("busy"), LOG_LIMIT_BURST);
	assert_int_equal(count_of("7 more of the kind \"old\" were left out in the last 1 s"), 1);
	assert_int_equal(said_left_out(), 7);
	/* At the end the others say it, too. */
	log_limit_repeats(false);
	assert_int_equal(count_of("1990 more of the kind \"busy\" were left out in the last 1 s"), 1);
}

static void test_off(void **state)
{
	log_limit_repeats(false);
	say_often(100, LOG_INFO, "stage", "x");
	assert_int_equal(n_lines, 100);
}

static void *log_much(void *data)
{
	for (unsigned i = 0; i < 2000; i++) {
		say(LOG_WARNING, "stage", NULL, "from everywhere");
		log_about(LOG_INFO, data, NULL, "from here");
	}
	return NULL;
}

static void test_threads(void **state)
{
	static char devices[4][2] = {"0", "1", "2", "3"};
	pthread_t threads[4];

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, log_much, devices[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_int_equal(count_of("from everywhere"), LOG_LIMIT_BURST);
	assert_int_equal(count_of("from here"), 4 * LOG_LIMIT_BURST);
	assert_int_equal(n_lines, 5 * LOG_LIMIT_BURST);
	log_limit_repeats(false);
	assert_int_equal(said_left_out(), 2 * 4 * 2000 - 5 * LOG_LIMIT_BURST);
}

/* stderr: in a process of its own, so that what the test has to say goes where it belongs. */

static void with_stderr(void (*body)(void), bool journal, char *ret_text, size_t size)
{
	FILE *f = tmpfile();
	int status;
	pid_t pid;
	size_t n;

	assert_non_null(f);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char stream[64] = "1:2"; /* the journal, but not what stderr is now */
		struct stat st;

		if (dup2(fileno(f), STDERR_FILENO) < 0 || fstat(STDERR_FILENO, &st) < 0) {
			_exit(1);
		}
		if (journal) {
			snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
				(unsigned long long)st.st_ino);
		}
		setenv("JOURNAL_STREAM", stream, 1);
		log_set_sink(NULL);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	rewind(f);
	n = fread(ret_text, 1, size - 1, f);
	ret_text[n] = '\0';
	fclose(f);
}

static void say_all(void)
{
	log_set_program("prog");
	log_set_level(LOG_DEBUG);
	log_error("e");
	log_warning("w");
	log_about(LOG_NOTICE, "stage", "eth0", "n");
	log_info("i");
	log_debug("d");
	if (!log_stderr_is_journal()) {
		log_set_program("");
		log_error("e");
		log_info("i");
	}
}

static void test_stderr(void **state)
{
	char text[1000];

	with_stderr(say_all, false, text, sizeof(text));
	assert_string_equal(
		text, "prog: error: e\nprog: warning: w\nprog: n\nprog: i\nprog: d\nerror: e\ni\n");
	with_stderr(say_all, true, text, sizeof(text));
	assert_string_equal(text, "<3>e\n<4>w\n<5>n\n<6>i\n<7>d\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_place, begin, end),
		cmocka_unit_test_setup_teardown(test_file_from_src, begin, end),
		cmocka_unit_test_setup_teardown(test_levels, begin, end),
		cmocka_unit_test_setup_teardown(test_errno_stays, begin, end),
		cmocka_unit_test_setup_teardown(test_long_text, begin, end),
		cmocka_unit_test_setup_teardown(test_burst, begin, end),
		cmocka_unit_test_setup_teardown(test_window, begin, end),
		cmocka_unit_test_setup_teardown(test_kinds, begin, end),
		cmocka_unit_test_setup_teardown(test_errors, begin, end),
		cmocka_unit_test_setup_teardown(test_hours, begin, end),
		cmocka_unit_test_setup_teardown(test_since, begin, end),
		cmocka_unit_test_setup_teardown(test_table_full, begin, end),
		cmocka_unit_test_setup_teardown(test_off, begin, end),
		cmocka_unit_test_setup_teardown(test_threads, begin, end),
		cmocka_unit_test_setup_teardown(test_stderr, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
