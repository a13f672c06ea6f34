#include "ctl/command.h"

#include "base/log.h"

const char scan_help[] = "Looks for boxes on an interface.\n";

int run_scan(const struct options *options, int argc, char **argv)
{
	log_error("scan is not built");
	return EXIT_FAILURE;
}
