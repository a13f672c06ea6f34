#include "ctl/doctor-net.h"

#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
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
