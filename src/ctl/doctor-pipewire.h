/*
 * What can be seen of the user's PipeWire from outside: its socket, its processes in /proc and what its configuration
 * files allow. Nothing is asked over PipeWire's own protocol. One thread.
 */
#ifndef CTL_DOCTOR_PIPEWIRE_H
#define CTL_DOCTOR_PIPEWIRE_H

#include "ctl/doctor-facts.h"

/* Fills in facts->pipewire; facts->process is known already. root: as for doctor_facts_read(). */
void doctor_pipewire_read(struct doctor_facts *facts, const char *root);

#endif
