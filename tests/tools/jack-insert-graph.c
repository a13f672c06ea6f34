/* jack-insert: an insert as other programs see it. */
#include "jack-insert.h"

#include "base/util.h"

#include <jack/metadata.h>
#include <stdio.h>
#include <string.h>

static bool has_flags(const char *name, bool midi, unsigned long flags)
{
	unsigned long of_interest =
		JackPortIsInput | JackPortIsOutput | JackPortIsPhysical | JackPortIsTerminal;
	struct probe_port port;

	return probe_get_port(test.probe, name, &port) && port.midi == midi &&
	       (port.flags & of_interest) == flags;
}

static bool has_property(const char *name, const char *key, const char *want)
{
	return probe_has_property(test.probe, name, key, want);
}

struct want_latency {
	const char *port;
	jack_latency_callback_mode_t mode;
	jack_nframes_t min, max;
};

static const struct want_latency *wanted;
static unsigned n_wanted;
static bool say_latency;

static bool latencies_are(void)
{
	for (unsigned i = 0; i < n_wanted; i++) {
		const struct want_latency *w = &wanted[i];
		struct probe_port port;
		jack_latency_range_t r;

		if (!probe_get_port(test.probe, w->port, &port)) {
			return false;
		}
		r = port.latency[w->mode];
		if (r.min != w->min || r.max != w->max) {
			if (say_latency) {
				printf("# %s latency of %s is %u to %u, and should be %u to %u\n",
					w->mode == JackCaptureLatency ? "capture" : "playback", w->port,
					r.min, r.max, w->min, w->max);
			}
			return false;
		}
	}
	return true;
}

static bool check_latencies(const struct want_latency *want, unsigned n)
{
	wanted = want;
	n_wanted = n;
	if (insert_test_wait(latencies_are)) {
		return true;
	}
	say_latency = true;
	return latencies_are();
}

#define LATENCIES(...)                                                                                       \
	check_latencies((const struct want_latency[]){__VA_ARGS__},                                          \
		ARRAY_SIZE(((const struct want_latency[]){__VA_ARGS__})))

static jack_nframes_t latency_of(const char *name, jack_latency_callback_mode_t mode)
{
	struct probe_port port;

	return probe_get_port(test.probe, name, &port) ? port.latency[mode].max : 0;
}

bool insert_test_ports(void)
{
	const char *order = "http://jackaudio.org/metadata/order";
	struct backend_insert_ports few = insert_test_name(&test.insert[1], "synth");

	few.in[0] = few.in[1] = few.out[1] = few.midi_out = NULL;
	CHECK(insert_test_probe() && insert_test_add_plain(0, "fx") &&
		insert_test_add(&test.insert[1], &few, 0) &&
		insert_test_add_device(NULL, NULL, NULL, NULL, 0));
	backend_set_latency(test.backend, test.insert[0].group, 50);
	CHECK(insert_test_join());
	CHECK(probe_count_ports(test.probe, "^" CLIENT ":fx/") == 6);
	CHECK(probe_count_ports(test.probe, "^" CLIENT ":synth/") == 2 &&
		probe_count_ports(test.probe, "^" CLIENT ":") == 6 + 2 + 16);
	CHECK(has_flags(CLIENT ":fx/send_1", false, JackPortIsInput));
	CHECK(has_flags(CLIENT ":fx/send_2", false, JackPortIsInput));
	CHECK(has_flags(CLIENT ":fx/midi_in", true, JackPortIsInput));
	CHECK(has_flags(CLIENT ":fx/return_1", false, JackPortIsOutput));
	CHECK(has_flags(CLIENT ":fx/return_2", false, JackPortIsOutput));
	CHECK(has_flags(CLIENT ":fx/midi_out", true, JackPortIsOutput));
	CHECK(has_flags(CLIENT ":synth/midi_in", true, JackPortIsInput));
	CHECK(has_flags(CLIENT ":synth/return_1", false, JackPortIsOutput));
	CHECK(has_flags(CLIENT ":stage/playback_1", false,
		JackPortIsInput | JackPortIsPhysical | JackPortIsTerminal));
	CHECK(has_property(CLIENT ":fx/send_1", order, "1") &&
		has_property(CLIENT ":fx/midi_in", order, "3") &&
		has_property(CLIENT ":fx/return_1", order, "4") &&
		has_property(CLIENT ":fx/midi_out", order, "6"));
	CHECK(has_property(CLIENT ":fx/send_1", JACK_METADATA_PRETTY_NAME, "Left") &&
		!has_property(CLIENT ":fx/send_2", JACK_METADATA_PRETTY_NAME, "Left"));
	/* Of ports that nothing was ever connected to, too. */
	CHECK(LATENCIES({CLIENT ":fx/return_1", JackCaptureLatency, 50, 50},
		{CLIENT ":fx/send_1", JackPlaybackLatency, 50, 50}));
	return true;
}

/* A source, two inserts one after the other, and a box; and what is added, changed or led back while it runs. */
bool insert_test_latency(void)
{
	struct backend_insert_ports second = insert_test_name(&test.insert[1], "fx2");
	struct backend_insert_ports slot = insert_test_name(&test.insert[2], "daw-1");
	const jack_latency_callback_mode_t capture = JackCaptureLatency, playback = JackPlaybackLatency;
	jack_nframes_t in;

	second.connect_in[0] = CLIENT ":fx/return_1";
	CHECK(insert_test_probe() && insert_test_add_plain(0, "fx"));
	backend_set_latency(test.backend, test.insert[0].group, 640);
	CHECK(insert_test_add(&test.insert[1], &second, 72) &&
		insert_test_add_device(CLIENT ":fx2/return_1", NULL, NULL, NULL, 100));
	CHECK(insert_test_join());
	in = latency_of("system:capture_1", capture);
	CHECK(in > 0);
	/* Nothing goes in yet. */
	CHECK(LATENCIES({CLIENT ":fx/return_1", capture, 640, 640},
		{CLIENT ":fx/midi_out", capture, 640, 640}, {CLIENT ":fx2/return_2", capture, 712, 712},
		{CLIENT ":stage/monitor_1", capture, 712, 712}, {CLIENT ":stage/monitor_2", capture, 0, 0},
		{CLIENT ":fx2/send_1", playback, 172, 172}, {CLIENT ":fx/send_1", playback, 812, 812},
		{CLIENT ":fx/midi_in", playback, 812, 812},
		{CLIENT ":stage/playback_1", playback, 100, 100}));
	CHECK(insert_test_link("system:capture_1", CLIENT ":fx/send_1"));
	CHECK(LATENCIES({CLIENT ":fx/return_1", capture, in + 640, in + 640},
		{CLIENT ":fx2/return_1", capture, in + 712, in + 712},
		{CLIENT ":stage/monitor_1", capture, in + 712, in + 712},
		{"system:capture_1", playback, 812, 812}));
	/* A second source that has none makes a range; so does a second way out. */
	CHECK(insert_test_link("player:out_1", CLIENT ":fx/send_2") &&
		insert_test_link(CLIENT ":fx/return_1", CLIENT ":stage/playback_2"));
	CHECK(LATENCIES({CLIENT ":fx/return_2", capture, 640, in + 640},
		{CLIENT ":stage/monitor_1", capture, 712, in + 712},
		{CLIENT ":stage/monitor_2", capture, 640, in + 640}, {"system:capture_1", playback, 740, 812},
		{"player:out_1", playback, 740, 812}));
	backend_set_latency(test.backend, test.insert[0].group, 1000);
	CHECK(LATENCIES({CLIENT ":fx2/return_1", capture, 1072, in + 1072},
		{"system:capture_1", playback, 1100, 1172}));
	backend_set_latency(test.backend, test.device.group, 200);
	CHECK(LATENCIES({"system:capture_1", playback, 1200, 1272}));
	/* Led back, it is heard a cycle later, and nothing grows. */
	CHECK(insert_test_link(CLIENT ":fx2/return_2", CLIENT ":fx/send_1") &&
		insert_test_link(CLIENT ":stage/monitor_1", CLIENT ":fx/send_2"));
	for (unsigned i = 0; i < 5; i++) {
		CHECK(probe_recompute_latencies(test.probe));
	}
	CHECK(LATENCIES({CLIENT ":fx2/return_1", capture, 1072, in + 1072},
		{"system:capture_1", playback, 1200, 1272}));
	/* What goes in and what comes out of a server's slot have nothing to do with each other. */
	slot.through = false;
	CHECK(insert_test_cycles() && insert_test_add(&test.insert[2], &slot, 96));
	CHECK(LATENCIES({CLIENT ":daw-1/return_1", capture, 96, 96},
		{CLIENT ":daw-1/midi_out", capture, 96, 96}, {CLIENT ":daw-1/send_1", playback, 96, 96}));
	CHECK(insert_test_link("system:capture_1", CLIENT ":daw-1/send_1") &&
		insert_test_link(CLIENT ":daw-1/return_1", CLIENT ":fx/send_2"));
	CHECK(LATENCIES({CLIENT ":daw-1/return_1", capture, 96, 96},
		{CLIENT ":daw-1/send_1", playback, 96, 96}, {"system:capture_1", playback, 96, 1272}));
	/* Until JACK itself has no more reason to ask. */
	CHECK(insert_test_cycles());
	slot.through = true;
	CHECK(insert_test_change(&test.insert[2], &slot));
	CHECK(LATENCIES({CLIENT ":daw-1/return_2", capture, in + 96, in + 96}));
	return true;
}
