#include "ctl/command.h"

#include "base/log.h"

const char mixer_help[] = "Shows faders, mutes, meters and link states on the whole terminal.\n";

int run_mixer(const struct options *options, int argc, char **argv)
{
	log_error("mixer is not built");
	return EXIT_FAILURE;
}
