#include "daemon/conf-internal.h"

#include <string.h>

#define COMMENT_COLUMN 32

static void print_where(const struct conf_where *where, int column, FILE *f)
{
	fprintf(f, "%*s ; ", column < COMMENT_COLUMN ? COMMENT_COLUMN - column : 0, "");
	if (!where->file) {
		fputs(where->line == CONF_COMMAND_LINE ? "command line" : "default", f);
	} else {
		/* A line feed in a file's name would end the comment. */
		for (const char *c = where->file; *c; c++) {
			fputc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, f);
		}
		fprintf(f, ":%d", where->line);
	}
	fputc('\n', f);
}

static void print_key(const struct conf_key *key, const struct conf_where *where, const struct conf *conf,
	const struct conf_device *dev, FILE *f)
{
	int column = fprintf(f, "%s = ", key->name);

	column += key->print(conf, dev, f);
	print_where(where, column, f);
}

static void print_device(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	int column = fprintf(f, "\n[device %s]", dev->name) - 1;

	print_where(&dev->where, column, f);
	for (unsigned k = 0; k < CONF_DEVICE_KEYS; k++) {
		/* Each model refuses the other's key, its default too. */
		if (k == (dev->model == ETHLINK_DAC8 ? CONF_DEVICE_PHANTOM : CONF_DEVICE_MONITOR)) {
			continue;
		}
		print_key(&conf_device_keys[k], &dev->where_key[k], conf, dev, f);
	}
}

static void print_netvst(const struct conf_netvst *nv, FILE *f)
{
	int column = fprintf(f, "\n[netvst %s]", nv->name) - 1;

	print_where(&nv->where, column, f);
	for (unsigned k = 0; k < CONF_NETVST_KEYS; k++) {
		if (!conf_netvst_key_is_other(nv, k)) {
			column = fprintf(f, "%s = ", conf_netvst_keys[k].name);
			column += conf_netvst_keys[k].print_netvst(nv, f);
			print_where(&nv->where_key[k], column, f);
		}
	}
}

void conf_print(const struct conf *conf, FILE *f)
{
	fputs("[daemon]\n", f);
	for (unsigned k = 0; k < CONF_DAEMON_KEYS; k++) {
		if (k == CONF_DAEMON_INTERFACE && !*conf->interface) {
			fputs("; no interface for devices that name none ; default\n", f);
			continue;
		}
		print_key(&conf_daemon_keys[k], &conf->where_key[k], conf, NULL, f);
	}
	for (unsigned i = 0; i < conf->n_devices; i++) {
		print_device(conf, &conf->devices[i], f);
	}
	for (unsigned i = 0; i < conf->n_netvsts; i++) {
		print_netvst(&conf->netvsts[i], f);
	}
}
