#include "config.h"

#include "base/log.h"
#include "base/util.h"
#include "ctl/client.h"
#include "ctl/status.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2

struct options {
	enum client_way way;
	const char *path;
};

struct command {
	const char *name;
	const char *arguments;
	const char *help;
	int (*run)(const struct options *options, int argc, char **argv); /* argv[0]: the command */
};

static int run_status(const struct options *options, int argc, char **argv);
static int run_reload(const struct options *options, int argc, char **argv);

static const struct command commands[] = {
	{"status", "[--json]", "the daemon and its boxes, for a person or as JSON", run_status},
	{"reload", "", "read the configuration again; if it is wrong, nothing changes", run_reload},
};

static void print_help(FILE *f)
{
	fputs("Usage: ethlinkctl [--user | --system | --socket=PATH] COMMAND\n\n"
	      "Asks a running ethlinkd.\n\n"
	      "Commands:\n",
		f);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		fprintf(f, "  %s %-20s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
	}
	fputs("\nOptions:\n"
	      "      --socket=PATH          the daemon's socket; without it the usual places are searched\n"
	      "      --user                 over the session bus\n"
	      "      --system               over the system bus\n"
	      "  -h, --help                 this text\n"
	      "      --version              the version\n\n"
	      "Exit status: 0; 1 where the daemon does not run or refuses; 2 for a wrong command line.\n"
	      "Manual: ethlinkctl(1)\n",
		f);
}

static int usage_error(void)
{
	fputs("Usage: ethlinkctl [--user | --system | --socket=PATH] COMMAND; see ethlinkctl --help\n",
		stderr);
	return EXIT_USAGE;
}

static void list_commands(const char *wrong)
{
	char list[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands) && len < sizeof(list); i++) {
		len += (size_t)snprintf(
			list + len, sizeof(list) - len, "%s%s", i ? ", " : "", commands[i].name);
	}
	if (wrong) {
		log_error("there is no command '%s'; there is: %s", wrong, list);
	} else {
		log_error("a command is missing; there is: %s", list);
	}
}

/* A full disk or a closed pipe must not look like success. */
static int finish_output(void)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error("the output could not be written: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static bool wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

/* Of several lines each is an error of its own. */
static void log_lines(char *text)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		log_error("%s", line);
	}
}

/* 0 and the answer, which the caller unrefs; or -errno, and what is wrong has been said. */
static int call_daemon(const struct options *options, const char *method, sd_bus_message **ret_reply)
{
	char error[CLIENT_ERROR_MAX];
	struct client client;
	int r;

	r = client_open(&client, options->way, options->path, CLIENT_TIMEOUT_MS, error);
	if (r >= 0) {
		r = client_call(&client, method, ret_reply, error);
		client_close(&client);
	}
	if (r < 0) {
		log_lines(error);
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

static int run_status(const struct options *options, int argc, char **argv)
{
	bool json = false;
	struct status status;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") != 0) {
			log_error("status does not know '%s'; allowed behind it is --json", argv[i]);
			return EXIT_USAGE;
		}
		json = true;
	}
	if (get_status(options, &status) < 0) {
		return EXIT_FAILURE;
	}
	if (json) {
		status_print_json(&status, stdout);
	} else {
		status_print_text(&status, stdout, wants_colour());
	}
	status_fini(&status);
	return finish_output();
}

static int run_reload(const struct options *options, int argc, char **argv)
{
	sd_bus_message *reply = NULL;

	if (argc > 1) {
		log_error("reload does not know '%s'; nothing is allowed behind it", argv[1]);
		return EXIT_USAGE;
	}
	if (call_daemon(options, "Reload", &reply) < 0) {
		return EXIT_FAILURE;
	}
	sd_bus_message_unref(reply);
	return EXIT_SUCCESS;
}

static int run_command(const struct options *options, int argc, char **argv)
{
	if (argc == 0) {
		list_commands(NULL);
		return usage_error();
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, argv[0]) == 0) {
			return commands[i].run(options, argc, argv);
		}
	}
	list_commands(argv[0]);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"user", no_argument, NULL, 'u'},
		{"system", no_argument, NULL, 's'},
		{"socket", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	struct options options = {.way = CLIENT_SEARCH};
	unsigned ways = 0;
	int c;

	log_set_program("ethlinkctl");
	/* + : what comes behind the command is the command's. */
	while ((c = getopt_long(argc, argv, "+h", long_options, NULL)) != -1) {
		switch (c) {
		case 'u':
			options.way = CLIENT_USER;
			ways++;
			break;
		case 's':
			options.way = CLIENT_SYSTEM;
			ways++;
			break;
		case 'p':
			options.way = CLIENT_SOCKET;
			options.path = optarg;
			ways++;
			break;
		case 'h':
			print_help(stdout);
			return finish_output();
		case 'V':
			puts("ethlinkctl " PACKAGE_VERSION);
			return finish_output();
		default:
			return usage_error();
		}
	}
	if (ways > 1) {
		log_error("--user, --system and --socket exclude each other; give one");
		return EXIT_USAGE;
	}
	if (options.path && !*options.path) {
		log_error("--socket needs the path of a socket, such as --socket=/run/ethlinkd/control");
		return EXIT_USAGE;
	}
	return run_command(&options, argc - optind, argv + optind);
}
