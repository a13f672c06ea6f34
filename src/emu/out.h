/*
 * Lines to standard output that never make the emulator wait: a reader that does not read loses whole lines,
 * and neither halves of them nor the emulator's time. One thread.
 */
#ifndef EMU_OUT_H
#define EMU_OUT_H

#include <stddef.h>
#include <stdint.h>

struct out {
	int fd;
	char *pending; /* what of the last line could not be written yet */
	size_t pending_len, pending_at;
	uint64_t lines_dropped;
};

void out_init(struct out *o, int fd);
void out_fini(struct out *o);

/* Writes text (whole lines), waiting at most wait_ms for the reader. A closed pipe swallows everything. */
void out_write(struct out *o, const char *text, size_t len, int wait_ms);
void out_printf(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
