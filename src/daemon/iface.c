#include "daemon/iface.h"

#include "daemon/device.h"
#include "net/pktring.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RX_SLOTS 512
#define RETRY_NS (2 * NSEC_PER_SEC)
/* Frames taken in one go, so that a flood does not keep the loop from its other work. */
#define RX_BATCH 256

int iface_new(struct manager *m, const char *name, struct iface **ret_iface)
{
	struct iface *iface = calloc(1, sizeof(*iface));
	int r;

	if (!iface) {
		return -ENOMEM;
	}
	iface->manager = m;
	strncpy(iface->name, name, sizeof(iface->name) - 1);
	r = engine_wire_new(m->engine, &iface->wire);
	if (r < 0) {
		free(iface);
		return r;
	}
	*ret_iface = iface;
	return 0;
}

static void close_ring(struct iface *iface)
{
	if (!iface->ring) {
		return;
	}
	iface->rx_source = sd_event_source_disable_unref(iface->rx_source);
	iface->parking = false;
	if (engine_wire_set_ring(iface->wire, NULL, false, 0, 0, NULL) >= 0) {
		iface->ring = NULL;
	}
}

void iface_free(struct iface *iface)
{
	if (!iface) {
		return;
	}
	close_ring(iface);
	engine_wire_free(iface->wire);
	free(iface);
}

struct iface *iface_find(struct manager *m, const char *name)
{
	for (unsigned i = 0; i < m->n_ifaces; i++) {
		if (strcmp(m->ifaces[i]->name, name) == 0) {
			return m->ifaces[i];
		}
	}
	return NULL;
}

static struct device *device_of(struct iface *iface, const uint8_t *mac)
{
	struct manager *m = iface->manager;

	for (unsigned i = 0; i < m->n_devices; i++) {
		if (m->devices[i]->iface == iface && memcmp(m->devices[i]->mac, mac, ETHLINK_MAC_LEN) == 0) {
			return m->devices[i];
		}
	}
	return NULL;
}

static void receive(struct iface *iface, int64_t now)
{
	for (unsigned i = 0; i < RX_BATCH; i++) {
		struct ethlink_frame frame;
		struct device *device;
		const uint8_t *data;
		size_t len;

		data = pktring_rx_peek(iface->ring, &len);
		if (!data) {
			return;
		}
		device = NULL;
		if (ethlink_decode(data, len, &frame) >= 0) {
			device = device_of(iface, frame.src);
		}
		if (device) {
			device_received(device, &frame, len, now);
		} else {
			iface->frames_ignored++;
		}
		pktring_rx_done(iface->ring);
	}
}

static int on_rx(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct iface *iface = data;

	if (revents & EPOLLERR) {
		int error;
		socklen_t len = sizeof(error);

		/* Reading the error clears it; what happened to the interface comes through the link monitor. */
		(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
	receive(iface, now_ns());
	return 0;
}

/* What the ring must be made for: the most demanding of its devices. */
static bool needed(const struct iface *iface, struct policy *ret_policy, unsigned *ret_devices)
{
	struct manager *m = iface->manager;

	memset(ret_policy, 0, sizeof(*ret_policy));
	ret_policy->burst_blocks = UINT_MAX;
	*ret_devices = 0;
	for (unsigned i = 0; i < m->n_devices; i++) {
		const struct device *d = m->devices[i];

		if (d->iface != iface || !d->policy_ok) {
			continue;
		}
		ret_policy->paced = ret_policy->paced || d->policy.paced;
		ret_policy->burst_blocks = MIN(ret_policy->burst_blocks, d->policy.burst_blocks);
		ret_policy->slots = MAX(ret_policy->slots, d->policy.slots);
		(*ret_devices)++;
	}
	return *ret_devices > 0;
}

static void say_open_error(struct iface *iface, const struct pktring_error *error)
{
	char exe[PATH_MAX] = "ethlinkd";
	ssize_t n;

	if (iface->said_error == error->error) {
		return;
	}
	iface->said_error = error->error;
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n > 0) {
		exe[n] = '\0';
	}
	switch (error->error) {
	case EPERM:
	case EACCES:
		log_error("%s: no permission for raw sockets: ethlinkd needs the capability CAP_NET_RAW. "
			  "Grant it with: "
			  "sudo setcap cap_net_raw+ep %s",
			iface->name, exe);
		break;
	case ENOMEM:
	case ENOBUFS:
		log_error("%s: not enough memory for a packet ring of %u devices (%s); trying again",
			iface->name, iface->ring_devices, error->call);
		break;
	default:
		log_error("%s: cannot open a packet ring: %s: %s; trying again", iface->name, error->call,
			strerror(error->error));
		break;
	}
}

static void open_ring(struct iface *iface, const struct policy *policy, unsigned devices, int64_t now)
{
	struct manager *m = iface->manager;
	struct pktring_config config = {
		.ifindex = iface->link.ifindex,
		.tx_slots = policy->slots * devices,
		.rx_slots = RX_SLOTS,
		.qdisc_bypass = m->conf->qdisc_bypass,
		.socket_priority = m->conf->socket_priority,
	};
	struct pktring_error error = {0};
	struct pktring *ring = NULL;
	bool realtime = true;
	int r;

	memcpy(config.interface, iface->name, sizeof(config.interface));
	iface->next_open_ns = now + RETRY_NS;
	r = pktring_open_packet(&config, &ring, &error);
	if (r < 0) {
		say_open_error(iface, &error);
		return;
	}
	r = engine_wire_set_ring(iface->wire, ring, policy->paced, policy->burst_blocks,
		MAX(m->info.rt_priority - 1, 0), &realtime);
	if (r >= 0) {
		r = sd_event_add_io(m->event, &iface->rx_source, pktring_rx_fd(ring), EPOLLIN, on_rx, iface);
		if (r < 0) {
			(void)engine_wire_set_ring(iface->wire, NULL, false, 0, 0, NULL);
		}
	} else {
		pktring_free(ring);
	}
	if (r < 0) {
		log_error("%s: cannot set up sending: %s; trying again", iface->name, strerror(-r));
		return;
	}
	if (!realtime && m->info.rt_priority > 0) {
		log_warning("%s: the thread that spreads long periods got no realtime priority; raise the "
			    "rtprio limit",
			iface->name);
	}
	iface->ring = ring;
	iface->ring_ifindex = iface->link.ifindex;
	memcpy(iface->ring_mac, iface->link.mac, sizeof(iface->ring_mac));
	iface->ring_policy = *policy;
	iface->ring_devices = devices;
	iface->said_error = 0;
	log_debug("%s: packet ring with %u transmit slots for %u devices%s", iface->name,
		pktring_tx_slots(ring), devices, policy->paced ? ", paced" : "");
}

static bool ring_fits(const struct iface *iface, const struct policy *policy, unsigned devices)
{
	return iface->ring_ifindex == iface->link.ifindex &&
	       memcmp(iface->ring_mac, iface->link.mac, sizeof(iface->ring_mac)) == 0 &&
	       iface->ring_policy.paced == policy->paced &&
	       (!policy->paced || iface->ring_policy.burst_blocks == policy->burst_blocks) &&
	       iface->ring_policy.slots * iface->ring_devices >= policy->slots * devices;
}

/* True once nothing of ours is on its way through the ring. */
static bool park_devices(struct iface *iface)
{
	struct manager *m = iface->manager;
	bool idle = true;

	for (unsigned i = 0; i < m->n_devices; i++) {
		if (m->devices[i]->iface == iface) {
			device_park(m->devices[i]);
			idle = idle && device_idle(m->devices[i]);
		}
	}
	return idle;
}

void iface_update(struct iface *iface, int64_t now)
{
	struct policy policy;
	unsigned devices;

	if (iface->link.ifindex == 0) {
		close_ring(iface);
		return;
	}
	if (!needed(iface, &policy, &devices)) {
		return; /* no server, or nothing that it runs at; the ring can stay for when it is back */
	}
	if (iface->ring && !ring_fits(iface, &policy, devices)) {
		bool idle = park_devices(iface) && !engine_wire_busy(iface->wire);

		/* A ring whose interface is gone sends nothing any more: no need to wait for the fade. */
		if (!idle && iface->ring_ifindex == iface->link.ifindex) {
			iface->parking = true;
			manager_hurry(iface->manager);
			return;
		}
		close_ring(iface);
		iface->next_open_ns = 0;
	}
	if (!iface->ring && now >= iface->next_open_ns) {
		open_ring(iface, &policy, devices, now);
	}
	if (iface->ring) {
		iface->rx_drops += pktring_rx_drops(iface->ring);
	}
}

void iface_link_changed(struct iface *iface, const struct link_info *info)
{
	iface->seen = true;
	if (info->removed) {
		/* Of a renamed or replaced interface only the news about the one that we know counts. */
		if (info->ifindex == iface->link.ifindex) {
			memset(&iface->link, 0, sizeof(iface->link));
			log_warning("%s: the interface is gone; waiting for it to come back", iface->name);
			iface->said_missing = true;
		}
		return;
	}
	if (!info->ethernet) {
		if (iface->said_error != ENOTSUP) {
			iface->said_error = ENOTSUP;
			log_error(
				"%s: not an Ethernet interface; name the one that the boxes are connected to",
				iface->name);
		}
		return;
	}
	if (iface->link.ifindex == 0 && iface->said_missing) {
		log_info("%s: the interface is there", iface->name);
		iface->said_missing = false;
	}
	iface->link = *info;
	iface->next_open_ns = 0;
}
