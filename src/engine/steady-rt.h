/*
 * The frames of a cycle box by box instead of row by row, where all boxes have as many and nothing but the graph's samples: so each
 * buffer is read once from its beginning to its end, and nothing has to be decided for each block. Where the frames stand in
 * the ring is the same.
 *
 * Threads: the realtime thread's.
 */
#ifndef ENGINE_STEADY_RT_H
#define ENGINE_STEADY_RT_H

#include "engine/seam.h"

/*
 * Writes the next rows (one block of each DAC), at most so many, as if by one dac_frame_rt() after the other; later: for
 * pktring_tx_mark_rt(). Returns the number of slots used: 0, or less than was wanted, where it cannot be done this way, or
 * the ring is too full; the rest is to be made one by one. RT safe.
 */
uint32_t steady_rows_rt(const struct wire_plan *wire, uint32_t rows, bool later);

#endif
