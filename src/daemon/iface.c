#include "daemon/iface.h"

#include "daemon/device.h"
#include "net/pktring.h"
#include "net/watch.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* At 100,000 frames a second, which nobody should send, this thread may be late by 40 ms. */
#define RX_SLOTS 4096
/* A ring has room for devices that are added later, in steps of so many. */
#define SPARE_DEVICES 8
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

static void close_watch(struct iface *iface)
{
	iface->watch_source = sd_event_source_disable_unref(iface->watch_source);
	watch_free(iface->watch);
	iface->watch = NULL;
}

static void close_ring(struct iface *iface)
{
	close_watch(iface);
	if (!iface->ring) {
		return;
	}
	iface->rx_source = sd_event_source_disable_unref(iface->rx_source);
	iface->parking = false;
	for (unsigned i = 0; i < iface->manager->n_devices; i++) {
		if (iface->manager->devices[i]->iface == iface) {
			hold_release(&iface->manager->devices[i]->hold);
		}
	}
	if (engine_wire_set_ring(iface->wire, NULL, NULL, NULL) >= 0) {
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

static void receive_frame(struct iface *iface, const uint8_t *data, size_t len, int64_t now)
{
	struct ethlink_frame frame;
	struct device *device;

	if (ethlink_decode(data, len, &frame) < 0) {
		iface->frames_ignored++;
		return;
	}
	device = device_of(iface, frame.src);
	if (device) {
		device_received(device, &frame, len, now);
		return;
	}
	iface->frames_ignored++;
	device = device_of(iface, frame.dst);
	if (device && memcmp(frame.src, iface->ring_mac, ETHLINK_MAC_LEN) != 0) {
		hold_frame(device, frame.src, len == ETHLINK_FRAME_LEN, now);
	}
}

static void receive(struct iface *iface, int64_t now)
{
	for (unsigned i = 0; i < RX_BATCH && iface->ring; i++) {
		const uint8_t *data;
		size_t len;

		data = pktring_rx_peek(iface->ring, &len);
		if (!data) {
			return;
		}
		receive_frame(iface, data, len, now);
		pktring_rx_done(iface->ring);
	}
}

static int on_watch(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct iface *iface = data;
	int64_t now = now_ns();

	for (unsigned i = 0; i < RX_BATCH; i++) {
		uint8_t frame[WATCH_FRAME_MAX];
		ssize_t n = watch_receive(iface->watch, frame);
		struct device *device;
		struct claim claim;

		if (n < 0) {
			return 0;
		}
		if (claim_decode(frame, (size_t)n, &claim) >= 0) {
			device = device_of(iface, claim.box);
			if (device) {
				hold_claim(device, &claim, now);
			}
		} else if ((size_t)n >= ETHLINK_OFF_TYPE) {
			device = device_of(iface, frame + ETHLINK_OFF_SRC);
			if (device) {
				device_seen(device, now);
			}
		}
	}
	return 0;
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

static unsigned cpus_to_run_on(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : (unsigned)CPU_COUNT(&set);
}

static bool wants_thread(const struct iface *iface, unsigned devices)
{
	const struct manager *m = iface->manager;

	return m->conf->sender == CONF_SENDER_THREAD ||
	       (m->conf->sender == CONF_SENDER_AUTO &&
		       policy_threaded(devices, m->info.rate_hz, cpus_to_run_on()));
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
		iface_log(iface, LOG_ERROR,
			"no permission for raw sockets: ethlinkd needs the capability CAP_NET_RAW. Grant it "
			"with: sudo setcap cap_net_raw+ep %s",
			exe);
		break;
	case ENOMEM:
	case ENOBUFS:
		iface_log(iface, LOG_ERROR,
			"not enough memory for a packet ring of %u devices (%s); trying again",
			iface->ring_devices, error->call);
		break;
	default:
		iface_log(iface, LOG_ERROR, "cannot open a packet ring: %s: %s; trying again", error->call,
			strerror(error->error));
		break;
	}
}

/* Without it everything works but what other ethlinkds say, and a box is found some seconds later. 0 or -errno. */
static int open_watch(struct iface *iface)
{
	int r = watch_new(iface->link.ifindex, CLAIM_ETHERTYPE, &iface->watch);

	if (r >= 0) {
		r = sd_event_add_io(iface->manager->event, &iface->watch_source, watch_fd(iface->watch),
			EPOLLIN, on_watch, iface);
	}
	if (r < 0) {
		close_watch(iface);
	}
	return r;
}

static void note_mac(struct iface *iface)
{
	if (memcmp(iface->ring_mac, iface->link.mac, sizeof(iface->ring_mac)) != 0) {
		memcpy(iface->old_mac, iface->ring_mac, sizeof(iface->old_mac));
		memcpy(iface->ring_mac, iface->link.mac, sizeof(iface->ring_mac));
	}
}

/* A ring waits for the server; meanwhile others can be asked whose the boxes are. What fails here fails with the ring again. */
static void listen_early(struct iface *iface)
{
	if (iface->early_ifindex == iface->link.ifindex &&
		memcmp(iface->ring_mac, iface->link.mac, sizeof(iface->ring_mac)) == 0) {
		return;
	}
	iface->early_ifindex = iface->link.ifindex;
	note_mac(iface);
	close_watch(iface);
	(void)open_watch(iface);
}

/* What the ring was made for; when that is no longer what is wanted, another is made. */
static void note_ring(struct iface *iface, struct pktring *ring, const struct pktring_config *config,
	const struct policy *policy, const struct wire_sending *how, unsigned room)
{
	iface->ring = ring;
	iface->ring_ifindex = iface->link.ifindex;
	note_mac(iface);
	iface->ring_bypass = config->qdisc_bypass;
	iface->ring_priority = config->socket_priority;
	iface->ring_policy = *policy;
	iface->ring_threaded = how->threaded;
	iface->ring_thread = how->threaded || how->paced;
	iface->ring_devices = room;
	iface->said_error = 0;
	iface->next_open_ns = 0;
}

static void open_ring(struct iface *iface, const struct policy *policy, unsigned devices, int64_t now)
{
	struct manager *m = iface->manager;
	unsigned room = (devices + SPARE_DEVICES - 1) / SPARE_DEVICES * SPARE_DEVICES;
	struct pktring_config config = {
		.ifindex = iface->link.ifindex,
		.tx_slots = policy->slots * room,
		.rx_slots = RX_SLOTS,
		.qdisc_bypass = m->conf->qdisc_bypass,
		.socket_priority = m->conf->socket_priority,
	};
	struct wire_sending how = {
		.threaded = wants_thread(iface, devices),
		.paced = policy->paced,
		.burst_blocks = policy->burst_blocks,
		.priority = MAX(m->info.rt_priority - 1, 0),
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
	r = engine_wire_set_ring(iface->wire, ring, &how, &realtime);
	if (r >= 0) {
		/* The one before, if there is one, is the engine's to close. */
		iface->rx_source = sd_event_source_disable_unref(iface->rx_source);
		iface->ring = NULL;
		r = sd_event_add_io(m->event, &iface->rx_source, pktring_rx_fd(ring), EPOLLIN, on_rx, iface);
		if (r < 0) {
			(void)engine_wire_set_ring(iface->wire, NULL, NULL, NULL);
		}
	} else {
		pktring_free(ring);
	}
	if (r < 0) {
		iface_log(iface, LOG_ERROR, "cannot set up sending: %s; trying again", strerror(-r));
		return;
	}
	if (!realtime && m->info.rt_priority > 0) {
		iface_log(iface, LOG_WARNING,
			"the thread that sends got no realtime priority; raise the rtprio limit");
	}
	note_ring(iface, ring, &config, policy, &how, room);
	r = iface->watch ? 0 : open_watch(iface);
	if (r < 0) {
		iface_log(iface, LOG_WARNING, "cannot listen for other hosts: %s", strerror(-r));
	}
	iface_log(iface, LOG_DEBUG, "packet ring with %u transmit slots for %u devices%s%s",
		pktring_tx_slots(ring), devices, policy->paced ? ", paced" : "",
		how.threaded ? ", sent by a thread" : "");
}

static bool is_idle(const struct iface *iface)
{
	const struct manager *m = iface->manager;

	for (unsigned i = 0; i < m->n_devices; i++) {
		if (m->devices[i]->iface == iface && !device_idle(m->devices[i])) {
			return false;
		}
	}
	return true;
}

static bool is_bound_right(const struct iface *iface)
{
	return iface->ring_ifindex == iface->link.ifindex &&
	       memcmp(iface->ring_mac, iface->link.mac, sizeof(iface->ring_mac)) == 0;
}

static bool ring_fits(const struct iface *iface, const struct policy *policy, unsigned devices)
{
	const struct conf *conf = iface->manager->conf;

	if (!is_bound_right(iface) || iface->ring_bypass != conf->qdisc_bypass ||
		iface->ring_priority != conf->socket_priority ||
		(wants_thread(iface, devices) && !iface->ring_thread) ||
		iface->ring_policy.slots * iface->ring_devices < policy->slots * devices) {
		return false;
	}
	/* A pacer that is no longer needed does no harm, and its end would disturb who plays. */
	return iface->ring_policy.paced == policy->paced || (iface->ring_policy.paced && !is_idle(iface));
}

/* How much may go at once, and who sends it, is what can just be changed, as long as there is a thread. */
static void fit_sending(struct iface *iface, const struct policy *policy, unsigned devices)
{
	bool threaded = wants_thread(iface, devices);
	unsigned burst = iface->ring_policy.paced && policy->paced ? policy->burst_blocks
								   : iface->ring_policy.burst_blocks;

	if (!iface->ring_thread ||
		(threaded == iface->ring_threaded && burst == iface->ring_policy.burst_blocks)) {
		return;
	}
	if (engine_wire_set_sending(iface->wire, threaded, burst) >= 0) {
		iface->ring_threaded = threaded;
		iface->ring_policy.burst_blocks = burst;
		iface_log(iface, LOG_DEBUG, "frames are sent by %s",
			threaded ? "a thread" : "the audio server's callback");
	}
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

/* While one of its boxes is looked for, anything that comes from that box is of interest. */
static void update_watch(struct iface *iface)
{
	struct manager *m = iface->manager;
	bool searching = false;

	for (unsigned i = 0; i < m->n_devices; i++) {
		searching = searching ||
			    (m->devices[i]->iface == iface && m->devices[i]->state == DEVICE_SEARCHING);
	}
	if (iface->watch) {
		(void)watch_set_boxes(iface->watch, searching);
	}
}

static void count_drops(struct iface *iface)
{
	unsigned drops = pktring_rx_drops(iface->ring);

	iface->rx_drops += drops;
	if (drops > 0 && !iface->dropping) {
		iface_log(iface, LOG_WARNING,
			"more frames with the boxes' EtherType come in than can be looked at: is there a "
			"loop in the "
			"network, or somebody who floods it?");
	}
	iface->dropping = drops > 0;
}

bool iface_unused(const struct iface *iface)
{
	const struct manager *m = iface->manager;

	for (unsigned i = 0; i < m->n_devices; i++) {
		if (m->devices[i]->iface == iface) {
			return false;
		}
	}
	return true;
}

/*
 * A larger ring, one with other options, or one with a thread can take over between two cycles: all that went into the
 * old one has been handed to the kernel, or is by its thread before the next period. What is spread over a period is not.
 */
static bool can_swap(const struct iface *iface)
{
	return is_bound_right(iface) && !iface->ring_policy.paced;
}

void iface_update(struct iface *iface, int64_t now)
{
	struct policy policy;
	unsigned devices;

	if (iface->link.ifindex == 0) {
		close_ring(iface);
		iface->early_ifindex = 0;
		return;
	}
	if (!iface->ring) {
		listen_early(iface);
	}
	if (!needed(iface, &policy, &devices)) {
		return; /* no server, or nothing that it runs at; the ring can stay for when it is back */
	}
	if (iface->ring && !ring_fits(iface, &policy, devices) && can_swap(iface)) {
		if (now >= iface->next_open_ns && !engine_wire_busy(iface->wire)) {
			receive(iface, now);
			open_ring(iface, &policy, devices, now);
		}
	} else if (iface->ring && !ring_fits(iface, &policy, devices)) {
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
		fit_sending(iface, &policy, devices);
		count_drops(iface);
		update_watch(iface);
	}
}

void iface_link_changed(struct iface *iface, const struct link_info *info)
{
	bool carrier = iface->link.carrier;

	if (info->removed) {
		/* Of a renamed or replaced interface only the news about the one that we know counts. */
		if (info->ifindex == iface->link.ifindex) {
			iface_link_gone(iface);
		}
		return;
	}
	if (info->dump != 0) {
		iface->seen_dump = info->dump;
	}
	if (!info->ethernet) {
		if (iface->said_error != ENOTSUP) {
			iface->said_error = ENOTSUP;
			iface_log(iface, LOG_ERROR,
				"not an Ethernet interface; name the one that the boxes are connected to");
		}
		return;
	}
	if (iface->link.ifindex == 0 && iface->said_missing) {
		iface_log(iface, LOG_INFO, "the interface is there");
		iface->said_missing = false;
	}
	iface->link = *info;
	iface->next_open_ns = 0;
	if (info->carrier && !carrier) {
		iface_log(iface, LOG_DEBUG, "the link is up");
	}
}

void iface_link_gone(struct iface *iface)
{
	if (iface->link.ifindex != 0) {
		iface_log(iface, LOG_WARNING, "the interface is gone; waiting for it to come back");
	} else if (!iface->said_missing) {
		iface_log(iface, LOG_WARNING,
			"there is no such interface; waiting for it (ip link shows those that there are)");
	}
	memset(&iface->link, 0, sizeof(iface->link));
	iface->said_missing = true;
}
