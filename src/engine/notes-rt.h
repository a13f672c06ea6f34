/*
 * Which notes sound because of the MIDI that went out, so that they can be ended when whoever plays them is gone.
 *
 * Ownership: embedded, zeros at first. Threads: RT's own; RT safe.
 */
#ifndef ENGINE_NOTES_RT_H
#define ENGINE_NOTES_RT_H

#include <stdbool.h>
#include <stdint.h>

#define NOTES_CHANNELS 16

struct notes {
	uint64_t on[NOTES_CHANNELS][2]; /* a bit a note */
	uint16_t used;			/* a bit a channel: something was sent there */
	uint16_t sustained;
};

/* This message went out. */
void notes_heard_rt(struct notes *notes, uint8_t status, uint8_t data1, uint8_t data2);
/* The next message that ends something: notes, then sustain, then all that may be left of a channel. False: nothing sounds. */
bool notes_end_rt(struct notes *notes, uint8_t ret_message[3]);

#endif
