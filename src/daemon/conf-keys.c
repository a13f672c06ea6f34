#include "daemon/conf-internal.h"

#include "base/util.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const backend_names[] = {
	[CONF_BACKEND_AUTO] = "auto",
	[CONF_BACKEND_JACK] = "jack",
	[CONF_BACKEND_PIPEWIRE] = "pipewire",
};

static const char *const bus_names[] = {
	[CONF_BUS_AUTO] = "auto",
	[CONF_BUS_SESSION] = "session",
	[CONF_BUS_SYSTEM] = "system",
	[CONF_BUS_NONE] = "none",
};

static const char *const sender_names[] = {
	[CONF_SENDER_AUTO] = "auto",
	[CONF_SENDER_CALLBACK] = "callback",
	[CONF_SENDER_THREAD] = "thread",
};

const char *conf_backend_to_string(enum conf_backend backend)
{
	return (size_t)backend < ARRAY_SIZE(backend_names) ? backend_names[backend] : "?";
}

/* --- [daemon] --- */

/* One of names, which allowed tells in words. */
static bool parse_word(struct conf_parser *p, const char *value, const char *const names[], size_t n,
	const char *allowed, int *ret_word)
{
	char q[CONF_QUOTE_MAX];

	for (size_t i = 0; i < n; i++) {
		if (strcmp(value, names[i]) == 0) {
			*ret_word = (int)i;
			return true;
		}
	}
	conf_complain(p, "%s is not allowed; write %s", conf_quote(value, q), allowed);
	return false;
}

static bool parse_backend(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	int word;

	if (!parse_word(
		    p, value, backend_names, ARRAY_SIZE(backend_names), "auto, jack or pipewire", &word)) {
		return false;
	}
	conf->backend = (enum conf_backend)word;
	return true;
}

static int print_backend(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", conf_backend_to_string(conf->backend));
}

/* Both end up in names that the audio server makes: its own and those of ports and files. */
static bool parse_server_word(struct conf_parser *p, char *ret, size_t size, const char *value)
{
	char q[CONF_QUOTE_MAX];
	size_t len = strlen(value);
	bool ok = len >= 1 && len < size;

	for (const char *c = value; *c; c++) {
		ok = ok && (conf_is_name_char(*c) || *c == '.');
	}
	if (!ok) {
		conf_complain(p, "%s is not allowed; write 1 to %zu letters, digits, -, _ or .",
			conf_quote(value, q), size - 1);
		return false;
	}
	memcpy(ret, value, len + 1);
	return true;
}

static bool parse_client_name(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return parse_server_word(p, conf->client_name, sizeof(conf->client_name), value);
}

static int print_client_name(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", conf->client_name);
}

static bool parse_jack_server(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return parse_server_word(p, conf->jack_server, sizeof(conf->jack_server), value);
}

static int print_jack_server(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", conf->jack_server);
}

static bool parse_daemon_interface(
	struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return conf_parse_interface(p, value, conf->interface);
}

static int print_daemon_interface(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", conf->interface);
}

static bool parse_bandwidth(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	char q[CONF_QUOTE_MAX];
	int v;

	if (strcmp(value, "auto") == 0) {
		v = CONF_BANDWIDTH_AUTO;
	} else if (strcmp(value, "unlimited") == 0) {
		v = CONF_BANDWIDTH_UNLIMITED;
	} else if (!conf_parse_decimal(value, &v) || v < 1 || v > CONF_BANDWIDTH_MAX) {
		conf_complain(p, "%s is not allowed; write auto, unlimited, or 1 to %d (Mbit/s)",
			conf_quote(value, q), CONF_BANDWIDTH_MAX);
		return false;
	}
	conf->bandwidth_mbit = v;
	return true;
}

static int print_bandwidth(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	if (conf->bandwidth_mbit > 0) {
		return fprintf(f, "%d", conf->bandwidth_mbit);
	}
	return fprintf(f, "%s", conf->bandwidth_mbit == CONF_BANDWIDTH_AUTO ? "auto" : "unlimited");
}

static bool parse_log_level(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	char q[CONF_QUOTE_MAX];

	if (log_level_from_string(value, &conf->log_level) < 0) {
		conf_complain(p, "%s is not allowed; write error, warning, notice, info or debug",
			conf_quote(value, q));
		return false;
	}
	return true;
}

static int print_log_level(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", log_level_to_string(conf->log_level));
}

static bool parse_qdisc_bypass(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return conf_parse_boolean(p, value, &conf->qdisc_bypass);
}

static int print_qdisc_bypass(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", conf->qdisc_bypass ? "yes" : "no");
}

static bool parse_socket_priority(
	struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return conf_parse_ranged(p, value, 0, 6, "", &conf->socket_priority);
}

static int print_socket_priority(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%d", conf->socket_priority);
}

static bool parse_sender(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	int word;

	if (!parse_word(
		    p, value, sender_names, ARRAY_SIZE(sender_names), "auto, callback or thread", &word)) {
		return false;
	}
	conf->sender = (enum conf_sender)word;
	return true;
}

static int print_sender(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", sender_names[conf->sender]);
}

static bool parse_fade(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return conf_parse_ranged(p, value, 0, 1000, " (milliseconds)", &conf->fade_ms);
}

static int print_fade(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%d", conf->fade_ms);
}

static bool parse_bus(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	int word;

	if (!parse_word(p, value, bus_names, ARRAY_SIZE(bus_names), "auto, session, system or none", &word)) {
		return false;
	}
	conf->bus = (enum conf_bus)word;
	return true;
}

static int print_bus(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", bus_names[conf->bus]);
}

const struct conf_key conf_daemon_keys[CONF_DAEMON_KEYS] = {
	[CONF_DAEMON_BACKEND] = {"backend", parse_backend, print_backend},
	[CONF_DAEMON_CLIENT_NAME] = {"client-name", parse_client_name, print_client_name},
	[CONF_DAEMON_JACK_SERVER] = {"jack-server", parse_jack_server, print_jack_server},
	[CONF_DAEMON_INTERFACE] = {"interface", parse_daemon_interface, print_daemon_interface},
	[CONF_DAEMON_BANDWIDTH] = {"bandwidth", parse_bandwidth, print_bandwidth},
	[CONF_DAEMON_LOG_LEVEL] = {"log-level", parse_log_level, print_log_level},
	[CONF_DAEMON_QDISC_BYPASS] = {"qdisc-bypass", parse_qdisc_bypass, print_qdisc_bypass},
	[CONF_DAEMON_SOCKET_PRIORITY] = {"socket-priority", parse_socket_priority, print_socket_priority},
	[CONF_DAEMON_SENDER] = {"sender", parse_sender, print_sender},
	[CONF_DAEMON_FADE] = {"fade", parse_fade, print_fade},
	[CONF_DAEMON_BUS] = {"bus", parse_bus, print_bus},
};

void conf_set_defaults(struct conf *conf)
{
	conf->backend = CONF_BACKEND_AUTO;
	strcpy(conf->client_name, "ethlink");
	strcpy(conf->jack_server, "default");
	conf->bandwidth_mbit = CONF_BANDWIDTH_AUTO;
	conf->log_level = LOG_INFO;
	conf->socket_priority = 6;
	conf->fade_ms = 10;
}

/* --- [device NAME] --- */

static bool parse_model(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	char q[CONF_QUOTE_MAX];

	if (strcmp(value, ethlink_model_name(ETHLINK_DAC8)) == 0) {
		dev->model = ETHLINK_DAC8;
	} else if (strcmp(value, ethlink_model_name(ETHLINK_ADC8)) == 0) {
		dev->model = ETHLINK_ADC8;
	} else {
		conf_complain(p, "%s is not allowed; write dac8 or adc8", conf_quote(value, q));
		return false;
	}
	return true;
}

static int print_model(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", ethlink_model_name(dev->model));
}

static bool parse_serial(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	bool hex = value[0] == '0' && (value[1] == 'x' || value[1] == 'X');
	const char *digits = hex ? value + 2 : value;
	size_t len = strlen(digits);
	char q[CONF_QUOTE_MAX];
	unsigned long v;

	if (len >= 1 && len <= 9 && strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") == len) {
		v = strtoul(digits, NULL, hex ? 16 : 10);
		if (v <= UINT16_MAX) {
			dev->serial = (uint16_t)v;
			return true;
		}
	}
	conf_complain(p, "%s is not allowed; write the box's serial number, 0 to 65535 (or 0x0 to 0xffff)",
		conf_quote(value, q));
	return false;
}

static int print_serial(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%" PRIu16, dev->serial);
}

static bool parse_device_interface(
	struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return conf_parse_interface(p, value, dev->interface);
}

static int print_device_interface(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", dev->interface);
}

/*
 * The model may come later in the file, so a gain's range is looked at when the section is complete. Both
 * models take 0 dB: a value that cannot be read causes no second message then.
 */
static bool parse_gain(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	char *items[ETHLINK_CHANNELS];
	unsigned n = conf_split(value, items, ETHLINK_CHANNELS);
	char q[CONF_QUOTE_MAX];
	bool ok = true;

	memset(dev->gain_db, 0, sizeof(dev->gain_db));
	if (n != 1 && n != ETHLINK_CHANNELS) {
		conf_complain(p, "%u values; write one for all channels, or eight separated by commas", n);
		return false;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!conf_parse_decimal(items[i], &dev->gain_db[i])) {
			conf_complain(
				p, "%s is not allowed; write a gain in whole dB", conf_quote(items[i], q));
			ok = false;
		}
	}
	for (unsigned i = n; i < ETHLINK_CHANNELS; i++) {
		dev->gain_db[i] = dev->gain_db[0];
	}
	return ok;
}

static int print_gain(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	unsigned n = 1;
	int len = 0;

	for (unsigned i = 1; i < ETHLINK_CHANNELS; i++) {
		if (dev->gain_db[i] != dev->gain_db[0]) {
			n = ETHLINK_CHANNELS;
		}
	}
	for (unsigned i = 0; i < n; i++) {
		len += fprintf(f, "%s%d", i ? ", " : "", dev->gain_db[i]);
	}
	return len;
}

static bool parse_switches(struct conf_parser *p, char *value, bool *ret, unsigned max, const char *allowed)
{
	char *items[ETHLINK_CHANNELS];
	unsigned n = conf_split(value, items, max);
	bool ok = true;

	if (n != 1 && n != max) {
		conf_complain(p, "%u values; %s", n, allowed);
		return false;
	}
	for (unsigned i = 0; i < n; i++) {
		ok = conf_parse_boolean(p, items[i], &ret[i]) && ok;
	}
	for (unsigned i = n; i < max; i++) {
		ret[i] = ret[0];
	}
	return ok;
}

static int print_switches(const bool *on, unsigned max, FILE *f)
{
	unsigned n = 1;
	int len = 0;

	for (unsigned i = 1; i < max; i++) {
		if (on[i] != on[0]) {
			n = max;
		}
	}
	for (unsigned i = 0; i < n; i++) {
		len += fprintf(f, "%s%s", i ? ", " : "", on[i] ? "yes" : "no");
	}
	return len;
}

static bool parse_mute(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return parse_switches(p, value, dev->mute, ETHLINK_CHANNELS,
		"write one for all channels, or eight separated by commas");
}

static int print_mute(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return print_switches(dev->mute, ETHLINK_CHANNELS, f);
}

static bool parse_phantom(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return parse_switches(p, value, dev->phantom, 2,
		"write one for all channels, or two separated by a comma: channels 1 to 4 and 5 to 8");
}

static int print_phantom(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return print_switches(dev->phantom, 2, f);
}

static bool parse_latency(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	char q[CONF_QUOTE_MAX];
	int v = CONF_LATENCY_AUTO;

	if (strcmp(value, "auto") != 0 && (!conf_parse_decimal(value, &v) || v < 0 || v > CONF_LATENCY_MAX)) {
		conf_complain(p, "%s is not allowed; write auto, or 0 to %d sample frames",
			conf_quote(value, q), CONF_LATENCY_MAX);
		return false;
	}
	dev->latency_frames = v;
	return true;
}

static int print_latency(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	if (dev->latency_frames == CONF_LATENCY_AUTO) {
		return fprintf(f, "auto");
	}
	return fprintf(f, "%d", dev->latency_frames);
}

static bool parse_monitor(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return conf_parse_boolean(p, value, &dev->monitor);
}

static int print_monitor(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", dev->monitor ? "yes" : "no");
}

static bool label_good(struct conf_parser *p, const char *item)
{
	return conf_text_fits(p, item, CONF_LABEL_MAX, "a label");
}

static bool parse_labels(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return conf_parse_strings(p, value, dev->labels, ETHLINK_CHANNELS, label_good);
}

static int print_labels(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return conf_print_strings(dev->labels, ETHLINK_CHANNELS, f);
}

static bool parse_connect(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return conf_parse_strings(p, value, dev->connect, ETHLINK_CHANNELS, conf_port_good);
}

static int print_connect(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return conf_print_strings(dev->connect, ETHLINK_CHANNELS, f);
}

static bool parse_takeover(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return conf_parse_boolean(p, value, &dev->takeover);
}

static int print_takeover(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", dev->takeover ? "yes" : "no");
}

const struct conf_key conf_device_keys[CONF_DEVICE_KEYS] = {
	[CONF_DEVICE_MODEL] = {"model", parse_model, print_model},
	[CONF_DEVICE_SERIAL] = {"serial", parse_serial, print_serial},
	[CONF_DEVICE_INTERFACE] = {"interface", parse_device_interface, print_device_interface},
	[CONF_DEVICE_GAIN] = {"gain", parse_gain, print_gain},
	[CONF_DEVICE_MUTE] = {"mute", parse_mute, print_mute},
	[CONF_DEVICE_PHANTOM] = {"phantom", parse_phantom, print_phantom},
	[CONF_DEVICE_LATENCY] = {"latency", parse_latency, print_latency},
	[CONF_DEVICE_MONITOR] = {"monitor", parse_monitor, print_monitor},
	[CONF_DEVICE_LABELS] = {"labels", parse_labels, print_labels},
	[CONF_DEVICE_CONNECT] = {"connect", parse_connect, print_connect},
	[CONF_DEVICE_TAKEOVER] = {"takeover", parse_takeover, print_takeover},
	[CONF_DEVICE_POSITIONS] = {"positions", conf_parse_positions, conf_print_positions},
	[CONF_DEVICE_VOLUME] = {"volume", conf_parse_volume, conf_print_volume},
	[CONF_DEVICE_DESCRIPTION] = {"description", conf_parse_description, conf_print_description},
	[CONF_DEVICE_PREFERRED] = {"preferred", conf_parse_preferred, conf_print_preferred},
};

void conf_device_set_defaults(struct conf_device *dev)
{
	dev->latency_frames = CONF_LATENCY_AUTO;
	conf_graph_set_defaults(dev);
}

void conf_device_fini(struct conf_device *dev)
{
	conf_clear_strings(dev->labels, ETHLINK_CHANNELS);
	conf_clear_strings(dev->connect, ETHLINK_CHANNELS);
}
