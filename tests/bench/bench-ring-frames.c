#include "bench-ring-frames.h"

#include "base/log.h"
#include "base/option.h"
#include "engine/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* As src/daemon/iface.c: slots for a multiple of so many boxes; slots to receive. */
#define SPARE_DEVICES 8
#define RX_SLOTS 4096

unsigned bench_ring_slots(const struct bench_ring_load *load)
{
	unsigned room = (load->boxes + SPARE_DEVICES - 1) / SPARE_DEVICES * SPARE_DEVICES;
	struct policy policy;

	if (policy_make(load->period, load->rate_hz, POLICY_LATENCY_AUTO, &policy) < 0) {
		policy.slots = POLICY_SLOTS_MIN;
	}
	return policy.slots * room;
}

int bench_ring_ifindex(const char *interface)
{
	int ifindex = (int)if_nametoindex(interface);

	if (ifindex == 0) {
		log_error("interface %s: %s", interface, strerror(errno));
	}
	return ifindex;
}

struct pktring *bench_ring_open(const struct bench_ring_load *load, bool qdisc_bypass)
{
	struct pktring_config config = {
		.ifindex = bench_ring_ifindex(load->interface),
		.tx_slots = bench_ring_slots(load),
		.rx_slots = RX_SLOTS,
		.qdisc_bypass = qdisc_bypass,
	};
	struct pktring_error error = {0};
	struct pktring *ring = NULL;

	if (config.ifindex != 0 && pktring_open_packet(&config, &ring, &error) < 0) {
		log_error("interface %s: %s: %s; a packet ring takes root or CAP_NET_RAW", load->interface,
			error.call, strerror(error.error));
	}
	return ring;
}

int bench_ring_write_frames(const struct bench_ring_load *load, int fd, uint8_t frames[][ETHLINK_FRAME_LEN])
{
	struct ethlink_settings settings = {.depth = ETHLINK_DEPTH_MAX};
	struct sockaddr_ll address = {0};
	socklen_t len = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
		return -errno;
	}
	settings.rate_code = (uint8_t)ethlink_rate_code(load->rate_hz);
	memset(settings.gain, ethlink_gain_byte(ETHLINK_DAC8, 0), sizeof(settings.gain));
	for (unsigned box = 0; box < load->boxes; box++) {
		uint8_t mac[ETHLINK_MAC_LEN];

		ethlink_mac(ETHLINK_DAC8, (uint16_t)box, mac);
		memset(frames[box], 0, ETHLINK_FRAME_LEN);
		ethlink_encode_header(
			frames[box], ETHLINK_FRAME_LEN, ETHLINK_DAC8, mac, address.sll_addr, &settings);
	}
	return 0;
}
