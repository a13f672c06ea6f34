#include "daemon/source.h"

#include "base/util.h"
#include "proto/netvst-wavpack.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct complaints {
	conf_error_fn error;
	void *data;
	unsigned n;
};

static void pass_on(void *data, const char *text)
{
	struct complaints *c = data;

	c->n++;
	c->error(c->data, text);
}

static void complain(struct complaints *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void complain(struct complaints *c, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		pass_on(c, strerror(ENOMEM));
		return;
	}
	pass_on(c, text);
	free(text);
}

/* What this build lacks for a backend, and what to use; NULL: nothing. */
static const char *lacking(enum conf_backend backend)
{
#ifndef HAVE_PIPEWIRE
	if (backend == CONF_BACKEND_PIPEWIRE) {
		return "PipeWire; use jack or auto, or build it without --disable-pipewire";
	}
#endif
#ifndef HAVE_JACK
	if (backend == CONF_BACKEND_JACK) {
		return "JACK; use pipewire or auto, or build it without --disable-jack";
	}
#endif
	return NULL;
}

/* What the file may say, but this version cannot do. */
static void check_abilities(const struct conf *conf, struct complaints *c)
{
	const struct conf_where *where = &conf->where_key[CONF_DAEMON_BACKEND];

	if (lacking(conf->backend)) {
		complain(c, "%s:%d: backend: this ethlinkd was built without %s",
			where->file ? where->file : "command line", MAX(where->line, 0),
			lacking(conf->backend));
	}
	for (unsigned i = 0; i < conf->n_netvsts && !netvst_wavpack_supported(); i++) {
		const struct conf_netvst *nv = &conf->netvsts[i];

		if (nv->codec != NETVST_PCM) {
			complain(c,
				"%s:%d: codec: this ethlinkd was built without WavPack; write codec = pcm, "
				"or build it with libwavpack",
				nv->where_key[CONF_NETVST_CODEC].file, nv->where_key[CONF_NETVST_CODEC].line);
		}
	}
	for (unsigned i = 0; i < conf->n_devices; i++) {
		const struct conf_device *d = &conf->devices[i];

		if (d->model != ETHLINK_DAC8) {
			complain(c, "%s:%d: model: [device %s] is an adc8; this version drives dac8 only",
				d->where_key[CONF_DEVICE_MODEL].file, d->where_key[CONF_DEVICE_MODEL].line,
				d->name);
		}
	}
}

int source_load(const struct source *source, conf_error_fn error, void *data, struct conf **ret_conf)
{
	struct complaints c = {.error = error, .data = data};
	struct conf *conf = NULL;
	int r = conf_load(source->path, pass_on, &c, &conf);

	if (r < 0) {
		if (c.n == 0) {
			complain(&c, "%s: %s", source->path, strerror(-r));
		}
		return r;
	}
	if (source->backend >= 0) {
		conf->backend = (enum conf_backend)source->backend;
		conf->where_key[CONF_DAEMON_BACKEND] = (struct conf_where){NULL, CONF_COMMAND_LINE};
	}
	if (source->log_level >= 0) {
		conf->log_level = (enum log_level)source->log_level;
		conf->where_key[CONF_DAEMON_LOG_LEVEL] = (struct conf_where){NULL, CONF_COMMAND_LINE};
	}
	check_abilities(conf, &c);
	if (c.n > 0) {
		conf_unref(conf);
		return -EINVAL;
	}
	*ret_conf = conf;
	return 0;
}
