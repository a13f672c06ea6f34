#include "ctl/status.h"

#include "ctl/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In the order of the JSON object. decimals: of a double. */
struct known_key {
	const char *name;
	int decimals;
	bool null_if_empty; /* D-Bus has no null: nothing in it says the same */
};

static const struct known_key daemon_keys[] = {
	{"version"},
	{"backend"},
	{"connected"},
	{"sample_rate"},
	{"period"},
	{"xruns"},
	{"interfaces", 1},
	{NULL},
};

static const struct known_key device_keys[] = {
	{"name"},
	{"model"},
	{"serial"},
	{"mac"},
	{"interface"},
	{"state"},
	{"gain_db"},
	{"mute"},
	{"peak_dbfs", 1},
	{"frames_sent"},
	{"frames_received"},
	{"frames_dropped"},
	{"replies"},
	{"latency_frames"},
	{"clock_ppm", 2},
	{"gain_origin"},
	{"mute_origin"},
	{"phantom"},
	{"phantom_origin"},
	{"labels"},
	{"gain_min_db"},
	{"gain_max_db"},
	{"config_gain_db"},
	{"config_mute"},
	{"hold_dbfs", 1},
	{"clips"},
	{"volume"},
	{"volume_db", 1},
	{"volume_mute"},
	{"reason", 0, true},
	{NULL},
};

static const struct known_key netvst_keys[] = {
	{"name"},
	{"role"},
	{"state"},
	{"dialect"},
	{"codec"},
	{"block"},
	{"host"},
	{"port"},
	{"peer", 0, true},
	{"latency_frames"},
	{"latency_mode"},
	{"rtt_us", 1, true},
	{"blocks_sent"},
	{"blocks_received"},
	{"late_blocks"},
	{"late_episodes"},
	{"skipped_blocks"},
	{"bytes_sent"},
	{"bytes_received"},
	{"compression_ratio", 3},
	{"connects"},
	{"overruns"},
	{"midi_sent"},
	{"midi_received"},
	{"midi_lost"},
	{"gain_db"},
	{"mute"},
	{"peak_dbfs", 1},
	{"callback_us", 2, true},
	{"error", 0, true},
	{"allow"},
	{"refused"},
	{"bad_peers"},
	{"timeouts"},
	{"slots", 1},
	{NULL},
};

static int add_list(sd_bus_message *m, struct prop_list **lists, unsigned *n)
{
	struct prop_list *more = reallocarray(*lists, *n + 1, sizeof(**lists));
	int r;

	if (!more) {
		return -ENOMEM;
	}
	*lists = more;
	r = prop_list_read(m, &more[*n]);
	if (r >= 0) {
		*n += 1;
	}
	return r;
}

/* An array of dictionaries, each bare or in a structure of its own (which has room for more, later). */
static int read_lists(sd_bus_message *m, struct prop_list **lists, unsigned *n)
{
	const char *contents;
	bool wrapped;
	char type;
	int r;

	r = sd_bus_message_peek_type(m, &type, &contents);
	if (r <= 0 || type != SD_BUS_TYPE_ARRAY) {
		return r < 0 ? r : -EBADMSG;
	}
	wrapped = contents[0] == SD_BUS_TYPE_STRUCT_BEGIN;
	r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, wrapped ? "(a{sv})" : "a{sv}");
	while (r >= 0 && sd_bus_message_at_end(m, false) == 0) {
		if (wrapped) {
			r = sd_bus_message_enter_container(m, SD_BUS_TYPE_STRUCT, "a{sv}");
		}
		r = r < 0 ? r : add_list(m, lists, n);
		if (r >= 0 && wrapped) {
			r = sd_bus_message_exit_container(m);
		}
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

int status_read(sd_bus_message *m, struct status *ret_status)
{
	struct status status = {0};
	int r;

	r = prop_list_read(m, &status.daemon);
	r = r < 0 ? r : read_lists(m, &status.devices, &status.n_devices);
	if (r >= 0 && sd_bus_message_at_end(m, true) == 0) {
		r = read_lists(m, &status.netvst, &status.n_netvst);
	}
	if (r < 0) {
		status_fini(&status);
		return r;
	}
	*ret_status = status;
	return 0;
}

static void keep_first(struct prop_list *lists, unsigned *n, unsigned n_kept)
{
	while (*n > n_kept) {
		prop_list_fini(&lists[--*n]);
	}
}

void status_fini(struct status *status)
{
	prop_list_fini(&status->daemon);
	keep_first(status->devices, &status->n_devices, 0);
	keep_first(status->netvst, &status->n_netvst, 0);
	free(status->devices);
	free(status->netvst);
	status->devices = NULL;
	status->netvst = NULL;
}

static int find(const struct prop_list *lists, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(prop_string(&lists[i], "name", ""), name) == 0) {
			return (int)i;
		}
	}
	return -ENOENT;
}

int status_find(const struct status *status, const char *name)
{
	return find(status->devices, status->n_devices, name);
}

int status_find_netvst(const struct status *status, const char *name)
{
	return find(status->netvst, status->n_netvst, name);
}

static void keep_one(struct prop_list *lists, unsigned *n, unsigned i)
{
	struct prop_list kept = lists[i];

	lists[i] = lists[0];
	lists[0] = kept;
	keep_first(lists, n, 1);
}

void status_keep(struct status *status, unsigned i)
{
	keep_one(status->devices, &status->n_devices, i);
	keep_first(status->netvst, &status->n_netvst, 0);
}

void status_keep_netvst(struct status *status, unsigned i)
{
	keep_one(status->netvst, &status->n_netvst, i);
	keep_first(status->devices, &status->n_devices, 0);
}

static bool is_known(const struct known_key *keys, const char *name)
{
	for (; keys->name; keys++) {
		if (strcmp(keys->name, name) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_empty(const struct prop *prop)
{
	return prop && !prop->is_array &&
	       ((prop->kind == PROP_STRING && !*prop->values->s) ||
		       (prop->kind == PROP_DICT && prop->values->list->n_props == 0));
}

/* The members of an object, each on a line of its own; without the last one's line feed. reserved: left out. */
static void print_members(FILE *f, const char *indent, const struct known_key *known,
	const struct prop_list *list, const struct known_key *reserved)
{
	const char *comma = "";

	for (const struct known_key *key = known; key->name; key++) {
		const struct prop *prop = prop_find(list, key->name);

		fprintf(f, "%s%s\"%s\": ", comma, indent, key->name);
		json_prop(f, key->null_if_empty && is_empty(prop) ? NULL : prop, key->decimals);
		comma = ",\n";
	}
	for (unsigned i = 0; i < list->n_props; i++) {
		const char *name = list->props[i].name;

		if (is_known(known, name) || is_known(reserved, name)) {
			continue;
		}
		fprintf(f, "%s%s", comma, indent);
		json_string(f, name);
		fputs(": ", f);
		json_prop(f, &list->props[i], -1);
	}
}

static void print_objects(
	FILE *f, const char *key, const struct known_key *known, const struct prop_list *lists, unsigned n)
{
	static const struct known_key none[] = {{NULL}};

	fprintf(f, "  \"%s\": [", key);
	for (unsigned i = 0; i < n; i++) {
		fputs(i ? ",\n    {\n" : "\n    {\n", f);
		print_members(f, "      ", known, &lists[i], none);
		fputs("\n    }", f);
	}
	fputs(n ? "\n  ]" : "]", f);
}

void status_print_json(const struct status *status, FILE *f)
{
	static const struct known_key ours[] = {{"devices"}, {"netvst"}, {NULL}};

	fputs("{\n", f);
	print_members(f, "  ", daemon_keys, &status->daemon, ours);
	fputs(",\n", f);
	print_objects(f, "devices", device_keys, status->devices, status->n_devices);
	fputs(",\n", f);
	print_objects(f, "netvst", netvst_keys, status->netvst, status->n_netvst);
	fputs("\n}\n", f);
}

void status_print_netvst_json(const struct status *status, FILE *f)
{
	fputs("{\n", f);
	print_objects(f, "netvst", netvst_keys, status->netvst, status->n_netvst);
	fputs("\n}\n", f);
}
