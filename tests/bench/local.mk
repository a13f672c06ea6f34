# Benchmarks: `make bench-programs` builds them, tests/bench/run-bench.sh runs them side by side.
EXTRA_PROGRAMS += tests/bench/bench-sample
tests_bench_bench_sample_LDADD = $(DSP_LIBS) -lm
bench_programs = tests/bench/bench-sample

if WITH_JACK
jack_benches = tests/bench/plain-port tests/bench/jack-null tests/bench/jack-source
EXTRA_PROGRAMS += $(jack_benches)
bench_programs += $(jack_benches)
BENCH_JACK = tests/bench/jack-bench.c tests/bench/jack-bench.h

tests_bench_plain_port_SOURCES = tests/bench/plain-port.c $(BENCH_JACK)
tests_bench_plain_port_CFLAGS = $(AM_CFLAGS) $(JACK_CFLAGS)
tests_bench_plain_port_LDADD = libproto.a $(JACK_LIBS)

tests_bench_jack_null_SOURCES = tests/bench/jack-null.c $(BENCH_JACK)
tests_bench_jack_null_CFLAGS = $(AM_CFLAGS) $(JACK_CFLAGS)
tests_bench_jack_null_LDADD = $(JACK_LIBS)

tests_bench_jack_source_SOURCES = tests/bench/jack-source.c $(BENCH_JACK)
tests_bench_jack_source_CFLAGS = $(AM_CFLAGS) $(JACK_CFLAGS)
tests_bench_jack_source_LDADD = $(JACK_LIBS) -lm
endif

.PHONY: bench-programs
bench-programs: $(bench_programs)
CLEANFILES += $(EXTRA_PROGRAMS)
