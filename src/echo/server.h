/* A NetVST server that serves whoever comes, until a signal. One thread. */
#ifndef ECHO_SERVER_H
#define ECHO_SERVER_H

#include "echo/options.h"

/* The program's exit status. */
int server_run(const struct options *options);

#endif
