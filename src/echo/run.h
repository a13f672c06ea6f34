/*
 * What server and client both need to run: signals as a file descriptor, realtime priority, sockets that do not block,
 * and the words of addresses. One thread.
 */
#ifndef ECHO_RUN_H
#define ECHO_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RUN_ADDRESS_MAX 64

enum run_signal {
	RUN_NOTHING,
	RUN_END,    /* SIGINT, SIGTERM */
	RUN_REPORT, /* SIGUSR1 */
};

/* The file descriptor, or -errno (said). */
int run_open_signals(void);
enum run_signal run_read_signal(int fd);
/* Says so where it is not allowed; all goes on without. */
void run_realtime(void);
/* Without delay, without blocking, closed where a program is started. 0 or -errno. */
int run_prepare_socket(int fd);
/* Closing it from now on resets the connection, as a crash of the peer's machine would. */
void run_reset_on_close(int fd);
/* ADDRESS:PORT, or [ADDRESS]:PORT. */
void run_format_address(const struct sockaddr_storage *address, char text[RUN_ADDRESS_MAX]);

#endif
