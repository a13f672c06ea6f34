/*
 * For tests of the configuration: loads a text and holds the messages about it against those that there should be.
 * Header only; include it after cmocka.h.
 */
#ifndef TESTS_UNIT_CONF_LOAD_H
#define TESTS_UNIT_CONF_LOAD_H

#include "daemon/conf-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MANY 600

struct messages {
	char *text[MANY];
	unsigned n;
};

static inline void collect(void *data, const char *text)
{
	struct messages *m = data;

	assert_true(m->n < MANY);
	m->text[m->n++] = strdup(text);
}

static inline void messages_free(struct messages *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		free(m->text[i]);
	}
	m->n = 0;
}

static inline void show(const struct messages *m)
{
	for (unsigned i = 0; i < m->n; i++) {
		print_message("got: %s\n", m->text[i]);
	}
}

static inline struct conf *load_ok_len(const char *text, size_t len)
{
	struct messages m = {0};
	struct conf *conf = NULL;
	int r = conf_load_text("t", text, len, collect, &m, &conf);

	show(&m);
	assert_int_equal(r, 0);
	assert_int_equal(m.n, 0);
	assert_non_null(conf);
	return conf;
}

static inline struct conf *load_ok(const char *text)
{
	return load_ok_len(text, strlen(text));
}

/* Each of want, ended by NULL: how a message begins and, behind a |, what else it says. In this order. */
static inline void check_messages(const struct messages *m, const char *const *want)
{
	unsigned n = 0;

	for (; want[n]; n++) {
		const char *bar = strchr(want[n], '|');
		size_t len = bar ? (size_t)(bar - want[n]) : strlen(want[n]);

		if (n >= m->n || strncmp(m->text[n], want[n], len) != 0 ||
			(bar && !strstr(m->text[n] + len, bar + 1))) {
			show(m);
			fail_msg("message %u should be: %s", n, want[n]);
		}
		assert_null(strpbrk(m->text[n], "\n\r\t\x01"));
	}
	if (m->n != n) {
		show(m);
	}
	assert_int_equal(m->n, n);
}

static inline void load_bad_len(const char *text, size_t len, const char *const *want)
{
	struct messages m = {0};
	struct conf *conf = NULL;

	assert_int_equal(conf_load_text("t", text, len, collect, &m, &conf), -EINVAL);
	assert_null(conf);
	check_messages(&m, want);
	messages_free(&m);
}

#define load_bad(text, ...) load_bad_len(text, strlen(text), (const char *const[]){__VA_ARGS__, NULL})

static inline char *print_to_string(const struct conf *conf, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	assert_non_null(f);
	conf_print(conf, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

#endif
