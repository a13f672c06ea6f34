/*
 * What the tables of boxes and NetVST sections and the pages about one have in common. One thread.
 */
#ifndef CTL_STATUS_INTERNAL_H
#define CTL_STATUS_INTERNAL_H

#include "ctl/status.h"

/* What came over the wire goes to a terminal, which obeys control characters: they become '?'. */
void status_print_plain(FILE *f, const char *s, int width);

/* Milliseconds, or "-". */
void status_format_latency(char *buf, size_t size, const struct prop_list *device, uint64_t rate_hz);

/* dB with one decimal, "-" for silence. */
void status_format_level(char *buf, size_t size, double dbfs);

/* The state in words, filled up to width. */
void status_print_state(const struct prop_list *device, FILE *f, bool colour, int width);

/* True where the value number i of an array of origins (gain_origin and the like) was set at run time. */
bool status_is_runtime(const struct prop_list *device, const char *key, unsigned i);

/* What to do about it, indented lines, the daemon's own where it says why; none for a box that is online. */
void status_print_hints(const struct prop_list *device, FILE *f);

/* The same for a NetVST section, from its role, state, host, port and error; none where it is as it should be. */
void status_print_netvst_hints(const struct prop_list *netvst, FILE *f);

/* "studio-pc:27016", "[fe80::1]:27016": whom a client calls, where a server listens. */
void status_format_host(char *buf, size_t size, const struct prop_list *netvst);

#endif
