#include "emu/serials.h"

#include <errno.h>
#include <string.h>

void serials_clear(struct serials *s)
{
	memset(s, 0, sizeof(*s));
}

void serials_fill(struct serials *s)
{
	memset(s, 0xff, sizeof(*s));
}

bool serials_has(const struct serials *s, uint16_t serial)
{
	return s->bits[serial / 64] >> (serial % 64) & 1;
}

unsigned serials_count(const struct serials *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SERIALS_MAX / 64; i++) {
		n += (unsigned)__builtin_popcountll(s->bits[i]);
	}
	return n;
}

/* Digits from *p on; leaves *p behind them. */
static int parse_number(const char **p, const char *end, uint32_t *ret)
{
	const char *start = *p;
	uint32_t n = 0;

	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
		n = n * 10 + (uint32_t)(**p - '0');
		if (n >= SERIALS_MAX) {
			return -ERANGE;
		}
	}
	*ret = n;
	return *p == start ? -EINVAL : 0;
}

static int add_range(struct serials *s, uint32_t first, uint32_t last)
{
	if (first > last) {
		return -ERANGE;
	}
	for (uint32_t n = first; n <= last; n++) {
		if (serials_has(s, (uint16_t)n)) {
			return -EEXIST;
		}
		s->bits[n / 64] |= UINT64_C(1) << (n % 64);
	}
	return 0;
}

int serials_add(struct serials *s, const char *text, size_t len)
{
	const char *p = text, *end = text + len;

	for (;;) {
		uint32_t first, last;
		int r = parse_number(&p, end, &first);

		if (r < 0) {
			return r;
		}
		last = first;
		if (p < end && *p == '-') {
			p++;
			r = parse_number(&p, end, &last);
			if (r < 0) {
				return r;
			}
		}
		r = add_range(s, first, last);
		if (r < 0) {
			return r;
		}
		if (p == end) {
			return 0;
		}
		if (*p++ != ',') {
			return -EINVAL;
		}
	}
}
