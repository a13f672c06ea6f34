#include "bench-ring.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define RECEIVE_BUFFER_BYTES (16 << 20)
#define WAIT_MS 100

static const struct sock_filter marked_filter[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, MARK_OFFSET),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, 0xffff),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

int far_open(struct far *far, const char *interface, bool marked)
{
	struct sock_fprog prog = {
		.len = ARRAY_SIZE(marked_filter),
		.filter = (struct sock_filter *)(uintptr_t)marked_filter,
	};
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHLINK_ETHERTYPE),
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	const int on = 1, bytes = RECEIVE_BUFFER_BYTES;

	far->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (far->fd < 0 ||
		(marked && setsockopt(far->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0) ||
		(marked && setsockopt(far->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0) ||
		setsockopt(far->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
		bind(far->fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		log_error("interface %s: a socket for what comes in: %s", interface, strerror(errno));
		return -errno;
	}
	return 0;
}

void far_close(struct far *far)
{
	if (far->fd >= 0) {
		close(far->fd);
	}
}

/* One frame; false: none came for a tenth of a second. */
static bool take(struct far *far, struct msghdr *message)
{
	struct pollfd pollfd = {.fd = far->fd, .events = POLLIN};
	ssize_t len;

	while ((len = recvmsg(far->fd, message, 0)) < 0) {
		if (errno != EAGAIN || poll(&pollfd, 1, WAIT_MS) <= 0) {
			return false;
		}
	}
	return len == ETHLINK_FRAME_LEN;
}

bool far_verify(struct far *far, const struct bench *b, unsigned n)
{
	uint8_t frame[ETHLINK_FRAME_LEN];
	struct iovec part = {frame, sizeof(frame)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	for (unsigned i = 0; i < n; i++) {
		enum ethlink_model model;
		uint16_t serial;

		if (!take(far, &message)) {
			log_error("the far end got %u of %u frames", i, n);
			return false;
		}
		frame[MARK_OFFSET] = 0;
		if (ethlink_mac_parse(frame, &model, &serial) < 0 || serial >= b->load.boxes ||
			memcmp(frame, b->frames[serial], sizeof(frame)) != 0) {
			log_error("frame %u of %u is not what was sent", i, n);
			return false;
		}
	}
	return true;
}

static int64_t stamp_of(struct msghdr *message)
{
	struct timespec ts = {0};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		}
	}
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

unsigned far_wait(struct far *far, unsigned n)
{
	uint8_t frame[ETHLINK_FRAME_LEN];
	char control[128];
	struct iovec part = {frame, sizeof(frame)};

	far->first_ns = INT64_MAX;
	far->last_ns = 0;
	for (unsigned i = 0; i < n; i++) {
		struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
		int64_t stamp_ns;

		message.msg_controllen = sizeof(control);
		if (!take(far, &message)) {
			return i;
		}
		stamp_ns = stamp_of(&message);
		far->first_ns = MIN(far->first_ns, stamp_ns);
		far->last_ns = MAX(far->last_ns, stamp_ns);
	}
	return n;
}
