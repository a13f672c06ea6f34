#include "daemon/journal.h"

#include "base/log.h"
#include "base/util.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define VALUE_MAX 1100
#define FIELDS_MAX 4096

/*
 * The journal's own protocol (systemd's "Native Journal Protocol"), not libsystemd's sd_journal_send(): that
 * waits until the journal has room, for as long as it takes, and calls it a success when there is none.
 */
static int journal_fd = -1;
static struct sockaddr_un journal_address;

struct fields {
	char bytes[FIELDS_MAX];
	size_t len;
};

static void append(struct fields *f, const void *data, size_t len)
{
	memcpy(f->bytes + f->len, data, len);
	f->len += len;
}

/* A value with a newline in it must say how long it is. */
static void add(struct fields *f, const char *name, const char *value)
{
	size_t len = strnlen(value, VALUE_MAX);
	uint64_t len_le = htole64(len);

	if (f->len + strlen(name) + sizeof(len_le) + len + 2 > sizeof(f->bytes)) {
		return;
	}
	append(f, name, strlen(name));
	if (memchr(value, '\n', len)) {
		append(f, "\n", 1);
		append(f, &len_le, sizeof(len_le));
	} else {
		append(f, "=", 1);
	}
	append(f, value, len);
	append(f, "\n", 1);
}

static void add_number(struct fields *f, const char *name, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	add(f, name, text);
}

static void journal_sink(const struct log_entry *entry)
{
	struct fields f;

	f.len = 0;
	add(&f, "MESSAGE", entry->text);
	add_number(&f, "PRIORITY", (int)entry->level);
	add(&f, "SYSLOG_IDENTIFIER", "ethlinkd");
	add(&f, "CODE_FILE", entry->file);
	add_number(&f, "CODE_LINE", entry->line);
	add(&f, "CODE_FUNC", entry->func);
	if (entry->device) {
		add(&f, "ETHLINK_DEVICE", entry->device);
	}
	if (entry->interface) {
		add(&f, "ETHLINK_INTERFACE", entry->interface);
	}
	if (sendto(journal_fd, f.bytes, f.len, MSG_NOSIGNAL, (const struct sockaddr *)&journal_address,
		    sizeof(journal_address)) < 0) {
		log_to_stderr(entry);
	}
}

void journal_begin_at(const char *socket_path)
{
	log_limit_repeats(true);
	if (!log_stderr_is_journal() || strlen(socket_path) >= sizeof(journal_address.sun_path)) {
		return;
	}
	if (journal_fd < 0) {
		journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (journal_fd < 0) {
		return;
	}
	memset(&journal_address, 0, sizeof(journal_address));
	journal_address.sun_family = AF_UNIX;
	memcpy(journal_address.sun_path, socket_path, strlen(socket_path));
	log_set_sink(journal_sink);
}

void journal_begin(void)
{
	journal_begin_at("/run/systemd/journal/socket");
}
