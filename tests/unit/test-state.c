/* Settings that survive: the folder, the file, what is done with a damaged one, and with a disk that does not take it. */
#include "base/log.h"
#include "base/util.h"
#include "daemon/folder.h"
#include "daemon/state-file.h"
#include "daemon/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define LINES 32
#define DELAY_MS 5
#define LATE_MS 200
#define DEADLINE_NS (20 * NSEC_PER_SEC)
#define TEXT_MAX (STATE_FILE_MAX + 16)

static char top[PATH_MAX];    /* of one test */
static char folder[PATH_MAX]; /* in it, the state folder */
static sd_event *event;
static char lines[LINES][1200];
static enum log_level levels[LINES];
static unsigned n_lines;
static int watch_fd;
static unsigned renames;  /* to settings */
static unsigned attempts; /* settings.new was made */

/*
 * In place of the C library's: what a power failure would show is only in the order of these. F: a file is synced, R:
 * renamed, D: a folder is synced.
 */
static char order[16];
static _Atomic int sync_error;

static void took(char what)
{
	size_t len = strlen(order);

	if (len + 1 < sizeof(order)) {
		order[len] = what;
	}
}

int fsync(int fd)
{
	struct stat st;

	took(fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? 'D' : 'F');
	if (sync_error) {
		errno = sync_error;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	took('R');
	return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

static void sink(const struct log_entry *e)
{
	if (n_lines < LINES) {
		levels[n_lines] = e->level;
		snprintf(lines[n_lines], sizeof(lines[0]), "%s", e->text);
	}
	n_lines++;
}

/* No file gets larger than this: a full disk that needs no rights. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void remove_all(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int begin(void **state)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(top, sizeof(top), "%s/test-state-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(top) || sd_event_new(&event) < 0) {
		return -1;
	}
	snprintf(folder, sizeof(folder), "%.4000s/ethlinkd", top);
	setenv("STATE_DIRECTORY", folder, 1);
	log_set_sink(sink);
	n_lines = 0;
	watch_fd = -1;
	return 0;
}

static int end(void **state)
{
	limit_files(RLIM_INFINITY);
	log_set_sink(NULL);
	sd_event_unref(event);
	if (watch_fd >= 0) {
		close(watch_fd);
	}
	remove_all(top);
	return 0;
}

/* --- files --- */

static const char *in_folder(const char *name)
{
	static char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static bool exists(const char *name)
{
	struct stat st;

	return lstat(in_folder(name), &st) == 0;
}

static void write_file(const char *name, const void *bytes, size_t len)
{
	FILE *f;

	assert_int_equal(folder_make(folder), 0);
	f = fopen(in_folder(name), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static char *read_file(const char *name, size_t *ret_len)
{
	static char text[TEXT_MAX];
	FILE *f = fopen(in_folder(name), "r");

	assert_non_null(f);
	*ret_len = fread(text, 1, sizeof(text) - 1, f);
	text[*ret_len] = '\0';
	fclose(f);
	return text;
}

static void watch(void)
{
	assert_int_equal(folder_make(folder), 0);
	renames = attempts = 0;
	watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(inotify_add_watch(watch_fd, folder, IN_CREATE | IN_MOVED_TO) >= 0);
}

static void count_events(void)
{
	char buffer[4096] __attribute__((aligned(8)));
	ssize_t n;

	while (watch_fd >= 0 && (n = read(watch_fd, buffer, sizeof(buffer))) > 0) {
		for (char *p = buffer; p < buffer + n;) {
			struct inotify_event *e = (struct inotify_event *)(void *)p;

			renames += (e->mask & IN_MOVED_TO) && strcmp(e->name, "settings") == 0;
			attempts += (e->mask & IN_CREATE) && strcmp(e->name, "settings.new") == 0;
			p += sizeof(*e) + e->len;
		}
	}
}

/* --- states --- */

static struct state *begin_state(void)
{
	struct state *s;

	assert_int_equal(state_new(event, &s), 0);
	state_set_delay_ms(s, DELAY_MS);
	return s;
}

#define RUN_UNTIL(condition)                                                                                 \
	do {                                                                                                 \
		int64_t deadline_ns = now_ns() + DEADLINE_NS;                                                \
                                                                                                             \
		while (count_events(), !(condition)) {                                                       \
			assert_true(now_ns() < deadline_ns);                                                 \
			assert_true(sd_event_run(event, 10000) >= 0);                                        \
		}                                                                                            \
	} while (0)

static void run_until_written(struct state *s)
{
	RUN_UNTIL(state_written(s) == state_changes(s));
}

static void put_gain(struct state *s, const char *name, unsigned channel, int db)
{
	struct overrides o;

	state_get(s, name, ETHLINK_DAC8, &o);
	o.gain_set[channel - 1] = true;
	o.value.gain_db[channel - 1] = db;
	o.conf.gain_db[channel - 1] = -3;
	state_put(s, name, ETHLINK_DAC8, &o);
}

/* -100: not set. */
static int get_gain(const struct state *s, const char *name, unsigned channel)
{
	struct overrides o;

	state_get(s, name, ETHLINK_DAC8, &o);
	return o.gain_set[channel - 1] ? o.value.gain_db[channel - 1] : -100;
}

static void assert_line(unsigned i, enum log_level level, const char *part)
{
	assert_true(i < n_lines);
	assert_int_equal(levels[i], level);
	if (!strstr(lines[i], part)) {
		fail_msg("\"%s\" is not in: %s", part, lines[i]);
	}
}

static uint64_t fnv(const char *text, size_t len)
{
	uint64_t h = 14695981039346656037ULL;

	for (size_t i = 0; i < len; i++) {
		h ^= (unsigned char)text[i];
		h *= 1099511628211ULL;
	}
	return h;
}

/* A file with this inside and with a checksum that is right. */
static void write_sealed(const char *body)
{
	char *text;
	int n = asprintf(&text, "%s# checksum %016" PRIx64 "\n", body, fnv(body, strlen(body)));

	assert_true(n > 0);
	write_file("settings", text, (size_t)n);
	free(text);
}

/* --- the folder --- */

static void test_folder(void **state)
{
	char path[PATH_MAX], tiny[8], want[PATH_MAX + 64];
	const struct passwd *pw = getpwuid(geteuid());

	setenv("STATE_DIRECTORY", "/var/lib/ethlinkd/a:/var/lib/other", 1);
	setenv("XDG_STATE_HOME", "/x", 1);
	setenv("HOME", "/home/somebody", 1);
	assert_int_equal(folder_state(path, sizeof(path)), 0);
	assert_string_equal(path, "/var/lib/ethlinkd/a");
	assert_int_equal(folder_state(tiny, sizeof(tiny)), -ENAMETOOLONG);
	setenv("STATE_DIRECTORY", "", 1);
	assert_int_equal(folder_state(path, sizeof(path)), 0);
	assert_string_equal(path, "/x/ethlinkd");
	assert_int_equal(folder_state(tiny, sizeof(tiny)), -ENAMETOOLONG);
	unsetenv("STATE_DIRECTORY");
	setenv("XDG_STATE_HOME", "relative", 1);
	assert_int_equal(folder_state(path, sizeof(path)), 0);
	assert_string_equal(path, "/home/somebody/.local/state/ethlinkd");
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	if (pw && pw->pw_dir && *pw->pw_dir) {
		snprintf(want, sizeof(want), "%s/.local/state/ethlinkd", pw->pw_dir);
		assert_int_equal(folder_state(path, sizeof(path)), 0);
		assert_string_equal(path, want);
	} else {
		assert_int_equal(folder_state(path, sizeof(path)), -ENOENT);
	}
	setenv("HOME", top, 1);
}

static void test_folder_make(void **state)
{
	char path[PATH_MAX + 64], long_path[PATH_MAX + 10];
	struct stat st;

	snprintf(path, sizeof(path), "%s/a//b/c/", top);
	umask(022);
	assert_int_equal(folder_make(path), 0);
	assert_int_equal(folder_make(path), 0);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%.*s", top, (int)(2 * i + 1), "a/b/c");
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode, S_IFDIR | 0700);
	}
	snprintf(path, sizeof(path), "%s/file", top);
	assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
	assert_int_equal(folder_make(path), -ENOTDIR);
	strcat(path, "/below");
	assert_int_equal(folder_make(path), -ENOTDIR);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(folder_make(long_path), -ENAMETOOLONG);
}

/* --- what is kept --- */

static void test_nothing(void **state)
{
	struct overrides o;
	struct state *s;
	struct stat st;

	watch();
	s = begin_state();
	memset(&o, 1, sizeof(o));
	state_get(s, "stage", ETHLINK_DAC8, &o);
	assert_true(overrides_empty(&o));
	state_put(s, "stage", ETHLINK_DAC8, &o);
	assert_int_equal(state_changes(s), 0);
	state_free(s);
	state_free(NULL);
	count_events();
	assert_int_equal(attempts, 0);
	assert_false(exists("settings"));
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(n_lines, 0);

	memset(&o, 1, sizeof(o));
	state_get(NULL, "stage", ETHLINK_DAC8, &o);
	assert_true(overrides_empty(&o));
	state_put(NULL, "stage", ETHLINK_DAC8, &(struct overrides){.mute_set[0] = true});
}

static const char whole_file[] =
	"# What was set at run time on ETHlink boxes and NetVST plug-ins. A value here counts until "
	"\"ethlinkctl reset DEVICE\", "
	"or until\n"
	"# the configuration says something else than it did then, which stands behind the value.\n"
	"# Do not edit it: while ethlinkd runs it writes over it, and a file whose checksum is wrong is set "
	"aside\n"
	"# when it starts. Use ethlinkctl.\n"
	"\n"
	"[settings]\n"
	"version = 1\n"
	"\n"
	"[device front-left_2]\n"
	"model = dac8\n"
	"gain-1 = -56 (configuration: 24)\n"
	"gain-8 = 24 (configuration: 0)\n"
	"mute-2 = yes (configuration: no)\n"
	"mute-8 = no (configuration: yes)\n"
	"\n"
	"[device mics]\n"
	"model = adc8\n"
	"gain-3 = 80 (configuration: 0)\n"
	"phantom-1-4 = no (configuration: yes)\n"
	"phantom-5-8 = yes (configuration: no)\n"
	"\n";

static struct overrides front_left(void)
{
	return (struct overrides){
		.gain_set = {true, [7] = true},
		.mute_set = {[1] = true, [7] = true},
		/* What is not set is of no meaning. */
		.value = {.gain_db = {-56, 77, [7] = 24}, .mute = {[1] = true}, .phantom = {true}},
		.conf = {.gain_db = {24, 78}, .mute = {true, [7] = true}},
	};
}

static struct overrides mics(void)
{
	return (struct overrides){
		.gain_set = {[2] = true},
		.phantom_set = {true, true},
		.value = {.gain_db = {[2] = 80}, .phantom = {false, true}},
		.conf = {.phantom = {true, false}},
	};
}

static void assert_set_equal(const struct overrides *a, const struct overrides *b)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		assert_int_equal(a->gain_set[k], b->gain_set[k]);
		assert_int_equal(a->mute_set[k], b->mute_set[k]);
		if (a->gain_set[k]) {
			assert_int_equal(a->value.gain_db[k], b->value.gain_db[k]);
			assert_int_equal(a->conf.gain_db[k], b->conf.gain_db[k]);
		}
		if (a->mute_set[k]) {
			assert_int_equal(a->value.mute[k], b->value.mute[k]);
			assert_int_equal(a->conf.mute[k], b->conf.mute[k]);
		}
	}
	for (unsigned i = 0; i < LEVELS_PHANTOMS; i++) {
		assert_int_equal(a->phantom_set[i], b->phantom_set[i]);
		if (a->phantom_set[i]) {
			assert_int_equal(a->value.phantom[i], b->value.phantom[i]);
			assert_int_equal(a->conf.phantom[i], b->conf.phantom[i]);
		}
	}
}

static void test_round_trip(void **state)
{
	struct overrides fl = front_left(), m = mics(), o;
	struct state *s = begin_state();
	struct stat before, after;
	char *text;
	size_t len;

	state_put(s, "front-left_2", ETHLINK_DAC8, &fl);
	state_put(s, "mics", ETHLINK_ADC8, &m);
	state_free(s);
	text = read_file("settings", &len);
	assert_true(len > strlen(whole_file));
	assert_memory_equal(text, whole_file, strlen(whole_file));
	assert_int_equal(stat(in_folder("settings"), &before), 0);
	assert_int_equal(before.st_mode, S_IFREG | 0600);

	s = begin_state();
	state_get(s, "front-left_2", ETHLINK_DAC8, &o);
	assert_set_equal(&o, &fl);
	state_get(s, "mics", ETHLINK_ADC8, &o);
	assert_set_equal(&o, &m);
	/* The same again is no change. */
	state_put(s, "mics", ETHLINK_ADC8, &m);
	state_put(s, "front-left_2", ETHLINK_DAC8, &fl);
	assert_int_equal(state_changes(s), 0);
	state_free(s);
	assert_int_equal(stat(in_folder("settings"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_false(exists("settings.new"));
	assert_int_equal(n_lines, 0);
}

/* To the last bit; and a file without any, as those of before, is read as ever. */
static void test_volume(void **state)
{
	float volume[ETHLINK_CHANNELS] = {1, 0, 0.1f, 1.0f / 3, 0.99999994f, 1e-30f, 1, 1};
	struct overrides put = front_left(), got;
	struct state *s = begin_state();
	char *text;
	size_t len;

	overrides_set_volume(&put, volume, true);
	state_put(s, "stage", ETHLINK_DAC8, &put);
	state_free(s);
	text = read_file("settings", &len);
	assert_non_null(strstr(text, "\nvolume-2 = 0\nvolume-3 = 0.100000001\n"));
	assert_non_null(strstr(text, "\nvolume-mute = yes\n"));
	assert_null(strstr(text, "\nvolume-1"));
	s = begin_state();
	state_get(s, "stage", ETHLINK_DAC8, &got);
	assert_true(got.volume_set && got.volume_mute);
	assert_memory_equal(got.volume, volume, sizeof(volume));
	assert_set_equal(&got, &put);
	state_put(s, "stage", ETHLINK_DAC8, &put);
	assert_int_equal(state_changes(s), 0);
	/* Nothing else of it is another. */
	volume[5] = 2e-30f;
	overrides_set_volume(&put, volume, true);
	state_put(s, "stage", ETHLINK_DAC8, &put);
	assert_int_equal(state_changes(s), 1);
	overrides_set_volume(&put, volume, false);
	state_put(s, "stage", ETHLINK_DAC8, &put);
	assert_int_equal(state_changes(s), 2);
	state_free(s);
	s = begin_state();
	state_get(s, "stage", ETHLINK_DAC8, &got);
	assert_true(got.volume_set);
	assert_false(got.volume_mute);
	state_free(s);
	assert_int_equal(n_lines, 0);
}

/* Of a netvst section: beside a device's, and none where a device of that name was set. */
static void test_strips(void **state)
{
	const struct strips put = {.gain_db = {-3, 12}, .mute = {false, true}};
	struct overrides fl = front_left(), o;
	struct state *s = begin_state();
	struct strips got;
	char *text;
	size_t len;

	state_put_strips(s, "reverb", &put);
	state_put(s, "stage", ETHLINK_DAC8, &fl);
	state_put_strips(s, "plain", &(struct strips){0});
	state_free(s);
	text = read_file("settings", &len);
	assert_non_null(
		strstr(text, "\n[netvst reverb]\ngain-send = -3\ngain-return = 12\nmute-return = yes\n"));
	assert_null(strstr(text, "plain"));
	s = begin_state();
	state_get_strips(s, "reverb", &got);
	assert_memory_equal(got.gain_db, put.gain_db, sizeof(got.gain_db));
	assert_memory_equal(got.mute, put.mute, sizeof(got.mute));
	state_get(s, "stage", ETHLINK_DAC8, &o);
	assert_set_equal(&o, &fl);
	/* The same again is no change; another is. */
	state_put_strips(s, "reverb", &put);
	assert_int_equal(state_changes(s), 0);
	got.mute[0] = true;
	state_put_strips(s, "reverb", &got);
	assert_int_equal(state_changes(s), 1);
	/* The name of the one says nothing about the other. */
	state_get_strips(s, "stage", &got);
	assert_true(strips_empty(&got));
	state_get(s, "reverb", ETHLINK_DAC8, &o);
	assert_true(overrides_empty(&o));
	state_put_strips(s, "reverb", &(struct strips){0});
	state_free(s);
	s = begin_state();
	state_get_strips(s, "reverb", &got);
	assert_true(strips_empty(&got));
	state_free(s);
	assert_int_equal(n_lines, 0);
}

/* Written some time after the first change; what comes until then goes along. */
static void test_late(void **state)
{
	struct state *s;
	int64_t begin_ns;

	watch();
	s = begin_state();
	state_set_delay_ms(s, LATE_MS);
	begin_ns = now_ns();
	for (int db = -56; db <= 24; db++) {
		put_gain(s, "stage", 1, db);
		assert_true(sd_event_run(event, 1000) >= 0);
	}
	assert_int_equal(state_written(s), 0);
	run_until_written(s);
	assert_true(now_ns() - begin_ns >= LATE_MS * NSEC_PER_MSEC);
	count_events();
	assert_int_equal(renames, 1);
	state_free(s);
	count_events();
	assert_int_equal(renames, 1);
	s = begin_state();
	assert_int_equal(get_gain(s, "stage", 1), 24);
	/* And one by one, all of them are written. */
	for (int db = 0; db < 3; db++) {
		put_gain(s, "stage", 1, db);
		run_until_written(s);
	}
	assert_int_equal(renames, 4);
	state_free(s);
}

/* Who never stops changing things has them written all the same. */
static void test_no_rest(void **state)
{
	struct state *s = begin_state();
	int64_t deadline_ns = now_ns() + DEADLINE_NS;

	for (int i = 0; state_written(s) < 20; i++) {
		put_gain(s, "stage", 1, i % 2);
		assert_true(now_ns() < deadline_ns);
		assert_true(sd_event_run(event, 500) >= 0);
	}
	state_free(s);
}

/* Without a test's orders it takes its time; what it has not written by then, it writes at the end. */
static void test_default_delay(void **state)
{
	int64_t until_ns = now_ns() + LATE_MS * NSEC_PER_MSEC;
	struct state *s;

	watch();
	assert_int_equal(state_new(event, &s), 0);
	put_gain(s, "stage", 1, 1);
	while (now_ns() < until_ns) {
		assert_true(sd_event_run(event, 10000) >= 0);
	}
	count_events();
	assert_int_equal(attempts, 0);
	state_free(s);
	count_events();
	assert_int_equal(renames, 1);
}

static void test_set_back(void **state)
{
	struct state *s = begin_state();

	put_gain(s, "stage", 1, 5);
	run_until_written(s);
	watch();
	put_gain(s, "stage", 1, 6);
	put_gain(s, "stage", 1, 5);
	assert_int_equal(state_changes(s), 3);
	run_until_written(s);
	state_free(s);
	count_events();
	assert_int_equal(attempts, 0);
	/* Also after a new start. */
	s = begin_state();
	put_gain(s, "stage", 1, 6);
	put_gain(s, "stage", 1, 5);
	run_until_written(s);
	state_free(s);
	count_events();
	assert_int_equal(attempts, 0);
}

static void test_reset(void **state)
{
	const struct overrides none = {0};
	struct state *s = begin_state();
	char *text;
	size_t len;

	put_gain(s, "stage", 1, 5);
	put_gain(s, "other", 1, 5);
	run_until_written(s);
	state_put(s, "stage", ETHLINK_DAC8, &none);
	run_until_written(s);
	text = read_file("settings", &len);
	assert_null(strstr(text, "[device stage]"));
	assert_non_null(strstr(text, "[device other]"));
	state_put(s, "other", ETHLINK_DAC8, &none);
	state_free(s);
	text = read_file("settings", &len);
	assert_null(strstr(text, "[device"));
	s = begin_state();
	assert_int_equal(get_gain(s, "stage", 1), -100);
	state_free(s);
	assert_int_equal(n_lines, 0);
}

/* What was set for a dac8 is nothing for an adc8 of the same name; it stays until something is set there. */
static void test_other_model(void **state)
{
	struct overrides m = mics(), o;
	struct state *s = begin_state();

	put_gain(s, "stage", 1, 5);
	state_get(s, "stage", ETHLINK_ADC8, &o);
	assert_true(overrides_empty(&o));
	state_free(s);
	s = begin_state();
	assert_int_equal(get_gain(s, "stage", 1), 5);
	state_put(s, "stage", ETHLINK_ADC8, &m);
	state_free(s);
	s = begin_state();
	assert_int_equal(get_gain(s, "stage", 1), -100);
	state_get(s, "stage", ETHLINK_ADC8, &o);
	assert_set_equal(&o, &m);
	state_free(s);
}

/* Devices that are not configured now keep theirs, but not without end. */
static void test_many(void **state)
{
	struct state *s = begin_state();
	char name[CONF_NAME_MAX + 8];

	for (int i = 0; i < STATE_ENTRIES_MAX + 10; i++) {
		snprintf(name, sizeof(name), "a-name-of-thirty-two-letters-%03d", i % 1000);
		assert_int_equal(strlen(name), CONF_NAME_MAX);
		put_gain(s, name, 1, i % 80 - 56);
		put_gain(s, "in-use", 2, i % 80 - 56);
	}
	state_free(s);
	assert_int_equal(n_lines, 11);
	assert_line(0, LOG_NOTICE, "forgetting those of a-name-of-thirty-two-letters-000");
	n_lines = 0;
	s = begin_state();
	for (int i = 0; i < STATE_ENTRIES_MAX + 10; i++) {
		snprintf(name, sizeof(name), "a-name-of-thirty-two-letters-%03d", i % 1000);
		assert_int_equal(get_gain(s, name, 1), i < 11 ? -100 : i % 80 - 56);
	}
	assert_int_equal(get_gain(s, "in-use", 2), (STATE_ENTRIES_MAX + 9) % 80 - 56);
	state_free(s);
	assert_int_equal(n_lines, 0);
}

/* Everything of 256 boxes fits in. */
static void test_largest(void **state)
{
	static struct state_table table, again;
	struct overrides all;
	uint64_t sum, sum_again;
	char why[STATE_WHY_MAX];
	char *text;
	size_t len;

	memset(&all, 0, sizeof(all));
	memset(all.gain_set, true, sizeof(all.gain_set));
	memset(all.mute_set, true, sizeof(all.mute_set));
	memset(all.phantom_set, true, sizeof(all.phantom_set));
	overrides_set_volume(&all, (const float[ETHLINK_CHANNELS]){1.17549435e-38f}, true);
	table.n = STATE_ENTRIES_MAX;
	for (unsigned i = 0; i < table.n; i++) {
		snprintf(table.entries[i].name, sizeof(table.entries[i].name),
			"a-name-of-thirty-two-letters-%03u", i % 1000);
		table.entries[i].model = ETHLINK_ADC8;
		table.entries[i].overrides = all;
	}
	assert_int_equal(state_file_format(&table, &text, &len, &sum), 0);
	assert_true(len < STATE_FILE_MAX / 2);
	assert_int_equal(state_file_parse(text, len, &again, &sum_again, why), 0);
	assert_int_equal(again.n, table.n);
	assert_true(sum == sum_again);
	assert_set_equal(&again.entries[255].overrides, &all);
	free(text);
}

/* --- damaged files --- */

/* A start with the file as it is: set aside, and one warning that says why. */
static void assert_set_aside(const char *reason)
{
	char where[PATH_MAX + 128];
	struct state *s;

	n_lines = 0;
	s = begin_state();
	if (n_lines != 1) {
		fail_msg("%u lines for: %s", n_lines, reason);
	}
	assert_line(0, LOG_WARNING, reason);
	snprintf(where, sizeof(where),
		"it is now %s/settings.damaged, and the configuration's values are used", folder);
	assert_line(0, LOG_WARNING, where);
	assert_false(exists("settings"));
	assert_true(exists("settings.damaged"));
	assert_int_equal(get_gain(s, "stage", 1), -100);
	state_free(s);
	assert_int_equal(n_lines, 1);
	assert_false(exists("settings"));
}

#define HEAD "[settings]\nversion = 1\n"
#define STAGE HEAD "[device stage]\nmodel = dac8\n"

static void test_wrong_content(void **state)
{
	static const struct {
		const char *body, *reason;
	} cases[] = {
		{"\n", "it does not say its version"},
		{"[settings]\nversion = 2\n", "line 2: version 2, and this ethlinkd reads version 1"},
		{"[settings]\nversion = 1\nversion = 1\n", "line 3: an unknown key"},
		{"[settings]\nversion = 1\nfoo = 1\n", "line 3: an unknown key"},
		{"version = 1\n", "line 1: no version stands before it"},
		{"[device stage]\nmodel = dac8\n" HEAD, "line 2: no version stands before it"},
		{HEAD "nonsense\n", "line 3: no KEY = VALUE"},
		{HEAD "[daemon]\nlog-level = debug\n", "line 4: an unknown section"},
		{HEAD "[device ]\nmodel = dac8\n", "line 4: an unknown section"},
		{HEAD "[device a/b]\nmodel = dac8\n", "line 4: an unknown section"},
		{HEAD "[device a-name-with-one-letter-too-many--]\nmodel = dac8\n",
			"line 4: an unknown section"},
		{HEAD "[device stage]\ngain-1 = 3 (configuration: 0)\n", "line 4: a value that cannot be"},
		{HEAD "[device stage]\nmodel = dac9\n", "line 4: no model that there is"},
		{STAGE "model = dac8\n", "line 5: the second model"},
		{STAGE "gain-1 = 25 (configuration: 0)\n", "line 5: a value that cannot be"},
		{STAGE "gain-1 = -57 (configuration: 0)\n", "line 5: a value that cannot be"},
		{STAGE "gain-1 = 0 (configuration: 25)\n", "line 5: a value that cannot be"},
		{STAGE "gain-1 = 0.5 (configuration: 0)\n", "line 5: a value that cannot be"},
		{STAGE "gain-1 = 4294967296 (configuration: 0)\n", "line 5: a value that cannot be"},
		{STAGE "gain-1 = nan (configuration: 0)\n", "line 5: a value that cannot be"},
		{STAGE "gain-1 = 0\n", "line 5: a value that cannot be"},
		{STAGE "gain-1 = 0 (configuration: 0\n", "line 5: a value that cannot be"},
		{STAGE "gain-1 = 0 (configuration: 0) more\n", "line 5: a value that cannot be"},
		{STAGE "gain-1 =\n", "line 5: a value that cannot be"},
		{STAGE "gain-0 = 0 (configuration: 0)\n", "line 5: a value that cannot be"},
		{STAGE "gain-9 = 0 (configuration: 0)\n", "line 5: a value that cannot be"},
		{STAGE "gain-10 = 0 (configuration: 0)\n", "line 5: a value that cannot be"},
		{STAGE "gain-1 = 1 (configuration: 0)\ngain-1 = 1 (configuration: 0)\n",
			"line 6: a value that cannot be"},
		{STAGE "mute-1 = maybe (configuration: no)\n", "line 5: a value that cannot be"},
		{STAGE "mute-1 = yes (configuration: 0)\n", "line 5: a value that cannot be"},
		{STAGE "mute-1 = yes (configuration: no)\nmute-1 = yes (configuration: no)\n",
			"line 6: a value that cannot be"},
		{STAGE "phantom-1-4 = yes (configuration: no)\n", "line 5: a value that cannot be"},
		{STAGE "solo-1 = yes (configuration: no)\n", "line 5: a value that cannot be"},
		{STAGE "volume-1 = 1.01\n", "line 5: a value that cannot be"},
		{STAGE "volume-1 = -0.1\n", "line 5: a value that cannot be"},
		{STAGE "volume-1 = nan\n", "line 5: a value that cannot be"},
		{STAGE "volume-1 = inf\n", "line 5: a value that cannot be"},
		{STAGE "volume-1 = 0.5x\n", "line 5: a value that cannot be"},
		{STAGE "volume-1 =\n", "line 5: a value that cannot be"},
		{STAGE "volume-0 = 0.5\n", "line 5: a value that cannot be"},
		{STAGE "volume-9 = 0.5\n", "line 5: a value that cannot be"},
		{STAGE "volume-11 = 0.5\n", "line 5: a value that cannot be"},
		{STAGE "volume- = 0.5\n", "line 5: a value that cannot be"},
		{STAGE "volume-1 = 0.5\nvolume-1 = 0.25\n", "line 6: a value that cannot be"},
		{STAGE "volume-mute = 1\n", "line 5: a value that cannot be"},
		{STAGE "volume-mute = yes\nvolume-mute = yes\n", "line 6: a value that cannot be"},
		{STAGE "[device b]\nmodel = dac8\n[device stage]\nmodel = dac8\n",
			"line 8: the second section of stage"},
		{STAGE "[netvst stage]\ngain-send = 1\n", "line 6: the second section of stage"},
		{HEAD "[netvst a/b]\ngain-send = 1\n", "line 4: an unknown section"},
		{HEAD "[netvst a]\ngain-send = 13\n", "line 4: a value that cannot be"},
		{HEAD "[netvst a]\ngain-send = -57\n", "line 4: a value that cannot be"},
		{HEAD "[netvst a]\ngain-send = 1.5\n", "line 4: a value that cannot be"},
		{HEAD "[netvst a]\ngain-send =\n", "line 4: a value that cannot be"},
		{HEAD "[netvst a]\ngain-back = 1\n", "line 4: a value that cannot be"},
		{HEAD "[netvst a]\ngain-send = 1\ngain-send = 2\n", "line 5: a value that cannot be"},
		{HEAD "[netvst a]\nmute-send = no\n", "line 4: a value that cannot be"},
		{HEAD "[netvst a]\nmute-send = yes\nmute-send = yes\n", "line 5: a value that cannot be"},
		{HEAD "[netvst a]\nmodel = dac8\n", "line 4: a value that cannot be"},
		{HEAD "[device m]\nmodel = adc8\nphantom-1-8 = yes (configuration: no)\n",
			"line 5: a value that cannot be"},
		{HEAD "[device m]\nmodel = adc8\ngain-1 = -1 (configuration: 0)\n",
			"line 5: a value that cannot be"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		write_sealed(cases[i].body);
		assert_set_aside(cases[i].reason);
	}
}

static void test_too_many(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	fputs(HEAD, f);
	for (int i = 0; i <= STATE_ENTRIES_MAX; i++) {
		fprintf(f, "[device d%d]\nmodel = dac8\n", i);
	}
	fclose(f);
	write_sealed(text);
	free(text);
	assert_set_aside("more than 256 devices");
}

static void test_not_sealed(void **state)
{
	static char big[10 << 20];
	static const char nul[] = "[settings]\0\nversion = 1\n# checksum 0000000000000000\n";

	write_file("settings", "", 0);
	assert_set_aside("its end is missing");
	write_file("settings", "\n", 1);
	assert_set_aside("its end is missing");
	write_file("settings", HEAD, strlen(HEAD));
	assert_set_aside("its end is missing");
	write_file("settings", HEAD "# checksum 0123456789abcdef\n", strlen(HEAD) + 28);
	assert_set_aside("its checksum is wrong");
	write_file("settings", nul, sizeof(nul) - 1);
	assert_set_aside("it has NUL bytes");
	/* What a file system may leave behind after a power failure. */
	write_file("settings", big, 500);
	assert_set_aside("it has NUL bytes");
	write_file("settings", big, sizeof(big));
	assert_set_aside("it is larger than 1024 KiB");
	memset(big, '\n', sizeof(big));
	write_file("settings", big, STATE_FILE_MAX + 1);
	assert_set_aside("it is larger than 1024 KiB");
	write_file("settings", big, STATE_FILE_MAX);
	assert_set_aside("its end is missing");
}

static void test_after_damage(void **state)
{
	struct state *s;

	for (int i = 0; i < 2; i++) {
		write_file("settings", "bad", 3);
		s = begin_state();
		put_gain(s, "stage", 1, i);
		run_until_written(s);
		state_free(s);
		s = begin_state();
		assert_int_equal(get_gain(s, "stage", 1), i);
		state_free(s);
		assert_int_equal(n_lines, i + 1);
	}
}

/* Cut off anywhere, or with any one bit another: never taken for a whole one. */
static void test_every_byte(void **state)
{
	static struct state_table table;
	struct overrides fl = front_left(), m = mics();
	struct state *s = begin_state();
	char why[STATE_WHY_MAX];
	uint64_t sum;
	char *text;
	size_t len;

	state_put(s, "front-left_2", ETHLINK_DAC8, &fl);
	state_put(s, "mics", ETHLINK_ADC8, &m);
	state_free(s);
	text = read_file("settings", &len);
	assert_int_equal(state_file_parse(text, len, &table, &sum, why), 0);
	assert_int_equal(table.n, 2);
	for (size_t i = 0; i < len; i++) {
		table.n = 77;
		assert_int_equal(state_file_parse(text, i, &table, &sum, why), -EBADMSG);
		assert_int_equal(table.n, 0);
	}
	for (size_t i = 0; i < 8 * len; i++) {
		text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
		assert_int_equal(state_file_parse(text, len, &table, &sum, why), -EBADMSG);
		text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
	}
	text[len] = '\n';
	assert_int_equal(state_file_parse(text, len + 1, &table, &sum, why), -EBADMSG);
	assert_int_equal(state_file_parse(text, len, &table, &sum, why), 0);
}

static void test_no_file(void **state)
{
	assert_int_equal(folder_make(folder), 0);
	assert_int_equal(mkdir(in_folder("settings"), 0700), 0);
	write_file("settings/something", "x", 1);
	assert_set_aside("it is no regular file");
	assert_true(exists("settings.damaged/something"));
	remove_all(in_folder("settings.damaged"));

	/* One from before of any kind gives way. */
	assert_int_equal(mkfifo(in_folder("settings"), 0600), 0);
	assert_set_aside("it is no regular file");
	assert_int_equal(mkdir(in_folder("settings"), 0700), 0);
	assert_set_aside("it is no regular file");
	write_file("settings", "older", 5);
	assert_set_aside("its end is missing");
	write_file("settings", "newer", 5);
	assert_set_aside("its end is missing");
	assert_int_equal(symlink("settings.damaged", in_folder("settings")), 0);
	assert_set_aside("it is no regular file");
	assert_int_equal(symlink("/nowhere", in_folder("settings")), 0);
	assert_set_aside("it is no regular file");
	if (geteuid() != 0) {
		write_file("settings", "secret", 6);
		assert_int_equal(chmod(in_folder("settings"), 0), 0);
		assert_set_aside("it cannot be opened: Permission denied");
	}
}

/* A full folder stands where it would be set aside to. */
static void test_not_set_aside(void **state)
{
	struct state *s;

	assert_int_equal(folder_make(folder), 0);
	assert_int_equal(mkdir(in_folder("settings.damaged"), 0700), 0);
	write_file("settings.damaged/something", "x", 1);
	write_file("settings", "bad", 3);
	s = begin_state();
	assert_int_equal(n_lines, 1);
	assert_line(0, LOG_WARNING, "It cannot be renamed (Directory not empty)");
	assert_true(exists("settings.damaged/something"));
	put_gain(s, "stage", 1, 4);
	state_free(s);
	s = begin_state();
	assert_int_equal(get_gain(s, "stage", 1), 4);
	state_free(s);
	assert_int_equal(n_lines, 1);
}

/* --- more than one --- */

static void test_second(void **state)
{
	struct state *first, *second;
	size_t len;

	first = begin_state();
	put_gain(first, "stage", 1, 1);
	run_until_written(first);
	assert_int_equal(n_lines, 0);
	second = begin_state();
	assert_int_equal(n_lines, 1);
	assert_line(0, LOG_WARNING, "another ethlinkd keeps its settings in ");
	assert_line(0, LOG_WARNING, folder);
	assert_int_equal(get_gain(second, "stage", 1), 1);
	put_gain(second, "stage", 1, 2);
	assert_int_equal(get_gain(second, "stage", 1), 2);
	put_gain(first, "stage", 3, 3);
	run_until_written(first);
	state_free(second);
	assert_null(strstr(read_file("settings", &len), "gain-1 = 2"));
	put_gain(first, "stage", 4, 4);
	run_until_written(first);
	assert_non_null(strstr(read_file("settings", &len), "gain-1 = 1 (configuration: -3)\ngain-3 = 3 "));
	assert_int_equal(n_lines, 1);

	/* Nor does it touch what it cannot read. */
	write_file("settings", "bad", 3);
	second = begin_state();
	assert_int_equal(n_lines, 3);
	assert_line(2, LOG_WARNING, "its end is missing; the configuration's values are used");
	assert_true(exists("settings"));
	assert_false(exists("settings.damaged"));
	state_free(second);
	put_gain(first, "stage", 5, 5);
	state_free(first);
	n_lines = 0;
	first = begin_state();
	assert_int_equal(get_gain(first, "stage", 5), 5);
	state_free(first);
	assert_int_equal(n_lines, 0);
}

/* --- a disk that does not take it --- */

/* Said once, tried again with growing distance, and once more at the end. What was there stays. */
static void test_failing(void **state)
{
	int64_t begin_ns;
	struct state *s;
	size_t len;

	s = begin_state();
	put_gain(s, "stage", 1, 1);
	run_until_written(s);
	watch();
	limit_files(100);
	begin_ns = now_ns();
	put_gain(s, "stage", 1, 2);
	RUN_UNTIL(attempts == 5);
	/* Under load each comes later, never earlier. */
	assert_true(now_ns() - begin_ns >= (1 + 1 + 2 + 4 + 8) * DELAY_MS * NSEC_PER_MSEC);
	limit_files(RLIM_INFINITY);
	assert_int_equal(n_lines, 1);
	assert_line(0, LOG_WARNING,
		"/ethlinkd/settings cannot be written: File too large; what is set counts, but only until");
	assert_int_equal(renames, 0);
	run_until_written(s);
	assert_int_equal(n_lines, 2);
	assert_line(1, LOG_NOTICE, "/ethlinkd/settings is written again");
	assert_non_null(strstr(read_file("settings", &len), "gain-1 = 2"));

	/* It is said again if it happens again, and the first distance is short again; the machine may be slow, once. */
	begin_ns = 0;
	for (unsigned i = 0; i < 10 && begin_ns == 0; i++) {
		n_lines = 0;
		attempts = 0;
		limit_files(100);
		put_gain(s, "stage", 1, 3 + (int)i);
		RUN_UNTIL(attempts == 1);
		begin_ns = now_ns();
		RUN_UNTIL(attempts == 2);
		begin_ns = now_ns() - begin_ns < 10 * DELAY_MS * NSEC_PER_MSEC ? begin_ns : 0;
		assert_int_equal(n_lines, 1);
		limit_files(RLIM_INFINITY);
		run_until_written(s);
	}
	assert_true(begin_ns > 0);
	n_lines = 0;
	put_gain(s, "stage", 1, 2);
	run_until_written(s);
	limit_files(100);
	put_gain(s, "stage", 1, 20);
	state_free(s);
	limit_files(RLIM_INFINITY);
	assert_int_equal(n_lines, 1);
	assert_line(0, LOG_WARNING, "cannot be written: File too large; what was set last is lost");
	assert_non_null(strstr(read_file("settings", &len), "gain-1 = 2"));
	assert_false(exists("settings.new"));
}

/* A disk that fails where it matters, and the order of what is done; only a power failure would show it. */
static void test_order(void **state)
{
	struct state *s = begin_state();
	size_t len;

	memset(order, 0, sizeof(order));
	put_gain(s, "stage", 1, 1);
	run_until_written(s);
	assert_string_equal(order, "FRD");
	memset(order, 0, sizeof(order));
	sync_error = EIO;
	put_gain(s, "stage", 1, 2);
	RUN_UNTIL(n_lines > 0);
	assert_line(0, LOG_WARNING, "cannot be written: Input/output error");
	assert_int_equal(state_written(s), 1);
	assert_non_null(strstr(read_file("settings", &len), "gain-1 = 1"));
	sync_error = 0;
	run_until_written(s);
	assert_null(strchr(strstr(order, "R"), 'F'));
	assert_non_null(strstr(read_file("settings", &len), "gain-1 = 2"));
	state_free(s);
	assert_int_equal(n_lines, 2);
}

/* What a killed daemon has left is no hindrance; what somebody has put there is one. */
static void test_in_the_way(void **state)
{
	struct state *s;

	write_file("settings.new", "half a li", 9);
	assert_int_equal(chmod(in_folder("settings.new"), 0), 0);
	s = begin_state();
	put_gain(s, "stage", 1, 1);
	run_until_written(s);
	assert_int_equal(n_lines, 0);
	assert_int_equal(mkdir(in_folder("settings.new"), 0700), 0);
	put_gain(s, "stage", 1, 2);
	RUN_UNTIL(n_lines > 0);
	assert_line(0, LOG_WARNING, "cannot be written: File exists");
	assert_int_equal(rmdir(in_folder("settings.new")), 0);
	run_until_written(s);
	assert_int_equal(n_lines, 2);
	state_free(s);
}

static void test_folder_removed(void **state)
{
	struct state *s = begin_state();

	put_gain(s, "stage", 1, 1);
	run_until_written(s);
	remove_all(folder);
	put_gain(s, "stage", 2, 2);
	run_until_written(s);
	assert_true(exists("settings"));
	remove_all(folder);
	put_gain(s, "stage", 3, 3);
	state_free(s);
	s = begin_state();
	assert_int_equal(get_gain(s, "stage", 1), 1);
	assert_int_equal(get_gain(s, "stage", 3), 3);
	state_free(s);
	assert_int_equal(n_lines, 0);
}

/* No folder at the start; when it comes there is a file in it. */
static void test_folder_comes(void **state)
{
	char other[PATH_MAX + 16];
	struct state *s;

	s = begin_state();
	put_gain(s, "stage", 1, 1);
	put_gain(s, "old", 1, 11);
	state_free(s);
	snprintf(other, sizeof(other), "%s-moved", folder);
	assert_int_equal(rename(folder, other), 0);
	assert_int_equal(mknod(folder, S_IFREG | 0600, 0), 0);

	s = begin_state();
	assert_int_equal(n_lines, 1);
	assert_line(0, LOG_WARNING, "what is set at run time cannot be kept in ");
	assert_line(0, LOG_WARNING, "Not a directory");
	put_gain(s, "stage", 1, 2);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(sd_event_run(event, 20000) >= 0);
	}
	assert_int_equal(n_lines, 1);
	assert_int_equal(unlink(folder), 0);
	assert_int_equal(rename(other, folder), 0);
	run_until_written(s);
	assert_int_equal(n_lines, 2);
	assert_line(1, LOG_NOTICE, "is written again");
	state_free(s);
	s = begin_state();
	assert_int_equal(get_gain(s, "stage", 1), 2);
	assert_int_equal(get_gain(s, "old", 1), 11);
	state_free(s);
}

static void test_no_home(void **state)
{
	char name[PATH_MAX + 10];
	struct state *s;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	setenv("STATE_DIRECTORY", name, 1);
	s = begin_state();
	assert_int_equal(n_lines, 1);
	assert_line(
		0, LOG_WARNING, "there is no folder to keep in what is set at run time: File name too long");
	put_gain(s, "stage", 1, 2);
	assert_int_equal(get_gain(s, "stage", 1), 2);
	state_free(s);
	assert_int_equal(n_lines, 1);
}

/* A tmpfs of this test's own, with root's rights: full, and read-only. */
static void test_full_disk(void **state)
{
	struct state *s;
	static char page[65536];
	size_t len;
	int fd;

	assert_int_equal(folder_make(folder), 0);
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", "", MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tmpfs", folder, "tmpfs", 0, "size=64k") < 0) {
		print_message("no rights to mount a file system: left out\n");
		skip();
	}
	s = begin_state();
	put_gain(s, "stage", 1, 1);
	run_until_written(s);
	fd = open(in_folder("filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (write(fd, page, sizeof(page)) > 0) {
	}
	assert_int_equal(errno, ENOSPC);
	put_gain(s, "stage", 1, 2);
	RUN_UNTIL(n_lines > 0);
	assert_line(0, LOG_WARNING, "cannot be written: No space left on device; what is set counts");
	assert_line(0, LOG_WARNING, "; make room there; trying again");
	assert_non_null(strstr(read_file("settings", &len), "gain-1 = 1"));
	assert_int_equal(unlink(in_folder("filler")), 0);
	close(fd);
	run_until_written(s);
	assert_non_null(strstr(read_file("settings", &len), "gain-1 = 2"));
	assert_int_equal(n_lines, 2);

	assert_int_equal(mount("", folder, "", MS_REMOUNT | MS_RDONLY, NULL), 0);
	put_gain(s, "stage", 1, 3);
	RUN_UNTIL(n_lines > 2);
	assert_line(2, LOG_WARNING, "cannot be written: Read-only file system");
	state_free(s);
	assert_line(3, LOG_WARNING, "what was set last is lost");
	assert_int_equal(n_lines, 4);
	/* To read from it is no fault. */
	s = begin_state();
	assert_int_equal(get_gain(s, "stage", 1), 2);
	state_free(s);
	assert_int_equal(n_lines, 4);

	assert_int_equal(mount("", folder, "", MS_REMOUNT, NULL), 0);
	write_file("settings", "bad", 3);
	assert_int_equal(mount("", folder, "", MS_REMOUNT | MS_RDONLY, NULL), 0);
	s = begin_state();
	assert_int_equal(n_lines, 5);
	assert_line(4, LOG_WARNING, "It cannot be renamed (Read-only file system)");
	state_free(s);
	assert_int_equal(umount(folder), 0);
}

/* --- the thread --- */

/* Signals would be lost on a thread that does not look for them. */
static void test_signals_blocked(void **state)
{
	struct state *s = begin_state();
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned others = 0;

	assert_non_null(tasks);
	/* While a thread begins, the C library has all signals blocked. */
	put_gain(s, "stage", 1, 1);
	run_until_written(s);
	while ((entry = readdir(tasks))) {
		char path[300], line[200];
		unsigned long long blocked = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
		f = entry->d_name[0] != '.' && atoi(entry->d_name) != getpid() ? fopen(path, "r") : NULL;
		while (f && fgets(line, sizeof(line), f)) {
			(void)sscanf(line, "SigBlk: %llx", &blocked);
		}
		if (f) {
			fclose(f);
			others++;
			assert_true(blocked & 1ULL << (SIGTERM - 1));
			assert_true(blocked & 1ULL << (SIGINT - 1));
			assert_true(blocked & 1ULL << (SIGHUP - 1));
			assert_true(blocked & 1ULL << (SIGXFSZ - 1));
		}
	}
	closedir(tasks);
	assert_true(others >= 1);
	state_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_folder, begin, end),
		cmocka_unit_test_setup_teardown(test_folder_make, begin, end),
		cmocka_unit_test_setup_teardown(test_nothing, begin, end),
		cmocka_unit_test_setup_teardown(test_round_trip, begin, end),
		cmocka_unit_test_setup_teardown(test_volume, begin, end),
		cmocka_unit_test_setup_teardown(test_strips, begin, end),
		cmocka_unit_test_setup_teardown(test_late, begin, end),
		cmocka_unit_test_setup_teardown(test_no_rest, begin, end),
		cmocka_unit_test_setup_teardown(test_default_delay, begin, end),
		cmocka_unit_test_setup_teardown(test_set_back, begin, end),
		cmocka_unit_test_setup_teardown(test_reset, begin, end),
		cmocka_unit_test_setup_teardown(test_other_model, begin, end),
		cmocka_unit_test_setup_teardown(test_many, begin, end),
		cmocka_unit_test_setup_teardown(test_largest, begin, end),
		cmocka_unit_test_setup_teardown(test_wrong_content, begin, end),
		cmocka_unit_test_setup_teardown(test_too_many, begin, end),
		cmocka_unit_test_setup_teardown(test_not_sealed, begin, end),
		cmocka_unit_test_setup_teardown(test_after_damage, begin, end),
		cmocka_unit_test_setup_teardown(test_every_byte, begin, end),
		cmocka_unit_test_setup_teardown(test_no_file, begin, end),
		cmocka_unit_test_setup_teardown(test_not_set_aside, begin, end),
		cmocka_unit_test_setup_teardown(test_second, begin, end),
		cmocka_unit_test_setup_teardown(test_failing, begin, end),
		cmocka_unit_test_setup_teardown(test_order, begin, end),
		cmocka_unit_test_setup_teardown(test_in_the_way, begin, end),
		cmocka_unit_test_setup_teardown(test_folder_removed, begin, end),
		cmocka_unit_test_setup_teardown(test_folder_comes, begin, end),
		cmocka_unit_test_setup_teardown(test_no_home, begin, end),
		cmocka_unit_test_setup_teardown(test_full_disk, begin, end),
		cmocka_unit_test_setup_teardown(test_signals_blocked, begin, end),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
