/*
 * Runs a fuzz target without a fuzzing engine: over its corpus, and then for some seconds over inputs that are made from
 * the corpus and by the target, with faults put in. The same seed makes the same inputs.
 *
 * The target runs in a process of its own, so that there is somebody left to keep the input that it died of, or hung on.
 */
#include "fuzz/fuzz.h"

#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE_MAX_BYTES (160 * 1024)
#define FILES_MAX 256
#define HANG_SECONDS 20

struct input {
	uint8_t *data;
	size_t size;
};

/* Seen by both processes. */
struct shared {
	_Atomic uint64_t runs;
	size_t size;
	uint8_t data[SIZE_MAX_BYTES];
};

static struct input files[FILES_MAX];
static unsigned n_files;
static struct shared *shared;
static uint32_t state;

static uint32_t below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return (uint32_t)((uint64_t)state * n >> 32);
}

static int load_file(const char *path)
{
	struct input *input = &files[n_files];
	FILE *f = fopen(path, "r");

	if (!f || n_files == FILES_MAX) {
		fprintf(stderr, "%s: %s\n", path, f ? "too many files" : strerror(errno));
		return -1;
	}
	input->data = malloc(SIZE_MAX_BYTES);
	if (!input->data) {
		abort();
	}
	input->size = fread(input->data, 1, SIZE_MAX_BYTES, f);
	fclose(f);
	n_files++;
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Of a folder all files, in the order of their names: the same seed is to mean the same inputs. */
static int load(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, by_name), r = 0;

	if (n < 0) {
		return load_file(path);
	}
	for (int i = 0; i < n; i++) {
		char file[4096];

		if (r == 0 && entries[i]->d_name[0] != '.') {
			snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
			r = load_file(file);
		}
		free(entries[i]);
	}
	free(entries);
	return r;
}

static void run(void)
{
	uint8_t *exact = malloc(shared->size + 1);

	/* Reading on behind it is to be seen. */
	if (!exact) {
		abort();
	}
	exact = realloc(exact, shared->size ? shared->size : 1);
	memcpy(exact, shared->data, shared->size);
	LLVMFuzzerTestOneInput(exact, shared->size);
	free(exact);
	atomic_fetch_add(&shared->runs, 1);
}

/* Somewhere, and often where headers are. */
static size_t somewhere(void)
{
	uint32_t n = (uint32_t)shared->size;

	return below(2) && n > 64 ? below(64) : below(n);
}

static void put_interesting(void)
{
	static const uint16_t values[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x3ff, 0x400, 0x401, 0x7ff, 0x800,
		0x801, 0x1fff, 0x2000, 0x2001, 0x7fff, 0x8000, 0x8001, 0x9fff, 0xa000, 0xfffe, 0xffff};
	size_t at = somewhere();

	if (at + 2 <= shared->size) {
		memcpy(shared->data + at, &values[below(ARRAY_SIZE(values))], 2);
	}
}

static void cut_out(void)
{
	size_t at = somewhere(), n = 1 + below(below(2) ? 8 : (uint32_t)(shared->size - at));

	n = MIN(n, shared->size - at);
	memmove(shared->data + at, shared->data + at + n, shared->size - at - n);
	shared->size -= n;
}

/* Bytes of another input, or of this one, put in or put over. */
static void put_in(void)
{
	const struct input *from = &files[n_files ? below(n_files) : 0];
	const uint8_t *data = n_files ? from->data : shared->data;
	size_t size = n_files ? from->size : shared->size, at = somewhere(), n, begin;
	uint8_t piece[256];

	if (size == 0) {
		return;
	}
	begin = below((uint32_t)size);
	n = 1 + below(sizeof(piece) - 1);
	n = MIN(n, size - begin);
	memcpy(piece, data + begin, n);
	if (below(2) && shared->size + n <= SIZE_MAX_BYTES) {
		memmove(shared->data + at + n, shared->data + at, shared->size - at);
		shared->size += n;
	}
	n = MIN(n, shared->size - at);
	memcpy(shared->data + at, piece, n);
}

static void put_fault(void)
{
	if (shared->size == 0) {
		return;
	}
	switch (below(7)) {
	case 0:
		shared->data[somewhere()] = (uint8_t)below(256);
		break;
	case 1:
		shared->data[somewhere()] ^= (uint8_t)(1 << below(8));
		break;
	case 2:
		shared->data[somewhere()] += (uint8_t)(1 + below(8) - 4);
		break;
	case 3:
		put_interesting();
		break;
	case 4:
		cut_out();
		break;
	case 5:
		put_in();
		break;
	default:
		if (below(4) == 0) {
			shared->size = somewhere();
		}
		break;
	}
}

static void run_random(void)
{
	if (n_files > 0 && below(2)) {
		const struct input *input = &files[below(n_files)];

		memcpy(shared->data, input->data, input->size);
		shared->size = input->size;
	} else {
		shared->size = fuzz_make(&state, shared->data, SIZE_MAX_BYTES);
	}
	for (uint32_t i = below(6); i > 0; i--) {
		put_fault();
	}
	if (below(4)) {
		fuzz_mend(shared->data, shared->size);
	}
	run();
}

/* The process that may die. */
static void run_all(unsigned seconds)
{
	int64_t end_ns;

	for (unsigned i = 0; i < n_files; i++) {
		memcpy(shared->data, files[i].data, files[i].size);
		shared->size = files[i].size;
		run();
	}
	end_ns = now_ns() + seconds * NSEC_PER_SEC;
	while (seconds > 0 && now_ns() < end_ns) {
		run_random();
	}
}

/* How often it is looked at whether there is progress. */
#define LOOK_MS 1000

/* 0: it ended well. */
static int watch(pid_t pid)
{
	uint64_t runs = 0;
	int64_t since_ns = now_ns();
	struct pollfd end = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	int status;

	while (poll(&end, 1, LOOK_MS) == 0) {
		uint64_t now = atomic_load(&shared->runs);

		if (now != runs) {
			runs = now;
			since_ns = now_ns();
		} else if (now_ns() - since_ns > HANG_SECONDS * NSEC_PER_SEC) {
			fprintf(stderr, "fuzz-%s: one input takes more than %d s\n", fuzz_name, HANG_SECONDS);
			kill(pid, SIGKILL);
			break;
		}
	}
	close(end.fd);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static void keep_input(void)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "fuzz-%s-failed", fuzz_name);
	f = fopen(path, "w");
	if (f && fwrite(shared->data, 1, shared->size, f) == shared->size && fclose(f) == 0) {
		fprintf(stderr, "fuzz-%s: failed; its input is in %s: run fuzz-%s %s\n", fuzz_name, path,
			fuzz_name, path);
	}
}

static int load_all(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	char corpus[1024];

	if (argc == 0) {
		snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", fuzz_name);
		return load(corpus);
	}
	for (int i = 0; i < argc; i++) {
		if (load(argv[i]) < 0) {
			return -1;
		}
	}
	return 0;
}

static int run_watched(unsigned seconds, unsigned seed)
{
	int64_t begin_ns = now_ns();
	double took_s;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		run_all(seconds);
		exit(0);
	}
	if (pid < 0) {
		perror("fork");
		return 1;
	}
	if (watch(pid) < 0) {
		keep_input();
		fprintf(stderr, "fuzz-%s: seed %u, execution %llu\n", fuzz_name, seed,
			(unsigned long long)atomic_load(&shared->runs));
		return 1;
	}
	took_s = (double)(now_ns() - begin_ns) / NSEC_PER_SEC;
	printf("fuzz-%s: %u inputs of the corpus, %llu executions, %.0f a second, seed %u\n", fuzz_name,
		n_files, (unsigned long long)shared->runs, (double)shared->runs / took_s, seed);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"seconds", required_argument, NULL, 's'}, {"seed", required_argument, NULL, 'r'}, {0}};
	unsigned seconds = 0, seed = 1;
	int option, r = 1;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 's') {
			seconds = (unsigned)strtoul(optarg, NULL, 10);
		} else if (option == 'r') {
			seed = (unsigned)strtoul(optarg, NULL, 10);
		} else {
			fprintf(stderr, "usage: fuzz-%s [--seconds N] [--seed N] [FILE-OR-FOLDER...]\n",
				fuzz_name);
			return 2;
		}
	}
	state = seed ? seed : 1;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	if (load_all(argc - optind, argv + optind) == 0) {
		if (n_files == 0) {
			fprintf(stderr, "fuzz-%s: nothing to run\n", fuzz_name);
		} else {
			r = run_watched(seconds, seed);
		}
	}
	for (unsigned i = 0; i < n_files; i++) {
		free(files[i].data);
	}
	munmap(shared, sizeof(*shared));
	return r;
}
