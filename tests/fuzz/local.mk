# `make fuzz-conf` builds the target with its own main(), which runs it over files; for libFuzzer see the file.
EXTRA_PROGRAMS += tests/fuzz/fuzz-conf
tests_fuzz_fuzz_conf_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS) $(INIH_CFLAGS)
tests_fuzz_fuzz_conf_LDADD = libdaemon.a libnet.a libproto.a libbase.a $(INIH_LIBS) $(WAVPACK_LIBS) -lpthread
EXTRA_DIST += tests/fuzz/corpus
