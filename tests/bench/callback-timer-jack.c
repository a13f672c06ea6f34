#include "callback-timer.h"

#include "base/util.h"

#include <dlfcn.h>
#include <jack/jack.h>

static JackProcessCallback real_process;
static JackXRunCallback real_xrun;

static int timed_process(jack_nframes_t frames, void *arg)
{
	int64_t start_ns, took_ns;
	int r;

	callback_timer_begin_rt(now_ns());
	start_ns = now_ns();
	r = real_process(frames, arg);
	took_ns = now_ns() - start_ns;
	callback_timer_add_rt(took_ns, took_ns);
	return r;
}

int jack_set_process_callback(jack_client_t *client, JackProcessCallback callback, void *arg)
{
	int (*real)(jack_client_t *, JackProcessCallback, void *);

	*(void **)&real = dlsym(RTLD_NEXT, "jack_set_process_callback");
	real_process = callback;
	return real(client, timed_process, arg);
}

/*
 * A thread in place of a callback: the graph waits for it from the end of jack_cycle_wait() to jack_cycle_signal(), and for
 * nobody until it waits again.
 */
static __thread int64_t wait_end_ns, signal_ns;

jack_nframes_t jack_cycle_wait(jack_client_t *client)
{
	static jack_nframes_t (*real)(jack_client_t *);
	jack_nframes_t n;

	if (!real) {
		*(void **)&real = dlsym(RTLD_NEXT, "jack_cycle_wait");
	}
	if (wait_end_ns != 0) {
		callback_timer_add_rt(signal_ns - wait_end_ns, now_ns() - wait_end_ns);
	}
	n = real(client);
	callback_timer_begin_rt(now_ns());
	wait_end_ns = now_ns();
	return n;
}

void jack_cycle_signal(jack_client_t *client, int status)
{
	static void (*real)(jack_client_t *, int);

	if (!real) {
		*(void **)&real = dlsym(RTLD_NEXT, "jack_cycle_signal");
	}
	signal_ns = now_ns();
	real(client, status);
}

static int counted_xrun(void *arg)
{
	callback_timer_xrun();
	return real_xrun(arg);
}

int jack_set_xrun_callback(jack_client_t *client, JackXRunCallback callback, void *arg)
{
	int (*real)(jack_client_t *, JackXRunCallback, void *);

	*(void **)&real = dlsym(RTLD_NEXT, "jack_set_xrun_callback");
	real_xrun = callback;
	return real(client, counted_xrun, arg);
}
