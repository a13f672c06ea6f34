/*
 * What NetVST's threads cost: so many clients on the one, as many slots on the other, over loopback, with a graph that has
 * cycles in real time. Prints the share of a core, wake-ups, round trips and blocks that came too late.
 */
#include "net/netvst-internal.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define RATE_HZ 48000
#define PAIRS_MAX 16
#define FRAMES_MAX 8192

struct pair {
	struct nvpipe *client_pipe, *slot_pipe;
	struct netvst_client *client;
	uint64_t frame; /* of the client's run */
	uint64_t slot_frame;
	uint64_t wanted, late; /* blocks */
};

struct bench {
	unsigned n, period, block, latency, seconds;
	enum netvst_codec codec;
	struct netvst_io *client_io, *server_io;
	struct netvst_server *server;
	struct pair pairs[PAIRS_MAX];
};

static void client_cycle(const struct bench *b, struct pair *p, const struct audio_cycle *cycle)
{
	const float *const silence[NVPIPE_CHANNELS] = {NULL};
	uint64_t end;
	bool is_new;

	if (!nvpipe_begin_rt(p->client_pipe, cycle, &is_new)) {
		return;
	}
	if (is_new) {
		p->frame = 0;
	}
	(void)nvpipe_write_tx_rt(p->client_pipe, silence, cycle->frames);
	/* Blocks that are played in this cycle for the first time. */
	end = p->frame + cycle->frames;
	for (uint64_t at = p->frame; at < end; at++) {
		if (at >= b->latency && (at - b->latency) % b->block == 0) {
			p->wanted++;
			p->late += !nvpipe_block_ready_rt(p->client_pipe, (at - b->latency) / b->block);
		}
	}
	p->frame = end;
}

static void slot_cycle(const struct bench *b, struct pair *p, const struct audio_cycle *cycle)
{
	static float samples[NVPIPE_CHANNELS][FRAMES_MAX];
	const float *const silence[NVPIPE_CHANNELS] = {NULL};
	const float *const audio[NVPIPE_CHANNELS] = {samples[0], samples[1]};
	float *const ret_audio[NVPIPE_CHANNELS] = {samples[0], samples[1]};
	bool is_new;

	if (!nvpipe_begin_rt(p->slot_pipe, cycle, &is_new)) {
		return;
	}
	if (is_new) {
		p->slot_frame = 0;
		(void)nvpipe_write_tx_rt(p->slot_pipe, silence, b->block + 2 * cycle->frames + RATE_HZ / 500);
	}
	if (nvpipe_rx_frames_rt(p->slot_pipe) >= cycle->frames) {
		nvpipe_read_rx_rt(p->slot_pipe, p->slot_frame, cycle->frames, ret_audio);
		p->slot_frame += cycle->frames;
		nvpipe_release_rx_rt(p->slot_pipe, p->slot_frame);
		(void)nvpipe_write_tx_rt(p->slot_pipe, audio, cycle->frames);
	}
}

static void run_graph(struct bench *b, unsigned seconds)
{
	int64_t due = now_ns(), end = due + seconds * NSEC_PER_SEC;

	for (uint64_t n = 0; due < end; n++) {
		struct timespec ts = {.tv_sec = due / NSEC_PER_SEC, .tv_nsec = due % NSEC_PER_SEC};
		struct audio_cycle cycle = {.frames = b->period, .rate_hz = RATE_HZ, .rolling = true};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		cycle.now_ns = now_ns();
		for (unsigned i = 0; i < b->n; i++) {
			slot_cycle(b, &b->pairs[i], &cycle);
			client_cycle(b, &b->pairs[i], &cycle);
		}
		due += (int64_t)b->period * NSEC_PER_SEC / RATE_HZ;
	}
}

static int64_t cpu_ns(const struct netvst_io *io)
{
	struct timespec ts;
	clockid_t clock;

	pthread_getcpuclockid(io->thread, &clock);
	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void fail(const char *what, int r)
{
	fprintf(stderr, "netvst-io: %s: %s\n", what, netvst_errno_text(r));
	exit(1);
}

static void check(const char *what, int r)
{
	if (r < 0) {
		fail(what, r);
	}
}

static void set_up(struct bench *b, int priority)
{
	struct netvst_server_conf server = {.host = "127.0.0.1", .slots = b->n, .codec = b->codec};
	struct netvst_client_conf client = {.host = "127.0.0.1", .codec = b->codec};
	struct nvpipe *pipes[PAIRS_MAX];
	struct netvst_server_status status;

	check("io", netvst_io_new("bench-client", &b->client_io));
	check("io", netvst_io_new("bench-server", &b->server_io));
	if (netvst_io_set_priority(b->client_io, priority) < 0 ||
		netvst_io_set_priority(b->server_io, priority) < 0) {
		fprintf(stderr, "netvst-io: without realtime priority\n");
	}
	for (unsigned i = 0; i < b->n; i++) {
		check("pipe", nvpipe_new(0, &b->pairs[i].slot_pipe));
		check("pipe", nvpipe_new(b->block, &b->pairs[i].client_pipe));
		pipes[i] = b->pairs[i].slot_pipe;
	}
	check("server", netvst_server_new(b->server_io, &server, pipes, &b->server));
	do {
		netvst_server_get_status(b->server, &status);
	} while (!status.listening);
	client.port = status.port;
	for (unsigned i = 0; i < b->n; i++) {
		check("client", netvst_client_new(
					b->client_io, &client, b->pairs[i].client_pipe, &b->pairs[i].client));
		netvst_client_set_latency(b->pairs[i].client, b->latency);
	}
}

static void print(const struct bench *b, const int64_t cpu[2], const uint64_t wakeups[2])
{
	double wall_ns = (double)b->seconds * NSEC_PER_SEC;
	uint64_t wanted = 0, late = 0, late_replies = 0, skipped = 0;
	struct netvst_client_status first = {0}, status;
	struct netvst_server_status server;

	for (unsigned i = 0; i < b->n; i++) {
		netvst_client_get_status(b->pairs[i].client, &status);
		skipped += status.blocks_skipped;
		first = i == 0 ? status : first;
		wanted += b->pairs[i].wanted;
		late += b->pairs[i].late;
	}
	netvst_server_get_status(b->server, &server);
	for (unsigned i = 0; i < b->n; i++) {
		late_replies += server.slots[i].late_replies;
	}
	printf("%2u inserts, block %u, period %u, %s, latency %u\n", b->n, b->block, b->period,
		netvst_codec_to_string(b->codec), b->latency);
	printf("  clients: %5.1f %% of a core, %.0f wake-ups/s; servers: %5.1f %%, %.0f wake-ups/s\n",
		100 * (double)cpu[0] / wall_ns, (double)wakeups[0] / b->seconds,
		100 * (double)cpu[1] / wall_ns, (double)wakeups[1] / b->seconds);
	printf("  round trip of the first: median %.0f µs, 90 %% %.0f, 99 %% %.0f, longest %.0f\n",
		(double)first.rtt_median_ns / 1000, (double)first.rtt_p90_ns / 1000,
		(double)first.rtt_p99_ns / 1000, (double)first.rtt_max_ns / 1000);
	printf("  blocks %llu, late %llu, skipped %llu, replies that waited for the graph %llu\n",
		(unsigned long long)wanted, (unsigned long long)late, (unsigned long long)skipped,
		(unsigned long long)late_replies);
	if (b->codec != NETVST_PCM) {
		printf("  compressed to %.2f\n",
			(double)(first.bytes_sent + first.bytes_received) / (double)first.audio_bytes);
	}
}

static void measure(struct bench *b)
{
	int64_t cpu[2];
	uint64_t wakeups[2];

	run_graph(b, 1);
	for (unsigned i = 0; i < b->n; i++) {
		b->pairs[i].wanted = 0;
		b->pairs[i].late = 0;
	}
	cpu[0] = cpu_ns(b->client_io);
	cpu[1] = cpu_ns(b->server_io);
	wakeups[0] = b->client_io->wakeups;
	wakeups[1] = b->server_io->wakeups;
	run_graph(b, b->seconds);
	cpu[0] = cpu_ns(b->client_io) - cpu[0];
	cpu[1] = cpu_ns(b->server_io) - cpu[1];
	wakeups[0] = b->client_io->wakeups - wakeups[0];
	wakeups[1] = b->server_io->wakeups - wakeups[1];
	print(b, cpu, wakeups);
}

static void tear_down(struct bench *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		netvst_client_free(b->pairs[i].client);
	}
	netvst_server_free(b->server);
	netvst_io_free(b->client_io);
	netvst_io_free(b->server_io);
	for (unsigned i = 0; i < b->n; i++) {
		nvpipe_free(b->pairs[i].client_pipe);
		nvpipe_free(b->pairs[i].slot_pipe);
	}
}

static unsigned number(const char *text, unsigned max)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || value < 1 || value > max) {
		fprintf(stderr, "netvst-io: \"%s\" is no number from 1 to %u\n", text, max);
		exit(2);
	}
	return (unsigned)value;
}

int main(int argc, char **argv)
{
	struct bench b = {.n = PAIRS_MAX, .period = 64, .block = 64, .latency = 64, .seconds = 5};
	struct sched_param param = {.sched_priority = 20};
	int option;

	while ((option = getopt(argc, argv, "n:p:b:l:s:c:")) != -1) {
		switch (option) {
		case 'n':
			b.n = number(optarg, PAIRS_MAX);
			break;
		case 'p':
			b.period = number(optarg, FRAMES_MAX);
			break;
		case 'b':
			b.block = number(optarg, NETVST_FRAMES_MAX);
			break;
		case 'l':
			b.latency = number(optarg, 1 << 14);
			break;
		case 's':
			b.seconds = number(optarg, 3600);
			break;
		case 'c':
			if (!netvst_codec_from_string(optarg, &b.codec)) {
				return 2;
			}
			break;
		default:
			fprintf(stderr, "usage: netvst-io [-n inserts] [-p period] [-b block] [-l latency] "
					"[-s seconds] [-c codec]\n");
			return 2;
		}
	}
	set_up(&b, param.sched_priority - 1);
	if (sched_setscheduler(0, SCHED_FIFO, &param) < 0) {
		fprintf(stderr, "netvst-io: the graph is not realtime\n");
	}
	measure(&b);
	tear_down(&b);
	return 0;
}
