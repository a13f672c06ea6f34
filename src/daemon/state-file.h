/*
 * The file of the state folder: what was set at run time, as INI text that ends with a checksum. It is read as a whole
 * or not at all, and replaced as a whole or not at all.
 *
 * Plain values, no ownership but of what format gives. Any thread. Nothing is logged here.
 */
#ifndef DAEMON_STATE_FILE_H
#define DAEMON_STATE_FILE_H

#include "daemon/levels.h"

#include <stddef.h>

#define STATE_FILE_NAME "settings"
#define STATE_FILE_NEW_NAME "settings.new"	   /* while it is being written */
#define STATE_FILE_DAMAGED_NAME "settings.damaged" /* set aside; the last one only */
#define STATE_FILE_MAX (1 << 20)		   /* bytes; 256 full entries have a quarter of that */
#define STATE_ENTRIES_MAX 256
#define STATE_WHY_MAX 160

/* Of a device, or of a [netvst] section: each has what is its own, and zeros elsewhere. */
struct state_entry {
	char name[CONF_NAME_MAX + 1];
	bool netvst;
	enum ethlink_model model;
	struct overrides overrides;
	struct strips strips;
};

/* What was set last stands last. */
struct state_table {
	struct state_entry entries[STATE_ENTRIES_MAX];
	unsigned n;
};

/* A text for the caller to free, and its checksum. 0 or -ENOMEM. */
int state_file_format(
	const struct state_table *table, char **ret_text, size_t *ret_len, uint64_t *ret_checksum);
/* 0, or -EBADMSG and what is wrong with it, in words; then the table is empty. -ENOMEM. */
int state_file_parse(const char *text, size_t len, struct state_table *ret_table, uint64_t *ret_checksum,
	char ret_why[STATE_WHY_MAX]);

/* state-file-netvst.c: the lines of such a section, and what one of them says; false: a value that cannot be. */
void state_file_format_netvst(FILE *f, const struct state_entry *entry);
bool state_file_set_netvst(struct state_entry *entry, const char *name, const char *value);

/*
 * Reads the file in this folder. 0; -ENOENT: there is none; -EBADMSG: it cannot be used, ret_why says why; -ENOMEM,
 * -EMFILE or -ENFILE: this says nothing about the file.
 */
int state_file_read(
	int folder_fd, struct state_table *ret_table, uint64_t *ret_checksum, char ret_why[STATE_WHY_MAX]);
/* Takes a file that cannot be used out of the way. 0 or -errno. */
int state_file_set_aside(int folder_fd);
/*
 * Replaces the file; with 0 it is on the disk. -errno: there is the old one, or the new one, but either is whole. Takes
 * as long as the disk does.
 */
int state_file_write(int folder_fd, const char *text, size_t len);

#endif
