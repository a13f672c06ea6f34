/*
 * The frame with which a box asks for an IP address after power-up. Hosts find boxes by it.
 * Pure; the caller owns the buffer.
 */
#ifndef EMU_DHCP_H
#define EMU_DHCP_H

#include "proto/ethlink.h"

#include <stdint.h>

#define DHCP_DISCOVER_LEN 350

/* A whole Ethernet frame: broadcast DHCP DISCOVER, the host name that every box is shipped with. secs: since
 * power-up. */
void dhcp_discover(uint8_t ret_frame[DHCP_DISCOVER_LEN], const uint8_t mac[ETHLINK_MAC_LEN], uint32_t xid,
	uint16_t secs);

#endif
