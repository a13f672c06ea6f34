#include "ctl/mixer-model.h"

#include "base/util.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- one value --- */

static void value_set(struct mixer_value *value, int want)
{
	value->want = want;
	value->open = true;
}

static void value_drop(struct mixer_value *value)
{
	value->open = false;
	value->under_way = false;
}

/*
 * The daemon says what the value is. Where that answers our call and nothing was wanted since, its word is the last one,
 * even if it is not what we sent: two mixers that each insisted would never come to rest.
 */
static void value_told(struct mixer_value *value, int known)
{
	if (value->under_way && (known == value->sent || known != value->known)) {
		value->under_way = false;
		value->open = value->open && value->want != value->sent;
	}
	value->known = known;
}

/* True: send value->want. */
static bool value_due(struct mixer_value *value, int64_t now)
{
	if (value->under_way && now - value->sent_ns >= MIXER_PATIENCE_MS * NSEC_PER_MSEC) {
		value->under_way = false;
		value->open = value->open && value->want != value->sent;
	}
	if (!value->open || value->under_way) {
		return false;
	}
	if (value->want == value->known) {
		value->open = false;
		return false;
	}
	return true;
}

static void value_sent(struct mixer_value *value, int64_t now)
{
	value->sent = value->want;
	value->under_way = true;
	value->sent_ns = now;
}

int mixer_value_shown(const struct mixer_value *value)
{
	return value->open ? value->want : value->known;
}

/* --- boxes --- */

static void copy_text(char text[MIXER_TEXT_MAX], const char *s)
{
	snprintf(text, MIXER_TEXT_MAX, "%s", s ? s : "");
}

static int whole_db(double db)
{
	return isfinite(db) ? (int)lround(CLAMP(db, -999.0, 999.0)) : 0;
}

static void silence(struct mixer_channel *channel)
{
	channel->peak_dbfs = -INFINITY;
	channel->hold_dbfs = -INFINITY;
}

/* A count that is smaller than before began anew, with the daemon. */
static void take_clips(struct mixer_channel *channel, uint64_t clips)
{
	if (clips < channel->clips_seen) {
		channel->clips_seen = 0;
	}
	channel->clips = clips;
}

static void take_peaks(struct mixer_box *box, const struct client_device *device)
{
	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		struct mixer_channel *channel = &box->channels[k];

		channel->peak_dbfs = device->peak_dbfs[k];
		channel->hold_dbfs = device->hold_dbfs[k];
		take_clips(channel, device->clips[k]);
	}
}

static void take_device(struct mixer_box *box, const struct client_device *device)
{
	box->netvst = false;
	box->n_channels = CLIENT_CHANNELS;
	box->step = 1;
	copy_text(box->name, device->name);
	copy_text(box->model, device->model);
	copy_text(box->interface, device->interface);
	copy_text(box->state, device->state);
	box->serial = device->serial;
	box->latency_frames = device->latency_frames;
	box->gain_min_db = whole_db(device->gain_min_db);
	box->gain_max_db = MAX(whole_db(device->gain_max_db), box->gain_min_db);
	box->n_phantom = device->n_phantom;
	memcpy(box->phantom, device->phantom, sizeof(box->phantom));
	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		struct mixer_channel *channel = &box->channels[k];

		copy_text(channel->label, device->labels[k]);
		value_told(&channel->gain_db, whole_db(device->gain_db[k]));
		value_told(&channel->mute, device->muted[k]);
	}
}

/* The daemon does not tell their range: it is always the same. */
static void take_netvst(struct mixer_box *box, const struct client_netvst *netvst)
{
	static const char *const labels[2][CLIENT_STRIPS] = {{"send", "return"}, {"reply", "receive"}};
	bool server = netvst->role && strcmp(netvst->role, "server") == 0;
	const char *host = netvst->host ? netvst->host : "?";

	box->netvst = true;
	box->n_channels = CLIENT_STRIPS;
	box->step = CLIENT_CHANNELS / 2 / CLIENT_STRIPS;
	copy_text(box->name, netvst->name);
	copy_text(box->model, netvst->role);
	copy_text(box->state, netvst->state);
	snprintf(box->error, sizeof(box->error), "%s", netvst->error ? netvst->error : "");
	/* Who is there; or, while nobody is, who is to be. */
	if (netvst->peer && *netvst->peer &&
		(strcmp(box->state, "online") == 0 || strcmp(box->state, "measuring") == 0)) {
		copy_text(box->interface, netvst->peer);
	} else {
		snprintf(box->interface, sizeof(box->interface), "%.*s:%u", MIXER_TEXT_MAX - 8, host,
			netvst->port);
	}
	snprintf(box->format, sizeof(box->format), "dialect %.16s, %.16s%s",
		netvst->dialect ? netvst->dialect : "?", netvst->codec ? netvst->codec : "?",
		server ? "" : ", block ");
	if (!server) {
		snprintf(box->format + strlen(box->format), 16, "%u", netvst->block_frames);
	}
	box->latency_frames = netvst->latency_frames;
	box->gain_min_db = CLIENT_NETVST_GAIN_MIN_DB;
	box->gain_max_db = CLIENT_NETVST_GAIN_MAX_DB;
	box->n_phantom = 0;
	for (unsigned k = 0; k < CLIENT_STRIPS; k++) {
		copy_text(box->channels[k].label, labels[server][k]);
		value_told(&box->channels[k].gain_db, whole_db(netvst->gain_db[k]));
		value_told(&box->channels[k].mute, netvst->muted[k]);
	}
}

static struct mixer_box *find_box(struct mixer_model *model, const char *name)
{
	for (unsigned i = 0; name && i < model->n_boxes; i++) {
		if (strcmp(model->boxes[i].name, name) == 0) {
			return &model->boxes[i];
		}
	}
	return NULL;
}

/* What was known of it before, where it is of the same kind. */
static void begin_box(struct mixer_model *model, struct mixer_box *box, const char *name, bool netvst)
{
	const struct mixer_box *old = find_box(model, name);

	if (old && old->netvst == netvst) {
		*box = *old;
		return;
	}
	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		silence(&box->channels[k]);
	}
}

/* The cursor stays with its box, wherever that is now. */
static void take_boxes(struct mixer_model *model, struct mixer_box *boxes, unsigned n)
{
	const char *at = model->n_boxes > 0 ? model->boxes[model->box].name : NULL;
	unsigned box = n > 0 ? MIN(model->box, n - 1) : 0;

	for (unsigned i = 0; at && i < n; i++) {
		if (strcmp(boxes[i].name, at) == 0) {
			box = i;
		}
	}
	free(model->boxes);
	model->boxes = boxes;
	model->n_boxes = n;
	model->box = box;
	if (n > 0) {
		model->channel = MIN(model->channel, boxes[box].n_channels - 1);
	}
}

int mixer_model_sync(struct mixer_model *model, const struct client_device *const *devices,
	unsigned n_devices, const struct client_netvst *const *netvst, unsigned n_netvst)
{
	struct mixer_box *boxes = calloc(MAX(n_devices + n_netvst, 1), sizeof(*boxes));

	if (!boxes) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < n_devices; i++) {
		begin_box(model, &boxes[i], devices[i]->name, false);
		take_device(&boxes[i], devices[i]);
	}
	for (unsigned i = 0; i < n_netvst; i++) {
		begin_box(model, &boxes[n_devices + i], netvst[i]->name, true);
		take_netvst(&boxes[n_devices + i], netvst[i]);
	}
	take_boxes(model, boxes, n_devices + n_netvst);
	return 0;
}

void mixer_model_fini(struct mixer_model *model)
{
	free(model->boxes);
	*model = (struct mixer_model){0};
}

void mixer_model_peaks(struct mixer_model *model, const struct client_device *device)
{
	struct mixer_box *box = find_box(model, device->name);

	if (box && !box->netvst && device->has_peaks) {
		take_peaks(box, device);
	}
}

void mixer_model_netvst_peaks(struct mixer_model *model, const struct client_netvst *netvst)
{
	struct mixer_box *box = find_box(model, netvst->name);

	for (unsigned k = 0; box && box->netvst && netvst->has_peaks && k < CLIENT_STRIPS; k++) {
		box->channels[k].peak_dbfs = netvst->peak_dbfs[k];
		box->channels[k].hold_dbfs = netvst->hold_dbfs[k];
		take_clips(&box->channels[k], netvst->clips[k]);
	}
}

static void set_notice(struct mixer_model *model, const char *text)
{
	snprintf(model->notice, sizeof(model->notice), "%s", text);
	/* The first line has to do. */
	model->notice[strcspn(model->notice, "\n")] = '\0';
}

void mixer_model_lost(struct mixer_model *model, const char *why)
{
	model->joined = false;
	set_notice(model, why);
	for (unsigned i = 0; i < model->n_boxes; i++) {
		for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
			struct mixer_channel *channel = &model->boxes[i].channels[k];

			value_drop(&channel->gain_db);
			value_drop(&channel->mute);
			silence(channel);
		}
	}
}

/* It is not told which call that was; what else was under way succeeds, and the daemon tells that. */
void mixer_model_refused(struct mixer_model *model, const char *why)
{
	set_notice(model, why);
	for (unsigned i = 0; i < model->n_boxes; i++) {
		for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
			value_drop(&model->boxes[i].channels[k].gain_db);
			value_drop(&model->boxes[i].channels[k].mute);
		}
	}
}

/* --- keys --- */

static void move_strip(struct mixer_model *model, int step)
{
	if (step < 0 && model->channel > 0) {
		model->channel--;
	} else if (step < 0 && model->box > 0) {
		model->box--;
		model->channel = model->boxes[model->box].n_channels - 1;
	} else if (step > 0 && model->channel + 1 < model->boxes[model->box].n_channels) {
		model->channel++;
	} else if (step > 0 && model->box + 1 < model->n_boxes) {
		model->box++;
		model->channel = 0;
	}
}

/* To the same strip of another box, or to its last one. */
static void move_box(struct mixer_model *model, unsigned box)
{
	model->box = box % model->n_boxes;
	model->channel = MIN(model->channel, model->boxes[model->box].n_channels - 1);
}

static void change_gain(struct mixer_model *model, int step_db)
{
	struct mixer_box *box = &model->boxes[model->box];
	struct mixer_value *gain_db = &box->channels[model->channel].gain_db;

	value_set(gain_db, CLAMP(mixer_value_shown(gain_db) + step_db, box->gain_min_db, box->gain_max_db));
}

static void zero_gain(struct mixer_model *model)
{
	struct mixer_box *box = &model->boxes[model->box];

	value_set(&box->channels[model->channel].gain_db, CLAMP(0, box->gain_min_db, box->gain_max_db));
}

static void toggle_mute(struct mixer_model *model)
{
	struct mixer_value *mute = &model->boxes[model->box].channels[model->channel].mute;

	value_set(mute, !mixer_value_shown(mute));
}

/* Muted as a whole it is opened; otherwise what is still open is muted. */
static void toggle_all_mutes(struct mixer_model *model)
{
	struct mixer_box *box = &model->boxes[model->box];
	bool all = true;

	for (unsigned k = 0; k < box->n_channels; k++) {
		all = all && mixer_value_shown(&box->channels[k].mute);
	}
	for (unsigned k = 0; k < box->n_channels; k++) {
		value_set(&box->channels[k].mute, !all);
	}
}

static void clear_clips(struct mixer_model *model)
{
	for (unsigned i = 0; i < model->n_boxes; i++) {
		for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
			struct mixer_channel *channel = &model->boxes[i].channels[k];

			channel->clips_seen = channel->clips;
		}
	}
}

/* Those that only move the cursor or what is shown. False: it is another key. */
static bool moving_key(struct mixer_model *model, enum mixer_key key)
{
	switch (key) {
	case MIXER_KEY_LEFT:
		move_strip(model, -1);
		return true;
	case MIXER_KEY_RIGHT:
		move_strip(model, 1);
		return true;
	case MIXER_KEY_FIRST:
		model->channel = 0;
		return true;
	case MIXER_KEY_LAST:
		model->channel = model->boxes[model->box].n_channels - 1;
		return true;
	case MIXER_KEY_NEXT_BOX:
		move_box(model, model->box + 1);
		return true;
	case MIXER_KEY_PREVIOUS_BOX:
		move_box(model, model->box + model->n_boxes - 1);
		return true;
	case MIXER_KEY_CLEAR_CLIPS:
		clear_clips(model);
		return true;
	default:
		if (key >= MIXER_KEY_STRIP_1 && key <= MIXER_KEY_STRIP_8) {
			(void)mixer_model_select(model, model->box, (unsigned)(key - MIXER_KEY_STRIP_1));
			return true;
		}
		return false;
	}
}

static void changing_key(struct mixer_model *model, enum mixer_key key)
{
	switch (key) {
	case MIXER_KEY_UP:
		change_gain(model, MIXER_STEP_DB);
		break;
	case MIXER_KEY_DOWN:
		change_gain(model, -MIXER_STEP_DB);
		break;
	case MIXER_KEY_PAGE_UP:
		change_gain(model, MIXER_PAGE_DB);
		break;
	case MIXER_KEY_PAGE_DOWN:
		change_gain(model, -MIXER_PAGE_DB);
		break;
	case MIXER_KEY_ZERO:
		zero_gain(model);
		break;
	case MIXER_KEY_MUTE:
		toggle_mute(model);
		break;
	case MIXER_KEY_MUTE_ALL:
		toggle_all_mutes(model);
		break;
	default:
		break;
	}
}

void mixer_model_key(struct mixer_model *model, enum mixer_key key)
{
	if (key == MIXER_KEY_NONE) {
		return;
	}
	if (key == MIXER_KEY_QUIT && !model->help) {
		model->quit = true;
		return;
	}
	/* Any key leaves the help, and does nothing else: what it would change is not in sight. */
	if (key == MIXER_KEY_HELP || model->help) {
		model->help = !model->help;
		return;
	}
	if (model->joined) {
		model->notice[0] = '\0';
	}
	if (model->n_boxes > 0 && !moving_key(model, key) && model->joined) {
		changing_key(model, key);
	}
}

bool mixer_model_select(struct mixer_model *model, unsigned box, unsigned channel)
{
	if (box >= model->n_boxes || channel >= model->boxes[box].n_channels) {
		return false;
	}
	model->box = box;
	model->channel = channel;
	return true;
}

/* --- calls --- */

static bool next_mute_all(struct mixer_box *box, int64_t now, struct mixer_call *ret_call)
{
	int want = box->channels[0].mute.want;
	bool differs = false;

	/* Channels that are muted already do not stand in the way: the call is the same for them. */
	for (unsigned k = 0; k < box->n_channels; k++) {
		const struct mixer_value *mute = &box->channels[k].mute;

		if (!mute->open || mute->under_way || mute->want != want) {
			return false;
		}
		differs = differs || mute->known != want;
	}
	if (!differs) {
		return false;
	}
	for (unsigned k = 0; k < box->n_channels; k++) {
		value_sent(&box->channels[k].mute, now);
	}
	*ret_call = (struct mixer_call){MIXER_CALL_MUTE_ALL, box->netvst, box->name, 0, want};
	return true;
}

static bool next_of_channel(struct mixer_box *box, unsigned k, int64_t now, struct mixer_call *ret_call)
{
	struct mixer_value *gain_db = &box->channels[k].gain_db;
	struct mixer_value *mute = &box->channels[k].mute;

	if (value_due(mute, now)) {
		value_sent(mute, now);
		*ret_call = (struct mixer_call){MIXER_CALL_MUTE, box->netvst, box->name, k + 1, mute->want};
		return true;
	}
	if (value_due(gain_db, now)) {
		value_sent(gain_db, now);
		*ret_call =
			(struct mixer_call){MIXER_CALL_GAIN, box->netvst, box->name, k + 1, gain_db->want};
		return true;
	}
	return false;
}

bool mixer_model_next_call(struct mixer_model *model, int64_t now, struct mixer_call *ret_call)
{
	for (unsigned i = 0; i < model->n_boxes; i++) {
		struct mixer_box *box = &model->boxes[i];

		if (next_mute_all(box, now, ret_call)) {
			return true;
		}
		for (unsigned k = 0; k < box->n_channels; k++) {
			if (next_of_channel(box, k, now, ret_call)) {
				return true;
			}
		}
	}
	return false;
}

bool mixer_model_is_busy(const struct mixer_model *model)
{
	for (unsigned i = 0; i < model->n_boxes; i++) {
		for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
			const struct mixer_channel *channel = &model->boxes[i].channels[k];

			if (channel->gain_db.under_way || channel->mute.under_way) {
				return true;
			}
		}
	}
	return false;
}

bool mixer_channel_clipped(const struct mixer_channel *channel)
{
	return channel->clips > channel->clips_seen;
}

bool mixer_box_is_live(const struct mixer_model *model, const struct mixer_box *box)
{
	return model->joined &&
	       (strcmp(box->state, "online") == 0 || (box->netvst && strcmp(box->state, "listening") == 0));
}
