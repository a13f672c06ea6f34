#include "ctl/json.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>

/* One character of UTF-8 and its length; U+FFFD and 1 for a byte that is none. */
static uint32_t next_character(const unsigned char *u, unsigned *ret_len)
{
	unsigned n = utf8_length_from(u[0]);
	uint32_t c = n > 1 ? u[0] & (0x7fU >> n) : u[0];

	for (unsigned i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80) {
			n = 0;
			break;
		}
		c = c << 6 | (u[i] & 0x3f);
	}
	*ret_len = n ? n : 1;
	if (n == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
		return 0xfffd;
	}
	return c;
}

void json_string(FILE *f, const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	fputc('"', f);
	while (*u) {
		unsigned len;
		uint32_t c = next_character(u, &len);

		u += len;
		if (c == '"' || c == '\\') {
			fprintf(f, "\\%c", (int)c);
		} else if (c >= 0x20 && c < 0x7f) {
			fputc((int)c, f);
		} else if (c < 0x10000) {
			fprintf(f, "\\u%04" PRIx32, c);
		} else {
			c -= 0x10000;
			fprintf(f, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
		}
	}
	fputc('"', f);
}

static void json_double(FILE *f, double d, int decimals)
{
	if (!isfinite(d)) {
		fputs("null", f);
	} else if (decimals < 0) {
		fprintf(f, "%.15g", d);
	} else {
		/* A level that rounds to zero is 0.0, not -0.0. */
		fprintf(f, "%.*f", decimals, fabs(d) < 0.5 * pow(10, -decimals) ? 0.0 : d);
	}
}

static void json_dict(FILE *f, const struct prop_list *list, int decimals)
{
	fputc('{', f);
	for (unsigned i = 0; i < list->n_props; i++) {
		fputs(i ? ", " : "", f);
		json_string(f, list->props[i].name);
		fputs(": ", f);
		json_prop(f, &list->props[i], decimals);
	}
	fputc('}', f);
}

static void json_value(FILE *f, enum prop_kind kind, const union prop_value *value, int decimals)
{
	switch (kind) {
	case PROP_BOOL:
		fputs(value->b ? "true" : "false", f);
		break;
	case PROP_UNSIGNED:
		fprintf(f, "%" PRIu64, value->u);
		break;
	case PROP_SIGNED:
		fprintf(f, "%" PRId64, value->i);
		break;
	case PROP_DOUBLE:
		json_double(f, value->d, decimals);
		break;
	case PROP_STRING:
		json_string(f, value->s);
		break;
	case PROP_DICT:
		json_dict(f, value->list, decimals);
		break;
	}
}

void json_prop(FILE *f, const struct prop *prop, int decimals)
{
	if (!prop) {
		fputs("null", f);
		return;
	}
	if (!prop->is_array) {
		json_value(f, prop->kind, prop->values, decimals);
		return;
	}
	fputc('[', f);
	for (unsigned i = 0; i < prop->n_values; i++) {
		fputs(i ? ", " : "", f);
		json_value(f, prop->kind, &prop->values[i], decimals);
	}
	fputc(']', f);
}
