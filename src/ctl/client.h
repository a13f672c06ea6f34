/*
 * The way to the daemon: its private socket, or its name on a bus.
 *
 * Ownership: the caller ends a connection with sd_bus_flush_close_unref() and a reply with
 * sd_bus_message_unref(). Errors come as a sentence for the user in ret_error. One thread.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "ctl/prop.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/un.h>

#include <systemd/sd-bus.h>

/* Room for a whole configuration's errors; what is longer is cut. */
#define CLIENT_ERROR_MAX 16384
#define CLIENT_SOCKETS_MAX 4
#define CLIENT_TIMEOUT_MS 5000

#define CLIENT_OBJECT "/org/ethlinkd1"
#define CLIENT_DEVICES "/org/ethlinkd1/device"
#define CLIENT_NETVSTS "/org/ethlinkd1/netvst"
#define CLIENT_MANAGER "org.ethlinkd1.Manager"
#define CLIENT_DEVICE "org.ethlinkd1.Device"
#define CLIENT_NETVST "org.ethlinkd1.Netvst"

enum client_way {
	CLIENT_SEARCH, /* the sockets of client_socket_paths(), the session bus, the system bus */
	CLIENT_SOCKET, /* the one given */
	CLIENT_USER,   /* the session bus */
	CLIENT_SYSTEM, /* the system bus */
};

struct client {
	sd_bus *bus;
	enum client_way way;
	const char *destination; /* NULL: there is only the daemon at the other end */
	unsigned timeout_ms;
};

/* Where the daemon may have its socket, in the order to try; returns how many. */
unsigned client_socket_paths(char ret_paths[CLIENT_SOCKETS_MAX][sizeof(((struct sockaddr_un *)0)->sun_path)]);

/* path: for CLIENT_SOCKET. 0 or -errno. */
int client_open(struct client *client, enum client_way way, const char *path, unsigned timeout_ms,
	char ret_error[CLIENT_ERROR_MAX]);

/* The same, but does not wait for the daemon: what is sent goes out once it has answered. */
int client_start(struct client *client, enum client_way way, const char *path, unsigned timeout_ms,
	char ret_error[CLIENT_ERROR_MAX]);

/* From a connected socket, which it takes over in any case. */
int client_open_fd(struct client *client, int fd, unsigned timeout_ms, char ret_error[CLIENT_ERROR_MAX]);
void client_close(struct client *client);

/* A method of the manager without arguments. 0 or -errno. */
int client_call(struct client *client, const char *method, sd_bus_message **ret_reply,
	char ret_error[CLIENT_ERROR_MAX]);

/*
 * A method of a box without results; types ("": none) and what follows as for sd_bus_message_append(). 0 or -errno;
 * the error for a box that is not there lists those that are.
 */
int client_call_device(struct client *client, const char *device, const char *method,
	char ret_error[CLIENT_ERROR_MAX], const char *types, ...);

/* The same for a NetVST section. */
int client_call_netvst(struct client *client, const char *netvst, const char *method,
	char ret_error[CLIENT_ERROR_MAX], const char *types, ...);

/* All properties of a box, by their names on D-Bus. 0 or -errno, as client_call_device(). */
int client_get_device(struct client *client, const char *device, struct prop_list *ret_list,
	char ret_error[CLIENT_ERROR_MAX]);

/* Writes the names of all boxes, or of all NetVST sections, in the order of the configuration. How many, or -errno. */
int client_print_devices(
	struct client *client, const char *separator, FILE *f, char ret_error[CLIENT_ERROR_MAX]);
int client_print_netvst(
	struct client *client, const char *separator, FILE *f, char ret_error[CLIENT_ERROR_MAX]);

/* For those who send by themselves: a call to a box or NetVST section, its arguments to be added. 0 or -errno. */
int client_new_device_call(struct client *client, const char *device, const char *interface,
	const char *method, sd_bus_message **ret_call);
int client_new_netvst_call(struct client *client, const char *netvst, const char *interface,
	const char *method, sd_bus_message **ret_call);

/* Why a call failed. error may be one that is not set; err: as the call returned it, positive. */
void client_explain(const struct client *client, const sd_bus_error *error, int err, const char *method,
	char ret_error[CLIENT_ERROR_MAX]);
/* Why the connection failed. */
void client_explain_bus(const struct client *client, int err, char ret_error[CLIENT_ERROR_MAX]);
/* names: those that there are, separated by ", ". */
void client_explain_no_device(const char *device, const char *names, char ret_error[CLIENT_ERROR_MAX]);
void client_explain_no_netvst(const char *netvst, const char *names, char ret_error[CLIENT_ERROR_MAX]);
/* An answer is not what it should be. */
void client_explain_unreadable(int err, char ret_error[CLIENT_ERROR_MAX]);

#endif
