#!/bin/bash
# The realtime rule under the real JACK server: in the process callback no memory is allocated, no lock taken, nothing
# printed, and no system call made but one kick a cycle. A preloaded trap catches all of them; that it does is shown
# first, by callbacks that break the rule.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

trap_so=$BUILD/tests/tools/rt-trap.so

trap_value() {
	jq -r ".$1" "$PROCS_DIR/trap.json"
}

# run_trapped PERIOD [PROVOKE]: plays a while with the trap; its report is trap.json.
run_trapped() {
	rm -f "$PROCS_DIR/trap.json"
	nt_config_stage
	nt_jackd 48000 "$1" && nt_emu emu --dac 0 --commands || return 1
	nt_launch env "LD_PRELOAD=$trap_so" "RT_TRAP_REPORT=$PROCS_DIR/trap.json" ${2:+"RT_TRAP_PROVOKE=$2"}
	procs_until 10 "the daemon to answer" nt_answers && nt_wait_state stage online || return 1
	nt_feed_start --music --seconds "${SECONDS_EACH:-3}" --target ethlink:stage/playback_ && nt_feed_end 60 || return 1
	# The period changes and the box goes away and comes back: their cycles count as well.
	if [ -z "${2:-}" ]; then
		jack_bufsize -s "$NT_SERVER" 256 > /dev/null 2>&1 || JACK_DEFAULT_SERVER=$NT_SERVER jack_bufsize 256 > /dev/null
		nt_wait_state stage online || return 1
		procs_tell emu "power-cycle 0"
		nt_wait_state stage online || return 1
	fi
	procs_stop ethlinkd
	[ "$PROCS_STATUS" -eq 0 ] && [ -s "$PROCS_DIR/trap.json" ]
}

provoked() {
	run_trapped 64 "$1" && [ "$(trap_value "$2")" -gt 100 ]
}

clean() {
	run_trapped "$1" || return 1
	cat "$PROCS_DIR/trap.json"
	[ "$(trap_value untrapped)" = 0 ] && [ "$(trap_value callbacks)" -gt 100 ] && [ "$(trap_value kicks)" -gt 100 ] &&
		[ "$(trap_value kicks_max)" = 1 ] &&
		[ "$(trap_value '| .malloc + .free + .lock + .stdio + .syscalls')" = 0 ]
}

# At a long period the pacer's thread does all the kicks: the callback makes no system call at all.
clean_paced() {
	run_trapped "$1" || return 1
	cat "$PROCS_DIR/trap.json"
	[ "$(trap_value untrapped)" = 0 ] && [ "$(trap_value callbacks)" -gt 50 ] &&
		[ "$(trap_value '| .malloc + .free + .lock + .stdio + .syscalls')" = 0 ]
}

run_case() {
	nt_check "$@"
	nt_stop_all
}

nt_begin
if [ ! -e "$trap_so" ]; then
	echo "# $trap_so is not built"
	exit 1
fi
run_case "the trap catches malloc and free" provoked malloc malloc
run_case "the trap catches a lock" provoked lock lock
run_case "the trap catches stdio" provoked stdio stdio
run_case "the trap catches a system call" provoked syscall syscalls
run_case "nothing forbidden in the callback at period 64, one kick a cycle" clean 64
run_case "nothing forbidden in the callback at period 100, one kick a cycle" clean 100
run_case "nothing forbidden in the callback at period 2048, where the pacer kicks" clean_paced 2048
nt_end
