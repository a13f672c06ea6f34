/*
 * One connection of the server: takes requests apart, answers them, and counts. The server polls.
 *
 * Ownership: peer_new() takes the socket over, peer_free() closes it. One thread.
 */
#ifndef ECHO_PEER_H
#define ECHO_PEER_H

#include "echo/options.h"
#include "echo/run.h"
#include "echo/wav.h"

struct peer;

/* recorder: NULL, or where what comes is written. 0 or -errno (the socket is the caller's then). */
int peer_new(const struct options *options, unsigned number, int fd, const struct sockaddr_storage *address,
	struct wav_writer *recorder, struct peer **ret_peer);
void peer_free(struct peer *peer);
int peer_fd(const struct peer *peer);
/* For poll(): what it waits for, and until when at the latest; INT64_MAX: no time. */
short peer_events(const struct peer *peer);
int64_t peer_due_ns(const struct peer *peer);
/* Reads, answers, sends. False: it is over, and that has been said. */
bool peer_turn(struct peer *peer, bool readable);
/* Prints its report: as an object in a line, or in words. */
void peer_report(const struct peer *peer, bool is_final);

#endif
