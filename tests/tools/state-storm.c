/*
 * Kills a program that changes and writes its settings all the time, at moments of chance, and looks each time whether
 * what it finds in the state folder was set and is not older than what was known to be written.
 * Usage: state-storm FOLDER ROUNDS SEED
 */
#include "base/log.h"
#include "base/util.h"
#include "daemon/state-file.h"
#include "daemon/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* One state is of all of these at once; the first one's gains say which state it is. */
#define DEVICES 4
#define DIGIT 64
#define SET_USEC 300
/* How many writes one process gets to see done, and how long it then goes on. */
#define WRITES 2
#define KILL_USEC 2500
#define STUCK_NS (20 * NSEC_PER_SEC)

/* Outlives the process that is killed. */
struct shared {
	_Atomic uint64_t set;	  /* the last state that was begun to be set */
	_Atomic uint64_t written; /* the last one that is known to be written */
	_Atomic bool bad;
};

struct storm {
	sd_event_source *timer;
	struct state *state;
	uint64_t seed;
	uint64_t first;	  /* what the file had */
	uint64_t current; /* what is set */
};

static struct shared *shared;
static unsigned n_lines;

static uint64_t mix(uint64_t x)
{
	/* splitmix64 */
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static enum ethlink_model model_of(unsigned device)
{
	return device % 2 == 0 ? ETHLINK_DAC8 : ETHLINK_ADC8;
}

/* What state number n sets on this device. */
static void make(uint64_t seed, uint64_t n, unsigned device, struct overrides *ret_overrides)
{
	struct overrides *o = ret_overrides;
	uint64_t x = mix(seed ^ mix(n * DEVICES + device));

	memset(o, 0, sizeof(*o));
	for (unsigned k = 0; k < ETHLINK_CHANNELS; k++) {
		o->gain_set[k] = device == 0 || (x >> k & 1);
		o->mute_set[k] = x >> (8 + k) & 1;
		if (o->gain_set[k]) {
			o->value.gain_db[k] = device == 0 ? (int)(n % DIGIT) - 40 : (int)(x >> k & 15);
			o->conf.gain_db[k] = (int)(x >> (16 + k) & 15);
		}
		if (o->mute_set[k]) {
			o->value.mute[k] = x >> (32 + k) & 1;
			o->conf.mute[k] = x >> (40 + k) & 1;
		}
		n /= DIGIT;
	}
	for (unsigned i = 0; i < LEVELS_PHANTOMS && model_of(device) == ETHLINK_ADC8; i++) {
		o->phantom_set[i] = x >> (48 + i) & 1;
		o->value.phantom[i] = o->phantom_set[i] && (x >> (50 + i) & 1);
	}
}

static void get(const struct state *state, unsigned device, struct overrides *ret_overrides)
{
	char name[8];

	snprintf(name, sizeof(name), "box-%u", device);
	state_get(state, name, model_of(device), ret_overrides);
}

static bool same(const struct overrides *a, const struct overrides *b)
{
	return memcmp(a->gain_set, b->gain_set, sizeof(a->gain_set)) == 0 &&
	       memcmp(a->mute_set, b->mute_set, sizeof(a->mute_set)) == 0 &&
	       memcmp(a->phantom_set, b->phantom_set, sizeof(a->phantom_set)) == 0 &&
	       memcmp(a->value.gain_db, b->value.gain_db, sizeof(a->value.gain_db)) == 0 &&
	       memcmp(a->value.mute, b->value.mute, sizeof(a->value.mute)) == 0 &&
	       memcmp(a->value.phantom, b->value.phantom, sizeof(a->value.phantom)) == 0 &&
	       memcmp(a->conf.gain_db, b->conf.gain_db, sizeof(a->conf.gain_db)) == 0 &&
	       memcmp(a->conf.mute, b->conf.mute, sizeof(a->conf.mute)) == 0 &&
	       memcmp(a->conf.phantom, b->conf.phantom, sizeof(a->conf.phantom)) == 0;
}

/* The number of the state that is there; 0 for none. -1 for one that was never set. */
static int64_t number_of(const struct state *state, uint64_t seed)
{
	struct overrides is, should;
	uint64_t n = 0;

	get(state, 0, &is);
	for (unsigned k = ETHLINK_CHANNELS; k-- > 0 && is.gain_set[0];) {
		n = n * DIGIT + (uint64_t)(is.value.gain_db[k] + 40);
	}
	for (unsigned i = 0; i < DEVICES; i++) {
		get(state, i, &is);
		if (n == 0) {
			memset(&should, 0, sizeof(should));
		} else {
			make(seed, n, i, &should);
		}
		if (!same(&is, &should)) {
			return -1;
		}
	}
	return (int64_t)n;
}

/* --- the one that is killed --- */

static void say_bad(const struct log_entry *e)
{
	printf("not expected in the log: %s\n", e->text);
	fflush(stdout);
	n_lines++;
	atomic_store(&shared->bad, true);
}

/* Each state is one change a device: the count of changes that are written says which states are. */
static void set_next(struct storm *t)
{
	uint64_t before = state_changes(t->state);
	struct overrides o;
	char name[8];

	t->current++;
	atomic_store(&shared->set, t->current);
	for (unsigned i = 0; i < DEVICES; i++) {
		snprintf(name, sizeof(name), "box-%u", i);
		make(t->seed, t->current, i, &o);
		state_put(t->state, name, model_of(i), &o);
	}
	if (state_changes(t->state) != before + DEVICES) {
		printf("state %" PRIu64 " made %" PRIu64 " changes\n", t->current,
			state_changes(t->state) - before);
		atomic_store(&shared->bad, true);
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct storm *t = data;
	uint64_t now;

	/* What is set in one go is written in one go. */
	if (state_written(t->state) % DEVICES != 0) {
		atomic_store(&shared->bad, true);
	}
	if (state_written(t->state) > 0) {
		atomic_store(&shared->written, t->first + state_written(t->state) / DEVICES);
	}
	set_next(t);
	(void)sd_event_now(sd_event_source_get_event(source), CLOCK_MONOTONIC, &now);
	(void)sd_event_source_set_time(source, now + mix(t->current) % SET_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int storm(uint64_t seed)
{
	struct storm t = {.seed = seed};
	sd_event *event;
	int64_t n;

	if (sd_event_new(&event) < 0 || state_new(event, &t.state) < 0) {
		return 1;
	}
	state_set_delay_ms(t.state, 0);
	n = number_of(t.state, seed);
	if (n < 0) {
		atomic_store(&shared->bad, true);
		return 1;
	}
	t.first = t.current = (uint64_t)n;
	if (sd_event_add_time(event, &t.timer, CLOCK_MONOTONIC, 0, 1, on_timer, &t) < 0) {
		return 1;
	}
	return sd_event_loop(event);
}

/* --- the one that kills --- */

/* False: it has ended by itself, or nothing comes of it. */
static bool kill_one(uint64_t seed, uint64_t x)
{
	uint64_t begin = atomic_load(&shared->written), writes = x % (WRITES + 1), seen = 0, last = begin;
	int64_t deadline_ns = now_ns() + STUCK_NS;
	bool stuck = false;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		_exit(storm(seed));
	}
	if (pid < 0) {
		printf("cannot fork: %m\n");
		return false;
	}
	while (seen < writes && !stuck && !atomic_load(&shared->bad)) {
		uint64_t written = atomic_load(&shared->written);

		seen += written != last;
		last = written;
		stuck = now_ns() > deadline_ns;
		usleep(100);
	}
	usleep((useconds_t)(x / 16 % KILL_USEC));
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status)) {
		printf("it ended by itself\n");
		return false;
	}
	if (stuck) {
		printf("it writes nothing\n");
	}
	return !stuck;
}

/* What the next start finds. *ret_n: which state it is. */
static bool look(uint64_t seed, int64_t *ret_n)
{
	struct state *state;
	sd_event *event;

	if (sd_event_new(&event) < 0 || state_new(event, &state) < 0) {
		printf("no memory\n");
		return false;
	}
	*ret_n = number_of(state, seed);
	state_free(state);
	sd_event_unref(event);
	return !atomic_load(&shared->bad);
}

static bool is_there(const char *folder, const char *name, off_t *ret_size)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	*ret_size = 0;
	if (lstat(path, &st) < 0) {
		return false;
	}
	*ret_size = st.st_size;
	return true;
}

static int run(const char *folder, unsigned rounds, uint64_t seed)
{
	unsigned in_write = 0, absent = 0;
	uint64_t written = 0;
	off_t size;
	int64_t n = 0;

	for (unsigned i = 0; i < rounds; i++) {
		if (!kill_one(seed, mix(seed ^ mix(i)))) {
			return 1;
		}
		in_write += is_there(folder, STATE_FILE_NEW_NAME, &size);
		absent += !is_there(folder, STATE_FILE_NAME, &size);
		written = atomic_load(&shared->written);
		if (!look(seed, &n) || is_there(folder, STATE_FILE_DAMAGED_NAME, &size) ||
			n < (int64_t)written || n > (int64_t)atomic_load(&shared->set)) {
			printf("round %u: the file has state %" PRId64 "; %" PRIu64 " was written, %" PRIu64
			       " was set last\n",
				i, n, written, atomic_load(&shared->set));
			return 1;
		}
		/* What is there now counts as written: the next round goes on from there. */
		atomic_store(&shared->written, (uint64_t)n);
		atomic_store(&shared->set, (uint64_t)n);
	}
	printf("%u kills, %u of them in the middle of a write, %u before the first; %" PRId64 " states\n",
		rounds, in_write, absent, n);
	/* Else the kills do not come where it matters. */
	if (in_write < rounds / 20 || n < rounds) {
		printf("too few to say anything\n");
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "Usage: state-storm FOLDER ROUNDS SEED\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	setenv("STATE_DIRECTORY", argv[1], 1);
	log_set_sink(say_bad);
	return run(argv[1], (unsigned)atoi(argv[2]), strtoull(argv[3], NULL, 10));
}
