/*
 * The audio server, as the daemon lives with it: which kinds there are to be joined, joining, being left, and changing over
 * from one to the other.
 *
 * Ownership: the backend is the manager's; its two parts, where it has two, belong to it. Control thread only.
 */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include "daemon/manager.h"

/* Room for what backend_describe() says. */
#define SERVER_TEXT_MAX 256

/* Makes the backend that conf asks for. 0 or -errno; what failed is in the log. */
int server_new(struct manager *m, const struct conf *conf);
/* Has the event loop look after it. 0 or -errno. */
int server_watch(struct manager *m);
/* The manager has another configuration than old: takes over names and kind, at once or by joining anew. */
void server_configure(struct manager *m, const struct conf *old);
/* What the event loop calls. */
int server_on_io(sd_event_source *source, int fd, uint32_t revents, void *data);

#endif
