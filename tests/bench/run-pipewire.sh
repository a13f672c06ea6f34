#!/bin/bash
# What the daemon costs under PipeWire beside what it costs under JACK, on this machine, in the same run.
set -u
export LC_ALL=C

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BENCH_NAME=run-pipewire
# shellcheck source=tests/bench/bench.sh
. "$HERE/bench.sh"
BENCH_PERIOD_MIN=16

usage() {
	cat << 'END'
Usage: sudo tests/bench/run-pipewire.sh [OPTION]...
Runs ethlinkd under JACK and under PipeWire by turns, each server with the same rate and period, with noise on all
ports, and with boxes that take nothing and cost nothing behind a veth pair in a network namespace of its own. Prints
what each takes, and how they compare. The servers are the script's own; PipeWire comes with a session manager.

  --boxes N[,N…]   how many boxes, 1 to 32 each (default 1,8,32)
  --period N       JACK's period and PipeWire's quantum in sample frames: 16, 24, … 1024 (default 64)
  --rate HZ        44100, 48000, 88200 or 96000 (default 48000)
  --seconds S      measure each run for so long (default 10)
  --rounds N       runs of each, by turns (default 3); the table has their medians, and lowest-highest
  --json FILE      everything, single runs included, to this file as well
  --help, --version

BUILD is the folder that `make` and `make bench-programs` were called in (default: the current one). Nothing else
should run on the machine. Exit status: 0, 1 if something could not be measured, 2 for a bad command line.
END
}

# start_server jack|pipewire: with nobody in it. Of the other one nothing runs.
start_server() {
	NT_BACKEND=$1
	case $1 in
	jack)
		BENCH_SERVER=jackd
		bench_jackd
		;;
	pipewire)
		BENCH_SERVER=pipewire
		nt_pipewire "$period" "$rate" || bench_fail "there is no PipeWire server to measure with"
		;;
	esac
}

stop_server() {
	case $1 in
	jack) nt_jackd_end ;;
	pipewire) nt_pw_kill TERM ;;
	esac
}

# start_source jack|pipewire BOXES
start_source() {
	local ports=$((8 * $2))

	case $1 in
	jack) procs_start source "$JACK_SOURCE" --to=^ethlink: --ports="$ports" --signal=noise --server="$NT_SERVER" ;;
	pipewire) procs_start source "$PW_SOURCE" --to=ethlink. --ports="$ports" --signal=noise ;;
	esac
	procs_until 20 "all ports to be connected" grep -q 'connected to' "$PROCS_DIR/source.err"
}

# Is there full scale on all channels of all boxes? A port that nothing arrives at would cost less.
is_loud() {
	[ "$(nt_status '[.devices[].peak_dbfs[] | select(. == null or . < -1)] | length')" = 0 ]
}

plays_loud() {
	bench_plays "$1" && is_loud
}

server_xruns() {
	nt_status .xruns
}

# one jack|pipewire BOXES ROUND: a run; its numbers are a line in $PROCS_DIR/runs.
one() {
	local what="$1 with $2 boxes" lost xruns cpu_ns threads_ns frames wall_us server_ns

	start_server "$1"
	bench_daemon "$2"
	procs_until 20 "$2 boxes to be online" bench_plays "$2" && start_source "$1" "$2" &&
		procs_until 20 "$2 boxes to be played to" plays_loud "$2" ||
		bench_fail "$what did not get as far as playing"
	lost=$(bench_lost) xruns=$(server_xruns)
	bench_window "$seconds" || bench_fail "the daemon under $what ended while it was measured"
	plays_loud "$2" || bench_fail "the daemon under $what lost sight of a box, or of the signal, while it was measured"
	lost=$(($(bench_lost) - lost)) xruns=$(($(server_xruns) - xruns))
	[ "$(nt_status .backend)" = "$1" ] || bench_fail "the daemon does not run under $1"
	[ "$(nt_status .period)" = "$period" ] || bench_fail "the period under $what is not $period"
	bench_end_run "$what"
	stop_server "$1"
	jq -c --arg backend "$1" --argjson boxes "$2" --argjson round "$3" --argjson cpu_ns "$cpu_ns" \
		--argjson server_cpu_ns "$server_ns" --argjson wall_us "$wall_us" --argjson frames "$frames" \
		--argjson lost "$lost" --argjson xruns "$xruns" --argjson threads_ns "$threads_ns" \
		'{boxes: $boxes, round: $round, backend: $backend, cpu_ns: $cpu_ns, threads_ns: $threads_ns,
		server_cpu_ns: $server_cpu_ns, wall_us: $wall_us, frames: $frames, lost: $lost} + . + {xruns: $xruns}' \
		"$PROCS_DIR/report.json" >> "$PROCS_DIR/runs"
}

bench() {
	local n round

	about=$(bench_machine) && about=$(jq --arg pipewire "$(pipewire --version | sed -n '2s/.* //p')" \
		--arg jack "$(jackd --version | sed -n 's/^jackdmp version \([^ ]*\).*/\1/p')" \
		'. + {pipewire: $pipewire, jack: $jack}' <<< "$about") || exit 1
	bench_line
	jq -r '"JACK \(.jack), PipeWire \(.pipewire)"' <<< "$about"
	for n in ${boxes//,/ }; do
		n=$((10#$n))
		bench_boxes "$n"
		for ((round = 1; round <= rounds; round++)); do
			one jack "$n" "$round"
			one pipewire "$n" "$round"
		done
		procs_stop boxes
		bench_summary pipewire.jq table "$n"
	done
	[ -z "$json" ] || bench_summary pipewire.jq json null > "$json"
}

bench_options "$@"
bench_needs "iproute2 jq jackd2 pipewire pipewire-bin wireplumber dbus" ip jq jackd jack_lsp pipewire wireplumber \
	pw-cli pw-dump pw-metadata dbus-daemon busctl
JACK_SOURCE=$(bench_program tests/bench/jack-source) && PW_SOURCE=$(bench_program tests/bench/pw-source) || exit 1
# shellcheck source=tests/lib/pipewire.sh
. "$NT_LIB/pipewire.sh"
nt_private_shm
bench_begin
nt_pw_begin
dbus_start session || exit 1
bench
