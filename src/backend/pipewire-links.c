#include "backend/pipewire-internal.h"
int pwlinks_new(struct pipewire_backend *p, struct pwlinks **r)
{
	*r = NULL;
	return 0;
}
void pwlinks_free(struct pwlinks *l)
{
}
void pwlinks_global(struct pwlinks *l, uint32_t id, const char *t, const struct spa_dict *p)
{
}
void pwlinks_global_gone(struct pwlinks *l, uint32_t id)
{
}
void pwlinks_update(struct pwlinks *l, int64_t n)
{
}
void pwlinks_lost(struct pwlinks *l, int64_t n)
{
}
int pwlinks_remember(struct pw_channel *c, const char *o, enum pwlink_state s)
{
	return 0;
}
void pwlinks_forget(struct pw_channel *c)
{
}
