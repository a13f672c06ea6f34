/* The way to a server: its name, and a connection. One thread; waits. */
#ifndef ECHO_CONNECT_H
#define ECHO_CONNECT_H

#include "echo/options.h"
#include "echo/run.h"

/* As long as --wait says again and again. The socket, prepared; or -errno (said), -EINTR: a signal came. */
int connect_to(const struct options *options, int signals, char ret_address[RUN_ADDRESS_MAX]);

#endif
