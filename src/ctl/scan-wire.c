#include "ctl/scan-wire.h"

#include "base/log.h"
#include "base/util.h"
#include "proto/claim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define MAC_PREFIX_DAC 0x00e8dac0
#define MAC_PREFIX_ADC 0x00e8adc0
#define LIST_MAX 512

static void say_no_interface(const char *interface)
{
	struct if_nameindex *all = if_nameindex();
	char list[LIST_MAX] = "";
	size_t len = 0;

	for (const struct if_nameindex *i = all; i && i->if_index != 0 && len < sizeof(list); i++) {
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "", i->if_name);
	}
	if (all) {
		if_freenameindex(all);
	}
	log_error("there is no interface '%s'; there is: %s", interface, list);
}

/* Says what is wrong with an interface on which no box can be heard. */
static int look_at(struct scan_wire *wire, const char *interface)
{
	struct ifreq req = {0};

	/* Longer names do not fit; the interface would be another one. */
	wire->ifindex = strlen(interface) < sizeof(req.ifr_name) ? (int)if_nametoindex(interface) : 0;
	if (wire->ifindex == 0) {
		say_no_interface(interface);
		return -ENODEV;
	}
	memcpy(req.ifr_name, interface, strlen(interface));
	if (ioctl(wire->fd, SIOCGIFHWADDR, &req) < 0 || req.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
		log_error("%s is no Ethernet interface; boxes are on Ethernet alone", interface);
		return -EINVAL;
	}
	memcpy(wire->mac, req.ifr_hwaddr.sa_data, ETHLINK_MAC_LEN);
	if (ioctl(wire->fd, SIOCGIFFLAGS, &req) < 0) {
		say_no_interface(interface);
		return -ENODEV;
	}
	if (!(req.ifr_flags & IFF_UP)) {
		log_error("%s is switched off; switch it on: sudo ip link set %s up", interface, interface);
		return -ENETDOWN;
	}
	if (!(req.ifr_flags & IFF_RUNNING)) {
		log_error("%s has no link; check its cable, and that the box or switch at the other end has "
			  "power",
			interface);
		return -ENOLINK;
	}
	return 0;
}

static int attach_filter(const struct scan_wire *wire)
{
	/* Claims; whatever comes from a box; ETHlink frames to one. */
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETHLINK_OFF_TYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLAIM_ETHERTYPE, 8, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETHLINK_OFF_SRC),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAC_PREFIX_DAC, 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAC_PREFIX_ADC, 5, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETHLINK_OFF_TYPE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHLINK_ETHERTYPE, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETHLINK_OFF_DST),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAC_PREFIX_DAC, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAC_PREFIX_ADC, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SCAN_WIRE_FRAME_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {.len = ARRAY_SIZE(filter), .filter = filter};

	return setsockopt(wire->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

static int listen_on(struct scan_wire *wire, bool outgoing)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = wire->ifindex,
	};
	const int on = 1;
	int r;

	if (!outgoing) {
		(void)setsockopt(wire->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	}
	r = attach_filter(wire);
	if (r < 0) {
		return r;
	}
	return bind(wire->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
}

int scan_wire_open(struct scan_wire *wire, const char *interface, bool outgoing)
{
	int r;

	memset(wire, 0, sizeof(*wire));
	wire->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (wire->fd < 0) {
		r = -errno;
		if (r == -EPERM || r == -EACCES) {
			log_error("no right to use raw Ethernet on %s; run it with sudo, or once: "
				  "sudo setcap cap_net_raw+ep \"$(command -v ethlinkctl)\"",
				interface);
		} else {
			log_error("no raw socket for %s: %s", interface, strerror(-r));
		}
		return r;
	}
	r = look_at(wire, interface);
	if (r == 0) {
		r = listen_on(wire, outgoing);
		if (r < 0) {
			log_error("cannot listen on %s: %s", interface, strerror(-r));
		}
	}
	if (r < 0) {
		scan_wire_close(wire);
	}
	return r;
}

void scan_wire_close(struct scan_wire *wire)
{
	if (wire->fd >= 0) {
		close(wire->fd);
	}
	wire->fd = -1;
}

ssize_t scan_wire_receive(struct scan_wire *wire, uint8_t frame[SCAN_WIRE_FRAME_MAX], bool *ret_outgoing)
{
	struct sockaddr_ll from = {0};
	socklen_t from_len = sizeof(from);
	ssize_t n;

	do {
		n = recvfrom(wire->fd, frame, SCAN_WIRE_FRAME_MAX, MSG_DONTWAIT, (struct sockaddr *)&from,
			&from_len);
	} while (n < 0 && errno == EINTR);
	*ret_outgoing = from.sll_pkttype == PACKET_OUTGOING;
	return n < 0 ? -errno : n;
}

int scan_wire_send(struct scan_wire *wire, const uint8_t *frame, size_t len)
{
	return send(wire->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

bool scan_wire_is_locked(const struct scan_wire *wire, enum ethlink_model model, uint16_t serial)
{
	struct sockaddr_un addr;
	uint8_t mac[ETHLINK_MAC_LEN];
	socklen_t len;
	bool locked;
	int fd;

	/* Asked by connecting: nobody is kept from taking it meanwhile. */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return true; /* it is not known: the box is left alone */
	}
	ethlink_mac(model, serial, mac);
	len = (socklen_t)claim_lock_address(wire->ifindex, mac, &addr);
	locked = connect(fd, (struct sockaddr *)&addr, len) == 0 || errno != ECONNREFUSED;
	close(fd);
	return locked;
}
