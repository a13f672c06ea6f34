#!/bin/bash
# The JACK backend's inserts under a real JACK server, without the daemon: tests/tools/jack-insert.c has the cases.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

# What a case has to tell is told, whether it passed or not. $1: seconds that it may take.
ended_well() {
	local ended=0

	procs_wait insert "$1" || ended=1
	grep -h '^#' "$PROCS_DIR/insert.out"
	[ "$ended $PROCS_STATUS" = "0 0" ]
}

run() {
	nt_jackd 48000 64 || return 1
	procs_start insert "$insert" "$NT_SERVER" "$1"
	ended_well 120
}

trap_value() {
	jq -r ".$1" "$PROCS_DIR/trap.json"
}

# The same with a trap for all that a realtime callback must not do. The inserts make no system call at all, not even the
# one that boxes need.
run_trapped() {
	nt_jackd 48000 64 || return 1
	procs_start insert env "LD_PRELOAD=$BUILD/tests/tools/rt-trap.so" "RT_TRAP_REPORT=$PROCS_DIR/trap.json" \
		"$insert" "$NT_SERVER" "$1"
	ended_well 120 || return 1
	[ "$(trap_value untrapped)" = 0 ] && [ "$(trap_value callbacks)" -gt 600 ] &&
		[ "$(trap_value '| .malloc + .free + .lock + .stdio + .syscalls + .kicks')" = 0 ] && return 0
	cat "$PROCS_DIR/trap.json"
	return 1
}

says() {
	grep -qx "$1" "$PROCS_DIR/insert.out"
}

restart() {
	nt_jackd 48000 64 || return 1
	procs_start insert env "LD_PRELOAD=$BUILD/tests/tools/cancel-trap.so" "CANCEL_TRAP_REPORT=$PROCS_DIR/trap.json" \
		"$insert" "$NT_SERVER" restart
	procs_until 30 "audio" says playing || return 1
	procs_stop jackd "$1" 2> /dev/null
	procs_until 30 "the client to see that the server has gone" says gone && nt_jackd 48000 128 || return 1
	ended_well 60 && [ "$(trap_value closes)" = true ] && [ "$(trap_value checked)" -gt 0 ] &&
		[ "$(trap_value violations)" = 0 ]
}

run_case() {
	nt_check "$@"
	nt_stop_all
}

nt_begin
insert=$(nt_program jack-insert) || exit 1
traps=(cancel-trap)
# It needs Syscall User Dispatch, which Linux has on x86-64.
[ "$(uname -m)" != x86_64 ] || traps+=(rt-trap)
for so in "${traps[@]}"; do
	if [ ! -e "$BUILD/tests/tools/$so.so" ]; then
		printf '# %s.so is not built\n' "$so"
		exit 1
	fi
done
run_case "an insert's ports have the names, types, flags and order that others expect" run ports
run_case "audio through an insert, a second one and into a device is exact, within the cycle" run audio
run_case "MIDI keeps its frame; what is too much is counted" run midi
run_case "with any period" run period
run_case "latency ranges: through inserts, into devices, around loops" run latency
run_case "the song's position and whether it plays" run transport
run_case "inserts come and go while others play" run change
run_case "16 inserts at once" run many
if [ "${#traps[@]}" -gt 1 ]; then
	run_case "nothing in the callback that may not be there, while MIDI passes" run_trapped midi
	run_case "nothing in the callback that may not be there, while inserts come and go" run_trapped change
fi
run_case "the server is stopped: connections come back with it" restart TERM
run_case "the server is killed: connections come back with it" restart KILL
nt_end
