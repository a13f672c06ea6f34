# What the tests need too, without an interface or a sound file.
noinst_LIBRARIES += libemubox.a
libemubox_a_SOURCES = \
	src/emu/box-internal.h \
	src/emu/box-play.c \
	src/emu/box.c \
	src/emu/box.h \
	src/emu/command.c \
	src/emu/command.h \
	src/emu/dhcp.c \
	src/emu/dhcp.h \
	src/emu/pattern.c \
	src/emu/pattern.h \
	src/emu/serials.c \
	src/emu/serials.h

if WITH_EMULATOR
bin_PROGRAMS += ethlink-emu
ethlink_emu_SOURCES = \
	src/emu/emu-internal.h \
	src/emu/emu-report.c \
	src/emu/emu.c \
	src/emu/emu.h \
	src/emu/main.c \
	src/emu/options.c \
	src/emu/options.h \
	src/emu/out.c \
	src/emu/out.h \
	src/emu/record.c \
	src/emu/record.h \
	src/emu/report.c \
	src/emu/report.h \
	src/emu/wire.c \
	src/emu/wire.h
ethlink_emu_CPPFLAGS = $(AM_CPPFLAGS) $(SNDFILE_CFLAGS)
ethlink_emu_LDADD = libemubox.a libproto.a libbase.a $(SNDFILE_LIBS) -lm
endif
