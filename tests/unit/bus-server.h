/*
 * The daemon's end of a private socket, for tests: answers on one connection until that ends. Runs in a thread of the
 * test's own. Header only.
 */
#ifndef TESTS_UNIT_BUS_SERVER_H
#define TESTS_UNIT_BUS_SERVER_H

#include <stdint.h>
#include <stdlib.h>

#include <systemd/sd-bus.h>

/* fd: a connected socket, which this closes. path: of the object that is served, and all below it. */
static inline void bus_serve(int fd, const char *path, sd_bus_message_handler_t handler, void *data)
{
	sd_bus *bus = NULL;
	sd_id128_t id;
	int r;

	if (sd_id128_randomize(&id) < 0 || sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 ||
		sd_bus_set_server(bus, 1, id) < 0 ||
		sd_bus_add_fallback(bus, NULL, path, handler, data) < 0 || sd_bus_start(bus) < 0) {
		abort();
	}
	do {
		r = sd_bus_process(bus, NULL);
		if (r == 0) {
			r = sd_bus_wait(bus, UINT64_MAX);
		}
	} while (r >= 0);
	sd_bus_close_unref(bus);
}

#endif
