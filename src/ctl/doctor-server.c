#include "ctl/doctor-checks.h"

#include "base/audio.h"
#include "base/util.h"
#include "proto/ethlink.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BOX_RATES "44100, 48000, 88200 and 96000 Hz"
#define ALLOW_RATES "default.clock.allowed-rates = [ 44100 48000 88200 96000 ]"

static bool has_joined_pipewire(const struct doctor_daemon *d)
{
	return strcmp(d->backend, "pipewire") == 0;
}

/* JACK is joined, or waited for and nothing else; whether by PipeWire's own libjack or not. */
static bool is_jack_only(const struct doctor_facts *facts)
{
	return facts->daemon.answers && strcmp(facts->daemon.backend, "jack") == 0;
}

bool doctor_has_server(const struct doctor_facts *facts, struct doctor_report *report)
{
	if (!facts->daemon.connected) {
		doctor_add(report, DOCTOR_SKIPPED, NULL,
			facts->daemon.answers ? "no sound server is there" : "ethlinkd does not run");
	}
	return facts->daemon.connected;
}

void doctor_command_period(
	struct doctor_finding *finding, const struct doctor_daemon *daemon, uint64_t frames)
{
	if (has_joined_pipewire(daemon)) {
		doctor_command(finding, "pw-metadata -n settings 0 clock.force-quantum %" PRIu64, frames);
	} else {
		doctor_command(finding, "jack_bufsize %" PRIu64, frames);
	}
}

/* Whose server it is, in a sentence. */
static const char *of_whom(const struct doctor_facts *facts)
{
	return facts->process.user[0] ? facts->process.user : "this user";
}

/* --- the server */

static void advise_server(struct doctor_finding *f, const struct doctor_facts *facts)
{
	bool pipewire = facts->pipewire.has_socket || facts->pipewire.pid > 0;

	if (strcmp(facts->daemon.backend, "jack") != 0) {
		doctor_advise(f,
			"See \"PipeWire\" below. Or start a JACK server as the user that ethlinkd "
			"runs as, %s, with its card; or without one:",
			of_whom(facts));
		doctor_command(f, "jackd -R -d dummy -r 48000 -p 256");
	} else {
		doctor_advise(f,
			"%sStart it as the user that ethlinkd runs as, %s, with its card; or "
			"without one:",
			pipewire ? "PipeWire runs for this user: with backend = auto in ethlinkd.conf that "
				   "is joined. To have JACK: "
				 : "",
			of_whom(facts));
		doctor_command(f, "jackd -R -d dummy -r 48000 -p 256");
	}
}

void doctor_check_audio_server(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_daemon *d = &facts->daemon;
	struct doctor_finding *f;

	if (d->connected) {
		doctor_add(report, DOCTOR_OK, NULL, "ethlinkd has joined the sound server (%s)", d->backend);
	} else if (!d->answers) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "ethlinkd does not run");
	} else {
		f = doctor_add(
			report, DOCTOR_PROBLEM, NULL, "ethlinkd waits for the sound server (%s)", d->backend);
		doctor_why(f, "Without it there is nothing to play.");
		advise_server(f, facts);
	}
}

/* --- PipeWire */

static void miss_pipewire(const struct doctor_facts *facts, struct doctor_report *report)
{
	struct doctor_finding *f;

	if (!facts->daemon.answers) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "no PipeWire server runs for %s", of_whom(facts));
		return;
	}
	f = doctor_add(report, DOCTOR_PROBLEM, NULL, "no PipeWire server runs for %s: %s %s", of_whom(facts),
		facts->pipewire.has_socket ? "nobody listens at" : "there is no", facts->pipewire.socket);
	doctor_why(f, "ethlinkd runs as this user, and joins no other user's server. Boxes are silent.");
	doctor_advise(f,
		"PipeWire runs while its user is logged in. As that user start it, now and at each login; "
		"for a machine at which nobody logs in, the second command keeps it running:");
	doctor_command(
		f, "systemctl --user enable --now pipewire.socket pipewire.service wireplumber.service");
	doctor_command(f, "sudo loginctl enable-linger %s",
		facts->process.user[0] ? facts->process.user : "\"$USER\"");
}

void doctor_check_pipewire(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_pipewire *p = &facts->pipewire;
	struct doctor_finding *f;

	if (is_jack_only(facts)) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "not used (backend jack)");
	} else if (facts->process.uid < 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "it cannot be seen whose ethlinkd this is");
	} else if (p->pid > 0 && !p->has_socket && !facts->daemon.connected && facts->daemon.answers) {
		f = doctor_add(report, DOCTOR_PROBLEM, NULL,
			"PipeWire runs for %s (process %" PRId64 "), but not at %s", of_whom(facts), p->pid,
			p->socket);
		doctor_why(f, "There ethlinkd looks for it, and waits.");
		doctor_advise(f, "Its socket may have been removed; as that user start it anew:");
		doctor_command(f, "systemctl --user restart pipewire.socket pipewire.service");
	} else if (p->pid > 0) {
		doctor_add(report, DOCTOR_OK, NULL, "PipeWire%s%s runs for %s (process %" PRId64 ")",
			p->version[0] ? " " : "", p->version, of_whom(facts), p->pid);
	} else if (facts->daemon.connected) {
		doctor_add(report, DOCTOR_OK, NULL, "joined; the server's process is not seen from here");
	} else if (p->has_socket && !facts->daemon.answers) {
		doctor_add(report, DOCTOR_OK, NULL, "%s is there; the server starts when it is joined",
			p->socket);
	} else {
		miss_pipewire(facts, report);
	}
}

/* What is seen of the server's process and files is of concern. Otherwise says so. */
static bool has_pipewire(const struct doctor_facts *facts, struct doctor_report *report)
{
	if (is_jack_only(facts)) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "not used (backend jack)");
	} else if (facts->pipewire.pid <= 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "no PipeWire server is seen");
	}
	return !is_jack_only(facts) && facts->pipewire.pid > 0;
}

void doctor_check_session_manager(const struct doctor_facts *facts, struct doctor_report *report)
{
	struct doctor_finding *f;

	if (!has_pipewire(facts, report)) {
		return;
	}
	if (facts->pipewire.has_manager) {
		doctor_add(report, DOCTOR_OK, NULL, "PipeWire has a session manager");
		return;
	}
	f = doctor_add(report, DOCTOR_WARNING, NULL, "PipeWire has no session manager");
	doctor_why(f,
		"The desktop finds no outputs then, and what plays is linked to nothing but by hand or by "
		"connect = in ethlinkd.conf.");
	doctor_advise(f, "Install it, and start it as %s:", of_whom(facts));
	doctor_command(f, "sudo apt-get install wireplumber");
	doctor_command(f, "systemctl --user enable --now wireplumber.service");
}

void doctor_check_pipewire_priority(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_pipewire *p = &facts->pipewire;
	struct doctor_finding *f;

	if (!has_pipewire(facts, report)) {
		return;
	}
	if (p->n_threads <= 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "PipeWire's threads cannot be looked at");
	} else if (p->n_realtime > 0) {
		doctor_add(report, DOCTOR_OK, NULL, "PipeWire's audio thread has realtime priority %" PRId64,
			p->max_priority);
	} else {
		f = doctor_add(
			report, DOCTOR_WARNING, NULL, "PipeWire's audio thread has no realtime priority");
		doctor_why(f, "It starts each cycle. While another program computes it waits, and so does "
			      "every box.");
		if (facts->system.rtkit) {
			doctor_command_limits(f, &facts->process);
		} else {
			doctor_advise(f,
				"PipeWire gets it from rtkit, or by limits (see \"priority limit\"). "
				"Install the one, and start the other again:");
			doctor_command(f, "sudo apt-get install rtkit");
			doctor_command(f, "systemctl --user restart pipewire.service");
		}
	}
}

static bool is_box_rate(int64_t rate)
{
	return rate > 0 && rate <= UINT32_MAX && ethlink_rate_code((uint32_t)rate) >= 0;
}

static void command_rates(struct doctor_finding *f, const char *also)
{
	doctor_command(f, "mkdir -p ~/.config/pipewire/pipewire.conf.d");
	doctor_command(f,
		"echo 'context.properties = { %s" ALLOW_RATES " }' > "
		"~/.config/pipewire/pipewire.conf.d/90-ethlinkd.conf",
		also);
	doctor_command(f, "systemctl --user restart pipewire.service");
}

/* All of the list that satisfies or not, with commas. */
static unsigned list_rates(char *buf, size_t size, const struct doctor_pipewire *p, bool of_boxes)
{
	size_t len = 0;
	unsigned n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < p->n_rates && len < size; i++) {
		if (is_box_rate(p->rates[i]) == of_boxes) {
			len += (size_t)snprintf(
				buf + len, size - len, "%s%" PRId64, n ? ", " : "", p->rates[i]);
			n++;
		}
	}
	return n;
}

void doctor_check_pipewire_rates(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_pipewire *p = &facts->pipewire;
	struct doctor_finding *f;
	char rates[200];

	if (!has_pipewire(facts, report)) {
		return;
	}
	if (p->default_rate < 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "PipeWire's configuration was not found");
	} else if (!is_box_rate(p->default_rate)) {
		f = doctor_add(report, DOCTOR_PROBLEM, NULL,
			"PipeWire is configured to run at %" PRId64 " Hz", p->default_rate);
		doctor_why(f, "Boxes take " BOX_RATES ". At any other rate they are silent.");
		doctor_advise(f, "Give it another, as %s:", of_whom(facts));
		command_rates(f, "default.clock.rate = 48000 ");
	} else if (list_rates(rates, sizeof(rates), p, false) > 0) {
		f = doctor_add(report, DOCTOR_WARNING, NULL, "PipeWire may change to %s Hz", rates);
		doctor_why(f, "It does so when something of that rate plays, and then all boxes are silent: "
			      "they take " BOX_RATES ".");
		doctor_advise(f, "Take these from the list, as %s:", of_whom(facts));
		command_rates(f, "");
	} else if (list_rates(rates, sizeof(rates), p, true) > 1) {
		doctor_add(report, DOCTOR_OK, NULL, "%" PRId64 " Hz, and what plays may change it to %s",
			p->default_rate, rates);
	} else {
		doctor_add(report, DOCTOR_OK, NULL, "%" PRId64 " Hz, whatever plays", p->default_rate);
	}
}

void doctor_check_jack_library(const struct doctor_facts *facts, struct doctor_report *report)
{
	struct doctor_finding *f;

	if (!is_jack_only(facts)) {
		doctor_add(report, DOCTOR_SKIPPED, NULL,
			facts->daemon.answers ? "JACK is not joined" : "ethlinkd does not run");
	} else if (facts->pipewire.libjack == DOCTOR_UNKNOWN) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "it cannot be seen which one ethlinkd has");
	} else if (facts->pipewire.libjack == 0) {
		doctor_add(report, DOCTOR_OK, NULL, "JACK's own");
	} else {
		f = doctor_add(report, DOCTOR_WARNING, NULL,
			"ethlinkd has joined PipeWire by way of PipeWire's libjack");
		doctor_why(f, "It works; but each change of PipeWire's quantum, which any program may bring "
			      "about, starts all boxes anew: a gap. And the desktop sees no outputs with a "
			      "volume.");
		doctor_advise(f, "Let ethlinkd speak to PipeWire itself: write backend = pipewire into "
				 "ethlinkd.conf, start it without pw-jack, then:");
		doctor_command(f, "sudo systemctl restart ethlinkd@\"$USER\"");
	}
}

/* --- what it runs at */

void doctor_check_rate_period(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_daemon *d = &facts->daemon;
	const char *note = d->period % ETHLINK_BLOCK_FRAMES ? "; the period is no multiple of 8" : "";
	struct doctor_finding *f;

	if (!doctor_has_server(facts, report)) {
		return;
	}
	for (unsigned i = 0; i < facts->n_ifaces; i++) {
		if (facts->ifaces[i].paced) {
			note = "; more than a box takes at once, so it is spread over the period";
		}
	}
	if (d->sample_rate > UINT32_MAX || !is_box_rate((int64_t)d->sample_rate)) {
		f = doctor_add(report, DOCTOR_PROBLEM, NULL, "the sound server runs at %" PRIu64 " Hz",
			d->sample_rate);
		doctor_why(f, "Boxes take " BOX_RATES ". At any other rate they are silent.");
		if (has_joined_pipewire(d)) {
			doctor_advise(f, "See \"its rates\" above; until PipeWire is restarted, this helps:");
			doctor_command(f, "pw-metadata -n settings 0 clock.force-rate 48000");
		} else {
			doctor_advise(f, "Start the server at one of these; the last argument of jackd, for "
					 "example:");
			doctor_command(f, "jackd -R -d alsa -r 48000");
		}
	} else if (d->period < AUDIO_PERIOD_MIN || d->period > AUDIO_PERIOD_MAX) {
		f = doctor_add(report, DOCTOR_PROBLEM, NULL,
			"the sound server's period has %" PRIu64 " frames", d->period);
		doctor_why(f, "ethlinkd takes periods of %d to %d. At any other the boxes are silent.",
			AUDIO_PERIOD_MIN, AUDIO_PERIOD_MAX);
		doctor_command_period(f, d, 256);
	} else {
		doctor_add(report, DOCTOR_OK, NULL, "%" PRIu64 " Hz, period %" PRIu64 " (%.2f ms)%s%s",
			d->sample_rate, d->period, 1000.0 * (double)d->period / (double)d->sample_rate,
			has_joined_pipewire(d) ? " at this moment" : "", note);
	}
}

void doctor_check_realtime_audio(const struct doctor_facts *facts, struct doctor_report *report)
{
	const struct doctor_daemon *d = &facts->daemon;
	struct doctor_finding *f;

	if (!doctor_has_server(facts, report)) {
		return;
	}
	if (d->rt_priority > 0) {
		doctor_add(report, DOCTOR_OK, NULL, "audio runs with realtime priority %" PRId64,
			d->rt_priority);
		return;
	}
	if (!d->has_telemetry || d->cycles == 0) {
		doctor_add(report, DOCTOR_SKIPPED, NULL, "no cycle has come yet");
		return;
	}
	f = doctor_add(report, DOCTOR_PROBLEM, NULL, "audio runs without realtime priority");
	doctor_why(f, "It has to wait while other programs compute: gaps whenever the machine is busy.");
	if (has_joined_pipewire(d)) {
		doctor_advise(f, "The priority comes from limits or from rtkit: see to \"priority limit\" "
				 "and \"rtkit\" "
				 "above, then start ethlinkd again:");
		doctor_command(f, "sudo systemctl restart ethlinkd@\"$USER\"");
	} else {
		doctor_advise(f, "See to \"priority limit\" above, then restart the sound server in realtime "
				 "mode: jackd with -R, in qjackctl \"Realtime\", or with jackdbus:");
		doctor_command(f, "jack_control eps realtime True");
	}
}
