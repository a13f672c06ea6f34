#include "proto/claim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define OFF_VERSION 22
#define OFF_KIND 23
#define OFF_BOX 24
#define CLAIM_VERSION 1

static const uint8_t magic[8] = {'e', 't', 'h', 'l', 'i', 'n', 'k', 'd'};

void claim_encode(uint8_t frame[CLAIM_FRAME_LEN], const struct claim *claim)
{
	memset(frame, 0, CLAIM_FRAME_LEN);
	memset(frame + ETHLINK_OFF_DST, 0xff, ETHLINK_MAC_LEN);
	memcpy(frame + ETHLINK_OFF_SRC, claim->src, ETHLINK_MAC_LEN);
	frame[ETHLINK_OFF_TYPE] = CLAIM_ETHERTYPE >> 8;
	frame[ETHLINK_OFF_TYPE + 1] = CLAIM_ETHERTYPE & 0xff;
	memcpy(frame + CLAIM_OFF_MAGIC, magic, sizeof(magic));
	frame[OFF_VERSION] = CLAIM_VERSION;
	frame[OFF_KIND] = (uint8_t)claim->kind;
	memcpy(frame + OFF_BOX, claim->box, ETHLINK_MAC_LEN);
}

int claim_decode(const uint8_t *frame, size_t len, struct claim *ret_claim)
{
	if (len < CLAIM_FRAME_LEN || frame[ETHLINK_OFF_TYPE] != CLAIM_ETHERTYPE >> 8 ||
		frame[ETHLINK_OFF_TYPE + 1] != (CLAIM_ETHERTYPE & 0xff) ||
		memcmp(frame + CLAIM_OFF_MAGIC, magic, sizeof(magic)) != 0 ||
		frame[OFF_VERSION] != CLAIM_VERSION || frame[OFF_KIND] < CLAIM_ASK ||
		frame[OFF_KIND] > CLAIM_FREE) {
		return -EINVAL;
	}
	memcpy(ret_claim->src, frame + ETHLINK_OFF_SRC, ETHLINK_MAC_LEN);
	ret_claim->kind = (enum claim_kind)frame[OFF_KIND];
	memcpy(ret_claim->box, frame + OFF_BOX, ETHLINK_MAC_LEN);
	return 0;
}

size_t claim_lock_address(int ifindex, const uint8_t box[ETHLINK_MAC_LEN], struct sockaddr_un *ret_address)
{
	int n;

	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sun_family = AF_UNIX;
	n = snprintf(ret_address->sun_path + 1, sizeof(ret_address->sun_path) - 1,
		"ethlinkd/%d/%02x%02x%02x%02x%02x%02x", ifindex, box[0], box[1], box[2], box[3], box[4],
		box[5]);
	return offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n;
}
