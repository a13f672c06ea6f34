/*
 * Preloaded into ethlinkd: catches everything that a realtime callback must not do, while it does it.
 *
 * Callbacks are what JACK's thread does in a cycle, before and after it tells the server that it is ready; of PipeWire, the process method of each node of ours, and the hooks
 * around each turn of the data loop. Every system call made inside of one is trapped (Syscall User Dispatch) and then
 * carried out; sendto is counted as a kick, waking a thread as such, any other is a violation. Calls that need no system call but may block
 * or allocate are wrapped. The report is written at exit to the file named by RT_TRAP_REPORT.
 * RT_TRAP_PROVOKE=malloc|lock|stdio|syscall makes the callback break the rule, to show that the trap closes;
 * RT_TRAP_PLACE=node|hook only PipeWire's nodes or only the hooks.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#ifdef HAVE_JACK
#include <jack/jack.h>
#endif
#ifdef HAVE_PIPEWIRE
#include <pipewire/impl.h>
#include <spa/node/node.h>
#endif
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

static atomic_ullong callbacks, node_callbacks, hook_callbacks, kicks, wakes, calls_now, calls_max,
	unprepared;
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
		atomic_fetch_add(&calls_now, 1);
	} else if (nr == SYS_futex && (uc->uc_mcontext.gregs[REG_RSI] & FUTEX_CMD_MASK) == FUTEX_WAKE) {
		atomic_fetch_add(&wakes, 1);
		atomic_fetch_add(&calls_now, 1);
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

static void break_rule(const char *what)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

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

static void provoke(const char *place)
{
	static const char *what, *where;
	static bool looked;

	if (!looked) {
		looked = true;
		what = getenv("RT_TRAP_PROVOKE");
		where = getenv("RT_TRAP_PLACE");
	}
	if (what && (!where || strcmp(where, place) == 0)) {
		break_rule(what);
	}
}

/* Closes the trap around what follows; false: it cannot be closed. */
static bool begin_callback(const char *place)
{
	if (!prepared) {
		prepared = prepare();
	}
	if (!prepared) {
		atomic_fetch_add(&unprepared, 1);
		return false;
	}
	atomic_store(&calls_now, 0);
	in_callback = true;
	selector = SELECTOR_BLOCK;
	provoke(place);
	return true;
}

static void end_callback(void)
{
	unsigned long long n;

	selector = SELECTOR_ALLOW;
	in_callback = false;
	atomic_fetch_add(&callbacks, 1);
	n = atomic_load(&calls_now);
	if (n > atomic_load(&calls_max)) {
		atomic_store(&calls_max, n);
	}
}

#ifdef HAVE_JACK
/* From the end of one jack_cycle_wait() to the beginning of the next, but for what libjack does in jack_cycle_signal(). */
static __thread bool jack_closed;

jack_nframes_t jack_cycle_wait(jack_client_t *client)
{
	jack_nframes_t (*real)(jack_client_t *);
	jack_nframes_t n;

	if (jack_closed) {
		end_callback();
	}
	*(void **)&real = dlsym(RTLD_NEXT, "jack_cycle_wait");
	n = real(client);
	jack_closed = begin_callback("jack");
	return n;
}

void jack_cycle_signal(jack_client_t *client, int status)
{
	void (*real)(jack_client_t *, int);

	selector = SELECTOR_ALLOW;
	in_callback = false;
	*(void **)&real = dlsym(RTLD_NEXT, "jack_cycle_signal");
	real(client, status);
	if (jack_closed) {
		in_callback = true;
		selector = SELECTOR_BLOCK;
	}
}
#endif

#ifdef HAVE_PIPEWIRE
/*
 * A node and its loop are tables of functions. A node goes to the graph with a table of ours, in which only process differs;
 * whose it is follows from the object, which is the real node's. They are never freed: an old one may still be in use.
 */
struct shadow_node {
	struct spa_node node;
	struct spa_node_methods methods;
	int (*real_process)(void *object);
	void *object;
};

#define SHADOWS_MAX 4096

static struct shadow_node *_Atomic shadows[SHADOWS_MAX];
static atomic_uint n_shadows;

/* The newest one: an object's memory may have been another node's before. */
static struct shadow_node *shadow_of(const void *object)
{
	for (unsigned i = atomic_load(&n_shadows); i > 0; i--) {
		struct shadow_node *s = atomic_load(&shadows[i - 1]);

		if (s && s->object == object) {
			return s;
		}
	}
	abort();
}

static int trapped_process(void *object)
{
	const struct shadow_node *s = shadow_of(object);
	bool closed = begin_callback("node");
	int r = s->real_process(object);

	if (closed) {
		end_callback();
		atomic_fetch_add(&node_callbacks, 1);
	}
	return r;
}

static struct spa_node *shadow_node(const struct spa_node *real)
{
	const struct spa_node_methods *methods = real->iface.cb.funcs;
	struct shadow_node *s = calloc(1, sizeof(*s));
	unsigned i = atomic_load(&n_shadows);

	if (!s || i == SHADOWS_MAX) {
		abort();
	}
	s->node = *real;
	s->methods = *methods;
	s->real_process = methods->process;
	s->object = real->iface.cb.data;
	s->methods.process = trapped_process;
	s->node.iface.cb.funcs = &s->methods;
	atomic_store(&shadows[i], s);
	atomic_store(&n_shadows, i + 1);
	return &s->node;
}

/* However a node comes to the graph, it passes here. */
int pw_impl_node_set_implementation(struct pw_impl_node *node, struct spa_node *spa_node)
{
	int (*real)(struct pw_impl_node *, struct spa_node *);

	*(void **)&real = dlsym(RTLD_NEXT, "pw_impl_node_set_implementation");
	return real(node, shadow_node(spa_node));
}

struct shadow_hooks {
	struct spa_loop_control_hooks hooks;
	const struct spa_loop_control_hooks *real;
	void *data;
};

static const struct spa_loop_control_methods *real_control;
static struct spa_loop_control_methods shadow_control;

static void trapped_hook(struct shadow_hooks *h, void (*hook)(void *))
{
	bool closed = begin_callback("hook");

	hook(h->data);
	if (closed) {
		end_callback();
		atomic_fetch_add(&hook_callbacks, 1);
	}
}

static void trapped_before(void *data)
{
	struct shadow_hooks *h = data;

	trapped_hook(h, h->real->before);
}

static void trapped_after(void *data)
{
	struct shadow_hooks *h = data;

	trapped_hook(h, h->real->after);
}

static void add_shadow_hook(
	void *object, struct spa_hook *hook, const struct spa_loop_control_hooks *hooks, void *data)
{
	struct shadow_hooks *h = calloc(1, sizeof(*h));

	if (!h) {
		abort();
	}
	h->hooks.version = hooks->version;
	h->hooks.before = hooks->before ? trapped_before : NULL;
	h->hooks.after = hooks->after ? trapped_after : NULL;
	h->real = hooks;
	h->data = data;
	real_control->add_hook(object, hook, &h->hooks, h);
}

/* The data loop itself keeps its identity; only its table is another. */
struct pw_loop *pw_data_loop_get_loop(struct pw_data_loop *data_loop)
{
	struct pw_loop *(*real)(struct pw_data_loop *);
	struct pw_loop *loop;

	*(void **)&real = dlsym(RTLD_NEXT, "pw_data_loop_get_loop");
	loop = real(data_loop);
	if (loop && loop->control->iface.cb.funcs != &shadow_control) {
		real_control = loop->control->iface.cb.funcs;
		shadow_control = *real_control;
		shadow_control.add_hook = add_shadow_hook;
		loop->control->iface.cb.funcs = &shadow_control;
	}
	return loop;
}
#endif

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
		"{\"callbacks\": %llu, \"nodes\": %llu, \"hooks\": %llu, \"untrapped\": %llu, \"kicks\": "
		"%llu, \"wakes\": %llu, \"calls_max\": %llu, "
		"\"malloc\": %u, "
		"\"free\": %u, \"lock\": %u, \"stdio\": %u, \"syscalls\": %u, \"syscall_numbers\": [",
		atomic_load(&callbacks), atomic_load(&node_callbacks), atomic_load(&hook_callbacks),
		atomic_load(&unprepared), atomic_load(&kicks), atomic_load(&wakes), atomic_load(&calls_max),
		atomic_load(&bad_malloc), atomic_load(&bad_free), atomic_load(&bad_lock),
		atomic_load(&bad_stdio), bad);
	for (unsigned i = 0, n = 0; i < SYSCALLS; i++) {
		if (atomic_load(&bad_syscalls[i])) {
			fprintf(f, "%s%u", n++ ? ", " : "", i);
		}
	}
	fprintf(f, "]}\n");
	fclose(f);
}
