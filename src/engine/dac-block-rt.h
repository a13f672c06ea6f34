/*
 * One block of a DAC: where its samples come from, its gain bytes, and the fades, volumes and mutes that it goes
 * through. The inside of dac-rt.c;
 * the realtime thread's. The DAC owns what it works on.
 */
#ifndef ENGINE_DAC_BLOCK_RT_H
#define ENGINE_DAC_BLOCK_RT_H

#include "engine/dac-rt.h"

/* Reports the gain bytes that frames carry from now on. RT safe. */
void dac_publish_gain_rt(struct dac *dac);
/* One channel at a time, and not before the box has had the time for the last one. RT safe. */
void dac_step_gain_rt(struct dac *dac, int64_t due_ns);
/* The factor that a channel is to have: it is heard only while it is to be, and the box lets it through. RT safe. */
float dac_level_wanted_rt(const struct dac *dac, unsigned k);
/* Any channel's factor is not 1, or shall not be. RT safe. */
bool dac_is_scaling_rt(const struct dac *dac);

/*
 * Of a cycle that is about to be made: all of its frames have the same header, and whole blocks of the graph's samples as they
 * are. RT safe.
 */
bool dac_is_steady_rt(const struct dac *dac);

/* The next eight frames of the graph's samples: pointers into the ports, or the scratch block. RT safe. */
void dac_take_block_rt(struct dac *dac, const float *ret_src[ETHLINK_CHANNELS]);
/* The block through the fade, into the scratch block. RT safe. */
void dac_fade_block_rt(struct dac *dac, const float *src[ETHLINK_CHANNELS]);
/* The next eight frames as the box gets them. RT safe. */
void dac_audio_block_rt(struct dac *dac, int32_t *audio, int64_t due_ns);

#endif
