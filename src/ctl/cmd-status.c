#include "ctl/command.h"
#include "ctl/status.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* A shell that completes a word does not wait longer. */
#define DEVICES_TIMEOUT_MS 1000

const char status_help[] =
	"Prints a line about the daemon and one for each box, and what to do about a box that is\n"
	"not online. With DEVICE, all about that box: its gains and mutes and whether they come from\n"
	"the configuration or were set at run time, its labels and its counters.\n\n"
	"  --json    one JSON object, with DEVICE with that box alone; ethlinkctl(1) lists its keys\n";

const char reload_help[] =
	"Makes the daemon read its configuration again and waits for the result. If anything in it\n"
	"is wrong, all of it is said, nothing changes, and the exit status is 1.\n";

const char devices_help[] =
	"Prints the names of the boxes in the configuration, one a line. Where the daemon does not\n"
	"run, it prints nothing, also no error, and the exit status is 1: shells complete names with it.\n";

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
	char error[CLIENT_ERROR_MAX];
	sd_bus_message *reply = NULL;
	int r;

	r = call_daemon(options, "GetStatus", &reply);
	if (r < 0) {
		return r;
	}
	r = status_read(reply, ret_status);
	if (r < 0) {
		client_explain_unreadable(-r, error);
		log_error("%s", error);
	}
	sd_bus_message_unref(reply);
	return r;
}

static void say_no_device(const struct status *status, const char *name)
{
	char error[CLIENT_ERROR_MAX];
	char *names = NULL;
	size_t len;
	FILE *f = open_memstream(&names, &len);

	for (unsigned i = 0; f && i < status->n_devices; i++) {
		fprintf(f, "%s%s", i ? ", " : "", prop_string(&status->devices[i], "name", "?"));
	}
	if (f && fclose(f) == 0) {
		client_explain_no_device(name, names, error);
		log_error("%s", error);
	}
	free(names);
}

static int print_status(struct status *status, const char *device, bool json)
{
	int i = device ? status_find(status, device) : 0;

	if (i < 0) {
		say_no_device(status, device);
		return EXIT_FAILURE;
	}
	if (json) {
		if (device) {
			status_keep(status, (unsigned)i);
		}
		status_print_json(status, stdout);
	} else if (device) {
		status_print_device(status, (unsigned)i, stdout, command_wants_colour());
	} else {
		status_print_text(status, stdout, command_wants_colour());
	}
	return command_finish_output();
}

int run_status(const struct options *options, int argc, char **argv)
{
	const char *device = NULL;
	struct status status;
	bool json = false;
	int r;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			json = true;
		} else if (*argv[i] != '-' && !device) {
			device = argv[i];
		} else {
			return command_unknown("status", argv[i], "--json and the name of one box");
		}
	}
	if (get_status(options, &status) < 0) {
		return EXIT_FAILURE;
	}
	r = print_status(&status, device, json);
	status_fini(&status);
	return r;
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
	char error[CLIENT_ERROR_MAX];
	struct client client;
	int n;

	if (argc > 1) {
		return command_unknown("devices", argv[1], NULL);
	}
	if (client_open(&client, options->way, options->path, DEVICES_TIMEOUT_MS, error) < 0) {
		return EXIT_FAILURE;
	}
	n = client_print_devices(&client, "\n", stdout, error);
	client_close(&client);
	if (n < 0) {
		return EXIT_FAILURE;
	}
	if (n > 0) {
		putchar('\n');
	}
	return command_finish_output();
}
