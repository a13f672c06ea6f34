/*
 * What a server makes of a block: the same, louder or softer, later, or a sine for each note that sounds. One for each
 * connection.
 *
 * Ownership: process_new() to process_free(). One thread. Pure but for the memory.
 */
#ifndef ECHO_PROCESS_H
#define ECHO_PROCESS_H

#include "echo/options.h"
#include "proto/netvst.h"

struct process;

/* 0 or -ENOMEM. */
int process_new(const struct options *options, struct process **ret_process);
/* NULL is allowed. */
void process_free(struct process *process);
/* Request in, reply out: afterwards the block has audio, and neither MIDI nor parameters. */
void process_block(struct process *process, struct netvst_block *block);

#endif
