/*
 * What the simulated graph plays, and what is said of it once the boxes have: a pattern that shows every missing
 * sample, and a steady level that shows every click. Sources for struct sim; they belong to the test.
 */
#ifndef TESTS_SIGNALS_H
#define TESTS_SIGNALS_H

#include "sim/sim.h"

/* The graph plays silence, then the pattern from frame 1 on while playing is set. */
struct pattern_source {
	bool playing;
	uint32_t silent; /* so many frames of silence to play first */
	unsigned stretches;
	uint64_t per_box[SIM_BOXES_MAX];
};

void play_pattern(struct sim *sim, struct sim_box *sb, uint32_t frames);
void assert_lossless(struct sim *sim, const struct pattern_source *src);
/*
 * Silence while it starts, a stretch of the pattern, silence until the boxes have played it: more than a
 * second from the start of the stream to the pattern, or a box takes its zero blocks there for a gap in the audio.
 */
void play_stretch(struct sim *sim, struct pattern_source *src, int64_t ns);

/* What the box plays, as levels: for fades. */
struct level_probe {
	double last;
	double largest_step;
	double largest;
	double at_end;
	uint64_t nonzero_blocks;
};

/* A box's on_block; user is the level_probe. */
void watch_level(struct sim_box *sb, int64_t t_ns, const struct box_block *block);
void play_dc(struct sim *sim, struct sim_box *sb, uint32_t frames);
/* For a second, in all boxes; the first is watched. */
void play_level(struct sim *sim, struct level_probe *probe);

#endif
