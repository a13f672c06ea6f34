/*
 * One ETHlink8DAC in one cycle. Owned by the engine (engine.h); the realtime thread calls the functions here.
 *
 * A cycle: dac_begin_rt() says how many frames the box gets; dac_frame_rt() makes each, or, while nothing changes,
 * dac_frames_rt() several at once; dac_end_rt() keeps what did not fill a block. The number of blocks in a cycle is dac_begin_rt()'s to say and need not be
 * period/8: whatever compensates clocks will stand there, between ports and blocks.
 */
#ifndef ENGINE_DAC_RT_H
#define ENGINE_DAC_RT_H

#include "dsp/sample.h"
#include "engine/clock-rt.h"
#include "engine/cushion-rt.h"
#include "engine/seam.h"

struct dac {
	/* Control writes. */
	CACHELINE_ALIGNED _Atomic(struct dac_params *) params;
	const struct sample_kernels *kernels; /* fixed */

	/* RT's own. */
	CACHELINE_ALIGNED uint8_t header[ETHLINK_HEADER_LEN];
	const struct dac_params *now;	    /* the params that RT works by */
	struct dac_format format;	    /* of the stream that runs */
	struct audio_group *group;	    /* this cycle's buffers; NULL: not in this cycle */
	const float *src[ETHLINK_CHANNELS]; /* this cycle's samples not yet sent */
	uint32_t src_frames;
	uint32_t lead;		/* blocks of silence still to go ahead */
	int32_t shift;		/* blocks of silence to insert, or (below 0) to leave out, once faded out */
	int64_t owed_ns;	/* what the cushion lacks (or, below 0, has too much) besides */
	struct cushion cushion; /* varying formats */
	uint32_t tail;		/* blocks of silence still to go after a fade-out */
	uint32_t blocks;	/* blocks still to make in this cycle */
	bool in_plan;		/* on a wire that can send, in this cycle */
	bool expected;		/* this cycle is of the kind that the params were made for */
	bool steady;		/* all frames of this cycle: the same header, and the graph's samples as they are */
	float fade;		/* factor of the last sample, 0..1 */
	float fade_step;	/* a sample; 0: no fade under way */
	float level[ETHLINK_CHANNELS]; /* factor of each channel's last sample, 0..1: volumes and mutes */
	int64_t silent_ns[ETHLINK_CHANNELS]; /* since when that has been 0 */
	bool scaling;			     /* a channel's factor is not 1, or is about to be another */
	int64_t gain_changed_ns;
	uint32_t gain_channel; /* where to look next for a gain to change */
	uint32_t sent;	       /* frames in this cycle */
	uint32_t full;	       /* frames without a slot in this cycle */
	enum dac_mode mode;
	uint32_t n_partial;	/* frames that wait for a whole block */
	int64_t cycle_ns;	/* when the last cycle was made */
	uint32_t cycle_frames;	/* its length */
	uint64_t next_passed;	/* varying formats: what clock.passed is in the cycle after it */
	int64_t quiet_until_ns; /* no start before the box has played what was sent */
	float peak[ETHLINK_CHANNELS];
	float partial[ETHLINK_CHANNELS][ETHLINK_BLOCK_FRAMES];
	float scratch[ETHLINK_CHANNELS][ETHLINK_BLOCK_FRAMES];

	CACHELINE_ALIGNED struct dac_report report; /* RT writes, control reads */
};

/* Frames for this box in this cycle. The first dac->lead of them are silence that may go at once. */
uint32_t dac_begin_rt(struct dac *dac, const struct audio_cycle *cycle, const struct clock *clock);
/* Writes the next frame (320 bytes), which leaves at due_ns (CLOCK_MONOTONIC). */
void dac_frame_rt(struct dac *dac, uint8_t *frame, int64_t due_ns);
/* Where dac->steady is set: writes the next n frames, at most SAMPLE_BLOCKS_MAX, and no more than dac->blocks. */
void dac_frames_rt(struct dac *dac, uint8_t *const *frames, uint32_t n);
/* The next frame has no slot: it is passed over and counted. */
void dac_drop_rt(struct dac *dac);
/* So many frames were refused by the interface. */
void dac_refused_rt(struct dac *dac, uint32_t frames);
/* Its wire is gone, or the server is: nothing can be faded any more. The next start is a start from silence. */
void dac_abort_rt(struct dac *dac);
void dac_end_rt(struct dac *dac, const struct audio_cycle *cycle, const struct clock *clock);

#endif
