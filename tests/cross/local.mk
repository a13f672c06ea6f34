# The build for aarch64, and its tests under emulation: tests/cross/run-aarch64.sh, which needs no configured tree.
EXTRA_DIST += \
	tests/cross/run-aarch64.sh \
	tests/cross/sysroot.sh

# For scripts: the tests of `make check`, one a line.
.PHONY: print-tests
print-tests:
	@printf '%s\n' $(TESTS)
