#include "emu/emu-internal.h"

#include "base/log.h"
#include "base/util.h"
#include "emu/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FINAL_WAIT_MS 500
#define LINES_MAX 4u /* more boxes than this share a line in each report */

static void make_report(struct emu *e, bool final, struct report *ret)
{
	struct rusage ru;
	const struct wire_counts *wire = wire_get_counts(e->wire);

	getrusage(RUSAGE_SELF, &ru);
	*ret = (struct report){
		.interface = e->opt->interface,
		.link_up = e->link_up,
		.final = final,
		.check_counter = e->opt->check_counter,
		.uptime_s = (double)(now_ns() - e->start_ns) / 1e9,
		.cpu_s = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
			 (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6,
		.ring_frames = wire_ring_frames(e->wire),
		.wire = wire,
		.frames_unknown = e->frames_unknown,
		.lines_dropped = e->out.lines_dropped,
		.boxes = e->boxes,
		.n_boxes = e->n,
	};
}

static void say_drops(struct emu *e, const struct report *r)
{
	uint64_t drops = r->wire->ring_drops;

	if (drops > e->drops_said) {
		log_error("ring_drops: %" PRIu64
			  " frames were lost between the kernel and this program, by no fault of the "
			  "sender or a box: these results mean nothing. More --ring-frames (now %u) or a "
			  "less busy machine",
			drops - e->drops_said, r->ring_frames);
		e->drops_said = drops;
	}
}

/* Over the old one by a rename, so that nobody reads half of it. */
static void write_status_file(struct emu *e, const char *text, size_t len)
{
	char *tmp;
	FILE *f;
	bool ok;

	if (asprintf(&tmp, "%s.tmp", e->opt->status_path) < 0) {
		return;
	}
	f = fopen(tmp, "we");
	ok = f && fwrite(text, 1, len, f) == len;
	if (f) {
		ok &= fclose(f) == 0;
	}
	if (!ok || rename(tmp, e->opt->status_path) < 0) {
		if (!e->status_file_failed) {
			log_error("--status-file=%s: writing it: %s", e->opt->status_path, strerror(errno));
		}
		unlink(tmp);
	}
	e->status_file_failed = !ok;
	free(tmp);
}

static void report_as_text(struct emu *e, const struct report *r, FILE *f)
{
	if (e->n > LINES_MAX) {
		report_summary(f, r);
		return;
	}
	for (unsigned i = 0; i < e->n; i++) {
		report_box(f, e->boxes[i], e->opt->check_counter);
	}
}

void emu_write_report(struct emu *e, bool final, bool as_json, bool to_file)
{
	struct report r;
	char *json = NULL, *text = NULL;
	size_t json_len = 0, text_len = 0;
	FILE *f;

	make_report(e, final, &r);
	say_drops(e, &r);
	f = open_memstream(&json, &json_len);
	if (f) {
		report_json(f, &r);
		fclose(f);
	}
	if (!as_json) {
		f = open_memstream(&text, &text_len);
		if (f) {
			report_as_text(e, &r, f);
			fclose(f);
		}
	}
	if (as_json ? json != NULL : text != NULL) {
		out_write(&e->out, as_json ? json : text, as_json ? json_len : text_len,
			final ? FINAL_WAIT_MS : 0);
	}
	if (to_file && e->opt->status_path && json) {
		write_status_file(e, json, json_len);
	}
	free(json);
	free(text);
}

void emu_say_changes(struct emu *e)
{
	for (unsigned i = 0; i < e->n; i++) {
		unsigned changes = box_take_changes(e->boxes[i]);
		struct box_status s;

		if (changes == 0) {
			continue;
		}
		box_get_status(e->boxes[i], &s);
		if (changes & BOX_CHANGED_CRASH) {
			log_error("box %u has crashed: a header asked for a queue that it cannot have (1 to "
				  "128 blocks); "
				  "it stays dead until it is power-cycled",
				s.serial);
		}
		if (changes & BOX_CHANGED_HOST) {
			log_debug("box %u: host " ETHLINK_MAC_FMT, s.serial, ETHLINK_MAC_ARGS(s.host));
		}
		if (!e->opt->json && (changes & ~BOX_CHANGED_HOST)) {
			char *text = NULL;
			size_t len = 0;
			FILE *f = open_memstream(&text, &len);

			if (f) {
				report_box(f, e->boxes[i], e->opt->check_counter);
				fclose(f);
				out_write(&e->out, text, len, 0);
			}
			free(text);
		}
	}
}

/* Flushed line by line: whoever follows the file finds whole lines, and soon. */
void emu_log_change(const struct emu_box *x, int64_t t_ns, const struct box_gain_change *change)
{
	FILE *f = x->emu->changes;
	int db;

	fprintf(f, "{\"time_us\":%" PRId64 ",\"serial\":%u,\"frame\":%" PRIu64 ",\"channel\":%u,\"gain_db\":",
		(int64_t)((t_ns + x->emu->offset_ns) / NSEC_PER_USEC), x->serial, change->frame,
		change->channel + 1);
	if (ethlink_gain_db(ETHLINK_DAC8, change->gain, &db) == 0) {
		fprintf(f, "%d}\n", db);
	} else {
		fputs("null}\n", f);
	}
	if (fflush(f) != 0) {
		log_error("--log-changes=%s: writing it: %s; nothing more goes there",
			x->emu->opt->changes_path, strerror(errno));
		fclose(f);
		x->emu->changes = NULL;
	}
}

void emu_answer(struct emu *e, const char *error)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f) {
		return;
	}
	if (e->opt->json) {
		report_json_answer(f, error);
	} else {
		fprintf(f, "%s%s\n", error ? "error: " : "ok", error ? error : "");
	}
	fclose(f);
	out_write(&e->out, text, len, 0);
	free(text);
}
