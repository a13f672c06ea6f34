# shellcheck shell=bash disable=SC2034,SC2154
# What the scripts that run the daemon against the clock have in common. Sourced by them; BENCH_NAME is theirs.
#
#   bench_options ARG...         boxes, period, rate, seconds, rounds and json from the command line; usage() is the
#                                script's; BENCH_PERIOD_MIN is the shortest period that it takes, BENCH_OPTIONS are the options
#   bench_needs HINT PROGRAM...  ends the script where it is not root's or one of these is missing
#   bench_program NAME           where a program of this build is
#   bench_begin                  folders, and a veth pair in a namespace; the daemon and the far end are known
#   bench_jackd                  a JACK server
#   bench_boxes N                so many boxes answer (process boxes)
#   bench_forget                 what is left of the run before
#   bench_client CMD...          what is to be measured (process client), with the timer in it, unless BENCH_PRELOAD is
#                                empty; where BENCH_EXEC_AT names a file, the time of its exec goes there
#   bench_load REGEX N           noise into N ports of the client under JACK (process source); SOURCE is the script's
#   bench_some_of N M            serial numbers of M of N boxes: the first, the last, and others between
#   bench_watch SERIALS ARG...   a listener behind the far end (process watch); WATCH is the script's. It counts while
#                                bench_window does; bench_watch_end WHAT: it ends, and its report is in $PROCS_DIR/watch.json
#   bench_daemon N               the daemon as such; bench_plays N: do so many boxes get frames from it?
#   bench_window SECONDS         what the client does in them: cpu_ns, frames, wall_us; threads_ns: of each thread, as JSON;
#                                server_ns: of process BENCH_SERVER
#   bench_lost                   frames that the daemon has dropped so far
#   bench_ended WHAT             do source and client end as they should? bench_end_run WHAT: or the script does with them
#   bench_try CMD...             a run under JACK, up to three times, until CMD is true; else BENCH_WHY says why not
#   bench_machine                what the numbers depend on besides the programs, as JSON
#   bench_line                   how they begin
#   bench_summary FILE.jq json|table BOXES   of all runs ($PROCS_DIR/runs), or of those with so many boxes (null: any)

BENCH_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/netns.sh
. "$BENCH_HERE/../lib/netns.sh"

# The same number of ports is there for whoever is measured; JACK's own share depends on it.
BENCH_JACK_PORTS=2048
BENCH_PERIOD_MIN=8
BENCH_SERVER=
BENCH_WHY=
BENCH_PRELOAD=yes
BENCH_EXEC_AT=
BENCH_OPTIONS="boxes period rate seconds rounds json"

boxes=1,8,32
period=64
rate=48000
seconds=10
rounds=3
json=

# --- the command line

bench_bad() {
	printf '%s: %s; see %s.sh --help\n' "$BENCH_NAME" "$1" "$BENCH_NAME" >&2
	exit 2
}

bench_fail() {
	printf '%s: %s\n' "$BENCH_NAME" "$1" >&2
	PROCS_FAILED=1
	procs_show_logs >&2
	exit 1
}

# bench_whole NAME VALUE LOWEST HIGHEST
bench_whole() {
	if ! [[ $2 =~ ^[0-9]{1,6}$ ]] || [ "$((10#$2))" -lt "$3" ] || [ "$((10#$2))" -gt "$4" ]; then
		bench_bad "$1 is $3 to $4, not '$2'"
	fi
}

# bench_list NAME VALUE LOWEST HIGHEST: numbers with commas between them; periods are multiples of 8.
bench_list() {
	local n

	[[ $2 =~ ^[0-9]+(,[0-9]+)*$ ]] || bench_bad "$1 is numbers with commas between them, not '$2'"
	for n in ${2//,/ }; do
		bench_whole "$1" "$n" "$3" "$4"
		[[ $1 != --period* ]] || [ $((10#$n % 8)) -eq 0 ] || bench_bad "$1: a period is a multiple of 8, not $n"
	done
}

bench_program() {
	local f=$BUILD/$1

	if ! [ -f "$f" ]; then
		printf '%s: there is no %s; call make and make bench-programs; BUILD is their folder\n' "$BENCH_NAME" "$f" >&2
		exit 1
	fi
	printf '%s\n' "$f"
}

bench_parse() {
	while [ $# -gt 0 ]; do
		case $1 in
		--help | -h)
			usage
			exit 0
			;;
		--version)
			"$(bench_program ethlinkd)" --version
			exit
			;;
		--*=*)
			set -- "${1%%=*}" "${1#*=}" "${@:2}"
			continue
			;;
		*)
			[[ $1 == --* && " $BENCH_OPTIONS " == *" ${1#--} "* ]] || bench_bad "'$1' is not an option"
			[ $# -ge 2 ] || bench_bad "$1 needs a value"
			declare -g "${1#--}=$2"
			shift
			;;
		esac
		shift
	done
}

bench_options() {
	bench_parse "$@"
	bench_list --boxes "$boxes" 1 32
	bench_list --period "$period" "$BENCH_PERIOD_MIN" 1024
	[[ $period != *,* ]] || bench_bad "--period is one number, not '$period'"
	case $rate in
	44100 | 48000 | 88200 | 96000) ;;
	*) bench_bad "--rate is 44100, 48000, 88200 or 96000, not '$rate'" ;;
	esac
	bench_whole --seconds "$seconds" 1 3600
	bench_whole --rounds "$rounds" 1 100
	# JSON has no leading zeros.
	period=$((10#$period)) seconds=$((10#$seconds)) rounds=$((10#$rounds))
	if [ -n "$json" ] && ! { : >> "$json"; } 2> /dev/null; then
		bench_bad "--json: $json cannot be written"
	fi
}

bench_needs() {
	local hint=$1 p

	shift
	if [ "$(id -u)" -ne 0 ]; then
		printf '%s: a network namespace takes root: call it with sudo\n' "$BENCH_NAME" >&2
		exit 1
	fi
	for p in "$@"; do
		if ! command -v "$p" > /dev/null; then
			printf '%s: %s is missing; on Debian: apt-get install %s\n' "$BENCH_NAME" "$p" "$hint" >&2
			exit 1
		fi
	done
}

# --- what is there in every run

bench_begin() {
	NT_DAEMON=$(bench_program ethlinkd) && NT_CTL=$(bench_program ethlinkctl) &&
		BENCH_BOXES=$(bench_program tests/bench/null-box) &&
		BENCH_TIMER=$(bench_program tests/bench/callback-timer.so) || exit 1
	procs_begin
	NT_SERVER=ethlinkd-bench-$$
	NT_CONF=$PROCS_DIR/ethlinkd.conf
	NT_RUN=$PROCS_DIR/run
	NT_STATE=$PROCS_DIR/state
	mkdir "$NT_RUN" "$NT_STATE"
	# JACK wants its memory locked; where root may not raise the limit, it warns and goes on.
	ulimit -l unlimited 2> /dev/null
	nt_make_ns || bench_fail "there is no network namespace to measure in"
	bench_host_mac=$(nt_ip -j link show "$NT_HOST_IF" | jq -r '.[0].address')
}

bench_jackd() {
	JACK_NO_AUDIO_RESERVATION=1 procs_start jackd jackd -n "$NT_SERVER" -R -P 60 -p "$BENCH_JACK_PORTS" -d dummy \
		-r "$rate" -p "$period"
	procs_until 10 "the JACK server" nt_jack_answers || bench_fail "there is no JACK server to measure with"
	if ! ps -L -o cls= -p "${PROCS_PID[jackd]}" | grep -q FF; then
		echo "# no realtime priority for JACK on this machine: the longest times say nothing"
	fi
}

bench_boxes() {
	nt_inside boxes "$BENCH_BOXES" --interface="$NT_BOX_IF" --host-mac="$bench_host_mac" --boxes="$1" --rate="$rate"
}

bench_forget() {
	rm -f "$PROCS_DIR/report.json" "$PROCS_DIR/client.out" "$PROCS_DIR/client.err" "$PROCS_DIR/source.err"
}

bench_client() {
	local command=(env)

	bench_forget
	[ -z "$BENCH_PRELOAD" ] || command+=("LD_PRELOAD=$BENCH_TIMER" "CALLBACK_TIMER_REPORT=$PROCS_DIR/report.json")
	if [ -n "$BENCH_EXEC_AT" ]; then
		# shellcheck disable=SC2016
		command+=("$BASH" -c 'echo "$EPOCHREALTIME" > "$0" && exec "$@"' "$BENCH_EXEC_AT")
	fi
	nt_inside client "${command[@]}" "$@"
}

bench_load() {
	procs_start source "$SOURCE" --to="$1" --ports="$2" --signal=noise --server="$NT_SERVER"
	procs_until 20 "all ports to be connected" grep -q 'connected to' "$PROCS_DIR/source.err"
}

bench_some_of() {
	local of=$1 n=$(($1 < $2 ? $1 : $2)) i comma=

	for ((i = 0; i < n; i++)); do
		printf '%s%d' "$comma" "$((n > 1 ? i * (of - 1) / (n - 1) : 0))"
		comma=,
	done
}

bench_watch() {
	local serials=$1

	shift
	rm -f "$PROCS_DIR/watch.out" "$PROCS_DIR/watch.err"
	nt_inside watch "$WATCH" --interface="$NT_BOX_IF" --dac="$serials" --rate="$rate" "$@"
	procs_until 5 "the listener" grep -q ready "$PROCS_DIR/watch.out" || bench_fail "there is nobody to listen"
}

bench_watch_end() {
	procs_stop watch
	BENCH_WHY="the listener to $1 ended with status $PROCS_STATUS"
	[ "$PROCS_STATUS" -eq 0 ] || return 1
	tail -n 1 "$PROCS_DIR/watch.out" > "$PROCS_DIR/watch.json"
	[ "$(jq .ring_drops "$PROCS_DIR/watch.json")" = 0 ] || echo "# $1: the listener did not hear every frame"
	return 0
}

bench_daemon() {
	local lines=() i

	for ((i = 0; i < $1; i++)); do
		lines+=("[device box$i]" "model = dac8" "serial = $i")
	done
	nt_config "${lines[@]}"
	RUNTIME_DIRECTORY=$NT_RUN STATE_DIRECTORY=$NT_STATE bench_client "$NT_DAEMON" -c "$NT_CONF"
}

bench_plays() {
	[ "$(nt_status '[.devices[] | select(.state == "online" and .streaming)] | length')" = "$1" ]
}

bench_lost() {
	nt_status '[.devices[].frames_dropped] | add'
}

# --- measuring

# Nanoseconds on a processor of each thread of process $1, into CPU_NS.
declare -A CPU_NS=()
bench_read_cpu() {
	local task ns rest

	CPU_NS=()
	for task in /proc/"$1"/task/*; do
		read -r ns rest 2> /dev/null < "$task/schedstat" && CPU_NS[${task##*/}]=$ns
	done
}

# All threads of process BENCH_SERVER together, into SERVER_NS; 0 where there is none of interest.
bench_read_server() {
	local ns

	SERVER_NS=0
	[ -n "$BENCH_SERVER" ] || return 0
	bench_read_cpu "${PROCS_PID[$BENCH_SERVER]}"
	for ns in "${CPU_NS[@]}"; do
		SERVER_NS=$((SERVER_NS + ns))
	done
}

# Frames that have left through the host's interface, into TX_FRAMES; $1 is a process in its namespace.
bench_read_frames() {
	local line

	TX_FRAMES=
	while read -ra line; do
		[ "${line[0]}" != "$NT_HOST_IF:" ] || TX_FRAMES=${line[10]}
	done < "/proc/$1/net/dev"
}

# The server, the client and the time, in this order: into SERVER_NS, CPU_NS, TX_FRAMES and, in microseconds, CLOCK_US.
bench_read_all() {
	bench_read_server
	bench_read_cpu "$1"
	bench_read_frames "$1"
	CLOCK_US=${EPOCHREALTIME/[.,]/}
}

# Counting begins (USR1) or ends (USR2), for all that count.
bench_tell_all() {
	! procs_alive watch || procs_signal watch "$1"
	procs_signal client "$1"
}

bench_window() {
	local pid=${PROCS_PID[client]} start_us start_frames start_server_ns task ns
	local -A start_ns=()

	bench_tell_all USR1
	bench_read_all "$pid"
	for task in "${!CPU_NS[@]}"; do
		start_ns[$task]=${CPU_NS[$task]}
	done
	start_frames=$TX_FRAMES start_server_ns=$SERVER_NS start_us=$CLOCK_US
	sleep "$1"
	procs_alive client && bench_tell_all USR2 || return 1
	bench_read_all "$pid"
	frames=$((TX_FRAMES - start_frames)) server_ns=$((SERVER_NS - start_server_ns)) wall_us=$((CLOCK_US - start_us))
	cpu_ns=0 threads_ns=
	for task in "${!CPU_NS[@]}"; do
		ns=$((CPU_NS[$task] - ${start_ns[$task]:-0}))
		cpu_ns=$((cpu_ns + ns)) threads_ns+=${threads_ns:+, }"\"$task\": $ns"
		unset "start_ns[$task]"
	done
	threads_ns="{$threads_ns}"
	if [ "${#start_ns[@]}" -gt 0 ]; then
		echo "# a thread ended while it was measured: its CPU time is missing"
	fi
}

# $1: what ran, for a message; where it is false, BENCH_WHY is one.
bench_ended() {
	BENCH_WHY="the load of $1 lost its connections"
	procs_stop source
	[ "$PROCS_STATUS" -eq 0 ] || return 1
	procs_stop client
	BENCH_WHY="$1 ended with status $PROCS_STATUS"
	[ "$PROCS_STATUS" -eq 0 ] || return 1
	BENCH_WHY="$1 had no callbacks to report"
	[ -f "$PROCS_DIR/report.json" ] && jq -e ".callbacks > 0" "$PROCS_DIR/report.json" > /dev/null
}

bench_end_run() {
	bench_ended "$1" || bench_fail "$BENCH_WHY"
}

# On a machine that stalls, JACK may throw a client out, or hang.
bench_try() {
	local try name

	for try in 1 2 3; do
		"$@" && return
		[ "$try" -lt 3 ] || bench_fail "$BENCH_WHY"
		printf '# %s; again, with a new JACK server\n' "$BENCH_WHY"
		for name in source client idle watch emu; do
			procs_stop "$name"
		done
		rm -rf "${NT_STATE:?}"/* "${NT_RUN:?}"/*
		nt_jackd_end
		bench_jackd
	done
}

# --- what comes of it

bench_machine() {
	local load rest

	read -r load rest < /proc/loadavg
	jq -n --arg kernel "$(uname -r)" --argjson cores "$(nproc)" --argjson load "$load" \
		--arg cpu "$(sed -n '/^model name/ { s/.*: //p; q }' /proc/cpuinfo)" \
		--arg version "$("$NT_DAEMON" --version)" --argjson rate "$rate" --argjson period "$period" \
		--argjson seconds "$seconds" --argjson rounds "$rounds" \
		'{daemon: $version, kernel: $kernel, cpu: $cpu, cores: $cores, load_before: $load, rate_hz: $rate,
		period_frames: $period, seconds: $seconds, rounds: $rounds}'
}

bench_line() {
	jq -r '"\(.daemon), Linux \(.kernel), \(.cores) x \(.cpu), load \(.load_before)"' <<< "$about"
}

bench_summary() {
	jq -rs -L "$BENCH_HERE" --argjson about "$about" --arg format "$2" --argjson only "$3" -f "$BENCH_HERE/$1" \
		"$PROCS_DIR/runs"
}
