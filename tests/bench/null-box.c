/*
 * The far end of the benchmarks: makes a host believe that its boxes are there, at next to no cost. Once a
 * second each box answers with the settings that the daemon has by default. Nothing is received: where no
 * socket wants the host's frames, the kernel throws them away first thing, and what is measured is the
 * sender.
 */
#include "config.h"

#include "base/util.h"
#include "proto/ethlink.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BOXES_MAX 64
#define GAIN_DB 0

struct options {
	const char *interface;
	uint8_t host[ETHLINK_MAC_LEN];
	bool host_given;
	unsigned boxes;
	unsigned rate_hz;
};

static uint8_t replies[BOXES_MAX][ETHLINK_HEADER_LEN];

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: null-box -i INTERFACE -m MAC [-n BOXES] [--rate=HZ]\n"
		"Answers for ETHlink8DAC boxes once a second, whether they were spoken to or not; until "
		"SIGTERM or\n"
		"SIGINT.\n"
		"  -i, --interface=NAME  where the host is\n"
		"  -m, --host-mac=MAC    the host's address, as in 02:00:00:00:00:01\n"
		"  -n, --boxes=N         boxes, serial numbers 0 to N-1: 1 to %d; default 1\n"
		"  --rate=HZ             44100, 48000, 88200 or 96000; default 48000\n"
		"  --help, --version\n",
		BOXES_MAX);
}

static unsigned number(const char *option, const char *text, unsigned min, unsigned max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value < min || value > max) {
		fprintf(stderr, "null-box: %s %s: allowed is a number from %u to %u\n", option, text, min,
			max);
		exit(2);
	}
	return (unsigned)value;
}

static unsigned rate_of(const char *text)
{
	unsigned rate_hz = number("--rate", text, 1, 1000000);

	if (ethlink_rate_code(rate_hz) < 0) {
		fprintf(stderr, "null-box: --rate %s: allowed are 44100, 48000, 88200 and 96000\n", text);
		exit(2);
	}
	return rate_hz;
}

static void host_of(const char *text, struct options *o)
{
	struct ether_addr mac;

	if (!ether_aton_r(text, &mac)) {
		fprintf(stderr, "null-box: --host-mac %s: allowed is an address such as 02:00:00:00:00:01\n",
			text);
		exit(2);
	}
	memcpy(o->host, &mac, ETHLINK_MAC_LEN);
	o->host_given = true;
}

static void parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"interface", required_argument, NULL, 'i'},
		{"host-mac", required_argument, NULL, 'm'},
		{"boxes", required_argument, NULL, 'n'},
		{"rate", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "i:m:n:", longs, NULL)) != -1) {
		switch (c) {
		case 'i':
			o->interface = optarg;
			break;
		case 'm':
			host_of(optarg, o);
			break;
		case 'n':
			o->boxes = number("--boxes", optarg, 1, BOXES_MAX);
			break;
		case 'r':
			o->rate_hz = rate_of(optarg);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'V':
			printf("null-box %s\n", PACKAGE_VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (!o->interface || !o->host_given || optind != argc) {
		fprintf(stderr, "null-box: -i and -m must be given, and nothing but options\n");
		usage(stderr);
		exit(2);
	}
}

/* With protocol 0 the socket receives nothing. */
static int open_socket(const char *interface)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
	int sock;

	if (address.sll_ifindex == 0) {
		fprintf(stderr, "null-box: interface %s: %s\n", interface, strerror(errno));
		return -1;
	}
	sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (sock < 0 || bind(sock, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		fprintf(stderr, "null-box: packet socket on %s: %s; this takes root or CAP_NET_RAW\n",
			interface, strerror(errno));
		return -1;
	}
	return sock;
}

static void write_replies(const struct options *o)
{
	struct ethlink_settings settings = {.depth = ETHLINK_DEPTH_MAX};

	settings.rate_code = (uint8_t)ethlink_rate_code(o->rate_hz);
	memset(settings.gain, ethlink_gain_byte(ETHLINK_DAC8, GAIN_DB), sizeof(settings.gain));
	for (unsigned box = 0; box < o->boxes; box++) {
		uint8_t mac[ETHLINK_MAC_LEN];

		ethlink_mac(ETHLINK_DAC8, (uint16_t)box, mac);
		/* A box's reply is the host's header with the addresses the other way round. */
		ethlink_encode_header(
			replies[box], ETHLINK_HEADER_LEN, ETHLINK_DAC8, o->host, mac, &settings);
	}
}

/* Until a signal (true) or the time. */
static bool wait_until(const sigset_t *signals, int64_t then_ns)
{
	int64_t left_ns;

	while ((left_ns = then_ns - now_ns()) > 0) {
		struct timespec ts = {.tv_sec = left_ns / NSEC_PER_SEC, .tv_nsec = left_ns % NSEC_PER_SEC};

		if (sigtimedwait(signals, NULL, &ts) > 0) {
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	struct options o = {.boxes = 1, .rate_hz = 48000};
	int64_t next_ns = now_ns();
	sigset_t signals;
	int sock;

	parse_options(argc, argv, &o);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	sock = open_socket(o.interface);
	if (sock < 0) {
		return 1;
	}
	write_replies(&o);
	do {
		for (unsigned box = 0; box < o.boxes; box++) {
			if (send(sock, replies[box], ETHLINK_HEADER_LEN, 0) < 0) {
				fprintf(stderr, "null-box: sending on %s: %s\n", o.interface,
					strerror(errno));
				return 1;
			}
		}
		next_ns += NSEC_PER_SEC;
	} while (!wait_until(&signals, next_ns));
	close(sock);
	return 0;
}
