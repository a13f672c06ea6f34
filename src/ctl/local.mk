noinst_LIBRARIES += libctl.a
libctl_a_SOURCES = \
	src/ctl/client.c \
	src/ctl/client.h \
	src/ctl/json.c \
	src/ctl/json.h \
	src/ctl/prop.c \
	src/ctl/prop.h \
	src/ctl/status.c \
	src/ctl/status.h \
	src/ctl/status-text.c
libctl_a_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)

bin_PROGRAMS += ethlinkctl
ethlinkctl_SOURCES = src/ctl/main.c
ethlinkctl_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
ethlinkctl_LDADD = libctl.a libbase.a $(SYSTEMD_LIBS)
