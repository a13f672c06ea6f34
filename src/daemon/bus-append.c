#include "daemon/bus-internal.h"

#include <stdarg.h>

int bus_begin_sv(sd_bus_message *m, const char *key, const char *type)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	r = r < 0 ? r : sd_bus_message_append(m, "s", key);
	return r < 0 ? r : sd_bus_message_open_container(m, 'v', type);
}

int bus_end_sv(sd_bus_message *m, int r)
{
	r = r < 0 ? r : sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_append_sv(sd_bus_message *m, const char *key, const char *type, ...)
{
	int r = bus_begin_sv(m, key, type);
	va_list ap;

	if (r < 0) {
		return r;
	}
	va_start(ap, type);
	r = sd_bus_message_appendv(m, type, ap);
	va_end(ap);
	return bus_end_sv(m, r);
}

int bus_append_doubles(sd_bus_message *m, const double *items, unsigned n)
{
	return sd_bus_message_append_array(m, 'd', items, n * sizeof(items[0]));
}

int bus_append_ints(sd_bus_message *m, const int32_t *items, unsigned n)
{
	return sd_bus_message_append_array(m, 'i', items, n * sizeof(items[0]));
}

int bus_append_counts(sd_bus_message *m, const uint64_t *items, unsigned n)
{
	return sd_bus_message_append_array(m, 't', items, n * sizeof(items[0]));
}

int bus_append_bools(sd_bus_message *m, const bool *items, unsigned n)
{
	int r = sd_bus_message_open_container(m, 'a', "b");

	for (unsigned i = 0; r >= 0 && i < n; i++) {
		r = sd_bus_message_append(m, "b", (int)items[i]);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_append_strings(sd_bus_message *m, const char *const *items, unsigned n)
{
	int r = sd_bus_message_open_container(m, 'a', "s");

	for (unsigned i = 0; r >= 0 && i < n; i++) {
		r = sd_bus_message_append(m, "s", items[i]);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_append_sv_doubles(sd_bus_message *m, const char *key, const double *items, unsigned n)
{
	int r = bus_begin_sv(m, key, "ad");

	return bus_end_sv(m, r < 0 ? r : bus_append_doubles(m, items, n));
}

int bus_append_sv_ints(sd_bus_message *m, const char *key, const int32_t *items, unsigned n)
{
	int r = bus_begin_sv(m, key, "ai");

	return bus_end_sv(m, r < 0 ? r : bus_append_ints(m, items, n));
}

int bus_append_sv_counts(sd_bus_message *m, const char *key, const uint64_t *items, unsigned n)
{
	int r = bus_begin_sv(m, key, "at");

	return bus_end_sv(m, r < 0 ? r : bus_append_counts(m, items, n));
}

int bus_append_sv_bools(sd_bus_message *m, const char *key, const bool *items, unsigned n)
{
	int r = bus_begin_sv(m, key, "ab");

	return bus_end_sv(m, r < 0 ? r : bus_append_bools(m, items, n));
}

int bus_append_sv_strings(sd_bus_message *m, const char *key, const char *const *items, unsigned n)
{
	int r = bus_begin_sv(m, key, "as");

	return bus_end_sv(m, r < 0 ? r : bus_append_strings(m, items, n));
}
