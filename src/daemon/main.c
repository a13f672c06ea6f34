#include "base/util.h"
#include "daemon/conf.h"
#include "daemon/manager.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#define DEFAULT_CONF SYSCONFDIR "/ethlinkd/ethlinkd.conf"
#define EXIT_USAGE 2

struct options {
	const char *conf_path;
	bool check_config;
	int backend;   /* -1: as configured */
	int log_level; /* -1: as configured */
};

static void usage(FILE *f)
{
	fprintf(f, "Usage: ethlinkd [OPTION]...\n"
		   "Puts ETHlink8DAC network audio boxes into the JACK graph. Runs in the foreground.\n"
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
			o->conf_path = optarg;
			break;
		case 'C':
			o->check_config = true;
			break;
		case 'b':
			o->backend = parse_backend(optarg);
			if (o->backend < 0) {
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
			o->log_level = (int)level;
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

static void report_conf_error(void *data, const char *text)
{
	unsigned *count = data;

	(*count)++;
	log_error("%s", text);
}

/* What the file may say, but this version cannot do. */
static unsigned check_abilities(const struct conf *conf)
{
	unsigned errors = 0;

	if (conf->backend == CONF_BACKEND_PIPEWIRE) {
		const struct conf_where *where = &conf->where_key[CONF_DAEMON_BACKEND];

		log_error("%s:%d: backend: this version has no PipeWire backend; use jack or auto (under "
			  "PipeWire, start "
			  "ethlinkd with pw-jack)",
			where->file ? where->file : "command line", MAX(where->line, 0));
		errors++;
	}
	for (unsigned i = 0; i < conf->n_devices; i++) {
		const struct conf_device *d = &conf->devices[i];

		if (d->model != ETHLINK_DAC8) {
			log_error("%s:%d: model: [device %s] is an adc8; this version drives dac8 only",
				d->where_key[CONF_DEVICE_MODEL].file, d->where_key[CONF_DEVICE_MODEL].line,
				d->name);
			errors++;
		}
	}
	return errors;
}

static int load_conf(const struct options *o, struct conf **ret_conf)
{
	unsigned errors = 0;
	int r = conf_load(o->conf_path, report_conf_error, &errors, ret_conf);

	if (r < 0) {
		if (errors == 0) {
			log_error("%s: %s", o->conf_path, strerror(-r));
		}
		return r;
	}
	if (o->backend >= 0) {
		(*ret_conf)->backend = (enum conf_backend)o->backend;
		(*ret_conf)->where_key[CONF_DAEMON_BACKEND] = (struct conf_where){NULL, CONF_COMMAND_LINE};
	}
	if (o->log_level >= 0) {
		(*ret_conf)->log_level = (enum log_level)o->log_level;
		(*ret_conf)->where_key[CONF_DAEMON_LOG_LEVEL] = (struct conf_where){NULL, CONF_COMMAND_LINE};
	}
	if (check_abilities(*ret_conf) > 0) {
		conf_free(*ret_conf);
		return -EINVAL;
	}
	return 0;
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

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *data)
{
	log_info("%s: fading out and ending", si->ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
	(void)sd_notify(0, "STOPPING=1");
	manager_stop(data);
	return 0;
}

static int run(struct conf *conf)
{
	struct manager *m = NULL;
	sd_event *event = NULL;
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	/* Before any library starts a thread: all of them inherit it. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	lock_memory();
	r = sd_event_default(&event);
	if (r < 0) {
		log_error("cannot make an event loop: %s", strerror(-r));
		conf_free(conf);
		return EXIT_FAILURE;
	}
	r = manager_new(event, conf, &m);
	r = r < 0 ? r : sd_event_add_signal(event, NULL, SIGTERM, on_signal, m);
	r = r < 0 ? r : sd_event_add_signal(event, NULL, SIGINT, on_signal, m);
	if (r >= 0) {
		(void)sd_notify(0, "READY=1");
		r = sd_event_loop(event);
		if (r < 0) {
			log_error("the event loop failed: %s", strerror(-r));
		}
	}
	manager_free(m);
	sd_event_unref(event);
	return r < 0 ? EXIT_FAILURE : r;
}

int main(int argc, char **argv)
{
	struct options o = {.conf_path = DEFAULT_CONF, .backend = -1, .log_level = -1};
	struct conf *conf = NULL;
	int r;

	log_set_program("ethlinkd");
	r = parse_options(argc, argv, &o);
	if (r >= 0) {
		return r;
	}
	if (load_conf(&o, &conf) < 0) {
		return EX_CONFIG;
	}
	log_set_level(conf->log_level);
	if (o.check_config) {
		conf_print(conf, stdout);
		conf_free(conf);
		return EXIT_SUCCESS;
	}
	if (conf->n_devices == 0) {
		log_warning("%s has no [device …] section: there is nothing to do yet", o.conf_path);
	}
	return run(conf);
}
