#include "net/link.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Words of a mask of link modes, of which a settings request has three. The kernel of today has four. */
#define MODE_WORDS_MAX 32

struct link_monitor {
	int fd;
	uint32_t seq; /* of the dump that runs or ran last */
	bool dumping;
	bool dump_again; /* something was lost: ask again when this dump has ended */
	link_change_fn change;
	link_dump_done_fn dump_done;
	void *data;
};

static int ask_dump(struct link_monitor *m)
{
	struct {
		struct nlmsghdr nlh;
		struct ifinfomsg ifi;
	} req = {
		.nlh.nlmsg_len = sizeof(req),
		.nlh.nlmsg_type = RTM_GETLINK,
		.nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		.ifi.ifi_family = AF_UNSPEC,
	};

	if (m->dumping) {
		m->dump_again = true;
		return 0;
	}
	m->seq = m->seq == UINT32_MAX ? 1 : m->seq + 1;
	req.nlh.nlmsg_seq = m->seq;
	if (send(m->fd, &req, sizeof(req), MSG_NOSIGNAL) < 0) {
		return -errno;
	}
	m->dumping = true;
	m->dump_again = false;
	return 0;
}

static void parse_link(struct link_monitor *m, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = NLMSG_DATA(nlh);
	struct link_info info = {0};
	const struct rtattr *rta;
	int len;

	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*ifi))) {
		return;
	}
	info.ifindex = ifi->ifi_index;
	info.up = ifi->ifi_flags & IFF_UP;
	/* IFF_RUNNING follows the operational state: up and with a carrier. */
	info.carrier = info.up && (ifi->ifi_flags & IFF_RUNNING);
	info.ethernet = ifi->ifi_type == ARPHRD_ETHER;
	if (nlh->nlmsg_seq == m->seq && (nlh->nlmsg_flags & NLM_F_MULTI)) {
		info.dump = m->seq;
	}
	info.removed = nlh->nlmsg_type == RTM_DELLINK;
	len = (int)(nlh->nlmsg_len - NLMSG_LENGTH(sizeof(*ifi)));
	for (rta = IFLA_RTA(ifi); RTA_OK(rta, len); rta = RTA_NEXT(rta, len)) {
		size_t size = RTA_PAYLOAD(rta);

		if (rta->rta_type == IFLA_IFNAME && size > 0 && size <= sizeof(info.name)) {
			memcpy(info.name, RTA_DATA(rta), size);
			info.name[sizeof(info.name) - 1] = '\0';
		} else if (rta->rta_type == IFLA_ADDRESS && size == sizeof(info.mac)) {
			memcpy(info.mac, RTA_DATA(rta), size);
		} else if (rta->rta_type == IFLA_MTU && size == sizeof(info.mtu)) {
			memcpy(&info.mtu, RTA_DATA(rta), size);
		}
	}
	m->change(m->data, &info);
}

/* 0, or -errno that the kernel gave for our dump. */
static int parse_message(struct link_monitor *m, const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		parse_link(m, nlh);
		return 0;
	case NLMSG_DONE:
		if (nlh->nlmsg_seq != m->seq) {
			return 0;
		}
		m->dumping = false;
		/* A dump that raced with a change says so and is worth nothing. */
		if (m->dump_again || (nlh->nlmsg_flags & NLM_F_DUMP_INTR)) {
			return ask_dump(m);
		}
		if (m->dump_done) {
			m->dump_done(m->data, m->seq);
		}
		return 0;
	case NLMSG_ERROR: {
		const struct nlmsgerr *err = NLMSG_DATA(nlh);

		if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*err)) || nlh->nlmsg_seq != m->seq) {
			return 0;
		}
		m->dumping = false;
		/* EBUSY: another dump was under way on the kernel's side. */
		return err->error == -EBUSY ? ask_dump(m) : err->error;
	}
	default:
		return 0;
	}
}

int link_monitor_new(
	link_change_fn change, link_dump_done_fn dump_done, void *data, struct link_monitor **ret_monitor)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	struct link_monitor *m = calloc(1, sizeof(*m));
	int r;

	if (!m) {
		return -ENOMEM;
	}
	m->change = change;
	m->dump_done = dump_done;
	m->data = data;
	m->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (m->fd < 0) {
		r = -errno;
		free(m);
		return r;
	}
	r = bind(m->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : ask_dump(m);
	if (r < 0) {
		link_monitor_free(m);
		return r;
	}
	*ret_monitor = m;
	return 0;
}

void link_monitor_free(struct link_monitor *m)
{
	if (!m) {
		return;
	}
	close(m->fd);
	free(m);
}

int link_monitor_ask(struct link_monitor *m)
{
	return ask_dump(m);
}

/* An ioctl about interfaces may be made on a socket of any kind. */
static bool ask_settings(
	const struct link_monitor *m, const char *name, struct ethtool_link_settings *settings)
{
	struct ifreq ifr = {.ifr_data = (void *)settings};

	memcpy(ifr.ifr_name, name, strnlen(name, sizeof(ifr.ifr_name) - 1));
	settings->cmd = ETHTOOL_GLINKSETTINGS;
	return ioctl(m->fd, SIOCETHTOOL, &ifr) == 0;
}

void link_monitor_speed(const struct link_monitor *m, const char *name, struct link_speed *ret_speed)
{
	union {
		struct ethtool_link_settings settings;
		uint32_t room[sizeof(struct ethtool_link_settings) / sizeof(uint32_t) + 3 * MODE_WORDS_MAX];
	} ask = {0};
	int words;

	memset(ret_speed, 0, sizeof(*ret_speed));
	/* The first answer is how many words a mask has, below zero; the second has the rest. */
	if (!m || !ask_settings(m, name, &ask.settings)) {
		return;
	}
	words = -ask.settings.link_mode_masks_nwords;
	if (words <= 0 || words > MODE_WORDS_MAX) {
		return;
	}
	ask.settings.link_mode_masks_nwords = (int8_t)words;
	if (!ask_settings(m, name, &ask.settings) || ask.settings.speed >= INT32_MAX) {
		return; /* SPEED_UNKNOWN is -1 */
	}
	ret_speed->mbit = ask.settings.speed;
	ret_speed->half_duplex = ask.settings.duplex == DUPLEX_HALF;
}

int link_monitor_fd(const struct link_monitor *m)
{
	return m->fd;
}

int link_monitor_dispatch(struct link_monitor *m)
{
	union {
		char bytes[32768];
		struct nlmsghdr align;
	} buf;

	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(m->fd, buf.bytes, sizeof(buf.bytes), MSG_DONTWAIT,
			(struct sockaddr *)&from, &from_len);
		const struct nlmsghdr *nlh;
		int r;

		if (n < 0) {
			if (errno == EAGAIN || errno == EINTR) {
				return 0;
			}
			if (errno != ENOBUFS) {
				return -errno;
			}
			/* Messages were lost, the end of a running dump perhaps with them. */
			m->dumping = false;
			r = ask_dump(m);
			if (r < 0) {
				return r;
			}
			continue;
		}
		if (from.nl_pid != 0) {
			continue; /* not from the kernel */
		}
		for (nlh = &buf.align; NLMSG_OK(nlh, (size_t)n); nlh = NLMSG_NEXT(nlh, n)) {
			r = parse_message(m, nlh);
			if (r < 0) {
				return r;
			}
		}
	}
}
