#include "backend/pipewire-make.h"
#include "base/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRY_NS (250 * NSEC_PER_MSEC)
/* So 10 s: long enough for a node that is still being set up. */
#define CONNECT_TRIES 40

enum attempt_state {
	ATTEMPT_IDLE, /* not asked for yet, or refused */
	ATTEMPT_ASKED,
	ATTEMPT_MADE,
};

struct attempt {
	struct spa_list node;
	struct pwmake *make;
	uint32_t output;
	uint32_t input;
	enum attempt_state state;
	unsigned tries; /* since both ports are there */
	int64_t tried_ns;
	bool wanted; /* in this round */
	bool stale;  /* a port has gone */
	struct pw_proxy *proxy;
	struct spa_hook hook;
	bool answered; /* the proxy is of no use any more */
};

/* --- what the server answers --- */

/* A proxy is not destroyed in its own events: libpipewire goes on with it after most of them. */
static void answer(struct attempt *attempt, enum attempt_state state)
{
	if (attempt->state == ATTEMPT_ASKED) {
		attempt->state = state;
	}
	attempt->answered = true;
	attempt->make->answered = true;
}

static void drop_proxy(struct attempt *attempt)
{
	if (attempt->proxy) {
		spa_hook_remove(&attempt->hook);
		pw_proxy_destroy(attempt->proxy);
		attempt->proxy = NULL;
	}
}

static void on_destroy(void *data)
{
	struct attempt *attempt = data;

	spa_hook_remove(&attempt->hook);
	attempt->proxy = NULL;
	answer(attempt, ATTEMPT_IDLE);
}

static void on_bound(void *data, uint32_t id)
{
	answer(data, ATTEMPT_MADE);
}

static void on_removed(void *data)
{
	answer(data, ATTEMPT_IDLE);
}

static void on_error(void *data, int seq, int res, const char *message)
{
	answer(data, res == -EEXIST ? ATTEMPT_MADE : ATTEMPT_IDLE);
}

static const struct pw_proxy_events proxy_events = {
	.version = PW_VERSION_PROXY_EVENTS,
	.destroy = on_destroy,
	.bound = on_bound,
	.removed = on_removed,
	.error = on_error,
};

/* --- asking --- */

static void ask(struct attempt *attempt, struct pw_core *core, const struct pwobject *output,
	const struct pwobject *input)
{
	char text[4][16];
	const struct spa_dict_item items[] = {
		{PW_KEY_LINK_OUTPUT_NODE, text[0]}, {PW_KEY_LINK_OUTPUT_PORT, text[1]},
		{PW_KEY_LINK_INPUT_NODE, text[2]}, {PW_KEY_LINK_INPUT_PORT, text[3]},
		{PW_KEY_OBJECT_LINGER, "true"}, /* the link is the user's: it stays when the proxy goes */
	};
	const struct spa_dict props = SPA_DICT_INIT(items, ARRAY_SIZE(items));

	snprintf(text[0], sizeof(text[0]), "%u", output->node);
	snprintf(text[1], sizeof(text[1]), "%u", output->id);
	snprintf(text[2], sizeof(text[2]), "%u", input->node);
	snprintf(text[3], sizeof(text[3]), "%u", input->id);
	attempt->tries++;
	attempt->proxy = pw_core_create_object(
		core, "link-factory", PW_TYPE_INTERFACE_Link, PW_VERSION_LINK, &props, 0);
	if (attempt->proxy) {
		attempt->state = ATTEMPT_ASKED;
		pw_proxy_add_listener(attempt->proxy, &attempt->hook, &proxy_events, attempt);
	}
}

static struct attempt *get_attempt(struct pwmake *make, uint32_t output, uint32_t input)
{
	struct attempt *attempt;

	spa_list_for_each(attempt, &make->attempts, node)
	{
		if (!attempt->stale && attempt->output == output && attempt->input == input) {
			return attempt;
		}
	}
	attempt = calloc(1, sizeof(*attempt));
	if (attempt) {
		attempt->make = make;
		attempt->output = output;
		attempt->input = input;
		spa_list_append(&make->attempts, &attempt->node);
	}
	return attempt;
}

enum pwmake_result pwmake_link(struct pwmake *make, struct pw_core *core, const struct pwobject *output,
	const struct pwobject *input, int64_t now)
{
	struct attempt *attempt = get_attempt(make, output->id, input->id);

	if (!attempt) {
		return PWMAKE_ASKED;
	}
	attempt->wanted = true;
	if (attempt->state != ATTEMPT_IDLE) {
		return attempt->state == ATTEMPT_MADE ? PWMAKE_DONE : PWMAKE_ASKED;
	}
	if (attempt->tries >= CONNECT_TRIES) {
		return PWMAKE_REFUSED;
	}
	/* With the proxy of the try before there, its events would be taken for this one's. */
	if (!attempt->proxy && (attempt->tries == 0 || now - attempt->tried_ns >= RETRY_NS)) {
		attempt->tried_ns = now;
		ask(attempt, core, output, input);
	}
	return PWMAKE_ASKED;
}

void pwmake_port_gone(struct pwmake *make, uint32_t id)
{
	struct attempt *attempt;

	spa_list_for_each(attempt, &make->attempts, node)
	{
		attempt->stale |= attempt->output == id || attempt->input == id;
	}
}

/* --- rounds --- */

static void attempt_free(struct attempt *attempt)
{
	drop_proxy(attempt);
	spa_list_remove(&attempt->node);
	free(attempt);
}

void pwmake_begin(struct pwmake *make)
{
	struct attempt *attempt;

	make->answered = false;
	spa_list_for_each(attempt, &make->attempts, node)
	{
		if (attempt->answered) {
			drop_proxy(attempt);
			attempt->answered = false;
		}
		attempt->wanted = false;
	}
}

/* What has come to an end was seen by all who wanted it. What the server has not answered yet stays until it does. */
void pwmake_end(struct pwmake *make)
{
	struct attempt *attempt, *next;

	spa_list_for_each_safe(attempt, next, &make->attempts, node)
	{
		if (!attempt->proxy && (!attempt->wanted || attempt->state == ATTEMPT_MADE)) {
			attempt_free(attempt);
		}
	}
}

void pwmake_init(struct pwmake *make)
{
	spa_list_init(&make->attempts);
	make->answered = false;
}

void pwmake_clear(struct pwmake *make)
{
	struct attempt *attempt, *next;

	spa_list_for_each_safe(attempt, next, &make->attempts, node)
	{
		attempt_free(attempt);
	}
	make->answered = false;
}
