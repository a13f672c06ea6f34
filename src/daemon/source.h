/*
 * Where the configuration comes from: a file with its drop-ins, and what the command line overrides. Read at the start
 * and at each reload.
 */
#ifndef DAEMON_SOURCE_H
#define DAEMON_SOURCE_H

#include "daemon/conf.h"

struct source {
	const char *path;
	int backend;   /* enum conf_backend; -1: as configured */
	int log_level; /* enum log_level; -1: as configured */
};

/*
 * As conf_load(), and checked against what this version can do. Each thing that is wrong is told to error, also
 * when there is no memory. 0 or -errno.
 */
int source_load(const struct source *source, conf_error_fn error, void *data, struct conf **ret_conf);

#endif
