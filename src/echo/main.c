#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "base/log.h"
#include "echo/client.h"
#include "echo/options.h"
#include "echo/server.h"
#include "proto/netvst-wavpack.h"

#include <errno.h>

#define EXIT_USAGE 2

int main(int argc, char **argv)
{
	struct options options;
	int r;

	log_set_program("netvst-echo");
	r = options_parse(argc, argv, &options);
	if (r <= 0) {
		return r == 0 ? 0 : EXIT_USAGE;
	}
	log_set_level(options.verbose ? LOG_DEBUG : LOG_INFO);
	if (options.codec != NETVST_PCM && !netvst_wavpack_supported()) {
		log_error("--codec=%s: this program was built without WavPack",
			netvst_codec_to_string(options.codec));
		return EXIT_USAGE;
	}
	return options.command == ECHO_SERVER ? server_run(&options) : client_run(&options);
}
