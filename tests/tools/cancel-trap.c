/*
 * Preloaded into ethlinkd: catches every lock that it takes on a thread that may be ended at any instruction. libjack
 * ends its threads so, and a lock that is held then is never given back.
 *
 * On threads that a library has given the asynchronous cancel type, ethlinkd may take a lock only with cancellation
 * disabled and its type deferred: glibc (seen with 2.36) ends a thread that has disabled it all the same, where the
 * signal was already on its way and the type is asynchronous. Locks that libraries take are not looked at.
 *
 * The report is written at exit to the file named by CANCEL_TRAP_REPORT: "checked": locks taken on such threads;
 * "violations": those of them taken otherwise; "callers": from where, for addr2line; "closes": the trap saw the locks
 * that it tried itself.
 */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CALLERS_MAX 16

enum verdict {
	NOT_LOOKED_AT,
	GOOD,
	BAD,
};

static __thread bool ends_anywhere;	       /* a library's thread, of asynchronous cancel type */
static uintptr_t exe_base, exe_begin, exe_end; /* base: what addr2line does not know of */
static bool closes;
static atomic_uint checked, violations;
static _Atomic uintptr_t callers[CALLERS_MAX];

static int (*real_setcanceltype)(int, int *);

static int set_type(int type, int *ret_before)
{
	if (!real_setcanceltype) {
		*(void **)&real_setcanceltype = dlsym(RTLD_NEXT, "pthread_setcanceltype");
	}
	return real_setcanceltype(type, ret_before);
}

static bool in_exe(uintptr_t address)
{
	return address >= exe_begin && address < exe_end;
}

static enum verdict look(uintptr_t caller)
{
	int state, type;

	if (!ends_anywhere || !in_exe(caller)) {
		return NOT_LOOKED_AT;
	}
	/* Looking must leave all as it is, also where the thread is just being ended. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	set_type(PTHREAD_CANCEL_DEFERRED, &type);
	set_type(type, NULL);
	pthread_setcancelstate(state, NULL);
	return state == PTHREAD_CANCEL_DISABLE && type == PTHREAD_CANCEL_DEFERRED ? GOOD : BAD;
}

static void keep_caller(uintptr_t caller)
{
	for (unsigned i = 0; i < CALLERS_MAX; i++) {
		uintptr_t none = 0;

		if (atomic_compare_exchange_strong(&callers[i], &none, caller) || none == caller) {
			return;
		}
	}
}

static void check(void *return_address)
{
	/* Of the call itself: behind it may begin another line. */
	uintptr_t caller = (uintptr_t)return_address - 1;
	enum verdict v = look(caller);

	if (v != NOT_LOOKED_AT) {
		atomic_fetch_add(&checked, 1);
	}
	if (v == BAD) {
		atomic_fetch_add(&violations, 1);
		keep_caller(caller - exe_base);
	}
}

/* What ethlinkd sets, or sets back, changes nothing about whose thread it is. */
int pthread_setcanceltype(int type, int *ret_before)
{
	if (!in_exe((uintptr_t)__builtin_return_address(0) - 1)) {
		ends_anywhere = type == PTHREAD_CANCEL_ASYNCHRONOUS;
	}
	return set_type(type, ret_before);
}

#define WRAP(name)                                                                                           \
	int name(pthread_mutex_t *m)                                                                         \
	{                                                                                                    \
		static int (*real)(pthread_mutex_t *);                                                       \
		if (!real) {                                                                                 \
			*(void **)&real = dlsym(RTLD_NEXT, #name);                                           \
		}                                                                                            \
		check(__builtin_return_address(0));                                                          \
		return real(m);                                                                              \
	}

WRAP(pthread_mutex_lock)
WRAP(pthread_mutex_trylock)

/* The executable comes first. */
static int find_exe(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	(void)data;
	exe_base = info->dlpi_addr;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && (p->p_flags & PF_X)) {
			exe_begin = exe_base + p->p_vaddr;
			exe_end = exe_begin + p->p_memsz;
		}
	}
	return 1;
}

/* As libjack sets its threads up, with locks taken wrongly in each way, and one taken rightly. */
static void *try_trap(void *data)
{
	enum verdict open, disabled, guarded;

	(void)data;
	ends_anywhere = true;
	set_type(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	open = look(exe_begin);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	disabled = look(exe_begin);
	set_type(PTHREAD_CANCEL_DEFERRED, NULL);
	guarded = look(exe_begin);
	closes = open == BAD && disabled == BAD && guarded == GOOD;
	return NULL;
}

__attribute__((constructor)) static void prepare(void)
{
	pthread_t thread;

	dl_iterate_phdr(find_exe, NULL);
	if (pthread_create(&thread, NULL, try_trap, NULL) == 0) {
		pthread_join(thread, NULL);
	}
}

__attribute__((destructor)) static void report(void)
{
	const char *path = getenv("CANCEL_TRAP_REPORT");
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!f) {
		return;
	}
	fprintf(f, "{\"closes\": %s, \"checked\": %u, \"violations\": %u, \"callers\": [",
		closes ? "true" : "false", atomic_load(&checked), atomic_load(&violations));
	for (unsigned i = 0; i < CALLERS_MAX && atomic_load(&callers[i]); i++) {
		fprintf(f, "%s\"0x%lx\"", i ? ", " : "", (unsigned long)atomic_load(&callers[i]));
	}
	fprintf(f, "]}\n");
	fclose(f);
}
