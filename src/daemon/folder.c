#include "daemon/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int folder_runtime(char *ret_path, size_t size)
{
	const char *e = getenv("RUNTIME_DIRECTORY");
	int n;

	if (e && *e) {
		/* systemd separates several by colons; the first is ours. */
		n = snprintf(ret_path, size, "%.*s", (int)strcspn(e, ":"), e);
	} else {
		e = getenv("XDG_RUNTIME_DIR");
		n = e && *e ? snprintf(ret_path, size, "%s/ethlinkd", e)
			    : snprintf(ret_path, size, "/run/ethlinkd");
	}
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}
