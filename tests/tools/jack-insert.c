/*
 * jack-insert: the JACK backend's inserts against a real server, without the daemon. The insert is an echo written
 * here; what goes in and comes out is played and recorded by insert-probe.c. One case a run; see the table at the end.
 *
 * Exit status: 0 where the case passed; what is wrong is told on the standard output.
 */
#include "jack-insert.h"

#include "base/util.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_BUFFERS 4 /* its first channels are connected */
#define RUN_CYCLES 300
#define WAIT_S 20
#define CALLBACK_MAX_US 2.0 /* an insert that does nothing, half of the time */

struct insert_test test;

static void print_count(const char *what, const struct probe_count *count)
{
	printf("#   %s: %lu exact cycles, %lu silent, %lu neither\n", what, (unsigned long)count->good,
		(unsigned long)count->silent, (unsigned long)count->bad);
}

bool insert_test_fail(const char *what)
{
	struct backend_info info = {0};

	backend_get_info(test.backend, &info);
	printf("# %s\n", what);
	print_count("audio", &test.probe->audio);
	print_count("MIDI", &test.probe->midi);
	print_count("device", &test.heard);
	printf("#   state %d, error %d (%s), %lu cycles, %lu xruns\n", info.state, info.error,
		backend_last_error(test.backend), (unsigned long)info.cycles, (unsigned long)info.xruns);
	return false;
}

/* --- the callbacks --- */

static void echo_rt(const struct audio_cycle *cycle, struct audio_insert *insert)
{
	for (unsigned k = 0; k < AUDIO_INSERT_CHANNELS; k++) {
		if (insert->out[k] && insert->in[k]) {
			memcpy(insert->out[k], insert->in[k], cycle->frames * sizeof(float));
		} else if (insert->out[k]) {
			memset(insert->out[k], 0, cycle->frames * sizeof(float));
		}
	}
	memcpy(insert->midi_out, insert->midi_in, insert->n_midi_in * sizeof(insert->midi_in[0]));
	insert->n_midi_out = insert->n_midi_in;
}

static void insert_rt(void *data, const struct audio_cycle *cycle, struct audio_insert *insert)
{
	struct unit *unit = insert->owner;

	atomic_fetch_add(&unit->calls, 1);
	atomic_store(&unit->midi_lost, insert->n_midi_lost);
	if (atomic_load(&test.lazy)) {
		return;
	}
	echo_rt(cycle, insert);
	if (cycle->n_groups != 0 || cycle->rolling != atomic_load(&test.probe->rolling) ||
		cycle->transport_frame != atomic_load(&test.probe->transport_frame)) {
		atomic_fetch_add(&test.other, 1);
		atomic_store(&test.same, 0);
	} else {
		atomic_fetch_add(&test.same, 1);
		atomic_fetch_add(&test.rolled, cycle->rolling);
	}
}

static void process_rt(void *data, const struct audio_cycle *cycle)
{
	unsigned n = atomic_load(&test.n_heard);

	hist_add_rt(&test.took, now_ns() - cycle->now_ns);
	if (cycle->n_groups == 1 && n > 0) {
		probe_compare_rt(
			&test.heard, cycle->groups[0]->in, n, atomic_load(&test.probe->frame), cycle->frames);
	}
}

/* --- helpers --- */

/* Looks after the backend until `done` says so. */
bool insert_test_wait(bool (*done)(void))
{
	int64_t until = now_ns() + WAIT_S * NSEC_PER_SEC;

	while (!done()) {
		struct pollfd fd = {.fd = backend_fd(test.backend), .events = POLLIN};

		if (now_ns() >= until) {
			return false;
		}
		if (poll(&fd, 1, 5) > 0) {
			(void)backend_dispatch(test.backend);
		}
	}
	return true;
}

static enum backend_state state(void)
{
	struct backend_info info = {0};

	backend_get_info(test.backend, &info);
	return info.state;
}

static bool is_off(void)
{
	return state() == BACKEND_OFF;
}

static bool is_ready(void)
{
	return state() == BACKEND_READY;
}

static bool is_joined(void)
{
	return state() == BACKEND_JOINED;
}

bool insert_test_join(void)
{
	backend_start(test.backend);
	CHECK(insert_test_wait(is_ready));
	backend_run(test.backend);
	CHECK(insert_test_wait(is_joined));
	return true;
}

static bool audio_runs(void)
{
	return atomic_load(&test.probe->audio.run) >= RUN_CYCLES;
}

static bool midi_runs(void)
{
	return atomic_load(&test.probe->midi.run) >= RUN_CYCLES;
}

static bool device_hears(void)
{
	return atomic_load(&test.heard.run) >= RUN_CYCLES;
}

/* Nothing but what was expected, but for the cycles that the server itself spoilt. */
static bool unspoilt(const struct probe_count *count)
{
	uint64_t bad = atomic_load(&count->bad), xruns = atomic_load(&test.probe->xruns);

	if (bad > 0) {
		printf("# %lu bad cycles with %lu xruns\n", (unsigned long)bad, (unsigned long)xruns);
	}
	return bad <= 4 * xruns;
}

struct backend_insert_ports insert_test_name(struct unit *unit, const char *name)
{
	snprintf(unit->name, sizeof(unit->name), "%s", name);
	return (struct backend_insert_ports){
		.in = {"send_1", "send_2"},
		.midi_in = "midi_in",
		.out = {"return_1", "return_2"},
		.midi_out = "midi_out",
		.through = true,
	};
}

static struct backend_ports all_of(struct unit *unit, const struct backend_insert_ports *ports)
{
	return (struct backend_ports){.name = unit->name, .insert = ports, .labels = {"Left"}, .owner = unit};
}

bool insert_test_add(struct unit *unit, const struct backend_insert_ports *ports, uint32_t latency_frames)
{
	struct backend_ports all = all_of(unit, ports);

	all.latency_frames = latency_frames;
	return backend_add_ports(test.backend, &all, &unit->group) == 0;
}

bool insert_test_change(struct unit *unit, const struct backend_insert_ports *ports)
{
	struct backend_ports all = all_of(unit, ports);

	return backend_change_ports(test.backend, unit->group, &all) == 0;
}

bool insert_test_add_plain(unsigned i, const char *name)
{
	struct backend_insert_ports ports = insert_test_name(&test.insert[i], name);

	return insert_test_add(&test.insert[i], &ports, 0);
}

/* Player into insert 0, this into the recorder: by the configuration. */
static bool add_between(uint32_t latency_frames)
{
	struct backend_insert_ports ports = insert_test_name(&test.insert[0], "fx");

	ports.connect_in[0] = "player:out_1";
	ports.connect_in[1] = "player:out_2";
	ports.connect_out[0] = "recorder:in_1";
	ports.connect_out[1] = "recorder:in_2";
	return insert_test_add(&test.insert[0], &ports, latency_frames);
}

bool insert_test_add_device(
	const char *c1, const char *c2, const char *c3, const char *c4, uint32_t latency_frames)
{
	struct backend_ports ports = {.name = "stage",
		.playback = true,
		.monitor = true,
		.connect = {c1, c2, c3, c4},
		.latency_frames = latency_frames,
		.owner = &test.device};

	return backend_add_ports(test.backend, &ports, &test.device.group) == 0;
}

/* A port may be there a moment after the state says that we have joined. */
static const char *link_from, *link_to;

static bool linked(void)
{
	return probe_connect(test.probe, link_from, link_to);
}

bool insert_test_link(const char *from, const char *to)
{
	link_from = from;
	link_to = to;
	return insert_test_wait(linked);
}

bool insert_test_probe(void)
{
	return probe_open(test.probe, test.server);
}

/* --- audio and MIDI --- */

/* Through one insert, through two, and into a device's ports: all in the cycle in which it was played. */
static bool case_audio(void)
{
	struct backend_insert_ports second = insert_test_name(&test.insert[1], "fx2");

	second.connect_in[0] = CLIENT ":fx/return_1";
	second.connect_in[1] = CLIENT ":fx/return_2";
	CHECK(insert_test_probe() && add_between(0) && insert_test_add(&test.insert[1], &second, 0));
	CHECK(insert_test_add_device(CLIENT ":fx/return_1", CLIENT ":fx/return_2", CLIENT ":fx2/return_1",
		CLIENT ":fx2/return_2", 0));
	atomic_store(&test.n_heard, DEVICE_BUFFERS);
	CHECK(insert_test_join());
	CHECK(insert_test_wait(audio_runs) && insert_test_wait(device_hears));
	probe_count_reset(&test.probe->audio);
	probe_count_reset(&test.heard);
	CHECK(insert_test_wait(audio_runs) && insert_test_wait(device_hears));
	CHECK(unspoilt(&test.probe->audio) && unspoilt(&test.heard));
	return true;
}

/* Each message in the frame where it was played, and no others than channel messages. */
static bool case_midi(void)
{
	CHECK(insert_test_probe() && insert_test_add_plain(0, "fx") && insert_test_join());
	CHECK(insert_test_link("player:midi", CLIENT ":fx/midi_in") &&
		insert_test_link(CLIENT ":fx/midi_out", "recorder:midi"));
	CHECK(insert_test_wait(midi_runs));
	probe_count_reset(&test.probe->midi);
	CHECK(insert_test_wait(midi_runs) && unspoilt(&test.probe->midi));
	CHECK(test.insert[0].midi_lost == 0);
	/* More than an insert takes. */
	atomic_store(&test.probe->flood, true);
	probe_count_reset(&test.probe->midi);
	CHECK(insert_test_wait(midi_runs));
	CHECK(test.insert[0].midi_lost == PROBE_MIDI_FLOOD - AUDIO_MIDI_MAX);
	return true;
}

/* With 16 frames a cycle, and with 441, 1024 and back. */
static bool case_period(void)
{
	static const jack_nframes_t periods[] = {16, 441, 1024, 64};

	CHECK(insert_test_probe() && add_between(0) && insert_test_join());
	CHECK(insert_test_link("player:midi", CLIENT ":fx/midi_in") &&
		insert_test_link(CLIENT ":fx/midi_out", "recorder:midi"));
	for (unsigned i = 0; i < ARRAY_SIZE(periods); i++) {
		CHECK(probe_set_period(test.probe, periods[i]));
		probe_count_reset(&test.probe->audio);
		probe_count_reset(&test.probe->midi);
		CHECK(insert_test_wait(audio_runs) && insert_test_wait(midi_runs));
		printf("# exact with %u frames\n", periods[i]);
	}
	return true;
}

/* --- transport --- */

static bool follows_song(void)
{
	return atomic_load(&test.same) >= RUN_CYCLES;
}

static bool rolls(void)
{
	return atomic_load(&test.rolled) >= RUN_CYCLES;
}

static bool player_rolls(void)
{
	return atomic_load(&test.probe->rolling);
}

static bool player_stands(void)
{
	return !atomic_load(&test.probe->rolling) && atomic_load(&test.probe->transport_frame) == 96000;
}

static bool case_transport(void)
{
	CHECK(insert_test_probe() && add_between(0) && insert_test_join());
	CHECK(insert_test_wait(audio_runs));
	atomic_store(&test.other, 0);
	CHECK(probe_set_transport(test.probe, 4000000000U, true));
	CHECK(insert_test_wait(player_rolls) && atomic_load(&test.probe->transport_frame) >= 4000000000U);
	CHECK(insert_test_wait(rolls) && insert_test_wait(follows_song));
	CHECK(probe_set_transport(test.probe, 96000, false));
	CHECK(insert_test_wait(player_stands));
	atomic_store(&test.same, 0);
	atomic_store(&test.rolled, 0);
	CHECK(insert_test_wait(follows_song) && test.rolled == 0);
	CHECK(test.other <= 4 * test.probe->xruns);
	return true;
}

/* --- coming and going --- */

/* The script ends the server at "playing", and starts another one at "gone". */
static bool case_restart(void)
{
	CHECK(insert_test_probe() && insert_test_add_plain(0, "fx") && insert_test_join());
	CHECK(insert_test_link("player:out_1", CLIENT ":fx/send_1") &&
		insert_test_link("player:out_2", CLIENT ":fx/send_2") &&
		insert_test_link("player:midi", CLIENT ":fx/midi_in") &&
		insert_test_link(CLIENT ":fx/return_1", "recorder:in_1") &&
		insert_test_link(CLIENT ":fx/return_2", "recorder:in_2") &&
		insert_test_link(CLIENT ":fx/midi_out", "recorder:midi"));
	CHECK(insert_test_wait(audio_runs) && insert_test_wait(midi_runs));
	printf("playing\n");
	CHECK(insert_test_wait(is_off));
	probe_close(test.probe);
	printf("gone\n");
	backend_start(test.backend);
	CHECK(insert_test_wait(is_ready));
	backend_run(test.backend);
	CHECK(insert_test_wait(is_joined) && insert_test_probe());
	CHECK(insert_test_wait(audio_runs) && insert_test_wait(midi_runs));
	return true;
}

static uint64_t cycles_from;

static bool cycles_went(void)
{
	struct backend_info info = {0};

	backend_get_info(test.backend, &info);
	return info.cycles >= cycles_from + RUN_CYCLES;
}

bool insert_test_cycles(void)
{
	struct backend_info info = {0};

	backend_get_info(test.backend, &info);
	cycles_from = info.cycles;
	return insert_test_wait(cycles_went);
}

static bool fx_ports_gone(void)
{
	return probe_count_ports(test.probe, "^" CLIENT ":fx/") == 0;
}

/* A second insert plays into the device all the time, while the first one is taken away and comes again. */
static bool case_change(void)
{
	struct backend_insert_ports second = insert_test_name(&test.insert[1], "fx2");
	uint64_t calls;

	second.connect_in[0] = "player:out_1";
	second.connect_in[1] = "player:out_2";
	CHECK(insert_test_probe() && add_between(0) && insert_test_add(&test.insert[1], &second, 0));
	CHECK(insert_test_add_device(CLIENT ":fx2/return_1", CLIENT ":fx2/return_2", NULL, NULL, 0));
	atomic_store(&test.n_heard, 2);
	CHECK(insert_test_join() && insert_test_link("player:midi", CLIENT ":fx/midi_in") &&
		insert_test_link(CLIENT ":fx/midi_out", "recorder:midi"));
	CHECK(insert_test_wait(audio_runs) && insert_test_wait(midi_runs) && insert_test_wait(device_hears));
	probe_count_reset(&test.probe->audio);
	probe_count_reset(&test.probe->midi);
	probe_count_reset(&test.heard);
	for (unsigned i = 0; i < 20; i++) {
		CHECK(insert_test_wait(audio_runs));
		backend_remove_ports(test.backend, test.insert[0].group);
		calls = test.insert[0].calls;
		/* One cycle may have been running. */
		CHECK(insert_test_wait(fx_ports_gone) && insert_test_cycles() &&
			test.insert[0].calls <= calls + 1);
		CHECK(add_between(0));
		probe_count_reset(&test.probe->midi);
	}
	CHECK(insert_test_wait(audio_runs) && insert_test_wait(device_hears));
	/* Its last cycle was never heard again, and the other one's next to it never missed. */
	print_count("the one that comes and goes", &test.probe->audio);
	print_count("the other one", &test.heard);
	CHECK(unspoilt(&test.probe->audio) && unspoilt(&test.probe->midi) && unspoilt(&test.heard));
	CHECK(test.heard.silent <= 4 * test.probe->xruns);
	return true;
}

static double took_us(double q)
{
	uint64_t bins[HIST_BINS];

	for (unsigned i = 0; i < HIST_BINS; i++) {
		bins[i] = atomic_load(&test.took.bin[i]);
	}
	return (double)hist_quantile_ns(bins, q) / 1000;
}

static bool measured(void)
{
	return cycles_went() && test.insert[UNITS_MAX - 1].calls >= 10 * RUN_CYCLES;
}

/* 16 at once, all connected in both directions. */
static bool case_many(void)
{
	CHECK(insert_test_probe() && add_between(0));
	for (unsigned i = 1; i < UNITS_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "fx%u", i + 1);
		CHECK(insert_test_add_plain(i, name));
	}
	CHECK(insert_test_join());
	for (unsigned i = 1; i < UNITS_MAX; i++) {
		char from[64], to[64];

		snprintf(from, sizeof(from), CLIENT ":fx%u/return_1", i + 1);
		snprintf(to, sizeof(to), CLIENT ":fx%u/send_1", i + 1);
		CHECK(insert_test_link("player:out_1", to) && insert_test_link(from, "system:playback_1"));
	}
	CHECK(insert_test_wait(audio_runs));
	for (unsigned i = 0; i < UNITS_MAX; i++) {
		CHECK(test.insert[i].calls > 0);
	}
	atomic_store(&test.lazy, true);
	CHECK(insert_test_cycles());
	for (unsigned i = 0; i < HIST_BINS; i++) {
		atomic_store(&test.took.bin[i], 0);
	}
	atomic_store(&test.took.max_ns, 0);
	test.insert[UNITS_MAX - 1].calls = 0;
	CHECK(insert_test_wait(measured));
	printf("# callback with %u inserts that do nothing: median %.2f us, 99 %% %.2f us, max %.2f us\n",
		UNITS_MAX, took_us(0.5), took_us(0.99), (double)test.took.max_ns / 1000);
	CHECK(took_us(0.5) <= CALLBACK_MAX_US * UNITS_MAX);
	return true;
}

/* --- the whole --- */

static const struct {
	const char *name;
	bool (*run)(void);
} cases[] = {
	{"audio", case_audio},
	{"midi", case_midi},
	{"period", case_period},
	{"ports", insert_test_ports},
	{"latency", insert_test_latency},
	{"transport", case_transport},
	{"restart", case_restart},
	{"change", case_change},
	{"many", case_many},
};

static bool run(bool (*fn)(void))
{
	const struct backend_callbacks callbacks = {.process_rt = process_rt, .insert_rt = insert_rt};
	bool passed;

	test.probe = probe_new();
	if (!test.probe || backend_jack_new(CLIENT, test.server, &callbacks, &test.backend) < 0) {
		printf("# no probe, or no backend\n");
		probe_free(test.probe);
		return false;
	}
	passed = fn();
	backend_stop(test.backend);
	if (!insert_test_wait(is_off)) {
		return insert_test_fail("the backend does not stop");
	}
	backend_free(test.backend);
	probe_free(test.probe);
	return passed;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases) && argc == 3; i++) {
		if (strcmp(argv[2], cases[i].name) == 0) {
			test.server = argv[1];
			return run(cases[i].run) ? 0 : 1;
		}
	}
	fprintf(stderr, "Usage: jack-insert SERVER CASE\nCases:");
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		fprintf(stderr, " %s", cases[i].name);
	}
	fprintf(stderr, "\n");
	return 2;
}
