#include "ctl/doctor-net.h"

#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/sys/class/net/%s"

static bool exists(const char *root, const char *name, const char *below)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s" FOLDER "%s", root, name, below) >= (int)sizeof(path)) {
		return false;
	}
	return stat(path, &st) == 0;
}

/* The last part of what a link points to; empty where there is none. */
static void read_link(char *dst, unsigned size, const char *root, const char *name, const char *below)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t n;

	dst[0] = '\0';
	if (snprintf(path, sizeof(path), "%s" FOLDER "%s", root, name, below) >= (int)sizeof(path)) {
		return;
	}
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0) {
		return;
	}
	target[n] = '\0';
	slash = strrchr(target, '/');
	doctor_copy_text(dst, size, slash ? slash + 1 : target);
}

static bool is_vlan(const char *root, const char *name)
{
	char path[PATH_MAX], uevent[1024];
	struct stat st;

	if (doctor_read_text(uevent, sizeof(uevent), root, FOLDER "/uevent", name) > 0 &&
		strstr(uevent, "DEVTYPE=vlan\n")) {
		return true;
	}
	return snprintf(path, sizeof(path), "%s/proc/net/vlan/%s", root, name) < (int)sizeof(path) &&
	       stat(path, &st) == 0;
}

static void read_kind(struct doctor_iface *iface, const char *root)
{
	iface->wireless = exists(root, iface->name, "/wireless") || exists(root, iface->name, "/phy80211");
	iface->bridge = exists(root, iface->name, "/bridge");
	iface->bond = exists(root, iface->name, "/bonding");
	iface->vlan = is_vlan(root, iface->name);
	iface->virtual = !exists(root, iface->name, "/device");
	read_link(iface->master, sizeof(iface->master), root, iface->name, "/master");
	read_link(iface->driver, sizeof(iface->driver), root, iface->name, "/device/driver");
}

/* "0x1003" */
static int read_up(const char *root, const char *name)
{
	char text[32];
	unsigned flags;

	if (doctor_read_text(text, sizeof(text), root, FOLDER "/flags", name) <= 0 ||
		strncmp(text, "0x", 2) != 0 || sscanf(text, "%8x", &flags) != 1) {
		return DOCTOR_UNKNOWN;
	}
	return (flags & IFF_UP) != 0;
}

static void read_link_state(struct doctor_iface *iface, const char *root)
{
	int64_t carrier;
	char text[32];

	iface->up = read_up(root, iface->name);
	/* An interface that is down does not tell. */
	carrier = doctor_read_number(0, root, FOLDER "/carrier", iface->name);
	iface->carrier = iface->up == 0 ? 0 : (int)MIN(carrier, 1);
	iface->speed_mbit = doctor_read_number(1, root, FOLDER "/speed", iface->name);
	/* What a driver says that does not know: SPEED_UNKNOWN as a number without a sign. */
	if (iface->speed_mbit >= INT32_MAX) {
		iface->speed_mbit = DOCTOR_UNKNOWN;
	}
	iface->full_duplex = DOCTOR_UNKNOWN;
	if (doctor_read_text(text, sizeof(text), root, FOLDER "/duplex", iface->name) > 0) {
		iface->full_duplex = strcmp(text, "full\n") == 0   ? 1
				     : strcmp(text, "half\n") == 0 ? 0
								   : DOCTOR_UNKNOWN;
	}
}

static void read_counters(struct doctor_iface *iface, const char *root)
{
	const struct {
		const char *file;
		int64_t *value;
	} counters[] = {
		{"statistics/rx_packets", &iface->rx_packets},
		{"statistics/tx_packets", &iface->tx_packets},
		{"statistics/rx_errors", &iface->rx_errors},
		{"statistics/tx_errors", &iface->tx_errors},
		{"statistics/rx_crc_errors", &iface->rx_crc_errors},
		{"statistics/collisions", &iface->collisions},
		{"carrier_changes", &iface->carrier_changes},
	};

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		*counters[i].value = doctor_read_number(0, root, FOLDER "/%s", iface->name, counters[i].file);
	}
}

/* "10.0.0.2:27016", "[fe80::1%eth0]:27016". */
static bool parse_peer(const char *peer, struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM};
	const char *from = peer + (*peer == '['), *colon = strrchr(peer, ':');
	struct addrinfo *found;
	char host[DOCTOR_NAME_SIZE];
	size_t len;

	if (!colon || colon <= from) {
		return false;
	}
	/* IPv4 at a socket for both. */
	if (strncmp(from, "::ffff:", strlen("::ffff:")) == 0 && strchr(from, '.')) {
		from += strlen("::ffff:");
	}
	len = (size_t)(colon - from) - (*peer == '[' && colon[-1] == ']');
	snprintf(host, sizeof(host), "%.*s", (int)MIN(len, sizeof(host) - 1), from);
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0) {
		return false;
	}
	memcpy(ret_address, found->ai_addr, found->ai_addrlen);
	*ret_len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr_storage *b)
{
	if (!a || a->sa_family != b->ss_family) {
		return false;
	}
	if (a->sa_family == AF_INET) {
		return memcmp(&((const struct sockaddr_in *)(const void *)a)->sin_addr,
			       &((const struct sockaddr_in *)(const void *)b)->sin_addr,
			       sizeof(struct in_addr)) == 0;
	}
	return a->sa_family == AF_INET6 && memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
						   &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
						   sizeof(struct in6_addr)) == 0;
}

/* The interface that has this address of ours; empty: none. */
static void find_owner(const struct sockaddr_storage *address, char ret_name[IF_NAMESIZE])
{
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0) {
		return;
	}
	for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
		if (same_address(at->ifa_addr, address)) {
			snprintf(ret_name, IF_NAMESIZE, "%s", at->ifa_name);
			break;
		}
	}
	freeifaddrs(all);
}

/* From where this machine would send to a peer: the kernel says so without sending anything. */
static void find_way(const char *peer, char ret_name[IF_NAMESIZE])
{
	struct sockaddr_storage address;
	socklen_t len;
	int fd;

	ret_name[0] = '\0';
	if (!parse_peer(peer, &address, &len)) {
		return;
	}
	fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return;
	}
	if (connect(fd, (const struct sockaddr *)&address, len) == 0) {
		/* To an address of its own it goes by the loopback, whose interface that is not. */
		find_owner(&address, ret_name);
		if (ret_name[0]) {
			snprintf(ret_name, IF_NAMESIZE, "lo");
		} else {
			len = sizeof(address);
			if (getsockname(fd, (struct sockaddr *)&address, &len) == 0) {
				find_owner(&address, ret_name);
			}
		}
	}
	close(fd);
}

void doctor_net_read_way(struct doctor_netvst *netvst, const char *root)
{
	struct doctor_iface iface = {.speed_mbit = DOCTOR_UNKNOWN};

	find_way(netvst->peer, netvst->interface);
	memcpy(iface.name, netvst->interface, sizeof(iface.name));
	if (iface.name[0] && strcmp(iface.name, "lo") != 0) {
		read_kind(&iface, root);
		read_link_state(&iface, root);
	}
	netvst->wireless = iface.wireless;
	netvst->speed_mbit = iface.speed_mbit;
}

/* True where the driver has answered. */
static bool ask_driver(int fd, const char *name, void *request)
{
	struct ifreq ifr = {0};

	memcpy(ifr.ifr_name, name, strnlen(name, sizeof(ifr.ifr_name) - 1));
	ifr.ifr_data = request;
	return ioctl(fd, SIOCETHTOOL, &ifr) == 0;
}

static void read_driver(struct doctor_iface *iface)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_coalesce coalesce = {.cmd = ETHTOOL_GCOALESCE};
	struct ethtool_eee eee = {.cmd = ETHTOOL_GEEE};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return;
	}
	if (ask_driver(fd, iface->name, &info)) {
		info.driver[sizeof(info.driver) - 1] = '\0';
		doctor_copy_text(iface->driver, sizeof(iface->driver), info.driver);
	}
	if (ask_driver(fd, iface->name, &coalesce)) {
		iface->rx_usecs = coalesce.rx_coalesce_usecs;
		iface->tx_usecs = coalesce.tx_coalesce_usecs;
		iface->adaptive_rx = coalesce.use_adaptive_rx_coalesce != 0;
		iface->adaptive_tx = coalesce.use_adaptive_tx_coalesce != 0;
	}
	if (ask_driver(fd, iface->name, &eee)) {
		iface->eee_enabled = eee.eee_enabled != 0;
		iface->eee_active = eee.eee_active != 0;
	}
	close(fd);
}

void doctor_net_read(struct doctor_iface *iface, const char *root)
{
	/* A name that is none must not lead out of the folder. */
	iface->exists = iface->name[0] && !strchr(iface->name, '/') && strcmp(iface->name, ".") != 0 &&
			strcmp(iface->name, "..") != 0 && exists(root, iface->name, "");
	if (!iface->exists) {
		return;
	}
	read_kind(iface, root);
	read_link_state(iface, root);
	read_counters(iface, root);
	if (!*root) {
		read_driver(iface);
	}
}
