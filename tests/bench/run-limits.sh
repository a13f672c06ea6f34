#!/bin/bash
# How far the daemon goes: the most boxes at the highest rate, memory, the time that a start takes, and what channels cost.
set -u
export LC_ALL=C

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BENCH_NAME=run-limits
# shellcheck source=tests/bench/bench.sh
. "$HERE/bench.sh"

usage() {
	cat << 'END'
Usage: sudo tests/bench/run-limits.sh [OPTION]...
Runs ethlinkd over a veth pair in a network namespace of its own, and looks at four things:

  rate      32 boxes at 96 kHz, period 64: 384,000 frames a second. Is any lost, does a box run dry, and how long does the
            callback take? Lost is what the daemon dropped, what the interface refused, and what did not come out at the
            far end, where somebody listens to some of the boxes. Each of these is a queue that plays a block each 8/96000
            s, filled when the kernel took over its frames; it may never be empty. Listening costs the sender some 50 ns a
            frame, and 300 ns for each that is heard. xruns of JACK and the longest wait for a callback, which are the
            machine's, stand beside.
  memory    what is resident with 1 and with 32 boxes that play, without JACK's shared memory and the packet rings
  start     from exec of ethlinkd to the first block of the stream on the wire, of the last box to get it; JACK and the
            boxes (ethlink-emu, which answers once a second as a box does) are there. Each round begins at another time of
            the boxes' second. A box that has just missed its turn answers 1.01 s later: that makes the longest start.
  channels  CPU and time in the callback with 0, 1, 2, 4 and 8 channels of each box connected, 8 and 32 boxes

  --only PART[,PART…]  of these
  --seconds S      the run at 96 kHz (default 60)
  --listen N       to how many boxes at 96 kHz: 2 to 32, the first, the last, and others between (default 4)
  --short S        each run with other numbers of channels (default 3)
  --rounds N       starts, and runs with each number of channels (default 2); the table has their medians, and
                   lowest-highest
  --json FILE      everything to this file as well
  --help, --version

BUILD is the folder that `make` and `make bench-programs` were called in (default: the current one). Nothing else
should run on the machine. Exit status: 0, 1 if something could not be measured, 2 for a bad command line.
END
}

# play BOXES CHANNELS: the daemon, with noise on the first so many channels of each box.
play() {
	bench_daemon "$1"
	BENCH_WHY="the daemon with $1 boxes did not get as far as playing"
	procs_until 20 "$1 boxes to be online" bench_plays "$1" || return 1
	if [ "$2" -eq 0 ]; then
		# The load is the same, but it goes to nobody.
		procs_start idle "$NULL" --name=idle --server="$NT_SERVER"
		bench_load "^idle:" 8
	else
		bench_load "^ethlink:.*/playback_[1-$2]$" $(($1 * $2))
	fi
}

# add PART JSON…: an object of this part into $PROCS_DIR/runs, made of these.
add() {
	local part=$1

	shift
	printf '%s\n' "$@" | jq -cs --arg part "$part" '{part: $part} + add' >> "$PROCS_DIR/runs"
}

# --- rate

# Frames that the host's interface has refused.
refused() {
	nt_ip -s -j link show "$NT_HOST_IF" | jq '.[0].stats64.tx | .dropped + .errors'
}

measure_rate() {
	rate=96000
	bench_jackd
	bench_boxes 32
	bench_try one_rate 32
	procs_stop boxes
	nt_jackd_end
}

# one_rate BOXES
one_rate() {
	local n=$1 what="the run at 96 kHz" lost refused cpu_ns threads_ns frames wall_us

	bench_watch "$(bench_some_of "$n" "$listen")"
	refused=$(refused)
	play "$n" 8 || return 1
	lost=$(bench_lost)
	BENCH_WHY="the daemon ended, or lost sight of a box, while it was measured at 96 kHz"
	bench_window "$seconds" && bench_plays "$n" || return 1
	lost=$(($(bench_lost) - lost))
	bench_ended "$what" && bench_watch_end "$what" || return 1
	refused=$(($(refused) - refused))
	add rate "$(jq -nc --argjson boxes "$n" --argjson dropped "$lost" --argjson cpu_ns "$cpu_ns" --argjson wall_us "$wall_us" \
		--argjson frames "$frames" --argjson threads_ns "$threads_ns" --argjson period "$period" --argjson rate "$rate" \
		--argjson refused "$refused" --slurpfile report "$PROCS_DIR/report.json" \
		--slurpfile watch "$PROCS_DIR/watch.json" \
		'{boxes: $boxes, rate_hz: $rate, period_frames: $period, dropped: $dropped, refused: $refused, cpu_ns: $cpu_ns,
		threads_ns: $threads_ns, wall_us: $wall_us, frames: $frames, report: $report[0], watch: $watch[0]}')"
}

# --- memory

measure_memory() {
	local n

	bench_jackd
	for n in 1 32; do
		bench_boxes "$n"
		# Without the timer, which is none of the daemon's.
		BENCH_PRELOAD='' bench_try play "$n" 8
		# Some seconds into playing: by then it has given back what only the start needed. What is needed now and then, as
		# for the status, has been touched by the questions for it.
		sleep 5
		add memory "{\"boxes\": $n}" "$(awk -v own="$(readlink -f "$NT_DAEMON")" -f "$HERE/smaps.awk" \
			"/proc/${PROCS_PID[client]}/smaps")"
		procs_stop source
		procs_stop client
		procs_stop boxes
	done
	nt_jackd_end
}

# --- start

# The microseconds since 1970 of an $EPOCHREALTIME.
micros() {
	printf '%s\n' "${1/[.,]/}"
}

# one_start BOXES ROUND
one_start() {
	local what="a start with $1 boxes" exec_us

	nt_emu emu --dac "0-$(($1 - 1))" || bench_fail "there are no boxes to start with"
	bench_watch "0-$(($1 - 1))"
	# The boxes' seconds begin with them.
	sleep "$(jq -n "($2 - 1) / $rounds")"
	BENCH_PRELOAD='' BENCH_EXEC_AT=$PROCS_DIR/exec bench_daemon "$1"
	BENCH_WHY="$what did not get as far as playing"
	procs_until 20 "$1 boxes to be online" bench_plays "$1" || return 1
	procs_stop client
	bench_watch_end "$what" || return 1
	procs_stop emu
	exec_us=$(micros "$(cat "$PROCS_DIR/exec")")
	# The next one starts as fresh.
	rm -rf "${NT_STATE:?}"/* "${NT_RUN:?}"/*
	add start "$(jq -c --argjson boxes "$1" --argjson round "$2" --argjson exec_us "$exec_us" '
		{boxes: $boxes, round: $round, asked_ms: (.boxes | map(.first_us) | max - $exec_us | . / 1000),
		streamed_ms: (.boxes | map(.stream_us) | max - $exec_us | . / 1000)}' "$PROCS_DIR/watch.json")"
}

measure_start() {
	local n round

	bench_jackd
	for n in 1 32; do
		for ((round = 1; round <= rounds; round++)); do
			bench_try one_start "$n" "$round"
		done
	done
	nt_jackd_end
}

# --- channels

# one_channels BOXES CHANNELS ROUND
one_channels() {
	local what="$1 boxes with $2 channels" cpu_ns threads_ns frames wall_us

	play "$1" "$2" || return 1
	BENCH_WHY="the daemon with $what ended while it was measured"
	bench_window "$short" && bench_ended "$what" || return 1
	procs_stop idle
	add channels "{\"boxes\": $1, \"channels\": $2, \"round\": $3, \"cpu_ns\": $cpu_ns, \"threads_ns\": $threads_ns,
		\"wall_us\": $wall_us, \"frames\": $frames}" "$(cat "$PROCS_DIR/report.json")"
}

measure_channels() {
	local n c round

	bench_jackd
	for n in 8 32; do
		bench_boxes "$n"
		for ((round = 1; round <= rounds; round++)); do
			for c in 0 1 2 4 8; do
				bench_try one_channels "$n" "$c" "$round"
			done
		done
		procs_stop boxes
	done
	nt_jackd_end
}

bench() {
	local part

	about=$(bench_machine) && about=$(jq --argjson short "$short" 'del(.rate_hz) + {short_seconds: $short}' <<< "$about") || exit 1
	bench_line
	for part in ${only//,/ }; do
		rate=48000
		"measure_$part"
		bench_summary limits.jq "$part" null
	done
	bench_summary limits.jq aims null
	[ -z "$json" ] || bench_summary limits.jq json null > "$json"
}

seconds=60 rounds=2 short=3 listen=4 only=rate,memory,start,channels
BENCH_OPTIONS="seconds rounds short listen only json"
bench_options "$@"
bench_whole --short "$short" 1 3600
bench_whole --listen "$listen" 2 32
short=$((10#$short)) listen=$((10#$listen))
[[ ,$only, =~ ^(,(rate|memory|start|channels))+,$ ]] ||
	bench_bad "--only is some of rate, memory, start and channels, with commas between them, not '$only'"
bench_needs "iproute2 jq jackd2 gawk" ip jq jackd jack_lsp awk
SOURCE=$(bench_program tests/bench/jack-source) && NULL=$(bench_program tests/bench/jack-null) &&
	WATCH=$(bench_program tests/bench/wire-watch) && NT_EMU=$(bench_program ethlink-emu) || exit 1
bench_begin
bench
