#include "emu/emu-internal.h"

#include "base/log.h"
#include "base/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_NS (5 * NSEC_PER_MSEC)
#define CHECK_NS (500 * NSEC_PER_MSEC)	   /* looking after the interface */
#define REPORT_LAG_NS (20 * NSEC_PER_MSEC) /* a report can wait for stragglers longer than a reply can */
#define DRAIN_MAX 65536u
#define FINAL_DRAINS 64u      /* somebody may be sending faster than we can take it */
#define STEP_NS NSEC_PER_MSEC /* CLOCK_REALTIME was set, not merely slewed */
#define RING_FRAMES_PER_BOX 8192u
#define RING_FRAMES_MIN 32768u

static void on_send(void *user, int64_t t_ns, const uint8_t *frame, size_t len)
{
	const struct emu_box *x = user;

	wire_send(x->emu->wire, frame, len);
}

static void on_play(void *user, int64_t t_ns, const struct box_block *block)
{
	const struct emu_box *x = user;

	recorder_block(x->recorder, block);
}

static void on_gain(void *user, int64_t t_ns, const struct box_gain_change *change)
{
	const struct emu_box *x = user;

	if (x->emu->changes) {
		emu_log_change(x, t_ns, change);
	}
}

/* CLOCK_REALTIME - CLOCK_MONOTONIC; of several tries the one that was interrupted least. */
static int64_t read_offset(void)
{
	int64_t best_gap_ns = INT64_MAX, best_ns = 0;

	for (unsigned i = 0; i < 4; i++) {
		struct timespec real;
		int64_t before_ns = now_ns(), gap_ns;

		clock_gettime(CLOCK_REALTIME, &real);
		gap_ns = now_ns() - before_ns;
		if (gap_ns < best_gap_ns) {
			best_gap_ns = gap_ns;
			best_ns = (int64_t)real.tv_sec * NSEC_PER_SEC + real.tv_nsec - before_ns - gap_ns / 2;
		}
	}
	return best_ns;
}

static void follow_clock(struct emu *e)
{
	int64_t offset_ns = read_offset();
	int64_t step_ns = offset_ns - e->offset_ns;

	if (step_ns > STEP_NS || step_ns < -STEP_NS) {
		log_notice("the system clock was set by %+.3f s; frames of this moment may have been timed "
			   "wrongly",
			(double)step_ns / 1e9);
		e->offset_ns = offset_ns;
	}
}

static int make_box(struct emu *e, unsigned i, uint16_t serial)
{
	const struct options *o = e->opt;
	struct record_config rec = {
		.path = o->record_path,
		.serial = e->n > 1 ? serial : -1,
		.format = o->record_format,
		.apply_gain = o->apply_gain,
		.from_first_block = o->record_all,
	};
	struct box_config cfg = {
		.serial = serial,
		.ppm = o->ppm[serial],
		.rc_ppm = o->rc_ppm,
		.loss = o->loss,
		.jitter_ns = o->jitter_ns,
		.seed = o->seed,
		.check_counter = o->check_counter,
	};
	struct box_hooks hooks = {.user = &e->extra[i], .send = on_send, .gain = on_gain};
	int r;

	e->extra[i].emu = e;
	e->extra[i].serial = serial;
	if (o->record_path) {
		r = recorder_new(&rec, &e->extra[i].recorder);
		if (r < 0) {
			log_error("--record=%s: cannot write into that folder: %s", o->record_path,
				strerror(-r));
			return r;
		}
		hooks.play = on_play;
	}
	if (!o->rc_ppm_set) {
		cfg.rc_ppm = box_default_rc_ppm(o->seed, serial);
	}
	r = box_new(&cfg, &hooks, e->start_ns, &e->boxes[i]);
	if (r < 0) {
		log_error("making box %u: %s", serial, strerror(-r));
		return r;
	}
	e->by_serial[serial] = (int16_t)i;
	if (o->start_off) {
		box_power(e->boxes[i], e->start_ns, false);
	}
	return 0;
}

static void log_open_error(const char *interface, const char *what, int err)
{
	if (err == -EPERM || err == -EACCES) {
		log_error("%s: %s: no permission. Run it with sudo, or once: sudo setcap cap_net_raw+ep "
			  "\"$(command -v ethlink-emu)\"",
			interface, what);
	} else if (err == -ENODEV) {
		log_error("%s: there is no such interface here; 'ip link' lists them", interface);
	} else {
		log_error("%s: %s: %s", interface, what, strerror(-err));
	}
}

static int open_wire(struct emu *e)
{
	unsigned frames =
		e->opt->ring_frames ? e->opt->ring_frames : MAX(e->n * RING_FRAMES_PER_BOX, RING_FRAMES_MIN);
	const char *what = "";
	int r = wire_new(e->opt->interface, MIN(frames, 4194304u), &e->wire);

	if (r < 0) {
		log_error("%s: %s", e->opt->interface, strerror(-r));
		return r;
	}
	r = wire_open(e->wire, &what);
	if (r < 0) {
		log_open_error(e->opt->interface, what, r);
		return r;
	}
	if (wire_ring_frames(e->wire) < frames) {
		log_warning("%s: memory for %u frames only, not %u: a pause of this process may cost frames "
			    "(ring_drops)",
			e->opt->interface, wire_ring_frames(e->wire), frames);
	}
	e->link_up = wire_link_up(e->wire);
	if (!e->link_up) {
		log_notice("%s: is down or has no carrier; waiting for it", e->opt->interface);
	}
	return 0;
}

static int open_changes(struct emu *e)
{
	int r;

	if (!e->opt->changes_path) {
		return 0;
	}
	e->changes = fopen(e->opt->changes_path, "we");
	if (e->changes) {
		return 0;
	}
	r = -errno;
	log_error("--log-changes=%s: cannot be written: %s", e->opt->changes_path, strerror(errno));
	return r;
}

static int make_boxes(struct emu *e)
{
	unsigned i = 0;

	for (unsigned serial = 0; serial < SERIALS_MAX; serial++) {
		e->by_serial[serial] = -1;
	}
	for (unsigned serial = 0; serial < SERIALS_MAX; serial++) {
		if (serials_has(&e->opt->dac, (uint16_t)serial)) {
			int r = make_box(e, i++, (uint16_t)serial);

			if (r < 0) {
				return r;
			}
		}
	}
	return 0;
}

static bool is_meant(const struct command *c, const struct box *b)
{
	struct box_status s;

	box_get_status(b, &s);
	return c->all || serials_has(&c->serials, s.serial);
}

static void apply_to(const struct command *c, struct box *b, int64_t t_ns)
{
	switch (c->kind) {
	case COMMAND_POWER_CYCLE:
		box_power(b, t_ns, false);
		box_power(b, t_ns, true);
		break;
	case COMMAND_OFF:
		box_power(b, t_ns, false);
		break;
	case COMMAND_ON:
		box_power(b, t_ns, true);
		break;
	case COMMAND_PRESET:
		if (box_preset(b, t_ns, &c->settings, c->host) == -EHOSTDOWN) {
			log_warning("preset: a box is off or has crashed, and stays as it is");
		}
		break;
	case COMMAND_MARK:
		box_advance(b, t_ns);
		box_mark(b);
		break;
	default:
		break;
	}
}

static void apply(struct emu *e, const struct command *c, int64_t t_ns)
{
	for (unsigned i = 0; i < e->n; i++) {
		if (is_meant(c, e->boxes[i])) {
			apply_to(c, e->boxes[i], t_ns);
		}
	}
}

static void free_all(struct emu *e, int *ret_record_error)
{
	for (unsigned i = 0; i < e->n; i++) {
		if (e->boxes) {
			box_free(e->boxes[i]);
		}
		if (e->extra && recorder_free(e->extra[i].recorder) < 0) {
			*ret_record_error = -EIO;
		}
	}
	wire_free(e->wire);
	if (e->changes) {
		fclose(e->changes);
	}
	out_fini(&e->out);
	free(e->boxes);
	free(e->extra);
	free(e);
}

int emu_new(const struct options *options, struct emu **ret_emu)
{
	struct emu *e = calloc(1, sizeof(*e));
	int r, ignored;

	if (!e) {
		return -ENOMEM;
	}
	e->opt = options;
	e->n = serials_count(&options->dac);
	e->boxes = calloc(e->n, sizeof(*e->boxes));
	e->extra = calloc(e->n, sizeof(*e->extra));
	out_init(&e->out, STDOUT_FILENO);
	e->offset_ns = read_offset();
	e->start_ns = now_ns();
	e->report_ns = e->start_ns + (int64_t)(options->interval_s * 1e9);
	e->check_ns = e->start_ns + CHECK_NS;
	r = e->boxes && e->extra ? open_wire(e) : -ENOMEM;
	if (r == 0) {
		r = open_changes(e);
	}
	if (r == 0) {
		r = make_boxes(e);
	}
	if (r < 0) {
		free_all(e, &ignored);
		return r;
	}
	for (unsigned i = 0; i < options->n_presets; i++) {
		apply(e, &options->presets[i], e->start_ns);
	}
	*ret_emu = e;
	return 0;
}

void emu_ready(struct emu *e)
{
	out_printf(&e->out, e->opt->json ? "{\"event\":\"ready\"}\n" : "ready\n");
}

static void dispatch(struct emu *e, const struct wire_frame *f)
{
	int64_t t_ns = f->t_ns - e->offset_ns;
	int i;

	if (f->len < ETHLINK_OFF_TYPE + 2) {
		e->frames_unknown++;
		return;
	}
	if (f->data[0] & 1) {
		for (i = 0; i < (int)e->n; i++) {
			box_frame(e->boxes[i], t_ns, f->data, f->len);
		}
		return;
	}
	i = e->by_serial[f->data[4] << 8 | f->data[5]];
	if (i < 0) {
		e->frames_unknown++;
		return;
	}
	box_frame(e->boxes[i], t_ns, f->data, f->len);
}

/* True where the ring is empty now. */
static bool drain(struct emu *e)
{
	struct wire_frame f;
	unsigned n;

	for (n = 0; n < DRAIN_MAX && wire_next(e->wire, &f); n++) {
		dispatch(e, &f);
		wire_done(e->wire);
	}
	e->busy = n > 0;
	e->more = n == DRAIN_MAX;
	return !e->more;
}

static void advance_all(struct emu *e, int64_t t_ns)
{
	for (unsigned i = 0; i < e->n; i++) {
		box_advance(e->boxes[i], t_ns);
	}
}

static void check_interface(struct emu *e)
{
	int r = wire_check(e->wire);
	bool up;

	if (r < 0 && !e->away_said) {
		log_warning("%s: %s; waiting for it", e->opt->interface,
			r == -ENODEV ? "the interface is gone" : strerror(-r));
	} else if (r == 1) {
		log_notice("%s: the interface is back", e->opt->interface);
	}
	e->away_said = r < 0;
	up = wire_link_up(e->wire);
	if (up != e->link_up) {
		log_notice("%s: link %s", e->opt->interface, up ? "up" : "down");
		e->link_up = up;
	}
}

void emu_interface_error(struct emu *e)
{
	check_interface(e);
}

static void periodic(struct emu *e, int64_t t_ns)
{
	if (t_ns >= e->check_ns) {
		e->check_ns = t_ns + CHECK_NS;
		follow_clock(e);
		check_interface(e);
	}
	if (t_ns >= e->report_ns) {
		int64_t interval_ns = (int64_t)(e->opt->interval_s * 1e9);

		e->report_ns += ((t_ns - e->report_ns) / interval_ns + 1) * interval_ns;
		advance_all(e, t_ns - MAX(REPORT_LAG_NS, e->opt->guard_ns));
		emu_write_report(e, false, e->opt->json, true);
	}
	if (e->opt->duration_s > 0 && (double)(t_ns - e->start_ns) >= e->opt->duration_s * 1e9) {
		e->over = true;
	}
}

void emu_turn(struct emu *e)
{
	/* Read before the ring is: what is stamped earlier than this is then in the ring, give or take the
	 * guard. */
	int64_t t_ns = now_ns();
	int64_t safe_ns = t_ns - e->opt->guard_ns;

	if (!drain(e)) {
		return;
	}
	for (unsigned i = 0; i < e->n; i++) {
		if (box_next_ns(e->boxes[i]) <= safe_ns) {
			box_advance(e->boxes[i], safe_ns);
		}
	}
	emu_say_changes(e);
	periodic(e, t_ns);
}

int64_t emu_wait_ns(struct emu *e, bool *ret_wake_on_frame)
{
	int64_t t_ns = now_ns();
	int64_t due_ns = MIN(e->report_ns, e->check_ns);

	for (unsigned i = 0; i < e->n; i++) {
		int64_t next_ns = box_next_ns(e->boxes[i]);

		if (next_ns != INT64_MAX) {
			due_ns = MIN(due_ns, next_ns + e->opt->guard_ns);
		}
	}
	if (e->opt->duration_s > 0) {
		due_ns = MIN(due_ns, e->start_ns + (int64_t)(e->opt->duration_s * 1e9));
	}
	*ret_wake_on_frame = !e->busy;
	if (e->busy) {
		due_ns = MIN(due_ns, t_ns + BATCH_NS);
	}
	return e->more ? 0 : MAX(due_ns - t_ns, 0);
}

int emu_fd(const struct emu *e)
{
	return wire_fd(e->wire);
}

void emu_power_cycle(struct emu *e)
{
	struct command c = {.kind = COMMAND_POWER_CYCLE, .all = true};

	log_info("all boxes are power-cycled");
	drain(e);
	apply(e, &c, now_ns());
}

static int check_serials(const struct emu *e, const struct command *c, char *ret_error)
{
	for (unsigned serial = 0; serial < SERIALS_MAX; serial++) {
		if (!c->all && serials_has(&c->serials, (uint16_t)serial) && e->by_serial[serial] < 0) {
			snprintf(ret_error, COMMAND_ERROR_SIZE, "box %u is not among those of --dac", serial);
			return -EINVAL;
		}
	}
	return 0;
}

void emu_command(struct emu *e, const char *line)
{
	struct command c = {.kind = COMMAND_NONE};
	char error[COMMAND_ERROR_SIZE];
	int64_t t_ns = now_ns();

	if (command_parse(line, &c, error) < 0 || check_serials(e, &c, error) < 0) {
		emu_answer(e, error);
		return;
	}
	drain(e);
	switch (c.kind) {
	case COMMAND_NONE:
		return;
	case COMMAND_STATUS:
		advance_all(e, t_ns - e->opt->guard_ns);
		emu_write_report(e, false, true, false);
		return;
	case COMMAND_QUIT:
		e->over = true;
		break;
	default:
		apply(e, &c, t_ns);
		break;
	}
	emu_answer(e, NULL);
}

bool emu_is_over(const struct emu *e)
{
	return e->over;
}

int emu_free(struct emu *e)
{
	int r = 0;
	int64_t t_ns = now_ns();

	for (unsigned i = 0; i < FINAL_DRAINS && !drain(e); i++) {
	}
	advance_all(e, t_ns);
	emu_say_changes(e);
	emu_write_report(e, true, e->opt->json, true);
	free_all(e, &r);
	return r;
}
