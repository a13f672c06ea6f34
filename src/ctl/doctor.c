#include "ctl/command.h"

#include "base/log.h"

const char doctor_help[] = "Checks what makes audio glitch on this machine.\n";

int run_doctor(const struct options *options, int argc, char **argv)
{
	log_error("doctor is not built");
	return EXIT_FAILURE;
}
