#include "daemon/state.h"

#include "base/log.h"
#include "base/util.h"
#include "daemon/folder.h"
#include "daemon/state-file.h"
#include "daemon/state-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DELAY_MS 1000
/* The first new attempt comes after the delay, each further one after twice as long, up to this many delays. */
#define BACKOFF_MAX 60

struct state {
	sd_event *event;
	sd_event_source *timer;
	sd_event_source *done;
	char path[PATH_MAX]; /* "": there is none */
	int folder_fd;	     /* -1: to be opened at the next attempt */
	bool foreign;	     /* another ethlinkd has the folder */
	bool ending;
	bool writing;
	struct state_table table;
	struct state_table read; /* what the file has, while it is taken over */
	uint64_t changes;	 /* counts those of the table */
	uint64_t given;		 /* as many of them are with the writer */
	uint64_t written;	 /* as many are on the disk */
	uint64_t given_checksum;
	uint64_t checksum; /* of what is on the disk */
	bool checksum_known;
	unsigned delay_ms;
	unsigned failures; /* without a success in between */
	int failure;	   /* the last one */
	int said;	   /* the last one that was said */
	struct state_writer writer;
};

/* --- the table --- */

static bool levels_equal(const struct levels *a, const struct levels *b)
{
	return memcmp(a->gain_db, b->gain_db, sizeof(a->gain_db)) == 0 &&
	       memcmp(a->mute, b->mute, sizeof(a->mute)) == 0 &&
	       memcmp(a->phantom, b->phantom, sizeof(a->phantom)) == 0;
}

static bool overrides_equal(const struct overrides *a, const struct overrides *b)
{
	return memcmp(a->gain_set, b->gain_set, sizeof(a->gain_set)) == 0 &&
	       memcmp(a->mute_set, b->mute_set, sizeof(a->mute_set)) == 0 &&
	       memcmp(a->phantom_set, b->phantom_set, sizeof(a->phantom_set)) == 0 &&
	       levels_equal(&a->value, &b->value) && levels_equal(&a->conf, &b->conf) &&
	       a->volume_set == b->volume_set && a->volume_mute == b->volume_mute &&
	       memcmp(a->volume, b->volume, sizeof(a->volume)) == 0;
}

static bool entries_equal(const struct state_entry *a, const struct state_entry *b)
{
	return a->netvst == b->netvst && a->model == b->model &&
	       overrides_equal(&a->overrides, &b->overrides) &&
	       memcmp(a->strips.gain_db, b->strips.gain_db, sizeof(a->strips.gain_db)) == 0 &&
	       memcmp(a->strips.mute, b->strips.mute, sizeof(a->strips.mute)) == 0;
}

/* What is not set is of no meaning; zeros, so that two can be compared. */
static void copy_set(const struct overrides *from, struct overrides *ret_to)
{
	struct overrides *to = ret_to;

	memset(to, 0, sizeof(*to));
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		to->gain_set[k] = from->gain_set[k];
		to->mute_set[k] = from->mute_set[k];
		if (from->gain_set[k]) {
			to->value.gain_db[k] = from->value.gain_db[k];
			to->conf.gain_db[k] = from->conf.gain_db[k];
		}
		if (from->mute_set[k]) {
			to->value.mute[k] = from->value.mute[k];
			to->conf.mute[k] = from->conf.mute[k];
		}
	}
	if (from->volume_set) {
		overrides_set_volume(to, from->volume, from->volume_mute);
	}
	for (unsigned i = 0; i < LEVELS_PHANTOMS; i++) {
		to->phantom_set[i] = from->phantom_set[i];
		if (from->phantom_set[i]) {
			to->value.phantom[i] = from->value.phantom[i];
			to->conf.phantom[i] = from->conf.phantom[i];
		}
	}
}

/* Its place; the number of entries where there is none. */
static unsigned find(const struct state_table *t, const char *name)
{
	unsigned i = 0;

	while (i < t->n && strcmp(t->entries[i].name, name) != 0) {
		i++;
	}
	return i;
}

static void take_out(struct state_table *t, unsigned i)
{
	t->n--;
	memmove(&t->entries[i], &t->entries[i + 1], (t->n - i) * sizeof(t->entries[0]));
}

static void append(struct state_table *t, const struct state_entry *entry)
{
	if (t->n == STATE_ENTRIES_MAX) {
		log_notice("settings of more than %d devices and netvst sections; forgetting those of %s, "
			   "which were set first",
			STATE_ENTRIES_MAX, t->entries[0].name);
		take_out(t, 0);
	}
	t->entries[t->n++] = *entry;
}

/* --- failures --- */

static const char *advice(int r)
{
	switch (r) {
	case -ENOSPC:
	case -EDQUOT:
		return "make room there";
	case -EACCES:
	case -EPERM:
		return "let the user that runs ethlinkd write to that folder";
	case -EROFS:
		return "make it writable, or set STATE_DIRECTORY to a folder that is";
	case -ENOTDIR:
		return "take away the file that stands where the folder should be";
	default:
		return "look at that folder and its disk";
	}
}

static void arm(struct state *s, uint64_t delay_ms)
{
	uint64_t usec;

	if (sd_event_now(s->event, CLOCK_MONOTONIC, &usec) >= 0) {
		(void)sd_event_source_set_time(s->timer, usec + delay_ms * 1000);
		(void)sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
	}
}

static bool armed(const struct state *s)
{
	return sd_event_source_get_enabled(s->timer, NULL) > 0;
}

/* Said once for each cause; tried again less and less often. */
static void failed(struct state *s, int r)
{
	/* The disk may have the new file or the old one. */
	s->checksum_known = false;
	s->failure = r;
	if (s->ending) {
		return;
	}
	if (r != s->said) {
		log_warning("%s/" STATE_FILE_NAME
			    " cannot be written: %s; what is set counts, but only until ethlinkd ends; %s; "
			    "trying again",
			s->path, strerror(-r), advice(r));
		s->said = r;
	}
	arm(s, (uint64_t)s->delay_ms * (s->failures < 6 ? 1U << s->failures : BACKOFF_MAX));
	s->failures += s->failures < 6;
}

/* --- the folder --- */

static void say_damaged(struct state *s, const char *why)
{
	int r;

	if (s->foreign) {
		log_warning("%s/" STATE_FILE_NAME " cannot be used: %s; the configuration's values are used",
			s->path, why);
		return;
	}
	r = state_file_set_aside(s->folder_fd);
	if (r < 0) {
		log_warning("%s/" STATE_FILE_NAME " cannot be used: %s; the configuration's values are used. "
			    "It cannot be renamed (%s), and is replaced at the next change",
			s->path, why, strerror(-r));
		return;
	}
	log_warning("%s/" STATE_FILE_NAME " cannot be used: %s; it is now %s/" STATE_FILE_DAMAGED_NAME
		    ", and the configuration's values are used",
		s->path, why, s->path);
}

/* What was set here meanwhile is newer than the file. */
static void take_over(struct state *s)
{
	s->checksum_known = s->table.n == 0;
	for (unsigned i = 0; i < s->table.n; i++) {
		unsigned k = find(&s->read, s->table.entries[i].name);

		if (k < s->read.n) {
			take_out(&s->read, k);
		}
		append(&s->read, &s->table.entries[i]);
	}
	s->table = s->read;
}

static void close_folder(struct state *s)
{
	if (s->folder_fd >= 0) {
		close(s->folder_fd);
	}
	s->folder_fd = -1;
	s->checksum_known = false;
}

/* Opens the folder and reads the file. 0, or -errno where the folder cannot be had or there is no memory. */
static int open_folder(struct state *s)
{
	char why[STATE_WHY_MAX];
	int r = folder_make(s->path);

	if (r < 0) {
		return r;
	}
	s->folder_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->folder_fd < 0) {
		return -errno;
	}
	/* The folder is the lock: it goes with the process, and leaves no file. Where there are no locks, there is none. */
	s->foreign = flock(s->folder_fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	if (s->foreign) {
		log_warning("another ethlinkd keeps its settings in %s; what is set in this one is not kept. "
			    "To have both keep theirs, start this one with STATE_DIRECTORY set to another "
			    "folder",
			s->path);
	}
	r = state_file_read(s->folder_fd, &s->read, &s->checksum, why);
	if (r == -EBADMSG) {
		say_damaged(s, why);
	} else if (r >= 0) {
		take_over(s);
	} else if (r != -ENOENT) {
		close_folder(s);
		return r;
	}
	return 0;
}

/* --- writing --- */

static void write_now(struct state *s)
{
	struct stat st;
	char *text;
	size_t len;
	int r = 0;

	/* Somebody has removed the folder: it is made again. */
	if (s->folder_fd >= 0 && (fstat(s->folder_fd, &st) < 0 || st.st_nlink == 0)) {
		close_folder(s);
	}
	if (s->folder_fd < 0) {
		r = open_folder(s);
	}
	if (r >= 0 && !s->foreign) {
		r = state_file_format(&s->table, &text, &len, &s->given_checksum);
	}
	if (r < 0) {
		failed(s, r);
		return;
	}
	if (s->foreign) {
		return;
	}
	s->given = s->changes;
	/* Set and set back. */
	if (s->checksum_known && s->given_checksum == s->checksum) {
		s->written = s->given;
		free(text);
		return;
	}
	s->writing = true;
	state_writer_give(&s->writer, s->folder_fd, text, len);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct state *s = data;

	if (!s->writing) {
		write_now(s);
	}
	return 0;
}

static void collect(struct state *s, bool wait)
{
	int r;

	if (!s->writing || !state_writer_take(&s->writer, wait, &r)) {
		return;
	}
	s->writing = false;
	if (r < 0) {
		failed(s, r);
		return;
	}
	s->written = s->given;
	s->checksum = s->given_checksum;
	s->checksum_known = true;
	if (s->said) {
		log_notice("%s/" STATE_FILE_NAME " is written again", s->path);
	}
	s->said = 0;
	s->failures = 0;
	if (s->changes > s->written && !armed(s)) {
		arm(s, s->delay_ms);
	}
}

static int on_done(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	eventfd_t value;

	(void)eventfd_read(fd, &value);
	collect(data, false);
	return 0;
}

/* --- from outside --- */

static int set_up(struct state *s)
{
	struct state_writer *w = &s->writer;
	int r;

	r = state_writer_init(w);
	r = r < 0 ? r : sd_event_add_io(s->event, &s->done, w->done_fd, EPOLLIN, on_done, s);
	r = r < 0 ? r : sd_event_add_time(s->event, &s->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, s);
	r = r < 0 ? r : sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	if (r < 0) {
		return r;
	}
	r = folder_state(s->path, sizeof(s->path));
	if (r < 0) {
		s->path[0] = '\0';
		log_warning(
			"there is no folder to keep in what is set at run time: %s. Set STATE_DIRECTORY to "
			"one",
			r == -ENOENT ? "this user has no home" : strerror(-r));
		return 0;
	}
	r = open_folder(s);
	if (r == -ENOMEM) {
		return r;
	}
	if (r < 0) {
		s->said = r;
		log_warning("what is set at run time cannot be kept in %s: %s; %s", s->path, strerror(-r),
			advice(r));
	}
	return 0;
}

int state_new(sd_event *event, struct state **ret_state)
{
	struct state *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		return -ENOMEM;
	}
	s->event = sd_event_ref(event);
	s->folder_fd = -1;
	s->delay_ms = DELAY_MS;
	r = set_up(s);
	if (r < 0) {
		state_free(s);
		return r;
	}
	*ret_state = s;
	return 0;
}

void state_free(struct state *s)
{
	if (!s) {
		return;
	}
	s->ending = true;
	collect(s, true);
	if (s->changes > s->written && *s->path && !s->foreign) {
		write_now(s);
		collect(s, true);
	}
	if (s->changes > s->written && *s->path && !s->foreign) {
		log_warning("%s/" STATE_FILE_NAME " cannot be written: %s; what was set last is lost; %s",
			s->path, strerror(-s->failure), advice(s->failure));
	}
	sd_event_source_disable_unref(s->done);
	sd_event_source_disable_unref(s->timer);
	state_writer_fini(&s->writer);
	close_folder(s);
	sd_event_unref(s->event);
	free(s);
}

static const struct state_entry *get(const struct state *state, const char *name, bool netvst)
{
	unsigned i = state ? find(&state->table, name) : 0;

	return state && i < state->table.n && state->table.entries[i].netvst == netvst
		       ? &state->table.entries[i]
		       : NULL;
}

/* gone: nothing is set. */
static void put(struct state *s, const struct state_entry *entry, bool gone)
{
	unsigned i = find(&s->table, entry->name);

	if (i == s->table.n ? gone : entries_equal(&s->table.entries[i], entry)) {
		return;
	}
	if (i < s->table.n) {
		take_out(&s->table, i);
	}
	if (!gone) {
		append(&s->table, entry);
	}
	s->changes++;
	if (*s->path && !s->foreign && !armed(s)) {
		arm(s, s->delay_ms);
	}
}

void state_get(const struct state *state, const char *name, enum ethlink_model model,
	struct overrides *ret_overrides)
{
	const struct state_entry *entry = get(state, name, false);

	if (entry && entry->model == model) {
		*ret_overrides = entry->overrides;
	} else {
		memset(ret_overrides, 0, sizeof(*ret_overrides));
	}
}

void state_put(struct state *s, const char *name, enum ethlink_model model, const struct overrides *overrides)
{
	struct state_entry entry = {.model = model};

	if (!s || strlen(name) > CONF_NAME_MAX) {
		return;
	}
	strcpy(entry.name, name);
	copy_set(overrides, &entry.overrides);
	put(s, &entry, overrides_empty(&entry.overrides));
}

void state_get_strips(const struct state *state, const char *name, struct strips *ret_strips)
{
	const struct state_entry *entry = get(state, name, true);

	if (entry) {
		*ret_strips = entry->strips;
	} else {
		memset(ret_strips, 0, sizeof(*ret_strips));
	}
}

void state_put_strips(struct state *s, const char *name, const struct strips *strips)
{
	struct state_entry entry = {.netvst = true, .strips = *strips};

	if (!s || strlen(name) > CONF_NAME_MAX) {
		return;
	}
	strcpy(entry.name, name);
	put(s, &entry, strips_empty(strips));
}

void state_set_delay_ms(struct state *state, unsigned delay_ms)
{
	state->delay_ms = delay_ms;
}

uint64_t state_changes(const struct state *state)
{
	return state->changes;
}

uint64_t state_written(const struct state *state)
{
	return state->written;
}
