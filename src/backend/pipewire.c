#include "backend/backend.h"

#include <errno.h>

int backend_pipewire_new(
	const char *client_name, const struct backend_callbacks *callbacks, struct backend **ret_backend)
{
	return -ENOSYS;
}

void backend_pipewire_set_name(struct backend *b, const char *client_name)
{
}
