#include "ctl/command.h"

#include "base/log.h"
#include "base/util.h"
#include "ctl/client-watch.h"
#include "ctl/mixer-layout.h"
#include "ctl/mixer-model.h"
#include "ctl/mixer-term.h"
#include "ctl/mixer-view.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Meters of many boxes come one by one: they are drawn together. */
#define DRAW_DELAY_US 20000
/* The default is a quarter of a second, which is felt at each key. */
#define DRAW_ACCURACY_US 1000
/* How often a call that nothing comes of is looked at. */
#define BUSY_DELAY_US 200000

struct mixer {
	sd_event *event;
	sd_event_source *draw;
	struct client_watch *watch;
	struct mixer_model model;
	struct mixer_look look;
	struct mixer_layout layout;
	bool on_screen;
	int status; /* what the program ends with */
	char error[CLIENT_ERROR_MAX];
};

static void end(struct mixer *mixer, int status)
{
	mixer->status = status;
	(void)sd_event_exit(mixer->event, 0);
}

static void __attribute__((format(printf, 2, 3))) fail(struct mixer *mixer, const char *fmt, ...)
{
	va_list ap;

	/* Said when the terminal is a plain one again. */
	va_start(ap, fmt);
	vsnprintf(mixer->error, sizeof(mixer->error), fmt, ap);
	va_end(ap);
	end(mixer, EXIT_FAILURE);
}

static void draw_in(struct mixer *mixer, uint64_t us)
{
	int enabled = SD_EVENT_OFF;

	if (mixer->on_screen && sd_event_source_get_enabled(mixer->draw, &enabled) >= 0 &&
		enabled == SD_EVENT_OFF) {
		(void)sd_event_source_set_time_relative(mixer->draw, us);
		(void)sd_event_source_set_enabled(mixer->draw, SD_EVENT_ONESHOT);
	}
}

/* --- to the daemon --- */

static int make_netvst_call(struct mixer *mixer, const struct mixer_call *call)
{
	switch (call->kind) {
	case MIXER_CALL_GAIN:
		return client_watch_call_netvst(
			mixer->watch, call->device, "SetGain", "ud", call->channel, (double)call->value);
	case MIXER_CALL_MUTE:
	case MIXER_CALL_MUTE_ALL:
		return client_watch_call_netvst(
			mixer->watch, call->device, "SetMute", "ub", call->channel, call->value);
	}
	return -EINVAL;
}

static int make_call(struct mixer *mixer, const struct mixer_call *call)
{
	if (call->netvst) {
		return make_netvst_call(mixer, call);
	}
	switch (call->kind) {
	case MIXER_CALL_GAIN:
		return client_watch_call(
			mixer->watch, call->device, "SetGain", "ud", call->channel, (double)call->value);
	case MIXER_CALL_MUTE:
		return client_watch_call(
			mixer->watch, call->device, "SetMute", "ub", call->channel, call->value);
	case MIXER_CALL_MUTE_ALL:
		return client_watch_call(mixer->watch, call->device, "SetAllMuted", "b", call->value);
	}
	return -EINVAL;
}

static void make_calls(struct mixer *mixer)
{
	struct mixer_call call;

	while (mixer_model_next_call(&mixer->model, now_ns(), &call)) {
		int r = make_call(mixer, &call);

		/* A connection that has just ended says so itself. */
		if (r < 0 && r != -ENOTCONN) {
			mixer_model_refused(&mixer->model, strerror(-r));
		}
	}
}

static int on_draw(sd_event_source *source, uint64_t now, void *data)
{
	struct mixer *mixer = data;

	make_calls(mixer);
	mixer_view_draw(&mixer->model, &mixer->look, &mixer->layout);
	if (mixer_model_is_busy(&mixer->model)) {
		draw_in(mixer, BUSY_DELAY_US);
	}
	return 0;
}

/* --- from the daemon --- */

static void take_daemon(struct mixer_model *model, const struct client_daemon *daemon)
{
	snprintf(model->version, sizeof(model->version), "%s", daemon->version ? daemon->version : "?");
	snprintf(model->backend, sizeof(model->backend), "%s", daemon->backend ? daemon->backend : "?");
	model->connected = daemon->connected;
	model->rate_hz = daemon->rate_hz;
	model->period_frames = daemon->period_frames;
}

static int take_devices(struct mixer *mixer)
{
	unsigned n = client_watch_n_devices(mixer->watch), n_netvst = client_watch_n_netvst(mixer->watch);
	const struct client_device **devices = calloc(MAX(n, 1), sizeof(const struct client_device *));
	const struct client_netvst **netvst = calloc(MAX(n_netvst, 1), sizeof(const struct client_netvst *));
	int r = -ENOMEM;

	if (devices && netvst) {
		for (unsigned i = 0; i < n; i++) {
			devices[i] = client_watch_device(mixer->watch, i);
		}
		for (unsigned i = 0; i < n_netvst; i++) {
			netvst[i] = client_watch_netvst(mixer->watch, i);
		}
		r = mixer_model_sync(&mixer->model, devices, n, netvst, n_netvst);
	}
	free(devices);
	free(netvst);
	return r;
}

static void on_changed(struct client_watch *watch, void *data)
{
	struct mixer *mixer = data;

	take_daemon(&mixer->model, client_watch_daemon(watch));
	if (take_devices(mixer) < 0) {
		fail(mixer, "there is no memory for so many boxes");
		return;
	}
	make_calls(mixer);
	draw_in(mixer, DRAW_DELAY_US);
}

static void open_screen(struct mixer *mixer);

static void on_joined(struct client_watch *watch, void *data)
{
	struct mixer *mixer = data;

	mixer->model.joined = true;
	mixer->model.notice[0] = '\0';
	if (!mixer->on_screen) {
		open_screen(mixer);
	}
	on_changed(watch, mixer);
}

/* Where there is no daemon at first there may be a mistake in the command line; later on it is waited for. */
static void on_lost(struct client_watch *watch, const char *why, void *data)
{
	struct mixer *mixer = data;

	if (!mixer->on_screen) {
		fail(mixer, "%s", why);
		return;
	}
	mixer_model_lost(&mixer->model, why);
	draw_in(mixer, DRAW_DELAY_US);
}

static void on_peaks(struct client_watch *watch, const struct client_device *device, void *data)
{
	struct mixer *mixer = data;

	mixer_model_peaks(&mixer->model, device);
	draw_in(mixer, DRAW_DELAY_US);
}

static void on_netvst_peaks(struct client_watch *watch, const struct client_netvst *netvst, void *data)
{
	struct mixer *mixer = data;

	mixer_model_netvst_peaks(&mixer->model, netvst);
	draw_in(mixer, DRAW_DELAY_US);
}

static void on_refused(struct client_watch *watch, const char *why, void *data)
{
	struct mixer *mixer = data;

	mixer_model_refused(&mixer->model, why);
	draw_in(mixer, DRAW_DELAY_US);
}

static const struct client_watch_handler handler = {
	.joined = on_joined,
	.lost = on_lost,
	.changed = on_changed,
	.peaks = on_peaks,
	.netvst_peaks = on_netvst_peaks,
	.refused = on_refused,
};

/* --- from the terminal --- */

static void do_mouse(struct mixer *mixer, const struct mixer_input *input)
{
	struct mixer_model *model = &mixer->model;
	unsigned place, strip, box;
	enum mixer_part part;

	if (model->help || model->n_boxes == 0 ||
		!mixer_layout_hit(&mixer->layout, input->row, input->col, &place, &strip, &part) ||
		place >= mixer_layout_count(&mixer->layout, model->n_boxes, model->box)) {
		return;
	}
	box = mixer_layout_first(&mixer->layout, model->box) + place;
	if (!mixer_model_select(model, box, strip / model->boxes[box].step)) {
		return;
	}
	if (input->kind == MIXER_INPUT_WHEEL_UP) {
		mixer_model_key(model, MIXER_KEY_UP);
	} else if (input->kind == MIXER_INPUT_WHEEL_DOWN) {
		mixer_model_key(model, MIXER_KEY_DOWN);
	} else if (part == MIXER_PART_MUTE) {
		mixer_model_key(model, MIXER_KEY_MUTE);
	}
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct mixer *mixer = data;
	struct mixer_input input;

	if (mixer_term_is_gone()) {
		end(mixer, EXIT_SUCCESS);
		return 0;
	}
	while ((input = mixer_term_read()).kind != MIXER_INPUT_NONE) {
		if (input.kind == MIXER_INPUT_KEY) {
			mixer_model_key(&mixer->model, input.key);
		} else if (input.kind != MIXER_INPUT_OTHER) {
			do_mouse(mixer, &input);
		}
	}
	if (mixer->model.quit) {
		end(mixer, EXIT_SUCCESS);
		return 0;
	}
	make_calls(mixer);
	draw_in(mixer, 0);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *data)
{
	struct mixer *mixer = data;

	if (si->ssi_signo != SIGWINCH) {
		end(mixer, EXIT_SUCCESS);
	} else if (mixer->on_screen) {
		mixer_term_resized();
		draw_in(mixer, 0);
	}
	return 0;
}

/* --- beginning and end --- */

static void open_screen(struct mixer *mixer)
{
	int r = mixer_term_open(&mixer->look);

	if (r >= 0) {
		mixer->on_screen = true;
		mixer_view_init(&mixer->look);
		r = sd_event_add_io(mixer->event, NULL, STDIN_FILENO, EPOLLIN, on_input, mixer);
	}
	if (r == -EOPNOTSUPP) {
		fail(mixer,
			"the terminal (TERM=%s) is not known, or cannot place its cursor; set TERM to what "
			"it is, or use "
			"meters, gain and mute",
			getenv("TERM") ? getenv("TERM") : "");
	} else if (r < 0) {
		fail(mixer, "the terminal cannot be read: %s", strerror(-r));
	}
}

/* Blocked before ncurses could install handlers of its own for them. */
static int add_signals(struct mixer *mixer)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
	sigset_t set;
	int r = 0;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		sigaddset(&set, signals[i]);
	}
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
		return -errno;
	}
	for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++) {
		r = sd_event_add_signal(mixer->event, NULL, signals[i], on_signal, mixer);
	}
	return r;
}

static int start(struct mixer *mixer, const struct options *options)
{
	int r;

	r = sd_event_new(&mixer->event);
	r = r < 0 ? r : add_signals(mixer);
	r = r < 0 ? r
		  : sd_event_add_time_relative(
			    mixer->event, &mixer->draw, CLOCK_MONOTONIC, 0, DRAW_ACCURACY_US, on_draw, mixer);
	r = r < 0 ? r : sd_event_source_set_enabled(mixer->draw, SD_EVENT_OFF);
	return r < 0 ? r
		     : client_watch_new(
			       mixer->event, options->way, options->path, &handler, mixer, &mixer->watch);
}

const char mixer_help[] =
	"Shows faders, mutes, meters and states of boxes and NetVST sections on the whole terminal,\n"
	"which needs 64 columns and 16 rows, and lets you change gains and mutes. Changes\n"
	"made elsewhere show up. If ethlinkd ends, the mixer waits for it.\n\n"
	"  Left, Right, 1 to 8    choose a strip; Tab, Shift-Tab: another box\n"
	"  Up, Down               gain 1 dB up, down; PgUp, PgDn: 6 dB; 0: to 0 dB\n"
	"  m, M                   mute or open the strip, the whole box\n"
	"  ?                      all keys\n"
	"  q                      quit\n";

int run_mixer(const struct options *options, int argc, char **argv)
{
	struct mixer mixer = {.status = EXIT_SUCCESS};
	int r;

	if (argc > 1) {
		return command_unknown("mixer", argv[1], NULL);
	}
	if (!mixer_term_is_there()) {
		log_error("the mixer needs a terminal for its input and output; without one use meters, gain "
			  "and mute");
		return EXIT_FAILURE;
	}
	r = start(&mixer, options);
	r = r < 0 ? r : sd_event_loop(mixer.event);
	client_watch_free(mixer.watch);
	sd_event_source_unref(mixer.draw);
	sd_event_unref(mixer.event);
	mixer_term_close();
	mixer_model_fini(&mixer.model);
	if (r < 0) {
		log_error("the mixer cannot go on: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	if (mixer.error[0]) {
		command_log_lines(mixer.error);
	}
	return mixer.status;
}
