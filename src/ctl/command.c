#include "ctl/command.h"

#include "base/log.h"

#include <errno.h>
#include <math.h>
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

int command_get_status(const struct options *options, struct status *ret_status)
{
	char error[CLIENT_ERROR_MAX];
	sd_bus_message *reply = NULL;
	struct client client;
	int r;

	r = command_open(options, &client);
	if (r < 0) {
		return r;
	}
	r = client_call(&client, "GetStatus", &reply, error);
	client_close(&client);
	if (r >= 0) {
		r = status_read(reply, ret_status);
		if (r < 0) {
			client_explain_unreadable(-r, error);
		}
	}
	sd_bus_message_unref(reply);
	if (r < 0) {
		command_log_lines(error);
	}
	return r;
}

/* The range is the daemon's to say: it depends on the box. */
int command_parse_db(const char *command, const char *s, double *ret_db)
{
	char *end;
	double db;

	/* strtod() knows more forms of numbers than a person expects. */
	if (*s == '\0' || s[strspn(s, "+-.0123456789")] != '\0') {
		log_error("%s: '%s' is no number of dB; write one such as -6 or 0", command, s);
		return -EINVAL;
	}
	db = strtod(s, &end);
	if (end == s || *end != '\0' || !isfinite(db)) {
		log_error("%s: '%s' is no number of dB; write one such as -6 or 0", command, s);
		return -EINVAL;
	}
	*ret_db = db;
	return 0;
}

int command_finish_call(struct client *client, int r, char error[CLIENT_ERROR_MAX])
{
	client_close(client);
	if (r < 0) {
		command_log_lines(error);
	}
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
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
