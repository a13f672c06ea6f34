noinst_LIBRARIES += libctl.a
libctl_a_SOURCES = \
	src/ctl/client.c \
	src/ctl/client.h \
	src/ctl/client-call.c \
	src/ctl/client-device.c \
	src/ctl/client-device.h \
	src/ctl/client-entries.c \
	src/ctl/client-entries.h \
	src/ctl/client-netvst.c \
	src/ctl/client-netvst.h \
	src/ctl/client-watch.c \
	src/ctl/client-watch.h \
	src/ctl/cmd-levels.c \
	src/ctl/cmd-meters.c \
	src/ctl/cmd-netvst.c \
	src/ctl/cmd-status.c \
	src/ctl/colour.h \
	src/ctl/command.c \
	src/ctl/command.h \
	src/ctl/doctor-audio.c \
	src/ctl/doctor-cable.c \
	src/ctl/doctor-checks.c \
	src/ctl/doctor-checks.h \
	src/ctl/doctor-daemon.c \
	src/ctl/doctor-daemon.h \
	src/ctl/doctor-facts.c \
	src/ctl/doctor-facts.h \
	src/ctl/doctor-net.c \
	src/ctl/doctor-net.h \
	src/ctl/doctor-netvst.c \
	src/ctl/doctor-pipewire.c \
	src/ctl/doctor-pipewire.h \
	src/ctl/doctor-print.c \
	src/ctl/doctor-print.h \
	src/ctl/doctor-server.c \
	src/ctl/doctor-system.c \
	src/ctl/doctor.c \
	src/ctl/json.c \
	src/ctl/json.h \
	src/ctl/meters.c \
	src/ctl/meters.h \
	src/ctl/mixer-layout.c \
	src/ctl/mixer-layout.h \
	src/ctl/mixer-model.c \
	src/ctl/mixer-model.h \
	src/ctl/prop.c \
	src/ctl/prop.h \
	src/ctl/scan-model.c \
	src/ctl/scan-model.h \
	src/ctl/scan-print.c \
	src/ctl/scan-print.h \
	src/ctl/scan-wire.c \
	src/ctl/scan-wire.h \
	src/ctl/scan.c \
	src/ctl/status.c \
	src/ctl/status.h \
	src/ctl/status-device.c \
	src/ctl/status-internal.h \
	src/ctl/status-netvst.c \
	src/ctl/status-text.c \
	src/ctl/wrap.c \
	src/ctl/wrap.h
libctl_a_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS) $(NCURSES_CFLAGS)
if WITH_MIXER
libctl_a_SOURCES += \
	src/ctl/mixer.c \
	src/ctl/mixer-term.c \
	src/ctl/mixer-term.h \
	src/ctl/mixer-view.c \
	src/ctl/mixer-view.h
else
libctl_a_SOURCES += src/ctl/mixer-none.c
endif

bin_PROGRAMS += ethlinkctl
ethlinkctl_SOURCES = src/ctl/main.c
ethlinkctl_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
ethlinkctl_LDADD = libctl.a libnet.a libproto.a libbase.a $(SYSTEMD_LIBS) $(NCURSES_LIBS) -lm
