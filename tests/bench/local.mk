# Benchmarks: `make bench-programs` builds them; `sudo make bench` measures what the daemon costs beside a plain port of
# the plugin and the floor, how soon its frames are on the wire, and how far it goes (BENCH_ARGS: options of the scripts
# that tests/bench/run-all.sh runs; BENCH_JSON: a folder for all numbers as JSON); `sudo make bench-pipewire` runs
# it under PipeWire beside JACK (options of tests/bench/run-pipewire.sh); `sudo make bench-netvst` measures inserts beside
# plain NetVST clients (options of tests/bench/run-netvst.sh); `sudo make bench-ring` measures ways to send and to receive
# against each other (options of tests/bench/run-ring.sh); `make bench-cycle` what is not the kernel's; `make plots` draws what they have written (BENCH_JSON).
INSERT_RIG = tests/bench/insert-rig.c tests/bench/insert-rig.h
CYCLE_RIG = tests/bench/cycle-rig.c tests/bench/cycle-rig.h
CYCLE_LIBS = libengine.a libnet.a $(DSP_LIBS) libproto.a libbase.a -lpthread -lm
EXTRA_PROGRAMS += tests/bench/bench-cycle tests/bench/bench-insert tests/bench/bench-sample tests/bench/count-rt \
	tests/bench/netvst-codec tests/bench/netvst-io
tests_bench_netvst_io_LDADD = libnet.a libproto.a $(WAVPACK_LIBS) -lpthread -lm
tests_bench_bench_cycle_SOURCES = tests/bench/bench-cycle.c $(CYCLE_RIG)
tests_bench_bench_cycle_LDADD = $(CYCLE_LIBS)
tests_bench_bench_insert_SOURCES = tests/bench/bench-insert.c $(INSERT_RIG)
tests_bench_bench_insert_LDADD = libengine.a libnet.a
tests_bench_count_rt_SOURCES = tests/bench/count-rt.c $(CYCLE_RIG) $(INSERT_RIG)
tests_bench_count_rt_LDADD = $(CYCLE_LIBS)
tests_bench_bench_sample_LDADD = $(DSP_LIBS) -lm
tests_bench_netvst_codec_LDADD = libproto.a $(WAVPACK_LIBS) -lm
tests_bench_switch_sim_SOURCES = tests/bench/switch-model.c tests/bench/switch-model.h tests/bench/switch-sim.c
tests_bench_switch_sim_LDADD = libengine.a libproto.a libbase.a
bench_programs = tests/bench/bench-cycle tests/bench/bench-insert tests/bench/bench-sample tests/bench/count-rt \
	tests/bench/netvst-codec tests/bench/netvst-io tests/bench/switch-sim

# Rings without audio: the floor that the daemon is measured against, and ways to send and receive.
ring_benches = tests/bench/bench-ring tests/bench/ring-floor
EXTRA_PROGRAMS += $(ring_benches)
bench_programs += $(ring_benches)
tests_bench_bench_ring_SOURCES = \
	tests/bench/bench-option.h \
	tests/bench/bench-ring-far.c \
	tests/bench/bench-ring-frames.c \
	tests/bench/bench-ring-frames.h \
	tests/bench/bench-ring-receive.c \
	tests/bench/bench-ring-send.c \
	tests/bench/bench-ring-xdp.c \
	tests/bench/bench-ring.c \
	tests/bench/bench-ring.h \
	tests/bench/histogram.c \
	tests/bench/histogram.h
tests_bench_bench_ring_LDADD = libengine.a libnet.a libproto.a libbase.a -lpthread
tests_bench_ring_floor_SOURCES = \
	tests/bench/bench-option.h \
	tests/bench/bench-ring-frames.c \
	tests/bench/bench-ring-frames.h \
	tests/bench/histogram.c \
	tests/bench/histogram.h \
	tests/bench/ring-floor.c
tests_bench_ring_floor_LDADD = libengine.a libnet.a libproto.a libbase.a

EXTRA_PROGRAMS += tests/bench/wire-watch
bench_programs += tests/bench/wire-watch
tests_bench_wire_watch_SOURCES = \
	src/emu/wire.c \
	src/emu/wire.h \
	tests/bench/bench-option.h \
	tests/bench/callback-starts.h \
	tests/bench/histogram.c \
	tests/bench/histogram.h \
	tests/bench/wire-box.c \
	tests/bench/wire-box.h \
	tests/bench/wire-watch.c
tests_bench_wire_watch_LDADD = libemubox.a libproto.a libbase.a

EXTRA_DIST += \
	tests/bench/bench.sh \
	tests/bench/callback-timer-jack.c \
	tests/bench/callback-timer-pipewire.c \
	tests/bench/callback-timer.c \
	tests/bench/callback-timer.h \
	tests/bench/callgrind.sh \
	tests/bench/check-instructions.sh \
	tests/bench/figures.jq \
	tests/bench/instructions.txt \
	tests/bench/limits.jq \
	tests/bench/netvst.jq \
	tests/bench/pipewire.jq \
	tests/bench/plot.gp \
	tests/bench/plot.jq \
	tests/bench/plot.sh \
	tests/bench/ring.jq \
	tests/bench/run-all.sh \
	tests/bench/run-bench.sh \
	tests/bench/run-cycle.sh \
	tests/bench/run-limits.sh \
	tests/bench/run-netvst.sh \
	tests/bench/run-pipewire.sh \
	tests/bench/run-ring.sh \
	tests/bench/run-wire.sh \
	tests/bench/smaps.awk \
	tests/bench/summary.jq \
	tests/bench/test-plot.sh \
	tests/bench/wire.jq

if WITH_TESTS
TESTS += tests/bench/test-plot.sh
check_PROGRAMS += tests/bench/switch-sim
else
EXTRA_PROGRAMS += tests/bench/switch-sim
endif

if WITH_JACK
jack_benches = \
	tests/bench/jack-null \
	tests/bench/jack-source \
	tests/bench/null-box \
	tests/bench/plain-port
EXTRA_PROGRAMS += $(jack_benches)
bench_programs += $(jack_benches) tests/bench/callback-timer.so
BENCH_JACK = \
	tests/bench/histogram.c \
	tests/bench/histogram.h \
	tests/bench/jack-bench.c \
	tests/bench/jack-bench.h

tests_bench_plain_port_SOURCES = tests/bench/plain-port.c $(BENCH_JACK)
tests_bench_plain_port_CFLAGS = $(AM_CFLAGS) $(JACK_CFLAGS)
tests_bench_plain_port_LDADD = libproto.a $(JACK_LIBS)

tests_bench_jack_null_SOURCES = tests/bench/jack-null.c $(BENCH_JACK)
tests_bench_jack_null_CFLAGS = $(AM_CFLAGS) $(JACK_CFLAGS)
tests_bench_jack_null_LDADD = $(JACK_LIBS)

tests_bench_jack_source_SOURCES = \
	tests/bench/bench-signal.c \
	tests/bench/bench-signal.h \
	tests/bench/jack-source.c \
	$(BENCH_JACK)
tests_bench_jack_source_CFLAGS = $(AM_CFLAGS) $(JACK_CFLAGS)
tests_bench_jack_source_LDADD = $(JACK_LIBS) -lm

tests_bench_null_box_SOURCES = tests/bench/null-box.c
tests_bench_null_box_LDADD = libproto.a

# Preloaded into whatever is measured.
callback_timer_sources = \
	$(srcdir)/tests/bench/callback-timer-jack.c \
	$(srcdir)/tests/bench/callback-timer.c \
	$(srcdir)/tests/bench/histogram.c

if WITH_PIPEWIRE
EXTRA_PROGRAMS += tests/bench/pw-source
bench_programs += tests/bench/pw-source
tests_bench_pw_source_SOURCES = \
	tests/bench/bench-signal.c \
	tests/bench/bench-signal.h \
	tests/bench/pw-source.c
tests_bench_pw_source_CFLAGS = $(AM_CFLAGS) $(PIPEWIRE_CFLAGS)
tests_bench_pw_source_LDADD = $(PIPEWIRE_LIBS) -lm
callback_timer_sources += $(srcdir)/tests/bench/callback-timer-pipewire.c
endif

callback_timer_headers = \
	$(srcdir)/tests/bench/callback-starts.h \
	$(srcdir)/tests/bench/callback-timer.h \
	$(srcdir)/tests/bench/histogram.h
tests/bench/callback-timer.so: $(callback_timer_sources) $(callback_timer_headers)
	$(AM_V_CC)$(MKDIR_P) tests/bench && \
		$(CC) $(CFLAGS) -std=gnu11 -D_GNU_SOURCE -I$(srcdir)/src $(WARN_CFLAGS) $(JACK_CFLAGS) \
		$(PIPEWIRE_CFLAGS) -shared -fPIC -o $@ $(callback_timer_sources) -ldl
endif

# BENCH_JSON: the folder of the benchmarks' JSON files, and of the plots.
BENCH_JSON = $(srcdir)/doc/performance
.PHONY: bench-programs bench bench-cycle bench-netvst bench-pipewire bench-ring plots
plots: tests/bench/switch-sim
	$(MKDIR_P) '$(BENCH_JSON)'
	tests/bench/switch-sim --rate=48000 --period=1024 --boxes=1,2,3,4,5,6,7,8,9,10,12,16,20,24,28,32 \
		--json='$(BENCH_JSON)/switch.json' > /dev/null
	bash $(srcdir)/tests/bench/plot.sh --json '$(BENCH_JSON)'
bench-programs: $(bench_programs)
bench: all bench-programs
	BUILD='$(abs_builddir)' bash $(srcdir)/tests/bench/run-all.sh $(BENCH_ARGS)
bench-cycle: bench-programs
	$(MKDIR_P) '$(BENCH_JSON)'
	BUILD='$(abs_builddir)' bash $(srcdir)/tests/bench/run-cycle.sh --json '$(BENCH_JSON)/cycle.json'
bench-netvst: all bench-programs
	BUILD='$(abs_builddir)' bash $(srcdir)/tests/bench/run-netvst.sh $(BENCH_ARGS)
bench-pipewire: all bench-programs
	BUILD='$(abs_builddir)' bash $(srcdir)/tests/bench/run-pipewire.sh $(BENCH_ARGS)
bench-ring: all tests/bench/bench-ring
	BUILD='$(abs_builddir)' bash $(srcdir)/tests/bench/run-ring.sh $(BENCH_ARGS)
CLEANFILES += $(EXTRA_PROGRAMS) tests/bench/callback-timer.so
