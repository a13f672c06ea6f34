/*
 * What the parts of the configuration reader share: conf.c (files, lines and errors), conf-sections.c
 * (sections, and what must hold across keys), conf-keys.c (one entry a key), conf-graph.c (the keys about
 * the graph), conf-netvst.c (the keys of [netvst]), conf-netvst-check.c (what must hold across those),
 * conf-values.c (the kinds of values) and conf-print.c. Tests and the fuzz target use it too.
 *
 * Ownership: a parser lives for one load and holds the struct conf until that is complete. Key tables are
 * static. Control thread only.
 */
#ifndef DAEMON_CONF_INTERNAL_H
#define DAEMON_CONF_INTERNAL_H

#include "daemon/conf.h"

#include <stdarg.h>
#include <stddef.h>

#define CONF_FILE_MAX (1024 * 1024) /* bytes */
#define CONF_LINE_MAX 4096  /* bytes, the line's end not counted: eight of JACK's longest port names fit */
#define CONF_ERRORS_MAX 500 /* told one by one; further ones are counted */
#define CONF_QUOTE_MAX 64

struct conf_parser;

/*
 * parse: value is scratch space that it may cut up. True where the value was good; else it has complained.
 * print: writes what parse would read to the same value; returns the number of bytes.
 * The keys of [daemon] look at conf, those of [device] at dev; those of [netvst] have the other two functions.
 */
struct conf_key {
	const char *name;
	bool (*parse)(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value);
	int (*print)(const struct conf *conf, const struct conf_device *dev, FILE *f);
	bool (*parse_netvst)(struct conf_parser *p, struct conf_netvst *nv, char *value);
	int (*print_netvst)(const struct conf_netvst *nv, FILE *f);
};

extern const struct conf_key conf_daemon_keys[CONF_DAEMON_KEYS];
extern const struct conf_key conf_device_keys[CONF_DEVICE_KEYS];
extern const struct conf_key conf_netvst_keys[CONF_NETVST_KEYS];

enum conf_section {
	CONF_SECTION_NONE, /* before the first one */
	CONF_SECTION_SKIP, /* an unknown one: nothing can be said about its keys */
	CONF_SECTION_DAEMON,
	CONF_SECTION_DEVICE,
	CONF_SECTION_NETVST,
};

struct conf_error {
	unsigned file;
	int line;
	unsigned number;
	char *text;
};

struct conf_parser {
	struct conf *conf;
	bool out_of_memory;

	/* the file at hand */
	const char *text;
	size_t len;
	size_t pos;
	struct conf_where where; /* of the line at hand */
	char line[CONF_LINE_MAX + 1];
	char *value;		  /* in line */
	char key[CONF_QUOTE_MAX]; /* for messages: a key or [section]; empty: none */

	/* where the keys of the section at hand go; to scratch where the section itself is wrong */
	enum conf_section section;
	char section_text[CONF_QUOTE_MAX];
	struct conf *to_conf;
	struct conf_device *to_dev;
	struct conf_netvst *to_netvst;
	uint32_t *good; /* bit k: the latest value of key k was good */
	struct conf scratch_conf;
	struct conf_device scratch_dev;
	struct conf_netvst scratch_netvst;
	uint32_t scratch_good;

	/* the latest heading of each section, to find it twice in one file */
	struct conf_where daemon_where;
	struct conf_where device_where[CONF_DEVICES_MAX];
	uint32_t daemon_good;
	uint32_t device_good[CONF_DEVICES_MAX];
	bool too_many_devices;
	struct conf_where netvst_where[CONF_NETVSTS_MAX];
	uint32_t netvst_good[CONF_NETVSTS_MAX];
	bool too_many_netvsts;

	struct conf_error errors[CONF_ERRORS_MAX];
	unsigned n_errors; /* may exceed CONF_ERRORS_MAX */
};

/* conf.c: something is wrong with what is being read, or (at) with what stood there. */
void conf_complain(struct conf_parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void conf_complain_at(struct conf_parser *p, const struct conf_where *where, const char *key, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

/*
 * As conf_load() for one file whose content is at hand; name is for messages. No drop-ins.
 */
int conf_load_text(const char *name, const char *text, size_t len, conf_error_fn error, void *data,
	struct conf **ret_conf);

/* conf-sections.c */
void conf_section_begin(struct conf_parser *p, char *heading); /* what stands between [ and ] */
void conf_section_key(struct conf_parser *p, const char *name, char *value);
void conf_section_finish_all(struct conf_parser *p);

/* conf-keys.c */
void conf_set_defaults(struct conf *conf);
void conf_device_set_defaults(struct conf_device *dev);
void conf_device_fini(struct conf_device *dev);

/* conf-netvst.c */
void conf_netvst_set_defaults(struct conf_netvst *nv);
void conf_netvst_fini(struct conf_netvst *nv);
/* The key is none of this role, so that it is not even printed. */
bool conf_netvst_key_is_other(const struct conf_netvst *nv, enum conf_netvst_key k);
/* conf-netvst-check.c: the whole, when all files have been read. */
void conf_netvst_check_all(struct conf_parser *p);

/* conf-graph.c: as in struct conf_key */
bool conf_parse_positions(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value);
int conf_print_positions(const struct conf *conf, const struct conf_device *dev, FILE *f);
bool conf_parse_volume(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value);
int conf_print_volume(const struct conf *conf, const struct conf_device *dev, FILE *f);
bool conf_parse_description(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value);
int conf_print_description(const struct conf *conf, const struct conf_device *dev, FILE *f);
bool conf_parse_preferred(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value);
int conf_print_preferred(const struct conf *conf, const struct conf_device *dev, FILE *f);
void conf_graph_set_defaults(struct conf_device *dev);

/* conf-values.c: those that take the parser complain where they return false. */
bool conf_is_name_char(char c);	  /* letter, digit, - or _ */
bool conf_name_ok(const char *s); /* 1..CONF_NAME_MAX of these */
bool conf_text_ok(const char *s); /* valid UTF-8 without control characters */
/* conf_text_ok(), and of max bytes at most; what: "a label", for the complaint. */
bool conf_text_fits(struct conf_parser *p, const char *text, size_t max, const char *what);
bool conf_parse_decimal(const char *s, int *ret);
bool conf_parse_ranged(
	struct conf_parser *p, const char *value, int min, int max, const char *unit, int *ret);
bool conf_parse_boolean(struct conf_parser *p, const char *value, bool *ret);
bool conf_parse_interface(struct conf_parser *p, const char *value, char ret[IF_NAMESIZE]);
/* A description. */
bool conf_parse_text(struct conf_parser *p, const char *value, char ret[CONF_DESCRIPTION_MAX + 1]);
/* A list of up to n texts (n is at most ETHLINK_CHANNELS); an empty one is none. good: complains where one is not. */
bool conf_parse_strings(struct conf_parser *p, char *value, char *list[], unsigned n,
	bool (*good)(struct conf_parser *p, const char *item));
int conf_print_strings(char *const list[], unsigned n, FILE *f);
void conf_clear_strings(char *list[], unsigned n);
/* A port of the graph, for conf_parse_strings(). */
bool conf_port_good(struct conf_parser *p, const char *item);

/*
 * Cuts value at its commas and takes the blanks around each piece away. Returns how many pieces there
 * are, which may be more than the max that were stored.
 */
unsigned conf_split(char *value, char *ret_items[], unsigned max);

/* s between open and close, fit for a message: UTF-8, no control characters, not endless. Returns buf. */
const char *conf_enclose(const char *s, char open, char close, char buf[CONF_QUOTE_MAX]);
const char *conf_quote(const char *s, char buf[CONF_QUOTE_MAX]);

#endif
