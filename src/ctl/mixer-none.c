/* In place of mixer.c where ethlinkctl is built without ncurses. */
#include "ctl/command.h"

#include "base/log.h"

const char mixer_help[] = "This ethlinkctl was built without the mixer (--disable-mixer).\n";

int run_mixer(const struct options *options, int argc, char **argv)
{
	log_error("this ethlinkctl was built without the mixer; use meters, gain and mute, or build it with "
		  "ncurses");
	return EXIT_FAILURE;
}
