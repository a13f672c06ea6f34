#include "net/watch.h"

#include "base/util.h"
#include "proto/ethlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

struct watch {
	int fd;
	int ifindex;
	uint16_t ethertype;
	bool boxes;
};

static int bind_to(struct watch *w, uint16_t protocol)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = w->ifindex,
	};

	return bind(w->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
}

static int attach_filter(const struct watch *w)
{
	/* Ours; or of a box (source MAC 00:e8:da:c0:… or 00:e8:ad:c0:…) and no ETHlink frame. */
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETHLINK_OFF_TYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, w->ethertype, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHLINK_ETHERTYPE, 4, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETHLINK_OFF_SRC),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x00e8dac0, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x00e8adc0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, WATCH_FRAME_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {.len = ARRAY_SIZE(filter), .filter = filter};

	return setsockopt(w->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

int watch_new(int ifindex, uint16_t ethertype, struct watch **ret_watch)
{
	struct watch *w = calloc(1, sizeof(*w));
	const int on = 1;
	int r;

	if (!w) {
		return -ENOMEM;
	}
	w->ifindex = ifindex;
	w->ethertype = ethertype;
	w->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0) {
		r = -errno;
		free(w);
		return r;
	}
	/* What the realtime thread sends through its ring must not come back here. */
	(void)setsockopt(w->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	r = attach_filter(w);
	r = r < 0 ? r : bind_to(w, ethertype);
	if (r < 0) {
		watch_free(w);
		return r;
	}
	*ret_watch = w;
	return 0;
}

void watch_free(struct watch *w)
{
	if (!w) {
		return;
	}
	close(w->fd);
	free(w);
}

int watch_set_boxes(struct watch *w, bool on)
{
	int r;

	if (w->boxes == on) {
		return 0;
	}
	r = bind_to(w, on ? ETH_P_ALL : w->ethertype);
	if (r >= 0) {
		w->boxes = on;
	}
	return r;
}

int watch_fd(const struct watch *w)
{
	return w->fd;
}

ssize_t watch_receive(struct watch *w, uint8_t frame[WATCH_FRAME_MAX])
{
	ssize_t n;

	do {
		n = recv(w->fd, frame, WATCH_FRAME_MAX, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int watch_send(struct watch *w, const uint8_t *frame, size_t len)
{
	return send(w->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}
