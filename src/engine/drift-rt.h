/*
 * How two clocks drift apart that meet in a buffer: a peer puts blocks in, the graph takes periods out. How much
 * stands in the buffer jumps by whole blocks and periods and says little; times say it exactly. So what is followed is the
 * slack: by how many frames the earliest block of a window comes before the earliest moment in which it could be wanted. What
 * is late on its way, or because of a busy machine, says nothing about clocks; how late the latest block is, the depth, is followed
 * by itself, and slowly: so much more slack is needed.
 *
 * A line is a position in the stream less the time (in frames of the graph's nominal rate, since any one moment) that it belongs to:
 * of a block, its first frame when it came; of a cycle, the first frame that it does not take, when it began. A clock that
 * runs exactly makes a line of one value, but for jitter, which only ever makes it less; the slack is the greatest line of
 * blocks less the greatest of cycles.
 *
 * Ownership: embedded. Threads: RT's own; pure; RT safe.
 */
#ifndef ENGINE_DRIFT_RT_H
#define ENGINE_DRIFT_RT_H

#include <stdbool.h>
#include <stdint.h>

/* So far from its target the slack is left alone. */
#define DRIFT_BAND_FRAMES 16.0

struct drift {
	double arrival;	  /* least line of a block in this window */
	double previous;  /* and in the one before */
	double early;	  /* greatest line of a block in this window */
	double cycle;	  /* greatest line of a cycle in this window, without corrections */
	uint32_t frames;  /* of this window so far */
	uint32_t windows; /* since it began or jumped */
	uint32_t seen;	  /* all, up to what the smoothing counts on */
	double slack;	  /* now, smoothed, without corrections */
	double speed;	  /* frames a window that it grows by */
	double depth;	  /* by how much less the latest block has, smoothed */
	double target;
	double corrected; /* frames by which the slack has been made smaller */
};

/* Nothing is known. */
void drift_init_rt(struct drift *drift);
/* The buffer has been set anew: only the speed is still known. */
void drift_jump_rt(struct drift *drift);
/* Blocks came no more; what is known of them is out of date. */
void drift_forget_rt(struct drift *drift);
/* What is known of blocks so far goes with the next call, or when a window has ended. */
void drift_age_rt(struct drift *drift);
/* True: since drift_age_rt() blocks have come, and only those count from now on. */
bool drift_settle_rt(struct drift *drift);

void drift_arrival_rt(struct drift *drift, double line);
/* Least line of late; a very large one if no block has come. */
double drift_arrival_line_rt(const struct drift *drift);
bool drift_has_arrivals_rt(const struct drift *drift);
/*
 * One cycle of so many frames. margin: the slack that is wanted for the latest block. Where there is more or less at the
 * beginning it stays so within half the margin. True: a window (a second) has ended.
 */
bool drift_cycle_rt(struct drift *drift, double line, uint32_t frames, uint32_t rate_hz, double margin);
/* 1: some frames are to be left out, -1: to be repeated, 0: all is well. */
int drift_wants_rt(const struct drift *drift, uint32_t rate_hz);
/* That has been done; below 0: repeated. */
void drift_corrected_rt(struct drift *drift, int frames);

#endif
