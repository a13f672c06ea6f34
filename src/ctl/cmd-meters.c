#include "ctl/command.h"

#include "base/log.h"

const char meters_help[] = "Shows levels.\n";

int run_meters(const struct options *options, int argc, char **argv)
{
	log_error("meters is not built");
	return EXIT_FAILURE;
}
