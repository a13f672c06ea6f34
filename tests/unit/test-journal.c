/* What the journal is given, and that a line it does not take is not lost and holds nobody up. */
#include "base/log.h"
#include "daemon/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test-journal-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int journal; /* the socket in the journal's place */
static FILE *err;
static int real_stderr;

static int begin(void **state)
{
	log_set_sink(NULL);
	unlink(address.sun_path);
	journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (journal < 0 || bind(journal, (struct sockaddr *)&address, sizeof(address)) < 0) {
		return -1;
	}
	rewind(err);
	return ftruncate(fileno(err), 0) < 0 || dup2(fileno(err), STDERR_FILENO) < 0;
}

/* What the test itself has to say goes where it belongs. */
static int end(void **state)
{
	log_limit_repeats(false);
	close(journal);
	return dup2(real_stderr, STDERR_FILENO) < 0;
}

/* In a test stderr is a file, and that file the journal's stream, or not. */
static void stream_is(bool is_journal)
{
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino + (is_journal ? 0 : 1));
	setenv("JOURNAL_STREAM", stream, 1);
}

/* The next message's length; -1: there is none. */
static ssize_t next(char *ret_text, size_t size)
{
	ssize_t n = recv(journal, ret_text, size - 1, 0);

	if (n >= 0) {
		ret_text[n] = '\0';
	}
	return n;
}

static unsigned lines_on_stderr(const char *line)
{
	char text[200];
	unsigned n = 0;

	rewind(err);
	while (fgets(text, sizeof(text), err)) {
		assert_string_equal(text, line);
		n++;
	}
	return n;
}

static void test_fields(void **state)
{
	char got[3000];

	stream_is(true);
	journal_begin_at(address.sun_path);
	log_at(LOG_WARNING, "../src/daemon/device.c", 77, "say_state", "stage", "enp3s0", "stage: no %s",
		"link");
	assert_true(next(got, sizeof(got)) > 0);
	assert_string_equal(got, "MESSAGE=stage: no link\nPRIORITY=4\nSYSLOG_IDENTIFIER=ethlinkd\n"
				 "CODE_FILE=src/daemon/device.c\nCODE_LINE=77\nCODE_FUNC=say_state\n"
				 "ETHLINK_DEVICE=stage\nETHLINK_INTERFACE=enp3s0\n");
	log_at(LOG_ERROR, "src/daemon/main.c", 5, "main", NULL, NULL, "plain");
	assert_true(next(got, sizeof(got)) > 0);
	assert_string_equal(got, "MESSAGE=plain\nPRIORITY=3\nSYSLOG_IDENTIFIER=ethlinkd\n"
				 "CODE_FILE=src/daemon/main.c\nCODE_LINE=5\nCODE_FUNC=main\n");
	assert_int_equal(lines_on_stderr(""), 0);
}

static void test_newline(void **state)
{
	static const char want[] = "MESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\nPRIORITY=6\n";
	char got[3000];

	stream_is(true);
	journal_begin_at(address.sun_path);
	log_info("two\nlines");
	assert_true(next(got, sizeof(got)) > (ssize_t)sizeof(want));
	assert_memory_equal(got, want, sizeof(want) - 1);
}

static void test_long(void **state)
{
	char text[5000], got[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	stream_is(true);
	journal_begin_at(address.sun_path);
	log_at(LOG_INFO, text, 1, text, text, text, "%s", text);
	assert_in_range(next(got, sizeof(got)), 1000, 4096);
	assert_non_null(strstr(got, "xxx\nPRIORITY=6\nSYSLOG_IDENTIFIER=ethlinkd\nCODE_FILE=xxx"));
	assert_in_range(strcspn(got, "\n"), 1000, 1050);
}

/* A journal that stands still: the call comes back, and what it has no room for is on stderr. */
static void test_full(void **state)
{
	const unsigned total = 5000;
	unsigned taken = 0, other;
	char got[1000];

	stream_is(true);
	journal_begin_at(address.sun_path);
	log_limit_repeats(false);
	for (unsigned i = 0; i < total; i++) {
		log_warning("again");
	}
	other = lines_on_stderr("<4>again\n");
	while (next(got, sizeof(got)) > 0) {
		taken++;
	}
	assert_true(taken > 0 && other > 0);
	assert_int_equal(taken + other, total);
	/* With room again the next one is there. */
	log_warning("again");
	assert_true(next(got, sizeof(got)) > 0);
}

static void test_no_journal(void **state)
{
	char got[100];

	stream_is(true);
	journal_begin_at("/nonexistent/socket");
	log_warning("kept");
	assert_int_equal(next(got, sizeof(got)), -1);
	assert_int_equal(lines_on_stderr("<4>kept\n"), 1);
}

static void test_other_stderr(void **state)
{
	char got[100];

	stream_is(false);
	journal_begin_at(address.sun_path);
	log_warning("elsewhere");
	assert_int_equal(next(got, sizeof(got)), -1);
	assert_int_equal(lines_on_stderr("warning: elsewhere\n"), 1);
}

static void test_limited(void **state)
{
	unsigned n = 0;
	char got[1000];

	stream_is(true);
	journal_begin_at(address.sun_path);
	for (unsigned i = 0; i < 100; i++) {
		log_info("again");
		n += next(got, sizeof(got)) > 0;
	}
	assert_int_equal(n, LOG_LIMIT_BURST);
	log_limit_repeats(false);
	assert_true(next(got, sizeof(got)) > 0);
	assert_non_null(strstr(got, "MESSAGE=90 more of the kind \"again\" were left out"));
	assert_int_equal(next(got, sizeof(got)), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_full, begin, end),
		cmocka_unit_test_setup_teardown(test_no_journal, begin, end),
		cmocka_unit_test_setup_teardown(test_fields, begin, end),
		cmocka_unit_test_setup_teardown(test_newline, begin, end),
		cmocka_unit_test_setup_teardown(test_long, begin, end),
		cmocka_unit_test_setup_teardown(test_limited, begin, end),
		cmocka_unit_test_setup_teardown(test_other_stderr, begin, end),
	};
	int r;

	err = tmpfile();
	real_stderr = dup(STDERR_FILENO);
	if (!err || real_stderr < 0 || !mkdtemp(folder)) {
		return 1;
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(address.sun_path);
	rmdir(folder);
	return r;
}
