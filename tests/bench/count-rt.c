/*
 * The realtime path in cases that always do the same, for callgrind to count: callgrind.sh calls this program. Its marks are
 * functions because callgrind can be told their names; so nothing of valgrind is needed to build it.
 */
#include "config.h"

#include "base/util.h"
#include "cycle-rig.h"
#include "insert-rig.h"

#include <stdio.h>
#include <string.h>

/* Long enough for what a cycle itself costs to be spread evenly; 2 cycles of 100 frames have 25 whole blocks. */
#define CYCLES 16
/* An insert plays by then, with its gains where they are to be. */
#define WARM_CYCLES (64 * CYCLES)
#define BLOCK_FRAMES 8

#ifdef __clang__
#define COMPILER "clang", __clang_major__
#else
#define COMPILER "gcc", __GNUC__
#endif
/* What these add to the code has nothing to do with what is counted here. */
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__)
#define COUNTS false
#else
#define COUNTS true
#endif

static struct insert_rig insert_rig;

/* What was counted until here does not count. */
__attribute__((noinline)) void count_begin(void);
void count_begin(void)
{
	__asm__ volatile("" ::: "memory");
}

/* The end of a case: here callgrind writes down what it has counted. */
__attribute__((noinline)) void count_end(void);
void count_end(void)
{
	__asm__ volatile("" ::: "memory");
}

/* Tells a case that was counted; unsound ones would count something else. */
static int say(const char *name, bool sound, uint64_t blocks)
{
	if (!sound) {
		fprintf(stderr, "count-rt: %s: the engine did not do what is to be counted\n", name);
		return 1;
	}
	printf("case %s %llu\n", name, (unsigned long long)blocks);
	return 0;
}

static int count_cycles(const char *name, const struct cycle_rig_config *config)
{
	struct cycle_rig *rig = NULL;
	uint64_t frames;
	bool sound;
	int r = cycle_rig_new(config, &rig);

	if (r < 0) {
		fprintf(stderr, "count-rt: %s: no boxes: %s\n", name, strerror(-r));
		return 1;
	}
	/* Forgets the peaks, and the frames, of the start. */
	(void)cycle_rig_is_sound(rig);
	(void)cycle_rig_take_frames(rig);
	count_begin();
	for (unsigned i = 0; i < CYCLES; i++) {
		cycle_rig_process(rig);
		cycle_rig_drain(rig);
	}
	count_end();
	frames = cycle_rig_take_frames(rig);
	sound = cycle_rig_is_sound(rig) &&
		frames == (uint64_t)config->boxes * CYCLES * config->period / BLOCK_FRAMES;
	cycle_rig_free(rig);
	return say(name, sound, frames);
}

static int count_insert(const char *name, enum insert_role role, uint32_t period)
{
	bool plays;
	int r = insert_rig_make(&insert_rig, role, period, 1.0f);

	if (r < 0) {
		fprintf(stderr, "count-rt: %s: no insert: %s\n", name, strerror(-r));
		return 1;
	}
	for (unsigned i = 0; i < WARM_CYCLES + CYCLES; i++) {
		if (i == WARM_CYCLES) {
			count_begin();
		}
		insert_process_rt(NULL, &insert_rig.cycle, &insert_rig.io);
		insert_rig_serve(&insert_rig);
	}
	count_end();
	plays = insert_get_report(insert_rig.insert)->playing;
	insert_rig_clear(&insert_rig);
	return say(name, plays, (uint64_t)CYCLES * period / BLOCK_FRAMES);
}

/* A case is its name: "avx2-32x8-64", "sse2-8x2-64-varying", "insert-client-64". */
static int count(const char *name)
{
	struct cycle_rig_config config = {0};
	uint32_t period;
	char set[8];
	int end = 0;

	if ((sscanf(name, "insert-client-%u%n", &period, &end) == 1 ||
		    sscanf(name, "insert-slot-%u%n", &period, &end) == 1) &&
		name[end] == '\0' && period >= AUDIO_PERIOD_MIN && period <= AUDIO_PERIOD_MAX) {
		return count_insert(name, name[7] == 'c' ? INSERT_CLIENT : INSERT_SLOT, period);
	}
	if (sscanf(name, "%7[a-z0-9]-%ux%u-%u%n", set, &config.boxes, &config.channels, &config.period,
		    &end) == 4) {
		config.varying = strcmp(name + end, "-varying") == 0;
		config.kernels = cycle_rig_kernels(set);
		if (config.varying || name[end] == '\0') {
			if (config.kernels) {
				return count_cycles(name, &config);
			}
			printf("skip %s\n", name);
			return 0;
		}
	}
	fprintf(stderr,
		"count-rt: %s: a case is KERNELS-BOXESxCHANNELS-PERIOD, the same and -varying, "
		"insert-client-PERIOD or insert-slot-PERIOD\n",
		name);
	return 1;
}

int main(int argc, char **argv)
{
	int failed = 0;

	printf("compiler %s %d\n", COMPILER);
	if (!COUNTS) {
		return 77;
	}
	for (int i = 1; i < argc; i++) {
		failed |= count(argv[i]);
	}
	return failed;
}
