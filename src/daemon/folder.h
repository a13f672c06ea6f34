/* The folders that the daemon writes in. Any thread. */
#ifndef DAEMON_FOLDER_H
#define DAEMON_FOLDER_H

#include <stddef.h>

/* $RUNTIME_DIRECTORY, else $XDG_RUNTIME_DIR/ethlinkd, else /run/ethlinkd. 0 or -ENAMETOOLONG. */
int folder_runtime(char *ret_path, size_t size);
/*
 * $STATE_DIRECTORY, else $XDG_STATE_HOME/ethlinkd, else .local/state/ethlinkd in the user's home. 0, -ENAMETOOLONG, or
 * -ENOENT for a user without a home.
 */
int folder_state(char *ret_path, size_t size);
/* Makes it and what is missing above it, for this user alone. 0 also where it is there; or -errno. */
int folder_make(const char *path);

#endif
