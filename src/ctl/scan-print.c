#include "ctl/scan-print.h"

#include "ctl/json.h"

#include <inttypes.h>
#include <string.h>

#define WORDS_MAX 192

static const char *const state_keys[] = {
	[SCAN_SEEN] = "seen",
	[SCAN_SOUGHT] = "sought",
	[SCAN_FREE] = "free",
	[SCAN_CONFIGURED] = "configured",
	[SCAN_LOCAL] = "local",
	[SCAN_PLAYED] = "played",
};

static const char *format_mac(char text[ETHLINK_MAC_SIZE], const uint8_t *mac)
{
	snprintf(text, ETHLINK_MAC_SIZE, ETHLINK_MAC_FMT, ETHLINK_MAC_ARGS(mac));
	return text;
}

static const char *box_mac(char text[ETHLINK_MAC_SIZE], const struct scan_box *box)
{
	uint8_t mac[ETHLINK_MAC_LEN];

	ethlink_mac(box->model, box->serial, mac);
	return format_mac(text, mac);
}

static void describe(const struct scan_box *box, bool probed, char words[WORDS_MAX])
{
	char host[ETHLINK_MAC_SIZE];

	format_mac(host, box->host);
	switch (scan_box_state(box)) {
	case SCAN_SEEN:
		snprintf(words, WORDS_MAX, "heard%s", probed ? ", gives no answer" : "; --probe tells more");
		break;
	case SCAN_SOUGHT:
		snprintf(words, WORDS_MAX, "not heard; %s looks for it", host);
		break;
	case SCAN_FREE:
		snprintf(words, WORDS_MAX, "free");
		break;
	case SCAN_CONFIGURED:
		snprintf(words, WORDS_MAX, "%s of ethlinkd here, %s", box->name, box->daemon_state);
		break;
	case SCAN_LOCAL:
		snprintf(words, WORDS_MAX, "played by a program on this machine");
		break;
	case SCAN_PLAYED:
		snprintf(words, WORDS_MAX, "played by %s", host);
		break;
	}
}

static unsigned print_table(const struct scan *scan, const struct scan_summary *summary, FILE *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < scan->n_boxes; i++) {
		const struct scan_box *box = &scan->boxes[i];
		char mac[ETHLINK_MAC_SIZE], words[WORDS_MAX];

		if (!scan_box_shown(box)) {
			continue;
		}
		if (n++ == 0) {
			fprintf(f, "MODEL SERIAL MAC                INTERFACE        STATE\n");
		}
		describe(box, summary->probed, words);
		fprintf(f, "%-5s %6u %-17s  %-15s  %s\n", ethlink_model_name(box->model), box->serial,
			box_mac(mac, box), summary->interface, words);
		if (*box->name && !box->same_interface && box->frames > 0) {
			fprintf(f,
				"      ethlinkd looks for it as %s on %s; it is on %s: change its "
				"interface\n",
				box->name, box->daemon_where, summary->interface);
		}
	}
	return n;
}

static void print_nothing(const struct scan_summary *summary, FILE *f)
{
	fprintf(f, "No box was heard on %s in %.0f s.\n", summary->interface, summary->seconds);
	if (!summary->probed) {
		fprintf(f,
			"A box that nobody plays is silent but for some seconds after it is switched on. "
			"To ask for it:\n  ethlinkctl scan %s --probe\n",
			summary->interface);
		return;
	}
	fprintf(f,
		"Check that it has power, that its cable leads to this interface or to a switch on it, and\n"
		"that its serial number is in the range: --serial A-B (without it, 0-63 are asked).\n");
}

static bool has_name(const struct scan *scan, const char *name)
{
	for (unsigned i = 0; i < scan->n_boxes; i++) {
		if (strcmp(scan->boxes[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static bool wants_section(const struct scan_box *box)
{
	return !*box->name && scan_box_shown(box) && scan_box_state(box) != SCAN_SOUGHT;
}

static void print_sections(const struct scan *scan, const struct scan_summary *summary, FILE *f)
{
	unsigned next[2] = {0, 0};
	bool any = false;

	for (unsigned i = 0; i < scan->n_boxes; i++) {
		const struct scan_box *box = &scan->boxes[i];
		char name[SCAN_TEXT_MAX];

		if (!wants_section(box)) {
			continue;
		}
		if (!any) {
			fprintf(f, "\nFor the configuration:\n");
			any = true;
		}
		do {
			snprintf(name, sizeof(name), "%s%u", box->model == ETHLINK_DAC8 ? "dac" : "adc",
				next[box->model]++);
		} while (has_name(scan, name));
		fprintf(f, "\n[device %s]\nmodel = %s\nserial = %u\ninterface = %s\n", name,
			ethlink_model_name(box->model), box->serial, summary->interface);
	}
}

void scan_print_text(const struct scan *scan, const struct scan_summary *summary, FILE *f)
{
	if (print_table(scan, summary, f) == 0) {
		print_nothing(summary, f);
	}
	if (scan->overflow) {
		fprintf(f, "More than %u boxes: the others were left out.\n", SCAN_BOXES_MAX);
	}
	if (summary->interrupted) {
		fprintf(f, "Interrupted after %.1f s: there may be more.\n", summary->seconds);
	}
	print_sections(scan, summary, f);
}

static void print_key(FILE *f, const char *key, const char *value)
{
	fprintf(f, ", \"%s\": ", key);
	if (value) {
		json_string(f, value);
	} else {
		fputs("null", f);
	}
}

static void print_box(const struct scan_box *box, const struct scan_summary *summary, FILE *f)
{
	char mac[ETHLINK_MAC_SIZE], host[ETHLINK_MAC_SIZE];

	fprintf(f, "\n    { \"model\": \"%s\", \"serial\": %u", ethlink_model_name(box->model), box->serial);
	print_key(f, "mac", box_mac(mac, box));
	print_key(f, "interface", summary->interface);
	print_key(f, "state", state_keys[scan_box_state(box)]);
	print_key(f, "name", *box->name ? box->name : NULL);
	print_key(f, "daemon_state", *box->name ? box->daemon_state : NULL);
	print_key(f, "host", box->has_host ? format_mac(host, box->host) : NULL);
	fprintf(f, ", \"frames\": %" PRIu64 " }", box->frames);
}

void scan_print_json(const struct scan *scan, const struct scan_summary *summary, FILE *f)
{
	bool any = false;

	fputs("{ \"interface\": ", f);
	json_string(f, summary->interface);
	fprintf(f,
		", \"probed\": %s, \"interrupted\": %s, \"complete\": %s, \"seconds\": %.1f,\n  \"boxes\": [",
		summary->probed ? "true" : "false", summary->interrupted ? "true" : "false",
		scan->overflow || summary->interrupted ? "false" : "true", summary->seconds);
	for (unsigned i = 0; i < scan->n_boxes; i++) {
		if (scan_box_shown(&scan->boxes[i])) {
			fputs(any ? "," : "", f);
			print_box(&scan->boxes[i], summary, f);
			any = true;
		}
	}
	fputs(" ] }\n", f);
}
