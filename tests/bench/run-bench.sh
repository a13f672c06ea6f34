#!/bin/bash
# What the daemon costs beside a plain port of the plugin and beside the least that sending takes, on this machine, in the
# same run.
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
ethlinkd, with a plain port of the published plugin (sample by sample, one sendto() for each frame), with a JACK
client that has as many ports and does nothing, and with a bare loop that fills and kicks as many ring frames without
audio and without JACK (the floor). Prints what each takes, how they compare, how the cost grows with the boxes, and
whether the aims are met.

  --boxes N[,N…]   how many boxes, 1 to 32 each (default 1,2,4,8,16,32)
  --period N       JACK's period in sample frames: 8, 16, … 1024 (default 64)
  --rate HZ        44100, 48000, 88200 or 96000 (default 48000)
  --seconds S      measure each run for so long (default 3)
  --rounds N       runs of each, by turns (default 3); the table has their medians, and lowest-highest
  --json FILE      everything, single runs included, to this file as well
  --help, --version

BUILD is the folder that `make` and `make bench-programs` were called in (default: the current one). Nothing else
should run on the machine. Exit status: 0, 1 if something could not be measured, 2 for a bad command line.
END
}

# It is no client of JACK, so it times itself; nothing is preloaded.
start_floor() {
	bench_forget
	nt_inside client "$FLOOR" --interface="$NT_HOST_IF" --boxes="$1" --period="$period" --rate="$rate"
	procs_until 5 "the floor to send" sends
}

# Has anything left through the host's interface since the last look?
sends() {
	local before=${TX_FRAMES:-}

	bench_read_frames "${PROCS_PID[client]}"
	[ -n "$before" ] && [ -n "$TX_FRAMES" ] && [ "$TX_FRAMES" -gt "$before" ]
}

# start daemon|plain|null|floor BOXES: the client, with the load on all of its ports; it does what it does when this returns.
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
	floor)
		start_floor "$2"
		return
		;;
	esac
	bench_load "^$name:" $((8 * $2)) || return 1
	[ "$1" != daemon ] || procs_until 20 "$2 boxes to be online" bench_plays "$2"
}

# one daemon|plain|null|floor BOXES ROUND SECONDS: a run; its numbers are a line in $PROCS_DIR/runs.
one() {
	local what="$1 with $2 boxes" lost=0 lost_before=0 cpu_ns threads_ns frames wall_us

	BENCH_WHY="$what did not get as far as playing"
	start "$1" "$2" || return 1
	[ "$1" != daemon ] || lost_before=$(bench_lost)
	BENCH_WHY="$what ended while it was measured"
	bench_window "$4" || return 1
	if [ "$1" = daemon ]; then
		BENCH_WHY="the daemon lost sight of a box while it was measured"
		bench_plays "$2" || return 1
		lost=$(($(bench_lost) - lost_before))
	fi
	if [ "$1" = floor ]; then
		end_floor "$what" || return 1
	else
		bench_ended "$what" || return 1
	fi
	[ "$1" != plain ] || lost=$(jq .send_errors "$PROCS_DIR/client.out")
	jq -c --arg program "$1" --argjson boxes "$2" --argjson round "$3" --argjson cpu_ns "$cpu_ns" \
		--argjson threads_ns "$threads_ns" --argjson wall_us "$wall_us" --argjson frames "$frames" --argjson lost "$lost" \
		'{boxes: $boxes, round: $round, program: $program, cpu_ns: $cpu_ns, threads_ns: $threads_ns,
		wall_us: $wall_us, frames: $frames, lost: $lost} + .' "$PROCS_DIR/report.json" >> "$PROCS_DIR/runs"
}

# Its own report, as callback-timer.so would have made it.
end_floor() {
	procs_stop client
	BENCH_WHY="$1 ended with status $PROCS_STATUS"
	[ "$PROCS_STATUS" -eq 0 ] || return 1
	BENCH_WHY="$1 sent nothing"
	jq '{callbacks: .cycles, p50_us: .cycle_us.p50, p99_us: .cycle_us.p99, p999_us: null, max_us: .cycle_us.max,
		span_p50_us: .cycle_us.p50, span_p99_us: .cycle_us.p99,
		sendto: .cycles, sendto_elsewhere: 0, xruns: .late_cycles, lost: (.dropped + .kick_errors)}' \
		"$PROCS_DIR/client.out" > "$PROCS_DIR/report.json" &&
		jq -e ".callbacks > 0" "$PROCS_DIR/report.json" > /dev/null
}

bench() {
	local n round

	about=$(bench_machine) || exit 1
	bench_line
	for n in ${boxes//,/ }; do
		n=$((10#$n))
		bench_boxes "$n"
		for ((round = 1; round <= rounds; round++)); do
			bench_try one daemon "$n" "$round" "$seconds"
			bench_try one plain "$n" "$round" "$seconds"
			bench_try one floor "$n" "$round" "$seconds"
			# What does nothing needs no long look.
			bench_try one null "$n" "$round" $(((seconds + 3) / 4))
		done
		procs_stop boxes
		bench_summary summary.jq table "$n"
	done
	bench_summary summary.jq growth null
	bench_summary summary.jq aims null
	[ -z "$json" ] || bench_summary summary.jq json null > "$json"
}

boxes=1,2,4,8,16,32 seconds=3
bench_options "$@"
bench_needs "iproute2 jq jackd2" ip jq jackd jack_lsp
PLAIN=$(bench_program tests/bench/plain-port) && NULL=$(bench_program tests/bench/jack-null) &&
	FLOOR=$(bench_program tests/bench/ring-floor) && SOURCE=$(bench_program tests/bench/jack-source) || exit 1
bench_begin
bench_jackd
bench
