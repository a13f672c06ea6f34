/*
 * A connection to the daemon that lasts: it knows all boxes and NetVST sections and follows their changes and
 * meters, and when the daemon goes it tries again twice a second, until the caller has had enough. Nothing here waits.
 *
 * Ownership: the caller ends a watch with client_watch_free(), not from within a callback. One thread, that of
 * the sd-event loop.
 */
#ifndef CTL_CLIENT_WATCH_H
#define CTL_CLIENT_WATCH_H

#include "ctl/client-device.h"
#include "ctl/client-netvst.h"
#include "ctl/client.h"

#include <systemd/sd-event.h>

#define CLIENT_WATCH_RETRY_MS 500

struct client_watch;

struct client_daemon {
	char *version;	/* NULL: not told */
	char *backend;	/* the same */
	bool connected; /* to the audio server */
	unsigned rate_hz;
	unsigned period_frames;
};

/* Any may be NULL. Strings are valid during the call. */
struct client_watch_handler {
	/* The daemon is there, and everything has been read. */
	void (*joined)(struct client_watch *watch, void *data);
	/*
	 * The daemon is not there (any more). Once at each end, and once where the first attempt fails; then it is
	 * tried again in silence. What was known of boxes and sections stays as it was.
	 */
	void (*lost)(struct client_watch *watch, const char *why, void *data);
	/* A value of the daemon, a box or a section is another, or some of them have come or gone. */
	void (*changed)(struct client_watch *watch, void *data);
	/* Ten times a second for each box. */
	void (*peaks)(struct client_watch *watch, const struct client_device *device, void *data);
	/* The same for each NetVST section. */
	void (*netvst_peaks)(struct client_watch *watch, const struct client_netvst *netvst, void *data);
	/* client_watch_call() failed later on; why may have several lines. */
	void (*refused)(struct client_watch *watch, const char *why, void *data);
};

/*
 * Begins at once; the first callback comes from the loop. path: for CLIENT_SOCKET; it and handler must stay
 * valid. 0 or -errno; a daemon that does not run is no error.
 */
int client_watch_new(sd_event *event, enum client_way way, const char *path,
	const struct client_watch_handler *handler, void *data, struct client_watch **ret_watch);
/* NULL is allowed. */
void client_watch_free(struct client_watch *watch);

/* Between joined() and lost(). */
bool client_watch_is_joined(const struct client_watch *watch);
const struct client_daemon *client_watch_daemon(const struct client_watch *watch);

/* In the order of the configuration; valid until the next callback that is not peaks(), netvst_peaks() or refused(). */
unsigned client_watch_n_devices(const struct client_watch *watch);
const struct client_device *client_watch_device(const struct client_watch *watch, unsigned i);

/* The same for NetVST sections, in the order of their names. */
unsigned client_watch_n_netvst(const struct client_watch *watch);
const struct client_netvst *client_watch_netvst(const struct client_watch *watch, unsigned i);

/*
 * A method of a box (SetGain "ud", SetMute "ub", SetAllMuted "b", SetPhantom "ub", Reset ""); a double is
 * passed as double, a boolean as int. Does not wait; what comes of it shows in changed() or refused(). 0, -ENOTCONN while
 * the daemon is away, or -errno.
 */
int client_watch_call(
	struct client_watch *watch, const char *device, const char *method, const char *types, ...);
/* The same for a NetVST section (SetGain "ud", SetMute "ub", Reset ""). */
int client_watch_call_netvst(
	struct client_watch *watch, const char *netvst, const char *method, const char *types, ...);

#endif
