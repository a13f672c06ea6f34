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
/* No line that we wrote is longer: two port names, which JACK cuts at 320 bytes; PipeWire has shorter ones. */
#define LINE_MAX_BYTES 2048
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

/* A line is a kind of server, our port, and the other, with tabs between. */
static bool split(char *line, const char *ret_words[3])
{
	char *end = strchr(line, '\n');
	char *first = strchr(line, '\t');
	char *second = first ? strchr(first + 1, '\t') : NULL;

	if (!end || !second || second > end) {
		return false;
	}
	*end = '\0';
	*first = '\0';
	*second = '\0';
	ret_words[0] = line;
	ret_words[1] = first + 1;
	ret_words[2] = second + 1;
	return true;
}

static struct backend *of_kind(const struct manager *m, const char *kind)
{
	if (m->jack && strcmp(kind, backend_kind(m->jack)) == 0) {
		return m->jack;
	}
	return m->pipewire && strcmp(kind, backend_kind(m->pipewire)) == 0 ? m->pipewire : NULL;
}

void patch_load(struct manager *m)
{
	char path[PATH_MAX], line[LINE_MAX_BYTES];
	const char *words[3];
	unsigned n = 0;
	FILE *f;

	if (find_path(path, sizeof(path), "") < 0) {
		return;
	}
	f = fopen(path, "re");
	if (!f) {
		return;
	}
	/* A line of another form is passed over: then somebody else wrote it. */
	while (n < LINES_MAX && fgets(line, sizeof(line), f)) {
		struct backend *b = split(line, words) ? of_kind(m, words[0]) : NULL;

		if (b) {
			backend_add_link(b, words[1], words[2]);
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

struct writer {
	FILE *f;
	const char *kind;
};

static void write_link(void *data, const char *port, const char *other)
{
	const struct writer *w = data;

	if (!strchr(other, '\n')) {
		fprintf(w->f, "%s\t%s\t%s\n", w->kind, port, other);
	}
}

/* Names of ports are others for each kind of server: what one remembers is nothing to the other. */
static void write_links(struct backend *b, FILE *f)
{
	struct writer w = {.f = f};

	if (b) {
		w.kind = backend_kind(b);
		backend_get_links(b, write_link, &w);
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
	write_links(m->jack, f);
	write_links(m->pipewire, f);
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
