#include "ctl/prop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE_MAX 255 /* of D-Bus */

static const struct {
	char type;
	enum prop_kind kind;
} types[] = {
	{SD_BUS_TYPE_BOOLEAN, PROP_BOOL},
	{SD_BUS_TYPE_BYTE, PROP_UNSIGNED},
	{SD_BUS_TYPE_UINT16, PROP_UNSIGNED},
	{SD_BUS_TYPE_UINT32, PROP_UNSIGNED},
	{SD_BUS_TYPE_UINT64, PROP_UNSIGNED},
	{SD_BUS_TYPE_INT16, PROP_SIGNED},
	{SD_BUS_TYPE_INT32, PROP_SIGNED},
	{SD_BUS_TYPE_INT64, PROP_SIGNED},
	{SD_BUS_TYPE_DOUBLE, PROP_DOUBLE},
	{SD_BUS_TYPE_STRING, PROP_STRING},
	{SD_BUS_TYPE_OBJECT_PATH, PROP_STRING},
	{SD_BUS_TYPE_SIGNATURE, PROP_STRING},
};

static bool kind_of(char type, enum prop_kind *ret_kind)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].type == type) {
			*ret_kind = types[i].kind;
			return true;
		}
	}
	return false;
}

/* 1; 0 at the end of an array; -errno. */
static int read_value(sd_bus_message *m, char type, union prop_value *ret)
{
	union {
		uint8_t y;
		int b;
		uint16_t q;
		uint32_t u;
		uint64_t t;
		int16_t n;
		int32_t i;
		int64_t x;
		double d;
		const char *s;
	} v;
	int r = sd_bus_message_read_basic(m, type, &v);

	if (r <= 0) {
		return r;
	}
	switch (type) {
	case SD_BUS_TYPE_BOOLEAN:
		ret->b = v.b;
		break;
	case SD_BUS_TYPE_BYTE:
		ret->u = v.y;
		break;
	case SD_BUS_TYPE_UINT16:
		ret->u = v.q;
		break;
	case SD_BUS_TYPE_UINT32:
		ret->u = v.u;
		break;
	case SD_BUS_TYPE_UINT64:
		ret->u = v.t;
		break;
	case SD_BUS_TYPE_INT16:
		ret->i = v.n;
		break;
	case SD_BUS_TYPE_INT32:
		ret->i = v.i;
		break;
	case SD_BUS_TYPE_INT64:
		ret->i = v.x;
		break;
	case SD_BUS_TYPE_DOUBLE:
		ret->d = v.d;
		break;
	default:
		ret->s = strdup(v.s);
		return ret->s ? 1 : -ENOMEM;
	}
	return 1;
}

static void value_fini(enum prop_kind kind, union prop_value *value)
{
	if (kind == PROP_STRING) {
		free(value->s);
	} else if (kind == PROP_DICT) {
		prop_list_fini(value->list);
		free(value->list);
	}
}

static void prop_fini(struct prop *prop)
{
	for (unsigned i = 0; i < prop->n_values; i++) {
		value_fini(prop->kind, &prop->values[i]);
	}
	free(prop->values);
	free(prop->name);
}

static int read_list(sd_bus_message *m, const char *entry, struct prop_list *ret_list);

/* As read_value(), of a dictionary; type: its signature. */
static int read_dict(sd_bus_message *m, const char *type, union prop_value *ret)
{
	struct prop_list *list = calloc(1, sizeof(*list));
	int r = list ? read_list(m, type + 1, list) : -ENOMEM;

	if (r <= 0) {
		free(list);
		return r;
	}
	ret->list = list;
	return 1;
}

/* As read_value(), one more value of the property. */
static int add_value(sd_bus_message *m, const char *type, struct prop *prop)
{
	union prop_value value;
	union prop_value *values;
	int r = prop->kind == PROP_DICT ? read_dict(m, type, &value) : read_value(m, *type, &value);

	if (r <= 0) {
		return r;
	}
	values = reallocarray(prop->values, prop->n_values + 1, sizeof(*values));
	if (!values) {
		value_fini(prop->kind, &value);
		return -ENOMEM;
	}
	prop->values = values;
	values[prop->n_values++] = value;
	return 1;
}

static int read_array(sd_bus_message *m, const char *type, struct prop *prop)
{
	int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, type);

	while (r > 0) {
		r = add_value(m, type, prop);
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static bool is_dict(const char *type)
{
	return strncmp(type, "a{s", strlen("a{s")) == 0;
}

/* contents: the signature of the value, which comes next. */
static int read_prop(sd_bus_message *m, const char *name, const char *contents, struct prop_list *list)
{
	bool is_array = contents[0] == SD_BUS_TYPE_ARRAY && !is_dict(contents);
	const char *type = contents + (is_array ? 1 : 0);
	struct prop prop = {.is_array = is_array, .kind = PROP_DICT};
	struct prop *props;
	int r;

	if ((!is_dict(type) && (strlen(type) != 1 || !kind_of(*type, &prop.kind))) || prop_find(list, name)) {
		return sd_bus_message_skip(m, contents);
	}
	r = is_array ? read_array(m, type, &prop) : add_value(m, type, &prop);
	if (r >= 0) {
		prop.name = strdup(name);
		props = reallocarray(list->props, list->n_props + 1, sizeof(*props));
		if (props) {
			list->props = props;
		}
		r = prop.name && props ? 0 : -ENOMEM;
	}
	if (r < 0) {
		prop_fini(&prop);
		return r;
	}
	list->props[list->n_props++] = prop;
	return 0;
}

static int read_variant(sd_bus_message *m, const char *name, struct prop_list *list)
{
	const char *contents;
	int r = sd_bus_message_peek_type(m, NULL, &contents);

	r = r < 0 ? r : sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, contents);
	r = r < 0 ? r : read_prop(m, name, contents, list);
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* type: of the value. */
static int read_entry(sd_bus_message *m, const char *type, struct prop_list *list)
{
	const char *name;
	int r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &name);

	if (r < 0) {
		return r;
	}
	return *type == SD_BUS_TYPE_VARIANT ? read_variant(m, name, list) : read_prop(m, name, type, list);
}

/* entry: the signature of the entries, "{sv}" or the like. 1; 0: there is none any more; or -errno. */
static int read_list(sd_bus_message *m, const char *entry, struct prop_list *ret_list)
{
	char pair[SIGNATURE_MAX + 1];
	struct prop_list list = {0};
	int r;

	if (strlen(entry) - 2 > SIGNATURE_MAX) {
		return -EBADMSG;
	}
	/* What stands between the braces. */
	memcpy(pair, entry + 1, strlen(entry) - 2);
	pair[strlen(entry) - 2] = '\0';
	r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, entry);
	if (r <= 0) {
		return r;
	}
	while ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, pair)) > 0) {
		r = read_entry(m, pair + 1, &list);
		if (r >= 0) {
			r = sd_bus_message_exit_container(m);
		}
		if (r < 0) {
			break;
		}
	}
	if (r >= 0) {
		r = sd_bus_message_exit_container(m);
	}
	if (r < 0) {
		prop_list_fini(&list);
		return r;
	}
	*ret_list = list;
	return 1;
}

int prop_list_read(sd_bus_message *m, struct prop_list *ret_list)
{
	int r = read_list(m, "{sv}", ret_list);

	/* The message ended before the dictionary. */
	if (r == 0) {
		return -EBADMSG;
	}
	return r < 0 ? r : 0;
}

void prop_list_fini(struct prop_list *list)
{
	for (unsigned i = 0; i < list->n_props; i++) {
		prop_fini(&list->props[i]);
	}
	free(list->props);
	list->props = NULL;
	list->n_props = 0;
}

const struct prop *prop_find(const struct prop_list *list, const char *name)
{
	for (unsigned i = 0; i < list->n_props; i++) {
		if (strcmp(list->props[i].name, name) == 0) {
			return &list->props[i];
		}
	}
	return NULL;
}

static const union prop_value *find_single(
	const struct prop_list *list, const char *name, enum prop_kind kind)
{
	const struct prop *prop = prop_find(list, name);

	return prop && prop->kind == kind && !prop->is_array ? prop->values : NULL;
}

const char *prop_string(const struct prop_list *list, const char *name, const char *otherwise)
{
	const union prop_value *value = find_single(list, name, PROP_STRING);

	return value ? value->s : otherwise;
}

uint64_t prop_unsigned(const struct prop_list *list, const char *name, uint64_t otherwise)
{
	const union prop_value *value = find_single(list, name, PROP_UNSIGNED);

	return value ? value->u : otherwise;
}

bool prop_bool(const struct prop_list *list, const char *name, bool otherwise)
{
	const union prop_value *value = find_single(list, name, PROP_BOOL);

	return value ? value->b : otherwise;
}

static const union prop_value *find_at(
	const struct prop_list *list, const char *name, unsigned i, const struct prop **ret_prop)
{
	const struct prop *prop = prop_find(list, name);

	*ret_prop = prop;
	return prop && prop->is_array && i < prop->n_values ? &prop->values[i] : NULL;
}

static double number(const struct prop *prop, const union prop_value *value, double otherwise)
{
	switch (prop->kind) {
	case PROP_UNSIGNED:
		return (double)value->u;
	case PROP_SIGNED:
		return (double)value->i;
	case PROP_DOUBLE:
		return value->d;
	default:
		return otherwise;
	}
}

double prop_number_at(const struct prop_list *list, const char *name, unsigned i, double otherwise)
{
	const struct prop *prop;
	const union prop_value *value = find_at(list, name, i, &prop);

	return value ? number(prop, value, otherwise) : otherwise;
}

bool prop_bool_at(const struct prop_list *list, const char *name, unsigned i, bool otherwise)
{
	const struct prop *prop;
	const union prop_value *value = find_at(list, name, i, &prop);

	return value && prop->kind == PROP_BOOL ? value->b : otherwise;
}

const char *prop_string_at(const struct prop_list *list, const char *name, unsigned i, const char *otherwise)
{
	const struct prop *prop;
	const union prop_value *value = find_at(list, name, i, &prop);

	return value && prop->kind == PROP_STRING ? value->s : otherwise;
}

double prop_number(const struct prop_list *list, const char *name, double otherwise)
{
	const struct prop *prop = prop_find(list, name);

	return prop && !prop->is_array ? number(prop, prop->values, otherwise) : otherwise;
}

static const struct prop_list nothing;

const struct prop_list *prop_dict(const struct prop_list *list, const char *name)
{
	const union prop_value *value = find_single(list, name, PROP_DICT);

	return value ? value->list : &nothing;
}

const struct prop_list *prop_dict_at(const struct prop_list *list, const char *name, unsigned i)
{
	const struct prop *prop;
	const union prop_value *value = find_at(list, name, i, &prop);

	return value && prop->kind == PROP_DICT ? value->list : &nothing;
}

unsigned prop_count(const struct prop_list *list, const char *name, enum prop_kind kind)
{
	const struct prop *prop = prop_find(list, name);

	return prop && prop->is_array && prop->kind == kind ? prop->n_values : 0;
}
