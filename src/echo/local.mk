if WITH_EMULATOR
bin_PROGRAMS += netvst-echo
netvst_echo_SOURCES = \
	src/echo/client.c \
	src/echo/client.h \
	src/echo/connect.c \
	src/echo/connect.h \
	src/echo/counter.c \
	src/echo/counter.h \
	src/echo/main.c \
	src/echo/material.c \
	src/echo/material.h \
	src/echo/options.c \
	src/echo/options.h \
	src/echo/peer.c \
	src/echo/peer.h \
	src/echo/print.c \
	src/echo/print.h \
	src/echo/process.c \
	src/echo/process.h \
	src/echo/run.c \
	src/echo/run.h \
	src/echo/script.c \
	src/echo/script.h \
	src/echo/server.c \
	src/echo/server.h \
	src/echo/wav.c \
	src/echo/wav.h
netvst_echo_CPPFLAGS = $(AM_CPPFLAGS) $(SNDFILE_CFLAGS)
netvst_echo_LDADD = libproto.a libbase.a $(SNDFILE_LIBS) $(WAVPACK_LIBS) -lm
endif
