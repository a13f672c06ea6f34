/*
 * Preloaded into ethlinkd: catches everything that a realtime callback must not do, while it does it.
 *
 * Every system call made inside the JACK process callback is trapped (Syscall User Dispatch) and then carried
 * out; sendto is counted as a kick, any other is a violation. Calls that need no system call but may block
 * or allocate are wrapped. The report is written at exit to the file named by RT_TRAP_REPORT.
 * RT_TRAP_PROVOKE=malloc|lock|stdio|syscall makes the callback break the rule, to show that the trap closes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <jack/jack.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __x86_64__
#error "Syscall User Dispatch is there on x86-64 only"
#endif

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif
#define SELECTOR_ALLOW 0
#define SELECTOR_BLOCK 1

#define SYSCALLS 600

static __thread volatile char selector = SELECTOR_ALLOW;
static __thread bool in_callback;
static __thread bool prepared;

static atomic_ullong callbacks, kicks, kicks_now, kicks_max, unprepared;
static atomic_uint bad_syscalls[SYSCALLS];
static atomic_uint bad_malloc, bad_free, bad_lock, bad_stdio;

/* System calls from this section are let through: the trap's own. */
extern char __start_rt_trap_text[], __stop_rt_trap_text[];

__attribute__((section("rt_trap_text"), noinline)) static long raw_syscall(const greg_t *regs)
{
	register long r10 __asm__("r10") = regs[REG_R10];
	register long r8 __asm__("r8") = regs[REG_R8];
	register long r9 __asm__("r9") = regs[REG_R9];
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(regs[REG_RAX]), "D"(regs[REG_RDI]), "S"(regs[REG_RSI]), "d"(regs[REG_RDX]),
			 "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

__asm__(".pushsection rt_trap_text,\"ax\",@progbits\n"
	"rt_trap_restore:\n"
	"	movq $15, %rax\n"
	"	syscall\n"
	".popsection\n");
void rt_trap_restore(void);

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	long nr = uc->uc_mcontext.gregs[REG_RAX];

	(void)sig;
	(void)info;
	if (nr == SYS_sendto) {
		atomic_fetch_add(&kicks, 1);
		atomic_fetch_add(&kicks_now, 1);
	} else if (nr >= 0 && nr < SYSCALLS) {
		atomic_fetch_add(&bad_syscalls[nr], 1);
	}
	uc->uc_mcontext.gregs[REG_RAX] = raw_syscall(uc->uc_mcontext.gregs);
}

struct kernel_sigaction {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

/* Once a thread. libc's own sigreturn would be trapped, so ours returns from the trap's section. */
static bool prepare(void)
{
	struct kernel_sigaction sa = {
		.handler = on_sigsys,
		.flags = SA_SIGINFO | SA_NODEFER | 0x04000000, /* SA_RESTORER */
		.restorer = rt_trap_restore,
	};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return syscall(SYS_rt_sigaction, SIGSYS, &sa, NULL, sizeof(sa.mask)) == 0 &&
	       prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, __start_rt_trap_text,
		       (unsigned long)(__stop_rt_trap_text - __start_rt_trap_text), &selector) == 0;
}

static JackProcessCallback real_callback;

static void provoke(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static const char *what;
	static bool looked;

	if (!looked) {
		looked = true;
		what = getenv("RT_TRAP_PROVOKE");
	}
	if (!what) {
		return;
	}
	if (strcmp(what, "malloc") == 0) {
		void *volatile p = malloc(100);

		free(p);
	} else if (strcmp(what, "lock") == 0) {
		pthread_mutex_lock(&lock);
		pthread_mutex_unlock(&lock);
	} else if (strcmp(what, "stdio") == 0) {
		static int (*volatile say)(const char *, FILE *) = fputs;

		(void)say("", stderr);
	} else if (strcmp(what, "syscall") == 0) {
		(void)syscall(SYS_getppid);
	}
}

static int trapped_callback(jack_nframes_t nframes, void *data)
{
	unsigned long long n;
	int r;

	if (!prepared) {
		prepared = prepare();
	}
	if (!prepared) {
		atomic_fetch_add(&unprepared, 1);
		return real_callback(nframes, data);
	}
	atomic_store(&kicks_now, 0);
	in_callback = true;
	selector = SELECTOR_BLOCK;
	provoke();
	r = real_callback(nframes, data);
	selector = SELECTOR_ALLOW;
	in_callback = false;
	atomic_fetch_add(&callbacks, 1);
	n = atomic_load(&kicks_now);
	if (n > atomic_load(&kicks_max)) {
		atomic_store(&kicks_max, n);
	}
	return r;
}

int jack_set_process_callback(jack_client_t *client, JackProcessCallback callback, void *data)
{
	int (*real)(jack_client_t *, JackProcessCallback, void *);

	*(void **)&real = dlsym(RTLD_NEXT, "jack_set_process_callback");
	real_callback = callback;
	return real(client, trapped_callback, data);
}

/* glibc's own names: no dlsym, which allocates. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void __libc_free(void *p);

static void count(atomic_uint *counter)
{
	if (in_callback) {
		atomic_fetch_add(counter, 1);
	}
}

void *malloc(size_t size)
{
	count(&bad_malloc);
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	count(&bad_malloc);
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	count(&bad_malloc);
	return __libc_realloc(p, size);
}

void free(void *p)
{
	count(&bad_free);
	__libc_free(p);
}

#define WRAP(ret, name, params, args, counter)                                                               \
	ret name params                                                                                      \
	{                                                                                                    \
		static ret(*real) params;                                                                    \
		if (!real) {                                                                                 \
			*(void **)&real = dlsym(RTLD_NEXT, #name);                                           \
		}                                                                                            \
		count(&(counter));                                                                           \
		return real args;                                                                            \
	}

WRAP(int, pthread_mutex_lock, (pthread_mutex_t * m), (m), bad_lock)
WRAP(int, pthread_rwlock_rdlock, (pthread_rwlock_t * l), (l), bad_lock)
WRAP(int, pthread_rwlock_wrlock, (pthread_rwlock_t * l), (l), bad_lock)
WRAP(int, pthread_cond_signal, (pthread_cond_t * c), (c), bad_lock)
WRAP(int, fputs, (const char *s, FILE *f), (s, f), bad_stdio)
WRAP(int, vfprintf, (FILE * f, const char *fmt, va_list ap), (f, fmt, ap), bad_stdio)
WRAP(int, vsnprintf, (char *s, size_t n, const char *fmt, va_list ap), (s, n, fmt, ap), bad_stdio)
WRAP(size_t, fwrite, (const void *p, size_t s, size_t n, FILE *f), (p, s, n, f), bad_stdio)

__attribute__((destructor)) static void report(void)
{
	const char *path = getenv("RT_TRAP_REPORT");
	FILE *f = path ? fopen(path, "w") : NULL;
	unsigned bad = 0;

	if (!f) {
		return;
	}
	for (unsigned i = 0; i < SYSCALLS; i++) {
		bad += atomic_load(&bad_syscalls[i]);
	}
	fprintf(f,
		"{\"callbacks\": %llu, \"untrapped\": %llu, \"kicks\": %llu, \"kicks_max\": %llu, "
		"\"malloc\": %u, "
		"\"free\": %u, \"lock\": %u, \"stdio\": %u, \"syscalls\": %u, \"syscall_numbers\": [",
		atomic_load(&callbacks), atomic_load(&unprepared), atomic_load(&kicks),
		atomic_load(&kicks_max), atomic_load(&bad_malloc), atomic_load(&bad_free),
		atomic_load(&bad_lock), atomic_load(&bad_stdio), bad);
	for (unsigned i = 0, n = 0; i < SYSCALLS; i++) {
		if (atomic_load(&bad_syscalls[i])) {
			fprintf(f, "%s%u", n++ ? ", " : "", i);
		}
	}
	fprintf(f, "]}\n");
	fclose(f);
}
