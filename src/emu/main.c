#include "base/log.h"
#include "base/util.h"
#include "emu/emu.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EXIT_USAGE 2

/* Lines of standard input as they come in. */
struct input {
	int fd; /* -1 where there is no more */
	char line[512];
	size_t len;
	bool too_long;
};

static void take_byte(struct input *in, struct emu *e, char c)
{
	if (c != '\n') {
		if (in->len + 1 < sizeof(in->line)) {
			in->line[in->len++] = c;
		} else {
			in->too_long = true;
		}
		return;
	}
	in->line[in->len] = '\0';
	if (in->too_long) {
		log_error("a command of more than %zu characters is left out", sizeof(in->line) - 1);
	} else {
		emu_command(e, in->line);
	}
	in->len = 0;
	in->too_long = false;
}

static void read_input(struct input *in, struct emu *e)
{
	char buffer[512];
	ssize_t n = read(in->fd, buffer, sizeof(buffer));

	if (n <= 0) {
		if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
			in->fd = -1;
		}
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		take_byte(in, e, buffer[i]);
	}
}

/* True where it is time to end. */
static bool read_signal(int fd, struct emu *e)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info)) {
		return false;
	}
	if (info.ssi_signo == SIGUSR1) {
		emu_power_cycle(e);
		return false;
	}
	return true;
}

static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static void run(struct emu *e, int signal_fd, struct input *in)
{
	while (!emu_is_over(e)) {
		bool wake_on_frame;
		int64_t wait_ns = emu_wait_ns(e, &wake_on_frame);
		struct timespec timeout = {
			.tv_sec = wait_ns / NSEC_PER_SEC, .tv_nsec = wait_ns % NSEC_PER_SEC};
		struct pollfd p[] = {
			{.fd = signal_fd, .events = POLLIN},
			{.fd = in->fd, .events = POLLIN},
			{.fd = emu_fd(e), .events = wake_on_frame ? POLLIN : 0},
		};

		if (ppoll(p, ARRAY_SIZE(p), &timeout, NULL) < 0 && errno != EINTR) {
			log_error("waiting for something to do: %s", strerror(errno));
			return;
		}
		if (p[0].revents && read_signal(signal_fd, e)) {
			return;
		}
		if (p[1].revents) {
			read_input(in, e);
		}
		if (p[2].revents & (POLLERR | POLLHUP | POLLNVAL)) {
			emu_interface_error(e);
		}
		emu_turn(e);
	}
}

int main(int argc, char **argv)
{
	struct options opt;
	struct input in = {.fd = -1};
	struct emu *e = NULL;
	int signal_fd, r;

	log_set_program("ethlink-emu");
	r = options_parse(argc, argv, &opt);
	if (r <= 0) {
		options_fini(&opt);
		return r == 0 ? 0 : r == -EINVAL ? EXIT_USAGE : 1;
	}
	log_set_level(opt.verbose ? LOG_DEBUG : LOG_INFO);
	signal_fd = open_signals();
	if (signal_fd < 0) {
		log_error("signalfd: %s", strerror(-signal_fd));
		options_fini(&opt);
		return 1;
	}
	/* A reply has to leave when it is due: hosts read a clock off it. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	r = emu_new(&opt, &e);
	if (r == 0) {
		if (opt.commands) {
			in.fd = STDIN_FILENO;
		}
		emu_ready(e);
		run(e, signal_fd, &in);
		r = emu_free(e);
	}
	close(signal_fd);
	options_fini(&opt);
	return r < 0 ? 1 : 0;
}
