#include "ctl/command.h"

#include "base/log.h"
#include "base/util.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ARGUMENTS_MAX 5 /* NAME param EFFECT PARAM VALUE */
#define ID_MAX 65535	/* of an effect or a parameter on the wire */
#define VERBS "param, gain, mute, unmute and reset"

const char netvst_help[] =
	"Without NAME, prints a line for each NetVST section of the configuration; with NAME alone, all\n"
	"about that one. Otherwise changes it:\n\n"
	"  gain STRIP [DB]            print or set a gain: whole dB, from -56 to 12\n"
	"  mute STRIP, unmute STRIP   silence a strip, or open it again; both fade\n"
	"  param EFFECT PARAM VALUE   set a parameter of the plug-in at the other end (dialect audiokit):\n"
	"                             numbers of effect and parameter from 0 on, and the value\n"
	"  reset                      gains to 0 dB, mutes off\n\n"
	"STRIP is send (what goes to the other end), return (what comes from it) or all.\n"
	"  --json                     one JSON object; where it lists\n\n"
	"  ethlinkctl netvst reverb                 all about the section reverb\n"
	"  ethlinkctl netvst reverb gain return -6  what comes back at -6 dB\n"
	"  ethlinkctl netvst reverb param 0 3 0.5   parameter 3 of effect 0 to 0.5\n";

struct request {
	const struct options *options;
	const char *name;
	int argc; /* behind the verb */
	char **argv;
};

/* --- reading --- */

/* 0; or -ENOENT, and it is said which there are. */
static int find(const struct status *status, const char *name)
{
	char error[CLIENT_ERROR_MAX];
	int i = status_find_netvst(status, name);
	char *names = NULL;
	size_t len;
	FILE *f;

	if (i >= 0) {
		return i;
	}
	f = open_memstream(&names, &len);
	for (unsigned k = 0; f && k < status->n_netvst; k++) {
		fprintf(f, "%s%s", k ? ", " : "", prop_string(&status->netvst[k], "name", "?"));
	}
	if (f && fclose(f) == 0) {
		client_explain_no_netvst(name, names, error);
		log_error("%s", error);
	}
	free(names);
	return i;
}

static int list(const struct options *options, const char *name, bool json)
{
	bool colour = command_wants_colour();
	struct status status;
	int i = 0;

	if (command_get_status(options, &status) < 0) {
		return EXIT_FAILURE;
	}
	if (name) {
		i = find(&status, name);
	}
	if (i < 0) {
		status_fini(&status);
		return EXIT_FAILURE;
	}
	if (json) {
		if (name) {
			status_keep_netvst(&status, (unsigned)i);
		}
		status_print_netvst_json(&status, stdout);
	} else if (name) {
		status_print_netvst(&status, (unsigned)i, stdout, colour);
	} else if (status.n_netvst > 0) {
		status_print_netvst_text(&status, stdout, colour);
	} else {
		puts("no NetVST section: add [netvst NAME] to ethlinkd.conf, see ethlinkd.conf(5)");
	}
	status_fini(&status);
	return command_finish_output();
}

/* strip: as on D-Bus. */
static int print_gain(const struct request *request, unsigned strip)
{
	struct status status;
	int i;

	if (command_get_status(request->options, &status) < 0) {
		return EXIT_FAILURE;
	}
	i = find(&status, request->name);
	for (unsigned k = 0; i >= 0 && k < 2; k++) {
		double db = prop_number_at(&status.netvst[i], "gain_db", k, 0);

		if (strip == 0) {
			printf("%s %g\n", k == 0 ? "send" : "return", db);
		} else if (strip == k + 1) {
			printf("%g\n", db);
		}
	}
	status_fini(&status);
	return i < 0 ? EXIT_FAILURE : command_finish_output();
}

/* --- words of the command line; -EINVAL: what is wrong with one is said --- */

static int parse_strip(const char *s, unsigned *ret_strip)
{
	static const char *const strips[] = {"all", "send", "return"};

	for (unsigned i = 0; i < ARRAY_SIZE(strips); i++) {
		if (strcmp(s, strips[i]) == 0) {
			*ret_strip = i;
			return 0;
		}
	}
	log_error("netvst: '%s' is no strip; allowed are send, return and all", s);
	return -EINVAL;
}

static int parse_id(const char *what, const char *s, unsigned *ret_id)
{
	unsigned long id = 0;

	if (*s && !s[strspn(s, "0123456789")]) {
		errno = 0;
		id = strtoul(s, NULL, 10);
		if (errno == 0 && id <= ID_MAX) {
			*ret_id = (unsigned)id;
			return 0;
		}
	}
	log_error("netvst: '%s' is no number of %s; allowed are 0 to %d", s, what, ID_MAX);
	return -EINVAL;
}

static int parse_value(const char *s, double *ret_value)
{
	char *end = NULL;
	double value = 0;

	/* strtod() knows more forms of numbers than a person expects. */
	if (*s && !s[strspn(s, "+-.0123456789eE")]) {
		value = strtod(s, &end);
	}
	/* On the wire it is a float. */
	if (!end || end == s || *end || !isfinite((float)value)) {
		log_error("netvst: '%s' is no value; write a number such as 0.5", s);
		return -EINVAL;
	}
	*ret_value = value;
	return 0;
}

/* --- changing --- */

static int do_gain(const struct request *request)
{
	char error[CLIENT_ERROR_MAX];
	struct client client;
	unsigned strip;
	double db;
	int r;

	if (parse_strip(request->argv[0], &strip) < 0) {
		return EXIT_USAGE;
	}
	if (request->argc == 1) {
		return print_gain(request, strip);
	}
	if (command_parse_db("netvst", request->argv[1], &db) < 0) {
		return EXIT_USAGE;
	}
	if (command_open(request->options, &client) < 0) {
		return EXIT_FAILURE;
	}
	r = client_call_netvst(&client, request->name, "SetGain", error, "ud", strip, db);
	return command_finish_call(&client, r, error);
}

static int set_mute(const struct request *request, int mute)
{
	char error[CLIENT_ERROR_MAX];
	struct client client;
	unsigned strip;
	int r;

	if (parse_strip(request->argv[0], &strip) < 0) {
		return EXIT_USAGE;
	}
	if (command_open(request->options, &client) < 0) {
		return EXIT_FAILURE;
	}
	r = client_call_netvst(&client, request->name, "SetMute", error, "ub", strip, mute);
	return command_finish_call(&client, r, error);
}

static int do_mute(const struct request *request)
{
	return set_mute(request, 1);
}

static int do_unmute(const struct request *request)
{
	return set_mute(request, 0);
}

static int do_param(const struct request *request)
{
	char error[CLIENT_ERROR_MAX];
	unsigned effect, param;
	struct client client;
	double value;
	int r;

	if (parse_id("an effect", request->argv[0], &effect) < 0 ||
		parse_id("a parameter", request->argv[1], &param) < 0 ||
		parse_value(request->argv[2], &value) < 0) {
		return EXIT_USAGE;
	}
	if (command_open(request->options, &client) < 0) {
		return EXIT_FAILURE;
	}
	r = client_call_netvst(&client, request->name, "SetParameter", error, "uud", effect, param, value);
	return command_finish_call(&client, r, error);
}

static int do_reset(const struct request *request)
{
	char error[CLIENT_ERROR_MAX];
	struct client client;
	int r;

	if (command_open(request->options, &client) < 0) {
		return EXIT_FAILURE;
	}
	r = client_call_netvst(&client, request->name, "Reset", error, "");
	return command_finish_call(&client, r, error);
}

static const struct {
	const char *name;
	int min, max; /* how many words stand behind it */
	const char *words;
	int (*run)(const struct request *request);
} verbs[] = {
	{"param", 3, 3, "EFFECT, PARAM and VALUE", do_param},
	{"gain", 1, 2, "send, return or all, and then DB", do_gain},
	{"mute", 1, 1, "send, return or all", do_mute},
	{"unmute", 1, 1, "send, return or all", do_unmute},
	{"reset", 0, 0, "nothing", do_reset},
};

/* words: NAME, the verb and what belongs to it. */
static int change(const struct options *options, int n_words, char **words)
{
	const struct request request = {options, words[0], n_words - 2, words + 2};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].name, words[1]) != 0) {
			continue;
		}
		if (request.argc < verbs[i].min || request.argc > verbs[i].max) {
			log_error("netvst: behind %s stands %s; see ethlinkctl netvst --help", words[1],
				verbs[i].words);
			return EXIT_USAGE;
		}
		return verbs[i].run(&request);
	}
	return command_unknown("netvst", words[1], VERBS);
}

int run_netvst(const struct options *options, int argc, char **argv)
{
	char *words[ARGUMENTS_MAX + 1];
	int n_words = 0;
	bool json = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			json = true;
		} else if (n_words == 0 && *argv[i] == '-') {
			return command_unknown("netvst", argv[i], "--json and the name of a NetVST section");
		} else if (n_words == ARGUMENTS_MAX) {
			return command_unknown("netvst", argv[i], "NAME, " VERBS);
		} else {
			words[n_words++] = argv[i];
		}
	}
	if (n_words > 1 && json) {
		return command_unknown("netvst", "--json", "that only where it lists");
	}
	return n_words > 1 ? change(options, n_words, words)
			   : list(options, n_words > 0 ? words[0] : NULL, json);
}
