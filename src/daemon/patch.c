#include "daemon/patch.h"

#include "base/util.h"
#include "daemon/folder.h"
#include "daemon/manager.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Patch bays connect many ports in one go. */
#define SAVE_NS (300 * NSEC_PER_MSEC)
/* No line that we wrote is longer: two of JACK's longest port names. */
#define LINE_MAX_BYTES 1024
#define LINES_MAX 4096

static int find_path(char *ret_path, size_t size, const char *suffix)
{
	char folder[PATH_MAX];
	int r = folder_runtime(folder, sizeof(folder));
	int n;

	if (r < 0) {
		return r;
	}
	n = snprintf(ret_path, size, "%s/connections%s", folder, suffix);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

void patch_load(struct manager *m)
{
	char path[PATH_MAX], line[LINE_MAX_BYTES];
	unsigned n = 0;
	FILE *f;

	if (find_path(path, sizeof(path), "") < 0) {
		return;
	}
	f = fopen(path, "re");
	if (!f) {
		return;
	}
	/* Our port, a tab, the other. A line of another form is passed over: then somebody else wrote it. */
	while (n < LINES_MAX && fgets(line, sizeof(line), f)) {
		char *tab = strchr(line, '\t');
		char *end = strchr(line, '\n');

		if (tab && end && tab < end) {
			*tab = '\0';
			*end = '\0';
			backend_add_link(m->backend, line, tab + 1);
			n++;
		}
	}
	fclose(f);
	if (n > 0) {
		log_notice(
			"the last ethlinkd here did not end by itself; making its %u connections again", n);
	}
}

void patch_changed(struct manager *m)
{
	if (m->links_save_ns == 0) {
		m->links_save_ns = now_ns() + SAVE_NS;
	}
}

static void write_link(void *data, const char *port, const char *other)
{
	if (!strchr(other, '\n')) {
		fprintf(data, "%s\t%s\n", port, other);
	}
}

static int save(struct manager *m)
{
	char path[PATH_MAX], new[PATH_MAX];
	FILE *f;
	int r;

	r = find_path(path, sizeof(path), "");
	r = r < 0 ? r : find_path(new, sizeof(new), ".new");
	if (r < 0) {
		return r;
	}
	f = fopen(new, "we");
	if (!f) {
		return -errno;
	}
	backend_get_links(m->backend, write_link, f);
	r = ferror(f) ? -EIO : 0;
	if (fclose(f) != 0 && r >= 0) {
		r = -errno;
	}
	if (r >= 0 && rename(new, path) < 0) {
		r = -errno;
	}
	return r;
}

void patch_save(struct manager *m, int64_t now)
{
	int r;

	if (m->links_save_ns == 0 || now < m->links_save_ns || m->stopping) {
		return;
	}
	m->links_save_ns = 0;
	r = save(m);
	if (r < 0) {
		log_warning("the connections cannot be written down in the runtime folder: %s; after a crash "
			    "they would "
			    "have to be made by hand",
			strerror(-r));
	}
}

void patch_forget(struct manager *m)
{
	char path[PATH_MAX];

	if (find_path(path, sizeof(path), "") >= 0) {
		(void)unlink(path);
	}
}
