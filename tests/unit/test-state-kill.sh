#!/bin/bash
# kill -9 while settings are written, a thousand times: none that was known to be written is lost, and none is damaged.
# BUILD is the build folder (default: the current one); ROUNDS and SEED can be given, to see a failure again.
set -u

build=${BUILD:-.}
rounds=1000
[ "${SANITIZERS:-no}" = yes ] && rounds=100
rounds=${ROUNDS:-$rounds}
seed=${SEED:-$((RANDOM << 15 | RANDOM))}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

printf 'ROUNDS=%d SEED=%d\n' "$rounds" "$seed"
if ! "$build/tests/tools/state-storm" "$dir/state" "$rounds" "$seed"; then
	printf 'not ok - settings survive kill -9; this is what was left:\n'
	ls -la "$dir/state"
	head -n 60 "$dir/state"/settings*
	exit 1
fi
if ! tail -n 1 "$dir/state/settings" | grep -qE '^# checksum [0-9a-f]{16}$'; then
	printf 'not ok - the file ends with its checksum\n'
	exit 1
fi
printf 'ok - settings survive kill -9\n'
