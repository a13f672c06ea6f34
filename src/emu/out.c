#include "emu/out.h"

#include "base/util.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void out_init(struct out *o, int fd)
{
	memset(o, 0, sizeof(*o));
	o->fd = fd;
}

void out_fini(struct out *o)
{
	free(o->pending);
	o->pending = NULL;
}

/* How much was written. A pipe that polls as writable takes PIPE_BUF bytes without blocking, so no more at a
 * time. */
static size_t write_ready(struct out *o, const char *text, size_t len, int wait_ms)
{
	size_t done = 0;

	while (done < len) {
		struct pollfd p = {.fd = o->fd, .events = POLLOUT};
		ssize_t n;

		if (poll(&p, 1, wait_ms) <= 0) {
			break;
		}
		n = write(o->fd, text + done, MIN(len - done, (size_t)PIPE_BUF));
		if (n < 0) {
			return errno == EINTR || errno == EAGAIN ? done : len;
		}
		done += (size_t)n;
	}
	return done;
}

void out_write(struct out *o, const char *text, size_t len, int wait_ms)
{
	size_t done;

	if (o->pending) {
		o->pending_at +=
			write_ready(o, o->pending + o->pending_at, o->pending_len - o->pending_at, wait_ms);
		if (o->pending_at < o->pending_len) {
			o->lines_dropped++;
			return;
		}
		free(o->pending);
		o->pending = NULL;
	}
	done = write_ready(o, text, len, wait_ms);
	if (done == len) {
		return;
	}
	if (done == 0) {
		o->lines_dropped++;
		return;
	}
	o->pending_len = len - done;
	o->pending_at = 0;
	o->pending = malloc(o->pending_len);
	if (o->pending) {
		memcpy(o->pending, text + done, o->pending_len);
	}
}

void out_printf(struct out *o, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n >= 0) {
		out_write(o, text, (size_t)n, 0);
		free(text);
	}
}
