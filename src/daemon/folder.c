#include "daemon/folder.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static const char *home(void)
{
	const char *e = getenv("HOME");
	const struct passwd *pw;

	if (e && *e) {
		return e;
	}
	pw = getpwuid(geteuid());
	return pw && pw->pw_dir && *pw->pw_dir ? pw->pw_dir : NULL;
}

int folder_state(char *ret_path, size_t size)
{
	const char *e = getenv("STATE_DIRECTORY");
	int n;

	if (e && *e) {
		n = snprintf(ret_path, size, "%.*s", (int)strcspn(e, ":"), e);
		return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
	}
	e = getenv("XDG_STATE_HOME");
	/* The XDG specification wants what is not absolute to be passed over. */
	if (e && *e == '/') {
		n = snprintf(ret_path, size, "%s/ethlinkd", e);
	} else {
		e = home();
		if (!e) {
			return -ENOENT;
		}
		n = snprintf(ret_path, size, "%s/.local/state/ethlinkd", e);
	}
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int folder_make(const char *path)
{
	char part[PATH_MAX];
	struct stat st;
	int r = 0;

	if (strlen(path) >= sizeof(part)) {
		return -ENAMETOOLONG;
	}
	/* What cannot be made may be there all the same: only the end counts. */
	for (const char *end = path; *end;) {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		memcpy(part, path, (size_t)(end - path));
		part[end - path] = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST) {
			r = -errno;
		}
	}
	if (stat(path, &st) < 0) {
		return r < 0 ? r : -errno;
	}
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}
