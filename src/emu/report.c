#include "emu/report.h"

#include <inttypes.h>
#include <string.h>

const char *report_led(enum box_led led)
{
	switch (led) {
	case BOX_LED_GREEN:
		return "green";
	case BOX_LED_RED:
		return "red";
	case BOX_LED_OFF:
		break;
	}
	return "off";
}

static void json_text(FILE *f, const char *key, const char *text)
{
	fprintf(f, ",\"%s\":\"", key);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x7f) {
			fputc('?', f); /* may be half a character, which no reader would take */
		} else if (c < 0x20 || c == '"' || c == '\\') {
			fprintf(f, "\\u%04x", c);
		} else {
			fputc(c, f);
		}
	}
	fputc('"', f);
}

static void json_u64(FILE *f, const char *key, uint64_t value)
{
	fprintf(f, ",\"%s\":%" PRIu64, key, value);
}

static void json_bool(FILE *f, const char *key, bool value)
{
	fprintf(f, ",\"%s\":%s", key, value ? "true" : "false");
}

static void json_level(FILE *f, const char *key, int level)
{
	if (level < 0) {
		fprintf(f, ",\"%s\":null", key);
	} else {
		fprintf(f, ",\"%s\":%d", key, level);
	}
}

static void json_mac(FILE *f, const char *key, const uint8_t *mac)
{
	fprintf(f, ",\"%s\":\"" ETHLINK_MAC_FMT "\"", key, ETHLINK_MAC_ARGS(mac));
}

static void json_gains(FILE *f, const struct box_status *s)
{
	int db;

	fprintf(f, ",\"gain_db\":[");
	for (unsigned c = 0; c < ETHLINK_CHANNELS; c++) {
		if (c > 0) {
			fputc(',', f);
		}
		if (ethlink_gain_db(ETHLINK_DAC8, s->gain[c], &db) == 0) {
			fprintf(f, "%d", db);
		} else {
			fprintf(f, "null");
		}
	}
	fprintf(f, "],\"muted\":[");
	for (unsigned c = 0; c < ETHLINK_CHANNELS; c++) {
		fprintf(f, "%s%s", c > 0 ? "," : "", s->gain[c] == ETHLINK_GAIN_MUTE ? "true" : "false");
	}
	fputc(']', f);
}

static void json_counts(FILE *f, const struct box_counts *n)
{
	json_u64(f, "frames_received", n->frames_received);
	json_u64(f, "frames_lost", n->frames_lost);
	json_u64(f, "frames_lost_wire", n->frames_lost_wire);
	json_u64(f, "frames_lost_switch", n->frames_lost_switch);
	json_u64(f, "frames_bad", n->frames_bad);
	json_u64(f, "frames_ignored", n->frames_ignored);
	json_u64(f, "frames_late", n->frames_late);
	fprintf(f, ",\"late_max_us\":%.1f", (double)n->late_max_ns / 1e3);
	json_u64(f, "blocks_played", n->blocks_played);
	json_u64(f, "zero_blocks", n->zero_blocks);
	json_u64(f, "zero_blocks_after_audio", n->zero_blocks_after_audio);
	json_u64(f, "zero_blocks_mid_audio", n->zero_blocks_mid_audio);
	json_u64(f, "replies", n->replies);
	json_u64(f, "discovers", n->discovers);
	json_u64(f, "settings_changes", n->settings_changes);
	json_u64(f, "host_changes", n->host_changes);
	json_u64(f, "gain_changes", n->gain_changes);
	json_u64(f, "rate_changes", n->rate_changes);
	json_u64(f, "depth_changes", n->depth_changes);
	json_u64(f, "bad_gain", n->bad_gain);
	json_u64(f, "bad_rate", n->bad_rate);
	json_u64(f, "crashes", n->crashes);
	json_u64(f, "power_cycles", n->power_cycles);
	json_u64(f, "max_burst", n->max_burst);
}

static void json_pattern(FILE *f, const struct pattern_check *p)
{
	json_u64(f, "pattern_blocks", p->blocks);
	json_u64(f, "pattern_breaks", p->breaks);
	json_u64(f, "pattern_garbled", p->garbled);
	json_u64(f, "pattern_run", p->run);
	if (p->breaks > p->garbled) {
		fprintf(f, ",\"pattern_last_break\":{\"expected\":%u,\"got\":%u}", p->break_expected,
			p->break_got);
	} else {
		fprintf(f, ",\"pattern_last_break\":null");
	}
}

static void json_box(FILE *f, const struct box *b, bool check_counter)
{
	struct box_status s;

	box_get_status(b, &s);
	fprintf(f, "{\"serial\":%u", s.serial);
	json_mac(f, "mac", s.mac);
	if (s.has_host) {
		json_mac(f, "host", s.host);
	} else {
		fprintf(f, ",\"host\":null");
	}
	json_text(f, "led", report_led(s.led));
	json_bool(f, "crashed", s.crashed);
	json_u64(f, "rate", s.rate_hz);
	json_u64(f, "depth", s.depth);
	json_u64(f, "queue", s.queue);
	json_u64(f, "waiting", s.waiting);
	json_level(f, "queue_min", s.queue_min);
	json_level(f, "queue_max", s.queue_max);
	json_gains(f, &s);
	json_counts(f, &s.counts);
	if (check_counter) {
		json_pattern(f, &s.pattern);
	}
	fputc('}', f);
}

void report_json(FILE *f, const struct report *r)
{
	fprintf(f, "{\"event\":\"status\"");
	json_bool(f, "final", r->final);
	fprintf(f, ",\"uptime_s\":%.3f,\"cpu_s\":%.3f", r->uptime_s, r->cpu_s);
	json_text(f, "interface", r->interface);
	json_bool(f, "link_up", r->link_up);
	json_u64(f, "ring_frames", r->ring_frames);
	json_u64(f, "ring_drops", r->wire->ring_drops);
	json_u64(f, "frames_seen", r->wire->frames);
	json_u64(f, "frames_foreign", r->wire->foreign);
	json_u64(f, "frames_unknown", r->frames_unknown);
	json_u64(f, "send_errors", r->wire->send_errors);
	json_u64(f, "lines_dropped", r->lines_dropped);
	fprintf(f, ",\"boxes\":[");
	for (unsigned i = 0; i < r->n_boxes; i++) {
		if (i > 0) {
			fputc(',', f);
		}
		json_box(f, r->boxes[i], r->check_counter);
	}
	fprintf(f, "]}\n");
}

void report_json_answer(FILE *f, const char *error)
{
	fprintf(f, "{\"event\":\"%s\"", error ? "error" : "ok");
	if (error) {
		json_text(f, "message", error);
	}
	fprintf(f, "}\n");
}

static void text_gain(FILE *f, uint8_t gain)
{
	int db;

	if (gain == ETHLINK_GAIN_MUTE) {
		fprintf(f, " mute");
	} else if (ethlink_gain_db(ETHLINK_DAC8, gain, &db) == 0) {
		fprintf(f, " %d", db);
	} else {
		fprintf(f, " bad(%u)", gain);
	}
}

static void text_gains(FILE *f, const uint8_t *gain)
{
	bool same = true;

	for (unsigned c = 1; c < ETHLINK_CHANNELS; c++) {
		same &= gain[c] == gain[0];
	}
	if (same && gain[0] == ETHLINK_GAIN_MUTE) {
		fprintf(f, ", all muted");
		return;
	}
	fprintf(f, ", gain");
	for (unsigned c = 0; c < (same ? 1 : ETHLINK_CHANNELS); c++) {
		text_gain(f, gain[c]);
	}
	fprintf(f, " dB");
}

void report_box(FILE *f, const struct box *b, bool check_counter)
{
	struct box_status s;

	box_get_status(b, &s);
	fprintf(f, "box %u: %s", s.serial, s.crashed ? "crashed (red)" : report_led(s.led));
	if (s.rate_hz) {
		fprintf(f, ", %u Hz, queue %u/%u", s.rate_hz, s.queue, s.depth);
	} else {
		fprintf(f, ", no rate set");
	}
	fprintf(f, ", played %" PRIu64 ", lost %" PRIu64 ", zero %" PRIu64, s.counts.blocks_played,
		s.counts.frames_lost, s.counts.zero_blocks);
	if (s.counts.frames_lost_wire) {
		fprintf(f, ", lost on the wire %" PRIu64, s.counts.frames_lost_wire);
	}
	if (check_counter) {
		fprintf(f, ", pattern breaks %" PRIu64 " in %" PRIu64 " blocks", s.pattern.breaks,
			s.pattern.blocks);
	}
	text_gains(f, s.gain);
	fputc('\n', f);
}

void report_summary(FILE *f, const struct report *r)
{
	unsigned green = 0, crashed = 0;
	uint64_t played = 0, lost = 0, zero = 0, breaks = 0;

	for (unsigned i = 0; i < r->n_boxes; i++) {
		struct box_status s;

		box_get_status(r->boxes[i], &s);
		green += s.led == BOX_LED_GREEN;
		crashed += s.crashed;
		played += s.counts.blocks_played;
		lost += s.counts.frames_lost;
		zero += s.counts.zero_blocks;
		breaks += s.pattern.breaks;
	}
	fprintf(f, "%u boxes: %u green, %u crashed, played %" PRIu64 ", lost %" PRIu64 ", zero %" PRIu64,
		r->n_boxes, green, crashed, played, lost, zero);
	if (r->check_counter) {
		fprintf(f, ", pattern breaks %" PRIu64, breaks);
	}
	fprintf(f, "\n");
}
