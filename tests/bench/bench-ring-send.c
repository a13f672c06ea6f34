#include "bench-ring.h"

#include "base/mem.h"
#include "net/pktring-rt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SEND_BUFFER_BYTES (4 << 20) /* as the daemon */

int sender_fail(struct sender *s, const char *call)
{
	s->failed = call;
	return -errno;
}

static int set_int(struct sender *s, int level, int name, int value, const char *call)
{
	return setsockopt(s->fd, level, name, &value, sizeof(value)) < 0 ? sender_fail(s, call) : 0;
}

int sender_open(struct sender *s, const struct bench *b, const struct way *way)
{
	*s = (struct sender){.way = way, .bench = b, .fd = -1};
	return way->ops->open(s);
}

int sender_socket(struct sender *s, uint16_t protocol)
{
	s->address = (struct sockaddr_ll){
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = (int)if_nametoindex(s->bench->load.interface),
		.sll_halen = ETHLINK_MAC_LEN,
	};
	s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (s->fd < 0) {
		return sender_fail(s, "socket(AF_PACKET)");
	}
	if (set_int(s, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES, "setsockopt(SO_SNDBUFFORCE)") < 0) {
		return -errno;
	}
	if (s->way->bypass &&
		set_int(s, SOL_PACKET, PACKET_QDISC_BYPASS, 1, "setsockopt(PACKET_QDISC_BYPASS)") < 0) {
		return -errno;
	}
	if (bind(s->fd, (const struct sockaddr *)&s->address, sizeof(s->address)) < 0) {
		return sender_fail(s, "bind");
	}
	return 0;
}

static void close_socket(struct sender *s)
{
	if (s->map) {
		munmap(s->map, s->map_len);
	}
	if (s->fd >= 0) {
		close(s->fd);
	}
	free(s->impl);
}

/* --- plain sockets: frames in memory of their own */

struct plain {
	struct mmsghdr messages[FRAMES_MAX];
	struct iovec parts[FRAMES_MAX];
	uint8_t frames[FRAMES_MAX][ETHLINK_FRAME_LEN] CACHELINE_ALIGNED;
};

static int plain_open(struct sender *s)
{
	struct plain *p = mem_zalloc(CACHELINE_SIZE, sizeof(*p));

	if (!p) {
		return sender_fail(s, "malloc");
	}
	s->impl = p;
	for (unsigned i = 0; i < FRAMES_MAX; i++) {
		p->parts[i] = (struct iovec){p->frames[i], ETHLINK_FRAME_LEN};
		p->messages[i].msg_hdr.msg_iov = &p->parts[i];
		p->messages[i].msg_hdr.msg_iovlen = 1;
	}
	return sender_socket(s, ETHLINK_ETHERTYPE);
}

static void plain_fill_rt(struct sender *s, unsigned first, unsigned n)
{
	struct plain *p = s->impl;

	for (unsigned i = first; i < first + n; i++) {
		memcpy(p->frames[i - first], bench_frame(s->bench, i), ETHLINK_FRAME_LEN);
		bench_mark(s->bench, p->frames[i - first], i, first, n);
	}
	s->ready = n;
}

static int sendto_kick_rt(struct sender *s)
{
	struct plain *p = s->impl;

	for (unsigned i = 0; i < s->ready; i++) {
		if (sendto(s->fd, p->frames[i], ETHLINK_FRAME_LEN, 0, (const struct sockaddr *)&s->address,
			    sizeof(s->address)) < 0) {
			return -errno;
		}
	}
	return 0;
}

static int sendmmsg_kick_rt(struct sender *s)
{
	struct plain *p = s->impl;
	int sent;

	for (unsigned i = 0; i < s->ready; i += (unsigned)sent) {
		sent = sendmmsg(s->fd, p->messages + i, s->ready - i, 0);
		if (sent <= 0) {
			return -errno;
		}
	}
	return 0;
}

const struct sender_ops sender_sendto = {plain_open, plain_fill_rt, sendto_kick_rt, close_socket};
const struct sender_ops sender_sendmmsg = {plain_open, plain_fill_rt, sendmmsg_kick_rt, close_socket};

/* --- transmit rings of all kinds, each slot as large as the daemon's and its frame at the same place */

static uint8_t *slot_of(const struct sender *s, unsigned slot)
{
	return s->map + (size_t)(slot / s->per_block) * s->block_bytes +
	       (size_t)(slot % s->per_block) * PKTRING_SLOT_SIZE;
}

static uint32_t *status_of(const struct sender *s, uint8_t *slot)
{
	return (uint32_t *)(void *)(slot + (s->way->v3 ? offsetof(struct tpacket3_hdr, tp_status)
						       : offsetof(struct tpacket2_hdr, tp_status)));
}

static void write_lengths(const struct sender *s, uint8_t *slot)
{
	uint32_t vnet = s->way->copied ? PKTRING_VNET_LEN : 0, len = ETHLINK_FRAME_LEN + vnet;

	if (s->way->v3) {
		((struct tpacket3_hdr *)(void *)slot)->tp_len = len;
	} else {
		((struct tpacket2_hdr *)(void *)slot)->tp_len = len;
	}
	if (vnet) {
		((struct virtio_net_hdr *)(void *)(slot + PKTRING_VNET_OFFSET))->hdr_len = ETHLINK_FRAME_LEN;
	}
}

/* What is the same in all cycles. */
static void prepare_slots(const struct sender *s)
{
	uint16_t offset = PKTRING_DATA_OFFSET - (s->way->copied ? PKTRING_VNET_LEN : 0);

	for (unsigned i = 0; i < s->slots; i++) {
		uint8_t *slot = slot_of(s, i);

		if (s->way->v3) {
			((struct tpacket3_hdr *)(void *)slot)->tp_mac = offset;
		} else {
			((struct tpacket2_hdr *)(void *)slot)->tp_mac = offset;
		}
		write_lengths(s, slot);
		memcpy(slot + PKTRING_DATA_OFFSET, bench_frame(s->bench, i), ETHLINK_FRAME_LEN);
	}
}

/* Whole blocks, as the kernel demands; the ring may be larger than asked for. */
static int ring_map(struct sender *s, unsigned slots)
{
	struct tpacket_req3 req;
	socklen_t len = s->way->v3 ? sizeof(struct tpacket_req3) : sizeof(struct tpacket_req);

	s->block_bytes = s->way->block_bytes ? s->way->block_bytes : 3 * (unsigned)sysconf(_SC_PAGESIZE);
	s->per_block = s->block_bytes / PKTRING_SLOT_SIZE;
	req = (struct tpacket_req3){
		.tp_block_size = s->block_bytes,
		.tp_block_nr = (slots + s->per_block - 1) / s->per_block,
		.tp_frame_size = PKTRING_SLOT_SIZE,
	};
	s->slots = req.tp_frame_nr = req.tp_block_nr * s->per_block;
	if (setsockopt(s->fd, SOL_PACKET, PACKET_TX_RING, &req, len) < 0) {
		return sender_fail(s, "setsockopt(PACKET_TX_RING)");
	}
	s->map_len = (size_t)req.tp_block_nr * s->block_bytes;
	s->map = mmap(NULL, s->map_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s->fd, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return sender_fail(s, "mmap(PACKET_TX_RING)");
	}
	prepare_slots(s);
	return 0;
}

static int ring_open(struct sender *s)
{
	const struct way *way = s->way;
	unsigned share = s->bench->n_frames / MAX(way->rings, 1u);
	unsigned slots =
		way->cycles ? way->cycles * share : bench_ring_slots(&s->bench->load) / MAX(way->rings, 1u);

#ifndef __SSE2__
	if (way->fill == FILL_STREAM) {
		errno = ENOSYS;
		return sender_fail(s, "non-temporal stores");
	}
#endif
	if (sender_socket(s, 0) < 0 ||
		set_int(s, SOL_PACKET, PACKET_VERSION, way->v3 ? TPACKET_V3 : TPACKET_V2,
			"setsockopt(PACKET_VERSION)") < 0 ||
		set_int(s, SOL_PACKET, PACKET_LOSS, 1, "setsockopt(PACKET_LOSS)") < 0 ||
		(way->copied &&
			set_int(s, SOL_PACKET, PACKET_VNET_HDR, 1, "setsockopt(PACKET_VNET_HDR)") < 0) ||
		set_int(s, SOL_PACKET, PACKET_TX_HAS_OFF, 1, "setsockopt(PACKET_TX_HAS_OFF)") < 0) {
		return -errno;
	}
	s->address.sll_protocol = htons(ETHLINK_ETHERTYPE); /* of the kick, not of what is received */
	return ring_map(s, slots);
}

static void put_frame_rt(uint8_t *to, const uint8_t *frame, enum fill fill)
{
	switch (fill) {
	case FILL_STREAM:
#ifdef __SSE2__
		for (unsigned at = 0; at < ETHLINK_FRAME_LEN; at += sizeof(__m128i)) {
			_mm_stream_si128((__m128i *)(void *)(to + at),
				_mm_load_si128((const __m128i *)(const void *)(frame + at)));
		}
#endif
		break;
	case FILL_AUDIO:
		memcpy(to + ETHLINK_OFF_AUDIO, frame + ETHLINK_OFF_AUDIO, ETHLINK_AUDIO_LEN);
		break;
	case FILL_COPY:
		memcpy(to, frame, ETHLINK_FRAME_LEN);
		break;
	}
}

static void ring_fill_rt(struct sender *s, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		uint8_t *slot = slot_of(s, s->next);
		uint32_t *status = status_of(s, slot);

		if (__atomic_load_n(status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE) {
			s->full++;
			continue;
		}
		put_frame_rt(slot + PKTRING_DATA_OFFSET, bench_frame(s->bench, i), s->way->fill);
		bench_mark(s->bench, slot + PKTRING_DATA_OFFSET, i, first, n);
		if (s->way->fill != FILL_AUDIO) {
			write_lengths(s, slot);
		}
#ifdef __SSE2__
		if (s->way->fill == FILL_STREAM) {
			_mm_sfence();
		}
#endif
		__atomic_store_n(status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
		s->next = s->next + 1 == s->slots ? 0 : s->next + 1;
	}
}

static int ring_kick_rt(struct sender *s)
{
	const struct sockaddr *to = s->way->addressed ? (const struct sockaddr *)&s->address : NULL;

	return sendto(s->fd, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL, to, to ? sizeof(s->address) : 0) < 0
		       ? -errno
		       : 0;
}

const struct sender_ops sender_ring = {ring_open, ring_fill_rt, ring_kick_rt, close_socket};

/* --- the daemon's own code */

static int pktring_open(struct sender *s)
{
	s->impl = bench_ring_open(&s->bench->load, s->way->bypass);
	return s->impl ? 0 : sender_fail(s, "pktring_open_packet");
}

static void pktring_fill_rt(struct sender *s, unsigned first, unsigned n)
{
	struct pktring *ring = s->impl;

	for (unsigned i = first; i < first + n; i++) {
		uint8_t *frame = pktring_tx_next_rt(ring);

		if (!frame) {
			s->full++;
			continue;
		}
		memcpy(frame, bench_frame(s->bench, i), ETHLINK_FRAME_LEN);
		bench_mark(s->bench, frame, i, first, n);
		pktring_tx_commit_rt(ring, ETHLINK_FRAME_LEN, 0);
	}
}

static int pktring_sender_kick_rt(struct sender *s)
{
	return pktring_kick_rt(s->impl);
}

static void pktring_close(struct sender *s)
{
	pktring_free(s->impl);
}

const struct sender_ops sender_pktring = {
	pktring_open, pktring_fill_rt, pktring_sender_kick_rt, pktring_close};
