/* The keys of [netvst NAME]. What must hold across them is in conf-netvst-check.c. */
#include "daemon/conf-internal.h"

#include "base/util.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const char *const role_names[] = {
	[CONF_ROLE_CLIENT] = "client",
	[CONF_ROLE_SERVER] = "server",
};

const char *conf_role_to_string(enum conf_role role)
{
	return (size_t)role < ARRAY_SIZE(role_names) ? role_names[role] : "?";
}

static bool parse_role(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	char q[CONF_QUOTE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(role_names); i++) {
		if (strcmp(value, role_names[i]) == 0) {
			nv->role = (enum conf_role)i;
			return true;
		}
	}
	conf_complain(p,
		"%s is not allowed; write client (send to a plug-in server) or server (accept a DAW's "
		"plug-in)",
		conf_quote(value, q));
	return false;
}

static int print_role(const struct conf_netvst *nv, FILE *f)
{
	return fprintf(f, "%s", conf_role_to_string(nv->role));
}

/* The role may come later in the file: whether a server's is an address is looked at when the section is complete. */
static bool parse_host(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	char q[CONF_QUOTE_MAX];
	size_t len = strlen(value);
	bool ok = len >= 1 && len <= CONF_HOST_MAX && value[0] != '-';

	for (const char *c = value; *c; c++) {
		ok = ok && (conf_is_name_char(*c) || strchr(".:%", *c));
	}
	if (!ok) {
		conf_complain(p,
			"%s is not a host; write its name, or its IPv4 or IPv6 address (without brackets; "
			"the "
			"port has a line of its own)",
			conf_quote(value, q));
		return false;
	}
	memcpy(nv->host, value, len + 1);
	return true;
}

static int print_host(const struct conf_netvst *nv, FILE *f)
{
	return fprintf(f, "%s", nv->host);
}

static bool parse_port(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	int port;

	if (!conf_parse_ranged(p, value, 1, UINT16_MAX, "", &port)) {
		return false;
	}
	nv->port = (uint16_t)port;
	return true;
}

static int print_port(const struct conf_netvst *nv, FILE *f)
{
	return fprintf(f, "%u", nv->port);
}

static bool parse_dialect(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	char q[CONF_QUOTE_MAX];

	if (!netvst_dialect_from_string(value, &nv->dialect)) {
		conf_complain(p, "%s is not allowed; write 2017 or audiokit, whichever the other side speaks",
			conf_quote(value, q));
		return false;
	}
	return true;
}

static int print_dialect(const struct conf_netvst *nv, FILE *f)
{
	return fprintf(f, "%s", netvst_dialect_to_string(nv->dialect));
}

static bool parse_codec(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	char q[CONF_QUOTE_MAX];

	if (!netvst_codec_from_string(value, &nv->codec)) {
		conf_complain(p, "%s is not allowed; write pcm, wavpack (lossless) or wavpack-lossy",
			conf_quote(value, q));
		return false;
	}
	return true;
}

static int print_codec(const struct conf_netvst *nv, FILE *f)
{
	return fprintf(f, "%s", netvst_codec_to_string(nv->codec));
}

static bool parse_block(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	int block;

	if (!conf_parse_ranged(p, value, CONF_BLOCK_MIN, NETVST_FRAMES_MAX, " (sample frames)", &block)) {
		return false;
	}
	nv->block_frames = (uint32_t)block;
	return true;
}

static int print_block(const struct conf_netvst *nv, FILE *f)
{
	return fprintf(f, "%u", nv->block_frames);
}

static bool parse_latency(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	char q[CONF_QUOTE_MAX];
	int v = CONF_LATENCY_AUTO;

	if (strcmp(value, "auto") != 0 &&
		(!conf_parse_decimal(value, &v) || v < 0 || v > CONF_NETVST_LATENCY_MAX)) {
		conf_complain(p, "%s is not allowed; write auto, or 0 to %d sample frames",
			conf_quote(value, q), CONF_NETVST_LATENCY_MAX);
		return false;
	}
	nv->latency_frames = v;
	return true;
}

static int print_latency(const struct conf_netvst *nv, FILE *f)
{
	if (nv->latency_frames == CONF_LATENCY_AUTO) {
		return fprintf(f, "auto");
	}
	return fprintf(f, "%d", nv->latency_frames);
}

static bool parse_synth(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	return conf_parse_boolean(p, value, &nv->synth);
}

static int print_synth(const struct conf_netvst *nv, FILE *f)
{
	return fprintf(f, "%s", nv->synth ? "yes" : "no");
}

static bool parse_cc_params(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	return conf_parse_boolean(p, value, &nv->cc_params);
}

static int print_cc_params(const struct conf_netvst *nv, FILE *f)
{
	return fprintf(f, "%s", nv->cc_params ? "yes" : "no");
}

static bool parse_slots(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	int slots;

	if (!conf_parse_ranged(p, value, 1, NETVST_SLOTS_MAX, "", &slots)) {
		return false;
	}
	nv->slots = (unsigned)slots;
	return true;
}

static int print_slots(const struct conf_netvst *nv, FILE *f)
{
	return fprintf(f, "%u", nv->slots);
}

static bool parse_allow(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	char *items[NETVST_ALLOW_MAX];
	unsigned n = conf_split(value, items, NETVST_ALLOW_MAX);
	char q[CONF_QUOTE_MAX];
	bool ok = true;

	if (n > NETVST_ALLOW_MAX) {
		conf_complain(p, "%u networks; there may be %d", n, NETVST_ALLOW_MAX);
		return false;
	}
	nv->n_allow = 0;
	for (unsigned i = 0; i < n; i++) {
		if (netvst_net_from_string(items[i], &nv->allow[nv->n_allow])) {
			nv->n_allow++;
			continue;
		}
		conf_complain(p,
			"%s is not a network; write addresses or networks such as 192.168.1.7, "
			"192.168.1.0/24 or fe80::/10, separated by commas",
			conf_quote(items[i], q));
		ok = false;
	}
	return ok;
}

void conf_format_net(const struct netvst_net *net, char ret_text[CONF_NET_TEXT_MAX])
{
	bool v4 = IN6_IS_ADDR_V4MAPPED(&net->address) && net->bits >= 96;
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &net->address.s6_addr[12] : net->address.s6_addr, text,
		sizeof(text));
	snprintf(ret_text, CONF_NET_TEXT_MAX, "%s/%u", text, net->bits - (v4 ? 96U : 0));
}

static int print_allow(const struct conf_netvst *nv, FILE *f)
{
	char text[CONF_NET_TEXT_MAX];
	int len = 0;

	for (unsigned i = 0; i < nv->n_allow; i++) {
		conf_format_net(&nv->allow[i], text);
		len += fprintf(f, "%s%s", i ? ", " : "", text);
	}
	return len;
}

static bool parse_connect(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	return conf_parse_strings(p, value, nv->connect, CONF_NETVST_CONNECTS, conf_port_good);
}

static int print_connect(const struct conf_netvst *nv, FILE *f)
{
	return conf_print_strings(nv->connect, CONF_NETVST_CONNECTS, f);
}

static bool parse_description(struct conf_parser *p, struct conf_netvst *nv, char *value)
{
	return conf_parse_text(p, value, nv->description);
}

static int print_description(const struct conf_netvst *nv, FILE *f)
{
	return fprintf(f, "%s", *nv->description ? nv->description : nv->name);
}

#define KEY(name, function)                                                                                  \
	{                                                                                                    \
		name, NULL, NULL, parse_##function, print_##function                                         \
	}

const struct conf_key conf_netvst_keys[CONF_NETVST_KEYS] = {
	[CONF_NETVST_ROLE] = KEY("role", role),
	[CONF_NETVST_HOST] = KEY("host", host),
	[CONF_NETVST_PORT] = KEY("port", port),
	[CONF_NETVST_DIALECT] = KEY("dialect", dialect),
	[CONF_NETVST_CODEC] = KEY("codec", codec),
	[CONF_NETVST_BLOCK] = KEY("block", block),
	[CONF_NETVST_LATENCY] = KEY("latency", latency),
	[CONF_NETVST_SYNTH] = KEY("synth", synth),
	[CONF_NETVST_CC_PARAMS] = KEY("cc-params", cc_params),
	[CONF_NETVST_SLOTS] = KEY("slots", slots),
	[CONF_NETVST_ALLOW] = KEY("allow", allow),
	[CONF_NETVST_CONNECT] = KEY("connect", connect),
	[CONF_NETVST_DESCRIPTION] = KEY("description", description),
};

bool conf_netvst_key_is_other(const struct conf_netvst *nv, enum conf_netvst_key k)
{
	switch (k) {
	case CONF_NETVST_BLOCK:
	case CONF_NETVST_CC_PARAMS:
		return nv->role != CONF_ROLE_CLIENT;
	case CONF_NETVST_SLOTS:
	case CONF_NETVST_ALLOW:
		return nv->role != CONF_ROLE_SERVER;
	case CONF_NETVST_CONNECT:
		/* Which slot's ports would it be? */
		return nv->role == CONF_ROLE_SERVER && nv->slots > 1;
	default:
		return false;
	}
}

void conf_netvst_set_defaults(struct conf_netvst *nv)
{
	nv->port = NETVST_PORT;
	nv->dialect = NETVST_2017;
	nv->codec = NETVST_PCM;
	nv->block_frames = 512;
	nv->latency_frames = CONF_LATENCY_AUTO;
	nv->slots = 2;
	(void)netvst_net_from_string("127.0.0.0/8", &nv->allow[0]);
	(void)netvst_net_from_string("::1", &nv->allow[1]);
	nv->n_allow = 2;
}

void conf_netvst_fini(struct conf_netvst *nv)
{
	conf_clear_strings(nv->connect, CONF_NETVST_CONNECTS);
}
