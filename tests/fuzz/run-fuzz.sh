#!/bin/bash
# The fuzz targets: the configuration's over its corpus, and NetVST's for some seconds more over inputs made at random.
# Usage: FUZZ_BUILD=folder run-fuzz.sh [SECONDS [SEED]]; best in a build with --enable-sanitizers. The same seed, the same inputs.
set -u
srcdir=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
build=$(cd "${FUZZ_BUILD:-.}" && pwd) || exit 1
seconds=${1:-60}
seed=${2:-1}
failed=0
export srcdir

# what CMD...
check() {
	local what=$1

	shift
	# All processor time that others leave.
	if nice -n 19 "$@"; then
		printf 'ok - %s\n' "$what"
	else
		printf 'not ok - %s\n' "$what"
		failed=1
	fi
}

make -s -C "$build" fuzz-programs || exit 1
cd "$build" || exit 1
check "fuzz: configuration, corpus" tests/fuzz/fuzz-conf
check "fuzz: NetVST, corpus and $seconds s" tests/fuzz/fuzz-netvst --seconds "$seconds" --seed "$seed"
exit "$failed"
