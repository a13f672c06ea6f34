/* [netvst NAME] sections: every key, every way to get it wrong, names, and reading back. */
#include "base/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "conf-load.h"

#define CLIENT "[netvst a]\nrole=client\nhost=h\n" /* three lines */
#define SERVER "[netvst a]\nrole=server\n"	   /* two lines */
#define DAC "[device d]\nmodel=dac8\nserial=1\ninterface=eth0\n"

static void test_defaults(void **state)
{
	struct conf *conf = load_ok(CLIENT "[netvst b]\nrole = server\n");
	const struct conf_netvst *nv = &conf->netvsts[0];

	assert_int_equal(conf->n_devices, 0);
	assert_int_equal(conf->n_netvsts, 2);
	assert_string_equal(nv->name, "a");
	assert_int_equal(nv->role, CONF_ROLE_CLIENT);
	assert_string_equal(nv->host, "h");
	assert_int_equal(nv->port, 27016);
	assert_int_equal(nv->dialect, NETVST_2017);
	assert_int_equal(nv->codec, NETVST_PCM);
	assert_int_equal(nv->block_frames, 512);
	assert_int_equal(nv->latency_frames, CONF_LATENCY_AUTO);
	assert_false(nv->synth);
	assert_false(nv->cc_params);
	assert_string_equal(nv->description, "");
	assert_int_equal(nv->where.line, 1);

	nv = &conf->netvsts[1];
	assert_int_equal(nv->role, CONF_ROLE_SERVER);
	assert_string_equal(nv->host, "127.0.0.1");
	assert_int_equal(nv->port, 27016);
	assert_int_equal(nv->slots, 2);
	assert_int_equal(nv->n_allow, 2);
	assert_int_equal(nv->allow[0].bits, 96 + 8);
	assert_int_equal(nv->allow[0].address.s6_addr[12], 127);
	assert_int_equal(nv->allow[1].bits, 128);
	assert_int_equal(nv->allow[1].address.s6_addr[15], 1);
	conf_unref(conf);
}

static void test_client(void **state)
{
	struct conf *conf = load_ok("[netvst Rev_1-x]\nblock = 2048\ndialect = audiokit\nrole = client\n"
				    "host = studio-pc.local\nport = 65535\ncodec = pcm\nlatency = 640\n"
				    "cc-params = yes\nconnect = a:1,,b:3\ndescription = Gr\xc3\xbcn ; x\n");
	const struct conf_netvst *nv = &conf->netvsts[0];

	assert_string_equal(nv->name, "Rev_1-x");
	assert_string_equal(nv->host, "studio-pc.local");
	assert_int_equal(nv->port, 65535);
	assert_int_equal(nv->dialect, NETVST_AUDIOKIT);
	assert_int_equal(nv->block_frames, 2048);
	assert_int_equal(nv->latency_frames, 640);
	assert_true(nv->cc_params);
	assert_string_equal(nv->connect[0], "a:1");
	assert_null(nv->connect[1]);
	assert_string_equal(nv->connect[2], "b:3");
	assert_null(nv->connect[3]);
	assert_string_equal(nv->description, "Gr\xc3\xbcn");
	assert_int_equal(nv->where_key[CONF_NETVST_PORT].line, 6);
	conf_unref(conf);
}

static void test_server(void **state)
{
	struct conf *conf =
		load_ok("[netvst daw]\nrole = server\nhost = ::\nport = 1\ncodec = wavpack-lossy\n"
			"synth = on\nslots = 16\nlatency = 0\n"
			"allow = 192.168.1.0/24, 10.0.0.7, fe80::/10\n");
	const struct conf_netvst *nv = &conf->netvsts[0];

	assert_string_equal(nv->host, "::");
	assert_int_equal(nv->port, 1);
	assert_int_equal(nv->codec, NETVST_WAVPACK_LOSSY);
	assert_true(nv->synth);
	assert_int_equal(nv->slots, 16);
	assert_int_equal(nv->latency_frames, 0);
	assert_int_equal(nv->n_allow, 3);
	assert_int_equal(nv->allow[0].bits, 96 + 24);
	assert_int_equal(nv->allow[1].bits, 128);
	assert_int_equal(nv->allow[2].bits, 10);
	assert_int_equal(nv->allow[2].address.s6_addr[0], 0xfe);
	conf_unref(conf);
}

/* Each of these lines behind a section that is good without it. */
static void check_bad_line(const char *section, unsigned line, const char *text, const char *want)
{
	char conf[1024], message[512];
	const char *const messages[] = {message, NULL};

	snprintf(conf, sizeof(conf), "%s%s\n", section, text);
	snprintf(message, sizeof(message), "t:%u: %s", line, want);
	load_bad_len(conf, strlen(conf), messages);
}

static void test_bad_values(void **state)
{
	static const struct {
		const char *line, *want;
	} both[] = {
		{"port = 0", "port: '0' is not allowed; write a whole number from 1 to 65535"},
		{"port = 65536", "port: '65536' is not allowed"},
		{"port = http", "port: 'http'"},
		{"dialect = 2018", "dialect: '2018' is not allowed; write 2017 or audiokit"},
		{"codec = flac", "codec: 'flac' is not allowed; write pcm, wavpack (lossless) or"},
		{"latency = -1", "latency: '-1' is not allowed; write auto, or 0 to 16384 sample frames"},
		{"latency = 16385", "latency: '16385'"},
		{"latency = Auto", "latency: 'Auto'"},
		{"synth = 2", "synth: '2' is not allowed; write yes, no"},
		{"description = a\x01", "description: 'a?' is not UTF-8 text"},
		{"gain = 0", "gain: unknown key in [netvst a]; there are role, host, port"},
	};
	static const struct {
		const char *line, *want;
	} client[] = {
		{"block = 15", "block: '15' is not allowed; write a whole number from 16 to 8191"},
		{"block = 8192", "block: '8192'"},
		{"cc-params = x", "cc-params: 'x' is not allowed"},
		{"cc-params = yes", "cc-params: is for dialect = audiokit"},
		{"connect = a:1,a:2,a:3,a:4,a:5", "connect: 5 values; write up to four separated by commas"},
		{"connect = a", "connect: 'a' is not a port; write client:port"},
		{"slots = 2", "slots: is not allowed in [netvst a]: it is for role = server"},
		{"allow = ::1", "allow: is not allowed in [netvst a]: it is for role = server"},
	};
	static const struct {
		const char *line, *want;
	} server[] = {
		{"slots = 0", "slots: '0' is not allowed; write a whole number from 1 to 16"},
		{"slots = 17", "slots: '17'"},
		{"allow = 1.2.3", "allow: '1.2.3' is not a network; write addresses or networks such as"},
		{"allow =", "allow: '' is not a network"},
		{"allow = 1.2.3.4/33", "allow: '1.2.3.4/33'"},
		{"allow = ::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1,::1",
			"allow: 17 networks; there may be 16"},
		{"host = studio-pc", "host: 'studio-pc' is not an address; write the address of this"},
		{"host = 1.2.3", "host: '1.2.3' is not an address"},
		{"host = fe80::1%", "host: 'fe80::1%' is not an address"},
		{"host = 0.0.0.0", "host: 0.0.0.0 can be reached from the network, so [netvst a] must say"},
		{"host = ::", "host: :: can be reached from the network"},
		{"host = 192.168.1.2", "host: 192.168.1.2 can be reached"},
		{"block = 512", "block: is not allowed in [netvst a]: it is for role = client"},
		{"cc-params = no", "cc-params: is not allowed in [netvst a]: it is for role = client"},
		{"connect = a:1", "connect: is for a server with one slot, and [netvst a] has 2"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		check_bad_line(CLIENT, 4, both[i].line, both[i].want);
		check_bad_line(SERVER, 3, both[i].line, both[i].want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(client); i++) {
		check_bad_line(CLIENT, 4, client[i].line, client[i].want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(server); i++) {
		check_bad_line(SERVER, 3, server[i].line, server[i].want);
	}
}

static void test_missing(void **state)
{
	load_bad("[netvst a]\n", "t:1: role: is missing in [netvst a]; write role = client or role = server");
	load_bad("[netvst a]\nrole=client\n", "t:1: host: is missing in [netvst a]; write host = ");
	load_bad("[netvst a]\nrole=both\nslots=2\nhost=x\n",
		"t:2: role: 'both' is not allowed; write client (send to a plug-in server) or server");
	load_bad("[netvst a]\nrole=client\nhost=\n", "t:3: host: '' is not a host; write its name");
	load_bad("[netvst a]\nrole=client\nhost=a b\n", "t:3: host: 'a b' is not a host");
	load_bad("[netvst a]\nrole=client\nhost=[::1]\n", "t:3: host: '[::1]' is not a host");
}

static void test_dialects(void **state)
{
	load_bad(CLIENT "codec=wavpack\nblock=2049\nsynth=yes\ndialect=audiokit\n",
		"t:4: codec: wavpack is not in dialect = audiokit; write codec = pcm",
		"t:5: block: 2049 is too much for dialect = audiokit; write 16 to 2048 sample frames",
		"t:6: synth: is for dialect = 2017");
	load_bad(SERVER "codec=wavpack-lossy\ndialect=audiokit\n",
		"t:3: codec: wavpack-lossy is not in dialect = audiokit");
	/* A dialect that cannot be read causes no second message. */
	load_bad(CLIENT "cc-params=yes\ndialect=x\n", "t:5: dialect: 'x'");
	conf_unref(load_ok(CLIENT "cc-params=no\nblock=8191\ncodec=wavpack\n"));
	conf_unref(load_ok(CLIENT "cc-params=yes\nsynth=no\nblock=16\ndialect=audiokit\n"));
}

static void test_addresses(void **state)
{
	conf_unref(load_ok(SERVER "host=127.3.2.1\n"));
	conf_unref(load_ok(SERVER "host=::1\n"));
	conf_unref(load_ok(SERVER "host=::ffff:127.0.0.1\n"));
	conf_unref(load_ok(SERVER "host=fe80::1%eth0\nallow=fe80::/10\n"));
	conf_unref(load_ok(SERVER "host=0.0.0.0\nallow=127.0.0.1\n"));
	load_bad(SERVER "host=::ffff:10.0.0.1\n", "t:3: host: ::ffff:10.0.0.1 can be reached");
}

static void test_names(void **state)
{
	load_bad(DAC "[netvst d]\nrole=client\nhost=h\n",
		"t:5: [netvst d]: there is a [device d] in t:1; give each section a name of its own");
	load_bad("[netvst a-2]\nrole=client\nhost=h\n" SERVER,
		"t:4: [netvst a]: the ports of its slot 2 are called a-2, as those of [netvst a-2] in t:1");
	load_bad(SERVER "[netvst a-1]\nrole=client\nhost=h\n",
		"t:1: [netvst a]: the ports of its slot 1 are called a-1, as those of [netvst a-1] in t:3");
	load_bad("[device a-1]\nmodel=dac8\nserial=1\ninterface=eth0\n" SERVER,
		"t:5: [netvst a]: the ports of its slot 1 are called a-1, as those of [device a-1] in t:1");
	conf_unref(load_ok(SERVER "[netvst a-3]\nrole=client\nhost=h\n[netvst a-4]\nrole=server\nport=2\n"));
	load_bad(CLIENT CLIENT, "t:4: [netvst a]: a second section of this name; the first is in line 1");
	load_bad("[netvst]\nblock=1\n", "t:1: [netvst]: a netvst needs a name; write [netvst NAME] with 1 to",
		"t:2: block: '1'");
	load_bad("[netvst a b]\n", "t:1: [netvst a b]: this name is not allowed; write [netvst NAME]");
	load_bad("[netvst 1234567890123456789012345678901]\nrole=server\n",
		"t:1: role: [netvst 1234567890123456789012345678901] is too long a name for a server|30 "
		"bytes");
	conf_unref(load_ok("[netvst 123456789012345678901234567890]\nrole=server\n"));
}

static void test_ports(void **state)
{
	load_bad(SERVER "[netvst b]\nrole=server\nport=27016\n",
		"t:5: port: 127.0.0.1 port 27016 is that of [netvst a] in t:1, too");
	load_bad(SERVER "[netvst b]\nrole=server\n", "t:3: port: 127.0.0.1 port 27016 is that of [netvst a]");
	/* All addresses are also this one. */
	load_bad(SERVER "[netvst b]\nrole=server\nhost=0.0.0.0\nallow=10.0.0.0/8\n",
		"t:3: port: 0.0.0.0 port 27016 is that of [netvst a]");
	conf_unref(load_ok(SERVER "[netvst b]\nrole=server\nhost=127.0.0.2\n"));
	conf_unref(load_ok(SERVER "[netvst b]\nrole=client\nhost=127.0.0.1\n"));
}

static void test_numbers(void **state)
{
	char text[4096] = "";

	for (int i = 0; i < CONF_NETVSTS_MAX + 2; i++) {
		sprintf(text + strlen(text), "[netvst n%d]\nrole=client\nhost=h\n", i);
	}
	load_bad(text, "t:97: [netvst n32]: one netvst section too many; there may be 32");
	text[0] = '\0';
	for (int i = 0; i < 5; i++) {
		sprintf(text + strlen(text), "[netvst n%d]\nrole=server\nport=%d\nslots=16\n", i, i + 1);
	}
	load_bad(text, "t:17: slots: with [netvst n4] there are 80 clients and slots; there may be 64");
}

static void assert_netvst_equal(const struct conf_netvst *a, const struct conf_netvst *b)
{
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->role, b->role);
	assert_string_equal(a->host, b->host);
	assert_int_equal(a->port, b->port);
	assert_int_equal(a->dialect, b->dialect);
	assert_int_equal(a->codec, b->codec);
	assert_int_equal(a->block_frames, b->block_frames);
	assert_int_equal(a->latency_frames, b->latency_frames);
	assert_int_equal(a->synth, b->synth);
	assert_int_equal(a->cc_params, b->cc_params);
	assert_int_equal(a->slots, b->slots);
	assert_int_equal(a->n_allow, b->n_allow);
	for (unsigned i = 0; i < a->n_allow; i++) {
		assert_memory_equal(&a->allow[i].address, &b->allow[i].address, sizeof(a->allow[i].address));
		assert_int_equal(a->allow[i].bits, b->allow[i].bits);
	}
	for (unsigned i = 0; i < CONF_NETVST_CONNECTS; i++) {
		assert_int_equal(!a->connect[i], !b->connect[i]);
		if (a->connect[i]) {
			assert_string_equal(a->connect[i], b->connect[i]);
		}
	}
}

static void check_round_trip(const char *text)
{
	struct conf *conf = load_ok(text), *again;
	size_t len;
	char *printed = print_to_string(conf, &len);

	again = load_ok_len(printed, len);
	assert_int_equal(conf->n_netvsts, again->n_netvsts);
	for (unsigned i = 0; i < conf->n_netvsts; i++) {
		assert_netvst_equal(&conf->netvsts[i], &again->netvsts[i]);
	}
	free(printed);
	conf_unref(conf);
	conf_unref(again);
}

static void test_round_trip(void **state)
{
	check_round_trip(CLIENT);
	check_round_trip(SERVER);
	check_round_trip(
		DAC CLIENT "port=7\ncodec=wavpack\nblock=77\nlatency=99\nsynth=yes\nconnect=,a:1,,b:2\n"
			   "description=Hall, large\n");
	check_round_trip(SERVER "host=::\nslots=1\nallow=10.1.0.0/16,2001:db8::/32,0.0.0.0/0,::/0\n"
				"connect=a:1,b:2\ndialect=audiokit\nlatency=12\n");
}

/* Where each value was read, and none that the role does not have. */
static void test_printed(void **state)
{
	struct conf *conf = load_ok(SERVER "slots=3\n");
	size_t len;
	char *printed = print_to_string(conf, &len);

	assert_non_null(strstr(printed, "[netvst a]                       ; t:1\n"));
	assert_non_null(strstr(printed, "slots = 3                        ; t:3\n"));
	assert_non_null(strstr(printed, "host = 127.0.0.1                 ; default\n"));
	assert_non_null(strstr(printed, "allow = 127.0.0.0/8, ::1/128     ; default\n"));
	assert_null(strstr(printed, "block ="));
	assert_null(strstr(printed, "cc-params ="));
	assert_null(strstr(printed, "connect ="));
	free(printed);
	conf_unref(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_dialects),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
