#include "emu/command.h"

#include "base/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\r"

static const struct {
	const char *word;
	enum command_kind kind;
	bool has_serials;
} words[] = {
	{"power-cycle", COMMAND_POWER_CYCLE, true},
	{"off", COMMAND_OFF, true},
	{"on", COMMAND_ON, true},
	{"preset", COMMAND_PRESET, true},
	{"mark", COMMAND_MARK, true},
	{"status", COMMAND_STATUS, false},
	{"quit", COMMAND_QUIT, false},
};

static __attribute__((format(printf, 2, 3))) int bad(char *ret_error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret_error, COMMAND_ERROR_SIZE, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* The next word of *p, not terminated; length 0 at the end. */
static size_t next_word(const char **p, const char **ret_word)
{
	size_t len;

	*p += strspn(*p, BLANKS);
	*ret_word = *p;
	len = strcspn(*p, BLANKS);
	*p += len;
	return len;
}

static bool is(const char *word, size_t len, const char *what)
{
	return strlen(what) == len && memcmp(word, what, len) == 0;
}

static int parse_serials(const char **p, struct command *c, char *ret_error)
{
	const char *word;
	size_t len = next_word(p, &word);

	serials_clear(&c->serials);
	c->all = is(word, len, "all");
	if (c->all || (len > 0 && serials_add(&c->serials, word, len) == 0)) {
		return 0;
	}
	return bad(ret_error, "'%.*s' is no serial number: all, or 0 to 65535, like 0-3,17",
		(int)MIN(len, 40u), word);
}

static bool parse_long(const char *s, size_t len, long lo, long hi, long *ret)
{
	char copy[16], *end;

	if (len == 0 || len >= sizeof(copy)) {
		return false;
	}
	memcpy(copy, s, len);
	copy[len] = '\0';
	errno = 0;
	*ret = strtol(copy, &end, 10);
	return errno == 0 && *end == '\0' && end != copy && *ret >= lo && *ret <= hi;
}

static int parse_gain(const char *value, size_t len, uint8_t *ret_gain)
{
	const char *end = value + len;
	unsigned n = 0;

	for (; n < ETHLINK_CHANNELS; n++) {
		const char *comma = memchr(value, ',', (size_t)(end - value));
		size_t item_len = (size_t)((comma ? comma : end) - value);
		long db;

		if (item_len == 4 && strncasecmp(value, "mute", 4) == 0) {
			ret_gain[n] = ETHLINK_GAIN_MUTE;
		} else if (parse_long(
				   value, item_len, ETHLINK_DAC_GAIN_MIN_DB, ETHLINK_DAC_GAIN_MAX_DB, &db)) {
			ret_gain[n] = (uint8_t)ethlink_gain_byte(ETHLINK_DAC8, (int)db);
		} else {
			return -EINVAL;
		}
		if (!comma) {
			break;
		}
		value = comma + 1;
	}
	if (n == 0) {
		memset(ret_gain, ret_gain[0], ETHLINK_CHANNELS);
		return 0;
	}
	return n == ETHLINK_CHANNELS - 1 ? 0 : -EINVAL;
}

static int parse_mac(const char *value, size_t len, uint8_t *ret_mac)
{
	char copy[18];
	unsigned m[ETHLINK_MAC_LEN];
	int used = 0;

	if (len != 17) {
		return -EINVAL;
	}
	memcpy(copy, value, len);
	copy[len] = '\0';
	if (sscanf(copy, "%2x:%2x:%2x:%2x:%2x:%2x%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &used) != 6 ||
		used != 17) {
		return -EINVAL;
	}
	for (unsigned i = 0; i < ETHLINK_MAC_LEN; i++) {
		ret_mac[i] = (uint8_t)m[i];
	}
	return 0;
}

static int parse_setting(const char *word, size_t len, struct command *c, char *ret_error)
{
	const char *value = memchr(word, '=', len);
	size_t key_len = value ? (size_t)(value - word) : len;
	size_t value_len = value ? len - key_len - 1 : 0;
	int show = (int)MIN(len, 40u);
	long n;

	value = value ? value + 1 : word + len;
	if (is(word, key_len, "rate")) {
		if (!parse_long(value, value_len, 0, 96000, &n) || ethlink_rate_code((uint32_t)n) < 0) {
			return bad(ret_error, "'%.*s': rate is 44100, 48000, 88200 or 96000", show, word);
		}
		c->settings.rate_code = (uint8_t)ethlink_rate_code((uint32_t)n);
	} else if (is(word, key_len, "depth")) {
		if (!parse_long(value, value_len, ETHLINK_DEPTH_MIN, ETHLINK_DEPTH_MAX, &n)) {
			return bad(ret_error, "'%.*s': depth is 1 to 128 blocks", show, word);
		}
		c->settings.depth = (uint8_t)n;
	} else if (is(word, key_len, "gain")) {
		if (parse_gain(value, value_len, c->settings.gain) < 0) {
			return bad(ret_error,
				"'%.*s': gain is -56 to 24 dB or mute: one, or eight with commas", show,
				word);
		}
	} else if (is(word, key_len, "host")) {
		if (parse_mac(value, value_len, c->host) < 0) {
			return bad(ret_error, "'%.*s': host is a MAC like 02:00:00:00:00:01", show, word);
		}
	} else {
		return bad(ret_error, "'%.*s': a preset has rate=, depth=, gain= and host=", show, word);
	}
	return 0;
}

int command_parse_preset(const char *args, struct command *ret, char ret_error[COMMAND_ERROR_SIZE])
{
	static const uint8_t other_host[ETHLINK_MAC_LEN] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01};
	const char *word;
	size_t len;
	int r = parse_serials(&args, ret, ret_error);

	if (r < 0) {
		return r;
	}
	ret->kind = COMMAND_PRESET;
	memset(&ret->settings, 0, sizeof(ret->settings));
	ret->settings.rate_code = (uint8_t)ethlink_rate_code(48000);
	ret->settings.depth = 16;
	memset(ret->settings.gain, ethlink_gain_byte(ETHLINK_DAC8, 0), ETHLINK_CHANNELS);
	memcpy(ret->host, other_host, sizeof(other_host));
	while ((len = next_word(&args, &word)) > 0) {
		r = parse_setting(word, len, ret, ret_error);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int command_parse(const char *line, struct command *ret, char ret_error[COMMAND_ERROR_SIZE])
{
	const char *word, *extra;
	size_t len = next_word(&line, &word);
	size_t i;
	int r = 0;

	ret->kind = COMMAND_NONE;
	if (len == 0 || *word == '#') {
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(words) && !is(word, len, words[i].word); i++) {
	}
	if (i == ARRAY_SIZE(words)) {
		return bad(ret_error,
			"'%.*s' is no command: power-cycle, off, on, mark or preset with serial numbers; "
			"status; quit",
			(int)MIN(len, 40u), word);
	}
	ret->kind = words[i].kind;
	if (ret->kind == COMMAND_PRESET) {
		return command_parse_preset(line, ret, ret_error);
	}
	if (words[i].has_serials) {
		r = parse_serials(&line, ret, ret_error);
	}
	if (r == 0 && next_word(&line, &extra) > 0) {
		r = bad(ret_error, "'%.40s' is too much after %s", extra, words[i].word);
	}
	return r;
}
