/*
 * ethlinkctl doctor: every check against facts that are good, bad and worse; what is read of a machine from a
 * folder that looks like one, garbage included; the daemon's answers over a socket; and what is printed.
 */
#include "ctl/doctor-checks.h"
#include "ctl/doctor-daemon.h"
#include "ctl/doctor-net.h"
#include "ctl/doctor-print.h"

#include "base/util.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/capability.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "bus-server.h"
#include "netvst-status.h"

#define PATIENCE_MS 60000
#define PERIOD_NS 1333333

/* --- facts of a machine on which all is well */

static struct doctor_iface *iface0(struct doctor_facts *facts)
{
	return &facts->ifaces[0];
}

static void add_devices(struct doctor_facts *facts, unsigned n)
{
	facts->devices = reallocarray(facts->devices, facts->n_devices + n, sizeof(*facts->devices));
	assert_non_null(facts->devices);
	for (unsigned i = 0; i < n; i++) {
		struct doctor_device *d = &facts->devices[facts->n_devices];

		*d = (struct doctor_device){.model = "dac8",
			.interface = "enp3s0",
			.state = "online",
			.serial = facts->n_devices,
			.frames_sent = 1000000,
			.replies = 1000,
			.latency_frames = 160};
		snprintf(d->name, sizeof(d->name), "box%u", facts->n_devices++);
		iface0(facts)->n_dacs++;
	}
}

/* Of four boxes the second. */
static void refuse_one(struct doctor_facts *facts)
{
	add_devices(facts, 2);
	strcpy(facts->devices[1].state, "unsupported");
	strcpy(facts->devices[1].reason, "box does not fit: 4 boxes x 33.024 Mbit/s = 132.1 Mbit/s");
	iface0(facts)->n_dacs_refused = 1;
}

/* A client and a server; a block of 512 at a period of 64 is gathered in 448 frames. */
static void add_sections(struct doctor_facts *facts)
{
	static const struct doctor_netvst sections[] = {
		{.name = "reverb",
			.state = "online",
			.dialect = "2017",
			.codec = "wavpack",
			.host = "studio-pc",
			.port = 27016,
			.peer = "10.0.0.2:27016",
			.block_frames = 512,
			.latency_frames = 448 + 2 * 64,
			.rtt_median_us = 300,
			.rtt_p99_us = 2000,
			.callback_p99_us = 1.1,
			.compression_ratio = 0.61,
			.blocks = 100000,
			.n_connected = 1,
			.growth_ns = 500000000,
			.sent_growth = 125000,
			.received_growth = 250000,
			.interface = "enp3s0",
			.speed_mbit = 1000},
		{.name = "daw",
			.server = true,
			.state = "listening",
			.dialect = "audiokit",
			.codec = "pcm",
			.host = "192.168.1.5",
			.port = 27017,
			.latency_frames = 96,
			.rtt_median_us = NAN,
			.rtt_p99_us = NAN,
			.callback_p99_us = 0.9,
			.compression_ratio = NAN,
			.blocks = 5000,
			.refused = 7,
			.n_slots = 2,
			.n_connected = 1,
			.allow = {"192.168.1.0/24", "10.0.0.7/32"},
			.n_allow = 2,
			.growth_ns = 500000000,
			.interface = "lo",
			.speed_mbit = DOCTOR_UNKNOWN},
	};

	facts->netvst = calloc(2, sizeof(*facts->netvst));
	assert_non_null(facts->netvst);
	memcpy(facts->netvst, sections, sizeof(sections));
	facts->n_netvst = 2;
}

static void make_good(struct doctor_facts *facts)
{
	struct doctor_iface *iface;

	doctor_facts_init(facts);
	facts->system = (struct doctor_system){.release = "6.1.0-13-rt-amd64",
		.machine = "x86_64",
		.preemption = DOCTOR_PREEMPTION_RT,
		.rt_runtime_us = 950000,
		.rt_period_us = 1000000,
		.rtkit = true,
		.has_ethtool = true,
		.has_cpupower = true,
		.n_governors = 1,
		.governors = {{"performance", 8}}};
	facts->process = (struct doctor_process){.pid = 4711,
		.is_daemon = true,
		.uid = 1000,
		.user = "alice",
		.program = "/usr/sbin/ethlinkd",
		.file_capability = 0,
		.net_raw = 1,
		.nice = 0,
		.rtprio_limit = 95,
		.memlock_limit = DOCTOR_UNLIMITED};
	facts->daemon = (struct doctor_daemon){.answers = true,
		.has_telemetry = true,
		.version = "0.1.0",
		.backend = "jack",
		.connected = true,
		.sample_rate = 48000,
		.period = 64,
		.cycles = 1000000,
		.kicks = 1000000,
		.rt_priority = 55,
		.locked_memory = 1,
		.pid = 4711,
		.gap_max_ns = 1400000,
		.kick_at_max_ns = 60000,
		.kick_took_max_ns = 40000};
	facts->pipewire = (struct doctor_pipewire){.socket = "/run/user/1000/pipewire-0",
		.pid = DOCTOR_UNKNOWN,
		.default_rate = DOCTOR_UNKNOWN,
		.libjack = 0};
	facts->daemon.gaps[hist_bin(PERIOD_NS)] = 1000000;
	facts->daemon.kick_at[hist_bin(50000)] = 1000000;
	facts->daemon.kick_took[hist_bin(30000)] = 1000000;
	iface = doctor_facts_iface(facts, "enp3s0");
	assert_non_null(iface);
	*iface = (struct doctor_iface){.name = "enp3s0",
		.exists = true,
		.driver = "igb",
		.up = 1,
		.carrier = 1,
		.speed_mbit = 1000,
		.full_duplex = 1,
		.rx_usecs = 3,
		.tx_usecs = 0,
		.rx_packets = 500000,
		.tx_packets = 500000,
		.carrier_changes = 2,
		.ring_open = true};
	add_devices(facts, 2);
	add_sections(facts);
}

/* The same with PipeWire instead of JACK. */
static void make_good_pipewire(struct doctor_facts *facts)
{
	strcpy(facts->daemon.backend, "pipewire");
	facts->pipewire = (struct doctor_pipewire){.socket = "/run/user/1000/pipewire-0",
		.has_socket = true,
		.pid = 815,
		.version = "1.2.7",
		.n_threads = 3,
		.n_realtime = 1,
		.max_priority = 88,
		.has_manager = true,
		.default_rate = 48000,
		.libjack = DOCTOR_UNKNOWN};
}

/* --- one case: what is changed of these, and what the check then finds */

struct change {
	const char *id;
	enum doctor_result result;
	const char *found;   /* a part of it */
	const char *command; /* a part of one, or of the advice; NULL: none is asked for */
	void (*make)(struct doctor_facts *facts);
};

#define MAKE(name, ...)                                                                                      \
	static void name(struct doctor_facts *facts)                                                         \
	{                                                                                                    \
		struct doctor_system *s = &facts->system;                                                    \
		struct doctor_process *p = &facts->process;                                                  \
		struct doctor_daemon *d = &facts->daemon;                                                    \
		struct doctor_pipewire *w = &facts->pipewire;                                                \
		struct doctor_iface *i = iface0(facts);                                                      \
		struct doctor_device *box = facts->devices;                                                  \
		struct doctor_netvst *n = facts->netvst;                                                     \
		(void)s, (void)p, (void)d, (void)w, (void)i, (void)box, (void)n;                             \
		__VA_ARGS__;                                                                                 \
	}

MAKE(nothing, )
MAKE(no_daemon, d->answers = d->has_telemetry = false; d->absent = true; d->connected = false;
	p->is_daemon = false; strcpy(d->error, "ethlinkd does not run: no socket"))
MAKE(old_daemon, d->has_telemetry = false; strcpy(d->error, "unknown method"))
MAKE(no_raw, p->net_raw = 0)
MAKE(no_raw_odd, p->net_raw = 0; strcpy(p->program, "/opt/my $(reboot)/it's"))
MAKE(raw_unknown, p->net_raw = -1)
MAKE(raw_file, no_daemon(facts); p->file_capability = 1)
MAKE(raw_no_file, no_daemon(facts); p->file_capability = 0)
MAKE(prio_rtkit, p->rtprio_limit = 0)
MAKE(prio_none, p->rtprio_limit = 0; d->rt_priority = 0; s->rtkit = false)
MAKE(prio_root, p->rtprio_limit = 0; p->nice = 1)
MAKE(prio_unknown, p->rtprio_limit = DOCTOR_UNKNOWN)
MAKE(prio_login, no_daemon(facts); p->rtprio_limit = 0)
MAKE(memlock_8m, p->memlock_limit = 8 << 20)
MAKE(memlock_64k, p->memlock_limit = 64 << 10)
MAKE(memlock_unknown, p->memlock_limit = DOCTOR_UNKNOWN)
MAKE(not_locked, d->locked_memory = 0)
MAKE(not_locked_limit, d->locked_memory = 0; p->memlock_limit = 65536)
MAKE(locked_by_kernel, d->locked_memory = -1; p->locked_kib = 1000)
MAKE(locked_unknown, d->locked_memory = -1; p->locked_kib = -1)
MAKE(full, s->preemption = DOCTOR_PREEMPTION_FULL; s->threadirqs = true)
MAKE(voluntary, s->preemption = DOCTOR_PREEMPTION_VOLUNTARY; s->preemption_dynamic = true)
MAKE(fixed, s->preemption = DOCTOR_PREEMPTION_FIXED; strcpy(s->machine, "aarch64"))
MAKE(dynamic, s->preemption = DOCTOR_PREEMPTION_DYNAMIC)
MAKE(no_version, s->preemption = DOCTOR_PREEMPTION_UNKNOWN)
MAKE(unthrottled, s->rt_runtime_us = DOCTOR_UNLIMITED)
MAKE(throttled, s->rt_runtime_us = 500000)
MAKE(strangled, s->rt_runtime_us = 0)
MAKE(throttle_unknown, s->rt_runtime_us = DOCTOR_UNKNOWN)
MAKE(powersave, s->n_governors = 2; s->governors[0].n_cpus = 2;
	s->governors[1] = (struct doctor_governor){"powersave", 6}; s->has_cpupower = false)
MAKE(no_governor, s->n_governors = 0)
MAKE(no_iface, i->exists = false; i->ring_open = false)
MAKE(other_ns, i->exists = false)
MAKE(down, i->up = 0; i->carrier = 0)
MAKE(down_odd, i->up = 0; strcpy(i->name, "e;reboot"))
MAKE(no_carrier, i->carrier = 0)
MAKE(link_unknown, i->carrier = DOCTOR_UNKNOWN)
MAKE(wireless, i->wireless = true)
MAKE(bridge, i->bridge = true)
MAKE(bond, i->bond = true)
MAKE(vlan, i->vlan = true)
MAKE(member, strcpy(i->master, "br0"))
MAKE(veth, i->virtual = true)
MAKE(fast_4, i->speed_mbit = 100; add_devices(facts, 2))
MAKE(fast_5, i->speed_mbit = 100; add_devices(facts, 3))
MAKE(fast_6, i->speed_mbit = 100; add_devices(facts, 4))
MAKE(fast_7, i->speed_mbit = 100; add_devices(facts, 5))
MAKE(fast_3_at_96, i->speed_mbit = 100; d->sample_rate = 96000; add_devices(facts, 1))
MAKE(refused_at_96, i->speed_mbit = 100; d->sample_rate = 96000; refuse_one(facts))
MAKE(refused_all, i->speed_mbit = 10; refuse_one(facts); i->n_dacs_refused = 4)
MAKE(refused_by_conf, refuse_one(facts))
MAKE(refused_unknown, i->speed_mbit = DOCTOR_UNKNOWN; refuse_one(facts))
MAKE(fast_unknown_rate, i->speed_mbit = 10; d->sample_rate = 0)
MAKE(both_ways, i->speed_mbit = 100; i->n_dacs = 4; i->n_adcs = 4)
MAKE(both_ways_half, i->speed_mbit = 100; i->n_dacs = 4; i->n_adcs = 4; i->full_duplex = 0)
MAKE(fast_10g, i->speed_mbit = 10000)
MAKE(speed_unknown, i->speed_mbit = DOCTOR_UNKNOWN)
MAKE(half, i->full_duplex = 0; s->has_ethtool = false)
MAKE(duplex_unknown, i->full_duplex = DOCTOR_UNKNOWN)
MAKE(coalesced, i->rx_usecs = 250; i->adaptive_rx = 1)
MAKE(coalesced_adaptive, i->adaptive_rx = 1; i->adaptive_tx = 0)
MAKE(coalesced_100, i->rx_usecs = 100; i->tx_usecs = 100)
MAKE(coalesced_tx, i->tx_usecs = 101)
MAKE(coalescing_unknown, i->rx_usecs = i->tx_usecs = DOCTOR_UNKNOWN)
MAKE(eee_on, i->eee_enabled = i->eee_active = 1)
MAKE(eee_idle, i->eee_enabled = 1; i->eee_active = 0)
MAKE(eee_unknown, i->eee_enabled = i->eee_active = DOCTOR_UNKNOWN)
MAKE(errors_few, i->rx_errors = 3; i->rx_crc_errors = 2)
MAKE(errors_many, i->tx_errors = 101)
MAKE(flapping, i->carrier_changes = 20)
MAKE(errors_unknown, i->rx_errors = i->tx_errors = DOCTOR_UNKNOWN)
MAKE(errors_huge, i->rx_errors = i->tx_errors = i->collisions = 1000000000000000; i->rx_packets = 0)
MAKE(no_server, d->connected = false; d->sample_rate = 0; d->period = 0)
MAKE(rate_32k, d->sample_rate = 32000)
MAKE(rate_huge, d->sample_rate = (1ULL << 32) + 48000)
MAKE(period_4, d->period = 4)
MAKE(period_16384, d->period = 16384)
MAKE(period_100, d->period = 100)
MAKE(paced, i->paced = true)
MAKE(not_realtime, d->rt_priority = 0)
MAKE(no_cycle, d->rt_priority = 0; d->cycles = 0)
MAKE(one_searching, strcpy(box[1].state, "searching"))
MAKE(all_link_down, strcpy(box[0].state, "link-down"); strcpy(box[1].state, "link-down"))
MAKE(new_state, strcpy(box[0].state, "dancing"))
MAKE(bad_rate, strcpy(box[0].state, "unsupported"))
MAKE(no_box, facts->n_devices = facts->n_netvst = 0)
MAKE(taken, strcpy(box[0].state, "taken-over"); strcpy(box[0].taken_by, "02:00:00:00:00:99"))
MAKE(taken_here, strcpy(box[0].state, "taken-over"))
MAKE(foreign_few, box[0].replies_foreign = 4; box[0].replies = 10)
MAKE(foreign_share, box[0].replies_foreign = 10; box[0].replies = 1000)
MAKE(foreign, box[0].replies_foreign = 11; box[0].replies = 1000)
MAKE(drops_few, box[0].dropped_ring_full = 7)
MAKE(drops_many, box[0].dropped_interface = 2001; d->last_kick_error = ENETDOWN)
MAKE(drops_huge, box[0].dropped_interface = UINT64_MAX; d->last_kick_error = UINT32_MAX)
MAKE(overruns, i->frames_overrun = 9)
MAKE(xruns, d->xruns = 3)
MAKE(late_some, d->gaps[hist_bin(1500 * 1000 * 3 / 2)] = 11000)
MAKE(late_few, d->gaps[hist_bin(1500 * 1000 * 3 / 2)] = 9000)
MAKE(late_two, d->gaps[hist_bin(4000000)] = 11; d->gap_max_ns = 4100000)
MAKE(late_many, d->gaps[hist_bin(4000000)] = 1100; d->gap_max_ns = 4100000)
MAKE(no_gaps, memset(d->gaps, 0, sizeof(d->gaps)))
MAKE(kick_half, d->kick_at[hist_bin(800000)] = 20000; d->kick_at_max_ns = 900000)
MAKE(kick_once, d->kick_at[hist_bin(2000000)] = 1; d->kick_at_max_ns = 2000000)
MAKE(kick_over, d->kick_at[hist_bin(2000000)] = 20000; d->kick_at_max_ns = 2100000)
MAKE(kick_none, memset(d->kick_at, 0, sizeof(d->kick_at)))
MAKE(took_quarter, d->kick_took[hist_bin(400000)] = 20000; d->kick_took_max_ns = 420000)
MAKE(took_threaded, i->ring_open = i->threaded = true; took_quarter(facts))
MAKE(took_once, d->kick_took[hist_bin(2000000)] = 1; d->kick_took_max_ns = 2000000)
MAKE(pw, make_good_pipewire(facts))
MAKE(pw_no_daemon, pw(facts); no_daemon(facts); strcpy(d->backend, ""))
MAKE(pw_nothing, no_daemon(facts); strcpy(d->backend, ""))
MAKE(pw_away, no_server(facts); strcpy(d->backend, "auto"))
MAKE(pw_away_jack, pw(facts); no_server(facts); strcpy(d->backend, "jack"))
MAKE(pw_waiting, pw(facts); no_server(facts))
MAKE(pw_elsewhere, pw(facts); no_server(facts); w->has_socket = false)
MAKE(pw_unseen, pw(facts); w->pid = DOCTOR_UNKNOWN; w->has_socket = false)
MAKE(pw_asleep, pw_no_daemon(facts); w->pid = DOCTOR_UNKNOWN)
MAKE(pw_dead, pw_waiting(facts); w->pid = DOCTOR_UNKNOWN)
MAKE(pw_whose, pw(facts); p->uid = DOCTOR_UNKNOWN; w->pid = DOCTOR_UNKNOWN)
MAKE(pw_no_version, pw(facts); strcpy(w->version, ""))
MAKE(pw_no_manager, pw(facts); w->has_manager = false)
MAKE(pw_slow, pw(facts); w->n_realtime = 0; s->rtkit = false)
MAKE(pw_slow_rtkit, pw(facts); w->n_realtime = 0)
MAKE(pw_no_threads, pw(facts); w->n_threads = DOCTOR_UNKNOWN)
MAKE(pw_rates, pw(facts); w->n_rates = 2; w->rates[0] = 48000; w->rates[1] = 44100)
MAKE(pw_rates_192, pw(facts); w->n_rates = 3; w->rates[0] = 48000; w->rates[1] = 192000; w->rates[2] = 32000)
MAKE(pw_rate_192, pw(facts); w->default_rate = 192000)
MAKE(pw_rate_huge, pw(facts); w->default_rate = (1LL << 32) + 48000)
MAKE(pw_no_files, pw(facts); w->default_rate = DOCTOR_UNKNOWN)
MAKE(pw_libjack, w->libjack = 1)
MAKE(pw_libjack_unknown, w->libjack = DOCTOR_UNKNOWN)
MAKE(pw_32k, pw(facts); d->sample_rate = 32000)
MAKE(pw_4, pw(facts); d->period = 4)
MAKE(pw_not_realtime, pw(facts); d->rt_priority = 0)
MAKE(pw_xruns, pw(facts); d->xruns = 3)
MAKE(took_over, d->kick_took[hist_bin(2000000)] = 20000; d->kick_took_max_ns = 2000000)

MAKE(nv_none, facts->n_netvst = 0)
MAKE(nv_no_daemon, no_daemon(facts); facts->n_netvst = 0)
MAKE(nv_only, facts->n_devices = 0; p->net_raw = 0)
MAKE(nv_state, strcpy(n->state, "dancing"))
MAKE(nv_measuring, strcpy(n->state, "measuring"); n->rtt_p99_us = NAN)
MAKE(nv_away, strcpy(n->state, "connecting"); strcpy(n->error, "Connection refused"); n->n_connected = 0)
MAKE(nv_away_twice, nv_away(facts); strcpy(n->host, "10.0.0.2");
	strcpy(n->error, "10.0.0.2:27016: Connection refused"))
MAKE(nv_away_odd, nv_away(facts); strcpy(n->host, "a;reboot"))
MAKE(nv_away_six, nv_away(facts); strcpy(n->host, "fe80::1"))
MAKE(nv_stopped, strcpy(n->state, "stopped"))
/* From here on the server alone, where it is called so. */
MAKE(nv_server, facts->netvst[0] = facts->netvst[1]; facts->n_netvst = 1)
MAKE(nv_server_stopped, nv_server(facts); strcpy(n->state, "stopped"))
MAKE(nv_server_taken, nv_server(facts); strcpy(n->state, "unavailable");
	strcpy(n->error, "Address already in use"))
MAKE(nv_server_bad, nv_server(facts); n->bad_peers = 3; n->timeouts = 1; strcpy(n->error, "a huge block"))
MAKE(nv_trip_close, n->rtt_p99_us = 2400)
MAKE(nv_trip_just, n->rtt_p99_us = 2366)
MAKE(nv_trip_long, n->rtt_p99_us = 3000)
/* Of what is no whole cycle nothing can be used. */
MAKE(nv_trip_odd, n->latency_frames += 63; n->rtt_p99_us = 2400)
MAKE(nv_trip_441, d->period = 441; n->latency_frames = 511 + 441; n->rtt_p99_us = 9000)
MAKE(nv_trip_little, n->latency_frames = 100)
MAKE(nv_trip_wireless, nv_trip_close(facts); n->wireless = true)
MAKE(nv_late_few, n->late_blocks = 100; n->late_episodes = 4)
MAKE(nv_late_many, n->late_blocks = 101; n->late_episodes = 4)
MAKE(nv_late_once, n->late_blocks = 4; n->blocks = 100)
MAKE(nv_late_now, n->late_blocks = 1; n->late_growth = 2)
MAKE(nv_skipped, n->skipped_blocks = 3)
MAKE(nv_no_blocks, n->blocks = 0)
MAKE(nv_late_wireless, nv_late_few(facts); n->wireless = true)
MAKE(nv_server_late, nv_server(facts); n->late_blocks = 6)
MAKE(nv_busy, n->received_growth = 31260000)
MAKE(nv_busy_less, n->received_growth = 31250000)
MAKE(nv_busy_up, n->sent_growth = 31260000)
MAKE(nv_no_growth, n->growth_ns = 0)
MAKE(nv_callback, n->callback_p99_us = 2.1)
MAKE(nv_callback_2, n->callback_p99_us = 2)
MAKE(nv_callback_none, n->callback_p99_us = NAN)
MAKE(nv_loopback, nv_server(facts); strcpy(n->host, "127.0.0.9"))
MAKE(nv_loopback_six, nv_server(facts); strcpy(n->host, "::1"))
MAKE(nv_everybody, nv_server(facts); strcpy(n->allow[1], "0.0.0.0/0"))
MAKE(nv_everybody_six, nv_server(facts); strcpy(n->allow[1], "::/0"); strcpy(n->host, "::"))
MAKE(nv_not_told, nv_server(facts); n->n_allow = 0)

static const struct change changes[] = {
	{"daemon", DOCTOR_OK, "ethlinkd 0.1.0 runs (process 4711, user alice)", NULL, nothing},
	{"daemon", DOCTOR_PROBLEM, "ethlinkd does not run: no socket", "systemctl start ethlinkd@",
		no_daemon},
	{"daemon", DOCTOR_PROBLEM, "does not tell all: unknown method", "systemctl restart", old_daemon},
	{"raw-socket", DOCTOR_OK, "may send", NULL, nothing},
	{"raw-socket", DOCTOR_SKIPPED, "not needed", NULL, nv_only},
	{"boxes", DOCTOR_SKIPPED, "NetVST only", NULL, nv_only},
	{"netvst-connection", DOCTOR_OK, "connected to 10.0.0.2:27016, wavpack, block 512", NULL, nothing},
	{"netvst-connection", DOCTOR_SKIPPED, "no NetVST section", NULL, nv_none},
	{"netvst-connection", DOCTOR_SKIPPED, "only a running ethlinkd", NULL, nv_no_daemon},
	{"netvst-connection", DOCTOR_OK, "connected to 10.0.0.2:27016, measures", NULL, nv_measuring},
	{"netvst-connection", DOCTOR_PROBLEM, "not connected to studio-pc:27016: Connection refused",
		"nc -vz studio-pc 27016", nv_away},
	{"netvst-connection", DOCTOR_PROBLEM, "not connected to 10.0.0.2:27016: Connection refused", "ping",
		nv_away_twice},
	{"netvst-connection", DOCTOR_PROBLEM, "not connected to a;reboot:27016", "nc -vz 'a;reboot' 27016",
		nv_away_odd},
	{"netvst-connection", DOCTOR_PROBLEM, "not connected to [fe80::1]:27016", "for this dialect (2017)",
		nv_away_six},
	{"netvst-connection", DOCTOR_PROBLEM, "no sound server", "\"sound server\" above", nv_stopped},
	{"netvst-connection", DOCTOR_PROBLEM, "not connected to", NULL, nv_state},
	{"netvst-connection", DOCTOR_OK, "listens at 192.168.1.5:27017, 1 of 2 slots in use", NULL,
		nv_server},
	{"netvst-connection", DOCTOR_PROBLEM, "no sound server", NULL, nv_server_stopped},
	{"netvst-connection", DOCTOR_PROBLEM, "does not listen at 192.168.1.5:27017: Address already in use",
		"ss -ltnp 'sport = :27017'", nv_server_taken},
	{"netvst-connection", DOCTOR_WARNING,
		"3 connections broke the protocol, 1 stood still; the last one: a huge",
		"of this dialect (audiokit)", nv_server_bad},
	{"netvst-round-trip", DOCTOR_OK,
		"99 % within 2.00 ms. Latency 576 - 448 to gather a block = 2 cycles of 64 = 2.67 ms: 0.67 "
		"ms "
		"are left",
		NULL, nothing},
	{"netvst-round-trip", DOCTOR_WARNING, "2.67 ms: 0.27 ms are left", "latency = 640", nv_trip_close},
	{"netvst-round-trip", DOCTOR_OK, "0.30 ms are left", NULL, nv_trip_just},
	{"netvst-round-trip", DOCTOR_WARNING, "2.67 ms: 0.33 ms too little", "latency = 640", nv_trip_long},
	{"netvst-round-trip", DOCTOR_WARNING, "Latency 639 - 448 to gather a block = 2 cycles of 64",
		"latency = 703", nv_trip_odd},
	{"netvst-round-trip", DOCTOR_WARNING, "952 - 511 to gather a block = 1 cycles of 441 = 9.19 ms",
		"latency = 1393", nv_trip_441},
	{"netvst-round-trip", DOCTOR_WARNING, "0 cycles", NULL, nv_trip_little},
	{"netvst-round-trip", DOCTOR_WARNING, "0.27 ms are left", "use a cable", nv_trip_wireless},
	{"netvst-round-trip", DOCTOR_SKIPPED, "nothing was measured", NULL, nv_measuring},
	{"netvst-round-trip", DOCTOR_SKIPPED, "a server", NULL, nv_server},
	{"netvst-late", DOCTOR_OK, "none of 100000 blocks", NULL, nothing},
	{"netvst-late", DOCTOR_WARNING, "of 100000 blocks 100 came late, 4 times,", "block = 1024",
		nv_late_few},
	{"netvst-late", DOCTOR_PROBLEM, "of 100000 blocks 101 came late", "latency = 640", nv_late_many},
	{"netvst-late", DOCTOR_WARNING, "of 100 blocks 4 came late", "latency = 640", nv_late_once},
	{"netvst-late", DOCTOR_PROBLEM, "2 blocks came late in the last 0.5 s, 3 since the start",
		"ethlinkctl netvst reverb", nv_late_now},
	{"netvst-late", DOCTOR_WARNING, "0 came late, 0 times, and 3 were skipped", NULL, nv_skipped},
	{"netvst-late", DOCTOR_WARNING, "100 came late", "use a cable", nv_late_wireless},
	{"netvst-late", DOCTOR_SKIPPED, "no block was sent", NULL, nv_no_blocks},
	{"netvst-late", DOCTOR_OK, "none of 5000 replies", NULL, nv_server},
	{"netvst-late", DOCTOR_PROBLEM, "of 5000 replies 6 came late;", "larger buffer in the DAW",
		nv_server_late},
	{"netvst-throughput", DOCTOR_OK,
		"2.0 Mbit/s up, 4.0 Mbit/s down; wavpack makes it 61 % of its size; 0.4 % of enp3s0 (1000 "
		"Mbit/s)",
		NULL, nothing},
	{"netvst-throughput", DOCTOR_OK, "50 % of enp3s0", NULL, nv_busy_less},
	{"netvst-throughput", DOCTOR_WARNING, "500.2 Mbit/s down", "codec = wavpack", nv_busy},
	{"netvst-throughput", DOCTOR_WARNING, "500.2 Mbit/s up", "codec = wavpack", nv_busy_up},
	{"netvst-throughput", DOCTOR_OK, "0.0 Mbit/s up, 0.0 Mbit/s down; on lo", NULL, nv_server},
	{"netvst-throughput", DOCTOR_SKIPPED, "nothing flows", NULL, nv_away},
	{"netvst-throughput", DOCTOR_SKIPPED, "nothing flows", NULL, nv_no_growth},
	{"netvst-callback", DOCTOR_OK, "up to 1.1 us", NULL, nothing},
	{"netvst-callback", DOCTOR_OK, "up to 2.0 us", NULL, nv_callback_2},
	{"netvst-callback", DOCTOR_WARNING, "up to 2.1 us", "CPU governor", nv_callback},
	{"netvst-callback", DOCTOR_SKIPPED, "nothing was counted", NULL, nv_callback_none},
	{"netvst-exposed", DOCTOR_SKIPPED, "a client", NULL, nothing},
	{"netvst-exposed", DOCTOR_OK,
		"listens at 192.168.1.5:27017; allowed: 192.168.1.0/24, 10.0.0.7/32; 7 refused", NULL,
		nv_server},
	{"netvst-exposed", DOCTOR_OK, "programs on this machine only", NULL, nv_loopback},
	{"netvst-exposed", DOCTOR_OK, "programs on this machine only", NULL, nv_loopback_six},
	{"netvst-exposed", DOCTOR_WARNING, "192.168.1.0/24, 0.0.0.0/0;", "allow = 192.168.1.0/24",
		nv_everybody},
	{"netvst-exposed", DOCTOR_WARNING, "listens at [::]:27017; allowed: 192.168.1.0/24, ::/0;",
		"ip -brief address", nv_everybody_six},
	{"netvst-exposed", DOCTOR_OK, "allowed: not told", NULL, nv_not_told},
	{"raw-socket", DOCTOR_PROBLEM, "may not send", "setcap cap_net_raw+ep /usr/sbin/ethlinkd", no_raw},
	{"raw-socket", DOCTOR_PROBLEM, "may not send", "+ep '/opt/my $(reboot)/it'\\''s'", no_raw_odd},
	{"raw-socket", DOCTOR_SKIPPED, "cannot be seen", NULL, raw_unknown},
	{"raw-socket", DOCTOR_OK, "/usr/sbin/ethlinkd may send", NULL, raw_file},
	{"raw-socket", DOCTOR_SKIPPED, "service needs none", NULL, raw_no_file},
	{"rtprio-limit", DOCTOR_OK, "up to 95", NULL, nothing},
	{"rtprio-limit", DOCTOR_WARNING, "limit 0", "usermod -aG audio alice", prio_rtkit},
	{"rtprio-limit", DOCTOR_PROBLEM, "limit 0", "@audio - rtprio 95", prio_none},
	{"rtprio-limit", DOCTOR_OK, "any realtime priority", NULL, prio_root},
	{"rtprio-limit", DOCTOR_SKIPPED, "cannot be read", NULL, prio_unknown},
	{"rtprio-limit", DOCTOR_WARNING, "started from this login", "limits.d/audio.conf", prio_login},
	{"rtkit", DOCTOR_SKIPPED, "not needed", NULL, nothing},
	{"rtkit", DOCTOR_OK, "rtkit runs", NULL, prio_rtkit},
	{"rtkit", DOCTOR_WARNING, "does not run", "apt-get install rtkit", prio_none},
	{"memlock-limit", DOCTOR_OK, "all its memory", NULL, nothing},
	{"memlock-limit", DOCTOR_WARNING, "8 MiB", "memlock unlimited", memlock_8m},
	{"memlock-limit", DOCTOR_WARNING, "64 KiB", "memlock unlimited", memlock_64k},
	{"memlock-limit", DOCTOR_SKIPPED, "cannot be read", NULL, memlock_unknown},
	{"memory-locked", DOCTOR_OK, "has locked", NULL, nothing},
	{"memory-locked", DOCTOR_WARNING, "has not locked", "restart ethlinkd", not_locked},
	{"memory-locked", DOCTOR_WARNING, "has not locked", "Raise the limit", not_locked_limit},
	{"memory-locked", DOCTOR_OK, "has locked", NULL, locked_by_kernel},
	{"memory-locked", DOCTOR_SKIPPED, "does not say", NULL, locked_unknown},
	{"memory-locked", DOCTOR_SKIPPED, "does not run", NULL, no_daemon},
	{"preemption", DOCTOR_OK, "PREEMPT_RT", NULL, nothing},
	{"preemption", DOCTOR_OK, "with threaded interrupts", NULL, full},
	{"preemption", DOCTOR_WARNING, "preempt=voluntary", "preempt=full threadirqs", voluntary},
	{"preemption", DOCTOR_WARNING, "no PREEMPT", "linux-image-rt-arm64", fixed},
	{"preemption", DOCTOR_SKIPPED, "PREEMPT_DYNAMIC", "sched/preempt", dynamic},
	{"preemption", DOCTOR_SKIPPED, "does not say", NULL, no_version},
	{"rt-throttling", DOCTOR_OK, "95 %", NULL, nothing},
	{"rt-throttling", DOCTOR_OK, "never held back", NULL, unthrottled},
	{"rt-throttling", DOCTOR_WARNING, "50 %", "sched_rt_runtime_us = 950000", throttled},
	{"rt-throttling", DOCTOR_PROBLEM, "0 %", "sysctl --load", strangled},
	{"rt-throttling", DOCTOR_SKIPPED, "does not say", NULL, throttle_unknown},
	{"cpu-governor", DOCTOR_OK, "all 8 CPUs", NULL, nothing},
	{"cpu-governor", DOCTOR_WARNING, "6 of 8 CPUs", "install linux-cpupower", powersave},
	{"cpu-governor", DOCTOR_WARNING, "(powersave)", "frequency-set --governor performance", powersave},
	{"cpu-governor", DOCTOR_SKIPPED, "virtual machine", NULL, no_governor},
	{"interface", DOCTOR_OK, "up, with a link (driver igb)", NULL, nothing},
	{"interface", DOCTOR_PROBLEM, "no such interface", "ip -brief link", no_iface},
	{"interface", DOCTOR_SKIPPED, "namespace", NULL, other_ns},
	{"interface", DOCTOR_PROBLEM, "switched off", "ip link set dev enp3s0 up", down},
	{"interface", DOCTOR_PROBLEM, "switched off", "set dev 'e;reboot' up", down_odd},
	{"interface", DOCTOR_PROBLEM, "no link", "cable", no_carrier},
	{"interface", DOCTOR_SKIPPED, "cannot be read", NULL, link_unknown},
	{"interface", DOCTOR_SKIPPED, "only a running ethlinkd", NULL, no_daemon},
	{"interface-kind", DOCTOR_OK, "a network card", NULL, nothing},
	{"interface-kind", DOCTOR_PROBLEM, "wireless", "by cable", wireless},
	{"interface-kind", DOCTOR_WARNING, "a bridge", "interface = NAME", bridge},
	{"interface-kind", DOCTOR_WARNING, "a bond", "interface = NAME", bond},
	{"interface-kind", DOCTOR_WARNING, "a VLAN", "interface = NAME", vlan},
	{"interface-kind", DOCTOR_WARNING, "part of the bridge or bond br0", "enp3s0 nomaster", member},
	{"interface-kind", DOCTOR_OK, "virtual", NULL, veth},
	{"interface-kind", DOCTOR_SKIPPED, "cannot be looked at", NULL, no_iface},
	/* 6000 frames of 344 bytes a second are 16.512 Mbit/s. */
	{"bandwidth", DOCTOR_OK, "2 boxes x 6000 frames/s x 344 bytes = 33.0 of 1000 Mbit/s (3 %)", NULL,
		nothing},
	{"bandwidth", DOCTOR_OK, "of 10000 Mbit/s (0.3 %)", NULL, fast_10g},
	{"bandwidth", DOCTOR_OK, "66.0 of 100 Mbit/s (66 %)", NULL, fast_4},
	{"bandwidth", DOCTOR_OK, "82.6 of 100 Mbit/s (83 %)", NULL, fast_5},
	{"bandwidth", DOCTOR_WARNING, "99.1 of 100 Mbit/s (99 %)", "carries 5 with ease", fast_6},
	{"bandwidth", DOCTOR_PROBLEM, "7 boxes x 6000 frames/s x 344 bytes = 115.6 of 100 Mbit/s (116 %)",
		"ethtool --negotiate enp3s0", fast_7},
	{"bandwidth", DOCTOR_WARNING, "3 boxes x 12000 frames/s x 344 bytes = 99.1 of 100", "carries 2",
		fast_3_at_96},
	{"bandwidth", DOCTOR_PROBLEM,
		"3 boxes x 12000 frames/s x 344 bytes = 99.1 of 100 Mbit/s (99 %); no room for 1 more",
		"carries 2", refused_at_96},
	{"bandwidth", DOCTOR_PROBLEM,
		"0 boxes x 6000 frames/s x 344 bytes = 0.0 of 10 Mbit/s (0.0 %); no room "
		"for 4 more",
		"ethtool --negotiate enp3s0", refused_all},
	{"bandwidth", DOCTOR_PROBLEM,
		"3 boxes x 6000 frames/s x 344 bytes = 49.5 of 1000 Mbit/s (5 %); no room "
		"for 1 more",
		"raise bandwidth in ethlinkd.conf", refused_by_conf},
	{"bandwidth", DOCTOR_PROBLEM, "3 boxes x 6000 frames/s x 344 bytes = 49.5 Mbit/s; no room for 1 more",
		"ethlinkctl reload", refused_unknown},
	{"bandwidth", DOCTOR_PROBLEM, "33.0 of 10 Mbit/s (330 %)", "carries 0", fast_unknown_rate},
	{"bandwidth", DOCTOR_OK, "4 boxes", NULL, both_ways},
	{"bandwidth", DOCTOR_PROBLEM, "8 boxes", "gigabit", both_ways_half},
	{"bandwidth", DOCTOR_SKIPPED, "33.0 Mbit/s; the interface does not tell its speed", NULL,
		speed_unknown},
	{"duplex", DOCTOR_OK, "full duplex", NULL, nothing},
	{"duplex", DOCTOR_PROBLEM, "half duplex", "ethtool -s enp3s0 autoneg on", half},
	{"duplex", DOCTOR_PROBLEM, "half duplex", "apt-get install ethtool", half},
	{"duplex", DOCTOR_SKIPPED, "does not tell", NULL, duplex_unknown},
	{"coalescing", DOCTOR_OK, "3 us (receiving) and 0 us (sending)", NULL, nothing},
	{"coalescing", DOCTOR_OK, "100 us", NULL, coalesced_100},
	{"coalescing", DOCTOR_OK, "0 us (sending), adaptive", NULL, coalesced_adaptive},
	{"coalescing", DOCTOR_WARNING, "250 us", "ethtool -C enp3s0 adaptive-rx off rx-usecs 10", coalesced},
	{"coalescing", DOCTOR_WARNING, "101 us (sending)", "ethtool -C enp3s0 tx-usecs 10", coalesced_tx},
	{"coalescing", DOCTOR_SKIPPED, "does not tell", NULL, coalescing_unknown},
	{"eee", DOCTOR_OK, "is off", NULL, nothing},
	{"eee", DOCTOR_OK, "not active", NULL, eee_idle},
	{"eee", DOCTOR_WARNING, "is active", "ethtool --set-eee enp3s0 eee off", eee_on},
	{"eee", DOCTOR_SKIPPED, "does not tell", NULL, eee_unknown},
	{"link-errors", DOCTOR_OK, "no errors in 1000000 frames", NULL, nothing},
	{"link-errors", DOCTOR_WARNING, "3 came damaged (2 checksum)", "show dev enp3s0", errors_few},
	{"link-errors", DOCTOR_PROBLEM, "101 were not sent", "another cable", errors_many},
	{"link-errors", DOCTOR_WARNING, "went down 10 times", "another cable", flapping},
	{"link-errors", DOCTOR_SKIPPED, "cannot be read", NULL, errors_unknown},
	{"link-errors", DOCTOR_PROBLEM, "1000000000000000 collided", "cable", errors_huge},
	{"audio-server", DOCTOR_OK, "joined the sound server (jack)", NULL, nothing},
	{"audio-server", DOCTOR_PROBLEM, "waits for", "jackd -R", no_server},
	{"audio-server", DOCTOR_SKIPPED, "does not run", NULL, no_daemon},
	{"audio-server", DOCTOR_OK, "joined the sound server (pipewire)", NULL, pw},
	{"audio-server", DOCTOR_PROBLEM, "waits for the sound server (auto)", "See \"PipeWire\" below",
		pw_away},
	{"audio-server", DOCTOR_PROBLEM, "waits for the sound server (jack)", "backend = auto", pw_away_jack},
	{"pipewire", DOCTOR_SKIPPED, "not used (backend jack)", NULL, nothing},
	{"pipewire", DOCTOR_OK, "PipeWire 1.2.7 runs for alice (process 815)", NULL, pw},
	{"pipewire", DOCTOR_OK, "PipeWire runs for alice", NULL, pw_no_version},
	{"pipewire", DOCTOR_OK, "PipeWire 1.2.7 runs", NULL, pw_no_daemon},
	{"pipewire", DOCTOR_SKIPPED, "no PipeWire server runs for alice", NULL, pw_nothing},
	{"pipewire", DOCTOR_PROBLEM, "there is no /run/user/1000/pipewire-0", "enable-linger alice", pw_away},
	{"pipewire", DOCTOR_PROBLEM, "but not at /run/user/1000/pipewire-0", "restart pipewire.socket",
		pw_elsewhere},
	{"pipewire", DOCTOR_OK, "PipeWire 1.2.7 runs", NULL, pw_waiting},
	{"pipewire", DOCTOR_OK, "/run/user/1000/pipewire-0 is there; the server starts", NULL, pw_asleep},
	{"pipewire", DOCTOR_PROBLEM, "nobody listens at /run/user/1000/pipewire-0", "systemctl --user",
		pw_dead},
	{"pipewire", DOCTOR_OK, "not seen from here", NULL, pw_unseen},
	{"pipewire", DOCTOR_SKIPPED, "whose", NULL, pw_whose},
	{"session-manager", DOCTOR_SKIPPED, "not used", NULL, nothing},
	{"session-manager", DOCTOR_SKIPPED, "no PipeWire server is seen", NULL, pw_away},
	{"session-manager", DOCTOR_OK, "has a session manager", NULL, pw},
	{"session-manager", DOCTOR_WARNING, "no session manager", "install wireplumber", pw_no_manager},
	{"pipewire-priority", DOCTOR_SKIPPED, "not used", NULL, nothing},
	{"pipewire-priority", DOCTOR_OK, "realtime priority 88", NULL, pw},
	{"pipewire-priority", DOCTOR_WARNING, "no realtime priority", "install rtkit", pw_slow},
	{"pipewire-priority", DOCTOR_WARNING, "no realtime priority", "usermod -aG audio alice",
		pw_slow_rtkit},
	{"pipewire-priority", DOCTOR_SKIPPED, "cannot be looked at", NULL, pw_no_threads},
	{"pipewire-rates", DOCTOR_SKIPPED, "not used", NULL, nothing},
	{"pipewire-rates", DOCTOR_OK, "48000 Hz, whatever plays", NULL, pw},
	{"pipewire-rates", DOCTOR_OK, "48000 Hz, and what plays may change it to 48000, 44100", NULL,
		pw_rates},
	{"pipewire-rates", DOCTOR_WARNING, "may change to 192000, 32000 Hz",
		"{ default.clock.allowed-rates = [ 44100 48000 88200 96000 ] }", pw_rates_192},
	{"pipewire-rates", DOCTOR_PROBLEM, "run at 192000 Hz", "default.clock.rate = 48000 ", pw_rate_192},
	{"pipewire-rates", DOCTOR_PROBLEM, "run at 4295015296 Hz", NULL, pw_rate_huge},
	{"pipewire-rates", DOCTOR_SKIPPED, "was not found", NULL, pw_no_files},
	{"jack-library", DOCTOR_OK, "JACK's own", NULL, nothing},
	{"jack-library", DOCTOR_SKIPPED, "JACK is not joined", NULL, pw},
	{"jack-library", DOCTOR_SKIPPED, "ethlinkd does not run", NULL, pw_no_daemon},
	{"jack-library", DOCTOR_SKIPPED, "cannot be seen", NULL, pw_libjack_unknown},
	{"jack-library", DOCTOR_WARNING, "PipeWire's libjack", "backend = pipewire", pw_libjack},
	{"rate-period", DOCTOR_OK, "period 64 (1.33 ms) at this moment", NULL, pw},
	{"rate-period", DOCTOR_PROBLEM, "32000 Hz", "clock.force-rate 48000", pw_32k},
	{"rate-period", DOCTOR_PROBLEM, "4 frames", "clock.force-quantum 256", pw_4},
	{"realtime-audio", DOCTOR_PROBLEM, "without realtime priority", "restart ethlinkd@", pw_not_realtime},
	{"xruns", DOCTOR_WARNING, "3 in 1000000 cycles", "clock.force-quantum 128", pw_xruns},
	{"rate-period", DOCTOR_OK, "48000 Hz, period 64 (1.33 ms)", NULL, nothing},
	{"rate-period", DOCTOR_PROBLEM, "32000 Hz", "-r 48000", rate_32k},
	{"rate-period", DOCTOR_PROBLEM, "4295015296 Hz", "-r 48000", rate_huge},
	{"rate-period", DOCTOR_PROBLEM, "4 frames", "jack_bufsize 256", period_4},
	{"rate-period", DOCTOR_PROBLEM, "16384 frames", "jack_bufsize 256", period_16384},
	{"rate-period", DOCTOR_OK, "no multiple of 8", NULL, period_100},
	{"rate-period", DOCTOR_OK, "spread over the period", NULL, paced},
	{"rate-period", DOCTOR_SKIPPED, "no sound server", NULL, no_server},
	{"realtime-audio", DOCTOR_OK, "priority 55", NULL, nothing},
	{"realtime-audio", DOCTOR_PROBLEM, "without realtime priority", "jackd with -R", not_realtime},
	{"realtime-audio", DOCTOR_SKIPPED, "no cycle", NULL, no_cycle},
	{"boxes", DOCTOR_OK, "2 of 2 online", NULL, nothing},
	{"boxes", DOCTOR_PROBLEM, "box1 is searched for", "scan enp3s0 --probe", one_searching},
	{"boxes", DOCTOR_PROBLEM, "box0, box1 are without a link", "cable", all_link_down},
	{"boxes", DOCTOR_PROBLEM, "box0 is dancing", NULL, new_state},
	{"boxes", DOCTOR_PROBLEM, "box0 is silent: no box takes this rate", "rate, period", bad_rate},
	{"boxes", DOCTOR_PROBLEM, "box1 is refused: box does not fit", "See \"bandwidth\"", refused_at_96},
	{"boxes", DOCTOR_WARNING, "no box is configured", "scan", no_box},
	{"other-hosts", DOCTOR_OK, "nobody else", NULL, nothing},
	{"other-hosts", DOCTOR_PROBLEM, "the host 02:00:00:00:00:99", "ether proto 0x0802", taken},
	{"other-hosts", DOCTOR_PROBLEM, "another ethlinkd on this machine", "takeover = yes", taken_here},
	{"other-hosts", DOCTOR_OK, "nobody else", NULL, foreign_few},
	{"other-hosts", DOCTOR_OK, "nobody else", NULL, foreign_share},
	{"other-hosts", DOCTOR_WARNING, "11 of 1000 answers of box0", "tcpdump -e -n -c 20 -i enp3s0",
		foreign},
	{"other-hosts", DOCTOR_SKIPPED, "only a running", NULL, old_daemon},
	{"drops", DOCTOR_OK, "none; 2000000 were sent", NULL, nothing},
	{"drops", DOCTOR_WARNING, "7 found no place in the ring", "\"coalescing\"", drops_few},
	{"drops", DOCTOR_PROBLEM, "2001 were refused by the interface: Network is down", "link is down",
		drops_many},
	{"drops", DOCTOR_PROBLEM, "18446744073709551615 were refused", NULL, drops_huge},
	{"drops", DOCTOR_WARNING, "9 received ones", "no time to read them", overruns},
	{"xruns", DOCTOR_OK, "none in 22 minutes", NULL, nothing},
	{"xruns", DOCTOR_WARNING, "3 in 22 minutes", "jack_bufsize 128", xruns},
	{"cycle-gaps", DOCTOR_OK, "0 % came later than 1.5 periods", NULL, nothing},
	{"cycle-gaps", DOCTOR_OK, "later than 1.5 periods", NULL, late_few},
	{"cycle-gaps", DOCTOR_WARNING, "1.09 % came later than 1.5 periods, 0 % than 2", "latency = 512",
		late_some},
	{"cycle-gaps", DOCTOR_WARNING, "0.0011 % than 2; the latest after 4.1 ms", "jack_bufsize 128",
		late_two},
	{"cycle-gaps", DOCTOR_PROBLEM, "0.11 % than 2", "jack_bufsize 128", late_many},
	{"cycle-gaps", DOCTOR_SKIPPED, "nothing was counted", NULL, no_gaps},
	{"kick-time", DOCTOR_OK, "99 % of 1000000 within 57 us, the longest 60 us (4.5 % of the period)",
		NULL, nothing},
	{"kick-time", DOCTOR_WARNING, "within 900 us", "jack_bufsize", kick_half},
	{"kick-time", DOCTOR_WARNING, "the longest 2000 us (150 %", "jack_bufsize", kick_once},
	{"kick-time", DOCTOR_PROBLEM, "within 2097 us", "jack_bufsize", kick_over},
	{"kick-time", DOCTOR_SKIPPED, "nothing was counted", NULL, kick_none},
	{"kick-duration", DOCTOR_OK, "within 33 us", NULL, nothing},
	{"kick-duration", DOCTOR_WARNING, "420 us", "tc qdisc show", took_quarter},
	{"kick-duration", DOCTOR_WARNING, "420 us", "sender = thread", took_quarter},
	{"kick-duration", DOCTOR_WARNING, "420 us", "fewer boxes", took_threaded},
	{"kick-duration", DOCTOR_WARNING, "the longest 2000 us", "ps -eLo rtprio", took_once},
	{"kick-duration", DOCTOR_PROBLEM, "the longest 2000 us", "tc qdisc show", took_over},
};

static const struct doctor_finding *find(const struct doctor_report *report, const char *id)
{
	const struct doctor_finding *worst = NULL;

	for (unsigned i = 0; i < report->n_findings; i++) {
		const struct doctor_finding *f = &report->findings[i];

		if (strcmp(f->check->id, id) == 0 && (!worst || f->result == DOCTOR_PROBLEM)) {
			worst = f;
		}
	}
	assert_non_null(worst);
	return worst;
}

static bool says(const struct doctor_finding *f, const char *part)
{
	bool found = strstr(f->advice, part) != NULL;

	for (unsigned i = 0; i < f->n_commands; i++) {
		found = found || strstr(f->commands[i], part);
	}
	return found;
}

static void check_change(const struct change *c)
{
	const struct doctor_finding *f;
	struct doctor_report report;
	struct doctor_facts facts;

	make_good(&facts);
	c->make(&facts);
	if (c->make == no_daemon || c->make == raw_file || c->make == raw_no_file || c->make == prio_login) {
		facts.n_ifaces = facts.n_devices = 0;
	}
	assert_int_equal(doctor_examine(&facts, &report), 0);
	f = find(&report, c->id);
	if (f->result != c->result || !strstr(f->found, c->found) || (c->command && !says(f, c->command))) {
		print_error("%s: %s: %s\n  %s\n  %s\n  %s\nwanted %s: %s: %s\n", c->id,
			doctor_result_name(f->result), f->found, f->why, f->advice,
			f->n_commands ? f->commands[f->n_commands - 1] : "", doctor_result_name(c->result),
			c->found, c->command ? c->command : "");
		fail();
	}
	if (f->result == DOCTOR_WARNING || f->result == DOCTOR_PROBLEM) {
		assert_true(f->why[0]);
	} else {
		assert_string_equal(f->why, "");
	}
	doctor_report_fini(&report);
	doctor_facts_fini(&facts);
}

static void test_changes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		check_change(&changes[i]);
	}
}

/*
 * Nothing is to be complained of; skipped is rtkit, which is not needed, what belongs to the other server,
 * and of NetVST what belongs to the other role.
 */
static void check_all_well(struct doctor_facts *facts, unsigned n_skipped)
{
	struct doctor_report report;

	assert_int_equal(doctor_examine(facts, &report), 0);
	assert_int_equal(doctor_report_result(&report), DOCTOR_OK);
	assert_int_equal(report.counts[DOCTOR_SKIPPED], n_skipped);
	assert_int_equal(report.counts[DOCTOR_OK], report.n_findings - n_skipped);
	doctor_report_fini(&report);
}

static void test_all_well(void **state)
{
	struct doctor_facts facts;

	make_good(&facts);
	check_all_well(&facts, 1 + 4 + 2);
	make_good_pipewire(&facts);
	check_all_well(&facts, 1 + 1 + 2);
	doctor_facts_fini(&facts);
}

/* Each check has been seen ok and not ok; ids are for scripts. */
static void test_table(void **state)
{
	for (const struct doctor_check *c = doctor_checks; c->id; c++) {
		bool good = false, bad = false;

		assert_int_equal(strspn(c->id, "abcdefghijklmnopqrstuvwxyz-"), strlen(c->id));
		assert_true(strlen(c->title) <= 14);
		for (const struct doctor_check *other = doctor_checks; other < c; other++) {
			assert_string_not_equal(other->id, c->id);
		}
		for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
			if (strcmp(changes[i].id, c->id) == 0) {
				good = good || changes[i].result == DOCTOR_OK;
				bad = bad || changes[i].result == DOCTOR_WARNING ||
				      changes[i].result == DOCTOR_PROBLEM;
			}
		}
		assert_true(good && bad);
	}
}

/* A pulled cable of many boxes is one finding, whose list of names is cut where it gets too long. */
static void test_many_boxes(void **state)
{
	struct doctor_report report;
	struct doctor_facts facts;
	unsigned n = 0;

	make_good(&facts);
	add_devices(&facts, 198);
	for (unsigned i = 0; i < facts.n_devices; i++) {
		strcpy(facts.devices[i].state, i == 7 ? "searching" : i == 8 ? "online" : "link-down");
	}
	assert_int_equal(doctor_examine(&facts, &report), 0);
	for (unsigned i = 0; i < report.n_findings; i++) {
		n += strcmp(report.findings[i].check->id, "boxes") == 0;
	}
	assert_int_equal(n, 2);
	doctor_report_fini(&report);
	doctor_facts_fini(&facts);
}

/* --- what is read of a machine */

static char root[PATH_MAX];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int make_root(void **state)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%s/doctor-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The path below root, with its folders made. */
static void make_path(char full[PATH_MAX], const char *path)
{
	assert_true(snprintf(full, PATH_MAX, "%s%s", root, path) < PATH_MAX);
	for (char *s = full + strlen(root) + 1; (s = strchr(s, '/')); s++) {
		*s = '\0';
		assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
		*s = '/';
	}
}

static void put_bytes(const char *path, const void *bytes, size_t len)
{
	char full[PATH_MAX];
	FILE *f;

	make_path(full, path);
	f = fopen(full, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void put(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text));
}

static void put_link(const char *path, const char *target)
{
	char full[PATH_MAX];

	make_path(full, path);
	assert_int_equal(symlink(target, full), 0);
}

#define KERNEL(words) "Linux version 6.1.0-13-amd64 (builder@debian) (gcc 12) #1 SMP " words " Debian 6.1\n"
#define NET "/sys/class/net/enp3s0/"
#define PID "/proc/4711/"
#define PW "/proc/815/"
#define CPU "/sys/devices/system/cpu/"
#define STAT(name, priority, policy)                                                                         \
	"4712 (" name                                                                                        \
	") S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 3 0 100 1000 10 0 0 0 0 0 0 0 0 0 0 0 0 0 17 1 " priority     \
	" " policy " 0 0 0\n"
#define LIMITS(memlock, rtprio)                                                                              \
	"Limit                     Soft Limit           Hard Limit           Units     \n"                   \
	"Max locked memory         " memlock "                8388608              bytes     \n"             \
	"Max realtime priority     " rtprio "                   95                   \n"

#define MAPS(library) "7f00-7f10 r--p 00000000 08:01 42                         " library "\n"
#define LIB "/usr/lib/x86_64-linux-gnu/"

/* What a running PipeWire shows, and its neighbours who are of no concern. */
static void put_pipewire(void)
{
	char path[64];
	static const char environ[] = "LANG=C\0HOMES=/wrong\0HOME=/home/alice\0";

	put(PW "comm", "pipewire\n");
	put(PW "status", "Name:\tpipewire\nUid:\t0\t0\t0\t0\n");
	put(PW "maps", MAPS("/usr/bin/pipewire") MAPS(LIB "libpipewire-0.3.so.0.365.0"));
	put_bytes(PW "environ", environ, sizeof(environ) - 1);
	put(PW "task/815/stat", STAT("pipewire", "0", "0"));
	put(PW "task/820/stat", STAT("data-loop.0", "88", "1"));
	put("/proc/816/comm", "wireplumber\n");
	put("/proc/816/status", "Name:\twireplumber\nUid:\t0\t0\t0\t0\n");
	put("/proc/701/comm", "pipewire\n");
	put("/proc/701/status", "Name:\tpipewire\nUid:\t0\t0\t0\t0\n");
	put("/proc/701/environ", "XDG_RUNTIME_DIR=/another/folder");
	put("/proc/700/comm", "pipewire\n");
	put("/proc/700/status", "Name:\tpipewire\nUid:\t1000\t1000\t1000\t1000\n");
	/* Many of them, so that the order in which a folder is read hardly ever is the right one. */
	for (unsigned i = 900; i < 910; i++) {
		snprintf(path, sizeof(path), "/proc/%u/comm", i);
		put(path, "pipewire\n");
		snprintf(path, sizeof(path), "/proc/%u/status", i);
		put(path, "Name:\tpipewire\nUid:\t0\t0\t0\t0\n");
		snprintf(path, sizeof(path), "/etc/pipewire/pipewire.conf.d/0%u-rates.conf", i);
		put(path, "context.properties = { default.clock.allowed-rates = [ 1 2 3 ] }\n");
	}
	put("/usr/share/pipewire/pipewire.conf",
		"context.properties = {\n # default.clock.rate = 44100\n"
		"    not.default.clock.rate = 1\n default.clock.rate = 88200\n"
		"    default.clock.allowed-rates.not = [ 1 ]\n}\n");
	put("/etc/pipewire/pipewire.conf.d/10-rates.conf",
		"context.properties = { default.clock.allowed-rates = [ 44100, 192000 ] }\n");
	put("/etc/pipewire/pipewire.conf.d/99-rates.conf.old", "default.clock.rate = 7\n");
}

/* n lines of /proc as a kernel writes them. */
static void put_machine(void)
{
	put_pipewire();
	put("/proc/version", KERNEL("PREEMPT_DYNAMIC"));
	put("/proc/cmdline", "BOOT_IMAGE=/vmlinuz quiet threadirqs preempt=voluntary\n");
	put("/sys/kernel/debug/sched/preempt", "none voluntary (full) \n");
	put("/proc/sys/kernel/sched_rt_runtime_us", "950000\n");
	put("/proc/sys/kernel/sched_rt_period_us", "1000000\n");
	put(CPU "cpu0/cpufreq/scaling_governor", "performance\n");
	put(CPU "cpu1/cpufreq/scaling_governor", "powersave\n");
	put(CPU "cpu10/cpufreq/scaling_governor", "powersave\n");
	put(CPU "cpufreq/scaling_governor", "userspace\n");
	put(CPU "cpuidle/cpufreq/scaling_governor", "userspace\n");
	put("/proc/99/comm", "rtkit-daemon\n");
	put("/usr/sbin/ethtool", "");
	put(PID "status", "Name:\tethlinkd\nUid:\t0\t0\t0\t0\nVmLck:\t   1234 "
			  "kB\nCapInh:\t0\nCapEff:\t0000000000002000\n");
	put(PID "comm", "ethlinkd\n");
	put(PID "limits", LIMITS("unlimited", "95"));
	put(PID "task/4711/stat", STAT("ethlinkd", "0", "0"));
	put(PID "task/4712/stat", STAT("ja) R 1 1 ck", "55", "1"));
	put_link(PID "exe", "/usr/sbin/ethlinkd");
	put(NET "flags", "0x1003\n");
	put(NET "carrier", "1\n");
	put(NET "speed", "1000\n");
	put(NET "duplex", "full\n");
	put(NET "carrier_changes", "4\n");
	put(NET "uevent", "INTERFACE=enp3s0\nIFINDEX=2\n");
	put(NET "statistics/rx_errors", "1\n");
	put(NET "statistics/tx_errors", "2\n");
	put(NET "statistics/rx_crc_errors", "3\n");
	put(NET "statistics/collisions", "4\n");
	put(NET "statistics/rx_packets", "5\n");
	put(NET "statistics/tx_packets", "6\n");
	put_link(NET "device", "../../../0000:03:00.0");
}

static void read_machine(struct doctor_facts *facts)
{
	doctor_facts_init(facts);
	facts->daemon.pid = 4711;
	assert_non_null(doctor_facts_iface(facts, "enp3s0"));
	doctor_facts_read(facts, root);
}

static void test_read(void **state)
{
	const struct doctor_process *p;
	const struct doctor_system *s;
	const struct doctor_iface *i;
	struct doctor_facts facts;

	put_machine();
	put("/0000:03:00.0/vendor", "");
	put("/sys/0000:03:00.0/vendor", "");
	read_machine(&facts);
	s = &facts.system;
	assert_string_equal(s->release, "6.1.0-13-amd64");
	assert_int_equal(s->preemption, DOCTOR_PREEMPTION_FULL);
	assert_true(s->preemption_dynamic && s->threadirqs && s->rtkit && s->has_ethtool);
	assert_false(s->has_cpupower);
	assert_int_equal(s->rt_runtime_us, 950000);
	assert_int_equal(s->rt_period_us, 1000000);
	assert_int_equal(s->n_governors, 2);
	for (unsigned g = 0; g < 2; g++) {
		assert_int_equal(
			s->governors[g].n_cpus, strcmp(s->governors[g].name, "powersave") == 0 ? 2 : 1);
	}
	p = &facts.process;
	assert_true(p->is_daemon && p->readable);
	assert_string_equal(p->user, "root");
	assert_string_equal(p->program, "/usr/sbin/ethlinkd");
	assert_int_equal(p->net_raw, 1);
	assert_int_equal(p->nice, 0);
	assert_int_equal(p->locked_kib, 1234);
	assert_true(p->memlock_limit == DOCTOR_UNLIMITED);
	assert_int_equal(p->rtprio_limit, 95);
	assert_int_equal(p->n_threads, 2);
	assert_int_equal(p->n_realtime, 1);
	assert_int_equal(p->max_priority, 55);
	i = &facts.ifaces[0];
	assert_true(i->exists);
	assert_false(i->wireless || i->bridge || i->bond || i->vlan || i->master[0]);
	assert_int_equal(i->up, 1);
	assert_int_equal(i->carrier, 1);
	assert_int_equal(i->speed_mbit, 1000);
	assert_int_equal(i->full_duplex, 1);
	assert_int_equal(i->carrier_changes, 4);
	assert_int_equal(i->rx_errors, 1);
	assert_int_equal(i->tx_errors, 2);
	assert_int_equal(i->rx_crc_errors, 3);
	assert_int_equal(i->collisions, 4);
	assert_int_equal(i->rx_packets, 5);
	assert_int_equal(i->tx_packets, 6);
	assert_int_equal(i->rx_usecs, DOCTOR_UNKNOWN);
	doctor_facts_fini(&facts);
}

static void put_socket(const char *path)
{
	char full[PATH_MAX];

	make_path(full, path);
	assert_int_equal(mknod(full, S_IFSOCK | 0600, 0), 0);
}

static void test_pipewire(void **state)
{
	static const char environ[] = "XDG_RUNTIME_DIR=/no\0PIPEWIRE_RUNTIME_DIR=/tmp/my run\0";
	const struct doctor_pipewire *w;
	struct doctor_facts facts;

	put_machine();
	put_socket("/run/user/0/pipewire-0");
	put(PID "maps", MAPS("/usr/sbin/ethlinkd") MAPS(LIB "libjack.so.0.1.0"));
	read_machine(&facts);
	w = &facts.pipewire;
	assert_string_equal(w->socket, "/run/user/0/pipewire-0");
	assert_true(w->has_socket && w->has_manager);
	assert_int_equal(w->pid, 815);
	assert_string_equal(w->version, "0.3.65");
	assert_int_equal(w->n_threads, 2);
	assert_int_equal(w->n_realtime, 1);
	assert_int_equal(w->max_priority, 88);
	assert_int_equal(w->default_rate, 88200);
	assert_int_equal(w->n_rates, 2);
	assert_int_equal(w->rates[0], 44100);
	assert_int_equal(w->rates[1], 192000);
	assert_int_equal(w->libjack, 0);
	doctor_facts_fini(&facts);

	/* Another place of the socket, which is none; the user's files; PipeWire's libjack; and a newer server. */
	put_bytes(PID "environ", environ, sizeof(environ) - 1);
	put("/tmp/my run/pipewire-0", "");
	put("/home/alice/.config/pipewire/pipewire.conf", "context.properties = {}\n");
	put("/home/alice/.config/pipewire/pipewire.conf.d/z.conf",
		"\"context.properties\": { \"default.clock.allowed-rates\": [ 96000 ] }\n");
	put(PID "maps", MAPS(LIB "pipewire-0.3/jack/libjack.so.0.365.0"));
	put(PW "maps", MAPS(LIB "libpipewire-0.3.so.0.1204.0"));
	put("/proc/816/comm", "something\n");
	read_machine(&facts);
	assert_string_equal(w->socket, "/tmp/my run/pipewire-0");
	assert_false(w->has_socket || w->has_manager);
	assert_string_equal(w->version, "1.2.4");
	assert_int_equal(w->default_rate, 48000);
	assert_int_equal(w->n_rates, 1);
	assert_int_equal(w->rates[0], 96000);
	assert_int_equal(w->libjack, 1);
	doctor_facts_fini(&facts);
}

static void check_preemption(
	const char *version, const char *chosen, const char *cmdline, enum doctor_preemption want)
{
	struct doctor_facts facts;

	put("/proc/version", version);
	put("/sys/kernel/debug/sched/preempt", chosen);
	put("/proc/cmdline", cmdline);
	read_machine(&facts);
	assert_int_equal(facts.system.preemption, want);
	doctor_facts_fini(&facts);
}

static void test_preemption(void **state)
{
	check_preemption(KERNEL("PREEMPT_RT"), "", "", DOCTOR_PREEMPTION_RT);
	check_preemption(KERNEL("PREEMPT"), "", "", DOCTOR_PREEMPTION_FULL);
	check_preemption(KERNEL(""), "", "preempt=full", DOCTOR_PREEMPTION_FIXED);
	check_preemption(
		KERNEL("PREEMPT_DYNAMIC"), "none (voluntary) full\n", "", DOCTOR_PREEMPTION_VOLUNTARY);
	check_preemption(KERNEL("PREEMPT_DYNAMIC"), "none full (lazy)\n", "", DOCTOR_PREEMPTION_LAZY);
	check_preemption(KERNEL("PREEMPT_DYNAMIC"), "", "a preempt=none", DOCTOR_PREEMPTION_NONE);
	check_preemption(
		KERNEL("PREEMPT_DYNAMIC"), "", "xpreempt=none preempt=nonesuch", DOCTOR_PREEMPTION_DYNAMIC);
	check_preemption("garbage PREEMPT_RT\n", "", "", DOCTOR_PREEMPTION_UNKNOWN);
	put("/sys/kernel/realtime", "1\n");
	check_preemption(KERNEL(""), "", "", DOCTOR_PREEMPTION_RT);
}

/* Another process has the number. */
static void test_other_process(void **state)
{
	struct doctor_facts facts;

	put_machine();
	put(PID "comm", "ethlinkd-x\n");
	read_machine(&facts);
	assert_false(facts.process.readable);
	assert_int_equal(facts.process.net_raw, DOCTOR_UNKNOWN);
	assert_int_equal(facts.process.rtprio_limit, DOCTOR_UNKNOWN);
	doctor_facts_fini(&facts);
}

static void test_no_limits(void **state)
{
	struct doctor_facts facts;

	put_machine();
	put(PID "limits", LIMITS("8388608", "0"));
	put(PID "status", "Name:\tethlinkd\nCapEff:\t00000000\n");
	put("/proc/sys/kernel/sched_rt_runtime_us", "-1\n");
	read_machine(&facts);
	assert_int_equal(facts.process.memlock_limit, 8388608);
	assert_int_equal(facts.process.rtprio_limit, 0);
	assert_int_equal(facts.process.net_raw, 0);
	assert_int_equal(facts.process.locked_kib, DOCTOR_UNKNOWN);
	assert_true(facts.system.rt_runtime_us == DOCTOR_UNLIMITED);
	doctor_facts_fini(&facts);
}

static void test_kinds(void **state)
{
	struct doctor_facts facts;

	put("/sys/class/net/wlan0/phy80211/name", "phy0\n");
	put("/sys/class/net/wlan1/wireless/x", "");
	put("/sys/class/net/br0/bridge/bridge_id", "");
	put("/sys/class/net/bond0/bonding/mode", "");
	put("/sys/class/net/vl.7/uevent", "DEVTYPE=vlan\nINTERFACE=vl.7\n");
	put("/sys/class/net/port/flags", "0x1002\n");
	put("/sys/class/net/port/speed", "4294967295\n");
	put("/sys/class/net/port/duplex", "unknown\n");
	put_link("/sys/class/net/port/master", "../../devices/virtual/net/br0");
	put("/proc/net/vlan/vl8", "");
	put("/sys/class/net/vl8/flags", "");
	doctor_facts_init(&facts);
	for (size_t i = 0; i < 7; i++) {
		const char *const names[] = {"wlan0", "wlan1", "br0", "bond0", "vl.7", "port", "vl8"};

		assert_non_null(doctor_facts_iface(&facts, names[i]));
	}
	doctor_facts_read(&facts, root);
	assert_true(facts.ifaces[0].wireless && facts.ifaces[1].wireless);
	assert_true(facts.ifaces[2].bridge && !facts.ifaces[2].wireless);
	assert_true(facts.ifaces[3].bond);
	assert_true(facts.ifaces[4].vlan && facts.ifaces[6].vlan);
	assert_string_equal(facts.ifaces[5].master, "br0");
	assert_true(facts.ifaces[5].virtual);
	assert_int_equal(facts.ifaces[5].up, 0);
	assert_int_equal(facts.ifaces[5].carrier, 0);
	assert_int_equal(facts.ifaces[5].speed_mbit, DOCTOR_UNKNOWN);
	assert_int_equal(facts.ifaces[5].full_duplex, DOCTOR_UNKNOWN);
	doctor_facts_fini(&facts);
}

static void test_half_duplex(void **state)
{
	struct doctor_facts facts;

	put_machine();
	put(NET "duplex", "half\n");
	put(NET "carrier", "0\n");
	read_machine(&facts);
	assert_int_equal(facts.ifaces[0].full_duplex, 0);
	assert_int_equal(facts.ifaces[0].carrier, 0);
	assert_int_equal(facts.ifaces[0].up, 1);
	assert_true(facts.system.machine[0]);
	doctor_facts_fini(&facts);
}

/* Without a process: the file where it is installed, and what it may do. */
static void test_program(void **state)
{
	const struct vfs_cap_data raw = {.magic_etc = htole32(VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE),
		.data = {{htole32(1 << CAP_NET_RAW), 0}}};
	const struct vfs_cap_data other = {.magic_etc = htole32(VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE),
		.data = {{htole32(1 << CAP_NET_ADMIN), 0}}};
	struct doctor_facts facts;
	char full[PATH_MAX];

	doctor_facts_init(&facts);
	doctor_facts_read(&facts, root);
	assert_string_equal(facts.process.program, "");
	assert_int_equal(facts.process.file_capability, DOCTOR_UNKNOWN);
	put("/usr/local/sbin/ethlinkd", "");
	doctor_facts_read(&facts, root);
	assert_string_equal(facts.process.program, "/usr/local/sbin/ethlinkd");
	assert_false(facts.process.is_daemon);
	make_path(full, "/usr/local/sbin/ethlinkd");
	/* Only root may give capabilities, and not on every file system. */
	if (setxattr(full, "security.capability", &raw, sizeof(raw), 0) == 0) {
		doctor_facts_read(&facts, root);
		assert_int_equal(facts.process.file_capability, 1);
		assert_int_equal(setxattr(full, "security.capability", &other, sizeof(other), 0), 0);
		doctor_facts_read(&facts, root);
		assert_int_equal(facts.process.file_capability, 0);
	}
	doctor_facts_fini(&facts);
}

/* A name that leads elsewhere is no interface. */
static void test_names(void **state)
{
	static const char *const names[] = {"", ".", "..", "../../..", "a/b", "enp3s0/.."};
	struct doctor_facts facts;

	put_machine();
	doctor_facts_init(&facts);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_non_null(doctor_facts_iface(&facts, names[i]));
	}
	doctor_facts_read(&facts, root);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_false(facts.ifaces[i].exists);
	}
	doctor_facts_fini(&facts);
}

static const char *const machine_files[] = {
	"/proc/version",
	"/proc/cmdline",
	"/sys/kernel/debug/sched/preempt",
	"/sys/kernel/realtime",
	"/proc/sys/kernel/sched_rt_runtime_us",
	"/proc/sys/kernel/sched_rt_period_us",
	CPU "cpu0/cpufreq/scaling_governor",
	CPU "cpu1/cpufreq/scaling_governor",
	CPU "cpu10/cpufreq/scaling_governor",
	"/proc/99/comm",
	PID "status",
	PID "limits",
	PID "task/4711/stat",
	PID "task/4712/stat",
	PID "environ",
	PID "maps",
	PW "comm",
	PW "status",
	PW "maps",
	PW "environ",
	PW "task/815/stat",
	"/proc/816/comm",
	"/proc/816/status",
	"/usr/share/pipewire/pipewire.conf",
	"/etc/pipewire/pipewire.conf.d/10-rates.conf",
	NET "flags",
	NET "carrier",
	NET "speed",
	NET "duplex",
	NET "carrier_changes",
	NET "uevent",
	NET "statistics/rx_errors",
	NET "statistics/tx_errors",
	NET "statistics/rx_crc_errors",
	NET "statistics/collisions",
	NET "statistics/rx_packets",
	NET "statistics/tx_packets",
};

static void check_nothing_known(void)
{
	struct doctor_report report;
	struct doctor_facts facts;

	read_machine(&facts);
	assert_int_equal(facts.system.preemption, DOCTOR_PREEMPTION_UNKNOWN);
	assert_int_equal(facts.system.rt_runtime_us, DOCTOR_UNKNOWN);
	assert_int_equal(facts.system.rt_period_us, DOCTOR_UNKNOWN);
	assert_int_equal(facts.system.n_governors, 0);
	assert_false(facts.system.rtkit);
	assert_int_equal(facts.process.net_raw, DOCTOR_UNKNOWN);
	assert_int_equal(facts.process.rtprio_limit, DOCTOR_UNKNOWN);
	assert_int_equal(facts.process.memlock_limit, DOCTOR_UNKNOWN);
	assert_int_equal(facts.process.locked_kib, DOCTOR_UNKNOWN);
	assert_true(facts.process.n_threads <= 0);
	assert_int_equal(facts.pipewire.pid, DOCTOR_UNKNOWN);
	assert_int_equal(facts.pipewire.libjack, DOCTOR_UNKNOWN);
	assert_int_equal(facts.pipewire.default_rate, DOCTOR_UNKNOWN);
	assert_true(facts.ifaces[0].exists);
	assert_int_equal(facts.ifaces[0].up, DOCTOR_UNKNOWN);
	assert_int_equal(facts.ifaces[0].carrier, DOCTOR_UNKNOWN);
	assert_int_equal(facts.ifaces[0].speed_mbit, DOCTOR_UNKNOWN);
	assert_int_equal(facts.ifaces[0].full_duplex, DOCTOR_UNKNOWN);
	assert_int_equal(facts.ifaces[0].rx_errors, DOCTOR_UNKNOWN);
	assert_int_equal(facts.ifaces[0].collisions, DOCTOR_UNKNOWN);
	assert_int_equal(facts.ifaces[0].carrier_changes, DOCTOR_UNKNOWN);
	assert_int_equal(doctor_examine(&facts, &report), 0);
	doctor_report_fini(&report);
	doctor_facts_fini(&facts);
}

static void put_everywhere(const void *bytes, size_t len)
{
	put_machine();
	for (size_t i = 0; i < ARRAY_SIZE(machine_files); i++) {
		put_bytes(machine_files[i], bytes, len);
	}
	check_nothing_known();
	remove_root(NULL);
	assert_int_equal(mkdir(root, 0700), 0);
}

static void test_garbage(void **state)
{
	static const char binary[] = "\xff\xfe\0\n)\x1b[31m \0%s%n\n";
	const size_t huge = 1 << 20;
	char *bytes = malloc(huge);

	assert_non_null(bytes);
	put_everywhere("", 0);
	put_everywhere("\n\n", 2);
	put_everywhere("Yes\n", 4);
	put_everywhere("-7\n", 3);
	put_everywhere("99999999999999999999999\n", 24);
	put_everywhere("1e9 1\n", 6);
	put_everywhere(binary, sizeof(binary));
	memset(bytes, '(', huge);
	put_everywhere(bytes, huge);
	memset(bytes, ')', huge);
	put_everywhere(bytes, huge);
	memset(bytes, 0, huge);
	put_everywhere(bytes, huge);
	free(bytes);
}

/* Files that are none: nothing may wait for them, or read them to their end. */
static void test_strange_files(void **state)
{
	char full[PATH_MAX];

	for (unsigned kind = 0; kind < 3; kind++) {
		put_machine();
		for (size_t i = 0; i < ARRAY_SIZE(machine_files); i++) {
			make_path(full, machine_files[i]);
			assert_true(remove(full) == 0 || errno == ENOENT);
			if (kind == 0) {
				assert_int_equal(mkdir(full, 0755), 0);
			} else if (kind == 1) {
				assert_int_equal(mkfifo(full, 0644), 0);
			} else {
				assert_int_equal(symlink("/dev/zero", full), 0);
			}
		}
		check_nothing_known();
		remove_root(NULL);
		assert_int_equal(mkdir(root, 0700), 0);
	}
}

static void test_empty_machine(void **state)
{
	struct doctor_facts facts;

	read_machine(&facts);
	assert_false(facts.ifaces[0].exists);
	assert_false(facts.process.readable);
	assert_int_equal(facts.process.n_threads, DOCTOR_UNKNOWN);
	doctor_facts_fini(&facts);
}

/* The real machine, whatever it is: loopback is there, and is no cable. */
static void test_this_machine(void **state)
{
	struct doctor_facts facts;

	doctor_facts_init(&facts);
	assert_non_null(doctor_facts_iface(&facts, "lo"));
	doctor_facts_read(&facts, "");
	assert_true(facts.process.readable);
	assert_int_equal(facts.process.pid, getpid());
	assert_true(facts.process.n_threads >= 1);
	assert_true(facts.process.rtprio_limit >= 0);
	if (facts.ifaces[0].exists) {
		assert_true(facts.ifaces[0].virtual);
	}
	doctor_facts_fini(&facts);
}

/* --- the daemon's answers */

typedef int (*fill_fn)(sd_bus_message *reply);

struct server {
	int fd;
	fill_fn status, telemetry;
	pthread_t thread;
};

static int answer(sd_bus_message *call, void *data, sd_bus_error *error)
{
	struct server *server = data;
	sd_bus_message *reply = NULL;
	fill_fn fill;
	int r;

	if (sd_bus_message_is_method_call(call, "org.ethlinkd1.Manager", "GetStatus")) {
		fill = server->status;
	} else if (sd_bus_message_is_method_call(call, "org.ethlinkd1.Manager", "GetTelemetry")) {
		fill = server->telemetry;
	} else {
		return 0;
	}
	if (!fill) {
		return sd_bus_error_set(error, SD_BUS_ERROR_UNKNOWN_METHOD, "no such method\x1b[31m");
	}
	r = sd_bus_message_new_method_return(call, &reply);
	r = r < 0 ? r : fill(reply);
	r = r < 0 ? r : sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 1;
}

static void *serve(void *data)
{
	struct server *server = data;

	bus_serve(server->fd, "/org/ethlinkd1", answer, server);
	return NULL;
}

static void ask(struct doctor_facts *facts, fill_fn status, fill_fn telemetry)
{
	struct server server = {.status = status, .telemetry = telemetry};
	char error[CLIENT_ERROR_MAX] = "";
	struct client client;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	server.fd = fds[0];
	assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
	assert_int_equal(client_open_fd(&client, fds[1], PATIENCE_MS, error), 0);
	doctor_facts_init(facts);
	doctor_daemon_ask(facts, &client);
	client_close(&client);
	assert_int_equal(pthread_join(server.thread, NULL), 0);
}

static int fill_status(sd_bus_message *m)
{
	return sd_bus_message_append(m, "a{sv}aa{sv}", 6, "version", "s", "0.1.0", "backend", "s", "jack",
		"connected", "b", 1, "sample_rate", "u", 48000, "period", "u", 64, "xruns", "t", UINT64_C(3),
		2, 7, "name", "s", "stage", "model", "s", "dac8", "serial", "q", 7, "interface", "s",
		"enp3s0", "state", "s", "online", "frames_sent", "t", UINT64_C(1000), "replies", "t",
		UINT64_C(50), 5, "name", "s", "mics", "model", "s", "adc8", "interface", "s", "enp3s0",
		"state", "s", "searching\x1b[31m", "reason", "s", "no room\x1b");
}

/* Fewer bins than there are, and more. */
static int fill_telemetry(sd_bus_message *m)
{
	uint64_t many[HIST_BINS + 20];
	int r;

	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = i + 1;
	}
	if ((r = sd_bus_message_open_container(m, 'a', "{sv}")) < 0 ||
		(r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}{sv}{sv}{sv}", "cycles", "t", UINT64_C(11),
			 "kicks", "t", UINT64_C(12), "kick_errors", "t", UINT64_C(13), "last_kick_error", "u",
			 100, "rt_priority", "i", 55, "locked_memory", "b", 1, "pid", "u", 4711, "gap_max",
			 "t", UINT64_C(99))) < 0 ||
		(r = sd_bus_message_append(
			 m, "{sv}", "kick_at", "at", 3, UINT64_C(5), UINT64_C(6), UINT64_C(7))) < 0 ||
		(r = sd_bus_message_open_container(m, 'e', "sv")) < 0 ||
		(r = sd_bus_message_append(m, "s", "gaps")) < 0 ||
		(r = sd_bus_message_open_container(m, 'v', "at")) < 0 ||
		(r = sd_bus_message_append_array(m, 't', many, sizeof(many))) < 0 ||
		(r = sd_bus_message_close_container(m)) < 0 || (r = sd_bus_message_close_container(m)) < 0 ||
		(r = sd_bus_message_close_container(m)) < 0) {
		return r;
	}
	return sd_bus_message_append(m, "aa{sv}aa{sv}", 2, 6, "name", "s", "enp3s0", "ring_open", "b", 1,
		"paced", "b", 1, "threaded", "b", 1, "frames_ignored", "t", UINT64_C(21), "frames_overrun",
		"t", UINT64_C(22), 1, "name", "s", "eth9", 2, 7, "name", "s", "stage", "dropped_ring_full",
		"t", UINT64_C(31), "dropped_interface", "t", UINT64_C(32), "resyncs", "t", UINT64_C(33),
		"starts", "t", UINT64_C(34), "replies_foreign", "t", UINT64_C(35), "taken_by", "s",
		"02:00:00:00:00:99", 1, "name", "s", "just-added");
}

static void test_daemon(void **state)
{
	const struct doctor_device *box;
	struct doctor_facts facts;

	ask(&facts, fill_status, fill_telemetry);
	assert_true(facts.daemon.answers && facts.daemon.has_telemetry && facts.daemon.connected);
	assert_string_equal(facts.daemon.version, "0.1.0");
	assert_int_equal(facts.daemon.sample_rate, 48000);
	assert_int_equal(facts.daemon.period, 64);
	assert_int_equal(facts.daemon.xruns, 3);
	assert_int_equal(facts.daemon.cycles, 11);
	assert_int_equal(facts.daemon.kicks, 12);
	assert_int_equal(facts.daemon.kick_errors, 13);
	assert_int_equal(facts.daemon.last_kick_error, 100);
	assert_int_equal(facts.daemon.rt_priority, 55);
	assert_int_equal(facts.daemon.locked_memory, 1);
	assert_int_equal(facts.daemon.pid, 4711);
	assert_int_equal(facts.daemon.gap_max_ns, 99);
	assert_int_equal(facts.daemon.kick_at[2], 7);
	assert_int_equal(facts.daemon.kick_at[3], 0);
	assert_int_equal(facts.daemon.gaps[HIST_BINS - 1], HIST_BINS);
	assert_int_equal(facts.n_ifaces, 2);
	assert_int_equal(facts.ifaces[0].n_dacs, 1);
	assert_int_equal(facts.ifaces[0].n_adcs, 1);
	assert_true(facts.ifaces[0].ring_open && facts.ifaces[0].paced && facts.ifaces[0].threaded);
	assert_int_equal(facts.ifaces[0].frames_ignored, 21);
	assert_int_equal(facts.ifaces[0].frames_overrun, 22);
	assert_int_equal(facts.n_devices, 2);
	box = &facts.devices[0];
	assert_int_equal(box->serial, 7);
	assert_int_equal(box->frames_sent, 1000);
	assert_int_equal(box->replies, 50);
	assert_int_equal(box->dropped_ring_full, 31);
	assert_int_equal(box->dropped_interface, 32);
	assert_int_equal(box->resyncs, 33);
	assert_int_equal(box->starts, 34);
	assert_int_equal(box->replies_foreign, 35);
	assert_string_equal(box->taken_by, "02:00:00:00:00:99");
	assert_string_equal(box->reason, "");
	assert_string_equal(facts.devices[1].state, "searching?[31m");
	assert_string_equal(facts.devices[1].reason, "no room?");
	assert_int_equal(facts.ifaces[0].n_dacs_refused, 0);
	assert_int_equal(facts.ifaces[0].n_adcs_refused, 1);
	doctor_facts_fini(&facts);
}

/* What is counted between the two looks; the thread's until it is joined. */
static struct netvst_told told;

static int fill_netvst(sd_bus_message *m)
{
	int r = netvst_append_status(m, &told);

	told.late_blocks += 3;
	told.bytes_sent += 4000;
	return r;
}

static int fill_no_telemetry(sd_bus_message *m)
{
	return sd_bus_message_append(m, "a{sv}aa{sv}aa{sv}", 1, "cycles", "t", UINT64_C(1), 0, 0);
}

static void test_daemon_netvst(void **state)
{
	const struct doctor_netvst *n;
	struct doctor_facts facts;

	told = (struct netvst_told){.late_blocks = 5};
	ask(&facts, fill_netvst, fill_no_telemetry);
	assert_string_equal(facts.daemon.error, "");
	assert_int_equal(facts.n_netvst, 2);
	n = &facts.netvst[0];
	assert_string_equal(n->name, "reverb");
	assert_false(n->server);
	assert_string_equal(n->state, "online");
	assert_string_equal(n->dialect, "2017");
	assert_string_equal(n->codec, "wavpack");
	assert_string_equal(n->host, "studio-pc");
	assert_string_equal(n->peer, "127.0.0.1:27016");
	assert_int_equal(n->port, 27016);
	assert_int_equal(n->block_frames, 512);
	assert_int_equal(n->latency_frames, 640);
	assert_true(n->rtt_median_us == 300 && n->rtt_p99_us == 410.04 && n->callback_p99_us == 1.12);
	assert_int_equal(n->blocks, 1000);
	assert_int_equal(n->late_blocks, 5);
	assert_int_equal(n->n_connected, 1);
	assert_true(n->growth_ns >= 500 * NSEC_PER_MSEC);
	assert_int_equal(n->late_growth, 3);
	assert_int_equal(n->sent_growth, 4000);
	assert_int_equal(n->received_growth, 0);
	n = &facts.netvst[1];
	assert_true(n->server);
	assert_string_equal(n->peer, "192.168.1.20:50312");
	assert_true(isnan(n->rtt_p99_us) && isnan(n->compression_ratio));
	assert_int_equal(n->n_slots, 2);
	assert_int_equal(n->n_connected, 1);
	assert_int_equal(n->blocks, 4000);
	assert_int_equal(n->late_blocks, 5);
	assert_int_equal(n->refused, 7);
	assert_int_equal(n->n_allow, 2);
	assert_string_equal(n->allow[1], "10.0.0.7/32");
	doctor_facts_fini(&facts);
}

/* Nothing is sent to find the way; what is no address leads nowhere. */
static void test_way(void **state)
{
	static const struct {
		const char *peer, *interface;
	} cases[] = {
		{"127.0.0.1:27016", "lo"},
		{"127.0.0.7:1", "lo"},
		{"::ffff:127.0.0.1:27016", "lo"},
		{"[::ffff:127.0.0.1]:27016", "lo"},
		{"", ""},
		{":", ""},
		{"[", ""},
		{"[]:", ""},
		{"studio-pc:27016", ""},
		{"127.0.0.1:port", ""},
		{"127.0.0.1", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct doctor_netvst netvst = {.interface = "x"};

		strcpy(netvst.peer, cases[i].peer);
		doctor_net_read_way(&netvst, "");
		assert_string_equal(netvst.interface, cases[i].interface);
		assert_int_equal(netvst.speed_mbit, DOCTOR_UNKNOWN);
		assert_false(netvst.wireless);
	}
}

static int fill_wrong(sd_bus_message *m)
{
	return sd_bus_message_append(m, "as", 1, "no");
}

/* Keys of other types than they should have. */
static int fill_odd(sd_bus_message *m)
{
	return sd_bus_message_append(m, "a{sv}aa{sv}aa{sv}", 4, "cycles", "s", "many", "gaps", "ai", 2, 1, 2,
		"pid", "t", UINT64_C(1) << 40, "rt_priority", "u", 5, 1, 1, "name", "u", 4, 1, 1, "name",
		"as", 1, "x");
}

static void test_daemon_wrong(void **state)
{
	struct doctor_facts facts;

	ask(&facts, fill_status, NULL);
	assert_true(facts.daemon.answers);
	assert_false(facts.daemon.has_telemetry);
	assert_non_null(strstr(facts.daemon.error, "no such method?[31m"));
	assert_int_equal(facts.n_devices, 2);
	doctor_facts_fini(&facts);
	ask(&facts, NULL, fill_telemetry);
	assert_false(facts.daemon.answers || facts.daemon.has_telemetry);
	doctor_facts_fini(&facts);
	ask(&facts, fill_wrong, fill_wrong);
	assert_false(facts.daemon.answers || facts.daemon.has_telemetry);
	assert_non_null(strstr(facts.daemon.error, "cannot be read"));
	doctor_facts_fini(&facts);
	ask(&facts, fill_status, fill_wrong);
	assert_true(facts.daemon.answers && !facts.daemon.has_telemetry);
	doctor_facts_fini(&facts);
	ask(&facts, fill_status, fill_odd);
	assert_true(facts.daemon.answers && facts.daemon.has_telemetry);
	assert_int_equal(facts.daemon.cycles, 0);
	assert_int_equal(facts.daemon.gaps[0], 0);
	assert_int_equal(facts.daemon.pid, DOCTOR_UNKNOWN);
	assert_int_equal(facts.daemon.rt_priority, DOCTOR_UNKNOWN);
	doctor_facts_fini(&facts);
}

static void test_no_daemon(void **state)
{
	struct doctor_facts facts;

	doctor_facts_init(&facts);
	doctor_daemon_read(&facts, CLIENT_SOCKET, "/nowhere/control");
	assert_true(facts.daemon.absent && !facts.daemon.answers);
	assert_non_null(strstr(facts.daemon.error, "/nowhere/control"));
	doctor_facts_fini(&facts);
}

/* --- what is printed */

static char *print(struct doctor_facts *facts, bool json, bool verbose, bool colour)
{
	struct doctor_report report;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	assert_int_equal(doctor_examine(facts, &report), 0);
	if (json) {
		doctor_print_json(facts, &report, f);
	} else {
		doctor_print_text(facts, &report, f, verbose, colour);
	}
	assert_int_equal(fclose(f), 0);
	doctor_report_fini(&report);
	return text;
}

/* Whatever is wrong, no line but a command is longer than a terminal is wide, and all is ASCII. */
static void test_width(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct doctor_facts facts;
		char *text, *line, *rest;

		make_good(&facts);
		changes[i].make(&facts);
		text = rest = print(&facts, false, true, false);
		while ((line = strsep(&rest, "\n"))) {
			bool command = strncmp(line, "               ", 15) == 0 && line[15] != ' ';

			for (const char *s = line; *s; s++) {
				assert_true(*s >= ' ' && *s <= '~');
			}
			if (strlen(line) > 80 && !command) {
				print_error("%s: %s\n", changes[i].id, line);
				fail();
			}
			assert_true(!*line || line[strlen(line) - 1] != ' ');
		}
		free(text);
		doctor_facts_fini(&facts);
	}
}

static void test_text(void **state)
{
	struct doctor_facts facts;
	char *text;

	make_good(&facts);
	fast_7(&facts);
	text = print(&facts, false, false, false);
	assert_non_null(strstr(text, "\nNetwork\n"
				     "  ok       link           enp3s0: up, with a link (driver igb)\n"));
	assert_non_null(strstr(text,
		"  PROBLEM  bandwidth      enp3s0: 7 boxes x 6000 frames/s x 344 bytes = 115.6 of\n"
		"                          100 Mbit/s (116 %)\n"
		"           More than the link carries: "));
	assert_non_null(strstr(text, "\n               sudo ethtool --negotiate enp3s0\n"));
	assert_non_null(strstr(text, "\n1 problem, 0 warnings, 35 ok, 7 skipped; with -v"));
	assert_null(strstr(text, "rtkit"));
	assert_null(strstr(text, "####"));
	assert_null(strchr(text, '\033'));
	free(text);
	memlock_8m(&facts);
	half(&facts);
	text = print(&facts, false, false, false);
	assert_non_null(
		strstr(text, "               printf '@audio - rtprio 95\\n@audio - memlock unlimited\\n' |\n"
			     "                   sudo tee /etc/security/limits.d/audio.conf\n"
			     "               sudo usermod -aG audio alice\n\n  ok       memory locked  "));
	assert_non_null(
		strstr(text, "               sudo apt-get install ethtool\n"
			     "               sudo ethtool -s enp3s0 autoneg on\n\n  ok       coalescing "));
	assert_non_null(strstr(text, "alice)\n  ok       raw frames "));
	free(text);
	text = print(&facts, false, true, true);
	assert_non_null(strstr(text, "skipped\033[0m  rtkit "));
	assert_non_null(strstr(text, "\033[31mPROBLEM\033[0m"));
	assert_non_null(
		strstr(text, "From one cycle to the next: 1000000 counted, the longest 1.4 ms\n"
			     "  from   1.31 ms  ################################ 100.000 %  1000000\n"));
	free(text);
	doctor_facts_fini(&facts);
}

static void test_json(void **state)
{
	struct doctor_facts facts;
	char *text;

	make_good(&facts);
	one_searching(&facts);
	text = print(&facts, true, false, false);
	assert_non_null(strstr(text,
		"{\n  \"result\": \"problem\",\n  \"version\": \"0.1.0\",\n  \"sample_rate\": 48000,\n"
		"  \"period\": 64,\n"
		"  \"counts\": {\"ok\": 35, \"warning\": 0, \"problem\": 1, \"skipped\": 7},\n"
		"  \"checks\": [\n    {\n      \"id\": \"daemon\",\n      \"subject\": null,\n"
		"      \"result\": \"ok\",\n"));
	assert_non_null(strstr(text,
		"      \"id\": \"boxes\",\n      \"subject\": \"box1\",\n      \"result\": \"problem\",\n"
		"      \"found\": \"box1 is searched for: no answer\",\n"
		"      \"why\": \"This box is silent.\",\n"));
	assert_non_null(
		strstr(text, "      \"commands\": [\"sudo ethlinkctl scan enp3s0 --probe\"]\n    },\n"));
	assert_non_null(strstr(text,
		"    \"gaps\": {\"count\": 1000000, \"p50_ns\": 1572864, \"p99_ns\": 1572864, "
		"\"max_ns\": 1400000,\n      \"bins\": [{\"from_ns\": 1310720, \"count\": 1000000}]},\n"));
	free(text);
	facts.daemon.has_telemetry = false;
	text = print(&facts, true, false, false);
	assert_non_null(strstr(text, "  ],\n  \"histograms\": null\n}\n"));
	free(text);
	doctor_facts_fini(&facts);
}

/* Longer than its room is cut, and stays one word. */
static void test_shell_word(void **state)
{
	char word[16];

	doctor_shell_word(word, sizeof(word), "enp3s0.7");
	assert_string_equal(word, "enp3s0.7");
	doctor_shell_word(word, sizeof(word), "");
	assert_string_equal(word, "''");
	doctor_shell_word(word, sizeof(word), "a'b");
	assert_string_equal(word, "'a'\\''b'");
	doctor_shell_word(word, sizeof(word), "'''''''''''''''''''");
	assert_true(strlen(word) < sizeof(word));
	assert_int_equal(word[strlen(word) - 1], '\'');
	doctor_shell_word(word, sizeof(word), "                         ");
	assert_true(strlen(word) < sizeof(word));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_all_well),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_many_boxes),
		cmocka_unit_test_setup_teardown(test_read, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_pipewire, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_preemption, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_other_process, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_no_limits, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_kinds, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_half_duplex, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_program, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_names, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_garbage, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_strange_files, make_root, remove_root),
		cmocka_unit_test_setup_teardown(test_empty_machine, make_root, remove_root),
		cmocka_unit_test(test_this_machine),
		cmocka_unit_test(test_daemon),
		cmocka_unit_test(test_daemon_netvst),
		cmocka_unit_test(test_way),
		cmocka_unit_test(test_daemon_wrong),
		cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_shell_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
