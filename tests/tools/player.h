/*
 * What the playing clients of the tests have in common, whatever server they play to: options, the material and where
 * in it they are, how often the server or the machine was at fault meanwhile, and the report of all that.
 *
 * Everything is read or computed before the first cycle; in a cycle there is only copying and counting.
 *
 * Ownership: a struct player is the caller's; player_fini() frees what is in it. Threads: functions ending in _rt are
 * called by the server's thread in each cycle, player_xrun() by any; all else is for the main thread.
 */
#ifndef TOOLS_PLAYER_H
#define TOOLS_PLAYER_H

#include "material.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAYER_TARGETS_MAX 64
#define PLAYER_EVENTS_MAX 64
#define PLAYER_QUANTA_MAX 16

enum player_source {
	PLAYER_NONE,
	PLAYER_FILE,
	PLAYER_PATTERN,
	PLAYER_MUSIC,
};

/* The program that plays. */
struct player_kind {
	const char *program;
	const char *server;	 /* what --server names */
	const char *target;	 /* what --target takes, for the usage: NODE and the like */
	const char *target_help; /* a sentence about it */
	bool has_quanta;	 /* --quanta and --every are allowed */
};

struct player_options {
	const char *server; /* NULL: the default one */
	const char *client;
	const char *targets[PLAYER_TARGETS_MAX];
	unsigned n_targets;
	enum player_source source;
	const char *file;
	const char *save;
	double save_times; /* what is saved is multiplied by this */
	bool save_only;
	bool info;
	bool hold;
	bool endless;
	const char *start_file;
	double seconds;
	double lead_in_s;
	double tail_s;
	double timeout_s;
	unsigned rate_hz; /* of save_only */
	uint32_t quanta_frames[PLAYER_QUANTA_MAX];
	unsigned n_quanta;
	double every_s;
};

struct player {
	struct material material;
	bool endless; /* the pattern, worked out as it is played; no material */
	unsigned rate_hz;
	size_t lead_frames;
	size_t total_frames; /* lead-in, material and tail */
	/* Written by the server's thread alone. */
	uint64_t next_frame;
	bool time_known;
	bool running;
	_Atomic uint32_t period_frames;
	_Atomic unsigned period_changes;
	_Atomic size_t position; /* frames since the start, lead-in included */
	_Atomic int skipped;	 /* cycles of the server in which this client did not run */
	_Atomic unsigned n_skipped_at;
	_Atomic size_t skipped_at[PLAYER_EVENTS_MAX];

	_Atomic unsigned xruns;
	_Atomic size_t xrun_at[PLAYER_EVENTS_MAX];
	_Atomic bool go;
	_Atomic bool lost; /* the server is gone */
};

/* Waits for some 10 ms, or until something happens. */
typedef void (*player_wait_fn)(void *data);

/* 0, or the exit status; --help and --version end the program. Says itself what is wrong. */
int player_parse(int argc, char **argv, const struct player_kind *kind, struct player_options *ret_options);
/* Signals; once, before other threads are there. */
void player_begin(void);
bool player_interrupted(void);
double player_now_s(void);
/* Says it with the program's name; 1. */
int player_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --info and --save-only need no server. True: *ret_status is the program's exit status. */
bool player_without_server(const struct player_options *o, int *ret_status);
/* Makes or reads the material. 0, or 1 (said). */
int player_prepare(struct player *p, const struct player_options *o, unsigned rate_hz);

/* RT safe. A cycle of n frames begins at the server's time frame; then each channel, then the end. */
void player_cycle_rt(struct player *p, uint64_t frame, uint32_t n);
void player_fill_rt(struct player *p, float *dst, unsigned channel, uint32_t n);
void player_end_rt(struct player *p, uint32_t n);
/* The server had an xrun when so many frames had been played; counted if that is within the audio. */
void player_xrun(struct player *p, size_t position);

/*
 * Plays until the end, and reports. drain (or NULL) is called before the report, for what the server has still to tell.
 * 0, or 1 (said).
 */
int player_play(struct player *p, const struct player_options *o, player_wait_fn wait,
	void (*drain)(void *data), void *data);
void player_fini(struct player *p);

#endif
