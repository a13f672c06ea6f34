#include "echo/run.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define REALTIME_PRIORITY 40 /* below the audio server and what it runs */

int run_open_signals(void)
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
	if (fd < 0) {
		fd = -errno;
		log_error("signalfd: %s", strerror(errno));
	}
	return fd;
}

enum run_signal run_read_signal(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info)) {
		return RUN_NOTHING;
	}
	return info.ssi_signo == SIGUSR1 ? RUN_REPORT : RUN_END;
}

void run_realtime(void)
{
	struct sched_param param = {.sched_priority = REALTIME_PRIORITY};

	if (sched_setscheduler(0, SCHED_FIFO, &param) < 0) {
		log_warning(
			"--realtime: %s; give this user the right (rtprio in limits.conf), or leave it out",
			strerror(errno));
	}
	mlockall(MCL_CURRENT | MCL_FUTURE);
	/* The kernel lets timers of other threads end up to 50 microseconds late. */
	prctl(PR_SET_TIMERSLACK, 1UL);
}

int run_prepare_socket(int fd)
{
	int flags = fcntl(fd, F_GETFL), one = 1;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		return -errno;
	}
	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ? -errno : 0;
}

void run_reset_on_close(int fd)
{
	struct linger linger = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void run_format_address(const struct sockaddr_storage *address, char text[RUN_ADDRESS_MAX])
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *four = (const struct sockaddr_in *)address;
	char ip[INET6_ADDRSTRLEN] = "?";

	if (address->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &six->sin6_addr, ip, sizeof(ip));
		snprintf(text, RUN_ADDRESS_MAX, "[%s]:%u", ip, ntohs(six->sin6_port));
	} else {
		inet_ntop(AF_INET, &four->sin_addr, ip, sizeof(ip));
		snprintf(text, RUN_ADDRESS_MAX, "%s:%u", ip, ntohs(four->sin_port));
	}
}
