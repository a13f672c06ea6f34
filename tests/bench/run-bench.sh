#!/bin/bash
# What the daemon costs beside a plain port of the plugin, on this machine, in the same run.
set -u
export LC_ALL=C

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/procs.sh
. "$HERE/../lib/procs.sh"

BUILD=${BUILD:-.}
NS=
HOST_IF=host0
BOX_IF=box0
# The same number of ports is there for whoever is measured; JACK's own share depends on it.
JACK_PORTS=2048

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

bad() {
	printf 'run-bench: %s; see run-bench.sh --help\n' "$1" >&2
	exit 2
}

fail() {
	printf 'run-bench: %s\n' "$1" >&2
	PROCS_FAILED=1
	procs_show_logs >&2
	exit 1
}

# whole NAME VALUE LOWEST HIGHEST
whole() {
	if ! [[ $2 =~ ^[0-9]{1,6}$ ]] || [ "$((10#$2))" -lt "$3" ] || [ "$((10#$2))" -gt "$4" ]; then
		bad "$1 is $3 to $4, not '$2'"
	fi
}

program() {
	local f=$BUILD/$1

	if ! [ -f "$f" ]; then
		printf 'run-bench: there is no %s; call make and make bench-programs; BUILD is their folder\n' "$f" >&2
		exit 1
	fi
	printf '%s\n' "$f"
}

boxes=1,8,32
period=64
rate=48000
seconds=10
rounds=3
json=
parse_options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--help | -h)
			usage
			exit 0
			;;
		--version)
			"$(program ethlinkd)" --version
			exit
			;;
		--boxes=* | --period=* | --rate=* | --seconds=* | --rounds=* | --json=*)
			set -- "${1%%=*}" "${1#*=}" "${@:2}"
			continue
			;;
		--boxes | --period | --rate | --seconds | --rounds | --json)
			[ $# -ge 2 ] || bad "$1 needs a value"
			declare -g "${1#--}=$2"
			shift
			;;
		*) bad "'$1' is not an option" ;;
		esac
		shift
	done
}

check_options() {
	local n

	[[ $boxes =~ ^[0-9]+(,[0-9]+)*$ ]] || bad "--boxes is numbers with commas between them, not '$boxes'"
	for n in ${boxes//,/ }; do
		whole --boxes "$n" 1 32
	done
	whole --period "$period" 8 1024
	[ $((10#$period % 8)) -eq 0 ] || bad "--period is a multiple of 8, not $period"
	case $rate in
	44100 | 48000 | 88200 | 96000) ;;
	*) bad "--rate is 44100, 48000, 88200 or 96000, not '$rate'" ;;
	esac
	whole --seconds "$seconds" 1 3600
	whole --rounds "$rounds" 1 100
	# JSON has no leading zeros.
	period=$((10#$period)) seconds=$((10#$seconds)) rounds=$((10#$rounds))
	if [ -n "$json" ] && ! { : >> "$json"; } 2> /dev/null; then
		bad "--json: $json cannot be written"
	fi
}

check_machine() {
	local p

	if [ "$(id -u)" -ne 0 ]; then
		echo "run-bench: a network namespace takes root: call it with sudo" >&2
		exit 1
	fi
	for p in ip jq jackd jack_lsp; do
		if ! command -v "$p" > /dev/null; then
			printf 'run-bench: %s is missing; on Debian: apt-get install iproute2 jq jackd2\n' "$p" >&2
			exit 1
		fi
	done
}

# Called by procs_end when all processes are gone.
procs_cleanup() {
	[ -z "$NS" ] || ip netns del "$NS" 2> /dev/null
}

make_net() {
	NS=ethlinkd-bench-$$
	ip netns add "$NS" || return 1
	ip netns exec "$NS" sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1 2> /dev/null
	ip -n "$NS" link add "$HOST_IF" type veth peer name "$BOX_IF" && ip -n "$NS" link set "$HOST_IF" up &&
		ip -n "$NS" link set "$BOX_IF" up || return 1
	host_mac=$(ip -n "$NS" -j link show "$HOST_IF" | jq -r '.[0].address')
}

jack_answers() {
	jack_lsp -s "$server"
}

start_jackd() {
	server=ethlinkd-bench-$$
	JACK_NO_AUDIO_RESERVATION=1 procs_start jackd jackd -n "$server" -R -P 60 -p "$JACK_PORTS" -d dummy -r "$rate" \
		-p "$period"
	procs_until 10 "the JACK server" jack_answers || fail "there is no JACK server to measure with"
	if ! ps -L -o cls= -p "${PROCS_PID[jackd]}" | grep -q FF; then
		echo "# no realtime priority for JACK on this machine: the longest times say nothing"
	fi
}

write_config() {
	local i

	printf '[daemon]\nbackend = jack\njack-server = %s\ninterface = %s\n' "$server" "$HOST_IF"
	for ((i = 0; i < $1; i++)); do
		printf '[device box%d]\nmodel = dac8\nserial = %d\n' "$i" "$i"
	done
}

status() {
	"$CTL" --socket="$PROCS_DIR/run/control" status --json
}

# $1: how many.
streams_to() {
	[ "$(status | jq '[.devices[] | select(.state == "online" and .streaming)] | length')" = "$1" ]
}

# client CMD...: what is to be measured.
client() {
	PROCS_ENTER=(ip netns exec "$NS" env "LD_PRELOAD=$TIMER" "CALLBACK_TIMER_REPORT=$PROCS_DIR/report.json")
	procs_start client "$@"
	PROCS_ENTER=()
}

# start daemon|plain|null BOXES: the client, with the load on all of its ports; it does what it does when this returns.
start() {
	local name

	case $1 in
	daemon)
		name=ethlink
		write_config "$2" > "$PROCS_DIR/ethlinkd.conf"
		RUNTIME_DIRECTORY=$PROCS_DIR/run STATE_DIRECTORY=$PROCS_DIR/state client "$DAEMON" \
			-c "$PROCS_DIR/ethlinkd.conf"
		;;
	plain)
		name=plain-port
		client "$PLAIN" --interface="$HOST_IF" --boxes="$2" --server="$server"
		;;
	null)
		name=jack-null
		client "$NULL" --boxes="$2" --server="$server"
		;;
	esac
	procs_start source "$SOURCE" --to="^$name:" --ports="$((8 * $2))" --signal=noise --server="$server"
	procs_until 20 "all ports to be connected" grep -q 'connected to' "$PROCS_DIR/source.err" || return 1
	[ "$1" != daemon ] || procs_until 20 "$2 boxes to be online" streams_to "$2"
}

# Nanoseconds on a processor of each thread of process $1, into CPU_NS.
declare -A CPU_NS=()
read_cpu() {
	local task ns rest

	CPU_NS=()
	for task in /proc/"$1"/task/*; do
		read -r ns rest 2> /dev/null < "$task/schedstat" && CPU_NS[${task##*/}]=$ns
	done
}

# Frames that have left through the host's interface, into TX_FRAMES; $1 is a process in its namespace.
read_frames() {
	local line

	TX_FRAMES=
	while read -ra line; do
		[ "${line[0]}" != "$HOST_IF:" ] || TX_FRAMES=${line[10]}
	done < "/proc/$1/net/dev"
}

# Microseconds since the epoch, into CLOCK_US.
read_clock() {
	CLOCK_US=${EPOCHREALTIME/[.,]/}
}

# window SECONDS: what the client does in them, into cpu_ns, frames and wall_us; the timer in it counts meanwhile.
window() {
	local pid=${PROCS_PID[client]} start_us start_frames task
	local -A start_ns=()

	kill -USR1 "$pid"
	read_cpu "$pid"
	read_frames "$pid"
	read_clock
	for task in "${!CPU_NS[@]}"; do
		start_ns[$task]=${CPU_NS[$task]}
	done
	start_frames=$TX_FRAMES
	start_us=$CLOCK_US
	sleep "$1"
	procs_alive client && kill -USR2 "$pid" || return 1
	read_cpu "$pid"
	read_frames "$pid"
	read_clock
	frames=$((TX_FRAMES - start_frames))
	wall_us=$((CLOCK_US - start_us))
	cpu_ns=0
	for task in "${!CPU_NS[@]}"; do
		cpu_ns=$((cpu_ns + CPU_NS[$task] - ${start_ns[$task]:-0}))
		unset "start_ns[$task]"
	done
	if [ "${#start_ns[@]}" -gt 0 ]; then
		echo "# a thread ended while it was measured: its CPU time is missing"
	fi
}

daemon_drops() {
	status | jq '[.devices[].frames_dropped] | add'
}

# one daemon|plain|null BOXES ROUND SECONDS: a run; its numbers are a line in $PROCS_DIR/runs.
one() {
	local lost=0 drops_before=0 cpu_ns frames wall_us

	rm -f "$PROCS_DIR/report.json" "$PROCS_DIR/client.out" "$PROCS_DIR/client.err" "$PROCS_DIR/source.err"
	start "$1" "$2" || fail "$1 with $2 boxes did not get as far as playing"
	[ "$1" != daemon ] || drops_before=$(daemon_drops)
	window "$4" || fail "$1 with $2 boxes ended while it was measured"
	if [ "$1" = daemon ]; then
		streams_to "$2" || fail "the daemon lost sight of a box while it was measured"
		lost=$(($(daemon_drops) - drops_before))
	fi
	procs_stop source
	[ "$PROCS_STATUS" -eq 0 ] || fail "the load of $1 with $2 boxes lost its connections"
	procs_stop client
	[ "$PROCS_STATUS" -eq 0 ] || fail "$1 with $2 boxes ended with status $PROCS_STATUS"
	[ "$1" != plain ] || lost=$(jq .send_errors "$PROCS_DIR/client.out")
	jq -c --arg program "$1" --argjson boxes "$2" --argjson round "$3" --argjson cpu_ns "$cpu_ns" \
		--argjson wall_us "$wall_us" --argjson frames "$frames" --argjson lost "$lost" \
		'{boxes: $boxes, round: $round, program: $program, cpu_ns: $cpu_ns, wall_us: $wall_us,
		frames: $frames, lost: $lost} + .' "$PROCS_DIR/report.json" >> "$PROCS_DIR/runs" ||
		fail "$1 with $2 boxes left no report"
}

# What the numbers depend on besides the programs, as JSON.
machine() {
	local load rest

	read -r load rest < /proc/loadavg
	jq -n --arg kernel "$(uname -r)" --argjson cores "$(nproc)" --argjson load "$load" \
		--arg cpu "$(sed -n '/^model name/ { s/.*: //p; q }' /proc/cpuinfo)" \
		--arg version "$("$DAEMON" --version)" --argjson rate "$rate" --argjson period "$period" \
		--argjson seconds "$seconds" --argjson rounds "$rounds" \
		'{daemon: $version, kernel: $kernel, cpu: $cpu, cores: $cores, load_before: $load, rate_hz: $rate,
		period_frames: $period, seconds: $seconds, rounds: $rounds}'
}

# summary json|table BOXES: of all runs, or of those with so many boxes (null: any).
summary() {
	jq -rs --argjson about "$about" --arg format "$1" --argjson only "$2" -f "$HERE/summary.jq" "$PROCS_DIR/runs"
}

bench() {
	local n round

	about=$(machine) || exit 1
	jq -r '"\(.daemon), Linux \(.kernel), \(.cores) x \(.cpu), load \(.load_before)"' <<< "$about"
	for n in ${boxes//,/ }; do
		n=$((10#$n))
		procs_start boxes ip netns exec "$NS" "$BOXES" --interface="$BOX_IF" --host-mac="$host_mac" \
			--boxes="$n" --rate="$rate"
		for ((round = 1; round <= rounds; round++)); do
			one daemon "$n" "$round" "$seconds"
			one plain "$n" "$round" "$seconds"
			# A floor needs no long look.
			one null "$n" "$round" $(((seconds + 3) / 4))
		done
		procs_stop boxes
		summary table "$n"
	done
	[ -z "$json" ] || summary json null > "$json"
}

parse_options "$@"
check_options
check_machine
BUILD=$(cd "$BUILD" && pwd) || exit 1
DAEMON=$(program ethlinkd) && CTL=$(program ethlinkctl) && PLAIN=$(program tests/bench/plain-port) &&
	NULL=$(program tests/bench/jack-null) && SOURCE=$(program tests/bench/jack-source) &&
	BOXES=$(program tests/bench/null-box) && TIMER=$(program tests/bench/callback-timer.so) || exit 1
procs_begin
mkdir "$PROCS_DIR/run" "$PROCS_DIR/state"
# JACK wants its memory locked; where root may not raise the limit, it warns and goes on.
ulimit -l unlimited 2> /dev/null
make_net || fail "there is no network namespace to measure in"
start_jackd
bench
