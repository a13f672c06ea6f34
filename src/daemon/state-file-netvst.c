/* What is kept of a [netvst] section: gain and mute of its two strips. Its configuration says nothing about them. */
#include "daemon/netvst.h"
#include "daemon/state-file.h"

#include <stdlib.h>
#include <string.h>

static const char *const strip_names[LEVELS_STRIPS] = {"send", "return"};

void state_file_format_netvst(FILE *f, const struct state_entry *e)
{
	fprintf(f, "\n[netvst %s]\n", e->name);
	for (unsigned k = 0; k < LEVELS_STRIPS; k++) {
		if (e->strips.gain_db[k] != 0) {
			fprintf(f, "gain-%s = %d\n", strip_names[k], e->strips.gain_db[k]);
		}
		if (e->strips.mute[k]) {
			fprintf(f, "mute-%s = yes\n", strip_names[k]);
		}
	}
}

static bool set_gain(struct strips *strips, unsigned k, const char *value)
{
	char *end;
	long db = strtol(value, &end, 10);

	if (strips->gain_db[k] != 0 || end == value || *end || db < NETVST_GAIN_MIN_DB ||
		db > NETVST_GAIN_MAX_DB) {
		return false;
	}
	strips->gain_db[k] = (int)db;
	return true;
}

bool state_file_set_netvst(struct state_entry *e, const char *name, const char *value)
{
	for (unsigned k = 0; k < LEVELS_STRIPS; k++) {
		if (strncmp(name, "gain-", 5) == 0 && strcmp(name + 5, strip_names[k]) == 0) {
			return set_gain(&e->strips, k, value);
		}
		if (strncmp(name, "mute-", 5) == 0 && strcmp(name + 5, strip_names[k]) == 0) {
			bool again = e->strips.mute[k];

			e->strips.mute[k] = strcmp(value, "yes") == 0;
			return e->strips.mute[k] && !again;
		}
	}
	return false;
}
