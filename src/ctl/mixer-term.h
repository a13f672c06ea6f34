/*
 * The mixer's terminal: taken over, read, measured and given back. What it was before is restored by
 * mixer_term_close(), whatever happened in between.
 *
 * There is one terminal, and ncurses keeps what belongs to it. One thread.
 */
#ifndef CTL_MIXER_TERM_H
#define CTL_MIXER_TERM_H

#include "ctl/mixer-model.h"

#include <stdbool.h>

/* What the terminal can show. */
struct mixer_look {
	bool utf8;
	bool eighths; /* blocks of any height; else of half a row only */
	bool colour;
};

enum mixer_input_kind {
	MIXER_INPUT_NONE, /* nothing more for now */
	MIXER_INPUT_KEY,
	MIXER_INPUT_CLICK,
	MIXER_INPUT_WHEEL_UP,
	MIXER_INPUT_WHEEL_DOWN,
	MIXER_INPUT_OTHER,
};

struct mixer_input {
	enum mixer_input_kind kind;
	enum mixer_key key;
	int row; /* of the mouse */
	int col;
};

/* Standard input and output are a terminal. */
bool mixer_term_is_there(void);

/* 0, or -EOPNOTSUPP: one that cannot place its cursor, or that is not known. */
int mixer_term_open(struct mixer_look *ret_look);
/* Without effect if it is not open. */
void mixer_term_close(void);

/* Does not wait. */
struct mixer_input mixer_term_read(void);
/* Nobody is at the other end any more. To be asked when input is said to be there. */
bool mixer_term_is_gone(void);
/* Takes over the size that the terminal has now. */
void mixer_term_resized(void);

#endif
