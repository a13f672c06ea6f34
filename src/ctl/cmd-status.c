#include "ctl/command.h"
#include "ctl/status.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

const char status_help[] = "Prints the daemon and its boxes.\n";
const char reload_help[] = "Makes the daemon read its configuration again.\n";
const char devices_help[] = "Prints the names of the boxes.\n";

/* 0 and the answer, which the caller unrefs; or -errno, and what is wrong has been said. */
static int call_daemon(const struct options *options, const char *method, sd_bus_message **ret_reply)
{
	char error[CLIENT_ERROR_MAX];
	struct client client;
	int r;

	r = command_open(options, &client);
	if (r < 0) {
		return r;
	}
	r = client_call(&client, method, ret_reply, error);
	client_close(&client);
	if (r < 0) {
		command_log_lines(error);
	}
	return r;
}

static int get_status(const struct options *options, struct status *ret_status)
{
	sd_bus_message *reply = NULL;
	int r;

	r = call_daemon(options, "GetStatus", &reply);
	if (r < 0) {
		return r;
	}
	r = status_read(reply, ret_status);
	if (r < 0) {
		log_error("the daemon's answer cannot be read (%s); are ethlinkd and ethlinkctl of one "
			  "version?",
			strerror(-r));
	}
	sd_bus_message_unref(reply);
	return r;
}

int run_status(const struct options *options, int argc, char **argv)
{
	bool json = false;
	struct status status;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") != 0) {
			return command_unknown("status", argv[i], "--json");
		}
		json = true;
	}
	if (get_status(options, &status) < 0) {
		return EXIT_FAILURE;
	}
	if (json) {
		status_print_json(&status, stdout);
	} else {
		status_print_text(&status, stdout, command_wants_colour());
	}
	status_fini(&status);
	return command_finish_output();
}

int run_reload(const struct options *options, int argc, char **argv)
{
	sd_bus_message *reply = NULL;

	if (argc > 1) {
		return command_unknown("reload", argv[1], NULL);
	}
	if (call_daemon(options, "Reload", &reply) < 0) {
		return EXIT_FAILURE;
	}
	sd_bus_message_unref(reply);
	return EXIT_SUCCESS;
}

int run_devices(const struct options *options, int argc, char **argv)
{
	struct status status;

	if (argc > 1) {
		return command_unknown("devices", argv[1], NULL);
	}
	if (get_status(options, &status) < 0) {
		return EXIT_FAILURE;
	}
	for (unsigned i = 0; i < status.n_devices; i++) {
		puts(prop_string(&status.devices[i], "name", "?"));
	}
	status_fini(&status);
	return command_finish_output();
}
