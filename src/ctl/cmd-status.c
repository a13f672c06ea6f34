#include "ctl/command.h"
#include "ctl/status.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* A shell that completes a word does not wait longer. */
#define DEVICES_TIMEOUT_MS 1000

const char status_help[] =
	"Prints a line about the daemon and one for each box and each NetVST section, and what to do\n"
	"about one that is not online. With NAME, all about that box: its gains and mutes and whether\n"
	"they come from the configuration or were set at run time, its labels and its counters; or all\n"
	"about that NetVST section.\n\n"
	"  --json    one JSON object, with NAME with that box or section alone; ethlinkctl(1) lists its "
	"keys\n";

const char reload_help[] =
	"Makes the daemon read its configuration again and waits for the result. If anything in it\n"
	"is wrong, all of it is said, nothing changes, and the exit status is 1.\n";

const char devices_help[] =
	"Prints the names of the boxes in the configuration, one a line. Where the daemon does not\n"
	"run, it prints nothing, also no error, and the exit status is 1: shells complete names with it.\n\n"
	"  --netvst  the names of the NetVST sections instead\n"
	"  --all     the names of both\n";

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

/* Names those that there are. */
static void say_no_device(const struct status *status, const char *name)
{
	char error[CLIENT_ERROR_MAX];
	char *names = NULL;
	size_t len;
	FILE *f = open_memstream(&names, &len);

	for (unsigned i = 0; f && i < status->n_devices; i++) {
		fprintf(f, "%s%s", i ? ", " : "", prop_string(&status->devices[i], "name", "?"));
	}
	for (unsigned i = 0; f && i < status->n_netvst; i++) {
		fprintf(f, "%s%s", i + status->n_devices ? ", " : "",
			prop_string(&status->netvst[i], "name", "?"));
	}
	if (f && fclose(f) == 0) {
		if (status->n_netvst > 0) {
			log_error("there is no box or NetVST section '%s'; there is: %s", name, names);
		} else {
			client_explain_no_device(name, names, error);
			log_error("%s", error);
		}
	}
	free(names);
}

static void print_all(const struct status *status, bool json)
{
	if (json) {
		status_print_json(status, stdout);
	} else {
		status_print_text(status, stdout, command_wants_colour());
	}
}

static int print_one(struct status *status, const char *name, bool json)
{
	int box = status_find(status, name), netvst = status_find_netvst(status, name);

	if (box < 0 && netvst < 0) {
		say_no_device(status, name);
		return EXIT_FAILURE;
	}
	if (json && box >= 0) {
		status_keep(status, (unsigned)box);
	} else if (json) {
		status_keep_netvst(status, (unsigned)netvst);
	}
	if (json) {
		status_print_json(status, stdout);
	} else if (box >= 0) {
		status_print_device(status, (unsigned)box, stdout, command_wants_colour());
	} else {
		status_print_netvst(status, (unsigned)netvst, stdout, command_wants_colour());
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
			return command_unknown(
				"status", argv[i], "--json and the name of one box or NetVST section");
		}
	}
	if (command_get_status(options, &status) < 0) {
		return EXIT_FAILURE;
	}
	if (device) {
		r = print_one(&status, device, json);
	} else {
		print_all(&status, json);
		r = command_finish_output();
	}
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
	bool boxes = true, netvst = false;
	char error[CLIENT_ERROR_MAX];
	struct client client;
	int n = 0, n_netvst = 0;

	if (argc > 1) {
		netvst = strcmp(argv[1], "--netvst") == 0 || strcmp(argv[1], "--all") == 0;
		boxes = strcmp(argv[1], "--netvst") != 0;
		if (!netvst || argc > 2) {
			return command_unknown("devices", argv[netvst ? 2 : 1], "--netvst or --all");
		}
	}
	if (client_open(&client, options->way, options->path, DEVICES_TIMEOUT_MS, error) < 0) {
		return EXIT_FAILURE;
	}
	if (boxes) {
		n = client_print_devices(&client, "\n", stdout, error);
		fputs(n > 0 ? "\n" : "", stdout);
	}
	if (netvst && n >= 0) {
		n_netvst = client_print_netvst(&client, "\n", stdout, error);
		fputs(n_netvst > 0 ? "\n" : "", stdout);
	}
	client_close(&client);
	return n < 0 || n_netvst < 0 ? EXIT_FAILURE : command_finish_output();
}
