#!/bin/bash
# Random events in a row: interface down, up, deleted, made anew; box off, on, power-cycled; audio server stopped, killed,
# started, another period; the configuration read again, right or wrong. The daemon answers after each of them, is
# healthy at the end and plays exactly, and has not grown: memory, file descriptors and threads are those of a third of the way.
# Usage: test-random.sh [--seed N] [--events N]
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/watch.sh
. "$(dirname "$0")/../lib/watch.sh"

seed=$(od -An -N2 -tu2 /dev/urandom)
seed=$((seed))
events=60
# What libjack may keep of a client that was closed, in KiB; and what malloc's arenas may take in any case.
per_join_kib=16
noise_kib=256

usage() {
	echo "usage: test-random.sh [--seed N] [--events N]; N from 0, and events from 3"
	exit 2
}

while [ $# -gt 0 ]; do
	[[ ${2:-} =~ ^[0-9]+$ ]] || usage
	case $1 in
	--seed) seed=$2 ;;
	--events) events=$2 ;;
	*) usage ;;
	esac
	shift 2
done
[ "$events" -ge 3 ] || usage

RANDOM=$((seed % 32768))
history=()
interface=there
link=up
cable=in
power=on
jack=runs
joins=0
gain=0

pick() {
	picked=$((RANDOM % $1))
}

make_network() {
	nt_ip link add boxes type bridge mcast_snooping 0 && nt_ip link set boxes up && nt_ip link set "$NT_BOX_IF" master boxes
}

plug_in() {
	nt_ip link add host0 type veth peer name box0 && nt_ip link set box0 master boxes && nt_ip link set box0 up &&
		nt_ip link set host0 up
}

configure() {
	nt_config "[device stage]" "model = dac8" "serial = 0" "gain = $gain"
}

# --- events; each leaves in "did" what it was

event_interface() {
	if [ "$interface" = gone ]; then
		did="interface made anew"
		plug_in
		interface=there
		link=up
		cable=in
	else
		did="interface deleted"
		nt_ip link del host0
		interface=gone
	fi
}

event_link() {
	if [ "$interface" = gone ]; then
		event_interface
	elif [ "$link" = up ]; then
		did="interface down"
		nt_ip link set host0 down
		link=down
	else
		did="interface up"
		nt_ip link set host0 up
		link=up
	fi
}

event_cable() {
	if [ "$interface" = gone ]; then
		event_interface
	elif [ "$cable" = in ]; then
		did="cable out"
		nt_ip link set box0 down
		cable=out
	else
		did="cable in"
		nt_ip link set box0 up
		cable=in
	fi
}

event_box() {
	pick 2
	if [ "$power" = off ]; then
		did="box on"
		power=on
		procs_tell emu "on 0"
	elif [ "$picked" -eq 0 ]; then
		did="box power-cycled"
		procs_tell emu "power-cycle 0"
	else
		did="box off"
		power=off
		procs_tell emu "off 0"
	fi
}

event_jack() {
	if [ "$jack" = gone ]; then
		pick 3
		did="JACK started, period $((128 << picked))"
		start_jack $((128 << picked))
		return
	fi
	pick 2
	if [ "$picked" -eq 0 ]; then
		did="JACK killed"
		nt_jackd_end KILL
	else
		did="JACK stopped"
		procs_stop jackd TERM
	fi
	jack=gone
	procs_stop feed
}

# The feed comes back under its name, and who connects it is the daemon.
start_jack() {
	nt_jackd 48000 "$1" || return 1
	jack=runs
	joins=$((joins + 1))
	watch_feed
}

event_period() {
	if [ "$jack" = gone ]; then
		event_jack
		return
	fi
	pick 4
	did="period $((128 << picked))"
	JACK_DEFAULT_SERVER=$NT_SERVER JACK_NO_START_SERVER=1 jack_bufsize $((128 << picked)) > /dev/null 2>&1
}

event_reload() {
	pick 40
	gain=$((picked - 40))
	did="reload with a gain of $gain dB"
	configure
	nt_ctl reload > /dev/null 2>> "$PROCS_DIR/reload.err"
}

event_wrong_reload() {
	did="wrong reload"
	configure
	echo "gian = 3" >> "$NT_CONF"
	! nt_ctl reload > /dev/null 2> "$PROCS_DIR/wrong.err"
}

kinds=(interface link cable box box jack jack period period reload reload wrong_reload)

daemon_answers() {
	nt_status .connected | grep -qE 'true|false'
}

# one NUMBER: an event, and a moment of at most 0.8 s for it to be felt
one() {
	pick "${#kinds[@]}"
	"event_${kinds[picked]}"
	status=$?
	history+=("$1: $did")
	pick 80
	sleep "$(watch_seconds "$picked")"
	[ "$status" -eq 0 ] || { said="event $1 ($did) went wrong"; return 1; }
	procs_alive ethlinkd || { said="the daemon has died"; return 1; }
	procs_until 5 "the daemon to answer" daemon_answers || { said="the daemon does not answer"; return 1; }
}

# All is as it should be: it plays, with the connections that it remembers.
healthy() {
	[ "$interface" = there ] || event_interface
	[ "$link" = up ] || event_link
	[ "$cable" = in ] || event_cable
	[ "$power" = on ] || event_box
	[ "$jack" = runs ] || start_jack 256
	JACK_DEFAULT_SERVER=$NT_SERVER JACK_NO_START_SERVER=1 jack_bufsize 256 > /dev/null 2>&1
	nt_wait_state stage online && watch_steady emu 100 && return 0
	said="not healthy $1"
	echo "# connections:"
	jack_lsp -s "$NT_SERVER" -c | sed 's/^/#   /'
	return 1
}

# libjack has one for each client of the server, and may keep that of one that has just ended (jack_bufsize).
count_fds() {
	n_fds=$(find "/proc/${PROCS_PID[ethlinkd]}/fd" -type l ! -lname '/dev/shm/jack_sem.*' | wc -l)
}

# A moment ago somebody asked for the status: that connection may still be open.
same_fds() {
	count_fds
	[ "$n_fds" -le "$fds0" ]
}

measure() {
	local pid=${PROCS_PID[ethlinkd]}

	count_fds
	memory_kib=$(awk '/^RssAnon:/ { print $2 }' "/proc/$pid/status")
	threads=$(awk '/^Threads:/ { print $2 }' "/proc/$pid/status")
	ls -l "/proc/$pid/fd" > "$PROCS_DIR/$2.fds"
	printf '# %s: %d KiB, %d file descriptors, %d threads, after %d joins\n' "$1" "$memory_kib" "$n_fds" "$threads" "$joins"
}

start() {
	nt_jackd 48000 256 && watch_emu emu boxes --dac 0 && nt_daemon && nt_wait_state stage online &&
		watch_feed --target ethlink:stage/playback_ && watch_steady emu 50
}

events_from_to() {
	local n

	for ((n = $1; n <= $2; n++)); do
		one "$n" || return 1
	done
}

run() {
	said="it did not start"
	start || return 1
	events_from_to 1 $((events / 3)) && healthy "after a third of the events" || return 1
	measure "after $((events / 3)) events" before
	memory0=$memory_kib
	fds0=$n_fds
	threads0=$threads
	joins0=$joins
	events_from_to $((events / 3 + 1)) "$events" && healthy "at the end" || return 1
	measure "after $events events" after
}

not_grown() {
	[ "$memory_kib" -le $((memory0 + noise_kib + per_join_kib * (joins - joins0))) ]
}

gain_is_the_last() {
	[ "$(jq -r '.boxes[0].gain_db[0]' "$PROCS_DIR/emu.json")" = "$gain" ]
}

ends_well() {
	procs_stop ethlinkd
	[ "$PROCS_STATUS" -eq 0 ]
}

show_history() {
	printf '# %s\n' "${history[@]}"
	echo "# again: test-random.sh --seed $seed --events $events"
}

nt_begin
echo "# seed $seed, $events events"
procs_clock
begin=$PROCS_NOW
make_network && configure
if run; then
	nt_ok "$events random events: healthy, and plays exactly"
	nt_check "memory has not grown" not_grown
	nt_check "no more file descriptors than before" procs_until 2 "their number" same_fds
	nt_check "no more threads than before" [ "$threads" -le "$threads0" ]
	configure
	nt_ctl reload
	nt_check "the box has the gain of the last configuration" procs_until 3 "the gain" gain_is_the_last
	nt_check "it ends on SIGTERM with 0" ends_well
else
	nt_not_ok "$events random events, seed $seed: $said"
fi
echo "# $(procs_since "$begin") s"
[ "$NT_FAILED" -eq 0 ] || show_history
nt_end
