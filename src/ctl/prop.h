/*
 * Named values as they come in a D-Bus dictionary (a{sv}): basic types, dictionaries of their own (a{sv}, a{sd} and the
 * like), and arrays of either, kept in the order in which they came.
 *
 * Ownership: the caller embeds the list and ends it with prop_list_fini(). One thread.
 */
#ifndef CTL_PROP_H
#define CTL_PROP_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-bus.h>

enum prop_kind {
	PROP_BOOL,
	PROP_UNSIGNED,
	PROP_SIGNED,
	PROP_DOUBLE,
	PROP_STRING,
	PROP_DICT,
};

struct prop_list;

union prop_value {
	bool b;
	uint64_t u;
	int64_t i;
	double d;
	char *s;
	struct prop_list *list;
};

struct prop {
	char *name;
	enum prop_kind kind;
	bool is_array;
	unsigned n_values; /* 1 where it is no array */
	union prop_value *values;
};

struct prop_list {
	struct prop *props;
	unsigned n_props;
};

/*
 * Reads the a{sv} that comes next in m. Values of other types are left out, and so is a name that was
 * there before. 0 or -errno (of sd-bus: -EBADMSG, -ENXIO for another type; -ENOMEM); nothing to end then.
 */
int prop_list_read(sd_bus_message *m, struct prop_list *ret_list);
void prop_list_fini(struct prop_list *list);

/* NULL where there is none. */
const struct prop *prop_find(const struct prop_list *list, const char *name);

/* A single value of that kind; otherwise is what comes back where there is none of that kind. */
const char *prop_string(const struct prop_list *list, const char *name, const char *otherwise);
uint64_t prop_unsigned(const struct prop_list *list, const char *name, uint64_t otherwise);
bool prop_bool(const struct prop_list *list, const char *name, bool otherwise);

/* One value of an array; a number of any kind as double. */
double prop_number_at(const struct prop_list *list, const char *name, unsigned i, double otherwise);
bool prop_bool_at(const struct prop_list *list, const char *name, unsigned i, bool otherwise);
const char *prop_string_at(const struct prop_list *list, const char *name, unsigned i, const char *otherwise);

/* A single number of any kind. */
double prop_number(const struct prop_list *list, const char *name, double otherwise);

/* A dictionary, and one of an array of them; never NULL: an empty one where there is none. */
const struct prop_list *prop_dict(const struct prop_list *list, const char *name);
const struct prop_list *prop_dict_at(const struct prop_list *list, const char *name, unsigned i);

/* How many values an array of this kind has; 0 where there is none. */
unsigned prop_count(const struct prop_list *list, const char *name, enum prop_kind kind);

#endif
