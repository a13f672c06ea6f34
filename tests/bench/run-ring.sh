#!/bin/bash
# Ways of handing frames to an interface, and of taking them from it, against each other on this machine.
set -u
export LC_ALL=C

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BENCH_NAME=run-ring
# shellcheck source=tests/bench/bench.sh
. "$HERE/bench.sh"
BENCH_OPTIONS="frames slice rounds only queue json"

frames=8,64,256
slice=200
rounds=5
only=
queue=

usage() {
	cat << 'END'
Usage: sudo tests/bench/run-ring.sh [OPTION]...
Sends frames over a veth pair in a network namespace of its own, and receives them there, in every way that this system
has, by turns: packet sockets, transmit rings of several kinds, AF_XDP, a kick by another thread. No audio, no audio server.
Prints what each takes beside what ethlinkd does.

  --frames N[,N…]  frames of a cycle, multiples of 8: 8 for each box at period 64 (default 8,64,256)
  --slice MS       measure each way for so long in each round (default 200)
  --rounds N       rounds, in which each way has its turn (default 5); the table has medians, and lowest-highest
  --only TEXT      the ways with TEXT in their name, and ethlinkd's
  --queue KIND     give the interface a queue, as a network card has one: pfifo, fq, … (see tc(8); default: none)
  --json FILE      the same numbers to this file
  --help, --version

BUILD is the folder that `make` and `make bench-programs` were called in (default: the current one). Nothing else
should run on the machine. Exit status: 0, 1 if something could not be measured, 2 for a bad command line.
END
}

# Words of the command line for bench-ring, which judges them.
ring() {
	local args=(--interface="$NT_HOST_IF" --far="$NT_BOX_IF" --frames="$frames" --slice="$slice" --rounds="$rounds")

	[ -z "$only" ] || args+=(--only="$only")
	ip netns exec "$NT_NS" "$RING" "${args[@]}" > "$PROCS_DIR/runs"
}

add_queue() {
	[ -z "$queue" ] || ip netns exec "$NT_NS" tc qdisc replace dev "$NT_HOST_IF" root "$queue" 2> "$PROCS_DIR/tc.err" ||
		bench_fail "this kernel gives no queue of the kind '$queue'"
}

bench_options "$@"
bench_whole --slice "$slice" 10 60000
bench_needs "iproute2 jq" ip jq tc
NT_DAEMON=$(bench_program ethlinkd) && RING=$(bench_program tests/bench/bench-ring) || exit 1
procs_begin
nt_make_ns || bench_fail "there is no network namespace to measure in"
add_queue
about=$(bench_machine | jq --argjson slice "$((10#$slice))" --arg queue "$queue" \
	'del(.seconds) + {slice_ms: $slice, queue: (if $queue == "" then null else $queue end)}') || exit 1
bench_line
ring || exit $?
bench_summary ring.jq table null
[ -z "$json" ] || bench_summary ring.jq json null > "$json"
