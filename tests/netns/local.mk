# Not part of `make check`: they need root and take minutes. `sudo make check-netns` or the top folder's `check` run them.
NETNS_TESTS = \
	tests/netns/test-errors.sh \
	tests/netns/test-bandwidth.sh \
	tests/netns/test-mixer.sh \
	tests/netns/test-probe.sh \
	tests/netns/test-start.sh \
	tests/netns/test-startup.sh \
	tests/netns/test-jack.sh \
	tests/netns/test-backend-insert.sh \
	tests/netns/test-rt-trap.sh \
	tests/netns/test-recover.sh \
	tests/netns/test-recovery-times.sh \
	tests/netns/test-reload.sh \
	tests/netns/test-takeover.sh \
	tests/netns/test-random.sh \
	tests/netns/test-ctl.sh \
	tests/netns/test-settings.sh \
	tests/netns/test-flood.sh \
	tests/netns/test-scan.sh \
	tests/netns/test-doctor.sh \
	tests/netns/test-dbus.sh \
	tests/netns/test-dbus-system.sh \
	tests/netns/test-dbus-bad.sh \
	tests/netns/test-hostile.sh \
	tests/netns/test-netvst-client.sh \
	tests/netns/test-netvst-server.sh \
	tests/netns/test-netvst-both.sh \
	tests/netns/test-netvst-hostile.sh \
	tests/netns/test-netvst-many.sh \
	tests/netns/test-netvst-pipewire.sh \
	tests/netns/test-play.sh \
	tests/netns/test-pw-node.sh \
	tests/netns/test-pw-insert.sh \
	tests/netns/test-pw-volume.sh \
	tests/netns/test-pw-auto.sh \
	tests/netns/test-pw-restart.sh \
	tests/netns/test-pw-play.sh \
	tests/netns/test-boxes32.sh

EXTRA_DIST += \
	$(NETNS_TESTS) \
	tests/screens/mixer-200x60.txt \
	tests/screens/mixer-64x16.txt \
	tests/screens/mixer-80x24.txt \
	tests/screens/mixer-80x24-attic.txt \
	tests/screens/mixer-80x24-hall.txt \
	tests/screens/mixer-ascii.txt \
	tests/screens/mixer-help.txt \
	tests/lib/check-scripts.sh \
	tests/lib/check-valgrind.sh \
	tests/lib/dbus.sh \
	tests/lib/netns.sh \
	tests/lib/netvst.sh \
	tests/lib/pipewire.sh \
	tests/lib/procs.sh \
	tests/lib/setup.sh \
	tests/lib/watch.sh

.PHONY: check-netns
check-netns: all
	@failed=0; for t in $(NETNS_TESTS); do \
		echo "== $$t"; BUILD=$(abs_builddir) bash $(srcdir)/$$t; r=$$?; \
		test $$r -eq 0 || test $$r -eq 77 || failed=1; \
	done; exit $$failed
