/* Keys of [device] that say how the box shows in the graph and on the desktop. */
#include "daemon/conf-internal.h"

#include "base/util.h"

#include <stdlib.h>
#include <string.h>

#define AUX "AUX"
#define AUX_MAX 63

/* Loudspeakers' places as PipeWire names them; besides them there are AUX0 to AUX63. */
static const char *const places[] = {"MONO", "FL", "FR", "FC", "LFE", "SL", "SR", "FLC", "FRC", "RC", "RL",
	"RR", "TC", "TFL", "TFC", "TFR", "TRL", "TRC", "TRR", "RLC", "RRC", "FLW", "FRW", "LFE2", "FLH",
	"FCH", "FRH", "TFLC", "TFRC", "TSL", "TSR", "BC", "BLC", "BRC"};

static const char *const volume_names[] = {
	[CONF_VOLUME_BOX] = "box",
	[CONF_VOLUME_SOFTWARE] = "software",
	[CONF_VOLUME_IGNORE] = "ignore",
};

const char *conf_volume_to_string(enum conf_volume volume)
{
	return (size_t)volume < ARRAY_SIZE(volume_names) ? volume_names[volume] : "?";
}

static bool is_place(const char *s)
{
	const char *digits = s + strlen(AUX);
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (strcmp(s, places[i]) == 0) {
			return true;
		}
	}
	return strncmp(s, AUX, strlen(AUX)) == 0 && *digits >= '0' && *digits <= '9' &&
	       (digits[0] != '0' || !digits[1]) && conf_parse_decimal(digits, &n) && n <= AUX_MAX;
}

static bool take_place(struct conf_parser *p, struct conf_device *dev, unsigned k, const char *item)
{
	char q[CONF_QUOTE_MAX];

	if (!is_place(item)) {
		conf_complain(p,
			"%s is not a position; write AUX0 to AUX63, or a loudspeaker's as PipeWire names it: "
			"FL, "
			"FR, FC, LFE, SL, SR, RL, RR and so on (ethlinkd.conf(5) has all of them)",
			conf_quote(item, q));
		return false;
	}
	snprintf(dev->positions[k], sizeof(dev->positions[k]), "%s", item);
	return true;
}

/* A channel that is given none has its AUX: with that, too, no two may be at one place. */
static bool places_differ(struct conf_parser *p, struct conf_device *dev)
{
	for (unsigned k = 1; k < ETHLINK_CHANNELS; k++) {
		for (unsigned i = 0; i < k; i++) {
			if (strcmp(dev->positions[i], dev->positions[k]) == 0) {
				conf_complain(p,
					"%s is given to channel %u and to channel %u; give each a position "
					"of "
					"its own (one that is not given any has AUX0 to AUX7)",
					dev->positions[k], i + 1, k + 1);
				return false;
			}
		}
	}
	return true;
}

static void default_positions(struct conf_device *dev)
{
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		snprintf(dev->positions[k], sizeof(dev->positions[k]), AUX "%u", k);
	}
}

bool conf_parse_positions(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	char *items[ETHLINK_CHANNELS];
	unsigned n = conf_split(value, items, ETHLINK_CHANNELS);
	bool ok = true;

	default_positions(dev);
	if (n > ETHLINK_CHANNELS) {
		conf_complain(p, "%u values; write up to eight separated by commas, one for each channel", n);
		return false;
	}
	for (unsigned k = 0; k < n; k++) {
		if (*items[k]) {
			ok = take_place(p, dev, k, items[k]) && ok;
		}
	}
	return ok && places_differ(p, dev);
}

int conf_print_positions(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	int len = 0;

	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		len += fprintf(f, "%s%s", k ? ", " : "", dev->positions[k]);
	}
	return len;
}

bool conf_parse_volume(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	char q[CONF_QUOTE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(volume_names); i++) {
		if (strcmp(value, volume_names[i]) == 0) {
			dev->volume = (enum conf_volume)i;
			return true;
		}
	}
	conf_complain(p, "%s is not allowed; write box, software or ignore", conf_quote(value, q));
	return false;
}

int conf_print_volume(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", conf_volume_to_string(dev->volume));
}

bool conf_parse_description(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return conf_parse_text(p, value, dev->description);
}

int conf_print_description(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", conf_device_description(dev));
}

const char *conf_device_description(const struct conf_device *dev)
{
	return *dev->description ? dev->description : dev->name;
}

bool conf_parse_preferred(struct conf_parser *p, struct conf *conf, struct conf_device *dev, char *value)
{
	return conf_parse_boolean(p, value, &dev->preferred);
}

int conf_print_preferred(const struct conf *conf, const struct conf_device *dev, FILE *f)
{
	return fprintf(f, "%s", dev->preferred ? "yes" : "no");
}

void conf_graph_set_defaults(struct conf_device *dev)
{
	default_positions(dev);
}
