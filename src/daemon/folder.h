/* The folders that the daemon writes in. Any thread. */
#ifndef DAEMON_FOLDER_H
#define DAEMON_FOLDER_H

#include <stddef.h>

/* $RUNTIME_DIRECTORY, else $XDG_RUNTIME_DIR/ethlinkd, else /run/ethlinkd. 0 or -ENAMETOOLONG. */
int folder_runtime(char *ret_path, size_t size);

#endif
