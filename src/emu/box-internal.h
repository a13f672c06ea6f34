/*
 * What the parts of the box share: box.c (link, receive task, timers) and box-play.c (queue and output).
 */
#ifndef EMU_BOX_INTERNAL_H
#define EMU_BOX_INTERNAL_H

#include "emu/box.h"

/* A second's worth of turns at the highest rate. */
#define BOX_GAPS 12000u
/* What the output runs at where no frame ever named a rate that exists. */
#define BOX_FALLBACK_RATE_HZ 48000

/* The receive task: what it does next, now or when its I2C transfers are done. */
enum box_stage {
	BOX_IDLE,
	BOX_RATE,
	BOX_RATE_DONE,
	BOX_DEPTH,
	BOX_DEPTH_DONE,
	BOX_GAIN,
	BOX_GAIN_DONE,
	BOX_COPY,
	BOX_PUT,
};

struct box_slot {
	int64_t arrive_ns;
	uint16_t audio_len; /* what of audio came with the frame */
	bool valid;
	uint8_t src[ETHLINK_MAC_LEN];
	uint8_t app[ETHLINK_APP_LEN];
	uint8_t audio[ETHLINK_AUDIO_LEN];
};

struct box_output {
	bool running;
	bool queued;	    /* a block was queued since the start */
	bool audio;	    /* a nonzero block was played since the start */
	int64_t next_ns;    /* next turn */
	uint32_t next_frac; /* and its fraction, 2^-32 ns: at any rate and ppm no drift in days */
	int64_t step_ns;
	uint32_t step_frac;
	uint32_t rate_hz;
	uint32_t turn; /* counts on through stops */
	uint32_t last_audio_turn;
};

struct box {
	struct box_config cfg;
	struct box_hooks hooks;
	uint8_t mac[ETHLINK_MAC_LEN];
	int64_t now_ns;
	uint64_t rng;
	bool on, crashed;

	struct box_slot *link; /* before and on the link, a ring that grows */
	uint32_t link_size, link_head, link_count;
	int64_t link_free_ns;

	struct box_slot room[BOX_WAIT_PLACES];
	unsigned room_head, room_count;

	enum box_stage stage;
	bool busy; /* stage goes on at busy_ns */
	int64_t busy_ns;
	struct box_slot current;
	bool settings_differ, differs;
	unsigned gain_channel;
	uint64_t taken;			   /* valid frames */
	uint8_t buffer[ETHLINK_AUDIO_LEN]; /* what a frame without audio plays again */

	bool has_host;
	uint8_t host[ETHLINK_MAC_LEN];
	uint8_t header[ETHLINK_APP_LEN];
	uint8_t gain[ETHLINK_CHANNELS];
	uint32_t rate_hz;

	uint8_t queue[ETHLINK_DEPTH_MAX][ETHLINK_AUDIO_LEN];
	unsigned depth, queue_head, queue_count; /* depth 0: there is no queue */
	int queue_min, queue_max, queue_min_pending;
	struct box_output out;
	uint32_t gaps[BOX_GAPS]; /* turns without a block since the last nonzero one, a ring */
	uint32_t gap_head, gap_count;

	int64_t reply_ns, reply_step_ns, led_ns, dhcp_ns;
	bool heard; /* a valid frame since the last reply */
	int64_t last_valid_ns;
	enum box_led led;
	unsigned dhcp_tries;
	unsigned changes;
	struct box_counts counts;
	struct pattern_check pattern;
};

/* box-play.c */
void box_queue_make(struct box *b, unsigned depth); /* 0: none */
void box_queue_put(struct box *b, const uint8_t *audio);
void box_output_start(struct box *b);
void box_output_stop(struct box *b);
/* One turn at b->now_ns. */
void box_output_turn(struct box *b);

#endif
