#include "emu/box.h"
#include "emu/box-internal.h"
#include "emu/dhcp.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_LEN_MIN 60 /* shorter ones are padded on the wire */
#define LINK_SIZE_MIN 64u
#define DHCP_FIRST_NS (100 * NSEC_PER_MSEC)
#define DHCP_BACKOFF_MAX_S 60u
/* Offsets within the 50 application bytes. */
#define APP_RATE (ETHLINK_OFF_RATE - ETHLINK_OFF_MAGIC)
#define APP_DEPTH (ETHLINK_OFF_DEPTH - ETHLINK_OFF_MAGIC)
#define APP_GAIN (ETHLINK_OFF_GAIN - ETHLINK_OFF_MAGIC)

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* 0 <= r < 1 */
static double random_unit(struct box *b)
{
	b->rng = mix(b->rng);
	return (double)(b->rng >> 11) * 0x1p-53;
}

static void set_led(struct box *b, enum box_led led)
{
	if (b->led != led) {
		b->led = led;
		b->changes |= BOX_CHANGED_LED;
	}
}

/* Everything that power-up sets and losing power loses. */
static void reset(struct box *b)
{
	b->crashed = false;
	b->link_count = 0;
	b->link_free_ns = b->now_ns;
	b->room_count = 0;
	b->stage = BOX_IDLE;
	b->busy = false;
	b->has_host = false;
	b->heard = false;
	memset(b->buffer, 0, sizeof(b->buffer));
	memset(b->header, 0xfa, sizeof(b->header));
	memset(b->gain, ETHLINK_GAIN_MUTE, sizeof(b->gain));
	b->rate_hz = 0;
	box_queue_make(b, 0);
	box_output_stop(b);
	box_mark(b);
	b->led_ns = INT64_MAX;
	b->reply_ns = INT64_MAX;
	b->dhcp_ns = INT64_MAX;
	b->dhcp_tries = 0;
	set_led(b, b->on ? BOX_LED_RED : BOX_LED_OFF);
	if (b->on) {
		b->reply_ns = b->now_ns + b->reply_step_ns;
		b->dhcp_ns = b->now_ns + DHCP_FIRST_NS + (int64_t)(mix(b->cfg.serial) % 50) * NSEC_PER_MSEC;
	}
}

double box_default_rc_ppm(uint64_t seed, uint16_t serial)
{
	return (double)(mix(mix(seed) ^ serial) % 20001) - 10000.0;
}

int box_new(
	const struct box_config *config, const struct box_hooks *hooks, int64_t t_ns, struct box **ret_box)
{
	struct box *b;

	if (!(fabs(config->ppm) <= 100000) || !(fabs(config->rc_ppm) <= 500000) ||
		!(config->loss >= 0 && config->loss <= 1) || config->jitter_ns < 0) {
		return -EINVAL;
	}
	b = calloc(1, sizeof(*b));
	if (!b) {
		return -ENOMEM;
	}
	b->link = calloc(LINK_SIZE_MIN, sizeof(*b->link));
	if (!b->link) {
		free(b);
		return -ENOMEM;
	}
	b->link_size = LINK_SIZE_MIN;
	b->cfg = *config;
	if (hooks) {
		b->hooks = *hooks;
	}
	ethlink_mac(ETHLINK_DAC8, config->serial, b->mac);
	b->rng = mix(config->seed ^ mix(config->serial));
	b->reply_step_ns = llrint((double)NSEC_PER_SEC * (1.0 + config->rc_ppm * 1e-6));
	b->now_ns = t_ns;
	b->on = true;
	pattern_check_init(&b->pattern);
	reset(b);
	*ret_box = b;
	return 0;
}

void box_free(struct box *b)
{
	if (b) {
		free(b->link);
		free(b);
	}
}

static void crash(struct box *b)
{
	b->crashed = true;
	b->counts.crashes++;
	b->changes |= BOX_CHANGED_CRASH;
	b->link_count = 0;
	b->room_count = 0;
	b->busy = false;
	b->stage = BOX_IDLE;
	box_queue_make(b, 0);
	box_output_stop(b);
	b->reply_ns = INT64_MAX;
	b->dhcp_ns = INT64_MAX;
	b->led_ns = INT64_MAX;
	set_led(b, BOX_LED_RED);
}

static void wait_for_i2c(struct box *b, int64_t duration_ns, enum box_stage then)
{
	b->busy = true;
	b->busy_ns = b->now_ns + duration_ns;
	b->stage = then;
}

/* A frame is taken up: who sent it, and is it one of ours? */
static void begin_frame(struct box *b)
{
	const struct box_slot *f = &b->current;

	if (!f->valid) {
		return;
	}
	b->taken++;
	b->heard = true;
	b->last_valid_ns = b->now_ns;
	if (b->led_ns == INT64_MAX) {
		b->led_ns = b->now_ns + BOX_LED_NS;
	}
	set_led(b, BOX_LED_GREEN);
	b->settings_differ = false;
	b->differs = false;
	if (!b->has_host || memcmp(b->host, f->src, ETHLINK_MAC_LEN) != 0) {
		b->has_host = true;
		memcpy(b->host, f->src, ETHLINK_MAC_LEN);
		b->counts.host_changes++;
		b->changes |= BOX_CHANGED_HOST;
		b->differs = true;
	}
	for (unsigned c = 0; c < ETHLINK_CHANNELS; c++) {
		if (f->app[APP_GAIN + c] > ETHLINK_GAIN_BYTE_MAX &&
			f->app[APP_GAIN + c] != ETHLINK_GAIN_MUTE) {
			b->counts.bad_gain++;
			break;
		}
	}
	b->stage = BOX_RATE;
}

static void stage_rate(struct box *b)
{
	uint8_t code = b->current.app[APP_RATE];

	if (code == b->header[APP_RATE]) {
		b->stage = BOX_DEPTH;
		return;
	}
	b->settings_differ = true;
	b->counts.rate_changes++;
	if (ethlink_rate_hz(code)) {
		b->rate_hz = ethlink_rate_hz(code);
	} else {
		b->counts.bad_rate++;
	}
	box_output_stop(b);
	box_queue_make(b, b->depth);
	wait_for_i2c(b, BOX_CLOCK_NS + BOX_RESTART_NS, BOX_RATE_DONE);
}

static void stage_depth(struct box *b)
{
	uint8_t depth = b->current.app[APP_DEPTH];

	if (depth == b->header[APP_DEPTH]) {
		b->stage = BOX_GAIN;
		b->gain_channel = 0;
		return;
	}
	b->settings_differ = true;
	b->counts.depth_changes++;
	if (depth < ETHLINK_DEPTH_MIN || depth > ETHLINK_DEPTH_MAX) {
		crash(b);
		return;
	}
	box_output_stop(b);
	box_queue_make(b, depth);
	wait_for_i2c(b, BOX_CLOCK_NS + BOX_RESTART_NS, BOX_DEPTH_DONE);
}

static void stage_gain(struct box *b)
{
	for (; b->gain_channel < ETHLINK_CHANNELS; b->gain_channel++) {
		unsigned at = APP_GAIN + b->gain_channel;

		if (b->current.app[at] != b->header[at]) {
			b->settings_differ = true;
			wait_for_i2c(b, BOX_GAIN_NS, BOX_GAIN_DONE);
			return;
		}
	}
	b->stage = BOX_COPY;
}

static void stage_gain_done(struct box *b)
{
	struct box_gain_change change = {
		.channel = b->gain_channel,
		.gain = b->current.app[APP_GAIN + b->gain_channel],
		.frame = b->taken,
	};

	b->gain[change.channel] = change.gain;
	b->counts.gain_changes++;
	if (b->hooks.gain) {
		b->hooks.gain(b->hooks.user, b->now_ns, &change);
	}
	b->gain_channel++;
	b->stage = BOX_GAIN;
}

static void stage_copy(struct box *b)
{
	if (b->settings_differ) {
		b->counts.settings_changes++;
		b->changes |= BOX_CHANGED_SETTINGS;
		b->differs = true;
	}
	if (b->differs) {
		memcpy(b->header, b->current.app, ETHLINK_APP_LEN);
	}
	memcpy(b->buffer, b->current.audio, b->current.audio_len);
	b->stage = BOX_PUT;
}

static bool take_next(struct box *b)
{
	if (b->room_count == 0) {
		return false;
	}
	b->current = b->room[b->room_head];
	b->room_head = (b->room_head + 1) % BOX_WAIT_PLACES;
	b->room_count--;
	begin_frame(b);
	return true;
}

/* Goes on until the task has to wait: for a frame, for I2C, or for space in the queue. */
static void run_task(struct box *b)
{
	while (!b->busy && !b->crashed) {
		switch (b->stage) {
		case BOX_IDLE:
			if (!take_next(b)) {
				return;
			}
			break;
		case BOX_RATE:
			stage_rate(b);
			break;
		case BOX_RATE_DONE:
			box_output_start(b);
			b->stage = BOX_DEPTH;
			break;
		case BOX_DEPTH:
			stage_depth(b);
			break;
		case BOX_DEPTH_DONE:
			box_output_start(b);
			b->stage = BOX_GAIN;
			b->gain_channel = 0;
			break;
		case BOX_GAIN:
			stage_gain(b);
			break;
		case BOX_GAIN_DONE:
			stage_gain_done(b);
			break;
		case BOX_COPY:
			stage_copy(b);
			break;
		case BOX_PUT:
			if (b->depth == 0) {
				crash(b);
				return;
			}
			if (b->queue_count == b->depth) {
				return;
			}
			box_queue_put(b, b->buffer);
			b->stage = BOX_IDLE;
			break;
		}
	}
}

/* The oldest frame on the link has come through. */
static void arrive(struct box *b)
{
	const struct box_slot *f = &b->link[b->link_head];

	b->link_head = (b->link_head + 1) % b->link_size;
	b->link_count--;
	if (b->room_count == BOX_WAIT_PLACES) {
		b->counts.frames_lost++;
		return;
	}
	if (f->valid) {
		b->counts.frames_received++;
	}
	if (b->stage == BOX_IDLE && b->room_count == 0) {
		b->current = *f;
		begin_frame(b);
		run_task(b);
		return;
	}
	b->room[(b->room_head + b->room_count) % BOX_WAIT_PLACES] = *f;
	b->room_count++;
}

static void send_reply(struct box *b)
{
	uint8_t frame[ETHLINK_HEADER_LEN];

	b->reply_ns += b->reply_step_ns;
	if (!b->heard || !b->has_host) {
		return;
	}
	b->heard = false;
	b->counts.replies++;
	if (b->hooks.send &&
		ethlink_encode_reply(frame, sizeof(frame), b->host, b->mac, b->header, NULL) > 0) {
		b->hooks.send(b->hooks.user, b->now_ns, frame, sizeof(frame));
	}
}

static void send_discover(struct box *b)
{
	uint8_t frame[DHCP_DISCOVER_LEN];
	uint32_t xid = (uint32_t)mix(b->cfg.serial + (b->counts.power_cycles << 16));
	unsigned pause_s = b->dhcp_tries < 6 ? 2u << b->dhcp_tries : DHCP_BACKOFF_MAX_S;

	b->dhcp_ns = b->now_ns + (int64_t)MIN(pause_s, DHCP_BACKOFF_MAX_S) * NSEC_PER_SEC;
	b->dhcp_tries++;
	if (b->has_host) {
		return;
	}
	b->counts.discovers++;
	if (b->hooks.send) {
		dhcp_discover(frame, b->mac, xid, (uint16_t)((1u << MIN(b->dhcp_tries, 10u)) - 2));
		b->hooks.send(b->hooks.user, b->now_ns, frame, sizeof(frame));
	}
}

static void check_led(struct box *b)
{
	int64_t due_ns = b->last_valid_ns + BOX_LED_NS;

	if (due_ns > b->now_ns) {
		b->led_ns = due_ns;
		return;
	}
	b->led_ns = INT64_MAX;
	set_led(b, BOX_LED_RED);
}

int64_t box_next_ns(const struct box *b)
{
	return MIN(MIN(b->reply_ns, b->dhcp_ns), b->led_ns);
}

void box_advance(struct box *b, int64_t t_ns)
{
	for (;;) {
		int64_t turn_ns = b->out.running ? b->out.next_ns : INT64_MAX;
		int64_t task_ns = b->busy ? b->busy_ns : INT64_MAX;
		int64_t link_ns = b->link_count ? b->link[b->link_head].arrive_ns : INT64_MAX;
		int64_t timer_ns = box_next_ns(b);
		int64_t next_ns = MIN(MIN(turn_ns, task_ns), MIN(link_ns, timer_ns));

		if (next_ns > t_ns) {
			break;
		}
		b->now_ns = MAX(b->now_ns, next_ns);
		if (next_ns == turn_ns) {
			box_output_turn(b);
			if (b->stage == BOX_PUT) {
				run_task(b);
			}
		} else if (next_ns == task_ns) {
			b->busy = false;
			run_task(b);
		} else if (next_ns == link_ns) {
			arrive(b);
		} else if (next_ns == b->reply_ns) {
			send_reply(b);
		} else if (next_ns == b->dhcp_ns) {
			send_discover(b);
		} else {
			check_led(b);
		}
	}
	b->now_ns = MAX(b->now_ns, t_ns);
}

static int grow_link(struct box *b)
{
	struct box_slot *link;

	if (b->link_size >= BOX_SWITCH_FRAMES) {
		return -ENOBUFS;
	}
	link = calloc((size_t)b->link_size * 2, sizeof(*link));
	if (!link) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < b->link_count; i++) {
		link[i] = b->link[(b->link_head + i) % b->link_size];
	}
	free(b->link);
	b->link = link;
	b->link_size *= 2;
	b->link_head = 0;
	return 0;
}

static void fill_slot(struct box_slot *s, const uint8_t *frame, size_t len)
{
	s->valid =
		memcmp(frame + ETHLINK_OFF_MAGIC, ethlink_model_magic(ETHLINK_DAC8), ETHLINK_MAGIC_LEN) == 0;
	s->audio_len = (uint16_t)(MIN(len, (size_t)ETHLINK_FRAME_LEN) - ETHLINK_HEADER_LEN);
	memcpy(s->src, frame + ETHLINK_OFF_SRC, ETHLINK_MAC_LEN);
	memcpy(s->app, frame + ETHLINK_OFF_MAGIC, ETHLINK_APP_LEN);
	memcpy(s->audio, frame + ETHLINK_OFF_AUDIO, s->audio_len);
}

/* Onto the end of what waits before the link: jitter delays frames, but none overtakes another. */
static void switch_frame(struct box *b, int64_t t_ns, const uint8_t *frame, size_t len)
{
	int64_t wire_bytes = (int64_t)MAX(len, (size_t)FRAME_LEN_MIN) + BOX_LINK_OVERHEAD;
	struct box_slot *s;

	if (b->link_count == b->link_size && grow_link(b) < 0) {
		b->counts.frames_lost_switch++;
		return;
	}
	b->link_free_ns = MAX(t_ns, b->link_free_ns) + wire_bytes * BOX_LINK_NS_PER_BYTE;
	s = &b->link[(b->link_head + b->link_count) % b->link_size];
	fill_slot(s, frame, len);
	s->arrive_ns = b->link_free_ns;
	b->link_count++;
	b->counts.max_burst = MAX(b->counts.max_burst, b->link_count);
	if (!s->valid) {
		b->counts.frames_bad++;
	}
}

static bool is_for(const struct box *b, const uint8_t *frame, size_t len)
{
	static const uint8_t broadcast[ETHLINK_MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	return len >= ETHLINK_HEADER_LEN &&
	       (memcmp(frame, b->mac, ETHLINK_MAC_LEN) == 0 ||
		       memcmp(frame, broadcast, ETHLINK_MAC_LEN) == 0) &&
	       (frame[ETHLINK_OFF_TYPE] << 8 | frame[ETHLINK_OFF_TYPE + 1]) == ETHLINK_ETHERTYPE;
}

void box_frame(struct box *b, int64_t t_ns, const uint8_t *frame, size_t len)
{
	if (t_ns < b->now_ns) {
		b->counts.frames_late++;
		b->counts.late_max_ns = MAX(b->counts.late_max_ns, b->now_ns - t_ns);
	}
	box_advance(b, t_ns);
	if (!b->on || b->crashed) {
		b->counts.frames_ignored++;
		return;
	}
	if (!is_for(b, frame, len)) {
		b->counts.frames_bad++;
		return;
	}
	if (b->cfg.loss > 0 && random_unit(b) < b->cfg.loss) {
		b->counts.frames_lost_wire++;
		return;
	}
	t_ns = b->now_ns;
	if (b->cfg.jitter_ns > 0) {
		t_ns += (int64_t)(random_unit(b) * (double)b->cfg.jitter_ns);
	}
	switch_frame(b, t_ns, frame, len);
}

void box_power(struct box *b, int64_t t_ns, bool on)
{
	box_advance(b, t_ns);
	if (b->on == on) {
		return;
	}
	b->on = on;
	b->changes |= BOX_CHANGED_POWER;
	if (on) {
		b->counts.power_cycles++;
	}
	reset(b);
}

bool box_is_on(const struct box *b)
{
	return b->on;
}

int box_preset(struct box *b, int64_t t_ns, const struct ethlink_settings *settings,
	const uint8_t host[ETHLINK_MAC_LEN])
{
	if (ethlink_settings_check(ETHLINK_DAC8, settings) < 0) {
		return -EINVAL;
	}
	box_advance(b, t_ns);
	if (!b->on || b->crashed) {
		return -EHOSTDOWN;
	}
	b->room_count = 0;
	b->link_count = 0;
	b->busy = false;
	b->stage = BOX_IDLE;
	memset(b->header, 0, sizeof(b->header));
	memcpy(b->header, ethlink_model_magic(ETHLINK_DAC8), ETHLINK_MAGIC_LEN);
	b->header[APP_RATE] = settings->rate_code;
	b->header[APP_DEPTH] = settings->depth;
	memcpy(b->header + APP_GAIN, settings->gain, ETHLINK_CHANNELS);
	memcpy(b->gain, settings->gain, ETHLINK_CHANNELS);
	b->rate_hz = ethlink_rate_hz(settings->rate_code);
	b->has_host = true;
	memcpy(b->host, host, ETHLINK_MAC_LEN);
	box_output_stop(b);
	box_queue_make(b, settings->depth);
	box_output_start(b);
	b->changes |= BOX_CHANGED_SETTINGS | BOX_CHANGED_HOST;
	return 0;
}

unsigned box_take_changes(struct box *b)
{
	unsigned changes = b->changes;

	b->changes = 0;
	return changes;
}

void box_get_status(const struct box *b, struct box_status *ret_status)
{
	memset(ret_status, 0, sizeof(*ret_status));
	ret_status->serial = b->cfg.serial;
	memcpy(ret_status->mac, b->mac, sizeof(b->mac));
	ret_status->has_host = b->has_host;
	memcpy(ret_status->host, b->host, sizeof(b->host));
	ret_status->led = b->led;
	ret_status->crashed = b->crashed;
	ret_status->rate_hz = b->rate_hz;
	ret_status->depth = b->depth;
	ret_status->queue = b->queue_count;
	ret_status->waiting = b->room_count;
	ret_status->queue_min = b->queue_min;
	ret_status->queue_max = b->queue_max;
	memcpy(ret_status->gain, b->gain, sizeof(b->gain));
	ret_status->counts = b->counts;
	ret_status->pattern = b->pattern;
}
