# The daemon without main(), so that tests can link it.
noinst_LIBRARIES += libdaemon.a
libdaemon_a_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS) $(INIH_CFLAGS)
libdaemon_a_SOURCES = \
	src/daemon/admission.c \
	src/daemon/admission.h \
	src/daemon/bus-append.c \
	src/daemon/bus-device.c \
	src/daemon/bus-internal.h \
	src/daemon/bus-manager.c \
	src/daemon/bus-names.c \
	src/daemon/bus-netvst-status.c \
	src/daemon/bus-netvst.c \
	src/daemon/bus-socket.c \
	src/daemon/bus-status.c \
	src/daemon/bus-telemetry.c \
	src/daemon/bus.c \
	src/daemon/bus.h \
	src/daemon/conf-graph.c \
	src/daemon/conf-internal.h \
	src/daemon/conf-keys.c \
	src/daemon/conf-netvst-check.c \
	src/daemon/conf-netvst.c \
	src/daemon/conf-print.c \
	src/daemon/conf-sections.c \
	src/daemon/conf-values.c \
	src/daemon/conf.c \
	src/daemon/conf.h \
	src/daemon/device-conf.c \
	src/daemon/device-internal.h \
	src/daemon/device-levels.c \
	src/daemon/device-volume.c \
	src/daemon/device.c \
	src/daemon/device.h \
	src/daemon/folder.c \
	src/daemon/folder.h \
	src/daemon/health.c \
	src/daemon/hold.c \
	src/daemon/hold.h \
	src/daemon/iface.c \
	src/daemon/iface.h \
	src/daemon/journal.c \
	src/daemon/journal.h \
	src/daemon/levels.c \
	src/daemon/levels.h \
	src/daemon/manager.c \
	src/daemon/manager.h \
	src/daemon/memory.c \
	src/daemon/memory.h \
	src/daemon/meters.c \
	src/daemon/meters.h \
	src/daemon/netvst-conf.c \
	src/daemon/netvst-internal.h \
	src/daemon/netvst-levels.c \
	src/daemon/netvst-policy.c \
	src/daemon/netvst-ports.c \
	src/daemon/netvst-say.c \
	src/daemon/netvst.c \
	src/daemon/netvst.h \
	src/daemon/patch.c \
	src/daemon/patch.h \
	src/daemon/reload.c \
	src/daemon/server.c \
	src/daemon/server.h \
	src/daemon/source.c \
	src/daemon/source.h \
	src/daemon/state-file-netvst.c \
	src/daemon/state-file.c \
	src/daemon/state-file.h \
	src/daemon/state-writer.c \
	src/daemon/state-writer.h \
	src/daemon/state.c \
	src/daemon/state.h

sbin_PROGRAMS += ethlinkd
ethlinkd_SOURCES = src/daemon/main.c
ethlinkd_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
ethlinkd_LDADD = libdaemon.a libbackend.a libengine.a libnet.a $(DSP_LIBS) libproto.a libbase.a \
	$(JACK_LIBS) $(PIPEWIRE_LIBS) $(SYSTEMD_LIBS) $(INIH_LIBS) $(WAVPACK_LIBS) -lpthread -lm
