/*
 * The lines that the emulator takes on its standard input, and the same words on its command line.
 * Pure; the caller owns the struct.
 */
#ifndef EMU_COMMAND_H
#define EMU_COMMAND_H

#include "emu/serials.h"
#include "proto/ethlink.h"

#include <stddef.h>

enum command_kind {
	COMMAND_NONE, /* an empty line or a # comment */
	COMMAND_POWER_CYCLE,
	COMMAND_OFF,
	COMMAND_ON,
	COMMAND_PRESET,
	COMMAND_MARK,
	COMMAND_STATUS,
	COMMAND_QUIT,
};

struct command {
	enum command_kind kind;
	bool all;                         /* every box, however numbered */
	struct serials serials;           /* else these */
	struct ethlink_settings settings; /* PRESET */
	uint8_t host[ETHLINK_MAC_LEN];    /* PRESET */
};

#define COMMAND_ERROR_SIZE 160

/* One line, without its end. 0, or -EINVAL with ret_error saying what is allowed. */
int command_parse(const char *line, struct command *ret, char ret_error[COMMAND_ERROR_SIZE]);

/* What follows the word preset: SERIALS [rate=HZ] [depth=N] [gain=DB|mute[,…8]] [host=MAC]. */
int command_parse_preset(const char *args, struct command *ret, char ret_error[COMMAND_ERROR_SIZE]);

#endif
