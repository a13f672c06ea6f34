#!/bin/bash
# The realtime rule under the real servers, JACK and PipeWire: in what they call in their realtime threads no memory is
# allocated, no lock taken, nothing printed, and no system call made but one a cycle: a kick, or the wake-up of the thread that kicks. A preloaded trap catches all of
# them; that it does is shown first, by callbacks that break the rule.
# Usage: test-rt-trap.sh [jack|pipewire]...
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"
# shellcheck source=tests/lib/pipewire.sh
. "$(dirname "$0")/../lib/pipewire.sh"
# shellcheck source=tests/lib/netvst.sh
. "$(dirname "$0")/../lib/netvst.sh"

trap_so=$BUILD/tests/tools/rt-trap.so
each_s=${SECONDS_EACH:-3}

trap_value() {
	jq -r ".$1" "$PROCS_DIR/trap.json"
}

# start_trapped [PROVOKE [PLACE]]: the daemon with the trap; its report will be trap.json.
start_trapped() {
	rm -f "$PROCS_DIR/trap.json"
	nt_emu emu --dac 0 --commands || return 1
	nt_launch env "LD_PRELOAD=$trap_so" "RT_TRAP_REPORT=$PROCS_DIR/trap.json" ${1:+"RT_TRAP_PROVOKE=$1"} ${2:+"RT_TRAP_PLACE=$2"}
	procs_until 10 "the daemon to answer" nt_answers && nt_wait_state stage online
}

end_trapped() {
	procs_stop ethlinkd
	[ "$PROCS_STATUS" -eq 0 ] && [ -s "$PROCS_DIR/trap.json" ]
}

power_cycle() {
	procs_tell emu "power-cycle 0"
	nt_wait_state stage online
}

# run_jack PERIOD [PROVOKE]
run_jack() {
	nt_config "sender = $sender" "[device stage]" "model = dac8" "serial = 0"
	nt_jackd 48000 "$1" && start_trapped "${2:-}" || return 1
	nt_feed_start --music --seconds "$each_s" --target ethlink:stage/playback_ && nt_feed_end 60 || return 1
	# The period changes and the box goes away and comes back: their cycles count as well.
	if [ -z "${2:-}" ]; then
		jack_bufsize -s "$NT_SERVER" 256 > /dev/null 2>&1 || JACK_DEFAULT_SERVER=$NT_SERVER jack_bufsize 256 > /dev/null
		nt_wait_state stage online && power_cycle || return 1
	fi
	end_trapped
}

# The sections that follow the devices': a plug-in's insert and a slot for a DAW.
with_netvst() {
	nv_server plugin --port 0 --mode gain=-3 || return 1
	printf '%s\n' "[netvst fx]" "role = client" "host = 127.0.0.1" "port = $NV_PORT" "block = 64" \
		"[netvst daw]" "role = server" "port = 27017" "slots = 1" >> "$NT_CONF"
}

# play_netvst: both at work while the box plays, and both go and come back.
play_netvst() {
	nv_wait fx online && nv_wait daw listening || return 1
	nv_client first --port 27017 --block 64 --seconds "$each_s" --pattern
	nt_feed_start --music --seconds "$each_s" "$@" && nt_feed_end 60 && procs_wait first 10 || return 1
	procs_stop plugin
	nv_wait fx connecting && nv_server plugin --port "$NV_PORT" --mode echo && nv_wait fx online || return 1
	nv_client second --port 27017 --block 100 --seconds 1 --pattern
	procs_wait second 10
}

# clean_netvst SERVER
clean_netvst() {
	nv_begin
	case $1 in
	jack)
		nt_config_stage
		with_netvst && nt_jackd 48000 64 && start_trapped && play_netvst --target ethlink:stage/playback_
		;;
	pipewire)
		nt_config_stage
		with_netvst && nt_pipewire 64 && start_trapped && play_netvst --target ethlink.stage
		;;
	esac && nt_ctl reload && end_trapped && is_clean && [ "$(trap_value callbacks)" -gt 100 ] && [ "$(trap_value calls_max)" = 1 ]
}

# run_pipewire QUANTUM [PROVOKE [PLACE]]: with two boxes, which have a node each, and one kick for both.
run_pipewire() {
	nt_config "sender = $sender" "[device stage]" "model = dac8" "serial = 0" "monitor = yes" "[device hall]" "model = dac8" "serial = 1"
	nt_pipewire "$1" && start_trapped "${@:2}" || return 1
	nt_feed_start --music --seconds "$each_s" --target ethlink.stage --target ethlink.hall && nt_feed_end 60 || return 1
	# The quantum changes, links, nodes and the box go away and come back.
	if [ -z "${2:-}" ]; then
		nt_pw_quantum 256 && nt_pw_quantum 32 && nt_pw_quantum 0 && nt_ctl reload && power_cycle || return 1
		nt_feed_start --music --seconds 1 --target ethlink.stage && nt_feed_end 60 || return 1
	fi
	end_trapped
}

# provoked SERVER WHAT KEY [PLACE]
provoked() {
	"run_$1" 64 "$2" "${@:4}" && [ "$(trap_value "$3")" -gt 100 ]
}

is_clean() {
	cat "$PROCS_DIR/trap.json"
	[ "$(trap_value untrapped)" = 0 ] && [ "$(trap_value '| .malloc + .free + .lock + .stdio + .syscalls')" = 0 ]
}

# clean SERVER PERIOD
clean() {
	"run_$1" "$2" && is_clean && [ "$(trap_value callbacks)" -gt 100 ] && [ "$(trap_value kicks)" -gt 100 ] &&
		[ "$(trap_value calls_max)" = 1 ] || return 1
	[ "$1" = jack ] || { [ "$(trap_value nodes)" -gt 100 ] && [ "$(trap_value hooks)" -gt 100 ]; }
}

# At a long period the pacer's thread does all the kicks: the callback wakes it.
clean_paced() {
	"run_$1" "$2" && is_clean && [ "$(trap_value callbacks)" -gt 50 ] && [ "$(trap_value wakes)" -gt 10 ] &&
		[ "$(trap_value calls_max)" = 1 ]
}

# clean_threaded SERVER PERIOD: the thread kicks in each cycle.
clean_threaded() {
	sender=thread
	"run_$1" "$2" && is_clean && [ "$(trap_value kicks)" = 0 ] && [ "$(trap_value wakes)" -gt 100 ] &&
		[ "$(trap_value calls_max)" = 1 ]
}

run_case() {
	sender=auto
	nt_check "$@"
	nt_stop_all
}

jack() {
	run_case "JACK: the trap catches malloc and free" provoked jack malloc malloc
	run_case "JACK: the trap catches a lock" provoked jack lock lock
	run_case "JACK: the trap catches stdio" provoked jack stdio stdio
	run_case "JACK: the trap catches a system call" provoked jack syscall syscalls
	run_case "JACK: nothing forbidden in the callback at period 64, one kick a cycle" clean jack 64
	run_case "JACK: nothing forbidden in the callback at period 100, one kick a cycle" clean jack 100
	run_case "JACK: nothing forbidden at period 256, where the graph goes on before the kick" clean jack 256
	run_case "JACK: nothing forbidden in the callback at period 2048, where the pacer kicks" clean_paced jack 2048
	run_case "JACK: nothing forbidden where a thread kicks, which is woken once a cycle" clean_threaded jack 64
	run_case "JACK: nothing forbidden with a NetVST insert and a slot, one kick a cycle" clean_netvst jack
}

pipewire() {
	local place

	for place in node hook; do
		run_case "PipeWire: the trap catches malloc and free in a $place" provoked pipewire malloc malloc "$place"
		run_case "PipeWire: the trap catches a lock in a $place" provoked pipewire lock lock "$place"
		run_case "PipeWire: the trap catches stdio in a $place" provoked pipewire stdio stdio "$place"
		run_case "PipeWire: the trap catches a system call in a $place" provoked pipewire syscall syscalls "$place"
	done
	run_case "PipeWire: nothing forbidden at quantum 64, one kick a cycle" clean pipewire 64
	run_case "PipeWire: nothing forbidden at quantum 100, one kick a cycle" clean pipewire 100
	run_case "PipeWire: nothing forbidden at quantum 1024, where the pacer kicks" clean_paced pipewire 1024
	run_case "PipeWire: nothing forbidden where a thread kicks, which is woken once a cycle" clean_threaded pipewire 64
	run_case "PipeWire: nothing forbidden with a NetVST insert and a slot, one kick a cycle" clean_netvst pipewire
}

[ $# -gt 0 ] || set -- jack pipewire
if [ "$(uname -m)" != x86_64 ]; then
	echo "# skipped: the trap needs Syscall User Dispatch, which Linux has on x86-64"
	exit 77
fi
nt_begin
if [ ! -e "$trap_so" ]; then
	echo "# $trap_so is not built"
	exit 1
fi
for server in "$@"; do
	if [ "$server" = pipewire ]; then
		nt_pw_missing && continue
		nt_pw_begin
	fi
	"$server"
done
nt_end
