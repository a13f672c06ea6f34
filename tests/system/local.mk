# As tests/netns: `sudo make check-system`, or the top folder's `check`.
EXTRA_DIST += \
	tests/lib/container.sh \
	tests/system/test-service.sh

.PHONY: check-system
check-system: all
	BUILD=$(abs_builddir) bash $(srcdir)/tests/system/test-service.sh
