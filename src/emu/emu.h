/*
 * The emulator as a whole: boxes, the interface that they hang on, recordings, reports, commands.
 * The main loop is in main.c; here is what it does in a turn.
 *
 * Ownership: emu_new() to emu_free(); the options must outlive it. One thread.
 */
#ifndef EMU_EMU_H
#define EMU_EMU_H

#include "emu/options.h"

#include <stdbool.h>
#include <stdint.h>

struct emu;

/* Opens the interface, powers up the boxes. 0, or -errno after having logged why. */
int emu_new(const struct options *options, struct emu **ret_emu);
/* Completes recordings, writes the last report. 0, or -EIO where a recording is not whole. */
int emu_free(struct emu *e);

/* Says that frames are being heard from now on. */
void emu_ready(struct emu *e);

/* Takes what came in, lets the boxes live up to now, sends what they send, reports when it is time. */
void emu_turn(struct emu *e);

/*
 * How long to wait until the next turn, and whether a frame may cut that short: while frames keep coming it
 * may not, as waking for each of them would cost more than all the boxes.
 */
int64_t emu_wait_ns(struct emu *e, bool *ret_wake_on_frame);
/* For poll(), -1 for none. */
int emu_fd(const struct emu *e);
/* The interface had an error, as when it goes down. */
void emu_interface_error(struct emu *e);

/* Off and on again, all boxes. */
void emu_power_cycle(struct emu *e);
/* One line of input. Answers on standard output. */
void emu_command(struct emu *e, const char *line);
/* True after the command quit, or --duration. */
bool emu_is_over(const struct emu *e);

#endif
