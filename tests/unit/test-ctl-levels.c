/*
 * ethlinkctl gain, mute, phantom and reset: what they ask of the daemon, and what they print. A throw-away sd-bus
 * server in a thread stands for a daemon with an adc8.
 */
#include "ctl/command.h"

#include "base/util.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "bus-server.h"

struct rig {
	char folder[32];
	char path[64];
	int listen_fd;
	pthread_t thread;
	char asked[256]; /* the method and its arguments; the thread's until it is joined */
};

static int reply_properties(sd_bus_message *call)
{
	sd_bus_message *reply = NULL;
	int r;

	r = sd_bus_message_new_method_return(call, &reply);
	r = r < 0 ? r
		  : sd_bus_message_append(reply, "a{sv}", 4, "Model", "s", "adc8", "GainDb", "ad", 8, 0.0,
			    1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 80.0, "Muted", "ab", 8, 1, 1, 1, 1, 1, 1, 1, 0,
			    "Phantom", "ab", 2, 0, 1);
	r = r < 0 ? r : sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int on_call(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct rig *rig = data;
	const char *member = sd_bus_message_get_member(call);
	uint32_t number = 0;
	double db = 0;
	int on = 0;

	if (sd_bus_message_is_method_call(call, NULL, "GetAll")) {
		return reply_properties(call) < 0 ? -1 : 1;
	}
	if (sd_bus_message_is_method_call(call, NULL, "SetGain")) {
		sd_bus_message_read(call, "ud", &number, &db);
		snprintf(rig->asked, sizeof(rig->asked), "%s %u %g", member, number, db);
	} else if (strcmp(member, "Reset") == 0) {
		snprintf(rig->asked, sizeof(rig->asked), "%s", member);
	} else {
		sd_bus_message_read(call, "ub", &number, &on);
		snprintf(rig->asked, sizeof(rig->asked), "%s %u %d", member, number, on);
	}
	return sd_bus_reply_method_return(call, "") < 0 ? -1 : 1;
}

static void *serve(void *data)
{
	struct rig *rig = data;

	bus_serve(accept4(rig->listen_fd, NULL, NULL, SOCK_CLOEXEC), "/org/ethlinkd1/device/front_2dleft",
		on_call, rig);
	return NULL;
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	assert_non_null(rig);
	strcpy(rig->folder, "/tmp/ethlinkd-XXXXXX");
	assert_non_null(mkdtemp(rig->folder));
	snprintf(rig->path, sizeof(rig->path), "%s/control", rig->folder);
	strcpy(addr.sun_path, rig->path);
	rig->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(rig->listen_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(rig->listen_fd, 4), 0);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	close(rig->listen_fd);
	unlink(rig->path);
	rmdir(rig->folder);
	free(rig);
	return 0;
}

typedef int (*run_fn)(const struct options *options, int argc, char **argv);

/* Runs a command with the words of line; its exit status must be 0. What it prints goes to ret_out. */
static void run(struct rig *rig, run_fn command, const char *line, char ret_out[256])
{
	struct options options = {.way = CLIENT_SOCKET, .path = rig->path};
	char words[128], *rest = words, *argv[8] = {NULL};
	int out = dup(STDOUT_FILENO), argc = 0, status;
	FILE *f = tmpfile();
	size_t n;

	assert_non_null(f);
	assert_int_equal(pthread_create(&rig->thread, NULL, serve, rig), 0);
	snprintf(words, sizeof(words), "%s", line);
	while (rest) {
		argv[argc++] = strsep(&rest, " ");
	}
	rig->asked[0] = '\0';
	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	status = command(&options, argc, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	assert_int_equal(pthread_join(rig->thread, NULL), 0);
	rewind(f);
	n = fread(ret_out, 1, 255, f);
	ret_out[n] = '\0';
	fclose(f);
	assert_int_equal(status, EXIT_SUCCESS);
}

static void test_asks(void **state)
{
	static const struct {
		run_fn run;
		const char *line;
		const char *asked;
		const char *printed;
	} cases[] = {
		{run_gain, "gain front-left", "", "1 0\n2 1\n3 2\n4 3\n5 4\n6 5\n7 6\n8 80\n"},
		{run_gain, "gain front-left 8", "", "80\n"},
		{run_gain, "gain front-left 8 +79", "SetGain 8 79", ""},
		{run_gain, "gain front-left all -6", "SetGain 0 -6", ""},
		{run_mute, "mute front-left 8", "", "off\n"},
		{run_mute, "mute front-left 1 on", "SetMute 1 1", ""},
		{run_mute, "mute front-left 1 toggle", "SetMute 1 0", ""},
		{run_mute, "mute front-left 8 toggle", "SetMute 8 1", ""},
		{run_mute, "mute front-left all toggle", "SetMute 0 1", ""},
		{run_mute, "mute front-left all off", "SetMute 0 0", ""},
		{run_phantom, "phantom front-left", "", "1-4 off\n5-8 on\n"},
		{run_phantom, "phantom front-left 5-8", "", "on\n"},
		{run_phantom, "phantom front-left 1-4 on", "SetPhantom 1 1", ""},
		{run_phantom, "phantom front-left 5-8 off", "SetPhantom 2 0", ""},
		{run_reset, "reset front-left", "Reset", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char out[256];

		run(*state, cases[i].run, cases[i].line, out);
		assert_string_equal(((struct rig *)*state)->asked, cases[i].asked);
		assert_string_equal(out, cases[i].printed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_asks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
