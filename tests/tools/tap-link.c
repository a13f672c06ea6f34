/*
 * tap-link: an Ethernet interface whose link has a speed that can be chosen, and boxes at the other end of it. The kernel
 * tells of a tap's link what it was told last. Each box answers as a DAC does, and what was sent to it is counted.
 *
 *   tap-link NAME MBIT        makes the interface NAME, up; "ready" on the standard output when it is there
 *
 * Lines on its standard input: "speed MBIT", and "report WORD", answered with one line of JSON that has this word and the
 * frames to each box and the claims about it so far. Ends with its standard input. Needs CAP_NET_ADMIN.
 */
#include "proto/claim.h"
#include "proto/ethlink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BOXES 16
#define LINE_MAX_LEN 128
#define FRAME_MAX 2048
#define REPLY_NS 900000000LL

struct box {
	uint64_t frames;
	uint64_t claims;
	uint8_t app[ETHLINK_APP_LEN]; /* the header that set it last */
	uint8_t host[ETHLINK_MAC_LEN];
	int64_t reply_ns;
};

struct tap {
	int fd;
	int control;
	char name[IF_NAMESIZE];
	struct box boxes[BOXES];
	char line[LINE_MAX_LEN];
	size_t len;
};

static int64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int fail(const char *what)
{
	int error = errno;

	fprintf(stderr, "tap-link: %s: %s\n", what, strerror(error));
	return -error;
}

/* --- the interface */

static int set_speed(const struct tap *t, unsigned long mbit)
{
	/* No modes: those of a tap are none. */
	struct ethtool_link_settings settings = {.cmd = ETHTOOL_GLINKSETTINGS};
	uint32_t request[sizeof(settings) / sizeof(uint32_t) + 3 * INT8_MAX] = {0};
	struct ifreq ifr = {.ifr_data = (void *)request};

	memcpy(ifr.ifr_name, t->name, sizeof(ifr.ifr_name));
	memcpy(request, &settings, sizeof(settings));
	if (ioctl(t->control, SIOCETHTOOL, &ifr) < 0) {
		return fail("ETHTOOL_GLINKSETTINGS");
	}
	memcpy(&settings, request, sizeof(settings));
	settings.cmd = ETHTOOL_SLINKSETTINGS;
	settings.link_mode_masks_nwords = (int8_t)-settings.link_mode_masks_nwords;
	settings.speed = (uint32_t)mbit;
	settings.duplex = DUPLEX_FULL;
	memcpy(request, &settings, sizeof(settings));
	return ioctl(t->control, SIOCETHTOOL, &ifr) < 0 ? fail("ETHTOOL_SLINKSETTINGS") : 0;
}

static int set_up(const struct tap *t)
{
	struct ifreq ifr = {0};

	memcpy(ifr.ifr_name, t->name, sizeof(ifr.ifr_name));
	if (ioctl(t->control, SIOCGIFFLAGS, &ifr) < 0) {
		return fail("SIOCGIFFLAGS");
	}
	ifr.ifr_flags |= IFF_UP;
	return ioctl(t->control, SIOCSIFFLAGS, &ifr) < 0 ? fail("SIOCSIFFLAGS") : 0;
}

static int tap_open(struct tap *t, const char *name, unsigned long mbit)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int r;

	snprintf(t->name, sizeof(t->name), "%s", name);
	memcpy(ifr.ifr_name, t->name, sizeof(ifr.ifr_name));
	t->control = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	t->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (t->control < 0 || t->fd < 0 || ioctl(t->fd, TUNSETIFF, &ifr) < 0) {
		return fail("/dev/net/tun");
	}
	r = set_speed(t, mbit);
	return r < 0 ? r : set_up(t);
}

/* --- the boxes */

static struct box *box_of(struct tap *t, const uint8_t *mac)
{
	enum ethlink_model model;
	uint16_t serial;

	if (ethlink_mac_parse(mac, &model, &serial) < 0 || model != ETHLINK_DAC8 || serial >= BOXES) {
		return NULL;
	}
	return &t->boxes[serial];
}

/* Reserved bytes alone are no news to a box: it keeps those that came with the settings that it has. */
static void answer(struct tap *t, struct box *box, const uint8_t *frame)
{
	const size_t told = ETHLINK_OFF_RESERVED_DAC - ETHLINK_OFF_MAGIC;
	const uint8_t *app = frame + ETHLINK_OFF_MAGIC;
	uint8_t reply[ETHLINK_HEADER_LEN];
	int64_t now = clock_ns();

	if (memcmp(box->host, frame + ETHLINK_OFF_SRC, sizeof(box->host)) != 0 ||
		memcmp(box->app, app, told) != 0) {
		memcpy(box->host, frame + ETHLINK_OFF_SRC, sizeof(box->host));
		memcpy(box->app, app, sizeof(box->app));
		box->reply_ns = 0;
	}
	if (box->reply_ns != 0 && now - box->reply_ns < REPLY_NS) {
		return;
	}
	box->reply_ns = now;
	if (ethlink_encode_reply(reply, sizeof(reply), box->host, frame + ETHLINK_OFF_DST, box->app, NULL) >
		0) {
		/* One that is lost is followed by another. */
		(void)!write(t->fd, reply, sizeof(reply));
	}
}

static void take_frame(struct tap *t, const uint8_t *frame, size_t len)
{
	struct ethlink_frame parts;
	struct claim claim;
	struct box *box;

	if (claim_decode(frame, len, &claim) >= 0) {
		box = box_of(t, claim.box);
		if (box) {
			box->claims++;
		}
		return;
	}
	box = len >= ETHLINK_MAC_LEN ? box_of(t, frame) : NULL;
	if (box) {
		box->frames++;
		if (ethlink_decode(frame, len, &parts) >= 0) {
			answer(t, box, frame);
		}
	}
}

static int take_frames(struct tap *t)
{
	uint8_t frame[FRAME_MAX];

	for (;;) {
		ssize_t n = read(t->fd, frame, sizeof(frame));

		if (n < 0) {
			return errno == EAGAIN || errno == EINTR ? 0 : fail("read");
		}
		take_frame(t, frame, (size_t)n);
	}
}

/* --- commands */

static void report(const struct tap *t, const char *word)
{
	printf("{\"report\": \"%s\", \"boxes\": [", word);
	for (unsigned i = 0; i < BOXES; i++) {
		printf("%s{\"serial\": %u, \"frames\": %" PRIu64 ", \"claims\": %" PRIu64 "}", i ? ", " : "",
			i, t->boxes[i].frames, t->boxes[i].claims);
	}
	printf("]}\n");
}

static int obey(struct tap *t, const char *line)
{
	char word[LINE_MAX_LEN];
	unsigned long mbit;

	if (sscanf(line, "speed %lu", &mbit) == 1) {
		return set_speed(t, mbit);
	}
	if (sscanf(line, "report %s", word) == 1) {
		/* What was sent before it was asked is in it. */
		int r = take_frames(t);

		report(t, word);
		return r;
	}
	fprintf(stderr, "tap-link: '%s' is not known; there are speed MBIT and report WORD\n", line);
	return -EINVAL;
}

/* 1 at the end of the input. */
static int take_lines(struct tap *t)
{
	ssize_t n = read(STDIN_FILENO, t->line + t->len, sizeof(t->line) - 1 - t->len);
	char *end;
	int r = 0;

	if (n <= 0) {
		return n < 0 && errno == EINTR ? 0 : 1;
	}
	t->len += (size_t)n;
	t->line[t->len] = '\0';
	while (r >= 0 && (end = strchr(t->line, '\n'))) {
		*end++ = '\0';
		r = obey(t, t->line);
		t->len -= (size_t)(end - t->line);
		memmove(t->line, end, t->len + 1);
	}
	return t->len == sizeof(t->line) - 1 ? -EMSGSIZE : r;
}

int main(int argc, char **argv)
{
	static struct tap tap;
	struct pollfd fds[2];
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: tap-link NAME MBIT\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	r = tap_open(&tap, argv[1], strtoul(argv[2], NULL, 10));
	if (r >= 0) {
		puts("ready");
	}
	fds[0] = (struct pollfd){.fd = tap.fd, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	while (r == 0) {
		if (poll(fds, 2, -1) < 0) {
			r = errno == EINTR ? 0 : fail("poll");
			continue;
		}
		r = fds[0].revents ? take_frames(&tap) : 0;
		if (r == 0 && fds[1].revents) {
			r = take_lines(&tap);
		}
	}
	return r < 0;
}
