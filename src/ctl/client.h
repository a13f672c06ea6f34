/*
 * The way to the daemon: its private socket, or its name on a bus.
 *
 * Ownership: the caller ends a connection with sd_bus_flush_close_unref() and a reply with
 * sd_bus_message_unref(). Errors come as a sentence for the user in ret_error. One thread.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <stdint.h>
#include <sys/un.h>

#include <systemd/sd-bus.h>

/* Room for a whole configuration's errors; what is longer is cut. */
#define CLIENT_ERROR_MAX 16384
#define CLIENT_SOCKETS_MAX 4
#define CLIENT_TIMEOUT_MS 5000

enum client_way {
	CLIENT_SEARCH, /* the sockets of client_socket_paths() */
	CLIENT_SOCKET, /* the one given */
	CLIENT_USER,   /* the session bus */
	CLIENT_SYSTEM, /* the system bus */
};

struct client {
	sd_bus *bus;
	const char *destination; /* NULL: there is only the daemon at the other end */
	unsigned timeout_ms;
};

/* Where the daemon may have its socket, in the order to try; returns how many. */
unsigned client_socket_paths(char ret_paths[CLIENT_SOCKETS_MAX][sizeof(((struct sockaddr_un *)0)->sun_path)]);

/* path: for CLIENT_SOCKET. 0 or -errno. */
int client_open(struct client *client, enum client_way way, const char *path, unsigned timeout_ms,
	char ret_error[CLIENT_ERROR_MAX]);

/* From a connected socket, which it takes over in any case. */
int client_open_fd(struct client *client, int fd, unsigned timeout_ms, char ret_error[CLIENT_ERROR_MAX]);
void client_close(struct client *client);

/* A method of the manager without arguments. 0 or -errno. */
int client_call(struct client *client, const char *method, sd_bus_message **ret_reply,
	char ret_error[CLIENT_ERROR_MAX]);

#endif
