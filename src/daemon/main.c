#include "base/util.h"
#include "daemon/journal.h"
#include "daemon/manager.h"
#include "daemon/source.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define DEFAULT_CONF SYSCONFDIR "/ethlinkd/ethlinkd.conf"
#define EXIT_USAGE 2

struct options {
	struct source source;
	bool check_config;
};

static void usage(FILE *f)
{
	fprintf(f, "Usage: ethlinkd [OPTION]...\n"
		   "Puts ETHlink8DAC network audio boxes, and NetVST plug-ins of other computers, into the "
		   "JACK or\n"
		   "PipeWire graph. Runs in the foreground.\n"
		   "\n"
		   "  -c, --config=FILE        configuration; default " DEFAULT_CONF "\n"
		   "      --check-config       check the configuration, print what is in effect, and end\n"
		   "      --backend=NAME       auto, jack or pipewire, whatever the configuration says\n"
		   "      --log-level=LEVEL    error, warning, notice, info or debug\n"
		   "      --version            print the version, and end\n"
		   "  -h, --help               print this, and end\n"
		   "\n"
		   "Exit status: 0 after SIGTERM or SIGINT; 2 for a bad command line; 78 for a bad "
		   "configuration;\n"
		   "1 for any other failure.\n"
		   "\n"
		   "See ethlinkd(8) and ethlinkd.conf(5).\n");
}

static int parse_backend(const char *arg)
{
	static const enum conf_backend all[] = {CONF_BACKEND_AUTO, CONF_BACKEND_JACK, CONF_BACKEND_PIPEWIRE};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(arg, conf_backend_to_string(all[i])) == 0) {
			return (int)all[i];
		}
	}
	return -1;
}

/* -1: go on. Otherwise the status to end with. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"check-config", no_argument, NULL, 'C'},
		{"backend", required_argument, NULL, 'b'},
		{"log-level", required_argument, NULL, 'l'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	enum log_level level;
	int opt;

	while ((opt = getopt_long(argc, argv, "c:h", longs, NULL)) >= 0) {
		switch (opt) {
		case 'c':
			o->source.path = optarg;
			break;
		case 'C':
			o->check_config = true;
			break;
		case 'b':
			o->source.backend = parse_backend(optarg);
			if (o->source.backend < 0) {
				fprintf(stderr, "ethlinkd: --backend=%s: use auto, jack or pipewire\n",
					optarg);
				return EXIT_USAGE;
			}
			break;
		case 'l':
			if (log_level_from_string(optarg, &level) < 0) {
				fprintf(stderr,
					"ethlinkd: --log-level=%s: use error, warning, notice, info or "
					"debug\n",
					optarg);
				return EXIT_USAGE;
			}
			o->source.log_level = (int)level;
			break;
		case 'V':
			printf("ethlinkd %s\n", PACKAGE_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			fprintf(stderr, "Try: ethlinkd --help\n");
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "ethlinkd: %s: unexpected argument\nTry: ethlinkd --help\n", argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

static void say_conf_error(void *data, const char *text)
{
	log_error("%s", text);
}

/*
 * A page that has to be read in while the realtime thread waits is a click. With a limit on locked memory
 * every later allocation could fail, so then it is left.
 */
static void lock_memory(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY) {
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	}
}

/*
 * A system service has a runtime folder of its own, but no session that would name its user's; the audio server of that
 * user has its socket there. At boot the folder may come later than we.
 * True for a system service.
 */
static bool find_runtime_folder(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/user/%u", (unsigned)geteuid());
	if (!getenv("RUNTIME_DIRECTORY") || getenv("XDG_RUNTIME_DIR")) {
		return false;
	}
	setenv("XDG_RUNTIME_DIR", path, 1);
	return true;
}

static int on_end_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *data)
{
	log_info("%s: fading out and ending", si->ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
	manager_stop(data);
	return 0;
}

static int on_reload_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *data)
{
	(void)manager_reload(data, NULL, NULL);
	return 0;
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* Before any library starts a thread: all of them inherit it. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int run(const struct source *source, struct conf *conf, bool system_service)
{
	struct manager *m = NULL;
	sd_event *event = NULL;
	int r;

	lock_memory();
	r = sd_event_default(&event);
	if (r < 0) {
		log_error("cannot make an event loop: %s", strerror(-r));
		conf_unref(conf);
		return EXIT_FAILURE;
	}
	r = manager_new(event, source, conf, system_service, &m);
	r = r < 0 ? r : sd_event_add_signal(event, NULL, SIGTERM, on_end_signal, m);
	r = r < 0 ? r : sd_event_add_signal(event, NULL, SIGINT, on_end_signal, m);
	r = r < 0 ? r : sd_event_add_signal(event, NULL, SIGHUP, on_reload_signal, m);
	if (r >= 0) {
		manager_ready(m);
		r = sd_event_loop(event);
		if (r < 0) {
			log_error("the event loop failed: %s", strerror(-r));
		}
	}
	/* What was left out so far is said now or never. */
	log_limit_repeats(false);
	if (m && !manager_is_off(m)) {
		/* Its thread may come back at any time and look at what would be freed here. */
		log_warning("the audio server does not let go; ending without it");
		manager_abandon(m);
		fflush(NULL);
		_exit(r < 0 ? EXIT_FAILURE : r);
	}
	manager_free(m);
	sd_event_unref(event);
	return r < 0 ? EXIT_FAILURE : r;
}

int main(int argc, char **argv)
{
	struct options o = {.source = {.path = DEFAULT_CONF, .backend = -1, .log_level = -1}};
	struct conf *conf = NULL;
	bool system_service = false;
	int r;

	log_set_program("ethlinkd");
	r = parse_options(argc, argv, &o);
	if (r >= 0) {
		return r;
	}
	if (!o.check_config) {
		/* A reload that comes early waits until there is somebody to do it. */
		block_signals();
		journal_begin();
		system_service = find_runtime_folder();
	}
	if (source_load(&o.source, say_conf_error, NULL, &conf) < 0) {
		return EX_CONFIG;
	}
	if (o.check_config) {
		conf_print(conf, stdout);
		conf_unref(conf);
		return EXIT_SUCCESS;
	}
	log_set_level(conf->log_level);
	if (conf->n_devices == 0 && conf->n_netvsts == 0) {
		log_warning("%s has no [device …] and no [netvst …] section: there is nothing to do yet",
			o.source.path);
	}
	return run(&o.source, conf, system_service);
}
