#include "backend/jack-internal.h"

#include <limits.h>
#include <stdlib.h>

/* A group as it was when the callback began: the lock is not held while libjack works. */
struct seen_group {
	bool insert;
	bool through;
	uint32_t latency_frames;
	jack_port_t *in[AUDIO_CHANNELS]; /* NULL: there is none */
	jack_port_t *out[AUDIO_CHANNELS];
};

struct seen {
	struct jack_backend *j;
	jack_latency_callback_mode_t mode;
	unsigned n_groups;
	bool has_inserts;
	struct seen_group groups[JACK_GROUPS_MAX];
};

/* What several ports have together. */
struct sum {
	bool any;
	jack_latency_range_t range; /* zeros where there is none */
};

static void sum_add(struct sum *sum, const jack_latency_range_t *range)
{
	sum->range.min = sum->any ? MIN(sum->range.min, range->min) : range->min;
	sum->range.max = MAX(sum->range.max, range->max);
	sum->any = true;
}

static void look_at(struct seen *seen, struct backend_group *group)
{
	struct seen_group *g = &seen->groups[seen->n_groups++];

	g->insert = group->rt.insert;
	g->through = group->through;
	g->latency_frames = atomic_load_explicit(&group->latency_frames, memory_order_relaxed);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		g->in[k] = atomic_load(&group->rt.in[k]);
		g->out[k] = atomic_load(&group->rt.out[k]);
	}
	seen->has_inserts = seen->has_inserts || g->insert;
}

/* NULL without memory. The caller frees it, and is in a guard. */
static struct seen *look(struct jack_backend *j, jack_latency_callback_mode_t mode)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	struct jack_guard guard;

	if (!seen) {
		return NULL;
	}
	seen->j = j;
	seen->mode = mode;
	jack_guarded_lock(&j->lock, &guard);
	for (unsigned i = 0; i < j->n_groups; i++) {
		look_at(seen, j->groups[i]);
	}
	jack_guarded_unlock(&j->lock, &guard);
	return seen;
}

/* When in the cycle this group's audio is done: inserts in their order, then all devices at once. */
static unsigned turn_of(const struct seen *seen, unsigned i)
{
	return seen->groups[i].insert ? i : UINT_MAX;
}

/* The port is ours, and what it has is of no use on the other side of this group in the same cycle. */
static bool is_out_of_turn(const struct seen *seen, const jack_port_t *port, unsigned i)
{
	for (unsigned o = 0; o < seen->n_groups; o++) {
		const struct seen_group *other = &seen->groups[o];

		for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
			if (port == other->out[k]) {
				return turn_of(seen, o) >= turn_of(seen, i);
			}
			if (port == other->in[k]) {
				return turn_of(seen, o) <= turn_of(seen, i);
			}
		}
	}
	return false;
}

/*
 * Sets what a port has from those that it is connected to. libjack has just done so, but before our own other ports had
 * their values of this round, and these may be among them. Connections that go back in the cycle do not count: around
 * a loop, latency would grow each time.
 */
static void take_others(const struct seen *seen, unsigned i, jack_port_t *port, struct sum *sum)
{
	const char **others = jack_port_get_connections(port);
	struct sum here = {0};

	for (unsigned n = 0; others && others[n]; n++) {
		jack_port_t *other = jack_port_by_name(seen->j->client, others[n]);
		jack_latency_range_t range;

		if (other && !is_out_of_turn(seen, other, i)) {
			jack_port_get_latency_range(other, seen->mode, &range);
			sum_add(&here, &range);
		}
	}
	jack_free(others);
	jack_port_set_latency_range(port, seen->mode, &here.range);
	if (here.any) {
		sum_add(sum, &here.range);
	}
}

/* All that comes out depends on all that goes in, MIDI as well. */
static void set_insert(const struct seen *seen, unsigned i)
{
	const struct seen_group *g = &seen->groups[i];
	bool capture = seen->mode == JackCaptureLatency;
	jack_port_t *const *from = capture ? g->in : g->out;
	jack_port_t *const *to = capture ? g->out : g->in;
	struct sum sum = {0};
	jack_latency_range_t range;

	for (unsigned k = 0; k < JACK_INSERT_PORTS; k++) {
		if (from[k]) {
			take_others(seen, i, from[k], &sum);
		}
	}
	range.min = g->latency_frames + (g->through ? sum.range.min : 0);
	range.max = g->latency_frames + (g->through ? sum.range.max : 0);
	for (unsigned k = 0; k < JACK_INSERT_PORTS; k++) {
		if (to[k]) {
			jack_port_set_latency_range(to[k], seen->mode, &range);
		}
	}
}

/*
 * A sample that comes in at the start of a cycle is heard latency_frames later. The monitor ports carry
 * what arrived at the playback ports, no later than it came.
 */
static void set_device(const struct seen *seen, unsigned i)
{
	const struct seen_group *g = &seen->groups[i];
	jack_latency_range_t range = {.min = g->latency_frames, .max = g->latency_frames};

	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		if (seen->mode == JackPlaybackLatency && g->in[k]) {
			jack_port_set_latency_range(g->in[k], seen->mode, &range);
		} else if (seen->mode == JackCaptureLatency && g->in[k] && g->out[k]) {
			struct sum unused = {0};
			jack_latency_range_t before;

			if (seen->has_inserts) {
				take_others(seen, i, g->in[k], &unused);
			}
			jack_port_get_latency_range(g->in[k], seen->mode, &before);
			jack_port_set_latency_range(g->out[k], seen->mode, &before);
		}
	}
}

static void set_devices(const struct seen *seen)
{
	for (unsigned i = 0; i < seen->n_groups; i++) {
		if (!seen->groups[i].insert) {
			set_device(seen, i);
		}
	}
}

static void set_inserts(const struct seen *seen)
{
	for (unsigned n = 0; n < seen->n_groups; n++) {
		unsigned i = seen->mode == JackCaptureLatency ? n : seen->n_groups - 1 - n;

		if (seen->groups[i].insert) {
			set_insert(seen, i);
		}
	}
}

/* What is captured goes down the chain of inserts to the devices; what is played is asked for from its end. */
static void set_all(const struct seen *seen)
{
	if (seen->mode == JackCaptureLatency) {
		set_inserts(seen);
		set_devices(seen);
	} else {
		set_devices(seen);
		set_inserts(seen);
	}
}

void jack_latency(jack_latency_callback_mode_t mode, void *data)
{
	struct jack_guard guard;
	struct seen *seen;

	jack_guard_begin(&guard);
	seen = look(data, mode);
	if (seen) {
		set_all(seen);
		free(seen);
	}
	jack_guard_end(&guard);
}
