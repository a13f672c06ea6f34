#!/bin/bash
# A build that has nothing to do with a library, and passes its tests of the configuration, which knows all backends.
# Usage: check-without.sh BUILD LIBRARY OPTION
#        BUILD is a folder to be made; LIBRARY a part of its name; OPTION what configure is to be told.
cd "$(dirname "$0")/../.." || exit 1
build=$1 library=$2 option=$3

say() {
	if "${@:2}"; then
		printf 'ok - %s\n' "$1"
	else
		printf 'not ok - %s\n' "$1"
		exit 1
	fi
}

# shellcheck disable=SC2317 # called by say
has_nothing_of_it() {
	! ldd "$build/ethlinkd" | grep "$library"
}

mkdir -p "$build" || exit 1
say "configure in $build" env -C "$build" ../configure --enable-werror "$option"
say "build in $build, warnings are errors" make -C "$build" -j"$(nproc)" all
say "$build: nothing of $library is in it" has_nothing_of_it
say "$build: the test of the configuration is built" make -C "$build" tests/unit/test-conf
say "$build: it reads the configuration" env -C "$build" srcdir=.. tests/unit/test-conf
