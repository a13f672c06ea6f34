#!/bin/bash
# How long after the start of the callback a box's frames are on the wire: the daemon beside a plain port of the plugin, on
# this machine, in the same run.
set -u
export LC_ALL=C

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BENCH_NAME=run-wire
# shellcheck source=tests/bench/bench.sh
. "$HERE/bench.sh"

usage() {
	cat << 'END'
Usage: sudo tests/bench/run-wire.sh [OPTION]...
Streams to boxes over a veth pair in a network namespace of its own, by turns with ethlinkd and with a plain port of the
published plugin, and tells how long after the start of the callback the first and the last frame of a box are on the
wire: of four boxes, the first, the last and two between them, as they are sent, and of all four together.

  --boxes N[,N…]   how many boxes, 1 to 32 each (default 1,8,32)
  --periods N[,N…] JACK's periods in sample frames: 8, 16, … 1024 (default 64,256)
  --rate HZ        44100, 48000, 88200 or 96000 (default 48000)
  --seconds S      measure each run for so long (default 3)
  --rounds N       runs of each, by turns (default 2); the table has their medians, and lowest-highest
  --json FILE      everything, single runs included, to this file as well
  --help, --version

A preloaded library writes down when each callback begins, a listener behind the far end when the kernel took over each
frame, by the same clock. The listener costs the sender some 50 ns a frame and 300 ns for those of the four boxes (the far
end of a veth pair works in the sender's name), the library a reading of the clock. With periods that are longer than a
box can take at once, ethlinkd spreads the frames on purpose: the last one is late because the box has no room sooner.

BUILD is the folder that `make` and `make bench-programs` were called in (default: the current one). Nothing else
should run on the machine. Exit status: 0, 1 if something could not be measured, 2 for a bad command line.
END
}

# one daemon|plain BOXES ROUND: a run; its numbers are a line in $PROCS_DIR/runs.
one() {
	local what="$1 with $2 boxes, period $period" lost=0 cpu_ns threads_ns frames wall_us

	bench_watch "$(bench_some_of "$2" 4)" --blocks=$((period / 8)) --starts="$PROCS_DIR/starts"
	export CALLBACK_TIMER_STARTS=$PROCS_DIR/starts
	BENCH_WHY="$what did not get as far as playing"
	"start_$1" "$2" || return 1
	unset CALLBACK_TIMER_STARTS
	[ "$1" = plain ] || lost=$(bench_lost)
	BENCH_WHY="$what ended while it was measured"
	bench_window "$seconds" || return 1
	[ "$1" = plain ] || lost=$(($(bench_lost) - lost))
	bench_watch_end "$what" && bench_ended "$what" || return 1
	[ "$1" = daemon ] || lost=$(jq .send_errors "$PROCS_DIR/client.out")
	rm -f "$PROCS_DIR/starts"
	jq -c --arg program "$1" --argjson boxes "$2" --argjson round "$3" --argjson period "$period" \
		--argjson lost "$lost" --argjson cpu_ns "$cpu_ns" --argjson threads_ns "$threads_ns" \
		--argjson wall_us "$wall_us" --argjson frames "$frames" --slurpfile report "$PROCS_DIR/report.json" \
		'{boxes: $boxes, round: $round, program: $program, period_frames: $period, cpu_ns: $cpu_ns,
		threads_ns: $threads_ns, wall_us: $wall_us, frames: $frames, lost: $lost,
		callback_p50_us: $report[0].p50_us, callback_p99_us: $report[0].p99_us, xruns: $report[0].xruns}
		+ {ring_drops, wire, all_last}' "$PROCS_DIR/watch.json" >> "$PROCS_DIR/runs"
}

start_daemon() {
	bench_daemon "$1"
	bench_load "^ethlink:" $((8 * $1)) && procs_until 20 "$1 boxes to be online" bench_plays "$1"
}

start_plain() {
	bench_client "$PLAIN" --interface="$NT_HOST_IF" --boxes="$1" --server="$NT_SERVER"
	bench_load "^plain-port:" $((8 * $1))
}

bench() {
	local n round

	about=$(bench_machine) && about=$(jq --arg periods "$periods" \
		'del(.period_frames) + {periods: ($periods | split(",") | map(tonumber))}' <<< "$about") || exit 1
	bench_line
	for period in ${periods//,/ }; do
		period=$((10#$period))
		bench_jackd
		for n in ${boxes//,/ }; do
			n=$((10#$n))
			bench_boxes "$n"
			for ((round = 1; round <= rounds; round++)); do
				bench_try one daemon "$n" "$round"
				bench_try one plain "$n" "$round"
			done
			procs_stop boxes
		done
		nt_jackd_end
		bench_summary wire.jq table "$period"
	done
	[ -z "$json" ] || bench_summary wire.jq json null > "$json"
}

seconds=3 rounds=2 periods=64,256
BENCH_OPTIONS="boxes periods rate seconds rounds json"
bench_options "$@"
bench_list --periods "$periods" 8 1024
bench_needs "iproute2 jq jackd2" ip jq jackd jack_lsp
PLAIN=$(bench_program tests/bench/plain-port) && SOURCE=$(bench_program tests/bench/jack-source) &&
	WATCH=$(bench_program tests/bench/wire-watch) || exit 1
bench_begin
bench
