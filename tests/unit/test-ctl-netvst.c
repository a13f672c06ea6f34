/*
 * ethlinkctl and NetVST sections: what of them is read and written as JSON and as text, and what the command netvst asks
 * of the daemon. A throw-away sd-bus server in a thread stands for a daemon with a client and a server.
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
#include "netvst-status.h"

#define OUT_SIZE 8192

struct rig {
	char folder[32];
	char path[64];
	int listen_fd;
	pthread_t thread;
	struct netvst_told told;
	char asked[256]; /* the object, the method and its arguments; the thread's until it is joined */
	char out[OUT_SIZE], err[OUT_SIZE];
};

/* --- the daemon's part --- */

static int reply_status(struct rig *rig, sd_bus_message *call)
{
	sd_bus_message *reply = NULL;
	int r;

	r = sd_bus_message_new_method_return(call, &reply);
	r = r < 0 ? r : netvst_append_status(reply, &rig->told);
	r = r < 0 ? r : sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? -1 : 1;
}

static int on_call(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct rig *rig = data;
	const char *member = sd_bus_message_get_member(call), *path = sd_bus_message_get_path(call);
	uint32_t a = 0, b = 0;
	double d = 0;
	int on = 0;

	if (sd_bus_message_is_method_call(call, "org.ethlinkd1.Manager", "GetStatus")) {
		return reply_status(rig, call);
	}
	if (sd_bus_message_is_method_call(call, "org.ethlinkd1.Manager", "ListDevices")) {
		return sd_bus_reply_method_return(call, "a(so)", 1, "stage", "/org/ethlinkd1/device/stage") <
				       0
			       ? -1
			       : 1;
	}
	if (!sd_bus_message_is_method_call(call, "org.ethlinkd1.Netvst", NULL) ||
		strcmp(path, "/org/ethlinkd1/netvst/reverb") != 0) {
		return sd_bus_error_set(error, SD_BUS_ERROR_UNKNOWN_OBJECT, "there is none");
	}
	if (strcmp(member, "SetParameter") == 0) {
		sd_bus_message_read(call, "uud", &a, &b, &d);
		if (b == 9) {
			return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "no parameters here");
		}
		snprintf(rig->asked, sizeof(rig->asked), "%s %u %u %g", member, a, b, d);
	} else if (strcmp(member, "SetGain") == 0) {
		sd_bus_message_read(call, "ud", &a, &d);
		snprintf(rig->asked, sizeof(rig->asked), "%s %u %g", member, a, d);
	} else if (strcmp(member, "SetMute") == 0) {
		sd_bus_message_read(call, "ub", &a, &on);
		snprintf(rig->asked, sizeof(rig->asked), "%s %u %d", member, a, on);
	} else {
		snprintf(rig->asked, sizeof(rig->asked), "%s", member);
	}
	return sd_bus_reply_method_return(call, "") < 0 ? -1 : 1;
}

static void *serve(void *data)
{
	struct rig *rig = data;
	int fd = accept4(rig->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	/* Shut down: nobody has called. */
	if (fd >= 0) {
		bus_serve(fd, "/org/ethlinkd1", on_call, rig);
	}
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

/* --- the program's part --- */

struct capture {
	FILE *file;
	int fd, old;
};

static void capture_begin(struct capture *c, int fd)
{
	c->file = tmpfile();
	assert_non_null(c->file);
	c->fd = fd;
	c->old = dup(fd);
	dup2(fileno(c->file), fd);
}

static void capture_end(struct capture *c, char ret_text[OUT_SIZE])
{
	size_t n;

	dup2(c->old, c->fd);
	close(c->old);
	rewind(c->file);
	n = fread(ret_text, 1, OUT_SIZE - 1, c->file);
	ret_text[n] = '\0';
	fclose(c->file);
}

typedef int (*run_fn)(const struct options *options, int argc, char **argv);

/* A command with the words of line. Its exit status; what it prints is in the rig. calls: the daemon is asked. */
static int run(struct rig *rig, run_fn command, const char *line, bool calls)
{
	struct options options = {.way = CLIENT_SOCKET, .path = rig->path};
	char words[256], *rest = words, *argv[16] = {NULL};
	struct capture out, err;
	int argc = 0, status;

	if (calls) {
		assert_int_equal(pthread_create(&rig->thread, NULL, serve, rig), 0);
	}
	snprintf(words, sizeof(words), "%s", line);
	while (rest) {
		argv[argc++] = strsep(&rest, " ");
	}
	rig->asked[0] = '\0';
	fflush(stdout);
	capture_begin(&out, STDOUT_FILENO);
	capture_begin(&err, STDERR_FILENO);
	status = command(&options, argc, argv);
	fflush(stdout);
	capture_end(&err, rig->err);
	capture_end(&out, rig->out);
	if (calls) {
		assert_int_equal(pthread_join(rig->thread, NULL), 0);
	}
	return status;
}

static void check_width(const char *text)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		if (len > 80) {
			fail_msg("%zu columns: %.*s", len, (int)len, line);
		}
		line += len + (line[len] == '\n');
	}
}

static void check_has(const char *text, const char *part)
{
	if (!strstr(text, part)) {
		fail_msg("'%s' is not in:\n%s", part, text);
	}
}

/* --- what is printed --- */

#define TABLE                                                                                                \
	"NETVST   ROLE    STATE        PEER                     LATENCY TRIP ms  LATE\n"                     \
	"reverb   client  online       127.0.0.1:27016    13.3 ms (640)    0.30     0\n"                     \
	"daw      server  listening    0.0.0.0:27016        2.0 ms (96)       -     -\n"                     \
	"  daw-1  slot    playing      192.168.1.20:50312  2.1 ms (101)       -     5\n"                     \
	"  daw-2  slot    free         -                              -       -     -\n"

static void test_table(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(run(rig, run_netvst, "netvst", true), EXIT_SUCCESS);
	assert_string_equal(rig->out, TABLE);
	check_width(rig->out);
	assert_int_equal(run(rig, run_status, "status", true), EXIT_SUCCESS);
	assert_string_equal(
		rig->out, "ethlinkd 0.1.0: jack, 48000 Hz, period 128 (2.7 ms), 0 xruns\n\n" TABLE);
}

/* What is to be done stands below, behind what the daemon says is wrong; nothing of it where all is well. */
static void test_hints(void **state)
{
	static const struct {
		struct netvst_told told;
		const char *want[3];
	} cases[] = {
		{{.state = "connecting", .error = "no answer\x1b[2J"},
			{"\nreverb   client  connecting   studio-pc:27016 ", "\n    no answer?[2J\n",
				"are host and port in ethlinkd.conf right?\n"}},
		{{.state = "connecting"}, {"\n    it is tried again all the time"}},
		{{.state = "measuring"}, {" measuring ", "\n    the round trip is being measured"}},
		{{.state = "stopped"}, {" stopped ", "\n    there is no sound server: start it"}},
		{{.server_state = "unavailable", .error = "Address already in use"},
			{" unavailable ", "\n    Address already in use\n", "is the port free (ss -ltn)?\n"}},
		{{.server_state = "stopped"}, {"\n    there is no sound server"}},
		{{.state = "dancing"}, {" dancing "}},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rig->told = cases[i].told;
		assert_int_equal(run(rig, run_netvst, "netvst", true), EXIT_SUCCESS);
		check_width(rig->out);
		for (unsigned k = 0; k < 3 && cases[i].want[k]; k++) {
			check_has(rig->out, cases[i].want[k]);
		}
	}
	rig->told = (struct netvst_told){.error = "what the last peer did wrong"};
	assert_int_equal(run(rig, run_netvst, "netvst", true), EXIT_SUCCESS);
	assert_string_equal(rig->out, TABLE);
}

static void test_client_page(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(run(rig, run_netvst, "netvst reverb", true), EXIT_SUCCESS);
	check_width(rig->out);
	assert_string_equal(rig->out,
		"reverb: client of studio-pc:27016, dialect 2017, codec wavpack, block 512\n"
		"state       online, peer 127.0.0.1:27016\n"
		"latency     13.3 ms, 640 sample frames, auto\n\n"
		"STRIP       GAIN dB  MUTE   PEAK L   PEAK R\n"
		"send             -6  off     -12.3        -\n"
		"return            3  on          -        -\n\n"
		"round trip  0.30 ms median, 99 % within 0.41 ms, the longest 0.90 ms\n"
		"late        0 blocks, 0 times; 0 skipped\n"
		"sent        1000 blocks, 2.0 MB\n"
		"received    999 blocks, 1.0 MB\n"
		"compression 61.2 % of the size without it\n"
		"MIDI        0 sent, 0 received, 0 lost\n"
		"connected   1 times, begun anew 0 times\n"
		"callback    0.6 us median, 99 % within 1.1 us, the longest 3.0 us\n");
	assert_int_equal(run(rig, run_status, "status reverb", true), EXIT_SUCCESS);
	check_has(rig->out, "reverb: client of studio-pc:27016,");
}

static void test_server_page(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(run(rig, run_netvst, "netvst daw", true), EXIT_SUCCESS);
	check_width(rig->out);
	assert_string_equal(rig->out,
		"daw: server at 0.0.0.0:27016, dialect audiokit, codec pcm\n"
		"state       listening\n"
		"allowed     192.168.1.0/24, 10.0.0.7/32\n"
		"latency     2.0 ms, 96 sample frames\n\n"
		"STRIP       GAIN dB  MUTE   PEAK L   PEAK R\n"
		"send              0  off         -        -\n"
		"return            0  off         -        -\n\n"
		"closed      7 refused, 0 broke the protocol, 0 stood still\n"
		"sent        0 blocks, 0.0 MB\n"
		"received    0 blocks, 0.0 MB\n"
		"MIDI        0 sent, 0 received, 0 lost\n"
		"connected   0 times, begun anew 0 times\n\n"
		"daw-1       playing, 192.168.1.20:50312, block 256, 2.1 ms (101) wait\n"
		"            4000 blocks, 5 replies late, connected 2 times\n"
		"            3 corrections: 8 frames dropped, 4 repeated; begun anew 0 times\n\n"
		"daw-2       free\n"
		"            0 blocks, 0 replies late, connected 0 times\n"
		"            0 corrections: 0 frames dropped, 0 repeated; begun anew 0 times\n");
}

#define REVERB_JSON                                                                                          \
	"  \"netvst\": [\n    {\n      \"name\": \"reverb\",\n      \"role\": \"client\",\n"                 \
	"      \"state\": \"online\",\n      \"dialect\": \"2017\",\n      \"codec\": \"wavpack\",\n"        \
	"      \"block\": 512,\n      \"host\": \"studio-pc\",\n      \"port\": 27016,\n"                    \
	"      \"peer\": \"127.0.0.1:27016\",\n      \"latency_frames\": 640,\n"                             \
	"      \"latency_mode\": \"auto\",\n"                                                                \
	"      \"rtt_us\": {\"median\": 300.0, \"p90\": 380.0, \"p99\": 410.0, \"max\": 900.0},\n"           \
	"      \"blocks_sent\": 1000,\n      \"blocks_received\": 999,\n      \"late_blocks\": 0,\n"         \
	"      \"late_episodes\": 0,\n      \"skipped_blocks\": 0,\n      \"bytes_sent\": 2000000,\n"        \
	"      \"bytes_received\": 1000000,\n      \"compression_ratio\": 0.612,\n"                          \
	"      \"connects\": 1,\n      \"overruns\": null,\n      \"midi_sent\": null,\n"                    \
	"      \"midi_received\": null,\n      \"midi_lost\": null,\n      \"gain_db\": [-6, 3],\n"          \
	"      \"mute\": [false, true],\n"                                                                   \
	"      \"peak_dbfs\": {\"send\": [-12.3, null], \"return\": [null, null]},\n"                        \
	"      \"callback_us\": {\"median\": 0.60, \"p99\": 1.12, \"max\": 3.00},\n"                         \
	"      \"error\": null,\n      \"allow\": null,\n      \"refused\": null,\n"                         \
	"      \"bad_peers\": null,\n      \"timeouts\": null,\n      \"slots\": [],\n"                      \
	"      \"later\": \"x\"\n    }"

static void test_json(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(run(rig, run_netvst, "netvst --json reverb", true), EXIT_SUCCESS);
	assert_string_equal(rig->out, "{\n" REVERB_JSON "\n  ]\n}\n");
	assert_int_equal(run(rig, run_status, "status reverb --json", true), EXIT_SUCCESS);
	check_has(rig->out, "  \"devices\": [],\n" REVERB_JSON "\n  ]\n}\n");
	assert_int_equal(run(rig, run_netvst, "netvst --json", true), EXIT_SUCCESS);
	check_has(rig->out, REVERB_JSON ",\n    {\n      \"name\": \"daw\",\n");
	check_has(rig->out, "\"allow\": [\"192.168.1.0/24\", \"10.0.0.7/32\"],\n      \"refused\": 7,\n");
	check_has(rig->out, "\"compression_ratio\": null,\n");
	check_has(rig->out, "      \"slots\": [{\"slot\": 1, \"name\": \"daw-1\", \"state\": \"playing\", ");
	/* What D-Bus has no word for. */
	rig->told.state = "connecting";
	assert_int_equal(run(rig, run_netvst, "netvst --json reverb", true), EXIT_SUCCESS);
	check_has(rig->out, "      \"peer\": null,\n");
	check_has(rig->out, "      \"rtt_us\": null,\n");
	rig->told.error = "no route";
	assert_int_equal(run(rig, run_netvst, "netvst --json reverb", true), EXIT_SUCCESS);
	check_has(rig->out, "      \"error\": \"no route\",\n");
}

/* For shells that complete names. */
static void test_names(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(run(rig, run_devices, "devices", true), EXIT_SUCCESS);
	assert_string_equal(rig->out, "stage\n");
	assert_int_equal(run(rig, run_devices, "devices --netvst", true), EXIT_SUCCESS);
	assert_string_equal(rig->out, "reverb\ndaw\n");
	assert_int_equal(run(rig, run_devices, "devices --all", true), EXIT_SUCCESS);
	assert_string_equal(rig->out, "stage\nreverb\ndaw\n");
	assert_int_equal(run(rig, run_devices, "devices x", false), EXIT_USAGE);
	check_has(rig->err, "does not know 'x'; allowed is --netvst or --all");
	assert_int_equal(run(rig, run_devices, "devices --all x", false), EXIT_USAGE);
	check_has(rig->err, "does not know 'x'");
}

/* --- what is asked --- */

static void test_asks(void **state)
{
	static const struct {
		const char *line, *asked, *printed;
	} cases[] = {
		{"netvst reverb gain send -6", "SetGain 1 -6", ""},
		{"netvst reverb gain return +12", "SetGain 2 12", ""},
		{"netvst reverb gain all 0", "SetGain 0 0", ""},
		{"netvst reverb gain all", "", "send -6\nreturn 3\n"},
		{"netvst reverb gain send", "", "-6\n"},
		{"netvst reverb gain return", "", "3\n"},
		{"netvst reverb mute send", "SetMute 1 1", ""},
		{"netvst reverb mute all", "SetMute 0 1", ""},
		{"netvst reverb unmute return", "SetMute 2 0", ""},
		{"netvst reverb param 0 65535 0.25", "SetParameter 0 65535 0.25", ""},
		{"netvst reverb param 3 4 -1e3", "SetParameter 3 4 -1000", ""},
		{"netvst reverb reset", "Reset", ""},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(run(rig, run_netvst, cases[i].line, true), EXIT_SUCCESS);
		assert_string_equal(rig->asked, cases[i].asked);
		assert_string_equal(rig->out, cases[i].printed);
		assert_string_equal(rig->err, "");
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *line;
		int status; /* EXIT_FAILURE: it comes from the daemon */
		const char *said;
	} cases[] = {
		{"netvst nix", EXIT_FAILURE, "there is no NetVST section 'nix'; there is: reverb, daw\n"},
		{"netvst nix --json", EXIT_FAILURE,
			"there is no NetVST section 'nix'; there is: reverb, daw\n"},
		{"netvst nix gain send", EXIT_FAILURE, "there is no NetVST section 'nix'; there is: reverb"},
		{"netvst nix gain send 0", EXIT_FAILURE,
			"there is no NetVST section 'nix'; there is: reverb"},
		{"netvst nix reset", EXIT_FAILURE,
			"there is no NetVST section 'nix'; there is: reverb, daw\n"},
		{"netvst reverb param 0 9 1", EXIT_FAILURE, "error: no parameters here\n"},
		{"netvst reverb sing", EXIT_USAGE,
			"netvst does not know 'sing'; allowed is param, gain, mute, unmute and reset\n"},
		{"netvst reverb gain", EXIT_USAGE, "behind gain stands send, return or all, and then DB"},
		{"netvst reverb gain left 0", EXIT_USAGE,
			"'left' is no strip; allowed are send, return and all\n"},
		{"netvst reverb gain send loud", EXIT_USAGE, "'loud' is no number of dB"},
		{"netvst reverb gain send 0 0", EXIT_USAGE, "behind gain stands"},
		{"netvst reverb mute", EXIT_USAGE, "behind mute stands send, return or all;"},
		{"netvst reverb unmute x", EXIT_USAGE, "'x' is no strip"},
		{"netvst reverb param 1 2", EXIT_USAGE, "behind param stands EFFECT, PARAM and VALUE"},
		{"netvst reverb param -1 2 3", EXIT_USAGE,
			"'-1' is no number of an effect; allowed are 0 to 65535\n"},
		{"netvst reverb param 1 65536 3", EXIT_USAGE, "'65536' is no number of a parameter;"},
		{"netvst reverb param 1 2 nan", EXIT_USAGE,
			"'nan' is no value; write a number such as 0.5\n"},
		{"netvst reverb param 1 2 1e39", EXIT_USAGE, "'1e39' is no value"},
		{"netvst reverb param 1 2 3 4", EXIT_USAGE, "netvst does not know '4'"},
		{"netvst reverb reset x", EXIT_USAGE, "behind reset stands nothing"},
		{"netvst --jsn", EXIT_USAGE, "netvst does not know '--jsn'; allowed is --json"},
		{"netvst reverb reset --json", EXIT_USAGE, "netvst does not know '--json'"},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int status = run(rig, run_netvst, cases[i].line, cases[i].status == EXIT_FAILURE);

		check_has(rig->err, cases[i].said);
		assert_int_equal(status, cases[i].status);
		assert_string_equal(rig->out, "");
		assert_string_equal(rig->asked, "");
	}
	assert_int_equal(run(rig, run_status, "status nix", true), EXIT_FAILURE);
	check_has(rig->err, "there is no box or NetVST section 'nix'; there is: reverb, daw\n");
	/* Commands for boxes say where a section's are. */
	assert_int_equal(run(rig, run_gain, "gain reverb all 0", true), EXIT_FAILURE);
	check_has(rig->err, "'reverb' is no box but a NetVST section; see ethlinkctl netvst --help\n");
	assert_int_equal(run(rig, run_gain, "gain nix all 0", true), EXIT_FAILURE);
	check_has(rig->err, "there is no box 'nix'; there is: stage\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hints, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_server_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_asks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
