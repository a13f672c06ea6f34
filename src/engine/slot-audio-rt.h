/*
 * The samples of a slot, both ways, and how they are corrected. Positions are kept here: read, wrote, and the lag between.
 *
 * Threads: RT's own; RT safe.
 */
#ifndef ENGINE_SLOT_AUDIO_RT_H
#define ENGINE_SLOT_AUDIO_RT_H

#include "base/audio.h"

#include <stdbool.h>
#include <stdint.h>

struct insert;

void slot_audio_begin_rt(struct insert *insert);
/* What comes next, in either direction, does not continue what was there. */
void slot_audio_cut_rt(struct insert *insert);
/* Zeros into tx until it is a prefill ahead of read. False: no room. */
bool slot_silence_rt(struct insert *insert);
/* 1, -1: begins a correction (drift-rt.h), if none goes on. standing: frames in rx. */
void slot_audio_correct_rt(struct insert *insert, int wants, uint64_t standing);
/* n frames to the graph; n + SHIFT_FRAMES must be there. */
void slot_audio_forth_rt(struct insert *insert, uint32_t n);
/* n frames from the graph. False: no room. */
bool slot_audio_back_rt(struct insert *insert, const struct audio_insert *io, uint32_t n);

#endif
