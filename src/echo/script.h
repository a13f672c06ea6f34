/*
 * The MIDI events and parameters that a client sends: a text file, an event in a line, in the order of their frames:
 *
 *   FRAME on CHANNEL NOTE VELOCITY      (channels from 1)
 *   FRAME off CHANNEL NOTE
 *   FRAME cc CHANNEL CONTROLLER VALUE
 *   FRAME bend CHANNEL VALUE            (-8192 to 8191)
 *   FRAME raw STATUS DATA1 DATA2
 *   FRAME param EFFECT PARAMETER VALUE
 *
 * Ownership: script_read() fills it, script_free() frees. One thread.
 */
#ifndef ECHO_SCRIPT_H
#define ECHO_SCRIPT_H

#include "proto/netvst.h"

struct script_event {
	uint64_t frame; /* since the client's first */
	bool is_param;
	struct netvst_midi midi;
	struct netvst_param param;
};

struct script {
	struct script_event *events;
	size_t n;
	size_t at; /* the next one */
};

/* 0, or -EINVAL, -EIO, -ENOMEM: said, with the line. */
int script_read(const char *path, struct script *ret_script);
void script_free(struct script *script);
/* Puts those of the frames [position, position + frames) into the block; what is too much for it stays for the next. */
void script_fill(struct script *script, uint64_t position, struct netvst_block *block);

#endif
