#include "emu/dhcp.h"

#include <string.h>

#define OFF_IP 14
#define OFF_UDP (OFF_IP + 20)
#define OFF_BOOTP (OFF_UDP + 8)
#define OFF_OPTIONS (OFF_BOOTP + 240)
#define IP_LEN (DHCP_DISCOVER_LEN - OFF_IP)
#define UDP_LEN (DHCP_DISCOVER_LEN - OFF_UDP)

static const uint8_t ip_and_udp[OFF_BOOTP - OFF_IP] = {
	0x45, 0, IP_LEN >> 8, IP_LEN & 0xff, 0, 0, 0, 0, /* id and check sum are filled in */
	255, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 68, 0, 67, UDP_LEN >> 8, UDP_LEN & 0xff, 0,
	0, /* UDP check sum 0: none */
};

static const uint8_t options[] = {
	53,
	1,
	1, /* DISCOVER */
	57,
	2,
	1500 >> 8,
	1500 & 0xff, /* largest message */
	12,
	12,
	'E',
	'T',
	'H',
	'8',
	'D',
	'A',
	'C',
	'0',
	'0',
	'0',
	'0',
	'0',
	55,
	4,
	1,
	3,
	28,
	6, /* asks for mask, router, broadcast address, DNS */
	255,
};

_Static_assert(OFF_OPTIONS + sizeof(options) <= DHCP_DISCOVER_LEN, "the options fit");

static uint16_t ip_checksum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2) {
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void dhcp_discover(
	uint8_t ret_frame[DHCP_DISCOVER_LEN], const uint8_t mac[ETHLINK_MAC_LEN], uint32_t xid, uint16_t secs)
{
	uint8_t *ip = ret_frame + OFF_IP;
	uint8_t *bootp = ret_frame + OFF_BOOTP;
	uint16_t sum;

	memset(ret_frame, 0, DHCP_DISCOVER_LEN);
	memset(ret_frame, 0xff, ETHLINK_MAC_LEN);
	memcpy(ret_frame + ETHLINK_OFF_SRC, mac, ETHLINK_MAC_LEN);
	ret_frame[ETHLINK_OFF_TYPE] = 0x08;
	memcpy(ip, ip_and_udp, sizeof(ip_and_udp));
	ip[4] = (uint8_t)(xid >> 8);
	ip[5] = (uint8_t)xid;
	sum = ip_checksum(ip);
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;

	bootp[0] = 1; /* request */
	bootp[1] = 1; /* Ethernet */
	bootp[2] = ETHLINK_MAC_LEN;
	for (unsigned i = 0; i < 4; i++) {
		bootp[4 + i] = (uint8_t)(xid >> (24 - 8 * i));
	}
	bootp[8] = (uint8_t)(secs >> 8);
	bootp[9] = (uint8_t)secs;
	memcpy(bootp + 28, mac, ETHLINK_MAC_LEN);
	memcpy(bootp + 236, "\x63\x82\x53\x63", 4);
	memcpy(ret_frame + OFF_OPTIONS, options, sizeof(options));
}
