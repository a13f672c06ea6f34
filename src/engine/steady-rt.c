#include "engine/steady-rt.h"

#include "engine/dac-rt.h"
#include "net/pktring-rt.h"

/* Which DACs have something to send. Returns how many; 0 where they are not all alike. */
static unsigned find_rt(const struct wire_plan *wire, uint8_t ret_owners[ENGINE_DACS_PER_WIRE])
{
	uint32_t blocks = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < wire->n_dacs; i++) {
		const struct dac *dac = wire->dacs[i];

		if (dac->blocks == 0) {
			continue;
		}
		if (!dac->steady || (n > 0 && dac->blocks != blocks)) {
			return 0;
		}
		blocks = dac->blocks;
		ret_owners[n++] = (uint8_t)i;
	}
	return n;
}

uint32_t steady_rows_rt(const struct wire_plan *wire, uint32_t rows, bool later)
{
	uint8_t owners[ENGINE_DACS_PER_WIRE];
	struct pktring *ring = wire->ring;
	uint32_t n = find_rt(wire, owners);
	uint32_t done = 0;

	rows = n > 0 ? MIN(rows, wire->dacs[owners[0]]->blocks) : 0;
	while (done < rows) {
		uint32_t part = MIN(rows - done, (uint32_t)SAMPLE_BLOCKS_MAX);

		if (!pktring_tx_has_room_rt(ring, part * n)) {
			break;
		}
		for (uint32_t i = 0; i < n; i++) {
			uint8_t *frames[SAMPLE_BLOCKS_MAX];

			for (uint32_t row = 0; row < part; row++) {
				frames[row] =
					pktring_tx_frame_rt(ring, pktring_tx_ahead_rt(ring, row * n + i));
			}
			dac_frames_rt(wire->dacs[owners[i]], frames, part);
		}
		pktring_tx_commit_rows_rt(ring, ETHLINK_FRAME_LEN, owners, n, part, later);
		done += part;
	}
	return done * n;
}
