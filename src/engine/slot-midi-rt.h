/*
 * The MIDI of a slot: the peer's events come out with the samples that they belong to, and notes that sound when it goes are ended.
 *
 * Threads: RT's own; RT safe.
 */
#ifndef ENGINE_SLOT_MIDI_RT_H
#define ENGINE_SLOT_MIDI_RT_H

#include "base/audio.h"

#include <stdint.h>

struct insert;

/* Once a cycle, when its samples have been taken. */
void slot_midi_rt(struct insert *insert, const struct audio_cycle *cycle, struct audio_insert *io);
/* The peer is gone. */
void slot_midi_end_rt(struct insert *insert);

#endif
