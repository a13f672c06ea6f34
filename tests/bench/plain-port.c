/*
 * The yardstick of the benchmarks: a JACK client that streams to ETHlink8DAC boxes the way a port of a plugin
 * from another system would without further thought. Sample by sample into a frame, one sendto() for each
 * frame, box after box; no rings, no clamping, no start-up sequence.
 */
#include "config.h"

#include "jack-bench.h"

#include "base/util.h"
#include "proto/ethlink.h"

#include <errno.h>
#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define GAIN_0_DB 56

static struct jack_bench bench = {.program = "plain-port", .client_name = "plain-port"};
static unsigned boxes = 1;
static uint8_t frames[JACK_BENCH_BOXES_MAX][ETHLINK_FRAME_LEN] CACHELINE_ALIGNED;
static int sock;
static uint64_t send_errors; /* JACK's thread, while active */

/* By way of int64, where +1.0 fits and then wraps round: the overflow of a plain conversion. */
static inline uint32_t convert(float x)
{
	return (uint32_t)(int64_t)(x * 2147483648.0f);
}

static inline void put_sample(uint8_t *to, uint32_t sample)
{
	to[0] = (uint8_t)sample;
	to[1] = (uint8_t)(sample >> 8);
	to[2] = (uint8_t)(sample >> 16);
	to[3] = (uint8_t)(sample >> 24);
}

static unsigned send_box_rt(unsigned box, jack_nframes_t period)
{
	const float *in[ETHLINK_CHANNELS];
	uint8_t *frame = frames[box];
	unsigned sent = 0;

	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		in[k] = jack_port_get_buffer(bench.ports[box * ETHLINK_CHANNELS + k], period);
	}
	for (jack_nframes_t at = 0; at + ETHLINK_BLOCK_FRAMES <= period; at += ETHLINK_BLOCK_FRAMES) {
		uint8_t *to = frame + ETHLINK_OFF_AUDIO;

		for (unsigned i = 0; i < ETHLINK_BLOCK_FRAMES; i++) {
			for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
				put_sample(to, convert(in[k][at + i]));
				to += 4;
			}
		}
		/* Without an address, as to a file that is written: the kernel need not look for the interface each time. */
		if (sendto(sock, frame, ETHLINK_FRAME_LEN, 0, NULL, 0) == ETHLINK_FRAME_LEN) {
			sent++;
		} else {
			send_errors++;
		}
	}
	return sent;
}

static unsigned send_all_rt(struct jack_bench *b, jack_nframes_t period)
{
	unsigned sent = 0;

	(void)b;
	for (unsigned box = 0; box < boxes; box++) {
		sent += send_box_rt(box, period);
	}
	return sent;
}

static bool open_socket(const char *interface, uint8_t ret_mac[ETHLINK_MAC_LEN])
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHLINK_ETHERTYPE),
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	struct ifreq ifr = {0};

	if (strlen(interface) >= sizeof(ifr.ifr_name)) {
		fprintf(stderr, "plain-port: %s: no interface has so long a name\n", interface);
		return false;
	}
	sock = socket(AF_PACKET, SOCK_RAW, htons(ETHLINK_ETHERTYPE));
	if (sock < 0) {
		fprintf(stderr, "plain-port: packet socket: %s; this takes root or CAP_NET_RAW\n",
			strerror(errno));
		return false;
	}
	strcpy(ifr.ifr_name, interface);
	if (ioctl(sock, SIOCGIFHWADDR, &ifr) < 0) {
		fprintf(stderr, "plain-port: interface %s: %s\n", interface, strerror(errno));
		return false;
	}
	memcpy(ret_mac, ifr.ifr_hwaddr.sa_data, ETHLINK_MAC_LEN);
	if (bind(sock, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		fprintf(stderr, "plain-port: interface %s: %s\n", interface, strerror(errno));
		return false;
	}
	return true;
}

static bool write_headers(const uint8_t mac[ETHLINK_MAC_LEN], uint32_t rate_hz, uint32_t period)
{
	struct ethlink_settings settings = {.depth = (uint8_t)(period / ETHLINK_BLOCK_FRAMES)};
	int rate_code = ethlink_rate_code(rate_hz);

	if (rate_code < 0 || period % ETHLINK_BLOCK_FRAMES != 0 || period == 0 ||
		period > ETHLINK_DEPTH_MAX * ETHLINK_BLOCK_FRAMES) {
		fprintf(stderr,
			"plain-port: JACK runs at %" PRIu32 " Hz, period %" PRIu32 " frames; allowed are\n"
			"44100, 48000, 88200 and 96000 Hz, and periods that are multiples of 8 up to 1024\n",
			rate_hz, period);
		return false;
	}
	settings.rate_code = (uint8_t)rate_code;
	memset(settings.gain, GAIN_0_DB, sizeof(settings.gain));
	for (unsigned box = 0; box < boxes; box++) {
		uint8_t to[ETHLINK_MAC_LEN];

		ethlink_mac(ETHLINK_DAC8, (uint16_t)box, to);
		ethlink_encode_header(frames[box], ETHLINK_FRAME_LEN, ETHLINK_DAC8, to, mac, &settings);
	}
	return true;
}

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: plain-port -i INTERFACE [-n BOXES] [--server=NAME] [--name=NAME] [--warmup=S]\n"
		"                  [--seconds=S]\n"
		"Streams its JACK input ports to ETHlink8DAC boxes the simplest way; prints what it took.\n"
		"  -i, --interface=NAME  where the boxes are\n"
		"  -n, --boxes=N         boxes, serial numbers 0 to N-1: 1 to %d; default 1\n"
		"  --server=NAME         JACK server; default: JACK's own\n"
		"  --name=NAME           JACK client name; default plain-port\n"
		"  --warmup=S            run for S seconds before measuring; default 0\n"
		"  --seconds=S           measure for S seconds, then end; default 0: until SIGTERM, SIGINT\n"
		"  --help, --version\n"
		"At the end one line of JSON goes to the standard output.\n",
		JACK_BENCH_BOXES_MAX);
}

static const char *parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{"interface", required_argument, NULL, 'i'},
		{"boxes", required_argument, NULL, 'n'},
		{"server", required_argument, NULL, 's'},
		{"name", required_argument, NULL, 'N'},
		{"warmup", required_argument, NULL, 'w'},
		{"seconds", required_argument, NULL, 'S'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	const char *interface = NULL;
	int o;

	while ((o = getopt_long(argc, argv, "i:n:", longs, NULL)) != -1) {
		switch (o) {
		case 'i':
			interface = optarg;
			break;
		case 'n':
			boxes = jack_bench_number(&bench, "--boxes", optarg, 1, JACK_BENCH_BOXES_MAX);
			break;
		case 's':
			bench.server = optarg;
			break;
		case 'N':
			bench.client_name = optarg;
			break;
		case 'w':
			bench.warmup_s = jack_bench_seconds(&bench, "--warmup", optarg);
			break;
		case 'S':
			bench.seconds = jack_bench_seconds(&bench, "--seconds", optarg);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'V':
			printf("plain-port %s\n", PACKAGE_VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (!interface || optind != argc) {
		fprintf(stderr, "plain-port: an interface must be given with -i, and nothing but options\n");
		usage(stderr);
		exit(2);
	}
	return interface;
}

int main(int argc, char **argv)
{
	const char *interface = parse_options(argc, argv);
	uint8_t mac[ETHLINK_MAC_LEN];
	uint32_t rate_hz, period;
	bool ok;

	bench.work_rt = send_all_rt;
	if (!open_socket(interface, mac) || !jack_bench_open(&bench)) {
		return 1;
	}
	rate_hz = jack_get_sample_rate(bench.client);
	period = jack_get_buffer_size(bench.client);
	if (!write_headers(mac, rate_hz, period) || !jack_bench_add_boxes(&bench, boxes)) {
		jack_client_close(bench.client);
		return 1;
	}
	ok = jack_bench_run(&bench);
	close(sock);
	printf("{");
	jack_bench_print(&bench);
	printf(",\"boxes\":%u,\"rate_hz\":%" PRIu32 ",\"period_frames\":%" PRIu32, boxes, rate_hz, period);
	printf(",\"send_errors\":%" PRIu64 "}\n", send_errors);
	return ok ? 0 : 1;
}
