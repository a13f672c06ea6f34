/*
 * What the commands of ethlinkctl share: how they are called, and what each of them needs for its work.
 * A command gets what stands behind the options of the program, argv[0] being its name; --help is answered
 * before it is called. It returns the program's exit status, and has said what was wrong. One thread.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "ctl/client.h"
#include "ctl/status.h"

#include <stdbool.h>
#include <stdlib.h>

/* Beside EXIT_SUCCESS and EXIT_FAILURE (the daemon does not run or refuses): a wrong command line. */
#define EXIT_USAGE 2

struct options {
	enum client_way way;
	const char *path; /* CLIENT_SOCKET */
};

struct command {
	const char *name;
	const char *arguments; /* as in a usage line */
	const char *summary;   /* for the list of commands: no capital, no full stop */
	const char *help;      /* whole lines, below the usage line of --help */
	int (*run)(const struct options *options, int argc, char **argv);
};

int run_status(const struct options *options, int argc, char **argv);
int run_reload(const struct options *options, int argc, char **argv);
int run_devices(const struct options *options, int argc, char **argv);
int run_gain(const struct options *options, int argc, char **argv);
int run_mute(const struct options *options, int argc, char **argv);
int run_phantom(const struct options *options, int argc, char **argv);
int run_reset(const struct options *options, int argc, char **argv);
int run_meters(const struct options *options, int argc, char **argv);
int run_mixer(const struct options *options, int argc, char **argv);
int run_scan(const struct options *options, int argc, char **argv);
int run_doctor(const struct options *options, int argc, char **argv);
int run_netvst(const struct options *options, int argc, char **argv);

extern const char status_help[];
extern const char reload_help[];
extern const char devices_help[];
extern const char gain_help[];
extern const char mute_help[];
extern const char phantom_help[];
extern const char reset_help[];
extern const char meters_help[];
extern const char mixer_help[];
extern const char scan_help[];
extern const char doctor_help[];
extern const char netvst_help[];

/* A connection for these options, to be ended with client_close(). 0; or -errno, and what is wrong is said. */
int command_open(const struct options *options, struct client *client);

/* The answer to GetStatus, to be ended with status_fini(). 0; or -errno, and what is wrong is said. */
int command_get_status(const struct options *options, struct status *ret_status);

/* A number of dB. 0; or -EINVAL, and what is wrong is said. */
int command_parse_db(const char *command, const char *s, double *ret_db);

/* Ends the connection, and says error where r is negative. Returns the exit status. */
int command_finish_call(struct client *client, int r, char error[CLIENT_ERROR_MAX]);

/* EXIT_SUCCESS, or EXIT_FAILURE where standard output did not take everything (a full disk, a closed pipe). */
int command_finish_output(void);

/* Standard output is a terminal that knows colours, and NO_COLOR is not set. */
bool command_wants_colour(void);

/* Each line is an error of its own. text is cut up. */
void command_log_lines(char *text);

/* Says that the argument has no place there; allowed: what has, or NULL for nothing. Returns EXIT_USAGE. */
int command_unknown(const char *command, const char *argument, const char *allowed);

/* Says what is missing. Returns EXIT_USAGE. */
int command_missing(const char *command, const char *what);

#endif
