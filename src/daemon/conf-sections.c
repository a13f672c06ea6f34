#include "daemon/conf-internal.h"

#include <string.h>

#define SECTIONS "write [daemon], [device NAME] or [netvst NAME]"

static const struct conf_where nowhere;

static void use_scratch_conf(struct conf_parser *p)
{
	memset(&p->scratch_conf, 0, sizeof(p->scratch_conf));
	p->section = CONF_SECTION_DAEMON;
	p->to_conf = &p->scratch_conf;
	p->good = &p->scratch_good;
}

static void use_scratch_dev(struct conf_parser *p)
{
	conf_device_fini(&p->scratch_dev);
	memset(&p->scratch_dev, 0, sizeof(p->scratch_dev));
	p->section = CONF_SECTION_DEVICE;
	p->to_dev = &p->scratch_dev;
	p->good = &p->scratch_good;
}

static void use_scratch_netvst(struct conf_parser *p)
{
	conf_netvst_fini(&p->scratch_netvst);
	memset(&p->scratch_netvst, 0, sizeof(p->scratch_netvst));
	p->section = CONF_SECTION_NETVST;
	p->to_netvst = &p->scratch_netvst;
	p->good = &p->scratch_good;
}

/* In another file the same heading goes on with the section; in one file it is a mistake. */
static bool is_repeated(struct conf_parser *p, struct conf_where *latest)
{
	if (latest->file == p->where.file) {
		conf_complain(p, "a second section of this name; the first is in line %d", latest->line);
		return true;
	}
	*latest = p->where;
	return false;
}

static void begin_daemon(struct conf_parser *p, const char *name)
{
	if (*name) {
		conf_complain(p, "[daemon] takes no name; write [daemon]");
		use_scratch_conf(p);
		return;
	}
	if (is_repeated(p, &p->daemon_where)) {
		use_scratch_conf(p);
		return;
	}
	p->section = CONF_SECTION_DAEMON;
	p->to_conf = p->conf;
	p->good = &p->daemon_good;
}

/* kind: as it stands in the heading. */
static bool check_name(struct conf_parser *p, const char *kind, const char *name)
{
	if (conf_name_ok(name)) {
		return true;
	}
	conf_complain(p, "%s%s%s; write [%s NAME] with 1 to %d letters, digits, - and _ as the name",
		*name ? "this name is not allowed" : "a ", *name ? "" : kind, *name ? "" : " needs a name",
		kind, CONF_NAME_MAX);
	return false;
}

static void begin_device(struct conf_parser *p, const char *name)
{
	struct conf *conf = p->conf;
	unsigned i = 0;

	if (!check_name(p, "device", name)) {
		use_scratch_dev(p);
		return;
	}
	while (i < conf->n_devices && strcmp(conf->devices[i].name, name) != 0) {
		i++;
	}
	if (i == CONF_DEVICES_MAX) {
		if (!p->too_many_devices) {
			conf_complain(p, "one device too many; there may be %d", CONF_DEVICES_MAX);
			p->too_many_devices = true;
		}
		use_scratch_dev(p);
		return;
	}
	if (i < conf->n_devices && is_repeated(p, &p->device_where[i])) {
		use_scratch_dev(p);
		return;
	}
	if (i == conf->n_devices) {
		conf->n_devices++;
		conf_device_set_defaults(&conf->devices[i]);
		strcpy(conf->devices[i].name, name);
		conf->devices[i].where = p->where;
		p->device_where[i] = p->where;
	}
	p->section = CONF_SECTION_DEVICE;
	p->to_dev = &conf->devices[i];
	p->good = &p->device_good[i];
}

static void begin_netvst(struct conf_parser *p, const char *name)
{
	struct conf *conf = p->conf;
	unsigned i = 0;

	if (!check_name(p, "netvst", name)) {
		use_scratch_netvst(p);
		return;
	}
	while (i < conf->n_netvsts && strcmp(conf->netvsts[i].name, name) != 0) {
		i++;
	}
	if (i == CONF_NETVSTS_MAX) {
		if (!p->too_many_netvsts) {
			conf_complain(p, "one netvst section too many; there may be %d", CONF_NETVSTS_MAX);
			p->too_many_netvsts = true;
		}
		use_scratch_netvst(p);
		return;
	}
	if (i < conf->n_netvsts && is_repeated(p, &p->netvst_where[i])) {
		use_scratch_netvst(p);
		return;
	}
	if (i == conf->n_netvsts) {
		conf->n_netvsts++;
		conf_netvst_set_defaults(&conf->netvsts[i]);
		strcpy(conf->netvsts[i].name, name);
		conf->netvsts[i].where = p->where;
		p->netvst_where[i] = p->where;
	}
	p->section = CONF_SECTION_NETVST;
	p->to_netvst = &conf->netvsts[i];
	p->good = &p->netvst_good[i];
}

void conf_section_begin(struct conf_parser *p, char *heading)
{
	size_t kind_len;
	char *name;

	heading += strspn(heading, " \t");
	for (size_t len = strlen(heading); len > 0 && strchr(" \t", heading[len - 1]); len--) {
		heading[len - 1] = '\0';
	}
	conf_enclose(heading, '[', ']', p->section_text);
	strcpy(p->key, p->section_text);

	kind_len = strcspn(heading, " \t");
	name = heading + kind_len;
	name += strspn(name, " \t");
	heading[kind_len] = '\0';
	if (strcmp(heading, "daemon") == 0) {
		begin_daemon(p, name);
	} else if (strcmp(heading, "device") == 0) {
		begin_device(p, name);
	} else if (strcmp(heading, "netvst") == 0) {
		begin_netvst(p, name);
	} else {
		conf_complain(p, "unknown section; " SECTIONS);
		p->section = CONF_SECTION_SKIP;
	}
}

static void complain_unknown_key(struct conf_parser *p, const struct conf_key *keys, unsigned n_keys)
{
	char known[256] = "";
	size_t len = 0;

	for (unsigned i = 0; i < n_keys && len < sizeof(known); i++) {
		len += (size_t)snprintf(
			known + len, sizeof(known) - len, "%s%s", i ? ", " : "", keys[i].name);
	}
	conf_complain(p, "unknown key in %s; there are %s", p->section_text, known);
}

/* The keys of the section at hand, and where the place of each is kept. */
static unsigned keys_of(
	struct conf_parser *p, const struct conf_key **ret_keys, struct conf_where **ret_where)
{
	switch (p->section) {
	case CONF_SECTION_DAEMON:
		*ret_keys = conf_daemon_keys;
		*ret_where = p->to_conf->where_key;
		return CONF_DAEMON_KEYS;
	case CONF_SECTION_NETVST:
		*ret_keys = conf_netvst_keys;
		*ret_where = p->to_netvst->where_key;
		return CONF_NETVST_KEYS;
	default:
		*ret_keys = conf_device_keys;
		*ret_where = p->to_dev->where_key;
		return CONF_DEVICE_KEYS;
	}
}

static bool parse_key(struct conf_parser *p, const struct conf_key *key, char *value)
{
	return key->parse ? key->parse(p, p->to_conf, p->to_dev, value)
			  : key->parse_netvst(p, p->to_netvst, value);
}

void conf_section_key(struct conf_parser *p, const char *name, char *value)
{
	const struct conf_key *keys;
	struct conf_where *where;
	unsigned n_keys, k = 0;

	if (p->section == CONF_SECTION_SKIP) {
		return;
	}
	if (p->section == CONF_SECTION_NONE) {
		conf_complain(p, "stands before the first section; " SECTIONS " above it");
		return;
	}
	n_keys = keys_of(p, &keys, &where);
	while (k < n_keys && strcmp(keys[k].name, name) != 0) {
		k++;
	}
	if (k == n_keys) {
		complain_unknown_key(p, keys, n_keys);
		return;
	}
	if (where[k].file == p->where.file) {
		conf_complain(p, "is given twice in %s; first in line %d", p->section_text, where[k].line);
	}
	where[k] = p->where;
	if (parse_key(p, &keys[k], value)) {
		*p->good |= 1U << k;
	} else {
		*p->good &= ~(1U << k);
	}
}

/* --- what must hold when all files have been read --- */

static bool is_good(const struct conf_parser *p, unsigned device, enum conf_device_key k)
{
	return p->device_good[device] & (1U << k);
}

static void check_required(struct conf_parser *p, const struct conf_device *dev)
{
	if (!dev->where_key[CONF_DEVICE_MODEL].file) {
		conf_complain_at(p, &dev->where, "model",
			"is missing in [device %s]; write model = dac8 or model = adc8", dev->name);
	}
	if (!dev->where_key[CONF_DEVICE_SERIAL].file) {
		conf_complain_at(p, &dev->where, "serial",
			"is missing in [device %s]; write serial = and the box's number, 0 to 65535",
			dev->name);
	}
}

static void resolve_interface(struct conf_parser *p, struct conf_device *dev)
{
	const struct conf *conf = p->conf;

	if (dev->where_key[CONF_DEVICE_INTERFACE].file) {
		return;
	}
	if (!conf->where_key[CONF_DAEMON_INTERFACE].file) {
		conf_complain_at(p, &dev->where, "interface",
			"is missing in [device %s]; write interface = and the network interface that the box "
			"is plugged into, here or, for all devices, in [daemon] (\"ip link\" lists them)",
			dev->name);
		return;
	}
	memcpy(dev->interface, conf->interface, sizeof(dev->interface));
	dev->where_key[CONF_DEVICE_INTERFACE] = conf->where_key[CONF_DAEMON_INTERFACE];
}

static void check_gain(struct conf_parser *p, const struct conf_device *dev)
{
	const struct conf_where *where = &dev->where_key[CONF_DEVICE_GAIN];
	bool dac = dev->model == ETHLINK_DAC8;
	int min_db = dac ? ETHLINK_DAC_GAIN_MIN_DB : ETHLINK_ADC_GAIN_MIN_DB;
	int max_db = dac ? ETHLINK_DAC_GAIN_MAX_DB : ETHLINK_ADC_GAIN_MAX_DB;
	bool same = true;

	for (unsigned i = 1; i < ETHLINK_CHANNELS; i++) {
		same = same && dev->gain_db[i] == dev->gain_db[0];
	}
	for (unsigned i = 0; i < (same ? 1 : ETHLINK_CHANNELS); i++) {
		char channel[32] = "";

		if (ethlink_gain_byte(dev->model, dev->gain_db[i]) >= 0) {
			continue;
		}
		if (!same) {
			snprintf(channel, sizeof(channel), " for channel %u", i + 1);
		}
		conf_complain_at(p, where, "gain", "%d dB%s is out of range; %s %s takes %d to %d dB",
			dev->gain_db[i], channel, dac ? "a" : "an", ethlink_model_name(dev->model), min_db,
			max_db);
	}
}

static void check_model(struct conf_parser *p, unsigned i)
{
	const struct conf_device *dev = &p->conf->devices[i];
	const struct conf_where *phantom = &dev->where_key[CONF_DEVICE_PHANTOM];
	const struct conf_where *monitor = &dev->where_key[CONF_DEVICE_MONITOR];

	if (!is_good(p, i, CONF_DEVICE_MODEL)) {
		return;
	}
	check_gain(p, dev);
	if (dev->model == ETHLINK_DAC8 && phantom->file) {
		conf_complain_at(p, phantom, "phantom",
			"is not allowed in [device %s]: a dac8 has outputs only; remove this line",
			dev->name);
	}
	if (dev->model == ETHLINK_ADC8 && monitor->file) {
		conf_complain_at(p, monitor, "monitor",
			"is not allowed in [device %s]: an adc8 has no playback ports to monitor; remove "
			"this line",
			dev->name);
	}
}

static void check_same_box(struct conf_parser *p, unsigned i)
{
	const struct conf_device *dev = &p->conf->devices[i];

	for (unsigned k = 0; k < i; k++) {
		const struct conf_device *other = &p->conf->devices[k];
		char heading[sizeof("[device ]") + CONF_NAME_MAX];

		if (!is_good(p, k, CONF_DEVICE_MODEL) || !is_good(p, k, CONF_DEVICE_SERIAL) ||
			dev->model != other->model || dev->serial != other->serial || !*dev->interface ||
			strcmp(dev->interface, other->interface) != 0) {
			continue;
		}
		snprintf(heading, sizeof(heading), "[device %s]", dev->name);
		conf_complain_at(p, &dev->where, heading,
			"the same box as [device %s] in %s:%d: %s %u on %s; give each section a box of "
			"its own",
			other->name, other->where.file, other->where.line, ethlink_model_name(dev->model),
			dev->serial, dev->interface);
		return;
	}
}

void conf_section_finish_all(struct conf_parser *p)
{
	p->where = nowhere;
	for (unsigned i = 0; i < p->conf->n_devices; i++) {
		check_required(p, &p->conf->devices[i]);
		resolve_interface(p, &p->conf->devices[i]);
		check_model(p, i);
		if (is_good(p, i, CONF_DEVICE_MODEL) && is_good(p, i, CONF_DEVICE_SERIAL)) {
			check_same_box(p, i);
		}
	}
	conf_netvst_check_all(p);
}
