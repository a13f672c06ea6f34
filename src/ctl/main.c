#include "config.h"

#include "base/log.h"
#include "base/util.h"
#include "ctl/command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
	{"status", "[NAME] [--json]", "the daemon, its boxes and NetVST sections, for a person or as JSON",
		status_help, run_status},
	{"gain", "DEVICE [CHANNEL|all] [DB]", "read or set gains", gain_help, run_gain},
	{"mute", "DEVICE [CHANNEL|all] [on|off|toggle]", "read or set mutes", mute_help, run_mute},
	{"phantom", "DEVICE [1-4|5-8] [on|off]", "read or set the phantom power of an adc8", phantom_help,
		run_phantom},
	{"reset", "DEVICE", "go back to the configuration's gains, mutes and phantom power", reset_help,
		run_reset},
	{"meters", "[DEVICE] [--json] [--once]", "show levels", meters_help, run_meters},
	{"mixer", "", "faders, mutes, meters and link states on the whole terminal", mixer_help, run_mixer},
	{"netvst",
		"[NAME [param EFFECT PARAM VALUE | gain STRIP [DB] | mute STRIP | unmute STRIP | reset]] "
		"[--json]",
		"list NetVST sections; their gains, mutes and plug-in parameters", netvst_help, run_netvst},
	{"scan", "INTERFACE [--probe] [--serial A-B] [--model MODEL] [--seconds N] [--json]",
		"look for boxes", scan_help, run_scan},
	{"doctor", "[--json] [-v]", "check what makes audio glitch on this machine", doctor_help, run_doctor},
	{"devices", "[--netvst | --all]", "the names of the boxes or NetVST sections, one a line",
		devices_help, run_devices},
	{"reload", "", "read the configuration again; if it is wrong, nothing changes", reload_help,
		run_reload},
};

static void print_help(FILE *f)
{
	fputs("Usage: ethlinkctl [--user | --system | --socket=PATH] COMMAND\n\n"
	      "Asks a running ethlinkd, and tells it what to do.\n\n"
	      "Commands:\n",
		f);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].summary);
	}
	fputs("\nethlinkctl COMMAND --help says more about a command.\n\n"
	      "Options:\n"
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

static int print_command_help(const struct command *command)
{
	printf("Usage: ethlinkctl %s%s%s\n\n%s", command->name, *command->arguments ? " " : "",
		command->arguments, command->help);
	return command_finish_output();
}

static int run_command(const struct options *options, int argc, char **argv)
{
	const struct command *command = NULL;

	if (argc == 0) {
		list_commands(NULL);
		return usage_error();
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands) && !command; i++) {
		if (strcmp(commands[i].name, argv[0]) == 0) {
			command = &commands[i];
		}
	}
	if (!command) {
		list_commands(argv[0]);
		return EXIT_USAGE;
	}
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			return print_command_help(command);
		}
	}
	return command->run(options, argc, argv);
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
			return command_finish_output();
		case 'V':
			puts("ethlinkctl " PACKAGE_VERSION);
			return command_finish_output();
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
