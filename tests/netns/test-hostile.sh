#!/bin/bash
# Garbage, wrong lengths and frames of strange boxes arrive at the daemon's interface while it plays: the audio
# stays exact. Then replies forged in the box's name: nothing crashes, and afterwards all is as before.
# shellcheck disable=SC2317 # functions are called by name
# shellcheck source=tests/lib/netns.sh
. "$(dirname "$0")/../lib/netns.sh"

start() {
	nt_jackd 48000 256 && nt_emu emu --dac 0 --record "$NT_RECORDING" && nt_daemon && nt_wait_state stage online
}

spray() {
	local host_mac

	host_mac=$(nt_ip -json link show "$NT_HOST_IF" | jq -r '.[0].address')
	procs_start spray ip netns exec "$NT_NS" "$NT_SPRAY" --interface "$NT_BOX_IF" --dst "$host_mac" \
		--box 00:e8:da:c0:00:00 "$@"
}

spray_end() {
	procs_wait spray 30 && [ "$PROCS_STATUS" -eq 0 ]
}

under_fire() {
	start && spray --count 60000 --rate 6000 &&
		nt_feed_start --music --seconds 8 --save "$NT_SOURCE" --target ethlink:stage/playback_ &&
		nt_feed_end 40 && spray_end && nt_in_state stage online
}

forged() {
	start && spray --mode forged --count 10000 --rate 3000 && spray_end && procs_alive ethlinkd &&
		nt_wait_state stage online 20 || return 1
	procs_stop ethlinkd
	[ "$PROCS_STATUS" -eq 0 ]
}

nt_begin
nt_config_stage
nt_exact "playing while malformed and strange frames arrive" under_fire
nt_check "replies forged in the box's name: the daemon lives, and the box is online again afterwards" forged
nt_end
