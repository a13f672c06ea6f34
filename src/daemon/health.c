#include "daemon/device.h"
#include "daemon/manager.h"
#include "daemon/netvst.h"
#include "daemon/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

/* A joined server without a cycle for so long hangs (the longest period takes 0.2 s), and after this it is left. */
#define STALLED_NS NSEC_PER_SEC
#define LEAVE_STALLED_NS (5 * NSEC_PER_SEC)
/* A callback that has not ended for so long never will. */
#define HANGING_NS (2 * NSEC_PER_SEC)
/* So long in one call the server is said to hang. */
#define STUCK_NS (3 * NSEC_PER_SEC)
#define STATUS_NAMES 3

void health_init(struct health *h)
{
	uint64_t usec;

	memset(h, 0, sizeof(*h));
	if (sd_watchdog_enabled(0, &usec) > 0) {
		h->watchdog_ns = (int64_t)usec * NSEC_PER_USEC;
	}
}

/* Only while this thread (it is here) and the realtime thread both get on. */
static void feed_watchdog(struct manager *m, int64_t now)
{
	struct health *h = &m->health;
	bool hangs = m->info.in_cycle && now - h->cycles_ns > HANGING_NS;
	bool plays = !m->connected || h->cycles != h->fed_cycles;

	if (h->watchdog_ns == 0 || now - h->fed_ns < h->watchdog_ns / 4 || hangs || !plays) {
		return;
	}
	h->fed_ns = now;
	h->fed_cycles = h->cycles;
	(void)sd_notify(0, "WATCHDOG=1");
}

static void check_stuck(struct manager *m)
{
	struct health *h = &m->health;
	bool stuck = m->info.stuck_call && m->info.stuck_ns > STUCK_NS;
	char server[SERVER_TEXT_MAX];

	/* Of two it is always JACK whose calls may hang. */
	backend_describe(m->jack ? m->jack : m->backend, server, sizeof(server));
	if (stuck && !h->said_stuck) {
		log_warning("%s has not come back from %s for %d s: it hangs. Restart it; ethlinkd goes on "
			    "when it "
			    "answers",
			server, m->info.stuck_call, (int)(STUCK_NS / NSEC_PER_SEC));
	} else if (!stuck && h->said_stuck) {
		log_notice("%s answers again", server);
	}
	h->said_stuck = stuck;
}

/* Of state, rate and period the server's own event is to tell: who took them here would hide that they have changed. */
static void look(struct manager *m)
{
	struct backend_info info = {0};

	backend_get_info(m->backend, &info);
	m->info.cycles = info.cycles;
	m->info.in_cycle = info.in_cycle;
	m->info.stuck_call = info.stuck_call;
	m->info.stuck_ns = info.stuck_ns;
}

void health_check(struct manager *m, int64_t now)
{
	struct health *h = &m->health;
	char server[SERVER_TEXT_MAX];

	look(m);
	if (m->info.cycles != h->cycles || (!m->connected && !m->info.in_cycle)) {
		h->cycles = m->info.cycles;
		h->cycles_ns = now;
	}
	check_stuck(m);
	feed_watchdog(m, now);
	h->stalled = m->connected && now - h->cycles_ns > STALLED_NS;
	if (h->stalled && !h->left && now - h->cycles_ns > LEAVE_STALLED_NS) {
		h->left = true;
		backend_describe(m->backend, server, sizeof(server));
		log_warning("%s has not called us for %d s: it, or a client before us in the graph, hangs. "
			    "Leaving "
			    "it, and joining again",
			server, (int)(LEAVE_STALLED_NS / NSEC_PER_SEC));
		backend_stop(m->backend);
	}
}

static bool works(const struct netvst *nv)
{
	return nv->state == NETVST_ONLINE || nv->state == NETVST_LISTENING;
}

/* Those that do not play, and why: ": hall searching, stage link-down". */
static void append_absent(const struct manager *m, char *line, size_t size)
{
	unsigned named = 0;
	size_t len;

	for (unsigned i = 0; i < m->n_devices && named < STATUS_NAMES; i++) {
		const struct device *d = m->devices[i];

		if (d->state != DEVICE_ONLINE && !d->leaving) {
			len = strlen(line);
			snprintf(line + len, size - len, "%s%s %s", named++ ? ", " : "; ", d->conf->name,
				device_state_to_string(d->state));
		}
	}
	for (unsigned i = 0; i < m->n_netvsts && named < STATUS_NAMES; i++) {
		const struct netvst *nv = m->netvsts[i];

		if (!works(nv) && !nv->leaving) {
			len = strlen(line);
			snprintf(line + len, size - len, "%s%s %s", named++ ? ", " : "; ", nv->conf->name,
				netvst_state_to_string(nv->state));
		}
	}
}

/* Boxes and netvst sections that are as they should be; of what there is none, nothing is said. */
static void count(const struct manager *m, char *line, size_t size)
{
	unsigned online = 0, all = 0, working = 0, sections = 0;
	size_t len = 0;

	for (unsigned i = 0; i < m->n_devices; i++) {
		online += m->devices[i]->state == DEVICE_ONLINE && !m->devices[i]->leaving;
		all += !m->devices[i]->leaving;
	}
	for (unsigned i = 0; i < m->n_netvsts; i++) {
		working += works(m->netvsts[i]) && !m->netvsts[i]->leaving;
		sections += !m->netvsts[i]->leaving;
	}
	*line = '\0';
	if (all > 0 || sections == 0) {
		len = (size_t)snprintf(line, size, "%u of %u boxes play, ", online, all);
	}
	if (sections > 0) {
		snprintf(line + len, size - len, "%u of %u netvst sections work, ", working, sections);
	}
}

void health_say_status(struct manager *m)
{
	char line[SERVER_TEXT_MAX + 128], server[SERVER_TEXT_MAX];
	size_t len;

	if (m->stopping) {
		snprintf(line, sizeof(line), "Fading out");
	} else if (m->connected) {
		count(m, line, sizeof(line));
		len = strlen(line);
		snprintf(line + len, sizeof(line) - len, "%u Hz, period %u", m->info.rate_hz,
			m->info.period_frames);
		append_absent(m, line, sizeof(line));
	} else {
		backend_describe(m->backend, server, sizeof(server));
		snprintf(line, sizeof(line), "Waiting for %s", server);
	}
	if (m->status_line && strcmp(line, m->status_line) == 0) {
		return;
	}
	(void)sd_notifyf(0, "STATUS=%s", line);
	free(m->status_line);
	m->status_line = strdup(line);
}
