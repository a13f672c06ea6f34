/*
 * What a daemon answers to GetStatus that has two NetVST sections, a client "reverb" and a server "daw" with two slots, and
 * no box. Header only; for tests.
 */
#ifndef TESTS_UNIT_NETVST_STATUS_H
#define TESTS_UNIT_NETVST_STATUS_H

#include <math.h>
#include <stdint.h>

#include <systemd/sd-bus.h>

/* Of the client; NULL and 0: as where all is well. */
struct netvst_told {
	const char *state;
	const char *error;
	const char *server_state;
	uint64_t late_blocks;
	uint64_t bytes_sent;
};

static inline int netvst_append_client(sd_bus_message *m, const struct netvst_told *told)
{
	int r;

	r = sd_bus_message_open_container(m, 'a', "{sv}");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "later", "s", "x");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "name", "s", "reverb");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "role", "s", "client");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "state", "s", told->state ? told->state : "online");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "dialect", "s", "2017");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "codec", "s", "wavpack");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "block", "u", 512);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "host", "s", "studio-pc");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "port", "q", 27016);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "peer", "s", told->state ? "" : "127.0.0.1:27016");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "latency_frames", "u", 640);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "latency_mode", "s", "auto");
	r = r < 0 ? r
		  : sd_bus_message_append(m, "{sv}", "rtt_us", "a{sd}", told->state ? 0 : 4, "median", 300.0,
			    "p90", 380.0, "p99", 410.04, "max", 900.0);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "blocks_sent", "t", UINT64_C(1000));
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "blocks_received", "t", UINT64_C(999));
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "late_blocks", "t", told->late_blocks);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "late_episodes", "t", told->late_blocks);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "skipped_blocks", "t", UINT64_C(0));
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "bytes_sent", "t", told->bytes_sent + 2000000);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "bytes_received", "t", UINT64_C(1000000));
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "compression_ratio", "d", 0.61249);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "connects", "t", UINT64_C(1));
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "gain_db", "ad", 2, -6.0, 3.0);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "mute", "ab", 2, 0, 1);
	r = r < 0 ? r
		  : sd_bus_message_append(m, "{sv}", "peak_dbfs", "a{sad}", 2, "send", 2, -12.34,
			    (double)-INFINITY, "return", 2, (double)-INFINITY, (double)-INFINITY);
	r = r < 0 ? r
		  : sd_bus_message_append(
			    m, "{sv}", "callback_us", "a{sd}", 3, "median", 0.6, "p99", 1.12, "max", 3.0);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "error", "s", told->error ? told->error : "");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "slots", "aa{sv}", 0);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static inline int netvst_append_server(sd_bus_message *m, const struct netvst_told *told)
{
	int r;

	r = sd_bus_message_open_container(m, 'a', "{sv}");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "name", "s", "daw");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "role", "s", "server");
	r = r < 0 ? r
		  : sd_bus_message_append(
			    m, "{sv}", "state", "s", told->server_state ? told->server_state : "listening");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "error", "s", told->error ? told->error : "");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "dialect", "s", "audiokit");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "codec", "s", "pcm");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "host", "s", "0.0.0.0");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "port", "q", 27016);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "latency_frames", "u", 96);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "compression_ratio", "d", (double)NAN);
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "bytes_sent", "t", UINT64_C(1));
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "bytes_received", "t", UINT64_C(1));
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "allow", "as", 2, "192.168.1.0/24", "10.0.0.7/32");
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "refused", "t", UINT64_C(7));
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "bad_peers", "t", UINT64_C(0));
	r = r < 0 ? r : sd_bus_message_append(m, "{sv}", "timeouts", "t", UINT64_C(0));
	r = r < 0 ? r
		  : sd_bus_message_append(m, "{sv}", "slots", "aa{sv}", 2, 12, "slot", "u", 1, "name", "s",
			    "daw-1", "state", "s", "playing", "peer", "s", "192.168.1.20:50312", "block", "u",
			    256, "blocks", "t", UINT64_C(4000), "fill_frames", "u", 101, "corrections", "t",
			    UINT64_C(3), "dropped_frames", "t", UINT64_C(8), "repeated_frames", "t",
			    UINT64_C(4), "late_replies", "t", UINT64_C(5), "connects", "t", UINT64_C(2), 3,
			    "slot", "u", 2, "name", "s", "daw-2", "state", "s", "free");
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static inline int netvst_append_status(sd_bus_message *m, const struct netvst_told *told)
{
	int r;

	r = sd_bus_message_append(m, "a{sv}aa{sv}", 6, "version", "s", "0.1.0", "backend", "s", "jack",
		"connected", "b", 1, "sample_rate", "u", 48000, "period", "u", 128, "xruns", "t", UINT64_C(0),
		0);
	r = r < 0 ? r : sd_bus_message_open_container(m, 'a', "a{sv}");
	r = r < 0 ? r : netvst_append_client(m, told);
	r = r < 0 ? r : netvst_append_server(m, told);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

#endif
