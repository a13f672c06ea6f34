#include "ctl/command.h"

#include "base/log.h"

const char gain_help[] = "Reads or sets gains.\n";
const char mute_help[] = "Reads or sets mutes.\n";
const char phantom_help[] = "Reads or sets phantom power.\n";
const char reset_help[] = "Goes back to the configuration.\n";

int run_gain(const struct options *options, int argc, char **argv)
{
	log_error("gain is not built");
	return EXIT_FAILURE;
}

int run_mute(const struct options *options, int argc, char **argv)
{
	log_error("mute is not built");
	return EXIT_FAILURE;
}

int run_phantom(const struct options *options, int argc, char **argv)
{
	log_error("phantom is not built");
	return EXIT_FAILURE;
}

int run_reset(const struct options *options, int argc, char **argv)
{
	log_error("reset is not built");
	return EXIT_FAILURE;
}
