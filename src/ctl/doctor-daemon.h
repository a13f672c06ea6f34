/*
 * What the running daemon says about itself, for the doctor: its answers to GetStatus and GetTelemetry. One thread.
 */
#ifndef CTL_DOCTOR_DAEMON_H
#define CTL_DOCTOR_DAEMON_H

#include "ctl/client.h"
#include "ctl/doctor-facts.h"

/*
 * Asks, and fills in facts->daemon, devices and interfaces. Where the daemon cannot be reached, or does not know
 * what it is asked, facts->daemon.error says so, and what it did say is there.
 */
void doctor_daemon_read(struct doctor_facts *facts, enum client_way way, const char *path);

/* The same over a connection that is there. */
void doctor_daemon_ask(struct doctor_facts *facts, struct client *client);

#endif
