EXTRA_DIST += tests/tools/test-wav-compare.sh

if WITH_TESTS
noinst_PROGRAMS += tests/tools/bus-flood tests/tools/bus-peer tests/tools/tap-link
tests_tools_bus_flood_SOURCES = tests/tools/bus-flood.c
tests_tools_bus_flood_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
tests_tools_bus_flood_LDADD = $(SYSTEMD_LIBS)

tests_tools_bus_peer_SOURCES = tests/tools/bus-peer.c
tests_tools_bus_peer_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
tests_tools_bus_peer_LDADD = $(SYSTEMD_LIBS)

tests_tools_tap_link_SOURCES = tests/tools/tap-link.c
tests_tools_tap_link_LDADD = libproto.a
endif

# Links the backend alone, without the daemon.
if WITH_TESTS
if WITH_JACK
noinst_PROGRAMS += tests/tools/jack-insert
tests_tools_jack_insert_SOURCES = \
	tests/tools/insert-probe.c \
	tests/tools/insert-probe.h \
	tests/tools/jack-insert-graph.c \
	tests/tools/jack-insert.c \
	tests/tools/jack-insert.h
tests_tools_jack_insert_CFLAGS = $(AM_CFLAGS) $(JACK_CFLAGS)
tests_tools_jack_insert_LDADD = libbackend.a $(JACK_LIBS) -lpthread -lm
endif
endif

# They read and write sound files and play through JACK: built where both are there anyway.
if WITH_TESTS
if WITH_JACK
if WITH_EMULATOR
noinst_PROGRAMS += \
	tests/tools/frame-spray \
	tests/tools/insert-play \
	tests/tools/jack-feed \
	tests/tools/netvst-hostile \
	tests/tools/wav-compare

tests_tools_frame_spray_SOURCES = tests/tools/frame-spray.c

tests_tools_jack_feed_SOURCES = \
	tests/tools/jack-feed.c \
	tests/tools/material.c \
	tests/tools/material.h \
	tests/tools/player.c \
	tests/tools/player.h \
	tests/tools/stall.c \
	tests/tools/stall.h
tests_tools_jack_feed_CFLAGS = $(AM_CFLAGS) $(JACK_CFLAGS) $(SNDFILE_CFLAGS)
tests_tools_jack_feed_LDADD = $(JACK_LIBS) $(SNDFILE_LIBS) -lm -lpthread

tests_tools_insert_play_SOURCES = \
	tests/tools/insert-check.c \
	tests/tools/insert-check.h \
	tests/tools/insert-options.c \
	tests/tools/insert-options.h \
	tests/tools/insert-play.c \
	tests/tools/material.c \
	tests/tools/material.h \
	tests/tools/stall.c \
	tests/tools/stall.h
tests_tools_insert_play_CFLAGS = $(AM_CFLAGS) $(JACK_CFLAGS) $(SNDFILE_CFLAGS)
tests_tools_insert_play_LDADD = $(JACK_LIBS) $(SNDFILE_LIBS) -lm -lpthread

tests_tools_netvst_hostile_SOURCES = tests/tools/netvst-hostile.c
tests_tools_netvst_hostile_LDADD = libproto.a $(WAVPACK_LIBS)

tests_tools_wav_compare_SOURCES = \
	tests/tools/material.c \
	tests/tools/material.h \
	tests/tools/wav-compare.c
tests_tools_wav_compare_CFLAGS = $(AM_CFLAGS) $(SNDFILE_CFLAGS)
tests_tools_wav_compare_LDADD = $(SNDFILE_LIBS) -lm

TESTS += tests/tools/test-wav-compare.sh
endif
endif
endif

if WITH_TESTS
if WITH_PIPEWIRE
if WITH_EMULATOR
noinst_PROGRAMS += tests/tools/pw-feed
tests_tools_pw_feed_SOURCES = \
	tests/tools/material.c \
	tests/tools/material.h \
	tests/tools/player.c \
	tests/tools/player.h \
	tests/tools/pw-feed.c \
	tests/tools/stall.c \
	tests/tools/stall.h
tests_tools_pw_feed_CFLAGS = $(AM_CFLAGS) $(PIPEWIRE_CFLAGS) $(SNDFILE_CFLAGS)
tests_tools_pw_feed_LDADD = $(PIPEWIRE_LIBS) $(SNDFILE_LIBS) -lm -lpthread
endif
endif
endif

if WITH_TESTS
if WITH_PIPEWIRE
noinst_PROGRAMS += tests/tools/pw-clock tests/tools/pw-insert
tests_tools_pw_clock_SOURCES = tests/tools/clock-sample.h tests/tools/pw-clock.c
tests_tools_pw_clock_CFLAGS = $(AM_CFLAGS) $(PIPEWIRE_CFLAGS)
tests_tools_pw_clock_LDADD = $(PIPEWIRE_LIBS)

tests_tools_pw_insert_SOURCES = tests/tools/clock-sample.h tests/tools/pw-insert.c
tests_tools_pw_insert_CFLAGS = $(AM_CFLAGS) $(PIPEWIRE_CFLAGS)
tests_tools_pw_insert_LDADD = libbackend.a $(PIPEWIRE_LIBS) -lpthread
endif
endif
