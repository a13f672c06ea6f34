/*
 * What the doctor knows before it judges: what the system shows in /proc and /sys, what the drivers of the
 * interfaces say, and what the running daemon has counted. Nothing in here is an opinion.
 *
 * Whatever cannot be read, or is not what it should be, is DOCTOR_UNKNOWN, -1 or empty, never an error.
 * Texts are printable ASCII, whatever they were read from.
 *
 * Ownership: the caller embeds struct doctor_facts and ends it with doctor_facts_fini(). One thread.
 */
#ifndef CTL_DOCTOR_FACTS_H
#define CTL_DOCTOR_FACTS_H

#include "base/hist.h"

#include <dirent.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define DOCTOR_UNKNOWN (-1)
#define DOCTOR_UNLIMITED INT64_MAX
#define DOCTOR_GOVERNORS_MAX 8
#define DOCTOR_RATES_MAX 16
#define DOCTOR_NAME_SIZE 64
#define DOCTOR_LINE_SIZE 512
#define DOCTOR_FOLDER_SIZE 256

enum doctor_preemption {
	DOCTOR_PREEMPTION_UNKNOWN,
	DOCTOR_PREEMPTION_RT,
	DOCTOR_PREEMPTION_FULL,
	DOCTOR_PREEMPTION_LAZY,
	DOCTOR_PREEMPTION_VOLUNTARY,
	DOCTOR_PREEMPTION_NONE,
	DOCTOR_PREEMPTION_DYNAMIC, /* chosen at the boot; which one cannot be read */
	DOCTOR_PREEMPTION_FIXED,   /* built without: voluntary or none */
};

struct doctor_governor {
	char name[DOCTOR_NAME_SIZE];
	unsigned n_cpus;
};

struct doctor_system {
	char release[DOCTOR_NAME_SIZE]; /* of the kernel */
	char machine[DOCTOR_NAME_SIZE]; /* x86_64 */
	enum doctor_preemption preemption;
	bool preemption_dynamic; /* the kernel can be told at the boot */
	bool threadirqs;
	int64_t rt_runtime_us; /* DOCTOR_UNLIMITED: realtime threads are not throttled */
	int64_t rt_period_us;
	bool rtkit;			/* runs */
	bool has_ethtool, has_cpupower; /* are installed */
	unsigned n_governors;		/* 0: the kernel does not set the CPUs' speed */
	struct doctor_governor governors[DOCTOR_GOVERNORS_MAX];
};

/* The daemon, or ethlinkctl itself where there is none: its limits are those of the user's programs. */
struct doctor_process {
	int64_t pid;
	bool is_daemon;
	bool readable;
	int64_t uid;
	char user[DOCTOR_NAME_SIZE];
	char program[DOCTOR_LINE_SIZE]; /* of ethlinkd, for setcap; empty: not found */
	int file_capability;		/* of that file: 1 it has CAP_NET_RAW, 0 not, -1 unknown */
	int net_raw;			/* 1, 0 or -1: effective */
	int nice;			/* CAP_SYS_NICE: no limit of priority counts */
	int64_t rtprio_limit;
	int64_t memlock_limit; /* bytes */
	int64_t locked_kib;
	int64_t n_threads;
	int64_t n_realtime;   /* threads under SCHED_FIFO or SCHED_RR */
	int64_t max_priority; /* of these */
};

/* The PipeWire server of the user whose process this is. */
struct doctor_pipewire {
	char folder[DOCTOR_FOLDER_SIZE]; /* where the daemon looks for its socket */
	char socket[DOCTOR_LINE_SIZE];
	bool has_socket;
	int64_t pid;	  /* DOCTOR_UNKNOWN: none is seen; then only socket and libjack are known */
	char version[32]; /* empty: cannot be seen */
	int64_t n_threads;
	int64_t n_realtime; /* threads under SCHED_FIFO or SCHED_RR */
	int64_t max_priority;
	bool has_manager;     /* a session manager runs */
	int64_t default_rate; /* DOCTOR_UNKNOWN: no configuration was found */
	int64_t rates[DOCTOR_RATES_MAX];
	unsigned n_rates; /* that it may change to; 0: the files name none, so it keeps to default_rate */
	int libjack;	  /* the daemon's is PipeWire's own: 1, or JACK's: 0 */
};

struct doctor_iface {
	char name[IF_NAMESIZE];
	bool exists; /* in the network namespace of ethlinkctl */
	bool wireless;
	bool bridge;
	bool bond;
	bool vlan;
	bool virtual;		  /* no hardware behind it */
	char master[IF_NAMESIZE]; /* the bridge or bond that it is part of */
	char driver[DOCTOR_NAME_SIZE];
	int up;
	int carrier;
	int64_t speed_mbit;
	int full_duplex;
	int64_t rx_usecs, tx_usecs;
	int adaptive_rx, adaptive_tx;
	int eee_enabled, eee_active;
	int64_t rx_packets, tx_packets, rx_errors, tx_errors, rx_crc_errors, collisions, carrier_changes;
	/* From the daemon. */
	bool ring_open;
	bool paced;
	bool threaded; /* a thread sends, not the callback */
	uint64_t frames_ignored, frames_overrun;
	unsigned n_dacs, n_adcs;		 /* that are configured */
	unsigned n_dacs_refused, n_adcs_refused; /* of these: there was no room for them */
};

struct doctor_device {
	char name[DOCTOR_NAME_SIZE];
	char model[16];
	char interface[IF_NAMESIZE];
	char state[32];
	char taken_by[32];
	char reason[DOCTOR_LINE_SIZE / 2]; /* why it is in that state, where the daemon says more than that */
	uint64_t serial;
	uint64_t frames_sent, dropped_ring_full, dropped_interface, resyncs, starts, replies, replies_foreign;
	uint64_t latency_frames;
};

#define DOCTOR_ALLOW_MAX 16

/* A NetVST section. Growth: between two looks, growth_ns apart; 0: there was one look only. */
struct doctor_netvst {
	char name[DOCTOR_NAME_SIZE];
	bool server;
	char state[32];
	char dialect[32], codec[32];
	char host[DOCTOR_NAME_SIZE];
	char peer[DOCTOR_NAME_SIZE]; /* ADDRESS:PORT */
	char error[DOCTOR_LINE_SIZE / 2];
	uint64_t port, block_frames, latency_frames;
	double rtt_median_us, rtt_p99_us; /* NaN: not known */
	double callback_p99_us;		  /* NaN: not known */
	double compression_ratio;	  /* NaN: none */
	/* Of a server: of all slots. */
	uint64_t blocks, late_blocks, late_episodes, skipped_blocks, overruns;
	uint64_t refused, bad_peers, timeouts;
	uint64_t bytes_sent, bytes_received;
	unsigned n_slots, n_connected;
	char allow[DOCTOR_ALLOW_MAX][DOCTOR_NAME_SIZE];
	unsigned n_allow;
	int64_t seen_ns;
	int64_t growth_ns;
	uint64_t late_growth, sent_growth, received_growth;
	/* Which way the bytes go; empty: not known, "lo": within this machine. */
	char interface[IF_NAMESIZE];
	bool wireless;
	int64_t speed_mbit;
};

struct doctor_daemon {
	bool answers;
	bool absent;		      /* there is nobody who could answer */
	char error[DOCTOR_LINE_SIZE]; /* why it does not, or why its telemetry is missing */
	bool has_telemetry;
	char version[DOCTOR_NAME_SIZE], backend[DOCTOR_NAME_SIZE];
	bool connected;
	uint64_t sample_rate, period, xruns;
	uint64_t cycles, kicks, kick_errors, last_kick_error;
	int64_t rt_priority;
	int locked_memory;
	int64_t pid;
	uint64_t gaps[HIST_BINS], kick_at[HIST_BINS], kick_took[HIST_BINS]; /* counts; see base/hist.h */
	uint64_t gap_max_ns, kick_at_max_ns, kick_took_max_ns;
};

struct doctor_facts {
	struct doctor_system system;
	struct doctor_process process;
	struct doctor_daemon daemon;
	struct doctor_pipewire pipewire;
	struct doctor_iface *ifaces;
	unsigned n_ifaces;
	struct doctor_device *devices;
	unsigned n_devices;
	struct doctor_netvst *netvst;
	unsigned n_netvst;
};

/* Everything unknown. */
void doctor_facts_init(struct doctor_facts *facts);
void doctor_facts_fini(struct doctor_facts *facts);

/* The interface of this name, added (unknown as yet) if it is not there. NULL without memory. */
struct doctor_iface *doctor_facts_iface(struct doctor_facts *facts, const char *name);

/*
 * Fills in what the folders below root say ("" for the machine itself): the system, the process
 * (facts->daemon.pid, else that of the caller), its user's PipeWire, the interfaces that are in facts, and those that NetVST connections use.
 */
void doctor_facts_read(struct doctor_facts *facts, const char *root);

/* --- for the parts of this file and its neighbours */

/* What begins a file, terminated; its length, or -errno. Never waits, however strange the file. */
int doctor_read_text(char *buf, unsigned size, const char *root, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A file with one number, at least min; otherwise DOCTOR_UNKNOWN. */
int64_t doctor_read_number(int64_t min, const char *root, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A folder below root; NULL: there is none. The caller closes it. */
DIR *doctor_open_folder(const char *root, const char *path);
/* How many threads a process has, and how many of them under which priority at most. Unknown: they stay as they were. */
void doctor_read_threads(
	const char *root, int64_t pid, int64_t *ret_n, int64_t *ret_n_realtime, int64_t *ret_max_priority);
/* Whatever is not printable ASCII becomes a question mark; what is too long is cut. */
void doctor_copy_text(char *dst, unsigned size, const char *src);

#endif
