/* What must hold across the keys of [netvst] sections, and between these and all others. */
#include "daemon/conf-internal.h"

#include "base/util.h"

#include <arpa/inet.h>
#include <string.h>

#define DEFAULT_ADDRESS "127.0.0.1"
#define SLOT_NAME_MAX (CONF_NAME_MAX + sizeof("-16"))

static bool is_good(const struct conf_parser *p, const struct conf_netvst *nv, enum conf_netvst_key k)
{
	return p->netvst_good[nv - p->conf->netvsts] & (1U << k);
}

static bool is_given(const struct conf_netvst *nv, enum conf_netvst_key k)
{
	return nv->where_key[k].file != NULL;
}

/* Given and understood, or left to its default. */
static bool is_sound(const struct conf_parser *p, const struct conf_netvst *nv, enum conf_netvst_key k)
{
	return !is_given(nv, k) || is_good(p, nv, k);
}

/* The mapped form; false: not an address. An IPv6 address may name an interface: fe80::1%eth0. */
static bool parse_address(const char *text, struct in6_addr *ret_address)
{
	char plain[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "%");
	struct in_addr v4;

	if (len >= sizeof(plain) || (text[len] == '%' && !text[len + 1])) {
		return false;
	}
	memcpy(plain, text, len);
	plain[len] = '\0';
	if (inet_pton(AF_INET6, plain, ret_address) == 1) {
		return true;
	}
	if (text[len] || inet_pton(AF_INET, plain, &v4) != 1) {
		return false;
	}
	memset(ret_address, 0, sizeof(*ret_address));
	memset(&ret_address->s6_addr[10], 0xff, 2);
	memcpy(&ret_address->s6_addr[12], &v4, sizeof(v4));
	return true;
}

static bool is_loopback(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

static void check_host(struct conf_parser *p, struct conf_netvst *nv)
{
	const struct conf_where *where = &nv->where_key[CONF_NETVST_HOST];
	struct in6_addr address;

	if (nv->role == CONF_ROLE_CLIENT) {
		if (!where->file) {
			conf_complain_at(p, &nv->where, "host",
				"is missing in [netvst %s]; write host = and the name or address of the "
				"computer with the plug-in server",
				nv->name);
		}
		return;
	}
	if (!where->file) {
		strcpy(nv->host, DEFAULT_ADDRESS);
		return;
	}
	if (!is_good(p, nv, CONF_NETVST_HOST)) {
		return;
	}
	if (!parse_address(nv->host, &address)) {
		char q[CONF_QUOTE_MAX];

		conf_complain_at(p, where, "host",
			"%s is not an address; write the address of this computer at which the server is to "
			"listen: " DEFAULT_ADDRESS ", or 0.0.0.0 or :: for all of them",
			conf_quote(nv->host, q));
		p->netvst_good[nv - p->conf->netvsts] &= ~(1U << CONF_NETVST_HOST);
	} else if (!is_loopback(&address) && !is_given(nv, CONF_NETVST_ALLOW)) {
		conf_complain_at(p, where, "host",
			"%s can be reached from the network, so [netvst %s] must say who may connect; write "
			"allow = and addresses or networks, such as 192.168.1.0/24",
			nv->host, nv->name);
	}
}

static void check_role_keys(struct conf_parser *p, const struct conf_netvst *nv)
{
	for (unsigned k = 0; k < CONF_NETVST_KEYS; k++) {
		if (!is_given(nv, k) || !conf_netvst_key_is_other(nv, k)) {
			continue;
		}
		if (k == CONF_NETVST_CONNECT) {
			conf_complain_at(p, &nv->where_key[k], "connect",
				"is for a server with one slot, and [netvst %s] has %u; write slots = 1, or "
				"remove this line",
				nv->name, nv->slots);
		} else {
			conf_complain_at(p, &nv->where_key[k], conf_netvst_keys[k].name,
				"is not allowed in [netvst %s]: it is for role = %s; remove this line",
				nv->name,
				conf_role_to_string(
					nv->role == CONF_ROLE_CLIENT ? CONF_ROLE_SERVER : CONF_ROLE_CLIENT));
		}
	}
}

static void check_dialect(struct conf_parser *p, const struct conf_netvst *nv)
{
	const struct conf_where *where = nv->where_key;
	const bool audiokit = nv->dialect == NETVST_AUDIOKIT;

	if (!is_sound(p, nv, CONF_NETVST_DIALECT)) {
		return;
	}
	if (audiokit && is_good(p, nv, CONF_NETVST_CODEC) && nv->codec != NETVST_PCM) {
		conf_complain_at(p, &where[CONF_NETVST_CODEC], "codec",
			"%s is not in dialect = audiokit; write codec = pcm",
			netvst_codec_to_string(nv->codec));
	}
	if (audiokit && nv->role == CONF_ROLE_CLIENT && is_good(p, nv, CONF_NETVST_BLOCK) &&
		nv->block_frames > NETVST_AUDIOKIT_FRAMES_MAX) {
		conf_complain_at(p, &where[CONF_NETVST_BLOCK], "block",
			"%u is too much for dialect = audiokit; write %d to %d sample frames",
			nv->block_frames, CONF_BLOCK_MIN, NETVST_AUDIOKIT_FRAMES_MAX);
	}
	if (audiokit && is_given(nv, CONF_NETVST_SYNTH) && nv->synth) {
		conf_complain_at(p, &where[CONF_NETVST_SYNTH], "synth",
			"is for dialect = 2017; in dialect = audiokit each block says by itself whether it "
			"has "
			"audio; remove this line");
	}
	if (!audiokit && nv->role == CONF_ROLE_CLIENT && is_given(nv, CONF_NETVST_CC_PARAMS) &&
		nv->cc_params) {
		conf_complain_at(p, &where[CONF_NETVST_CC_PARAMS], "cc-params",
			"is for dialect = audiokit; dialect = 2017 has no parameters; remove this line");
	}
}

/* --- names --- */

static void name_of(const struct conf_netvst *nv, unsigned slot, char ret_name[SLOT_NAME_MAX])
{
	snprintf(ret_name, SLOT_NAME_MAX, "%s-%u", nv->name, slot);
}

/* The number of the slot that has this name; 0: none has. */
static unsigned slot_named(const struct conf_netvst *nv, const char *name)
{
	char slot_name[SLOT_NAME_MAX];

	for (unsigned slot = 1; nv->role == CONF_ROLE_SERVER && slot <= nv->slots; slot++) {
		name_of(nv, slot, slot_name);
		if (strcmp(slot_name, name) == 0) {
			return slot;
		}
	}
	return 0;
}

/* kind, name, where: another section. False, and complained, where it has the name of this one or of one of its slots. */
static bool check_other_name(struct conf_parser *p, const struct conf_netvst *nv, const char *kind,
	const char *name, const struct conf_where *where)
{
	char heading[sizeof("[netvst ]") + CONF_NAME_MAX];
	unsigned slot = slot_named(nv, name);

	snprintf(heading, sizeof(heading), "[netvst %s]", nv->name);
	if (strcmp(nv->name, name) == 0) {
		conf_complain_at(p, &nv->where, heading,
			"there is a [%s %s] in %s:%d; give each section a name of its own", kind, name,
			where->file, where->line);
		return false;
	}
	if (slot > 0) {
		conf_complain_at(p, &nv->where, heading,
			"the ports of its slot %u are called %s, as those of [%s %s] in %s:%d; give one of "
			"them "
			"another name",
			slot, name, kind, name, where->file, where->line);
		return false;
	}
	return true;
}

static bool netvst_names_differ(
	struct conf_parser *p, const struct conf_netvst *nv, const struct conf_netvst *other)
{
	if (!check_other_name(p, nv, "netvst", other->name, &other->where)) {
		return false;
	}
	if (slot_named(other, nv->name)) {
		return check_other_name(p, other, "netvst", nv->name, &nv->where);
	}
	return true;
}

static void check_names(struct conf_parser *p, const struct conf_netvst *nv)
{
	const struct conf *conf = p->conf;
	char name[SLOT_NAME_MAX];

	if (nv->role == CONF_ROLE_SERVER) {
		name_of(nv, nv->slots, name);
		if (strlen(name) > CONF_NAME_MAX) {
			conf_complain_at(p, &nv->where, "role",
				"[netvst %s] is too long a name for a server, whose ports are called %s and "
				"so on; write a name of at most %zu bytes",
				nv->name, name, CONF_NAME_MAX - (strlen(name) - strlen(nv->name)));
		}
	}
	for (unsigned i = 0; i < conf->n_devices; i++) {
		if (!check_other_name(p, nv, "device", conf->devices[i].name, &conf->devices[i].where)) {
			return;
		}
	}
	for (const struct conf_netvst *other = conf->netvsts; other < nv; other++) {
		if (!netvst_names_differ(p, nv, other)) {
			return;
		}
	}
}

static bool is_all_addresses(const struct in6_addr *address)
{
	static const struct in6_addr all_ipv4 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	return IN6_IS_ADDR_UNSPECIFIED(address) || IN6_ARE_ADDR_EQUAL(address, &all_ipv4);
}

static void check_same_port(struct conf_parser *p, const struct conf_netvst *nv)
{
	struct in6_addr address, other_address;

	if (nv->role != CONF_ROLE_SERVER || !is_sound(p, nv, CONF_NETVST_HOST) ||
		!is_sound(p, nv, CONF_NETVST_PORT) || !parse_address(nv->host, &address)) {
		return;
	}
	for (const struct conf_netvst *other = p->conf->netvsts; other < nv; other++) {
		if (other->role == CONF_ROLE_SERVER && other->port == nv->port &&
			parse_address(other->host, &other_address) &&
			(is_all_addresses(&address) || is_all_addresses(&other_address) ||
				IN6_ARE_ADDR_EQUAL(&address, &other_address))) {
			conf_complain_at(p,
				is_given(nv, CONF_NETVST_PORT) ? &nv->where_key[CONF_NETVST_PORT]
							       : &nv->where,
				"port",
				"%s port %u is that of [netvst %s] in %s:%d, too; give each server one of "
				"its own",
				nv->host, nv->port, other->name, other->where.file, other->where.line);
			return;
		}
	}
}

/* Each client and each slot has ports and buffers of its own. */
static void check_number(struct conf_parser *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->conf->n_netvsts; i++) {
		const struct conf_netvst *nv = &p->conf->netvsts[i];
		unsigned before = n;

		n += nv->role == CONF_ROLE_SERVER ? nv->slots : 1;
		if (n > CONF_INSERTS_MAX && before <= CONF_INSERTS_MAX) {
			conf_complain_at(p, &nv->where, "slots",
				"with [netvst %s] there are %u clients and slots; there may be %d", nv->name,
				n, CONF_INSERTS_MAX);
		}
	}
}

void conf_netvst_check_all(struct conf_parser *p)
{
	for (unsigned i = 0; i < p->conf->n_netvsts; i++) {
		struct conf_netvst *nv = &p->conf->netvsts[i];

		if (!is_given(nv, CONF_NETVST_ROLE)) {
			conf_complain_at(p, &nv->where, "role",
				"is missing in [netvst %s]; write role = client or role = server", nv->name);
		}
		if (is_good(p, nv, CONF_NETVST_ROLE)) {
			check_host(p, nv);
			check_role_keys(p, nv);
			check_same_port(p, nv);
		}
		check_dialect(p, nv);
		check_names(p, nv);
	}
	check_number(p);
}
