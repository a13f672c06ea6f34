#include "backend/pipewire-internal.h"

#include "base/mem.h"
#include "base/util.h"

#include <errno.h>
#include <spa/debug/types.h>
#include <spa/param/audio/type-info.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ports each way that can have a label and a connection. */
#define WISHES_MAX AUDIO_CHANNELS

/* Copies of what the daemon wants. */
struct wishes {
	char *description;
	char *label_in[WISHES_MAX], *label_out[WISHES_MAX];
	char *connect_in[WISHES_MAX], *connect_out[WISHES_MAX];
};

/* A copy, or NULL for NULL; false without memory. */
static bool copy(const char *s, char **ret)
{
	*ret = s ? strdup(s) : NULL;
	return !s || *ret;
}

static bool copy_wishes(const struct backend_ports *ports, struct wishes *wishes)
{
	const struct backend_insert_ports *insert = ports->insert;
	bool good = copy(ports->description ? ports->description : ports->name, &wishes->description);

	for (unsigned k = 0; k < AUDIO_CHANNELS && !insert; k++) {
		good = good && copy(ports->labels[k], &wishes->label_in[k]) &&
		       copy(ports->connect[k], &wishes->connect_in[k]);
	}
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS && insert; k++) {
		good = good && copy(ports->labels[k], &wishes->label_in[k]) &&
		       copy(ports->labels[AUDIO_INSERT_CHANNELS + k], &wishes->label_out[k]) &&
		       copy(insert->connect_in[k], &wishes->connect_in[k]) &&
		       copy(insert->connect_out[k], &wishes->connect_out[k]);
	}
	return good;
}

static void free_wishes(struct wishes *wishes)
{
	free(wishes->description);
	for (unsigned k = 0; k < WISHES_MAX; k++) {
		free(wishes->label_in[k]);
		free(wishes->label_out[k]);
		free(wishes->connect_in[k]);
		free(wishes->connect_out[k]);
	}
}

static void set_channel(struct pw_channel *channel, char **label, char **connect)
{
	if (!channel->connect || !*connect || strcmp(channel->connect, *connect) != 0) {
		channel->connect_done = false;
	}
	swap_text(&channel->label, label);
	swap_text(&channel->connect, connect);
}

static uint32_t position_of(const char *name, unsigned k)
{
	for (unsigned i = 0; name && spa_type_audio_channel[i].name; i++) {
		if (strcmp(spa_debug_type_short_name(spa_type_audio_channel[i].name), name) == 0) {
			return spa_type_audio_channel[i].type;
		}
	}
	return SPA_AUDIO_CHANNEL_AUX0 + k;
}

int pwgroup_set_wishes(struct backend_group *group, const struct backend_ports *ports)
{
	struct wishes wishes = {0};
	bool good = copy_wishes(ports, &wishes);

	if (good) {
		swap_text(&group->description, &wishes.description);
		group->preferred = ports->preferred;
		group->through = ports->insert && ports->insert->through;
	}
	for (unsigned k = 0; k < AUDIO_CHANNELS && good; k++) {
		if (!group->rt.insert) {
			group->in[k].want = ports->playback;
			group->out[k].want = ports->monitor;
		}
		group->positions[k] = position_of(ports->positions[k], k);
		set_channel(&group->in[k], &wishes.label_in[k], &wishes.connect_in[k]);
		set_channel(&group->out[k], &wishes.label_out[k], &wishes.connect_out[k]);
	}
	free_wishes(&wishes); /* the old ones, or the new ones in vain */
	return good ? 0 : -ENOMEM;
}

/* NULL: there is no such port. */
static void name_port(struct pw_channel *channel, const char *name)
{
	channel->want = name != NULL;
	snprintf(channel->name, sizeof(channel->name), "%s", name ? name : "");
}

static void name_insert(struct backend_group *group, const struct backend_insert_ports *insert)
{
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		name_port(&group->in[k], insert->in[k]);
		name_port(&group->out[k], insert->out[k]);
	}
	name_port(&group->in[PWRT_MIDI], insert->midi_in);
	name_port(&group->out[PWRT_MIDI], insert->midi_out);
}

void pwgroup_free(struct backend_group *group)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		free(group->in[k].label);
		free(group->in[k].connect);
		free(group->out[k].label);
		free(group->out[k].connect);
		pwlinks_forget(&group->in[k]);
		pwlinks_forget(&group->out[k]);
	}
	free(group->description);
	pwnode_fini(group);
	free(group);
}

int pwgroup_new(
	struct pipewire_backend *p, const struct backend_ports *ports, struct backend_group **ret_group)
{
	struct backend_group *group = mem_zalloc(CACHELINE_SIZE, sizeof(*group));
	int r;

	if (!group) {
		return -ENOMEM;
	}
	group->backend = p;
	group->rt.rt = &p->rt;
	group->rt.audio.owner = ports->owner;
	group->rt.monitor = !ports->insert && ports->monitor;
	snprintf(group->name, sizeof(group->name), "%s", ports->name);
	r = pwnode_init(group, ports->insert != NULL);
	if (r >= 0 && ports->insert) {
		group->rt.insert->audio.owner = ports->owner;
		name_insert(group, ports->insert);
	}
	r = r < 0 ? r : pwgroup_set_wishes(group, ports);
	if (r < 0) {
		pwgroup_free(group);
		return r;
	}
	pwnode_set_latency(group, ports->latency_frames);
	*ret_group = group;
	return 0;
}
