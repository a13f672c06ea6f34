#include "net/pktring-rt.h"

#include <errno.h>
#include <sys/socket.h>

int pktring_packet_kick_rt(struct pktring *ring)
{
	if (sendto(ring->tx_fd, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL,
		    (const struct sockaddr *)&ring->tx_address, sizeof(ring->tx_address)) < 0) {
		return -errno;
	}
	return 0;
}

uint32_t pktring_tx_discard_rt(struct pktring *ring, uint32_t drops[PKTRING_OWNERS])
{
	uint32_t slot = ring->mark_slot;
	uint32_t count;

	/* Newest first, back to what the kernel took or what was discarded before. */
	for (count = 0; count < ring->tx_slots; count++) {
		struct tpacket2_hdr *hdr;

		slot = slot == 0 ? ring->tx_slots - 1 : slot - 1;
		hdr = pktring_tx_hdr_rt(ring, slot);
		if (__atomic_load_n(&hdr->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_SEND_REQUEST ||
			hdr->tp_len == PKTRING_LEN_DISCARD) {
			break;
		}
		hdr->tp_len = PKTRING_LEN_DISCARD;
		drops[ring->owners[slot] % PKTRING_OWNERS]++;
	}
	return count;
}
