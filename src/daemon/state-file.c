#include "daemon/state-file.h"

#include "base/util.h"
#include "daemon/conf-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_VERSION "1"
#define CHECKSUM_BEGIN "# checksum "
#define CHECKSUM_LINE_LEN (sizeof(CHECKSUM_BEGIN) - 1 + 16 + 1)
#define DEVICE "device "
#define NETVST "netvst "

/* Between a value and what the configuration said when it was set. */
#define CONFIGURED " (configuration: "

_Static_assert(sizeof(DEVICE) == sizeof(NETVST), "names stand at one place");

static const char *const phantom_names[LEVELS_PHANTOMS] = {"1-4", "5-8"};

/* FNV-1a: against accidents, not against people. */
static uint64_t checksum(const char *text, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < len; i++) {
		h = (h ^ (unsigned char)text[i]) * 0x100000001b3ULL;
	}
	return h;
}

/* --- writing --- */

static const char *yes_no(bool value)
{
	return value ? "yes" : "no";
}

static void format_entry(FILE *f, const struct state_entry *e)
{
	const struct overrides *o = &e->overrides;

	fprintf(f, "\n[" DEVICE "%s]\nmodel = %s\n", e->name, ethlink_model_name(e->model));
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		if (o->gain_set[k]) {
			fprintf(f, "gain-%u = %d" CONFIGURED "%d)\n", k + 1, o->value.gain_db[k],
				o->conf.gain_db[k]);
		}
	}
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		if (o->mute_set[k]) {
			fprintf(f, "mute-%u = %s" CONFIGURED "%s)\n", k + 1, yes_no(o->value.mute[k]),
				yes_no(o->conf.mute[k]));
		}
	}
	for (unsigned i = 0; i < LEVELS_PHANTOMS; i++) {
		if (o->phantom_set[i]) {
			fprintf(f, "phantom-%s = %s" CONFIGURED "%s)\n", phantom_names[i],
				yes_no(o->value.phantom[i]), yes_no(o->conf.phantom[i]));
		}
	}
}

/* In the graph: the configuration says nothing about it. Nine digits are enough to read the same value again. */
static void format_volume(FILE *f, const struct overrides *o)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS && o->volume_set; k++) {
		if (o->volume[k] != 1.0f) {
			fprintf(f, "volume-%u = %.9g\n", k + 1, (double)o->volume[k]);
		}
	}
	if (o->volume_set && o->volume_mute) {
		fputs("volume-mute = yes\n", f);
	}
}

int state_file_format(
	const struct state_table *table, char **ret_text, size_t *ret_len, uint64_t *ret_checksum)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	bool failed;

	if (!f) {
		return -ENOMEM;
	}
	fputs("# What was set at run time on ETHlink boxes and NetVST plug-ins. A value here counts until "
	      "\"ethlinkctl reset "
	      "DEVICE\", "
	      "or until\n"
	      "# the configuration says something else than it did then, which stands behind the value.\n"
	      "# Do not edit it: while ethlinkd runs it writes over it, and a file whose checksum is wrong "
	      "is set "
	      "aside\n"
	      "# when it starts. Use ethlinkctl.\n"
	      "\n"
	      "[settings]\n"
	      "version = " FILE_VERSION "\n",
		f);
	for (unsigned i = 0; i < table->n; i++) {
		if (table->entries[i].netvst) {
			state_file_format_netvst(f, &table->entries[i]);
			continue;
		}
		format_entry(f, &table->entries[i]);
		format_volume(f, &table->entries[i].overrides);
	}
	fputs("\n", f);
	(void)fflush(f);
	*ret_checksum = ferror(f) ? 0 : checksum(text, len);
	fprintf(f, CHECKSUM_BEGIN "%016" PRIx64 "\n", *ret_checksum);
	/* A stream in memory fails only without memory. */
	failed = ferror(f) != 0;
	if (fclose(f) != 0 || failed) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

/* --- reading --- */

struct parser {
	struct state_table *table;
	struct state_entry *entry; /* NULL: neither in a device's section nor in a netvst one's */
	char section[sizeof(DEVICE) + CONF_NAME_MAX];
	bool has_version;
	bool has_model;
	char reason[STATE_WHY_MAX / 2]; /* "": nothing is wrong yet */
};

/* What inih's handlers give back for "no". */
static int bad(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int bad(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	if (!*p->reason) {
		va_start(ap, fmt);
		vsnprintf(p->reason, sizeof(p->reason), fmt, ap);
		va_end(ap);
	}
	return 0;
}

static bool parse_yes_no(const char *s, bool *ret_value)
{
	*ret_value = strcmp(s, "yes") == 0;
	return *ret_value || strcmp(s, "no") == 0;
}

static bool parse_gain(enum ethlink_model model, const char *s, int *ret_db)
{
	long min = model == ETHLINK_DAC8 ? ETHLINK_DAC_GAIN_MIN_DB : ETHLINK_ADC_GAIN_MIN_DB;
	long max = model == ETHLINK_DAC8 ? ETHLINK_DAC_GAIN_MAX_DB : ETHLINK_ADC_GAIN_MAX_DB;
	char *end;
	long db = strtol(s, &end, 10);

	*ret_db = (int)CLAMP(db, min, max);
	return end != s && !*end && db >= min && db <= max;
}

/* "VALUE (configuration: VALUE)" into its two. */
static bool split(const char *value, char ret_value[8], char ret_conf[8])
{
	int end = 0;

	return sscanf(value, "%7[^ ]" CONFIGURED "%7[^)])%n", ret_value, ret_conf, &end) == 2 && end > 0 &&
	       !value[end];
}

static bool set_gain(struct state_entry *e, unsigned k, const char *value, const char *conf)
{
	struct overrides *o = &e->overrides;

	if (o->gain_set[k]) {
		return false;
	}
	o->gain_set[k] = true;
	return parse_gain(e->model, value, &o->value.gain_db[k]) &&
	       parse_gain(e->model, conf, &o->conf.gain_db[k]);
}

static bool set_mute(struct state_entry *e, unsigned k, const char *value, const char *conf)
{
	struct overrides *o = &e->overrides;

	if (o->mute_set[k]) {
		return false;
	}
	o->mute_set[k] = true;
	return parse_yes_no(value, &o->value.mute[k]) && parse_yes_no(conf, &o->conf.mute[k]);
}

static bool set_phantom(struct state_entry *e, const char *bank, const char *value, const char *conf)
{
	struct overrides *o = &e->overrides;
	unsigned i = 0;

	while (i < LEVELS_PHANTOMS && strcmp(bank, phantom_names[i]) != 0) {
		i++;
	}
	if (i == LEVELS_PHANTOMS || o->phantom_set[i] || e->model != ETHLINK_ADC8) {
		return false;
	}
	o->phantom_set[i] = true;
	return parse_yes_no(value, &o->value.phantom[i]) && parse_yes_no(conf, &o->conf.phantom[i]);
}

static bool set_volume(struct state_entry *e, const char *channel, const char *text)
{
	struct overrides *o = &e->overrides;
	float volume[ETHLINK_CHANNELS];
	bool mute = o->volume_mute;
	unsigned k = (unsigned)(*channel - '1');
	char *end;

	for (unsigned i = 0; i < ETHLINK_CHANNELS; i++) {
		volume[i] = overrides_volume(o, i);
	}
	if (strcmp(channel, "mute") == 0) {
		if (mute || !parse_yes_no(text, &mute)) {
			return false;
		}
	} else {
		if (k >= ETHLINK_CHANNELS || channel[1] || volume[k] != 1.0f) {
			return false;
		}
		volume[k] = strtof(text, &end);
		if (end == text || *end || !(volume[k] >= 0.0f && volume[k] <= 1.0f)) {
			return false;
		}
	}
	overrides_set_volume(o, volume, mute);
	return true;
}

/* "gain-3", "gain-" -> 2; -1 for what is not one of the eight. */
static int channel_of(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(name, prefix, len) != 0 || name[len] < '1' || name[len] > '8' || name[len + 1]) {
		return -1;
	}
	return name[len] - '1';
}

static bool set_value(struct state_entry *e, const char *name, const char *text)
{
	char value[8], conf[8];
	int k;

	if (strncmp(name, "volume-", 7) == 0) {
		return set_volume(e, name + 7, text);
	}
	if (!split(text, value, conf)) {
		return false;
	}
	k = channel_of(name, "gain-");
	if (k >= 0) {
		return set_gain(e, (unsigned)k, value, conf);
	}
	k = channel_of(name, "mute-");
	if (k >= 0) {
		return set_mute(e, (unsigned)k, value, conf);
	}
	return strncmp(name, "phantom-", 8) == 0 && set_phantom(e, name + 8, value, conf);
}

static bool name_is_good(const char *name)
{
	size_t len = 0;

	while (conf_is_name_char(name[len])) {
		len++;
	}
	return len > 0 && len <= CONF_NAME_MAX && !name[len];
}

/* 0 where it is none that stands here; else 1. */
static int begin_section(struct parser *p, const char *section)
{
	struct state_table *t = p->table;
	const char *name = section + strlen(DEVICE); /* as long as NETVST */
	bool netvst = strncmp(section, NETVST, strlen(NETVST)) == 0;

	p->entry = NULL;
	p->has_model = false;
	if (strlen(section) >= sizeof(p->section)) {
		return bad(p, "an unknown section");
	}
	strcpy(p->section, section);
	if (strcmp(section, "settings") == 0) {
		return 1;
	}
	if ((strncmp(section, DEVICE, strlen(DEVICE)) != 0 && !netvst) || !name_is_good(name)) {
		return bad(p, "an unknown section");
	}
	for (unsigned i = 0; i < t->n; i++) {
		if (strcmp(t->entries[i].name, name) == 0) {
			return bad(p, "the second section of %s", name);
		}
	}
	if (t->n == STATE_ENTRIES_MAX) {
		return bad(p, "more than %d devices", STATE_ENTRIES_MAX);
	}
	p->entry = &t->entries[t->n++];
	memset(p->entry, 0, sizeof(*p->entry));
	strcpy(p->entry->name, name);
	p->entry->netvst = netvst;
	return 1;
}

static int take_model(struct parser *p, const char *value)
{
	if (p->has_model) {
		return bad(p, "the second model");
	}
	p->has_model = true;
	for (unsigned i = ETHLINK_DAC8; i <= ETHLINK_ADC8; i++) {
		if (strcmp(value, ethlink_model_name((enum ethlink_model)i)) == 0) {
			p->entry->model = (enum ethlink_model)i;
			return 1;
		}
	}
	return bad(p, "no model that there is");
}

static int take_version(struct parser *p, const char *name, const char *value)
{
	if (strcmp(name, "version") != 0 || p->has_version) {
		return bad(p, "an unknown key");
	}
	p->has_version = true;
	if (strcmp(value, FILE_VERSION) != 0) {
		return bad(p, "version %.8s, and this ethlinkd reads version " FILE_VERSION, value);
	}
	return 1;
}

static int take_key(struct parser *p, const char *section, const char *name, const char *value)
{
	if (*p->reason || !name) {
		return !*p->reason; /* without a name: some builds of inih tell of sections that way */
	}
	if (strcmp(section, p->section) != 0 && !begin_section(p, section)) {
		return 0;
	}
	if (strcmp(p->section, "settings") == 0) {
		return take_version(p, name, value);
	}
	if (!p->entry || !p->has_version) {
		return bad(p, "no version stands before it");
	}
	if (p->entry->netvst) {
		return state_file_set_netvst(p->entry, name, value) ? 1 : bad(p, "a value that cannot be");
	}
	if (strcmp(name, "model") == 0) {
		return take_model(p, value);
	}
	if (!p->has_model || !set_value(p->entry, name, value)) {
		return bad(p, "a value that cannot be");
	}
	return 1;
}

#if INI_HANDLER_LINENO
static int on_key(void *user, const char *section, const char *name, const char *value, int lineno)
{
	return take_key(user, section, name, value);
}
#else
static int on_key(void *user, const char *section, const char *name, const char *value)
{
	return take_key(user, section, name, value);
}
#endif

/* The length of what the checksum stands for, or -EBADMSG and why. */
static ssize_t check_end(const char *text, size_t len, uint64_t *ret_checksum, char ret_why[STATE_WHY_MAX])
{
	char line[CHECKSUM_LINE_LEN + 1];
	size_t body = len - CHECKSUM_LINE_LEN;

	if (len > 0 && memchr(text, '\0', len)) {
		snprintf(ret_why, STATE_WHY_MAX, "it has NUL bytes and is no text");
		return -EBADMSG;
	}
	if (len <= CHECKSUM_LINE_LEN || text[body - 1] != '\n' ||
		memcmp(text + body, CHECKSUM_BEGIN, strlen(CHECKSUM_BEGIN)) != 0) {
		snprintf(ret_why, STATE_WHY_MAX, "its end is missing");
		return -EBADMSG;
	}
	*ret_checksum = checksum(text, body);
	snprintf(line, sizeof(line), CHECKSUM_BEGIN "%016" PRIx64 "\n", *ret_checksum);
	if (memcmp(text + body, line, CHECKSUM_LINE_LEN) != 0) {
		snprintf(ret_why, STATE_WHY_MAX,
			"its checksum is wrong: it was edited, or something went wrong with the disk");
		return -EBADMSG;
	}
	return (ssize_t)body;
}

int state_file_parse(const char *text, size_t len, struct state_table *ret_table, uint64_t *ret_checksum,
	char ret_why[STATE_WHY_MAX])
{
	struct parser p = {.table = ret_table};
	char *body;
	ssize_t n;
	int r;

	ret_table->n = 0;
	n = check_end(text, len, ret_checksum, ret_why);
	if (n < 0) {
		return (int)n;
	}
	body = strndup(text, (size_t)n);
	r = body ? ini_parse_string(body, on_key, &p) : -1;
	free(body);
	if (r == 0 && p.has_version) {
		return 0;
	}
	ret_table->n = 0;
	if (r < 0) {
		return -ENOMEM;
	}
	if (r == 0) {
		snprintf(ret_why, STATE_WHY_MAX, "it does not say its version");
	} else {
		snprintf(ret_why, STATE_WHY_MAX, "line %d: %s", r, *p.reason ? p.reason : "no KEY = VALUE");
	}
	return -EBADMSG;
}

/* --- the folder --- */

static int read_all(int fd, char *text, size_t size, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n = 1;

	while (len < size && n != 0) {
		n = read(fd, text + len, size - len);
		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		len += n > 0 ? (size_t)n : 0;
	}
	*ret_len = len;
	return 0;
}

static int open_to_read(int folder_fd, char ret_why[STATE_WHY_MAX])
{
	int fd =
		openat(folder_fd, STATE_FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOMEM || errno == EMFILE || errno == ENFILE)) {
		return -errno;
	}
	if (fd < 0 && errno != ELOOP && errno != ENXIO) {
		snprintf(ret_why, STATE_WHY_MAX, "it cannot be opened: %m");
		return -EBADMSG;
	}
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		snprintf(ret_why, STATE_WHY_MAX, "it is no regular file");
		if (fd >= 0) {
			close(fd);
		}
		return -EBADMSG;
	}
	return fd;
}

int state_file_read(
	int folder_fd, struct state_table *ret_table, uint64_t *ret_checksum, char ret_why[STATE_WHY_MAX])
{
	int fd, r;
	char *text;
	size_t len = 0;

	ret_table->n = 0;
	fd = open_to_read(folder_fd, ret_why);
	if (fd < 0) {
		return fd;
	}
	text = malloc(STATE_FILE_MAX + 1);
	r = text ? read_all(fd, text, STATE_FILE_MAX + 1, &len) : -ENOMEM;
	close(fd);
	if (r < 0 && r != -ENOMEM) {
		snprintf(ret_why, STATE_WHY_MAX, "it cannot be read: %s", strerror(-r));
		r = -EBADMSG;
	} else if (r >= 0 && len > STATE_FILE_MAX) {
		snprintf(ret_why, STATE_WHY_MAX, "it is larger than %d KiB", STATE_FILE_MAX >> 10);
		r = -EBADMSG;
	} else if (r >= 0) {
		r = state_file_parse(text, len, ret_table, ret_checksum, ret_why);
	}
	free(text);
	return r;
}

int state_file_set_aside(int folder_fd)
{
	if (renameat(folder_fd, STATE_FILE_NAME, folder_fd, STATE_FILE_DAMAGED_NAME) == 0) {
		return 0;
	}
	/* A folder does not replace a file, nor a file a folder, nor anything a full folder. */
	if (errno != EISDIR && errno != ENOTDIR && errno != ENOTEMPTY && errno != EEXIST) {
		return -errno;
	}
	if (unlinkat(folder_fd, STATE_FILE_DAMAGED_NAME, 0) < 0 &&
		unlinkat(folder_fd, STATE_FILE_DAMAGED_NAME, AT_REMOVEDIR) < 0) {
		return -errno;
	}
	return renameat(folder_fd, STATE_FILE_NAME, folder_fd, STATE_FILE_DAMAGED_NAME) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int state_file_write(int folder_fd, const char *text, size_t len)
{
	int fd, r;

	/* One that a killed daemon has left. */
	(void)unlinkat(folder_fd, STATE_FILE_NEW_NAME, 0);
	fd = openat(
		folder_fd, STATE_FILE_NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		return -errno;
	}
	r = write_all(fd, text, len);
	if (close(fd) < 0 && r >= 0) {
		r = -errno;
	}
	if (r >= 0 && renameat(folder_fd, STATE_FILE_NEW_NAME, folder_fd, STATE_FILE_NAME) < 0) {
		r = -errno;
	}
	if (r < 0) {
		(void)unlinkat(folder_fd, STATE_FILE_NEW_NAME, 0);
		return r;
	}
	/* Some file systems cannot sync a folder, and need not. */
	return fsync(folder_fd) < 0 && errno != EINVAL ? -errno : 0;
}
