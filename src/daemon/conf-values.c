#include "daemon/conf-internal.h"

#include "base/utf8.h"
#include "base/util.h"

#include <stdlib.h>
#include <string.h>

#define PORT_NAME_MAX                                                                                        \
	319 /* bytes of a full port name in JACK2, without the terminator; PipeWire has no limit */
#define BOOLEANS "write yes, no, on, off, true, false, 1 or 0"

/* Bytes of the UTF-8 character at s; 0 for anything that is none (overlong forms and surrogates included). */
static unsigned utf8_len(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;
	unsigned n = utf8_length_from(u[0]);

	for (unsigned i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf0 && u[1] < 0x90) ||
		(u[0] == 0xf4 && u[1] > 0x8f)) {
		return 0;
	}
	return n;
}

/* C0, DEL and, in two bytes, C1: a terminal may obey them. */
static bool is_control(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	return u[0] < 0x20 || u[0] == 0x7f || (u[0] == 0xc2 && u[1] < 0xa0);
}

bool conf_text_ok(const char *s)
{
	while (*s) {
		unsigned n = utf8_len(s);

		if (n == 0 || is_control(s)) {
			return false;
		}
		s += n;
	}
	return true;
}

const char *conf_enclose(const char *s, char open, char close, char buf[CONF_QUOTE_MAX])
{
	const size_t room = CONF_QUOTE_MAX - sizeof("'...'");
	size_t len = 0;

	buf[len++] = open;
	while (*s) {
		unsigned n = utf8_len(s);

		if (len + (n ? n : 1) > room) {
			memcpy(buf + len, "...", 3);
			len += 3;
			break;
		}
		if (n == 0 || is_control(s)) {
			buf[len++] = '?';
			s++;
		} else {
			memcpy(buf + len, s, n);
			len += n;
			s += n;
		}
	}
	buf[len++] = close;
	buf[len] = '\0';
	return buf;
}

const char *conf_quote(const char *s, char buf[CONF_QUOTE_MAX])
{
	return conf_enclose(s, '\'', '\'', buf);
}

bool conf_is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

bool conf_name_ok(const char *s)
{
	size_t len = strlen(s);

	for (const char *c = s; *c; c++) {
		if (!conf_is_name_char(*c)) {
			return false;
		}
	}
	return len >= 1 && len <= CONF_NAME_MAX;
}

/* With or without a sign; nothing before or behind it. The bound keeps v * 10 within an int. */
bool conf_parse_decimal(const char *s, int *ret)
{
	bool negative = *s == '-';
	int v = 0;

	if (*s == '-' || *s == '+') {
		s++;
	}
	if (!*s) {
		return false;
	}
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || v > 10000000) {
			return false;
		}
		v = v * 10 + (*s - '0');
	}
	*ret = negative ? -v : v;
	return true;
}

bool conf_parse_ranged(struct conf_parser *p, const char *value, int min, int max, const char *unit, int *ret)
{
	char q[CONF_QUOTE_MAX];
	int v;

	if (!conf_parse_decimal(value, &v) || v < min || v > max) {
		conf_complain(p, "%s is not allowed; write a whole number from %d to %d%s",
			conf_quote(value, q), min, max, unit);
		return false;
	}
	*ret = v;
	return true;
}

bool conf_parse_boolean(struct conf_parser *p, const char *value, bool *ret)
{
	static const char *const yes[] = {"yes", "on", "true", "1"};
	static const char *const no[] = {"no", "off", "false", "0"};
	char q[CONF_QUOTE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
			*ret = strcmp(value, yes[i]) == 0;
			return true;
		}
	}
	conf_complain(p, "%s is not allowed; " BOOLEANS, conf_quote(value, q));
	return false;
}

bool conf_parse_interface(struct conf_parser *p, const char *value, char ret[IF_NAMESIZE])
{
	char q[CONF_QUOTE_MAX];
	size_t len = strlen(value);

	if (len < 1 || len >= IF_NAMESIZE || strpbrk(value, "/: ") || !conf_text_ok(value) ||
		strcmp(value, ".") == 0 || strcmp(value, "..") == 0) {
		conf_complain(p,
			"%s cannot be a network interface; a name has 1 to 15 bytes, no space, / or : "
			"(\"ip link\" lists them)",
			conf_quote(value, q));
		return false;
	}
	memcpy(ret, value, len + 1);
	return true;
}

unsigned conf_split(char *value, char *ret_items[], unsigned max)
{
	unsigned n = 0;

	for (char *next = value; next; n++) {
		char *item = next;
		size_t len;

		next = strchr(item, ',');
		if (next) {
			*next++ = '\0';
		}
		item += strspn(item, " \t");
		len = strlen(item);
		while (len > 0 && (item[len - 1] == ' ' || item[len - 1] == '\t')) {
			item[--len] = '\0';
		}
		if (n < max) {
			ret_items[n] = item;
		}
	}
	return n;
}

bool conf_text_fits(struct conf_parser *p, const char *text, size_t max, const char *what)
{
	char q[CONF_QUOTE_MAX];

	if (strlen(text) > max) {
		conf_complain(p, "%s is too long: %zu bytes; %s has at most %zu", conf_quote(text, q),
			strlen(text), what, max);
		return false;
	}
	if (!conf_text_ok(text)) {
		conf_complain(p, "%s is not UTF-8 text, or has control characters; save the file as UTF-8",
			conf_quote(text, q));
		return false;
	}
	return true;
}

bool conf_parse_text(struct conf_parser *p, const char *value, char ret[CONF_DESCRIPTION_MAX + 1])
{
	if (!conf_text_fits(p, value, CONF_DESCRIPTION_MAX, "a description")) {
		return false;
	}
	strcpy(ret, value);
	return true;
}

void conf_clear_strings(char *list[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		free(list[i]);
		list[i] = NULL;
	}
}

bool conf_parse_strings(struct conf_parser *p, char *value, char *list[], unsigned n,
	bool (*good)(struct conf_parser *p, const char *item))
{
	char *items[ETHLINK_CHANNELS];
	unsigned given = conf_split(value, items, n);
	bool ok = true;

	if (given > n) {
		conf_complain(p, "%u values; write up to %s separated by commas, one for each %s", given,
			n == ETHLINK_CHANNELS ? "eight" : "four", n == ETHLINK_CHANNELS ? "channel" : "port");
		return false;
	}
	conf_clear_strings(list, n);
	for (unsigned i = 0; i < given; i++) {
		if (!*items[i]) {
			continue;
		}
		if (!good(p, items[i])) {
			ok = false;
			continue;
		}
		list[i] = strdup(items[i]);
		if (!list[i]) {
			p->out_of_memory = true;
			return false;
		}
	}
	return ok;
}

int conf_print_strings(char *const list[], unsigned n, FILE *f)
{
	int len = 0;

	while (n > 0 && !list[n - 1]) {
		n--;
	}
	for (unsigned i = 0; i < n; i++) {
		len += fprintf(f, "%s%s", i ? ", " : "", list[i] ? list[i] : "");
	}
	return len;
}

bool conf_port_good(struct conf_parser *p, const char *item)
{
	const char *colon = strchr(item, ':');
	char q[CONF_QUOTE_MAX];

	if (!colon || colon == item || !colon[1]) {
		conf_complain(p,
			"%s is not a port; write client:port, such as system:capture_1 "
			"(\"jack_lsp\" or, under PipeWire, \"pw-link -io\" lists them)",
			conf_quote(item, q));
		return false;
	}
	return conf_text_fits(p, item, PORT_NAME_MAX, "a port's name");
}
