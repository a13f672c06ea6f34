#!/bin/bash
# What the daemon costs beside a plain port of the plugin, on this machine, in the same run.
set -u
export LC_ALL=C

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BENCH_NAME=run-bench
# shellcheck source=tests/bench/bench.sh
. "$HERE/bench.sh"

usage() {
	cat << 'END'
Usage: sudo tests/bench/run-bench.sh [OPTION]...
Streams to boxes that take nothing and cost nothing, over a veth pair in a network namespace of its own, by turns with
ethlinkd, with a plain port of the published plugin (sample by sample, one sendto() for each frame), and with a JACK
client that has as many ports and does nothing. Prints what each takes, and how they compare.

  --boxes N[,N…]   how many boxes, 1 to 32 each (default 1,8,32)
  --period N       JACK's period in sample frames: 8, 16, … 1024 (default 64)
  --rate HZ        44100, 48000, 88200 or 96000 (default 48000)
  --seconds S      measure each run for so long (default 10)
  --rounds N       runs of each, by turns (default 3); the table has their medians, and lowest-highest
  --json FILE      everything, single runs included, to this file as well
  --help, --version

BUILD is the folder that `make` and `make bench-programs` were called in (default: the current one). Nothing else
should run on the machine. Exit status: 0, 1 if something could not be measured, 2 for a bad command line.
END
}

# start daemon|plain|null BOXES: the client, with the load on all of its ports; it does what it does when this returns.
start() {
	local name

	case $1 in
	daemon)
		name=ethlink
		bench_daemon "$2"
		;;
	plain)
		name=plain-port
		bench_client "$PLAIN" --interface="$NT_HOST_IF" --boxes="$2" --server="$NT_SERVER"
		;;
	null)
		name=jack-null
		bench_client "$NULL" --boxes="$2" --server="$NT_SERVER"
		;;
	esac
	procs_start source "$SOURCE" --to="^$name:" --ports="$((8 * $2))" --signal=noise --server="$NT_SERVER"
	procs_until 20 "all ports to be connected" grep -q 'connected to' "$PROCS_DIR/source.err" || return 1
	[ "$1" != daemon ] || procs_until 20 "$2 boxes to be online" bench_plays "$2"
}

# one daemon|plain|null BOXES ROUND SECONDS: a run; its numbers are a line in $PROCS_DIR/runs.
one() {
	local lost=0 lost_before=0 cpu_ns frames wall_us

	start "$1" "$2" || bench_fail "$1 with $2 boxes did not get as far as playing"
	[ "$1" != daemon ] || lost_before=$(bench_lost)
	bench_window "$4" || bench_fail "$1 with $2 boxes ended while it was measured"
	if [ "$1" = daemon ]; then
		bench_plays "$2" || bench_fail "the daemon lost sight of a box while it was measured"
		lost=$(($(bench_lost) - lost_before))
	fi
	bench_end_run "$1 with $2 boxes"
	[ "$1" != plain ] || lost=$(jq .send_errors "$PROCS_DIR/client.out")
	jq -c --arg program "$1" --argjson boxes "$2" --argjson round "$3" --argjson cpu_ns "$cpu_ns" \
		--argjson wall_us "$wall_us" --argjson frames "$frames" --argjson lost "$lost" \
		'{boxes: $boxes, round: $round, program: $program, cpu_ns: $cpu_ns, wall_us: $wall_us,
		frames: $frames, lost: $lost} + .' "$PROCS_DIR/report.json" >> "$PROCS_DIR/runs"
}

bench() {
	local n round

	about=$(bench_machine) || exit 1
	bench_line
	for n in ${boxes//,/ }; do
		n=$((10#$n))
		bench_boxes "$n"
		for ((round = 1; round <= rounds; round++)); do
			one daemon "$n" "$round" "$seconds"
			one plain "$n" "$round" "$seconds"
			# A floor needs no long look.
			one null "$n" "$round" $(((seconds + 3) / 4))
		done
		procs_stop boxes
		bench_summary summary.jq table "$n"
	done
	[ -z "$json" ] || bench_summary summary.jq json null > "$json"
}

bench_options "$@"
bench_needs "iproute2 jq jackd2" ip jq jackd jack_lsp
PLAIN=$(bench_program tests/bench/plain-port) && NULL=$(bench_program tests/bench/jack-null) &&
	SOURCE=$(bench_program tests/bench/jack-source) || exit 1
bench_begin
bench_jackd
bench
