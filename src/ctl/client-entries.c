#include "ctl/client-entries.h"

#include "ctl/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void entry_free(struct client_entry *entry)
{
	client_device_fini(&entry->device);
	client_netvst_fini(&entry->netvst);
	free(entry->path);
	free(entry);
}

void client_entries_fini(struct client_entries *list)
{
	for (unsigned i = 0; i < list->n; i++) {
		entry_free(list->entries[i]);
	}
	free(list->entries);
	*list = (struct client_entries){0};
}

struct client_entry *client_entries_find(const struct client_entries *list, const char *path)
{
	for (unsigned i = 0; i < list->n; i++) {
		if (strcmp(list->entries[i]->path, path) == 0) {
			return list->entries[i];
		}
	}
	return NULL;
}

int client_entries_add(struct client_entries *list, const char *path)
{
	struct client_entry **entries = reallocarray(list->entries, list->n + 1, sizeof(*entries));
	struct client_entry *entry;

	if (!entries) {
		return -ENOMEM;
	}
	list->entries = entries;
	entry = calloc(1, sizeof(*entry));
	if (!entry) {
		return -ENOMEM;
	}
	client_device_init(&entry->device);
	client_netvst_init(&entry->netvst);
	entry->path = strdup(path);
	if (!entry->path) {
		free(entry);
		return -ENOMEM;
	}
	entries[list->n++] = entry;
	return 0;
}

void client_entries_remove(struct client_entries *list, unsigned i)
{
	entry_free(list->entries[i]);
	list->n--;
	memmove(&list->entries[i], &list->entries[i + 1], (list->n - i) * sizeof(struct client_entry *));
}

/* One interface of the object at path, whose name comes next in m. 0 or -errno. */
static int read_interface(sd_bus_message *m, const char *path, struct client_entries *list)
{
	const char *interface;
	struct prop_list props;
	int r = sd_bus_message_read(m, "s", &interface);

	if (r < 0 || strcmp(interface, CLIENT_NETVST) != 0) {
		return r < 0 ? r : sd_bus_message_skip(m, "a{sv}");
	}
	r = prop_list_read(m, &props);
	if (r < 0) {
		return r;
	}
	r = client_entries_add(list, path);
	r = r < 0 ? r : client_netvst_apply(&list->entries[list->n - 1]->netvst, &props);
	prop_list_fini(&props);
	return r;
}

static int read_object(sd_bus_message *m, struct client_entries *list)
{
	const char *path;
	int r = sd_bus_message_read(m, "o", &path);

	r = r < 0 ? r : sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sa{sv}")) > 0) {
		r = read_interface(m, path, list);
		r = r < 0 ? r : sd_bus_message_exit_container(m);
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int compare(const void *a, const void *b)
{
	return strcmp((*(struct client_entry *const *)a)->path, (*(struct client_entry *const *)b)->path);
}

int client_entries_read_netvst(sd_bus_message *m, struct client_entries *list)
{
	int r = sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}");

	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}")) > 0) {
		r = read_object(m, list);
		r = r < 0 ? r : sd_bus_message_exit_container(m);
	}
	if (list->n > 1) {
		qsort(list->entries, list->n, sizeof(struct client_entry *), compare);
	}
	return r < 0 ? r : 0;
}

static void keep_meters(struct client_entry *entry, const struct client_entry *old)
{
	struct client_device *device = &entry->device;

	client_netvst_copy_peaks(&entry->netvst, &old->netvst);
	if (old->device.has_peaks) {
		device->has_peaks = true;
		memcpy(device->peak_dbfs, old->device.peak_dbfs, sizeof(device->peak_dbfs));
		memcpy(device->hold_dbfs, old->device.hold_dbfs, sizeof(device->hold_dbfs));
		memcpy(device->clips, old->device.clips, sizeof(device->clips));
	}
}

void client_entries_take_over(struct client_entries *list, struct client_entries *fresh)
{
	for (unsigned i = 0; i < fresh->n; i++) {
		const struct client_entry *old = client_entries_find(list, fresh->entries[i]->path);

		if (old) {
			keep_meters(fresh->entries[i], old);
		}
	}
	client_entries_fini(list);
	*list = *fresh;
	*fresh = (struct client_entries){0};
}
