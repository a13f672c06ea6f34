/*
 * Lines on standard output, for server and client. One thread.
 */
#ifndef ECHO_PRINT_H
#define ECHO_PRINT_H

#include "echo/counter.h"
#include "proto/netvst.h"

/* Ends the line, and has it read at once. */
void print_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Parts of an object, with a comma before. */
void print_counter(const struct counter *counter);
void print_ratio(uint64_t bytes, uint64_t audio_bytes, enum netvst_codec codec);
/* A line. */
void print_counter_words(const struct counter *counter);

#endif
