# `make fuzz-programs` builds the targets with a main() of their own, which runs them over files, and tests/fuzz/run-fuzz.sh
# runs them; for libFuzzer see the files.
fuzz_programs = tests/fuzz/fuzz-conf tests/fuzz/fuzz-netvst
EXTRA_PROGRAMS += $(fuzz_programs)
tests_fuzz_fuzz_conf_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS) $(INIH_CFLAGS)
tests_fuzz_fuzz_conf_LDADD = libdaemon.a libnet.a libproto.a libbase.a $(INIH_LIBS) $(WAVPACK_LIBS) -lpthread

tests_fuzz_fuzz_netvst_SOURCES = \
	tests/fuzz/fuzz-main.c \
	tests/fuzz/fuzz-netvst.c \
	tests/fuzz/fuzz.h \
	tests/unit/netvst-blocks.h
tests_fuzz_fuzz_netvst_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_fuzz_fuzz_netvst_LDADD = libproto.a $(WAVPACK_LIBS) -lm
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/run-fuzz.sh

.PHONY: fuzz-programs
fuzz-programs: $(fuzz_programs)
