# Unit tests, one program a module, and the simulation; `make check` runs them without root or a network.
AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)' NM='$(NM)' AR='$(AR)' SANITIZERS='$(SANITIZERS)'; \
	export srcdir NM AR SANITIZERS;
if WITH_SANITIZERS
SANITIZERS = yes
else
SANITIZERS = no
endif
NM = nm

EXTRA_DIST += \
	tests/unit/bus-server.h \
	tests/unit/netvst-status.h \
	tests/unit/conf-load.h \
	tests/unit/check-includes.sh \
	tests/unit/check-rt-symbols.sh \
	tests/unit/test-state-kill.sh

if WITH_TESTS
unit_tests = \
	tests/unit/test-admission \
	tests/unit/test-auto \
	tests/unit/test-claim \
	tests/unit/test-conf \
	tests/unit/test-ctl-levels \
	tests/unit/test-ctl-meters \
	tests/unit/test-ctl-netvst \
	tests/unit/test-ctl-status \
	tests/unit/test-ctl-watch \
	tests/unit/test-device \
	tests/unit/test-doctor \
	tests/unit/test-echo \
	tests/unit/test-ethlink \
	tests/unit/test-hist \
	tests/unit/test-insert \
	tests/unit/test-journal \
	tests/unit/test-levels \
	tests/unit/test-log \
	tests/unit/test-mixer \
	tests/unit/test-meters \
	tests/unit/test-netvst \
	tests/unit/test-netvst-client \
	tests/unit/test-netvst-conf \
	tests/unit/test-netvst-life \
	tests/unit/test-netvst-net \
	tests/unit/test-netvst-peers \
	tests/unit/test-netvst-server \
	tests/unit/test-netvst-wavpack \
	tests/unit/test-nvpipe \
	tests/unit/test-pacer \
	tests/unit/test-pktring \
	tests/unit/test-policy \
	tests/unit/test-sample \
	tests/unit/test-scan \
	tests/unit/test-state \
	tests/unit/test-switch \
	tests/unit/test-wire-box
if WITH_JACK
unit_tests += tests/unit/test-jack-rt
endif
if WITH_PIPEWIRE
unit_tests += \
	tests/unit/test-pw-insert \
	tests/unit/test-pw-links \
	tests/unit/test-pw-node \
	tests/unit/test-pw-rt
endif
check_PROGRAMS += $(unit_tests) tests/tools/state-storm
TESTS += $(unit_tests) tests/unit/check-includes.sh tests/unit/test-state-kill.sh
if WITH_JACK
TESTS += tests/unit/check-rt-symbols.sh
else
if WITH_PIPEWIRE
TESTS += tests/unit/check-rt-symbols.sh
endif
endif

TEST_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)

tests_unit_test_admission_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_test_admission_LDFLAGS = -Wl,--wrap=link_monitor_speed
tests_unit_test_admission_LDADD = $(tests_unit_test_device_LDADD)

tests_unit_test_auto_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_auto_LDADD = libbackend.a $(CMOCKA_LIBS)

tests_unit_test_claim_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_claim_LDADD = libproto.a $(CMOCKA_LIBS)

tests_unit_test_device_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_test_device_LDADD = libdaemon.a libbackend.a libengine.a libnet.a $(DSP_LIBS) libproto.a libbase.a \
	$(JACK_LIBS) $(PIPEWIRE_LIBS) $(SYSTEMD_LIBS) $(INIH_LIBS) $(WAVPACK_LIBS) $(CMOCKA_LIBS) -lpthread -lm

tests_unit_test_netvst_life_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_test_netvst_life_LDADD = $(tests_unit_test_device_LDADD)

tests_unit_test_jack_rt_CFLAGS = $(TEST_CFLAGS) $(JACK_CFLAGS)
tests_unit_test_jack_rt_LDADD = libbackend.a $(CMOCKA_LIBS)

tests_unit_test_doctor_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_test_doctor_LDADD = libctl.a libnet.a libproto.a libbase.a $(SYSTEMD_LIBS) $(CMOCKA_LIBS) -lpthread -lm

# What of netvst-echo needs no socket and no sound file.
tests_unit_test_echo_SOURCES = tests/unit/test-echo.c src/echo/counter.c src/echo/process.c src/echo/script.c
tests_unit_test_echo_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_echo_LDADD = libproto.a libbase.a $(WAVPACK_LIBS) $(CMOCKA_LIBS) -lm

tests_unit_test_ethlink_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_ethlink_LDADD = libproto.a $(CMOCKA_LIBS)

tests_unit_test_meters_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS) $(INIH_CFLAGS)
tests_unit_test_meters_LDADD = libdaemon.a $(CMOCKA_LIBS) -lm

tests_unit_test_nvpipe_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_nvpipe_LDADD = libnet.a $(CMOCKA_LIBS) -lpthread

tests_unit_test_netvst_SOURCES = tests/unit/netvst-blocks.h tests/unit/test-netvst.c
tests_unit_test_netvst_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_test_netvst_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_netvst_LDADD = libproto.a $(WAVPACK_LIBS) $(CMOCKA_LIBS) -lm

tests_unit_test_netvst_wavpack_SOURCES = tests/unit/netvst-blocks.h tests/unit/test-netvst-wavpack.c
tests_unit_test_netvst_wavpack_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_test_netvst_wavpack_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_netvst_wavpack_LDADD = $(tests_unit_test_netvst_LDADD)

tests_unit_test_netvst_client_SOURCES = tests/unit/netvst-rig.c tests/unit/netvst-rig.h tests/unit/test-netvst-client.c
tests_unit_test_netvst_client_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_netvst_client_LDADD = libnet.a libproto.a $(WAVPACK_LIBS) $(CMOCKA_LIBS) -lpthread -lm

tests_unit_test_netvst_net_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_netvst_net_LDADD = $(tests_unit_test_netvst_client_LDADD)

NETVST_DAW = tests/unit/netvst-daw.c tests/unit/netvst-daw.h tests/unit/netvst-rig.c tests/unit/netvst-rig.h
tests_unit_test_netvst_peers_SOURCES = tests/unit/test-netvst-peers.c $(NETVST_DAW)
tests_unit_test_netvst_peers_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_netvst_peers_LDADD = $(tests_unit_test_netvst_client_LDADD)

tests_unit_test_netvst_server_SOURCES = tests/unit/test-netvst-server.c $(NETVST_DAW)
tests_unit_test_netvst_server_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_netvst_server_LDADD = $(tests_unit_test_netvst_client_LDADD)

tests_unit_test_hist_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_hist_LDADD = $(CMOCKA_LIBS) -lpthread

tests_unit_test_insert_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_insert_LDADD = libengine.a libnet.a $(CMOCKA_LIBS) -lm

tests_unit_test_levels_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_levels_LDADD = libdaemon.a $(CMOCKA_LIBS)

tests_unit_test_scan_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_test_scan_LDADD = libctl.a libproto.a libbase.a $(SYSTEMD_LIBS) $(CMOCKA_LIBS) -lm

tests_unit_test_state_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_test_state_LDADD = libdaemon.a libnet.a libproto.a libbase.a $(SYSTEMD_LIBS) $(INIH_LIBS) $(WAVPACK_LIBS) $(CMOCKA_LIBS) -lpthread

tests_tools_state_storm_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
tests_tools_state_storm_LDADD = libdaemon.a libnet.a libproto.a libbase.a $(SYSTEMD_LIBS) $(INIH_LIBS) $(WAVPACK_LIBS) -lpthread

tests_unit_test_log_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_log_LDADD = libbase.a $(CMOCKA_LIBS) -lpthread

tests_unit_test_journal_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_journal_LDADD = libdaemon.a libbase.a $(CMOCKA_LIBS)

tests_unit_test_pacer_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_pacer_LDADD = libengine.a libnet.a libproto.a $(CMOCKA_LIBS) -lpthread

tests_unit_test_policy_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_policy_LDADD = libengine.a libproto.a $(CMOCKA_LIBS)

tests_unit_test_pktring_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_pktring_LDADD = libnet.a $(CMOCKA_LIBS)

tests_unit_test_wire_box_SOURCES = \
	tests/bench/callback-starts.h \
	tests/bench/histogram.c \
	tests/bench/histogram.h \
	tests/bench/wire-box.c \
	tests/bench/wire-box.h \
	tests/unit/test-wire-box.c
tests_unit_test_wire_box_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)
tests_unit_test_wire_box_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_wire_box_LDADD = $(CMOCKA_LIBS)

tests_unit_test_sample_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_sample_LDADD = $(DSP_LIBS) $(CMOCKA_LIBS) -lm

tests_unit_test_switch_SOURCES = tests/bench/switch-model.c tests/bench/switch-model.h tests/unit/test-switch.c
tests_unit_test_switch_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_test_switch_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_switch_LDADD = libengine.a libproto.a $(CMOCKA_LIBS)

tests_unit_test_conf_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS) $(INIH_CFLAGS)
tests_unit_test_conf_LDADD = libdaemon.a libnet.a libproto.a libbase.a $(INIH_LIBS) $(WAVPACK_LIBS) $(CMOCKA_LIBS) -lpthread

tests_unit_test_netvst_conf_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS) $(INIH_CFLAGS)
tests_unit_test_netvst_conf_LDADD = $(tests_unit_test_conf_LDADD)

tests_unit_test_ctl_netvst_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_test_ctl_netvst_LDADD = libctl.a libbase.a $(SYSTEMD_LIBS) $(CMOCKA_LIBS) -lpthread -lm

tests_unit_test_ctl_levels_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_test_ctl_levels_LDADD = libctl.a libbase.a $(SYSTEMD_LIBS) $(CMOCKA_LIBS) -lpthread -lm

tests_unit_test_ctl_meters_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_test_ctl_meters_LDADD = libctl.a libbase.a $(SYSTEMD_LIBS) $(CMOCKA_LIBS) -lm

tests_unit_test_ctl_watch_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_test_ctl_watch_LDADD = libctl.a libbase.a $(SYSTEMD_LIBS) $(CMOCKA_LIBS) -lm

tests_unit_test_ctl_status_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_test_ctl_status_LDADD = libctl.a libbase.a $(SYSTEMD_LIBS) $(CMOCKA_LIBS) -lm

tests_unit_test_mixer_CFLAGS = $(TEST_CFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_test_mixer_LDADD = libctl.a libbase.a $(SYSTEMD_LIBS) $(CMOCKA_LIBS) -lm

tests_unit_test_pw_insert_CFLAGS = $(TEST_CFLAGS) $(PIPEWIRE_CFLAGS)
tests_unit_test_pw_insert_LDADD = libbackend.a $(CMOCKA_LIBS)

tests_unit_test_pw_links_CFLAGS = $(TEST_CFLAGS) $(PIPEWIRE_CFLAGS)
tests_unit_test_pw_links_LDADD = libbackend.a $(CMOCKA_LIBS)

tests_unit_test_pw_node_CFLAGS = $(TEST_CFLAGS) $(PIPEWIRE_CFLAGS)
tests_unit_test_pw_node_LDADD = libbackend.a $(PIPEWIRE_LIBS) $(CMOCKA_LIBS)

tests_unit_test_pw_rt_CFLAGS = $(TEST_CFLAGS) $(PIPEWIRE_CFLAGS)
tests_unit_test_pw_rt_LDADD = libbackend.a $(CMOCKA_LIBS)

sim_tests = tests/unit/test-emu-box tests/sim/test-engine tests/sim/test-insert-client \
	tests/sim/test-insert-slot tests/sim/test-insert-slot-life tests/sim/test-steady tests/sim/test-varying
check_PROGRAMS += $(sim_tests)
TESTS += $(sim_tests)

tests_unit_test_emu_box_CFLAGS = $(TEST_CFLAGS)
tests_unit_test_emu_box_LDADD = libemubox.a libproto.a libbase.a $(CMOCKA_LIBS) -lm

tests_sim_test_engine_SOURCES = tests/sim/signals.c tests/sim/signals.h tests/sim/sim.c tests/sim/sim.h \
	tests/sim/test-engine.c
tests_sim_test_engine_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_sim_test_engine_CFLAGS = $(TEST_CFLAGS)
tests_sim_test_engine_LDADD = libengine.a libbackend.a libnet.a libemubox.a $(DSP_LIBS) libproto.a libbase.a \
	$(JACK_LIBS) $(PIPEWIRE_LIBS) $(CMOCKA_LIBS) -lpthread -lm

tests_sim_test_insert_client_CFLAGS = $(TEST_CFLAGS)
tests_sim_test_insert_client_LDADD = libengine.a libnet.a $(CMOCKA_LIBS) -lm

tests_sim_test_insert_slot_SOURCES = tests/sim/slot-sim.c tests/sim/slot-sim.h tests/sim/test-insert-slot.c
tests_sim_test_insert_slot_CPPFLAGS = $(tests_sim_test_engine_CPPFLAGS)
tests_sim_test_insert_slot_CFLAGS = $(TEST_CFLAGS)
tests_sim_test_insert_slot_LDADD = libengine.a libnet.a $(CMOCKA_LIBS) -lm

tests_sim_test_insert_slot_life_SOURCES = tests/sim/slot-sim.c tests/sim/slot-sim.h \
	tests/sim/test-insert-slot-life.c
tests_sim_test_insert_slot_life_CPPFLAGS = $(tests_sim_test_engine_CPPFLAGS)
tests_sim_test_insert_slot_life_CFLAGS = $(TEST_CFLAGS)
tests_sim_test_insert_slot_life_LDADD = $(tests_sim_test_insert_slot_LDADD)

tests_sim_test_steady_SOURCES = tests/sim/sim.c tests/sim/sim.h tests/sim/test-steady.c
tests_sim_test_steady_CPPFLAGS = $(tests_sim_test_engine_CPPFLAGS)
tests_sim_test_steady_CFLAGS = $(TEST_CFLAGS)
tests_sim_test_steady_LDADD = $(tests_sim_test_engine_LDADD)

tests_sim_test_varying_SOURCES = tests/sim/signals.c tests/sim/signals.h tests/sim/sim.c tests/sim/sim.h \
	tests/sim/test-varying.c
tests_sim_test_varying_CPPFLAGS = $(tests_sim_test_engine_CPPFLAGS)
tests_sim_test_varying_CFLAGS = $(TEST_CFLAGS)
tests_sim_test_varying_LDADD = $(tests_sim_test_engine_LDADD)

# Preloaded into the daemon by tests/netns/test-rt-trap.sh and test-jack.sh. rt-trap needs Syscall User Dispatch, which
# Linux has on x86-64.
if WITH_JACK
preload_traps = tests/tools/cancel-trap.so
if HOST_X86_64
preload_traps += tests/tools/rt-trap.so
endif
noinst_DATA = $(preload_traps)
CLEANFILES += $(preload_traps)
EXTRA_DIST += tests/tools/cancel-trap.c tests/tools/rt-trap.c
build_trap = $(AM_V_CC)$(MKDIR_P) tests/tools && \
	$(CC) $(CFLAGS) -std=gnu11 -D_GNU_SOURCE -include config.h $(WARN_CFLAGS) $(JACK_CFLAGS) \
	$(PIPEWIRE_CFLAGS) -shared -fPIC -o $@
tests/tools/cancel-trap.so: $(srcdir)/tests/tools/cancel-trap.c
	$(build_trap) $(srcdir)/tests/tools/cancel-trap.c -ldl -lpthread
tests/tools/rt-trap.so: $(srcdir)/tests/tools/rt-trap.c
	$(build_trap) $(srcdir)/tests/tools/rt-trap.c -ldl
endif
endif

include tests/tools/local.mk
include tests/netns/local.mk
include tests/bench/local.mk
include tests/fuzz/local.mk
