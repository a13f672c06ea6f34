/*
 * Asks a daemon over its private socket, again and again: so many property reads and so many gain changes a second. What
 * it could not get rid of in time it does not make up for; the last line says what was done.
 *
 *   bus-flood SOCKET DEVICE-PATH READS-A-SECOND GAINS-A-SECOND SECONDS
 */
#include "base/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define DEVICE "org.ethlinkd1.Device"
#define WAITING_MAX 500
#define GAIN_MIN (-56)
#define GAIN_VALUES 81

struct flood {
	sd_bus *bus;
	const char *path;
	unsigned waiting; /* calls without an answer */
	uint64_t reads;
	uint64_t gains;
	uint64_t errors;
	int last_gain[8];
};

static const char *const properties[] = {"GainDb", "Muted", "State", "FramesSent", "Labels", "GainOrigin"};

static int on_answer(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct flood *flood = data;

	flood->waiting--;
	if (sd_bus_message_is_method_error(m, NULL)) {
		if (flood->errors++ == 0) {
			fprintf(stderr, "bus-flood: %s\n", sd_bus_message_get_error(m)->message);
		}
	}
	return 0;
}

static int read_one(struct flood *flood)
{
	const char *name = properties[flood->reads % ARRAY_SIZE(properties)];

	flood->reads++;
	flood->waiting++;
	return sd_bus_call_method_async(flood->bus, NULL, NULL, flood->path, "org.freedesktop.DBus.Properties",
		"Get", on_answer, flood, "ss", DEVICE, name);
}

static int set_one(struct flood *flood)
{
	unsigned k = (unsigned)(flood->gains % 8);
	int gain = GAIN_MIN + rand() % GAIN_VALUES;

	flood->gains++;
	flood->waiting++;
	flood->last_gain[k] = gain;
	return sd_bus_call_method_async(flood->bus, NULL, NULL, flood->path, DEVICE, "SetGain", on_answer,
		flood, "ud", k + 1, (double)gain);
}

static int open_bus(sd_bus **ret_bus, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0 || strlen(path) >= sizeof(addr.sun_path)) {
		return -EINVAL;
	}
	strcpy(addr.sun_path, path);
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		return -errno;
	}
	r = sd_bus_new(ret_bus);
	r = r < 0 ? r : sd_bus_set_fd(*ret_bus, fd, fd);
	r = r < 0 ? r : sd_bus_set_bus_client(*ret_bus, 0);
	return r < 0 ? r : sd_bus_start(*ret_bus);
}

/* Takes what has come, and waits for more until then. */
static int work(struct flood *flood, int64_t until_ns)
{
	for (;;) {
		int64_t left_ns;
		int r = sd_bus_process(flood->bus, NULL);

		if (r != 0) {
			if (r < 0) {
				return r;
			}
			continue;
		}
		left_ns = until_ns - now_ns();
		if (left_ns <= 0) {
			return 0;
		}
		r = sd_bus_wait(flood->bus, (uint64_t)(left_ns / NSEC_PER_USEC) + 1);
		if (r < 0 && r != -EINTR) {
			return r;
		}
	}
}

static int run(struct flood *flood, unsigned reads_hz, unsigned gains_hz, unsigned seconds)
{
	int64_t begin_ns = now_ns(), end_ns = begin_ns + seconds * NSEC_PER_SEC, tick_ns = begin_ns;
	uint64_t reads_due = 0, gains_due = 0, skipped = 0;
	int r = 0;

	while (r >= 0 && tick_ns < end_ns) {
		tick_ns = MAX(tick_ns + NSEC_PER_MSEC, now_ns());
		reads_due = (uint64_t)(tick_ns - begin_ns) * reads_hz / NSEC_PER_SEC;
		gains_due = (uint64_t)(tick_ns - begin_ns) * gains_hz / NSEC_PER_SEC;
		if (r >= 0 && flood->gains < gains_due) {
			r = set_one(flood);
		}
		while (r >= 0 && flood->reads + skipped < reads_due) {
			if (flood->waiting >= WAITING_MAX) {
				skipped++;
			} else {
				r = read_one(flood);
			}
		}
		r = r < 0 ? r : work(flood, tick_ns);
	}
	end_ns = now_ns() + 5 * NSEC_PER_SEC;
	while (r >= 0 && flood->waiting > 0 && now_ns() < end_ns) {
		r = work(flood, now_ns() + NSEC_PER_MSEC);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct flood flood = {0};
	int r;

	if (argc != 6) {
		fprintf(stderr, "bus-flood SOCKET DEVICE-PATH READS-A-SECOND GAINS-A-SECOND SECONDS\n");
		return 2;
	}
	flood.path = argv[2];
	r = open_bus(&flood.bus, argv[1]);
	r = r < 0 ? r
		  : run(&flood, (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]), (unsigned)atoi(argv[5]));
	printf("{\"reads\": %" PRIu64 ", \"gains\": %" PRIu64 ", \"errors\": %" PRIu64 ", \"unanswered\": %u, "
	       "\"gain_db\": [%d, %d, %d, %d, %d, %d, %d, %d]}\n",
		flood.reads, flood.gains, flood.errors, flood.waiting, flood.last_gain[0], flood.last_gain[1],
		flood.last_gain[2], flood.last_gain[3], flood.last_gain[4], flood.last_gain[5],
		flood.last_gain[6], flood.last_gain[7]);
	if (r < 0) {
		fprintf(stderr, "bus-flood: %s\n", strerror(-r));
	}
	sd_bus_flush_close_unref(flood.bus);
	return r < 0 ? 1 : 0;
}
