/* What is linked in a PipeWire graph, what is remembered of it, and what is made again; the server is a fake. */
#include "backend/pipewire-internal.h"
#include "base/util.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ASKED_MAX 256
#define NONE (-1)

/* The ids of the graph that most tests begin with: two nodes of ours, and a player with one port each way. */
enum {
	STAGE = 40,
	STAGE_IN,
	STAGE_OUT,
	HALL = 50,
	HALL_IN,
	PLAYER = 60,
	PLAYER_OUT,
	PLAYER_IN,
	LINK = 70,
};

struct pw_proxy {
	struct spa_hook_list listeners;
	bool in_event;
	unsigned asked; /* which call it came of */
};

struct asked {
	unsigned output_node, output, input_node, input;
	struct pw_proxy *proxy; /* NULL: destroyed */
};

static struct asked asked[ASKED_MAX];
static unsigned n_asked;
static unsigned n_proxies;
static bool no_proxy;
static unsigned posts;
static int64_t now;
static struct pipewire_backend p;
static struct backend_group *stage, *hall;

/* --- the fake of libpipewire --- */

void pw_post(struct pipewire_backend *backend, unsigned changes)
{
	assert_ptr_equal(backend, &p);
	assert_int_equal(changes, BACKEND_CHANGED_LINKS);
	posts++;
}

void pw_proxy_add_listener(
	struct pw_proxy *proxy, struct spa_hook *listener, const struct pw_proxy_events *events, void *data)
{
	spa_hook_list_append(&proxy->listeners, listener, events, data);
}

void pw_proxy_destroy(struct pw_proxy *proxy)
{
	assert_false(proxy->in_event);
	spa_hook_list_call(&proxy->listeners, struct pw_proxy_events, destroy, 0);
	asked[proxy->asked].proxy = NULL;
	n_proxies--;
	free(proxy);
}

static unsigned number_of(const struct spa_dict *props, const char *key)
{
	const char *text = spa_dict_lookup(props, key);

	assert_non_null(text);
	return (unsigned)atoi(text);
}

static void *create_object(void *object, const char *factory, const char *type, uint32_t version,
	const struct spa_dict *props, size_t user_data_size)
{
	struct asked *a = &asked[n_asked];

	assert_true(n_asked < ASKED_MAX);
	assert_string_equal(factory, "link-factory");
	assert_string_equal(type, PW_TYPE_INTERFACE_Link);
	assert_int_equal(version, PW_VERSION_LINK);
	assert_string_equal(spa_dict_lookup(props, PW_KEY_OBJECT_LINGER), "true");
	a->output_node = number_of(props, PW_KEY_LINK_OUTPUT_NODE);
	a->output = number_of(props, PW_KEY_LINK_OUTPUT_PORT);
	a->input_node = number_of(props, PW_KEY_LINK_INPUT_NODE);
	a->input = number_of(props, PW_KEY_LINK_INPUT_PORT);
	a->proxy = no_proxy ? NULL : calloc(1, sizeof(*a->proxy));
	if (a->proxy) {
		spa_hook_list_init(&a->proxy->listeners);
		a->proxy->asked = n_asked;
		n_proxies++;
	}
	n_asked++;
	return a->proxy;
}

static const struct pw_core_methods core_methods = {
	.version = PW_VERSION_CORE_METHODS,
	.create_object = create_object,
};
static struct spa_interface core = {
	.type = PW_TYPE_INTERFACE_Core,
	.version = PW_VERSION_CORE,
	.cb = {&core_methods, NULL},
};

#define emit(i, event, ...)                                                                                  \
	do {                                                                                                 \
		struct pw_proxy *emit_proxy = asked[i].proxy;                                                \
                                                                                                             \
		assert_non_null(emit_proxy);                                                                 \
		emit_proxy->in_event = true;                                                                 \
		spa_hook_list_call(&emit_proxy->listeners, struct pw_proxy_events, event, 0, ##__VA_ARGS__); \
		emit_proxy->in_event = false;                                                                \
	} while (0)

static void refuse(unsigned i, int res)
{
	emit(i, error, 0, res, "no");
	emit(i, removed);
}

/* --- the fake of the graph --- */

static void update_after(int64_t ns)
{
	now += ns;
	pwlinks_update(p.links, now);
}

static void update(void)
{
	update_after(NSEC_PER_MSEC);
}

static void announce(uint32_t id, const char *type, const char *k1, const char *v1, const char *k2,
	const char *v2, const char *k3, const char *v3)
{
	struct spa_dict_item items[3];
	struct spa_dict props = SPA_DICT_INIT(items, 0);

	/* What is told is not there any more when the call returns. */
	if (v1) {
		items[props.n_items++] = (struct spa_dict_item){k1, strdup(v1)};
	}
	if (v2) {
		items[props.n_items++] = (struct spa_dict_item){k2, strdup(v2)};
	}
	if (v3) {
		items[props.n_items++] = (struct spa_dict_item){k3, strdup(v3)};
	}
	pwlinks_global(p.links, id, type, &props);
	for (unsigned i = 0; i < props.n_items; i++) {
		free((char *)items[i].value);
	}
}

static void add_node(uint32_t id, const char *name, const char *class)
{
	announce(id, PW_TYPE_INTERFACE_Node, PW_KEY_NODE_NAME, name, PW_KEY_MEDIA_CLASS, class, NULL, NULL);
}

static void add_port(uint32_t id, uint32_t node, const char *name, const char *direction)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", node);
	announce(id, PW_TYPE_INTERFACE_Port, PW_KEY_NODE_ID, text, PW_KEY_PORT_NAME, name,
		PW_KEY_PORT_DIRECTION, direction);
}

static void add_link(uint32_t id, uint32_t output, uint32_t input)
{
	char text[2][16];

	snprintf(text[0], sizeof(text[0]), "%u", output);
	snprintf(text[1], sizeof(text[1]), "%u", input);
	announce(id, PW_TYPE_INTERFACE_Link, PW_KEY_LINK_OUTPUT_PORT, text[0], PW_KEY_LINK_INPUT_PORT,
		text[1], NULL, NULL);
}

static void gone(uint32_t id)
{
	pwlinks_global_gone(p.links, id);
}

static void add_stage(void)
{
	stage->id = STAGE;
	add_node(STAGE, "ethlink.stage", "Audio/Sink");
	add_port(STAGE_IN, STAGE, "playback_1", "in");
	add_port(STAGE_OUT, STAGE, "monitor_1", "out");
}

static void add_hall(void)
{
	hall->id = HALL;
	add_node(HALL, "ethlink.hall", "Audio/Sink");
	add_port(HALL_IN, HALL, "playback_1", "in");
}

static void add_player(const char *class)
{
	add_node(PLAYER, "player", class);
	add_port(PLAYER_OUT, PLAYER, "out_1", "out");
	add_port(PLAYER_IN, PLAYER, "in_1", "in");
}

static void connect_server(void)
{
	p.core = (struct pw_core *)&core;
}

static void lose_server(void)
{
	stage->id = SPA_ID_INVALID;
	hall->id = SPA_ID_INVALID;
	pwlinks_lost(p.links, ++now);
	p.core = NULL;
	assert_int_equal(n_proxies, 0);
	update();
}

/* The server makes what was asked for last. */
static void grant_last(uint32_t id)
{
	assert_true(n_asked > 0);
	add_link(id, asked[n_asked - 1].output, asked[n_asked - 1].input);
	emit(n_asked - 1, bound, id);
	update();
}

static int state_of(const struct pw_channel *channel, const char *other)
{
	for (const struct pwlink *link = channel->links; link; link = link->next) {
		if (strcmp(link->other, other) == 0) {
			return (int)link->state;
		}
	}
	return NONE;
}

static void assert_asked(
	unsigned i, unsigned output_node, unsigned output, unsigned input_node, unsigned input)
{
	assert_true(i < n_asked);
	assert_int_equal(asked[i].output_node, output_node);
	assert_int_equal(asked[i].output, output);
	assert_int_equal(asked[i].input_node, input_node);
	assert_int_equal(asked[i].input, input);
}

static struct backend_group *new_group(const char *name)
{
	struct backend_group *group = calloc(1, sizeof(*group));

	assert_non_null(group);
	group->backend = &p;
	group->id = SPA_ID_INVALID;
	snprintf(group->name, sizeof(group->name), "%s", name);
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		snprintf(group->in[k].name, sizeof(group->in[k].name), "playback_%u", k + 1);
		snprintf(group->out[k].name, sizeof(group->out[k].name), "monitor_%u", k + 1);
	}
	p.groups[p.n_groups++] = group;
	return group;
}

static void free_group(struct backend_group *group)
{
	for (unsigned k = 0; k < AUDIO_CHANNELS; k++) {
		pwlinks_forget(&group->in[k]);
		pwlinks_forget(&group->out[k]);
		free(group->in[k].connect);
		free(group->out[k].connect);
	}
	for (unsigned i = 0; i < p.n_groups; i++) {
		if (p.groups[i] == group) {
			p.groups[i] = p.groups[--p.n_groups];
		}
	}
	free(group);
}

static int setup(void **state)
{
	memset(&p, 0, sizeof(p));
	n_asked = 0;
	n_proxies = 0;
	no_proxy = false;
	posts = 0;
	now = 100 * NSEC_PER_SEC;
	stage = new_group("stage");
	hall = new_group("hall");
	assert_int_equal(pwlinks_new(&p, &p.links), 0);
	connect_server();
	return 0;
}

static int teardown(void **state)
{
	pwlinks_free(p.links);
	while (p.n_groups > 0) {
		free_group(p.groups[0]);
	}
	assert_int_equal(n_proxies, 0);
	return 0;
}

/* --- links that the user makes --- */

static void test_remembered(void **state)
{
	add_stage();
	add_player(NULL);
	update();
	assert_int_equal(posts, 0);
	add_link(LINK, PLAYER_OUT, STAGE_IN);
	add_link(LINK + 1, STAGE_OUT, PLAYER_IN);
	update();
	assert_int_equal(posts, 1);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_MADE);
	assert_int_equal(state_of(&stage->out[0], "player:in_1"), PWLINK_MADE);
	for (unsigned i = 0; i < 100; i++) {
		update_after(50 * NSEC_PER_MSEC);
	}
	assert_int_equal(posts, 1);
	assert_int_equal(n_asked, 0);
}

static void test_restored(void **state)
{
	test_remembered(state);
	lose_server();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_PENDING);
	assert_int_equal(state_of(&stage->out[0], "player:in_1"), PWLINK_PENDING);
	connect_server();
	add_stage();
	update();
	assert_int_equal(n_asked, 0);
	add_node(160, "player", NULL);
	add_port(161, 160, "out_1", "out");
	update();
	assert_int_equal(n_asked, 1);
	assert_asked(0, 160, 161, STAGE, STAGE_IN);
	grant_last(LINK);
	assert_int_equal(n_proxies, 0);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_MADE);
	assert_int_equal(state_of(&stage->out[0], "player:in_1"), PWLINK_PENDING);
	add_port(162, 160, "in_1", "in");
	update();
	assert_int_equal(n_asked, 2);
	assert_asked(1, STAGE, STAGE_OUT, 160, 162);
	grant_last(LINK + 1);
	assert_int_equal(state_of(&stage->out[0], "player:in_1"), PWLINK_MADE);
	for (unsigned i = 0; i < 40; i++) {
		update_after(100 * NSEC_PER_MSEC);
	}
	assert_int_equal(n_asked, 2);
}

static void test_taken_away(void **state)
{
	test_remembered(state);
	gone(LINK);
	update();
	assert_int_equal(posts, 2);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_LOST);
	update_after(NSEC_PER_SEC / 2);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_LOST);
	update_after(NSEC_PER_SEC);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), NONE);
	lose_server();
	connect_server();
	add_stage();
	add_player(NULL);
	update();
	assert_int_equal(n_asked, 1);
	assert_asked(0, STAGE, STAGE_OUT, PLAYER, PLAYER_IN);
}

/* It forgets even if nothing looks at it between the two. */
static void test_lost_long_before(void **state)
{
	test_remembered(state);
	gone(LINK);
	update();
	now += 2 * NSEC_PER_SEC;
	lose_server();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), NONE);
	assert_int_equal(state_of(&stage->out[0], "player:in_1"), PWLINK_PENDING);
}

/* A server that ends takes things away one by one before the connection breaks. */
static void test_server_ends_slowly(void **state)
{
	const uint32_t order[] = {LINK, PLAYER_OUT, PLAYER, LINK + 1, STAGE_IN, STAGE_OUT, STAGE};

	test_remembered(state);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
		gone(order[i]);
		update_after(10 * NSEC_PER_MSEC);
	}
	lose_server();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_PENDING);
	assert_int_equal(state_of(&stage->out[0], "player:in_1"), PWLINK_PENDING);
	connect_server();
	add_stage();
	add_player(NULL);
	update();
	assert_int_equal(n_asked, 2);
}

static void test_other_goes(void **state)
{
	test_remembered(state);
	gone(LINK);
	gone(PLAYER_OUT);
	update();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_LOST);
	update_after(2 * NSEC_PER_SEC);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), NONE);
	add_port(PLAYER_OUT, PLAYER, "out_1", "out");
	update();
	assert_int_equal(n_asked, 0);
}

/* The session manager is restarted, and makes the sound cards' nodes anew; or a card is plugged in again. */
static void test_card_goes(void **state)
{
	add_stage();
	add_player("Audio/Source");
	add_link(LINK, PLAYER_OUT, STAGE_IN);
	update();
	gone(LINK);
	update();
	gone(PLAYER_OUT);
	gone(PLAYER);
	update();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_PENDING);
	update_after(60 * NSEC_PER_SEC);
	add_player("Audio/Source");
	update();
	assert_int_equal(n_asked, 1);
	assert_int_equal(asked[0].output, PLAYER_OUT);
	assert_int_equal(asked[0].input, STAGE_IN);

	/* What the user takes away while the card is there is not made again with it. */
	add_link(LINK, PLAYER_OUT, STAGE_IN);
	emit(0, bound, LINK);
	update();
	gone(LINK);
	update_after(2 * NSEC_PER_SEC);
	gone(PLAYER_OUT);
	gone(PLAYER);
	add_player("Audio/Source");
	update();
	assert_int_equal(n_asked, 1);
}

/* The other's port is gone, but its link is not taken away yet, or never. */
static void test_other_goes_first(void **state)
{
	test_remembered(state);
	gone(PLAYER);
	gone(PLAYER_OUT);
	update();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_LOST);
	gone(LINK);
	update_after(2 * NSEC_PER_SEC);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), NONE);
}

/* --- our own ports come and go --- */

static void test_own_port_anew(void **state)
{
	test_remembered(state);
	gone(LINK);
	gone(STAGE_IN);
	add_port(140, STAGE, "playback_1", "in");
	update();
	assert_int_equal(n_asked, 1);
	assert_asked(0, PLAYER, PLAYER_OUT, STAGE, 140);
	grant_last(LINK);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_MADE);

	/* The port before the link, and with looks in between. */
	gone(140);
	update();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_PENDING);
	gone(LINK);
	update_after(5 * NSEC_PER_SEC);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_PENDING);
	add_port(STAGE_IN, STAGE, "playback_1", "in");
	update();
	assert_int_equal(n_asked, 2);
	assert_asked(1, PLAYER, PLAYER_OUT, STAGE, STAGE_IN);
	grant_last(LINK);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_MADE);
	assert_int_equal(state_of(&stage->out[0], "player:in_1"), PWLINK_MADE);
}

static void test_own_node_anew(void **state)
{
	test_remembered(state);
	/* We take it out ourselves; the registry says so later, when the new node is there. */
	stage->id = SPA_ID_INVALID;
	update();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_PENDING);
	stage->id = 140;
	add_node(140, "ethlink.stage", "Audio/Sink");
	add_port(141, 140, "playback_1", "in");
	add_port(142, 140, "monitor_1", "out");
	gone(LINK);
	gone(LINK + 1);
	gone(STAGE_IN);
	gone(STAGE_OUT);
	gone(STAGE);
	update();
	assert_int_equal(n_asked, 2);
	assert_asked(0, PLAYER, PLAYER_OUT, 140, 141);
	assert_asked(1, 140, 142, PLAYER, PLAYER_IN);
}

/* The same without a look in between, and with the ids that it had before. */
static void test_own_node_anew_at_once(void **state)
{
	test_remembered(state);
	gone(LINK);
	gone(LINK + 1);
	stage->id = SPA_ID_INVALID;
	gone(STAGE_IN);
	gone(STAGE_OUT);
	gone(STAGE);
	add_stage();
	update();
	assert_int_equal(n_asked, 2);
}

static void test_two_of_ours(void **state)
{
	add_stage();
	add_hall();
	add_link(LINK, STAGE_OUT, HALL_IN);
	update();
	assert_int_equal(state_of(&stage->out[0], "ethlink.hall:playback_1"), PWLINK_MADE);
	assert_int_equal(state_of(&hall->in[0], "ethlink.stage:monitor_1"), PWLINK_MADE);
	lose_server();
	connect_server();
	add_hall();
	update();
	add_stage();
	update();
	assert_int_equal(n_asked, 1);
	assert_asked(0, STAGE, STAGE_OUT, HALL, HALL_IN);
	grant_last(LINK);
	assert_int_equal(state_of(&stage->out[0], "ethlink.hall:playback_1"), PWLINK_MADE);
	assert_int_equal(state_of(&hall->in[0], "ethlink.stage:monitor_1"), PWLINK_MADE);

	/* Only one of the two goes. */
	gone(LINK);
	gone(HALL_IN);
	update_after(2 * NSEC_PER_SEC);
	add_port(HALL_IN, HALL, "playback_1", "in");
	update();
	assert_int_equal(n_asked, 2);
	grant_last(LINK);
	assert_int_equal(state_of(&stage->out[0], "ethlink.hall:playback_1"), PWLINK_MADE);
	update_after(2 * NSEC_PER_SEC);
	assert_int_equal(n_asked, 2);
}

static void test_group_removed(void **state)
{
	test_two_of_ours(state);
	free_group(stage);
	stage = new_group("stage");
	update();
	gone(LINK);
	gone(STAGE_OUT);
	gone(STAGE_IN);
	update_after(2 * NSEC_PER_SEC);
	update_after(2 * NSEC_PER_SEC);
	assert_int_equal(state_of(&hall->in[0], "ethlink.stage:monitor_1"), NONE);
	assert_null(stage->out[0].links);
}

/* Its wishes are not looked at any more, with an event or without. */
static void test_last_group_removed(void **state)
{
	add_stage();
	add_hall();
	add_player(NULL);
	hall->in[0].connect = strdup("player:out_2");
	update();
	free_group(hall);
	update_after(NSEC_PER_SEC);
	gone(HALL_IN);
	add_port(65, PLAYER, "out_2", "out");
	update_after(NSEC_PER_SEC);
	assert_int_equal(n_asked, 0);
}

/* --- the session manager's links --- */

static void test_stream(void **state)
{
	add_stage();
	add_player("Stream/Output/Audio");
	add_link(LINK, PLAYER_OUT, STAGE_IN);
	update();
	update_after(NSEC_PER_SEC);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_PASSING);
	assert_int_equal(posts, 1);
	gone(LINK);
	update();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), NONE);
	assert_int_equal(posts, 2);

	/* Our port comes anew, then the server. */
	add_link(LINK, PLAYER_OUT, STAGE_IN);
	update();
	gone(STAGE_IN);
	update();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), NONE);
	gone(LINK);
	add_port(STAGE_IN, STAGE, "playback_1", "in");
	add_link(LINK, PLAYER_OUT, STAGE_IN);
	update();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_PASSING);
	lose_server();
	connect_server();
	add_stage();
	add_player("Stream/Output/Audio");
	update_after(NSEC_PER_SEC);
	assert_int_equal(n_asked, 0);
	assert_null(stage->in[0].links);
}

/* Of the list that is written down for the case that we crash. */
static void test_pending_stream(void **state)
{
	assert_int_equal(pwlinks_remember(&stage->in[0], "player:out_1", PWLINK_PENDING), 0);
	add_stage();
	add_player("Stream/Output/Audio");
	update();
	assert_int_equal(n_asked, 0);
	assert_null(stage->in[0].links);
}

/* --- what the configuration asks for --- */

static void test_connect(void **state)
{
	stage->in[0].connect = strdup("player:out_1");
	add_stage();
	update();
	add_player(NULL);
	update();
	assert_int_equal(n_asked, 1);
	assert_asked(0, PLAYER, PLAYER_OUT, STAGE, STAGE_IN);
	grant_last(LINK);
	assert_true(stage->in[0].connect_done);

	/* Taken away by the user; told again what is known already, and of a port that has nothing to do with it. */
	gone(LINK);
	add_player(NULL);
	add_port(65, PLAYER, "out_2", "out");
	update_after(2 * NSEC_PER_SEC);
	update_after(2 * NSEC_PER_SEC);
	assert_int_equal(n_asked, 1);

	/* The other comes anew. */
	gone(PLAYER_OUT);
	gone(PLAYER);
	update();
	add_node(160, "player", NULL);
	add_port(161, 160, "out_1", "out");
	update();
	assert_int_equal(n_asked, 2);
	assert_asked(1, 160, 161, STAGE, STAGE_IN);
	grant_last(LINK);

	/* Our port comes anew: both what was there and what is to be there, but one link. */
	gone(STAGE_IN);
	gone(LINK);
	add_port(STAGE_IN, STAGE, "playback_1", "in");
	update();
	assert_int_equal(n_asked, 3);
	grant_last(LINK);
	update_after(NSEC_PER_SEC);
	assert_int_equal(n_asked, 3);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_MADE);

	/* It was taken away before our port came anew. */
	gone(LINK);
	update();
	update_after(2 * NSEC_PER_SEC);
	gone(STAGE_IN);
	add_port(STAGE_IN, STAGE, "playback_1", "in");
	update();
	assert_int_equal(n_asked, 4);
	grant_last(LINK);

	/* Wanted once more at once. */
	gone(LINK);
	stage->in[0].connect_done = false;
	update();
	assert_int_equal(n_asked, 5);
}

/* What is there already is not asked for. */
static void test_connect_is_there(void **state)
{
	stage->in[0].connect = strdup("player:out_1");
	add_stage();
	add_player(NULL);
	add_link(LINK, PLAYER_OUT, STAGE_IN);
	update();
	assert_int_equal(n_asked, 0);
	assert_true(stage->in[0].connect_done);
}

/* A wish that comes while nothing happens in the graph. */
static void test_later_wishes(void **state)
{
	add_stage();
	add_player(NULL);
	update();
	stage->in[0].connect = strdup("player:out_1");
	assert_int_equal(pwlinks_remember(&stage->out[0], "player:in_1", PWLINK_PENDING), 0);
	for (unsigned i = 0; i < 10; i++) {
		update_after(50 * NSEC_PER_MSEC);
	}
	assert_int_equal(n_asked, 2);
}

/* An input is not linked to an input, whatever its name. */
static void test_direction(void **state)
{
	stage->in[0].connect = strdup("player:in_1");
	stage->out[0].connect = strdup("player:twin");
	add_stage();
	add_player(NULL);
	add_port(65, PLAYER, "twin", "out");
	add_port(66, PLAYER, "twin", "in");
	add_port(67, PLAYER, "twin", NULL);
	update();
	assert_int_equal(n_asked, 1);
	assert_asked(0, STAGE, STAGE_OUT, PLAYER, 66);
}

static void test_same_name(void **state)
{
	stage->in[0].connect = strdup("player:out_1");
	add_stage();
	add_node(161, "player", NULL);
	add_port(162, 161, "out_1", "out");
	add_node(163, "player", NULL);
	add_port(164, 163, "out_1", "out");
	update();
	assert_int_equal(n_asked, 1);
	assert_asked(0, 161, 162, STAGE, STAGE_IN);
}

/* --- what is announced, and how --- */

static void announce_one(unsigned i)
{
	switch (i) {
	case 0:
		add_node(STAGE, "ethlink.stage", "Audio/Sink");
		break;
	case 1:
		add_port(STAGE_IN, STAGE, "playback_1", "in");
		break;
	case 2:
		add_node(PLAYER, "player", NULL);
		break;
	case 3:
		add_port(PLAYER_OUT, PLAYER, "out_1", "out");
		break;
	case 4:
		stage->id = STAGE;
		break;
	case 5:
		add_link(LINK, PLAYER_OUT, STAGE_IN);
		break;
	}
}

/* All orders of the first n announcements. */
static void in_each_order(unsigned n, void (*check)(void))
{
	unsigned orders = 1;

	for (unsigned i = 2; i <= n; i++) {
		orders *= i;
	}
	for (unsigned order = 0; order < orders; order++) {
		unsigned left[6] = {0, 1, 2, 3, 4, 5}, rest = order;

		for (unsigned i = n; i > 0; i--) {
			unsigned at = rest % i;

			rest /= i;
			announce_one(left[at]);
			update();
			memmove(&left[at], &left[at + 1], (i - at - 1) * sizeof(left[0]));
		}
		check();
		lose_server();
		pwlinks_forget(&stage->in[0]);
		connect_server();
		n_asked = 0;
	}
}

static void check_made(void)
{
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_MADE);
}

static void check_asked_once(void)
{
	assert_int_equal(n_asked, 1);
	assert_asked(0, PLAYER, PLAYER_OUT, STAGE, STAGE_IN);
}

static void test_any_order(void **state)
{
	in_each_order(6, check_made);
	stage->in[0].connect = strdup("player:out_1");
	in_each_order(5, check_asked_once);
}

static void test_missing_props(void **state)
{
	stage->in[0].connect = strdup("player:out_1");
	add_stage();
	pwlinks_global(p.links, PLAYER, PW_TYPE_INTERFACE_Node, NULL);
	pwlinks_global(p.links, PLAYER_OUT, PW_TYPE_INTERFACE_Port, NULL);
	pwlinks_global(p.links, LINK, PW_TYPE_INTERFACE_Link, NULL);
	pwlinks_global(p.links, 90, PW_TYPE_INTERFACE_Device, NULL);
	pwlinks_global(p.links, 91, NULL, NULL);
	pwlinks_global(p.links, UINT32_MAX, PW_TYPE_INTERFACE_Node, NULL);
	pwlinks_global(p.links, UINT32_MAX - 1, PW_TYPE_INTERFACE_Port, NULL);
	announce(92, PW_TYPE_INTERFACE_Port, PW_KEY_NODE_ID, "x", PW_KEY_PORT_NAME, "out_1",
		PW_KEY_PORT_DIRECTION, "sideways");
	announce(93, PW_TYPE_INTERFACE_Link, PW_KEY_LINK_OUTPUT_PORT, "", PW_KEY_LINK_INPUT_PORT, "-1", NULL,
		NULL);
	add_link(94, PLAYER_OUT, PLAYER_OUT);
	add_link(95, 93, 94);
	add_port(96, PLAYER, NULL, NULL);
	update();
	gone(4000);
	gone(UINT32_MAX);
	assert_int_equal(n_asked, 0);
	add_player(NULL); /* now with all that was missing */
	update();
	assert_int_equal(n_asked, 1);
	pwlinks_global(p.links, PLAYER, PW_TYPE_INTERFACE_Node, NULL);
	pwlinks_global(p.links, PLAYER_OUT, PW_TYPE_INTERFACE_Port, NULL);
	grant_last(LINK);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_MADE);
}

/* An id that is another object's now, without a word in between. */
static void test_id_again(void **state)
{
	test_remembered(state);
	add_node(PLAYER, "recorder", NULL);
	update();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_LOST);
	assert_int_equal(state_of(&stage->in[0], "recorder:out_1"), PWLINK_MADE);
	add_node(PLAYER_OUT, "third", NULL);
	update();
	assert_int_equal(state_of(&stage->in[0], "recorder:out_1"), PWLINK_LOST);
	pwlinks_global(p.links, STAGE_OUT, PW_TYPE_INTERFACE_Device, NULL);
	update();
	assert_int_equal(state_of(&stage->out[0], "recorder:in_1"), PWLINK_PENDING);
}

/* --- links that cannot be made --- */

static void test_refused(void **state)
{
	assert_int_equal(pwlinks_remember(&stage->in[0], "player:out_1", PWLINK_PENDING), 0);
	stage->out[0].connect = strdup("player:in_1");
	add_stage();
	add_player(NULL);
	for (unsigned i = 0; i < 2000; i++) {
		unsigned n = n_asked;

		update_after(50 * NSEC_PER_MSEC);
		assert_true(n_asked - n == 0 || n_asked - n == 2);
		for (; n < n_asked; n++) {
			refuse(n, -EINVAL);
		}
		assert_true(n_proxies <= 2);
	}
	assert_int_equal(n_asked, 80);
	assert_int_equal(n_proxies, 0);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_PENDING);
	assert_true(stage->out[0].connect_done);

	/* Asked for anew by a change of the configuration. */
	stage->out[0].connect_done = false;
	update_after(NSEC_PER_SEC);
	assert_int_equal(n_asked, 81);
	refuse(80, -EINVAL);
	n_asked = 80;

	/* Its ports come anew, under the same ids. */
	gone(PLAYER_OUT);
	gone(PLAYER_IN);
	add_player(NULL);
	update();
	assert_int_equal(n_asked, 82);
	grant_last(LINK);
	assert_int_equal(state_of(&stage->out[0], "player:in_1"), PWLINK_MADE);
	assert_int_equal(n_proxies, 1);
}

/* Not at once: what keeps a link from being made takes its time to pass. */
static void test_retry_waits(void **state)
{
	stage->in[0].connect = strdup("player:out_1");
	add_stage();
	add_player(NULL);
	update();
	emit(0, removed);
	update();
	assert_int_equal(n_proxies, 0);
	update_after(200 * NSEC_PER_MSEC);
	assert_int_equal(n_asked, 1);
	update_after(100 * NSEC_PER_MSEC);
	assert_int_equal(n_asked, 2);
	grant_last(LINK);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_MADE);
}

/* Somebody was faster; it is announced before or after we are told. */
static void test_exists(void **state)
{
	stage->in[0].connect = strdup("player:out_1");
	assert_int_equal(pwlinks_remember(&stage->out[0], "player:in_1", PWLINK_PENDING), 0);
	add_stage();
	add_player(NULL);
	update();
	assert_int_equal(n_asked, 2);
	refuse(0, -EEXIST);
	refuse(1, -EEXIST);
	update();
	update_after(NSEC_PER_SEC / 2);
	add_link(LINK, PLAYER_OUT, STAGE_IN);
	add_link(LINK + 1, STAGE_OUT, PLAYER_IN);
	update();
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_MADE);
	assert_int_equal(state_of(&stage->out[0], "player:in_1"), PWLINK_MADE);
	update_after(NSEC_PER_SEC);
	assert_int_equal(n_asked, 2);
	assert_int_equal(n_proxies, 0);
}

/* The answer is for the wish that there was, not for the next. */
static void test_exists_once(void **state)
{
	stage->in[0].connect = strdup("player:out_1");
	add_stage();
	add_player(NULL);
	update();
	refuse(0, -EEXIST);
	update();
	assert_true(stage->in[0].connect_done);
	stage->in[0].connect_done = false;
	update_after(NSEC_PER_SEC);
	assert_int_equal(n_asked, 2);
}

/* Made, and gone before we looked: somebody does not want it. */
static void test_made_and_gone(void **state)
{
	assert_int_equal(pwlinks_remember(&stage->in[0], "player:out_1", PWLINK_PENDING), 0);
	add_stage();
	add_player(NULL);
	update();
	add_link(LINK, PLAYER_OUT, STAGE_IN);
	emit(0, bound, LINK);
	gone(LINK);
	emit(0, error, 0, -EINVAL, "no common format");
	update();
	update_after(2 * NSEC_PER_SEC);
	update_after(2 * NSEC_PER_SEC);
	assert_int_equal(n_asked, 1);
	assert_int_equal(n_proxies, 0);
	assert_null(stage->in[0].links);
}

static void test_no_proxy(void **state)
{
	stage->in[0].connect = strdup("player:out_1");
	no_proxy = true;
	add_stage();
	add_player(NULL);
	for (unsigned i = 0; i < 500; i++) {
		update_after(50 * NSEC_PER_MSEC);
	}
	assert_int_equal(n_asked, 40);
}

/* The port goes while the server has not answered, and its id is another port's when it does. */
static void test_stale_answer(void **state)
{
	stage->in[0].connect = strdup("player:out_1");
	add_stage();
	add_player(NULL);
	update();
	gone(PLAYER_OUT);
	update();
	assert_int_equal(n_proxies, 1);
	add_port(PLAYER_OUT, PLAYER, "out_1", "out");
	update();
	assert_int_equal(n_asked, 2);
	refuse(0, -EINVAL);
	update();
	assert_int_equal(n_proxies, 1);
	grant_last(LINK);
	assert_int_equal(n_proxies, 0);
	assert_int_equal(state_of(&stage->in[0], "player:out_1"), PWLINK_MADE);
}

/* The server goes while it has not answered, or has answered and we have not looked. */
static void test_lost_while_asked(void **state)
{
	stage->in[0].connect = strdup("player:out_1");
	stage->out[0].connect = strdup("player:in_1");
	add_stage();
	add_player(NULL);
	update();
	assert_int_equal(n_proxies, 2);
	emit(0, removed);
	lose_server();
	connect_server();
	add_stage();
	add_player(NULL);
	update();
	assert_int_equal(n_asked, 4);
	/* libpipewire itself destroys one. */
	pw_proxy_destroy(asked[2].proxy);
	update();
	assert_int_equal(n_proxies, 1);
}

static void test_bounded(void **state)
{
	char other[32];
	unsigned n = 0;

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(other, sizeof(other), "player-%u:out_1", i);
		assert_int_equal(pwlinks_remember(&stage->in[0], other, PWLINK_PENDING), 0);
		assert_int_equal(pwlinks_remember(&stage->in[0], other, PWLINK_PENDING), 0);
	}
	for (const struct pwlink *link = stage->in[0].links; link; link = link->next) {
		n++;
	}
	assert_int_equal(n, 64);
	assert_int_equal(state_of(&stage->in[0], "player-999:out_1"), PWLINK_PENDING);
	assert_int_equal(state_of(&stage->in[0], "player-0:out_1"), NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_remembered),
		TEST(test_restored),
		TEST(test_taken_away),
		TEST(test_lost_long_before),
		TEST(test_server_ends_slowly),
		TEST(test_other_goes),
		TEST(test_other_goes_first),
		TEST(test_own_port_anew),
		TEST(test_own_node_anew),
		TEST(test_own_node_anew_at_once),
		TEST(test_two_of_ours),
		TEST(test_group_removed),
		TEST(test_last_group_removed),
		TEST(test_card_goes),
		TEST(test_stream),
		TEST(test_pending_stream),
		TEST(test_connect),
		TEST(test_connect_is_there),
		TEST(test_later_wishes),
		TEST(test_direction),
		TEST(test_same_name),
		TEST(test_any_order),
		TEST(test_missing_props),
		TEST(test_id_again),
		TEST(test_refused),
		TEST(test_retry_waits),
		TEST(test_exists),
		TEST(test_exists_once),
		TEST(test_made_and_gone),
		TEST(test_no_proxy),
		TEST(test_stale_answer),
		TEST(test_lost_while_asked),
		TEST(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
