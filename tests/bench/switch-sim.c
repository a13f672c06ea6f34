/*
 * What the order in which a host sends a period's frames does to the switch behind it; see switch-model.h. Nothing is sent,
 * and nothing is measured: the same on every machine.
 */
#include "config.h"

#include "switch-model.h"

#include "base/option.h"
#include "base/util.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX 32

struct list {
	unsigned n;
	uint32_t v[LIST_MAX];
};

struct options {
	struct list boxes;
	struct list uplink_boxes;
	struct list periods;
	struct list rates;
	uint64_t handing_ns;
	const char *json;
};

static double us(int64_t ns)
{
	return (double)ns / NSEC_PER_USEC;
}

static double kilobytes(unsigned frames)
{
	return frames * SWITCH_FRAME_BYTES / 1000.0;
}

/* --- The table --- */

static void heading(uint32_t rate_hz, bool uplink)
{
	printf("\n%" PRIu32 " Hz, %s\n", rate_hz,
		uplink ? "all boxes at a second switch, behind a port of 100 Mbit/s of the first"
		       : "a port of 100 Mbit/s for each box");
	printf("                             deepest queue, %s  %s  us after the period's start\n",
		uplink ? "first switch " : "one port     ", uplink ? "second switch " : "all ports     ");
	printf("period boxes order           frames  kB              frames  kB        begun   one has   all "
	       "have  "
	       "cushion\n");
}

static void row(const struct switch_case *c, const struct switch_result *r)
{
	unsigned second = c->uplink ? r->depth[1].all : r->depth[0].all;

	printf("%6" PRIu32 " %5u %-14s ", c->period_frames, c->boxes, switch_order_name(c->order));
	if (!r->fits) {
		printf("does not fit: %.1f %% of the link\n", r->load_percent);
		return;
	}
	printf("%7u %7.1f         %7u %7.1f %10.1f %9.1f %9.1f %9.1f\n", r->depth[0].port,
		kilobytes(r->depth[0].port), second, kilobytes(second), us(r->begun_ns), us(r->first_done_ns),
		us(r->all_done_ns), us(r->cushion_ns));
}

/* --- JSON --- */

static void json_begin(FILE *f)
{
	fprintf(f,
		"{\"kind\":\"switch\",\"about\":{\"program\":\"switch-sim "
		"%s\",\"simulated\":true,\"host_mbps\":%lld,"
		"\"box_mbps\":%lld,\"wire_bytes\":%d,\"frame_bytes\":%d},\n\"results\":[",
		PACKAGE_VERSION, SWITCH_HOST_BPS / 1000000, SWITCH_BOX_BPS / 1000000, SWITCH_WIRE_BYTES,
		SWITCH_FRAME_BYTES);
}

static void json_depth(FILE *f, const char *name, const struct switch_depth *d)
{
	fprintf(f, ",\"%s\":{\"port_frames\":%u,\"port_bytes\":%u,\"all_frames\":%u,\"all_bytes\":%u}", name,
		d->port, d->port * SWITCH_FRAME_BYTES, d->all, d->all * SWITCH_FRAME_BYTES);
}

static void json_case(FILE *f, const struct switch_case *c, const struct switch_result *r, bool first)
{
	fprintf(f,
		"%s\n{\"rate_hz\":%" PRIu32 ",\"period_frames\":%" PRIu32
		",\"boxes\":%u,\"order\":\"%s\",\"uplink\":%s,"
		"\"load_percent\":%.1f,\"fits\":%s",
		first ? "" : ",", c->rate_hz, c->period_frames, c->boxes, switch_order_name(c->order),
		c->uplink ? "true" : "false", r->load_percent, r->fits ? "true" : "false");
	if (r->fits) {
		json_depth(f, "first_switch", &r->depth[0]);
		if (c->uplink) {
			json_depth(f, "second_switch", &r->depth[1]);
		}
		fprintf(f,
			",\"begun_us\":%.1f,\"first_done_us\":%.1f,\"all_done_us\":%.1f,\"cushion_us\":%.1f",
			us(r->begun_ns), us(r->first_done_ns), us(r->all_done_ns), us(r->cushion_ns));
	}
	fprintf(f, "}");
}

/* --- The cases --- */

static int run_rate(const struct options *opt, uint32_t rate_hz, bool uplink, FILE *json, bool *first)
{
	const struct list *boxes = uplink ? &opt->uplink_boxes : &opt->boxes;
	unsigned cases = opt->periods.n * boxes->n * SWITCH_ORDERS;

	heading(rate_hz, uplink);
	for (unsigned i = 0; i < cases; i++) {
		struct switch_case c = {
			.order = i % SWITCH_ORDERS,
			.boxes = boxes->v[i / SWITCH_ORDERS % boxes->n],
			.period_frames = opt->periods.v[i / SWITCH_ORDERS / boxes->n],
			.rate_hz = rate_hz,
			.uplink = uplink,
			.handing_ns = (int64_t)opt->handing_ns,
		};
		struct switch_result result;
		int r = switch_simulate(&c, &result);

		if (r < 0) {
			log_error("%" PRIu32 " Hz, period %" PRIu32 ", %u boxes: %s", c.rate_hz,
				c.period_frames, c.boxes,
				r == -EINVAL ? "no box plays that; switch-sim --help says what is allowed"
					     : strerror(-r));
			return r;
		}
		row(&c, &result);
		if (json) {
			json_case(json, &c, &result, *first);
			*first = false;
		}
	}
	return 0;
}

static int run(const struct options *opt, FILE *json)
{
	bool first = true;
	int r = 0;

	if (json) {
		json_begin(json);
	}
	for (unsigned i = 0; i < 2 * opt->rates.n && r == 0; i++) {
		bool uplink = i >= opt->rates.n;

		r = run_rate(opt, opt->rates.v[i % opt->rates.n], uplink, json, &first);
	}
	if (json) {
		fprintf(json, "\n]}\n");
	}
	return r;
}

/* --- The command line --- */

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: switch-sim [OPTION]...\n"
		"Simulates a switch between a host with a gigabit and boxes with 100 Mbit/s each: how deep "
		"its queues\n"
		"get, by the order in which the host sends a period's frames. Lists are numbers with commas "
		"between.\n"
		"  --boxes=LIST         1 to %d each; default 1,8,16,32\n"
		"  --uplink-boxes=LIST  the same, where a second switch hangs at a port of 100 Mbit/s; "
		"default 1,3,6\n"
		"  --period=LIST        multiples of 8 from 8 to 8192; default 64,256,1024\n"
		"  --rate=LIST          44100, 48000, 88200, 96000; default 48000,96000\n"
		"  --handing-ns=N       the host takes at least so long for a frame; default 0: as fast as "
		"its link\n"
		"  --json=FILE          to this file as well\n"
		"  --help, --version\n"
		"Columns: frames of one queue, and of all queues of a switch, until their last bit has left, "
		"and their bytes;\n"
		"begun: each box has a frame of the period; one has, all have: all frames of it; cushion: so "
		"long the boxes\n"
		"must have something else to play. Where a link is too slow for the boxes, it says so.\n",
		SWITCH_BOXES_MAX);
}

static int read_list(
	const char *option, const char *text, uint64_t lowest, uint64_t highest, struct list *ret)
{
	const char *at = text;
	struct list list = {0};

	for (;;) {
		size_t len = strcspn(at, ",");
		char number[16];
		uint64_t v;

		snprintf(number, sizeof(number), "%.*s", (int)MIN(len, sizeof(number) - 1), at);
		if (list.n == LIST_MAX || !option_whole(number, lowest, highest, &v)) {
			return option_bad(
				option, text, "numbers with commas between them; see --help for the range");
		}
		list.v[list.n++] = (uint32_t)v;
		if (at[len] == '\0') {
			break;
		}
		at += len + 1;
	}
	*ret = list;
	return 0;
}

static int take_option(int o, const char *value, struct options *opt)
{
	switch (o) {
	case 'b':
		return read_list("boxes", value, 1, SWITCH_BOXES_MAX, &opt->boxes);
	case 'u':
		return read_list("uplink-boxes", value, 1, SWITCH_BOXES_MAX, &opt->uplink_boxes);
	case 'p':
		return read_list("period", value, 8, 8192, &opt->periods);
	case 'r':
		return read_list("rate", value, 44100, 96000, &opt->rates);
	case 'H':
		return option_whole(value, 0, NSEC_PER_MSEC, &opt->handing_ns)
			       ? 0
			       : option_bad("handing-ns", value, "0 to 1000000 nanoseconds");
	case 'j':
		opt->json = value;
		return 0;
	case 'h':
		usage(stdout);
		exit(0);
	case 'V':
		printf("switch-sim %s\n", PACKAGE_VERSION);
		exit(0);
	default:
		return -EINVAL;
	}
}

static int parse_options(int argc, char **argv, struct options *opt)
{
	static const struct option longs[] = {
		{"boxes", required_argument, NULL, 'b'},
		{"uplink-boxes", required_argument, NULL, 'u'},
		{"period", required_argument, NULL, 'p'},
		{"rate", required_argument, NULL, 'r'},
		{"json", required_argument, NULL, 'j'},
		{"handing-ns", required_argument, NULL, 'H'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (take_option(o, optarg, opt) < 0) {
			return -EINVAL;
		}
	}
	if (optind != argc) {
		log_error("%s: nothing but options may stand there", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options opt = {
		.boxes = {4, {1, 8, 16, 32}},
		.uplink_boxes = {3, {1, 3, 6}},
		.periods = {3, {64, 256, 1024}},
		.rates = {2, {48000, 96000}},
	};
	FILE *json = NULL;
	int r;

	if (parse_options(argc, argv, &opt) < 0) {
		fprintf(stderr, "see switch-sim --help\n");
		return 2;
	}
	if (opt.json) {
		json = fopen(opt.json, "we");
		if (!json) {
			log_error("%s: %s", opt.json, strerror(errno));
			return 1;
		}
	}
	r = run(&opt, json);
	if (json && fclose(json) != 0) {
		log_error("%s: %s", opt.json, strerror(errno));
		return 1;
	}
	return r < 0 ? 1 : 0;
}
