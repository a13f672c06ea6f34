/* A NetVST client that sends material in real time and looks at what comes back. One thread. */
#ifndef ECHO_CLIENT_H
#define ECHO_CLIENT_H

#include "echo/options.h"

/* The program's exit status. */
int client_run(const struct options *options);

#endif
