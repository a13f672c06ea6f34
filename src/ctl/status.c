#include "ctl/status.h"

#include "ctl/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In the order of the JSON object. decimals: of a double. */
struct known_key {
	const char *name;
	int decimals;
};

static const struct known_key daemon_keys[] = {
	{"version"},
	{"backend"},
	{"connected"},
	{"sample_rate"},
	{"period"},
	{"xruns"},
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
	{NULL},
};

static int add_device(sd_bus_message *m, struct status *status)
{
	struct prop_list *devices =
		reallocarray(status->devices, status->n_devices + 1, sizeof(status->devices[0]));
	int r;

	if (!devices) {
		return -ENOMEM;
	}
	status->devices = devices;
	r = prop_list_read(m, &devices[status->n_devices]);
	if (r >= 0) {
		status->n_devices++;
	}
	return r;
}

/* An array of dictionaries, each bare or in a structure of its own (which has room for more, later). */
static int read_devices(sd_bus_message *m, struct status *status)
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
		r = r < 0 ? r : add_device(m, status);
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
	if (r >= 0) {
		r = read_devices(m, &status);
	}
	if (r < 0) {
		status_fini(&status);
		return r;
	}
	*ret_status = status;
	return 0;
}

void status_fini(struct status *status)
{
	prop_list_fini(&status->daemon);
	for (unsigned i = 0; i < status->n_devices; i++) {
		prop_list_fini(&status->devices[i]);
	}
	free(status->devices);
	status->devices = NULL;
	status->n_devices = 0;
}

int status_find(const struct status *status, const char *name)
{
	for (unsigned i = 0; i < status->n_devices; i++) {
		if (strcmp(prop_string(&status->devices[i], "name", ""), name) == 0) {
			return (int)i;
		}
	}
	return -ENOENT;
}

void status_keep(struct status *status, unsigned i)
{
	struct prop_list kept = status->devices[i];

	status->devices[i] = status->devices[0];
	status->devices[0] = kept;
	while (status->n_devices > 1) {
		prop_list_fini(&status->devices[--status->n_devices]);
	}
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

/* The members of an object, each on a line of its own; without the last one's line feed. */
static void print_members(FILE *f, const char *indent, const struct known_key *known,
	const struct prop_list *list, const char *reserved)
{
	const char *comma = "";

	for (const struct known_key *key = known; key->name; key++) {
		fprintf(f, "%s%s\"%s\": ", comma, indent, key->name);
		json_prop(f, prop_find(list, key->name), key->decimals);
		comma = ",\n";
	}
	for (unsigned i = 0; i < list->n_props; i++) {
		const char *name = list->props[i].name;

		if (is_known(known, name) || strcmp(name, reserved) == 0) {
			continue;
		}
		fprintf(f, "%s%s", comma, indent);
		json_string(f, name);
		fputs(": ", f);
		json_prop(f, &list->props[i], -1);
	}
}

void status_print_json(const struct status *status, FILE *f)
{
	fputs("{\n", f);
	print_members(f, "  ", daemon_keys, &status->daemon, "devices");
	fputs(",\n  \"devices\": [", f);
	for (unsigned i = 0; i < status->n_devices; i++) {
		fputs(i ? ",\n    {\n" : "\n    {\n", f);
		print_members(f, "      ", device_keys, &status->devices[i], "");
		fputs("\n    }", f);
	}
	fputs(status->n_devices ? "\n  ]\n}\n" : "]\n}\n", f);
}
