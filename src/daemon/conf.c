#include "daemon/conf-internal.h"

#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- errors --- */

static unsigned file_index(const struct conf *conf, const char *file)
{
	unsigned i = 0;

	while (i < conf->n_files && conf->files[i] != file) {
		i++;
	}
	return i;
}

static void add_error(struct conf_parser *p, const struct conf_where *where, const char *key, const char *fmt,
	va_list ap) __attribute__((format(printf, 4, 0)));

static void add_error(
	struct conf_parser *p, const struct conf_where *where, const char *key, const char *fmt, va_list ap)
{
	unsigned n = p->n_errors++;
	struct conf_error *error;
	char line[16] = "";
	char reason[512];

	if (n >= CONF_ERRORS_MAX) {
		return;
	}
	error = &p->errors[n];
	if (where->line > 0) {
		snprintf(line, sizeof(line), ":%d", where->line);
	}
	vsnprintf(reason, sizeof(reason), fmt, ap);
	if (asprintf(&error->text, "%s%s: %s%s%s", where->file, line, key, *key ? ": " : "", reason) < 0) {
		error->text = NULL;
		p->out_of_memory = true;
	}
	error->file = file_index(p->conf, where->file);
	error->line = where->line;
	error->number = n;
}

void conf_complain(struct conf_parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_error(p, &p->where, p->key, fmt, ap);
	va_end(ap);
}

void conf_complain_at(
	struct conf_parser *p, const struct conf_where *where, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_error(p, where, key, fmt, ap);
	va_end(ap);
}

/* In the order of the files and lines; some things only show when everything has been read. */
static int compare_errors(const void *va, const void *vb)
{
	const struct conf_error *a = va, *b = vb;

	if (a->file != b->file) {
		return a->file < b->file ? -1 : 1;
	}
	if (a->line != b->line) {
		return a->line < b->line ? -1 : 1;
	}
	return a->number < b->number ? -1 : 1;
}

static void report_errors(struct conf_parser *p, conf_error_fn error, void *data)
{
	unsigned n = MIN(p->n_errors, CONF_ERRORS_MAX);
	char *more;

	if (!error) {
		return;
	}
	qsort(p->errors, n, sizeof(p->errors[0]), compare_errors);
	for (unsigned i = 0; i < n; i++) {
		error(data, p->errors[i].text);
	}
	if (p->n_errors > n && asprintf(&more, "%s: %u more errors are not shown; repair these first",
				       p->conf->files[0], p->n_errors - n) >= 0) {
		error(data, more);
		free(more);
	}
}

/* --- lines --- */

static char *trim(char *s)
{
	size_t len;

	s += strspn(s, " \t\r");
	for (len = strlen(s); len > 0 && strchr(" \t\r", s[len - 1]); len--) {
		s[len - 1] = '\0';
	}
	return s;
}

/* A ; counts as a comment's beginning where nothing that it could belong to stands right before it. */
static void cut_comment(char *s)
{
	if (*s == '#') {
		*s = '\0';
	}
	for (size_t i = 0; s[i]; i++) {
		if (s[i] == ';' && (i == 0 || strchr(" \t=,]", s[i - 1]))) {
			s[i] = '\0';
			return;
		}
	}
}

static void read_heading(struct conf_parser *p, char *s)
{
	char *end = strchr(s, ']');
	char q[CONF_QUOTE_MAX];

	if (!end) {
		conf_quote(s, p->key);
		conf_complain(
			p, "this section is not closed; write [daemon], [device NAME] or [netvst NAME]");
		p->section = CONF_SECTION_SKIP;
		return;
	}
	*end = '\0';
	conf_section_begin(p, s + 1);
	s = trim(end + 1);
	if (*s) {
		conf_complain(p, "%s behind the ] is not allowed; begin a new line", conf_quote(s, q));
	}
}

/* True where the line at hand is KEY = VALUE as far as its form goes: then key and value are set. */
static bool read_line(struct conf_parser *p, const char *text, size_t len, char **ret_key)
{
	char q[CONF_QUOTE_MAX];
	char *s = p->line;
	char *equals, *c;

	p->key[0] = '\0';
	if (len > CONF_LINE_MAX) {
		conf_complain(p, "the line has %zu bytes; %d are allowed", len, CONF_LINE_MAX);
		return false;
	}
	if (memchr(text, '\0', len)) {
		conf_complain(p, "the line has a NUL byte, so this is no text file; save it as UTF-8 text");
		return false;
	}
	memcpy(s, text, len);
	s[len] = '\0';
	if (p->where.line == 1 && strncmp(s, "\xef\xbb\xbf", 3) == 0) {
		s += 3;
	}
	s = trim(s);
	cut_comment(s);
	s = trim(s);
	if (!*s) {
		return false;
	}
	if (*s == '[') {
		read_heading(p, s);
		return false;
	}
	equals = strchr(s, '=');
	if (!equals) {
		conf_complain(p, "%s has no =; write KEY = VALUE", conf_quote(s, q));
		return false;
	}
	*equals = '\0';
	s = trim(s);
	for (c = s; *c && conf_is_name_char(*c); c++) {
	}
	if (!*s || *c) {
		conf_complain(p, "%s before the = is not a key; write KEY = VALUE", conf_quote(s, q));
		return false;
	}
	p->value = trim(equals + 1);
	snprintf(p->key, sizeof(p->key), "%s", strlen(s) < sizeof(p->key) ? s : conf_quote(s, q));
	*ret_key = s;
	return true;
}

/*
 * inih's reader. It gets exactly one line for each line of the file and nothing that its build could see
 * another way (indented lines, comments, other separators): those are compile-time options of the library,
 * and distributions differ. Headings never reach it because it tells nobody of an empty section.
 */
static char *give_line(char *str, int num, void *stream)
{
	struct conf_parser *p = stream;
	const char *text = p->text + p->pos;
	const char *end;
	size_t len;
	char *key;

	if (p->pos >= p->len || num < 2) {
		return NULL;
	}
	end = memchr(text, '\n', p->len - p->pos);
	len = end ? (size_t)(end - text) : p->len - p->pos;
	p->pos += len + 1;
	p->where.line++;
	if (!read_line(p, text, len, &key)) {
		strcpy(str, "\n");
	} else if ((size_t)num > strlen(key) + sizeof("=\n") + strlen(p->value)) {
		stpcpy(stpcpy(stpcpy(stpcpy(str, key), "="), p->value), "\n");
	} else if ((size_t)num > strlen(key) + sizeof("=\n")) {
		stpcpy(stpcpy(str, key), "=\n");
	} else {
		conf_section_key(p, key, p->value); /* longer than any key there is */
		strcpy(str, "\n");
	}
	return str;
}

/* Takes the value from the whole line: inih's own line buffer (200 bytes in most builds) may have cut it. */
static int take_key(struct conf_parser *p, const char *name)
{
	if (name) {
		conf_section_key(p, name, p->value);
	}
	return 1;
}

#if INI_HANDLER_LINENO
static int on_key(void *user, const char *section, const char *name, const char *value, int lineno)
{
	return take_key(user, name);
}
#else
static int on_key(void *user, const char *section, const char *name, const char *value)
{
	return take_key(user, name);
}
#endif

/* --- files --- */

static int parse_text(struct conf_parser *p, const char *text, size_t len)
{
	int r;

	p->text = text;
	p->len = len;
	p->pos = 0;
	p->where.line = 0;
	p->section = CONF_SECTION_NONE;
	r = ini_parse_stream(give_line, p, on_key, p);
	if (r > 0) {
		p->where.line = r;
		p->key[0] = '\0';
		conf_complain(p, "cannot be read; write KEY = VALUE");
	}
	return r < 0 || p->out_of_memory ? -ENOMEM : 0;
}

static int begin_file(struct conf_parser *p, const char *name)
{
	struct conf *conf = p->conf;
	char **files = reallocarray(conf->files, conf->n_files + 1, sizeof(conf->files[0]));

	if (!files) {
		return -ENOMEM;
	}
	conf->files = files;
	p->where.file = strdup(name);
	if (!p->where.file) {
		return -ENOMEM;
	}
	files[conf->n_files++] = p->where.file;
	p->where.line = 0;
	p->key[0] = '\0';
	return 0;
}

/* 0, -ENOMEM, or 1 where an error was reported. */
static int read_file(struct conf_parser *p, int fd, char **ret_text, size_t *ret_len)
{
	char *text = malloc(CONF_FILE_MAX + 1);
	size_t len = 0;
	ssize_t n = 1;
	struct stat st;

	if (!text) {
		return -ENOMEM;
	}
	if (fstat(fd, &st) < 0) {
		conf_complain(p, "cannot be read: %m");
		free(text);
		return 1;
	}
	if (S_ISDIR(st.st_mode)) {
		conf_complain(p, "is a folder; name a file");
		free(text);
		return 1;
	}
	/* A FIFO could keep a daemon waiting that is asked to read its configuration anew. */
	if (!S_ISREG(st.st_mode)) {
		conf_complain(p, "is not a regular file; name one");
		free(text);
		return 1;
	}
	while (len <= CONF_FILE_MAX && n != 0) {
		n = read(fd, text + len, CONF_FILE_MAX + 1 - len);
		if (n < 0 && errno != EINTR) {
			conf_complain(p, "cannot be read: %m");
			free(text);
			return 1;
		}
		len += n > 0 ? (size_t)n : 0;
	}
	if (len > CONF_FILE_MAX) {
		conf_complain(p,
			"is larger than 1 MiB, so this is no configuration of ethlinkd; name another file");
		free(text);
		return 1;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static int load_file(struct conf_parser *p, const char *path)
{
	char *text;
	size_t len;
	int fd, r;

	r = begin_file(p, path);
	if (r < 0) {
		return r;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR) {
			conf_complain(p, "there is no such file; make one (see ethlinkd.conf(5)) "
					 "or name another with -c");
		} else if (errno == EACCES) {
			conf_complain(p, "cannot be opened: %m; let the user that runs ethlinkd read it");
		} else {
			conf_complain(p, "cannot be opened: %m");
		}
		return 0;
	}
	r = read_file(p, fd, &text, &len);
	close(fd);
	if (r != 0) {
		return MIN(r, 0);
	}
	r = parse_text(p, text, len);
	free(text);
	return r;
}

static int is_drop_in(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && strcmp(dot, ".conf") == 0;
}

/* Not alphasort(): the order must not depend on the locale. */
static int compare_entries(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_drop_ins(struct conf_parser *p, const char *path)
{
	struct dirent **entries;
	char *folder, *file;
	int n, err, r = 0;

	if (asprintf(&folder, "%s.d", path) < 0) {
		return -ENOMEM;
	}
	n = scandir(folder, &entries, is_drop_in, compare_entries);
	err = errno;
	if (n < 0 && err != ENOENT && err != ENOTDIR) {
		r = err == ENOMEM ? -ENOMEM : begin_file(p, folder);
		if (r == 0) {
			conf_complain(p, "cannot be listed: %s", strerror(err));
		}
	}
	for (int i = 0; i < n; i++) {
		if (r == 0) {
			r = asprintf(&file, "%s/%s", folder, entries[i]->d_name) < 0 ? -ENOMEM : 0;
			if (r == 0) {
				r = load_file(p, file);
				free(file);
			}
		}
		free(entries[i]);
	}
	if (n >= 0) {
		free(entries);
	}
	free(folder);
	return r;
}

/* --- the whole --- */

struct conf *conf_ref(struct conf *conf)
{
	conf->refs++;
	return conf;
}

void conf_unref(struct conf *conf)
{
	if (!conf || --conf->refs > 0) {
		return;
	}
	for (unsigned i = 0; i < conf->n_devices; i++) {
		conf_device_fini(&conf->devices[i]);
	}
	for (unsigned i = 0; i < conf->n_netvsts; i++) {
		conf_netvst_fini(&conf->netvsts[i]);
	}
	for (unsigned i = 0; i < conf->n_files; i++) {
		free(conf->files[i]);
	}
	free(conf->devices);
	free(conf->netvsts);
	free(conf->files);
	free(conf);
}

static void parser_free(struct conf_parser *p)
{
	for (unsigned i = 0; i < MIN(p->n_errors, CONF_ERRORS_MAX); i++) {
		free(p->errors[i].text);
	}
	conf_device_fini(&p->scratch_dev);
	conf_netvst_fini(&p->scratch_netvst);
	conf_unref(p->conf);
	free(p);
}

static struct conf_parser *parser_new(void)
{
	struct conf_parser *p = calloc(1, sizeof(*p));

	if (!p) {
		return NULL;
	}
	p->conf = calloc(1, sizeof(*p->conf));
	if (p->conf) {
		p->conf->refs = 1;
		p->conf->devices = calloc(CONF_DEVICES_MAX, sizeof(p->conf->devices[0]));
		p->conf->netvsts = calloc(CONF_NETVSTS_MAX, sizeof(p->conf->netvsts[0]));
	}
	if (!p->conf || !p->conf->devices || !p->conf->netvsts) {
		conf_unref(p->conf);
		free(p);
		return NULL;
	}
	conf_set_defaults(p->conf);
	return p;
}

/* r: how reading went. Gives the configuration away or tells what is wrong with it; ends the parser. */
static int parser_finish(
	struct conf_parser *p, int r, conf_error_fn error, void *data, struct conf **ret_conf)
{
	if (r == 0) {
		conf_section_finish_all(p);
	}
	if (p->out_of_memory) {
		r = -ENOMEM;
	}
	if (r == 0 && p->n_errors > 0) {
		report_errors(p, error, data);
		r = -EINVAL;
	}
	if (r == 0) {
		*ret_conf = p->conf;
		p->conf = NULL;
	}
	parser_free(p);
	return r;
}

int conf_load(const char *path, conf_error_fn error, void *data, struct conf **ret_conf)
{
	struct conf_parser *p = parser_new();
	int r;

	if (!p) {
		return -ENOMEM;
	}
	r = load_file(p, path);
	if (r == 0) {
		r = load_drop_ins(p, path);
	}
	return parser_finish(p, r, error, data, ret_conf);
}

int conf_load_text(const char *name, const char *text, size_t len, conf_error_fn error, void *data,
	struct conf **ret_conf)
{
	struct conf_parser *p = parser_new();
	int r;

	if (!p) {
		return -ENOMEM;
	}
	r = begin_file(p, name);
	if (r == 0) {
		r = parse_text(p, text, len);
	}
	return parser_finish(p, r, error, data, ret_conf);
}
