#include "backend/backend.h"
#include "base/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GROUPS_MAX 128

struct backend_group {
	struct audio_group audio;
	struct audio_insert *insert; /* NULL: a device */
};

struct null_backend {
	struct backend base;
	struct backend_group *groups[GROUPS_MAX];
	unsigned n_groups;
	bool rolling;
	uint64_t transport_frame;
	struct backend_info info;
	unsigned changes;
	int fd;
};

static struct null_backend *null_of(const struct backend *b)
{
	return container_of(b, struct null_backend, base);
}

static void post(struct null_backend *n, unsigned changes)
{
	uint64_t one = 1;

	n->changes |= changes;
	(void)!write(n->fd, &one, sizeof(one));
}

static int null_add_ports(
	struct backend *b, const struct backend_ports *ports, struct backend_group **ret_group)
{
	struct null_backend *n = null_of(b);
	struct backend_group *group;

	if (n->n_groups == GROUPS_MAX) {
		return -ENOSPC;
	}
	group = calloc(1, sizeof(*group));
	if (!group) {
		return -ENOMEM;
	}
	group->audio.owner = ports->owner;
	if (ports->insert) {
		group->insert = calloc(1, sizeof(*group->insert));
		if (!group->insert) {
			free(group);
			return -ENOMEM;
		}
		group->insert->owner = ports->owner;
	}
	n->groups[n->n_groups++] = group;
	*ret_group = group;
	return 0;
}

static void null_remove_ports(struct backend *b, struct backend_group *group)
{
	struct null_backend *n = null_of(b);

	for (unsigned i = 0; i < n->n_groups; i++) {
		if (n->groups[i] == group) {
			n->n_groups--;
			memmove(&n->groups[i], &n->groups[i + 1], (n->n_groups - i) * sizeof(n->groups[0]));
			free(group->insert);
			free(group);
			return;
		}
	}
}

static void null_set_latency(struct backend *b, struct backend_group *group, uint32_t latency_frames)
{
}

static int null_change_ports(
	struct backend *b, struct backend_group *group, const struct backend_ports *ports)
{
	return 0;
}

static void set_state(struct null_backend *n, enum backend_state state)
{
	n->info.state = state;
	post(n, BACKEND_CHANGED_STATE);
}

static void null_start(struct backend *b)
{
	set_state(null_of(b), BACKEND_READY);
}

static void null_run(struct backend *b)
{
	set_state(null_of(b), BACKEND_JOINED);
}

static void null_stop(struct backend *b)
{
	set_state(null_of(b), BACKEND_OFF);
}

static void null_get_links(struct backend *b, backend_link_fn fn, void *data)
{
}

static void null_add_link(struct backend *b, const char *port, const char *other)
{
}

static int null_fd(const struct backend *b)
{
	return null_of(b)->fd;
}

static unsigned null_dispatch(struct backend *b)
{
	struct null_backend *n = null_of(b);
	unsigned changes = n->changes;
	uint64_t count;

	(void)!read(n->fd, &count, sizeof(count));
	n->changes = 0;
	return changes;
}

static void null_get_info(struct backend *b, struct backend_info *ret_info)
{
	*ret_info = null_of(b)->info;
}

static const char *null_last_error(const struct backend *b)
{
	return "";
}

static void null_free(struct backend *b)
{
	struct null_backend *n = null_of(b);

	while (n->n_groups > 0) {
		null_remove_ports(b, n->groups[0]);
	}
	close(n->fd);
	free(n);
}

static const char *null_kind(const struct backend *b)
{
	return "null";
}

static void null_describe(const struct backend *b, char *ret_text, size_t size)
{
	snprintf(ret_text, size, "the null server");
}

static const struct backend_ops null_ops = {
	.kind = null_kind,
	.describe = null_describe,
	.add_ports = null_add_ports,
	.change_ports = null_change_ports,
	.remove_ports = null_remove_ports,
	.set_latency = null_set_latency,
	.start = null_start,
	.run = null_run,
	.stop = null_stop,
	.get_links = null_get_links,
	.add_link = null_add_link,
	.fd = null_fd,
	.dispatch = null_dispatch,
	.get_info = null_get_info,
	.last_error = null_last_error,
	.free = null_free,
};

int backend_null_new(uint32_t rate_hz, uint32_t period_frames, const struct backend_callbacks *callbacks,
	struct backend **ret_backend)
{
	struct null_backend *n = calloc(1, sizeof(*n));

	if (!n) {
		return -ENOMEM;
	}
	n->base.ops = &null_ops;
	n->base.callbacks = *callbacks;
	n->info.rate_hz = rate_hz;
	n->info.period_frames = period_frames;
	n->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->fd < 0) {
		int r = -errno;

		free(n);
		return r;
	}
	*ret_backend = &n->base;
	return 0;
}

void backend_null_set_buffers(
	struct backend_group *group, const float *const in[AUDIO_CHANNELS], float *const out[AUDIO_CHANNELS])
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		group->audio.in[k] = in ? in[k] : NULL;
		group->audio.out[k] = out ? out[k] : NULL;
	}
}

void backend_null_set_insert_buffers(struct backend_group *group,
	const float *const in[AUDIO_INSERT_CHANNELS], float *const out[AUDIO_INSERT_CHANNELS])
{
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		group->insert->in[k] = in ? in[k] : NULL;
		group->insert->out[k] = out ? out[k] : NULL;
	}
}

void backend_null_set_midi_in(struct backend_group *group, const struct audio_midi *events, unsigned n)
{
	struct audio_insert *insert = group->insert;

	insert->n_midi_in = MIN(n, AUDIO_MIDI_MAX);
	insert->n_midi_lost = n - insert->n_midi_in;
	for (unsigned i = 0; i < insert->n_midi_in; i++) {
		insert->midi_in[i] = events[i];
	}
}

const struct audio_midi *backend_null_midi_out(const struct backend_group *group, unsigned *ret_n)
{
	*ret_n = group->insert->n_midi_out;
	return group->insert->midi_out;
}

void backend_null_set_transport(struct backend *b, bool rolling, uint64_t frame)
{
	null_of(b)->rolling = rolling;
	null_of(b)->transport_frame = frame;
}

void backend_null_set_format(struct backend *b, uint32_t rate_hz, uint32_t period_frames)
{
	struct null_backend *n = null_of(b);
	unsigned changes = 0;

	changes |= n->info.rate_hz != rate_hz ? BACKEND_CHANGED_RATE : 0;
	changes |= n->info.period_frames != period_frames ? BACKEND_CHANGED_PERIOD : 0;
	n->info.rate_hz = rate_hz;
	n->info.period_frames = period_frames;
	post(n, changes);
}

void backend_null_set_freewheel(struct backend *b, bool freewheel)
{
	null_of(b)->info.freewheel = freewheel;
	post(null_of(b), BACKEND_CHANGED_FREEWHEEL);
}

void backend_null_xrun(struct backend *b)
{
	null_of(b)->info.xruns++;
	post(null_of(b), BACKEND_CHANGED_XRUN);
}

static void run_insert(struct null_backend *n, const struct audio_cycle *cycle, struct audio_insert *insert)
{
	insert->n_midi_out = 0;
	n->base.callbacks.insert_rt(n->base.callbacks.data, cycle, insert);
	insert->n_midi_in = 0;
	insert->n_midi_lost = 0;
}

void backend_null_cycle(struct backend *b, int64_t now)
{
	struct null_backend *n = null_of(b);
	struct audio_group *devices[GROUPS_MAX];
	struct audio_cycle cycle = {
		.frames = n->info.period_frames,
		.rate_hz = n->info.rate_hz,
		.now_ns = now,
		.xruns = (uint32_t)n->info.xruns,
		.freewheel = n->info.freewheel,
		.rolling = n->rolling,
		.transport_frame = n->transport_frame,
	};
	unsigned n_devices = 0;

	if (n->info.state != BACKEND_JOINED) {
		return;
	}
	for (unsigned i = 0; i < n->n_groups; i++) {
		if (n->groups[i]->insert) {
			run_insert(n, &cycle, n->groups[i]->insert);
		} else {
			devices[n_devices++] = &n->groups[i]->audio;
		}
	}
	cycle.n_groups = n_devices;
	cycle.groups = devices;
	n->info.cycles++;
	b->callbacks.process_rt(b->callbacks.data, &cycle);
	if (b->callbacks.finish_rt) {
		b->callbacks.finish_rt(b->callbacks.data);
	}
	if (n->rolling) {
		n->transport_frame += cycle.frames;
	}
}
