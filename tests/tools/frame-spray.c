/*
 * frame-spray: sends frames that nobody should send, with the boxes' EtherType, to see what a receiver makes of them.
 * Deterministic for a seed. Needs CAP_NET_RAW; meant for a veth pair, never for a network with boxes on it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TYPE 0x0802
#define HEADER_LEN 64
#define FRAME_LEN 320
#define LEN_MAX 1514

enum mode {
	MODE_GARBAGE, /* random bytes after the EtherType, any length, any sender, the box's own address among them */
	MODE_LENGTH,  /* the box's address and magic, a length that no box sends */
	MODE_STRANGE, /* whole frames of boxes that nobody configured */
	MODE_MAGIC, /* header length and the right magic, all else random, every other one in the box's name */
	MODE_FORGED,  /* whole replies in the box's name with random settings */
	MODE_FOREIGN, /* replies in the box's name with the settings of another host */
	MODE_HOST,    /* that host's stream to the box, as a switch lets one see it */
	MODE_DHCP,    /* what a box broadcasts when it comes up */
	MODE_N,
};

#define MODE_DEFAULTS MODE_MAGIC /* the ones before it */

static const char *const mode_names[MODE_N] = {
	"garbage", "length", "strange", "magic", "forged", "foreign", "host", "dhcp"};

struct spray {
	int fd;
	uint64_t random;
	uint8_t dst[6];
	uint8_t box[6];
	uint8_t host[6];
	unsigned long per_second;
	unsigned long count;
	bool modes[MODE_N];
	unsigned long sent[MODE_N];
	unsigned long refused;
};

static uint64_t next_random(struct spray *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

static unsigned below(struct spray *s, unsigned n)
{
	return (unsigned)(next_random(s) >> 33) % n;
}

static void put_header(struct spray *s, uint8_t *frame, const uint8_t src[6], bool dac)
{
	memcpy(frame, s->dst, 6);
	memcpy(frame + 6, src, 6);
	frame[12] = TYPE >> 8;
	frame[13] = TYPE & 0xff;
	memcpy(frame + 14, dac ? "ETH8DAC" : "ETH8ADC", 7);
}

static size_t make_garbage(struct spray *s, uint8_t *frame)
{
	static const size_t edges[] = {14, 15, 20, 21, 63, 64, 65, 319, 320, 321, 1514};
	size_t len = below(s, 2) ? edges[below(s, 11)] : 14 + below(s, LEN_MAX - 14 + 1);

	for (size_t i = 0; i < len; i++) {
		frame[i] = (uint8_t)next_random(s);
	}
	memcpy(frame, s->dst, 6);
	if (below(s, 2)) {
		memcpy(frame + 6, s->box, 6);
	} else {
		frame[6] &= 0xfe; /* a sender is never a group */
	}
	frame[12] = TYPE >> 8;
	frame[13] = TYPE & 0xff;
	return len;
}

/* What a box would say or get that plays for somebody else at 44100 Hz, all gains 0 dB. */
static size_t make_foreign(struct spray *s, enum mode mode, uint8_t *frame)
{
	memset(frame, 0, FRAME_LEN);
	if (mode == MODE_DHCP) {
		memset(frame, 0xff, 6);
		memcpy(frame + 6, s->box, 6);
		frame[12] = 0x08;
		return FRAME_LEN;
	}
	put_header(s, frame, mode == MODE_HOST ? s->host : s->box, true);
	if (mode == MODE_HOST) {
		memcpy(frame, s->box, 6);
	}
	frame[22] = 16;
	memset(frame + 23, 56, 8);
	return mode == MODE_HOST ? FRAME_LEN : HEADER_LEN;
}

static size_t make_frame(struct spray *s, enum mode mode, uint8_t *frame)
{
	uint8_t other[6] = {0x00, 0xe8, 0xda, 0xc0, 0x77, (uint8_t)below(s, 256)};
	bool dac = below(s, 2);
	size_t len;

	if (mode == MODE_GARBAGE) {
		return make_garbage(s, frame);
	}
	if (mode >= MODE_FOREIGN) {
		return make_foreign(s, mode, frame);
	}
	for (size_t i = 0; i < LEN_MAX; i++) {
		frame[i] = (uint8_t)next_random(s);
	}
	if (mode == MODE_LENGTH) {
		do {
			len = 21 + below(s, LEN_MAX - 21 + 1);
		} while (len == HEADER_LEN || len == FRAME_LEN);
		put_header(s, frame, s->box, true);
		return len;
	}
	if (mode == MODE_STRANGE) {
		if (!dac) {
			other[2] = 0xad;
		}
		put_header(s, frame, other, dac);
		return dac ? HEADER_LEN : FRAME_LEN;
	}
	if (mode == MODE_MAGIC && below(s, 2)) {
		for (unsigned i = 0; i < 6; i++) {
			other[i] = (uint8_t)next_random(s);
		}
		other[0] &= 0xfe;
		put_header(s, frame, other, true);
		return HEADER_LEN;
	}
	put_header(s, frame, s->box, true);
	return HEADER_LEN;
}

static void add_ns(struct timespec *t, long ns)
{
	t->tv_nsec += ns;
	while (t->tv_nsec >= 1000000000L) {
		t->tv_nsec -= 1000000000L;
		t->tv_sec++;
	}
}

/* A sleep costs more than some frames: only where it is worth it. */
static void wait_until(const struct timespec *due)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((due->tv_sec - now.tv_sec) * 1000000000L + due->tv_nsec - now.tv_nsec > 200000L) {
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL);
	}
}

static void report(const struct spray *s, const struct timespec *begin)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("{\"seconds\": %.3f, \"refused\": %lu",
		(double)(end.tv_sec - begin->tv_sec) + (double)(end.tv_nsec - begin->tv_nsec) / 1e9,
		s->refused);
	for (unsigned m = 0; m < MODE_N; m++) {
		printf(", \"%s\": %lu", mode_names[m], s->sent[m]);
	}
	printf("}\n");
}

static int spray(struct spray *s)
{
	struct timespec begin, due;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	due = begin;
	for (unsigned long i = 0; i < s->count; i++) {
		uint8_t frame[LEN_MAX];
		unsigned mode;
		size_t len;

		do {
			mode = below(s, MODE_N);
		} while (!s->modes[mode]);
		len = make_frame(s, mode, frame);
		if (send(s->fd, frame, len, 0) < 0) {
			if (errno != EINVAL && errno != ENOBUFS && errno != EMSGSIZE) {
				fprintf(stderr, "frame-spray: cannot send %zu bytes: %s\n", len,
					strerror(errno));
				return 1;
			}
			s->refused++; /* too short for this interface */
		} else {
			s->sent[mode]++;
		}
		add_ns(&due, (long)(1000000000UL / s->per_second));
		wait_until(&due);
	}
	report(s, &begin);
	return 0;
}

static int open_socket(struct spray *s, const char *interface)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_halen = 6};

	s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (s->fd < 0) {
		fprintf(stderr, "frame-spray: no packet socket: %s (CAP_NET_RAW is needed)\n",
			strerror(errno));
		return 1;
	}
	to.sll_ifindex = (int)if_nametoindex(interface);
	if (to.sll_ifindex == 0) {
		fprintf(stderr, "frame-spray: there is no interface %s\n", interface);
		return 1;
	}
	/* Protocol 0: it sends, and no frame is ever queued for it. */
	if (bind(s->fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		fprintf(stderr, "frame-spray: cannot use %s: %s\n", interface, strerror(errno));
		return 1;
	}
	return 0;
}

static bool parse_mac(const char *text, uint8_t ret[6])
{
	unsigned v[6];
	char after;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &after) !=
		6) {
		return false;
	}
	for (unsigned i = 0; i < 6; i++) {
		ret[i] = (uint8_t)v[i];
	}
	return true;
}

static bool parse_mode(const char *text, bool modes[MODE_N])
{
	for (unsigned m = 0; m < MODE_N; m++) {
		if (strcmp(text, mode_names[m]) == 0) {
			modes[m] = true;
			return true;
		}
	}
	return false;
}

static void usage(FILE *to)
{
	fputs("Usage: frame-spray --interface IF --dst MAC --box MAC [OPTION]...\n"
	      "Sends malformed, strange and forged frames of EtherType 0x0802. For tests on a veth pair "
	      "only.\n\n"
	      "  --interface IF   sends from here\n"
	      "  --dst MAC        the receiver's address\n"
	      "  --box MAC        the box in whose name some are sent\n"
	      "  --host MAC       another host, for --mode host (default 02:00:00:00:00:99)\n"
	      "  --mode MODE      garbage, length, strange, magic, forged, foreign, host or dhcp; may be "
	      "repeated\n"
	      "                   (default: the first three)\n"
	      "  --count N        frames (default 10000)\n"
	      "  --rate N         frames a second, 1 to 1000000 (default 5000)\n"
	      "  --seed N         another sequence (default 1)\n"
	      "  --help, --version\n\n"
	      "Prints how long it took and how many it sent of each mode, as JSON. Exit status: 0, 1 on "
	      "failure, 2 for a bad "
	      "command line.\n",
		to);
}

static int bad_usage(const char *what)
{
	fprintf(stderr, "frame-spray: %s; see frame-spray --help\n", what);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"interface", 1, NULL, 'i'}, {"dst", 1, NULL, 'd'},
		{"box", 1, NULL, 'b'}, {"mode", 1, NULL, 'm'}, {"count", 1, NULL, 'n'},
		{"rate", 1, NULL, 'r'}, {"seed", 1, NULL, 's'}, {"host", 1, NULL, 'H'},
		{"help", 0, NULL, 'h'}, {"version", 0, NULL, 'V'}, {NULL, 0, NULL, 0}};
	struct spray s = {
		.fd = -1, .random = 1, .host = {0x02, 0, 0, 0, 0, 0x99}, .per_second = 5000, .count = 10000};
	const char *interface = NULL;
	bool any_mode = false, good = true, dst = false, box = false;
	int k, r;

	while ((k = getopt_long(argc, argv, "i:", longs, NULL)) != -1) {
		if (k == 'h') {
			usage(stdout);
			return 0;
		} else if (k == 'V') {
			puts("frame-spray (ethlinkd test tools)");
			return 0;
		} else if (k == 'i') {
			interface = optarg;
		} else if (k == 'd') {
			good = dst = parse_mac(optarg, s.dst);
		} else if (k == 'b') {
			good = box = parse_mac(optarg, s.box);
		} else if (k == 'H') {
			good = parse_mac(optarg, s.host);
		} else if (k == 'm') {
			good = any_mode = parse_mode(optarg, s.modes);
		} else if (k == 'n') {
			s.count = strtoul(optarg, NULL, 10);
		} else if (k == 'r') {
			s.per_second = strtoul(optarg, NULL, 10);
			good = s.per_second >= 1 && s.per_second <= 1000000;
		} else if (k == 's') {
			s.random = strtoull(optarg, NULL, 10) * 2654435761u + 1;
		} else {
			return bad_usage("unknown option or missing value");
		}
		if (!good) {
			return bad_usage("a MAC is aa:bb:cc:dd:ee:ff, a mode one of those in --help, "
					 "a rate 1 to 1000000");
		}
	}
	if (!interface || !dst || !box || optind < argc) {
		return bad_usage("--interface, --dst and --box are needed, and nothing else");
	}
	for (unsigned m = 0; !any_mode && m < MODE_DEFAULTS; m++) {
		s.modes[m] = true;
	}
	r = open_socket(&s, interface);
	if (r == 0) {
		r = spray(&s);
	}
	if (s.fd >= 0) {
		close(s.fd);
	}
	return r;
}
