#!/bin/bash
# What the realtime path takes for a frame without a kernel and an audio server: ns by the clock (bench-cycle), and instructions
# by callgrind where that is there.
set -u
export LC_ALL=C

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/bench/callgrind.sh
. "$HERE/callgrind.sh"
BUILD=${BUILD:-.}

usage() {
	cat << 'END'
Usage: tests/bench/run-cycle.sh --json FILE
Measures what ethlinkd's own code takes for a frame, for 1 to 32 boxes with 0 to 8 channels connected: prints ns a frame, and
writes them with the instructions a frame to FILE. No root. BUILD is the folder of `make bench-programs` (default: the current one).
Exit status: 0, 1 if something could not be measured, 2 for a bad command line.
END
}

case ${1-} in
--help | -h)
	usage
	exit 0
	;;
esac
if [ $# -ne 2 ] || [ "$1" != --json ]; then
	usage >&2
	exit 2
fi
json=$2

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
"$BUILD/tests/bench/bench-cycle" --json="$folder/ns.json" || exit 1
mapfile -t cases < <(jq -r '.kernels as $k | .period as $p | .results[] | "\($k)-\(.boxes)x\(.channels)-\($p)"' "$folder/ns.json")
mkdir "$folder/count"
if ! callgrind_count "$folder/count" "$BUILD/tests/bench/count-rt" "${cases[@]}" > "$folder/counted"; then
	echo "run-cycle: no instructions are counted: valgrind is missing, or cannot run this build" >&2
	: > "$folder/counted"
fi
jq --rawfile counted "$folder/counted" '
	($counted | split("\n") | map(select(startswith("case ")) | split(" ") | {(.[1]): (.[2] | tonumber)}) | add // {}) as $n
	| .kernels as $k | .period as $p
	| .results |= map(.instructions_per_frame = $n["\($k)-\(.boxes)x\(.channels)-\($p)"])' \
	"$folder/ns.json" > "$folder/all.json" && cp "$folder/all.json" "$json" || {
	printf 'run-cycle: %s cannot be written\n' "$json" >&2
	exit 1
}
