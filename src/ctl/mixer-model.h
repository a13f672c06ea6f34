/*
 * What the mixer knows: the boxes and NetVST sections and their levels, where the cursor is, what the user wants that the daemon has not
 * confirmed yet, and what a key does to all of that. No terminal and no connection in here.
 *
 * A value that the user changes is shown at once. Of each value one call at most is under way; what was wanted meanwhile
 * is sent when that one is answered, and only the newest of it: a key that is held down does not queue up.
 *
 * Ownership: the caller embeds the struct, zeroed, and ends it with mixer_model_fini(). One thread.
 */
#ifndef CTL_MIXER_MODEL_H
#define CTL_MIXER_MODEL_H

#include "ctl/client-device.h"
#include "ctl/client-netvst.h"

#include <stdbool.h>
#include <stdint.h>

#define MIXER_TEXT_MAX 80
#define MIXER_NOTICE_MAX 512
#define MIXER_STEP_DB 1
#define MIXER_PAGE_DB 6
/* A call that nothing came of in this time is forgotten, and what the daemon says is shown again. */
#define MIXER_PATIENCE_MS 1000

struct mixer_value {
	int known; /* what the daemon says */
	int want;
	int sent;
	bool open;	/* want counts, not known */
	bool under_way; /* sent has not been answered yet */
	int64_t sent_ns;
};

struct mixer_channel {
	char label[MIXER_TEXT_MAX]; /* as it came; empty: none */
	struct mixer_value gain_db;
	struct mixer_value mute;
	double peak_dbfs;
	double hold_dbfs;
	uint64_t clips;
	uint64_t clips_seen; /* when the marks were taken away */
};

/* A box, or a NetVST section: it has two channels, send and return (of a server: reply and receive). */
struct mixer_box {
	bool netvst;
	char name[MIXER_TEXT_MAX];
	char model[MIXER_TEXT_MAX];	/* of a section: its role */
	char interface[MIXER_TEXT_MAX]; /* of a section: to whom, or where it listens */
	char state[MIXER_TEXT_MAX];
	char error[MIXER_NOTICE_MAX]; /* of a section: why it is not online */
	char format[MIXER_TEXT_MAX];  /* of a section: dialect, codec and block */
	unsigned serial;
	unsigned latency_frames;
	unsigned n_channels;
	unsigned step; /* of 8 places, so many from one strip to the next */
	int gain_min_db;
	int gain_max_db;
	bool phantom[CLIENT_BANKS];
	unsigned n_phantom;
	struct mixer_channel channels[CLIENT_CHANNELS];
};

struct mixer_model {
	struct mixer_box *boxes;
	unsigned n_boxes;
	unsigned box; /* where the cursor is */
	unsigned channel;
	bool joined; /* the daemon is there */
	bool help;
	bool quit;
	char notice[MIXER_NOTICE_MAX]; /* why the daemon is away, or what it refused */
	/* Of the daemon; 0 and empty: not told. */
	char version[MIXER_TEXT_MAX];
	char backend[MIXER_TEXT_MAX];
	bool connected;
	unsigned rate_hz;
	unsigned period_frames;
};

enum mixer_key {
	MIXER_KEY_NONE,
	MIXER_KEY_LEFT,
	MIXER_KEY_RIGHT,
	MIXER_KEY_UP,
	MIXER_KEY_DOWN,
	MIXER_KEY_PAGE_UP,
	MIXER_KEY_PAGE_DOWN,
	MIXER_KEY_FIRST,
	MIXER_KEY_LAST,
	MIXER_KEY_ZERO,
	MIXER_KEY_MUTE,
	MIXER_KEY_MUTE_ALL,
	MIXER_KEY_NEXT_BOX,
	MIXER_KEY_PREVIOUS_BOX,
	MIXER_KEY_CLEAR_CLIPS,
	MIXER_KEY_HELP,
	MIXER_KEY_QUIT,
	MIXER_KEY_STRIP_1, /* and those behind it, up to strip 8 */
	MIXER_KEY_STRIP_8 = MIXER_KEY_STRIP_1 + CLIENT_CHANNELS - 1,
};

/* What to ask of the daemon. */
enum mixer_call_kind {
	MIXER_CALL_GAIN,
	MIXER_CALL_MUTE,
	MIXER_CALL_MUTE_ALL,
};

struct mixer_call {
	enum mixer_call_kind kind;
	bool netvst;
	const char *device; /* or section; valid until the boxes are read again */
	unsigned channel;   /* from 1 on; 0: MIXER_CALL_MUTE_ALL */
	int value;	    /* dB, or whether it is muted */
};

void mixer_model_fini(struct mixer_model *model);

/* Takes over all boxes and then all sections as the daemon tells them now. 0 or -ENOMEM; nothing has changed then. */
int mixer_model_sync(struct mixer_model *model, const struct client_device *const *devices,
	unsigned n_devices, const struct client_netvst *const *netvst, unsigned n_netvst);
/* The meters of one box, and of one section. */
void mixer_model_peaks(struct mixer_model *model, const struct client_device *device);
void mixer_model_netvst_peaks(struct mixer_model *model, const struct client_netvst *netvst);
/* The daemon has gone: nothing is under way any more, and the meters fall. */
void mixer_model_lost(struct mixer_model *model, const char *why);
/* A call was refused: what the daemon last said counts again. */
void mixer_model_refused(struct mixer_model *model, const char *why);

void mixer_model_key(struct mixer_model *model, enum mixer_key key);
/* To a strip. False: it is not there, and nothing happens. */
bool mixer_model_select(struct mixer_model *model, unsigned box, unsigned channel);

/* The next call to make, which then counts as under way. False: there is none. */
bool mixer_model_next_call(struct mixer_model *model, int64_t now, struct mixer_call *ret_call);
/* Something is under way, and mixer_model_next_call() is to be asked again even if nothing else happens. */
bool mixer_model_is_busy(const struct mixer_model *model);

/* What to show. */
int mixer_value_shown(const struct mixer_value *value);
bool mixer_channel_clipped(const struct mixer_channel *channel);
bool mixer_box_is_live(const struct mixer_model *model, const struct mixer_box *box);

#endif
