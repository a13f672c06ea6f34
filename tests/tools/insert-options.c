#include "insert-options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static void usage(FILE *to)
{
	fputs("Usage: insert-play (--pattern | --music | --sine | --notes N) [OPTION]...\n"
	      "Plays into inserts and compares what comes back.\n\n"
	      "  --pattern, --music   as jack-feed's, two channels;  --sine: 440 Hz at -6 dBFS\n"
	      "  --notes N            N notes as MIDI; what comes back shall be the sines of netvst-echo "
	      "--mode synth --ramp-ms 0\n"
	      "  --send PREFIX        connect out_1, out_2 to PREFIX1, PREFIX2; may be given 32 times\n"
	      "  --return PREFIX      connect PREFIX1, PREFIX2 to in_1, in_2; may be given 32 times\n"
	      "  --midi-to PORT, --midi-from PORT\n"
	      "  --seconds S          how long (default 5), after --lead-in S (0.5), before --tail S (0.5) "
	      "of silence\n"
	      "  --latency FRAMES     compare at this latency, or at these with commas between (default: -1, "
	      "the one that is found)\n"
	      "  --roll               the transport runs meanwhile, from second 1 of the song on\n"
	      "  --tolerance X        samples that differ by no more are equal (default 0)\n"
	      "  --record FILE.wav    what the first return gave\n"
	      "  --start-file FILE    connect, then wait until FILE exists\n"
	      "  --server NAME, --client NAME (insert), --timeout S (10), --help\n\n"
	      "Prints JSON. Exit status: 0, 1 on failure (not: differences), 2 for a bad command line.\n",
		to);
}

static bool set_kind(struct insert_options *o, enum insert_kind kind, const char *notes)
{
	o->kind = kind;
	o->n_notes = notes ? (unsigned)strtoul(notes, NULL, 10) : 0;
	return o->n_notes <= 1000;
}

static bool add(const char **list, unsigned *n, const char *value)
{
	if (*n == INSERT_PAIRS_MAX) {
		return false;
	}
	list[(*n)++] = value;
	return true;
}

static bool set_number(double *to, const char *value)
{
	char *end;

	*to = strtod(value, &end);
	return end != value && *end == '\0' && *to >= 0.0 && *to <= 86400.0;
}

/* One for all, or one for each return with commas between. */
static bool set_latencies(struct insert_options *o, const char *value)
{
	for (unsigned i = 0; i < INSERT_PAIRS_MAX; i++) {
		char *end;

		o->latency[i] = strtoll(value, &end, 10);
		if (end == value || (*end != '\0' && *end != ',')) {
			return false;
		}
		value = *end ? end + 1 : value;
	}
	return true;
}

static bool set_text(struct insert_options *o, int k, const char *value)
{
	const char **to = k == 'n'   ? &o->server
			  : k == 'c' ? &o->client
			  : k == 'R' ? &o->record
			  : k == 'w' ? &o->start_file
			  : k == 'M' ? &o->midi_to
				     : &o->midi_from;

	*to = value;
	return true;
}

static bool set_option(struct insert_options *o, int k, const char *value)
{
	switch (k) {
	case 'p':
		return set_kind(o, INSERT_PATTERN, NULL);
	case 'm':
		return set_kind(o, INSERT_MUSIC, NULL);
	case 'i':
		return set_kind(o, INSERT_SINE, NULL);
	case 'N':
		return set_kind(o, INSERT_NOTES, value);
	case 'S':
		return add(o->sends, &o->n_sends, value);
	case 'r':
		return add(o->returns, &o->n_returns, value);
	case 's':
		return set_number(&o->seconds, value);
	case 'l':
		return set_number(&o->lead_s, value);
	case 'T':
		return set_number(&o->tail_s, value);
	case 'W':
		return set_number(&o->timeout_s, value);
	case 'e':
		return set_number(&o->tolerance, value);
	case 'L':
		return set_latencies(o, value);
	case 'o':
		o->roll = true;
		return true;
	default:
		return set_text(o, k, value);
	}
}

int insert_options_parse(int argc, char **argv, struct insert_options *o)
{
	static const struct option longs[] = {{"pattern", 0, NULL, 'p'}, {"music", 0, NULL, 'm'},
		{"sine", 0, NULL, 'i'}, {"notes", 1, NULL, 'N'}, {"send", 1, NULL, 'S'},
		{"return", 1, NULL, 'r'}, {"midi-to", 1, NULL, 'M'}, {"midi-from", 1, NULL, 'F'},
		{"seconds", 1, NULL, 's'}, {"lead-in", 1, NULL, 'l'}, {"tail", 1, NULL, 'T'},
		{"latency", 1, NULL, 'L'}, {"roll", 0, NULL, 'o'}, {"tolerance", 1, NULL, 'e'},
		{"record", 1, NULL, 'R'}, {"start-file", 1, NULL, 'w'}, {"server", 1, NULL, 'n'},
		{"client", 1, NULL, 'c'}, {"timeout", 1, NULL, 'W'}, {"help", 0, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	int k;

	*o = (struct insert_options){
		.client = "insert", .seconds = 5.0, .lead_s = 0.5, .tail_s = 0.5, .timeout_s = 10.0};
	set_latencies(o, "-1");
	while ((k = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (k == 'h') {
			usage(stdout);
			exit(0);
		}
		if (k == '?' || !set_option(o, k, optarg)) {
			fputs("insert-play: a bad option or value; see insert-play --help\n", stderr);
			return 2;
		}
	}
	return optind == argc ? 0 : 2;
}
