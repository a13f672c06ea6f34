#include "ctl/command.h"
#include "ctl/scan-print.h"
#include "ctl/scan-wire.h"
#include "ctl/status.h"

#include "base/log.h"
#include "base/util.h"
#include "proto/claim.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECONDS_DEFAULT 3
#define SECONDS_MAX 3600
#define SERIAL_LAST_DEFAULT 63
#define DAEMON_TIMEOUT_MS 2000
/* A flood must not keep us from what is due. */
#define RECEIVE_BATCH 64

const char scan_help[] =
	"Listens on the interface for boxes and for hosts that play them, and prints what was heard,\n"
	"with a section for the configuration for each box that is not in it. Works with and without\n"
	"a running daemon; needs the right to use raw Ethernet (sudo, or setcap cap_net_raw+ep).\n\n"
	"  --probe           also asks each serial number of the range. A box that is asked obeys: it is\n"
	"                    set to 48000 Hz and all its channels are muted. Boxes that somebody\n"
	"                    plays, as far as that can be seen, are not asked.\n"
	"  --serial A-B      the range, or one number (0-63); 0 to 65535\n"
	"  --model MODEL     asks only dac8 or adc8; without it both\n"
	"  --seconds N       listens for so long at least (3); 1 to 3600\n"
	"  --json            one JSON object; ethlinkctl(1) lists its keys\n";

struct scan_options {
	const char *interface;
	bool probe;
	bool json;
	unsigned seconds;
	struct scan_range range;
	const char *needs_probe; /* an option that means nothing without it */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* Digits alone. Where they end, or NULL for none or too much. */
static const char *parse_number(const char *text, unsigned max, unsigned *ret)
{
	unsigned n = 0;

	if (*text < '0' || *text > '9') {
		return NULL;
	}
	for (; *text >= '0' && *text <= '9'; text++) {
		n = n * 10 + (unsigned)(*text - '0');
		if (n > max) {
			return NULL;
		}
	}
	*ret = n;
	return text;
}

static bool parse_serials(const char *text, struct scan_range *range)
{
	unsigned first, last;
	const char *rest = parse_number(text, UINT16_MAX, &first);

	last = first;
	if (rest && *rest == '-') {
		rest = parse_number(rest + 1, UINT16_MAX, &last);
	}
	if (!rest || *rest || first > last) {
		log_error(
			"--serial is a number or a range such as 0-63, between 0 and 65535, not '%s'", text);
		return false;
	}
	range->first = (uint16_t)first;
	range->last = (uint16_t)last;
	return true;
}

static bool parse_model(const char *text, struct scan_range *range)
{
	for (unsigned m = 0; m < ARRAY_SIZE(range->models); m++) {
		range->models[m] = strcmp(text, ethlink_model_name((enum ethlink_model)m)) == 0;
	}
	if (!range->models[ETHLINK_DAC8] && !range->models[ETHLINK_ADC8]) {
		log_error("--model is dac8 or adc8, not '%s'", text);
		return false;
	}
	return true;
}

static bool parse_seconds(const char *text, unsigned *ret_seconds)
{
	const char *rest = parse_number(text, SECONDS_MAX, ret_seconds);

	if (!rest || *rest || *ret_seconds == 0) {
		log_error("--seconds is a whole number from 1 to %d, not '%s'", SECONDS_MAX, text);
		return false;
	}
	return true;
}

/* The value of an option with one, behind "=" or as the next argument; NULL: it is another option. */
static const char *option_value(const char *name, int argc, char **argv, int *i)
{
	size_t len = strlen(name);

	if (strncmp(argv[*i], name, len) != 0) {
		return NULL;
	}
	if (argv[*i][len] == '=') {
		return argv[*i] + len + 1;
	}
	if (argv[*i][len]) {
		return NULL;
	}
	return *i + 1 < argc ? argv[++*i] : "";
}

static bool parse_argument(int argc, char **argv, int *i, struct scan_options *o)
{
	const char *value;

	if (strcmp(argv[*i], "--probe") == 0) {
		o->probe = true;
	} else if (strcmp(argv[*i], "--json") == 0) {
		o->json = true;
	} else if ((value = option_value("--serial", argc, argv, i))) {
		o->needs_probe = "--serial";
		return parse_serials(value, &o->range);
	} else if ((value = option_value("--model", argc, argv, i))) {
		o->needs_probe = "--model";
		return parse_model(value, &o->range);
	} else if ((value = option_value("--seconds", argc, argv, i))) {
		return parse_seconds(value, &o->seconds);
	} else if (*argv[*i] != '-' && *argv[*i] && !o->interface) {
		o->interface = argv[*i];
	} else {
		command_unknown("scan", argv[*i],
			"one interface, --probe, --serial A-B, --model MODEL, --seconds N and --json");
		return false;
	}
	return true;
}

static int parse_arguments(int argc, char **argv, struct scan_options *o)
{
	for (int i = 1; i < argc; i++) {
		if (!parse_argument(argc, argv, &i, o)) {
			return EXIT_USAGE;
		}
	}
	if (!o->interface) {
		return command_missing("scan", "an interface, such as enp3s0");
	}
	if (o->needs_probe && !o->probe) {
		log_error("%s says which boxes to ask; it needs --probe", o->needs_probe);
		return EXIT_USAGE;
	}
	return EXIT_SUCCESS;
}

static void add_configured(struct scan *scan, const struct prop_list *device, const char *interface)
{
	const char *where = prop_string(device, "interface", "");
	uint64_t serial = prop_unsigned(device, "serial", UINT64_MAX);
	enum ethlink_model model = ETHLINK_DAC8;

	if (strcmp(prop_string(device, "model", ""), ethlink_model_name(ETHLINK_ADC8)) == 0) {
		model = ETHLINK_ADC8;
	}
	if (serial <= UINT16_MAX) {
		scan_add_configured(scan, model, (uint16_t)serial, prop_string(device, "name", "?"),
			prop_string(device, "state", "?"), where, strcmp(where, interface) == 0);
	}
}

/* What the daemon has, if there is one; *ret_found: there is. One that was asked for by name and does not answer is told. */
static void get_status(const struct options *options, struct status *ret_status, bool *ret_found)
{
	char error[CLIENT_ERROR_MAX];
	sd_bus_message *reply = NULL;
	struct client client;
	int r;

	*ret_found = false;
	r = client_open(&client, options->way, options->path, DAEMON_TIMEOUT_MS, error);
	if (r >= 0) {
		r = client_call(&client, "GetStatus", &reply, error);
		client_close(&client);
	}
	if (r >= 0) {
		*ret_found = status_read(reply, ret_status) >= 0;
		sd_bus_message_unref(reply);
	} else if (options->way != CLIENT_SEARCH) {
		log_warning("the scan goes on without the daemon: %.*s", (int)strcspn(error, "\n"), error);
	}
}

static int send_action(struct scan *scan, struct scan_wire *wire, const struct scan_action *action)
{
	struct claim claim = {.kind = CLAIM_ASK};
	uint8_t frame[ETHLINK_FRAME_LEN];
	size_t len = CLAIM_FRAME_LEN;

	/* It may have begun since. */
	if (scan_wire_is_locked(wire, action->model, action->serial)) {
		scan_add_local(scan, action->model, action->serial);
		return 0;
	}
	if (action->kind == SCAN_ASK) {
		memcpy(claim.src, wire->mac, ETHLINK_MAC_LEN);
		ethlink_mac(action->model, action->serial, claim.box);
		claim_encode(frame, &claim);
	} else {
		len = scan_encode_probe(frame, action->model, action->serial, wire->mac);
	}
	return scan_wire_send(wire, frame, len);
}

static int receive(struct scan *scan, struct scan_wire *wire)
{
	for (unsigned i = 0; i < RECEIVE_BATCH; i++) {
		uint8_t frame[SCAN_WIRE_FRAME_MAX];
		bool outgoing;
		ssize_t n = scan_wire_receive(wire, frame, &outgoing);

		if (n == -EAGAIN) {
			break;
		}
		if (n < 0) {
			return (int)n;
		}
		scan_frame(scan, frame, (size_t)n, outgoing);
	}
	return 0;
}

/* 0, or -errno where the interface went away. */
static int run(struct scan *scan, struct scan_wire *wire, const sigset_t *mask)
{
	int r = 0;

	while (!interrupted && r >= 0 && !scan_done(scan, now_ns())) {
		struct pollfd poll_fd = {.fd = wire->fd, .events = POLLIN};
		struct scan_action action;
		int64_t now = now_ns(), wait_ns = scan_due_ns(scan, now) - now;
		struct timespec timeout = {
			.tv_sec = wait_ns / NSEC_PER_SEC, .tv_nsec = wait_ns % NSEC_PER_SEC};

		if (ppoll(&poll_fd, 1, &timeout, mask) < 0 && errno != EINTR) {
			return -errno;
		}
		r = receive(scan, wire);
		if (r >= 0 && !interrupted && scan_next(scan, now_ns(), &action)) {
			r = send_action(scan, wire, &action);
			/* A full queue loses a frame; it is repeated. */
			r = r == -ENOBUFS || r == -EAGAIN ? 0 : r;
		}
	}
	return r;
}

/* Signals come in ppoll() alone, so that none is missed between the look and the wait. */
static void catch_signals(sigset_t *ret_mask)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t block;

	interrupted = 0;
	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, ret_mask);
	sigdelset(ret_mask, SIGINT);
	sigdelset(ret_mask, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int print(struct scan *scan, const struct scan_wire *wire, const struct scan_options *o)
{
	struct scan_summary summary = {
		.interface = o->interface,
		.probed = o->probe,
		.interrupted = interrupted != 0,
		.seconds = (double)(now_ns() - scan->start_ns) / (double)NSEC_PER_SEC,
	};

	for (unsigned i = 0; i < scan->n_boxes; i++) {
		struct scan_box *box = &scan->boxes[i];

		if (scan_wire_is_locked(wire, box->model, box->serial)) {
			box->local = true;
		}
	}
	scan_sort(scan);
	if (o->json) {
		scan_print_json(scan, &summary, stdout);
	} else {
		scan_print_text(scan, &summary, stdout);
	}
	return command_finish_output();
}

static int scan_with(struct scan_wire *wire, const struct status *status, const struct scan_options *o)
{
	struct scan scan;
	sigset_t mask;
	int r, status_code;

	r = scan_init(
		&scan, wire->mac, o->probe ? &o->range : NULL, (int64_t)o->seconds * NSEC_PER_SEC, now_ns());
	if (r < 0) {
		log_error("no memory for so many serial numbers; scan them in parts");
		return EXIT_FAILURE;
	}
	for (unsigned i = 0; i < status->n_devices; i++) {
		add_configured(&scan, &status->devices[i], o->interface);
	}
	if (isatty(STDERR_FILENO)) {
		fprintf(stderr, "%s on %s ... (Ctrl-C ends it and prints what was found)\n",
			o->probe ? "Listening and asking" : "Listening", o->interface);
	}
	catch_signals(&mask);
	r = run(&scan, wire, &mask);
	status_code = print(&scan, wire, o);
	scan_fini(&scan);
	if (r < 0) {
		log_error(
			"the scan ended early: %s: %s; is its link still there?", o->interface, strerror(-r));
		return EXIT_FAILURE;
	}
	return status_code;
}

int run_scan(const struct options *options, int argc, char **argv)
{
	struct scan_options o = {
		.seconds = SECONDS_DEFAULT,
		.range = {.models = {true, true}, .first = 0, .last = SERIAL_LAST_DEFAULT},
	};
	struct status status = {0};
	struct scan_wire wire;
	bool found;
	int r;

	r = parse_arguments(argc, argv, &o);
	if (r != EXIT_SUCCESS) {
		return r;
	}
	get_status(options, &status, &found);
	/* With a daemon here, it is known what it plays, and its realtime thread need not pay for being watched. */
	r = scan_wire_open(&wire, o.interface, !found);
	if (r >= 0) {
		r = scan_with(&wire, &status, &o);
		scan_wire_close(&wire);
	} else {
		r = EXIT_FAILURE;
	}
	if (found) {
		status_fini(&status);
	}
	return r;
}
