#include "emu/wire.h"

#include "base/util.h"
#include "proto/ethlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOT_SIZE 448u /* an audio frame and the kernel's headers before it, in whole cache lines */
#define BLOCK_SIZE 65536u
#define SLOTS_PER_BLOCK (BLOCK_SIZE / SLOT_SIZE)
#define BLOCKS_MIN 8u
#define RING_FRAMES_MIN 64u
#define RING_FRAMES_MAX (1u << 22)

struct wire {
	char interface[IF_NAMESIZE];
	unsigned blocks_wanted;
	int fd;
	int ifindex;
	uint8_t *ring;
	unsigned blocks;
	unsigned next; /* slot */
	struct wire_counts counts;
};

/* EtherType, then the destination: a DAC's prefix or broadcast. Offsets of the jumps are from the next line.
 */
static struct sock_filter filter_code[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETHLINK_OFF_TYPE),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHLINK_ETHERTYPE, 0, 3),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETHLINK_OFF_DST),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x00e8dac0, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffffffff, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, 0),
	BPF_STMT(BPF_RET | BPF_K, 0x40000),
};

int wire_new(const char *interface, unsigned ring_frames, struct wire **ret_wire)
{
	struct wire *w;

	if (strlen(interface) >= IF_NAMESIZE || ring_frames < RING_FRAMES_MIN ||
		ring_frames > RING_FRAMES_MAX) {
		return -EINVAL;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		return -ENOMEM;
	}
	strcpy(w->interface, interface);
	w->blocks_wanted = MAX((ring_frames + SLOTS_PER_BLOCK - 1) / SLOTS_PER_BLOCK, 1u);
	w->fd = -1;
	*ret_wire = w;
	return 0;
}

static void fetch_drops(struct wire *w)
{
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	if (w->fd >= 0 && getsockopt(w->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0) {
		w->counts.ring_drops += st.tp_drops;
	}
}

static void wire_close(struct wire *w)
{
	fetch_drops(w);
	if (w->ring) {
		munmap(w->ring, (size_t)w->blocks * BLOCK_SIZE);
		w->ring = NULL;
	}
	if (w->fd >= 0) {
		close(w->fd);
		w->fd = -1;
	}
	w->ifindex = 0;
}

void wire_free(struct wire *w)
{
	if (w) {
		wire_close(w);
		free(w);
	}
}

static int make_ring(struct wire *w)
{
	struct tpacket_req req = {.tp_block_size = BLOCK_SIZE, .tp_frame_size = SLOT_SIZE};
	unsigned blocks = w->blocks_wanted;
	void *map;

	for (;;) {
		req.tp_block_nr = blocks;
		req.tp_frame_nr = blocks * SLOTS_PER_BLOCK;
		if (setsockopt(w->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) == 0) {
			break;
		}
		if (errno != ENOMEM || blocks <= BLOCKS_MIN) {
			return -errno;
		}
		blocks = MAX(blocks / 2, BLOCKS_MIN);
	}
	map = mmap(NULL, (size_t)blocks * BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		w->fd, 0);
	if (map == MAP_FAILED) {
		return -errno;
	}
	w->ring = map;
	w->blocks = blocks;
	w->next = 0;
	return 0;
}

/* The filter and the ring are in place before the socket hears anything. */
static int prepare(struct wire *w, const char **ret_what)
{
	struct sock_fprog filter = {.len = ARRAY_SIZE(filter_code), .filter = filter_code};
	int version = TPACKET_V2, one = 1;

	*ret_what = "opening a packet socket";
	w->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0) {
		return -errno;
	}
	*ret_what = "choosing the packet ring's version";
	if (setsockopt(w->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0) {
		return -errno;
	}
	*ret_what = "attaching the packet filter";
	if (setsockopt(w->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0) {
		return -errno;
	}
	/* Before Linux 4.20 there is no such option; wire_next() leaves them aside as well. */
	(void)setsockopt(w->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	*ret_what = "making the receive ring";
	return make_ring(w);
}

static int bind_to(struct wire *w, int ifindex, const char **ret_what)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHLINK_ETHERTYPE),
		.sll_ifindex = ifindex,
	};
	struct packet_mreq promisc = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC};

	*ret_what = "binding to the interface";
	if (bind(w->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		return -errno;
	}
	/* The boxes' addresses are not the interface's. */
	*ret_what = "switching the interface to promiscuous";
	if (setsockopt(w->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) < 0) {
		return -errno;
	}
	w->ifindex = ifindex;
	w->counts.opened++;
	return 0;
}

int wire_open(struct wire *w, const char **ret_what)
{
	int ifindex, r;

	wire_close(w);
	*ret_what = "looking for the interface";
	ifindex = (int)if_nametoindex(w->interface);
	if (ifindex == 0) {
		return -ENODEV;
	}
	r = prepare(w, ret_what);
	if (r == 0) {
		r = bind_to(w, ifindex, ret_what);
	}
	if (r < 0) {
		wire_close(w);
	}
	return r;
}

bool wire_is_open(const struct wire *w)
{
	return w->fd >= 0;
}

unsigned wire_ring_frames(const struct wire *w)
{
	return w->blocks * SLOTS_PER_BLOCK;
}

int wire_check(struct wire *w)
{
	const char *what;
	int ifindex = (int)if_nametoindex(w->interface);
	int r, error;
	socklen_t len = sizeof(error);

	if (w->fd >= 0) {
		/* Reading the error clears it: the interface going down would else keep poll() awake. */
		(void)getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
	if (ifindex == 0) {
		wire_close(w);
		return -ENODEV;
	}
	if (w->fd >= 0 && ifindex == w->ifindex) {
		return 0;
	}
	r = wire_open(w, &what);
	return r < 0 ? r : 1;
}

bool wire_link_up(const struct wire *w)
{
	struct ifreq req = {0};

	if (w->fd < 0) {
		return false;
	}
	strcpy(req.ifr_name, w->interface);
	return ioctl(w->fd, SIOCGIFFLAGS, &req) == 0 && (req.ifr_flags & IFF_UP) &&
	       (req.ifr_flags & IFF_RUNNING);
}

int wire_fd(const struct wire *w)
{
	return w->fd;
}

static struct tpacket2_hdr *slot_at(const struct wire *w, unsigned slot)
{
	size_t offset =
		(size_t)(slot / SLOTS_PER_BLOCK) * BLOCK_SIZE + (size_t)(slot % SLOTS_PER_BLOCK) * SLOT_SIZE;

	return (struct tpacket2_hdr *)(void *)(w->ring + offset);
}

void wire_done(struct wire *w)
{
	__atomic_store_n(&slot_at(w, w->next)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	w->next = (w->next + 1) % (w->blocks * SLOTS_PER_BLOCK);
}

bool wire_next(struct wire *w, struct wire_frame *ret_frame)
{
	while (w->ring) {
		struct tpacket2_hdr *h = slot_at(w, w->next);
		uint32_t status = __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);
		const struct sockaddr_ll *from;

		if (!(status & TP_STATUS_USER)) {
			return false;
		}
		w->counts.frames++;
		from = (const struct sockaddr_ll *)(const void *)((uint8_t *)h + TPACKET_ALIGN(sizeof(*h)));
		if (from->sll_pkttype != PACKET_OUTGOING && !(status & TP_STATUS_VLAN_VALID) &&
			h->tp_mac < SLOT_SIZE) {
			ret_frame->data = (const uint8_t *)h + h->tp_mac;
			/* What is longer than an audio frame is cut in the slot, but still takes its time on
			 * a link. */
			ret_frame->len = MIN(h->tp_snaplen, SLOT_SIZE - h->tp_mac);
			if (ret_frame->len >= ETHLINK_FRAME_LEN) {
				ret_frame->len = h->tp_len;
			}
			ret_frame->t_ns = (int64_t)h->tp_sec * NSEC_PER_SEC + h->tp_nsec;
			return true;
		}
		w->counts.foreign++;
		wire_done(w);
	}
	return false;
}

void wire_send(struct wire *w, const uint8_t *frame, size_t len)
{
	if (w->fd < 0 || send(w->fd, frame, len, 0) != (ssize_t)len) {
		w->counts.send_errors++;
	}
}

const struct wire_counts *wire_get_counts(struct wire *w)
{
	fetch_drops(w);
	return &w->counts;
}
