#include "ctl/client-device.h"
#include "ctl/command.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ALL 0 /* the channel that stands for all of them, as on D-Bus */

const char gain_help[] =
	"Without DB, prints the gain of one channel in dB, or a line for each channel: its number and\n"
	"its gain. With DB, sets it; whole dB, from -56 to 24 for a dac8 and from 0 to 80 for an adc8.\n"
	"What is set holds until ethlinkctl reset, or until the configuration says another value.\n\n"
	"  CHANNEL   1 to 8, or all\n"
	"  DB        such as -6, +3 or 0; always the gain itself, not a difference\n\n"
	"  ethlinkctl gain stage            all gains\n"
	"  ethlinkctl gain stage 1 -6       channel 1 to -6 dB\n"
	"  ethlinkctl gain stage all 0      all channels to 0 dB\n";

const char mute_help[] =
	"Without on, off or toggle, prints on or off for one channel, or a line for each channel: its\n"
	"number and on or off. Muting fades, so that nothing clicks.\n\n"
	"  CHANNEL   1 to 8, or all\n"
	"  toggle    the other of both; with all: off if all channels are muted, else on\n\n"
	"  ethlinkctl mute stage            all mutes\n"
	"  ethlinkctl mute stage 3 toggle   channel 3\n"
	"  ethlinkctl mute stage all on     silence\n";

const char phantom_help[] =
	"Without on or off, prints on or off for one group of channels, or a line for each group.\n"
	"An adc8 has two groups: channels 1-4 and channels 5-8. A dac8 has no phantom power.\n\n"
	"  ethlinkctl phantom mics          both groups\n"
	"  ethlinkctl phantom mics 1-4 on   48 V for channels 1 to 4\n";

const char reset_help[] =
	"Sets gains, mutes and phantom power of a box to the values of the configuration, and forgets\n"
	"what was set at run time.\n";

static const char *const bank_names[CLIENT_BANKS] = {"1-4", "5-8"};

static int parse_channel(const char *command, const char *s, unsigned *ret_channel)
{
	if (strcmp(s, "all") == 0) {
		*ret_channel = ALL;
		return 0;
	}
	if (s[0] >= '1' && s[0] <= '0' + CLIENT_CHANNELS && s[1] == '\0') {
		*ret_channel = (unsigned)(s[0] - '0');
		return 0;
	}
	log_error("%s: '%s' is no channel; allowed are 1 to %d and all", command, s, CLIENT_CHANNELS);
	return -EINVAL;
}

/* The device as it is. 0; or -errno, and what is wrong is said. */
static int get_device(struct client *client, const char *name, struct client_device *ret_device)
{
	char error[CLIENT_ERROR_MAX];
	struct prop_list list;
	int r;

	r = client_get_device(client, name, &list, error);
	if (r < 0) {
		command_log_lines(error);
		return r;
	}
	client_device_init(ret_device);
	r = client_device_apply(ret_device, &list);
	prop_list_fini(&list);
	if (r < 0) {
		client_device_fini(ret_device);
		log_error("%s", strerror(-r));
	}
	return r;
}

/* The same, over a connection of its own. */
static int load_device(const struct options *options, const char *name, struct client_device *ret_device)
{
	struct client client;
	int r = command_open(options, &client);

	if (r >= 0) {
		r = get_device(&client, name, ret_device);
		client_close(&client);
	}
	return r;
}

static void print_gain(const struct client_device *device, unsigned k)
{
	printf("%g\n", device->gain_db[k]);
}

static void print_mute(const struct client_device *device, unsigned k)
{
	puts(device->muted[k] ? "on" : "off");
}

/* One value, or all of them, each behind its channel. */
static int print_channels(const struct options *options, const char *name, unsigned channel,
	void (*print)(const struct client_device *device, unsigned k))
{
	struct client_device device;

	if (load_device(options, name, &device) < 0) {
		return EXIT_FAILURE;
	}
	if (channel != ALL) {
		print(&device, channel - 1);
	} else {
		for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
			printf("%u ", k + 1);
			print(&device, k);
		}
	}
	client_device_fini(&device);
	return command_finish_output();
}

int run_gain(const struct options *options, int argc, char **argv)
{
	char error[CLIENT_ERROR_MAX];
	unsigned channel = ALL;
	struct client client;
	double db;
	int r;

	if (argc < 2) {
		return command_missing("gain", "the name of a box");
	}
	if (argc > 4) {
		return command_unknown("gain", argv[4], "DEVICE, CHANNEL and DB");
	}
	if (argc > 2 && parse_channel("gain", argv[2], &channel) < 0) {
		return EXIT_USAGE;
	}
	if (argc < 4) {
		return print_channels(options, argv[1], channel, print_gain);
	}
	if (command_parse_db("gain", argv[3], &db) < 0) {
		return EXIT_USAGE;
	}
	if (command_open(options, &client) < 0) {
		return EXIT_FAILURE;
	}
	r = client_call_device(&client, argv[1], "SetGain", error, "ud", channel, db);
	return command_finish_call(&client, r, error);
}

/* What toggle means now. 0 or 1; or -errno, and what is wrong is said. */
static int toggled(struct client *client, const char *name, unsigned channel)
{
	struct client_device device;
	bool muted = true;
	int r;

	r = get_device(client, name, &device);
	if (r < 0) {
		return r;
	}
	for (unsigned k = 0; k < CLIENT_CHANNELS; k++) {
		if (channel == ALL || channel == k + 1) {
			muted = muted && device.muted[k];
		}
	}
	client_device_fini(&device);
	return !muted;
}

int run_mute(const struct options *options, int argc, char **argv)
{
	char error[CLIENT_ERROR_MAX];
	unsigned channel = ALL;
	struct client client;
	int mute, r;

	if (argc < 2) {
		return command_missing("mute", "the name of a box");
	}
	if (argc > 4) {
		return command_unknown("mute", argv[4], "DEVICE, CHANNEL and on, off or toggle");
	}
	if (argc > 2 && parse_channel("mute", argv[2], &channel) < 0) {
		return EXIT_USAGE;
	}
	if (argc < 4) {
		return print_channels(options, argv[1], channel, print_mute);
	}
	if (strcmp(argv[3], "on") != 0 && strcmp(argv[3], "off") != 0 && strcmp(argv[3], "toggle") != 0) {
		return command_unknown("mute", argv[3], "on, off or toggle");
	}
	if (command_open(options, &client) < 0) {
		return EXIT_FAILURE;
	}
	mute = strcmp(argv[3], "on") == 0;
	if (strcmp(argv[3], "toggle") == 0) {
		mute = toggled(&client, argv[1], channel);
		if (mute < 0) {
			client_close(&client);
			return EXIT_FAILURE;
		}
	}
	r = client_call_device(&client, argv[1], "SetMute", error, "ub", channel, mute);
	return command_finish_call(&client, r, error);
}

/* bank: counted from 1, 0 for all. */
static int print_phantom(const struct options *options, const char *name, unsigned bank)
{
	struct client_device device;

	if (load_device(options, name, &device) < 0) {
		return EXIT_FAILURE;
	}
	if (device.n_phantom < CLIENT_BANKS) {
		log_error("%s has no phantom power: it is a %s, and only an adc8 has", name,
			device.model ? device.model : "box of another kind");
		client_device_fini(&device);
		return EXIT_FAILURE;
	}
	for (unsigned i = 0; i < CLIENT_BANKS; i++) {
		if (bank == 0) {
			printf("%s %s\n", bank_names[i], device.phantom[i] ? "on" : "off");
		} else if (bank == i + 1) {
			puts(device.phantom[i] ? "on" : "off");
		}
	}
	client_device_fini(&device);
	return command_finish_output();
}

int run_phantom(const struct options *options, int argc, char **argv)
{
	char error[CLIENT_ERROR_MAX];
	struct client client;
	unsigned bank = 0;
	int r;

	if (argc < 2) {
		return command_missing("phantom", "the name of a box");
	}
	if (argc > 4) {
		return command_unknown("phantom", argv[4], "DEVICE, 1-4 or 5-8, and on or off");
	}
	for (unsigned i = 0; argc > 2 && i < CLIENT_BANKS; i++) {
		if (strcmp(argv[2], bank_names[i]) == 0) {
			bank = i + 1;
		}
	}
	if (argc > 2 && bank == 0) {
		log_error("phantom: '%s' is no group of channels; allowed are 1-4 and 5-8", argv[2]);
		return EXIT_USAGE;
	}
	if (argc < 4) {
		return print_phantom(options, argv[1], bank);
	}
	if (strcmp(argv[3], "on") != 0 && strcmp(argv[3], "off") != 0) {
		return command_unknown("phantom", argv[3], "on or off");
	}
	if (command_open(options, &client) < 0) {
		return EXIT_FAILURE;
	}
	r = client_call_device(&client, argv[1], "SetPhantom", error, "ub", bank, strcmp(argv[3], "on") == 0);
	return command_finish_call(&client, r, error);
}

int run_reset(const struct options *options, int argc, char **argv)
{
	char error[CLIENT_ERROR_MAX];
	struct client client;
	int r;

	if (argc < 2) {
		return command_missing("reset", "the name of a box");
	}
	if (argc > 2) {
		return command_unknown("reset", argv[2], "the name of one box");
	}
	if (command_open(options, &client) < 0) {
		return EXIT_FAILURE;
	}
	r = client_call_device(&client, argv[1], "Reset", error, "");
	return command_finish_call(&client, r, error);
}
