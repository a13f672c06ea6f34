/*
 * ethlinkctl meters: levels as JSON and as text.
 */
#include "ctl/meters.h"

#include "base/util.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char name[] = "stage";
static const struct client_device device = {
	.name = name,
	.peak_dbfs = {-12.34, -INFINITY, 0.04, 1.06, -100, -0.04, NAN, INFINITY},
	.hold_dbfs = {-3.25, -INFINITY, 0, 2, -99.96, 0, 0, 0},
	.clips = {0, 0, 0, 5, 0, 0, 0, UINT64_MAX},
};

static void test_json(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	meters_print_json(&device, f);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text,
		"{\"device\": \"stage\", \"peak_dbfs\": [-12.3, null, 0.0, 1.1, -100.0, 0.0, null, null], "
		"\"hold_dbfs\": [-3.2, null, 0.0, 2.0, -100.0, 0.0, 0.0, 0.0], "
		"\"clips\": [0, 0, 0, 5, 0, 0, 0, 18446744073709551615]}\n");
	free(text);
}

static char *lines(int name_width, bool colour)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	meters_print_header(f, name_width);
	meters_print_line(&device, f, name_width, colour);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void test_text(void **state)
{
	char *text = lines(8, false);

	assert_string_equal(text,
		"dBFS          1       2       3       4       5       6       7       8\n"
		"stage     -12.3       -     0.0     1.1! -100.0     0.0       -       -!\n");
	free(text);
}

/* Green, yellow above -6, red above full scale; silence has none. */
static void test_colour(void **state)
{
	char *text = lines(8, true);
	const char *line = strchr(text, '\n') + 1;

	assert_non_null(strstr(line, "stage    \033[32m -12.3\033[0m"));
	assert_non_null(strstr(line, "\033[0m       -  "));
	assert_non_null(strstr(line, "\033[31m   1.1\033[0m\033[31m!\033[0m"));
	assert_non_null(strstr(line, "\033[33m   0.0\033[0m"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_colour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
