/*
 * Watches the network interfaces of this machine through rtnetlink.
 *
 * Ownership: link_monitor_new() gives a monitor to the caller, who frees it with link_monitor_free().
 * Control thread only.
 */
#ifndef NET_LINK_H
#define NET_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/* What a frame takes on the wire besides its bytes: preamble, checksum, and the gap to the next one. */
#define LINK_OVERHEAD_LEN (8 + 4 + 12)

struct link_monitor;

struct link_info {
	int ifindex;
	char name[IF_NAMESIZE];
	uint8_t mac[6];
	uint32_t mtu;
	bool up;       /* set up by the administrator */
	bool carrier;  /* up, and the cable leads somewhere */
	bool ethernet; /* ARPHRD_ETHER */
	uint32_t dump; /* number of the dump that this is part of; 0: news */
	bool removed;  /* the interface went away; only ifindex and name count */
};

struct link_speed {
	uint32_t mbit;	  /* 0: it does not tell */
	bool half_duplex; /* both ends share it */
};

/* Called for each interface in a dump and for each change; info is valid during the call. */
typedef void (*link_change_fn)(void *data, const struct link_info *info);
/* A whole dump has come through: interfaces that it did not name are gone. May be NULL. */
typedef void (*link_dump_done_fn)(void *data, uint32_t dump);

/* Opens the socket and asks for a dump. 0 or -errno. */
int link_monitor_new(
	link_change_fn change, link_dump_done_fn dump_done, void *data, struct link_monitor **ret_monitor);
void link_monitor_free(struct link_monitor *monitor);

/* Asks for a dump: all interfaces are told again. 0 or -errno. */
int link_monitor_ask(struct link_monitor *monitor);

/* Asks the driver of the interface of this name; of its changes there is no news. monitor: NULL: nobody can be asked. */
void link_monitor_speed(const struct link_monitor *monitor, const char *name, struct link_speed *ret_speed);

int link_monitor_fd(const struct link_monitor *monitor);

/*
 * Reads what is there and calls back. After an overrun of the socket (ENOBUFS) a fresh dump is asked for.
 * 0 or -errno for a socket that is of no use any more.
 */
int link_monitor_dispatch(struct link_monitor *monitor);

#endif
