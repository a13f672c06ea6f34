#!/bin/bash
# What NetVST inserts cost, beside as many plain clients that send and receive the same blocks with a clock of their own, and
# without an audio server; and how late their audio is.
set -u
export LC_ALL=C

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BENCH_NAME=run-netvst
# shellcheck source=tests/bench/bench.sh
. "$HERE/bench.sh"
BENCH_OPTIONS="inserts block codec period rate seconds rounds json"

inserts=1,4,16
block=64
codec=pcm

usage() {
	cat << 'END'
Usage: sudo tests/bench/run-netvst.sh [OPTION]...
Runs ethlinkd with NetVST inserts under jackd, with noise on all sends, and as many plain clients (netvst-echo client) by turns,
against the same echo server, in a network namespace of their own. Prints what each takes, and how they compare.

  --inserts N[,N…]  how many inserts, 1 to 32 each (default 1,4,16)
  --block N         frames of a block, 16 to 8191 (default 64)
  --codec CODEC     pcm, wavpack or wavpack-lossy (default pcm)
  --period N        JACK's period in sample frames: 8, 16, … 1024 (default 64)
  --rate HZ         44100, 48000, 88200 or 96000 (default 48000)
  --seconds S       measure each run for so long (default 10)
  --rounds N        runs of each, by turns (default 3); the table has their medians, and lowest-highest
  --json FILE       everything, single runs included, to this file as well
  --help, --version

BUILD is the folder that `make` and `make bench-programs` were called in (default: the current one). Nothing else
should run on the machine. Exit status: 0, 1 if something could not be measured, 2 for a bad command line.
END
}

port=27016

insert_lines() {
	local i

	for ((i = 1; i <= $1; i++)); do
		printf '%s\n' "[netvst insert$i]" "role = client" "host = 127.0.0.1" "port = $port" "codec = $codec" "block = $block"
	done
}

# Are so many inserts at work, with full scale on what goes out and what comes back?
is_loud() {
	[ "$(nt_status '[.netvst[] | select(.state == "online" and
		([.peak_dbfs.send[], .peak_dbfs.return[]] | all(. != null and . > -6)))] | length')" = "$1" ]
}

status_figures() {
	nt_status '{latency_frames: ([.netvst[].latency_frames] | max), rtt_median_us: ([.netvst[].rtt_us.median] | max),
		rtt_p99_us: ([.netvst[].rtt_us.p99] | max), insert_p50_us: ([.netvst[].callback_us.median] | max),
		insert_p99_us: ([.netvst[].callback_us.p99] | max), ratio: .netvst[0].compression_ratio,
		late: ([.netvst[].late_blocks] | add), blocks: ([.netvst[].blocks_received] | add)}'
}

start_echo() {
	nt_inside echo "$ECHO" server --listen=127.0.0.1 --port="$port" --codec="$codec" --realtime --json
	procs_until 5 "the echo server" grep -q '"listening"' "$PROCS_DIR/echo.out"
}

# line WHAT N ROUND CPU_NS WALL_US MORE: a run, as a line of $PROCS_DIR/runs
line() {
	jq -nc --arg what "$1" --argjson inserts "$2" --argjson round "$3" --argjson cpu_ns "$4" --argjson wall_us "$5" \
		--argjson more "$6" '{what: $what, inserts: $inserts, round: $round, cpu_ns: $cpu_ns, wall_us: $wall_us} + $more' \
		>> "$PROCS_DIR/runs"
}

net_thread_ns() {
	local pid=${PROCS_PID[client]} task name

	for task in /proc/"$pid"/task/*; do
		read -r name < "$task/comm"
		[ "$name" != netvst-client ] || jq -n --argjson t "$threads_ns" --arg k "${task##*/}" '$t[$k]'
	done
}

# shellcheck disable=SC2034 # set by bench_window
daemon_run() {
	local n=$1 cpu_ns threads_ns frames wall_us server_ns before after net lines

	mapfile -t lines < <(insert_lines "$n")
	nt_config "${lines[@]}"
	RUNTIME_DIRECTORY=$NT_RUN STATE_DIRECTORY=$NT_STATE bench_client "$NT_DAEMON" -c "$NT_CONF"
	procs_until 10 "all inserts' ports" has_sends "$n" || bench_fail "the inserts have no ports"
	procs_start source "$JACK_SOURCE" --to=^ethlink: --ports=$((2 * n)) --signal=noise --server="$NT_SERVER"
	procs_until 20 "all inserts to be played through" is_loud "$n" || bench_fail "$n inserts did not get as far as playing"
	before=$(status_figures)
	bench_window "$seconds" || bench_fail "the daemon ended while it was measured"
	net=$(net_thread_ns)
	is_loud "$n" || bench_fail "an insert was lost while it was measured"
	after=$(status_figures)
	bench_end_run "$n inserts"
	line daemon "$n" "$2" "$cpu_ns" "$wall_us" "$(jq -n --argjson b "$before" --argjson a "$after" --argjson net "${net:-null}" \
		--slurpfile report "$PROCS_DIR/report.json" '$a + {late: ($a.late - $b.late), blocks: ($a.blocks - $b.blocks),
		net_ns: $net, callback_p50_us: $report[0].p50_us, callback_p99_us: $report[0].p99_us, callback_max_us: $report[0].max_us}')"
}

has_sends() {
	[ "$(JACK_DEFAULT_SERVER=$NT_SERVER jack_lsp 2> /dev/null | grep -c 'ethlink:.*/send_')" -eq $((2 * $1)) ]
}

plain_cpu_ns() {
	local i ns sum=0

	for ((i = 1; i <= $1; i++)); do
		bench_read_cpu "${PROCS_PID[plain$i]}"
		for ns in "${CPU_NS[@]}"; do
			sum=$((sum + ns))
		done
	done
	printf '%d\n' "$sum"
}

all_have_answers() {
	local i

	for ((i = 1; i <= $1; i++)); do
		procs_signal "plain$i" USR1
		grep -q '"blocks_received":[1-9]' "$PROCS_DIR/plain$i.out" || return 1
	done
}

plain_run() {
	local n=$1 i before after begin_us end_us

	for ((i = 1; i <= n; i++)); do
		nt_inside "plain$i" "$ECHO" client --connect=127.0.0.1 --port="$port" --codec="$codec" --block="$block" --rate="$rate" \
			--pattern --realtime --seconds=$((seconds + 10)) --json
	done
	for ((i = 1; i <= n; i++)); do
		procs_until 5 "a plain client" grep -q connected "$PROCS_DIR/plain$i.out" || bench_fail "a plain client did not start"
	done
	procs_until 5 "all plain clients to have answers" all_have_answers "$n" || bench_fail "a plain client has no answers"
	before=$(plain_cpu_ns "$n") begin_us=${EPOCHREALTIME/[.,]/}
	sleep "$seconds"
	after=$(plain_cpu_ns "$n") end_us=${EPOCHREALTIME/[.,]/}
	for ((i = 1; i <= n; i++)); do
		procs_alive "plain$i" || bench_fail "a plain client ended while it was measured"
		procs_stop "plain$i"
	done
	line plain "$n" "$2" $((after - before)) $((end_us - begin_us)) '{}'
}

bench() {
	local n round

	about=$(bench_machine) && about=$(jq --argjson block "$block" --arg codec "$codec" '. + {block: $block, codec: $codec}' \
		<<< "$about") || exit 1
	bench_line
	bench_jackd
	start_echo || bench_fail "there is no echo server to measure with"
	for n in ${inserts//,/ }; do
		n=$((10#$n))
		for ((round = 1; round <= rounds; round++)); do
			daemon_run "$n" "$round"
			plain_run "$n" "$round"
		done
		bench_summary netvst.jq table "$n"
	done
	[ -z "$json" ] || bench_summary netvst.jq json null > "$json"
}

bench_options "$@"
[[ $inserts =~ ^[0-9]+(,[0-9]+)*$ ]] || bench_bad "--inserts is numbers with commas between them, not '$inserts'"
for n in ${inserts//,/ }; do
	bench_whole --inserts "$n" 1 32
done
bench_whole --block "$block" 16 8191
case $codec in
pcm | wavpack | wavpack-lossy) ;;
*) bench_bad "--codec is pcm, wavpack or wavpack-lossy, not '$codec'" ;;
esac
block=$((10#$block))
bench_needs "iproute2 jq jackd2" ip jq jackd jack_lsp
JACK_SOURCE=$(bench_program tests/bench/jack-source) && ECHO=$(bench_program netvst-echo) || exit 1
nt_private_shm
bench_begin
nt_ip link set lo up
bench
