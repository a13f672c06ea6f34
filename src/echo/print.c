#include "echo/print.h"

#include "base/util.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void print_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

void print_counter(const struct counter *c)
{
	printf(",\"latency_frames\":");
	if (c->begun) {
		printf("%" PRId64 ",\"first_latency_frames\":%" PRId64, c->latency, c->first_latency);
	} else {
		printf("null,\"first_latency_frames\":null");
	}
	printf(",\"exact_frames\":%" PRIu64 ",\"zero_frames\":%" PRIu64 ",\"wrong_frames\":%" PRIu64
	       ",\"gaps\":%" PRIu64 ",\"gap_list\":[",
		c->exact, c->zeros, c->wrong, c->n_gaps);
	for (uint64_t i = 0; i < MIN(c->n_gaps, (uint64_t)COUNTER_GAPS_MAX); i++) {
		const struct counter_gap *g = &c->gaps[i];

		printf("%s{\"position\":%" PRIu64 ",\"frames\":%" PRIu64 ",\"zeros\":%" PRIu64
		       ",\"latency_before\":%" PRId64 ",\"latency_after\":%" PRId64 "}",
			i ? "," : "", g->position, g->frames, g->zeros, g->latency_before, g->latency_after);
	}
	printf("]");
}

void print_ratio(uint64_t bytes, uint64_t audio_bytes, enum netvst_codec codec)
{
	if (codec == NETVST_PCM || audio_bytes == 0) {
		printf(",\"compression_ratio\":null");
	} else {
		printf(",\"compression_ratio\":%.4f", (double)bytes / (double)audio_bytes);
	}
}

void print_counter_words(const struct counter *c)
{
	if (!c->begun) {
		print_line("the pattern did not come: %" PRIu64 " silent frames, %" PRIu64 " others",
			c->zeros, c->wrong);
		return;
	}
	print_line("the pattern came %" PRId64 " frames late, %" PRIu64 " of them exact, with %" PRIu64
		   " gaps (%" PRIu64 " frames of something else, %" PRIu64 " of silence)",
		c->latency, c->exact, c->n_gaps, c->wrong, c->zeros);
}
