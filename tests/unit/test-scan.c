/* What a scan makes of frames and times: who has which box, what is sent when, and what is printed. */
#include "ctl/scan-print.h"

#include "base/util.h"
#include "proto/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START_NS (1000 * NSEC_PER_SEC)
#define LISTEN_NS (3 * NSEC_PER_SEC)
#define ACTIONS_MAX 1024

static const uint8_t us[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t host[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct sent {
	struct scan_action action;
	int64_t at_ns;
};

static struct sent sent[ACTIONS_MAX];
static unsigned n_sent;

static struct scan_range dacs(uint16_t first, uint16_t last)
{
	return (struct scan_range){.models = {true, false}, .first = first, .last = last};
}

static void begin(struct scan *scan, const struct scan_range *range)
{
	assert_int_equal(scan_init(scan, us, range, LISTEN_NS, START_NS), 0);
	n_sent = 0;
}

static void box_says(struct scan *scan, enum ethlink_model model, uint16_t serial, const uint8_t *to)
{
	uint8_t frame[ETHLINK_FRAME_LEN], mac[6], app[ETHLINK_APP_LEN] = {0}, audio[ETHLINK_AUDIO_LEN] = {0};
	int n;

	memcpy(app, ethlink_model_magic(model), ETHLINK_MAGIC_LEN);
	ethlink_mac(model, serial, mac);
	n = ethlink_encode_reply(frame, sizeof(frame), to, mac, app, model == ETHLINK_ADC8 ? audio : NULL);
	assert_true(n > 0);
	scan_frame(scan, frame, (size_t)n, false);
}

static void host_sends(struct scan *scan, uint16_t serial, const uint8_t *from, unsigned n, bool outgoing)
{
	uint8_t frame[ETHLINK_FRAME_LEN];

	scan_encode_probe(frame, ETHLINK_DAC8, serial, from);
	while (n-- > 0) {
		scan_frame(scan, frame, sizeof(frame), outgoing);
	}
}

static void host_claims(struct scan *scan, uint16_t serial, enum claim_kind kind)
{
	struct claim claim = {.kind = kind};
	uint8_t frame[CLAIM_FRAME_LEN];

	memcpy(claim.src, host, sizeof(host));
	ethlink_mac(ETHLINK_DAC8, serial, claim.box);
	claim_encode(frame, &claim);
	scan_frame(scan, frame, sizeof(frame), false);
}

/* Lets time pass until it is done or until_ns; a box in answers (by serial) answers 10 ms after its probe. */
static int64_t go(struct scan *scan, int64_t until_ns, const bool *answers)
{
	int64_t now = START_NS;

	while (now < until_ns && !scan_done(scan, now)) {
		struct scan_action action;

		if (scan_next(scan, now, &action)) {
			assert_true(n_sent < ACTIONS_MAX);
			sent[n_sent++] = (struct sent){.action = action, .at_ns = now};
			if (action.kind == SCAN_PROBE && answers && answers[action.serial]) {
				box_says(scan, action.model, action.serial, us);
			}
		}
		assert_true(scan_due_ns(scan, now) > now);
		/* More often than it asks for: what is too early must be refused. */
		now = MIN(scan_due_ns(scan, now), now + 300 * NSEC_PER_USEC);
	}
	return now;
}

static unsigned count(enum scan_action_kind kind, uint16_t serial)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_sent; i++) {
		n += sent[i].action.kind == kind && sent[i].action.serial == serial;
	}
	return n;
}

static const struct scan_box *box(const struct scan *scan, enum ethlink_model model, uint16_t serial)
{
	for (unsigned i = 0; i < scan->n_boxes; i++) {
		if (scan->boxes[i].model == model && scan->boxes[i].serial == serial) {
			return &scan->boxes[i];
		}
	}
	fail_msg("box %u is not there", serial);
	return NULL;
}

static enum scan_state state_of(const struct scan *scan, uint16_t serial)
{
	return scan_box_state(box(scan, ETHLINK_DAC8, serial));
}

static void test_passive(void **state)
{
	struct scan scan;

	begin(&scan, NULL);
	assert_int_equal(go(&scan, INT64_MAX, NULL), START_NS + LISTEN_NS);
	assert_int_equal(n_sent, 0);
	assert_int_equal(scan.n_boxes, 0);
	scan_fini(&scan);
}

static void test_whose(void **state)
{
	struct scan scan;

	begin(&scan, NULL);
	box_says(&scan, ETHLINK_DAC8, 1, everybody);
	box_says(&scan, ETHLINK_DAC8, 2, host);
	box_says(&scan, ETHLINK_ADC8, 2, us);
	host_sends(&scan, 3, host, 9, false);
	host_sends(&scan, 4, host, 10, false);
	host_sends(&scan, 5, us, 1, true);
	host_claims(&scan, 6, CLAIM_HOLD);
	host_claims(&scan, 7, CLAIM_HOLD);
	host_claims(&scan, 7, CLAIM_FREE);
	scan_add_configured(&scan, ETHLINK_DAC8, 8, "stage", "online", "eth0", true);
	host_claims(&scan, 9, CLAIM_ASK);
	assert_int_equal(state_of(&scan, 1), SCAN_SEEN);
	assert_int_equal(state_of(&scan, 2), SCAN_PLAYED);
	assert_memory_equal(box(&scan, ETHLINK_DAC8, 2)->host, host, 6);
	assert_int_equal(scan_box_state(box(&scan, ETHLINK_ADC8, 2)), SCAN_LOCAL);
	assert_int_equal(state_of(&scan, 3), SCAN_SOUGHT);
	assert_int_equal(state_of(&scan, 4), SCAN_PLAYED);
	assert_int_equal(state_of(&scan, 5), SCAN_LOCAL);
	assert_int_equal(state_of(&scan, 6), SCAN_PLAYED);
	assert_false(scan_box_shown(box(&scan, ETHLINK_DAC8, 7)));
	assert_int_equal(state_of(&scan, 8), SCAN_CONFIGURED);
	assert_int_equal(scan.n_boxes, 9);
	scan_fini(&scan);
}

/* Every length, any bytes: a sender is heard, and nothing is believed of it. Run with sanitizers. */
static void test_garbage(void **state)
{
	struct scan scan;

	begin(&scan, NULL);
	srand(1);
	for (size_t len = 0; len <= ETHLINK_FRAME_LEN + 1; len++) {
		uint8_t *frame = malloc(len + 1);

		for (size_t i = 0; i < len; i++) {
			frame[i] = (uint8_t)rand();
		}
		if (len >= 12) {
			ethlink_mac(ETHLINK_DAC8, 1, frame + 6);
		}
		scan_frame(&scan, frame, len, false);
		free(frame);
	}
	assert_int_equal(scan.n_boxes, 1);
	assert_int_equal(state_of(&scan, 1), SCAN_SEEN);
	for (unsigned serial = 0; serial < 1000; serial++) {
		box_says(&scan, ETHLINK_DAC8, (uint16_t)serial, everybody);
	}
	assert_int_equal(scan.n_boxes, SCAN_BOXES_MAX);
	assert_true(scan.overflow);
	scan_fini(&scan);
}

static void test_probe(void **state)
{
	struct scan_range range = {.models = {true, true}, .first = 0, .last = 63};
	bool answers[64] = {[5] = true};
	struct scan scan;
	int64_t end;

	begin(&scan, &range);
	end = go(&scan, INT64_MAX, answers);
	assert_true(sent[0].at_ns - START_NS >= SCAN_QUIET_NS);
	for (unsigned i = 1; i < n_sent; i++) {
		assert_true(sent[i].at_ns - sent[i - 1].at_ns >= SCAN_SPACING_NS);
		for (unsigned k = 0; k < i; k++) {
			if (sent[k].action.serial == sent[i].action.serial &&
				sent[k].action.model == sent[i].action.model) {
				bool asked = sent[k].action.kind == SCAN_ASK;

				assert_true(sent[i].at_ns - sent[k].at_ns >=
					    (asked ? SCAN_ANSWER_NS : NSEC_PER_SEC));
			}
		}
	}
	/* Of both models: asked, and probed once or twice. */
	for (uint16_t serial = 0; serial < 64; serial++) {
		assert_int_equal(count(SCAN_ASK, serial), 2);
		assert_int_equal(count(SCAN_PROBE, serial), serial == 5 ? 2 : 4);
	}
	assert_int_equal(state_of(&scan, 5), SCAN_FREE);
	assert_int_equal(scan.n_boxes, 2);
	assert_true(end - sent[n_sent - 1].at_ns >= NSEC_PER_SEC);
	assert_true(end - START_NS < 6 * NSEC_PER_SEC);
	scan_fini(&scan);
}

/* Whatever tells of somebody who has a box, and whenever it does, keeps us from it. */
static void test_never_disturbs(void **state)
{
	struct scan_range range = dacs(0, 9);
	struct scan scan;

	begin(&scan, &range);
	host_sends(&scan, 0, host, 1, false);
	box_says(&scan, ETHLINK_DAC8, 1, host);
	host_claims(&scan, 2, CLAIM_HOLD);
	scan_add_configured(&scan, ETHLINK_DAC8, 3, "stage", "online", "eth0", true);
	scan_add_configured(&scan, ETHLINK_DAC8, 4, "next", "searching", "eth0", true);
	scan_add_configured(&scan, ETHLINK_DAC8, 5, "far", "online", "eth1", false);
	scan_add_configured(&scan, ETHLINK_DAC8, 6, "lost", "searching", "eth1", false);
	scan_add_local(&scan, ETHLINK_DAC8, 7);
	host_sends(&scan, 8, us, 1, true);
	(void)go(&scan, INT64_MAX, NULL);
	for (uint16_t serial = 0; serial < 10; serial++) {
		assert_int_equal(count(SCAN_PROBE, serial), serial == 6 || serial == 9 ? 2 : 0);
	}
	assert_int_equal(scan.skipped, 8);
	scan_fini(&scan);
}

/* "hold" in answer to our question; and a stream that begins between the two probes. */
static void test_late_signs(void **state)
{
	struct scan_range range = dacs(0, 1);
	struct scan scan;
	struct scan_action action;
	int64_t now = START_NS + SCAN_QUIET_NS;

	begin(&scan, &range);
	assert_true(scan_next(&scan, now, &action));
	assert_int_equal(action.kind, SCAN_ASK);
	host_claims(&scan, 0, CLAIM_HOLD);
	while (!scan_next(&scan, now, &action) || action.kind == SCAN_ASK) {
		now = scan_due_ns(&scan, now);
	}
	assert_int_equal(action.serial, 1);
	host_sends(&scan, 1, host, 20, false);
	while (!scan_done(&scan, now)) {
		assert_false(scan_next(&scan, now, &action));
		now = scan_due_ns(&scan, now);
	}
	assert_int_equal(state_of(&scan, 0), SCAN_PLAYED);
	assert_int_equal(state_of(&scan, 1), SCAN_PLAYED);
	scan_fini(&scan);
}

static void test_probe_frame(void **state)
{
	uint8_t frame[ETHLINK_FRAME_LEN];
	struct ethlink_frame f;

	for (unsigned m = 0; m < 2; m++) {
		enum ethlink_model model = (enum ethlink_model)m;
		size_t len = scan_encode_probe(frame, model, 0x1234, us);

		assert_int_equal(len, model == ETHLINK_DAC8 ? 320 : 64);
		assert_int_equal(ethlink_decode(frame, len, &f), 0);
		assert_int_equal(f.model, model);
		assert_int_equal(ethlink_settings_check(model, &f.settings), 0);
		assert_int_equal(ethlink_rate_hz(f.settings.rate_code), 48000);
		assert_int_equal(f.settings.depth, model == ETHLINK_DAC8 ? 64 : 0);
		for (unsigned k = 0; k < 8; k++) {
			assert_int_equal(f.settings.gain[k], ETHLINK_GAIN_MUTE);
		}
		assert_int_equal(f.settings.phantom[0] | f.settings.phantom[1], 0);
		for (size_t i = ETHLINK_OFF_AUDIO; i < len; i++) {
			assert_int_equal(frame[i], 0);
		}
	}
}

/* The whole range at the limit of memory and time: 131072 targets, no faster than allowed. */
static void test_whole_range(void **state)
{
	struct scan_range range = {.models = {true, true}, .first = 0, .last = UINT16_MAX};
	struct scan scan;
	struct scan_action action;
	int64_t now = START_NS;
	unsigned n = 0;

	begin(&scan, &range);
	while (!scan_done(&scan, now)) {
		n += scan_next(&scan, now, &action);
		now = scan_due_ns(&scan, now);
	}
	assert_int_equal(n, 3 * 131072);
	assert_true(now - START_NS >= (int64_t)n * SCAN_SPACING_NS);
	scan_fini(&scan);
}

static char *print(struct scan *scan, bool json)
{
	struct scan_summary summary = {.interface = "eth0", .probed = true, .seconds = 3};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	scan_sort(scan);
	if (json) {
		scan_print_json(scan, &summary, f);
	} else {
		scan_print_text(scan, &summary, f);
	}
	assert_int_equal(fclose(f), 0);
	return text;
}

static void test_print(void **state)
{
	static const char text[] =
		"MODEL SERIAL MAC                INTERFACE        STATE\n"
		"dac8       1 00:e8:da:c0:00:01  eth0             dac0 of ethlinkd here, online\n"
		"dac8       2 00:e8:da:c0:00:02  eth0             played by 02:00:00:00:00:02\n"
		"adc8    4660 00:e8:ad:c0:12:34  eth0             heard, gives no answer\n"
		"\nFor the configuration:\n"
		"\n[device dac1]\nmodel = dac8\nserial = 2\ninterface = eth0\n"
		"\n[device adc0]\nmodel = adc8\nserial = 4660\ninterface = eth0\n";
	static const char json[] =
		"{ \"interface\": \"eth0\", \"probed\": true, \"interrupted\": false, \"complete\": true, "
		"\"seconds\": 3.0,\n  \"boxes\": [\n"
		"    { \"model\": \"dac8\", \"serial\": 1, \"mac\": \"00:e8:da:c0:00:01\", \"interface\": "
		"\"eth0\", "
		"\"state\": \"configured\", \"name\": \"dac0\", \"daemon_state\": \"online\", \"host\": "
		"null, "
		"\"frames\": 0 },\n"
		"    { \"model\": \"dac8\", \"serial\": 2, \"mac\": \"00:e8:da:c0:00:02\", \"interface\": "
		"\"eth0\", "
		"\"state\": \"played\", \"name\": null, \"daemon_state\": null, \"host\": "
		"\"02:00:00:00:00:02\", "
		"\"frames\": 1 },\n"
		"    { \"model\": \"adc8\", \"serial\": 4660, \"mac\": \"00:e8:ad:c0:12:34\", \"interface\": "
		"\"eth0\", "
		"\"state\": \"seen\", \"name\": null, \"daemon_state\": null, \"host\": null, "
		"\"frames\": 1 } ] }\n";
	struct scan scan;
	char *got;

	begin(&scan, NULL);
	box_says(&scan, ETHLINK_ADC8, 0x1234, everybody);
	box_says(&scan, ETHLINK_DAC8, 2, host);
	scan_add_configured(&scan, ETHLINK_DAC8, 1, "dac0", "online", "eth0", true);
	/* Only in the configuration, of another network: not a word. */
	scan_add_configured(&scan, ETHLINK_DAC8, 9, "far", "searching", "eth1", false);
	got = print(&scan, false);
	assert_string_equal(got, text);
	free(got);
	got = print(&scan, true);
	assert_string_equal(got, json);
	free(got);
	scan_fini(&scan);
	begin(&scan, NULL);
	got = print(&scan, false);
	assert_non_null(strstr(got, "No box was heard on eth0 in 3 s.\nCheck that it has power"));
	free(got);
	scan_fini(&scan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passive),
		cmocka_unit_test(test_whose),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_never_disturbs),
		cmocka_unit_test(test_late_signs),
		cmocka_unit_test(test_probe_frame),
		cmocka_unit_test(test_whole_range),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
