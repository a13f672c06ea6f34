/*
 * What a network interface is, how fast, and how its driver is set: from /sys/class/net, /proc/net/vlan and
 * the ethtool calls that everybody may make. One thread.
 */
#ifndef CTL_DOCTOR_NET_H
#define CTL_DOCTOR_NET_H

#include "ctl/doctor-facts.h"

/* root: as for doctor_facts_read(); the driver is asked only where it is "". What the daemon told stays. */
void doctor_net_read(struct doctor_iface *iface, const char *root);

/* Which interface leads to the peer of a NetVST section, and what that is; nothing is sent. */
void doctor_net_read_way(struct doctor_netvst *netvst, const char *root);

#endif
