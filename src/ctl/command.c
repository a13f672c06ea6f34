#include "ctl/command.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int command_open(const struct options *options, struct client *client)
{
	char error[CLIENT_ERROR_MAX];
	int r = client_open(client, options->way, options->path, CLIENT_TIMEOUT_MS, error);

	if (r < 0) {
		command_log_lines(error);
	}
	return r;
}

int command_finish_output(void)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error("the output could not be written: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

bool command_wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

void command_log_lines(char *text)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		log_error("%s", line);
	}
}

int command_unknown(const char *command, const char *argument, const char *allowed)
{
	if (allowed) {
		log_error("%s does not know '%s'; allowed is %s", command, argument, allowed);
	} else {
		log_error("%s does not know '%s'; nothing is allowed behind it", command, argument);
	}
	return EXIT_USAGE;
}

int command_missing(const char *command, const char *what)
{
	log_error("%s needs %s; see ethlinkctl %s --help", command, what, command);
	return EXIT_USAGE;
}
